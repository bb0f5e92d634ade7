"""The lines of a window of raw bytes that match a pattern: what one line would say, at the speed of many."""

from __future__ import annotations

import polars as pl

from backends.logs.ansi import ESCAPES, strip
from backends.logs.patterns import TextPattern
from backends.logs.prefilter import Prefilter

_RETURNS = r"\r+\n"


class LineMatcher:
    """Finds the lines that match in one window after the other; for one thread.

    A window is whole lines, or a part of a very long one. Most windows hold no match, so they are first asked as a
    whole, with the prefilter if there is one: lines are only cut and numbered around its hits.
    """

    def __init__(self, pattern: TextPattern) -> None:
        self._pattern = pattern
        self._prefilter = Prefilter(pattern.prefilter, ignore_case=pattern.ignore_case)
        self._matched = False  # the last window; then the next one probably does, too, and is not asked as a whole

    def numbers(self, raw: bytes) -> pl.Series:
        """The numbers within the window of the lines that match, rising (Int64)."""
        numbers, cell = self._narrow(raw)
        if cell is None:
            return _NO_NUMBERS
        # One expression: each call of polars by itself takes 0.2 ms, as long as the work that it does here.
        lines = pl.lit(cell).str.split("\n").explode()
        return self._number(numbers, pl.select(lines.str.contains(self._pattern.regex).arg_true()).to_series())

    def lines(self, raw: bytes) -> tuple[pl.Series, pl.Series]:
        """The same numbers with the lines' texts."""
        numbers, cell = self._narrow(raw)
        if cell is None:
            return _NO_NUMBERS, _NO_LINES
        lines = cell.str.split("\n").explode()
        places = self._pattern.lines(lines).arg_true()
        return self._number(numbers, places), lines.gather(places)

    def _number(self, numbers: pl.Series | None, places: pl.Series) -> pl.Series:
        self._matched = len(places) > 0
        return places.cast(pl.Int64) if numbers is None else numbers.gather(places)

    def _narrow(self, raw: bytes) -> tuple[pl.Series | None, pl.Series | None]:
        """The numbers (None: of all lines) and the text, as one cell, of the lines that may match; no cell for none."""
        plain, usual = raw, True
        returns = b"\r" in raw  # alone, since a search for two bytes takes ten times as long
        if returns:
            plain = raw.replace(b"\r\n", b"\n")
            usual = b"\r\n" not in plain and not plain.endswith(b"\r")  # or else there are several at one end
        ends = self._prefilter.match_ends(plain) if usual else None
        if ends is not None:
            numbers, lines = _cut_lines(plain, ends)
            if not numbers:
                return None, None
            return pl.Series(numbers), text_cell(b"\n".join([*lines, b""]), returns)
        cell = text_cell(raw, returns)
        return None, cell if self._matched or self._pattern.may_match(cell) else None


_NO_NUMBERS = pl.Series([], dtype=pl.Int64)
_NO_LINES = pl.Series([], dtype=pl.String)


def _cut_lines(raw: bytes, ends: list[int]) -> tuple[list[int], list[bytes]]:
    """The lines in which matches end (at these offsets, rising), each line once, and their numbers."""
    numbers, lines = list[int](), list[bytes]()
    number, counted, behind = 0, 0, -1
    for end in ends:
        if end <= behind:
            continue
        start = raw.rfind(b"\n", 0, end) + 1  # an empty match at the start of a line is of that line
        if start == len(raw):
            break
        number += raw.count(b"\n", counted, start)
        counted, behind = start, raw.find(b"\n", end)
        behind = len(raw) if behind < 0 else behind
        numbers.append(number)
        lines.append(raw[start:behind])
    return numbers, lines


def text_cell(raw: bytes, returns: bool) -> pl.Series:
    """Lines as one cell of text, as many as there are in `raw`, with neither escape sequences nor CRs at ends.

    `returns`: whether there may be CRs; each look for a byte takes a tenth of what the search itself takes.
    """
    content = raw[:-1] if raw.endswith(b"\n") else raw
    try:
        text = pl.Series([content], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:  # not UTF-8; the check is 5 times faster than a decoding that repairs
        text = pl.Series([content.decode("utf-8", "replace")])
    if b"\x1b" in raw or b"\xc2" in raw:  # ESC, or the first byte of a C1 control in UTF-8
        text = text.str.replace_all(ESCAPES, "")
    if returns:
        text = text.str.replace_all(_RETURNS, "\n").str.strip_chars_end("\r")
    return text


def line_text(line: bytes) -> str:
    """One line as it is searched."""
    return strip(line.decode("utf-8", "replace")).rstrip("\r")
