"""What is made of the downloaded files: `<pattern>_data/<n>` and the JSON files that say what came from where.

`<n>` counts, for a suite and a pattern, the tasks that have such an artifact, by creation: without gaps, the same
whatever order the downloads ended in. A task keeps its number when the run is continued (`taskid_to_file_map.json`
remembers it); one that comes later gets the lowest free one. A file that failed leaves its number free for itself.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from backends.atomic import BlockedPathError, atomic_file
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.trees import BATCH, ExtractedTrees, StagedTree
from backends.taskcluster.original_layout import CODE_SEPARATOR, Choices, Chosen, data_directory
from backends.taskcluster.original_layout_files import FAILED, GroupInformation, Wanted
from backends.taskcluster.original_layout_places import Filled, Folder, Source, linked_files, prepare
from backends.transfers.manifest import Manifest
from backends.transfers.names import is_safe
from backends.transfers.output_directory import OutputDirectory
from backends.transfers.states import PRESENT_STATES, FileResult, ManifestEntry, TransferState

GROUP_FILE = "task-group-information.json"
TASKS_FILE = "taskid_to_file_map.json"
FILES_FILE = "file_to_taskid_map.json"
CONFIG_FILE = "config.json"
Numbers = dict[tuple[str, str], dict[str, int]]  # (suite's directory, pattern's directory) -> task id -> n


@dataclass
class Placed:
    """`folders`: data directories that are whole. `problems`: (what, why) of those that are not."""

    run: Path
    folders: int = 0
    unpacked: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def place(
    output: Path, group: GroupInformation, number: int, wanted: Sequence[Wanted], choices: Choices, cancel: CancelToken
) -> Placed:
    """Fills the data directories from what the transfer left in `output`, and writes the JSON files.

    Raises `FileError` if another run has the directory or it cannot be written, `OperationCancelledError`.
    """
    with Manifest.open(output) as manifest, OutputDirectory(output) as opened:
        entries = {key: entry for key, entry in manifest.entries().items() if _is_ours(entry.target.split("/"))}
        # A task that gave nothing when this run began and has files by now must not count as left out any more.
        known = {one.stand_in for one in wanted if one.pattern and one.stand_in in entries}
        manifest.record_results(
            FileResult(key, TransferState.SKIPPED, "the task has files now") for key in sorted(known)
        )
        return _Placing(opened, group, number, wanted, choices, entries, cancel).all()


class _Placing:
    def __init__(
        self,
        output: OutputDirectory,
        group: GroupInformation,
        number: int,
        wanted: Sequence[Wanted],
        choices: Choices,
        entries: Mapping[str, ManifestEntry],
        cancel: CancelToken,
    ) -> None:
        self.output, self.group, self.choices, self.cancel = output, group, choices, cancel
        self.entries = entries
        self.files = [(one, entries[one.file.key]) for one in wanted if one.file.key in entries]
        first = self.files[0][1].target.split("/")[:2] if self.files else [group.group_id, str(number)]
        self.run = (first[0], first[1])
        self.placed = Placed(output.path.joinpath(*self.run))
        self.results = ExtractedTrees(output)
        self.batch: list[tuple[StagedTree, Folder, Filled]] = []
        self.linked: set[str] = set()  # keys of the links that have their names

    def all(self) -> Placed:
        before = self._read(TASKS_FILE)
        numbers = numbered(self.files, self.choices, remembered(before))
        origins = self._kept_origins()
        self._write((*self.run, CONFIG_FILE), _json(self._config()))
        self._write((*self.run, GROUP_FILE), self.group.entries)
        self._write((self.run[0], GROUP_FILE), self.group.entries)
        # Before the directories: a run killed in the middle must not number them anew.
        self._write((*self.run, TASKS_FILE), _json(self._places(numbers, existing=False)))
        self._make_directories()
        folders = self._folders(numbers)
        expected = linked_files(folders)
        self.results.expect_files(expected)
        try:
            for place, sources in folders.items():
                self.cancel.check()
                self._fill(place, sources, origins)
            self._name(origins)
        finally:
            for staged, _, _ in self.batch:
                self.results.discard(staged)
            self.results.finish_files({key: expected[key] for key in expected if key in self.linked})
        self._write((*self.run, TASKS_FILE), _json(self._places(numbers, existing=True)))
        self._write((*self.run, FILES_FILE), _json(dict(sorted(origins.items()))))
        return self.placed

    def _make_directories(self) -> None:
        """Of each chosen suite, also one without any file: readers then see it as empty, not as never asked for."""
        for one, entry in self.files:
            if one.file.skip != FAILED:
                above = (*self.run, entry.target.split("/")[2])
                for name in ("downloads", *map(data_directory, self.choices.artifacts)):
                    try:
                        self.output.directory((*above, name))
                    except BlockedPathError as problem:
                        if not any(what == f"{above[2]}/{name}" for what, _ in self.placed.problems):
                            self.placed.problems.append((f"{above[2]}/{name}", problem.sentence))

    def _write(self, target: tuple[str, ...], content: bytes) -> None:
        with atomic_file(self.output.path.joinpath(*target), overwrite=True, below=self.output.path) as file:
            file.write(content)

    def _folders(self, numbers: Numbers) -> dict[Folder, list[Source]]:
        found: dict[Folder, list[Source]] = defaultdict(list)
        for one, entry in self.files:
            if one.pattern and not one.file.skip:
                target = tuple(entry.target.split("/"))
                suite, data = target[2], data_directory(one.pattern)
                folder = Folder(self.run, suite, data, numbers[suite, data][one.task.task_id], one.task.task_id)
                new = entry.state in PRESENT_STATES and entry.state != TransferState.UNCHANGED
                stale = tuple(tuple(self.entries[key].target.split("/")) for key in one.older if key in self.entries)
                unpacked, here = self.choices.is_unpacked(one.pattern), entry.state in PRESENT_STATES
                top = (one.pattern, f"{folder.task_id}{CODE_SEPARATOR}{one.pattern}")
                as_code = self.choices.separator == CODE_SEPARATOR
                found[folder].append(
                    Source(target, unpacked, new, here, stale, top if as_code else ("", ""), entry.sha256)
                )
        return found

    def _fill(self, folder: Folder, sources: list[Source], origins: dict[str, str]) -> None:
        here = [source for source in sources if source.here]
        if not here:
            return
        for source in here:
            origins["/".join(source.target[2:])] = folder.task_id
        try:
            filled = prepare(self.output, self.results, folder, sources, self.cancel)
        except FileError as problem:
            self.placed.problems.append((folder.text, problem.sentence))
            return
        if filled.staged is not None:
            self.batch.append((filled.staged, folder, filled))
            if len(self.batch) >= BATCH:
                self._name(origins)
            return
        above = "/".join((*folder.above, str(folder.number)))
        self.linked.update(f"{above}/{name}" for name in filled.names)
        self._count(folder, filled, origins)

    def _name(self, origins: dict[str, str]) -> None:
        """Gives the unpacked directories of this batch their names."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        failed = {
            staged.key: problem
            for staged, problem in self.results.rename_into_place([staged for staged, _, _ in batch])
        }
        for staged, folder, filled in batch:
            if (problem := failed.get(staged.key)) is not None:
                self.placed.problems.append((folder.text, problem.sentence))
                continue
            if staged.replaces:
                for name in [name for name in origins if name.startswith(f"{folder.text}/")]:
                    del origins[name]
            self._count(folder, filled, origins)

    def _count(self, folder: Folder, filled: Filled, origins: dict[str, str]) -> None:
        self.placed.folders += 1
        self.placed.unpacked += filled.unpacked
        self.placed.notes += [f"{folder.text}: {name} was left out: {why}" for name, why in filled.skipped]
        self.placed.notes += [f"{folder.text}: {note}" for note in filled.notes]
        for name in filled.removed:
            origins.pop(f"{folder.text}/{name}", None)
        for name in filled.names:
            origins[f"{folder.text}/{name}"] = folder.task_id

    def _places(self, numbers: Numbers, *, existing: bool) -> dict[str, str | list[str]]:
        """task id -> its data directory, or the list of them where several patterns took something."""
        found: dict[str, list[str]] = defaultdict(list)
        for (suite, data), tasks in sorted(numbers.items()):
            for task_id, number in tasks.items():
                path = self.placed.run / suite / data / str(number)
                if not existing or path.is_dir():
                    found[task_id].append(str(path))
        return {task_id: paths[0] if len(paths) == 1 else paths for task_id, paths in sorted(found.items())}

    def _config(self) -> dict[str, Any]:
        """The original's members under its names, then ours."""
        choices = self.choices
        return {
            "test_suites": ["all"] if choices.all_suites else list(choices.suites),
            "platform": choices.platform,
            "artifact": list(choices.artifacts),
            "download_failures": choices.include_failed,
            "task_group_id": self.group.group_id,
            "unzip_artifact": choices.unzip,
            "chunks_together": choices.chunks_together,
            "separator": choices.separator,
        }

    def _kept_origins(self) -> dict[str, str]:
        """What earlier rounds of this run said, of files that are still there."""
        known = self._read(FILES_FILE)
        named = {
            name: task for name, task in known.items() if isinstance(task, str) and is_safe(tuple(name.split("/")))
        }
        return {name: task for name, task in named.items() if (self.placed.run / name).is_file()}

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = msgspec.json.decode((self.placed.run / name).read_bytes())
        except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return {}
        return value if isinstance(value, dict) else {}


def remembered(places: Mapping[str, Any]) -> Numbers:
    """The numbers that an earlier `taskid_to_file_map.json` tells, ours or the original's; no other entry counts."""
    found: Numbers = defaultdict(dict)
    for task_id, value in places.items():
        for path in value if isinstance(value, list) else [value]:
            parts = tuple(path.replace("\\", "/").rstrip("/").split("/")[-3:]) if isinstance(path, str) else ()
            if len(parts) != 3 or not is_safe(parts) or not (parts[2].isascii() and parts[2].isdecimal()):
                continue
            suite, data, number = parts[0], parts[1], int(parts[2][:9])
            if data.endswith("_data") and number not in found[suite, data].values():
                found[suite, data][task_id] = number
    return dict(found)


def numbered(files: Iterable[tuple[Wanted, ManifestEntry]], choices: Choices, known: Numbers) -> Numbers:
    """`known` and the numbers of those that have none yet."""
    tasks: dict[tuple[str, str], dict[str, Chosen]] = defaultdict(dict)
    for one, entry in files:
        if one.pattern and not one.file.skip:
            tasks[entry.target.split("/")[2], data_directory(one.pattern)][one.task.task_id] = one.task
    numbers = {place: dict(there) for place, there in known.items()}
    for place, members in tasks.items():
        there = numbers.setdefault(place, {})
        used, free = set(there.values()), 0
        for task in sorted(members.values(), key=lambda one: (one.created, one.task_id)):
            if task.task_id in there:
                continue
            while free in used:
                free += 1
            there[task.task_id] = free
            used.add(free)
    return numbers


def _is_ours(target: Sequence[str]) -> bool:
    """<group>/<run>/<suite>/downloads/<file>; a manifest is a file and can be edited."""
    return len(target) == 5 and is_safe(target)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=True).encode() + b"\n"
