"""The transfers pane: what Enter opens, what the bar and the footer show, names of files."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.transfers.files import RemoteFile
from backends.transfers.states import TransferState
from tests.driving import loaded, running, screen_text, until, view
from tui.app import Explorer
from tui.widgets.download_dialog import DownloadDialog
from tui.widgets.log_pane import LogPane
from tui.widgets.state_bar import StateBar
from tui.widgets.transfers import TransfersPane, describe_file
from tui.widgets.tree import TreePane


@asynccontextmanager
async def downloaded(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, output: Path, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Explorer, Pilot[None], TransfersPane]]:
    """F6 after all files of the browsertime tasks were downloaded, of which some are not public."""
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(output))
    async with running(demo["taskcluster.finished-group"], size=size) as (app, pilot):
        await pilot.press("slash", *"browsertime state:failed,completed", "enter", "a", "d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        await pilot.press("enter")
        await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
        await until(pilot, lambda: not app.transfers.active)
        await pilot.press("f6")
        await until(pilot, lambda: app.transfers.table.total_count > 0)
        await until(pilot, lambda: TransferState.RUNNING not in app.transfers.table.frame["state"])
        yield app, pilot, app.transfers


async def move_to(pane: TransfersPane, pilot: Pilot[None], **cells: str) -> None:
    frame = pane.table.frame
    for column, text in cells.items():
        frame = frame.filter(frame[column].str.ends_with(text))
    assert pane.table.move_to_key(frame["key"][0])
    await pilot.pause()


async def test_the_reason_of_a_failure_is_shown_whole_and_what_has_ended_is_not_drawn_again(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path, (80, 24)) as (app, pilot, pane):
        await until(
            pilot, lambda: "TASKCLUSTER_ACCESS_TOKEN to a client that has it." in " ".join(screen_text(app).split())
        )
        drawn: list[Widget] = []
        monkeypatch.setattr(Widget, "refresh", lambda self, *args, **options: drawn.append(self) or self)
        seen = pane._updates
        await until(pilot, lambda: pane._updates > seen + 6)
        assert not [widget for widget in drawn if pane in widget.ancestors]


async def test_a_download_is_called_started_once_its_directory_is_taken(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for output, said in ((tmp_path / "file" / "in", "Cannot write into"), (tmp_path / "new", "Started. F6 shows it")):
        monkeypatch.setenv("CIEXPLORE_OUTPUT", str(output))
        async with running(demo["taskcluster.finished-group"]) as (app, pilot):
            told: list[str] = []
            monkeypatch.setattr(app, "notify", lambda message, told=told, **_: told.append(message))
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
            await pilot.press("enter")
            await until(pilot, lambda told=told: told)
            assert told[0].startswith(said)
            await until(pilot, lambda: not app.transfers.active)


async def test_enter_opens_the_list_of_a_file_that_failed(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path) as (app, pilot, pane):
        row = pane.table.cursor_row
        assert row["state"] == TransferState.FAILED, "failed first"
        assert row["reason"] == "HTTP 403: not public"
        assert "R retries" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.current_list is not None and loaded(app))
        assert view(app).resource.noun == ("artifact", "artifacts")
        assert view(app).title.startswith(row["origin"])
        await pilot.press("escape")
        await until(pilot, lambda: pane.display and pane.table.has_focus)
        assert pane.table.cursor_row["key"] == row["key"], "back is where one came from"
        await pilot.press("t")
        await until(pilot, lambda: app.current_list is not None and loaded(app))
        await pilot.press("q")
        await until(pilot, lambda: pane.display and pane.table.has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is not None and view(app).resource.noun == ("task", "tasks"))


async def test_enter_opens_a_log_that_is_there_and_its_keys_are_the_readers(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path) as (app, pilot, pane):
        await move_to(pane, pilot, state="verified", name=".log")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pane.reader, LogPane))
        assert "Pause" not in screen_text(app) and "Retry" not in screen_text(app)
        told: list[str] = []
        monkeypatch.setattr(app, "notify", lambda message, **_: told.append(message))
        await pilot.press("x", "X", "R", "e")
        assert len(app.screen_stack) == 1 and isinstance(pane.reader, LogPane)
        assert told[0] == "x (Actions) is a key of lists. Esc goes back to one."
        await pilot.press("escape")
        await until(pilot, lambda: pane.reader is None)
        assert pane.table.has_focus
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pane.reader, LogPane))
        await pilot.press("q")
        await until(pilot, lambda: pane.reader is None)
        assert app.is_running and pane.display


async def test_enter_opens_json_as_a_tree_and_says_where_an_archive_is(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path) as (app, pilot, pane):
        await move_to(pane, pilot, state="verified", name=".json")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pane.reader, TreePane) and pane.reader.view is not None)
        await pilot.press("escape")
        await until(pilot, lambda: pane.reader is None)
        await move_to(pane, pilot, state="verified", name=".tgz")
        await pilot.press("enter")
        await until(pilot, lambda: "It is not text. It is in" in screen_text(app))
        await move_to(pane, pilot, state="verified", name=".log")
        (tmp_path / pane.table.cursor_row["target"]).unlink()
        await pilot.press("enter")
        await until(pilot, lambda: "not there any more" in screen_text(app))
        await pilot.press("t")
        await until(pilot, lambda: app.current_list is not None and loaded(app))


async def test_enter_opens_an_image_that_is_there(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path) as (app, pilot, pane):
        await move_to(pane, pilot, state="verified", name=".png")
        await pilot.press("enter")
        await until(pilot, lambda: "PNG image · 160 × 100 pixels" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: pane.reader is None)


async def test_a_key_of_other_lists_says_so_and_the_end_of_a_download_names_it(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(Explorer, "notify", lambda self, message, *, title="", **_: told.append((title, message)))
    async with downloaded(demo, monkeypatch, tmp_path) as (_, pilot, pane):
        await until(pilot, lambda: any(title.startswith("Download finished") for title, _ in told))
        assert any(title.startswith("Download finished") and "autoland" in title for title, _ in told)
        told.clear()
        await pilot.press("W", "space")
        assert [message for _, message in told] == [
            "W (Watch until it ends) is a key of other lists. ? shows the keys of Transfers."
        ]
        assert pane.display and pane.table.marked_count == 1


@pytest.mark.parametrize("size", [(60, 15), (80, 24)])
async def test_the_footer_has_back_and_help_and_the_bar_its_failed_share(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path, size) as (app, _, pane):
        footer = screen_text(app).splitlines()[-1]
        for label in ("Open", "Retry", "Filter", "Back", "Help"):
            assert label in footer, footer
        bar = pane.query_one(StateBar)
        assert bar.counts["failed"] > 0 and bar.region.height == 1
        assert bar.render().plain.split("  ")[0].count("━ ━") == 1


async def test_a_long_path_begins_on_the_line_of_its_sign(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path / ("long" * 30)) as (app, pilot, pane):
        await move_to(pane, pilot, state="verified", name=".json")
        await until(pilot, lambda: any(line.startswith(" ✔ /") for line in screen_text(app).splitlines()))


def test_each_state_says_what_happened_and_what_can_be_done() -> None:
    row = {"detail": "", "reason": "", "target": "a/b.log", "bytes": 5, "size": None}
    lines = {state: describe_file(row | {"state": str(state)}, Path("/out")) for state in TransferState}
    assert lines[TransferState.VERIFIED][0] == "✔ /out/a/b.log"
    assert "R retries" in lines[TransferState.FAILED][1]
    assert "x cancels it" in lines[TransferState.RUNNING][1]
    assert all(happened[0] != " " and advice for happened, advice in lines.values())


async def test_files_that_are_listed_while_the_dialog_goes_are_no_crash(tmp_path: Path) -> None:
    """Its parts go first: for a moment it is on the screen still and has none."""
    listed = threading.Event()
    goes = threading.Event()

    def list_files(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        goes.wait(30)
        yield []
        listed.set()

    class LastPart(Static):
        async def on_unmount(self) -> None:
            while dialog.query("#download-counts"):
                await asyncio.sleep(0)
            goes.set()
            while not listed.is_set():
                await asyncio.sleep(0)

    async with running(None) as (app, pilot):
        dialog = DownloadDialog("Files", list_files, tmp_path)
        app.push_screen(dialog)
        await until(pilot, lambda: bool(dialog.query("#download-counts")))
        await dialog.mount(LastPart())
        await pilot.press("escape")
        await until(pilot, lambda: listed.is_set() and not dialog.is_running)
        assert not list(Path(os.environ["CIEXPLORE_STATE_DIR"]).rglob("faults.log"))


async def test_the_path_of_a_file_is_folded_to_the_width_that_there_is(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path / ("long" * 25)) as (_, pilot, pane):
        await move_to(pane, pilot, state="verified")
        why = pane.query_one("#transfers-why", Static)
        for width in (70, 120):
            await pilot.resize_terminal(width, 40)
            path = str(pane.job.plan.output / pane.table.cursor_row["target"])

            def told(path: str = path, width: int = width) -> bool:
                lines = [why.render_line(y).text.strip() for y in range(why.size.height)]
                folded = "".join(lines)
                return why.size.width == width - 2 and path in folded and len(lines[0]) == width - 2

            await until(pilot, told)


async def test_the_first_path_that_is_shown_is_folded_too(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its width is known only once it is there."""
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path / ("long" * 25)))
    async with running(demo["taskcluster.failed-task"], size=(80, 24)) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        await pilot.press("enter")
        await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
        await until(pilot, lambda: not app.transfers.active)
        await pilot.press("f6")
        await until(pilot, lambda: f"✔ {str(tmp_path)[:20]}" in screen_text(app))


async def test_files_that_cannot_be_read_once_are_read_again(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path) as (_, pilot, pane):
        job = pane.job
        assert job is not None and job.transfer is not None
        shown, whole = pane.table.total_count, job.transfer.frame
        failed: list[int] = []

        def fail() -> object:
            failed.append(1)
            raise RuntimeError

        monkeypatch.setattr(job.transfer, "frame", fail)
        await until(pilot, lambda: failed)
        assert pane.table.total_count == shown
        monkeypatch.setattr(job.transfer, "frame", lambda: whole().head(1))
        await until(pilot, lambda: pane.table.total_count == 1)


async def test_a_window_that_becomes_low_has_rows_and_not_all_of_a_reason(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with downloaded(demo, monkeypatch, tmp_path, (80, 24)) as (_, pilot, pane):
        why = pane.query_one("#transfers-why", Static)
        await until(pilot, lambda: why.size.height > 3)
        await pilot.resize_terminal(60, 15)
        await until(pilot, lambda: why.size.height == 2)
        assert pane.table.page_rows >= 5
        assert why.render_line(0).text.rstrip().endswith("…")
        assert "R retries all that failed" in why.render_line(1).text
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: why.size.height > 3)
