"""Counts per revision, features in common and rectified counts are the original's, and zero is told from unknown."""

from __future__ import annotations

from typing import Any
from unittest import mock

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from backends.treeherder.datasets import dataset
from backends.treeherder.datasets import signature_groups as signature_groups_module
from backends.treeherder.datasets.dataset import PushWindow
from backends.treeherder.datasets.signature_groups import signature_groups, signatures_per_job
from tests.datasets import original
from tests.datasets.random_data import MEASURED, METADATA, START, MeasuredData, pushes, share, signatures

BOUND = st.one_of(st.none(), st.integers(START - 1, START + 4001))
COMMITS = st.lists(
    st.tuples(st.sampled_from(["rev0", "rev1", "rev2", "rev3", "other1", "other2"]), st.integers(START, START + 4000)),
    max_size=6,
    unique_by=lambda one: one[0],
)
WINDOWS = st.tuples(BOUND, BOUND, st.sampled_from([600, 0, None]))


def _commits(rows: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"revision": pl.String, "commit_ts": pl.Int64}, orient="row")


REVISION_OF = {number: f"rev{number}" for number in range(5)}


@given(MEASURED, COMMITS, WINDOWS)
def test_counts_per_commit_are_the_originals(
    measured: MeasuredData, commits: list[tuple[str, int]], window: tuple[Any, Any, Any]
) -> None:
    shared = share(measured.pairs)
    found = dataset.count_per_commit(_commits(commits), pushes(), shared, PushWindow(*window))
    found = dataset.with_signatures(found, shared)
    expected = original.signatures_per_commit(measured.data, REVISION_OF, commits, *window)
    assert found.select("revision", "commit_ts", "signature_ids").rows() == expected
    assert found["total"].to_list() == [len(ids) for _, _, ids in expected]


@given(MEASURED, METADATA, st.integers(1, 5) | st.just(signature_groups_module.AT_ONCE))
def test_common_features_are_the_originals(
    measured: MeasuredData, metadata: dict[int, dict[str, Any]], at_once: int
) -> None:
    """Whatever is worked on together, a part never ends within a job."""
    with mock.patch.object(signature_groups_module, "AT_ONCE", at_once):
        found = signatures_per_job(share(measured.pairs), signatures(metadata))
        parts = list(found.parts("signature_ids", "common_sig_features"))
    full = {number: {"id": number, **fields} for number, fields in metadata.items()}
    expected = [
        (job, ids, original.common_features(ids, full, {"id"}))
        for job, ids in original.signatures_by_job(measured.data).items()
    ]
    assert [row for part in parts for row in part.rows()] == expected
    assert len(found.sets) == len({tuple(ids) for _, ids, _ in expected})
    assert found.sets["signatures"].to_list() == found.sets["signature_ids"].list.len().to_list()


@given(MEASURED, METADATA, COMMITS, st.sets(st.sampled_from([2, 6, 18, 13]), max_size=3))
def test_rectified_counts_are_the_originals(
    measured: MeasuredData, metadata: dict[int, dict[str, Any]], commits: list[tuple[str, int]], excluded: set[int]
) -> None:
    window = PushWindow()
    shared = share(measured.pairs)
    counted = dataset.count_per_commit(_commits(commits), pushes(), shared, window)
    groups = signature_groups(measured.pairs)
    found = dataset.count_groups(counted, groups, signatures(metadata), shared, excluded)
    lists = original.groups(original.signatures_by_job(measured.data))
    frameworks = {number: fields["framework_id"] for number, fields in metadata.items()}
    plain = original.signatures_per_commit(measured.data, REVISION_OF, commits, None, None, 600)
    expected = original.rectified(plain, lists, frameworks, excluded)
    assert found.select("revision", "signature_group_ids").rows() == expected
    assert found["total"].to_list() == [len(ids) for _, ids in expected]
    grouped = {one for ids in lists for one in ids}
    assert found["unknown"].to_list() == [sum(one not in grouped for one in ids) for _, _, ids in plain]


@given(MEASURED, st.dictionaries(st.integers(0, 4), st.sampled_from(["ok", "empty", "error"])), st.booleans())
def test_a_push_without_values_is_zero_only_if_it_was_asked_for(
    measured: MeasuredData, asked: dict[int, str], expired: bool
) -> None:
    status = pl.DataFrame(
        {"push_id": list(asked), "status": list(asked.values())}, schema={"push_id": pl.UInt32, "status": pl.String}
    )
    window = PushWindow(expired=expired)
    found = dataset.count_per_push(pushes(), share(measured.pairs), signature_groups(measured.pairs), status, window)
    for row in found.iter_rows(named=True):
        push = row["push_id"]
        here = [datum for datum in measured.data if datum[3] == push]
        counts = [d for d in here if (expired if d[5] is None else 0 <= d[5] - d[4] <= 600)]
        if any(datum[1] is not None for datum in here):
            assert row["state"] == "scheduled"
        elif here:
            assert row["state"] == "job expired"
        else:
            words = {"ok": "not scheduled", "empty": "not scheduled", "error": "failed"}
            assert row["state"] == words.get(asked.get(push, ""), "not asked")
        if row["state"] in ("failed", "not asked"):
            assert row["total"] is None
            continue
        assert row["total"] == len({datum[0] for datum in counts})
        assert row["jobs"] == len({datum[1] for datum in counts} - {None})
        assert row["late"] == len(here) - len(counts)
        assert row["job_expired"] == sum(datum[1] is None for datum in here)
