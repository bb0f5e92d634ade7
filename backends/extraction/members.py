"""What an archive holds, one member after the other, as it is read; nothing in it has been made safe yet."""

from __future__ import annotations

import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.decoding import PIECE, damaged, decoded
from backends.extraction.forward import Forward
from backends.extraction.kinds import HEAD, ArchiveKind, sniffed
from backends.extraction.limits import Budget, Limits, NotAnArchiveError
from backends.extraction.zip_directory import ZipDirectory

FILE, DIRECTORY = "file", "directory"
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others have no bound on what one step decodes
_GLOBAL_HEADERS = 100
# Whatever a wrong byte can make of the standard library's readers.
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, IndexError, KeyError,
    TypeError, struct.error, RecursionError, NotImplementedError, AttributeError, AssertionError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """`kind`: FILE, DIRECTORY, or in words what else it is. `contents` gives a file's bytes while it is the current
    member, and only once.
    """

    name: str
    kind: str
    size: int
    executable: bool
    contents: Callable[[], Iterator[bytes]]


@contextmanager
def members(
    archive: Path, limits: Limits, cancel: CancelToken, name: str = ""
) -> Iterator[tuple[Iterator[Member], Budget]]:
    """The members of an archive and what they use of the limits. Raises `FileError`s, also while they are read.

    `name`: what to call it in them, where its file is a part of ours that nobody knows.
    """
    name = name or archive.name
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(archive.open("rb"))
            size = os.fstat(raw.fileno()).st_size
            kind = sniffed(raw.read(HEAD), archive.name)
            raw.seek(0)
        except OSError as error:
            raise _unreadable(archive, error) from error
        if kind is None:
            raise NotAnArchiveError(f"{archive} is not a zip or a tar.", "Open it with a program for its kind.")
        budget = Budget(limits, size, name)
        read = _zip if kind is ArchiveKind.ZIP else _tar
        yield _explained(read(raw, kind, name, budget, limits, cancel), archive, name), budget


def _explained(found: Iterator[Member], archive: Path, name: str) -> Iterator[Member]:
    try:
        yield from found
    except _BROKEN as error:
        raise damaged(name, _words(error)) from error
    except OSError as error:
        raise _unreadable(archive, error) from error


def _unreadable(archive: Path, error: OSError) -> FileError:
    return FileError(f"{archive} cannot be read: {disk_words(error, archive)}.", "Check the file and the disk.")


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _zip(
    raw: IO[bytes], kind: ArchiveKind, name: str, budget: Budget, limits: Limits, cancel: CancelToken
) -> Iterator[Member]:
    archive = ZipDirectory(raw, name, limits)
    for one in archive:
        cancel.check()
        budget.entry()
        mode = one.external_attr >> 16
        yield Member(
            one.filename, _zip_kind(one, mode), one.file_size, bool(mode & 0o100),
            lambda one=one: _zip_contents(archive, one, name, budget, cancel),  # type: ignore[misc]
        )  # fmt: skip


def _zip_contents(
    archive: ZipDirectory, one: zipfile.ZipInfo, name: str, budget: Budget, cancel: CancelToken
) -> Iterator[bytes]:
    try:
        with archive.open(one) as opened:
            while piece := opened.read(PIECE):
                cancel.check()
                budget.decoded(len(piece))
                yield piece
    except _BROKEN as error:
        raise damaged(name, _words(error)) from error


def _zip_kind(one: zipfile.ZipInfo, mode: int) -> str:
    if one.filename.endswith("/"):  # is_dir() fails on an empty name
        return DIRECTORY
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):  # directories end with a slash
        return "symbolic link" if stat.S_ISLNK(mode) else "device or other special file"
    if one.flag_bits & 0x2041:
        return "encrypted file"
    if one.compress_type not in _READABLE:
        return f"file compressed by method {one.compress_type}"
    return FILE


def _tar(
    raw: IO[bytes], kind: ArchiveKind, name: str, budget: Budget, limits: Limits, cancel: CancelToken
) -> Iterator[Member]:
    def heed(count: int) -> None:
        cancel.check()
        budget.decoded(count)

    stream = Forward(decoded(raw, kind, name), name, heed)
    opened: Any = stream
    try:
        archive: Any = tarfile.TarFile(fileobj=opened, mode="r", errorlevel=2)
    except tarfile.ReadError as error:
        raise NotAnArchiveError(f"{name} is not a zip or a tar ({_words(error)}).", "Is it complete?") from error
    if archive.firstmember is None:  # an end mark and nothing before it
        stream.drain()
        return
    while (one := archive.next()) is not None:
        budget.entry()
        if one.size < 0 or len(archive.pax_headers) > _GLOBAL_HEADERS:
            raise damaged(name, "its headers are wrong")
        yield Member(
            one.name, _tar_kind(one), one.size, bool(one.mode & 0o100),
            lambda one=one: _tar_contents(archive, one, stream, name),  # type: ignore[misc]
        )  # fmt: skip
        archive.members.clear()  # it would keep every header
    if not stream.ends_with_a_zero_block():  # tarfile takes a wrong header for the end
        raise damaged(name, "it ends too early, or a header in it is wrong")
    stream.drain()


def _tar_contents(archive: tarfile.TarFile, one: tarfile.TarInfo, stream: Forward, name: str) -> Iterator[bytes]:
    header, stream.most = stream.most, max(stream.most, PIECE)
    try:
        opened = archive.extractfile(one)
        assert opened is not None, "only files have contents"
        read = 0
        while piece := opened.read(PIECE):
            read += len(piece)
            yield piece
    except _BROKEN as error:
        raise damaged(name, _words(error)) from error
    finally:
        stream.most = header
    if read != one.size:
        raise damaged(name, "it ends too early")


def _tar_kind(one: tarfile.TarInfo) -> str:
    if one.issym():
        return "symbolic link"
    if one.islnk():
        return "hard link"
    if one.isdir():
        return DIRECTORY
    if one.isfifo():
        return "named pipe"
    if one.isdev():
        return "device or other special file"
    return FILE if one.isfile() else f"member of the unknown type {one.type!r}"
