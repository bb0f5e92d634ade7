"""Where the bins of a histogram begin and end: few enough, strictly rising, and on numbers that read well.

Both functions promise: at most `bins` bins, edges[0] <= low, high <= edges[-1], all edges finite and strictly rising.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from itertools import pairwise

from backends.frames.schema import Kind

_LARGEST = sys.float_info.max
_SIGNIFICANT = 2.0**52  # steps per value beyond which a float no longer tells two neighbouring edges apart
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_PER_DECADE = (50, 20, 10, 5, 3, 2, 1)


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
