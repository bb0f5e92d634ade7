"""LineList: what the table and the log share: a cursor on one of many lines, paging, scrolling, cached strips."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LineList(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws only the lines on the screen.

    Subclasses define `row_count`, `content_width` and `render_line`. `cursor` is a row; a subclass whose cursor counts
    something else overrides `cursor_row_number` and `move_to_row`.
    """

    HEADER_LINES: ClassVar[int] = 0  # lines at the top that do not scroll
    STYLE_PREFIX: ClassVar[str] = ""  # of the component classes
    MAX_STRIPS: ClassVar[int] = 2048
    DEFAULT_CSS = """
    LineList {
        height: 1fr;
        background: $ci-bg;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
    }
    """
    cursor: reactive[int] = reactive(0, repaint=False, init=False)

    def __init__(self) -> None:
        super().__init__()
        self._styles: dict[str, Style] = {}
        self._strips: dict[Any, Strip] = {}

    # ---- size --------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        """How many rows can be scrolled through."""
        raise NotImplementedError

    @property
    def content_width(self) -> int:
        """Cells of the longest line."""
        raise NotImplementedError

    @property
    def line_width(self) -> int:
        """Visible cells of a line; `size` counts the scrollbar, too."""
        return self.scrollable_content_region.width

    @property
    def page_rows(self) -> int:
        """Rows on the screen."""
        return max(self.scrollable_content_region.height - self.HEADER_LINES, 1)

    def fit_virtual_size(self) -> None:
        self.virtual_size = Size(max(self.content_width, self.line_width), self.row_count + self.HEADER_LINES)

    def on_mount(self) -> None:
        self.fit_virtual_size()

    def on_resize(self, event: events.Resize) -> None:
        self.fit_virtual_size()
        self.show_cursor()

    # ---- the cursor --------------------------------------------------------------------------------------------

    @property
    def cursor_row_number(self) -> int:
        """The row that the cursor is on."""
        return self.cursor

    def move_to_row(self, row: int) -> None:
        """What the keys do: the cursor goes to a row, or to the first or last one."""
        self.cursor = row

    def action_cursor(self, rows: int) -> None:
        self.move_to_row(self.cursor_row_number + rows)

    def action_page(self, pages: int) -> None:
        self.action_cursor(pages * max(self.page_rows - 1, 1))

    def action_jump(self, where: int) -> None:
        """To the first row (0) or the last (-1)."""
        self.move_to_row(self.row_count - 1 if where < 0 else where)

    def show_cursor(self, *, centre: bool = False) -> None:
        """Scrolls to the cursor if it is not on the screen; `centre`: with some rows above it."""
        row, top, page = self.cursor_row_number, self.scroll_offset.y, self.page_rows
        if not top <= row < top + page:
            y = row - page // 3 if centre else row if row < top else row - page + 1
            self._scroll_to_row(y)

    def keep_cursor_at(self, line: int) -> None:
        """Scrolls so that the cursor is on this line of the screen again, after rows came or went."""
        top = self.cursor_row_number - max(0, min(line, self.page_rows - 1))
        if top != self.scroll_offset.y and self.is_attached:
            self._scroll_to_row(top)

    def _scroll_to_row(self, y: int) -> None:
        self.scroll_to(y=max(0, min(y, self.row_count - self.page_rows)), animate=False, force=True)

    # ---- styles and strips -------------------------------------------------------------------------------------

    def style_of(self, name: str) -> Style:
        """The style of a component class, "" for the widget's own; kept, for each look-up takes 0.2 ms."""
        style = self._styles.get(name)
        if style is None:
            style = self.get_component_rich_style(self.STYLE_PREFIX + name) if name else self.rich_style
            self._styles[name] = style
        return style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def cached_strip(self, key: Hashable, draw: Callable[[], Strip]) -> Strip:
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= self.MAX_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = draw()
        return strip
