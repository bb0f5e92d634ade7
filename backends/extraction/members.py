"""Reads members of zip and tar archives of any compression, in one pass and within limits."""

from __future__ import annotations

import bz2
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import polars as pl

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.limits import (
    HEAD,
    ArchiveKind,
    ExtractionBudget,
    ExtractionLimits,
    NotAnArchiveError,
    damaged_error,
    sniff,
)
from backends.extraction.zip_directory import ZipDirectory
from backends.frames.schema import Column, Kind, Schema

PIECE = 1 << 18
_FEED = 1 << 16
_ZSTD_FEED = 1 << 11  # a block of 4 bytes can expand to 128 KiB, and the decoder has no limit per step
_XZ_MEMORY = 256 << 20  # bytes; xz -9 needs 65 MB, a malicious header asks for 4 GB
_ZSTD_WINDOW = 1 << 27  # bytes, the default of `zstd -d`


class _Decoder(Protocol):
    """Decoder of one stream. `step` takes input and returns some output; call it with b"" while not `needs_input`."""

    eof: bool
    unused: bytes
    needs_input: bool

    def step(self, raw: bytes) -> bytes: ...


class _Zlib:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)  # with the gzip header and checksum
        self.eof, self.unused, self.needs_input = False, b"", True

    def step(self, raw: bytes) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + raw, PIECE)
        self.eof, self.unused = self._inner.eof, self._inner.unused_data
        self.needs_input = not self._inner.unconsumed_tail and len(out) < PIECE
        return out


class _Standard:
    """bz2 and lzma, which have the same interface."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.eof, self.unused, self.needs_input = False, b"", True

    def step(self, raw: bytes) -> bytes:
        out: bytes = self._inner.decompress(raw, PIECE)
        self.eof = self._inner.eof
        self.unused = self._inner.unused_data if self.eof else b""
        self.needs_input = self._inner.needs_input and not self.eof
        return out


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._held = b""
        self.eof, self.unused, self.needs_input = False, b"", True

    def step(self, raw: bytes) -> bytes:
        fed = self._held + raw
        now, self._held = fed[:_ZSTD_FEED], fed[_ZSTD_FEED:]
        out = self._inner.decompress(now)
        if self._inner.eof:
            self.eof, self.unused = True, self._inner.unused_data + self._held
        self.needs_input = not self._held
        return out


_DECODERS: dict[ArchiveKind, Callable[[], _Decoder]] = {
    ArchiveKind.TAR_GZ: _Zlib,
    ArchiveKind.TAR_BZ2: lambda: _Standard(bz2.BZ2Decompressor()),
    ArchiveKind.TAR_XZ: lambda: _Standard(lzma.LZMADecompressor(memlimit=_XZ_MEMORY)),
    ArchiveKind.TAR_ZST: _Zstd,
}


def decode_stream(raw: IO[bytes], kind: ArchiveKind, name: str) -> Iterator[bytes]:
    """Decodes a file of this kind, also several concatenated streams (`cat a.gz b.gz`). Trailing zeros are padding.

    Raises `DamagedArchiveError` if a stream is truncated or invalid.
    """
    make = _DECODERS.get(kind)
    if make is None:
        while piece := raw.read(PIECE):
            yield piece
        return
    try:
        yield from _streams(raw, make, name)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise damaged_error(name, str(error)) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise damaged_error(name, str(error)) from error


def _streams(raw: IO[bytes], make: Callable[[], _Decoder], name: str) -> Iterator[bytes]:
    decoder, waiting, fresh, first = make(), b"", True, True
    while True:
        if not waiting and decoder.needs_input:
            waiting = raw.read(_FEED)
            if not waiting:
                if fresh and not first:
                    return
                raise damaged_error(name, "it is truncated")
        if fresh and not first:
            waiting = waiting.lstrip(b"\0")
            if not waiting:
                continue
        out = decoder.step(waiting)
        waiting, fresh, first = b"", False, False
        if decoder.eof:
            waiting, decoder, fresh = decoder.unused, make(), True
        if out:
            yield out


BLOCK = 512


class ForwardReader:
    """`pieces` as a file for `tarfile`, which seeks back by one byte at most (the last byte of a member).

    `on_read` is called with the length of each piece. `max_read`: the largest allowed read. tarfile reads a header
    extension at once, and its regular expressions are quadratic (CVE-2024-6232): 32 KiB, far more than any real one
    has, take 0.5 s at worst.
    """

    def __init__(self, pieces: Iterator[bytes], name: str, on_read: Callable[[int], None]) -> None:
        self._pieces, self._name, self._on_read = pieces, name, on_read
        self._held = bytearray()
        self._base = 0  # position in the stream where `_held` begins
        self._position = 0
        self.max_read = 1 << 15

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self.max_read:
            raise damaged_error(self._name, "one of its headers is too large")
        self._fill(self._position + size)
        start = self._position - self._base
        out = bytes(self._held[start : start + size])
        self._position += len(out)
        self._forget()
        return out

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence or offset < self._base:
            raise damaged_error(self._name, "its headers contradict each other")
        while self._base + len(self._held) < offset and self._more():
            self._position = min(offset, self._base + len(self._held))
            self._forget()
        self._position = min(offset, self._base + len(self._held))
        return self._position

    def ends_with_a_zero_block(self) -> bool:
        """Whether the last block read is the end mark of a complete tar."""
        start = self._position - self._base - BLOCK
        return start >= 0 and not any(self._held[start : start + BLOCK])

    def drain(self) -> None:
        """Reads to the end, so that the checksums there are verified."""
        while self._more():
            self._position = self._base + len(self._held)
            self._forget()

    def _fill(self, until: int) -> None:
        while self._base + len(self._held) < until and self._more():
            pass

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._on_read(len(piece))
        self._held += piece
        return True

    def _forget(self) -> None:
        """Drops what was read, if it is worth moving the rest."""
        passed = self._position - self._base - BLOCK
        if passed > 1 << 16 or (passed > 0 and self._position == self._base + len(self._held)):
            del self._held[:passed]
            self._base += passed


FILE, DIRECTORY = "file", "directory"
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others have no limit on the output of one step
_GLOBAL_HEADERS = 100
# What the standard library's readers raise for invalid archives.
PARSER_ERRORS = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, IndexError, KeyError,
    TypeError, struct.error, RecursionError, NotImplementedError, AttributeError, AssertionError,
)  # fmt: skip


@dataclass(frozen=True)
class ArchiveMember:
    """`kind`: FILE, DIRECTORY, or a description of anything else. `contents` yields a file's bytes; it works once, and
    only while the member is the current one.
    """

    name: str
    kind: str
    size: int
    executable: bool
    contents: Callable[[], Iterator[bytes]]


@contextmanager
def read_members(
    archive: Path, limits: ExtractionLimits, cancel: CancelToken, name: str = ""
) -> Iterator[tuple[Iterator[ArchiveMember], ExtractionBudget]]:
    """The members of an archive, and the budget that they use. Raises `FileError`, also while they are read.

    `name`: the archive's name in errors, if its file is a part of ours.
    """
    name = name or archive.name
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(archive.open("rb"))
            size = os.fstat(raw.fileno()).st_size
            kind = sniff(raw.read(HEAD), archive.name)
            raw.seek(0)
        except OSError as error:
            raise _unreadable(archive, error) from error
        if kind is None:
            raise NotAnArchiveError(f"{archive} is not a zip or tar archive.", "Open it with a program for its type.")
        budget = ExtractionBudget(limits, size, name)
        read = _zip if kind is ArchiveKind.ZIP else _tar
        yield _translate_errors(read(raw, kind, name, budget, limits, cancel), archive, name), budget


def _translate_errors(found: Iterator[ArchiveMember], archive: Path, name: str) -> Iterator[ArchiveMember]:
    try:
        yield from found
    except PARSER_ERRORS as error:
        raise damaged_error(name, _describe(error)) from error
    except OSError as error:
        raise _unreadable(archive, error) from error


def _unreadable(archive: Path, error: OSError) -> FileError:
    return FileError(f"{archive} cannot be read: {disk_words(error, archive)}.", "Check the file and the disk.")


def _describe(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _zip(
    raw: IO[bytes],
    kind: ArchiveKind,
    name: str,
    budget: ExtractionBudget,
    limits: ExtractionLimits,
    cancel: CancelToken,
) -> Iterator[ArchiveMember]:
    archive = ZipDirectory(raw, name, limits)
    for one in archive:
        cancel.check()
        budget.count_entry()
        mode = one.external_attr >> 16
        yield ArchiveMember(
            one.filename, zip_entry_kind(one, mode), one.file_size, bool(mode & 0o100),
            lambda one=one: _zip_contents(archive, one, name, budget, cancel),  # type: ignore[misc]
        )  # fmt: skip


def _zip_contents(
    archive: ZipDirectory, one: zipfile.ZipInfo, name: str, budget: ExtractionBudget, cancel: CancelToken
) -> Iterator[bytes]:
    try:
        with archive.open(one) as opened:
            while piece := opened.read(PIECE):
                cancel.check()
                budget.count_decoded(len(piece))
                yield piece
    except PARSER_ERRORS as error:
        raise damaged_error(name, _describe(error)) from error


def zip_entry_kind(one: zipfile.ZipInfo, mode: int) -> str:
    """FILE, DIRECTORY, or a description of anything else. `mode`: the Unix mode of its attributes."""
    if one.filename.endswith("/"):  # is_dir() fails on an empty name
        return DIRECTORY
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):  # directories end in a slash
        return "symbolic link" if stat.S_ISLNK(mode) else "device or other special file"
    if one.flag_bits & 0x2041:
        return "encrypted file"
    if one.compress_type not in _READABLE:
        return f"file compressed by method {one.compress_type}"
    return FILE


def _tar(
    raw: IO[bytes],
    kind: ArchiveKind,
    name: str,
    budget: ExtractionBudget,
    limits: ExtractionLimits,
    cancel: CancelToken,
) -> Iterator[ArchiveMember]:
    def on_read(count: int) -> None:
        cancel.check()
        budget.count_decoded(count)

    stream = ForwardReader(decode_stream(raw, kind, name), name, on_read)
    opened: Any = stream
    try:
        archive: Any = tarfile.TarFile(fileobj=opened, mode="r", errorlevel=2)
    except tarfile.ReadError as error:
        raise NotAnArchiveError(
            f"{name} is not a zip or tar archive: {_describe(error)}.", "Is it complete?"
        ) from error
    if archive.firstmember is None:  # nothing but an end mark
        stream.drain()
        return
    while (one := archive.next()) is not None:
        budget.count_entry()
        if one.size < 0 or len(archive.pax_headers) > _GLOBAL_HEADERS:
            raise damaged_error(name, "its headers are invalid")
        yield ArchiveMember(
            one.name, _tar_kind(one), one.size, bool(one.mode & 0o100),
            lambda one=one: _tar_contents(archive, one, stream, name),  # type: ignore[misc]
        )  # fmt: skip
        archive.members.clear()  # otherwise it keeps every header
    if not stream.ends_with_a_zero_block():  # tarfile treats an invalid header as the end
        raise damaged_error(name, "it is truncated, or one of its headers is invalid")
    stream.drain()


def _tar_contents(archive: tarfile.TarFile, one: tarfile.TarInfo, stream: ForwardReader, name: str) -> Iterator[bytes]:
    header_limit, stream.max_read = stream.max_read, max(stream.max_read, PIECE)
    try:
        opened = archive.extractfile(one)
        assert opened is not None, "only files have contents"
        read = 0
        while piece := opened.read(PIECE):
            read += len(piece)
            yield piece
    except PARSER_ERRORS as error:
        raise damaged_error(name, _describe(error)) from error
    finally:
        stream.max_read = header_limit
    if read != one.size:
        raise damaged_error(name, "it is truncated")


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


MEMBER_SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=60, keeps_end=True, get="name"),
        Column("size", Kind.BYTES, "Size", "B", get="size"),
        Column("kind", Kind.STATE, "Kind", get="kind"),
    ),
    key="number",
    key_get="number",
)
_MAX_SIZE = (1 << 63) - 1


class ListedMember(NamedTuple):
    """A row of `MEMBER_SCHEMA`; `number` counts from 0."""

    number: int
    name: str
    size: int
    kind: str


def list_members(
    archive: Path, *, limits: ExtractionLimits | None = None, cancel: CancelToken | None = None
) -> pl.DataFrame:
    """One row a member in the archive's order, in `MEMBER_SCHEMA`: its name as the archive spells it, its
    size in bytes as the archive states it, and what it is ("file", "directory", "symbolic link", ...).

    A compressed tar is read to its end for this. Raises the same errors as `extract`.
    """
    with read_members(archive, limits or ExtractionLimits(), cancel or CancelToken()) as (found, _):
        rows = [
            ListedMember(number, one.name.encode("utf-8", "replace").decode(), min(one.size, _MAX_SIZE), one.kind)
            for number, one in enumerate(found)
        ]
    return MEMBER_SCHEMA.build(rows)


def read_member(
    archive: Path,
    number: int,
    max_bytes: int,
    *,
    limits: ExtractionLimits | None = None,
    cancel: CancelToken | None = None,
) -> bytes:
    """The content of one file in an archive; `number` as in `list_members`.

    Raises `FileError` where there is no such file or it has more than `max_bytes`, and the same errors as `extract`.
    """
    with read_members(archive, limits or ExtractionLimits(), cancel or CancelToken()) as (found, _):
        for one in islice(found, number, number + 1):
            if one.kind != FILE:
                break
            content = bytearray()
            for piece in one.contents():
                content += piece
                if len(content) > max_bytes:
                    raise FileError(f"The member has more than {max_bytes:,} bytes.", "Download the archive instead.")
            return bytes(content)
    raise FileError(f"The archive has no file of number {number:,} any more.", "Refresh the list of its members.")
