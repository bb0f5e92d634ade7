"""What grouping failures by cause costs: 500,000 failures of 5,000 distinct texts, beside a plain pairwise way.

    python benchmarks/failures.py [--failures 500000] [--texts 5000] [--runs 3]

One process a case, so that memory is its own. The texts are 200 causes: a message of eight words, numbers, ids and
paths that vary, and for half of them a stack of 5 to 30 frames. `cluster` groups the texts; `lists` makes the rows of
the list of clusters of a list of failures. `plain` blanks what has a digit, compares every distinct text with the first
of each cluster by rapidfuzz's ratio and joins it at 0.9, which is what a script does. `wrong`: causes that share a
cluster with another; `split`: causes in more than one.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import time
from typing import Any

from measuring import print_table

CAUSES = 200
BUDGET_SECONDS, BUDGET_MB = 30.0, 1_000
_WORDS = (
    "volume device window cookie socket browser schedule cluster certificate registry profile worker session "
    "archive quota layer handler storage network address process channel module policy account bucket cursor "
    "driver engine filter graph header index journal kernel ledger memory object packet queue record server "
    "thread update vector widget zone "
)
WORDS = [word for word in _WORDS.split(" ") if word]


def make_texts(count: int, seed: int = 1) -> list[tuple[int, str]]:
    """(cause, text): distinct texts, equally many of each cause."""
    draw = random.Random(seed)
    heads = [" ".join(draw.sample(WORDS, 8)) for _ in range(CAUSES)]
    frames = [[f"  at {draw.choice(WORDS)}_{draw.choice(WORDS)}" for _ in range(30)] for _ in range(CAUSES)]
    texts = []
    for number in range(count):
        cause = number % CAUSES
        identity = f"{draw.getrandbits(128):032x}"
        text = (
            f"{heads[cause]}: 10.{number % 250}.3.{draw.randint(1, 250)}:{draw.randint(1000, 60000)} in "
            f"/tmp/{identity[:8]}/x after {draw.randint(1, 99)}m{draw.randint(1, 59)}s, object {identity}"
        )
        if cause % 2:
            depth = draw.randint(5, 30)
            text += "".join(f"\n{frame} line {draw.randint(1, 999)}" for frame in frames[cause][:depth])
        texts.append((cause, text))
    return texts


def measure_cluster(failures: int, texts: int) -> dict[str, Any]:
    import polars as pl

    from backends.failures.clustering import cluster

    made = make_texts(texts)
    rows = pl.DataFrame({"cause": [cause for cause, _ in made], "text": [text for _, text in made]})
    rows = pl.concat([rows] * -(-failures // texts)).head(failures)
    before, cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), time.perf_counter()
    found = cluster(rows["text"])
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = rows.select("cause").with_columns(found["cluster"]).unique()
    return {
        **took, "mb": peak / 1024, "added": (peak - before) / 1024, "clusters": found["cluster"].n_unique(),
        **count_mistakes(list(pairs.iter_rows())),
    }  # fmt: skip


def measure_lists(failures: int, texts: int) -> dict[str, Any]:
    import polars as pl

    from backends.failures.lists import FAILURES, count_clusters, with_clusters

    made = make_texts(texts)
    base = pl.DataFrame({"cause": [cause for cause, _ in made], "message": [text for _, text in made]})
    rows = (
        pl.concat([base] * -(-failures // texts))
        .head(failures)
        .with_row_index("n")
        .with_columns(
            status=pl.lit("FAIL"),
            test=pl.format("dom/test_{}.js", pl.col("n") % 3_000),
            task=pl.format("task-{}", pl.col("n") % 20_000),
            job=pl.format("job-{}", pl.col("n") % 500),
            time=pl.datetime(2026, 11, 1, time_zone="UTC") + pl.duration(seconds="n"),
            key=pl.col("n").cast(pl.String),
        )
    )
    lacking = [name for name in FAILURES.polars() if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None).alias(name) for name in lacking)
    rows = rows.with_columns(pl.col(name).cast(dtype) for name, dtype in FAILURES.polars().items()).rechunk()
    before, cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), time.perf_counter()
    found = with_clusters(rows)
    clusters = count_clusters(found)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = found.select("cause", "cluster").unique()
    return {
        **took, "mb": peak / 1024, "added": (peak - before) / 1024, "clusters": len(clusters),
        **count_mistakes(list(pairs.iter_rows())),
    }  # fmt: skip


def measure_plain(failures: int, texts: int) -> dict[str, Any]:
    from rapidfuzz import fuzz

    made = make_texts(texts)
    cpu, wall = time.process_time(), time.perf_counter()
    heads: list[str] = []
    pairs = set()
    for cause, text in made:
        text = re.sub(r"[0-9A-Za-z]*[0-9][0-9A-Za-z]*", "#", text)
        for place, head in enumerate(heads):
            if fuzz.ratio(text, head, score_cutoff=90) >= 90:
                pairs.add((cause, str(place)))
                break
        else:
            pairs.add((cause, str(len(heads))))
            heads.append(text)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**took, "mb": peak / 1024, "added": 0.0, "clusters": len(heads), **count_mistakes(list(pairs))}


def count_mistakes(pairs: list[tuple[int, str]]) -> dict[str, int]:
    """Of the different (cause, cluster) pairs."""
    causes = [cause for cause, _ in pairs]
    clusters = [one for _, one in pairs]
    return {"wrong": len(pairs) - len(set(clusters)), "split": sum(causes.count(one) > 1 for one in set(causes))}


def run_case(case: str, failures: int, texts: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", case, "--failures", str(failures), "--texts", str(texts)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--failures", type=int, default=500_000)
    parser.add_argument("--texts", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--case", choices=("cluster", "lists", "plain"))
    options = parser.parse_args()
    if options.case:
        measure = {"cluster": measure_cluster, "lists": measure_lists, "plain": measure_plain}[options.case]
        print(json.dumps(measure(options.failures, options.texts)))
        return
    cases = [
        ("lists", options.failures), ("cluster", options.failures), ("cluster", options.texts),
        ("plain", options.texts),
    ]  # fmt: skip
    rows = []
    for case, failures in cases:
        runs = sorted(
            (run_case(case, failures, options.texts) for _ in range(options.runs)), key=lambda run: run["cpu"]
        )
        one = runs[len(runs) // 2]
        numbers = [f"{one['wall']:.2f}", f"{one['cpu']:.2f}", f"{one['mb']:.0f}", f"{one['added']:.0f}"]
        rows.append([case, f"{failures:,}", *numbers, str(one["clusters"]), str(one["wrong"]), str(one["split"])])
        if case == "lists":
            print(f"{BUDGET_SECONDS:.0f} s: {'met' if one['wall'] <= BUDGET_SECONDS else 'missed'}")
            print(f"{BUDGET_MB:,} MB: {'met' if one['mb'] <= BUDGET_MB else 'missed'}")
    print_table(
        ["way", "failures", "wall s", "CPU s", "peak MB", "added MB", "clusters", "wrong", "split of 200"], rows
    )


if __name__ == "__main__":
    main()
