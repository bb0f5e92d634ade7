"""A dataset on disk: hive-partitioned Parquet that any tool reads, and a log of what was fetched.

    STORE/ledger.sqlite                                        the fetch log
    STORE/pairs/repository=autoland/day=2026-11-21/rows.parquet
    STORE/jobs/repository=autoland/block=533/rows.parquet
    STORE/signatures/repository=autoland/rows.parquet          pushes, alert_summaries, alerts likewise

Each file is replaced by a rename, and the file of a row follows from what never changes about it, so that a reader of
`STORE/pairs/**/*.parquet` sees no row twice at any moment. The log is written after the rows: a process that is killed
between the two has fetched in vain, but lost and doubled nothing.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import polars as pl

from backends.atomic import atomic_file, disk_words, open_directory
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.paths import expand_home, is_file, path_exists
from backends.treeherder.datasets.fetch_log import FetchLog, FetchRecord, is_intact_log
from backends.treeherder.datasets.tables import TABLES, DatasetTable, merge_rows

REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
FILE = "rows.parquet"
FETCH_LOG = "ledger.sqlite"
SHARED = ".shared"  # cache of `signature_groups.shared_rows`, calculated from the tables
DAMAGED = ".damaged"
DAY = 86_400
MAX_NAMED = 3  # damaged files that a sentence names
_HINT = "Fill one with `ciexplore treeherder dataset update --repository R --store DIR`."
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


class DamagedDatasetError(FileError):
    """Files of a dataset cannot be read, or are missing. `files`: all of them."""

    def __init__(self, files: Sequence[Path], store: Path, *, missing: bool = False) -> None:
        named = ", ".join(str(path) for path in files[:MAX_NAMED])
        more = f" and {len(files) - MAX_NAMED:,} more" if len(files) > MAX_NAMED else ""
        verb, them, whose = ("is", "it", "its") if len(files) == 1 else ("are", "them", "their")
        what = f"missing, although {whose} rows were fetched" if missing else "damaged; the other files are intact"
        action = "records that" if missing else f"sets {them} aside"
        command = f"ciexplore treeherder dataset repair --store {store}"
        super().__init__(
            f"{named}{more} {verb} {what}.", f"`{command}` {action}, and the next update fetches {them} again."
        )
        self.files = tuple(files)


class DatasetStore:
    """One directory. Several processes may write and read it at once; an object of this class is for one thread."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = expand_home(path).absolute()
        if not is_file(self.path / FETCH_LOG):
            if not create:
                raise UsageError(f"There is no dataset in {path}.", _HINT)
            self._create(path)
        self.log = FetchLog(self.path / FETCH_LOG)

    def _create(self, path: Path) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            others = [
                entry.name
                for entry in self.path.iterdir()
                if not entry.name.startswith((".", FETCH_LOG))  # the log may be lost while the tables remain
                and not (entry.name in TABLES and any(entry.glob("repository=*")))
            ]
        except OSError as error:
            raise FileError(f"{path} cannot hold a dataset: {disk_words(error)}.", "Choose another place.") from None
        if others:
            raise UsageError(f"{path} holds other files and no dataset.", "Name an empty or a new directory.")

    def commit(
        self,
        repository: str,
        frames: Mapping[str, pl.DataFrame],
        fetches: Sequence[FetchRecord] = (),
        *,
        cancel: CancelToken,
    ) -> None:
        """Merges the rows into the tables, then logs the requests. A kill leaves some of the rows and none of the log.

        `frames`: table name -> rows with that table's columns; alerts come with the summaries that list them. Raises
        `FileError`, `OperationCancelledError` (before it began).
        """
        check_repository(repository)
        with self.log.exclusive(cancel):
            for name, rows in frames.items():
                listed = frames["alert_summaries"]["summary_id"] if name == "alerts" else None
                if not rows.is_empty() or listed is not None:
                    self._merge(TABLES[name], repository, rows, listed)
            self.log.record(fetches)

    def _merge(self, table: DatasetTable, repository: str, rows: pl.DataFrame, listed: pl.Series | None) -> None:
        home = self.path / table.name / f"repository={repository}"
        partition = table.partition()
        if partition is None:
            self._rewrite(table, home, rows, listed)
            return
        for (value,), part in rows.with_columns(partition.alias("\0part")).group_by(["\0part"], maintain_order=True):
            if value is not None:
                self._rewrite(table, home / f"{table.within}={value}", part.drop("\0part"), None)

    def _rewrite(self, table: DatasetTable, home: Path, rows: pl.DataFrame, listed: pl.Series | None) -> None:
        target = home / FILE
        old = table.empty()
        try:
            if target.exists():
                old = read_parquet(target, table)
        except (OSError, pl.exceptions.PolarsError) as error:
            if isinstance(error, FileNotFoundError):
                raise FileError(f"{target} cannot be read: {describe_error(error)}.") from error
            raise DamagedDatasetError([target], self.path) from error
        merged = merge_rows(table, old, rows, listed)
        if not merged.equals(old):
            write_parquet(merged, target, below=self.path)

    def files(self, table: str, repository: str | None = None) -> list[Path]:
        return sorted((self.path / table).glob(f"repository={repository or '*'}/**/{FILE}"))

    def damaged_files(self) -> list[Path]:
        """The files of the tables that cannot be read, in order."""
        return [path for name, table in TABLES.items() for path in self.files(name) if not is_intact(path, table)]

    def missing_files(self) -> list[Path]:
        """The files that must have been written, by the log, and are not there."""
        expected = set()
        for repository, endpoint, day in self.log.with_rows():
            table = TABLES.get({"alerts": "alert_summaries"}.get(endpoint, endpoint))
            if table is None or (table.within == "day" and day is None) or table.within == "block":
                continue  # the log does not say which blocks have rows
            home = self.path / table.name / f"repository={repository}"
            if day is not None:
                home /= f"day={datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%d}"
            expected.add(home / FILE)
        return sorted(path for path in expected if not path.exists())

    def scan(self, table: str, repository: str | None = None) -> pl.LazyFrame:
        """The rows of a table with `DatasetTable.columns` and `hive`, of all repositories or of one."""
        spec = TABLES[table]
        schema = {**spec.columns, **spec.hive()}
        files = self.files(table, repository)
        if not files:
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(
            files,
            hive_partitioning=True,
            hive_schema=spec.hive(),
            schema=schema,
            missing_columns="insert",
            extra_columns="ignore",
        )

    def read(self, table: str, repository: str | None = None) -> pl.DataFrame:
        return self.scan(table, repository).collect()

    def repositories(self) -> list[str]:
        on_disk = {part.name.partition("=")[2] for part in self.path.glob("*/repository=*")}
        return sorted(on_disk | {row[0] for row in self.log.summary()})

    def only_repository(self, name: str | None) -> str:
        """The named repository, or the only one there is. Raises `UsageError`."""
        known = self.repositories()
        if name is not None:
            if name not in known:
                raise UsageError(f"The dataset has no data of {name!r}.", f"It has: {', '.join(known) or 'none yet'}.")
            return name
        if len(known) != 1:
            what = "holds several repositories" if known else "is still empty"
            raise UsageError(f"The dataset {what}.", f"Name one: {', '.join(known)}." if known else _HINT)
        return known[0]

    def count(self, table: str, repository: str | None = None) -> int:
        """Rows, from the files' footers."""
        return int(self.scan(table, repository).select(pl.len()).collect().item())

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turns errors of reading into a `DamagedDatasetError` that names all damaged files, and raises one for files
        that are missing, whose rows would be counted as never measured."""
        if missing := self.missing_files():
            raise DamagedDatasetError(missing, self.path, missing=True)
        try:
            yield
        except _UNREADABLE as error:
            shared = self._remove_damaged_cache()
            if damaged := self.damaged_files():
                raise DamagedDatasetError(damaged, self.path) from error
            if shared:
                raise FileError(f"{shared[0]} was damaged and has been removed.", "Please try again.") from None
            raise FileError(
                f"The dataset in {self.path} cannot be read: {describe_error(error)}.", "Try again."
            ) from error

    def _remove_damaged_cache(self) -> list[Path]:
        damaged = [path for path in sorted((self.path / SHARED).glob("**/*.parquet")) if not is_intact(path)]
        for path in damaged:
            path.unlink(missing_ok=True)
        return damaged

    def by_file(self, table: str, repository: str) -> Iterator[pl.LazyFrame]:
        """The rows of each day or block, the newest first."""
        for path in reversed(self.files(table, repository)):
            yield pl.scan_parquet(path, hive_partitioning=False)

    def close(self) -> None:
        self.log.close()

    def __enter__(self) -> DatasetStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def check_repository(name: str) -> str:
    """The name, which becomes that of a directory. Raises `UsageError` if it cannot be one."""
    if REPOSITORY.fullmatch(name) is None:
        raise UsageError(f"{name[:60]!r} is not a repository's name.", "Write it as Treeherder does: autoland.")
    return name


def write_parquet(rows: pl.DataFrame, target: Path, *, below: Path) -> None:
    """Replaces the file, never through a link below `below`. Raises `FileError`.

    The bytes are made in memory: polars reports a full disk in an error of its own.
    """
    content = io.BytesIO()
    try:
        rows.write_parquet(content, compression="zstd", statistics=True, row_group_size=256_000)
    except (pl.exceptions.PolarsError, MemoryError) as error:
        raise FileError(f"{target} cannot be written: {describe_error(error)}.") from error
    with atomic_file(target, overwrite=True, below=below) as stream:
        stream.write(content.getbuffer())


def read_parquet(path: Path, table: DatasetTable) -> pl.DataFrame:
    """The file's rows with the table's columns: a file of an older version may lack some that are not keys.

    Raises PolarsError or OSError for a file that is damaged or of another kind.
    """
    frame = pl.read_parquet(path, hive_partitioning=False)
    lacking = [name for name in table.columns if name not in frame.columns]
    if missing := [name for name in table.key if name in lacking]:
        raise pl.exceptions.ColumnNotFoundError(f"{missing[0]} is missing")
    empty = [pl.lit(None, table.columns[name]).alias(name) for name in lacking]
    return frame.with_columns(empty).select(pl.col(name).cast(dtype) for name, dtype in table.columns.items())


def is_intact(path: Path, table: DatasetTable | None = None) -> bool:
    try:
        if table is None:
            pl.read_parquet(path, hive_partitioning=False)
        else:
            read_parquet(path, table)
    except _UNREADABLE:
        return False
    return True


def describe_error(error: BaseException) -> str:
    """An error of polars or the system, as part of a sentence."""
    if isinstance(error, OSError):
        return disk_words(error)
    if "os error 28" in str(error):
        return "no space left on device"
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    return next(iter(str(error).splitlines()), "").strip()[:200] or type(error).__name__


@contextlib.contextmanager
def _directory(store: Path, path: Path, *, create: bool = False) -> Iterator[int]:
    """A descriptor of a directory below the store, reached through no link."""
    descriptor = open_directory(store, path.relative_to(store).parts, create=create)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class RepairedFile:
    """A file that was damaged or missing. `name`, `moved_to`: below the store; `refetched`: what the next update
    fetches in its place."""

    name: str
    moved_to: str
    refetched: str
    missing: bool = False


def repair(path: Path, cancel: CancelToken) -> list[RepairedFile]:
    """Sets damaged files of the dataset aside and removes them from the log, so that the next update fetches what they
    held. Asks no server. Raises `FileError`, `UsageError`, `OperationCancelledError`.

    First the log is changed, then the file is moved: a process that is killed between the two leaves a file that is
    still damaged and found again.
    """
    path = expand_home(path).absolute()
    if not any(path_exists(path / name) for name in (FETCH_LOG, *TABLES)):
        raise UsageError(f"There is no dataset in {path}.", "Name the directory of one.")
    done = []
    if (path / FETCH_LOG).exists() and not is_intact_log(path / FETCH_LOG):
        done.append(_set_aside(path, path / FETCH_LOG, "everything: the log said what was fetched; no row is lost"))
        for suffix in ("-wal", "-shm"):
            (path / f"{FETCH_LOG}{suffix}").unlink(missing_ok=True)
    with DatasetStore(path, create=True) as store:
        damaged, missing = store.damaged_files(), store.missing_files()
        with store.log.exclusive(cancel):
            for file in missing:
                name = file.relative_to(path)
                done.append(RepairedFile(name.as_posix(), "", _forget(store.log, name), missing=True))
            refetched = {file: _forget(store.log, file.relative_to(path)) for file in damaged}
        with store.log.exclusive(cancel):
            for file in damaged:
                if not is_intact(file, TABLES[file.relative_to(path).parts[0]]):
                    done.append(_set_aside(path, file, refetched[file]))
        for file in store._remove_damaged_cache():
            done.append(
                RepairedFile(file.relative_to(path).as_posix(), "", "nothing: it is calculated from the others")
            )
    return done


def _forget(log: FetchLog, name: Path) -> str:
    """Removes the file's contents from the log; returns what will be fetched again, in words. Inside `exclusive`."""
    table, repository = name.parts[0], name.parts[1].partition("=")[2]
    if table == "pairs":
        day = datetime.fromisoformat(name.parts[2].partition("=")[2]).replace(tzinfo=UTC)
        first = int(day.timestamp())
        for endpoint in ("pairs", "submit_times", "digits"):
            log.forget(repository, endpoint, first, first + DAY - 1)
        return f"the values of {day:%Y-%m-%d}{_since(first)}; those of jobs that have expired since come without jobs"
    if table == "jobs":
        return "the details of the jobs that `--jobs` selects (sample, all)"
    earliest = log.forget(repository, "alerts" if table == "alert_summaries" else table)
    return f"all {table.replace('_', ' ')}{'' if earliest is None else _since(earliest)}"


def _since(seconds: int) -> str:
    return f" (update with --since {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d} or earlier)"


def _set_aside(store: Path, path: Path, refetched: str) -> RepairedFile:
    name = path.relative_to(store).as_posix()
    target = f"{name.replace('/', '+')}.{secrets.token_hex(4)}"
    try:
        with (
            _directory(store, path.parent) as source,
            _directory(store, store / DAMAGED, create=True) as destination,
        ):
            os.rename(path.name, target, src_dir_fd=source, dst_dir_fd=destination)
    except OSError as error:
        raise FileError(
            f"{path} cannot be set aside: {describe_error(error)}.", "Free some space or check its permissions."
        ) from error
    return RepairedFile(name, f"{DAMAGED}/{target}", refetched)
