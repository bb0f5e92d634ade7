"""F6 in a terminal: Enter on a file that failed and on one that has arrived, and a click on the way to a list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal
from tests.terminal.test_order_of_events import click


@contextmanager
def transfers(ci: dict[str, str], tmp_path: Path, size: tuple[int, int]) -> Iterator[Terminal]:
    """F6 after the downloads of the browsertime tasks, of which the proxy's logs are not public."""
    extra = {
        "CIEXPLORE_CACHE_DIR": str(tmp_path / "c"),
        "CIEXPLORE_STATE_DIR": str(tmp_path / "s"),
        "CIEXPLORE_OUTPUT": str(tmp_path / "out"),
    }
    with Terminal("-m", "ciexplore", ci["taskcluster.finished-group"], size=size, extra=extra) as terminal:
        terminal.wait_for("60 tasks")
        terminal.press("/browsertime state:completed")
        terminal.wait_for("shown")
        terminal.press("enter", "a")
        terminal.wait_for("marked")
        terminal.press("d")
        terminal.wait_for("to fetch")
        terminal.press("enter")
        terminal.wait_for("Download finished")
        terminal.press("f6")
        terminal.wait_for(lambda text: "✖" in text and "R retries" in text)
        yield terminal


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
def test_enter_on_a_failed_file_opens_its_task_and_esc_comes_back(
    ci: dict[str, str], tmp_path: Path, size: tuple[int, int]
) -> None:
    with transfers(ci, tmp_path, size) as terminal:
        screen = terminal.wait_for("R retries all that failed")
        assert "Back" in screen.splitlines()[-1] and "Help" in screen.splitlines()[-1]
        terminal.press("enter")
        terminal.wait_for(lambda text: "artifacts" in text and "mitmproxy.log" in text)
        terminal.press("f6")
        terminal.wait_for("R retries all that failed")


def test_enter_on_a_file_that_is_there_opens_it_and_q_closes_it(ci: dict[str, str], tmp_path: Path) -> None:
    with transfers(ci, tmp_path, (80, 24)) as terminal:
        terminal.press("/state:verified live_backing")
        terminal.wait_for("state:verified live_backing")
        terminal.press("enter")
        terminal.wait_for("⏎ opens it")
        terminal.press("enter")
        terminal.wait_for(lambda text: "log of" in text and "line" in text)
        terminal.press("q")
        terminal.wait_for("⏎ opens it")
        terminal.press("escape")
        terminal.wait_for(lambda text: "✖" in text)
        terminal.press("escape")
        terminal.wait_for("60 tasks")


def test_a_click_on_the_path_goes_back_and_the_letters_after_it_are_the_lists(
    ci: dict[str, str], tmp_path: Path
) -> None:
    extra = {"CIEXPLORE_CACHE_DIR": str(tmp_path / "c"), "CIEXPLORE_STATE_DIR": str(tmp_path / "s")}
    with Terminal("-m", "ciexplore", ci["taskcluster.finished-group"], size=(160, 40), extra=extra) as terminal:
        terminal.wait_for("60 tasks")
        terminal.press("enter")
        screen = terminal.wait_for(lambda text: "artifact" in text and text.splitlines()[1].count(" › ") == 2)
        terminal.press(click(screen.splitlines()[1].index(" › ") + 5, 2) + "/state:failed")
        terminal.wait_for(lambda text: "state:failed" in text and "60 tasks" in text)
