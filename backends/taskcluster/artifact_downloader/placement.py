"""Fills the data directories, `<pattern>_data/<n>`, and writes the JSON files that say what came from where.

`<n>` counts, for a suite and a pattern, the tasks that have such an artifact, by creation: without gaps, the same
whatever order the downloads ended in. A task keeps its number when the run is resumed (`taskid_to_file_map.json` has
it); one that comes later gets the lowest free one. A file that failed leaves its number free for itself.

A directory is filled with hard links to the downloads (or copies), or with what archives hold. From which content each
was made is recorded before it gets its name (`backends.extraction.trees`), so that a run that was killed in between is
completed by the next, and what a user changed is never taken for an older download.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from backends.atomic import NEW_FILE, BlockedPathError, DirectoryTree, SymlinkError, atomic_file, disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.extractor import extract_into
from backends.extraction.limits import ArchiveKind, is_archive
from backends.extraction.trees import BATCH, ExtractedTrees, StagedTree
from backends.lenient_json import as_dict
from backends.taskcluster.artifact_downloader import (
    CODE_SEPARATOR,
    FAILED,
    Choices,
    GroupInformation,
    PlannedFile,
    SelectedTask,
    data_directory,
)
from backends.transfers.manifest import Manifest
from backends.transfers.names import is_safe, safe_name
from backends.transfers.output_directory import OutputDirectory, read_stamp
from backends.transfers.states import PRESENT_STATES, FileResult, ManifestEntry, TransferState

GROUP_FILE = "task-group-information.json"
TASKS_FILE = "taskid_to_file_map.json"
FILES_FILE = "file_to_taskid_map.json"
CONFIG_FILE = "config.json"
Numbers = dict[tuple[str, str], dict[str, int]]  # (suite's directory, pattern's directory) -> task id -> n
PIECE = 1 << 20
# What file systems say that have no hard links, or no more of them; EXDEV comes from overlays.
_NO_LINKS = (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES)
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.new")  # a link or a copy without its final name


@dataclass(frozen=True)
class DataFolder:
    """`<suite>/<pattern>_data/<n>` of a run, and whose it is."""

    run: tuple[str, str]
    suite: str
    data: str
    number: int
    task_id: str

    @property
    def text(self) -> str:
        """Relative to the run."""
        return f"{self.suite}/{self.data}/{self.number}"

    @property
    def above(self) -> tuple[str, ...]:
        return (*self.run, self.suite, self.data)


@dataclass(frozen=True)
class SourceFile:
    """A downloaded file. `new`: this round fetched it. `here`: it is there, complete. `stale`: downloads of the same
    artifact from runs of the task that are no longer its newest. `top`: how the original's code renames the directory
    at the top of an unpacked tar, (from, to); empty names for none.
    """

    target: tuple[str, ...]
    unpacked: bool
    new: bool
    here: bool
    stale: tuple[tuple[str, ...], ...] = ()
    top: tuple[str, str] = ("", "")
    sha256: str = ""

    @property
    def is_unpacked(self) -> bool:
        return self.unpacked and is_archive(self.target[-1]) is not None


@dataclass
class FilledFolder:
    """`names`: files of the directory, relative to it; `removed`: those of older runs that went. `skipped`: (member,
    why) of what archives held. `staged`: the directory, if it has yet to get its name. `notes` are for the user.
    """

    names: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unpacked: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    staged: StagedTree | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class PlacementResult:
    """What became of a run. `folders`: complete data directories. `problems`: (what, why) of those that are not."""

    run: Path
    folders: int = 0
    unpacked: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def place_files(
    output: Path,
    group: GroupInformation,
    number: int,
    planned: Sequence[PlannedFile],
    choices: Choices,
    cancel: CancelToken,
) -> PlacementResult:
    """Fills the data directories from what the transfer left in `output`, and writes the JSON files.

    Raises `FileError` if another run has the directory or it cannot be written, `OperationCancelledError`.
    """
    with Manifest.open(output) as manifest, OutputDirectory(output) as opened:
        entries = {key: entry for key, entry in manifest.entries().items() if _is_ours(entry.target.split("/"))}
        # A task that gave nothing when this run began and has files by now must not count as left out any more.
        known = {one.stand_in for one in planned if one.pattern and one.stand_in in entries}
        manifest.record_results(
            FileResult(key, TransferState.SKIPPED, "the task has files now") for key in sorted(known)
        )
        return _Placement(opened, group, number, planned, choices, entries, cancel).place()


class _Placement:
    def __init__(
        self,
        output: OutputDirectory,
        group: GroupInformation,
        number: int,
        planned: Sequence[PlannedFile],
        choices: Choices,
        entries: Mapping[str, ManifestEntry],
        cancel: CancelToken,
    ) -> None:
        self.output, self.group, self.choices, self.cancel = output, group, choices, cancel
        self.entries = entries
        self.files = [(one, entries[one.file.key]) for one in planned if one.file.key in entries]
        first = self.files[0][1].target.split("/")[:2] if self.files else [group.group_id, str(number)]
        self.run = (first[0], first[1])
        self.placed = PlacementResult(output.path.joinpath(*self.run))
        self.results = ExtractedTrees(output)
        self.batch: list[tuple[StagedTree, DataFolder, FilledFolder]] = []
        self.linked: set[str] = set()  # keys of the links that have their names

    def place(self) -> PlacementResult:
        before = self._read(TASKS_FILE)
        numbers = assign_numbers(self.files, self.choices, read_numbers(before))
        origins = self._read_origins()
        self._write((*self.run, CONFIG_FILE), _json(self._config()))
        self._write((*self.run, GROUP_FILE), self.group.entries)
        self._write((self.run[0], GROUP_FILE), self.group.entries)
        # Before the directories: a run killed in the middle must keep their numbers.
        self._write((*self.run, TASKS_FILE), _json(self._places(numbers, existing=False)))
        self._make_directories()
        folders = self._folders(numbers)
        expected = linked_files(folders)
        self.results.expect_files(expected)
        try:
            for place, sources in folders.items():
                self.cancel.check()
                self._fill(place, sources, origins)
            self._publish(origins)
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
                    except BlockedPathError as error:
                        if not any(what == f"{above[2]}/{name}" for what, _ in self.placed.problems):
                            self.placed.problems.append((f"{above[2]}/{name}", error.sentence))

    def _write(self, target: tuple[str, ...], content: bytes) -> None:
        with atomic_file(self.output.path.joinpath(*target), overwrite=True, below=self.output.path) as file:
            file.write(content)

    def _folders(self, numbers: Numbers) -> dict[DataFolder, list[SourceFile]]:
        found: dict[DataFolder, list[SourceFile]] = defaultdict(list)
        for one, entry in self.files:
            if one.pattern and not one.file.skip:
                target = tuple(entry.target.split("/"))
                suite, data = target[2], data_directory(one.pattern)
                folder = DataFolder(self.run, suite, data, numbers[suite, data][one.task.task_id], one.task.task_id)
                new = entry.state in PRESENT_STATES and entry.state != TransferState.UNCHANGED
                stale = tuple(tuple(self.entries[key].target.split("/")) for key in one.older if key in self.entries)
                unpacked, here = self.choices.is_unpacked(one.pattern), entry.state in PRESENT_STATES
                top = (one.pattern, f"{folder.task_id}{CODE_SEPARATOR}{one.pattern}")
                as_code = self.choices.separator == CODE_SEPARATOR
                found[folder].append(
                    SourceFile(target, unpacked, new, here, stale, top if as_code else ("", ""), entry.sha256)
                )
        return found

    def _fill(self, folder: DataFolder, sources: list[SourceFile], origins: dict[str, str]) -> None:
        here = [source for source in sources if source.here]
        if not here:
            return
        for source in here:
            origins["/".join(source.target[2:])] = folder.task_id
        try:
            filled = fill_folder(self.output, self.results, folder, sources, self.cancel)
        except FileError as error:
            self.placed.problems.append((folder.text, error.sentence))
            return
        if filled.staged is not None:
            self.batch.append((filled.staged, folder, filled))
            if len(self.batch) >= BATCH:
                self._publish(origins)
            return
        above = "/".join((*folder.above, str(folder.number)))
        self.linked.update(f"{above}/{name}" for name in filled.names)
        self._count(folder, filled, origins)

    def _publish(self, origins: dict[str, str]) -> None:
        """Gives the unpacked directories of this batch their names."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        failed = {
            staged.key: error for staged, error in self.results.rename_into_place([staged for staged, _, _ in batch])
        }
        for staged, folder, filled in batch:
            if (error := failed.get(staged.key)) is not None:
                self.placed.problems.append((folder.text, error.sentence))
                continue
            if staged.replaces:
                for name in [name for name in origins if name.startswith(f"{folder.text}/")]:
                    del origins[name]
            self._count(folder, filled, origins)

    def _count(self, folder: DataFolder, filled: FilledFolder, origins: dict[str, str]) -> None:
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

    def _read_origins(self) -> dict[str, str]:
        """What earlier rounds of this run recorded, of files that still exist."""
        known = self._read(FILES_FILE)
        named = {
            name: task for name, task in known.items() if isinstance(task, str) and is_safe(tuple(name.split("/")))
        }
        return {name: task for name, task in named.items() if (self.placed.run / name).is_file()}

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return as_dict(msgspec.json.decode((self.placed.run / name).read_bytes()))
        except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return {}


def read_numbers(places: Mapping[str, Any]) -> Numbers:
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


def assign_numbers(files: Iterable[tuple[PlannedFile, ManifestEntry]], choices: Choices, known: Numbers) -> Numbers:
    """`known` and the numbers of those that have none yet."""
    tasks: dict[tuple[str, str], dict[str, SelectedTask]] = defaultdict(dict)
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


# ---- one data directory ------------------------------------------------------------------------------------------


def linked_files(folders: Mapping[DataFolder, Sequence[SourceFile]]) -> dict[str, str]:
    """The files that `fill_folder` will link: their keys in the record of results, and the SHA-256 that each is to
    have."""
    return {
        _key((*folder.above, str(folder.number), source.target[-1])): source.sha256
        for folder, sources in folders.items()
        if not any(source.is_unpacked for source in sources)
        for source in sources
        if source.here
    }


def fill_folder(
    output: OutputDirectory,
    results: ExtractedTrees,
    folder: DataFolder,
    sources: Sequence[SourceFile],
    cancel: CancelToken,
) -> FilledFolder:
    """Fills one directory; one that is unpacked has yet to get its name, by `Results.name`.

    Raises `FileError`s, of a damaged archive for instance; then an unpacked directory is as it was.
    """
    try:
        if any(source.is_unpacked for source in sources):
            return _unpack(output, results, folder, sources, cancel)
        filled, above = FilledFolder(), (*folder.above, str(folder.number))
        _sweep(output.directory(above))
        for source in sources:
            if source.here:
                _link(output, results, source, above)
                filled.names.append(source.target[-1])
                filled.removed += _remove_stale(output, source, above)
        return filled
    except OSError as error:
        words = f"{folder.text} cannot be written: {disk_words(error, output.path)}."
        raise FileError(words, "Free some space, or check the directory's permissions.") from error


def _unpack(
    output: OutputDirectory,
    results: ExtractedTrees,
    folder: DataFolder,
    sources: Sequence[SourceFile],
    cancel: CancelToken,
) -> FilledFolder:
    """One archive becomes the directory; of several each becomes a directory in it. Nothing is done twice: a directory
    that was made from the same files stays. It still has to get its name.
    """
    if missing := [source.target[-1] for source in sources if not source.here]:
        raise FileError(f"{missing[0]}, which belongs to it, is missing, so nothing was unpacked.")
    target, filled = (*folder.above, str(folder.number)), FilledFolder()
    key, made_from = _key(target), _digest(output, sources)
    path = output.path.joinpath(*target)
    there = read_stamp(target[-1], output.directory(folder.above))  # refuses links in between
    if path.is_symlink():
        raise SymlinkError(path)
    if there is not None and not path.is_dir():
        raise BlockedPathError(f"{path} exists already and is not a directory.", "Move it away.")
    if there is not None:
        known = results.made_from(key)
        if known != made_from and not known and not any(source.new for source in sources):
            filled.notes.append("it existed before and is left as it is; remove it to have it made again")
        if known == made_from or filled.notes:
            filled.names = _files_below(path)
            return filled
    archives = [source for source in sources if source.is_unpacked]
    staged = results.stage(key, target, made_from, replaces=there is not None)
    try:
        for source in archives:
            inner = () if len(archives) == 1 else (source.target[-1],)
            done = extract_into(output.path.joinpath(*source.target), staged.tree, inner, cancel=cancel)
            filled.skipped += done.skipped
            filled.unpacked += 1
            if not inner:
                _rename_top(staged.tree, source)
        for source in sources:
            if not source.is_unpacked:
                _put(source.target[-1], output.directory(source.target[:-1]), source.target[-1], staged.tree, ())
        os.fsync(staged.tree.directory(()))
        filled.names = _files_below(staged.tree.path)
    except BaseException:
        results.discard(staged)
        raise
    filled.staged = staged
    return filled


def _rename_top(tree: DirectoryTree, source: SourceFile) -> None:
    """`browsertime-results` becomes `TASKID+-+browsertime-results`, as the original does with what tars hold."""
    old, new = (safe_name(name) if name else "" for name in source.top)
    root = tree.directory(())
    if not old or is_archive(source.target[-1]) is ArchiveKind.ZIP or read_stamp(old, root) is None:
        return
    tree.forget((old,))
    os.rename(old, new, src_dir_fd=root, dst_dir_fd=root)


def _key(target: tuple[str, ...]) -> str:
    return "/".join(target)


def _digest(output: OutputDirectory, sources: Sequence[SourceFile]) -> str:
    """Identifies what a directory is made from: the files, and which of them are unpacked."""
    parts = sorted(
        f"{one.target[-1]}\0{one.sha256 or output.sha256(one.target)}\0{one.is_unpacked}\0{one.top[1]}"
        for one in sources
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sweep(directory: int) -> None:
    """Removes links and copies that a killed run had not yet given their names."""
    for name in os.listdir(directory):
        if _UNFINISHED.fullmatch(name) and (there := read_stamp(name, directory)) is not None and there[0] >= 0:
            os.unlink(name, dir_fd=directory)


def _link(output: OutputDirectory, results: ExtractedTrees, source: SourceFile, above: tuple[str, ...]) -> None:
    """Gives the download a second name in `above`. What is there under that name stays if it has the same content,
    and else only gives way if it is an older download, or to what this round fetched.
    """
    directory, name = output.directory(above), source.target[-1]
    origin = output.directory(source.target[:-1])
    there = read_stamp(name, directory)
    if there is not None:
        path = output.path.joinpath(*above, name)
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise SymlinkError(path)
        if os.path.samestat(found, os.stat(name, dir_fd=origin, follow_symlinks=False)):
            return
        content = output.sha256((*above, name)) if there[0] >= 0 else ""
        if content and content == output.sha256(source.target):
            return
        if there[0] < 0 or not (source.new or results.is_ours(_key((*above, name)), content)):
            raise BlockedPathError(f"{path} is not what was downloaded.", "Move it away.")
    _put(name, origin, name, output, above)


def _put(name: str, origin: int, new: str, tree: DirectoryTree, above: tuple[str, ...]) -> None:
    """A link to `name` in the directory `origin`, or a copy where there can be none, complete under its name."""
    directory = tree.directory(above)
    beside = f".{secrets.token_hex(8)}.new"
    try:
        try:
            os.link(name, beside, src_dir_fd=origin, dst_dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(name, origin, beside, directory)
        os.rename(beside, new, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=directory)


def _remove_stale(output: OutputDirectory, source: SourceFile, above: tuple[str, ...]) -> list[str]:
    """Removes what an older run of the task gave, since readers would count the task twice; the download stays."""
    removed = []
    for target in source.stale:
        name = target[-1]
        if name != source.target[-1] and (there := output.sha256((*above, name))) and there == output.sha256(target):
            os.unlink(name, dir_fd=output.directory(above))
            removed.append(name)
    return removed


def _copy(name: str, origin: int, beside: str, directory: int) -> None:
    read = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=origin)
    with os.fdopen(read, "rb") as source:
        made = os.open(beside, NEW_FILE, 0o666, dir_fd=directory)
        with os.fdopen(made, "wb") as copy:
            shutil.copyfileobj(source, copy, PIECE)
            copy.flush()
            os.fsync(copy.fileno())


def _files_below(directory: Path) -> list[str]:
    """The plain files of a tree, relative to it, sorted."""
    return sorted(
        str(Path(above, name).relative_to(directory))
        for above, _, names in os.walk(directory)
        for name in names
        if not Path(above, name).is_symlink()
    )
