"""How long Perfherder's large answers take to become rows, their rows to be searched and reduced for a plot, and how
long the app takes from a filter key to the repaint and to draw a series.

    python benchmarks/perfherder.py [--signatures 100000] [--points 50000] [--runs 5]

Synthetic answers in the server's own shape, from a fixed seed. Each row is the median of the runs, in milliseconds of
wall time and of CPU (all threads); contenders take turns: msgspec decoding the same bytes alone, and the plain way,
json.loads and a list of dicts. Then three sizes and how the cost grows. In the app, 200x60, from the key or the new
rows to the end of the repaint.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import polars as pl
from measuring import fit_exponent, measure, median, print_table, take_turns

from backends.frames import filters
from backends.garbage import paused_collection
from backends.http.response import Response
from backends.treeherder.api import decode_list
from backends.treeherder.detection import find_candidates_by_push
from backends.treeherder.models import PerformanceSignature, SeriesSummary
from backends.treeherder.series import SERIES, data_frame, point_frame
from backends.treeherder.signatures import SIGNATURES, signature_frame

ISO = "%Y-%m-%dT%H:%M:%S"
COLUMNS = 160  # of a wide terminal's plot
OPTIONS = ("cold", "warm", "fission", "webrender", "bytecode-cached", "live", "gecko-profile")
SYSTEMS = ("linux2404", "windows11", "macosx1500", "android-hw-a55-14-0", "linux1804")
TYPED = ("s", "su", "suite-7", "suite-7 li", "suite-7 linux", "suite-7 linux cold", "suite:suite-7", "")
PLATFORMS = [f"{name}-64-shippable" for name in SYSTEMS]


def answer_of_signatures(number: int) -> bytes:
    draw = random.Random(7)
    hashes = [f"{draw.getrandbits(160):040x}" for _ in range(50)]
    found = {}
    for signature in range(5_000_000, 5_000_000 + number):
        row = {
            "id": signature, "signature_hash": f"{draw.getrandbits(160):040x}", "framework_id": 13,
            "option_collection_hash": hashes[0], "machine_platform": draw.choice(PLATFORMS),
            "suite": f"suite-{draw.randrange(400)}", "should_alert": draw.choice([None, True, False]),
            "extra_options": draw.sample(OPTIONS, draw.randrange(1, 5)), "measurement_unit": "ms",
            "application": "firefox",
        }  # fmt: skip
        if draw.random() < 0.8:
            row |= {"test": f"test-{draw.randrange(30)}", "parent_signature": draw.choice(hashes)}
        else:
            row["has_subtests"] = True
        if draw.random() < 0.1:
            row["lower_is_better"] = False
        found[str(signature)] = row
    return json.dumps(found).encode()


def answer_of_series(number: int) -> bytes:
    draw = random.Random(9)
    rows, level = [], 800.0
    for place in range(number):
        level *= 1.05 if draw.random() < 40 / number else 1
        push = 1_000_000 + place // 3
        rows.append(
            {
                "job_id": 500_000_000 + place, "id": 900_000_000 + place, "value": draw.gauss(level, 8),
                "push_id": push,
                "push_timestamp": time.strftime(ISO, time.gmtime(1_700_000_000 + 900 * (place // 3))),
                "revision": f"{push:040x}", "submit_time": "2026-10-23T02:08:32", "machine_name": "t-linux-1",
            }
        )  # fmt: skip
    summary = {"signature_id": 5, "suite": "damp", "platform": "linux", "name": "damp opt", "data": rows}
    return json.dumps([summary]).encode()


def parsed(body: bytes) -> pl.DataFrame:
    answer = Response("https://th.example/api/", 200, {"content-type": "application/json"}, body)
    return signature_frame(
        decode_list(answer, PerformanceSignature, keyed=True).items, "autoland", {}, {13: "browsertime"}
    )


def points_of(body: bytes) -> tuple[pl.DataFrame, SeriesSummary]:
    answer = Response("https://th.example/api/", 200, {"content-type": "application/json"}, body)
    [summary] = decode_list(answer, SeriesSummary).items
    return point_frame(data_frame(summary.data, 5), summary, "autoland", "damp linux"), summary


def reduced(points: pl.DataFrame) -> pl.DataFrame:
    """The least, middle and greatest value of each column of a plot: what is drawn of 50,000 points."""
    first, last = points["push_time"].min(), points["push_time"].max()
    width = (last - first) / COLUMNS  # type: ignore[operator]
    return (
        points.group_by(((pl.col("push_time") - first) / width).floor().clip(0, COLUMNS - 1).alias("column"))
        .agg(pl.col("value").min().alias("low"), pl.col("value").median(), pl.col("value").max().alias("high"))
        .sort("column")
    )


def rows_of_dicts(body: bytes) -> list[dict[str, object]]:
    defaults = {"test": "", "lower_is_better": True, "has_subtests": False, "tags": [], "extra_options": []}
    found = []
    for row in json.loads(body).values():
        full = {**defaults, **row}
        full["options"] = " ".join(full["extra_options"])
        found.append(full)
    return sorted(found, key=lambda row: (row["suite"], row["test"], row["machine_platform"]))


def decoded(body: bytes, shape: Any) -> object:
    """msgspec alone, with the types that ours has: nothing that reads JSON into Python objects is faster."""
    with paused_collection():
        return msgspec.json.decode(body, type=shape)


def print_growth(
    what: str, sizes: Sequence[int], make: Callable[[int], bytes], read: Callable[[bytes], object]
) -> None:
    costs = []
    for size in sizes:
        body = make(size)
        costs.append(median([measure(lambda body=body: read(body)) for _ in range(3)]))
    print_table((what, "ms", "CPU"), [(f"{n:,}", one.wall, one.cpu) for n, one in zip(sizes, costs, strict=True)])
    print(f"grows with {what} ** {fit_exponent(sizes, [one.cpu for one in costs]):.2f} (CPU)\n")


async def painted(app: Any) -> None:
    for node in (app, app.screen):
        done = asyncio.Event()
        node.call_after_refresh(done.set)
        await done.wait()


def took(times: list[tuple[float, float]], wall: float, cpu: float) -> None:
    times.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)))


async def in_the_app(frame: pl.DataFrame, points: pl.DataFrame, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU milliseconds of each filter key to the repaint, of each drawing of the chart."""
    from backends.resources import Chart
    from tui.theme import ThemedApp
    from tui.widgets.charts import ChartPanel
    from tui.widgets.table import FrameTable

    class Both(ThemedApp):
        CSS = "FrameTable, ChartPanel { height: 1fr; }"

        def compose(self) -> Any:
            yield ChartPanel()
            yield FrameTable(SIGNATURES)

    app, found = Both(), dict[str, list[tuple[float, float]]](key=[], draw=[], zoom=[])
    chart = Chart(x="push_time", y="value", by="series", marks="alert")
    async with app.run_test(size=(200, 60)) as pilot:
        table, panel = app.query_one(FrameTable), app.query_one(ChartPanel)
        table.replace(frame)
        await pilot.pause()
        table.prepare_filter()  # as the app does when the filter box opens
        await app.workers.wait_for_complete()
        await painted(app)
        for _ in range(runs):
            for text in (
                "s",
                "su",
                "suite-7",
                "suite-7 li",
                "suite-7 linux",
                "suite-7 linux cold",
                "suite:suite-7",
                "",
            ):
                wall, cpu = time.perf_counter(), time.process_time()
                table.set_filter(text)
                while table.busy:  # a big table filters in a thread
                    await app.workers.wait_for_complete()
                    await asyncio.sleep(0)
                await painted(app)
                took(found["key"], wall, cpu)
        panel.show(points.head(10), SERIES, chart)
        await app.workers.wait_for_complete()  # plotext is imported
        await painted(app)
        for _ in range(3 * runs):
            wall, cpu = time.perf_counter(), time.process_time()
            panel.show(points, SERIES, chart)
            await painted(app)
            took(found["draw"], wall, cpu)
        panel.point(points.row(len(points) // 2, named=True))
        await painted(app)
        for step in (1, 1, 1, -1, -1, -1) * runs:
            wall, cpu = time.perf_counter(), time.process_time()
            panel.zoom(step)
            await painted(app)
            took(found["zoom"], wall, cpu)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--signatures", type=int, default=100_000)
    options.add_argument("--points", type=int, default=50_000)
    options.add_argument("--runs", type=int, default=5)
    given = options.parse_args()

    body = answer_of_signatures(given.signatures)
    frame, dicts = parsed(body), rows_of_dicts(body)
    haystack = filters.search_text(frame, SIGNATURES)
    words = filters.parse("suite-7 linux cold", SIGNATURES)
    column = filters.parse("suite:suite-7 platform:linux", SIGNATURES)

    def search() -> list[dict[str, object]]:
        wanted = ("suite-7", "linux", "cold")
        texts = ("suite", "test", "machine_platform", "options", "measurement_unit", "application", "signature_hash")
        return [
            row for row in dicts
            if all(word in " ".join(str(row.get(name)) for name in texts).lower() for word in wanted)
        ]  # fmt: skip

    series = answer_of_series(given.points)
    points, _ = points_of(series)
    value = filters.parse("value>900", SERIES)
    signature_shape, series_shape = dict[str, PerformanceSignature], list[SeriesSummary]
    measured: list[tuple[str, dict[str, Callable[[], object]]]] = [
        (
            f"{given.signatures:,} signatures ({len(body) / 1e6:.0f} MB)",
            {
                "ciexplore": lambda: parsed(body),
                "msgspec decoding alone": lambda: decoded(body, signature_shape),
                "json.loads and dicts": lambda: rows_of_dicts(body),
            },
        ),
        ("made searchable, once", {"ciexplore": lambda: filters.search_text(frame, SIGNATURES)}),
        (
            "filtered by three words",
            {"ciexplore": lambda: frame.filter(words.mask(frame, haystack)), "a list of dicts": search},
        ),
        ("filtered by two columns", {"ciexplore": lambda: frame.filter(column.mask(frame))}),
        (
            f"{given.points:,} points ({len(series) / 1e6:.0f} MB)",
            {"ciexplore": lambda: points_of(series), "msgspec decoding alone": lambda: decoded(series, series_shape)},
        ),
        (f"reduced to {COLUMNS} columns", {"ciexplore": lambda: reduced(points)}),
        ("filtered by value", {"ciexplore": lambda: points.filter(value.mask(points))}),
        ("change points looked for", {"ciexplore": lambda: find_candidates_by_push(points)}),
    ]
    gc.collect()
    gc.freeze()  # as the app does once it has started: the lists made above are not walked by each collection
    rows = []
    for what, contenders in measured:
        turns = {name: lambda work=work: measure(work) for name, work in contenders.items()}
        costs = take_turns(turns, given.runs)
        ours = costs["ciexplore"].cpu
        rows += [(what, name, cost.wall, cost.cpu, cost.cpu / ours) for name, cost in costs.items()]
    print_table(("what", "who", "ms", "CPU", "CPU / ours"), rows)
    print()
    print_growth("signatures", (10_000, 100_000, 300_000), answer_of_signatures, parsed)
    print_growth("points", (5_000, 50_000, 500_000), answer_of_series, points_of)
    print(f"\n{'in the app, 200x60':<46} {'ms':>8} {'p95':>8} {'CPU':>8} {'p95':>8} {'budget':>8}")
    times = asyncio.run(in_the_app(frame, points, given.runs))
    for name, what, budget in (
        ("key", f"filter key to repaint, {given.signatures:,} signatures", 50),
        ("draw", f"drawing {given.points:,} points", 150),
        ("zoom", "range key to repaint", 50),
    ):
        found = [sorted(values) for values in zip(*times[name], strict=True)]
        numbers = [number for one in found for number in (statistics.median(one), one[int(len(one) * 0.95) - 1])]
        print(f"{what:<46} " + " ".join(f"{number:8.1f}" for number in numbers) + f" {budget:8}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
