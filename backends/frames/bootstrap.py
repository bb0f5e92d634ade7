"""Between which bounds the difference of two medians lies: the bootstrap's interval, the same on every call.

Both samples are drawn from anew, with replacement, `DRAWS` times; the bounds are percentiles of the differences (Efron
1979; Perfherder's stats.py takes 1,000 draws and 95 % too, but unseeded, so that its bounds move from call to call).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

import polars as pl

DRAWS = 1000
LEVEL = 0.95
SEED = 20_250_101
LARGEST = 5000  # values of a side; the draws of one are 1,000 times that many numbers
_BASE, _NEW = 1, 2


def median_shift(
    base: Sequence[float] | pl.Series,
    new: Sequence[float] | pl.Series,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = SEED,
) -> tuple[float, float] | None:
    """Lower and upper bound of median(new) - median(base); None where a side has fewer than two values.

    Depends on nothing but the arguments. Of more than `LARGEST` values a side, evenly spaced order statistics stand for
    all. Quantiles interpolate linearly.
    """
    sides = [_prepared(values) for values in (base, new)]
    if min(len(side) for side in sides) < 2:
        return None
    before, after = (
        _medians(side, _picked(len(side), draws, seed + which), draws)
        for side, which in zip(sides, (_BASE, _NEW), strict=True)
    )
    shifts = after - before
    tail = (1 - level) / 2
    low, high = shifts.quantile(tail, "linear"), shifts.quantile(1 - tail, "linear")
    return None if low is None or high is None else (low, high)


def _prepared(values: Sequence[float] | pl.Series) -> pl.Series:
    """Sorted, so that the order in which a server tells its values changes nothing."""
    given = pl.Series("v", values, dtype=pl.Float64)
    kept = given.filter(given.is_finite().fill_null(False)).sort()
    if len(kept) <= LARGEST:
        return kept
    return kept.gather([round(place * (len(kept) - 1) / (LARGEST - 1)) for place in range(LARGEST)])


def _medians(values: pl.Series, picked: pl.Series, draws: int) -> pl.Series:
    return values.gather(picked).reshape((draws, len(values))).arr.median()


@lru_cache(maxsize=32)
def _picked(size: int, draws: int, seed: int) -> pl.Series:
    """Which values each draw takes; kept by size, for making them is the slow part and a comparison has few sizes."""
    return pl.Series("pick", random.Random(seed).choices(range(size), k=size * draws), dtype=pl.UInt32)  # noqa: S311
