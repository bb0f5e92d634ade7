"""A download in ArtifactDownloader's layout from the choices on: list, plan, and then number, link or unpack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import safe_text
from backends.resources import DownloadWay, Field, Finished, Prepared
from backends.taskcluster.original_layout import Choices, chosen, suites
from backends.taskcluster.original_layout_data import Placed, place
from backends.taskcluster.original_layout_files import FAILED, GroupInformation, Wanted, group_information, wanted_files
from backends.taskcluster.original_layout_runs import choose_run
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    import polars as pl

    from backends.taskcluster.queue import Deployment

Keep = Callable[["pl.DataFrame"], "pl.DataFrame"]


@dataclass
class OriginalDownload:
    """One run of it. `resume`: None for a new run, "last" or a run's number to go on in it.

    `keep` leaves of the group's tasks those that may be taken at all. `notes`: what is missing or odd, once `files` has
    been asked.
    """

    deployment: Deployment
    group_id: str
    choices: Choices
    output: Path
    resume: str | None = None
    keep: Keep = field(default=lambda frame: frame)
    number: int = 0
    notes: tuple[str, ...] = ()
    _group: GroupInformation | None = None
    _wanted: list[Wanted] = field(default_factory=list)

    def files(self, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """In batches as they become known. Raises `UsageError` where the choices leave no task, and `AppError`s."""
        # A wrong run is said before 10,000 tasks are listed.
        self.number = choose_run(self.output, self.group_id, self.resume)
        group = self._group = group_information(self.deployment, self.group_id, cancel)
        self.notes = group.notes
        frame = self.keep(group.frame)
        tasks = chosen(frame, self.choices)
        if not tasks:
            there = suites(frame, self.choices)
            raise UsageError(
                "No task of this group is of these suites and this platform.",
                f"There are {len(there):,} suites, such as {safe_text(', '.join(there[:5]))}." if there else
                "No task's name has this platform in it.",
            )  # fmt: skip
        self._wanted = []
        for batch in wanted_files(self.deployment, self.group_id, self.number, tasks, self.choices, cancel):
            self._wanted += batch
            yield [one.file for one in batch]
        # In the order of the tasks, whichever was listed first: the manifest and the tree are the same each time.
        self._wanted.sort(key=lambda one: (one.task.created, one.task.task_id, one.file.name))

    @property
    def entries(self) -> bytes:
        """The group as the queue sent it: a JSON list of {status, task}."""
        return self._group.entries if self._group is not None else b"[]"

    @property
    def task_ids(self) -> list[str]:
        """The chosen tasks but for failed ones that were not asked for."""
        return [one.task.task_id for one in self._wanted if one.file.skip != FAILED]

    def place(self, cancel: CancelToken) -> Placed:
        """What is made of the files once they are there."""
        assert self._group is not None
        return place(self.output, self._group, self.number, self._wanted, self.choices, cancel)


FIELDS = (
    Field("suites", "Suites", "names, globs, /regexes/; empty is every suite"),
    Field("platform", "Platform", "a part of their names, or /regex/; empty is all"),
    Field("artifacts", "Artifacts", "parts of their names, the first that fits takes it", "perfherder-data"),
    Field("unzip", "Unpack archives", tick=True),
    Field("include_failed", "Also of failed tasks", tick=True),
    Field("chunks_together", "All chunks of a suite in one directory", tick=True),
    Field("resume", "Go on in run", "a run's number, or last; empty begins a new run"),
)


def original_way(deployment: Deployment, group_id: str, task_ids: Collection[str] = ()) -> DownloadWay:
    """For the menu of a group's tasks; only these tasks, if any are named."""

    def keep(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(frame["task_id"].is_in(list(task_ids))) if task_ids else frame

    def prepare(values: Mapping[str, str], output: Path) -> Prepared:
        resume = values.get("resume", "").strip() or None
        work = OriginalDownload(deployment, group_id, _choices(values), output, resume, keep)
        if work.resume is not None and work.resume != "last" and not work.resume.isdigit():
            raise UsageError(f"“{work.resume}” is no run.", "Name its number, or last.")

        def finish(cancel: CancelToken, progress: Callable[[str], None]) -> Finished:
            progress("numbering and unpacking")
            placed = work.place(cancel)
            notes = tuple((note, "left out") for note in placed.notes)
            return Finished(placed_words(placed, work.number), (*placed.problems, *notes))

        return Prepared(output, work.files, finish)

    return DownloadWay("Download in ArtifactDownloader's layout…", FIELDS, prepare)


def placed_words(placed: Placed, number: int) -> str:
    """How it went in a line."""
    directories = "directory" if placed.folders == 1 else "directories"
    archives = "archive" if placed.unpacked == 1 else "archives"
    unpacked = f", {placed.unpacked:,} {archives} unpacked" if placed.unpacked else ""
    return f"run {number}: {placed.folders:,} data {directories}{unpacked} in {placed.run}"


def _choices(values: Mapping[str, str]) -> Choices:
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
