"""The bounds of a difference of medians: the same on every call, and those that drawing by hand gives."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backends.frames.significance import LARGEST, SEED, median_shift

samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


def by_hand(base: list[float], new: list[float], draws: int, seed: int) -> tuple[float, float]:
    """One draw after another, with the standard library and numpy's quantiles."""
    medians = []
    for side, which in ((sorted(base), 1), (sorted(new), 2)):
        picked = random.Random(seed + which).choices(range(len(side)), k=len(side) * draws)
        rows = [picked[start : start + len(side)] for start in range(0, len(picked), len(side))]
        medians.append([statistics.median([side[place] for place in row]) for row in rows])
    shifts = np.subtract(medians[1], medians[0])
    low, high = np.quantile(shifts, [0.025, 0.975])
    return float(low), float(high)


@settings(deadline=None, max_examples=40)
@given(samples, samples, st.integers(0, 2**32))
def test_the_bounds_are_those_of_drawing_by_hand(base: list[float], new: list[float], seed: int) -> None:
    found = median_shift(base, new, draws=150, seed=seed)
    assert found is not None
    assert found == pytest.approx(by_hand(base, new, 150, seed), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(samples, samples)
def test_the_bounds_do_not_move_from_call_to_call_nor_with_the_order(base: list[float], new: list[float]) -> None:
    assert median_shift(base, new) == median_shift(base[::-1], sorted(new)) == median_shift(base, new, seed=SEED)


@settings(deadline=None, max_examples=30)
@given(samples, samples, st.integers(-1000, 1000))
def test_the_bounds_move_with_the_values(base: list[float], new: list[float], by: int) -> None:
    low, high = median_shift(base, new) or (0.0, 0.0)
    moved = median_shift(base, [value + by for value in new])
    assert moved == pytest.approx((low + by, high + by), rel=1e-9, abs=1e-6)


def test_the_bounds_are_about_where_scipy_has_them() -> None:
    generator = np.random.default_rng(3)
    base, new = generator.normal(100, 5, 40), generator.normal(104, 5, 35)

    def shift(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.median(other, axis=axis) - np.median(one, axis=axis)

    theirs = stats.bootstrap(
        (base, new), shift, n_resamples=4000, method="percentile", vectorized=True, rng=np.random.default_rng(1)
    ).confidence_interval
    found = median_shift(base.tolist(), new.tolist(), draws=4000)
    assert found == pytest.approx((theirs.low, theirs.high), abs=0.4)


def test_too_few_or_no_values_have_no_bounds() -> None:
    assert median_shift([1.0], [1.0, 2.0]) is None
    assert median_shift([], []) is None
    assert median_shift([1.0, float("nan")], [1.0, 2.0]) is None
    assert median_shift([3.0, 3.0], [5.0, 5.0]) == (2.0, 2.0)


def test_a_huge_sample_is_drawn_from_as_a_thinner_one() -> None:
    values = [float(value) for value in range(4 * LARGEST)]
    low, high = median_shift(values, [value + 10_000 for value in values], draws=50) or (0.0, 0.0)
    assert low < 10_000 < high
