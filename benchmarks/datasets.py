"""Dataset views over 2 and 20 million pairs from our Parquet, against the dict-and-set way from lists in memory.

    python benchmarks/datasets.py [--pairs 2000000] [--runs 3] [--plain/--no-plain]

The pairs are synthetic: suites of log-normal size (at most 60 signatures a job, 6 on average), skewed in popularity, a
quarter of the jobs submitted later than ten minutes after their push. Each case is a process of its own, its peak is
the process's (VmHWM, imports included), taken before the results are compared. The plain side is the algorithm of the
scripts that this replaces, given plain lists of numbers that are in memory before its clock starts, which is kinder
than what those scripts did; our side reads its files within its time. Results are checked to be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from measuring import fit_exponent

from backends.treeherder.datasets import views
from backends.treeherder.datasets.dataset import Dataset, with_signatures
from backends.treeherder.datasets.legacy_export import series_of_signatures
from backends.treeherder.datasets.signature_groups import shared_rows, signature_groups
from backends.treeherder.datasets.store import FILE, SHARED, DatasetStore
from backends.treeherder.datasets.tables import MEASUREMENTS, SIGNATURES

START = 1_750_291_200  # 2025-06-19
DAYS = 128


Spent = tuple[float, float, float]


def clock() -> Spent:
    """Wall and CPU seconds (of all threads, so that on a busy machine the CPU's ratio is the one to look at), and the
    peak of memory so far."""
    return time.perf_counter(), time.process_time(), _peak()


def spent(began: Spent) -> Spent:
    """What a case took; its peak without that of the comparison of results, which comes later."""
    wall, cpu, peak = clock()
    return wall - began[0], cpu - began[1], peak


def make(path: Path, wanted: int) -> None:
    """A store of about `wanted` pairs; written file by file, as `Store.commit` would leave them."""
    random = np.random.default_rng(7)
    suites = 3300
    sizes = np.minimum(np.exp(random.normal(1.2, 1.0, suites)).astype(int) + 1, 60)
    weight = random.pareto(1.2, suites) + 0.05
    jobs = int(wanted / (sizes * weight).sum() * weight.sum())
    suite = random.choice(suites, jobs, p=weight / weight.sum())
    pushes = 20_000 if wanted < 5_000_000 else 40_000
    push = np.sort(random.integers(0, pushes, jobs))
    pushed = START + (push * (DAYS * 86_400 / pushes)).astype(np.int64)
    late = np.where(random.random(jobs) < 0.25, random.integers(601, 600_000, jobs), random.integers(0, 600, jobs))
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]) + 1
    jobs_frame = pl.DataFrame(
        {
            "job_id": (np.arange(jobs) + 400_000_000).astype(np.uint32),
            "push_id": (push + 1).astype(np.uint32),
            "push_ts": pushed,
            "submit_ts": pushed + late,
            "first": first[suite],
            "size": sizes[suite],
            "day": (pushed - START) // 86_400,
        }
    )
    datum = 0
    with DatasetStore(path, create=True) as store:
        home = store.path
    for (day,), part in jobs_frame.group_by(["day"], maintain_order=True):
        rows = (
            part.with_columns(pl.int_ranges("first", pl.col("first") + pl.col("size")).alias("signature_id"))
            .explode("signature_id")
            .with_columns(pl.col("signature_id").cast(pl.UInt32), value=pl.lit(1.0), seen_at=pl.lit(START))
            .with_columns(machine_name=pl.lit(None, pl.String), exact=pl.lit(False))
        )
        rows = rows.with_columns(datum_id=pl.int_range(datum, datum + len(rows)))
        datum += len(rows)
        where = (
            home / "pairs" / "repository=autoland" / f"day={np.datetime64(START, 's') + np.timedelta64(int(day), 'D')}"
        )
        where = where.with_name(where.name[:14])
        where.mkdir(parents=True)
        fitted = rows.select(pl.col(name).cast(dtype) for name, dtype in MEASUREMENTS.columns.items()).sort(
            MEASUREMENTS.order
        )
        fitted.sort(MEASUREMENTS.order).write_parquet(where / FILE, compression="zstd", row_group_size=256_000)
    _signatures(home, sizes)
    heads = jobs_frame.select("push_id", "push_ts").unique("push_id").sort("push_id")
    where = home / "pushes" / "repository=autoland"
    where.mkdir(parents=True)
    rows = heads.with_columns(revision=pl.col("push_id").cast(pl.String).str.zfill(40))
    rows.write_parquet(where / FILE)


def _signatures(home: Path, sizes: Any) -> None:
    rows, number = [], 0
    for suite, size in enumerate(sizes.tolist()):
        for test in range(size):
            number += 1
            raw = {
                "id": number,
                "signature_hash": f"{number:040x}",
                "framework_id": (1, 2, 4, 6, 13, 18)[suite % 6],
                "option_collection_hash": "1" * 40,
                "machine_platform": f"platform-{suite % 7}",
                "suite": f"suite-{suite}",
                "should_alert": None,
                "test": f"test-{test}",
                "application": "firefox",
                "extra_options": ["fission"] if suite % 2 else ["fission", "warm"],
                "measurement_unit": ("ms", "score")[test % 5 == 0],
            }
            if test % 3 == 0:
                raw["lower_is_better"] = False
            rows.append({"signature_id": number, "framework_id": raw["framework_id"], "raw": json.dumps(raw)})
    where = home / "signatures" / "repository=autoland"
    where.mkdir(parents=True)
    pl.DataFrame(rows, schema=SIGNATURES.columns).write_parquet(where / FILE)


def digest(found: object) -> str:
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def _totals(frame: pl.DataFrame) -> list[list[int]]:
    return [[int(revision), total] for revision, total in frame.select("revision", "total").sort("revision").rows()]


def ours(case: str, store: DatasetStore) -> tuple[Spent, str]:
    if case == "shared":  # what an update does once at its end; the other cases find it done
        shutil.rmtree(store.path / SHARED, ignore_errors=True)
        began = clock()
        shared_rows(store, "autoland")
        return spent(began), ""
    began = clock()
    dataset = Dataset(store, "autoland")
    if case in ("groups", "groups-of-pairs"):
        frame = dataset.groups if case == "groups" else signature_groups(store.scan("pairs", "autoland"))
        used = spent(began)
        lists = frame.group_by("position", maintain_order=True).agg("signature_id")["signature_id"].to_list()
        return used, digest(lists)
    if case in ("counts", "counts-jsonl"):
        frame = dataset.counts
        return spent(began), digest(_totals(frame))
    if case == "counts-with-ids":
        frame = with_signatures(dataset.counts, dataset.shared)
        used = spent(began)
        rows = frame.sort(pl.col("revision").cast(pl.Int64))["signature_ids"].to_list()
        return used, digest([sum(ids) for ids in rows])
    if case == "rectified":
        assert len(dataset.counts) and len(dataset.groups)
        began = clock()
        frame = dataset.rectified
        return spent(began), digest(_totals(frame))
    frame = views.jobs(dataset)
    used = spent(began)
    return used, digest([text.replace(", ", ",") for text in frame["features"].to_list()])


def from_cache(path: Path) -> tuple[Spent, str]:
    """Counts as the scripts did them: the cache of lines of JSON, each time parsed by its format."""
    began = clock()
    counted: dict[str, set[int]] = {}
    with path.open() as lines:
        for line in lines:
            record = json.loads(line)
            for one in record["jobs"]:
                ids = counted.setdefault(one["revision"], set())
                if one["submit_time"] is not None:
                    pushed = datetime.strptime(one["push_timestamp"], "%Y-%m-%dT%H:%M:%S")
                    submitted = datetime.strptime(one["submit_time"], "%Y-%m-%dT%H:%M:%S")
                    if not 0 <= (submitted - pushed).total_seconds() <= 600:
                        continue
                ids.add(record["signature_id"])
    found = sorted([int(revision), len(ids)] for revision, ids in counted.items())
    return spent(began), digest(found)


def plain(case: str, store: DatasetStore) -> tuple[Spent, str]:
    if case == "counts-jsonl":
        return from_cache(store.path.parent / "perf_jobs_by_signature.jsonl")
    columns = store.read("pairs", "autoland").select("signature_id", "job_id", "push_id", "push_ts", "submit_ts")
    signature, job, push, pushed, submitted = (columns[name].to_list() for name in columns.columns)
    metadata = store.read("signatures", "autoland")
    fields = dict(
        zip(metadata["signature_id"].to_list(), map(msgspec.json.decode, metadata["raw"].to_list()), strict=True)
    )
    del columns
    if case in ("groups", "groups-of-pairs"):
        began = clock()
        groups = _plain_groups(signature, job)
        return spent(began), digest(groups)
    if case in ("counts", "counts-with-ids"):
        began = clock()
        details = _plain_counts(signature, push, pushed, submitted)
        used = spent(began)
        return used, digest([[at, len(ids)] if case == "counts" else sum(ids) for at, ids in details])
    if case == "rectified":
        details = _plain_counts(signature, push, pushed, submitted)
        group_of = {one: number for number, ids in enumerate(_plain_groups(signature, job)) for one in ids}
        began = clock()
        kept = _plain_kept(group_of, fields)
        found = []
        for at, ids in details:
            groups = dict.fromkeys(group_of[one] for one in ids if one in group_of)
            found.append([at, len([group for group in groups if group in kept])])
        return spent(began), digest(found)
    began = clock()
    of_job: dict[int, set[int]] = defaultdict(set)
    for one, at in zip(signature, job, strict=True):
        of_job[at].add(one)
    texts = []
    for at in sorted(of_job):
        several = [fields[one] for one in of_job[at]]
        keys = set(several[0])
        for other in several[1:]:
            keys &= set(other)
        keys.discard("id")
        texts.append(",".join(sorted(key for key in keys if all(other[key] == several[0][key] for other in several))))
    return spent(began), digest(texts)


def _plain_counts(
    signature: list[int], push: list[int], pushed: list[int], submitted: list[int]
) -> list[tuple[int, list[int]]]:
    counted: dict[int, set[int]] = {at: set() for at in push}
    for one, at, before, after in zip(signature, push, pushed, submitted, strict=True):
        if 0 <= after - before <= 600:
            counted[at].add(one)
    return [(at, sorted(ids)) for at, ids in sorted(counted.items())]


def _plain_groups(signature: list[int], job: list[int]) -> list[list[int]]:
    of_job: dict[int, set[int]] = defaultdict(set)
    for one, at in zip(signature, job, strict=True):
        of_job[at].add(one)
    jobs_of: dict[int, set[int]] = defaultdict(set)
    for at, ids in of_job.items():
        for one in ids:
            jobs_of[one].add(at)
    by_set: dict[frozenset[int], list[int]] = defaultdict(list)
    for one, jobs in jobs_of.items():
        by_set[frozenset(jobs)].append(one)
    return sorted((sorted(ids) for ids in by_set.values()), key=lambda ids: (-len(ids), ids[0]))


def _plain_kept(group_of: dict[int, int], fields: dict[int, dict[str, Any]]) -> set[int]:
    members: dict[int, list[int]] = defaultdict(list)
    for one, group in group_of.items():
        members[group].append(one)
    excluded = {2, 6, 18}
    return {group for group, ids in members.items() if not all(fields[one]["framework_id"] in excluded for one in ids)}


def _peak() -> float:
    """Megabytes; not ru_maxrss, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def measured(side: str, case: str, path: Path) -> dict[str, Any]:
    """Runs one case in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--case", case, "--work", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


CASES = ("shared", "groups", "groups-of-pairs", "counts", "counts-with-ids", "counts-jsonl", "rectified", "features")
MOST_LINES = 3_000_000  # at 20 million pairs the cache has 3.9 GB and Python would need 13 GB to hold it


def _cache(store: DatasetStore, home: Path) -> None:
    with (home / "perf_jobs_by_signature.jsonl").open("wb") as stream:
        for frame in series_of_signatures(Dataset(store, "autoland")):
            frame.write_ndjson(stream)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="*", default=[2_000_000, 20_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plain", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        with DatasetStore(asked.work) as store:
            (seconds, used, peak), result = (ours if asked.side == "ours" else plain)(asked.case, store)
        print(json.dumps({"seconds": seconds, "cpu": used, "peak": peak, "result": result}))
        return
    growth: dict[str, list[tuple[int, float, float]]] = {case: [] for case in CASES}
    for wanted in asked.pairs:
        with tempfile.TemporaryDirectory() as work:
            path = Path(work) / "store"
            make(path, wanted)
            with DatasetStore(path) as store:
                size = sum(one.stat().st_size for one in store.files("pairs"))
                print(
                    f"\n{store.count('pairs'):,} pairs, {store.count('signatures'):,} signatures, {size / 1e6:,.0f} MB"
                )
                if wanted <= MOST_LINES:
                    _cache(store, path.parent)
            for case in CASES:
                if case == "counts-jsonl" and wanted > MOST_LINES:
                    continue
                mine = sorted((measured("ours", case, path) for _ in range(asked.runs)), key=lambda one: one["seconds"])
                best = mine[len(mine) // 2]
                growth[case].append((wanted, best["cpu"], best["peak"]))
                line = f"{case:20} ours {best['seconds']:7.3f} s {best['cpu']:7.3f} s CPU {best['peak']:6,.0f} MB"
                if asked.plain and case != "shared":
                    theirs = measured("plain", case, path)
                    assert theirs["result"] == best["result"], case
                    line += (
                        f"   plain {theirs['seconds']:6.2f} s {theirs['cpu']:6.2f} s CPU {theirs['peak']:6,.0f} MB"
                        f"   x {theirs['seconds'] / best['seconds']:5.1f} wall"
                        f" {theirs['cpu'] / best['cpu']:5.1f} CPU {theirs['peak'] / best['peak']:4.1f} memory"
                    )
                print(line, flush=True)
    print()
    for case, found in growth.items():
        if len(found) > 1:
            sizes, cpu, peaks = zip(*found, strict=True)
            exponents = fit_exponent(sizes, cpu), fit_exponent(sizes, peaks)
            print(f"{case:20} CPU grows with pairs ** {exponents[0]:.2f}, peak ** {exponents[1]:.2f}")


if __name__ == "__main__":
    main()
