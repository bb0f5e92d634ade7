"""Around one task: its tree, its runs, what it depends on, what depends on it, its copies, its provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import polars as pl
import pytest

from backends import config
from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.http import Http
from backends.http.errors import NotFoundError
from backends.locators import Locator
from backends.resources import Link, ListContents, Resource, read_list
from backends.submit.locators import TaskJobs
from backends.systems import open_resource, parse_locator
from backends.taskcluster.actions import group_entries
from backends.taskcluster.locators import Task, TaskDependencies, TaskDependents, TaskGroup, TaskRuns
from backends.taskcluster.resolve import resolve
from backends.taskcluster.runs import RUNS
from backends.taskcluster.task_rows import TASKS
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, not_found, open_list, reply, task_id


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=60)) as found:
        yield found


@pytest.fixture
def http() -> Iterator[Http]:
    with Http() as found:
        yield found


def opened(server: DemoServer, http: Http, text: str | Locator) -> Resource:
    known = demo_locators(server.options, server.root_url)
    locator = parse_locator(known.get(f"taskcluster.{text}", text)) if isinstance(text, str) else text
    return open_list(resolve(locator, http, server.root_url), http, server.root_url)


def whole(resource: Resource) -> ListContents:
    return read_list(resource, CancelToken())


def relation(server: DemoServer, http: Http, name: str, role: str) -> Resource:
    task = parse_locator(demo_locators(server.options, server.root_url)[f"taskcluster.{role}"])
    return opened(server, http, f"taskcluster:{name}/{task.task_id}")  # type: ignore[attr-defined]


# ---- the tree -------------------------------------------------------------------------------------------------


def test_a_tasks_tree_has_its_state_its_runs_and_every_part_of_its_definition(server: DemoServer, http: Http) -> None:
    group = opened(server, http, "finished-group")
    row = whole(group).frame.row(0, named=True)
    document = group.document(row)
    assert document is not None and document.locator == Task(row["task_id"], None, server.root_url)
    value = document.read(CancelToken())
    assert (value["taskId"], value["state"]) == (row["task_id"], row["state"])
    assert list(value)[:3] == ["taskId", "state", "runs"] and len(value["runs"]) == row["runs"]
    definition = http.json(f"{server.root_url}/api/queue/v1/task/{row['task_id']}", policy=_never())[0]
    parts = {name: value[name] for name in definition if name in value}
    assert {**parts, **value["definition"]} == definition
    assert {"metadata", "payload", "dependencies", "tags", "routes", "scopes", "extra"} <= set(value)


def _never() -> object:
    from backends.http.policies import CachePolicy

    return CachePolicy.never()


def test_a_hostile_definition_is_a_tree_like_any_other(server: DemoServer, http: Http) -> None:
    group = opened(server, http, "hostile-group")
    for row in whole(group).frame.iter_rows(named=True):
        document = group.document(row)
        if document is not None:
            assert document.read(CancelToken())["taskId"] == row["task_id"]


def test_a_task_that_is_gone_has_no_tree_but_words(queue: FakeQueue) -> None:
    queue.group([[entry(1)]])
    group = open_list(TaskGroup(GROUP), queue.http(), ROOT)
    document = group.document(whole(group).frame.row(0, named=True))
    assert document is not None
    with pytest.raises(NotFoundError):
        document.read(CancelToken())


# ---- runs -----------------------------------------------------------------------------------------------------


def test_the_runs_say_why_each_began_and_ended_and_how_long_it_waited(server: DemoServer, http: Http) -> None:
    resource = relation(server, http, "runs", "retried-task")
    frame = whole(resource).frame
    assert frame.schema == pl.Schema(RUNS.polars())
    assert frame["run"].to_list() == [0, 1]
    assert frame["reason_resolved"].to_list() == ["worker-shutdown", "completed"]
    assert frame["reason_created"].to_list() == ["scheduled", "retry"]
    assert (frame["queue_time"] > 0).all() and (frame["duration"] > 0).all()
    assert frame["worker"].null_count() == frame["worker_group"].null_count() == 0
    row = frame.row(0, named=True)
    log = resource.log(row)
    assert log is not None and "/runs/0/" in log.url and log.final and not log.live
    run = resource.open(row)
    assert run is not None and run.text().endswith("/runs/0")


def test_a_run_that_never_began_has_no_log(server: DemoServer, http: Http) -> None:
    resource = relation(server, http, "runs", "retried-empty-task")
    last = whole(resource).frame.row(-1, named=True)
    assert last["started"] is None and resource.log(last) is None and last["queue_time"] is None


def test_the_files_of_one_run_are_of_that_run(server: DemoServer, http: Http) -> None:
    resource = relation(server, http, "runs", "retried-task")
    frame = whole(resource).frame
    keys = [file.key for batch in resource.files(frame.head(1), CancelToken()) for file in batch]
    assert keys and all("/0/" in key for key in keys)


def test_runs_with_clocks_that_disagree_or_odd_words_are_rows(queue: FakeQueue) -> None:
    one = queue.task(1, [])
    runs = [
        {"state": "completed", "scheduled": "2026-11-20T10:00:00Z", "started": "2026-11-20T09:00:00Z", "resolved": 5},
        {"state": "new word", "reasonCreated": 7, "started": "yesterday"},
        None,
    ]
    queue.answers[f"/api/queue/v1/task/{one}/status"] = {"status": {"taskId": one, "state": "x", "runs": runs}}
    frame = whole(open_list(TaskRuns(one), queue.http(), ROOT)).frame
    assert frame["state"].to_list() == ["completed", "new word", "unknown"]
    assert frame["queue_time"].to_list() == [None] * 3


# ---- dependencies, dependents, copies ---------------------------------------------------------------------------


def test_dependencies_and_dependents_are_lists_of_tasks_and_each_others_reverse(server: DemoServer, http: Http) -> None:
    needs = relation(server, http, "dependencies", "task")
    frame = whole(needs).frame
    assert frame.schema == pl.Schema(TASKS.polars()) and frame.height >= 1
    task = needs.locator.task_id  # type: ignore[attr-defined]
    for one in frame["task_id"]:
        back = whole(opened(server, http, f"taskcluster:dependents/{one}")).frame
        assert task in back["task_id"].to_list()
    assert set(frame["group_id"]) == {whole(opened(server, http, "finished-group")).frame["group_id"][0]}


def test_dependencies_that_have_expired_are_counted(queue: FakeQueue) -> None:
    queue.answers[f"/api/queue/v1/task/{task_id(1)}"] = {
        "metadata": {"name": "x"}, "dependencies": [task_id(2), task_id(3), "no id"]
    }  # fmt: skip
    known = entry(2)
    queue.answers["/api/queue/v1/tasks/status"] = {"statuses": [{"taskId": task_id(2), "status": known["status"]}]}
    queue.answers["/api/queue/v1/tasks"] = {"tasks": [{"taskId": task_id(2), "task": known["task"]}]}
    found = whole(open_list(TaskDependencies(task_id(1)), queue.http(), ROOT))
    assert found.frame["name"].to_list() == ["test-linux/opt-suite-2"]
    assert found.notes == ("1 of 2 tasks have expired or cannot be seen.",)


def test_a_queue_without_batches_is_asked_task_by_task(queue: FakeQueue) -> None:
    queue.answers[f"/api/queue/v1/task/{task_id(1)}"] = {
        "metadata": {"name": "x"}, "dependencies": [task_id(2), task_id(3)]
    }  # fmt: skip
    for path in ("tasks", "tasks/status"):
        queue.answers[f"/api/queue/v1/{path}"] = not_found()
    for number in (2, 3):
        one = entry(number)
        queue.answers[f"/api/queue/v1/task/{task_id(number)}"] = one["task"]
        queue.answers[f"/api/queue/v1/task/{task_id(number)}/status"] = {"status": one["status"]}
    found = whole(open_list(TaskDependencies(task_id(1)), queue.http(), ROOT)).frame
    assert sorted(found["task_id"]) == [task_id(2), task_id(3)] and set(found["group_id"]) == {GROUP}


def test_thousands_of_dependencies_come_in_pages(queue: FakeQueue) -> None:
    ids = [task_id(number) for number in range(2500)]
    queue.answers[f"/api/queue/v1/task/{task_id(9999)}"] = {"metadata": {"name": "x"}, "dependencies": ids}
    asked: list[int] = []

    def statuses(request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)["taskIds"]
        asked.append(len(wanted))
        return reply({"statuses": [{"taskId": one, "status": {**entry(0)["status"], "taskId": one}} for one in wanted]})

    queue.answers["/api/queue/v1/tasks/status"] = statuses
    queue.answers["/api/queue/v1/tasks"] = {"tasks": []}
    pages = list(open_list(TaskDependencies(task_id(9999)), queue.http(), ROOT).pages(CancelToken()))
    assert [page.frame.height for page in pages] == [1000, 1000, 500] and asked == [1000, 1000, 500]


def test_dependents_go_on_to_the_last_page(queue: FakeQueue) -> None:
    one = queue.task(1, [])

    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("continuationToken", "0"))
        more = {"continuationToken": str(number + 1)} if number < 2 else {}
        return reply({"taskId": one, "tasks": [entry(10 + number)], **more})

    queue.answers[f"/api/queue/v1/task/{one}/dependents"] = page
    frame = whole(open_list(TaskDependents(one), queue.http(), ROOT)).frame
    assert frame["task_id"].to_list() == [task_id(10), task_id(11), task_id(12)]


def test_copies_are_the_retriggers_of_the_same_label(server: DemoServer, http: Http) -> None:
    group = whole(opened(server, http, "running-group")).frame
    several = group.filter(pl.col("copies") > 1)
    row = (several if several.height else group).row(0, named=True)
    frame = whole(opened(server, http, f"taskcluster:copies/{row['task_id']}")).frame
    assert set(frame["label"]) == {row["label"]} and frame.height == row["copies"]
    assert sorted(frame["copy"]) == list(range(1, row["copies"] + 1))


# ---- the menu and the provenance --------------------------------------------------------------------------------


def test_every_entry_of_a_tasks_menu_leads_somewhere(server: DemoServer, http: Http) -> None:
    group = opened(server, http, "finished-group")
    frame = whole(group).frame
    entries = group.menu(frame.row(3, named=True), frame)
    labels = [one.label for one in entries]
    assert len(set(labels)) == len(labels) > 12
    for one in entries:
        if isinstance(one, Link) and isinstance(one.opens, Locator):
            assert parse_locator(one.opens.text()) == one.opens
            if one.opens.system == "taskcluster":  # the archives of its source are another system's list
                whole(opened(server, http, one.opens))


def test_marked_tasks_are_linted_and_published_as_treeherder_jobs(server: DemoServer, http: Http) -> None:
    group = opened(server, http, "finished-group")
    frame = whole(group).frame
    settings = config.load({"CIEXPLORE_STATE_DIR": "/nowhere"}, overrides={"taskcluster_root_url": server.root_url})

    def jobs(rows: pl.DataFrame) -> list[tuple[str, TaskJobs]]:
        links = [one for one in group.menu(rows.row(0, named=True), rows) if isinstance(one, Link)]
        return [(one.label, one.opens) for one in links if isinstance(one.opens, TaskJobs)]

    marked = frame.filter(pl.col("platform").is_not_null()).head(3)
    (_, one), (label, three) = jobs(marked)
    assert one.task_ids == (marked["task_id"][0],) and three.task_ids == tuple(marked["task_id"])
    assert label == "3 tasks as Treeherder jobs: lint, preview, publish"
    assert parse_locator(three.text()) == three
    made = read_list(open_resource(three, http, settings, CancelToken()), CancelToken()).frame
    assert made["name"].to_list() == marked["name"].to_list() and set(made["form"]) == {"pulse"}
    many = pl.concat([frame] * (1 + 300 // frame.height))
    label, first = jobs(many)[1]
    assert label.startswith(f"First 200 of {many.height:,} tasks") and len(first.task_ids) == 200


def test_provenance_names_the_push_and_the_job_in_treeherder(server: DemoServer, http: Http) -> None:
    group = opened(server, http, "finished-group")
    row = next(row for row in whole(group).frame.iter_rows(named=True) if row["revision"] and row["runs"] == 2)
    detail = group.detail(row)
    assert detail is not None
    told = dict(dict(detail.sections)["Provenance"])
    assert told["Push"] == f"{row['project']} {row['revision']}"
    assert told["Treeherder"].endswith(f"&selectedTaskRun={row['task_id']}.1")
    assert resolve(parse_locator(told["Treeherder"]), http, server.root_url) == Task(row["task_id"], 1, server.root_url)


def test_a_task_without_a_push_promises_no_treeherder(queue: FakeQueue) -> None:
    queue.group([[entry(1)]])
    group = open_list(TaskGroup(GROUP), queue.http(), ROOT)
    frame = whole(group).frame
    row = frame.row(0, named=True)
    assert not any("Treeherder" in one.label for one in group.menu(row, frame))
    detail = group.detail(row)
    assert detail is not None and "Provenance" not in dict(detail.sections)


def test_one_task_is_not_counted_as_tasks(server: DemoServer, http: Http) -> None:
    group = opened(server, http, "finished-group")
    frame = whole(group).frame
    row = frame.filter(pl.col("copies") == 1).row(0, named=True)
    labels = [one.label for one in group_entries(TaskGroup("g" * 22, "", (row["task_id"],)))]
    assert "1 task as a list of its own" in labels and "Breakdown of 1 task by suite" in labels
    assert not any("1 tasks" in label for label in labels)
    detail = [line for _, lines in group.detail(row).sections for line in lines]
    assert ("Retrigger", "the only task with this label") in detail
