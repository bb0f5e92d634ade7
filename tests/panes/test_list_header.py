"""The two lines above a list: the way to it, and how many rows are in each state."""

from __future__ import annotations

import re

from tests.driving import filter_rows, loaded, running, screen_text, shown_view, until, view
from tui.widgets.list_pane import ListPane, PathLine
from tui.widgets.state_bar import StateBar


async def test_the_states_of_all_rows_are_shown_whatever_the_filter(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        bar = app.query_one("#taskcluster", ListPane).query_one(StateBar)
        table = shown_view(app).table
        await until(pilot, lambda: sum(bar.counts.values()) == table.total_count)
        expected = dict(table.frame["state"].value_counts().iter_rows())
        assert bar.counts == expected
        line = screen_text(app).splitlines()[2]
        assert line.strip().startswith("━") and f"✖ {expected['failed']} failed" in line
        await filter_rows(app, pilot, "state:failed")
        assert bar.counts == expected
        await pilot.resize_terminal(80, 15)
        await until(pilot, lambda: bar.region.height == 0)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: bar.region.height == 1)


async def test_the_header_has_revision_author_push_message_and_age(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await until(pilot, lambda: "Bug 19" in screen_text(app).splitlines()[1])
        line = screen_text(app).splitlines()[1]
        found = re.match(r" Tasks › autoland [0-9a-f]{12}  Bug \d+ - \w.*, r=\w+ +(\w+) · \d+ days ago", line)
        assert found, line
        author = found[1]
        await pilot.press("x")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("escape")
        await pilot.resize_terminal(60, 24)
        await until(pilot, lambda: author in screen_text(app).splitlines()[1])
        assert "days ago" in screen_text(app).splitlines()[1], "the message gives way"


async def test_a_list_of_kinds_has_no_bar(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.namespace"]) as (app, _):
        assert app.query_one(StateBar).region.height == 0


async def test_a_click_on_a_state_filters_by_it_and_the_next_one_ends_that(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        bar, table = app.query_one(StateBar), shown_view(app).table
        await until(pilot, lambda: bar.counts.get("failed"))
        place = (bar.render().plain.index("failed") + 1, 0)
        await pilot.click(StateBar, offset=place)
        await until(pilot, lambda: table.row_count == bar.counts["failed"])
        await pilot.click(StateBar, offset=place)
        await until(pilot, lambda: table.row_count == table.total_count)


async def test_a_click_on_a_part_of_the_path_goes_back_to_it(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], size=(200, 40)) as (app, pilot):
        group, pane = shown_view(app), app.query_one("#taskcluster", ListPane)
        path = pane.query_one(PathLine)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not group and loaded(app))
        await pilot.press("t")
        await until(pilot, lambda: pane.depth == 3)
        await until(pilot, lambda: group.heading in path.render().plain)
        await pilot.click(PathLine, offset=(path.render().plain.index(group.heading) + 1, 0))
        await until(pilot, lambda: view(app) is group and pane.depth == 1)
        await pilot.click(PathLine, offset=(2, 0))
        await until(pilot, lambda: view(app) is None)


async def test_a_click_on_the_dots_of_a_short_path_goes_back_to_what_they_stand_for(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], size=(80, 24)) as (app, pilot):
        group, pane = shown_view(app), app.query_one("#taskcluster", ListPane)
        path = pane.query_one(PathLine)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not group and loaded(app))
        await until(pilot, lambda: path.render().plain.startswith("Tasks › … › "))
        await pilot.click(PathLine, offset=(path.render().plain.index("…") + 1, 0))
        await until(pilot, lambda: view(app) is group and pane.depth == 1)


async def test_the_path_of_what_could_not_be_opened_says_what_was_asked_for(demo: dict[str, str]) -> None:
    url = "https://treeherder.mozilla.org/jobs?repo=autoland&revision=16982c3917d4"
    async with running(url, size=(120, 24)) as (app, pilot):
        path = app.query_one("#taskcluster", ListPane).query_one(PathLine)
        await until(pilot, lambda: loaded(app))
        await until(pilot, lambda: "16982c3917d4" in path.render().plain)
        assert "…" not in path.render().plain
