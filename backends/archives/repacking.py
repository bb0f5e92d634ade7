"""How a verified zip becomes the tar that was wanted: the same members in the same order, as a stream.

The result depends on the zip and on the commit's date alone, so that the same archive has the same bytes everywhere
(of one zlib). Mercurial's own zips have the members in the order of its tars.
"""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from backends.archives.verifying import LIMITS, LINK
from backends.cancel import CancelToken
from backends.extraction.limits import DamagedArchiveError
from backends.extraction.members import DIRECTORY, FILE, ArchiveMember, read_members

_LONGEST_LINK = 4096  # PATH_MAX


def repack(
    archive: Path, target: BinaryIO, suffix: str, mtime: int, cancel: CancelToken, progress: Callable[[int], None]
) -> None:
    """Writes the members of the zip `archive` to `target` as a tar.gz or tar.bz2; `mtime` in seconds is every time in
    it. Raises `DamagedArchiveError` and other `FileError`s, also for members that a source archive never has."""
    outer: Any = (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=target, mtime=mtime)
        if suffix == "tar.gz"
        else bz2.BZ2File(target, "wb")
    )
    tar: Any
    with (
        outer,
        tarfile.open(fileobj=outer, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
        read_members(archive, LIMITS, cancel) as (found, _),
    ):
        written = 0
        for member in found:
            written += _add(tar, member, mtime)
            tar.members.clear()  # it would keep every header
            progress(written)


def _add(tar: tarfile.TarFile, member: ArchiveMember, mtime: int) -> int:
    header = tarfile.TarInfo(member.name.rstrip("/"))
    header.mtime = mtime
    if member.kind == DIRECTORY:
        header.type, header.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(header)
        return 0
    if member.kind == LINK:
        header.type, header.mode = tarfile.SYMTYPE, 0o777
        header.linkname = _link(member)
        tar.addfile(header)
        return 0
    if member.kind != FILE:
        raise DamagedArchiveError(f"{member.name[:80]} is a {member.kind}, which no source archive has.")
    header.size, header.mode = member.size, 0o755 if member.executable else 0o644
    contents: Any = _Contents(member.contents())
    tar.addfile(header, contents)
    return member.size


def _link(member: ArchiveMember) -> str:
    target = b"".join(member.contents()) if member.size <= _LONGEST_LINK else b""
    if not target or b"\0" in target:
        raise DamagedArchiveError(f"{member.name[:80]} is a link to nowhere.")
    return target.decode("utf-8", "surrogateescape")


class _Contents:
    """Pieces as the file that `tarfile` reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, io.BytesIO()

    def read(self, size: int) -> bytes:
        out = self._held.read(size)
        while len(out) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held = io.BytesIO(piece)
            out += self._held.read(size - len(out))
        return out


def is_tar(suffix: str) -> bool:
    return suffix.startswith("tar.")


__all__ = ["is_tar", "repack"]
