"""A server that answers as the original Archiver did, step by step as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TASK = "projects_ash-42bf8560b395.zip"


@dataclass
class Original:
    """`first`: answers to the archive's address, one after the other (the last one stays): "202", or where 302 leads;
    "away" closes the connection without an answer, which is a state of a task, too.
    `states`: what the task says, likewise. `files`: path -> bytes. `asked`: (path with query, Accept) of all requests.
    """

    first: list[str] = field(default_factory=lambda: ["202"])
    states: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    location: str = ""
    url: str = ""


def state(name: str, status: str = "no status available at this point.", **urls: str) -> dict[str, Any]:
    return {"state": name, "status": status, "src_url": "", "s3_urls": urls}


@contextmanager
def original() -> Iterator[Original]:
    script = Original()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.asked.append((self.path, self.headers.get("accept", "")))
            path = self.path.partition("?")[0]
            if path.startswith("/archiver/hgmo/"):
                answer = script.first.pop(0) if len(script.first) > 1 else script.first[0]
                if answer == "away":
                    self.close_connection = True
                elif answer == "202":
                    where = script.location or f"{script.url}/archiver/status/{TASK}"
                    self._json(202, {"result": {}, "request_id": "0"}, where)
                else:
                    self._answer(302, b"<title>Redirecting...</title>", "text/html", answer)
            elif path.startswith("/archiver/status/"):
                told = script.states.pop(0) if len(script.states) > 1 else script.states[0]
                if told["state"] == "away":
                    self.close_connection = True
                else:
                    self._json(200, {"request_id": "0", "result": told})
            elif path in script.files:
                self._answer(200, script.files[path], "application/zip")
            else:
                self._answer(
                    403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", "x/x"
                )

        def _json(self, status: int, value: Any, location: str = "") -> None:
            self._answer(status, json.dumps(value).encode(), "application/json", location)

        def _answer(self, status: int, body: bytes, kind: str, location: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
