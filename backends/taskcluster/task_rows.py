"""How the entries of a task group become rows of a frame.

Times, all of one run: the last run that was started, else the last run. `duration` = resolved - started and
`queue_time` = started - scheduled of that run; a running task has no duration yet, only `started`. `state` is the
task's, `reason` the last run's. `retries` counts the runs that the queue made by itself (reasonCreated retry or
task-retry); a rerun by hand counts in `runs` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from backends.frames.schema import Kind
from backends.taskcluster import naming, tolerant
from backends.taskcluster.models import Run, Status, TaskEntry
from backends.taskcluster.task_columns import TASKS

ENTRY = msgspec.json.Decoder(TaskEntry)
AUTOMATIC = frozenset({"retry", "task-retry"})
LONGEST = 2000  # characters of a cell; a name is at most 255 by the queue's schema, tags are joined
ISO = "%Y-%m-%dT%H:%M:%S%.fZ"
ID_LENGTH = 22  # of a slugid; what is none is counted and not kept
Columns = tuple[list[object], ...]
STEP = 50  # entries read at a time
FIRST_MOMENT, LAST_MOMENT = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999: all that Python can hold


def read_rows(raws: Sequence[msgspec.Raw], group_id: str) -> tuple[pl.DataFrame, int]:
    """(the tasks as rows of the schema `TASKS`, how many entries could not be read as one).

    In the listing's order; of a task that comes twice the last. Raises nothing, whatever an entry holds.
    """
    columns: Columns = tuple([] for _ in _FILLED)
    known = 0
    # A thousand entries alive at once set off the garbage collector 12 times a page, with pauses of 50 ms in a large
    # app; 50 at a time are gone before it counts them.
    for start in range(0, len(raws), STEP):
        read = [tolerant.read(raw, ENTRY, tolerant.entry) for raw in raws[start : start + STEP]]
        known += _add([entry for entry in read if entry is not None and entry.status.taskId], columns)
    return _frame(dict(zip(_FILLED, columns, strict=True)), group_id), len(raws) - known


def rows_of(entries: Sequence[TaskEntry]) -> pl.DataFrame:
    """The same of entries that have been read, each of whatever group it says; in their order."""
    columns: Columns = tuple([] for _ in _FILLED)
    _add(entries, columns)
    groups = [entry.status.taskGroupId or entry.task.taskGroupId for entry in entries]
    return _frame(dict(zip(_FILLED, columns, strict=True)), pl.Series(groups, dtype=pl.String))


def _add(entries: Sequence[TaskEntry], columns: Columns) -> int:
    rows = [_cells(entry) for entry in entries]
    for column, cells in zip(columns, zip(*rows, strict=True), strict=False):  # no rows: no cells at all
        column.extend(cells)
    return len(rows)


def _frame(columns: dict[str, list[Any]], group_id: str | pl.Series) -> pl.DataFrame:
    series = [
        times(name, cells) if TASKS[name].kind is Kind.TIME else pl.Series(name, cells, dtype=TASKS[name].dtype)
        for name, cells in columns.items()
    ]
    frame = pl.DataFrame(series).with_columns(
        duration=seconds_between("started", "resolved"),
        queue_time=seconds_between("scheduled", "started"),
        group_id=pl.lit(group_id) if isinstance(group_id, str) else group_id,
        copy=pl.lit(1, pl.Int64),
        copies=pl.lit(1, pl.Int64),
    )
    shortened = _shortened(frame.select(TASKS.names))
    return shortened.unique("task_id", keep="last", maintain_order=True)


def refreshed(frame: pl.DataFrame, statuses: Sequence[Status]) -> pl.DataFrame:
    """Those rows of `frame` (schema `TASKS`) that differ by these newer statuses, as they are now."""
    columns = zip(*map(_told, statuses), strict=True)
    cells = {name: list(column) for name, column in zip(_OF_STATUS, columns, strict=False)}
    if not cells:
        return frame.clear()
    newer = pl.DataFrame(
        [
            times(name, column) if TASKS[name].kind is Kind.TIME else pl.Series(name, column, dtype=TASKS[name].dtype)
            for name, column in cells.items()
        ]
    ).unique("task_id", keep="last")
    newer = _shortened(newer).with_columns(
        duration=seconds_between("started", "resolved"), queue_time=seconds_between("scheduled", "started")
    )
    names = [name for name in newer.columns if name != "task_id"]
    both = frame.join(newer, on="task_id", suffix="|new", maintain_order="left")
    # A status may leave these out, and then they are what they were.
    kept = {name: pl.coalesce(f"{name}|new", name) for name in ("priority", "worker_pool", "deadline", "expires")}
    now = {name: kept.get(name, pl.col(f"{name}|new")) for name in names}
    changed = both.filter(pl.any_horizontal(pl.col(name).ne_missing(new) for name, new in now.items()))
    return changed.with_columns(**now).select(frame.columns)


def number_copies(frame: pl.DataFrame) -> pl.DataFrame:
    """With `copies`, how many tasks of the group have the same label, and `copy`, the how-manieth by creation it is.

    A retrigger is a new task with the label of the first, so copy > 1 is one. (The tag `retrigger` says only that a
    task may be retriggered.)
    """
    numbered = frame.with_columns(
        copies=pl.when(pl.col("label").is_null()).then(1).otherwise(pl.len().over("label")).cast(pl.Int64),
        copy=pl.struct("created", "task_id").rank("ordinal").over("label").cast(pl.Int64),
    )
    return numbered.with_columns(copy=pl.when(pl.col("copies") == 1).then(1).otherwise("copy").cast(pl.Int64))


def times(name: str, values: Sequence[str | None]) -> pl.Series:
    """A TIME column from ISO texts; what is no time becomes null."""
    texts = pl.Series(name, values, dtype=pl.String)
    read = texts.str.to_datetime(ISO, time_unit="ms", time_zone="UTC", strict=False)
    if read.null_count() > texts.null_count():
        other = [None if there else milliseconds(text) for text, there in zip(values, read.is_not_null(), strict=True)]
        read = read.zip_with(read.is_not_null(), pl.Series(name, other, dtype=pl.Int64).cast(read.dtype))
    ticks = read.to_physical()
    within = ticks.is_between(FIRST_MOMENT, LAST_MOMENT)
    return read if within.all() else read.set(~within, None)


def milliseconds(text: str | None) -> int | None:
    """A time that is not spelled as the queue does: with an offset, or without one and then UTC."""
    try:
        moment = datetime.fromisoformat(text or "")
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def seconds_between(start: str, end: str) -> pl.Expr:
    """Seconds between two times; null when the clocks of two machines make it negative."""
    seconds = ((pl.col(end) - pl.col(start)).dt.total_milliseconds() / 1000).round(3)  # not 97.45100000000001
    return pl.when(seconds >= 0).then(seconds)


def _shortened(frame: pl.DataFrame) -> pl.DataFrame:
    """No cell is longer than a screen: a name of 10 MB would be copied by every filter."""
    whole = ("task_id", "group_id", "depends_on")
    texts = [name for name in frame.columns if frame[name].dtype == pl.String and name not in whole]
    long = [name for name in texts if (frame[name].str.len_bytes().max() or 0) > LONGEST]  # type: ignore[operator]
    return frame.with_columns(pl.col(long).str.slice(0, LONGEST)) if long else frame


def shown_run(runs: Sequence[Run]) -> Run:
    """The run whose times a task shows."""
    for run in reversed(runs):
        if run.started:
            return run
    return runs[-1] if runs else Run()


def state_of(status: Status) -> str:
    """The queue's word, which is an open set; a status without one has the state of its last run."""
    return status.state or (status.runs[-1].state if status.runs else "") or "unknown"


def worker_pool(status: Status) -> str | None:
    """taskQueueId; older replies have its two halves only."""
    if status.taskQueueId:
        return status.taskQueueId
    halves = [half for half in (status.provisionerId, status.workerType) if half]
    return "/".join(halves) or None


def run_states(runs: Sequence[Run]) -> str:
    """ "0 exception (claim-expired) · 1 completed"."""
    told = []
    for number, run in enumerate(runs[:100]):
        why = run.reasonResolved
        told.append(f"{number} {run.state}" + (f" ({why})" if why and why != run.state else ""))
    return " · ".join(told)


_FILLED = (
    "task_id", "state", "name", "suite", "platform", "build_type", "chunk", "symbol", "runs", "retries", "reason",
    "started", "resolved", "tier", "worker_pool", "kind", "owner", "priority", "dependencies", "scheduled", "created",
    "depends_on", "label", "tags", "project", "revision", "worker", "run_states", "deadline", "expires",
)  # fmt: skip


_OF_STATUS = (
    "task_id", "state", "runs", "retries", "reason", "started", "resolved", "worker_pool", "priority", "scheduled",
    "worker", "run_states", "deadline", "expires",
)  # fmt: skip


def _told(status: Status) -> tuple[object, ...]:
    """What a status alone says, in the order of `_OF_STATUS`."""
    runs, run = status.runs, shown_run(status.runs)
    last = runs[-1] if runs else run
    return (
        status.taskId,
        state_of(status),
        len(runs),
        sum(one.reasonCreated in AUTOMATIC for one in runs),
        last.reasonResolved,
        run.started,
        run.resolved,
        worker_pool(status),
        status.priority,
        run.scheduled,
        f"{last.workerGroup or ''}/{last.workerId or ''}" if last.workerId else None,
        run_states(runs) if runs else None,
        status.deadline,
        status.expires,
    )


def _cells(entry: TaskEntry) -> tuple[object, ...]:
    """The cells of one task in the order of `_FILLED`."""
    status, task = entry.status, entry.task
    tags, extra = task.tags, task.extra
    name = task.metadata.name
    platform, build = naming.platform_and_build(task, name)
    project, revision = naming.push(task.routes)
    treeherder = extra.treeherder
    (
        task_id, state, runs, retries, reason, started, resolved, pool, priority, scheduled, worker, every, deadline,
        expires,
    ) = _told(status)  # fmt: skip
    return (
        task_id,
        state,
        name,
        naming.suite(task, name),
        platform,
        build,
        naming.chunk(extra),
        naming.symbol(treeherder),
        runs,
        retries,
        reason,
        started,
        resolved,
        treeherder.tier if treeherder is not None else None,
        pool,
        tags.get("kind"),
        tags.get("createdForUser") or task.metadata.owner,
        priority or task.priority,
        len(task.dependencies),
        scheduled,
        task.created,
        " ".join([one for one in task.dependencies if len(one) == ID_LENGTH]) or None,
        tags.get("label") or name or None,
        " ".join([f"{key}={value}" for key, value in tags.items()]),
        project,
        revision,
        worker,
        every,
        deadline or task.deadline,
        expires or task.expires,
    )
