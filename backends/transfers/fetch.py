"""One try to fetch one file into its part: what to request, and what the response means, whoever brings its bytes."""

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
    html_page_error,
    make_decoder,
    may_be_html_page,
    starts_like_html,
)
from backends.transfers.digests import DigestScope
from backends.transfers.output_directory import PARTS
from backends.transfers.states import DIGEST, LENGTH, NOTHING, FileTransfer, PendingFile

_READ = 1 << 20
# Bytes up to which a body is written and hashed in one piece. Each call that releases the interpreter lock must get it
# back: 2,000 x 100 KB cost 0.78 ms of CPU time each with one thread and 1.46 ms with four.
AT_ONCE = 256 << 10
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")


class ResponseHead(Protocol):
    """What is known of a response before its body; header names are lower-case. `hops`: (url, headers) of redirects."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def hops(self) -> tuple[tuple[str, Mapping[str, str]], ...]: ...
    @property
    def encoding(self) -> str: ...


class DownloadStream(ResponseHead, Protocol):
    """A response whose body is read in chunks."""

    def chunks(self) -> Iterator[bytes]: ...


class DownloaderProtocol(Protocol):
    """One connection, used by one thread (`backends.http.Downloader`)."""

    def open(
        self, url: str, *, offset: int = 0, if_range: str | None = None, cancel: CancelToken | None = None
    ) -> AbstractContextManager[DownloadStream]: ...


def fetch_file(
    item: FileTransfer, downloader: DownloaderProtocol, parts: int, check_pause: Callable[[], None], cancel: CancelToken
) -> PendingFile:
    """Fetches the file into its part in the directory `parts` (a descriptor), and keeps `item` up to date.

    `check_pause` is called between chunks and may wait. Raises what `Reception` raises and the downloader's errors.
    After any of them `item.etag` says whether the part can be resumed.
    """
    with Reception(item, parts, cancel, gathers=True) as reception:
        if (complete := reception.take_complete_part()) is not None:
            return complete
        while True:
            offset, condition = reception.next_request()
            try:
                with downloader.open(item.url, offset=offset, if_range=condition, cancel=cancel) as stream:
                    reception.begin(stream)
                    for chunk in stream.chunks():
                        reception.take(chunk)
                        check_pause()
                    return reception.finish()
            except Exception as error:
                if not reception.must_restart(error):
                    raise


class _RestartError(AppError):
    """The server does not have this range (any more): request the complete file."""


class Reception:
    """Takes responses to the requests of one try into the part. Used by one thread at a time.

    The order of calls: `take_complete_part`, then `next_request`, `begin`, `take` for each chunk, `finish`. After an
    exception in one of them, or of the connection, `must_restart` says whether to go on with `next_request`.
    They raise `HttpError` (with `retryable`), `OperationCancelledError` and OSError of the disk.
    """

    def __init__(self, item: FileTransfer, parts: int, cancel: CancelToken, *, gathers: bool) -> None:
        """`gathers`: small bodies are written in one piece when they are complete; otherwise each chunk at once."""
        self._gathers = gathers
        self._item = item
        self._cancel = cancel
        self._place = item.name
        self._empty = not (item.etag or item.sha256)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_TRUNC if self._empty else 0)
        try:
            self._part = os.open(item.part, flags, 0o666, dir_fd=parts)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise SymlinkError(Path(*PARTS, item.part)) from error
            raise
        self._offset = 0  # where the requested range begins
        self._pieces: list[bytes] = []  # not written yet

    def __enter__(self) -> Reception:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._part)

    def take_complete_part(self) -> PendingFile | None:
        """The part, if it is as the manifest says: a killed run had verified it already."""
        if not self._item.sha256:
            return None
        expected, self._item.sha256 = self._item.sha256, ""
        have = os.fstat(self._part).st_size
        content = hashlib.sha256()
        self._hash_part(have, [content])
        if content.hexdigest() != expected:
            return None
        self._item.bytes = self._item.size = have
        return self._make_pending(content.hexdigest())

    def next_request(self) -> tuple[int, str | None]:
        """From which byte on to request the file, and the condition for it (If-Range)."""
        item = self._item
        item.wire = self._offset = 0
        self._pieces = []
        if item.etag:
            have, size = os.fstat(self._part).st_size, item.expected
            # One byte less than all: servers return 416 for a range that begins at the end.
            self._offset = have if size is None or have < size else max(0, size - 1)
        return self._offset, item.etag if self._offset and item.etag.startswith('"') else None

    def must_restart(self, error: Exception) -> bool:
        """Whether the error only means that the server does not have the requested range: the whole file comes next."""
        is_refused = isinstance(error, HttpError) and error.status == 416
        if self._offset and (is_refused or isinstance(error, (_RestartError, UnexpectedResponseError))):
            self._item.etag = ""
            return True
        if isinstance(error, BadBodyError) and error.reason != "incomplete":
            self._item.etag = ""  # the part is wrong, not just incomplete
        return False

    def begin(self, head: ResponseHead) -> None:
        """Prepares the part for this body: where it begins, how long it must be, which digests it must have."""
        item, headers = self._item, head.headers
        self._decoder = make_decoder(head.encoding, self._place)
        is_encoded = self._decoder is not None
        offset = self._check_offset(head, encoded=is_encoded)
        length = self._length = parse_length(headers.get("content-length"))
        expected = self._expected = digests.expected_digests(
            headers, (hop for _, hop in head.hops), encoding=head.encoding.strip().lower() if is_encoded else "",
            partial=head.status == 206,
        )  # fmt: skip
        self._listed = None if _is_stored_size(item.expected, headers, encoded=is_encoded) else item.expected
        # Whether the response may be an HTML page instead of the file.
        self._page = not item.is_html and may_be_html_page(self._place, headers.get("content-type", ""))
        sizes = {size for size in (self._listed, expected.content_length) if size is not None}
        if not is_encoded and length is not None:
            sizes.add(offset + length)
        self._contradiction: BadBodyError | None = None
        if len(sizes) > 1:
            self._contradiction = self._wrong_length(max(sizes), min(sizes))
            if self._page:
                return  # the first chunk tells whether it is a page
            raise self._contradiction
        size = self._size = min(sizes, default=None)
        item.etag = "" if is_encoded else _content_version(headers)
        item.size = size
        self._content = {"sha256": digests.new_hash("sha256")}
        self._transfer: dict[str, digests.HashFunction] = {}
        if expected.digests:
            for name in expected.algorithms(DigestScope.CONTENT, encoded=is_encoded) - {"sha256"}:
                self._content[name] = digests.new_hash(name)
            for name in expected.algorithms(DigestScope.TRANSFER, encoded=True) if is_encoded else ():
                self._transfer[name] = digests.new_hash(name)
        if not self._empty:
            self._hash_part(offset, list(self._content.values()))
            os.lseek(self._part, offset, os.SEEK_SET)
            os.ftruncate(self._part, offset)
        self._empty = False
        item.bytes = self._have = offset
        is_small = self._gathers and not is_encoded and size is not None and size - offset <= AT_ONCE
        self._held = size if is_small and size is not None else 0  # bytes to have before anything is written

    def take(self, chunk: bytes) -> None:
        """The next bytes of the body, as received."""
        item = self._item
        item.wire += len(chunk)
        if self._contradiction is not None:
            raise html_page_error(self._place, chunk) if starts_like_html(chunk[:HEAD]) else self._contradiction
        if self._decoder is None:
            self._add(chunk)
            return
        for one in self._transfer.values():
            one.update(chunk)
        for piece in self._decoder.feed(chunk):
            self._add(piece)

    def finish(self) -> PendingFile:
        """The body is over: verifies the part."""
        if self._contradiction is not None:
            raise self._contradiction
        self._write()
        if self._decoder is not None:
            self._decoder.finish()
        item, size, length = self._item, self._size, self._length
        for promised in (length, self._expected.transfer_length):  # the client checks it too; this protects the name
            if promised is not None and item.wire != promised:
                raise BadBodyError(
                    f"{self._place} arrived with {item.wire:,} of {promised:,} bytes.",
                    reason="incomplete",
                    retryable=True,
                )
        if size is not None and item.bytes != size:
            raise self._wrong_length(item.bytes, size)
        return self._verify(has_length=size is not None or length is not None)

    def _verify(self, *, has_length: bool) -> PendingFile:
        """Verifies a body of the right length by its digests and its beginning."""
        verdict = self._expected.verdict(
            {name: one.digest() for name, one in self._content.items()},
            {name: one.digest() for name, one in self._transfer.items()},
        )
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
        is_confirmed = self._listed is not None or (
            verdict.confirmed is not None and verdict.confirmed.source.startswith("x-")
        )
        if self._page and not is_confirmed and starts_like_html(head := os.pread(self._part, HEAD, 0)):
            raise html_page_error(self._place, head)
        if verdict.confirmed is not None:
            checked_by = f"{DIGEST} {verdict.confirmed.algorithm}"
        else:
            checked_by = LENGTH if has_length else NOTHING
        doubts = ", ".join(f"{one.source} gives another {one.algorithm.upper()}" for one in verdict.doubts)
        note = f"Its {doubts} than it has." if doubts else ""
        return self._make_pending(self._content["sha256"].hexdigest(), checked_by, note)

    def _check_offset(self, head: ResponseHead, *, encoded: bool) -> int:
        """Where in the file this body begins. A 200 to a range request is the complete file, which has changed."""
        if head.status != 206:
            return 0
        found = _CONTENT_RANGE.match(head.headers.get("content-range", ""))
        same = head.headers.get("etag") is None or _content_version(head.headers) == self._item.etag
        right = found is not None and int(found[1]) == self._offset and not encoded and same
        if self._offset and right:
            return self._offset
        if self._offset:
            raise _RestartError("")
        raise BadBodyError(
            f"The server sent a part of {self._place} although all of it was requested.", reason="bad-range"
        )

    def _add(self, piece: bytes) -> None:
        self._have += len(piece)
        if self._size is not None and self._have > self._size:
            raise self._wrong_length(self._have, self._size)
        self._pieces.append(piece)
        if self._have >= self._held:
            self._write()

    def _write(self) -> None:
        if not self._pieces:
            return
        block = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        if os.write(self._part, block) != len(block):
            raise OSError(28, "short write")  # a full disk takes what still fits
        for one in self._content.values():
            one.update(block)
        self._item.bytes = self._have

    def _wrong_length(self, got: int, expected: int) -> BadBodyError:
        return BadBodyError(
            f"{self._place} has {got:,} bytes instead of {expected:,}.", reason="wrong-length", retryable=True
        )

    def _hash_part(self, count: int, hashes: list[digests.HashFunction]) -> None:
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
        return listed is not None and listed == parse_length(headers.get("content-length"))
    parameters = headers.get("content-type", "").lower().replace(" ", "").split(";")[1:]
    return any(one in ("charset=gzip", "charset=deflate", "charset=br", "charset=zstd") for one in parameters)


def parse_length(value: str | None) -> int | None:
    """A length in a header; None if there is none or it is no number."""
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 19 else None
