"""Asking a server for an answer: from the store if it still holds, else once over the network, patiently."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from backends.cancel import CancelToken
from backends.http.cache import CACHE_BYTES, BlobCache, DiskCache
from backends.http.caching import (
    CacheableRequest,
    CachingClient,
    Pause,
    Retries,
    key_of,
    pause,
    raise_for_status,
    read_body,
)
from backends.http.errors import UnexpectedResponseError, not_in_capsule, offline, sanitize, short_url
from backends.http.interception import InterceptedDownloader, Interceptor
from backends.http.policies import CachePolicy, Identity, Mode
from backends.http.response import Response, ResponseSource
from backends.http.urls import parse_url
from backends.http.waits import Waits

if TYPE_CHECKING:
    import httpx

    from backends.http.downloads import Downloader, DownloaderSettings
    from backends.http.sender import Sender
    from backends.http.transport import Timeouts

CAP = 64 << 20
TRIES = 5


@dataclass(frozen=True)
class RedirectTarget:
    """Where an address leads, not followed. `url` is empty when the server did not redirect."""

    status: int
    headers: Mapping[str, str]
    url: str


class _Network:
    """What sends requests, made with the first one: what is stored needs no httpx, which takes 70 ms to import."""

    def __init__(
        self,
        identities: Sequence[Identity],
        per_host: int,
        timeouts: Timeouts | None,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self.identities, self.timeouts, self.given = tuple(identities), timeouts, transport
        self._per_host = per_host
        self._transport: httpx.BaseTransport | None = transport
        self._sender: Sender | None = None
        self._lock = threading.Lock()
        if self.identities:
            self.sender()  # raises where one is for a place that must not be asked

    def sender(self) -> Sender:
        with self._lock:
            if self._sender is None:
                from backends.http.content_encoding import accepted
                from backends.http.sender import HostLimiter, Sender
                from backends.http.transport import Transport

                self._transport = self._transport or Transport()
                self._sender = Sender(
                    self._transport,
                    identities=self.identities,
                    timeouts=self.timeouts,
                    slots=HostLimiter(self._per_host),
                    accept_encoding=accepted(),
                )
            return self._sender

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Http:
    """The client of all systems. Thread-safe; every method blocks and belongs in a worker thread.

    `pause(seconds, cancel)` is how it waits between tries; `waits` tells those who show progress about it.
    """

    def __init__(
        self,
        *,
        cache_dir: Path | None = None,
        mode: Mode = Mode.NORMAL,
        identities: Sequence[Identity] = (),
        cache_bytes: int = CACHE_BYTES,
        per_host: int = 16,
        timeouts: Timeouts | None = None,
        tries: int = TRIES,
        transport: httpx.BaseTransport | None = None,
        pause: Pause = pause,
        clock: Callable[[], float] = time.time,
        waits: Waits | None = None,
        interceptor: Interceptor | None = None,
    ) -> None:
        self.mode = mode
        self._interceptor = interceptor
        self.waits = waits or Waits()
        self._network = _Network(identities, per_host, timeouts, transport)
        self._retries = Retries(max(1, tries), pause, self.waits)
        self._shelf = DiskCache(cache_dir, cache_bytes) if cache_dir is not None else None
        self._answering = CachingClient(self._network.sender, self._shelf, self._retries, clock)
        self._clock = clock

    @property
    def cache_note(self) -> str:
        """Why answers are not kept although they should be; empty while all is well."""
        return self._shelf.note if self._shelf is not None else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know once: about the cache, and about credentials that are not used."""
        return tuple(filter(None, (self.cache_note, *(identity.note() for identity in self._network.identities))))

    def with_mode(self, mode: Mode) -> Http:
        """The same client (connections, cache, limits) in another mode: what the refresh key uses."""
        if self.mode is Mode.CAPSULE:
            return self
        other = copy.copy(self)
        other.mode = mode
        return other

    def scope(self, url: str) -> str:
        """The public name of who we are to this URL's origin, "" for nobody: what is cached for one is not for
        others."""
        return self._scope(parse_url(url)) if self._network.identities else ""

    def now(self) -> float:
        """The time that requests count back from, in seconds since 1970: of a capsule, when it was made."""
        return self._interceptor.now if self._interceptor is not None else self._clock()

    def get(
        self,
        url: str,
        *,
        policy: CachePolicy | Callable[[Response], CachePolicy],
        accept: str = "application/json",
        cap: int = CAP,
        cancel: CancelToken | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Response:
        """The answer (2xx) of an address, with redirects followed; `Answer.url` is the address that was asked.

        `policy` says how it is kept, before it is known or from the answer. `cap`: bytes, decoded. Raises
        `HttpError` (each status has its class), `UsageError` for an address that must not be asked,
        `OperationCancelledError`.
        """
        return self._ask(self._request(url, params, policy, accept, cap, cancel))

    def json(
        self,
        url: str,
        *,
        policy: CachePolicy | Callable[[Response], CachePolicy],
        cap: int = CAP,
        cancel: CancelToken | None = None,
        params: Mapping[str, str | int] | None = None,
        type: Any = Any,
    ) -> tuple[Any, Response]:
        """The answer decoded as `type` (anything msgspec knows). An answer of another shape is never stored.

        Raises what `get` raises, and `UnexpectedResponseError` for HTML, garbage and JSON that is no `type`.
        """
        vetted: list[tuple[bytes, Any]] = []

        def vet(answer: Response) -> None:
            vetted.append((answer.body, _decode(answer, type)))

        asked = self._request(url, params, policy, "application/json", cap, cancel, vet)
        answer = self._ask(asked, _hashable(type))
        if vetted and vetted[-1][0] is answer.body:
            return vetted[-1][1], answer
        try:
            return _decode(answer, type), answer
        except UnexpectedResponseError:
            if (
                answer.freshness.source is not ResponseSource.CACHE
                and answer.freshness.source is not ResponseSource.REVALIDATED
            ):
                raise
        # It was stored by a version that expected another shape: ask the server, which knows better.
        self._answering.forget(asked)
        answer = self._ask(asked, _hashable(type))
        return _decode(answer, type), answer

    def post(
        self,
        url: str,
        content: bytes,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        cap: int = CAP,
        cancel: CancelToken | None = None,
        idempotent: bool = False,
    ) -> Response:
        """Sends `content`; never stored, redirects not followed. Tried again only if `idempotent` says it may be."""
        address = parse_url(url)
        if self.mode is Mode.OFFLINE:
            raise offline(url)
        headers = {"accept": accept, "content-type": content_type}

        def attempt() -> Response:
            reply = self._network.sender().send(
                "POST", address, headers=headers, content=content, cancel=cancel, follow=False
            )
            with reply:
                raise_for_status(reply)
                return read_body(reply, str(address), cap)[0]

        def send() -> Response:
            return self._retries.run(attempt, address, cancel, None if idempotent else 1)

        # What changes something on a server is not to be repeated, so it is not recorded either.
        if self._interceptor is None or not (idempotent or self.mode is Mode.CAPSULE):
            return send()
        return self._interceptor.post(str(address), content, accept, bool(self._scope(address)), send)

    def locate(self, url: str, *, accept: str = "*/*", cancel: CancelToken | None = None) -> RedirectTarget:
        """Where an address redirects to, without going there. The target may be signed: not for logs or disks."""
        address = parse_url(url)
        if self.mode.is_offline:
            raise not_in_capsule(url) if self.mode is Mode.CAPSULE else offline(url)

        def attempt() -> RedirectTarget:
            with self._network.sender().send(
                "GET", address, headers={"accept": accept}, cancel=cancel, follow=False
            ) as reply:
                target = reply.headers.get("location", "")
                if not (target and 300 <= reply.status < 400):
                    raise_for_status(reply)
                    target = ""
                return RedirectTarget(reply.status, reply.headers, str(address.join(target)) if target else "")

        return self._retries.run(attempt, address, cancel)

    def downloader(self) -> Downloader:
        """Raw files for ONE worker thread, never stored; it is the worker's to close."""
        network = self._network

        def make() -> Downloader:
            from backends.http.downloads import Downloader

            return Downloader(
                mode=self.mode, identities=network.identities, timeouts=network.timeouts, transport=network.given
            )

        if self._interceptor is None:
            return make()
        intercepted: Any = InterceptedDownloader(make, self._interceptor, lambda url: bool(self.scope(url)))
        return intercepted  # type: ignore[no-any-return]

    def downloader_settings(self) -> DownloaderSettings | None:
        """For downloads over libcurl; None if requests go through a transport that was given, or an interceptor."""
        from backends.http.downloads import DownloaderSettings
        from backends.http.transport import Timeouts

        network = self._network
        if network.given is not None or self._interceptor is not None:
            return None
        return DownloaderSettings(self.mode, network.timeouts or Timeouts(), network.identities)

    def blob_cache(self) -> BlobCache | None:
        """Where parsed frames are kept; None without a cache, and for an interceptor, which is to see the requests."""
        if self._shelf is None or self._interceptor is not None:
            return None
        return BlobCache(self._shelf, self.mode, self._clock)

    def close(self) -> None:
        self._network.close()
        if self._shelf is not None:
            self._shelf.close()

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, asked: CacheableRequest, kind: Hashable = None) -> Response:
        if self._interceptor is None:
            return self._answering.ask(asked, self.mode, kind)
        return self._interceptor.get(
            asked, bool(self._scope(asked.url)), lambda: self._answering.ask(asked, self.mode, kind)
        )

    def _scope(self, address: httpx.URL) -> str:
        return self._network.sender().scope(address) if self._network.identities else ""

    def _request(
        self,
        url: str,
        params: Mapping[str, str | int] | None,
        policy: CachePolicy | Callable[[Response], CachePolicy],
        accept: str,
        cap: int,
        cancel: CancelToken | None,
        vet: Callable[[Response], None] = lambda answer: None,
    ) -> CacheableRequest:
        address = parse_url(url, params)
        key = key_of("GET", str(address), accept, self._scope(address))
        return CacheableRequest(address, key, policy, accept, cap, cancel, vet)


def _hashable(kind: Any) -> Hashable:
    try:
        hash(kind)
    except TypeError:
        return id(kind)
    return kind  # type: ignore[no-any-return]


def _decode(answer: Response, kind: Any) -> Any:
    hint = "Check the URL of the system in the settings."
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.ValidationError as error:
        raise UnexpectedResponseError(
            f"{short_url(answer.url)} answered with JSON of another shape: {sanitize(str(error), 160)}.", hint
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        is_page = "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<"
        what = "a web page" if is_page else "something that is not JSON"
        more = " A login page or a proxy may be in the way." if is_page else ""
        raise UnexpectedResponseError(f"{short_url(answer.url)} answered with {what}.", hint + more) from error
