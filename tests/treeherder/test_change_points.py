"""Where a series changed is found by the rule that Perfherder raises alerts with, and nowhere else."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.treeherder.detection import INFINITE_T, find_candidates, find_candidates_by_push


def noise(number: int, *, mean: float = 100, spread: float = 1, seed: int = 5) -> list[list[float]]:
    draw = random.Random(seed)
    return [[draw.gauss(mean, spread)] for _ in range(number)]


def test_a_step_is_found_at_the_push_that_brought_it() -> None:
    [found] = find_candidates([*noise(40), *noise(40, mean=110, seed=6)])
    assert found.push == 40
    assert found.t > 7 and found.percent == pytest.approx(10, abs=1.5)
    assert found.before == pytest.approx(100, abs=1) and found.after == pytest.approx(110, abs=1)


def test_noise_alone_is_no_change() -> None:
    for seed in range(20):
        assert find_candidates(noise(200, seed=seed)) == []


def test_a_step_has_to_be_seen_by_twelve_values_after_it() -> None:
    eleven = [*noise(40), *noise(11, mean=120, seed=6)]
    assert find_candidates(eleven) == []
    assert [one.push for one in find_candidates([*eleven, [120.3]])] == [40]
    # Retriggers count as values: the same eleven pushes, one of them run twice.
    assert [one.push for one in find_candidates([*eleven[:-1], [*eleven[-1], 120.3]])] == [40]


def test_a_step_has_to_be_preceded_by_twelve_values() -> None:
    assert find_candidates([*noise(11), *noise(30, mean=130, seed=6)]) == []
    assert [one.push for one in find_candidates([*noise(12), *noise(30, mean=130, seed=6)])] == [12]


def test_a_change_below_the_threshold_is_left_out_and_the_threshold_may_be_absolute() -> None:
    small = [*noise(40, spread=0.1), *noise(40, mean=101, spread=0.1, seed=6)]
    assert find_candidates(small) == []
    assert [one.push for one in find_candidates(small, threshold=0.5)] == [40]
    assert [one.push for one in find_candidates(small, threshold=0.5, absolute=True)] == [40]
    assert find_candidates(small, threshold=1.5, absolute=True) == []


def test_values_without_any_spread_are_as_sure_as_can_be() -> None:
    [found] = find_candidates([[5.0]] * 20 + [[6.0]] * 20)
    assert (found.push, found.t, found.percent) == (20, INFINITE_T, 20.0)


def test_a_change_from_zero_has_no_percentage() -> None:
    assert find_candidates([[0.0]] * 20 + [[6.0]] * 20) == []
    [found] = find_candidates([[0.0]] * 20 + [[6.0]] * 20, threshold=1, absolute=True)
    assert found.percent == 0.0


def by_hand(pushes: list[list[float]], place: int, since: int) -> float:
    """t at one push, written down from the rule without any of our windows."""
    back: list[tuple[int, list[float]]] = []
    for distance in range(1, place + 1):
        if sum(len(values) for _, values in back) >= 24 or distance > min(max(since, 12), 24):
            break
        back.append((distance - 1, pushes[place - distance]))
    fore: list[tuple[int, list[float]]] = []
    for distance in range(len(pushes) - place):
        if sum(len(values) for _, values in fore) >= 12:
            break
        fore.append((distance, pushes[place + distance]))
    means, errors = [], 0.0
    for window in (back, fore):
        weighed = [((len(window) - k) / len(window), value) for k, values in window for value in values]
        mean = sum(weight * value for weight, value in weighed) / sum(weight for weight, _ in weighed)
        means.append(mean)
        count = len(weighed)
        errors += sum((value - mean) ** 2 for _, value in weighed) / (count - 1) / count if count > 1 else 0.0
    if means[0] == means[1]:
        return 0.0
    return abs(means[1] - means[0]) / math.sqrt(errors) if errors else math.inf


pushes_strategy = st.lists(st.lists(st.sampled_from([1.0, 1.1, 2.0, 5.0]), min_size=1, max_size=3), max_size=60)


@settings(deadline=None)
@given(pushes_strategy, st.lists(st.sampled_from([9.0, 9.5, 1.0]), max_size=30))
def test_each_candidate_is_where_the_rule_written_down_once_more_has_it(
    pushes: list[list[float]], more: list[float]
) -> None:
    every = [*pushes, *([value] for value in more)]
    since, ts = 0, [0.0]
    for place in range(1, len(every)):
        ts.append(by_hand(every, place, since))
        since = 0 if ts[-1] > 7 else since + 1
    for one in find_candidates(every):
        assert one.t == pytest.approx(min(ts[one.push], INFINITE_T), rel=1e-9)
        assert ts[one.push] > 7
        assert ts[one.push] >= max(ts[one.push - 1], *ts[one.push + 1 : one.push + 2], 0)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 1000))
def test_the_unit_of_a_series_changes_nothing(seed: int, factor: float) -> None:
    pushes = [*noise(30, seed=seed), *noise(30, mean=108, seed=seed + 1)]
    scaled = [[value * factor for value in values] for values in pushes]
    assert [one.push for one in find_candidates(pushes)] == [one.push for one in find_candidates(scaled)]


def test_a_frame_in_any_order_gives_candidates_by_push() -> None:
    values = [*noise(40), *noise(40, mean=110, seed=6)]
    frame = pl.DataFrame(
        {
            "push_time": list(range(80)),
            "push_id": [str(place) for place in range(80)],
            "datum_id": [str(place) for place in range(80)],
            "value": [value for [value] in values],
        }
    )
    assert list(find_candidates_by_push(frame.sample(fraction=1, shuffle=True, seed=1))) == ["40"]
