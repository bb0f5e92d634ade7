"""Polling a running group: only what is unresolved is asked for, and only what changed comes back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.http import Http
from backends.http.errors import NetworkError
from backends.resources import read_list
from backends.systems import parse_locator
from backends.taskcluster.client import RESOLVED
from backends.taskcluster.locators import TaskGroup, TaskRuns
from backends.taskcluster.task_rows import TASKS
from backends.taskcluster.tasks import GroupTaskList
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, open_list, reply, task_id

BATCH = "/api/queue/v1/tasks/status"


class Statuses:
    """POST /tasks/status of a fake queue: what it was asked, and what it answers."""

    def __init__(self, queue: FakeQueue, **states: str) -> None:
        self.asked: list[list[str]] = []
        self.states = {task_id(int(name[1:])): state for name, state in states.items()}
        queue.answers[BATCH] = self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        ids = json.loads(request.content)["taskIds"]
        self.asked.append(ids)
        known = [{"taskId": one, "status": status(one, self.states[one])} for one in ids if one in self.states]
        return reply({"statuses": known})


def status(one: str, state: str) -> dict[str, Any]:
    return {**entry(0, state=state)["status"], "taskId": one}


def group(queue: FakeQueue, *states: str) -> tuple[GroupTaskList, pl.DataFrame]:
    queue.group([[entry(number, state=state) for number, state in enumerate(states)]])
    resource = open_list(TaskGroup(GROUP), queue.http(), ROOT)
    return resource, read_list(resource, CancelToken()).frame


def test_only_unresolved_tasks_are_asked_for_and_only_changed_rows_come_back(queue: FakeQueue) -> None:
    resource, frame = group(queue, "completed", "running", "pending", "failed")
    statuses = Statuses(queue, t1="failed", t2="pending")
    page = resource.updates(frame, CancelToken())
    assert statuses.asked == [[task_id(1), task_id(2)]]
    assert page is not None and page.frame["task_id"].to_list() == [task_id(1)]
    row = page.frame.row(0, named=True)
    assert (row["state"], row["duration"], row["name"]) == ("failed", 1800.5, "test-linux/opt-suite-1")
    assert page.frame.schema == pl.Schema(TASKS.polars()) and page.note == ""


@pytest.mark.parametrize("members", [{"sealed": "2026-11-20T12:00:00.000Z"}, {"expires": "2020-01-01T00:00:00.000Z"}])
def test_nothing_is_asked_once_everything_is_resolved_and_nothing_can_be_added(
    queue: FakeQueue, members: dict[str, str]
) -> None:
    queue.group([[entry(0), entry(1, state="failed")]], **members)
    resource = open_list(TaskGroup(GROUP), queue.http(), ROOT)
    frame = read_list(resource, CancelToken()).frame
    queue.asked.clear()
    assert resource.updates(frame, CancelToken()) is None
    assert queue.asked == []


class Pages:
    """The pages of the group with ETags, as the real services give them; `sent` are the bodies that were sent."""

    def __init__(self, queue: FakeQueue, *tasks: dict[str, Any], size: int = 3) -> None:
        self.tasks, self.size = list(tasks), size
        self.asked, self.sent = 0, 0
        queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("continuationToken", "0"))
        shown = self.tasks[start : start + self.size]
        more = {"continuationToken": str(start + self.size)} if start + self.size < len(self.tasks) else {}
        body = json.dumps({"taskGroupId": GROUP, "tasks": shown, **more}).encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
        self.asked += 1
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        self.sent += 1
        return httpx.Response(200, content=body, headers={"etag": etag, "content-type": "application/json"})


def labelled(number: int, label: str, **members: Any) -> dict[str, Any]:
    return entry(number, metadata={"name": label}, tags={"label": label}, **members)


def test_a_retrigger_in_a_group_that_has_ended_is_seen_and_nothing_else_is_sent_again(
    queue: FakeQueue, tmp_path: Path
) -> None:
    pages = Pages(queue, *(labelled(number, f"test-{number}") for number in range(6)))
    resource = open_list(TaskGroup(GROUP), queue.http(tmp_path), ROOT)
    frame = read_list(resource, CancelToken()).frame
    for _ in range(2):  # the first look stores the pages, from then on they are only asked for
        page = resource.updates(frame, CancelToken())
        assert page is not None and page.frame.is_empty()
        assert 0 < resource.resting_seconds <= 50  # so that with the time it takes it is less than a minute
    assert (pages.asked, pages.sent) == (6, 4)
    pages.tasks.append(labelled(7, "test-2", state="pending"))
    page = resource.updates(frame, CancelToken())
    assert page is not None and pages.sent == 6  # the last page has a token now, and there is a third
    told = {row["task_id"]: (row["state"], row["copy"], row["copies"]) for row in page.frame.iter_rows(named=True)}
    assert told == {task_id(7): ("pending", 2, 2), task_id(2): ("completed", 1, 2)}
    assert resource.resting_seconds == 0 and resource.total == 7  # it runs: from now on as often as any
    assert page.frame.schema == pl.Schema(TASKS.polars())


def test_a_task_that_is_run_again_is_seen_too(queue: FakeQueue, tmp_path: Path) -> None:
    pages = Pages(queue, entry(0), entry(1, state="failed"))
    resource = open_list(TaskGroup(GROUP), queue.http(tmp_path), ROOT)
    frame = read_list(resource, CancelToken()).frame
    pages.tasks[1] = entry(1, state="pending")
    page = resource.updates(frame, CancelToken())
    assert page is not None and page.frame.select("task_id", "state").rows() == [(task_id(1), "pending")]


def test_a_group_without_a_store_is_looked_at_all_the_same(queue: FakeQueue) -> None:
    pages = Pages(queue, entry(0))
    resource = open_list(TaskGroup(GROUP), queue.http(), ROOT)
    frame = read_list(resource, CancelToken()).frame
    pages.tasks.append(entry(1))
    page = resource.updates(frame, CancelToken())
    assert page is not None and page.frame["task_id"].to_list() == [task_id(1)]


def test_a_look_that_fails_is_a_problem_and_no_empty_update(queue: FakeQueue, tmp_path: Path) -> None:
    Pages(queue, entry(0))
    resource = open_list(TaskGroup(GROUP), queue.http(tmp_path), ROOT)
    frame = read_list(resource, CancelToken()).frame
    assert resource.updates(frame, CancelToken()) is not None  # what is stored now does not stand for the server
    queue.down = True
    with pytest.raises(NetworkError):
        resource.updates(frame, CancelToken())


def test_a_task_that_is_run_again_gets_its_new_run_in_the_list_of_runs(queue: FakeQueue) -> None:
    one = queue.task(1, [[]])
    runs: Any = open_list(TaskRuns(one, ROOT), queue.http(), ROOT)
    frame = read_list(runs, CancelToken()).frame
    path = f"/api/queue/v1/task/{one}/status"
    status: Any = queue.answers[path]["status"]
    status["runs"] = [*status["runs"], {"runId": 1, "state": "pending"}]
    page = runs.updates(frame, CancelToken())
    assert page is not None and page.frame["run"].to_list() == [1] and runs.resting_seconds <= 50
    status["deadline"] = "2020-01-01T00:00:00.000Z"  # the queue refuses to run it again from then on
    assert runs.updates(frame, CancelToken()) is not None and runs.updates(frame, CancelToken()) is None


def test_a_state_that_we_do_not_know_is_not_taken_for_an_end(queue: FakeQueue) -> None:
    resource, frame = group(queue, "paused")
    assert Statuses(queue, t0="paused") and resource.updates(frame, CancelToken()) is not None


def test_a_task_that_is_gone_is_not_asked_for_for_ever(queue: FakeQueue) -> None:
    resource, frame = group(queue, "running", "running")
    statuses = Statuses(queue, t0="running")
    for _ in range(2):
        page = resource.updates(frame, CancelToken())
        assert page is not None and page.frame.is_empty() and page.note == ""
    assert statuses.asked == [[task_id(0), task_id(1)], [task_id(0)]]


@pytest.mark.parametrize("refusal", [403, 404, 405, 400])
def test_a_queue_without_the_batch_is_asked_one_by_one(queue: FakeQueue, refusal: int) -> None:
    resource, frame = group(queue, "running", "running", "running")
    queue.answers[BATCH] = reply({"code": "X", "message": "no"}, refusal)
    for number, state in ((0, "completed"), (2, "running")):
        one = task_id(number)
        queue.answers[f"/api/queue/v1/task/{one}/status"] = {"status": status(one, state)}
    page = resource.updates(frame, CancelToken())
    assert page is not None and page.frame["task_id"].to_list() == [task_id(0)]


def test_a_page_that_is_no_taskcluster_is_asked_one_by_one_too(queue: FakeQueue) -> None:
    resource, frame = group(queue, "running")
    queue.answers[BATCH] = httpx.Response(200, text="<html>")
    queue.answers[f"/api/queue/v1/task/{task_id(0)}/status"] = {"status": status(task_id(0), "failed")}
    page = resource.updates(frame, CancelToken())
    assert page is not None and page.frame["state"].to_list() == ["failed"]


def test_statuses_are_asked_fresh_whatever_is_stored(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(0, state="running")]])
    one = task_id(0)
    queue.answers[f"/api/queue/v1/task/{one}/status"] = {"status": status(one, "running")}
    http = queue.http(tmp_path)
    resource = open_list(TaskGroup(GROUP), http, ROOT)
    frame = read_list(resource, CancelToken()).frame
    resource.client.fetch_status(one)  # now it is stored
    queue.answers[f"/api/queue/v1/task/{one}/status"] = {"status": status(one, "completed")}
    page = resource.updates(frame, CancelToken())
    assert page is not None and page.frame["state"].to_list() == ["completed"]


def test_a_server_that_is_down_is_a_problem_and_no_empty_update(queue: FakeQueue) -> None:
    resource, frame = group(queue, "running")
    queue.down = True
    with pytest.raises(NetworkError):
        resource.updates(frame, CancelToken())


def test_ten_thousand_tasks_are_ten_requests(queue: FakeQueue) -> None:
    resource, frame = group(queue, "running")
    many = pl.concat([frame.with_columns(task_id=pl.lit(task_id(number))) for number in range(2500)])
    statuses = Statuses(queue, **{f"t{number}": "running" for number in range(2500)})
    resource.updates(many, CancelToken())
    assert [len(ids) for ids in statuses.asked] == [1000, 1000, 500]


@pytest.mark.parametrize("odd", [{"statuses": [None, 5, {"taskId": "x"}, {"status": {}}]}, {"statuses": []}])
def test_odd_replies_change_nothing(queue: FakeQueue, odd: Any) -> None:
    resource, frame = group(queue, "running")
    queue.answers[BATCH] = reply(odd)
    page = resource.updates(frame, CancelToken())
    assert page is not None and page.frame.is_empty()


def test_some_tasks_of_a_group_are_polled_alone(queue: FakeQueue) -> None:
    group(queue, "running", "running")
    resource = open_list(TaskGroup(GROUP, "", (task_id(1),)), queue.http(), ROOT)
    frame = read_list(resource, CancelToken()).frame
    assert frame["task_id"].to_list() == [task_id(1)]
    statuses = Statuses(queue, t1="running")
    resource.updates(frame, CancelToken())
    assert statuses.asked == [[task_id(1)]]


def test_the_running_group_of_the_embedded_ci_comes_to_its_end_by_updates_alone() -> None:
    clock = [300.0]
    with DemoServer(DemoOptions(tasks=20), elapsed=lambda: clock[0]) as server, Http() as http:
        locator = parse_locator(demo_locators(server.options, server.root_url)["taskcluster.running-group"])
        resource = open_list(locator, http, server.root_url)
        frame = read_list(resource, CancelToken()).frame
        assert not frame["state"].is_in(list(RESOLVED)).all()
        for _ in range(6):
            clock[0] += 100_000
            page = resource.updates(frame, CancelToken())
            if page is None:
                break
            frame = pl.concat([frame, page.frame]).unique("task_id", keep="last")
        listed = read_list(resource, CancelToken()).frame
        told = frame.join(listed, on="task_id", suffix="_listed")
        assert told.height == frame.height
        for column in ("state", "runs", "duration", "queue_time", "worker", "run_states", "resolved"):
            assert told[column].equals(told[f"{column}_listed"], null_equal=True), column
