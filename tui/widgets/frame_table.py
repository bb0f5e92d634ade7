"""FrameTable: the one table of the app, over a polars frame of any size.

    table = FrameTable(resource.schema)
    table.append(page.frame)               # as pages arrive
    table.set_filter("windows -state:completed")
    table.sort("duration", descending=True)
    table.marked                           # what the user chose, whatever the filter

Above `INLINE_ROWS` rows filters and sorts run in a thread; until the answer is there the table shows (and marks) what
it showed before.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import polars as pl
from textual import events, on

from backends.frames.formats import format_value
from backends.frames.schema import Column, Schema
from tui.keymap import bindings
from tui.widgets import frame_messages
from tui.widgets.frame_canvas import FrameCanvas
from tui.widgets.frame_columns import GUTTER
from tui.widgets.frame_messages import Answered, Prepared
from tui.widgets.frame_rows import Arrangement, Question, SortKey


class FrameTable(FrameCanvas):
    """Rows with a filter, a multi-key sort, and marks by row key, which outlive filter, sort and refresh."""

    BINDINGS = bindings("table")
    INLINE_ROWS: ClassVar[int] = 300_000  # a sort of so many rows takes 30-50 ms, the longest that a key may wait

    Highlighted = frame_messages.Highlighted
    Opened = frame_messages.Opened
    MarksChanged = frame_messages.MarksChanged
    Sorted = frame_messages.Sorted
    Shown = frame_messages.Shown
    CopyRequested = frame_messages.CopyRequested

    def __init__(self, schema: Schema, *, fixed_columns: int = 1, **kwargs: Any) -> None:
        """`fixed_columns`: so many stay in sight when the rest scrolls sideways. The rest goes to `Widget`."""
        super().__init__(schema, fixed_columns=fixed_columns, **kwargs)
        self._working = False
        self._work_again = False
        self._home = False  # whether a cursor whose row is gone belongs at the top, once it is known what is shown
        self._told_key: str | None = None

    # ---- content -----------------------------------------------------------------------------------------------

    def replace(self, frame: pl.DataFrame) -> None:
        """Whole new content. Filter, sort, marks (by key) and cursor (by key) stay."""
        held, had_marks = self._model.key_of(self._held), self._model.marked_count > 0
        self._range_row = None
        pruned = self._model.replace(frame)
        self._held = self._model.row_of_key(held)
        if held is not None and self._held is None:
            self._held = -1  # gone, but the user had moved: the cursor stays about where it was
        self._columns.forget()
        self._columns.observe(self._model.frame)
        self._arrange()
        if had_marks:
            self.post_message(self.MarksChanged(self, pruned))

    def append(self, frame: pl.DataFrame) -> None:
        """More rows; one whose key was there before replaces the old one, in its place."""
        self._model.append(frame)
        self._columns.observe(frame)
        self._arrange()

    @property
    def schema(self) -> Schema:
        return self._model.schema

    @property
    def frame(self) -> pl.DataFrame:
        """All rows, in order of arrival."""
        return self._model.frame

    @property
    def shown(self) -> pl.DataFrame:
        """The rows that pass the filter, sorted."""
        return self._model.shown

    @property
    def row_count(self) -> int:
        """How many rows are shown."""
        return self._model.row_count

    @property
    def total_count(self) -> int:
        return self._model.total_count

    @property
    def cursor_key(self) -> str | None:
        return self._model.key_of(self._model.row_at(self.cursor))

    @property
    def cursor_row(self) -> dict[str, Any] | None:
        return self._model.row(self._model.row_at(self.cursor))

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on a row; False if that row is not shown."""
        position = self._model.position_of(self._model.row_of_key(key))
        if position is not None:
            self.cursor = position
            self._held = self._model.row_at(position)
        return position is not None

    # ---- filter and sort ---------------------------------------------------------------------------------------

    @property
    def filter_text(self) -> str:
        return self._model.filter_text

    @property
    def sort_keys(self) -> tuple[SortKey, ...]:
        return self._model.keys

    @property
    def busy(self) -> bool:
        """Whether a thread is still working out what will be shown."""
        return self._working

    def set_filter(self, text: str) -> None:
        """Raises `FilterSyntaxError` and leaves the table as it was."""
        if text != self._model.filter_text:
            self._model.set_filter(text)
            self._home = True
            self._arrange()

    def prepare_filter(self) -> None:
        """The user is about to type a filter: do what its first word would have to wait for, if that is long."""
        question = self._model.question()
        if len(question.frame) > self.INLINE_ROWS and question.haystack is None and self.is_running:
            self.run_worker(partial(self._prepare, question), thread=True, group="prepare", exit_on_error=False)

    def _prepare(self, question: Question) -> None:
        """In a worker thread."""
        self.post_message(Prepared(question, question.search_text()))

    @on(Prepared)
    def _prepared(self, event: Prepared) -> None:
        event.stop()
        self._model.keep_search_text(event.question, event.haystack)

    def sort(self, column: str | None, descending: bool = False, add: bool = False) -> None:
        """Sort by a column (None: order of arrival); `add` puts it behind the other keys or turns it where it is.

        Raises KeyError for a column that the frame lacks.
        """
        if column is None:
            keys: tuple[SortKey, ...] = ()
        elif not add:
            keys = (SortKey(column, descending),)
        else:
            kept = {key.column: key for key in self._model.keys}
            keys = tuple((kept | {column: SortKey(column, descending)}).values())
        self._model.set_sort(keys)
        self._arrange()
        self.post_message(self.Sorted(self))

    def _arrange(self) -> None:
        question = self._model.question()
        if question.is_quick or len(question.frame) <= self.INLINE_ROWS or not self.is_running:
            self._adopt(question, question.answer())
        elif self._working:
            self._work_again = True
        else:
            self._working = True
            self.run_worker(partial(self._work, question), thread=True, group="arrange", exit_on_error=False)

    def _work(self, question: Question) -> None:
        """In a worker thread."""
        answer = None
        try:
            answer = question.answer()
        finally:  # also when polars panics, which is no Exception: the table must not wait for ever
            self.post_message(Answered(question, answer))

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        self._working = False
        fits = event.answer is not None and self._adopt(event.question, event.answer)
        if self._work_again or (event.answer is not None and not fits):
            self._work_again = False
            self._arrange()

    def _adopt(self, question: Question, answer: Arrangement) -> bool:
        adopted = self._model.adopt(question, answer)
        if adopted:
            self._rows_changed(self._home)
            self._home = False
            self.post_message(self.Shown(self))
            self._cursor_moved()
        return adopted

    def _cursor_moved(self) -> None:
        key = self.cursor_key
        if key != self._told_key:
            self._told_key = key
            self.post_message(self.Highlighted(self, key))

    # ---- columns -----------------------------------------------------------------------------------------------

    @property
    def visible_columns(self) -> tuple[Column, ...]:
        return self._columns.visible

    @property
    def focused_column(self) -> Column | None:
        """The column under the column cursor."""
        return self._columns.focused_column

    def hide_column(self, name: str) -> None:
        """The last visible column stays."""
        if self._columns.hide(name):
            self._columns_changed()

    def show_column(self, *names: str) -> None:
        """Show hidden columns again; all of them if none is named."""
        self._columns.show(*names)
        self._columns.observe(self._model.frame)
        self._columns_changed()

    def widen_column(self, name: str, by: int) -> None:
        self._columns.widen(name, by, self._across)
        self._columns_changed()

    def focus_column(self, index: int) -> None:
        """Put the column cursor on the visible column of that number, from 0."""
        self._columns.focus(index)
        self._columns_changed()

    def _columns_changed(self) -> None:
        self._fit_virtual_size()
        self._show_focused_column()
        self.refresh()

    # ---- marks -------------------------------------------------------------------------------------------------

    @property
    def marked(self) -> pl.DataFrame:
        """All marked rows in order of arrival, also those that the filter hides."""
        return self._model.marked

    @property
    def marked_count(self) -> int:
        return self._model.marked_count

    @property
    def marked_keys(self) -> set[str]:
        return self._model.marked_keys

    def mark_keys(self, keys: set[str]) -> None:
        """Mark exactly these rows, as a restored session does."""
        self._model.mark_keys(sorted(keys))
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.refresh()
        self.post_message(self.MarksChanged(self))

    # ---- actions, which the keymap binds -----------------------------------------------------------------------

    def action_column(self, step: int) -> None:
        self.focus_column(self._columns.focused + step)

    def action_open(self) -> None:
        key = self.cursor_key
        if key is not None:
            self.post_message(self.Opened(self, key))

    def action_mark(self) -> None:
        """Mark or unmark the row and go to the next."""
        self._toggle(self.cursor)
        self.cursor += 1

    def _toggle(self, position: int) -> None:
        row = self._model.row_at(position)
        if row is not None:
            self._model.toggle(row)
            self._marks_changed()

    def action_range_mark(self) -> None:
        """Begin a range at the cursor, or mark everything from where it began to here."""
        if self._range_row is None:
            self._range_row, self._range_start = self._model.row_at(self.cursor), self.cursor
            self.refresh()
            return
        self._range_row = None
        self._model.mark_positions(self._range_start, self.cursor)
        self._marks_changed()

    def action_mark_shown(self) -> None:
        self._model.mark_shown()
        self._marks_changed()

    def action_invert(self) -> None:
        self._model.invert_shown()
        self._marks_changed()

    def action_unmark(self) -> None:
        self._range_row = None
        self._model.unmark()
        self._marks_changed()

    def action_sort_column(self, number: int, add: bool = False) -> None:
        """Sort by the visible column of that number, from 1; again reverses."""
        visible = self._columns.visible
        if 1 <= number <= len(visible):
            name = visible[number - 1].name
            before = next((key for key in self._model.keys if key.column == name), None)
            self.sort(name, descending=before is not None and not before.descending, add=add)

    def action_sort_focused(self, add: bool = False) -> None:
        self.action_sort_column(self._columns.focused + 1, add)

    def action_hide_column(self) -> None:
        column = self.focused_column
        if column is not None:
            self.hide_column(column.name)

    def action_show_columns(self) -> None:
        self.show_column()

    def action_widen(self, cells: int) -> None:
        column = self.focused_column
        if column is not None:
            self.widen_column(column.name, cells)

    def action_copy(self) -> None:
        row, column = self.cursor_row, self.focused_column
        if row is not None and column is not None:
            self.post_message(self.CopyRequested(self, format_value(row[column.name], column)))

    # ---- the mouse ---------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        layout = self._columns.place(self._across)
        slot = layout.slot_at(offset.x if offset.x < layout.fixed else offset.x + self.scroll_offset.x)
        if slot is not None:
            self.focus_column(slot)
        position = self.scroll_offset.y + offset.y - 1
        if offset.y == 0:
            if slot is not None:
                self.action_sort_column(slot + 1, add=event.shift)
        elif position < self._model.row_count:
            self.cursor = position
            if offset.x < GUTTER:
                self._toggle(position)
            elif event.chain == 2:
                self.action_open()
