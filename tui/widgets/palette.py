"""The command palette: every command of the place one is in, the menu's entries included, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input, OptionList, Static

from tui.fuzzy import match_letters
from tui.widgets.dialogs import ChoiceDialog

MAX_SHOWN = 200
_MAX_KEY = 9  # cells; the longest single key


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
        # The same columns whatever is typed.
        where = min(max((cell_len(one.where) for one in self._commands), default=0), width // 4)
        key = max((cell_len(_first_keys(one.key)) for one in self._commands), default=0)
        self.set_choices([(one, self._draw(one, text, accent, (width, where, key))) for one in shown])
        self.query_one("#palette-count", Static).update(f"{len(order):,} of {len(self._commands):,}")

    @staticmethod
    def _draw(command: Command, typed: str, accent: str, widths: tuple[int, int, int]) -> Text:
        """`widths`: the cells of the line, of the place and of the key, which are flush left below each other."""
        plain = _highlighted(command.label, typed, accent)
        where, key = Text(command.where, "dim"), Text(_first_keys(command.key), f"bold {accent}")
        plain.truncate(max(8, widths[0] - widths[1] - widths[2] - 5), overflow="ellipsis", pad=True)
        where.truncate(widths[1], overflow="ellipsis", pad=True)
        key.truncate(widths[2], overflow="ellipsis", pad=True)
        return Text.assemble(" ", plain, "  ", where, "  ", key, no_wrap=True, overflow="ellipsis")


def _first_keys(key: str) -> str:
    """The first of several keys of one command that the column has room for; Help has them all."""
    keys = key.split(", ")
    while len(keys) > 1 and cell_len(", ".join(keys)) > _MAX_KEY:
        keys.pop()
    return ", ".join(keys)


def _highlighted(label: str, typed: str, accent: str) -> Text:
    """The label with the letters that match in the accent."""
    text = Text(label)
    for place in match_letters(typed, label)[1]:
        text.stylize(f"bold {accent}", place, place + 1)
    return text
