"""From a task or an artifact to its text, and back."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from tests.driving import filter_rows, loaded, running, screen_text, shown_view, until, view
from tui.widgets.log_pane import LogPane
from tui.widgets.tree import TreePane, TreeView


async def test_l_reads_the_log_of_a_task_if_it_has_one_and_escape_comes_back(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        group = view(app)
        await filter_rows(app, pilot, "state:completed")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(view(app), LogPane))
        await until(pilot, lambda: "Task ID" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is group)
        await filter_rows(app, pilot, "state:failed")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(view(app), LogPane))
        await until(pilot, lambda: "▌✖" in screen_text(app))  # of one that failed: at its first error
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is group)
        assert group.table.has_focus
        await filter_rows(app, pilot, "reason:deadline-exceeded")  # tasks that never ran
        await pilot.press("l")
        await until(pilot, lambda: "no text to read" in screen_text(app))


@pytest.mark.parametrize(("opens", "reader"), [("l", LogPane), ("t", TreePane)])
async def test_keys_of_lists_say_in_a_reader_that_they_are_keys_of_lists(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, opens: str, reader: type
) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press(opens)
        await until(pilot, lambda: isinstance(view(app), reader))
        told: list[str] = []
        monkeypatch.setattr(app, "notify", lambda message, **_: told.append(message))
        await pilot.press("x", "S", "d", "e")
        assert [words.partition(" is a key of lists. Esc goes back")[0] for words in told] == [
            "x (Actions)",
            "S (Sort by this column, too)",
            "d (Download the marked rows (or the one under the cursor))",
            "e (Export)",
        ]
        assert isinstance(view(app), reader) and len(app.screen_stack) == 1


async def test_enter_shows_an_artifact_by_its_kind_and_says_what_is_known_of_one_it_cannot_show(
    demo: dict[str, str],
) -> None:
    async with running(demo["taskcluster.artifact-kinds-task"]) as (app, pilot):

        async def enter_on(name: str) -> None:
            await until(pilot, lambda: loaded(app) and shown_view(app).resource.noun[0] == "artifact")
            await filter_rows(app, pilot, name)
            await pilot.press("enter")

        await enter_on("live_backing")
        await until(pilot, lambda: isinstance(view(app), LogPane))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), LogPane))
        await enter_on("localconfig.json")
        await until(pilot, lambda: isinstance(view(app), TreePane) and app.query(TreeView))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), TreePane))
        await enter_on("resource-use.csv")
        await until(pilot, lambda: loaded(app) and shown_view(app).resource.noun[0] == "row")
        await pilot.press("escape")
        await enter_on("object.bin")
        await until(pilot, lambda: "application/octet-stream" in screen_text(app) and "browser" in screen_text(app))


async def test_enter_on_an_archive_lists_what_is_in_it(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.task"]) as (app, pilot):
        await filter_rows(app, pilot, "browsertime-results.tgz")
        await pilot.press("enter")
        await until(pilot, lambda: loaded(app) and shown_view(app).resource.noun[0] == "member")
        assert shown_view(app).table.total_count == 3
        await filter_rows(app, pilot, "screenshot.png")
        await pilot.press("enter")
        await until(pilot, lambda: "PNG image · 160 × 100 pixels" in screen_text(app))
        assert "screenshot.png in browsertime-results.tgz" in screen_text(app)


async def test_the_locator_of_a_log_opens_it_over_its_run(demo: dict[str, str]) -> None:
    async with running(None) as (app, pilot):
        await pilot.press("ctrl+o")
        app.screen.query_one(Input).value = demo["taskcluster.log"]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), LogPane))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(view(app), LogPane) and loaded(app))
        assert shown_view(app).resource.noun[0] == "artifact"


async def test_equals_shows_only_what_no_passing_run_has_and_again_all(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.failed-task"]) as (app, pilot):
        await until(pilot, lambda: loaded(app))
        await filter_rows(app, pilot, "live_backing")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(view(app), LogPane) and "▌✖" in screen_text(app))
        await pilot.press("equals_sign")
        await until(pilot, lambda: "new lines against" in screen_text(app) and "lines folded" in screen_text(app))
        screen = screen_text(app)
        assert "New lines only, not in " in screen and " passed run" in screen and "+[task " in screen
        await pilot.press("escape")
        await until(pilot, lambda: "New lines only" not in screen_text(app))
        assert isinstance(view(app), LogPane) and "lines folded" not in screen_text(app)
        await pilot.press("equals_sign")
        await until(pilot, lambda: "new lines against" in screen_text(app))
        await pilot.press("equals_sign")
        await until(pilot, lambda: "New lines only" not in screen_text(app))
