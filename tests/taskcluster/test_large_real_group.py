"""A group of 2,000 tasks as Firefox CI defines them: all of them are listed, in pages, whatever coding they come in."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from backends.cancel import CancelToken
from backends.resources import read_list
from backends.taskcluster.locators import TaskGroup
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, open_list, task_id

COUNT, PAGE = 2000, 1000
CODINGS = {
    "gzip": gzip.compress,
    "br": lambda body: brotli.compress(body, quality=4),
    "zstd": zstandard.compress,
    "": bytes,
}
SENT = 16 << 10  # bytes at a time


class Pieces(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), SENT):
            yield self._body[start : start + SENT]


@pytest.fixture(scope="module")
def bodies(samples: Path) -> list[bytes]:
    path = samples / "taskcluster/code-coverage/listTaskGroup_2018_page1_200tasks.json"
    if not path.exists():
        pytest.skip("the recorded listing is not on this machine")
    recorded = json.loads(path.read_bytes())["tasks"]
    pages: list[bytes] = []
    for start in range(0, COUNT, PAGE):
        tasks: list[Any] = []
        for number in range(start, start + PAGE):
            one = recorded[number % len(recorded)]
            tasks.append({**one, "status": {**one["status"], "taskId": task_id(number), "taskGroupId": GROUP}})
        more = {"continuationToken": str(start + PAGE)} if start + PAGE < COUNT else {}
        pages.append(json.dumps({"taskGroupId": GROUP, "tasks": tasks, **more}, indent=2).encode())
    return pages


@pytest.mark.parametrize("coding", CODINGS)
def test_two_thousand_tasks_are_listed_whole_in_any_coding(queue: FakeQueue, bodies: list[bytes], coding: str) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        body = bodies[int(request.url.params.get("continuationToken", "0")) // PAGE]
        assert len(body) > 4 << 20  # as large as real ones, so that a decoder has to be drained
        headers = {"content-type": "application/json", **({"content-encoding": coding} if coding else {})}
        return httpx.Response(200, stream=Pieces(CODINGS[coding](body)), headers=headers)

    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    found = read_list(open_list(TaskGroup(GROUP), queue.http(), ROOT), CancelToken())
    assert found.frame["task_id"].to_list() == [task_id(number) for number in range(COUNT)]
    assert not found.partial and found.frame["name"].null_count() == 0
