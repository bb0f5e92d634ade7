"""Search in a log while it grows: chunks of complete lines, matches, a pattern's occurrences."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.logs.matching import LineMatcher
from backends.logs.patterns import TextPattern, parse_pattern
from backends.logs.spool import NEWLINE, LogSpool

WINDOW = 1 << 20  # what each call of polars costs, and what the processor's cache holds
# A line that is longer than this comes in parts; what would match only across the 64 KB that they share is not found.
LONGEST = 4 << 20
_LAST = 4 << 10
SHARED = 64 << 10


@dataclass(frozen=True)
class Chunk:
    """Whole lines, or a part of a very long one: the bytes from offset `start` to `end`."""

    start: int
    raw: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.raw)


def read_chunks(spool: LogSpool, cancel: CancelToken, start: int = 0, end: int | None = None) -> Iterator[Chunk]:
    """From the line that begins at offset `start` to `end`, or for as long as the log grows.

    A last line without a newline comes only when the log is complete. Raises `OperationCancelledError`.
    """
    offset = start
    while end is None or offset < end:
        cancel.check()
        complete = spool.complete  # before the size: what is complete now grows no more
        limit = spool.size if end is None else min(end, spool.size)
        raw, whole = _next_piece(spool, offset, limit, complete or end is not None)
        if not raw:
            if complete or (end is not None and offset >= limit):
                return
            # What there is, is one line that has not ended: wait for more than all of it.
            spool.wait(limit, cancel)
            continue
        yield Chunk(offset, raw)
        offset += len(raw) if whole else len(raw) - SHARED


def _next_piece(spool: LogSpool, offset: int, limit: int, final: bool) -> tuple[bytes, bool]:
    """Whole lines from the offset on (b"" if there are none yet); False for a part of a line that goes on."""
    size = WINDOW
    if limit - offset > size > _LAST:  # to look first where the last line ends saves a copy of all but what follows
        cut = spool.read(offset + size - _LAST, _LAST).rfind(NEWLINE) + 1
        if cut:
            return spool.read(offset, size - _LAST + cut), True
    while True:
        raw = spool.read(offset, min(size, limit - offset))
        cut = raw.rfind(NEWLINE) + 1
        if cut:
            return (raw[:cut] if cut < len(raw) else raw), True
        if offset + len(raw) >= limit:
            return (raw, True) if final else (b"", True)
        if not raw:
            return b"", True
        if size >= LONGEST:
            return raw, False
        size = LONGEST


# 8 MB; beyond it lines are still counted, but `n` cannot go to them.
CAP = 1_000_000


class Matches:
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
    def lines(self) -> array[int]:
        """The numbers of the matching lines, up to the cap; it may grow meanwhile."""
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


class LogSearcher:
    """Runs in a thread of its own; may be asked at any time for what it has found so far."""

    def __init__(self, spool: LogSpool, text: str, start: int = 0) -> None:
        """`start`: the line that is looked at first. Raises `UsageError` for what is no regular expression."""
        self.pattern: TextPattern = parse_pattern(text)
        self.cancel = CancelToken()
        self.scanned = 0  # bytes looked at
        self.complete = False
        self._spool, self._matcher = spool, LineMatcher(self.pattern)
        self._start = min(start, spool.ended_lines)
        self._before, self._after = Matches(), Matches()
        self._reached = 0  # the offset behind the last window below the start

    def run(self) -> None:
        """Blocks until the whole log has been looked at and grows no more, or `cancel` is pulled."""
        try:
            begin = self._spool.start_of(self._start)
            here = self._spool.start_of(self._spool.ended_lines)
            self._sweep(self._after, begin, here)
            self._sweep(self._before, 0, begin)
            self._sweep(self._after, max(begin, self._reached), None)
            self.complete = True
        except OperationCancelledError:
            pass

    def _sweep(self, hits: Matches, begin: int, end: int | None) -> None:
        if end is not None and begin >= end:
            return
        for window in read_chunks(self._spool, self.cancel, begin, end):
            found = self._matcher.numbers(window.raw)
            if len(found):
                hits.add((found + self._spool.line_at(window.start)).to_list())
            self.scanned += window.end - begin
            begin = window.end
            if hits is self._after:
                self._reached = window.end

    # ---- what has been found -----------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Matching lines so far."""
        return self._before.count + self._after.count

    @property
    def capped(self) -> bool:
        """Whether there are more than can be gone to."""
        return self._before.capped or self._after.capped

    def __contains__(self, line: int) -> bool:
        return line in self._before or line in self._after

    def next(self, line: int) -> int | None:
        """The next match below the line, or the first of all; None if there is none (yet)."""
        for found in (self._before.after(line), self._after.after(line), self._before.first, self._after.first):
            if found is not None:
                return found
        return None

    def previous(self, line: int) -> int | None:
        """The next match above the line, or the last of all."""
        for found in (self._after.before(line), self._before.before(line), self._after.last, self._before.last):
            if found is not None:
                return found
        return None

    def rank(self, line: int) -> int:
        """How many matching lines there are down to this one."""
        return self._before.rank(line) if line < self._start else self._before.count + self._after.rank(line)
