"""Two groups, or two sets of tasks, side by side: their tasks by label, their measurements, one series' values.

Both comparisons are frames with a schema, sorted so that what changed comes first. The statistics, their words and
their sources are those of `backends.frames.significance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import state_rank
from backends.frames.schema import Column, Effect, Kind, Schema
from backends.frames.significance import COMPARED, compare
from backends.locators import InvalidLocatorError, Locator
from backends.pool import map_concurrently
from backends.resources import LIST, ROWS, Chart, Document, Entry, Link, ListContents, LogAddress, Page, Row, read_list
from backends.taskcluster.client import Client
from backends.taskcluster.contents import ClientListing, task_document
from backends.taskcluster.group_cache import GroupCache, GroupTasks, load_tasks
from backends.taskcluster.locators import Artifact, GroupComparison, Task, TaskGroup, compare_groups, is_slugid
from backends.taskcluster.logs import run_log
from backends.taskcluster.measurements import MeasurementList, by_replicate
from backends.taskcluster.task_rows import describe_push, filter_ids
from backends.taskcluster.urls import normalise_root

T = TypeVar("T")
Pair = tuple[T, T]

SERIES = ("framework", "suite", "subtest", "platform", "build_type", "options", "application")

_OF_DURATION = {
    "median_base": "duration_base",
    "median_new": "duration_new",
    "n_base": "n_base",
    "n_new": "n_new",
    **{name: name for name in ("delta", "delta_percent", "p", "cliffs_delta", "effect", "cles", "t", "confidence")},
    "verdict": "shift",
}

TASK_CHANGES = Schema(
    (
        # At 80 cells: what changed, where, and the states of both sides, unless retriggers make them long.
        Column("change", Kind.STATE, "Change", width=14),
        Column("label", Kind.TEXT, "Label", width=34, keeps_end=True),
        Column("states_base", Kind.TEXT, "Base", counts_states=True),
        Column("states_new", Kind.TEXT, "New", counts_states=True),
        Column("duration_base", Kind.DURATION, "Duration base", "s"),
        Column("duration_new", Kind.DURATION, "Duration new", "s"),
        Column("delta", Kind.DURATION, "Δ", "s"),
        Column("delta_percent", Kind.NUMBER, "Δ %", effect=Effect("shift")),
        Column("shift", Kind.STATE, "Duration"),
        Column("p", Kind.NUMBER, "p (ranks)"),
        Column("cliffs_delta", Kind.NUMBER, "Cliff's δ"),
        Column("effect", Kind.TEXT, "Effect"),
        Column("cles", Kind.NUMBER, "P(base > new)", hidden=True),
        Column("t", Kind.NUMBER, "t"),
        Column("confidence", Kind.TEXT, "Confidence"),
        Column("tasks_base", Kind.COUNT, "Tasks base"),
        Column("tasks_new", Kind.COUNT, "Tasks new"),
        Column("n_base", Kind.COUNT, "Timed base", hidden=True),
        Column("n_new", Kind.COUNT, "Timed new", hidden=True),
        Column("suite", Kind.TEXT, "Suite"),
        Column("platform", Kind.TEXT, "Platform", keeps_end=True),
        Column("kind", Kind.TEXT, "Kind", hidden=True),
        Column("task_base", Kind.ID, "Task base", hidden=True),
        Column("task_new", Kind.ID, "Task new", hidden=True),
    ),
    key="label",
)
_ORDER = {"new failure": 0, "missing": 1, "fixed": 2, "other states": 3, "new": 4, "same": 5}

_BY_HOW_MUCH = tuple(column for column in COMPARED if column.name == "delta_percent")
SERIES_CHANGES = Schema(
    (
        # At 80 cells: whether, what, by how much, and the beginning of where.
        COMPARED[0],
        Column("suite", Kind.TEXT, "Suite", width=16, keeps_end=True),
        Column("subtest", Kind.TEXT, "Subtest", width=20, keeps_end=True),
        *_BY_HOW_MUCH,
        Column("platform", Kind.TEXT, "Platform", keeps_end=True),
        *(column for column in COMPARED[1:] if column not in _BY_HOW_MUCH),
        Column("unit", Kind.TEXT, "Unit"),
        Column("lower_is_better", Kind.TEXT, "Lower is better"),
        Column("options", Kind.TEXT, "Options"),
        Column("build_type", Kind.TEXT, "Build"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("application", Kind.TEXT, "Application", hidden=True),
    ),
    key="key",
)


def compare_tasks(base: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """One row a label (schema `TASK_CHANGES`) of two frames of the schema `TASKS`; a task without label by its name.

    `change`: missing (not in new), new (not in base), new failure (a task of new failed or ended in an exception, none
    of base), fixed (some of base did, all of new completed), other states, or same. The states of a side, its
    retriggers together, read "1 failed, 5 completed", the worst first. Durations are the medians of the completed
    tasks, for a failure ends early; `shift` is the verdict of the rank test over the retriggers, longer being a
    regression, None where a side has no completed task.
    """
    sides = [_by_label(side, name) for side, name in ((base, "base"), (new, "new"))]
    both = sides[0].join(sides[1], on="label", how="full", coalesce=True, maintain_order="left_right")
    shifts = compare(_timed(base), _timed(new), ["label"], value="duration").select(
        "label", *(pl.col(name).alias(shown) for name, shown in _OF_DURATION.items())
    )
    changes = both.join(shifts, on="label", how="left", maintain_order="left").with_columns(
        _change().alias("change"),
        *(pl.coalesce(f"{name}_new", f"{name}_base").alias(name) for name in ("suite", "platform", "kind")),
        *(pl.col(name).fill_null(0) for name in ("tasks_base", "tasks_new", "n_base", "n_new")),
    )
    ordered = changes.sort(
        pl.col("change").replace_strict(_ORDER, return_dtype=pl.Int8),
        pl.col("shift").replace_strict({"regression": 0, "improvement": 1}, default=2, return_dtype=pl.Int8),
        "label",
        maintain_order=True,
    )
    return _select(ordered, TASK_CHANGES)


def _label() -> pl.Expr:
    return pl.coalesce("label", "name", "task_id").alias("label")


def _by_label(tasks: pl.DataFrame, side: str) -> pl.DataFrame:
    named = tasks.sort("created", "task_id").with_columns(_label())
    counted = named.group_by("label", "state", maintain_order=True).len()
    ranks = pl.Series([state_rank(state or "") for state in counted["state"].to_list()], dtype=pl.Int64)
    counted = counted.sort(ranks, pl.col("state"))
    alone = (pl.col("len") == 1) & (pl.len().over("label") == 1)  # one task of one state needs no number
    worded = counted.with_columns(words=pl.when(alone).then("state").otherwise(pl.format("{} {}", "len", "state")))
    states = worded.group_by("label", maintain_order=True).agg(pl.col("words").str.join(", ").alias(f"states_{side}"))
    return named.group_by("label", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias(f"tasks_{side}"),
        pl.col("state").is_in(["failed", "exception"]).any().alias(f"bad_{side}"),
        pl.col("state").unique().sort().str.join(" ").alias(f"set_{side}"),
        pl.col("task_id").last().alias(f"task_{side}"),
        *(pl.col(name).drop_nulls().first().alias(f"{name}_{side}") for name in ("suite", "platform", "kind")),
    ).join(states, on="label", maintain_order="left")  # fmt: skip


def _timed(tasks: pl.DataFrame) -> pl.DataFrame:
    return tasks.filter(pl.col("state") == "completed").select(_label(), "duration")


def _change() -> pl.Expr:
    before, after = pl.col("bad_base"), pl.col("bad_new")
    return (
        pl.when(after.is_null()).then(pl.lit("missing"))
        .when(before.is_null()).then(pl.lit("new"))
        .when(after & ~before).then(pl.lit("new failure"))
        .when(before & (pl.col("set_new") == "completed")).then(pl.lit("fixed"))
        .when(pl.col("set_base") != pl.col("set_new")).then(pl.lit("other states"))
        .otherwise(pl.lit("same"))
    )  # fmt: skip


def compare_measurements(base: pl.DataFrame, new: pl.DataFrame, *, replicates: bool = False) -> pl.DataFrame:
    """One row a series (schema `SERIES_CHANGES`) of two frames of the schema `MEASUREMENTS`.

    A series is identified as in Perfherder, by the columns of `SERIES`. Each run of a task gives one value, as in
    Perfherder's compare view, or with `replicates` all of its replicates; either way the runs are counted. A series
    of one side has no verdict. Those that changed by either verdict come first, the largest effect first.
    """
    if replicates:
        base, new = by_replicate(base), by_replicate(new)
    sides = [
        side.with_columns(
            _lower=pl.col("lower_is_better") != "no", _task_run=pl.concat_str("task_id", pl.lit("/"), "run")
        )
        for side in (base, new)
    ]
    statistics = compare(sides[0], sides[1], SERIES, lower_is_better="_lower", run="_task_run")
    units = pl.concat(sides).group_by(SERIES).agg(pl.col("unit", "lower_is_better").drop_nulls().first())
    series = statistics.join(units, on=SERIES, how="left", nulls_equal=True, maintain_order="left").with_columns(
        key=pl.concat_str([pl.col(name).fill_null("\0") for name in SERIES], separator="\x1f")
    )
    changed = pl.any_horizontal(
        pl.col(name).is_in(["regression", "improvement", "warning"]).fill_null(False)
        for name in ("verdict", "t_verdict")
    )
    ordered = series.sort(
        changed,
        pl.col("cliffs_delta").is_not_null(),
        pl.col("cliffs_delta").abs(),
        pl.col("delta_percent").abs(),
        descending=True,
        nulls_last=True,
        maintain_order=True,
    )
    return _select(ordered, SERIES_CHANGES)


def _select(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.polars().items())


# ---- lists -----------------------------------------------------------------------------------------------------------

SERIES_VALUES = Schema(
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


def _side_links(sides: Sequence[Locator]) -> list[Entry]:
    return [
        Link(f"Tasks of the {name}", side, letter=letter, group=LIST)
        for letter, name, side in zip("12", ("base", "new"), sides, strict=True)
    ]


class _ComparisonList(ClientListing):
    """Both sides are read at the same time, and compared once both are there."""

    def __init__(self, locator: GroupComparison, client: Client) -> None:
        super().__init__(locator, client)
        self.comparison = locator
        self.sides = (self._group(locator.base), self._group(locator.new))
        self._names = ("", "")  # of the sides; known with the rows

    def _group(self, side: Locator) -> TaskGroup:
        """Raises `InvalidLocatorError` for a side that `resolve` has not looked up."""
        if not isinstance(side, TaskGroup):
            raise InvalidLocatorError("The sides of a comparison have to be looked up before they can be listed.")
        return replace(side, root_url=normalise_root(side.root_url or self.client.root))

    @property
    def title(self) -> str:
        base, new = (name or _describe(side) for name, side in zip(self._names, self.sides, strict=True))
        return f"{base} → {new}"

    def client_of(self, side: int) -> Client:
        return self.client.with_root(self.sides[side].root_url)

    def load_both(self, load: Callable[[Client, TaskGroup, CancelToken], T], cancel: CancelToken) -> Pair[T]:
        loaded: dict[int, T] = {}
        sides = map_concurrently(
            lambda side, own: (side, load(self.client_of(side), self.sides[side], own)), range(2), cancel
        )
        for batch in sides:
            loaded.update(batch)
        self._names = self._name_side(0, loaded[0]), self._name_side(1, loaded[1])
        return loaded[0], loaded[1]

    def _name_side(self, number: int, loaded: object) -> str:
        """From the tasks that have been loaded, or stored meanwhile: the name of a single task, else the push."""
        side = self.sides[number]
        tasks = loaded if isinstance(loaded, GroupTasks) else GroupCache(self.client_of(number)).read(side.group_id)
        if tasks is None:
            return ""
        if len(side.task_ids) == 1:
            names = filter_ids(tasks.frame, side.task_ids)["name"].drop_nulls()
            return str(names[0]) if len(names) else ""
        some = f"{len(side.task_ids):,} tasks of " if side.task_ids else ""
        push = describe_push(tasks.frame)[0]
        return some + push if push else ""

    def row_title(self, row: Row) -> str:
        return " ".join(str(row[name]) for name in ("label", "suite", "subtest") if row.get(name))


class TaskChangeList(_ComparisonList):
    """The tasks of both by label (`schema TASK_CHANGES`), what changed first; Enter opens the new task."""

    schema = TASK_CHANGES
    noun = ("label", "labels")
    empty_text = "Neither side has a task."

    def __init__(self, locator: GroupComparison, client: Client) -> None:
        super().__init__(locator, client)
        self._labels: list[dict[str, tuple[str, ...]]] = [{}, {}]  # of each side, its tasks by label

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        base, new = self.load_both(load_tasks, cancel)
        self._labels = [_label_ids(one) for one in (base, new)]
        rows = compare_tasks(base.frame, new.frame)
        yield Page(rows, base.freshness.worse(new.freshness), total=rows.height, note=_join_notes(base.note, new.note))

    def _task(self, row: Row | None, side: int) -> str:
        task_id = str((row or {}).get(("task_base", "task_new")[side]) or "")
        return task_id if is_slugid(task_id) else ""

    def _side(self, row: Row) -> int:
        """The new side where it has the task, else the base."""
        return 1 if self._task(row, 1) else 0

    def open(self, row: Row) -> Task | None:
        side = self._side(row)
        task_id = self._task(row, side)
        return Task(task_id, None, self.sides[side].root_url) if task_id else None

    def log(self, row: Row) -> LogAddress | None:
        side = self._side(row)
        task_id = self._task(row, side)
        title = f"log of {row.get('label') or task_id}"
        return run_log(self.client_of(side), task_id, None, live=False, title=title) if task_id else None

    def document(self, row: Row) -> Document | None:
        side = self._side(row)
        return task_document(
            self.client_of(side), {"task_id": self._task(row, side), "task_name": row.get("label")}
        )  # fmt: skip

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries: list[Entry] = []
        for name, at in (("base", 0), ("new", 1)):
            if task_id := self._task(row, at):
                root = self.sides[at].root_url
                entries.append(Link(f"The {name} task", Task(task_id, None, root), letter=name[0]))
                text = run_log(self.client_of(at), task_id, None, live=False)
                entries.append(Link(f"Log of the {name} task", text, letter=name[0].upper()))
        ids = [self._ids(rows, at) for at in (0, 1)]
        if all(ids):
            base, new = (replace(side, task_ids=some) for side, some in zip(self.sides, ids, strict=True))
            found = compare_groups(base, new, True)
            words = f"Measurements of the tasks of {rows.height:,} {'label' if rows.height == 1 else 'labels'}"
            entries.append(Link(words, found, letter="m", group=ROWS))
        return [*entries, *_side_links(self.sides)]

    def _ids(self, rows: pl.DataFrame, side: int) -> tuple[str, ...]:
        known = self._labels[side]
        return tuple(one for label in rows["label"].to_list() for one in known.get(label, ()))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "2 new failure · 1 missing"; unchanged labels are not counted."""
        counts = dict(frame["change"].value_counts().iter_rows())
        return " · ".join(f"{count:,} {change}" for change, count in sorted(counts.items()) if change != "same")


class SeriesChangeList(_ComparisonList):
    """What both measured, by series (`schema SERIES_CHANGES`); Enter lists the values of both sides."""

    schema = SERIES_CHANGES
    noun = ("series", "series")
    empty_text = "Neither side has perfherder data."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        base, new = self.load_both(load_measurements, cancel)
        rows = compare_measurements(base.frame, new.frame)
        note = _join_notes(*base.notes, *new.notes, _note_without_pairs(rows))
        yield Page(rows, base.freshness.worse(new.freshness), total=rows.height, note=note)

    def open(self, row: Row) -> GroupComparison:
        series = tuple(str(row.get(name) or "") for name in SERIES)
        return compare_groups(self.sides[0], self.sides[1], True, series)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [
            Link("The tasks of both by label", compare_groups(*self.sides), letter="l", group=LIST),
            *_side_links(self.sides),
        ]

    def summary(self, frame: pl.DataFrame) -> str:
        counts = dict(frame["verdict"].drop_nulls().value_counts().iter_rows())
        return " · ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items()))


def _note_without_pairs(rows: pl.DataFrame) -> str:
    """Why nothing of what both sides measured could be compared, where that is so."""
    both = rows.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0))
    if rows.is_empty() or not both.is_empty():
        return ""
    sides = [rows.filter(pl.col(f"n_{side}") > 0)["platform"].drop_nulls().unique().sort() for side in ("base", "new")]
    platforms = [f" ({', '.join(str(name)[:60] for name in side[:2])})" if len(side) else "" for side in sides]
    return (
        f"No series is on both sides: base{platforms[0]} and new{platforms[1]} differ in platform, build, options or "
        "framework."
    )


class SeriesValueList(_ComparisonList):
    """Every value of one series on both sides (columns `SERIES_VALUES`), for its histogram by `side`; Enter opens the
    file."""

    schema = SERIES_VALUES
    noun = ("value", "values")
    empty_text = "Neither side has values of this series."
    chart = Chart(x="number", y="value", by="side")

    @property
    def title(self) -> str:
        return " ".join(self.comparison.series[1:4]).strip() or "values"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        sides = self.load_both(load_measurements, cancel)
        rows = pl.concat(
            [
                _values_of_side(side.frame, self.comparison.series, name)
                for name, side in zip(("base", "new"), sides, strict=True)
            ]
        )
        yield Page(rows, sides[0].freshness.worse(sides[1].freshness), total=rows.height)

    def _client(self, row: Row) -> Client:
        return self.client_of(int(row.get("side") == "new"))

    def open(self, row: Row) -> Artifact | None:
        task_id, name = str(row.get("task_id") or ""), str(row.get("artifact") or "")
        if not is_slugid(task_id) or not name:
            return None
        return Artifact(task_id, row.get("run"), name, self._client(row).root)

    def document(self, row: Row) -> Document | None:
        return task_document(self._client(row), row)


def load_measurements(client: Client, side: TaskGroup, cancel: CancelToken) -> ListContents:
    """The measurements of these tasks (schema `MEASUREMENTS`)."""
    tasks = load_tasks(client, side, cancel)
    values = read_list(MeasurementList.of_rows(tasks.frame, client), cancel)
    notes = tuple(note for note in (tasks.note, *values.notes) if note)
    return replace(values, freshness=tasks.freshness.worse(values.freshness), notes=notes)


def _values_of_side(frame: pl.DataFrame, series: tuple[str, ...], side: str) -> pl.DataFrame:
    is_series = pl.all_horizontal(pl.col(name).fill_null("") == part for name, part in zip(SERIES, series, strict=True))
    rows = frame.filter(is_series).with_row_index("number", offset=1).with_columns(
        side=pl.lit(side), key=pl.format(f"{side} {{}}", "key")
    )  # fmt: skip
    return rows.select(pl.col(name).cast(dtype) for name, dtype in SERIES_VALUES.polars().items())


def _label_ids(tasks: GroupTasks) -> dict[str, tuple[str, ...]]:
    named = tasks.frame.with_columns(label=pl.coalesce("label", "name", "task_id"))
    return {label: tuple(ids) for label, ids in named.group_by("label").agg("task_id").iter_rows()}


def _describe(side: TaskGroup) -> str:
    if len(side.task_ids) == 1:
        return side.task_ids[0]
    return f"{len(side.task_ids):,} tasks of {side.group_id}" if side.task_ids else side.group_id


def _join_notes(*notes: str) -> str:
    return " ".join(dict.fromkeys(note for note in notes if note))
