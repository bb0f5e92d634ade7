"""Heat: which step of colour a value has."""

from __future__ import annotations

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from backends.frames.heat import HEAT_STEPS, SHARE_BOUNDS, Heat, heat_by_rank, heat_by_size, heat_of_shares

FLOATS = st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), max_size=60)


def steps(heat: Heat | None, values: list[float | None]) -> list[int]:
    assert heat is not None
    return [heat.step(value) for value in values]


def test_shares_of_failures_have_the_same_colour_in_every_table() -> None:
    assert SHARE_BOUNDS == (0, 10, 25, 50)
    assert steps(heat_of_shares(), [None, 0.0, 0.1, 10.0, 10.1, 25.0, 50.0, 50.1, 100.0]) == [
        0, 0, 1, 1, 2, 2, 3, 4, 4,
    ]  # fmt: skip


def test_one_huge_count_does_not_hide_the_differences_of_the_others() -> None:
    assert steps(heat_by_rank(pl.Series([1, 2, 3, 4, 100_000])), [1, 2, 3, 4, 100_000]) == [0, 1, 2, 3, 4]


def test_equal_counts_have_equal_colours() -> None:
    heat = heat_by_rank(pl.Series([1, 1, 1, 1, 1, 1, 1, 1, 1, 7]))
    assert steps(heat, [1, 7]) == [0, 4]


def test_measured_values_are_coloured_by_their_distance() -> None:
    heat = heat_by_size(pl.Series([0.0, 10.0, 50.0, 90.0, 100.0] * 10))
    assert steps(heat, [0.0, 19.0, 21.0, 50.0, 79.0, 81.0, 100.0]) == [0, 0, 1, 2, 3, 4, 4]


def test_one_outlier_does_not_make_all_others_alike() -> None:
    values = [float(n) for n in range(40)] + [1e6]
    assert len(set(steps(heat_by_size(pl.Series(values)), list(values)))) == HEAT_STEPS + 1


@pytest.mark.parametrize("values", [[], [None], [3.0], [3.0, 3.0, None], [float("nan"), float("inf")]])
def test_where_nothing_differs_nothing_is_coloured(values: list[float | None]) -> None:
    series = pl.Series(values, dtype=pl.Float64)
    assert heat_by_rank(series) is None and heat_by_size(series) is None


@given(FLOATS)
def test_a_larger_value_is_never_paler(values: list[float | None]) -> None:
    for heat in (heat_by_rank(pl.Series(values, dtype=pl.Float64)), heat_by_size(pl.Series(values, dtype=pl.Float64))):
        if heat is not None:
            found = steps(heat, sorted(value for value in values if value is not None))
            assert found == sorted(found)
            assert found[0] == 0 and found[-1] == HEAT_STEPS
