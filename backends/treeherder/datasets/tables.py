"""Tables of a dataset: columns, keys, files, and how rows that are fetched again are merged with those stored.

Times are epoch seconds in UTC (Int64), because the views calculate with them; ids are Treeherder's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Merge = Literal["fill", "replace", "replace_listed", "jobs"]
ID = pl.UInt32()
SECONDS = pl.Int64()
EXPIRED = "expired"  # state of a job that the server no longer has
JOBS_PER_BLOCK = 1_000_000

# Statuses from treeherder/perf/models.py (infra since June 2026), frameworks from its fixtures. A number that is not
# here is shown as it is: servers are newer than programs.
SUMMARY_STATUS = dict(enumerate((
    "untriaged", "downstream", "reassigned", "invalid", "improvement", "investigating", "wontfix", "fixed", "backedout",
    "infra",
)))  # fmt: skip
FRAMEWORK = {
    1: "talos", 2: "build_metrics", 4: "awsy", 5: "awfy", 6: "platform_microbench", 11: "js-bench", 12: "devtools",
    13: "browsertime", 14: "vcs", 15: "mozperftest", 16: "fxrecord", 17: "telemetry", 18: "mozharness",
}  # fmt: skip
BUG_STATUSES = (6, 7, 8)  # wontfix, fixed, backedout: the original counts these as settled regressions
HIDDEN_STATUSES = (1, 2, 3)  # what the API's hide_related_and_invalid leaves out


@dataclass(frozen=True)
class DatasetTable:
    """`key`: the columns that identify a row. `within`: what its files are split by, below repository=.

    `merge`: what happens to a row that comes again. fill: a known value changes only to another value, never to null;
    replace: the newer row counts; replace_listed: the newer list of a summary's alerts counts; jobs: like fill, but a
    completed job never becomes a running or unknown one again.
    """

    name: str
    columns: dict[str, pl.DataType]
    key: tuple[str, ...]
    merge: Merge
    order: tuple[str, ...]
    within: Literal["", "day", "block"] = ""

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.columns)

    def hive(self) -> dict[str, pl.DataType]:
        """The columns that the directories' names contain."""
        more: dict[str, dict[str, pl.DataType]] = {"": {}, "day": {"day": pl.Date()}, "block": {"block": pl.Int64()}}
        return {"repository": pl.String(), **more[self.within]}

    def partition(self) -> pl.Expr | None:
        """Which file of its repository a row belongs to, from what never changes about it; None: there is one file."""
        if self.within == "day":
            return pl.from_epoch("push_ts", "s").dt.strftime("%Y-%m-%d").alias("day")
        if self.within == "block":
            return (pl.col("job_id") // JOBS_PER_BLOCK).cast(pl.String).alias("block")
        return None


MEASUREMENTS = DatasetTable(
    "pairs",  # of a signature and a job
    {
        "signature_id": ID,
        "job_id": ID,  # null: the job had expired before it was first fetched
        "datum_id": pl.Int64(),
        "push_id": ID,
        "push_ts": SECONDS,
        "submit_ts": SECONDS,  # null: not known (yet), or the job had expired
        "value": pl.Float64(),
        "seen_at": SECONDS,
        "machine_name": pl.String(),  # null: only the endpoint with all digits has it
        "exact": pl.Boolean(),  # the value has all its digits; otherwise two decimals
    },
    key=("datum_id",),
    merge="fill",
    order=("signature_id", "job_id", "datum_id"),
    within="day",
)
PUSHES = DatasetTable(
    "pushes",
    {
        "push_id": ID,
        "revision": pl.String(),
        "push_ts": SECONDS,
        "author": pl.String(),
        "commits": pl.Int64(),
        "commit_revisions": pl.List(pl.String()),  # the newest 20: Treeherder has no more
    },
    key=("push_id",),
    merge="fill",
    order=("push_id",),
)
SIGNATURES = DatasetTable(
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
        "raw": pl.String(),  # the object as JSON: which fields it has matters, see `signature_groups`
    },
    key=("signature_id",),
    merge="replace",
    order=("signature_id",),
)
ALERT_SUMMARIES = DatasetTable(
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
        "monitored": pl.Boolean(),  # listed only with monitored_alerts (unsheriffed)
        "assignee": pl.String(),
        "notes": pl.String(),
        "raw": pl.String(),  # the summary as JSON, without its alerts
    },
    key=("summary_id",),
    merge="replace",
    order=("summary_id",),
)
ALERTS = DatasetTable(
    "alerts",
    {
        "listed_in": pl.Int64(),  # the summary in whose response it was
        "related": pl.Boolean(),  # in its related_alerts: an alert of another summary
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
    merge="replace_listed",
    order=("listed_in", "related", "position"),
)
JOB_TEXTS = (
    "state", "result", "reason", "who", "platform", "platform_option", "machine_name", "machine_platform_os",
    "machine_platform_architecture", "build_os", "build_architecture", "build_platform", "build_system_type",
    "job_guid", "job_type_name", "job_type_symbol", "job_type_description", "job_group_name", "job_group_symbol",
    "job_group_description", "option_collection_hash", "ref_data_name", "signature", "last_modified", "task_id",
)  # fmt: skip
JOB_NUMBERS = (
    "job_type_id", "job_group_id", "build_platform_id", "tier", "failure_classification_id", "retry_id", "push_id",
    "result_set_id", "submit_timestamp", "start_timestamp", "end_timestamp",
)  # fmt: skip
JOBS = DatasetTable(
    "jobs",
    {
        "job_id": ID,
        "seen_at": SECONDS,
        **dict.fromkeys(JOB_NUMBERS, pl.Int64()),
        **dict.fromkeys(JOB_TEXTS, pl.String()),
    },
    key=("job_id",),
    merge="jobs",
    order=("job_id",),
    within="block",
)
TABLES = {table.name: table for table in (MEASUREMENTS, PUSHES, SIGNATURES, ALERT_SUMMARIES, ALERTS, JOBS)}


def merge_rows(table: DatasetTable, old: pl.DataFrame, new: pl.DataFrame, listed: pl.Series | None) -> pl.DataFrame:
    """The rows of both without duplicates, in the order of the table. Of rows with one key in `new` the last is the
    newest.

    `listed`: the summaries whose lists of alerts are in `new`, including those whose list is empty.
    """
    new = new.select(list(table.columns)).drop_nulls(list(table.key))
    if table.merge == "replace_listed":
        replaced = new["listed_in"] if listed is None else pl.concat([new["listed_in"], listed])
        kept = old.filter(~pl.col("listed_in").is_in(replaced.unique().to_list()))
        merged = pl.concat([kept, new.unique(table.key, keep="last", maintain_order=True)])
    elif table.merge == "replace":
        newest = new.unique(table.key, keep="last", maintain_order=True)
        merged = pl.concat([old.join(newest, on=table.key, how="anti"), newest])
    else:
        merged = _fill(table, old, _drop_rounded(old, new) if table is MEASUREMENTS else new)
    if table is MEASUREMENTS:
        merged = _one_value_per_job(merged)
    return merged.sort(table.order, nulls_last=True)


def _drop_rounded(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """`new` without values that are those of `old` rounded: digits that are known once stay."""
    exact = old.filter(pl.col("exact")).select("datum_id", pl.col("value").alias("all_digits"))
    if exact.is_empty() or new.is_empty():
        return new
    close = (pl.col("value") - pl.col("all_digits")).abs() < 0.0051  # half a hundredth, plus the error of a float
    rounded = (close & ~pl.col("exact").fill_null(False)).fill_null(False)
    return (
        new.join(exact, on="datum_id", how="left", maintain_order="left")
        .with_columns(pl.when(~rounded).then(pl.col(name)).alias(name) for name in ("value", "exact"))
        .drop("all_digits")
    )


def _fill(table: DatasetTable, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    key, rest = list(table.key), [name for name in table.columns if name not in (*table.key, "seen_at")]
    seen = "seen_at" in table.columns
    if table.merge == "jobs":  # the latest of several, unless an earlier one had got further
        new = new.sort(_progress("state"), maintain_order=True)
    newest = new
    if new.select(key).is_duplicated().any():
        latest = [pl.col(name).drop_nulls().last() for name in rest] + [pl.col("seen_at").min()] * seen
        newest = new.group_by(key, maintain_order=True).agg(latest).select(list(table.columns))
    both = old.join(newest, on=key, how="left", suffix="_new", maintain_order="left")
    keep_old = pl.lit(False)
    if table.merge == "jobs":
        keep_old = (_progress("state") > _progress("state_new")) & pl.col("state").is_not_null()
    filled = [
        pl.when(keep_old).then(pl.coalesce(name, f"{name}_new")).otherwise(pl.coalesce(f"{name}_new", name)).alias(name)
        for name in rest
    ] + [pl.min_horizontal("seen_at", "seen_at_new").alias("seen_at")] * seen
    updated = both.select(*key, *filled).select(list(table.columns))
    return pl.concat([updated, newest.join(old, on=key, how="anti")])


def _progress(name: str) -> pl.Expr:
    """How far a job in that state has got: 0 expired or unknown, 1 pending or running, 2 completed."""
    state = pl.col(name)
    return pl.when(state == "completed").then(2).when(state.is_null() | (state == EXPIRED)).then(0).otherwise(1)


def _one_value_per_job(rows: pl.DataFrame) -> pl.DataFrame:
    """A job has one value for a signature: with two, counting rows would no longer be counting jobs."""
    known = pl.col("job_id").is_not_null()
    first = pl.col("datum_id") == pl.col("datum_id").min().over("signature_id", "job_id")
    twice = rows.lazy().filter(known).select("signature_id", "job_id").collect().is_duplicated().any()
    return rows.filter(~known | first) if twice else rows
