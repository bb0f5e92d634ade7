"""A log that streams by in pieces of whole lines, without escape sequences, of which none is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from backends.logs.ansi import ESCAPES

WINDOW = 1 << 20
LONGEST = 1 << 20  # bytes of a line that are looked at; the rest of a longer one is looked at as lines of their own


@dataclass(frozen=True)
class Window:
    """Whole lines from number `first` (from 1) on; `text` is one cell."""

    first: int
    text: pl.Series
    count: int

    def lines(self) -> pl.Series:
        return self.text.str.split("\n").explode()


def windows(pieces: Iterable[bytes]) -> Iterator[Window]:
    """Holds at most `WINDOW` + one piece + one line at a time."""
    held: list[bytes] = []
    size, first = 0, 1
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < WINDOW:
            continue
        whole = b"".join(held)
        cut = whole.rfind(b"\n") + 1
        if not cut and size < LONGEST + WINDOW:
            held = [whole]
            continue
        cut = cut or len(whole)
        made = _window(first, whole[:cut])
        yield made
        first += whole.count(b"\n", 0, cut)
        held, size = [whole[cut:]], len(whole) - cut
    rest = b"".join(held)
    if rest:
        yield _window(first, rest)


def _window(first: int, raw: bytes) -> Window:
    content = raw[:-1] if raw.endswith(b"\n") else raw
    try:
        text = pl.Series([content], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        text = pl.Series([content.decode("utf-8", "replace")])
    if b"\x1b" in raw or b"\xc2" in raw:
        text = text.str.replace_all(ESCAPES, "")
    if b"\r" in raw:
        text = text.str.replace_all(r"\r+\n", "\n").str.strip_chars_end("\r")
    return Window(first, text, content.count(b"\n") + 1)
