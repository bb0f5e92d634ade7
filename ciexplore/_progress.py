"""Progress for people: one line on a terminal's stderr, or below the cell of a Jupyter notebook; else nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from backends.progress_line import Progress

_PATIENCE = 0.4  # seconds; what is done by then shows no line at all


class NotebookProgress(Progress):
    """One line below the cell that runs, replaced at most ten times a second and empty at the end."""

    def __init__(self, display: Callable[..., Any]) -> None:
        super().__init__()
        self._last = time.monotonic() + _PATIENCE
        self._display = display
        self._handle: Any = None

    def show(self, words: Callable[[], str] | str) -> None:
        if time.monotonic() - self._last < 0.1:
            return
        self._last = time.monotonic()
        self._write(words if isinstance(words, str) else words())

    def clear(self) -> None:
        if self._handle is not None:
            self._write("")

    def _write(self, text: str) -> None:
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class NoProgress(Progress):
    """For scripts that want silence."""

    def show(self, words: Callable[[], str] | str) -> None:
        pass

    def clear(self) -> None:
        pass


def make_progress(wanted: bool) -> Progress:
    """What fits where this runs. IPython is never imported: in a notebook it is there already."""
    if not wanted:
        return NoProgress()
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        return NotebookProgress(import_module("IPython.display").display)
    return Progress()
