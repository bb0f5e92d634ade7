"""Statistics of a column: count, mean, quantiles, by group; which columns can be measured; counts of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import polars as pl

from backends.errors import UsageError
from backends.frames.export import select_columns
from backends.frames.frequencies import Frequencies, count_values
from backends.frames.histograms import Histogram, as_float, by_group, histogram
from backends.frames.schema import Column, Kind, Schema

NUMBERS = ("min", "mean", "median", "p90", "p95", "p99", "max", "std")
_QUANTILES = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_UNITS = {Kind.DURATION: "s", Kind.BYTES: "B"}
_REPORT = (
    Column("column", Kind.TEXT, "Column"),
    Column("unit", Kind.TEXT, "Unit"),
    Column("group", Kind.TEXT, "Group"),
    Column("n", Kind.COUNT, "n"),
    Column("missing", Kind.COUNT, "Missing"),
    Column("not_finite", Kind.COUNT, "Not finite"),
    *(Column(name, Kind.NUMBER, name) for name in NUMBERS),
)


@dataclass(frozen=True)
class ColumnStatistics:
    """Numbers in the unit of the column; of a time column in epoch milliseconds (its `std` in milliseconds).

    `n`: how many finite values; `missing`: how many rows without any; `not_finite`: how many are ∞, -∞ or NaN, of which
    the numbers know nothing. All numbers are None without a finite value, `std` below two.
    """

    n: int
    missing: int
    min: float | None = None
    mean: float | None = None
    median: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
    std: float | None = None
    not_finite: int = 0


def describe(values: pl.Series, column: Column) -> ColumnStatistics:
    """The description of one column's values; text has no numbers, only `n` and `missing` (null or empty)."""
    if column.is_text:
        present = len(values) - int(((values == "").fill_null(True)).sum())
        return ColumnStatistics(present, len(values) - present)
    measured = values.to_frame("v").lazy().select(as_float(values.dtype), _not_finite(values.dtype, "v"))
    row = measured.select(_summary()).collect().row(0, named=True)
    return ColumnStatistics(**row)


def describe_by(frame: pl.DataFrame, column: str, by: str) -> pl.DataFrame:
    """One row a group, the largest first: group (as `by`), n, missing, not_finite, then `NUMBERS`.

    A missing group is null.
    """
    groups = (
        frame.lazy()
        .select(
            pl.col(by).alias("group"),
            as_float(frame.schema[column], column).alias("v"),
            _not_finite(frame.schema[column], column),
        )
        .group_by("group")
        .agg(_summary())
        .sort("n", "group", descending=[True, False], nulls_last=True)
    )
    return groups.collect()


def report(
    frame: pl.DataFrame, schema: Schema, *, columns: Sequence[str] | None = None, by: str | None = None
) -> tuple[pl.DataFrame, Schema]:
    """A table of descriptions, one row a column (and group), with its own schema; numbers in the unit it names.

    Its column `not_finite` is hidden where all are 0.
    `columns`: numeric ones, all by default. Raises `UsageError` for a column that does not exist or has no numbers.
    """
    numeric = [column for column in schema if column.is_numeric]
    if columns is not None:
        numeric = [schema[name] for name in select_columns(schema, columns)]
    for column in numeric:
        if not column.is_numeric:
            known = ", ".join(other.name for other in schema if other.is_numeric)
            raise UsageError(f"{column.name} has no numbers to describe.", f"Columns with numbers: {known}.")
    if by is not None:
        select_columns(schema, [by])
    shown = Schema(tuple(column for column in _REPORT if by is not None or column.name != "group"), key="column")
    parts = [shown.empty()]
    for column in numeric:
        described = _describe_column(frame, column, by).with_columns(
            pl.lit(column.name).alias("column"),
            pl.lit(column.unit or _UNITS.get(column.kind, "")).alias("unit"),
            pl.col("group").cast(pl.String),
        )
        parts.append(described.select(shown.names).cast(shown.polars()))  # type: ignore[arg-type]
    table = pl.concat(parts)
    if not table["not_finite"].sum():
        shown = Schema(tuple(replace(c, hidden=c.name == "not_finite") for c in shown), key="column")
    return table, shown


def _describe_column(frame: pl.DataFrame, column: Column, by: str | None) -> pl.DataFrame:
    if by is not None:
        return describe_by(frame, column.name, by)
    return pl.DataFrame([{"group": None, **asdict(describe(frame.get_column(column.name), column))}])


def _not_finite(dtype: pl.DataType, name: str) -> pl.Expr:
    """Which values are ∞, -∞ or NaN, as "not_finite"."""
    odd = ~pl.col(name).is_finite() if dtype.is_float() else pl.col(name).is_null() & False
    return odd.fill_null(False).alias("not_finite")


def _summary() -> list[pl.Expr]:
    value = pl.col("v")
    # Taken off first: around 10^9 (times, sizes) the sum of squares has lost what distinguishes the values.
    mean = value.mean()
    rest = value - mean
    quantiles = [value.quantile(share, "linear").alias(name) for name, share in _QUANTILES.items()]
    return [
        value.count().cast(pl.Int64).alias("n"),
        (value.null_count().cast(pl.Int64) - pl.col("not_finite").sum()).alias("missing"),
        pl.col("not_finite").sum().cast(pl.Int64),
        value.min().alias("min"),
        (mean + rest.mean()).alias("mean"),
        *quantiles,
        value.max().alias("max"),
        rest.std(ddof=1).alias("std"),
    ]


def numbers(description: ColumnStatistics) -> list[tuple[str, float | None]]:
    """(name, value) in the order of `NUMBERS`, for tables of one description."""
    return [(name, getattr(description, name)) for name in NUMBERS]


FEWEST_GROUPS, MOST_GROUPS = 2, 50


@dataclass(frozen=True)
class ColumnSummary:
    """`histogram` for numbers and times; `values` for text.

    `by`: the column that the histogram is grouped by, None if it was not or could not be.
    """

    column: Column
    description: ColumnStatistics
    histogram: Histogram | None = None
    values: Frequencies | None = None
    by: Column | None = None


def measurable(schema: Schema) -> list[Column]:
    """The columns worth summarising: all but identifiers."""
    return [column for column in schema if column.kind is not Kind.ID]


def first_choice(columns: list[Column]) -> Column | None:
    """What most people want to see first: how long, else how large, else any number, else states."""
    order = (Kind.DURATION, Kind.NUMBER, Kind.BYTES, Kind.COUNT, Kind.STATE, Kind.TIME, Kind.TEXT)
    visible = [column for column in columns if not column.hidden] or columns
    return min(visible, key=lambda column: order.index(column.kind), default=None)


def groupings(frame: pl.DataFrame, schema: Schema) -> list[Column]:
    """The text columns with few enough values to colour a histogram by."""
    texts = [column for column in measurable(schema) if column.is_text]
    if not texts:
        return []
    counts = frame.select(pl.col(column.name).n_unique() for column in texts).row(0)
    return [column for column, count in zip(texts, counts, strict=True) if FEWEST_GROUPS <= count <= MOST_GROUPS]


def summarize(
    frame: pl.DataFrame,
    column: Column,
    bins: int,
    *,
    log: bool = False,
    by: Column | None = None,
    failed: pl.Series | None = None,
) -> ColumnSummary:
    """The summary of one column; `log` and `by` have no meaning for text. `failed`: which rows failed, if known."""
    values = frame.get_column(column.name)
    description = describe(values, column)
    if column.is_text:
        return ColumnSummary(column, description, values=count_values(values, failed))
    log = log and column.kind is not Kind.TIME
    if by is None:
        return ColumnSummary(column, description, histogram(values, bins, log=log, kind=column.kind, failed=failed))
    return ColumnSummary(column, description, by_group(frame, column.name, by.name, bins, log, kind=column.kind), by=by)
