"""The log with its box and its status: searching, going to a line, saving, copying, and getting out again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from backends.locators import Locator
from backends.logs import sources
from backends.logs.spool import Source
from tests.driving import screen_text, until
from tests.widgets.test_log_view import Gate, number_lines, settled
from tui.theme import ThemedApp
from tui.widgets.log_pane import LogPane
from tui.widgets.reader_pane import PromptLine


class PaneApp(ThemedApp):
    def __init__(self, source: Source, **options: Any) -> None:
        super().__init__()
        self.pane = LogPane(source, "live.log of [b]a task[/b]", **options)
        self.left = 0

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_reader_pane_closed(self) -> None:
        self.left += 1


@asynccontextmanager
async def open_pane(
    source: Source, *, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[tuple[PaneApp, Pilot[None]]]:
    app = PaneApp(source, **options)
    async with app.run_test(size=size) as pilot:
        app.pane.focus_view()
        await until(pilot, lambda: settled(app.pane.view))
        yield app, pilot


async def type_text(pilot: Pilot[None], text: str) -> None:
    for character in text:
        await pilot.press({" ": "space"}.get(character, character))


async def test_the_screen_says_what_is_shown_and_where_one_is() -> None:
    async with open_pane(sources.from_bytes(number_lines(100, (50,)))) as (app, pilot):
        await until(pilot, lambda: "✖ 1 ⚠ 0" in screen_text(app))
        screen = screen_text(app).splitlines()
        assert screen[0].strip() == "live.log of [b]a task[/b]"
        assert screen[-1].strip().startswith("line 1 of 100")


async def test_a_search_goes_to_the_first_match_as_one_types_and_esc_goes_back() -> None:
    async with open_pane(sources.from_bytes(number_lines(500))) as (app, pilot):
        view = app.pane.view
        view.go_to_line(30)
        await pilot.press("slash")
        await type_text(pilot, "e 123")
        await until(pilot, lambda: view.cursor == 122)
        await pilot.press("escape")
        await until(pilot, lambda: view.cursor == 29)
        assert view.current_search is None and view.has_focus


async def test_enter_keeps_the_search_and_the_next_esc_ends_it_before_it_leaves() -> None:
    async with open_pane(sources.from_bytes(number_lines(500))) as (app, pilot):
        view = app.pane.view
        await pilot.press("slash")
        await type_text(pilot, "e 4")
        await pilot.press("enter")
        await until(pilot, lambda: view.cursor == 3 and view.has_focus)
        await pilot.press("n")
        assert view.cursor == 39
        await pilot.press("escape")
        assert view.current_search is None and not app.left
        await pilot.press("escape")
        await until(pilot, lambda: app.left == 1)


async def test_a_wrong_pattern_is_explained_beside_the_box() -> None:
    async with open_pane(sources.from_bytes(number_lines(50)), size=(120, 24)) as (app, pilot):
        await pilot.press("slash")
        await type_text(pilot, "e(")
        await pilot.press("enter")
        await until(pilot, lambda: "a ( is not closed" in screen_text(app))
        assert app.pane.query_one(Input).has_focus
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: app.pane.view.has_focus)


async def test_a_line_is_gone_to_by_its_number() -> None:
    async with open_pane(sources.from_bytes(number_lines(5000))) as (app, pilot):
        await pilot.press("colon")
        await type_text(pilot, "x")
        await pilot.press("enter")
        await until(pilot, lambda: "not a line number" in screen_text(app))
        await pilot.press("backspace")
        await type_text(pilot, "4,321")
        await pilot.press("enter")
        await until(pilot, lambda: app.pane.view.cursor == 4320 and app.pane.view.has_focus)


async def test_saving_writes_the_log_as_it_came_and_never_over_a_file(tmp_path: Path) -> None:
    content = b"\x1b[31mred\x1b[0m\r\n\0" * 1000
    target = tmp_path / "saved.log"
    notes: list[str] = []
    async with open_pane(sources.from_bytes(content), save_as=target) as (app, pilot):
        app.notify = lambda message, **_: notes.append(message)  # type: ignore[method-assign,assignment]
        await pilot.press("s", "enter")
        await until(pilot, lambda: notes)
        assert target.read_bytes() == content and "has" in notes[0]
        await pilot.press("s", "enter")
        await until(pilot, lambda: len(notes) == 2)
        assert "exists" in notes[1] and target.read_bytes() == content
    assert list(tmp_path.iterdir()) == [target]


@dataclass(frozen=True)
class LogLocator(Locator):
    line: int = 0

    def text(self) -> str:
        return f"https://ci.example/log#{self.line}"

    def at_line(self, line: int) -> Locator:
        return LogLocator(line)


@pytest.mark.parametrize("locator", [None, LogLocator()])
async def test_a_line_and_its_link_can_be_copied(locator: Locator | None) -> None:
    async with open_pane(sources.from_bytes(b"a\n\x1b[1mbold\x1b[0m \xc3\xa9\r\nc\n"), locator=locator) as (app, pilot):
        await pilot.press("j", "y")
        assert app.clipboard == "bold é"
        await pilot.press("Y")
        assert app.clipboard == ("https://ci.example/log#2" if locator else "bold é")


async def test_a_long_line_is_shown_whole_under_the_log() -> None:
    line = b"begin " + b"x " * 300 + b"end\n"
    async with open_pane(sources.from_bytes(line + b"short\n")) as (app, pilot):
        await pilot.press("w")
        await until(pilot, lambda: " end" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: " end" not in screen_text(app))
        assert not app.left


async def test_a_pane_that_goes_ends_its_threads_and_frees_the_disk() -> None:
    gate = Gate()
    app = PaneApp(gate)
    async with app.run_test() as pilot:
        gate.give(number_lines(10))
        await until(pilot, lambda: app.pane.is_mounted and app.pane.view.row_count == 10)
        spool = app.pane.view.reading.spool
        await app.pane.remove()
        await until(pilot, lambda: spool.complete)
    assert spool.discarded and spool.lines(0, 1) == []


async def test_no_room_for_the_log_is_said_in_its_place(tmp_path: Path) -> None:
    app = PaneApp(sources.from_bytes(b"x"), folder=tmp_path / "missing")
    async with app.run_test(size=(100, 10)) as pilot:
        await until(pilot, lambda: "does not fit on the disk" in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (40, 6), (20, 4)])
async def test_the_box_and_the_panel_fit_small_terminals(size: tuple[int, int]) -> None:
    async with open_pane(sources.from_bytes(number_lines(100)), size=size) as (app, pilot):
        await pilot.press("w", "slash")
        await type_text(pilot, "e 7")
        await pilot.press("enter")
        await until(pilot, lambda: app.pane.view.cursor == 6)
        assert app.pane.query_one(PromptLine).region.height in (0, 1)


async def test_a_real_log_reads_well(samples: Path) -> None:
    path = samples / "taskcluster/treeherder/real_task_log_timeout.log.gz"
    if not path.exists():
        pytest.skip("the recorded log is not on this machine")
    async with open_pane(sources.from_path(path), size=(160, 50)) as (app, pilot):
        await pilot.press("t", "right_square_bracket")
        assert "TEST-UNEXPECTED-TIMEOUT" in screen_text(app)
