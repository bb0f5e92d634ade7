"""How a job did day by day or week by week: builds by result, pass rate, durations."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators.prow import ProwView, View
from backends.prow.archive import Archive
from backends.prow.build_state import LIVE
from backends.prow.builds import build_frame
from backends.prow.row_detail import row_detail
from backends.prow.view_builds import builds_view, counted, places, rows, unread
from backends.resources import Chart, Detail, Entry, Link, Page, Resource, Row

_RESULTS = ("success", "failure", "error", "aborted", "incomplete")
PERIODS = {"day": "1d", "week": "1w", "month": "1mo"}
OVER_TIME = Schema(
    (
        Column("period", Kind.TIME, "From"),
        Column("builds", Kind.COUNT, "Builds"),
        Column("pass_rate", Kind.NUMBER, "Passed", "%"),
        *(Column(name, Kind.COUNT, name.capitalize()) for name in _RESULTS),
        Column("unfinished", Kind.COUNT, "Running"),
        Column("duration_median", Kind.DURATION, "Median", "s"),
        Column("duration_p90", Kind.DURATION, "p90", "s"),
        Column("duration_p95", Kind.DURATION, "p95", "s"),
        Column("duration_max", Kind.DURATION, "Longest", "s"),
        Column("build_ids", Kind.TEXT, "Build ids", hidden=True, searched=False),
    ),
    key="key",
)


def over_time(builds: pl.DataFrame, period: str) -> pl.DataFrame:
    """One row a period (UTC; weeks begin on Monday) of a frame of `BUILDS`, the latest first.

    `pass_rate`: percent of success among all that ended but the aborted, which say nothing about the code. Durations
    are those of successful builds, for a failure ends early or late; quantiles interpolate linearly. Builds without a
    time are left out.
    """
    passed = pl.col("state") == "success"
    judged = pl.col("state").is_in(["success", "failure", "error", "incomplete"])
    duration = pl.col("duration").filter(passed)
    found = (
        builds.lazy()
        .drop_nulls("started")
        .with_columns(period=pl.col("started").dt.truncate(PERIODS[period]))
        .sort("order", descending=True)
        .group_by("period", maintain_order=True)
        .agg(
            pl.len().alias("builds"),
            (100 * passed.sum() / judged.sum()).alias("pass_rate"),
            *((pl.col("state") == name).sum().alias(name) for name in _RESULTS),
            pl.col("state").is_in(list(LIVE)).sum().alias("unfinished"),
            duration.median().alias("duration_median"),
            duration.quantile(0.9, "linear").alias("duration_p90"),
            duration.quantile(0.95, "linear").alias("duration_p95"),
            duration.max().alias("duration_max"),
            pl.col("build").str.join(",").alias("build_ids"),
        )
        .with_columns(
            key=pl.col("period").dt.to_string("%F"),
            pass_rate=pl.when(pl.col("pass_rate").is_finite()).then("pass_rate"),
        )
        .sort("period", descending=True)
        .collect()
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in OVER_TIME.polars().items())


class OverTime(Resource):
    """Columns are those of `OVER_TIME`. Enter lists the builds of a period."""

    schema = OVER_TIME
    noun = ("period", "periods")
    chart = Chart("period", "pass_rate", joined=True)
    empty_text = "There are no builds with a time."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        self.period = locator.option("by") if locator.option("by") in PERIODS else "day"

    @property
    def title(self) -> str:
        return f"{counted(self.view)} by {self.period}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        wanted, found, shown = places(self.archive, self.view, cancel), list[Row](), 0
        for batch in rows(self.archive, wanted, cancel):
            found += batch
            if len(found) < max(shown * 1.5, 1) and len(found) < len(wanted):
                continue
            shown = len(found)
            note = unread(found) if shown == len(wanted) else ""
            frame = over_time(build_frame(found), self.period)
            yield Page(frame, Freshness(), replace=True, note=note, partial=bool(note))

    def detail(self, row: Row) -> Detail:
        return row_detail(OVER_TIME, row, self.period.capitalize(), without=("build_ids",))

    def open(self, row: Row) -> ProwView | None:
        return builds_view(self.view, row.get("build_ids"))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        view = self.view
        return [
            Link(
                f"By {period}",
                ProwView(View.OVER_TIME, view.bucket, view.path, view.builds, (("by", period),), view.store),
            )
            for period in PERIODS
            if period != self.period
        ]
