"""A log as a sequence of lines, read while it still arrives."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from backends.cancel import CancelToken
from backends.frames.formats import format_bytes
from backends.logs.ansi import decode_line, strip
from backends.logs.matching import LineMatcher
from backends.logs.patterns import parse_pattern
from backends.logs.rules import Findings, Severity
from backends.logs.search import LONGEST, read_chunks
from backends.logs.spool import LogSpool, Source
from backends.progress_line import Progress

_AT_ONCE = 1_000  # lines


class LogLine(NamedTuple):
    """A line of a log. `number`: from 1, as a page of the log counts them, so `log[number - 1]` is its text."""

    number: int
    text: str


class Log(Sequence[str]):
    """The lines of a log, without escape sequences; `log[0]` is the first one.

    It is fetched by a thread into a temporary file: lines can be iterated before the last one is there, and a log of
    1 GB needs no memory. Length, indexes and searches wait for its end. Safe from any thread. What goes wrong while it
    is fetched is raised, as an `AppError`, behind the lines that came before. A context manager.
    """

    def __init__(self, title: str, url: str, source: Source, progress: Progress) -> None:
        self.title, self.url = title, url
        self._spool = LogSpool(source)
        self._cancel = CancelToken()
        self._progress = progress
        threading.Thread(target=self._spool.fill, name="log fill", daemon=True).start()

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            complete, size = self._spool.complete, self._spool.size
            count = self._spool.line_count if complete else self._spool.ended_lines
            while number < count:
                lines = self._read(number, min(_AT_ONCE, count - number))
                yield from lines
                number += len(lines)
            if complete:
                self._raise_problem()
                return
            self._wait(size)

    def __len__(self) -> int:
        """How many lines there are."""
        self._finish()
        return self._spool.line_count

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        count = len(self)
        if isinstance(place, slice):
            start, stop, step = place.indices(count)
            if step == 1:
                return self._read(start, max(stop - start, 0))
            return [self[number] for number in range(start, stop, step)]
        number = place + count if place < 0 else place
        if not 0 <= number < count:
            raise IndexError(f"the log has {count:,} lines")
        return self._read(number, 1)[0]

    def search(self, pattern: str) -> list[LogLine]:
        """The lines in which a regular expression matches; case counts only where the pattern has a capital.

        Raises `AppError`s: `UsageError` for what is not a regular expression, and those of the log.
        """
        matcher = LineMatcher(parse_pattern(pattern))
        self._finish()
        found: list[LogLine] = []
        for chunk in read_chunks(self._spool, self._cancel):
            numbers, texts = matcher.lines(chunk.raw)
            first = self._spool.line_at(chunk.start) + 1 if len(numbers) else 0
            for number, text in zip(numbers.to_list(), texts.to_list(), strict=True):
                if not found or found[-1].number < first + number:  # a very long line comes in parts
                    found.append(LogLine(first + number, text))
        return found

    def errors(self) -> list[LogLine]:
        """The lines that the app marks as errors."""
        self._finish()
        findings = Findings(self._spool)
        findings.run()
        return [LogLine(number + 1, self._read(number, 1)[0]) for number in findings.of(Severity.ERROR).lines]

    def text(self) -> str:
        """All of it, each line with a line feed."""
        return "".join(f"{line}\n" for line in self)

    def close(self) -> None:
        """Stops fetching and frees the temporary file."""
        self._cancel.cancel()
        self._spool.discard()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        count = f"{self._spool.line_count:,} lines" + ("" if self._spool.complete else " so far")
        return f"<ciexplore.Log {self.title}: {count}>"

    def _read(self, start: int, count: int) -> list[str]:
        lines = self._spool.lines(start, count)
        whole = (
            self._spool.whole_line(start + number, LONGEST) if line.cut else line.content
            for number, line in enumerate(lines)
        )
        return [strip(decode_line(line)) for line in whole]

    def _finish(self) -> None:
        """Waits for the end of the log. Raises what went wrong."""
        while not self._spool.complete:
            self._wait(self._spool.size)
        self._raise_problem()

    def _wait(self, size: int) -> None:
        try:
            if not self._spool.wait(size, self._cancel):
                self._progress.show(f"{format_bytes(size)} of {self.title}")
        finally:
            if self._spool.complete:
                self._progress.clear()

    def _raise_problem(self) -> None:
        if self._spool.problem is not None:
            raise self._spool.problem
