"""Signatures that come from the same jobs: their rows kept once, their groups, and what the signatures of a job share.

The measurements of one job differ in signature and value alone. Signatures whose rows are the same but for values form
a class, whose rows are those of its lowest signature, the leader: a sixth of the rows in a real-looking crawl.

    STORE/.shared/repository=autoland/STATE-members.parquet    signature_id, leader
    STORE/.shared/repository=autoland/STATE-rows.parquet       signature_id (a leader's), job_id, push_id, ...

STATE is a digest of the measurements' files: a cache that does not match them is not read. It may be deleted any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from backends.atomic import open_directory
from backends.errors import FileError
from backends.treeherder.datasets.store import SHARED, DatasetStore, write_parquet
from backends.treeherder.datasets.tables import ID

COLUMNS = ("signature_id", "job_id", "push_id", "push_ts", "submit_ts")
_LEADERS = 2**32  # more than there are numbers of signatures
_NUMBERED = pl.DataFrame(schema={"job_id": ID, "set": ID})
STALE = 3600  # seconds after which nobody reads the cache of an earlier state of the store
GROUPS = {
    "group_id": pl.String(),  # depends on the members alone: the same in every store and every run
    "position": pl.Int64(),  # as the original numbers them: the largest first, then by their lowest signature
    "signature_id": ID,
    "size": pl.Int64(),
    "jobs": pl.Int64(),
}
SETS = {"signature_ids": pl.List(ID), "signatures": pl.Int64(), "common_sig_features": pl.List(pl.String())}
AT_ONCE = 1_000_000  # measurements, or jobs, that are worked on together: what bounds the memory


@dataclass(frozen=True)
class SharedRows:
    """`members`: signature_id, leader, by signature; `rows`: `COLUMNS` of the leaders alone, sorted by signature and
    job. All rows of the measurements are `members` joined with `rows` on the leader."""

    members: pl.DataFrame
    rows: pl.LazyFrame

    @property
    def sizes(self) -> pl.DataFrame:
        """signature_id (a leader's), size: how many signatures have these rows."""
        return self.members.group_by(pl.col("leader").alias("signature_id")).agg(pl.len().cast(pl.Int64).alias("size"))


def shared_rows(store: DatasetStore, repository: str) -> SharedRows:
    """From the cache, or calculated (3 s of CPU for 20 million measurements) and cached if the disk permits."""
    home, state = store.path / SHARED / f"repository={repository}", _state(store, repository)
    members_file, rows_file = home / f"{state}-members.parquet", home / f"{state}-rows.parquet"
    with contextlib.suppress(OSError, pl.exceptions.PolarsError):
        rows = pl.scan_parquet(rows_file, hive_partitioning=False)
        rows.collect_schema()
        return SharedRows(pl.read_parquet(members_file, hive_partitioning=False), rows)
    shared = share_rows(store.scan("pairs", repository), store.by_file("pairs", repository))
    if _state(store, repository) == state:  # otherwise some rows are older than an update, and some newer
        with contextlib.suppress(OSError, FileError):
            write_parquet(shared.members, members_file, below=store.path)
            write_parquet(shared.rows.collect(), rows_file, below=store.path)
            _remove_stale(store.path, home, state)
    return shared


def _state(store: DatasetStore, repository: str) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for path in store.files("pairs", repository):
        status = path.stat()
        digest.update(f"{path.parent.name} {status.st_mtime_ns} {status.st_size} {status.st_ino}\n".encode())
    return digest.hexdigest()


def _remove_stale(store: Path, home: Path, state: str) -> None:
    """Removes what belongs to earlier states, also the directories of earlier versions; follows no link."""
    directory = open_directory(store, home.relative_to(store).parts)
    try:
        with os.scandir(directory) as entries:
            others = [entry for entry in entries if not entry.name.startswith(state)]
        for entry in others:
            if time.time() - os.stat(entry.name, dir_fd=directory, follow_symlinks=False).st_mtime > STALE:
                shutil.rmtree(entry.name, ignore_errors=True, dir_fd=directory)
                with contextlib.suppress(OSError):
                    os.unlink(entry.name, dir_fd=directory)
    finally:
        os.close(directory)


def share_rows(measurements: pl.LazyFrame, parts: Iterable[pl.LazyFrame]) -> SharedRows:
    """`parts`: the same rows, e.g. by day: what is equal in each part is equal."""
    members = find_classes(parts)
    leaders = members.lazy().select(pl.col("leader").unique().alias("signature_id"))
    rows = measurements.select(COLUMNS).join(leaders, on="signature_id", how="semi")
    return SharedRows(members, rows.collect(engine="streaming").sort("signature_id", "job_id", nulls_last=True).lazy())


def find_classes(parts: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """signature_id, leader (the lowest signature with the same rows but for values), by signature."""
    with ThreadPoolExecutor(2, thread_name_prefix="classes") as pool:
        classes = list(pool.map(_classes_of_part, parts))
    if not classes:
        return pl.DataFrame(schema={"signature_id": ID, "leader": ID})
    numbered = pl.concat(part.with_columns(pl.lit(number, ID).alias("part")) for number, part in enumerate(classes))
    by_signature = numbered.group_by("signature_id", maintain_order=True).agg("part", "leader")
    leader = pl.col("signature_id").min().over("part", "leader").alias("leader")
    return by_signature.select("signature_id", leader).sort("signature_id")


def _classes_of_part(part: pl.LazyFrame) -> pl.DataFrame:
    """signature_id, leader: the lowest signature with the same rows here."""
    rows = part.select(COLUMNS).collect().sort("signature_id", "job_id", nulls_last=True)
    lists = rows.group_by("signature_id").agg(pl.struct(COLUMNS[1:]).alias("rows"))
    return lists.select("signature_id", pl.col("signature_id").min().over("rows").alias("leader"))


def signature_groups(
    rows: pl.LazyFrame, *, members: pl.DataFrame | None = None, tolerance: float | None = None
) -> pl.DataFrame:
    """One row per signature that has a known job (columns of `GROUPS`), sorted by position and signature.

    `rows`: signature_id, job_id, unique. `members`: signature_id, leader, if the rows of leaders stand for those of all
    members (`SharedRows`). `tolerance`: groups whose sets of jobs have a Jaccard index of at least this (0 < t < 1) are
    joined, one by one into chains; None or 1: only equal sets are. `jobs` is the size of the union of the members'
    sets.
    """
    known = rows.select("signature_id", "job_id").drop_nulls("job_id")
    sets = known.group_by("signature_id").agg(pl.col("job_id").unique().sort()).collect()
    leader = pl.col("signature_id").min().over("job_id").alias("leader")
    grouped = sets.select("signature_id", leader, pl.col("job_id").list.len().cast(pl.Int64).alias("jobs"))
    if tolerance is not None and tolerance < 1:
        grouped = _join_similar(known, grouped, tolerance)
    if members is not None:
        led = members.rename({"leader": "class"}).join(grouped.rename({"signature_id": "class"}), on="class")
        grouped = led.select("signature_id", "leader", "jobs")
    by_leader = (
        grouped.sort("signature_id").group_by("leader", maintain_order=True)
        .agg(pl.col("signature_id"), pl.len().cast(pl.Int64).alias("size"), pl.col("jobs").first())
        .sort(pl.col("size"), pl.col("signature_id").list.first(), descending=[True, False])
        .with_row_index("position")
    )  # fmt: skip
    names = pl.Series("group_id", [group_name(ids) for ids in by_leader["signature_id"].to_list()], dtype=pl.String)
    return by_leader.with_columns(names).explode("signature_id").select(list(GROUPS)).cast(GROUPS)  # type: ignore[arg-type]


def group_name(members: Sequence[int]) -> str:
    """64 bits of BLAKE2b of the sorted member ids, as 16 hex digits: independent of versions and of other groups."""
    packed = struct.pack(f"<{len(members)}Q", *sorted(members))
    return hashlib.blake2b(packed, digest_size=8).hexdigest()


def _join_similar(rows: pl.LazyFrame, grouped: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Compares groups instead of signatures: their overlaps are counted exactly, job by job (a job has few groups)."""
    leaders = grouped.filter(pl.col("signature_id") == pl.col("leader")).select("leader", "jobs").lazy()
    led = rows.join(leaders.select(pl.col("leader").alias("signature_id")), on="signature_id", how="semi")
    similar = (
        led.rename({"signature_id": "a"}).join(led.rename({"signature_id": "b"}), on="job_id")
        .filter(pl.col("a") < pl.col("b")).group_by("a", "b").agg(pl.len().alias("common"))
        .join(leaders.rename({"leader": "a", "jobs": "jobs_a"}), on="a")
        .join(leaders.rename({"leader": "b", "jobs": "jobs_b"}), on="b")
        .filter(pl.col("common") >= tolerance * (pl.col("jobs_a") + pl.col("jobs_b") - pl.col("common")))
        .select("a", "b").collect()
    )  # fmt: skip
    roots = _connected(similar.rows())
    if not roots:
        return grouped
    moved = pl.DataFrame({"leader": list(roots), "root": list(roots.values())}, schema={"leader": ID, "root": ID})
    grouped = grouped.join(moved, on="leader", how="left").with_columns(pl.coalesce("root", "leader").alias("leader"))
    joined = grouped.filter(pl.col("leader").is_in(moved["root"].unique().to_list())).select("signature_id", "leader")
    unions = rows.join(joined.lazy(), on="signature_id").group_by("leader").agg(
        pl.col("job_id").n_unique().cast(pl.Int64).alias("union")
    )  # fmt: skip
    return grouped.join(unions.collect(), on="leader", how="left").select(
        "signature_id", "leader", pl.coalesce("union", "jobs").alias("jobs")
    )


def _connected(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Member -> lowest member of the component."""
    parent: dict[int, int] = {}

    def root(member: int) -> int:
        while parent.setdefault(member, member) != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {member: root(member) for member in list(parent)}


@dataclass(frozen=True)
class JobSignatures:
    """`jobs`: job_id, set, of every known job, by job; `sets`: the columns of `SETS`, one row for each number of a set.

    3.5 million jobs of a real-looking crawl have 3,300 sets: a row per job with its own lists would be 500 MB.
    """

    jobs: pl.DataFrame
    sets: pl.DataFrame

    def parts(self, *columns: str) -> Iterator[pl.DataFrame]:
        """job_id and these columns of `sets`, `AT_ONCE` jobs at a time."""
        for jobs in self.jobs.iter_slices(AT_ONCE):
            yield jobs.select("job_id").hstack(self.sets.select(columns)[jobs["set"]])


def signatures_per_job(shared: SharedRows, signatures: pl.LazyFrame) -> JobSignatures:
    """The signatures of every known job (sorted and unique), and what these have in common.

    `common_sig_features`: the fields but id that all its signatures have, with equal values, sorted by name. As in the
    original a field counts only if Treeherder sends it, which it does not do for a default; a signature without
    metadata has no field, so that nothing is common to its job.
    """
    jobs, members = _job_sets(shared)
    described = members.group_by("set").agg(pl.col("signature_id").unique().sort().alias("signature_ids")).with_columns(
        pl.col("signature_ids").list.len().cast(pl.Int64).alias("signatures")
    ).join(_common_features(members, signatures), on="set").sort("set")  # fmt: skip
    return JobSignatures(jobs, described.select(list(SETS)).cast(SETS))  # type: ignore[arg-type]


def _job_sets(shared: SharedRows) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(job_id, set) of every known job, by job, and (set, signature_id): the signatures of each set, numbered from 0.

    A set is identified by its size and two sums of 64-bit hashes. One number a row stands for job and leader: sorted,
    it has the rows of a job together, and the jobs can be gone through in parts.
    """
    row = (pl.col("job_id").cast(pl.UInt64) * _LEADERS + pl.col("signature_id")).alias("row")
    rows = shared.rows.filter(pl.col("job_id").is_not_null()).select(row).collect(engine="streaming")["row"].sort()
    leader, key = pl.col("leader"), ("n", "h1", "h2")
    jobs, leaders = [_NUMBERED], [_NUMBERED.select("set", pl.lit(0, ID).alias("leader"))]
    sets, start = pl.DataFrame(schema={"n": pl.UInt32, "h1": pl.UInt64, "h2": pl.UInt64, "set": ID}), 0
    while start < len(rows):
        last = min(start + AT_ONCE, len(rows)) - 1
        end = rows.search_sorted((rows[last] // _LEADERS + 1) * _LEADERS)
        job, own = (pl.col("row") // _LEADERS).cast(ID), (pl.col("row") % _LEADERS).cast(ID)
        part = rows[start:end].to_frame().select(job.set_sorted().alias("job_id"), own.alias("leader"))
        found = part.group_by("job_id", maintain_order=True).agg(
            pl.len().alias("n"), leader.hash(1).sum().alias("h1"), leader.hash(2).sum().alias("h2")
        )
        new = found.join(sets, on=key, how="anti").unique(key, keep="first", maintain_order=True)
        new = new.with_columns(pl.int_range(len(sets), len(sets) + len(new), dtype=ID).alias("set"))
        sets = pl.concat([sets, new.select(sets.columns)])
        leaders.append(part.join(new, on="job_id").select("set", "leader"))
        jobs.append(found.join(sets, on=key, maintain_order="left").select("job_id", "set"))
        start = end
    members = pl.concat(leaders).join(shared.members, on="leader").select("set", "signature_id")
    return pl.concat(jobs), members


def _common_features(members: pl.DataFrame, signatures: pl.LazyFrame) -> pl.DataFrame:
    """set, common_sig_features."""
    codes, names = _field_codes(signatures)
    if not names:
        return (
            members.select("set").unique().with_columns(pl.lit([], pl.List(pl.String())).alias("common_sig_features"))
        )
    is_common = (
        ((pl.col(name).null_count() == 0) & (pl.col(name).min() == pl.col(name).max())).alias(name) for name in names
    )
    common = members.lazy().join(codes.lazy(), on="signature_id", how="left").group_by("set").agg(is_common).collect()
    features = pl.concat_list(pl.when(name).then(pl.lit(name)).otherwise(None) for name in names).list.drop_nulls()
    return common.select("set", features.alias("common_sig_features"))


_ABSENT = object()


def _field_codes(signatures: pl.LazyFrame) -> tuple[pl.DataFrame, list[str]]:
    """signature_id and a number per field, equal where the field's values are equal, null where it is absent; the
    names of the fields."""
    rows = signatures.select("signature_id", "raw").collect()
    fields: list[dict[str, Any]] = [msgspec.json.decode(raw) for raw in rows["raw"].to_list()]
    names = sorted({name for signature in fields for name in signature} - {"id"})
    encode = msgspec.json.Encoder(order="sorted").encode

    def codes(values: Iterable[Any]) -> list[int | None]:
        known: dict[bytes, int] = {}
        return [None if value is _ABSENT else known.setdefault(encode(value), len(known)) for value in values]

    columns = {
        name: pl.Series(name, codes(signature.get(name, _ABSENT) for signature in fields), dtype=ID) for name in names
    }
    return pl.DataFrame({"signature_id": rows["signature_id"], **columns}), names
