"""How often each value of a column occurs and how many of its rows failed; the filters that select them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError, escaped_pattern, quoted_if_needed
from backends.frames.formats import has_failed
from backends.frames.schema import Column, Kind, Schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")  # of the syntax of regular expressions


@dataclass(frozen=True, eq=False)
class Frequencies:
    """`table`: value String (null: no value, which includes the empty text), count, failed Int64, the commonest first.

    `failed` is null where the rows have no state. `rows`: how many there are in all; the counts add up to it.
    """

    table: pl.DataFrame
    rows: int

    @property
    def distinct(self) -> int:
        return self.table["value"].drop_nulls().len()


def failed_rows(frame: pl.DataFrame, schema: Schema) -> pl.Series | None:
    """Boolean, without nulls: which rows have a state that means failed; None for lists without a state.

    Of several state columns the first one counts.
    """
    name = schema.state_column
    if name is None or name not in frame.columns:
        return None
    cells = frame[name]
    bad = [state for state in cells.unique().drop_nulls().to_list() if has_failed(state)]
    return cells.is_in(bad).fill_null(value=False)


def count_values(values: pl.Series, failed: pl.Series | None = None) -> Frequencies:
    """Every value of a text column; ties in order of value. 100,000 different ones take some 30 ms."""
    bad = failed.cast(pl.Int64) if failed is not None else pl.Series([None] * len(values), dtype=pl.Int64)
    counted = (
        pl.DataFrame({"value": values, "failed": bad})
        .lazy()
        .with_columns(pl.when(pl.col("value") != "").then("value").alias("value"))
        .group_by("value")
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            (pl.col("failed").sum() if failed is not None else pl.lit(None, pl.Int64)).alias("failed"),
        )
        .select("value", "count", "failed")
        .sort("count", "value", descending=[True, False], nulls_last=True)
        .collect()
    )
    return Frequencies(counted, len(values))


# ---- filters that select what is counted -----------------------------------------------------------------------


def value_filter(column: Column, value: str | None, values: pl.Series) -> str:
    """The filter that keeps exactly the rows with this value of a text column (None: with no value).

    Filters do not distinguish case; where that matters in these `values`, the text becomes a regular expression.
    """
    if not value:
        return f'{column.name}:""'
    plain = f"{column.name}={quoted_if_needed(value, value=True)}"
    if value.isprintable() and _selects(plain, column, values) == (values == value).sum():
        return plain
    return f"{column.name}:/{escaped_pattern('(?-i)^' + _escape_pattern(value) + '$')}/"


def _selects(text: str, column: Column, values: pl.Series) -> int | None:
    """How many of the values the filter keeps; None if it cannot be read."""
    try:
        found = filters.parse(text, Schema((column,), key=column.name))
    except FilterSyntaxError:
        return None
    return int(found.mask(pl.DataFrame({column.name: values})).sum())


def _escape_pattern(text: str) -> str:
    """A regular expression (Rust's) that matches this text only; what cannot be printed becomes an escape."""
    return "".join(
        f"\\{sign}" if _SPECIAL.match(sign) else sign if sign.isprintable() else f"\\x{{{ord(sign):x}}}"
        for sign in text
    )


def range_filter(column: Column, lower: float, upper: float, *, last: bool) -> str:
    """The filter that keeps the values from `lower` up to, and without, `upper`; of the `last` bin also `upper`.

    Times are in epoch milliseconds. "" where no filter can say it (a time beyond the calendar).
    """
    if column.kind is Kind.TIME:
        first, end = math.ceil(lower), math.floor(upper) + 1 if last else math.ceil(upper)
        moments = _format_moment(first), _format_moment(end)
        return f"{column.name}>={moments[0]} {column.name}<{moments[1]}" if all(moments) else ""
    low, high = (_format_amount(edge, column) for edge in (lower, upper))
    return f"{column.name}>={low} {column.name}{'<=' if last else '<'}{high}"


def _format_moment(tick: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=tick)
    except OverflowError:
        return ""
    if moment.year < 1000:
        return ""
    precision = "milliseconds" if tick % 1000 else "seconds" if tick % 60_000 else "minutes"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _format_amount(edge: float, column: Column) -> str:
    """As short as it can be without another meaning: 21m18s, 2.5, 1e-05."""
    if column.kind is Kind.DURATION and edge.is_integer() and 60 <= edge < 10**9:
        minutes, seconds = divmod(int(edge), 60)
        hours, minutes = divmod(minutes, 60)
        parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
        return "".join(f"{number}{unit}" for number, unit in parts if number)
    return str(int(edge)) if edge.is_integer() and abs(edge) < 2**53 else repr(edge)
