"""Writers of a dataset killed before a step: the store opens, nothing is half written, the next run completes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.treeherder.datasets.fetch_log import now
from backends.treeherder.datasets.signature_groups import shared_rows
from backends.treeherder.datasets.store import SHARED, DatasetStore, repair
from tests.crash_injection import KilledRuns
from tests.datasets import killed_writers
from tests.datasets.killed_writers import batches, large_world, small_world
from tests.datasets.random_data import MeasuredData, merge_model, pushes, stored_rows

AT = now()
CODE = """
from tests.datasets import killed_writers
def run(name, *arguments):
    getattr(killed_writers, name)(*arguments)
"""


@pytest.fixture(scope="module")
def run() -> Iterator[KilledRuns]:
    with KilledRuns(CODE) as runs:
        yield runs


def _check_nothing_is_half(path: Path) -> None:
    """It opens; each file that has its name is intact; each row is a true one."""
    if not path.exists():
        return
    true = {row["id"]: row for row in small_world(AT).data}
    with DatasetStore(path, create=True) as store:
        assert store.damaged_files() == []
        for number, job, value in store.read("pairs").select("datum_id", "job_id", "value").rows():
            assert true[number]["job_id"] == job
            assert value in (true[number]["value"], round(true[number]["value"], 2))
        outcomes = store.log.outcomes("autoland", "pairs")
        logged = {int(key) for key, outcome in outcomes.items() if outcome.status == "ok"}
        assert logged <= set(store.read("pairs")["push_id"].to_list()), "what is logged as fetched is there"


def _check_complete(path: Path) -> None:
    with DatasetStore(path) as store:
        rows = store.read("pairs").sort("datum_id").select("datum_id", "value", "submit_ts").rows()
        assert rows == sorted((row["id"], row["value"] if row["signature_id"] == 1 else 7.0, row["submit"])
                              for row in small_world(AT).data)  # fmt: skip
        assert store.count("pushes") == 3 and store.count("alerts") == store.count("alert_summaries") == 2
    assert not list(path.glob("[!.]*/**/.*.part"))


def test_an_update_killed_before_any_step_is_completed_by_the_next(run: KilledRuns, tmp_path: Path) -> None:
    for step in (*range(1, 4), *range(4, 200, 13)):
        path = tmp_path / f"store-{step}"
        killed = run("update", str(path), str(AT), step=step)
        if killed:
            _check_nothing_is_half(path)
            killed_writers.update(str(path), str(AT))
        _check_complete(path)
        if not killed:
            assert step > 20, "the steps are seen"
            break


@pytest.mark.parametrize("jobs", ["sample", "all"])
def test_an_update_killed_again_and_again_loses_and_doubles_nothing(run: KilledRuns, tmp_path: Path, jobs: str) -> None:
    path, world = tmp_path / "store", large_world(AT)
    arguments = ("update", str(path), str(AT), "large", jobs)
    kills = [run(*arguments, step=step) for step in (7, 40, 60, 90, 25)]
    assert kills[:2] == [True, True]
    assert not run(*arguments)
    expected = sorted((row["id"], row["job_id"], row["submit"] if row["job_id"] else None) for row in world.data)
    with DatasetStore(path) as store:
        assert store.read("pairs").select("datum_id", "job_id", "submit_ts").sort("datum_id").rows() == expected
        assert store.count("pushes") == 60
        assert store.count("alert_summaries") == store.count("alerts") == 250
        if jobs == "all":
            assert store.read("jobs")["job_id"].sort().to_list() == sorted(world.jobs)
    assert killed_writers.update(str(path), str(AT), "large", jobs) == 0, "what is known is not fetched again"


def _check_batches(path: Path, *, finished: bool) -> None:
    """What the log says is in is in; no row twice; nothing that no batch had."""
    every = dict(enumerate(batches()))
    with DatasetStore(path, create=True) as store:
        logged = {int(key) for key in store.log.outcomes("autoland", "batch")}
        rows = stored_rows(store)
        found = {row["datum_id"]: row for row in rows}
        assert len(found) == len(rows)
        sure, possible = merge_model([every[number] for number in sorted(logged)]), merge_model(every.values())
        assert sure.keys() <= found.keys() <= possible.keys()
        for number, row in sure.items():
            for name in ("job_id", "submit_ts"):
                assert row[name] is None or found[number][name] is not None
        if finished:
            assert logged == every.keys() and found.keys() == possible.keys()


def test_writers_that_are_killed_again_and_again_lose_and_double_nothing(run: KilledRuns, tmp_path: Path) -> None:
    path = tmp_path / "store"
    for step in (3, 8, 50, 90, 21, 140):
        assert run("write_batches", str(path), step=step)
        _check_batches(path, finished=False)
    assert not run("write_batches", str(path))
    _check_batches(path, finished=True)
    assert not list(path.rglob("*.part"))


def test_three_processes_fill_one_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store"
    DatasetStore(path, create=True).close()
    code = """
import os, sys
from tests.datasets.killed_writers import write_batches
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        write_batches(sys.argv[1])
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment, cwd=root, check=True)
    _check_batches(path, finished=True)


def test_shared_rows_killed_before_any_step_are_calculated_again(run: KilledRuns, tmp_path: Path) -> None:
    path = tmp_path / "store"
    killed_writers.update(str(path), str(AT))
    for step in count(1, 2):
        shutil.rmtree(path / SHARED)
        killed = run("share", str(path), step=step)
        with DatasetStore(path) as store:
            found = shared_rows(store, "autoland")
            assert found.rows.collect().height == 4 and found.members.height == 2
        if not killed:
            assert step > 4
            break


def test_an_export_killed_before_any_step_has_no_half_file_and_is_completed_by_the_next(
    run: KilledRuns, tmp_path: Path
) -> None:
    path = str(tmp_path / "store")
    killed_writers.update(path, str(AT))
    killed_writers.export(path, str(tmp_path / "complete"))
    complete = _files(tmp_path / "complete")
    for step in (*range(1, 5), *range(5, 200, 23)):
        out = tmp_path / f"out-{step}"
        killed = run("export", path, str(out), step=step)
        assert (_files(out) if out.exists() else {}).items() <= complete.items(), "a file that has its name is complete"
        killed_writers.export(path, str(out))
        assert _files(out) == complete
        assert not [file for file in out.iterdir() if file.name.startswith(".")], "what was left behind is removed"
        if not killed:
            assert step > 40
            break


def _files(directory: Path) -> dict[str, bytes]:
    """By name; without the name of the directory, which one of them contains."""
    return {
        path.name: path.read_bytes().replace(str(directory).encode(), b"")
        for path in directory.iterdir()
        if not path.name.startswith(".")
    }


def test_a_repair_killed_before_any_step_leaves_nothing_that_is_taken_for_known(
    run: KilledRuns, tmp_path: Path
) -> None:
    killed_writers.update(str(tmp_path / "filled"), str(AT))
    for step in count(1):
        path = Path(shutil.copytree(tmp_path / "filled", tmp_path / f"store-{step}"))
        with DatasetStore(path) as store:
            for file in (store.files("pairs")[0], store.files("alerts")[0]):
                file.write_bytes(b"PAR1")
        killed = run("repair", str(path), step=step)
        repair(path, CancelToken())
        killed_writers.update(str(path), str(AT))
        _check_complete(path)
        if not killed:
            assert step > 3
            break


def test_a_mirror_killed_before_any_file_is_completed_by_the_next(run: KilledRuns, tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    rows: list[Any] = [(1, 500 + job, 9000 + job, 0, 1_790_000_000 + job * 90_000, None) for job in range(2)]
    frames = {"pairs": MeasuredData(rows).pairs.collect(), "pushes": pushes().collect()}
    for step in count(1):
        path, bucket = tmp_path / f"store-{step}", tmp_path / f"bucket-{step}"
        with DatasetStore(path, create=True) as store:
            store.commit("autoland", frames, cancel=CancelToken())
        killed = run("copy", str(path), f"file://{bucket}", step=step)
        for file in bucket.glob("**/*.parquet"):
            assert file.read_bytes() == (path / file.relative_to(bucket)).read_bytes()
        run("copy", str(path), f"file://{bucket}")
        found = pl.scan_parquet(f"{bucket}/pairs/**/*.parquet", hive_partitioning=True).collect()
        assert sorted(found["datum_id"].to_list()) == [9000, 9001]
        with DatasetStore(bucket) as copy:
            assert copy.repositories() == ["autoland"]
        if not killed:
            assert step > 6
            break
