"""The original's files about alerts: raw summaries, the join table with bugs, failing signatures, time to culprit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import polars as pl

from backends.treeherder.datasets.alert_views import failing_signatures, regressed_tests
from backends.treeherder.datasets.compat_files import Folder
from backends.treeherder.datasets.compat_statistics import culprit
from backends.treeherder.datasets.names import HIDDEN_STATUSES
from backends.treeherder.datasets.views import Dataset

Lists = Literal["python", "json"]
SUMMARY_COLUMNS = (
    "id", "push_id", "prev_push_id", "original_revision", "created", "first_triaged", "triage_due_date", "repository",
    "framework", "alerts", "related_alerts", "status", "bug_number", "bug_due_date", "bug_updated", "issue_tracker",
    "notes", "revision", "push_timestamp", "prev_push_revision", "original_prev_push_revision", "assignee_username",
    "assignee_email", "performance_tags", "duplicated_summaries_ids",
)  # fmt: skip
BUG_COLUMNS = (
    "regression_bug_id", "reg_perf_tests_list", "perf_reg_alert_summary_id", "regressor_push_head_revision",
    "alert_creation_date",
)  # fmt: skip
FAILING_COLUMNS = ("alert_summary_id", "revision", "fail_perf_sig_ids", "num_fail_perf_sig_ids")


def write_alerts(dataset: Dataset, folder: Folder, lists: Lists) -> None:
    """The four files. `lists`: how lists and objects stand in a cell: as Python writes them, like the original, or as
    JSON."""
    found = dataset.table("alert_summaries").filter(
        ~pl.col("monitored"), ~pl.col("status").is_in(HIDDEN_STATUSES).fill_null(False)
    )
    alerts = dataset.table("alerts")
    cell: Callable[[Any], str] = repr if lists == "python" else json.dumps
    # As the API lists them: the newest first.
    summaries = found.sort(["created_ts", "summary_id"], descending=True, nulls_last=True).collect()
    folder.rows("alert_summaries.csv", SUMMARY_COLUMNS, _summaries(summaries, alerts, cell), line_end="\n")
    created = {one["id"]: one.get("created") for one in map(msgspec.json.decode, summaries["raw"].to_list())}
    regressions = regressed_tests(found, alerts)
    order = {number: place for place, number in enumerate(summaries["summary_id"].to_list())}
    bugs = sorted(regressions.iter_rows(named=True), key=lambda row: order[row["summary_id"]])
    folder.rows(
        "alerts_with_bug_and_test_info.csv",
        BUG_COLUMNS,
        (
            (
                row["bug_number"],
                cell(row["tests"] or []),
                row["summary_id"],
                row["revision"],
                created[row["summary_id"]],
            )
            for row in bugs
        ),
        line_end="\n",
    )
    folder.rows(
        "alert_summary_fail_perf_sigs.csv",
        FAILING_COLUMNS,
        (
            (number, revision, json.dumps(ids), len(ids))
            for number, revision, ids in failing_signatures(found, alerts).rows()
        ),
    )
    folder.json("time_to_culprit_stats.json", _culprit(folder, summaries), sort_keys=True, line_end=True)


def _summaries(found: pl.DataFrame, alerts: pl.LazyFrame, cell: Callable[[Any], str]) -> Iterator[list[Any]]:
    listed: dict[tuple[int, bool], list[Any]] = {}
    rows = alerts.sort("listed_in", "related", "position").select("listed_in", "related", "raw").collect()
    for number, related, raw in rows.iter_rows():
        listed.setdefault((number, related), []).append(raw)
    for number, repository, raw in found.select("summary_id", "repository", "raw").iter_rows():
        one = msgspec.json.decode(raw)
        one["alerts"] = [msgspec.json.decode(each) for each in listed.get((number, False), [])]
        one["related_alerts"] = [msgspec.json.decode(each) for each in listed.get((number, True), [])]
        one.setdefault("repository", repository)
        if "duplicated_summaries_ids" not in one:
            several = one.get("duplicated_summaries") or []
            one["duplicated_summaries_ids"] = [each.get("id") for each in several if isinstance(each, dict)]
        yield [cell(one[name]) if isinstance(one.get(name), list | dict) else one.get(name) for name in SUMMARY_COLUMNS]


def _culprit(folder: Folder, summaries: pl.DataFrame) -> dict[str, Any]:
    seconds, invalid = list[float](), 0
    for raw in summaries["raw"].to_list():
        one = msgspec.json.decode(raw)
        created, pushed = _moment(one.get("created")), one.get("push_timestamp")
        if created is None or not isinstance(pushed, int) or isinstance(pushed, bool):
            invalid += 1
        else:
            seconds.append((created - datetime.fromtimestamp(pushed, UTC)).total_seconds())
    return {
        "input_csv": str(folder.path / "alert_summaries.csv"),
        "definition": {"ttc_hours": "(created(UTC) - push_timestamp(UTC epoch seconds)) / 3600"},
        "stats": culprit(seconds, rows=len(summaries), invalid=invalid),
    }


def _moment(said: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
