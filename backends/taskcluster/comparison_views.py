"""Two groups, or two sets of tasks, side by side as lists: their tasks, what they measured, one series' values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators import InvalidLocatorError
from backends.locators.taskcluster import SLUGID, Artifact, Task, TaskGroup
from backends.locators.taskcluster_views import Comparison, compared
from backends.pool import map_concurrently
from backends.resources import Chart, Detail, Document, Entry, Gathered, Link, LogAddress, Page, Resource, Row, gather
from backends.taskcluster.documents import task_document
from backends.taskcluster.group_comparison import (
    SERIES,
    SERIES_CHANGES,
    TASK_CHANGES,
    compare_measurements,
    compare_tasks,
)
from backends.taskcluster.measurements import MeasurementList
from backends.taskcluster.queue import Deployment
from backends.taskcluster.roots import normalise_root
from backends.taskcluster.selections import Selected, selected
from backends.taskcluster.task_log import run_log

if TYPE_CHECKING:
    from backends.http import Http

T = TypeVar("T")
Pair = tuple[T, T]

VALUES = Schema(
    (
        Column("side", Kind.STATE, "Side", width=6),
        Column("value", Kind.NUMBER, "Value"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("number", Kind.COUNT, "Number"),
        Column("run", Kind.COUNT, "Run"),
        Column("task_name", Kind.TEXT, "Task name", width=44, keeps_end=True),
        Column("task_id", Kind.ID, "Task"),
        Column("artifact", Kind.TEXT, "Artifact", hidden=True, searched=False),
        Column("replicate_count", Kind.COUNT, "Replicates"),
        Column("replicates", Kind.TEXT, "Replicate values", hidden=True, searched=False),
    ),
    key="key",
)


class _Compared(Resource):
    """Both sides are read at the same time, and compared once both are there."""

    def __init__(self, locator: Comparison, http: Http, root: str) -> None:
        super().__init__(locator)
        self.comparison = locator
        self.http = http
        self.sides = (self._group(locator.base, root), self._group(locator.new, root))

    @staticmethod
    def _group(side: object, root: str) -> TaskGroup:
        """Raises `InvalidLocatorError` for a side that has to be looked up first, see `resolve`."""
        if not isinstance(side, TaskGroup):
            raise InvalidLocatorError("The sides of a comparison have to be looked up before they can be listed.")
        return replace(side, root_url=normalise_root(side.root_url or root))

    @property
    def title(self) -> str:
        base, new = (_named(side) for side in self.sides)
        return f"{base} → {new}"

    def deployment(self, side: TaskGroup) -> Deployment:
        return Deployment(self.http, side.root_url)

    def both(self, ask: Callable[[TaskGroup, CancelToken], T], cancel: CancelToken) -> Pair[T]:
        found: dict[int, T] = {}
        for batch in map_concurrently(lambda at, own: (at, ask(self.sides[at], own)), range(2), cancel):
            found.update(batch)
        return found[0], found[1]

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, self.schema)
        return Detail(" ".join(str(row[name]) for name in ("label", "suite", "subtest") if row.get(name)),
                      (("Comparison", lines),))  # fmt: skip


class TaskChanges(_Compared):
    """The tasks of both by label (`group_comparison.TASK_CHANGES`), what changed first; Enter opens the new task."""

    schema = TASK_CHANGES
    noun = ("label", "labels")
    empty_text = "Neither side has a task."

    def __init__(self, locator: Comparison, http: Http, root: str) -> None:
        super().__init__(locator, http, root)
        self._labels: list[dict[str, tuple[str, ...]]] = [{}, {}]  # of each side, its tasks by label

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        base, new = self.both(lambda side, own: selected(self.deployment(side), side, own), cancel)
        self._labels = [_label_ids(one) for one in (base, new)]
        found = compare_tasks(base.frame, new.frame)
        yield Page(found, base.origin.worse(new.origin), total=found.height, note=_notes(base.note, new.note))

    def _task(self, row: Row | None, side: int) -> str:
        task_id = str((row or {}).get(("task_base", "task_new")[side]) or "")
        return task_id if SLUGID.fullmatch(task_id) else ""

    def _side(self, row: Row) -> int:
        """The new one where it has the task."""
        return 1 if self._task(row, 1) else 0

    def open(self, row: Row) -> Task | None:
        side = self._side(row)
        task_id = self._task(row, side)
        return Task(task_id, None, self.sides[side].root_url) if task_id else None

    def log(self, row: Row) -> LogAddress | None:
        side = self._side(row)
        task_id = self._task(row, side)
        return run_log(self.deployment(self.sides[side]), task_id, None, live=False) if task_id else None

    def document(self, row: Row) -> Document | None:
        side = self._side(row)
        return task_document(self.deployment(self.sides[side]), {"task_id": self._task(row, side)})

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found: list[Entry] = []
        for name, at in (("base", 0), ("new", 1)):
            if task_id := self._task(row, at):
                root = self.sides[at].root_url
                found.append(Link(f"The {name} task", Task(task_id, None, root)))
                text = run_log(self.deployment(self.sides[at]), task_id, None, live=False)
                found.append(Link(f"Log of the {name} task", text))
        ids = [self._ids(rows, at) for at in (0, 1)]
        if all(ids):
            base, new = (replace(side, task_ids=some) for side, some in zip(self.sides, ids, strict=True))
            found.append(Link(f"What the tasks of {rows.height:,} labels measured", compared(base, new, True)))
        found += [Link("Tasks of the base", self.sides[0]), Link("Tasks of the new", self.sides[1])]
        return found

    def _ids(self, rows: pl.DataFrame, side: int) -> tuple[str, ...]:
        known = self._labels[side]
        return tuple(one for label in rows["label"].to_list() for one in known.get(label, ()))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "2 new failure · 1 missing"; those that are the same are not worth a word."""
        counts = dict(frame["change"].value_counts().iter_rows())
        return " · ".join(f"{count:,} {change}" for change, count in sorted(counts.items()) if change != "same")


class SeriesChanges(_Compared):
    """What both measured, by series (`group_comparison.SERIES_CHANGES`); Enter lists the values of both sides."""

    schema = SERIES_CHANGES
    noun = ("series", "series")
    empty_text = "Neither side has perfherder data."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        base, new = self.both(lambda side, own: measured(self.deployment(side), side, own), cancel)
        found = compare_measurements(base.frame, new.frame)
        note = _notes(*base.notes, *new.notes, *_apart(found))
        yield Page(found, base.origin.worse(new.origin), total=found.height, note=note)

    def open(self, row: Row) -> Comparison:
        series = tuple(str(row.get(name) or "") for name in SERIES)
        return compared(self.sides[0], self.sides[1], True, series)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [
            Link("The tasks of both by label", compared(self.sides[0], self.sides[1])),
            Link("Tasks of the base", self.sides[0]),
            Link("Tasks of the new", self.sides[1]),
        ]

    def summary(self, frame: pl.DataFrame) -> str:
        counts = dict(frame["verdict"].drop_nulls().value_counts().iter_rows())
        return " · ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items()))


def _apart(found: pl.DataFrame) -> tuple[str, ...]:
    """Why nothing of what both sides measured could be compared, where that is so."""
    both = found.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0))
    if found.is_empty() or not both.is_empty():
        return ()
    sides = [found.filter(pl.col(f"n_{side}") > 0)["platform"].drop_nulls().unique().sort() for side in ("base", "new")]
    told = [f" ({', '.join(str(name)[:60] for name in side[:2])})" if len(side) else "" for side in sides]
    return (
        f"No series is on both sides: base{told[0]} and new{told[1]} differ in platform, build, options or framework.",
    )


class SeriesValues(_Compared):
    """Every value of one series on both sides (columns `VALUES`), for its histogram by `side`; Enter opens the file."""

    schema = VALUES
    noun = ("value", "values")
    empty_text = "Neither side has values of this series."
    chart = Chart(x="number", y="value", by="side")

    @property
    def title(self) -> str:
        return " ".join(self.comparison.series[1:4]).strip() or "values"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        sides = self.both(lambda side, own: measured(self.deployment(side), side, own), cancel)
        named = zip(("base", "new"), sides, strict=True)
        rows = pl.concat([_values(side.frame, self.comparison.series, name) for name, side in named])
        yield Page(rows, sides[0].origin.worse(sides[1].origin), total=rows.height)

    def _root(self, row: Row) -> str:
        return self.sides[row.get("side") == "new"].root_url

    def open(self, row: Row) -> Artifact | None:
        task_id, name = str(row.get("task_id") or ""), str(row.get("artifact") or "")
        if not SLUGID.fullmatch(task_id) or not name:
            return None
        return Artifact(task_id, row.get("run"), name, self._root(row))

    def document(self, row: Row) -> Document | None:
        return task_document(Deployment(self.http, self._root(row)), row)


def measured(deployment: Deployment, side: TaskGroup, cancel: CancelToken) -> Gathered:
    """What these tasks measured (schema `MEASUREMENTS`)."""
    tasks = selected(deployment, side, cancel)
    values = gather(MeasurementList.of_rows(tasks.frame, deployment.http, deployment.root), cancel)
    notes = tuple(note for note in (tasks.note, *values.notes) if note)
    return replace(values, origin=_worse(tasks.origin, values.origin), notes=notes)


def _worse(one: Freshness, other: Freshness) -> Freshness:
    return one.worse(other)


def _values(frame: pl.DataFrame, series: tuple[str, ...], side: str) -> pl.DataFrame:
    wanted = pl.all_horizontal(pl.col(name).fill_null("") == part for name, part in zip(SERIES, series, strict=True))
    rows = frame.filter(wanted).with_row_index("number", offset=1).with_columns(
        side=pl.lit(side), key=pl.format(f"{side} {{}}", "key")
    )  # fmt: skip
    return rows.select(pl.col(name).cast(dtype) for name, dtype in VALUES.polars().items())


def _label_ids(tasks: Selected) -> dict[str, tuple[str, ...]]:
    named = tasks.frame.with_columns(label=pl.coalesce("label", "name", "task_id"))
    return {label: tuple(ids) for label, ids in named.group_by("label").agg("task_id").iter_rows()}


def _named(side: TaskGroup) -> str:
    if len(side.task_ids) == 1:
        return side.task_ids[0]
    return f"{len(side.task_ids):,} tasks of {side.group_id}" if side.task_ids else side.group_id


def _notes(*notes: str) -> str:
    return " ".join(dict.fromkeys(note for note in notes if note))
