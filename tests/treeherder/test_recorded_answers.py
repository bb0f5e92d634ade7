"""Every answer of a real server that an endpoint of ours can get becomes rows of the declared schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from backends.frames.schema import Schema
from backends.treeherder import columns
from backends.treeherder.alert_rows import alert_frame, summary_frame
from backends.treeherder.answers import entries, lenient, value_of
from backends.treeherder.client import Treeherder
from backends.treeherder.job_rows import counted, job_frame, push_frame
from backends.treeherder.signature_rows import series_frame, value_frame
from backends.treeherder.structs import AlertSummary, Job, JobLog, JobTask, LogError, Push, Summary
from tests.treeherder.fake_treeherder import RecordedTreeherder, answer

# Endpoints that nothing here asks: other failure views, the change log, the server's own comparison (which
# test_against_perfcompare reads), single alerts (10 a page; the summaries have them), the schema, and what is not data.
NOT_ASKED = {
    "machineplatforms.json", "changelog.json", "performance-tag.json", "performance-platforms-autoland.json",
    "alertsummary-tasks.json", "alert-cursor-page1.json", "alert-cursor-page2.json", "perfcompare-student-t.json",
    "perfcompare-mann-whitney-u.json", "job-data-autoland.json", "push-autoland-health_summary.json",
    "failures-autoland.json", "failuresbybug.json", "failurecount-autoland.json", "bug-job-map-autoland.json",
    "openapi-schema.yaml", "jobs-project-autoland-list.json",
}  # fmt: skip
HASH = "9df37f2265f9bffc9c3bf40b07c4b22c3bd44a51"


def _counted(recorded: RecordedTreeherder, name: str) -> int:
    """How many rows an answer holds, counted in its JSON alone."""
    value = json.loads((recorded.directory / name).read_bytes())
    if isinstance(value, dict) and "results" in value:
        return len(value["results"])
    if name.startswith("summary-"):
        return sum(len(one["values"]) + len(one["data"]) for one in value)
    if name.startswith("data-"):
        return sum(len(rows) for rows in value.values())
    return 1 if isinstance(value, dict) and "id" in value else len(value)


Frames = Callable[[Treeherder], pl.DataFrame]
LISTED: dict[str, tuple[Frames, Schema]] = {
    "repository.json": (lambda th: th.repositories().frame, columns.REPOSITORIES),
    "performance-framework.json": (lambda th: th.frameworks().frame, columns.FRAMEWORKS),
    "signatures-autoland-framework1.json": (
        lambda th: th.signatures("autoland", frameworks=[1]).frame,
        columns.SIGNATURES,
    ),
    "signatures-autoland-framework2.json": (
        lambda th: th.signatures("autoland", frameworks=[2]).frame,
        columns.SIGNATURES,
    ),
    "signatures-autoland-framework4.json": (
        lambda th: th.signatures("autoland", frameworks=[4]).frame,
        columns.SIGNATURES,
    ),
    "signatures-autoland-framework11.json": (
        lambda th: th.signatures("autoland", frameworks=[11]).frame,
        columns.SIGNATURES,
    ),
    "signatures-autoland-framework13-subtests0.json": (
        lambda th: th.signatures("autoland", frameworks=[13], subtests=False).frame,
        columns.SIGNATURES,
    ),
    "signatures-autoland-framework15.json": (
        lambda th: th.signatures("autoland", frameworks=[15]).frame,
        columns.SIGNATURES,
    ),
    "signatures-autoland-parent.json": (lambda th: th.signatures("autoland", parent=HASH).frame, columns.SIGNATURES),
    "signatures-autoland-id.json": (lambda th: th.signatures("autoland", ids=[351, 3816]).frame, columns.SIGNATURES),
    "data-autoland-signature-sparse-and-dense.json": (
        lambda th: th.performance_data("autoland", signature_ids=[351, 352], interval=2592000).frame,
        columns.DATA,
    ),
    "data-autoland-alerted-signature.json": (
        lambda th: th.performance_data("autoland", signature_ids=[3816], interval=2592000).frame,
        columns.DATA,
    ),
    "data-autoland-push.json": (lambda th: th.performance_data("autoland", push_ids=[280]).frame, columns.DATA),
    "alertsummary-one.json": (lambda th: th.alert_summary(288).alerts, columns.ALERTS),
    "alertsummary-62.json": (lambda th: th.alert_summary(62).summaries, columns.SUMMARIES),
    "jobs-project-autoland-push.json": (lambda th: th.jobs_of_push("autoland", 280).frame, columns.JOBS),
    "jobs-project-autoland-alert-push.json": (lambda th: th.jobs_of_push("autoland", 292).frame, columns.JOBS),
    "job-autoland-one.json": (lambda th: th.job("autoland", 1016).frame, columns.JOBS),
    "similar_jobs-autoland.json": (lambda th: th.similar_jobs("autoland", 1016, count=5).frame, columns.JOBS),
    "push-autoland-count100.json": (lambda th: th.pushes("autoland").frame, columns.PUSHES),
    "push-try-count40.json": (lambda th: th.pushes("try", count=40).frame, columns.PUSHES),
}


@pytest.mark.parametrize("name", LISTED)
def test_a_recorded_answer_becomes_rows(recorded: RecordedTreeherder, name: str) -> None:
    listed, schema = LISTED[name]
    frame = listed(recorded.client())
    assert name in recorded.used
    assert frame.schema == pl.Schema(schema.polars())
    expected = _counted(recorded, name) if name != "alertsummary-one.json" else 7
    assert len(frame) == frame[schema.key].n_unique() == expected


def _full(read: Any) -> pl.DataFrame:
    [one] = read(Summary).items
    return series_frame(one.data, one.signature_id, replicates="replicates" in read.name)


def _of(member: str, kind: Any, framed: Callable[[Any], pl.DataFrame]) -> Callable[[Any], pl.DataFrame]:
    return lambda read: framed(read(kind, member=member).items)


def _summaries(found: Any) -> pl.DataFrame:
    assert alert_frame(found).schema == pl.Schema(columns.ALERTS.polars())
    return summary_frame(found, {13: "browsertime"})


READ: dict[str, tuple[Callable[[Any], pl.DataFrame], Schema]] = {
    "summary-autoland-signature-all_data.json": (_full, columns.DATA),
    "summary-autoland-alerted-signature-all_data.json": (_full, columns.DATA),
    "summary-try-signature-all_data.json": (_full, columns.DATA),
    "summary-try-signature-all_data-replicates.json": (_full, columns.DATA),
    "summary-autoland-framework13-2days.json": (lambda read: value_frame(read(Summary).items), columns.VALUES),
    "summary-autoland-revision.json": (lambda read: value_frame(read(Summary).items), columns.VALUES),
    "summary-autoland-signature-values.json": (lambda read: value_frame(read(Summary).items), columns.VALUES),
    "summary-autoland-subtests-of-parent.json": (lambda read: value_frame(read(Summary).items), columns.VALUES),
    "data-autoland-dates.json": (lambda read: read.data(), columns.DATA),
    "alertsummary-limit100-page1.json": (_of("results", AlertSummary, _summaries), columns.SUMMARIES),
    "alertsummary-limit100-page2.json": (_of("results", AlertSummary, _summaries), columns.SUMMARIES),
    "alertsummary-limit100-page3.json": (_of("results", AlertSummary, _summaries), columns.SUMMARIES),
    "alertsummary-status0-framework13.json": (_of("results", AlertSummary, _summaries), columns.SUMMARIES),
    "alertsummary-timerange.json": (_of("results", AlertSummary, _summaries), columns.SUMMARIES),
    "alertsummary-by-id.json": (_of("results", AlertSummary, _summaries), columns.SUMMARIES),
    "jobs-project-autoland-starttime-6h.json": (_of("results", Job, job_frame), columns.JOBS),
    "jobs-project-autoland-running.json": (_of("results", Job, job_frame), columns.JOBS),
    "push-autoland-revision.json": (_of("results", Push, push_frame), columns.PUSHES),
    "push-all_repos.json": (_of("results", Push, push_frame), columns.PUSHES),
    "push-autoland-one.json": (lambda read: push_frame([lenient(Push, read.value)]), columns.PUSHES),
}


class _Reading:
    """A recorded file, to be read as the client reads an answer."""

    def __init__(self, recorded: RecordedTreeherder, name: str) -> None:
        self.name = name
        self._answer = answer((recorded.directory / name).read_bytes())

    def __call__(self, kind: Any, **how: Any) -> Any:
        return entries(self._answer, kind, **how)

    @property
    def value(self) -> Any:
        return value_of(self._answer)

    def data(self) -> pl.DataFrame:
        from backends.treeherder.signature_rows import datum_frame
        from backends.treeherder.structs import Datum

        return datum_frame([lenient(Datum, one) for rows in self.value.values() for one in rows])


@pytest.mark.parametrize("name", READ)
def test_a_recorded_answer_of_another_query_becomes_rows(recorded: RecordedTreeherder, name: str) -> None:
    framed, schema = READ[name]
    frame = framed(_Reading(recorded, name))
    assert frame.schema == pl.Schema(schema.polars())
    assert len(frame) == _counted(recorded, name)


def test_the_small_answers(recorded: RecordedTreeherder) -> None:
    treeherder = recorded.client()
    assert treeherder.option_names() == {"102210fe594ee9b33d82058545b1ed14f4c8206e": "opt"}
    assert treeherder.classifications()[4] == "intermittent"
    assert treeherder.issue_trackers()[1] == "https://bugzilla.mozilla.org/show_bug.cgi?id="
    assert treeherder.push_counts("autoland", 280) == {
        "success": 61, "failed": 1, "exception": 1, "running": 0, "pending": 0, "other": 0, "total": 63,
    }  # fmt: skip
    [line], _ = treeherder.log_errors("autoland", 9)
    assert (line.line_number, line.new_failure) == (1009, False)
    [suggestion] = treeherder.bug_suggestions("autoland", 9)
    assert suggestion["bugs"]["open_recent"][0]["id"] == 1800333
    logs = treeherder.job_logs("autoland", [1016, 9])
    assert {log.job_id: log.parse_status for log in logs} == {9: "parsed", 1016: "parsed"}
    tasks = entries(answer((recorded.directory / "taskclustermetadata.json").read_bytes()), JobTask).items
    assert {one.job: one.retry_id for one in tasks} == {9: 0, 1016: 0}
    assert entries(answer((recorded.directory / "job-log-url-autoland.json").read_bytes()), JobLog).lost == 0
    assert entries(answer((recorded.directory / "text_log_errors-autoland.json").read_bytes()), LogError).lost == 0


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
        "job-log-url-autoland.json", "taskclustermetadata.json", "jobs-push.json", "jobs-page2-count5.json",
    }  # fmt: skip
    assert set(recorded.files.values()) == {*LISTED, *READ, *small, *NOT_ASKED}


def test_the_two_endpoints_of_values_agree_but_for_the_rounding(recorded: RecordedTreeherder) -> None:
    rounded = recorded.client().performance_data("autoland", signature_ids=[3816], interval=2592000).frame
    full = _full(_Reading(recorded, "summary-autoland-alerted-signature-all_data.json"))
    both = rounded.join(full, on="datum_id", suffix="_full")
    assert len(both) == len(rounded) == len(full)
    assert (both["value"] - both["value_full"]).abs().max() <= 0.005 + 1e-9  # type: ignore[operator]
    assert (both["push_time"] == both["push_time_full"]).all()
    assert not (both["value"] == both["value_full"]).all()


def test_replicates_share_their_datum_and_are_rows_of_their_own(recorded: RecordedTreeherder) -> None:
    frame = _full(_Reading(recorded, "summary-try-signature-all_data-replicates.json"))
    assert frame["datum_id"].n_unique() == 9 and frame["key"].n_unique() == 90
    assert frame["replicate"].max() == 10


def test_an_alert_reads_as_its_page_shows_it(recorded: RecordedTreeherder) -> None:
    found = recorded.client().alert_summary(288)
    row = found.alerts.row(by_predicate=pl.col("alert_id") == "1500", named=True)
    assert (row["change"], row["status"], row["percent"], row["t"]) == ("regression", "untriaged", 31.84, 26.68)
    assert (row["task_id"], row["task_run"], row["prev_task_id"]) == (
        "zEvtL5pGTFSbEQM3krbxbA", 0, "MS8nbQLJRm-MTMIdt1dVfA",
    )  # fmt: skip
    expired = found.alerts.row(by_predicate=pl.col("alert_id") == "1499", named=True)
    assert expired["task_id"] is None and expired["tags"] is None
    summary = found.summaries.row(0, named=True)
    assert summary["created"] == datetime(2026, 11, 21, 21, tzinfo=UTC)
    assert summary["push_time"] == datetime(2026, 11, 21, 0, 12, 16, tzinfo=UTC)
    assert summary["detect"] == pytest.approx(20 * 3600 + 47 * 60 + 44)
    assert summary["triage"] is None and summary["bug_after"] is None


def test_counts_of_a_push_do_not_count_the_total_as_a_result() -> None:
    assert counted({"completed": 5, "pending": 1, "running": 2, "success": 3, "busted": 1, "retry": 1}) == {
        "success": 3, "failed": 1, "exception": 0, "running": 2, "pending": 1, "other": 1, "total": 5,
    }  # fmt: skip
