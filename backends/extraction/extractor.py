"""Extracts archives into directories: one into a staged directory, or all among downloads."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
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
    """`files`: (path relative to the target, bytes). `skipped`: (name in the archive, reason)."""

    files: list[tuple[str, int]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def extract_into(
    archive: Path,
    tree: DirectoryTree,
    above: ExtractPath = (),
    *,
    limits: ExtractionLimits | None = None,
    cancel: CancelToken | None = None,
) -> ExtractionResult:
    """Extracts into the directory `above` of a staged tree, and makes it durable.

    The caller removes what is there after a failure. Raises `FileError`, `OperationCancelledError`, OSError.
    """
    result, paths = ExtractionResult(), ExtractPaths()
    directories: set[ExtractPath] = {()}
    tree.directory(above)
    with read_members(archive, limits or ExtractionLimits(), cancel or CancelToken()) as (found, budget):
        for member in found:
            if member.kind not in (FILE, DIRECTORY):
                result.skipped.append((member.name, f"{member.kind}: not extracted"))
                continue
            path = paths.assign(member.name, directory=member.kind == DIRECTORY)
            if isinstance(path, str):
                result.skipped.append((member.name, path))
                continue
            into = path if member.kind == DIRECTORY else path[:-1]
            directory = tree.directory((*above, *into))
            directories.update(into[:length] for length in range(len(into) + 1))
            if member.kind == FILE:
                result.files.append(("/".join(path), _write(path[-1], directory, member, budget)))
    names = [*(name for name, _ in result.files), *("/".join((".", *into)) for into in directories)]
    sync_files(names, tree.directory(above))
    return result


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


SUFFIX = ".unpacked"
Progress = Callable[[int, int], None]  # (archives done, archives in total)


@dataclass
class DownloadExtraction:
    """`unpacked`: archives extracted now; `kept`: by an earlier call; `problems`: (archive, reason) of those that were
    not extracted; `skipped`: (archive, member, reason) of members that were not extracted.
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
    """Extracts the downloaded archives with these keys (None: all of the directory).

    The failure of one archive does not stop the others. Raises `FileError` if another run uses the directory,
    `OperationCancelledError`.
    """
    summary = DownloadExtraction()
    with Manifest.open(output) as manifest, OutputDirectory(output) as opened:
        entries = manifest.entries()
        selected = sorted(entries if keys is None else entries.keys() & set(keys))
        archives = [
            entry
            for entry in map(entries.__getitem__, selected)
            if entry.state in PRESENT_STATES and is_archive(entry.target)
        ]
        extraction = _Extraction(opened, ExtractedTrees(opened), summary, limits, cancel)
        try:
            for number, entry in enumerate(archives):
                cancel.check()
                if progress is not None:
                    progress(number, len(archives))
                try:
                    extraction.add(entry)
                except FileError as error:
                    summary.problems.append((entry.target, error.sentence))
            extraction.commit()
        finally:
            extraction.discard()
        if progress is not None:
            progress(len(archives), len(archives))
    return summary


class _Extraction:
    """Extracts archives one after the other and renames them into place in batches."""

    def __init__(
        self,
        output: OutputDirectory,
        results: ExtractedTrees,
        summary: DownloadExtraction,
        limits: ExtractionLimits | None,
        cancel: CancelToken,
    ) -> None:
        self._output, self._results, self._summary = output, results, summary
        self._limits, self._cancel = limits, cancel
        self._batch: list[tuple[StagedTree, ExtractionResult]] = []

    def add(self, entry: ManifestEntry) -> None:
        parts = tuple(entry.target.split("/"))
        if not is_safe(parts):  # the manifest can be edited
            raise FileError("Its recorded path is not below the output directory.")
        there = read_stamp(parts[-1], self._output.directory(parts[:-1]))  # refuses symbolic links on the way
        if there is None or there[0] < 0:
            raise FileError(f"{parts[-1]} does not exist any more.", "Download it again.")
        archive, target = self._output.path.joinpath(*parts), (*parts[:-1], parts[-1] + SUFFIX)
        try:
            replaces = self._results.check_free(target, entry.target)
        except BlockedPathError as error:
            words = f"{target[-1]} already exists and was not created by ciexplore."
            raise TargetExistsError(words, "Move it away, then try again.") from error
        if replaces and self._results.made_from(entry.target) == entry.sha256:
            self._summary.kept += 1
            return
        try:
            staged = self._results.stage(entry.target, target, entry.sha256, replaces=replaces)
            try:
                done = extract_into(archive, staged.tree, limits=self._limits, cancel=self._cancel)
            except BaseException:
                self._results.discard(staged)
                raise
        except OSError as error:
            words = f"{archive.name} cannot be extracted into {archive.parent}: {disk_words(error, archive.parent)}."
            raise FileError(words, "Free disk space, or check the directory's permissions.") from error
        self._batch.append((staged, done))
        if len(self._batch) >= BATCH:
            self.commit()

    def commit(self) -> None:
        """Renames the extracted directories into place."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        failed = {}
        try:
            renamed = self._results.rename_into_place([staged for staged, _ in batch])
            failed = {one.key: error for one, error in renamed}
        except FileError as error:
            failed = {staged.key: error for staged, _ in batch}
        for staged, done in batch:
            if staged.key in failed:
                self._summary.problems.append((staged.key, failed[staged.key].sentence))
                continue
            self._summary.unpacked += 1
            self._summary.skipped += [(staged.key, name, why) for name, why in done.skipped]

    def discard(self) -> None:
        """Removes what was extracted and not renamed into place."""
        for staged, _ in self._batch:
            self._results.discard(staged)
        self._batch.clear()
