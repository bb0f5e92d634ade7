"""What an alert says about its series: means before and after, and Perfherder's t of the change.

The rule is Perfherder's own (perfalert): up to 24 values before the push and 12 from it on, each weighted less the
more pushes it is away; t is the difference of the weighted means over the pooled standard error of both windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from typing import NamedTuple

from backends.demo.seeds import fraction, generator
from backends.demo.treeherder.alerts import INVALID, Alert, Summary
from backends.demo.treeherder.branches import Branch, Datum
from backends.demo.treeherder.series import noise_of

BACK, FORE = 24, 12
LEAST_T = 7.0
INFINITE_T = 1000.0
_PROFILES = ("OK", "OK", "OK", "N/A", "MODAL", "OUTLIERS", "SKEWED")


class Change(NamedTuple):
    """`manual`: a person made the alert, since the rule would not have."""

    before: float
    after: float
    t: float
    manual: bool
    last_before: Datum | None
    first_after: Datum | None


def change(branch: Branch, summary: Summary, alert: Alert) -> Change:
    data = branch.data(alert.signature)
    back, fore = _windows(data, summary.original.order if alert.status == INVALID else summary.push.order)
    before = _mean([value for values in back for value in values])
    after = _mean([value for values in fore for value in values])
    last = next((datum for datum in reversed(data) if datum.job.push.order < summary.push.order), None)
    first = next((datum for datum in data if datum.job.push.order >= summary.push.order), None)
    if alert.status == INVALID:  # noise, taken for a change: values as they looked on that day
        t = LEAST_T + 2 * fraction(branch.seed, "t", alert.id)
        return Change(before, before * alert.factor, t, False, last, first)
    t = t_value(back, fore)
    as_planned = (after - before) * (alert.factor - 1) > 0
    if t < LEAST_T or not as_planned:
        return Change(before, before * alert.factor, INFINITE_T, True, last, first)
    return Change(before, after, t, False, last, first)


def _windows(data: Sequence[Datum], order: int) -> tuple[list[list[float]], list[list[float]]]:
    """Values by push, the nearest push first, on both sides of the push with that order."""
    by_push = [
        (place, [datum.value for datum in found]) for place, found in groupby(data, lambda one: one.job.push.order)
    ]
    return (
        _filled([values for place, values in reversed(by_push) if place < order], BACK),
        _filled([values for place, values in by_push if place >= order], FORE),
    )


def _filled(pushes: Sequence[list[float]], size: int) -> list[list[float]]:
    found: list[list[float]] = []
    for values in pushes:
        if sum(map(len, found)) >= size:
            break
        found.append(values)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def t_value(back: Sequence[Sequence[float]], fore: Sequence[Sequence[float]]) -> float:
    """Zero where one side has too little to tell."""
    sides = [_side(back), _side(fore)]
    if any(count < 2 for _, _, count in sides):
        return 0.0
    (mean_b, variance_b, n_b), (mean_f, variance_f, n_f) = sides
    if variance_b == variance_f == 0:
        return INFINITE_T if mean_b != mean_f else 0.0
    return min(abs(mean_f - mean_b) / sqrt(variance_b / n_b + variance_f / n_f), INFINITE_T)


def _side(pushes: Sequence[Sequence[float]]) -> tuple[float, float, int]:
    """Weighted mean, variance about it, and how many values."""
    size = len(pushes)
    weighted = [((size - place) / size, value) for place, values in enumerate(pushes) for value in values]
    total = sum(weight for weight, _ in weighted)
    if len(weighted) < 2:
        return 0.0, 0.0, len(weighted)
    mean = sum(weight * value for weight, value in weighted) / total
    variance = sum((value - mean) ** 2 for _, value in weighted) / (len(weighted) - 1)
    return mean, variance, len(weighted)


def noise_profile(seed: int, alert: Alert) -> str:
    """Perfherder's word for the history before the alert; here it follows from how the series was drawn."""
    drawn = {"bimodal": "MODAL", "outliers": "OUTLIERS", "skewed": "SKEWED"}.get(noise_of(seed, alert.signature))
    return drawn or generator(seed, "profile", alert.id).choice(_PROFILES)
