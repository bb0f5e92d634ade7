"""Prow in the app: from a job to its builds, a build's files, a log, and what menus open."""

from __future__ import annotations

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
        await until(pilot, lambda: "build-log.txt of" in screen_text(app) and "line " in screen_text(app))


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
