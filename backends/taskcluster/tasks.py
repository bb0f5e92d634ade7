"""The tasks of a task group, as a list: stored rows at once, fresh rows page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import Cancel
from backends.http.answers import Origin, Source
from backends.http.errors import HttpProblem, NotAllowed
from backends.locators.taskcluster import SLUGID, Task, TaskArtifacts, TaskGroup, TaskMeasurements
from backends.resources import Detail, LogAddress, Page, Resource, Row
from backends.taskcluster import roots
from backends.taskcluster.artifact_files import TaskRuns, files_of_tasks
from backends.taskcluster.listings import Listings
from backends.taskcluster.queue import RESOLVED, Deployment, TaskPage
from backends.taskcluster.task_columns import STATES, TASKS
from backends.taskcluster.task_detail import detail
from backends.taskcluster.task_log import task_log
from backends.taskcluster.task_rows import milliseconds, number_copies, read_rows
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.http import Http


class TaskGroupTasks(Resource):
    """One task group. Columns are those of `task_columns.TASKS`; rows come in the queue's order, by task id."""

    schema = TASKS
    noun = ("task", "tasks")
    default_sort = ("name", False)  # the queue's order is that of random ids
    empty_text = "This task group has no tasks (yet)."

    def __init__(self, locator: TaskGroup, http: Http, root: str) -> None:
        super().__init__(locator)
        self.group_id = locator.group_id
        self._push = ""  # known with the first rows
        self.deployment = Deployment(http, root)

    @property
    def title(self) -> str:
        return f"{self._push}group {self.group_id}"

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        """The stored listing first; if that can still change, the queue's pages, which replace its rows one by one.

        When the queue cannot be asked the stored rows stay, marked as stale with the reason; without any, and where
        the answer is that we may not look, the `Problem` is raised.
        """
        listings = Listings(self.deployment)
        stored = listings.read(self.group_id)
        if stored is not None:
            origin = Origin(Source.CACHE, stored.age)
            self._learn(stored.frame)
            yield Page(stored.frame, origin, total=stored.frame.height, replace=True)
            if stored.final:
                return
        try:
            yield from self._fresh(listings, cancel)
        except HttpProblem as problem:
            if stored is None or isinstance(problem, NotAllowed):
                raise
            stale = Origin(Source.STALE, stored.age, problem.sentence)
            yield Page(stored.frame, stale, total=stored.frame.height, replace=True, note=problem.sentence)

    def _fresh(self, listings: Listings, cancel: Cancel) -> Iterator[Page]:
        fetched = _Fetched(self.group_id)
        for page in self.deployment.iter_task_pages(self.group_id, cancel):
            cancel.check()
            frame = fetched.add(page)
            self._learn(frame)
            yield Page(frame, page.origin, note=fetched.note)
        whole = fetched.whole()
        # Only the last page replaces: 10,000 stored rows must not shrink to the first page's 1,000. It takes away
        # tasks that are gone, and brings `copies`, which no single page can count.
        yield Page(whole, fetched.origin, total=whole.height, replace=True, note=fetched.last_note(whole))
        if fetched.complete:
            listings.write(self.group_id, whole, sealed=fetched.sealed, expires_ms=fetched.expires_ms)

    def _learn(self, frame: pl.DataFrame) -> None:
        """Which push the group is of, for the title: a list of recent groups that shows ids tells nobody anything."""
        known = frame.select("project", "revision").drop_nulls().head(1)
        if not self._push and not known.is_empty():
            project, revision = known.row(0)
            self._push = f"{project[:40]} {revision[:12]} "

    def open(self, row: Row) -> Task | None:
        task_id = str(row.get("task_id") or "")
        return Task(task_id, None, self.deployment.root) if SLUGID.fullmatch(task_id) else None

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = tuple(one for one in rows["task_id"].to_list() if SLUGID.fullmatch(one))
        return TaskArtifacts(ids, self.deployment.root) if ids else None

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        ids = tuple(one for one in rows["task_id"].to_list() if SLUGID.fullmatch(one))
        return TaskMeasurements(ids, self.deployment.root) if ids else None

    def log(self, row: Row) -> LogAddress | None:
        return task_log(self.deployment.root, row)

    def files(self, rows: pl.DataFrame, cancel: Cancel) -> Iterator[list[RemoteFile]]:
        """All artifacts of all runs of these tasks; see `artifact_files` for what cannot be fetched."""
        wanted = [
            # The runs of a resolved task are known from its row, which saves one request a task.
            TaskRuns(task_id, name or "", self.group_id, runs if state in RESOLVED else None)
            for task_id, name, state, runs in rows.select("task_id", "name", "state", "runs").iter_rows()
        ]
        return files_of_tasks(self.deployment, wanted, cancel)

    def detail(self, row: Row) -> Detail:
        return detail(row)

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return roots.group_page(self.deployment.root, self.group_id)
        return roots.task_page(self.deployment.root, str(row.get("task_id") or ""))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1,162 completed · 22 failed": the states in the usual order, then those we do not know."""
        counts = dict(frame["state"].value_counts().iter_rows())
        order = [*(state for state in STATES if state in counts), *sorted(counts.keys() - set(STATES))]
        return " · ".join(f"{counts[state]:,} {state}" for state in order)


class _Fetched:
    """What the pages of one listing said so far."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.frames: list[pl.DataFrame] = []
        self.sealed = False
        self.expires_ms: int | None = None
        self.origin = Origin()
        self.complete = True
        self._pages = 0
        self._unreadable = 0
        self._notes: list[str] = []

    @property
    def note(self) -> str:
        return " ".join(self._notes)

    def add(self, page: TaskPage) -> pl.DataFrame:
        frame, unreadable = read_rows(page.envelope.tasks, self.group_id)
        self.frames.append(frame)
        self._pages += 1
        self._unreadable += unreadable
        self.origin = page.origin if self._pages == 1 else self.origin.worse(page.origin)
        self.sealed = page.envelope.sealed not in (None, False, "")
        expires = page.envelope.expires
        self.expires_ms = milliseconds(expires) if isinstance(expires, str) else None
        if page.note:
            self.complete = False
            self._notes.append(page.note)
        return frame

    def whole(self) -> pl.DataFrame:
        every = pl.concat(self.frames) if self.frames else TASKS.empty()
        return number_copies(every.unique("task_id", keep="last", maintain_order=True))

    def last_note(self, whole: pl.DataFrame) -> str:
        """What is missing or odd, once all pages are there."""
        notes = list(self._notes)
        if self._unreadable:
            notes.append(f"{self._unreadable:,} entries of the listing have no task id and are not shown.")
        twice = sum(frame.height for frame in self.frames) - whole.height
        if twice:
            notes.append(f"{twice:,} tasks came twice: the group changed while it was listed. Refresh to be sure.")
        elif self._pages > 1 and not self.sealed and not whole["state"].is_in(list(RESOLVED)).all():
            notes.append("The group is still open: a task added while it was listed may be missing.")
        return " ".join(notes)
