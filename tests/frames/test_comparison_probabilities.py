"""The tails of the distributions against scipy's: a wrong p would call noise a regression, or a regression noise."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backends.frames import significance


@settings(deadline=None)
@given(st.floats(-40, 40))
def test_the_normal_tail_is_scipys(z: float) -> None:
    assert significance.normal_two_sided(z) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9, abs=1e-300)


@settings(deadline=None)
@given(st.floats(1e-8, 1e5), st.floats(0.1, 1e5), st.booleans())
def test_the_t_tail_is_scipys(t: float, degrees: float, negative: bool) -> None:
    expected = 2 * stats.t.sf(t, degrees)
    assert significance.t_two_sided(-t if negative else t, degrees) == pytest.approx(expected, rel=1e-8, abs=1e-290)


@pytest.mark.parametrize("degrees", [39.999999, 40.0, 79.999999, 80.0, 80.000001])
def test_the_t_tail_has_no_step_where_its_formula_changes(degrees: float) -> None:
    for t in (0.01, 1.0, 1.49, 1.5, 3.0, 30.0):
        assert significance.t_two_sided(t, degrees) == pytest.approx(2 * stats.t.sf(t, degrees), rel=1e-12)


def test_the_ends_of_the_t_tail() -> None:
    assert significance.t_two_sided(0.0, 5) == significance.t_two_sided(1e-200, 5) == 1.0
    assert significance.t_two_sided(math.inf, 5) == 0.0
    assert significance.t_two_sided(1e200, 1e6) == 0.0
    assert significance.t_two_sided(1e100, 1) == pytest.approx(2 / math.pi * 1e-100, rel=1e-12)
    assert math.isnan(significance.t_two_sided(math.nan, 5)) and math.isnan(significance.t_two_sided(1.0, 0.0))


def test_the_counted_u_is_the_count_of_all_orders() -> None:
    for n, m in itertools.product(range(1, 6), repeat=2):
        places = list(itertools.combinations(range(n + m), n))
        every = [sum(place) - n * (n - 1) // 2 for place in places]
        for u in range(n * m + 1):
            tail = min(sum(one <= u for one in every), sum(one >= u for one in every))
            assert significance.u_two_sided_exact(u, n, m) == min(2 * tail / len(places), 1.0)


def test_a_large_sample_against_a_small_one_is_counted_only_while_that_is_quick() -> None:
    assert significance.counts_exactly(8, 25_000, False) and not significance.counts_exactly(8, 25_001, False)
    assert not significance.counts_exactly(9, 9, False) and not significance.counts_exactly(3, 3, True)
    assert not significance.counts_exactly(0, 3, False)
