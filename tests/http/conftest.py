"""Servers on loopback that say exactly the bytes a test wants, and clients that do not wait between tries."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http import Http
from backends.http.httpx_loader import httpx

Talk = Callable[[socket.socket, bytes], None]


class RawServer:
    """Calls `talk(connection, head)` for each request head that comes in; keeps count of what it saw."""

    def __init__(self, talk: Talk, *, greets: bool = False) -> None:
        self.heads: list[bytes] = []
        self.connections: list[socket.socket] = []
        self.seen = threading.Semaphore(0)  # one release for each request (or connection, if it greets)
        self._talk = talk
        self._greets = greets
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._greets:
                self.seen.release()
                self._talk(connection, b"")
                return
            while head := read_head(connection):
                self.heads.append(head)
                self.seen.release()
                self._talk(connection, head)

    def close(self) -> None:
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            return b""
        head += more
    return head


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    running: list[RawServer] = []

    def start(talk: Talk, *, greets: bool = False) -> RawServer:
        running.append(RawServer(talk, greets=greets))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def say() -> Callable[..., bytes]:
    return answer


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Http]]:
    """Makes clients over a handler; `client.waits` are the pauses they would have made."""
    made: list[Http] = []
    waits: list[float] = []

    def make(handler: Callable[[httpx.Request], httpx.Response] | None = None, **options: Any) -> Http:
        options.setdefault("cache_dir", tmp_path / "cache")
        transport = httpx.MockTransport(handler) if handler is not None else None
        options.setdefault("pause", lambda seconds, cancel: waits.append(seconds))
        http = Http(transport=transport, clock=clock, **options)
        made.append(http)
        return http

    make.waits = waits  # type: ignore[attr-defined]
    yield make
    for http in made:
        http.close()


def _cancelled_while(blocked: Callable[[CancelToken], Any], is_blocked: Callable[[], object]) -> None:
    """Runs `blocked` in a thread, cancels it once it is under way and expects `OperationCancelledError`."""
    cancel = CancelToken()
    found: list[BaseException] = []

    def run() -> None:
        try:
            blocked(cancel)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    is_blocked()
    cancel.cancel()
    thread.join(15)
    assert not thread.is_alive(), "nobody woke it"
    assert [type(error) for error in found] == [OperationCancelledError]


@pytest.fixture
def cancelled_while() -> Callable[[Callable[[CancelToken], Any], Callable[[], object]], None]:
    return _cancelled_while
