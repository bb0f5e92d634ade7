"""A download in ArtifactDownloader's layout from the choices on: list the files, fetch them, and have them placed.

Of a task, the newest run that has a matching artifact is taken: the latest alone would not do, since after an automatic
retry it may be empty. A task that gives nothing is in the plan as one skipped file with the reason.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import polars as pl

from backends import lenient_json
from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import safe_text
from backends.http.errors import AccessDeniedError, BadRequestError, GoneError, NotFoundError
from backends.lenient_json import as_dict
from backends.paths import expand_home
from backends.pool import map_concurrently
from backends.resources import ROWS, DownloadWay, Field, Finished, Prepared
from backends.taskcluster.artifact_downloader import (
    CODE_SEPARATOR,
    FAILED,
    LAST,
    Choices,
    GroupInformation,
    PlannedFile,
    SelectedTask,
    choose_run,
    list_suites,
    select_tasks,
)
from backends.taskcluster.artifact_downloader.placement import PlacementResult, place_files
from backends.taskcluster.artifacts import ArtifactRow, remote_file
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.group_cache import GroupListing
from backends.taskcluster.locators import Task
from backends.taskcluster.models import ArtifactEntry
from backends.taskcluster.task_rows import ENTRY, filter_ids
from backends.taskcluster.urls import api_url, normalise_root, quote_segment
from backends.transfers.files import RemoteFile

WARNED = 5  # failures that a warning names; the manifest has all


def fetch_group_information(client: Client, group_id: str, cancel: CancelToken) -> GroupInformation:
    """Always from the queue: the cached listing of a group that still runs is out of date."""
    listing, raws = GroupListing(group_id), dict[str, bytes]()
    for page in client.iter_group_pages(group_id, cancel):
        cancel.check()
        listing.add(page)
        for raw in page.envelope.tasks:
            entry = lenient_json.decode(raw, ENTRY)
            raws[entry.status.taskId if entry is not None else f"unread {len(raws)}"] = bytes(raw)
    listing.finish()
    entries = b"[" + b",\n".join(raws.values()) + b"]\n"
    return GroupInformation(group_id, listing.rows, entries, tuple(dict.fromkeys(listing.notes)))


def plan_files(
    client: Client, group_id: str, number: int, tasks: Iterable[SelectedTask], choices: Choices, cancel: CancelToken
) -> Iterator[list[PlannedFile]]:
    """The files of these tasks for the run `number`, in batches as they become known, at least one a task.

    Raises what ends the listing: a server or a network that fails.
    """

    def list_task(task: SelectedTask, own: CancelToken) -> list[PlannedFile]:
        lister = _TaskLister(client, group_id, number, task, choices, own)
        if task.state == "failed" and not choices.include_failed:
            return [lister.skip(FAILED)]
        try:
            return lister.files()
        except (BadRequestError, GoneError, AccessDeniedError, NotFoundError) as error:
            return [lister.skip(f"its artifacts cannot be listed: {error.sentence}")]

    for batch in map_concurrently(list_task, tasks, cancel):
        yield [one for files in batch for one in files]


@dataclass(frozen=True)
class _TaskLister:
    """Lists the files of one task."""

    client: Client
    group_id: str
    number: int
    task: SelectedTask
    choices: Choices
    cancel: CancelToken

    def files(self) -> list[PlannedFile]:
        states = self._run_states()
        best: tuple[int, list[tuple[str, str, RemoteFile]]] | None = None
        for number in reversed(range(len(states))):
            matching = self._matching(number, states[number])
            fetchable = any(not file.skip for _, _, file in matching)
            if fetchable or (matching and best is None):
                best = number, matching
            if fetchable:
                break
        if best is not None:
            number, matching = best
            return [
                PlannedFile(self.task, pattern, file, self._stand_in, self._older(number, name))
                for pattern, name, file in matching
            ]
        if not states:
            return [self.skip(f"it has not run ({self.task.state or 'state unknown'})")]
        unfinished = "" if states[-1] in RESOLVED else f" yet (the task is {self.task.state})"
        return [self.skip(f"it has no artifact like {' or '.join(self.choices.artifacts)}{unfinished}")]

    def skip(self, reason: str) -> PlannedFile:
        """Represents all that a task may have had."""
        root, task_id = self.client.root, self.task.task_id
        url = api_url(root, "queue", f"task/{quote_segment(task_id)}/artifacts")
        task = Task(task_id, None, root)
        file = RemoteFile(
            key=self._stand_in, url=url, parts=self._parts(task_id), skip=reason, origin=self.task.name, listed_in=task
        )
        return PlannedFile(self.task, "", file, self._stand_in)

    @property
    def _stand_in(self) -> str:
        return self._key(f"{self.client.root}/{self.task.task_id}")

    def _run_states(self) -> list[str]:
        if self.task.state in RESOLVED:  # how many there are is known, which saves a request a task
            return ["completed"] * self.task.runs
        return [run.state for run in self.client.fetch_status(self.task.task_id, self.cancel)[0].runs]

    def _matching(self, number: int, state: str) -> list[tuple[str, str, RemoteFile]]:
        """(pattern, artifact, file) of what the choices take of a run."""
        entries = self.client.fetch_artifacts(self.task.task_id, number, state in RESOLVED, self.cancel).entries
        return [
            (pattern, entry.name, self._file(number, state, entry))
            for entry in entries
            if (pattern := self.choices.pattern_of(entry.name)) is not None
        ]

    def _file(self, number: int, state: str, entry: ArtifactEntry) -> RemoteFile:
        row = ArtifactRow(entry, number, state, self.task.task_id, self.task.name, self.group_id)
        file = remote_file(self.client.root, row)
        basename = entry.name.rpartition("/")[2] or "unnamed"
        parts = self._parts(f"{self.task.task_id}{self.choices.separator}{basename}")
        return replace(file, key=self._key(file.key), parts=parts, expires_ms=None)

    def _older(self, run: int, name: str) -> tuple[str, ...]:
        """As `remote_file` makes keys."""
        task = f"{self.client.root}/{self.task.task_id}"
        return tuple(self._key(f"{task}/{before}/{name}") for before in range(run))

    def _parts(self, name: str) -> tuple[str, ...]:
        return (self.group_id, str(self.number), self.task.suite, "downloads", name)

    def _key(self, key: str) -> str:
        """One artifact may be in several runs and in the plain layout of the same OUTPUT, each time a file."""
        return f"{key} in run {self.number} as {self.task.suite}"


Keep = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass
class LayoutDownload:
    """One run of a download. `resume`: None for a new run, "last" or a run's number to resume it.

    `keep` leaves of the group's tasks those that may be taken at all. `notes`: what is missing or odd, once `files` has
    been called.
    """

    client: Client
    group_id: str
    choices: Choices
    output: Path
    resume: str | None = None
    keep: Keep = field(default=lambda frame: frame)
    number: int = 0
    notes: tuple[str, ...] = ()
    _group: GroupInformation | None = None
    _planned: list[PlannedFile] = field(default_factory=list)

    def files(self, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """In batches as they become known. Raises `UsageError` where the choices leave no task, and `AppError`s."""
        # A wrong run is reported before 10,000 tasks are listed.
        self.number = choose_run(self.output, self.group_id, self.resume)
        group = self._group = fetch_group_information(self.client, self.group_id, cancel)
        self.notes = group.notes
        frame = self.keep(group.frame)
        tasks = select_tasks(frame, self.choices)
        if not tasks:
            suites = list_suites(frame, self.choices)
            raise UsageError(
                "No task of this group has these suites and this platform.",
                f"There are {len(suites):,} suites, e.g. {safe_text(', '.join(suites[:5]))}." if suites else
                "No task's name has this platform in it.",
            )  # fmt: skip
        self._planned = []
        for batch in plan_files(self.client, self.group_id, self.number, tasks, self.choices, cancel):
            self._planned += batch
            yield [one.file for one in batch]
        # In the order of the tasks, whichever was listed first: the manifest and the tree are the same each time.
        self._planned.sort(key=lambda one: (one.task.created, one.task.task_id, one.file.name))

    @property
    def entries(self) -> bytes:
        """The group as the queue sent it: a JSON list of {status, task}."""
        return self._group.entries if self._group is not None else b"[]"

    @property
    def task_ids(self) -> list[str]:
        """The chosen tasks but for failed ones that were not asked for."""
        return [one.task.task_id for one in self._planned if one.file.skip != FAILED]

    def place(self, cancel: CancelToken) -> PlacementResult:
        """Fills the data directories once the files are there."""
        assert self._group is not None
        return place_files(self.output, self._group, self.number, self._planned, self.choices, cancel)


FIELDS = (
    Field("suites", "Suites", "names, globs, /regexes/; blank: all"),
    Field("platform", "Platform", "part or /regex/; blank: all"),
    Field("artifacts", "Artifacts", "parts of their names, in order", "perfherder-data"),
    Field("unzip", "Unpack archives", tick=True),
    Field("include_failed", "Also of failed tasks", tick=True),
    Field("chunks_together", "All chunks of a suite in one directory", tick=True),
    Field("resume", "Resume run", "a number or last; blank: a new run"),
)


def download_way(client: Client, group_id: str, task_ids: Collection[str] = ()) -> DownloadWay:
    """For the menu of a group's tasks; only these tasks, if any are named."""

    def prepare(values: Mapping[str, str], output: Path) -> Prepared:
        resume = values.get("resume", "").strip() or None
        work = LayoutDownload(
            client, group_id, _read_choices(values), output, resume, lambda frame: filter_ids(frame, tuple(task_ids))
        )
        if work.resume is not None and work.resume != LAST and not work.resume.isdigit():
            raise UsageError(f"“{work.resume}” is not a run.", "Give its number, or last.")

        def finish(cancel: CancelToken, progress: Callable[[str], None]) -> Finished:
            progress("numbering and unpacking")
            placed = work.place(cancel)
            notes = tuple((note, "left out") for note in placed.notes)
            return Finished(describe_placed(placed, work.number), (*placed.problems, *notes))

        return Prepared(output, work.files, finish)

    return DownloadWay("Download in ArtifactDownloader's layout…", FIELDS, prepare, letter="L", group=ROWS)


def describe_placed(placed: PlacementResult, number: int) -> str:
    """How it went, in a line."""
    directories = "directory" if placed.folders == 1 else "directories"
    archives = "archive" if placed.unpacked == 1 else "archives"
    unpacked = f", {placed.unpacked:,} {archives} unpacked" if placed.unpacked else ""
    return f"run {number}: {placed.folders:,} data {directories}{unpacked} in {placed.run}"


def _read_choices(values: Mapping[str, str]) -> Choices:
    named = tuple(values.get("suites", "").split())
    return Choices(
        suites=named,
        all_suites=not named,
        platform=values.get("platform", "").strip(),
        artifacts=tuple(values.get("artifacts", "").split()),
        unzip=bool(values.get("unzip")),
        include_failed=bool(values.get("include_failed")),
        chunks_together=bool(values.get("chunks_together")),
    )


def download(
    group_id: str,
    output: Path,
    suites: tuple[str, ...],
    artifacts: tuple[str, ...],
    *,
    include_failed: bool,
    unzip: bool,
    platform: str,
    resume: str | None,
) -> tuple[str, str]:
    """ArtifactDownloader's function called by other programs: all of a download without the command line.

    Returns the run's directory and GECKO_HEAD_REV; see `results.artifact_downloader`.
    """
    from backends import config  # what follows is needed by this function only, and slow to import
    from backends.http import Http
    from backends.taskcluster.credentials import identities
    from backends.transfers.plan import make_plan
    from backends.transfers.states import TransferState
    from backends.transfers.transfer import Transfer

    choices = Choices(
        suites=suites,
        platform=platform,
        artifacts=artifacts,
        unzip=unzip,
        include_failed=include_failed,
        separator=CODE_SEPARATOR,
    )
    settings, cancel, place = config.load(), CancelToken(), expand_home(output).absolute()
    root = normalise_root(settings.taskcluster_root_url)
    with Http(
        cache_dir=settings.cache_path, cache_bytes=settings.cache_bytes, identities=identities(root, os.environ)
    ) as http:
        work = LayoutDownload(Client(http, root), group_id, choices, place, resume)
        files = [file for batch in work.files(cancel) for file in batch]
        transfer = Transfer(
            make_plan(files, place, cancel=cancel),
            open_downloader=http.downloader,
            jobs=settings.jobs or None,
            settings=http.downloader_settings(),
        )
        transfer.start()
        try:
            while not transfer.wait(0.5):
                pass
        finally:
            transfer.cancel()
            transfer.wait()
        if (error := transfer.snapshot().problem) is not None:
            raise error
        frame = transfer.frame()
        failed = frame.filter(frame["state"] == TransferState.FAILED.value).select("target", "detail").rows()
        placed = work.place(cancel)
    for what, left in (("could not be downloaded", failed), ("could not be placed", placed.problems)):
        if left:
            words = "; ".join(f"{name}: {why}" for name, why in left[:WARNED])
            warnings.warn(f"{len(left)} files {what}: {words}", RuntimeWarning, stacklevel=3)
    return str(placed.run), head_revision(work.entries, set(work.task_ids))


def head_revision(entries: bytes, task_ids: set[str]) -> str:
    """GECKO_HEAD_REV of the last of these tasks that has one, in the order of the listing; "" if none has."""
    revision = ""
    for entry in map(as_dict, msgspec.json.decode(entries)):
        env = as_dict(as_dict(as_dict(entry.get("task")).get("payload")).get("env"))
        named = env.get("GECKO_HEAD_REV")
        if as_dict(entry.get("status")).get("taskId") in task_ids and isinstance(named, str):
            revision = named
    return revision
