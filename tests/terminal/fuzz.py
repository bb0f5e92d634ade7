"""Random keys, clicks, pastes and resizes for the app on its demo in a pseudo-terminal, from a seed.

Keys that only quit or suspend are left out. What would write to the working directory is never confirmed: before a
key or click that may do so, the screen is awaited, and Esc is sent if it asks for that. So whatever is written there
all the same was written by events that did not mean it.
"""

from __future__ import annotations

import fcntl
import os
import random
import struct
import termios
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

from tests.terminal.terminal import KEYS, Terminal, explorer

SIZE = (80, 24)
SIZES = (SIZE, SIZE, (60, 15), (120, 40), (200, 60), (46, 12))
CHECKED_EVERY = 500  # events between two checks that it still answers
STEERED_EVERY = 20  # events between two times that a dialog is closed, or an example opened on the start screen
OUTPUT = "ciexplore-downloads"  # the demo's own: archives that a list fetches
_QUIET, _LONGEST = 0.04, 2.0  # seconds without output after which a screen counts as complete; what it may take at most
_LETTERS = "abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#:/?=+-<>[]{}_.,;|*~ "
_MOVES = ("up", "down", "left", "right", "pageup", "pagedown", "tab", "f1", "f2", "f3", "f4", "f5", "f6")
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
_OTHERS = ("backspace", "delete", "home", "end", "ctrl+a", "ctrl+k", "ctrl+c", "ctrl+x", "shift+tab", "alt+left",
           "alt+right", "escape", "escape", "escape")  # fmt: skip
_TEXTS = (
    "state:failed", "duration>10m", "/(", "name:", "é測 \u202e[red]x[/red]", "line one\nline two", "x" * 300,
    "gecko.v2.autoland.latest", "treeherder:alerts/all/all", "gs://test-platform-results/logs/", "log", "time", "sort",
)  # fmt: skip
_ACTING = ("enter", "f2", "space", "y")  # what may confirm
# What the screen shows where that would write to the working directory: the keys of the dialogs, the prompt of a log.
_WRITES = ("⏎ exports", "⏎ starts", "⏎ shows the plan", "save to")


@dataclass
class FuzzResult:
    events: int = 0
    quits: int = 0  # times that a command of the palette or a click quit the app, which was started again
    spared: int = 0  # confirmations that were not given
    screens: Counter[str] = field(default_factory=Counter)  # by what stands in their second line
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=40))


class FuzzError(AssertionError):
    """The app ended, does not answer any more, or wrote what nobody asked for."""


class Fuzz:
    """`directory`: empty; the app's working directory, its home and its temporary files are below it."""

    def __init__(self, directory: Path, seed: int, tasks: int = 120) -> None:
        self.seed = seed
        self.result = FuzzResult()
        self._random = random.Random(seed)
        self._tasks = tasks
        self.work, self._home, self._temporary = (directory / name for name in ("work", "home", "tmp"))
        for path in (self.work, self._home, self._temporary):
            path.mkdir()
        self._terminal = self._start()
        self._size = SIZE

    def _start(self) -> Terminal:
        extra = {"HOME": str(self._home), "TMPDIR": str(self._temporary), "BROWSER": "true"}
        terminal = explorer("demo", "--tasks", str(self._tasks), size=SIZE, cwd=self.work, extra=extra)
        terminal.wait_for("A finished task group")
        self._size = SIZE
        return terminal

    def run(self, events: int) -> FuzzResult:
        """Sends that many events. Raises `FuzzError`, which names the last events, where it fails."""
        try:
            for number in range(1, events + 1):
                self.result.events = number
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
        if chance < 0.40:
            self._write(self._random.choice(_LETTERS))
        elif chance < 0.58:
            self._press(self._random.choice(_MOVES))
        elif chance < 0.70:
            self._press(self._random.choice(_ACTING), acts=True)
        elif chance < 0.80:
            self._press(self._random.choice(_OTHERS))
        elif chance < 0.90:
            self._click()
        elif chance < 0.93:
            self._write(f"\x1b[200~{self._random.choice(_TEXTS)}\x1b[201~")
        elif chance < 0.96:
            self._press("ctrl+p")
            self._write(self._random.choice(("", *_TEXTS, *"abcdefst")).partition("\n")[0])
        elif chance < 0.98:
            self._press(self._random.choice(("ctrl+o", "q")), acts=True)
        else:
            self._resize()

    def _steer(self) -> None:
        """Most random texts open nothing, and in most dialogs all letters are text."""
        if not self._settle():
            return
        if "╭─" in "".join(self._terminal.lines[:8]) and "Paste a URL" not in self._terminal.text:
            self._write(_NAMED["escape"])
            self._settle()
        if "Paste a URL" in self._terminal.text or "Unrecognized" in self._terminal.text:
            self._write("\x01\x0b")
            self._settle()
            self._write("\x1b[B" * self._random.randrange(12) + "\r")

    def _press(self, key: str, *, acts: bool = False) -> None:
        if acts or key in _ACTING:
            if not self._settle():
                return  # what it would confirm is not known
            screen = self._terminal.text
            self.result.screens[screen.partition("\n")[2].partition("\n")[0].strip()[:60]] += 1
            if any(words in screen for words in _WRITES):
                self.result.spared += 1
                key = "escape"
            elif key == "q" and "Recent" not in screen and "esc Back" not in screen and "Close" not in screen:
                return  # it would only quit
        self._write(_NAMED.get(key, key))

    def _click(self) -> None:
        if not self._settle():
            return
        if any(words in self._terminal.text for words in _WRITES):
            self.result.spared += 1
            self._write(_NAMED["escape"])
            self._settle()
            return
        columns, lines = self._size
        at = f"{self._random.randint(1, columns)};{self._random.randint(1, lines)}"
        button = self._random.choice((0, 0, 0, 2, 64, 65))
        self._write(f"\x1b[<{button};{at}M" + ("" if button >= 64 else f"\x1b[<{button};{at}m"))

    def _resize(self) -> None:
        self._size = self._random.choice(SIZES)
        terminal = self._terminal
        with terminal._changed:
            terminal._screen.resize(self._size[1], self._size[0])
        terminal._set_size(*self._size)

    def _write(self, text: str) -> None:
        self.result.recent.append(repr(text))
        data, deadline = text.encode(), time.monotonic() + 60
        while data:
            if self._unread() < 2000:  # more than the line discipline holds would be lost
                data = data[os.write(self._terminal._master, data[:1000]) :]
                continue
            if time.monotonic() > deadline:
                self._fail("it reads no more keys")
            if self._ended():
                return
            time.sleep(0.01)

    # ---- what it does meanwhile
    def _unread(self) -> int:
        """Bytes that the app has not read."""
        return int(struct.unpack("i", fcntl.ioctl(self._terminal._slave, termios.FIONREAD, b"\0" * 4))[0])

    def _busy(self) -> bool:
        """Whether keys are unread or a thread runs: the one that draws may wait for another."""
        try:
            stats = [path.read_text() for path in Path(f"/proc/{self._terminal.program.pid}/task").glob("*/stat")]
        except OSError:
            return False
        return self._unread() > 0 or any(stat.rpartition(")")[2].split()[0] == "R" for stat in stats)

    def _settle(self) -> bool:
        """Waits until all keys are read and nothing more is drawn; False if that is not so within two seconds."""
        deadline, quiet_since, written = time.monotonic() + _LONGEST, time.monotonic(), -1
        while (now := time.monotonic()) < deadline:
            if len(self._terminal.written) != written or self._busy():
                written, quiet_since = len(self._terminal.written), now
            elif now - quiet_since > _QUIET:
                return True
            time.sleep(0.005)
        return False

    def _ended(self) -> bool:
        """Whether it ended; if it was quit it is started again."""
        code = self._terminal.program.poll()
        if code is None:
            return False
        if code:
            self._fail(f"it ended with {code}")
        self._terminal.close()
        self.result.quits += 1
        self._terminal = self._start()
        return True

    def _check(self) -> None:
        """It answers Ctrl+P and Esc, has recorded no crash, and has written nothing to where it works."""
        self._resize_to(SIZE)
        terminal = self._terminal
        for _ in range(30):
            if self._ended():
                terminal = self._terminal
            self._write(_NAMED["escape"])
            self._settle()
            self._write("\x10")
            if self._shows("⏎ runs"):
                break
        else:
            self._fail("Ctrl+P opens no palette")
        self._write(_NAMED["escape"])
        for _ in range(100):
            if "⏎ runs" not in terminal.text:
                break
            self._settle()
        else:
            self._fail("Esc does not close the palette")
        crashes = [path.read_text() for path in self._temporary.rglob("faults.log")]
        if any(crashes):
            self._fail(f"it recorded a crash:\n{crashes}")
        self._check_files()

    def _check_files(self) -> None:
        written = [path for place in (self.work, self._home) for path in place.iterdir() if path.name != OUTPUT]
        if written:
            self._fail(f"it wrote {[str(path) for path in written]}")

    def _shows(self, words: str) -> bool:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if words in self._terminal.text:
                return True
            time.sleep(0.02)
        return False

    def _resize_to(self, size: tuple[int, int]) -> None:
        self._size = size
        with self._terminal._changed:
            self._terminal._screen.resize(size[1], size[0])
        self._terminal._set_size(*size)
        self._settle()

    def _fail(self, what: str) -> None:
        recent = " ".join(self.result.recent)
        screen = self._terminal.text
        raise FuzzError(f"seed {self.seed}, event {self.result.events}: {what}\nthe last events: {recent}\n{screen}")
