"""How many terminal cells a text takes, and how it is cut and padded to a number of them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_COMBINING = frozenset({"Mn", "Me", "Cf"})


@lru_cache(maxsize=4096)
def _sign_width(sign: str) -> int:
    if unicodedata.category(sign) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def cell_width(text: str) -> int:
    """Cells of a one-line text without control characters."""
    return len(text) if text.isascii() else sum(map(_sign_width, text))


def cut(text: str, width: int) -> str:
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


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` cells; `right`: its end stands at the right."""
    text = cut(text, width)
    space = " " * (width - cell_width(text))
    return space + text if right else text + space
