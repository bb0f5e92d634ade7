"""The values of both sides of one test, one row a value: what two histograms over each other are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from backends.cancel import CancelToken
from backends.frames.comparison import GroupComparison, compare_samples, median_shift
from backends.frames.formats import format_value
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators.perfherder import ComparedValues, PushJobs, Series, Side
from backends.locators.perfherder_pages import values_url
from backends.locators.taskcluster import Task
from backends.resources import Chart, Detail, Entry, Link, LogAddress, Page, Row
from backends.treeherder.answers import Rows
from backends.treeherder.asking import NoSuchThing
from backends.treeherder.columns import numbered
from backends.treeherder.listed import INTERVAL, TreeherderList, Where, log_of, task_of, told
from backends.treeherder.parallel import answers
from backends.treeherder.series import moment
from backends.treeherder.series_rows import with_tasks
from backends.treeherder.structs import Summary

VALUES_OF_SIDES = Schema(
    (
        Column("side", Kind.TEXT, "Side", width=6),
        Column("number", Kind.COUNT, "No."),
        Column("value", Kind.NUMBER, "Value"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("push_time", Kind.TIME, "Pushed"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("machine", Kind.TEXT, "Machine"),
        Column("task_id", Kind.ID, "Task"),
        Column("run", Kind.COUNT, "Run"),
        numbered("job_id", "Job"),
        Column("submit_time", Kind.TIME, "Submitted"),
        Column("replicate", Kind.COUNT, "Replicate"),
        numbered("push_id", "Push", hidden=True),
        numbered("datum_id", "Datum", hidden=True),
        Column("series", Kind.TEXT, "Series", hidden=True),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
    ),
    key="key",
)
_Told = tuple[Summary | None, Rows]


class ValueList(TreeherderList):
    """Base first, then new, each in the order of pushes and in full precision. Enter: the task that measured it."""

    schema = VALUES_OF_SIDES
    noun = ("value", "values")
    empty_text = "Neither side has a value."
    chart = Chart(x="number", y="value", by="side")
    locator: ComparedValues

    def __init__(self, locator: ComparedValues, where: Where) -> None:
        super().__init__(locator, where)
        self._lower_is_better = True
        self._roots: dict[str, str] = {}
        self._name = ""
        self._frameworks: dict[str, str] = {}  # by side; known once read
        self._values: tuple[float, float] | None = None

    @property
    def title(self) -> str:
        return f"values of {self._name or 'both sides'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        sides = {"base": self.locator.base, "new": self.locator.new}
        if self.locator.base == self.locator.new:  # of one side, its values alone
            del sides["new"]
        found: dict[str, _Told] = dict(answers(lambda name, own: self._ask(sides[name], own), list(sides), cancel))
        known = next((found[name][0] for name in sides if found[name][0] is not None), None)
        if known is None:
            raise NoSuchThing("Neither side's repository has the signature that was named.", "Check the ids.")
        self._lower_is_better = known.lower_is_better is not False
        self._name = " ".join(part for part in (known.suite, known.test, known.platform) if part)
        self._frameworks = {
            name: str(told_of.framework_id) for name, (told_of, _) in found.items() if told_of and told_of.framework_id
        }
        frames = [_framed(name, sides[name], *found[name]) for name in sides]
        frame = pl.concat(frames)
        if not frame.is_empty():
            self._values = (float(frame["value"].min()), float(frame["value"].max()))  # type: ignore[arg-type]
        origin: Freshness = found["base"][1].origin
        if "new" in found:
            origin = origin.worse(found["new"][1].origin)
        jobs = frame["job_id"].drop_nulls().unique().to_list()
        tasks = self.treeherder.tasks_of_jobs(map(int, jobs), cancel) if jobs else {}
        yield Page(with_tasks(frame, tasks), origin, total=len(frame))

    def _ask(self, side: Side, cancel: CancelToken) -> _Told:
        repository = side.series.repository
        self._roots[repository] = self.root_of(repository, cancel)
        number = self._number(side, cancel)
        if number is None:
            return None, Rows(pl.DataFrame())
        start, end = moment(side.start), moment(side.end)
        if start is None and end is not None:
            start = moment((side.end or 0) - INTERVAL)
        return self.treeherder.series(
            repository,
            number,
            revision=side.revision,
            start=start,
            end=end,
            replicates=self.locator.replicates,
            cancel=cancel,
        )

    def _number(self, side: Side, cancel: CancelToken) -> int | None:
        if len(side.series.signature) < 40:
            return int(side.series.signature)
        hashes = (side.series.signature,)
        frame = self.treeherder.signatures(side.series.repository, hashes=hashes, cancel=cancel).frame
        return None if frame.is_empty() else max(map(int, frame["signature_id"]))

    def compared(self, frame: pl.DataFrame) -> GroupComparison:
        """The comparison of the two sides of these rows."""
        sides = [frame.filter(pl.col("side") == name)["value"] for name in ("base", "new")]
        return compare_samples(*sides, lower_is_better=self._lower_is_better)

    def open(self, row: Row) -> Task | PushJobs | None:
        task = task_of(row, self._roots.get(str(row.get("repository")), ""))
        if task is not None or row.get("push_id") is None:
            return task
        return PushJobs(str(row["repository"]), int(row["push_id"]), self.server)

    def log(self, row: Row) -> LogAddress | None:
        return log_of(row, self._roots.get(str(row.get("repository")), ""))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        words = "One value a run, without replicates" if at.replicates else "All replicates"
        refs = tuple(dict.fromkeys((at.base.series, at.new.series)))
        return [
            Link(words, replace(at, replicates=not at.replicates)),
            Link("The other way round", replace(at, base=at.new, new=at.base)),
            Link("The series", Series(refs, server=self.server)),
        ]

    def detail(self, row: Row) -> Detail:
        return Detail(f"{row['side']} {row['number']}", (("Value", told(row, VALUES_OF_SIDES, VALUES_OF_SIDES.names)),))

    def web_url(self, row: Row | None = None) -> str:
        if row is not None and row.get("revision"):
            return self.jobs_url(
                str(row["repository"]), str(row["revision"]), str(row.get("task_id") or ""), row["run"]
            )
        base, new = (
            replace(side, series=replace(side.series, framework=self._frameworks.get(name, side.series.framework)))
            for name, side in (("base", self.locator.base), ("new", self.locator.new))
        )
        return values_url(self.treeherder.base, replace(self.locator, base=base, new=new), self._values)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "regression: median 812 → 840 (+3.4 %, Δ between 11 and 40), p 0.002, Cliff's δ -0.61 large, t 5.3 High"."""
        found = self.compared(frame)
        if found.verdict is None or found.delta is None:
            return "only one side has values"
        column = VALUES_OF_SIDES["value"]
        medians = [format_value(value, column) for value in (found.median_base, found.median_new)]
        change = [] if found.delta_percent is None else [f"{found.delta_percent:+.1f} %"]
        sides = [frame.filter(pl.col("side") == name)["value"] for name in ("base", "new")]
        bounds = median_shift(*sides)
        if bounds is not None:
            change.append(f"Δ between {bounds[0]:.4g} and {bounds[1]:.4g}")
        parts = [f"{found.verdict}: median {medians[0]} → {medians[1]}" + (f" ({', '.join(change)})" if change else "")]
        parts += [f"p {found.p:.3g}"] if found.p is not None else []
        parts += [f"Cliff's δ {found.cliffs_delta:.2f} {found.effect}"] if found.cliffs_delta is not None else []
        parts += [f"t {found.t:.1f} {found.confidence or ''}".rstrip()] if found.t is not None else []
        return ", ".join(parts)


def _framed(name: str, side: Side, summary: Summary | None, rows: Rows) -> pl.DataFrame:
    if summary is None or rows.frame.is_empty():
        return VALUES_OF_SIDES.empty()
    series = " ".join(part for part in (summary.suite, summary.test, summary.platform) if part)
    found = rows.frame.with_row_index("number", 1).with_columns(
        pl.concat_str(pl.lit(f"{name}/"), "key").alias("key"),
        pl.lit(name).alias("side"),
        pl.lit(summary.measurement_unit or None, pl.String).alias("unit"),
        pl.lit(series).alias("series"),
        pl.lit(side.series.repository).alias("repository"),
        pl.lit(None, pl.String).alias("task_id"),
        pl.lit(None, pl.Int64).alias("run"),
    )
    return found.select(pl.col(column).cast(dtype) for column, dtype in VALUES_OF_SIDES.polars().items())
