"""What a Treeherder can be asked about jobs: those of a push, by id, alike ones, their failures, logs and tasks.

/api/project/X/jobs/ gives its rows in no order, so paging it by offset loses and repeats rows: of 14,715 jobs, 14,715
rows came, and 256 of the jobs did not. It is asked per push or by ids, which one page holds; a push with more jobs than
that is cut into windows of ids, which the other, ordered endpoint (/api/jobs/) gives.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from backends.http.errors import BadRequestError, HttpError, NotFoundError
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.treeherder.answers import Hold, NotTreeherder, Rows, entries, lenient, value_of
from backends.treeherder.asking import DAY, NoSuchThing, project
from backends.treeherder.columns import JOBS
from backends.treeherder.job_rows import counted, job_frame
from backends.treeherder.reference_client import ReferenceClient
from backends.treeherder.structs import Job, JobLog, JobTask, LogError

if TYPE_CHECKING:
    from backends.cancel import CancelToken

JOBS_A_PAGE = 2000  # more is refused
_END = re.compile(rb'"end_timestamp":\s*([0-9]{1,11})\b')
_LIVE = re.compile(rb'"state":\s*"(?!completed")')
IDS_A_REQUEST = 300  # seven digits each: an address of 2.4 KB, which every proxy takes


class JobsClient(ReferenceClient):
    """The part of the client that is about jobs."""

    _pages = JOBS_A_PAGE

    def jobs_of_push(self, repository: str, push_id: int, cancel: CancelToken | None = None) -> Rows:
        """All jobs of a push (schema `JOBS`), failures first."""
        rows = self._jobs(repository, {"push_id": push_id, "count": self._pages}, cancel)
        if len(rows.frame) < self._pages:
            return self._of_push(rows, push_id)
        parts, origin = [rows.frame], rows.origin
        for first, last in self._windows(push_id, cancel):
            query: dict[str, str | int] = {"push_id": push_id, "id__gte": first, "id__lte": last, "count": self._pages}
            page = self._jobs(repository, query, cancel)
            parts.append(page.frame)
            origin = origin.worse(page.origin)
        every = pl.concat(parts).unique("key", keep="last", maintain_order=True)
        return self._of_push(Rows(every, origin, rows.note), push_id)

    def jobs_by_id(self, repository: str, ids: Sequence[int], cancel: CancelToken | None = None) -> Rows:
        """These jobs (schema `JOBS`), as far as they are still there: jobs are deleted after 120 days."""
        parts, origin, note = [JOBS.empty()], Freshness(), ""
        for number, some in enumerate(_chunks(list(dict.fromkeys(ids)), IDS_A_REQUEST)):
            query: dict[str, str | int] = {"id__in": ",".join(map(str, some)), "count": self._pages}
            page = self._jobs(repository, query, cancel)
            parts.append(page.frame.filter(pl.col("job_id").is_in(list(map(str, some)))))
            origin = origin.worse(page.origin) if number else page.origin
            note = note or page.note
        return Rows(pl.concat(parts), origin, note)

    def similar_jobs(
        self, repository: str, job_id: int, *, count: int = 100, cancel: CancelToken | None = None
    ) -> Rows:
        """The latest jobs of the same type and build (schema `JOBS`), newest first."""
        path = project(repository, f"jobs/{int(job_id)}/similar_jobs")
        answer = self._of_job(path, job_id, {"count": count}, CachePolicy.short(120), cancel)
        read = entries(answer, Job, member="results")
        frame = job_frame(read.items, self.classifications(cancel))
        return Rows(frame.sort("submitted", descending=True, nulls_last=True), answer.origin, read.note)

    def job(self, repository: str, job_id: int, cancel: CancelToken | None = None) -> Rows:
        """One job (schema `JOBS`)."""
        path = project(repository, f"jobs/{int(job_id)}")
        answer = self._of_job(path, job_id, None, _while_running, cancel)
        value = value_of(answer)
        if not isinstance(value, dict) or "id" not in value:
            raise NotTreeherder(answer.url, "it describes no job")
        return Rows(job_frame([lenient(Job, value)], self.classifications(cancel)), answer.origin)

    def log_errors(
        self, repository: str, job_id: int, cancel: CancelToken | None = None
    ) -> tuple[list[LogError], Freshness]:
        """The lines that Treeherder took for failures; none until it has read the log."""
        path = project(repository, f"jobs/{int(job_id)}/text_log_errors")
        answer = self._of_job(path, job_id, None, _once_there, cancel)
        return entries(answer, LogError).items, answer.origin

    def bug_suggestions(self, repository: str, job_id: int, cancel: CancelToken | None = None) -> list[dict[str, Any]]:
        """What each failure line was searched for and which bugs were found, as the server says it."""
        path = project(repository, f"jobs/{int(job_id)}/bug_suggestions")
        found = value_of(self._of_job(path, job_id, None, _once_there, cancel))
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def job_logs(self, repository: str, job_ids: Sequence[int], cancel: CancelToken | None = None) -> list[JobLog]:
        """The logs of jobs, with their addresses."""
        found: list[JobLog] = []
        for some in _chunks(job_ids, IDS_A_REQUEST):
            path = project(repository, "job-log-url")
            found += entries(self.asker.ask(path, {"job_id": some}, policy=_once_there, cancel=cancel), JobLog).items
        return found

    def tasks_of_jobs(self, job_ids: Iterable[int], cancel: CancelToken | None = None) -> dict[int, tuple[str, int]]:
        """Job -> (task id, run) in Taskcluster. A job's task never changes."""
        found: dict[int, tuple[str, int]] = {}
        for some in _chunks(sorted(set(job_ids)), IDS_A_REQUEST):
            query = {"job_ids": ",".join(map(str, some))}
            answer = self.asker.ask("taskclustermetadata", query, policy=_once_there, cancel=cancel)
            for one in entries(answer, JobTask).items:
                if one.job is not None and one.task_id:
                    found[one.job] = (one.task_id, one.retry_id or 0)
        return found

    def push_counts(
        self, repository: str, push_id: int, *, old: bool = False, cancel: CancelToken | None = None
    ) -> dict[str, int]:
        """How many jobs of a push have which result, see `job_rows.counted`; tier 3 and classified ones left out.

        `old`: the push is so old that nothing is added to it; then a finished one's counts hold for a day.
        """
        path = project(repository, f"push/{int(push_id)}/status")

        def hold(answer: Response) -> CachePolicy:
            value = value_of(answer)
            done = isinstance(value, dict) and not value.get("pending") and not value.get("running")
            return CachePolicy.short(DAY if old and done else 60)

        try:
            found = value_of(self.asker.ask(path, policy=hold, cancel=cancel))
        except NotFoundError:
            raise NoSuchThing(f"Treeherder has no push {push_id}.", "Check its number.") from None
        return counted(found if isinstance(found, dict) else {})

    def revision_of_push(self, repository: str, push_id: int, cancel: CancelToken | None = None) -> str:
        """The revision of a push's tip; "" where that cannot be asked for: it only leads to the push's page."""
        try:
            path = project(repository, f"push/{int(push_id)}")
            found = value_of(self.asker.ask(path, policy=_once_there, cancel=cancel))
        except (HttpError, NotTreeherder):
            return ""
        return str(found.get("revision") or "") if isinstance(found, dict) else ""

    def _windows(self, push_id: int, cancel: CancelToken | None) -> Iterator[tuple[int, int]]:
        """First and last id of each 2,000 jobs of a push, in order."""
        page = 1
        while True:
            query = {"push_id": push_id, "count": self._pages, "page": page}
            answer = self.asker.ask("jobs", query, policy=CachePolicy.short(60), cancel=cancel)
            value = value_of(answer)
            names = value.get("job_property_names") if isinstance(value, dict) else None
            rows = value.get("results") if isinstance(value, dict) else None
            if not isinstance(names, list) or "id" not in names or not isinstance(rows, list):
                raise NotTreeherder(answer.url, "it lists no jobs")
            place = names.index("id")
            ids = [row[place] for row in rows if isinstance(row, list) and len(row) > place]
            numbers = [one for one in ids if isinstance(one, int)]
            if numbers:
                yield min(numbers), max(numbers)
            if not numbers or not value.get("next"):
                return
            page += 1

    def _jobs(self, repository: str, query: Mapping[str, str | int], cancel: CancelToken | None) -> Rows:
        try:
            answer = self.asker.ask(project(repository, "jobs"), query, policy=_while_running, cancel=cancel)
        except NotFoundError:
            raise NoSuchThing(f"Treeherder has no repository {repository[:60]}.", "Check its name.") from None
        read = entries(answer, Job, member="results")
        return Rows(job_frame(read.items, self.classifications(cancel)), answer.origin, read.note)

    def _of_push(self, rows: Rows, push_id: int) -> Rows:
        """A filter that the endpoint does not understand is ignored by it, and all jobs come: only the push's stay."""
        own = rows.frame.filter(pl.col("push_id") == str(push_id))
        return Rows(own, rows.origin, rows.note)

    def _of_job(
        self,
        path: str,
        job_id: int,
        query: Mapping[str, int] | None,
        policy: Hold,
        cancel: CancelToken | None,
    ) -> Response:
        try:
            return self.asker.ask(path, query, policy=policy, cancel=cancel)
        except (NotFoundError, BadRequestError) as problem:
            if isinstance(problem, NotFoundError) and problem.status == 200:
                raise
            raise NoSuchThing(
                f"Treeherder has no job {job_id} in this repository.", "Jobs are deleted after 120 days."
            ) from None


def _chunks(items: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _while_running(answer: Response) -> CachePolicy:
    """A push whose jobs have all ended, and some while ago, hardly ever gets another: an hour, else a minute."""
    if _LIVE.search(answer.body):
        return CachePolicy.short(60)
    return CachePolicy.short(3600) if _newest_end(answer.body) < time.time() - 4 * DAY else CachePolicy.short(60)


def _newest_end(body: bytes) -> float:
    """The latest end of any job in an answer, in epoch seconds; now if it tells none."""
    return max((int(one[1]) for one in _END.finditer(body)), default=time.time())


def _once_there(answer: Response) -> CachePolicy:
    """What Treeherder makes of a log is there later than the job: kept for a day once there is something."""
    return CachePolicy.short(DAY) if answer.body.strip() not in (b"[]", b"{}") else CachePolicy.short(60)
