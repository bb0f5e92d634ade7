"""The command palette: every command of the place one is in, the menu's entries included, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.widgets.dialogs import Dialog

MAX_SHOWN = 200


@dataclass(frozen=True)
class Command:
    """`label`: what it does; `where`: in what; `key`: as written, "" for none."""

    label: str
    where: str
    key: str
    run: Callable[[], object]


class PaletteInput(Input):
    """Up and Down go through the commands below."""

    BINDINGS = [
        Binding("down", "screen.move(1)", show=False),
        Binding("up", "screen.move(-1)", show=False),
        Binding("pagedown", "screen.move(10)", show=False),
        Binding("pageup", "screen.move(-10)", show=False),
    ]


class PaletteDialog(Dialog[Command | None]):
    """Gives the command that was chosen; the caller runs it once the dialog is gone."""

    DEFAULT_CSS = """
    PaletteDialog { align: center top; }
    PaletteDialog > .box { margin-top: 1; }
    PaletteDialog #palette-count { height: 1; color: $ci-muted; text-align: right; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Close")]
    keys = "↑↓ choose · ⏎ runs · esc closes"

    def __init__(self, commands: Sequence[Command], title: str = "Commands") -> None:
        super().__init__(title)
        self._commands = list(commands)
        self._shown: list[Command] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self._title
            box.border_subtitle = self.keys
            yield PaletteInput(placeholder="what to do", compact=True)
            yield Static("", id="palette-count")
            choices = OptionList()
            choices.can_focus = False
            yield choices

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))

    def on_resize(self) -> None:
        self.query_one(OptionList).styles.max_height = max(3, self.size.height - 6)
        self._show(self.query_one(Input).value)

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def _show(self, query: str) -> None:
        """Those that match, the best first; all in their order for an empty query."""
        matcher = Matcher(query)
        scored = [(matcher.match(one.label) if query else 1.0, number) for number, one in enumerate(self._commands)]
        order = sorted(((-score, number) for score, number in scored if score > 0))
        self._shown = [self._commands[number] for _, number in order][:MAX_SHOWN]
        accent = self.app.theme_variables["ci-accent"]
        width = max(24, min(72, int(self.size.width * 0.94)) - 4)
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options([Option(self._draw(one, matcher if query else None, accent, width)) for one in self._shown])
        choices.highlighted = 0 if self._shown else None
        self.query_one("#palette-count", Static).update(f"{len(order):,} of {len(self._commands):,}")

    @staticmethod
    def _draw(command: Command, matcher: Matcher | None, accent: str, width: int) -> Text:
        plain = Text(command.label) if matcher is None else _highlighted(command.label, matcher, accent)
        key = f" {command.key}" if command.key else ""
        where = f" {command.where}"
        plain.truncate(max(8, width - len(where) - len(key) - 1), overflow="ellipsis", pad=True)
        return Text.assemble(" ", plain, (where, "dim"), (key, f"bold {accent}"), no_wrap=True, overflow="ellipsis")

    @on(Input.Submitted)
    def _take_highlighted(self, event: Input.Submitted) -> None:
        event.stop()
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(self._shown[at])

    @on(OptionList.OptionSelected)
    def _take_clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index])

    def action_move(self, step: int) -> None:
        choices = self.query_one(OptionList)
        for _ in range(abs(step)):
            if step > 0:
                choices.action_cursor_down()
            else:
                choices.action_cursor_up()


def _highlighted(label: str, matcher: Matcher, accent: str) -> Text:
    """The label with the letters that match in the accent."""
    _, places = matcher.fuzzy_search.match(matcher.query, label)
    text = Text(label)
    for place in places:
        text.stylize(f"bold {accent}", place, place + 1)
    return text
