"""The 45 exchanges recorded with the real queue and index (v106) are each answered as recorded and read as meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from backends.cancel import CancelToken
from backends.http import CachePolicy, Http
from backends.http.errors import (
    AccessDeniedError,
    BadRequestError,
    FailedDependencyError,
    GoneError,
    HttpError,
    NotFoundError,
)
from backends.systems import parse_locator
from backends.taskcluster.client import Client
from backends.taskcluster.locators import Artifact, IndexPath, Task, TaskclusterLocator, TaskGroup
from backends.taskcluster.task_rows import decode_rows
from tests.taskcluster.fake_queue import ROOT

FILE = "taskcluster/real-queue-v106-captures/http_exchanges.json"
PROBLEMS = {
    400: BadRequestError,
    403: AccessDeniedError,
    404: NotFoundError,
    410: GoneError,
    424: FailedDependencyError,
}
Exchange = dict[str, Any]


def recorded() -> list[Any]:
    file = Path(__file__).parents[2].parent / "shared" / "samples" / FILE
    if not file.is_file():
        return [pytest.param(None, marks=pytest.mark.skip("the recorded exchanges are not on this machine"))]
    return [pytest.param(one, id=one["case"]) for one in json.loads(file.read_text())]


EXCHANGES = recorded()
queue_exchanges = pytest.mark.parametrize("exchange", EXCHANGES)


def replaying(exchange: Exchange) -> Http:
    """A server that gives this one answer to this one path."""
    path = unquote(urlsplit(exchange["request"]["path"]).path)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == path
        body = exchange["body"]
        headers = {name: value for name, value in exchange["headers"].items() if name.lower() != "content-length"}
        content = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        headers.pop("content-encoding", None)
        return httpx.Response(exchange["status"], headers=headers, content=content)

    return Http(transport=httpx.MockTransport(answer), tries=1, pause=lambda seconds, cancel: None)


def ask(client: Client, exchange: Exchange) -> Callable[[], Any]:
    """What of ours asks for this path."""
    path, http = unquote(urlsplit(exchange["request"]["path"]).path), client.http
    if exchange["request"]["method"] == "POST":
        return partial(http.post, ROOT + path, b"{}", idempotent=True)
    parts = path.split("/")[2:]
    match parts:
        case ["queue", "v1", "task-group", group]:
            return partial(client.fetch_group, group)
        case ["queue", "v1", "task-group", group, "list"]:
            return lambda: next(client.iter_group_pages(group, CancelToken()))
        case ["queue", "v1", "task", task]:
            return partial(client.fetch_definition, task)
        case ["queue", "v1", "task", task, "status"]:
            return partial(client.fetch_status, task)
        case ["queue", "v1", "task", task, "runs", run, "artifacts"]:
            return partial(client.fetch_artifacts, task, int(run), True)
        case ["index", "v1", "task", index_path]:
            return partial(client.find_task, index_path)
        case ["index", "v1", "tasks", namespace]:
            return lambda: next(client.fetch_index("tasks", namespace, None))[0]
    if exchange["status"] == 303 or "artifacts" in parts[4:]:
        return partial(http.locate, ROOT + exchange["request"]["path"])
    return partial(http.get, ROOT + exchange["request"]["path"], policy=CachePolicy.never())


@queue_exchanges
def test_an_answer_is_read_as_what_it_is(exchange: Exchange) -> None:
    client = Client(replaying(exchange), ROOT)
    question, status = ask(client, exchange), exchange["status"]
    if status in PROBLEMS:
        with pytest.raises(HttpError) as raised:
            question()
        assert type(raised.value) is PROBLEMS[status]
        body = exchange["body"]
        words = str(body.get("message") or body.get("error") or "").splitlines()[0]
        if body.get("code") == "InsufficientScopes":
            words = "it needs the scope queue:get-artifact:"
        assert words[:60] in raised.value.sentence
        assert "requestInfo" not in str(raised.value)
        return
    found = question()
    if status == 303:
        location = {name.lower(): value for name, value in exchange["headers"].items()}["location"]
        assert found.url == location


@pytest.mark.parametrize("exchange", [one for one in EXCHANGES if one.values[0] and one.values[0]["status"] == 200])
def test_what_an_answer_holds_is_kept(exchange: Exchange) -> None:
    client = Client(replaying(exchange), ROOT)
    body = exchange["body"]
    if not isinstance(body, dict) or exchange["request"]["method"] != "GET":
        pytest.skip("not an answer that is read")
    found = ask(client, exchange)()
    path = exchange["request"]["path"]
    if "/list" in path:
        frame, unreadable = decode_rows(found.envelope.tasks, "g")
        assert unreadable == 0
        assert frame["task_id"].to_list() == [one["status"]["taskId"] for one in body["tasks"]]
        assert frame["state"].to_list() == [one["status"]["state"] for one in body["tasks"]]
        assert (found.envelope.continuationToken or "") == body.get("continuationToken", "")
    elif path.endswith("/status"):
        status, _ = found
        assert [run.state for run in status.runs] == [run["state"] for run in body["status"]["runs"]]
        assert [run.reasonResolved for run in status.runs] == [
            run.get("reasonResolved") for run in body["status"]["runs"]
        ]
    elif path.endswith("/runs/0/artifacts"):
        recorded = sorted(body["artifacts"], key=lambda one: one["name"])
        assert [one.name for one in found.entries] == [one["name"] for one in recorded]
        assert [one.contentLength for one in found.entries] == [one.get("contentLength") for one in recorded]
    elif "/index/v1/task/" in path:
        assert found == body["taskId"]
    elif "/index/v1/tasks/" in path:
        assert [one.taskId for one in found] == [one["taskId"] for one in body["tasks"]]


@queue_exchanges
def test_every_recorded_address_pastes_as_what_it_is(exchange: Exchange) -> None:
    path = exchange["request"]["path"]
    if not path.startswith("/api/") or path.endswith("/nothing") or "bad" in path or "/queue/v1/tasks" in path:
        pytest.skip("an address of nothing that can be opened")
    if "/index/v1/tasks" in path or "/index/v1/namespaces" in path:
        pytest.skip("a namespace is no task")
    found = parse_locator(ROOT + path)
    parts = unquote(urlsplit(path).path).split("/")
    expected: type[TaskclusterLocator] = TaskGroup if "task-group" in parts else Task
    if parts[2] == "index":
        expected = IndexPath
    elif parts[-1] != "artifacts" and any(part.startswith("artifact") for part in parts):
        expected = Artifact
    assert type(found) is expected
    assert parse_locator(found.text()) == found
