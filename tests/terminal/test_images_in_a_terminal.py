"""An image on a real terminal: what is typed meanwhile acts, the terminal is asked nothing, nothing stays behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

# Device attributes, sizes in pixels, and Kitty's question whether it knows images: the answers would be read as keys.
QUESTIONS = re.compile(rb"\x1b\[0?c|\x1b\[1[4-9]t|\x1b_G[^\x1b]*a=q")


@contextmanager
def screenshot(ci: dict[str, str], tmp_path: Path, images: str) -> Iterator[Terminal]:
    """The list of a failed task's artifacts with the cursor on the only screenshot."""
    extra = {
        "CIEXPLORE_CACHE_DIR": str(tmp_path / "c"), "CIEXPLORE_STATE_DIR": str(tmp_path / "s"),
        "CIEXPLORE_IMAGES": images,
    }  # fmt: skip
    with Terminal("-m", "ciexplore", ci["taskcluster.failed-task"], size=(100, 30), extra=extra) as terminal:
        terminal.wait_for("artifacts · fetched")
        terminal.press("/fail-screenshot")
        terminal.wait_for("1 of ")
        terminal.press("enter")
        terminal.wait_for("␣ Mark")
        yield terminal


@pytest.mark.parametrize("images", ["kitty", "sixel", "blocks", "off"])
def test_keys_typed_right_after_an_image_is_opened_all_act(ci: dict[str, str], tmp_path: Path, images: str) -> None:
    with screenshot(ci, tmp_path, images) as terminal:
        asked = len(QUESTIONS.findall(bytes(terminal.written)))
        terminal.press("\rq/-abcdefghijklmnopqrstuvwxyz")  # opens it, leaves it, and types another filter
        terminal.wait_for("/ -abcdefghijklmnopqrstuvwxyz ")
        terminal.press("escape", "escape")
        assert len(QUESTIONS.findall(bytes(terminal.written))) == asked


SIGNS = {
    "kitty": (b"\x1b_Ga=t,", "Kitty graphics"),
    "sixel": (b"\x1bP0;1;0q", "Sixel"),
    "blocks": (b"\xe2\x96\x80", "half"),
}


@pytest.mark.parametrize("images", SIGNS)
def test_the_image_is_written_and_the_terminal_is_left_without_it(
    ci: dict[str, str], tmp_path: Path, images: str
) -> None:
    sign, words = SIGNS[images]
    with screenshot(ci, tmp_path, images) as terminal:
        before = len(terminal.written)
        terminal.press("enter")
        screen = terminal.wait_for(lambda text: words in text and sign in terminal.written[before:])
        assert "PNG image · 1,024 × 640 pixels" in screen
        written = bytes(terminal.written[before:])
        assert sign in written and not QUESTIONS.search(written)
        terminal.resize(60, 20)
        terminal.wait_for(words)
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0
        end = bytes(terminal.written)
        if images == "kitty":
            sent = re.findall(rb"\x1b_Ga=t,f=100,i=(\d+),", end)
            forgotten = re.findall(rb"\x1b_Ga=d,d=I,i=(\d+),", end)
            assert len(sent) >= 2 and forgotten == sent
            assert end.rindex(b"\x1b_Ga=d,d=I") < end.rindex(b"\x1b[?1049l"), "after the screen was left"
