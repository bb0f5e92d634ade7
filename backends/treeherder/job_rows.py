"""Repositories, frameworks, pushes and jobs as frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from backends.treeherder.answers import epochs, iso_times
from backends.treeherder.columns import FAILED_RESULTS, FRAMEWORKS, JOBS, PUSHES, REPOSITORIES
from backends.treeherder.signature_rows import as_number, fitted
from backends.treeherder.structs import Commit, Job, Named, Push, Repository

NOT_CLASSIFIED = (1, 6)  # "not classified", and "new failure not classified"
COUNTS = ("success", "failed", "exception", "running", "pending", "other", "total")


def repository_frame(found: Sequence[Repository]) -> pl.DataFrame:
    """Rows of the schema `REPOSITORIES`: those that raise performance alerts first, then by name."""
    rows = [row for row in found if row.name]
    groups = [row.repository_group.name if row.repository_group is not None else None for row in rows]
    frame = fitted(
        {
            "name": [row.name for row in rows],
            "group": groups,
            "codebase": [row.codebase or None for row in rows],
            "alerts": ["yes" if row.performance_alerts_enabled else None for row in rows],
            "try": ["yes" if row.is_try_repo else None for row in rows],
            "dvcs": [row.dvcs_type for row in rows],
            "url": [row.url for row in rows],
            "status": [row.active_status for row in rows],
            "repository_id": [row.id for row in rows],
            "tc_root_url": [row.tc_root_url or None for row in rows],
        },
        REPOSITORIES.polars(),
    )
    return frame.unique("name", keep="last").sort(pl.col("alerts").is_null(), "name")


def framework_frame(found: Sequence[Named]) -> pl.DataFrame:
    rows = [row for row in found if row.name and row.id is not None]
    return (
        fitted({"framework_id": [row.id for row in rows], "name": [row.name for row in rows]}, FRAMEWORKS.polars())
        .unique("name", keep="last")
        .sort(as_number("framework_id"))
    )


def push_frame(found: Sequence[Push]) -> pl.DataFrame:
    """Rows of the schema `PUSHES`, newest first; the counts of jobs are null, `counted` gives them."""
    rows = [row for row in found if row.id is not None]
    frame = fitted(
        {
            "key": [str(row.id) for row in rows],
            "push_time": epochs("push_time", [row.push_timestamp for row in rows]),
            "revision": [row.revision for row in rows],
            "author": [row.author for row in rows],
            "commits": [row.revision_count if row.revision_count is not None else len(row.revisions) for row in rows],
            "message": [_tip(row).comments for row in rows],
            "push_id": [row.id for row in rows],
            "repository_id": [row.repository_id for row in rows],
            **{name: [None] * len(rows) for name in COUNTS},
        },
        PUSHES.polars(),
    ).with_columns(pl.col("message").str.split("\n").list.first())
    return frame.unique("key", keep="last").sort("push_time", as_number("push_id"), descending=True, nulls_last=True)


def _tip(push: Push) -> Commit:
    """The commit that the push is named for; of a long push only the newest 20 are told."""
    for commit in push.revisions:
        if commit.revision == push.revision:
            return commit
    return push.revisions[0] if push.revisions else Commit()


def counted(status: Mapping[str, object]) -> dict[str, int]:
    """The counts of /push/ID/status/, by column. `completed` there is the total of the results, not one of them."""
    counts = {
        name: value
        for name, value in status.items()
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0
    }
    results = {name: n for name, n in counts.items() if name not in ("completed", "pending", "running")}
    failed = results.pop("testfailed", 0) + results.pop("busted", 0)
    found = {"success": results.pop("success", 0), "failed": failed, "exception": results.pop("exception", 0)}
    found |= {name: counts.get(name, 0) for name in ("running", "pending")}
    found["other"] = sum(results.values())
    found["total"] = counts.get("completed", found["success"] + failed + found["exception"] + found["other"])
    return found


def job_frame(found: Sequence[Job], classifications: Mapping[int, str] | None = None) -> pl.DataFrame:
    """Rows of the schema `JOBS`: failures first, then what still runs or waits, then the rest, each by name.

    `result` is the state of a job that is not completed (the server says "unknown" there). `wait` is from submission
    to start, `duration` from start to end, in seconds; null where either has not happened (epoch 0) or where the
    clocks make it negative. Failures that nobody has classified come before those that somebody has.
    """
    rows = [row for row in found if row.id is not None]
    names = classifications or {}
    frame = fitted(
        {
            "key": [str(row.id) for row in rows],
            "result": [row.result if row.state in (None, "completed") else row.state for row in rows],
            "symbol": [_symbol(row) for row in rows],
            "name": [row.job_type_name for row in rows],
            "platform": [row.platform or row.build_platform for row in rows],
            "option": [row.platform_option or None for row in rows],
            "duration": [None] * len(rows),
            "wait": [None] * len(rows),
            "started": epochs("started", [row.start_timestamp for row in rows]),
            "tier": [row.tier for row in rows],
            "classified": [
                None
                if row.failure_classification_id in (None, *NOT_CLASSIFIED)
                else names.get(row.failure_classification_id or 0, f"class {row.failure_classification_id}")
                for row in rows
            ],
            "machine": [row.machine_name or None for row in rows],
            "who": [row.who or None for row in rows],
            "task_id": [row.task_id or None for row in rows],
            "run": [row.retry_id for row in rows],
            "job_id": [row.id for row in rows],
            "state": [row.state for row in rows],
            "group": [row.job_group_name for row in rows],
            "reason": [row.reason or None for row in rows],
            "submitted": epochs("submitted", [row.submit_timestamp for row in rows]),
            "ended": epochs("ended", [row.end_timestamp for row in rows]),
            "modified": iso_times("modified", [row.last_modified for row in rows]),
            "push_id": [row.push_id for row in rows],
            "job_guid": [row.job_guid for row in rows],
            "classification_id": [row.failure_classification_id for row in rows],
        },
        JOBS.polars(),
    )
    frame = frame.with_columns(
        _span("started", "ended").alias("duration"), _span("submitted", "started").alias("wait")
    ).unique("key", keep="last")
    failed = pl.col("result").is_in(list(FAILED_RESULTS)).fill_null(False)
    order = (
        pl.when(failed & pl.col("classified").is_null()).then(0)
        .when(failed).then(1)
        .when(pl.col("state").is_in(["running", "pending", "unscheduled"])).then(2)
        .when(pl.col("result") == "success").then(4)
        .otherwise(3)
    )  # fmt: skip
    return frame.sort(order, "name", "submitted", as_number("job_id"), nulls_last=True)


def _span(start: str, end: str) -> pl.Expr:
    seconds = (pl.col(end) - pl.col(start)).dt.total_milliseconds() / 1000
    return pl.when(seconds >= 0).then(seconds).cast(pl.Float64)


def _symbol(job: Job) -> str | None:
    """As Treeherder's page has it: "Btime(ss3)", "B" for a job without a group."""
    symbol, group = job.job_type_symbol, job.job_group_symbol
    if not symbol or not group or group == "?":
        return symbol or None
    return f"{group}({symbol})"
