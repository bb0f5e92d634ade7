"""Which kind of archive a file is: by its name for those who plan, by its first bytes for those who open it."""

from __future__ import annotations

from enum import StrEnum


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
HEAD = 512  # bytes that `sniffed` wants to see


def is_archive(name: str) -> ArchiveKind | None:
    """By the end of a file's name, in any case; None if it is no archive that can be unpacked."""
    lower = name.lower()
    return next((kind for ending, kind in _ENDINGS.items() if lower.endswith(ending) and lower != ending), None)


def sniffed(head: bytes, name: str) -> ArchiveKind | None:
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
