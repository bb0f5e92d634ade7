"""A capsule in the app: the same rows, statistics, log lines and matches as from the servers, and saving one there."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from backends.capsules.reader import open_capsule
from backends.queries.locators import PivotTable, Source
from backends.session import open_capsule_session
from tests.capsules.conftest import TASKS, SavedDemo
from tests.driving import filter_rows, loaded, running, screen_text, showing, shown_view, until, view
from tui.widgets.capsule_dialog import CapsuleDialog
from tui.widgets.image_pane import ImagePane
from tui.widgets.log_pane import LogPane
from tui.widgets.palette import PaletteDialog


async def test_rows_filter_statistics_and_log_search(no_network: None, saved_demo: SavedDemo) -> None:
    async with showing(open_capsule_session(saved_demo.group), saved_demo.names["taskcluster.finished-group"]) as (
        app,
        pilot,
    ):
        assert shown_view(app).table.total_count == TASKS
        assert "capsule" in screen_text(app).splitlines()[0]
        await pilot.press("h")
        await until(pilot, lambda: "completed" in screen_text(app))
        await filter_rows(app, pilot, "state:failed")
        failed = shown_view(app).table.row_count
        assert 0 < failed < TASKS
        await pilot.press("l")
        await until(pilot, lambda: isinstance(view(app), LogPane))
        pane = view(app)
        assert isinstance(pane, LogPane)
        await until(pilot, lambda: pane._reading is not None and pane._reading.spool.complete)
        assert pane._reading is not None
        assert pane._reading.spool.problem is None
        assert pane._reading.spool.line_count > 10
        await pilot.press("slash", *"error", "enter")
        await until(pilot, lambda: pane._reading is not None and pane._reading._search is not None)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(view(app), LogPane))


async def test_enter_leads_to_the_artifacts_of_a_task_and_what_is_missing_is_said(
    no_network: None, saved_demo: SavedDemo
) -> None:
    async with showing(open_capsule_session(saved_demo.group), saved_demo.names["taskcluster.finished-group"]) as (
        app,
        pilot,
    ):
        await filter_rows(app, pilot, "state:completed")
        await pilot.press("enter")
        await until(pilot, lambda: loaded(app) and shown_view(app).resource.noun[0] == "artifact")
        assert shown_view(app).table.total_count > 0
        app.open_locator(app.session.parse(saved_demo.names["taskcluster.running-group"]))
        await until(pilot, lambda: "not in this capsule" in screen_text(app))
        await pilot.press("O")
        await until(pilot, lambda: "no server is asked" in screen_text(app))
        assert app.session.mode == "capsule"


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_start_screen_offers_the_lists_of_the_capsule(
    no_network: None, saved_demo: SavedDemo, size: tuple[int, int]
) -> None:
    async with showing(open_capsule_session(saved_demo.others), None, size) as (app, pilot):
        await until(pilot, lambda: "To begin with" in screen_text(app))
        assert "OpenShift: jobs" not in screen_text(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))
        assert shown_view(app).table.total_count > 0


async def test_what_was_looked_at_is_saved(demo: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "seen.capsule"
    async with running(demo["taskcluster.task"], size=(80, 24)) as (app, pilot):
        await filter_rows(app, pilot, "live_backing")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), LogPane))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), LogPane))
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, PaletteDialog)
        await pilot.press(*"Save what I", "enter")
        await until(pilot, lambda: isinstance(app.screen, CapsuleDialog))
        assert "1 list and 1 log" in screen_text(app)
        app.screen.query_one("#capsule-path", Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        await until(pilot, lambda: "Saved" in screen_text(app))
        assert [path.name for path in tmp_path.iterdir()] == ["seen.capsule"]
    with open_capsule(target) as capsule:
        assert capsule.verify() == []
        assert [one.locator for one in capsule.manifest.lists] == [app.session.opened.popitem()[0]]
        assert [one.url for one in capsule.manifest.entries if one.kind == "log" and "live_backing" in one.url]


@pytest.mark.parametrize(("name", "keys"), [("taskcluster.failed-task", ""), ("prow.build-failed", "xa")])
async def test_an_image_and_a_query_that_were_looked_at_are_saved_and_open_from_the_capsule(
    demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, keys: str
) -> None:
    monkeypatch.setenv("CIEXPLORE_IMAGES", "blocks")
    monkeypatch.setenv("COLORTERM", "truecolor")
    target = tmp_path / "seen.capsule"
    async with running(demo[name]) as (app, pilot):
        if keys:
            await pilot.press(*keys)
            await until(pilot, lambda: loaded(app) and "all files" in shown_view(app).title)
        images = shown_view(app).resource.locator.text()
        await filter_rows(app, pilot, "name:.png")
        image = shown_view(app).cursor_row
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), ImagePane) and "▀▀▀" in screen_text(app))
        pivot = PivotTable(("name",), sources=(Source("rows", images),))
        app.open_locator(pivot)
        await until(pilot, lambda: not isinstance(view(app), ImagePane) and loaded(app))
        assert pivot.text() in app.session.opened
        app._save_capsule()
        await until(pilot, lambda: isinstance(app.screen, CapsuleDialog))
        assert f"{len(app.session.opened)} lists and 1 file" in screen_text(app)
        assert "queries are run again over their lists" in str(app.screen.query_one("#capsule-about", Static).render())
        app.screen.query_one("#capsule-path", Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        opened = list(app.session.opened)
    with open_capsule(target) as capsule:
        assert capsule.verify() == []
        assert sorted(one.locator for one in capsule.manifest.lists) == sorted(opened)
        assert [one.url for one in capsule.manifest.entries if one.kind == "artifact" and ".png" in one.url]
    async with showing(open_capsule_session(target), images) as (app, pilot):
        await filter_rows(app, pilot, "name:.png")
        assert shown_view(app).cursor_row == image
        await pilot.press("enter")
        await until(pilot, lambda: "▀▀▀" in screen_text(app) or "not in this capsule" in screen_text(app))
        assert "PNG image" in screen_text(app)


async def test_saving_over_a_file_is_refused_and_said(demo: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("mine")
    async with running(demo["taskcluster.task"], size=(80, 24)) as (app, pilot):
        app._save_capsule()
        await until(pilot, lambda: isinstance(app.screen, CapsuleDialog))
        app.screen.query_one("#capsule-path", Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: "mine exists. Tick “Replace the file if it exists”" in screen_text(app))
        assert isinstance(app.screen, CapsuleDialog)
        await pilot.press("escape")
    assert target.read_text() == "mine"


async def test_a_capsule_is_not_saved_again(no_network: None, saved_demo: SavedDemo) -> None:
    async with showing(open_capsule_session(saved_demo.group), saved_demo.names["taskcluster.finished-group"]) as (
        app,
        pilot,
    ):
        app._save_capsule()
        await until(pilot, lambda: "This is a capsule already" in screen_text(app))
