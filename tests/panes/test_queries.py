"""`:` asks the list in view with SQL, `T` groups it, `W` watches it: with real keys in the app."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from textual.color import Color
from textual.widgets import Input

from backends.demo import DemoOptions, DemoServer, locators
from backends.taskcluster.tasks import TaskList
from tests.driving import filter_rows, loaded, running, shown_view, until, view
from tui.app import TopBar
from tui.widgets.download_dialog import DownloadDialog
from tui.widgets.query_dialogs import PivotDialog, QueryDialog, QueryInput, WordSuggester


async def test_a_query_over_what_is_shown_is_a_list_whose_rows_open(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await filter_rows(app, pilot, "state:failed")
        shown = first.table.row_count
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, QueryDialog))
        await pilot.press(*"SELECT task_id, name, duration FROM shown ORDER BY duration DESC", "enter")
        await until(pilot, lambda: view(app) not in (None, first) and loaded(app))
        result = shown_view(app)
        assert result.table.total_count == shown
        durations = result.table.frame["duration"].drop_nulls().to_list()
        assert durations == sorted(durations, reverse=True)
        locator = result.locator.text()
        await pilot.press("enter")
        await until(pilot, lambda: view(app) not in (None, first, result) and loaded(app))
        assert result.table.frame["task_id"][0] in shown_view(app).locator.text()
    async with running(locator) as (app, _):  # it is opened again from its text alone
        assert shown_view(app).table.total_count == shown


async def test_the_marked_rows_are_a_table_and_mistakes_stay_in_the_box(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await pilot.press("space", "space", "space", "colon")
        await until(pilot, lambda: isinstance(app.screen, QueryDialog))
        await pilot.press(*"SELECT nmae FROM marked", "enter")
        await until(pilot, lambda: "no column 'nmae'" in str(app.screen.query_one(".error").render()))
        assert isinstance(app.screen, QueryDialog)
        await pilot.press("ctrl+u", *"SELECT name FROM marked", "enter")
        await until(pilot, lambda: view(app) not in (None, first) and loaded(app))
        assert shown_view(app).table.total_count == 3
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, QueryDialog))
        await pilot.press("up")
        assert app.screen.query_one(QueryInput).value == "SELECT name FROM marked"


async def test_only_whole_words_are_completed() -> None:
    """A search that begins at each letter of a pasted text takes a second of 10,000, at every key."""
    suggester = WordSuggester(["SELECT", "suite"])
    found = [await suggester.get_suggestion(text) for text in ("sel", "(su", "1sel", "x1.su", "é_su", "sel ")]
    assert found == ["selECT", "(suite", None, "x1.suite", None, None]


async def test_a_word_is_completed(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, QueryDialog))
        box = app.screen.query_one(QueryInput)
        await pilot.press(*"SELECT worker_p")
        await until(pilot, lambda: box._suggestion.endswith("worker_pool"))
        await pilot.press("tab")
        assert box.value == "SELECT worker_pool"


async def test_a_pivot_table_opens_the_rows_behind_the_cell_under_the_cursor(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, PivotDialog))
        app.screen.query_one("#pivot-rows", Input).value = "kind"
        app.screen.query_one("#pivot-columns", Input).value = "state"
        await pilot.press("tab", "enter")
        assert isinstance(app.screen, PivotDialog), "Enter in a field only goes to the button"
        await pilot.press("enter")
        await until(pilot, lambda: view(app) not in (None, first) and loaded(app))
        table = shown_view(app).table
        assert table.frame["rows"].sum() == first.table.total_count
        names = [column.name for column in table.visible_columns]
        loudest = Color.parse(app.theme_variables["ci-heat-amount-4"]).rich_color
        painted = [table.render_line(line) for line in range(1, 1 + table.row_count)]
        grounds = {segment.style.bgcolor for strip in painted for segment in strip if segment.style}
        assert loudest in grounds  # cells are coloured by value
        await pilot.press(*["right"] * names.index("completed"))
        row = table.cursor_row
        assert row is not None
        pivot_view = shown_view(app)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) not in (None, first, pivot_view) and loaded(app))
        behind = shown_view(app).table.frame
        assert behind.height == (row["completed"] or 0)
        assert set(behind["kind"]) <= {row["kind"]} and set(behind["state"]) <= {"completed"}
        # With them can be done what can be done with them in their own list.
        assert shown_view(app).table.sort_keys == first.table.sort_keys
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog))


async def test_what_is_wrong_with_a_pivot_table_is_said_in_its_box(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, PivotDialog))
        app.screen.query_one("#pivot-aggregate", Input).value = "median"
        await pilot.press("enter")
        await until(pilot, lambda: "median of what?" in str(app.screen.query_one(".error").render()))


@pytest.fixture
def quick_group(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The locator of a group that ends while it is looked at some times."""
    ticks = itertools.count()
    with DemoServer(DemoOptions(tasks=40), elapsed=lambda: next(ticks) / 20) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(TaskList, "poll_seconds", 0.001)
        yield locators(server.options, server.root_url)["taskcluster.running-group"]


async def test_a_watched_list_is_told_of_from_any_pane(quick_group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(quick_group) as (app, pilot):
        bar = app.query_one(TopBar)
        told: dict[str, str] = {}  # by title
        monkeypatch.setattr(app, "notify", lambda message, *, title="", **_: told.setdefault(title, message))
        await pilot.press("W", "f2")
        await until(pilot, lambda: "watched" in bar.render().plain)
        await until(pilot, lambda: any(title.startswith("Ended: try ") for title in told))
        failed = next(message for title, message in told.items() if title.startswith("Failed: try "))
        assert "failed" in failed.splitlines()[0] and len(failed.splitlines()) > 1, "a task is named"
        assert "red, 1 watched" in bar.render().plain
        await pilot.press("f1", "W")
        await until(pilot, lambda: "watched" not in bar.render().plain)


async def test_a_list_in_which_nothing_runs_is_not_watched(demo: dict[str, str]) -> None:
    async with running(demo["perf.alerts"]) as (app, _):
        assert shown_view(app).check_action("watch", ()) is False
