"""What performance tests measured: the perfherder-data files of given tasks, of all their runs, as one list of values.

A task is asked for its runs and their artifacts; each artifact whose file name is perfherder-data*.json is read:
whatever in it is a named number becomes a row, however the rest looks. What cannot be read is counted in the note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from backends import lenient_json
from backends.cancel import CancelToken
from backends.frames.getters import optional
from backends.frames.schema import Column, Kind, Schema
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
from backends.lenient_json import as_dict, as_list, as_text
from backends.loading import LoadingWork
from backends.pool import WORKERS, map_in_order
from backends.resources import Entry, Page, Row
from backends.taskcluster import urls
from backends.taskcluster.actions import task_entries
from backends.taskcluster.artifacts import ArtifactRow, fetch_runs, remote_file, row_of_cells, skip_reason
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.contents import ClientListing
from backends.taskcluster.locators import (
    Artifact,
    ArtifactContents,
    Task,
    TaskMeasurements,
    is_perfherder_data,
    is_slugid,
)
from backends.taskcluster.perfherder_artifact import first_violation
from backends.taskcluster.task_rows import LONGEST, platform_and_build
from backends.transfers.files import RemoteFile

MAX_VALUE = 1e12  # of a measured value, as the schema of perfherder artifacts has it
CAP = 8 << 20  # bytes; usual are 2 to 200 KB, and eight are decoded at a time

_YES_NO: dict[bool | None, str | None] = {True: "yes", False: "no", None: None}


class DataFile(msgspec.Struct, frozen=True):
    """A perfherder-data file, of which run of which task."""

    task_id: str
    task_name: str
    platform: str | None
    build_type: str | None
    run: int
    run_state: str
    artifact: str

    @property
    def path(self) -> str:
        return f"{self.task_id}/{self.run}/{self.artifact}"


class Measurement(msgspec.Struct, gc=False):
    """One value of a suite, or of a subtest of it. `place`: where it is in its file."""

    source: DataFile
    place: str
    suite: str
    subtest: str | None
    value: float
    unit: str | None
    options: str | None
    lower_is_better: bool
    replicates: list[float]
    framework: str | None
    application: str | None
    should_alert: bool | None
    alert_threshold: float | None
    tags: str | None

    @property
    def key(self) -> str:
        return f"{self.source.path}#{self.place}"


MEASUREMENTS = Schema(
    (
        Column("suite", Kind.TEXT, "Suite", width=24, get="suite"),
        Column("subtest", Kind.TEXT, "Subtest", width=24, get="subtest"),  # null: the value of the complete suite
        Column("value", Kind.NUMBER, "Value", get="value"),
        Column("unit", Kind.TEXT, "Unit", get="unit"),
        Column("platform", Kind.TEXT, "Platform", get="source.platform"),
        Column("build_type", Kind.TEXT, "Build", get="source.build_type"),
        Column("options", Kind.TEXT, "Options", get="options"),
        Column("lower_is_better", Kind.TEXT, "Lower is better", get=lambda row: _YES_NO[row.lower_is_better]),
        Column("replicate_count", Kind.COUNT, "Replicates", get=lambda row: len(row.replicates)),
        Column("framework", Kind.TEXT, "Framework", get="framework"),
        Column("application", Kind.TEXT, "Application", get="application"),
        Column("run", Kind.COUNT, "Run", get="source.run"),
        Column("run_state", Kind.STATE, "Run state", is_own=False, get="source.run_state"),
        Column("task_name", Kind.TEXT, "Task name", keeps_end=True, get=optional("source.task_name")),
        Column("task_id", Kind.ID, "Task", get="source.task_id"),
        Column(
            "should_alert", Kind.TEXT, "Should alert", hidden=True, searched=False,
            get=lambda row: _YES_NO[row.should_alert],
        ),
        Column("alert_threshold", Kind.NUMBER, "Alert threshold", hidden=True, get="alert_threshold"),
        Column("tags", Kind.TEXT, "Tags", hidden=True, get="tags"),
        Column("artifact", Kind.TEXT, "Artifact", hidden=True, searched=False, get="source.artifact"),
        # As text, a space between two numbers: see `by_replicate`.
        Column(
            "replicates", Kind.TEXT, "Replicate values", hidden=True, searched=False,
            get=lambda row: " ".join(map(repr, row.replicates)) or None,
        ),
    ),
    key="key",
    key_get="key",
)  # fmt: skip


@dataclass(frozen=True)
class MeasuredTask:
    """A task to read. What is None is fetched; `run_states` may be given only if they are final."""

    task_id: str
    name: str | None = None
    platform: str | None = None
    build_type: str | None = None
    run_states: tuple[str, ...] | None = None


@dataclass
class ReadSummary:
    """What reading one task, or all so far, came to: rows, and the counts of what is missing."""

    rows: list[Measurement] = field(default_factory=list)
    freshness: Freshness = field(default_factory=Freshness)
    unlisted: list[HttpError] = field(default_factory=list)
    without: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)  # (task and artifact, why)
    refused: list[tuple[str, str]] = field(default_factory=list)  # (task and artifact, the rule that it breaks)
    left_out: int = 0
    notes: list[str] = field(default_factory=list)

    def merge_origin(self, freshness: Freshness) -> None:
        self.freshness = self.freshness.worse(freshness)

    def add_counts(self, other: ReadSummary) -> None:
        self.merge_origin(other.freshness)
        self.unlisted += other.unlisted
        self.without += other.without
        self.broken += other.broken
        self.refused += other.refused
        self.left_out += other.left_out
        self.notes += other.notes


class MeasurementList(ClientListing):
    """One row a value; a page whenever tasks have been read.

    Of a `Task` all runs (or the one it names), of `TaskMeasurements` all runs of each, of `ArtifactContents` one file.
    `of_rows` takes the tasks from a task group's rows, which saves two requests a task.
    """

    schema = MEASUREMENTS
    noun = ("measurement", "measurements")
    default_sort = (("suite", False),)
    empty_text = "These tasks have no perfherder data."

    def __init__(
        self,
        locator: Task | TaskMeasurements | ArtifactContents,
        client: Client,
        known: Sequence[MeasuredTask] = (),
    ) -> None:
        super().__init__(locator, client)
        ids = locator.task_ids if isinstance(locator, TaskMeasurements) else (locator.task_id,)
        by_id = {task.task_id: task for task in known}
        self.tasks = [by_id.get(task_id, MeasuredTask(task_id)) for task_id in dict.fromkeys(ids)]
        self.run = None if isinstance(locator, TaskMeasurements) else locator.run
        self.artifact = locator.name if isinstance(locator, ArtifactContents) else ""  # if set, only this one is read
        self._unreached: list[HttpError] = []  # by the threads of the reading in progress

    @classmethod
    def of_rows(cls, rows: pl.DataFrame, client: Client) -> MeasurementList:
        """The measurements of these rows of a task group (schema `TASKS`)."""
        known = tasks_of_rows(rows)
        return cls(TaskMeasurements(tuple(task.task_id for task in known), client.root), client, known)

    @property
    def title(self) -> str:
        if self.artifact:
            return f"measurements in {self.artifact.rpartition('/')[2]}"
        if len(self.tasks) != 1:
            return f"measurements of {len(self.tasks):,} tasks"
        return f"measurements of {self.tasks[0].name or self.tasks[0].task_id}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """What is missing is in the note of the last page, since only then is it counted.

        Raises an `AppError` if no task could be listed, or if the server or the network fails, but not for a few files.
        """
        total = ReadSummary()
        self._unreached = []
        any_rows, done = False, 0
        for batch in map_in_order(self._read_task, self.tasks, cancel):
            cancel.check()
            done += len(batch)
            self._work = LoadingWork(done, len(self.tasks), "tasks read") if len(self.tasks) > 1 else None
            rows = [row for task in batch for row in task.rows]
            for task in batch:
                total.add_counts(task)
            if total.unlisted and len(total.unlisted) == len(self.tasks):
                raise total.unlisted[0]
            if rows:
                any_rows = True
                yield Page(MEASUREMENTS.build(rows), total.freshness)
        if self._unreached and not any_rows:
            raise self._unreached[0]
        note, partial = _note(total, len(self.tasks)), bool(total.unlisted or total.broken)
        yield Page(MEASUREMENTS.empty(), total.freshness, note=note, partial=partial)

    def _read_task(self, task: MeasuredTask, cancel: CancelToken) -> ReadSummary:
        summary = ReadSummary()
        try:
            files = self._list_files(task, summary, cancel)
        except (BadRequestError, GoneError, AccessDeniedError, NotFoundError, OfflineError) as error:
            return ReadSummary(unlisted=[error])
        seen: set[tuple[int, bytes]] = set()
        for file in files:
            self._read_file(file, summary, seen, cancel)
        summary.without = not files and not summary.broken
        return summary

    def _list_files(self, task: MeasuredTask, summary: ReadSummary, cancel: CancelToken) -> list[DataFile]:
        """The files of one task that can be fetched; those that cannot are counted."""
        states = task.run_states
        if states is None:
            status, freshness = self.client.fetch_status(task.task_id, cancel)
            summary.merge_origin(freshness)
            states = tuple(run.state for run in status.runs)
        name, platform, build_type = self._describe_task(task, cancel)
        runs = [(run, state) for run, state in enumerate(states) if self.run in (None, run)]
        listed = fetch_runs(self.client, task.task_id, name, "", runs, cancel)
        summary.merge_origin(listed.freshness)
        summary.notes += [listed.note] if listed.note else []

        def data_file(row: ArtifactRow) -> DataFile:
            return DataFile(task.task_id, name, platform, build_type, row.run or 0, row.run_state, row.entry.name)

        files = []
        for row in listed.rows:
            if self.artifact in ("", row.entry.name) and is_perfherder_data(row.entry.name):
                if skip := skip_reason(row.entry.storageType, row.run_state):
                    summary.broken.append((data_file(row).path, skip))
                else:
                    files.append(data_file(row))
        return files

    def _describe_task(self, task: MeasuredTask, cancel: CancelToken) -> tuple[str, str | None, str | None]:
        """Name, platform and build type; a list without them is still a list."""
        if task.name is not None:
            return task.name, task.platform, task.build_type
        try:
            definition = self.client.fetch_definition(task.task_id, cancel)[0]
        except HttpError:
            return "", None, None
        return definition.metadata.name, *platform_and_build(definition, definition.metadata.name)

    def _read_file(
        self, file: DataFile, summary: ReadSummary, seen: set[tuple[int, bytes]], cancel: CancelToken
    ) -> None:
        url = urls.artifact_url(self.client.root, file.task_id, file.run, file.artifact)
        policy = _cache_if_json if file.run_state in RESOLVED else CachePolicy.short(10)
        try:
            response = self.client.http.get(url, policy=policy, cap=CAP, cancel=cancel)
        except HttpError as error:
            if isinstance(error, NetworkError | RateLimitedError) and not isinstance(error, IncompleteBodyError):
                self._unreached.append(error)
                if len(self._unreached) >= WORKERS:
                    raise  # as many as are read at a time: it would be the same for all others
            summary.broken.append((file.path, error.sentence))
            return
        summary.merge_origin(response.freshness)
        if (file.run, response.body) in seen:
            return  # some harnesses upload the same file under two names
        seen.add((file.run, response.body))
        data = read_data(response.body, file)
        summary.rows += data.rows
        summary.left_out += data.left_out
        if data.unusable:
            summary.broken.append((file.path, data.unusable))
        elif data.violation:
            summary.refused.append((file.path, data.violation))

    def open(self, row: Row) -> Artifact | None:
        task_id, artifact = str(row.get("task_id") or ""), str(row.get("artifact") or "")
        if not is_slugid(task_id) or not artifact:
            return None
        return Artifact(task_id, row.get("run"), artifact, self.client.root)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [] if row is None else task_entries(self.client.root, row, self.document(row))

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """The files that these values were read from, each once."""
        names = pl.col("artifact").alias("name"), pl.lit("application/json").alias("content_type")
        files = rows.select("task_id", "task_name", "run", "run_state", *names).unique(maintain_order=True)
        yield [remote_file(self.client.root, row_of_cells(row)) for row in files.to_dicts()]

    def row_title(self, row: Row) -> str:
        return " ".join(str(row[part]) for part in ("suite", "subtest") if row.get(part))

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None:
            return urls.task_page(self.client.root, self.tasks[0].task_id) if len(self.tasks) == 1 else None
        task_id, run = str(row.get("task_id") or ""), int(row.get("run") or 0)
        return urls.artifact_page(self.client.root, task_id, run, str(row.get("artifact") or ""))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 suites · 5 tasks"."""
        suites, tasks = frame["suite"].n_unique(), frame["task_id"].n_unique()
        return f"{suites:,} suite{'s' * (suites != 1)} · {tasks:,} task{'s' * (tasks != 1)}"


def tasks_of_rows(rows: pl.DataFrame) -> list[MeasuredTask]:
    """The tasks of a task group's rows, with what these already contain. The run of a task that ran once has the
    task's state."""
    columns = rows.select("task_id", "name", "platform", "build_type", "state", "runs")
    return [
        MeasuredTask(task_id, name or "", platform, build, (state,) if runs == 1 and state in RESOLVED else None)
        for task_id, name, platform, build, state, runs in columns.iter_rows()
    ]


def _cache_if_json(response: Response) -> CachePolicy:
    """An artifact of a resolved run is final; what is not JSON was cut off on the way, or is a login page."""
    return CachePolicy.never() if decode_data(response.body) is None else CachePolicy.immutable()


def _note(summary: ReadSummary, tasks: int) -> str:
    notes = summary.notes[:1]
    if summary.unlisted:
        count, sentence = len(summary.unlisted), summary.unlisted[0].sentence
        notes.append(f"{count:,} of {tasks:,} tasks could not be listed: {sentence}")
    if summary.without:
        has = "has" if summary.without == 1 else "have"
        without = f"{summary.without:,} of {tasks:,} tasks {has}" if tasks > 1 else "The task has"
        notes.append(f"{without} no perfherder data.")
    if summary.broken:
        (path, why), count = summary.broken[0], len(summary.broken)
        what = "1 file could not be read" if count == 1 else f"{count:,} files could not be read, the first"
        notes.append(f"{what}: {path}: {why.rstrip('.')}.")
    if summary.left_out:
        notes.append(f"{summary.left_out:,} values are left out: without a name, or not a number within 10^12.")
    if summary.refused:
        (path, rule), count = summary.refused[0], len(summary.refused)
        what = "1 file is shown which" if count == 1 else f"{count:,} files are shown which"
        notes.append(f"{what} Perfherder would refuse; {path}: {rule}.")
    return " ".join(notes)


# ---- files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileData:
    """The values of one file. `unusable`: why it has none, "" if it has some.

    `left_out`: values without a name, or that are not a finite number within 10^12. `violation`: for what Perfherder
    would refuse the file.
    """

    rows: tuple[Measurement, ...] = ()
    unusable: str = ""
    left_out: int = 0
    violation: str = ""


def decode_data(body: bytes) -> Any:
    """Any JSON value; None for what is not JSON. NaN, which Python's writers put into JSON, is read."""
    try:
        return lenient_json.loads(body)
    except ValueError:
        return None


def read_data(body: bytes, file: DataFile) -> FileData:
    """The values of one file. Raises nothing, whatever the file holds.

    A list of such objects is taken as Treeherder takes it: as several files in one.
    """
    value = decode_data(body)
    if value is None:
        return FileData(unusable="it is cut off or not JSON")
    parts = value if isinstance(value, list) else [value]
    if not any(isinstance(part, dict) and isinstance(part.get("suites"), list) for part in parts):
        return FileData(unusable="it has no list of suites")
    values = [value for number, part in enumerate(parts) for value in _values(as_dict(part), file, number)]
    rows = tuple(value for value in values if value is not None)
    left_out = len(values) - len(rows)
    violation = next((text for part in parts if (text := first_violation(part))), "")
    unusable = "" if rows else "none of its suites has a value" if not left_out else "none of its values is a number"
    return FileData(rows, unusable, left_out, violation)


def _values(part: dict[str, Any], file: DataFile, number: int) -> Iterator[Measurement | None]:
    """The suite's own value where it has one, then its subtests'; None for a value that cannot be a row."""
    framework = _text(as_dict(part.get("framework")).get("name"))
    application = _text(as_dict(part.get("application")).get("name"))
    for place, suite in enumerate(map(as_dict, as_list(part.get("suites")))):
        name = _text(suite.get("name"))
        options, tags = _join_sorted(suite.get("extraOptions")), _join_sorted(suite.get("tags"))
        subtests = [as_dict(one) for one in as_list(suite.get("subtests"))]
        for index, one in enumerate([*([suite] if suite.get("value") is not None else []), *subtests]):
            subtest = None if one is suite else _text(one.get("name"))
            value = _number(one.get("value"))
            if not name or value is None or (one is not suite and not subtest):
                yield None
                continue
            replicates = map(_number, as_list(one.get("replicates")))
            should_alert = one.get("shouldAlert")
            yield Measurement(
                source=file,
                place=f"{number}.{place}.{index}",
                suite=name,
                subtest=subtest,
                value=value,
                unit=_text(one.get("unit")),
                options=options,
                lower_is_better=one.get("lowerIsBetter") is not False,  # the schema's readers take absent for true
                replicates=[one for one in replicates if one is not None],
                framework=framework,
                application=application,
                should_alert=should_alert if isinstance(should_alert, bool) else None,
                alert_threshold=_number(one.get("alertThreshold")),
                tags=tags,
            )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= MAX_VALUE else None  # NaN is not


def _text(value: Any) -> str | None:
    text = as_text(value)
    return text[:LONGEST] if text else None


def _join_sorted(value: Any) -> str | None:
    """Sorted: two files that list the same options in another order measured the same thing."""
    return " ".join(sorted(text for one in as_list(value) if (text := _text(one))))[:LONGEST] or None


def by_replicate(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a replicate, its number in `value`; a value without replicates stays as it is.

    `key` and `replicates` are dropped. (A frame has no lists, so that every table, filter and export can hold it: the
    column `replicates` is the numbers as text, which reads back to the same floats.)
    """
    numbers = pl.col("replicates").str.split(" ").cast(pl.List(pl.Float64))
    every = pl.when(pl.col("replicates").is_null()).then(pl.concat_list("value")).otherwise(numbers)
    return frame.with_columns(every.alias("value")).drop("key", "replicates").explode("value")
