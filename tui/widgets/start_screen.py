"""The start screen and Ctrl+O: one box that takes anything, and what was opened, pinned or may be tried, below it.

Imported before the first paint: nothing heavy here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from backends.errors import AppError
from backends.locators import Locator
from tui.history import Visit
from tui.keymap import bindings

Parse = Callable[[str], Locator]  # raises InvalidLocatorError
RECENT = "Recent"
PINNED = "Pinned"
_TITLE_SHARE = 0.4  # of a row's width
# Words to search by, and nothing that could be an id, a path, a URL or a revision.
_WORDS = re.compile(r"[^/:#?@.\d][^/:#?@]{0,20}")


@dataclass(frozen=True)
class StartEntry:
    """One row. `text`: what it opens; `section`: its heading; `note`: what is known of it, `age` included."""

    section: str
    title: str
    text: str
    note: str = ""
    age: str = ""

    def matches(self, words: Sequence[str]) -> bool:
        found = f"{self.title} {self.text} {self.note}".lower()
        return all(word in found for word in words)


def entries_of(visits: Sequence[Visit], examples: Sequence[StartEntry]) -> list[StartEntry]:
    """Recent ones, newest first, then pinned ones, then those examples that were not opened yet."""
    now = time.time()
    found = [
        StartEntry(RECENT, visit.title, visit.text, visit.note, _format_age(now - visit.at))
        for visit in visits if not visit.pinned
    ]  # fmt: skip
    found += [StartEntry(PINNED, visit.title, visit.text, visit.note) for visit in visits if visit.pinned]
    known = {visit.text for visit in visits}
    return found + [example for example in examples if example.text not in known]


def _format_age(seconds: float) -> str:
    for unit, name in ((86_400 * 2, "days"), (5400, "h"), (90, "min")):
        if seconds >= unit:
            return f"{seconds / {'days': 86_400, 'h': 3600, 'min': 60}[name]:.0f} {name}"
    return "now"


class StartInput(Input):
    """Keeps the focus while Up and Down choose below it; `?` in the empty box is a key, not a text."""

    BINDINGS = bindings("start")

    def __init__(self, text: str, choose: Callable[[int], None]) -> None:
        super().__init__(
            text, placeholder="Paste a URL, an id, a revision, a file; or type to search below", select_on_focus=False
        )
        self._choose = choose

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return not (character == "?" and not self.value) and super().check_consume_key(key, character)

    async def _on_key(self, event: object) -> None:
        if getattr(event, "character", None) == "?" and not self.value:
            event.prevent_default()  # type: ignore[attr-defined]
            return
        await super()._on_key(event)  # type: ignore[arg-type]

    def action_choose(self, step: int) -> None:
        self._choose(step)


class StartBox(Vertical):
    """The input, its error, and the entries that have the words of the input."""

    DEFAULT_CSS = """
    StartBox { height: auto; max-height: 100%; }
    StartBox Input, StartBox Input:focus { border: round $ci-accent; height: 3; background: $ci-bg;
        background-tint: transparent; }
    StartBox #locator-error { color: $text-error; height: auto; max-height: 6; padding: 0 1; display: none; }
    StartBox #locator-error.-shown { display: block; }
    StartBox OptionList { height: auto; max-height: 1fr; border: none; text-wrap: nowrap; background: transparent;
        padding: 0; scrollbar-size-vertical: 1; }
    StartBox OptionList > .option-list--option-highlighted { background: $ci-select-off; color: $ci-text;
        text-style: bold; }
    StartBox OptionList > .option-list--option-disabled { color: $ci-text; text-style: bold; }
    StartBox OptionList.-empty { display: none; }
    StartBox #locator-forms { color: $text-muted; margin-top: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    class Selected(Message):
        """A locator was pasted or picked."""

        def __init__(self, locator: Locator) -> None:
            self.locator = locator
            super().__init__()

    def __init__(
        self, parse: Parse, entries: Sequence[StartEntry], text: str = "", forms: Sequence[tuple[str, str]] = ()
    ) -> None:
        """`forms`: (what can be pasted, what it opens), shown below the rows where there is room."""
        super().__init__()
        self._forms = forms
        self._parse = parse
        self._entries = list(entries)
        self._text = text
        self._rows: list[StartEntry | None] = []  # None: a heading or a gap
        self._chosen = False  # whether the user moved to a row

    def compose(self) -> ComposeResult:
        yield StartInput(self._text, self._move)
        yield Static("", id="locator-error")
        choices = OptionList()
        choices.can_focus = False
        yield choices
        if self._forms:
            yield Static(_draw_forms(self._forms), id="locator-forms")

    def on_mount(self) -> None:
        self._show_matching()

    def on_resize(self) -> None:
        self._show_matching()

    def set_entries(self, entries: Sequence[StartEntry]) -> None:
        """What to offer."""
        self._entries = list(entries)
        self._show_matching()

    def focus_input(self) -> None:
        # At once: focus() asks for it later, and would take it from a list that has been opened in between.
        self.screen.set_focus(self.query_one(Input))

    # ---- the rows --------------------------------------------------------------------------------------------
    def _show_matching(self) -> None:
        """Shows the entries that have all words of the text; the first one is what Enter opens."""
        words = self.query_one(Input).value.lower().split()
        choices = self.query_one(OptionList)
        self._rows = []
        options: list[Option] = []
        section = ""
        for entry in self._entries:
            if not entry.matches(words):
                continue
            if entry.section != section:
                section = entry.section
                self._rows.append(None)
                options.append(Option(Text(f"\n {section}" if options else f" {section}"), disabled=True))
            self._rows.append(entry)
            options.append(Option(_draw_entry(entry, max(20, self.size.width - 2))))
        choices.clear_options()
        choices.add_options(options)
        choices.set_class(not options, "-empty")
        self._chosen = False
        if len(self._rows) > 1:
            choices.highlighted = 1
            choices.scroll_home(animate=False)

    def _move(self, step: int) -> None:
        choices = self.query_one(OptionList)
        self._chosen = True
        for _ in range(abs(step)):
            if step > 0:
                choices.action_cursor_down()
            else:
                choices.action_cursor_up()

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show_error("")
        self._show_matching()

    def _show_error(self, error: str) -> None:
        line = self.query_one("#locator-error", Static)
        line.update(Text(error))
        line.set_class(bool(error), "-shown")

    # ---- choosing --------------------------------------------------------------------------------------------
    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text, entry = event.value.strip(), self._highlighted_entry()
        if entry is not None and (self._chosen or not text or _WORDS.fullmatch(text)):
            text = entry.text
        if text:
            self._select(text, entry)

    @on(OptionList.OptionSelected)
    def _row_clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        entry = self._rows[event.option_index]
        if entry is not None:
            self._select(entry.text)

    def _highlighted_entry(self) -> StartEntry | None:
        at = self.query_one(OptionList).highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None

    def _select(self, text: str, otherwise: StartEntry | None = None) -> None:
        """Opens a text; if it is none that can be opened, the entry that it narrows the list to."""
        try:
            locator = self._parse(text)
        except AppError as error:
            if otherwise is not None and otherwise.text != text:
                self._select(otherwise.text)
            else:
                self._show_error(f"{error.sentence}\n{error.hint}".strip())
            return
        self.query_one(Input).value = ""
        self.post_message(self.Selected(locator))


def _draw_entry(entry: StartEntry, width: int) -> Text:
    """Title, what is known, age: titles are a server's text, in which no markup and nothing unprintable is obeyed."""
    title_width = int(width * _TITLE_SHARE)
    note_width = width - title_width - len(entry.age) - 5
    text = Text("   ", no_wrap=True, overflow="ellipsis")
    text.append(_fit(entry.title, title_width))
    text.append("  ")
    text.append(_fit(entry.note or entry.text, note_width), "dim" if not entry.note else "")
    return text.append(f" {entry.age}", "dim")


def _draw_forms(forms: Sequence[tuple[str, str]]) -> Text:
    """Plain padded text: a rich Table of the same rows costs 20 ms of every start."""
    width = max(len(meaning) for _, meaning in forms)
    text = Text(" What can be pasted\n", style="bold", no_wrap=True, overflow="ellipsis")
    for form, meaning in forms:
        text.append(f"   {meaning.ljust(width)}  {form}\n", "not bold")
    return text


def _fit(text: str, width: int) -> str:
    """The text in so many cells, its end cut where it is longer."""
    plain = Text("".join(character if character.isprintable() else "·" for character in text[:400]))
    plain.truncate(max(1, width), overflow="ellipsis", pad=True)
    return plain.plain


class LocateDialog(ModalScreen[Locator | None]):
    """Ctrl+O: the box over whatever is shown."""

    DEFAULT_CSS = """
    LocateDialog { align: center top; }
    LocateDialog > Vertical { width: 94%; max-width: 120; height: auto; max-height: 96%; margin-top: 1;
        border: round $ci-rule; background: $ci-raised; padding: 0 1; border-title-color: $ci-text;
        border-title-style: bold; }
    LocateDialog StartBox Input, LocateDialog StartBox Input:focus { background: $ci-raised; }
    """
    BINDINGS = [("escape", "dismiss(None)", "Close")]

    def __init__(self, parse: Parse, entries: Sequence[StartEntry], text: str = "") -> None:
        super().__init__()
        self._box = StartBox(parse, entries, text)

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = "Open"
            yield self._box

    def on_mount(self) -> None:
        self._box.focus_input()

    def on_resize(self) -> None:
        # Borders, the input and the margin; a share of an automatic height is not kept to by Textual.
        self.query_one(OptionList).styles.max_height = max(3, self.size.height - 8)

    @on(StartBox.Selected)
    def _select(self, event: StartBox.Selected) -> None:
        event.stop()
        self.dismiss(event.locator)
