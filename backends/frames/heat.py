"""Heat: the cells of a table coloured by their value, in steps from none to the loudest.

Shares of failures have fixed bounds, so that a colour means the same in every table. Counts and sums, of which a few
are often a thousand times the others, are coloured by rank: a fifth of the cells a step. What is measured is coloured
by size: equal parts of the range from the 5th to the 95th percentile.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the colours are needed before there are rows
    import polars as pl

HEAT_STEPS = 4  # with a colour; the lowest has none
SHARE_BOUNDS = (0, 10, 25, 50)  # percent
_ENDS = (0.05, 0.95)  # percentiles; what lies beyond them has the outer steps


class HeatRole(StrEnum):
    """What the colour means: much of something, or bad."""

    AMOUNT = "amount"
    FAILED = "failed"


HeatColors = dict[HeatRole, tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]]
# (ground, ink) from the quietest step to the loudest, on a dark page and on a light one.
HEAT_COLORS: HeatColors = {
    HeatRole.AMOUNT: (
        (("#1b2530", "#dde3ea"), ("#2b3d51", "#dde3ea"), ("#46648a", "#ffffff"), ("#8fb4de", "#0b1622")),
        (("#e6edf4", "#1b2027"), ("#c6d6e8", "#1b2027"), ("#8fb1d6", "#0b1622"), ("#2f5f96", "#ffffff")),
    ),
    HeatRole.FAILED: (
        (("#332022", "#dde3ea"), ("#5a2a2a", "#f2e4e2"), ("#93362f", "#ffffff"), ("#e5695f", "#1a0504")),
        (("#fbe6e4", "#1b2027"), ("#f5c0bb", "#2a0806"), ("#e58d86", "#1a0504"), ("#b3241c", "#ffffff")),
    ),
}


def heat_name(role: HeatRole, step: int) -> str:
    """What the colours of a step are called in CSS. `step`: from 1."""
    return f"heat-{role}-{step}"


HEAT_NAMES = tuple(heat_name(role, step) for role in HeatRole for step in range(1, HEAT_STEPS + 1))


@dataclass(frozen=True)
class Heat:
    """A value above so many of `bounds` (rising, as many as there are steps) has that step."""

    bounds: tuple[float, ...]
    role: HeatRole = HeatRole.AMOUNT

    def name(self, value: float | None) -> str:
        """As `heat_name`, "" for no colour."""
        step = self.step(value)
        return heat_name(self.role, step) if step else ""

    def step(self, value: float | None) -> int:
        """0: no colour, also for no value and for what is not a number."""
        return 0 if value is None or value != value else bisect_left(self.bounds, value)


def heat_of_shares() -> Heat:
    """For percentages of failed rows."""
    return Heat(SHARE_BOUNDS, HeatRole.FAILED)


def heat_by_rank(values: pl.Series) -> Heat | None:
    """Equally many values a step, equal values in the same one; None where all are equal. Nulls are left out."""
    found = _finite(values)
    if found.n_unique() < 2:
        return None
    parts = range(1, HEAT_STEPS + 1)
    bounds = [found.quantile(part / (HEAT_STEPS + 1), "lower") for part in parts]
    return Heat(_below_the_largest(found, [float(bound or 0.0) for bound in bounds]))


def heat_by_size(values: pl.Series) -> Heat | None:
    """Equal parts of the range a step; None where all are equal. Nulls and what is not finite are left out."""
    found = _finite(values)
    if found.n_unique() < 2:
        return None
    low, high = (float(found.quantile(end, "linear") or 0.0) for end in _ENDS)
    if low == high:  # nearly all are equal
        low, high = float(found.min()), float(found.max())  # type: ignore[arg-type]
    parts = range(1, HEAT_STEPS + 1)
    return Heat(_below_the_largest(found, [low + (high - low) * part / (HEAT_STEPS + 1) for part in parts]))


def _finite(values: pl.Series) -> pl.Series:
    import polars as pl

    cells = values.drop_nulls().cast(pl.Float64)
    return cells.filter(cells.is_finite())


def _below_the_largest(values: pl.Series, bounds: list[float]) -> tuple[float, ...]:
    """The bounds such that the largest value has the last step, and the smallest none."""
    ordered = values.unique().sort()
    low, second = float(ordered[0]), float(ordered[-2])
    return tuple(min(max(bound, low), second) for bound in bounds)
