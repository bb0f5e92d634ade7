"""TLS and proxies: one context, certificates that are checked, and nothing of ours told to a proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.http import CachePolicy, Downloader, Http, Identity, errors, transport
from backends.http.httpx_loader import httpx
from backends.http.sender import Timeouts

Make = Callable[..., Http]
Serve = Callable[..., Any]
Say = Callable[..., bytes]
Watch = Callable[[Callable[[CancelToken], Any], Callable[[], object]], None]
BODY = bytes(range(256)) * 400


def test_all_downloaders_share_one_tls_context(monkeypatch: pytest.MonkeyPatch) -> None:
    first = transport.shared_context()
    assert transport.shared_context() is first
    assert first.verify_mode is ssl.CERT_REQUIRED and first.check_hostname


def tls_server(certificate: Path, reply: bytes) -> Callable[[socket.socket, bytes], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def talk(connection: socket.socket, head: bytes) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            while secure.recv(65536):
                secure.sendall(reply)

    return talk


def test_a_certificate_that_nobody_vouches_for_is_refused_once_and_with_advice(
    certificate: Path, client: Make, serve: Serve, say: Say
) -> None:
    server = serve(tls_server(certificate, say(b"x")), greets=True)
    with pytest.raises(errors.NetworkError) as caught:
        client().get(server.url.replace("http:", "https:"), policy=CachePolicy.never())
    assert "certificate" in caught.value.sentence and "SSL_CERT_FILE" in caught.value.hint
    assert len(server.connections) == 1


def test_files_come_and_cancel_works_over_tls(
    certificate: Path, serve: Serve, say: Say, monkeypatch: pytest.MonkeyPatch, cancelled_while: Watch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    transport._make_context.cache_clear()
    try:
        whole = serve(tls_server(certificate, say(BODY)), greets=True)
        stalled = serve(tls_server(certificate, say(BODY)[:-10]), greets=True)
        began = threading.Event()
        with Downloader(timeouts=Timeouts(read=300)) as downloader:
            for _ in range(2):
                with downloader.open(whole.url.replace("http:", "https:")) as download:
                    assert b"".join(download.chunks()) == BODY

            def blocked(cancel: CancelToken) -> None:
                with downloader.open(stalled.url.replace("http:", "https:"), cancel=cancel) as download:
                    size = 0
                    for chunk in download.chunks():
                        size += len(chunk)
                        if size == len(BODY) - 10:
                            began.set()

            cancelled_while(blocked, lambda: began.wait(15))
        assert len(whole.connections) == 1
    finally:
        transport._make_context.cache_clear()


def test_no_proxy_is_used_for_this_machine_and_the_named_one_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "internal.example")
    transport._environment_proxies.cache_clear()
    try:
        assert transport.proxy_of(httpx.URL("https://ci.example/")) == "http://proxy.example:3128"
        assert transport.proxy_of(httpx.URL("https://internal.example/")) == ""
        assert transport.proxy_of(httpx.URL("http://127.0.0.1:80/")) == ""
    finally:
        transport._environment_proxies.cache_clear()


def test_a_proxy_is_asked_to_connect_and_never_sees_who_we_are(
    serve: Serve, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda connection, head: connection.sendall(say(b"", "407 Proxy Authentication Required")))
    monkeypatch.setenv("HTTPS_PROXY", server.url.replace("http://", "http://user:pw@"))
    transport._environment_proxies.cache_clear()
    me = Identity("https://ci.example", "me", lambda method, url: {"authorization": "Hawk secret"})
    try:
        with Downloader(identities=[me]) as downloader, pytest.raises(errors.NetworkError) as caught:
            downloader.open("https://ci.example/f?bewit=1")
    finally:
        transport._environment_proxies.cache_clear()
    assert caught.value.reason == "proxy" and "HTTPS_PROXY" in caught.value.hint
    assert server.heads[0].startswith(b"CONNECT ci.example:443 ") and b"Proxy-Authorization: Basic" in server.heads[0]
    assert b"Hawk" not in server.heads[0] and b"bewit" not in server.heads[0]
