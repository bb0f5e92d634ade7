"""A group of 10,000 tasks: listing it against the bare HTTP time of its pages, opening it again, and what it weighs.

    python benchmarks/listing.py [--tasks 10000] [--runs 5] [--latency 40]

The embedded CI serves it from a process of its own with its pages made beforehand. The bare client (httpx, as it comes)
fetches the same pages one after the other and reads nothing of them but the token of the next.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoProcess, locators
from backends.http import Http, Mode
from backends.resources import read_list
from backends.systems import parse_locator
from backends.taskcluster.client import Client
from backends.taskcluster.locators import TaskGroup
from backends.taskcluster.tasks import GroupTaskList

TOKEN = re.compile(rb'"continuationToken": ?"([^"]+)"')


def bare(root: str, group: str) -> int:
    """Bytes of all pages, decoded."""
    size, token = 0, ""
    with httpx.Client(http2=False) as client:
        while True:
            params = {"limit": "1000", **({"continuationToken": token} if token else {})}
            body = client.get(f"{root}/api/queue/v1/task-group/{group}/list", params=params).content
            size += len(body)
            found = TOKEN.search(body)
            if found is None:
                return size
            token = found[1].decode()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU milliseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def resident() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def in_the_app(text: str | None) -> None:
    """Prints the memory of the app in MB, with nothing open or with the group listed, and the time to its rows."""
    from backends import config
    from backends.session import Session
    from tui.app import Explorer

    app = Explorer(Session(config.load()), None)
    async with app.run_test(size=(200, 60)):
        await app.workers.wait_for_complete()
        began, first = time.perf_counter(), 0.0
        if text:
            app.open_locator(parse_locator(text))
            while True:
                await asyncio.sleep(0.002)  # the pilot would wait for an idle processor
                top = app.current_list.top if app.current_list else None
                if top is not None and top.is_mounted and top.table is not None and top.table.total_count:
                    first = first or time.perf_counter() - began
                    if not top.is_loading:
                        break
        took = time.perf_counter() - began
        print(f"{resident():.1f} {peak():.1f} {first * 1000:.0f} {took * 1000:.0f}")
        app.leave()


def app_numbers(text: str, environment: dict[str, str]) -> list[float]:
    command = [sys.executable, __file__, "--app", text]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return [float(word) for word in output.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0, metavar="MS", help="before each answer of the server")
    parser.add_argument("--app", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.app is not None:
        asyncio.run(in_the_app(asked.app if asked.app != "-" else None))
        return
    options = DemoOptions(tasks=asked.tasks, latency_ms=asked.latency)
    with tempfile.TemporaryDirectory() as scratch, DemoProcess(options, warm=True) as server:
        locator = parse_locator(locators(options, server.root_url)["taskcluster.finished-group"])
        assert isinstance(locator, TaskGroup)
        group = locator.group_id
        cancel = CancelToken()

        def listed(mode: Mode, cache: Path) -> int:
            http = Http(cache_dir=cache, mode=mode)
            try:
                return len(read_list(GroupTaskList(locator, Client(http, server.root_url)), cancel).frame)
            finally:
                http.close()

        cache = Path(scratch, "cache")
        rows: dict[str, list[tuple[float, float]]] = {"bare HTTP": [], "listing": [], "opened again": []}
        size = bare(server.root_url, group)
        assert listed(Mode.REFRESH, cache) == asked.tasks
        for _ in range(asked.runs):
            rows["bare HTTP"].append(timed(lambda: bare(server.root_url, group)))
            rows["listing"].append(timed(lambda: listed(Mode.REFRESH, cache)))
            rows["opened again"].append(timed(lambda: listed(Mode.OFFLINE, cache)))
        base = statistics.median(wall for wall, _ in rows["bare HTTP"])
        print(f"{asked.tasks:,} tasks, {size / 1e6:.1f} MB of JSON, medians of {asked.runs}\n")
        print("| | wall ms | CPU ms | x bare HTTP |\n| --- | --- | --- | --- |")
        for name, times in rows.items():
            wall, cpu = statistics.median(w for w, _ in times), statistics.median(c for _, c in times)
            print(f"| {name} | {wall:.0f} | {cpu:.0f} | {wall / base:.2f} |")
        environment = {
            **os.environ,
            "TASKCLUSTER_ROOT_URL": server.root_url,
            "CIEXPLORE_CACHE_DIR": f"{scratch}/app-cache",
            "CIEXPLORE_STATE_DIR": f"{scratch}/state",
            "CIEXPLORE_CONFIG": f"{scratch}/none",
        }
        empty = app_numbers("-", environment)
        full = app_numbers(locator.text(), environment)
        again = app_numbers(locator.text(), environment)
        print("\n| the app, 200x60 | resident MB | peak MB | first rows ms | whole list ms |")
        print("| --- | --- | --- | --- | --- |")
        for name, numbers in (("empty", empty), ("listing it", full), ("opening it again", again)):
            print(f"| {name} | {numbers[0]:.0f} | {numbers[1]:.0f} | {numbers[2]:.0f} | {numbers[3]:.0f} |")
        print(f"\nabove the empty app: {full[0] - empty[0]:.0f} MB resident, {full[1] - empty[1]:.0f} MB at the peak")


if __name__ == "__main__":
    main()
