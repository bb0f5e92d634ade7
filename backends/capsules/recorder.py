"""Records what servers answer while lists are read: the bodies in a directory that nobody else sees."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from backends.http.errors import HttpError, sanitize

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http.caching import CacheableRequest
    from backends.http.response import Response

DOWNLOADED = "*/*"  # the Accept of downloads
_TOO_MANY = 429
_SENTENCE = 1000  # characters


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
        self._numbers = count()
        self._entries: dict[str, tuple[Entry, Path | None]] = {}
        self._requested: dict[str, str] = {}  # by key: which URL it was, secrets included
        self._ambiguous: set[str] = set()  # keys of different URLs that are the same without their secrets
        self._directory = Path(tempfile.mkdtemp(prefix="ciexplore-capsule-"))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def entries(self) -> list[tuple[Entry, Path | None]]:
        """What was recorded, each with the file that has its body, in an order that does not depend on time."""
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
        path = self._new_file()
        path.write_bytes(response.body)
        fetched = self._clock() - response.freshness.age
        self.add(
            method, url, accept, request, private, response.status, response.headers, path, len(response.body),
            hashlib.sha256(response.body).hexdigest(), fetched=fetched,
        )  # fmt: skip

    def add(
        self, method: Any, url: str, accept: str, request: str, private: bool, status: int,
        headers: Mapping[str, str], path: Path, size: int, sha256: str, *, encoding: str = "",
        hops: tuple[Mapping[str, str], ...] = (), fetched: float | None = None,
    ) -> None:  # fmt: skip
        """Keeps one response, whose body is in the file `path`, which from now on belongs to the recorder."""
        requested, url = url, canonical_url(url)
        key = request_key(method, url, accept, request)
        kept = kept_headers(dict(headers))
        kept.pop("content-length", None)  # of a body that may have been decoded; `size` says it
        name = file_name(self.kind, key, url, headers.get("content-type", ""), encoding)
        self._put(
            Entry(
                self.kind, method, url, accept, status, format_time(self._clock() if fetched is None else fetched),
                name, size, sha256, encoding, kept, [kept_headers(dict(hop)) for hop in hops], request, private,
            ),
            path,
            requested,
        )  # fmt: skip

    def _put(self, entry: Entry, path: Path | None, requested: str) -> None:
        """Nothing is kept of requests that only secrets tell apart: one would get the other's response."""
        key = entry.key
        with self._lock:
            if self._requested.setdefault(key, without_version(requested)) != without_version(requested):
                self._ambiguous.add(key)
            if key in self._ambiguous or (entry.private and not self.include_private):
                before = entry, path
                if key in self._ambiguous:
                    self._entries.pop(key, None)
            else:
                before = self._entries.get(key, (entry, None))
                self._entries[key] = entry, path
        if before[1] is not None:
            before[1].unlink(missing_ok=True)

    def _count(self) -> None:
        with self._lock:
            self.requests += 1

    def _new_file(self) -> Path:
        with self._lock:
            return self._directory / str(next(self._numbers))


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
        path, digest, size = self._recorder._new_file(), hashlib.sha256(), 0
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for chunk in self._download.chunks():
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        one = self._download
        self._recorder.add(
            "GET", self._requested, DOWNLOADED, "", self._private, one.status, one.headers, path, size,
            digest.hexdigest(), encoding=one.encoding, hops=tuple(headers for _, headers in one.hops),
        )  # fmt: skip

    def __enter__(self) -> _RecordedDownload:
        self._download.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._download.__exit__(*details)
