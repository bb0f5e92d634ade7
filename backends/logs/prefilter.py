"""Which lines can match at all, told by Hyperscan at gigabytes a second.

It never decides: what it names is then looked at with the pattern itself. It is optional (the extra `fast`): without
it, for patterns that mean something else to it (`backends.logs.patterns.is_portable`) and where most lines may match,
None says that all are to be looked at. It reads bytes, so its word counts for lines of ASCII only: every line with
another byte or an escape sequence may match.
"""

from __future__ import annotations

import atexit
import threading
from functools import cache, lru_cache
from typing import Any

_NOT_PLAIN = (r"[\x80-\xff\x1b].*$",)  # reported once a line, at its end
_PAYS_AFTER = 128 << 10  # bytes looked at, for each expression: until then making the database costs more than it saves
_SKIPPED = 16  # windows that are not tried after one where too many lines may match
_LONGEST_SCAN = 2.0  # seconds; a window takes milliseconds


class Prefilter:
    """For one thread. `expressions`: one of them matches within every line that can match; none for no prefilter."""

    def __init__(self, expressions: tuple[str, ...], *, ignore_case: bool) -> None:
        self._expressions, self._ignore_case = expressions, ignore_case
        # Looking at all lines takes 1 to 1.5 ms a MB for one expression and 4 to 25 for dozens; one hit 1 to 2 µs.
        self._bytes_per_hit = 2048 if len(expressions) == 1 else 256
        self._seen = self._skipping = 0
        self._scanners: list[_Scanner] = []

    def match_ends(self, raw: bytes) -> list[int] | None:
        """Rising offsets in which matches end, at least one for each line that matches; None: any line may.

        `raw`: whole lines that end in LF, without CR before it.
        """
        if not self._expressions:
            return None
        self._seen += len(raw)
        if self._skipping or self._seen < _PAYS_AFTER * len(self._expressions):
            self._skipping = max(self._skipping - 1, 0)
            return None
        if not self._scanners:
            made = [_make_scanner(self._expressions, self._ignore_case), _make_scanner(_NOT_PLAIN, False)]
            self._scanners = [scanner for scanner in made if scanner is not None]
            if len(self._scanners) < len(made):
                self._expressions = ()
                return None
        hits, not_plain = self._scanners
        most = max(len(raw) // self._bytes_per_hit, 100)
        found = hits.scan(raw, most)
        if found is not None and not (raw.isascii() and b"\x1b" not in raw):
            more = not_plain.scan(raw, most)
            found = None if more is None else sorted(found + more)
        if found is None:
            self._skipping = _SKIPPED
        return found


class _Scanner:
    """A database, which threads share, with working memory of its own."""

    def __init__(self, database: Any) -> None:
        self._database, self._scratch = database, _hyperscan().Scratch(database)

    def scan(self, raw: bytes, most: int) -> list[int] | None:
        """Where matches end, rising; None for more than `most`."""
        found: list[int] = []

        def note(_id: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            found.append(end)
            return len(found) > most

        if not _scans.begin():
            return None
        try:
            self._database.scan(raw, match_event_handler=note, scratch=self._scratch)
        except _hyperscan().error:
            return None
        finally:
            _scans.end()
        return sorted(found)


class _Scans:
    """Those in progress. The interpreter must not end during one: its next match would be a call into what is gone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count, self._over = 0, False
        atexit.register(self._finish)

    def begin(self) -> bool:
        """Whether another one may begin."""
        with self._changed:
            self._count += not self._over
            return not self._over

    def end(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def _finish(self) -> None:
        with self._changed:
            self._over = True
            self._changed.wait_for(lambda: self._count == 0, timeout=_LONGEST_SCAN)


_scans = _Scans()


def _make_scanner(expressions: tuple[str, ...], ignore_case: bool) -> _Scanner | None:
    """None without Hyperscan, on a processor that it does not know, for what it cannot compile."""
    library = _hyperscan()
    if library is None:
        return None
    try:
        return _Scanner(_compile(expressions, ignore_case))
    except library.error:
        return None


@cache
def _hyperscan() -> Any:
    """The module, or None."""
    try:
        import hyperscan
    except ImportError:
        return None
    return hyperscan


@lru_cache(maxsize=32)
def _compile(expressions: tuple[str, ...], ignore_case: bool) -> Any:
    """A database. Raises the library's `error`."""
    library = _hyperscan()
    flags = library.HS_FLAG_MULTILINE | (library.HS_FLAG_CASELESS if ignore_case else 0)
    database = library.Database(mode=library.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression.encode() for expression in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[flags] * len(expressions),
    )
    return database
