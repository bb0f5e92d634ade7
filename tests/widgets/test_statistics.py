"""The panel measures what it was last asked for, says when there is nothing, and fits the terminals people have."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from backends.frames import statistics
from backends.frames.schema import Column, Kind, Schema
from tests.frame_rows import frame_from_rows
from tui.theme import ThemedApp
from tui.widgets.histogram_plot import HistogramPlot
from tui.widgets.statistics import StatisticsPanel
from tui.widgets.value_table import split_bar

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("duration", Kind.DURATION, "Duration"),
        Column("size", Kind.BYTES, "Size"),
        Column("started", Kind.TIME, "Started"),
        Column("id", Kind.ID, "Id"),
    ),
    key="id",
)
FRAME = frame_from_rows(
    SCHEMA,
    [(f"task {n}", "failed" if n % 4 else "completed", float(n), n * 1000, n * 60_000, f"k{n}") for n in range(1, 201)],
)
HOSTILE = "\x1b[31m[b]x[/b]\u202e"


class PanelApp(ThemedApp):
    AUTO_FOCUS = None
    CSS = "#table { height: 1fr; } StatisticsPanel { height: 45%; min-height: 9; max-height: 22; }"

    def compose(self) -> ComposeResult:
        yield Static("", id="table")
        yield StatisticsPanel()


async def settled(pilot: Pilot[None]) -> None:
    """Until no answer is on its way: each answer may have started the next question."""
    panel = pilot.app.query_one(StatisticsPanel)
    await pilot.pause()
    while panel._busy:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def show_rows(pilot: Pilot[None], frame: pl.DataFrame = FRAME, schema: Schema = SCHEMA) -> StatisticsPanel:
    panel = pilot.app.query_one(StatisticsPanel)
    panel.show(frame, schema, f"{len(frame):,} shown tasks")
    await settled(pilot)
    return panel


def text_of(app: App[Any], selector: str) -> str:
    widget = app.query_one(selector)
    strips = [widget.render_line(y) for y in range(widget.size.height)]
    return "\n".join(strip.text.rstrip() for strip in strips)


async def test_what_is_not_finite_is_counted_apart() -> None:
    app = PanelApp()
    async with app.run_test(size=(80, 24)) as pilot:
        odd = pl.Series("duration", [float("inf"), float("nan"), None] + [1.0] * 197)
        panel = await show_rows(pilot, FRAME.with_columns(odd))
        assert text_of(app, "#stats-scope").strip() == "not finite 2 · 200 shown tasks"
        assert "missing" in text_of(app, "#stats-numbers") and panel._summary is not None
        assert panel._summary.description.missing == 1
        panel.step_column(1)
        await settled(pilot)
        assert text_of(app, "#stats-scope").strip() == "200 shown tasks"


async def test_a_first_look_shows_durations_with_all_their_numbers() -> None:
    app = PanelApp()
    async with app.run_test(size=(200, 60)) as pilot:
        await show_rows(pilot)
        assert text_of(app, "#stats-column").strip() == "Duration"
        assert text_of(app, "#stats-scope").strip() == "200 shown tasks"
        rows = dict(line.split(maxsplit=1) for line in text_of(app, "#stats-numbers").splitlines() if line.strip())
        assert rows == {
            "n": "200",
            "missing": "0",
            "min": "1.0s",
            "mean": "1m 40s",
            "median": "1m 40s",
            "p90": "3m 00s",
            "p95": "3m 10s",
            "p99": "3m 18s",
            "max": "3m 20s",
            "std": "57.9s",
        }
        plot = text_of(app, "HistogramPlot")
        assert "█" in plot and "3m" in plot


async def test_at_80x24_all_numbers_and_the_plot_are_seen() -> None:
    app = PanelApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show_rows(pilot)
        numbers = text_of(app, "#stats-numbers")
        for name in ("n", "missing", "min", "mean", "median", "p90", "p95", "p99", "max", "std"):
            assert name in numbers.split()
        assert app.query_one(HistogramPlot).size.width >= 20
        plot = text_of(app, "HistogramPlot")
        assert "█" in plot and "2m" in plot.splitlines()[-1]


async def test_columns_go_round_without_identifiers() -> None:
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot)
        seen = []
        for _ in range(6):
            seen.append(text_of(app, "#stats-column").strip())
            panel.step_column(1)
            await settled(pilot)
        assert seen == ["Duration", "Size", "Started", "Name", "State", "Duration"]
        panel.step_column(-1)
        await settled(pilot)
        assert text_of(app, "#stats-column").strip() == "Duration"


async def test_text_is_counted_with_bars() -> None:
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot)
        panel.step_column(-1)
        await settled(pilot)
        assert not app.query_one(HistogramPlot).display
        first, second, *_ = text_of(app, "ValueTable").splitlines()
        assert first.split()[:4] == ["failed", "150", "75.0%", "150"] and "━" in first
        assert second.split()[:3] == ["completed", "50", "25.0%"]
        assert "distinct" in text_of(app, "#stats-numbers")
        panel.step_column(-1)
        await settled(pilot)


@given(count=st.integers(1, 300), failed=st.integers(0, 300), most=st.integers(1, 300), width=st.integers(2, 60))
def test_a_bar_of_what_passed_and_failed_shows_both(count: int, failed: int, most: int, width: int) -> None:
    most, failed = max(most, count), min(failed, count)
    bad, good = split_bar(count, failed, most, width)
    assert (bad > 0, good > 0) == (failed > 0, failed < count)
    assert bad + good <= width
    assert bad + good == max(1 + (0 < failed < count), round(count * width / most))


async def test_a_short_bar_of_which_little_failed_is_not_drawn_as_failed() -> None:
    rows = [("few", "failed" if n < 3 else "completed", 1.0, 1, 1, f"f{n}") for n in range(75)]
    rows += [("many", "completed", 1.0, 1, 1, f"m{n}") for n in range(272)]
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot, frame_from_rows(SCHEMA, rows))
        panel.step_column(-2)
        await settled(pilot)
        app.query_one("ValueTable").styles.width = 40
        await pilot.pause()
        _, few, *_ = text_of(app, "ValueTable").splitlines()
        assert few.split()[:4] == ["few", "75", "21.6%", "3"]
        assert few.rstrip().endswith(("━╺", "━ ━", "━ ━━")), few


async def test_grouping_offers_the_columns_with_few_values_then_none() -> None:
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot)
        assert text_of(app, "#stats-group").strip() == "not grouped"
        panel.step_group()
        await settled(pilot)
        assert text_of(app, "#stats-group").strip() == "by state"
        assert "█ failed" in text_of(app, "HistogramPlot") and "▒ completed" in text_of(app, "HistogramPlot")
        panel.step_group()  # names are too many
        await settled(pilot)
        assert text_of(app, "#stats-group").strip() == "not grouped"


async def test_a_logarithmic_scale_says_what_it_leaves_out() -> None:
    app = PanelApp()
    frame = FRAME.with_columns(pl.col("duration") - 3)
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot, frame)
        panel.toggle_log()
        await settled(pilot)
        assert text_of(app, "#stats-log").strip() == "log"
        assert "3 not above 0" in text_of(app, "HistogramPlot")


async def test_clicks_do_what_keys_do() -> None:
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await show_rows(pilot)
        for selector, shows, words in (
            ("#stats-next", "#stats-column", "Size"),
            ("#stats-previous", "#stats-column", "Duration"),
            ("#stats-log", "#stats-log", "log"),
            ("#stats-group", "#stats-group", "by state"),
        ):
            await pilot.click(selector)
            await settled(pilot)
            assert text_of(app, shows).strip() == words


@pytest.mark.parametrize(
    "frame", [FRAME.clear(), FRAME.head(3).with_columns(pl.lit(None, pl.Float64).alias("duration"))]
)
async def test_nothing_to_measure_is_said_in_words(frame: pl.DataFrame) -> None:
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot, frame)
        assert "No finite values in duration." in text_of(app, "HistogramPlot")
        assert "·" in text_of(app, "#stats-numbers")
        panel.step_column(-1)
        await settled(pilot)
        assert ("No values." in text_of(app, "ValueTable")) == (not len(frame))


async def test_hostile_text_is_shown_and_not_obeyed() -> None:
    schema = Schema((Column("s", Kind.STATE, HOSTILE), Column("v", Kind.NUMBER, HOSTILE)), key="id")
    frame = frame_from_rows(schema, [("1", HOSTILE, 1.0), ("2", "b", 2.0)])
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot, frame, schema)
        panel.step_group()
        await settled(pilot)
        plot, name = text_of(app, "HistogramPlot"), text_of(app, "#stats-column")
        panel.step_column(-1)
        await settled(pilot)
        for text in (plot, name, text_of(app, "ValueTable")):
            assert "[b]x" in text and "\x1b" not in text and "\u202e" not in text


async def test_the_last_question_wins_over_a_slow_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    held, gate, measured = threading.Event(), threading.Event(), []
    real = statistics.summarize

    def slow(frame: pl.DataFrame, *arguments: Any, **options: Any) -> statistics.ColumnSummary:
        measured.append(len(frame))
        if len(frame) == 200:
            held.set()
            assert gate.wait(30)
        return real(frame, *arguments, **options)

    monkeypatch.setattr(statistics, "summarize", slow)
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        panel = app.query_one(StatisticsPanel)
        panel.show(FRAME, SCHEMA, "200 shown tasks")
        assert await asyncio.to_thread(held.wait, 30)
        for rows in range(1, 8):
            panel.show(FRAME.head(rows), SCHEMA, f"{rows} shown tasks")
        gate.set()
        await settled(pilot)
        assert measured == [200, 7]  # those in between were never begun
        assert text_of(app, "#stats-scope").strip() == "7 shown tasks"
        assert text_of(app, "#stats-numbers").split()[1] == "7"


async def test_a_failure_is_shown_and_the_next_question_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    real = statistics.summarize

    def broken(*_arguments: Any, **_options: Any) -> statistics.ColumnSummary:
        raise ZeroDivisionError

    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        monkeypatch.setattr(statistics, "summarize", broken)
        panel = await show_rows(pilot)
        assert "ZeroDivisionError" in text_of(app, "#stats-numbers")
        monkeypatch.setattr(statistics, "summarize", real)
        panel.step_column(1)
        await settled(pilot)
        assert "median" in text_of(app, "#stats-numbers")


async def test_the_plot_follows_the_size_of_the_terminal() -> None:
    app = PanelApp()
    async with app.run_test(size=(160, 50)) as pilot:
        await show_rows(pilot)
        assert "┤" in text_of(app, "HistogramPlot")
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "┤" not in text_of(app, "HistogramPlot") and "█" in text_of(app, "HistogramPlot")
        await pilot.resize_terminal(55, 24)
        await settled(pilot)
        assert app.query_one(HistogramPlot).size.width >= 20 or not text_of(app, "HistogramPlot").strip()


async def test_the_plot_follows_the_theme() -> None:
    app = PanelApp()
    async with app.run_test(size=(160, 50)) as pilot:
        await show_rows(pilot)
        seen = set()
        for theme in ("ciexplore-dark", "ciexplore-light"):
            app.theme = theme
            await pilot.pause()
            strips = [
                app.query_one(HistogramPlot).render_line(y) for y in range(app.query_one(HistogramPlot).size.height)
            ]
            bars = {str(part.style.color) for strip in strips for part in strip if "█" in part.text and part.style}
            assert len(bars) == 1
            seen |= bars
        assert len(seen) == 2


async def test_a_schema_without_anything_to_measure_says_so() -> None:
    schema = Schema((Column("id", Kind.ID, "Id"),), key="id")
    app = PanelApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot, frame_from_rows(schema, [("a",)]), schema)
        for action in (lambda: panel.step_column(1), panel.toggle_log, panel.step_group):
            action()
        await settled(pilot)
        assert "No numeric columns." in text_of(app, "#stats-numbers")


class WalkedApp(PanelApp):
    def __init__(self) -> None:
        super().__init__()
        self.filters: list[str] = []
        self.left = 0

    def on_statistics_panel_filter_request(self, event: StatisticsPanel.FilterRequest) -> None:
        self.filters.append(event.text)

    def on_statistics_panel_leave_request(self) -> None:
        self.left += 1


async def test_all_values_and_bins_are_walked_by_keys() -> None:
    app = WalkedApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot)
        panel.step_column(-2)  # names, 200 different ones
        await settled(pilot)
        panel.focus()
        await pilot.pause()
        for key, name in (("end", "task 99"), ("home", "task 1"), ("down", "task 10")):
            await pilot.press(key)
            assert f"▸ {name}  1 of 200" in text_of(app, "#stats-chosen")
            assert f"▌ {name} " in text_of(app, "ValueTable")
        await pilot.press("enter", "escape")
        assert app.filters == ['name="task 10"'] and app.left == 1


def offers_enter(app: App[Any]) -> bool:
    return any(found.binding.action == "filter_chosen" for found in app.screen.active_bindings.values())


async def test_enter_is_offered_only_where_it_leaves_rows_out() -> None:
    app = WalkedApp()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        panel = await show_rows(pilot)
        panel.step_column(-1)  # states
        await settled(pilot)
        panel.focus()
        await pilot.pause()
        assert "⏎ filters to these" in text_of(app, "#stats-chosen") and offers_enter(app)
        await pilot.press("enter")
        assert app.filters == ["state=failed"]
        panel.show(FRAME.filter(pl.col("state") == "failed"), SCHEMA, "failed")
        await settled(pilot)
        assert "⏎" not in text_of(app, "#stats-chosen") and not offers_enter(app)
        await pilot.press("enter")
        await pilot.pause()
        assert len(app.filters) == 1
        assert [one.message for one in app._notifications] == ["All of the rows have this value."]
        app.set_focus(None)
        await pilot.pause()
        assert "⏎" not in text_of(app, "#stats-chosen"), "Enter opens the row while the table has the focus"


async def test_bins_without_rows_are_passed_over() -> None:
    app = WalkedApp()
    frame = FRAME.filter(pl.col("duration").is_between(1, 4) | pl.col("duration").is_between(190, 200))
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot, frame)
        panel.focus()
        await pilot.press("home")
        await pilot.press("right")
        assert " 0 of " not in text_of(app, "#stats-chosen")
        await pilot.press("enter")
        await pilot.pause()
        assert app.filters and app.filters[0].startswith("duration>=")


async def test_a_click_chooses_and_a_second_one_filters() -> None:
    app = WalkedApp()
    async with app.run_test(size=(100, 30)) as pilot:
        panel = await show_rows(pilot)
        panel.step_column(-1)
        await settled(pilot)
        await pilot.click("ValueTable", offset=(3, 1))
        assert "▸ completed" in text_of(app, "#stats-chosen") and not app.filters
        await pilot.click("ValueTable", offset=(3, 1))
        await pilot.pause()
        assert app.filters == ["state=completed"]
