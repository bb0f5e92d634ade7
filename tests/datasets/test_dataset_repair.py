"""A disk that is full, damages a file or leads elsewhere: a sentence, nothing lost, and a way to have it again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import polars as pl
import pytest

from backends.atomic import SymlinkError
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.http import Http
from backends.resources import Action
from backends.treeherder.datasets import store as store_module
from backends.treeherder.datasets.dataset import Dataset
from backends.treeherder.datasets.fetch_log import FetchLog
from backends.treeherder.datasets.legacy_export import export
from backends.treeherder.datasets.lists import DatasetContext, DatasetList
from backends.treeherder.datasets.locators import DatasetViews
from backends.treeherder.datasets.mirror import mirror
from backends.treeherder.datasets.signature_groups import shared_rows
from backends.treeherder.datasets.store import FETCH_LOG, DamagedDatasetError, DatasetStore, repair
from backends.treeherder.datasets.tables import TABLES
from backends.treeherder.datasets.update import DatasetUpdate
from tests.datasets.conftest import Call
from tests.datasets.random_data import MeasuredData, pushes
from tests.datasets.test_dataset_update import NOW, OPTIONS, _expected, _fill, _pairs, _world


def _filled(path: Path) -> Path:
    with DatasetStore(path, create=True) as store:
        _fill(store, _world())
    return path


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[: len(content) // 2],
    "zeros, as after a power cut": lambda content: bytes(len(content)),
    "empty": lambda content: b"",
    "a page of the disk": lambda content: content[:40] + b"\xff" * 400 + content[440:],
}


@pytest.mark.parametrize("table", TABLES)
def test_a_damaged_file_is_set_aside_and_fetched_again(call: Call, tmp_path: Path, table: str) -> None:
    """One damaged day made the whole dataset unusable, and could not be fetched again: the log said it was known."""
    path, world = _filled(tmp_path / "store"), _world()
    with DatasetStore(path) as store:
        before = {name: store.read(name, "autoland") for name in TABLES}
        damaged = store.files(table)[0]
    damaged.write_bytes(b"PAR1 no")
    with DatasetStore(path) as store, pytest.raises(FileError) as found:
        _fill(store, world, replace(OPTIONS, until=NOW + 3600, min_refetch_interval=0))
    assert str(damaged) in found.value.sentence and "repair" in found.value.hint
    ended = call("treeherder", "dataset", "repair", "--store", str(path))
    assert ended.code == 0 and "rows.parquet" in ended.text and "again" in ended.text
    assert len(list((path / ".damaged").iterdir())) == 1 and not damaged.exists()
    with DatasetStore(path) as store:
        assert not _fill(store, world, replace(OPTIONS, until=NOW + 1)).failures
        assert _pairs(store) == _expected(world)
        for name, rows in before.items():
            keys = list(TABLES[name].key)
            found = store.read(name, "autoland").select(keys).sort(keys)
            if name == table == "jobs":  # it is not known which they were: a sample is what is asked for, as ever
                assert set(found["job_id"]) >= {500, 501, 502, 4000, 4001, 4002}
            else:
                assert found.equals(rows.select(keys).sort(keys)), name
    assert call("treeherder", "dataset", "repair", "--store", str(path)).err.startswith("No file")


@pytest.mark.parametrize("table", ["pairs", "pushes", "signatures", "alert_summaries"])
def test_a_file_that_is_gone_is_not_counted_as_never_measured(call: Call, tmp_path: Path, table: str) -> None:
    """A day that somebody deleted was shown as pushes without any performance job, and never fetched again."""
    path, world = _filled(tmp_path / "store"), _world()
    with DatasetStore(path) as store:
        before = store.read(table, "autoland")
        gone = store.files(table)[0]
    gone.unlink()
    for words in (("show", "revisions"), ("export", "--compat", str(tmp_path / "out")), ("show",)):
        ended = call("treeherder", "dataset", *words, "--store", str(path))
        assert ended.code == 1 and str(gone) in ended.err and "missing" in ended.err, words
    with DatasetStore(path) as store, pytest.raises(FileError, match="missing"):
        _fill(store, world)
    ended = call("treeherder", "dataset", "repair", "--store", str(path))
    assert ended.code == 0 and f"{gone}  missing; fetched again: " in ended.text
    with DatasetStore(path) as store:
        assert not _fill(store, world, replace(OPTIONS, until=NOW + 1)).failures
        keys = list(TABLES[table].key)
        assert store.read(table, "autoland").select(keys).sort(keys).equals(before.select(keys).sort(keys))
    assert call("treeherder", "dataset", "repair", "--store", str(path)).err.startswith("No file")


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_kind_of_damage_is_found_and_nothing_else(tmp_path: Path, damage: str) -> None:
    path = _filled(tmp_path / "store")
    with DatasetStore(path) as store:
        file = store.files("pairs")[3]
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert [one.name for one in repair(path, CancelToken())] == [file.relative_to(path).as_posix()]
    assert repair(path, CancelToken()) == []


def test_all_damaged_files_are_named(tmp_path: Path) -> None:
    path = _filled(tmp_path / "store")
    with DatasetStore(path) as store:
        for file in store.files("pairs")[:5]:
            file.write_bytes(b"")
        with pytest.raises(DamagedDatasetError) as found, store.reading():
            shared_rows(store, "autoland").rows.collect()
        assert list(found.value.files) == store.files("pairs")[:5]
        assert "and 2 more are damaged" in found.value.sentence


def test_a_damaged_fetch_log_costs_requests_and_no_row(call: Call, tmp_path: Path) -> None:
    path, world = _filled(tmp_path / "store"), _world()
    with DatasetStore(path) as store:
        before = _pairs(store)
    for after in ("-wal", "-shm"):
        (path / f"{FETCH_LOG}{after}").unlink(missing_ok=True)
    with (path / FETCH_LOG).open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\xff" * 9000)
    ended = call("treeherder", "dataset", "show", "coverage", "--store", str(path))
    assert ended.code == 1 and "repair" in ended.err
    assert [one.name for one in repair(path, CancelToken())] == [FETCH_LOG]
    with DatasetStore(path) as store:
        assert _pairs(store) == before
        _fill(store, world)
        assert _pairs(store) == before == _expected(world)


def test_the_app_sets_damaged_files_aside_from_the_list_of_views(tmp_path: Path) -> None:
    path = _filled(tmp_path / "store")
    listing = DatasetList(DatasetViews(str(path)), DatasetContext(cast(Http, object()), "http://127.0.0.1:1"))
    action = listing.menu(None, pl.DataFrame())[-1]
    assert isinstance(action, Action) and action.label == "Set damaged files aside"
    assert action.run(CancelToken(), lambda words: None).startswith("No file")
    with DatasetStore(path) as store:
        damaged = store.files("pairs")[0]
    damaged.write_bytes(b"")
    assert damaged.relative_to(path).as_posix() in action.run(CancelToken(), lambda words: None)
    assert not damaged.exists()


def test_what_is_no_dataset_is_not_repaired(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        repair(tmp_path, CancelToken())
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_does_not_replace_its_whole_copy_in_a_bucket(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    path, url = _filled(tmp_path / "store"), f"file://{tmp_path}/bucket"
    with DatasetStore(path) as store:
        mirror(store, url, cancel=CancelToken())
        name = store.files("pushes")[0].relative_to(path)
        whole = (tmp_path / "bucket" / name).read_bytes()
        (path / name).write_bytes(b"PAR1 no")
        with pytest.raises(DamagedDatasetError):
            mirror(store, url, cancel=CancelToken())
    assert (tmp_path / "bucket" / name).read_bytes() == whole


class _Full:
    """A disk on which nothing fits."""

    def write(self, content: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_and_nothing_is_lost(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """polars said it in an error of its own, which ended as a fault of the program."""
    path = _filled(tmp_path / "store")
    with DatasetStore(path) as store:
        before = _pairs(store)
    real = store_module.atomic_file

    def full(target: Path, *, overwrite: bool = False, below: Path | None = None) -> object:
        descriptor = os.open("/dev/full", os.O_WRONLY)
        opened = real(target, overwrite=overwrite, below=below)
        stream = opened.__enter__()
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)

        class Same:
            def __enter__(self) -> object:
                return stream

            def __exit__(self, *error: object) -> object:
                return opened.__exit__(*error)  # type: ignore[arg-type]

        return Same()

    world = _world()
    world.measure(1, 9999, 3)
    monkeypatch.setattr(store_module, "atomic_file", full)
    with DatasetStore(path) as store:
        with pytest.raises(FileError, match="no space left on device"):
            _fill(store, world, replace(OPTIONS, until=NOW + 3600, min_refetch_interval=0))
        assert _pairs(store) == before
    monkeypatch.setattr(store_module, "atomic_file", real)
    assert not list(path.glob("**/*.part"))
    with DatasetStore(path) as store:
        _fill(store, world, replace(OPTIONS, until=NOW + 3601, min_refetch_interval=0))
        assert _pairs(store) == _expected(world)


def test_a_fetch_log_that_does_not_fit_is_a_full_disk(tmp_path: Path) -> None:
    log = FetchLog(tmp_path / FETCH_LOG)
    log._db.execute("PRAGMA max_page_count = 8")
    with pytest.raises(FileError, match="no space left on device"):
        for number in range(100):
            with log.exclusive(CancelToken()):
                log.set_fact(f"key {number}", "x" * 1000)
    with log.exclusive(CancelToken()):  # and it works again as soon as there is room
        pass
    log.close()


PLANTED = [
    ".shared", ".shared/repository=autoland", "pairs", "pairs/repository=autoland", "pushes/repository=autoland",
    "pushes/repository=autoland/rows.parquet", "signatures/repository=autoland/rows.parquet", FETCH_LOG,
    f"{FETCH_LOG}-wal", f"{FETCH_LOG}-shm", f"{FETCH_LOG}-journal",
]  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_link_in_a_store_is_not_written_through(tmp_path: Path, name: str) -> None:
    outside, path = tmp_path / "outside", tmp_path / "store"
    path.mkdir()
    is_directory = not name.endswith(("rows.parquet", "sqlite", "-wal", "-shm", "-journal"))
    if is_directory:
        outside.mkdir()
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    if name != FETCH_LOG:
        with sqlite3.connect(path / FETCH_LOG):
            pass
    (path / name).symlink_to(outside)
    measured = MeasuredData([(1, 500, 9000, 0, 1_790_000_000, None)])
    frames = {"pairs": measured.pairs.collect(), "pushes": pushes().collect(), "signatures": _signature()}
    try:
        with DatasetStore(path, create=True) as store:
            store.commit("autoland", frames, cancel=CancelToken())
            shared_rows(store, "autoland")
    except FileError:
        pass
    assert not (list(outside.iterdir()) if is_directory else outside.exists())


def _signature() -> pl.DataFrame:
    from tests.datasets.random_data import signatures

    return signatures({1: {"framework_id": 1, "machine_platform": "linux", "suite": "amazon"}}).collect()


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("name", ["alert_summaries.csv", "sig_groups.jsonl", "perf_jobs_stats.json"])
def test_a_planted_link_in_an_export_is_not_written_through(tmp_path: Path, name: str) -> None:
    path, out, outside = _filled(tmp_path / "store"), tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    (out / name).symlink_to(outside)
    with DatasetStore(path) as store:
        for overwrite in (False, True):
            with pytest.raises(SymlinkError):
                export(Dataset(store, "autoland"), out, overwrite=overwrite, cancel=CancelToken())
    assert not outside.exists() and (out / name).is_symlink()


def test_the_rest_of_an_update_is_kept_when_a_day_is_damaged(tmp_path: Path) -> None:
    """The newest values are asked for first; a damaged day of long ago does not cost them."""
    path, world = _filled(tmp_path / "store"), _world()
    with DatasetStore(path) as store:
        store.files("pairs")[0].write_bytes(b"")
        with pytest.raises(DamagedDatasetError):
            DatasetUpdate(
                store, world.server(), replace(OPTIONS, until=NOW + 3600, min_refetch_interval=0), cancel=CancelToken()
            ).run()
    repair(path, CancelToken())
    with DatasetStore(path) as store:
        _fill(store, world, replace(OPTIONS, until=NOW + 3600, min_refetch_interval=0))
        assert _pairs(store) == _expected(world)
