"""What is new in a log of 100 MB against three passing ones of 100 MB: time to the first line, to the last, and memory.

    python benchmarks/new_lines.py [--mb 100] [--runs 3] [--rounds 3]

The logs come from a local HTTP server, into a process of its own for each case. `cold`: the passing logs are fetched
and indexed first; `kept`: their indexes are in the cache. The logs are 290,000 different lines of one script with
times, numbers, ids and other paths in each run, 0.2 % lines that no two runs share, and 80 planted ones without a word
like error. `plain`: the same with a set of lines without their digits, which is what a script does.
"""

from __future__ import annotations

import argparse
import http.server
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from measuring import print_table

DISTINCT, PLANTED = 290_000, 80
BUDGET_FIRST, BUDGET_KEPT, BUDGET_COLD, BUDGET_MB = 0.5, 5.0, 12.0, 300


def make_script() -> tuple[list[str], list[str]]:
    """(words, lines with `{n}`, `{h}` and `{p}` where runs differ)."""
    draw = random.Random(0)
    consonants = "bcdfgklmnprst"
    words = [
        "".join(draw.choice(letters) for letters in (consonants, "aeiou", consonants, "aeiou", consonants))
        for _ in range(3000)
    ]
    lines = []
    for number in range(DISTINCT):
        kind, some = draw.random(), [draw.choice(words) for _ in range(draw.randint(4, 12))]
        if kind < 0.2:
            lines.append(f"INFO - TEST-PASS | {'/'.join(some[:4])}/test_{some[0]}_{number}.html | {' '.join(some)}")
        elif kind < 0.3:
            lines.append(f"INFO - TEST-START | {{p}} in {some[0]}")
        elif kind < 0.5:
            lines.append(f"gcc -c {{n}} -o {'/'.join(some[:3])}.o -I/tmp/{{h}}/include {' -D'.join(some[3:])}")
        else:
            lines.append(f"INFO - {{n}} {' '.join(some)} in {{n}}ms pod web-7d4b9c6f5d-x2x9k {{n}}")
    return words, lines


def write_log(path: Path, size: int, seed: int, words: list[str], script: list[str], planted: int = 0) -> list[int]:
    """The numbers (from 0) of the planted lines."""
    draw, written, clock, places = random.Random(seed), 0, 0.0, list[int]()
    with path.open("w") as stream:
        number = 0
        while written < size:
            text = script[number % len(script)]
            if draw.random() < 0.002:
                text = f"DEBUG {' '.join(draw.choice(words) for _ in range(8))}"
            if planted and written >= size * (len(places) + 1) / (planted + 1):
                text = (
                    f"the {draw.choice(words)} went away and {draw.choice(words)} gave up on {draw.choice(words)}quux"
                )
                places.append(number)
            clock += draw.random() / 10
            if "{" in text:
                text = text.replace("{n}", str(draw.randint(1, 99_999))).replace("{h}", f"{draw.getrandbits(40):010x}")
                text = text.replace("{p}", f"{draw.choice(words)}/{draw.choice(words)}/{draw.choice(words)}.js")
            line = f"[task 2026-11-20T{int(clock / 3600):02}:{int(clock / 60) % 60:02}:{clock % 60:06.3f}Z] {text}\n"
            stream.write(line)
            written += len(line)
            number += 1
    return places


def measure(url: str, cache: str, runs: int) -> dict[str, Any]:
    """In this process: `url`/target.log against `url`/0.log and so on."""
    from backends.cancel import CancelToken
    from backends.failures.new_line_search import read_passing_runs
    from backends.failures.new_lines import NewLineFinder, split_pieces
    from backends.failures.passing_runs import IndexReader, PassingRun, PassingRuns
    from backends.http import Http
    from backends.logs.sources import from_log
    from backends.resources import LogAddress
    from backends.taskcluster.locators import Task

    client, cancel = Http(cache_dir=Path(cache)), CancelToken()
    wall, cpu = time.perf_counter(), time.process_time()
    locator = Task("A" * 22)
    found = PassingRuns(
        "", [PassingRun(str(n), LogAddress(f"{url}/{n}.log", "", locator, final=True)) for n in range(runs)]
    )
    reader = IndexReader(client)
    passing = read_passing_runs(found, reader, cancel)
    assert passing is not None
    read = time.perf_counter() - wall
    finder, first, first_cpu, lines = NewLineFinder(passing), 0.0, 0.0, list[int]()
    for piece in split_pieces(from_log(client, LogAddress(f"{url}/target.log", "", locator))(cancel)):
        lines += finder.add(piece)
        if lines and not first:
            first, first_cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "read": read, "first": first, "first_cpu": first_cpu, "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "kept": reader.kept, "lines": lines,
        "new": finder.new, "all": finder.lines,
    }  # fmt: skip


def measure_plain(folder: Path, runs: int) -> dict[str, Any]:
    from re import compile as pattern

    digits = pattern(r"[0-9a-f]*[0-9][0-9a-f]*")

    def forms(path: Path) -> Iterator[str]:
        with path.open() as stream:
            for line in stream:
                yield digits.sub("", line)

    wall, cpu = time.perf_counter(), time.process_time()
    seen = {form for number in range(runs) for form in forms(folder / f"{number}.log")}
    read, first, first_cpu, lines, count = time.perf_counter() - wall, 0.0, 0.0, list[int](), 0
    for count, form in enumerate(forms(folder / "target.log"), 1):
        if form not in seen:
            seen.add(form)
            lines.append(count - 1)
            if not first:
                first, first_cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "read": read, "first": first, "first_cpu": first_cpu, "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "kept": 0, "lines": lines, "new": len(lines),
        "all": count,
    }  # fmt: skip


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        plain = given.case == "plain"
        print(
            json.dumps(
                measure_plain(Path(given.at), given.runs) if plain else measure(given.at, given.cache, given.runs)
            )
        )
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words, script = make_script()
        for number in range(given.runs):
            write_log(folder / f"{number}.log", given.mb << 20, number + 1, words, script)
        planted = write_log(folder / "target.log", given.mb << 20, 99, words, script, PLANTED)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=name))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rows = []
        for case in ("cold", "kept", "plain"):
            results = []
            for turn in range(given.rounds):
                cache = folder / f"cache-{turn}"
                at = name if case == "plain" else f"http://127.0.0.1:{server.server_address[1]}"
                command = [sys.executable, __file__, "--case", case, "--at", at, "--cache", str(cache)]
                done = subprocess.run(
                    [*command, "--runs", str(given.runs)], check=True, stdout=subprocess.PIPE, text=True
                )
                results.append(json.loads(done.stdout))
                assert case != "kept" or results[-1]["kept"] == given.runs
            last, middle = results[-1], partial(_median, results)
            hit = len(set(planted) & set(last["lines"]))
            rows.append((
                case, middle("read"), middle("first"), middle("first_cpu"), middle("wall"), middle("cpu"),
                round(middle("mb")),
                f"{hit} of {len(planted)}", f"{100 * (last['new'] - hit) / last['all']:.2f} %",
            ))  # fmt: skip
        server.shutdown()
    print_table(
        ("case", "passing logs s", "first s", "CPU s", "whole s", "CPU s", "peak MB", "planted", "others flagged"), rows
    )
    print(f"must reach: kept {BUDGET_FIRST} s first, {BUDGET_KEPT} s whole; cold {BUDGET_COLD} s; {BUDGET_MB} MB")


def _median(results: list[dict[str, Any]], name: str) -> float:
    return float(statistics.median(one[name] for one in results))


if __name__ == "__main__":
    main()
