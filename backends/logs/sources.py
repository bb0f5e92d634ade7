"""Where the bytes of a log come from: a file, HTTP, a log that still grows, the cache."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError
from backends.http.content_encoding import EncodingError, TruncatedEncodingError, decode
from backends.http.policies import Mode
from backends.logs import ansi, timestamps

if TYPE_CHECKING:
    from backends.http import Downloader, Http
    from backends.logs.spool import Source

_PIECE = 256 << 10
_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_ATTEMPTS = 5  # in a row that brought nothing new

# Of a log that still grows, in seconds: the longest wait for its first bytes and for more, and how long may come
# quickly what has no date; then the bytes in such a time that are no more than somebody writes.
FIRST, SILENCE, LONGEST = 15.0, 2.0, 60.0
TRICKLE = 64 << 10


def from_bytes(*chunks: bytes) -> Source:
    """These bytes, in these pieces, as they are."""
    return lambda _cancel: iter(chunks)


def from_path(path: Path) -> Source:
    """A local file, decompressed if its first bytes say so."""

    def read(cancel: CancelToken) -> Iterator[bytes]:
        try:
            with path.open("rb", buffering=0) as stream:
                yield from decompress(_read_pieces(stream.read, cancel))
        except OSError as problem:
            said = disk_words(problem)
            raise FileError(f"{path} cannot be read: {said}.", "Check its name and permissions.") from problem

    return read


def from_http(downloader: Callable[[], Downloader], url: str, *, live: bool = False) -> Source:
    """A log on a server; `downloader` makes the connection, such as `http.downloader`.

    A connection that breaks is opened again from the start and what was there already is passed over: a range of a
    compressed answer would be of no use. `live`: the answer is held open while the task runs, and silence is not an
    error; once the task has ended, the same URL leads to the finished log, which begins with the same bytes.
    """
    from backends.http.backoff import backoff_delays, is_too_long, with_retry_after
    from backends.http.errors import HttpError

    def read(cancel: CancelToken) -> Iterator[bytes]:
        done, failures, pauses = 0, 0, backoff_delays()
        while True:
            before = done
            try:
                for chunk in _skip_bytes(_body(downloader, url, cancel, live), done):
                    done += len(chunk)
                    yield chunk
                return
            except HttpError as problem:
                failures = 1 if done > before else failures + 1
                quiet = live and done > 0 and problem.reason == "timeout"
                if not quiet and (not problem.retryable or failures >= _ATTEMPTS or is_too_long(problem.retry_after)):
                    raise
                if done > before:
                    pauses = backoff_delays()
                cancel.sleep(with_retry_after(next(pauses), problem.retry_after))

    return read


class UntilNow:
    """A log that still grows, as far as it was written when it was asked for. `early`: it goes on, as far as is known.

    The server replays what there is and then holds the connection open; nothing marks where the one ends and the
    other begins. What was written before comes as fast as the network can, and its lines are dated before the
    question: so it ends at a silence, where little comes and what comes is not of the past, or at a line of later.
    """

    def __init__(
        self, source: Source, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._source, self._monotonic, self._wall = source, monotonic, wall
        self.early = False

    def chunks(self, cancel: CancelToken) -> Iterator[bytes]:
        """Raises `OperationCancelledError` when `cancel` is pulled, and the `AppError`s of the source."""
        own = CancelToken()
        forget = cancel.on_cancel(own.cancel)
        silence = _Silence(own)
        pace = _PollInterval(self._monotonic, self._wall)
        silence.wait(FIRST)
        try:
            for chunk in self._source(own):
                silence.end()
                yield chunk
                if pace.is_written_now(chunk):
                    self.early = True
                    return
                silence.wait(SILENCE)
        except OperationCancelledError:
            cancel.check()
            self.early = True
        finally:
            silence.end()
            forget()
            own.cancel()


class _PollInterval:
    """Tells what was written before from what is written now, by how much comes and by the dates of its lines."""

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic, self._asked = monotonic, wall()
        self._begun: float | None = None
        self._window, self._size = 0.0, 0
        self._dated: float | None = None  # of the latest line with a date, and of the one when the window began
        self._dated_before: float | None = None

    def is_written_now(self, chunk: bytes) -> bool:
        now = self._monotonic()
        if self._begun is None:
            self._begun = self._window = now
        self._size += len(chunk)
        dated = _last_date(chunk)
        self._dated = self._dated if dated is None else dated
        if self._dated_before is None:
            self._dated_before = self._dated
        passed = now - self._window
        if passed < SILENCE:
            return False
        later = self._dated is not None and self._dated > self._asked
        # A worker whose clock is slow dates what it writes now before the question too, but one second a second.
        of_the_past = (
            self._dated is not None
            and self._dated_before is not None
            and self._dated - self._dated_before > 1.5 * passed
        )
        slow, long = self._size < TRICKLE, now - self._begun >= LONGEST
        self._window, self._size, self._dated_before = now, 0, self._dated
        return later or ((slow or long) and not of_the_past)


def _last_date(chunk: bytes) -> float | None:
    """When the last of the chunk's lines that says so was written, in seconds since 1970."""
    for line in reversed(chunk[-4096:].splitlines()):
        found = timestamps.parse_timestamp(ansi.strip(ansi.decode_line(line)))
        if found is not None and found.scale == "date":
            return found.seconds
    return None


class _Silence:
    """Pulls the token when `end` does not follow `wait` in time."""

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel
        self._timer: threading.Timer | None = None

    def wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cancel.cancel)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes, or what they are the gzip or zstd of. Raises `AppError` where they are damaged or cut short."""
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= len(_ZSTD):
            break
    rest = chain([head] if head else [], stream)
    encoding = "gzip" if head.startswith(_GZIP) else "zstd" if head.startswith(_ZSTD) else ""
    return _translate_errors(decode(rest, encoding) if encoding else rest)


def _body(downloader: Callable[[], Downloader], url: str, cancel: CancelToken, live: bool) -> Iterator[bytes]:
    # A log that is followed may be nearly silent for hours.
    with downloader() as connection, connection.open(url, cancel=cancel, check_speed=not live) as stream:
        chunks = stream.chunks()
        yield from decompress(_translate_errors(decode(chunks, stream.encoding)) if stream.encoding else chunks)


def _translate_errors(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except TruncatedEncodingError:
        raise AppError(
            "The log is cut off: it was compressed, and its end is missing.", "Try again; a proxy may cut it."
        ) from None
    except EncodingError as problem:
        raise AppError(
            f"The log, or the rest of it, cannot be read ({problem}): its compressed bytes are damaged.",
            "Try again; if it lasts, the server has it like that.",
        ) from None


def _skip_bytes(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:] if count else chunk
        count = 0


def _read_pieces(read: Callable[[int], bytes], cancel: CancelToken) -> Iterator[bytes]:
    while piece := read(_PIECE):
        cancel.check()
        yield piece


Downloaders = Callable[[], AbstractContextManager[Any]]
CAP = 32 << 20  # decoded bytes
_LEVEL = 1  # 100 MB/s and more, for a tenth to a twentieth of the size


def from_address(
    http: Http,
    url: str,
    *,
    live: bool = False,
    final: bool = True,
    downloader: Downloaders | None = None,
) -> Source:
    """A log on a server, kept as below, or on this disk by its file: address. `downloader`: opens what `http` cannot,
    such as s3: addresses; those are not kept.
    """
    if url.startswith("file:") and http.mode is not Mode.CAPSULE:
        return from_path(Path(unquote(urlsplit(url).path)))
    if downloader is not None and http.mode is not Mode.CAPSULE and not url.startswith(("http:", "https:")):
        return from_http(downloader, url)  # type: ignore[arg-type]
    return from_http_cached(http, url, live=live, final=final)


class LogLocation(Protocol):
    """What is needed of `backends.resources.LogAddress`."""

    @property
    def url(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def final(self) -> bool: ...
    @property
    def elsewhere(self) -> Callable[[CancelToken], LogLocation] | None: ...


def from_log(http: Http, address: LogLocation, downloader: Downloaders | None = None) -> Source:
    """The text of an address; where there is nothing at its URL, the one that `elsewhere` finds."""
    first = from_address(http, address.url, live=address.live, final=address.final, downloader=downloader)
    elsewhere = address.elsewhere
    if elsewhere is None:
        return first

    def read(cancel: CancelToken) -> Iterator[bytes]:
        from backends.http.errors import FailedDependencyError, GoneError, HttpError, NotFoundError

        begun = False
        try:
            for chunk in first(cancel):
                begun = True
                yield chunk
            return
        except HttpError as problem:
            # A live log is served by the worker itself: nobody listens there once the run is over.
            if begun or not (address.live or isinstance(problem, (NotFoundError, GoneError, FailedDependencyError))):
                raise
        found = elsewhere(cancel)
        yield from from_address(http, found.url, live=found.live, final=found.final, downloader=downloader)(cancel)

    return read


def from_http_cached(http: Http, url: str, *, live: bool = False, final: bool = True) -> Source:
    """As `sources.from_http`. `final`: what stands at `url` is never another text once it is whole; what is not is
    given from the store only when the server cannot be asked (offline). A `live` log is not kept: it has no end yet.
    """

    def read(cancel: CancelToken) -> Iterator[bytes]:
        store, key = http.blob_cache(), f"log-v1|{http.scope(url)}|{url}"
        passing = f"{key}|passing"  # what was read while it could still change is never taken for the final text
        offline = http.mode is Mode.OFFLINE
        if store is not None and (offline or (final and not live)):
            found = store.get(key) or (store.get(passing) if offline else None)
            text = None if found is None else _unpack_text(found.body)
            if text is not None:
                cancel.check()
                yield from text
                return
        source = from_http(http.downloader, url, live=live)
        if store is None or live or offline:
            yield from source(cancel)
            return
        kept: list[bytes] | None = []
        size, packing = 0, zlib.compressobj(_LEVEL, wbits=31)
        for chunk in source(cancel):
            size += len(chunk)
            if size > CAP:
                kept = None
            if kept is not None:
                kept.append(packing.compress(chunk))
            yield chunk
        if kept is not None:
            store.put(key if final else passing, b"".join([*kept, packing.flush()]))

    return read


def _unpack_text(packed: bytes) -> list[bytes] | None:
    """The text in pieces; None for stored bytes that are damaged, which are then fetched anew."""
    pieces, size = [], 0
    try:
        for piece in decode([packed], "gzip"):
            size += len(piece)
            if size > CAP:
                return None
            pieces.append(piece)
    except EncodingError:
        return None
    return pieces
