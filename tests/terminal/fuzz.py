"""Random keys, clicks, drags, pastes and resizes for the app on its demo in a pseudo-terminal, from a seed.

Each event depends on the seed and its number only. Before a key or click that may confirm something the app is asked
what that would do, and it answers once all earlier events have been handled (`answering_app`): nothing here depends on
how fast the machine is. Exports, logs and downloads are confirmed where they go to the working directory under the name
that the dialog shows; Esc is sent otherwise. Any other file there or in the home directory was written by events that
did not mean it.

Keys that only quit or suspend are left out: what is typed while it stops is lost, as in any program. If a command of
the palette suspends it, it is continued as by `fg`.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import signal
import struct
import termios
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.terminal.answering_app import ANSWER, QUESTION
from tests.terminal.terminal import KEYS, Terminal

SIZE = (80, 24)
SIZES = (SIZE, SIZE, (60, 15), (160, 48), (120, 40), (46, 12), (9, 3))
CHECKED_EVERY = 500  # events between two checks that it still answers keys with what they are for
STEERED_EVERY = 20  # events between two times that a dialog is closed, or an example opened on the start screen
OUTPUT = "ciexplore-downloads"  # the directory of downloads
PATIENCE = 60.0  # seconds for an answer; only what never comes takes that long
_APP = str(Path(__file__).with_name("answering_app.py"))
_LETTERS = "abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#:/?=+-<>[]{}_.,;|*~ "
_MOVES = ("up", "down", "left", "right", "pageup", "pagedown", "tab", "f1", "f3", "f4", "f5", "f6")
_NAMED = {
    **KEYS,
    "escape": "\x1b[27u",  # as kitty sends it: no other key after it can be read as Alt with that key
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "ctrl+a": "\x01",
    "ctrl+p": "\x10",
    "ctrl+k": "\x0b",
    "shift+tab": "\x1b[Z",
    "alt+left": "\x1b[1;3D",
    "alt+right": "\x1b[1;3C",
}
_OTHERS = ("backspace", "delete", "home", "end", "ctrl+a", "ctrl+k", "ctrl+c", "ctrl+x", "shift+tab",
           "alt+left", "alt+right", "escape", "escape", "escape")  # fmt: skip
_COMMANDS = ("|", "V", "U", "Y", "S", "h", "x", "!", "C", "c", "e", "d", "l", "t", "a", "v", "hh", "A", "M", "P", "/")
_TEXTS = (
    "state:failed", "duration>10m", "/(", "name:", "é測 \u202e[red]x[/red]", "line one\nline two", "x" * 300,
    "gecko.v2.autoland.latest", "treeherder:alerts/all/all", "gs://test-platform-results/logs/", "log", "time", "sort",
    "\x00\x07\x0e\x1b]0;title\x07\x1b[2J\x1bP", "1;2;3M", "a" * 50_000,
)  # fmt: skip
_PART = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part")  # the name that a file has while it is written
_ACTING = ("enter", "enter", "f2", "space", "y")  # what may confirm


@dataclass
class FuzzResult:
    events: int = 0
    quits: int = 0  # times that a command of the palette or a click quit the app, which was started again
    spared: int = 0  # confirmations that were not given
    confirmed: int = 0  # those that were: each may write the file or the directory that the dialog shows
    written: int = 0  # files that these made
    screens: Counter[str] = field(default_factory=Counter)  # what was shown when the app was asked
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=200))


class FuzzError(AssertionError):
    """The app ended, does not answer any more, or wrote what nobody asked for."""


class _RawTerminal(Terminal):
    """Keeps the end of what was written; it is not drawn, which would take more time than the app."""

    def _feed(self, piece: bytes) -> None:
        del self.written[:-400_000]

    def draw(self) -> str:
        super()._feed(bytes(self.written))
        return self.text


class Fuzz:
    """`directory`: empty; the app's working directory, its home and its temporary files are below it.

    `demo`: arguments of `ciexplore demo`.
    """

    def __init__(self, directory: Path, seed: int, demo: Sequence[str] = ("--tasks", "120")) -> None:
        self.seed = seed
        self.result = FuzzResult()
        self._demo = demo
        self._expected: set[Path] = set()
        self.work, self._home, self._temporary = (directory / name for name in ("work", "home", "tmp"))
        for path in (self.work, self._home, self._temporary):
            path.mkdir()
        self._start()

    def _start(self) -> None:
        extra = {"HOME": str(self._home), "TMPDIR": str(self._temporary), "BROWSER": "true"}
        extra |= {"PYTHONDONTWRITEBYTECODE": "1", "STACKS": str(self._temporary / "stacks")}
        self._size, self._asked = SIZE, 0
        self._terminal = _RawTerminal(_APP, "demo", *self._demo, size=SIZE, cwd=self.work, extra=extra)
        deadline = time.monotonic() + PATIENCE
        while b"A finished task group" not in self._terminal.written:
            if time.monotonic() > deadline or self._terminal.program.poll() is not None:
                self._fail("it does not start")
            time.sleep(0.02)

    def run(self, events: int) -> FuzzResult:
        """Sends that many events. Raises `FuzzError`, which names the last events, where it fails."""
        try:
            for number in range(1, events + 1):
                self.result.events = number
                self._random = random.Random(f"{self.seed} {number}")
                if number % STEERED_EVERY == 1:
                    self._steer()
                self._send_one()
                self._check_files()
                if number % CHECKED_EVERY == 0 or number == events:
                    self._check()
        finally:
            self._terminal.close()
        return self.result

    # ---- events
    def _send_one(self) -> None:
        chance = self._random.random()
        if chance < 0.32:
            self._write(self._random.choice(_LETTERS))
        elif chance < 0.40:
            self._write(self._random.choice(_COMMANDS))
        elif chance < 0.58:
            self._write(_NAMED[self._random.choice(_MOVES)])
        elif chance < 0.70:
            self._confirm(_NAMED.get(key := self._random.choice(_ACTING), key))
        elif chance < 0.80:
            self._write(_NAMED[self._random.choice(_OTHERS)])
        elif chance < 0.90:
            self._confirm(self._click())
        elif chance < 0.93:
            self._write(f"\x1b[200~{self._random.choice(_TEXTS)}\x1b[201~")
        elif chance < 0.96:
            text = self._random.choice(("", *_TEXTS, *"abcdefst")).partition("\n")[0]
            self._write("\x10" + "".join(letter for letter in text[:300] if letter.isprintable()))
        elif chance < 0.97:
            self._write(_NAMED["ctrl+o"])
        elif chance < 0.98:
            state = self._ask()
            if state is not None and (state["depth"] > 1 or state["screen"] != "PlainScreen"):  # else it only quits
                self._confirm("q")
        else:
            self._resize_to(self._random.choice(SIZES))

    def _steer(self) -> None:
        """Most random texts open nothing, and in most dialogs all letters are text."""
        state = self._ask()
        if state is not None and state["screen"] not in ("PlainScreen", "LocateDialog"):
            self._write(_NAMED["escape"])
            state = self._ask()
        if state is None:
            return
        if state["screen"] == "LocateDialog" or (state["screen"], state["place"]) == ("PlainScreen", "start"):
            self._write("\x01\x0b" + "\x1b[B" * self._random.randrange(12) + "\r")

    def _confirm(self, keys: str) -> None:
        """Sends what may confirm, unless that could write elsewhere than shown in the working directory."""
        state = self._ask()
        if state is None:
            return
        if state["writes"] is not None:
            path = Path(state["path"])
            if "~" in state["writes"] or ".." in state["writes"] or path.parent != self.work:
                self.result.spared += 1
                self._write(_NAMED["escape"])
                return
            self.result.confirmed += 1
            self._expected.add(path)
        self._write(keys)

    def _click(self) -> str:
        """A press and release, or a drag, or a turn of the wheel, somewhere on the screen or just outside."""
        columns, lines = self._size
        at, to = (
            f"{self._random.randint(1, columns + 1)};{self._random.randint(1, lines + 1)}" for _ in range(2)
        )  # fmt: skip
        button = self._random.choice((0, 0, 0, 0, 2, 64, 65))
        if button >= 64:
            return f"\x1b[<{button};{at}M" * self._random.choice((1, 1, 5))
        if self._random.random() < 0.2:
            return f"\x1b[<{button};{at}M\x1b[<{button + 32};{to}M\x1b[<{button};{to}m"
        return f"\x1b[<{button};{at}M\x1b[<{button};{at}m" * self._random.choice((1, 1, 2))

    def _resize_to(self, size: tuple[int, int]) -> None:
        self._size = size
        self._terminal._set_size(*size)

    def _write(self, text: str) -> None:
        if text != QUESTION:
            self.result.recent.append(repr(text if len(text) < 60 else f"{text[:50]}... {len(text)}"))
        data, deadline = text.encode(), time.monotonic() + PATIENCE
        while data:
            if self._unread() < 2000:  # more than the line discipline holds would be lost
                data = data[os.write(self._terminal._master, data[:1000]) :]
                continue
            if time.monotonic() > deadline:
                self._fail_busy("it reads no more keys")
            if self._ended():
                return
            self._bring_to_foreground()
            time.sleep(0.005)

    def _bring_to_foreground(self) -> None:
        """As a shell's fg does, if it has been suspended."""
        program = self._terminal.program
        try:
            stat = Path(f"/proc/{program.pid}/stat").read_text()
        except OSError:
            return
        if stat.rpartition(")")[2].split()[0] == "T":
            program.send_signal(signal.SIGCONT)

    # ---- what it does meanwhile
    def _unread(self) -> int:
        """Bytes that the app has not read."""
        return int(struct.unpack("i", fcntl.ioctl(self._terminal._slave, termios.FIONREAD, b"\0" * 4))[0])

    def _ask(self) -> dict[str, Any] | None:
        """What the app shows once it has handled all that was sent; None if it was quit, and has been started again."""
        self._asked += 1
        self._write(QUESTION)
        terminal, deadline = self._terminal, time.monotonic() + PATIENCE
        with terminal._changed:
            while True:
                at = terminal.written.rfind(b"\x1b]777;")
                found = re.match(ANSWER, terminal.written[at:]) if at >= 0 else None
                if found is not None and (state := json.loads(found[1]))["number"] >= self._asked:
                    break
                if terminal.program.poll() is not None or self._terminal is not terminal:
                    state = None
                    break
                if time.monotonic() > deadline:
                    self._fail_busy("it does not answer")
                if not terminal._changed.wait(0.2):
                    self._bring_to_foreground()
        if state is None:
            self._ended()
            return None
        self.result.screens[f"{state['screen']} on {state['place']}"] += 1
        dialogs = f" {state['screen']}" if state["screen"] != "PlainScreen" else ""
        self.result.recent.append(f"({state['place']}{dialogs}, {state['focused']})")
        return dict(state)

    def _ended(self) -> bool:
        """Whether it ended; if it was quit it is started again."""
        code = self._terminal.program.poll()
        if code is None:
            return False
        if code:
            self._fail(f"it ended with {code}")
        self._terminal.close()
        self.result.quits += 1
        self._start()
        return True

    def _check(self) -> None:
        """Esc closes all dialogs, Ctrl+P opens the palette; no crash is recorded; nothing else was written."""
        self._resize_to(SIZE)
        for _ in range(30):
            state = self._ask()
            if state is None or state["screen"] == "PlainScreen":
                break
            self._write(_NAMED["escape"])
        else:
            self._fail("Esc does not close the dialogs")
        self._write("\x10")
        state = self._ask()
        if state is not None and state["screen"] != "PaletteDialog":
            self._fail("Ctrl+P opens no palette")
        self._write(_NAMED["escape"])
        state = self._ask()
        if state is not None and state["screen"] != "PlainScreen":
            self._fail("Esc does not close the palette")
        crashes = [path.read_text() for path in self._temporary.rglob("faults.log")]
        if any(crashes):
            self._fail(f"it recorded a crash:\n{crashes}")
        self._check_files()

    def _check_files(self) -> None:
        for path in (*self.work.iterdir(), *self._home.iterdir()):
            part = _PART.fullmatch(path.name)
            meant = path.with_name(part[1]) if part is not None else path
            if meant in self._expected and path.is_file():
                if part is None:
                    self.result.written += 1
                    path.unlink()
            elif path.name != OUTPUT and meant not in self._expected:
                age = time.time() - path.stat().st_mtime
                confirmed = sorted(one.name for one in self._expected)
                self._fail(f"{age:.1f} s ago it wrote {path}, confirmed were {confirmed}")

    def _fail_busy(self, what: str) -> None:
        """Says where its threads are, and what its tasks wait for."""
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            self._terminal.program.send_signal(number)
        time.sleep(1)
        found = [path.read_text()[-8000:] for path in sorted(self._temporary.glob("stacks*"))]
        self._fail("\n".join([f"{what}; it is at", *found]))

    def _fail(self, what: str) -> None:
        recent = " ".join(self.result.recent)
        screen = self._terminal.draw()
        raise FuzzError(f"seed {self.seed}, event {self.result.events}: {what}\nthe last events: {recent}\n{screen}")
