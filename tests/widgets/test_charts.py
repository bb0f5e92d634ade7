"""Bars show every count, rulers say only what fits."""

from __future__ import annotations

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from backends.frames.histograms import histogram
from backends.frames.schema import Column, Kind
from tui.widgets.charts import EIGHTHS, GLYPHS, block_bars, horizontal_bar, ruler, stacked_bars, tick_labels

counts = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)


@given(counts, st.integers(1, 80), st.integers(1, 8))
def test_a_count_above_zero_is_seen_and_a_zero_is_not(values: list[int], width: int, height: int) -> None:
    rows = block_bars(values, width, height)
    assert len(rows) == height and all(len(row) == width or len(row) == min(width, len(values)) for row in rows)
    if len(values) <= width:
        for cell in range(width):
            count = values[cell * len(values) // width]
            assert (rows[-1][cell] != " ") == (count > 0)
            if count == max(values) > 0:
                assert [row[cell] for row in rows] == ["█"] * height
    assert set("".join(rows)) <= set(EIGHTHS)


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=7), st.integers(1, 6))
def test_a_stack_is_as_high_as_its_total_and_shows_its_largest_group(groups: list[list[int]], height: int) -> None:
    rows = stacked_bars(groups, 3, height)
    assert len(rows) == height
    for cell in range(3):
        column = [row[cell] for row in rows]
        total = sum(group[cell] for group in groups)
        assert (column[-1] != " ") == (total > 0)
        assert "".join(column).rstrip() == "".join(column).rstrip(" ")
        for number, group in enumerate(groups):
            if group[cell] * 2 > total:
                assert GLYPHS[number] in column


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_share_is_drawn_within_its_width(share: float, width: int) -> None:
    assert (len(horizontal_bar(share, width)) > 0) == (share > 0)
    assert len(horizontal_bar(share, width)) <= width


@pytest.mark.parametrize(
    ("kind", "edges", "labels"),
    [
        (Kind.DURATION, [0, 30, 300, 3600, 5400], ["0s", "30s", "5m", "1h", "1h 30m"]),
        (Kind.BYTES, [0.0, 1e6, 1.5e9], ["0 B", "1 MB", "1.5 GB"]),
        (Kind.COUNT, [0.0, 1000.0], ["0", "1,000"]),
        (Kind.NUMBER, [0.0, 0.25, 1.5, 20.0], ["0", "0.25", "1.5", "20"]),
        (Kind.TIME, [1_790_000_000_000.0, 1_790_003_600_000.0], ["14:13", "15:13"]),
        (Kind.TIME, [1_790_000_000_000.0, 1_792_592_000_000.0], ["09-21", "10-21"]),
    ],
)
def test_labels_are_as_short_as_they_can_be(kind: Kind, edges: list[float], labels: list[str]) -> None:
    assert tick_labels(edges, Column("v", kind, "V")) == labels


@given(
    st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20),
    st.integers(4, 60),
    st.integers(24, 180),
    st.booleans(),
    st.sampled_from([Kind.DURATION, Kind.NUMBER, Kind.BYTES, Kind.TIME]),
)
def test_a_ruler_has_its_marks_in_order_on_the_axis(
    values: list[float], bins: int, cells: int, log: bool, kind: Kind
) -> None:
    edges = histogram(pl.Series(values), bins, log=log, kind=kind).edges
    marks = ruler(edges, Column("v", kind, "V"), cells, log=log)
    assert marks
    places = [place for place, _ in marks]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= len(edges) - 1


def test_a_logarithmic_ruler_has_round_values() -> None:
    edges = histogram(pl.Series([5.0, 9000.0]), 40, log=True).edges
    assert [label for _, label in ruler(edges, Column("v", Kind.DURATION, "V"), 150, log=True)] == [
        *("5s", "10s", "30s", "1m", "2m", "5m", "10m", "30m", "1h", "2h")
    ]
