"""What is known of signatures: their metadata, their groups, the jobs that they come from, and counts a revision."""

from __future__ import annotations

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.names import FRAMEWORK, moment, named

SIGNATURES = Schema(
    (
        Column("signature", Kind.ID, "Signature"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("suite", Kind.TEXT, "Suite"),
        Column("test", Kind.TEXT, "Test"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("application", Kind.TEXT, "Application"),
        Column("options", Kind.TEXT, "Options"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("lower_is_better", Kind.TEXT, "Lower is better"),
        Column("has_subtests", Kind.TEXT, "Subtests"),
        Column("should_alert", Kind.TEXT, "Alerts"),
        Column("hash", Kind.ID, "Hash", hidden=True),
        Column("parent", Kind.ID, "Parent", hidden=True),
        Column("tags", Kind.TEXT, "Tags", hidden=True),
    ),
    key="signature",
)
GROUPS = Schema(
    (
        Column("size", Kind.COUNT, "Signatures"),
        Column("jobs", Kind.COUNT, "Jobs"),
        Column("suites", Kind.TEXT, "Suites"),
        Column("platforms", Kind.TEXT, "Platforms"),
        Column("frameworks", Kind.TEXT, "Frameworks"),
        Column("position", Kind.COUNT, "Group"),
        Column("group_id", Kind.ID, "Group id"),
        Column("signatures", Kind.TEXT, "Signature ids", hidden=True),
    ),
    key="group_id",
)
JOBS = Schema(
    (
        Column("job", Kind.ID, "Job"),
        Column("signatures", Kind.COUNT, "Signatures"),
        Column("features", Kind.TEXT, "Common features"),
        Column("ids", Kind.TEXT, "Signature ids", hidden=True),
    ),
    key="job",
)
PUSHES = Schema(
    (
        Column("push", Kind.ID, "Push"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("pushed", Kind.TIME, "Pushed"),
        Column("state", Kind.STATE, "State"),
        Column("total", Kind.COUNT, "Signatures"),
        Column("groups", Kind.COUNT, "Groups"),
        Column("jobs", Kind.COUNT, "Jobs"),
        Column("late", Kind.COUNT, "Asked for later"),
        Column("job_expired", Kind.COUNT, "Job expired"),
        Column("commits", Kind.COUNT, "Commits"),
        Column("author", Kind.TEXT, "Author"),
    ),
    key="push",
)
COMMITS = Schema(
    (
        Column("revision", Kind.ID, "Revision", width=12),
        Column("committed", Kind.TIME, "Committed"),
        Column("total", Kind.COUNT, "Signatures"),
    ),
    key="revision",
)
RECTIFIED = Schema(
    (
        Column("revision", Kind.ID, "Revision", width=12),
        Column("pushed", Kind.TIME, "Time"),
        Column("total", Kind.COUNT, "Groups"),
        Column("signatures", Kind.COUNT, "Signatures"),
        Column("unknown", Kind.COUNT, "Without group"),
    ),
    key="revision",
)


def signatures(found: pl.LazyFrame) -> pl.DataFrame:
    """One row a signature (schema `SIGNATURES`), by id."""
    yes = {True: "yes", False: "no"}
    return (
        found.sort("signature_id").unique("signature_id", keep="first", maintain_order=True)
        .select(
            pl.col("signature_id").cast(pl.String).alias("signature"),
            named("framework_id", FRAMEWORK).alias("framework"),
            "suite", "test", pl.col("machine_platform").alias("platform"), "application",
            pl.col("extra_options").list.join(" ").alias("options"), pl.col("measurement_unit").alias("unit"),
            *(pl.col(name).replace_strict(yes, return_dtype=pl.String).alias(name)
              for name in ("lower_is_better", "has_subtests", "should_alert")),
            pl.col("signature_hash").alias("hash"), pl.col("parent_signature").alias("parent"),
            pl.col("tags").list.join(" ").alias("tags"),
        ).collect()
    )  # fmt: skip


def groups(found: pl.DataFrame, metadata: pl.LazyFrame) -> pl.DataFrame:
    """One row a group (schema `GROUPS`) of `groups.signature_groups`, by position."""
    known = metadata.select(
        "signature_id", "suite", "machine_platform", named("framework_id", FRAMEWORK).alias("framework")
    )
    words = {"suite": "suites", "machine_platform": "platforms", "framework": "frameworks"}
    rows = (
        found.lazy().join(known.unique("signature_id"), on="signature_id", how="left")
        .group_by("position").agg(
            pl.col("size", "jobs", "group_id").first(),
            *(pl.col(name).drop_nulls().unique().sort().str.join(", ").alias(shown) for name, shown in words.items()),
            pl.col("signature_id").sort().cast(pl.String).str.join(" ").alias("signatures"),
        ).sort("position").collect()
    )  # fmt: skip
    return _fitted(rows, GROUPS)


def jobs(sets: pl.DataFrame) -> pl.DataFrame:
    """One row a job (schema `JOBS`) of `signature_sets.signatures_per_job`."""
    return sets.select(
        pl.col("job_id").cast(pl.String).alias("job"),
        "signatures",
        pl.col("common_sig_features").list.join(", ").alias("features"),
        pl.col("signature_ids").cast(pl.List(pl.String)).list.join(" ").alias("ids"),
    )


def pushes(counted: pl.DataFrame) -> pl.DataFrame:
    """One row a push (schema `PUSHES`) of `revisions.per_push`, the latest first."""
    shown = counted.with_columns(pl.col("push_id").cast(pl.String).alias("push"), moment("push_ts").alias("pushed"))
    return _fitted(shown.reverse(), PUSHES)


def commits(counted: pl.DataFrame) -> pl.DataFrame:
    """One row a commit (schema `COMMITS`) of `revisions.per_commit`, the latest first."""
    return _fitted(counted.with_columns(moment("commit_ts").alias("committed")).reverse(), COMMITS)


def rectified(counted: pl.DataFrame) -> pl.DataFrame:
    """One row a revision (schema `RECTIFIED`) of `revisions.rectified` with its time as `at` and `signatures`, the
    latest first."""
    return _fitted(counted.with_columns(moment("at").alias("pushed")).reverse(), RECTIFIED)


def _fitted(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.polars().items())
