"""Why a group took as long as it did: the chain of tasks that each waited for the one before, back from the last end.

The rows of a group know which tasks each waits for (the hidden column `depends_on`), so no server is asked.
"""

from __future__ import annotations

import polars as pl

from backends.frames.schema import Column, Kind, Schema

EDGES = {"task_id": pl.String(), "depends_on": pl.String()}

CRITICAL_PATH = Schema(
    (
        Column("step", Kind.COUNT, "Step"),
        Column("name", Kind.TEXT, "Name", width=44, keeps_end=True),
        Column("state", Kind.STATE, "State"),
        Column("waited", Kind.DURATION, "Unblocked to scheduled", "s"),
        Column("queue_time", Kind.DURATION, "Queued", "s"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("share", Kind.NUMBER, "Share", "%"),
        Column("scheduled", Kind.TIME, "Scheduled"),
        Column("started", Kind.TIME, "Started"),
        Column("resolved", Kind.TIME, "Resolved"),
        Column("retries", Kind.COUNT, "Retries"),
        Column("worker_pool", Kind.TEXT, "Worker pool"),
        Column("task_id", Kind.ID, "Task"),
    ),
    key="task_id",
)


def edges_of_rows(tasks: pl.DataFrame) -> pl.DataFrame:
    """Which task waits for which (columns `EDGES`), of rows of a group; ids outside these rows included."""
    known = tasks.select("task_id", pl.col("depends_on").str.split(" ")).explode("depends_on").drop_nulls()
    return known.cast(EDGES).unique(maintain_order=True)  # type: ignore[arg-type]


def critical_path(tasks: pl.DataFrame) -> pl.DataFrame:
    """The chain (schema `CRITICAL_PATH`), first task first, that ends with the task whose run ended last.

    Only tasks that ran count: one that waited for its deadline, a day, held up nobody. Before each task stands that
    dependency of it, in the group, which was resolved last: the one that it waited for. `waited`: from that one's end
    until this was scheduled (null for the first, and where clocks disagree). `share`: of the whole time from the first
    task's scheduling to the last end, from the end of the one before to this one's end. A dependency outside the group
    ends the chain. Empty while no run has ended.
    """
    ended = tasks.filter(pl.col("resolved").is_not_null() & pl.col("started").is_not_null())
    if ended.is_empty():
        return CRITICAL_PATH.empty()
    chain = _chain(ended, edges_of_rows(tasks))
    order = pl.DataFrame({"task_id": chain}).with_row_index("step", offset=1)
    steps = order.join(tasks, on="task_id", how="left", maintain_order="left")
    before = pl.col("resolved").shift(1)
    first = pl.coalesce("scheduled", "started", "resolved").first()
    whole = (pl.col("resolved").last() - first).dt.total_milliseconds()
    since_before = pl.col("resolved") - before.fill_null(first)
    waited = ((pl.col("scheduled") - before).dt.total_milliseconds() / 1000).round(3)
    found = steps.with_columns(
        pl.when(waited >= 0).then(waited).alias("waited"),
        pl.when(whole > 0).then(100 * since_before.dt.total_milliseconds() / whole).alias("share"),
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in CRITICAL_PATH.polars().items())


def _chain(ended: pl.DataFrame, edges: pl.DataFrame) -> list[str]:
    """Task ids, the first first."""
    latest = (
        edges.join(ended.select(pl.col("task_id").alias("depends_on"), "resolved"), on="depends_on")
        .sort("resolved", "depends_on")
        .group_by("task_id", maintain_order=True)
        .last()
    )
    blocker = dict(latest.select("task_id", "depends_on").iter_rows())
    chain = [str(ended.sort("resolved", "task_id")["task_id"][-1])]
    seen = set(chain)
    while (before := blocker.get(chain[-1])) is not None and before not in seen:  # a queue has no cycles; a fake may
        chain.append(before)
        seen.add(before)
    return chain[::-1]
