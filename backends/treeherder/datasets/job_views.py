"""How long performance jobs run and wait: per signature, per group, per push, per platform and hour.

A duration counts from start to end, a wait from submission to start, in seconds. A time that the server gives as 0 is
one that has not come yet; a negative span is a clock's fault and left out, as the original does with waits.
"""

from __future__ import annotations

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.names import moment

_SPREAD = ("mean", "median", "p90", "p95", "p99", "min", "max")
_DURATIONS = (
    Column("result", Kind.STATE, "Result"),
    Column("jobs", Kind.COUNT, "Jobs"),
    *(Column(name, Kind.DURATION, name.capitalize()) for name in _SPREAD),
    Column("suites", Kind.TEXT, "Suites"),
)
BY_GROUP = Schema(
    (
        Column("position", Kind.COUNT, "Group"),
        Column("size", Kind.COUNT, "Signatures"),
        *_DURATIONS,
        Column("group_id", Kind.ID, "Group id"),
    ),
    key="key",
)
BY_SIGNATURE = Schema((Column("signature", Kind.ID, "Signature"), *_DURATIONS), key="key")
_WAITS = (
    Column("jobs", Kind.COUNT, "Jobs"),
    *(Column(name, Kind.DURATION, name.capitalize()) for name in _SPREAD),
)
WAITS = Schema(
    (
        Column("job", Kind.ID, "Job"),
        Column("wait", Kind.DURATION, "Wait"),
        Column("duration", Kind.DURATION, "Duration"),
        Column("result", Kind.STATE, "Result"),
        Column("name", Kind.TEXT, "Name", width=44, keeps_end=True),
        Column("platform", Kind.TEXT, "Platform"),
        Column("submitted", Kind.TIME, "Submitted"),
        Column("hour", Kind.COUNT, "Hour"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("machine", Kind.TEXT, "Machine", hidden=True),
        Column("task", Kind.ID, "Task", hidden=True),
    ),
    key="job",
)
WAITS_BY_PUSH = Schema(
    (Column("push", Kind.ID, "Push"), Column("revision", Kind.ID, "Revision", width=12),
     Column("pushed", Kind.TIME, "Pushed"), *_WAITS),
    key="push",
)  # fmt: skip
WAITS_BY_PLATFORM = Schema((Column("platform", Kind.TEXT, "Platform"), *_WAITS), key="platform")
WAITS_BY_HOUR = Schema((Column("hour", Kind.COUNT, "Hour (UTC)"), *_WAITS), key="key")


def timed(jobs: pl.LazyFrame) -> pl.LazyFrame:
    """The jobs with `wait` and `duration` in seconds, null where a time is not known or the span is negative."""
    start, end, submit = (
        pl.when(pl.col(f"{name}_timestamp") > 0).then(pl.col(f"{name}_timestamp"))
        for name in ("start", "end", "submit")
    )
    return jobs.with_columns(_span(submit, start).alias("wait"), _span(start, end).alias("duration"))


def _span(earlier: pl.Expr, later: pl.Expr) -> pl.Expr:
    return pl.when(later >= earlier).then((later - earlier).cast(pl.Float64))


def _spread(column: str) -> list[pl.Expr]:
    value = pl.col(column)
    quantiles = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    return [
        pl.len().cast(pl.Int64).alias("jobs"),
        value.mean().alias("mean"),
        *(value.quantile(share, "linear").alias(name) for name, share in quantiles.items()),
        value.min().alias("min"),
        value.max().alias("max"),
    ]


def _durations(pairs: pl.LazyFrame, jobs: pl.LazyFrame, key: pl.LazyFrame, by: list[str]) -> pl.DataFrame:
    """For each of `by` and result, and for all results together; `key`: signature_id and the columns of `by`."""
    measured = timed(jobs).filter(pl.col("duration").is_not_null()).select("job_id", "result", "duration")
    found = (
        pairs.filter(pl.col("job_id").is_not_null()).select("signature_id", "job_id").join(key, on="signature_id")
        .select(*by, "job_id").unique().join(measured, on="job_id").collect(engine="streaming")
    )  # fmt: skip
    every = found.with_columns(pl.lit("all").alias("result"))
    return (
        pl.concat([every, found.with_columns(pl.col("result").fill_null("unknown"))]).lazy()
        .group_by(*by, "result").agg(_spread("duration")).collect()
    )  # fmt: skip


def durations_by_group(
    pairs: pl.LazyFrame, jobs: pl.LazyFrame, groups: pl.DataFrame, signatures: pl.LazyFrame
) -> pl.DataFrame:
    """One row a group and result, and one for all its results (schema `BY_GROUP`), of every job that is known."""
    members = groups.lazy()
    spread = _durations(pairs, jobs, members.select("signature_id", "position"), ["position"])
    named = (
        members.join(signatures.select("signature_id", "suite"), on="signature_id", how="left")
        .group_by("position").agg(pl.col("group_id").first(), pl.col("size").first(), _suites()).collect()
    )  # fmt: skip
    rows = spread.join(named, on="position").sort("position", "result")
    return _fitted(rows.with_columns(pl.format("{}/{}", "position", "result").alias("key")), BY_GROUP)


def durations_by_signature(pairs: pl.LazyFrame, jobs: pl.LazyFrame, signatures: pl.LazyFrame) -> pl.DataFrame:
    """One row a signature and result, and one for all its results (schema `BY_SIGNATURE`)."""
    key = pairs.select("signature_id").unique()
    spread = _durations(pairs, jobs, key, ["signature_id"])
    named = signatures.select("signature_id", pl.col("suite").alias("suites")).unique("signature_id").collect()
    rows = spread.join(named, on="signature_id", how="left").sort("signature_id", "result").with_columns(
        pl.col("signature_id").cast(pl.String).alias("signature"),
        pl.format("{}/{}", "signature_id", "result").alias("key"),
    )  # fmt: skip
    return _fitted(rows, BY_SIGNATURE)


def _suites() -> pl.Expr:
    return pl.col("suite").drop_nulls().unique().sort().str.join(", ").alias("suites")


def _waiting(pairs: pl.LazyFrame, jobs: pl.LazyFrame) -> pl.LazyFrame:
    """The jobs that gave values, timed, with the push that they were for; expired ones have no times and are absent."""
    meant = pairs.filter(pl.col("job_id").is_not_null()).group_by("job_id").agg(pl.col("push_id").min())
    return timed(jobs.drop("push_id")).join(meant, on="job_id")


def waits(pairs: pl.LazyFrame, jobs: pl.LazyFrame, pushes: pl.LazyFrame) -> pl.DataFrame:
    """One row a job (schema `WAITS`), the latest first."""
    rows = (
        _waiting(pairs, jobs).join(pushes.select("push_id", "revision"), on="push_id", how="left")
        .filter(pl.col("submit_timestamp") > 0).sort(["submit_timestamp", "job_id"], descending=True)
        .select(
            pl.col("job_id").cast(pl.String).alias("job"), pl.col("job_type_name").alias("name"), "platform",
            moment("submit_timestamp").alias("submitted"), _hour().alias("hour"), "wait", "duration", "result",
            "revision",
            pl.col("machine_name").alias("machine"), pl.col("task_id").alias("task"),
        )
    )  # fmt: skip
    return _fitted(rows.collect(), WAITS)


def _hour() -> pl.Expr:
    return pl.col("submit_timestamp") // 3600 % 24


def waits_by_push(pairs: pl.LazyFrame, jobs: pl.LazyFrame, pushes: pl.LazyFrame) -> pl.DataFrame:
    """One row a push that has a job with a known wait (schema `WAITS_BY_PUSH`), the latest first."""
    found = _waiting(pairs, jobs).filter(pl.col("wait").is_not_null()).group_by("push_id").agg(_spread("wait"))
    rows = found.join(pushes.select("push_id", "revision", "push_ts"), on="push_id", how="left").collect()
    shown = rows.sort("push_ts", "push_id", descending=True, nulls_last=True).with_columns(
        pl.col("push_id").cast(pl.String).alias("push"), moment("push_ts").alias("pushed")
    )
    return _fitted(shown, WAITS_BY_PUSH)


def waits_by_platform(pairs: pl.LazyFrame, jobs: pl.LazyFrame) -> pl.DataFrame:
    """One row a platform (schema `WAITS_BY_PLATFORM`), the longest median first."""
    known = _waiting(pairs, jobs).filter(pl.col("wait").is_not_null())
    rows = known.with_columns(pl.col("platform").fill_null("")).group_by("platform").agg(_spread("wait")).collect()
    return _fitted(rows.sort(["median", "platform"], descending=[True, False]), WAITS_BY_PLATFORM)


def waits_by_hour(pairs: pl.LazyFrame, jobs: pl.LazyFrame) -> pl.DataFrame:
    """One row an hour of the day (UTC) in which jobs were submitted (schema `WAITS_BY_HOUR`)."""
    known = _waiting(pairs, jobs).filter(pl.col("wait").is_not_null())
    rows = known.group_by(_hour().alias("hour")).agg(_spread("wait")).sort("hour").collect()
    return _fitted(rows.with_columns(pl.col("hour").cast(pl.String).alias("key")), WAITS_BY_HOUR)


def _fitted(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.polars().items())
