"""How a group did: counts that add up, machine hours that agree with the timeline, and the chain that made it late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.resources import read_list
from backends.taskcluster.group_stats import (
    BY,
    CRITICAL_PATH,
    GROUP_STATISTICS,
    TIMELINE,
    critical_path,
    edges_of_rows,
    group_statistics,
    timeline,
)
from backends.taskcluster.locators import TaskGroup
from backends.taskcluster.task_rows import STATES, TASKS
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, open_list, task_id

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def tasks(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of the schema `TASKS`; times in minutes after `START`, the spans made of them."""
    cells = []
    for number, row in enumerate(rows):
        times = {name: None if at is None else START + timedelta(minutes=at) for name, at in row.get("at", {}).items()}
        started, resolved, scheduled = (times.get(name) for name in ("started", "resolved", "scheduled"))
        spans = {
            "duration": (resolved - started).total_seconds() if started and resolved else None,
            "queue_time": (started - scheduled).total_seconds() if started and scheduled else None,
        }
        given = {name: value for name, value in row.items() if name != "at"}
        defaults = {"task_id": task_id(number), "name": f"n{number}", "state": "completed", "retries": 0, "runs": 1}
        cells.append({**dict.fromkeys(TASKS.names), **defaults, **times, **spans, **given})
    return pl.DataFrame(cells, schema=TASKS.polars())


def at(scheduled: float | None, started: float | None, resolved: float | None) -> dict[str, float | None]:
    return {"scheduled": scheduled, "started": started, "resolved": resolved}


TASK = st.fixed_dictionaries(
    {
        "state": st.sampled_from(STATES),
        "suite": st.sampled_from(["a", "b", "", None]),
        "retries": st.integers(0, 2),
        "at": st.tuples(*(st.none() | st.integers(0, 2000) for _ in range(3))).map(lambda spans: at(*spans)),
    }
)
GROUPS = st.lists(TASK, max_size=25).map(lambda rows: tasks(*rows))


@settings(deadline=None)
@given(GROUPS, st.sampled_from(["suite", "state", "runs", "owner"]))
def test_every_task_is_counted_once_whatever_it_is_grouped_by(frame: pl.DataFrame, by: str) -> None:
    found = group_statistics(frame, by)
    assert found.schema == pl.Schema(GROUP_STATISTICS.polars())
    assert found["key"].is_unique().all()
    assert found["tasks"].sum() == len(frame)
    for row in found.iter_rows(named=True):
        assert row["completed"] + row["failed"] + row["exception"] + row["unresolved"] == row["tasks"]
        assert row["failure_rate"] is None or 0 <= row["failure_rate"] <= 100
    assert found["machine_hours"].sum() == pytest.approx(frame["duration"].sum() / 3600)


def test_the_failure_rate_is_of_what_has_ended() -> None:
    states = ["completed", "completed", "failed", "exception", "running", "pending"]
    found = group_statistics(tasks(*({"state": state, "suite": "a"} for state in states)), "suite")
    row = found.row(0, named=True)
    assert (row["failure_rate"], row["unresolved"]) == (50.0, 2)
    running = group_statistics(tasks({"state": "running", "suite": "a"}), "suite")
    assert running["failure_rate"].to_list() == [None]


def test_the_costliest_group_comes_first_with_its_times() -> None:
    frame = tasks(
        {"suite": "short", "at": at(0, 1, 2)},
        {"suite": "long", "at": at(0, 30, 90), "retries": 2},
        {"suite": "long", "at": at(0, 10, 40)},
    )
    found = group_statistics(frame, "suite")
    long = found.row(0, named=True)
    assert (long["group"], long["machine_hours"], long["retried"], long["retries"]) == ("long", 1.5, 1, 2)
    assert (long["duration_median"], long["duration_max"], long["queue_time_p90"]) == (2700.0, 3600.0, 60 * 28.0)


def test_what_cannot_be_grouped_by_is_said() -> None:
    for by in BY:
        group_statistics(tasks(), by)
    with pytest.raises(UsageError, match="no column"):
        group_statistics(tasks(), "suit")
    with pytest.raises(UsageError, match="cannot be grouped by duration"):
        group_statistics(tasks(), "duration")


@settings(deadline=None)
@given(GROUPS, st.integers(1, 40))
def test_the_timeline_adds_up_to_the_machine_time(frame: pl.DataFrame, bins: int) -> None:
    now = START + timedelta(minutes=1500)
    found = timeline(frame, bins, now=now)
    assert found.schema == pl.Schema(TIMELINE.polars()) and len(found) <= bins + 1
    if found.is_empty():
        return
    assert found["time"][1:].to_list() == found["until"][:-1].to_list()
    still = ~pl.col("state").is_in(["completed", "failed", "exception"])
    ran = frame.select(since="started", to=pl.coalesce("resolved", pl.when(still).then(now)))
    ended = ran.drop_nulls().filter(pl.col("since") <= pl.col("to"))
    seconds = (ended["to"] - ended["since"]).dt.total_seconds().sum()
    lengths = (found["until"] - found["time"]).dt.total_milliseconds() / 1000
    assert (found["running"] * lengths).sum() == pytest.approx(seconds, abs=1e-3)
    assert found["started"].sum() == len(ended)
    assert min(found["running"].min(), found["pending"].min()) > -1e-6


def test_the_timeline_says_when_machines_were_short() -> None:
    frame = tasks(*({"at": at(0, 10 * number, 10 * number + 10)} for number in range(6)))
    found = timeline(frame, 6)
    assert found["running"].to_list() == [1.0] * 6
    assert found["pending"].to_list() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    assert (found["started"].to_list(), found["resolved"].to_list()) == ([1] * 6, [0, 1, 1, 1, 1, 2])
    assert found["time"][0] == START


def test_a_task_that_waited_for_its_deadline_does_not_stretch_the_timeline() -> None:
    never = {"state": "exception", "at": at(5, None, 1440)}
    found = timeline(tasks({"at": at(0, 1, 30)}, never), 10)
    assert found["until"][-1] == START + timedelta(minutes=30)
    assert found["pending"][-1] == 1.0
    assert timeline(tasks(never), 10)["until"][-1] == START + timedelta(minutes=1440)


def test_what_runs_still_runs_until_now() -> None:
    frame = tasks({"state": "running", "at": at(0, 1, None)}, {"state": "pending", "at": at(2, None, None)})
    found = timeline(frame, 4, now=START + timedelta(minutes=8))
    assert found["until"][-1] == START + timedelta(minutes=8)
    assert (found["running"][-1], found["pending"][-1]) == (1.0, 1.0)


def waiting(frame: pl.DataFrame, *pairs: tuple[int, int]) -> pl.DataFrame:
    """The rows, the first of each pair depending on the second."""
    of = {task_id(one): " ".join(task_id(to) for frm, to in pairs if frm == one) for one, _ in pairs}
    return frame.with_columns(depends_on=pl.col("task_id").replace_strict(of, default=None, return_dtype=pl.String))


def test_the_critical_path_is_the_chain_that_the_end_waited_for() -> None:
    frame = tasks(
        {"name": "decision", "at": at(0, 1, 5)},
        {"name": "slow build", "at": at(6, 10, 40)},
        {"name": "fast build", "at": at(5, 6, 10)},
        {"name": "test", "at": at(42, 50, 60)},
        {"name": "unrelated", "at": at(0, 1, 55)},
        {"name": "never ran", "state": "exception", "at": at(0, None, 1440)},
    )
    found = critical_path(waiting(frame, (1, 0), (2, 0), (3, 1), (3, 2), (3, 77), (5, 1)))
    assert found.schema == pl.Schema(CRITICAL_PATH.polars())
    assert found["name"].to_list() == ["decision", "slow build", "test"]
    assert found["waited"].to_list() == [None, 60.0, 120.0]
    assert found["share"].sum() == pytest.approx(100) and found["share"][1] == pytest.approx(100 * 35 / 60)


def test_a_group_without_an_end_or_with_a_cycle_has_a_path_that_ends() -> None:
    assert critical_path(tasks({"state": "running", "at": at(0, 1, None)})).is_empty()
    frame = tasks({"at": at(0, 1, 5)}, {"at": at(0, 1, 6)})
    assert len(critical_path(waiting(frame, (0, 1), (1, 0)))) == 2
    assert len(critical_path(frame)) == 1


def test_the_rows_of_a_group_know_which_tasks_each_waits_for(queue: FakeQueue) -> None:
    odd = entry(3, dependencies=["B", 5, task_id(0)])
    queue.group([[entry(1, dependencies=[task_id(0)])], [entry(2, dependencies=[task_id(0), task_id(1)]), odd]])
    rows = read_list(open_list(TaskGroup(GROUP), queue.http(), ROOT), CancelToken()).frame
    assert edges_of_rows(rows).rows() == [
        (task_id(1), task_id(0)), (task_id(2), task_id(0)), (task_id(2), task_id(1)), (task_id(3), task_id(0))
    ]  # fmt: skip
    assert rows["dependencies"].to_list() == [1, 2, 3]
