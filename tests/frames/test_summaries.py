"""Which columns are offered, which one first, and what is said about it."""

from __future__ import annotations

import polars as pl

from backends.frames import statistics
from backends.frames.schema import Column, Kind, Schema
from tests.frame_rows import frame_from_rows

SCHEMA = Schema(
    (
        Column("id", Kind.ID, "Id"),
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("same", Kind.TEXT, "Same"),
        Column("size", Kind.BYTES, "Size"),
        Column("waited", Kind.DURATION, "Waited", hidden=True),
        Column("started", Kind.TIME, "Started"),
    ),
    key="id",
)
FRAME = frame_from_rows(SCHEMA, [(f"{n}", f"name {n}", "ab"[n % 2], "x", n, None, n * 1000) for n in range(60)])


def test_identifiers_are_not_measured_and_visible_numbers_come_first() -> None:
    columns = statistics.measurable(SCHEMA)
    assert [column.name for column in columns] == ["name", "state", "same", "size", "waited", "started"]
    first = statistics.first_choice(columns)
    assert first is not None and first.name == "size"  # a hidden duration is not what one wants to see
    assert statistics.first_choice([]) is None


def test_only_columns_with_a_few_different_values_group() -> None:
    assert [column.name for column in statistics.groupings(FRAME, SCHEMA)] == ["state"]
    assert statistics.groupings(SCHEMA.empty(), SCHEMA) == []


def test_numbers_have_a_histogram_and_text_has_values() -> None:
    size = statistics.summarize(FRAME, SCHEMA["size"], 10, by=SCHEMA["state"])
    assert size.values is None and size.histogram is not None and size.histogram.groups == ("a", "b")
    assert size.description.n == size.histogram.n == 60
    state = statistics.summarize(FRAME, SCHEMA["state"], 10)
    assert state.histogram is None and state.values is not None and state.values.distinct == 2
    assert state.values.table.rows() == [("a", 30, None), ("b", 30, None)]


def test_a_logarithm_of_a_time_is_not_attempted() -> None:
    started = statistics.summarize(FRAME, SCHEMA["started"], 10, log=True)
    assert started.histogram is not None and not started.histogram.log and started.histogram.n == 60


def test_a_column_without_values_is_summarised_too() -> None:
    waited = statistics.summarize(FRAME, SCHEMA["waited"], 10)
    assert waited.histogram is not None
    assert (waited.description.n, waited.histogram.n, waited.histogram.missing) == (0, 0, 60)
    assert statistics.summarize(pl.DataFrame(FRAME.clear()), SCHEMA["name"], 10).values is not None
