"""How the demo misbehaves when asked to: busy, throttling, silent, cut off, or short, at a chosen rate.

The sequence is a function of the seed and the number of the request. No address fails more than three times in a row,
so a client that tries five times always succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from backends.demo.replies import App, Receive, Scope, Send
from backends.demo.seeds import fraction
from backends.listener import GuardedProtocol

KINDS = ("503", "429", "stall", "cut", "short")
_IN_A_ROW = 3
_STALL_SECONDS = 3.0
_MISSING_BYTES = 17

_transports: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(GuardedProtocol):
    """The servers' protocol, which remembers its connections: ASGI has no word for closing one without an answer."""

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
    """Wraps an application. `rate` is that of each kind; five kinds at 0.2 leave nothing to succeed at once."""

    def __init__(self, app: App, rate: float, seed: int, stall_seconds: float = _STALL_SECONDS) -> None:
        self._app, self._rate, self._seed, self._stall = app, min(rate, 1 / len(KINDS)), seed, stall_seconds
        self._count = 0
        self._in_a_row: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match self.next_kind(_place(scope)):
            case "":
                await self._app(scope, receive, send)
            case "503":
                await _refuse(send, 503, b"Service Unavailable", ())
            case "429":
                after = str(self._count % 2).encode()
                await _refuse(send, 429, b"Too Many Requests", ((b"retry-after", after),))
            case "stall":
                await asyncio.sleep(self._stall)
                _cut(scope)
                # Lets the protocol hear of the lost connection before it misses an answer.
                await asyncio.sleep(0)
            case "cut":
                await self._app(scope, receive, Cutting(send).half)
            case _:
                await self._app(scope, receive, Cutting(send).short)

    def next_kind(self, path: str) -> str:
        """What happens to the next request: one of KINDS, or "" for nothing."""
        self._count += 1
        draw = fraction(self._seed, "fault", self._count)
        failed = self._in_a_row.get(path, 0)
        if self._rate <= 0 or draw >= self._rate * len(KINDS) or failed >= _IN_A_ROW:
            self._in_a_row.pop(path, None)
            return ""
        self._in_a_row[path] = failed + 1
        return KINDS[min(int(draw / self._rate), len(KINDS) - 1)]


class Cutting:
    """Two ways to spoil an answer; both end without the last message, upon which the connection is closed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._done = False

    async def half(self, message: MutableMapping[str, Any]) -> None:
        """Half of the first piece, then nothing."""
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._done:
            self._done = True
            body = message.get("body", b"")
            if body:
                await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    async def short(self, message: MutableMapping[str, Any]) -> None:
        """Everything, under a length that promises more."""
        if message["type"] == "http.response.start":
            headers = [
                (name, str(int(value) + _MISSING_BYTES).encode() if name == b"content-length" else value)
                for name, value in message["headers"]
            ]
            await self._send({**message, "headers": headers})
        elif message.get("body"):
            await self._send({**message, "more_body": True})


def _place(scope: Scope) -> str:
    """What counts as one request: a bucket's listings share a path, a signature is another every second."""
    query = scope["query_string"].decode("latin-1")
    return scope["path"] if not query or "X-Amz-Signature" in query else f"{scope['path']}?{query}"


async def _refuse(send: Send, status: int, body: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _cut(scope: Scope) -> None:
    transport = _transports.get(tuple(scope["client"])) if scope.get("client") else None
    if transport is not None:
        transport.abort()
