"""Every writer of a dataset killed before each of its steps: it opens, nothing is half, the next run completes it."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.treeherder.datasets.ledger import now
from backends.treeherder.datasets.repair import damaged_files, repair
from backends.treeherder.datasets.shared_rows import shared_rows
from backends.treeherder.datasets.store import SHARED, Store
from tests.crash_injection import run_killed
from tests.datasets.fake_treeherder import DAY, FakeTreeherder
from tests.datasets.test_dataset_mirror import _fill as fill_plainly

AT = now()
UPDATE = """
from pathlib import Path
import backends.treeherder.datasets.groups, polars
from tests.datasets.test_dataset_kills import update
start_counting()
update(Path(sys.argv[1]), int(sys.argv[2]))
"""
EXPORT = """
from pathlib import Path
from backends.cancel import CancelToken
from backends.treeherder.datasets.compat import export
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.views import Dataset
with Store(Path(sys.argv[1])) as store:
    start_counting()
    export(Dataset(store, "autoland"), Path(sys.argv[2]), histograms=False, overwrite=True, cancel=CancelToken())
"""
SHARE = """
from pathlib import Path
from backends.treeherder.datasets.shared_rows import shared_rows
from backends.treeherder.datasets.store import Store
with Store(Path(sys.argv[1])) as store:
    start_counting()
    shared_rows(store, "autoland")
"""
REPAIR = """
from pathlib import Path
from backends.cancel import CancelToken
from backends.treeherder.datasets.repair import repair
start_counting()
repair(Path(sys.argv[1]), CancelToken())
"""
MIRROR = """
from pathlib import Path
from backends.cancel import CancelToken
from backends.treeherder.datasets import mirror
from backends.treeherder.datasets.store import Store
put = mirror._put
def step(*arguments):  # what is written by the library of buckets is seen by no audit hook
    sys.audit("os.rename", "", "", -1, -1)
    size = put(*arguments)
    sys.audit("os.rename", "", "", -1, -1)
    return size
mirror._put = step
with Store(Path(sys.argv[1])) as store:
    start_counting()
    mirror.mirror(store, sys.argv[2], cancel=CancelToken())
"""


def world(at: int) -> FakeTreeherder:
    """Three days of pushes: two measured, one of them in values that two decimals would distort."""
    found = FakeTreeherder({number: at - number * DAY for number in range(1, 4)})
    for push in (1, 3):
        for job in range(2):
            found.measure(1, 10 * push + job, push)
            found.measure(2, 10 * push + job, push)
    for row in found.data:
        row["value"] = 0.00123 if row["signature_id"] == 1 else 7.0
    found.summaries = [{"id": number, "status": 0, "alerts": [{"id": number}]} for number in (1, 2)]
    return found


def update(path: Path, at: int) -> None:
    from backends.treeherder.datasets.update import Update
    from backends.treeherder.datasets.wanted import Wanted

    with Store(path, create=True) as store:
        wanted = Wanted("autoland", at - 10 * DAY, at, fresh=3600)
        Update(store, world(at).server(), wanted, cancel=CancelToken(), concurrency=1).run()


def _check_nothing_is_half(path: Path) -> None:
    """It opens; each file that has its name is whole; each row that is there is a true one."""
    if not path.exists():
        return
    assert damaged_files(path) == []
    true = {row["id"]: row for row in world(AT).data}
    with Store(path, create=True) as store:
        for number, job, value in store.read("pairs").select("datum_id", "job_id", "value").rows():
            assert true[number]["job_id"] == job
            assert value in (true[number]["value"], round(true[number]["value"], 2))
        asked = store.ledger.known("autoland", "pairs")
        noted = {int(key) for key, known in asked.items() if known.status == "ok"}
        assert noted <= set(store.read("pairs")["push_id"].to_list()), "what is noted as fetched is there"


def _check_complete(path: Path) -> None:
    with Store(path) as store:
        rows = store.read("pairs").sort("datum_id").select("datum_id", "value", "submit_ts").rows()
        assert rows == sorted((row["id"], row["value"] if row["signature_id"] == 1 else 7.0, row["submit"])
                              for row in world(AT).data)  # fmt: skip
        assert store.count("pushes") == 3 and store.count("alerts") == store.count("alert_summaries") == 2
    assert not list(path.glob("[!.]*/**/.*.part"))


UPDATE_STEPS = (*range(1, 4), *range(4, 200, 9))  # an interpreter each


@pytest.mark.timeout(600)
def test_an_update_killed_before_any_step_is_completed_by_the_next(tmp_path: Path) -> None:
    for step in UPDATE_STEPS:
        path = tmp_path / f"store-{step}"
        killed = run_killed(UPDATE, str(path), str(AT), step=step)
        if killed:
            _check_nothing_is_half(path)
            update(path, AT)
        _check_complete(path)
        if not killed:
            assert step > 20, "the steps are seen"
            break


@pytest.mark.timeout(300)
def test_shared_rows_killed_before_any_step_are_made_anew(tmp_path: Path) -> None:
    update(tmp_path / "store", AT)
    for step in count(1):
        with Store(tmp_path / "store") as store:
            shutil.rmtree(store.path / SHARED)
        killed = run_killed(SHARE, str(tmp_path / "store"), step=step)
        with Store(tmp_path / "store") as store:
            found = shared_rows(store, "autoland")
            assert found.rows.collect().height == 4 and found.members.height == 2
        if not killed:
            assert step > 4
            break


@pytest.mark.timeout(300)
def test_an_export_killed_before_any_step_has_no_half_file_and_is_completed_by_the_next(tmp_path: Path) -> None:
    update(tmp_path / "store", AT)
    run_killed(EXPORT, str(tmp_path / "store"), str(tmp_path / "whole"))
    whole = _files(tmp_path / "whole")
    for step in (*range(1, 6), *range(6, 200, 17)):
        out = tmp_path / f"out-{step}"
        killed = run_killed(EXPORT, str(tmp_path / "store"), str(out), step=step)
        there = _files(out) if out.exists() else {}
        assert there.items() <= whole.items(), "a file that has its name is whole"
        run_killed(EXPORT, str(tmp_path / "store"), str(out))
        assert _files(out) == whole
        assert not [path for path in out.iterdir() if path.name.startswith(".")], "what was left behind is swept"
        if not killed:
            assert step > 40
            break


def _files(directory: Path) -> dict[str, bytes]:
    """By name; the file that tells its own directory without that."""
    return {
        path.name: path.read_bytes().replace(str(directory).encode(), b"")
        for path in directory.iterdir()
        if not path.name.startswith(".")
    }


@pytest.mark.timeout(300)
def test_a_repair_killed_before_any_step_leaves_nothing_that_is_taken_for_known(tmp_path: Path) -> None:
    for step in count(1):
        path = tmp_path / f"store-{step}"
        update(path, AT)
        with Store(path) as store:
            for file in (store.files("pairs")[0], store.files("alerts")[0]):
                file.write_bytes(b"PAR1")
        killed = run_killed(REPAIR, str(path), step=step)
        repair(path, CancelToken())
        update(path, AT)
        _check_complete(path)
        if not killed:
            assert step > 3
            break


@pytest.mark.timeout(300)
def test_a_mirror_killed_before_any_file_is_completed_by_the_next(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    for step in count(1):
        store, bucket = tmp_path / f"store-{step}", tmp_path / f"bucket-{step}"
        with Store(store, create=True) as opened:
            fill_plainly(opened, range(3))
        killed = run_killed(MIRROR, str(store), f"file://{bucket}", step=step)
        for path in bucket.glob("**/*.parquet"):
            assert path.read_bytes() == (store / path.relative_to(bucket)).read_bytes()
        run_killed(MIRROR, str(store), f"file://{bucket}")
        found = pl.scan_parquet(f"{bucket}/pairs/**/*.parquet", hive_partitioning=True).collect()
        assert sorted(found["datum_id"].to_list()) == [9000, 9001, 9002]
        with Store(bucket) as copy:
            assert copy.repositories() == ["autoland"]
        if not killed:
            assert step > 8
            break
