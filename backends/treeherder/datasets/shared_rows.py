"""The rows of signatures that always come from the same jobs, kept once for all of them: what most views are made from.

The values of one job differ in signature and value alone: who asks which jobs, pushes and times there are reads the
same numbers six times over in a real-looking crawl. Signatures whose rows are the same but for values are a class, and
its rows are those of its lowest signature. Classes are found by hashes and then compared row by row, so that a class
is never too large; were one too small, there would be more rows and nothing else would change.

    STORE/.shared/repository=autoland/STATE/members.parquet    signature_id, leader
    STORE/.shared/repository=autoland/STATE/rows.parquet       signature_id (a leader's), job_id, push_id, ...

STATE is told from the files of the pairs: what does not fit them is never read. All of it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from backends.atomic import open_directory
from backends.errors import FileError
from backends.treeherder.datasets.parquet_files import write_parquet
from backends.treeherder.datasets.store import SHARED, Store
from backends.treeherder.datasets.tables import PAIRS

COLUMNS = ("signature_id", "job_id", "push_id", "push_ts", "submit_ts")
STALE = 3600  # seconds: by then nobody reads what belongs to an earlier state of the store


@dataclass(frozen=True)
class SharedRows:
    """`members`: signature_id, leader, by signature; `rows`: the columns of `COLUMNS`, of the leaders alone, sorted by
    signature and job. All rows of the pairs: members joined with rows on the leader."""

    members: pl.DataFrame
    rows: pl.LazyFrame

    @property
    def sizes(self) -> pl.DataFrame:
        """signature_id (a leader's), size: how many signatures have these rows."""
        return self.members.group_by(pl.col("leader").alias("signature_id")).agg(pl.len().cast(pl.Int64).alias("size"))


def shared_rows(store: Store, repository: str) -> SharedRows:
    """As kept, or else worked out now, which takes 3 s of CPU for 20 million pairs, and kept if the disk permits."""
    home = store.path / SHARED / f"repository={repository}"
    state = _state(store, repository)
    there = home / state
    is_there = there.exists()
    with contextlib.suppress(OSError, pl.exceptions.PolarsError):
        rows = pl.scan_parquet(there / "rows.parquet", hive_partitioning=False)
        rows.collect_schema()
        return SharedRows(pl.read_parquet(there / "members.parquet", hive_partitioning=False), rows)
    if is_there:  # and is damaged
        with contextlib.suppress(OSError, FileError):
            _remove(store.path, home, state)
    members = classes(rows for _, rows in store.by_file("pairs", repository))
    found = SharedRows(members, _of_leaders(store.scan("pairs", repository), members))
    if _state(store, repository) == state:  # else some of it is of before and some of after an update
        with contextlib.suppress(OSError, FileError):
            _keep(found, store.path, home, state)
    return found


def _remove(store: Path, home: Path, state: str) -> None:
    directory = open_directory(store, home.relative_to(store).parts)
    try:
        shutil.rmtree(state, ignore_errors=True, dir_fd=directory)
    finally:
        os.close(directory)


def shared_of(pairs: pl.LazyFrame) -> SharedRows:
    """The same of rows in memory."""
    members = classes([pairs])
    return SharedRows(members, _of_leaders(pairs, members))


def _state(store: Store, repository: str) -> str:
    told = hashlib.blake2b(digest_size=12)
    for path in store.files("pairs", repository):
        status = path.stat()
        told.update(f"{path.parent.name} {status.st_mtime_ns} {status.st_size} {status.st_ino}\n".encode())
    return told.hexdigest()


def _of_leaders(pairs: pl.LazyFrame, members: pl.DataFrame) -> pl.LazyFrame:
    leaders = members.lazy().select(pl.col("leader").unique().alias("signature_id"))
    rows = pairs.select(COLUMNS).join(leaders, on="signature_id", how="semi")
    return rows.collect(engine="streaming").sort("signature_id", "job_id", nulls_last=True).lazy()


def _keep(found: SharedRows, store: Path, home: Path, state: str) -> None:
    """Both files in a directory that gets its name when it is complete; no link below the store is followed."""
    part = f".{state}.{secrets.token_hex(4)}"
    directory = open_directory(store, home.relative_to(store).parts, create=True)
    try:
        try:
            write_parquet(found.members, home / part / "members.parquet", below=store)
            write_parquet(found.rows.collect(), home / part / "rows.parquet", below=store)
            with contextlib.suppress(FileExistsError):  # where another was faster, its directory stays
                os.rename(part, state, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            shutil.rmtree(part, ignore_errors=True, dir_fd=directory)
        with os.scandir(directory) as entries:
            for other in list(entries):
                if other.name != state and time.time() - other.stat(follow_symlinks=False).st_mtime > STALE:
                    shutil.rmtree(other.name, ignore_errors=True, dir_fd=directory)
    finally:
        os.close(directory)


def classes(parts: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """signature_id, leader (the lowest signature with the same rows but for values), by signature.

    `parts`: rows of pairs, best sorted by signature and job; what is equal in each part is equal as a whole.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="classes") as pool:
        found = list(pool.map(_classes_of_part, parts))
    if not found:
        return pl.DataFrame(schema={"signature_id": PAIRS.columns["signature_id"], "leader": pl.UInt32})
    numbered = pl.concat(
        part.with_columns(pl.lit(number, pl.UInt32).alias("part")) for number, part in enumerate(found)
    )
    told = numbered.group_by("signature_id", maintain_order=True).agg("part", "leader")
    return told.select("signature_id", pl.col("signature_id").min().over("part", "leader").alias("leader")).sort(
        "signature_id"
    )


def _sums() -> list[pl.Expr]:
    """What a guess is made from; the sums wrap around, which makes them independent of the order."""
    job, submitted = pl.col("job_id").hash(1), pl.col("submit_ts").hash(2)
    return [pl.len().alias("len"), job.sum().alias("h1"), submitted.sum().alias("h2")]


def _classes_of_part(part: pl.LazyFrame) -> pl.DataFrame:
    """signature_id, leader: the lowest one whose run of rows here is equal, place by place."""
    rows = part.select(COLUMNS).collect()
    runs = rows["signature_id"].rle().struct.unnest()
    if runs["value"].n_unique() < len(runs):
        rows = rows.sort("signature_id", "job_id", nulls_last=True)
        runs = rows["signature_id"].rle().struct.unnest()
    sums = rows.group_by("signature_id").agg(_sums())
    led = runs.select(pl.col("value").alias("signature_id")).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("run"), (runs["len"].cum_sum() - runs["len"]).alias("start")
    ).join(sums, on="signature_id", maintain_order="left").with_columns(
        pl.col("run").first().over("len", "h1", "h2").alias("led_by")
    )  # fmt: skip
    start = led["start"].cast(pl.Int64)
    shift = (start.gather(led["led_by"]) - start).gather(rows["signature_id"].rle_id())
    beside = rows.select(COLUMNS[1:])[pl.int_range(len(rows), dtype=pl.Int64, eager=True) + shift]
    same = pl.all_horizontal(rows[name].eq_missing(beside[name]).alias(name) for name in COLUMNS[1:])
    odd = (
        rows.lazy().select("signature_id", same=same).filter(~pl.col("same")).select("signature_id").unique().collect()
    )
    leader = led["signature_id"].gather(led["led_by"])
    return led.select("signature_id", leader.alias("leader")).with_columns(
        pl.when(pl.col("signature_id").is_in(odd["signature_id"].to_list())).then("signature_id").otherwise("leader")
        .alias("leader")
    )  # fmt: skip
