"""A series' rows with what a person wants to know of each point: the change, the alert, the candidate, the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.columns import numbered, redrawn
from backends.treeherder.detection import ALERT_PERCENT, Candidate, candidates_of
from backends.treeherder.signature_rows import as_number
from backends.treeherder.structs import Summary

SERIES = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed"),
        Column("series", Kind.TEXT, "Series", width=26, keeps_end=True),
        Column("value", Kind.NUMBER, "Value"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("delta_percent", Kind.NUMBER, "Δ %"),
        Column("alert", Kind.TEXT, "Alert", width=26),
        Column("candidate", Kind.TEXT, "Change-point candidate"),
        Column("delta", Kind.NUMBER, "Δ"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("retrigger", Kind.COUNT, "Run of push"),
        Column("task_id", Kind.ID, "Task"),
        Column("run", Kind.COUNT, "Run"),
        numbered("job_id", "Job"),
        Column("machine", Kind.TEXT, "Machine"),
        Column("submit_time", Kind.TIME, "Submitted"),
        numbered("push_id", "Push"),
        Column("better", Kind.TEXT, "Better"),
        Column("repository", Kind.TEXT, "Repository"),
        Column("replicate", Kind.COUNT, "Replicate", hidden=True),
        numbered("datum_id", "Datum", hidden=True),
        numbered("signature_id", "Signature", hidden=True),
        numbered("framework_id", "Framework id", hidden=True),
        numbered("alert_summary", "Alert summary", hidden=True),
    ),
    key="key",
)
ONE_SERIES = redrawn(SERIES, hidden=("series",))  # which the title names
# A median absolute deviation times this estimates a normal distribution's standard deviation (1 / 0.6745); the
# difference of two independent values spreads by sqrt(2) more than one.
_OF_NORMAL = 1.4826
_OF_DIFFERENCE = 2**0.5


@dataclass(frozen=True)
class AlertMark:
    """An alert on a series: at which push, of which summary, in words."""

    push_id: str
    summary_id: str
    words: str


def labels(summaries: Sequence[tuple[str, Summary]]) -> list[str]:
    """A name for each series (repository, signature): suite and test, then only what tells it from the others.

    Of a single one that is its platform; of several, in this order: the platforms, the options that not all of them
    have, the repositories, the applications, and if nothing else differs the ids.
    """
    several = [one for _, one in summaries]
    options = [(one.name or "").split() for one in several]
    shared = set(options[0]).intersection(*options[1:]) if options else set()
    columns = [
        [one.platform or "" for one in several],
        [
            " ".join(word for word in words if word not in shared | {one.suite, one.test})
            for words, one in zip(options, several, strict=True)
        ],
        [repository for repository, _ in summaries],
        [one.application or "" for one in several],
    ]  # fmt: skip
    names = [" ".join(dict.fromkeys(part for part in (one.suite, one.test) if part)) for one in several]
    for column in columns if len(several) > 1 else columns[:1]:
        if len(set(column)) > 1 or len(several) == 1:
            names = [f"{name} {part}".strip() for name, part in zip(names, column, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {one.signature_id}".strip() for name, one in zip(names, several, strict=True)]
    return [name or str(one.signature_id) for name, one in zip(names, several, strict=True)]


def point_frame(data: pl.DataFrame, summary: Summary, repository: str, label: str) -> pl.DataFrame:
    """Rows of the schema `SERIES` of one series (`data`: schema `DATA`), without alerts, candidates and tasks.

    `delta`: to the mean of what the previous push with values measured, so that retriggers are compared with what came
    before their push and not with each other; `delta_percent` of that mean's size. `retrigger` numbers the values (or
    with replicates the runs) of a push.
    """
    pushes = (
        data.group_by("push_id", maintain_order=True)
        .agg(pl.col("value").mean().alias("_mean"))
        .with_columns(pl.col("_mean").shift(1).alias("_previous"))
        .select("push_id", "_previous")
    )
    delta = pl.col("value") - pl.col("_previous")
    found = data.join(pushes, on="push_id", how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.lit(label).alias("series"),
        pl.lit(summary.measurement_unit or None, pl.String).alias("unit"),
        delta.alias("delta"),
        pl.when(pl.col("_previous") != 0).then(100 * delta / pl.col("_previous").abs()).alias("delta_percent"),
        as_number("datum_id").rank("dense").over("push_id").cast(pl.Int64).alias("retrigger"),
        pl.lit("higher" if summary.lower_is_better is False else "lower").alias("better"),
        pl.lit(repository).alias("repository"),
        pl.lit(summary.framework_id, pl.Int64).cast(pl.String).alias("framework_id"),
        *(pl.lit(None, pl.String).alias(name) for name in ("alert", "alert_summary", "candidate", "task_id")),
        pl.lit(None, pl.Int64).alias("run"),
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in SERIES.polars().items())


def with_candidates(points: pl.DataFrame, summary: Summary) -> pl.DataFrame:
    """The column `candidate`, on all values of the push, as "t 9.3, +4.2 %"; by the signature's own threshold."""
    threshold = summary.alert_threshold if summary.alert_threshold else ALERT_PERCENT
    found = candidates_of(points, threshold=threshold, absolute=summary.alert_change_type == 1)
    return _marked(points, {push: _candidate_words(one) for push, one in found.items()}, "candidate")


def _candidate_words(one: Candidate) -> str:
    return f"t {one.t:.1f}, {one.percent:+.1f} %"


def with_alerts(points: pl.DataFrame, marks: Sequence[AlertMark]) -> pl.DataFrame:
    """The columns `alert` and `alert_summary` on the values of the pushes that were alerted on."""
    worded = _marked(points, {mark.push_id: mark.words for mark in marks}, "alert")
    numbers = {mark.push_id: mark.summary_id for mark in marks}
    return worded.with_columns(
        pl.col("push_id").replace_strict(numbers, default=None, return_dtype=pl.String).alias("alert_summary")
    )


def with_tasks(points: pl.DataFrame, tasks: Mapping[int, tuple[str, int]]) -> pl.DataFrame:
    ids = {str(job): task for job, (task, _) in tasks.items()}
    runs = {str(job): run for job, (_, run) in tasks.items()}
    return points.with_columns(
        pl.col("job_id").replace_strict(ids, default=None, return_dtype=pl.String).alias("task_id"),
        pl.col("job_id").replace_strict(runs, default=None, return_dtype=pl.Int64).alias("run"),
    )


def _marked(points: pl.DataFrame, words: Mapping[str, str], column: str) -> pl.DataFrame:
    return points.with_columns(
        pl.col("push_id").replace_strict(words, default=None, return_dtype=pl.String).alias(column)
    )


def noise_percent(points: pl.DataFrame) -> float | None:
    """How much a series of one signature varies from push to push, in percent of its median, steps and drift left out.

    The spread of the differences between the means of consecutive pushes, by their median absolute deviation, over the
    square root of two. None with fewer than five pushes, or around a median of 0.
    """
    means = (
        points.sort("push_time", as_number("push_id"))
        .group_by("push_id", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    steps = means["value"].diff().drop_nulls()
    middle, median = steps.median(), points["value"].median()
    if len(steps) < 4 or not isinstance(middle, float) or not isinstance(median, float) or median == 0:
        return None
    spread = (steps - middle).abs().median()
    return 100 * _OF_NORMAL * spread / _OF_DIFFERENCE / abs(median) if isinstance(spread, float) else None
