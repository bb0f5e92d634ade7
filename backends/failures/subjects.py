"""What failures are read of: one run of a task, or one build; and what came of reading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from backends.cancel import CancelToken
from backends.failures.records import NOTHING, UNREADABLE, Failure
from backends.http.errors import GoneError, HttpError
from backends.http.response import Freshness
from backends.locators import Locator
from backends.resources import Link, LogAddress

if TYPE_CHECKING:
    from backends.http.cache import BlobCache

VERSION = 1  # of what is stored of a subject; raise it when a reader finds more
MAX_STORED_BYTES = 16 << 20


@dataclass
class Outcome:
    """`failures` of the best source that had any, with rows for the sources that could not be read. `looked_at`: what
    was read, in order. `error`: a server or network that failed, so that asking again may tell more."""

    failures: list[Failure] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    freshness: Freshness = field(default_factory=Freshness)
    error: HttpError | None = None

    def note_unreadable(self, source: str, why: str, status: str = UNREADABLE) -> None:
        self.failures.append(Failure("", status, why, source=source))

    def note_error(self, source: str, error: HttpError) -> None:
        """A file that is gone stays gone; all else may be had later."""
        gone = isinstance(error, GoneError)
        self.note_unreadable(source, error.sentence, "expired" if gone else UNREADABLE)
        if not gone and error.status != 404:
            self.error = self.error or error

    @property
    def has_reason(self) -> bool:
        return any(failure.status not in TROUBLES for failure in self.failures)

    def note_nothing(self) -> None:
        looked = ", ".join(self.looked_at) or "nothing: it left no summary and no log"
        self.failures.append(Failure("", NOTHING, f"Looked at {looked}."))


TROUBLES = frozenset({UNREADABLE, "expired", NOTHING})


@dataclass(frozen=True)
class Subject:
    """`time`: when it ended, epoch ms. `read` asks servers and raises only `OperationCancelledError`. `log`: the text
    that a failure's line is a line of. `cache_key`: "" while it may change."""

    id: str
    job: str
    read: Callable[[CancelToken], Outcome] = field(compare=False, repr=False)
    opens: Locator
    run: int | None = None
    platform: str = ""
    time: int | None = None
    log: LogAddress | None = None
    cache_key: str = ""
    links: tuple[Link, ...] = ()  # what else its menu opens

    @property
    def key(self) -> str:
        return self.id if self.run is None else f"{self.id}/{self.run}"


def read_subject(subject: Subject, cache: BlobCache | None, cancel: CancelToken) -> Outcome:
    """What was stored of it, else what its files say, which is then stored where nothing went wrong."""
    key = f"failures-v{VERSION}|{subject.cache_key}" if subject.cache_key and cache is not None else ""
    if key and cache is not None and (stored := cache.get(key)) is not None:
        try:
            return Outcome(*msgspec.json.decode(stored.body, type=tuple[list[Failure], list[str]]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            cache.delete(key)
    outcome = subject.read(cancel)
    if key and cache is not None and outcome.error is None:
        body = msgspec.json.encode((outcome.failures, outcome.looked_at))
        if len(body) <= MAX_STORED_BYTES:
            cache.put(key, body)
    return outcome
