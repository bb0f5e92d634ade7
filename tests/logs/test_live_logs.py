"""A live log over real sockets: shown while the task runs, whole when it has ended, let go of when one leaves."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backends.cancel import Cancel
from backends.http import Http
from backends.logs import sources
from backends.logs.spool import LogSpool

PATIENCE = 30


class LiveLog:
    """Holds the answer open; `say` sends a line of the log."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.url = ""
        self._lines: list[bytes] = []
        self._said = threading.Condition()

    def say(self, line: bytes) -> None:
        """b"" ends the log."""
        with self._said:
            self._lines.append(line)
            self._said.notify_all()

    def lines(self) -> Iterator[bytes]:
        number = 0
        while True:
            with self._said:
                if not self._said.wait_for(lambda: len(self._lines) > number, PATIENCE):  # noqa: B023
                    return
            if not self._lines[number]:
                return
            yield self._lines[number]
            number += 1


@contextmanager
def serving(log: LiveLog) -> Iterator[LiveLog]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            if log.encoding:
                self.send_header("content-encoding", log.encoding)
            self.end_headers()
            for line in log.lines():
                self._chunk(gzip.compress(line) if log.encoding else line)
            self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, content: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    log.url = f"http://127.0.0.1:{server.server_address[1]}/live.log"
    try:
        yield log
    finally:
        log.say(b"")
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_line_is_there_as_soon_as_the_task_has_written_it(encoding: str) -> None:
    http = Http()
    with serving(LiveLog(encoding)) as log:
        spool = LogSpool(sources.from_http(http.downloader, log.url, live=True))
        filler = threading.Thread(target=spool.fill)
        filler.start()
        for number in range(3):
            size = spool.size
            log.say(b"line %d\n" % number)
            assert spool.wait(size, Cancel(), PATIENCE)
            assert spool.lines(number, 1)[0].content == b"line %d" % number and not spool.complete
        log.say(b"")
        filler.join(PATIENCE)
    http.close()
    assert spool.complete and spool.problem is None and spool.line_count == 3


def test_leaving_a_live_log_ends_its_connection_at_once() -> None:
    http = Http()
    with serving(LiveLog("")) as log:
        spool = LogSpool(sources.from_http(http.downloader, log.url, live=True))
        filler = threading.Thread(target=spool.fill)
        filler.start()
        log.say(b"line\n")
        assert spool.wait(0, Cancel(), PATIENCE)
        spool.stop()
        filler.join(PATIENCE)
        assert not filler.is_alive() and spool.lines(0, 1)[0].content == b"line"
    http.close()
