"""How far work is, in one line on a terminal: said by the work itself, or looked at every now and then."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TICK = 0.25  # seconds between two looks


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
        room = max(1, shutil.get_terminal_size((80, 24)).columns - 1)
        text = text if len(text) <= room else text[: room - 1] + "…"  # a number that is cut must not look like another
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    @contextmanager
    def following(self, words: Callable[[], str]) -> Iterator[Progress]:
        """Shows what `words` says (nothing: ""), again and again, from another thread, which ends with the block."""
        if not self._on:
            yield self
            return
        ended = threading.Event()

        def follow() -> None:
            while True:
                if text := words():
                    self.show(text)
                if ended.wait(_TICK):
                    return

        thread = threading.Thread(target=follow, name="progress", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()
            self.clear()

    def clear(self) -> None:
        if self._on and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
