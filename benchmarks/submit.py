"""10,000 jobs linted beside three validators that only say valid or not, taking turns; growth from 1,000 to 50,000.

    python benchmarks/submit.py [--jobs 10000] [--broken 0.02] [--runs 5]

Ours reads the file, validates, checks what the code wants beyond the schema, and says in jsonschema's words what is
wrong and what to write instead. The peers decode the file with `json` and validate: jsonschema, which is what
Treeherder itself runs, lists all errors; fastjsonschema and jsonschema-rs stop at the first and check no formats. Also
how long the other threads had to wait while ours ran in one (the interface is such a thread).
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import fastjsonschema
import jsonschema_rs
import polars as pl
from jsonschema import Draft6Validator
from measuring import fit_exponent, measure, median, percentile, print_table, take_turns

from backends.demo.submit import EXAMPLES
from backends.submit.entries import JobForm
from backends.submit.lint import findings_frame, lint
from backends.submit.read import read_files
from backends.submit.validation import schema_of

SIZES = (1_000, 10_000, 50_000)


def made(count: int, broken: float) -> str:
    """A file of `count` jobs like the demo's, a share of them with an unknown result and a bad revision."""
    examples = json.loads((EXAMPLES / "jobs.json").read_text())
    jobs = []
    for number in range(count):
        job = {**examples[number % len(examples)], "taskId": f"{uuid.UUID(int=number)}/0"}
        if number % 1000 < broken * 1000:
            job |= {"result": "testfailed", "origin": {"project": "autoland", "revision": "C0FFEE"}}
        jobs.append(job)
    return json.dumps(jobs, indent=1)


def longest_wait(stop: threading.Event, waits: list[float]) -> None:
    while not stop.is_set():
        before = time.perf_counter()
        time.sleep(0.002)
        waits.append(time.perf_counter() - before - 0.002)


def read_and_lint(path: Path) -> pl.DataFrame:
    return findings_frame(lint(read_files([str(path)])))


def watched(work: Callable[[], object]) -> list[float]:
    """Seconds that another thread waited while `work` ran, which is measured apart: it is in each other's way."""
    stop, waits = threading.Event(), list[float]()
    watcher = threading.Thread(target=longest_wait, args=(stop, waits))
    watcher.start()
    work()
    stop.set()
    watcher.join()
    return waits


def peers(path: Path) -> dict[str, Callable[[], object]]:
    schema = schema_of(JobForm.PULSE)
    listed, quick, rust = Draft6Validator(schema), fastjsonschema.compile(schema), jsonschema_rs.validator_for(schema)

    def is_valid(body: object) -> bool:
        try:
            quick(body)
        except fastjsonschema.JsonSchemaException:
            return False
        return True

    def all_bodies(check: Callable[[object], object]) -> Callable[[], object]:
        return lambda: [check(body) for body in json.loads(path.read_text())]

    return {
        "jsonschema": all_bodies(lambda body: list(listed.iter_errors(body))),
        "fastjsonschema": all_bodies(is_valid),
        "jsonschema-rs": all_bodies(rust.is_valid),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--broken", type=float, default=0.02)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.json"
        path.write_text(made(chosen.jobs, chosen.broken))
        found = len(read_and_lint(path))  # and what is compiled once is compiled
        others = {name: lambda work=work: measure(work) for name, work in peers(path).items()}
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 25, 50)  # as the app has it (tui/app.py): the collector's pauses count as waiting
        costs = take_turns({"ciexplore": lambda: measure(lambda: read_and_lint(path)), **others}, chosen.runs)
        ours = costs["ciexplore"]
        print(f"{chosen.jobs:,} jobs, {found:,} findings\n")
        table = [
            (name, cost.wall, cost.cpu, cost.wall / ours.wall, cost.cpu / ours.cpu) for name, cost in costs.items()
        ]
        print_table(("what", "ms", "CPU", "ratio", "CPU ratio"), table)
        waits = [wait for _ in range(3) for wait in watched(lambda: read_and_lint(path))]
        longest = 1000 * max(waits)
        print(f"another thread waited {1000 * percentile(waits, 0.99):.1f} ms (99 %), {longest:.1f} ms at most\n")
        growth = []
        for size in SIZES:
            path.write_text(made(size, chosen.broken))
            growth.append(median([measure(lambda: read_and_lint(path)) for _ in range(3)]))
        print_table(
            ("jobs", "ms", "CPU"), [(f"{n:,}", one.wall, one.cpu) for n, one in zip(SIZES, growth, strict=True)]
        )
        print(f"grows with jobs ** {fit_exponent(SIZES, [one.cpu for one in growth]):.2f} (CPU)")


if __name__ == "__main__":
    main()
