"""One try to fetch one file into its part: requested, written, hashed, verified."""

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
# Bytes up to which a body is written and hashed in one piece. Each call that releases the interpreter lock must get it
# back: 2,000 x 100 KB cost 0.78 ms of CPU time each with one worker and 1.46 ms with four.
AT_ONCE = 256 << 10
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")


class DownloadStream(Protocol):
    """A response whose body is read in chunks; header names are lower-case."""

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
    """One connection, used by one thread (`backends.http.Downloader`)."""

    def open(
        self, url: str, *, offset: int = 0, if_range: str | None = None, cancel: CancelToken | None = None
    ) -> AbstractContextManager[DownloadStream]: ...


class FetchRequest(Protocol):
    """A file to fetch and its progress: a `FileTransfer`, or a `FetchJob` in a worker process.

    `expected`: bytes of content according to the listing. `is_html`: whether the file is meant to be HTML.
    """

    key: str
    url: str
    name: str
    part: str
    expected: int | None
    is_html: bool
    tries: int
    bytes: int
    wire: int
    size: int | None
    etag: str
    sha256: str


def fetch_file(
    item: FetchRequest, downloader: DownloaderProtocol, parts: int, check_pause: Callable[[], None], cancel: CancelToken
) -> PendingFile:
    """Fetches the file into its part in the directory `parts` (a descriptor), and keeps `item` up to date.

    `check_pause` is called between chunks and may wait. Raises `HttpError` (with `retryable`),
    `OperationCancelledError`, OSError of the disk. After any of them `item.etag` says whether the part can be resumed.
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
        attempt = _Attempt(item, descriptor, check_pause, cancel, empty=bool(fresh))
        if item.sha256 and (complete := attempt.take_complete_part()):
            return complete
        try:
            return attempt.run(downloader)
        except _RestartError:
            item.etag = ""
            return attempt.run(downloader)
    except BadBodyError as error:
        if error.reason != "incomplete":
            item.etag = ""  # the part is wrong, not just incomplete
        raise
    finally:
        os.close(descriptor)


class _RestartError(AppError):
    """The server does not have this range (any more): request the complete file."""


class _Attempt:
    def __init__(
        self, item: FetchRequest, descriptor: int, check_pause: Callable[[], None], cancel: CancelToken, *, empty: bool
    ) -> None:
        self._item = item
        self._empty = empty
        self._part = descriptor
        self._check_pause = check_pause
        self._cancel = cancel
        self._place = item.name
        self._page = False  # whether the response may be an HTML page instead of the file

    def take_complete_part(self) -> PendingFile | None:
        """The part, if it is as the manifest says: a killed run had verified it already."""
        expected, self._item.sha256 = self._item.sha256, ""
        have = os.fstat(self._part).st_size
        content = hashlib.sha256()
        self._read_part(have, [content])
        if content.hexdigest() != expected:
            return None
        self._item.bytes = self._item.size = have
        return self._make_pending(content.hexdigest())

    def run(self, downloader: DownloaderProtocol) -> PendingFile:
        item = self._item
        item.wire = 0
        offset = self._resume_from()
        condition = item.etag if offset and item.etag.startswith('"') else None
        try:
            with downloader.open(item.url, offset=offset, if_range=condition, cancel=self._cancel) as stream:
                return self._receive(stream, offset)
        except HttpError as error:
            # Not satisfiable, or another range than requested.
            if offset and (error.status == 416 or isinstance(error, UnexpectedResponseError)):
                raise _RestartError("") from error
            raise

    def _resume_from(self) -> int:
        if not self._item.etag:
            return 0
        have, size = os.fstat(self._part).st_size, self._item.expected
        # One byte less than all: servers return 416 for a range that begins at the end.
        return have if size is None or have < size else max(0, size - 1)

    def _receive(self, stream: DownloadStream, requested: int) -> PendingFile:
        item, headers = self._item, stream.headers
        undo = make_decoder(stream.encoding, self._place)
        encoding = "" if undo is None else stream.encoding.strip().lower()
        offset = self._offset(stream, requested, encoded=undo is not None)
        length = _number(headers.get("content-length"))
        expected = digests.expected_digests(
            headers, (hop for _, hop in stream.hops), encoding=encoding, partial=stream.status == 206
        )
        listed = None if _is_stored_size(item.expected, headers, encoded=undo is not None) else item.expected
        self._page = not item.is_html and may_be_html_page(self._place, headers.get("content-type", ""))
        sizes = {size for size in (listed, expected.content_length) if size is not None}
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
            n: digests.new_hash(n) for n in {"sha256", *expected.algorithms(DigestScope.CONTENT, encoded=encoded)}
        }
        transfer = {
            n: digests.new_hash(n) for n in expected.algorithms(DigestScope.TRANSFER, encoded=encoded) if encoded
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
        self._check_lengths(length, size, expected.transfer_length)
        verdict = expected.verdict(
            {name: one.digest() for name, one in content.items()},
            {name: one.digest() for name, one in transfer.items()},
        )
        has_length = size is not None or length is not None
        digest = content["sha256"].hexdigest()
        return self._verify(verdict, is_listed=listed is not None, has_length=has_length, sha256=digest)

    def _verify(self, verdict: digests.DigestVerdict, *, is_listed: bool, has_length: bool, sha256: str) -> PendingFile:
        """Verifies a body of the right length by its digests and its beginning."""
        mismatch = verdict.mismatch
        if mismatch is None and verdict.confirmed is None and not has_length:
            mismatch = next((doubt for doubt in verdict.doubts if doubt.source != "ETag"), None)
        if mismatch is not None:
            raise BadBodyError(
                f"{self._place} does not have the {mismatch.algorithm.upper()} given by {mismatch.source}.",
                reason="wrong-digest",
                retryable=True,
            )
        # If the listing or the store confirms it, it is the file, even if it looks like a page.
        is_confirmed = is_listed or (verdict.confirmed and verdict.confirmed.source.startswith("x-"))
        if self._page and not is_confirmed and starts_like_html(head := os.pread(self._part, HEAD, 0)):
            raise html_page_error(self._place, head)
        if verdict.confirmed is not None:
            checked_by = f"{DIGEST} {verdict.confirmed.algorithm}"
        else:
            checked_by = LENGTH if has_length else NOTHING
        doubts = ", ".join(f"{one.source} gives another {one.algorithm.upper()}" for one in verdict.doubts)
        return self._make_pending(sha256, checked_by, f"Its {doubts} than it has." if doubts else "")

    def _offset(self, stream: DownloadStream, requested: int, *, encoded: bool) -> int:
        """Where in the file this body begins. A 200 to a range request is the complete file, which has changed."""
        if stream.status != 206:
            return 0
        found = _CONTENT_RANGE.match(stream.headers.get("content-range", ""))
        same = stream.headers.get("etag") is None or _content_version(stream.headers) == self._item.etag
        right = found is not None and int(found[1]) == requested and not encoded and same
        if requested and right:
            return requested
        if requested:
            raise _RestartError("")
        raise BadBodyError(
            f"The server sent a part of {self._place} although all of it was requested.", reason="bad-range"
        )

    def _write_plain(self, stream: DownloadStream, hashes: list[digests.HashFunction], size: int | None) -> None:
        """The hot loop: with 64 KB chunks, 16,000 rounds a second at 1 GB/s."""
        item, part, check_pause, write = self._item, self._part, self._check_pause, os.write
        have = item.bytes
        for chunk in stream.chunks():
            count = len(chunk)
            have += count
            if size is not None and have > size:
                raise self._wrong_length(have, size)
            if write(part, chunk) != count:
                raise OSError(28, "short write")  # a full disk takes what still fits
            for one in hashes:
                one.update(chunk)
            item.bytes = have
            item.wire += count
            check_pause()

    def _write_at_once(self, stream: DownloadStream, hashes: list[digests.HashFunction], size: int) -> None:
        item, pieces, have = self._item, [], self._item.bytes
        for chunk in stream.chunks():
            have += len(chunk)
            if have > size:
                raise self._wrong_length(have, size)
            pieces.append(chunk)
            item.wire += len(chunk)
            self._check_pause()
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
            self._check_pause()
        undo.finish()

    def _check_lengths(self, length: int | None, size: int | None, transfer_length: int | None) -> None:
        """The client checks Content-Length too; this check protects the final name."""
        item = self._item
        for expected in (length, transfer_length):
            if expected is not None and item.wire != expected:
                raise BadBodyError(
                    f"{self._place} arrived with {item.wire:,} of {expected:,} bytes.",
                    reason="incomplete",
                    retryable=True,
                )
        if size is not None and item.bytes != size:
            raise self._wrong_length(item.bytes, size)

    def _wrong_length(self, got: int, expected: int) -> BadBodyError:
        return BadBodyError(
            f"{self._place} has {got:,} bytes instead of {expected:,}.", reason="wrong-length", retryable=True
        )

    def _read_part(self, count: int, hashes: list[digests.HashFunction]) -> None:
        """Hashes the first `count` bytes of the part."""
        at = 0
        while at < count:
            self._cancel.check()
            piece = os.pread(self._part, min(_READ, count - at), at)
            if not piece:
                raise _RestartError("")
            for one in hashes:
                one.update(piece)
            at += len(piece)

    def _make_pending(self, sha256: str, checked_by: str = "", note: str = "") -> PendingFile:
        item, found = self._item, os.fstat(self._part)
        return PendingFile(item.key, found.st_size, item.wire, sha256, found.st_mtime_ns, item.tries, checked_by, note)


def _content_version(headers: Mapping[str, str]) -> str:
    """Identifies this content among all versions at its URL: a strong ETag, or the generation that Google's JSON API
    gives instead. The latter cannot be used as a condition, but the response tells its generation.
    """
    etag, generation = headers.get("etag", ""), headers.get("x-goog-generation", "")
    if etag.startswith('"'):
        return etag
    return f"generation {generation}" if generation.isascii() and generation.isdigit() else ""


def _is_stored_size(listed: int | None, headers: Mapping[str, str], *, encoded: bool) -> bool:
    """Whether the listing gave the size of the compressed bytes, which says nothing about the content.

    It did if the response is compressed and exactly as long. gcsweb decodes compressed objects and sends them without
    a length, with the stored encoding as a charset ("text/plain; charset=utf-8; charset=gzip").
    """
    if encoded:
        return listed is not None and listed == _number(headers.get("content-length"))
    parameters = headers.get("content-type", "").lower().replace(" ", "").split(";")[1:]
    return any(one in ("charset=gzip", "charset=deflate", "charset=br", "charset=zstd") for one in parameters)


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 19 else None
