"""One line in words: how many rows, how many marked, where the list came from and how old it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rich.text import Text
from textual.widgets import Static

from backends.frames.formats import safe_text
from backends.http.response import Freshness, describe_freshness

TICK = 5.0  # seconds between redraws of the age


@dataclass(frozen=True)
class Status:
    """What the line says. `at`: time.monotonic() when `origin.age` was true."""

    noun: tuple[str, str] = ("row", "rows")
    total: int = 0
    shown: int = 0
    marked: int = 0
    loading: bool = False
    expected: int | None = None
    origin: Freshness | None = None
    at: float = field(default_factory=time.monotonic)
    summary: str = ""
    note: str = ""
    problem: str = ""


class StatusLine(Static):
    """Redraws itself when told and every few seconds, since ages grow."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; color: $foreground; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis; }
    """

    def __init__(self, waits: Callable[[], str] = str, *, id: str | None = None) -> None:
        """`waits` tells which server is waited for, "" for none; it is shown while the list is loading."""
        super().__init__("", id=id)
        self.status = Status()
        self._waits = waits

    def on_mount(self) -> None:
        self.set_interval(TICK, self.redraw)

    def show(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self.redraw()

    def redraw(self) -> None:
        waiting = self._waits() if self.status.loading else ""
        self.update(drawn(self.status, time.monotonic(), waiting))


def drawn(status: Status, now: float, waiting: str = "") -> Text:
    """The line; what matters most comes first, since 80 columns cut the rest."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if status.problem:
        text.append(f"✖ {safe_text(status.problem)}  ", "bold")
    if status.loading:
        of = f" of {status.expected:,}" if status.expected else ""
        if waiting:
            text.append(f"◌ {safe_text(waiting)} (Ctrl+X stops)  ", "bold")
        text.append(f"◌ loading, {status.total:,}{of} {status.noun[status.total != 1]} so far (Ctrl+X stops)  ", "bold")
    else:
        text.append(f"{status.total:,} {status.noun[status.total != 1]}")
    if status.shown != status.total:
        text.append(f" · {status.shown:,} shown")
    if status.marked:
        text.append(f" · ● {status.marked:,} marked", "bold")
    if status.origin is not None:
        text.append(f" · {describe_freshness(status.origin, now - status.at)}")
    if status.note:
        text.append(f" · {safe_text(status.note)}")
    if status.summary:
        text.append(f" · {safe_text(status.summary)}")
    return text
