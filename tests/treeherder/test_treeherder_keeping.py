"""How long an answer holds: what cannot change any more is asked for once, what can is asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.http import Mode
from backends.http.answers import Source
from tests.treeherder.fake_treeherder import FakeTreeherder

SIGNATURES = "/api/project/autoland/performance/signatures/"
JOBS = "/api/project/autoland/jobs/"


def test_reference_data_is_asked_for_once(fake: FakeTreeherder, tmp_path: Path) -> None:
    calls: list[str] = []

    def listing(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        return httpx.Response(200, json=[{"id": 13, "name": "browsertime"}])

    fake.answers["/api/performance/framework/"] = listing
    for _ in range(3):
        assert fake.client(cache_dir=tmp_path).framework_names() == {13: "browsertime"}
    assert len(calls) == 1
    offline = fake.client(cache_dir=tmp_path, mode=Mode.OFFLINE).frameworks()
    assert offline.origin.source is Source.CACHE


ENDED = {"id": 1, "push_id": 7, "state": "completed", "result": "success", "end_timestamp": 1_600_000_000}
KEPT = {
    "all ended long ago": ([ENDED], 1),
    "one still runs": ([ENDED, {**ENDED, "id": 2, "state": "running", "end_timestamp": 0}], 2),
    "just ended": ([{**ENDED, "end_timestamp": 4_000_000_000}], 2),
}


@pytest.mark.parametrize("name", KEPT)
def test_jobs_are_kept_only_once_they_cannot_change(fake: FakeTreeherder, tmp_path: Path, name: str) -> None:
    jobs, calls = KEPT[name]
    fake.answers[JOBS] = {"results": jobs}
    fake.client(cache_dir=tmp_path).jobs_of_push("autoland", 7)
    fake.client(cache_dir=tmp_path, later=600).jobs_of_push("autoland", 7)
    assert len(fake.asked) == calls


def test_a_long_look_back_at_signatures_is_kept_longer(fake: FakeTreeherder) -> None:
    held: dict[int, float | None] = {}
    fake.answers[SIGNATURES] = {}
    treeherder = fake.client()
    ask = treeherder.asker.ask

    def noted(path: str, params: Any = None, *, policy: Any, cancel: Any = None) -> Any:
        if "signatures" in path:
            held[params["interval"]] = policy.ttl
        return ask(path, params, policy=policy, cancel=cancel)

    treeherder.asker.ask = noted  # type: ignore[method-assign]
    for days in (1, 2, 14, 365):
        treeherder.signatures("autoland", interval=days * 86400)
    assert list(held.values()) == [864, 1728, 3600, 3600]
