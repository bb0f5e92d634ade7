"""The embedded CI in this process: listening sockets, a thread that serves them, and the settings that lead there."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from backends.demo.codings import OFFERED
from backends.demo.fault_injection import CuttableProtocol, Faults
from backends.demo.options import DemoOptions
from backends.demo.replies import App, Receive, Scope, Send
from backends.demo.services import Service, services
from backends.demo.taskcluster.service import Taskcluster
from backends.listener import Server, configure

# A demo that runs for days must not keep every request for ever.
_REMEMBERED = 100_000
_START_SECONDS = 20.0


class Served(NamedTuple):
    """One request that was answered (status 0: cut off before a status was sent)."""

    method: str
    path: str
    status: int


class DemoServer:
    """Serves from a daemon thread between `start()` and `stop()`; also a context manager.

    `elapsed` (seconds since the start, for the running group), `now` (UTC timestamp, for signed URLs),
    `stall_seconds` and `codings` (the content codings that Taskcluster's services make) are for tests. `requests` lists
    what has been served.
    """

    def __init__(
        self,
        options: DemoOptions | None = None,
        *,
        elapsed: Callable[[], float] | None = None,
        now: Callable[[], float] = time.time,
        stall_seconds: float = 3.0,
        codings: tuple[str, ...] = OFFERED,
    ) -> None:
        self.options = options or DemoOptions()
        self.requests: deque[Served] = deque(maxlen=_REMEMBERED)
        self._elapsed, self._now, self._stall, self._codings = elapsed, now, stall_seconds, codings
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._ports = (0, 0)
        self._services: dict[int, Service] = {}  # by port

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables and their values: what makes ciexplore use this server."""
        found = {"TASKCLUSTER_ROOT_URL": self.root_url}
        for service in self._services.values():
            found.update(service.settings())
        return found

    @property
    def root_url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def storage_url(self) -> str:
        return f"http://127.0.0.1:{self._ports[1]}"

    def start(self) -> None:
        """Returns when all ports listen. Raises OSError if the chosen port is taken."""
        sockets = [_listen(self.options.port), _listen(0)]
        self._ports = (sockets[0].getsockname()[1], sockets[1].getsockname()[1])
        for service in services(self.options):
            sockets.append(_listen(0))
            port = sockets[-1].getsockname()[1]
            service.ready(f"http://127.0.0.1:{port}")
            self._services[port] = service
        self.taskcluster = Taskcluster(self.options, elapsed=self._elapsed, now=self._now, codings=self._codings)
        self.taskcluster.ready(*self._ports)
        config = configure(
            self._wrapped(self._routed), protocol=CuttableProtocol, interface="asgi3", timeout_keep_alive=60
        )
        self._server = Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="demo server", daemon=True)
        self._thread.start()
        if not self._server.listening.wait(_START_SECONDS):
            raise RuntimeError("the demo server did not come up")

    def stop(self) -> None:
        """Closes all connections, held-open live logs too, and returns when the thread has ended."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(_START_SECONDS)
        self._server = self._thread = None

    def warm(self) -> None:
        """Makes the pages of the finished group now, so that the first listing costs the server nothing."""
        self.taskcluster.queue.warm()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._services.get(scope["server"][1], self.taskcluster)(scope, receive, send)

    def _wrapped(self, app: App) -> App:
        options = self.options
        if options.fault:
            app = Faults(app, options.fault, options.seed, self._stall)
        latency = options.latency_ms / 1000

        async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0

            async def noted(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    self.requests.append(Served(scope["method"], scope["path"], status))
                await send(message)

            if latency:
                await asyncio.sleep(latency)
            await app(scope, receive, noted)
            if not status:
                self.requests.append(Served(scope["method"], scope["path"], 0))

        return outermost


def _listen(port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off for sockets that say TCP only; with it a body waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener
