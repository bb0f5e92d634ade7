"""Every answer of a real server that an endpoint of ours can get becomes rows of the declared schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from backends.frames.schema import Schema
from backends.lenient_json import lenient
from backends.treeherder.alerts import ALERTS, SUMMARIES, alert_frame, summary_frame
from backends.treeherder.api import decode_json, decode_list
from backends.treeherder.client import TreeherderClient
from backends.treeherder.compare import VALUES, value_frame
from backends.treeherder.jobs import JOBS, job_frame
from backends.treeherder.models import (
    JobTask,
    PerformanceAlertSummary,
    PushJob,
    SeriesSummary,
    TextLogError,
    TreeherderPush,
)
from backends.treeherder.pushes import PUSHES, count_results, push_frame
from backends.treeherder.series import DATA, data_frame
from backends.treeherder.signatures import (
    FRAMEWORKS,
    REPOSITORIES,
    SIGNATURES,
    framework_frame,
    repository_frame,
    signature_frame,
)
from tests.treeherder.fake_treeherder import RecordedTreeherder, answer

# Endpoints that nothing here asks: other failure views, the change log, the server's own comparison (which
# test_against_perfcompare reads), single alerts (10 a page; the summaries have them), the schema, and what is not data.
NOT_ASKED = {
    "machineplatforms.json", "changelog.json", "performance-tag.json", "performance-platforms-autoland.json",
    "alertsummary-tasks.json", "alert-cursor-page1.json", "alert-cursor-page2.json", "perfcompare-student-t.json",
    "perfcompare-mann-whitney-u.json", "job-data-autoland.json", "push-autoland-health_summary.json",
    "failures-autoland.json", "failuresbybug.json", "failurecount-autoland.json", "bug-job-map-autoland.json",
    "openapi-schema.yaml", "jobs-project-autoland-list.json", "job-log-url-autoland.json", "data-autoland-dates.json",
    "data-autoland-signature-sparse-and-dense.json", "data-autoland-alerted-signature.json", "data-autoland-push.json",
}  # fmt: skip
HASH = "9df37f2265f9bffc9c3bf40b07c4b22c3bd44a51"


def _count_entries(recorded: RecordedTreeherder, name: str) -> int:
    """How many rows an answer holds, counted in its JSON alone."""
    value = json.loads((recorded.directory / name).read_bytes())
    if isinstance(value, dict) and "results" in value:
        return len(value["results"])
    if name.startswith("summary-"):
        return sum(len(one["values"]) + len(one["data"]) for one in value)
    return 1 if isinstance(value, dict) and "id" in value else len(value)


def _signatures(**options: Any) -> Callable[[TreeherderClient], pl.DataFrame]:
    return lambda th: signature_frame(th.fetch_signatures("autoland", **options).items, "autoland", {}, {})


Frames = Callable[[TreeherderClient], pl.DataFrame]
LISTED: dict[str, tuple[Frames, Schema]] = {
    "repository.json": (lambda th: repository_frame(th.fetch_repositories().items), REPOSITORIES),
    "performance-framework.json": (lambda th: framework_frame(th.fetch_frameworks().items), FRAMEWORKS),
    "signatures-autoland-framework1.json": (_signatures(frameworks=[1]), SIGNATURES),
    "signatures-autoland-framework2.json": (_signatures(frameworks=[2]), SIGNATURES),
    "signatures-autoland-framework4.json": (_signatures(frameworks=[4]), SIGNATURES),
    "signatures-autoland-framework11.json": (_signatures(frameworks=[11]), SIGNATURES),
    "signatures-autoland-framework13-subtests0.json": (_signatures(frameworks=[13], subtests=False), SIGNATURES),
    "signatures-autoland-framework15.json": (_signatures(frameworks=[15]), SIGNATURES),
    "signatures-autoland-parent.json": (_signatures(parent=HASH), SIGNATURES),
    "signatures-autoland-id.json": (_signatures(ids=[351, 3816]), SIGNATURES),
    "alertsummary-one.json": (lambda th: alert_frame(th.fetch_alert_summary(288).items), ALERTS),
    "alertsummary-62.json": (lambda th: summary_frame(th.fetch_alert_summary(62).items, {}), SUMMARIES),
    "jobs-project-autoland-push.json": (lambda th: job_frame(th.fetch_jobs("autoland", 280).items), JOBS),
    "jobs-project-autoland-alert-push.json": (lambda th: job_frame(th.fetch_jobs("autoland", 292).items), JOBS),
    "job-autoland-one.json": (lambda th: job_frame([th.fetch_job("autoland", 1016)]), JOBS),
    "similar_jobs-autoland.json": (lambda th: job_frame(th.fetch_similar_jobs("autoland", 1016, count=5).items), JOBS),
    "push-autoland-count100.json": (lambda th: push_frame(th.fetch_pushes("autoland").items), PUSHES),
    "push-try-count40.json": (lambda th: push_frame(th.fetch_pushes("try", count=40).items), PUSHES),
}


@pytest.mark.parametrize("name", LISTED)
def test_a_recorded_answer_becomes_rows(recorded: RecordedTreeherder, name: str) -> None:
    build, schema = LISTED[name]
    frame = build(recorded.client())
    assert name in recorded.used
    assert frame.schema == pl.Schema(schema.polars())
    expected = _count_entries(recorded, name) if name != "alertsummary-one.json" else 7
    assert len(frame) == frame[schema.key].n_unique() == expected


def _full(read: Any) -> pl.DataFrame:
    [one] = read(SeriesSummary).items
    return data_frame(one.data, one.signature_id, replicates="replicates" in read.name)


def _of(member: str, kind: Any, framed: Callable[[Any], pl.DataFrame]) -> Callable[[Any], pl.DataFrame]:
    return lambda read: framed(read(kind, member=member).items)


def _summaries(found: Any) -> pl.DataFrame:
    assert alert_frame(found).schema == pl.Schema(ALERTS.polars())
    return summary_frame(found, {13: "browsertime"})


READ: dict[str, tuple[Callable[[Any], pl.DataFrame], Schema]] = {
    "summary-autoland-signature-all_data.json": (_full, DATA),
    "summary-autoland-alerted-signature-all_data.json": (_full, DATA),
    "summary-try-signature-all_data.json": (_full, DATA),
    "summary-try-signature-all_data-replicates.json": (_full, DATA),
    "summary-autoland-framework13-2days.json": (lambda read: value_frame(read(SeriesSummary).items), VALUES),
    "summary-autoland-revision.json": (lambda read: value_frame(read(SeriesSummary).items), VALUES),
    "summary-autoland-signature-values.json": (lambda read: value_frame(read(SeriesSummary).items), VALUES),
    "summary-autoland-subtests-of-parent.json": (lambda read: value_frame(read(SeriesSummary).items), VALUES),
    "alertsummary-limit100-page1.json": (_of("results", PerformanceAlertSummary, _summaries), SUMMARIES),
    "alertsummary-limit100-page2.json": (_of("results", PerformanceAlertSummary, _summaries), SUMMARIES),
    "alertsummary-limit100-page3.json": (_of("results", PerformanceAlertSummary, _summaries), SUMMARIES),
    "alertsummary-status0-framework13.json": (_of("results", PerformanceAlertSummary, _summaries), SUMMARIES),
    "alertsummary-timerange.json": (_of("results", PerformanceAlertSummary, _summaries), SUMMARIES),
    "alertsummary-by-id.json": (_of("results", PerformanceAlertSummary, _summaries), SUMMARIES),
    "jobs-project-autoland-starttime-6h.json": (_of("results", PushJob, job_frame), JOBS),
    "jobs-project-autoland-running.json": (_of("results", PushJob, job_frame), JOBS),
    "push-autoland-revision.json": (_of("results", TreeherderPush, push_frame), PUSHES),
    "push-all_repos.json": (_of("results", TreeherderPush, push_frame), PUSHES),
    "push-autoland-one.json": (lambda read: push_frame([lenient(TreeherderPush, read.value)]), PUSHES),
}


class _Reading:
    """A recorded file, to be read as the client reads an answer."""

    def __init__(self, recorded: RecordedTreeherder, name: str) -> None:
        self.name = name
        self._answer = answer((recorded.directory / name).read_bytes())

    def __call__(self, kind: Any, **how: Any) -> Any:
        return decode_list(self._answer, kind, **how)

    @property
    def value(self) -> Any:
        return decode_json(self._answer)


@pytest.mark.parametrize("name", READ)
def test_a_recorded_answer_of_another_query_becomes_rows(recorded: RecordedTreeherder, name: str) -> None:
    framed, schema = READ[name]
    frame = framed(_Reading(recorded, name))
    assert frame.schema == pl.Schema(schema.polars())
    assert len(frame) == _count_entries(recorded, name)


def test_the_small_answers(recorded: RecordedTreeherder) -> None:
    treeherder = recorded.client()
    assert treeherder.fetch_option_names() == {"102210fe594ee9b33d82058545b1ed14f4c8206e": "opt"}
    assert treeherder.fetch_classifications()[4] == "intermittent"
    assert treeherder.fetch_issue_trackers()[1] == "https://bugzilla.mozilla.org/show_bug.cgi?id="
    assert count_results(treeherder.count_jobs("autoland", 280)) == {
        "success": 61, "failed": 1, "exception": 1, "running": 0, "pending": 0, "other": 0, "total": 63,
    }  # fmt: skip
    [line] = treeherder.fetch_log_errors("autoland", 9).items
    assert (line.line_number, line.new_failure) == (1009, False)
    [suggestion] = treeherder.fetch_bug_suggestions("autoland", 9)
    assert suggestion["bugs"]["open_recent"][0]["id"] == 1800333
    tasks = decode_list(answer((recorded.directory / "taskclustermetadata.json").read_bytes()), JobTask).items
    assert {one.job: one.retry_id for one in tasks} == {9: 0, 1016: 0}
    errors = decode_list(answer((recorded.directory / "text_log_errors-autoland.json").read_bytes()), TextLogError)
    assert errors.items and not errors.note


def test_the_ordered_listing_of_jobs_gives_windows_of_ids(recorded: RecordedTreeherder) -> None:
    value = json.loads((recorded.directory / "jobs-push.json").read_bytes())
    place = value["job_property_names"].index("id")
    ids = [row[place] for row in value["results"]]
    assert ids == sorted(ids) and len(ids) == value["count"] == 66
    second = json.loads((recorded.directory / "jobs-page2-count5.json").read_bytes())
    assert [row[place] for row in second["results"]] == ids[5:10]


def test_no_recorded_answer_of_a_used_endpoint_is_left_out(recorded: RecordedTreeherder) -> None:
    small = {
        "optioncollectionhash.json", "failureclassification.json", "performance-issue-tracker.json",
        "push-autoland-status.json", "text_log_errors-autoland.json", "bug_suggestions-autoland.json",
        "taskclustermetadata.json", "jobs-push.json", "jobs-page2-count5.json",
    }  # fmt: skip
    assert set(recorded.files.values()) == {*LISTED, *READ, *small, *NOT_ASKED}


def test_replicates_share_their_datum_and_are_rows_of_their_own(recorded: RecordedTreeherder) -> None:
    frame = _full(_Reading(recorded, "summary-try-signature-all_data-replicates.json"))
    assert frame["datum_id"].n_unique() == 9 and frame["key"].n_unique() == 90
    assert frame["replicate"].max() == 10


def test_an_alert_reads_as_its_page_shows_it(recorded: RecordedTreeherder) -> None:
    found = recorded.client().fetch_alert_summary(288)
    row = alert_frame(found.items).row(by_predicate=pl.col("alert_id") == "1500", named=True)
    assert (row["change"], row["status"], row["percent"], row["t"]) == ("regression", "untriaged", 31.84, 26.68)
    assert (row["task_id"], row["task_run"], row["prev_task_id"]) == (
        "zEvtL5pGTFSbEQM3krbxbA", 0, "MS8nbQLJRm-MTMIdt1dVfA",
    )  # fmt: skip
    expired = alert_frame(found.items).row(by_predicate=pl.col("alert_id") == "1499", named=True)
    assert expired["task_id"] is None and expired["tags"] is None
    summary = summary_frame(found.items, {}).row(0, named=True)
    assert summary["created"] == datetime(2026, 11, 21, 21, tzinfo=UTC)
    assert summary["push_time"] == datetime(2026, 11, 21, 0, 12, 16, tzinfo=UTC)
    assert summary["detect"] == pytest.approx(20 * 3600 + 47 * 60 + 44)
    assert summary["triage"] is None and summary["bug_after"] is None


def test_counts_of_a_push_do_not_count_the_total_as_a_result() -> None:
    assert count_results({"completed": 5, "pending": 1, "running": 2, "success": 3, "busted": 1, "retry": 1}) == {
        "success": 3, "failed": 1, "exception": 0, "running": 2, "pending": 1, "other": 1, "total": 5,
    }  # fmt: skip
