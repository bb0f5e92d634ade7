"""The chart above a list: its signs stay with their series, its cursor with the row, whatever part is in sight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from textual.app import App, ComposeResult

from backends.frames.schema import Column, Kind, Schema
from backends.resources import Chart
from tests.driving import until
from tui.widgets.charts import ChartPanel, plotext_is_loaded

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


class Alone(App[None]):
    CSS = "ChartPanel { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield ChartPanel()


# Early there is more of the slow one, late of the fast one only.
MANY = ("slow", [(hour, 900.0 + hour) for hour in range(60)])
LATE = ("fast", [(hour, 400.0) for hour in range(70, 100)])


async def drawn(app: Alone, pilot: Any) -> str:
    panel = app.query_one(ChartPanel)
    await until(pilot, lambda: plotext_is_loaded() and len(str(panel.render())) > 10)
    return str(panel.render())


async def test_range_keys_keep_each_series_sign_even_where_it_has_no_points() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        frame = rows(MANY, LATE)
        panel.show(frame, SCHEMA, CHART)
        panel.point(frame.row(-1, named=True))
        whole = await drawn(app, pilot)
        assert "● slow" in whole and "▲ fast" in whole
        for _ in range(3):
            panel.zoom(1)
        closer = await drawn(app, pilot)
        title, plot = closer.split("\n", 1)
        assert "▲ fast" in title and "● slow" in title
        assert "▲" in plot and "●" not in plot and "◉" in plot
        for _ in range(3):
            panel.zoom(-1)
        assert await drawn(app, pilot) == whole


async def test_alerts_are_marked_where_they_are() -> None:
    app = Alone()
    async with app.run_test(size=(100, 20)) as pilot:
        panel = app.query_one(ChartPanel)
        panel.show(rows(MANY, alert_at=30), SCHEMA, CHART)
        text = await drawn(app, pilot)
        [line] = [line for line in text.splitlines()[1:] if "▽" in line]
        assert "1 ▽ marked" in text.splitlines()[0]
        assert 40 < line.index("▽") < 65  # in the middle of the axis
