"""What performance tests measured: the perfherder-data files of given tasks, of all their runs, as one list of values.

A task is asked for its runs and their artifacts; each artifact whose last part is perfherder-data*.json is read. What
cannot be read is counted in the note and loses nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import with_unit
from backends.http.errors import (
    AccessDeniedError,
    BadRequestError,
    GoneError,
    HttpError,
    IncompleteBodyError,
    NetworkError,
    NotFoundError,
    OfflineError,
    RateLimitedError,
)
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.locators.taskcluster import SLUGID, Artifact, Task, TaskMeasurements
from backends.pool import WORKERS, map_in_order
from backends.resources import Detail, Document, Entry, Page, Resource, Row
from backends.taskcluster import naming, roots
from backends.taskcluster.artifact_files import remote_file, skip_reason
from backends.taskcluster.documents import task_document
from backends.taskcluster.measurements_reading import (
    MEASUREMENTS,
    Measured,
    Reading,
    decode,
    measurement_frame,
    read,
)
from backends.taskcluster.menus import task_entries
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.http import Http

NAMES = "perfherder-data*.json"  # of the last part: perfherder-data.json, perfherder-data-building.json, ...
CAP = 8 << 20  # bytes; usual are 2 to 200 KB, and eight are decoded at a time


@dataclass(frozen=True)
class MeasuredTask:
    """A task to read. What is None is asked of the queue; `run_states` may be given only if they are final."""

    task_id: str
    name: str | None = None
    platform: str | None = None
    build_type: str | None = None
    run_states: tuple[str, ...] | None = None


@dataclass
class _Told:
    """What reading one task, or all so far, came to."""

    readings: list[Reading] = field(default_factory=list)
    origin: Freshness = field(default_factory=Freshness)
    unlisted: list[HttpError] = field(default_factory=list)
    without: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)  # (task and artifact, why)
    refused: list[tuple[str, str]] = field(default_factory=list)  # (task and artifact, the rule that it breaks)
    left_out: int = 0
    notes: list[str] = field(default_factory=list)

    def met(self, origin: Freshness) -> None:
        self.origin = self.origin.worse(origin)

    def add(self, other: _Told) -> None:
        """The counts of another; its rows are the caller's."""
        self.met(other.origin)
        self.unlisted += other.unlisted
        self.without += other.without
        self.broken += other.broken
        self.refused += other.refused
        self.left_out += other.left_out
        self.notes += other.notes


class MeasurementList(Resource):
    """One row a value, see `measurements_reading.MEASUREMENTS`; a page whenever tasks have been read.

    Of a `Task` all runs (or the one it names), of `TaskMeasurements` all runs of each. `of_rows` takes them from a task
    group's rows, which saves two requests a task.
    """

    schema = MEASUREMENTS
    noun = ("measurement", "measurements")
    default_sort = ("suite", False)
    empty_text = "These tasks have no perfherder data."

    def __init__(
        self, locator: Task | TaskMeasurements, http: Http, root: str, known: Sequence[MeasuredTask] | None = None
    ) -> None:
        super().__init__(locator)
        self.deployment = Deployment(http, root)
        ids = (locator.task_id,) if isinstance(locator, Task) else tuple(dict.fromkeys(locator.task_ids))
        by_id = {task.task_id: task for task in known or ()}
        self.tasks = [by_id.get(task_id, MeasuredTask(task_id)) for task_id in ids]
        self.run = locator.run if isinstance(locator, Task) else None
        self.artifact = ""  # if set, only this one is read
        self._unreached: list[HttpError] = []  # by the threads of the reading under way

    @classmethod
    def of_rows(cls, rows: pl.DataFrame, http: Http, root: str) -> MeasurementList:
        """The measurements of these rows of a task group (schema `TASKS`)."""
        known = tasks_of_rows(rows)
        return cls(TaskMeasurements(tuple(task.task_id for task in known), root), http, root, known)

    @property
    def title(self) -> str:
        if self.artifact:
            return self.artifact.rpartition("/")[2]
        if len(self.tasks) != 1:
            return f"measurements of {len(self.tasks):,} tasks"
        return f"measurements of {self.tasks[0].name or self.tasks[0].task_id}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """What is missing is in the note of the last page, for only then is it counted.

        Raises a `AppError` if no task could be listed, or if the server or the network fails, but not for a few files.
        """
        so_far = _Told()
        self._unreached = []
        found = False
        for batch in map_in_order(self._ask, self.tasks, cancel):
            cancel.check()
            rows = measurement_frame(reading for told in batch for reading in told.readings)
            for told in batch:
                so_far.add(told)
            if so_far.unlisted and len(so_far.unlisted) == len(self.tasks):
                raise so_far.unlisted[0]
            if not rows.is_empty():
                found = True
                yield Page(rows, so_far.origin)
        if self._unreached and not found:
            raise self._unreached[0]
        yield Page(
            MEASUREMENTS.empty(),
            so_far.origin,
            note=_note(so_far, len(self.tasks)),
            partial=bool(so_far.unlisted or so_far.broken),
        )

    def _ask(self, task: MeasuredTask, cancel: CancelToken) -> _Told:
        told = _Told()
        try:
            sources = self._sources(task, told, cancel)
        except (BadRequestError, GoneError, AccessDeniedError, NotFoundError, OfflineError) as problem:
            return _Told(unlisted=[problem])
        seen: set[tuple[int, bytes]] = set()
        for source in sources:
            self._read(source, told, seen, cancel)
        told.without = not sources and not told.broken
        return told

    def _sources(self, task: MeasuredTask, told: _Told, cancel: CancelToken) -> list[Measured]:
        """The files of one task that are worth asking for; those that are not are noted."""
        states = task.run_states
        if states is None:
            status, origin = self.deployment.status(task.task_id, cancel)
            told.met(origin)
            states = tuple(run.state for run in status.runs)
        name, platform, build_type = self._named(task, cancel)
        found = []
        for run, state in enumerate(states):
            if self.run not in (None, run):
                continue
            listed = self.deployment.artifacts(task.task_id, run, state in RESOLVED, cancel)
            told.met(listed.origin)
            told.notes += [listed.note] if listed.note else []
            for entry in listed.entries:
                if self.artifact not in ("", entry.name) or not fnmatchcase(entry.name.rpartition("/")[2], NAMES):
                    continue
                source = Measured(task.task_id, name, platform, build_type, run, state, entry.name)
                skip = skip_reason(entry.storageType, state)
                if skip:
                    told.broken.append((_place(source), skip))
                else:
                    found.append(source)
        return found

    def _named(self, task: MeasuredTask, cancel: CancelToken) -> tuple[str, str | None, str | None]:
        """Name, platform and build type; a list without them is still a list."""
        if task.name is not None:
            return task.name, task.platform, task.build_type
        try:
            definition = self.deployment.task(task.task_id, cancel)[0]
        except HttpError:
            return "", None, None
        return definition.metadata.name, *naming.platform_and_build(definition, definition.metadata.name)

    def _read(self, source: Measured, told: _Told, seen: set[tuple[int, bytes]], cancel: CancelToken) -> None:
        resolved = source.run_state in RESOLVED
        url = roots.artifact_url(self.deployment.root, source.task_id, source.run, source.artifact)
        try:
            answer = self.deployment.http.get(
                url, policy=_immutable if resolved else CachePolicy.short(10), cap=CAP, cancel=cancel
            )
        except HttpError as problem:
            if isinstance(problem, NetworkError | RateLimitedError) and not isinstance(problem, IncompleteBodyError):
                self._unreached.append(problem)
                if len(self._unreached) >= WORKERS:
                    raise  # as many as are asked at a time: it would be the same for all others
            told.broken.append((_place(source), problem.sentence))
            return
        told.met(answer.origin)
        if (source.run, answer.body) in seen:
            return  # some harnesses upload the same file under two names
        seen.add((source.run, answer.body))
        reading = read(answer.body, source)
        told.readings.append(reading)
        told.left_out += reading.left_out
        if reading.unusable:
            told.broken.append((_place(source), reading.unusable))
        elif reading.violation:
            told.refused.append((_place(source), reading.violation))

    def open(self, row: Row) -> Artifact | None:
        task_id, artifact = str(row.get("task_id") or ""), str(row.get("artifact") or "")
        if not SLUGID.fullmatch(task_id) or not artifact:
            return None
        return Artifact(task_id, row.get("run"), artifact, self.deployment.root)

    def document(self, row: Row) -> Document | None:
        return task_document(self.deployment, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [] if row is None else task_entries(self.deployment.root, row, self.document(row))

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """The files that these values were read from, each once."""
        wanted = rows.select("task_id", "task_name", "run", "run_state", "artifact").unique(maintain_order=True)
        yield [
            remote_file(
                self.deployment.root, group_id="", task_name=row["task_name"] or "", task_id=row["task_id"],
                run=row["run"], run_state=row["run_state"] or "", name=row["artifact"], storage="", size=None,
                content_type="application/json", expires_ms=None,
            )
            for row in wanted.iter_rows(named=True)
        ]  # fmt: skip

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, MEASUREMENTS)
        return Detail(" ".join(str(row[part]) for part in ("suite", "subtest") if row.get(part)), (("Value", lines),))

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None:
            return roots.task_page(self.deployment.root, self.tasks[0].task_id) if len(self.tasks) == 1 else None
        task_id, run = str(row.get("task_id") or ""), int(row.get("run") or 0)
        return roots.artifact_page(self.deployment.root, task_id, run, str(row.get("artifact") or ""))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 suites · 5 tasks"."""
        suites, tasks = frame["suite"].n_unique(), frame["task_id"].n_unique()
        return f"{suites:,} suite{'s' * (suites != 1)} · {tasks:,} task{'s' * (tasks != 1)}"


def tasks_of_rows(rows: pl.DataFrame) -> list[MeasuredTask]:
    """What a task group's rows already say of its tasks. The run of a task that ran once has the task's state."""
    wanted = rows.select("task_id", "name", "platform", "build_type", "state", "runs")
    return [
        MeasuredTask(task_id, name or "", platform, build, (state,) if runs == 1 and state in RESOLVED else None)
        for task_id, name, platform, build, state, runs in wanted.iter_rows()
    ]


def _immutable(answer: Response) -> CachePolicy:
    """An artifact of a resolved run is final; what is no JSON was cut off on the way, or a login page."""
    return CachePolicy.never() if decode(answer.body) is None else CachePolicy.immutable()


def _place(source: Measured) -> str:
    return f"{source.task_id}/{source.run}/{source.artifact}"


def _note(told: _Told, tasks: int) -> str:
    notes = told.notes[:1]
    if told.unlisted:
        notes.append(f"{len(told.unlisted):,} of {tasks:,} tasks could not be listed: {told.unlisted[0].sentence}")
    if told.without:
        has = "has" if told.without == 1 else "have"
        without = f"{told.without:,} of {tasks:,} tasks {has}" if tasks > 1 else "The task has"
        notes.append(f"{without} no perfherder data.")
    if told.broken:
        (place, why), count = told.broken[0], len(told.broken)
        what = "1 file could not be read" if count == 1 else f"{count:,} files could not be read, the first"
        notes.append(f"{what}: {place}: {why.rstrip('.')}.")
    if told.left_out:
        notes.append(f"{told.left_out:,} values are left out: they have no name or are no number within 10^12.")
    if told.refused:
        (place, rule), count = told.refused[0], len(told.refused)
        what = "1 file is shown which" if count == 1 else f"{count:,} files are shown which"
        notes.append(f"{what} Perfherder would refuse; {place}: {rule}.")
    return " ".join(notes)
