"""Pastes are text: escape sequences in them are none.

Textual reads the sequences in a bracketed paste as it reads those of keys, and hands on as keys what it does not know:
coloured text pasted into a list would run its letters as commands. Most terminals take escapes out of what is pasted,
not all do.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

_START, _END, _ESCAPE = "\x1b[200~", "\x1b[201~", "\x1b"


class PasteFilter:
    """Takes the escape characters out of bracketed pastes, in text that comes in pieces."""

    def __init__(self) -> None:
        self._in_paste = False
        self._before = ""  # outside: the last characters passed on, which may begin a paste
        self._held = ""  # inside: the last characters, which may end it

    def feed(self, piece: str) -> str:
        """What of it can be passed on."""
        passed = []
        while piece:
            if self._in_paste:
                text = self._held + piece
                self._held, piece = "", ""
                inside, end, after = text.partition(_END)
                if end:
                    self._in_paste, piece = False, after
                else:
                    kept = next(size for size in range(len(_END) - 1, -1, -1) if text.endswith(_END[:size]))
                    inside, self._held = text[: len(text) - kept], text[len(text) - kept :]
                passed.append(inside.replace(_ESCAPE, "") + end)
            else:
                text = self._before + piece
                found = text.find(_START)
                end_at = found + len(_START) if found >= 0 else len(text)
                passed.append(text[len(self._before) : end_at])
                piece = text[end_at:]
                self._in_paste = found >= 0
                self._before = "" if found >= 0 else text[1 - len(_START) :]
        return "".join(passed)


class PasteSafeParser(XTermParser):
    """Textual's parser of what a terminal sends, behind the filter."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._filter = PasteFilter()

    def feed(self, data: str) -> Iterable[Message]:
        kept = self._filter.feed(data)
        return super().feed(kept) if kept or not data else ()  # "" would mean the end


def guard_pastes() -> None:
    """Lets the apps of this process use it."""
    linux_driver.XTermParser = PasteSafeParser  # type: ignore[attr-defined]
