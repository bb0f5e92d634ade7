"""How far the loading of a list is, and how long it will still take: from the pace of the last seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 15.0  # seconds that the pace is measured over
SHORTEST = 1.0  # seconds before a pace is known
SHOWN_FROM = 5.0  # seconds left; less is not worth a word


@dataclass(frozen=True)
class LoadingWork:
    """Work behind a list whose rows do not tell how far it is. `what`: e.g. "failed tasks read"; `total`: None if it is
    not known."""

    done: int
    total: int | None
    what: str

    @property
    def text(self) -> str:
        """ "340 of 1,000 failed tasks read"."""
        of = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.done:,}{of} {self.what}"


def describe_loading(rows: str, work: LoadingWork | None, left: str) -> str:
    """ "12 failures so far, 340 of 1,000 failed tasks read, 40 s left". `rows`: the words of the rows."""
    return ", ".join(part for part in (rows, work.text if work is not None else "", left) if part)


class LoadingPace:
    """Seconds left of work whose amount is known. `clock`: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()  # (when, done)
        self._total: int | None = None

    def update(self, done: int, total: int | None, work: LoadingWork | None = None) -> None:
        """How far the rows are; or `work`, which counts for more. May be called as often as one likes.

        Less done, or another total, is other work: the pace begins again.
        """
        now = self._clock()
        if work is not None:
            done, total = work.done, work.total
        if self._seen and (done < self._seen[-1][1] or total != self._total):
            self._seen.clear()
        self._total = total
        if not self._seen or done > self._seen[-1][1]:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW:
            self._seen.popleft()

    @property
    def seconds_left(self) -> float | None:
        """None while the pace is not known, where the total is not, and at the end."""
        if self._total is None or not self._seen or self._seen[-1][1] >= self._total:
            return None
        now, (first, start), (last, done) = self._clock(), self._seen[0], self._seen[-1]
        if now - first < SHORTEST or done == start:
            return None
        # From the first change to the last one, or to now where nothing has come for longer than between changes.
        pause = (last - first) / (len(self._seen) - 1)
        spent = max(last - first, now - first - pause)
        return max((self._total - done) * spent / (done - start) - min(now - last, pause), 0.0)

    @property
    def text(self) -> str:
        """ "40 s left", "" where nothing is known or little is left."""
        left = self.seconds_left
        return f"{format_seconds_left(left)} left" if left is not None and left > SHOWN_FROM else ""


def format_seconds_left(seconds: float) -> str:
    """Whole seconds below 10, then as rough as an estimate is: "45 s", "3 min", "1.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds < 10 else f"{5 * round(seconds / 5):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
