"""A group of tasks: listing it against the bare HTTP time of its pages, opening it again, and what it weighs.

    python benchmarks/listing.py [--tasks 1000 10000 50000] [--runs 5] [--latency 40] [--app]

The embedded CI serves it from a process of its own with its pages made beforehand. The bare client (httpx, as it comes)
fetches the same pages one after the other and reads nothing of them but the token of the next, at their end. The
listing keeps what it lists in a cache, as it always does.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
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
from benchmarks.measuring import Cost, clean_environment, fit_exponent, measure, print_table, take_turns

TOKEN = re.compile(rb'"continuationToken": ?"([^"]+)"')
WHAT = ("bare HTTP", "listing", "opened again")


def bare(root: str, group: str) -> int:
    """Bytes of all pages, decoded."""
    size, token = 0, ""
    with httpx.Client(http2=False) as client:
        while True:
            params = {"limit": "1000", **({"continuationToken": token} if token else {})}
            body = client.get(f"{root}/api/queue/v1/task-group/{group}/list", params=params).content
            size += len(body)
            found = TOKEN.search(body[-1000:])
            if found is None:
                return size
            token = found[1].decode()


def headless(tasks: int, latency: float, runs: int) -> tuple[dict[str, Cost], int]:
    """Medians by the names of `WHAT`, and how many bytes of JSON it was."""
    options = DemoOptions(tasks=tasks, latency_ms=latency)
    with tempfile.TemporaryDirectory() as scratch, DemoProcess(options, warm=True) as server:
        locator = parse_locator(locators(options, server.root_url)["taskcluster.finished-group"])
        assert isinstance(locator, TaskGroup)

        def listed(mode: Mode) -> None:
            with Http(cache_dir=Path(scratch, "cache"), mode=mode) as http:
                found = read_list(GroupTaskList(locator, Client(http, server.root_url)), CancelToken())
                assert len(found.frame) == tasks

        size = bare(server.root_url, locator.group_id)
        listed(Mode.REFRESH)
        works = (
            lambda: bare(server.root_url, locator.group_id),
            lambda: listed(Mode.REFRESH),
            lambda: listed(Mode.OFFLINE),
        )
        contenders = {name: (lambda work=work: measure(work)) for name, work in zip(WHAT, works, strict=True)}
        return take_turns(contenders, runs), size


def memory(what: str) -> float:
    """MB of this process: "VmRSS" now, "VmHWM" at the most."""
    return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


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
        print(f"{memory('VmRSS'):.1f} {memory('VmHWM'):.1f} {first * 1000:.0f} {took * 1000:.0f}")
        app.leave()


def show_app(tasks: int, latency: float) -> None:
    options = DemoOptions(tasks=tasks, latency_ms=latency)
    with tempfile.TemporaryDirectory() as scratch, DemoProcess(options, warm=True) as server:
        environment = clean_environment(
            TASKCLUSTER_ROOT_URL=server.root_url,
            CIEXPLORE_CACHE_DIR=f"{scratch}/app-cache",
            CIEXPLORE_STATE_DIR=f"{scratch}/state",
            CIEXPLORE_CONFIG=f"{scratch}/none",
        )
        text = locators(options, server.root_url)["taskcluster.finished-group"]
        rows = []
        for name, opened in (("empty", "-"), ("listing it", text), ("opening it again", text)):
            command = [sys.executable, __file__, "--in-the-app", opened]
            output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            rows.append((name, *(float(word) for word in output.split())))
        print(f"\nthe app, 200x60, {tasks:,} tasks")
        print_table(("", "resident MB", "peak MB", "first rows ms", "whole list ms"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0, metavar="MS", help="before each answer of the server")
    parser.add_argument("--app", action="store_true", help="also in the app, with 10,000 tasks")
    parser.add_argument("--in-the-app", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.in_the_app is not None:
        asyncio.run(in_the_app(asked.in_the_app if asked.in_the_app != "-" else None))
        return
    found = {tasks: headless(tasks, asked.latency, asked.runs) for tasks in asked.tasks}
    print(f"medians of {asked.runs}, {asked.latency:.0f} ms before each answer")
    print_table(
        ("tasks", "MB of JSON", "", "wall ms", "CPU ms", "wall, x bare HTTP"),
        [
            (f"{tasks:,}", size / 1e6, name, costs[name].wall, costs[name].cpu, costs[name].wall / costs[WHAT[0]].wall)
            for tasks, (costs, size) in found.items()
            for name in WHAT
        ],
    )
    if len(found) > 1:
        for name in WHAT:
            cpu = [costs[name].cpu for costs, _ in found.values()]
            print(f"{name}: CPU grows with tasks ** {fit_exponent(list(found), cpu):.2f}")
    if asked.app:
        show_app(10_000, asked.latency)


if __name__ == "__main__":
    main()
