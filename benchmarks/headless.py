"""How long headless commands take from their start to their end, beside a Python that imports polars and httpx.

    python benchmarks/headless.py [--tasks 2000] [--runs 15]

A group of that many tasks is listed once from the embedded CI and then, `--offline`, from the store. The commands and
the floor take turns; all of them print into nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile

from backends.demo import DemoOptions, DemoProcess, locators
from benchmarks.measuring import clean_environment, measure_command, print_table, take_turns

FLOOR = "import polars, httpx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=15)
    asked = parser.parse_args()
    options = DemoOptions(tasks=asked.tasks)
    ours = [sys.executable, "-m", "ciexplore"]
    with tempfile.TemporaryDirectory() as scratch, DemoProcess(options, warm=True) as server:
        environment = clean_environment(
            TASKCLUSTER_ROOT_URL=server.root_url,
            CIEXPLORE_CACHE_DIR=f"{scratch}/cache",
            CIEXPLORE_STATE_DIR=f"{scratch}/state",
            CIEXPLORE_CONFIG=f"{scratch}/none",
        )
        group = locators(options, server.root_url)["taskcluster.finished-group"]
        listed = [*ours, "taskcluster", "tasks", group]
        subprocess.run(listed, check=True, env=environment, stdout=subprocess.DEVNULL)
        commands = {
            FLOOR: [sys.executable, "-c", FLOOR],
            "tasks --offline": [*listed, "--offline"],
            "tasks --offline --format table": [*listed, "--offline", "--format", "table"],
            "tasks --offline --filter": [*listed, "--offline", "--filter", "state:failed"],
            "stats --offline": [*ours, "taskcluster", "stats", group, "--offline"],
            "--help": [*ours, "--help"],
            "--version": [*ours, "--version"],
        }
        contenders = {
            name: (lambda command=command: measure_command(command, environment)) for name, command in commands.items()
        }
        for run in contenders.values():
            run()  # fills the file cache, compiles modules
        costs = take_turns(contenders, asked.runs)
    floor = costs[FLOOR]
    print(f"{asked.tasks:,} stored tasks, medians of {asked.runs}")
    print_table(
        ("", "wall ms", "CPU ms", "wall, x the floor", "CPU, x the floor"),
        [(name, one.wall, one.cpu, one.wall / floor.wall, one.cpu / floor.cpu) for name, one in costs.items()],
    )


if __name__ == "__main__":
    main()
