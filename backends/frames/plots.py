"""What a plot of some rows shows: the chart of a list, the histogram of a column, or the counts of its values."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from backends.errors import UsageError
from backends.frames.axis_ticks import axis_label, ruler, x_ticks, y_ticks
from backends.frames.charts import MOST_SERIES, AxisWindow, Chart, ChartData, Points, find_unit
from backends.frames.export import select_columns
from backends.frames.figures import Box, Dot, Figure, Label, Line, Mark
from backends.frames.formats import safe_text
from backends.frames.frequencies import count_values, failed_rows
from backends.frames.histograms import Histogram, count_not_finite, finite, histogram
from backends.frames.schema import Column, Kind, Schema
from backends.frames.statistics import first_choice, measurable

WIDTH, HEIGHT = 960, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 48, 84, 58  # units around the plot
_LETTER = 7.0  # units of one, for the ruler
_BINS = 80
_MOST_VALUES = 30
_LINE = 20  # units of a row of values
_LABEL_LINE = 14  # from one label of a series to the next
_TICK_LINE = 14  # units that a line of the terminal's charts has here
_ROLES = ("data", "warning", "running", "exception", "ok", "muted")  # of series


def plot_rows(
    frame: pl.DataFrame,
    schema: Schema,
    *,
    chart: Chart | None = None,
    column: str | None = None,
    title: str = "",
) -> Figure:
    """The distribution of `column` if one is named, else the list's chart, else the distribution of its first number.

    Raises `UsageError` for a column that does not exist, and where there is nothing to draw.
    """
    if column is None and chart is not None:
        return plot_points(frame, schema, chart, title)
    chosen = _choose_column(schema, column)
    return plot_values(frame, schema, chosen, title) if chosen.is_text else plot_histogram(frame, schema, chosen, title)


def explain_empty_plot(
    frame: pl.DataFrame, schema: Schema, *, chart: Chart | None = None, column: str | None = None
) -> str:
    """Why `plot_rows` of the same draws nothing, as a sentence; "" where it draws something."""
    if column is None and chart is not None:
        if ChartData(frame, chart.x, chart.y).points().window is not None:
            return ""
        without = [name for name in (chart.y, chart.x) if finite(frame[name]).is_empty()]
        if not without:
            return f"No row has both {chart.x} and {chart.y}; the plot is empty."
    else:
        chosen = _choose_column(schema, column)
        values = frame[chosen.name]
        if len(values) if chosen.is_text else len(finite(values)):  # text is drawn with its rows without a value
            return ""
        without = [chosen.name]
    odd = "finite " if count_not_finite(frame[without[0]]) else ""
    return f"{safe_text(without[0], 60)} has no {odd}values here; the plot is empty."


def _choose_column(schema: Schema, column: str | None) -> Column:
    """The column of this name, by default the first number. Raises `UsageError` where there is none."""
    if column is not None:
        return schema[select_columns(schema, [column])[0]]
    first = first_choice(measurable(schema))
    if first is None:
        raise UsageError("This list has nothing to plot.", "Name a column.")
    return first


def plot_points(frame: pl.DataFrame, schema: Schema, chart: Chart, title: str = "") -> Figure:
    """The rows as points; joined only where the chart says so, with medians around what is marked.

    The unit of the values is that of their column, or the one that all rows have in a column "unit".
    """
    found = ChartData(frame, chart.x, chart.y, by=chart.by, marks=chart.marks).points()
    window = found.window
    missing = f", {found.missing:,} rows without a value" if found.missing else ""
    odd = f", {found.not_finite:,} not finite" if found.not_finite else ""
    note = f"{len(found.frame):,} point{'s' * (len(found.frame) != 1)}{missing}{odd}"
    marks = _heading(title or schema[chart.y].label, note)
    unit = find_unit(frame, schema[chart.y])
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    if window is None:
        marks.append(Label(_LEFT, _TOP + 20, "No row has both values of the chart.", "muted"))
        return Figure(WIDTH, HEIGHT, tuple(marks))
    cells, lines = int(width / _LETTER), height // _TICK_LINE
    for place, text in y_ticks(window, schema[chart.y], lines):
        y = _TOP + height - place * height / max(lines - 1, 1)
        marks += [Line(((_LEFT, y), (WIDTH - _RIGHT, y)), "rule"), Label(_LEFT - 8, y + 4, text, "muted", "end")]
    for place, text in x_ticks(window, schema[chart.x], cells):
        x = _LEFT + place * width / max(cells - 1, 1)
        marks.append(Label(x, HEIGHT - _BOTTOM + 18, text, "muted", "middle"))
    marks += _axis_labels(
        axis_label(schema[chart.x], window.x0, window.x1), axis_label(schema[chart.y], window.y0, window.y1, unit)
    )
    marks += _events(found, window, width, height)
    marks += _series(found, (width, height), joined=chart.joined)
    return Figure(WIDTH, HEIGHT, tuple(marks))


def _axis_labels(across: str, up: str) -> list[Mark]:
    """Below the middle of the ruler, and above the left axis."""
    middle = _LEFT + (WIDTH - _LEFT - _RIGHT) / 2
    return [Label(middle, HEIGHT - 12, across, "muted", "middle"), Label(16, _TOP - 18, up, "muted")]


def _events(found: Points, window: AxisWindow, width: int, height: int) -> list[Mark]:
    """A line at each event, with its words where there are few, and the medians between them."""
    marks: list[Mark] = []
    for event in found.events:
        x = _LEFT + window.across(event.x, width + 1)
        marks.append(Line(((x, _TOP), (x, _TOP + height)), "warning", dashed=True))
        marks.append(Dot(x, _TOP - 6, 3, "warning", 4))
        if len(found.events) <= 3:
            end = x > WIDTH / 2
            marks.append(Label(x - 10 if end else x + 10, _TOP - 2, event.text, "warning", "end" if end else "start"))
    for level in found.levels:
        y = _TOP + height - window.up(level.y, height + 1)
        ends = (_LEFT + window.across(level.x0, width + 1), _LEFT + window.across(level.x1, width + 1))
        marks.append(Line(((ends[0], y), (ends[1], y)), "muted", dashed=True))
    return marks


def _series(found: Points, size: tuple[int, int], *, joined: bool) -> list[Mark]:
    """The points of each series, the largest above the others, and its name beside the last one."""
    marks: list[Mark] = []
    labelled: list[float] = []
    width, height = size
    for place, (name, points) in reversed(list(enumerate(found.draw(width + 1, height + 1)))):
        placed = [(float(_LEFT + x), float(_TOP + height - y)) for x, y in points]
        if joined and placed:
            marks.append(Line(tuple(placed), _ROLES[place]))
        marks += [Dot(x, y, place, _ROLES[place]) for x, y in placed]
        if len(found.names) > 1 and placed:
            x, y = placed[-1]
            labelled.append(_free_line(y - 8, labelled, height))
            marks.append(Label(min(x, WIDTH - _RIGHT) - 8, labelled[-1], name, _ROLES[place], "end", bold=True))
    if len(found.names) > MOST_SERIES:
        marks.append(Label(WIDTH - _RIGHT, 20, f"{len(found.names) - MOST_SERIES} more series", "muted", "end"))
    return marks


def _free_line(y: float, used: Sequence[float], height: int) -> float:
    """The base line nearest to `y` that is inside the plot and not that of another label."""
    lines = [y + step * _LABEL_LINE * side for step in range(MOST_SERIES + 1) for side in (1, -1)]
    lines = [min(max(line, _TOP + _LABEL_LINE), _TOP + height - 4.0) for line in lines]
    free = (line for line in lines if all(abs(line - other) >= _LABEL_LINE - 1 for other in used))
    return next(free, lines[0])


def plot_histogram(frame: pl.DataFrame, schema: Schema, column: Column, title: str = "") -> Figure:
    """The histogram of a column of numbers or times; what failed is at the foot of each bar."""
    found = histogram(frame[column.name], _BINS, kind=column.kind, failed=failed_rows(frame, schema))
    odd = count_not_finite(frame[column.name])
    note = f"{column.label}, {found.n:,} values"
    for count, words in ((found.missing - odd, "missing"), (odd, "not finite")):
        note += f", {count:,} {words}" if count else ""
    marks = _heading(title or column.label, note)
    if found.n:
        marks += _bars(found, column)
        marks += _axis_labels(axis_label(column, found.edges[0], found.edges[-1], find_unit(frame, column)), "rows")
    else:
        marks.append(Label(_LEFT, _TOP + 20, "No values.", "muted"))
    return Figure(WIDTH, HEIGHT, tuple(marks))


def _bars(found: Histogram, column: Column) -> list[Mark]:
    marks: list[Mark] = []
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    totals, edges = found.totals, found.edges
    top, bar = max(totals), width / len(totals)
    counts = AxisWindow(0, 1, 0, top)
    for place, text in y_ticks(counts, Column("count", Kind.COUNT, "Count"), height // _TICK_LINE):
        y = _TOP + height - place * height / max(height // _TICK_LINE - 1, 1)
        marks += [Line(((_LEFT, y), (WIDTH - _RIGHT, y)), "rule"), Label(_LEFT - 8, y + 4, text, "muted", "end")]
    for number, total in enumerate(totals):
        for count, role in ((total, "data"), (found.failed[number] if found.failed else 0, "failed")):
            if count:
                tall = max(1.0, count * height / top)
                marks.append(Box(_LEFT + number * bar, _TOP + height - tall, max(bar - 1, 0.5), tall, role))
    for place, text in ruler(edges, column, int(width / _LETTER)):
        marks.append(Label(_LEFT + place * bar, HEIGHT - _BOTTOM + 18, text, "muted", "middle"))
    return marks


def plot_values(frame: pl.DataFrame, schema: Schema, column: Column, title: str = "") -> Figure:
    """The commonest values of a text column with a bar each; what failed begins the bar."""
    found = count_values(frame[column.name], failed_rows(frame, schema))
    shown = found.table.head(_MOST_VALUES)
    marks = _heading(title or column.label, f"{column.label}, {found.distinct:,} values in {found.rows:,} rows")
    left, most = 320, max(shown["count"].to_list(), default=1)
    width = WIDTH - left - 110
    for place, (value, count, failed) in enumerate(shown.iter_rows()):
        y = _TOP + place * _LINE
        name = "(no value)" if value is None else value
        text = name if len(name) <= 44 else f"{name[:14]}…{name[-29:]}"
        marks += [
            Label(left - 10, y + 14, text, "text" if value is not None else "muted", "end"),
            Box(left, y + 4, max(1.0, count * width / most), 12),
            *([Box(left, y + 4, max(1.0, failed * width / most), 12, "failed")] if failed else []),
            Label(
                left + count * width / most + 8,
                y + 14,
                f"{count:,}" + (f" ({failed:,} failed)" if failed else ""),
                "muted",
            ),
        ]
    height = _TOP + len(shown) * _LINE + _LINE
    if len(found.table) > len(shown):
        marks.append(Label(left, height, f"and {len(found.table) - len(shown):,} more", "muted"))
    return Figure(WIDTH, height + _LINE, tuple(marks))


def _heading(title: str, note: str) -> list[Mark]:
    return [Label(16, 22, title, "text", bold=True), Label(16, 40, note, "muted")]
