"""From a list of artifacts or files to an image, and back."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest
from textual.widgets import Input

from backends import config
from backends.cancel import CancelToken
from backends.resources import ImageFile, read_list
from backends.session import Session
from tests.driving import filter_rows, loaded, running, screen_text, shown_view, until, view
from tui.widgets.download_dialog import DownloadDialog
from tui.widgets.image_pane import ImagePane


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIEXPLORE_IMAGES", "blocks")
    monkeypatch.setenv("COLORTERM", "truecolor")


async def test_enter_shows_the_screenshot_of_a_failed_test_and_escape_comes_back(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.failed-task"]) as (app, pilot):
        artifacts = view(app)
        await filter_rows(app, pilot, "fail-screenshot")
        await pilot.press("enter")
        await until(pilot, lambda: "half blocks" in screen_text(app) and "▀▀▀" in screen_text(app))
        screen = screen_text(app)
        assert "mozilla-test-fail-screenshot_" in screen and "PNG image · 1,024 × 640 pixels" in screen
        await pilot.press("q")
        await until(pilot, lambda: view(app) is artifacts)
        assert shown_view(app).table.has_focus
        await pilot.press("alt+right")  # forward to it again
        await until(pilot, lambda: "▀▀▀" in screen_text(app))


async def test_d_downloads_it_and_o_opens_its_page(demo: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(demo["taskcluster.failed-task"]) as (app, pilot):
        urls: list[str] = []
        monkeypatch.setattr(app, "open_url", urls.append)
        await filter_rows(app, pilot, "fail-screenshot")
        page = shown_view(app).resource.web_url(shown_view(app).cursor_row)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), ImagePane))
        await pilot.press("o")
        await until(pilot, lambda: urls == [page])
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and "1 file" in screen_text(app))


async def test_the_locator_of_an_image_opens_it_over_its_run(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.failed-task"]) as (app, pilot):
        await filter_rows(app, pilot, "fail-screenshot")
        locator = shown_view(app).resource.open(shown_view(app).cursor_row)
    async with running(None) as (app, pilot):
        await pilot.press("ctrl+o")
        app.screen.query_one(Input).value = locator.text()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), ImagePane) and "▀▀▀" in screen_text(app))
        ((file,),) = view(app).target.files(CancelToken())
        assert file.name.endswith(".png") and file.key.endswith(file.name)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), ImagePane) and loaded(app))
        assert shown_view(app).resource.noun[0] == "artifact"


async def test_an_image_that_was_open_is_open_again_at_the_next_start(demo: dict[str, str]) -> None:
    from tui.app import Explorer

    async with running(demo["taskcluster.failed-task"]) as (app, pilot):
        await filter_rows(app, pilot, "fail-screenshot")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), ImagePane))
    session = Session(config.load())
    app = Explorer(session, None, reopen=True)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(view(app), ImagePane) and "▀▀▀" in screen_text(app))
        app.leave()
    session.close()


async def test_a_picture_of_a_prow_build_is_shown(demo: dict[str, str]) -> None:
    async with running(demo["prow.build-failed"]) as (app, pilot):
        await pilot.press("x", "a")
        await until(pilot, lambda: loaded(app) and "all files" in shown_view(app).title)
        await filter_rows(app, pilot, "name:.png")
        await pilot.press("enter")
        await until(pilot, lambda: "▀▀▀" in screen_text(app) and "PNG image" in screen_text(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and "1 file" in screen_text(app))


def test_what_d_fetches_is_the_file_that_the_list_would_fetch(demo: dict[str, str]) -> None:
    with_images = 0
    for name in ("taskcluster.failed-task", "prow.build-failed"):
        session = Session(config.load())
        locator = session.parse(demo[name])
        if name.startswith("prow"):
            from backends.prow.locators import FileTreeView, ProwPath

            assert isinstance(locator, ProwPath)
            locator = FileTreeView(locator.bucket, locator.path, store=locator.store)
        resource = session.resource(locator)
        frame = read_list(resource, CancelToken()).frame.filter(pl.col("name").str.ends_with(".png"))
        for row in frame.iter_rows(named=True):
            image = resource.shows(row)
            assert isinstance(image, ImageFile) and image.files is not None
            (file,), (own,) = (
                [one for batch in batches for one in batch]
                for batches in (
                    resource.files(frame.filter(pl.col("name") == row["name"]), CancelToken()),
                    image.files(CancelToken()),
                )
            )
            assert file == own
            content = image.read(CancelToken())
            assert content.startswith(b"\x89PNG") and image.size in (None, len(content))
            assert image.web_url == resource.web_url(row)
            with_images += 1
        session.close()
    assert with_images == 2


@pytest.mark.parametrize("module", ["tui.app, tui.widgets.list_view", "tui.cli, tui.commands.taskcluster", "ciexplore"])
def test_pillow_is_not_imported_before_an_image_is_decoded(module: str) -> None:
    code = (
        f"import {module}, sys; print(sorted({{name.partition('.')[0] for name in sys.modules}} & {{'PIL', 'numpy'}}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
