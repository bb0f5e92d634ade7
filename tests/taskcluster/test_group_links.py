"""A group's address with a search or a task in it: in the app and on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.calling import Caller
from tests.driving import loaded, running, shown_view, status, until
from tui.widgets.filter_line import FilterInput


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes]) -> Caller:
    return Caller(capsysbinary)


def test_the_search_of_a_groups_page_filters_what_a_command_lists(ciexplore: Caller, demo: dict[str, str]) -> None:
    whole = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"]).rows
    some = ciexplore("taskcluster", "tasks", f"{demo['taskcluster.finished-group']}#mochitest")
    assert 0 < len(some.rows) < len(whole)
    assert [row for row in whole if "mochitest" in row["name"]] == some.rows
    assert "as the URL says" in some.err
    less = ciexplore("taskcluster", "tasks", f"{demo['taskcluster.finished-group']}#mochitest", "--filter", "chunk:1")
    assert 0 < len(less.rows) < len(some.rows)


async def test_the_search_of_a_groups_page_is_the_filter_in_the_app(demo: dict[str, str]) -> None:
    async with running(f"{demo['taskcluster.finished-group']}#mochitest") as (app, pilot):
        await until(pilot, lambda: loaded(app))
        table = shown_view(app).table
        assert app.query_one(FilterInput).value == "name:mochitest" and "150" in status(app)
        assert 0 < table.row_count < table.total_count == 150
        await pilot.press("slash", "escape")
        await until(pilot, lambda: table.row_count == 150)


async def test_a_selected_job_opens_its_push_with_the_cursor_on_it(demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"].rpartition("/")[2]
    async with running(demo["taskcluster.finished-group"]) as (app, _):
        task: Any = shown_view(app).table.shown_rows["task_id"][77]
    root = demo["taskcluster.finished-group"].partition("/tasks/")[0]
    async with running(f"taskcluster:group/{group}/{task}?root={root}") as (app, pilot):
        await until(pilot, lambda: loaded(app))
        assert shown_view(app).cursor_row["task_id"] == task
        assert shown_view(app).table.total_count == 150
