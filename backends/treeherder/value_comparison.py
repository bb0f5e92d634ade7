"""The values of both sides of one test, one row a value: what two histograms over each other are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import format_value
from backends.frames.schema import Column, Kind, Schema
from backends.frames.significance import Comparison, compare_samples, median_shift
from backends.http.response import Freshness
from backends.resources import LIST, Chart, Entry, Link, Page, Row
from backends.treeherder.api import UnknownItemError
from backends.treeherder.base import Context, id_column, map_in_parallel, select_schema, time_of, with_sections
from backends.treeherder.locators import INTERVAL, ComparedValues, Series, Side
from backends.treeherder.models import SeriesSummary
from backends.treeherder.series import MeasuredList, SeriesRead, replicates_link, value_range
from backends.treeherder.web_urls import values_url

SIDE_VALUES = Schema(
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
        id_column("job_id", "Job"),
        Column("submit_time", Kind.TIME, "Submitted"),
        Column("replicate", Kind.COUNT, "Replicate"),
        id_column("push_id", "Push", hidden=True),
        id_column("datum_id", "Datum", hidden=True),
        Column("series", Kind.TEXT, "Series", hidden=True),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
    ),
    key="key",
)
SIDE_VALUES = with_sections(SIDE_VALUES, {"Value": SIDE_VALUES.names})


class ValueList(MeasuredList):
    """Base first, then new, each in the order of pushes and in full precision. Enter: the task that measured it."""

    schema = SIDE_VALUES
    noun = ("value", "values")
    empty_text = "Neither side has a value."
    chart = Chart(x="number", y="value", by="side")
    locator: ComparedValues

    def __init__(self, locator: ComparedValues, context: Context) -> None:
        super().__init__(locator, context)
        self._lower_is_better = True
        self._name = ""
        self._frameworks: dict[str, str] = {}  # by side; known once read

    @property
    def title(self) -> str:
        return f"values of {self._name or 'both sides'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        sides = {"base": self.locator.base, "new": self.locator.new}
        if self.locator.base == self.locator.new:  # of one side, its values alone
            del sides["new"]
        by_name = dict(map_in_parallel(lambda name, own: self._read(sides[name], own), list(sides), cancel))
        reads = {name: by_name[name] for name in sides}
        summary = next((one.summary for one in reads.values() if one.summary.signature_id is not None), None)
        if summary is None:
            raise UnknownItemError("Neither side's repository has the signature that was named.", "Check the ids.")
        self._lower_is_better = summary.lower_is_better is not False
        self._name = _series_name(summary)
        self._frameworks = {
            name: str(one.summary.framework_id) for name, one in reads.items() if one.summary.framework_id
        }
        frame = pl.concat([_side_frame(name, one) for name, one in reads.items()])
        self._range = value_range(frame)
        freshness = reduce(Freshness.worse, (one.freshness for one in reads.values()))
        yield Page(self.fetch_tasks(frame, cancel), freshness, total=len(frame))

    def _read(self, side: Side, cancel: CancelToken) -> SeriesRead:
        start, end = time_of(side.start), time_of(side.end)
        if start is None and end is not None:
            start = time_of((side.end or 0) - INTERVAL)
        return self.read_series(side.series, cancel, revision=side.revision, start=start, end=end)

    def compare_sides(self, frame: pl.DataFrame) -> Comparison:
        """The comparison of the two sides of these rows."""
        return compare_samples(*_samples(frame), lower_is_better=self._lower_is_better)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        refs = tuple(dict.fromkeys((at.base.series, at.new.series)))
        return [
            replicates_link(at),
            Link("Swap sides", replace(at, base=at.new, new=at.base), letter="w", group=LIST),
            Link("The series", Series(refs, server=self.server), letter="e", group=LIST),
        ]

    def row_title(self, row: Row) -> str:
        return f"{row['side']} {row['number']}"

    def web_url(self, row: Row | None = None) -> str:
        if row is not None and row.get("revision"):
            return self.job_url_of(row)
        base, new = (
            replace(side, series=replace(side.series, framework=self._frameworks.get(name, side.series.framework)))
            for name, side in (("base", self.locator.base), ("new", self.locator.new))
        )
        return values_url(self.client.base, replace(self.locator, base=base, new=new), self._range)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "regression: median 812 → 840 (+3.4 %, Δ between 11 and 40), p 0.002, Cliff's δ -0.61 large, t 5.3 High"."""
        found = self.compare_sides(frame)
        if found.verdict is None or found.delta is None:
            return "only one side has values"
        medians = [format_value(value, SIDE_VALUES["value"]) for value in (found.median_base, found.median_new)]
        change = [] if found.delta_percent is None else [f"{found.delta_percent:+.1f} %"]
        bounds = median_shift(*_samples(frame))
        if bounds is not None:
            change.append(f"Δ between {bounds[0]:.4g} and {bounds[1]:.4g}")
        parts = [f"{found.verdict}: median {medians[0]} → {medians[1]}" + (f" ({', '.join(change)})" if change else "")]
        parts += [f"p {found.p:.3g}"] if found.p is not None else []
        parts += [f"Cliff's δ {found.cliffs_delta:.2f} {found.effect}"] if found.cliffs_delta is not None else []
        parts += [f"t {found.t:.1f} {found.confidence or ''}".rstrip()] if found.t is not None else []
        return ", ".join(parts)


def _side_frame(name: str, read: SeriesRead) -> pl.DataFrame:
    """Rows of `SIDE_VALUES` of one side, without tasks."""
    frame = read.data.with_row_index("number", 1).with_columns(
        pl.concat_str(pl.lit(f"{name}/"), "key").alias("key"),
        pl.lit(name).alias("side"),
        pl.lit(read.summary.measurement_unit or None, pl.String).alias("unit"),
        pl.lit(_series_name(read.summary)).alias("series"),
        pl.lit(read.ref.repository).alias("repository"),
    )
    return select_schema(frame, SIDE_VALUES)


def _samples(frame: pl.DataFrame) -> list[pl.Series]:
    return [frame.filter(pl.col("side") == name)["value"] for name in ("base", "new")]


def _series_name(summary: SeriesSummary) -> str:
    return " ".join(part for part in (summary.suite, summary.test, summary.platform) if part)
