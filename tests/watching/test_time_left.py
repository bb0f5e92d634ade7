"""How honest the range of the time left is: it holds the true end as often as it says, on simulated groups."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from backends.taskcluster.earlier_groups import durations_of, estimate_group, work_of
from backends.taskcluster.task_rows import TASKS
from backends.time_left import CERTAIN, Durations, Work, estimate_time_left

LABELS = [f"test-{number}" for number in range(60)]
MINUTES = {label: 3 + 40 * random.Random(label).random() ** 2 for label in LABELS}


def simulated(seed: int) -> list[float]:
    """Seconds that each label takes in a group: log-normal around its median, all of a group slow or quick."""
    chance = random.Random(seed)
    day = chance.lognormvariate(0, 0.1)
    return [60 * MINUTES[label] * day * chance.lognormvariate(0, 0.15) for label in LABELS]


def known(seeds: Sequence[int]) -> Durations:
    groups = [simulated(seed) for seed in seeds]
    by_label = {label: [group[place] for group in groups] for place, label in enumerate(LABELS)}
    return Durations(by_label, {"test": [one for group in groups for one in group]}, len(groups))


def test_ten_earlier_groups_give_a_range_that_holds_the_end_in_four_of_five_cases() -> None:
    held = cases = 0
    for seed in range(60):
        earlier, durations = known(range(1000 + seed * 20, 1010 + seed * 20)), simulated(seed)
        end = max(durations)
        for share in (0.1, 0.4, 0.7):
            at = share * end
            tasks = [
                Work(label, "test", ran=min(at, took), done=took <= at)
                for label, took in zip(LABELS, durations, strict=True)
            ]
            left = estimate_time_left(tasks, earlier)
            assert left is not None
            held += left.low <= end - at <= left.high
            cases += 1
    assert held / cases >= 0.8, f"{held} of {cases}"


def test_fewer_groups_are_said_to_be_less_certain() -> None:
    tasks = [Work(label, "test") for label in LABELS]
    few, many = estimate_time_left(tasks, known(range(3))), estimate_time_left(tasks, known(range(CERTAIN)))
    assert few is not None and many is not None
    assert "from 3 earlier groups; fewer than 10, so less certain" in few.text
    assert many.text.endswith("(from 10 earlier groups)")


def test_the_same_question_gives_the_same_range() -> None:
    tasks = [Work(label, "test") for label in LABELS]
    assert estimate_time_left(tasks, known(range(4))) == estimate_time_left(tasks, known(range(4)))


def test_nothing_is_said_where_nothing_is_known_or_all_has_ended() -> None:
    nothing = Durations({}, {}, 0)
    assert estimate_time_left([Work("a", "test")], nothing) is None
    assert estimate_time_left([Work("test-1", "test", ran=60.0, done=True)], known([1])) is None


@given(
    st.lists(
        st.tuples(st.sampled_from([*LABELS, "never seen"]), st.none() | st.floats(0, 1e7), st.booleans()), min_size=1
    ),
    st.integers(1, 4),
)
def test_a_range_is_ordered_and_not_in_the_past(rows: list[tuple[str, float | None, bool]], groups: int) -> None:
    tasks = [Work(label, "test", tuple(range(place)), ran, done) for place, (label, ran, done) in enumerate(rows)]
    left = estimate_time_left(tasks, known(range(groups)))
    if left is None:
        assert all(task.done for task in tasks)
        return
    assert 0 <= left.low <= left.middle <= left.high
    assert left.known + left.others == sum(not task.done for task in tasks)


# ---- a group's rows ------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def group(*rows: tuple[str, str, str, float | None]) -> pl.DataFrame:
    """(id, state, ids it needs, seconds) of tasks; running ones began that long ago."""
    found = [
        {
            "task_id": task_id,
            "state": state,
            "label": f"label-{task_id}",
            "kind": "test",
            "depends_on": needs,
            "duration": seconds if state in ("completed", "failed") else None,
            "started": NOW - timedelta(seconds=seconds) if seconds is not None else None,
            "queue_time": 5.0,
        }
        for task_id, state, needs, seconds in rows
    ]
    return pl.DataFrame(found, schema=TASKS.polars())


def test_what_a_task_needs_comes_before_it_even_in_a_circle() -> None:
    frame = group(("c", "unscheduled", "b", None), ("b", "unscheduled", "a c", None), ("a", "running", "", 30.0))
    works = work_of(frame, NOW)
    assert {work.label for work in works} == {"label-a", "label-b", "label-c"}
    assert all(place < number for number, work in enumerate(works) for place in work.after)
    assert next(work for work in works if work.label == "label-a").ran == 30.0


def test_a_group_waits_for_its_longest_chain_and_not_for_what_cannot_start() -> None:
    earlier = durations_of(iter([group(*((one, "completed", "", 100.0) for one in "abcd")) for _ in range(10)]))
    chain = group(("a", "completed", "", 100.0), ("b", "unscheduled", "a", None), ("c", "unscheduled", "b", None))
    alone = group(("a", "completed", "", 100.0), ("b", "unscheduled", "a", None))
    stuck = group(("a", "failed", "", 100.0), ("b", "unscheduled", "a", None), ("c", "unscheduled", "b", None),
                  ("d", "running", "", 40.0))  # fmt: skip
    long, short, rest = (estimate_group(one, earlier, NOW) for one in (chain, alone, stuck))
    assert long is not None and short is not None and rest is not None
    assert 1.7 * short.middle < long.middle < 2.3 * short.middle
    assert rest.middle < short.middle


def test_only_what_ended_by_itself_tells_how_long_a_task_takes() -> None:
    frame = group(("a", "completed", "", 100.0), ("b", "failed", "", 50.0), ("c", "running", "", 20.0))
    found = durations_of(iter([frame, frame]))
    assert found.by_label == {"label-a": [100.0, 100.0], "label-b": [50.0, 50.0]}
    assert found.groups == 2
