"""The bases of all dialogs, and the small ones: confirming, the menu and its questions, help."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_letters, digits
from typing import Generic, TypeVar

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, SelectionList, Static
from textual.widgets._toggle_button import ToggleButton
from textual.widgets.option_list import Option

from backends.atomic import OutputExistsError, check_target
from backends.errors import AppError, FileError
from backends.frames.formats import safe_text
from backends.locators import Locator
from backends.paths import explain_impossible
from backends.resources import Action, Entry, Link, Question
from tui.keymap import help_rows, quit_binding
from tui.widgets.inputs import ChoiceList

T = TypeVar("T")
BORDERS = 2  # lines
REPLACE = "Replace the file if it exists"  # the tick box of dialogs that write a file
_MENU_LETTERS = (*sorted(set(ascii_letters) - set("jkq")), *digits, "equals_sign")
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
    """A box in the middle of the screen, never larger than it: title and keys in its border, a body that scrolls.

    Subclasses define `compose_body`, and `compose_below` for the `lines_below` that stay in sight below the body.
    Ctrl+Q quits from here, too: the app's own keys do not reach through a dialog.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $ci-bg 55%; }
    Dialog > .box { width: 94%; max-width: 72; height: auto; max-height: 100%; border: round $ci-rule;
        background: $ci-raised; padding: 0 1; border-title-color: $ci-text; border-title-style: bold;
        border-subtitle-color: $ci-muted; }
    Dialog .body { height: auto; scrollbar-size-vertical: 1; }
    Dialog .error { color: $text-error; height: auto; }
    Dialog Input, Dialog Input:focus { border: none; height: 1; width: 1fr; padding: 0 1; background: $ci-field;
        background-tint: transparent; }
    Dialog Input:focus { background: $ci-select; }
    Dialog OptionList, Dialog OptionList:focus { height: auto; border: none; padding: 0; background: transparent;
        text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1; }
    Dialog .buttons { height: 1; align-horizontal: right; }
    Dialog Button { height: 1; border: none; min-width: 10; margin-left: 2; }
    Dialog Button.-style-default { background: $ci-field; color: $ci-text; text-style: none; }
    Dialog Button.-style-default:focus { background: $ci-fill-accent; color: $ci-on-fill-accent;
        background-tint: transparent; text-style: bold; }
    """
    BINDINGS = [
        quit_binding(),
        Binding("left", "focus_button(-1)", show=False),
        Binding("right", "focus_button(1)", show=False),
    ]
    AUTO_FOCUS = ""  # each dialog says what has the focus at first
    keys = "esc closes"
    lines_below = 0

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = Content(safe_text(self._title, limit=200))
            box.border_subtitle = self.keys
            with VerticalScroll(classes="body", can_focus=False):
                yield from self.compose_body()
            yield from self.compose_below()

    def compose_body(self) -> ComposeResult:
        raise NotImplementedError

    def compose_below(self) -> ComposeResult:
        yield from ()

    def find_box_for_text(self) -> Input | None:
        """The text box that letters and pastes go to where nothing that has the focus takes them; None: to none."""
        return None

    def open_box(self, box: Input) -> None:
        """Called before that box is given the focus."""

    async def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.key not in self.active_bindings:
            self._write_into_box(event)

    async def on_paste(self, event: events.Paste) -> None:
        self._write_into_box(event)

    def _write_into_box(self, event: events.Key | events.Paste) -> None:
        """What is written before a box has the focus would be lost."""
        box = self.find_box_for_text()
        if box is not None and not box.has_focus:
            event.stop()
            self.open_box(box)
            self.set_focus(box)
            box.post_message(event)  # behind the message that it has the focus, which selects its text

    def action_focus_button(self, step: int) -> None:
        """From the button that has the focus to the one beside it."""
        buttons: list[Widget] = [one for one in self.query(Button) if one.focusable]
        if self.focused in buttons:
            at = buttons.index(self.focused) + step
            self.set_focus(buttons[max(0, min(at, len(buttons) - 1))])

    def on_resize(self) -> None:
        # Not 1fr in the CSS: that is the height of the box, and what is below the body would lie outside of it.
        for body in self.query(".body"):
            body.styles.max_height = max(1, self.size.height - BORDERS - self.lines_below)
        self.call_after_refresh(self.draw_keys)

    def list_keys(self) -> Sequence[str]:
        """What the bottom border says about keys, the most important first: what has no room there is left out."""
        return (self.keys,)

    def draw_keys(self, *_: object) -> None:
        """In the bottom border. Also called when the focus is lost because the dialog is closed, part by part."""
        with contextlib.suppress(NoMatches):
            parts = list(self.list_keys())
            box = self.query_one(".box")
            while len(parts) > 1 and cell_len(" · ".join(parts)) > box.size.width - 2:
                parts.pop()
            box.border_subtitle = " · ".join(parts)


class FormDialog(Dialog[T | None]):
    """Fields, a button that goes ahead (also F2), and one that cancels (also Esc).

    One habit in all of them: the button has the focus at first; Enter on it goes ahead, Enter in a text field only goes
    to it, Enter in a tick box ticks. The border says what Enter does where the focus is. Letters and pastes while it is
    on the button go to the first text field, in place of what is there.

    Subclasses define `action_go`, the label of the `button` and what it `does` ("starts").
    """

    DEFAULT_CSS = """
    FormDialog .field { height: 1; }
    FormDialog .field Label { width: 9; color: $ci-muted; }
    FormDialog TickBox, FormDialog TickBox:focus { border: none; height: 1; padding: 0; background: transparent; }
    FormDialog TickBox:focus > .toggle--label { background: $ci-select; color: $ci-text; text-style: bold; }
    FormDialog ToggleButton > .toggle--button, FormDialog RadioSet > RadioDot > .toggle--button {
        color: $ci-muted; background: transparent; }
    FormDialog ToggleButton.-on > .toggle--button, FormDialog RadioSet > RadioDot.-on > .toggle--button {
        color: $ci-accent; background: transparent; text-style: bold; }
    FormDialog TickList > .selection-list--button, FormDialog TickList > .selection-list--button-highlighted {
        color: $ci-muted; background: transparent; }
    FormDialog TickList > .selection-list--button-selected,
    FormDialog TickList > .selection-list--button-selected-highlighted { color: $ci-accent; background: transparent; }
    """
    BINDINGS = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("q", "dismiss(None)", show=False),
        Binding("ctrl+j,f2", "go", show=False),
        Binding("enter", "go", show=False),  # before there is a button to press
        Binding("pagedown", "scroll(1)", show=False),
        Binding("pageup", "scroll(-1)", show=False),
    ]
    lines_below = 1
    button = "OK"
    does = "goes ahead"
    needs_time = False  # whether the button can only be pressed later

    def compose_below(self) -> ComposeResult:
        with Horizontal(classes="buttons"):
            yield Button(self.button, id="go", disabled=self.needs_time, compact=True)
            cancel = Button("Cancel", id="cancel", compact=True)
            cancel.can_focus = False  # Esc cancels: Tab goes from the main button to the fields
            yield cancel

    def on_mount(self) -> None:
        self.set_focus(None if self.needs_time else self.query_one("#go"))
        self.watch(self, "focused", self.draw_keys, init=False)
        self.watch(self.query_one(".body"), "virtual_size", self._draw_keys_soon, init=False)

    def _draw_keys_soon(self) -> None:
        self.call_after_refresh(self.draw_keys)  # the body gets its own size after that of what is in it

    def list_keys(self) -> Sequence[str]:
        focused = self.focused
        more = ["PgDn more"] if self.query_one(".body", VerticalScroll).max_scroll_y else []
        if focused is None or isinstance(focused, Button):
            return [f"⏎ {self.does}", "esc cancels", "tab next", *more]
        if isinstance(focused, Input):
            return [f"⏎ goes to {self.button}", "esc cancels", f"F2 {self.does}", "tab next", *more]
        enter = "ticks" if isinstance(focused, ToggleButton | SelectionList) else "chooses"
        return [f"⏎ {enter}", "esc cancels", f"F2 {self.does}", "tab next", *more]

    def find_box_for_text(self) -> Input | None:
        is_free = self.focused is None or isinstance(self.focused, Button)
        return next((one for one in self.query(Input) if is_free and not one.disabled), None)

    def action_scroll(self, step: int) -> None:
        """A page of the body."""
        body = self.query_one(".body", VerticalScroll)
        body.scroll_relative(y=step * max(1, body.size.height - 1), animate=False)

    def enable_button(self, enabled: bool) -> None:
        """The button has the focus when it can be pressed, unless the user is at a field."""
        go = self.query_one("#go", Button)
        go.disabled = not enabled
        if enabled and self.focused is None:
            self.set_focus(go)

    @on(Input.Submitted)
    def _leave_field(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_focus(self.query_one("#go"))

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "go":
            self.action_go()
        else:
            self.dismiss(None)

    def action_go(self) -> None:
        raise NotImplementedError


def explain_blocked(path: Path, overwrite: bool) -> Text:
    """Why a file cannot be written there, and what to do about it; empty if it can be."""
    if why := explain_impossible(path):
        return Text(f"This is not a usable path: {why}. Write another one.")
    try:
        check_target(path, overwrite=overwrite)
    except OutputExistsError:
        return Text(f"{safe_text(path.name, 60)} exists. Tick “{REPLACE}”, or choose another name.")
    except FileError as error:
        return Text(f"{safe_text(error.sentence, 300)} {error.hint}")
    return Text()


def explain_write_error(error: AppError) -> str:
    """What the user of a dialog can do about a file that could not be written."""
    if isinstance(error, OutputExistsError):
        return f"{error.sentence} Tick “{REPLACE}” in the dialog, or choose another name."
    return str(error)


class ConfirmDialog(Dialog[bool]):
    """A yes-or-no question; the safe button has the focus, Esc and `n` mean no."""

    DEFAULT_CSS = """
    ConfirmDialog > .box { border: round $ci-warning; max-width: 58; padding: 0 2; }
    """
    BINDINGS = [
        Binding("escape,n,q", "dismiss(False)", "No"),
        Binding("y", "dismiss(True)", "Yes"),
    ]
    lines_below = 1

    def __init__(self, question: str, yes: str) -> None:
        super().__init__(yes)
        self._question = question

    def compose_body(self) -> ComposeResult:
        yield Static(Text(f"\n{safe_text(self._question, limit=2000)}\n"))

    def compose_below(self) -> ComposeResult:
        with Horizontal(classes="buttons"):
            yield Button(_shorten(self._title), id="yes", compact=True)
            yield Button("Stay", id="no", compact=True)

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#no"))
        self.watch(self, "focused", self.draw_keys, init=False)

    def list_keys(self) -> Sequence[str]:
        if self.focused is not None and self.focused.id == "yes":
            return ("⏎ or y goes ahead", "esc stays", "tab next")
        return ("⏎ or esc stays", "y goes ahead", "tab next")

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


def _shorten(label: str, cells: int = 24) -> Text:
    text = Text(safe_text(label))
    text.truncate(cells, overflow="ellipsis")
    return text


class ChoiceInput(Input):
    """Up and Down go through the choices below it."""

    BINDINGS = [
        Binding("down", "screen.move(1)", show=False),
        Binding("up", "screen.move(-1)", show=False),
        Binding("pagedown", "screen.move(10)", show=False),
        Binding("pageup", "screen.move(-10)", show=False),
    ]


class ChoiceDialog(Dialog[T | None]):
    """One of several choices, which get fewer as one types. Subclasses define `show_choices(text)`."""

    placeholder = ""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._shown: list[T | None] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = Content(safe_text(self._title, limit=200))
            box.border_subtitle = self.keys
            yield ChoiceInput(placeholder=self.placeholder, compact=True)
            yield from self.compose_body()
            yield ChoiceList()

    def compose_body(self) -> ComposeResult:
        yield from ()

    def on_mount(self) -> None:
        self.watch(self.query_one(OptionList), "scroll_y", self.draw_keys, init=False)

    def on_resize(self) -> None:
        self.fit_choices()

    def fit_choices(self) -> None:
        """The choices take the lines that the box and what is above them leave."""
        choices = self.query_one(OptionList)
        box = self.query_one(".box")
        above = sum(child.display for child in box.children if child is not choices) + box.styles.margin.height
        choices.styles.max_height = max(1, self.size.height - BORDERS - above)

    def list_keys(self) -> Sequence[str]:
        """Also how many lines lie below the box."""
        choices = self.query_one(OptionList)
        below = choices.virtual_size.height - choices.scroll_offset.y - choices.size.height
        more = [f"{below:,} more"] if below > 0 and choices.size.height else []
        return [*more, *self.keys.split(" · ")]

    def show_choices(self, text: str) -> None:
        """Calls `set_choices` with those that the text leaves."""
        raise NotImplementedError

    def set_choices(self, drawn: Sequence[tuple[T | None, Text]]) -> None:
        """Shows these choices, each as its text, and headings (None); the first choice is highlighted."""
        self._shown = [choice for choice, _ in drawn]
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options([Option(text, disabled=choice is None) for choice, text in drawn])
        choices.highlighted = next((at for at, choice in enumerate(self._shown) if choice is not None), None)
        self.call_after_refresh(self.draw_keys)

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == event.input.value:  # else more letters have been typed, which come next
            self.show_choices(event.value)

    @on(Input.Submitted)
    def _take_highlighted(self, event: Input.Submitted) -> None:
        event.stop()
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(self._shown[at])

    @on(OptionList.OptionSelected)
    def _take_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index])

    def action_move(self, step: int) -> None:
        choices = self.query_one(OptionList)
        move = choices.action_cursor_down if step > 0 else choices.action_cursor_up
        for _ in range(abs(step)):
            move()


class MenuDialog(ChoiceDialog[Entry]):
    """What else can be opened or done from a list, under headings; chosen by its letter, by arrow keys or the mouse.

    The letters act until `/` or Tab leads into a box, which leaves the entries that have the words typed into it; Tab
    leads back. `sections`: (heading, entries).
    """

    DEFAULT_CSS = """
    MenuDialog Input { display: none; }
    MenuDialog.-narrowed Input { display: block; }
    MenuDialog OptionList > .option-list--option-disabled { color: $ci-muted; }
    """
    BINDINGS = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("slash", "narrow", show=False),
        Binding("tab,shift+tab", "switch", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        *(Binding(key, f"run('{key}')", show=False) for key in _MENU_LETTERS),
    ]
    keys = "a letter runs its entry · / narrows · esc closes"
    placeholder = "words of the entry"

    def __init__(self, title: str, sections: Sequence[tuple[str, Sequence[Entry]]]) -> None:
        super().__init__(title)
        self._sections = sections

    def on_mount(self) -> None:
        self.show_choices("")
        self.set_focus(self.query_one(OptionList))

    def show_choices(self, text: str) -> None:
        words, accent = text.lower().split(), self.app.theme_variables["ci-accent"]
        drawn: list[tuple[Entry | None, Text]] = []
        for heading, entries in self._sections:
            kept = [one for one in entries if all(word in f"{heading} {one.label}".lower() for word in words)]
            if kept:
                drawn.append((None, Text(safe_text(heading, limit=200))))
                drawn += [(one, _entry_label(one, accent)) for one in kept]
        self.set_choices(drawn)

    def action_narrow(self) -> None:
        self.add_class("-narrowed")
        self.fit_choices()
        self.set_focus(self.query_one(Input))

    def action_switch(self) -> None:
        if isinstance(self.focused, Input):
            self.set_focus(self.query_one(OptionList))
        else:
            self.action_narrow()

    def action_run(self, key: str) -> None:
        """The entry of that letter, whether it is in sight or not."""
        letter = "=" if key == "equals_sign" else key
        found = next((one for _, entries in self._sections for one in entries if one.letter == letter), None)
        if found is not None:
            self.dismiss(found)


def _entry_label(entry: Entry, accent: str) -> Text:
    kind = ""
    if isinstance(entry, Question):
        kind = "asks"
    elif isinstance(entry, Action) and entry.confirm:
        kind = "asks first"
    elif isinstance(entry, Link) and isinstance(entry.opens, str):
        kind = "browser"
    letter = (f"  {entry.letter or ' '}  ", f"bold {accent}")
    text = Text.assemble(letter, safe_text(entry.label, limit=200), no_wrap=True, overflow="ellipsis")
    return text.append(f"  ({kind})", "dim") if kind else text


L = TypeVar("L", bound=Locator)


class AnswerDialog(Dialog[L | None]):
    """A box whose text becomes a locator; an invalid text shows its error and can be corrected.

    `compose_body` yields the `Input` and a `Static` of the class "error".
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def locator_of(self, text: str) -> L:
        """Raises `AppError`s, which are shown."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))

    @on(Input.Changed)
    def _text_changed(self) -> None:
        self.query_one(".error", Static).update("")

    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self.dismiss(self.locator_of(event.value))
        except AppError as error:
            self.query_one(".error", Static).update(Text(str(error)))


class QuestionDialog(AnswerDialog[Locator]):
    """One question of a menu's entry."""

    keys = "⏎ opens · esc cancels"

    def __init__(self, question: Question) -> None:
        super().__init__(question.label.rstrip("…"))
        self._question = question

    def compose_body(self) -> ComposeResult:
        yield Static(Text(safe_text(self._question.asks, limit=400)))
        yield Input(self._question.value, select_on_focus=False)
        yield Static("", classes="error")

    def locator_of(self, text: str) -> Locator:
        return self._question.opens(text)


HelpRows = Sequence[tuple[str, str]]  # (keys or text, what it means)


class HelpDialog(Dialog[None]):
    """`?`: what can be pressed here, then every other key and the filter language. Typing after `/` searches it."""

    DEFAULT_CSS = """
    HelpDialog > .box { max-width: 110; height: 100%; }
    HelpDialog .body { height: 1fr; }
    HelpDialog Static { height: auto; margin-bottom: 1; }
    HelpDialog Input { display: none; }
    HelpDialog.-searching Input { display: block; }
    """
    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss(None)", "Close"),
        Binding("slash", "search", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]
    keys = "↑↓ scroll · / searches · esc closes"

    def __init__(self, remapped: Mapping[str, str], here: Sequence[str] = (), columns: HelpRows = ()) -> None:
        """`here`: the places (of `keymap.TITLES`) whose keys come first. `columns`: (name, what it holds)."""
        super().__init__("Help")
        order = {where: number for number, where in enumerate(here)}
        found = sorted(help_rows(remapped), key=lambda section: order.get(section.where, len(order)))
        first = [(section.title, [row[:2] for row in section.rows]) for section in found if section.where in order]
        rest = [(section.title, [row[:2] for row in section.rows]) for section in found if section.where not in order]
        names = [(section.title, ", ".join(row[2] for row in section.rows)) for section in found]
        self._sections: list[tuple[str, HelpRows]] = [
            *first,
            *([("Columns to filter by", columns)] if columns else []),
            ("The filter language", _FILTERS),
            *rest,
            ("Names of the actions, for [keys] in config.toml", names),
        ]

    def compose_body(self) -> ComposeResult:
        for number in range(len(self._sections)):
            yield Static("", id=f"help-{number}")

    def compose_below(self) -> ComposeResult:
        yield Input(placeholder="words to look for", compact=True)

    def on_mount(self) -> None:
        self.set_focus(None)
        self._show([])

    def _show(self, words: Sequence[str]) -> None:
        for number, (title, rows) in enumerate(self._sections):
            kept = [row for row in rows if all(word in f"{title} {row[0]} {row[1]}".lower() for word in words)]
            section = self.query_one(f"#help-{number}", Static)
            section.display = bool(kept)
            section.update(_table(title, kept))

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value.lower().split())

    @on(Input.Submitted)
    def _end_search(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_focus(None)

    def action_search(self) -> None:
        self.add_class("-searching")
        self.set_focus(self.query_one(Input))

    def action_scroll(self, step: int) -> None:
        self.query_one(".body", VerticalScroll).scroll_relative(y=step, animate=False)


def _table(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    table.add_column(no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(Text(left, style="bold"), Text(right))
    return table
