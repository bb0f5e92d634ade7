"""Verifies a downloaded directory against its manifest, without network.

Every downloaded file is read and its SHA-256 compared. Links are never followed: a file that was replaced by one
counts as changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import polars as pl

from backends.atomic import BlockedPathError, SymlinkError, disk_words, open_directory
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.frames.schema import Column, Kind, Schema
from backends.transfers.manifest import FILE, Manifest
from backends.transfers.names import OWN_DIRECTORY, is_safe
from backends.transfers.states import NOTHING, ManifestEntry, TransferState

VERIFICATION_SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State", get="state"),
        Column("target", Kind.TEXT, "File", keeps_end=True, get="target"),
        Column("size", Kind.BYTES, "Size", "B", get="size"),
        Column("recorded_size", Kind.BYTES, "Recorded", "B", get="recorded_size"),
        Column("checked_by", Kind.TEXT, "Verified by", get="checked_by"),
        Column("why", Kind.TEXT, "Why", get="why"),
        Column("sha256", Kind.ID, "SHA-256", hidden=True, get="sha256"),
        Column("recorded_sha256", Kind.ID, "Recorded SHA-256", hidden=True, get="recorded_sha256"),
    ),
    key="target",
)
_PIECE = 1 << 20
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Progress = Callable[[int, int, int], None]  # files done, files in all, bytes read


class FileCheck(StrEnum):
    UNCHANGED = "unchanged"
    UNCHECKED = "unchecked"  # as recorded, but neither a digest nor a length verified the download
    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """One row of a verification: a file on the disk, and as it is recorded in the manifest."""

    state: FileCheck
    target: str
    size: int | None
    recorded_size: int | None = None
    checked_by: str = ""
    why: str = ""
    sha256: str = ""
    recorded_sha256: str = ""


DIFFERENCES = (FileCheck.CHANGED, FileCheck.MISSING, FileCheck.EXTRA)


@dataclass
class Verification:
    """`frame` in `VERIFICATION_SCHEMA`, by target. `absent`: files that never arrived, according to the manifest."""

    frame: pl.DataFrame
    counts: dict[FileCheck, int] = field(default_factory=dict)
    absent: int = 0
    bytes: int = 0

    @property
    def is_right(self) -> bool:
        return not any(self.counts.get(check) for check in DIFFERENCES)


def verify_directory(
    output: Path,
    cancel: CancelToken,
    progress: Progress | None = None,
    *,
    extra: bool = False,
    derived: Collection[str] = (),
) -> Verification:
    """Reads every downloaded file; with `extra` also lists files that are not in the manifest.

    `derived`: paths made from downloads (extracted archives), which are not extra. Raises `UsageError` if there is no
    manifest, `FileError`, `OperationCancelledError`.
    """
    if not os.path.lexists(output / OWN_DIRECTORY / FILE):
        raise UsageError(
            f"{output} has no manifest of downloads.", "Give the directory that a download had as --output."
        )
    with Manifest.read(output) as manifest:
        entries = sorted(manifest.entries().values(), key=lambda one: one.target)
    arrived = [
        one for one in entries if one.sha256 and (one.verified_at is not None or one.state == TransferState.STORED)
    ]
    absent = len(entries) - len(arrived) - sum(one.state == TransferState.SKIPPED for one in entries)
    rows: list[VerifiedFile] = []
    reader = _FileReader(output, cancel, lambda read: progress and progress(len(rows), len(arrived), read))
    try:
        for entry in arrived:
            rows.append(reader.compare(entry))
    finally:
        reader.close()
    if extra:
        known = {entry.target for entry in entries} | set(derived)
        rows += [VerifiedFile(FileCheck.EXTRA, name, size) for name, size in _extra(output, known, cancel)]
    frame = VERIFICATION_SCHEMA.build(rows).sort("target", "state")
    counts = {check: sum(row.state == check for row in rows) for check in FileCheck}
    return Verification(frame, counts, absent, reader.bytes)


class _FileReader:
    """Reads files below a directory without following links; keeps the last directory open."""

    def __init__(self, output: Path, cancel: CancelToken, progress: Callable[[int], object]) -> None:
        self._output = output
        self._cancel = cancel
        self._progress = progress
        self._above: tuple[str, ...] | None = None
        self._descriptor = -1
        self.bytes = 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._above = -1, None

    def compare(self, entry: ManifestEntry) -> VerifiedFile:
        self._cancel.check()
        self._progress(self.bytes)
        check, why, size, sha256 = self._check(entry)
        return VerifiedFile(check, entry.target, size, entry.size, entry.checked_by, why, sha256, entry.sha256)

    def _check(self, entry: ManifestEntry) -> tuple[FileCheck, str, int | None, str]:
        parts = tuple(entry.target.split("/"))
        if not is_safe(parts):  # the manifest can be edited
            return FileCheck.MISSING, "its recorded path is not below the directory", None, ""
        try:
            descriptor = os.open(parts[-1], _OPEN_FILE, dir_fd=self._directory(parts[:-1]))
        except FileNotFoundError:
            why = "the download was interrupted" if entry.state == TransferState.STORED else ""
            return FileCheck.MISSING, why, None, ""
        except (SymlinkError, BlockedPathError) as error:
            return FileCheck.CHANGED, error.sentence, None, ""
        except OSError as error:
            path = self._output.joinpath(*parts)
            words = "it is a symbolic link" if path.is_symlink() else f"cannot be read: {disk_words(error, path)}"
            return FileCheck.CHANGED, words, None, ""
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return FileCheck.CHANGED, "it is not a regular file any more", None, ""
            try:
                sha256 = self._hash(file.fileno())
            except OSError as error:
                words = f"cannot be read: {disk_words(error, self._output)}"
                return FileCheck.CHANGED, words, status.st_size, ""
        if sha256 != entry.sha256:
            return FileCheck.CHANGED, "its content differs from the manifest", status.st_size, sha256
        if entry.checked_by == NOTHING:
            return FileCheck.UNCHECKED, "it arrived without a length or digest", status.st_size, sha256
        return FileCheck.UNCHANGED, "", status.st_size, sha256

    def _directory(self, above: tuple[str, ...]) -> int:
        if above != self._above:
            self.close()
            self._descriptor = open_directory(self._output, above)
            self._above = above
        return self._descriptor

    def _hash(self, descriptor: int) -> str:
        digest = hashlib.sha256()
        while piece := os.read(descriptor, _PIECE):
            self._cancel.check()
            digest.update(piece)
            self.bytes += len(piece)
            self._progress(self.bytes)
        return digest.hexdigest()


def _extra(output: Path, known: set[str], cancel: CancelToken) -> Iterator[tuple[str, int | None]]:
    """Files that are not recorded (name, bytes); links are listed and not followed."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        cancel.check()
        above = waiting.pop()
        descriptor = open_directory(output, above)
        try:
            with os.scandir(descriptor) as found:
                for one in found:
                    target = "/".join((*above, one.name))
                    if target == OWN_DIRECTORY or target in known:
                        continue
                    if one.is_dir(follow_symlinks=False):
                        waiting.append((*above, one.name))
                    else:
                        is_file = one.is_file(follow_symlinks=False)
                        name = target.encode("utf-8", "backslashreplace").decode()
                        yield name, one.stat(follow_symlinks=False).st_size if is_file else None
        except OSError as error:
            path = output.joinpath(*above)
            raise FileError(f"{path} cannot be read: {disk_words(error, path)}.", "Check its permissions.") from error
        finally:
            os.close(descriptor)
