"""Whether an archive is whole and the one that was asked for: it is read to its end without unpacking anything.

An hgweb that fails half-way ends its answer as a clean and complete 200 (seen with a corrupt file log: 23 of 60 MB,
then the words "Internal Server Error"), so that neither status nor length tell, only the archive itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backends.archives.wanted import Wanted
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.limits import HEAD, DamagedArchiveError, ExtractionLimits, NotAnArchiveError, sniff
from backends.extraction.members import DIRECTORY, FILE, ArchiveMember, read_members
from backends.frames.formats import safe_text

# A tree as big as Firefox's has 400,000 files and 4 GB; reading its zip takes 20 MB.
LIMITS = ExtractionLimits(file_bytes=8 << 30, total_bytes=64 << 30, entries=2_000_000)
LINK = "symbolic link"  # the word that `read_members` has for it
ARCHIVAL = ".hg_archival.txt"  # Mercurial puts it into archives of whole repositories only
_NODE = re.compile(rb"^node: ([0-9a-f]{40})$", re.MULTILINE)
_ARCHIVAL_BYTES = 4096
_DRIVE = re.compile(r"[A-Za-z]:")
_SPLIT = re.compile(r"[/\\]")


class WrongArchive(FileError):
    """It is whole, and not the archive that was asked for, or one that nobody should unpack."""


@dataclass(frozen=True)
class Verified:
    """`read_members` of any kind, `unpacked` bytes of the files, `confirmed`: the archive itself names the node."""

    members: int
    unpacked: int
    confirmed: bool


def verify(
    archive: Path, wanted: Wanted, cancel: CancelToken, progress: Callable[[int], None] = lambda read: None
) -> Verified:
    """Reads the whole archive: each member to its end and each checksum. `progress` gets the bytes unpacked so far.
    It has to be of the kind that was asked for, and what a source archive has: files, directories and links.

    Raises `DamagedArchiveError`, `NotAnArchiveError`, `ExtractionLimitError`, `WrongArchive`, another `FileError`,
    `OperationCancelledError`.
    """
    check = _Check(wanted)
    check.kind(archive)
    count = unpacked = 0
    with read_members(archive, LIMITS, cancel, wanted.file_name) as (found, _):
        for member in found:
            count += 1
            check.name(member)
            unpacked += check.content(member) if member.kind == FILE else 0
            progress(unpacked)
    if not count:
        raise DamagedArchiveError(f"The archive of {wanted.words} is empty.", "Ask again; the server may have failed.")
    check.end()
    return Verified(count, unpacked, check.confirmed)


class _Check:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._top: str | None = None
        self._below = not wanted.subdirectory
        self._links = set[str]()  # their paths
        self._above = set[str]()  # the directories of all members so far
        self.confirmed = False

    def kind(self, archive: Path) -> None:
        with archive.open("rb") as stream:
            kind = sniff(stream.read(HEAD), "")
        if kind is None:
            what = f"What the server sent as {self._wanted.file_name} is not a zip or a tar."
            raise NotAnArchiveError(what, "The server may have failed: try again later.")
        if kind is not None and kind.value != self._wanted.suffix:
            raise self._wrong(f"it is a {kind.value}, not a {self._wanted.suffix}")

    def name(self, member: ArchiveMember) -> None:
        name = member.name
        parts = name.split("/")
        if not name or name[0] in "/\\" or _DRIVE.match(name) or ".." in _SPLIT.split(name) or "\0" in name:
            raise self._wrong(f"it has a member that leads outside, {safe_text(name, 60)}")
        if self._top is None:
            self._top = parts[0]
        if parts[0] != self._top:
            raise self._wrong(
                f"it has several top directories, {safe_text(self._top, 40)} and {safe_text(parts[0], 40)}"
            )
        if len(parts) < 2 and member.kind != DIRECTORY:
            raise self._wrong("it has no top directory")
        if member.kind not in (FILE, DIRECTORY, LINK):
            raise self._wrong(f"{safe_text(name, 60)} is a {member.kind}, which no source archive has")
        self._beside_links(member)
        if not self._below:
            path = "/".join(parts[1:]).rstrip("/")
            self._below = path == self._wanted.subdirectory or path.startswith(f"{self._wanted.subdirectory}/")

    def _beside_links(self, member: ArchiveMember) -> None:
        """Whoever unpacks a link and then a member at or below its path writes where the link leads."""
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        path = "/".join(parts)
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if path in self._links or not self._links.isdisjoint(above) or (member.kind == LINK and path in self._above):
            raise self._wrong(f"{safe_text(member.name, 60)} and a link have the same place")
        self._above.update(above)
        if member.kind == LINK:
            self._links.add(path)

    def content(self, member: ArchiveMember) -> int:
        """How many bytes that were."""
        is_account = member.name == f"{self._top}/{ARCHIVAL}" and not self._wanted.subdirectory
        head, size = b"", 0
        for piece in member.contents():
            size += len(piece)
            if is_account and len(head) < _ARCHIVAL_BYTES:
                head += piece[:_ARCHIVAL_BYTES]
        if is_account and (match := _NODE.search(head)):
            node = match[1].decode()
            if node != self._wanted.node:
                raise self._wrong(f"it is of revision {node[:12]}")
            self.confirmed = True
        return size

    def end(self) -> None:
        if not self._below:
            raise self._wrong(f"it has nothing of {safe_text(self._wanted.subdirectory, 80)}")

    def _wrong(self, why: str) -> WrongArchive:
        return WrongArchive(f"What came for {self._wanted.words} was not kept: {why}.", "Look at the server.")
