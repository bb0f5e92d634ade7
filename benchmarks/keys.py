"""How long a key waits in a real terminal: idle, while 10,000 tasks are listed, while thousands of files arrive.

    python benchmarks/keys.py [--tasks 10000] [--keys 120]

The app runs in a 120x40 pseudo-terminal on the embedded CI (a process of its own). A cursor key is sent every 30 ms;
its wait ends with the first byte that the app writes after it.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from backends.demo import DemoOptions, DemoProcess, locators

ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b[P\]_^].*?(?:\x1b\\|\x07)|\x1b[=>78()][0B]?", re.DOTALL)


class Terminal:
    """A child in a pseudo-terminal; `written` is all that it has written so far."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
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


def waits(terminal: Terminal, keys: int) -> list[float]:
    found = []
    for number in range(keys):
        found.append(terminal.wait_of_a_key("j" if number % 20 < 15 else "k"))
        terminal.drain(0.03)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=120)
    asked = parser.parse_args()
    options = DemoOptions(tasks=asked.tasks, latency_ms=40)
    results: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch, DemoProcess(options, warm=True) as server:
        environment = {
            **os.environ,
            **server.settings,
            "TERM": "xterm-256color",
            "CIEXPLORE_CACHE_DIR": f"{scratch}/cache",
            "CIEXPLORE_STATE_DIR": f"{scratch}/state",
            "CIEXPLORE_CONFIG": f"{scratch}/none",
            "CIEXPLORE_OUTPUT": f"{scratch}/out",
        }
        group = locators(options, server.root_url)["taskcluster.finished-group"]
        terminal = Terminal([str(Path(sys.executable).parent / "ciexplore"), group], environment)
        terminal.until(b"completed")
        results["listing"] = waits(terminal, asked.keys // 4)
        terminal.until(f"{asked.tasks:,} tasks".encode())
        terminal.drain(1.0)
        results["idle"] = waits(terminal, asked.keys)
        terminal.send("/browsertime\r")
        terminal.drain(1.0)
        terminal.send("ad")
        terminal.until(b"files to fetch")
        terminal.drain(0.5)
        terminal.forget()
        terminal.send("\r")
        terminal.drain(0.2)
        terminal.send("\r")
        terminal.until(b"Started")
        results["downloading"] = waits(terminal, asked.keys)
        terminal.forget()
        terminal.send("\x1b[17~")  # F6
        terminal.until(b"Cancel all")
        results["downloading, files shown"] = waits(terminal, asked.keys)
        terminal.close()
    print("| while | median ms | p95 ms | longest ms |\n| --- | --- | --- | --- |")
    for name in ("idle", "listing", "downloading", "downloading, files shown"):
        values = sorted(results[name])
        p95 = values[int(len(values) * 0.95) - 1]
        print(f"| {name} | {statistics.median(values):.0f} | {p95:.0f} | {values[-1]:.0f} |")


if __name__ == "__main__":
    main()
