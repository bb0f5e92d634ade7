"""A group's statistics as lists: by a column, over time, and along its critical path.

What is computed is in the modules `group_statistics*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.locators.taskcluster import SLUGID, Task, TaskArtifacts, TaskGroup, TaskMeasurements
from backends.locators.taskcluster_views import GroupView
from backends.resources import Chart, Detail, Document, Entry, Link, LogAddress, Page, Resource, Row
from backends.taskcluster import roots
from backends.taskcluster.documents import task_document
from backends.taskcluster.group_statistics import BY, GROUP_STATISTICS, statistics_by
from backends.taskcluster.group_statistics_path import CRITICAL_PATH, critical_path
from backends.taskcluster.group_statistics_timeline import timeline
from backends.taskcluster.menus import group_entries, task_entries, view
from backends.taskcluster.queue import Deployment
from backends.taskcluster.selections import selected
from backends.taskcluster.task_log import task_log

if TYPE_CHECKING:
    from backends.http import Http

BINS = 120

# One row a bin and kind, so that both are drawn: `timeline` itself has them side by side.
LINES = Schema(
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


class _OfGroup(Resource):
    """What is computed from the rows of a group, or of some tasks of it; one page."""

    what: ClassVar[str]
    empty_text = "This task group has no tasks (yet)."

    def __init__(self, locator: GroupView, http: Http, root: str) -> None:
        super().__init__(locator)
        self.view = locator
        self.deployment = Deployment(http, root)
        self.group = TaskGroup(locator.group_id, root, locator.task_ids)

    @property
    def title(self) -> str:
        some = f"{len(self.group.task_ids):,} tasks of " if self.group.task_ids else ""
        return f"{self.what} of {some}group {self.group.group_id}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        found = selected(self.deployment, self.group, cancel)
        made = self.made(found.frame)
        yield Page(made, found.origin, total=made.height, note=found.note)

    def made(self, tasks: pl.DataFrame) -> pl.DataFrame:
        raise NotImplementedError

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [Link("The tasks", self.group), *group_entries(self.group)]

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, self.schema)
        return Detail(lines[0][1] if lines else "", ((self.what.capitalize(), lines),))

    def web_url(self, row: Row | None = None) -> str:
        return roots.group_page(self.deployment.root, self.group.group_id)


class Breakdown(_OfGroup):
    """One row a value of a column of the tasks (`group_statistics.GROUP_STATISTICS`); Enter lists its tasks.

    `pages` raises `UsageError` for a column that tasks cannot be grouped by.
    """

    schema = GROUP_STATISTICS
    noun = ("part", "parts")

    def __init__(self, locator: GroupView, http: Http, root: str) -> None:
        super().__init__(locator, http, root)
        self.by = locator.by or "suite"
        self._ids: dict[str, tuple[str, ...]] = {}  # by the key of a row

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"breakdown by {self.by.replace('_', ' ')}"

    def made(self, tasks: pl.DataFrame) -> pl.DataFrame:
        found, _ = statistics_by(tasks, self.by)
        ids = tasks.group_by(pl.col(self.by).cast(pl.String).alias("group"), maintain_order=True).agg("task_id").rows()
        self._ids = {"none" if value is None else f"={value}": tuple(there) for value, there in ids}
        return found

    def open(self, row: Row) -> TaskGroup | None:
        ids = self._ids.get(str(row.get("key") or ""))
        return TaskGroup(self.group.group_id, self.deployment.root, ids) if ids else None

    def open_marked(self, rows: pl.DataFrame) -> TaskGroup | None:
        ids = self._all(rows)
        return TaskGroup(self.group.group_id, self.deployment.root, ids) if ids else None

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        ids = self._all(rows)
        return TaskMeasurements(ids, self.deployment.root) if ids else None

    def _all(self, rows: pl.DataFrame) -> tuple[str, ...]:
        return tuple(one for key in rows["key"].to_list() for one in self._ids.get(key, ()) if SLUGID.fullmatch(one))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        others = [by for by in BY if by != self.by]
        return [
            Link("The tasks", self.group),
            *(Link(f"By {by.replace('_', ' ')}", view(self.group, "breakdown", by)) for by in others),
            Link("Timeline: running and pending", view(self.group, "timeline")),
            Link("Critical path", view(self.group, "critical-path")),
        ]


class Timeline(_OfGroup):
    """How many tasks were running and pending, in at most `BINS` bins; means over each bin (columns `LINES`)."""

    schema = LINES
    noun = ("row", "rows")
    what = "timeline"
    empty_text = "No task of these has run or waited yet."
    default_sort = ("time", False)
    chart = Chart(x="time", y="tasks", by="what", joined=True)

    def made(self, tasks: pl.DataFrame) -> pl.DataFrame:
        bins = timeline(tasks, BINS)
        parts = [
            bins.select(
                pl.concat_str(pl.lit(what), "key", separator=" ").alias("key"), "time", pl.col(what).alias("tasks"),
                pl.lit(what).alias("what"), "until", pl.col("started").alias("begun"),
                pl.col("resolved").alias("ended"),
            )
            for what in ("running", "pending")
        ]  # fmt: skip
        return pl.concat(parts).select(pl.col(name).cast(dtype) for name, dtype in LINES.polars().items())

    def summary(self, frame: pl.DataFrame) -> str:
        """ "at most 120 running, 34 pending"."""
        most = [frame.filter(pl.col("what") == what)["tasks"].max() for what in ("running", "pending")]
        running, pending = (one if isinstance(one, float) else 0.0 for one in most)
        return f"at most {running:,.0f} running, {pending:,.0f} pending"


class CriticalPath(_OfGroup):
    """The chain of tasks that the end of the group waited for (`group_statistics_path.CRITICAL_PATH`)."""

    schema = CRITICAL_PATH
    noun = ("step", "steps")
    what = "critical path"
    empty_text = "No task of these has ended yet."

    def made(self, tasks: pl.DataFrame) -> pl.DataFrame:
        return critical_path(tasks)

    def open(self, row: Row) -> Task | None:
        task_id = str(row.get("task_id") or "")
        return Task(task_id, None, self.deployment.root) if SLUGID.fullmatch(task_id) else None

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = tuple(one for one in rows["task_id"].to_list() if SLUGID.fullmatch(one))
        return TaskArtifacts(ids, self.deployment.root) if ids else None

    def log(self, row: Row) -> LogAddress | None:
        return task_log(self.deployment, row)

    def document(self, row: Row) -> Document | None:
        return task_document(self.deployment, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        own = task_entries(self.deployment.root, row, self.document(row)) if row is not None else []
        return [*own, *super().menu(row, rows)]

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return super().web_url()
        return roots.task_page(self.deployment.root, str(row.get("task_id") or ""))


KINDS: dict[str, type[_OfGroup]] = {"breakdown": Breakdown, "timeline": Timeline, "critical-path": CriticalPath}
