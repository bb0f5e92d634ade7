"""With real bytes: the app opens where it was left, also after kill -9; chooser, undo, dragging, a right click."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.terminal import PATIENCE, Terminal, explorer

DRAG = "\x1b[<0;20;6M\x1b[<32;20;7M\x1b[<32;20;9M\x1b[<0;20;9m"  # from the second row to the fifth


def wait_for_path(state: Path, condition: Callable[[list[Any]], bool]) -> None:
    """Until what the app keeps of its open lists is so."""
    deadline = time.monotonic() + PATIENCE
    found: object = None
    while time.monotonic() < deadline:
        try:
            found = json.loads((state / "last_path.json").read_text())["lists"]
        except (OSError, KeyError, ValueError):
            found = []
        if isinstance(found, list) and condition(found):
            return
        time.sleep(0.05)
    raise AssertionError(found)


def set_up(terminal: Terminal) -> None:
    """A filter, a sort, the third row."""
    terminal.wait_for("60 tasks · fetched")
    terminal.press("/state:fail", "enter")
    terminal.wait_for("state:failed")
    terminal.press("right", "S")
    terminal.wait_for("Name▼")
    terminal.press("jj")
    terminal.wait_for(lambda text: "\n▌" in text and text[: text.index("\n▌")].rpartition("Name▼")[2].count("\n") == 2)


@pytest.mark.parametrize("killed", [False, True])
def test_the_app_opens_where_it_was_left(ci: dict[str, str], own_directories: Path, killed: bool) -> None:
    state = own_directories / "state"
    with explorer(ci["taskcluster.finished-group"], size=(120, 30)) as terminal:
        set_up(terminal)
        line = next(line for line in terminal.lines if line.startswith("▌"))
        if killed:
            wait_for_path(state, lambda lists: bool(lists and ["name", True] in (lists[0]["settings"]["sort"] or [])))
            os.kill(terminal.program.pid, signal.SIGKILL)
            terminal.wait_until_ended()
        else:
            terminal.press("ctrl+q")
            assert terminal.wait_until_ended() == 0
    with explorer(size=(120, 30)) as terminal:
        terminal.wait_for(lambda text: "shown" in text and "Name▼" in text)
        terminal.wait_for("/ state:failed")
        if not killed:
            terminal.wait_for(line[:60])
        terminal.press("escape")
        terminal.wait_for(lambda text: "60 tasks" in text and "state:failed" not in text)
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0
    with explorer("--fresh", size=(120, 30)) as terminal:
        terminal.wait_for("Paste a URL")
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0
    with explorer(size=(120, 30)) as terminal:
        terminal.wait_for("Name▼")
        terminal.press("escape")
        terminal.wait_for("Paste a URL")


def test_two_apps_and_a_broken_file_do_no_harm(ci: dict[str, str], own_directories: Path) -> None:
    state = own_directories / "state"
    with explorer(ci["taskcluster.finished-group"]) as one, explorer(ci["taskcluster.task"]) as two:
        one.wait_for("60 tasks · fetched")
        two.wait_for("fetched")
        one.press("S")
        two.press("ctrl+q")
        assert two.wait_until_ended() == 0
        one.press("ctrl+q")
        assert one.wait_until_ended() == 0
    json.loads((state / "preferences.json").read_text())
    for name in ("preferences.json", "last_path.json", "history.json"):
        (state / name).write_bytes(b"\xff\x00{[")
    with explorer() as terminal:
        terminal.wait_for("Paste a URL")
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0


def test_the_chooser_hides_and_undo_shows_again(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"], size=(60, 15)) as terminal:
        terminal.wait_for("60 tasks · fetched")
        assert "? Help" in terminal.lines[-1]
        terminal.press("|")
        terminal.wait_for("[x] Name")
        terminal.press("/name", "enter", " ")
        terminal.wait_for("[ ] Name")
        terminal.press("escape")
        terminal.wait_for("[x] State")
        terminal.press("escape")
        terminal.wait_for(lambda text: "Columns" not in text and "Name" not in text)
        terminal.press("U")
        terminal.wait_for("Name")


def test_dragging_marks_rows_and_undo_unmarks_them(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"], size=(120, 30)) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.press(DRAG + "e")  # what is typed behind it comes after it
        terminal.wait_for("Export")
        terminal.press("escape")
        terminal.wait_for(lambda text: "marked" in text)
        count = sum(line[1:2] == "●" for line in terminal.lines)
        assert count == 4, terminal.text
        terminal.press("U")
        terminal.wait_for(lambda text: "marked" not in text)


def test_a_right_click_opens_the_actions(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"], size=(120, 30)) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.press("\x1b[<2;20;7M\x1b[<2;20;7m")
        terminal.wait_for("letter runs")
