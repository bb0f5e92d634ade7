"""The errors, warnings and sections of a log, found by rule while it comes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.logs.chunks import LONGEST, WINDOW, Window, one_cell, windows
from backends.logs.matches import Hits
from backends.logs.patterns import Pattern, pattern
from backends.logs.rules import NOTHING, Severity, joined
from backends.logs.spool import LogSpool

AROUND = 5  # lines that are given before and after an error, as Prow's own viewer shows
_KEPT = 100_000  # of each severity; nobody jumps so often


def _rules(severity: Severity | None) -> Pattern:
    made = pattern(joined(severity))
    return Pattern(made.text, joined(severity), f"(?m){joined(severity)}")  # case matters, whatever the rules hold


@cache
def _nothing() -> Pattern:
    return Pattern(NOTHING, NOTHING, "")


class Findings:
    """Runs in a thread of its own; may be asked at any time for what it has found so far."""

    def __init__(self, spool: LogSpool) -> None:
        self._spool = spool
        self.cancel = CancelToken()
        self.scanned = 0  # bytes looked at
        self.complete = False
        self._hits = {severity: Hits(_KEPT) for severity in Severity}

    def run(self) -> None:
        """Blocks until the whole log has been looked at and grows no more, or `cancel` is pulled."""
        any_rule = _rules(None)
        each = [(severity, _rules(severity)) for severity in Severity]
        try:
            for window in windows(self._spool, self.cancel):
                self._look(window, any_rule, each)
                self.scanned = window.end
            self.complete = True
        except OperationCancelledError:
            pass

    def _look(self, window: Window, any_rule: Pattern, each: list[tuple[Severity, Pattern]]) -> None:
        if not any_rule.may_match(window.text):
            return
        lines = window.lines()
        numbers = any_rule.lines(lines).arg_true()
        for severity, rules in each:  # the most severe that fits is what the line is
            chosen = lines.gather(numbers)
            found = rules.lines(chosen)
            if severity is not Severity.SECTION and found.any():
                found &= ~_nothing().lines(chosen)
            if found.any():
                self._hits[severity].add((numbers.filter(found) + window.first_line).to_list())
                numbers = numbers.filter(~found)

    def of(self, severity: Severity) -> Hits:
        return self._hits[severity]

    def count(self, severity: Severity) -> int:
        return self._hits[severity].count

    def severity(self, line: int) -> Severity | None:
        """What the line is, as far as it has been looked at."""
        return next((severity for severity, hits in self._hits.items() if line in hits), None)

    def next(self, line: int, *, warnings: bool = False) -> int | None:
        """The next error (or warning) below the line, or the first of all."""
        chosen = self._chosen(warnings)
        found = [at for hits in chosen if (at := hits.after(line)) is not None]
        first = [at for hits in chosen if (at := hits.first) is not None]
        return min(found) if found else min(first, default=None)

    def previous(self, line: int, *, warnings: bool = False) -> int | None:
        """The next error (or warning) above the line, or the last of all."""
        chosen = self._chosen(warnings)
        found = [at for hits in chosen if (at := hits.before(line)) is not None]
        last = [at for hits in chosen if (at := hits.last) is not None]
        return max(found) if found else max(last, default=None)

    def _chosen(self, warnings: bool) -> list[Hits]:
        chosen = [self._hits[Severity.ERROR]]
        return [*chosen, self._hits[Severity.WARNING]] if warnings else chosen


def error_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a log that are errors, with `AROUND` before and after; "... N lines" where some are left out.

    The same lines that the app marks and counts.
    """
    before: deque[bytes] = deque(maxlen=AROUND)
    after = skipped = 0
    for line, is_error in _judged(pieces):
        if is_error:
            if skipped > len(before):
                yield b"... %d lines\n" % (skipped - len(before))
            yield from before
            yield line
            before.clear()
            after, skipped = AROUND, 0
        elif after:
            yield line
            after -= 1
        else:
            before.append(line)
            skipped += 1
    if skipped:
        yield b"... %d lines\n" % skipped


def _judged(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each line with its end, and whether it is an error."""
    rules = _rules(Severity.ERROR)
    for raw in _whole_lines(pieces):
        window = Window(0, one_cell(raw), len(raw))
        numbers = window.matching(rules)
        if len(numbers):
            numbers = numbers.filter(~_nothing().lines(window.lines().gather(numbers)))
        marked = set(numbers.to_list())
        for number, line in enumerate(raw.removesuffix(b"\n").split(b"\n")):
            yield line + b"\n", number in marked


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """As many lines at a time as are looked at together; one that goes on for longer than `LONGEST` comes in parts."""
    held, size = list[bytes](), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < WINDOW:
            continue
        raw = b"".join(held)
        cut = raw.rfind(b"\n") + 1 or (len(raw) if size >= LONGEST else 0)
        if cut:
            yield raw[:cut]
        held, size = [raw[cut:]], len(raw) - cut
    if size:
        yield b"".join(held)
