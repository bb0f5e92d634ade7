"""Downloads in ArtifactDownloader's directory tree: which tasks and artifacts it would take, and under which suite.

The tree is that of its README:

    OUTPUT/<group>/<run number>/task-group-information.json, taskid_to_file_map.json, config.json
    OUTPUT/<group>/<run number>/<suite>/downloads/<task id>_<file name>
    OUTPUT/<group>/<run number>/<suite>/<pattern without dots>_data/<n>/<task id>_<file name>, or what was unpacked

A suite is the task's name after its last "/" without the first word ("opt-"), a pattern is a part of an artifact's
name (of several, the first that matches takes the artifact), the platform is a part of the task's name.

Where its README and its code disagree, the README holds: "_" after the task id (its code writes "+-+", which can be
chosen), the group's information in the run's directory (also in the group's, where its code looks). Where neither is
right we differ; docs/artifact-downloader.md lists it. In short: nothing that is not the artifact is saved as one,
each task that gives no file is recorded with the reason, `<n>` counts the tasks that have the artifact, by creation.

`download` lists and fetches, `placement` fills the data directories, `results` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from backends.atomic import disk_words
from backends.errors import FileError, UsageError
from backends.transfers.files import RemoteFile
from backends.transfers.names import safe_name

CODE_SEPARATOR = "+-+"
SEPARATORS = ("_", CODE_SEPARATOR)  # "|", which its first version wrote, is not allowed on every disk
ALL = "all"  # its word for every suite
ALWAYS_UNPACKED = "grcov"  # its code unpacks this pattern whatever its options say

FAILED = "the task failed, and failed tasks were not asked for"
LAST = "last"  # the run to resume


@dataclass(frozen=True)
class Choices:
    """What to take. `suites`: exact names, globs or /regular expressions/, any of which may match.

    `platform` is a part of the task's name or a /regular expression/; "" is every platform. `chunks_together` puts the
    chunks of a suite into one directory, under its name without the chunk's number. Raises `UsageError`.
    """

    suites: tuple[str, ...] = ()
    all_suites: bool = False
    platform: str = ""
    artifacts: tuple[str, ...] = ("grcov",)
    unzip: bool = False
    include_failed: bool = False
    chunks_together: bool = False
    separator: str = SEPARATORS[0]

    def __post_init__(self) -> None:
        if not self.suites and not self.all_suites:
            raise UsageError("No suite is chosen.", "Name some with --suite, or take --all-suites.")
        if not self.artifacts or not all(self.artifacts):
            raise UsageError("No artifact is chosen.", "Give a part of its name, e.g. perfherder-data.")
        if self.separator not in SEPARATORS:
            raise UsageError(f"“{self.separator}” cannot be the separator.", f"Take {' or '.join(SEPARATORS)}.")
        for text in (*self.suites, self.platform):
            _regex(text)

    def is_unpacked(self, pattern: str) -> bool:
        return self.unzip or pattern == ALWAYS_UNPACKED

    def pattern_of(self, artifact: str) -> str | None:
        """Which pattern takes an artifact: the first that is a part of its name."""
        return next((pattern for pattern in self.artifacts if pattern in artifact), None)


@dataclass(frozen=True)
class SelectedTask:
    """A task of the group that the choices select."""

    task_id: str
    name: str
    suite: str
    state: str
    runs: int
    created: datetime


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
class PlannedFile:
    """A file to fetch for a task, and the pattern that takes it; "" where the file represents a task without any.

    `stand_in`: the key of the file that represented, or would represent, the task. `older`: keys that this artifact
    had, or would have had, while an earlier run of the task was the newest.
    """

    task: SelectedTask
    pattern: str
    file: RemoteFile
    stand_in: str = ""
    older: tuple[str, ...] = ()


def select_tasks(tasks: pl.DataFrame, choices: Choices) -> list[SelectedTask]:
    """The tasks (rows of the schema `TASKS`) that the choices mean, by creation and id."""
    is_platform = _matcher(choices.platform, part=True)
    matchers = [_matcher(text, part=False) for text in choices.suites]
    everything = choices.all_suites or ALL in choices.suites
    selected = []
    columns = ("task_id", "name", "chunk", "state", "runs", "created")
    for task_id, name, chunk, state, runs, created in tasks.select(columns).iter_rows():
        name = name or ""
        if choices.platform and not is_platform(name):
            continue
        complete, together = suite_of(name), suite_of(name, chunk)
        suite = together if choices.chunks_together else complete
        if everything or any(matches(suite) or matches(complete) for matches in matchers):
            created = created or datetime.max.replace(tzinfo=UTC)
            selected.append(SelectedTask(task_id, name, suite, state or "", runs or 0, created))
    return sorted(selected, key=lambda one: (one.created, one.task_id))


def list_suites(tasks: pl.DataFrame, choices: Choices) -> list[str]:
    """All suites of the chosen platform, for users whose choice matches nothing."""
    every = Choices(all_suites=True, platform=choices.platform, chunks_together=choices.chunks_together)
    return sorted({one.suite for one in select_tasks(tasks, every)})


def suite_of(name: str, chunk: str | None = None) -> str:
    """The suite's directory for a task's name; with `chunk` ("3/16") without its number.

    Only a number that the task itself calls its chunk is removed: `raptor-tp6-7` is a name. Where nothing is left
    ("Gecko Decision Task") it is the complete name, since a directory needs one.
    """
    suite = name.rpartition("/")[2].partition("-")[2] or name
    return suite.removesuffix(f"-{chunk.partition('/')[0]}") if chunk else suite


def data_directory(pattern: str) -> str:
    """The directory that a pattern's files go to."""
    return safe_name(f"{pattern.replace('.', '')}_data")


def _matcher(text: str, *, part: bool) -> Callable[[str], bool]:
    regex = _regex(text)
    if regex is not None:
        return lambda name: regex.search(name) is not None
    if part:
        return lambda name: text in name
    return lambda name: name == text or fnmatchcase(name, text)


def _regex(text: str) -> re.Pattern[str] | None:
    if len(text) < 3 or not (text.startswith("/") and text.endswith("/")):
        return None
    try:
        return re.compile(text[1:-1])
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{text} is not a regular expression: {error}.", "Correct it, or use a glob.") from error


def run_numbers(group: Path) -> list[int]:
    """The runs below a group's directory, in order; empty if it does not exist. The higher, the later; the first is 1.

    Only plain numbers count; other directories of the group are someone else's and are ignored.
    """
    try:
        names = [path.name for path in group.iterdir() if path.name.isdecimal() and path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(f"{group} cannot be read: {disk_words(error, group)}.", "Check its permissions.") from error
    return sorted(int(name) for name in names if name.isascii() and len(name) < 10 and str(int(name)) == name)


def choose_run(output: Path, group_id: str, resume: str | None) -> int:
    """The number of the run directory of a download: a new one, or one that is resumed.

    `resume`: None begins a new run; "last" or a number resumes that one. The last of none is the first. Raises
    `UsageError` for a run that is not there.
    """
    there = run_numbers(output / safe_name(group_id))
    if resume is None or (resume == LAST and not there):
        return max(there, default=0) + 1
    if resume == LAST:
        return there[-1]
    if resume not in map(str, there):
        known = f"It has {', '.join(map(str, there[-10:]))}." if there else "It has none yet."
        raise UsageError(f"There is no run {resume} of this group in {output}.", known)
    return int(resume)
