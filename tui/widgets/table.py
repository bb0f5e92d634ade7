"""FrameTable: the one table of the app, over a polars frame of any size, drawn without widgets or Python rows.

    table = FrameTable(resource.schema)
    table.append(page.frame)               # as pages arrive
    table.set_filter("windows -state:completed")
    table.sort("duration", descending=True)
    table.marked_rows                      # what the user chose, whatever the filter

Above `INLINE_ROWS` rows filters and sorts run in a thread; until that is done the table shows (and marks) what it
showed before. A filter that is still typed does so above `TYPED_ROWS`, so that its letters need not wait; once it is
finished it is applied at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import polars as pl
from textual import events, on
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from backends.frames.heat import HEAT_NAMES
from backends.frames.schema import Schema
from tui.input_queue import call_after_input
from tui.keymap import bindings
from tui.widgets.plain import is_present
from tui.widgets.row_painting import COMPONENTS, RowPainter, RowState, Viewport
from tui.widgets.table_arrangement import ArrangedTable
from tui.widgets.table_drawing import GUTTER, CellTexts
from tui.widgets.table_model import SortKey, ViewRequest, ViewState

_FLASH = 2.0  # seconds
_MAX_FLASHED = 200  # rows; more than that are no longer a hint


class FrameTable(ArrangedTable):
    """Rows with a filter, a multi-key sort, and marks by row key, which outlive filter, sort and refresh.

    `cursor` is a position in the shown rows; it stays with its row when rows move.
    """

    ALLOW_SELECT = False  # the mouse marks rows
    BINDINGS = bindings("table")
    HEADER_LINES = 1
    STYLE_PREFIX = "frame-table--"
    COMPONENT_CLASSES = {f"frame-table--{name}" for name in COMPONENTS}
    INLINE_ROWS: ClassVar[int] = 300_000  # a sort of so many rows takes 30-50 ms, the longest that a key may wait
    TYPED_ROWS: ClassVar[int] = 10_000
    DEFAULT_CSS = (
        """
    FrameTable {
        background: $ci-bg; color: $ci-text;
        & > .frame-table--header { background: $ci-bar; color: $ci-text; text-style: bold; }
        & > .frame-table--header-focus { background: $ci-bar; color: $ci-text; text-style: bold underline; }
        & > .frame-table--cursor {
            background: $block-cursor-blurred-background;
            color: $block-cursor-blurred-foreground;
            text-style: $block-cursor-blurred-text-style;
        }
        &:focus > .frame-table--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
        &:nocolor > .frame-table--cursor { background: $surface; color: $foreground; text-style: underline; }
        &:focus:nocolor > .frame-table--cursor { text-style: bold reverse; }
        & > .frame-table--flash { background: $primary-muted; color: $foreground; text-style: bold; }
        & > .frame-table--mark { color: $ci-accent; text-style: bold; }
        & > .frame-table--good { color: $text-success; }
        & > .frame-table--bad { color: $text-error; }
        & > .frame-table--exception { color: $ci-exception; }
        & > .frame-table--warning { color: $text-warning; }
        & > .frame-table--active { color: $ci-running; }
        & > .frame-table--quiet { color: $text-muted; }
        & > .frame-table--data { color: $ci-data; }
        & > .frame-table--rule { color: $ci-rule; }
        & > .frame-table--ok-quiet { color: $ci-ok-quiet; }
        & > .frame-table--fill-failed { background: $ci-fill-failed; color: $ci-on-fill-failed; }
        & > .frame-table--fill-warning { background: $ci-fill-warning; color: $ci-on-fill-warning; }
    """
        + "\n".join(
            f"& > .frame-table--{name} {{ background: $ci-{name}; color: $ci-on-{name}; }}" for name in HEAT_NAMES
        )
        + "}"
    )

    class RowHighlighted(Message):
        """The cursor is on another row; `key` is None when there is none."""

        def __init__(self, key: str | None) -> None:
            super().__init__()
            self.key = key

    class RowSelected(Message):
        """Enter or a double click on the row with this key."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class MarksChanged(Message):
        """Other rows are marked."""

    class MenuRequested(Message):
        """A right click on the row that the cursor is on now."""

    class ViewChanged(Message):
        """Filter, sort or new rows have been applied: `shown_rows` and `row_count` are up to date."""

    class _ViewComputed(Message, bubble=False):
        def __init__(self, request: ViewRequest, state: ViewState | None) -> None:
            super().__init__()
            self.request, self.state = request, state  # None if it failed

    class _SearchTextBuilt(Message, bubble=False):
        def __init__(self, request: ViewRequest, text: pl.Series) -> None:
            super().__init__()
            self.request, self.text = request, text

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self._painter = RowPainter(CellTexts(self._model), self.style_of)
        self._strips_version: tuple[object, ...] = ()
        self._held: int | None = None  # the row that the user put the cursor on
        self._range_row: int | None = None  # the row where a range of marks began
        self._range_start = 0  # and its position
        self._placing = False
        self._flashed: frozenset[int] = frozenset()
        self._flash_timer: Timer | None = None
        self._unmeasured: list[pl.DataFrame] = []  # rows that have come and are not shown yet
        self.busy = False  # whether a thread computes what will be shown
        self._rerun = False  # another view is wanted once the thread is done
        self._home = False  # whether a cursor whose row is gone belongs at the top, once it is known what is shown
        self._highlighted_key: str | None = None
        self._had_rows = False  # whether any were shown: which keys are offered depends on it
        self._pressed_row: int | None = None  # where the mouse is pressed
        self._clicked_row: int | None = None  # where it was pressed and let go
        self._clicked_key: str | None = None  # of the last row that was clicked
        self._empty_text: tuple[str, ...] = ()
        self._dragged = False  # whether it has been moved to another row since

    # ---- content -----------------------------------------------------------------------------------------------

    def replace(self, frame: pl.DataFrame) -> None:
        """Other content. Filter, sort, and by their keys marks, cursor, a range and what flashes stay."""
        model, had_marks = self._model, self._model.marked_count > 0
        known = [model.key_of(row) for row in (self._held, self._range_row, self._pressed_row, self._clicked_row)]
        flashed = [key for row in self._flashed if (key := model.key_of(row)) is not None]
        model.replace(frame)
        # -1: gone, but the user had moved, and the cursor stays about where it was; or pressed it, and means no other.
        rows = [None if key is None else -1 if (row := model.row_of_key(key)) is None else row for key in known]
        self._held, self._range_row, self._pressed_row, self._clicked_row = rows
        self._flashed = frozenset(model.rows_of_keys(flashed)) if flashed else frozenset()
        self._unmeasured.clear()
        self._columns.forget()
        self._columns.observe(self._model.frame)
        self._update_view()
        if had_marks:
            self.post_message(self.MarksChanged())

    def append(self, *frames: pl.DataFrame) -> None:
        """More rows; one whose key was there before replaces the old one, in its place."""
        for frame in frames:
            self._model.append(frame)
        self._unmeasured += frames  # not before they are shown: lines that are drawn meanwhile would not fit the others
        self._update_view(arrived=True)

    @property
    def schema(self) -> Schema:
        return self._model.schema

    @property
    def frame(self) -> pl.DataFrame:
        """All rows, in order of arrival."""
        return self._model.frame

    @property
    def shown_rows(self) -> pl.DataFrame:
        """The rows that pass the filter, sorted."""
        return self._model.shown_rows

    @property
    def row_under_cursor(self) -> pl.DataFrame:
        """That one row, all of its columns; none where there is no row."""
        row = self._model.row_at(self.cursor)
        return self.frame.clear() if row is None else self.frame.slice(row, 1)

    @property
    def row_count(self) -> int:
        """How many rows are shown."""
        return self._model.row_count

    @property
    def total_count(self) -> int:
        return len(self._model.frame)

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
        return self._model.sort_keys

    @property
    def columns_in_use(self) -> frozenset[str]:
        """The names of those that it is filtered or sorted by."""
        return self._model.filter.columns.union(key.column for key in self._model.sort_keys)

    def set_filter(self, text: str, typing: bool = False) -> None:
        """Raises `FilterSyntaxError` and leaves the table unchanged. `typing`: the text may go on."""
        if (text, typing) == (self._model.filter_text, self._filter_is_typed):
            return
        step = self._current_state("filter")
        self._model.set_filter(text, typing)
        if text != step.filter_text and not self._filter_step:
            self._undo.append(step)
            self._filter_step = True
        self._filter_is_typed = typing
        self._home = True
        self._update_view()

    def prepare_filter(self) -> None:
        """The user is about to type a filter: do what its first word would have to wait for, if that is long."""
        request = self._model.view_request()
        if len(request.frame) > self.TYPED_ROWS and not request.has_search_text and self.is_running:
            work = partial(self._build_search_text, request)
            self.run_worker(work, thread=True, group="prepare", exit_on_error=False)

    def _build_search_text(self, request: ViewRequest) -> None:
        """In a worker thread."""
        self.post_message(self._SearchTextBuilt(request, request.build_search_text()))

    @on(_SearchTextBuilt)
    def _keep_search_text(self, event: _SearchTextBuilt) -> None:
        event.stop()
        self._model.keep_search_text(event.request, event.text)

    def sort(self, column: str | None, descending: bool = False, add: bool = False) -> None:
        """Sort by a column (None: order of arrival); `add` puts it behind the other keys or turns it where it is.

        Raises KeyError for a column that the frame lacks.
        """
        if column is None:
            keys: tuple[SortKey, ...] = ()
        elif not add:
            keys = (SortKey(column, descending),)
        else:
            before = {key.column: key for key in self._model.sort_keys}
            keys = tuple((before | {column: SortKey(column, descending)}).values())
        self._model.set_sort(keys)
        self._update_view()

    def _update_view(self, *, arrived: bool = False) -> None:
        """`arrived`: because of rows that came by themselves, which can be drawn after a key that came meanwhile."""
        request, inline = self._model.view_request(), self.TYPED_ROWS if self._filter_is_typed else self.INLINE_ROWS
        if request.is_quick or len(request.frame) <= inline or not self.is_running:
            state = request.compute()
            if arrived and self.is_running and self.row_count:
                call_after_input(self.app, partial(self._apply_if_present, request, state))
            else:
                self._apply_view(request, state)
        elif self.busy:
            self._rerun = True
        else:
            self.busy = True
            self.run_worker(partial(self._compute_view, request), thread=True, group="view", exit_on_error=False)

    def _compute_view(self, request: ViewRequest) -> None:
        """In a worker thread."""
        state = None
        try:
            state = request.compute()
        finally:  # also when polars panics, which is not an Exception: the table must not wait for ever
            self.post_message(self._ViewComputed(request, state))

    @on(_ViewComputed)
    def _view_computed(self, event: _ViewComputed) -> None:
        event.stop()
        self.busy = False
        fits = event.state is not None and self._apply_view(event.request, event.state)
        if self._rerun or (event.state is not None and not fits):
            self._rerun = False
            self._update_view()

    def _apply_if_present(self, request: ViewRequest, state: ViewState) -> None:
        if is_present(self):
            self._apply_view(request, state)

    def _apply_view(self, request: ViewRequest, state: ViewState) -> bool:
        applied = self._model.apply(request, state)
        if applied:
            if (self.row_count > 0) != self._had_rows:
                self._had_rows = not self._had_rows
                self.refresh_bindings()
            if self._unmeasured:
                self._columns.observe(*self._unmeasured)
                self._unmeasured.clear()
            self._rows_changed(self._home)
            self._home = False
            self.post_message(self.ViewChanged())
            self._post_highlighted()
        return applied

    def _post_highlighted(self) -> None:
        key = self.cursor_key
        if key != self._highlighted_key:
            self._highlighted_key = key
            self.post_message(self.RowHighlighted(key))

    # ---- the cursor --------------------------------------------------------------------------------------------

    def validate_cursor(self, position: int) -> int:
        return max(0, min(position, self.row_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        if not self._placing:
            self._held = self._model.row_at(new)
        if self._range_row is None:
            self.refresh_lines(old + 1)
            self.refresh_lines(new + 1)
        else:
            self.refresh()
        if not self._placing:
            self.show_cursor()
        self._post_highlighted()

    def _rows_changed(self, home: bool) -> None:
        """Other rows are shown, or in another order: the cursor follows its row and stays on its line of the screen.

        A row that is gone leaves the cursor where it was, or at the top (`home`); it gets it back when it returns,
        unless the user has moved. A cursor that nobody has moved stays at the top while rows arrive.
        """
        line = self.cursor - self.scroll_offset.y
        position = self._model.position_of(self._held)
        start = self._model.position_of(self._range_row)
        self._range_row, self._range_start = (None, 0) if start is None else (self._range_row, start)
        self.fit_virtual_size()
        self._placing = True
        try:
            self.cursor = position if position is not None else 0 if home or self._held is None else self.cursor
        finally:
            self._placing = False
        self.keep_cursor_at(line)
        self.refresh()

    # ---- drawing -----------------------------------------------------------------------------------------------

    @property
    def content_width(self) -> int:
        return self._columns.place(self.line_width).width

    def render_line(self, y: int) -> Strip:
        scrolled, top = self.scroll_offset
        view = Viewport(self._columns.place(self.line_width), scrolled, self.line_width)
        version = (view, self._model.rows_version)
        if version != self._strips_version:
            self._strips.clear()
            self._strips_version = version
        if y == 0:
            focused = self._columns.focused_column
            return self._painter.header(view, self._model.sort_keys, focused.name if focused is not None else None)
        row = self._row_state(top + y - 1)
        if row is None:
            return self._painter.message(self._empty_text[y - 2 : y - 1], view.width)
        return self.cached_strip(row, lambda: self._painter.row(view, row))

    def set_result_ages(self, ages: Sequence[float]) -> None:
        """The ruler above a matrix: seconds from the newest result to each."""
        if ages != self._painter.ages:
            self._painter.ages = ages
            self.refresh()

    def set_empty_text(self, lines: tuple[str, ...]) -> None:
        """What stands in place of rows while the filter leaves none."""
        if lines != self._empty_text:
            self._empty_text = lines
            self.refresh()

    def _row_state(self, position: int) -> RowState | None:
        number = self._model.row_at(position)
        if number is None:
            return None
        marked, flashed = self._model.is_marked(number), number in self._flashed
        return RowState(position, number, position == self.cursor, marked, self._in_range(position), flashed)

    def _in_range(self, position: int) -> bool:
        if self._range_row is None:
            return False
        return min(self._range_start, self.cursor) <= position <= max(self._range_start, self.cursor)

    def flash(self, keys: Sequence[str]) -> None:
        """Makes rows stand out for a moment, because something about them has changed."""
        self._flashed = frozenset(self._model.rows_of_keys(keys[:_MAX_FLASHED]))
        self.refresh()
        if self._flash_timer is not None:
            self._flash_timer.stop()
        self._flash_timer = self.set_timer(_FLASH, self._unflash)

    def _unflash(self) -> None:
        self._flashed = frozenset()
        self.refresh()

    def keys_in_sight(self) -> list[str]:
        """The keys of the rows on the screen, in order."""
        return self._model.values(self._model.schema.key, self.scroll_offset.y, self.page_rows).to_list()

    # ---- marks -------------------------------------------------------------------------------------------------

    @property
    def marked_rows(self) -> pl.DataFrame:
        """All marked rows in order of arrival, also those that the filter hides."""
        return self._model.marked_rows

    @property
    def marked_rows_as_shown(self) -> pl.DataFrame:
        """The marked rows in the order to write them in: those shown as sorted, then the hidden as they came."""
        return self._model.marked_rows_as_shown

    @property
    def marked_count(self) -> int:
        return self._model.marked_count

    @property
    def marked_keys(self) -> set[str]:
        return self._model.marked_keys

    def _marks_changed(self) -> None:
        self.refresh()
        self.post_message(self.MarksChanged())

    def action_mark(self) -> None:
        """Mark or unmark the row and go to the next."""
        self._toggle_mark(self.cursor)
        self.cursor += 1

    def _toggle_mark(self, position: int) -> None:
        row = self._model.row_at(position)
        if row is not None:
            self._remember("mark")
            self._model.toggle(row)
            self._marks_changed()

    def _end_range(self) -> None:
        self._range_row = None

    def action_range_mark(self) -> None:
        """Begin a range at the cursor, or mark everything from where it began to here."""
        if self._range_row is None:
            self._range_row, self._range_start = self._model.row_at(self.cursor), self.cursor
            self.refresh()
            return
        self._mark_range()

    def _mark_range(self) -> None:
        self._remember("marks")
        self._range_row = None
        self._model.mark_positions(self._range_start, self.cursor)
        self._marks_changed()

    def action_mark_shown(self) -> None:
        self._remember("marks")
        self._model.mark_shown()
        self._marks_changed()

    def action_invert(self) -> None:
        self._remember("marks")
        self._model.invert_shown()
        self._marks_changed()

    def unmark(self) -> bool:
        """Unmarks all rows and ends a range; False if there was nothing to unmark."""
        if not self.marked_count and self._range_row is None:
            return False
        if self.marked_count:
            self._remember("marks")
        self._range_row = None
        self._model.unmark()
        self._marks_changed()
        return True

    def action_unmark(self) -> None:
        self.unmark()

    # ---- opening, the mouse ------------------------------------------------------------------------------------

    def action_open(self) -> None:
        key = self.cursor_key
        if key is not None:
            self.post_message(self.RowSelected(key))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would change nothing now are neither offered nor taken."""
        match action:
            case "open" | "mark" | "range_mark" | "mark_shown" | "invert":
                return self.row_count > 0
            case "unmark":
                return self.marked_count > 0 or self._range_row is not None
            case "show_columns":
                return bool(self._columns.hidden)
            case "hide_column":
                return len(self._columns.visible) > 1
            case "sort_column" if parameters:
                return isinstance(parameters[0], int) and parameters[0] <= len(self._columns.visible)
        return True

    def _position_at(self, y: int) -> int:
        """Of the row at this line of the widget, the nearest where there is none."""
        return max(0, min(self.scroll_offset.y + y - self.HEADER_LINES, self.row_count - 1))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        offset = event.get_content_offset(self)
        on_row = offset is not None and offset.y >= self.HEADER_LINES
        position = self.scroll_offset.y + offset.y - self.HEADER_LINES if on_row and offset is not None else -1
        self._pressed_row, self._clicked_row = self._model.row_at(position), None
        self._dragged = False

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """With the button held: what lies between becomes a range, which is marked when the button is let go."""
        start = self._model.position_of(self._pressed_row)
        if start is None or event.button != 1:
            return
        position = self._position_at(event.y - self.gutter.top)
        if not self._dragged:
            if position == start:
                return
            self._dragged = True
            self.capture_mouse()
            self._range_row, self._range_start = self._pressed_row, start
        self.cursor = position
        self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._pressed_row, self._clicked_row = None, self._pressed_row
        if self._dragged:
            self.release_mouse()
            if self._range_row is not None:  # else what was dragged over is gone
                self._mark_range()

    def on_click(self, event: events.Click) -> None:
        """On the row that was pressed, wherever it is by now."""
        offset = event.get_content_offset(self)
        if self._dragged:  # the end of that, and no click
            self._dragged = False
            return
        if offset is None or event.button not in (1, 3):
            return
        position = self._model.position_of(self._clicked_row)
        if event.button == 3:
            if position is not None:
                self.cursor = position
                self.post_message(self.MenuRequested())
            return
        layout = self._columns.place(self.line_width)
        slot = layout.slot_at(offset.x if offset.x < layout.fixed else offset.x + self.scroll_offset.x)
        if slot is not None:
            self.focus_column(slot)
        if offset.y == 0:
            if slot is not None:
                self.action_add_sort_key() if event.shift else self.action_sort_column(slot + 1)
        elif position is not None:
            self.cursor = position
            key, before = self.cursor_key, self._clicked_key
            self._clicked_key = key
            if offset.x < GUTTER:
                self._toggle_mark(position)
            elif event.chain == 2 and key == before:  # else the first click was for a row that has moved away
                self.action_open()
