"""What was asked, when, and how it ended: the ledger that tells empty from failed and lets a fill be taken up again."""

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
"""
_MIRRORED = """
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
_BEGUN = """
SELECT min(covers_from) FROM fetches WHERE repository = ? AND (endpoint = ? OR endpoint LIKE ? || ':%')
    AND (? IS NULL OR covers_from <= ? AND covers_to >= ?)
"""
_HELD = """
SELECT DISTINCT repository, substr(endpoint, 1, instr(endpoint || ':', ':') - 1) AS asked,
    CASE WHEN endpoint = 'pairs' OR endpoint LIKE 'pairs:%' THEN covers_from / 86400 END
FROM fetches WHERE rows > 0 AND fetched_at IS NOT NULL
"""
_FORGET = """
DELETE FROM fetches WHERE repository = ? AND (endpoint = ? OR endpoint LIKE ? || ':%')
    AND (? IS NULL OR covers_from <= ? AND covers_to >= ?)
"""


@dataclass(frozen=True)
class Fetch:
    """One question to the server. `key`: what it was about (a push's id, a page, "" for a whole list).

    `covers_from`, `covers_to`: the span of push times it answers for, epoch seconds. `at`: when it ended. An error
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
class Known:
    """How the last question about something ended; `fetched_at` is the last success, None if there never was one."""

    status: Status
    fetched_at: int | None
    rows: int
    covers_from: int | None
    covers_to: int | None
    reason: str


class Ledger:
    """One SQLite file, for one thread. `exclusive()` is the lock of the whole store among processes."""

    def __init__(self, path: Path) -> None:
        if path.is_symlink():  # SQLite itself follows none to its journals
            raise SymlinkError(path)
        self._path = path
        try:
            # A killed writer leaves a journal, which the next opening rolls back; its lock ends with its process.
            self._base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.executescript(_CREATE + _MIRRORED)
            self._base.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (FORMAT,))
            found = self._base.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        except sqlite3.Error as error:
            raise FileError(
                f"{path} cannot be used as a dataset's ledger: {error}.",
                "Name a store that this program made; if it is damaged, `perf dataset repair` begins a new ledger.",
            ) from error
        if found[0] != FORMAT:
            raise FileError(f"{path.parent} was written by a newer version (format {found[0]}).", "Update ciexplore.")

    @contextlib.contextmanager
    def exclusive(self, cancel: CancelToken) -> Iterator[None]:
        """Alone among all processes with this store; what is recorded inside is kept only if the block ends well."""
        while True:
            try:
                self._base.execute("PRAGMA busy_timeout = 200")
                self._base.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) and "busy" not in str(error):
                    raise FileError(f"The dataset's ledger cannot be written: {error}.") from error
                cancel.sleep(0.02)
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # where the disk is full SQLite has done it
                self._base.execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    def _execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        with self._translated():
            return self._base.execute(statement, values)

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._translated():
            return self._base.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "full" in str(error):
                raise FileError(
                    f"{self._path} cannot be written: no space left on device.", "Free some space, and try again."
                ) from error
            raise FileError(
                f"{self._path}, the dataset's ledger, cannot be used: {error}.",
                f"If it is damaged, `ciexplore perf dataset repair --store {self._path.parent}` begins a new one.",
            ) from error

    @staticmethod
    def is_whole(path: Path) -> bool:
        """Whether SQLite finds nothing wrong with the file."""
        try:
            base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)
            try:
                found = base.execute("PRAGMA quick_check(1)").fetchone()
                tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            finally:
                base.close()
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                return True
            raise FileError(f"{path} cannot be opened: {error}.", "Check its permissions.") from error
        except sqlite3.Error:
            return False
        return bool(found[0] == "ok") and ("meta" in tables or not tables)

    def record(self, fetches: Iterable[Fetch]) -> None:
        """To be called inside `exclusive`."""
        self._many(
            _RECORD,
            (
                (
                    fetch.repository,
                    fetch.endpoint,
                    fetch.key,
                    fetch.status,
                    fetch.covers_from,
                    fetch.covers_to,
                    fetch.rows,
                    None if fetch.status == "error" else fetch.at,
                    fetch.at if fetch.status == "error" else None,
                    fetch.reason,
                )
                for fetch in fetches
            ),
        )

    def _many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        with self._translated():
            self._base.executemany(statement, rows)

    def forget(
        self, repository: str, endpoint: str, covers_from: int | None = None, covers_to: int | None = None
    ) -> int | None:
        """Takes out what is known of an endpoint, with whatever frameworks (of the push times of that span, both
        included, if one is given), so that it is asked for again. Gives the earliest time that it covered. To be called
        inside `exclusive`."""
        values = (repository, endpoint, endpoint, covers_from, covers_to, covers_from)
        begun = self._rows(_BEGUN, values)[0][0]
        self._execute(_FORGET, values)
        return None if begun is None else int(begun)

    def held(self) -> list[tuple[str, str, int | None]]:
        """(repository, endpoint, the day of the values in days since 1970) of all that brought rows."""
        return self._rows(_HELD)

    def note(self, key: str, value: str) -> None:
        """Keeps a small fact, such as a repository's id. To be called inside `exclusive`."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def noted(self, key: str) -> str | None:
        found = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def known(self, repository: str, endpoint: str) -> dict[str, Known]:
        """key -> how it ended, of one endpoint."""
        rows = self._rows(
            "SELECT key, status, fetched_at, rows, covers_from, covers_to, reason FROM fetches "
            "WHERE repository = ? AND endpoint = ?",
            (repository, endpoint),
        )
        return {key: Known(*rest) for key, *rest in rows}

    def summary(self) -> list[tuple[str, str, int, int, int, int | None, int | None, int | None]]:
        """(repository, endpoint, ok, empty, failed, covers from, covers to, last success), one row an endpoint."""
        return self._rows(
            "SELECT repository, endpoint, sum(status = 'ok'), sum(status = 'empty'), sum(status = 'error'), "
            "min(CASE WHEN fetched_at IS NOT NULL THEN covers_from END), "
            "max(CASE WHEN fetched_at IS NOT NULL THEN covers_to END), max(fetched_at) "
            "FROM fetches GROUP BY repository, endpoint ORDER BY repository, endpoint"
        )

    def failures(self) -> list[tuple[str, str, str, int, str]]:
        """(repository, endpoint, key, when, reason) of what failed last time."""
        return self._rows(
            "SELECT repository, endpoint, key, failed_at, reason FROM fetches WHERE status = 'error' "
            "ORDER BY repository, endpoint, key"
        )

    def mirrored(self, url: str) -> dict[str, tuple[int, int]]:
        """path -> (time of change in nanoseconds, bytes) of what was copied to that address."""
        rows = self._rows("SELECT path, changed, size FROM mirrored WHERE url = ?", (url,))
        return {path: (changed, size) for path, changed, size in rows}

    def note_mirrored(self, url: str, files: Iterable[tuple[str, int, int]]) -> None:
        """To be called inside `exclusive`."""
        self._many("INSERT OR REPLACE INTO mirrored VALUES (?, ?, ?, ?)", ((url, *one) for one in files))

    def copied(self) -> bytes:
        """The whole ledger as one file, as of now."""
        return self._base.serialize()

    def close(self) -> None:
        self._base.close()


def now() -> int:
    return int(time.time())
