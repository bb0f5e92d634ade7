"""Whose fault it was: 1 done with failures, 2 wrong usage, 3 a server or the network; always in a sentence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.commands.calling import Caller

GROUP = "taskcluster:group/fN1SbArXTPSVFNUvaOlinQ"
TASK = "taskcluster:task/fN1SbArXTPSVFNUvaOlinQ"


@contextmanager
def serving(content_type: str, body: bytes, status: int = 200, length: int | None = None) -> Iterator[str]:
    """A server that answers everything with this; gives its root URL."""

    class Always(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Always)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--filter", "durration>5m"),
        ("--filter", "duration>soon"),
        ("--filter", '"open'),
        ("--columns", "nope"),
        ("--format", "xml"),
        ("--bogus",),
    ],
)
def test_a_wrong_option_is_named(ciexplore: Caller, demo: dict[str, str], arguments: tuple[str, ...]) -> None:
    done = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"], *arguments)
    assert done.code == 2 and done.out == b""
    assert arguments[-1].strip('"').split(">")[-1] in done.err or arguments[-1].split(">")[0] in done.err


@pytest.mark.parametrize("arguments", [("--by", "nope"), ("--column", "nope"), ("--column", "name")])
def test_a_column_that_cannot_be_measured_is_named(
    ciexplore: Caller, demo: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = ciexplore("taskcluster", "stats", demo["taskcluster.finished-group"], *arguments)
    assert done.code == 2 and arguments[-1] in done.err


@pytest.mark.parametrize(
    "locator",
    ["", "what is this?", "https://example.org/nothing", "x" * 5000, "./" + "x" * 300, "~nobody-of-this-name/logs/",
     "taskcluster:group/x"],
)  # fmt: skip
def test_what_is_no_locator_is_said_briefly(ciexplore: Caller, locator: str) -> None:
    done = ciexplore("taskcluster", "tasks", locator)
    assert done.code == 2
    assert len(done.err) < 1500


@pytest.mark.parametrize(
    "command",
    [("prow", "files"), ("submit", "check"), ("capsule", "info"), ("capsule", "verify"), ("verify",), ("failures",),
     ("treeherder", "dataset", "show", "--store"), ("treeherder", "dataset", "repair", "--store"), ("watch",), ()],
)  # fmt: skip
@pytest.mark.parametrize(
    "name", ["./" + "x" * 300, "x" * 300 + "/logs/", "~nobody-of-this-name/x.json", "file:///" + "x" * 300]
)
def test_what_no_file_can_be_called_is_a_sentence(ciexplore: Caller, command: tuple[str, ...], name: str) -> None:
    done = ciexplore(*command, name)
    assert done.code in (1, 2, 3) and "itself failed" not in done.err, done.err


def test_a_wrong_filter_is_said_before_the_server_lists_anything(ciexplore: Caller) -> None:
    with serving("text/html", b"<html>Sign in</html>") as root:
        assert ciexplore("taskcluster", "tasks", GROUP, "--root-url", root, "--filter", "durration>5m").code == 2


@pytest.mark.parametrize(
    "call", [(), ("taskcluster", "fly"), ("taskcluster", "download", TASK), ("taskcluster", "tasks")]
)
def test_an_incomplete_call_says_what_is_missing(ciexplore: Caller, call: tuple[str, ...]) -> None:
    done = ciexplore(*call)
    assert done.code == 2 and done.err


def test_a_server_that_is_down_is_named(ciexplore: Caller) -> None:
    with serving("text/plain", b"") as root:
        pass
    done = ciexplore("taskcluster", "tasks", GROUP, "--root-url", root)
    assert done.code == 3
    assert root.removeprefix("http://") in done.err and len(done.err.splitlines()) <= 2


@pytest.mark.parametrize("verb", ["tasks", "artifacts", "stats"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html><title>Sign in</title></html>"),
        ("application/json", b'{"tasks": [{"status'),
        ("application/json", b"\xff\xfe\x00"),
        ("application/json", b"[]"),
        ("application/json", b"{}"),
        ("application/json", b'{"tasks": 5, "artifacts": null, "status": [], "taskGroupId": 7}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b""),
    ],
)
def test_what_is_no_taskcluster_is_told_from_an_empty_group(
    ciexplore: Caller, verb: str, content_type: str, body: bytes
) -> None:
    with serving(content_type, body) as root:
        done = ciexplore("taskcluster", verb, TASK if verb == "artifacts" else GROUP, "--root-url", root)
    assert done.code == 3, done.err
    assert done.out == b"" and "127.0.0.1" in done.err


def test_an_unknown_group_is_the_server_s_answer(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "tasks", "taskcluster:group/AAAAAAAAQACAAAAAAAAAAA")
    assert done.code == 3 and "404" in done.err


def test_an_address_with_a_password_is_refused_and_not_repeated(ciexplore: Caller, demo: dict[str, str]) -> None:
    secret = demo["taskcluster.finished-group"].replace("http://", "http://user:hunter2@")
    root = secret.split("/tasks/")[0]
    for call in (
        ("tasks", secret),
        ("tasks", GROUP, "--root-url", root),
        ("download", GROUP, "--root-url", root, "--output", "o"),
    ):
        done = ciexplore("taskcluster", *call)
        assert done.code == 2
        assert "hunter2" not in done.err and "user" in done.err
