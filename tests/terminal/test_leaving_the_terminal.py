"""However the app is left, the terminal is as it was: its modes, its screen, its cursor, its mouse."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from backends.demo import DemoOptions, DemoProcess, locators
from tests.terminal.terminal import PATIENCE, Terminal, explorer

# Textual switches these on; the terminal must find them off, or the cursor on, after the last byte.
MODES = {b"1049": b"l", b"1000": b"l", b"1003": b"l", b"1006": b"l", b"2004": b"l", b"1004": b"l", b"25": b"h"}


def assert_whole(terminal: Terminal) -> None:
    last = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", bytes(terminal.written)))
    assert {mode: last.get(mode) for mode in MODES} == MODES
    assert terminal.attributes == terminal.attributes_before
    assert b"Traceback" not in terminal.written


def test_ctrl_c_says_how_to_quit_and_ctrl_q_gives_the_terminal_back(ci: dict[str, str]) -> None:
    with explorer() as terminal:
        terminal.wait_for("Paste a URL")
        terminal.press("ctrl+c")
        terminal.wait_for("to quit")
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0
        assert_whole(terminal)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_gives_the_terminal_back(ci: dict[str, str], number: signal.Signals, code: int) -> None:
    with explorer(ci["taskcluster.finished-group"]) as terminal:
        terminal.wait_for("60 tasks · fetched")
        os.kill(terminal.program.pid, number)
        assert terminal.wait_until_ended() == code
        assert_whole(terminal)


@pytest.mark.parametrize(("keys", "seen"), [((), "esc Back"), (("?",), "esc closes")], ids=["list", "dialog"])
def test_the_shells_fg_shows_all_of_the_screen_again(ci: dict[str, str], keys: tuple[str, ...], seen: str) -> None:
    with explorer(ci["taskcluster.finished-group"]) as terminal:
        terminal.wait_for(lambda text: "60 tasks · fetched" in text and "Bug 19" in text)
        terminal.press(*keys)
        terminal.wait_for(seen)
        terminal._settle(0.5)
        before = terminal.lines
        os.kill(terminal.program.pid, signal.SIGTSTP)  # as Ctrl+Z, which a dialog does not take
        os.waitpid(terminal.program.pid, os.WUNTRACED)
        os.write(terminal._slave, b"\x1b[2J\x1b[H[1]+  Stopped\r\n$ fg\r\n")
        terminal.wait_for(lambda text: text.startswith("[1]+  Stopped"))
        terminal.program.send_signal(signal.SIGCONT)
        terminal.wait_for(lambda text: [line for line in terminal.lines if "fetched" not in line]
                          == [line for line in before if "fetched" not in line])  # fmt: skip


def test_an_app_that_was_stopped_by_force_goes_on_as_after_ctrl_z(ci: dict[str, str]) -> None:
    """SIGSTOP cannot be handled: the shell has the terminal as the app had set it, and has drawn over the screen."""
    with explorer(ci["taskcluster.finished-group"]) as terminal:
        terminal.wait_for(lambda text: "60 tasks · fetched" in text and "Bug 19" in text)
        terminal._settle(0.5)
        before = [line for line in terminal.lines if "fetched" not in line]
        for _ in range(2):
            os.kill(terminal.program.pid, signal.SIGSTOP)
            os.waitpid(terminal.program.pid, os.WUNTRACED)
            os.write(terminal._slave, b"\x1b[2J\x1b[H[1]+  Stopped\r\n$ fg\r\n")
            terminal.wait_for(lambda text: text.startswith("[1]+  Stopped"))
            terminal.program.send_signal(signal.SIGCONT)
            terminal.wait_for(lambda text: [line for line in terminal.lines if "fetched" not in line] == before)
        terminal.press("/", *"state:failed")  # letters and sequences that two readers would take from one another
        terminal.wait_for("state:failed")
        terminal.press("enter")
        terminal.press("ctrl+q")
        assert terminal.wait_until_ended() == 0
        assert_whole(terminal)


def test_a_closed_window_ends_the_app(ci: dict[str, str]) -> None:
    with explorer(ci["taskcluster.finished-group"]) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.hang_up()
        assert terminal.program.wait(PATIENCE) == 128 + signal.SIGHUP


def test_a_terminal_that_goes_without_a_signal_ends_the_app(ci: dict[str, str]) -> None:
    """As of a container or a multiplexer that is killed: the app would otherwise wait for ever to write."""
    with explorer(ci["taskcluster.finished-group"], controlling=False) as terminal:
        terminal.wait_for("60 tasks · fetched")
        terminal.hang_up()
        assert terminal.program.wait(PATIENCE) == 128 + signal.SIGHUP


def test_the_demo_leaves_no_process_and_no_file_behind(tmp_path: Path) -> None:
    with explorer("demo", "--tasks", "30", cwd=tmp_path, extra={"TMPDIR": str(tmp_path)}) as terminal:
        screen = terminal.wait_for(lambda text: "A finished task group" in text)
        assert "demo" in screen.splitlines()[0]
        assert list(tmp_path.iterdir()), "the demo keeps its things somewhere else"
        terminal.press("enter")
        terminal.wait_for("30 tasks · fetched")
        terminal.press("y")
        terminal.wait_for("Copied")
        root = re.search(rb"127\.0\.0\.1:(\d+)", bytes(terminal.written))
        assert root is not None
        with socket.create_connection(("127.0.0.1", int(root[1])), timeout=PATIENCE) as held:
            terminal.press("q")
            assert terminal.wait_until_ended() == 0
            assert held.recv(1) == b"", "the demo's server outlived the app"
        assert_whole(terminal)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_dies_is_told_in_words_and_r_recovers() -> None:
    with DemoProcess(DemoOptions(tasks=20)) as first:
        port = int(first.root_url.rsplit(":", 1)[1])
        group = locators(first.options, first.root_url)["taskcluster.finished-group"]
        terminal = explorer(group)
        terminal.wait_for("20 tasks · fetched")
    with terminal:
        terminal.press("r")
        terminal.wait_for(lambda text: "stored copy" in text or "Nothing listens" in text)
        assert "completed" in terminal.text, "the rows went with the server"
        with DemoProcess(DemoOptions(tasks=20, port=port)):
            terminal.press("r")
            terminal.wait_for(lambda text: "20 tasks · fetched" in text and "stored copy" not in text)
        terminal.press("q")
        assert terminal.wait_until_ended() == 0
        assert_whole(terminal)


_CRASHING = """
import sys
from tui.app import Explorer
def action_help(self):
    password = "hunter2"
    raise RuntimeError(len(password) * "x")
Explorer.action_help = action_help
from tui.__main__ import main
sys.argv = ["ciexplore", *sys.argv[1:]]
main()
"""


def test_a_crash_exits_with_1_is_recorded_and_prints_no_value_of_a_variable(own_directories: Path) -> None:
    with Terminal("-c", _CRASHING) as terminal:
        terminal.wait_for("Paste a URL")
        terminal.press("tab", "?")
        assert terminal.wait_until_ended() == 1
        assert_whole(terminal)
        assert b"hunter2" not in terminal.written
        assert "ciexplore itself failed: RuntimeError" in terminal.text
        assert "faults.log" in terminal.text.replace("\n", "")
    assert "RuntimeError" in (own_directories / "state" / "faults.log").read_text()


def test_a_crash_while_a_group_is_watched_ends_the_process_too(ci: dict[str, str]) -> None:
    with Terminal("-c", _CRASHING, ci["taskcluster.running-group"]) as terminal:
        terminal.wait_for("tasks · fetched")
        terminal.press("W")
        terminal.wait_for("1 watched")
        terminal.press("?")
        assert terminal.wait_until_ended() == 1
        assert_whole(terminal)
