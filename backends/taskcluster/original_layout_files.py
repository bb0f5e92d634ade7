"""What ArtifactDownloader's layout fetches: the group as the queue tells it, and of each chosen task its files.

Of a task, the newest run that has a matching artifact is taken: the latest alone would not do, for after an automatic
retry it may be empty. A task that gives nothing stands in the plan as one skipped file with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, BadRequestError, GoneError, NotFoundError
from backends.pool import map_concurrently
from backends.taskcluster import tolerant
from backends.taskcluster.artifact_files import remote_file
from backends.taskcluster.models import ArtifactEntry
from backends.taskcluster.original_layout import Choices, Chosen
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.roots import api_url, segment
from backends.taskcluster.task_columns import TASKS
from backends.taskcluster.task_rows import ENTRY, number_copies, read_rows
from backends.transfers.files import RemoteFile

FAILED = "the task failed, and failed tasks were not asked for"


@dataclass(frozen=True)
class GroupInformation:
    """A group as it is now: `frame` in the schema `TASKS`, `entries` the JSON list of {status, task} that the queue
    sent (each task once), `notes` what is missing or odd.
    """

    group_id: str
    frame: pl.DataFrame
    entries: bytes
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """A file to fetch for a task, and the pattern that takes it; "" where the file stands for a task without any.

    `stand_in`: the key of the file that stood, or would stand, for the task. `older`: keys that this artifact had, or
    would have had, while an earlier run of the task was the newest.
    """

    task: Chosen
    pattern: str
    file: RemoteFile
    stand_in: str = ""
    older: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    number: int
    state: str
    matching: tuple[tuple[str, ArtifactEntry], ...]  # (pattern, artifact)
    files: tuple[RemoteFile, ...] = ()

    @property
    def fetchable(self) -> bool:
        return any(not file.skip for file in self.files)


def group_information(deployment: Deployment, group_id: str, cancel: CancelToken) -> GroupInformation:
    """Asks the queue, always: what was stored of a group that still runs is out of date."""
    raws: dict[str, bytes] = {}
    frames, notes = [TASKS.empty()], []
    for page in deployment.iter_task_pages(group_id, cancel):
        cancel.check()
        frames.append(read_rows(page.envelope.tasks, group_id)[0])
        for raw in page.envelope.tasks:
            entry = tolerant.read(raw, ENTRY, tolerant.entry)
            raws[entry.status.taskId if entry is not None else f"unread {len(raws)}"] = bytes(raw)
        notes += [page.note] if page.note and page.note not in notes else []
    frame = number_copies(pl.concat(frames).unique("task_id", keep="last", maintain_order=True))
    return GroupInformation(group_id, frame, b"[" + b",\n".join(raws.values()) + b"]\n", tuple(notes))


def wanted_files(
    deployment: Deployment, group_id: str, number: int, tasks: Iterable[Chosen], choices: Choices, cancel: CancelToken
) -> Iterator[list[Wanted]]:
    """The files of these tasks for the run `number`, in batches as they become known, at least one a task.

    Raises what ends the listing: a server or a network that fails.
    """

    def ask(task: Chosen, own: CancelToken) -> list[Wanted]:
        lister = _Lister(deployment, group_id, number, task, choices, own)
        if task.state == "failed" and not choices.include_failed:
            return [lister.nothing(FAILED)]
        try:
            return lister.files()
        except (BadRequestError, GoneError, AccessDeniedError, NotFoundError) as problem:
            return [lister.nothing(f"its artifacts cannot be listed: {problem.sentence}")]

    for batch in map_concurrently(ask, tasks, cancel):
        yield [one for files in batch for one in files]


@dataclass(frozen=True)
class _Lister:
    """Asks for one task."""

    deployment: Deployment
    group_id: str
    number: int
    task: Chosen
    choices: Choices
    cancel: CancelToken

    def files(self) -> list[Wanted]:
        states = self._run_states()
        best: _Run | None = None
        for number in reversed(range(len(states))):
            run = self._run(number, states[number])
            if run.fetchable or (run.matching and best is None):
                best = run
            if run.fetchable:
                break
        if best is not None:
            return [
                Wanted(self.task, pattern, file, self._stand_in, self._older(best.number, entry.name))
                for (pattern, entry), file in zip(best.matching, best.files, strict=True)
            ]
        if not states:
            return [self.nothing(f"it has not run ({self.task.state or 'state unknown'})")]
        unfinished = "" if states[-1] in RESOLVED else f" yet (the task is {self.task.state})"
        return [self.nothing(f"it has no artifact like {' or '.join(self.choices.artifacts)}{unfinished}")]

    def nothing(self, reason: str) -> Wanted:
        """Stands for all that a task may have had."""
        root, task_id = self.deployment.root, self.task.task_id
        url = api_url(root, "queue", f"task/{segment(task_id)}/artifacts")
        file = RemoteFile(key=self._stand_in, url=url, parts=self._parts(task_id), skip=reason)
        return Wanted(self.task, "", file, self._stand_in)

    @property
    def _stand_in(self) -> str:
        return self._key(f"{self.deployment.root}/{self.task.task_id}")

    def _run_states(self) -> list[str]:
        if self.task.state in RESOLVED:  # how many there are is known, which saves a request a task
            return ["completed"] * self.task.runs
        return [run.state for run in self.deployment.status(self.task.task_id, self.cancel)[0].runs]

    def _run(self, number: int, state: str) -> _Run:
        listed = self.deployment.artifacts(self.task.task_id, number, state in RESOLVED, self.cancel).entries
        matching = tuple(
            (pattern, entry) for entry in listed if (pattern := self.choices.pattern_of(entry.name)) is not None
        )
        run = _Run(number, state, matching)
        return replace(run, files=tuple(self._file(run, entry) for _, entry in matching))

    def _file(self, run: _Run, entry: ArtifactEntry) -> RemoteFile:
        file = remote_file(
            self.deployment.root, group_id=self.group_id, task_name=self.task.name, task_id=self.task.task_id,
            run=run.number, run_state=run.state, name=entry.name, storage=entry.storageType,
            size=entry.contentLength, content_type=entry.contentType or "", expires_ms=None,
        )  # fmt: skip
        basename = entry.name.rpartition("/")[2] or "unnamed"
        parts = self._parts(f"{self.task.task_id}{self.choices.separator}{basename}")
        return replace(file, key=self._key(file.key), parts=parts)

    def _older(self, run: int, name: str) -> tuple[str, ...]:
        """As `remote_file` makes keys."""
        task = f"{self.deployment.root}/{self.task.task_id}"
        return tuple(self._key(f"{task}/{before}/{name}") for before in range(run))

    def _parts(self, name: str) -> tuple[str, ...]:
        return (self.group_id, str(self.number), self.task.suite, "downloads", name)

    def _key(self, key: str) -> str:
        """One artifact may be in several runs and in the plain layout of the same OUTPUT, each time a file."""
        return f"{key} in run {self.number} as {self.task.suite}"
