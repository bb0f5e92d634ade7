"""10,000 jobs linted: ours against jsonschema's validator alone, which is what Treeherder itself runs, in the same run.

    python benchmarks/submit.py [--jobs 10000] [--broken 0.02] [--runs 3]

Ours reads the file, validates, checks what the code wants beyond the schema, and says what to write instead; the peer
only validates. Also how long the other threads had to wait while it ran in one (the interface is such a thread).
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path

from jsonschema import Draft6Validator

from backends.demo.submit import EXAMPLES
from backends.submit.entries import JobForm
from backends.submit.lint import findings_frame, lint
from backends.submit.read import read_files
from backends.submit.validation import schema_of


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--broken", type=float, default=0.02)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 25, 50)  # as the app has it (tui/app.py): the collector's pauses count as waiting
    ours, peer, waits = [], [], list[float]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.json"
        path.write_text(made(chosen.jobs, chosen.broken))
        for _ in range(chosen.runs):
            stop = threading.Event()
            watcher = threading.Thread(target=longest_wait, args=(stop, waits))
            watcher.start()
            begin = time.perf_counter()
            frame = findings_frame(lint(read_files([str(path)])))
            ours.append(time.perf_counter() - begin)
            stop.set()
            watcher.join()
            validator = Draft6Validator(schema_of(JobForm.PULSE))
            begin = time.perf_counter()
            for body in json.loads(path.read_text()):
                list(validator.iter_errors(body))
            peer.append(time.perf_counter() - begin)
    waits.sort()
    print(f"{chosen.jobs:,} jobs, {len(frame):,} findings")
    print(f"read, lint, frame     {statistics.median(ours):6.2f} s")
    print(f"jsonschema alone      {statistics.median(peer):6.2f} s")
    late = waits[int(len(waits) * 0.99)]
    print(f"another thread waited {late * 1000:6.1f} ms (99 %), {waits[-1] * 1000:.1f} ms at most")


if __name__ == "__main__":
    main()
