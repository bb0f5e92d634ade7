"""What a server calls its things never reaches the terminal as anything but letters."""

from __future__ import annotations

import re

from tests.terminal.terminal import Terminal, explorer

# Planted by backends/demo/taskcluster/hostile.py: colours, title, clearing, a C1 report request, bell, bidi.
PLANTED = (
    b"\x1b[31m",
    b"\x1b]0;",
    b"\x1b]8;",
    b"\x1b[2J\x1b[H",
    "\x9b".encode(),
    b"\x9b5n",
    b"\x00",
    "\u202e".encode(),
    "\u2066".encode(),
    "\u2028".encode(),
)


def assert_harmless(terminal: Terminal) -> None:
    written = bytes(terminal.written)
    for sequence in PLANTED:
        assert sequence not in written, sequence
    # Textual itself sets the pointer's shape; no other bell or title is ours.
    assert b"\x07" not in re.sub(rb"\x1b\]22;[a-z-]*\x07", b"", written)


def test_hostile_task_and_artifact_names_reach_the_terminal_as_letters(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.hostile-group"], size=(200, 50)) as terminal:
        terminal.wait_for(lambda text: "tasks · fetched" in text and "passwd" in text)
        terminal.press(*["j"] * 25, *["k"] * 25, "y")
        terminal.wait_for("Copied")
        terminal.press("h", "]", "]", "b", "h", "h", "e")
        terminal.wait_for("Export")
        terminal.press("escape", "/")
        terminal.wait_for("esc Clear")
        terminal.press("artifact-names")
        terminal.wait_for("1 shown")
        terminal.press("enter")
        terminal.wait_for("␣ Mark")
        terminal.press("enter")
        terminal.wait_for("evil.zip")
        terminal.press(*["j"] * 30, "a", "d")
        terminal.wait_for("files to fetch")
        terminal.press("escape", "ctrl+q")
        assert terminal.wait_until_ended() == 0
        # y copies to the clipboard by OSC 52, in base64.
        terminal.written[:] = re.sub(rb"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", b"", bytes(terminal.written))
        assert_harmless(terminal)


def test_a_listing_printed_on_a_terminal_is_harmless_in_every_format(ci: dict[str, str]) -> None:
    for form in ("table", "csv", "json", "jsonl"):
        with explorer("taskcluster", "tasks", ci["taskcluster.hostile-group"], "--format", form) as terminal:
            assert terminal.wait_until_ended() == 0
            assert form == "table" or b"passwd" in terminal.written
            assert_harmless(terminal)
