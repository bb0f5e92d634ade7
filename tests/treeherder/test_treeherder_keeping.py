"""How long an answer holds: what cannot change any more is asked for once, what can is asked for again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.http import Mode
from backends.http.response import ResponseSource
from backends.treeherder.api import UnknownItemError
from backends.treeherder.client import revision_of_landing_job
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
        assert fake.client(cache_dir=tmp_path).fetch_framework_names() == {13: "browsertime"}
    assert len(calls) == 1
    offline = fake.client(cache_dir=tmp_path, mode=Mode.OFFLINE).fetch_frameworks()
    assert offline.freshness.source is ResponseSource.CACHE


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
    fake.client(cache_dir=tmp_path).fetch_jobs("autoland", 7)
    fake.client(cache_dir=tmp_path, later=600).fetch_jobs("autoland", 7)
    assert len(fake.asked) == calls


DAY = 86400
HELD = {
    "all ended five days ago: an hour": ([("completed", 5.0)], 3600),
    "all ended, the last one three days ago: a minute": ([("completed", 9.0), ("completed", 3.0)], 60),
    "one of five days ago still runs: a minute": ([("completed", 5.0), ("running", None)], 60),
}


@pytest.mark.parametrize("name", HELD)
def test_jobs_that_ended_days_ago_are_asked_for_again_after_an_hour_others_after_a_minute(
    fake: FakeTreeherder, tmp_path: Path, name: str
) -> None:
    jobs, seconds = HELD[name]
    now = int(time.time())
    fake.answers[JOBS] = {
        "results": [
            {**ENDED, "id": place, "state": state, "end_timestamp": 0 if days is None else now - int(days * DAY)}
            for place, (state, days) in enumerate(jobs, 1)
        ]
    }
    fake.client(cache_dir=tmp_path).fetch_jobs("autoland", 7)
    fake.client(cache_dir=tmp_path, later=seconds * 2 / 3).fetch_jobs("autoland", 7)
    assert len(fake.asked) == 1
    fake.client(cache_dir=tmp_path, later=seconds + 5).fetch_jobs("autoland", 7)
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("old", "running", "seconds"),
    [(True, 0, 86400), (True, 1, 60), (False, 0, 60)],
)
def test_counts_of_an_old_finished_push_hold_for_a_day_others_for_a_minute(
    fake: FakeTreeherder, tmp_path: Path, old: bool, running: int, seconds: int
) -> None:
    status = {"completed": 2, "success": 2, "pending": 0, "running": running}
    fake.answers["/api/project/autoland/push/7/status/"] = status
    for later, asked in ((0, 1), (seconds * 2 / 3, 1), (seconds + 5, 2)):
        client = fake.client(cache_dir=tmp_path, later=later)
        assert client.count_jobs("autoland", 7, old=old)["success"] == 2
        assert len(fake.asked) == asked


def test_a_landing_job_is_asked_for_until_it_has_landed_and_then_kept(fake: FakeTreeherder, tmp_path: Path) -> None:
    fake.answers["/landing_jobs/7"] = {"commit_id": "", "status": "SUBMITTED"}
    for _ in range(2):
        with pytest.raises(UnknownItemError, match="not become a push yet: it is submitted"):
            revision_of_landing_job(fake.http(cache_dir=tmp_path), 7)
    fake.answers["/landing_jobs/7"] = {"commit_id": "a" * 40, "status": "LANDED"}
    for _ in range(2):
        assert revision_of_landing_job(fake.http(cache_dir=tmp_path), 7) == "a" * 40
    assert len(fake.asked) == 3


def test_a_long_look_back_at_signatures_is_kept_longer(fake: FakeTreeherder) -> None:
    held: dict[int, float | None] = {}
    fake.answers[SIGNATURES] = {}
    treeherder = fake.client()
    ask = treeherder.api.get

    def noted(path: str, params: Any = None, *, policy: Any, cancel: Any = None) -> Any:
        if "signatures" in path:
            held[params["interval"]] = policy.ttl
        return ask(path, params, policy=policy, cancel=cancel)

    treeherder.api.get = noted  # type: ignore[method-assign]
    for seconds in (3600, 86400, 2 * 86400, 14 * 86400, 365 * 86400):
        treeherder.fetch_signatures("autoland", interval=seconds)
    assert list(held.values()) == [300, 864, 1728, 3600, 3600]
