"""Bars show every count, rulers say only what fits, the signs of a chart stay with their series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given
from textual.app import ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp

from backends.frames.axis_ticks import ruler, tick_labels
from backends.frames.charts import ChartData
from backends.frames.histograms import histogram
from backends.frames.schema import Column, Kind, Schema
from backends.resources import Chart
from tests.driving import until
from tui.theme import ThemedApp
from tui.widgets.charts import SHAPES, Canvas, ChartPanel, braille
from tui.widgets.histogram_plot import EIGHTHS, GLYPHS, block_bars, stacked_bars
from tui.widgets.plot_widget import plotext_is_loaded

counts = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)


@given(counts, st.integers(1, 80), st.integers(1, 8))
def test_a_count_above_zero_is_seen_and_a_zero_is_not(values: list[int], width: int, height: int) -> None:
    rows = block_bars(values, width, height)
    assert len(rows) == height and all(len(row) == width or len(row) == min(width, len(values)) for row in rows)
    if len(values) <= width:
        for cell in range(width):
            count = values[cell * len(values) // width]
            assert (rows[-1][cell] != " ") == (count > 0)
            if count == max(values) > 0:
                assert [row[cell] for row in rows] == ["█"] * height
    assert set("".join(rows)) <= set(EIGHTHS)


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=7), st.integers(1, 6))
def test_a_stack_is_as_high_as_its_total_and_shows_its_largest_group(groups: list[list[int]], height: int) -> None:
    rows = stacked_bars(groups, 3, height)
    assert len(rows) == height
    for cell in range(3):
        column = [row[cell] for row in rows]
        total = sum(group[cell] for group in groups)
        assert (column[-1] != " ") == (total > 0)
        assert "".join(column).rstrip() == "".join(column).rstrip(" ")
        for number, group in enumerate(groups):
            if group[cell] * 2 > total:
                assert GLYPHS[number] in column


@pytest.mark.parametrize(
    ("kind", "edges", "labels"),
    [
        (Kind.DURATION, [0, 30, 300, 3600, 5400], ["0s", "30s", "5m", "1h", "1h 30m"]),
        (Kind.BYTES, [0.0, 1e6, 1.5e9], ["0 B", "1 MB", "1.5 GB"]),
        (Kind.COUNT, [0.0, 1000.0], ["0", "1,000"]),
        (Kind.NUMBER, [0.0, 0.25, 1.5, 20.0], ["0", "0.25", "1.5", "20"]),
        (Kind.TIME, [1_790_000_000_000.0, 1_790_003_600_000.0], ["14:13", "15:13"]),
        (Kind.TIME, [1_790_000_000_000.0, 1_792_592_000_000.0], ["09-21 14:13", "10-21 14:13"]),
        (Kind.TIME, [1_789_948_800_000.0, 1_792_540_800_000.0], ["09-21", "10-21"]),
    ],
)
def test_labels_are_as_short_as_they_can_be(kind: Kind, edges: list[float], labels: list[str]) -> None:
    assert tick_labels(edges, Column("v", kind, "V")) == labels


@given(
    st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20),
    st.integers(4, 60),
    st.integers(24, 180),
    st.booleans(),
    st.sampled_from([Kind.DURATION, Kind.NUMBER, Kind.BYTES, Kind.TIME]),
)
def test_a_ruler_has_its_marks_in_order_on_the_axis(
    values: list[float], bins: int, cells: int, log: bool, kind: Kind
) -> None:
    edges = histogram(pl.Series(values), bins, log=log, kind=kind).edges
    marks = ruler(edges, Column("v", kind, "V"), cells, log=log)
    assert marks
    places = [place for place, _ in marks]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= len(edges) - 1


def test_a_logarithmic_ruler_has_round_values() -> None:
    edges = histogram(pl.Series([5.0, 9000.0]), 40, log=True).edges
    assert [label for _, label in ruler(edges, Column("v", Kind.DURATION, "V"), 150, log=True)] == [
        *("5s", "10s", "30s", "1m", "2m", "5m", "10m", "30m", "1h", "2h")
    ]


SCHEMA = Schema(
    (
        Column("at", Kind.TIME, "At"),
        Column("value", Kind.NUMBER, "Value", "ms"),
        Column("series", Kind.TEXT, "Series"),
        Column("alert", Kind.TEXT, "Alert"),
    ),
    key="key",
)
CHART = Chart(x="at", y="value", by="series", marks="alert")
START = datetime(2026, 11, 1, tzinfo=UTC)


def rows(*series: tuple[str, list[tuple[int, float]]], alert_at: int = -1) -> pl.DataFrame:
    """A row a point of each series, at these hours."""
    cells: list[tuple[Any, ...]] = [
        (f"{name}/{hour}", START + timedelta(hours=hour), value, name, "a regression" if hour == alert_at else None)
        for name, values in series
        for hour, value in values
    ]
    wanted = SCHEMA.polars()
    return pl.DataFrame(cells, schema=list(wanted), orient="row").select(
        pl.col(name).cast(dtype) for name, dtype in wanted.items()
    )


class Alone(ThemedApp):
    CSS = "ChartPanel { height: 1fr; }"
    clicked = ""

    def on_chart_panel_clicked(self, event: ChartPanel.Clicked) -> None:
        self.clicked = event.key

    def compose(self) -> ComposeResult:
        yield ChartPanel()


# Early there is more of the slow one, late of the fast one only.
MANY = ("slow", [(hour, 900.0 + hour) for hour in range(60)])
LATE = ("fast", [(hour, 400.0) for hour in range(70, 100)])


async def read_chart(app: Alone, pilot: Any) -> str:
    panel = app.query_one(ChartPanel)
    await until(pilot, lambda: plotext_is_loaded() and len(str(panel.render())) > 10)
    return str(panel.render())


async def test_a_list_without_rows_has_an_empty_chart_and_no_complaint_while_it_loads() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        panel.show(rows(), SCHEMA, CHART)
        await until(pilot, plotext_is_loaded)
        assert str(panel.render()) == ""
        panel.show(rows(MANY).with_columns(value=pl.lit(None, pl.Float64)), SCHEMA, CHART)
        assert str(panel.render()) == " No row that is shown has both values of the chart."


async def test_the_lines_on_the_screen_are_those_of_the_drawing() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        panel.show(rows(MANY, LATE), SCHEMA, CHART)
        text = await read_chart(app, pilot)
        shown = [panel.render_line(y).text for y in range(panel.size.height)]
        assert [line.rstrip() for line in shown] == [line.rstrip() for line in text.split("\n")]
        assert {len(line) for line in shown} == {panel.size.width}
        before = panel.render_line(5)
        panel.styles.background = "red"
        await pilot.pause()
        assert panel.render_line(5) != before, "a line is as the widget's styles are now"


async def test_range_keys_keep_each_series_sign_even_where_it_has_no_points() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        frame = rows(MANY, LATE)
        panel.show(frame, SCHEMA, CHART)
        panel.point(frame.row(-1, named=True))
        whole = await read_chart(app, pilot)
        block, cross = braille(SHAPES[0]), braille(SHAPES[1])
        assert f"{block} slow" in whole and f"{cross} fast" in whole
        for _ in range(3):
            panel.zoom(1)
        closer = await read_chart(app, pilot)
        title, plot = closer.split("\n", 1)
        assert f"{cross} fast" in title and f"{block} slow" in title
        assert "fast" in plot and "slow" not in plot and "◉" in plot  # the label beside its last point
        for _ in range(3):
            panel.zoom(-1)
        assert await read_chart(app, pilot) == whole


async def test_alerts_are_flagged_on_their_push_with_the_medians_around_them() -> None:
    app = Alone()
    worse = [(hour, 900.0 if hour < 30 else 1000.0) for hour in range(0, 60, 3)]
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        frame = rows(("slow", worse), alert_at=30)
        panel.show(frame, SCHEMA, CHART)
        panel.point(frame.row(10, named=True))
        text = await read_chart(app, pilot)
        title, flags, *plot = text.splitlines()
        assert "1 ◆ marked" in title and "a regression" in flags
        column = flags.index("◆")
        assert 40 < column < 65  # in the middle of the axis
        [cursor] = [line for line in plot if "◉" in line]
        assert cursor.index("◉") == column, "the row that is marked is under its flag"
        assert sum(line.count("╌") for line in plot) > 40
        assert any(line[column] == "╎" for line in plot)


async def read_dots(app: Alone, pilot: Any) -> int:
    """How many dots of braille there are on the screen."""
    text = (await read_chart(app, pilot)).split("\n", 1)[1]
    return sum((ord(sign) - 0x2800).bit_count() for sign in text if 0x2800 <= ord(sign) < 0x2900)


async def test_measured_points_are_not_joined_and_points_on_lines_have_signs() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        frame = rows(("a", [(0, 0.0), (50, 100.0), (99, 0.0)]))
        panel.show(frame, SCHEMA, CHART)
        assert await read_dots(app, pilot) == 3 * 4
        panel.show(frame, SCHEMA, Chart(x="at", y="value", by="series", joined=True))
        assert await read_dots(app, pilot) > 50
        assert str(panel.render()).count("●") == 4  # and in the title


async def test_the_wheel_looks_closer_at_what_is_under_the_pointer() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        frame = rows(MANY)
        panel.show(frame, SCHEMA, CHART)
        panel.point(frame.row(0, named=True))
        whole = await read_chart(app, pilot)
        before = panel._window
        assert before is not None
        for offset in (30, 70):
            share = (offset - panel._left) / (panel._cells - 1)
            place = before.x0 + share * (before.x1 - before.x0)
            for _ in range(2):
                await pilot._post_mouse_events([MouseScrollUp], panel, offset=(offset, 8))
            assert await read_chart(app, pilot) != whole
            after = panel._window
            assert after is not None and (after.x1 - after.x0) * 4 == pytest.approx(before.x1 - before.x0)
            assert after.x0 + share * (after.x1 - after.x0) == pytest.approx(place)
            for _ in range(2):
                await pilot._post_mouse_events([MouseScrollDown], panel, offset=(offset, 8))
            assert await read_chart(app, pilot) == whole


async def test_a_click_names_the_row_that_is_nearest() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        panel.show(rows(("low", [(0, 1.0), (9, 1.0)]), ("high", [(0, 9.0), (9, 9.0)])), SCHEMA, CHART)
        await read_chart(app, pilot)
        for offset, key in (((8, 3), "high/0"), ((8, 15), "low/0"), ((97, 4), "high/9")):
            await pilot.click(panel, offset=offset)
            await pilot.pause()
            assert app.clicked == key


@given(st.data())
def test_the_cell_of_a_point_is_one_that_shows_it(data: st.DataObject) -> None:
    joined, series = data.draw(st.booleans()), data.draw(st.integers(1, 6))
    number = st.floats(-1e6, 1e6, width=32)
    places = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=12))
    frame = pl.DataFrame(
        [(x, y, str(place % series)) for place, (x, y) in enumerate(places)], schema=["x", "y", "by"], orient="row"
    )
    found = ChartData(frame, "x", "y", by="by").points()
    canvas = Canvas((60, 14), (50, 11), ([(0, "")], [(0, "1")]), found, joined=joined)
    for x, y in places:
        assert canvas.cell_of(x, y) in canvas.owners
