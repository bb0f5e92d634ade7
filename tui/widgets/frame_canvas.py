"""The table as something seen: cursor, scrolling and the lines of a frame, drawn without widgets or Python rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from textual import events
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backends.frames.schema import Schema
from tui.widgets.frame_cells import Cells
from tui.widgets.frame_columns import Columns
from tui.widgets.frame_model import FrameModel
from tui.widgets.frame_paint import COMPONENTS, Paint, Row, View

_KEPT_STRIPS = 2048
_FLASH = 2.0  # seconds
_MOST_FLASHED = 200  # rows; more than that are no longer a hint


class FrameCanvas(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws a `FrameModel`. `cursor` is a position in the shown rows; it stays with its row when rows move."""

    COMPONENT_CLASSES = set(COMPONENTS)
    DEFAULT_CSS = """
    FrameCanvas {
        height: 1fr;
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .frame-table--header { background: $panel; color: $foreground; text-style: bold; }
        & > .frame-table--header-focus { background: $panel; color: $foreground; text-style: bold underline; }
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
        & > .frame-table--mark { color: $text-warning; text-style: bold; }
        & > .frame-table--good { color: $text-success; }
        & > .frame-table--bad { color: $text-error; }
        & > .frame-table--warning { color: $text-warning; }
        & > .frame-table--active { color: $text-primary; } /* $accent is $warning in textual-dark */
        & > .frame-table--quiet { color: $text-muted; }
    }
    """
    cursor: reactive[int] = reactive(0, repaint=False, init=False)

    def __init__(self, schema: Schema, *, fixed_columns: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._model = FrameModel(schema)
        self._columns = Columns(schema, fixed_columns)
        self._paint = Paint(Cells(self._model), self.get_component_rich_style, lambda: self.rich_style)
        self._strips: dict[Row, Strip] = {}
        self._strips_of: tuple[object, ...] = ()
        self._held: int | None = None  # the row that the user put the cursor on
        self._range_row: int | None = None  # the row where a range of marks began
        self._range_start = 0  # and its position
        self._placing = False
        self._flashed: frozenset[int] = frozenset()

    # ---- drawing -----------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._fit_virtual_size()

    def on_resize(self, event: events.Resize) -> None:
        self._fit_virtual_size()
        self._show_cursor()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._paint.forget_styles()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        scrolled, top = self.scroll_offset
        view = View(self._columns.place(self._across), scrolled, self._across)
        stamp = (view, self._model.version)
        if stamp != self._strips_of or len(self._strips) > _KEPT_STRIPS:
            self._strips.clear()
            self._strips_of = stamp
        if y == 0:
            focused = self._columns.focused_column
            return self._paint.header(view, self._model.keys, focused.name if focused is not None else None)
        row = self._row(top + y - 1)
        if row is None:
            return self._paint.blank(view.width)
        strip = self._strips.get(row)
        if strip is None:
            strip = self._strips[row] = self._paint.row(view, row)
        return strip

    def _row(self, position: int) -> Row | None:
        number = self._model.row_at(position)
        if number is None:
            return None
        marked, flashed = self._model.is_marked(number), number in self._flashed
        return Row(position, position == self.cursor, marked, self._in_range(position), flashed)

    def flash(self, keys: Sequence[str]) -> None:
        """Makes rows stand out for a moment, because something about them has changed."""
        rows = (self._model.row_of_key(key) for key in keys[:_MOST_FLASHED])
        self._flashed = frozenset(row for row in rows if row is not None)
        self.refresh()
        self.set_timer(_FLASH, partial(self._unflash, self._flashed))

    def _unflash(self, rows: frozenset[int]) -> None:
        if self._flashed is rows:
            self._flashed = frozenset()
            self.refresh()

    def keys_in_sight(self) -> list[str]:
        """The keys of the rows on the screen, in order."""
        key = self._model.schema.key
        return self._model.window(self.scroll_offset.y, self.page_rows, [key])[key].to_list()

    def _in_range(self, position: int) -> bool:
        if self._range_row is None:
            return False
        return min(self._range_start, self.cursor) <= position <= max(self._range_start, self.cursor)

    @property
    def _across(self) -> int:
        """Cells of a line that can be seen: `size` counts those under the scrollbar, too."""
        return self.scrollable_content_region.width

    def _fit_virtual_size(self) -> None:
        # The header scrolls nowhere but takes a line, hence one more than there are rows.
        self.virtual_size = Size(self._columns.place(self._across).width, self._model.row_count + 1)

    # ---- the cursor --------------------------------------------------------------------------------------------

    @property
    def page_rows(self) -> int:
        """Rows in sight."""
        return max(self.size.height - 1, 1)

    def validate_cursor(self, position: int) -> int:
        return max(0, min(position, self._model.row_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        if not self._placing:
            self._held = self._model.row_at(new)
        if self._range_row is None:
            self.refresh_lines(old + 1)
            self.refresh_lines(new + 1)
        else:
            self.refresh()
        if not self._placing:
            self._show_cursor()
        self._cursor_moved()

    def _cursor_moved(self) -> None:
        """For subclasses: the cursor is on another position."""

    def action_cursor(self, rows: int) -> None:
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        self.cursor += pages * max(self.page_rows - 1, 1)

    def action_jump(self, where: int) -> None:
        """To the first row (0) or the last (-1)."""
        self.cursor = self._model.row_count - 1 if where < 0 else where

    def _show_cursor(self) -> None:
        top, page = self.scroll_offset.y, self.page_rows
        if not top <= self.cursor < top + page:
            y = self.cursor if self.cursor < top else self.cursor - page + 1
            self.scroll_to(y=y, animate=False, force=True)

    def _show_focused_column(self) -> None:
        layout = self._columns.place(self._across)
        if not layout.slots:
            return
        slot = layout.slots[min(self._columns.focused, len(layout.slots) - 1)]
        x = self.scroll_offset.x
        if slot.end <= layout.fixed:
            return
        if slot.start - x < layout.fixed:
            self.scroll_to(x=slot.start - layout.fixed, animate=False, force=True)
        elif slot.end - x > self._across:
            self.scroll_to(x=min(slot.end - self._across, slot.start - layout.fixed), animate=False, force=True)

    def _rows_changed(self, home: bool) -> None:
        """Other rows are shown, or in another order: the cursor follows its row and stays on its line of the screen.

        A row that is gone leaves the cursor where it was, or at the top (`home`); it gets it back when it returns,
        unless the user has moved on. A cursor that nobody has moved stays at the top while rows arrive.
        """
        offset = self.cursor - self.scroll_offset.y
        found = self._model.position_of(self._held)
        start = self._model.position_of(self._range_row)
        self._range_row, self._range_start = (None, 0) if start is None else (self._range_row, start)
        self._fit_virtual_size()
        self._placing = True
        try:
            self.cursor = found if found is not None else 0 if home or self._held is None else self.cursor
        finally:
            self._placing = False
        top = self.cursor - max(0, min(offset, self.page_rows - 1))
        top = max(0, min(top, self._model.row_count - self.page_rows))
        if top != self.scroll_offset.y and self.is_attached:
            self.scroll_to(y=top, animate=False, force=True)
        self.refresh()
