"""How the values of a column are spread over bins whose edges read well: whole, 1-2-5, minutes and hours, powers of 10.

A value lies in the bin with lower <= value < upper; the last bin has its upper edge too. Every finite value is in
exactly one bin, except, with `log`, those that have no logarithm: they are counted in `outside`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

import polars as pl

from backends.frames.bin_edges import linear_edges, log_edges
from backends.frames.schema import Kind
from backends.frames.statistics import finite

REST = "other"
NO_GROUP = "(none)"


@dataclass(frozen=True)
class Histogram:
    """`bins`: lower Float64, upper Float64, count Int64, ascending; grouped ones have a group String before them.

    A grouped histogram holds the same edges once for each of `groups`, in that order. `n`: values in the bins;
    `outside`: finite values <= 0 on a logarithmic scale; `missing`: nulls, NaN, infinities. Times are in epoch
    milliseconds.
    """

    bins: pl.DataFrame
    n: int
    missing: int
    outside: int = 0
    log: bool = False
    groups: tuple[str, ...] = ()

    @property
    def edges(self) -> list[float]:
        """One more than there are bins of a group; empty without values."""
        size = len(self.bins) // max(len(self.groups), 1)
        return [*self.bins["lower"][:size], *self.bins["upper"][size - 1 : size]] if size else []

    def counts(self, group: int = 0) -> list[int]:
        size = len(self.bins) // max(len(self.groups), 1)
        return self.bins["count"][group * size : (group + 1) * size].to_list()


def histogram(values: pl.Series, bins: int, *, log: bool = False, kind: Kind = Kind.NUMBER) -> Histogram:
    """At most `bins` bins (at least one, none without values). `kind` decides which edges read well.

    An integer column gets edges on whole numbers, one bin a number where they fit.
    """
    numbers, outside = _plottable(finite(values), log)
    edges = _edges(numbers, bins, log=log, whole=values.dtype.is_integer(), kind=kind)
    counts = _counted(numbers, edges)
    return Histogram(_bin_frame(edges, counts), len(numbers), len(values) - len(numbers) - outside, outside, log)


def by_group(
    frame: pl.DataFrame,
    column: str,
    by: str,
    bins: int,
    log: bool = False,
    limit: int = 6,
    kind: Kind = Kind.NUMBER,
) -> Histogram:
    """One histogram a value of `by` on shared edges: the `limit` largest groups, then the others together."""
    values = frame.get_column(column)
    numbers, outside = _plottable(finite(values), log)
    edges = _edges(numbers, bins, log=log, whole=values.dtype.is_integer(), kind=kind)
    names, parts = _split(frame, column, by, limit)
    counted = [_counted(_plottable(finite(part), log)[0], edges) for part in parts]
    frames = [
        _bin_frame(edges, counts).select(pl.lit(name, dtype=pl.String).alias("group"), "lower", "upper", "count")
        for name, counts in zip(names, counted, strict=True)
    ]
    empty = pl.DataFrame(schema={"group": pl.String, "lower": pl.Float64, "upper": pl.Float64, "count": pl.Int64})
    table = pl.concat([empty, *frames])
    return Histogram(table, len(numbers), len(values) - len(numbers) - outside, outside, log, tuple(names))


def _split(frame: pl.DataFrame, column: str, by: str, limit: int) -> tuple[list[str], list[pl.Series]]:
    """Names and values of the groups, those with most rows first and ties by name; the last one gathers the rest."""
    keys, values = frame.get_column(by).rename("group"), frame.get_column(column)
    sizes = keys.value_counts(name="size").sort("size", "group", descending=[True, False], nulls_last=True)
    largest = sizes["group"].head(limit)
    names = [NO_GROUP if key is None else str(key) for key in largest]
    masks = [keys.eq_missing(largest[place : place + 1]) for place in range(len(largest))]
    parts = [values.filter(mask) for mask in masks]
    if len(sizes) > limit:
        names.append(f"{REST} ({len(sizes) - limit})")
        parts.append(values.filter(~reduce(or_, masks)) if masks else values)
    return names, parts


def _plottable(numbers: pl.Series, log: bool) -> tuple[pl.Series, int]:
    if not log:
        return numbers, 0
    positive = numbers.filter(numbers > 0)
    return positive, len(numbers) - len(positive)


def _edges(numbers: pl.Series, bins: int, *, log: bool, whole: bool, kind: Kind) -> list[float]:
    if numbers.is_empty():
        return []
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    return log_edges(low, high, bins) if log else linear_edges(low, high, bins, whole=whole, kind=kind)


def _counted(numbers: pl.Series, edges: list[float]) -> list[int]:
    """How many values lie in each bin, by comparison with the edges themselves: exact, 35 ms a million."""
    counts = [0] * max(len(edges) - 1, 0)
    if numbers.is_empty():
        return counts
    index = pl.Series(edges, dtype=pl.Float64).search_sorted(numbers, side="right")
    for place, count in index.value_counts().iter_rows():
        counts[min(place - 1, len(counts) - 1)] += count  # the largest value may lie on the last edge
    return counts


def _bin_frame(edges: list[float], counts: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"lower": edges[:-1], "upper": edges[1:], "count": counts},
        schema={"lower": pl.Float64, "upper": pl.Float64, "count": pl.Int64},
    )
