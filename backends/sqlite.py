"""SQLite files that several processes use: WAL, a version, transactions, and what the disk refuses in sentences.

WAL lets others read while one writes; synchronous=FULL means that a committed transaction survives a power cut. A
process that is killed leaves a log beside the file, which the next one to open it replays.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.atomic import SymlinkError, disk_words
from backends.errors import FileError


class DatabaseError(FileError):
    """The file cannot be opened, read or written."""


class DamagedDatabaseError(DatabaseError):
    """The file is there, but it is not a database, or not an intact one."""


class NewerDatabaseError(DatabaseError):
    """The file was written by a newer version of ciexplore."""


class Database:
    """One SQLite file; safe to use from several processes, each thread with an object of its own."""

    def __init__(
        self, path: Path, tables: Sequence[str], *, name: str, hint: str, version: int = 1, wait_seconds: float = 30.0
    ) -> None:
        """Opens the file, created if it is missing, with permissions for its owner only.

        `tables`: statements that create what is missing, run once for each `version` (kept in `user_version`). `name`
        ("The outbox") and `hint` are for errors. `wait_seconds`: how long to wait for other processes' transactions.
        Raises `SymlinkError` for a link to nothing, `NewerDatabaseError`, `DamagedDatabaseError`, `DatabaseError`.
        """
        self.path = path
        self._name, self._hint = name, hint
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink() and not path.exists():  # it may lead anywhere
                raise SymlinkError(path)
            # Created here and not by SQLite, which would let others read it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self.connection = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(tables, version)
            except BaseException:
                self.connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise self.describe(error) from error

    def _prepare(self, tables: Sequence[str], version: int) -> None:
        there = self.connection.execute("PRAGMA user_version").fetchone()[0]
        if there > version:
            raise NewerDatabaseError(f"{self.path} was written by a newer version of ciexplore.", "Update ciexplore.")
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        if there < version:
            with self.transaction():
                for statement in (*tables, f"PRAGMA user_version={version}"):
                    self.connection.execute(statement)

    def close(self) -> None:
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; on the disk when the block ends. Raises `DatabaseError`."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # on a full disk SQLite has rolled back already
                    self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self.describe(error) from error

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a SELECT. Raises `DatabaseError`."""
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self.describe(error) from error

    def describe(self, error: Exception) -> DatabaseError:
        """What the disk or SQLite said, as an error for the user."""
        reason = disk_words(error) if isinstance(error, OSError) else (str(error) or type(error).__name__).lower()
        if "disk is full" in reason:
            reason = "no space left on device"
        # sqlite3.DatabaseError itself means that the file is wrong, its subclasses what the caller or the disk did.
        kind = DamagedDatabaseError if type(error) is sqlite3.DatabaseError else DatabaseError
        return kind(f"{self._name} {self.path} cannot be used: {reason}.", self._hint)
