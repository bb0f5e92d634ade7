"""Connections that a cancelled token interrupts at once, with limits on slow servers; httpx's transport over them."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import ssl
import threading
import time
import typing
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import Any

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http.errors import TooSlowError, UnexpectedResponseError
from backends.http.httpx_loader import httpcore, httpx
from backends.net import is_loopback

MOST_HEADER_BYTES = 1 << 20  # of all interim (1xx) responses and the headers; h11 limits each alone to 100 KB
clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `read` is the longest silence, not the longest response.

    `headers`: from the last byte of a request until its response's headers are complete, interim (1xx) ones included.
    A body slower than `lowest_speed` (bytes a second; 0: any speed will do) over `speed_time` seconds fails.
    """

    connect: float = 10.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 30.0
    headers: float = 60.0
    lowest_speed: float = 1024.0
    speed_time: float = 30.0

    def extension(self) -> dict[str, float]:
        """As httpx wants them."""
        return dict(zip(("connect", "read", "write", "pool"), astuple(self), strict=False))


class Meter:
    """Measures one request; the stream that it is read from reports each write and read."""

    def __init__(self, host: str, timeouts: Timeouts, *, check_speed: bool = True) -> None:
        self._host = host
        self._timeouts = timeouts
        self._check_speed = check_speed and timeouts.lowest_speed > 0
        self._in_headers = True
        self._wrote_at = self._read_at = clock()
        self._bytes = 0
        self._waited = 0.0
        self._shortened = False  # whether the timeout of this read is what is left of the deadline

    def wrote(self) -> None:
        """A part of the request has been sent (to the proxy or to the server)."""
        self._wrote_at = clock()

    def end_headers(self) -> None:
        self._in_headers, self._bytes = False, 0

    def begin_read(self, timeout: float | None) -> float | None:
        """Called before each read with its timeout; returns the one to use."""
        self._read_at = clock()
        if not self._in_headers:
            return timeout
        left = self._timeouts.headers - (self._read_at - self._wrote_at)
        if left <= 0:
            raise self._late_headers()
        self._shortened = timeout is None or left < timeout
        return left if self._shortened else timeout

    def end_read(self, received: int) -> None:
        """Called after each read. Raises `TooSlowError`, or `UnexpectedResponseError` for headers without an end."""
        now = clock()
        self._bytes += received
        if self._in_headers:
            if self._bytes > MOST_HEADER_BYTES:
                raise UnexpectedResponseError(
                    f"{self._host} sends headers without an end.", "Check the URL of the system."
                )
            return
        self._waited += now - self._read_at
        if self._check_speed and self._waited >= self._timeouts.speed_time:
            if self._bytes < self._timeouts.lowest_speed * self._waited:
                raise self._slow_body()
            self._bytes, self._waited = 0, 0.0

    def timed_out(self) -> None:
        """Called when a read met its timeout. Raises `TooSlowError` if that is the deadline of the headers."""
        if self._in_headers and self._shortened:
            raise self._late_headers()

    def _late_headers(self) -> TooSlowError:
        return TooSlowError(
            f"{self._host} has not sent the headers of its response within {self._timeouts.headers:g} s.", "Try again."
        )

    def _slow_body(self) -> TooSlowError:
        return TooSlowError(
            f"{self._host} sends too slowly: {self._bytes:,} bytes in {self._waited:.0f} s, "
            f"less than {self._timeouts.lowest_speed:,.0f} bytes/s.",
            "Try again.",
        )


_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
_MOST_READ = 256 << 10
_Mapping = dict[type[Exception], type[Exception]]


class Lease:
    """One request's hold on whichever socket it blocks on; pulling `cancel` shuts that socket down.

    Closing a file descriptor does not wake a recv() on Linux, shutdown() does. The same socket may serve another
    request right afterwards, so `end()` gives it up under the lock that waking takes.
    """

    def __init__(self, cancel: CancelToken | None, meter: Meter | None = None) -> None:
        self.cancel = cancel
        self.meter = meter
        self.connected = False  # whether this request had to open a connection
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._forget = cancel.on_cancel(self._wake) if cancel is not None else None

    def hold(self, sock: socket.socket) -> None:
        """From here on the request blocks on `sock`; raises `OperationCancelledError` if it is too late for that."""
        if self.cancel is None:
            return
        with self._lock:
            self._socket = sock
        self.cancel.check()

    def let_go(self) -> None:
        with self._lock:
            self._socket = None

    def end(self) -> None:
        self.let_go()
        if self._forget is not None:
            self._forget()

    def _wake(self) -> None:
        with self._lock:
            if self._socket is not None:
                shut_down(self._socket)


def shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        # Not SSLSocket.shutdown: that throws the TLS state away under the reader's feet.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Here(threading.local):
    lease: Lease | None = None


_here = _Here()


@contextlib.contextmanager
def current_lease(lease: Lease) -> Iterator[None]:
    """Within it, connections that this thread opens or writes to belong to `lease`."""
    before, _here.lease = _here.lease, lease
    try:
        yield
    finally:
        _here.lease = before


@contextlib.contextmanager
def _mapped(mapping: _Mapping) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for theirs, ours in mapping.items():
            if isinstance(error, theirs):
                raise ours(error) from error
        raise


_CONNECTING: _Mapping = {TimeoutError: httpcore.ConnectTimeout, OSError: httpcore.ConnectError}


class WakeableStream(httpcore.NetworkStream):
    """A connected socket. While a body fills what is asked for, it asks for 256 KB instead of httpcore's 64 KB:
    four 200 MB files at once then cost 1.1-1.4 s of CPU instead of 2.6 s, for the threads take fewer turns.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._timeout: float | None = sock.gettimeout()
        self._lease: Lease | None = None
        self._flows = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        meter = self._lease.meter if self._lease is not None else None
        try:
            self._limit(timeout if meter is None else meter.begin_read(timeout))
            received = self._socket.recv(_MOST_READ if self._flows else max_bytes)
            self._flows = len(received) >= max_bytes
            if meter is not None:
                meter.end_read(len(received))
            return received
        except TimeoutError as error:
            if meter is not None:
                meter.timed_out()
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        # A request begins with a write in the thread that asks for it: from now on this socket is its.
        self._lease = _here.lease
        if self._lease is not None:
            self._lease.hold(self._socket)
        try:
            self._limit(timeout)
            self._socket.sendall(buffer)
            if self._lease is not None and self._lease.meter is not None:
                self._lease.meter.wrote()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def close(self) -> None:
        if self._lease is not None:
            self._lease.let_go()
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        lease = _here.lease
        # wrap_socket takes the descriptor away from our socket, so the one to shut down is a duplicate.
        handle = self._socket.dup()
        try:
            if lease is not None:
                lease.hold(handle)
            with _mapped(_CONNECTING):
                self._limit(timeout)
                sock = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        finally:
            if lease is not None:
                lease.let_go()
            handle.close()
        return WakeableStream(sock)

    def get_extra_info(self, info: str) -> typing.Any:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        if info == "socket":
            return self._socket
        if info == "is_readable":
            return _is_readable(self._socket)
        return None

    def _limit(self, timeout: float | None) -> None:
        if timeout != self._timeout:  # saves a system call for each read
            self._socket.settimeout(timeout)
            self._timeout = timeout


def _is_readable(sock: socket.socket) -> bool:
    """Between two requests that means: the server has closed the connection."""
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class WakeableBackend(httpcore.NetworkBackend):
    """Opens connections that the lease of the calling thread can interrupt, even before they are made."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        if _here.lease is not None:
            _here.lease.connected = True
        failure: Exception = httpcore.ConnectError(f"{host} has no IP address")
        with _mapped(_CONNECTING):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            try:
                return WakeableStream(_connect(family, kind, protocol, address, timeout))
            except OSError as error:
                made = httpcore.ConnectTimeout if isinstance(error, TimeoutError) else httpcore.ConnectError
                failure = made(error)
                failure.__cause__ = error
        raise failure

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _connect(family: int, kind: int, protocol: int, address: typing.Any, timeout: float | None) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    lease = _here.lease
    try:
        sock.settimeout(timeout)
        if lease is not None:
            lease.hold(sock)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except BaseException as error:
        if lease is not None:
            lease.let_go()
        sock.close()
        if isinstance(error, OSError) and lease is not None and lease.cancel is not None and lease.cancel.cancelled:
            raise OperationCancelledError from error
        raise


KEEP_ALIVE = 30.0  # seconds a connection is kept for the next request
_context_lock = threading.Lock()


@functools.cache
def _make_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def shared_context() -> ssl.SSLContext:
    """The one TLS context of the process: making one costs 20 ms, and sixteen downloaders need the same."""
    with _context_lock:
        return _make_context()


@functools.cache
def _environment_proxies() -> dict[str, str]:
    return urllib.request.getproxies()  # looks at the whole environment, or asks the system


def proxy_of(url: httpx.URL) -> str:
    """The proxy that the environment names for that address; none for this machine."""
    if is_loopback(url.host):
        return ""
    proxies = _environment_proxies()
    if not proxies or urllib.request.proxy_bypass(url.host):
        return ""
    return proxies.get(url.scheme) or proxies.get("all") or ""


class Transport(httpx.BaseTransport):
    """HTTP/1.1 only: HTTP/2 in Python is 5.7 times slower on big files, and a woken socket would end all its streams.

    Differs from `httpx.HTTPTransport` in that a blocked request can be woken by its `Lease` (in
    `extensions["lease"]`), that the TLS context is shared and made only when it is needed, and that a request which
    finds its kept connection closed by the server is sent again at once on a new one.
    """

    def __init__(self, *, max_connections: int | None = None, max_keepalive: int = 32) -> None:
        self._limits: dict[str, Any] = {
            "max_connections": max_connections,
            "max_keepalive_connections": max_keepalive,
            "keepalive_expiry": KEEP_ALIVE,
            "network_backend": WakeableBackend(),
        }
        self._pools: dict[tuple[bool, str], httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        lease: Lease = request.extensions.get("lease") or Lease(None)
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": request.extensions.get("timeout", {})},
        )
        with current_lease(lease):
            try:
                answer = self._send(asked, self._pool(url), lease)
            except Exception as error:
                raise _as_httpx(error, request) from error
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream, request))

    def close(self) -> None:
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()

    @staticmethod
    def _send(asked: httpcore.Request, pool: httpcore.ConnectionPool, lease: Lease) -> httpcore.Response:
        try:
            return pool.handle_request(asked)
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
            # A kept connection that the server closed just now says nothing about the server. Safe to repeat only
            # what has no effect, and only once: then `connected` is true.
            if lease.connected or asked.method not in (b"GET", b"HEAD"):
                raise
            if lease.cancel is not None:
                lease.cancel.check()
            return pool.handle_request(asked)

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        key = (url.scheme == "https", proxy_of(url))
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._make_pool(*key)
            return pool

    def _make_pool(self, secure: bool, proxy: str) -> httpcore.ConnectionPool:
        context = shared_context() if secure else None
        if not proxy:
            return httpcore.ConnectionPool(ssl_context=context, **self._limits)
        url = httpx.URL(proxy if "://" in proxy else f"http://{proxy}")
        if url.scheme != "http":  # that is how the proxy itself is spoken to; what goes through it is still TLS
            raise httpcore.ProxyError("only http proxies are supported")
        auth = (url.username, url.password) if url.userinfo else None
        return httpcore.HTTPProxy(
            proxy_url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/"),
            proxy_auth=auth,
            ssl_context=context,
            **self._limits,
        )


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except Exception as error:
            raise _as_httpx(error, self._request) from error

    def close(self) -> None:
        self._stream.close()


def _as_httpx(error: Exception, request: httpx.Request) -> Exception:
    """The error of httpx that bears the name of httpcore's; what is not httpcore's passes unchanged."""
    for kind in type(error).__mro__:
        same = getattr(httpx, kind.__name__, None)
        if kind.__module__ == "httpcore" and isinstance(same, type) and issubclass(same, httpx.TransportError):
            return same(str(error), request=request)
    return error
