"""What a download does beyond fetching: archives are unpacked, the original tool's tree is made, in the app too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.driving import loaded, running, screen_text, until, view
from tui.widgets.dialogs import MenuDialog
from tui.widgets.download_dialog import DownloadDialog, DownloadOptionsDialog
from tui.widgets.inputs import TickBox


@pytest.fixture(autouse=True)
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path / "out"))
    return tmp_path / "out"


async def test_archives_are_unpacked_beside_themselves_when_that_was_ticked(demo: dict[str, str], output: Path) -> None:
    async with running(demo["taskcluster.task"]) as (app, pilot):
        await pilot.press("a", "d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        app.screen.query_one("#download-globs", Input).value = "*.zip *.tgz *.tar.* *.json"
        app.screen.query_one("#download-unpack", TickBox).value = True
        await pilot.press("f2")
        await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
        await until(pilot, lambda: app.transfers.job.finished is not None and app.transfers.job.announced)
        assert "unpacked" in app.transfers.job.finished.words
        assert [path for path in output.rglob("*.unpacked") if any(path.iterdir())]
        await pilot.press("f6")
        await until(pilot, lambda: "1 archive unpacked" in screen_text(app))


async def test_the_original_tools_tree_is_made_from_the_menu_of_a_group(demo: dict[str, str], output: Path) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, MenuDialog))
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, DownloadOptionsDialog))
        app.screen.query_one("#way-artifacts", Input).value = ""
        await pilot.press("f2")
        assert "No artifact is chosen" in screen_text(app)
        app.screen.query_one("#way-artifacts", Input).value = "perfherder-data"
        app.screen.query_one("#way-platform", Input).value = "linux"
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        await until(pilot, lambda: getattr(app.focused, "id", "") == "go")
        await pilot.press("enter")  # which must not tick "Replace files there"
        await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
        await until(pilot, lambda: app.transfers.job.finished is not None and app.transfers.job.announced)
        run = next(output.glob("*/1"))
        places = json.loads((run / "taskid_to_file_map.json").read_text())
        assert places
        assert all(Path(place).is_dir() for place in places.values() if isinstance(place, str))
        assert "data directories" in app.transfers.job.finished.words


async def test_escape_in_the_transfers_goes_back_to_the_list_that_was_shown(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("f6", "escape")
        await until(pilot, lambda: view(app) is not None and loaded(app))
