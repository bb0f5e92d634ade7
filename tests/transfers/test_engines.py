"""Which engine downloads what, and what only libcurl's has: writers, a pause that holds no memory."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from backends.http import Http, Identity
from backends.http.httpx_loader import httpx
from backends.transfers import curl_workers, fetch, transfer
from backends.transfers.curl_workers import BLOCK, MOST_WAITING, CurlWorkers
from backends.transfers.files import RemoteFile
from backends.transfers.worker_pool import ThreadWorkers
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Handler, Site, etag
from tests.transfers.test_engine import BIG, VERIFIED, wait_until_active

pytestmark = pytest.mark.parametrize("engine", ["libcurl"])


@pytest.fixture(autouse=True)
def needs_pycurl(engine: str) -> None:
    pytest.importorskip("pycurl", reason="libcurl is optional: pip install 'ciexplore[fast]'")


def test_files_over_http_come_through_libcurl_and_all_others_through_threads(
    site: Site, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("/a", b"a")
    run = runner.start(file(site, "/a"))
    assert run.wait(20) and isinstance(run._pool, CurlWorkers)
    local = RemoteFile("l", (tmp_path / "l").as_uri(), ("group", "l"))
    run = runner.start(file(site, "/b"), local)
    assert run.wait(20) and isinstance(run._pool, ThreadWorkers), "the disk is nothing that libcurl should read"
    monkeypatch.setattr(transfer, "load_pycurl", lambda: (None, "it is not installed"))
    site.add("/c", b"c")
    run = runner.start(file(site, "/c"))
    assert run.wait(20) and isinstance(run._pool, ThreadWorkers) and ends(run) == {"/c": VERIFIED}


def test_credentials_are_no_reason_for_threads_and_a_given_transport_is() -> None:
    identity = Identity("https://h.example", "me", lambda method, url: {"authorization": "secret"})
    with Http(identities=[identity]) as http:
        settings = http.downloader_settings()
    assert settings is not None and settings.identities == (identity,)
    assert "secret" not in repr(settings)
    with Http(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as http:
        assert http.downloader_settings() is None


def test_pycurl_is_not_imported_before_a_download_starts() -> None:
    code = (
        "import sys, backends.http.client, backends.downloads, tui.commands.download; sys.exit('pycurl' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def pour(handler: Handler, stopped: threading.Event, sent: list[int]) -> None:
    """Sends the body in pieces and counts what the client's side has taken."""
    handler.send_response(200)
    handler.send_header("content-length", str(len(handler.body)))
    handler.send_header("etag", etag(handler.body))
    handler.end_headers()
    for at in range(0, len(handler.body), 1 << 16):
        handler.wfile.write(handler.body[at : at + (1 << 16)])
        sent[0] = at


@pytest.mark.parametrize("count", [3])
def test_a_pause_writes_what_has_come_and_takes_no_more(site: Site, runner: Runner, count: int) -> None:
    body = os.urandom(1 << 20) * 64
    stopped, sent = threading.Event(), [[0] for _ in range(count)]
    paths = [f"/{number}" for number in range(count)]
    for path, one in zip(paths, sent, strict=True):
        site.add(path, body, lambda handler, one=one: pour(handler, stopped, one))  # type: ignore[misc]
    run = runner.start(*(file(site, path, size=len(body)) for path in paths), jobs=count)
    wait_until_active(run, 1 << 20)
    run.pause()
    pool = run._pool
    assert isinstance(pool, CurlWorkers)
    for _ in range(1000):
        before = [one[0] for one in sent]
        time.sleep(0.3)
        if before == [one[0] for one in sent]:
            break
    assert max(before) < len(body) - (1 << 20), "the servers must wait"
    held = [sum(map(len, one._pieces)) + one._given - one._written for one in pool.active]
    assert held and max(held) <= BLOCK
    run.resume()
    assert run.wait(60) and set(ends(run).values()) == {VERIFIED}
    assert all(runner.read(f"group{path}") == body for path in paths)


def test_a_small_file_in_a_pause_holds_no_memory_and_comes_out_right(site: Site, runner: Runner) -> None:
    body, release = os.urandom(200_000), threading.Event()

    def halves(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:100_000])
        release.wait(20)
        handler.wfile.write(body[100_000:])

    site.add("/a", body, halves)
    run = runner.start(file(site, "/a"))
    pool = run._pool
    assert isinstance(pool, CurlWorkers)
    while not any(one._pieces for one in list(pool.active)):
        time.sleep(0.001)
    run.pause()
    wait_until_active(run, 1)
    assert not any(one._pieces for one in list(pool.active))
    release.set()
    run.resume()
    assert run.wait(20) and ends(run) == {"/a": VERIFIED} and runner.read("group/a") == body


def test_a_server_waits_for_a_slow_disk(site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    body = os.urandom(1 << 20) * 48
    slow = threading.Event()
    write = os.write

    def write_slowly(descriptor: int, block: bytes) -> int:
        if len(block) > 100_000:
            slow.wait(20)
        return write(descriptor, block)

    monkeypatch.setattr(fetch.os, "write", write_slowly)
    site.add("/a", body)
    run = runner.start(file(site, "/a"))
    pool = run._pool
    assert isinstance(pool, CurlWorkers)
    while not any(one._request is not None and one._request.is_paused for one in list(pool.active)):
        time.sleep(0.001)
    (one,) = pool.active
    time.sleep(0.3)
    assert MOST_WAITING < one._given - one._written < MOST_WAITING + 4 * BLOCK
    slow.set()
    assert run.wait(60) and ends(run) == {"/a": VERIFIED} and runner.read("group/a") == body


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_disk_that_fills_up_under_a_big_file_stops_the_run_and_its_part_is_resumed(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    full = threading.Event()
    full.set()
    write = os.write

    def refuse(descriptor: int, block: bytes) -> int:
        if full.is_set() and os.lseek(descriptor, 0, os.SEEK_CUR) >= 1 << 20:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, block)

    monkeypatch.setattr(fetch.os, "write", refuse)
    if encoding:
        site.add("/a", gzip.compress(BIG), content_encoding="gzip")
    else:
        site.add("/a", BIG)
    run = runner.start(file(site, "/a"))
    assert run.wait(20) and ends(run) == {"/a": ("cancelled", "disk-full")}
    full.clear()
    assert runner.run(file(site, "/a")) == {"/a": VERIFIED} and runner.read("group/a") == BIG
    assert ("range" in site.last("/a")) is (encoding == "")


def test_a_fault_of_ours_ends_the_run_with_a_sentence(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    site.add("/a", BIG, lambda handler: release.wait(20) and None)  # type: ignore[arg-type, func-returns-value]
    site.add("/b", b"b")
    run = runner.start(file(site, "/a"), file(site, "/b"), jobs=1)
    pool = run._pool
    assert isinstance(pool, CurlWorkers)
    site.wait_for(lambda: len(site.requests) == 1)
    monkeypatch.setattr(pool.client, "run_once", lambda seconds: 1 / 0)
    pool.wake()
    assert run.wait(20)
    release.set()
    assert ends(run) == {"/a": ("failed", "internal"), "/b": ("cancelled", "internal")}
    assert "division" in str(run.snapshot().problem)


def test_many_files_with_passing_faults_all_end_accounted_for(site: Site, runner: Runner) -> None:
    """503, a cut body, no answer at all: each in some of 300 files; the rest of the file is another request's."""

    def drop(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.close()

    paths = [f"/{number}" for number in range(300)]
    for number, path in enumerate(paths):
        body = os.urandom(number * 1000)
        faults = [
            [], [drop], [lambda handler: handler.send(503, b"")],
            [lambda handler: handler.send(200, handler.body, send=handler.body[: len(handler.body) // 2])],
        ][number % 4]  # fmt: skip
        site.add(path, body, *faults)
    found = runner.run(*(file(site, path) for path in paths))
    assert set(found.values()) == {VERIFIED}
    assert all(runner.read(f"group{path}") == site.bodies[path] for path in paths) and runner.parts() == []


def test_small_files_that_another_thread_writes_are_verified_as_well(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl_workers, "MANY_READY", 0)
    paths = [f"/{number}" for number in range(60)]
    for number, path in enumerate(paths):
        site.add(path, os.urandom(1 + number * 1000))
    site.add("/wrong", b"something else", repr_digest="sha-256=:" + "A" * 43 + "=:")
    threads: set[str] = set()
    take = fetch.Reception.take

    def note(reception: fetch.Reception, chunk: bytes) -> None:
        threads.add(threading.current_thread().name)
        take(reception, chunk)

    monkeypatch.setattr(fetch.Reception, "take", note)
    found = runner.run(*(file(site, path) for path in [*paths, "/wrong"]))
    assert found.pop("/wrong") == ("failed", "wrong-digest")
    assert set(found.values()) == {VERIFIED} and "transfer-writer-0" in threads
    assert all(runner.read(f"group{path}") == site.bodies[path] for path in paths) and runner.parts() == []


def test_a_file_that_another_thread_writes_ends_when_the_receiving_one_fails(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl_workers, "MANY_READY", 0)
    begun, release, aborted = threading.Event(), threading.Event(), threading.Event()
    take = fetch.Reception.take

    def wait(reception: fetch.Reception, chunk: bytes) -> None:
        begun.set()
        release.wait(20)
        take(reception, chunk)

    monkeypatch.setattr(fetch.Reception, "take", wait)
    site.add("/a", b"a")
    run = runner.start(file(site, "/a"))
    pool = run._pool
    assert isinstance(pool, CurlWorkers) and begun.wait(20)
    abort = run.abort
    monkeypatch.setattr(run, "abort", lambda error: (abort(error), aborted.set()))
    monkeypatch.setattr(pool.client, "run_once", lambda seconds: 1 / 0)
    pool.wake()
    assert aborted.wait(20)
    release.set()
    assert run.wait(20) and ends(run) == {"/a": ("cancelled", "internal")}
