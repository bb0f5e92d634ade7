"""What is exported is what was shown, whole or not at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from backends.errors import FileError, UsageError
from backends.frames import export
from backends.frames.export_formats import ROW_FORMATS, list_export_formats
from backends.frames.schema import Column, Kind, Schema
from tests.frame_rows import frame_from_rows

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("duration", Kind.DURATION, "Duration"),
        Column("size", Kind.BYTES, "Size", hidden=True),
        Column("started", Kind.TIME, "Started"),
    ),
    key="id",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
texts = st.none() | st.text(max_size=8) | st.text("=+-@\t\r\n\",' \x1b\0a", max_size=4)
rows = st.lists(
    st.tuples(
        st.just("key"),
        texts,
        texts,
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999),
    ),
    max_size=6,
)


def written(frame: pl.DataFrame, fmt: export.Format, **options: Any) -> bytes:
    stream = io.BytesIO()
    export.write(frame, stream, fmt, schema=SCHEMA, **options)
    return stream.getvalue()


def one_line(text: str | None) -> str:
    """A text as a cell of CSV has it: a line break is the two characters backslash and n."""
    return "".join(
        line if line == whole else line + r"\n"
        for line, whole in zip((text or "").splitlines(), (text or "").splitlines(True), strict=True)
    )


def iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_csv_reads_back_as_the_values_that_were_written(table: list[tuple[Any, ...]]) -> None:
    text = written(frame_from_rows(SCHEMA, table), "csv").decode("utf-8")
    header, *found = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == list(SCHEMA.names)
    assert len(text.splitlines()) == len(table) + 1, "a row is a line"
    for (_, name, state, duration, size, started), cells in zip(table, found, strict=True):
        assert cells[:2] == [one_line(name), one_line(state)]
        assert (float(cells[2]) if cells[2] else None) == duration
        assert (int(cells[3]) if cells[3] else None) == size
        assert (cells[4] or None) == iso(started)


@settings(max_examples=200, deadline=None)
@given(rows, st.sampled_from(["jsonl", "json"]))
def test_json_reads_back_as_the_values_that_were_written(table: list[tuple[Any, ...]], fmt: export.Format) -> None:
    text = written(frame_from_rows(SCHEMA, table), fmt).decode("utf-8")
    assert text.endswith("\n") or not table
    found = json.loads(text) if fmt == "json" else [json.loads(line) for line in text.split("\n")[:-1]]
    for (_, name, state, duration, size, started), row in zip(table, found, strict=True):
        finite = duration is not None and math.isfinite(duration)
        expected = (name, state, duration if finite else None, size, iso(started))
        assert row == dict(zip(SCHEMA.names, expected, strict=True))


@settings(max_examples=50, deadline=None)
@given(rows)
def test_parquet_keeps_values_and_types(table: list[tuple[Any, ...]]) -> None:
    frame = frame_from_rows(SCHEMA, table)
    assert pl.read_parquet(io.BytesIO(written(frame, "parquet"))).equals(frame.drop("id"))


@given(st.lists(st.none() | st.text(max_size=3), max_size=4))
def test_a_csv_of_one_column_keeps_its_empty_rows(cells: list[str | None]) -> None:
    frame = frame_from_rows(SCHEMA, [("k", cell, None, None, None, None) for cell in cells])
    text = written(frame, "csv", columns=["name"]).decode()
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == [["name"], *([one_line(cell)] for cell in cells)]


def frame_of(*names: str) -> pl.DataFrame:
    return frame_from_rows(SCHEMA, [("k", name, "failed", -1.5, -7, 0) for name in names])


def test_the_bytes_of_a_csv_are_the_documented_ones() -> None:
    assert written(frame_of('a "b", c'), "csv") == (
        b'name,state,duration,size,started\n"a ""b"", c",failed,-1.5,-7,1970-01-01T00:00:00.000Z\n'
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_is_given_no_formula(start: str) -> None:
    text = written(frame_of(f"{start}cmd()", f"a{start}"), "csv", spreadsheet_safe=True).decode()
    cells = [row[:4] for row in csv.reader(io.StringIO(text, newline=""))][1:]
    start = one_line(start)
    assert cells == [[f"'{start}cmd()", "failed", "-1.5", "-7"], [f"a{start}", "failed", "-1.5", "-7"]]


def test_json_for_a_spreadsheet_keeps_its_texts() -> None:
    (row,) = json.loads(written(frame_of("=cmd()\r\n"), "json", spreadsheet_safe=True))
    assert row["name"] == "=cmd()\r\n"


def test_columns_come_in_the_order_asked_for() -> None:
    assert written(frame_of("a"), "csv", columns=["size", "name", "size"]) == b"size,name\n-7,a\n"


@pytest.mark.parametrize(("columns", "words"), [(["nam"], "name"), (["x"], "Columns: name, state"), ([], "No column")])
def test_a_wrong_choice_of_columns_is_explained(columns: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        written(frame_of("a"), "csv", columns=columns)


def test_an_unknown_format_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="csv, jsonl, json, parquet"):
        export.write(frame_of("a"), tmp_path / "a", "xls", schema=SCHEMA)  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", export.FORMATS)
def test_no_rows_are_an_empty_file_of_the_format(fmt: export.Format) -> None:
    expected = {"csv": b"name,state,duration,size,started\n", "jsonl": b"", "json": b"[]\n"}
    content = written(frame_of(), fmt)
    assert content == expected.get(fmt, content)
    if fmt == "parquet":
        assert pl.read_parquet(io.BytesIO(content)).columns == list(SCHEMA.names)


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "json"])
def test_many_rows_are_written_in_slices_without_a_seam(fmt: export.Format, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of(*"abcdefg")
    whole = written(frame, fmt)
    monkeypatch.setattr(export, "_SLICE", 3)
    assert written(frame, fmt) == whole


def test_a_time_that_no_calendar_has_is_missing_and_not_a_crash() -> None:
    frame = frame_from_rows(
        SCHEMA, [("k", "a", None, None, None, moment) for moment in (2**62, -(2**62), 253_402_300_800_000)]
    )
    assert written(frame, "csv", columns=["name", "started"]) == b"name,started\na,\na,\na,\n"


@pytest.mark.parametrize("fmt", export.FORMATS)
def test_a_file_appears_whole_and_alone(fmt: export.Format, tmp_path: Path) -> None:
    target = tmp_path / "rows"
    export.write(frame_of("a"), target, fmt, schema=SCHEMA)
    assert list(tmp_path.iterdir()) == [target]
    if fmt != "parquet":
        assert target.read_bytes() == written(frame_of("a"), fmt)


def test_a_file_is_replaced_only_when_that_is_allowed(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("precious")
    with pytest.raises(FileError, match="exists"):
        export.write(frame_of("a"), target, "csv", schema=SCHEMA)
    assert target.read_text() == "precious"
    export.write(frame_of("a"), target, "csv", schema=SCHEMA, overwrite=True)
    assert target.read_bytes() == written(frame_of("a"), "csv")
    assert list(tmp_path.iterdir()) == [target]


def test_a_text_is_written_by_the_same_rules(tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    export.write_text("é\n", target)
    assert target.read_bytes() == "é\n".encode()
    with pytest.raises(FileError, match="exists"):
        export.write_text("", target)


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "rows.csv"
    fsync = os.fsync

    def race(handle: int) -> None:
        target.write_text("precious")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", race)
    with pytest.raises(FileError, match="exists"):
        export.write(frame_of("a"), target, "csv", schema=SCHEMA)
    assert target.read_text() == "precious" and list(tmp_path.iterdir()) == [target]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    export.write(frame_of("a"), link, "csv", schema=SCHEMA, overwrite=True)
    assert link.is_symlink() and real.read_bytes() == written(frame_of("a"), "csv")


def test_a_full_disk_leaves_nothing_behind_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError) as caught:
        export.write(frame_of("a"), tmp_path / "rows.csv", "csv", schema=SCHEMA)
    assert "no space left" in caught.value.sentence and "Free some space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "hint"), [("no/such/rows.csv", "Create the folder"), (".", "Add a file name")])
def test_a_place_that_cannot_be_written_is_explained(name: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        export.write(frame_of("a"), tmp_path / name, "csv", schema=SCHEMA)
    assert hint in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_explained(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="permission denied"):
        export.write(frame_of("a"), tmp_path / "rows.csv", "csv", schema=SCHEMA)


def test_a_text_stream_is_written_to_the_bytes_below_it() -> None:
    bytes_below = io.BytesIO()
    stream = io.TextIOWrapper(bytes_below, encoding="ascii", newline="\r\n")
    stream.write("x")
    export.write(frame_of("é"), stream, "csv", schema=SCHEMA, columns=["name"])
    assert bytes_below.getvalue() == "xname\né\n".encode()
    plain = io.StringIO()
    export.write(frame_of("é"), plain, "csv", schema=SCHEMA, columns=["name"])
    assert plain.getvalue() == "name\né\n"


class Broken(io.RawIOBase):
    def __init__(self, problem: OSError) -> None:
        super().__init__()
        self.problem = problem

    def write(self, _piece: Any) -> int:
        raise self.problem


def test_a_closed_pipe_is_left_to_the_command_and_a_full_disk_is_explained() -> None:
    with pytest.raises(BrokenPipeError):
        export.write(frame_of("a"), Broken(BrokenPipeError()), "csv", schema=SCHEMA)  # type: ignore[arg-type]
    with pytest.raises(FileError, match="no space"):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        export.write(frame_of("a"), Broken(full), "jsonl", schema=SCHEMA)  # type: ignore[arg-type]


def test_the_declared_formats_of_rows_are_those_that_can_be_written() -> None:
    assert ROW_FORMATS == export.FORMATS
    assert list_export_formats() == "CSV, JSON lines, JSON, Parquet, SVG plot, PNG plot or HTML report"
