"""The synthetic Treeherder as one ASGI application: the API, and the single-page application for every other path."""

from __future__ import annotations

import asyncio
import re
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from backends.demo.options import DemoOptions
from backends.demo.replies import Receive, Reply, Request, Scope, Send, read, send_reply
from backends.demo.taskcluster.world import World as Tasks
from backends.demo.treeherder.answers import Refusal, detail, html

if TYPE_CHECKING:  # worlds and routes are 45 ms of imports that a demo which nobody asks should not begin with
    from backends.demo.treeherder.routing import Route
    from backends.demo.treeherder.world import World

# Scripts that do not say who they are get no answer, whatever they ask.
_UNWELCOME = re.compile(r"^(python-requests/|Python-urllib/|Go-http-client/|Go 1\.1 package http|libcurl/)")
_VERSIONS = ("1.0", "1.1")


class Treeherder:
    """`ready` is told its address; everything else is made by the first request that needs it."""

    def __init__(self, options: DemoOptions) -> None:
        # Made at once: it remembers when the running task group began, as the Taskcluster beside it does.
        self._options, self._tasks = options, Tasks(options)
        self._base = ""
        # Two first requests at once would make everything twice; answers are a matter of milliseconds.
        self._lock = threading.Lock()

    @cached_property
    def _world(self) -> World:
        from backends.demo.treeherder.world import World

        return World(self._options, self._tasks)

    @cached_property
    def _routes(self) -> list[Route]:
        from backends.demo.treeherder.routers import every

        return every()

    def ready(self, url: str) -> None:
        self._base = url

    def settings(self) -> dict[str, str]:
        return {"CIEXPLORE_TREEHERDER_URL": self._base}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read(scope, receive)
        reply = await asyncio.to_thread(self._answered, request)
        await send_reply(reply, receive, send, head=request.method == "HEAD")

    def _answered(self, request: Request) -> Reply:
        try:
            _check(request)
            with self._lock:
                return self._reply(request)
        except Refusal as refusal:
            return refusal.reply(request)

    def _reply(self, request: Request) -> Reply:
        from backends.demo.treeherder.queries import Query
        from backends.demo.treeherder.routing import Call

        for candidate in self._routes:
            match = candidate.pattern.fullmatch(request.path)
            if match is None:
                continue
            if request.method not in ("GET", "HEAD"):
                raise detail(403, "Authentication credentials were not provided.")
            _negotiate(request)
            call = Call(self._world, request, Query.of(request), match.groupdict(), self._base)
            return candidate.answer(call)
        if request.method not in ("GET", "HEAD"):
            raise Refusal(403)
        # A path without its slash at the end, one that never was and one that was removed: all are the application.
        return html(request)


def _check(request: Request) -> None:
    if _UNWELCOME.search(request.headers.get("user-agent", "")):
        raise Refusal(403)


def _negotiate(request: Request) -> None:
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("*/*", "application/*", "application/json")):
        raise detail(406, "Could not satisfy the request Accept header.")
    version = re.search(r"version=([^;,\s]+)", accept)
    if version and version[1] not in _VERSIONS:
        raise detail(406, 'Invalid version in "Accept" header.')
