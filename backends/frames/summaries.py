"""What there is to say about one column of some rows: numbers and a histogram, or the commonest values."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from backends.frames.histograms import Histogram, by_group, histogram
from backends.frames.schema import Column, Kind, Schema
from backends.frames.statistics import Description, describe, value_counts

FEWEST_GROUPS, MOST_GROUPS = 2, 50
_VALUES = 100


@dataclass(frozen=True)
class Summary:
    """`histogram` for numbers and times; `values` (value, count, share) and how many are `distinct` for text.

    `by`: the column that the histogram is grouped by, None if it was not or could not be.
    """

    column: Column
    description: Description
    histogram: Histogram | None = None
    values: pl.DataFrame | None = None
    distinct: int = 0
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


def summarise(
    frame: pl.DataFrame, column: Column, bins: int, *, log: bool = False, by: Column | None = None
) -> Summary:
    """The summary of one column; `log` and `by` have no meaning for text."""
    values = frame.get_column(column.name)
    description = describe(values, column)
    if column.is_text:
        return Summary(
            column, description, values=value_counts(values, _VALUES), distinct=values.drop_nulls().n_unique()
        )
    log = log and column.kind is not Kind.TIME
    if by is None:
        return Summary(column, description, histogram(values, bins, log=log, kind=column.kind))
    return Summary(column, description, by_group(frame, column.name, by.name, bins, log, kind=column.kind), by=by)
