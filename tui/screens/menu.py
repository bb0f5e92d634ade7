"""`x`: what else can be opened or done from a list, to be chosen by arrow keys, by its sign or by the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from backends.errors import AppError
from backends.frames.formats import safe_text
from backends.locators import Locator
from backends.resources import Action, Entry, Link, Question

_KEYS = "123456789abcdefghilmnoprstuvwxyz"  # j, k and q have their usual meaning


class MenuScreen(ModalScreen[Entry | None]):
    """Gives the entry that was chosen, or None."""

    DEFAULT_CSS = """
    MenuScreen { align: center middle; }
    MenuScreen > Vertical { width: 80; max-width: 96%; height: auto; max-height: 90%; border: round $primary;
        background: $surface; padding: 0 1; }
    MenuScreen #menu-title { text-style: bold; text-wrap: nowrap; text-overflow: ellipsis; }
    MenuScreen OptionList, MenuScreen OptionList:focus { height: auto; max-height: 30; border: none; padding: 0;
        background: transparent; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        *(Binding(key, f"choose({number})", show=False) for number, key in enumerate(_KEYS)),
    ]

    def __init__(self, title: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._title = title
        self._entries = list(entries)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(safe_text(self._title), no_wrap=True, overflow="ellipsis"), id="menu-title")
            yield OptionList(*(Option(_line(number, entry)) for number, entry in enumerate(self._entries)))

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._entries[event.option_index])

    def action_choose(self, number: int) -> None:
        if number < len(self._entries):
            self.dismiss(self._entries[number])

    def action_move(self, step: int) -> None:
        choices = self.query_one(OptionList)
        if step > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()


def _line(number: int, entry: Entry) -> Text:
    where = "browser" if isinstance(entry, Link) and isinstance(entry.opens, str) else ""
    kind = {Question: "asks", Action: "does"}.get(type(entry), where)
    key = _KEYS[number] if number < len(_KEYS) else " "
    text = Text.assemble((f"{key}  ", "bold"), safe_text(entry.label, limit=200), no_wrap=True, overflow="ellipsis")
    return text.append(f"  ({kind})", "dim") if kind else text


class AskScreen(ModalScreen[Locator | None]):
    """One question whose answer becomes a locator; a wrong answer is told in the box and can be mended."""

    DEFAULT_CSS = """
    AskScreen { align: center middle; }
    AskScreen > Vertical { width: 90; max-width: 96%; height: auto; border: round $primary; background: $surface;
        padding: 0 1; }
    AskScreen #ask-problem { color: $text-error; height: auto; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(safe_text(self._question.asks, limit=400)))
            yield Input(self._question.value)
            yield Static("", id="ask-problem")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one("#ask-problem", Static).update("")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        make: Callable[[str], Locator] = self._question.opens
        try:
            locator = make(event.value)
        except AppError as problem:
            self.query_one("#ask-problem", Static).update(Text(str(problem)))
            return
        self.dismiss(locator)
