"""The log as something seen: rows, cursor, scrolling, and the strips of the lines in sight."""

from __future__ import annotations

from typing import Any

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backends.logs.folding import FoldedRow, Folding
from backends.logs.patterns import TextPattern
from backends.logs.reader import LogReader
from tui.widgets.log_view_colours import CSS as ANSI_CSS
from tui.widgets.log_view_colours import NAMES
from tui.widgets.log_view_colours import PREFIX as ANSI_PREFIX
from tui.widgets.log_view_lines import Lines, ShownLine
from tui.widgets.log_view_paint import COMPONENTS, Look, Paint

_KEPT_STRIPS = 512


class LogCanvas(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws the lines of a reading. `cursor` is a line number, from 0; `numbered` and `timed` are what goes before."""

    COMPONENT_CLASSES = set(COMPONENTS) | {ANSI_PREFIX + name for name in NAMES}
    DEFAULT_CSS = f"""
    LogCanvas {{
        height: 1fr;
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .log-view--cursor {{ background: $boost; color: $foreground; }}
        &:focus > .log-view--cursor {{ background: $block-cursor-blurred-background; color: $foreground; }}
        &:nocolor > .log-view--cursor {{ background: $surface; color: $foreground; }}
        & > .log-view--error {{ color: $text-error; }}
        & > .log-view--warning {{ color: $text-warning; }}
        & > .log-view--section {{ color: $text-primary; }}
        & > .log-view--quiet {{ color: $text-muted; }}
        & > .log-view--match {{ text-style: bold underline; }}
        & > .log-view--current-match {{ text-style: bold reverse; }}
        {ANSI_CSS}
    }}
    """
    cursor: reactive[int] = reactive(0, repaint=False, init=False)
    numbered: reactive[bool] = reactive(True)
    timed: reactive[bool] = reactive(False)

    def __init__(self, reading: LogReader, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._reading = reading
        self._lines = Lines(reading.spool)
        self._lines_now = 0  # what the rest goes by; the spool may have more already
        self.linked = range(0)  # the lines that a link named
        self._folding: Folding | None = None
        self._paint = Paint(self.get_component_rich_style, lambda: self.rich_style)
        self._texts: dict[tuple[int, Look], Strip] = {}
        self._widest = 0

    def on_mount(self) -> None:
        self._fit_virtual_size()

    def on_resize(self, event: events.Resize) -> None:
        self._fit_virtual_size()
        self._show_cursor()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._paint.forget_styles()
        self._texts.clear()

    # ---- content -----------------------------------------------------------------------------------------------

    def _lines_grew(self) -> None:
        """The spool may have more than before; its last line may have changed."""
        count = self._reading.spool.line_count
        if count != self._lines_now or not self._reading.spool.complete:
            last = max(self._lines_now - 1, 0)
            self._lines.forget_from(last)
            for key in [key for key in self._texts if key[0] >= last]:
                del self._texts[key]
        self._lines_now = count
        self._fit_virtual_size()

    def set_pattern(self, pattern: TextPattern | None) -> None:
        """Marks what matches in the lines in sight."""
        self._lines.pattern = pattern
        self._texts.clear()
        self.refresh()

    def set_folding(self, folding: Folding | None) -> None:
        """Shows only what `folding` shows; the cursor stays on its row of the screen."""
        offset = self._row_of(self.cursor) - self.scroll_offset.y
        self._folding = folding
        self._fit_virtual_size()
        top = self._row_of(self.cursor) - max(0, min(offset, self.in_sight.height - 1))
        self.scroll_to(y=max(top, 0), animate=False, force=True)
        self.refresh()

    @property
    def in_sight(self) -> Size:
        """Cells for the log; `size` counts the scrollbar too."""
        return self.scrollable_content_region.size

    # ---- rows --------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return self._folding.row_count if self._folding is not None else self._lines_now

    def _row_at(self, row: int) -> FoldedRow | None:
        if not 0 <= row < self.row_count:
            return None
        return self._folding.at(row) if self._folding is not None else FoldedRow(row)

    def _rows_in_sight(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(top + self.in_sight.height, self.row_count))

    def _row_of(self, line: int) -> int:
        return self._folding.row_of(line) if self._folding is not None else line

    def _row_at_cursor(self) -> FoldedRow | None:
        return self._row_at(self._row_of(self.cursor))

    def _fit_virtual_size(self) -> None:
        size = Size(max(self._widest, self.in_sight.width), self.row_count)
        if size != self.virtual_size:
            self.virtual_size = size

    # ---- the cursor --------------------------------------------------------------------------------------------

    def validate_cursor(self, line: int) -> int:
        return max(0, min(line, self._lines_now - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh()

    def _place(self, line: int, *, centre: bool = False) -> None:
        """The cursor to a line; `centre` gives it surroundings if it was not in sight."""
        self.cursor = line
        self._show_cursor(centre)

    def _move_rows(self, rows: int) -> None:
        target = self._row_at(max(0, min(self._row_of(self.cursor) + rows, self.row_count - 1)))
        if target is not None:
            self._place(target.line)

    def _show_cursor(self, centre: bool = False) -> None:
        row, top, page = self._row_of(self.cursor), self.scroll_offset.y, max(self.in_sight.height, 1)
        if top <= row < top + page:
            return
        y = row - page // 3 if centre else row if row < top else row - page + 1
        self.scroll_to(y=max(0, min(y, self.row_count - page)), animate=False, force=True)

    def scroll_sideways(self, cells: int) -> None:
        x = max(0, min(self.scroll_offset.x + cells, self._widest - self.in_sight.width // 2))
        self.scroll_to(x=x, animate=False, force=True)

    # ---- drawing -----------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        scrolled, top = self.scroll_offset
        width = self.in_sight.width
        row = self._row_at(top + y)
        if row is None:
            return Strip.blank(width, self._paint.style(""))
        look = Look(row.line == self.cursor or self._row_of(self.cursor) == top + y, None, 0, False, None)
        if row.hidden:
            return self._paint.fold(row.hidden, look, width)
        line = self._lines.line(row.line)
        if line is None:
            return Strip.blank(width, self._paint.style(""))
        look = self._look(row.line, line)
        return self._paint.row(
            self._paint.gutter(row.line, look), self._text(row.line, line, look), scrolled, width, look
        )

    def _look(self, number: int, line: ShownLine) -> Look:
        elapsed = self._lines.elapsed(line.stamp) if self.timed and line.stamp is not None else None
        return Look(
            number == self.cursor,
            self._reading.findings.severity(number),
            len(f"{max(self._lines_now, 1000)}") if self.numbered else 0,
            self.timed,
            elapsed,
            number in self.linked,
        )

    def _text(self, number: int, line: ShownLine, look: Look) -> Strip:
        text = self._texts.get((number, look))
        if text is None:
            if len(self._texts) >= _KEPT_STRIPS:
                self._texts.clear()
            text = self._texts[number, look] = self._paint.text(line, look)
            width = text.cell_length + sum(segment.cell_length for segment in self._paint.gutter(number, look))
            if width > self._widest:
                self._widest = width
                self.call_later(self._fit_virtual_size)
        return text

    def whole_text(self, number: int, most: int) -> list[Segment]:
        """A line as it is drawn, up to so many characters."""
        return list(self._paint.text(self._lines.whole(number, most), Look(False, None, 0, False, None)))
