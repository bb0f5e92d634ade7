"""Which cells of a plot have points of which series: any number of rows, reduced to what can be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from backends.frames.histograms import NO_GROUP

MOST_SERIES = 6
Cell = tuple[int, int]


@dataclass(frozen=True)
class AxisWindow:
    """The range of x that is drawn and the range of y of the points in it; in the columns' units, times in ms."""

    x0: float
    x1: float
    y0: float
    y1: float

    def across(self, x: float, width: int) -> float:
        """Where x lies on `width` cells, 0 to width - 1."""
        return (x - self.x0) / ((self.x1 - self.x0) or 1.0) * (width - 1)

    def up(self, y: float, height: int) -> float:
        return (y - self.y0) / ((self.y1 - self.y0) or 1.0) * (height - 1)


@dataclass(frozen=True)
class Drawing:
    """Cells: x from 0 (left) to width - 1, y from 0 (bottom) to height - 1.

    `series`: (name, its cells), the largest first. `marks`: the columns of the marked rows.
    """

    series: tuple[tuple[str, tuple[Cell, ...]], ...]
    marks: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Points:
    """What can be drawn of some rows. `frame`: x, y Float64, by String, mark Boolean; `window` None without points.

    `missing`: rows without a finite x and y; `outside`: rows not in the window; `names`: of the series, the largest
    first; those after `MOST_SERIES` are not drawn.
    """

    frame: pl.DataFrame
    window: AxisWindow | None
    names: tuple[str, ...]
    missing: int
    outside: int

    def draw(self, width: int, height: int) -> Drawing:
        """The cells that have points: of 50,000 rows in 5 ms, and never more than there are cells."""
        window = self.window
        if window is None:
            return Drawing((), ())
        placed = self.frame.select(
            ((pl.col("x") - window.x0) / ((window.x1 - window.x0) or 1.0) * (width - 1)).round().cast(pl.Int32),
            ((pl.col("y") - window.y0) / ((window.y1 - window.y0) or 1.0) * (height - 1)).round().cast(pl.Int32),
            "by",
            "mark",
        )
        series = []
        for name in self.names[:MOST_SERIES]:
            own = placed.filter(pl.col("by") == name).select("x", "y").unique().sort("x", "y")
            series.append((name, tuple(own.iter_rows())))
        marks = placed.filter("mark")["x"].unique().sort().to_list()
        return Drawing(tuple(series), tuple(marks))


def chart_points(
    frame: pl.DataFrame, x: str, y: str, *, by: str = "", marks: str = "", zoom: tuple[float, float] | None = None
) -> Points:
    """The points of the rows: columns `x` and `y` are TIME or numeric, `by` and `marks` text.

    `zoom`: the range of x to draw, by default all of it.
    """
    whole = frame.select(
        _number(pl.col(x), frame.schema[x]).alias("x"),
        _number(pl.col(y), frame.schema[y]).alias("y"),
        (pl.col(by).fill_null(NO_GROUP) if by else pl.lit("")).alias("by"),
        (pl.col(marks).fill_null("") != "" if marks else pl.lit(value=False)).alias("mark"),
    )
    finite = whole.filter(pl.col("x").is_finite() & pl.col("y").is_finite())
    inside = finite if zoom is None else finite.filter(pl.col("x").is_between(*zoom))
    window = None
    if not inside.is_empty():
        low, high = zoom or (inside["x"].min(), inside["x"].max())
        window = AxisWindow(*(float(end) for end in (low, high, inside["y"].min(), inside["y"].max())))  # type: ignore[arg-type]
    # Of all points, not of those inside: a series keeps its sign and colour while one looks closer.
    names = finite["by"].value_counts().sort("count", "by", descending=[True, False])["by"].to_list()
    return Points(inside, window, tuple(names), len(whole) - len(finite), len(finite) - len(inside))


def span(frame: pl.DataFrame, x: str) -> tuple[float, float] | None:
    """The range of a column's finite values, None without any."""
    values = frame.select(_number(pl.col(x), frame.schema[x]).alias("x")).filter(pl.col("x").is_finite())["x"]
    return None if values.is_empty() else (float(values.min()), float(values.max()))  # type: ignore[arg-type]


def nearest_row(frame: pl.DataFrame, x: str, value: float, key: str) -> str | None:
    """The key of the row whose `x` is nearest to a place on the axis."""
    distance = (_number(pl.col(x), frame.schema[x]) - value).abs()
    found = frame.select(key, distance.alias("distance")).filter(pl.col("distance").is_finite())
    return None if found.is_empty() else str(found.sort("distance")[key][0])


def number(value: object) -> float | None:
    """A cell as a number on an axis: times in epoch milliseconds; None for what is none."""
    if value is None:
        return None
    cell = pl.DataFrame({"x": [value]})
    found = cell.select(_number(pl.col("x"), cell.schema["x"])).item()
    return None if found is None or not math.isfinite(found) else float(found)


def _number(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return (column.dt.epoch("ms") if dtype == pl.Datetime else column).cast(pl.Float64, strict=False)
