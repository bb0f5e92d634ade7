"""Logs that were read whole are there without the server; anything less is never taken for the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backends.cancel import CancelToken
from backends.http import Http, Mode
from backends.http.errors import HttpError, OfflineError
from backends.logs import sources
from backends.logs.sources import from_http_cached

URL = "https://tc.example/log"


class Server:
    def __init__(self) -> None:
        self.body = b"line\n" * 1000
        self.asked = 0
        self.breaks = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(200, stream=_Pieces(self.body, self.breaks))


class _Pieces(httpx.SyncByteStream):
    def __init__(self, body: bytes, breaks: bool) -> None:
        self.body, self.breaks = body, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield self.body[: len(self.body) // 2]
        if self.breaks:
            raise httpx.ReadError("broken")
        yield self.body[len(self.body) // 2 :]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CancelToken, "sleep", lambda self, seconds: None)


def read(server: Server, cache: Path | None, mode: Mode = Mode.NORMAL, **options: bool) -> bytes:
    with Http(cache_dir=cache, mode=mode, transport=httpx.MockTransport(server)) as http:
        return b"".join(from_http_cached(http, URL, **options)(CancelToken()))


def test_a_log_is_fetched_once_and_read_offline(server: Server, tmp_path: Path) -> None:
    assert read(server, tmp_path) == server.body
    assert read(server, tmp_path) == server.body and server.asked == 1
    assert read(server, tmp_path, Mode.OFFLINE) == server.body


def test_a_log_that_was_never_read_is_not_there_offline(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OfflineError):
        read(server, tmp_path, Mode.OFFLINE)


def test_half_a_log_is_not_kept(server: Server, tmp_path: Path) -> None:
    with Http(cache_dir=tmp_path, transport=httpx.MockTransport(server)) as http:
        reading = from_http_cached(http, URL)(CancelToken())
        next(reading)  # and the reader goes back
        reading.close()  # type: ignore[attr-defined]
    server.breaks = True
    with pytest.raises(HttpError):
        read(server, tmp_path)
    with pytest.raises(OfflineError):
        read(server, tmp_path, Mode.OFFLINE)


def test_a_live_log_is_never_kept(server: Server, tmp_path: Path) -> None:
    read(server, tmp_path, live=True)
    read(server, tmp_path, live=True)
    assert server.asked == 2
    with pytest.raises(OfflineError):
        read(server, tmp_path, Mode.OFFLINE)


def test_the_log_of_the_latest_run_is_asked_for_again_but_there_offline(server: Server, tmp_path: Path) -> None:
    read(server, tmp_path, final=False)
    server.body = b"another run\n"
    assert read(server, tmp_path, final=False) == b"another run\n"
    assert read(server, tmp_path, Mode.OFFLINE, final=False) == b"another run\n"


def test_refresh_asks_again(server: Server, tmp_path: Path) -> None:
    read(server, tmp_path)
    server.body = b"new"
    assert read(server, tmp_path, Mode.REFRESH) == b"new"
    assert read(server, tmp_path) == b"new"


def test_a_log_above_the_limit_is_read_and_not_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CAP", 100)
    assert read(server, tmp_path) == server.body
    assert read(server, tmp_path) == server.body and server.asked == 2


def test_damaged_stored_bytes_are_fetched_anew(server: Server, tmp_path: Path) -> None:
    read(server, tmp_path)
    with Http(cache_dir=tmp_path) as http:
        store = http.blob_cache()
        assert store is not None
        assert store.get(f"log-v1||{URL}") is not None, "the key of this test is not the one in use"
        store.put(f"log-v1||{URL}", b"\x1f\x8bdamaged")
    assert read(server, tmp_path) == server.body and server.asked == 2


def test_without_a_cache_nothing_is_kept(server: Server) -> None:
    read(server, None)
    read(server, None)
    assert server.asked == 2


def test_what_could_still_change_when_it_was_read_is_not_taken_for_the_final_log(
    server: Server, tmp_path: Path
) -> None:
    read(server, tmp_path, final=False)
    server.body = b"the final one\n"
    assert read(server, tmp_path, final=True) == b"the final one\n"
    assert read(server, tmp_path, Mode.OFFLINE, final=False) == b"the final one\n"
