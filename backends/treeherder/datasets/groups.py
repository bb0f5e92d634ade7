"""Which signatures always come out of the same jobs: groups that are counted once, not once a signature.

A signature's set of jobs is told by its size and two sums of 64-bit hashes of its job ids, which do not depend on the
order; a false match among 200,000 signatures has a chance of 3e-29. It is verified all the same, exactly, against the
rows themselves. Rows are unique (see `merging`), so that sums over rows are sums over sets, and days are disjoint, so
that sets are equal if and only if they are equal on every day.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from backends.treeherder.datasets.tables import ID

GROUPS = {
    "group_id": pl.String(),  # of the members alone: the same in every store and every run
    "position": pl.Int64(),  # as the original numbers them: the largest first, then by their lowest signature
    "signature_id": ID,
    "size": pl.Int64(),
    "jobs": pl.Int64(),
}


def signature_groups(
    pairs: pl.LazyFrame | Sequence[pl.LazyFrame],
    *,
    members: pl.DataFrame | None = None,
    verify: bool = True,
    tolerance: float | None = None,
) -> pl.DataFrame:
    """One row a signature that has a known job (columns of `GROUPS`), sorted by position and signature.

    `pairs`: rows with signature_id and job_id, unique, as one frame or in parts that share no job. `members`:
    signature_id, leader, where `pairs` has the rows of leaders for all that they lead (`shared_rows`). `tolerance`:
    groups whose sets of jobs have a Jaccard index of at least this (0 < t < 1) with another of them are joined, one by
    one into chains; None or 1: only equal sets are. `jobs` is the size of the union of the members' sets, unless joined
    the size of each.
    """
    parts = [pairs] if isinstance(pairs, pl.LazyFrame) else list(pairs)
    sketches = _sketches(parts)
    grouped = _by_sketch(sketches)
    if verify and not all(_verified(parts, grouped)):
        grouped = _by_exact_sets(parts)
    if tolerance is not None and tolerance < 1:
        grouped = _joined(parts, grouped, tolerance)
    if members is not None:
        led = members.rename({"leader": "class"}).join(grouped.rename({"signature_id": "class"}), on="class")
        grouped = led.select("signature_id", "leader", "jobs")
    return _numbered(grouped)


def _known(part: pl.LazyFrame) -> pl.LazyFrame:
    return part.select("signature_id", "job_id").filter(pl.col("job_id").is_not_null())


def _sketches(parts: list[pl.LazyFrame]) -> pl.DataFrame:
    job = pl.col("job_id")
    sums = [pl.len().alias("jobs"), job.hash(1).sum().alias("h1"), job.hash(2).sum().alias("h2")]
    # The sums wrap around, which is what makes them sums of a group and not numbers.
    return pl.concat([_known(part) for part in parts]).group_by("signature_id").agg(sums).collect(engine="streaming")


def _by_sketch(sketches: pl.DataFrame) -> pl.DataFrame:
    """signature_id, leader (the group's lowest signature), jobs."""
    leader = pl.col("signature_id").min().over("jobs", "h1", "h2").alias("leader")
    return sketches.select("signature_id", leader, pl.col("jobs").cast(pl.Int64))


def _verified(parts: list[pl.LazyFrame], grouped: pl.DataFrame) -> Iterator[bool]:
    """Part by part, whether every signature has exactly the jobs of its leader."""
    ordered = grouped.sort("signature_id")
    ids = ordered["signature_id"]
    leaders = ids.search_sorted(ordered["leader"])
    with ThreadPoolExecutor(2, thread_name_prefix="verify") as pool:
        yield from pool.map(lambda part: _same_as_leader(part, ids, leaders), parts)


def _same_as_leader(part: pl.LazyFrame, ids: pl.Series, leaders: pl.Series) -> bool:
    """Sorted by signature and job, a signature's run of rows must equal its leader's, place by place.

    `leaders`: the place in `ids` of the leader of each of them. That a signature lacks rows here which its leader has
    need not be looked at: both have equally many in all. Rows that are not sorted give False, if anything.
    """
    rows = part.select("signature_id", "job_id").collect()
    if rows["job_id"].null_count():
        rows = rows.drop_nulls("job_id")
    if rows.is_empty():
        return True
    runs = rows["signature_id"].rle().struct.unnest()
    if runs["value"].n_unique() < len(runs):
        rows = rows.sort("signature_id", "job_id")
        runs = rows["signature_id"].rle().struct.unnest()
    signature, job = rows["signature_id"], rows["job_id"]
    start = (runs["len"].cum_sum() - runs["len"]).cast(pl.Int32)
    places = ids.search_sorted(runs["value"])
    numbers = pl.int_range(len(runs), dtype=ID, eager=True)
    run_of = pl.zeros(len(ids), ID, eager=True).scatter(places, numbers)
    leader = leaders.gather(places)
    led_by = run_of.gather(leader)
    if not runs["value"].gather(led_by).equals(ids.gather(leader)) or not runs["len"].gather(led_by).equals(
        runs["len"]
    ):
        return False
    shift = (start.gather(led_by) - start).gather(signature.rle_id())
    return job.gather(pl.int_range(len(job), dtype=pl.Int32, eager=True) + shift).equals(job)


def _by_exact_sets(parts: list[pl.LazyFrame]) -> pl.DataFrame:
    """As `_by_sketch`, by the sorted sets themselves: slower, and right whatever the hashes say."""
    sets = pl.concat([_known(part) for part in parts]).group_by("signature_id").agg(pl.col("job_id").unique().sort())
    leader = pl.col("signature_id").min().over("job_id").alias("leader")
    return sets.collect().select("signature_id", leader, pl.col("job_id").list.len().cast(pl.Int64).alias("jobs"))


def _joined(parts: list[pl.LazyFrame], grouped: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Groups in the place of signatures: their overlaps are counted exactly, job by job (a job has few groups)."""
    leaders = grouped.filter(pl.col("signature_id") == pl.col("leader")).select("leader", "jobs")
    led = leaders.select(pl.col("leader").alias("signature_id"))
    rows = pl.concat([_known(part) for part in parts]).join(led.lazy(), on="signature_id", how="semi")
    a, b = rows.rename({"signature_id": "a"}), rows.rename({"signature_id": "b"})
    sizes = leaders.lazy()
    common = (
        a.join(b, on="job_id").filter(pl.col("a") < pl.col("b")).group_by("a", "b").agg(pl.len().alias("common"))
        .join(sizes.rename({"leader": "a", "jobs": "na"}), on="a")
        .join(sizes.rename({"leader": "b", "jobs": "nb"}), on="b")
        .filter(pl.col("common") >= tolerance * (pl.col("na") + pl.col("nb") - pl.col("common")))
        .select("a", "b").collect()
    )  # fmt: skip
    roots = _roots(common.rows())
    if not roots:
        return grouped
    moved = pl.DataFrame({"leader": list(roots), "root": list(roots.values())}, schema={"leader": ID, "root": ID})
    grouped = grouped.join(moved, on="leader", how="left").with_columns(pl.coalesce("root", "leader").alias("leader"))
    member = grouped.filter(pl.col("leader").is_in(moved["root"].unique().to_list())).select("signature_id", "leader")
    unions = (
        pl.concat([_known(part) for part in parts]).join(member.lazy(), on="signature_id")
        .group_by("leader").agg(pl.col("job_id").n_unique().cast(pl.Int64).alias("union")).collect()
    )  # fmt: skip
    return grouped.join(unions, on="leader", how="left").select(
        "signature_id", "leader", pl.coalesce("union", "jobs").alias("jobs")
    )


def _roots(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Member -> lowest member of what the edges connect."""
    parent: dict[int, int] = {}

    def root(one: int) -> int:
        while parent.setdefault(one, one) != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {one: root(one) for one in list(parent)}


def _numbered(grouped: pl.DataFrame) -> pl.DataFrame:
    members = (
        grouped.sort("signature_id").group_by("leader", maintain_order=True)
        .agg(pl.col("signature_id"), pl.len().cast(pl.Int64).alias("size"), pl.col("jobs").first())
        .sort(pl.col("size"), pl.col("signature_id").list.first(), descending=[True, False])
        .with_row_index("position").with_columns(pl.col("position").cast(pl.Int64))
    )  # fmt: skip
    names = pl.Series("group_id", [group_name(one) for one in members["signature_id"].to_list()], dtype=pl.String)
    return members.with_columns(names).explode("signature_id").select(list(GROUPS)).cast(GROUPS)  # type: ignore[arg-type]


def group_name(members: Sequence[int]) -> str:
    """64 bits of BLAKE2b of the sorted member ids, as 16 hex digits: independent of versions and of other groups."""
    packed = struct.pack(f"<{len(members)}Q", *sorted(members))
    return hashlib.blake2b(packed, digest_size=8).hexdigest()
