"""The way through lists: Esc peels, Back and Forward keep what was set, `q` closes one thing."""

from __future__ import annotations

import pytest

from tests.driving import filter_rows, loaded, running, shown_view, until, view
from tui.widgets import list_pane
from tui.widgets.dialogs import HelpDialog
from tui.widgets.filter_line import FilterInput
from tui.widgets.list_pane import MAX_AHEAD, ListPane
from tui.widgets.list_view import ResourceView
from tui.widgets.tree import TreePane


async def test_escape_clears_the_filter_then_the_marks_then_goes_back(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await filter_rows(app, pilot, "state:failed")
        await pilot.press("a")
        await until(pilot, lambda: first.table.marked_count > 0)
        marked, total = first.table.marked_count, first.table.total_count
        await pilot.press("escape")
        await until(pilot, lambda: first.table.row_count == total)
        assert first.query_one(FilterInput).value == ""
        assert first.table.marked_count == marked and view(app) is first
        await pilot.press("escape")
        await until(pilot, lambda: first.table.marked_count == 0)
        assert view(app) is first
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is None)


async def test_back_and_forward_keep_filter_marks_sort_columns_and_cursor(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await filter_rows(app, pilot, "state:failed")
        await pilot.press("2", "right", "minus", "j", "space", "j")
        table = first.table
        before = (table.marked_keys, table.cursor_key, table.row_count, [c.name for c in table.visible_columns])
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not first and loaded(app))
        second = shown_view(app)
        await pilot.press("space")
        await pilot.press("alt+left")
        await until(pilot, lambda: view(app) is first)
        assert (table.marked_keys, table.cursor_key, table.row_count, [c.name for c in table.visible_columns]) == before
        await pilot.press("alt+left")
        await until(pilot, lambda: view(app) is None)
        await pilot.press("alt+right", "alt+right", "alt+right")
        await until(pilot, lambda: view(app) is second)
        assert second.table.marked_count == 1
        await pilot.press("alt+left")
        await until(pilot, lambda: view(app) is first)
        assert (table.marked_keys, table.cursor_key, table.row_count, [c.name for c in table.visible_columns]) == before
        assert first.query_one(FilterInput).value == "state:failed"


async def test_what_is_opened_by_ctrl_o_lies_on_the_same_path(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await pilot.press("space", "ctrl+o", *demo["taskcluster.task"], "enter")
        await until(pilot, lambda: view(app) not in (None, first) and loaded(app))
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is first)
        assert first.table.marked_count == 1


async def test_something_new_ends_the_way_forward_and_views_kept_for_it_are_few(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        pane = app.query_one("#taskcluster", ListPane)
        for _ in range(MAX_AHEAD + 3):
            await pilot.press("enter")
            await until(pilot, lambda: pane.depth == 2 and loaded(app))
            await pilot.press("escape")
            await until(pilot, lambda: pane.depth == 1)
        assert len(pane.children) <= 3 + 2  # path, states, start screen, the group, the one to go forward to


async def test_q_closes_help_tree_and_list_and_quits_only_from_the_first_list(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not first and loaded(app))
        second = shown_view(app)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await pilot.press("q")
        await until(pilot, lambda: not isinstance(app.screen, HelpDialog))
        if second.resource.document(second.cursor_row) is None:
            await pilot.press("escape")
            await until(pilot, lambda: view(app) is first)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.query_one("#taskcluster", ListPane).top, TreePane))
        await pilot.press("q")
        await until(pilot, lambda: not isinstance(app.query_one("#taskcluster", ListPane).top, TreePane))
        while view(app) is not first:
            await pilot.press("q")
            await pilot.pause()
        assert app.is_running
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)


async def test_lists_far_below_are_loaded_again_as_they_were_left(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_pane, "MAX_LISTS", 5)
    group = demo["taskcluster.finished-group"]
    async with running(group) as (app, pilot):
        await filter_rows(app, pilot, "state:failed")
        await pilot.press("down", "down")
        key = shown_view(app).table.cursor_key
        pane = app.query_one("#taskcluster", ListPane)
        for depth in range(2, 9):
            app.open_locator(app.session.parse(group))
            await until(pilot, lambda depth=depth: pane.depth == depth and loaded(app))  # type: ignore[misc]
            if depth == 2:
                await pilot.press("space")
        lists = list(pane.query(ResourceView))
        assert len(lists) == 6, "the one with a marked row stays"
        await pane.go_back(6)
        await until(pilot, lambda: pane.depth == 2 and shown_view(app).table.marked_count == 1)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: pane.depth == 1 and loaded(app))
        await until(pilot, lambda: shown_view(app).table.cursor_key == key)
        assert shown_view(app).query_one(FilterInput).value == "state:failed"
        table = shown_view(app).table
        assert set(table.shown_rows["state"]) == {"failed"} and table.marked_count == 0
        await pilot.press("escape", "escape")
        await until(pilot, lambda: view(app) is None)
