"""A log in pieces that are small enough to be looked at between two keys, and still go on while it grows.

256 KB at a time: they fit into the processor's cache (at 1 MB the same search is two times slower), and no single call
holds the interpreter for more than some hundred microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from backends.cancel import CancelToken
from backends.logs.ansi import ESCAPES
from backends.logs.index import NEWLINE
from backends.logs.patterns import Pattern
from backends.logs.spool import LogSpool

WINDOW = 256 << 10
# A line that is longer than this comes in parts; what would match only across the 64 KB that they share is not found.
LONGEST = 4 << 20
SHARED = 64 << 10
_RETURNS = r"\r+\n"


@dataclass(frozen=True)
class Window:
    """Whole lines, or a part of a very long one. `text` is one cell, with neither escape sequences nor CRs at ends."""

    first_line: int
    text: pl.Series
    end: int  # the offset behind it

    def matching(self, pattern: Pattern) -> pl.Series:
        """The numbers within the window of the lines that match, rising."""
        if not pattern.may_match(self.text):
            return _NONE
        return pattern.lines(self.lines()).arg_true()

    def lines(self) -> pl.Series:
        return self.text.str.split("\n").explode()


_NONE = pl.Series([], dtype=pl.UInt32)


def windows(spool: LogSpool, cancel: CancelToken, start: int = 0, end: int | None = None) -> Iterator[Window]:
    """From the line that begins at offset `start` to `end`, or for as long as the log grows.

    A last line without a newline comes only when the log is complete. Raises `OperationCancelledError`.
    """
    offset, line = start, spool.line_at(start)
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
        newlines = raw.count(NEWLINE)
        offset += len(raw)
        yield Window(line, one_cell(raw), offset)
        line += newlines
        if not whole:
            offset -= SHARED


def _next_piece(spool: LogSpool, offset: int, limit: int, final: bool) -> tuple[bytes, bool]:
    """Whole lines from the offset on (b"" if there are none yet); False for a part of a line that goes on."""
    size = WINDOW
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


def one_cell(raw: bytes) -> pl.Series:
    """Lines as `Window.text` holds them; as many as there are in `raw`."""
    content = raw[:-1] if raw.endswith(NEWLINE) else raw
    try:
        text = pl.Series([content], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:  # not UTF-8; the check is 5 times faster than a decoding that repairs
        text = pl.Series([content.decode("utf-8", "replace")])
    if b"\x1b" in raw or b"\xc2" in raw:  # ESC, or the first byte of a C1 control in UTF-8
        text = text.str.replace_all(ESCAPES, "")
    if b"\r" in raw:
        text = text.str.replace_all(_RETURNS, "\n").str.strip_chars_end("\r")
    return text
