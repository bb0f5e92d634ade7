"""A queue in a few lines, for what a real one never does: handed to `Http` as its transport."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from backends.cancel import CancelToken
from backends.http import Http, Mode
from backends.locators import Locator
from backends.resources import Page
from backends.systems import load
from backends.taskcluster.client import Client
from backends.taskcluster.urls import normalise_root

ROOT = "https://tc.example"
GROUP = "fN1SbArXTPSVFNUvaOlinQ"
Handler = Callable[[httpx.Request], httpx.Response]


def task_id(number: int) -> str:
    return f"T{number:07d}SACabcdefghijA"


def entry(number: int, *, state: str = "completed", **members: Any) -> dict[str, Any]:
    """One entry of a task group's listing, with one run unless it is unscheduled."""
    run = {
        "runId": 0,
        "state": state,
        "reasonCreated": "scheduled",
        "reasonResolved": state,
        "scheduled": "2026-11-20T10:00:00.000Z",
        "started": "2026-11-20T10:01:00.000Z",
        "resolved": "2026-11-20T10:31:00.500Z",
    }
    runs = [] if state == "unscheduled" else [run]
    task = {
        "created": f"2026-11-20T09:00:{number % 60:02d}.000Z",
        "deadline": "2026-11-21T09:00:00.000Z",
        "metadata": {"name": f"test-linux/opt-suite-{number}", "owner": "a@example.org"},
        "tags": {"kind": "test"},
        "extra": {},
    }
    status = {"taskId": task_id(number), "taskGroupId": GROUP, "state": state, "runs": runs}
    return {"status": status, "task": {**task, **members}}


def reply(value: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=value)


def not_found() -> httpx.Response:
    return reply({"code": "ResourceNotFound", "message": "No such thing\n\n---\n\n* method: x"}, 404)


class FakeQueue:
    """Answers by path from `answers`: a value is a JSON reply, a response is itself, a function is called.

    `group(pages)` sets the pages of `GROUP`: their tokens are "1", "2", ... `asked` are the paths with query.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.down = False

    def group(self, pages: list[list[Any]], **members: Any) -> None:
        def page(request: httpx.Request) -> httpx.Response:
            number = int(request.url.params.get("continuationToken", "0"))
            token = {"continuationToken": str(number + 1)} if number + 1 < len(pages) else {}
            return reply({"taskGroupId": GROUP, "tasks": pages[number], **members, **token})

        self.answers[f"/api/queue/v1/task-group/{GROUP}"] = {"taskGroupId": GROUP, **members}
        self.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page

    def task(self, number: int, artifacts: Iterable[list[dict[str, Any]]], **members: Any) -> str:
        """A task with one list of artifacts a run."""
        one = task_id(number)
        runs = [{"runId": run, "state": "completed"} for run, _ in enumerate(artifacts)]
        path = f"/api/queue/v1/task/{one}"
        self.answers[path] = {"taskGroupId": GROUP, "metadata": {"name": f"name-{number}"}}
        self.answers[f"{path}/status"] = {
            "status": {"taskId": one, "taskGroupId": GROUP, "state": "completed", "runs": runs, **members}
        }
        for run, listed in enumerate(artifacts):
            self.answers[f"{path}/runs/{run}/artifacts"] = {"artifacts": listed}
        return one

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody listens", request=request)
        self.asked.append(request.url.raw_path.decode())
        answer = self.answers.get(request.url.path)
        if answer is None:
            return not_found()
        if isinstance(answer, httpx.Response):
            return answer
        return answer(request) if callable(answer) else reply(answer)

    def http(self, cache: Path | None = None, mode: Mode = Mode.NORMAL) -> Http:
        return Http(
            cache_dir=cache, mode=mode, transport=httpx.MockTransport(self), tries=1, pause=lambda seconds, cancel: None
        )


def body(value: Any) -> httpx.Response:
    """A reply of exactly these bytes or this text."""
    content = value if isinstance(value, bytes) else str(value).encode()
    return httpx.Response(200, content=content, headers={"content-type": "application/json"})


def shown(pages: Iterable[Page]) -> dict[str, dict[str, Any]]:
    """What a table shows in the end: rows by key, as `Page` says that pages are put together."""
    rows: dict[str, dict[str, Any]] = {}
    for page in pages:
        if page.replace:
            rows.clear()
        key = "task_id" if "state" in page.frame.columns else "key"
        rows.update((row[key], row) for row in page.frame.iter_rows(named=True))
    return rows


def open_list(locator: Locator, http: Http, root: str) -> Any:
    """The list that a locator opens, on the deployment that it names or else on `root`."""
    return load(locator.listing())(locator, Client(http, normalise_root(getattr(locator, "root_url", "") or root)))


def listed(resource: Any) -> list[Page]:
    return list(resource.pages(CancelToken()))


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
