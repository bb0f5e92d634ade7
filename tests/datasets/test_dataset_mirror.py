"""A copy in a bucket has every file, takes only what changed, and reads like the original."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.treeherder.datasets.mirror import mirror
from backends.treeherder.datasets.store import FETCH_LOG, DatasetStore
from tests.datasets.conftest import Call
from tests.datasets.random_data import MeasuredData, pushes

pytest.importorskip("obstore")


def _fill(store: DatasetStore, jobs: range) -> None:
    measured = MeasuredData([(1, 500 + job, 9000 + job, 0, 1_790_000_000 + job * 90_000, None) for job in jobs])
    store.commit("autoland", {"pairs": measured.pairs.collect(), "pushes": pushes().collect()}, cancel=CancelToken())


def test_only_what_has_changed_is_copied(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/bucket"
    with DatasetStore(tmp_path / "store", create=True) as store:
        _fill(store, range(5))
        first = mirror(store, url, cancel=CancelToken())
        assert (first.copied, first.unchanged) == (5 + 1 + 1, 0)
        again = mirror(store, url, cancel=CancelToken())
        assert (again.copied, again.unchanged, again.size) == (0, 7, 0)
        _fill(store, range(5, 7))
        assert mirror(store, url, cancel=CancelToken()).copied == 2 + 1
        (tmp_path / "bucket" / "pushes" / "repository=autoland" / "rows.parquet").unlink()
        assert mirror(store, url, cancel=CancelToken()).copied == 1 + 1
        ours = store.read("pairs").sort("datum_id")
    theirs = pl.scan_parquet(f"{tmp_path}/bucket/pairs/**/*.parquet", hive_partitioning=True).collect()
    assert theirs.sort("datum_id")["datum_id"].to_list() == ours["datum_id"].to_list()
    with DatasetStore(tmp_path / "bucket") as copy:
        assert copy.read("pairs").sort("datum_id").equals(ours)
    assert (tmp_path / "bucket" / FETCH_LOG).stat().st_size > 0


def test_the_command_says_what_it_copied(call: Call, tmp_path: Path) -> None:
    with DatasetStore(tmp_path / "store", create=True) as store:
        _fill(store, range(2))
    copied = call(
        "treeherder", "dataset", "export", "--store", f"{tmp_path}/store", "--mirror", f"file://{tmp_path}/bucket"
    )
    assert copied.code == 0 and copied.err.startswith("4 files copied")


@pytest.mark.parametrize("url", ["http://example.org/x", "perf", "s3:", "ftp://a/b"])
def test_an_address_that_is_no_bucket_is_refused(tmp_path: Path, url: str) -> None:
    with DatasetStore(tmp_path / "store", create=True) as store, pytest.raises(UsageError):
        mirror(store, url, cancel=CancelToken())
