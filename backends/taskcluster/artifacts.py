"""The artifacts of a task's runs, or of several tasks, as a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import format_value, with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import AccessDeniedError, GoneError, HttpError, NotFoundError, OfflineError
from backends.http.response import Freshness
from backends.locators import Locator
from backends.locators.taskcluster import SLUGID, Artifact, Task, TaskArtifacts
from backends.pool import map_in_order
from backends.resources import Detail, Document, Entry, Link, LogAddress, Page, Resource, Row
from backends.taskcluster import roots
from backends.taskcluster.artifact_contents import contents, kind_words
from backends.taskcluster.artifact_files import Listed, by_name, remote_file, skip_reason
from backends.taskcluster.documents import artifact_document, task_document
from backends.taskcluster.menus import task_entries
from backends.taskcluster.models import ArtifactEntry
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.task_log import is_text, row_log
from backends.taskcluster.task_rows import times
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.http import Http

ARTIFACTS = Schema(
    (
        Column("run", Kind.COUNT, "Run"),
        Column("name", Kind.TEXT, "Name", width=52),
        Column("size", Kind.BYTES, "Size", "B"),
        Column("content_type", Kind.TEXT, "Type"),
        Column("storage", Kind.TEXT, "Storage"),
        Column("expires", Kind.TIME, "Expires"),
        Column("task_name", Kind.TEXT, "Task name"),
        Column("task_id", Kind.ID, "Task"),
        Column("run_state", Kind.STATE, "Run state"),
        Column("group_id", Kind.ID, "Task group", hidden=True, searched=False),
    ),
    key="key",
)


class TaskArtifactList(Resource):
    """Of a `Task` all runs (or the one it names), of `TaskArtifacts` all runs of each task.

    Run, size in decoded bytes (null where the worker did not tell: most before 2026), storage type, expiry.
    """

    schema = ARTIFACTS
    noun = ("artifact", "artifacts")
    empty_text = "No run of this task has artifacts (yet)."

    def __init__(self, locator: Task | TaskArtifacts, http: Http, root: str, named: str = "") -> None:
        """`named`: the artifact that the list is opened for; shown alone where the task itself cannot be read."""
        super().__init__(locator)
        self._named = named
        self.deployment = Deployment(http, root)
        self.task_ids = (locator.task_id,) if isinstance(locator, Task) else tuple(dict.fromkeys(locator.task_ids))
        self.run = locator.run if isinstance(locator, Task) else None
        self._task_name = ""  # known when the first task has been asked

    @property
    def title(self) -> str:
        if len(self.task_ids) != 1:
            return f"artifacts of {len(self.task_ids):,} tasks"
        name = self._task_name or f"task {self.task_ids[0]}"
        return name + ("" if self.run is None else f" run {self.run}")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page whenever tasks have been listed. Of several tasks, those that cannot be listed are in the note."""
        failed: list[HttpError] = []
        odd: list[str] = []
        unrun = 0
        for batch in map_in_order(self._ask, self.task_ids, cancel):
            cancel.check()
            runs: list[Listed] = []
            for told in batch:
                if isinstance(told, HttpError):
                    failed.append(told)
                else:
                    runs += told
                    unrun += not told
            if failed and len(failed) == len(self.task_ids):
                raise failed[0]
            odd += [run.note for run in runs if run.note]
            origin = _worst(run.origin for run in runs)
            note = _note(failed, unrun, len(self.task_ids), odd)
            yield Page(artifact_frame(runs), origin, note=note, partial=bool(failed or odd))

    def _ask(self, task_id: str, cancel: CancelToken) -> list[Listed] | HttpError:
        try:
            return self._list(task_id, cancel)
        except (NotFoundError, GoneError, AccessDeniedError, OfflineError) as problem:
            return problem

    def _list(self, task_id: str, cancel: CancelToken) -> list[Listed]:
        try:
            status, origin = self.deployment.status(task_id, cancel)
        except (NotFoundError, GoneError, AccessDeniedError) as problem:
            if not self._named:
                raise
            return [self._alone(task_id, problem)]
        if self.run is not None and not 0 <= self.run < len(status.runs):
            raise NoSuchRun(task_id, self.run, len(status.runs))
        name = self._task_name = self._name(task_id, cancel)
        listed = []
        for run in range(len(status.runs)) if self.run is None else (self.run,):
            state = status.runs[run].state
            found = self.deployment.artifacts(task_id, run, state in RESOLVED, cancel)
            worse, entries = origin.worse(found.origin), by_name(found.entries)
            listed.append(Listed(task_id, name, status.taskGroupId or "", run, state, entries, worse, found.note))
        return listed

    def _alone(self, task_id: str, problem: HttpError) -> Listed:
        """The artifact that was named, of whose task nothing is told: it may have outlived it, or be all we may see."""
        kind = "text/plain" if is_text(self._named, "") else None
        note = f"Only the named artifact is shown, the task itself cannot be read: {problem.sentence}"
        entries = (ArtifactEntry(self._named, contentType=kind),)
        return Listed(task_id, "", "", self.run, "", entries, Freshness(), note)

    def _name(self, task_id: str, cancel: CancelToken) -> str:
        """Only the definition has it. A list without names is still a list, so nothing but a stop ends it here."""
        try:
            return self.deployment.task(task_id, cancel)[0].metadata.name
        except HttpError:
            return ""

    def shows(self, row: Row) -> Locator | LogAddress | Document | None:
        """By kind, see `artifact_contents`: a tree, a text, a table, the members of an archive."""
        return contents(self.deployment, row)

    def document(self, row: Row) -> Document | None:
        """A JSON artifact; of any other its task."""
        return artifact_document(self.deployment, row) or task_document(self.deployment, row)

    def open(self, row: Row) -> Artifact | None:
        task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
        if not SLUGID.fullmatch(task_id) or not name:
            return None
        return Artifact(task_id, row.get("run"), name, self.deployment.root)

    def log(self, row: Row) -> LogAddress | None:
        return row_log(self.deployment.root, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        """The artifact as a text or a tree, where it is shown as something else; then around its task."""
        if row is None:
            return []
        text, tree, shown = self.log(row), artifact_document(self.deployment, row), self.shows(row)
        found: list[Entry] = []
        if text is not None and not isinstance(shown, LogAddress):
            found.append(Link("This artifact as a text", text))
        if tree is not None and not isinstance(shown, Document):
            found.append(Link("This artifact as a tree", tree))
        return [*found, *task_entries(self.deployment.root, row, task_document(self.deployment, row))]

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """From the rows alone; see `artifact_files` for what cannot be fetched."""
        epoch = rows.with_columns(pl.col("expires").dt.timestamp("ms"))
        yield [
            remote_file(
                self.deployment.root, group_id=row["group_id"] or "", task_name=row["task_name"] or "",
                task_id=row["task_id"], run=row["run"], run_state=row["run_state"] or "", name=row["name"],
                storage=row["storage"] or "", size=row["size"], content_type=row["content_type"] or "",
                expires_ms=row["expires"],
            )
            for row in epoch.iter_rows(named=True)
        ]  # fmt: skip

    def detail(self, row: Row) -> Detail:
        told = with_unit(row, ARTIFACTS)
        skip = skip_reason(str(row.get("storage") or ""), str(row.get("run_state") or ""))
        told = (*told, ("Download", f"not possible: {skip}")) if skip else told
        if not skip and contents(self.deployment, row) is None:
            told = (*told, ("Content", kind_words(row)))
        return Detail(str(row.get("name") or ""), (("Artifact", told),))

    def web_url(self, row: Row | None = None) -> str | None:
        if row is not None:
            task_id, run, name = str(row.get("task_id") or ""), int(row.get("run") or 0), str(row.get("name") or "")
            return roots.artifact_page(self.deployment.root, task_id, run, name)
        return roots.task_page(self.deployment.root, self.task_ids[0], self.run) if len(self.task_ids) == 1 else None

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB · 2 without content"; the size of those that have one."""
        known, errors = frame["size"].drop_nulls(), (frame["storage"] == "error").sum()
        size = [format_value(known.sum(), ARTIFACTS["size"])] if known.len() else []
        return " · ".join([*size, *([f"{errors:,} without content"] if errors else [])])


class NoSuchRun(NotFoundError):
    def __init__(self, task_id: str, run: int, runs: int) -> None:
        known = "it has not run yet" if not runs else "it has run 0 only" if runs == 1 else f"it has 0 to {runs - 1}"
        super().__init__(f"Task {task_id} has no run {run}: {known}.", "Open the task without a run.", status=404)


def artifact_frame(runs: Iterable[Listed]) -> pl.DataFrame:
    """Rows of the schema `ARTIFACTS`, one an artifact of a run."""
    rows = [
        (
            f"{run.task_id}/{run.run}/{entry.name}", run.run, entry.name, entry.contentLength, entry.contentType,
            entry.storageType or None, entry.expires, run.task_name or None, run.task_id, run.run_state,
            run.group_id or None,
        )
        for run in runs
        for entry in run.entries
    ]  # fmt: skip
    if not rows:
        return ARTIFACTS.empty()
    columns = dict(zip(ARTIFACTS.polars(), zip(*rows, strict=True), strict=True))
    series = [
        times(name, cells) if name == "expires" else pl.Series(name, cells, dtype=ARTIFACTS.polars()[name])
        for name, cells in columns.items()
    ]
    return pl.DataFrame(series).unique("key", keep="last", maintain_order=True)


def _worst(origins: Iterable[Freshness]) -> Freshness:
    worst: Freshness | None = None
    for origin in origins:
        worst = origin if worst is None else worst.worse(origin)
    return worst or Freshness()


def _note(failed: list[HttpError], unrun: int, tasks: int, odd: list[str]) -> str:
    notes = odd[:1]
    if failed:
        notes.append(f"{len(failed):,} of {tasks:,} tasks could not be listed: {failed[0].sentence}")
    if unrun:
        notes.append("The task has not run yet." if tasks == 1 else f"{unrun:,} of {tasks:,} tasks have not run yet.")
    return " ".join(notes)
