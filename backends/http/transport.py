"""How a request gets onto the network: our httpx transport over connections that can be woken, and proxies."""

from __future__ import annotations

import functools
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

from backends.http.stack import httpcore, httpx
from backends.http.wakeable import Lease, WakeableBackend, leased
from backends.net import is_loopback

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
        with leased(lease):
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
