"""How long a key waits in a real terminal while 10,000 jobs are read and linted: JSON, YAML, YAML joined by anchors.

    python benchmarks/submit_keys.py [--jobs 10000]

The app opens the file in a 120x40 pseudo-terminal; the locator box is opened at once and letters are typed into it for
some seconds. A key's wait ends with the first byte that the app writes after it; then the jobs must be there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml
from keys import Terminal
from submit import made

SECONDS = 8.0  # of typing; the jobs are there after 1 to 5


def measured(jobs: str, scratch: str, count: int) -> list[float]:
    """Milliseconds that each key waited, the shortest first."""
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "CIEXPLORE_CACHE_DIR": f"{scratch}/cache",
        "CIEXPLORE_STATE_DIR": f"{scratch}/state",
        "CIEXPLORE_CONFIG": f"{scratch}/none",
    }
    terminal = Terminal([str(Path(sys.executable).parent / "ciexplore"), f"submit:{jobs}"], environment)
    terminal.until(Path(jobs).name.encode())
    terminal.send("\x0f")  # Ctrl+O
    terminal.until(b"Paste")
    began, waits = time.perf_counter(), list[float]()
    while time.perf_counter() - began < SECONDS:
        waits.append(terminal.wait_of_a_key("a" if len(waits) % 40 < 20 else "\x7f"))
        terminal.drain(0.03)
    terminal.forget()
    terminal.send("\x1b")
    terminal.drain(1.0)
    terminal.send("j")
    terminal.until(f"{count:,} jobs".encode(), 20)
    terminal.close()
    return sorted(waits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    asked = parser.parse_args()
    print("| 10,000 jobs as | keys | median ms | p95 ms | longest ms |\n|" + " --- |" * 5)
    with tempfile.TemporaryDirectory() as scratch:
        jobs = json.loads(made(asked.jobs, 0.02))
        plain = yaml.dump(jobs, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
        for name, text in (
            ("jobs.json", json.dumps(jobs, indent=1)),
            ("jobs.yml", plain),
            ("joined.yml", f"--- # &anchors\n{plain}"),
        ):
            path = Path(scratch) / name
            path.write_text(text)
            waits = measured(str(path), scratch, asked.jobs)
            median, p95 = statistics.median(waits), waits[int(len(waits) * 0.95) - 1]
            print(f"| {name} | {len(waits)} | {median:.0f} | {p95:.0f} | {waits[-1]:.0f} |")


if __name__ == "__main__":
    main()
