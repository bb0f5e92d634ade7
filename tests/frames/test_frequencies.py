"""Counts of values and bins add up, and the filter of each value or bin keeps exactly the rows that it counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import example, given

from backends.frames import filters
from backends.frames.frequencies import count_values, failed_rows, range_filter, value_filter
from backends.frames.histograms import histogram
from backends.frames.schema import Column, Kind, Schema
from tests.frame_rows import frame_from_rows

texts = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "a", "A", 'a"b', "a b", "a,b", "/x/", "=x", "-x", "a\\", "ß", "SS", "İ", "ΑΣ", "\n", "\x1b["]
    ),
    st.sampled_from(["name:", "2026-11-20", "(", "a/b c", "[", "\u202e", "日本", "x\u0301", "~", "$", "\\d"]),
)
EARLIEST = datetime(1900, 1, 1)
NUMBERS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.COUNT: st.integers(-(2**40), 2**40),
    Kind.BYTES: st.integers(0, 2**50),
    Kind.DURATION: st.floats(0, 1e7) | st.integers(0, 90_000).map(float) | st.just(float("nan")),
    Kind.NUMBER: st.floats(allow_nan=True, allow_infinity=True, width=32),
    Kind.TIME: st.datetimes(EARLIEST, datetime(2200, 1, 1), timezones=st.just(UTC)),
}


def count_kept(text: str, column: Column, values: pl.Series) -> int:
    schema = Schema((column,), key=column.name)
    found = filters.parse(text, schema)
    assert filters.parse(str(found), schema) == found
    return int(found.mask(pl.DataFrame({column.name: values})).sum())


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.STATE, Kind.ID])
@given(cells=st.lists(texts, max_size=30))
@example(cells=["Foo", "foo", None, "", "foo"])
def test_the_filter_of_a_value_keeps_the_rows_that_it_counts(kind: Kind, cells: list[str | None]) -> None:
    column, values = Column("name", kind, "Name"), pl.Series("name", cells, dtype=pl.String)
    found = count_values(values)
    assert found.table["count"].sum() == found.rows == len(cells)
    assert found.distinct == len({cell for cell in cells if cell})
    for value, count, failed in found.table.iter_rows():
        text = value_filter(column, value, values)
        assert count_kept(text, column, values) == count and failed is None
        assert text.isprintable()  # what stands in the filter line can be read


@pytest.mark.parametrize("kind", list(NUMBERS))
@given(data=st.data(), bins=st.integers(1, 60), log=st.booleans())
def test_the_filter_of_a_bin_keeps_the_rows_that_it_counts(
    kind: Kind, data: st.DataObject, bins: int, log: bool
) -> None:
    column = Column("at", kind, "At")
    cells = data.draw(st.lists(st.none() | NUMBERS[kind], max_size=30))
    values = pl.Series("at", cells, dtype=column.dtype)
    failed = pl.Series([bool(number % 3) for number in range(len(cells))], dtype=pl.Boolean)
    found = histogram(values, bins, log=log and kind is not Kind.TIME, kind=kind, failed=failed)
    counts, edges = found.counts(), found.edges
    assert sum(counts) == found.n and found.n + found.missing + found.outside == len(cells)
    assert all(bad <= count for bad, count in zip(found.failed, counts, strict=True))
    for place, count in enumerate(counts):
        text = range_filter(column, edges[place], edges[place + 1], last=place == len(counts) - 1)
        assert count_kept(text, column, values) == count


def test_a_range_reads_as_a_person_would_write_it() -> None:
    took, pushed = Column("took", Kind.DURATION, "Took"), Column("pushed", Kind.TIME, "Pushed")
    assert range_filter(took, 1278.0, 1406.5, last=False) == "took>=21m18s took<1406.5"
    start = datetime(2026, 11, 20, 8, tzinfo=UTC)
    edges = [(start + timedelta(hours=hour)).timestamp() * 1000 for hour in (0, 1)]
    assert range_filter(pushed, *edges, last=False) == "pushed>=2026-11-20T08:00Z pushed<2026-11-20T09:00Z"
    assert range_filter(pushed, *edges, last=True) == "pushed>=2026-11-20T08:00Z pushed<2026-11-20T09:00:00.001Z"
    assert range_filter(pushed, -1e18, 1e18, last=False) == ""


STATES = Schema(
    (Column("id", Kind.ID, "Id"), Column("state", Kind.STATE, "State"), Column("on", Kind.TEXT, "On")), "id"
)


def test_failed_rows_are_counted_with_each_value() -> None:
    frame = frame_from_rows(
        STATES,
        [
            ("1", "failed", "a"),
            ("2", "completed", "a"),
            ("3", "test_failed", None),
            ("4", None, "a"),
            ("5", "failed", ""),
        ],
    )
    failed = failed_rows(frame, STATES)
    assert failed is not None and failed.to_list() == [True, False, True, False, True]
    assert count_values(frame["on"], failed).table.rows() == [("a", 3, 1), (None, 2, 2)]


def test_a_list_without_states_knows_of_no_failure() -> None:
    schema = Schema((Column("id", Kind.ID, "Id"),), "id")
    assert failed_rows(frame_from_rows(schema, [("1",)]), schema) is None


def test_counts_are_in_one_order_whatever_the_order_of_the_rows() -> None:
    cells = ["b", "a", "c", "a", "b", None, ""]
    expected = [("a", 2, None), ("b", 2, None), (None, 2, None), ("c", 1, None)]
    for order in (cells, cells[::-1]):
        assert count_values(pl.Series(order)).table.rows() == expected


def test_a_hundred_thousand_different_values_are_all_counted() -> None:
    found = count_values(pl.Series([f"value {number}" for number in range(100_000)]))
    assert found.distinct == len(found.table) == found.rows == 100_000
