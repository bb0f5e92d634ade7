"""A live log over real sockets: shown while the task runs, whole when it has ended, let go of when one leaves."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backends.cancel import CancelToken
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
            assert spool.wait(size, CancelToken(), PATIENCE)
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
        assert spool.wait(0, CancelToken(), PATIENCE)
        spool.stop()
        filler.join(PATIENCE)
        assert not filler.is_alive() and spool.lines(0, 1)[0].content == b"line"
    http.close()


# ---- as far as it was written when it was asked for ------------------------------------------------------------------


class Clock:
    """Passes when a test says so; the source that uses it never blocks."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def stamped(seconds: float, words: str = "x" * 80) -> bytes:
    when = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"[task {when}] {words}\n".encode()


def until_now(clock: Clock, chunks: Iterator[bytes]) -> tuple[int, bool]:
    """(chunks that were given, whether it ended before the log did)"""
    reading = sources.UntilNow(lambda _: chunks, monotonic=clock, wall=clock)
    return sum(1 for _ in reading.chunks(CancelToken())), reading.early


def test_a_log_to_which_lines_are_added_for_ever_ends_by_itself() -> None:
    clock = Clock()

    def source() -> Iterator[bytes]:
        yield b"what was there\n" * 100_000
        while True:  # ten lines a second, without a date
            clock.now += 0.1
            yield b"one more line\n"

    count, early = until_now(clock, source())
    assert early and count <= 50  # five seconds


def test_one_that_is_written_at_megabytes_a_second_ends_too() -> None:
    clock = Clock()

    def source() -> Iterator[bytes]:
        while True:
            clock.now += 0.1
            yield b"x" * 200_000 + b"\n"

    count, early = until_now(clock, source())
    assert early and 600 <= count <= 650  # a minute


def test_lines_that_are_dated_after_the_question_end_it() -> None:
    clock = Clock()

    def source() -> Iterator[bytes]:
        while True:
            clock.now += 0.1
            yield stamped(clock.now) * 1000

    count, early = until_now(clock, source())
    assert early and count <= 25


def test_a_worker_whose_clock_is_an_hour_slow_does_not_keep_one_waiting() -> None:
    clock = Clock()

    def source() -> Iterator[bytes]:
        while True:
            clock.now += 0.1
            yield stamped(clock.now - 3600)

    assert until_now(clock, source())[1]


def test_what_was_there_comes_whole_over_a_slow_connection() -> None:
    """5 KB a second, 500 seconds: the dates say that all of it was written before."""
    clock = Clock()
    asked = clock.now

    def source() -> Iterator[bytes]:
        for number in range(5000):
            clock.now += 0.1
            yield stamped(asked - 50_000 + 10 * number, "x" * 450)

    assert until_now(clock, source()) == (5000, False)


def test_a_log_that_ends_meanwhile_is_whole() -> None:
    assert until_now(Clock(), iter([b"a\n", b"b\n"])) == (2, False)


def test_a_live_log_over_a_real_socket_ends_while_lines_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENCE", 0.3)
    log, stop = LiveLog(""), threading.Event()

    def write() -> None:
        while not stop.wait(0.02):
            log.say(b"and another line\n")

    writer = threading.Thread(target=write, daemon=True)
    with serving(log), Http() as http:
        log.say(b"what was there\n")
        writer.start()
        reading = sources.UntilNow(sources.from_http(http.downloader, log.url, live=True))
        text = b"".join(reading.chunks(CancelToken()))
        stop.set()
        log.say(b"")
    assert reading.early and text.startswith(b"what was there\n")


def test_the_first_bytes_are_waited_for_longer_than_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENCE", 0.1)

    def slow(cancel: CancelToken) -> Iterator[bytes]:
        cancel.sleep(0.5)
        yield b"late\n"

    reading = sources.UntilNow(slow)
    assert b"".join(reading.chunks(CancelToken())) == b"late\n" and not reading.early
