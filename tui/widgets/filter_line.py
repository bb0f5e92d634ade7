"""The filter box above a table: text in, and what is wrong with it beside it."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from backends.frames import filters
from backends.frames.filters import FilterProblem
from tui.widgets.frame_table import FrameTable


class FilterInput(Input):
    """Enter and Down keep the filter and go to the table, Esc clears it and goes there too."""

    # Bindings, not key methods: after those the key would go on to the list, where Esc means back.
    BINDINGS = [
        Binding("escape", "clear", "Clear", show=True),
        Binding("down", "leave", show=False),
    ]

    def action_clear(self) -> None:
        self.value = ""
        self.post_message(FilterLine.Left())

    def action_leave(self) -> None:
        self.post_message(FilterLine.Left())


class FilterLine(Horizontal):
    """One line, shown while it has the focus or a text. Filters the table it was given as one types.

    A filter that is wrong says so and leaves the table as it was; one that only lacks its end says nothing.
    """

    DEFAULT_CSS = """
    FilterLine { height: 1; display: none; }
    FilterLine.-shown { display: block; }
    FilterLine #filter-sign { width: 3; color: $text-muted; background: $boost; }
    FilterLine FilterInput, FilterLine FilterInput:focus { border: none; height: 1; width: 1fr; padding: 0;
        background: $boost; }
    FilterLine #filter-problem { width: auto; max-width: 65%; color: $text-error; background: $boost; }
    """

    class Left(Message):
        """The user is done with the box."""

    def compose(self) -> ComposeResult:
        yield Static(" / ", id="filter-sign")
        yield FilterInput(placeholder="words, column:value, -column:value, duration>30m, /regex/")
        yield Static("", id="filter-problem")

    def enter(self, table: FrameTable | None) -> None:
        """Takes the focus; a very large table starts to get ready, so that the first key does not wait for it."""
        if table is not None:
            table.prepare_filter()
        self.add_class("-shown")
        self.query_one(FilterInput).focus()

    def apply(self, table: FrameTable, *, typing: bool = True) -> None:
        """Filters the table by the text; while `typing` not by a bare `column:`, which may be about to go on."""
        problem, text = "", self.query_one(FilterInput).value
        try:
            if typing and filters.parse(text, table.schema).unfinished:
                return
            table.set_filter(text)
        except FilterProblem as wrong:
            problem = "" if wrong.incomplete else str(wrong)
        words = Text(f" {problem} " if problem else "", no_wrap=True, overflow="ellipsis")
        self.query_one("#filter-problem", Static).update(words)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left())

    def leave(self, table: FrameTable | None) -> None:
        """What is typed is finished now; the line stays visible as long as it filters."""
        if table is not None:
            self.apply(table, typing=False)
        self.set_class(bool(self.query_one(FilterInput).value), "-shown")
