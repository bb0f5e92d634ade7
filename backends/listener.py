"""A server that idle, slow or too many connections cannot stop: uvicorn with deadlines, limits and rare messages.

uvicorn itself waits for ever for the rest of a header, has no limit on connections that wait, and asyncio writes a
traceback for each connection that finds no file descriptor (thousands a second, until the disk is full).
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0  # for a whole request, from the connection's or its own first byte
STALLED_SECONDS = 60.0  # without reading anything of the response
IDLE_SECONDS = 15  # between two requests of a connection
BACKLOG = 128  # asyncio accepts so many at a time, and fails as often in a row without file descriptors
MOST_CONNECTIONS = 256
_MINUTE = 60.0
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REFUSED_SECONDS = 2.0  # until a connection is closed that sends nothing to answer
_BUSY_TEXT = b"Too many connections. Try again soon.\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_BUSY_TEXT), _BUSY_TEXT)
)

Note = Callable[[str, str], None]


def silent(kind: str, sentence: str) -> None:
    """For servers that tell nobody."""


class QuietLog:
    """Passes on one sentence of a kind in a minute, with the count of those that it kept back."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def __call__(self, kind: str, sentence: str) -> None:
        with self._lock:
            now = self._clock()
            if now - self._last.get(kind, -_MINUTE) < _MINUTE:
                self._kept_back[kind] = self._kept_back.get(kind, 0) + 1
                return
            self._last[kind] = now
            more = self._kept_back.pop(kind, 0)
        self._write(f"{sentence} (And {more:,} more like it since the last note.)" if more else sentence)


class GuardedProtocol(H11Protocol):
    """One connection: a request has to come within a time, a response has to be read, and of too many connections the
    one that has waited longest for a request is closed. Where all are busy a new one gets 503."""

    header_seconds = HEADER_SECONDS
    most = MOST_CONNECTIONS
    note: Note = staticmethod(silent)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._since = self.loop.time()
        self._refused = False

    @property
    def is_waiting(self) -> bool:
        """Whether no response is being made: the client has to do something."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most and not close_idle(self.connections, but=self):
            self.note("busy", f"More than {self.most:,} connections are busy; new ones are answered with 503.")
            self._refused = True
            self._deadline = self.loop.call_later(_REFUSED_SECONDS, self._too_slow)
            if len(self.connections) > 2 * self.most:
                transport.abort()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._refused:  # not before the request came: closing with it unread would take the answer back
            self.transport.write(_BUSY)
            self.transport.close()
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()
        self._unwatch()
        if self.conn.their_state is not h11.IDLE:  # the rest of a body that nobody wanted
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_SECONDS, self._too_slow)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self.flow is not None:
            super().resume_writing()

    def _watch(self) -> None:
        """The deadline runs from the first byte on and not from the last one: a byte now and then does not help."""
        if not self.is_waiting:
            self._unwatch()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.header_seconds, self._too_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


def close_idle(connections: set[Any], but: Any = None) -> bool:
    """Closes the connection that has waited longest for a request; whether there was one."""
    waiting = [
        one
        for one in connections
        if one is not but and isinstance(one, GuardedProtocol) and one.is_waiting and not one.transport.is_closing()
    ]
    if not waiting:
        return False
    oldest = min(waiting, key=lambda one: one._since)
    connections.discard(oldest)
    oldest.transport.abort()
    return True


class Server(uvicorn.Server):
    """Says when it listens; uvicorn itself has to be asked again and again. Its loop's complaints become notes."""

    def __init__(self, config: uvicorn.Config, note: Note = silent) -> None:
        super().__init__(config)
        self.listening = threading.Event()
        self._note = note

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._complained)
        await super().startup(sockets)
        self.listening.set()

    def _complained(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
            close_idle(self.server_state.connections)
            self._note("descriptors", "There are no file descriptors left; connections wait (see `ulimit -n`).")
        elif not isinstance(error, ConnectionError):
            kind = type(error).__name__ if error is not None else "loop"
            self._note(kind, f"A connection failed inside: {kind}.")


def most_connections() -> int:
    """How many connections this process can afford: a quarter of its file descriptors are theirs."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(8, min(MOST_CONNECTIONS, soft // 4))


def configure(
    app: Any, note: Note = silent, *, protocol: type[GuardedProtocol] = GuardedProtocol, most: int | None = None,
    header_seconds: float = HEADER_SECONDS, **options: Any,
) -> uvicorn.Config:  # fmt: skip
    """What both servers share; `options` are uvicorn's own."""
    own = {
        "most": most if most is not None else most_connections(),
        "header_seconds": header_seconds,
        "note": staticmethod(note),
    }
    given: dict[str, Any] = {
        "http": type("Protocol", (protocol,), own), "ws": "none", "loop": "asyncio", "lifespan": "off",
        "log_config": None, "log_level": "critical", "access_log": False, "server_header": False,
        "timeout_keep_alive": IDLE_SECONDS, "backlog": BACKLOG, **options,
    }  # fmt: skip
    return uvicorn.Config(app, **given)
