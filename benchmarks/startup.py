"""How long until ciexplore's first paint, beside posting, harlequin and visidata, in real pseudo-terminals.

    benchmarks/peers.sh && python benchmarks/startup.py [--runs 7]

Each case is started in a 200x60 terminal; the clock stops when a text that only the finished first screen holds has
been written. The cases take turns, so that whatever else the machine does hits all of them.
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
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b[P\]_^].*?(?:\x1b\\|\x07)|\x1b[=>78()][0B]?", re.DOTALL)


def first_paint(command: list[str], marker: bytes, environment: dict[str, str]) -> float | None:
    """Milliseconds from the start of the process until the marker is on the screen; None if it never is."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    written, took = b"", None
    while took is None and time.perf_counter() - began < 20:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            written += os.read(terminal, 1 << 16)
        except OSError:
            break
        if marker in ESCAPES.sub(b"", written):
            took = (time.perf_counter() - began) * 1000
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    return took


def ended(command: list[str]) -> float:
    """Milliseconds of a command that ends by itself."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch, "small.csv")
        table.write_text("state,label\n" + "".join(f"failed,exit status {n}\n" for n in range(500)))
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "HOME": scratch,
            "CIEXPLORE_STATE_DIR": f"{scratch}/state",
            "CIEXPLORE_CACHE_DIR": f"{scratch}/cache",
            "CIEXPLORE_CONFIG": f"{scratch}/none.toml",
        }
        os.mkdir(f"{scratch}/posting")
        cases = {
            "ciexplore": ([str(BIN / "ciexplore")], b"To open"),
            "posting": ([str(HERE / ".work/posting/bin/posting"), "--collection", f"{scratch}/posting"], b"Collection"),
            "harlequin": (
                [str(HERE / ".work/harlequin/bin/harlequin"), "--no-download-tzdata", ":memory:"],
                b"Data Catalog",
            ),
            "visidata": ([str(HERE / ".work/visidata/bin/vd"), str(table)], b"exit status"),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        commands = {"ciexplore --version": "--version", "ciexplore --help": "--help"}
        short: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(runs + 1):
            for name, (command, marker) in cases.items():
                took = first_paint(command, marker, environment)
                if took is None:
                    raise SystemExit(f"{name} never showed {marker!r}")
                if number:  # the first round fills the file cache
                    times[name].append(took)
            for name, option in commands.items():
                took = ended([str(BIN / "ciexplore"), option])
                if number:
                    short[name].append(took)
    ours = statistics.median(times["ciexplore"])
    print(
        f"| start to first paint, 200x60, {runs} runs | median ms | min ms | ours / theirs |\n| --- | --- | --- | --- |"
    )
    for name, values in times.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.0f} | {min(values):.0f} | {ours / median:.2f} |")
    for name, values in short.items():
        print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} | |")


if __name__ == "__main__":
    main()
