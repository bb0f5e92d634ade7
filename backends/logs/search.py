"""Every line of a log that matches, from where one looks to the end, then from the start, then whatever is added."""

from __future__ import annotations

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.logs.chunks import windows
from backends.logs.matches import Hits
from backends.logs.patterns import Pattern, pattern
from backends.logs.spool import LogSpool


class Search:
    """Runs in a thread of its own; may be asked at any time for what it has found so far."""

    def __init__(self, spool: LogSpool, text: str, start: int = 0) -> None:
        """`start`: the line that is looked at first. Raises `UsageError` for what is no regular expression."""
        self.pattern: Pattern = pattern(text)
        self.cancel = CancelToken()
        self.scanned = 0  # bytes looked at
        self.complete = False
        self._spool = spool
        self._start = min(start, spool.ended_lines)
        self._before, self._after = Hits(), Hits()
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

    def _sweep(self, hits: Hits, begin: int, end: int | None) -> None:
        if end is not None and begin >= end:
            return
        for window in windows(self._spool, self.cancel, begin, end):
            found = window.matching(self.pattern)
            if len(found):
                hits.add((found + window.first_line).to_list())
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
