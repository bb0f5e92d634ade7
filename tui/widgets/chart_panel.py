"""The rows of a list as points over an axis, above the table: one sign a series, the row under the cursor marked."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import RenderResult
from textual.color import Color
from textual.message import Message
from textual.widget import Widget

from backends.frames.charts import MOST_SERIES, AxisWindow, Drawing, Points, chart_points, number, span
from backends.frames.formats import safe_text
from backends.frames.histograms import linear_edges
from backends.frames.schema import Column, Kind, Schema
from backends.resources import Chart
from tui.widgets.frame_cells import fit_ends
from tui.widgets.plot import plotext_is_loaded
from tui.widgets.ticks import ruler, tick_labels

SIGNS = "●▲■◆✚○"  # different without colour
CURSOR, EVENT = "◉", "▽"
_COLOURS = ("primary", "warning", "success", "error", "secondary", "foreground")
_NARROWEST, _LOWEST = 30, 5
_ZOOM = 2.0
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"[─│┌┐└┘├┤┬┴┼]")


class ChartPanel(Widget):
    """`show` gives it rows, `point` the row under the cursor; `zoom` looks closer at that row or further away."""

    DEFAULT_CSS = "ChartPanel { height: 50%; min-height: 7; border-bottom: hkey $panel; }"

    class Clicked(Message):
        """A place on the x axis was clicked: the value there."""

        def __init__(self, x: float) -> None:
            super().__init__()
            self.x = x

    class _Loaded(Message):
        """plotext has been imported."""

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
        self._drawn: tuple[tuple[object, ...], Text] | None = None
        self._version = 0

    def show(self, frame: pl.DataFrame, schema: Schema, chart: Chart) -> None:
        """Draws these rows."""
        self._frame, self._schema, self._chart = frame, schema, chart
        self._version += 1
        if not plotext_is_loaded():
            self.run_worker(self._load, thread=True, group="plotext", exit_on_error=False)
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

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def _load(self) -> None:
        import plotext  # noqa: F401

        self.post_message(self._Loaded())

    @on(_Loaded)
    def _loaded(self, event: _Loaded) -> None:
        event.stop()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        column = event.x - self._left
        if self._window is not None and 0 <= column < self._cells:
            share = column / max(1, self._cells - 1)
            self.post_message(self.Clicked(self._window.x0 + share * (self._window.x1 - self._window.x0)))

    # ---- drawing -------------------------------------------------------------------------------------------------
    def render(self) -> RenderResult:
        width, height = self.size
        if self._frame is None or self._chart is None or self._schema is None or height < _LOWEST:
            return Text("")
        if width < _NARROWEST or not plotext_is_loaded():
            return Text("The terminal is too narrow for a chart." if width < _NARROWEST else "…", style="italic")
        key = (width, height, self._version, self._at, self._share, self.app.theme)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, self._draw(self._frame, self._schema, self._chart, width, height)
        return self._drawn[1]

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
        body = _plotted(
            drawing,
            self._cursor_cell(window, lines),
            (width, height - 1),
            chart.joined,
            (_x_ticks(window, schema[chart.x], self._cells), ticks),
        )
        text = Text(body, no_wrap=True)
        text.highlight_regex(_FRAME, Style(dim=True))
        for place, sign in enumerate(SIGNS[: len(drawing.series)]):
            text.highlight_regex(re.escape(sign), self._colour(place))
        text.highlight_regex(re.escape(CURSOR), Style(bold=True, reverse=True))
        text.highlight_regex(re.escape(EVENT), self._colour(1) + Style(bold=True))
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
                parts.append(Text.assemble((f"{SIGNS[place]} ", self._colour(place)), text))
        return Text("  ").join(parts)

    def _colour(self, place: int) -> Style:
        colour = self.app.theme_variables.get(_COLOURS[place % len(_COLOURS)], "")
        try:
            return Style(color=Color.parse(colour).rich_color)
        except ValueError:  # a theme may say "auto"
            return Style()


Ticks = list[tuple[float, str]]


def _plotted(
    drawing: Drawing, cursor: tuple[int, int] | None, size: tuple[int, int], joined: bool, ticks: tuple[Ticks, Ticks]
) -> str:
    """Characters only; every coordinate is a cell, so that plotext has nothing to round."""
    import plotext

    width, height = size
    x_ticks, y_ticks = ticks
    labels = max(len(label) for _, label in y_ticks)
    cells, lines = width - labels - 2, height - 3
    figure: Any = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(width, height)
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
    return _ESCAPE.sub("", figure.build().string()).rstrip("\n")


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
