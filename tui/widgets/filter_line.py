"""The filter line above a table: filters as one types, completes columns and values, recalls earlier filters."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import replace

import polars as pl
from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.suggester import Suggester
from textual.widgets import Input, Static

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from backends.frames.schema import Schema
from tui.widgets.inputs import LineInput
from tui.widgets.table import FrameTable

MAX_EARLIER = 50
MAX_VALUE_LENGTH = 60  # characters of a value that is offered
_SIMPLE = re.compile(r"[\w./@%+-]+")  # needs no quotes
_MAX_ROWS = 20_000  # rows that are filtered again, some times, while the user waits


def find_nearest_filter(frame: pl.DataFrame, schema: Schema, text: str) -> tuple[str, int] | None:
    """Of a filter that leaves no row: what is left of it without one of its terms, and how many rows that leaves.

    The one with the most rows; None where no such filter leaves any, and for long lists.
    """
    terms = filters.parse(text, schema).terms
    if len(frame) > _MAX_ROWS or not 2 <= len(terms) <= 6:
        return None
    found = []
    for place in range(len(terms)):
        shorter = replace(filters.parse("", schema), terms=terms[:place] + terms[place + 1 :])
        found.append((int(shorter.mask(frame).sum()), -place, str(shorter)))
    count, _, nearest = max(found)
    return (nearest, count) if count else None


class FilterSuggester(Suggester):
    """Completes the last word: a column's name, or the most frequent value of a column that begins so.

    Right accepts what is suggested.
    """

    def __init__(self, table: Callable[[], FrameTable | None]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._table = table
        self._counted: tuple[int, str, list[str]] = (0, "", [])  # rows, column, its values by frequency

    async def get_suggestion(self, value: str) -> str | None:
        table = self._table()
        word = value.rpartition(" ")[2].lstrip("-")
        if table is None or not word:
            return None
        return self.complete(value, word, table.schema, table.frame)

    def complete(self, text: str, word: str, schema: Schema, frame: pl.DataFrame) -> str | None:
        """`text` with its last word completed; None where nothing begins so."""
        name, colon, begun = word.partition(":")
        if not colon:
            found = next((one for one in schema.names if one.startswith(word) and one != word), None)
            return text + found[len(word) :] + ":" if found else None
        before, comma, begun = begun.rpartition(",")
        if name not in schema.names or not schema[name].is_text:
            return None
        used = set(before.split(",")) if comma else set()
        for value in self._values(name, frame):
            if value.lower().startswith(begun.lower()) and value.lower() != begun.lower() and value not in used:
                return text + value[len(begun) :]
        return None

    def _values(self, name: str, frame: pl.DataFrame) -> list[str]:
        """The column's values, the most frequent first, equal ones by name."""
        if self._counted[:2] != (len(frame), name):
            counted = frame[name].drop_nulls().alias("value").value_counts(name="rows")
            values = counted.sort(["rows", "value"], descending=[True, False])["value"].head(5_000).to_list()
            values = [one for one in values if _SIMPLE.fullmatch(one)]
            self._counted = len(frame), name, [one for one in values if len(one) <= MAX_VALUE_LENGTH]
        return self._counted[2]


class FilterInput(LineInput):
    """Enter keeps the filter and goes to the table, as Down does; Up recalls; Esc clears it and goes there too."""

    # Bindings, not key methods: after those the key would also go to the list, where Esc means back.
    BINDINGS = [
        Binding("escape", "clear", "Clear", show=True),
        Binding("down", "later", show=False),
        Binding("up", "earlier", show=False),
        Binding("tab", "complete", show=False),
    ]
    virtual_size = Reactive(Size(0, 0))  # Textual's lays the screen out anew at each letter; this box keeps its place

    def __init__(self, leave: Callable[[], None], suggester: Suggester) -> None:
        super().__init__(placeholder="words, column:value, -column:value, duration>30m, /regex/", suggester=suggester)
        self.earlier: list[str] = []  # filters that were used, the newest first
        self._leave = leave
        self._recalled = -1  # which of them is shown

    async def action_submit(self) -> None:
        self._leave()  # not by a message: the next key would come before it

    def action_complete(self) -> None:
        self.action_cursor_right() if self.cursor_at_end else self.action_end()

    def action_earlier(self) -> None:
        self._recall(1)

    def action_later(self) -> None:
        if self._recalled < 0:
            self._leave()
        else:
            self._recall(-1)

    def _recall(self, step: int) -> None:
        at = min(self._recalled + step, len(self.earlier) - 1)
        self._recalled = at
        self.value = self.earlier[at] if at >= 0 else ""
        self.cursor_position = len(self.value)

    def action_clear(self) -> None:
        self.value = ""
        self._leave()

    def remember(self) -> bool:
        """The filter has been used; False if there is none, or none that is new."""
        self._recalled = -1
        text = self.value.strip()
        if not text or self.earlier[:1] == [text]:
            return False
        self.earlier = [text, *(one for one in self.earlier if one != text)][:MAX_EARLIER]
        return True


class _FittedText(Static):
    """A line as wide as its text: a letter typed beside it lays the screen out anew only if that width has changed."""

    text = ""

    def show(self, text: str) -> None:
        if text != self.text:
            wider = cell_len(text) != cell_len(self.text)
            self.text = text
            self.update(Text(text, no_wrap=True, overflow="ellipsis"), layout=wider)


class FilterLine(Horizontal):
    """One line, shown while it has the focus or a text. Filters the table as one types.

    An invalid filter shows its error and leaves the table unchanged; one that only lacks its end shows nothing.
    `table`: returns the table, None while there is none. `leave`: puts the focus where the user continues.
    """

    DEFAULT_CSS = """
    FilterLine { height: 1; display: none; background: $ci-field; }
    FilterLine.-shown { display: block; }
    FilterLine #filter-sign { width: 3; color: $ci-muted; }
    FilterLine FilterInput, FilterLine FilterInput:focus { border: none; height: 1; width: 1fr; padding: 0;
        background: $ci-field; background-tint: transparent; }
    FilterLine #filter-error { width: auto; max-width: 65%; color: $text-error; }
    FilterLine #filter-hits { width: auto; color: $ci-muted; padding: 0 1; }
    """

    def __init__(self, table: Callable[[], FrameTable | None], leave: Callable[[], None]) -> None:
        super().__init__()
        self._table = table
        self._leave_to_owner = leave

    class HistoryChanged(Message):
        """A filter was kept. `texts`: those used so far, the newest first."""

        def __init__(self, texts: list[str]) -> None:
            self.texts = texts
            super().__init__()

    def compose(self) -> ComposeResult:
        yield Static(" / ", id="filter-sign")
        yield FilterInput(self._leave, FilterSuggester(self._table))
        yield _FittedText(id="filter-error")
        yield _FittedText(id="filter-hits")

    def set_earlier(self, texts: list[str]) -> None:
        """Filters that were used before, the newest first: what Up recalls."""
        self.query_one(FilterInput).earlier = texts

    def enter(self) -> None:
        """Takes the focus; a very large table starts to get ready, so that the first key does not wait for it."""
        table = self._table()
        if table is not None:
            table.prepare_filter()
        self.add_class("-shown")
        # At once: focus() waits its turn, and the next letters of a fast typist would be commands to the table.
        self.screen.set_focus(self.query_one(FilterInput))

    def set_initial(self, text: str) -> None:
        """A filter that came with the list, unless the user has typed one already."""
        box = self.query_one(FilterInput)
        if not box.value:
            box.value = text
            self.add_class("-shown")

    def set_text(self, text: str) -> None:
        """Filters by another text."""
        self.query_one(FilterInput).value = text
        self.apply()
        self.set_class(bool(text), "-shown")

    def narrow(self, text: str) -> None:
        """Adds a condition to the filter, and shows it."""
        box = self.query_one(FilterInput)
        if f" {text} " not in f" {box.value} ":
            box.value = f"{box.value.strip()} {text}".strip()
        box.cursor_position = len(box.value)
        self.apply()
        self._keep()

    def show_hits(self, shown: int, total: int) -> None:
        """How many rows the filter leaves."""
        text = f"{shown:,} of {total:,}" if self.query_one(FilterInput).value else ""
        self.query_one("#filter-hits", _FittedText).show(text)

    def toggle(self, text: str) -> None:
        """Filters by this text, or shows all rows again if they are filtered by it."""
        box = self.query_one(FilterInput)
        if box.value == text:
            self.clear()
            return
        box.value = text
        self.add_class("-shown")
        self.apply()

    def clear(self) -> bool:
        """Shows all rows again; False if nothing was filtered."""
        box = self.query_one(FilterInput)
        if not box.value:
            return False
        box.value = ""
        self.apply()
        self.remove_class("-shown")
        return True

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.apply(typing=self.query_one(FilterInput).has_focus)

    def apply(self, *, typing: bool = False) -> None:
        """Filters the table by the text; while `typing` not by a bare `column:`, whose value may follow."""
        table = self._table()
        if table is None:
            return
        message, text = "", self.query_one(FilterInput).value
        try:
            if typing and filters.parse(text, table.schema).unfinished:
                return
            table.set_filter(text, typing)
        except FilterSyntaxError as error:
            message = "" if typing and error.incomplete else str(error)
        self.query_one("#filter-error", _FittedText).show(f" {message} " if message else "")

    def _leave(self) -> None:
        """What is typed is finished now; the line stays visible as long as it filters."""
        self._finish_text()
        self._keep()
        self._leave_to_owner()

    def _keep(self) -> None:
        box = self.query_one(FilterInput)
        if box.remember():
            self.post_message(self.HistoryChanged(box.earlier))
        self.set_class(bool(box.value), "-shown")

    def on_descendant_blur(self) -> None:
        self._finish_text()  # a click has left it

    def _finish_text(self) -> None:
        """The beginning of a state becomes the states that it stood for while it was typed."""
        table, box = self._table(), self.query_one(FilterInput)
        if table is not None:
            with contextlib.suppress(FilterSyntaxError):
                box.value = filters.complete_states(box.value, table.frame, table.schema)
        self.apply()
