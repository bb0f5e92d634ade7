"""The start screen and Ctrl+O: one box that takes anything, and what was opened, pinned or may be tried, below it.

Imported before the first paint: nothing heavy here.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, Static

from backends.errors import AppError
from backends.http.response import format_age
from backends.locators import Locator
from tui.history import Visit
from tui.keymap import bindings, quit_binding
from tui.widgets.line_list import LineList
from tui.widgets.plain import PlainVertical

Parse = Callable[[str], Locator]  # raises InvalidLocatorError
RECENT = "Recent"
PINNED = "Pinned"
_NO_MATCH = "No row has these words; ⏎ opens what was typed."
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

    def is_called(self, words: Sequence[str]) -> bool:
        """Whether its title alone has them."""
        return all(word in self.title.lower() for word in words)


def entries_of(visits: Sequence[Visit], examples: Sequence[StartEntry]) -> list[StartEntry]:
    """Recent ones, newest first, then pinned ones, then all examples: a list to begin with that loses what was looked
    at is no guide any more."""
    now = time.time()
    found = [
        StartEntry(RECENT, visit.title, visit.text, visit.note, format_age(now - visit.at))
        for visit in visits if not visit.pinned
    ]  # fmt: skip
    found += [StartEntry(PINNED, visit.title, visit.text, visit.note) for visit in visits if visit.pinned]
    return [*found, *examples]


def count_lines(text: str) -> int:
    """Lines that are not blank."""
    return sum(1 for line in text.splitlines() if line.strip())


class StartInput(Input):
    """Keeps the focus while Up and Down choose below it; `?` in the empty box is a key, not a text. A paste is taken
    with all its lines, as one line."""

    BINDINGS = [
        *bindings("start"),
        Binding("ctrl+j", "submit", show=False),  # Enter, pressed before the app had the terminal
    ]

    def __init__(self, text: str, choose: Callable[[int], None], lines: int = 1) -> None:
        """`lines`: how many the text had where it was pasted."""
        super().__init__(
            text, placeholder="Paste a URL, an id, a revision, a file; or type to search below", select_on_focus=False
        )
        self._choose = choose
        self._pasted = (text, lines)

    @property
    def pasted_lines(self) -> int:
        """How many lines were pasted, if the text is what was pasted; else 1."""
        text, lines = self._pasted
        return lines if text == self.value else 1

    def _on_paste(self, event: events.Paste) -> None:
        from backends.locators.pasted import as_one_line

        event.prevent_default()
        event.stop()
        self.replace(as_one_line(event.text), *self.selection)
        self._pasted = (self.value, count_lines(event.text))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return not (character == "?" and not self.value) and super().check_consume_key(key, character)

    async def _on_key(self, event: object) -> None:
        if getattr(event, "character", None) == "?" and not self.value:
            event.prevent_default()  # type: ignore[attr-defined]
            return
        await super()._on_key(event)  # type: ignore[arg-type]

    def action_choose(self, step: int) -> None:
        self._choose(step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In Ctrl+O's dialog Esc closes that."""
        return action != "clear_text" or (bool(self.value) and not isinstance(self.screen, ModalScreen))

    def action_clear_text(self) -> None:
        self.value = ""


@dataclass(frozen=True)
class _Row:
    """A line below the box: an entry, or (without one) a heading, a gap or a form of what can be pasted."""

    text: str
    entry: StartEntry | None = None
    is_heading: bool = False


def _rows_of(entries: Sequence[StartEntry], forms: Sequence[tuple[str, str]]) -> list[_Row]:
    rows: list[_Row] = []
    section = ""
    for entry in entries:
        if entry.section != section:
            section = entry.section
            rows += [*([_Row("")] if rows else []), _Row(section, is_heading=True)]
        rows.append(_Row(entry.title, entry))
    if forms:
        width = max(len(meaning) for _, meaning in forms)
        rows += [_Row(""), _Row("What can be pasted", is_heading=True)]
        rows += [_Row(f"{meaning.ljust(width)}  {form}") for form, meaning in forms]
    return rows


class StartRows(LineList):
    """The rows below the box; the cursor goes from entry to entry."""

    STYLE_PREFIX = "start-rows--"
    COMPONENT_CLASSES = {"start-rows--heading", "start-rows--quiet", "start-rows--chosen"}
    DEFAULT_CSS = """
    StartRows { background: transparent; color: $ci-text; }
    StartRows .start-rows--heading { text-style: bold; }
    StartRows .start-rows--quiet { color: $ci-muted; }
    StartRows .start-rows--chosen { background: $ci-select-off; text-style: bold; }
    """

    class Picked(Message):
        """An entry was clicked."""

        def __init__(self, entry: StartEntry) -> None:
            self.entry = entry
            super().__init__()

    def __init__(self, rows: Sequence[_Row]) -> None:
        super().__init__()
        self.can_focus = False
        self.replace(rows)

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def content_width(self) -> int:
        return 0

    @property
    def entry(self) -> StartEntry | None:
        """The one at the cursor."""
        return self._rows[self.cursor].entry if self.cursor < len(self._rows) else None

    def replace(self, rows: Sequence[_Row]) -> None:
        """Shows other rows, with the cursor on their first entry."""
        self._rows = list(rows)
        self._places = [number for number, row in enumerate(self._rows) if row.entry is not None]
        self.set_reactive(LineList.cursor, self._places[0] if self._places else 0)
        if self.is_attached:
            self.fit_virtual_size()
            self.scroll_home(animate=False)
            self.refresh()

    def choose(self, step: int) -> None:
        """Goes so many entries further."""
        if self._places:
            at = bisect_left(self._places, self.cursor)
            self.cursor = self._places[max(0, min(at + step, len(self._places) - 1))]
            self.show_cursor()
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        at = event.y + self.scroll_offset.y
        entry = self._rows[at].entry if at < len(self._rows) else None
        if entry is not None:
            self.post_message(self.Picked(entry))

    def render_line(self, y: int) -> Strip:
        at, width = y + self.scroll_offset.y, self.line_width
        row = self._rows[at] if at < len(self._rows) else _Row("")
        plain = self.style_of("")
        if row.entry is None:
            indent, style = (" ", "heading") if row.is_heading else ("   ", "quiet")
            return Strip([Segment(_fit(indent + row.text, width), plain + self.style_of(style))], width)
        chosen = self.style_of("chosen") if at == self.cursor else Style()
        quiet = self.style_of("quiet")
        title_width = int(width * _TITLE_SHARE)
        age = f" {row.entry.age} " if row.entry.age else ""
        note_width = width - title_width - len(age) - 5
        note = _fit(row.entry.note or row.entry.text, note_width)
        segments = [
            Segment("   " + _fit(row.entry.title, title_width) + "  ", plain + chosen),
            Segment(note, plain + (Style() if row.entry.note else quiet) + chosen),
            Segment(age, plain + quiet + chosen),
        ]
        return Strip(segments).adjust_cell_length(width, plain + chosen)


def _fit(text: str, width: int) -> str:
    """The text in so many cells, its end cut where it is longer: a server's text, nothing unprintable is obeyed."""
    plain = "".join(character if character.isprintable() else "·" for character in text[:400])
    if cell_len(plain) > width:
        plain = set_cell_size(plain, max(0, width - 1)) + "…"
    return set_cell_size(plain, max(0, width))


class StartBox(PlainVertical):
    """The input, its error, and the entries that have the words of the input."""

    DEFAULT_CSS = """
    StartBox Input, StartBox Input:focus { border: round $ci-accent; height: 3; background: $ci-bg;
        background-tint: transparent; }
    StartBox #locator-error { color: $text-error; height: auto; max-height: 6; padding: 0 1; }
    """

    class Selected(Message):
        """A locator was pasted or picked."""

        def __init__(self, locator: Locator) -> None:
            self.locator = locator
            super().__init__()

    def __init__(
        self, parse: Parse, entries: Sequence[StartEntry], text: str = "", forms: Sequence[tuple[str, str]] = (),
        lines: int = 1,
    ) -> None:  # fmt: skip
        """`forms`: (what can be pasted, what it opens), shown below the rows; `lines` of the text as it was pasted."""
        super().__init__()
        self._forms = forms
        self._lines = lines
        self._parse = parse
        self._entries = list(entries)
        self._text = text
        self._chosen = False  # whether the user moved to a row
        self._is_empty = not text

    def compose(self) -> ComposeResult:
        yield StartInput(self._text, self._choose, self._lines)
        yield StartRows(self._matching_rows(self._text))

    def set_entries(self, entries: Sequence[StartEntry]) -> None:
        """What to offer."""
        self._entries = list(entries)
        self._show_matching()

    def focus_input(self) -> None:
        # At once: focus() asks for it later, and would take it from a list that has been opened in between.
        self.screen.set_focus(self.query_one(Input))

    # ---- the rows --------------------------------------------------------------------------------------------
    def _matching_rows(self, text: str) -> list[_Row]:
        words = text.lower().split()
        found = [one for one in self._entries if one.matches(words)]
        sections = list(dict.fromkeys(one.section for one in found))
        found.sort(key=lambda one: (sections.index(one.section), not one.is_called(words)))
        rows = _rows_of([*self._choices(text, words), *found] if words else found, () if words else self._forms)
        return rows or [_Row(_NO_MATCH)]

    def _choices(self, text: str, words: Sequence[str]) -> list[StartEntry]:
        """What a text can mean that names no single locator."""
        from backends.locators.choices import find_revision, revision_choices, several_choices

        revision = find_revision(text)
        if not revision:
            return [StartEntry(one.section, one.title, one.text) for one in several_choices(text)]
        texts = [f"{one.title} {one.text}" for one in self._entries]
        found = revision_choices(revision, [one for one in texts if revision[:12] in one])
        choices = [StartEntry(one.section, one.title, one.text) for one in found]
        return [one for one in choices if one.matches(words)]

    def _show_matching(self) -> None:
        """Shows the entries that have all words of the text; the first one is what Enter opens."""
        self._chosen = False
        self.query_one(StartRows).replace(self._matching_rows(self.query_one(Input).value))

    def _choose(self, step: int) -> None:
        self._chosen = True
        self.query_one(StartRows).choose(step)

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show_error("")
        self._show_matching()
        if bool(event.value) is self._is_empty:
            self._is_empty = not event.value
            self.refresh_bindings()  # Esc clears it

    def _show_error(self, text: str) -> None:
        found = self.query("#locator-error")
        if found:
            found.first(Static).update(Text(text))
            found.first(Static).display = bool(text)  # empty it would still take a line
        elif text:
            self.mount(Static(Text(text), id="locator-error"), after=self.query_one(Input))

    # ---- choosing --------------------------------------------------------------------------------------------
    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text, entry = event.value.strip(), self.query_one(StartRows).entry
        if entry is not None and (self._chosen or not text or _WORDS.fullmatch(text)):
            text = entry.text
        if text:
            self._select(text, entry)

    @on(StartRows.Picked)
    def _row_picked(self, event: StartRows.Picked) -> None:
        event.stop()
        self._select(event.entry.text)

    def _select(self, text: str, otherwise: StartEntry | None = None) -> None:
        """Opens a text; if it is none that can be opened, the entry that it narrows the list to."""
        try:
            locator = self._parse(text)
        except AppError as error:
            if otherwise is not None and otherwise.text != text:
                self._select(otherwise.text)
            else:
                lines = self.query_one(StartInput).pasted_lines
                before = f"{lines:,} lines were pasted, and taken as one text. " if lines > 1 else ""
                self._show_error(f"{before}{error.sentence}\n{error.hint}".strip())
                self.query_one(Input).select_all()  # what is pasted next takes its place
                rows = self.query_one(StartRows)
                if rows.entry is None:
                    rows.replace([])  # that no row has it was all they said, and that it can be opened
            return
        self.query_one(Input).value = ""
        self.post_message(self.Selected(locator))


class LocateDialog(ModalScreen[Locator | None]):
    """Ctrl+O: the box over whatever is shown."""

    DEFAULT_CSS = """
    LocateDialog { align: center top; }
    LocateDialog > Vertical { width: 94%; max-width: 120; height: auto; max-height: 96%; margin-top: 1;
        border: round $ci-rule; background: $ci-raised; padding: 0 1; border-title-color: $ci-text;
        border-title-style: bold; border-subtitle-color: $ci-muted; }
    LocateDialog StartBox { height: auto; }
    LocateDialog StartBox Input, LocateDialog StartBox Input:focus { background: $ci-raised; }
    """
    BINDINGS = [("escape", "dismiss(None)", "Close"), quit_binding()]

    def __init__(self, parse: Parse, entries: Sequence[StartEntry], text: str = "", lines: int = 1) -> None:
        """`lines`: how many the text had where it was pasted."""
        super().__init__()
        self._box = StartBox(parse, entries, text, lines=lines)

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = "Open"
            frame.border_subtitle = "⏎ opens · ↑↓ choose · esc closes"
            yield self._box

    def on_mount(self) -> None:
        self._box.focus_input()

    def on_resize(self) -> None:
        # Borders, the input and the margin.
        rows = self.query_one(StartRows)
        rows.styles.height = max(3, min(rows.row_count, self.size.height - 8))

    @on(StartBox.Selected)
    def _select(self, event: StartBox.Selected) -> None:
        event.stop()
        self.dismiss(event.locator)
