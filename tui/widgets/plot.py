"""A histogram in a widget: drawn by plotext where there is room for rulers, by block characters where there is not."""

from __future__ import annotations

import re
import sys
from typing import Any

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import RenderResult
from textual.color import Color
from textual.message import Message
from textual.widget import Widget

from backends.frames.formats import safe_text
from backends.frames.histograms import Histogram
from backends.frames.schema import Column
from tui.widgets.bars import GLYPHS, block_bars, spread, stacked_bars
from tui.widgets.ticks import ruler

_NARROWEST, _LOWEST_PLOT = 20, 10
_COLOURS = ("primary", "accent", "success", "warning", "error", "secondary", "foreground")
_BLOCKS = "▁▂▃▄▅▆▇█"
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"[─│┌┐└┘├┤┬┴┼]")


class Plot(Widget):
    """Shows one `Histogram`; colours follow the theme, groups differ in sign and colour and have a legend.

    Only plotext's characters are used: its colours would have to be kept in step with the theme and NO_COLOR.
    """

    DEFAULT_CSS = "Plot { height: 1fr; width: 1fr; }"

    class _Loaded(Message):
        """plotext has been imported."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        # Plain attributes, not reactives: Textual would compare frames with !=, which polars does elementwise.
        self._histogram: Histogram | None = None
        self._column: Column | None = None
        self._label = ""
        self._drawn: tuple[tuple[object, ...], Text] | None = None

    def set_histogram(self, histogram: Histogram | None, column: Column | None = None, label: str = "") -> None:
        """Shows another one; None shows nothing. `label` stands above it, before the legend."""
        self._histogram, self._column, self._label, self._drawn = histogram, column, label, None
        if histogram is not None and not plotext_is_loaded():
            # 90 ms and a shared library; block characters stand in until it is there.
            self.run_worker(self._load, thread=True, group="plotext", exit_on_error=False)
        self.refresh()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def _load(self) -> None:
        import plotext  # noqa: F401

        self.post_message(self._Loaded())

    @on(_Loaded)
    def _loaded(self, event: _Loaded) -> None:
        event.stop()
        self.refresh()

    # ---- drawing ---------------------------------------------------------------------------------------------
    def render(self) -> RenderResult:
        width, height = self.size
        histogram, column = self._histogram, self._column
        if histogram is None or column is None or width < _NARROWEST or height < 1:
            return Text("")
        if not histogram.n:
            return Text(self._empty_words(histogram, column), style="italic")
        # A grouped plot takes 35 ms, and Textual asks again for every scroll and hover.
        key = (width, height, id(histogram), self.app.theme, plotext_is_loaded())
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, self._draw(histogram, column, width, height)
        return self._drawn[1]

    def _draw(self, histogram: Histogram, column: Column, width: int, height: int) -> Text:
        title = self._title(histogram)
        title.truncate(width, overflow="ellipsis")
        room = height - bool(title)
        if height < _LOWEST_PLOT or not plotext_is_loaded():
            body = self._draw_blocks(histogram, column, width, room)
        else:
            body = self._draw_plot(histogram, column, width, room)
        lines = [title, body] if title and height > 1 else [body]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)

    def _empty_words(self, histogram: Histogram, column: Column) -> str:
        name = safe_text(column.label).lower()
        if histogram.outside:
            return f"No value of {name} is above 0 ({histogram.outside:,} are not); a logarithmic scale shows none."
        return f"No finite values in {name}."

    def _title(self, histogram: Histogram) -> Text:
        parts = [Text(safe_text(self._label), style="bold")] if self._label else []
        for number, group in enumerate(histogram.groups):
            glyph = GLYPHS[number % len(GLYPHS)]
            parts.append(Text.assemble((f"{glyph} ", self._colour(number)), safe_text(group, 24)))
        if histogram.outside:
            parts.append(Text(f"{histogram.outside:,} not above 0", style="italic"))
        return Text("  ").join(parts)

    def _colour(self, number: int) -> Style:
        colour = self.app.theme_variables.get(_COLOURS[number % len(_COLOURS)], "")
        try:
            return Style(color=Color.parse(colour).rich_color)
        except ValueError:  # a theme may say "auto"
            return Style()

    def _series(self, histogram: Histogram) -> list[list[int]]:
        return [histogram.counts(number) for number in range(max(1, len(histogram.groups)))]

    def _draw_blocks(self, histogram: Histogram, column: Column, width: int, height: int) -> Text:
        series = self._series(histogram)
        rows = max(1, height - 1)
        bars = stacked_bars(series, width, rows) if histogram.groups else block_bars(series[0], width, rows)
        text = self._coloured("\n".join(bars), bool(histogram.groups))
        if height < 2:
            return text
        return text.append(f"\n{_ruler_line(histogram, column, width)}", style="dim")

    def _draw_plot(self, histogram: Histogram, column: Column, width: int, height: int) -> Text:
        drawn = _plotext(self._series(histogram), histogram, column, width, height)
        return self._coloured(drawn, bool(histogram.groups))

    def _coloured(self, drawn: str, grouped: bool) -> Text:
        text = Text(drawn, no_wrap=True)
        text.highlight_regex(_FRAME, Style(dim=True))
        if grouped:
            for number, glyph in enumerate(GLYPHS):
                text.highlight_regex(re.escape(glyph) + "+", self._colour(number))
        else:
            text.highlight_regex(f"[{_BLOCKS}]+", self._colour(0))
        return text


def plotext_is_loaded() -> bool:
    """Whole: while a thread still imports it, its name is already in sys.modules."""
    return hasattr(sys.modules.get("plotext"), "figure")


def _ruler_line(histogram: Histogram, column: Column, width: int) -> str:
    """Labels that begin under their edges; the last one ends at the right border at the latest."""
    line = [" "] * width
    edges = histogram.edges
    for place, label in ruler(edges, column, width, log=histogram.log):
        start = min(int(place * width / (len(edges) - 1)), width - len(label))
        if start >= 0 and all(sign == " " for sign in line[max(0, start - 1) : start + len(label) + 1]):
            line[start : start + len(label)] = label
    return "".join(line).rstrip()


def _plotext(series: list[list[int]], histogram: Histogram, column: Column, width: int, height: int) -> str:
    """Bars of equal width, whatever the edges: on a logarithmic scale they are equally far apart too.

    The x axis counts cells, so that no bar paints over its neighbour's.
    """
    import plotext

    figure: Any = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(width, height)
    top = max(map(sum, zip(*series, strict=True)))
    marks = _count_marks(top, height)
    cells = width - len(f"{marks[-1]:,}") - 2  # the labels at the left and the frame
    heights = [spread(counts, cells) for counts in series]
    # From the whole stack down to its first group: what rounding hides is the small groups, never the largest.
    for number in range(len(heights) - 1, -1, -1):
        totals = [sum(column_counts) for column_counts in zip(*heights[: number + 1], strict=True)]
        cells_used = [cell for cell, total in enumerate(totals) if total]
        if not cells_used:
            continue
        glyph = GLYPHS[number % len(GLYPHS)]
        # One signal a group and not one rectangle a bar: 341 of them took 50 ms of CPU.
        figure.draw(figure.signal(cells_used, [totals[cell] for cell in cells_used], marker=glyph).fillx())
    figure.ruler("y", "left").lim(0, max(map(sum, zip(*heights, strict=True))))
    figure.ruler("y", "left").ticks(marks, [f"{mark:,}" for mark in marks])
    figure.ruler("x").lim(0, cells - 1)
    ticks = ruler(histogram.edges, column, cells, log=histogram.log)
    scale = cells / len(series[0])
    figure.ruler("x").ticks([min(place * scale, cells - 1) for place, _ in ticks], [label for _, label in ticks])
    return _ESCAPE.sub("", figure.build().string()).rstrip("\n")


def _count_marks(top: int, height: int) -> list[int]:
    """Whole numbers from 0 up, at most one every third line."""
    most = max(2, height // 3)
    step, scale = 1, 1
    while top // step > most:
        step = next((factor * scale for factor in (1, 2, 5) if factor * scale > step), 10 * scale)
        scale = scale * 10 if step == 10 * scale else scale
    return list(range(0, top + 1, step))
