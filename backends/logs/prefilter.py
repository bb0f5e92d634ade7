r"""Which lines can match at all, told by Hyperscan at gigabytes a second. They are then looked at with the pattern itself.

Hyperscan is optional (the extra `fast`) and never decides: without it, for patterns that mean something else to it
(`backends.logs.patterns.is_portable`) and where most lines may match, `None` says that all lines are to be looked at.
It reads bytes, so it is asked about ASCII only: every line with another byte or an escape sequence may match.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

_NOT_PLAIN = (r"[\x80-\xff\x1b].*$",)  # reported once a line, at its end
_PAYS_AFTER = 128 << 10  # bytes looked at, for each expression: until then making the database costs more than it saves
_SKIPPED = 16  # windows that are not tried after one where too many lines may match


class Prefilter:
    """For one thread. `expressions`: one of them matches within every line that can match; none for no prefilter."""

    def __init__(self, expressions: tuple[str, ...], *, ignore_case: bool) -> None:
        self._expressions, self._ignore_case = expressions, ignore_case
        # Looking at all lines takes 1 to 1.5 ms a MB for one expression and 4 to 25 for dozens; one hit 1 to 2 µs.
        self._bytes_per_hit = 2048 if len(expressions) == 1 else 256
        self._seen = self._skipping = 0
        self._scanners: tuple[_Scanner, _Scanner] | None = None

    def offsets(self, raw: bytes) -> list[int] | None:
        """Rising offsets within the lines that may match, several for some; None: any line may.

        `raw`: whole lines that end in LF, without CR before it.
        """
        if not self._expressions:
            return None
        self._seen += len(raw)
        if self._skipping or self._seen < _PAYS_AFTER * len(self._expressions):
            self._skipping = max(self._skipping - 1, 0)
            return None
        if self._scanners is None:
            self._scanners = self._make_scanners()
            if self._scanners is None:
                self._expressions = ()
                return None
        hits, not_plain = self._scanners
        most = len(raw) // self._bytes_per_hit
        found = hits.scan(raw, most)
        if found is not None and not (raw.isascii() and b"\x1b" not in raw):
            more = not_plain.scan(raw, most)
            found = None if more is None else sorted(found + more)
        if found is None:
            self._skipping = _SKIPPED
        return found

    def _make_scanners(self) -> tuple[_Scanner, _Scanner] | None:
        hits, not_plain = _compile(self._expressions, self._ignore_case), _compile(_NOT_PLAIN, False)
        return None if hits is None or not_plain is None else (_Scanner(hits), _Scanner(not_plain))


class _Scanner:
    """A database, which threads share, with working memory of its own."""

    def __init__(self, database: Any) -> None:
        self._database, self._scratch = database, _hyperscan().Scratch(database)

    def scan(self, raw: bytes, most: int) -> list[int] | None:
        """Offsets of the last bytes of matches, rising; None for more than `most`."""
        found: list[int] = []

        def note(_id: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            found.append(end - 1)
            return len(found) > most

        try:
            self._database.scan(raw, match_event_handler=note, scratch=self._scratch)
        except _hyperscan().error:
            return None
        return sorted(found)


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
    """A database; None without Hyperscan, on a processor that it does not know, for what it cannot compile."""
    library = _hyperscan()
    if library is None:
        return None
    flags = library.HS_FLAG_MULTILINE | (library.HS_FLAG_CASELESS if ignore_case else 0)
    try:
        database = library.Database(mode=library.HS_MODE_BLOCK)
        database.compile(
            expressions=[expression.encode() for expression in expressions],
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=[flags] * len(expressions),
        )
    except library.error:
        return None
    return database
