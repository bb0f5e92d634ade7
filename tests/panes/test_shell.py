"""What surrounds the lists: locating, pinning, help, palette, remapped keys, leaving."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from backends.frames.export_formats import EXPORT_FORMATS
from tests.driving import loaded, running, screen_text, shown_view, until, view
from tui.app import Explorer, TopBar
from tui.keymap import KEYS
from tui.widgets.dialogs import ConfirmDialog, HelpDialog
from tui.widgets.download_dialog import DownloadDialog
from tui.widgets.inputs import RadioDot, TickBox
from tui.widgets.list_pane import ListPane
from tui.widgets.palette import PaletteDialog
from tui.widgets.start_screen import LocateDialog


async def test_the_home_screen_takes_a_pasted_locator_and_says_what_it_cannot_open(demo: dict[str, str]) -> None:
    async with running(None) as (app, pilot):
        assert "Paste a URL" in screen_text(app)
        app.query_one(ListPane).query_one(Input).value = "https://example.org/nothing/known"
        await pilot.press("enter")
        assert "ccepted" in screen_text(app)
        assert view(app) is None
        app.query_one(ListPane).query_one(Input).value = f"  {demo['taskcluster.finished-group']} "
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))
        assert shown_view(app).table.total_count == 150


async def test_a_locator_can_be_opened_over_any_list(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = view(app)
        await pilot.press("ctrl+o")
        assert isinstance(app.screen, LocateDialog)
        app.screen.query_one(Input).value = demo["taskcluster.task"]
        await pilot.press("enter")
        await until(pilot, lambda: view(app) not in (None, first) and loaded(app))
        assert "artifact" in shown_view(app).resource.noun


async def test_recent_and_pinned_lists_are_offered_again(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("P", "escape")
        await until(pilot, lambda: view(app) is None)
        assert "Pinned" in screen_text(app)
    async with running(None) as (app, pilot):
        assert "Pinned" in screen_text(app)
        assert " failed" in screen_text(app)  # how the group was when it was last looked at
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))


async def test_typing_narrows_what_there_is_to_come_back_to(demo: dict[str, str]) -> None:
    async with running(None) as (app, pilot):
        await pilot.press("f2", *"kubernetes pull")
        await until(pilot, lambda: "OpenShift: jobs" not in screen_text(app))
        assert "Kubernetes: jobs of pull requests" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))
        assert shown_view(app).locator.text() == "gs://kubernetes-ci-logs/pr-logs/directory/"


async def test_a_question_mark_in_the_empty_box_is_help_and_later_a_letter() -> None:
    async with running(None) as (app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await pilot.press("escape", "a", "question_mark")
        await until(pilot, lambda: app.query_one(ListPane).query_one(Input).value == "a?")


async def test_down_and_enter_open_the_chosen_row_although_words_are_typed(demo: dict[str, str]) -> None:
    async with running(None) as (app, pilot):
        await pilot.press(*"jobs")
        await pilot.press("down", "enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))
        assert shown_view(app).locator.text() == "gs://test-platform-results/pr-logs/directory/"


async def test_a_remapped_key_is_in_the_help_and_does_what_it_was_given(
    demo: dict[str, str], own_directories: Path
) -> None:
    (own_directories / "config.toml").write_text("[keys]\ndownload = 'ctrl+d'\n")
    async with running(demo["taskcluster.task"]) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpDialog)
        assert "Ctrl+D" in screen_text(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpDialog)
        await pilot.press("d")
        assert not isinstance(app.screen, DownloadDialog)
        await pilot.press("ctrl+d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog))


async def test_a_wrong_remapping_is_told_and_the_app_still_runs(own_directories: Path) -> None:
    (own_directories / "config.toml").write_text("[keys]\ndownlod = 'x'\n")
    async with running(None) as (app, pilot):
        await until(pilot, lambda: "downlod" in screen_text(app))


async def test_the_palette_runs_an_action_of_the_list(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.press(*"histogram of a column")
        await until(pilot, lambda: "Statistics and histogram of a column" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: shown_view(app).has_class("-statistics"))


async def start_paused_download(app: Explorer, pilot: Pilot[None]) -> None:
    """Of all rows that are shown; it goes on until it is resumed or cancelled."""
    await pilot.press("a", "d")
    await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
    await pilot.press("enter")
    await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
    await until(pilot, lambda: app.transfers.job.transfer is not None)
    app.transfers.job.transfer.pause()


async def test_quitting_during_a_download_asks_first_and_escape_stays(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path))
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await start_paused_download(app, pilot)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmDialog))
        assert app.transfers.active
        await pilot.press("f6", "X")
        await until(pilot, lambda: not app.transfers.active)


DIALOGS = {
    "download": "d", "export": "e", "menu": "x", "help": "question_mark", "palette": "ctrl+p", "views": "V",
    "columns": "vertical_line", "copy": "Y", "query": "colon", "pivot": "T", "locate": "ctrl+o",
}  # fmt: skip


@pytest.mark.parametrize("name", DIALOGS)
async def test_ctrl_q_quits_from_within_a_dialog(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        left: list[bool] = []
        leave = app.leave
        monkeypatch.setattr(app, "leave", lambda: left.append(True))
        await pilot.press(DIALOGS[name])
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: left)
        monkeypatch.setattr(app, "leave", leave)


async def test_ctrl_q_in_a_dialog_asks_once_while_a_download_runs(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path))
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await start_paused_download(app, pilot)
        await pilot.press("question_mark", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("ctrl+q")
        assert len(app.screen_stack) == 3
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        assert app.transfers.active
        await pilot.press("escape", "f6", "X")
        await until(pilot, lambda: not app.transfers.active)


async def test_the_enter_that_opens_a_dialog_starts_nothing(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path))
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("ctrl+p", *"download the marked", "enter")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        assert app.transfers is None and not list(tmp_path.iterdir())


async def test_help_names_every_format_that_can_be_exported(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"], size=(160, 48)) as (app, pilot):
        await pilot.press("question_mark", "slash", *"export rows")
        await until(pilot, lambda: all(form.label in screen_text(app) for form in EXPORT_FORMATS))


async def test_an_export_onto_a_file_says_in_the_dialog_how_to_go_on(demo: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one("#export-path", Input).value = str(path)
        await pilot.press("f2")
        await until(pilot, lambda: "x.csv exists. Tick “Replace the file if it exists”" in screen_text(app))
        assert len(app.screen_stack) == 2 and path.read_text() == "mine"
        app.screen.query_one("#export-overwrite", TickBox).value = True
        await pilot.press("f2")
        await until(pilot, lambda: path.read_text() != "mine")


async def test_back_from_a_list_of_another_pane_leads_to_the_pane_it_was_asked_for_in(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        group = view(app)
        await pilot.press("f2")
        await until(pilot, lambda: view(app) is None)
        app.open_locator(app.session.parse(demo["taskcluster.task"]))
        await until(pilot, lambda: view(app) not in (None, group) and loaded(app))
        await pilot.press("escape")
        await until(pilot, lambda: view(app) is None and app.current_list.id == "prow")


async def test_an_unwritable_export_target_says_what_to_do(demo: dict[str, str], tmp_path: Path) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        (tmp_path / "file").write_text("")
        app.screen.query_one("#export-path", Input).value = str(tmp_path / "file" / "x.csv")
        await pilot.press("f2")
        await until(pilot, lambda: "Choose a path whose parents are folders" in screen_text(app))
        assert len(app.screen_stack) == 2


async def test_a_list_is_exported_as_a_report_that_names_its_filter(demo: dict[str, str], tmp_path: Path) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("slash", *"state:failed", "enter")
        await until(pilot, lambda: 0 < shown_view(app).table.row_count < 150)
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one("#format-html", RadioDot).value = True
        await until(pilot, lambda: app.screen.query_one("#export-path", Input).value.endswith(".html"))
        app.screen.query_one("#export-path", Input).value = str(tmp_path / "x.html")
        await pilot.press("f2")
        await until(pilot, lambda: "A report of" in screen_text(app))
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "<dd>state:failed</dd>" in page and "/tasks/groups/" in page and "<svg " in page


async def test_keys_in_a_text_box_are_text_ctrl_c_says_how_to_leave_and_toasts_are_harmless(
    demo: dict[str, str],
) -> None:
    async with running(demo["taskcluster.empty-group"]) as (app, pilot):
        await pilot.press("slash", *"qadh")
        assert app.is_running
        assert shown_view(app).query_one(Input).value == "qadh"
        await pilot.press("escape")
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "Press Ctrl+Q to quit" in screen_text(app))
        assert "[b]" not in screen_text(app)
        app.notify("first line\nsecond \x1b[31m line")
        await until(pilot, lambda: "first line" in screen_text(app))
        assert "second ␛[31m line" in screen_text(app)
        app.notify("Started.", title="task \x1b]0;owned\x07 name")
        await until(pilot, lambda: "Started." in screen_text(app))
        assert "\x1b" not in screen_text(app) and "\x07" not in screen_text(app)
        assert "]0;owned" in screen_text(app)


async def test_the_palette_finds_fuzzily_shows_one_line_a_command_and_runs_the_menu_too(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        first = shown_view(app)
        await pilot.press("ctrl+p", *"brkdwn")
        await until(pilot, lambda: "Breakdown" in screen_text(app))
        assert all(key.id not in screen_text(app).split() for key in KEYS if "-" in key.id)
        await pilot.press("enter")
        await until(pilot, lambda: view(app) not in (None, first) or len(app.screen_stack) > 1)


async def test_the_palette_works_in_a_window_of_four_rows() -> None:
    async with running(None, size=(80, 24)) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, PaletteDialog))
        await pilot.resize_terminal(80, 4)
        await pilot.press("down", "pagedown", "pageup", "escape")
        await until(pilot, lambda: not isinstance(app.screen, PaletteDialog))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
async def test_no_word_of_the_top_bar_is_cut(demo: dict[str, str], width: int) -> None:
    async with running(None, size=(width, 24)) as (app, pilot):
        bar = app.query_one(TopBar)
        for watched, transfers, mode in (
            ("", "", "normal"),
            ("✖ 58 red, 1 watched", "", "normal"),
            ("◌ 1 watched", "100%", "normal"),
            ("✖ 58 red, 1 watched", "", "offline"),
        ):
            bar.show(watched=watched, transfers=transfers, mode=mode)
            await pilot.pause()
            line = bar.render_line(0).text.ljust(width)
            assert len(line) == width
            assert watched.partition(", ")[0] in line
            assert mode == "normal" or "offline" in line
            assert all(f"F{number} " in line for number in range(1, 7)), line
