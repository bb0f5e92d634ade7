"""Which tasks and artifacts ArtifactDownloader would take, and under which suite: its choices, made exact.

The tree is that of its README:

    OUTPUT/<group>/<run number>/task-group-information.json, taskid_to_file_map.json, config.json
    OUTPUT/<group>/<run number>/<suite>/downloads/<task id>_<file name>
    OUTPUT/<group>/<run number>/<suite>/<pattern without dots>_data/<n>/<task id>_<file name>, or what was unpacked

A suite is the task's name after its last "/" without the first word ("opt-"), a pattern is a part of an artifact's
name (of several, the first that fits takes the artifact), the platform is a part of the task's name.

Where its README and its code disagree, the README holds: "_" after the task id (its code writes "+-+", which can be
chosen), the group's information in the run's directory (also in the group's, where its code looks). Where neither is
right we differ; docs/artifact-downloader.md lists it. In short: nothing that is not the artifact is saved as one,
each task that gives no file is recorded with the reason, `<n>` counts the tasks that have the artifact, by creation.

The other modules: `original_layout_runs` (run directories), `original_layout_files` (what is fetched),
`original_layout_data` (what is made of it), `results` (reading it).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import polars as pl

from backends.errors import UsageError
from backends.transfers.names import safe_name

CODE_SEPARATOR = "+-+"
SEPARATORS = ("_", CODE_SEPARATOR)  # "|", which its first version wrote, is not a character that every disk takes
ALL = "all"  # its word for every suite
ALWAYS_UNPACKED = "grcov"  # its code unpacks this pattern whatever it is told

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Choices:
    """What to take. `suites`: exact names, globs or /regular expressions/, any of which may fit.

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
            raise UsageError("No artifact is chosen.", "Name a part of its name, such as perfherder-data.")
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
class Chosen:
    """A task of the group that was asked for, with what the listing says of it."""

    task_id: str
    name: str
    suite: str
    state: str
    runs: int
    created: datetime


def chosen(tasks: pl.DataFrame, choices: Choices) -> list[Chosen]:
    """The tasks (of a frame with the schema `task_columns.TASKS`) that the choices mean, by creation and id."""
    is_platform = _fits(choices.platform, part=True)
    wanted = [_fits(text, part=False) for text in choices.suites]
    everything = choices.all_suites or ALL in choices.suites
    found = []
    columns = ("task_id", "name", "chunk", "state", "runs", "created")
    for task_id, name, chunk, state, runs, created in tasks.select(columns).iter_rows():
        name = name or ""
        if choices.platform and not is_platform(name):
            continue
        whole, together = suite_of(name), suite_of(name, chunk)
        suite = together if choices.chunks_together else whole
        if everything or any(fits(suite) or fits(whole) for fits in wanted):
            found.append(
                Chosen(task_id, name, suite, state or "", runs or 0, created or datetime.max.replace(tzinfo=UTC))
            )
    return sorted(found, key=lambda one: (one.created, one.task_id))


def suites(tasks: pl.DataFrame, choices: Choices) -> list[str]:
    """All suites of the chosen platform, for those whose choice meant nothing."""
    every = Choices(all_suites=True, platform=choices.platform, chunks_together=choices.chunks_together)
    return sorted({one.suite for one in chosen(tasks, every)})


def suite_of(name: str, chunk: str | None = None) -> str:
    """The suite's directory for a task's name; with `chunk` ("3/16") without its number.

    Only a number that the task itself calls its chunk is taken away: `raptor-tp6-7` is a name. Where nothing is left
    ("Gecko Decision Task") it is the whole name, for a directory needs one.
    """
    suite = name.rpartition("/")[2].partition("-")[2] or name
    return suite.removesuffix(f"-{chunk.partition('/')[0]}") if chunk else suite


def data_directory(pattern: str) -> str:
    """The directory that a pattern's files go to."""
    return safe_name(f"{pattern.replace('.', '')}_data")


def _fits(text: str, *, part: bool) -> Callable[[str], bool]:
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
