"""The status line of a list: how many rows, how many marked, where they came from and how old they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from rich.text import Text
from textual.widgets import Static

from backends.frames.formats import safe_text
from backends.http.response import Freshness, describe_freshness

_SAID = 5.0  # seconds that what a key has done stays
_AGE_TICK = 5.0  # seconds between two redraws of the status line, since ages grow


@dataclass(frozen=True)
class ListStatus:
    """What the status line says. `at`: time.monotonic() when the age in `freshness` was true.

    `said`: what a key has just done; `note`: what is missing or odd in the list.
    """

    noun: tuple[str, str] = ("row", "rows")
    total: int = 0
    shown: int = 0
    marked: int = 0
    loading: bool = False
    expected: int | None = None
    freshness: Freshness | None = None
    at: float = field(default_factory=time.monotonic)
    summary: str = ""
    note: str = ""
    said: str = ""
    problem: str = ""


class StatusLine(Static):
    """One line: how many rows, how many marked, where the list came from and how old it is."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; color: $foreground; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis; }
    """

    def __init__(self, waits: Callable[[], str]) -> None:
        """`waits` says which server is waited for, "" for none; it is shown while the list is loading."""
        super().__init__("")
        self.status = ListStatus()
        self._waits = waits

    def on_mount(self) -> None:
        self.set_interval(_AGE_TICK, self.redraw)

    def show(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self.redraw()

    def say(self, text: str) -> None:
        """What a key has done, for a moment."""
        self.show(said=text)
        self.set_timer(_SAID, partial(self._unsay, text))

    def _unsay(self, text: str) -> None:
        if self.status.said == text:
            self.show(said="")

    def redraw(self) -> None:
        waiting = self._waits() if self.status.loading else ""
        self.update(format_status(self.status, time.monotonic(), waiting), layout=False)


def format_status(status: ListStatus, now: float, waiting: str = "") -> Text:
    """The line; what matters most comes first, since 80 columns cut the rest."""
    text = Text(no_wrap=True, overflow="ellipsis")
    noun = status.noun[status.total != 1]
    if status.problem:
        text.append(f"✖ {safe_text(status.problem)}  ", "bold")
    if status.loading:
        expected = f" of {status.expected:,}" if status.expected else ""
        if waiting:
            text.append(f"◌ {safe_text(waiting)} (Ctrl+X stops)  ", "bold")
        text.append(f"◌ loading, {status.total:,}{expected} {noun} so far (Ctrl+X stops)  ", "bold")
    else:
        text.append(f"{status.total:,} {noun}")
    if status.shown != status.total:
        text.append(f" · {status.shown:,} shown")
    if status.marked:
        text.append(f" · ● {status.marked:,} marked", "bold")
    if status.said:
        text.append(f" · {safe_text(status.said)}", "bold")
    if status.freshness is not None:
        text.append(f" · {describe_freshness(status.freshness, now - status.at)}")
    if status.note:
        text.append(f" · {safe_text(status.note)}")
    if status.summary:
        text.append(f" · {safe_text(status.summary)}")
    return text
