"""The runs of a task as a list: which worker, why it began and ended, how long it waited and took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.getters import iso_milliseconds, iso_time, optional, seconds_between
from backends.frames.schema import Column, Kind, Schema
from backends.http.policies import CachePolicy
from backends.resources import Document, Entry, LogAddress, Page, Row
from backends.taskcluster import urls
from backends.taskcluster.actions import task_entries
from backends.taskcluster.artifacts import ListedTask, files_of_tasks
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.contents import ClientListing, task_document
from backends.taskcluster.locators import Task, TaskRuns
from backends.taskcluster.logs import FAILED, run_log
from backends.taskcluster.models import TaskRun, TaskStatus
from backends.taskcluster.task_rows import push_of_routes, worker_pool
from backends.transfers.files import RemoteFile

RESTING = 45.0  # seconds between two looks at a task that has ended


class RunRow(msgspec.Struct, gc=False):
    """A run and its number, of which task."""

    task_id: str
    number: int
    run: TaskRun
    worker_pool: str | None

    @property
    def key(self) -> str:
        return f"{self.task_id}/{self.number}"

    @property
    def state(self) -> str:
        return self.run.state or "unknown"


RUNS = Schema(
    (
        Column("run", Kind.COUNT, "Run", get="number"),
        Column("state", Kind.STATE, "State", width=11, get="state"),
        Column("reason_resolved", Kind.TEXT, "Reason", get="run.reasonResolved"),
        Column("duration", Kind.DURATION, "Duration", "s", get=seconds_between("started", "resolved").round(3)),
        Column("queue_time", Kind.DURATION, "Queued", "s", get=seconds_between("scheduled", "started").round(3)),
        Column("reason_created", Kind.TEXT, "Began as", get=optional("run.reasonCreated")),
        Column("worker_group", Kind.TEXT, "Worker group", get="run.workerGroup"),
        Column("worker", Kind.TEXT, "Worker", get="run.workerId"),
        Column("worker_pool", Kind.TEXT, "Worker pool", get="worker_pool"),
        Column("scheduled", Kind.TIME, "Scheduled", seconds=True, get=iso_time("run.scheduled")),
        Column("started", Kind.TIME, "Started", seconds=True, get=iso_time("run.started")),
        Column("resolved", Kind.TIME, "Resolved", seconds=True, get=iso_time("run.resolved")),
        Column("task_id", Kind.ID, "Task", hidden=True, get="task_id"),
    ),
    key="key",
    key_get="key",
)


class RunList(ClientListing):
    """One task's runs, the first first. Enter opens a run's artifacts, `l` its log."""

    schema = RUNS
    noun = ("run", "runs")
    empty_text = "This task has not run yet."
    poll_seconds = 10.0

    def __init__(self, locator: TaskRuns, client: Client) -> None:
        super().__init__(locator, client)
        self.task_id = locator.task_id
        self._deadline: int | None = None
        self._task: Row = {"task_id": locator.task_id}  # known with the first page

    @property
    def title(self) -> str:
        return f"runs of {self._task.get('name') or f'task {self.task_id}'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield self._fetch_page(cancel)

    def _fetch_page(self, cancel: CancelToken, policy: CachePolicy | None = None) -> Page:
        status, freshness = self.client.fetch_status(self.task_id, cancel, policy)
        definition, _ = self.client.fetch_definition(self.task_id, cancel)
        self._deadline = iso_milliseconds(status.deadline or definition.deadline)
        project, revision = push_of_routes(definition.routes)
        self._task = {
            "task_id": self.task_id, "name": definition.metadata.name, "group_id": definition.taskGroupId,
            "project": project, "revision": revision, "runs": len(status.runs),
        }  # fmt: skip
        rows = RUNS.build(run_rows(self.task_id, status))
        return Page(rows, freshness, total=rows.height)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """The runs that changed or were added; None once it cannot be run again, which the queue refuses after the
        task's deadline. Until then it is checked now and then."""
        states = frame.sort("run")["state"]
        resolved = bool(len(states)) and states[-1] in RESOLVED
        if resolved and self._deadline is not None and self._deadline < time.time() * 1000:
            return None
        self.resting_seconds = RESTING if resolved else 0
        page = self._fetch_page(cancel, CachePolicy.never())
        known = frame.select(page.frame.columns)
        changed = page.frame.join(known, on=page.frame.columns, how="anti", nulls_equal=True)
        return Page(changed, page.freshness)

    def describe_wait(self, cancel: CancelToken) -> str:
        """Which of the tasks that it depends on have not completed: they decide whether it will ever run."""
        needed = self.client.fetch_definition(self.task_id, cancel)[0].dependencies
        states = {one: status.state for one, status in self.client.fetch_statuses(needed, cancel).items()}
        open_ = [f"{one} ({state})" for one, state in states.items() if state != "completed"]
        if not open_:
            return "the task has not been scheduled" + (", although what it depends on has completed" if needed else "")
        failed = sum(state in FAILED for state in states.values())
        of = f"{len(open_):,} of the {len(needed):,} tasks that it depends on"
        words = f"the task has not been scheduled; it needs {of}: {', '.join(open_[:3])}"
        return f"{words}, of which {failed:,} failed" if failed else words

    def watched_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The last run: those before it were run again."""
        return frame.sort("run").tail(1)

    def open(self, row: Row) -> Task:
        return Task(self.task_id, row.get("run"), self.client.root)

    def log(self, row: Row) -> LogAddress | None:
        if row.get("started") is None:
            return None
        live, failed = row.get("state") not in RESOLVED, row.get("state") in FAILED
        title = f"log of {self._task.get('name') or f'task {self.task_id}'}, run {row.get('run')}"
        return run_log(self.client, self.task_id, row.get("run"), live=live, failed=failed, title=title)

    def document(self, row: Row) -> Document | None:
        return task_document(self.client, {**self._task, "state": ""})

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return task_entries(self.client.root, self._task, task_document(self.client, self._task))

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """All artifacts of these runs."""
        prefixes = tuple(f"{self.client.root}/{self.task_id}/{run}/" for run in rows["run"].unique().to_list())
        task = ListedTask(self.task_id, str(self._task.get("name") or ""), str(self._task.get("group_id") or ""))
        for batch in files_of_tasks(self.client, [task], cancel):
            yield [file for file in batch if file.key.startswith(prefixes) or file.unlisted]

    def row_title(self, row: Row) -> str:
        return f"run {row.get('run')} of {self._task.get('name') or self.task_id}"

    def web_url(self, row: Row | None = None) -> str:
        return urls.task_page(self.client.root, self.task_id, None if row is None else row.get("run"))


def run_rows(task_id: str, status: TaskStatus) -> list[RunRow]:
    pool = worker_pool(status)
    return [RunRow(task_id, number, run, pool) for number, run in enumerate(status.runs)]


def runs_of_tasks(client: Client, task_ids: Sequence[str], cancel: CancelToken) -> pl.DataFrame:
    """The runs of many tasks (schema `RUNS`), a thousand tasks in a request; what cannot be seen is left out."""
    statuses = client.fetch_statuses(task_ids, cancel)
    return RUNS.build([row for one in task_ids if one in statuses for row in run_rows(one, statuses[one])])
