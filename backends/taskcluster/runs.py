"""The runs of a task as a list: which worker, why it began and ended, how long it waited and took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.http.policies import CachePolicy
from backends.locators.taskcluster import Task
from backends.locators.taskcluster_views import TaskRelation
from backends.resources import Detail, Document, Entry, LogAddress, Page, Resource, Row
from backends.taskcluster import naming, roots
from backends.taskcluster.artifact_files import TaskRuns, files_of_tasks
from backends.taskcluster.batches import statuses
from backends.taskcluster.documents import task_document
from backends.taskcluster.menus import task_entries
from backends.taskcluster.models import Run
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.task_log import FAILED, run_log
from backends.taskcluster.task_rows import milliseconds, seconds_between, times, worker_pool
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.http import Http

RUNS = Schema(
    (
        Column("run", Kind.COUNT, "Run"),
        Column("state", Kind.STATE, "State", width=11),
        Column("reason_resolved", Kind.TEXT, "Reason"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("queue_time", Kind.DURATION, "Queued", "s"),
        Column("reason_created", Kind.TEXT, "Began as"),
        Column("worker_group", Kind.TEXT, "Worker group"),
        Column("worker", Kind.TEXT, "Worker"),
        Column("worker_pool", Kind.TEXT, "Worker pool"),
        Column("scheduled", Kind.TIME, "Scheduled"),
        Column("started", Kind.TIME, "Started"),
        Column("resolved", Kind.TIME, "Resolved"),
        Column("task_id", Kind.ID, "Task", hidden=True),
    ),
    key="key",
)


RESTING = 45.0  # seconds between two looks at a task that has ended


class TaskRunList(Resource):
    """One task's runs, the first first. Enter opens a run's artifacts, `l` its log."""

    schema = RUNS
    noun = ("run", "runs")
    empty_text = "This task has not run yet."
    poll_seconds = 10.0

    def __init__(self, locator: TaskRelation, http: Http, root: str) -> None:
        super().__init__(locator)
        self.task_id = locator.task_id
        self._deadline: int | None = None
        self.deployment = Deployment(http, root)
        self._about: Row = {"task_id": locator.task_id}  # known with the first page

    @property
    def title(self) -> str:
        return f"runs of {self._about.get('name') or f'task {self.task_id}'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield self._page(cancel)

    def _page(self, cancel: CancelToken, policy: CachePolicy | None = None) -> Page:
        status, origin = self.deployment.status(self.task_id, cancel, policy)
        definition, _ = self.deployment.task(self.task_id, cancel)
        self._deadline = milliseconds(status.deadline or definition.deadline)
        project, revision = naming.push(definition.routes)
        self._about = {
            "task_id": self.task_id, "name": definition.metadata.name, "group_id": definition.taskGroupId,
            "project": project, "revision": revision, "runs": len(status.runs),
        }  # fmt: skip
        rows = run_rows(self.task_id, status.runs, worker_pool(status))
        return Page(rows, origin, total=rows.height)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """The runs that changed or were added; None once it cannot be run again, which the queue refuses after the
        task's deadline. Until then somebody may, so that it is looked at now and then."""
        states = frame.sort("run")["state"]
        resolved = bool(len(states)) and states[-1] in RESOLVED
        if resolved and self._deadline is not None and self._deadline < time.time() * 1000:
            return None
        self.resting_seconds = RESTING if resolved else 0
        page = self._page(cancel, CachePolicy.never())
        known = frame.select(page.frame.columns)
        changed = page.frame.join(known, on=page.frame.columns, how="anti", nulls_equal=True)
        return Page(changed, page.origin)

    def open(self, row: Row) -> Task:
        return Task(self.task_id, row.get("run"), self.deployment.root)

    def log(self, row: Row) -> LogAddress | None:
        if row.get("started") is None:
            return None
        live, failed = row.get("state") not in RESOLVED, row.get("state") in FAILED
        return run_log(self.deployment, self.task_id, row.get("run"), live=live, failed=failed)

    def document(self, row: Row) -> Document | None:
        return task_document(self.deployment, {**self._about, "state": ""})

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return task_entries(self.deployment.root, self._about, task_document(self.deployment, self._about))

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """All artifacts of these runs."""
        wanted = set(rows["run"].to_list())
        prefixes = tuple(f"{self.deployment.root}/{self.task_id}/{run}/" for run in wanted)
        task = TaskRuns(self.task_id, str(self._about.get("name") or ""), str(self._about.get("group_id") or ""))
        for batch in files_of_tasks(self.deployment, [task], cancel):
            yield [file for file in batch if file.key.startswith(prefixes) or file.skip.startswith("its artifacts")]

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, RUNS)
        return Detail(f"run {row.get('run')} of {self._about.get('name') or self.task_id}", (("Run", lines),))

    def web_url(self, row: Row | None = None) -> str:
        return roots.task_page(self.deployment.root, self.task_id, None if row is None else row.get("run"))


def runs_of(deployment: Deployment, task_ids: Sequence[str], cancel: CancelToken) -> pl.DataFrame:
    """The runs of many tasks (schema `RUNS`), a thousand tasks a request; what cannot be seen is left out."""
    found = statuses(deployment, task_ids, cancel)
    parts = [run_rows(one, found[one].runs, worker_pool(found[one])) for one in task_ids if one in found]
    return pl.concat(parts) if parts else RUNS.empty()


def run_rows(task_id: str, runs: list[Run], pool: str | None) -> pl.DataFrame:
    """Rows of the schema `RUNS`."""
    texts = [
        (f"{task_id}/{number}", number, run.state or "unknown", run.reasonResolved, run.reasonCreated or None,
         run.workerGroup, run.workerId, pool, task_id)
        for number, run in enumerate(runs)
    ]  # fmt: skip
    names = (
        "key", "run", "state", "reason_resolved", "reason_created", "worker_group", "worker", "worker_pool", "task_id",
    )  # fmt: skip
    wanted = RUNS.polars()
    frame = pl.DataFrame(texts, schema={name: wanted[name] for name in names}, orient="row")
    moments = [times(name, [getattr(run, name) for run in runs]) for name in ("scheduled", "started", "resolved")]
    spans = frame.with_columns(moments).with_columns(
        duration=seconds_between("started", "resolved"), queue_time=seconds_between("scheduled", "started")
    )
    return spans.select(list(wanted))
