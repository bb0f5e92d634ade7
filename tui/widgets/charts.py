"""The chart of a list (`ChartPanel`): the points of its rows over an axis.

Points are blocks of braille dots, never joined where they are measurements; where a chart asks for lines, the points on
them have signs of their own. Colour repeats what shapes and labels say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message

from backends.frames.axis_ticks import Ticks, axis_label, x_ticks, y_ticks
from backends.frames.charts import MOST_SERIES, AxisWindow, ChartData, Points, find_unit, nearest_row, number
from backends.frames.formats import safe_text
from backends.frames.schema import Schema
from backends.resources import Chart
from tui.widgets.plot_widget import PlotText, PlotWidget, figure_text, new_figure, plotext_is_loaded
from tui.widgets.table_drawing import WIDE, fit_ends

SIGNS = "●▲■◆✚○"  # of the points on lines, one a series
CURSOR, EVENT, MEDIAN = "◉", "◆", "╌"
# Of points without lines, one a series: block, cross, ring, pair, diagonal cross, bar; (x, y) of their dots, y upwards.
SHAPES: tuple[tuple[tuple[int, int], ...], ...] = (
    ((0, 0), (1, 0), (0, 1), (1, 1)),
    ((1, 0), (0, 1), (1, 1), (2, 1), (1, 2)),
    ((0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2), (2, 2)),
    ((1, 0), (1, 1)),
    ((0, 0), (2, 0), (1, 1), (0, 2), (2, 2)),
    ((0, 1), (1, 1), (2, 1)),
)
_BRAILLE = 0x2800
_BITS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))  # of the dots of a sign: left and right, upwards
_MIN_WIDTH, _MIN_HEIGHT = 30, 5
_LABEL = 24  # cells of a series' name beside its last point
_ZOOM = 2.0
_SMALLEST = 1e-4  # share of the axis
_BETTER = "improvement"  # in the words of an event: what follows it is not a failure


def braille(dots: tuple[tuple[int, int], ...]) -> str:
    """A shape as text of one line, two dots a sign."""
    width = max(x for x, _ in dots) // 2 + 1
    signs = [_BRAILLE] * width
    for x, y in dots:
        signs[x // 2] |= _BITS[x % 2][y]
    return "".join(map(chr, signs))


class ChartPanel(PlotWidget):
    """`show` gives it rows, `point` the row under the cursor; `zoom` looks closer at that row or further away.

    The wheel looks closer at the place under the pointer.
    """

    COLOURS = ("text", "warning", "running", "exception", "ok", "muted")
    DEFAULT_CSS = "ChartPanel { height: 50%; min-height: 7; background: $ci-bg; border-bottom: solid $ci-rule; }"

    class Clicked(Message):
        """A place was clicked: the key of the row nearest to it."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self) -> None:
        super().__init__()
        self._frame: pl.DataFrame | None = None
        self._schema: Schema | None = None
        self._chart: Chart | None = None
        self._data: tuple[int, ChartData] | None = None  # of which version
        self._at: tuple[float, float] | None = None
        self._share = 1.0  # of the whole range of x that is in sight
        self._middle: float | None = None  # of that range; None: the row under the cursor
        self._window: AxisWindow | None = None
        self._left = 0  # cells before the plot's first column
        self._cells = self._lines_drawn = 0  # of the plot
        self._version = 0

    def show(self, frame: pl.DataFrame, schema: Schema, chart: Chart) -> None:
        """Draws these rows."""
        self._frame, self._schema, self._chart = frame, schema, chart
        self._version += 1
        self.load_plotext()
        self.refresh()

    def point(self, row: dict[str, Any] | None) -> None:
        """Marks the point of a row, and brings it into sight."""
        if self._chart is None:
            return
        x, y = (number(row.get(name)) if row is not None else None for name in (self._chart.x, self._chart.y))
        at = (x, y) if x is not None and y is not None else None
        if at != self._at:
            self._at = at
            low, high = (self._window.x0, self._window.x1) if self._window is not None else (0.0, 0.0)
            if at is not None and not low <= at[0] <= high:
                self._middle = None
            self.refresh()

    def zoom(self, step: int) -> None:
        """Looks closer at the row under the cursor (1) or further away (-1), until all is in sight."""
        self._middle = None
        self._rescale(step)

    def _rescale(self, step: int) -> None:
        self._share = min(1.0, self._share / _ZOOM if step > 0 else self._share * _ZOOM)
        self._share = max(self._share, _SMALLEST)
        self.refresh()

    # ---- the mouse -----------------------------------------------------------------------------------------------
    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._zoom_around(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._zoom_around(event, -1)

    def _zoom_around(self, event: events.MouseEvent, step: int) -> None:
        """The place under the pointer stays where it is."""
        event.stop()
        window, whole = self._window, self._data[1].span if self._data is not None else None
        if window is None or whole is None:
            return
        share = min(max((event.x - self._left) / max(1, self._cells - 1), 0.0), 1.0)
        place = window.x0 + share * (window.x1 - window.x0)
        self._rescale(step)
        self._middle = place + (0.5 - share) * (whole[1] - whole[0]) * self._share

    def on_click(self, event: events.Click) -> None:
        column, line = event.x - self._left, event.y - 2
        window, chart = self._window, self._chart
        if window is None or chart is None or self._frame is None or self._schema is None:
            return
        if 0 <= column < self._cells:
            x = window.x0 + column / max(1, self._cells - 1) * (window.x1 - window.x0)
            y = window.y1 - line / max(1, self._lines_drawn - 1) * (window.y1 - window.y0)
            key = nearest_row(self._frame, (chart.x, x), (chart.y, y), self._schema.key)
            if key is not None:
                self.post_message(self.Clicked(key))

    # ---- drawing -------------------------------------------------------------------------------------------------
    def render(self) -> RenderResult:
        width, height = self.size
        if self._frame is None or self._chart is None or self._schema is None or height < _MIN_HEIGHT:
            return Text("")
        if width < _MIN_WIDTH or not plotext_is_loaded():
            return Text("The terminal is too narrow for a chart." if width < _MIN_WIDTH else "…", style="italic")
        key = (width, height, self._version, self._at, self._share, self._middle, self.app.theme)
        frame, schema, chart = self._frame, self._schema, self._chart
        return self.keep_drawing(key, lambda: self._draw(frame, schema, chart, width, height))

    def _draw(self, frame: pl.DataFrame, schema: Schema, chart: Chart, width: int, height: int) -> Text:
        if self._data is None or self._data[0] != self._version:
            self._data = self._version, ChartData(frame, chart.x, chart.y, by=chart.by, marks=chart.marks)
        found = self._data[1].points(self._range(self._data[1]))
        window = self._window = found.window
        if window is None:  # of a list without rows the table below says why
            return Text(" No row that is shown has both values of the chart." if len(frame) else "", self.role("muted"))
        lines = self._lines_drawn = height - 4  # below the title, above the ruler, inside the frame
        ticks = y_ticks(window, schema[chart.y], lines)
        self._left = max(len(label) for _, label in ticks) + 1
        self._cells = width - self._left - 1
        rulers = (x_ticks(window, schema[chart.x], self._cells), ticks)
        canvas = Canvas((width, height - 1), (self._cells, lines), rulers, found, joined=chart.joined)
        text = PlotText(canvas.text())
        self._paint(text, found, canvas)
        if self._at is not None and (cell := canvas.cell_of(*self._at)) is not None:
            column, row = cell
            text.put(lines - row, self._left + column, CURSOR, self.role("accent") + Style(bold=True))
        up = axis_label(schema[chart.y], window.y0, window.y1, find_unit(frame, schema[chart.y]))
        across = axis_label(schema[chart.x], window.x0, window.x1) if width >= WIDE else ""
        title = self._title(found, up, across, chart.joined)
        title.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True, overflow="ellipsis").join([title, text.text(self.role("rule"))])

    def _paint(self, text: PlotText, found: Points, canvas: Canvas) -> None:
        """Colours the points, then writes medians, events and labels."""
        lines = self._lines_drawn
        last = found.events[-1] if found.events and len(found.names) == 1 else None
        after = canvas.column_of(last.x) if last is not None else self._cells
        later = self.role("ok" if last is not None and _BETTER in last.text else "failed")
        colours = [self.colour(place) for place in range(MOST_SERIES)]
        for (column, row), place in canvas.owners.items():
            text.put(lines - row, self._left + column, style=later if column >= after else colours[place])
        for level in found.levels:
            line = lines - canvas.row_of(level.y)
            for column in range(self._left + canvas.column_of(level.x0), self._left + canvas.column_of(level.x1) + 1):
                if text.is_blank(line, column, 1):
                    text.put(line, column, MEDIAN, self.role("muted"))
        if found.events:
            columns = [self._left + canvas.column_of(event.x) for event in found.events]
            self._paint_events(text, columns, f" {safe_text(found.events[-1].text, 60)} ")
        if len(found.names) > 1:
            self._write_labels(text, found, canvas.owners)

    def _paint_events(self, text: PlotText, columns: list[int], words: str) -> None:
        """A flag in the frame above each event, a line down from it, and the words of the newest beside its flag."""
        style = self.role("warning")
        for column in columns:
            text.put(0, column, EVENT, style + Style(bold=True))
            for line in range(1, self._lines_drawn + 1):
                if text.is_blank(line, column, 1):
                    text.put(line, column, "╎", style)
        for start in (columns[-1] - len(words), columns[-1] + 1):
            room = range(start, start + len(words))
            if self._left < start and room.stop < self._left + self._cells and not set(columns).intersection(room):
                text.write(0, start, words, style)
                return

    def _write_labels(self, text: PlotText, found: Points, series: dict[tuple[int, int], int]) -> None:
        """The end of each series' name beside its last point, or on the nearest line that has room."""
        lines = self._lines_drawn
        for place, name in enumerate(found.names[:MOST_SERIES]):
            own = [cell for cell, number_ in series.items() if number_ == place]
            if not own:
                continue
            column, row = max(own)
            label = f" {fit_ends(safe_text(name, 200), _LABEL).rstrip()}"
            start = min(column + 2, self._cells - len(label))
            for other in sorted(range(lines), key=lambda line, row=row: (abs(line - row), line)):  # type: ignore[misc]
                if start > 0 and text.is_blank(lines - other, self._left + start, len(label)):
                    text.write(lines - other, self._left + start, label, self.colour(place))
                    break

    def _range(self, data: ChartData) -> tuple[float, float] | None:
        if self._share >= 1.0 or data.span is None:
            return None
        low, high = data.span
        half = (high - low) * self._share / 2
        wanted = self._middle if self._middle is not None else self._at[0] if self._at is not None else high
        middle = min(max(wanted, low + half), high - half)
        return (middle - half, middle + half)

    def _title(self, found: Points, up: str, across: str, joined: bool) -> Text:
        counts = []
        for count, words in (
            (len(found.names[MOST_SERIES:]), "more series"),
            (len(found.events), f"{EVENT} marked"),
            (found.missing, "without a value"),
            (found.not_finite, "not finite"),
            (found.outside, "outside"),
        ):
            if count:
                counts.append(Text(f"{count:,} {words}", style="italic"))
        axes = Text(safe_text(up, 40), style="bold")
        if across:
            axes.append(f" by {safe_text(across, 60)}", self.role("muted"))
        parts = [axes, *counts]
        drawn = found.names[:MOST_SERIES]
        # What is counted stays in sight; names lose their middles, for they differ in their ends.
        room = (self.size.width - sum(part.cell_len + 2 for part in parts)) // max(len(drawn), 1) - 5
        for place, name in enumerate(drawn):
            if name:
                text = fit_ends(safe_text(name, 200), min(max(room, 8), 60)).rstrip()
                sign = SIGNS[place] if joined else braille(SHAPES[place])
                parts.append(Text.assemble((f"{sign} ", self.colour(place)), text))
        return Text("  ").join(parts)


class Canvas:
    """The points in plotext's figure. Its coordinates are cells, so that plotext has nothing to round.

    `owners`: which cell, counted from the lower left, has points of which series.
    """

    def __init__(
        self, size: tuple[int, int], plot: tuple[int, int], rulers: tuple[Ticks, Ticks], found: Points, *, joined: bool
    ) -> None:
        """`size`: cells of all of it; `plot`: of what is inside the frame. `joined`: lines between the points."""
        self._figure = new_figure(*size)
        cells, lines = plot
        for axis, end, marks in (
            (self._figure.ruler("x"), cells, rulers[0]),
            (self._figure.ruler("y", "left"), lines, rulers[1]),
        ):
            axis.lim(0, max(1, end - 1))
            axis.ticks([place for place, _ in marks], [label for _, label in marks])
        # Where points are placed (columns, rows), and how many dots of braille are from one place to the next. Blocks
        # of a single series keep to half cells: there they stay apart, and there are fewer of them.
        single = len(found.names) == 1
        self._places = plot if joined else (cells, 2 * lines) if single else (2 * cells - 2, 4 * lines - 2)
        self._dots = (2, 4) if joined else (2, 2) if single else (1, 1)
        self._centre = 1 if self._dots == (1, 1) else 0  # dots from the corner of a shape to its middle
        self._window = found.window
        self.owners: dict[tuple[int, int], int] = {}
        (self._draw_lines if joined else self._draw_points)(found)

    def text(self) -> str:
        return figure_text(self._figure)

    def cell_of(self, x: float, y: float) -> tuple[int, int] | None:
        """The cell that shows a point; None outside the window."""
        window = self._window
        if window is None or not (window.x0 <= x <= window.x1 and window.y0 <= y <= window.y1):
            return None
        return self.column_of(x), self.row_of(y)

    def column_of(self, x: float) -> int:
        """The cell across that shows the middle of a point there."""
        assert self._window is not None
        return (round(self._window.across(x, self._places[0])) * self._dots[0] + self._centre) // 2

    def row_of(self, y: float) -> int:
        """The cell up that shows the middle of a point there."""
        assert self._window is not None
        return (round(self._window.up(y, self._places[1])) * self._dots[1] + self._centre) // 4

    def _draw_points(self, found: Points) -> None:
        """The shape of each series at its points, the largest one above the others."""
        across, up = self._dots
        bits: dict[tuple[int, int], int] = {}
        for place, (_, points) in reversed(list(enumerate(found.draw(*self._places)))):
            for x, y in points:
                left, bottom = x * across, y * up
                for right, above in SHAPES[place]:
                    column, row = left + right, bottom + above
                    cell = column >> 1, row >> 2
                    bits[cell] = bits.get(cell, 0) | _BITS[column & 1][row & 3]
                    self.owners[cell] = place
        # A signal of each sign: plotext takes 7 us for each dot of its own braille, and there are four or more a point.
        cells_by_sign: dict[int, list[tuple[int, int]]] = {}
        for cell, dots in bits.items():
            cells_by_sign.setdefault(dots, []).append(cell)
        for dots, cells in sorted(cells_by_sign.items()):
            self._signal(cells, chr(_BRAILLE + dots))

    def _draw_lines(self, found: Points) -> None:
        """Thin lines of dots, and on them a sign at each point."""
        series = [points for _, points in found.draw(*self._places)]
        for points in series:
            self._signal(points, "braille", joined=True)
        for place, points in reversed(list(enumerate(series))):
            self._signal(points, SIGNS[place])
            self.owners.update(dict.fromkeys(points, place))

    def _signal(self, points: Sequence[tuple[float, float]], marker: str, *, joined: bool = False) -> None:
        if points:
            xs, ys = zip(*points, strict=True)
            signal = self._figure.signal(list(xs), list(ys), marker=marker)
            self._figure.draw(signal.lines() if joined else signal)
