"""The questions that fill a store, each in the form that needs the fewest requests, asked no faster than agreed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backends.cancel import CancelToken
from backends.http.policies import CachePolicy
from backends.treeherder.api import ApiClient, UnknownRepositoryError, project_path
from backends.treeherder.datasets import answers

if TYPE_CHECKING:
    from backends.http import Http

PUSHES_A_PAGE = 1000  # more is refused (400)
SUMMARIES_A_PAGE = 100  # more is silently 100
PUSHES_A_REQUEST = 20  # Autoland runs nearly all performance tests on every 20th push: some 10,000 values
JOBS_A_REQUEST = 300  # twelve characters an id (a comma is %2C): the address stays below gunicorn's 4,094
CAP = 256 << 20


class Pace:
    """At most `rate` requests begin in a second, evenly spread, whichever thread asks; 0 is without limit."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1 / rate if rate > 0 else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, cancel: CancelToken) -> None:
        with self._lock:
            at = max(self._next, self._clock())
            self._next = at + self._gap
            left = at - self._clock()
        if left > 0:
            cancel.sleep(left)


@dataclass
class Treeherder:
    """The endpoints of one repository, in the server's own words: the pane's client gives frames for the eye, a store
    needs which fields an object has. Thread-safe. Answers are not kept: the store is what keeps them.

    Every method raises `HttpError`s (an answer of another shape is a `UnexpectedResponseError`) and
    `OperationCancelledError`. `requests`
    counts what was asked.
    """

    http: Http
    base: str
    repository: str
    pace: Pace
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def signatures(
        self, frameworks: Sequence[int], interval: int | None, cancel: CancelToken
    ) -> dict[str, dict[str, Any]]:
        """All of them with all their fields in one request; `interval`: only those with data in so many seconds."""
        asked = [("framework", number) for number in frameworks]
        if interval is not None:
            asked.append(("interval", interval))
        found: dict[str, dict[str, Any]] = self._project(
            "performance/signatures/", asked, dict[str, dict[str, Any]], cancel
        )
        return found

    def pushes(self, since: int, until: int, cancel: CancelToken) -> list[answers.Push]:
        """The newest thousand pushes from `since` to `until`, both included, epoch seconds; the newest first."""
        asked = [("count", PUSHES_A_PAGE), ("push_timestamp__gte", since), ("push_timestamp__lte", until)]
        found: answers.Pushes = self._project("push/", asked, answers.Pushes, cancel)
        return [push for push in found.results if since <= push.push_timestamp <= until]

    def pairs(
        self, pushes: Sequence[int], frameworks: Sequence[int], cancel: CancelToken
    ) -> dict[str, list[answers.Datum]]:
        """All values of these pushes; a push without any is absent."""
        asked = [("push_id", number) for number in pushes] + [("framework", number) for number in frameworks]
        found: dict[str, list[answers.Datum]] = self._project(
            "performance/data/", asked, dict[str, list[answers.Datum]], cancel
        )
        return found

    def series(self, signature: int, since: int, cancel: CancelToken) -> list[answers.SeriesData]:
        """The values of one signature with all their digits, from `since` (epoch seconds) until now: every endpoint
        that answers for more than one rounds to two decimals. With them comes when their jobs were submitted."""
        asked: list[tuple[str, Any]] = [
            ("repository", self.repository),
            ("signature", signature),
            ("startday", _iso(since - 1)),
            ("endday", _iso(int(time.time()) + 86_400)),
            ("all_data", "true"),
            ("replicates", "false"),
        ]
        found: list[answers.SeriesData] = self._ask("performance/summary/", asked, list[answers.SeriesData], cancel)
        return [one for one in found if one.signature_id == signature]

    def jobs(self, ids: Sequence[int], cancel: CancelToken) -> list[dict[str, Any]]:
        """The jobs with these ids (at most `JOBS_A_REQUEST`), in no order; expired ones are absent."""
        asked = [("id__in", ",".join(map(str, ids))), ("count", 2000)]
        found: answers.JobPage = self._project("jobs/", asked, answers.JobPage, cancel)
        wanted = set(ids)  # a filter that the server does not know, it ignores
        return [job for job in found.results if job.get("id") in wanted]

    def submit_times(self, framework: int, since: int, until: int, cancel: CancelToken) -> list[answers.SubmitTimes]:
        """When the jobs of a framework's tests were submitted, of pushes of that span.

        Suites and tests without a suite are enough for nearly all: a subtest is measured by the job of its suite, but
        such a job may lack the suite's own value (see `wanted.without_submission`).
        """
        asked = [
            ("repository", self.repository),
            ("framework", framework),
            ("startday", _iso(since)),
            ("endday", _iso(until)),
            ("no_subtests", "true"),
        ]
        found: list[answers.SubmitTimes] = self._ask("performance/summary/", asked, list[answers.SubmitTimes], cancel)
        return found

    def repository_id(self, cancel: CancelToken) -> int:
        """Its number. Raises `UnknownRepositoryError`: most endpoints return a 500 for an unknown name."""
        found: list[answers.Repository] = self._ask("repository/", [], list[answers.Repository], cancel)
        for one in found:
            if one.name == self.repository:
                return one.id
        raise UnknownRepositoryError(self.repository, [one.name for one in found])

    def alert_summaries(
        self, repository_id: int, page: int, timerange: int | None, monitored: bool, cancel: CancelToken
    ) -> answers.SummaryPage:
        """A page, the oldest first, so that one that is made meanwhile moves none from page to page."""
        asked: list[tuple[str, Any]] = [
            ("repository", repository_id),
            ("limit", SUMMARIES_A_PAGE),
            ("page", page),
            ("ordering", "id"),
        ]
        if timerange is not None:
            asked.append(("timerange", timerange))
        if monitored:
            asked.append(("monitored_alerts", 1))
        found: answers.SummaryPage = self._ask("performance/alertsummary/", asked, answers.SummaryPage, cancel)
        return found

    def _project(self, endpoint: str, asked: Sequence[tuple[str, Any]], kind: Any, cancel: CancelToken) -> Any:
        return self._ask(project_path(self.repository, endpoint), asked, kind, cancel)

    def _ask(self, endpoint: str, asked: Sequence[tuple[str, Any]], kind: Any, cancel: CancelToken) -> Any:
        self.pace.wait(cancel)
        with self._lock:
            self.requests += 1
        several: dict[str, list[Any]] = {}
        for name, value in asked:
            several.setdefault(name, []).append(value)
        url = ApiClient(self.http, self.base).url(endpoint, several)
        return self.http.json(url, policy=CachePolicy.never(), cap=CAP, cancel=cancel, type=kind)[0]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
