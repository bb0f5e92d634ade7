"""The command palette: every command of the place one is in, the menu's entries included, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input, OptionList, Static

from tui.fuzzy import match_letters
from tui.widgets.dialogs import ChoiceDialog

MAX_SHOWN = 200


@dataclass(frozen=True)
class Command:
    """`label`: what it does; `where`: in what; `key`: as written, "" for none."""

    label: str
    where: str
    key: str
    run: Callable[[], object]


class PaletteDialog(ChoiceDialog[Command]):
    """Gives the command that was chosen; the caller runs it once the dialog is gone."""

    DEFAULT_CSS = """
    PaletteDialog { align: center top; }
    PaletteDialog > .box { margin-top: 1; }
    PaletteDialog #palette-count { height: 1; color: $ci-muted; text-align: right; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Close")]
    keys = "↑↓ choose · ⏎ runs · esc closes"
    placeholder = "what to do"

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__("Commands")
        self._commands = list(commands)

    def compose_body(self) -> ComposeResult:
        yield Static("", id="palette-count")

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        self.set_focus(self.query_one(Input))

    def on_resize(self) -> None:
        self.show_choices(self.query_one(Input).value)

    def show_choices(self, text: str) -> None:
        """Those that match, the best first; all in their order for an empty text."""
        scored = [
            (match_letters(text, one.label)[0] if text else 1.0, number) for number, one in enumerate(self._commands)
        ]
        order = sorted(((-score, number) for score, number in scored if score > 0))
        shown = [self._commands[number] for _, number in order][:MAX_SHOWN]
        accent = self.app.theme_variables["ci-accent"]
        width = max(24, min(72, int(self.size.width * 0.94)) - 8)  # without border, padding, scrollbar
        self.set_choices([(one, self._draw(one, text, accent, width)) for one in shown])
        self.query_one("#palette-count", Static).update(f"{len(order):,} of {len(self._commands):,}")

    @staticmethod
    def _draw(command: Command, typed: str, accent: str, width: int) -> Text:
        plain = _highlighted(command.label, typed, accent)
        key = f" {command.key}" if command.key else ""
        where = f" {command.where}"
        plain.truncate(max(8, width - len(where) - len(key) - 1), overflow="ellipsis", pad=True)
        return Text.assemble(" ", plain, (where, "dim"), (key, f"bold {accent}"), no_wrap=True, overflow="ellipsis")


def _highlighted(label: str, typed: str, accent: str) -> Text:
    """The label with the letters that match in the accent."""
    text = Text(label)
    for place in match_letters(typed, label)[1]:
        text.stylize(f"bold {accent}", place, place + 1)
    return text
