"""The bases of all dialogs, and the small ones: confirming, the menu and its questions, help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from backends.errors import AppError
from backends.frames.formats import safe_text
from backends.locators import Locator
from backends.resources import Action, Entry, Link, Question
from tui.keymap import help_rows

T = TypeVar("T")
_MENU_KEYS = "123456789abcdefghilmnoprstuvwxyz"  # j, k and q have their usual meaning
_FILTERS = (
    ("linux mochitest", "rows with both words, in any text column"),
    ('"opt browsertime"', "these words with the space between them"),
    ("state:failed,exception", "the column is one of these (text columns: contains it)"),
    ("-kind:build", "not these"),
    ("duration>30m size<1MB", "numbers with their units; also >= <= = !="),
    ("started>2h", "within the last two hours; dates as 2026-11-20 or 2026-11-20T10:00"),
    ("reason:", "the column is empty"),
    ("/cycle \\d+/", "a regular expression; name:/…/ in one column"),
)


class Dialog(ModalScreen[T], Generic[T]):
    """A box in the middle of the screen."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical { width: 96%; height: auto; border: round $primary; background: $surface; padding: 0 1; }
    Dialog .title { text-style: bold; }
    Dialog .error { color: $text-error; height: auto; }
    """


class FormDialog(Dialog[T | None]):
    """Inputs and tick boxes, a button that goes ahead (also F2) and one that cancels (also Esc).

    Subclasses define `action_go`.
    """

    DEFAULT_CSS = """
    FormDialog .field { height: 1; }
    FormDialog .field Label { width: 12; color: $text-muted; }
    FormDialog Input, FormDialog Input:focus { border: none; height: 1; width: 1fr; padding: 0 1; background: $boost; }
    FormDialog TickBox, FormDialog TickBox:focus { border: none; height: 1; padding: 0; background: transparent; }
    FormDialog .buttons { height: 1; margin-top: 1; }
    FormDialog Button { margin-right: 2; height: 1; border: none; min-width: 12; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel"), Binding("ctrl+j,f2", "go", show=False)]

    def compose_buttons(self, label: str, *, disabled: bool = False) -> ComposeResult:
        with Horizontal(classes="buttons"):
            yield Button(label, id="go", variant="primary", disabled=disabled, compact=True)
            yield Button("Cancel (Esc)", id="cancel", compact=True)

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "go":
            self.action_go()
        else:
            self.dismiss(None)

    def action_go(self) -> None:
        raise NotImplementedError


class ConfirmDialog(Dialog[bool]):
    """A yes-or-no question; Esc and `n` mean no."""

    DEFAULT_CSS = """
    ConfirmDialog > Vertical { width: 70; max-width: 95%; border: round $warning; padding: 1 2; }
    ConfirmDialog Horizontal { height: auto; margin-top: 1; }
    ConfirmDialog Button { margin-right: 2; }
    """
    BINDINGS = [
        Binding("escape,n", "dismiss(False)", "No"),
        Binding("y", "dismiss(True)", "Yes"),
    ]

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question = question
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(self._question))
            with Horizontal():
                yield Button(f"{self._yes} (y)", id="yes", variant="warning")
                yield Button("Stay (Esc)", id="no", variant="primary")

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class MenuDialog(Dialog[Entry | None]):
    """What else can be opened or done from a list; chosen by arrow keys, by its key or by the mouse."""

    DEFAULT_CSS = """
    MenuDialog > Vertical { width: 80; max-width: 96%; max-height: 90%; }
    MenuDialog .title { text-wrap: nowrap; text-overflow: ellipsis; }
    MenuDialog OptionList, MenuDialog OptionList:focus { height: auto; max-height: 30; border: none; padding: 0;
        background: transparent; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        *(Binding(key, f"choose({number})", show=False) for number, key in enumerate(_MENU_KEYS)),
    ]

    def __init__(self, title: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._title = title
        self._entries = list(entries)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(safe_text(self._title), no_wrap=True, overflow="ellipsis"), classes="title")
            yield OptionList(*(Option(_entry_label(number, entry)) for number, entry in enumerate(self._entries)))

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _select(self, event: OptionList.OptionSelected) -> None:
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


def _entry_label(number: int, entry: Entry) -> Text:
    where = "browser" if isinstance(entry, Link) and isinstance(entry.opens, str) else ""
    kind = {Question: "asks", Action: "does"}.get(type(entry), where)
    key = _MENU_KEYS[number] if number < len(_MENU_KEYS) else " "
    text = Text.assemble((f"{key}  ", "bold"), safe_text(entry.label, limit=200), no_wrap=True, overflow="ellipsis")
    return text.append(f"  ({kind})", "dim") if kind else text


class QuestionDialog(Dialog[Locator | None]):
    """One question whose answer becomes a locator; an invalid answer shows its error and can be corrected."""

    DEFAULT_CSS = "QuestionDialog > Vertical { width: 90; max-width: 96%; }"
    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(safe_text(self._question.asks, limit=400)))
            yield Input(self._question.value)
            yield Static("", classes="error")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _text_changed(self) -> None:
        self.query_one(".error", Static).update("")

    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self.dismiss(self._question.opens(event.value))
        except AppError as error:
            self.query_one(".error", Static).update(Text(str(error)))


class HelpDialog(Dialog[None]):
    """`?`: every key, from the same table as the bindings, and the filter language. Scrolls; Esc, q or ? closes it."""

    DEFAULT_CSS = """
    HelpDialog VerticalScroll { width: 90%; max-width: 110; height: 90%; border: round $primary; background: $surface;
        padding: 0 2; }
    HelpDialog Static { height: auto; margin-bottom: 1; }
    """
    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss(None)", "Close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, remapped: Mapping[str, str]) -> None:
        super().__init__()
        self._sections = help_rows(remapped)

    def compose(self) -> ComposeResult:
        names = [(title, ", ".join(name for _, _, name in rows)) for title, rows in self._sections]
        with VerticalScroll():
            for title, rows in self._sections:
                yield Static(_table(title, [(keys, sentence) for keys, sentence, _ in rows]))
            yield Static(_table("The filter language", _FILTERS))
            yield Static(_table("Names of the actions, for [keys] in config.toml", names))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)


def _table(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    table.add_column(no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(Text(left, style="bold"), Text(right))
    return table
