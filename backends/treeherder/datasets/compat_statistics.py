"""The statistics of the original's JSON files, each with the definition that the original used there.

They are not the app's (`backends.frames.statistics`): the time to culprit has percentiles by nearest rank and the
standard deviation of a population, everything else has linear percentiles and no deviation.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

PERCENTILES = (25, 75, 90, 95, 99)


def linear(ordered: Sequence[float], percent: float) -> float:
    """Between the two nearest of sorted values, calculated to the last digit as the original does."""
    place = (len(ordered) - 1) * (percent / 100.0)
    low, high = math.floor(place), math.ceil(place)
    if low == high:
        return ordered[low]
    return ordered[low] * (high - place) + ordered[high] * (place - low)


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The value at round((n - 1) p), halves rounded to the even one."""
    return ordered[round((len(ordered) - 1) * share)]


def trimmed_mean(ordered: Sequence[float], share: float = 0.1) -> float:
    """The mean without the lowest and the highest tenth, as many values as fit into it each."""
    cut = int(len(ordered) * share)
    return statistics.mean(ordered[cut : len(ordered) - cut] or ordered)


def geometric_mean(values: Sequence[float]) -> float | None:
    """Of the positive values alone, which for counts leaves the zeros out; None if there are none."""
    positive = [value for value in values if value > 0]
    return math.exp(sum(map(math.log, positive)) / len(positive)) if positive else None


def distribution(values: Sequence[float], *, names: str = "", digits: int | None = None) -> dict[str, Any]:
    """observations, mean, median, min, max (each with _`names`), percentiles, trimmed and geometric mean."""
    shown = _rounding(digits)
    ordered = sorted(values)
    after = f"_{names}" if names else ""
    if not ordered:
        empty = dict.fromkeys(f"{name}{after}" for name in ("mean", "median", "min", "max"))
        nothing = {str(percent): None for percent in PERCENTILES}
        return {"observations": 0, **empty, "percentiles": nothing, "trimmed_mean_10pct": None, "geometric_mean": None}
    return {
        "observations": len(ordered),
        f"mean{after}": shown(statistics.mean(ordered)),
        f"median{after}": shown(statistics.median(ordered)),
        f"min{after}": ordered[0],
        f"max{after}": ordered[-1],
        "percentiles": {str(percent): shown(linear(ordered, percent) * 1.0) for percent in PERCENTILES},
        "trimmed_mean_10pct": shown(trimmed_mean(ordered)),
        "geometric_mean": shown(geometric_mean(ordered)),
    }


def _rounding(digits: int | None) -> Callable[[float | None], float | None]:
    return lambda value: value if value is None or digits is None else round(value, digits)


def waiting(seconds: Sequence[float]) -> dict[str, float | None]:
    """mean, median, min, max, p25, p75, p90, p95, p99; all None without a value."""
    ordered = sorted(seconds)
    names = ("mean", "median", "min", "max", *(f"p{percent}" for percent in PERCENTILES))
    if not ordered:
        return dict.fromkeys(names)
    percentiles = (linear(ordered, percent) * (1.0 if len(ordered) > 1 else 1) for percent in PERCENTILES)
    found = (statistics.mean(ordered), statistics.median(ordered), ordered[0], ordered[-1], *percentiles)
    return dict(zip(names, found, strict=True))


def culprit(seconds: Sequence[float], *, rows: int, invalid: int) -> dict[str, Any]:
    """The stats of time_to_culprit_stats.json, in hours; negative values count like any other."""
    ordered = sorted(seconds)
    names = ("mean", "median", "min", "max", "stdev", "p90", "p95", "p99")
    found: Sequence[float | None] = [None] * len(names)
    if ordered:
        ranks = (nearest_rank(ordered, share) for share in (0.90, 0.95, 0.99))
        measured = [statistics.fmean(ordered), statistics.median(ordered), ordered[0], ordered[-1],
                    statistics.pstdev(ordered) if len(ordered) > 1 else 0.0, *ranks]  # fmt: skip
        found = [one / 3600 for one in measured]
    return {
        "count": len(ordered),
        **{f"{name}_hours": one for name, one in zip(names, found, strict=True)},
        "total_rows": rows,
        "missing_or_invalid_rows": invalid,
        "negative_delta_rows": sum(one < 0 for one in ordered),
    }
