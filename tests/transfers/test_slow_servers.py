"""A server that hardly sends anything must not hold a place among the files that are under way."""

from __future__ import annotations

import threading

import pytest

from backends.http import Http
from backends.http.sender import Timeouts
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Answer, Handler, Site

pytest.importorskip("backends.http.transport")
TINY = b"x" * 100_000


def trickle(done: threading.Event, *, headers: bool) -> Answer:
    """Byte by byte, for ever: of the body, or already of the headers."""

    def answer(handler: Handler) -> None:
        if not headers:
            handler.send_response(200)
            handler.send_header("content-length", str(len(TINY)))
            handler.end_headers()
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        number = 0
        while not done.wait(0.02):
            number += 1
            handler.wfile.write(b"x-%d: y\r\n" % number if headers else b"x")

    return answer


@pytest.mark.parametrize("headers", [False, True])
def test_a_trickling_server_fails_its_file_and_the_others_come(site: Site, runner: Runner, headers: bool) -> None:
    done = threading.Event()
    site.add("/slow", TINY, *[trickle(done, headers=headers)] * 9)
    site.add("/b", b"b")
    fast = {"headers": 0.5, "lowest_speed": 1024.0, "speed_time": 0.3}
    with Http(timeouts=Timeouts(**fast)) as http:
        runner.http, usual = http, runner.http
        transfer = runner.start(file(site, "/slow"), file(site, "/b"), jobs=1, tries=2)
        assert transfer.wait(60)
        runner.http = usual
    done.set()
    assert ends(transfer) == {"/slow": ("failed", "too-slow"), "/b": ("verified", "")}
    assert "slow" in transfer.frame()["detail"][0] or "headers" in transfer.frame()["detail"][0]
