"""Injected failures at a chosen rate: 503, 429, a stall, a response cut off, or one shorter than announced.

The sequence follows from the seed and the number of the request. No URL fails more than three times in a row, so a
client that tries five times always succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from backends.demo.asgi import App, Receive, Scope, Send
from backends.demo.deterministic_random import fraction
from backends.listener import GuardedProtocol

KINDS = ("503", "429", "stall", "cut", "short")
_MAX_IN_A_ROW = 3
_STALL_SECONDS = 3.0
_MISSING_BYTES = 17

_transports: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(GuardedProtocol):
    """Remembers its connections: ASGI cannot close one without a response."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        if peer:
            _transports[(peer[0], peer[1])] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _transports.pop(self.client, None)
        super().connection_lost(exc)


class Faults:
    """Wraps an application. `rate` is that of each kind: with 0.2 every first try fails."""

    def __init__(self, app: App, rate: float, seed: int, stall_seconds: float = _STALL_SECONDS) -> None:
        self._app, self._rate, self._seed, self._stall = app, min(rate, 1 / len(KINDS)), seed, stall_seconds
        self._count = 0
        self._in_a_row: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match self.next_kind(_request_key(scope)):
            case "":
                await self._app(scope, receive, send)
            case "503":
                await _refuse(send, 503, b"Service Unavailable", ())
            case "429":
                after = str(self._count % 2).encode()
                await _refuse(send, 429, b"Too Many Requests", ((b"retry-after", after),))
            case "stall":
                await asyncio.sleep(self._stall)
                _abort_connection(scope)
                # The protocol has to notice the lost connection before it misses a response.
                await asyncio.sleep(0)
            case "cut":
                await self._app(scope, receive, _TruncatedSend(send).send_half)
            case _:
                await self._app(scope, receive, _TruncatedSend(send).send_short)

    def next_kind(self, path: str) -> str:
        """The failure of the next request: one of KINDS, or "" for none."""
        self._count += 1
        draw = fraction(self._seed, "fault", self._count)
        failed = self._in_a_row.get(path, 0)
        if self._rate <= 0 or draw >= self._rate * len(KINDS) or failed >= _MAX_IN_A_ROW:
            self._in_a_row.pop(path, None)
            return ""
        self._in_a_row[path] = failed + 1
        return KINDS[min(int(draw / self._rate), len(KINDS) - 1)]


class _TruncatedSend:
    """Two ways to break a response; both leave out the last message, whereupon the connection is closed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._done = False

    async def send_half(self, message: MutableMapping[str, Any]) -> None:
        """Half of the first chunk, then nothing."""
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._done:
            self._done = True
            body = message.get("body", b"")
            if body:
                await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    async def send_short(self, message: MutableMapping[str, Any]) -> None:
        """All bytes, but Content-Length announces more."""
        if message["type"] == "http.response.start":
            headers = [
                (name, str(int(value) + _MISSING_BYTES).encode() if name == b"content-length" else value)
                for name, value in message["headers"]
            ]
            await self._send({**message, "headers": headers})
        elif message.get("body"):
            await self._send({**message, "more_body": True})


def _request_key(scope: Scope) -> str:
    """Listings of a bucket differ in the query only; signatures change every second and do not count."""
    query = scope["query_string"].decode("latin-1")
    return scope["path"] if not query or "X-Amz-Signature" in query else f"{scope['path']}?{query}"


async def _refuse(send: Send, status: int, body: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _abort_connection(scope: Scope) -> None:
    transport = _transports.get(tuple(scope["client"])) if scope.get("client") else None
    if transport is not None:
        transport.abort()
