"""The small dialogs: confirming, the menu and its questions, opening what is pasted, help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from backends.errors import AppError
from backends.frames.formats import safe_text
from backends.locators import Locator
from backends.resources import Action, Entry, Link, Question
from tui.history import Visit
from tui.keymap import help_rows
from tui.widgets.list_pane import LocatorBox, Parse

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


class ConfirmDialog(ModalScreen[bool]):
    """A yes-or-no question; Esc and `n` mean no."""

    DEFAULT_CSS = """
    ConfirmDialog { align: center middle; }
    ConfirmDialog > Vertical { width: 70; max-width: 95%; height: auto; border: round $warning; background: $surface;
        padding: 1 2; }
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


class MenuDialog(ModalScreen[Entry | None]):
    """What else can be opened or done from a list; chosen by arrow keys, by its key or by the mouse."""

    DEFAULT_CSS = """
    MenuDialog { align: center middle; }
    MenuDialog > Vertical { width: 80; max-width: 96%; height: auto; max-height: 90%; border: round $primary;
        background: $surface; padding: 0 1; }
    MenuDialog #menu-title { text-style: bold; text-wrap: nowrap; text-overflow: ellipsis; }
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
            yield Static(Text(safe_text(self._title), no_wrap=True, overflow="ellipsis"), id="menu-title")
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


class QuestionDialog(ModalScreen[Locator | None]):
    """One question whose answer becomes a locator; an invalid answer shows its error and can be corrected."""

    DEFAULT_CSS = """
    QuestionDialog { align: center middle; }
    QuestionDialog > Vertical { width: 90; max-width: 96%; height: auto; border: round $primary; background: $surface;
        padding: 0 1; }
    QuestionDialog #question-error { color: $text-error; height: auto; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(safe_text(self._question.asks, limit=400)))
            yield Input(self._question.value)
            yield Static("", id="question-error")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _text_changed(self) -> None:
        self.query_one("#question-error", Static).update("")

    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self.dismiss(self._question.opens(event.value))
        except AppError as error:
            self.query_one("#question-error", Static).update(Text(str(error)))


class LocateDialog(ModalScreen[Locator | None]):
    """Ctrl+O: paste something to open, over whatever is shown."""

    DEFAULT_CSS = """
    LocateDialog { align: center top; }
    LocateDialog > Vertical { width: 90%; max-width: 120; height: auto; max-height: 90%; margin-top: 2;
        border: round $primary; background: $surface; padding: 0 1; }
    LocateDialog Label { text-style: bold; padding: 0 1; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, parse: Parse, visits: Sequence[Visit]) -> None:
        super().__init__()
        self._box = LocatorBox(parse, visits)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label("Open")
            yield self._box

    def on_mount(self) -> None:
        self._box.focus_input()

    @on(LocatorBox.Selected)
    def _select(self, event: LocatorBox.Selected) -> None:
        event.stop()
        self.dismiss(event.locator)


class HelpDialog(ModalScreen[None]):
    """`?`: every key, from the same table as the bindings, and the filter language. Scrolls; Esc, q or ? closes it."""

    DEFAULT_CSS = """
    HelpDialog { align: center middle; }
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
