"""What is to be said about a log in one line, and what stands in its place while there is none."""

from __future__ import annotations

from dataclasses import dataclass

from backends.errors import OperationCancelledError
from backends.frames.formats import format_bytes, safe_text
from backends.logs.reader import LogReader
from backends.logs.rules import Severity
from backends.logs.search import LogSearcher
from backends.logs.spool import LogSpool


@dataclass(frozen=True)
class Pending:
    """Where the user wants to go as soon as it is known: a line (`value`), or the next (1) or last (-1) match, error
    or warning from the line `origin` on. `or_end`: the last line if there is none."""

    kind: str
    value: int
    origin: int = 0
    or_end: bool = False

    def words(self) -> str:
        if self.kind == "line":
            return f"◌ waiting for line {self.value + 1:,}"
        which = "first" if self.origin < 0 else "next" if self.value > 0 else "previous"
        return f"◌ looking for the {which} {self.kind}"


@dataclass(frozen=True)
class State:
    """All that the line says."""

    line: int
    lines: int
    size: int
    complete: bool
    problem: str
    errors: int
    warnings: int
    searched: str
    matches: int
    rank: int
    searching: float | None  # share of the log that has been looked at; None when all of it has
    folded: bool
    following: bool
    pending: str
    note: str

    @classmethod
    def of(
        cls,
        reading: LogReader,
        search: LogSearcher | None,
        *,
        cursor: int,
        folded: bool,
        following: bool,
        pending: Pending | None,
        note: str,
    ) -> State:
        spool, findings = reading.spool, reading.findings
        busy = search is not None and not search.complete and not (spool.complete and search.scanned >= spool.size)
        return cls(
            line=cursor + 1,
            lines=spool.line_count,
            size=spool.size,
            complete=spool.complete,
            problem=_problem(spool),
            errors=findings.count(Severity.ERROR),
            warnings=findings.count(Severity.WARNING),
            searched=search.pattern.text if search is not None else "",
            matches=search.count if search is not None else 0,
            rank=search.rank(cursor) if search is not None and cursor in search else 0,
            searching=min(search.scanned / max(spool.size, 1), 1.0) if busy and search is not None else None,
            folded=folded,
            following=following,
            pending=pending.words() if pending is not None else "",
            note=note,
        )

    def words(self) -> str:
        """What matters most comes first, since 80 columns cut the rest."""
        parts = []
        if self.problem:
            parts.append(f"✖ {self.problem}" if not self.lines else f"✖ cut short: {self.problem}")
        parts += [part for part in (self.pending, self.note) if part]
        if self.searched:
            parts.append(self._search_words())
        if self.lines:
            parts.append(f"line {self.line:,} of {self.lines:,}")
        if not self.complete:
            parts.append(f"◌ coming in, {format_bytes(self.size)}" if self.size else "◌ waiting for the log")
        parts.append(f"✖ {self.errors:,} ⚠ {self.warnings:,}")
        if self.following:
            parts.append("following")
        if self.folded:
            parts.append("folded")
        if self.complete:
            parts.append(format_bytes(self.size))
        return " · ".join(parts)

    def _search_words(self) -> str:
        words = (
            f"/{safe_text(self.searched, 24)}/ {self.rank:,} of " if self.rank else f"/{safe_text(self.searched, 24)}/ "
        )
        words += f"{self.matches:,}" if self.rank else f"{self.matches:,} lines" if self.matches != 1 else "1 line"
        return words + (f" so far ({self.searching:.0%})" if self.searching is not None else "")


def _problem(spool: LogSpool) -> str:
    if spool.problem is None or isinstance(spool.problem, OperationCancelledError):
        return ""
    return safe_text(str(spool.problem), 300)


def words_instead(spool: LogSpool) -> list[str]:
    """Lines to show in place of a log that has none."""
    if not spool.complete:
        return ["", "◌ Waiting for the first bytes of the log."]
    if spool.problem is None:
        return ["", "This log is empty."]
    return ["", f"✖ {spool.problem.sentence}", spool.problem.hint]
