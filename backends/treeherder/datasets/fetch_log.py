"""The fetch log of a dataset: what was requested when, and how it ended.

It tells "empty" from "failed", and lets an interrupted update resume.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backends.atomic import SymlinkError
from backends.cancel import CancelToken
from backends.errors import FileError

Status = Literal["ok", "empty", "error"]
FORMAT = "1"
_CREATE = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fetches (
    repository TEXT NOT NULL, endpoint TEXT NOT NULL, key TEXT NOT NULL,
    status TEXT NOT NULL, covers_from INTEGER, covers_to INTEGER, rows INTEGER NOT NULL DEFAULT 0,
    fetched_at INTEGER, failed_at INTEGER, reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (repository, endpoint, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mirrored (
    url TEXT NOT NULL, path TEXT NOT NULL, changed INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (url, path)
) WITHOUT ROWID;
"""
_RECORD = """
INSERT INTO fetches (repository, endpoint, key, status, covers_from, covers_to, rows, fetched_at, failed_at, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (repository, endpoint, key) DO UPDATE SET
    status = excluded.status,
    covers_from = coalesce(excluded.covers_from, covers_from), covers_to = coalesce(excluded.covers_to, covers_to),
    rows = CASE WHEN excluded.status = 'error' THEN rows ELSE excluded.rows END,
    fetched_at = coalesce(excluded.fetched_at, fetched_at),
    failed_at = excluded.failed_at, reason = excluded.reason
"""
_OF_ENDPOINT = """
FROM fetches WHERE repository = ? AND (endpoint = ? OR endpoint LIKE ? || ':%')
    AND (? IS NULL OR covers_from <= ? AND covers_to >= ?)
"""
_WITH_ROWS = """
SELECT DISTINCT repository, substr(endpoint, 1, instr(endpoint || ':', ':') - 1),
    CASE WHEN endpoint = 'pairs' OR endpoint LIKE 'pairs:%' THEN covers_from / 86400 END
FROM fetches WHERE rows > 0 AND fetched_at IS NOT NULL
"""
_SUMMARY = """
SELECT repository, endpoint, sum(status = 'ok'), sum(status = 'empty'), sum(status = 'error'),
    min(CASE WHEN fetched_at IS NOT NULL THEN covers_from END),
    max(CASE WHEN fetched_at IS NOT NULL THEN covers_to END), max(fetched_at)
FROM fetches GROUP BY repository, endpoint ORDER BY repository, endpoint
"""


@dataclass(frozen=True)
class FetchRecord:
    """One request. `key`: what it was about (a push id, a framework and day; "" for a complete list).

    `covers_from`, `covers_to`: the span of push times that it answers for, epoch seconds. `at`: when it ended. An error
    keeps what an earlier success had covered.
    """

    repository: str
    endpoint: str
    key: str
    status: Status
    at: int
    rows: int = 0
    covers_from: int | None = None
    covers_to: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class FetchOutcome:
    """How the last request about something ended; `fetched_at` is the last success, None if there was none."""

    status: Status
    fetched_at: int | None
    rows: int
    covers_from: int | None
    covers_to: int | None
    reason: str


def extend_coverage(last: FetchOutcome | None, since: int, until: int) -> tuple[int, int]:
    """The span that is covered after a success from `since` to `until`, adjacent to what `last` covers."""
    bounds = [since, until, *((last.covers_from, last.covers_to) if last is not None else ())]
    known = [bound for bound in bounds if bound is not None]
    return min(known), max(known)


class FetchLog:
    """One SQLite file, for one thread. `exclusive()` is the lock of the store among processes."""

    def __init__(self, path: Path) -> None:
        if path.is_symlink():  # SQLite itself follows none to its journals
            raise SymlinkError(path)
        self._path = path
        try:
            # A killed writer leaves a journal, which the next opening rolls back; its lock ends with its process.
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_CREATE)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (FORMAT,))
            version = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()[0]
        except sqlite3.Error as error:
            raise FileError(
                f"{path} cannot be used as the fetch log of a dataset: {error}.",
                "Name a store that this program made; `ciexplore treeherder dataset repair` replaces a damaged log.",
            ) from error
        if version != FORMAT:
            raise FileError(f"{path.parent} was written by a newer version (format {version}).", "Update ciexplore.")

    @contextlib.contextmanager
    def exclusive(self, cancel: CancelToken) -> Iterator[None]:
        """Locks the store against all other processes; changes are rolled back if the block raises."""
        while True:
            try:
                self._db.execute("PRAGMA busy_timeout = 200")
                self._db.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) and "busy" not in str(error):
                    raise FileError(f"The fetch log of the dataset cannot be written: {error}.") from error
                cancel.sleep(0.02)
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # if the disk is full SQLite has done it
                self._db.execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    def _execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._translate_errors():
            return self._db.execute(statement, values).fetchall()

    def _execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        with self._translate_errors():
            self._db.executemany(statement, rows)

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "full" in str(error):
                raise FileError(
                    f"{self._path} cannot be written: no space left on device.", "Free some space, and try again."
                ) from error
            raise FileError(
                f"{self._path}, the fetch log of the dataset, cannot be used: {error}.",
                f"Start a new one with `ciexplore treeherder dataset repair --store {self._path.parent}`.",
            ) from error

    def record(self, fetches: Iterable[FetchRecord]) -> None:
        """Adds the records, or replaces those of the same key. To be called inside `exclusive`."""

        def row(fetch: FetchRecord) -> tuple[object, ...]:
            succeeded, failed = (None, fetch.at) if fetch.status == "error" else (fetch.at, None)
            what = (fetch.repository, fetch.endpoint, fetch.key, fetch.status)
            return (*what, fetch.covers_from, fetch.covers_to, fetch.rows, succeeded, failed, fetch.reason)

        self._execute_many(_RECORD, map(row, fetches))

    def forget(
        self, repository: str, endpoint: str, covers_from: int | None = None, covers_to: int | None = None
    ) -> int | None:
        """Deletes the records of an endpoint, for all frameworks, so that it is fetched again; of a span of push times
        (both ends included) if one is given. Returns the earliest time that they covered. To be called inside
        `exclusive`."""
        values = (repository, endpoint, endpoint, covers_from, covers_to, covers_from)
        earliest = self._execute(f"SELECT min(covers_from) {_OF_ENDPOINT}", values)[0][0]
        self._execute(f"DELETE {_OF_ENDPOINT}", values)
        return None if earliest is None else int(earliest)

    def with_rows(self) -> list[tuple[str, str, int | None]]:
        """(repository, endpoint, day of the measurements in days since 1970) of everything that brought rows."""
        return self._execute(_WITH_ROWS)

    def set_fact(self, key: str, value: str) -> None:
        """Stores a small fact, e.g. a repository's id. To be called inside `exclusive`."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def fact(self, key: str) -> str | None:
        rows = self._execute("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def outcomes(self, repository: str, endpoint: str) -> dict[str, FetchOutcome]:
        """Key -> how it ended, for one endpoint."""
        rows = self._execute(
            "SELECT key, status, fetched_at, rows, covers_from, covers_to, reason FROM fetches "
            "WHERE repository = ? AND endpoint = ?",
            (repository, endpoint),
        )
        return {key: FetchOutcome(*rest) for key, *rest in rows}

    def summary(self) -> list[tuple[str, str, int, int, int, int | None, int | None, int | None]]:
        """(repository, endpoint, ok, empty, failed, covers from, covers to, last success), one row per endpoint."""
        return self._execute(_SUMMARY)

    def failures(self) -> list[tuple[str, str, str, int, str]]:
        """(repository, endpoint, key, when, reason) of what failed last time."""
        return self._execute(
            "SELECT repository, endpoint, key, failed_at, reason FROM fetches WHERE status = 'error' "
            "ORDER BY repository, endpoint, key"
        )

    def mirrored_files(self, url: str) -> dict[str, tuple[int, int]]:
        """Path -> (time of change in nanoseconds, bytes) of what was copied to that URL."""
        rows = self._execute("SELECT path, changed, size FROM mirrored WHERE url = ?", (url,))
        return {path: (changed, size) for path, changed, size in rows}

    def record_mirrored(self, url: str, path: str, changed: int, size: int) -> None:
        """To be called inside `exclusive`."""
        self._execute("INSERT OR REPLACE INTO mirrored VALUES (?, ?, ?, ?)", (url, path, changed, size))

    def serialize(self) -> bytes:
        """The complete log as one file, as of now."""
        return self._db.serialize()

    def close(self) -> None:
        self._db.close()


def is_intact_log(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file. Raises `FileError` if it cannot be opened."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as db:
            check = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return True
        raise FileError(f"{path} cannot be opened: {error}.", "Check its permissions.") from error
    except sqlite3.Error:
        return False
    return bool(check == "ok") and ("meta" in tables or not tables)


def now() -> int:
    return int(time.time())
