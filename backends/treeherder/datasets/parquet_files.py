"""Reading and writing the Parquet files of a store: what polars says becomes a sentence about a file here, once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from backends.atomic import atomic_file, disk_words
from backends.errors import FileError
from backends.treeherder.datasets.tables import Table

TOLD = 3  # damaged files that a sentence names


class DamagedDatasetError(FileError):
    """Files of a dataset cannot be read, or are no longer there. `files`: all of them."""

    def __init__(self, files: Sequence[Path], store: Path, *, missing: bool = False) -> None:
        named = ", ".join(str(path) for path in files[:TOLD])
        more = f" and {len(files) - TOLD:,} more" if len(files) > TOLD else ""
        verb, them, whose = ("is", "it", "its") if len(files) == 1 else ("are", "them", "their")
        what = f"missing, although {whose} rows were fetched" if missing else "damaged; the other files are whole"
        done = "notes that" if missing else f"sets {them} aside"
        super().__init__(
            f"{named}{more} {verb} {what}.",
            f"`ciexplore perf dataset repair --store {store}` {done}, and the next update fetches {them} again.",
        )
        self.files = tuple(files)


def write_parquet(rows: pl.DataFrame, target: Path, *, below: Path) -> None:
    """Writes a file that replaces the one there, never through a link below `below`. Raises `FileError`.

    The bytes are made in memory: polars, writing to a disk that is full, says so in an error of its own.
    """
    made = io.BytesIO()
    try:
        rows.write_parquet(made, compression="zstd", statistics=True, row_group_size=256_000)
    except (pl.exceptions.PolarsError, MemoryError) as problem:
        raise FileError(f"{target} cannot be written: {polars_words(problem)}.") from problem
    with atomic_file(target, overwrite=True, below=below) as stream:
        stream.write(made.getbuffer())


def read_parquet(path: Path, table: Table) -> pl.DataFrame:
    """The file's rows with the table's columns: one of an older version may lack some that are no key.

    Raises PolarsError, or OSError, for a file that is damaged or of something else.
    """
    frame = pl.read_parquet(path, hive_partitioning=False)
    lacking = [name for name in table.columns if name not in frame.columns]
    if missing := [name for name in table.key if name in lacking]:
        raise pl.exceptions.ColumnNotFoundError(f"{missing[0]} is missing")
    empty = [pl.lit(None, table.columns[name]).alias(name) for name in lacking]
    return frame.with_columns(empty).select(pl.col(name).cast(dtype) for name, dtype in table.columns.items())


def is_whole(path: Path, table: Table | None = None) -> bool:
    try:
        if table is None:
            pl.read_parquet(path, hive_partitioning=False)
        else:
            read_parquet(path, table)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return False
    return True


def polars_words(problem: BaseException) -> str:
    """What polars or the system said, as part of a sentence."""
    if isinstance(problem, OSError):
        return disk_words(problem)
    if "os error 28" in str(problem):
        return "no space left on device"
    if isinstance(problem, MemoryError):
        return "there is not enough memory"
    return next(iter(str(problem).splitlines()), "").strip()[:200] or type(problem).__name__
