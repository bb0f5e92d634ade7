"""Artifacts: of all runs, all pages, with what cannot be fetched marked before anybody tries."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http.errors import HttpError, NotFoundError
from backends.taskcluster.artifacts import ArtifactList
from backends.taskcluster.locators import Artifact, Task, TaskArtifacts, TaskGroup
from backends.taskcluster.urls import artifact_url
from backends.transfers.files import RemoteFile
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, listed, open_list, reply, shown, task_id

LOG = {"storageType": "s3", "name": "public/logs/live_backing.log", "contentType": "text/plain", "contentLength": 9}
LIVE = {"storageType": "reference", "name": "public/logs/live.log", "contentType": "text/plain"}
BROKEN = {"storageType": "error", "name": "public/missing.json"}


def artifacts_of(queue: FakeQueue, *ids: str, run: int | None = None, cache: Path | None = None) -> ArtifactList:
    locator = Task(ids[0], run, ROOT) if len(ids) == 1 else TaskArtifacts(ids, ROOT)
    return open_list(locator, queue.http(cache), ROOT)


def files_of(resource: Any, queue: FakeQueue) -> list[RemoteFile]:
    frame = listed(resource)[-1].frame
    return [file for batch in resource.files(frame, CancelToken()) for file in batch]


def test_the_artifacts_of_earlier_runs_are_shown_too(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG, BROKEN], []], state="pending")
    rows = shown(listed(artifacts_of(queue, one)))
    assert {(row["run"], row["name"]) for row in rows.values()} == {(0, LOG["name"]), (0, BROKEN["name"])}
    assert shown(listed(artifacts_of(queue, one, run=1))) == {}


def test_more_than_a_page_of_artifacts_is_shown_whole(queue: FakeQueue) -> None:
    one = queue.task(1, [[]])

    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("continuationToken", "0"))
        token = {"continuationToken": str(number + 1)} if number < 3 else {}
        listed = [{**LOG, "name": f"public/{number}/{index}"} for index in range(1000 if number < 3 else 0)]
        return reply({"artifacts": listed, **token})

    queue.answers[f"/api/queue/v1/task/{one}/runs/0/artifacts"] = page
    assert len(shown(listed(artifacts_of(queue, one)))) == 3000


def test_a_repeated_artifact_token_ends_the_listing_and_is_told(queue: FakeQueue) -> None:
    one = queue.task(1, [[]])
    queue.answers[f"/api/queue/v1/task/{one}/runs/0/artifacts"] = {"artifacts": [LOG], "continuationToken": "same"}
    pages = listed(artifacts_of(queue, one))
    assert len(shown(pages)) == 1
    assert "repeated a page token" in pages[-1].note


def test_a_task_that_has_not_run_says_so(queue: FakeQueue) -> None:
    one = queue.task(1, [], state="unscheduled")
    assert listed(artifacts_of(queue, one))[-1].note == "The task has not run yet."


def test_a_run_that_does_not_exist_is_named_with_those_that_do(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG], [LOG]])
    with pytest.raises(NotFoundError, match="has no run 7: it has 0 to 1"):
        listed(artifacts_of(queue, one, run=7))


def test_of_several_tasks_the_missing_ones_do_not_hide_the_others(queue: FakeQueue) -> None:
    ids = [queue.task(number, [[LOG]]) for number in range(20)]
    pages = listed(artifacts_of(queue, *ids, task_id(99)))
    assert len(shown(pages)) == 20
    assert "1 of 21 tasks could not be listed" in pages[-1].note


def test_when_no_task_can_be_listed_it_is_a_failure_and_not_an_empty_list(queue: FakeQueue) -> None:
    with pytest.raises(NotFoundError):
        listed(artifacts_of(queue, task_id(1)))
    with pytest.raises(NotFoundError):
        listed(artifacts_of(queue, task_id(1), task_id(2)))
    queue.down = True
    with pytest.raises(HttpError):
        listed(artifacts_of(queue, task_id(1), task_id(2)))


def test_the_name_of_the_task_may_be_missing_but_not_its_artifacts(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG]])
    assert next(iter(shown(listed(artifacts_of(queue, one))).values()))["task_name"] == "name-1"
    queue.answers[f"/api/queue/v1/task/{one}"] = httpx.Response(200, html="<html>")
    assert next(iter(shown(listed(artifacts_of(queue, one))).values()))["task_name"] is None


def test_an_artifact_of_any_shape_loses_no_other(queue: FakeQueue) -> None:
    odd: list[Any] = [LOG, None, 5, {}, {"name": None}, {"name": "public/x", "contentLength": "12", "expires": 7}]
    one = queue.task(1, [odd])
    pages = listed(artifacts_of(queue, one))
    rows = {row["name"]: row for row in shown(pages).values()}
    assert rows.keys() == {LOG["name"], "public/x"}
    assert (rows["public/x"]["size"], rows["public/x"]["expires"]) == (12, None)
    assert "4 entries without a name" in pages[-1].note


def test_what_cannot_be_fetched_is_marked_with_the_reason(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG, LIVE, BROKEN]])
    status = queue.answers[f"/api/queue/v1/task/{one}/status"]["status"]
    reasons = {file.parts[-1]: file.skip for file in files_of(artifacts_of(queue, one), queue)}
    assert reasons["live_backing.log"] == "" and reasons["live.log"] == ""
    assert "error artifact" in reasons["missing.json"]
    status["runs"][0]["state"] = status["state"] = "running"
    reasons = {file.parts[-1]: file.skip for file in files_of(artifacts_of(queue, one), queue)}
    assert reasons["live.log"] == "still being written" and reasons["live_backing.log"] == ""


def test_a_file_goes_under_its_group_task_and_run_and_keeps_its_size_and_expiry(queue: FakeQueue) -> None:
    one = queue.task(1, [[{**LOG, "name": "public/test_info//raw.log", "expires": "2026-12-11T21:14:32.000Z"}]])
    (file,) = files_of(artifacts_of(queue, one), queue)
    assert file.parts == (GROUP, "name-1", one, "0", "public", "test_info", "", "raw.log")
    assert file.url == f"{ROOT}/api/queue/v1/task/{one}/runs/0/artifacts/public/test_info//raw.log"
    assert file.key == f"{ROOT}/{one}/0/public/test_info//raw.log"
    assert (file.size, file.content_type, file.expires_ms) == (9, "text/plain", 1797023672000)


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        ("public/a b", "public/a%20b"),
        ("public/../../x", "public%2F..%2F..%2Fx"),
        ("public/a?b#c", "public/a%3Fb%23c"),
        ("public/%2e%2e", "public/%252e%252e"),
    ],
)
def test_no_artifact_name_changes_which_address_is_asked(name: str, tail: str) -> None:
    url = artifact_url(ROOT, "T", 0, name)
    assert url == f"{ROOT}/api/queue/v1/task/T/runs/0/artifacts/{tail}"
    assert httpx.URL(url).raw_path.decode() == url.removeprefix(ROOT)


def test_enter_opens_the_artifact_of_its_run(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG], [LOG]])
    resource = artifacts_of(queue, one)
    row = next(row for row in shown(listed(resource)).values() if row["run"] == 1)
    assert resource.open(row) == Artifact(one, 1, LOG["name"], ROOT)
    assert resource.web_url(row) == f"{ROOT}/tasks/{one}/runs/1/public%2Flogs%2Flive_backing.log"
    assert resource.detail(row).title == LOG["name"]


def test_the_status_line_tells_size_and_what_has_no_content(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG, LIVE, BROKEN]])
    resource = artifacts_of(queue, one)
    assert resource.summary(listed(resource)[-1].frame) == "9 B · 1 without content"


def test_a_resolved_runs_artifacts_are_there_offline(queue: FakeQueue, tmp_path: Path) -> None:
    one = queue.task(1, [[LOG]])
    before = shown(listed(artifacts_of(queue, one, cache=tmp_path)))
    queue.down = True
    assert shown(listed(artifacts_of(queue, one, cache=tmp_path))) == before


def group_files(queue: FakeQueue, cancel: CancelToken | None = None) -> list[RemoteFile]:
    resource = open_list(TaskGroup(GROUP, ROOT), queue.http(), ROOT)
    frame = listed(resource)[-1].frame
    return [file for batch in resource.files(frame, cancel or CancelToken()) for file in batch]


def test_a_bulk_download_of_tasks_has_all_artifacts_of_all_their_runs(queue: FakeQueue) -> None:
    for number in range(30):
        queue.task(number, [[LOG, BROKEN]])
    queue.group([[entry(number) for number in range(30)]])
    files = group_files(queue)
    assert Counter(file.parts[2] for file in files) == {task_id(number): 2 for number in range(30)}
    assert all(file.parts[:2] == (GROUP, f"test-linux/opt-suite-{int(file.parts[2][1:8])}") for file in files)
    assert not any(path.endswith("/status") for path in queue.asked), "a resolved task's runs are in its row"


def test_an_unresolved_task_is_asked_for_its_runs(queue: FakeQueue) -> None:
    queue.task(1, [[LOG], [LIVE]])
    queue.answers[f"/api/queue/v1/task/{task_id(1)}/status"]["status"]["runs"][1]["state"] = "running"
    queue.group([[entry(1, state="running")]])
    assert {(file.parts[3], file.skip) for file in group_files(queue)} == {("0", ""), ("1", "still being written")}


def test_a_task_whose_artifacts_cannot_be_listed_stays_in_the_plan_with_the_reason(queue: FakeQueue) -> None:
    queue.task(1, [[LOG]])
    queue.group([[entry(1), entry(2)]])
    files = {file.parts[2]: file for file in group_files(queue)}
    assert files[task_id(1)].skip == ""
    assert "cannot be listed" in files[task_id(2)].skip


def test_a_server_that_fails_ends_the_bulk_download_instead_of_shortening_it(queue: FakeQueue) -> None:
    queue.group([[entry(1), entry(2)]])
    queue.answers[f"/api/queue/v1/task/{task_id(2)}/runs/0/artifacts"] = reply({}, 503)
    with pytest.raises(HttpError):
        group_files(queue)


def test_a_stopped_bulk_download_asks_for_no_more_tasks(queue: FakeQueue) -> None:
    cancel = CancelToken()

    def stop(request: httpx.Request) -> httpx.Response:
        cancel.cancel()
        return reply({"artifacts": []})

    count = 500
    for number in range(count):
        queue.answers[f"/api/queue/v1/task/{task_id(number)}/runs/0/artifacts"] = stop
    queue.group([[entry(number) for number in range(count)]])
    with pytest.raises(OperationCancelledError):
        group_files(queue, cancel)
    assert len(queue.asked) < 100


def test_globs_find_the_files_of_a_list_and_of_a_group_alike(queue: FakeQueue) -> None:
    one = queue.task(1, [[LOG, LIVE]])
    resource = artifacts_of(queue, one)
    files = [file for batch in resource.files(listed(resource)[-1].frame, CancelToken()) for file in batch]
    assert {file.name for file in files} == {LOG["name"], LIVE["name"]}
