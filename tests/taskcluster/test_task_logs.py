"""Which text is the log of a task: by any name, while it is written, of a task that has expired, or none and why."""

from __future__ import annotations

from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, NotFoundError
from backends.locators.taskcluster import Artifact, IndexPath, Task, TaskGroup, TaskOrGroup
from backends.logs.sources import from_log
from backends.resources import LogAddress
from backends.systems import parse_locator
from backends.taskcluster import resource_for
from backends.taskcluster.resolve import resolve, resolve_task
from backends.taskcluster.task_log import NoLog, log_of_artifact, log_of_task
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, body, entry, reply, task_id

STARTED = "2026-11-20T10:01:00.000Z"


def s3(name: str, **members: Any) -> dict[str, Any]:
    return {"storageType": "s3", "name": name, "contentType": "text/plain", **members}


def run(state: str = "completed", reason: str | None = None, **members: Any) -> dict[str, Any]:
    return {"state": state, "started": STARTED, **({"reasonResolved": reason} if reason else {}), **members}


def task(queue: FakeQueue, *runs: dict[str, Any], artifacts: list[Any], payload: Any = None, number: int = 0) -> str:
    """A task whose run `number` has these artifacts; each that is an s3 one says its own name."""
    one = queue.task(1, [[] for _ in runs])
    path = f"/api/queue/v1/task/{one}"
    queue.answers[path] = {"metadata": {"name": "build"}, "taskGroupId": GROUP, "payload": payload or {}}
    queue.answers[f"{path}/status"] = {
        "status": {"taskId": one, "taskGroupId": GROUP, "state": runs[-1]["state"], "runs": list(runs)}
    }
    queue.answers[f"{path}/runs/{number}/artifacts"] = {"artifacts": artifacts}
    for artifact in artifacts:
        if artifact["storageType"] != "error":
            queue.answers[f"{path}/runs/{number}/artifacts/{artifact['name']}"] = body(f"says {artifact['name']}")
    return one


def read(queue: FakeQueue, address: LogAddress) -> str:
    return b"".join(from_log(queue.http(), address)(CancelToken())).decode()


def log(queue: FakeQueue, one: str, number: int | None = None) -> str:
    return read(queue, log_of_task(queue.http(), Task(one, number, ROOT), CancelToken()))


BACKING = "public/logs/live_backing.log"


@pytest.mark.parametrize(
    ("names", "payload", "found"),
    [
        ([BACKING, "public/logs/live.log", "public/a.log"], None, BACKING),
        (["public/logs/live.log", "public/logs/log_raw.log"], None, "public/logs/live.log"),
        (["public/a.log", "public/logs/chain_of_trust.log", "public/logs/build.log"], None, "public/logs/build.log"),
        (["public/logs/log_error.log", "public/logs/log_raw.log"], None, "public/logs/log_raw.log"),
        (["public/z/x_errorsummary.log", "public/z/x_raw.log"], None, "public/z/x_raw.log"),
        (["public/mine.txt", "public/other.log"], {"logs": {"live": "public/l", "backing": "public/mine.txt"}},
         "public/mine.txt"),
        (["public/out_backing.txt", "public/other.log"], {"log": "public/out.txt"}, "public/out_backing.txt"),
        (["public/other.log"], {"logs": {"backing": "public/gone.txt"}}, "public/other.log"),
        (["public/other.log"], {"logs": "x", "log": 5}, "public/other.log"),
        (["public/only.log", "public/data.json"], None, "public/only.log"),
    ],
)  # fmt: skip
def test_a_log_under_another_name_is_found(queue: FakeQueue, names: list[str], payload: Any, found: str) -> None:
    one = task(queue, run(), artifacts=[s3(name) for name in names], payload=payload)
    assert log(queue, one) == f"says {found}"


def test_the_usual_name_costs_no_look_at_the_list(queue: FakeQueue) -> None:
    one = task(queue, run(), artifacts=[s3(BACKING)])
    assert log(queue, one) == f"says {BACKING}"
    assert not [path for path in queue.asked if path.endswith("/artifacts?limit=1000")]


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("exception", "worker-shutdown", "exception (worker-shutdown)"),
        ("exception", "intermittent-task", "exception (intermittent-task)"),
        ("exception", "a-reason-of-2030", "exception (a-reason-of-2030)"),
        ("completed", "completed", "ended as completed"),
    ],
)
def test_a_run_that_left_no_log_says_why(queue: FakeQueue, state: str, reason: str, words: str) -> None:
    one = task(queue, run(), run(state, reason), artifacts=[s3("public/x.json")], number=1)
    with pytest.raises(NoLog, match="left no log") as told:
        log(queue, one)
    assert words in told.value.sentence and "open run 0" in told.value.hint


def test_a_log_that_the_worker_could_not_store_is_said_to_be_lost(queue: FakeQueue) -> None:
    one = task(queue, run("failed", "failed"), artifacts=[{"storageType": "error", "name": BACKING}])
    with pytest.raises(NoLog, match="could not store public/logs/"):
        log(queue, one)


@pytest.mark.parametrize("status", [410, 424])
def test_a_log_that_the_queue_says_was_never_made_is_looked_for_among_the_artifacts(
    queue: FakeQueue, status: int
) -> None:
    lost = {"storageType": "error", "name": BACKING}
    one = task(queue, run("failed", "failed"), artifacts=[lost, s3("public/only.log")])
    path = f"/api/queue/v1/task/{one}/runs/0/artifacts"
    queue.answers[f"{path}/{BACKING}"] = reply({"code": "InputError", "message": "Artifact is an error"}, status)
    assert log(queue, one) == "says public/only.log"
    queue.answers[path] = {"artifacts": [lost]}
    with pytest.raises(NoLog, match=r"ended as failed; its worker could not store public/logs/live_backing\.log"):
        log(queue, one)


def test_the_log_of_a_decision_task_is_read_by_the_id_that_its_group_has_too(queue: FakeQueue) -> None:
    one = task(queue, run(), artifacts=[s3(BACKING)])
    queue.answers[f"/api/queue/v1/task-group/{one}"] = {"taskGroupId": one}
    queue.answers["/api/index/v1/task/x.v2.decision"] = {"taskId": one}
    queue.answers[f"/api/queue/v1/task/{one}"]["taskGroupId"] = one
    for named in (TaskOrGroup(one, ROOT), IndexPath("x.v2.decision", ROOT), TaskGroup(GROUP, ROOT, task=one)):
        assert isinstance(resolve(named, queue.http(), ROOT), TaskGroup)
        assert resolve_task(named, queue.http(), ROOT) == Task(one, None, ROOT)
    group = TaskGroup(one, ROOT)
    assert resolve_task(group, queue.http(), ROOT) == group  # the address of a group is not that of a task
    del queue.answers[f"/api/queue/v1/task/{one}"]
    assert resolve_task(TaskOrGroup(one, ROOT), queue.http(), ROOT) == group


def test_a_link_to_lines_of_treeherders_log_viewer_opens_the_log_at_them(queue: FakeQueue) -> None:
    one = task(queue, run(), artifacts=[s3("public/only.log")])
    link = parse_locator(f"https://treeherder.mozilla.org/logviewer?job_id=1&repo=try&task={one}.0&lineNumber=10-20")
    assert resolve(link, queue.http(), ROOT) == Artifact(one, 0, "public/only.log", ROOT, 10, 20)
    assert parse_locator(link.text()) == link and not [path for path in queue.asked if "project" in path]


def test_a_running_task_without_a_log_yet_is_said_to_be_one(queue: FakeQueue) -> None:
    with pytest.raises(NoLog, match="no log yet"):
        log(queue, task(queue, run("running"), artifacts=[]))


def test_a_live_log_under_another_name_is_live(queue: FakeQueue) -> None:
    artifacts = [{**s3("public/mine"), "storageType": "reference"}]
    one = task(queue, run("running"), artifacts=artifacts, payload={"logs": {"live": "public/mine"}})
    address = log_of_task(queue.http(), Task(one, None, ROOT), CancelToken())
    assert address.live and address.elsewhere is not None and address.elsewhere(CancelToken()).live
    assert read(queue, address) == "says public/mine"


def test_the_list_of_tasks_of_runs_and_the_command_find_the_same_log(queue: FakeQueue) -> None:
    from backends.locators.taskcluster_views import TaskRelation

    one = task(queue, run("failed", "failed"), artifacts=[s3("public/only.log")])
    runs: Any = resource_for(TaskRelation("runs", one, ROOT), queue.http(), ROOT)
    (page,) = runs.pages(CancelToken())
    address = runs.log(page.frame.row(0, named=True))
    assert address.failed and read(queue, address) == "says public/only.log"  # opens at the first error
    assert not log_of_task(queue.http(), Task(task(queue, run(), artifacts=[]), None, ROOT), CancelToken()).failed


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("number", [0, None])
def test_an_artifact_that_outlived_its_task_or_is_all_one_may_see_opens(
    queue: FakeQueue, status: int, number: int | None
) -> None:
    one = task(queue, run(), artifacts=[s3("public/a.log")])
    path = f"/api/queue/v1/task/{one}"
    queue.answers[f"{path}/artifacts/public/a.log"] = body("says public/a.log")
    for gone in (path, f"{path}/status", f"{path}/runs/0/artifacts"):
        queue.answers[gone] = reply({"code": "X", "message": "no"}, status)
    named = Artifact(one, number, "public/a.log", ROOT)
    address = log_of_artifact(queue.http(), named, CancelToken())
    assert not address.live and read(queue, address) == "says public/a.log"
    listing = resource_for(named, queue.http(), ROOT)
    (page,) = listing.pages(CancelToken())
    assert page.frame["name"].to_list() == ["public/a.log"] and "cannot be read" in page.note
    row = page.frame.row(0, named=True)
    assert listing.open(row) == named and read(queue, listing.log(row)) == "says public/a.log"
    (file,) = next(iter(listing.files(page.frame, CancelToken())))
    assert file.url == address.url and not file.skip
    with pytest.raises((NotFoundError, AccessDeniedError)):
        list(resource_for(Task(one, number, ROOT), queue.http(), ROOT).pages(CancelToken()))


def test_an_artifact_that_is_not_there_is_said_not_to_be(queue: FakeQueue) -> None:
    address = log_of_artifact(queue.http(), Artifact(task_id(7), 0, "public/a.log", ROOT), CancelToken())
    with pytest.raises(NotFoundError):
        read(queue, address)


def test_the_log_of_a_failed_task_opens_at_its_first_error_from_every_list(queue: FakeQueue) -> None:
    one = task(queue, run("failed", "failed"), artifacts=[s3(BACKING), s3("public/other.log")])
    status = queue.answers[f"/api/queue/v1/task/{one}/status"]["status"]
    definition = queue.answers[f"/api/queue/v1/task/{one}"]
    queue.group([[{"status": status, "task": definition}, entry(2)]])
    group: Any = resource_for(TaskGroup(GROUP, ROOT), queue.http(), ROOT)
    failed, passed = list(group.pages(CancelToken()))[-1].frame.sort("state", descending=True).iter_rows(named=True)
    assert group.log(failed).failed and not group.log(passed).failed
    artifacts: Any = resource_for(Task(one, None, ROOT), queue.http(), ROOT)
    (page,) = artifacts.pages(CancelToken())
    assert [artifacts.log(row).failed for row in page.frame.sort("name").iter_rows(named=True)] == [True, False]
    for named in (Artifact(one, None, BACKING, ROOT), Artifact(one, 0, BACKING, ROOT)):
        assert log_of_artifact(queue.http(), named, CancelToken()).failed
    assert log_of_task(queue.http(), Task(one, None, ROOT), CancelToken()).failed
