"""The new lines of one log: found in the background while the log still comes in, or written as a text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.failures.new_lines import LineCutter, LogIndex, NewLineFinder, PassingLines
from backends.failures.passing_runs import IndexReader, PassingRun, PassingRuns
from backends.logs.search import Matches, read_chunks
from backends.logs.spool import LogSpool
from backends.pool import map_in_order

CONTEXT = 2  # lines that are given around a new one
_AT_ONCE = 2  # logs that are read together: each takes one core and 60 MB


def read_passing_runs(found: PassingRuns, reader: IndexReader, cancel: CancelToken) -> PassingLines | None:
    """What their logs say. A run whose log cannot be read is taken out with a note, a spare one takes its place; None
    if no run is left."""

    def read(run: PassingRun, own: CancelToken) -> LogIndex | AppError:
        try:
            return reader.index(run, own)
        except OperationCancelledError:
            raise
        except AppError as error:
            return error

    indexes, unread = list[LogIndex](), tuple(found.runs)
    reader.ended, reader.wanted = 0, len(unread)
    while unread:
        results = list[LogIndex | AppError]()
        for batch in map_in_order(read, unread, cancel, _AT_ONCE):
            results += batch
            reader.ended = len(indexes) + sum(not isinstance(result, AppError) for result in results)
        missing = 0
        for run, result in zip(unread, results, strict=True):
            if isinstance(result, AppError):
                found.runs.remove(run)
                found.notes.append(f"The log of {run.name} could not be read: {result.sentence}")
                missing += 1
            else:
                indexes.append(result)
        unread = tuple(found.spare[:missing])
        del found.spare[:missing]
        found.runs += unread
    return PassingLines(indexes) if indexes else None


class NewLineSearch:
    """Runs in a thread of its own; may be asked at any time for what it has found so far.

    `matches`: the new lines, from 0, without repeats. `runs`: what the log is compared with, None until that is known;
    `against` becomes true once their logs have been read. `problem`: why there is no answer.
    """

    def __init__(self, spool: LogSpool, find: Callable[[CancelToken], PassingRuns], reader: IndexReader) -> None:
        self.cancel = CancelToken()
        self.matches = Matches()
        self.runs: PassingRuns | None = None
        self.against = False
        self.complete = False
        self.problem: AppError | None = None
        self.scanned = 0  # bytes of the log that were compared
        self._spool, self._find, self._reader = spool, find, reader
        self._finder: NewLineFinder | None = None

    def run(self) -> None:
        """Blocks until the log has been compared and grows no more, or `cancel` is pulled."""
        try:
            self._run()
        except OperationCancelledError:
            return
        except AppError as error:
            self.problem = error
        except Exception as error:  # a defect here must not leave a view that looks for ever
            self.problem = AppError(f"The lines could not be compared: {type(error).__name__}.")
        self.complete = True

    def _run(self) -> None:
        runs = self._find(self.cancel)
        self.runs = runs
        passing = read_passing_runs(runs, self._reader, self.cancel) if runs.runs else None
        if passing is None:
            return
        self.against = True
        finder, cutter = NewLineFinder(passing), LineCutter()
        self._finder = finder
        for chunk in read_chunks(self._spool, self.cancel):
            self.matches.add(finder.add(cutter.cut(chunk.raw)))
            self.scanned = chunk.end
        self.matches.add(finder.add(cutter.end()))

    @property
    def count(self) -> int:
        """New lines, with repeats."""
        return self._finder.new if self._finder is not None else 0

    def times(self, line: int) -> int:
        """How often a new line comes, what varies in it aside."""
        return self._finder.times.get(line, 1) if self._finder is not None else 1

    def against_text(self) -> str:
        """For the header: which runs it is compared with, and what could not be had."""
        if self.problem is not None:
            return f"{self.problem.sentence} {self.problem.hint}"
        if self.runs is None:
            return "New lines only; looking for runs that passed"
        notes = " ".join(self.runs.notes)
        if not self.runs.runs:
            return f"{self.runs.describe()} {notes}".strip()
        names, count = ", ".join(run.name for run in self.runs.runs), len(self.runs.runs)
        against = f"{count} passed run{'s' * (count != 1)}{self.runs.describe_places()}: {names}"
        return f"New lines only, not in {against}" + (f". {notes}" if notes else "")

    def describe(self) -> str:
        """For the status line: "148 new lines against 3 runs", and how far that is."""
        if self.problem is not None:
            return f"✖ {self.problem.sentence}"
        if self.runs is None:
            return "◌ looking for runs that passed"
        if not self.against:
            if self.complete or not self.runs.runs:
                return "no run that passed to compare with"
            return f"◌ {self._reader.describe()}"
        count, runs = self.matches.count, len(self.runs.runs)
        text = f"{count:,} new line{'s' * (count != 1)} against {runs} run{'s' * (runs != 1)}"
        if self.complete:
            return text
        return f"{text} so far ({min(self.scanned / max(self._spool.size, 1), 1.0):.0%})"


def format_new_lines(
    finder: NewLineFinder, pieces: Iterable[bytes], context: int = CONTEXT, *, first: int = 1
) -> Iterator[bytes]:
    """A text as grep -n writes it: "15:" before a new line, "16-" before one around it, "--" where some are left out;
    at the end how often lines come that come more than once. `pieces`: complete lines; `first`: the number of the first
    of them."""
    before: deque[bytes] = deque(maxlen=context)
    begin = first - 1
    # `number`: of the line before this piece; `last`: of the line that was written last
    number, after, last = begin, 0, 0
    for piece in pieces:
        new = set(finder.add(piece))
        lines = piece.removesuffix(b"\n").split(b"\n")
        if not new and not after:
            before.extend(lines[-context:])
            number += len(lines)
            continue
        for line in lines:
            number += 1
            if number - 1 - begin in new:
                if last and number - len(before) > last + 1:
                    yield b"--\n"
                for place, earlier in enumerate(before, number - len(before)):
                    yield b"%d-%b\n" % (place, earlier)
                before.clear()
                yield b"%d:%b\n" % (number, line)
                after, last = context, number
            elif after:
                yield b"%d-%b\n" % (number, line)
                after, last = after - 1, number
            else:
                before.append(line)
    if finder.times:
        yield b"\n"
        for index, times in sorted(finder.times.items()):
            yield b"line %d comes %d times\n" % (first + index, times)
