"""Frames written to CSV, JSON lines, JSON and Parquet, complete or not at all."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TextIO, get_args

import polars as pl

from backends.atomic import atomic_file, disk_words
from backends.errors import FileError, UsageError
from backends.frames.formats import safe_text
from backends.frames.histograms import count_not_finite
from backends.frames.schema import Schema


def select_columns(schema: Schema, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names in the order given, each once; all of the schema for None. Raises `UsageError` for an unknown one."""
    if names is None:
        return schema.names
    for name in names:
        if name not in schema:
            near = difflib.get_close_matches(name[:60], schema.names, n=3, cutoff=0.5)
            hint = f"Did you mean {', '.join(near)}?" if near else f"Columns: {', '.join(schema.names)}."
            raise UsageError(f"There is no column {name[:60]!r}.", hint)
    if not names:
        raise UsageError("No column is chosen.", f"Columns: {', '.join(schema.names)}.")
    return tuple(dict.fromkeys(names))


Format = Literal["csv", "jsonl", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
_SLICE = 20_000  # rows turned into bytes at a time: some megabytes, whatever the length of the frame
_LINE_BREAK = r"\r\n|[\n\r\x0b\x0c\x1c-\x1e\x{85}\x{2028}\x{2029}]"  # all at which str.splitlines() splits
_FORMULA = r"^[=+\-@\t\r]"
_FIRST_TIME, _LAST_TIME = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


class _Sink(Protocol):
    def write(self, piece: bytes, /) -> object: ...


def write(
    frame: pl.DataFrame,
    target: Path | BinaryIO | TextIO,
    fmt: Format,
    *,
    schema: Schema,
    columns: Sequence[str] | None = None,
    spreadsheet_safe: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes the rows in the order of the frame, and the columns in the order given (by default all of the schema).

    A path is written beside itself and renamed when whole, so that nothing partial ever has the name; `overwrite`
    allows to replace a file. A stream gets the bytes as they are made and stays open.
    `spreadsheet_safe` (CSV): text that begins with = + - @, tab or CR gets an apostrophe before it, because
    spreadsheets would run it as a formula; numbers stay as they are.
    Raises `UsageError` (format, column), `FileError` (exists, unwritable, full); a BrokenPipeError of a stream
    passes through.
    """
    if fmt not in FORMATS:
        raise UsageError(f"There is no format {str(fmt)[:40]!r}.", f"Formats: {', '.join(FORMATS)}.")
    rows = frame.select(select_columns(schema, columns))
    if isinstance(target, Path):
        with atomic_file(target, overwrite=overwrite) as stream:
            _write_stream(rows, stream, fmt, schema, spreadsheet_safe)
        return
    try:
        _write_stream(rows, _sink(target), fmt, schema, spreadsheet_safe)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise FileError(
            f"Writing the output failed: {disk_words(problem)}.", "Make room, or write to another place."
        ) from problem


def explain_nulls(frame: pl.DataFrame, fmt: str, names: Sequence[str]) -> list[str]:
    """A sentence for each of these columns with values that the format has no sign for: ∞, -∞ and NaN in JSON."""
    if fmt not in ("json", "jsonl"):
        return []
    found = [(name, count_not_finite(frame[name])) for name in names]
    return [
        f"{count:,} value{'s' * (count != 1)} of {safe_text(name, 60)} {'are' if count != 1 else 'is'} not finite; "
        f"JSON has null for {'them' if count != 1 else 'it'}."
        for name, count in found
        if count
    ]


def write_text(text: str, target: Path, *, overwrite: bool = False) -> None:
    """Text in UTF-8 as it stands, into a file that appears whole, under the rules of `write`."""
    with atomic_file(target, overwrite=overwrite) as stream:
        stream.write(text.encode("utf-8", "replace"))


def _write_stream(rows: pl.DataFrame, stream: _Sink, fmt: Format, schema: Schema, safe: bool) -> None:
    if fmt == "parquet":
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        stream.write(buffer.getvalue())
        return
    pieces = {"csv": lambda: _csv(rows, schema, safe), "jsonl": lambda: _jsonl(rows), "json": lambda: _json(rows)}
    for piece in pieces[fmt]():
        stream.write(piece)


def _csv(rows: pl.DataFrame, schema: Schema, safe: bool) -> Iterator[bytes]:
    text = [column.name for column in schema if column.is_text and column.name in rows.columns]
    # A line with one empty cell would be an empty line, which readers skip.
    missing = '""' if rows.width == 1 else ""
    for number, part in enumerate(_slices(_with_text_times(rows))):
        if safe and text:
            part = part.with_columns(_apostrophe(name) for name in text)
        if text:
            part = part.with_columns(pl.col(text).str.replace_all(_LINE_BREAK, r"\n"))
        buffer = io.BytesIO()
        part.write_csv(buffer, include_header=number == 0, null_value=missing, line_terminator="\n")
        yield buffer.getvalue()


def _apostrophe(name: str) -> pl.Expr:
    cell = pl.col(name)
    return pl.when(cell.str.contains(_FORMULA)).then("'" + cell).otherwise(cell).alias(name)


def _jsonl(rows: pl.DataFrame) -> Iterator[bytes]:
    for part in _slices(_with_text_times(rows)):
        buffer = io.BytesIO()
        part.write_ndjson(buffer)
        yield buffer.getvalue()


def _json(rows: pl.DataFrame) -> Iterator[bytes]:
    """One array, an object a line: as compact as JSON lines, and as easy to compare line by line."""
    if rows.is_empty():
        yield b"[]\n"
        return
    separator = b"[\n"
    for piece in _jsonl(rows):
        # Inside the objects a newline is always escaped, so each one here ends a row.
        yield separator + piece.rstrip(b"\n").replace(b"\n", b",\n")
        separator = b",\n"
    yield b"\n]\n"


def _slices(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """At least one slice, so that a frame without rows still gets its header."""
    for start in range(0, max(len(rows), 1), _SLICE):
        yield rows.slice(start, _SLICE)


def _with_text_times(rows: pl.DataFrame) -> pl.DataFrame:
    """Times as text; one outside the years 1 to 9999 is missing: ISO 8601 has none, and polars panics on some."""
    times = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
    return rows.with_columns(_iso(name) for name in times)


def _iso(name: str) -> pl.Expr:
    cell = pl.col(name)
    known = cell.dt.epoch("ms").is_between(_FIRST_TIME, _LAST_TIME)
    return pl.when(known).then(cell).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias(name)


def _sink(target: BinaryIO | TextIO) -> _Sink:
    """The bytes below a text stream: its own newline and encoding rules would change what is written."""
    below: BinaryIO | None = getattr(target, "buffer", None)
    if below is not None:
        target.flush()
        return below
    return _Encoded(target) if isinstance(target, io.TextIOBase) else target  # type: ignore[return-value]


class _Encoded:
    """A text stream without bytes below it, such as StringIO."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text

    def write(self, piece: bytes, /) -> object:
        return self._text.write(piece.decode("utf-8"))
