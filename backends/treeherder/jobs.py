"""The jobs of a push, and jobs like one: failures first, each leading to its task, its log and its failure lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import format_value
from backends.http.policies import Mode
from backends.locators.perfherder import JobFailures, PushJobs, SimilarJobs
from backends.locators.perfherder_pages import job_url, push_url
from backends.resources import Detail, Entry, Link, LogAddress, Page, Row
from backends.taskcluster.locators import Task, TaskArtifacts, TaskMeasurements
from backends.treeherder.answers import Rows
from backends.treeherder.client import Treeherder
from backends.treeherder.columns import FAILED_RESULTS, JOBS
from backends.treeherder.listed import TreeherderList, Where, counts, log_of, task_ids, task_of, told

UNFINISHED = ("unscheduled", "pending", "running")


class _Jobs(TreeherderList):
    schema = JOBS
    noun = ("job", "jobs")
    repository: str

    def __init__(self, locator: PushJobs | SimilarJobs, where: Where) -> None:
        super().__init__(locator, where)
        self.repository = locator.repository
        self._where = where
        self._root = ""  # the deployment that ran the tasks; known once read

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._root = self.root_of(self.repository, cancel)
        rows = self._rows(self.treeherder, cancel)
        yield Page(rows.frame, rows.origin, total=len(rows.frame), note=rows.note)

    def _rows(self, treeherder: Treeherder, cancel: CancelToken) -> Rows:
        raise NotImplementedError

    def open(self, row: Row) -> Task | None:
        return task_of(row, self._root)

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = task_ids(rows)
        return TaskArtifacts(ids, self._root) if ids else None

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        ids = task_ids(rows)
        return TaskMeasurements(ids, self._root) if ids else None

    def log(self, row: Row) -> LogAddress | None:
        return log_of(row, self._root, live=row.get("state") in UNFINISHED)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        if row is None:
            return []
        job = int(row["job_id"])
        found: list[Entry] = []
        task = self.open(row)
        if task is not None:
            found.append(Link("Its task and artifacts", task))
        log = self.log(row)
        if log is not None:
            found.append(Link("Its log", log))
        found.append(
            Link("Its failure lines and the bugs they look like", JobFailures(self.repository, job, self.server))
        )
        found.append(Link("Jobs like it, newest first", SimilarJobs(self.repository, job, self.server)))
        if row.get("push_id") is not None:
            found.append(Link("All jobs of its push", PushJobs(self.repository, int(row["push_id"]), self.server)))
        return found

    def detail(self, row: Row) -> Detail:
        what = ("result", "state", "symbol", "group", "platform", "option", "tier", "classified", "reason", "who")
        when = ("submitted", "wait", "started", "duration", "ended", "machine")
        ids = ("task_id", "run", "job_id", "job_guid", "push_id", "modified")
        sections = (("Job", told(row, JOBS, what)), ("Times", told(row, JOBS, when)), ("Ids", told(row, JOBS, ids)))
        return Detail(str(row.get("name") or row["job_id"]), sections)

    def web_url(self, row: Row | None = None) -> str:
        """Of a row, its push with the job selected: the page finds a job only in the pushes that it shows."""
        task = str(row.get("task_id") or "") if row is not None else ""
        if row is None or not task:
            return self._list_url()
        return self.jobs_url(self.repository, self._revision_of(row), task, row.get("run"))

    def _list_url(self) -> str:
        raise NotImplementedError

    def _revision_of(self, row: Row) -> str:
        """The revision of the row's push, "" where it is not known."""
        return ""

    def summary(self, frame: pl.DataFrame) -> str:
        """ "3 testfailed · 61 success · 42m of machine time"."""
        order = {name: place for place, name in enumerate((*FAILED_RESULTS, *UNFINISHED, "success"))}
        found = dict(frame["result"].drop_nulls().value_counts(name="n").iter_rows())
        parts = [f"{found[name]:,} {name}" for name in sorted(found, key=lambda name: (order.get(name, 99), name))]
        spent = frame["duration"].sum()
        return " · ".join([*parts, *([f"{format_value(spent, JOBS['duration'])} of machine time"] if spent else [])])


class JobList(_Jobs):
    """All jobs of one push; those that failed and that nobody has classified come first. Enter: the task."""

    empty_text = "This push has no jobs (yet), or they have expired (they are kept for 120 days)."
    poll_seconds: ClassVar[float] = 60
    locator: PushJobs

    def __init__(self, locator: PushJobs, where: Where) -> None:
        super().__init__(locator, where)
        self._revision: str | None = locator.revision or None  # of the push, for its page; asked for once if not known

    @property
    def title(self) -> str:
        return f"{self.repository} push {self.locator.push_id}"

    def _list_url(self) -> str:
        return push_url(self.treeherder.base, replace(self.locator, revision=self._revision or ""))

    def _revision_of(self, row: Row) -> str:
        return self._revision or "" if row.get("push_id") == str(self.locator.push_id) else ""

    def _rows(self, treeherder: Treeherder, cancel: CancelToken) -> Rows:
        if self._revision is None:
            self._revision = treeherder.revision_of_push(self.repository, self.locator.push_id, cancel)
        return treeherder.jobs_of_push(self.repository, self.locator.push_id, cancel)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """The jobs that are new or have changed; None once all have ended."""
        if not frame.is_empty() and not frame["state"].is_in(list(UNFINISHED)).any():
            return None
        if self._where.http.mode is Mode.OFFLINE:
            return None
        http = self._where.http
        asked = http.with_mode(Mode.REFRESH) if http.mode is Mode.NORMAL else http
        rows = self._rows(Treeherder(asked, self._where.base), cancel)
        changed = rows.frame.join(frame, on=rows.frame.columns, how="anti", nulls_equal=True)
        return Page(changed, rows.origin, note=rows.note)


class SimilarJobList(_Jobs):
    """Other jobs of the same type and build: how often does it fail? Enter: the task."""

    empty_text = "There is no other job like it."
    locator: SimilarJobs

    def _list_url(self) -> str:
        return job_url(self.treeherder.base, self.locator)

    @property
    def title(self) -> str:
        return f"{self.repository} jobs like {self.locator.job_id}"

    def _rows(self, treeherder: Treeherder, cancel: CancelToken) -> Rows:
        return treeherder.similar_jobs(self.repository, self.locator.job_id, cancel=cancel)

    def summary(self, frame: pl.DataFrame) -> str:
        ended = frame.filter(pl.col("state") == "completed")
        failed = ended["result"].is_in(list(FAILED_RESULTS)).sum()
        share = [f"{100 * failed / len(ended):.0f} % failed"] if len(ended) else []
        return " · ".join([*share, *counts(frame, "result")])
