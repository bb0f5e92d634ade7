"""How long a key waits in a real terminal: idle, while a filter is typed, while tasks are listed or files arrive.

    python benchmarks/keys.py [--tasks 10000] [--rows 100000] [--keys 120]

The app runs in a 120x40 pseudo-terminal on the embedded CI (a process of its own). A cursor key is sent every 30 ms;
its wait ends when the app has written what puts the sign of the cursor on another line; other bytes (a counter in the
status line, more rows) end nothing. All that it writes is drawn on a terminal (pyte) that says whether it is so. Being
written in Python that takes up to 60 ms for a screen where terminals that people use take one, so it is done between
two keys, and what it takes stands beside as `drawing`, as does the processor time of the app. A letter of a filter is
typed every 100 ms into a list of `--rows` tasks; its wait ends when what draws the letter in the filter line has come,
and its hits when their number changes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import queue
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator

import pyte
from measuring import clean_environment, percentile, print_table

from backends.demo import DemoOptions, DemoProcess, locators

LINES, COLUMNS = 40, 120
CURSOR = "▌"
FILTER_LINE = 3
FILTER = "state:failed browsertime tp6 linux"
PATIENCE = 60.0  # seconds

# The sign at the left end of a line, after its number and colours.
_SIGN = re.compile(rb"\x1b\[(\d+);1H(?:\x1b\[[\d;]*m)*" + CURSOR.encode())

ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b[P\]_^].*?(?:\x1b\\|\x07)|\x1b[=>78()][0B]?", re.DOTALL)


class Terminal:
    """A child in a pseudo-terminal; `written` is all that it has written so far."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.written = b""

    def read(self, seconds: float) -> bool:
        """Reads what there is within that time; whether anything came."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return False
        self.written += os.read(self.descriptor, 1 << 16)
        return True

    def drain(self, seconds: float = 0.0) -> None:
        until = time.perf_counter() + seconds
        while self.read(max(0.0, until - time.perf_counter())) or time.perf_counter() < until:
            pass

    def send(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, text: bytes, seconds: float = 60) -> None:
        began = time.perf_counter()
        while text not in ESCAPES.sub(b"", self.written):
            if time.perf_counter() - began > seconds:
                raise SystemExit(f"{text!r} never came; last: {ESCAPES.sub(b'', self.written)[-600:]!r}")
            self.read(0.05)

    def forget(self) -> None:
        self.written = b""

    def wait_of_a_key(self, key: str) -> float:
        """Milliseconds from the key to the first byte after it."""
        self.drain()
        began = time.perf_counter()
        self.send(key)
        while not self.read(1.0) and time.perf_counter() - began < 5:
            pass
        return (time.perf_counter() - began) * 1000

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


class DrawnTerminal(Terminal):
    """A terminal that shows what the child has drawn, which is more than what it has written.

    `arrived`: when the last bytes that are drawn had been read, by a thread that does nothing else.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        super().__init__(command, environment)
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._came: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self.arrived = 0.0  # time.perf_counter()
        self.drawing = 0.0  # seconds
        sys.setswitchinterval(0.0005)  # else the thread would wait 5 ms for the drawing
        threading.Thread(target=self._note, daemon=True).start()

    def _note(self) -> None:
        """In a thread of its own, until the child is gone."""
        with contextlib.suppress(OSError):
            while written := os.read(self.descriptor, 1 << 16):
                self._came.put((time.perf_counter(), written))

    def read(self, seconds: float) -> bool:
        """Draws what was written in one go, waiting that long for it; whether anything came."""
        try:
            self._draw(*self._came.get(timeout=max(seconds, 0.0001)))
        except queue.Empty:
            return False
        return True

    def _draw(self, arrived: float, written: bytes) -> None:
        began = time.perf_counter()
        self._stream.feed(written)
        self.arrived = arrived
        self.drawing += time.perf_counter() - began

    def until(self, text: bytes, seconds: float = PATIENCE) -> None:
        began = time.perf_counter()
        while not any(text.decode() in line for line in self.screen.display):
            if time.perf_counter() - began > seconds:
                raise SystemExit(f"{text!r} never came; the screen shows\n" + "\n".join(self.screen.display))
            self.read(0.05)

    def cursor_line(self) -> int:
        """The line that the sign of the cursor is on, -1 for none."""
        return next((y for y in range(LINES) if self.screen.buffer[y][0].data == CURSOR), -1)

    def wait_of_a_drawn_key(self, key: str) -> tuple[float, float]:
        """Milliseconds from the key until the app had moved the cursor, and those that drawing took here afterwards."""
        self.drain()
        line, began, self.drawing = self.cursor_line(), time.perf_counter(), 0.0
        moved = 0.0
        self.send(key)
        while not moved:
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"{key!r} never moved the cursor")
            for arrived, written in self._read_until_moved(line):
                self._draw(arrived, written)
                if not moved and self.cursor_line() not in (line, -1):
                    moved = arrived
        return (moved - began) * 1000, self.drawing * 1000

    def _read_until_moved(self, line: int) -> list[tuple[float, bytes]]:
        """What comes until the sign is written on another line, or nothing comes for 0.3 s; none of it is drawn yet."""
        chunks: list[tuple[float, bytes]] = []
        written = b""
        with contextlib.suppress(queue.Empty):
            while all(int(found) == line + 1 for found in _SIGN.findall(written)):
                chunks.append(self._came.get(timeout=0.3))
                written += chunks[-1][1]
        return chunks

    def wait_of_a_letter(self, typed: str, letter: str) -> tuple[float, float, float]:
        """Milliseconds until the letter after `typed` has come, until the number of hits changes (0 if it does not
        within a second), and those that drawing took here until the letter was there.
        """
        self.drain()
        hits, began, self.drawing = self.hits(), time.perf_counter(), 0.0
        self.send(letter)
        while f"/ {typed}{letter}" not in self.screen.display[FILTER_LINE]:
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"{letter!r} never came\n" + "\n".join(self.screen.display))
            self.read(1.0)
        letter_came, drawing = self.arrived - began, self.drawing
        while self.hits() == hits and time.perf_counter() - began < 1:
            self.read(0.05)
        changed = self.arrived - began if self.hits() != hits else 0.0
        return letter_came * 1000, changed * 1000, drawing * 1000

    def hits(self) -> str:
        """What stands at the end of the filter line: "879 of 10,000"."""
        found = re.search(r"[0-9,]+ of [0-9,]+\s*$", self.screen.display[FILTER_LINE])
        return found.group().strip() if found else ""

    def cpu_seconds(self) -> float:
        return time.clock_gettime((~self.pid << 3) | 2)  # the child's clock


def measure_keys(terminal: DrawnTerminal, keys: int) -> list[object]:
    """Median, 95th percentile and longest wait, the median of drawing, and the app's processor time a key."""
    waits = []
    cpu = terminal.cpu_seconds()
    key = "j"
    for _ in range(keys):
        line = terminal.cursor_line()
        key = "j" if line < 6 else "k" if line > LINES // 2 else key  # it must not come to an end of the list
        waits.append(terminal.wait_of_a_drawn_key(key))
        terminal.drain(0.03)
    spent = (terminal.cpu_seconds() - cpu) * 1000 / keys
    times = [wait for wait, _ in waits]
    drawing = percentile([drawn for _, drawn in waits], 0.5)
    return [percentile(times, 0.5), percentile(times, 0.95), max(times), drawing, spent]


def measure_filter(terminal: DrawnTerminal) -> list[list[object]]:
    """The two rows of the table: the letters of FILTER, and the numbers of hits that they change."""
    terminal.send("/")
    terminal.drain(1.0)
    waits = []
    cpu = terminal.cpu_seconds()
    for number, letter in enumerate(FILTER):
        if letter == " ":  # it draws nothing
            terminal.send(letter)
        else:
            waits.append(terminal.wait_of_a_letter(FILTER[:number], letter))
        terminal.drain(0.1)
    spent = (terminal.cpu_seconds() - cpu) * 1000 / len(waits)
    drawing = percentile([wait[2] for wait in waits], 0.5)
    cases = {"a filter is typed: its letter": [wait[0] for wait in waits]}
    cases["a filter is typed: its hits"] = [wait[1] for wait in waits if wait[1]]
    return [
        [name, percentile(times, 0.5), percentile(times, 0.95), max(times), drawing, spent]
        for name, times in cases.items()
    ]


@contextlib.contextmanager
def open_group(tasks: int, latency_ms: int) -> Iterator[DrawnTerminal]:
    """The app in a terminal, with a finished group of that many tasks opened, and its server in another process."""
    options = DemoOptions(tasks=tasks, latency_ms=latency_ms)
    with tempfile.TemporaryDirectory() as scratch, DemoProcess(options, warm=True) as server:
        environment = clean_environment(
            **server.settings,
            TERM="xterm-256color",
            CIEXPLORE_CACHE_DIR=f"{scratch}/cache",
            CIEXPLORE_STATE_DIR=f"{scratch}/state",
            CIEXPLORE_CONFIG=f"{scratch}/none",
            CIEXPLORE_OUTPUT=f"{scratch}/out",
        )
        group = locators(options, server.root_url)["taskcluster.finished-group"]
        terminal = DrawnTerminal([sys.executable, "-m", "ciexplore", group], environment)
        try:
            yield terminal
        finally:
            terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=120)
    asked = parser.parse_args()
    rows: list[list[object]] = []
    with open_group(asked.rows, latency_ms=0) as terminal:
        terminal.until(f"{asked.rows:,} tasks ·".encode(), 10 * PATIENCE)
        terminal.drain(1.0)
        rows += measure_filter(terminal)
    with open_group(asked.tasks, latency_ms=40) as terminal:
        terminal.until(b"completed")
        rows.append(["listing", *measure_keys(terminal, asked.keys // 4)])
        terminal.until(f"{asked.tasks:,} tasks ·".encode())
        terminal.drain(1.0)
        rows.append(["idle", *measure_keys(terminal, asked.keys)])
        terminal.send("/browsertime\r")
        terminal.drain(1.0)
        terminal.send("ad")
        terminal.until(b"files to fetch", 3 * PATIENCE)
        terminal.drain(0.5)
        terminal.send("\r")
        terminal.until(b"Started")
        rows.append(["downloading", *measure_keys(terminal, asked.keys)])
        terminal.send("\x1b[17~")  # F6
        terminal.until(b"Pause")
        rows.append(["downloading, files shown", *measure_keys(terminal, asked.keys)])
    print_table(["while", "median ms", "p95 ms", "longest ms", "of it drawing", "CPU ms a key"], rows)


if __name__ == "__main__":
    main()
