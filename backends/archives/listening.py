"""An Archiver that listens: a socket, a thread that serves it, and an end that leaves nothing running."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from backends.archives.engine import Engine
from backends.archives.serving import LOOKUP_SECONDS, ArchiverService
from backends.atomic import disk_words
from backends.errors import AppError
from backends.listener import HEADER_SECONDS, QuietLog, Server, configure
from backends.net import is_loopback

_START_SECONDS = 20.0


class ArchiverServer:
    """Serves between `start` and `stop`; also a context manager. `port` 0 takes a free one; `url` once it listens.

    `write` gets what the operator should know, one sentence of a kind in a minute. `lookup_seconds`, `header_seconds`
    and `most` are for tests.
    """

    def __init__(
        self, engine: Engine, host: str = "127.0.0.1", port: int = 0,
        write: Callable[[str], None] = lambda sentence: None, *,
        lookup_seconds: float = LOOKUP_SECONDS, header_seconds: float = HEADER_SECONDS, most: int | None = None,
    ) -> None:  # fmt: skip
        self._note = QuietLog(write)
        self.service = ArchiverService(
            engine, loopback=is_loopback(host) and ":" not in host, note=self._note, seconds=lookup_seconds
        )
        self._host, self._port = host, port
        self._header_seconds, self._most = header_seconds, most
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Raises `AppError` where it cannot listen."""
        try:
            listener = socket.create_server(
                (self._host, self._port), family=socket.AF_INET6 if ":" in self._host else socket.AF_INET
            )
        except OSError as error:
            raise AppError(
                f"{self._host} port {self._port} cannot be listened at: {disk_words(error)}.", "Choose another --port."
            ) from error
        self._port = listener.getsockname()[1]
        config = configure(
            self.service.app, self._note, most=self._most, header_seconds=self._header_seconds,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        self._server = Server(config, self._note)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="archiver", daemon=True)
        self._thread.start()
        if not self._server.listening.wait(_START_SECONDS):
            raise AppError("The server did not come up.", "Try again.")

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_START_SECONDS)
            self._server = self._thread = None
        self.service.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
