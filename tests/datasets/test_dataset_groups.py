"""Signatures that always come from the same jobs are one group, whatever the order."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from backends.treeherder.datasets.signature_groups import GROUPS, group_name, signature_groups
from tests.datasets import original
from tests.datasets.random_data import MEASURED, MeasuredData, share


def _lists(found: pl.DataFrame) -> list[list[int]]:
    return found.group_by("position", maintain_order=True).agg("signature_id")["signature_id"].to_list()


@given(MEASURED)
def test_groups_are_those_of_equal_sets_of_jobs(measured: MeasuredData) -> None:
    expected = original.groups(original.signatures_by_job(measured.data))
    shared = share(measured.pairs)
    for found in (signature_groups(measured.pairs), signature_groups(shared.rows, members=shared.members)):
        assert dict(found.schema) == GROUPS
        assert _lists(found) == expected
        assert found["position"].unique().sort().to_list() == list(range(len(expected)))


@given(MEASURED, st.randoms(use_true_random=False))
def test_a_group_keeps_its_name_whatever_else_there_is(measured: MeasuredData, chance: random.Random) -> None:
    pairs = measured.pairs.collect()
    some = chance.sample(range(1, 7), 3)
    whole = signature_groups(pairs.lazy())
    part = signature_groups(pairs.filter(pl.col("signature_id").is_in(some)).lazy())
    names = {group_name(ids) for ids in _lists(part)}
    assert names == set(part["group_id"].to_list())
    same = {group_name(ids) for ids in _lists(whole) if set(ids) <= set(some)}
    assert same <= names


def _brute(by_job: dict[int, list[int]], tolerance: float) -> list[list[int]]:
    jobs_of: dict[int, set[int]] = {}
    for job, ids in by_job.items():
        for one in ids:
            jobs_of.setdefault(one, set()).add(job)
    clusters = [{one} for one in jobs_of]
    for a in jobs_of:
        for b in jobs_of:
            alike = len(jobs_of[a] & jobs_of[b]) / len(jobs_of[a] | jobs_of[b])
            if a < b and alike >= tolerance:
                first = next(one for one in clusters if a in one)
                second = next(one for one in clusters if b in one)
                if first is not second:
                    clusters.remove(second)
                    first |= second
    return sorted((sorted(one) for one in clusters), key=lambda ids: (-len(ids), ids[0]))


@given(MEASURED, st.sampled_from([0.25, 0.5, 0.75, 0.9]))
def test_a_tolerance_joins_what_almost_always_runs_together(measured: MeasuredData, tolerance: float) -> None:
    by_job = original.signatures_by_job(measured.data)
    found = signature_groups(measured.pairs, tolerance=tolerance)
    assert _lists(found) == _brute(by_job, tolerance)
    for (_,), rows in found.group_by(["position"]):
        members = set(rows["signature_id"].to_list())
        assert rows["jobs"].unique().to_list() == [sum(bool(members & set(ids)) for ids in by_job.values())]


def test_one_job_that_lacked_a_subtest_splits_a_suite_only_without_tolerance() -> None:
    rows: list[Any] = [(one, job, one * 100 + job) for job in range(10) for one in (1, 2) if (one, job) != (2, 3)]
    pairs = pl.DataFrame(rows, schema={"signature_id": pl.UInt32, "job_id": pl.UInt32, "n": pl.Int64}, orient="row")
    assert _lists(signature_groups(pairs.lazy())) == [[1], [2]]
    assert _lists(signature_groups(pairs.lazy(), tolerance=0.9)) == [[1, 2]]
    assert _lists(signature_groups(pairs.lazy(), tolerance=0.91)) == [[1], [2]]
