"""Why a group took as long as it did: the chain of tasks that each waited for the one before, back from the last end.

The rows of a group hold how many dependencies a task has, not which. `dependency_edges` reads them from the group's
pages, which costs the listing again; `critical_path` needs no server.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import polars as pl

from backends.cancel import Cancel
from backends.frames.schema import Column, Kind, Schema
from backends.taskcluster import tolerant
from backends.taskcluster.queue import Deployment

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


class _Dependent(msgspec.Struct, gc=False):
    dependencies: list[str] = []


class _Identity(msgspec.Struct, gc=False):
    taskId: str = ""


class _Entry(msgspec.Struct, gc=False):
    status: _Identity
    task: _Dependent


_ENTRY = msgspec.json.Decoder(_Entry)


def dependency_edges(deployment: Deployment, group_id: str, cancel: Cancel) -> pl.DataFrame:
    """Which task of the group waits for which (columns `EDGES`), from its pages; ids outside the group included."""
    pairs: list[tuple[str, str]] = []
    for page in deployment.iter_task_pages(group_id, cancel):
        cancel.check()
        pairs += edges_of(page.envelope.tasks)
    return pl.DataFrame(pairs, schema=EDGES, orient="row").unique(maintain_order=True)


def edges_of(entries: Iterable[msgspec.Raw]) -> list[tuple[str, str]]:
    pairs = []
    for raw in entries:
        entry = tolerant.read(raw, _ENTRY, _loosely)
        if entry is not None and entry.status.taskId:
            pairs += [(entry.status.taskId, one) for one in entry.task.dependencies]
    return pairs


def _loosely(value: object) -> _Entry | None:
    found = tolerant.entry(value)
    return None if found is None else _Entry(_Identity(found.status.taskId), _Dependent(found.task.dependencies))


def critical_path(tasks: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
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
    chain = _chain(ended, edges)
    order = pl.DataFrame({"task_id": chain}).with_row_index("step", offset=1)
    steps = order.join(tasks, on="task_id", how="left", maintain_order="left")
    before = pl.col("resolved").shift(1)
    first = pl.coalesce("scheduled", "started", "resolved").first()
    whole = (pl.col("resolved").last() - first).dt.total_milliseconds()
    since_before = pl.col("resolved") - before.fill_null(first)
    waited = (pl.col("scheduled") - before).dt.total_milliseconds() / 1000
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
