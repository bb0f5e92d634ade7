"""From a task or an artifact to its text, and back."""

from __future__ import annotations

from textual.widgets import Input

from tests.driving import loaded, running, screen_text, shown_view, until, view
from tui.widgets.log_level import LogLevel


async def test_l_reads_the_log_of_a_task_and_escape_comes_back(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        group = view(app)
        await pilot.press("slash", *"state:failed", "enter", "l")
        await until(pilot, lambda: isinstance(view(app), LogLevel))
        await until(pilot, lambda: "Task ID" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is group)
        assert group.table.has_focus


async def test_enter_on_a_text_artifact_reads_it_and_on_another_shows_what_is_known(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.task"]) as (app, pilot):
        await pilot.press("slash", *"live_backing", "enter", "enter")
        await until(pilot, lambda: isinstance(view(app), LogLevel))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), LogLevel))
        await pilot.press("slash", "escape", "slash", *"browsertime-results.tgz", "enter", "enter")
        await until(pilot, lambda: "application/" in screen_text(app))
        assert not isinstance(view(app), LogLevel)


async def test_the_address_of_a_log_opens_it_over_its_run(demo: dict[str, str]) -> None:
    async with running(None) as (app, pilot):
        await pilot.press("ctrl+o")
        app.screen.query_one(Input).value = demo["taskcluster.log"]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), LogLevel))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), LogLevel) and loaded(app))
        assert shown_view(app).resource.noun[0] == "artifact"


async def test_a_task_that_never_ran_has_no_log_and_says_so(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("slash", *"reason:deadline-exceeded", "enter", "l")
        await until(pilot, lambda: "no text to read" in screen_text(app))
