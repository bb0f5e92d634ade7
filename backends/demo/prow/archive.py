"""The synthetic storage of Prow's archives as one ASGI application: JSON and XML protocols, and gcsweb beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from backends.demo.options import DemoOptions
from backends.demo.prow import gcsweb, json_api, xml_api
from backends.demo.prow.bucket import Buckets
from backends.demo.replies import Receive, Reply, Request, Scope, Send, read, send_reply


class Prow:
    """`now` gives UTC seconds: a pending build has always been running for 25 minutes when the demo starts."""

    def __init__(self, options: DemoOptions, now: Callable[[], float] = time.time) -> None:
        self.buckets = Buckets(options.seed, now())
        self._url = ""

    def ready(self, url: str) -> None:
        self._url = self.buckets.origin = url

    def settings(self) -> dict[str, str]:
        return {"CIEXPLORE_GCS_URL": self._url, "CIEXPLORE_GCSWEB_URL": self._url + gcsweb.CURRENT}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read(scope, receive)
        # Names of 20,000 objects or hashes of 40 MB are made on first use: other connections need not wait for them.
        reply = await asyncio.to_thread(self.answer, request)
        await send_reply(reply, receive, send, head=request.method == "HEAD")

    def answer(self, request: Request) -> Reply:
        if gcsweb.owns(request.path):
            return gcsweb.answer(self.buckets, request)
        if json_api.owns(request.path):
            return json_api.answer(self.buckets, request)
        return xml_api.answer(self.buckets, request)
