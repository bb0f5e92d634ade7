"""Downloads an archive into the store, verified before it is kept; repacks a zip as tar; saves copies of archives.

An hgweb that fails half-way ends its response as a complete 200 (seen with a corrupt file log: 23 of 60 MB, then the
words "Internal Server Error"), so that neither status nor length tell, only the archive itself: it is read to its end
without unpacking anything.

The repacked tar has the members of the zip in the same order and depends on the zip and the date of the commit alone,
so that the same archive has the same bytes everywhere (with one zlib). Mercurial's own zips have the order of its tars.
"""

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
from backends.extraction.limits import HEAD, DamagedArchiveError, ExtractionLimits, NotAnArchiveError, sniff
from backends.extraction.members import DIRECTORY, FILE, ArchiveMember, read_members
from backends.frames.formats import format_bytes, safe_text
from backends.http.errors import short_url
from backends.transfers.bodies import HEAD as HTML_HEAD
from backends.transfers.bodies import html_page_error, make_decoder, starts_like_html

if TYPE_CHECKING:
    from backends.http import Downloader
    from backends.http.downloads import Download


class ArchiveState(StrEnum):
    PENDING = "PENDING"  # waits for its turn
    STARTED = "STARTED"
    RETRY = "RETRY"  # after an error that may be temporary
    SUCCESS = "SUCCESS"  # there is something to fetch
    FAILURE = "FAILURE"


FINAL = frozenset({ArchiveState.SUCCESS, ArchiveState.FAILURE})


@dataclass(frozen=True)
class ProgressReport:
    """What is said while an archive is made: a state of the Archiver's protocol, a sentence, and how many `bytes` were
    received or read in this step."""

    state: ArchiveState
    sentence: str
    bytes: int = 0


ProgressCallback = Callable[[ProgressReport], None]


def no_progress(report: ProgressReport) -> None:
    """For callers that need only the result."""


class ThrottledProgress:
    """Reports the progress of a step at most four times a second. `sentence(count)`: what is reported."""

    def __init__(self, on_progress: ProgressCallback, sentence: Callable[[int], str]) -> None:
        self._on_progress, self._sentence, self._last = on_progress, sentence, 0.0

    @classmethod
    def checking(cls, on_progress: ProgressCallback) -> ThrottledProgress:
        return cls(on_progress, lambda count: f"Checking the archive: {format_bytes(count)} read.")

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if now - self._last >= 0.25:
            self._last = now
            self._on_progress(ProgressReport(ArchiveState.STARTED, self._sentence(count), count))


# A tree as big as Firefox's has 400,000 files and 4 GB; reading its zip takes 20 MB.
LIMITS = ExtractionLimits(file_bytes=8 << 30, total_bytes=64 << 30, entries=2_000_000)
LINK = "symbolic link"  # the word that `read_members` has for it
ARCHIVAL = ".hg_archival.txt"  # Mercurial adds it to archives of complete repositories only
_NODE = re.compile(rb"^node: ([0-9a-f]{40})$", re.MULTILINE)
_ARCHIVAL_BYTES = 4096
_DRIVE = re.compile(r"[A-Za-z]:")
_SPLIT = re.compile(r"[/\\]")


class WrongArchiveError(FileError):
    """A valid archive, but not the requested one, or one that is unsafe to unpack."""


@dataclass(frozen=True)
class VerifiedArchive:
    """Number of members, `unpacked` bytes of the files, `confirmed`: the archive itself contains the node."""

    members: int
    unpacked: int
    confirmed: bool


def verify_archive(
    archive: Path, spec: ArchiveSpec, cancel: CancelToken, progress: Callable[[int], None] = lambda read: None
) -> VerifiedArchive:
    """Reads the archive to its end with all checksums. `progress` gets the bytes unpacked so far.

    It must be of the requested kind and contain only what source archives have: files, directories and links.

    Raises `DamagedArchiveError`, `NotAnArchiveError`, `ExtractionLimitError`, `WrongArchiveError`, another `FileError`,
    `OperationCancelledError`.
    """
    check = _ArchiveCheck(spec)
    check.kind(archive)
    count = unpacked = 0
    with read_members(archive, LIMITS, cancel, spec.file_name) as (found, _):
        for member in found:
            count += 1
            check.name(member)
            unpacked += check.content(member) if member.kind == FILE else 0
            progress(unpacked)
    if not count:
        raise DamagedArchiveError(
            f"The archive of {spec.description} is empty.", "Try again; the server may have failed."
        )
    check.end()
    return VerifiedArchive(count, unpacked, check.confirmed)


class _ArchiveCheck:
    def __init__(self, spec: ArchiveSpec) -> None:
        self._spec = spec
        self._top: str | None = None
        self._below = not spec.subdirectory
        self._links = set[str]()  # their paths
        self._above = set[str]()  # the directories of all members so far
        self.confirmed = False

    def kind(self, archive: Path) -> None:
        with archive.open("rb") as stream:
            kind = sniff(stream.read(HEAD), "")
        if kind is None:
            what = f"What the server sent as {self._spec.file_name} is not a zip or a tar."
            raise NotAnArchiveError(what, "The server may have failed: try again later.")
        if kind is not None and kind.value != self._spec.suffix:
            raise self._wrong(f"it is a {kind.value}, not a {self._spec.suffix}")

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
        self._refuse_below_links(member)
        if not self._below:
            path = "/".join(parts[1:]).rstrip("/")
            self._below = path == self._spec.subdirectory or path.startswith(f"{self._spec.subdirectory}/")

    def _refuse_below_links(self, member: ArchiveMember) -> None:
        """Unpacking a link and then a member at or below its path would write to the target of the link."""
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        path = "/".join(parts)
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if path in self._links or not self._links.isdisjoint(above) or (member.kind == LINK and path in self._above):
            raise self._wrong(f"{safe_text(member.name, 60)} and a link have the same place")
        self._above.update(above)
        if member.kind == LINK:
            self._links.add(path)

    def content(self, member: ArchiveMember) -> int:
        """Reads a file; returns its size in bytes."""
        names_node = member.name == f"{self._top}/{ARCHIVAL}" and not self._spec.subdirectory
        head, size = b"", 0
        for piece in member.contents():
            size += len(piece)
            if names_node and len(head) < _ARCHIVAL_BYTES:
                head += piece[:_ARCHIVAL_BYTES]
        if names_node and (match := _NODE.search(head)):
            node = match[1].decode()
            if node != self._spec.node:
                raise self._wrong(f"it is of revision {node[:12]}")
            self.confirmed = True
        return size

    def end(self) -> None:
        if not self._below:
            raise self._wrong(f"it contains nothing of {safe_text(self._spec.subdirectory, 80)}")

    def _wrong(self, why: str) -> WrongArchiveError:
        return WrongArchiveError(f"The archive of {self._spec.description} was rejected: {why}.", "Check the server.")


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
            written += _add_member(tar, member, mtime)
            tar.members.clear()  # it would keep every header
            progress(written)


def _add_member(tar: tarfile.TarFile, member: ArchiveMember, mtime: int) -> int:
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


def _link_target(member: ArchiveMember) -> str:
    target = b"".join(member.contents()) if member.size <= _LONGEST_LINK else b""
    if not target or b"\0" in target:
        raise DamagedArchiveError(f"{member.name[:80]} is a link without a target.")
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
    store: ArchiveStore,
    spec: ArchiveSpec,
    url: str,
    source_url: str,
    downloader: Downloader,
    cancel: CancelToken,
    on_progress: ProgressCallback,
    committed_ms: int | None = None,
    regions: dict[str, str] | None = None,
) -> StoredArchive:
    """Downloads `url` and keeps it if it is the archive. `url` may be signed and is neither shown nor stored,
    `source_url` is.

    Raises `HttpError`s, `FileError`s (damaged, wrong, no space), `OperationCancelledError`; then nothing is archive.
    """
    host = short_url(source_url).partition("/")[0]
    with downloader.open(url, cancel=cancel) as download:
        on_progress(ProgressReport(ArchiveState.STARTED, f"Downloading the archive from {host}."))
        with store.writing(spec) as (stream, path):
            size, digest = _receive(download, stream, short_url(source_url), cancel, on_progress)
            stream.flush()
            _refuse_page(path, spec)
            verified = verify_archive(path, spec, cancel, ThrottledProgress.checking(on_progress))
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
    """Raises `HttpError` for the page that a login or a failing proxy sends with a 200."""
    with path.open("rb") as stream:
        head = stream.read(HTML_HEAD)
    if starts_like_html(head):
        raise html_page_error(spec.file_name, head)


def _receive(
    download: Download, stream: BinaryIO, place: str, cancel: CancelToken, on_progress: ProgressCallback
) -> tuple[int, str]:
    """(bytes written, their SHA-256); the server does not say how many there will be."""
    digest, size = hashlib.sha256(), 0
    progress = ThrottledProgress(on_progress, lambda count: f"Downloading the archive: {format_bytes(count)} so far.")
    for piece in _decode_body(download, place):
        cancel.check()
        digest.update(piece)
        stream.write(piece)
        size += len(piece)
        progress(size)
    return size, digest.hexdigest()


def _decode_body(download: Download, place: str) -> Iterator[bytes]:
    undo = make_decoder(download.encoding, place)
    for chunk in download.chunks():
        if undo is None:
            yield chunk
        else:
            yield from undo.feed(chunk)
    if undo is not None:
        undo.finish()


def save_copy(
    store: ArchiveStore, archive: StoredArchive, directory: Path, cancel: CancelToken, *, overwrite: bool = False
) -> tuple[Path, bool]:
    """(path of the archive in `directory`, whether the file is new); no link in it is followed. Raises as
    `ArchiveStore.copy` does."""
    target = directory / archive.record.spec.file_name
    return target, store.copy(archive, target, cancel, overwrite=overwrite, below=directory)
