"""Whether an answer comes from the store or from the server, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from backends.cancel import CancelToken
from backends.http.backoff import backoff_delays, is_too_long, with_retry_after
from backends.http.cache import DiskCache
from backends.http.entries import CacheEntry, read_whole
from backends.http.errors import (
    HttpError,
    NetworkError,
    RateLimitedError,
    ServerError,
    from_response,
    offline,
    short_url_parts,
)
from backends.http.exchange import Exchange, Reply
from backends.http.policies import CachePolicy, Mode
from backends.http.response import Freshness, Response, ResponseSource
from backends.http.single_flight import SingleFlight
from backends.http.stack import httpx
from backends.http.waits import Waits

T = TypeVar("T")
Pause = Callable[[float, CancelToken | None], None]
_ERROR_BODY = 64 << 10
_TRIES_WITH_STORED = 2  # somebody waits, and there is something to show


@dataclass(frozen=True)
class Asked:
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

    def decided(self, answer: Response) -> CachePolicy:
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


class Answering:
    """Gives the answer to a GET: stored and still holding, or fetched once for all who ask at the same time."""

    def __init__(
        self, exchange: Exchange, shelf: DiskCache | None, retries: Retries, clock: Callable[[], float] = time.time
    ) -> None:
        self._exchange = exchange
        self._shelf = shelf
        self._retries = retries
        self._clock = clock
        self._flights: SingleFlight[Response] = SingleFlight()

    def ask(self, asked: Asked, mode: Mode, kind: Hashable = None) -> Response:
        """`kind`: requests of different kinds do not share an answer, because they vet it differently."""
        if asked.cancel is not None:
            asked.cancel.check()
        hit = self._held(asked, mode, self._entry(asked, mode))
        if hit is not None:
            return hit
        if mode is Mode.OFFLINE:
            raise offline(str(asked.url))
        return self._flights.run((asked.key, asked.cap, kind, mode), lambda: self._lead(asked, mode), asked.cancel)

    def forget(self, asked: Asked) -> None:
        if self._shelf is not None:
            self._shelf.delete(asked.key)

    def _entry(self, asked: Asked, mode: Mode) -> CacheEntry | None:
        if self._shelf is None or not mode.reads or not asked.may_store:
            return None
        row = self._shelf.get(asked.key)
        entry = CacheEntry.unpacked(row)
        if row is not None and entry is None:
            self._shelf.discard_damaged(asked.key)
        return entry

    def _held(self, asked: Asked, mode: Mode, entry: CacheEntry | None) -> Response | None:
        if entry is None:
            return None
        now = self._clock()
        holds = entry.holds(asked.policy if isinstance(asked.policy, CachePolicy) else None, now)
        if not holds and mode is not Mode.OFFLINE:
            return None
        source = ResponseSource.CACHE if holds else ResponseSource.STALE
        return entry.answer(str(asked.url), asked.cap, Freshness(source, entry.age(now), "" if holds else "offline"))

    def _lead(self, asked: Asked, mode: Mode) -> Response:
        entry = self._entry(asked, mode)  # again: it may have landed since
        hit = self._held(asked, mode, entry)
        if hit is not None:
            return hit
        fallback = entry if asked.may_be_stale else None
        tries = _TRIES_WITH_STORED if fallback is not None else None
        try:
            return self._retries.run(lambda: self._fetch(asked, mode, entry), asked.url, asked.cancel, tries)
        except (NetworkError, ServerError, RateLimitedError) as problem:
            if fallback is None:
                raise
            origin = Freshness(ResponseSource.STALE, fallback.age(self._clock()), problem.sentence)
            stale = fallback.answer(str(asked.url), asked.cap, origin)
            if stale is None:
                raise
            return stale

    def _fetch(self, asked: Asked, mode: Mode, entry: CacheEntry | None) -> Response:
        headers = {"accept": asked.accept, **(entry.conditions() if entry is not None else {})}
        with self._exchange.send("GET", asked.url, headers=headers, cancel=asked.cancel) as reply:
            if reply.status == 304 and entry is not None:
                reply.start(_ERROR_BODY)
                answer = self._vouched(asked, mode, entry, reply)
                if answer is not None:
                    return answer
            else:
                return self._taken(asked, mode, reply)
        return self._fetch(asked, mode, None)  # it holds, but our copy cannot be read any more

    def _vouched(self, asked: Asked, mode: Mode, entry: CacheEntry, reply: Reply) -> Response | None:
        answer = entry.answer(str(asked.url), asked.cap, Freshness(ResponseSource.REVALIDATED))
        if answer is not None and self._shelf is not None and mode.writes:
            policy = asked.decided(answer)
            if policy.store:
                self._shelf.put(asked.key, entry.vouched(reply.headers, policy, self._clock()).packed())
        return answer

    def _taken(self, asked: Asked, mode: Mode, reply: Reply) -> Response:
        raise_unless_ok(reply)
        answer, wire = read_whole(reply, str(asked.url), asked.cap)
        asked.vet(answer)
        if self._shelf is None or not mode.writes or not asked.may_store or reply.status != 200:
            return answer
        policy = asked.decided(answer)
        if policy.store:  # else what is stored stays the last known answer: this one may be a proxy's login page
            self._shelf.put(asked.key, CacheEntry.made(reply, wire, policy, self._clock()).packed())
        return answer


def raise_unless_ok(reply: Reply) -> None:
    if not 200 <= reply.status < 300:
        raise from_response(str(reply.url), reply.status, reply.headers, reply.start(_ERROR_BODY))
