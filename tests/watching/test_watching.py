"""Watching: what is told of a list that changes, when it has ended, and what happens while its server fails."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer, locators
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.resources import Page, Resource
from backends.taskcluster.runs import RunList
from backends.taskcluster.tasks import TaskList
from backends.watching import EmptyListError, LostServerError, Progress, watch_list
from tests.commands.calling import Caller
from tui.commands.watch import EarlierDurations

SCHEMA = Schema((Column("state", Kind.STATE, "State"), Column("name", Kind.TEXT, "Name")), key="name")


def rows(**states: str) -> pl.DataFrame:
    return pl.DataFrame({"state": list(states.values()), "name": list(states)}, schema=SCHEMA.polars())


class Recorded(Resource):
    """A list whose changes are given: frames, errors, None for "nothing can change any more"."""

    schema = SCHEMA
    noun = ("job", "jobs")
    poll_seconds = 10

    def __init__(self, first: pl.DataFrame, *changes: pl.DataFrame | HttpError | None) -> None:
        self.first, self.changes = first, list(changes)

    @property
    def title(self) -> str:
        return "recorded"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield Page(self.first, Freshness())

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        change = self.changes.pop(0)
        if isinstance(change, pl.DataFrame):
            self.first = pl.concat([self.first, change]).unique("name", keep="last", maintain_order=True)
        if isinstance(change, HttpError):
            raise change
        return None if change is None else Page(change, Freshness())


def watched(resource: Resource, **options: Any) -> tuple[list[Progress], list[float]]:
    """What was told, and the pauses between the looks."""
    pauses: list[float] = []
    return list(watch_list(resource, CancelToken(), pause=pauses.append, **options)), pauses


def test_each_failure_is_told_once_and_the_last_progress_says_that_it_ended() -> None:
    resource = Recorded(
        rows(a="running", b="pending", c="completed"), rows(a="failed"), rows(b="exception"), rows(d="completed"), None
    )
    told, _ = watched(resource)
    assert [[row["name"] for row in one.failures] for one in told] == [[], ["a"], ["b"]]
    assert [one.ended for one in told] == [False, False, True]
    assert list(told[1].counts.items()) == [("failed", 1), ("pending", 1), ("completed", 1)]
    assert told[-1].total_failed == 2 and told[-1].unfinished == 0


def test_what_waits_for_a_failure_does_not_keep_a_group_running_for_ever() -> None:
    nothing = rows()
    told, _ = watched(Recorded(rows(a="failed", b="unscheduled"), nothing, nothing, nothing, nothing))
    assert told[-1].ended and told[-1].stuck == 1
    assert "1 will not start: what they need has failed" in told[-1].text


def test_a_list_without_rows_has_not_ended() -> None:
    told, _ = watched(Recorded(rows(), rows(), rows(a="running"), rows(a="completed")))
    assert [one.total for one in told] == [0, 1, 1]
    assert told[-1].ended


def test_a_list_that_stays_empty_is_given_up() -> None:
    told = list[Progress]()
    pauses = list[float]()
    with pytest.raises(EmptyListError, match="still nothing to watch in recorded: there are no jobs yet") as empty:
        for progress in watch_list(Recorded(rows(), *[rows()] * 9), CancelToken(), pause=pauses.append, patience=25):
            told.append(progress)
    assert empty.value.exit_code == 3
    assert pauses == [10, 10, 5]
    assert [one.text for one in told] == ["waiting: there are no jobs yet"]


def test_a_list_in_which_nothing_can_come_is_given_up_at_once() -> None:
    with pytest.raises(EmptyListError, match="nothing can come"):
        watched(Recorded(rows(), None))


def test_what_waits_although_nothing_failed_is_not_said_to_wait_for_a_failure() -> None:
    nothing = rows()
    told, _ = watched(Recorded(rows(a="completed", b="unscheduled"), nothing, nothing, nothing, nothing))
    assert told[-1].text.endswith("1 will not start: nothing that they wait for runs")


def test_a_server_that_fails_is_asked_more_and_more_seldom_until_it_answers() -> None:
    error = HttpError("The server answered 503.", "Try later.")
    told, pauses = watched(Recorded(rows(a="running"), error, error, rows(a="completed")))
    assert [one.problem for one in told] == ["", error.sentence, error.sentence, ""]
    assert pauses == [10, 20, 40]
    assert told[-1].ended and told[-1].total_failed == 0


def test_a_server_that_stays_away_is_lost() -> None:
    error = HttpError("The server answered 503.", "Try later.")
    with pytest.raises(LostServerError, match="What became of 1 job is not known") as lost:
        watched(Recorded(rows(a="running"), error), patience=0)
    assert lost.value.exit_code == 3


def test_what_was_added_at_the_last_moment_is_followed_too() -> None:
    class Growing(Recorded):
        def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
            page = super().updates(frame, cancel)
            if self.changes:  # a retrigger that no update told of
                self.first = pl.concat([self.first, rows(late="running")]).unique("name", keep="first")
            return page

    told, _ = watched(Growing(rows(a="running"), rows(a="completed"), rows(late="failed")))
    assert [one.ended for one in told] == [False, False, True]
    assert told[-1].total == 2 and told[-1].total_failed == 1


# ---- the command, on the embedded CI --------------------------------------------------------------------------------


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A deployment on which time passes with each task that is asked about, and earlier groups are known at once."""
    ticks = itertools.count()
    with DemoServer(DemoOptions(tasks=40), elapsed=lambda: next(ticks) / 20) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(TaskList, "poll_seconds", 0.001)
        monkeypatch.setattr(EarlierDurations, "find", EarlierDurations.read)
        yield locators(server.options, server.root_url)


def test_a_group_is_followed_to_its_end_with_the_time_left(ciexplore: Caller, running: dict[str, str]) -> None:
    done = ciexplore("watch", running["taskcluster.running-group"], "--format", "jsonl")
    events = [json.loads(line) for line in done.text.splitlines()]
    last = events[-1]
    assert last["event"] == "ended" and last["total"] == 240
    assert last["unfinished"] == last["counts"].get("unscheduled", 0)
    failed = [event for event in events if event["event"] == "failed"]
    assert done.code == 1 and len(failed) == last["failed"] > 0
    assert all(event["locator"] for event in failed)
    estimates = [event["seconds_left"] for event in events if event.get("seconds_left")]
    assert estimates and all(one["earlier_groups"] == 3 and one["low"] <= one["high"] for one in estimates)


def test_the_first_failure_can_end_it(ciexplore: Caller, running: dict[str, str]) -> None:
    done = ciexplore("watch", running["taskcluster.running-group"], "--until", "first-failure")
    assert done.code == 1
    assert "failed" in done.text and "completed of" not in done.text.splitlines()[0]


def test_what_has_ended_is_told_at_once(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("watch", demo["taskcluster.failed-task"])
    assert done.code == 1
    assert done.text.splitlines()[-1] == "1 failed"
    assert ciexplore("watch", demo["prow.build-success"]).code == 0


def test_an_empty_group_is_waited_for_and_given_up(
    ciexplore: Caller, demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskList, "poll_seconds", 0.01)
    done = ciexplore("watch", demo["taskcluster.empty-group"], "--patience", "0.05s")
    assert done.code == 3
    assert done.text == "waiting: there are no tasks yet\n"
    assert "There is still nothing to watch in" in done.err and "--patience" in done.err
    done = ciexplore("watch", demo["taskcluster.empty-group"], "--patience", "0.05s", "--format", "jsonl")
    assert done.code == 3
    assert [json.loads(line)["event"] for line in done.text.splitlines()] == ["waiting", "empty"]


def test_a_task_that_waits_for_others_says_for_which(
    ciexplore: Caller, demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunList, "poll_seconds", 0.01)
    done = ciexplore("watch", demo["taskcluster.unscheduled-task"], "--patience", "0.05s")
    assert done.code == 3
    assert re.search(
        r"waiting: the task has not been scheduled"  # and with time what it depends on completes
        r"(; it needs \d+ of the \d+ tasks that it depends on: \S+ \(\w+\)|, although what it depends on)",
        done.text,
    ), done.text


def test_what_does_not_run_cannot_be_watched(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("watch", demo["perf.alerts"])
    assert done.code == 2 and "cannot be watched" in done.err
    assert ciexplore("watch", demo["taskcluster.running-group"], "--offline").code == 2
