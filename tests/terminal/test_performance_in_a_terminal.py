"""A performance engineer's way with real keys at 80x24: suite, series, alert, task, comparison, and a CSV of each."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal, explorer
from tui.widgets.charts import SHAPES, braille

Rows = list[dict[str, str]]


@pytest.fixture
def terminal(ci: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    with explorer(ci["perf.repository-autoland"], cwd=tmp_path) as opened:
        opened.wait_for("11 frameworks")
        yield opened


def choose_entry(terminal: Terminal, words: str) -> None:
    """Presses the letter before an entry of the menu."""
    terminal.press("x")
    entry = re.compile(rf"(\w)  {words} *│")
    found = entry.search(terminal.wait_for(entry.search))
    assert found is not None
    terminal.press(found[1])


def filter_rows(terminal: Terminal, text: str) -> int:
    terminal.press("/")
    terminal.wait_for("esc Clear")
    terminal.press(text)
    shown = re.compile(r" · ([\d,]+) shown")
    terminal.wait_for(lambda screen: f"/ {text}" in screen and shown.search(screen))
    terminal.press("enter")
    # Only now: while one types, what is shown may still be what the letters before the last ones left.
    found = shown.search(terminal.wait_for("␣ Mark"))
    assert found is not None
    return int(found[1].replace(",", ""))


def export_rows(terminal: Terminal, directory: Path) -> Rows:
    """The rows of the CSV that e and F2 write with what the dialog offers."""
    before = set(directory.glob("*.csv"))
    terminal.press("e")
    terminal.wait_for("For a spreadsheet")
    terminal.press("f2")
    terminal.wait_for(lambda text: set(directory.glob("*.csv")) - before and "For a spreadsheet" not in text)
    [path] = set(directory.glob("*.csv")) - before
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_suite_series_alert_task_comparison_and_every_table_exported(terminal: Terminal, tmp_path: Path) -> None:
    # Three keys (x, the entry's letter, /) and a filter find the suites among all signatures of the repository.
    choose_entry(terminal, "Signatures of all frameworks with subtests")
    total = re.compile(r" ([\d,]{5}) signatures · fetched")
    found = total.search(terminal.wait_for(total.search))
    assert found is not None and int(found[1].replace(",", "")) > 3900
    count = filter_rows(terminal, "amazon linux cold subtests:yes application:firefox")
    assert 2 <= count < 10
    suites = export_rows(terminal, tmp_path)
    assert len(suites) == count and {row["suite"] for row in suites} == {"amazon"}

    # Their series, and one more, over each other.
    assert filter_rows(terminal, "suite:amazon linux cold subtests:yes") >= 3
    terminal.press("space", "space", "space")
    terminal.wait_for("3 marked")
    terminal.press("A")
    screen = terminal.wait_for(
        lambda text: "2 more series" in text and "points · fetched" in text and "· 1 alert" in text and "◆" in text
    )
    assert all(f"{braille(shape)} " in screen for shape in SHAPES[:3])
    points = export_rows(terminal, tmp_path)
    assert len({row["series"] for row in points}) == 3
    terminal.press("}")
    terminal.wait_for("outside")
    terminal.press("{")
    terminal.wait_for(lambda text: "outside" not in text and "◆ marked" in text)

    # To the point that was alerted on, its alerts, and the task that measured it.
    alerted = {row["alert"] for row in points if row["alert"]}
    assert filter_rows(terminal, "alert:regression") == len([row for row in points if "regression" in row["alert"]])
    choose_entry(terminal, r"Alert summary \d+")
    title = re.compile(r"Alert (\d+): ")
    found = title.search(terminal.wait_for(lambda text: title.search(text) and " alerts · fetched" in text))
    assert found is not None and any(words.startswith(found[1]) for words in alerted)
    alerts = export_rows(terminal, tmp_path)
    assert any(f"{found[1]} {row['change']} {float(row['percent']):+.1f} %" in alerted for row in alerts)
    choose_entry(terminal, "The task")
    terminal.wait_for(lambda text: re.search(r"\d+ artifacts? · fetched", text))
    artifacts = export_rows(terminal, tmp_path)
    assert any("perfherder-data" in row["name"] for row in artifacts)
    terminal.press("escape")

    # The push before the alert and the one alerted on, side by side.
    terminal.wait_for(" alerts ·")
    terminal.press("=")
    terminal.wait_for(lambda text: re.search(r"autoland [0-9a-f]{12}.* → ", text) and " tests · fetched" in text)
    compared = export_rows(terminal, tmp_path)
    assert {"verdict", "delta_percent", "p", "cliffs_delta", "t", "confidence"} <= set(compared[0])
    assert any(row["suite"] == "amazon" for row in compared)
    terminal.press("ctrl+q")
    assert terminal.wait_until_ended() == 0


def test_two_revisions_are_compared_down_to_both_sides_values(ci: dict[str, str], tmp_path: Path) -> None:
    with explorer(cwd=tmp_path) as terminal:
        terminal.press("f3")
        terminal.wait_for("Performance signatures")
        terminal.press("ctrl+o")
        terminal.press(ci["perf.compare"], "enter")
        terminal.wait_for(lambda text: " tests · fetched" in text and "Δ %" in text)
        count = filter_rows(terminal, "verdict:regression n_base>4 subtests:yes")
        rows = export_rows(terminal, tmp_path)
        assert len(rows) == count > 0 and {row["verdict"] for row in rows} == {"regression"}
        choose_entry(terminal, "The values of both sides")
        terminal.wait_for(lambda text: " values · fetched" in text and ("⣤ base" in text or "⣤ new" in text))
        terminal.press("h")
        terminal.wait_for(lambda text: "not grouped" in text and "p90" in text)  # what it can be grouped by is known
        terminal.press("b")
        terminal.wait_for(lambda text: "by side" in text and "▒ " in text)
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0
