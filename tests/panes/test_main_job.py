"""The main job in the app: open a group, filter, mark, look at statistics, open artifacts, download, export."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from textual import events

from backends.demo import DemoOptions, DemoServer, locators
from backends.transfers.states import TransferState
from tests.driving import filter_rows, loaded, running, screen_text, shown_view, status, until, view, words
from tui.widgets.download_dialog import DownloadDialog
from tui.widgets.filter_line import FilterInput


async def test_a_group_is_listed_filtered_measured_and_opened(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], size=(120, 44)) as (app, pilot):
        assert shown_view(app).table.total_count == 150
        assert "150 tasks" in status(app)
        assert "completed" in screen_text(app).splitlines()[2] and "failed first" in status(app)
        group, table = shown_view(app), shown_view(app).table
        await pilot.press("slash")
        app.query_one(FilterInput).value = "durration>5m"  # pasted: typed, its first letters would be a word
        await pilot.pause()
        assert table.row_count == 150, "an invalid filter leaves the rows"
        assert "durration" in screen_text(app) and "duration" in screen_text(app)
        await pilot.press("escape", "j", "j", "enter")
        await until(pilot, lambda: view(app) is not group and loaded(app))
        assert "artifact" in status(app)
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is group)
        assert (table.cursor, table.has_focus) == (2, True)
        await pilot.press("h")
        await app.workers.wait_for_complete()
        await until(pilot, lambda: "150 shown tasks" in screen_text(app))
        await pilot.press("space", "space", "space")
        await until(pilot, lambda: "3 marked tasks" in screen_text(app))
        assert "median" in screen_text(app)
        await pilot.press("A")
        await until(pilot, lambda: view(app) is not group and loaded(app))
        assert shown_view(app).table.frame["task_id"].n_unique() == 3


async def test_typing_a_filter_and_marking_keeps_exactly_those_rows_in_the_csv(
    demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        table = shown_view(app).table
        await pilot.press("slash", *"state:failed,exception", "enter", "a")
        wanted = table.frame.filter(table.frame["state"].is_in(["failed", "exception"]))
        assert 0 < len(wanted) < 150
        await pilot.press("slash", "escape")  # the filter goes, the marks stay
        assert table.row_count == 150
        assert table.marked_count == len(wanted)
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("f2")
        await until(pilot, lambda: list(tmp_path.glob("*.csv")))
        with next(tmp_path.glob("*.csv")).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert {row["task_id"] for row in rows} == set(wanted["task_id"].to_list())
        assert len(rows) == len(wanted)


async def test_a_retried_task_shows_the_artifacts_of_its_earlier_run(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.retried-empty-task"]) as (app, _):
        runs = shown_view(app).table.frame["run"].unique().to_list()
        assert runs == [0]


async def test_downloading_marked_artifacts_puts_verified_files_in_place(
    demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path / "out"))
    async with running(demo["taskcluster.task"]) as (app, pilot):
        await filter_rows(app, pilot, "json")
        await pilot.press("a", "d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        wanted = app.screen._plan.to_fetch
        assert wanted > 0
        assert not (tmp_path / "out").exists(), "a plan must write nothing"
        await pilot.press("enter")
        await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
        await until(pilot, lambda: not app.transfers.active)
        await pilot.press("f6")
        await until(pilot, lambda: app.transfers.table.total_count == wanted)
        states = app.transfers.table.frame["state"].unique().to_list()
        assert states == [TransferState.VERIFIED]
        files = [path for path in (tmp_path / "out").rglob("*.json") if ".ciexplore" not in path.parts]
        assert len(files) == wanted


async def test_an_empty_group_says_that_it_is_empty(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.empty-group"]) as (app, _):
        assert words(app)
        assert "0 tasks" in status(app)


async def test_an_unknown_group_says_what_to_do(demo: dict[str, str]) -> None:
    root = demo["taskcluster.finished-group"].rsplit("/tasks/", 1)[0]
    async with running(f"{root}/tasks/groups/AAAAAAAAQACAAAAAAAAAAA") as (app, _):
        assert "404" in words(app)
        assert "r tries again" in words(app)


async def test_a_server_that_is_gone_shows_the_stored_list_with_its_age(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(demo["taskcluster.finished-group"]):
        pass
    async with running(demo["taskcluster.finished-group"], mode="offline") as (app, _):
        assert shown_view(app).table.total_count == 150
        assert "stored" in status(app)


async def test_offline_without_a_stored_list_says_so(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], mode="offline") as (app, _):
        assert "ffline" in words(app)


async def test_hostile_names_are_shown_harmless(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.hostile-group"], size=(200, 50)) as (app, pilot):
        assert shown_view(app).table.total_count > 5
        for _ in range(shown_view(app).table.row_count):
            await pilot.press("j")
        shown = screen_text(app)
        assert "\x1b" not in shown
        assert not any(0x202A <= ord(character) <= 0x202E for character in shown)


async def test_every_size_shows_rows_and_status(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], size=(80, 24)) as (app, pilot):
        await pilot.press("h")
        for size in ((80, 24), (200, 60), (40, 12)):
            await pilot.resize_terminal(*size)
            await pilot.press("p", "p", "question_mark", "escape")
            await until(pilot, lambda: "✖" in screen_text(app) and "150 tasks" in screen_text(app))


async def test_refresh_asks_again_and_keeps_marks_filter_and_cursor(
    demo: dict[str, str], demo_server: DemoServer
) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        table = shown_view(app).table
        await filter_rows(app, pilot, "mochitest")
        await pilot.press("space", "j")
        marked, cursor, shown, asked = table.marked_keys, table.cursor_key, table.row_count, len(demo_server.requests)
        await pilot.press("r")
        await until(pilot, lambda: len(demo_server.requests) > asked and loaded(app))
        assert (table.marked_keys, table.cursor_key, table.row_count) == (marked, cursor, shown)
        assert marked


async def test_a_failed_refresh_keeps_the_rows_and_says_what_happened(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with DemoServer(DemoOptions(tasks=30)) as server:
        locator = locators(server.options, server.root_url)["taskcluster.finished-group"]
        async with running(locator) as (app, pilot):
            server.stop()
            await pilot.press("r")
            await until(pilot, lambda: loaded(app) and "r tries again" in status(app))
            assert shown_view(app).table.total_count == 30


async def test_keys_typed_faster_than_the_screen_follows_are_the_filter_not_commands(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        for key in ("slash", *"browsertime", "enter", "a"):  # all at once, as from a paste
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: shown_view(app).table.marked_count)
        assert app.query_one(FilterInput).value == "browsertime"
        assert shown_view(app).table.marked_count == shown_view(app).table.row_count < 150
        assert len(app.screen_stack) == 1


async def test_what_the_marked_tasks_measured_is_one_list(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        group = view(app)
        await filter_rows(app, pilot, "firefox-amazon")
        await pilot.press("a", "M")
        await until(pilot, lambda: view(app) is not group and loaded(app))
        frame = shown_view(app).table.frame
        assert "measurement" in status(app)
        assert frame["task_id"].n_unique() == 3
        assert frame["value"].null_count() == 0
