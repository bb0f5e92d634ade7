"""The panel under a table that measures one column of the rows shown: numbers at the left, their histogram beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult, RenderResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from backends.frames import statistics
from backends.frames.formats import MISSING, format_value, safe_text
from backends.frames.schema import Column, Kind, Schema
from backends.frames.statistics import NUMBERS, ColumnStatistics, ColumnSummary, numbers
from backends.frames.text_tables import cell_width, pad_text
from tui import crash_log
from tui.widgets.charts import HistogramPlot, horizontal_bar

_MIN_BINS = 8
_NUMBER_LINES = len(NUMBERS) + 2  # lines that all the numbers need below each other


@dataclass(frozen=True, eq=False)
class _SummaryRequest:
    """What is to be computed."""

    frame: pl.DataFrame
    schema: Schema
    column: Column
    bins: int
    log: bool
    by: str | None


class StatisticsPanel(Widget):
    """`show` gives it rows; `step_column`, `toggle_log`, `step_group` are what keys and clicks do.

    It carries no bindings: the list around it does, so that keys work while the table has the focus.
    """

    DEFAULT_CSS = """
    StatisticsPanel { height: 12; layout: vertical; }
    StatisticsPanel #stats-choices { height: 1; }
    StatisticsPanel #stats-choices Static { width: auto; padding: 0 1; }
    StatisticsPanel #stats-choices .choice { background: $panel; color: $foreground; margin-right: 1; }
    StatisticsPanel #stats-choices .choice:hover { background: $primary; color: $text; }
    StatisticsPanel #stats-choices .off { color: $text-disabled; }
    StatisticsPanel #stats-column { text-style: bold; color: $primary; }
    StatisticsPanel #stats-choices #stats-scope { width: 1fr; color: $text-muted; text-overflow: ellipsis;
        text-wrap: nowrap; }
    StatisticsPanel #stats-body { height: 1fr; }
    StatisticsPanel #stats-numbers { width: auto; height: 1fr; padding: 0 2 0 1; }
    StatisticsPanel ValueCounts { display: none; }
    StatisticsPanel.-text ValueCounts { display: block; }
    StatisticsPanel.-text HistogramPlot { display: none; }
    """

    class _Computed(Message):
        def __init__(self, result: tuple[ColumnSummary, list[Column]] | None, failure: str) -> None:
            super().__init__()
            self.result, self.failure = result, failure

    def __init__(self) -> None:
        super().__init__()
        self._frame: pl.DataFrame | None = None
        self._schema: Schema | None = None
        self._scope = ""
        self._column: str | None = None
        self._by: str | None = None
        self._log = False
        self._groups: list[Column] = []
        self._summary: ColumnSummary | None = None
        self._busy = False
        self._rerun = False  # the request that runs is out of date

    def compose(self) -> ComposeResult:
        with Horizontal(id="stats-choices"):
            yield Static("‹", id="stats-previous", classes="choice")
            yield Static("", id="stats-column")
            yield Static("›", id="stats-next", classes="choice")
            yield Static("", id="stats-scope")
            yield Static("", id="stats-log", classes="choice")
            yield Static("", id="stats-group", classes="choice")
        with Horizontal(id="stats-body"):
            yield Static("", id="stats-numbers")
            yield HistogramPlot()
            yield ValueCounts()

    # ---- choices ---------------------------------------------------------------------------------------------
    def show(self, frame: pl.DataFrame, schema: Schema, scope_text: str) -> None:
        """Measures these rows, as soon as what is being measured now is done. `scope_text`: "1,234 shown tasks"."""
        if schema is not self._schema:
            self._summary, self._groups = None, []
        self._frame, self._schema, self._scope = frame, schema, scope_text
        columns = statistics.measurable(schema)
        if self._column not in {column.name for column in columns}:
            first = statistics.first_choice(columns)
            self._column = first.name if first is not None else None
        self._update()

    def step_column(self, step: int) -> None:
        """The next column (1) or the one before (-1), round and round."""
        if self._schema is None or self._column is None:
            return
        names = [column.name for column in statistics.measurable(self._schema)]
        self._column = names[(names.index(self._column) + step) % len(names)]
        self._update()

    def toggle_log(self) -> None:
        """A logarithmic scale of the histogram, or a linear one again."""
        self._log = not self._log
        self._update()

    def step_group(self) -> None:
        """Groups the histogram by the next column that has few enough values, after the last one by none."""
        names = [None, *(column.name for column in self._groups)]
        self._by = names[(names.index(self._by) + 1) % len(names)] if self._by in names else None
        self._update()

    # ---- computing, in one thread at a time -------------------------------------------------------------------
    def _update(self) -> None:
        if self._frame is None or self._schema is None or not self.is_mounted:
            return
        self._draw_choices()
        if self._column is None:
            self.query_one("#stats-numbers", Static).update("No numeric columns.")
            return
        # A page or a key arrives faster than a million rows are measured: only the newest request is computed next.
        if self._busy:
            self._rerun = True
            return
        column = self._schema[self._column]
        bins = max(_MIN_BINS, self._plot_width(column) // 2)
        request = _SummaryRequest(self._frame, self._schema, column, bins, self._log, self._by)
        self._busy, self._rerun = True, False
        self.run_worker(partial(self._measure, request), thread=True, group="statistics", exit_on_error=False)

    def _plot_width(self, column: Column) -> int:
        """Cells beside the numbers, which take 22 (times 29) a column with their padding."""
        body = self.query_one("#stats-body").size
        numbers_width = 29 if column.kind is Kind.TIME else 22
        return body.width - numbers_width * (2 if body.height < _NUMBER_LINES else 1)

    def _measure(self, request: _SummaryRequest) -> None:
        """In a worker thread."""
        result, error = None, None
        try:
            result, error = crash_log.attempt(_summarise, request)
        finally:  # also when polars panics, which is not an Exception: the next request must not wait for ever
            self.post_message(self._Computed(result, str(error or "This column cannot be summarized.")))

    @on(_Computed)
    def _show_summary(self, event: _Computed) -> None:
        event.stop()
        self._busy = False
        if self._rerun:
            self._update()
            return
        self._summary, self._groups = event.result if event.result is not None else (None, [])
        self._draw_choices()
        if self._summary is None:
            self.query_one("#stats-numbers", Static).update(Text(event.failure))
            self.query_one(HistogramPlot).set_histogram(None)
            return
        self._draw(self._summary)

    # ---- drawing ---------------------------------------------------------------------------------------------
    def _draw_choices(self) -> None:
        if self._schema is None:
            return
        column = self._schema[self._column] if self._column is not None else None
        self.query_one("#stats-column", Static).update(Text(safe_text(column.label, 30) if column else ""))
        self.query_one("#stats-scope", Static).update(Text(safe_text(self._scope)))
        by = next((group for group in self._groups if group.name == self._by), None)
        plain = column is None or column.is_text
        log, group = self.query_one("#stats-log", Static), self.query_one("#stats-group", Static)
        log.update(Text("log" if self._log else "linear"))
        group.update(Text(f"by {safe_text(by.label, 20).lower()}" if by is not None else "not grouped"))
        log.set_class(plain or (column is not None and column.kind is Kind.TIME), "off")
        group.set_class(plain or not self._groups, "off")

    def _draw(self, summary: ColumnSummary) -> None:
        self.set_class(summary.column.is_text, "-text")
        two = self.query_one("#stats-body").size.height < _NUMBER_LINES
        self.query_one("#stats-numbers", Static).update(Text("\n".join(number_lines(summary, two=two)), no_wrap=True))
        if summary.values is not None:
            self.query_one(ValueCounts).set_values(summary.values, summary.distinct)
        else:
            self.query_one(HistogramPlot).set_histogram(summary.histogram, summary.column)

    def on_resize(self, event: events.Resize) -> None:
        if self._summary is not None:
            self._draw(self._summary)
        self._update()

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        actions: dict[str | None, Callable[[], None]] = {
            "stats-previous": partial(self.step_column, -1),
            "stats-column": partial(self.step_column, 1),
            "stats-next": partial(self.step_column, 1),
            "stats-log": self.toggle_log,
            "stats-group": self.step_group,
        }
        action = actions.get(event.widget.id if event.widget is not None else None)
        if action is not None:
            event.stop()
            action()


def _summarise(request: _SummaryRequest) -> tuple[ColumnSummary, list[Column]]:
    """The summary, and the columns that the histogram can be grouped by."""
    groups = statistics.groupings(request.frame, request.schema)
    by = next((column for column in groups if column.name == request.by), None)
    return statistics.summarize(request.frame, request.column, request.bins, log=request.log, by=by), groups


def number_lines(summary: ColumnSummary, *, two: bool) -> list[str]:
    """Names and values of a description, aligned; in two columns where there are few lines."""
    cells = [
        (name, value)
        for name, value in (("n", f"{summary.description.n:,}"), ("missing", f"{summary.description.missing:,}"))
    ]
    if summary.values is not None:
        cells.append(("distinct", f"{summary.distinct:,}"))
        two = False
    else:
        cells += _format_numbers(summary.description, summary.column)
    parts = [cells[: len(cells) // 2], cells[len(cells) // 2 :]] if two else [cells]
    blocks = [_align(part) for part in parts]
    return ["   ".join(row) for row in zip(*blocks, strict=True)]


def _format_numbers(description: ColumnStatistics, column: Column) -> list[tuple[str, str]]:
    spread = Column("std", Kind.DURATION, "std")
    cells = []
    for name, value in numbers(description):
        if value is None:
            cells.append((name, MISSING))
        elif name == "std" and column.kind is Kind.TIME:
            cells.append((name, format_value(value / 1000, spread)))
        elif column.kind is Kind.COUNT and not value.is_integer():
            cells.append((name, f"{value:,.2f}"))
        else:
            cells.append((name, format_value(value, column)))
    return cells


def _align(cells: list[tuple[str, str]]) -> list[str]:
    names, values = max(len(name) for name, _ in cells), max(cell_width(value) for _, value in cells)
    return [f"{name:<{names}} {pad_text(value, values, right=True)}" for name, value in cells]


class ValueCounts(Widget):
    """The commonest values of a text column with bars, as many as there are lines."""

    DEFAULT_CSS = "ValueCounts { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[str, int, float]] = []
        self._distinct = 0

    def set_values(self, counts: pl.DataFrame, distinct: int) -> None:
        """Shows value, count, share; `distinct`: how many different ones there are in all."""
        self._rows = [(str(value), count, share) for value, count, share in counts.iter_rows()]
        self._distinct = distinct
        self.refresh()

    def render(self) -> RenderResult:
        width, height = self.size
        if not self._rows:
            return Text("No values.", style="italic")
        fits = self._distinct <= min(height, len(self._rows))
        rows = self._rows[: height if fits else max(1, height - 1)]
        names = [safe_text(value) or '""' for value, _, _ in rows]
        name_width = min(max(map(cell_width, names)), max(10, width // 2))
        count_width = max(len(f"{count:,}") for _, count, _ in rows)
        bar_width = max(0, width - name_width - count_width - 10)
        colour = self.app.theme_variables.get("primary", "")
        text = Text(no_wrap=True)
        for name, (_, count, share) in zip(names, rows, strict=True):
            text.append(f"{pad_text(name, name_width)} {count:>{count_width},} {share:>6.1%} ")
            text.append(horizontal_bar(share, bar_width) + "\n", style=colour if colour.startswith("#") else "")
        if not fits:
            left = self._distinct - len(rows)
            text.append(f"… and {left:,} more", style="italic")
        return text
