"""How a task group did: by a column (failures, retries, times, machine hours), over time, and its critical path.

All from the rows of the group (schema `TASKS`), which hold the times of ONE run a task: the last that was started.
Machine hours are thus those of the shown runs; what earlier runs of a retried task cost is not in them. The rows also
have the tasks that each waits for (the hidden column `depends_on`), so no other request is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.export import select_columns
from backends.frames.formats import with_unit
from backends.frames.histograms import linear_edges
from backends.frames.schema import Column, Kind, Schema
from backends.resources import LIST, Chart, Detail, Entry, Link, LogAddress, Page, Row, digit_key
from backends.taskcluster import urls
from backends.taskcluster.actions import THIS_GROUP, group_entries, task_entries, view_of
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.contents import ClientListing, slugids
from backends.taskcluster.group_cache import load_tasks
from backends.taskcluster.locators import GroupView, Task, TaskArtifacts, TaskGroup, TaskMeasurements, is_slugid
from backends.taskcluster.logs import task_log
from backends.taskcluster.task_rows import TASKS, describe_push

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


def group_statistics(tasks: pl.DataFrame, by: str) -> pl.DataFrame:
    """One row a value of the column `by` (schema `GROUP_STATISTICS`), the most machine hours first.

    A missing value of `by` is null. `failure_rate`: percent of the resolved tasks that failed or ended in an exception.
    `retried`: tasks that the queue ran again on its own, `retries`: how often. `share`: of all machine hours, in
    percent. Quantiles (of the tasks that have the time) interpolate linearly. Raises `UsageError` for a column that is
    not in `TASKS`.
    """
    select_columns(TASKS, [by])
    if not (TASKS[by].is_text or TASKS[by].kind is Kind.COUNT):
        raise UsageError(f"Tasks cannot be grouped by {by}: nearly every task has its own.", f"Try {', '.join(BY)}.")
    statistics = (
        tasks.lazy()
        .group_by(pl.col(by).cast(pl.String).alias("group"), maintain_order=True)
        .agg(_counts() + _span_statistics())
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
    return statistics.select(pl.col(name).cast(dtype) for name, dtype in GROUP_STATISTICS.polars().items())


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


def _span_statistics() -> list[pl.Expr]:
    expressions = []
    for span in _SPANS:
        expressions += [pl.col(span).quantile(part, "linear").alias(f"{span}_{name}") for name, part in _SHARES.items()]
        expressions.append(pl.col(span).max().alias(f"{span}_max"))
    return expressions


# ---- critical path ---------------------------------------------------------------------------------------------------

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

    Only tasks that ran count: one that waited for its deadline, a day, delayed none. Before each task comes that
    dependency of it, in the group, which was resolved last: the one that it waited for. `waited`: from that one's end
    until this was scheduled (null for the first, and where clocks disagree). `share`: of the total time from the first
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
    total = (pl.col("resolved").last() - first).dt.total_milliseconds()
    since_before = pl.col("resolved") - before.fill_null(first)
    waited = ((pl.col("scheduled") - before).dt.total_milliseconds() / 1000).round(3)
    found = steps.with_columns(
        pl.when(waited >= 0).then(waited).alias("waited"),
        pl.when(total > 0).then(100 * since_before.dt.total_milliseconds() / total).alias("share"),
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


# ---- over time -------------------------------------------------------------------------------------------------------

# Each bin holds the mean over its length, so that running times the bin's length, added up, is the machine time: a peak
# of one second is not drawn as if it had lasted.
TIMELINE = Schema(
    (
        Column("time", Kind.TIME, "From"),
        Column("until", Kind.TIME, "Until"),
        Column("running", Kind.NUMBER, "Running"),
        Column("pending", Kind.NUMBER, "Pending"),
        Column("started", Kind.COUNT, "Started"),
        Column("resolved", Kind.COUNT, "Resolved"),
    ),
    key="key",
)


def timeline(tasks: pl.DataFrame, bins: int = 120, *, now: datetime | None = None) -> pl.DataFrame:
    """At most `bins` bins (schema `TIMELINE`) on round times, from the first scheduled run to the last end.

    Running is from started to resolved, pending from scheduled to started; what has not ended lasts until `now` (the
    present by default). A time before the one that it has to follow (two machines' clocks) is not counted.
    The first and the last bin may be shorter. What never ran is pending until the last of the others ended, not until
    its deadline a day later. `started` and `resolved`: how many of the runs did so in the bin. Empty without times.
    """
    until = int((now or datetime.now(UTC)).timestamp() * 1000)
    spans = tasks.select(
        pl.col("scheduled", "started", "resolved").dt.timestamp("ms"), open=~pl.col("state").is_in(list(RESOLVED))
    )
    end = pl.col("resolved").fill_null(pl.when("open").then(until))
    running = _spans(spans, pl.col("started"), end)
    pending = _spans(spans, pl.col("scheduled"), pl.col("started").fill_null(end))
    every = pl.concat([running, pending])
    if every.is_empty():
        return TIMELINE.empty()
    counted = every if running.is_empty() or spans["open"].any() else running
    edges = _edges(int(every["from"].min()), int(counted["to"].max()), bins)  # type: ignore[arg-type]
    starts, ends = edges[:-1], edges[1:]
    length = ends - starts
    stamp = pl.Datetime("ms", "UTC")
    return pl.DataFrame(
        {
            "key": starts.cast(pl.String),
            "time": starts.cast(stamp),
            "until": ends.cast(stamp),
            "running": _time_within(running, edges) / length,
            "pending": _time_within(pending, edges) / length,
            "started": _moments(running["from"], edges),
            "resolved": _moments(running["to"].filter(running["ended"]), edges),
        }
    )


def _edges(low: int, high: int, bins: int) -> pl.Series:
    """Whole milliseconds, so that the columns hold exactly what was counted; the ends are `low` and `high`."""
    inner = [round(edge) for edge in linear_edges(low, high, bins, kind=Kind.TIME)]
    return pl.Series([low, *(edge for edge in inner if low < edge < high), max(high, low + 1)]).unique().sort()


def _spans(rows: pl.DataFrame, start: pl.Expr, end: pl.Expr) -> pl.DataFrame:
    """(from, to, ended) of the rows that have both and in this order."""
    found = rows.select(start.alias("from"), end.alias("to"), pl.col("resolved").is_not_null().alias("ended"))
    return found.drop_nulls(["from", "to"]).filter(pl.col("from") <= pl.col("to"))


def _time_within(spans: pl.DataFrame, edges: pl.Series) -> pl.Series:
    """Milliseconds of all spans within each bin: what has passed by its end, less what had by its start."""
    passed = _passed(spans["from"], edges) - _passed(spans["to"], edges)
    return passed[1:] - passed[:-1]


def _passed(moments: pl.Series, edges: pl.Series) -> pl.Series:
    """The sum of (edge - moment) over the moments before each edge."""
    ordered = moments.sort()
    before = ordered.search_sorted(edges, side="left").cast(pl.Int64)
    offset = edges[0]  # keeps the sums small
    sums = pl.concat([pl.Series([0]), (ordered - offset).cum_sum()])
    passed: pl.Series = before * (edges - offset) - sums.gather(before)
    return passed


def _moments(moments: pl.Series, edges: pl.Series) -> pl.Series:
    """How many lie in each bin; one on the last edge belongs to the last bin."""
    before = moments.sort().search_sorted(edges, side="left").cast(pl.Int64)
    counts = before[1:] - before[:-1]
    counts[-1] += len(moments) - before[-1]
    return counts


# ---- lists -----------------------------------------------------------------------------------------------------------

BINS = 120

# One row a bin and line of the chart; `timeline` itself has both side by side.
TIMELINE_LINES = Schema(
    (
        Column("time", Kind.TIME, "From"),
        Column("tasks", Kind.NUMBER, "Tasks"),
        Column("what", Kind.STATE, "What", width=9),
        Column("until", Kind.TIME, "Until"),
        Column("begun", Kind.COUNT, "Started"),
        Column("ended", Kind.COUNT, "Resolved"),
    ),
    key="key",
)


def timeline_lines(bins: pl.DataFrame) -> pl.DataFrame:
    """Two rows a bin (schema `TIMELINE_LINES`, drawn as `TIMELINE_CHART`) of what `timeline` returns."""
    parts = [
        bins.select(
            pl.concat_str(pl.lit(what), "key", separator=" ").alias("key"), "time", pl.col(what).alias("tasks"),
            pl.lit(what).alias("what"), "until", pl.col("started").alias("begun"), pl.col("resolved").alias("ended"),
        )
        for what in ("running", "pending")
    ]  # fmt: skip
    return pl.concat(parts).select(pl.col(name).cast(dtype) for name, dtype in TIMELINE_LINES.polars().items())


TIMELINE_CHART = Chart(x="time", y="tasks", by="what", joined=True)


class GroupViewList(ClientListing):
    """Computed from the rows of a group, or of some tasks of it; one page. `pages` raises the group's `AppError`s."""

    what: ClassVar[str]
    empty_text = "This task group has no tasks (yet)."

    def __init__(self, locator: GroupView, client: Client) -> None:
        super().__init__(locator, client)
        self.group = TaskGroup(locator.group_id, client.root, locator.task_ids)
        self._push = ""  # known with the rows

    @property
    def title(self) -> str:
        count = len(self.group.task_ids)
        some = f"{count:,} {'task' if count == 1 else 'tasks'} of " if count else ""
        return f"{self.what} of {some}{self._push or f'task group {self.group.group_id}'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        tasks = load_tasks(self.client, self.group, cancel)
        self._push = describe_push(tasks.frame)[0]
        rows = self.compute(tasks.frame)
        yield Page(rows, tasks.freshness, total=rows.height, note=tasks.note)

    def compute(self, tasks: pl.DataFrame) -> pl.DataFrame:
        raise NotImplementedError

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [Link("The tasks", self.group, letter="n", group=THIS_GROUP), *group_entries(self.group)]

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, self.schema)
        return Detail(lines[0][1] if lines else "", ((self.what.capitalize(), lines),))

    def web_url(self, row: Row | None = None) -> str:
        return urls.group_page(self.client.root, self.group.group_id)


class BreakdownList(GroupViewList):
    """One row a value of a column of the tasks (schema `GROUP_STATISTICS`); Enter lists its tasks.

    `pages` raises `UsageError` for a column that tasks cannot be grouped by.
    """

    schema = GROUP_STATISTICS
    noun = ("part", "parts")

    def __init__(self, locator: GroupView, client: Client) -> None:
        super().__init__(locator, client)
        self.by = locator.by or "suite"
        self._ids: dict[str, tuple[str, ...]] = {}  # by the key of a row

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"breakdown by {self.by.replace('_', ' ')}"

    def compute(self, tasks: pl.DataFrame) -> pl.DataFrame:
        rows = group_statistics(tasks, self.by)
        ids = tasks.group_by(pl.col(self.by).cast(pl.String).alias("group"), maintain_order=True).agg("task_id").rows()
        self._ids = {"none" if value is None else f"={value}": tuple(members) for value, members in ids}
        return rows

    def open(self, row: Row) -> TaskGroup | None:
        ids = self._ids.get(str(row.get("key") or ""))
        return TaskGroup(self.group.group_id, self.client.root, ids) if ids else None

    def open_marked(self, rows: pl.DataFrame) -> TaskGroup | None:
        ids = self._task_ids(rows)
        return TaskGroup(self.group.group_id, self.client.root, ids) if ids else None

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        ids = self._task_ids(rows)
        return TaskMeasurements(ids, self.client.root) if ids else None

    def _task_ids(self, rows: pl.DataFrame) -> tuple[str, ...]:
        return tuple(one for key in rows["key"].to_list() for one in self._ids.get(key, ()) if is_slugid(one))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        group = self.group
        others = [
            Link(f"By {by.replace('_', ' ')}", view_of(group, "breakdown", by), letter=digit_key(number), group=LIST)
            for number, by in enumerate(BY)
            if by != self.by
        ]
        return [
            *others,
            Link("The tasks", group, letter="n", group=THIS_GROUP),
            Link("Timeline: running and pending", view_of(group, "timeline"), letter="T", group=THIS_GROUP),
            Link("Critical path", view_of(group, "critical-path"), letter="C", group=THIS_GROUP),
        ]


class TimelineList(GroupViewList):
    """How many tasks were running and pending, in at most `BINS` bins; means over each bin (columns
    `TIMELINE_LINES`)."""

    schema = TIMELINE_LINES
    noun = ("row", "rows")
    what = "timeline"
    empty_text = "No task of these has run or waited yet."
    default_sort = (("time", False),)
    chart = TIMELINE_CHART

    def compute(self, tasks: pl.DataFrame) -> pl.DataFrame:
        return timeline_lines(timeline(tasks, BINS))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "at most 120 running, 34 pending"."""
        most = [frame.filter(pl.col("what") == what)["tasks"].max() for what in ("running", "pending")]
        running, pending = (one if isinstance(one, float) else 0.0 for one in most)
        return f"at most {running:,.0f} running, {pending:,.0f} pending"


class CriticalPathList(GroupViewList):
    """The chain of tasks that the end of the group waited for (schema `CRITICAL_PATH`)."""

    schema = CRITICAL_PATH
    noun = ("step", "steps")
    what = "critical path"
    empty_text = "No task of these has ended yet."

    def compute(self, tasks: pl.DataFrame) -> pl.DataFrame:
        return critical_path(tasks)

    def open(self, row: Row) -> Task | None:
        task_id = str(row.get("task_id") or "")
        return Task(task_id, None, self.client.root) if is_slugid(task_id) else None

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = slugids(rows)
        return TaskArtifacts(ids, self.client.root) if ids else None

    def log(self, row: Row) -> LogAddress | None:
        return task_log(self.client, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        own = task_entries(self.client.root, row, self.document(row)) if row is not None else []
        return [*own, *super().menu(row, rows)]

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return super().web_url()
        return urls.task_page(self.client.root, str(row.get("task_id") or ""))
