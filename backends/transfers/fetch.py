"""One try to bring one file into its part: asked for, written, hashed, checked against all that was promised."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from backends.atomic import SymlinkError
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import HttpError, UnexpectedResponseError
from backends.transfers import digests
from backends.transfers.bodies import (
    HEAD,
    BadBodyError,
    BodyDecoder,
    html_page_error,
    make_decoder,
    may_be_html_page,
    starts_like_html,
)
from backends.transfers.digests import DigestScope
from backends.transfers.output_directory import PARTS
from backends.transfers.states import DIGEST, LENGTH, NOTHING, PendingFile

_READ = 1 << 20
# Bytes up to which a body is written and hashed in one piece. Each call that lets go of the interpreter has to fight
# for it again: 2,000 x 100 KB cost 0.78 ms of CPU each with one worker and 1.46 with four.
AT_ONCE = 256 << 10
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")


class DownloadStream(Protocol):
    """An answer whose body is still on the wire; header names are lower-case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def hops(self) -> tuple[tuple[str, Mapping[str, str]], ...]: ...
    @property
    def encoding(self) -> str: ...
    def chunks(self) -> Iterator[bytes]: ...


class DownloaderProtocol(Protocol):
    """What a worker gets its files through: one connection, used by one thread (backends.http.Downloader)."""

    def open(
        self, url: str, *, offset: int = 0, if_range: str | None = None, cancel: CancelToken | None = None
    ) -> AbstractContextManager[DownloadStream]: ...


class FetchRequest(Protocol):
    """One file and how far it is: an `Item`, or what a worker process knows of one."""

    bytes: int
    wire: int
    size: int | None
    etag: str
    sha256: str

    @property
    def key(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def part(self) -> str: ...
    @property
    def expected(self) -> int | None:
        """Bytes of content that the listing promised."""
        ...

    @property
    def tries(self) -> int: ...
    @property
    def is_html(self) -> bool:
        """Whether an HTML page is what is wanted."""
        ...


def fetch_file(
    item: FetchRequest, downloader: DownloaderProtocol, parts: int, hold: Callable[[], None], cancel: CancelToken
) -> PendingFile:
    """Brings the file into its part below the directory `parts` (a descriptor).

    Keeps `item` up to date while it does. `hold` is called between chunks: it may wait. Raises `HttpError`s (with
    `retryable`), `OperationCancelledError`, OSError of the disk. After any of them `item.etag` says whether the part
    can be resumed.
    """
    fresh = 0 if item.etag or item.sha256 else os.O_TRUNC
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | fresh
    try:
        descriptor = os.open(item.part, flags, 0o666, dir_fd=parts)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SymlinkError(Path(*PARTS, item.part)) from error
        raise
    try:
        attempt = _Attempt(item, descriptor, hold, cancel, empty=bool(fresh))
        if item.sha256 and (whole := attempt.take_whole()):
            return whole
        try:
            return attempt.run(downloader)
        except _RestartError:
            item.etag = ""
            return attempt.run(downloader)
    except BadBodyError as problem:
        if problem.reason != "incomplete":
            item.etag = ""  # what is there is not worth adding to
        raise
    finally:
        os.close(descriptor)


class _RestartError(AppError):
    """The server has no such range (any more): ask for the whole."""


class _Attempt:
    def __init__(
        self, item: FetchRequest, descriptor: int, hold: Callable[[], None], cancel: CancelToken, *, empty: bool
    ) -> None:
        self._item = item
        self._empty = empty
        self._part = descriptor
        self._hold = hold
        self._cancel = cancel
        self._place = item.name
        self._page = False  # whether the response may be a page about the file

    def take_whole(self) -> PendingFile | None:
        """The part as it is, if it is what the manifest says: a killed run had checked it already."""
        expected, self._item.sha256 = self._item.sha256, ""
        have = os.fstat(self._part).st_size
        content = hashlib.sha256()
        self._read_part(have, [content])
        if content.hexdigest() != expected:
            return None
        self._item.bytes = self._item.size = have
        return self._stored(content.hexdigest())

    def run(self, downloader: DownloaderProtocol) -> PendingFile:
        item = self._item
        item.wire = 0
        offset = self._resume_from()
        condition = item.etag if offset and item.etag.startswith('"') else None
        try:
            with downloader.open(item.url, offset=offset, if_range=condition, cancel=self._cancel) as stream:
                return self._receive(stream, offset)
        except HttpError as problem:
            if offset and (
                problem.status == 416 or isinstance(problem, UnexpectedResponseError)
            ):  # another piece than asked for
                raise _RestartError("") from problem
            raise

    def _resume_from(self) -> int:
        if not self._item.etag:
            return 0
        have, size = os.fstat(self._part).st_size, self._item.expected
        # One byte less than all: a server answers 416 to a range that begins at the end.
        return have if size is None or have < size else max(0, size - 1)

    def _receive(self, stream: DownloadStream, asked: int) -> PendingFile:
        item, headers = self._item, stream.headers
        undo = make_decoder(stream.encoding, self._place)
        encoding = "" if undo is None else stream.encoding.strip().lower()
        offset = self._offset(stream, asked, encoded=undo is not None)
        length = _number(headers.get("content-length"))
        promised = digests.expected_digests(
            headers, (hop for _, hop in stream.hops), encoding=encoding, partial=stream.status == 206
        )
        listed = None if _is_stored_size(item.expected, headers, encoded=undo is not None) else item.expected
        self._page = not item.is_html and may_be_html_page(self._place, headers.get("content-type", ""))
        sizes = {size for size in (listed, promised.content_length) if size is not None}
        if undo is None and length is not None:
            sizes.add(offset + length)
        if len(sizes) > 1:
            if self._page and (head := next(iter(stream.chunks()), b"")) and starts_like_html(head):
                raise html_page_error(self._place, head)
            raise self._wrong_length(max(sizes), min(sizes))
        size = min(sizes, default=None)
        item.etag = _content_version(headers) if undo is None else ""
        item.size = size
        encoded = undo is not None
        content = {
            n: digests.new_hash(n) for n in {"sha256", *promised.algorithms(DigestScope.CONTENT, encoded=encoded)}
        }
        transfer = {
            n: digests.new_hash(n) for n in promised.algorithms(DigestScope.TRANSFER, encoded=encoded) if encoded
        }
        if not self._empty:
            self._read_part(offset, list(content.values()))
            os.lseek(self._part, offset, os.SEEK_SET)
            os.ftruncate(self._part, offset)
        self._empty = False
        item.bytes = offset
        if undo is None and size is not None and size - offset <= AT_ONCE:
            self._write_at_once(stream, list(content.values()), size)
        elif undo is None:
            self._write_plain(stream, list(content.values()), size)
        else:
            self._write_decoded(stream, undo, list(content.values()), list(transfer.values()), size)
        self._check_lengths(length, size, promised.transfer_length)
        verdict = promised.verdict(
            {name: one.digest() for name, one in content.items()},
            {name: one.digest() for name, one in transfer.items()},
        )
        has_length = size is not None or length is not None
        digest = content["sha256"].hexdigest()
        return self._checked(verdict, is_listed=listed is not None, has_length=has_length, sha256=digest)

    def _checked(
        self, verdict: digests.DigestVerdict, *, is_listed: bool, has_length: bool, sha256: str
    ) -> PendingFile:
        """The body is complete as far as its lengths say; what its digests and its beginning say."""
        broken = verdict.broken
        if broken is None and verdict.kept is None and not has_length:
            broken = next((doubt for doubt in verdict.doubts if doubt.source != "ETag"), None)
        if broken is not None:
            raise BadBodyError(
                f"{self._place} does not have the {broken.algorithm.upper()} that {broken.source} promised.",
                reason="wrong-digest",
                retryable=True,
            )
        # What the listing or the store itself confirms is the file, whatever it looks like.
        is_confirmed = is_listed or (verdict.kept and verdict.kept.source.startswith("x-"))
        if self._page and not is_confirmed and starts_like_html(head := os.pread(self._part, HEAD, 0)):
            raise html_page_error(self._place, head)
        if verdict.kept is not None:
            checked_by = f"{DIGEST} {verdict.kept.algorithm}"
        else:
            checked_by = LENGTH if has_length else NOTHING
        doubts = ", ".join(f"{one.source} names another {one.algorithm.upper()}" for one in verdict.doubts)
        return self._stored(sha256, checked_by, f"Its {doubts} than it has." if doubts else "")

    def _offset(self, stream: DownloadStream, asked: int, *, encoded: bool) -> int:
        """Where in the file this body begins. A 200 to a range request is the whole file: it has changed."""
        if stream.status != 206:
            return 0
        found = _CONTENT_RANGE.match(stream.headers.get("content-range", ""))
        same = stream.headers.get("etag") is None or _content_version(stream.headers) == self._item.etag
        right = found is not None and int(found[1]) == asked and not encoded and same
        if asked and right:
            return asked
        if asked:
            raise _RestartError("")
        raise BadBodyError(f"The server sent a piece of {self._place} where all was asked for.", reason="bad-range")

    def _write_plain(self, stream: DownloadStream, hashes: list[digests.HashFunction], size: int | None) -> None:
        """The hot loop: 64 KB chunks, so 16,000 rounds a second at 1 GB/s."""
        item, part, hold, write = self._item, self._part, self._hold, os.write
        have = item.bytes
        for chunk in stream.chunks():
            count = len(chunk)
            have += count
            if size is not None and have > size:
                raise self._wrong_length(have, size)
            if write(part, chunk) != count:
                raise OSError(28, "short write")  # a disk that fills up writes what still fits
            for one in hashes:
                one.update(chunk)
            item.bytes = have
            item.wire += count
            hold()

    def _write_at_once(self, stream: DownloadStream, hashes: list[digests.HashFunction], size: int) -> None:
        item, pieces, have = self._item, [], self._item.bytes
        for chunk in stream.chunks():
            have += len(chunk)
            if have > size:
                raise self._wrong_length(have, size)
            pieces.append(chunk)
            item.wire += len(chunk)
            self._hold()
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if os.write(self._part, body) != len(body):
            raise OSError(28, "short write")
        for one in hashes:
            one.update(body)
        item.bytes = have

    def _write_decoded(
        self,
        stream: DownloadStream,
        undo: BodyDecoder,
        content: list[digests.HashFunction],
        transfer: list[digests.HashFunction],
        size: int | None,
    ) -> None:
        item = self._item
        for chunk in stream.chunks():
            item.wire += len(chunk)
            for one in transfer:
                one.update(chunk)
            for piece in undo.feed(chunk):
                item.bytes += len(piece)
                if size is not None and item.bytes > size:
                    raise self._wrong_length(item.bytes, size)
                if os.write(self._part, piece) != len(piece):
                    raise OSError(28, "short write")
                for one in content:
                    one.update(piece)
            self._hold()
        undo.finish()

    def _check_lengths(self, length: int | None, size: int | None, transfer_length: int | None) -> None:
        """The client checks Content-Length too; here it stands between a short body and a final name."""
        item = self._item
        for expected in (length, transfer_length):
            if expected is not None and item.wire != expected:
                raise BadBodyError(
                    f"{self._place} came with {item.wire:,} of {expected:,} bytes.", reason="incomplete", retryable=True
                )
        if size is not None and item.bytes != size:
            raise self._wrong_length(item.bytes, size)

    def _wrong_length(self, got: int, wanted: int) -> BadBodyError:
        return BadBodyError(
            f"{self._place} has {got:,} bytes where {wanted:,} were promised.", reason="wrong-length", retryable=True
        )

    def _read_part(self, count: int, hashes: list[digests.HashFunction]) -> None:
        """Hashes the bytes that are there already."""
        at = 0
        while at < count:
            self._cancel.check()
            piece = os.pread(self._part, min(_READ, count - at), at)
            if not piece:
                raise _RestartError("")
            for one in hashes:
                one.update(piece)
            at += len(piece)

    def _stored(self, sha256: str, checked_by: str = "", note: str = "") -> PendingFile:
        item, found = self._item, os.fstat(self._part)
        return PendingFile(item.key, found.st_size, item.wire, sha256, found.st_mtime_ns, item.tries, checked_by, note)


def _content_version(headers: Mapping[str, str]) -> str:
    """What tells this content from any other at its address: a strong ETag, or the generation that Google's JSON API
    gives instead; no server can be asked on condition of the latter, but its answer says which one it is of."""
    etag, generation = headers.get("etag", ""), headers.get("x-goog-generation", "")
    if etag.startswith('"'):
        return etag
    return f"generation {generation}" if generation.isascii() and generation.isdigit() else ""


def _is_stored_size(listed: int | None, headers: Mapping[str, str], *, encoded: bool) -> bool:
    """Whether the listing told the size of compressed bytes, which then promises nothing of the content.

    It did if the answer is compressed and exactly as long. And gcsweb serves what is stored compressed decoded, with
    the stored encoding as the charset of its type ("text/plain; charset=utf-8; charset=gzip") and no length at all.
    """
    if encoded:
        return listed is not None and listed == _number(headers.get("content-length"))
    parameters = headers.get("content-type", "").lower().replace(" ", "").split(";")[1:]
    return any(one in ("charset=gzip", "charset=deflate", "charset=br", "charset=zstd") for one in parameters)


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 19 else None
