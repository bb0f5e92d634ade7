"""Where the marks of an axis stand and what they say: round values, as many as fit, each as short as it can be."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from backends.frames.charts import AxisWindow
from backends.frames.formats import format_value
from backends.frames.histograms import linear_edges
from backends.frames.schema import Column, Kind
from backends.frames.time_ticks import GAP, describe_left_out, is_in_calendar, time_labels, time_ticks

_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50, 60, 100)
_CLOCK = (
    (1, 10, 60, 600, 3600, 36_000, 86_400),
    (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18_000, 43_200),
)
Ticks = list[tuple[float, str]]  # (place, label)


def x_ticks(window: AxisWindow, column: Column, cells: int) -> Ticks:
    if window.x1 <= window.x0:
        return [(0, tick_labels([window.x0], column)[0])]
    if _has_dates(window.x0, window.x1, column):
        return [(window.across(place, cells), label) for place, label in time_ticks(window.x0, window.x1, cells)]
    edges = linear_edges(window.x0, window.x1, cells, whole=column.kind is Kind.COUNT, kind=column.kind)
    found = [
        (window.across(edges[0] + place * (edges[1] - edges[0]), cells), label)
        for place, label in ruler(edges, column, cells)
    ]
    return [(place, label) for place, label in found if 0 <= place <= cells - 1]


def y_ticks(window: AxisWindow, column: Column, lines: int) -> Ticks:
    if window.y1 <= window.y0:
        return [(0, tick_labels([window.y0], column)[0])]
    whole = column.kind in {Kind.COUNT, Kind.BYTES}
    edges = linear_edges(window.y0, window.y1, max(2, lines // 3), whole=whole, kind=column.kind)
    found = [(window.up(value, lines), label) for value, label in zip(edges, tick_labels(edges, column), strict=True)]
    inside = [(place, label) for place, label in found if 0 <= place <= lines - 1]
    return inside or [(0, tick_labels([window.y0], column)[0])]


def ruler(edges: Sequence[float], column: Column, cells: int, *, log: bool = False) -> list[tuple[float, str]]:
    """(place, label) along bins that are drawn equally wide in `cells`; place 0 is the first edge, 1 the second."""
    if len(edges) < 2:
        return []
    if not log and _has_dates(edges[0], edges[-1], column):
        width = edges[1] - edges[0]
        return [((place - edges[0]) / width, label) for place, label in time_ticks(edges[0], edges[-1], cells)]
    if log:
        found = _log_ruler(edges, column, cells)
        if len(found) > 1:
            return found
    labels = tick_labels(edges, column)
    width = edges[1] - edges[0]
    least = -(-len(labels) * (max(map(len, labels)) + GAP) // max(cells, 1))
    ways = []
    for step in _STEPS:
        if least <= step <= max(3 * least, 2):
            # Edges on multiples of the step: 0, 100, 200 and not 20, 120, 220.
            way = [place for place, edge in enumerate(edges) if not log and round(edge / width) % step == 0]
            way = way if len(way) > 1 else list(range(0, len(edges), step))
            ways.append((sum(_roughness(labels[place]) for place in way) / len(way), step, way))
    way = min(ways)[2] if ways else list(range(0, len(edges), max(least, 1)))
    return [(place, labels[place]) for place in way]


def _has_dates(low: float, high: float, column: Column) -> bool:
    return column.kind is Kind.TIME and is_in_calendar(low, high)


def axis_label(column: Column, low: float, high: float, unit: str = "") -> str:
    """What an axis is called: with the zone of times and what their labels leave out, or with the unit of numbers.

    `unit`: of a column that has none. Durations and sizes have theirs in the labels.
    """
    if column.kind is Kind.TIME:
        return f"{column.label}{describe_left_out(low, high)} (UTC)"
    shown = (column.unit or unit) if column.kind in {Kind.NUMBER, Kind.COUNT} else ""
    return f"{column.label} ({shown})" if shown and shown not in column.label else column.label


def _roughness(label: str) -> int:
    """Short labels with zeros at the end are round: 14:30 before 14:36, 200 before 250."""
    return len(label) + len(label.rstrip("0:"))


def _log_ruler(edges: Sequence[float], column: Column, cells: int) -> list[tuple[float, str]]:
    """Round values where they lie between the edges, as many as fit: powers of ten, or 1s, 10s, 1m, 10m, 1h."""
    found: list[tuple[float, str]] = []
    for family in _tick_families(edges, column):
        inside = [value for value in family if edges[0] <= value <= edges[-1]]
        labels = tick_labels(inside, column) if inside else []
        ticks = [(_place(value, edges), label) for value, label in zip(inside, labels, strict=True)]
        if not found:
            found = ticks[:: max(1, -(-sum(len(label) + GAP for _, label in ticks) // max(cells, 1)))]
        elif _fits(ticks, cells / (len(edges) - 1)):
            found = ticks
    return found


def _tick_families(edges: Sequence[float], column: Column) -> list[list[float]]:
    """Candidates from coarse to fine."""
    low = math.floor(math.log10(edges[0])) if edges[0] > 0 else -12
    decades = range(max(low, -300), min(math.ceil(math.log10(edges[-1])) + 1, 308))
    families = [[10.0**power for power in decades]]
    families.append([factor * ten for ten in families[0] for factor in (1, 2, 5)])
    if column.kind is Kind.DURATION:
        small, large = [ten for ten in families[0] if ten < 1], [86_400 * 10.0**power for power in range(1, 8)]
        families = [[*small, *(float(seconds) for seconds in clock), *large] for clock in _CLOCK]
    return families


def _place(value: float, edges: Sequence[float]) -> float:
    number = min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)
    lower, upper = edges[number], edges[number + 1]
    if lower <= 0:
        return float(number + (value >= upper))
    return number + (math.log(value) - math.log(lower)) / (math.log(upper) - math.log(lower))


def _fits(ticks: list[tuple[float, str]], scale: float) -> bool:
    return all(
        (right - left) * scale >= (len(first) + len(second)) / 2 + GAP
        for (left, first), (right, second) in pairwise(ticks)
    )


def tick_labels(edges: Sequence[float], column: Column) -> list[str]:
    """One label an edge: "5m" and not "5m 00s", "1 MB" and not "1.0 MB"; of a time only what distinguishes it."""
    if column.kind is Kind.TIME:
        return _time_labels(edges, column)
    return [_short(format_value(_as_kind(edge, column), column), column.kind) for edge in edges]


def tick_range(lower: float, upper: float, column: Column) -> tuple[str, str]:
    """Both ends of a bin, in full where a ruler would leave out what its other marks say."""
    if column.kind is not Kind.TIME:
        first, second = tick_labels([lower, upper], column)
        return first, second
    low, high = (format_value(edge, column) for edge in (lower, upper))
    short = 16 if low[16:] == high[16:] == ":00" else None
    return low[:short], high[:short]


def _as_kind(edge: float, column: Column) -> float:
    return int(edge) if column.kind in {Kind.COUNT, Kind.BYTES} and edge.is_integer() else edge


def _short(text: str, kind: Kind) -> str:
    if kind is Kind.DURATION:
        text = re.sub(r"( 00[hms])+$", "", text)
        return re.sub(r" 0(\d[ms])$", r" \1", re.sub(r"\.0s$", "s", text))
    if kind is Kind.BYTES:
        return text.replace(".0 ", " ")
    if kind is Kind.NUMBER and "e" not in text:
        return re.sub(r"(\.\d*?)0+$", r"\1", text).rstrip(".")
    return text


def _time_labels(edges: Sequence[float], column: Column) -> list[str]:
    if not is_in_calendar(min(edges), max(edges)):
        return [format_value(edge, column) for edge in edges]
    return time_labels(edges)
