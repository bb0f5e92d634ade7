"""The embedded CI in this process: its services, each on a port of its own, and a thread that serves them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from backends.demo.archives import DemoHgweb
from backends.demo.asgi import CODINGS, App, DemoReply, DemoRequest, Receive, Scope, Send, read_request, send_reply
from backends.demo.fault_injection import CuttableProtocol, Faults
from backends.demo.options import DemoOptions
from backends.demo.prow.storage_api import ProwStorage
from backends.demo.submit import SubmissionServer
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.service import Storage, Taskcluster
from backends.demo.treeherder.service import DemoTreeherder
from backends.listener import Server, configure

# A demo that runs for days must not keep every request.
_MAX_REQUESTS = 100_000
_START_SECONDS = 20.0


class Service(Protocol):
    """One system. It is created before its port is known; then `ready` tells it its URL."""

    def ready(self, url: str) -> None: ...

    def settings(self) -> dict[str, str]:
        """Environment variables that make ciexplore use it."""
        ...

    def reply(self, request: DemoRequest) -> DemoReply: ...


class ServedRequest(NamedTuple):
    """`status` is 0 if the connection was cut before a status was sent."""

    method: str
    path: str
    status: int


class DemoServer:
    """Serves from a daemon thread between `start()` and `stop()`; also a context manager.

    `elapsed` (seconds since the start, for the running group), `now` (UTC timestamp, for signed URLs), `stall_seconds`
    and `codings` (content codings of Taskcluster's services) are for tests. `requests` lists the served requests.
    """

    def __init__(
        self,
        options: DemoOptions | None = None,
        *,
        elapsed: Callable[[], float] | None = None,
        now: Callable[[], float] = time.time,
        stall_seconds: float = 3.0,
        codings: tuple[str, ...] = CODINGS,
    ) -> None:
        self.options = options or DemoOptions()
        self.requests: deque[ServedRequest] = deque(maxlen=_MAX_REQUESTS)
        self._elapsed, self._now, self._stall, self._codings = elapsed, now, stall_seconds, codings
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._services: dict[int, Service] = {}  # by port

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that make ciexplore use this server."""
        return {name: value for service in self._services.values() for name, value in service.settings().items()}

    @property
    def root_url(self) -> str:
        return self.settings["TASKCLUSTER_ROOT_URL"]

    def start(self) -> None:
        """Returns when all ports listen. Raises OSError if the chosen port is taken."""
        options = self.options
        self.fixtures = Fixtures(options, self._elapsed)
        storage = Storage(self.fixtures, self._now)
        self.taskcluster = Taskcluster(self.fixtures, storage, self._codings)
        self.treeherder = DemoTreeherder(self.fixtures)
        others = (
            ProwStorage(options.seed),
            self.treeherder,
            DemoHgweb(self.fixtures),
            SubmissionServer(),
        )
        sockets: list[socket.socket] = []
        for service in (self.taskcluster, storage, *others):
            sockets.append(_listen(0 if sockets else options.port))
            port = sockets[-1].getsockname()[1]
            service.ready(f"http://127.0.0.1:{port}")
            self._services[port] = service
        config = configure(
            self._wrapped(self._handle), protocol=CuttableProtocol, interface="asgi3", timeout_keep_alive=60
        )
        self._server = Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="demo server", daemon=True)
        self._thread.start()
        if not self._server.listening.wait(_START_SECONDS):
            raise RuntimeError("the demo server did not start")

    def stop(self) -> None:
        """Closes all connections, including open live logs, and returns when the thread has ended."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(_START_SECONDS)
        self._server = self._thread = None

    def warm(self) -> None:
        """Generates the pages of the finished group and what Treeherder has: the app asks that for the group's push.

        So that a benchmark measures its client only.
        """
        self.taskcluster.warm()
        self.treeherder.warm()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self._services[scope["server"][1]]
        request = await read_request(scope, receive)
        # In a thread (which costs a tenth of a millisecond): contents may have to be generated first.
        reply = await asyncio.to_thread(service.reply, request)
        await send_reply(request, reply, receive, send)

    def _wrapped(self, app: App) -> App:
        options = self.options
        if options.fault:
            app = Faults(app, options.fault, options.seed, self._stall)
        latency = options.latency_ms / 1000

        async def log_and_delay(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0

            async def send_and_log(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    self.requests.append(ServedRequest(scope["method"], scope["path"], status))
                await send(message)

            if latency:
                await asyncio.sleep(latency)
            await app(scope, receive, send_and_log)
            if not status:
                self.requests.append(ServedRequest(scope["method"], scope["path"], 0))

        return log_and_delay


def _listen(port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only for sockets created with IPPROTO_TCP; else a body waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener
