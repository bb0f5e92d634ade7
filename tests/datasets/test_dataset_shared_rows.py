"""What signatures have in common is kept once, and nothing is lost, mixed up or of another time by it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given

from backends.cancel import CancelToken
from backends.treeherder.datasets import signature_groups as module
from backends.treeherder.datasets.signature_groups import COLUMNS, SharedRows, share_rows, shared_rows
from backends.treeherder.datasets.store import SHARED, DatasetStore
from backends.treeherder.datasets.tables import MEASUREMENTS
from tests.datasets.random_data import MEASURED, START, MeasuredData, share


def _expand(shared: SharedRows) -> list[tuple[object, ...]]:
    """All rows that it stands for."""
    rows = shared.rows.collect().rename({"signature_id": "leader"})
    return shared.members.join(rows, on="leader").select(COLUMNS).sort(COLUMNS, nulls_last=True).rows()


def _plain(pairs: pl.LazyFrame) -> list[tuple[object, ...]]:
    return pairs.select(COLUMNS).sort(COLUMNS, nulls_last=True).collect().rows()


@given(MEASURED)
def test_no_row_is_lost_and_none_is_mixed_up(measured: MeasuredData) -> None:
    pairs = measured.pairs
    whole = pairs.collect()
    days = [whole.filter(pl.col("push_id") == push).sort(MEASUREMENTS.order).lazy() for push in range(5)]
    assert _expand(share(pairs)) == _plain(pairs)
    by_day = share_rows(pairs, days)
    assert _expand(by_day) == _plain(pairs)
    assert (by_day.members["leader"] <= by_day.members["signature_id"]).all()


def _pairs(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """(signature, job, push)."""
    columns = [
        (s, job, 1000 * s + job, push, START + push, START + push, 1.0, START, None, False) for s, job, push in rows
    ]
    return pl.DataFrame(columns, schema=MEASUREMENTS.columns, orient="row")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DatasetStore]:
    with DatasetStore(tmp_path / "store", create=True) as opened:
        opened.commit("autoland", {"pairs": _pairs((1, 7, 1), (2, 7, 1), (3, 8, 1))}, cancel=CancelToken())
        yield opened


def _cached(store: DatasetStore) -> list[Path]:
    return sorted((store.path / SHARED / "repository=autoland").glob("*"))


def test_what_is_kept_is_used_as_long_as_the_pairs_are_the_same(
    store: DatasetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shared_rows(store, "autoland")
    assert first.members.rows() == [(1, 1), (2, 1), (3, 3)]
    assert len(_cached(store)) == 2
    monkeypatch.setattr(module, "find_classes", lambda parts: pytest.fail("worked out again"))
    again = shared_rows(store, "autoland")
    assert _expand(again) == _expand(first) == _plain(store.scan("pairs", "autoland"))


def test_new_pairs_are_never_read_from_what_was_kept_before(store: DatasetStore) -> None:
    old = shared_rows(store, "autoland")
    store.commit("autoland", {"pairs": _pairs((2, 9, 1), (4, 9, 2))}, cancel=CancelToken())
    new = shared_rows(store, "autoland")
    assert _expand(new) == _plain(store.scan("pairs", "autoland"))
    assert new.members.rows() == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert len(_expand(old)) == 3  # one who still reads it is not disturbed
    (_cached(store)[0].parent / "a directory of an earlier version").mkdir()
    for path in _cached(store):
        os.utime(path, (START, START))
    store.commit("autoland", {"pairs": _pairs((5, 5, 5))}, cancel=CancelToken())
    shared_rows(store, "autoland")
    assert len(_cached(store)) == 2


def test_it_may_be_deleted_damaged_or_impossible_to_keep(store: DatasetStore) -> None:
    expected = _expand(shared_rows(store, "autoland"))
    members, rows = _cached(store)
    members.write_bytes(b"PAR1")
    assert _expand(shared_rows(store, "autoland")) == expected
    rows.unlink()
    assert _expand(shared_rows(store, "autoland")) == expected
    shutil.rmtree(rows.parent)
    rows.parent.write_text("a file where a directory should be")
    assert _expand(shared_rows(store, "autoland")) == expected


def test_nothing_is_kept_of_files_that_changed_meanwhile(store: DatasetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = module.find_classes

    def slow(parts: Iterator[pl.LazyFrame]) -> pl.DataFrame:
        found = before(parts)
        store.commit("autoland", {"pairs": _pairs((6, 6, 6))}, cancel=CancelToken())
        return found

    monkeypatch.setattr(module, "find_classes", slow)
    shared_rows(store, "autoland")
    assert not _cached(store)


def test_an_empty_store_has_no_rows(tmp_path: Path) -> None:
    with DatasetStore(tmp_path / "store", create=True) as opened:
        assert _expand(shared_rows(opened, "autoland")) == []
