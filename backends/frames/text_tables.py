"""Text cut and padded to terminal cells, and a frame as a table of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import polars as pl

from backends.frames.export import select_columns
from backends.frames.formats import format_series, safe_text
from backends.frames.schema import Column, Schema

_COMBINING = frozenset({"Mn", "Me", "Cf"})


@lru_cache(maxsize=4096)
def _sign_width(sign: str) -> int:
    if unicodedata.category(sign) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def cell_width(text: str) -> int:
    """Cells of a one-line text without control characters."""
    return len(text) if text.isascii() else sum(map(_sign_width, text))


def cut_text(text: str, width: int) -> str:
    """The text in at most `width` cells, the last one "…" if it is longer."""
    if cell_width(text) <= width:
        return text
    if width <= 0:
        return ""
    kept, used = [], 0
    for sign in text:
        used += _sign_width(sign)
        if used > width - 1:
            break
        kept.append(sign)
    return "".join(kept) + "…"


def pad_text(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` cells; `right`: its end stands at the right."""
    text = cut_text(text, width)
    space = " " * (width - cell_width(text))
    return space + text if right else text + space


_GAP = "  "
_NARROWEST = 6  # a column is not squeezed below this while there are others to leave out
_BLOCK = 4096


def render_table(frame: pl.DataFrame, schema: Schema, width: int, columns: Sequence[str] | None = None) -> str:
    """The rows as text, a header line first; no line is wider than `width` cells (0: as wide as it needs).

    `columns`: which ones, by default those that are not hidden. Where they do not fit, the widest are cut first, then
    the last ones are left out and named in a line below. There is no newline at the end.
    """
    return "\n".join(table_lines(frame, schema, width, columns))


def table_lines(frame: pl.DataFrame, schema: Schema, width: int, columns: Sequence[str] | None = None) -> Iterator[str]:
    """The lines of `render_table`, formatted as they are asked for."""
    names = columns if columns is not None else [column.name for column in schema if not column.hidden]
    wanted = [schema[name] for name in select_columns(schema, names)]
    cells = _format_block(frame.head(_BLOCK), wanted)
    natural = [
        max(cell_width(column.label), max(map(cell_width, texts), default=1))
        for column, texts in zip(wanted, cells, strict=True)
    ]
    widths = _fitted(natural, width)
    shown, left_out = wanted[: len(widths)], wanted[len(widths) :]
    yield from _lines([[safe_text(column.label)] for column in shown], shown, widths)
    for start in range(0, len(frame), _BLOCK):
        block = cells[: len(shown)] if start == 0 else _format_block(frame.slice(start, _BLOCK), shown)
        yield from _lines(block, shown, widths)
    if left_out:
        note = f"(not shown: {', '.join(column.name for column in left_out)})"
        yield cut_text(note, width)


def _format_block(frame: pl.DataFrame, columns: Sequence[Column]) -> list[list[str]]:
    """The texts of each column."""
    return [format_series(frame.get_column(column.name), column) for column in columns]


def _lines(cells: Sequence[Sequence[str]], columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    """The lines of a block, padded column by column."""
    padded = [
        _pad_column(texts, width, right=column.is_numeric)
        for texts, column, width in zip(cells, columns, widths, strict=True)
    ]
    for row in zip(*padded, strict=True):
        yield _GAP.join(row).rstrip()


def _pad_column(texts: Sequence[str], width: int, *, right: bool) -> list[str]:
    """As `pad_text`, which nearly no cell needs: most are short and ASCII."""
    pad = str.rjust if right else str.ljust
    return [
        pad(text, width) if len(text) <= width and text.isascii() else pad_text(text, width, right=right)
        for text in texts
    ]


def _fitted(natural: list[int], width: int) -> list[int]:
    """The widths to draw with, fewer than asked if even squeezed columns do not fit."""
    if width <= 0:
        return natural
    widths = list(natural)
    while len(widths) > 1 and sum(min(one, _NARROWEST) for one in widths) + len(_GAP) * (len(widths) - 1) > width:
        widths.pop()
    room = width - len(_GAP) * (len(widths) - 1)
    # From the narrowest on each takes what it needs but no more than an equal share of what is left.
    for rank, place in enumerate(sorted(range(len(widths)), key=lambda place: natural[place])):
        widths[place] = max(1, min(widths[place], room // (len(widths) - rank)))
        room -= widths[place]
    return widths
