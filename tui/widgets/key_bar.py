"""The last line: the keys that can be pressed now and what they do.

One line of text where Textual's Footer is a widget a key, all made anew whenever the focus moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.screen import Screen


class KeyBar(Widget):
    """A click on a key presses it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"key-bar--key", "key-bar--disabled"}
    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; color: $footer-description-foreground; background: $footer-background; }
    KeyBar .key-bar--key { color: $footer-key-foreground; background: $footer-key-background; text-style: bold; }
    KeyBar .key-bar--disabled { text-style: dim; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []  # (first cell, end, key)

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._show_bindings)

    def _show_bindings(self, screen: Screen[Any]) -> None:
        if screen is self.screen:
            self.refresh()

    def render(self) -> Text:
        """Help comes last; where there is too little room it is the keys before it that go."""
        shown: dict[str, tuple[Binding, bool]] = {}
        for _, binding, enabled, _ in self.screen.active_bindings.values():
            if binding.show:
                shown.setdefault(binding.action, (binding, enabled))
        help_key = shown.pop("help", None)
        labels = [(binding, enabled, self.app.get_key_display(binding)) for binding, enabled in shown.values()]
        if help_key is not None:
            last = self.app.get_key_display(help_key[0])
            room = self.size.width - _cells(help_key[0], last)
            while labels and sum(_cells(binding, key) for binding, _, key in labels) > room:
                labels.pop()
            labels.append((*help_key, last))
        plain, bold = self.rich_style, self.get_component_rich_style("key-bar--key")
        dim = self.get_component_rich_style("key-bar--disabled")
        text = Text(no_wrap=True, overflow="ellipsis")
        self._places = []
        for binding, enabled, key in labels:
            start = text.cell_len
            text.append(key, bold if enabled else dim)
            text.append(f" {binding.description} ", plain if enabled else dim)
            if enabled:
                self._places.append((start, text.cell_len - 1, binding.key))
        return text

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._places:
            if start <= event.x < end:
                self.app.simulate_key(key)


def _cells(binding: Binding, key: str) -> int:
    return cell_len(f"{key} {binding.description} ")
