"""One format for all cells of a column of a table, chosen from its values, so that digits of one weight are in line.

    found = measure_values(frame["value"], column)       # a page; `found.merge(...)` as more arrive
    texts = format_cells(block["value"], column, choose_format(column, found))

A value by itself (a panel, a chart, a table of text) is written by `formats.format_value`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from backends.frames.formats import MISSING, format_not_finite, format_series
from backends.frames.schema import Column, Kind

_SAMPLE = 128  # values looked at one by one
_MOST_DECIMALS = 4
_WIDEST_NUMBER = 12  # cells; a column that would need more has its large values as 9.19e+15
_LARGE = 100_000
_DAY = 86_400_000  # ms
EFFECT_END = 40.0  # percent


@dataclass(frozen=True)
class ValueRange:
    """What is known of the finite values of a column. Times are in ms since 1970.

    `smallest`: the absolute value nearest to 0, without 0. `decimals`: enough to write the values exactly, at most 4.
    `is_days`: all are midnights.
    """

    low: float
    high: float
    smallest: float = 0.0
    decimals: int = 0
    is_days: bool = False

    def merge(self, other: ValueRange | None) -> ValueRange:
        if other is None:
            return self
        return ValueRange(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.smallest or other.smallest, other.smallest or self.smallest),
            max(self.decimals, other.decimals),
            self.is_days and other.is_days,
        )


class CellFormat(NamedTuple):
    """How the cells of a column are written.

    `decimals`, `large_as_power`: of numbers. `longest`: the largest absolute duration or size, which chooses their unit
    and is what a bar is drawn in proportion to. `time_digits`: characters of an ISO time, 10 for days, 16 for minutes,
    19 for seconds.
    """

    decimals: int = _MOST_DECIMALS
    large_as_power: bool = False
    longest: float = math.inf
    time_digits: int = 16

    def without_bar(self) -> CellFormat:
        """Equal for all ranges that are written alike: from 1000 on the unit is that of each value."""
        return self._replace(longest=min(self.longest, 1000.0))


def measure_values(values: pl.Series, column: Column) -> ValueRange | None:
    """The range of a column of numbers or times; None without a finite value, or for other columns."""
    if not (column.is_numeric or column.kind is Kind.TIME) or values.null_count() == len(values):
        return None
    if isinstance(values.dtype, pl.Datetime):
        return _measure_times(values.cast(pl.Datetime("ms", values.dtype.time_zone)).to_physical())
    if not values.dtype.is_numeric():
        return None
    low, high = _ends(values)
    if not (math.isfinite(low) and math.isfinite(high)):
        values = values.filter(values.is_finite())
        if not len(values):
            return None
        low, high = _ends(values)
    if column.kind is not Kind.NUMBER:
        return ValueRange(low, high)
    sample = [value for value in values.head(_SAMPLE).to_list() if value is not None and math.isfinite(value)]
    if values.dtype.is_float() and all(value.is_integer() for value in sample):
        sample += values.filter(values.is_finite() & (values != values.round())).head(_SAMPLE).to_list()
    sizes = [abs(value) for value in (*sample, low, high) if value]
    return ValueRange(low, high, min(sizes, default=0.0), max(map(_count_decimals, sample), default=0))


def _ends(values: pl.Series) -> tuple[float, float]:
    found: list[Any] = [values.min(), values.max()]
    return float(found[0]), float(found[1])


def _measure_times(ticks: pl.Series) -> ValueRange:
    low, high = _ends(ticks)
    is_days = not low % _DAY and not high % _DAY and bool((ticks % _DAY == 0).all())
    return ValueRange(low, high, is_days=is_days)


def _count_decimals(value: float) -> int:
    """How many decimals write the value exactly, at most `_MOST_DECIMALS`."""
    return next((count for count in range(_MOST_DECIMALS) if round(value, count) == value), _MOST_DECIMALS)


def choose_format(column: Column, values: ValueRange | None) -> CellFormat:
    """The format for a column with these values."""
    if values is None:
        return CellFormat(time_digits=19 if column.seconds else 16)
    longest = max(abs(values.low), abs(values.high))
    if column.kind is Kind.TIME:
        return CellFormat(time_digits=19 if column.seconds else 10 if values.is_days else 16)
    if column.kind is not Kind.NUMBER:
        return CellFormat(longest=longest) if column.kind in (Kind.DURATION, Kind.BYTES) else CellFormat()
    # Enough to tell two measurements apart, few enough to compare them down the column.
    by_high = 1 if longest >= 1000 else 2 if longest >= 100 else 3 if longest >= 1 else 4
    by_low = math.ceil(-math.log10(values.smallest)) + 1 if 0 < values.smallest < 1 else 0
    is_percent = column.unit == "%" or "%" in column.label
    most = (1 if longest >= 10 else 2) if is_percent else _MOST_DECIMALS
    decimals = min(values.decimals, most, max(by_high, by_low))
    widest = max(len(f"{end:,.{decimals}f}") if abs(end) < 1e15 else 99 for end in (values.low, values.high))
    return CellFormat(decimals, widest > _WIDEST_NUMBER)


def measure_width(column: Column, values: ValueRange | None, chosen: CellFormat) -> int:
    """The cells that the widest number or time of the column needs."""
    if column.kind is Kind.TIME:
        return chosen.time_digits if values is not None else 0
    if values is None:
        return 1
    candidates = [values.low, values.high, values.smallest]
    # The longest text is not that of the largest value where the unit changes: "59m 59s" before "1h 00m".
    steps = {Kind.DURATION: (3599.0, 359_900.0), Kind.BYTES: (999.0, 999_900.0), Kind.NUMBER: (99_999.0,)}
    if column.kind is not Kind.NUMBER or chosen.large_as_power:
        candidates += [step for step in steps.get(column.kind, ()) if values.high >= step]
        candidates += [-step for step in steps.get(column.kind, ()) if values.low <= -step]
    whole = column.kind in (Kind.COUNT, Kind.BYTES)
    write = _WRITERS[column.kind]
    return max(len(write(int(value) if whole else value, chosen)) for value in candidates)


def format_cells(values: pl.Series, column: Column, chosen: CellFormat) -> list[str]:
    """Every value as text; all of them of the same make. `formats.MISSING` for null."""
    write = _WRITERS.get(column.kind)
    if column.kind is Kind.TIME:
        digits = chosen.time_digits
        return [text[:digits] for text in format_series(values, column)]
    if write is None or not values.dtype.is_numeric():
        return format_series(values, column)
    return [
        MISSING if value is None else write(value, chosen) if math.isfinite(value) else format_not_finite(value)
        for value in values.to_list()
    ]


def _write_number(value: float, chosen: CellFormat) -> str:
    size = abs(value)
    if size >= _LARGE and chosen.large_as_power:
        return f"{value:.2e}"
    if chosen.decimals == _MOST_DECIMALS and 0 < size < 0.5 * 10**-_MOST_DECIMALS:  # would read as 0
        return f"{value:.1e}"
    return f"{round(value, chosen.decimals) + 0.0:,.{chosen.decimals}f}"


def _write_duration(seconds: float, chosen: CellFormat) -> str:
    """ "450ms" where all are below a second, "12.3s" below a minute; else "45s", "24m 23s", "1h 16m", "4d 15h"."""
    if seconds < 0:
        return "-" + _write_duration(-seconds, chosen)
    if chosen.longest < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if chosen.longest < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return "<1s" if not whole and seconds else f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(seconds / 60)
    if minutes < 6000:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    hours = round(seconds / 3600)
    return f"{hours // 24:,}d {hours % 24:02d}h"


def _write_bytes(size: float, chosen: CellFormat) -> str:
    """SI units, one decimal; the unit takes two cells, and bytes leave the cells of point and decimal free."""
    if size < 0:
        return "-" + _write_bytes(-size, chosen)
    if size < 1000:
        return f"{size:.0f} B" if chosen.longest < 1000 else f"{size:.0f}    B"
    amount = float(size)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:,.1f} EB"


def _write_count(count: float, chosen: CellFormat) -> str:
    return f"{count:,}" if isinstance(count, int) else f"{count:,.0f}"


_WRITERS: dict[Kind, Callable[[Any, CellFormat], str]] = {
    Kind.NUMBER: _write_number,
    Kind.DURATION: _write_duration,
    Kind.BYTES: _write_bytes,
    Kind.COUNT: _write_count,
}


def draw_effect(percent: float | None, is_worse: bool, is_certain: bool, half: int) -> str:
    """A line from the middle of 2 * `half` + 1 cells, to the right for the worse; thin where it may be noise.

    It ends at `EFFECT_END` percent, so that it means the same in every list. Only the middle for 0 and no value.
    """
    size = abs(percent) if percent is not None and not math.isnan(percent) else 0.0
    halves = max(1, round(2 * half * min(size, EFFECT_END) / EFFECT_END)) if size else 0
    whole, end, start = "━╸╺" if is_certain else "─╴╶"
    line = whole * (halves // 2)
    if is_worse:
        return " " * half + "│" + (line + end * (halves % 2)).ljust(half)
    return (start * (halves % 2) + line).rjust(half) + "│" + " " * half


_AGES = (*(3600.0 * hours for hours in (1, 2, 3, 6, 12)), *(86400.0 * days for days in (1, 2, 5, 10, 20, 30, 60, 90)))


def draw_ages(ages: Sequence[float], width: int) -> str:
    """A ruler above results, one a cell, newest first: "newest   5 d     10 d", each age where it has been reached.

    `ages`: seconds from the newest to each, rising.
    """
    newest = "newest"[:width]
    for step in _AGES:
        line = newest
        for number in range(1, int(ages[min(width, len(ages)) - 1] / step) + 1 if ages and width else 0):
            age = number * step
            label = f"{age / 86400:.0f} d" if step >= 86400 else f"{age / 3600:.0f} h"
            place = bisect_left(ages, age)
            if place + len(label) > width:
                break
            if place < len(line) + 2:  # too close for this step
                line = ""
                break
            line = line.ljust(place) + label
        if line:
            return line.ljust(width)
    return newest.ljust(width)


def draw_bar(value: float | None, chosen: CellFormat, cells: int) -> str:
    """A line of at most `cells` cells, in halves: the largest value fills them, and none but 0 and null has nothing."""
    if not value or not math.isfinite(value) or value < 0 or not chosen.longest:
        return " " * cells
    halves = max(1, min(round(2 * cells * value / chosen.longest), 2 * cells))
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(cells)
