"""Charts: histograms (`HistogramPlot`) and the points of a list over an axis (`ChartPanel`), with readable rulers.

plotext draws both where there is room for rulers; of its output only the characters are used: its colours would have
to be kept in step with the theme and NO_COLOR. Where there is little room, block characters stand for a histogram.
"""

from __future__ import annotations

import math
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Self

import polars as pl
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import RenderResult
from textual.color import Color
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from backends.frames.charts import MOST_SERIES, AxisWindow, Drawing, Points, chart_points, number, span
from backends.frames.formats import format_value, safe_text
from backends.frames.histograms import Histogram, linear_edges
from backends.frames.schema import Column, Kind, Schema
from backends.resources import Chart
from tui.widgets.table_drawing import fit_ends

# One sign a group of a histogram, all different without colour; the last one is for the rest of the groups.
GLYPHS = "█▒▚░▞▓╳"
EIGHTHS = " ▁▂▃▄▅▆▇█"
SIGNS = "●▲■◆✚○"  # of the series of a chart, different without colour
CURSOR, EVENT = "◉", "▽"
_HORIZONTAL = " ▏▎▍▌▋▊▉█"
_MIN_WIDTH, _MIN_PLOT_HEIGHT = 20, 10  # cells of a histogram; with fewer lines it is drawn in blocks
_MIN_CHART_WIDTH, _MIN_CHART_HEIGHT = 30, 5
_ZOOM = 2.0
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"[─│┌┐└┘├┤┬┴┼]+")
_DAY = 86_400_000
_GAP = 2  # cells between two labels
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50, 60, 100)
_CLOCK = (
    (1, 10, 60, 600, 3600, 36_000, 86_400),
    (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18_000, 43_200),
)
Ticks = list[tuple[float, str]]  # (place, label)


class PlotWidget(Widget):
    """What both have in common: plotext, loaded in a thread; colours of the theme; the last drawing, kept."""

    COLOURS: ClassVar[tuple[str, ...]] = ()  # names of the theme's colours, one a group

    class _PlotextLoaded(Message):
        pass

    def __init__(self) -> None:
        super().__init__()
        # Plain attributes, not reactives: Textual would compare frames with !=, which polars does elementwise.
        self._drawn: tuple[tuple[object, ...], Text] | None = None
        self._lines: tuple[Text, list[Strip]] | None = None  # of the last drawing

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def load_plotext(self) -> None:
        """90 ms and a shared library; the widget is drawn again when it is there."""
        if not plotext_is_loaded():
            self.run_worker(self._load, thread=True, group="plotext", exit_on_error=False)

    def _load(self) -> None:
        import plotext  # noqa: F401

        self.post_message(self._PlotextLoaded())

    @on(_PlotextLoaded)
    def _redraw(self, event: _PlotextLoaded) -> None:
        event.stop()
        self.refresh()

    def keep_drawing(self, key: tuple[object, ...], draw: Callable[[], Text]) -> Text:
        """A plot takes up to 35 ms, and Textual asks again for every scroll and hover."""
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, draw()
        return self._drawn[1]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        self._lines = None  # also of the same drawing: its colours may be others now
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_line(self, y: int) -> Strip:
        """A line of the drawing. Textual's way from a text to lines, which can wrap it and mark parts of it, costs
        15 ms for 200x60 cells; a drawing is as wide as it has to be."""
        text, width = self.render(), self.size.width
        if self._drawn is None or text is not self._drawn[1] or self.text_selection is not None:
            return super().render_line(y)
        if self._lines is None or self._lines[0] is not text:
            style = self.rich_style
            lines = Segment.split_lines(Segment.apply_style(text.render(self.app.console), style))
            self._lines = text, [Strip(line).adjust_cell_length(width, style) for line in lines]
        strips = self._lines[1]
        return strips[y] if y < len(strips) else Strip.blank(width, self.rich_style)

    def colour(self, group: int) -> Style:
        colour = self.app.theme_variables.get(self.COLOURS[group % len(self.COLOURS)], "")
        try:
            return Style(color=Color.parse(colour).rich_color)
        except ValueError:  # a theme may say "auto"
            return Style()


class HistogramPlot(PlotWidget):
    """Shows one `Histogram`; groups differ in sign and colour and have a legend."""

    DEFAULT_CSS = "HistogramPlot { height: 1fr; width: 1fr; }"
    COLOURS = ("primary", "accent", "success", "warning", "error", "secondary", "foreground")

    def __init__(self) -> None:
        super().__init__()
        self._histogram: Histogram | None = None
        self._column: Column | None = None

    def set_histogram(self, histogram: Histogram | None, column: Column | None = None) -> None:
        """Shows another one; None shows nothing."""
        self._histogram, self._column, self._drawn = histogram, column, None
        if histogram is not None:
            self.load_plotext()
        self.refresh()

    def render(self) -> RenderResult:
        width, height = self.size
        histogram, column = self._histogram, self._column
        if histogram is None or column is None or width < _MIN_WIDTH or height < 1:
            return Text("")
        if not histogram.n:
            return Text(_describe_empty(histogram, column), style="italic")
        key = (width, height, id(histogram), self.app.theme, plotext_is_loaded())
        return self.keep_drawing(key, lambda: self._draw(histogram, column, width, height))

    def _draw(self, histogram: Histogram, column: Column, width: int, height: int) -> Text:
        title = self._title(histogram)
        title.truncate(width, overflow="ellipsis")
        room = height - bool(title)
        series = [histogram.counts(group) for group in range(max(1, len(histogram.groups)))]
        if height >= _MIN_PLOT_HEIGHT and plotext_is_loaded():
            body = self._paint(_plot_histogram(series, histogram, column, width, room), histogram)
        else:
            rows = max(1, room - 1)
            bars = stacked_bars(series, width, rows) if histogram.groups else block_bars(series[0], width, rows)
            body = self._paint("\n".join(bars), histogram)
            if room > 1:
                body.append(f"\n{_ruler_line(histogram, column, width)}", style="dim")
        lines = [title, body] if title and height > 1 else [body]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)

    def _title(self, histogram: Histogram) -> Text:
        parts = []
        for group, name in enumerate(histogram.groups):
            parts.append(Text.assemble((f"{GLYPHS[group % len(GLYPHS)]} ", self.colour(group)), safe_text(name, 24)))
        if histogram.outside:
            parts.append(Text(f"{histogram.outside:,} not above 0", style="italic"))
        return Text("  ").join(parts)

    def _paint(self, plot: str, histogram: Histogram) -> Text:
        text = Text(plot, no_wrap=True)
        text.highlight_regex(_FRAME, Style(dim=True))
        if histogram.groups:
            for group, glyph in enumerate(GLYPHS):
                text.highlight_regex(re.escape(glyph) + "+", self.colour(group))
        else:
            text.highlight_regex(f"[{EIGHTHS[1:]}]+", self.colour(0))
        return text


def _describe_empty(histogram: Histogram, column: Column) -> str:
    name = safe_text(column.label).lower()
    if histogram.outside:
        return f"No value of {name} is above 0 ({histogram.outside:,} are not); a logarithmic scale shows none."
    return f"No finite values in {name}."


def plotext_is_loaded() -> bool:
    """Completely: while a thread still imports it, its name is already in sys.modules."""
    return hasattr(sys.modules.get("plotext"), "figure")


def _new_figure(width: int, height: int) -> Any:
    import plotext

    figure: Any = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(width, height)
    return figure


def _characters(figure: Any) -> str:
    return _ESCAPE.sub("", figure.build().string()).rstrip("\n")


def _ruler_line(histogram: Histogram, column: Column, width: int) -> str:
    """Labels that begin under their edges; the last one ends at the right border at the latest."""
    line = [" "] * width
    edges = histogram.edges
    for place, label in ruler(edges, column, width, log=histogram.log):
        start = min(int(place * width / (len(edges) - 1)), width - len(label))
        if start >= 0 and all(sign == " " for sign in line[max(0, start - 1) : start + len(label) + 1]):
            line[start : start + len(label)] = label
    return "".join(line).rstrip()


def _plot_histogram(series: list[list[int]], histogram: Histogram, column: Column, width: int, height: int) -> str:
    """Bars of equal width, whatever the edges: on a logarithmic scale they are equally far apart too.

    The x axis counts cells, so that no bar paints over its neighbour's.
    """
    figure = _new_figure(width, height)
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
    return _characters(figure)


def _count_marks(top: int, height: int) -> list[int]:
    """Whole numbers from 0 up, at most one every third line."""
    most = max(2, height // 3)
    step, scale = 1, 1
    while top // step > most:
        step = next((factor * scale for factor in (1, 2, 5) if factor * scale > step), 10 * scale)
        scale = scale * 10 if step == 10 * scale else scale
    return list(range(0, top + 1, step))


class ChartPanel(PlotWidget):
    """`show` gives it rows, `point` the row under the cursor; `zoom` looks closer at that row or further away."""

    COLOURS = ("primary", "warning", "success", "error", "secondary", "foreground")
    DEFAULT_CSS = "ChartPanel { height: 50%; min-height: 7; border-bottom: hkey $panel; }"

    class Clicked(Message):
        """A place on the x axis was clicked: the value there."""

        def __init__(self, x: float) -> None:
            super().__init__()
            self.x = x

    def __init__(self) -> None:
        super().__init__()
        self._frame: pl.DataFrame | None = None
        self._schema: Schema | None = None
        self._chart: Chart | None = None
        self._at: tuple[float, float] | None = None
        self._share = 1.0  # of the whole range of x that is in sight
        self._window: AxisWindow | None = None
        self._left = 0  # cells before the plot's first column
        self._cells = 0
        self._version = 0

    def show(self, frame: pl.DataFrame, schema: Schema, chart: Chart) -> None:
        """Draws these rows."""
        self._frame, self._schema, self._chart = frame, schema, chart
        self._version += 1
        self.load_plotext()
        self.refresh()

    def point(self, row: dict[str, Any] | None) -> None:
        """Marks the point of a row."""
        if self._chart is None:
            return
        x, y = (number(row.get(name)) if row is not None else None for name in (self._chart.x, self._chart.y))
        at = (x, y) if x is not None and y is not None else None
        if at != self._at:
            self._at = at
            self.refresh()

    def zoom(self, step: int) -> None:
        """Looks closer at the row under the cursor (1) or further away (-1), until all is in sight."""
        self._share = min(1.0, self._share / _ZOOM if step > 0 else self._share * _ZOOM)
        self._share = max(self._share, 1e-4)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        column = event.x - self._left
        if self._window is not None and 0 <= column < self._cells:
            share = column / max(1, self._cells - 1)
            self.post_message(self.Clicked(self._window.x0 + share * (self._window.x1 - self._window.x0)))

    # ---- drawing -------------------------------------------------------------------------------------------------
    def render(self) -> RenderResult:
        width, height = self.size
        if self._frame is None or self._chart is None or self._schema is None or height < _MIN_CHART_HEIGHT:
            return Text("")
        if width < _MIN_CHART_WIDTH or not plotext_is_loaded():
            return Text("The terminal is too narrow for a chart." if width < _MIN_CHART_WIDTH else "…", style="italic")
        key = (width, height, self._version, self._at, self._share, self.app.theme)
        frame, schema, chart = self._frame, self._schema, self._chart
        return self.keep_drawing(key, lambda: self._draw(frame, schema, chart, width, height))

    def _draw(self, frame: pl.DataFrame, schema: Schema, chart: Chart, width: int, height: int) -> Text:
        found = chart_points(frame, chart.x, chart.y, by=chart.by, marks=chart.marks, zoom=self._range(frame, chart))
        window = self._window = found.window
        if window is None:
            return Text("No row that is shown has both values of the chart.", style="italic")
        lines = height - 4  # below the title, above the ruler, inside the frame
        ticks = _y_ticks(window, schema[chart.y], lines)
        self._left = max(len(label) for _, label in ticks) + 1
        self._cells = width - self._left - 1
        drawing = found.draw(self._cells, lines)
        body = _plot_points(
            drawing,
            self._cursor_cell(window, lines),
            (width, height - 1),
            chart.joined,
            (_x_ticks(window, schema[chart.x], self._cells), ticks),
        )
        text = Text(body, no_wrap=True)
        text.highlight_regex(_FRAME, Style(dim=True))
        for place, sign in enumerate(SIGNS[: len(drawing.series)]):
            text.highlight_regex(re.escape(sign) + "+", self.colour(place))
        text.highlight_regex(re.escape(CURSOR), Style(bold=True, reverse=True))
        text.highlight_regex(re.escape(EVENT) + "+", self.colour(1) + Style(bold=True))
        title = self._title(found, len(drawing.marks), schema[chart.y])
        title.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True, overflow="ellipsis").join([title, text])

    def _cursor_cell(self, window: AxisWindow, lines: int) -> tuple[int, int] | None:
        if self._at is None or not (window.x0 <= self._at[0] <= window.x1 and window.y0 <= self._at[1] <= window.y1):
            return None
        return round(window.across(self._at[0], self._cells)), round(window.up(self._at[1], lines))

    def _range(self, frame: pl.DataFrame, chart: Chart) -> tuple[float, float] | None:
        if self._share >= 1.0:
            return None
        whole = span(frame, chart.x)
        if whole is None:
            return None
        low, high = whole
        half = (high - low) * self._share / 2
        middle = min(max(self._at[0] if self._at is not None else high, low + half), high - half)
        return (middle - half, middle + half)

    def _title(self, found: Points, marks: int, column: Column) -> Text:
        label = column.label + (f" ({column.unit})" if column.unit else "")
        counts = []
        for count, words in (
            (len(found.names[MOST_SERIES:]), "more series"),
            (marks, f"{EVENT} marked"),
            (found.missing, "without a value"),
            (found.outside, "outside"),
        ):
            if count:
                counts.append(Text(f"{count:,} {words}", style="italic"))
        parts = [Text(safe_text(label, 40), style="bold"), *counts]
        drawn = found.names[:MOST_SERIES]
        # What is counted stays in sight; names lose their middles, for they differ in their ends.
        room = (self.size.width - sum(part.cell_len + 2 for part in parts)) // max(len(drawn), 1) - 4
        for place, name in enumerate(drawn):
            if name:
                text = fit_ends(safe_text(name, 200), min(max(room, 8), 60)).rstrip()
                parts.append(Text.assemble((f"{SIGNS[place]} ", self.colour(place)), text))
        return Text("  ").join(parts)


def _plot_points(
    drawing: Drawing, cursor: tuple[int, int] | None, size: tuple[int, int], joined: bool, ticks: tuple[Ticks, Ticks]
) -> str:
    """Characters only; every coordinate is a cell, so that plotext has nothing to round."""
    width, height = size
    x_ticks, y_ticks = ticks
    labels = max(len(label) for _, label in y_ticks)
    cells, lines = width - labels - 2, height - 3
    figure = _new_figure(width, height)
    for place in range(len(drawing.series) - 1, -1, -1):  # the largest series is painted last
        if not drawing.series[place][1]:  # all of its points are outside
            continue
        xs, ys = zip(*drawing.series[place][1], strict=True)
        signal = figure.signal(list(xs), list(ys), marker=SIGNS[place])
        figure.draw(signal.lines() if joined else signal)
    if drawing.marks:
        figure.draw(figure.signal(list(drawing.marks), [lines - 1] * len(drawing.marks), marker=EVENT))
    if cursor is not None:
        figure.draw(figure.signal([cursor[0]], [cursor[1]], marker=CURSOR))
    figure.ruler("x").lim(0, max(1, cells - 1))
    figure.ruler("y", "left").lim(0, max(1, lines - 1))
    for ruler_, marks in ((figure.ruler("x"), x_ticks), (figure.ruler("y", "left"), y_ticks)):
        ruler_.ticks([place for place, _ in marks], [label for _, label in marks])
    return _characters(figure)


def _x_ticks(window: AxisWindow, column: Column, cells: int) -> Ticks:
    if window.x1 <= window.x0:
        return [(0, tick_labels([window.x0], column)[0])]
    edges = linear_edges(window.x0, window.x1, cells, whole=column.kind is Kind.COUNT, kind=column.kind)
    found = [
        (window.across(edges[0] + place * (edges[1] - edges[0]), cells), label)
        for place, label in ruler(edges, column, cells)
    ]
    return [(place, label) for place, label in found if 0 <= place <= cells - 1]


def _y_ticks(window: AxisWindow, column: Column, lines: int) -> Ticks:
    if window.y1 <= window.y0:
        return [(0, tick_labels([window.y0], column)[0])]
    whole = column.kind in {Kind.COUNT, Kind.BYTES}
    edges = linear_edges(window.y0, window.y1, max(2, lines // 3), whole=whole, kind=column.kind)
    found = [(window.up(value, lines), label) for value, label in zip(edges, tick_labels(edges, column), strict=True)]
    inside = [(place, label) for place, label in found if 0 <= place <= lines - 1]
    return inside or [(0, tick_labels([window.y0], column)[0])]


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


def horizontal_bar(share: float, width: int) -> str:
    """A bar of `share` (0 to 1) of `width` cells, in eighths of a cell; more than nothing is never invisible."""
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    whole, rest = divmod(min(eighths, width * 8), 8)
    return "█" * whole + (_HORIZONTAL[rest] if rest else "")


def ruler(edges: Sequence[float], column: Column, cells: int, *, log: bool = False) -> list[tuple[float, str]]:
    """(place, label) along bins that are drawn equally wide in `cells`; place 0 is the first edge, 1 the second."""
    if len(edges) < 2:
        return []
    if log:
        found = _log_ruler(edges, column, cells)
        if len(found) > 1:
            return found
    labels = tick_labels(edges, column)
    width = edges[1] - edges[0]
    least = -(-len(labels) * (max(map(len, labels)) + _GAP) // max(cells, 1))
    ways = []
    for step in _STEPS:
        if least <= step <= max(3 * least, 2):
            # Edges on multiples of the step: 0, 100, 200 and not 20, 120, 220.
            way = [place for place, edge in enumerate(edges) if not log and round(edge / width) % step == 0]
            way = way if len(way) > 1 else list(range(0, len(edges), step))
            ways.append((sum(_roughness(labels[place]) for place in way) / len(way), step, way))
    way = min(ways)[2] if ways else list(range(0, len(edges), max(least, 1)))
    return [(place, labels[place]) for place in way]


def _roughness(label: str) -> int:
    """Short labels with zeros at the end are round: 14:30 before 14:36, 200 before 250."""
    return len(label) + len(label.rstrip("0:"))


def _log_ruler(edges: Sequence[float], column: Column, cells: int) -> list[tuple[float, str]]:
    """Round values where they lie between the edges, as many as fit: powers of ten, or 1s, 10s, 1m, 10m, 1h."""
    found: list[tuple[float, str]] = []
    for family in _tick_families(edges, column):
        inside = [value for value in family if edges[0] <= value <= edges[-1]]
        labels = tick_labels(inside, column) if inside else []
        ticks = [(_place(value, edges), label) for value, label in zip(inside, labels, strict=True)]
        if not found:
            found = ticks[:: max(1, -(-sum(len(label) + _GAP for _, label in ticks) // max(cells, 1)))]
        elif _fits(ticks, cells / (len(edges) - 1)):
            found = ticks
    return found


def _tick_families(edges: Sequence[float], column: Column) -> list[list[float]]:
    """Candidates from coarse to fine."""
    low = math.floor(math.log10(edges[0])) if edges[0] > 0 else -12
    decades = range(max(low, -300), min(math.ceil(math.log10(edges[-1])) + 1, 308))
    families = [[10.0**power for power in decades]]
    families.append([factor * ten for ten in families[0] for factor in (1, 2, 5)])
    if column.kind is Kind.DURATION:
        small, large = [ten for ten in families[0] if ten < 1], [86_400 * 10.0**power for power in range(1, 8)]
        families = [[*small, *(float(seconds) for seconds in clock), *large] for clock in _CLOCK]
    return families


def _place(value: float, edges: Sequence[float]) -> float:
    number = min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)
    lower, upper = edges[number], edges[number + 1]
    if lower <= 0:
        return float(number + (value >= upper))
    return number + (math.log(value) - math.log(lower)) / (math.log(upper) - math.log(lower))


def _fits(ticks: list[tuple[float, str]], scale: float) -> bool:
    return all(
        (right - left) * scale >= (len(first) + len(second)) / 2 + _GAP
        for (left, first), (right, second) in pairwise(ticks)
    )


def tick_labels(edges: Sequence[float], column: Column) -> list[str]:
    """One label an edge: "5m" and not "5m 00s", "1 MB" and not "1.0 MB"; of a time only what distinguishes it."""
    if column.kind is Kind.TIME:
        return _time_labels(edges, column)
    return [_short(format_value(_as_kind(edge, column), column), column.kind) for edge in edges]


def _as_kind(edge: float, column: Column) -> float:
    return int(edge) if column.kind in {Kind.COUNT, Kind.BYTES} and edge.is_integer() else edge


def _short(text: str, kind: Kind) -> str:
    if kind is Kind.DURATION:
        text = re.sub(r"( 00[hms])+$", "", text)
        return re.sub(r" 0(\d[ms])$", r" \1", re.sub(r"\.0s$", "s", text))
    if kind is Kind.BYTES:
        return text.replace(".0 ", " ")
    if kind is Kind.NUMBER and "e" not in text:
        return re.sub(r"(\.\d*?)0+$", r"\1", text).rstrip(".")
    return text


def _time_labels(edges: Sequence[float], column: Column) -> list[str]:
    full = [format_value(edge, column) for edge in edges]
    if any(len(text) < 19 for text in full):  # beyond the calendar
        return full
    span = edges[-1] - edges[0]
    if span <= _DAY:
        return [text[11:] if span < 300_000 else text[11:16] for text in full]
    return [text[5:16] if span < 5 * _DAY else text[5:10] if span < 60 * _DAY else text[:10] for text in full]
