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


class Terminal:
    """A child in a pseudo-terminal and what it has drawn."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.drawing = 0.0  # seconds

    def read(self, seconds: float) -> bool:
        """Draws what comes within that time; whether anything came."""
        if not select.select([self.descriptor], [], [], max(0.0, seconds))[0]:
            return False
        written = os.read(self.descriptor, 1 << 16)
        began = time.perf_counter()
        self._stream.feed(written)
        self.drawing += time.perf_counter() - began
        return True

    def drain(self, seconds: float = 0.0) -> None:
        until = time.perf_counter() + seconds
        while self.read(until - time.perf_counter()) or time.perf_counter() < until:
            pass

    def send(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, text: str) -> None:
        began = time.perf_counter()
        while not any(text in line for line in self.screen.display):
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"{text!r} never came; the screen shows\n" + "\n".join(self.screen.display))
            self.read(0.05)

    def cursor_line(self) -> int:
        """The line that the sign of the cursor is on, -1 for none."""
        return next((y for y in range(LINES) if self.screen.buffer[y][0].data == CURSOR), -1)

    def wait_of_a_key(self, key: str) -> tuple[float, float]:
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

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def measure_keys(terminal: Terminal, keys: int) -> list[object]:
    """Median, 95th percentile and longest wait, the median of drawing, and the app's share of a processor."""
    waits = []
    wall, cpu = time.perf_counter(), terminal.cpu_seconds()
    for number in range(keys):
        waits.append(terminal.wait_of_a_key("j" if number % 20 < 10 else "k"))
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
        terminal = Terminal([sys.executable, "-m", "ciexplore", group], environment)

        def measure(name: str, keys: int) -> None:
            rows.append([name, *measure_keys(terminal, keys)])

        terminal.until("so far")
        terminal.until("completed")
        measure("listing", asked.keys // 4)
        terminal.until(f"{asked.tasks:,} tasks")
        terminal.drain(1.0)
        measure("idle", asked.keys)
        terminal.send("/browsertime\r")
        terminal.drain(1.0)
        terminal.send("ad")
        terminal.until("files to fetch")
        terminal.drain(0.5)
        terminal.send("\r")
        terminal.until("Started")
        measure("downloading", asked.keys)
        terminal.send("\x1b[17~")  # F6
        terminal.until("Cancel all")
        measure("downloading, files shown", asked.keys)
        terminal.close()
    print_table(["while", "median ms", "p95 ms", "longest ms", "of it drawing", "CPU of the app"], rows)


if __name__ == "__main__":
    main()
