"""How long until ciexplore's first paint, beside an empty Textual app, visidata, posting and harlequin.

    benchmarks/peers.sh && python benchmarks/startup.py [--runs 15]

Each case is started in a 200x60 pseudo-terminal and a session of its own, all alike; the clock stops when a text has
been written that stands at the end of the finished first screen, and CPU time (user and system) is what the process has
taken up to there. The cases take turns, so that whatever else the machine
does hits all of them; the first round, which fills the file cache, is not counted.
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
from functools import partial
from pathlib import Path

from measuring import Cost, clean_environment, measure_command, print_table, take_turns

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b[P\]_^].*?(?:\x1b\\|\x07)|\x1b[=>78()][0B]?", re.DOTALL)
EMPTY_APP = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("nothing here")

Empty().run()
"""


def measure_first_paint(command: list[str], marker: bytes, environment: dict[str, str]) -> Cost:
    """The cost of a process until the marker is on its screen. Exits with a sentence if it never is."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    written, took, cpu = b"", 0.0, 0.0
    while not took and time.perf_counter() - began < 20:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            written += os.read(terminal, 1 << 16)
        except OSError:
            break
        if marker in ESCAPES.sub(b"", written):
            took, cpu = (time.perf_counter() - began) * 1000, time.clock_gettime((~pid << 3) | 2) * 1000  # its clock
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    if not took:
        raise SystemExit(f"{command[0]} never showed {marker!r}")
    return Cost(took, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument(
        "--only", nargs="+", metavar="CASE", help="not all cases, e.g. ciexplore and 'empty Textual app'"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table, empty = Path(scratch, "small.csv"), Path(scratch, "empty.py")
        table.write_text("state,label\n" + "".join(f"failed,exit status {n}\n" for n in range(500)))
        empty.write_text(EMPTY_APP)
        os.mkdir(f"{scratch}/posting")
        environment = clean_environment(
            TERM="xterm-256color",
            COLORTERM="truecolor",
            HOME=scratch,
            CIEXPLORE_STATE_DIR=f"{scratch}/state",
            CIEXPLORE_CACHE_DIR=f"{scratch}/cache",
            CIEXPLORE_CONFIG=f"{scratch}/none.toml",
        )
        ours, work = [sys.executable, "-m", "ciexplore"], HERE / ".work"
        posting = [str(work / "posting/bin/posting"), "--collection", f"{scratch}/posting"]
        harlequin = [str(work / "harlequin/bin/harlequin"), "--no-download-tzdata", ":memory:"]
        painting = {
            "ciexplore": (ours, b"^q Quit"),  # in the last line
            "empty Textual app": ([sys.executable, str(empty)], b"nothing here"),
            "visidata": ([str(work / "visidata/bin/vd"), str(table)], b"exit status"),
            "posting": (posting, b"Collection"),
            "harlequin": (harlequin, b"Data Catalog"),
        }
        contenders = {
            name: partial(measure_first_paint, command, marker, environment)
            for name, (command, marker) in painting.items()
        }
        for option in ("--version", "--help"):
            contenders[f"ciexplore {option}"] = partial(measure_command, [*ours, option], environment)
        contenders = {name: run for name, run in contenders.items() if not asked.only or name in asked.only}
        take_turns(contenders, 1)
        costs = take_turns(contenders, asked.runs)
    first = costs["ciexplore"]
    print_table(
        [f"start to first paint, 200x60, medians of {asked.runs}", "wall ms", "CPU ms", "ours / theirs, wall", "CPU"],
        [
            [name, cost.wall, cost.cpu, *((first.wall / cost.wall, first.cpu / cost.cpu) if name in painting else "  ")]
            for name, cost in costs.items()
        ],
    )


if __name__ == "__main__":
    main()
