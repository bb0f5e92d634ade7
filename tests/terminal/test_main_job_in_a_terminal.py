"""The main job with real keys on a real terminal of 80x24: paste, filter, mark, measure, export, download."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal, explorer


def filter_and_mark(terminal: Terminal, text: str) -> int:
    """Types a filter, goes back to the table and marks all; gives how many rows are shown and marked then."""
    terminal.press("/")
    terminal.wait_for("esc Clear")  # the footer of the filter box: what is typed from now on is text
    terminal.press(text)
    terminal.wait_for(lambda screen: text in screen and " shown" in screen)
    terminal.press("enter")
    terminal.wait_for("␣ Mark")
    terminal.press("a")
    marked = re.compile(r"60 tasks · (\d+) shown · ● \1 marked")
    found = marked.search(terminal.wait_for(marked.search))
    assert found is not None
    return int(found[1])


def test_paste_filter_mark_measure_export_and_download(ci: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "out"
    with explorer(cwd=tmp_path, extra={"CIEXPLORE_OUTPUT": str(output)}) as terminal:
        terminal.wait_for("Paste a URL")
        terminal.press(ci["taskcluster.finished-group"], "enter")
        terminal.wait_for("60 tasks · fetched")
        count = filter_and_mark(terminal, "state:failed,exception")
        assert 0 < count < 60
        terminal.press("h")
        terminal.wait_for(lambda text: f"{count} marked tasks" in text and "median" in text and "▓" in text)
        terminal.press("h", "h")
        terminal.wait_for(lambda text: "median" not in text)

        terminal.press("e")
        terminal.wait_for(f"{count} marked ")
        terminal.press("f2")
        terminal.wait_for("Exported")
        with next(tmp_path.glob("*.csv")).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len({row["task_id"] for row in rows}) == len(rows) == count
        assert {row["state"] for row in rows} == {"failed", "exception"}

        terminal.press("d")
        terminal.wait_for("files to fetch")
        assert not output.exists(), "a plan must write nothing"
        terminal.press("tab", "*_errorsummary.log")
        terminal.wait_for(lambda text: re.search(r" [1-9] files? to fetch", text))
        terminal.press("f2")
        terminal.wait_for("Download finished")
        terminal.press("f6")
        screen = terminal.wait_for(lambda text: re.search(r" (\d+) of \1 files? ", text) and "verified" in text)
        verified = re.search(r"(\d+) verified", screen)
        assert verified is not None
        files = [path for path in output.rglob("*") if path.is_file() and ".ciexplore" not in path.parts]
        assert len(files) == int(verified[1]) > 0
        assert all(path.name.endswith("_errorsummary.log") for path in files)

        terminal.press("escape")
        terminal.wait_for(f"{count} marked")
        terminal.press("q")
        assert terminal.wait_until_ended() == 0


def test_keys_without_a_meaning_and_broken_sequences_change_nothing(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"]) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.press("Z", "!", "é", "測", "\x1b[99~", "\x1b[9;99R", "X", "R", "n", "ctrl+x")
        terminal.press("tab", "tab", "f1", "ctrl+o")
        terminal.wait_for("Paste a URL")
        terminal.press("escape")
        terminal.wait_for(lambda text: "Paste a URL" not in text and "60 tasks" in text)
        terminal.press("\x1b[200~pasted\nwords\x1b[201~")
        terminal.wait_for("pasted words")
        terminal.press("escape")
        terminal.wait_for(lambda text: "pasted words" not in text and "60 tasks" in text)
        terminal.press("q")
        assert terminal.wait_until_ended() == 0


def test_the_screen_follows_the_size_of_the_window(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"]) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.resize(200, 60)
        terminal.wait_for(lambda text: "Worker pool" in text and "60 tasks · fetched" in text)  # the detail beside it
        terminal.resize(40, 12)
        terminal.wait_for(lambda text: "Worker pool" not in text and "60 tasks" in text.splitlines()[10])
        terminal.press("G", "h")
        terminal.wait_for("Duration")
        terminal.press("h")
        terminal.resize(80, 24)
        terminal.wait_for(lambda text: "60 tasks · fetched" in text.splitlines()[22] and "/ Filter" in text)
        assert filter_and_mark(terminal, "state:failed") > 0
        terminal.press("q")
        assert terminal.wait_until_ended() == 0


@pytest.mark.parametrize("value", ["1", ""])
def test_no_color_shows_no_hue_and_still_every_state(ci: dict[str, str], value: str) -> None:
    with explorer(ci["taskcluster.finished-group"], extra={"NO_COLOR": value} if value else {}) as terminal:
        terminal.wait_for("60 tasks · fetched")
        assert "completed" in terminal.text and "failed" in terminal.text  # the legend of the signs
        assert "✔" in terminal.text and "✖" in terminal.text
        terminal.press("q")
        terminal.wait_until_ended()
        written = bytes(terminal.written)
    rgb = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")
    hues = {triple for triple in rgb.findall(written) if len(set(triple)) > 1}
    rest = [rgb.sub(b"", found).split(b";") for found in re.findall(rb"\x1b\[([0-9;]+)m", written)]
    assert not [code for codes in rest for code in codes if code.isdigit() and int(code) >= 30], "a palette's colour"
    assert bool(hues) is not bool(value)


def test_letters_that_the_encoding_lacks_keep_their_cells(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"], extra={"PYTHONIOENCODING": "ascii"}) as terminal:
        screen = terminal.wait_for("60 tasks")
        assert "\\u25" not in screen and "52 completed" in screen, screen
