"""Jobs written as a table: a column for each value, named by its path, such as display.jobSymbol or logs.0.url.

What a cell becomes is decided by the schema: `tier` is a number, `isRetried` a truth value, `labels` a list (values
separated by ;). An empty cell is a value that is not there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

from backends.http.errors import sanitize
from backends.submit.forms import Form, form_of
from backends.submit.reading_json import Found
from backends.submit.schemas import schema_of

_STEP = re.compile(r"\.|\[([0-9]{1,3})\]")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_TRUTH = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
MOST_ELEMENTS = 200  # of one list: logs.7.url makes eight places
Path = tuple[str | int, ...]


def from_csv(name: str, text: str, form: Form | None) -> Iterator[Found]:
    """One entry a row; the place of a row is the line where it begins. Raises `FileError` for no table at all."""
    from backends.errors import FileError

    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        names = [cell.strip() for cell in next(reader, [])]
        paths = [path_of(cell) for cell in names]
        if len({name for name in names if name}) < len([name for name in names if name]):
            raise FileError(f"{name} has two columns of one name.", "Give each value one column.")
        kind = form if form is not None else form_of({path[0]: {} for path in paths if path})
        schema = schema_of(kind)
        while True:
            line = reader.line_num + 1
            row = next(reader, None)
            if row is None:
                return
            if any(cell.strip() for cell in row):
                yield _entry(row, paths, schema, f"line {line}", len(names))
    except csv.Error as error:
        raise FileError(f"{name} is not a valid table: line {reader.line_num}: {sanitize(str(error), 120)}.") from None


def path_of(column: str) -> Path:
    """The path that a column's name spells: `logs.0.url` and `logs[0].url` are the same."""
    parts = [part for part in _STEP.split(column) if part]
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else part for part in parts)


def _entry(row: list[str], paths: list[Path], schema: dict[str, Any], place: str, width: int) -> Found:
    if len(row) > width:
        return Found(
            None, place, f"the row has {len(row)} cells, the header {width}; a comma may want quotes around it"
        )
    body: dict[str, Any] = {}
    for cell, path in zip(row, paths, strict=False):
        if cell != "" and path:
            problem = _put(body, path, _typed(cell, _at(schema, path, schema)))
            if problem:
                return Found(None, place, problem)
    return Found(_without_gaps(body), place)


def _put(body: dict[str, Any], path: Path, value: Any) -> str:
    holder: Any = body
    for step, following in zip(path, (*path[1:], None), strict=True):
        empty: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(step, int) and isinstance(holder, list):
            if step >= MOST_ELEMENTS:
                return f"a list of more than {MOST_ELEMENTS} elements does not fit into columns"
            holder.extend([None] * (step + 1 - len(holder)))
            if holder[step] is None:
                holder[step] = empty
            holder = holder[step]
        elif isinstance(holder, dict):
            holder = holder.setdefault(str(step), empty)
        else:
            return f"the columns contradict each other at {sanitize('.'.join(map(str, path)), 80)}"
    return ""


def _without_gaps(value: Any) -> Any:
    """A row that fills logs.1 and not logs.0 has one log."""
    if isinstance(value, dict):
        return {key: _without_gaps(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_gaps(one) for one in value if one is not None]
    return value


def _at(schema: Any, path: Path, root: dict[str, Any]) -> dict[str, Any]:
    """The schema of what stands at the path; {} where none does."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if not path:
        return schema  # type: ignore[no-any-return]
    for alternative in schema.get("oneOf", ()):
        if found := _at(alternative, path, root):
            return found
    step = path[0]
    if isinstance(step, int):
        inner = schema.get("items")
    else:
        inner = schema.get("properties", {}).get(step) or schema.get("additionalProperties")
    return _at(inner, path[1:], root) if isinstance(inner, dict) else {}


def _typed(cell: str, schema: dict[str, Any]) -> Any:
    """The cell as its schema wants it; as a text where it is none of that, so that the lint can say so."""
    kinds = {schema.get("type"), *(one.get("type") for one in schema.get("oneOf", ()))}
    text = cell.strip()
    if "integer" in kinds and _WHOLE.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text)
    if "boolean" in kinds and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if "array" in kinds:
        items = schema.get("items", {})
        return [_typed(part.strip(), items) for part in cell.split(";") if part.strip()]
    return cell
