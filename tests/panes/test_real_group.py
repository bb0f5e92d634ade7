"""The app on a task group that a real queue once served, in its two pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.driving import running, screen_text, shown_view, status

GROUP = "aPt9FbIdQwmhwDIPDYLuaw"


@pytest.fixture
def real_queue(samples: Path) -> Iterator[str]:
    """Serves the recorded pages as the queue does: the second one for the first one's token."""
    directory = samples / "taskcluster" / "code-coverage"
    pages = sorted(path.name for path in directory.glob("listTaskGroup_2018_page*.json"))
    first, second = (json.loads((directory / name).read_text("utf-8")) for name in pages)

    class Queue(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            token = parse_qs(address.query).get("continuationToken", [""])[0]
            answer = second if token else first
            if not address.path.endswith(f"/task-group/{GROUP}/list") or token not in ("", first["continuationToken"]):
                self.send_error(404)
                return
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Queue)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_all_210_tasks_of_the_real_group_are_shown(real_queue: str) -> None:
    async with running(f"{real_queue}/tasks/groups/{GROUP}", size=(160, 40)) as (app, pilot):
        table = shown_view(app).table
        assert table.total_count == 210
        assert "210 tasks" in status(app)
        await pilot.press("slash", *"jsreftest", "enter")
        assert 0 < table.row_count < 210
        assert "jsreftest" in screen_text(app)
