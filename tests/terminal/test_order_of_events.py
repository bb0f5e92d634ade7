"""Keys, pastes and clicks that reach the terminal in one burst act in the order in which they were made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal


def paste(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


def click(column: int, line: int) -> str:
    """A press and a release of the left button, from 1."""
    return f"\x1b[<0;{column};{line}M\x1b[<0;{column};{line}m"


@contextmanager
def group(ci: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    extra = {"CIEXPLORE_CACHE_DIR": str(tmp_path / "c"), "CIEXPLORE_STATE_DIR": str(tmp_path / "s")}
    with Terminal("-m", "ciexplore", ci["taskcluster.finished-group"], size=(120, 40), extra=extra) as terminal:
        terminal.wait_for("60 tasks")
        yield terminal


@pytest.mark.parametrize("attempt", range(3))
def test_a_click_after_a_typed_filter_runs_none_of_its_letters(
    ci: dict[str, str], tmp_path: Path, attempt: int
) -> None:
    """`d`, `e`, `a`, `q` of the text are commands of the table that the click focuses."""
    with group(ci, tmp_path) as terminal:
        terminal.press("/state:failed suite:mochitest" + click(20, 8 + attempt))
        terminal.wait_for(lambda text: "shown" in text)
        terminal.wait_for("state:failed suite:mochitest")
        terminal.press("j")
        screen = terminal.wait_for("shown")
        assert "state:failed suite:mochitest" in screen, screen
        assert "marked" not in screen and "Export" not in screen.split("state:failed")[1].split("\n")[1], screen


def test_a_paste_after_slash_goes_into_the_filter(ci: dict[str, str], tmp_path: Path) -> None:
    with group(ci, tmp_path) as terminal:
        for number in range(5):
            terminal.press("/" + paste(f"nothing-{number}"))
            terminal.wait_for(f"nothing-{number}")
            terminal.press("escape")
            terminal.wait_for(lambda text, number=number: f"nothing-{number}" not in text)


def test_a_paste_after_ctrl_o_goes_into_the_box(ci: dict[str, str], tmp_path: Path) -> None:
    with group(ci, tmp_path) as terminal:
        for number in range(5):
            terminal.press("\x0f" + paste(f"pasted-{number}"))
            terminal.wait_for(f"pasted-{number}")
            terminal.press("escape")
            terminal.wait_for(lambda text, number=number: f"pasted-{number}" not in text)


def test_what_follows_a_key_that_opens_a_dialog_belongs_to_the_dialog(ci: dict[str, str], tmp_path: Path) -> None:
    """Ctrl+O, a locator and Enter in one burst open the list; `j` and Enter after it open its second row."""
    with group(ci, tmp_path) as terminal:
        terminal.press("\x0f" + ci["taskcluster.finished-group"] + "\r/state:failed")
        terminal.wait_for(lambda text: "shown" in text and "state:failed" in text)


def test_letters_after_a_key_that_opens_the_download_are_not_commands_of_the_list(
    ci: dict[str, str], tmp_path: Path
) -> None:
    with group(ci, tmp_path) as terminal:
        terminal.press("d" + "\x1b[B" * 3 + "aaaa")
        screen = terminal.wait_for("Start")
        terminal.press("escape")
        screen = terminal.wait_for(lambda text: "Start" not in text)
        assert "marked" not in screen, screen


def test_a_paste_in_a_list_opens_the_box_with_it(ci: dict[str, str], tmp_path: Path) -> None:
    with group(ci, tmp_path) as terminal:
        terminal.press(paste("pasted here") + " and typed")
        terminal.wait_for("pasted here and typed")


def test_a_paste_of_a_megabyte_is_cut_and_the_next_keys_are_answered(ci: dict[str, str], tmp_path: Path) -> None:
    with group(ci, tmp_path) as terminal:
        terminal.press("/")
        terminal.wait_for("esc")
        for piece in ("\x1b[200~", *["lorem ipsum dolor sit amet " * 37] * 1000, "\x1b[201~"):
            terminal.press(piece)
        terminal.wait_for("first 10,000 characters")
        terminal.press("\x10")
        terminal.wait_for("⏎ runs")


def test_escapes_in_a_paste_run_no_keys(ci: dict[str, str], tmp_path: Path) -> None:
    """Coloured text: `e` would open the export, `d` the download, and `\\x1bOQ` (F2) start it."""
    with group(ci, tmp_path) as terminal:
        terminal.press(paste("\x1b[31mred\x1b[0m \x1b]0;edited\x07 \x1bOQend"))
        screen = terminal.wait_for("red")
        assert "Export" not in screen.split("60 tasks")[0] and "end" in screen, screen
        assert not list(tmp_path.glob("*.csv"))


@pytest.mark.parametrize(
    "mouse",
    [
        "\x1b[<0;999;999M\x1b[<0;999;999m",
        "\x1b[<0;20;10M\x1b[<32;90;30M\x1b[<32;300;90M\x1b[<0;300;90m",
        "\x1b[<64;999;999M",
    ],
    ids=["click", "drag", "wheel"],
)
def test_keys_still_act_after_the_mouse_was_outside_of_the_window(
    ci: dict[str, str], tmp_path: Path, mouse: str
) -> None:
    """A drag that ends there, or a click while the window shrank."""
    with group(ci, tmp_path) as terminal:
        terminal.press(mouse + "|")
        terminal.wait_for("Columns")
        terminal.press("escape", "\x10")
        terminal.wait_for("⏎ runs")
        terminal.press("escape", "/")
        terminal.press("state:failed")
        terminal.wait_for("state:failed")
