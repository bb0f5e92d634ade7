"""The search for the first failure: few looks where it is clear, and no single culprit where it is not."""

from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from backends.failures.boundary import (
    FAILED,
    MOST_PASSES,
    MOST_SILENT,
    PASSED,
    SILENT,
    WITNESSES,
    Boundary,
    Finding,
    RunCounts,
    find_boundary,
    passes_before,
)

BESIDES = 2 + WITNESSES + MOST_PASSES + 5  # looks besides log2(n): both ends, both sides, the way back
STEPS = st.sampled_from([PASSED, FAILED, SILENT, RunCounts(3, 1)])


def search(history: list[RunCounts], **options: bool) -> Boundary:
    looked: list[int] = []

    def look(place: int) -> RunCounts:
        looked.append(place)
        return history[place]

    found = find_boundary(len(history), look, **options)
    assert len(looked) == len(set(looked)) == found.looks  # nothing is looked at twice
    return found


def is_monotone(told: list[RunCounts]) -> bool:
    """Failures, then passes, the newest first; what tells nothing left aside."""
    letters = "".join("F" if one.failed else "P" if one.passed else "M" for one in told if one.runs)
    return "M" not in letters and "PF" not in letters


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_clear_boundary_is_found_with_few_looks(failures: int, passes: int) -> None:
    count = failures + passes
    found = search([FAILED] * failures + [PASSED] * passes)
    assert found.finding is Finding.REGRESSION
    assert (found.first_failure, found.last_pass, found.unseen) == (failures - 1, failures, 0)
    assert found.looks <= ceil(log2(count)) + BESIDES


@given(st.lists(STEPS, max_size=60))
def test_with_every_place_seen_a_culprit_means_a_monotone_history(rest: list[RunCounts]) -> None:
    history = [FAILED, *rest]
    found = search(history, every=True)
    if found.finding is Finding.REGRESSION:
        assert is_monotone(history)
        assert found.first_failure is not None and found.last_pass is not None
        assert history[found.first_failure].failed and history[found.last_pass].passed
        assert not any(one.runs for one in history[found.first_failure + 1 : found.last_pass])
    elif found.finding is Finding.NO_PASS:
        assert not any(one.failures < one.runs for one in history) or found.looks >= MOST_SILENT
    else:
        assert not is_monotone(history)


@given(st.lists(STEPS, max_size=200))
def test_nothing_that_was_seen_contradicts_a_culprit(rest: list[RunCounts]) -> None:
    history = [FAILED, *rest]
    found = search(history)
    if found.finding is Finding.REGRESSION:
        assert found.first_failure is not None and found.last_pass is not None
        around = [told for place, told in sorted(found.counts.items()) if place <= found.last_pass]
        assert is_monotone(around)
        failures = sum(told.failed for told in around)
        older = [told for place, told in sorted(found.counts.items()) if place > found.last_pass and told.runs]
        assert all(told.passed for told in older[: passes_before(failures) - 1])


@given(st.lists(STEPS, max_size=40))
def test_what_is_known_costs_no_look(rest: list[RunCounts]) -> None:
    history = [FAILED, *rest]

    def refuse(place: int) -> RunCounts:
        raise AssertionError(place)

    found = find_boundary(len(history), refuse, dict(enumerate(history)))
    assert found.looks == 0
    if found.finding is Finding.REGRESSION:
        assert found.last_pass is not None
        assert is_monotone(history[: found.last_pass + 1])


@given(st.integers(0, 2**32), st.sampled_from([0.3, 0.5, 0.7]))
def test_a_test_that_fails_now_and_then_has_no_culprit(seed: int, rate: float) -> None:
    """With a chance: no more than a few of a hundred histories may get through, and none whose looks disagree."""
    from random import Random

    random = Random(seed)
    blamed = 0
    for _ in range(100):
        history = [FAILED] + [FAILED if random.random() < rate else PASSED for _ in range(120)]
        blamed += search(history).finding is Finding.REGRESSION
    assert blamed <= 10


def test_a_new_failure_that_was_seen_once_needs_more_passes() -> None:
    assert search([FAILED] + [PASSED] * 8 + [FAILED] + [PASSED] * 20).finding is Finding.INTERMITTENT
    assert search([FAILED] + [PASSED] * 40).finding is Finding.REGRESSION


def test_a_history_without_a_pass_or_without_any_other_run() -> None:
    assert search([FAILED] * 50).finding is Finding.NO_PASS
    assert search([FAILED]).finding is Finding.NO_PASS
    assert search([]).finding is Finding.NOT_FAILING
    assert search([PASSED, FAILED]).finding is Finding.NOT_FAILING
    silent = search([FAILED] + [SILENT] * 5000)
    assert silent.finding is Finding.NO_PASS and silent.looks <= MOST_SILENT + 1


def test_places_that_tell_nothing_leave_the_range_wide() -> None:
    found = search([FAILED] * 3 + [SILENT] * 4 + [PASSED] * 30)
    assert found.finding is Finding.REGRESSION and (found.first_failure, found.last_pass, found.unseen) == (2, 7, 4)


def test_a_pass_and_a_failure_of_one_place_is_intermittent() -> None:
    assert search([RunCounts(2, 1)] + [PASSED] * 30).finding is Finding.INTERMITTENT
    assert search([FAILED, RunCounts(2, 1), PASSED, PASSED]).finding is Finding.INTERMITTENT
