"""The panel under a table that measures one column: numbers at the left, beside them its histogram or its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from backends.frames import frequencies, statistics
from backends.frames.axis_ticks import tick_range
from backends.frames.formats import MISSING, format_value, safe_text
from backends.frames.schema import Column, Kind, Schema
from backends.frames.statistics import NUMBERS, ColumnStatistics, ColumnSummary, numbers
from backends.frames.text_tables import cell_width, pad_text
from tui import crash_log
from tui.keymap import bindings
from tui.widgets.histogram_plot import HistogramPlot
from tui.widgets.value_table import NO_VALUE, ValueTable

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


class StatisticsPanel(Widget, can_focus=True):
    """`show` gives it rows; `step_column`, `toggle_log`, `step_group` are what keys and clicks do.

    The list around it binds those, so that they work while the table has the focus. With the focus the panel is walked:
    from value to value, or from bin to bin; Enter gives the filter of the chosen one.
    """

    BORDER_TITLE = "Statistics"
    BINDINGS = bindings("statistics")

    DEFAULT_CSS = """
    StatisticsPanel { height: 12; layout: vertical; background: $ci-bg; }
    StatisticsPanel #stats-choices { height: 1; }
    StatisticsPanel #stats-choices Static { width: auto; padding: 0 1; }
    StatisticsPanel #stats-choices .choice { background: $ci-bar; color: $ci-text; margin-right: 1; }
    StatisticsPanel #stats-choices .choice:hover { background: $primary; color: $text; }
    StatisticsPanel #stats-choices .off { color: $text-disabled; }
    StatisticsPanel #stats-column { text-style: bold; color: $primary; }
    StatisticsPanel #stats-choices #stats-scope { width: 1fr; color: $text-muted; text-overflow: ellipsis;
        text-wrap: nowrap; }
    StatisticsPanel #stats-body { height: 1fr; }
    StatisticsPanel #stats-chosen { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    StatisticsPanel #stats-numbers { width: auto; height: 1fr; padding: 0 2 0 1; }
    StatisticsPanel ValueTable { display: none; }
    StatisticsPanel.-text ValueTable { display: block; }
    StatisticsPanel.-text HistogramPlot { display: none; }
    """

    class FilterRequest(Message):
        """The rows of one value or bin are wanted: the filter that keeps them."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class LeaveRequest(Message):
        """The keys are to go to the table again."""

    class _Computed(Message):
        def __init__(
            self, frame: pl.DataFrame, result: tuple[ColumnSummary, list[Column]] | None, failure: str
        ) -> None:
            super().__init__()
            self.frame, self.result, self.failure = frame, result, failure

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
        self._measured: pl.DataFrame | None = None  # the rows of the summary
        self._chosen: int | None = None  # the value or bin that is walked to
        self._busy = False
        self._rerun = False  # the request that runs is out of date
        self._outdated = True  # what is drawn is another column, or the other scale
        self._put_off: list[Callable[[], None]] = []  # what was pressed meanwhile, which is meant for what comes

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
            yield ValueTable()
        yield Static("", id="stats-chosen")

    # ---- choices ---------------------------------------------------------------------------------------------
    def show(self, frame: pl.DataFrame, schema: Schema, scope_text: str) -> None:
        """Measures these rows, as soon as what is being measured now is done. `scope_text`: "1,234 shown tasks"."""
        if schema is not self._schema:
            self._summary, self._groups, self._chosen, self._outdated = None, [], None, True
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
        if self._put_off:
            self._put_off.append(partial(self.step_column, step))
            return
        names = [column.name for column in statistics.measurable(self._schema)]
        self._chosen, self._outdated = None, True
        self._column = names[(names.index(self._column) + step) % len(names)]
        self._update()

    def toggle_log(self) -> None:
        """A logarithmic scale of the histogram, or a linear one again."""
        self._log, self._chosen, self._outdated = not self._log, None, True
        self._update()

    def step_group(self) -> None:
        """Groups the histogram by the next column that has few enough values, after the last one by none."""
        names = [None, *(column.name for column in self._groups)]
        self._by = names[(names.index(self._by) + 1) % len(names)] if self._by in names else None
        self._update()

    @property
    def column(self) -> Column | None:
        """What is measured."""
        return self._schema[self._column] if self._schema is not None and self._column is not None else None

    # ---- walking ---------------------------------------------------------------------------------------------
    @property
    def _count(self) -> int:
        """How many values or bins there are to walk."""
        summary = self._summary
        if summary is None:
            return 0
        return len(summary.values.table if summary.values is not None else summary.histogram.totals)  # type: ignore[union-attr]

    def on_focus(self) -> None:
        if self._chosen is None:
            self._choose(self._first_choice())
        self._draw_chosen()
        self.query_one(ValueTable).refresh()

    def on_blur(self) -> None:
        self._put_off.clear()
        self._draw_chosen()
        self.query_one(ValueTable).refresh()

    def _first_choice(self) -> int:
        """The first value, or the highest bar."""
        if self._summary is None or self._summary.histogram is None or not self._count:
            return 0
        totals = self._summary.histogram.totals
        return totals.index(max(totals))

    def _choose(self, number: int) -> None:
        if self._count:
            self._chosen = min(max(number, 0), self._count - 1)
            self._draw_chosen()

    def _comes_too_soon(self, action: Callable[[], None]) -> bool:
        """Whether what the action is meant for is still being measured; it is then done when that is drawn."""
        if self._outdated and self._busy:
            self._put_off.append(action)
            return True
        return False

    def action_step(self, step: int) -> None:
        """To the next value or bin that has rows (1) or the one before (-1)."""
        if self._comes_too_soon(partial(self.action_step, step)):
            return
        number = self._first_choice() if self._chosen is None else self._chosen + step
        histogram = self._summary.histogram if self._summary is not None else None
        while histogram is not None and 0 < number < self._count - 1 and not histogram.totals[number]:
            number += 1 if step > 0 else -1
        self._choose(number)

    def action_page(self, step: int) -> None:
        self.action_step(step * max(1, self.query_one("#stats-body").size.height - 1))

    def action_jump(self, place: int) -> None:
        """To the first one (0) or the last one (-1)."""
        if self._comes_too_soon(partial(self.action_jump, place)):
            return
        self._choose(self._count - 1 if place else 0)

    def action_leave(self) -> None:
        self.post_message(self.LeaveRequest())

    @property
    def _narrows(self) -> bool:
        """Whether filtering to the chosen value or bin would leave out any row."""
        summary, chosen = self._summary, self._chosen
        if summary is None or chosen is None or chosen >= self._count:
            return False
        if summary.values is not None:
            return bool(summary.values.table["count"][chosen] < summary.values.rows)
        return summary.histogram is not None and summary.histogram.totals[chosen] < summary.histogram.n

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Filtering is offered where it does something; while the column is measured it is not known yet."""
        return action != "filter_chosen" or self._narrows or (self._outdated and self._busy)

    def on_key(self, event: events.Key) -> None:
        """Enter where it is not offered."""
        if event.key == "enter" and self._count and not self.check_action("filter_chosen", ()):
            event.stop()
            self.action_filter_chosen()

    def action_filter_chosen(self) -> None:
        """Asks for the rows of the chosen value or bin."""
        if self._comes_too_soon(self.action_filter_chosen):
            return
        text = self.chosen_filter()
        if text and not self._narrows:
            self.app.notify("All of the rows have this value.")
        elif text:
            self.post_message(self.FilterRequest(text))

    def chosen_filter(self) -> str:
        """The filter that keeps the rows of the chosen value or bin; "" where nothing is chosen."""
        summary, rows, chosen = self._summary, self._measured, self._chosen
        if summary is None or rows is None or chosen is None or not chosen < self._count:
            return ""
        if summary.values is not None:
            value = summary.values.table["value"][chosen]
            return frequencies.value_filter(summary.column, value, rows[summary.column.name])
        assert summary.histogram is not None
        edges = summary.histogram.edges
        last = chosen == self._count - 1
        return frequencies.range_filter(summary.column, edges[chosen], edges[chosen + 1], last=last)

    def _chosen_value(self) -> pl.Series | None:
        """The value that is walked to, as a series of one."""
        values = self._summary.values if self._summary is not None else None
        return values.table["value"][self._chosen : self._chosen + 1] if values and self._chosen is not None else None

    def _find_chosen(self, value: pl.Series | None) -> None:
        """The same value is walked to where more rows have come."""
        values = self._summary.values if self._summary is not None else None
        if values is not None and value is not None and len(value):
            places = values.table["value"].eq_missing(value).arg_true()
            self._chosen = places[0] if len(places) else None

    @on(HistogramPlot.BinClicked)
    @on(ValueTable.RowClicked)
    def _choose_clicked(self, event: HistogramPlot.BinClicked | ValueTable.RowClicked) -> None:
        """A second click on the same one acts as Enter does."""
        event.stop()
        if event.number == self._chosen:
            self.action_filter_chosen()
        else:
            self._choose(event.number)

    def _draw_chosen(self) -> None:
        """The chosen value or bin, and the line that describes it."""
        summary, chosen = self._summary, self._chosen
        if chosen is not None and chosen >= self._count:
            chosen = self._chosen = None
        if summary is None:
            return
        self.query_one(HistogramPlot).choose(chosen if summary.values is None else None)
        self.query_one(ValueTable).choose(chosen if summary.values is not None else None)
        line = self.query_one("#stats-chosen", Static)
        hint = f"h walks the {'values' if summary.values is not None else 'bins'}" if self._count else ""
        line.update(Text(hint, "italic") if chosen is None else self._describe(summary, chosen))
        self.refresh_bindings()

    def _describe(self, summary: ColumnSummary, chosen: int) -> Text:
        """ "▸ 21m 18s – 23m 26s  77 of 1,187 · 6.5% · 1 failed  ⏎ filters to these"."""
        failed: int | None
        if summary.values is not None:
            value, count, failed = summary.values.table.row(chosen)
            name, rows = NO_VALUE if value is None else safe_text(value, 60) or '""', summary.values.rows
        else:
            assert summary.histogram is not None
            histogram = summary.histogram
            count, rows = histogram.totals[chosen], histogram.n
            failed = histogram.failed[chosen] if histogram.failed else None
            low, high = tick_range(histogram.edges[chosen], histogram.edges[chosen + 1], summary.column)
            name = f"{low} – {high}"
        plot = self.query_one(HistogramPlot)
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("▸ ", plot.role("accent")).append(name, "bold")
        text.append(f"  {count:,} of {rows:,} · {count / max(rows, 1):.1%}")
        if failed:
            text.append(f" · {failed:,} failed", plot.role("failed"))
        if not self._narrows:
            return text.append("  all of the rows", plot.role("muted"))
        if self.screen.focused is not self:  # there Enter opens the row
            return text.append("  h ", plot.role("accent")).append("walks on from here", plot.role("muted"))
        return text.append("  ⏎ ", plot.role("accent")).append("filters to these", plot.role("muted"))

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
            reason = str(error or "This column cannot be summarized.")
            self.post_message(self._Computed(request.frame, result, reason))

    @on(_Computed)
    def _show_summary(self, event: _Computed) -> None:
        event.stop()
        self._busy = False
        if self._rerun:
            self._update()
            return
        before = self._chosen_value()
        self._outdated = False
        self._summary, self._groups = event.result if event.result is not None else (None, [])
        self._find_chosen(before)
        self._measured = event.frame
        self._draw_choices()
        if self._summary is None:
            self.query_one("#stats-numbers", Static).update(Text(event.failure))
            self.query_one(HistogramPlot).set_histogram(None)
            self._put_off.clear()
            return
        self._draw(self._summary)
        put_off, self._put_off = self._put_off, []
        for action in put_off:  # one that goes to another column puts those after it off again
            action()

    # ---- drawing ---------------------------------------------------------------------------------------------
    def _draw_choices(self) -> None:
        if self._schema is None:
            return
        column = self._schema[self._column] if self._column is not None else None
        self.query_one("#stats-column", Static).update(Text(safe_text(column.label, 30) if column else ""))
        summary = self._summary
        odd = summary.description.not_finite if summary is not None and summary.column == column else 0
        # First, because the end of the line is cut; among the numbers it would push one out of a low panel.
        scope = (f"not finite {odd:,} · " if odd else "") + safe_text(self._scope)
        self.query_one("#stats-scope", Static).update(Text(scope))
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
            self.query_one(ValueTable).set_values(summary.values)
        else:
            self.query_one(HistogramPlot).set_histogram(summary.histogram, summary.column)
        if self.has_focus and self._chosen is None:
            self._choose(self._first_choice())
        self._draw_chosen()

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
    failed = frequencies.failed_rows(request.frame, request.schema)
    summary = statistics.summarize(request.frame, request.column, request.bins, log=request.log, by=by, failed=failed)
    return summary, groups


def number_lines(summary: ColumnSummary, *, two: bool) -> list[str]:
    """Names and values of a description, aligned; in two columns where there are few lines."""
    cells = [
        (name, value)
        for name, value in (("n", f"{summary.description.n:,}"), ("missing", f"{summary.description.missing:,}"))
    ]
    if summary.values is not None:
        cells.append(("distinct", f"{summary.values.distinct:,}"))
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
