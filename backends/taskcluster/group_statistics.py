"""How a task group did: failures, retries, times and machine hours by suite, platform, pool, kind or state.

All from the rows of the group (schema `TASKS`), which hold the times of ONE run a task: the last that was started.
Machine hours are thus those of the shown runs; what earlier runs of a retried task cost is not in them.
"""

from __future__ import annotations

import polars as pl

from backends.errors import UsageError
from backends.frames.export import select_columns
from backends.frames.schema import Column, Kind, Schema
from backends.taskcluster.queue import RESOLVED
from backends.taskcluster.task_columns import TASKS

BY = ("suite", "platform", "worker_pool", "kind", "state", "build_type", "tier", "reason", "owner", "priority")
_SHARES = {"median": 0.5, "p90": 0.9, "p95": 0.95}
_SPANS = {"duration": "Duration", "queue_time": "Queued"}

GROUP_STATISTICS = Schema(
    (
        Column("group", Kind.TEXT, "Group", width=32, keeps_end=True),
        Column("tasks", Kind.COUNT, "Tasks"),
        Column("completed", Kind.COUNT, "Completed"),
        Column("failed", Kind.COUNT, "Failed"),
        Column("exception", Kind.COUNT, "Exception"),
        Column("unresolved", Kind.COUNT, "Unresolved"),
        Column("failure_rate", Kind.NUMBER, "Failure rate", "%"),
        Column("retried", Kind.COUNT, "Retried tasks"),
        Column("retries", Kind.COUNT, "Retries"),
        Column("machine_hours", Kind.NUMBER, "Machine hours", "h"),
        Column("share", Kind.NUMBER, "Share", "%"),
        *(
            Column(f"{span}_{name}", Kind.DURATION, f"{label} {name}", "s")
            for span, label in _SPANS.items()
            for name in (*_SHARES, "max")
        ),
    ),
    key="key",
)


def statistics_by(tasks: pl.DataFrame, by: str) -> tuple[pl.DataFrame, Schema]:
    """One row a value of the column `by`, the most machine hours first; a missing value is null.

    `failure_rate`: percent of the resolved tasks that failed or ended in an exception. `retried`: tasks that the queue
    ran again by itself, `retries`: how often. `share`: of all machine hours, in percent. Quantiles (of the tasks that
    have the time) interpolate linearly. Raises `UsageError` for a column that is not in `TASKS`.
    """
    select_columns(TASKS, [by])
    if not (TASKS[by].is_text or TASKS[by].kind is Kind.COUNT):
        raise UsageError(f"Tasks cannot be grouped by {by}: nearly every task has its own.", f"Try {', '.join(BY)}.")
    found = (
        tasks.lazy()
        .group_by(pl.col(by).cast(pl.String).alias("group"), maintain_order=True)
        .agg(_counts() + _spans())
        .with_columns(
            (100 * (pl.col("failed") + pl.col("exception")) / (pl.col("tasks") - pl.col("unresolved"))).alias(
                "failure_rate"
            ),
            (100 * pl.col("machine_hours") / pl.col("machine_hours").sum()).alias("share"),
            _key(pl.col("group")).alias("key"),
        )
        .with_columns(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in ("failure_rate", "share"))
        .sort("machine_hours", "tasks", descending=True, maintain_order=True)
        .collect()
    )
    rows = found.select(pl.col(name).cast(dtype) for name, dtype in GROUP_STATISTICS.polars().items())
    return rows, GROUP_STATISTICS


def _key(group: pl.Expr) -> pl.Expr:
    """A missing value and the empty text are two groups."""
    return pl.when(group.is_null()).then(pl.lit("none")).otherwise("=" + group)


def _counts() -> list[pl.Expr]:
    state, retries = pl.col("state"), pl.col("retries")
    return [
        pl.len().alias("tasks"),
        *((state == name).sum().alias(name) for name in ("completed", "failed", "exception")),
        (~state.is_in(list(RESOLVED))).sum().alias("unresolved"),
        (retries > 0).sum().alias("retried"),
        retries.sum().alias("retries"),
        (pl.col("duration").sum() / 3600).alias("machine_hours"),
    ]


def _spans() -> list[pl.Expr]:
    found = []
    for span in _SPANS:
        found += [pl.col(span).quantile(share, "linear").alias(f"{span}_{name}") for name, share in _SHARES.items()]
        found.append(pl.col(span).max().alias(f"{span}_max"))
    return found
