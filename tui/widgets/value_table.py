"""All values of a text column as a list to walk: what occurs how often, and how much of it failed."""

from __future__ import annotations

import polars as pl
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.widget import Widget

from backends.frames.formats import safe_text
from backends.frames.frequencies import Frequencies
from backends.frames.text_tables import pad_text
from tui.widgets.plot_widget import PlotWidget
from tui.widgets.table_drawing import fit_ends

NO_VALUE = "(no value)"
CURSOR = "▌"
_LONGEST = 200  # characters of a value that are looked at
_WHEEL = 3  # rows


class ValueTable(PlotWidget):
    """One row a value: value, count, share, failed, bar. Only the rows in sight are ever drawn."""

    DEFAULT_CSS = "ValueTable { width: 1fr; height: 1fr; }"

    class RowClicked(Message):
        """A value was clicked: its number, from 0."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__()
        self._values: Frequencies | None = None
        self._chosen: int | None = None
        self._top = 0
        self._longest = 0  # cells of the longest value

    def set_values(self, values: Frequencies) -> None:
        """Shows other values, from the first one on."""
        self._values, self._top = values, 0
        longest = values.table.select(pl.col("value").str.slice(0, _LONGEST).str.len_bytes().max()).item()
        self._longest = max(int(longest or 0), len(NO_VALUE))  # an upper bound, at once for any number of values
        self.choose(self._chosen)
        self.refresh()

    def choose(self, number: int | None) -> None:
        """Marks a value and brings it into sight; None marks none."""
        self._chosen = number
        if number is not None:
            height = max(1, self.size.height)
            self._top = min(max(self._top, number - height + 1), number)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        number = self._top + event.y
        if self._values is not None and number < len(self._values.table):
            self.post_message(self.RowClicked(number))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(event, _WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(event, -_WHEEL)

    def _scroll(self, event: events.MouseEvent, rows: int) -> None:
        event.stop()
        if self._values is not None:
            self._top = min(max(self._top + rows, 0), max(0, len(self._values.table) - self.size.height))
            self.refresh()

    def render(self) -> RenderResult:
        width, height = self.size
        values = self._values
        if values is None or not len(values.table):
            return Text("No values.", style="italic")
        rows = list(values.table.slice(self._top, height).iter_rows())
        names = [NO_VALUE if value is None else safe_text(value, _LONGEST) for value, _, _ in rows]
        most: int = values.table["count"][0]
        count_width, with_failed = len(f"{most:,}"), values.table["failed"].null_count() == 0
        failed_width = (count_width + 2) if with_failed else 0
        fixed = 2 + 2 + count_width + 8 + failed_width + 2
        name_width = max(8, min(self._longest, max(width - fixed - 8, 8), max(width // 2, 8)))
        bar_width = max(0, width - fixed - name_width - 1)
        text = Text(no_wrap=True, overflow="crop")
        for place, (name, (_, count, failed)) in enumerate(zip(names, rows, strict=True)):
            chosen = self._top + place == self._chosen
            line = self._draw_row(name, count, failed, (name_width, count_width, failed_width, bar_width), most)
            if chosen:
                line.pad_right(max(0, width - 1 - line.cell_len))
                line.stylize(Style(bold=True, bgcolor=self.role("select" if self._is_walked else "select-off").color))
            text.append("\n" if place else "").append(CURSOR if chosen else " ", self.role("accent")).append_text(line)
        return text

    def _draw_row(
        self, name: str, count: int, failed: int | None, widths: tuple[int, int, int, int], most: int
    ) -> Text:
        name_width, count_width, failed_width, bar_width = widths
        share = count / self._values.rows if self._values is not None and self._values.rows else 0
        text = Text(" ", no_wrap=True)
        text.append(pad_text(fit_ends(name, name_width), name_width))
        text.append(f"  {count:>{count_width},}")
        text.append(f"  {share:>6.1%}", self.role("muted"))
        if failed_width:
            text.append(f"{failed or '':>{failed_width}}", self.role("failed"))
        text.append("  ")
        bad, good = split_bar(count, failed or 0, most, bar_width)
        text.append("━" * bad, self.role("failed"))
        if bad and good:
            # A gap, so that the shares are seen without colour too; where there is no cell for it, half of one.
            text.append(" " if good > 1 else "╺", self.role("data"))
            good -= 1
        text.append("━" * good, self.role("data"))
        return text

    @property
    def _is_walked(self) -> bool:
        """Whether the keys go to the panel that this is part of."""
        return any(isinstance(node, Widget) and node.has_focus for node in self.ancestors)


def split_bar(count: int, failed: int, most: int, width: int) -> tuple[int, int]:
    """Cells of what failed and of the rest, of a bar `width` cells long for the largest count; neither is lost: a bar
    of both has two cells where there is room for them."""
    least = 1 + (0 < failed < count)
    whole = min(width, max(least, round(count * width / max(most, 1)))) if count else 0
    bad = min(max(1, round(whole * failed / count)), max(1, whole - (failed < count))) if failed and whole else 0
    return bad, whole - bad
