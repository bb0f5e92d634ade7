"""A task as a row: the columns of every list of tasks, and how the queue's entries become them.

Times, all of one run: the last run that was started, else the last run. `duration` = resolved - started and
`queue_time` = started - scheduled of that run; a running task has no duration yet, only `started`. `state` is the
task's, `reason` the last run's. `retries` counts the runs that the queue made on its own (reasonCreated retry or
task-retry); a rerun by hand counts in `runs` only.

Firefox tasks state suite, platform, build type, chunk and symbol in `extra` and `tags`, in ways that changed over the
years (samples of 2018 to 2020 and the names of 2026); where they do not, the name has them:
`<kind>-<platform>/<build type>-<suite>[-<chunk>]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from backends import lenient_json
from backends.foreground import give_way
from backends.frames.getters import iso_time, seconds_between
from backends.frames.schema import Column, Kind, Schema, StructRows
from backends.taskcluster.models import (
    SuiteExtra,
    TaskChunks,
    TaskDefinition,
    TaskEntry,
    TaskExtra,
    TaskRun,
    TasksEnvelope,
    TaskStatus,
    TreeherderExtra,
)

# At 80 cells: state, name, duration and the first of suite. Hidden columns serve filters, exports and the detail.
TASKS = Schema(
    (
        Column("state", Kind.STATE, "State", width=13, section="Task", get="state"),
        Column("name", Kind.TEXT, "Name", width=55, keeps_end=True, get="name"),
        # Rounded: polars divides 97451 by 1000 to 97.45100000000001.
        Column(
            "duration", Kind.DURATION, "Duration", "s", section="Times",
            get=seconds_between("started", "resolved").round(3),
        ),
        Column("suite", Kind.TEXT, "Suite", width=28, keeps_end=True, section="Task", get="suite"),
        Column("platform", Kind.TEXT, "Platform", keeps_end=True, section="Task", get="platform"),
        Column("build_type", Kind.TEXT, "Build", section="Task", get="build_type"),
        Column("chunk", Kind.TEXT, "Chunk", section="Task", get="chunk"),
        Column("symbol", Kind.TEXT, "Symbol", section="Treeherder", get="symbol"),
        Column("runs", Kind.COUNT, "Runs", section="Runs", get="runs"),
        Column("retries", Kind.COUNT, "Retries", section="Runs", get="retries"),
        Column("reason", Kind.TEXT, "Reason", section="Task", get="reason"),
        Column(
            "queue_time", Kind.DURATION, "Queued", "s", section="Times",
            get=seconds_between("scheduled", "started").round(3),
        ),
        Column("started", Kind.TIME, "Started", section="Times", get=iso_time("started")),
        Column("resolved", Kind.TIME, "Resolved", section="Times", get=iso_time("resolved")),
        Column("tier", Kind.COUNT, "Tier", section="Treeherder", get="tier"),
        # How many tasks of the group have this label, and which of them, by creation, this is: see `count_retriggers`.
        Column("copy", Kind.COUNT, "Retrigger", get=pl.lit(1)),
        Column("copies", Kind.COUNT, "Retriggers", get=pl.lit(1)),
        Column("worker_pool", Kind.TEXT, "Worker pool", section="Task", get="worker_pool"),
        Column("kind", Kind.TEXT, "Kind", section="Task", get="kind"),
        Column("owner", Kind.TEXT, "Owner", section="Task", get="owner"),
        Column("priority", Kind.TEXT, "Priority", section="Task", get="priority"),
        Column("dependencies", Kind.COUNT, "Depends on", section="Task", get="dependencies"),
        Column("scheduled", Kind.TIME, "Scheduled", section="Times", get=iso_time("scheduled")),
        Column("created", Kind.TIME, "Created", section="Times", get=iso_time("created")),
        Column("task_id", Kind.ID, "Task", section="Ids", get="task_id"),
        # Task ids with a space between two. 22 bytes each: 2 MB for 10,000 tasks of Firefox, and no second request for
        # the group for its critical path.
        Column("depends_on", Kind.TEXT, "Depends on tasks", hidden=True, searched=False, get="depends_on"),
        Column("label", Kind.TEXT, "Label", hidden=True, searched=False, section="Ids", get="label"),
        Column("tags", Kind.TEXT, "Tags", hidden=True, section="Task", get="tags"),
        Column("project", Kind.TEXT, "Project", hidden=True, searched=False, get="project"),
        Column("revision", Kind.TEXT, "Revision", hidden=True, searched=False, get="revision"),
        Column("worker", Kind.TEXT, "Worker", hidden=True, section="Task", get="worker"),
        Column("run_states", Kind.TEXT, "Each run", hidden=True, searched=False, section="Runs", get="run_states"),
        Column("deadline", Kind.TIME, "Deadline", hidden=True, section="Times", get=iso_time("deadline")),
        Column("expires", Kind.TIME, "Expires", hidden=True, section="Times", get=iso_time("expires")),
        Column("group_id", Kind.ID, "Task group", hidden=True, searched=False, section="Ids", get="group_id"),
    ),
    key="task_id",
)  # fmt: skip
STATES = ("completed", "failed", "exception", "running", "pending", "unscheduled")

ENTRY = msgspec.json.Decoder(TaskEntry)
AUTOMATIC = frozenset({"retry", "task-retry"})
LONGEST = 2000  # characters of a cell; a name is at most 255 by the queue's schema, tags are joined
ID_LENGTH = 22  # of a slugid; a dependency that is not one is counted and not listed
# The columns that a status has.
_OF_STATUS = (
    "task_id", "state", "runs", "retries", "reason", "started", "resolved", "worker_pool", "priority", "scheduled",
    "worker", "run_states", "deadline", "expires", "duration", "queue_time",
)  # fmt: skip


class TaskRow(msgspec.Struct, gc=False):
    """The cells of one task that `TASKS` does not compute; times as the queue writes them. See `task_row`."""

    task_id: str
    state: str
    name: str
    suite: str | None
    platform: str | None
    build_type: str | None
    chunk: str | None
    symbol: str | None
    runs: int
    retries: int
    reason: str | None
    started: str | None
    resolved: str | None
    tier: int | None
    worker_pool: str | None
    kind: str | None
    owner: str | None
    priority: str | None
    dependencies: int
    scheduled: str | None
    created: str | None
    depends_on: str | None
    label: str | None
    tags: str
    project: str | None
    revision: str | None
    worker: str | None
    run_states: str | None
    deadline: str | None
    expires: str | None
    group_id: str | None


class ListedTask(msgspec.Struct, gc=False):
    """An entry of a page that is made a row of as soon as it is decoded, and then given up.

    A thousand entries at once would not fit into the processor's cache (a third more time for all of it) and would set
    off the garbage collector 12 times a page, with pauses of 50 ms in a large app; it does not count rows.
    """

    status: TaskStatus
    task: TaskDefinition = msgspec.field(default_factory=TaskDefinition)
    row: TaskRow | None = None  # whatever a server says of it

    def __post_init__(self) -> None:
        give_way()
        self.row = task_row(self.status, self.task, None)
        self.status = self.task = None  # type: ignore[assignment]


class ListedTasks(TasksEnvelope):
    """A page of a task group all of whose entries have the usual shape."""

    tasks: list[ListedTask] = msgspec.field(default_factory=list)  # type: ignore[assignment]


LISTED_TASKS: msgspec.json.Decoder[TasksEnvelope] = msgspec.json.Decoder(ListedTasks)


def decode_rows(entries: Sequence[msgspec.Raw | ListedTask], group_id: str) -> tuple[pl.DataFrame, int]:
    """(the tasks as rows of the schema `TASKS`, how many entries could not be decoded as one).

    In the listing's order; of a task that comes twice the last. Raises nothing, whatever an entry holds.
    """
    rows: list[TaskRow] = []
    for one in entries:
        if isinstance(one, ListedTask):
            row = one.row
        else:
            entry = lenient_json.decode(one, ENTRY)
            row = task_row(entry.status, entry.task, group_id) if entry is not None else None
        if row is not None and row.task_id:
            row.group_id = group_id
            rows.append(row)
    return build_rows(rows), len(entries) - len(rows)


def rows_of_entries(entries: Iterable[TaskEntry]) -> pl.DataFrame:
    """Rows of the schema `TASKS`, each in the group that its entry names."""
    pairs = ((entry.status, entry.task) for entry in entries)
    return build_rows([task_row(status, task, status.taskGroupId or task.taskGroupId) for status, task in pairs])


def build_rows(rows: Sequence[TaskRow]) -> pl.DataFrame:
    """No cell is longer than a screen: a name of 10 MB would be copied by every filter."""
    frame = TASKS.build(StructRows(rows))
    texts = frame.select(pl.col(pl.String).exclude("task_id", "group_id", "depends_on"))
    longest: Any = pl.concat(texts.get_columns(), rechunk=False).str.len_bytes().max()  # one call, not one a column
    return frame.with_columns(pl.col(texts.columns).str.slice(0, LONGEST)) if (longest or 0) > LONGEST else frame


def task_row(status: TaskStatus, task: TaskDefinition, group_id: str | None) -> TaskRow:
    runs, run, tags, name = status.runs, shown_run(status.runs), task.tags, task.metadata.name
    last = runs[-1] if runs else run
    platform, build_type = platform_and_build(task, name)
    project, revision = push_of_routes(task.routes)
    treeherder = task.extra.treeherder
    # By position: finding 31 members by their names would take longer than all the rest of it.
    return TaskRow(
        status.taskId,
        status.state or state_of(status),
        name,
        suite_of(task, name),
        platform,
        build_type,
        format_chunk(task.extra),
        format_symbol(treeherder),
        len(runs),
        sum([one.reasonCreated in AUTOMATIC for one in runs]),
        last.reasonResolved,
        run.started,
        run.resolved,
        treeherder.tier if treeherder is not None else None,
        status.taskQueueId or worker_pool(status),
        tags.get("kind"),
        tags.get("createdForUser") or task.metadata.owner,
        status.priority or task.priority,
        len(task.dependencies),
        run.scheduled,
        task.created,
        " ".join([one for one in task.dependencies if len(one) == ID_LENGTH]) or None,
        tags.get("label") or name or None,
        " ".join(map("=".join, tags.items())),
        project,
        revision,
        f"{last.workerGroup or ''}/{last.workerId or ''}" if last.workerId else None,
        format_run_states(runs) if runs else None,
        status.deadline or task.deadline,
        status.expires or task.expires,
        group_id,
    )


def updated_rows(frame: pl.DataFrame, statuses: Sequence[TaskStatus]) -> pl.DataFrame:
    """Those rows of `frame` (schema `TASKS`) that differ by these newer statuses, as they are now."""
    if not statuses:
        return frame.clear()
    newer = rows_of_entries(TaskEntry(status) for status in statuses).select(_OF_STATUS)
    both = frame.join(newer, on="task_id", suffix="|new", maintain_order="left")
    # A status may leave these out, and then they are what they were.
    optional = {name: pl.coalesce(f"{name}|new", name) for name in ("priority", "worker_pool", "deadline", "expires")}
    now = {name: optional.get(name, pl.col(f"{name}|new")) for name in _OF_STATUS[1:]}
    changed = both.filter(pl.any_horizontal(pl.col(name).ne_missing(new) for name, new in now.items()))
    return changed.with_columns(**now).select(frame.columns)


def count_retriggers(frame: pl.DataFrame) -> pl.DataFrame:
    """With `copies`, how many tasks of the group have the same label, and `copy`, which of them by creation it is.

    A retrigger is a new task with the label of the first, so copy > 1 is one. (The tag `retrigger` says only that a
    task may be retriggered.)
    """
    # A rank within each label asks polars once a label: 16 ms for 10,000 tasks instead of 7.
    ordered = frame.select("label", "created", "task_id").with_row_index("place").sort("label", "created", "task_id")
    length = pl.col("len").cast(pl.Int64)
    counts = (
        ordered["label"].rle().struct.unnest().select(copies=length.repeat_by("len"), copy=pl.int_ranges(1, length + 1))
    )
    counted = ordered.select("place", "label").hstack(counts.explode("copies", "copy")).sort("place")
    one = pl.col("label").is_null()
    return frame.with_columns(
        counted.select(pl.when(one).then(1).otherwise(name).cast(pl.Int64).alias(name) for name in ("copies", "copy"))
    )


def find_push(frame: pl.DataFrame) -> tuple[str, str] | None:
    """(project, revision) of a group's tasks; None if no task says both."""
    tasks = frame.select("project", "revision").drop_nulls()
    return None if tasks.is_empty() else (str(tasks.row(0)[0]), str(tasks.row(0)[1]))


def describe_push(frame: pl.DataFrame) -> tuple[str, str]:
    """ "autoland 16982c3917d4" and "enrico, 2026-11-20": the push of a group's tasks, then who made it, and when.

    Both are "" if no task says its project and revision: an id alone tells a reader nothing.
    """
    tasks = frame.select("project", "revision", "owner", "created").drop_nulls(["project", "revision"])
    if tasks.is_empty():
        return "", ""
    project, revision = tasks.row(0)[:2]
    owners = tasks["owner"].drop_nulls().mode().sort()
    created = tasks["created"].min()
    made = [
        str(owners[0]).partition("@")[0][:40] if len(owners) else "",
        f"{created:%Y-%m-%d}" if isinstance(created, datetime) else "",
    ]
    return f"{project[:40]} {revision[:12]}", ", ".join(filter(None, made))


def filter_ids(frame: pl.DataFrame, task_ids: Sequence[str]) -> pl.DataFrame:
    """All rows, or those of the tasks that are named."""
    return frame.filter(pl.col("task_id").is_in(list(task_ids))) if task_ids else frame


# ---- from a status ----------------------------------------------------------------------------------------------


def shown_run(runs: Sequence[TaskRun]) -> TaskRun:
    """The run whose times a task shows."""
    for run in reversed(runs):
        if run.started:
            return run
    return runs[-1] if runs else TaskRun()


def state_of(status: TaskStatus) -> str:
    """The queue's word, which is an open set; a status without one has the state of its last run."""
    return status.state or (status.runs[-1].state if status.runs else "") or "unknown"


def worker_pool(status: TaskStatus) -> str | None:
    """taskQueueId; older responses have its two halves only."""
    if status.taskQueueId:
        return status.taskQueueId
    halves = [half for half in (status.provisionerId, status.workerType) if half]
    return "/".join(halves) or None


def format_run_states(runs: Sequence[TaskRun]) -> str:
    """ "run 0: exception (claim-expired) · run 1: completed"."""
    return " · ".join([_format_run(number, run.state, run.reasonResolved) for number, run in enumerate(runs[:100])])


@lru_cache(maxsize=256)
def _format_run(number: int, state: str, why: str | None) -> str:
    return f"run {number}: {state} ({why})" if why and why != state else f"run {number}: {state}"


# ---- from a definition ------------------------------------------------------------------------------------------


def platform_and_build(task: TaskDefinition, name: str) -> tuple[str | None, str | None]:
    """1. extra["treeherder-platform"] "linux64/asan" (2019 on), 2. the tag test-platform of the same form,
    3. extra.treeherder.machine.platform with the first key of collection (2018), 4. the name around its slash.
    """
    stated = task.extra.platform or task.tags.get("test-platform")
    if stated:
        platform, slash, build = stated.rpartition("/")
        return (platform, build) if slash else (stated, None)
    treeherder = task.extra.treeherder
    if treeherder is not None and treeherder.machine is not None and treeherder.machine.platform:
        return treeherder.machine.platform, next((key for key, on in (treeherder.collection or {}).items() if on), None)
    left, slash, right = name.partition("/")
    if not slash or "/" in right or " " in name:  # prose like "Action: Retrigger" has no platform in it
        return None, None
    kind = f"{task.tags.get('kind')}-"
    platform = left.removeprefix(kind) if left.startswith(kind) else left.partition("-")[2] or left
    return platform or None, right.partition("-")[0] or None


def suite_of(task: TaskDefinition, name: str) -> str | None:
    """1. extra.suite, a string (2019 on) or {name, flavor} (2018: jsreftest of reftest is "jsreftest", plain-chunked
    of mochitest is "mochitest-plain-chunked"), 2. the tags test-suite and test-type, 3. the name after its slash and
    build type, less the chunk.
    """
    stated = task.extra.suite
    if isinstance(stated, SuiteExtra):
        stated = _with_flavor(stated.name, stated.flavor)
    stated = stated or task.tags.get("test-suite")
    if stated:
        return stated
    rest = name.partition("/")[2].partition("-")[2] if " " not in name else ""
    if rest:
        return _without_chunk(rest, task.extra.chunks)
    return task.tags.get("test-type")


def _with_flavor(name: str | None, flavor: str | None) -> str | None:
    if not name or not flavor:
        return name or flavor
    return flavor if name in flavor else f"{name}-{flavor}"


def _without_chunk(rest: str, chunks: TaskChunks | None) -> str:
    """Only a number that extra.chunks confirms: raptor-tp6-7 is the suite's own name."""
    if chunks is None or not chunks.total or chunks.total < 2:
        return rest
    return rest.removesuffix(f"-{chunks.current}")


def format_chunk(extra: TaskExtra) -> str | None:
    """ "3/16" from extra.chunks; nothing where there is only one."""
    chunks = extra.chunks
    if chunks is None or chunks.current is None or not chunks.total or chunks.total < 2:
        return None
    return f"{chunks.current}/{chunks.total}"


def format_symbol(treeherder: TreeherderExtra | None) -> str | None:
    """As Treeherder shows it: M(3), or the bare symbol; "?" is its word for no group."""
    if treeherder is None:
        return None
    group = treeherder.groupSymbol
    return f"{group}({treeherder.symbol or ''})" if group and group != "?" else treeherder.symbol or None


def push_of_routes(routes: list[str]) -> tuple[str | None, str | None]:
    """(project, revision) from the route tc-treeherder.v2.<project>.<revision>.<push log id>."""
    for route in routes:
        if route.startswith("tc-treeherder.v2.") and (push := _push_of_route(route)) is not None:
            return push
    return None, None


@lru_cache(maxsize=64)
def _push_of_route(route: str) -> tuple[str, str] | None:
    parts = route.split(".")
    return (parts[2], parts[3]) if len(parts) >= 4 else None
