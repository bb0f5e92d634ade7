"""What a list may offer beside its rows works in the shell: trees, menus, comparisons, charts, news."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from backends.cancel import CancelToken
from backends.resources import Document
from backends.session import Session
from tests.driving import loaded, screen_text, shown_view, status, until, view
from tests.panes import made_up
from tests.panes.made_up import Place, Things
from tui.app import Explorer
from tui.widgets.charts import ChartPanel
from tui.widgets.dialogs import ConfirmDialog, MenuDialog, QuestionDialog
from tui.widgets.reader_pane import PromptLine
from tui.widgets.tree import TreePane, TreeView


@asynccontextmanager
async def things(
    monkeypatch: pytest.MonkeyPatch, *, settled: bool = True
) -> AsyncIterator[tuple[Explorer, Pilot[None]]]:
    from backends import config

    made_up.install(monkeypatch)
    session = Session(config.load())
    app = Explorer(session)
    try:
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            app.open_locator(Place())
            await until(pilot, lambda: view(app) is not None and view(app).table is not None)
            if settled:
                await until(pilot, lambda: loaded(app))
            yield app, pilot
            app.leave()
    finally:
        session.close()


async def test_a_row_changed_by_the_server_changes_in_place_and_keeps_marks_and_cursor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with things(monkeypatch, settled=False) as (app, pilot):
        await pilot.press("j", "j", "space")
        await until(pilot, lambda: "failed" in shown_view(app).table.frame["state"])
        table = shown_view(app).table
        assert (table.total_count, table.marked_keys, table.cursor) == (30, {"thing 02"}, 3)
        await until(pilot, lambda: "no more changes" in status(app))
        assert Things.asked == 3  # the failure in between ended nothing


async def test_rows_on_the_screen_are_told_to_a_list_that_is_still_being_completed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with things(monkeypatch, settled=False) as (app, pilot):
        Things.hold = threading.Event()
        shown_view(app).load()
        await until(pilot, lambda: Things.preferred)
        assert Things.preferred[-1][0] == "thing 00"
        Things.hold.set()


async def test_the_menu_opens_asks_and_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("x")
        assert isinstance(app.screen, MenuDialog)
        await pilot.press("o")
        await until(pilot, lambda: shown_view(app).locator == Place("other"))
        await pilot.press("escape", "x", "s")
        assert isinstance(app.screen, QuestionDialog)
        await pilot.press("enter")
        assert "nothing to search" in screen_text(app)
        app.screen.query_one(Input).value = "word"
        await pilot.press("enter")
        await until(pilot, lambda: shown_view(app).locator == Place("search-word-30"))
        await pilot.press("escape", "x", "D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert not Things.done
        await pilot.press("y")
        await until(pilot, lambda: Things.done)
        await until(pilot, lambda: "It is done." in screen_text(app))


async def test_the_palette_has_the_entries_of_the_menu_with_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("space", "ctrl+p", *"search in")
        await until(pilot, lambda: "Search in these" in screen_text(app))
        [line] = [line for line in screen_text(app).splitlines() if "Search in these" in line]
        assert "1 marked" in line and "x s" in line
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))


async def test_the_menu_has_what_keys_open_from_the_marked_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("space", "space", "x")
        await until(pilot, lambda: "Compare the marked" in screen_text(app))
        await pilot.press("=")
        await until(pilot, lambda: shown_view(app).locator == Place("thing 00+thing 01"))


async def test_one_key_shows_only_what_failed_and_again_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await until(pilot, lambda: "failed" in shown_view(app).table.frame["state"])
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: shown_view(app).table.row_count < 30)
        assert set(shown_view(app).table.shown_rows["state"]) == {"failed"}
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: shown_view(app).table.row_count == 30)


async def test_comparing_says_how_many_rows_it_needs_and_opens_what_two_give(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("=")
        await until(pilot, lambda: "Two marked things" in screen_text(app))
        await pilot.press("space", "space", "=")
        await until(pilot, lambda: shown_view(app).locator == Place("thing 00+thing 01"))


async def test_the_chart_follows_the_filter_and_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    async with things(monkeypatch) as (app, pilot):
        await until(pilot, lambda: "◉" in screen_text(app))
        assert "● series 0" in screen_text(app)
        await pilot.press("slash", *"series:1", "enter")
        await until(pilot, lambda: "series 0" not in screen_text(app).split("Name")[0])
        await pilot.press("right_curly_bracket")
        await until(pilot, lambda: "outside" in screen_text(app))
        await pilot.press("c")
        assert not app.query_one(ChartPanel).display


async def test_esc_leaves_a_document_that_still_loads_and_nothing_says_that_it_is_a_key_of_lists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    comes = threading.Event()

    def read(cancel: CancelToken) -> object:
        while not comes.wait(0.01):
            cancel.check()
        return made_up.DOCUMENT

    monkeypatch.setattr(Things, "document", lambda self, row: Document("a slow document", self.locator, read))
    async with things(monkeypatch) as (app, pilot):
        offers = screen_text(app).splitlines()[-1]
        await pilot.press("t")
        await until(pilot, lambda: "Loading…" in screen_text(app))
        await until(pilot, lambda: screen_text(app).splitlines()[-1] != offers)
        assert "esc Back" in screen_text(app).splitlines()[-1]
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), TreePane))
        assert [one.message for one in app._notifications] == []
        comes.set()
        await pilot.press("t")
        await until(pilot, lambda: isinstance(view(app), TreePane) and app.query(TreeView))
        await until(pilot, lambda: app.query_one(TreeView).has_focus)
        assert screen_text(app).count("esc Back") == 1
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), TreePane))


async def test_a_document_is_shown_in_parts_searched_copied_and_saved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with things(monkeypatch) as (app, pilot):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(view(app), TreePane) and app.query(TreeView))
        tree = app.query_one(TreeView)
        await until(pilot, lambda: tree.has_focus and tree.path)
        assert "MOZ_LOG" in screen_text(app)
        tree.show_path(("routes", 0))  # in a branch that is longer than what is shown at once
        await until(pilot, lambda: tree.path == ("routes", 0))
        assert "700 more" in tree.cursor_node.parent.children[-1].label.plain
        await pilot.press("G", "k", "enter")
        await until(pilot, lambda: tree.path == ("routes", 500))
        assert "\x1b" not in screen_text(app)
        await pilot.press("slash", *"route.1100", "enter")
        await until(pilot, lambda: tree.path == ("routes", 1100))
        assert "1 of 1 found" in screen_text(app)
        assert ".routes[1100]" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard == "index.route.1100")
        await pilot.press("s")
        await until(pilot, lambda: app.query_one(PromptLine).has_class("-shown"))
        app.query_one(PromptLine).query_one(Input).value = "out.json"
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "out.json").exists())
        assert json.loads((tmp_path / "out.json").read_text()) == made_up.DOCUMENT
        await until(pilot, lambda: tree.has_focus)
        await pilot.press("escape", "escape")  # out of the search, then out of the document
        await until(pilot, lambda: not isinstance(view(app), TreePane))
        await pilot.press("j", "t")  # a row that has none
        await until(pilot, lambda: "nothing to show as a tree" in screen_text(app))

        evil = "\x1b]0;renamed\x07[bold]evil"  # an action's sentences contain names from servers
        app.notify(f"{evil} is pinned.")
        view(app).show_progress(f"Reading {evil}")
        await until(pilot, lambda: "is pinned" in screen_text(app) and "Reading" in status(app))
        shown = screen_text(app)
        assert "\x1b" not in shown and "\x07" not in shown
        assert "␛]0;renamed␇[bold]evil is pinned." in " ".join(shown.split())
        assert "Reading ␛]0;renamed␇[bold]evil" in status(app)
