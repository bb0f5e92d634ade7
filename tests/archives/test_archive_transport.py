"""What can happen to an archive on its way: cut off, dressed in an encoding, redirected, in the way of another."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backends.archives.hosts import HgwebHost as Client
from backends.archives.hosts import SourceNotFoundError
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http import Http
from backends.http.errors import (
    HttpError,
    IncompleteBodyError,
    RateLimitedError,
    UnexpectedResponseError,
    UnsafeRedirectError,
)
from tests.archives.conftest import EngineFactory
from tests.archives.test_archive_verifying import GOOD, NODE, zipped

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class Site:
    """An hgweb of which the archive's answers are scripted: `answers` are taken one after the other, the last stays."""

    def __init__(self, content: bytes) -> None:
        self.content, self.answers, self.asked = content, list[Answer](), 0
        self.running = self.most = 0
        self.lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "/json-log/" in self.path:
                    send_all(self, json.dumps({"changesets": [{"node": NODE, "date": [1_400_000_000, 0]}]}).encode())
                    return
                if "/archive/" not in self.path:
                    send_all(self, b"<!doctype html><title>hgweb</title>")
                    return
                with site.lock:
                    site.asked += 1
                    site.running += 1
                    site.most = max(site.most, site.running)
                answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
                try:
                    answer(self, site.content)
                finally:
                    with site.lock:
                        site.running -= 1

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def send_all(asked: BaseHTTPRequestHandler, content: bytes) -> None:
    asked.send_response(200)
    asked.end_headers()
    asked.wfile.write(content)


def cut(asked: BaseHTTPRequestHandler, content: bytes) -> None:
    """As a server that dies: the last chunk never comes."""
    asked.protocol_version = "HTTP/1.1"
    asked.send_response(200)
    asked.send_header("transfer-encoding", "chunked")
    asked.end_headers()
    half = content[: len(content) // 2]
    asked.wfile.write(b"%x\r\n%b\r\n" % (len(half), half))
    asked.close_connection = True


def encoded(asked: BaseHTTPRequestHandler, content: bytes) -> None:
    """As a proxy that compresses everything."""
    asked.send_response(200)
    asked.send_header("content-encoding", "gzip")
    asked.end_headers()
    asked.wfile.write(gzip.compress(content))


def elsewhere(asked: BaseHTTPRequestHandler, content: bytes) -> None:
    asked.send_response(302)
    asked.send_header("location", "http://archives.example/x.zip")
    asked.send_header("content-length", "0")
    asked.end_headers()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    one = Site(zipped(tmp_path / "good.zip", GOOD).read_bytes())
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_an_archive_that_breaks_off_is_fetched_again(site: Site, bench: EngineFactory) -> None:
    site.answers = [cut, cut, send_all]
    made = bench(site.url)
    got = made.get("projects/ash", "tip")
    assert got.archive.path.read_bytes() == site.content
    assert made.states.count("RETRY") == 2 and site.asked == 3


def test_an_archive_that_always_breaks_off_is_given_up(site: Site, bench: EngineFactory) -> None:
    site.answers = [cut]
    made = bench(site.url)
    with pytest.raises(IncompleteBodyError):
        made.get("projects/ash", "tip")
    assert site.asked == 3 and made.engine.store.all() == []
    assert not list(made.engine.store.directory.glob(".*.part"))


def test_an_encoding_of_the_way_is_no_part_of_the_archive(site: Site, bench: EngineFactory) -> None:
    site.answers = [encoded]
    assert bench(site.url).get("projects/ash", "tip").archive.path.read_bytes() == site.content


def test_a_redirect_to_plain_http_elsewhere_is_not_followed(site: Site, bench: EngineFactory) -> None:
    site.answers = [elsewhere]
    with pytest.raises(UnsafeRedirectError):
        bench(site.url).get("projects/ash", "tip")
    assert site.asked == 1


def test_one_server_makes_one_archive_at_a_time(site: Site, bench: EngineFactory) -> None:
    site.answers = [send_all]
    benches = [bench(site.url) for _ in range(4)]
    threads = [threading.Thread(target=benches[number].get, args=(f"repository{number}", "tip")) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (site.asked, site.most) == (4, 1)


def test_a_server_that_gives_another_revision_is_not_believed(site: Site, bench: EngineFactory) -> None:
    site.answers = [send_all]
    with pytest.raises(UnexpectedResponseError, match="another revision"):
        bench(site.url).get("projects/ash", "f" * 39 + "e")


def test_a_server_whose_index_is_for_people_only_says_so(site: Site) -> None:
    with Http(tries=1) as http, pytest.raises(SourceNotFoundError, match="no list of its repositories"):
        Client(http, site.url).repositories(CancelToken())


def page(asked: BaseHTTPRequestHandler, content: bytes) -> None:
    send_all(asked, b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>")


def busy_for(seconds: int) -> Answer:
    def answer(asked: BaseHTTPRequestHandler, content: bytes) -> None:
        asked.send_response(429)
        asked.send_header("retry-after", str(seconds))
        asked.send_header("content-length", "0")
        asked.end_headers()

    return answer


def test_a_page_in_place_of_the_archive_is_called_a_page(site: Site, bench: EngineFactory) -> None:
    site.answers = [page]
    made = bench(site.url)
    with pytest.raises(HttpError, match=r"an HTML page .*Sign in.* instead of ash-"):
        made.get("projects/ash", "tip")
    assert site.asked == 1 and made.engine.store.all() == []


@pytest.mark.parametrize("sent", [b"Internal Server Error", b"PK\x03\x04 and no more", b""])
def test_what_is_wrong_with_an_archive_is_said_by_its_name_and_not_by_the_name_of_a_part(
    site: Site, bench: EngineFactory, sent: bytes
) -> None:
    site.answers = [lambda asked, _: send_all(asked, sent)]
    made = bench(site.url)
    with pytest.raises(AppError) as raised:
        made.get("projects/ash", "tip")
    told = str(raised.value)
    assert f"ash-{NODE[:12]}.zip" in told and ".part" not in told and str(made.engine.store.directory) not in told


def test_a_server_that_asks_to_wait_for_ten_minutes_is_not_asked_again_in_seconds(
    site: Site, bench: EngineFactory
) -> None:
    site.answers = [busy_for(600)]
    made = bench(site.url)
    with pytest.raises(RateLimitedError):
        made.get("projects/ash", "tip")
    assert site.asked == 1 and made.waits == []


def test_a_server_that_asks_to_wait_for_100_seconds_is_asked_again_then(site: Site, bench: EngineFactory) -> None:
    site.answers = [busy_for(100), send_all]
    made = bench(site.url)
    assert made.get("projects/ash", "tip").archive.path.read_bytes() == site.content
    assert made.waits == [100.0]
