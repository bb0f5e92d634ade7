"""What a Treeherder is asked: one typed method per endpoint, each returning the entries as structs.

No endpoint needs a login. Responses carry neither ETag nor Cache-Control, so how long each is cached is said here:
reference data a day, signatures by the interval that they are of, what is past as long as it cannot change.

/api/project/X/jobs/ returns its rows in no order, so paging it by offset loses and repeats rows: of 14,715 jobs, 14,715
rows came, and 256 of the jobs did not. It is asked per push, which one page holds; a push with more jobs than that is
cut into windows of ids, which the other, ordered endpoint (/api/jobs/) gives.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backends.errors import UsageError
from backends.http.errors import BadRequestError, HttpError, NotFoundError
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.lenient_json import as_text, lenient
from backends.locators import InvalidLocatorError
from backends.locators.pasted import split_url
from backends.net import is_loopback
from backends.treeherder.api import (
    DAY,
    ApiClient,
    NotTreeherderError,
    Params,
    Policy,
    Result,
    UnknownItemError,
    UnknownRepositoryError,
    decode_json,
    decode_list,
    is_page,
    project_path,
)
from backends.treeherder.locators import FLAG_PARAMETERS, AlertSummaries
from backends.treeherder.models import (
    JobTask,
    NamedId,
    OptionCollection,
    PerformanceAlertSummary,
    PerformanceSignature,
    PushJob,
    SeriesSummary,
    TextLogError,
    TreeherderPush,
    TreeherderRepository,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backends.cancel import CancelToken
    from backends.http import Http

REFERENCE = CachePolicy.short(DAY)
SOON = CachePolicy.short(120)
SUMMARIES_A_PAGE = 100  # more is cut to 100 without a word
PUSHES_A_PAGE = 1000  # more is refused
JOBS_A_PAGE = 2000  # more is refused
IDS_A_REQUEST = 300  # seven digits each: a URL of 2.4 KB, which every proxy takes
SECOND = timedelta(seconds=1)
FULL_REVISION = 40  # hex digits
LATE = 4 * DAY  # seconds after which a push gets no more scheduled jobs; retriggers are rare and need --refresh
_END = re.compile(rb'"end_timestamp":\s*([0-9]{1,11})\b')
_LIVE = re.compile(rb'"state":\s*"(?!completed")')

# ui/helpers/url.js and perfcompare's logic/lando.ts; no other host is ever asked.
LANDO_HOSTS = {
    "lando-dev": "api.dev.lando.nonprod.cloudops.mozgcp.net",
    "lando-dev-2025": "lando-dev.allizom.org",
    "lando-prod": "api.lando.services.mozilla.com",
    "lando-prod-2025": "lando.moz.tools",
}
DEFAULT_LANDO = "lando-prod"
_LANDED = re.compile(rb'"commit_id"\s*:\s*"[0-9a-f]')


class TreeherderClient:
    """One server, asked through `http`. All methods raise `AppError`s and may be called from any thread.

    `base`: its URL, without /api. `interval`s are seconds back from now; `start` and `end` are aware datetimes and
    exclude an interval.
    """

    jobs_a_page = JOBS_A_PAGE

    def __init__(self, http: Http, base: str, clock: Callable[[], float] = time.time) -> None:
        self.api = ApiClient(http, base)
        self.base = self.api.base
        self._clock = clock

    # Reference data

    def fetch_repositories(self, cancel: CancelToken | None = None) -> Result[TreeherderRepository]:
        """Active repositories."""
        response = self.api.get("repository", policy=REFERENCE, cancel=cancel)
        return decode_list(response, TreeherderRepository)

    def fetch_frameworks(self, cancel: CancelToken | None = None) -> Result[NamedId]:
        """Enabled frameworks."""
        return decode_list(self.api.get("performance/framework", policy=REFERENCE, cancel=cancel), NamedId)

    def fetch_framework_names(self, cancel: CancelToken | None = None) -> dict[int, str]:
        """Name by id."""
        return {one.id: one.name for one in self.fetch_frameworks(cancel).items if one.id is not None and one.name}

    def find_framework_id(self, framework: str, cancel: CancelToken | None = None) -> int | None:
        """The number of a framework given by name or number; None for "". Raises `UsageError`."""
        if not framework:
            return None
        by_name = {name.lower(): number for number, name in self.fetch_framework_names(cancel).items()}
        if framework.lower() in by_name:
            return by_name[framework.lower()]
        if framework.isascii() and framework.isdigit():  # one that is disabled is not listed and still has signatures
            return int(framework)
        raise UsageError(f"There is no framework {framework[:60]!r}.", f"Known: {', '.join(sorted(by_name))}.")

    def describe_unknown_framework(self, number: int | None, cancel: CancelToken | None = None) -> str:
        """Why a list of a framework is empty: the server does not know it by this number; "" if it does."""
        if number is None or number in self.fetch_framework_names(cancel):
            return ""
        return f"Treeherder has no framework {number}, or has switched it off."

    def fetch_option_names(self, cancel: CancelToken | None = None) -> dict[str, str]:
        """Build options ("opt") by the hash that signatures name them with."""
        response = self.api.get("optioncollectionhash", policy=REFERENCE, cancel=cancel)
        return {
            one.option_collection_hash: " ".join(option.name for option in one.options if option.name)
            for one in decode_list(response, OptionCollection).items
            if one.option_collection_hash
        }

    def fetch_issue_trackers(self, cancel: CancelToken | None = None) -> dict[int, str]:
        """The URL that a bug's number is appended to, by tracker."""
        trackers = decode_json(self.api.get("performance/issue-tracker", policy=REFERENCE, cancel=cancel))
        return {
            one["id"]: one["issue_tracker_url"]
            for one in (trackers if isinstance(trackers, list) else [])
            if isinstance(one, dict)
            and type(one.get("id")) is int  # not a bool
            and str(one.get("issue_tracker_url", "")).startswith("https://")
        }

    def fetch_classifications(self, cancel: CancelToken | None = None) -> dict[int, str]:
        """What sheriffs call a failure, by number."""
        response = self.api.get("failureclassification", policy=REFERENCE, cancel=cancel)
        return {one.id: one.name for one in decode_list(response, NamedId).items if one.id is not None and one.name}

    def check_repository(self, name: str, cancel: CancelToken | None = None) -> None:
        """Raises `UnknownRepositoryError`. An inactive one is not listed, so the server is asked about it in the one
        view that responds 404 and not 500."""
        names = self._repository_names(cancel)
        if name in names:
            return
        try:
            self.api.get(project_path(name, "push"), {"count": 1}, policy=REFERENCE, cancel=cancel)
        except NotFoundError:
            raise UnknownRepositoryError(name, names) from None

    def _repository_names(self, cancel: CancelToken | None) -> list[str]:
        return [one.name for one in self.fetch_repositories(cancel).items if one.name]

    def find_repository_id(self, name: str, cancel: CancelToken | None = None) -> int:
        """The number that alert summaries are filtered by, of a name or of that number itself, as URLs of the API
        have it. Raises `UnknownRepositoryError`."""
        if name.isascii() and name.isdigit():
            return int(name)
        for one in self.fetch_repositories(cancel).items:
            if one.name == name and one.id is not None:
                return one.id
        raise UnknownRepositoryError(name, self._repository_names(cancel))

    def find_taskcluster_root(self, repository: str, cancel: CancelToken | None = None) -> str:
        """The Taskcluster deployment that runs a repository's tasks, "" if it is not known.

        Requests will go where a server says here, so it must plainly be a deployment's URL.
        """
        found = self._find_repository(repository, cancel)
        try:
            url = split_url(((found and found.tc_root_url) or "").rstrip("/"))
        except InvalidLocatorError:
            return ""
        plain = url.scheme == "https" and not url.path and not url.query and not url.fragment
        return url.origin if plain and not is_loopback(url.host) else ""

    def find_repository_url(self, repository: str, cancel: CancelToken | None = None) -> str:
        """Where a repository's source is, as the server says; "" if it is not known."""
        found = self._find_repository(repository, cancel)
        return (found and found.url) or ""

    def _find_repository(self, name: str, cancel: CancelToken | None) -> TreeherderRepository | None:
        try:
            return next((one for one in self.fetch_repositories(cancel).items if one.name == name), None)
        except HttpError:
            return None

    # Performance

    def fetch_signatures(
        self,
        repository: str,
        *,
        frameworks: Sequence[int] = (),
        interval: int | None = None,
        subtests: bool | None = None,
        parent: str = "",
        platform: str = "",
        ids: Sequence[int] = (),
        hashes: Sequence[str] = (),
        cancel: CancelToken | None = None,
    ) -> Result[PerformanceSignature]:
        """Signatures that had a value in the interval, all of them in one response.

        `subtests` False: suites only; `parent`: the HASH of a suite, for its subtests.
        """
        self.check_repository(repository, cancel)
        params: Params = {
            "framework": list(frameworks),
            "id": list(ids),
            "signature": list(hashes),
            "parent_signature": parent or None,
            "platform": platform or None,
            "subtests": None if subtests is None else int(subtests),  # "false" is a 500
            "interval": interval,
        }
        policy = CachePolicy.short(min(max((interval or DAY * 14) / 100, 300), 3600))
        path = project_path(repository, "performance/signatures")
        response = self.api.get(path, params, policy=policy, cancel=cancel)
        return decode_list(response, PerformanceSignature, keyed=True)

    def find_signature_id(self, repository: str, signature: str, cancel: CancelToken | None = None) -> int | None:
        """The id of a signature given by id or hash, None if the repository has none with that hash."""
        if len(signature) < FULL_REVISION:
            return int(signature)
        found = self.fetch_signatures(repository, hashes=(signature,), cancel=cancel).items
        return max((one.id for one in found if one.id is not None), default=None)

    def fetch_series(
        self,
        repository: str,
        signature_id: int,
        *,
        interval: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        revision: str = "",
        replicates: bool = False,
        cancel: CancelToken | None = None,
    ) -> Result[SeriesSummary]:
        """One signature with its values in full (`data`), over a period or of one revision; no entry where the
        repository has no such signature. `end` is now by default."""
        params: Params = {
            "repository": repository,
            "signature": signature_id,
            "all_data": True,
            "replicates": replicates or None,
            **self._time_params(interval, start, end, revision),
        }
        found = decode_list(self.api.get("performance/summary", params, policy=SOON, cancel=cancel), SeriesSummary)
        return replace(found, items=[one for one in found.items if one.signature_id == signature_id][:1])

    def fetch_values(
        self,
        repository: str,
        *,
        frameworks: Sequence[int] = (),
        interval: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        revision: str = "",
        subtests: bool = False,
        parent: int | None = None,
        replicates: bool = False,
        cancel: CancelToken | None = None,
    ) -> Result[SeriesSummary]:
        """Signatures with their values of a revision or a period, ROUNDED to two decimals (`series` has them in full).

        The endpoint gives either suites or subtests, never both: suites by default; `parent` (the ID of a suite) asks
        for its subtests.
        """
        params: Params = {
            "repository": repository,
            "framework": list(frameworks),
            "no_subtests": None if subtests or parent is not None else True,
            "parent_signature": parent,
            "replicates": replicates or None,
            **self._time_params(interval, start, end, revision),
        }
        return decode_list(self.api.get("performance/summary", params, policy=SOON, cancel=cancel), SeriesSummary)

    def _time_params(
        self, interval: int | None, start: datetime | None, end: datetime | None, revision: str
    ) -> dict[str, Any]:
        """What the summary endpoint needs one of: a revision, an interval, or a start and an end (both exclusive)."""
        if revision:
            return {"revision": revision}
        if start is None:
            return {"interval": interval if interval is not None else int(14 * DAY)}
        last = end if end is not None else datetime.fromtimestamp(self._clock(), UTC)
        return {"startday": _naive(start - SECOND), "endday": _naive(last + SECOND)}

    # Alerts

    def fetch_alert_summaries(
        self,
        filters: AlertSummaries,
        *,
        framework: int | None = None,
        status: int | None = None,
        cancel: CancelToken | None = None,
    ) -> Iterator[Result[PerformanceAlertSummary]]:
        """Alert summaries, newest alert first, 100 a page. New ones shift the pages: a row may come twice.

        `framework`, `status`: the server's numbers for those of `filters`. Text filters heed the case.
        """
        params: dict[str, Any] = {
            "repository": self.find_repository_id(filters.repository, cancel) if filters.repository else None,
            "framework": framework,
            "status": status,
            "filter_text": filters.words or None,
            "timerange": filters.timerange,
            "alerts__series_signature": filters.signature,
            "with_assignee": filters.assignee or None,
            **{name: True for flag, name in FLAG_PARAMETERS.items() if flag in filters.flags and flag != "monitored"},
            "monitored_alerts": 1 if "monitored" in filters.flags else None,
            "limit": SUMMARIES_A_PAGE,
        }
        page, seen = 1, 0
        while True:
            response = self.api.get("performance/alertsummary", {**params, "page": page}, policy=SOON, cancel=cancel)
            found = decode_list(response, PerformanceAlertSummary, member="results")
            yield found
            seen += len(found.items)
            # `next` is a URL of the server's own making, behind a proxy of another host: only its presence counts.
            if not found.envelope.get("next") or not found.items or (found.total is not None and seen >= found.total):
                return
            page += 1

    def fetch_alert_summary(self, number: int, cancel: CancelToken | None = None) -> Result[PerformanceAlertSummary]:
        """One summary by its own URL: the list's `id=` would have the server ask Taskcluster for profiles."""
        try:
            response = self.api.get(f"performance/alertsummary/{int(number)}", policy=SOON, cancel=cancel)
        except NotFoundError:
            raise UnknownItemError(f"Treeherder has no alert summary {number}.", "Check its number.") from None
        value = decode_json(response)
        if not isinstance(value, dict) or "alerts" not in value:
            raise NotTreeherderError(response.url, "it does not describe an alert summary")
        return Result([lenient(PerformanceAlertSummary, value)], response.freshness)

    # Pushes

    def fetch_pushes(
        self, repository: str, *, count: int = 100, before: int | None = None, since: int | None = None,
        search: Mapping[str, str] | None = None, cancel: CancelToken | None = None,
    ) -> Result[TreeherderPush]:  # fmt: skip
        """The newest pushes, or those from the second `since` up to the second `before`; pages overlap by that
        second's.

        `search`: revision (full or its beginning, of the tip), commit_revision (any commit, full), author,
        author_contains, search, startdate, enddate (YYYY-MM-DD).
        """
        params: Params = {
            "count": min(max(count, 1), PUSHES_A_PAGE),
            "push_timestamp__lte": before,
            "push_timestamp__gte": since,
            **(search or {}),
        }
        past = before is not None and before < self._clock() - LATE
        policy = CachePolicy.short(DAY) if past else CachePolicy.short(60)
        try:
            response = self.api.get(project_path(repository, "push"), params, policy=policy, cancel=cancel)
        except NotFoundError:
            raise UnknownRepositoryError(repository, self._repository_names(cancel)) from None
        return decode_list(response, TreeherderPush, member="results")

    def find_push(self, repository: str, revision: str, cancel: CancelToken | None = None) -> TreeherderPush:
        """The push with this revision, or its beginning, at its tip, or in full within it; its `id` and `revision` are
        set."""
        for member in ("revision", "commit_revision")[: 2 if len(revision) == FULL_REVISION else 1]:
            pushes = self.fetch_pushes(repository, count=2, search={member: revision}, cancel=cancel).items
            known = [push for push in pushes if push.revision is not None and push.id is not None]
            if known:
                return max(known, key=lambda push: (push.push_timestamp or 0, push.id))
        raise UnknownItemError(
            f"Treeherder has no push {revision[:40]} in {repository}.",
            "A commit inside a push is found by its full 40 digits only; the push may also be in another repository.",
        )

    def find_revisions(
        self, repository: str, hashes: tuple[str, str], days: tuple[str, str], cancel: CancelToken | None = None
    ) -> tuple[str, str]:
        """The revisions of the pushes (base, new) that `mach try perf` marked with these hashes on these days.

        The server looks in the commits of the day before to the day after. Where it finds none, or where the days are
        not known, the hashes are searched for in the newest pushes' messages.
        """
        names = ("basehash", "newhash", "basehashdate", "newhashdate")
        params = {name: value for name, value in zip(names, (*hashes, *days), strict=True) if value}
        try:
            found = decode_json(
                self.api.get(project_path(repository, "hash/tocommit"), params, policy=SOON, cancel=cancel)
            )
        except (BadRequestError, NotFoundError):
            found = {}
        commits = found if isinstance(found, dict) else {}
        base, new = (str(commits.get(f"{side}Revision") or "") for side in ("base", "new"))
        if base and new:
            return base, new
        return self._search_hash(repository, hashes[0], cancel), self._search_hash(repository, hashes[1], cancel)

    def _search_hash(self, repository: str, hash_: str, cancel: CancelToken | None) -> str:
        pushes = self.fetch_pushes(repository, count=1, search={"search": hash_}, cancel=cancel).items
        revision = next((push.revision for push in pushes if push.revision is not None), None)
        if revision is None:
            raise UnknownItemError(
                f"Treeherder has no push in {repository} with the hash {hash_} in its message (yet).",
                "Pushes of today may still be on their way; otherwise copy the URL with baseRev= and newRev=.",
            )
        return revision

    def count_jobs(
        self, repository: str, push_id: int, *, old: bool = False, cancel: CancelToken | None = None
    ) -> dict[str, int]:
        """How many jobs of a push have which result or state, as the server says; tier 3 and classified ones left out.

        `old`: the push is so old that nothing is added to it; then a finished one's counts are cached for a day.
        """
        path = project_path(repository, f"push/{int(push_id)}/status")

        def choose(response: Response) -> CachePolicy:
            value = decode_json(response)
            done = isinstance(value, dict) and not value.get("pending") and not value.get("running")
            return CachePolicy.short(DAY if old and done else 60)

        try:
            counts = decode_json(self.api.get(path, policy=choose, cancel=cancel))
        except NotFoundError:
            raise UnknownItemError(f"Treeherder has no push {push_id}.", "Check its number.") from None
        return {
            name: count
            for name, count in (counts if isinstance(counts, dict) else {}).items()
            if isinstance(count, int) and not isinstance(count, bool) and count >= 0
        }

    def find_revision(self, repository: str, push_id: int, cancel: CancelToken | None = None) -> str:
        """The revision of a push's tip; "" where that cannot be had: it only leads to the push's page."""
        try:
            return self.fetch_push(repository, push_id, cancel).revision or ""
        except (HttpError, NotTreeherderError):
            return ""

    def fetch_push(self, repository: str, push_id: int, cancel: CancelToken | None = None) -> TreeherderPush:
        """One push by its id."""
        path = project_path(repository, f"push/{int(push_id)}")
        push = decode_json(self.api.get(path, policy=_unless_empty, cancel=cancel))
        found: TreeherderPush = lenient(TreeherderPush, push if isinstance(push, dict) else {})
        return found

    # Jobs

    def fetch_jobs(self, repository: str, push_id: int, cancel: CancelToken | None = None) -> Result[PushJob]:
        """All jobs of a push, in no order."""
        first = self._fetch_jobs_page(repository, {"push_id": push_id, "count": self.jobs_a_page}, cancel)
        jobs, freshness = {job.id: job for job in first.items}, first.freshness
        if len(jobs) >= self.jobs_a_page:
            for lowest, highest in self._id_windows(push_id, cancel):
                query: Params = {
                    "push_id": push_id, "id__gte": lowest, "id__lte": highest, "count": self.jobs_a_page,
                }  # fmt: skip
                page = self._fetch_jobs_page(repository, query, cancel)
                jobs.update((job.id, job) for job in page.items)
                freshness = freshness.worse(page.freshness)
        # A filter that the endpoint does not understand is ignored by it, and all jobs come.
        return Result([job for job in jobs.values() if job.push_id == push_id], freshness, first.note)

    def _id_windows(self, push_id: int, cancel: CancelToken | None) -> Iterator[tuple[int, int]]:
        """First and last id of each 2,000 jobs of a push, in order."""
        page = 1
        while True:
            query = {"push_id": push_id, "count": self.jobs_a_page, "page": page}
            response = self.api.get("jobs", query, policy=CachePolicy.short(60), cancel=cancel)
            value = decode_json(response)
            names = value.get("job_property_names") if isinstance(value, dict) else None
            rows = value.get("results") if isinstance(value, dict) else None
            if not isinstance(names, list) or "id" not in names or not isinstance(rows, list):
                raise NotTreeherderError(response.url, "it does not list jobs")
            place = names.index("id")
            ids = [row[place] for row in rows if isinstance(row, list) and len(row) > place]
            numbers = [one for one in ids if isinstance(one, int)]
            if numbers:
                yield min(numbers), max(numbers)
            if not numbers or not value.get("next"):
                return
            page += 1

    def _fetch_jobs_page(self, repository: str, query: Params, cancel: CancelToken | None) -> Result[PushJob]:
        try:
            response = self.api.get(project_path(repository, "jobs"), query, policy=_while_running, cancel=cancel)
        except NotFoundError:
            raise UnknownItemError(f"Treeherder has no repository {repository[:60]}.", "Check its name.") from None
        found = decode_list(response, PushJob, member="results")
        return replace(found, items=[job for job in found.items if job.id is not None])

    def fetch_similar_jobs(
        self, repository: str, job_id: int, *, count: int = 100, cancel: CancelToken | None = None
    ) -> Result[PushJob]:
        """The latest jobs of the same type and build."""
        path = project_path(repository, f"jobs/{int(job_id)}/similar_jobs")
        response = self._get_of_job(path, job_id, {"count": count}, CachePolicy.short(120), cancel)
        return decode_list(response, PushJob, member="results")

    def fetch_job(self, repository: str, job_id: int, cancel: CancelToken | None = None) -> PushJob:
        """One job by its id."""
        path = project_path(repository, f"jobs/{int(job_id)}")
        response = self._get_of_job(path, job_id, None, _while_running, cancel)
        value = decode_json(response)
        if not isinstance(value, dict) or "id" not in value:
            raise NotTreeherderError(response.url, "it does not describe a job")
        job: PushJob = lenient(PushJob, value)
        return job

    def find_job(self, repository: str, task_id: str, run: int, cancel: CancelToken | None = None) -> PushJob:
        """The job that a run of a task is. Raises `UnknownItemError`."""
        query: Params = {"task_id": task_id, "retry_id": run, "count": 10}
        jobs = self._fetch_jobs_page(repository, query, cancel).items
        # A filter that the endpoint does not understand is ignored by it, and any jobs come.
        found = [job for job in jobs if job.task_id == task_id and job.retry_id == run]
        if not found:
            raise UnknownItemError(f"Treeherder has no job of task {task_id}.", "Jobs are deleted after 120 days.")
        return found[0]

    def fetch_log_errors(self, repository: str, job_id: int, cancel: CancelToken | None = None) -> Result[TextLogError]:
        """The lines that Treeherder took for failures; none until it has read the log."""
        path = project_path(repository, f"jobs/{int(job_id)}/text_log_errors")
        return decode_list(self._get_of_job(path, job_id, None, _unless_empty, cancel), TextLogError)

    def fetch_bug_suggestions(
        self, repository: str, job_id: int, cancel: CancelToken | None = None
    ) -> list[dict[str, Any]]:
        """What each failure line was searched for and which bugs were found, as the server says it."""
        path = project_path(repository, f"jobs/{int(job_id)}/bug_suggestions")
        found = decode_json(self._get_of_job(path, job_id, None, _unless_empty, cancel))
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def fetch_tasks(self, job_ids: Iterable[int], cancel: CancelToken | None = None) -> dict[int, tuple[str, int]]:
        """Job -> (task id, run) in Taskcluster. A job's task never changes."""
        ids = sorted(set(job_ids))
        tasks: dict[int, tuple[str, int]] = {}
        for start in range(0, len(ids), IDS_A_REQUEST):
            query = {"job_ids": ",".join(map(str, ids[start : start + IDS_A_REQUEST]))}
            response = self.api.get("taskclustermetadata", query, policy=_unless_empty, cancel=cancel)
            for one in decode_list(response, JobTask).items:
                if one.job is not None and one.task_id:
                    tasks[one.job] = (one.task_id, one.retry_id or 0)
        return tasks

    def _get_of_job(
        self, path: str, job_id: int, query: Params | None, policy: Policy, cancel: CancelToken | None
    ) -> Response:
        try:
            return self.api.get(path, query, policy=policy, cancel=cancel)
        except (NotFoundError, BadRequestError) as error:
            if isinstance(error, NotFoundError) and error.status == 200:
                raise
            raise UnknownItemError(
                f"Treeherder has no job {job_id} in this repository.", "Jobs are deleted after 120 days."
            ) from None


def revision_of_landing_job(http: Http, number: int, instance: str = "", cancel: CancelToken | None = None) -> str:
    """The revision that a landing job of Lando became, as Treeherder's and perf.compare's pages ask for it.

    Raises `UnknownItemError` with the job's status where it has not become a push (yet).
    """
    url = f"https://{LANDO_HOSTS.get(instance, LANDO_HOSTS[DEFAULT_LANDO])}/landing_jobs/{int(number)}"

    def choose(response: Response) -> CachePolicy:  # a job that has landed never changes again
        return CachePolicy.short(DAY) if _LANDED.search(response.body) else CachePolicy.never()

    try:
        response = http.get(url, policy=choose, cap=1 << 20, cancel=cancel)
    except NotFoundError:
        raise UnknownItemError(
            f"Lando has no landing job {number}.", "Check the number, and landoInstance= if given."
        ) from None
    job = None if is_page(response) else decode_json(response)
    if not isinstance(job, dict):
        raise NotTreeherderError(url, "it does not describe a landing job of Lando")
    revision = as_text(job.get("commit_id")) or ""
    if revision:
        return revision
    status = (as_text(job.get("status")) or "unknown").lower().replace("_", " ")[:40]
    reason = (as_text(job.get("error")) or "").strip().split("\n")[0][:200]
    if reason:
        raise UnknownItemError(f"Landing job {number} became no push: it is {status} ({reason}).", "Ask Lando why.")
    raise UnknownItemError(
        f"Landing job {number} has not become a push yet: it is {status}.", "Try again in a few minutes."
    )


def _naive(moment: datetime) -> str:
    """UTC without a zone, as the server's own times are; it refuses some spellings of zones."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _while_running(response: Response) -> CachePolicy:
    """A push whose jobs have all ended, and some while ago, hardly ever gets another: an hour, else a minute."""
    ends = [int(match[1]) for match in _END.finditer(response.body)]
    settled = not _LIVE.search(response.body) and max(ends, default=time.time()) < time.time() - LATE
    return CachePolicy.short(3600 if settled else 60)


def _unless_empty(response: Response) -> CachePolicy:
    """What Treeherder makes of a log is there later than the job: cached for a day once there is something."""
    return CachePolicy.short(DAY) if response.body.strip() not in (b"[]", b"{}") else CachePolicy.short(60)
