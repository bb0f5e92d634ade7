"""Asking a server that speaks the Archiver's protocol: 302 to the archive, or 202 and a task to look at until it ends.

What seems odd here is how the original (RelengAPI's archiver, 807b4efe) behaves: it tells of a missing revision as
SUCCESS without any address, it knows no task that it does not run (PENDING for ever), and its redirects are signed for
300 seconds, so that they are asked for anew and never kept. The revision is resolved before: it keeps moving names for
ever under their first 12 characters. A server that was restarted has forgotten its tasks: what is PENDING for a minute,
or PENDING again after it had begun, is asked for again, and so is what cannot be reached for some minutes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from backends.archives.engine import ArchiveEngine, FetchResult
from backends.archives.fetch import ArchiveState, ProgressCallback, ProgressReport, fetch_archive, no_progress
from backends.archives.hosts import NODE, SourceNotFoundError
from backends.archives.spec import SHORT_DIGITS, ArchiveRequest, ArchiveSpec
from backends.archives.store import StoredArchive
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError, NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy, Mode

if TYPE_CHECKING:
    from backends.http.client import RedirectTarget

PATIENCE = 65 * 60.0  # seconds; the original ends a task after 60 minutes
PENDING_SECONDS = 60.0  # as long as the original lets a task wait before it starts it anew
OUTAGE_SECONDS = 5 * 60.0  # a server that is restarted may be away so long
REFUSALS = 2  # of all addresses at once, before the archive counts as not to be had
_LONGEST_WAIT = 20.0
_MOST_WAITS = 40
_ENDED_BADLY = frozenset({"FAILURE", "REVOKED"})
_TASK_IDS = "/archiver/status/"


TASK_STATE = Schema(
    (
        Column("task", Kind.ID, "Task"),
        Column("state", Kind.STATE, "State"),
        Column("status", Kind.TEXT, "Status"),
        Column("source", Kind.TEXT, "From"),
        Column("regions", Kind.TEXT, "Regions"),
    ),
    key="task",
)


class TaskFailedError(AppError):
    """The server made no archive."""

    exit_code = 3


class TaskState(msgspec.Struct):
    """Of an archive's task. `s3_urls`: region -> signed address."""

    state: str = "PENDING"
    status: str = ""
    src_url: str = ""
    s3_urls: dict[str, str] = {}

    @property
    def shown_state(self) -> str:
        """As a person should read it: a success without anything to fetch is none."""
        return "FAILURE" if self.state == "SUCCESS" and not self.s3_urls else self.state


class _Envelope(msgspec.Struct):
    result: TaskState


class ArchiverClient:
    """One server; archives that it gives are verified and kept like all others.

    `pause(seconds, cancel)` is how it waits, `clock()` what it measures its patience with.
    """

    def __init__(
        self,
        url: str,
        engine: ArchiveEngine,
        *,
        pause: Callable[[float, CancelToken], None] = lambda seconds, cancel: cancel.sleep(seconds),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self._engine, self._http = engine, engine.http
        self._pause, self._clock = pause, clock
        self._was_reached = False

    def get(
        self,
        request: ArchiveRequest,
        cancel: CancelToken,
        on_progress: ProgressCallback = no_progress,
        region: str = "",
    ) -> FetchResult:
        """The archive, from that server. Raises `TaskFailedError` with the server's own words, and as `Engine.get` does."""
        spec, committed_ms = self._resolved(request, cancel, on_progress)
        store = self._engine.store

        def waiting() -> None:
            on_progress(ProgressReport(ArchiveState.STARTED, "This archive is being fetched already; waiting for it."))

        with store.lock(spec, cancel, waiting):
            kept = store.find(spec)
            if kept is not None:
                return FetchResult(kept, False)
            kept = self._fetched(spec, committed_ms, region, cancel, on_progress)
        on_progress(ProgressReport(ArchiveState.SUCCESS, "Verified.", kept.record.size))
        return FetchResult(kept, True)

    def _resolved(
        self, request: ArchiveRequest, cancel: CancelToken, on_progress: ProgressCallback
    ) -> tuple[ArchiveSpec, int | None]:
        """The Archiver may have what the hgweb cannot be asked about: a full revision needs no look-up."""
        try:
            spec, _, committed_ms = self._engine.resolve(request, cancel, on_progress)
        except HttpError:
            if not NODE.fullmatch(request.revision) or self._http.mode is Mode.OFFLINE:
                raise
            return self._engine.short_spec(request), None
        return spec, committed_ms

    def status(self, task: str, cancel: CancelToken | None = None) -> TaskState:
        """What the server says of a task, by its id or its address. An id that it does not know is PENDING too."""
        url = self._status_url(task) if "/" in task else f"{self.url}{_TASK_IDS}{quote(task, safe='')}"
        envelope, _ = self._http.json(url, policy=CachePolicy.never(), cancel=cancel, type=_Envelope)
        found: TaskState = envelope.result
        return found

    def _fetched(
        self,
        spec: ArchiveSpec,
        committed_ms: int | None,
        region: str,
        cancel: CancelToken,
        on_progress: ProgressCallback,
    ) -> StoredArchive:
        """Asks until there is something to fetch. What then cannot be fetched is asked for again: addresses expire, and
        the server makes an archive anew that is gone."""
        asked = self._address(spec, region)
        storage, refused = _Outage(self._clock), 0
        while True:
            state = self._ready(asked, cancel, on_progress)
            failures = list[HttpError]()
            for url in [asked] if state is None else _preferred_first(state.s3_urls, region):
                try:
                    with self._http.downloader() as downloader:
                        return fetch_archive(
                            self._engine.store, spec, url, asked.partition("?")[0], downloader, cancel, on_progress,
                            committed_ms,
                        )  # fmt: skip
                except HttpError as error:
                    failures.append(error)
            again = next((error for error in failures if error.retryable), None)
            if again is not None:
                self._wait_out(storage, again, cancel, on_progress)
                continue
            refused += 1
            if refused >= REFUSALS:
                raise failures[0]

    def _wait_out(self, outage: _Outage, error: HttpError, cancel: CancelToken, on_progress: ProgressCallback) -> None:
        """Waits before the server is asked again. Raises the error once it has lasted too long."""
        if outage.is_over():
            raise error
        on_progress(ProgressReport(ArchiveState.RETRY, f"{error.sentence} Asking again."))
        self._pause(outage.next_wait(), cancel)

    def _address(self, spec: ArchiveSpec, region: str) -> str:
        query = {"suffix": spec.suffix, "subdir": spec.subdirectory, "preferred_region": region}
        path = f"{quote(spec.repository, safe='/')}/{spec.node[:SHORT_DIGITS]}"
        return f"{self.url}/archiver/hgmo/{path}?{urlencode({name: text for name, text in query.items() if text})}"

    def _ready(self, asked: str, cancel: CancelToken, on_progress: ProgressCallback) -> TaskState | None:
        """Returns once there is something: None after a redirect, else the task's last state."""
        begun, wait, outage = self._clock(), 1.0, _Outage(self._clock)
        pending, started = begun, False
        task = ""
        while True:
            try:
                if not task:
                    answer = self._asked(asked, cancel)
                    self._was_reached = True
                    if answer.url:
                        return None
                    task, pending, started = self._status_url(answer.headers.get("location", "")), self._clock(), False
                state = self.status(task, cancel)
                outage = _Outage(self._clock)
            except HttpError as error:
                if not error.retryable or not self._was_reached:  # at first it may be the wrong address
                    raise
                self._wait_out(outage, error, cancel, on_progress)
                continue
            words = sanitize(state.status, 300)
            if state.state == "SUCCESS":
                if not state.s3_urls:
                    raise TaskFailedError(
                        f"{short_url(self.url).rstrip('/')} made no archive: {words or 'it says nothing'}"
                    )
                return state
            if state.state in _ENDED_BADLY:
                raise TaskFailedError(
                    f"{short_url(self.url).rstrip('/')} failed to make the archive: {words or state.state}"
                )
            now = self._clock()
            if now - begun > PATIENCE:
                raise TaskFailedError(
                    f"The archive is still {sanitize(state.state, 20)} after {PATIENCE / 60:.0f} minutes.",
                    "Ask again later.",
                )
            if state.state != "PENDING":
                started, pending = True, now
            elif started or now - pending >= PENDING_SECONDS:  # the server does not know the task any more
                task = ""
            on_progress(
                ProgressReport(
                    _archive_state(state.state),
                    words if words and state.state != "PENDING" else "The server works on it.",
                )
            )
            self._pause(wait * random.uniform(0.8, 1.2), cancel)  # noqa: S311 - so that many do not ask at once
            wait = min(wait * 1.5, _LONGEST_WAIT)

    def _asked(self, asked: str, cancel: CancelToken) -> RedirectTarget:
        try:
            answer = self._http.locate(asked, cancel=cancel, accept="application/json")
        except NotFoundError as error:  # an Archiver has an answer for every repository
            raise self._no_archiver(404) from error
        if answer.url or (answer.status == 202 and answer.headers.get("location")):
            return answer
        raise self._no_archiver(answer.status)

    def _no_archiver(self, status: int) -> UnexpectedResponseError:
        host = short_url(self.url).rstrip("/")
        return UnexpectedResponseError(
            f"{host} does not answer as an Archiver does ({status}).", "Check CIEXPLORE_ARCHIVER_URL."
        )

    def _status_url(self, location: str) -> str:
        """The task's address on the server that was asked, whatever host the answer names: behind a proxy an Archiver
        gives its own inner address, and a foreign one must not be asked in its place."""
        path = urlsplit(location).path
        at = path.find(_TASK_IDS)
        if at < 0 or len(path) == at + len(_TASK_IDS):
            raise SourceNotFoundError(
                f"{short_url(self.url)} names no task to look at.", "Check CIEXPLORE_ARCHIVER_URL."
            )
        return self.url + path[at:]


class _Outage:
    """For how long something that was there has not been."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._since, self._waits, self._wait = clock, clock(), 0, 1.0

    def is_over(self) -> bool:
        """Whether it has lasted longer than a restart takes."""
        return self._clock() - self._since > OUTAGE_SECONDS or self._waits >= _MOST_WAITS

    def next_wait(self) -> float:
        self._since = self._since if self._waits else self._clock()
        self._waits += 1
        wait, self._wait = self._wait, min(self._wait * 1.5, _LONGEST_WAIT)
        return wait * random.uniform(0.8, 1.2)  # noqa: S311 - so that many do not ask at once


def _archive_state(state: str) -> ArchiveState:
    return (
        ArchiveState.RETRY if state == "RETRY" else ArchiveState.PENDING if state == "PENDING" else ArchiveState.STARTED
    )


def _preferred_first(urls: dict[str, str], preferred: str) -> list[str]:
    return [urls[region] for region in sorted(urls, key=lambda region: (region != preferred, region))]


__all__ = ["ArchiverClient", "TaskFailedError", "TaskState"]
