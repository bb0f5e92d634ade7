"""What a route answers: one value for status, headers and body, and how it is put on the wire.

A route is a plain function from Request to Reply; no framework stands between, since the benchmarks count the
milliseconds of this server as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from backends.demo.codings import OFFERED, preferred_coding

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_READ_LIMIT = 1 << 22


@dataclass(frozen=True)
class Request:
    """A request whose path is decoded once; `params` are what the route's pattern found in it."""

    method: str
    path: str
    raw_path: str
    query: Mapping[str, str]
    raw_query: str
    headers: Mapping[str, str]
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)
    codings: tuple[str, ...] = OFFERED  # that the server can make, in the order in which it likes them

    @property
    def coding(self) -> str:
        """The content coding to answer with, "" for none."""
        return preferred_coding(self.headers.get("accept-encoding", ""), self.codings)

    @property
    def accepts_gzip(self) -> bool:
        return "gzip" in self.headers.get("accept-encoding", "")


@dataclass(frozen=True)
class Reply:
    """An answer. `length` None with a stream means chunked; a HEAD is answered with the same headers and no body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    stream: Iterator[bytes] | AsyncIterator[bytes] | None = None
    length: int | None = None
    chunked: bool = False


async def read(scope: Scope, receive: Receive) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    while scope["method"] == "POST":
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > _READ_LIMIT:
            break
    return Request(
        scope["method"],
        scope["path"],
        scope["raw_path"].decode("latin-1"),
        dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        scope["query_string"].decode("latin-1"),
        headers,
        body,
    )


async def send_reply(reply: Reply, receive: Receive, send: Send, *, head: bool) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    length = reply.length if reply.stream is not None else len(reply.body)
    if length is not None and not reply.chunked and reply.status != 304:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if not head and reply.stream is not None:
        if isinstance(reply.stream, AsyncIterator):
            await _send_until_gone(reply.stream, receive, send)
        else:
            for piece in reply.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": b"" if head or reply.status == 304 else reply.body})


async def _send_until_gone(stream: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """A live log may last for minutes; a client that has left must not keep it going."""
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async for piece in stream:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
