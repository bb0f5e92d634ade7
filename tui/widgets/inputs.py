"""The filter line above a table, and check boxes whose state is in their sign and not only in their colour."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Checkbox, Input, RadioButton, SelectionList, Static

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from tui.widgets.table import FrameTable


class FilterInput(Input):
    """Enter and Down keep the filter and go to the table, Esc clears it and goes there too."""

    # Bindings, not key methods: after those the key would also go to the list, where Esc means back.
    BINDINGS = [
        Binding("escape", "clear", "Clear", show=True),
        Binding("down", "leave", show=False),
    ]

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__(placeholder="words, column:value, -column:value, duration>30m, /regex/")
        self._leave = leave

    async def action_submit(self) -> None:
        self._leave()  # not by a message: the next key would come before it

    def action_leave(self) -> None:
        self._leave()

    def action_clear(self) -> None:
        self.value = ""
        self._leave()


class FilterLine(Horizontal):
    """One line, shown while it has the focus or a text. Filters the table as one types.

    An invalid filter shows its error and leaves the table unchanged; one that only lacks its end shows nothing.
    `table`: returns the table, None while there is none. `leave`: puts the focus where the user continues.
    """

    DEFAULT_CSS = """
    FilterLine { height: 1; display: none; }
    FilterLine.-shown { display: block; }
    FilterLine #filter-sign { width: 3; color: $text-muted; background: $boost; }
    FilterLine FilterInput, FilterLine FilterInput:focus { border: none; height: 1; width: 1fr; padding: 0;
        background: $boost; }
    FilterLine #filter-error { width: auto; max-width: 65%; color: $text-error; background: $boost; }
    """

    def __init__(self, table: Callable[[], FrameTable | None], leave: Callable[[], None]) -> None:
        super().__init__()
        self._table = table
        self._leave_to_owner = leave

    def compose(self) -> ComposeResult:
        yield Static(" / ", id="filter-sign")
        yield FilterInput(self._leave)
        yield Static("", id="filter-error")

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
            table.set_filter(text)
        except FilterSyntaxError as error:
            message = "" if typing and error.incomplete else str(error)
        label = Text(f" {message} " if message else "", no_wrap=True, overflow="ellipsis")
        self.query_one("#filter-error", Static).update(label)

    def _leave(self) -> None:
        """What is typed is finished now; the line stays visible as long as it filters."""
        self.apply()
        self.set_class(bool(self.query_one(FilterInput).value), "-shown")
        self._leave_to_owner()


# Textual draws the same sign, dimmed, for what is off; without colour nobody sees that.
class TickBox(Checkbox):
    """A check box that is empty when it is off."""

    @property
    def _button(self) -> Content:
        return super()._button if self.value else _without_sign(super()._button, self.BUTTON_INNER)


class RadioDot(RadioButton):
    """A radio button that is empty when it is off."""

    @property
    def _button(self) -> Content:
        return super()._button if self.value else _without_sign(super()._button, self.BUTTON_INNER)


class TickList(SelectionList[str]):
    """A list of check boxes, those not selected empty."""

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        number = self.scroll_offset.y + y
        if number >= self.option_count or self.get_option_at_index(number).value in self.selected:
            return line
        segments = list(line)
        if len(segments) > 1 and segments[1].text == Checkbox.BUTTON_INNER:
            segments[1] = Segment(" ", segments[1].style, segments[1].control)
        return Strip(segments, line.cell_length)


def _without_sign(button: Content, sign: str) -> Content:
    return Content(button.plain.replace(sign, " "), spans=list(button.spans))
