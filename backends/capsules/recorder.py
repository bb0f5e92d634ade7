"""Records what servers answer while lists are read: the bodies in a file without a name, gone with the process."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.atomic import disk_words
from backends.capsules.layout import (
    Entry,
    Kind,
    RecordedError,
    canonical_url,
    file_name,
    format_time,
    kept_headers,
    request_key,
    without_version,
)
from backends.errors import FileError
from backends.http.content_encoding import is_known
from backends.http.errors import HttpError, sanitize

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http.caching import CacheableRequest
    from backends.http.response import Response

DOWNLOADED = "*/*"  # the Accept of downloads
_TOO_MANY = 429
_SENTENCE = 1000  # characters


class RecordedBody:
    """A body, written by one thread at a time and then read. `size` in bytes."""

    def __init__(self, spool: BodySpool) -> None:
        self._spool = spool
        self._parts: list[tuple[int, int]] = []  # (offset, length) in the spool
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Raises `FileError` where the disk is full."""
        self._parts.append((self._spool.append(chunk), len(chunk)))
        self._digest.update(chunk)
        self.size += len(chunk)

    def pieces(self) -> Iterator[bytes]:
        for offset, length in self._parts:
            yield self._spool.read(offset, length)


class BodySpool:
    """One temporary file without a name for all bodies, which may grow at the same time. Thread-safe."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the recorder
        self._lock = threading.Lock()
        self._end = 0

    def append(self, chunk: bytes) -> int:
        """The offset at which the chunk is now."""
        with self._lock:
            start, self._end = self._end, self._end + len(chunk)
        written = 0
        try:
            while written < len(chunk):
                written += os.pwrite(self._file.fileno(), memoryview(chunk)[written:], start + written)
        except OSError as error:
            place = Path(tempfile.gettempdir())
            raise FileError(f"{place} cannot be written to: {disk_words(error, place)}.", "Free some space.") from error
        return start

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        self._file.close()


class Recorder:
    """An interceptor that lets every request through and keeps what came. Thread-safe; use it in a `with`.

    `include_private`: keep also what was requested with credentials. Of two responses to the same request the later
    one is kept. `kind` is what the next ones are.
    """

    def __init__(self, *, include_private: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.include_private = include_private
        self.kind: Kind = "response"
        self.now = float(int(clock()))
        self.requests = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[Entry, RecordedBody | None]] = {}
        self._requested: dict[str, str] = {}  # by key: which URL it was, secrets included
        self._ambiguous: set[str] = set()  # keys of different URLs that are the same without their secrets
        self._spool = BodySpool()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    @property
    def entries(self) -> list[tuple[Entry, RecordedBody | None]]:
        """What was recorded, each with its body, in an order that does not depend on time."""
        with self._lock:
            return sorted(self._entries.values(), key=lambda pair: (pair[0].file or "~", pair[0].url, pair[0].key))

    # ---- as an interceptor -----------------------------------------------------------------------------------

    def get(self, asked: CacheableRequest, private: bool, send: Callable[[], Response]) -> Response:
        with self._refusals("GET", str(asked.url), asked.accept, "", private):
            response = send()
        self._add_response("GET", str(asked.url), asked.accept, "", private, response)
        return response

    def post(self, url: str, content: bytes, accept: str, private: bool, send: Callable[[], Response]) -> Response:
        digest = hashlib.sha256(content).hexdigest()
        with self._refusals("POST", url, accept, digest, private):
            response = send()
        self._add_response("POST", url, accept, digest, private, response)
        return response

    def open(
        self, url: str, offset: int, private: bool, cancel: CancelToken | None,
        send: Callable[[], AbstractContextManager[Any]],
    ) -> AbstractContextManager[Any]:  # fmt: skip
        if offset:  # a part of it
            self._count()
            return send()
        with self._refusals("GET", url, DOWNLOADED, "", private):
            download = send()
        return _RecordedDownload(self, url, private, download)

    # ---- keeping ---------------------------------------------------------------------------------------------

    @contextmanager
    def _refusals(self, method: Any, url: str, accept: str, request: str, private: bool) -> Iterator[None]:
        self._count()
        try:
            yield
        except HttpError as error:
            if error.status is not None and 400 <= error.status < 500 and error.status != _TOO_MANY:
                worded = RecordedError(sanitize(error.sentence, _SENTENCE), sanitize(error.hint, _SENTENCE))
                entry = Entry(
                    self.kind, method, canonical_url(url), accept, error.status, format_time(self._clock()),
                    request=request, private=private, error=worded,
                )  # fmt: skip
                self._put(entry, None, url)
            raise

    def _add_response(
        self, method: Any, url: str, accept: str, request: str, private: bool, response: Response
    ) -> None:
        body = self.new_body()
        body.write(response.body)
        fetched = self._clock() - response.freshness.age
        self.add(
            method, url, accept, request, private, response.status, response.headers, body, fetched=fetched
        )  # fmt: skip

    def add(
        self, method: Any, url: str, accept: str, request: str, private: bool, status: int,
        headers: Mapping[str, str], body: RecordedBody, *, encoding: str = "",
        hops: tuple[Mapping[str, str], ...] = (), fetched: float | None = None,
    ) -> None:  # fmt: skip
        """Keeps one response, whose body is complete."""
        requested, url = url, canonical_url(url)
        key = request_key(method, url, accept, request)
        kept = kept_headers(dict(headers))
        kept.pop("content-length", None)  # of a body that may have been decoded; `size` says it
        name = file_name(self.kind, key, url, headers.get("content-type", ""), encoding)
        self._put(
            Entry(
                self.kind, method, url, accept, status, format_time(self._clock() if fetched is None else fetched),
                name, body.size, body.sha256, encoding, kept, [kept_headers(dict(hop)) for hop in hops],
                request, private,
            ),
            body,
            requested,
        )  # fmt: skip

    def _put(self, entry: Entry, body: RecordedBody | None, requested: str) -> None:
        """Nothing is kept of requests that only secrets tell apart: one would get the other's response."""
        key = entry.key
        with self._lock:
            if self._requested.setdefault(key, without_version(requested)) != without_version(requested):
                self._ambiguous.add(key)
            if key in self._ambiguous:
                self._entries.pop(key, None)
            elif self.include_private or not entry.private:
                known = self._entries.get(key)
                if known is None or not entry.file or known[0].sha256 != entry.sha256:  # else a log stays one
                    self._entries[key] = entry, body

    def _count(self) -> None:
        with self._lock:
            self.requests += 1

    def new_body(self) -> RecordedBody:
        return RecordedBody(self._spool)


class _RecordedDownload:
    """As `backends.http.downloads.Download`; recorded when it was read to its end."""

    def __init__(self, recorder: Recorder, url: str, private: bool, download: Any) -> None:
        self._recorder = recorder
        self._requested = url
        self._private = private
        self._download = download

    def __getattr__(self, name: str) -> Any:
        return getattr(self._download, name)

    def chunks(self) -> Iterator[bytes]:
        body = self._recorder.new_body()
        for chunk in self._download.chunks():
            body.write(chunk)
            yield chunk
        one = self._download
        if not is_known(one.encoding):  # a capsule with it would be refused
            return
        self._recorder.add(
            "GET", self._requested, DOWNLOADED, "", self._private, one.status, one.headers, body,
            encoding=one.encoding, hops=tuple(headers for _, headers in one.hops),
        )  # fmt: skip

    def __enter__(self) -> _RecordedDownload:
        self._download.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._download.__exit__(*details)
