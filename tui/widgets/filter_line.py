"""The filter box above a table: text in, and what is wrong with it beside it."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, Static

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from tui.widgets.frame_table import FrameTable


class FilterInput(Input):
    """Enter and Down keep the filter and go to the table, Esc clears it and goes there too."""

    # Bindings, not key methods: after those the key would go on to the list, where Esc means back.
    BINDINGS = [
        Binding("escape", "clear", "Clear", show=True),
        Binding("down", "leave", show=False),
    ]

    def __init__(self, left: Callable[[], None]) -> None:
        super().__init__(placeholder="words, column:value, -column:value, duration>30m, /regex/")
        self._left = left

    async def action_submit(self) -> None:
        self._left()  # not by a message: the next key would come before it

    def action_leave(self) -> None:
        self._left()

    def action_clear(self) -> None:
        self.value = ""
        self._left()


class FilterLine(Horizontal):
    """One line, shown while it has the focus or a text. Filters the table as one types.

    A filter that is wrong says so and leaves the table as it was; one that only lacks its end says nothing.
    `table`: gives it, None while there is none. `left`: puts the focus where the user goes on.
    """

    DEFAULT_CSS = """
    FilterLine { height: 1; display: none; }
    FilterLine.-shown { display: block; }
    FilterLine #filter-sign { width: 3; color: $text-muted; background: $boost; }
    FilterLine FilterInput, FilterLine FilterInput:focus { border: none; height: 1; width: 1fr; padding: 0;
        background: $boost; }
    FilterLine #filter-problem { width: auto; max-width: 65%; color: $text-error; background: $boost; }
    """

    def __init__(self, table: Callable[[], FrameTable | None], left: Callable[[], None]) -> None:
        super().__init__()
        self._table = table
        self._owner_left = left

    def compose(self) -> ComposeResult:
        yield Static(" / ", id="filter-sign")
        yield FilterInput(self._leave)
        yield Static("", id="filter-problem")

    def enter(self) -> None:
        """Takes the focus; a very large table starts to get ready, so that the first key does not wait for it."""
        table = self._table()
        if table is not None:
            table.prepare_filter()
        self.add_class("-shown")
        # At once: focus() waits its turn, and the next letters of a fast typist would be commands to the table.
        self.screen.set_focus(self.query_one(FilterInput))

    def begin_with(self, text: str) -> None:
        """A filter that came with the list, unless something is written already."""
        box = self.query_one(FilterInput)
        if not box.value:
            box.value = text
            self.add_class("-shown")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.apply(typing=self.query_one(FilterInput).has_focus)

    def apply(self, *, typing: bool = False) -> None:
        """Filters the table by the text; while `typing` not by a bare `column:`, which may be about to go on."""
        table = self._table()
        if table is None:
            return
        problem, text = "", self.query_one(FilterInput).value
        try:
            if typing and filters.parse(text, table.schema).unfinished:
                return
            table.set_filter(text)
        except FilterSyntaxError as wrong:
            problem = "" if typing and wrong.incomplete else str(wrong)
        words = Text(f" {problem} " if problem else "", no_wrap=True, overflow="ellipsis")
        self.query_one("#filter-problem", Static).update(words)

    def _leave(self) -> None:
        """What is typed is finished now; the line stays visible as long as it filters."""
        self.apply()
        self.set_class(bool(self.query_one(FilterInput).value), "-shown")
        self._owner_left()
