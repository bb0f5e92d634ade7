"""Histograms of a column (`HistogramPlot`): bars that can be walked, with readable rulers.

plotext draws them where there is room for rulers; where there is little, block characters stand for a histogram.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message

from backends.frames.axis_ticks import ruler
from backends.frames.formats import safe_text
from backends.frames.histograms import Histogram
from backends.frames.schema import Column
from tui.widgets.plot_widget import PlotText, PlotWidget, figure_text, new_figure, plotext_is_loaded

# One sign a group of a histogram, all different without colour; the last one is for the rest of the groups.
GLYPHS = "█▒▚░▞▓╳"
EIGHTHS = " ▁▂▃▄▅▆▇█"
FAILED, CHOSEN = "▓", "▲"  # the part of a bar that failed; the chosen bin, under the axis
_MIN_WIDTH, _MIN_PLOT_HEIGHT = 20, 10  # cells of a histogram; with fewer lines it is drawn in blocks


class HistogramPlot(PlotWidget):
    """Shows one `Histogram`; groups differ in sign and colour and have a legend. One bin can be chosen."""

    DEFAULT_CSS = "HistogramPlot { height: 1fr; width: 1fr; }"
    COLOURS = ("data", "warning", "ok", "exception", "running", "accent", "muted")

    class BinClicked(Message):
        """A bin was clicked: its number, from 0."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__()
        self._histogram: Histogram | None = None
        self._column: Column | None = None
        self._chosen: int | None = None
        self._left = 0  # cells before the first bar
        self._cells = 0  # of all bars

    def set_histogram(self, histogram: Histogram | None, column: Column | None = None) -> None:
        """Shows another one; None shows nothing."""
        self._histogram, self._column, self._drawn = histogram, column, None
        if histogram is not None:
            self.load_plotext()
        self.refresh()

    def choose(self, number: int | None) -> None:
        """Marks a bin; None marks none."""
        if number != self._chosen:
            self._chosen = number
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        cell, bins = event.x - self._left, len(self._histogram.totals) if self._histogram is not None else 0
        if bins and 0 <= cell < self._cells:
            self.post_message(self.BinClicked(cell * bins // self._cells))

    def render(self) -> RenderResult:
        width, height = self.size
        histogram, column = self._histogram, self._column
        if histogram is None or column is None or width < _MIN_WIDTH or height < 1:
            return Text("")
        if not histogram.n:
            return Text(_describe_empty(histogram, column), style="italic")
        key = (width, height, id(histogram), self._chosen, self.app.theme, plotext_is_loaded())
        return self.keep_drawing(key, lambda: self._draw(histogram, column, width, height))

    def _draw(self, histogram: Histogram, column: Column, width: int, height: int) -> Text:
        title = self._title(histogram)
        title.truncate(width, overflow="ellipsis")
        room = height - bool(title)
        series = [histogram.counts(group) for group in range(max(1, len(histogram.groups)))]
        if height >= _MIN_PLOT_HEIGHT and plotext_is_loaded():
            plot, self._left = _plot_histogram(series, histogram, column, width, room)
            self._cells = width - self._left - 1
            first, rows = 1, room - 3
        else:
            first, rows, self._left, self._cells = 0, max(1, room - 1), 0, width
            bars = stacked_bars(series, width, rows) if histogram.groups else block_bars(series[0], width, rows)
            plot = "\n".join([*bars, _ruler_line(histogram, column, width)] if room > 1 else bars)
        text = PlotText(plot)
        self._paint_bars(text, histogram, first, rows)
        lines = [title, text.text(self.role("rule"))]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines if title and height > 1 else lines[1:])

    def _title(self, histogram: Histogram) -> Text:
        parts = []
        for group, name in enumerate(histogram.groups):
            parts.append(Text.assemble((f"{GLYPHS[group % len(GLYPHS)]} ", self.colour(group)), safe_text(name, 24)))
        if histogram.outside:
            parts.append(Text(f"{histogram.outside:,} not above 0", style="italic"))
        return Text("  ").join(parts)

    def _paint_bars(self, text: PlotText, histogram: Histogram, first: int, rows: int) -> None:
        """Colours the bars in `rows` lines from the line `first` on, their feet and the chosen bin."""
        chosen, accent = self._chosen_cells(histogram), self.role("accent")
        colours = dict(zip(GLYPHS, map(self.colour, range(len(GLYPHS))), strict=True))
        data = self.colour(0)
        for line in range(first, first + rows):
            for column in range(self._left, min(self._left + self._cells, len(text.lines[line]))):
                sign = text.lines[line][column]
                if sign != " ":
                    usual = colours.get(sign, data) if histogram.groups else data
                    text.put(line, column, style=accent if column - self._left in chosen else usual)
        if histogram.failed:
            self._paint_feet(text, histogram, first, rows)
        if chosen and first + rows < len(text.lines):
            text.put(first + rows, self._left + chosen[len(chosen) // 2], CHOSEN, accent)

    def _chosen_cells(self, histogram: Histogram) -> range:
        bins, chosen = len(histogram.totals), self._chosen
        if chosen is None or not 0 <= chosen < bins:
            return range(0)
        start, end = (-(-place * self._cells // bins) for place in (chosen, chosen + 1))
        return range(start, max(end, start + 1))

    def _paint_feet(self, text: PlotText, histogram: Histogram, first: int, rows: int) -> None:
        """The failed part of each bar at its foot, in eighths of a cell; what failed is never invisible."""
        failed, totals = (spread(counts, self._cells) for counts in (histogram.failed, histogram.totals))
        red, top = self.role("failed"), max(totals, default=0)
        both = red + self._as_ground(self.colour(0))
        for cell, bad in enumerate(failed):
            if not bad:
                continue
            whole, rest = divmod(max(1, round(bad * rows * 8 / top)), 8)
            for row in range(whole):
                text.put(first + rows - 1 - row, self._left + cell, FAILED, red)
            line, column = first + rows - 1 - whole, self._left + cell
            if rest and line >= first:
                covers = "".join(text.lines[line][column : column + 1]) == "█"
                text.put(line, column, EIGHTHS[rest] if covers else "", both if covers else red)

    @staticmethod
    def _as_ground(style: Style) -> Style:
        return Style(bgcolor=style.color)


def _describe_empty(histogram: Histogram, column: Column) -> str:
    name = safe_text(column.label).lower()
    if histogram.outside:
        return f"No value of {name} is above 0 ({histogram.outside:,} are not); a logarithmic scale shows none."
    return f"No finite values in {name}."


def _ruler_line(histogram: Histogram, column: Column, width: int) -> str:
    """Labels that begin under their edges; the last one ends at the right border at the latest."""
    line = [" "] * width
    edges = histogram.edges
    for place, label in ruler(edges, column, width, log=histogram.log):
        start = min(int(place * width / (len(edges) - 1)), width - len(label))
        if start >= 0 and all(sign == " " for sign in line[max(0, start - 1) : start + len(label) + 1]):
            line[start : start + len(label)] = label
    return "".join(line).rstrip()


def _plot_histogram(
    series: list[list[int]], histogram: Histogram, column: Column, width: int, height: int
) -> tuple[str, int]:
    """Bars of equal width, whatever the edges: on a logarithmic scale they are equally far apart too; and how many
    cells there are before the first of them.

    The x axis counts cells, so that no bar paints over its neighbour's.
    """
    figure = new_figure(width, height)
    top = max(map(sum, zip(*series, strict=True)))
    marks = _count_marks(top, height)
    cells = width - len(f"{marks[-1]:,}") - 2  # the labels at the left and the frame
    heights = [spread(counts, cells) for counts in series]
    # From the whole stack down to its first group: what rounding hides is the small groups, never the largest.
    for group in range(len(heights) - 1, -1, -1):
        totals = [sum(column_counts) for column_counts in zip(*heights[: group + 1], strict=True)]
        cells_used = [cell for cell, total in enumerate(totals) if total]
        if not cells_used:
            continue
        glyph = GLYPHS[group % len(GLYPHS)]
        # One signal a group and not one rectangle a bar: 341 of them took 50 ms of CPU.
        figure.draw(figure.signal(cells_used, [totals[cell] for cell in cells_used], marker=glyph).fillx())
    figure.ruler("y", "left").lim(0, max(map(sum, zip(*heights, strict=True))))
    figure.ruler("y", "left").ticks(marks, [f"{mark:,}" for mark in marks])
    figure.ruler("x").lim(0, cells - 1)
    ticks = ruler(histogram.edges, column, cells, log=histogram.log)
    scale = cells / len(series[0])
    figure.ruler("x").ticks([min(place * scale, cells - 1) for place, _ in ticks], [label for _, label in ticks])
    return figure_text(figure), width - cells - 1


def _count_marks(top: int, height: int) -> list[int]:
    """Whole numbers from 0 up, at most one every third line."""
    most = max(2, height // 3)
    step, scale = 1, 1
    while top // step > most:
        step = next((factor * scale for factor in (1, 2, 5) if factor * scale > step), 10 * scale)
        scale = scale * 10 if step == 10 * scale else scale
    return list(range(0, top + 1, step))


def block_bars(counts: Sequence[int], width: int, height: int) -> list[str]:
    """`height` lines of at most `width` cells, the tallest bar full; a count above zero is never invisible."""
    heights = spread(counts, width)
    top = max(heights, default=0)
    levels = [max(1, round(count * height * 8 / top)) if count else 0 for count in heights]
    return ["".join(EIGHTHS[max(0, min(8, level - row * 8))] for level in levels) for row in range(height - 1, -1, -1)]


def stacked_bars(groups: Sequence[Sequence[int]], width: int, height: int) -> list[str]:
    """Like `block_bars` for several groups on top of each other, in whole cells of their `GLYPHS`."""
    columns = list(zip(*(spread(counts, width) for counts in groups), strict=True))
    top = max(map(sum, columns), default=0)
    drawn = [_stack(column, top, height) for column in columns]
    return ["".join(stack[row] for stack in drawn) for row in range(height - 1, -1, -1)]


def _stack(counts: Sequence[int], top: int, height: int) -> str:
    """One column from the bottom up; each cell has the sign of the group that takes most of it."""
    total = sum(counts)
    if not total:
        return " " * height
    filled = max(1, round(total * height / top))
    bounds = [0, *accumulate(counts)]
    signs = []
    for row in range(filled):
        lower, upper = row * total / filled, (row + 1) * total / filled
        shares = [min(upper, bounds[group + 1]) - max(lower, bounds[group]) for group in range(len(counts))]
        signs.append(GLYPHS[shares.index(max(shares)) % len(GLYPHS)])
    return "".join(signs).ljust(height)


def spread(counts: Sequence[int], width: int) -> list[int]:
    """One count a cell: bins that are wider than a cell repeat, those that are narrower are summed."""
    bins = len(counts)
    if not bins or width <= 0:
        return []
    if bins <= width:
        return [counts[cell * bins // width] for cell in range(width)]
    return [sum(counts[cell * bins // width : (cell + 1) * bins // width]) for cell in range(width)]
