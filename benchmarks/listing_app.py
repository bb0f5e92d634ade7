"""A group of 10,000 tasks listed in the app, beside the same list read headless.

    python benchmarks/listing_app.py [--tasks 2000 10000 20000] [--runs 5] [--latency 40]

Every run is a process of its own on an embedded CI of its own (another process) whose pages are made beforehand, with
an empty cache; the app is warm and 200x60 cells large. The clock runs from the locator to the last row, in the app
until it is shown. The contenders take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from functools import partial

from measuring import Cost, clean_environment, fit_exponent, print_table, take_turns

from backends.demo import DemoOptions, DemoProcess, locators
from backends.systems import parse_locator


def list_headless(text: str) -> None:
    from backends import config
    from backends.cancel import CancelToken
    from backends.resources import read_list
    from backends.session import Session

    session = Session(config.load())
    _ = session.http
    resource = session.resource(parse_locator(text))  # the imports are not what is measured
    wall, cpu = time.perf_counter(), time.process_time()
    count = len(read_list(resource, CancelToken()).frame)
    print((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000, 0, count)


async def list_in_the_app(text: str) -> None:
    from backends import config
    from backends.session import Session
    from tui.app import Explorer

    app = Explorer(Session(config.load()))
    async with app.run_test(size=(200, 60)):
        while "backends.http.client" not in sys.modules:  # imported after the first paint, as the last
            await asyncio.sleep(0.01)
        await app.workers.wait_for_complete()
        wall, cpu, first = time.perf_counter(), time.process_time(), 0.0
        app.open_locator(parse_locator(text))
        while True:
            await asyncio.sleep(0.002)  # the pilot would wait for an idle processor
            top = app.current_list.top if app.current_list else None
            table = top.table if top is not None and top.is_mounted else None
            if table is not None and table.total_count:
                first = first or time.perf_counter() - wall
                if not top.is_loading:
                    break
        took, worked = time.perf_counter() - wall, time.process_time() - cpu
        print(took * 1000, worked * 1000, first * 1000, table.total_count)
        app.leave()


def run(how: str, server: DemoProcess, text: str, firsts: list[float]) -> Cost:
    with tempfile.TemporaryDirectory() as scratch:
        environment = clean_environment(
            **server.settings,
            CIEXPLORE_CACHE_DIR=f"{scratch}/cache",
            CIEXPLORE_STATE_DIR=f"{scratch}/state",
            CIEXPLORE_CONFIG=f"{scratch}/none",
        )
        command = [sys.executable, __file__, "--case", how, text]
        output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    wall, cpu, first, count = (float(word) for word in output.split())
    assert count == server.options.tasks
    firsts.append(first)
    return Cost(wall, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[2000, 10_000, 20_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0, metavar="MS", help="before each answer of the server")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case:
        how, text = asked.case
        asyncio.run(list_in_the_app(text)) if how == "app" else list_headless(text)
        return
    rows: list[list[object]] = []
    costs: dict[str, list[Cost]] = {"headless": [], "app": []}
    for tasks in asked.tasks:
        options = DemoOptions(tasks=tasks, latency_ms=asked.latency)
        with DemoProcess(options, warm=True) as server:
            text = locators(options, server.root_url)["taskcluster.finished-group"]
            firsts: dict[str, list[float]] = {how: [] for how in costs}
            contenders = {how: partial(run, how, server, text, firsts[how]) for how in costs}
            found = take_turns(contenders, asked.runs)
        for how, cost in found.items():
            costs[how].append(cost)
            first = sorted(firsts[how])[len(firsts[how]) // 2] or ""
            rows.append([f"{tasks:,}", how, first, cost.wall, cost.cpu, cost.wall / found["headless"].wall])
    print_table(["tasks", "listed", "first rows ms", "whole list ms", "CPU ms", "x headless"], rows)
    if len(asked.tasks) > 1:
        for how, found_costs in costs.items():
            exponent = fit_exponent(asked.tasks, [cost.wall for cost in found_costs])
            print(f"{how} grows with tasks ** {exponent:.2f}")


if __name__ == "__main__":
    main()
