"""The synthetic Taskcluster as one ASGI application on two ports: the root URL with its services, and the storage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from backends.demo.codings import OFFERED
from backends.demo.options import DemoOptions
from backends.demo.replies import Receive, Reply, Request, Scope, Send, read, send_reply
from backends.demo.taskcluster.api import Endpoint, answer, dispatch, run
from backends.demo.taskcluster.artifact_routes import ArtifactRoutes
from backends.demo.taskcluster.contents import Contents
from backends.demo.taskcluster.index import Index
from backends.demo.taskcluster.queue import Queue
from backends.demo.taskcluster.storage import Storage
from backends.demo.taskcluster.world import World

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Taskcluster (embedded demo)</title></head>
<body><div id="root">The embedded CI of ciexplore. It has services, but no web interface.</div></body></html>
"""


class Taskcluster:
    """Routes by local port; `ready` is told both ports once they are known."""

    def __init__(
        self,
        options: DemoOptions,
        *,
        elapsed: Callable[[], float] | None = None,
        now: Callable[[], float] = time.time,
        codings: tuple[str, ...] = OFFERED,
    ) -> None:
        self._codings = codings
        self.world = World(options, elapsed)
        self.contents = Contents(self.world)
        self.queue = Queue(self.world, codings)
        self._now = now
        self._storage_port = 0
        self._services: dict[str, list[Endpoint]] = {}

    def ready(self, root_port: int, storage_port: int) -> None:
        self._storage_port = storage_port
        self.storage = Storage(self.world, self.contents, f"http://127.0.0.1:{storage_port}", self._now)
        routes = ArtifactRoutes(self.world, self.contents, self.storage.sign)
        self._services = {
            "/api/queue/v1": [*self.queue.endpoints(), *routes.endpoints()],
            "/api/index/v1": Index(self.world, f"http://127.0.0.1:{root_port}").endpoints(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = replace(await read(scope, receive), codings=self._codings)
        if scope["server"][1] == self._storage_port:
            # A thread costs a tenth of a millisecond: only what has to be made first is worth one.
            quick = self.storage.ready(request)
            reply = self.storage.answer(request) if quick else await asyncio.to_thread(self.storage.answer, request)
        else:
            reply = await self._root(request)
        await send_reply(reply, receive, send, head=request.method == "HEAD")

    async def _root(self, request: Request) -> Reply:
        for prefix, endpoints in self._services.items():
            if request.path.startswith(prefix + "/"):
                chosen, found = dispatch(endpoints, request, request.path[len(prefix) :])
                if chosen is None:
                    break
                work = partial(run, chosen, found)
                return await asyncio.to_thread(work) if chosen.slow else work()
        if request.path.startswith("/api/"):
            return answer(request, {"error": "Not found"}, 404)
        # Every other path is the single-page web interface: a client with a wrong root URL gets HTML and 200.
        return Reply(200, _PAGE, (("Content-Type", "text/html; charset=utf-8"),))
