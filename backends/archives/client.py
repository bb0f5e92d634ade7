"""Client of the Archiver's protocol: 302 to the archive, or 202 and a task to poll until it ends.

Peculiarities of the original (RelengAPI's archiver, 807b4efe): it reports a missing revision as SUCCESS without any
URL; a task that it does not know is PENDING for ever; its redirects are signed for 300 seconds, so they are requested
again and never stored. The revision is resolved before, because it keeps the archive of a moving name for ever under
the first 12 characters of the name. A server that was restarted has forgotten its tasks: one that is PENDING for a
minute, or PENDING again after it had begun, is requested again, and so is one of a server that cannot be reached for
some minutes.
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
from backends.frames.getters import with_context
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError, NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy

if TYPE_CHECKING:
    from backends.http.client import RedirectTarget

PATIENCE = 65 * 60.0  # seconds; the original stops a task after 60 minutes
PENDING_SECONDS = 60.0  # after which the original itself starts a waiting task again
OUTAGE_SECONDS = 5 * 60.0  # as long as the restart of a server may take
REFUSALS = 2  # of all URLs at once, before giving up
_LONGEST_WAIT = 20.0
_MOST_WAITS = 40
_ENDED_BADLY = frozenset({"FAILURE", "REVOKED"})
_TASK_IDS = "/archiver/status/"


class TaskFailedError(AppError):
    """The server could not make the archive."""

    exit_code = 3


class TaskState(msgspec.Struct):
    """The state of the task of an archive. `s3_urls`: region -> signed URL."""

    state: str = "PENDING"
    status: str = ""
    src_url: str = ""
    s3_urls: dict[str, str] = {}

    @property
    def effective_state(self) -> str:
        """A success without anything to fetch is a failure."""
        return "FAILURE" if self.state == "SUCCESS" and not self.s3_urls else self.state


# Built with the task's id as context.
TASK_STATE = Schema(
    (
        Column("task", Kind.ID, "Task", get=with_context(lambda _, task: task)),
        Column("state", Kind.STATE, "State", get="effective_state"),
        Column("status", Kind.TEXT, "Status", get="status"),
        Column("source", Kind.TEXT, "From", get="src_url"),
        Column("regions", Kind.TEXT, "Regions", get=lambda state: " ".join(sorted(state.s3_urls))),
    ),
    key="task",
)


class _Envelope(msgspec.Struct):
    result: TaskState


class ArchiverClient:
    """One server; its archives are verified and cached like all others.

    `pause(seconds, cancel)`: how it waits; `clock()`: the time in seconds that its timeouts are measured with.
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
        """The archive, from that server. Raises `TaskFailedError` with the server's sentence, and as
        `ArchiveEngine.get`."""
        spec, committed_ms = self._resolve(request, cancel, on_progress)
        store = self._engine.store

        def waiting() -> None:
            on_progress(ProgressReport(ArchiveState.STARTED, "This archive is being fetched already; waiting for it."))

        with store.lock(spec, cancel, waiting):
            archive = store.find(spec)
            if archive is not None:
                return FetchResult(archive, False)
            archive = self._fetch_when_ready(spec, committed_ms, region, cancel, on_progress)
        on_progress(ProgressReport(ArchiveState.SUCCESS, "Verified.", archive.record.size))
        return FetchResult(archive, True)

    def _resolve(
        self, request: ArchiveRequest, cancel: CancelToken, on_progress: ProgressCallback
    ) -> tuple[ArchiveSpec, int | None]:
        """A full revision need not be looked up: the Archiver may have it although the hgweb cannot be reached."""
        try:
            spec, _, committed_ms = self._engine.resolve(request, cancel, on_progress)
        except HttpError:
            if not NODE.fullmatch(request.revision) or self._http.mode.is_offline:
                raise
            return self._engine.short_spec(request), None
        return spec, committed_ms

    def status(self, task: str, cancel: CancelToken | None = None) -> TaskState:
        """The state of a task, by its id or its URL. An unknown id is PENDING, too."""
        url = self._status_url(task) if "/" in task else f"{self.url}{_TASK_IDS}{quote(task, safe='')}"
        envelope, _ = self._http.json(url, policy=CachePolicy.never(), cancel=cancel, type=_Envelope)
        found: TaskState = envelope.result
        return found

    def _fetch_when_ready(
        self,
        spec: ArchiveSpec,
        committed_ms: int | None,
        region: str,
        cancel: CancelToken,
        on_progress: ProgressCallback,
    ) -> StoredArchive:
        """Polls until there is something to fetch. If that fails the archive is requested again: URLs expire, and the
        server makes an archive again that is gone."""
        archive_url = self._archive_url(spec, region)
        storage, refused = _Outage(self._clock), 0
        while True:
            state = self._ready(archive_url, cancel, on_progress)
            failures = list[HttpError]()
            for url in [archive_url] if state is None else _preferred_first(state.s3_urls, region):
                try:
                    with self._http.downloader() as downloader:
                        source_url = archive_url.partition("?")[0]
                        return fetch_archive(
                            self._engine.store, spec, url, source_url, downloader, cancel, on_progress, committed_ms
                        )
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
        """Waits before the next request. Raises the error when the outage has lasted too long."""
        if outage.is_over():
            raise error
        on_progress(ProgressReport(ArchiveState.RETRY, f"{error.sentence} Trying again."))
        self._pause(outage.next_wait(), cancel)

    def _archive_url(self, spec: ArchiveSpec, region: str) -> str:
        query = {"suffix": spec.suffix, "subdir": spec.subdirectory, "preferred_region": region}
        path = f"{quote(spec.repository, safe='/')}/{spec.node[:SHORT_DIGITS]}"
        return f"{self.url}/archiver/hgmo/{path}?{urlencode({name: text for name, text in query.items() if text})}"

    def _ready(self, archive_url: str, cancel: CancelToken, on_progress: ProgressCallback) -> TaskState | None:
        """Returns when there is something to fetch: None after a redirect, else the task's last state."""
        begun, wait, outage = self._clock(), 1.0, _Outage(self._clock)
        pending, started = begun, False
        task = ""
        while True:
            try:
                if not task:
                    answer = self._request(archive_url, cancel)
                    self._was_reached = True
                    if answer.url:
                        return None
                    task, pending, started = self._status_url(answer.headers.get("location", "")), self._clock(), False
                state = self.status(task, cancel)
                outage = _Outage(self._clock)
            except HttpError as error:
                if not error.retryable or not self._was_reached:  # at first it may be the wrong URL
                    raise
                self._wait_out(outage, error, cancel, on_progress)
                continue
            words = sanitize(state.status, 300)
            if state.state == "SUCCESS":
                if not state.s3_urls:
                    raise TaskFailedError(
                        f"{short_url(self.url).rstrip('/')} could not make the archive: {words or 'no reason given'}"
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
                    "Try again later.",
                )
            if state.state != "PENDING":
                started, pending = True, now
            elif started or now - pending >= PENDING_SECONDS:  # the server no longer knows the task
                task = ""
            on_progress(
                ProgressReport(
                    _archive_state(state.state),
                    words if words and state.state != "PENDING" else "The server is making it.",
                )
            )
            self._pause(wait * random.uniform(0.8, 1.2), cancel)  # noqa: S311 - so that clients do not poll in step
            wait = min(wait * 1.5, _LONGEST_WAIT)

    def _request(self, archive_url: str, cancel: CancelToken) -> RedirectTarget:
        try:
            answer = self._http.locate(archive_url, cancel=cancel, accept="application/json")
        except NotFoundError as error:  # an Archiver responds 302 or 202 for every repository
            raise self._no_archiver(404) from error
        if answer.url or (answer.status == 202 and answer.headers.get("location")):
            return answer
        raise self._no_archiver(answer.status)

    def _no_archiver(self, status: int) -> UnexpectedResponseError:
        host = short_url(self.url).rstrip("/")
        return UnexpectedResponseError(
            f"{host} is not an Archiver server (status {status}).", "Check CIEXPLORE_ARCHIVES_URL."
        )

    def _status_url(self, location: str) -> str:
        """The task's URL on our server, whatever host the response names: behind a proxy an Archiver returns its own
        inner URL, and no request may go to another host instead."""
        path = urlsplit(location).path
        at = path.find(_TASK_IDS)
        if at < 0 or len(path) == at + len(_TASK_IDS):
            raise SourceNotFoundError(
                f"{short_url(self.url)} returned no URL of a task.", "Check CIEXPLORE_ARCHIVES_URL."
            )
        return self.url + path[at:]


class _Outage:
    """How long a server that was reachable has been unreachable."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._since, self._waits, self._wait = clock, clock(), 0, 1.0

    def is_over(self) -> bool:
        """Whether it has lasted longer than a restart takes."""
        return self._clock() - self._since > OUTAGE_SECONDS or self._waits >= _MOST_WAITS

    def next_wait(self) -> float:
        self._since = self._since if self._waits else self._clock()
        self._waits += 1
        wait, self._wait = self._wait, min(self._wait * 1.5, _LONGEST_WAIT)
        return wait * random.uniform(0.8, 1.2)  # noqa: S311 - so that clients do not poll in step


def _archive_state(state: str) -> ArchiveState:
    return (
        ArchiveState.RETRY if state == "RETRY" else ArchiveState.PENDING if state == "PENDING" else ArchiveState.STARTED
    )


def _preferred_first(urls: dict[str, str], preferred: str) -> list[str]:
    return [urls[region] for region in sorted(urls, key=lambda region: (region != preferred, region))]
