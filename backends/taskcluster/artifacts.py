"""The artifacts of a task's runs, or of several tasks: as a list, and as files to download.

A task whose artifacts cannot be listed stays in a download plan as one skipped entry with the reason, so that a bulk
download neither stops at it nor passes over it in silence. A server or a network that fails ends the listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.failure_links import failure_entries, since_entries
from backends.frames.formats import format_value
from backends.frames.getters import iso_milliseconds, iso_time, optional
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import (
    AccessDeniedError,
    BadRequestError,
    GoneError,
    HttpError,
    NotFoundError,
    OfflineError,
)
from backends.http.response import Freshness
from backends.image_headers import is_image
from backends.images import MAX_BYTES
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.pool import map_in_order
from backends.resources import Detail, Document, Entry, ImageFile, Link, LogAddress, Page, Row, ViewTarget
from backends.taskcluster import urls
from backends.taskcluster.actions import task_entries
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.contents import (
    ClientListing,
    artifact_document,
    artifact_policy,
    describe_type,
    task_document,
    view_artifact,
)
from backends.taskcluster.locators import Artifact, Task, TaskArtifacts, is_slugid
from backends.taskcluster.logs import LIVE, artifact_log, is_text, row_log
from backends.taskcluster.models import ArtifactEntry
from backends.transfers.files import RemoteFile, default_parts


class ArtifactRow(msgspec.Struct, gc=False):
    """One artifact of one run, of which task. `run` None: the latest, whose number is not known."""

    entry: ArtifactEntry
    run: int | None
    run_state: str
    task_id: str
    task_name: str
    group_id: str

    @property
    def key(self) -> str:
        return f"{self.task_id}/{self.run}/{self.entry.name}"


ARTIFACTS = Schema(
    (
        Column("run", Kind.COUNT, "Run", get="run"),
        Column("name", Kind.TEXT, "Name", width=52, keeps_end=True, get="entry.name"),
        # Of decoded bytes; null where the worker did not tell (most before 2026).
        Column("size", Kind.BYTES, "Size", "B", get="entry.contentLength"),
        Column("content_type", Kind.TEXT, "Type", get="entry.contentType"),
        Column("storage", Kind.TEXT, "Storage", get=optional("entry.storageType")),
        Column("expires", Kind.TIME, "Expires", get=iso_time("entry.expires")),
        Column("task_name", Kind.TEXT, "Task name", get=optional("task_name")),
        Column("task_id", Kind.ID, "Task", get="task_id"),
        Column("run_state", Kind.STATE, "Run state", is_own=False, get="run_state"),
        Column("group_id", Kind.ID, "Task group", hidden=True, searched=False, get=optional("group_id")),
    ),
    key="key",
    key_get="key",
)


def row_of_cells(row: Row) -> ArtifactRow:
    """The artifact of a row of `ARTIFACTS` with `expires` as text; cells that it does not have are unknown."""
    get = row.get
    entry = ArtifactEntry(row["name"], get("storage") or "", get("content_type"), get("expires"), get("size"))
    run_state, name, group_id = (str(get(one) or "") for one in ("run_state", "task_name", "group_id"))
    return ArtifactRow(entry, row["run"], run_state, row["task_id"], name, group_id)


class NoSuchRunError(NotFoundError):
    def __init__(self, task_id: str, run: int, runs: int) -> None:
        known = "it has not run yet" if not runs else "it has run 0 only" if runs == 1 else f"it has 0 to {runs - 1}"
        super().__init__(f"Task {task_id} has no run {run}: {known}.", "Open the task without a run.", status=404)


class TaskArtifactRows(NamedTuple):
    """The artifacts of one task's runs. `error`: why they could not be listed. `has_run`: whether it has any run."""

    rows: list[ArtifactRow]
    freshness: Freshness = Freshness()
    note: str = ""
    has_run: bool = True
    error: HttpError | None = None


class ArtifactList(ClientListing):
    """Of a `Task` all runs (or the one it names), of `TaskArtifacts` all runs of each task.

    Of an `Artifact` the list of its run, with the artifact's text or image to be opened first; it is shown alone where
    the task itself cannot be read.
    """

    schema = ARTIFACTS
    noun = ("artifact", "artifacts")
    empty_text = "No run of this task has artifacts (yet)."

    def __init__(self, locator: Task | TaskArtifacts | Artifact, client: Client) -> None:
        of_run = Task(locator.task_id, locator.run, locator.root_url) if isinstance(locator, Artifact) else locator
        super().__init__(of_run, client)
        self._name = locator.name if isinstance(locator, Artifact) else ""
        if isinstance(locator, Artifact) and (locator.line is not None or is_text(locator.name, "")):
            self.first_log = artifact_log(
                client.root, locator.task_id, locator.run, locator.name, live=locator.name == LIVE,
                line=locator.line, last=locator.last,
            )  # fmt: skip
        elif isinstance(locator, Artifact):
            named = {"task_id": locator.task_id, "run": locator.run, "name": locator.name}
            self.first_image = artifact_image(client, named)
        ids = locator.task_ids if isinstance(locator, TaskArtifacts) else (locator.task_id,)
        self.task_ids = tuple(dict.fromkeys(ids))
        self.run = None if isinstance(locator, TaskArtifacts) else locator.run
        self._task_name = ""  # known when the first task has been fetched

    @property
    def title(self) -> str:
        if len(self.task_ids) != 1:
            return f"artifacts of {len(self.task_ids):,} tasks"
        name = self._task_name or f"task {self.task_ids[0]}"
        return name + ("" if self.run is None else f", run {self.run}")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page whenever tasks have been listed. Of several tasks, those that cannot be listed are in the note."""
        failed: list[HttpError] = []
        odd: list[str] = []
        unrun = done = 0
        for batch in map_in_order(self._fetch, self.task_ids, cancel):
            cancel.check()
            done += len(batch)
            self._work = LoadingWork(done, len(self.task_ids), "tasks read") if len(self.task_ids) > 1 else None
            failed += [task.error for task in batch if task.error is not None]
            if failed and len(failed) == len(self.task_ids):
                raise failed[0]
            good = [task for task in batch if task.error is None]
            unrun += sum(not task.has_run for task in good)
            odd += [task.note for task in good if task.note]
            rows = [row for task in good for row in task.rows]
            note = _note(failed, unrun, len(self.task_ids), odd)
            yield Page(ARTIFACTS.build(rows), _worst(good), note=note, partial=bool(failed or odd))

    def _fetch(self, task_id: str, cancel: CancelToken) -> TaskArtifactRows:
        try:
            return self._fetch_task(task_id, cancel)
        except (NotFoundError, GoneError, AccessDeniedError, OfflineError) as error:
            return TaskArtifactRows([], error=error)

    def _fetch_task(self, task_id: str, cancel: CancelToken) -> TaskArtifactRows:
        try:
            status, freshness = self.client.fetch_status(task_id, cancel)
        except (NotFoundError, GoneError, AccessDeniedError) as error:
            if not self._name:
                raise
            return self._named_artifact(task_id, error)
        states = [run.state for run in status.runs]
        if self.run is not None and not 0 <= self.run < len(states):
            raise NoSuchRunError(task_id, self.run, len(states))
        name = self._task_name = self.client.fetch_name(task_id, cancel)
        runs = list(enumerate(states)) if self.run is None else [(self.run, states[self.run])]
        fetched = fetch_runs(self.client, task_id, name, status.taskGroupId or "", runs, cancel)
        return fetched._replace(freshness=freshness.worse(fetched.freshness), has_run=bool(runs))

    def _named_artifact(self, task_id: str, error: HttpError) -> TaskArtifactRows:
        """Of whose task nothing is known: the artifact may have outlived it, or be all that we may see."""
        entry = ArtifactEntry(self._name, contentType="text/plain" if is_text(self._name, "") else None)
        note = f"Only the named artifact is shown, the task itself cannot be read: {error.sentence}"
        return TaskArtifactRows([ArtifactRow(entry, self.run, "", task_id, "", "")], note=note)

    def shows(self, row: Row) -> ViewTarget | None:
        """By kind: an image, a tree, a text, a table, the members of an archive."""
        return artifact_image(self.client, row) or view_artifact(self.client, row)

    def document(self, row: Row) -> Document | None:
        """A JSON artifact; of any other its task."""
        return artifact_document(self.client, row) or super().document(row)

    def failures(self, rows: pl.DataFrame) -> Locator:
        return self.locator

    def open(self, row: Row) -> Artifact | None:
        task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
        return Artifact(task_id, row.get("run"), name, self.client.root) if is_slugid(task_id) and name else None

    def log(self, row: Row) -> LogAddress | None:
        return row_log(self.client.root, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        """The artifact as a text or a tree, where it is shown as something else; then around its task."""
        if row is None:
            return failure_entries(self.locator)
        text, tree, view = self.log(row), artifact_document(self.client, row), self.shows(row)
        entries: list[Entry] = []
        if text is not None and not isinstance(view, LogAddress):
            entries.append(Link("This artifact as text", text, letter="x"))
        if tree is not None and not isinstance(view, Document):
            entries.append(Link("This artifact as a tree", tree, letter="v"))
        entries += task_entries(self.client.root, row, task_document(self.client, row))
        if row.get("run_state") == "failed":
            entries += since_entries(Task(str(row["task_id"]), row.get("run"), self.client.root))
        return [*entries, *failure_entries(self.locator)]

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """From the rows alone."""
        expires = pl.col("expires").dt.to_string("%Y-%m-%dT%H:%M:%S%.3f")
        yield [remote_file(self.client.root, row_of_cells(row)) for row in rows.with_columns(expires).to_dicts()]

    def row_title(self, row: Row) -> str:
        return str(row.get("name") or "")

    def detail(self, row: Row) -> Detail:
        detail = super().detail(row)
        skip = skip_reason(str(row.get("storage") or ""), str(row.get("run_state") or ""))
        lines = detail.sections[0][1]
        if skip:
            lines = (*lines, ("Download", f"not possible: {skip}"))
        elif self.shows(row) is None:
            lines = (*lines, ("Content", describe_type(row)))
        return Detail(detail.title, (("Artifact", lines),))

    def web_url(self, row: Row | None = None) -> str | None:
        if row is not None:
            task_id, run, name = str(row.get("task_id") or ""), int(row.get("run") or 0), str(row.get("name") or "")
            return urls.artifact_page(self.client.root, task_id, run, name)
        return urls.task_page(self.client.root, self.task_ids[0], self.run) if len(self.task_ids) == 1 else None

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB · 2 without content"; the size of those that have one."""
        known, errors = frame["size"].drop_nulls(), (frame["storage"] == "error").sum()
        size = [format_value(known.sum(), ARTIFACTS["size"])] if known.len() else []
        return " · ".join([*size, *([f"{errors:,} without content"] if errors else [])])


def artifact_image(client: Client, row: Row) -> ImageFile | None:
    """A row's image (row of a list of artifacts, of which `task_id`, `run` and `name` will do); None if it is none."""
    task_id, name, run = str(row.get("task_id") or ""), str(row.get("name") or ""), row.get("run")
    content_type = str(row.get("content_type") or "")
    if not is_image(name, content_type) or row.get("storage") == "error" or not is_slugid(task_id):
        return None
    policy = artifact_policy(str(row.get("run_state") or ""))
    url = urls.artifact_url(client.root, task_id, run, name)

    def read(cancel: CancelToken) -> bytes:
        return client.http.get(url, policy=policy, accept="*/*", cap=MAX_BYTES, cancel=cancel).body

    def files(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        expires = row.get("expires")
        listed = row_of_cells({**row, "expires": None if expires is None else f"{expires:%Y-%m-%dT%H:%M:%S.%f}"[:-3]})
        yield [remote_file(client.root, listed)]

    of = str(row.get("task_name") or f"task {task_id}") + ("" if run is None else f", run {run}")
    return ImageFile(
        f"{name.rpartition('/')[2]} of {of}",
        Artifact(task_id, run, name, client.root),
        read,
        content_type,
        row.get("size"),
        files,
        urls.artifact_page(client.root, task_id, run or 0, name),
    )


def fetch_runs(
    client: Client, task_id: str, task_name: str, group_id: str, runs: Iterable[tuple[int, str]], cancel: CancelToken
) -> TaskArtifactRows:
    """The artifacts of these runs (number, state) of a task, by name. Raises the client's `AppError`s."""
    rows: list[ArtifactRow] = []
    freshness: Freshness | None = None
    notes = []
    for run, state in runs:
        fetched = client.fetch_artifacts(task_id, run, state in RESOLVED, cancel)
        rows += [ArtifactRow(entry, run, state, task_id, task_name, group_id) for entry in fetched.entries]
        freshness = fetched.freshness if freshness is None else freshness.worse(fetched.freshness)
        notes += [fetched.note] if fetched.note else []
    return TaskArtifactRows(rows, freshness or Freshness(), notes[0] if notes else "")


def _worst(tasks: Iterable[TaskArtifactRows]) -> Freshness:
    worst: Freshness | None = None
    for task in tasks:
        worst = task.freshness if worst is None else worst.worse(task.freshness)
    return worst or Freshness()


def _note(failed: list[HttpError], unrun: int, tasks: int, odd: list[str]) -> str:
    notes = odd[:1]
    if failed:
        notes.append(f"{len(failed):,} of {tasks:,} tasks could not be listed: {failed[0].sentence}")
    if unrun:
        notes.append("The task has not run yet." if tasks == 1 else f"{unrun:,} of {tasks:,} tasks have not run yet.")
    return " ".join(notes)


# ---- files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListedTask:
    """A task whose files are wanted. `runs`: how many it has, if that is known and final; None asks the queue."""

    task_id: str
    name: str
    group_id: str
    runs: int | None = None


def skip_reason(storage: str, run_state: str) -> str:
    """Why an artifact cannot be fetched, "" if it can be tried.

    A `reference` of an unresolved run is its live log: the worker holds that response open for as long as it writes.
    An expired artifact is tried, since only the server's clock decides (410); so is an unfinished object (404).
    """
    if storage == "error":
        return "error artifact: the worker could not make it"
    if storage == "reference" and run_state not in RESOLVED:
        return "still being written"
    return ""


def remote_file(root: str, row: ArtifactRow) -> RemoteFile:
    """One artifact of one run as a file to fetch."""
    entry = row.entry
    return RemoteFile(
        key=f"{root}/{row.task_id}/{'latest' if row.run is None else row.run}/{entry.name}",
        name=entry.name,
        url=urls.artifact_url(root, row.task_id, row.run, entry.name),
        parts=default_parts(row.group_id, row.task_name, row.task_id, row.run, entry.name),
        size=entry.contentLength,
        content_type=entry.contentType or "",
        skip=skip_reason(entry.storageType, row.run_state),
        expires_ms=iso_milliseconds(entry.expires),
        origin=(row.task_name or row.task_id) + (f", run {row.run}" if row.run else ""),
        listed_in=Task(row.task_id, row.run, root),
    )


def files_of_tasks(client: Client, tasks: Iterable[ListedTask], cancel: CancelToken) -> Iterator[list[RemoteFile]]:
    """The files of all runs of these tasks, in batches as they become known. Raises what ends the listing.

    The latest run alone would not do: after an automatic retry it is empty.
    """

    def fetch(task: ListedTask, own: CancelToken) -> list[RemoteFile]:
        try:
            if task.runs is not None:
                states, group_id = ["completed"] * task.runs, task.group_id
            else:
                status, _ = client.fetch_status(task.task_id, own)
                states, group_id = [run.state for run in status.runs], status.taskGroupId or task.group_id
            listed = fetch_runs(client, task.task_id, task.name, group_id, enumerate(states), own)
        except (BadRequestError, GoneError, AccessDeniedError, NotFoundError) as error:
            return [unlisted_file(client.root, task, error)]
        return [remote_file(client.root, row) for row in listed.rows]

    for batch in map_in_order(fetch, tasks, cancel):
        yield [file for files in batch for file in files]


def unlisted_file(root: str, task: ListedTask, error: AppError) -> RemoteFile:
    """Represents in the plan all that a task may have had."""
    return RemoteFile(
        key=f"{root}/{task.task_id}",
        url=urls.api_url(root, "queue", f"task/{urls.quote_segment(task.task_id)}/artifacts"),
        parts=(task.group_id, task.name or task.task_id, task.task_id, "artifacts"),
        skip=f"its artifacts cannot be listed: {error.sentence}",
        unlisted=True,
        origin=task.name or task.task_id,
        listed_in=Task(task.task_id, None, root),
    )
