"""What every list of tasks can do with its rows, and the lists around one task: dependencies, dependents, copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.http.policies import Mode
from backends.http.response import Freshness
from backends.locators import Locator
from backends.locators.taskcluster import SLUGID, Task, TaskArtifacts, TaskGroup, TaskMeasurements
from backends.locators.taskcluster_views import Comparison, TaskRelation
from backends.resources import Detail, Document, Entry, LogAddress, Page, Resource, Row
from backends.taskcluster import roots
from backends.taskcluster.artifact_files import TaskRuns, files_of_tasks
from backends.taskcluster.batches import dependents, entries, statuses
from backends.taskcluster.documents import task_document
from backends.taskcluster.menus import task_entries
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.selections import selected
from backends.taskcluster.task_columns import STATES, TASKS
from backends.taskcluster.task_detail import detail
from backends.taskcluster.task_log import task_log
from backends.taskcluster.task_rows import number_copies, read_rows, refreshed, rows_of
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.http import Http

ASKED = 1000  # tasks a page of a list by ids


class TaskRows(Resource):
    """A list whose rows have the schema `TASKS`; subclasses say which tasks."""

    schema = TASKS
    noun = ("task", "tasks")
    default_sort = ("name", False)  # the queue's order is that of random ids
    poll_seconds = 10.0

    def __init__(self, locator: Locator, http: Http, root: str) -> None:
        super().__init__(locator)
        self.deployment = Deployment(http, root)
        self._lost: set[str] = set()  # ids that the queue does not tell about any more

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """What has changed of the unresolved tasks, asked a thousand at a time; None where all are resolved, and
        offline. A resolved task that is run again is not seen this way.
        """
        unresolved = frame.filter(~pl.col("state").is_in(list(RESOLVED)))["task_id"].to_list()
        wanted = [one for one in unresolved if one not in self._lost]
        if not wanted or self.deployment.http.mode is Mode.OFFLINE:
            return None
        told = statuses(self.deployment, wanted, cancel)
        self._lost |= set(wanted) - told.keys()
        return Page(refreshed(frame, list(told.values())), Freshness())

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
        return task_log(self.deployment, row)

    def document(self, row: Row) -> Document | None:
        return task_document(self.deployment, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found = [] if row is None else task_entries(self.deployment.root, row, self.document(row))
        here = TaskGroup(getattr(self.locator, "group_id", ""), self.deployment.root)
        shown = here if not getattr(self.locator, "task_ids", ()) else None  # leads from this list to itself
        return [one for one in found if getattr(one, "opens", None) != shown]

    def compare(self, rows: pl.DataFrame) -> Comparison:
        """What two tasks measured, the one that was created first as the base."""
        two = rows.sort("created", "task_id").select("task_id", "group_id").rows()
        if len(two) != 2:
            raise UsageError(
                f"Two tasks are compared; {len(two):,} are marked.",
                "Mark two, or press x: groups and selections of tasks are compared from there.",
            )
        if any(not SLUGID.fullmatch(one or "") for pair in two for one in pair):
            raise UsageError("One of these tasks has no id that can be asked for.")
        base, new = (TaskGroup(group, "", (task,)) for task, group in two)
        return Comparison(base, new, measured=True, root_url=self.deployment.root)

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """All artifacts of all runs of these tasks; see `artifact_files` for what cannot be fetched."""
        wanted = [
            # The runs of a resolved task are known from its row, which saves one request a task.
            TaskRuns(task_id, name or "", group_id or "", runs if state in RESOLVED else None)
            for task_id, name, group_id, state, runs in rows.select(
                "task_id", "name", "group_id", "state", "runs"
            ).iter_rows()
        ]
        return files_of_tasks(self.deployment, wanted, cancel)

    def detail(self, row: Row) -> Detail:
        return detail(row)

    def web_url(self, row: Row | None = None) -> str | None:
        return None if row is None else roots.task_page(self.deployment.root, str(row.get("task_id") or ""))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1,162 completed · 22 failed": the states in the usual order, then those we do not know."""
        counts = dict(frame["state"].value_counts().iter_rows())
        order = [*(state for state in STATES if state in counts), *sorted(counts.keys() - set(STATES))]
        return " · ".join(f"{counts[state]:,} {state}" for state in order)


class RelatedTasks(TaskRows):
    """The tasks around one: those it depends on, those that depend on it, or those with its label in its group."""

    def __init__(self, locator: TaskRelation, http: Http, root: str) -> None:
        super().__init__(locator, http, root)
        self.relation, self.task_id = locator.relation, locator.task_id
        self._name = ""

    @property
    def title(self) -> str:
        words = {"dependencies": "what {} depends on", "dependents": "what depends on {}", "copies": "copies of {}"}
        return words[self.relation].format(self._name or f"task {self.task_id}")

    @property
    def empty_text(self) -> str:  # type: ignore[override]
        return {
            "dependencies": "This task depends on no other.",
            "dependents": "No task depends on this one.",
            "copies": "The group has no task with this label (any more).",
        }[self.relation]

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """Raises `AppError`s. Tasks that the queue does not tell about are counted in the note."""
        definition, origin = self.deployment.task(self.task_id, cancel)
        self._name = definition.metadata.name
        if self.relation == "copies":
            yield from self._copies(definition.taskGroupId or self.task_id, cancel)
        elif self.relation == "dependents":
            for raws, at, note in dependents(self.deployment, self.task_id, cancel):
                rows, unreadable = read_rows(raws, definition.taskGroupId or "")
                odd = f"{note} {unreadable:,} entries have no task id and are not shown." if unreadable else note
                yield Page(rows, at, note=odd.strip())
        else:
            yield from self._of_ids([one for one in definition.dependencies if SLUGID.fullmatch(one)], origin, cancel)

    def _of_ids(self, ids: list[str], origin: Freshness, cancel: CancelToken) -> Iterator[Page]:
        missing = 0
        for start in range(0, len(ids), ASKED):
            part = ids[start : start + ASKED]
            found = entries(self.deployment, part, cancel)
            missing += len(set(part)) - len(found)
            note = f"{missing:,} of {len(ids):,} tasks have expired or cannot be seen." if missing else ""
            yield Page(rows_of(found), origin.worse(Freshness()), total=len(ids) - missing, note=note)

    def _copies(self, group_id: str, cancel: CancelToken) -> Iterator[Page]:
        """By the group's rows, which know the label; the one that was asked for is among them."""
        group = selected(self.deployment, TaskGroup(group_id, self.deployment.root), cancel)
        labels = group.frame.filter(pl.col("task_id") == self.task_id)["label"]
        rows = group.frame.filter(pl.col("label").is_in(labels.to_list()))
        yield Page(number_copies(rows), group.origin, total=rows.height, note=group.note)

    def web_url(self, row: Row | None = None) -> str:
        return super().web_url(row) or roots.task_page(self.deployment.root, self.task_id)
