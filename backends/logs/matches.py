"""Which lines were found: their numbers in order, eight bytes each, up to a number that nobody walks through."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

# 8 MB; beyond it lines are still counted, but `n` cannot go to them.
CAP = 1_000_000


class Hits:
    """Line numbers in rising order, added by one thread and looked up by any."""

    def __init__(self, cap: int = CAP) -> None:
        self._lines = array("Q")
        self._cap = cap
        self._latest = -1
        self.count = 0

    def add(self, lines: list[int]) -> None:
        """Numbers in order, not smaller than those before; the last one before may come again."""
        if lines and lines[0] == self._latest:
            lines = lines[1:]
        if not lines:
            return
        self._latest = lines[-1]
        self.count += len(lines)
        room = self._cap - len(self._lines)
        if room > 0:
            self._lines.extend(lines if len(lines) <= room else lines[:room])

    @property
    def kept(self) -> array[int]:
        """All that can be gone to; it may grow while one looks."""
        return self._lines

    @property
    def capped(self) -> bool:
        return self.count > len(self._lines)

    def __contains__(self, line: int) -> bool:
        at = bisect_left(self._lines, line)
        return at < len(self._lines) and self._lines[at] == line

    def after(self, line: int) -> int | None:
        at = bisect_right(self._lines, line)
        return self._lines[at] if at < len(self._lines) else None

    def before(self, line: int) -> int | None:
        at = bisect_left(self._lines, line)
        return self._lines[at - 1] if at else None

    def rank(self, line: int) -> int:
        """How many are at or before the line."""
        return bisect_right(self._lines, line)

    @property
    def first(self) -> int | None:
        return self._lines[0] if self._lines else None

    @property
    def last(self) -> int | None:
        return self._lines[-1] if self._lines else None
