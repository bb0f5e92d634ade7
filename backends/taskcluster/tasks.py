"""The tasks of a task group, as a list: stored rows at once, fresh rows page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.frames.filter_ast import quoted_if_needed
from backends.http.errors import AccessDeniedError, HttpError, OfflineError
from backends.http.policies import CachePolicy, Mode
from backends.http.response import Freshness, ResponseSource
from backends.locators.taskcluster import TaskGroup
from backends.resources import Entry, Page, Row
from backends.taskcluster import roots
from backends.taskcluster.listings import Listings
from backends.taskcluster.menus import as_jobs, group_entries
from backends.taskcluster.original_download import original_way
from backends.taskcluster.queue import PAGE, RESOLVED, TaskPage
from backends.taskcluster.selections import only
from backends.taskcluster.task_columns import TASKS
from backends.taskcluster.task_list import TaskRows
from backends.taskcluster.task_rows import milliseconds, number_copies, read_rows

if TYPE_CHECKING:
    from backends.http import Http


# Seconds between two looks at the whole group while its list is open: a task that is added is seen within a minute.
# One with many tasks that are still running changes all the time, so that all of it would be sent each time.
LOOK, LOOK_AT_MANY = 45.0, 300.0
_REVALIDATED = CachePolicy(ttl=0.0, stale_if_error=False)


class TaskGroupTasks(TaskRows):
    """One task group, or some tasks of it. Columns are those of `task_columns.TASKS`; rows come in the queue's order,
    by task id.
    """

    empty_text = "This task group has no tasks (yet)."

    def __init__(self, locator: TaskGroup, http: Http, root: str) -> None:
        super().__init__(locator, http, root)
        self.group_id = locator.group_id
        self.task_ids = locator.task_ids
        self.search = locator.search
        self.first_filter = f"name:{quoted_if_needed(locator.search, value=True)}" if locator.search else ""
        self.first_key = locator.task
        self._push = ""  # known with the first rows
        self._closed = False  # no task can be added
        self._looked = time.monotonic()  # at the whole group
        self.total = 0

    @property
    def title(self) -> str:
        some = f"{len(self.task_ids):,} tasks of " if self.task_ids else ""
        return f"{some}{self._push}group {self.group_id}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The stored listing first; if that can still change, the queue's pages, which replace its rows one by one.

        When the queue cannot be asked the stored rows stay, marked as stale with the reason; without any, and where
        the answer is that we may not look, the `AppError` is raised.
        """
        listings = Listings(self.deployment)
        stored = listings.read(self.group_id)
        if stored is not None:
            origin = Freshness(ResponseSource.CACHE, stored.age)
            rows = self._known(stored.frame)
            yield Page(rows, origin, total=rows.height, replace=True)
            if stored.final:
                self._closed = True
                return
        try:
            yield from self._fresh(listings, cancel)
        except HttpError as problem:
            if stored is None or isinstance(problem, AccessDeniedError):
                raise
            why = "offline" if isinstance(problem, OfflineError) else problem.sentence
            yield Page(rows, Freshness(ResponseSource.STALE, stored.age, why), total=rows.height, replace=True)

    def _fresh(self, listings: Listings, cancel: CancelToken) -> Iterator[Page]:
        fetched = _Fetched(self.group_id)
        for page in self.deployment.iter_task_pages(self.group_id, cancel):
            cancel.check()
            yield Page(self._known(fetched.add(page)), page.origin, note=fetched.note)
        whole = fetched.whole()
        rows = self._known(whole)
        # Only the last page replaces: 10,000 stored rows must not shrink to the first page's 1,000. It takes away
        # tasks that are gone, and brings `copies`, which no single page can count.
        note, partial = fetched.last_note(whole), not fetched.complete
        yield Page(rows, fetched.origin, total=rows.height, replace=True, note=note, partial=partial)
        self._looked = time.monotonic()
        self._closed = fetched.sealed or (fetched.expires_ms is not None and fetched.expires_ms < time.time() * 1000)
        if fetched.complete:
            listings.write(self.group_id, whole, sealed=fetched.sealed, expires_ms=fetched.expires_ms)

    def _known(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows that are meant. Learns which push the group is of, for the title: a list of recent groups that
        shows ids tells nobody anything.
        """
        known = frame.select("project", "revision").drop_nulls().head(1)
        if not self._push and not known.is_empty():
            project, revision = known.row(0)
            self._push = f"{project[:40]} {revision[:12]} "
        self.total = frame.height  # of the whole group, as far as it is known
        return only(frame, self.task_ids)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """As `TaskRows.updates`; from time to time also the tasks that were added, and those that were run again.

        A group that has ended gets new tasks when somebody retriggers one of its: only one that is sealed or expired
        cannot. What has not changed is not sent again, for the pages are asked for with their ETags.
        """
        page = super().updates(frame, cancel)
        if self.task_ids or self._closed or self.deployment.http.mode is Mode.OFFLINE:
            return page
        pause = LOOK if page is None or frame.height <= 3 * PAGE else LOOK_AT_MANY
        self.resting_seconds = LOOK if page is None else 0
        if page is not None and time.monotonic() < self._looked + pause:
            return page
        known = frame if page is None else _with(frame, page.frame)
        listed = self._listed(cancel)
        self._looked = time.monotonic()
        if listed is None:
            return page or Page(frame.clear(), Freshness())
        whole = number_copies(_with(known, listed))
        self.total = whole.height
        changed = whole.join(frame, on=frame.columns, how="anti", nulls_equal=True, maintain_order="left")
        if not whole["state"].is_in(list(RESOLVED)).all():
            self.resting_seconds = 0
        return Page(changed, Freshness())

    def _listed(self, cancel: CancelToken) -> pl.DataFrame | None:
        """The rows of the pages that are not as they were; None where all are."""
        frames = []
        for page in self.deployment.iter_task_pages(self.group_id, cancel, _REVALIDATED):
            if page.origin.source is ResponseSource.NETWORK:
                frames.append(read_rows(page.envelope.tasks, self.group_id)[0])
        return pl.concat(frames) if frames else None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        """Around the task under the cursor, then of the rows as a whole."""
        some = () if rows.height >= self.total else tuple(rows["task_id"].to_list())
        chosen = some or self.task_ids
        views = group_entries(TaskGroup(self.group_id, self.deployment.root, chosen))
        views += as_jobs(self.deployment.root, rows["task_id"].to_list())
        views.append(original_way(self.deployment, self.group_id, chosen))
        return [*super().menu(row, rows), *(views if rows.height else [])]

    def web_url(self, row: Row | None = None) -> str:
        return super().web_url(row) or roots.group_page(self.deployment.root, self.group_id, self.search)


def _with(frame: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, newer.select(frame.columns)]).unique("task_id", keep="last", maintain_order=True)


class _Fetched:
    """What the pages of one listing said so far."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.frames: list[pl.DataFrame] = []
        self.sealed = False
        self.expires_ms: int | None = None
        self.origin = Freshness()
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
