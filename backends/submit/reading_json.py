"""Jobs written as JSON: one object, a list of objects, or an object a line, and the line where each begins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backends.errors import FileError
from backends.http.errors import sanitize

_BLANK = re.compile(r"[ \t\r\n]*")
DEEPEST = 60  # levels; real jobs have six, and each level costs the validator a frame of Python's stack


@dataclass(frozen=True)
class Found:
    """One value and where it stands, or why there is none."""

    value: Any
    place: str
    broken: str = ""
    odd: tuple[str, ...] = ()


class _Reader:
    """Decodes one value after the other and remembers names that were written twice."""

    def __init__(self) -> None:
        self.odd: list[str] = []
        self._decoder = json.JSONDecoder(object_pairs_hook=self._pairs, parse_constant=_no_number)

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            self.odd += [f"{sanitize(name, 60)} is written more than once; the last one counts" for name in twice]
        return found

    def at(self, text: str, position: int) -> tuple[Any, int]:
        value, end = self._decoder.raw_decode(text, position)
        if depth(value) > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        return value, end

    def taken(self) -> tuple[str, ...]:
        odd, self.odd = tuple(self.odd), []
        return odd


def from_json(name: str, text: str) -> Iterator[Found]:
    """One object, or the elements of a list. Raises `FileError` where the text is no JSON."""
    reader = _Reader()
    position = _skip(text, 0)
    try:
        if text[position : position + 1] == "[":
            yield from _elements(text, position + 1, reader)
            return
        value, end = reader.at(text, position)
        if text[_skip(text, end) :]:
            raise json.JSONDecodeError("Extra data", text, _skip(text, end))
    except json.JSONDecodeError as error:
        hint = "One object a line is JSON lines: name the file .jsonl." if error.msg == "Extra data" else ""
        raise FileError(
            f"{name} is not valid JSON: line {error.lineno}, column {error.colno}: {_said(error)}.", hint
        ) from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name} is not usable JSON: {_reason(error)}.") from None
    yield Found(value, "", odd=reader.taken())


def from_lines(text: str) -> Iterator[Found]:
    """One value a line; blank lines are skipped, a broken line is one broken entry."""
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            value, end = reader.at(line, _skip(line, 0))
            if line[_skip(line, end) :]:
                raise json.JSONDecodeError("Extra data", line, end)
        except json.JSONDecodeError as error:
            yield Found(None, place, f"not valid JSON: column {error.colno}: {_said(error)}")
        except (ValueError, RecursionError) as error:
            yield Found(None, place, f"not usable JSON: {_reason(error)}")
        else:
            yield Found(value, place, odd=reader.taken())
        reader.taken()


def depth(value: Any) -> int:
    """How many containers lie within each other. Raises `RecursionError` for what is deeper than Python's stack."""
    if isinstance(value, dict):
        return 1 + max((depth(one) for one in value.values() if isinstance(one, (dict, list))), default=0)
    if isinstance(value, list):
        return 1 + max((depth(one) for one in value if isinstance(one, (dict, list))), default=0)
    return 0


def _elements(text: str, position: int, reader: _Reader) -> Iterator[Found]:
    line, counted = 1, 0
    position = _skip(text, position)
    if text[position : position + 1] == "]":
        _end(text, position + 1)
        return
    while True:
        line += text.count("\n", counted, position)
        counted = position
        value, end = reader.at(text, position)
        yield Found(value, f"line {line}", odd=reader.taken())
        position = _skip(text, end)
        if text[position : position + 1] == "]":
            _end(text, position + 1)
            return
        if text[position : position + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
        position = _skip(text, position + 1)


def _end(text: str, position: int) -> None:
    if text[_skip(text, position) :]:
        raise json.JSONDecodeError("Extra data", text, _skip(text, position))


def _skip(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _said(error: json.JSONDecodeError) -> str:
    return error.msg[:1].lower() + error.msg[1:]


def _reason(error: Exception) -> str:
    if "integer string conversion" in str(error):  # Python's words for more than 4,300 digits name Python's functions
        return "a number is too long"
    return "nested too deeply" if isinstance(error, RecursionError) else sanitize(str(error), 120)
