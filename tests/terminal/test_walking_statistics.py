"""The statistics walked with real keys: bins and values, each of which filters the list to exactly what it counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal, explorer

CHOSEN = re.compile(r"▸ (\S.*?)  ([\d,]+) of ([\d,]+) ·")


def read_chosen(terminal: Terminal, *, other_than: str = "") -> tuple[str, int]:
    """The value or bin in the line under the axis, and its count."""

    def changed(text: str) -> bool:
        found = CHOSEN.search(text)
        return found is not None and found[1] != other_than

    terminal.wait_for(changed)
    terminal._settle(0.1)  # the line may have been drawn in part
    found = CHOSEN.search(terminal.text)
    assert found is not None
    return found[1], int(found[2].replace(",", ""))


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_bins_and_values_are_walked_and_filter_the_list(
    ci: dict[str, str], tmp_path: Path, size: tuple[int, int]
) -> None:
    with explorer(size=size, cwd=tmp_path) as terminal:
        terminal.wait_for("Paste a URL")
        terminal.press(ci["taskcluster.finished-group"], "enter")
        terminal.wait_for("60 tasks · fetched")
        terminal.press("h")
        terminal.wait_for("h walks the bins")
        terminal.press("tab" if size[0] == 80 else "h")  # where there is room, the detail panel comes first
        first, _ = read_chosen(terminal)
        terminal.press("right")
        read_chosen(terminal, other_than=first)
        terminal.press("left", "enter")
        terminal.wait_for("duration>=")
        terminal.wait_for(lambda text: re.search(r"60 tasks · \d+ shown", text))
        terminal.press("escape")  # the table has the focus again: the filter goes
        terminal.wait_for(lambda text: "60 tasks · fetched" in text and "duration>=" not in text)
        terminal.press("h")
        value, _ = read_chosen(terminal)
        terminal.press("]")
        terminal.wait_for(lambda text: "distinct" in text)
        value, _ = read_chosen(terminal, other_than=value)
        terminal.press("down")
        value, count = read_chosen(terminal, other_than=value)
        terminal.press("enter")
        terminal.wait_for(lambda text: f"{count} of 60" in text and "=" in text)
        terminal.press("escape", "h")
        read_chosen(terminal)
        terminal.press("escape")
        terminal.wait_for("esc Back")  # the table's keys
        terminal.press("h", "h")
        terminal.wait_for(lambda text: "distinct" not in text)


@pytest.mark.parametrize(("burst", "column"), [("hh\x1b[C\r", "duration>="), ("hh]\x1b[B\r", "suite")])
def test_keys_typed_before_the_statistics_are_measured_are_meant_for_them(
    ci: dict[str, str], tmp_path: Path, burst: str, column: str
) -> None:
    """Enter in the same burst as `h` and `]` filters by what these come to, not by what was drawn before, and not at
    all is worse."""
    with explorer(ci["taskcluster.finished-group"], size=(80, 24), cwd=tmp_path) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.press(burst)
        screen = terminal.wait_for(lambda text: re.search(r"60 tasks · \d+ shown", text))
        filter_line = next((line for line in screen.split("\n") if column in line.lower()), "")
        assert "=" in filter_line or ":" in filter_line, screen
