"""A stop is one even while nothing comes: pulled in another thread, it wakes whoever is blocked."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http import CachePolicy, Downloader, Http
from backends.http.sender import Timeouts

Make = Callable[..., Http]
Serve = Callable[..., Any]
Say = Callable[..., bytes]
Watch = Callable[[Callable[[CancelToken], Any], Callable[[], object]], None]
BODY = bytes(range(256)) * 400
PATIENT = Timeouts(connect=300, read=300, write=300, pool=300)  # so that no time-out passes for being woken


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    with Downloader(timeouts=PATIENT) as made:
        yield made


def always(reply: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda connection, head: connection.sendall(reply)


def read(downloader: Downloader, url: str, **options: Any) -> bytes:
    with downloader.open(url, **options) as download:
        return b"".join(download.chunks())


SILENT: Callable[[socket.socket, bytes], None] = lambda connection, head: None  # noqa: E731


def stalling(prefix: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda connection, head: connection.sendall(prefix)


def test_cancel_wakes_a_download_whose_server_never_answers(
    downloader: Downloader, serve: Serve, cancelled_while: Watch
) -> None:
    server = serve(SILENT)
    cancelled_while(
        lambda cancel: downloader.open(f"{server.url}/f", cancel=cancel), lambda: server.seen.acquire(timeout=15)
    )


@pytest.mark.parametrize(
    "prefix",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nabc",  # its end is the end of the connection, which is what a woken read looks like
    ],
)
def test_cancel_wakes_a_download_that_stalls_in_its_body(
    prefix: bytes, downloader: Downloader, serve: Serve, cancelled_while: Watch
) -> None:
    server, began = serve(stalling(prefix)), threading.Event()

    def blocked(cancel: CancelToken) -> None:
        with downloader.open(f"{server.url}/f", cancel=cancel) as download:
            for chunk in download.chunks():
                assert chunk == b"abc"
                began.set()

    cancelled_while(blocked, lambda: began.wait(15))


def test_cancel_wakes_a_second_file_on_a_kept_connection(
    downloader: Downloader, serve: Serve, say: Say, cancelled_while: Watch
) -> None:
    server = serve(lambda connection, head: connection.sendall(say(b"x")) if b"/one" in head else None)
    assert read(downloader, f"{server.url}/one") == b"x"
    server.seen.acquire(timeout=15)
    cancelled_while(
        lambda cancel: downloader.open(f"{server.url}/two", cancel=cancel), lambda: server.seen.acquire(timeout=15)
    )
    assert len(server.connections) == 1
    assert read(downloader, f"{server.url}/one") == b"x", "and the downloader is as good as new"


def test_cancel_wakes_a_handshake_that_is_not_answered(
    downloader: Downloader, serve: Serve, cancelled_while: Watch
) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        while connection.recv(65536):
            pass

    server = serve(talk, greets=True)
    address = server.url.replace("http:", "https:")
    cancelled_while(
        lambda cancel: downloader.open(f"{address}/f", cancel=cancel), lambda: server.seen.acquire(timeout=15)
    )


def test_cancel_wakes_a_request_that_a_pane_waits_for(client: Make, serve: Serve, cancelled_while: Watch) -> None:
    server = serve(SILENT)
    http = client(timeouts=PATIENT)
    cancelled_while(
        lambda cancel: http.get(f"{server.url}/x", policy=CachePolicy.never(), cancel=cancel),
        lambda: server.seen.acquire(timeout=15),
    )
    cancelled_while(
        lambda cancel: http.post(f"{server.url}/x", b"{}", idempotent=True, cancel=cancel),
        lambda: server.seen.acquire(timeout=15),
    )
    assert len(server.heads) == 2, "what was cancelled is not tried again"


def test_cancel_wakes_a_connection_that_is_not_taken(downloader: Downloader) -> None:
    # A listener whose queue is full lets the next connection hang in its first packet.
    with socket.socket() as listener, contextlib.ExitStack() as held:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fill = []
        for _ in range(3):
            sock = held.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
            fill.append(sock)
        port = listener.getsockname()[1]
        entered = threading.Event()
        cancel = NoticedCancel(entered)
        found: list[BaseException] = []

        def run() -> None:
            try:
                downloader.open(f"http://127.0.0.1:{port}/f", cancel=cancel)
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert entered.wait(15)
        cancel.cancel()
        thread.join(15)
        assert not thread.is_alive() and [type(error) for error in found] == [OperationCancelledError]


class NoticedCancel(CancelToken):
    """Tells when it is first looked at after a socket was made: `Lease.hold` does, right before it blocks."""

    def __init__(self, entered: threading.Event) -> None:
        super().__init__()
        self._entered = entered
        self._looks = 0

    def check(self) -> None:
        self._looks += 1
        if self._looks == 2:
            self._entered.set()
        super().check()


def test_a_token_pulled_after_the_end_does_not_touch_the_next_user_of_the_connection(
    downloader: Downloader, serve: Serve, say: Say
) -> None:
    server = serve(always(say(b"x")))
    cancel = CancelToken()
    assert read(downloader, f"{server.url}/f", cancel=cancel) == b"x"
    with downloader.open(f"{server.url}/f") as download:
        cancel.cancel()
        assert b"".join(download.chunks()) == b"x"
    assert len(server.connections) == 1


def test_many_tokens_pulled_at_any_moment_leave_whole_files_or_cancelled_ones(serve: Serve, say: Say) -> None:
    server = serve(always(say(BODY)))
    outcomes: list[str] = []

    def work(number: int) -> None:
        with Downloader() as downloader:
            for turn in range(40):
                cancel = CancelToken()
                puller = threading.Thread(target=cancel.cancel)
                if (turn + number) % 2:
                    puller.start()
                try:
                    outcomes.append("whole" if read(downloader, f"{server.url}/f", cancel=cancel) == BODY else "half")
                except OperationCancelledError:
                    outcomes.append("cancelled" if cancel.cancelled else "wrong")
                if puller.ident:
                    puller.join()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 160 and set(outcomes) <= {"whole", "cancelled"}
    assert outcomes.count("whole") >= 80
