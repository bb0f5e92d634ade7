"""A real web server on loopback whose answers a test can make as bad as real servers' are, and that keeps a log."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


@dataclass
class Site:
    """`bodies`: path -> content, with ETag and ranges. `answers`: path -> what to do instead, first one first."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    base: str = ""

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.asked = threading.Condition(self.lock)

    def start(self) -> None:
        server = _Server(("127.0.0.1", 0), Handler)
        server.site = self
        self._server = server
        self.base = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"{self.base}{path}"

    def add(self, path: str, body: bytes, *answers: Answer, **headers: str) -> str:
        self.bodies[path] = body
        self.answers[path] = list(answers)
        self.headers[path] = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.url(path)

    def count(self, path: str) -> int:
        with self.lock:
            return sum(asked == path for asked, _ in self.requests)

    def counts(self) -> Counter[str]:
        with self.lock:
            return Counter(path for path, _ in self.requests)

    def last(self, path: str) -> dict[str, str]:
        with self.lock:
            return [headers for asked, headers in self.requests if asked == path][-1]

    def wait_for(self, enough: Callable[[], bool]) -> None:
        """Until the log satisfies `enough`, which must not take the lock."""
        with self.asked:
            assert self.asked.wait_for(enough, 20)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    site: Site

    def handle_error(self, *_: object) -> None:
        """Clients that were killed leave resets behind; a test that cares looks at the log."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def site(self) -> Site:
        return self.server.site  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        site = self.site
        with site.asked:
            site.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            waiting = site.answers.get(self.path)
            answer = waiting.pop(0) if waiting else send_file
            site.asked.notify_all()
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    @property
    def body(self) -> bytes:
        return self.site.bodies[self.path]

    def send(self, status: int, body: bytes, *, send: bytes | None = None, **headers: str) -> None:
        """`send`: what is really sent of the body that the headers announce."""
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body if send is None else send)
        if send is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def send_file(handler: Handler) -> None:
    """What a good server does, ranges included."""
    if handler.path not in handler.site.bodies:
        handler.send(404, b'{"message": "no such file"}', content_type="application/json")
        return
    body, extra = handler.body, handler.site.headers.get(handler.path, {})
    wanted = handler.headers.get("Range", "")
    if wanted and handler.headers.get("If-Range") in (None, etag(body)):
        begin = int(wanted.removeprefix("bytes=").rstrip("-"))
        if begin >= len(body):
            handler.send(416, b"", content_range=f"bytes */{len(body)}")
            return
        span = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        handler.send(206, body[begin:], etag=etag(body), content_range=span, **extra)
        return
    handler.send(200, body, etag=etag(body), **extra)


def cut(length: int) -> Answer:
    """Announces all and hangs up after `length` bytes."""
    return lambda handler: handler.send(200, handler.body, send=handler.body[:length], etag=etag(handler.body))


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda handler: handler.send(code, body, **headers)


def raw(body: bytes, **headers: str) -> Answer:
    """200 with this body and these headers."""
    return lambda handler: handler.send(200, body, **headers)


def stall(length: int, release: threading.Event) -> Answer:
    """Sends `length` bytes, then nothing until the test lets it go on."""

    def answer(handler: Handler) -> None:
        body = handler.body
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.send_header("etag", etag(body))
        handler.end_headers()
        handler.wfile.write(body[:length])
        handler.wfile.flush()
        release.wait(30)
        handler.wfile.write(body[length:])

    return answer
