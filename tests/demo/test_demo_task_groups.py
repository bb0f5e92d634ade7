"""Does the synthetic queue list, page and refuse as the real one does?"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.demo.deterministic_random import slugid
from backends.demo.taskcluster.service import SLUGID, offset_in_token, offset_token
from tests.demo.asking import OPTIONS, Demo

UNKNOWN = "AAAAAAAAQAKAAAAAAAAAAA"


def test_a_group_has_as_many_tasks_as_were_asked_for_each_once_and_ordered_by_id(demo: Demo) -> None:
    ids = [entry["status"]["taskId"] for entry in demo.tasks(demo.id("finished-group"), 400)]
    assert len(ids) == OPTIONS.tasks
    assert ids == sorted(set(ids))


def test_a_page_holds_at_most_a_thousand_tasks_however_many_are_asked_for(demo: Demo) -> None:
    page = demo.json(f"/task-group/{demo.id('finished-group')}/list", params={"limit": 5000})
    assert len(page["tasks"]) == 1000


def test_limit_zero_looks_like_an_empty_group(demo: Demo) -> None:
    page = demo.json(f"/task-group/{demo.id('finished-group')}/list", params={"limit": 0})
    assert page["tasks"] == []
    assert "continuationToken" not in page


def test_a_full_last_page_has_a_token_with_nothing_behind_it(demo: Demo) -> None:
    url = f"/task-group/{demo.id('finished-group')}/list"
    first = demo.json(url, params={"limit": 625})
    second = demo.json(url, params={"limit": 625, "continuationToken": first["continuationToken"]})
    third = demo.json(url, params={"limit": 625, "continuationToken": second["continuationToken"]})
    assert third["tasks"] == []
    assert "continuationToken" not in third


def test_a_damaged_token_silently_starts_again(demo: Demo) -> None:
    url = f"/task-group/{demo.id('finished-group')}/list"
    first = demo.json(url, params={"limit": 2})
    again = demo.json(url, params={"limit": 2, "continuationToken": "zzz"})
    assert again["tasks"] == first["tasks"]


@given(st.integers(0, 10**7))
def test_a_token_leads_to_its_offset(offset: int) -> None:
    assert offset_in_token(offset_token(offset)) == offset


@given(st.integers())
def test_every_id_passes_the_real_pattern(number: int) -> None:
    assert re.fullmatch(SLUGID, slugid("any", number))


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        ("/task-group/{finished}/list?limit=abc", 400, "InvalidRequestArguments", 'limit="abc" does not match'),
        ("/task-group/{finished}/list?foo=1", 400, "InvalidRequestArguments", "foo is not supported"),
        ("/task-group/{finished}/list?continuationToken=%21%21", 400, "InputError", "Invalid continuation token"),
        ("/task-group/bad/list", 400, "InvalidRequestArguments", "'taskGroupId' given as 'bad'"),
        (f"/task-group/{UNKNOWN}/list", 404, "ResourceNotFound", f"`{UNKNOWN}`"),
        (f"/task/{UNKNOWN}", 404, "ResourceNotFound", "does not correspond to a task that exists"),
        (f"/task/{UNKNOWN}/status", 404, "ResourceNotFound", "does not correspond"),
        ("/task/{task}/runs/x/artifacts", 400, "InvalidRequestArguments", "'runId' given as 'x'"),
        ("/task/{task}/runs/7/artifacts", 404, "ResourceNotFound", "has no run with runId: 7"),
        ("/task/{unscheduled}/artifacts", 404, "ResourceNotFound", "Task doesn't have any runs"),
        ("/task/{task}/artifacts/public/nope", 404, "ResourceNotFound", "Artifact not found"),
        ("/task/{kinds}/artifacts/private/secret.txt", 403, "InsufficientScopes", "queue:get-artifact:private"),
        ("/task/{kinds}/artifacts/public/kinds/expired.bin", 410, "ResourceExpired", "Artifact expired"),
    ],
)
def test_refusals_read_as_the_real_ones(demo: Demo, path: str, status: int, code: str, words: str) -> None:
    ids = {
        "finished": demo.id("finished-group"),
        "task": demo.id("task"),
        "unscheduled": demo.id("unscheduled-task"),
        "kinds": demo.id("artifact-kinds-task"),
    }
    answer = demo.get(path.format(**ids))
    body = answer.json()
    assert answer.status_code == status
    assert body["code"] == code
    assert words in body["message"]
    assert body["message"].split("\n\n---\n\n")[1].startswith(f"* method:     {body['requestInfo']['method']}\n")
    assert list(body) == ["code", "message", "requestInfo"]


def test_wrong_credentials_are_refused_not_taken_for_nobody(demo: Demo) -> None:
    header = {"Authorization": 'Hawk id="somebody", ts="1", nonce="n", mac="m"'}
    answer = demo.get(f"/task/{demo.id('task')}", headers=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "AuthenticationFailed")


def test_an_unknown_route_and_a_wrong_root_are_told_apart(demo: Demo) -> None:
    unknown = demo.get("/nothing")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Not found"})
    for path in ("/", "/login", "/api-docs"):
        page = demo.get(demo.server.root_url + path)
        assert page.headers["content-type"].startswith("text/html")


def test_answers_are_indented_json_and_gzipped_only_when_asked(demo: Demo) -> None:
    url = f"{demo.queue}/task-group/{demo.id('finished-group')}/list?limit=5"
    plain = demo.get(url, headers={"Accept-Encoding": "identity"})
    zipped = demo.get(url, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert plain.content == zipped.content
    assert plain.text.startswith('{\n  "taskGroupId": ')


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("zstd", "zstd"),
        ("identity", None),
        ("", None),
    ],
)
def test_listings_are_compressed_as_a_real_queue_would(accept: str, coding: str | None, demo: Demo) -> None:
    answer = demo.get(f"/task-group/{demo.id('finished-group')}/list?limit=5", headers={"Accept-Encoding": accept})
    assert answer.headers.get("content-encoding") == coding
    assert len(answer.json()["tasks"]) == 5


def test_an_unchanged_answer_is_304_by_its_etag(demo: Demo) -> None:
    url = f"/task/{demo.id('task')}"
    etag = demo.get(url).headers["etag"]
    assert etag.startswith('W/"')
    assert demo.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_the_decision_task_gives_the_group_its_id_and_the_index_finds_it(demo: Demo) -> None:
    group_id = demo.id("finished-group")
    task = demo.json(f"/task/{group_id}")
    assert task["metadata"]["name"] == "Gecko Decision Task"
    assert task["taskGroupId"] == group_id
    revision = re.search(r"revision=([0-9a-f]{40})", task["metadata"]["description"])
    assert revision is not None
    for path in (f"revision.{revision[1]}.taskgraph.decision", "latest.taskgraph.decision"):
        found = demo.json(f"{demo.index}/task/gecko.v2.autoland.{path}")
        assert found["taskId"] == group_id
    listed = demo.json(f"{demo.index}/tasks/gecko.v2.autoland.revision.{revision[1]}.taskgraph")
    assert [entry["taskId"] for entry in listed["tasks"]] == [group_id]
    spaces = demo.json(f"{demo.index}/namespaces/gecko.v2")
    assert [entry["name"] for entry in spaces["namespaces"]] == ["autoland", "try"]
    assert demo.get(f"{demo.index}/task/gecko.v2.nope").json()["code"] == "ResourceNotFound"


def test_batches_answer_known_ids_and_drop_the_others(demo: Demo) -> None:
    ids = [demo.id("task"), UNKNOWN, demo.id("failed-task")]
    statuses = demo.client.post(f"{demo.queue}/tasks/status", json={"taskIds": ids}).json()["statuses"]
    tasks = demo.client.post(f"{demo.queue}/tasks", json={"taskIds": ids}).json()["tasks"]
    assert [entry["taskId"] for entry in statuses] == [entry["taskId"] for entry in tasks] == [ids[0], ids[2]]
    assert statuses[1]["status"]["state"] == "failed"
    assert demo.client.post(f"{demo.queue}/tasks/status", content=b"{").status_code == 400


def test_dependents_of_a_build_name_it(demo: Demo) -> None:
    build = next(
        entry
        for entry in demo.tasks(demo.id("finished-group"))
        if entry["task"]["metadata"]["name"] == "build-linux64-shippable/opt"
    )["status"]["taskId"]
    page = demo.json(f"/task/{build}/dependents", params={"limit": 3})
    assert len(page["tasks"]) == 3
    assert all(build in entry["task"]["dependencies"] for entry in page["tasks"])


def test_the_finished_group_looks_like_a_push_of_firefox(demo: Demo) -> None:
    entries = demo.tasks(demo.id("finished-group"))
    states = Counter(entry["status"]["state"] for entry in entries)
    assert set(states) == {"completed", "failed", "exception"}
    assert 0.90 < states["completed"] / len(entries) < 0.97
    names = Counter(entry["task"]["metadata"]["name"] for entry in entries)
    assert max(names.values()) >= 3, "retriggers are tasks of the same name"
    reasons = {run.get("reasonResolved") for entry in entries for run in entry["status"]["runs"]}
    assert {"worker-shutdown", "claim-expired", "deadline-exceeded", "intermittent-task"} <= reasons
    suites = {type(entry["task"]["extra"].get("suite")) for entry in entries}
    assert suites == {str, dict, type(None)}
    sizes = sorted(len(msgspec.json.encode(entry)) for entry in entries)
    assert 4_500 < sizes[len(sizes) // 2] < 7_500


def test_the_hostile_group_is_readable_json_and_hostile(demo: Demo) -> None:
    entries = demo.tasks(demo.id("hostile-group"))
    names = [entry["task"]["metadata"]["name"] for entry in entries if "metadata" in entry["task"]]
    for fragment in ("[bold red]", "\x1b[", "\u202e", "../../etc/passwd", "测试"):
        assert any(fragment in name for name in names), fragment
    assert max(map(len, names)) == 4_000
    assert "deferred" in {entry["status"]["state"] for entry in entries}
    assert any(entry["status"]["runs"] is None for entry in entries)


def test_the_empty_group_is_a_group_without_tasks(demo: Demo) -> None:
    assert demo.tasks(demo.id("empty-group")) == []


def keys(value: dict[str, Any]) -> set[str]:
    return set(value)


def test_tasks_have_the_keys_that_real_tasks_have(demo: Demo, samples: Path) -> None:
    captured = msgspec.json.decode((samples / "taskcluster/real-queue-v106-captures/http_exchanges.json").read_bytes())
    by_case = {entry["case"]: entry["body"] for entry in captured}
    ours = demo.json(f"/task/{demo.id('task')}")
    real = by_case["task definition"]
    assert keys(real) == keys(ours)
    status = demo.json(f"/task/{demo.id('task')}/status")["status"]
    real_status = by_case["status of task 0"]["status"]
    assert list(real_status) == list(status)
    assert list(real_status["runs"][0]) == list(status["runs"][0])
    real_artifacts = by_case["listLatestArtifacts"]["artifacts"]
    for entry in demo.artifacts(demo.id("artifact-kinds-task")):
        assert keys(real_artifacts[0]) - keys(entry) <= {"contentLength"}
        assert keys(entry) <= keys(real_artifacts[0])
    older = msgspec.json.decode((samples / "taskcluster/code-coverage/group_member_task_and_status.json").read_bytes())
    mochitest = demo.json(f"/task/{demo.id('failed-task')}")
    assert keys(older["task"]["extra"]) - keys(mochitest["extra"]) == set()
    assert keys(older["task"]["tags"]) - keys(mochitest["tags"]) == set()
    assert keys(older["task"]["extra"]["treeherder"]) == keys(mochitest["extra"]["treeherder"])


def test_every_request_is_remembered_for_tests_that_count_them(demo: Demo) -> None:
    before = len(demo.server.requests)
    httpx.get(f"{demo.queue}/task/{demo.id('task')}")
    assert tuple(demo.server.requests)[before:] == (("GET", f"/api/queue/v1/task/{demo.id('task')}", 200),)
