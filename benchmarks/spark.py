"""The SQL views of a dataset in polars, DuckDB and Spark: equal results, and what each takes.

    python benchmarks/spark.py [--pairs 2000000] [--workers 1 2] [--cases VIEW...] [--packages DIR]

Installs pyspark with its Connect client below DIR (default: a cache directory; 1 GB), takes the system's Java (17 or
newer) or, on Debian and as root, installs `default-jre-headless`. The cluster is Spark's own `local-cluster`: a master
and each worker (one core, 2 GB) in a process of its own, with shuffles over sockets. Synthetic data as in datasets.py,
with jobs and alerts added. Every engine runs in a process of its own; peaks are those of the process for polars and
DuckDB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from datasets import START, clock, make, spent

from backends.treeherder.datasets.dataset import Dataset, PushWindow, ViewOptions
from backends.treeherder.datasets.sql_views import SQL_VIEWS
from backends.treeherder.datasets.store import FILE, DatasetStore
from backends.treeherder.datasets.tables import ALERT_SUMMARIES, ALERTS, JOBS, JOBS_PER_BLOCK

CASES = ("alerts", "groups", "rectified", "durations", "waits-by-platform")
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"


def make_all(path: Path, wanted: int) -> None:
    make(path, wanted)
    with DatasetStore(path) as store:
        ids = store.scan("pairs").select(pl.col("job_id").unique()).collect()["job_id"].drop_nulls().sort().to_numpy()
    random = np.random.default_rng(11)
    submit = START + random.integers(0, 10_000_000, len(ids))
    start = submit + random.exponential(600, len(ids)).astype(int)
    end = start + random.exponential(1800, len(ids)).astype(int)
    rows = _fit(
        {
            "job_id": ids, "submit_timestamp": submit, "start_timestamp": start, "end_timestamp": end,
            "result": random.choice(["success", "testfailed", "retry"], len(ids)),
            "platform": random.choice([f"platform-{number}" for number in range(7)], len(ids)),
        },
        JOBS.columns,
    )  # fmt: skip
    for (block,), part in rows.group_by(pl.col("job_id") // JOBS_PER_BLOCK, maintain_order=True):
        _write(part, path / "jobs" / "repository=autoland" / f"block={block}")
    number = np.arange(1, 4001)
    created = START + number * 2500
    summaries = {"summary_id": number, "framework_id": number % 14, "status": number % 11, "created_ts": created,
                 "push_ts": created - 9000, "monitored": number % 2 == 0, "bug_number": 1_900_000 + number}  # fmt: skip
    _write(_fit(summaries, ALERT_SUMMARIES.columns), path / "alert_summaries" / "repository=autoland")
    alert = np.arange(40_000)
    alerts = {
        "listed_in": alert % 4000 + 1, "related": alert % 5 == 0, "position": alert // 4000, "alert_id": alert,
        "signature_id": alert % 9000 + 1, "is_regression": alert % 3 > 0, "amount_pct": (alert % 1000) / 8,
        "suite": [f"suite-{number % 300}" for number in alert], "test": [f"test-{number % 9}" for number in alert],
        "machine_platform": [f"platform-{number % 7}" for number in alert],
    }  # fmt: skip
    _write(_fit(alerts, ALERTS.columns), path / "alerts" / "repository=autoland")


def _fit(columns: dict[str, Any], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    frame = pl.DataFrame(columns)
    lacking = [pl.lit(None).alias(name) for name in schema if name not in columns]
    return frame.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _write(rows: pl.DataFrame, home: Path) -> None:
    home.mkdir(parents=True)
    rows.write_parquet(home / FILE, compression="zstd", row_group_size=256_000)


def run_case(engine: str, case: str, path: Path, output: Path) -> dict[str, float]:
    """Runs the case twice in Spark, whose first run compiles, and once elsewhere; writes the rows to `output`."""
    from backends.treeherder.datasets.duckdb_engine import open_duckdb
    from backends.treeherder.datasets.spark_engine import open_spark
    from backends.treeherder.datasets.sql_views import run_view
    from backends.treeherder.datasets.store_files import open_store_files
    from backends.treeherder.datasets.views import VIEWS

    view, options = VIEWS[case], ViewOptions(PushWindow())
    first = 0.0
    if engine == "polars":
        began = clock()
        with DatasetStore(path) as store:
            frame = view.build(Dataset(store, "autoland", options))
    else:
        open_engine: Any = open_duckdb if engine == "duckdb" else open_spark
        for _ in range(2 if engine == "spark" else 1):
            began = clock()
            with open_store_files(path, None, options.window) as files, open_engine(files) as opened:
                frame = run_view(view, opened, files, options)
            first = first or spent(began)[0]
    seconds, cpu, peak = spent(began)
    frame.write_parquet(output)
    return {"first": first, "seconds": seconds, "cpu": cpu, "peak": peak}


def measure(engine: str, case: str, path: Path, output: Path, packages: Path, remote: str = "") -> dict[str, float]:
    """Runs one case in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--engine",
        engine,
        "--case",
        case,
        "--work",
        str(path),
        "--output",
        str(output),
    ]
    search = [str(Path(__file__).parents[1]), *([str(packages)] if engine == "spark" else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search), "SPARK_REMOTE": remote}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def install(packages: Path) -> None:
    """pyspark below `packages`, and Java if there is none."""
    if not (packages / "pyspark" / "jars").is_dir():
        packages.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), "pyspark[connect]>=4,<5"]
        subprocess.run(pip, check=True)
    if shutil.which("java") is None:
        subprocess.run(["apt-get", "install", "-y", "-q", "default-jre-headless"], check=True)


@contextlib.contextmanager
def cluster(packages: Path, workers: int, log: Path) -> Iterator[tuple[str, int]]:
    """A Spark Connect server on a cluster of so many worker processes: its URL and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = packages / "pyspark"
    settings = {
        "spark.connect.grpc.binding.port": port, "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.driver.memory": "2g",
        "spark.executor.memory": "2g", "spark.sql.shuffle.partitions": 2 * workers, "spark.ui.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": 10_000,  # listing a disk needs no job
    }  # fmt: skip
    command = [str(home / "bin" / "spark-submit"), "--master", f"local-cluster[{workers},1,3072]", "--class", CONNECT]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(packages)}
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "spark-internal"], env=environment, stdout=output, stderr=output, cwd=log.parent,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for_port(port, server, log)
        yield f"sc://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()  # its workers end with it
        server.wait(60)


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit(f"Spark did not start:\n{log.read_text()[-3000:]}")


def cpu_of_session(leader: int) -> float:
    """CPU seconds of all processes that are alive in the session of `leader`."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def check_equal(case: str, ours: Path, theirs: Path) -> None:
    """Raises AssertionError. Floats may differ in their last digits."""
    from polars.testing import assert_frame_equal

    assert_frame_equal(pl.read_parquet(ours), pl.read_parquet(theirs), check_exact=False, rel_tol=1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="*", default=[2_000_000])
    parser.add_argument("--cases", nargs="*", default=CASES, choices=SQL_VIEWS)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--packages", type=Path, default=Path.home() / ".cache" / "ciexplore-benchmarks" / "spark")
    for hidden in ("--engine", "--case"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    for hidden in ("--work", "--output"):
        parser.add_argument(hidden, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.engine:
        print(json.dumps(run_case(asked.engine, asked.case, asked.work, asked.output)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the cluster, too
    if asked.workers:
        install(asked.packages)
    for wanted in asked.pairs:
        with tempfile.TemporaryDirectory() as work:
            _measure_all(Path(work), wanted, asked.packages, asked.workers, asked.cases)


def _measure_all(work: Path, wanted: int, packages: Path, workers: list[int], cases: Sequence[str]) -> None:
    path = work / "store"
    make_all(path, wanted)
    with DatasetStore(path) as store:
        print(f"\n{store.count('pairs'):,} pairs, {store.count('jobs'):,} jobs", flush=True)
    measure("polars", "groups", path, work / "warm", packages)  # makes .shared, as an update does at its end
    for case in cases:
        for engine in ("polars", "duckdb"):
            took = measure(engine, case, path, work / f"{case}.{engine}", packages)
            print(f"{case:18} {engine:7} {took['seconds']:7.2f} s {took['cpu']:7.2f} s CPU {took['peak']:6,.0f} MB",
                  flush=True)  # fmt: skip
        check_equal(case, work / f"{case}.polars", work / f"{case}.duckdb")
    for number in workers:
        with cluster(packages, number, work / f"spark-{number}.log") as (remote, server):
            for case in cases:
                before = cpu_of_session(server)
                took = measure("spark", case, path, work / f"{case}.spark", packages, remote)
                used = cpu_of_session(server) - before
                check_equal(case, work / f"{case}.polars", work / f"{case}.spark")
                print(f"{case:18} spark, {number} worker{'s' * (number > 1)} {took['first']:7.2f} s first, "
                      f"{took['seconds']:7.2f} s again {used:7.2f} s CPU of both", flush=True)  # fmt: skip
    print("all results are equal")


if __name__ == "__main__":
    main()
