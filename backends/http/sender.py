"""Sends one request: signs it, limits how many go to a host at a time, follows redirects, words what went wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from backends import __version__
from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http.errors import (
    HttpError,
    NetworkError,
    RequestTimeoutError,
    TooManyRedirectsError,
    incomplete,
    short_url,
    short_url_parts,
)
from backends.http.httpx_loader import httpx
from backends.http.policies import Identity
from backends.http.transport import Lease, Meter
from backends.http.transport import Timeouts as Timeouts
from backends.http.urls import origin_of, parse_url, redirect_target


class HostLimiter:
    """A counter a host; waiting for a free one ends at once when the cancel token is pulled."""

    def __init__(self, per_host: int) -> None:
        self._per_host = max(1, per_host)
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, host: str, cancel: CancelToken | None) -> Iterator[None]:
        self._acquire(host, cancel)
        try:
            yield
        finally:
            with self._changed:
                self._taken[host] -= 1
                if not self._taken[host]:
                    del self._taken[host]
                self._changed.notify_all()

    def _acquire(self, host: str, cancel: CancelToken | None) -> None:
        with self._changed:
            if self._taken[host] < self._per_host:
                self._taken[host] += 1
                return
        forget = cancel.on_cancel(self._wake) if cancel is not None else None
        try:
            with self._changed:
                while self._taken[host] >= self._per_host:
                    if cancel is not None:
                        cancel.check()
                    self._changed.wait()
                self._taken[host] += 1
        finally:
            if forget is not None:
                forget()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


USER_AGENT = f"ciexplore/{__version__}"
MOST_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DRAINED = 64 << 10  # of a redirect's body: cheaper than a new connection


class RawResponse:
    """An answer whose body has not been read. `headers` has lower-case names; `hops`: the redirects before it."""

    def __init__(
        self, url: httpx.URL, response: httpx.Response, cancel: CancelToken | None, cleanup: contextlib.ExitStack
    ) -> None:
        self.url = url
        self.status = response.status_code
        self.headers = _lower_names(response.headers.raw)
        self.hops: tuple[tuple[str, Mapping[str, str]], ...] = ()
        self._response = response
        self._cancel = cancel
        self._cleanup = cleanup

    def chunks(self) -> Iterator[bytes]:
        """The body as sent. Raises `IncompleteBodyError`, `RequestTimeoutError` or `OperationCancelledError`."""
        try:
            yield from self._response.stream  # type: ignore[misc]
        except Exception as error:
            raise self._describe(error) from error
        if self._cancel is not None:  # a woken read looks like the end of a body without a length
            self._cancel.check()

    def start(self, most: int) -> bytes:
        """At most that many bytes of the body, for words to show; an error in it is no news."""
        found = bytearray()
        with contextlib.suppress(HttpError):
            for chunk in self.chunks():
                found += chunk
                if len(found) >= most:
                    break
        return bytes(found[:most])

    def close(self) -> None:
        try:
            with contextlib.suppress(httpx.HTTPError, OSError):
                self._response.stream.close()  # type: ignore[union-attr]
        finally:
            self._cleanup.close()

    def __enter__(self) -> RawResponse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _describe(self, error: Exception) -> Exception:
        if self._cancel is not None and self._cancel.cancelled:
            return OperationCancelledError()
        if isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError)):
            return incomplete(str(self.url), "broke off before its end")
        return translate(error, self.url)


class Sender:
    """How requests of one kind are sent: through which transport, as whom, how patiently, how many to a host."""

    def __init__(
        self,
        transport: httpx.BaseTransport,
        *,
        identities: Sequence[Identity] = (),
        timeouts: Timeouts | None = None,
        slots: HostLimiter | None = None,
        accept_encoding: str = "gzip",
    ) -> None:
        self._transport = transport
        self._identities = {origin_of(parse_url(identity.origin)): identity for identity in identities}
        self._timeouts = timeouts or Timeouts()
        self._extension = self._timeouts.extension()
        self._slots = slots
        self._headers = {"user-agent": USER_AGENT, "accept-encoding": accept_encoding}

    def scope(self, url: httpx.URL) -> str:
        """The public name under which that address is asked; empty for nobody."""
        identity = self._identities.get(origin_of(url))
        return identity.scope if identity is not None else ""

    def send(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        cancel: CancelToken | None = None,
        follow: bool = True,
        check_speed: bool = True,
    ) -> RawResponse:
        """The first answer that is no redirect; the caller closes it. Raises `HttpError`, `OperationCancelledError`.

        Whom we are is told to the origin that was asked first and only as long as no other one has come between:
        another server must not choose what we sign. `check_speed`: a body below the lowest speed fails.
        """
        first, ours = url, True
        hops: list[tuple[str, Mapping[str, str]]] = []
        while True:
            reply = self._send_once(method, url, headers, content, cancel, ours, check_speed)
            location = reply.headers.get("location", "")
            if not follow or reply.status not in REDIRECTS or not location:
                reply.hops = tuple(hops)
                return reply
            with reply:
                reply.start(_DRAINED)
            hops.append((str(url), reply.headers))
            if len(hops) > MOST_REDIRECTS:
                raise too_many_redirects(str(first))
            url = redirect_target(first, url, location)
            ours = ours and origin_of(url) == origin_of(first)

    def _send_once(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
        cancel: CancelToken | None,
        ours: bool,
        check_speed: bool,
    ) -> RawResponse:
        if cancel is not None:
            cancel.check()
        with contextlib.ExitStack() as cleanup:
            if self._slots is not None:
                cleanup.enter_context(self._slots.take(origin_of(url), cancel))
            meter = Meter(short_url_parts(str(url))[0], self._timeouts, check_speed=check_speed)
            lease = Lease(cancel, meter)
            cleanup.callback(lease.end)
            all_headers = {**self._headers, **headers}
            if ours and (identity := self._identities.get(origin_of(url))) is not None:
                all_headers.update(identity.sign(method, str(url)))
            extensions = {"timeout": self._extension, "lease": lease}
            # As bytes: httpx takes only ASCII text, and an ETag that comes back may be anything.
            raw = [(name.encode(), value.encode("utf-8", "replace")) for name, value in all_headers.items()]
            request = httpx.Request(method, url, headers=raw, content=content, extensions=extensions)
            try:
                response = self._transport.handle_request(request)
            except Exception as error:
                if cancel is not None and cancel.cancelled:
                    raise OperationCancelledError from error
                raise translate(error, url) from error
            meter.end_headers()
            return RawResponse(url, response, cancel, cleanup.pop_all())
        raise AssertionError("unreachable")


def too_many_redirects(first: str) -> TooManyRedirectsError:
    return TooManyRedirectsError(
        f"{short_url(first)} redirects more than {MOST_REDIRECTS} times.",
        "Check the URL of the system in the settings.",
    )


def _lower_names(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), decode_header(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def decode_header(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def translate(error: Exception, url: httpx.URL) -> Exception:
    """What a failure on the way is called here; errors that are not the network's are given back as they are."""
    host, _ = short_url_parts(str(url))
    if isinstance(error, httpx.TimeoutException):
        what = "could be reached" if isinstance(error, httpx.ConnectTimeout) else "answered"
        return RequestTimeoutError(f"{host} has not {what} in time.", "Try again; a proxy or a VPN may be missing.")
    if isinstance(error, httpx.ConnectError):
        return _unreachable(error, host)
    if isinstance(error, httpx.ProxyError):
        return NetworkError(
            f"The proxy on the way to {host} refused.", "Check HTTPS_PROXY and NO_PROXY.", reason="proxy"
        )
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        return NetworkError(f"The request to {host} cannot be sent.", "Check the URL.", retryable=False)
    if isinstance(error, httpx.RemoteProtocolError):
        return NetworkError(f"{host} closed the connection or does not speak HTTP.", "Try again.")
    if isinstance(error, httpx.HTTPError):
        return NetworkError(f"The connection to {host} broke.", "Try again.")
    return error


def _unreachable(error: Exception, host: str) -> NetworkError:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return NetworkError(
            f"The certificate of {host} is not trusted.",
            "If your network has a certificate authority of its own, name its file in SSL_CERT_FILE.",
            reason="certificate",
            retryable=False,
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return NetworkError(f"{host} does not speak TLS as it should.", "Check the URL and the port.")
    unknown = [cause for cause in causes if isinstance(cause, socket.gaierror)]
    if unknown:
        return NetworkError(
            f"The name {host} is not known.",
            "Check the URL and the network; a VPN may be missing.",
            retryable=unknown[0].errno != socket.EAI_NONAME,
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return NetworkError(f"Nothing listens at {host}.", "Check the URL and the port, or start the server.")
    return NetworkError(f"{host} cannot be reached.", "Check the network; a proxy or a VPN may be missing.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        # httpcore raises its errors again "from None", which takes the cause away; the argument stays.
        told = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = error.__cause__ or told or error.__context__
