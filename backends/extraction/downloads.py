"""The archives of a finished download, each unpacked beside itself as `NAME.unpacked`: whole, or not at all.

>>> from backends.extraction.downloads import unpack_downloads
>>> told = unpack_downloads(Path("out"), [file.key for file in plan.files], cancel)
>>> told.unpacked, told.kept, told.problems
(12, 3, [("group/task/0/public/broken.zip", "broken.zip is damaged: ...")])

What was unpacked from which content is recorded in OUTPUT/.ciexplore/unpacked.json (see `trees`), so that the same call
again does only what is missing, and a newer download replaces the tree of the older one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from backends.atomic import BlockedPathError
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.kinds import is_archive
from backends.extraction.limits import Limits, TargetExistsError
from backends.extraction.trees import BATCH, Results, Staged
from backends.extraction.unpack import Unpacked, not_unpacked, unpack_into
from backends.transfers.manifest import Manifest
from backends.transfers.names import is_safe
from backends.transfers.outputs import Output, present
from backends.transfers.states import HERE, Entry

SUFFIX = ".unpacked"
Progress = Callable[[int, int], None]  # (archives looked at, archives in all)


@dataclass
class UnpackedDownloads:
    """`unpacked` now, `kept` from an earlier call; `problems`: (archive, why) of those that were not unpacked;
    `skipped`: (archive, member, why) of what was left out of those that were.
    """

    unpacked: int = 0
    kept: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)


def unpack_downloads(
    output: Path,
    keys: Collection[str] | None,
    cancel: CancelToken,
    progress: Progress | None = None,
    *,
    limits: Limits | None = None,
) -> UnpackedDownloads:
    """Unpacks the archives among the files with these keys (all of the directory's if None) that are there.

    One archive's failure does not stop the others. Raises `FileError` if another run has the directory,
    `OperationCancelledError`.
    """
    told = UnpackedDownloads()
    with Manifest.open(output) as manifest, Output(output) as opened:
        entries = manifest.entries()
        chosen = None if keys is None else frozenset(keys)
        wanted = [entry for key, entry in sorted(entries.items()) if chosen is None or key in chosen]
        archives = [entry for entry in wanted if entry.state in HERE and is_archive(entry.target)]
        unpacking = _Unpacking(opened, Results(opened), told, limits, cancel)
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


class _Unpacking:
    """Archives unpacked one after the other; a few together get their names."""

    def __init__(
        self, output: Output, results: Results, told: UnpackedDownloads, limits: Limits | None, cancel: CancelToken
    ) -> None:
        self._output, self._results, self._told = output, results, told
        self._limits, self._cancel = limits, cancel
        self._batch: list[tuple[Staged, Unpacked]] = []

    def add(self, entry: Entry) -> None:
        parts = tuple(entry.target.split("/"))
        if not is_safe(parts):  # the manifest is a file and can be edited
            raise FileError("Its recorded place is not below the output directory.")
        there = present(parts[-1], self._output.directory(parts[:-1]))  # refuses links in between
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
                done = unpack_into(archive, staged.tree, limits=self._limits, cancel=self._cancel)
            except BaseException:
                self._results.drop(staged)
                raise
        except OSError as error:
            raise not_unpacked(archive, archive.parent, error) from error
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
