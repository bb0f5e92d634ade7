"""How far work is, in one line on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable


class Progress:
    """One line on stderr that is written over, only on a terminal, at most ten times a second."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._last = 0.0
        self._width = 0

    def show(self, words: Callable[[], str] | str) -> None:
        if not self._on or time.monotonic() - self._last < 0.1:
            return
        self._last = time.monotonic()
        text = words if isinstance(words, str) else words()
        text = text[: shutil.get_terminal_size((80, 24)).columns - 1]
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def clear(self) -> None:
        if self._on and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
