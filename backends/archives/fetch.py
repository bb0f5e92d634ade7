"""X"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from backends.archives.spec import ArchiveSpec
from backends.archives.store import ArchiveRecord, ArchiveStore, StoredArchive, now_ms
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.kinds import HEAD, sniffed
from backends.extraction.limits import DamagedArchiveError, Limits, NotAnArchiveError
from backends.extraction.members import DIRECTORY, FILE, Member, members
from backends.frames.formats import format_bytes, safe_text
from backends.http.errors import short_url
from backends.transfers.bodies import HEAD as HTML_HEAD
from backends.transfers.bodies import begins_as_html, decoder, page_instead

if TYPE_CHECKING:
    from backends.http import Downloader
    from backends.http.downloads import Download


class ArchiveState(StrEnum):
    PENDING = "PENDING"  # waits for its turn
    STARTED = "STARTED"
    RETRY = "RETRY"  # something went wrong that may not do so again
    SUCCESS = "SUCCESS"  # there is something to fetch
    FAILURE = "FAILURE"


FINAL = frozenset({ArchiveState.SUCCESS, ArchiveState.FAILURE})


@dataclass(frozen=True)
class ProgressReport:
    """`bytes`: how many have come in, or have been read, in this step."""

    state: ArchiveState
    sentence: str
    bytes: int = 0


ProgressCallback = Callable[[ProgressReport], None]


def no_progress(report: ProgressReport) -> None:
    """For callers that only want the end."""


class ThrottledProgress:
    """Tells how far a step is, at most four times a second."""

    def __init__(self, on_progress: ProgressCallback, words: Callable[[int], str]) -> None:
        self._tell, self._words, self._last = on_progress, words, 0.0

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if now - self._last >= 0.25:
            self._last = now
            self._tell(ProgressReport(ArchiveState.STARTED, self._words(count), count))


# A tree as big as Firefox's has 400,000 files and 4 GB; reading its zip takes 20 MB.
LIMITS = Limits(file_bytes=8 << 30, total_bytes=64 << 30, entries=2_000_000)
LINK = "symbolic link"  # the word that `members` has for it
ARCHIVAL = ".hg_archival.txt"  # Mercurial puts it into archives of whole repositories only
_NODE = re.compile(rb"^node: ([0-9a-f]{40})$", re.MULTILINE)
_ARCHIVAL_BYTES = 4096
_DRIVE = re.compile(r"[A-Za-z]:")
_SPLIT = re.compile(r"[/\\]")


class WrongArchiveError(FileError):
    """It is whole, and not the archive that was asked for, or one that nobody should unpack."""


@dataclass(frozen=True)
class VerifiedArchive:
    """`members` of any kind, `unpacked` bytes of the files, `confirmed`: the archive itself names the node."""

    members: int
    unpacked: int
    confirmed: bool


def verify_archive(
    archive: Path, spec: ArchiveSpec, cancel: CancelToken, progress: Callable[[int], None] = lambda read: None
) -> VerifiedArchive:
    """Reads the whole archive: each member to its end and each checksum. `progress` gets the bytes unpacked so far.
    It has to be of the kind that was asked for, and what a source archive has: files, directories and links.

    Raises `DamagedArchiveError`, `NotAnArchiveError`, `ExtractionLimitError`, `WrongArchiveError`, another `FileError`,
    `OperationCancelledError`.
    """
    check = _ArchiveCheck(spec)
    check.kind(archive)
    count = unpacked = 0
    with members(archive, LIMITS, cancel, spec.file_name) as (found, _):
        for member in found:
            count += 1
            check.name(member)
            unpacked += check.content(member) if member.kind == FILE else 0
            progress(unpacked)
    if not count:
        raise DamagedArchiveError(
            f"The archive of {spec.description} is empty.", "Ask again; the server may have failed."
        )
    check.end()
    return VerifiedArchive(count, unpacked, check.confirmed)


class _ArchiveCheck:
    def __init__(self, spec: ArchiveSpec) -> None:
        self._wanted = spec
        self._top: str | None = None
        self._below = not spec.subdirectory
        self._links = set[str]()  # their paths
        self._above = set[str]()  # the directories of all members so far
        self.confirmed = False

    def kind(self, archive: Path) -> None:
        with archive.open("rb") as stream:
            kind = sniffed(stream.read(HEAD), "")
        if kind is None:
            what = f"What the server sent as {self._wanted.file_name} is not a zip or a tar."
            raise NotAnArchiveError(what, "The server may have failed: try again later.")
        if kind is not None and kind.value != self._wanted.suffix:
            raise self._wrong(f"it is a {kind.value}, not a {self._wanted.suffix}")

    def name(self, member: Member) -> None:
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

    def _beside_links(self, member: Member) -> None:
        """Whoever unpacks a link and then a member at or below its path writes where the link leads."""
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        path = "/".join(parts)
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if path in self._links or not self._links.isdisjoint(above) or (member.kind == LINK and path in self._above):
            raise self._wrong(f"{safe_text(member.name, 60)} and a link have the same place")
        self._above.update(above)
        if member.kind == LINK:
            self._links.add(path)

    def content(self, member: Member) -> int:
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

    def _wrong(self, why: str) -> WrongArchiveError:
        return WrongArchiveError(
            f"What came for {self._wanted.description} was not kept: {why}.", "Look at the server."
        )


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
        members(archive, LIMITS, cancel) as (found, _),
    ):
        written = 0
        for member in found:
            written += _add_member(tar, member, mtime)
            tar.members.clear()  # it would keep every header
            progress(written)


def _add_member(tar: tarfile.TarFile, member: Member, mtime: int) -> int:
    header = tarfile.TarInfo(member.name.rstrip("/"))
    header.mtime = mtime
    if member.kind == DIRECTORY:
        header.type, header.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(header)
        return 0
    if member.kind == LINK:
        header.type, header.mode = tarfile.SYMTYPE, 0o777
        header.linkname = _link_target(member)
        tar.addfile(header)
        return 0
    if member.kind != FILE:
        raise DamagedArchiveError(f"{member.name[:80]} is a {member.kind}, which no source archive has.")
    header.size, header.mode = member.size, 0o755 if member.executable else 0o644
    contents: Any = _MemberFile(member.contents())
    tar.addfile(header, contents)
    return member.size


def _link_target(member: Member) -> str:
    target = b"".join(member.contents()) if member.size <= _LONGEST_LINK else b""
    if not target or b"\0" in target:
        raise DamagedArchiveError(f"{member.name[:80]} is a link to nowhere.")
    return target.decode("utf-8", "surrogateescape")


class _MemberFile:
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


def fetch_archive(
    store: ArchiveStore, spec: ArchiveSpec, url: str, source_url: str, downloader: Downloader, cancel: CancelToken, on_progress: ProgressCallback,
    committed_ms: int | None = None, regions: dict[str, str] | None = None,
) -> StoredArchive:  # fmt: skip
    """Keeps what `url` gives, if it is the archive. `url` may be signed and is told to nobody; `source_url` is kept.

    Raises `HttpError`s, `FileError`s (damaged, wrong, no room), `OperationCancelledError`; then nothing is kept.
    """
    host = short_url(source_url).partition("/")[0]
    with downloader.open(url, cancel=cancel) as download:
        on_progress(ProgressReport(ArchiveState.STARTED, f"Downloading the archive from {host}."))
        with store.writing(spec) as (stream, path):
            size, digest = _receive(download, stream, short_url(source_url), cancel, on_progress)
            stream.flush()
            _refuse_page(path, spec)
            read = ThrottledProgress(on_progress, lambda count: f"Checking the archive: {format_bytes(count)} read.")
            verified = verify_archive(path, spec, cancel, read)
    return store.keep(
        ArchiveRecord(
            spec.root,
            spec.repository,
            spec.node,
            spec.subdirectory,
            spec.suffix,
            source_url,
            size,
            digest,
            verified.members,
            verified.unpacked,
            committed_ms,
            now_ms(),
            verified.confirmed,
            regions=regions or {},
        )
    )


def _refuse_page(path: Path, spec: ArchiveSpec) -> None:
    """Raises `HttpError` for what a login or a failing proxy sends with a 200."""
    with path.open("rb") as stream:
        head = stream.read(HTML_HEAD)
    if begins_as_html(head):
        raise page_instead(spec.file_name, head)


def _receive(
    download: Download, stream: BinaryIO, place: str, cancel: CancelToken, on_progress: ProgressCallback
) -> tuple[int, str]:
    """How many bytes were written, and their SHA-256. The server does not say how many there will be."""
    digest, size = hashlib.sha256(), 0
    counted = ThrottledProgress(on_progress, lambda count: f"Downloading the archive: {format_bytes(count)} so far.")
    for piece in _decode_body(download, place):
        cancel.check()
        digest.update(piece)
        stream.write(piece)
        size += len(piece)
        counted(size)
    return size, digest.hexdigest()


def _decode_body(download: Download, place: str) -> Iterator[bytes]:
    undo = decoder(download.encoding, place)
    for chunk in download.chunks():
        if undo is None:
            yield chunk
        else:
            yield from undo.feed(chunk)
    if undo is not None:
        undo.finish()


def save_copy(
    store: ArchiveStore, kept: StoredArchive, directory: Path, cancel: CancelToken, *, overwrite: bool = False
) -> tuple[Path, bool]:
    """The archive as a file in `directory`, and whether it was not there already; no link in it is followed. Raises as
    `Store.copy` does."""
    target = directory / kept.record.spec.file_name
    return target, store.copy(kept, target, cancel, overwrite=overwrite, below=directory)
