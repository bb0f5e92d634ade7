"""Limits on what an archive may hold, and the errors of extraction; which files are archives."""

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


_ENDINGS = {
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
_BEGINNINGS = (
    (b"\x1f\x8b", ArchiveKind.TAR_GZ),
    (b"BZh", ArchiveKind.TAR_BZ2),
    (b"\xfd7zXZ\0", ArchiveKind.TAR_XZ),
    (b"\x28\xb5\x2f\xfd", ArchiveKind.TAR_ZST),
    (b"PK\x03\x04", ArchiveKind.ZIP),
    (b"PK\x05\x06", ArchiveKind.ZIP),  # without any member
)
HEAD = 512  # bytes that `sniff` wants to see


def is_archive(name: str) -> ArchiveKind | None:
    """By the end of a file's name, in any case; None if it is no archive that can be unpacked."""
    lower = name.lower()
    return next((kind for ending, kind in _ENDINGS.items() if lower.endswith(ending) and lower != ending), None)


def sniff(head: bytes, name: str) -> ArchiveKind | None:
    """By the first bytes. A compressed file may hold something else than a tar; only reading it tells.

    The name decides where the bytes do not: tars older than POSIX have no mark, and a zip may begin with a program.
    """
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return ArchiveKind.TAR
    named = is_archive(name)
    return named if named in (ArchiveKind.TAR, ArchiveKind.ZIP) else None


@dataclass(frozen=True)
class ExtractionLimits:
    """`file_bytes` of one member, `total_bytes` of all, `entries` of any kind.

    `ratio`: decoded bytes for each byte of the archive, looked at beyond `ratio_floor` only. Real artifacts stay below
    60 (crash reports, coverage); a deflate bomb has 1,030, and small files may well compress better than any limit.
    """

    file_bytes: int = 8 << 30
    total_bytes: int = 32 << 30
    entries: int = 200_000
    ratio: float = 250.0
    ratio_floor: int = 256 << 20


class NotAnArchiveError(FileError):
    """Its bytes are none of the kinds that can be unpacked."""


class DamagedArchiveError(FileError):
    """It ends early, or does not say what an archive says."""


class ExtractionLimitError(FileError):
    """It would unpack to more than the limits allow."""


class TargetExistsError(FileError):
    """Something stands where the unpacked tree should go."""


class ExtractionBudget:
    """What one archive has used of its limits. `decoded` counts what the decompressor gives, `wrote` what is kept:
    a sparse member of a tar writes more than it holds, a skipped one decodes more than is written.
    """

    def __init__(self, limits: ExtractionLimits, archive_bytes: int, name: str) -> None:
        self._limits, self._name = limits, name
        self._by_ratio = max(limits.ratio_floor, int(limits.ratio * archive_bytes))
        self._decoded = self._wrote = self._entries = 0

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise self._too_much(f"it has more than {self._limits.entries:,} entries")

    def decoded(self, count: int) -> None:
        self._decoded += count
        self._check(self._decoded)

    def wrote(self, count: int, of_file: int) -> None:
        """`of_file`: how many bytes of the same member that makes."""
        self._wrote += count
        if of_file > self._limits.file_bytes:
            raise self._too_much(f"one of its files is larger than {format_bytes(self._limits.file_bytes)}")
        self._check(self._wrote)

    def _check(self, count: int) -> None:
        if count > self._limits.total_bytes:
            raise self._too_much(f"it holds more than {format_bytes(self._limits.total_bytes)}")
        if count > self._by_ratio:
            raise self._too_much(f"it grows to more than {format_bytes(self._by_ratio)}, as only a bomb does")

    def _too_much(self, why: str) -> ExtractionLimitError:
        return ExtractionLimitError(
            f"{self._name} was not unpacked: {why}.", "Look at it with a tool of its own if you trust it."
        )


def damaged_error(name: str, why: str) -> DamagedArchiveError:
    return DamagedArchiveError(f"{name} is damaged: {why[:200]}.", "Download it again; nothing of it was unpacked.")
