"""Ctrl+O: paste something to open, over whatever is shown."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label

from backends.locators import Locator
from tui.history import Visit
from tui.widgets.locator_box import LocatorBox


class LocateScreen(ModalScreen[Locator | None]):
    """Gives the locator that was chosen, or None."""

    DEFAULT_CSS = """
    LocateScreen { align: center top; }
    LocateScreen > Vertical { width: 90%; max-width: 120; height: auto; max-height: 90%; margin-top: 2;
        border: round $primary; background: $surface; padding: 0 1; }
    LocateScreen Label { text-style: bold; padding: 0 1; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, visits: Sequence[Visit]) -> None:
        super().__init__()
        self._visits = visits

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label("Open")
            yield LocatorBox(self._visits)

    def on_mount(self) -> None:
        self.query_one(LocatorBox).focus_input()

    @on(LocatorBox.Chosen)
    def _chosen(self, event: LocatorBox.Chosen) -> None:
        event.stop()
        self.dismiss(event.locator)
