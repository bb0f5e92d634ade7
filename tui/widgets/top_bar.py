"""The first line of the screen: which panes there are, what is being downloaded, whether servers are asked at all."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Static

from backends.systems import panes

PANES = (*((one.key, one.name, one.label) for one in panes()), ("f6", "transfers", "Transfers"))
_ROOMY = 96  # cells; with fewer the name of the app gives way to its panes


class TopBar(Static):
    """Draws the panes as tabs; a click on one asks for it."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $primary-background; color: $foreground; }
    """

    class PaneChosen(Message):
        def __init__(self, pane: str) -> None:
            self.pane = pane
            super().__init__()

    def __init__(self, mode: str, demo: bool) -> None:
        super().__init__("")
        self._words = " · ".join(word for word in ("" if mode == "normal" else mode, "demo" if demo else "") if word)
        self._active = PANES[0][1]
        self._transfers = ""
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def show(self, *, active: str | None = None, transfers: str | None = None) -> None:
        before = (self._active, self._transfers)
        self._active = active if active is not None else self._active
        self._transfers = transfers if transfers is not None else self._transfers
        if before != (self._active, self._transfers):
            self.redraw()

    def redraw(self) -> None:
        name = " ciexplore " if self.size.width >= _ROOMY else ""
        text = Text(name, style="bold", no_wrap=True, overflow="ellipsis")
        self._places = []
        for key, pane, label in PANES:
            start = text.cell_len
            tab = f" {key.upper()} {label}{' ' + self._transfers if pane == 'transfers' and self._transfers else ''} "
            text.append(tab, "reverse bold" if pane == self._active else "")
            self._places.append((start, text.cell_len, pane))
        if self._words:
            text.append(" " * max(1, self.size.width - text.cell_len - len(self._words) - 1))
            text.append(self._words, "bold italic")
        self.update(text)

    def on_click(self, event: events.Click) -> None:
        for start, end, pane in self._places:
            if start <= event.x < end:
                self.post_message(self.PaneChosen(pane))
