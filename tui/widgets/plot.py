"""A histogram in a widget: drawn by plotext where there is room for rulers, by block characters where there is not."""

from __future__ import annotations

import re
import sys
from typing import Any

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from backends.frames.formats import safe_text
from backends.frames.histograms import Histogram
from backends.frames.schema import Column
from tui.widgets.bars import GLYPHS, block_bars, stacked_bars
from tui.widgets.ticks import tick_labels, tick_places

_NARROWEST, _LOWEST_PLOT = 20, 10
_COLOURS = ("primary", "accent", "success", "warning", "error", "secondary", "foreground")
_BLOCKS = "▁▂▃▄▅▆▇█"
_FRAME = re.compile(r"[─│┌┐└┘├┤┬┴┼]")


class Plot(Widget):
    """Shows one `Histogram`; colours follow the theme, groups differ in sign and colour and have a legend.

    Only plotext's characters are used: its colours would have to be kept in step with the theme and NO_COLOR.
    """

    DEFAULT_CSS = "Plot { height: 1fr; width: 1fr; }"

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        # Plain attributes, not reactives: Textual would compare frames with !=, which polars does elementwise.
        self._histogram: Histogram | None = None
        self._column: Column | None = None
        self._label = ""

    def set_histogram(self, histogram: Histogram | None, column: Column | None = None, label: str = "") -> None:
        """Shows another one; None shows nothing. `label` stands above it, before the legend."""
        self._histogram, self._column, self._label = histogram, column, label
        if histogram is not None and "plotext" not in sys.modules:
            # 90 ms and a shared library; block characters stand in until it is there.
            self.run_worker(self._load, thread=True, group="plotext", exit_on_error=False)
        self.refresh()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def _load(self) -> None:
        import plotext  # noqa: F401

        self.app.call_from_thread(self.refresh)

    # ---- drawing ---------------------------------------------------------------------------------------------
    def render(self) -> RenderResult:
        width, height = self.size
        histogram, column = self._histogram, self._column
        if histogram is None or column is None or width < _NARROWEST or height < 1:
            return Text("")
        if not histogram.n:
            return Text(self._empty_words(histogram, column), style="italic")
        title = self._title(histogram)
        room = height - bool(title)
        if height < _LOWEST_PLOT or "plotext" not in sys.modules:
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
            parts.append(Text(f"{glyph} ", style=self._colour(number)) + Text(safe_text(group, 24)))
        if histogram.outside:
            parts.append(Text(f"{histogram.outside:,} not above 0", style="italic"))
        return Text("  ").join(parts)

    def _colour(self, number: int) -> Style:
        from textual.color import Color

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
        return text.append(f"\n{_ruler(tick_labels(histogram.edges, column), width)}", style="dim")

    def _draw_plot(self, histogram: Histogram, column: Column, width: int, height: int) -> Text:
        series = self._series(histogram)
        drawn = _plotext(series, tick_labels(histogram.edges, column), width, height)
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


def _ruler(labels: list[str], width: int) -> str:
    """Labels under evenly spread edges; the last one ends at the right border."""
    line = [" "] * width
    bins = max(1, len(labels) - 1)
    for place in tick_places(labels, width):
        label = labels[place]
        start = min(place * width // bins, width - len(label))
        if start < 0 or any(sign != " " for sign in line[max(0, start - 1) : start + len(label)]):
            continue
        line[start : start + len(label)] = label
    return "".join(line).rstrip()


def _plotext(series: list[list[int]], labels: list[str], width: int, height: int) -> str:
    """Bars at equal distances, whatever the edges: on a logarithmic scale they are equally far apart too."""
    import plotext

    figure: Any = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(width, height)
    bins = len(series[0])
    middles = [number + 0.5 for number in range(bins)]
    if len(series) > 1:
        glyphs = [GLYPHS[number % len(GLYPHS)] for number in range(len(series))]
        figure.draw(figure.bar(middles, series, width=1, marker=glyphs, stacked=True))
    else:
        figure.draw(figure.bar(middles, series[0], width=1, marker="█"))
    top = max(map(sum, zip(*series, strict=True)))
    marks = _count_marks(top, height)
    figure.ruler("y", "left").lim(0, top)
    figure.ruler("y", "left").ticks(marks, [f"{mark:,}" for mark in marks])
    places = tick_places(labels, width - len(f"{top:,}") - 3)
    figure.ruler("x").lim(0, bins)
    figure.ruler("x").ticks(places, [labels[place] for place in places])
    return Text.from_ansi(figure.build().string()).plain.rstrip("\n")


def _count_marks(top: int, height: int) -> list[int]:
    """Whole numbers from 0 up, at most one every third line."""
    most = max(2, height // 3)
    step, scale = 1, 1
    while top // step > most:
        step = next((factor * scale for factor in (1, 2, 5) if factor * scale > step), 10 * scale)
        scale = scale * 10 if step == 10 * scale else scale
    return list(range(0, top + 1, step))
