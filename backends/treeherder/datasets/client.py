"""The requests that fill a store: for each kind of data the endpoint that needs the fewest, at a limited rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backends.cancel import CancelToken
from backends.http.policies import CachePolicy
from backends.treeherder.asking import Asker, NoSuchRepository, project
from backends.treeherder.datasets.decode import (
    DatasetPush,
    JsonPage,
    PushDatum,
    RepositoryId,
    ResultPage,
    SeriesReply,
    SubmitTimesReply,
)

if TYPE_CHECKING:
    from backends.http import Http

PUSHES_PER_PAGE = 1000  # more is refused (400)
SUMMARIES_PER_PAGE = 100  # more is silently 100
PUSHES_PER_REQUEST = 20  # Autoland runs nearly all performance tests on every 20th push: some 10,000 values
JOBS_PER_REQUEST = 300  # twelve characters an id (a comma is %2C): the URL stays below gunicorn's 4,094
MAX_BYTES = 256 << 20


class RateLimiter:
    """At most `rate` requests begin in a second, evenly spread over all threads; 0 is unlimited."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1 / rate if rate > 0 else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, cancel: CancelToken) -> None:
        with self._lock:
            start = max(self._next, self._clock())
            self._next = start + self._gap
            delay = start - self._clock()
        if delay > 0:
            cancel.sleep(delay)


@dataclass
class DatasetClient:
    """The endpoints of one repository. Thread-safe; responses are not cached, the store keeps them.

    Every method raises `HttpError`s (`UnexpectedResponseError` for a response of another shape) and
    `OperationCancelledError`. `requests` counts them.
    """

    http: Http
    base: str
    repository: str
    limiter: RateLimiter
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def signatures(self, frameworks: Sequence[int], interval: int, cancel: CancelToken) -> dict[str, dict[str, Any]]:
        """All with data in the last `interval` seconds, with all their fields: one request."""
        params = {"framework": frameworks, "interval": interval}
        return self._get_project("performance/signatures/", params, dict[str, dict[str, Any]], cancel)  # type: ignore[no-any-return]

    def pushes(self, since: int, until: int, cancel: CancelToken) -> list[DatasetPush]:
        """The newest thousand pushes from `since` to `until`, both included, epoch seconds; newest first."""
        params = {"count": PUSHES_PER_PAGE, "push_timestamp__gte": since, "push_timestamp__lte": until}
        page: ResultPage[DatasetPush] = self._get_project("push/", params, ResultPage[DatasetPush], cancel)
        return [push for push in page.results if since <= push.push_timestamp <= until]

    def push_pages(self, since: int, until: int, cancel: CancelToken) -> Iterator[list[DatasetPush]]:
        """All pushes of a span page by page, newest first. There is no offset: each page begins where one ended."""
        seen: set[int] = set()
        while True:
            page = self.pushes(since, until, cancel)
            new = [push for push in page if push.id not in seen]
            if not new:
                return
            yield new
            seen |= {push.id for push in new}
            if len(page) < PUSHES_PER_PAGE:
                return
            until = min(push.push_timestamp for push in page)

    def measurements(
        self, pushes: Sequence[int], frameworks: Sequence[int], cancel: CancelToken
    ) -> dict[str, list[PushDatum]]:
        """All values of these pushes; a push without any is absent."""
        params = {"push_id": pushes, "framework": frameworks}
        return self._get_project("performance/data/", params, dict[str, list[PushDatum]], cancel)  # type: ignore[no-any-return]

    def series(self, signature: int, since: int, cancel: CancelToken) -> list[SeriesReply]:
        """The values of one signature with all their digits, from `since` (epoch seconds) until now, and when their
        jobs were submitted. Every endpoint that answers for more than one signature rounds to two decimals."""
        params = {
            "repository": self.repository,
            "signature": signature,
            "startday": _iso(since - 1),
            "endday": _iso(int(time.time()) + 86_400),
            "all_data": "true",
            "replicates": "false",
        }
        replies: list[SeriesReply] = self._get("performance/summary/", params, list[SeriesReply], cancel)
        return [reply for reply in replies if reply.signature_id == signature]

    def jobs(self, ids: Sequence[int], cancel: CancelToken) -> list[dict[str, Any]]:
        """The jobs with these ids (at most `JOBS_PER_REQUEST`), unordered; expired ones are absent."""
        params = {"id__in": ",".join(map(str, ids)), "count": 2000}
        page: JsonPage = self._get_project("jobs/", params, JsonPage, cancel)
        requested = set(ids)  # the server ignores a filter that it does not know
        return [job for job in page.results if job.get("id") in requested]

    def submit_times(self, framework: int, since: int, until: int, cancel: CancelToken) -> list[SubmitTimesReply]:
        """When the jobs of a framework's tests were submitted, for the pushes between two times.

        Suites and tests without a suite are enough for nearly all jobs: a subtest is measured by the job of its suite,
        but such a job may lack the suite's own value (see `UpdatePlan.job_requests`).
        """
        params = {
            "repository": self.repository,
            "framework": framework,
            "startday": _iso(since),
            "endday": _iso(until),
            "no_subtests": "true",
        }
        return self._get("performance/summary/", params, list[SubmitTimesReply], cancel)  # type: ignore[no-any-return]

    def repository_id(self, cancel: CancelToken) -> int:
        """Raises `NoSuchRepository`: most endpoints answer an unknown name with a server error."""
        known: list[RepositoryId] = self._get("repository/", {}, list[RepositoryId], cancel)
        for repository in known:
            if repository.name == self.repository:
                return repository.id
        raise NoSuchRepository(self.repository, [repository.name for repository in known])

    def alert_summaries(
        self, repository_id: int, page: int, timerange: int, monitored: bool, cancel: CancelToken
    ) -> JsonPage:
        """A page of those whose push is at most `timerange` seconds old, oldest first, so that a new one shifts no
        others between pages."""
        params: dict[str, Any] = {
            "repository": repository_id,
            "limit": SUMMARIES_PER_PAGE,
            "page": page,
            "ordering": "id",
            "timerange": timerange,
            "monitored_alerts": 1 if monitored else None,
        }
        return self._get("performance/alertsummary/", params, JsonPage, cancel)  # type: ignore[no-any-return]

    def _get_project(self, endpoint: str, params: dict[str, Any], kind: Any, cancel: CancelToken) -> Any:
        return self._get(project(self.repository, endpoint), params, kind, cancel)

    def _get(self, endpoint: str, params: dict[str, Any], kind: Any, cancel: CancelToken) -> Any:
        self.limiter.wait(cancel)
        with self._lock:
            self.requests += 1
        url = Asker(self.http, self.base).url(endpoint, params)
        return self.http.json(url, policy=CachePolicy.never(), cap=MAX_BYTES, cancel=cancel, type=kind)[0]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
