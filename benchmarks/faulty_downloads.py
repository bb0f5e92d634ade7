"""Download and unpack three artifacts and more of 2,000 tasks from a server that fails in one answer of four.

    python benchmarks/faulty_downloads.py [--tasks 2000] [--fault 0.05] [--target DIR] [--rounds 3]

The embedded CI with `--fault 0.05` answers 503, 429, nothing for three seconds, half a body or a body short of its
length, each in one answer of twenty. The command line is run as a user would, again and again until nothing fails (at
most `--rounds` times). After each run every file must be in the manifest in exactly one final state and have the right
bytes; after the first, a run may fetch only what had failed. Ends with 1 if any of that does not hold.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from backends.demo import DemoOptions, DemoProcess, expected_sha256, locators  # noqa: E402
from backends.extraction.limits import is_archive  # noqa: E402
from backends.transfers.manifest import Manifest  # noqa: E402
from backends.transfers.states import ManifestEntry  # noqa: E402

WANTED = ("*system-info.log", "*resource-usage.json", "*.tgz", "*.zip")  # three a test, an archive more for others
FINAL = {"verified", "unchanged", "failed", "skipped"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--fault", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--target", type=Path)
    asked = parser.parse_args()
    options = DemoOptions(tasks=asked.tasks, fault=asked.fault)
    with DemoProcess(options) as demo, tempfile.TemporaryDirectory(dir=asked.target) as place:
        return rounds(options, demo.root_url, Path(place), asked.rounds)


def rounds(options: DemoOptions, root: str, place: Path, most: int) -> int:
    output, failed, wrong = place / "out", None, 0
    for number in range(1, most + 1):
        began = time.perf_counter()
        code = command(options, root, place, output)
        seconds = time.perf_counter() - began
        entries = read(output)
        counts = collections.Counter(entry.state for entry in entries.values())
        fetched = {key for key, entry in entries.items() if entry.state == "verified"}
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
        print(f"run {number}: {seconds:.0f} s, exit {code}; {len(entries):,} files: {told}", flush=True)
        wrong += check(f"{len(set(counts) - FINAL)} states are not final", set(counts) <= FINAL)
        if failed is not None:
            also = len(fetched - failed)
            wrong += check(f"{also} files were fetched that had not failed", not also)
        failed = {key for key, entry in entries.items() if entry.state == "failed"}
        if code not in (0, 1) or not failed:
            wrong += check(f"the last run ended with {code}", code == 0)
            break
    wrong += right_bytes(options, output, read(output))
    print("every file is accounted for" if not wrong else f"{wrong} things are wrong")
    return 1 if wrong else 0


def command(options: DemoOptions, root: str, place: Path, output: Path) -> int:
    environment = {
        **os.environ,
        "TASKCLUSTER_ROOT_URL": root,
        "CIEXPLORE_CACHE_DIR": str(place / "cache"),
        "CIEXPLORE_STATE_DIR": str(place / "state"),
        "PYTHONPATH": str(ROOT),
    }
    group = locators(options, root)["taskcluster.finished-group"]
    matches = [word for glob in WANTED for word in ("--match", glob)]
    words = ["taskcluster", "download", group, *matches, "--output", str(output), "--unpack"]
    done = subprocess.run(
        [sys.executable, "-m", "tui", *words], env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    for line in done.stderr.splitlines()[-8:]:
        print(f"    {line[:200]}")
    return done.returncode


def read(output: Path) -> dict[str, ManifestEntry]:
    with Manifest.read(output) as manifest:
        return manifest.entries()


def right_bytes(options: DemoOptions, output: Path, entries: dict[str, ManifestEntry]) -> int:
    """Every file that is said to be there, against what the embedded CI made; every archive with its tree."""
    wrong = looked = trees = 0
    for entry in entries.values():
        if entry.state not in ("verified", "unchanged"):
            continue
        _, task, run, name = entry.key.removeprefix("http://").split("/", 3)
        path = output / entry.target
        looked += 1
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected_sha256(options, task, int(run), name):
            wrong += check(f"{entry.target} has other bytes", False)
        if is_archive(path.name):
            trees += 1
            wrong += check(f"{entry.target} was not unpacked", path.with_name(path.name + ".unpacked").is_dir())
    parts = list((output / ".ciexplore" / "parts").iterdir())
    wrong += check(f"{len(parts)} parts are left", not parts)
    wrong += check("a half-unpacked tree is left", not list(output.rglob("*.unpacking-*")))
    print(f"{looked:,} files compared by SHA-256, {trees:,} of them archives with their trees")
    return wrong


def check(words: str, holds: bool) -> int:
    if not holds:
        print(f"WRONG: {words}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
