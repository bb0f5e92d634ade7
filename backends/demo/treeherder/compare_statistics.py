"""The numbers of a comparison, as the server computes them: its t, and the tests behind its Mann-Whitney view.

Mann-Whitney and Kolmogorov-Smirnov are exact for small samples, as scipy's are. Normality is judged by Shapiro and
Francia's statistic with Royston's approximation (1993), a close relative of the Shapiro-Wilk test that is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, erfc, exp, log, sqrt
from statistics import NormalDist, mean, median, stdev

# The spread that the server assumes where a side has one value.
_ONE_RUN_SPREAD = 0.15
_EXACT_UP_TO = 8


def t_value(base: Sequence[float], new: Sequence[float]) -> float:
    """Welch's statistic without degrees of freedom; a single run borrows the other side's relative spread."""
    if not base or not new:
        return 0.0
    mean_b, mean_n = mean(base), mean(new)
    spread_b = stdev(base) if len(base) > 1 else _ONE_RUN_SPREAD * mean_b
    spread_n = stdev(new) if len(new) > 1 else _ONE_RUN_SPREAD * mean_n
    if len(base) == 1 and mean_n:
        spread_b = base[0] * spread_n / mean_n
    elif len(new) == 1 and mean_b:
        spread_n = new[0] * spread_b / mean_b
    error = sqrt(spread_b**2 / len(base) + spread_n**2 / len(new))
    return abs(mean_n - mean_b) / error if error else 0.0


def confidence_text(t: float) -> str:
    return "" if t == 0 else "Low" if t < 3 else "Medium" if t < 5 else "High"


def mann_whitney(base: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """U of the base side, and the two-sided p."""
    u = sum((one > other) + 0.5 * (one == other) for one in base for other in new)
    ties = len({*base, *new}) < len(base) + len(new)
    if min(len(base), len(new)) <= _EXACT_UP_TO and not ties and len(base) * len(new) <= 4000:
        return u, _exact_u(u, len(base), len(new))
    return u, _normal_u(u, base, new)


def _exact_u(u: float, n: int, m: int) -> float:
    """By counting: how many of all orders of n and m values have so extreme a U."""
    # ways[k][s]: choices of k of the ranks seen so far whose ranks sum to s above the least possible.
    size = n * m + 1
    ways = [[0] * size for _ in range(n + 1)]
    ways[0][0] = 1
    for rank in range(n + m):
        for chosen in range(min(rank + 1, n), 0, -1):
            shift = rank - (chosen - 1)
            if shift > m:
                continue
            row, previous = ways[chosen], ways[chosen - 1]
            for total in range(size - 1, shift - 1, -1):
                row[total] += previous[total - shift]
    least = int(min(u, n * m - u))
    return min(2 * sum(ways[n][: least + 1]) / comb(n + m, n), 1.0)


def _normal_u(u: float, base: Sequence[float], new: Sequence[float]) -> float:
    n, m = len(base), len(new)
    counts: dict[float, int] = {}
    for value in (*base, *new):
        counts[value] = counts.get(value, 0) + 1
    tied = sum(count**3 - count for count in counts.values()) / ((n + m) * (n + m - 1))
    spread = sqrt(n * m / 12 * (n + m + 1 - tied)) if n + m > 1 else 0.0
    if not spread:
        return 1.0
    z = max(abs(u - n * m / 2) - 0.5, 0) / spread
    return min(erfc(z / sqrt(2)), 1.0)


def kolmogorov_smirnov(base: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """The largest distance between the two distributions, and the exact two-sided p (by counting lattice paths)."""
    n, m = len(base), len(new)
    # In units of 1/(n m), so that nothing is rounded.
    distance = max(
        abs(m * sum(one <= value for one in base) - n * sum(one <= value for one in new)) for value in (*base, *new)
    )
    if not distance:
        return 0.0, 1.0
    row = [0] * (m + 1)
    for i in range(n + 1):
        for j in range(m + 1):
            if abs(i * m - j * n) >= distance:
                row[j] = 0
            elif i == j == 0:
                row[j] = 1
            else:
                row[j] = (row[j] if i else 0) + (row[j - 1] if j else 0)
    return distance / (n * m), 1 - row[m] / comb(n + m, n)


def normality(values: Sequence[float]) -> tuple[float, float]:
    """A statistic near 1 for what looks normal, and its p; three values or more."""
    n, ordered = len(values), sorted(values)
    if ordered[0] == ordered[-1]:
        return 1.0, 1.0
    normal = NormalDist()
    scores = [normal.inv_cdf((place - 0.375) / (n + 0.25)) for place in range(1, n + 1)]
    middle = mean(ordered)
    crossed = sum(score * (value - middle) for score, value in zip(scores, ordered, strict=True))
    statistic = crossed**2 / (sum(score**2 for score in scores) * sum((value - middle) ** 2 for value in ordered))
    statistic = min(statistic, 1 - 1e-12)
    u, v = log(log(n)) - log(n), log(log(n)) + 2 / log(n)
    z = (log(1 - statistic) - (1.0521 * u - 1.2725)) / max(1.0308 - 0.26758 * v, exp(-3))
    return statistic, 1 - normal.cdf(z)


def effect_size(delta: float) -> str:
    size = abs(delta)
    return "negligible" if size < 0.15 else "small" if size < 0.33 else "moderate" if size < 0.47 else "large"


def standard(values: Sequence[float]) -> dict[str, float | int]:
    """The variance is that of all values, the deviation that of a sample: so does the server."""
    if not values:
        return {"count": 0, **dict.fromkeys(("min", "max", "mean", "median", "variance", "stddev", "stddev_pct"), 0.0)}
    middle, spread = mean(values), stdev(values) if len(values) > 1 else 0.0
    numbers = {
        "min": min(values),
        "max": max(values),
        "mean": middle,
        "median": median(values),
        "variance": sum((value - middle) ** 2 for value in values) / len(values),
        "stddev": spread,
        "stddev_pct": 100 * spread / middle if middle else 0.0,
    }
    return {"count": len(values), **{name: round(float(number), 2) for name, number in numbers.items()}}
