"""Which files the artifacts of tasks are: where each is fetched, where it goes, and which cannot be had.

A task whose artifacts cannot be listed stays in the plan as one skipped entry with the reason, so that a bulk
download neither stops at it nor passes over it in silence. A server or a network that fails ends the listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import AccessDeniedError, BadRequestError, GoneError, NotFoundError
from backends.http.response import Freshness
from backends.pool import map_in_order
from backends.taskcluster.models import ArtifactEntry
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.roots import api_url, artifact_url, segment
from backends.taskcluster.task_rows import milliseconds
from backends.transfers.files import RemoteFile, default_parts


@dataclass(frozen=True)
class TaskRuns:
    """A task to list. `runs`: how many it has, if that is known and final; None asks the queue."""

    task_id: str
    name: str
    group_id: str
    runs: int | None = None


@dataclass(frozen=True)
class Listed:
    """One run's artifacts, as the queue lists them."""

    task_id: str
    task_name: str
    group_id: str
    run: int | None  # None: the latest, whose number is not known
    run_state: str
    entries: tuple[ArtifactEntry, ...]
    origin: Freshness
    note: str = ""


def by_name(entries: Iterable[ArtifactEntry]) -> tuple[ArtifactEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.name))


def skip_reason(storage: str, run_state: str) -> str:
    """Why an artifact cannot be fetched, "" if it can be tried.

    A `reference` of an unresolved run is its live log: the worker holds that answer open for as long as it writes.
    An expired artifact is tried, for only the server's clock decides (410); so is an unfinished object (404).
    """
    if storage == "error":
        return "error artifact: the worker could not make it"
    if storage == "reference" and run_state not in RESOLVED:
        return "still being written"
    return ""


def remote_file(
    root: str, *, group_id: str, task_name: str, task_id: str, run: int | None, run_state: str,
    name: str, storage: str, size: int | None, content_type: str, expires_ms: int | None,
) -> RemoteFile:  # fmt: skip
    """One artifact of one run as a file to fetch."""
    return RemoteFile(
        key=f"{root}/{task_id}/{'latest' if run is None else run}/{name}",
        name=name,
        url=artifact_url(root, task_id, run, name),
        parts=default_parts(group_id, task_name, task_id, run, name),
        size=size,
        content_type=content_type,
        skip=skip_reason(storage, run_state),
        expires_ms=expires_ms,
    )


def _listed_file(root: str, listed: Listed, entry: ArtifactEntry) -> RemoteFile:
    return remote_file(
        root, group_id=listed.group_id, task_name=listed.task_name, task_id=listed.task_id, run=listed.run,
        run_state=listed.run_state, name=entry.name, storage=entry.storageType, size=entry.contentLength,
        content_type=entry.contentType or "", expires_ms=milliseconds(entry.expires),
    )  # fmt: skip


def list_runs(deployment: Deployment, task: TaskRuns, cancel: CancelToken) -> list[Listed]:
    """The artifacts of every run. The latest run alone would not do: after an automatic retry it is empty."""
    if task.runs is not None:
        states, group_id = ["completed"] * task.runs, task.group_id
    else:
        status, _ = deployment.status(task.task_id, cancel)
        states, group_id = [run.state for run in status.runs], status.taskGroupId or task.group_id
    listed = []
    for run, state in enumerate(states):
        found = deployment.artifacts(task.task_id, run, state in RESOLVED, cancel)
        entries = by_name(found.entries)
        listed.append(Listed(task.task_id, task.name, group_id, run, state, entries, found.origin, found.note))
    return listed


def files_of_tasks(
    deployment: Deployment, tasks: Iterable[TaskRuns], cancel: CancelToken
) -> Iterator[list[RemoteFile]]:
    """The files of all runs of these tasks, in batches as they become known. Raises what ends the listing."""

    def ask(task: TaskRuns, own: CancelToken) -> list[RemoteFile]:
        try:
            runs = list_runs(deployment, task, own)
        except (BadRequestError, GoneError, AccessDeniedError, NotFoundError) as problem:
            return [unlisted(deployment.root, task, problem)]
        return [_listed_file(deployment.root, run, entry) for run in runs for entry in run.entries]

    for batch in map_in_order(ask, tasks, cancel):
        yield [file for files in batch for file in files]


def unlisted(root: str, task: TaskRuns, problem: AppError) -> RemoteFile:
    """Stands in the plan for all that a task may have had."""
    return RemoteFile(
        key=f"{root}/{task.task_id}",
        url=api_url(root, "queue", f"task/{segment(task.task_id)}/artifacts"),
        parts=(task.group_id, task.name or task.task_id, task.task_id, "artifacts"),
        skip=f"its artifacts cannot be listed: {problem.sentence}",
        unlisted=True,
    )
