"""Extracts an archive, or the archives among downloads, into directories of their own."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backends.atomic import BlockedPathError, DirectoryTree, disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.limits import ExtractionBudget, ExtractionLimits, TargetExistsError, is_archive
from backends.extraction.members import DIRECTORY, FILE, ArchiveMember, read_members
from backends.extraction.trees import BATCH, ExtractedTrees, ExtractPath, ExtractPaths, StagedTree
from backends.transfers.manifest import Manifest
from backends.transfers.names import is_safe
from backends.transfers.output_directory import OutputDirectory, read_stamp, sync_files
from backends.transfers.states import PRESENT_STATES, ManifestEntry

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class ExtractionResult:
    """`files`: (name relative to the target, bytes). `skipped`: (name as the archive spells it, why)."""

    files: list[tuple[str, int]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def extract(
    archive: Path, target: Path, *, limits: ExtractionLimits | None = None, cancel: CancelToken | None = None
) -> ExtractionResult:
    """Unpacks `archive` as the new directory `target`; a top folder of the archive stays one inside it.

    Raises `NotAnArchiveError`, `DamagedArchiveError`, `ExtractionLimitError`, `TargetExistsError` or another
    `FileError`, and `OperationCancelledError`; then
    nothing is left. What a killed run left beside the target is taken away first.
    """
    hidden = target.with_name(f".{target.name[:100]}.unpacking-{secrets.token_hex(4)}")
    try:
        if os.path.lexists(target):
            raise TargetExistsError(f"{target} is there already.", "Move it away, then unpack again.")
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in leftovers(target):
            shutil.rmtree(left, ignore_errors=True)
        hidden.mkdir()
        tree = DirectoryTree(hidden)
        try:
            unpacked = extract_into(archive, tree, limits=limits, cancel=cancel)
            _rename_durably(hidden, target)
        finally:
            tree.close()
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise TargetExistsError(f"{target} appeared meanwhile.", "Move it away, then unpack again.") from error
        raise _not_extracted(archive, target.parent, error) from error
    return unpacked


def _not_extracted(archive: Path, into: Path, error: OSError) -> FileError:
    words = f"{archive.name} cannot be unpacked into {into}: {disk_words(error, into)}."
    return FileError(words, "Free some space, or check the directory's permissions.")


def leftovers(target: Path) -> Iterator[Path]:
    """Hidden directories of runs that were killed while they unpacked as `target`."""
    prefix = f".{target.name[:100]}.unpacking-"
    for path in target.parent.iterdir():
        tail = path.name.removeprefix(prefix)
        if len(tail) == 8 and path.name == prefix + tail and path.is_dir() and not path.is_symlink():
            yield path


def extract_into(
    archive: Path,
    tree: DirectoryTree,
    above: ExtractPath = (),
    *,
    limits: ExtractionLimits | None = None,
    cancel: CancelToken | None = None,
) -> ExtractionResult:
    """Unpacks into the directory `above` of a tree that nobody knows yet, and makes it durable.

    What is there after a failure is for the caller to remove. Raises `FileError`s, `OperationCancelledError`, OSError.
    """
    unpacked, places = ExtractionResult(), ExtractPaths()
    made: set[ExtractPath] = {()}
    tree.directory(above)
    with read_members(archive, limits or ExtractionLimits(), cancel or CancelToken()) as (found, budget):
        for member in found:
            if member.kind not in (FILE, DIRECTORY):
                unpacked.skipped.append((member.name, f"{member.kind}: not made"))
                continue
            place = places.of(member.name, directory=member.kind == DIRECTORY)
            if isinstance(place, str):
                unpacked.skipped.append((member.name, place))
                continue
            into = place if member.kind == DIRECTORY else place[:-1]
            directory = tree.directory((*above, *into))
            made.update(into[:length] for length in range(len(into) + 1))
            if member.kind == FILE:
                unpacked.files.append(("/".join(place), _write(place[-1], directory, member, budget)))
    names = [*(name for name, _ in unpacked.files), *("/".join((".", *into)) for into in made)]
    sync_files(names, tree.directory(above))
    return unpacked


def _write(name: str, directory: int, member: ArchiveMember, budget: ExtractionBudget) -> int:
    descriptor = os.open(name, _NEW_FILE, 0o777 if member.executable else 0o666, dir_fd=directory)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        written = 0
        for piece in member.contents():
            written += len(piece)
            budget.count_written(len(piece), written)
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
    return written


def _rename_durably(hidden: Path, target: Path) -> None:
    hidden.rename(target)
    with _open_member(target.parent) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def _open_member(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


SUFFIX = ".unpacked"
Progress = Callable[[int, int], None]  # (archives looked at, archives in all)


@dataclass
class DownloadExtraction:
    """`unpacked` now, `kept` from an earlier call; `problems`: (archive, why) of those that were not unpacked;
    `skipped`: (archive, member, why) of what was left out of those that were.
    """

    unpacked: int = 0
    kept: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)


def extract_downloads(
    output: Path,
    keys: Collection[str] | None,
    cancel: CancelToken,
    progress: Progress | None = None,
    *,
    limits: ExtractionLimits | None = None,
) -> DownloadExtraction:
    """Unpacks the archives among the files with these keys (all of the directory's if None) that are there.

    One archive's failure does not stop the others. Raises `FileError` if another run has the directory,
    `OperationCancelledError`.
    """
    told = DownloadExtraction()
    with Manifest.open(output) as manifest, OutputDirectory(output) as opened:
        entries = manifest.entries()
        chosen = None if keys is None else frozenset(keys)
        wanted = [entry for key, entry in sorted(entries.items()) if chosen is None or key in chosen]
        archives = [entry for entry in wanted if entry.state in PRESENT_STATES and is_archive(entry.target)]
        unpacking = _Extraction(opened, ExtractedTrees(opened), told, limits, cancel)
        try:
            for number, entry in enumerate(archives):
                cancel.check()
                if progress is not None:
                    progress(number, len(archives))
                try:
                    unpacking.add(entry)
                except FileError as problem:
                    told.problems.append((entry.target, problem.sentence))
            unpacking.name()
        finally:
            unpacking.drop()
        if progress is not None:
            progress(len(archives), len(archives))
    return told


class _Extraction:
    """Archives unpacked one after the other; a few together get their names."""

    def __init__(
        self,
        output: OutputDirectory,
        results: ExtractedTrees,
        told: DownloadExtraction,
        limits: ExtractionLimits | None,
        cancel: CancelToken,
    ) -> None:
        self._output, self._results, self._told = output, results, told
        self._limits, self._cancel = limits, cancel
        self._batch: list[tuple[StagedTree, ExtractionResult]] = []

    def add(self, entry: ManifestEntry) -> None:
        parts = tuple(entry.target.split("/"))
        if not is_safe(parts):  # the manifest is a file and can be edited
            raise FileError("Its recorded place is not below the output directory.")
        there = read_stamp(parts[-1], self._output.directory(parts[:-1]))  # refuses links in between
        if there is None or there[0] < 0:
            raise FileError(f"{parts[-1]} is not there any more.", "Download it again.")
        archive, target = self._output.path.joinpath(*parts), (*parts[:-1], parts[-1] + SUFFIX)
        try:
            replaces = self._results.check_free(target, entry.target)
        except BlockedPathError as problem:
            words = f"{target[-1]} is there already, and not from here."
            raise TargetExistsError(words, "Move it away, then try again.") from problem
        if replaces and self._results.made_from(entry.target) == entry.sha256:
            self._told.kept += 1
            return
        try:
            staged = self._results.stage(entry.target, target, entry.sha256, replaces=replaces)
            try:
                done = extract_into(archive, staged.tree, limits=self._limits, cancel=self._cancel)
            except BaseException:
                self._results.drop(staged)
                raise
        except OSError as error:
            raise _not_extracted(archive, archive.parent, error) from error
        self._batch.append((staged, done))
        if len(self._batch) >= BATCH:
            self.name()

    def name(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        failed = {}
        try:
            failed = {one.key: problem for one, problem in self._results.name([staged for staged, _ in batch])}
        except FileError as problem:
            failed = {staged.key: problem for staged, _ in batch}
        for staged, done in batch:
            if staged.key in failed:
                self._told.problems.append((staged.key, failed[staged.key].sentence))
                continue
            self._told.unpacked += 1
            self._told.skipped += [(staged.key, name, why) for name, why in done.skipped]

    def drop(self) -> None:
        """What was unpacked and has not got its name: the user has stopped it."""
        for staged, _ in self._batch:
            self._results.drop(staged)
        self._batch.clear()
