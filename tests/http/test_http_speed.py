"""A server that sends hardly anything must not hold a worker for ever; one that is only slow is read to its end."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.http import CachePolicy, Downloader, Http, errors, transport
from backends.http.transport import Meter, Timeouts

Serve = Callable[..., Any]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"


class Pace:
    """A clock that goes on by half a second each time it is looked at, and a server that sends a byte for each look.

    The client looks twice for each read, so the server sends about two bytes a second.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._turns = threading.Semaphore(0)
        self._newest = object()

    def __call__(self) -> float:
        self.now += 0.5
        self._turns.release()
        return self.now

    def trickle(self, connection: socket.socket, parts: Iterator[bytes]) -> None:
        mine = self._newest = object()
        with contextlib.suppress(OSError):
            for part in parts:
                if not self._turns.acquire(timeout=60):
                    return
                if self._newest is not mine:  # a connection that is over takes no turn from the next one
                    self._turns.release()
                    return
                connection.sendall(part)


@pytest.fixture
def pace(monkeypatch: pytest.MonkeyPatch) -> Pace:
    pace = Pace()
    monkeypatch.setattr(transport, "clock", pace)
    return pace


def one_by_one(text: bytes) -> Iterator[bytes]:
    return (bytes([byte]) for byte in text)


@pytest.mark.parametrize(
    "parts",
    [
        lambda: one_by_one(b"HTTP/1.1 200 OK\r\nx-header: " + b"a" * 5000),
        lambda: (b"x-%d: 1\r\n" % number if number else b"HTTP/1.1 200 OK\r\n" for number in range(5000)),
        lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 5000),
        lambda: itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", 5000),
    ],
    ids=["byte by byte", "header by header", "100 Continue", "103 Early Hints"],
)
def test_headers_that_do_not_end_within_60_seconds_are_given_up(
    parts: Callable[[], Iterator[bytes]], pace: Pace, serve: Serve
) -> None:
    server = serve(lambda connection, head: pace.trickle(connection, parts()))
    with Downloader() as downloader, pytest.raises(errors.TooSlowError) as caught:
        downloader.open(f"{server.url}/f?sig=SECRET")
    assert 45 < pace.now < 70, "what is left of the 60 is waited in real time, in which a busy server may miss a turn"
    assert "within 60 s" in caught.value.sentence and "127.0.0.1" in caught.value.sentence
    assert caught.value.retryable and caught.value.reason == "too-slow" and "SECRET" not in str(caught.value)


def test_interim_responses_without_an_end_do_not_fill_the_minute(serve: Serve) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with Downloader() as downloader, pytest.raises(errors.UnexpectedResponseError, match="headers without an end"):
        downloader.open(f"{serve(talk).url}/f")


def test_a_body_below_a_kilobyte_a_second_is_given_up_after_30_seconds(pace: Pace, serve: Serve) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(HEAD)
        pace.trickle(connection, itertools.repeat(b"x", 5000))

    with Downloader() as downloader, downloader.open(f"{serve(talk).url}/f") as download:
        began = pace.now
        with pytest.raises(errors.TooSlowError) as caught:
            list(download.chunks())
    assert pace.now - began < 70, "30 seconds of waiting, and each look at the clock costs half a second more"
    assert "less than 1,024 bytes/s" in caught.value.sentence and caught.value.retryable


def test_chunk_headers_that_trickle_are_a_slow_body_too(pace: Pace, serve: Serve) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        pace.trickle(connection, one_by_one(b"1;extension=" + b"a" * 5000))

    server = serve(talk)
    with (
        Downloader() as downloader,
        downloader.open(f"{server.url}/f") as download,
        pytest.raises(errors.TooSlowError),
    ):
        list(download.chunks())


def test_a_log_that_is_followed_may_be_nearly_silent(pace: Pace, serve: Serve) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n")
        pace.trickle(connection, itertools.repeat(b"x", 300))

    with Downloader() as downloader, downloader.open(f"{serve(talk).url}/f", check_speed=False) as download:
        assert len(b"".join(download.chunks())) == 300
    assert pace.now > 100


def test_a_trickling_answer_is_asked_for_twice_and_then_told(pace: Pace, serve: Serve, client: Any) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(HEAD)
        pace.trickle(connection, itertools.repeat(b"x", 5000))

    server = serve(talk)
    http: Http = client()
    with pytest.raises(errors.TooSlowError):
        http.get(f"{server.url}/api", policy=CachePolicy.never())
    assert len(server.heads) == 2


class Hands:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(transport, "clock", hands)
    return hands


def read(meter: Meter, hands: Hands, received: int, seconds: float) -> None:
    meter.begin_read(30.0)
    hands.now += seconds
    meter.end_read(received)


@pytest.mark.parametrize(("received", "fails"), [(1000, True), (1100, False)])
def test_the_limit_lies_at_1024_bytes_a_second_over_30_seconds(received: int, fails: bool, hands: Hands) -> None:
    meter = Meter("h", Timeouts())
    meter.end_headers()
    for _ in range(29):
        read(meter, hands, received, 1)
    with pytest.raises(errors.TooSlowError) if fails else contextlib.nullcontext():
        for _ in range(40):
            read(meter, hands, received, 1)


def test_a_body_that_pauses_and_then_hurries_is_read_on(hands: Hands) -> None:
    meter = Meter("h", Timeouts())
    meter.end_headers()
    for _ in range(5):
        read(meter, hands, 0, 29)
        read(meter, hands, 100_000, 1)


def test_time_that_our_own_disk_takes_is_not_the_servers(hands: Hands) -> None:
    meter = Meter("h", Timeouts())
    meter.end_headers()
    for _ in range(100):
        read(meter, hands, 1, 0.1)
        hands.now += 60  # writing, or paused by the user


def test_a_first_byte_after_29_seconds_is_waited_for(hands: Hands) -> None:
    meter = Meter("h", Timeouts())
    meter.wrote()
    assert meter.begin_read(30.0) == 30.0
    hands.now += 29
    meter.end_read(10)
    hands.now += 1
    assert meter.begin_read(30.0) == 30.0
    hands.now += 20
    meter.end_read(10)
    assert meter.begin_read(30.0) == 10.0, "what is left of the 60"
    hands.now += 10
    with pytest.raises(errors.TooSlowError):
        meter.timed_out()
