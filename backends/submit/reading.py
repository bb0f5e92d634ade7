"""What jobs a file holds: JSON, JSON lines, YAML or CSV, each entry with the line or row where it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.errors import FileError, UsageError
from backends.submit.forms import Entry, Form, form_of
from backends.submit.reading_json import Found, from_json, from_lines

SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".csv": "csv",
    ".tsv": "csv",
}
MOST_BYTES = 256 << 20
# JSON can spell half of a surrogate pair, which is no character: neither a table nor a database takes it. Looked for
# with `in`: a regular expression holds the interpreter, and with it the interface, for 0.8 s in 10,000 jobs.
_HALVES = ("\\ud", "\\uD")


class UnreadableJobs(FileError):
    """The file is there, but it holds nothing that could be job data."""


def read_files(paths: Sequence[str], form: Form | None = None) -> list[Entry]:
    """All entries of all files, numbered through; "-" is standard input (JSON, lines or YAML, whichever it is).

    `form`: what every entry is taken for; by default each is looked at. Raises `FileError` for what cannot be read
    at all; an entry that is broken alone becomes one with `broken` set.
    """
    entries: list[Entry] = []
    for path in paths:
        entries += read_text(path, _content(path), form, first=len(entries))
    return entries


def read_text(name: str, text: str, form: Form | None = None, first: int = 0) -> list[Entry]:
    """The entries of one file's text; its name's ending says how it is written."""
    found = list(_found(name, text, form))
    if not found:
        raise UnreadableJobs(f"{name} holds no job.", "Write one JSON object, a list of them, or one a line.")
    entries = []
    halves = any(half in text for half in _HALVES)
    for number, one in enumerate(found, first):
        if halves:
            one = _whole(one)
        kind = form if form is not None else Form.PULSE if one.broken else form_of(one.value)
        entries.append(Entry(name, one.place, number, kind, one.value, one.broken, one.odd))
    return entries


def _found(name: str, text: str, form: Form | None) -> Iterator[Found]:
    kind = SUFFIXES.get(Path(name).suffix.lower(), "")
    if kind == "csv":
        from backends.submit.reading_csv import from_csv

        return from_csv(name, text, form)
    if kind == "yaml":
        from backends.submit.reading_yaml import from_yaml

        return from_yaml(name, text)
    if kind == "jsonl":
        return from_lines(text)
    if kind == "json":
        return from_json(name, text)
    return _guessed(name, text)


def _guessed(name: str, text: str) -> Iterator[Found]:
    """Without an ending that says it (standard input): JSON, lines if the first line is whole, else YAML."""
    start = text.lstrip()
    if not start.startswith(("{", "[")):
        from backends.submit.reading_yaml import from_yaml

        return from_yaml(name, text)
    lines = list(from_lines(text))
    if len(lines) > 1 and not lines[0].broken:
        return iter(lines)
    return from_json(name, text)


def _whole(found: Found) -> Found:
    """The same without half characters, and a remark if there were any."""
    value = _mended(found.value)
    odd = ("holds half a character, which became ?",) if value != found.value else ()
    return replace(found, value=value, odd=(*found.odd, *odd))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_mended(one) for one in value]
    return value


def _content(path: str) -> str:
    try:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1) if path == "-" else _bytes(Path(path).expanduser())
    except OSError as error:
        raise FileError(f"{path} cannot be read: {(error.strerror or 'no reason given').lower()}.") from error
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES >> 20} MB.", "Split it into several files.")
    for encoding in ("utf-8-sig", "utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            at = raw[: error.start].count(b"\n") + 1
    raise UnreadableJobs(f"{path} is not UTF-8 text: line {at} holds other bytes.", "Save it as UTF-8.")


def _bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)
