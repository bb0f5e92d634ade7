"""Kinds of archives, the limits on their contents, and the errors of extraction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backends.errors import FileError
from backends.frames.formats import format_bytes


class ArchiveKind(StrEnum):
    ZIP = "zip"
    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_BZ2 = "tar.bz2"
    TAR_XZ = "tar.xz"
    TAR_ZST = "tar.zst"


_EXTENSIONS = {
    ".zip": ArchiveKind.ZIP,
    ".tar": ArchiveKind.TAR,
    ".tar.gz": ArchiveKind.TAR_GZ,
    ".tgz": ArchiveKind.TAR_GZ,
    ".tar.bz2": ArchiveKind.TAR_BZ2,
    ".tbz2": ArchiveKind.TAR_BZ2,
    ".tbz": ArchiveKind.TAR_BZ2,
    ".tar.xz": ArchiveKind.TAR_XZ,
    ".txz": ArchiveKind.TAR_XZ,
    ".tar.zst": ArchiveKind.TAR_ZST,
    ".tzst": ArchiveKind.TAR_ZST,
}
_MAGIC = (
    (b"\x1f\x8b", ArchiveKind.TAR_GZ),
    (b"BZh", ArchiveKind.TAR_BZ2),
    (b"\xfd7zXZ\0", ArchiveKind.TAR_XZ),
    (b"\x28\xb5\x2f\xfd", ArchiveKind.TAR_ZST),
    (b"PK\x03\x04", ArchiveKind.ZIP),
    (b"PK\x05\x06", ArchiveKind.ZIP),  # an empty zip
)
HEAD = 512  # bytes that `sniff` needs


def is_archive(name: str) -> ArchiveKind | None:
    """The kind of archive by a file's extension (any case); None if it is not a supported archive."""
    lower = name.lower()
    return next((kind for ending, kind in _EXTENSIONS.items() if lower.endswith(ending) and lower != ending), None)


def sniff(head: bytes, name: str) -> ArchiveKind | None:
    """The kind of archive by its first bytes. Whether a compressed file contains a tar shows only when it is read.

    Otherwise by its name: tars older than POSIX have no magic number, and a zip may begin with a program.
    """
    for beginning, kind in _MAGIC:
        if head.startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return ArchiveKind.TAR
    named = is_archive(name)
    return named if named in (ArchiveKind.TAR, ArchiveKind.ZIP) else None


@dataclass(frozen=True)
class ExtractionLimits:
    """`file_bytes` of one member, `total_bytes` of all members, `entries` of any kind.

    `ratio`: decoded bytes per byte of the archive, checked above `ratio_floor` bytes only, because small files may
    compress very well. Real artifacts stay below 60 (crash reports, coverage); a deflate bomb has 1,030.
    """

    file_bytes: int = 8 << 30
    total_bytes: int = 32 << 30
    entries: int = 200_000
    ratio: float = 250.0
    ratio_floor: int = 256 << 20


class NotAnArchiveError(FileError):
    """The file is not a supported archive."""


class DamagedArchiveError(FileError):
    """The archive is truncated or invalid."""


class ExtractionLimitError(FileError):
    """The extracted archive would exceed the limits."""


class TargetExistsError(FileError):
    """The target of the extraction already exists."""


class ExtractionBudget:
    """What one archive has used of its limits. Decoded and written bytes are counted separately: a sparse member of a
    tar writes more than it contains, a skipped one writes nothing.
    """

    def __init__(self, limits: ExtractionLimits, archive_bytes: int, name: str) -> None:
        self._limits, self._name = limits, name
        self._by_ratio = max(limits.ratio_floor, int(limits.ratio * archive_bytes))
        self._decoded = self._wrote = self._entries = 0

    def count_entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise self._limit_error(f"it has more than {self._limits.entries:,} entries")

    def count_decoded(self, count: int) -> None:
        self._decoded += count
        self._check(self._decoded)

    def count_written(self, count: int, file_bytes: int) -> None:
        """`file_bytes`: written so far of the same member."""
        self._wrote += count
        if file_bytes > self._limits.file_bytes:
            raise self._limit_error(f"one of its files is larger than {format_bytes(self._limits.file_bytes)}")
        self._check(self._wrote)

    def _check(self, count: int) -> None:
        if count > self._limits.total_bytes:
            raise self._limit_error(f"it holds more than {format_bytes(self._limits.total_bytes)}")
        if count > self._by_ratio:
            raise self._limit_error(f"it expands to more than {format_bytes(self._by_ratio)} (suspected zip bomb)")

    def _limit_error(self, why: str) -> ExtractionLimitError:
        return ExtractionLimitError(
            f"{self._name} was not extracted: {why}.", "Extract it with another tool if you trust it."
        )


def damaged_error(name: str, why: str) -> DamagedArchiveError:
    return DamagedArchiveError(f"{name} is damaged: {why[:200]}.", "Download it again; nothing was extracted.")
