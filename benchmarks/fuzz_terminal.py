"""Sends random keys, clicks, pastes and resizes to the app on its demo in a pseudo-terminal of 80x24.

    python benchmarks/fuzz_terminal.py --events 20000 --seed 1

Ends with 0 if the app is alive, answers Ctrl+P and Esc, has recorded no crash and has written nothing that was not
confirmed to its working directory or home; otherwise it prints the seed, the last events and the screen. Each event
depends on the seed and its number only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.terminal.fuzz import Fuzz, FuzzError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", default="0", metavar="MS", help="of the demo's servers")
    parser.add_argument("--fault", default="0", metavar="RATE", help="share of the demo's requests that fail")
    given = parser.parse_args()
    demo = ("--tasks", "120", "--latency", given.latency, "--fault", given.fault)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        try:
            result = Fuzz(Path(directory), given.seed, demo).run(given.events)
        except FuzzError as error:
            print(error)
            return 1
    print(
        f"seed {given.seed}: {result.events:,} events in {time.monotonic() - began:.0f} s, alive; "
        f"{result.confirmed:,} confirmations wrote {result.written:,} files and nothing else was written, "
        f"{result.spared:,} were not given; quit by a command {result.quits:,} times, "
        f"{len(result.screens):,} different places"
    )
    for place, count in result.screens.most_common(60):
        print(f"{count:6,}  {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
