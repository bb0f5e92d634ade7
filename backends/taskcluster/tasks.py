"""Lists of tasks: a task group (cached rows at once, fresh rows page by page), and the tasks around one task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.failure_links import failure_entries, since_entries
from backends.frames.filter_ast import quoted_if_needed
from backends.frames.formats import describe_row
from backends.http.errors import AccessDeniedError, HttpError
from backends.http.policies import CachePolicy, Mode
from backends.http.response import Freshness, ResponseSource
from backends.locators import Locator
from backends.resources import Detail, Entry, LogAddress, Page, Row
from backends.systems import load
from backends.taskcluster import urls
from backends.taskcluster.actions import group_entries, job_entries, task_entries, treeherder_url
from backends.taskcluster.artifacts import ListedTask, files_of_tasks
from backends.taskcluster.client import PAGE, RESOLVED, Client
from backends.taskcluster.contents import ClientListing, slugids
from backends.taskcluster.earlier_groups import durations_of, earlier_groups, estimate_group
from backends.taskcluster.group_cache import GroupCache, GroupListing, load_tasks
from backends.taskcluster.locators import (
    GroupComparison,
    Task,
    TaskArtifacts,
    TaskDependencies,
    TaskDependents,
    TaskGroup,
    TaskMeasurements,
    TaskRetriggers,
    is_slugid,
)
from backends.taskcluster.logs import FAILED, task_log
from backends.taskcluster.models import TaskDefinition
from backends.taskcluster.push_message import fetch_push_message
from backends.taskcluster.task_rows import (
    STATES,
    TASKS,
    count_retriggers,
    decode_rows,
    describe_push,
    filter_ids,
    find_push,
    rows_of_entries,
    updated_rows,
)
from backends.time_left import Durations, TimeLeft
from backends.transfers.files import RemoteFile

# Seconds between two looks at the complete group while its list is open: a task that is added is seen within a minute.
# One with many tasks that are still running changes all the time, so that all of it would be sent each time.
LOOK, LOOK_AT_MANY = 45.0, 300.0
_REVALIDATED = CachePolicy(ttl=0.0, stale_if_error=False)
_WORST_FIRST = (*STATES[1:], STATES[0])


class TaskList(ClientListing):
    """A list whose rows have the schema `TASKS`; subclasses say which tasks."""

    schema = TASKS
    noun = ("task", "tasks")
    default_sort = (("state", False), ("name", False))  # the queue's order is that of random ids
    poll_seconds = 10.0

    def __init__(self, locator: Locator, client: Client) -> None:
        super().__init__(locator, client)
        self._lost: set[str] = set()  # ids that the queue no longer knows

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """What has changed of the unresolved tasks, a thousand in a request; None where all are resolved, and offline.
        A resolved task that is run again is not seen this way.
        """
        unresolved = frame.filter(~pl.col("state").is_in(list(RESOLVED)))["task_id"].to_list()
        ids = [one for one in unresolved if one not in self._lost]
        if not ids or self.client.http.mode.is_offline:
            return None
        statuses = self.client.fetch_statuses(ids, cancel)
        self._lost |= set(ids) - statuses.keys()
        return Page(updated_rows(frame, list(statuses.values())), Freshness())

    def open(self, row: Row) -> Task | None:
        task_id = str(row.get("task_id") or "")
        return Task(task_id, None, self.client.root) if is_slugid(task_id) else None

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = slugids(rows)
        return TaskArtifacts(ids, self.client.root) if ids else None

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        ids = slugids(rows)
        return TaskMeasurements(ids, self.client.root) if ids else None

    def failures(self, rows: pl.DataFrame) -> Locator | None:
        ids = _failed_ids(rows)
        return TaskArtifacts(ids, self.client.root) if ids else None

    def log(self, row: Row) -> LogAddress | None:
        return task_log(self.client, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries = [] if row is None else task_entries(self.client.root, row, self.document(row))
        if row is not None and row["state"] == "failed":
            entries += since_entries(self.open(row))
        here = TaskGroup(getattr(self.locator, "group_id", ""), self.client.root)
        own = here if not getattr(self.locator, "task_ids", ()) else None  # leads from this list to itself
        return [one for one in entries if getattr(one, "opens", None) != own]

    def compare(self, rows: pl.DataFrame) -> GroupComparison:
        """The measurements of two tasks, the one that was created first as the base."""
        two = rows.sort("created", "task_id").select("task_id", "group_id").rows()
        if len(two) != 2:
            raise UsageError(
                f"Two tasks are compared; {len(two):,} are marked.",
                "Mark two, or press x: groups and selections of tasks are compared from there.",
            )
        if not all(is_slugid(one) for pair in two for one in pair):
            raise UsageError("One of these tasks has no valid id.")
        base, new = (TaskGroup(group, "", (task,)) for task, group in two)
        return GroupComparison(base, new, measured=True, root_url=self.client.root)

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """All artifacts of all runs of these tasks; `artifacts` says what cannot be fetched."""
        tasks = [
            # The runs of a resolved task are known from its row, which saves one request a task.
            ListedTask(task_id, name or "", group_id or "", runs if state in RESOLVED else None)
            for task_id, name, group_id, state, runs in rows.select(
                "task_id", "name", "group_id", "state", "runs"
            ).iter_rows()
        ]
        return files_of_tasks(self.client, tasks, cancel)

    def row_title(self, row: Row) -> str:
        return str(row.get("name") or row.get("task_id") or "")

    def detail(self, row: Row) -> Detail:
        sections = dict(describe_row(TASKS, row))
        if row.get("copy") is not None:
            count = row.get("copies")
            label = "the only task" if count == 1 else f"{row['copy']} of {count} tasks"
            label += " with this label"
            sections["Runs"] = (*sections.get("Runs", ()), ("Retrigger", label))
        if url := treeherder_url(row):
            sections["Provenance"] = (("Push", f"{row['project']} {row['revision']}"), ("Treeherder", url))
        return Detail(self.row_title(row), tuple((title, lines) for title, lines in sections.items() if lines))

    def web_url(self, row: Row | None = None) -> str | None:
        return None if row is None else urls.task_page(self.client.root, str(row.get("task_id") or ""))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "22 failed · 1,162 completed": the worst first, as the end may be cut; last what we do not know."""
        counts = dict(frame["state"].value_counts().iter_rows())
        order = [*(state for state in _WORST_FIRST if state in counts), *sorted(counts.keys() - set(_WORST_FIRST))]
        return " · ".join(f"{counts[state]:,} {state}" for state in order)


class GroupTaskList(TaskList):
    """One task group, or some tasks of it. Rows come in the queue's order, by task id."""

    empty_text = "This task group has no tasks (yet)."

    def __init__(self, locator: TaskGroup, client: Client) -> None:
        super().__init__(locator, client)
        self.group_id = locator.group_id
        self.task_ids = locator.task_ids
        self.search = locator.search
        self.first_filter = f"name:{quoted_if_needed(locator.search, value=True)}" if locator.search else ""
        self.first_key = locator.task
        self._push = ""  # known with the first rows
        self._pushed: tuple[str, str] | None = None  # project and revision
        self._closed = False  # no task can be added
        self._looked = time.monotonic()  # at the complete group
        self.total = 0  # tasks of the complete group, as far as it is known

    @property
    def title(self) -> str:
        some = f"{len(self.task_ids):,} task{'s' * (len(self.task_ids) != 1)} of " if self.task_ids else ""
        return some + (self._push or f"task group {self.group_id}")

    @property
    def heading(self) -> str:
        return self.title.partition(" by ")[0] if self.made_by else self.title

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The cached listing first; if that can still change, the queue's pages, which replace its rows one by one.

        When the queue cannot be reached the cached rows stay, marked as stale with the reason; without any, and where
        access is denied, the `AppError` is raised.
        """
        cached = GroupCache(self.client).read(self.group_id)
        rows = TASKS.empty()
        if cached is not None:
            rows = self._rows_to_show(cached.frame)
            self._closed = cached.is_final
            why = "offline" if self.client.http.mode is Mode.OFFLINE and not self._closed else ""
            yield Page(rows, cached.freshness(why), total=rows.height, replace=True)
            if self._closed or why:
                return
        listing = GroupListing(self.group_id)
        try:
            for frame, freshness in listing.fetch(self.client, cancel):
                yield Page(self._rows_to_show(frame), freshness, note=listing.note)
        except HttpError as error:
            if cached is None or isinstance(error, AccessDeniedError):
                raise
            yield Page(rows, cached.freshness(error.sentence), total=rows.height, replace=True)
            return
        # Only the last page replaces: 10,000 cached rows must not shrink to the first page's 1,000. It takes away
        # tasks that are gone, and brings `copies`, which no single page can count.
        rows, note = self._rows_to_show(listing.rows), listing.final_note()
        yield Page(rows, listing.freshness, total=rows.height, replace=True, note=note, partial=not listing.complete)
        self._looked, self._closed = time.monotonic(), listing.is_closed
        has_ended = rows.height and rows["state"].is_in(list(RESOLVED)).all()
        self.resting_seconds = LOOK if has_ended else 0

    def find_message(self, cancel: CancelToken) -> str:
        return fetch_push_message(self.client, *self._pushed, cancel) if self._pushed is not None else ""

    def _rows_to_show(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The tasks that the locator names. Learns the group's push for the title."""
        if not self._push:
            push, made = describe_push(frame)
            self._pushed = find_push(frame)
            self._push = " by ".join(filter(None, (push, made)))
            created = frame["created"].min()
            self.made_by = made.rpartition(", ")[0] if push else ""
            self.made_at = created.timestamp() if isinstance(created, datetime) and self.made_by else None
        self.total = frame.height
        return filter_ids(frame, self.task_ids)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """As `TaskList.updates`; from time to time also the tasks that were added, and those that were run again.

        A group that has ended gets new tasks when somebody retriggers one of its: only one that is sealed or expired
        cannot. What has not changed is not sent again, since the pages are revalidated by their ETags.
        """
        page = super().updates(frame, cancel)
        if self.task_ids or self._closed or self.client.http.mode.is_offline:
            return page
        pause = LOOK if page is None or frame.height <= 3 * PAGE else LOOK_AT_MANY
        self.resting_seconds = LOOK if page is None else 0
        if page is not None and time.monotonic() < self._looked + pause:
            return page
        known = frame if page is None else _replace_rows(frame, page.frame)
        changed_pages = [
            decode_rows(fetched.envelope.tasks, self.group_id)[0]
            for fetched in self.client.iter_group_pages(self.group_id, cancel, _REVALIDATED)
            if fetched.freshness.source is ResponseSource.NETWORK
        ]
        self._looked = time.monotonic()
        if not changed_pages:
            return page or Page(frame.clear(), Freshness())
        group = count_retriggers(_replace_rows(known, pl.concat(changed_pages)))
        self.total = group.height
        changed = group.join(frame, on=frame.columns, how="anti", nulls_equal=True, maintain_order="left")
        if not group["state"].is_in(list(RESOLVED)).all():
            self.resting_seconds = 0
        return Page(changed, Freshness())

    def find_durations(self, frame: pl.DataFrame, cancel: CancelToken) -> Durations | None:
        return durations_of(earlier_groups(self.client, self.group_id, cancel))

    def estimate_end(self, frame: pl.DataFrame, known: Durations) -> TimeLeft | None:
        return estimate_group(frame, known)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        """Around the task under the cursor, then of all rows together."""
        some = () if rows.height >= self.total else tuple(rows["task_id"].to_list())
        chosen = some or self.task_ids
        views = group_entries(TaskGroup(self.group_id, self.client.root, chosen))
        views += job_entries(self.client.root, rows["task_id"].to_list())
        download_way = load("backends.taskcluster.artifact_downloader.download:download_way")  # 12 ms of imports
        views.append(download_way(self.client, self.group_id, chosen))
        own = super().menu(row, rows)
        if row is not None and row["copies"] == 1:
            own = [one for one in own if not isinstance(getattr(one, "opens", None), TaskRetriggers)]
        return [*own, *(views if rows.height else []), *failure_entries(self.failures(rows))]

    def failures(self, rows: pl.DataFrame) -> TaskGroup | None:
        """The group, or the failed ones among some tasks of it."""
        ids = _failed_ids(rows)
        some = self.task_ids if rows.height >= self.total else ids
        return TaskGroup(self.group_id, self.client.root, some) if ids else None

    def web_url(self, row: Row | None = None) -> str:
        return super().web_url(row) or urls.group_page(self.client.root, self.group_id, self.search)


def _failed_ids(rows: pl.DataFrame) -> tuple[str, ...]:
    return slugids(rows.filter(pl.col("state").is_in(list(FAILED))))


def _replace_rows(frame: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, newer.select(frame.columns)]).unique("task_id", keep="last", maintain_order=True)


class _RelatedTaskList(TaskList):
    """Tasks around one task. `pages` raises `AppError`s."""

    title_template = ""

    def __init__(self, locator: TaskDependencies | TaskDependents | TaskRetriggers, client: Client) -> None:
        super().__init__(locator, client)
        self.task_id = locator.task_id
        self._name = ""  # known with the first page

    @property
    def title(self) -> str:
        return self.title_template.format(self._name or f"task {self.task_id}")

    def fetch_definition(self, cancel: CancelToken) -> tuple[TaskDefinition, Freshness]:
        definition, freshness = self.client.fetch_definition(self.task_id, cancel)
        self._name = definition.metadata.name
        return definition, freshness

    def web_url(self, row: Row | None = None) -> str:
        return super().web_url(row) or urls.task_page(self.client.root, self.task_id)


class DependencyList(_RelatedTaskList):
    """The tasks that a task depends on. Those that the queue no longer knows are counted in the note."""

    title_template = "what {} depends on"
    empty_text = "This task depends on no other."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        definition, freshness = self.fetch_definition(cancel)
        ids, missing = [one for one in definition.dependencies if is_slugid(one)], 0
        for start in range(0, len(ids), PAGE):
            part = ids[start : start + PAGE]
            entries = self.client.fetch_tasks(part, cancel)
            missing += len(set(part)) - len(entries)
            note = f"{missing:,} of {len(ids):,} tasks have expired or cannot be seen." if missing else ""
            yield Page(rows_of_entries(entries), freshness.worse(Freshness()), total=len(ids) - missing, note=note)


class DependentList(_RelatedTaskList):
    """The tasks that depend on a task."""

    title_template = "what depends on {}"
    empty_text = "No task depends on this one."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        group_id = self.fetch_definition(cancel)[0].taskGroupId or ""
        for raws, freshness, note in self.client.fetch_dependents(self.task_id, cancel):
            rows, unreadable = decode_rows(raws, group_id)
            odd = f" {unreadable:,} entries have no task id and are not shown." if unreadable else ""
            yield Page(rows, freshness, note=f"{note}{odd}".strip())


class RetriggerList(_RelatedTaskList):
    """The tasks with the label of one task in its group, itself included."""

    title_template = "retriggers of {}"
    empty_text = "The group has no task with this label (any more)."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """From the group's rows, which have the labels."""
        group_id = self.fetch_definition(cancel)[0].taskGroupId or self.task_id
        group = load_tasks(self.client, TaskGroup(group_id, self.client.root), cancel)
        labels = group.frame.filter(pl.col("task_id") == self.task_id)["label"]
        rows = count_retriggers(group.frame.filter(pl.col("label").is_in(labels.to_list())))
        yield Page(rows, group.freshness, total=rows.height, note=group.note)
