"""When a part of what a list asks for fails, is missing or is hostile, the rest is shown and what lacks is said."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http import Mode
from backends.http.errors import OfflineError
from backends.http.response import ResponseSource
from backends.resources import read_list
from backends.treeherder.api import UnknownItemError
from backends.treeherder.locators import (
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    JobFailures,
    Pushes,
    PushJobs,
    Series,
    SeriesRef,
    Side,
    Signatures,
)
from tests.treeherder.fake_treeherder import REPOSITORIES, FakeTreeherder, page, pages

SUMMARY = "/api/performance/summary/"
ALERTS = "/api/performance/alertsummary/"
TASK = "KXrBGWt9SeiwhN2dM-ryBw"
FIVE = SeriesRef("autoland", "5")


def datum(number: int, value: float = 1.0, **members: Any) -> dict[str, Any]:
    return {
        "id": number, "job_id": 900 + number, "push_id": number, "value": value, "revision": f"{number:040x}",
        "push_timestamp": f"2026-11-{number:02d}T00:00:00", "submit_time": None, "machine_name": None, **members,
    }  # fmt: skip


def series(fake: FakeTreeherder, *rows: dict[str, Any], **members: Any) -> None:
    what = {"signature_id": 5, "framework_id": 13, "suite": "damp", "platform": "linux", "lower_is_better": True}
    fake.answers[SUMMARY] = [{**what, "data": list(rows), **members}]


def test_points_stay_when_alerts_and_tasks_cannot_be_asked_about(fake: FakeTreeherder) -> None:
    series(fake, datum(1), datum(2))
    fake.answers[ALERTS] = page("Server Error", 500)
    fake.answers["/api/taskclustermetadata/"] = page("Server Error", 500)
    found = read_list(fake.list(Series((FIVE,))), CancelToken())
    assert found.frame["value"].to_list() == [1.0, 1.0]
    said = " ".join(found.notes)
    assert "Alerts are not marked" in said and "Tasks are not known" in said


def test_points_whose_jobs_have_expired_lead_to_the_jobs_of_their_push(fake: FakeTreeherder) -> None:
    series(fake, datum(1, job_id=None), datum(2, job_id=None))
    resource = fake.list(Series((FIVE,)))
    found = read_list(resource, CancelToken())
    assert "The jobs of 2 points have expired" in found.notes[0]
    row = found.frame.row(0, named=True)
    assert resource.open(row) == PushJobs("autoland", 1) and resource.log(row) is None


def test_a_series_by_its_hash_is_the_one_with_that_hash(fake: FakeTreeherder) -> None:
    digits = "9d" * 20
    series(fake, datum(1))
    fake.answers["/api/project/autoland/performance/signatures/"] = {"5": {"id": 5, "signature_hash": digits}}
    assert len(read_list(fake.list(Series((SeriesRef("autoland", digits),))), CancelToken()).frame) == 1
    fake.answers["/api/project/autoland/performance/signatures/"] = {}
    with pytest.raises(UnknownItemError, match="has no signature 9d9d"):
        pages(fake.list(Series((SeriesRef("autoland", digits),))))


def test_one_series_of_several_that_is_missing_is_named(fake: FakeTreeherder) -> None:
    def answered(request: httpx.Request) -> httpx.Response:
        series(fake, datum(1))
        answer = fake.answers[SUMMARY] if request.url.params["signature"] == "5" else []
        fake.answers[SUMMARY] = answered
        return httpx.Response(200, json=answer)

    fake.answers[SUMMARY] = answered
    found = read_list(fake.list(Series((FIVE, SeriesRef("autoland", "6")))), CancelToken())
    assert len(found.frame) == 1 and "Not found in their repository: 6" in found.notes[0]


HOSTILE = [
    "http://tc.example",
    "https://127.0.0.1:9",
    "https://u:p@tc.example",
    "javascript:1",
    "https://tc.example/x?y",
    "//x",
]


@pytest.mark.parametrize("root", HOSTILE)
def test_no_task_is_looked_for_where_a_server_must_not_send_us(fake: FakeTreeherder, root: str) -> None:
    fake.answers["/api/repository/"] = [{**REPOSITORIES[0], "tc_root_url": root}]
    fake.answers["/api/project/autoland/jobs/"] = {
        "results": [{"id": 1, "push_id": 7, "state": "completed", "result": "busted", "task_id": TASK, "retry_id": 0}]
    }
    resource = fake.list(PushJobs("autoland", 7))
    row = read_list(resource, CancelToken()).frame.row(0, named=True)
    task = resource.open(row)
    assert task is not None and task.root_url == "" and resource.log(row) is None  # type: ignore[attr-defined]


def test_an_id_that_is_no_task_id_opens_nothing(fake: FakeTreeherder) -> None:
    fake.answers["/api/project/autoland/jobs/"] = {
        "results": [{"id": 1, "push_id": 7, "state": "completed", "task_id": "../../x", "retry_id": 0}]
    }
    resource = fake.list(PushJobs("autoland", 7))
    frame = read_list(resource, CancelToken()).frame
    row = frame.row(0, named=True)
    assert resource.open(row) is None and resource.log(row) is None
    assert resource.open_marked(frame) is None and resource.measurements(frame) is None


def test_a_profile_that_is_no_https_address_is_not_offered(fake: FakeTreeherder) -> None:
    alert = {"id": 2, "profile_url": "javascript:alert(1)", "series_signature": {"id": 5}}
    fake.answers[f"{ALERTS}1/"] = {"id": 1, "repository": "autoland", "alerts": [alert]}
    resource = fake.list(AlertSummary(1))
    frame = read_list(resource, CancelToken()).frame
    assert not [one for one in resource.menu(frame.row(0, named=True), frame) if "profile" in one.label]


def test_pushes_stay_when_their_jobs_cannot_be_counted(fake: FakeTreeherder) -> None:
    rows = [{"id": one, "revision": "a" * 40, "push_timestamp": 1_795_000_000 + one} for one in range(3)]
    fake.answers["/api/project/autoland/push/"] = {"results": rows}
    fake.answers["/api/project/autoland/push/1/status/"] = {"completed": 2, "success": 2, "pending": 0, "running": 0}
    found = read_list(fake.list(Pushes("autoland")), CancelToken())
    assert found.frame.sort("push_id")["total"].to_list() == [None, 2, None]
    assert "Some jobs could not be counted" in found.notes[0]


def test_failure_lines_stay_when_bugs_cannot_be_looked_for(fake: FakeTreeherder) -> None:
    fake.answers["/api/project/autoland/jobs/9/"] = {"id": 9, "job_type_name": "test", "state": "completed"}
    fake.answers["/api/project/autoland/jobs/9/text_log_errors/"] = [{"id": 1, "line": "boom", "line_number": 3}]
    found = read_list(fake.list(JobFailures("autoland", 9)), CancelToken())
    assert found.frame["line"].to_list() == ["boom"] and "Bugs could not be looked for" in found.notes[0]


def test_a_comparison_with_a_side_that_has_no_results_says_which(fake: FakeTreeherder) -> None:
    base, new = "a" * 40, "b" * 40

    def push(request: httpx.Request) -> httpx.Response:
        revision = request.url.params["revision"]
        row = {"id": 1, "revision": (base if base.startswith(revision) else new), "push_timestamp": 1_795_000_000}
        return httpx.Response(200, json={"results": [row]})

    def values(request: httpx.Request) -> httpx.Response:
        known = request.url.params["revision"] == base
        row = {
            "signature_id": 5,
            "framework_id": 13,
            "suite": "damp",
            "name": "damp opt",
            "values": [7.0] if known else [],
        }
        return httpx.Response(200, json=[row])

    fake.answers["/api/project/try/push/"], fake.answers[SUMMARY] = push, values
    resource = fake.list(Compare("try", base[:12], "try", new[:12], "13"))
    found = read_list(resource, CancelToken())
    assert found.notes == ("The new side has no results (yet).",)
    row = found.frame.row(0, named=True)
    assert (row["n_base"], row["n_new"], row["verdict"]) == (1, 0, None)
    assert resource.open(row) is None
    # The values are asked for by all 40 digits: of fewer the server would list nothing.
    assert [asked for asked in fake.asked if base in asked]


def test_values_of_signatures_that_do_not_exist_are_said_to_be_missing(fake: FakeTreeherder) -> None:
    fake.answers[SUMMARY] = []
    side = Side(FIVE, "a" * 40)
    with pytest.raises(UnknownItemError, match="Neither side"):
        pages(fake.list(ComparedValues(side, side)))


def test_what_was_seen_is_shown_with_its_age_when_the_server_fails(fake: FakeTreeherder, tmp_path: Path) -> None:
    fake.answers["/api/project/autoland/performance/signatures/"] = {"5": {"id": 5, "suite": "damp"}}
    pages(fake.list(Signatures("autoland"), cache_dir=tmp_path))
    offline = read_list(fake.list(Signatures("autoland"), cache_dir=tmp_path, mode=Mode.OFFLINE), CancelToken())
    assert offline.frame["suite"].to_list() == ["damp"] and offline.freshness.source in (
        ResponseSource.CACHE,
        ResponseSource.STALE,
    )
    fake.answers["/api/project/autoland/performance/signatures/"] = page("Server Error", 500)
    stale = read_list(fake.list(Signatures("autoland"), cache_dir=tmp_path, later=9000), CancelToken())
    assert stale.frame["suite"].to_list() == ["damp"] and stale.freshness.source is ResponseSource.STALE
    with pytest.raises(OfflineError):
        pages(fake.list(AlertSummaries(), cache_dir=tmp_path, mode=Mode.OFFLINE))


def test_a_list_stops_at_once_when_it_is_told_to(fake: FakeTreeherder) -> None:
    asked, cancel = threading.Event(), CancelToken()

    def endless(request: httpx.Request) -> httpx.Response:
        asked.set()
        cancel.cancel()
        rows = [{"id": int(request.url.params["page"]) * 1000, "alerts": []}]
        return httpx.Response(200, json={"count": 10**6, "next": "more", "results": rows})

    fake.answers[ALERTS] = endless
    with pytest.raises(OperationCancelledError):
        list(fake.list(AlertSummaries()).pages(cancel))
    assert asked.is_set()


def test_only_the_newest_2000_summaries_of_a_huge_list_are_read_and_that_is_said(fake: FakeTreeherder) -> None:
    pages_asked: list[str] = []

    def listing(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        pages_asked.append(request.url.params["limit"])
        rows = [{"id": number * 100 + place, "alerts": []} for place in range(100)]
        return httpx.Response(200, json={"count": 30_000, "next": "more", "results": rows})

    fake.answers[ALERTS] = listing
    found = read_list(fake.list(AlertSummaries()), CancelToken())
    assert len(found.frame) == 2000 and "The newest 2,000 of 30,000" in found.notes[0]
    assert pages_asked == ["100"] * 20
    assert isinstance(found.frame, pl.DataFrame)


def test_of_a_series_with_hundreds_of_alerts_the_newest_300_summaries_are_marked(fake: FakeTreeherder) -> None:
    """Sheriffed and monitored ones: the server gives either, never both."""
    asked: list[tuple[str, str]] = []

    def listing(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        asked.append((query["page"], query.get("monitored_alerts", "")))
        rows = [{"id": int(query["page"]) * 100 + place, "push_id": 1, "alerts": []} for place in range(100)]
        return httpx.Response(200, json={"count": 30_000, "next": "more", "results": rows})

    fake.answers[ALERTS] = listing
    row = {"id": 1, "push_id": 1, "push_timestamp": "2026-11-01T00:00:00", "value": 1.0}
    fake.answers[SUMMARY] = [{"signature_id": 5, "framework_id": 13, "suite": "damp", "data": [row]}]
    read_list(fake.list(Series((FIVE,))), CancelToken())
    assert asked == [(page, monitored) for monitored in ("", "1") for page in ("1", "2", "3")]


def test_alerts_of_25_other_summaries_cost_20_requests_and_the_rest_stay_without_a_series(
    fake: FakeTreeherder,
) -> None:
    related = [
        {
            "id": place,
            "summary_id": 100 + place,
            "related_summary_id": 7,
            "status": 1,
            "series_signature": {"id": place},
        }
        for place in range(1, 26)
    ]
    own = {"id": 7, "repository": "autoland", "alerts": [], "related_alerts": related}
    fake.answers["/api/performance/alertsummary/7/"] = own
    for place in range(101, 126):
        other = {"id": place, "repository": "mozilla-central", "alerts": []}
        fake.answers[f"/api/performance/alertsummary/{place}/"] = other
    frame = read_list(fake.list(AlertSummary(7)), CancelToken()).frame
    assert len([one for one in fake.asked if "/alertsummary/1" in one]) == 20
    assert frame["repository"].null_count() == 5 and len(frame) == 25


def test_a_tracker_without_https_is_no_place_for_a_bug(fake: FakeTreeherder) -> None:
    fake.answers["/api/performance/issue-tracker/"] = [
        {"id": 1, "issue_tracker_url": "javascript:alert(1)//"},
        {"id": 2, "issue_tracker_url": "http://bugs.example/?id="},
        {"id": 3, "issue_tracker_url": "https://bugs.example/?id="},
    ]
    assert fake.client().fetch_issue_trackers() == {3: "https://bugs.example/?id="}


@pytest.mark.parametrize(("days", "seconds"), [(3.9, 60), (4.1, 86400)])
def test_counts_of_a_push_hold_for_a_day_from_the_fourth_day_on(
    fake: FakeTreeherder, tmp_path: Path, days: float, seconds: int
) -> None:
    """Until then jobs are still scheduled on it, and an old count would hide a failure."""
    row = {"id": 7, "revision": "a" * 40, "push_timestamp": int(time.time() - days * 86400)}
    fake.answers["/api/project/autoland/push/"] = {"results": [row]}
    fake.answers["/api/project/autoland/push/7/status/"] = {"completed": 2, "success": 2, "pending": 0, "running": 0}
    for later, asked in ((0.0, 1), (seconds * 2 / 3, 1), (seconds + 5.0, 2)):
        read_list(fake.list(Pushes("autoland"), cache_dir=tmp_path, later=later), CancelToken())
        assert len([one for one in fake.asked if "/status/" in one]) == asked


def test_pushes_older_than_four_days_hold_for_a_day_newer_ones_for_a_minute(
    fake: FakeTreeherder, tmp_path: Path
) -> None:
    fake.answers["/api/project/autoland/push/"] = {"results": []}
    for days, seconds in ((5, 86400), (3, 60)):
        before = int(time.time() - days * 86400)
        fake.asked.clear()
        for later, asked in ((0.0, 1), (seconds * 2 / 3, 1), (seconds + 5.0, 2)):
            fake.client(cache_dir=tmp_path, later=later).fetch_pushes("autoland", before=before)
            assert len(fake.asked) == asked


def test_failure_lines_that_are_not_there_yet_are_looked_for_again_after_a_minute(
    fake: FakeTreeherder, tmp_path: Path
) -> None:
    path = "/api/project/autoland/jobs/9/text_log_errors/"
    fake.answers[path] = []
    for later, asked in ((0.0, 1), (40.0, 1), (65.0, 2)):
        fake.client(cache_dir=tmp_path, later=later).fetch_log_errors("autoland", 9)
        assert len(fake.asked) == asked
    fake.answers[path] = [{"id": 1, "line": "boom", "line_number": 3}]
    for later, asked in ((200.0, 3), (86_400.0, 3), (86_700.0, 4)):
        fake.client(cache_dir=tmp_path, later=later).fetch_log_errors("autoland", 9)
        assert len(fake.asked) == asked
