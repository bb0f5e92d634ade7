"""How a job did day by day, week by week or month by month: builds by result, pass rate, durations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildView, unread_note
from backends.prow.build_reader import BUILDS, LIVE, Part
from backends.prow.locators import TrendsView
from backends.resources import LIST, Chart, Entry, Link, Page, Row

PERIODS = {"day": "1d", "week": "1w", "month": "1mo"}
_RESULTS = ("success", "failure", "error", "aborted", "incomplete")
TRENDS = Schema(
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


def summarize_periods(builds: pl.DataFrame, period: str) -> pl.DataFrame:
    """One row a period (UTC; weeks begin on Monday) of a frame of `BUILDS`, the latest first (schema `TRENDS`).

    `pass_rate`: percent of success among all that ended but the aborted, which say nothing about the code. Durations
    are those of successful builds, for a failure ends early or late; quantiles interpolate linearly. Builds without a
    time are left out.
    """
    passed = pl.col("state") == "success"
    judged = pl.col("state").is_in(["success", "failure", "error", "incomplete"])
    duration = pl.col("duration").filter(passed)
    periods = (
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
    return periods.select(pl.col(name).cast(dtype) for name, dtype in TRENDS.polars().items())


class Trends(BuildView):
    """Columns are those of `TRENDS`. Enter lists the builds of a period."""

    locator: TrendsView
    schema = TRENDS
    noun = ("period", "periods")
    detail_title = "Period"
    chart = Chart("period", "pass_rate", joined=True)
    empty_text = "There are no builds with a time."

    def __init__(self, locator: TrendsView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self.period = locator.by or "day"

    @property
    def title(self) -> str:
        return f"{self.builds_title} by {self.period}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        read = partial(self.reader.read_row, parts=Part.ENDS)
        for rows, is_complete in self.read_all(self.find_places(cancel), read, cancel):
            note = unread_note(rows) if is_complete else ""
            frame = summarize_periods(BUILDS.build(rows), self.period)
            yield Page(frame, Freshness(), replace=True, note=note, partial=bool(note))

    def row_title(self, row: Row) -> str:
        return self.period.capitalize()

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        others = (period for period in PERIODS if period != self.period)
        return [
            Link(f"By {period}", self.locator.change_view(TrendsView, by=period), letter=period[0], group=LIST)
            for period in others
        ]
