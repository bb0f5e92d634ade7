"""What a dataset store holds: six tables, their columns, what makes a row unique and where a row lies.

Times are epoch seconds in UTC (Int64), because that is what the views calculate with; ids are Treeherder's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Merging = Literal["fill", "replace", "replace_listed", "jobs"]
ID = pl.UInt32()
SECONDS = pl.Int64()


@dataclass(frozen=True)
class Table:
    """`key`: the columns that identify a row. `within`: what its files are split by, below repository=.

    `merging`: how a row that comes again is taken. fill: a value that is known stays unless another value comes, never
    lost to a null; replace: the newer row is the whole truth; replace_listed: the newer list of a summary's alerts is;
    jobs: as fill, but an ended job never becomes a running or unknown one again.
    """

    name: str
    columns: dict[str, pl.DataType]
    key: tuple[str, ...]
    merging: Merging
    order: tuple[str, ...]
    within: Literal["", "day", "block"] = ""

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.columns)

    def hive(self) -> dict[str, pl.DataType]:
        """The columns that the directories' names give."""
        more: dict[str, dict[str, pl.DataType]] = {"": {}, "day": {"day": pl.Date()}, "block": {"block": pl.Int64()}}
        return {"repository": pl.String(), **more[self.within]}


PAIRS = Table(
    "pairs",
    {
        "signature_id": ID,
        "job_id": ID,  # null: the job had expired before it was ever seen here
        "datum_id": pl.Int64(),
        "push_id": ID,
        "push_ts": SECONDS,
        "submit_ts": SECONDS,  # null: not known (yet), or the job had expired
        "value": pl.Float64(),
        "seen_at": SECONDS,
        "machine_name": pl.String(),  # null: not told, which only the endpoint with all digits does
        "exact": pl.Boolean(),  # the value has all its digits; else the two decimals of the lists of whole pushes
    },
    key=("datum_id",),
    merging="fill",
    order=("signature_id", "job_id", "datum_id"),
    within="day",
)
PUSHES = Table(
    "pushes",
    {
        "push_id": ID,
        "revision": pl.String(),
        "push_ts": SECONDS,
        "author": pl.String(),
        "commits": pl.Int64(),
        "commit_revisions": pl.List(pl.String()),  # the newest 20, which is all that Treeherder tells
    },
    key=("push_id",),
    merging="fill",
    order=("push_id",),
)
SIGNATURES = Table(
    "signatures",
    {
        "signature_id": ID,
        "signature_hash": pl.String(),
        "framework_id": pl.Int64(),
        "option_collection_hash": pl.String(),
        "machine_platform": pl.String(),
        "suite": pl.String(),
        "test": pl.String(),
        "application": pl.String(),
        "lower_is_better": pl.Boolean(),
        "has_subtests": pl.Boolean(),
        "should_alert": pl.Boolean(),
        "parent_signature": pl.String(),
        "measurement_unit": pl.String(),
        "extra_options": pl.List(pl.String()),
        "tags": pl.List(pl.String()),
        "raw": pl.String(),  # the object as JSON: which fields it has matters, see `signature_sets`
    },
    key=("signature_id",),
    merging="replace",
    order=("signature_id",),
)
ALERT_SUMMARIES = Table(
    "alert_summaries",
    {
        "summary_id": pl.Int64(),
        "framework_id": pl.Int64(),
        "status": pl.Int64(),
        "push_id": pl.Int64(),
        "revision": pl.String(),
        "original_revision": pl.String(),
        "prev_push_revision": pl.String(),
        "push_ts": SECONDS,
        "created_ts": SECONDS,
        "first_triaged_ts": SECONDS,
        "bug_updated_ts": SECONDS,
        "bug_number": pl.Int64(),
        "monitored": pl.Boolean(),  # listed only when asked for monitored (not sheriffed) alerts
        "assignee": pl.String(),
        "notes": pl.String(),
        "raw": pl.String(),  # the summary as JSON, without its alerts
    },
    key=("summary_id",),
    merging="replace",
    order=("summary_id",),
)
ALERTS = Table(
    "alerts",
    {
        "listed_in": pl.Int64(),  # the summary whose answer listed it
        "related": pl.Boolean(),  # among its related_alerts: an alert of another summary
        "position": pl.Int64(),
        "alert_id": pl.Int64(),
        "summary_id": pl.Int64(),
        "related_summary_id": pl.Int64(),
        "signature_id": ID,
        "status": pl.Int64(),
        "is_regression": pl.Boolean(),
        "suite": pl.String(),
        "test": pl.String(),
        "machine_platform": pl.String(),
        "prev_value": pl.Float64(),
        "new_value": pl.Float64(),
        "amount_pct": pl.Float64(),
        "t_value": pl.Float64(),
        "raw": pl.String(),
    },
    key=("listed_in", "related", "alert_id"),
    merging="replace_listed",
    order=("listed_in", "related", "position"),
)
JOB_TEXTS = [
    "state",
    "result",
    "reason",
    "who",
    "platform",
    "platform_option",
    "machine_name",
    "machine_platform_os",
    "machine_platform_architecture",
    "build_os",
    "build_architecture",
    "build_platform",
    "build_system_type",
    "job_guid",
    "job_type_name",
    "job_type_symbol",
    "job_type_description",
    "job_group_name",
    "job_group_symbol",
    "job_group_description",
    "option_collection_hash",
    "ref_data_name",
    "signature",
    "last_modified",
    "task_id",
]
JOB_NUMBERS = [
    "job_type_id",
    "job_group_id",
    "build_platform_id",
    "tier",
    "failure_classification_id",
    "retry_id",
    "push_id",
    "result_set_id",
    "submit_timestamp",
    "start_timestamp",
    "end_timestamp",
]
JOBS = Table(
    "jobs",
    {
        "job_id": ID,
        "seen_at": SECONDS,
        **dict.fromkeys(JOB_NUMBERS, pl.Int64()),
        **dict.fromkeys(JOB_TEXTS, pl.String()),  # state is "expired" where the server no longer has the job
    },
    key=("job_id",),
    merging="jobs",
    order=("job_id",),
    within="block",
)
TABLES = {table.name: table for table in (PAIRS, PUSHES, SIGNATURES, ALERT_SUMMARIES, ALERTS, JOBS)}
JOBS_A_BLOCK = 1_000_000
EXPIRED = "expired"


def place(table: Table) -> pl.Expr | None:
    """Which file of its repository a row belongs to, from what can never change about it; None: there is one."""
    if table.within == "day":
        return pl.from_epoch("push_ts", "s").dt.strftime("%Y-%m-%d").alias("day")
    if table.within == "block":
        return (pl.col("job_id") // JOBS_A_BLOCK).cast(pl.String).alias("block")
    return None
