"""A dataset on disk: hive-partitioned Parquet that any tool reads, and a ledger of what it covers.

    STORE/ledger.sqlite
    STORE/pairs/repository=autoland/day=2026-11-21/rows.parquet
    STORE/jobs/repository=autoland/block=533/rows.parquet
    STORE/signatures/repository=autoland/rows.parquet          pushes, alert_summaries, alerts likewise

Each file is replaced as a whole by a rename, and where a row lies follows from what cannot change about it, so that
whoever reads `STORE/pairs/**/*.parquet` at any moment sees no row twice. The ledger is written after the rows: a
process that is killed between has fetched for nothing, and lost and doubled nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import polars as pl

from backends.atomic import disk_words, open_directory
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.treeherder.datasets.ledger import Fetch, Ledger
from backends.treeherder.datasets.merging import merged
from backends.treeherder.datasets.parquet_files import (
    DamagedDatasetError,
    is_whole,
    polars_words,
    read_parquet,
    write_parquet,
)
from backends.treeherder.datasets.tables import TABLES, Table, place

REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
FILE = "rows.parquet"
LEDGER = "ledger.sqlite"
SHARED = ".shared"  # what `shared_rows` keeps; it follows from the tables
_HINT = "Fill one with `ciexplore perf dataset update --repository R --store DIR`."


class Store:
    """One directory. Several processes may write and read it at once; an object of this class is for one thread."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path.expanduser().absolute()
        if not (self.path / LEDGER).is_file():
            if not create:
                raise UsageError(f"There is no dataset in {path}.", _HINT)
            self._make(path)
        self.ledger = Ledger(self.path / LEDGER)

    def _make(self, path: Path) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            others = [
                entry.name
                for entry in self.path.iterdir()
                if not entry.name.startswith((".", LEDGER))  # a ledger may be lost, and its tables remain
                and not (entry.name in TABLES and any(entry.glob("repository=*")))
            ]
        except OSError as problem:
            raise FileError(f"{path} cannot hold a dataset: {disk_words(problem)}.", "Choose another place.") from None
        if others:
            raise UsageError(f"{path} holds other things and no dataset.", "Name an empty or a new directory.")

    def commit(
        self, repository: str, frames: Mapping[str, pl.DataFrame], fetches: Sequence[Fetch] = (), *, cancel: CancelToken
    ) -> None:
        """Takes the rows in, then notes what was asked. All or, after a kill, some of the rows and none of the notes.

        `frames`: table name -> rows with that table's columns; alerts come with the summaries that list them. Raises
        `FileError`, `OperationCancelledError` (before it began).
        """
        checked(repository)
        with self.ledger.exclusive(cancel):
            for name, rows in frames.items():
                listed = frames["alert_summaries"]["summary_id"] if name == "alerts" else None
                if not rows.is_empty() or listed is not None:
                    self._take_in(TABLES[name], repository, rows, listed)
            self.ledger.record(fetches)

    def _take_in(self, table: Table, repository: str, rows: pl.DataFrame, listed: pl.Series | None = None) -> None:
        home = self.path / table.name / f"repository={repository}"
        by = place(table)
        if by is None:
            self._replace(table, home, rows, listed)
            return
        for (where,), part in rows.with_columns(by.alias("\0place")).group_by(["\0place"], maintain_order=True):
            if where is not None:
                self._replace(table, home / f"{table.within}={where}", part.drop("\0place"))

    def _replace(self, table: Table, home: Path, rows: pl.DataFrame, listed: pl.Series | None = None) -> None:
        target = home / FILE
        old = table.empty()
        self._sweep(home)
        try:
            if target.exists():
                old = read_parquet(target, table)
        except (OSError, pl.exceptions.PolarsError) as problem:
            if isinstance(problem, FileNotFoundError):
                raise FileError(f"{target} cannot be read: {polars_words(problem)}.") from problem
            raise DamagedDatasetError([target], self.path) from problem
        found = merged(table, old, rows, listed)
        if not found.equals(old):
            write_parquet(found, target, below=self.path)

    def _sweep(self, home: Path) -> None:
        """Removes what a writer that was killed left behind: in here we are alone."""
        try:
            directory = open_directory(self.path, home.relative_to(self.path).parts, create=True)
            try:
                with os.scandir(directory) as entries:
                    left = [one.name for one in entries if one.name.startswith(f".{FILE}.")]
                for name in left:
                    if name.endswith(".part"):
                        os.unlink(name, dir_fd=directory)
            finally:
                os.close(directory)
        except OSError as problem:
            raise FileError(
                f"{home} cannot be written to: {disk_words(problem)}.", "Free some space or check its permissions."
            ) from problem

    def files(self, table: str, repository: str | None = None) -> list[Path]:
        return sorted((self.path / table).glob(f"repository={repository or '*'}/**/{FILE}"))

    def lost(self) -> list[Path]:
        """The files that must have been written, by the ledger, and are not there."""
        wanted = set()
        for repository, endpoint, day in self.ledger.held():
            table = TABLES.get({"alerts": "alert_summaries"}.get(endpoint, endpoint))
            if table is None or (endpoint == "pairs" and day is None):
                continue
            home = self.path / table.name / f"repository={repository}"
            if endpoint == "pairs" and day is not None:
                home /= f"{table.within}={datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"
            elif table.within:
                continue  # which blocks its rows lie in the ledger does not say
            wanted.add(home / FILE)
        return sorted(path for path in wanted if not path.exists())

    def scan(self, table: str, repository: str | None = None) -> pl.LazyFrame:
        """The rows of a table with the columns `Table.columns` and `Table.hive`, of all repositories or of one."""
        meant = TABLES[table]
        files = self.files(table, repository)
        if not files:
            return pl.LazyFrame(schema={**meant.columns, **meant.hive()})
        return pl.scan_parquet(
            files,
            hive_partitioning=True,
            hive_schema=meant.hive(),
            schema={**meant.columns, **meant.hive()},
            missing_columns="insert",
            extra_columns="ignore",
        )

    def read(self, table: str, repository: str | None = None) -> pl.DataFrame:
        return self.scan(table, repository).collect()

    def repositories(self) -> list[str]:
        found = {part.name.partition("=")[2] for part in self.path.glob("*/repository=*")}
        return sorted(found | {row[0] for row in self.ledger.summary()})

    def only_repository(self, named: str | None) -> str:
        """The repository that is meant: the named one, else the only one there is. Raises `UsageError`."""
        there = self.repositories()
        if named is not None:
            if named not in there:
                raise UsageError(
                    f"The dataset holds nothing of {named!r}.", f"It has: {', '.join(there) or 'nothing'}."
                )
            return named
        if len(there) != 1:
            what = "several repositories" if there else "nothing yet"
            raise UsageError(f"The dataset holds {what}.", f"Name one: {', '.join(there)}." if there else _HINT)
        return there[0]

    def count(self, table: str, repository: str | None = None) -> int:
        """Rows, from the files' footers."""
        return int(self.scan(table, repository).select(pl.len()).collect().item())

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """What goes wrong while the files are read is said of all files that are to blame. So is what has gone since
        it was fetched, which would be counted as never measured."""
        if lost := self.lost():
            raise DamagedDatasetError(lost, self.path, missing=True)
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
            derived = [path for path in sorted((self.path / SHARED).glob("**/*.parquet")) if not is_whole(path)]
            for path in derived:
                path.unlink(missing_ok=True)
            damaged = [path for name in TABLES for path in self.files(name) if not is_whole(path, TABLES[name])]
            if damaged:
                raise DamagedDatasetError(damaged, self.path) from problem
            if derived:
                raise FileError(
                    f"{derived[0]} was damaged.", "It is removed and will be made anew: try again."
                ) from None
            raise FileError(
                f"The dataset in {self.path} cannot be worked with: {polars_words(problem)}.", "Try again."
            ) from problem

    def version(self) -> tuple[tuple[str, int, int], ...]:
        """Equal as long as no table has changed."""
        return tuple(
            (str(path.relative_to(self.path)), status.st_mtime_ns, status.st_size)
            for name in TABLES
            for path in self.files(name)
            for status in (path.stat(),)
        )

    def by_file(self, table: str, repository: str) -> Iterator[tuple[str, pl.LazyFrame]]:
        """(the day or block, its rows), the newest first."""
        for path in reversed(self.files(table, repository)):
            yield path.parent.name.partition("=")[2], pl.scan_parquet(path, hive_partitioning=False)

    def close(self) -> None:
        self.ledger.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def checked(repository: str) -> str:
    """A repository's name, which becomes a directory's. Raises `UsageError` for what cannot be one."""
    if REPOSITORY.fullmatch(repository) is None:
        raise UsageError(f"{repository[:60]!r} is not a repository's name.", "Write it as Treeherder does: autoland.")
    return repository
