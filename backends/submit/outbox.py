"""The outbox: messages that are queued for publishing, what became of them, and how they are sent.

A SQLite file in which every change is on the disk before it takes effect: queued -> sending -> acknowledged | returned
| failed, and back to queued by a retry. What is `sending` while nobody sends was interrupted: whether it arrived is
unknown, so it is sent again under the same job id. At least once, idempotent by job id; not exactly once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from backends.atomic import SymlinkError
from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import AppError
from backends.http.backoff import backoff_delays
from backends.sqlite import Database

NAME = "outbox.sqlite"
_TABLES = (
    """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL, destination TEXT NOT NULL, routing_key TEXT NOT NULL,
    job TEXT NOT NULL, project TEXT NOT NULL, symbol TEXT NOT NULL, file TEXT NOT NULL,
    body BLOB NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, words TEXT NOT NULL DEFAULT '',
    queued REAL NOT NULL, changed REAL NOT NULL,
    UNIQUE (destination, job, digest)
)
""",
    "CREATE INDEX IF NOT EXISTS by_state ON jobs (state, route, destination)",
)


class MessageState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    ACKNOWLEDGED = "acknowledged"  # the receiver confirmed that it has it
    RETURNED = "returned"  # the receiver replied, and did nothing with it: nobody is bound, no push is known
    FAILED = "failed"  # the receiver refused it
    CANCELLED = "cancelled"


_RETRYABLE = (MessageState.RETURNED, MessageState.FAILED, MessageState.CANCELLED)
_CANCELLABLE = (MessageState.QUEUED, MessageState.RETURNED, MessageState.FAILED)


class OutboxBusyError(AppError):
    """Another ciexplore is publishing from this outbox."""


class PublisherError(AppError):
    """The receiver cannot be used as it is configured: wrong password, missing exchange, no right to publish."""

    exit_code = 3


class ConnectionLostError(PublisherError):
    """The connection failed; whether what was being sent has arrived is unknown. Trying again may help."""


@dataclass(frozen=True)
class Message:
    """What is to be sent. `route`: pulse or hawk; `destination`: exchange or server, never with a secret in it."""

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
class ClaimedMessage:
    """A message that we are about to send. `content` is its JSON."""

    number: int
    job: str
    project: str
    routing_key: str
    content: bytes = field(repr=False)


class OutboxRow(NamedTuple):
    """A message without its body. `words`: what the receiver said; times in seconds since 1970, `size` in bytes."""

    number: int
    state: str
    job: str
    symbol: str
    project: str
    route: str
    destination: str
    routing_key: str
    attempts: int
    words: str
    queued: float
    changed: float
    file: str
    size: int


class Outbox:
    """One database file; safe to use from several processes, each thread with an object of its own."""

    def __init__(self, path: Path) -> None:
        """Raises `FileError` where the file cannot be created or is not an outbox."""
        self.path = path
        hint = "Free disk space, or set CIEXPLORE_STATE_DIR to another directory; if it is damaged, move the file away."
        self.database = Database(path, _TABLES, name="The outbox", hint=hint)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, messages: Iterable[Message]) -> tuple[int, int]:
        """Queues what is not there yet; returns (queued, already there). All or nothing, on the disk when it returns.

        The same content for the same job and destination is there once: what was acknowledged stays so, what was
        returned, failed or cancelled is queued again.
        """
        queued = present = 0
        now = time.time()
        with self.database.transaction() as db:
            for message in messages:
                content = message.content
                digest = hashlib.sha256(content).hexdigest()
                row = db.execute(
                    "SELECT id, state FROM jobs WHERE destination = ? AND job = ? AND digest = ?",
                    (message.destination, message.job, digest),
                ).fetchone()
                if row is not None and row[1] not in _RETRYABLE:
                    present += 1
                    continue
                queued += 1
                if row is not None:
                    db.execute("UPDATE jobs SET state = 'queued', words = '', changed = ? WHERE id = ?", (now, row[0]))
                    continue
                db.execute(
                    "INSERT INTO jobs (route, destination, routing_key, job, project, symbol, file, body, digest,"
                    " state, queued, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
                    (
                        *(message.route, message.destination, message.routing_key, message.job, message.project),
                        *(message.symbol, message.file, content, digest, now, now),
                    ),
                )
        return queued, present

    def claim(self, route: str, destination: str, limit: int) -> list[ClaimedMessage]:
        """The next messages in the order of queueing, now `sending`; only the holder of `sending()` may call it."""
        with self.database.transaction() as db:
            rows = db.execute(
                "SELECT id, job, project, routing_key, body FROM jobs WHERE state = 'queued' AND route = ? AND"
                " destination = ? ORDER BY id LIMIT ?",
                (route, destination, limit),
            ).fetchall()
            db.executemany(
                "UPDATE jobs SET state = 'sending', attempts = attempts + 1, changed = ? WHERE id = ?",
                [(time.time(), row[0]) for row in rows],
            )
        return [ClaimedMessage(number, job, project, key, bytes(body)) for number, job, project, key, body in rows]

    def record(self, results: Sequence[tuple[int, MessageState, str]]) -> None:
        """What became of messages: (number, state, what the receiver said)."""
        now = time.time()
        with self.database.transaction() as db:
            db.executemany(
                "UPDATE jobs SET state = ?, words = ?, changed = ? WHERE id = ?",
                [(str(state), words, now, number) for number, state, words in results],
            )

    @contextlib.contextmanager
    def sending(self) -> Iterator[int]:
        """The right to send; yields how many messages an earlier sender left in `sending`, now queued again.

        Raises `OutboxBusyError` while another process has it. The lock is the kernel's: it ends with the process.
        """
        name = self.path.with_suffix(".lock")
        try:
            lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise (SymlinkError(name) if name.is_symlink() else self.database.describe(error)) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OutboxBusyError(
                    "Another ciexplore is publishing from this outbox.", "Wait until it has finished."
                ) from None
            yield self.requeue_interrupted()
        finally:
            os.close(lock)

    def requeue_interrupted(self) -> int:
        words = "interrupted while it was sent; sent again under the same id"
        with self.database.transaction() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = 'queued', words = ?, changed = ? WHERE state = 'sending'", (words, time.time())
            )
            return cursor.rowcount

    def retry(self, numbers: Sequence[int]) -> int:
        """Queues again what was returned, failed or cancelled; returns how many."""
        return self._move(numbers, _RETRYABLE, MessageState.QUEUED)

    def cancel(self, numbers: Sequence[int]) -> int:
        """Cancels what is neither acknowledged nor being sent; returns how many."""
        return self._move(numbers, _CANCELLABLE, MessageState.CANCELLED)

    def _move(self, numbers: Sequence[int], states: Sequence[MessageState], to: MessageState) -> int:
        allowed = ", ".join(f"'{state}'" for state in states)
        query = f"UPDATE jobs SET state = ?, words = '', changed = ? WHERE id = ? AND state IN ({allowed})"  # noqa: S608
        now = time.time()
        with self.database.transaction() as db:
            return sum(db.execute(query, (str(to), now, number)).rowcount for number in numbers)

    def forget(self, numbers: Sequence[int]) -> int:
        """Removes what is acknowledged or cancelled; returns how many."""
        query = "DELETE FROM jobs WHERE id = ? AND state IN ('acknowledged', 'cancelled')"
        with self.database.transaction() as db:
            return sum(db.execute(query, (number,)).rowcount for number in numbers)

    def counts(self) -> dict[str, int]:
        """State -> how many."""
        return dict(self.database.rows("SELECT state, count(*) FROM jobs GROUP BY state"))

    def waiting(self, destination: str) -> int:
        """How many messages for that destination are queued."""
        query = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'sending') AND destination = ?"
        return int(self.database.rows(query, (destination,))[0][0])

    def rows(self, since: float = 0.0) -> list[OutboxRow]:
        """What changed at or after `since` (seconds since 1970), oldest first."""
        rows = self.database.rows(
            "SELECT id, state, job, symbol, project, route, destination, routing_key, attempts, words, queued, changed,"
            " file, length(body) FROM jobs WHERE changed >= ? ORDER BY id",
            (since,),
        )
        return [OutboxRow(*row) for row in rows]

    def body(self, number: int) -> Any:
        """The job as it is sent, None if it is no longer there."""
        rows = self.database.rows("SELECT body FROM jobs WHERE id = ?", (number,))
        return json.loads(bytes(rows[0][0])) if rows else None


def open_outbox(settings: Settings) -> Outbox:
    return Outbox(settings.state_path / NAME)


# Sending what is queued, persistently, so that a broker that restarts costs nothing but time.

PATIENCE = 60.0  # seconds without any progress until we give up; what is left stays queued
_FLUSH_COUNT = 64
_FLUSH_SECONDS = 0.25  # a kill costs at most the results since then: those messages are sent again under the same id
Tell = Callable[[str], None]


@dataclass(frozen=True)
class PublishResult:
    """How many messages of one run ended how. `resumed`: left by an earlier run; `doubtful`: sent again because the
    connection failed."""

    acknowledged: int = 0
    returned: int = 0
    failed: int = 0
    resumed: int = 0
    doubtful: int = 0

    @property
    def sentence(self) -> str:
        parts = [f"{self.acknowledged:,} acknowledged"]
        parts += [f"{self.returned:,} returned"] if self.returned else []
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.resumed:,} resumed from an earlier run"] if self.resumed else []
        parts += [f"{self.doubtful:,} sent again after the connection failed"] if self.doubtful else []
        return ", ".join(parts) + "."


class DeliverySession:
    """What a publisher takes messages from and reports their results to; results are stored in batches."""

    def __init__(self, outbox: Outbox, route: str, destination: str, tell: Tell) -> None:
        self._outbox, self._route, self._destination, self.tell = outbox, route, destination, tell
        self._results: list[tuple[int, MessageState, str]] = []
        self._flushed = self.progressed = time.monotonic()
        self.counts: Counter[MessageState] = Counter()

    def take(self, limit: int) -> list[ClaimedMessage]:
        return self._outbox.claim(self._route, self._destination, limit)

    def report(self, message: ClaimedMessage, state: MessageState, words: str = "") -> None:
        self._results.append((message.number, state, words))
        self.counts[state] += 1
        self.progressed = time.monotonic()
        if len(self._results) >= _FLUSH_COUNT or self.progressed - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        results, self._results = self._results, []
        if results:
            self._outbox.record(results)
            self.tell(f"{self.counts.total():,} sent")
        self._flushed = time.monotonic()


def split_batches(messages: Iterable[ClaimedMessage], *, by_project: bool = False) -> Iterator[list[ClaimedMessage]]:
    """In the order of queueing, no job twice in a batch: receivers may take a batch in any order, and the states of one
    job must arrive in theirs. `by_project`: and only one project in a batch."""
    batch: list[ClaimedMessage] = []
    for message in messages:
        other_project = by_project and batch and message.project != batch[0].project
        if other_project or message.job in {one.job for one in batch}:
            yield batch
            batch = []
        batch.append(message)
    if batch:
        yield batch


class Publisher(ABC):
    """Sends to one destination, as one user."""

    name: str
    destination: str

    @abstractmethod
    def deliver(self, session: DeliverySession, cancel: CancelToken) -> None:
        """Takes messages until there are none and reports the result of each. Raises `ConnectionLostError` where
        trying again may help, other `AppError`s where not, `OperationCancelledError`; what was taken and not reported
        then may or may not have arrived."""


def publish(
    outbox: Outbox,
    publisher: Publisher,
    cancel: CancelToken,
    tell: Tell = lambda words: None,
    patience: float = PATIENCE,
) -> PublishResult:
    """Sends all that is queued for the publisher's destination.

    Raises the publisher's `AppError` when it cannot be used, or when nothing has got through for `patience` seconds;
    whatever happens, every message is then in the outbox as queued, acknowledged, returned or failed.
    """
    doubtful = 0
    with outbox.sending() as resumed:
        session = DeliverySession(outbox, publisher.name, publisher.destination, tell)
        pauses = backoff_delays()
        while True:
            before, lost = session.progressed, None
            try:
                publisher.deliver(session, cancel)
            except ConnectionLostError as error:
                lost = error
            finally:  # whatever ends it: nothing stays `sending` with nobody sending
                session.flush()
                doubtful += outbox.requeue_interrupted()
            if lost is None:
                break
            if time.monotonic() - session.progressed > patience:
                raise lost
            if session.progressed > before:
                pauses = backoff_delays()
            tell(f"{lost.sentence} Trying again.")
            cancel.sleep(next(pauses))
    counts = session.counts
    return PublishResult(
        counts[MessageState.ACKNOWLEDGED], counts[MessageState.RETURNED], counts[MessageState.FAILED], resumed, doubtful
    )
