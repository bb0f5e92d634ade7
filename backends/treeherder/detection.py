"""Where a series may have changed, by the rule that Perfherder raises alerts with. Candidates, not alerts.

The rule (treeherder/perfalert/perfalert/__init__.py, perf/alerts.py, constants of config/settings.py): at each push the
values before are set against those from it on, weighted by nearness; a change is where t exceeds 7 and both neighbours'
t, with 12 values on each side. The server looks only at pushes since its last alert of the series and of the last two
weeks; here the whole of what is shown is looked at, so there can be candidates that never were alerts, and the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from backends.treeherder.base import as_number

T_THRESHOLD = 7.0
MIN_BACK, MAX_BACK, FORE = 12, 24, 12
ALERT_PERCENT = 2.0
INFINITE_T = 1000.0  # what the server stores for a t with zero variance


@dataclass(frozen=True)
class Candidate:
    """A push at which the series may have changed. `t` is at most `INFINITE_T`.

    `before` and `after`: plain means of the values of both windows; `percent`: of `before`, signed (0 from 0).
    """

    push: int
    t: float
    before: float
    after: float
    percent: float


@dataclass
class _PushScore:
    t: float = 0.0
    n_back: int = 0
    n_fore: int = 0
    before: float = 0.0
    after: float = 0.0


def find_candidates(
    pushes: Sequence[Sequence[float]], *, threshold: float = ALERT_PERCENT, absolute: bool = False
) -> list[Candidate]:
    """The candidates among pushes in order of time, each with its values (retriggers together; at least one).

    `threshold`: the smallest change that counts, in percent, or with `absolute` in the unit of the series.
    """
    scores = _score(pushes)
    found = []
    for place in range(1, len(scores)):
        one = scores[place]
        if one.n_back < MIN_BACK or one.n_fore < FORE or one.t <= T_THRESHOLD:
            continue
        if scores[place - 1].t > one.t or (place + 1 < len(scores) and scores[place + 1].t > one.t):
            continue
        change = one.after - one.before
        percent = 100 * change / one.before if one.before else 0.0
        if (abs(change) if absolute else abs(percent)) >= threshold:
            found.append(Candidate(place, min(one.t, INFINITE_T), one.before, one.after, percent))
    return found


def find_candidates_by_push(
    frame: pl.DataFrame, *, threshold: float = ALERT_PERCENT, absolute: bool = False
) -> dict[str, Candidate]:
    """The same of a series' rows (schema `DATA`), by push id."""
    grouped = (
        frame.filter(pl.col("value").is_finite() & pl.col("push_id").is_not_null())
        .sort("push_time", as_number("push_id"), as_number("datum_id"), nulls_last=False)
        .group_by("push_id", maintain_order=True)
        .agg("value")
    )
    ids = grouped["push_id"].to_list()
    found = find_candidates(grouped["value"].to_list(), threshold=threshold, absolute=absolute)
    return {ids[one.push]: one for one in found}


def _score(pushes: Sequence[Sequence[float]]) -> list[_PushScore]:
    since_change = 0
    scores = [_PushScore() for _ in pushes]
    for place in range(1, len(pushes)):
        one = scores[place]
        reach = min(max(since_change, MIN_BACK), MAX_BACK)
        back: list[Sequence[float]] = []
        behind = place - 1
        while one.n_back < MAX_BACK and behind >= 0 and place - behind <= reach:
            back.append(pushes[behind])
            one.n_back += len(pushes[behind])
            behind -= 1
        fore: list[Sequence[float]] = []
        ahead = place
        while one.n_fore < FORE and ahead < len(pushes):
            fore.append(pushes[ahead])
            one.n_fore += len(pushes[ahead])
            ahead += 1
        one.before, one.after = _mean(back, one.n_back), _mean(fore, one.n_fore)
        one.t = _t(back, one.n_back, fore, one.n_fore)
        since_change = 0 if one.t > T_THRESHOLD else since_change + 1
    return scores


def _mean(window: Sequence[Sequence[float]], count: int) -> float:
    return math.fsum(value for values in window for value in values) / count if count else 0.0


def _t(back: Sequence[Sequence[float]], n_back: int, fore: Sequence[Sequence[float]], n_fore: int) -> float:
    if not n_back or not n_fore:
        return 0.0
    before, spread_before = _weighted(back, n_back)
    after, spread_after = _weighted(fore, n_fore)
    if before == after:
        return 0.0
    error = spread_before / n_back + spread_after / n_fore
    return abs(after - before) / math.sqrt(error) if error > 0 else math.inf


def _weighted(window: Sequence[Sequence[float]], count: int) -> tuple[float, float]:
    """Mean weighted by nearness to the change (the k-th of n pushes weighs (n - k) / n), and the unweighted variance
    around that mean."""
    size = len(window)
    total = weights = 0.0
    for place, values in enumerate(window):
        weight = (size - place) / size
        total += weight * sum(values)
        weights += weight * len(values)
    mean = total / weights
    if count < 2:
        return mean, 0.0
    return mean, sum((value - mean) ** 2 for values in window for value in values) / (count - 1)
