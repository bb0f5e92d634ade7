"""What FrameTable costs beside textual-fastdatatable and Textual's DataTable: same rows, same machine, taking turns.

    benchmarks/peers.sh && python benchmarks/table.py [--rows 1000 100000] [--runs 3] [--peer-python PYTHON]

One process a case, so that memory is its own; 200x60 cells; ten columns, plain words searched in three of them. Times
are milliseconds, medians over the runs. `cpu` is processor time, the steadier number on a busy machine, and for single
key presses the only one: Pilot's own press waits 40 ms of wall time in an empty app. The peers have no filter: theirs
is the same polars filter, over a lower-cased column made beforehand, and a new table with the result, which is what
their users do. DataTable takes 16 s a filter at 100,000 rows: left out above 10,000. At the end: how the costs of each
table grow with its rows.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import clean_environment, fit_exponent, print_table

HERE = Path(__file__).parent
CASES = ("frame", "fast-arrow", "fast-polars", "datatable")
TEXTS = ("label", "pool", "message")
QUERIES = ("w", "wi", "win", "wind", "", "e", "ex", "exi", "exit status 25", "exit status 255")
SORTS = ("duration", "label", "score", "message", "started")
GROWTH = ("first_paint", "filter", "sort", "mark_all", "append", "append_filtered", "append_sorted")
GROWING_FROM = 10_000  # rows; below, the screen costs more than the rows
BUDGETS = {"first_paint": 3.0, "filter": 5.0}  # how many times faster than fast-arrow at 100,000 rows


def rows(count: int) -> Any:
    """Rows as a listing of tasks has them: few distinct states, many labels, one id each."""
    import polars as pl

    def pick(words: list[str], step: int) -> pl.Expr:
        return pl.lit(pl.Series(words)).gather(((pl.col("n") * step + 7) // 3) % len(words))

    hashed = pl.col("n").hash(1)
    platforms = ["linux2404-64", "windows11-64-24h2", "macosx1500-aarch64", "android-hw-a55"]
    suites = ["mochitest-plain", "xpcshell", "web-platform-tests", "browsertime", "talos"]
    pools = ["gecko-t/linux-docker", "gecko-t/win11-64", "releng-hardware/osx-1500"]
    states = ["completed", "failed", "running", "pending", "exception"]
    return pl.DataFrame({"n": range(count)}).select(
        state=pick(states, 5),
        label=pl.concat_str(
            pl.lit("test-"), pick(platforms, 7), pl.lit("/opt-"), pick(suites, 11), pl.lit("-"), hashed % 40
        ),
        pool=pick(pools, 13),
        message=pl.concat_str(pl.lit("exit status "), hashed % 256, pl.lit(" after "), hashed % 997, pl.lit("s")),
        duration=(hashed % 7200).cast(pl.Float64),
        score=(hashed % 100_000) / 1000.0,
        started=(pl.datetime(2026, 1, 1, time_zone="UTC") + pl.duration(seconds="n")).cast(pl.Datetime("ms", "UTC")),
        runs=(hashed % 5).cast(pl.Int64),
        size=(hashed % 10_000_000).cast(pl.Int64),
        task_id=hashed.cast(pl.String),
    )


# ---- one case, in a process of its own: a table and how to fill, filter and sort it ----------------------------


class OfFrameTable:
    def __init__(self, frame: Any) -> None:
        from backends.frames.schema import Column, Kind, Schema
        from tui.widgets.table import FrameTable

        kinds = {"state": Kind.STATE, "duration": Kind.DURATION, "score": Kind.NUMBER, "started": Kind.TIME}
        kinds |= {"runs": Kind.COUNT, "size": Kind.BYTES, "task_id": Kind.ID}
        columns = [Column(n, kinds.get(n, Kind.TEXT), n, searched=n in TEXTS) for n in frame.columns]
        self.frame, self.schema, self.kind = frame, Schema(tuple(columns), "task_id"), FrameTable

    async def fill(self, app: Any) -> None:
        self.table = self.kind(self.schema)
        self.table.replace(self.frame)
        await app.mount(self.table)

    async def filter(self, app: Any, text: str) -> None:
        self.table.set_filter(text)
        await self.settled(app)

    async def sort(self, app: Any, column: str) -> None:
        self.table.sort(column, descending=True)
        await self.settled(app)

    async def settled(self, app: Any) -> None:
        while self.table.busy:  # a big table filters and sorts in a thread
            await app.workers.wait_for_complete()
            await asyncio.sleep(0)


class OfPeer:
    """Filled anew for each filter: neither peer can exchange its rows in another way."""

    def __init__(self, frame: Any) -> None:
        import polars as pl

        self.frame = frame
        self.words = frame.select(pl.concat_str(TEXTS, separator="\n").str.to_lowercase()).to_series()

    def matching(self, text: str) -> Any:
        """The rows with that text, found in the column that was made before the clock ran."""
        return self.frame.filter(self.words.str.contains(text, literal=True)) if text else self.frame

    async def fill(self, app: Any) -> None:
        self.table = self.made(self.frame)
        await app.mount(self.table)

    async def filter(self, app: Any, text: str) -> None:
        await self.table.remove()
        self.table = self.made(self.matching(text))
        await app.mount(self.table)

    async def sort(self, app: Any, column: str) -> None:
        self.table.sort([(column, "descending")])

    def made(self, frame: Any) -> Any:
        raise NotImplementedError


class OfFastArrow(OfPeer):
    def made(self, frame: Any) -> Any:
        from textual_fastdatatable import DataTable
        from textual_fastdatatable.backend import ArrowBackend

        return DataTable(backend=ArrowBackend(frame.to_arrow()), cursor_type="row")


class OfFastPolars(OfPeer):
    def made(self, frame: Any) -> Any:
        from textual_fastdatatable import DataTable
        from textual_fastdatatable.backend import PolarsBackend

        return DataTable(backend=PolarsBackend.from_dataframe(frame), cursor_type="row")


class OfDataTable(OfPeer):
    def made(self, frame: Any) -> Any:
        from textual.widgets import DataTable

        table: DataTable[Any] = DataTable(cursor_type="row")
        for column in frame.columns:
            table.add_column(column, key=column)
        table.add_rows(frame.iter_rows())
        return table

    async def filter(self, app: Any, text: str) -> None:
        self.table.clear()
        self.table.add_rows(self.matching(text).iter_rows())

    async def sort(self, app: Any, column: str) -> None:
        self.table.sort(column, reverse=True)


KINDS: dict[str, Any] = dict(zip(CASES, (OfFrameTable, OfFastArrow, OfFastPolars, OfDataTable), strict=True))


def memory() -> float:
    """Resident megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def painted(app: Any) -> None:
    for node in (app, app.screen):
        done = asyncio.Event()
        node.call_after_refresh(done.set)
        await done.wait()


async def measured(case: str, count: int) -> dict[str, float]:
    from textual.app import App

    subject = KINDS[case](rows(count))
    app: Any = App()
    if case == "frame":
        from tui.theme import ThemedApp  # its stylesheet names colours of the theme

        app = ThemedApp()
    result: dict[str, float] = {}
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        gc.collect()
        before, clock, cpu = memory(), time.perf_counter(), time.process_time()
        await subject.fill(app)
        await painted(app)
        result["first_paint"] = (time.perf_counter() - clock) * 1e3
        result["first_paint_cpu"] = (time.process_time() - cpu) * 1e3
        gc.collect()
        result["mb"] = memory() - before
        subject.table.focus()
        await pilot.pause()

        async def keys(key: str, times: int) -> float:
            cpu = time.process_time()
            await pilot.press(*[key] * times)
            return (time.process_time() - cpu) / times * 1e3

        result["down_cpu"] = await keys("down", 40)
        await keys("pagedown", 2)
        result["scroll_cpu"] = await keys("down", 80)
        result["page_cpu"] = await keys("pagedown", 10)

        async def timed(step: Any, words: tuple[str, ...]) -> tuple[list[float], list[float]]:
            took, worked = [], []
            for word in words:
                clock, cpu = time.perf_counter(), time.process_time()
                await step(app, word)
                await painted(app)
                took.append((time.perf_counter() - clock) * 1e3)
                worked.append((time.process_time() - cpu) * 1e3)
            return took, worked

        if case == "frame":
            subject.table.prepare_filter()  # as the app does when the filter box opens
            await app.workers.wait_for_complete()
        filters, worked = await timed(subject.filter, QUERIES)
        result["filter"], result["filter_max"] = statistics.median(filters), max(filters)
        result["filter_cpu"] = statistics.median(worked)
        await subject.filter(app, "")
        sorts, worked = await timed(subject.sort, SORTS)
        result["sort"], result["sort_cpu"] = statistics.median(sorts), statistics.median(worked)
        if case == "frame":
            result |= await ours_alone(app, subject, count)
    return result


async def ours_alone(app: Any, subject: OfFrameTable, count: int) -> dict[str, float]:
    """What the peers cannot do: marking all, and a page of 1,000 rows more; of the first ten half are known."""
    table = subject.table
    table.sort(None)
    clock = time.perf_counter()
    table.action_mark_shown()
    table.action_invert()
    marks = (time.perf_counter() - clock) * 1e3 / 2
    await painted(app)
    more = rows(count + 25_000).tail(30_000)
    costs = {"mark_all": marks}
    for name, first, text, column in (
        ("append", 0, "", None),
        ("append_filtered", 10_000, "win", None),
        ("append_sorted", 20_000, "", "label"),
    ):
        await subject.filter(app, text)
        table.sort(column)
        await subject.settled(app)
        clock, cpu = time.perf_counter(), time.process_time()
        for page in range(10):
            table.append(more.slice(first + page * 1000, 1000))
            await subject.settled(app)
        costs[name] = (time.perf_counter() - clock) * 1e3 / 10
        costs[f"{name}_cpu"] = (time.process_time() - cpu) * 1e3 / 10
        await painted(app)
    return costs


# ---- all cases, and the table of them ----------------------------------------------------------------------------


def run(case: str, count: int, python: str) -> dict[str, float]:
    environment = clean_environment(PYTHONPATH=str(HERE.parent) if case == "frame" else "")
    command = [sys.executable if case in {"frame", "datatable"} else python, __file__, "--case", case, str(count)]
    ended = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return result


def report(count: int, results: dict[str, dict[str, float]]) -> str:
    names = list(results["frame"])
    lines = [f"| {count:,} rows | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for case, values in results.items():
        lines.append(f"| {case} | " + " | ".join(f"{values[n]:,.1f}" if n in values else "" for n in names) + " |")
    for case in list(results)[1:]:
        ratios = [
            f"{results[case][n] / results['frame'][n]:.1f}x" if n in results[case] and results["frame"][n] > 0 else ""
            for n in names
        ]
        lines.append(f"| {case} / frame | " + " | ".join(ratios) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-python", default=str(HERE / ".work" / "fastdatatable" / "bin" / "python"))
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(asyncio.run(measured(options.case[0], int(options.case[1])))))
        return
    python = sys.executable if importlib.util.find_spec("textual_fastdatatable") else options.peer_python
    by_size: dict[int, dict[str, dict[str, float]]] = {}
    for count in options.rows:
        runs: dict[str, list[dict[str, float]]] = {}
        for _ in range(options.runs):
            for case in CASES:
                if case == "datatable" and count > 10_000:
                    continue
                runs.setdefault(case, []).append(run(case, count, python))
        medians = {
            case: {name: statistics.median(result[name] for result in results) for name in results[0]}
            for case, results in runs.items()
        }
        by_size[count] = medians
        print(report(count, medians), end="\n\n", flush=True)
        if count == 100_000:
            for name, wanted in BUDGETS.items():
                fastest = min(medians[case][name] for case in ("fast-arrow", "fast-polars"))
                ratio = fastest / medians["frame"][name]
                print(f"{name}: {ratio:.1f}x the faster fast table, wanted {wanted:.0f}x", end="\n\n", flush=True)
    print_growth(by_size)


def print_growth(by_size: dict[int, dict[str, dict[str, float]]]) -> None:
    """The exponents of what each table costs, over the sizes at which it was measured."""
    lines = []
    for case in CASES:
        sizes = [size for size, medians in by_size.items() if case in medians and size >= GROWING_FROM]
        if len(sizes) > 1:
            lines.append(
                [case, *(fit_exponent(sizes, [by_size[size][case].get(n, 1.0) for size in sizes]) for n in GROWTH)]
            )
    if lines:
        print_table(["grows with rows **", *GROWTH], lines)


if __name__ == "__main__":
    main()
