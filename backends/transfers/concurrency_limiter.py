"""How many files at a time: more while only latency is the limit, fewer when the server asks for mercy.

With 40 ms before each first byte and 1 Gbit/s, 2,000 x 100 KB: 16 at a time 337 files/s, 64 as fast as aria2c's best
(831 and 829). Where nothing waits, 16 are enough and more only fight for the interpreter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

JOBS = 16
JOBS_FOR_SMALL = 64
SMALL = 2 << 20  # mean size in bytes; a few big files fill any link
GROW_EVERY = 0.1  # seconds
BUSY = 0.6  # of a core: what a process gets of it when the server runs on the same machine is no more
QUIET = 5.0  # seconds without a complaint before there may be more again
REGROW_EVERY = 1.0
WEIGHT = 0.1
MANY = 0.5  # of the answers: an overloaded server refuses most; a server with faults of its own some
SHRINK_EVERY = 1.0  # what was asked together is refused together, and that is one complaint


class ConcurrencyLimiter:
    """`allowed` files may be under way. The engine calls all methods under its lock."""

    def __init__(self, sizes: Iterable[int | None], fixed: int | None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        known = [size for size in sizes if size is not None]
        self.small = not known or sum(known) / len(known) <= SMALL
        self.most = max(1, fixed) if fixed is not None else JOBS_FOR_SMALL if self.small else JOBS
        self.allowed = min(self.most, JOBS) if fixed is None else self.most
        self._looked = clock()
        self._shrank: float | None = None
        self._complaints = 0.0  # share of the latest answers, each counting WEIGHT less than the next

    @property
    def shrunk(self) -> bool:
        """Whether a server has complained and all may not yet be asked for again."""
        return self._shrank is not None

    def due(self) -> bool:
        """Whether it is time to say how busy we are."""
        every = GROW_EVERY if self._shrank is None else REGROW_EVERY
        return self.allowed < self.most and self._clock() - self._looked >= every

    def look(self, busy: float) -> None:
        """`busy`: which part of a core each process that fetches has used since the last look."""
        now = self._looked = self._clock()
        if self._shrank is None:
            if busy < BUSY:
                self.allowed = min(self.most, 2 * self.allowed)
        elif now - self._shrank >= QUIET:
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))
            if self.allowed == self.most:
                self._shrank = None

    def served(self) -> None:
        """A server gave what it was asked for."""
        self._complaints *= 1 - WEIGHT

    def complained(self) -> bool:
        """A server said 429 or 503. Whether it means us all: seven in a row do, one answer in five does not."""
        self._complaints += WEIGHT * (1 - self._complaints)
        if self._complaints < MANY:
            return False
        now = self._clock()
        if self._shrank is None or now - self._shrank >= SHRINK_EVERY:
            self.allowed = max(1, self.allowed // 2)
        self._shrank = self._looked = now
        return True
