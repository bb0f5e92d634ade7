"""SQL over lists of a million rows beside the same asked of polars directly: `python benchmarks/sql.py [--rows
1000000]`.

Ours checks the query, gives its rows in the same order each time and says what their columns mean; polars gives a frame
in any order. The contenders take turns.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

import polars as pl
from measuring import Cost, fit_exponent, measure, print_table, take_turns

from backends.frames.schema import Column, Kind, Schema
from backends.queries.sql import Table, run_query

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("suite", Kind.TEXT, "Suite"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("task_id", Kind.ID, "Task"),
    ),
    key="task_id",
)


def make_rows(count: int, seed: int) -> pl.DataFrame:
    chance = random.Random(seed)
    return pl.DataFrame(
        {
            "state": chance.choices(["completed", "failed", "exception"], [95, 4, 1], k=count),
            "suite": [f"suite-{chance.randrange(400)}" for _ in range(count)],
            "platform": [f"platform-{chance.randrange(40)}" for _ in range(count)],
            "duration": [chance.lognormvariate(6, 1) for _ in range(count)],
            "task_id": [f"task-{number}" for number in range(count)],
        },
        schema=SCHEMA.polars(),
    )


def group(frame: pl.DataFrame, _: pl.DataFrame) -> pl.DataFrame:
    keys = frame.lazy().group_by("suite", "platform")
    return keys.agg(pl.len(), pl.col("duration").median()).sort("suite", "platform").collect()


def join(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    found = frame.lazy().join(other.lazy(), on="task_id").filter(pl.col("state") != pl.col("state_right"))
    return found.group_by("suite").agg(pl.len()).sort("suite").collect()


GROUP = "SELECT suite, platform, count(*) AS n, median(duration) AS duration FROM a GROUP BY suite, platform"
JOIN = "SELECT a.suite, count(*) AS n FROM a JOIN b ON a.task_id = b.task_id WHERE a.state <> b.state GROUP BY a.suite"
CASES: dict[str, tuple[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]]] = {
    "group by two columns, median": (GROUP, group),
    "join on a text, group": (JOIN, join),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=7)
    chosen = options.parse_args()
    sizes = [chosen.rows // 10, chosen.rows]
    grown: dict[str, list[float]] = {}
    lines = []
    for size in sizes:
        frames = make_rows(size, 1), make_rows(size, 2)
        tables = {name: Table(SCHEMA, frame) for name, frame in zip("ab", frames, strict=True)}
        for what, (query, directly) in CASES.items():

            def ours(query: str = query, tables: dict[str, Table] = tables) -> Cost:
                return measure(lambda: run_query(query, tables))

            def bare(directly: Callable[..., object] = directly, frames: tuple[pl.DataFrame, ...] = frames) -> Cost:
                return measure(lambda: directly(*frames))

            costs = take_turns({"ciexplore": ours, "polars": bare}, chosen.runs)
            own, peer = costs["ciexplore"], costs["polars"]
            grown.setdefault(what, []).append(own.cpu)
            lines.append(
                (f"{size:,}", what, f"{own.wall:.1f}", f"{peer.wall:.1f}", f"{own.wall / peer.wall:.2f}",
                 f"{own.cpu / peer.cpu:.2f}")
            )  # fmt: skip
    print_table(("rows", "what", "ciexplore ms", "polars ms", "wall, x polars (must reach 1.2)", "CPU"), lines)
    for what, cpu in grown.items():
        print(f"{what}: grows with rows ** {fit_exponent(sizes, cpu):.2f} (CPU)")


if __name__ == "__main__":
    main()
