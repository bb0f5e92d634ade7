"""The status line of a list: how many rows, how many marked, where they came from and how old they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from backends.frames.formats import safe_text
from backends.http.response import Freshness, ResponseSource, describe_freshness
from backends.loading import LoadingWork

_SAID = 5.0  # seconds that what a key has done stays
_AGE_TICK = 5.0  # seconds between two redraws of the status line, since ages grow
_ROLES = ("failed", "warning", "running", "accent", "muted")


@dataclass(frozen=True)
class ListStatus:
    """What the status line says. `at`: time.monotonic() when the age in `freshness` was true.

    `work`, `left`: how far loading is, where rows do not tell, and how long it will take ("40 s left").
    `said`: what a key has just done; `note`: what is missing or odd in the list; `order`: how it is sorted.
    `in_header`: parts of `summary` that the lines above the list say.
    """

    noun: tuple[str, str] = ("row", "rows")
    total: int = 0
    shown: int = 0
    marked: int = 0
    loading: bool = False
    expected: int | None = None
    work: LoadingWork | None = None
    left: str = ""
    freshness: Freshness | None = None
    at: float = field(default_factory=time.monotonic)
    summary: str = ""
    in_header: frozenset[str] = frozenset()
    order: str = ""
    note: str = ""
    said: str = ""
    problem: str = ""


class StatusLine(Widget):
    """One line: how many rows, how many marked, where the list came from and how old it is."""

    COMPONENT_CLASSES = {f"status-line--{role}" for role in _ROLES}
    DEFAULT_CSS = """
    StatusLine { height: 1; background: $ci-bg; color: $ci-text; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis;
        & > .status-line--failed { color: $ci-failed; text-style: bold; }
        & > .status-line--warning { color: $ci-warning; text-style: bold; }
        & > .status-line--running { color: $ci-running; text-style: bold; }
        & > .status-line--accent { color: $ci-accent; text-style: bold; }
        & > .status-line--muted { color: $ci-muted; }
    }
    """

    def __init__(self, waits: Callable[[], str]) -> None:
        """`waits` says which server is waited for, "" for none; it is shown while the list is loading."""
        super().__init__()
        self.status = ListStatus()
        self._waits = waits

    def on_mount(self) -> None:
        self.set_interval(_AGE_TICK, self.refresh)

    def show(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self.refresh()

    def say(self, text: str) -> None:
        """What a key has done, for a moment."""
        self.show(said=text)
        self.set_timer(_SAID, partial(self._unsay, text))

    def _unsay(self, text: str) -> None:
        if self.status.said == text:
            self.show(said="")

    def render(self) -> Text:
        waiting = self._waits() if self.status.loading else ""
        styles = {role: self.get_component_rich_style(f"status-line--{role}", partial=True) for role in _ROLES}
        return format_status(self.status, time.monotonic(), waiting, styles, self.content_size.width)


def format_status(
    status: ListStatus,
    now: float,
    waiting: str = "",
    styles: Mapping[str, Style] | None = None,
    width: int = 0,
) -> Text:
    """The line; what matters most comes first, since 80 columns cut the rest. `styles`: by role.

    `width`: the cells that there are, 0 for as many as it takes. Counts and the order that do not fit are left out
    whole: half of a count reads as another.
    """

    def add(words: str, role: str = "") -> None:
        text.append(words, (styles or {}).get(role, "bold"))

    text = Text(no_wrap=True, overflow="ellipsis")
    noun = status.noun[status.total != 1]
    if status.problem:
        add(f"✖ {safe_text(status.problem)}  ", "failed")
    age = describe_freshness(status.freshness, now - status.at) if status.freshness is not None else ""
    if is_stale := status.freshness is not None and status.freshness.source is ResponseSource.STALE:
        add(f"{age} · ", "warning")
    if status.loading:
        expected = f" of {status.expected:,}" if status.expected else ""
        if waiting:
            add(f"◌ {safe_text(waiting)} (Ctrl+X stops)  ", "running")
        work = status.work.text if status.work is not None else ""
        counted = f"{status.total:,}{expected} {noun}" if status.total or not work else ""
        add(f"◌ loading: {' · '.join(part for part in (counted, work, status.left) if part)}", "running")
        add(" · Ctrl+X stops", "muted")
    else:
        text.append(f"{status.total:,} {noun}")
    if status.shown != status.total:
        text.append(f" · {status.shown:,} shown")
    if status.marked:
        text.append(" · ")
        add(f"● {status.marked:,} marked", "accent")
    if status.said:
        text.append(" · ")
        add(safe_text(status.said), "accent")
    counts = [part for part in status.summary.split(" · ") if part not in status.in_header]
    parts = [("" if is_stale else age, True), *((part, False) for part in counts), (status.note, True),
             (status.order, False)]  # fmt: skip
    for part, is_cut in parts:
        words = f" · {safe_text(part)}"
        if part and (is_cut or not width or text.cell_len + cell_len(words) <= width):
            add(words, "muted")
    return text
