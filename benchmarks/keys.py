"""How long a key waits in a real terminal: idle, while 10,000 tasks are listed, while thousands of files arrive.

    python benchmarks/keys.py [--tasks 10000] [--keys 120]

The app runs in a 120x40 pseudo-terminal on the embedded CI (a process of its own). A cursor key is sent every 30 ms;
its wait ends when the sign of the cursor stands on another line: what the app writes is drawn on a terminal (pyte), so
that other bytes (a counter in the status line, more rows) end nothing. `drawing` is what that terminal itself took of
the wait. The processor time of the app stands beside.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time

import pyte
from measuring import clean_environment, percentile, print_table

from backends.demo import DemoOptions, DemoProcess, locators

LINES, COLUMNS = 40, 120
CURSOR = "▌"
PATIENCE = 60.0  # seconds


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
    """A terminal that shows what the child has drawn, which is more than what it has written."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        super().__init__(command, environment)
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.drawing = 0.0  # seconds

    def read(self, seconds: float) -> bool:
        """Draws what comes within that time; whether anything came."""
        if not super().read(seconds):
            return False
        began = time.perf_counter()
        self._stream.feed(self.written)
        self.forget()
        self.drawing += time.perf_counter() - began
        return True

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
        """Milliseconds from the key until the cursor is drawn on another line, and those that drawing took here."""
        self.drain()
        line, began, self.drawing = self.cursor_line(), time.perf_counter(), 0.0
        self.send(key)
        while self.cursor_line() in (line, -1):
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"{key!r} never moved the cursor")
            self.read(1.0)
        return (time.perf_counter() - began) * 1000, self.drawing * 1000

    def cpu_seconds(self) -> float:
        return time.clock_gettime((~self.pid << 3) | 2)  # the child's clock


def measure_keys(terminal: DrawnTerminal, keys: int) -> list[object]:
    """Median, 95th percentile and longest wait, the median of drawing, and the app's share of a processor."""
    waits = []
    wall, cpu = time.perf_counter(), terminal.cpu_seconds()
    key = "j"
    for _ in range(keys):
        line = terminal.cursor_line()
        key = "j" if line < 6 else "k" if line > LINES // 2 else key  # it must not come to an end of the list
        waits.append(terminal.wait_of_a_drawn_key(key))
        terminal.drain(0.03)
    share = (terminal.cpu_seconds() - cpu) / (time.perf_counter() - wall)
    times = [wait for wait, _ in waits]
    drawing = percentile([drawn for _, drawn in waits], 0.5)
    return [percentile(times, 0.5), percentile(times, 0.95), max(times), drawing, f"{share:.0%}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=120)
    asked = parser.parse_args()
    options = DemoOptions(tasks=asked.tasks, latency_ms=40)
    rows: list[list[object]] = []
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

        def measure(name: str, keys: int) -> None:
            rows.append([name, *measure_keys(terminal, keys)])

        terminal.until(b"completed")
        measure("listing", asked.keys // 4)
        terminal.until(f"{asked.tasks:,} tasks ·".encode())
        terminal.drain(1.0)
        measure("idle", asked.keys)
        terminal.send("/browsertime\r")
        terminal.drain(1.0)
        terminal.send("ad")
        terminal.until(b"files to fetch")
        terminal.drain(0.5)
        terminal.send("\r")
        terminal.drain(0.3)
        terminal.send("\r")
        terminal.until(b"Started")
        measure("downloading", asked.keys)
        terminal.send("\x1b[17~")  # F6
        terminal.until(b"Cancel all")
        measure("downloading, files shown", asked.keys)
        terminal.close()
    print_table(["while", "median ms", "p95 ms", "longest ms", "of it drawing", "CPU of the app"], rows)


if __name__ == "__main__":
    main()
