"""Views in the app: remembered by kind, saved under names, opened where the app was left, dialogs that fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from backends import config
from backends.session import Session
from tests.driving import filter_rows, loaded, running, screen_text, showing, shown_view, status, until, view
from tests.panes import made_up
from tests.panes.made_up import Place
from tui.app import Explorer
from tui.history import LastPath
from tui.keymap import available_keys
from tui.preferences import Preferences
from tui.widgets.column_chooser import ColumnChooser
from tui.widgets.copy_dialog import CopyDialog
from tui.widgets.dialogs import MenuDialog
from tui.widgets.filter_line import FilterInput
from tui.widgets.key_bar import KeyBar
from tui.widgets.log_pane import LogPane
from tui.widgets.views_dialog import ViewsDialog

START = Place()
SIZES = [(60, 15), (80, 24), (200, 60)]


@asynccontextmanager
async def things(
    monkeypatch: pytest.MonkeyPatch, place: Place = START, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Explorer, Pilot[None]]]:
    made_up.install(monkeypatch)
    session = Session(config.load())
    app = Explorer(session)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            app.open_locator(place)
            await until(pilot, lambda: view(app) is not None and view(app).table is not None and loaded(app))
            yield app, pilot
            app.leave()
    finally:
        session.close()


def columns(app: Explorer) -> list[str]:
    return [column.name for column in shown_view(app).table.visible_columns]


async def test_sort_and_columns_are_remembered_for_the_kind_and_the_filter_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with things(monkeypatch) as (app, pilot):
        await filter_rows(app, pilot, "name:1")
        await pilot.press("right", "minus", "greater_than_sign", "S", "right", "S", "S")
        await until(pilot, lambda: len(shown_view(app).table.sort_keys) == 2)
        before = columns(app), shown_view(app).table.sort_keys, shown_view(app).table.arrangement
    async with things(monkeypatch, Place("other")) as (app, _):
        assert (columns(app), shown_view(app).table.sort_keys, shown_view(app).table.arrangement) == before
        assert shown_view(app).table.row_count == 30
        assert not shown_view(app).table.can_undo


async def test_a_view_is_saved_chosen_from_palette_and_dialog_undone_and_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with things(monkeypatch) as (app, pilot):
        await filter_rows(app, pilot, "name:1")
        await pilot.press("right", "S", "V")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))
        await pilot.press(*"ones", "enter")
        await until(pilot, lambda: "saved as “ones”" in status(app))
        await pilot.press("V", "down", "enter")  # the list's own
        table = shown_view(app).table
        await until(pilot, lambda: table.row_count == 30 and not table.sort_keys)
        assert shown_view(app).query_one(FilterInput).value == ""
        await pilot.press("ctrl+p", *"view: ones", "enter")
        await until(pilot, lambda: table.row_count == 12 and table.sort_keys == (("state", False),))
        assert "name:1" in screen_text(app)
        await pilot.press("U")
        await until(pilot, lambda: table.row_count == 30 and not table.sort_keys)
        assert shown_view(app).query_one(FilterInput).value == ""
        await pilot.press("V", "ctrl+d")
        assert not Preferences(app.session.settings.state_path).views("taskcluster.things")
        await pilot.press("escape")


async def test_the_demo_says_that_what_is_saved_or_pinned_in_it_ends_with_it(demo: dict[str, str]) -> None:
    session = Session(config.load(), demo=True)
    async with showing(session, demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("V", *"ones", "enter")
        await until(pilot, lambda: "saved as “ones”, until the demo ends" in status(app))
        await pilot.press("P")
        await until(pilot, lambda: any("until the demo ends" in one.message for one in app._notifications))


async def test_a_view_that_cannot_be_saved_is_not_called_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        app.preferences._path = app.preferences._path.parent / "a file" / "nowhere"
        app.preferences._path.parent.write_text("")
        await pilot.press("V", *"lost", "enter")
        await until(pilot, lambda: "The view is not saved" in screen_text(app))
        assert "saved as" not in status(app)


async def test_escape_clears_the_filter_of_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await filter_rows(app, pilot, "name:1")
        await pilot.press("V", *"ones", "enter", "escape")
        await until(pilot, lambda: shown_view(app).table.row_count == 30)
        await pilot.press("V", "enter")
        await until(pilot, lambda: shown_view(app).table.row_count == 12)
        await pilot.press("escape")
        await until(pilot, lambda: shown_view(app).table.row_count == 30)
        assert view(app) is not None


async def test_the_chooser_narrows_hides_moves_freezes_and_resets(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("vertical_line")
        await until(pilot, lambda: isinstance(app.screen, ColumnChooser))
        await pilot.press(*"sz", "enter", "space")  # only "Size" has these letters
        await until(pilot, lambda: columns(app) == ["name", "state", "when", "series"])
        await pilot.press("escape", "j", "K")
        await until(pilot, lambda: columns(app) == ["state", "name", "when", "series"])
        await pilot.press("down", "down", "f")
        await until(pilot, lambda: columns(app) == ["when", "state", "name", "series"])
        for _ in range(6):
            await pilot.press("down", "space")
        assert columns(app)
        before = columns(app)
        await pilot.press(*"run", "escape")
        assert columns(app) == before, "letters look for columns and change none"
        await pilot.press("R", "escape")
        await until(pilot, lambda: columns(app) == ["name", "state", "when", "size", "series"])
        await until(pilot, lambda: "own columns again" in screen_text(app))
        await pilot.press("U")
        await until(pilot, lambda: columns(app) != ["name", "state", "when", "size", "series"])


@pytest.mark.parametrize("size", SIZES)
async def test_every_new_dialog_fits(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    async with things(monkeypatch, size=size) as (app, pilot):
        await pilot.press("a")
        for key, kind in (("vertical_line", ColumnChooser), ("V", ViewsDialog), ("Y", CopyDialog)):
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(app.screen, kind))
            await pilot.press("end" if kind is ColumnChooser else "pagedown")
            await pilot.pause()
            region = app.screen.query_one(".box").region
            assert app.screen.region.contains_region(region), (kind, region)
            choices = app.screen.query_one(OptionList)
            assert app.screen.region.contains_region(choices.region) and choices.highlighted is not None
            bottom = screen_text(app).splitlines()[region.bottom - 1]
            assert "…" not in bottom, bottom
            await pilot.press("escape")


async def test_copying_marked_rows_as_markdown_and_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("space", "space", "Y")
        await until(pilot, lambda: isinstance(app.screen, CopyDialog))
        await pilot.press(*"marked", "space", *"markd", "enter")
        await until(pilot, lambda: app.clipboard.startswith("| Name |"))
        assert len(app.clipboard.splitlines()) == 4
        await pilot.press("Y", "enter")
        await until(pilot, lambda: app.clipboard == "thing 02")


async def test_marked_rows_are_copied_in_the_order_of_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        table = shown_view(app).table
        first = table.shown_rows["name"].to_list()
        await pilot.press("s", "s")
        await until(pilot, lambda: table.shown_rows["name"].to_list() == sorted(first, reverse=True))
        await pilot.press("g", "space", "space", "Y")
        await until(pilot, lambda: isinstance(app.screen, CopyDialog))
        await pilot.press(*"marked", "space", *"markd", "enter")
        await until(pilot, lambda: app.clipboard.startswith("| Name |"))
        names = [line.split("|")[1].strip() for line in app.clipboard.splitlines()[2:]]
        assert names == sorted(first, reverse=True)[:2]


async def test_what_a_row_cannot_give_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):

        def offered() -> set[str]:
            return {key.id for key, _ in available_keys(app.focused, app)}

        first = offered()
        assert "document" in first and "undo" not in first and "unmark" not in first and "stop" not in first
        await pilot.press("j")
        await until(pilot, lambda: "document" not in offered())
        await pilot.press("space")
        assert {"undo", "unmark"} <= offered()
        await filter_rows(app, pilot, "nothing-has-this")
        await until(pilot, lambda: not {"open", "mark", "mark-all", "download"} & offered())
        assert "Open" not in str(app.query_one(KeyBar).render()).split("/")[0]


@pytest.mark.parametrize("width", [30, 60, 80, 200])
async def test_help_is_in_sight_at_any_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    async with things(monkeypatch, size=(width, 15)) as (app, _):
        assert screen_text(app).splitlines()[-1].rstrip().endswith("? Help")


async def test_a_right_click_opens_the_actions_of_that_row(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.click(shown_view(app).table, (20, 4), button=3)
        await until(pilot, lambda: isinstance(app.screen, MenuDialog))
        assert shown_view(app).table.cursor == 3


async def test_a_state_that_is_half_typed_is_shown_and_completed(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        table = shown_view(app).table
        failed = table.frame["state"].eq("failed").sum()
        await pilot.press("slash", *"state:fail")
        await until(pilot, lambda: table.row_count == failed)
        await pilot.press("enter")
        await until(pilot, lambda: shown_view(app).query_one(FilterInput).value == "state:failed")
        assert table.row_count == failed


# ---- opening where it was left -------------------------------------------------------------------------------


@asynccontextmanager
async def reopened(size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[Explorer, Pilot[None]]]:
    session = Session(config.load())
    app = Explorer(session, reopen=True)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            yield app, pilot
            app.leave()
    finally:
        session.close()


async def test_the_app_opens_where_it_was_left_with_the_lists_below(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await filter_rows(app, pilot, "state:failed")
        await pilot.press("S", "j", "j")
        group = shown_view(app)
        row, sort = group.table.cursor_key, group.table.sort_keys
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not group and loaded(app))
        await pilot.press("j")
        task, file = shown_view(app).locator, shown_view(app).table.cursor_key
    async with reopened() as (app, pilot):
        await until(pilot, lambda: view(app) is not None and loaded(app) and shown_view(app).table is not None)
        assert shown_view(app).locator == task
        await until(pilot, lambda: shown_view(app).table.cursor_key == file)
        assert app.current_list.views[0].resource is None  # it is loaded when it is seen
        await pilot.press("escape")
        await until(pilot, lambda: shown_view(app).locator == group.locator and loaded(app))
        await until(pilot, lambda: shown_view(app).table is not None and shown_view(app).table.cursor_key == row)
        assert shown_view(app).query_one(FilterInput).value == "state:failed"
        assert (shown_view(app).table.sort_keys, shown_view(app).table.filter_text) == (sort, "state:failed")
        await pilot.press("escape")
        await until(pilot, lambda: shown_view(app).table.filter_text == "")


async def test_the_log_that_was_open_is_opened_again(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await filter_rows(app, pilot, "state:failed")
        await pilot.press("j", "l")
        await until(pilot, lambda: isinstance(view(app), LogPane))
    async with reopened() as (app, pilot):
        await until(pilot, lambda: isinstance(view(app), LogPane))
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is not None and loaded(app))


async def test_a_locator_wins_and_without_reopen_the_start_screen_is_shown(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        pass
    async with running(None) as (app, pilot):
        await pilot.pause()
        assert view(app) is None
    assert LastPath(config.load().state_path).read().lists, "an app that opened nothing has forgotten the path"
    async with running(demo["taskcluster.task"]) as (app, pilot):
        assert shown_view(app).locator != app.session.parse(demo["taskcluster.finished-group"])


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"pane": "taskcluster", "lists": [{"locator": "x:y", "row": "", "reader": ""}]}',
                '{"pane": "nowhere", "lists": [{"locator": "taskcluster:task/x", "row": "", "reader": ""}]}']
)  # fmt: skip
async def test_a_path_that_makes_no_sense_gives_the_start_screen(own_directories: Path, content: str) -> None:
    (own_directories / "state").mkdir()
    (own_directories / "state" / "last_path.json").write_text(content)
    async with reopened() as (app, pilot):
        await pilot.pause()
        await app.workers.wait_for_complete()
        assert view(app) is None and app.query(Input)
