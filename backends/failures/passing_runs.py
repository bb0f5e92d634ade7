"""Which passing runs of the same job a log is compared with, and what their logs say, kept once it is known.

Taskcluster: other runs of the task and its retriggers that completed, then the same label in earlier pushes. Prow: the
newest builds of the job that passed and began before. What is nearest comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.failures.new_lines import LogIndex, index_log, split_pieces
from backends.frames.formats import format_bytes
from backends.http.errors import HttpError
from backends.http.policies import Mode
from backends.locators import Locator
from backends.logs import sources
from backends.logs.binary import check_text
from backends.pool import map_in_order
from backends.prow.bucket import BucketReader, open_bucket
from backends.prow.build_listing import BuildListing
from backends.prow.build_reader import BUILD_LOG, BuildPlace, BuildReader, Part, is_settled, newest_first
from backends.prow.locators import ProwPath, route
from backends.resources import LogAddress
from backends.taskcluster.client import Client
from backends.taskcluster.earlier_groups import earlier_groups
from backends.taskcluster.group_cache import load_tasks
from backends.taskcluster.locators import Artifact, Task, TaskGroup
from backends.taskcluster.logs import BACKING, LIVE, artifact_log, run_log

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

RUNS = 3
MAX_BUILDS = 40  # earlier builds of a job that are asked how they ended, two requests each
_AT_ONCE = 8
VERSION = 1  # of the kept indexes; raise it when a line has another signature


@dataclass(frozen=True)
class PassingRun:
    """`name`: for people, e.g. "build 1998 of 2026-11-20"; `where`: e.g. "this push", if that says something."""

    name: str
    address: LogAddress
    where: str = ""


@dataclass
class PassingRuns:
    """`job`: what they are runs of. `spare`: runs to take where a log cannot be read. `notes`: sentences about what
    could not be looked at. `searched`: what was looked through, where that is no server."""

    job: str = ""
    runs: list[PassingRun] = field(default_factory=list)
    spare: list[PassingRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    searched: str = ""

    def describe(self) -> str:
        """ "3 runs of JOB that passed: A, B, C", or that there is none."""
        job = f" of {self.job}" if self.job else ""
        if not self.runs:
            return f"No run{job} that passed {f'is in {self.searched}' if self.searched else 'was found'}."
        count = "1 run" if len(self.runs) == 1 else f"{len(self.runs)} runs"
        return f"{count}{job} that passed{self.describe_places()}: {', '.join(run.name for run in self.runs)}"

    def describe_places(self) -> str:
        """ " (this push)", " (2 this push, 1 an earlier push)", or "" where the names say it."""
        places = Counter(run.where for run in self.runs if run.where)
        if len(places) == 1:
            return f" ({next(iter(places))})"
        return f" ({', '.join(f'{number} {place}' for place, number in places.items())})" if places else ""


def find_passing_runs(
    locator: Locator, http: Http, settings: Settings, cancel: CancelToken, count: int = RUNS
) -> PassingRuns:
    """For the log that a locator leads to; without runs where nothing is known of its job. Raises the `AppError`s of
    what tells which job it is, and `OperationCancelledError`."""
    found = _find_runs(locator, http, settings, cancel, count)
    if http.mode.is_offline:
        found.searched = "this capsule" if http.mode is Mode.CAPSULE else "the cache (offline, no server is asked)"
    return found


def _find_runs(locator: Locator, http: Http, settings: Settings, cancel: CancelToken, count: int) -> PassingRuns:
    if isinstance(locator, Task | Artifact):
        return _of_task(Client(http, locator.root_url), locator, count, cancel)
    if isinstance(locator, ProwPath) and (base := route(locator.path).base):
        return _of_build(open_bucket(locator, http, settings), locator.path, base, count, cancel)
    return PassingRuns(notes=["This text is not the log of a task or a build."])


# ---- Taskcluster


def _of_task(client: Client, locator: Task | Artifact, count: int, cancel: CancelToken) -> PassingRuns:
    definition, _ = client.fetch_definition(locator.task_id, cancel)
    group_id, found = definition.taskGroupId or "", PassingRuns(definition.metadata.name)
    artifact = locator.name if isinstance(locator, Artifact) and locator.name not in (LIVE, BACKING) else ""

    def add(task_id: str, run: int, where: str) -> None:
        log = run_log(client, task_id, run, live=False)
        if artifact:
            log = artifact_log(client.root, task_id, run, artifact, live=False)
        chosen = found.runs if len(found.runs) < count else found.spare
        chosen.append(PassingRun(f"{task_id} run {run}", log, where))

    try:
        runs = client.fetch_status(locator.task_id, cancel)[0].runs
    except HttpError as error:
        runs = []
        found.notes.append(f"The runs of the task could not be listed: {error.sentence}")
    own = locator.run if locator.run is not None else len(runs) - 1
    for number in reversed(range(len(runs))):
        if runs[number].state == "completed" and number != own:
            add(locator.task_id, number, "this task")
    try:
        tasks = load_tasks(client, TaskGroup(group_id, client.root), cancel).frame if group_id else None
    except HttpError as error:
        tasks = None
        found.notes.append(f"The task group could not be listed: {error.sentence}")
    if tasks is not None:
        for task_id, run in _completed(tasks, found.job):
            if task_id != locator.task_id:
                add(task_id, run, "this push")
    if len(found.runs) < count and client.http.mode.is_offline:
        found.notes.append("Earlier pushes were not looked for: that takes a server.")
    elif len(found.runs) < count:
        for earlier in earlier_groups(client, group_id, cancel):
            for task_id, run in _completed(earlier, found.job):
                add(task_id, run, "an earlier push")
            if len(found.runs) >= count:
                break
    return found


def _completed(tasks: pl.DataFrame, name: str) -> list[tuple[str, int]]:
    """(task id, number of its last run) of the tasks (schema `TASKS`) with that name that completed."""
    same = tasks.filter((pl.col("name") == name) | (pl.col("label") == name), pl.col("state") == "completed")
    return [(task_id, max((runs or 1) - 1, 0)) for task_id, runs in same.select("task_id", "runs").iter_rows()]


# ---- Prow


def _of_build(bucket: BucketReader, path: str, base: str, count: int, cancel: CancelToken) -> PassingRuns:
    at = route(path)
    below = path.removeprefix(base) or BUILD_LOG
    found = PassingRuns(at.job)
    folder = base[: -len(at.build) - 1]
    if at.pull and at.pull != "batch":  # a job's builds of all pull requests are links of one folder
        folder = f"{path.partition('/pull/')[0]}/directory/{at.job}/"
    reader = BuildReader(bucket)

    def read(place: BuildPlace, own: CancelToken) -> PassingRun | str | None:
        row = reader.read_row(place, own, Part.ENDS)
        if row.is_unread:
            return str(row.note)
        if row.state != "success" or not row.folder:
            return None
        settled = row.finished is not None and is_settled(row.finished)
        log = bucket.log(f"{row.folder}{below}", f"{below} of {place.build}", final=settled)
        day = f" of {datetime.fromtimestamp(row.started / 1000, UTC):%Y-%m-%d %H:%M}" if row.started else ""
        return PassingRun(f"build {place.build}{day}", log) if log is not None else None

    unread: list[str] = []
    try:
        earlier = _earlier_builds(bucket, folder, at.build, cancel)
        for start in range(0, len(earlier), _AT_ONCE):
            for batch in map_in_order(read, earlier[start : start + _AT_ONCE], cancel, _AT_ONCE):
                unread += [one for one in batch if isinstance(one, str)]
                found.runs += [one for one in batch if isinstance(one, PassingRun)]
            if len(found.runs) >= count:
                break
    except HttpError as error:
        found.notes.append(f"The builds of the job could not be listed: {error.sentence}")
    if unread:
        found.notes.append(f"{len(unread):,} earlier builds could not be read: {unread[0]}")
    found.spare = found.runs[count:]
    del found.runs[count:]
    return found


def _earlier_builds(bucket: BucketReader, folder: str, build: str, cancel: CancelToken) -> list[BuildPlace]:
    """The newest that are older than a build, newest first."""
    places: dict[str, BuildPlace] = {}
    for batch in BuildListing(bucket, folder).batches(cancel):
        places.update((place.build, place) for place in batch.places)
        order = newest_first([*places, build])
        earlier = order[order.index(build) + 1 :]
        if len(earlier) >= MAX_BUILDS:
            break
    else:
        order = newest_first([*places, build])
        earlier = order[order.index(build) + 1 :]
    return [places[one] for one in earlier[:MAX_BUILDS]]


# ---- what their logs say


class IndexReader:
    """Reads the logs of passing runs. `read`: bytes so far, `kept`: logs whose index was kept from before; `ended` of
    the `wanted` logs are known."""

    ended = wanted = 0

    def __init__(self, http: Http, downloader: sources.Downloaders | None = None) -> None:
        self._http, self._downloader = http, downloader
        self.read = self.kept = 0

    def describe(self) -> str:
        """ "reading passing log 2 of 3, 12.0 MB"."""
        number = min(self.ended + 1, self.wanted)
        return f"reading passing log {number} of {self.wanted}, {format_bytes(self.read)}"

    def index(self, run: PassingRun, cancel: CancelToken) -> LogIndex:
        """Raises the `AppError`s of the log."""
        address = run.address
        cache, key = self._http.blob_cache(), ""
        if cache is not None and address.final and address.url.startswith(("http:", "https:")):
            key = f"new-lines-v{VERSION}|{pl.__version__}|{self._http.scope(address.url)}|{address.url}"
            stored = cache.get(key)
            index = LogIndex.unpack(stored.body) if stored is not None else None
            if index is not None:
                self.kept += 1
                return index
        source = sources.from_log(self._http, address, self._downloader)
        pieces = check_text(self._count(source(cancel), cancel), address.title, address.url.partition("?")[0], "")
        index = index_log(split_pieces(pieces))
        if cache is not None and key:
            cache.put(key, index.pack())
        return index

    def _count(self, chunks: Iterator[bytes], cancel: CancelToken) -> Iterator[bytes]:
        for chunk in chunks:
            cancel.check()
            self.read += len(chunk)
            yield chunk
