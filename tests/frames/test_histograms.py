"""No value is lost between the bins, and the edges are ones that a person would draw."""

from __future__ import annotations

import math
from itertools import pairwise

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from backends.frames.histograms import Histogram, by_group, histogram
from backends.frames.schema import Kind

anything = st.floats(allow_nan=True, allow_infinity=True)
usual = st.floats(-1e6, 1e6)
near = st.integers(0, 1000).map(lambda n: 1e9 + n * 1e-7)
series = st.one_of(
    st.lists(st.none() | anything, max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.Float64)),
    st.lists(st.none() | usual, max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.Float64)),
    st.lists(near, max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.Float64)),
    st.lists(st.none() | st.integers(-50, 50), max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.Int64)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30).map(lambda v: pl.Series("v", v, dtype=pl.Int64)),
)
kinds = st.sampled_from([Kind.NUMBER, Kind.DURATION, Kind.BYTES, Kind.TIME])


def assert_lawful(found: Histogram, values: list[float], bins: int) -> None:
    assert found.bins["count"].sum() == len(values) == found.n
    edges = found.edges
    assert bool(edges) == bool(values)
    assert all(left < right for left, right in pairwise(edges))
    assert all(math.isfinite(edge) for edge in edges)
    assert len(edges) - 1 <= bins
    for place, (lower, upper, count) in enumerate(found.bins.select("lower", "upper", "count").iter_rows()):
        last = place == len(edges) - 2
        assert count == sum(lower <= value < upper or (last and value == upper) for value in values)


@settings(max_examples=500, deadline=None)
@given(series, st.integers(1, 60), kinds)
def test_every_finite_value_is_in_exactly_the_bin_that_holds_it(values: pl.Series, bins: int, kind: Kind) -> None:
    found = histogram(values, bins, kind=kind)
    usable = [float(value) for value in values if value is not None and math.isfinite(value)]
    assert_lawful(found, usable, bins)
    assert found.missing == len(values) - len(usable) and found.outside == 0


@settings(max_examples=500, deadline=None)
@given(series, st.integers(1, 60))
def test_a_logarithmic_scale_reports_what_has_no_logarithm(values: pl.Series, bins: int) -> None:
    found = histogram(values, bins, log=True)
    usable = [float(value) for value in values if value is not None and math.isfinite(value)]
    assert_lawful(found, [value for value in usable if value > 0], bins)
    assert found.outside == sum(value <= 0 for value in usable)
    assert found.n + found.outside + found.missing == len(values)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", "", None]), st.none() | usual), max_size=40),
    st.integers(1, 20),
    st.booleans(),
    st.integers(1, 4),
)
def test_the_groups_add_up_to_the_whole_on_the_same_edges(
    rows: list[tuple[str | None, float | None]], bins: int, log: bool, limit: int
) -> None:
    frame = pl.DataFrame(rows, schema={"g": pl.String, "v": pl.Float64}, orient="row")
    whole, parts = histogram(frame["v"], bins, log=log), by_group(frame, "v", "g", bins, log, limit)
    assert (parts.n, parts.missing, parts.outside) == (whole.n, whole.missing, whole.outside)
    assert len(parts.groups) == min(frame["g"].n_unique(), limit + 1)
    assert parts.edges == (whole.edges if parts.groups else [])
    sums = [sum(column) for column in zip(*(parts.counts(n) for n in range(len(parts.groups))), strict=True)]
    assert sums == whole.counts()


def test_groups_come_largest_first_and_the_rest_is_one() -> None:
    frame = pl.DataFrame({"g": ["a"] * 3 + ["b"] * 5 + ["c"] + ["d"] + [None] * 4, "v": range(14)})
    assert by_group(frame, "v", "g", 10, limit=3).groups == ("b", "(none)", "a", "other (2)")


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 1e9])
def test_one_value_many_times_is_one_bin_around_it(value: float) -> None:
    found = histogram(pl.Series([value] * 7), 20)
    assert found.counts() == [7]
    assert found.edges[0] <= value <= found.edges[1]


def test_few_whole_numbers_get_a_bin_each() -> None:
    found = histogram(pl.Series([1, 1, 2, 5]), 20)
    assert found.edges == [1, 2, 3, 4, 5, 6]
    assert found.counts() == [2, 1, 0, 0, 1]


def test_many_whole_numbers_get_bins_of_equally_many() -> None:
    found = histogram(pl.Series(range(100)), 10)
    assert found.edges == [float(edge) for edge in range(0, 101, 10)]
    assert found.counts() == [10] * 10


@pytest.mark.parametrize(
    ("values", "kind", "edges"),
    [
        ([0.02, 0.98], Kind.NUMBER, [round(n / 10, 1) for n in range(11)]),
        ([3.0, 590.0], Kind.DURATION, [60.0 * n for n in range(11)]),
        ([100.0, 9 * 3600.0], Kind.DURATION, [3600.0 * n for n in range(10)]),
        ([0.1, 4.9], Kind.DURATION, [0.5 * n for n in range(11)]),
        ([86400.0 * 3, 86400.0 * 60], Kind.DURATION, [86400.0 * 10 * n for n in range(7)]),
        ([1_790_000_000_000.0, 1_790_000_050_000.0], Kind.TIME, [1_790_000_000_000.0 + 5000 * n for n in range(11)]),
    ],
)
def test_edges_are_round_in_the_unit_of_the_column(values: list[float], kind: Kind, edges: list[float]) -> None:
    assert histogram(pl.Series(values), 10, kind=kind).edges == edges


def test_logarithmic_edges_are_powers_of_ten() -> None:
    assert histogram(pl.Series([2.0, 300.0, 50_000.0]), 5, log=True).edges == [1, 10, 100, 1000, 10_000, 100_000]
