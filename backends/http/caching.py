"""Answers requests from the cache, revalidates what is stored, asks the server once for equal requests."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from backends.cancel import CancelToken
from backends.http.backoff import backoff_delays, is_too_long, with_retry_after
from backends.http.cache import CachedBlob, DiskCache, hashed, pack, unpack
from backends.http.content_encoding import EncodingError, TruncatedEncodingError, decode
from backends.http.errors import (
    HttpError,
    NetworkError,
    RateLimitedError,
    ServerError,
    UnexpectedResponseError,
    cut_short,
    from_response,
    offline,
    short_url,
    short_url_parts,
    too_large,
    unpacks_too_far,
)
from backends.http.policies import CachePolicy, Mode
from backends.http.response import Freshness, Response, ResponseSource
from backends.http.waits import Waits

if TYPE_CHECKING:
    import httpx

    from backends.http.sender import RawResponse, Sender

_Value = TypeVar("_Value")


class _Flight(Generic[_Value]):
    def __init__(self) -> None:
        self.landed = threading.Condition()
        self.done = False
        self.found: list[_Value] = []
        self.problem: HttpError | None = None

    def wait(self, cancel: CancelToken | None) -> None:
        forget = cancel.on_cancel(self._wake) if cancel is not None else None
        try:
            with self.landed:
                while not self.done:
                    if cancel is not None:
                        cancel.check()
                    self.landed.wait()
        finally:
            if forget is not None:
                forget()

    def land(self) -> None:
        with self.landed:
            self.done = True
            self.landed.notify_all()

    def _wake(self) -> None:
        with self.landed:
            self.landed.notify_all()


class SingleFlight(Generic[_Value]):
    """One flight a key, from the moment it is asked for until its work (the storing included) is over.

    A problem that the server or the network made is everybody's. Anything else, above all that the first asker was
    cancelled, is its own: then one of those who wait takes over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[Hashable, _Flight[_Value]] = {}

    def run(self, key: Hashable, work: Callable[[], _Value], cancel: CancelToken | None = None) -> _Value:
        while True:
            with self._lock:
                flight = self._flying.get(key)
                if flight is None:
                    own = self._flying[key] = _Flight()
                    break
            flight.wait(cancel)
            if flight.found:
                return flight.found[0]
            if flight.problem is not None:
                raise copy.copy(flight.problem)  # a traceback belongs to one thread
            if cancel is not None:
                cancel.check()
        try:
            own.found.append(work())
        except HttpError as problem:
            own.problem = problem
            raise
        finally:
            with self._lock:
                del self._flying[key]
            own.land()
        return own.found[0]


# Nothing that says who we are (Set-Cookie) or where a signed address led (Location, Content-Location).
_STORED_HEADERS = frozenset({"content-type", "content-disposition", "date", "etag", "last-modified", "link"})
_STORED_PREFIXES = ("x-goog-", "x-taskcluster-", "x-amz-meta-", "x-amz-version-id")
_DROPPED = frozenset({"content-encoding", "content-length", "transfer-encoding", "set-cookie", "set-cookie2"})
_CLOCK_SLACK = 60.0  # seconds that a stored time may lie in the future before the clock is not believed


def key_of(method: str, url: str, accept: str, scope: str) -> str:
    return f"a:{hashed(method, url, accept, scope)}"


@dataclass(frozen=True)
class CacheEntry:
    """`wire`: the body as it came, still encoded: 2 MB of JSON are 47 KB. `until`: None for ever."""

    headers: Mapping[str, str]
    encoding: str
    wire: bytes
    validated_at: float
    until: float | None

    @classmethod
    def from_response(cls, reply: RawResponse, wire: bytes, policy: CachePolicy, now: float) -> CacheEntry:
        kept = {name: value for name, value in reply.headers.items() if _is_kept(name)}
        encoding = reply.headers.get("content-encoding", "")
        return cls(kept, encoding, wire, now, None if policy.ttl is None else now + policy.ttl)

    @classmethod
    def from_row(cls, row: bytes | None) -> CacheEntry | None:
        stored = unpack(row)
        if stored is None:
            return None
        try:
            return _make_entry(stored)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def packed(self) -> bytes:
        meta = {"headers": dict(self.headers), "encoding": self.encoding, "until": self.until}
        return pack(self.wire, self.validated_at, meta)

    def age(self, now: float) -> float:
        return max(0.0, now - self.validated_at)

    def is_fresh(self, policy: CachePolicy | None, now: float) -> bool:
        """Whether it need not be asked for again, by what was decided when it came and by what is asked now.

        Both: what was stored of a running task does not hold for ever because the task is known to be resolved now.
        """
        if self.validated_at > now + _CLOCK_SLACK:
            return False
        if self.until is not None and self.until <= now:
            return False
        return policy is None or policy.ttl is None or self.age(now) < policy.ttl

    def conditions(self) -> dict[str, str]:
        """The headers with which a server can say that nothing has changed."""
        wanted = {"if-none-match": self.headers.get("etag"), "if-modified-since": self.headers.get("last-modified")}
        return {name: value for name, value in wanted.items() if value}

    def revalidated(self, headers: Mapping[str, str], policy: CachePolicy, now: float) -> CacheEntry:
        """The same body, said to be still right by a 304 with those headers."""
        newer = {name: value for name, value in headers.items() if _is_kept(name)}
        until = None if policy.ttl is None else now + policy.ttl
        return replace(self, headers={**self.headers, **newer}, validated_at=now, until=until)

    def answer(self, url: str, cap: int, freshness: Freshness) -> Response | None:
        """None when the stored bytes cannot be read any more. Raises `ResponseTooLargeError`."""
        try:
            body = _join_chunks(_unpack([self.wire], self.encoding, url, cap)) if self.encoding else self.wire
        except EncodingError:
            return None
        if len(body) > cap:
            raise too_large(url, cap)
        return Response(url, 200, self.headers, body, freshness)


def _make_entry(stored: CachedBlob) -> CacheEntry:
    meta: Mapping[str, Any] = stored.meta
    headers = {str(name): str(value) for name, value in meta["headers"].items()}
    until = None if meta["until"] is None else float(meta["until"])
    return CacheEntry(headers, str(meta["encoding"]), stored.body, stored.stored_at, until)


def _is_kept(name: str) -> bool:
    return name in _STORED_HEADERS or name.startswith(_STORED_PREFIXES)


def read_body(reply: RawResponse, url: str, cap: int) -> tuple[Response, bytes]:
    """The whole answer, decoded, and its body as it came. `url` is the one that was asked for.

    Never holds more than `cap` decoded bytes and one piece, and far less of what is compressed like nothing honest.
    Raises `ResponseTooLargeError`, `IncompleteBodyError`, `UnexpectedResponseError`.
    """
    announced = reply.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and len(announced) < 20 and int(announced) > cap:
        raise too_large(url, cap)
    wire: list[bytes] = []
    encoding = reply.headers.get("content-encoding", "").strip()
    try:
        body = _join_chunks(_unpack(_collect_chunks(reply.chunks(), wire), encoding, url, cap))
    except TruncatedEncodingError as error:
        raise cut_short(url) from error
    except EncodingError as error:
        raise UnexpectedResponseError(
            f"{short_url(url)} sent a body that cannot be decoded ({error}).",
            "Check the URL; a proxy may be at fault.",
        ) from error
    headers = {name: value for name, value in reply.headers.items() if name not in _DROPPED}
    return Response(url, reply.status, headers, body), b"".join(wire) if encoding else body


def _collect_chunks(chunks: Iterable[bytes], kept: list[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        kept.append(chunk)
        yield chunk


def _most_unpacked(wire: int) -> int:
    """Decoded bytes that `wire` bytes may stand for.

    Pages of tasks (8 MB) unpack to 11 times their size as gzip, 33 times as zstd, small ones to 43 times; the largest
    lists known (signatures, 45 MB; subtests of a month, 160 MB) to 10 to 30 times. Bombs unpack to 360 times and more.
    """
    return max(8 << 20, min(64 << 20, 128 * wire), 64 * wire)


def _unpack(chunks: Iterable[bytes], encoding: str, url: str, cap: int) -> Iterator[bytes]:
    """The decoded pieces. Raises `EncodingError`, and `ResponseTooLargeError` before a bomb fills the memory."""
    wire = size = 0

    def count_chunks() -> Iterator[bytes]:
        nonlocal wire
        for chunk in chunks:
            wire += len(chunk)
            if wire > cap:
                raise too_large(url, cap)
            yield chunk

    for piece in decode(count_chunks(), encoding):
        size += len(piece)
        if size > cap:
            raise too_large(url, cap)
        if size > _most_unpacked(wire):
            raise unpacks_too_far(url, wire, size)
        yield piece


def _join_chunks(pieces: Iterator[bytes]) -> bytes:
    kept = list(pieces)
    return kept[0] if len(kept) == 1 else b"".join(kept)


T = TypeVar("T")
Pause = Callable[[float, CancelToken | None], None]
_ERROR_BODY = 64 << 10
_TRIES_WITH_STORED = 2  # somebody waits, and there is something to show


@dataclass(frozen=True)
class CacheableRequest:
    """One request as all its steps need it. `vet` raises for an answer that must not be kept."""

    url: httpx.URL
    key: str
    policy: CachePolicy | Callable[[Response], CachePolicy]
    accept: str
    cap: int
    cancel: CancelToken | None
    vet: Callable[[Response], None] = field(default=lambda answer: None)

    @property
    def may_store(self) -> bool:
        return not isinstance(self.policy, CachePolicy) or self.policy.store

    @property
    def may_be_stale(self) -> bool:
        return not isinstance(self.policy, CachePolicy) or self.policy.stale_if_error

    def policy_for(self, answer: Response) -> CachePolicy:
        return self.policy if isinstance(self.policy, CachePolicy) else self.policy(answer)


@dataclass(frozen=True)
class Retries:
    """How often a request is sent, and how it waits in between."""

    tries: int
    pause: Pause
    waits: Waits

    def run(self, attempt: Callable[[], T], url: httpx.URL, cancel: CancelToken | None, tries: int | None = None) -> T:
        """Tries again after network errors, 429 and 5xx only; a wait that a person should decide on is not begun."""
        waits = backoff_delays()
        most = tries or self.tries
        for tried in range(1, most + 1):
            try:
                return attempt()
            except HttpError as problem:
                if problem.most_tries is not None:
                    most = min(most, problem.most_tries)
                if not problem.retryable or tried >= most or is_too_long(problem.retry_after):
                    raise
                seconds = with_retry_after(next(waits), problem.retry_after)
                with self.waits.during(short_url_parts(str(url))[0], seconds, problem):
                    self.pause(seconds, cancel)
        raise AssertionError("unreachable")


def pause(seconds: float, cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.sleep(seconds)
    else:
        time.sleep(seconds)


class CachingClient:
    """Gives the answer to a GET: stored and still holding, or fetched once for all who ask at the same time."""

    def __init__(
        self,
        sender: Callable[[], Sender],
        shelf: DiskCache | None,
        retries: Retries,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sender = sender
        self._shelf = shelf
        self._retries = retries
        self._clock = clock
        self._flights: SingleFlight[Response] = SingleFlight()

    def ask(self, asked: CacheableRequest, mode: Mode, kind: Hashable = None) -> Response:
        """`kind`: requests of different kinds do not share an answer, because they vet it differently."""
        if asked.cancel is not None:
            asked.cancel.check()
        hit = self._lookup(asked, mode, self._entry(asked, mode))
        if hit is not None:
            return hit
        if mode is Mode.OFFLINE:
            raise offline(str(asked.url))
        return self._flights.run((asked.key, asked.cap, kind, mode), lambda: self._lead(asked, mode), asked.cancel)

    def forget(self, asked: CacheableRequest) -> None:
        if self._shelf is not None:
            self._shelf.delete(asked.key)

    def _entry(self, asked: CacheableRequest, mode: Mode) -> CacheEntry | None:
        if self._shelf is None or not mode.reads or not asked.may_store:
            return None
        row = self._shelf.get(asked.key)
        entry = CacheEntry.from_row(row)
        if row is not None and entry is None:
            self._shelf.discard_damaged(asked.key)
        return entry

    def _lookup(self, asked: CacheableRequest, mode: Mode, entry: CacheEntry | None) -> Response | None:
        if entry is None:
            return None
        now = self._clock()
        holds = entry.is_fresh(asked.policy if isinstance(asked.policy, CachePolicy) else None, now)
        if not holds and mode is not Mode.OFFLINE:
            return None
        source = ResponseSource.CACHE if holds else ResponseSource.STALE
        return entry.answer(str(asked.url), asked.cap, Freshness(source, entry.age(now), "" if holds else "offline"))

    def _lead(self, asked: CacheableRequest, mode: Mode) -> Response:
        entry = self._entry(asked, mode)  # again: it may have landed since
        hit = self._lookup(asked, mode, entry)
        if hit is not None:
            return hit
        fallback = entry if asked.may_be_stale else None
        tries = _TRIES_WITH_STORED if fallback is not None else None
        try:
            return self._retries.run(lambda: self._fetch(asked, mode, entry), asked.url, asked.cancel, tries)
        except (NetworkError, ServerError, RateLimitedError) as problem:
            if fallback is None:
                raise
            freshness = Freshness(ResponseSource.STALE, fallback.age(self._clock()), problem.sentence)
            stale = fallback.answer(str(asked.url), asked.cap, freshness)
            if stale is None:
                raise
            return stale

    def _fetch(self, asked: CacheableRequest, mode: Mode, entry: CacheEntry | None) -> Response:
        headers = {"accept": asked.accept, **(entry.conditions() if entry is not None else {})}
        with self._sender().send("GET", asked.url, headers=headers, cancel=asked.cancel) as reply:
            if reply.status == 304 and entry is not None:
                reply.start(_ERROR_BODY)
                answer = self._revalidated(asked, mode, entry, reply)
                if answer is not None:
                    return answer
            else:
                return self._store(asked, mode, reply)
        return self._fetch(asked, mode, None)  # it holds, but our copy cannot be read any more

    def _revalidated(
        self, asked: CacheableRequest, mode: Mode, entry: CacheEntry, reply: RawResponse
    ) -> Response | None:
        answer = entry.answer(str(asked.url), asked.cap, Freshness(ResponseSource.REVALIDATED))
        if answer is not None and self._shelf is not None and mode.writes:
            policy = asked.policy_for(answer)
            if policy.store:
                self._shelf.put(asked.key, entry.revalidated(reply.headers, policy, self._clock()).packed())
        return answer

    def _store(self, asked: CacheableRequest, mode: Mode, reply: RawResponse) -> Response:
        raise_for_status(reply)
        answer, wire = read_body(reply, str(asked.url), asked.cap)
        asked.vet(answer)
        if self._shelf is None or not mode.writes or not asked.may_store or reply.status != 200:
            return answer
        policy = asked.policy_for(answer)
        if policy.store:  # else what is stored stays the last known answer: this one may be a proxy's login page
            self._shelf.put(asked.key, CacheEntry.from_response(reply, wire, policy, self._clock()).packed())
        return answer


def raise_for_status(reply: RawResponse) -> None:
    if not 200 <= reply.status < 300:
        raise from_response(str(reply.url), reply.status, reply.headers, reply.start(_ERROR_BODY))
