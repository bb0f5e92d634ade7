"""libcurl and servers that are broken, slow or hostile: the same rules and words as over httpx."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import UsageError
from backends.http import Identity, Mode, transport
from backends.http.curl import _PLAIN_URL, CurlClient, CurlRequest
from backends.http.downloads import DownloaderSettings, ResponseHead
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    IncompleteBodyError,
    NetworkError,
    OfflineError,
    RequestTimeoutError,
    ServerError,
    TooManyRedirectsError,
    TooSlowError,
    UnexpectedResponseError,
    UnsafeRedirectError,
)
from backends.http.pycurl_loader import describe_engine, load_pycurl
from backends.http.sender import Timeouts
from backends.http.urls import parse_url
from tests.http.conftest import RawServer, Talk, answer, read_head

pytest.importorskip("pycurl", reason="libcurl is optional: pip install 'ciexplore[fast]'")
BODY = bytes(range(256)) * 400
FAST = Timeouts(connect=2.0, read=0.4, headers=0.6, speed_time=0.3)


@dataclass
class Taker:
    """Takes one response."""

    head: ResponseHead | None = None
    body: bytearray = field(default_factory=bytearray)
    error: Exception | None = None
    is_over: bool = False

    def on_head(self, head: ResponseHead) -> Callable[[bytes], object]:
        self.head = head
        return self.body.extend

    def on_end(self, error: Exception | None) -> None:
        self.error, self.is_over = error, True


def run(client: CurlClient, until: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "it takes too long"
        client.run_once(0.05)


def fetch(
    url: str,
    offset: int = 0,
    if_range: str | None = None,
    *,
    timeouts: Timeouts | None = None,
    http2: bool = False,
    identities: tuple[Identity, ...] = (),
) -> Taker:
    taker = Taker()
    with contextlib.closing(_client(timeouts, http2=http2, identities=identities)) as client:
        client.request(url, taker, offset, if_range)
        run(client, lambda: taker.is_over)
    return taker


def _client(timeouts: Timeouts | None = None, **options: object) -> CurlClient:
    http2 = bool(options.pop("http2", False))
    settings = DownloaderSettings(Mode.NORMAL, timeouts or Timeouts(), **options)  # type: ignore[arg-type]
    return CurlClient(settings, http2=http2)


Serve = Callable[[Talk], RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[RawServer] = []

    def start(talk: Talk) -> RawServer:
        running.append(RawServer(talk))
        return running[-1]

    yield start
    for server in running:
        server.close()


def saying(reply: bytes, *, hang_up: bool = True) -> Talk:
    def talk(connection: socket.socket, head: bytes) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(reply)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)

    return talk


def test_a_file_comes_as_it_is_on_the_wire_with_the_headers_of_all_hops(serve: Serve) -> None:
    storage = serve(saying(answer(BODY, content_encoding="GZIP", ETag='"é"'), hang_up=False))
    queue = serve(saying(answer(b"{}", "303 See Other", location=f"{storage.url}/f?S=s", x_hash="1"), hang_up=False))
    taken = fetch(f"{queue.url}/f")
    assert taken.error is None and taken.body == BODY
    assert taken.head is not None and taken.head.encoding == "gzip" and taken.head.headers["etag"] == '"é"'
    ((url, headers),) = taken.head.hops
    assert (url, headers["x-hash"], taken.head.url) == (f"{queue.url}/f", "1", f"{storage.url}/f?S=s")
    head = storage.heads[0].lower()
    assert b"accept-encoding: gzip\r\n" in head and b"user-agent: ciexplore/" in head and b"accept: */*" in head
    assert b"range" not in head and b"referer" not in head and b"cookie" not in head


def test_a_range_is_requested_of_the_version_that_is_there(serve: Serve) -> None:
    server = serve(saying(answer(BODY[9:], "206 Partial Content", content_range="bytes 9-102399/102400")))
    taken = fetch(f"{server.url}/f", 9, '"é"')
    assert taken.error is None and taken.body == BODY[9:]
    assert 'range: bytes=9-\r\nif-range: "é"\r\n'.encode() in server.heads[0]
    assert isinstance(fetch(f"{server.url}/f", 10).error, UnexpectedResponseError)


def test_a_version_that_would_add_a_header_is_not_sent(serve: Serve) -> None:
    server = serve(saying(answer()))
    with contextlib.closing(_client()) as client, pytest.raises(NetworkError) as found:
        client.request(f"{server.url}/f", Taker(), 9, '"e"\r\nx: y')
    assert not found.value.retryable and server.heads == []


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FLOOD = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "kind", "is_retryable"),
    [
        (answer(b"", "503 Service Unavailable", retry_after="7"), ServerError, True),
        (answer(BODY, "503 Service Unavailable")[:200], ServerError, True),
        (answer(b'{"message": "InsufficientScopes"}', "403 Forbidden"), AccessDeniedError, False),
        (answer(bytes(1 << 20), "403 Forbidden"), AccessDeniedError, False),
        (answer(BODY)[:-9], IncompleteBodyError, True),
        (answer(BODY)[:-102400], IncompleteBodyError, True),
        (CHUNKED + b"ff\r\nabc", IncompleteBodyError, True),
        (CHUNKED + b"3\r\nabc\r\nzz\r\n", IncompleteBodyError, True),
        (b"garbage\r\n\r\n", NetworkError, True),
        (b"\x16\x03\x01" * 99, NetworkError, True),
        (b"HTTP/1.1 200 OK\r\ncontent-len", NetworkError, True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", NetworkError, True),
        (b"", NetworkError, True),
        (answer(b"12345").replace(b"\r\n\r\n", b"\r\ncontent-length: 6\r\n\r\n"), NetworkError, True),
        (answer(b"12345").replace(b"5\r\n", b"-5\r\n", 1), NetworkError, True),
        (answer(b"", "204 No Content"), UnexpectedResponseError, False),
        (answer(b"1", "206 Partial Content", content_range="bytes 0-0/1"), UnexpectedResponseError, False),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 400_000, UnexpectedResponseError, False),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 70_000, UnexpectedResponseError, False),
        (FLOOD * 10_000, UnexpectedResponseError, False),
        (answer(b"", "302 Found", location="file:///etc/passwd"), UnsafeRedirectError, False),
        (answer(b"", "302 Found", location="gopher://127.0.0.1/"), UnsafeRedirectError, False),
        (answer(b"", "302 Found", location="http://example.com/"), UnsafeRedirectError, False),
        (answer(b"", "302 Found", location="http://user:secret@127.0.0.1/"), UnsafeRedirectError, False),
        (answer(b"", "302 Found", location="/f"), TooManyRedirectsError, False),
    ],
)
def test_what_is_no_file_is_an_error_and_never_a_file(
    serve: Serve, reply: bytes, kind: type[HttpError], is_retryable: bool
) -> None:
    server = serve(saying(reply, hang_up=kind is not TooManyRedirectsError))
    error = fetch(f"{server.url}/f", timeouts=Timeouts(read=5.0)).error
    assert isinstance(error, kind), error
    assert error.retryable is is_retryable and "secret" not in str(error)
    assert len(server.heads) == (11 if kind is TooManyRedirectsError else 1)
    if kind is ServerError:
        assert error.status == 503


def test_a_good_head_after_interim_ones_counts(serve: Serve) -> None:
    server = serve(saying(FLOOD * 20 + answer(b"body")))
    taken = fetch(f"{server.url}/f")
    assert taken.body == b"body" and taken.head is not None and "link" not in taken.head.headers


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"", RequestTimeoutError),
        (b"HTTP/1.1 200 OK\r\n", RequestTimeoutError),
        (answer(BODY)[:-9], RequestTimeoutError),
        (answer(BODY)[: -len(BODY)], RequestTimeoutError),
    ],
)
def test_silence_ends(serve: Serve, reply: bytes, kind: type[HttpError]) -> None:
    error = fetch(f"{serve(saying(reply, hang_up=False)).url}/f", timeouts=FAST).error
    assert isinstance(error, kind) and error.retryable


@pytest.mark.parametrize(("first", "then"), [(b"", FLOOD), (answer(BODY)[: -len(BODY)], b"x")])
def test_a_server_that_sends_hardly_anything_is_given_up(serve: Serve, first: bytes, then: bytes) -> None:
    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(first)
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(then)
                time.sleep(0.05)

    assert isinstance(fetch(f"{serve(talk).url}/f", timeouts=FAST).error, TooSlowError)


def test_nobody_listens_and_a_name_that_is_not_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = fetch(f"http://127.0.0.1:{port}/f").error
    assert isinstance(error, NetworkError) and error.retryable and "Nothing listens" in str(error)
    error = fetch("https://name.invalid/f").error
    assert isinstance(error, NetworkError) and "name.invalid is not known" in str(error)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://example.com/", "file:///etc/passwd", "http://a@localhost/"]
)
def test_an_address_that_must_not_be_asked_is_refused(url: str) -> None:
    with contextlib.closing(_client()) as client, pytest.raises(UsageError):
        client.request(url, Taker())


def test_offline_nothing_is_sent(serve: Serve) -> None:
    server = serve(saying(answer()))
    client = CurlClient(DownloaderSettings(Mode.OFFLINE, Timeouts()))
    with contextlib.closing(client), pytest.raises(OfflineError):
        client.request(f"{server.url}/f", Taker())
    assert server.heads == []


def test_who_we_are_is_signed_for_each_request_and_told_to_the_first_server_only(serve: Serve) -> None:
    signed: list[str] = []

    def sign(method: str, url: str) -> Mapping[str, str]:
        signed.append(url)
        return {"authorization": f"number {len(signed)}"}

    replies: list[bytes] = []
    ours = serve(lambda connection, head: connection.sendall(replies.pop(0)))
    other = serve(saying(answer(b"", "302 Found", location=f"{ours.url}/back"), hang_up=False))
    identity = (Identity(ours.url, "me", sign),)
    replies += [answer(b"", "302 Found", location="/there"), answer(b"file")]
    assert fetch(f"{ours.url}/f", identities=identity).body == b"file"
    assert [b"number 1" in ours.heads[0], b"number 2" in ours.heads[1]] == [True, True]
    replies += [answer(b"", "302 Found", location=f"{other.url}/f"), answer(b"file")]
    assert fetch(f"{ours.url}/f", identities=identity).body == b"file"
    assert b"number 3" in ours.heads[2] and b"authorization" not in other.heads[0] + ours.heads[3]


def test_a_signature_that_cannot_be_made_is_the_error_of_its_file(serve: Serve) -> None:
    server = serve(saying(answer()))

    def sign(method: str, url: str) -> Mapping[str, str]:
        raise UsageError("The credentials have expired.")

    error = fetch(f"{server.url}/f", identities=(Identity(server.url, "me", sign),)).error
    assert isinstance(error, UsageError) and server.heads == []


def test_cancelling_closes_the_connection_and_the_others_go_on(serve: Serve) -> None:
    gone: list[bytes] = []

    def talk(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer(BODY)[:-9])
        gone.append(connection.recv(1))

    slow, fast = serve(talk), serve(saying(answer(BODY)))
    with contextlib.closing(_client()) as client:
        stopped, other = Taker(), Taker()
        request = client.request(f"{slow.url}/f", stopped)
        run(client, lambda: len(stopped.body) == len(BODY) - 9)
        client.request(f"{fast.url}/f", other)
        client.cancel(request)
        run(client, lambda: other.is_over and gone)
        assert not stopped.is_over and gone == [b""] and other.body == BODY
        request = client.request(f"{slow.url}/f", stopped)
        client.run_once(0.1)
    assert not stopped.is_over


def test_a_pause_takes_no_byte_and_does_not_count_as_silence(serve: Serve) -> None:
    server = serve(saying(answer(bytes(64 << 20)), hang_up=False))
    with contextlib.closing(_client(FAST)) as client:
        taker = Taker()
        request: CurlRequest = client.request(f"{server.url}/f", taker)
        run(client, lambda: taker.body)
        client.pause(request)
        have, end = len(taker.body), time.monotonic() + 1.0
        run(client, lambda: time.monotonic() > end)
        assert len(taker.body) == have and not taker.is_over
        client.resume(request)
        run(client, lambda: taker.is_over)
    assert taker.error is None and len(taker.body) == 64 << 20


# TLS, HTTP/2 and proxies.


def over_tls(certificate: Path, reply: bytes) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def talk(connection: socket.socket, head: bytes) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            while read_head(secure):
                secure.sendall(reply)

    server = RawServer(talk, greets=True)
    yield server.url.replace("http", "https")
    server.close()


@pytest.mark.parametrize("http2", [False, True])
def test_only_certificates_that_are_trusted_are_accepted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, http2: bool
) -> None:
    for url in over_tls(certificate, answer(BODY)):
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        error = fetch(f"{url}/f", http2=http2).error
        assert isinstance(error, NetworkError) and error.reason == "certificate" and not error.retryable
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(f"{url}/f", http2=http2).body == BODY
        error = fetch(f"{url.replace('127.0.0.1', 'localhost')}/f", http2=http2).error
        assert isinstance(error, NetworkError) and error.reason == "certificate", "of another host"
        monkeypatch.delenv("SSL_CERT_FILE")
        directory = certificate.parent / "trusted"
        directory.mkdir()
        named = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", certificate], capture_output=True, text=True, check=True
        )
        shutil.copy(certificate, directory / f"{named.stdout.strip()}.0")
        monkeypatch.setenv("SSL_CERT_DIR", str(directory))
        assert fetch(f"{url}/f", http2=http2).body == BODY


def test_a_server_without_http2_is_asked_on_many_connections_at_once(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One response that is slow must not hold back the others."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    takers = [Taker() for _ in range(5)]
    for url in over_tls(certificate, answer(BODY)[:-9]):
        with contextlib.closing(_client(http2=True)) as client:
            for taker in takers:
                client.request(f"{url}/f", taker)
            run(client, lambda: all(len(taker.body) == len(BODY) - 9 for taker in takers))


def test_http2_where_the_server_has_it(certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed, and nothing else here serves HTTP/2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "f").write_bytes(BODY)
    user = "user root; " if os.geteuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {tmp_path}/t;" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"{user}daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} "
        f"http {{ access_log off; {temporary} "
        f"server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {certificate}; add_header x-protocol "
        f"$server_protocol; ssl_certificate_key {certificate.with_name('key.pem')}; root {tmp_path}/site; }} }}"
    )
    server = subprocess.Popen(["nginx", "-e", tmp_path / "log", "-c", tmp_path / "nginx.conf"])
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        tmp_path.chmod(0o755)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        takers = [Taker() for _ in range(50)]
        with contextlib.closing(_client(http2=True)) as client:
            requests = [client.request(f"https://127.0.0.1:{port}/f", taker) for taker in takers]
            client.run_once(0.01)
            client.cancel(requests[7])
            takers[7].is_over = True
            run(client, lambda: all(taker.is_over for taker in takers))
        if takers[0].head is None:
            pytest.skip(f"nginx cannot read the files of this test: {takers[0].error}")
        assert {taker.head.headers["x-protocol"] for taker in takers if taker.head is not None} == {"HTTP/2.0"}
        assert all(bytes(taker.body) == BODY and taker.error is None for taker in takers if taker is not takers[7])
        assert fetch(f"https://127.0.0.1:{port}/f").head.headers["x-protocol"] == "HTTP/1.1"  # type: ignore[union-attr]
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def use(proxy: str) -> None:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        transport._environment_proxies.cache_clear()

    yield use
    monkeypatch.undo()
    transport._environment_proxies.cache_clear()


def test_the_proxy_of_the_environment_is_used_and_learns_nothing(
    serve: Serve, proxied: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(saying(answer(b"", "407 Proxy Authentication Required")))
    proxied(proxy.url.replace("http://", "http://user:word@"))
    identity = Identity("https://ci.example", "me", lambda method, url: {"authorization": "secret"})
    error = fetch("https://ci.example/f?token=1", identities=(identity,)).error
    assert isinstance(error, NetworkError) and error.reason == "proxy"
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT ci.example:443 ") and b"secret" not in head and b"token" not in head
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in head
    monkeypatch.setenv("NO_PROXY", "other.invalid")
    assert isinstance(fetch("https://other.invalid/f").error, NetworkError) and len(proxy.heads) == 1
    server = serve(saying(answer(b"here")))
    assert fetch(f"{server.url}/f").body == b"here" and len(proxy.heads) == 1, "this machine is never behind a proxy"


def test_other_proxies_than_http_are_refused_as_over_httpx(proxied: Callable[[str], None]) -> None:
    proxied("socks5://127.0.0.1:1")
    error = fetch("https://ci.example/f").error
    assert isinstance(error, NetworkError) and error.reason == "proxy"


# What is not asked twice how an address reads.

segment = st.text(st.sampled_from("ab.%~ é&'/+=:@[]#?\\|^\"<>"), max_size=12)


@given(st.sampled_from(["http://127.0.0.1:80", "https://h.example", "http://LOCALHOST", "http://a@h"]), segment)
def test_an_address_that_is_taken_as_it_is_is_what_parsing_makes_of_it(origin: str, rest: str) -> None:
    url = f"{origin}/{rest}"
    if _PLAIN_URL.fullmatch(url):
        assert parse_url(url).raw_path.decode() == url.removeprefix(origin)


def test_the_engine_is_named_with_the_reason() -> None:
    assert describe_engine().startswith("libcurl 8.")
    load_pycurl.cache_clear()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (None, "pycurl is not installed (pip install 'ciexplore[fast]')"),
        ("old", "pycurl brings libcurl 7.88.1; needed is 8.4 with TLS"),
    ],
)
def test_without_pycurl_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, module: str | None, words: str) -> None:
    class Old:
        @staticmethod
        def version_info() -> tuple[object, ...]:
            return (11, "7.88.1", 0, "Linux", 0, "OpenSSL", 0, "", ("http", "https"))

    monkeypatch.setitem(sys.modules, "pycurl", Old if module else None)
    load_pycurl.cache_clear()
    try:
        assert describe_engine() == f"httpx in threads, because {words}"
    finally:
        load_pycurl.cache_clear()
