"""What reading a big log costs: first screen, memory, index, search, and how long a key waits meanwhile.

    python benchmarks/logs.py [--megabytes 1000] [--gzip-megabytes 300] [--folder DIR]

A realistic Taskcluster log is written to a temporary folder that goes at the end. Each case is a process of its own,
so that memory is its own; the peers read the same file in the same run: `grep -c` (and ripgrep, if it is installed),
and Python's own lines. The first screen is timed in the app without a terminal, from the moment at which the source
gives its first byte until the screen holds the first line; `key` is the longest that a loop, which asks for the time
every millisecond, had to wait while the log came in, its errors were looked for and it was searched. The same in an
app that does nothing is the noise of the machine; a collection of Python's oldest garbage (some 50 ms in an app that
has never called gc.freeze) counts as waiting, and is told apart. Memory is the peak above the empty app.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
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
    from textual.app import App, ComposeResult

    from tui.widgets.log_pane import LogPane

    first: list[float] = []

    class LogApp(App[None]):
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


def search_case(path: Path) -> dict[str, float]:
    """Megabytes a second of the bare engine, without an app."""
    from backends.logs import sources
    from backends.logs.rules import Findings
    from backends.logs.search import LogSearcher
    from backends.logs.spool import LogSpool

    result = {}
    spool = LogSpool(sources.from_path(path))
    before = time.perf_counter()
    spool.fill()
    size = spool.size / 1e6
    result["spool and index"] = size / (time.perf_counter() - before)
    for name, text in SEARCHES.items():
        search = LogSearcher(spool, text)
        before = time.perf_counter()
        search.run()
        result[f"search: {name}"] = size / (time.perf_counter() - before)
    findings = Findings(spool)
    before = time.perf_counter()
    findings.run()
    result["errors, warnings, sections by rule"] = size / (time.perf_counter() - before)
    return result


def python_case(path: Path) -> dict[str, float]:
    """What one writes first: all lines in a list, `re` over each."""
    import re

    size = path.stat().st_size / 1e6
    before, empty = time.perf_counter(), resident()
    with path.open(encoding="utf-8", errors="replace") as stream:
        lines = stream.readlines()
    result = {"python readlines": size / (time.perf_counter() - before), "python readlines, MB": resident() - empty}
    pattern = re.compile(SEARCHES["a regex, frequent"], re.IGNORECASE)
    before = time.perf_counter()
    sum(1 for line in lines if pattern.search(line))
    result["python re: a regex, frequent"] = size / (time.perf_counter() - before)
    return result


def grep_case(path: Path) -> dict[str, float]:
    result = {}
    size = path.stat().st_size / 1e6
    tools = {"grep -ciE": ["grep", "-ciE"], "ripgrep -ci": ["rg", "-ci", "-j1"]}
    for tool, command in tools.items():
        if shutil.which(command[0]) is None:
            continue
        for name, text in SEARCHES.items():
            regex = text.replace(r"\d", "[0-9]")
            before = time.perf_counter()
            subprocess.run([*command, regex, str(path)], capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
            result[f"{tool}: {name}"] = size / (time.perf_counter() - before)
    return result


CASES: dict[str, Callable[[Path], dict[str, float]]] = {
    "app": lambda path: asyncio.run(app_case(path)),
    "frozen": lambda path: asyncio.run(app_case(path, freeze=True)),
    "search": search_case,
    "python": python_case,
    "grep": grep_case,
}


def run(case: str, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--case", case, "--path", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rows: list[tuple[str, str, str, str]]) -> None:
    for row in [("what", "ciexplore", "must reach", "peers in the same run"), ("---",) * 4, *rows]:
        print("| " + " | ".join(row) + " |")


def report(
    plain: dict[str, float],
    packed: dict[str, float],
    frozen: dict[str, float],
    speed: dict[str, float],
    peers: dict[str, float],
) -> None:
    limits = {"first screen, ms": "300", "memory above the empty app, MB": "100"}
    rows = []
    for name, value in plain.items():
        limit = limits.get(name, "50" if name.startswith(("key", "slowest")) else "")
        peer = f"{peers['python readlines, MB']:.0f} MB python readlines" if name.startswith("memory") else ""
        rows.append(
            (
                name,
                f"{value:,.1f} plain, {packed[name]:,.1f} gzip, {frozen[name]:,.1f} plain after gc.freeze",
                limit,
                peer,
            )
        )
    for name, value in speed.items():
        word = name.removeprefix("search: ")
        others = [f"{tool} {rate:,.0f}" for tool, rate in peers.items() if word in tool]
        if name == "spool and index":
            others = [f"python readlines {peers['python readlines']:,.0f}"]
        rows.append((f"{name}, MB/s", f"{value:,.0f}", "200" if name.startswith("search") else "", ", ".join(others)))
    table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--gzip-megabytes", type=int, default=300, help="before compression")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--path", type=Path)
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(CASES[asked.case](asked.path)))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        plain, packed, small = (Path(folder) / name for name in ("big.log", "packed.log.gz", "packed.log"))
        write_log(plain, asked.megabytes * 1_000_000)
        write_log(small, asked.gzip_megabytes * 1_000_000)
        with small.open("rb") as source, gzip.open(packed, "wb", compresslevel=4) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        small.unlink()
        apps = run("app", plain), run("app", packed), run("frozen", plain)
        report(*apps, run("search", plain), run("python", plain) | run("grep", plain))


if __name__ == "__main__":
    main()
