"""A task group's rows: fetched page by page, and the last complete listing cached as columns on disk.

The listing is cached in the HTTP cache's blob store under a key with our version, the deployment and the identity used
with it. The bytes are an Arrow IPC file and are not trusted when read: anything odd is deleted and fetched again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.frames.getters import iso_milliseconds
from backends.http.errors import AccessDeniedError, HttpError
from backends.http.policies import Mode
from backends.http.response import Freshness, ResponseSource
from backends.taskcluster.client import RESOLVED
from backends.taskcluster.task_rows import LISTED_TASKS, TASKS, count_retriggers, decode_rows, filter_ids

if TYPE_CHECKING:
    from backends.taskcluster.client import Client, TaskPage
    from backends.taskcluster.locators import TaskGroup

VERSION = 2  # of the columns and of what their cells mean; raise it when either changes
# Seconds for which a cached listing is not fetched again for a view: it was on the screen when that was asked for.
FRESH, FRESH_WHILE_RUNNING = 300.0, 30.0


@dataclass(frozen=True)
class CachedGroup:
    """A group as it was `age` seconds ago. `frame` has the schema `TASKS`."""

    frame: pl.DataFrame
    age: float
    sealed: bool
    expires_ms: int | None

    @property
    def is_final(self) -> bool:
        """Whether it cannot change any more.

        No task can be added (sealed or expired), none is unresolved (a state that we do not know is not resolved),
        and none can be run again (the queue refuses that after a task's deadline).
        """
        now = time.time() * 1000
        if not (self.sealed or (self.expires_ms is not None and self.expires_ms < now)):
            return False
        late = (pl.col("deadline").dt.timestamp("ms") < now).fill_null(False)
        return bool(self.frame.select((pl.col("state").is_in(list(RESOLVED)) & late).all()).item())

    @property
    def is_fresh(self) -> bool:
        resolved = self.frame["state"].is_in(list(RESOLVED)).all()
        return self.is_final or self.age < (FRESH if resolved else FRESH_WHILE_RUNNING)

    def freshness(self, stale_because: str = "") -> Freshness:
        return Freshness(ResponseSource.STALE if stale_because else ResponseSource.CACHE, self.age, stale_because)


class GroupCache:
    """The cached listings of one deployment; without a store (caching is off) it remembers nothing."""

    def __init__(self, client: Client) -> None:
        self._store = client.http.blob_cache()
        self._prefix = f"taskcluster-group-v{VERSION}|{client.root}|{client.http.scope(client.root)}|"

    def read(self, group_id: str) -> CachedGroup | None:
        """The group's last complete listing, None if there is none that can be read."""
        blob = None if self._store is None else self._store.get(self._prefix + group_id)
        if self._store is None or blob is None:
            return None
        frame = _read_frame(blob.body)
        if frame is None:
            self._store.delete(self._prefix + group_id)
            return None
        expires = blob.meta.get("expires_ms")
        return CachedGroup(
            frame,
            age=max(time.time() - blob.stored_at, 0.0),
            sealed=blob.meta.get("sealed") is True,
            expires_ms=expires if isinstance(expires, int) else None,
        )

    def write(self, group_id: str, frame: pl.DataFrame, *, sealed: bool, expires_ms: int | None) -> None:
        if self._store is None:
            return
        target = io.BytesIO()
        frame.write_ipc(target, compression="lz4")
        self._store.put(self._prefix + group_id, target.getvalue(), {"sealed": sealed, "expires_ms": expires_ms})


def _read_frame(body: bytes) -> pl.DataFrame | None:
    """The cached columns; None for bytes that are not (or no longer) these columns."""
    try:
        frame = pl.read_ipc(io.BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        return None
    if frame.schema != pl.Schema(TASKS.polars()) or frame["task_id"].null_count():
        return None
    return frame


class GroupListing:
    """The pages of one listing so far. Once all have been fetched, `rows` is the complete group."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.frames: list[pl.DataFrame] = []
        self.rows = TASKS.empty()
        self.sealed = False
        self.expires_ms: int | None = None
        self.freshness = Freshness()
        self.complete = True
        self._unreadable = 0
        self.notes: list[str] = []

    @property
    def note(self) -> str:
        return " ".join(self.notes)

    @property
    def is_closed(self) -> bool:
        """Whether no task can be added."""
        return self.sealed or (self.expires_ms is not None and self.expires_ms < time.time() * 1000)

    def fetch(self, client: Client, cancel: CancelToken) -> Iterator[tuple[pl.DataFrame, Freshness]]:
        """(rows, freshness) of each page; a complete listing is cached in the end. Raises the client's `AppError`s."""
        for page in client.iter_group_pages(self.group_id, cancel, decoder=LISTED_TASKS):
            cancel.check()
            yield self.add(page), page.freshness
        self.finish()
        if self.complete:
            GroupCache(client).write(self.group_id, self.rows, sealed=self.sealed, expires_ms=self.expires_ms)

    def add(self, page: TaskPage) -> pl.DataFrame:
        frame, unreadable = decode_rows(page.envelope.tasks, self.group_id)
        self.freshness = self.freshness.worse(page.freshness) if self.frames else page.freshness
        self.frames.append(frame)
        self._unreadable += unreadable
        self.sealed = page.envelope.sealed not in (None, False, "")
        expires = page.envelope.expires
        self.expires_ms = iso_milliseconds(expires) if isinstance(expires, str) else None
        if page.note:
            self.complete = False
            self.notes.append(page.note)
        return frame

    def finish(self) -> None:
        every = pl.concat(self.frames) if self.frames else TASKS.empty()
        if every["task_id"].n_unique() < every.height:
            every = every.unique("task_id", keep="last", maintain_order=True)
        self.rows = count_retriggers(every)

    def final_note(self) -> str:
        """What is missing or odd, once all pages are there."""
        notes = list(self.notes)
        if self._unreadable:
            notes.append(f"{self._unreadable:,} entries of the listing have no task id and are not shown.")
        twice = sum(frame.height for frame in self.frames) - self.rows.height
        if twice:
            what = "1 task" if twice == 1 else f"{twice:,} tasks"
            notes.append(f"{what} came twice: the group changed while it was listed. Refresh to be sure.")
        elif len(self.frames) > 1 and not self.sealed and not self.rows["state"].is_in(list(RESOLVED)).all():
            notes.append("The group is still open: a task added while it was listed may be missing.")
        return " ".join(notes)


@dataclass(frozen=True)
class GroupTasks:
    """`frame` has the schema `TASKS`. `note`: what is missing or odd."""

    frame: pl.DataFrame
    freshness: Freshness
    note: str = ""


def load_tasks(client: Client, group: TaskGroup, cancel: CancelToken) -> GroupTasks:
    """The tasks of `group` (or those that it names), fetched again only if the cached listing is old.

    Raises the `AppError`s of the listing.
    """
    cached = GroupCache(client).read(group.group_id)
    offline = client.http.mode is Mode.OFFLINE
    if cached is not None and (offline or cached.is_fresh):
        return GroupTasks(filter_ids(cached.frame, group.task_ids), cached.freshness("offline" if offline else ""))
    listing = GroupListing(group.group_id)
    try:
        for _ in listing.fetch(client, cancel):
            pass
    except HttpError as error:
        if cached is None or isinstance(error, AccessDeniedError):
            raise
        return GroupTasks(filter_ids(cached.frame, group.task_ids), cached.freshness(error.sentence))
    return GroupTasks(filter_ids(listing.rows, group.task_ids), listing.freshness, listing.final_note())
