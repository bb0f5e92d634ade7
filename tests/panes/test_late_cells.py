"""Exporting a list that reads some cells later: the dialog opens at once, the file is written when all have come."""

from __future__ import annotations

import csv
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from backends import config, session
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.resources import LogAddress, Page, Resource
from backends.session import Session
from tests.driving import loaded, screen_text, shown_view, until, view
from tests.panes.made_up import Place
from tui.app import Explorer
from tui.widgets.export_dialog import ExportDialog

SCHEMA = Schema((Column("name", Kind.TEXT, "Name"), Column("size", Kind.COUNT, "Size")), key="name")
NAMES = [f"build {number:02}" for number in range(60)]


class LateBuilds(Resource):
    """Sizes come when they are asked for, and, but for the rows on the screen, not before `go`."""

    schema = SCHEMA
    noun = ("build", "builds")
    quick_columns = ("name",)
    go: ClassVar[threading.Event]
    fails: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return "late builds"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield Page(pl.DataFrame({"name": NAMES, "size": [None] * len(NAMES)}, SCHEMA.polars()), Freshness())

    def complete(self, keys: Sequence[str], cancel: CancelToken) -> Iterator[Page]:
        wants_all = self.asked is None
        while wants_all and not self.go.wait(0.01):
            cancel.check()
        if wants_all and self.fails:
            raise AppError("The server is away.", "Wait.")
        names = NAMES if wants_all else list(keys)
        yield Page(pl.DataFrame({"name": names, "size": [len(NAMES)] * len(names)}, SCHEMA.polars()), Freshness())


@asynccontextmanager
async def late_builds(
    monkeypatch: pytest.MonkeyPatch, path: Path, *, fails: bool = False
) -> AsyncIterator[tuple[Explorer, Pilot[None]]]:
    """The list, with its export confirmed into `path` and its cells still missing."""
    monkeypatch.setattr(session, "open_resource", lambda locator, *_: LateBuilds(locator))
    LateBuilds.go, LateBuilds.fails = threading.Event(), fails
    kept = Session(config.load())
    app = Explorer(kept)
    try:
        async with app.run_test(size=(120, 24), notifications=True) as pilot:
            app.open_locator(Place())
            await until(pilot, lambda: view(app) is not None and view(app).table is not None and loaded(app))
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ExportDialog))
            app.screen.query_one("#export-path", Input).value = str(path)
            await pilot.press("f2")
            await until(pilot, lambda: "reading what the rows lack" in screen_text(app))
            assert not path.exists()
            yield app, pilot
            app.leave()
    finally:
        LateBuilds.go.set()
        kept.close()


async def test_the_file_has_the_rows_of_the_confirmation_with_all_their_cells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "late.csv"
    async with late_builds(monkeypatch, path) as (app, pilot):
        await pilot.press("slash", *"build 0", "enter")  # what is typed meanwhile is a filter, and confirms nothing
        await until(pilot, lambda: shown_view(app).table.row_count == 15)
        assert len(app.screen_stack) == 1
        LateBuilds.go.set()
        await until(pilot, lambda: "60 rows in" in screen_text(app))
        assert len(app.screen_stack) == 1
    assert list(csv.reader(path.open())) == [["name", "size"], *([name, "60"] for name in NAMES)]


async def test_cells_that_cannot_be_read_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    async with late_builds(monkeypatch, path, fails=True) as (app, pilot):
        LateBuilds.go.set()
        await until(
            pilot, lambda: "Some cells could not be read: The server is away." in " ".join(screen_text(app).split())
        )
    assert len(list(csv.reader(path.open()))) == 61


@pytest.mark.parametrize("key", ["ctrl+x", "escape", "r"])
async def test_what_is_stopped_left_or_loaded_again_meanwhile_writes_nothing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    path = tmp_path / "late.csv"
    async with late_builds(monkeypatch, path) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: "Not exported" in screen_text(app))
        LateBuilds.go.set()
        await pilot.pause()
    assert not path.exists()


async def test_a_log_that_a_locator_means_does_not_open_over_what_was_opened_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()

    def open_late(locator: Place, *_: object) -> LateBuilds:
        resource = LateBuilds(locator)
        if locator.name == "late":
            go.wait(60)
            resource.first_log = LogAddress("http://127.0.0.1:9/live.log", "log of the late one", locator)
        return resource

    monkeypatch.setattr(session, "open_resource", open_late)
    LateBuilds.go, LateBuilds.fails = threading.Event(), False
    kept = Session(config.load())
    app = Explorer(kept)
    try:
        async with app.run_test(size=(120, 24)) as pilot:
            app.open_locator(Place("late"))
            await until(pilot, lambda: view(app) is not None and view(app).locator == Place("late"))
            late = view(app)
            app.open_locator(Place("other"))
            await until(pilot, lambda: view(app).locator == Place("other") and loaded(app))
            go.set()
            await until(pilot, lambda: late.resource is not None)
            await pilot.pause()
            assert view(app).locator == Place("other")
            app.leave()
    finally:
        go.set()
        LateBuilds.go.set()
        kept.close()
