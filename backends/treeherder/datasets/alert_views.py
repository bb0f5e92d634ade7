"""What the alerts say: summaries, the bugs of regressions, which signatures failed, and how long each step took."""

from __future__ import annotations

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.names import BUG_STATUSES, FRAMEWORK, SUMMARY_STATUS, moment, named

SUMMARIES = Schema(
    (
        Column("summary", Kind.ID, "Summary"),
        Column("status", Kind.STATE, "Status"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("pushed", Kind.TIME, "Pushed"),
        Column("created", Kind.TIME, "Created"),
        Column("bug", Kind.ID, "Bug"),
        Column("regressions", Kind.COUNT, "Regressions"),
        Column("improvements", Kind.COUNT, "Improvements"),
        Column("related", Kind.COUNT, "Related"),
        Column("largest", Kind.NUMBER, "Largest change", "%"),
        Column("suites", Kind.TEXT, "Suites"),
        Column("platforms", Kind.TEXT, "Platforms"),
        Column("assignee", Kind.TEXT, "Assignee"),
        Column("monitored", Kind.TEXT, "Monitored", hidden=True),
        Column("original_revision", Kind.ID, "Original revision", hidden=True),
        Column("notes", Kind.TEXT, "Notes", hidden=True),
    ),
    key="summary",
)
BUGS = Schema(
    (
        Column("bug", Kind.ID, "Bug"),
        Column("summary", Kind.ID, "Summary"),
        Column("status", Kind.STATE, "Status"),
        Column("revision", Kind.ID, "Regressor", width=12),
        Column("created", Kind.TIME, "Created"),
        Column("count", Kind.COUNT, "Regressed"),
        Column("tests", Kind.TEXT, "Tests"),
        Column("platforms", Kind.TEXT, "Platforms"),
        Column("framework", Kind.TEXT, "Framework"),
    ),
    key="summary",
)
FAILING = Schema(
    (
        Column("summary", Kind.ID, "Summary"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("count", Kind.COUNT, "Signatures"),
        Column("signatures", Kind.TEXT, "Signature ids"),
    ),
    key="summary",
)
CULPRIT = Schema(
    (
        Column("summary", Kind.ID, "Summary"),
        Column("status", Kind.STATE, "Status"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
        Column("regression", Kind.TEXT, "Regression"),
        Column("culprit", Kind.DURATION, "Alert after push"),
        Column("detect", Kind.DURATION, "… first push"),
        Column("triage", Kind.DURATION, "Triage"),
        Column("bug", Kind.DURATION, "Bug"),
        Column("landed_to_bug", Kind.DURATION, "Landed to bug"),
        Column("moved", Kind.TEXT, "Moved"),
        Column("created", Kind.TIME, "Created"),
        Column("pushed", Kind.TIME, "Pushed"),
    ),
    key="summary",
)


def _by_summary(alerts: pl.LazyFrame) -> pl.LazyFrame:
    own, regression = ~pl.col("related"), pl.col("is_regression").fill_null(False)
    return alerts.group_by("listed_in").agg(
        (own & regression).sum().alias("regressions"),
        (own & ~regression).sum().alias("improvements"),
        pl.col("related").sum().alias("related"),
        pl.col("amount_pct").filter(own).max().alias("largest"),
        pl.col("suite").filter(own).drop_nulls().unique().sort().str.join(", ").alias("suites"),
        pl.col("machine_platform").filter(own).drop_nulls().unique().sort().str.join(", ").alias("platforms"),
    )


def summaries(found: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """Alert summaries (schema `SUMMARIES`), the newest first; counts of their own alerts, `related` of others'."""
    rows = found.join(_by_summary(alerts), left_on="summary_id", right_on="listed_in", how="left")
    return _shown(
        rows.sort("created_ts", "summary_id", descending=True, nulls_last=True).with_columns(
            pl.col("regressions", "improvements", "related").fill_null(0)
        ),
        SUMMARIES,
    )


def _shown(rows: pl.LazyFrame, schema: Schema) -> pl.DataFrame:
    words = rows.with_columns(
        pl.col("summary_id").cast(pl.String).alias("summary"),
        named("status", SUMMARY_STATUS).alias("status"),
        named("framework_id", FRAMEWORK).alias("framework"),
        moment("push_ts").alias("pushed"),
        moment("created_ts").alias("created"),
        pl.when("monitored").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("monitored"),
    )
    if "bug" not in words.collect_schema():
        words = words.with_columns(pl.col("bug_number").cast(pl.String).alias("bug"))
    return words.select(pl.col(name).cast(dtype) for name, dtype in schema.polars().items()).collect()


def regressed_tests(found: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """The original's join table: summaries with a bug whose status is wontfix, fixed or backedout, by id.

    summary_id, bug_number, revision, created_ts, status, framework_id, tests: a list of {test, platform}, of all
    regressions among their own and their related alerts, unique and sorted, without those that have neither.
    """
    meant = found.filter(pl.col("status").is_in(BUG_STATUSES) & pl.col("bug_number").is_not_null())
    pair = pl.struct(pl.col("test").fill_null(""), pl.col("machine_platform").fill_null("").alias("platform"))
    named_ones = alerts.filter(pl.col("is_regression")).filter(
        (pl.col("test").fill_null("") != "") | (pl.col("machine_platform").fill_null("") != "")
    )
    tests = named_ones.group_by("listed_in").agg(pair.unique().sort().alias("tests"))
    return (
        meant.join(tests, left_on="summary_id", right_on="listed_in", how="left").sort("summary_id")
        .select("summary_id", "bug_number", "revision", "created_ts", "status", "framework_id", "repository", "tests",
                "push_ts", "monitored")
        .collect()
    )  # fmt: skip


def bugs(found: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """`regressed_tests` to look at (schema `BUGS`), the newest first."""
    rows = regressed_tests(found, alerts)
    each = pl.col("tests").list.eval(pl.element().struct.field("test")).list.unique().list.sort()
    where = pl.col("tests").list.eval(pl.element().struct.field("platform")).list.unique().list.sort()
    told = rows.with_columns(
        pl.col("tests").list.len().fill_null(0).alias("count"),
        where.list.eval(pl.element().filter(pl.element() != "")).list.join(", ").alias("platforms"),
        each.list.eval(pl.element().filter(pl.element() != "")).list.join(", ").alias("tests"),
    )
    return _shown(told.sort("created_ts", "summary_id", descending=True, nulls_last=True).lazy(), BUGS)


def failing_signatures(found: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """summary_id, revision, signature_ids (sorted, unique; of regressions among its own alerts), by summary: those of
    `regressed_tests`."""
    meant = regressed_tests(found, alerts).select("summary_id", "revision")
    own = alerts.filter(pl.col("is_regression") & ~pl.col("related")).filter(pl.col("signature_id").is_not_null())
    ids = own.group_by("listed_in").agg(pl.col("signature_id").unique().sort().alias("signature_ids")).collect()
    return (
        meant.join(ids, left_on="summary_id", right_on="listed_in", how="left")
        .with_columns(pl.col("signature_ids").fill_null([]), pl.col("revision").fill_null(""))
        .sort("summary_id")
    )  # fmt: skip


def failing(found: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """`failing_signatures` to look at (schema `FAILING`)."""
    return failing_signatures(found, alerts).select(
        pl.col("summary_id").cast(pl.String).alias("summary"),
        "revision",
        pl.col("signature_ids").list.len().cast(pl.Int64).alias("count"),
        pl.col("signature_ids").cast(pl.List(pl.String)).list.join(" ").alias("signatures"),
    )


def time_to_culprit(found: pl.LazyFrame, alerts: pl.LazyFrame, pushes: pl.LazyFrame) -> pl.DataFrame:
    """How long each step took (schema `CULPRIT`), the newest first; durations in seconds, negative where a step came
    before the one it is counted from.

    culprit: from the summary's push to the alert, the original's figure: the push is the one that sheriffs moved the
    alert to, so it says little about finding it. detect: the same from the push that the alert was first made for, null
    where that push is not in the store. triage: from the alert to its first triage. bug: from the alert to the last
    change of its bug. landed_to_bug: from the summary's push. `moved`: sheriffs changed the push.
    """
    of_original = pushes.select(pl.col("revision").alias("original_revision"), pl.col("push_ts").alias("first_push"))
    of_original = of_original.unique("original_revision", keep="first", maintain_order=True)
    moved = pl.col("original_revision").is_not_null() & (pl.col("original_revision") != pl.col("revision"))
    rows = (
        found.join(of_original, on="original_revision", how="left")
        .join(_by_summary(alerts), left_on="summary_id", right_on="listed_in", how="left")
        .with_columns(
            (pl.col("created_ts") - pl.col("push_ts")).alias("culprit"),
            (pl.col("created_ts") - pl.when(moved).then("first_push").otherwise("push_ts")).alias("detect"),
            (pl.col("first_triaged_ts") - pl.col("created_ts")).alias("triage"),
            (pl.col("bug_updated_ts") - pl.col("created_ts")).alias("bug"),
            (pl.col("bug_updated_ts") - pl.col("push_ts")).alias("landed_to_bug"),
            pl.when(moved).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("moved"),
            pl.when(pl.col("regressions") > 0).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("regression"),
        )
        .sort("created_ts", "summary_id", descending=True, nulls_last=True)
    )
    return _shown(rows, CULPRIT)
