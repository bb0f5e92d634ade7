"""What has been queued for publishing and what became of it; a killed program loses nothing of it.

SQLite in WAL mode, every change committed to the disk: queued -> sending -> acknowledged | returned | failed, and back
to queued by a retry. What is `sending` while nobody sends was cut off: whether it arrived is unknown, so it is sent
again under the same job id. At least once, and idempotent by job id; not exactly once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from backends.atomic import SymlinkError, disk_words
from backends.errors import AppError, FileError

NAME = "outbox.sqlite"
_BUSY_SECONDS = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL, destination TEXT NOT NULL, routing_key TEXT NOT NULL,
    job TEXT NOT NULL, project TEXT NOT NULL, symbol TEXT NOT NULL, file TEXT NOT NULL,
    body BLOB NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, words TEXT NOT NULL DEFAULT '',
    queued REAL NOT NULL, changed REAL NOT NULL,
    UNIQUE (destination, job, digest)
)
"""
_INDEX = "CREATE INDEX IF NOT EXISTS by_state ON jobs (state, route, destination)"


class State(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    ACKNOWLEDGED = "acknowledged"  # the other side has it, and said so
    RETURNED = "returned"  # the other side answered, and did nothing with it: nobody is bound, no push is known
    FAILED = "failed"  # the other side refused it
    CANCELLED = "cancelled"


class Sender(AppError):
    """Another ciexplore is publishing from this outbox."""


@dataclass(frozen=True)
class Letter:
    """What is to be sent. `destination`: exchange or server, never with a secret in it."""

    route: str
    destination: str
    routing_key: str
    job: str
    project: str
    symbol: str
    file: str
    body: Any = field(repr=False)

    @property
    def content(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@dataclass(frozen=True)
class Claimed:
    """A letter that we are about to send. `content` is its JSON."""

    number: int
    job: str
    project: str
    routing_key: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """What became of a letter, and the other side's words."""

    number: int
    state: State
    words: str = ""


class Outbox:
    """One database file; safe to use from several processes, each thread with an object of its own."""

    def __init__(self, path: Path) -> None:
        """Raises `FileError` where the file cannot be made or is none of ours."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Made by us before SQLite sees it: job data may name what is not public.
            if path.is_symlink() and not path.exists():  # it may lead anywhere
                raise SymlinkError(path)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_TABLE)
            self._db.execute(_INDEX)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # where the disk is full SQLite has done it
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def add(self, letters: Iterable[Letter]) -> tuple[int, int]:
        """Queues what is not there yet; gives (queued, already there). All or nothing, on the disk when it returns.

        The same content for the same job and destination is there once: what was acknowledged stays so, what was
        returned, failed or cancelled is queued again.
        """
        queued = present = 0
        now = time.time()
        with self._change() as db:
            for one in letters:
                content = one.content
                digest = hashlib.sha256(content).hexdigest()
                row = db.execute(
                    "SELECT id, state FROM jobs WHERE destination = ? AND job = ? AND digest = ?",
                    (one.destination, one.job, digest),
                ).fetchone()
                if row is None:
                    db.execute(
                        "INSERT INTO jobs (route, destination, routing_key, job, project, symbol, file, body, digest,"
                        " state, queued, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
                        (
                            one.route,
                            one.destination,
                            one.routing_key,
                            one.job,
                            one.project,
                            one.symbol,
                            one.file,
                            content,
                            digest,
                            now,
                            now,
                        ),
                    )
                    queued += 1
                elif row[1] in _AGAIN:
                    self._set(db, row[0], State.QUEUED, "", now)
                    queued += 1
                else:
                    present += 1
        return queued, present

    def claim(self, route: str, destination: str, most: int) -> list[Claimed]:
        """The next letters in the order of queueing, now `sending`; only the holder of `sending()` may ask."""
        now = time.time()
        with self._change() as db:
            rows = db.execute(
                "SELECT id, job, project, routing_key, body FROM jobs WHERE state = 'queued' AND route = ? AND"
                " destination = ? ORDER BY id LIMIT ?",
                (route, destination, most),
            ).fetchall()
            db.executemany(
                "UPDATE jobs SET state = 'sending', attempts = attempts + 1, changed = ? WHERE id = ?",
                [(now, row[0]) for row in rows],
            )
        return [Claimed(number, job, project, key, bytes(body)) for number, job, project, key, body in rows]

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        now = time.time()
        with self._change() as db:
            for one in outcomes:
                self._set(db, one.number, one.state, one.words, now)

    @contextlib.contextmanager
    def sending(self) -> Iterator[int]:
        """The right to send; gives how many letters an earlier sender left behind unsettled, now queued again.

        Raises `Sender` while another process has it. The lock is the system's: it ends with the process.
        """
        name = self.path.with_suffix(".lock")
        try:
            lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if name.is_symlink():
                raise SymlinkError(name) from error
            raise _unusable(name, error) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Sender("Another ciexplore is publishing from this outbox.", "Wait until it is done.") from None
            yield self.recover()
        finally:
            os.close(lock)

    def recover(self) -> int:
        words = "was cut off while it was sent; sent again under the same id"
        with self._change() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = 'queued', words = ?, changed = ? WHERE state = 'sending'", (words, time.time())
            )
            return cursor.rowcount

    def retry(self, numbers: Sequence[int]) -> int:
        """Queues again what was returned, failed or cancelled; gives how many."""
        return self._move(numbers, _AGAIN, State.QUEUED)

    def cancel(self, numbers: Sequence[int]) -> int:
        """Takes back what has not been acknowledged and is not under way; gives how many."""
        return self._move(numbers, (State.QUEUED, State.RETURNED, State.FAILED), State.CANCELLED)

    def forget(self, numbers: Sequence[int]) -> int:
        """Removes what is done with: acknowledged or cancelled; gives how many."""
        removed = 0
        with self._change() as db:
            for number in numbers:
                removed += db.execute(
                    "DELETE FROM jobs WHERE id = ? AND state IN ('acknowledged', 'cancelled')", (number,)
                ).rowcount
        return removed

    def _move(self, numbers: Sequence[int], states: Sequence[State], to: State) -> int:
        moved, now = 0, time.time()
        with self._change() as db:
            for number in numbers:
                row = db.execute("SELECT state FROM jobs WHERE id = ?", (number,)).fetchone()
                if row is not None and row[0] in states:
                    self._set(db, number, to, "", now)
                    moved += 1
        return moved

    @staticmethod
    def _set(db: sqlite3.Connection, number: int, state: State, words: str, now: float) -> None:
        db.execute("UPDATE jobs SET state = ?, words = ?, changed = ? WHERE id = ?", (str(state), words, now, number))

    def counts(self) -> dict[str, int]:
        """State -> how many."""
        return dict(self._rows("SELECT state, count(*) FROM jobs GROUP BY state"))

    def waiting(self) -> list[tuple[str, str, int]]:
        """(route, destination, how many) of what is queued."""
        return self._rows(
            "SELECT route, destination, count(*) FROM jobs WHERE state IN ('queued', 'sending')"
            " GROUP BY route, destination ORDER BY min(id)"
        )

    def rows(self, since: float = 0.0) -> list[tuple[Any, ...]]:
        """(id, state, job, symbol, project, route, destination, routing_key, attempts, words, queued, changed, file,
        bytes) of what changed at or after `since`, oldest first; times are seconds since 1970."""
        return self._rows(
            "SELECT id, state, job, symbol, project, route, destination, routing_key, attempts, words, queued, changed,"
            " file, length(body) FROM jobs WHERE changed >= ? ORDER BY id",
            (since,),
        )

    def body(self, number: int) -> Any:
        """The job as it is sent, None if it is not there any more."""
        found = self._rows("SELECT body FROM jobs WHERE id = ?", (number,))
        return json.loads(bytes(found[0][0])) if found else None

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error


_AGAIN = (State.RETURNED, State.FAILED, State.CANCELLED)


def _unusable(path: Path, error: Exception) -> FileError:
    words = disk_words(error) if isinstance(error, OSError) else (str(error) or type(error).__name__).lower()
    if "disk is full" in words:
        words = "no space left on device"
    return FileError(
        f"The outbox {path} cannot be used: {words}.",
        "Free some space, or choose another place with CIEXPLORE_STATE_DIR; move the file away if it is damaged.",
    )
