"""How many tasks of a group were running and how many were waiting for a machine, over time.

Each bin holds the mean over its length, so that running times the bin's length, added up, is the machine time: a peak
of one second is not drawn as if it had lasted. The times of a row are those of one run (see `group_statistics`).
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from backends.frames.histograms import linear_edges
from backends.frames.schema import Column, Kind, Schema
from backends.taskcluster.queue import RESOLVED

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
    """At most `bins` bins (schema `TIMELINE`) on times that read well, from the first scheduled run to the last end.

    Running is from started to resolved, pending from scheduled to started; what has not ended lasts until `now` (the
    present by default). A time before the one that it has to follow, by two machines' clocks, counts for nothing.
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
    offset = edges[
        0
    ]  # sums of epoch milliseconds of 10^6 tasks would leave Int64's exact floats, not Int64; cheap to keep small
    sums = pl.concat([pl.Series([0]), (ordered - offset).cum_sum()])
    passed: pl.Series = before * (edges - offset) - sums.gather(before)
    return passed


def _moments(moments: pl.Series, edges: pl.Series) -> pl.Series:
    """How many lie in each bin; one on the last edge belongs to the last bin."""
    before = moments.sort().search_sorted(edges, side="left").cast(pl.Int64)
    counts = before[1:] - before[:-1]
    counts[-1] += len(moments) - before[-1]
    return counts
