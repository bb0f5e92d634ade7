"""Ids, index paths and pushes lead to the list that was meant, or to a sentence that says what was tried."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from backends.errors import AppError, UsageError
from backends.http import Mode
from backends.http.errors import HttpError
from backends.locators.base import Locator
from backends.systems import parse_locator
from backends.taskcluster.artifacts import ArtifactList
from backends.taskcluster.client import NotTaskclusterError
from backends.taskcluster.locators import (
    Artifact,
    IndexedGroup,
    IndexPath,
    PushGroup,
    Task,
    TaskArtifacts,
    TaskGroup,
    TaskOrGroup,
    TreeherderJob,
)
from backends.taskcluster.resolve import NotResolvedError, resolve
from backends.taskcluster.tasks import GroupTaskList
from backends.taskcluster.urls import normalise_root
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, listed, open_list, reply, task_id

REV = "0b445bf4228a963505183b157758c37664921791"
PATH = "gecko.v2.autoland.latest.taskgraph.decision"


def index(queue: FakeQueue, path: str, task: str) -> None:
    queue.answers[f"/api/index/v1/task/{path}"] = {"namespace": path, "taskId": task, "rank": 0, "data": {}}


def decision(queue: FakeQueue, task: str, group: str) -> None:
    queue.answers[f"/api/queue/v1/task/{task}"] = {"taskGroupId": group, "metadata": {"name": "Gecko Decision Task"}}


def test_an_id_is_a_group_if_there_is_such_a_group_and_else_a_task(queue: FakeQueue) -> None:
    queue.group([[entry(1)]])
    one = queue.task(1, [])
    assert resolve(TaskOrGroup(GROUP), queue.http(), ROOT) == TaskGroup(GROUP, ROOT)
    assert resolve(TaskOrGroup(one), queue.http(), ROOT) == Task(one, None, ROOT)


def test_an_unknown_id_says_that_both_were_tried(queue: FakeQueue) -> None:
    with pytest.raises(NotResolvedError, match="neither as a task group nor as a task"):
        resolve(TaskOrGroup(GROUP), queue.http(), ROOT)


def test_offline_an_id_still_opens_a_group_that_was_seen_by_its_address(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1)]])
    listed(open_list(TaskGroup(GROUP, ROOT), queue.http(tmp_path), ROOT))
    offline = queue.http(tmp_path, Mode.OFFLINE)
    assert resolve(TaskOrGroup(GROUP), offline, ROOT) == TaskGroup(GROUP, ROOT)
    with pytest.raises(HttpError, match="Offline"):
        resolve(TaskOrGroup(task_id(5)), offline, ROOT)


def test_a_decision_tasks_index_path_opens_its_group_and_any_other_the_task(queue: FakeQueue) -> None:
    index(queue, PATH, GROUP)
    decision(queue, GROUP, GROUP)
    assert resolve(IndexPath(PATH), queue.http(), ROOT) == TaskGroup(GROUP, ROOT)
    index(queue, "gecko.v2.try.build", queue.task(1, []))
    assert resolve(IndexPath("gecko.v2.try.build"), queue.http(), ROOT) == Task(task_id(1), None, ROOT)
    assert resolve(IndexPath(PATH, "", "public/x"), queue.http(), ROOT) == Artifact(GROUP, None, "public/x", ROOT)


def test_an_index_path_without_a_task_is_named(queue: FakeQueue) -> None:
    with pytest.raises(NotResolvedError, match=r"neither a task nor a namespace at gecko\.v2\.nope"):
        resolve(IndexPath("gecko.v2.nope"), queue.http(), ROOT)


@pytest.mark.parametrize(
    ("repository", "domain"),
    [("autoland", "gecko"), ("comm-central", "comm"), ("fenix", "mobile"), ("mobile-x", "mobile")],
)
def test_a_push_opens_the_group_of_its_decision_task(queue: FakeQueue, repository: str, domain: str) -> None:
    index(queue, f"{domain}.v2.{repository}.revision.{REV}.taskgraph.decision", task_id(1))
    decision(queue, task_id(1), GROUP)  # the group's id is taken from the task, not guessed from its own
    assert resolve(PushGroup(repository, REV), queue.http(), ROOT) == TaskGroup(GROUP, ROOT)


def test_a_push_that_is_not_indexed_says_where_was_looked(queue: FakeQueue) -> None:
    with pytest.raises(NotResolvedError, match=r"gecko\.v2\.try, comm\.v2\.try, mobile\.v2\.try"):
        resolve(PushGroup("try", REV), queue.http(), ROOT)


def test_a_short_revision_asks_for_the_full_one_without_asking_the_server(queue: FakeQueue) -> None:
    with pytest.raises(NotResolvedError, match="all 40 digits"):
        resolve(PushGroup("try", REV[:12]), queue.http(), ROOT)
    assert queue.asked == []


@pytest.mark.parametrize(
    "locator",
    [TaskGroup(GROUP, ROOT), Task(GROUP, 1, ROOT), Artifact(GROUP, 0, "x", ROOT), TaskArtifacts((GROUP,), ROOT)],
)
def test_what_is_clear_already_costs_no_request(queue: FakeQueue, locator: Locator) -> None:
    assert resolve(locator, queue.http(), "community") == locator
    assert queue.asked == []


def test_a_locator_without_a_deployment_means_the_configured_one(queue: FakeQueue) -> None:
    assert resolve(TaskGroup(GROUP), queue.http(), "community") == TaskGroup(
        GROUP, "https://community-tc.services.mozilla.com"
    )


def test_a_web_page_in_place_of_a_deployment_points_to_the_root_url(queue: FakeQueue, tmp_path: Path) -> None:
    page = httpx.Response(200, html="<!doctype html><title>Treeherder</title>")
    queue.answers[f"/api/queue/v1/task-group/{GROUP}"] = queue.answers[f"/api/queue/v1/task/{GROUP}"] = page
    with pytest.raises(NotTaskclusterError, match="deployment does: it is a web page"):
        resolve(TaskOrGroup(GROUP), queue.http(tmp_path), ROOT)
    queue.group([[]])
    assert resolve(TaskOrGroup(GROUP), queue.http(tmp_path), ROOT) == TaskGroup(GROUP, ROOT)


def test_a_wrong_answer_for_a_definition_is_not_kept_for_ever(queue: FakeQueue, tmp_path: Path) -> None:
    queue.answers[f"/api/queue/v1/task/{GROUP}"] = {"hello": "world"}
    with pytest.raises(NotTaskclusterError):
        resolve(TaskOrGroup(GROUP), queue.http(tmp_path), ROOT)
    decision(queue, GROUP, GROUP)
    assert resolve(TaskOrGroup(GROUP), queue.http(tmp_path), ROOT) == Task(GROUP, None, ROOT)


def test_each_locator_has_its_list(queue: FakeQueue) -> None:
    http = queue.http()
    assert isinstance(open_list(TaskGroup(GROUP), http, ROOT), GroupTaskList)
    assert isinstance(open_list(TaskArtifacts((GROUP,)), http, ROOT), ArtifactList)
    run = open_list(Artifact(GROUP, 1, "x"), http, ROOT)
    assert isinstance(run, ArtifactList) and run.run == 1
    assert parse_locator(GROUP).listing() == ""  # a server has to be asked first


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("firefox", "https://firefox-ci-tc.services.mozilla.com"),
        (" Community ", "https://community-tc.services.mozilla.com"),
        ("https://TC.example/", "https://tc.example"),
        ("https://tc.example:443", "https://tc.example"),
        ("tc.example", "https://tc.example"),
        ("localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1"),
        ("http://taskcluster.localhost", "http://taskcluster.localhost"),
    ],
)
def test_a_root_url_has_one_spelling(text: str, root: str) -> None:
    assert normalise_root(text) == root == normalise_root(root)


@pytest.mark.parametrize("text", ["", "nonsense", "http://tc.example", "https://a:b@tc.example", "ftp://x.example"])
def test_a_root_url_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        normalise_root(text)


# ---- jobs by their number, and groups of indexed tasks ---------------------------------------------------------------

JOB = "/api/project/try/jobs/123/"
LOG = {"storageType": "s3", "name": "public/logs/live_backing.log"}


def run_task(queue: FakeQueue, number: int, *artifacts: dict[str, object]) -> str:
    one = queue.task(number, [[], list(artifacts)])
    runs = [{"state": "exception", "started": "2026-11-20T10:00:00.000Z"}] * 2
    status = {"taskId": one, "taskGroupId": GROUP, "state": "failed", "runs": runs}
    queue.answers[f"/api/queue/v1/task/{one}/status"] = {"status": status}
    return one


@pytest.mark.parametrize("shape", ["flat", "nested"])
def test_a_log_viewers_page_opens_the_log_of_that_jobs_task(queue: FakeQueue, shape: str) -> None:
    one = run_task(queue, 1, LOG)
    told = {"task_id": one, "retry_id": 1}
    queue.answers[JOB] = told if shape == "flat" else {"id": 123, "taskcluster_metadata": told}
    named = TreeherderJob("try", 123, log=True, server=ROOT, line=10, last=20)
    assert resolve(named, queue.http(), ROOT) == Artifact(one, 1, LOG["name"], ROOT, 10, 20)


def test_a_log_viewers_page_that_names_the_task_opens_its_log_without_asking_treeherder(queue: FakeQueue) -> None:
    """Today's links all name it; they opened the list of artifacts, and lost the line."""
    one = run_task(queue, 1, LOG)
    found = parse_locator(f"https://treeherder.mozilla.org/logviewer?job_id=123&repo=try&task={one}.1&lineNumber=10-20")
    assert resolve(found, queue.http(), ROOT) == Artifact(one, 1, LOG["name"], ROOT, 10, 20)
    assert parse_locator(found.text()) == found


def test_a_job_whose_task_left_no_log_says_why(queue: FakeQueue) -> None:
    queue.answers[JOB] = {"task_id": run_task(queue, 1), "retry_id": 1}
    with pytest.raises(AppError, match="left no log"):
        resolve(TreeherderJob("try", 123, log=True, server=ROOT), queue.http(), ROOT)


def test_a_selected_job_opens_its_push_with_the_cursor_on_it(queue: FakeQueue) -> None:
    one = run_task(queue, 1)
    queue.answers[JOB] = {"task_id": one, "retry_id": 0}
    found = resolve(TreeherderJob("try", 123), queue.http(), ROOT, None, ROOT)  # the configured Treeherder
    assert found == TaskGroup(GROUP, ROOT, task=one)
    assert open_list(found, queue.http(), ROOT).first_key == one


def test_a_job_that_treeherder_forgot_opens_the_push_or_says_so(queue: FakeQueue) -> None:
    index(queue, f"gecko.v2.try.revision.{REV}.taskgraph.decision", task_id(1))
    decision(queue, task_id(1), GROUP)
    assert resolve(TreeherderJob("try", 123, False, REV, ROOT), queue.http(), ROOT) == TaskGroup(GROUP, ROOT)
    with pytest.raises(NotResolvedError, match="no job 123 of try"):
        resolve(TreeherderJob("try", 123, log=True, server=ROOT), queue.http(), ROOT)


@pytest.mark.parametrize("odd", [{}, {"task_id": None}, {"task_id": "../x"}, {"taskcluster_metadata": 5}, []])
def test_a_job_of_another_ci_is_said_to_be_one(queue: FakeQueue, odd: object) -> None:
    queue.answers[JOB] = lambda _: reply(odd)
    with pytest.raises(NotResolvedError, match="is not a task of Taskcluster"):
        resolve(TreeherderJob("try", 123, server=ROOT), queue.http(), ROOT)


def test_the_group_of_an_indexed_task_is_that_of_its_definition(queue: FakeQueue) -> None:
    index(queue, "gecko.v2.try.build", queue.task(1, []))
    assert resolve(IndexedGroup("gecko.v2.try.build"), queue.http(), ROOT) == TaskGroup(GROUP, ROOT)
    with pytest.raises(NotResolvedError):
        resolve(IndexedGroup("gecko.v2.nope"), queue.http(), ROOT)


@pytest.mark.parametrize("log", [True, False])
def test_a_job_whose_task_has_expired_says_so_and_not_which_request_failed(queue: FakeQueue, log: bool) -> None:
    queue.answers[JOB] = {"task_id": task_id(9), "retry_id": 0}
    with pytest.raises(NotResolvedError, match=f"is task {task_id(9)}, which {ROOT} does not have"):
        resolve(TreeherderJob("try", 123, log, server=ROOT), queue.http(), ROOT)
