"""The first thing one sees: where to paste, what to come back to, what is understood."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from backends.systems import accepted_forms
from tui.history import Visit
from tui.widgets.locator_box import LocatorBox


class Start(VerticalScroll, can_focus=False):
    """Shown in a pane while nothing is open."""

    DEFAULT_CSS = """
    Start { padding: 1 2; }
    Start #start-title { text-style: bold; color: $primary; }
    Start #start-forms { color: $text-muted; margin-top: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, visits: Sequence[Visit], greeting: str, system: str) -> None:
        super().__init__()
        self._visits = visits
        self._greeting = greeting
        self._system = system

    def compose(self) -> ComposeResult:
        yield Static(Text(self._greeting), id="start-title")
        yield LocatorBox(self._visits, id="start-box")
        yield Static(_forms(self._system), id="start-forms")

    def offer(self, visits: Sequence[Visit]) -> None:
        self.query_one(LocatorBox).offer(visits)

    def focus_input(self) -> None:
        self.query_one(LocatorBox).focus_input()


def _forms(system: str) -> Text:
    """Plain padded text: a rich Table of the same rows costs 20 ms of every start."""
    forms = [("paste", "To open"), *accepted_forms(system)]
    width = max(len(meaning) for _, meaning in forms)
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, (form, meaning) in enumerate(forms):
        text.append(f"{meaning.ljust(width)}  {form}\n", "" if number else "bold")
    return text
