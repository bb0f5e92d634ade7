"""Histograms: bin edges that people would choose, on linear and logarithmic scales, and counts of values in them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_

import polars as pl

from backends.frames.schema import Kind

_LARGEST = sys.float_info.max
_SIGNIFICANT = 2.0**52  # steps per value beyond which a float no longer tells two neighbouring edges apart
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_PER_DECADE = (50, 20, 10, 5, 3, 2, 1)


def finite(values: pl.Series) -> pl.Series:
    """The finite values as Float64; times as epoch milliseconds, integers above 2^53 rounded."""
    return values.to_frame("v").select(as_float(values.dtype)).to_series().drop_nulls()


def as_float(dtype: pl.DataType, name: str = "v") -> pl.Expr:
    value = pl.col(name).dt.epoch("ms") if isinstance(dtype, pl.Datetime) else pl.col(name)
    number = value.cast(pl.Float64)
    return pl.when(number.is_finite()).then(number).alias(name)


def count_not_finite(values: pl.Series) -> int:
    """How many are ∞, -∞ or NaN, which are values but no numbers to count with; none of times and whole numbers."""
    return int((~values.is_finite()).sum()) if values.dtype.is_float() else 0


def linear_edges(low: float, high: float, bins: int, *, whole: bool = False, kind: Kind = Kind.NUMBER) -> list[float]:
    """Edges on multiples of 1, 2, 2.5 or 5 times a power of ten; of seconds, minutes, hours in durations and times."""
    bins = max(bins, 1)
    if whole and abs(low) < _SIGNIFICANT and abs(high) < _SIGNIFICANT:
        return _whole_edges(low, high, bins, kind)
    if low == high:
        return _around(low)
    for step in _steps((high - low) / bins, kind):
        if not (math.isfinite(step) and max(abs(low), abs(high)) / step < _SIGNIFICANT):
            break
        first, last = math.floor(low / step), math.ceil(high / step)
        edges = [_multiple(number, step) for number in range(first, max(last, first + 1) + 1)]
        if _holds(edges, low, high, bins):
            return edges
        if step > 2 * (high - low):
            break  # the range reaches over zero and asks for one bin: no multiple will do
    return _even_edges(low, high, bins)


def log_edges(low: float, high: float, bins: int) -> list[float]:
    """Edges on powers of ten or on equal parts of them; `low` > 0."""
    bins = max(bins, 1)
    start, end = math.log10(low), math.log10(high)
    for part in (*(1 / n for n in _PER_DECADE), *range(2, 700)):
        first, last = math.floor(start / part), math.ceil(end / part)
        if last - first > bins + 2:
            continue
        edges = [_power(number * part) for number in range(first, max(last, first + 1) + 1)]
        # log10 and powers round: an end may lie just outside.
        if edges[0] > low:
            edges.insert(0, _power((first - 1) * part))
        if edges[-1] < high:
            edges.append(_power((max(last, first + 1) + 1) * part))
        if _holds(edges, low, high, bins):
            return edges
    return _even_edges(low, high, bins) if low < high else _around(low)


def _whole_edges(low: float, high: float, bins: int, kind: Kind) -> list[float]:
    """Integers in half-open bins of a whole width, so that every bin holds equally many different numbers."""
    for step in _steps(max((high - low + 1) / bins, 1), kind, whole=True):
        first, last = math.floor(low / step), math.floor(high / step) + 1
        if last - first <= bins:
            return [float(number * step) for number in range(first, last + 1)]
        if step > 2 * (high - low + 1):
            break
    return [low, high + 1]


def _steps(least: float, kind: Kind, *, whole: bool = False) -> Iterator[float]:
    """Widths that read well, rising, from the first that is at least `least`."""
    unit = {Kind.DURATION: 1.0, Kind.TIME: 1000.0}.get(kind)
    if unit is not None and unit <= least <= _SECONDS[-1] * unit:
        yield from (seconds * unit for seconds in _SECONDS if seconds * unit >= least)
    scale = 86400.0 * unit if unit is not None and least > unit else 1.0
    if not least > 0 or not math.isfinite(least):
        return
    power = math.floor(math.log10(least / scale)) if least / scale > 0 else -323
    while True:
        for factor in (1, 2, 5) if whole and power < 1 else (1, 2, 2.5, 5):
            try:
                step = scale * (factor * 10**power if power >= 0 else factor / 10**-power)
            except OverflowError:
                return
            if step >= least:
                yield step
        power += 1


def _multiple(number: int, step: float) -> float:
    """number * step; a step below one is taken as a fraction, so that 3 * 0.1 is 0.3 and not 0.30000000000000004."""
    inverse = 1 / step
    if step < 1 and inverse.is_integer():
        return number / inverse
    return number * step


def _even_edges(low: float, high: float, bins: int) -> list[float]:
    """Equal parts of the range itself, fewer where floats are too coarse for so many."""
    edges = [low]
    for number in range(1, bins):
        share = number / bins
        edge = low * (1 - share) + high * share  # high - low may be more than a float holds
        if edges[-1] < edge < high:
            edges.append(edge)
    return [*edges, high]


def _around(value: float) -> list[float]:
    """One bin with the only value in its middle."""
    margin = abs(value) * 0.05 or 0.5
    lower, upper = max(value - margin, -_LARGEST), min(value + margin, _LARGEST)
    if lower >= value:
        lower = math.nextafter(value, -math.inf)
    if upper <= value:
        upper = value if value == _LARGEST else math.nextafter(value, math.inf)
    return [lower, upper] if lower > -math.inf else [value, upper]


def _power(exponent: float) -> float:
    if exponent > sys.float_info.max_10_exp:
        return _LARGEST
    return float(10.0 ** round(exponent, 9))


def _holds(edges: list[float], low: float, high: float, bins: int) -> bool:
    rising = all(left < right for left, right in pairwise(edges)) and all(map(math.isfinite, edges))
    return rising and len(edges) - 1 <= bins and edges[0] <= low and high <= edges[-1]


REST = "other"
NO_GROUP = "(none)"


@dataclass(frozen=True)
class Histogram:
    """`bins`: lower Float64, upper Float64, count Int64, ascending; grouped ones have a group String before them.

    A grouped histogram holds the same edges once for each of `groups`, in that order. `n`: values in the bins;
    `outside`: finite values <= 0 on a logarithmic scale; `missing`: nulls, NaN, infinities. Times are in epoch
    milliseconds. `failed`: how many rows of each bin failed, where that is known.
    """

    bins: pl.DataFrame
    n: int
    missing: int
    outside: int = 0
    log: bool = False
    groups: tuple[str, ...] = ()
    failed: tuple[int, ...] = ()

    @property
    def edges(self) -> list[float]:
        """One more than there are bins of a group; empty without values."""
        size = len(self.bins) // max(len(self.groups), 1)
        return [*self.bins["lower"][:size], *self.bins["upper"][size - 1 : size]] if size else []

    def counts(self, group: int = 0) -> list[int]:
        size = len(self.bins) // max(len(self.groups), 1)
        return self.bins["count"][group * size : (group + 1) * size].to_list()

    @property
    def totals(self) -> list[int]:
        """The count of each bin, of all groups together."""
        return [sum(counts) for counts in zip(*map(self.counts, range(max(len(self.groups), 1))), strict=True)]


def histogram(
    values: pl.Series, bins: int, *, log: bool = False, kind: Kind = Kind.NUMBER, failed: pl.Series | None = None
) -> Histogram:
    """At most `bins` bins (at least one, none without values). `kind` decides which edges read well.

    An integer column gets edges on whole numbers, one bin a number where they fit. `failed`: Boolean, one a value.
    """
    numbers, outside = _plottable(finite(values), log)
    edges = _edges(numbers, bins, log=log, whole=values.dtype.is_integer(), kind=kind)
    counts = _count_bins(numbers, edges)
    bad = () if failed is None else tuple(_count_bins(_plottable(finite(values.filter(failed)), log)[0], edges))
    missing = len(values) - len(numbers) - outside
    return Histogram(_bin_frame(edges, counts), len(numbers), missing, outside, log, failed=bad)


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
    counted = [_count_bins(_plottable(finite(part), log)[0], edges) for part in parts]
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


def _count_bins(numbers: pl.Series, edges: list[float]) -> list[int]:
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
