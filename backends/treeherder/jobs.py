"""The jobs of a push, and jobs like one: failures first, each leading to its task, its log and its failure lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.failure_links import failure_entries, since_entries
from backends.frames.formats import format_value
from backends.frames.getters import epoch_seconds, iso_time, optional, seconds_between, with_context, yes_if
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.http.policies import Mode
from backends.lenient_json import as_text
from backends.locators import Locator
from backends.resources import PUSH, Entry, Link, LogAddress, Page, Row, digit_key
from backends.taskcluster.locators import Task, TaskArtifacts, TaskMeasurements
from backends.treeherder.api import Result
from backends.treeherder.base import (
    FAILED_RESULTS,
    Context,
    TreeherderList,
    as_number,
    count_values,
    id_column,
    log_of,
    task_ids,
    task_of,
)
from backends.treeherder.client import TreeherderClient
from backends.treeherder.locators import JobFailures, PushJobs, SimilarJobs
from backends.treeherder.models import PushJob, TextLogError
from backends.treeherder.web_urls import job_url, push_url

BUG_PAGE = "https://bugzilla.mozilla.org/show_bug.cgi?id="
UNFINISHED = ("unscheduled", "pending", "running")
NOT_CLASSIFIED = (None, 1, 6)  # "not classified", and "new failure not classified"


def _result(job: PushJob) -> str | None:
    """The state of a job that is not completed: the server says "unknown" there."""
    return job.result if job.state in (None, "completed") else job.state


def _symbol(job: PushJob) -> str | None:
    """As Treeherder's page has it: "Btime(ss3)", "B" for a job without a group."""
    symbol, group = job.job_type_symbol, job.job_group_symbol
    return f"{group}({symbol})" if symbol and group and group != "?" else symbol or None


def _classification(job: PushJob, names: Mapping[int, str]) -> str | None:
    number = job.failure_classification_id
    return None if number in NOT_CLASSIFIED else names.get(number, f"class {number}")


JOBS = Schema(
    (
        Column("result", Kind.STATE, "Result", width=12, section="Job", get=_result),
        Column("symbol", Kind.TEXT, "Symbol", width=10, section="Job", get=_symbol),
        Column("name", Kind.TEXT, "Job", width=34, keeps_end=True, get="job_type_name"),
        Column("duration", Kind.DURATION, "Duration", "s", section="Times", get=seconds_between("started", "ended")),
        Column("wait", Kind.DURATION, "Wait", "s", section="Times", get=seconds_between("submitted", "started")),
        Column("platform", Kind.TEXT, "Platform", width=24, keeps_end=True, section="Job",
               get=lambda job: job.platform or job.build_platform),
        Column("option", Kind.TEXT, "Build", section="Job", get=optional("platform_option")),
        Column("started", Kind.TIME, "Started", section="Times", get=epoch_seconds("start_timestamp")),
        Column("tier", Kind.COUNT, "Tier", section="Job", get="tier"),
        Column("classified", Kind.TEXT, "Classified", section="Job", get=with_context(_classification)),
        Column("machine", Kind.TEXT, "Machine", section="Times", get=optional("machine_name")),
        Column("who", Kind.TEXT, "Who", section="Job", get=optional("who")),
        Column("task_id", Kind.ID, "Task", section="Ids", get=optional("task_id")),
        Column("run", Kind.COUNT, "Run", section="Ids", get="retry_id"),
        id_column("job_id", "Job id", section="Ids", get="id"),
        Column("state", Kind.STATE, "State", hidden=True, section="Job", get="state"),
        Column("group", Kind.TEXT, "Group", hidden=True, section="Job", get="job_group_name"),
        Column("reason", Kind.TEXT, "Reason", hidden=True, section="Job", get=optional("reason")),
        Column("submitted", Kind.TIME, "Submitted", hidden=True, section="Times",
               get=epoch_seconds("submit_timestamp")),
        Column("ended", Kind.TIME, "Ended", hidden=True, section="Times", get=epoch_seconds("end_timestamp")),
        Column("modified", Kind.TIME, "Row written", hidden=True, section="Ids", get=iso_time("last_modified")),
        id_column("push_id", "Push", hidden=True, section="Ids", get="push_id"),
        Column("job_guid", Kind.ID, "Guid", hidden=True, section="Ids", get="job_guid"),
        id_column("classification_id", "Classification", hidden=True, get="failure_classification_id"),
    ),
    key="key",
    key_get="id",
)  # fmt: skip


def job_frame(jobs: Sequence[PushJob], classifications: Mapping[int, str] | None = None) -> pl.DataFrame:
    """Failures first (unclassified ones before classified), then what still runs or waits, then the rest, by name."""
    frame = JOBS.build([job for job in jobs if job.id is not None], classifications or {})
    failed = pl.col("result").is_in(list(FAILED_RESULTS)).fill_null(False)
    order = (
        pl.when(failed & pl.col("classified").is_null()).then(0)
        .when(failed).then(1)
        .when(pl.col("state").is_in(list(UNFINISHED))).then(2)
        .when(pl.col("result") == "success").then(4)
        .otherwise(3)
    )  # fmt: skip
    return frame.sort(order, "name", "submitted", as_number("job_id"), nulls_last=True)


class _Jobs(TreeherderList):
    """Base of the lists of jobs."""

    schema = JOBS
    noun = ("job", "jobs")

    def __init__(self, locator: PushJobs | SimilarJobs, context: Context) -> None:
        super().__init__(locator, context)
        self.repository = locator.repository
        self._total = 0  # jobs of the complete list, once read
        self._root = ""  # the Taskcluster deployment that ran the tasks; known once read

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._root = self.root_of(self.repository, cancel)
        yield self._page(self.client, cancel)

    def _page(self, client: TreeherderClient, cancel: CancelToken) -> Page:
        found = self._fetch(client, cancel)
        frame = job_frame(found.items, client.fetch_classifications(cancel))
        self._total = len(frame)
        return Page(frame, found.freshness, total=len(frame), note=found.note)

    def _fetch(self, client: TreeherderClient, cancel: CancelToken) -> Result[PushJob]:
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
        job, task, log = int(row["job_id"]), self.open(row), self.log(row)
        entries: list[Entry] = []
        if task is not None:
            entries.append(Link("Its task and artifacts", task, letter="t"))
        if log is not None:
            entries.append(Link("Its log", log, letter="l"))
        if row.get("result") in ("testfailed", "busted"):
            entries += since_entries(task)
        if row.get("result") != "success":
            failures = JobFailures(self.repository, job, self.server)
            entries.append(Link("Its failure lines and the bugs they look like", failures, letter="f"))
        entries.append(Link("Similar jobs", SimilarJobs(self.repository, job, self.server), letter="m"))
        if row.get("push_id") is not None:
            jobs = PushJobs(self.repository, int(row["push_id"]), self.server)
            entries.append(Link("All jobs of its push", jobs, letter="p", group=PUSH))
        return [*entries, *failure_entries(self.failures(rows))]

    def failures(self, rows: pl.DataFrame) -> Locator | None:
        """The list itself, or the tasks of the failed ones among some of its jobs."""
        ids = task_ids(rows.filter(pl.col("result").is_in(list(FAILED_RESULTS))))
        if ids and len(rows) >= self._total:
            return self.locator
        return TaskArtifacts(ids, self._root) if ids else None

    def row_title(self, row: Row) -> str:
        return str(row.get("name") or row["job_id"])

    def web_url(self, row: Row | None = None) -> str:
        """Of a row, its push with the job selected: the page finds a job only in the pushes that it shows."""
        task = str(row.get("task_id") or "") if row is not None else ""
        if row is None or not task:
            return self._list_url()
        return self.jobs_url(self.repository, self._find_revision(row), task, row.get("run"))

    def _list_url(self) -> str:
        raise NotImplementedError

    def _find_revision(self, row: Row) -> str:
        """The revision of the row's push, "" where it is not known."""
        return ""

    def summary(self, frame: pl.DataFrame) -> str:
        """ "3 testfailed · 61 success · 42m of machine time"."""
        order = {name: place for place, name in enumerate((*FAILED_RESULTS, *UNFINISHED, "success"))}
        counts = dict(frame["result"].drop_nulls().value_counts(name="n").iter_rows())
        parts = [f"{counts[name]:,} {name}" for name in sorted(counts, key=lambda name: (order.get(name, 99), name))]
        spent = frame["duration"].sum()
        return " · ".join([*parts, *([f"{format_value(spent, JOBS['duration'])} of machine time"] if spent else [])])


class PushJobList(_Jobs):
    """All jobs of one push; those that failed come first, of these what nobody has classified. Enter: the task."""

    empty_text = "This push has no jobs (yet), or they have expired (they are kept for 120 days)."
    poll_seconds: ClassVar[float] = 60
    default_sort = (("result", False),)
    locator: PushJobs

    def __init__(self, locator: PushJobs, context: Context) -> None:
        super().__init__(locator, context)
        self._revision: str | None = locator.revision or None  # of the push, for its page; asked for once if not known

    @property
    def title(self) -> str:
        return f"jobs of {self.repository} {self._revision[:12] if self._revision else f'push {self.locator.push_id}'}"

    def _list_url(self) -> str:
        return push_url(self.client.base, replace(self.locator, revision=self._revision or ""))

    def _find_revision(self, row: Row) -> str:
        return self._revision or "" if row.get("push_id") == str(self.locator.push_id) else ""

    def _fetch(self, client: TreeherderClient, cancel: CancelToken) -> Result[PushJob]:
        if self._revision is None:
            self._revision = client.find_revision(self.repository, self.locator.push_id, cancel)
        return client.fetch_jobs(self.repository, self.locator.push_id, cancel)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """The jobs that are new or have changed; None once all have ended."""
        http = self.context.http
        if (not frame.is_empty() and not frame["state"].is_in(list(UNFINISHED)).any()) or http.mode.is_offline:
            return None
        refreshing = http.with_mode(Mode.REFRESH) if http.mode is Mode.NORMAL else http
        page = self._page(TreeherderClient(refreshing, self.context.base), cancel)
        changed = page.frame.join(frame, on=page.frame.columns, how="anti", nulls_equal=True)
        return Page(changed, page.freshness, note=page.note)


class SimilarJobList(_Jobs):
    """Other jobs of the same type and build: how often does it fail? Enter: the task."""

    empty_text = "There is no other job like it."
    locator: SimilarJobs
    _name = ""  # known with the rows

    @property
    def title(self) -> str:
        return f"jobs like {self._name or self.locator.job_id} in {self.repository}"

    def _list_url(self) -> str:
        return job_url(self.client.base, self.locator)

    def _page(self, client: TreeherderClient, cancel: CancelToken) -> Page:
        page = super()._page(client, cancel)
        names = page.frame["name"].drop_nulls()  # all have the same
        self._name = str(names[0]) if len(names) else ""
        return replace(page, frame=page.frame.sort("submitted", descending=True, nulls_last=True))

    def _fetch(self, client: TreeherderClient, cancel: CancelToken) -> Result[PushJob]:
        return client.fetch_similar_jobs(self.repository, self.locator.job_id, cancel=cancel)

    def summary(self, frame: pl.DataFrame) -> str:
        ended = frame.filter(pl.col("state") == "completed")
        failed = ended["result"].is_in(list(FAILED_RESULTS)).sum()
        share = [f"{100 * failed / len(ended):.0f} % failed"] if len(ended) else []
        return " · ".join([*share, *count_values(frame, "result")])


@dataclass(frozen=True)
class _FailureLine:
    error: TextLogError
    suggestion: dict[str, Any]  # what Treeherder searched Bugzilla for, and what it found

    def bugs(self) -> list[tuple[int, str | None]]:
        """(number, summary), open and recent ones first."""
        bugs = self.suggestion.get("bugs")
        found = [*_dicts(bugs, "open_recent"), *_dicts(bugs, "all_others")]
        return [(bug["id"], as_text(bug.get("summary"))) for bug in found if isinstance(bug.get("id"), int)]

    def bug_numbers(self) -> str | None:
        return " ".join(str(number) for number, _ in self.bugs()) or None

    def first_bug(self) -> str | None:
        return next((summary for _, summary in self.bugs()), None)


FAILURE_LINES = Schema(
    (
        Column("line_number", Kind.COUNT, "Line", get="error.line_number"),
        Column("line", Kind.TEXT, "Failure", width=70, section="Failure", get="error.line"),
        Column("bugs", Kind.TEXT, "Bugs like it", section="Failure", get=_FailureLine.bug_numbers),
        Column("bug_summary", Kind.TEXT, "First of them", width=40, section="Failure", get=_FailureLine.first_bug),
        Column("new", Kind.TEXT, "New", section="Failure", get=yes_if("error.new_failure")),
        Column(
            "search", Kind.TEXT, "Searched for", hidden=True, section="Failure",
            get=lambda line: as_text(line.suggestion.get("search")),
        ),
    ),
    key="key",
    key_get="error.id",
)  # fmt: skip


class FailureLines(TreeherderList):
    """The failure lines of a job as Treeherder read them from its log, and the bugs that they look like. Enter: the
    log."""

    schema = FAILURE_LINES
    noun = ("failure line", "failure lines")
    empty_text = "Treeherder found no failure line in this job's log, or has not read it."
    locator: JobFailures

    def __init__(self, locator: JobFailures, context: Context) -> None:
        super().__init__(locator, context)
        self._job: Row = {}
        self._root = ""

    @property
    def title(self) -> str:
        return f"failures of {self._job.get('name') or f'job {self.locator.job_id}'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        at = self.locator
        job = job_frame([self.client.fetch_job(at.repository, at.job_id, cancel)])
        self._job = job.row(0, named=True) if len(job) else {}
        self._root = self.root_of(at.repository, cancel)
        errors = self.client.fetch_log_errors(at.repository, at.job_id, cancel)
        note = ""
        suggestions: list[dict[str, Any]] = []
        try:
            suggestions = self.client.fetch_bug_suggestions(at.repository, at.job_id, cancel)
        except HttpError as error:
            note = f"Bugs could not be looked for: {error.sentence}"
        by_line = {one["line_number"]: one for one in suggestions if isinstance(one.get("line_number"), int)}
        frame = FAILURE_LINES.build([_FailureLine(one, by_line.get(one.line_number or -1, {})) for one in errors.items])
        yield Page(frame, errors.freshness, total=len(frame), note=note)

    def log(self, row: Row) -> LogAddress | None:
        return log_of(self._job, self._root)

    def shows(self, row: Row) -> LogAddress | None:
        return self.log(row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        task = task_of(self._job, self._root)
        similar = SimilarJobs(self.locator.repository, self.locator.job_id, self.server)
        bugs = str((row or {}).get("bugs") or "").split()
        return [
            *(
                Link(f"Bug {bug} in the browser", f"{BUG_PAGE}{bug}", letter=digit_key(number))
                for number, bug in enumerate(bugs[:10])
            ),
            *([] if task is None else [Link("The task and its artifacts", task, letter="t", group="This job")]),
            Link("Similar jobs", similar, letter="m", group="This job"),
        ]

    def row_title(self, row: Row) -> str:
        return f"Line {row['line_number']}"

    def web_url(self, row: Row | None = None) -> str:
        return job_url(self.client.base, self.locator, None if row is None else row["line_number"])


def _dicts(value: Any, name: str) -> list[dict[str, Any]]:
    items = value.get(name) if isinstance(value, dict) else None
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
