"""A Treeherder in a few lines, for what a real one never does; and one that gives the answers of a real one."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http, Mode
from backends.http.response import Response
from backends.resources import Page, Resource
from backends.systems import open_resource
from backends.treeherder.client import TreeherderClient

BASE = "https://th.example"
SPA = "<!doctype html><title>Treeherder</title>"
REPOSITORIES = [
    {"id": 77, "name": "autoland", "tc_root_url": "https://tc.example", "performance_alerts_enabled": True},
    {"id": 4, "name": "try", "is_try_repo": True, "tc_root_url": "https://tc.example"},
]
REFERENCE: dict[str, Any] = {
    "/api/repository/": REPOSITORIES,
    "/api/performance/framework/": [{"id": 1, "name": "talos"}, {"id": 13, "name": "browsertime"}],
    "/api/optioncollectionhash/": [{"option_collection_hash": "h", "options": [{"name": "opt"}]}],
    "/api/failureclassification/": [{"id": 1, "name": "not classified"}, {"id": 4, "name": "intermittent"}],
    "/api/performance/issue-tracker/": [{"id": 1, "text": "B", "issue_tracker_url": "https://bugs.example/?id="}],
    "/api/taskclustermetadata/": [],
    "/api/performance/alertsummary/": {"count": 0, "next": None, "results": []},
}
Handler = Callable[[httpx.Request], httpx.Response]


def page(content: str = SPA, status: int = 200) -> httpx.Response:
    return httpx.Response(status, html=content)


class FakeTreeherder:
    """Answers by path from `answers`: a value is JSON, a response is itself, a function is called. What is not there
    is the web application's page. `asked` are the paths with their queries, without those of reference data."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = dict(REFERENCE)
        self.asked: list[str] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        written = request.url.raw_path.decode()
        path = request.url.path
        if path not in REFERENCE:
            self.asked.append(written)
        answer = self.answers.get(path)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, httpx.Response):
            return answer
        return page() if answer is None else httpx.Response(200, json=answer)

    def http(self, cache_dir: Path | None = None, mode: Mode = Mode.NORMAL, later: float = 0) -> Http:
        """`later`: seconds by which its clock is ahead."""
        return Http(
            transport=httpx.MockTransport(self.handle),
            cache_dir=cache_dir,
            mode=mode,
            pause=lambda seconds, cancel: None,
            clock=lambda: time.time() + later,
        )

    def client(self, **options: Any) -> TreeherderClient:
        return TreeherderClient(self.http(**options), BASE)

    def list(self, locator: Any, **options: Any) -> Resource:
        return open_resource_of(locator, self.http(**options))


def open_resource_of(locator: Any, http: Http, base: str = BASE) -> Resource:
    return open_resource(locator, http, Settings(treeherder_url=base), CancelToken())


def pages(resource: Resource) -> list[Page]:
    return list(resource.pages(CancelToken()))


def answer(value: Any, content_type: str = "application/json") -> Response:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response(f"{BASE}/api/x/", 200, {"content-type": content_type}, body)


class RecordedTreeherder(FakeTreeherder):
    """Gives the recorded file for the address that it was recorded from; the rest as above."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        rows = re.findall(r"^\| (\S+) \| \d+ \| `(\S+)` \|$", (directory / "README.md").read_text(), re.MULTILINE)
        self.files = {url: name for name, url in rows}
        self.directory = directory
        self.used: set[str] = set()

    def handle(self, request: httpx.Request) -> httpx.Response:
        written = request.url.raw_path.decode()
        name = self.files.get(written)
        if name is None:
            return super().handle(request)
        self.used.add(name)
        body = (self.directory / name).read_bytes()
        return httpx.Response(200, content=body, headers={"content-type": "application/json"})


@contextmanager
def serving(fake: FakeTreeherder) -> Iterator[str]:
    """The fake on a port of this machine, for commands that are run whole; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = fake.handle(httpx.Request("GET", f"{BASE}{self.path}"))
            body = answer.read()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("content-type", "application/json"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
