"""How many keys the most frequent jobs take from the first screen of `ciexplore demo` on, counted as they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal, explorer


class Counted:
    """Presses keys one by one and counts them."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.keys = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            assert key in ("enter", "escape", "tab") or len(key) == 1, "a single key"
            self.keys += 1
            self.terminal.press(key)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    with explorer("demo", cwd=tmp_path) as terminal:
        terminal.wait_for("A finished task group")
        yield Counted(terminal)


def test_group_filter_failed_mark_all_download_takes_at_most_8_keys(counted: Counted) -> None:
    terminal = counted.terminal
    counted.press("enter")
    terminal.wait_for("1,200 tasks · fetched")
    counted.press("!")
    terminal.wait_for("58 shown")
    counted.press("a")
    terminal.wait_for("58 marked")
    counted.press("d")
    terminal.wait_for("files to fetch")
    counted.press("enter")
    terminal.wait_for(re.compile(r"F6 Transfers [\d▶✖✔]|Download finished|Download ended").search)
    assert counted.keys <= 8


def test_from_an_alert_to_the_log_of_its_task_takes_at_most_6_keys(counted: Counted) -> None:
    terminal = counted.terminal
    counted.press(*"al")
    terminal.wait_for(lambda text: "Alerts to triage" in text and "A finished task group" not in text)
    counted.press("enter")
    terminal.wait_for("alert summaries · fetched")
    counted.press("enter")
    terminal.wait_for(" alerts · fetched")
    counted.press("l")
    terminal.wait_for("line 1 of ")
    assert "Task ID" in terminal.text
    assert counted.keys <= 6


def test_from_a_prow_job_to_the_last_failing_log_of_its_flakiest_test_takes_at_most_6_keys(counted: Counted) -> None:
    terminal = counted.terminal
    counted.press(*"fl")
    terminal.wait_for(lambda text: "A flaky Prow job" in text and "A finished task group" not in text)
    counted.press("enter")
    terminal.wait_for("150 builds")
    counted.press("x")
    terminal.wait_for("Flakiest tests")
    counted.press("F")
    screen = terminal.wait_for(lambda text: re.search(r"\d tests · ", text) and "loading" not in text)
    first = next(line for line in screen.splitlines() if line.startswith("▌"))
    assert "~" in first or ("F" in first and "P" in first), first
    counted.press("l")
    terminal.wait_for(re.compile(r"log of \S+ \d{19}").search)
    terminal.wait_for("Failing tests:")
    assert counted.keys <= 6
