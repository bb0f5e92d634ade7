"""Files over real sockets: whole or an error, never half."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.http import CachePolicy, Downloader, Identity, errors

Serve = Callable[..., Any]
Say = Callable[..., bytes]
BODY = bytes(range(256)) * 400


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    with Downloader() as made:
        yield made


def always(reply: bytes, *, then_close: bool = False) -> Callable[[socket.socket, bytes], None]:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(reply)
        if then_close:
            connection.shutdown(socket.SHUT_RDWR)

    return talk


def read(downloader: Downloader, url: str, **options: Any) -> bytes:
    with downloader.open(url, **options) as download:
        return b"".join(download.chunks())


def test_a_file_comes_as_it_is_on_the_wire(downloader: Downloader, serve: Serve, say: Say) -> None:
    packed = gzip.compress(BODY)
    server = serve(always(say(packed, content_encoding="GZIP", ETag='"e"')))
    with downloader.open(f"{server.url}/f") as download:
        assert (download.status, download.encoding, download.hops) == (200, "gzip", ())
        assert download.headers["etag"] == '"e"' and download.url == f"{server.url}/f"
        assert b"".join(download.chunks()) == packed
    head = server.heads[0].lower()
    assert b"accept-encoding: gzip\r\n" in head and b"user-agent: ciexplore/" in head
    assert b"range" not in head and b"cookie" not in head


def test_files_from_two_servers_in_turn_take_one_connection_each(
    downloader: Downloader, serve: Serve, say: Say
) -> None:
    storage = serve(always(say(b"file")))
    queue = serve(always(say(b"{}", "303 See Other", location=f"{storage.url}/f?Signature=s")))
    for _ in range(5):
        with downloader.open(f"{queue.url}/f") as download:
            assert b"".join(download.chunks()) == b"file"
            assert download.hops == (
                (f"{queue.url}/f", {"content-length": "2", "location": f"{storage.url}/f?Signature=s"}),
            )
    assert len(queue.heads) == len(storage.heads) == 5, "the way is asked for each time: signatures die"
    assert len(queue.connections) == len(storage.connections) == 1


def test_the_credentials_stay_with_the_server_that_knows_them(serve: Serve, say: Say) -> None:
    storage = serve(always(say(b"file")))
    queue = serve(always(say(b"", "303 See Other", location=f"{storage.url}/f")))
    me = Identity(queue.url, "me", lambda method, url: {"authorization": f"Hawk {method}"})
    with Downloader(identities=[me]) as downloader:
        assert read(downloader, f"{queue.url}/f") == b"file"
    assert b"authorization: Hawk GET" in queue.heads[0] and b"uthorization" not in storage.heads[0]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123456789",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n12345\r\n",
    ],
)
def test_a_body_that_ends_early_is_an_error_that_may_be_tried_again(
    reply: bytes, downloader: Downloader, serve: Serve
) -> None:
    server = serve(always(reply, then_close=True))
    with downloader.open(f"{server.url}/f?sig=SECRET") as download, pytest.raises(errors.IncompleteBodyError) as caught:
        list(download.chunks())
    assert caught.value.retryable and caught.value.reason == "incomplete"
    assert "SECRET" not in str(caught.value) and "/f" in caught.value.sentence


def test_a_reset_in_the_middle_is_an_error_too(downloader: Downloader, serve: Serve) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.close()

    # The reset may overtake the head.
    with pytest.raises(errors.NetworkError):
        read(downloader, f"{serve(talk).url}/f")


def test_chunked_and_unframed_bodies_that_end_as_they_should_are_whole(downloader: Downloader, serve: Serve) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n3\r\n678\r\n0\r\n\r\n"
    assert read(downloader, f"{serve(always(chunked)).url}/f") == b"12345678"
    until_closed = serve(always(b"HTTP/1.0 200 OK\r\n\r\nrest", then_close=True))
    assert read(downloader, f"{until_closed.url}/f") == b"rest"


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x02garbage\r\n\r\n", b""])
def test_a_server_that_speaks_something_else_is_told(garbage: bytes, downloader: Downloader, serve: Serve) -> None:
    with pytest.raises(errors.NetworkError):
        downloader.open(f"{serve(always(garbage, then_close=True)).url}/f")


def test_the_rest_of_a_file_is_asked_for_in_its_old_version(downloader: Downloader, serve: Serve, say: Say) -> None:
    server = serve(
        always(say(BODY[100:], "206 Partial Content", content_range=f"bytes 100-{len(BODY) - 1}/{len(BODY)}"))
    )
    with downloader.open(f"{server.url}/f", offset=100, if_range='"e"') as download:
        assert download.status == 206 and b"".join(download.chunks()) == BODY[100:]
    assert b"range: bytes=100-\r\n" in server.heads[0] and b'if-range: "e"\r\n' in server.heads[0]


def test_range_headers_go_along_a_redirect(downloader: Downloader, serve: Serve, say: Say) -> None:
    storage = serve(always(say(b"x", "206 Partial Content", content_range="bytes 7-7/8")))
    queue = serve(always(say(b"", "302 Found", location=f"{storage.url}/f")))
    assert read(downloader, f"{queue.url}/f", offset=7, if_range='"e"') == b"x"
    assert b"range: bytes=7-" in storage.heads[0] and b"if-range" in storage.heads[0]


def test_a_file_that_has_changed_comes_whole(downloader: Downloader, serve: Serve, say: Say) -> None:
    with downloader.open(f"{serve(always(say(BODY))).url}/f", offset=100, if_range='"e"') as download:
        assert download.status == 200 and b"".join(download.chunks()) == BODY


@pytest.mark.parametrize("part", ["bytes 50-99/1000", "bytes 0-99/1000", "", "lines 100-101/1000"])
def test_another_part_than_asked_for_is_not_taken(part: str, downloader: Downloader, serve: Serve, say: Say) -> None:
    server = serve(always(say(b"x", "206 Partial Content", content_range=part)))
    with pytest.raises(errors.UnexpectedResponseError):
        downloader.open(f"{server.url}/f", offset=100)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("404 Not Found", errors.NotFoundError),
        ("403 Forbidden", errors.AccessDeniedError),
        ("410 Gone", errors.GoneError),
        ("416 Range Not Satisfiable", errors.BadRequestError),
        ("424 Failed Dependency", errors.FailedDependencyError),
        ("503 Service Unavailable", errors.ServerError),
        ("204 No Content", errors.UnexpectedResponseError),
    ],
)
def test_what_is_no_file_is_an_error_at_once_and_the_next_file_still_comes(
    status: str, kind: type[errors.HttpError], downloader: Downloader, serve: Serve, say: Say
) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        body = b"" if status.startswith("204") else b'{"message": "because"}'
        connection.sendall(say(b"good") if b"/good" in head else say(body, status))

    server = serve(talk)
    with pytest.raises(kind) as caught:
        downloader.open(f"{server.url}/bad")
    assert status.startswith("204") or "because" in caught.value.sentence
    assert read(downloader, f"{server.url}/good") == b"good"


def test_a_kept_connection_that_the_server_has_closed_costs_no_try(
    downloader: Downloader, serve: Serve, say: Say
) -> None:
    server = serve(always(say(b"x") + b"", then_close=True))
    for _ in range(5):
        assert read(downloader, f"{server.url}/f") == b"x"


def test_a_server_that_closes_just_as_we_ask_again_is_asked_once_more(serve: Serve, say: Say) -> None:
    turns: list[int] = []

    def talk(connection: socket.socket, head: bytes) -> None:
        turns.append(len(turns))
        if len(turns) == 2:  # took the second request and closed without a word
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(say(b"x"))

    server = serve(talk)
    with Downloader() as downloader:
        assert [read(downloader, f"{server.url}/f") for _ in range(2)] == [b"x", b"x"]
    assert len(turns) == 3 and len(server.connections) == 2


def closing(serve: Serve, say: Say, answered: int) -> Any:
    """A server that answers so many requests and then closes each connection as soon as a request has come."""
    turns: list[int] = []

    def talk(connection: socket.socket, head: bytes) -> None:
        turns.append(len(turns))
        if len(turns) <= answered:
            connection.sendall(say(b"x"))
        else:
            connection.shutdown(socket.SHUT_RDWR)

    return serve(talk)


def test_a_kept_connection_that_breaks_is_repeated_once_and_not_again(serve: Serve, say: Say) -> None:
    server = closing(serve, say, 1)
    with Downloader() as downloader:
        assert read(downloader, f"{server.url}/f") == b"x"
        with pytest.raises(errors.NetworkError):
            downloader.open(f"{server.url}/f")
    assert len(server.heads) == 3 and len(server.connections) == 2


def test_a_new_connection_that_breaks_is_not_repeated_at_all(serve: Serve, say: Say) -> None:
    server = closing(serve, say, 0)
    with Downloader() as downloader, pytest.raises(errors.NetworkError):
        downloader.open(f"{server.url}/f")
    assert len(server.heads) == len(server.connections) == 1


def test_what_has_an_effect_is_not_repeated_on_a_kept_connection(serve: Serve, say: Say, client: Any) -> None:
    server = closing(serve, say, 1)
    http = client()
    http.get(f"{server.url}/f", policy=CachePolicy.never())
    with pytest.raises(errors.NetworkError):
        http.post(f"{server.url}/f", b"{}")
    assert len(server.heads) == 2


def test_a_download_left_in_the_middle_does_not_spoil_the_next(downloader: Downloader, serve: Serve, say: Say) -> None:
    server = serve(always(say(bytes(5_000_000))))
    with downloader.open(f"{server.url}/f") as download:
        next(iter(download.chunks()))
    assert len(read(downloader, f"{server.url}/f")) == 5_000_000


def test_nobody_there_is_told_without_the_query() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Downloader() as downloader, pytest.raises(errors.NetworkError) as caught:
        downloader.open(f"http://127.0.0.1:{port}/f?bewit=SECRET")
    assert "Nothing listens" in caught.value.sentence and "SECRET" not in str(caught.value)
    assert caught.value.retryable


def test_redirects_through_several_servers_are_all_recorded(downloader: Downloader, serve: Serve, say: Say) -> None:
    last = serve(always(say(b"x")))
    middle = serve(always(say(b"", "302 Found", location=f"{last.url}/c", x_checksum="1")))
    first = serve(
        always(say(b"", "303 See Other", location=f"{middle.url}/b", x_taskcluster_location_content_sha256="2"))
    )
    with downloader.open(f"{first.url}/a") as download:
        assert [url for url, _ in download.hops] == [f"{first.url}/a", f"{middle.url}/b"]
        assert download.hops[0][1]["x-taskcluster-location-content-sha256"] == "2"
        assert download.url == f"{last.url}/c"
