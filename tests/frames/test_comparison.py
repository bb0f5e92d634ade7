"""Comparing two samples: the same numbers as scipy, the same words as Perfherder, and no verdict that flatters."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from backends.frames.significance import COMPARED, Comparison, compare, compare_samples

# Few different values give many ties, wide floats give none; offsets of 10^12 are byte counts and times.
TIED = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=30)
WIDE = st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=30)
SAMPLES = st.one_of(st.tuples(TIED, TIED), st.tuples(WIDE, WIDE), st.tuples(WIDE, TIED))


@settings(deadline=None)
@given(SAMPLES)
@example(([1.0], [1.0]))
@example(([0.0], [-0.0]))
@example(([1.0] * 20, [1.0] * 20))
@example((list(map(float, range(8))), list(map(float, range(100, 150)))))
def test_the_rank_test_is_scipys(samples: tuple[list[float], list[float]]) -> None:
    base, new = samples
    found = compare_samples(base, new)
    expected = stats.mannwhitneyu(base, new)
    assert found.u == expected.statistic
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)


@settings(deadline=None)
@given(SAMPLES, st.sampled_from([0.0, 1e9, 1e12, -1e12]))
@example(([1.0, 1.0], [2.0, 2.0]), 0.0)
def test_the_t_test_is_scipys(samples: tuple[list[float], list[float]], offset: float) -> None:
    base, new = ([value + offset for value in side] for side in samples)
    found = compare_samples(base, new)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of samples without spread, which is what is wanted here
        expected = stats.ttest_ind(new, base, equal_var=False)
    if len(base) == 1 or len(new) == 1 or len(set(base)) == len(set(new)) == 1:
        assert found.welch_p is None
        return
    spread = max(found.std_base or 0.0, found.std_new or 0.0)
    if spread < 1e-6 * max(abs(offset), 1e-3):
        return  # what the spread is, is then a matter of how the sums are rounded, in scipy as here
    assert found.t == pytest.approx(abs(expected.statistic), rel=1e-5, abs=1e-7)
    assert found.welch_p == pytest.approx(expected.pvalue, rel=1e-4, abs=1e-12)


@settings(deadline=None)
@given(TIED, TIED)
def test_the_effect_is_what_counting_all_pairs_gives(base: list[float], new: list[float]) -> None:
    found = compare_samples(base, new)
    greater = sum(one > other for one in base for other in new) / (len(base) * len(new))
    smaller = sum(one < other for one in base for other in new) / (len(base) * len(new))
    assert found.cles is not None and found.cliffs_delta is not None
    assert found.cles == pytest.approx(greater + (1 - greater - smaller) / 2)
    assert found.cliffs_delta == pytest.approx(greater - smaller, abs=1e-12)


@settings(deadline=None)
@given(SAMPLES)
def test_both_sides_changed_over_is_the_opposite(samples: tuple[list[float], list[float]]) -> None:
    there, back = compare_samples(*samples), compare_samples(*reversed(samples))
    opposite = {"better": "worse", "worse": "better", None: None}
    verdict = {"improvement": "regression", "regression": "improvement"}
    assert opposite[there.direction] == back.direction
    assert verdict.get(str(there.verdict), there.verdict) == back.verdict
    assert there.p == pytest.approx(back.p) and there.t == pytest.approx(back.t)
    assert there.cliffs_delta == pytest.approx(-(back.cliffs_delta or 0.0))


@settings(deadline=None)
@given(SAMPLES)
def test_a_measure_that_should_rise_is_judged_the_other_way_round(samples: tuple[list[float], list[float]]) -> None:
    lower, higher = compare_samples(*samples), compare_samples(*samples, lower_is_better=False)
    verdict = {"improvement": "regression", "regression": "improvement"}
    assert verdict.get(str(lower.verdict), lower.verdict) == higher.verdict
    assert lower.p == higher.p and lower.delta == higher.delta


def test_slower_pages_are_a_regression_and_higher_scores_an_improvement() -> None:
    base, new = [100.0, 101, 99, 100, 102, 98, 100.5], [120.0, 121, 119, 120, 122, 118, 120.5]
    slower, score = compare_samples(base, new), compare_samples(base, new, lower_is_better=False)
    assert (slower.verdict, slower.t_verdict, slower.direction) == ("regression", "regression", "worse")
    assert (score.verdict, score.t_verdict, score.direction) == ("improvement", "improvement", "better")
    assert (slower.delta, slower.delta_percent, slower.effect) == (20.0, 20.0, "large")
    assert (slower.confidence, slower.more_runs) == ("High", None)


@pytest.mark.parametrize(
    ("t", "word"), [(0.0, None), (0.5, "Low"), (2.99, "Low"), (3.01, "Medium"), (4.99, "Medium"), (5.01, "High")]
)
def test_confidence_has_perfherders_words(t: float, word: str | None) -> None:
    found = with_t(t, 6)
    assert found.t == pytest.approx(t) and found.confidence == word


def with_t(t: float, n: int) -> Comparison:
    """Two samples of n values, n even, around means that differ by so much that Welch's t is `t`."""
    half = n // 2
    base = [1.0] * half + [3.0] * half
    error = math.sqrt(2 * stats.tvar(base) / n)
    return compare_samples(base, [value + t * error for value in base])


@pytest.mark.parametrize(
    ("t", "n", "more"), [(4.0, 4, "yes"), (5.5, 4, None), (2.9, 6, None), (2.9, 4, "yes"), (3.1, 6, None)]
)
def test_more_runs_are_asked_for_until_six_or_until_it_is_sure(t: float, n: int, more: str | None) -> None:
    assert with_t(t, n).more_runs == more


@pytest.mark.parametrize(("t", "verdict"), [(2.9, "no change"), (3.1, "warning"), (5.1, "regression")])
def test_a_middling_t_warns_of_what_got_worse_only(t: float, verdict: str) -> None:
    assert with_t(t, 6).t_verdict == verdict
    faster = with_t(-t, 6)
    assert faster.t_verdict == ("improvement" if t > 5 else "no change")


def test_a_change_below_two_percent_is_none_however_sure() -> None:
    base = [1000.0, 1000.1, 999.9, 1000.0, 1000.1, 999.9]
    small, large = compare_samples(base, [v * 1.019 for v in base]), compare_samples(base, [v * 1.021 for v in base])
    assert (small.confidence, small.t_verdict) == ("High", "no change")
    assert large.t_verdict == "regression"


def test_a_single_value_is_taken_to_vary_as_the_other_side_does() -> None:
    several = [90.0, 100.0, 110.0]
    one = compare_samples(several, [200.0])
    spread = 10 / 100 * 200
    assert one.t == pytest.approx(100 / math.sqrt(10**2 / 3 + spread**2))
    assert one.std_new is None and one.welch_p is None
    both = compare_samples([100.0], [200.0])
    assert both.t == pytest.approx(100 / math.sqrt(15**2 + 30**2)) and both.more_runs == "yes"
    unknown = compare_samples([0.0, -1.0, 1.0], [200.0])
    assert unknown.t == pytest.approx(200 / math.sqrt(1 / 3 + 30**2))


def test_what_never_varied_and_moved_is_certain() -> None:
    moved, still = compare_samples([5.0] * 3, [6.0] * 3), compare_samples([5.0] * 3, [5.0] * 3)
    assert (moved.t, moved.confidence, moved.t_verdict) == (1000.0, "High", "regression")
    assert (still.t, still.confidence, still.t_verdict, still.direction) == (0.0, None, "no change", None)


@settings(deadline=None)
@given(st.floats(-1e12, 1e12), st.integers(2, 20))
def test_equal_values_have_no_spread_at_any_offset(value: float, n: int) -> None:
    found = compare_samples([value] * n, [value] * n)
    assert (found.std_base, found.std_new, found.t, found.delta) == (0.0, 0.0, 0.0, 0.0)


def test_a_percentage_keeps_the_sign_of_the_difference() -> None:
    assert compare_samples([-10.0], [-5.0]).delta_percent == 50.0
    assert compare_samples([0.0], [5.0]).delta_percent is None


def test_what_is_not_finite_is_missing() -> None:
    found = compare_samples([1.0, math.nan, math.inf, 2.0], [3.0, -math.inf])
    assert (found.n_base, found.n_new) == (2, 1)


def test_values_at_the_end_of_the_floats_do_not_become_infinities() -> None:
    found = compare_samples([1e308, -1e308, 1.0], [1e308, -1e308, 1e308])
    assert all(
        value is None or not isinstance(value, float) or math.isfinite(value) for value in asdict(found).values()
    )


def test_a_side_without_values_is_described_but_not_judged() -> None:
    found = compare_samples([1.0, 2.0], [])
    assert (found.n_base, found.median_base, found.n_new) == (2, 1.5, 0)
    assert found.verdict is found.t is found.p is found.more_runs is found.median_new is None
    nothing = compare_samples([], [])
    assert (nothing.n_base, nothing.runs_new, nothing.delta, nothing.verdict) == (0, 0, None, None)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 1), st.integers(0, 9), st.booleans()), max_size=60
    )
)
def test_each_group_is_compared_as_if_it_were_alone(rows: list[tuple[str | None, int, int, bool]]) -> None:
    types = {"suite": pl.String, "cold": pl.Int64, "value": pl.Int64, "is_base": pl.Boolean}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    base, new = frame.filter("is_base"), frame.filter(~pl.col("is_base"))
    found = compare(base, new, ["suite", "cold"])
    assert found.columns == ["suite", "cold", *(column.name for column in COMPARED)]
    assert len(found) == len({row[:2] for row in rows})
    for row in found.iter_rows(named=True):
        one, other = (
            [
                value
                for suite, cold, value, is_base in rows
                if (suite, cold) == (row["suite"], row["cold"]) and is_base is side
            ]
            for side in (True, False)
        )
        alone = asdict(compare_samples(list(map(float, one)), list(map(float, other))))
        assert {name: row[name] for name in alone} == pytest.approx(alone, nan_ok=True)


def test_each_group_has_its_own_direction() -> None:
    frame = pl.DataFrame(
        {"test": ["fcp"] * 9 + ["score"] * 9, "value": [*range(9)] * 2, "lower": [None] * 9 + [False] * 9}
    )
    found = compare(frame, frame.with_columns(pl.col("value") + 20), ["test"], lower_is_better="lower")
    assert found["verdict"].to_list() == ["regression", "improvement"]
    back = compare(frame.with_columns(pl.col("value") + 20), frame, ["test"], lower_is_better="lower")
    assert back["verdict"].to_list() == back["t_verdict"].to_list() == ["improvement", "regression"]


def test_the_values_of_one_run_do_not_count_as_runs() -> None:
    base = pl.DataFrame({"s": ["x"] * 20, "value": [*range(20)], "task": ["T"] * 20, "run": [0] * 20})
    new = base.with_columns(pl.col("value") + 3)
    one = compare(base, new, ["s"], run="task").row(0, named=True)
    assert (one["n_base"], one["runs_base"], one["more_runs"]) == (20, 1, "yes")
    every = compare(base, new, ["s"]).row(0, named=True)
    assert (every["runs_base"], every["more_runs"]) == (20, None)


@pytest.mark.parametrize(("n", "m"), [(1, 38), (2, 7), (3, 4)])
def test_samples_too_small_for_any_rank_test_are_not_called_unchanged(n: int, m: int) -> None:
    base, new = [float(i) for i in range(n)], [float(100 + i) for i in range(m)]
    assert compare_samples(base, new).verdict == "too few"
    assert compare_samples(base, [*new, 999.0]).verdict == "regression"
    assert compare_samples(new, base).verdict == "too few"
