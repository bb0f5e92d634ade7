"""What all services share: requests and replies, how they are sent, routes, byte ranges and content codings.

A route's function goes from `Request` to `Reply`; there is no web framework in between, since the benchmarks count this
server's milliseconds too.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[str, str], ...]
Chunks = Callable[[int, int], Iterator[bytes]]

MAX_REQUEST_BYTES = 1 << 22
CODINGS = ("br", "gzip", "zstd")
HTML: Headers = (("Content-Type", "text/html; charset=utf-8"),)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_SEGMENTS = {None: "[^/]+", "int": "[0-9]+", "path": ".+"}
# The cheapest levels: a page of a thousand tasks takes longer to send than to compress, and is kept afterwards.
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: bytes(import_module("brotli").compress(body, quality=1)),
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "zstd": lambda body: bytes(import_module("zstandard").ZstdCompressor(level=1).compress(body)),
}


@dataclass(frozen=True)
class DemoRequest:
    """`path` is decoded, `raw_path` is not; `query` has the last value of each parameter."""

    method: str
    path: str
    raw_path: str
    query: Mapping[str, str]
    raw_query: str
    headers: Mapping[str, str]
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        query = f"?{self.raw_query}" if self.raw_query else ""
        return f"http://{self.headers.get('host', '')}{self.raw_path}{query}"

    @property
    def accepts_gzip(self) -> bool:
        return "gzip" in self.headers.get("accept-encoding", "")


@dataclass(frozen=True)
class DemoReply:
    """A stream without `length`, or `chunked`, is sent without Content-Length. HEAD gets the headers only."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    stream: Iterator[bytes] | AsyncIterator[bytes] | None = None
    length: int | None = None
    chunked: bool = False


async def read_request(scope: Scope, receive: Receive) -> DemoRequest:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body, more = b"", scope["method"] == "POST"
    while more and len(body) <= MAX_REQUEST_BYTES:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    raw_path, raw_query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    return DemoRequest(scope["method"], scope["path"], raw_path, query, raw_query, headers, body)


async def send_reply(request: DemoRequest, reply: DemoReply, receive: Receive, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    length = reply.length if reply.stream is not None else len(reply.body)
    if length is not None and not reply.chunked and reply.status != 304:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = reply.body
    if request.method == "HEAD" or reply.status == 304:
        body = b""
    elif isinstance(reply.stream, AsyncIterator):
        await _stream_until_disconnect(reply.stream, receive, send)
    elif reply.stream is not None:
        for chunk in reply.stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": body})


async def _stream_until_disconnect(stream: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """A live log may last for minutes; it stops when the client has left."""

    async def wait_for_disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    disconnect = asyncio.ensure_future(wait_for_disconnect())
    try:
        async for chunk in stream:
            if disconnect.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        disconnect.cancel()


def json_reply(value: object, status: int = 200, headers: Headers = ()) -> DemoReply:
    return DemoReply(status, json.dumps(value).encode(), (("Content-Type", "application/json"), *headers))


def compile_route(path: str) -> re.Pattern[str]:
    """A pattern for `/task/{taskId}/runs/{run:int}/{name:path}`; `path` takes slashes and all that follows."""

    def group(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{_SEGMENTS[match[2]]})"

    return re.compile(re.sub(r"\{(\w+)(?::(\w+))?\}", group, path), re.DOTALL)


def ranged_reply(asked: str, headers: Headers, size: int, chunks: Chunks, not_satisfiable: DemoReply) -> DemoReply:
    """All bytes, or those of the Range header `asked`, from `chunks(start, stop)`; 416 if there are none."""
    match = _RANGE.fullmatch(asked)
    first, last = match.groups() if match else ("", "")
    if (not first and not last) or (first and last and int(last) < int(first)):
        return DemoReply(200, b"", headers, chunks(0, size), size)
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        content_range = ("Content-Range", f"bytes */{size}")
        return DemoReply(416, not_satisfiable.body, (*not_satisfiable.headers, content_range))
    content_range = ("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    return DemoReply(206, b"", (*headers, content_range), chunks(start, stop), stop - start)


def choose_coding(accept_encoding: str, offered: Sequence[str] = CODINGS) -> str:
    """The first offered coding that an Accept-Encoding header lists, "" for none; its weights are ignored."""
    accepted = {part.partition(";")[0].strip().lower() for part in accept_encoding.split(",")}
    return next((name for name in offered if name in accepted), "")


def compress(body: bytes, coding: str) -> bytes:
    return _ENCODERS[coding](body)
