"""A real pseudo-terminal for tests: the program on one side, an emulated screen that can be read on the other."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds; only what never happens takes that long
# Makes the pseudo-terminal the controlling one, as a shell's is: without that no resize is signalled.
_TAKE_TERMINAL = "import fcntl,os,sys,termios;fcntl.ioctl(0,termios.TIOCSCTTY,0);os.execv(sys.argv[1],sys.argv[1:])"
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pagedown": "\x1b[6~",
    "pageup": "\x1b[5~",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f6": "\x1b[17~",
    "ctrl+c": "\x03",
    "ctrl+o": "\x0f",
    "ctrl+q": "\x11",
    "ctrl+x": "\x18",
    "space": " ",
}
# Textual asks the terminal for modes and the keyboard protocol; pyte would print what it does not know of that.
_UNKNOWN = re.compile(
    rb"\x1b\[[<>=?][0-9;]*u|\x1b\[\?[0-9;]*\$p|\x1b\[>[0-9;]*[a-zA-Z]|\x1b\[=[0-9;]*[a-zA-Z]"
    rb"|\x1b[_P][^\x1b]*\x1b\\\\"  # images: Kitty's and Sixel
)
_IMAGE = re.compile(rb"\x1b[_P][^\x1b]*\x1b?$")  # one that has not come to its end


class Terminal:
    """Runs a program in a pseudo-terminal of `size` (columns, lines). `written` is every byte it has written."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int] = (80, 24),
        extra: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        controlling: bool = True,
    ) -> None:
        self.written = bytearray()
        self._changed = threading.Condition()
        self._gone = threading.Event()
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._held = b""
        self._master, self._slave = os.openpty()
        self._set_size(*size)
        self.attributes_before = termios.tcgetattr(self._slave)
        # xdist's workers have COLUMNS and LINES, which would count for more than the window's own size.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        python = sys.executable
        self.program = subprocess.Popen(
            [python, *arguments] if not controlling else [python, "-S", "-c", _TAKE_TERMINAL, python, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**environment, **(extra or {})},
            start_new_session=True,
            cwd=cwd,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def attributes(self) -> list[Any]:
        """What termios says of the terminal now."""
        return termios.tcgetattr(self._slave)

    @property
    def lines(self) -> list[str]:
        with self._changed:
            return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def press(self, *keys: str) -> None:
        """Keys by name or as they are; a word of several letters that names no key is typed letter by letter."""
        for key in keys:
            os.write(self._master, KEYS.get(key, key).encode())
            # What follows an escape at once would be read as Alt with that key; and where a key moves the focus, the
            # next one is meant for what the screen shows then.
            if key in ("escape", "enter", "tab"):
                self._settle(0.2)

    def wait_for(self, wanted: str | Callable[[str], object]) -> str:
        """Waits until the screen shows a text (or is so), and returns the screen."""
        condition = (lambda text: wanted in text) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not condition(text := "\n".join(line.rstrip() for line in self._screen.display)):
                left = deadline - time.monotonic()
                ended = self.program.poll() is not None
                if left <= 0 or (ended and not self._changed.wait(1)):
                    what = f"{wanted!r} never came" + (f", it ended with {self.program.returncode}" if ended else "")
                    raise AssertionError(f"{what}; the screen shows\n{text}")
                self._changed.wait(min(left, 0.5))
        return text

    def wait_until_ended(self) -> int:
        """Its exit code, once all that it wrote has been read."""
        code = self.program.wait(PATIENCE)
        self._settle(0.1)
        return code

    def resize(self, columns: int, lines: int) -> None:
        """Gives the window another size, and the program the time to draw all of it anew."""
        self._settle(0.3)
        with self._changed:
            self._screen.resize(lines, columns)
        self._set_size(columns, lines)
        self._settle(0.3)

    def hang_up(self) -> None:
        """Closes the window: the program is told by SIGHUP, and finds no terminal any more."""
        if self._gone.is_set():
            return
        self._gone.set()
        self._reader.join()  # before its descriptor's number can be another file's
        os.close(self._slave)
        os.close(self._master)

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        self.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _settle(self, quiet: float) -> None:
        """Until nothing has been written for a while."""
        with self._changed:
            while self._changed.wait(quiet):
                pass

    def _read(self) -> None:
        while not self._gone.is_set():
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self._master, 1 << 16)
            except OSError:
                return
            if not piece:
                return
            with self._changed:
                self.written += piece
                self._feed(piece)
                self._changed.notify_all()

    def _feed(self, piece: bytes) -> None:
        text = self._held + piece
        cut = text.rfind(b"\x1b", -32)
        # An unfinished sequence waits for its end: half of one that pyte does not know would be printed.
        whole = cut < 0 or re.search(rb"[a-zA-Z~\\\x07]", text[cut + 2 :]) is not None
        if (image := _IMAGE.search(text)) is not None:
            cut, whole = image.start(), False
        self._held = b"" if whole else text[cut:]
        self._stream.feed(_UNKNOWN.sub(b"", text if whole else text[:cut]))


def explorer(*arguments: str, **given: Any) -> Terminal:
    """`ciexplore ARGUMENTS` in a terminal of its own."""
    return Terminal("-m", "tui", *arguments, **given)
