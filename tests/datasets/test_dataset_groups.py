"""Signatures that always come from the same jobs are one group, never a hash's accident, whatever the order."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.treeherder.datasets import groups as module
from backends.treeherder.datasets.groups import GROUPS, group_name, signature_groups
from tests.datasets import original
from tests.datasets.worlds import MEASURED, Measured


def _lists(found: pl.DataFrame) -> list[list[int]]:
    return found.group_by("position", maintain_order=True).agg("signature_id")["signature_id"].to_list()


def _parts(measured: Measured) -> list[pl.LazyFrame]:
    """A file a push, as days are: parts share no job."""
    pairs = measured.pairs.collect()
    return [pairs.filter(pl.col("push_id") == push).lazy() for push in pairs["push_id"].unique().to_list()]


@settings(max_examples=150, deadline=None)
@given(MEASURED)
def test_groups_are_those_of_equal_sets_of_jobs(measured: Measured) -> None:
    expected = original.groups(original.signatures_by_job(measured.data))
    for pairs in (measured.pairs, _parts(measured) or measured.pairs):
        found = signature_groups(pairs)
        assert dict(found.schema) == GROUPS
        assert _lists(found) == expected
        assert found["position"].unique().sort().to_list() == list(range(len(expected)))


@settings(max_examples=60, deadline=None)
@given(MEASURED, st.randoms(use_true_random=False))
def test_a_group_keeps_its_name_whatever_else_there_is(measured: Measured, chance: random.Random) -> None:
    pairs = measured.pairs.collect()
    some = chance.sample(range(1, 7), 3)
    whole = signature_groups(pairs.lazy())
    part = signature_groups(pairs.filter(pl.col("signature_id").is_in(some)).lazy())
    names = {group_name(ids) for ids in _lists(part)}
    assert names == set(part["group_id"].to_list())
    same = {group_name(ids) for ids in _lists(whole) if set(ids) <= set(some)}
    assert same <= names


@settings(max_examples=60, deadline=None)
@given(MEASURED)
def test_what_the_hashes_merge_by_mistake_is_noticed(measured: Measured) -> None:
    """As if every hash were equal: sets of one size look the same, and only the verification tells them apart."""
    before = module._sketches

    def blind(parts: list[pl.LazyFrame]) -> pl.DataFrame:
        return before(parts).with_columns(h1=pl.lit(0, pl.UInt64), h2=pl.lit(0, pl.UInt64))

    module._sketches = blind  # type: ignore[assignment]
    try:
        found = signature_groups(_parts(measured) or measured.pairs)
    finally:
        module._sketches = before  # type: ignore[assignment]
    assert _lists(found) == original.groups(original.signatures_by_job(measured.data))


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


@settings(max_examples=100, deadline=None)
@given(MEASURED, st.sampled_from([0.25, 0.5, 0.75, 0.9]))
def test_a_tolerance_joins_what_almost_always_runs_together(measured: Measured, tolerance: float) -> None:
    by_job = original.signatures_by_job(measured.data)
    found = signature_groups(_parts(measured) or measured.pairs, tolerance=tolerance)
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
