"""What reading a big log costs: first screen, memory, index, search, and how long a key waits meanwhile.

    python benchmarks/logs.py [--megabytes 1000] [--gzip-megabytes 300] [--rounds 3] [--folder DIR] [--only search]

A realistic Taskcluster log is written to a temporary folder that goes at the end. Searches: the engine without an app
and its peers (ripgrep with one thread, GNU grep, Python's re line by line) take turns on the same file in the page
cache, at a tenth, a third and all of the size; Python's re only at a tenth. ripgrep also gets the expression of all
rules, whose lines it counts without telling errors from warnings; grep cannot read it, and Python's re takes minutes.

In the app: each case is a process of its own, so that memory is its own. The first screen is timed without a terminal,
from the moment at which the source gives its first byte until the screen holds the first line; `key` is the longest
that a loop, which asks for the time every millisecond, had to wait while the log came in, its errors were looked for
and it was searched. The same in an app that does nothing is the noise of the machine; a collection of Python's oldest
garbage (some 50 ms in an app that has never called gc.freeze) counts as waiting, and is told apart. Memory is the peak
above the empty app.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measuring import Cost, clean_environment, fit_exponent, measure, print_table, take_turns

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
RULES = "errors, warnings, sections by rule"
MUST = {"a word": 1200, "a regex": 600, RULES: 400}  # MB/s
SEARCHES = {
    "a word, rare": "channel error",
    "a word, no match": "zebra crossing",
    "a regex, frequent": r"took \d+ms",
    "a regex, rare": r"slot (1[0-9]|2[0-5]) unavail",
    "every line": "info",
}


def line(number: int) -> str:
    """One line of a test task's log, with its errors about one in 50,000."""
    seconds = number // 40
    clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    head = f"[task 2026-11-20T{clock}.{number % 1000:03d}Z] {clock}"
    if number % 50_021 == 50_020:
        return (
            f"{head}    ERROR - TEST-UNEXPECTED-FAIL | dom/canvas/test/test_{number}.html | got {number}, expected 1\n"
        )
    if number % 30_011 == 30_010:
        return f"{head}     INFO - GECKO(3989) | Exiting due to channel error.\n"
    kind = number % 7
    if kind == 0:
        return f"{head}     INFO - TEST-START | dom/canvas/test/webgl-conf/generated/test_{number % 4001}.html\n"
    if kind == 1:
        return f"{head}     INFO - TEST-OK | dom/canvas/test/test_{number % 4001}.html | took {number % 9973}ms\n"
    if kind == 2:
        slot = number % 26
        return f"{head}     INFO - GECKO(3989) | Active attribute aliasing. Slot {slot} unavailable for {number:x}\n"
    return f"{head}     INFO - GECKO(3989) | {1739328495951 + number}\tMarionette\tDEBUG\t1 <- [1,{kind},null,{{}}]\n"


def write_log(path: Path, size: int) -> None:
    block = "".join(line(number) for number in range(400_000)).encode()
    with path.open("wb") as stream:
        while size > 0:
            stream.write(block[:size])
            size -= len(block)


# ---- cases, each in a process of its own ------------------------------------------------------------------------


def resident() -> float:
    """Megabytes in memory now, without what is only mapped from files and can be dropped."""
    words = dict(
        row.split(":", 1) for row in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if ":" in row
    )
    return int(words["RssAnon"].split()[0]) / 1000


def watch_garbage() -> list[float]:
    """Milliseconds of the longest garbage collection from now on, in a list of one."""
    longest, began = [0.0], [0.0]

    def watch(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            began[0] = time.perf_counter()
        else:
            longest[0] = max(longest[0], (time.perf_counter() - began[0]) * 1000)

    gc.callbacks.append(watch)
    return longest


async def longest_wait(until: Callable[[], bool], peak: list[float]) -> float:
    """Milliseconds over what was asked for, the worst of all."""
    worst, ticks = 0.0, 0
    while not until():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - before - 0.001)
        ticks += 1
        if ticks % 50 == 0:
            peak[0] = max(peak[0], resident())
    return worst * 1000


def timed_source(path: Path, first: list[float]) -> Any:
    from backends.logs import sources

    inner = sources.from_path(path)

    def read(cancel: Any) -> Iterator[bytes]:
        for chunk in inner(cancel):
            if not first:
                first.append(time.perf_counter())
            yield chunk

    return read


async def app_case(path: Path, *, freeze: bool = False) -> dict[str, float]:
    """The whole app: first screen, loading, searching while it is all in, keys all along."""
    from textual.app import ComposeResult

    from tui.theme import ThemedApp
    from tui.widgets.log_pane import LogPane

    first: list[float] = []

    class LogApp(ThemedApp):
        def compose(self) -> ComposeResult:
            return iter(())

    app = LogApp()
    result: dict[str, float] = {}
    async with app.run_test(size=(160, 50)) as pilot:
        import polars as pl

        pl.Series(["warm"]).str.contains("w").any()
        await pilot.pause()
        if freeze:
            gc.collect()
            gc.freeze()
        empty = resident()
        peak = [empty]
        quiet = time.perf_counter() + 3
        result["key while nothing happens, ms"] = await longest_wait(lambda: time.perf_counter() > quiet, peak)
        garbage = watch_garbage()
        pane = LogPane(timed_source(path, first), "log")
        app.mount(pane)
        painted = 0.0
        while not painted:
            await asyncio.sleep(0.002)
            if pane.is_mounted and pane.query("LogView") and "task 2026" in pane.view.render_line(0).text:
                painted = time.perf_counter()
        result["first screen, ms"] = (painted - first[0]) * 1000
        view = pane.view
        reading = view.reading
        result["key while loading, ms"] = await longest_wait(lambda: reading.spool.complete, peak)
        result["loaded, s"] = time.perf_counter() - first[0]
        result["key while sorting out, ms"] = await longest_wait(lambda: reading.findings.complete, peak)
        result["errors known, s"] = time.perf_counter() - first[0]
        worst = 0.0
        for text in SEARCHES.values():
            view.search(text)
            search = view.current_search
            assert search is not None
            worst = max(worst, await longest_wait(lambda found=search: found.complete, peak))
        result["key while searching, ms"] = worst
        for action in (view.action_fold, lambda: view.action_jump(-1), view.action_fold, lambda: view.action_jump(0)):
            before = time.perf_counter()
            action()
            view.render_line(0)
            result["slowest jump or fold, ms"] = max(
                result.get("slowest jump or fold, ms", 0.0), (time.perf_counter() - before) * 1000
            )
        result["longest garbage collection, ms"] = garbage[0]
        result["memory above the empty app, MB"] = peak[0] - empty
        result["lines"] = reading.spool.line_count
        result["bytes"] = reading.spool.size
    return result


def search_turns(path: Path, rounds: int, *, python: bool) -> dict[str, dict[str, Cost]]:
    """The costs of each search by contender."""
    from backends.logs import sources
    from backends.logs.rules import Findings, rules_regex
    from backends.logs.search import LogSearcher
    from backends.logs.spool import LogSpool

    spool = LogSpool(sources.from_path(path))
    found = {"spooled and indexed": {"ciexplore": measure(spool.fill)}}
    for name, text in {**SEARCHES, RULES: rules_regex()}.items():
        case = [] if name == RULES else ["-i"]
        contenders: dict[str, Callable[[], Cost]] = {
            "ciexplore": (lambda: measure(Findings(spool).run))
            if name == RULES
            else (lambda text=text: measure(LogSearcher(spool, text).run)),
            "ripgrep": lambda case=case, text=text: count(
                ["rg", "-c", "-j1", *case, "-e", text.replace(r"\"", '"'), str(path)]
            ),
        }
        if name != RULES:
            posix = text.replace(r"\d", "[0-9]")
            contenders["grep"] = lambda posix=posix: count(["grep", "-ciE", posix, str(path)])
        if python and name != RULES:
            pattern = re.compile(text.encode(), re.IGNORECASE)
            contenders["Python's re"] = lambda pattern=pattern: measure(lambda: python_count(path, pattern))
        found[name] = take_turns(contenders, rounds)
    spool.discard()
    return found


def count(command: list[str]) -> Cost:
    environment = clean_environment(LC_ALL="C.UTF-8")

    def run() -> None:
        ended = subprocess.run(
            command, capture_output=True, env=environment, check=False
        )  # to /dev/null grep gives up early
        if ended.returncode > 1:  # 1: nothing matches
            raise SystemExit(f"{command[0]} failed")

    return measure(run)


def python_count(path: Path, pattern: re.Pattern[bytes]) -> int:
    with path.open("rb") as stream:
        return sum(1 for line in stream if pattern.search(line))


def report_searches(folder: Path, megabytes: int, rounds: int) -> None:
    sizes = [megabytes // 10, megabytes // 3, megabytes]
    costs = []
    for size in sizes:
        path = folder / "search.log"
        write_log(path, size * 1_000_000)
        costs.append(search_turns(path, rounds, python=size == sizes[0]))
        path.unlink()

    def speeds(name: str, who: str, at: int) -> str:
        cost = costs[at][name].get(who)
        return "" if cost is None else f"{sizes[at] * 1000 / cost.wall:,.0f} ({sizes[at] * 1000 / cost.cpu:,.0f})"

    rows = []
    for name in costs[-1]:
        must = next((str(speed) for word, speed in MUST.items() if name.startswith(word)), "")
        peers = [speeds(name, "ripgrep", 2), speeds(name, "grep", 2), speeds(name, "Python's re", 0)]
        growth = fit_exponent(sizes, [cost[name]["ciexplore"].cpu for cost in costs])
        rows.append([name, *(speeds(name, "ciexplore", at) for at in range(3)), must, *peers, growth])
    heads = [f"{size} MB" for size in sizes]
    print(
        "MB/s by wall clock, and by CPU time in brackets; ciexplore at three sizes, peers at the largest (re: smallest)"
    )
    print_table(["search", *heads, "must reach", "ripgrep -j1", "grep", "Python's re", "CPU grows with size to"], rows)


CASES: dict[str, Callable[[Path], dict[str, float]]] = {
    "app": lambda path: asyncio.run(app_case(path)),
    "frozen": lambda path: asyncio.run(app_case(path, freeze=True)),
}


def run(case: str, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--case", case, "--path", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report_app(folder: Path, megabytes: int, gzip_megabytes: int) -> None:
    plain, packed, small = (folder / name for name in ("big.log", "packed.log.gz", "packed.log"))
    write_log(plain, megabytes * 1_000_000)
    write_log(small, gzip_megabytes * 1_000_000)
    with small.open("rb") as source, gzip.open(packed, "wb", compresslevel=4) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    small.unlink()
    apps = run("app", plain), run("app", packed), run("frozen", plain)
    limits = {"first screen, ms": "300", "memory above the empty app, MB": "100"}
    rows = [
        [name, *(app[name] for app in apps), limits.get(name, "50" if name.startswith(("key", "slowest")) else "")]
        for name in apps[0]
    ]
    print_table(["in the app", "plain", "gzip", "plain, after gc.freeze", "must reach"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--gzip-megabytes", type=int, default=300, help="before compression")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", choices=["search", "app"])
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(CASES[asked.case](asked.path)))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        if asked.only != "app":
            report_searches(Path(folder), asked.megabytes, asked.rounds)
        if asked.only != "search":
            report_app(Path(folder), asked.megabytes, asked.gzip_megabytes)


if __name__ == "__main__":
    main()
