"""From a red group to the line of a log, by keys."""

from __future__ import annotations

from tests.driving import loaded, running, screen_text, shown_view, until, view


async def test_from_a_group_to_its_clusters_to_the_line_of_a_log(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], size=(80, 24)) as (app, pilot):
        group = view(app)
        await pilot.press("C")
        await until(pilot, lambda: view(app) is not group and loaded(app) and shown_view(app).resource is not None)
        clusters = shown_view(app)
        assert clusters.resource is not None and clusters.resource.noun == ("cluster", "clusters")
        assert "clusters" in screen_text(app)
        await until(pilot, lambda: clusters.table.total_count > 3)
        await pilot.press("slash", *"tests>0", "enter", "enter")
        await until(pilot, lambda: view(app) not in (group, clusters, None) and loaded(app))
        failures = shown_view(app)
        await until(pilot, lambda: failures.table.total_count > 0)
        await pilot.press("enter")
        await until(pilot, lambda: "/ 1 of " in screen_text(app))  # of the lines with the failure's text
        assert "▌✖" in screen_text(app)  # the cursor is on an error


async def test_rows_that_did_not_fail_say_so(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.empty-group"]) as (app, pilot):
        await pilot.press("C")
        await until(pilot, lambda: "None of these rows failed." in screen_text(app))


async def test_a_list_of_failures_opens_from_the_start_screen(demo: dict[str, str]) -> None:
    from backends.failures.locators import FailuresOf

    async with running(FailuresOf(demo["taskcluster.failed-task"]).text()) as (app, pilot):
        await until(pilot, lambda: "failures of" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "All these failures in clusters" in screen_text(app))
