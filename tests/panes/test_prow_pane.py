"""Prow in the app: from a job to its builds, a build's files, a log, and what menus open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from textual.app import App
from textual.widgets import Input, RadioButton

from tests.driving import loaded, running, screen_text, shown_view, until, view


async def test_a_job_opens_with_its_builds_enter_lists_files_and_l_reads_the_log(demo: dict[str, str]) -> None:
    async with running(demo["prow.job-openshift"]) as (app, pilot):
        assert shown_view(app).table.total_count == 150
        assert "success" in screen_text(app) and "Started" in screen_text(app)
        builds = view(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: view(app) not in (None, builds) and loaded(app))
        assert "file" in shown_view(app).resource.noun
        assert "prowjob.json" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is builds and "✖" in screen_text(app))
        await pilot.press("down", "l")
        await until(pilot, lambda: "log of periodic-" in screen_text(app) and "line " in screen_text(app))


async def test_completeness_opens_as_a_table(demo: dict[str, str]) -> None:
    from backends.prow.locators import CompletenessView
    from backends.systems import parse_locator

    place = parse_locator(demo["prow.completeness-job"])
    wanted = CompletenessView(place.bucket, place.path, count=140)  # type: ignore[attr-defined]
    async with running(wanted.text()) as (app, pilot):
        await until(pilot, lambda: "135" in screen_text(app))
        first = view(app)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) not in (None, first) and loaded(app))
        assert shown_view(app).table.total_count == 135


async def test_builds_on_the_screen_are_whole_and_the_others_when_they_are_asked_for(demo: dict[str, str]) -> None:
    def whole(app: App[Any]) -> set[str]:
        """The builds whose folder was listed."""
        frame = shown_view(app).table.frame
        return set(frame.filter(frame["entries"].is_not_null())["build"])

    async with running(demo["prow.job-openshift"]) as (app, pilot):
        await until(pilot, lambda: loaded(app))
        table = shown_view(app).table
        builds = table.shown_rows["build"].to_list()
        first, last = set(builds[: len(table.keys_in_sight())]), set(builds[-5:])
        await until(pilot, lambda: first <= whole(app))
        assert not last & whole(app) and table.frame["state"].null_count() == 0
        await pilot.press("end")
        await until(pilot, lambda: last <= whole(app))
        assert len(whole(app)) < 150
        await pilot.press("slash", *"entries>1", "enter")
        await until(pilot, lambda: len(whole(app)) == 150)


async def test_an_export_has_all_cells_of_builds_that_nobody_looked_at(demo: dict[str, str], tmp_path: Path) -> None:
    async with running(demo["prow.job-openshift"]) as (app, pilot):
        await until(pilot, lambda: loaded(app))
        await pilot.press("e")
        app.screen.query_one("#export-path", Input).value = str(tmp_path / "builds.parquet")
        app.screen.query_one("#format-parquet", RadioButton).toggle()
        await pilot.press("f2")
        await until(pilot, lambda: "150 rows in" in screen_text(app))
    assert pl.read_parquet(tmp_path / "builds.parquet")["entries"].null_count() == 0
