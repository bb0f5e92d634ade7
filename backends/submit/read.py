"""Reading job data: JSON, JSON lines, YAML and CSV files, and Taskcluster tasks; each entry with its place.

All text is read as what JSON can hold. Files are hostile until read: their size, depth and number of values are
limited, and nothing in them makes reading fail without an `AppError`.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import FileError, UsageError
from backends.garbage import paused_collection
from backends.http import CachePolicy, Http
from backends.http.errors import sanitize
from backends.paths import expand_home
from backends.pool import map_in_order
from backends.submit.convert import message_from_task
from backends.submit.entries import JobEntry, JobForm, guess_form
from backends.submit.locators import JobFile, TaskJobs
from backends.submit.validation import schema_of
from backends.taskcluster.urls import PROFILES

SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".csv": "csv",
    ".tsv": "csv",
}
MAX_BYTES = 256 << 20
MAX_DEPTH = 60  # levels; real jobs have six, and each level costs the validator a frame of Python's stack
MAX_YAML_VALUES = 5_000_000  # 10,000 jobs have 600,000; a few lines of aliases can stand for more than fits in memory
MAX_ELEMENTS = 200  # of a list in a table: logs.7.url makes eight places
# JSON can spell half of a surrogate pair, which is not a character: neither a table nor a database takes it. Searched
# with `in`: a regular expression holds the interpreter, and with it the interface, for 0.8 s in 10,000 jobs.
_SURROGATES = ("\\ud", "\\uD")


@dataclass(frozen=True)
class ParsedValue:
    """One value and its place, or the reason why it could not be read; see `JobEntry`."""

    value: Any
    place: str
    parse_error: str = ""
    warnings: tuple[str, ...] = ()


def read_locator(
    locator: JobFile | TaskJobs, http: Http, settings: Settings, cancel: CancelToken, *, for_lint: bool = False
) -> list[JobEntry]:
    """All entries. Tasks become the messages that Treeherder would make of them; `for_lint` keeps the tasks, whose
    definitions are what the user can fix. Raises `AppError`s."""
    if isinstance(locator, JobFile):
        return read_files([locator.path], JobForm(locator.form) if locator.form else None)
    configured = settings.taskcluster_root_url
    root = (locator.root_url or PROFILES.get(configured.lower(), configured)).rstrip("/")
    if "://" not in root:
        raise UsageError("No Taskcluster root URL is set.", "Add ?root=https://HOST, or set TASKCLUSTER_ROOT_URL.")
    entries = read_tasks(locator.task_ids, http, root, cancel)
    return entries if for_lint else [_as_message(entry, root) for entry in entries]


def read_tasks(task_ids: Sequence[str], http: Http, root: str, cancel: CancelToken) -> list[JobEntry]:
    """One entry per task (its definition and status), in the order of the ids. Raises the requests' `AppError`s."""

    def fetch(task_id: str, own: CancelToken) -> Mapping[str, Any]:
        url = f"{root}/api/queue/v1/task/{task_id}"
        definition, _ = http.json(url, policy=CachePolicy.immutable(), cancel=own)
        status, _ = http.json(f"{url}/status", policy=CachePolicy.short(30), cancel=own)
        return {"task": definition, **(status if isinstance(status, dict) else {})}

    bodies = [body for batch in map_in_order(fetch, task_ids, cancel) for body in batch]
    return [
        JobEntry(task_id, "", number, JobForm.TASK, body)
        for number, (task_id, body) in enumerate(zip(task_ids, bodies, strict=True))
    ]


def _as_message(entry: JobEntry, root: str) -> JobEntry:
    """The job message of a task; the task itself where Treeherder would make no job of it, for the lint to say why."""
    message = message_from_task(entry.file, entry.body, root)
    return entry if message is None else replace(entry, form=JobForm.PULSE, body=message)


def read_files(paths: Sequence[str], form: JobForm | None = None) -> list[JobEntry]:
    """All entries of all files, numbered consecutively; "-" is standard input (JSON, JSON lines or YAML).

    `form`: what every entry is taken for; by default each is guessed. Raises `FileError` for what cannot be read at
    all; an entry that alone is broken gets a `parse_error`.
    """
    entries: list[JobEntry] = []
    for path in paths:
        entries += read_text(path, _content(path), form, first=len(entries))
    return entries


def read_text(name: str, text: str, form: JobForm | None = None, first: int = 0) -> list[JobEntry]:
    """The entries of one file's text; the suffix of its name says the format."""
    with paused_collection():
        parsed = list(_parse(name, text, form))
    if not parsed:
        raise FileError(f"{name} has no jobs.", "Write one JSON object, a list of them, or one per line.")
    entries = []
    surrogates = any(half in text for half in _SURROGATES)
    for number, one in enumerate(parsed, first):
        if surrogates:
            one = _without_surrogates(one)
        kind = form if form is not None else JobForm.PULSE if one.parse_error else guess_form(one.value)
        entries.append(JobEntry(name, one.place, number, kind, one.value, one.parse_error, one.warnings))
    return entries


def _parse(name: str, text: str, form: JobForm | None) -> Iterator[ParsedValue]:
    match SUFFIXES.get(Path(name).suffix.lower()):
        case "csv":
            return parse_csv(name, text, form)
        case "yaml":
            return parse_yaml(name, text)
        case "jsonl":
            return parse_json_lines(text)
        case "json":
            return parse_json(name, text)
    # Standard input: JSON, JSON lines if the first line is complete, else YAML.
    if not text.lstrip().startswith(("{", "[")):
        return parse_yaml(name, text)
    lines = list(parse_json_lines(text))
    return iter(lines) if len(lines) > 1 and not lines[0].parse_error else parse_json(name, text)


def _without_surrogates(parsed: ParsedValue) -> ParsedValue:
    """The same with ? for each half of a pair, and a warning if there was one."""
    value = json.loads(json.dumps(parsed.value, ensure_ascii=False).encode("utf-8", "replace"))
    warnings = ("holds half a character, which became ?",) if value != parsed.value else ()
    return replace(parsed, value=value, warnings=(*parsed.warnings, *warnings))


def _content(path: str) -> str:
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with expand_home(path).open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {(error.strerror or 'no reason given').lower()}.") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MB.", "Split it into several files.")
    for encoding in ("utf-8-sig", "utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
    raise FileError(f"{path} is not UTF-8 text: line {line} has other bytes.", "Save it as UTF-8.")


# JSON


class _JsonReader:
    """Decodes one value after the other and remembers names that were written twice."""

    def __init__(self, text: str) -> None:
        """`text`: all of it, of which `read` may be given parts."""
        # A name ends with a quote and a colon, which nothing but a text holds as well, unless blanks lie between them.
        self._has_gaps = any(gap in text for gap in (" :", "\n:", "\t:", "\r:"))
        self._names = 0
        self._warnings: list[str] = []
        self._decoder = json.JSONDecoder(object_hook=self._count_names, parse_constant=_refuse_constant)
        self._careful = json.JSONDecoder(object_pairs_hook=self._build_object, parse_constant=_refuse_constant)

    def _count_names(self, body: dict[str, Any]) -> dict[str, Any]:
        self._names += len(body)
        return body

    def _build_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        body = dict(pairs)
        if len(body) < len(pairs):
            names = [name for name, _ in pairs]
            self._warnings += [_repeated(name) for name in sorted({one for one in names if names.count(one) > 1})]
        return body

    def read(self, text: str, position: int, place: str) -> tuple[ParsedValue, int]:
        """The value that begins at `position`, and where the next token begins."""
        self._names, self._warnings = 0, []
        value, end = self._decoder.raw_decode(text, position)
        if self._has_gaps or text.count('":', position, end) != self._names:  # a name may be there twice
            value, end = self._careful.raw_decode(text, position)
        if text.count("{", position, end) + text.count("[", position, end) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        return ParsedValue(value, place, warnings=tuple(self._warnings)), _skip_blanks(text, end)


def parse_json(name: str, text: str) -> Iterator[ParsedValue]:
    """One object, or the elements of a list. Raises `FileError` where the text is not JSON."""
    try:
        start = _skip_blanks(text, 0)
        if text[start : start + 1] == "[":
            yield from _list_elements(text, _skip_blanks(text, start + 1))
            return
        parsed, end = _JsonReader(text).read(text, start, "")
        _check_end(text, end)
        yield parsed
    except json.JSONDecodeError as error:
        hint = "One object per line is JSON lines: name the file .jsonl." if error.msg == "Extra data" else ""
        where = f"line {error.lineno}, column {error.colno}"
        raise FileError(f"{name} is not valid JSON: {where}: {_json_reason(error)}.", hint) from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name} is not usable JSON: {_json_reason(error)}.") from None


def _list_elements(text: str, position: int) -> Iterator[ParsedValue]:
    reader, line, counted = _JsonReader(text), 1, 0
    at_end = text[position : position + 1] == "]"
    while not at_end:
        line += text.count("\n", counted, position)
        counted = position
        parsed, position = reader.read(text, position, f"line {line}")
        yield parsed
        at_end = text[position : position + 1] == "]"
        if not at_end:
            if text[position : position + 1] != ",":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
            position = _skip_blanks(text, position + 1)
    _check_end(text, _skip_blanks(text, position + 1))


def parse_json_lines(text: str) -> Iterator[ParsedValue]:
    """One value per line; blank lines are skipped, a broken line is one broken entry."""
    reader = _JsonReader(text)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            parsed, end = reader.read(line, _skip_blanks(line, 0), place)
            _check_end(line, end)
        except json.JSONDecodeError as error:
            parsed = ParsedValue(None, place, f"not valid JSON: column {error.colno}: {_json_reason(error)}")
        except (ValueError, RecursionError) as error:
            parsed = ParsedValue(None, place, f"not usable JSON: {_json_reason(error)}")
        yield parsed


_BLANKS = re.compile(r"[ \t\r\n]*")


def _skip_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _check_end(text: str, position: int) -> None:
    if position < len(text):
        raise json.JSONDecodeError("Extra data", text, position)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg[:1].lower() + error.msg[1:]
    if "integer string conversion" in str(error):  # Python's message about 4,300 digits names Python's functions
        return "a number is too long"
    return "nested too deeply" if isinstance(error, RecursionError) else sanitize(str(error), 120)


def _depth(value: Any) -> int:
    """How many containers are nested. Raises `RecursionError` for what is deeper than Python's stack."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if items is None:
        return 0
    return 1 + max((_depth(item) for item in items if isinstance(item, (dict, list))), default=0)


def _repeated(name: str) -> str:
    return f"{sanitize(name, 60)} is written more than once; the last one counts"


# YAML
#
# YAML 1.1 turns `2013-12-16T19:34:58Z` into a date, `no` into false, `010` into 8 and a revision of digits into a
# number; a job message means texts. Here only true, false, null and plain decimal numbers are more than text. Values
# are built from the parser's events: libyaml's own composer holds the interpreter, and with it the interface, for 0.6 s
# in 2,000 jobs, and with PyYAML's constructor takes 3.5 times as long as this.

_YamlParser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_YAML_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_YAML_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_YAML_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]{1,2})?|[eE][+-]?[0-9]{1,2})", re.ASCII)
_YAML_TYPES: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


class _YamlError(Exception):
    """YAML that is more than JSON can hold, or than memory can."""

    def __init__(self, event: Any, reason: str) -> None:
        super().__init__(reason)
        self.line = event.start_mark.line + 1


def parse_yaml(name: str, text: str) -> Iterator[ParsedValue]:
    """The documents, or the elements of a document that is a list. Raises `FileError` where it is not YAML."""
    parser = _YamlParser(text)
    try:
        yield from _YamlReader(parser.get_event).read_documents()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        reason = sanitize(str(getattr(error, "problem", None) or error), 160)
        raise FileError(f"{name} is not valid YAML: {where}{reason}.") from None
    except _YamlError as error:
        raise FileError(f"{name} is not usable YAML: line {error.line}: {sanitize(str(error), 160)}.") from None
    except RecursionError:
        raise FileError(f"{name} is not usable YAML: nested too deeply.") from None
    finally:
        parser.dispose()


class _YamlReader:
    """Builds values from events. `_count`: values so far, those of aliases each time that they are used."""

    def __init__(self, next_event: Any) -> None:
        self._next = next_event
        self._anchors: dict[str, tuple[Any, int] | None] = {}  # name -> value and its count; None: being read
        self._count = 0
        self._warnings: list[str] = []

    def read_documents(self) -> Iterator[ParsedValue]:
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
            elif isinstance(event, yaml.SequenceStartEvent) and event.anchor is None:
                self._check_tag(event, "seq")
                while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                    yield self._read_entry(event)
            elif isinstance(event, yaml.NodeEvent):
                parsed = self._read_entry(event)
                if isinstance(parsed.value, list):
                    yield from (replace(parsed, value=item) for item in parsed.value)
                elif parsed.value is not None:
                    yield parsed

    def _read_entry(self, event: Any) -> ParsedValue:
        self._warnings = []
        value = self._read(event, 0)
        if _depth(value) > MAX_DEPTH:  # aliases nest what is not nested in the text
            raise _YamlError(event, f"nested deeper than {MAX_DEPTH} levels")
        return ParsedValue(value, f"line {event.start_mark.line + 1}", warnings=tuple(self._warnings))

    def _read(self, event: Any, level: int) -> Any:
        if type(event) is yaml.AliasEvent:
            return self._read_alias(event)
        self._add(event, 1)
        if level > MAX_DEPTH:
            raise _YamlError(event, f"nested deeper than {MAX_DEPTH} levels")
        if event.anchor is None:
            return self._read_node(event, level)
        self._anchors[event.anchor], before = None, self._count
        value = self._read_node(event, level)
        self._anchors[event.anchor] = value, self._count - before + 1
        return value

    def _add(self, event: Any, count: int) -> None:
        self._count += count
        if self._count > MAX_YAML_VALUES:
            raise _YamlError(event, "its aliases stand for more values than fit in memory")

    def _read_node(self, event: Any, level: int) -> Any:
        if type(event) is yaml.ScalarEvent:
            return _yaml_scalar(event)
        if type(event) is yaml.SequenceStartEvent:
            self._check_tag(event, "seq")
            items = []
            while type(event := self._next()) is not yaml.SequenceEndEvent:
                items.append(self._read(event, level + 1))
            return items
        self._check_tag(event, "map")
        return self._read_mapping(level)

    def _read_mapping(self, level: int) -> dict[str, Any]:
        body: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            name = self._read_name(event)
            value = self._read(self._next(), level + 1)
            if name == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
                for one in reversed(value if isinstance(value, list) else [value]):  # the first that has a name counts
                    if not isinstance(one, dict):
                        raise _YamlError(event, "<< needs an object, or a list of objects")
                    merged.update(one)
                continue
            if name in body:
                self._warnings.append(_repeated(name))
            body[name] = value
        return {**merged, **body} if merged else body

    def _read_name(self, event: Any) -> str:
        """Names are texts in JSON, whatever they look like."""
        if type(event) is yaml.ScalarEvent:
            if event.anchor is not None:
                self._anchors[event.anchor] = event.value, 1
            return str(event.value)
        name = self._read_alias(event) if type(event) is yaml.AliasEvent else None
        if not isinstance(name, str):
            raise _YamlError(event, "a name must be a text, not a list or an object")
        return name

    def _read_alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _YamlError(event, f"*{event.anchor} has no &{event.anchor} before it")
        anchor = self._anchors[event.anchor]
        if anchor is None:
            raise _YamlError(event, f"*{event.anchor} is inside itself")
        self._add(event, anchor[1])
        return anchor[0]

    @staticmethod
    def _check_tag(event: Any, kind: str) -> None:
        if event.tag not in (None, "!", f"{_TAG}{kind}"):
            raise _foreign_tag(event)


def _yaml_scalar(event: Any) -> Any:
    tag, text = event.tag, event.value
    if tag is None:
        return _yaml_plain(text) if event.implicit[0] else text
    if tag in ("!", f"{_TAG}str"):
        return text
    value, types = _yaml_plain(text), _YAML_TYPES.get(tag.removeprefix(_TAG))
    if types is None or not isinstance(value, types):
        raise _foreign_tag(event)
    return value


def _yaml_plain(text: str) -> Any:
    if text in _YAML_WORDS:
        return _YAML_WORDS[text]
    if text[0] in "-0123456789":
        if _YAML_INT.fullmatch(text):
            return int(text)
        if _YAML_FLOAT.fullmatch(text):
            return float(text)
    return text


def _foreign_tag(event: Any) -> _YamlError:
    return _YamlError(event, f"a value of the type {sanitize(event.tag.rpartition(':')[2], 40)}, which JSON lacks")


# CSV: a column for each value, named by its path, e.g. display.jobSymbol or logs.0.url. The schema says what a cell
# becomes: `tier` is a number, `isRetried` a boolean, `labels` a list (separated by ;). An empty cell is no value.

ColumnPath = tuple[str | int, ...]
_STEP = re.compile(r"\.|\[([0-9]{1,3})\]")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


def parse_csv(name: str, text: str, form: JobForm | None) -> Iterator[ParsedValue]:
    """One entry per row; its place is the line where it begins. Raises `FileError` where it is not a table."""
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        names = [cell.strip() for cell in next(reader, [])]
        if len({*filter(None, names)}) < len([*filter(None, names)]):
            raise FileError(f"{name} has two columns of the same name.", "Use one column for each value.")
        paths = [column_path(cell) for cell in names]
        schema = schema_of(form if form is not None else guess_form({path[0]: {} for path in paths if path}))
        line = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                yield _parse_row(row, paths, schema, f"line {line}")
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"{name} is not a valid table: line {reader.line_num}: {sanitize(str(error), 120)}.") from None


def column_path(column: str) -> ColumnPath:
    """The path in a column's name: `logs.0.url` and `logs[0].url` are the same."""
    parts = [part for part in _STEP.split(column) if part]
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else part for part in parts)


def _parse_row(row: list[str], paths: list[ColumnPath], schema: dict[str, Any], place: str) -> ParsedValue:
    if len(row) > len(paths):
        reason = f"the row has {len(row)} cells, the header {len(paths)}; a comma may need quotes around its cell"
        return ParsedValue(None, place, reason)
    body: dict[str, Any] = {}
    for cell, path in zip(row, paths, strict=False):
        if cell != "" and path:
            error = _put(body, path, _typed_cell(cell, _schema_at(schema, path, schema)))
            if error:
                return ParsedValue(None, place, error)
    return ParsedValue(_without_gaps(body), place)


def _put(body: dict[str, Any], path: ColumnPath, value: Any) -> str:
    """Puts a value at its path; returns why it could not, or ""."""
    holder: Any = body
    for step, following in zip(path, (*path[1:], None), strict=True):
        empty: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(step, int) and isinstance(holder, list):
            if step >= MAX_ELEMENTS:
                return f"a list of more than {MAX_ELEMENTS} elements does not fit into columns"
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
        return {key: _without_gaps(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_gaps(item) for item in value if item is not None]
    return value


def _schema_at(schema: Any, path: ColumnPath, root: dict[str, Any]) -> dict[str, Any]:
    """The schema of the value at the path, {} if it has none."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if not path:
        return schema  # type: ignore[no-any-return]
    for alternative in schema.get("oneOf", ()):
        if found := _schema_at(alternative, path, root):
            return found
    if isinstance(path[0], int):
        inner = schema.get("items")
    else:
        inner = schema.get("properties", {}).get(path[0]) or schema.get("additionalProperties")
    return _schema_at(inner, path[1:], root) if isinstance(inner, dict) else {}


def _typed_cell(cell: str, schema: dict[str, Any]) -> Any:
    """The cell as its schema wants it; as a text if it is not that, so that the lint can say so."""
    types = {schema.get("type"), *(one.get("type") for one in schema.get("oneOf", ()))}
    text = cell.strip()
    if "integer" in types and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return float(text)
    if "boolean" in types and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if "array" in types:
        items = schema.get("items", {})
        return [_typed_cell(part.strip(), items) for part in cell.split(";") if part.strip()]
    return cell
