"""Whatever does not answer - the hgweb, clients by the hundred - the Archiver does, and says little about it."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.archives import server
from backends.archives.buckets import BucketMirror
from backends.archives.client import ArchiverClient
from backends.archives.fetch import ProgressReport
from backends.archives.server import ArchiverServer
from backends.archives.spec import ArchiveRequest
from backends.archives.store import ArchiveRecord
from backends.cancel import CancelToken
from backends.demo import DemoServer
from backends.listener import GuardedProtocol, QuietLog, Server, configure, most_connections
from tests.archives.conftest import EngineFactory
from tests.archives.mercurial_server import Hgweb
from tests.archives.storage import Storage
from tests.archives.test_archive_buckets import EAST, WEST, mirror
from tests.commands.calling import command, environment

ASH = "projects/ash"
HALF = b"GET /archiver/status/x HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "


@contextmanager
def hanging() -> Iterator[str]:
    """Takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def status(url: str) -> str:
    told: str = httpx.get(f"{url}/archiver/status/nosuch", timeout=30).json()["result"]["state"]
    return told


# Archives that are there need no hgweb.


def moved(made: Any, url: str) -> None:
    """The kept archives become those of another server."""
    from dataclasses import replace

    for kept in made.engine.store.all():
        record: ArchiveRecord = replace(kept.record, root=url)
        (made.engine.store.directory / f"{record.spec.digest}.{record.suffix}").write_bytes(kept.path.read_bytes())
        made.engine.store.keep(record)


@pytest.mark.parametrize("hg", ["hangs", "is away"])
def test_a_kept_archive_is_served_without_the_hgweb(hgweb: Hgweb, bench: EngineFactory, hg: str) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(hanging()) if hg == "hangs" else "http://127.0.0.1:9"
        made = bench(hgweb.url, cache="server")
        got = made.get(ASH, "REL_1", suffix="tar.gz")
        moved(made, url)
        first = hgweb.repositories.first
        running = stack.enter_context(ArchiverServer(bench(url, cache="server").engine, lookup_seconds=30))
        for revision in (first[:12], first[:20], first):
            answer = httpx.get(f"{running.url}/archiver/hgmo/{ASH}/{revision}", timeout=30)
            assert answer.status_code == 302, revision
            assert httpx.get(answer.headers["location"]).content == got.archive.path.read_bytes()


@pytest.mark.parametrize(("hg", "by"), [("hangs", "us"), ("is away", "the original")])
def test_an_archive_in_a_bucket_is_served_without_the_hgweb(
    hgweb: Hgweb, storage: Storage, bench: EngineFactory, hg: str, by: str
) -> None:
    """By the first 12 digits, as the original names its keys; also what the original put there."""
    for name in ("hit-east", "hit-west"):
        for key in storage.keys(name):
            storage._ask("DELETE", f"/{name}/{key}")
        storage.bucket(name)
    kept = bench(hgweb.url, mirror=mirror(storage, hgweb, east="hit-east", west="hit-west")).get(ASH, "REL_1").archive
    content, first = kept.path.read_bytes(), hgweb.repositories.first
    if by == "the original":
        for name in ("hit-east", "hit-west"):
            storage.put(name, f"{ASH}-{first[:12]}.zip", content)
    with ExitStack() as stack:
        url = stack.enter_context(hanging()) if hg == "hangs" else "http://127.0.0.1:9"
        place = BucketMirror({EAST: "hit-east", WEST: "hit-west"}, url, storage.environment)
        engine = bench(url, cache="empty", mirror=place).engine
        running = stack.enter_context(ArchiverServer(engine, lookup_seconds=30))
        for revision in (first[:12], first):
            asked = f"{running.url}/archiver/hgmo/{ASH}/{revision}?suffix=zip&preferred_region={WEST}"
            answer = httpx.get(asked, timeout=30)
            assert answer.status_code == 302 and "/hit-west/" in answer.headers["location"], revision
            assert httpx.get(answer.headers["location"]).content == content


def test_a_damaged_copy_is_not_served_but_put_there_again(hgweb: Hgweb, storage: Storage, bench: EngineFactory) -> None:
    storage.bucket("damaged-east")
    place = BucketMirror({EAST: "damaged-east"}, hgweb.url, storage.environment)
    made = bench(hgweb.url, mirror=place)
    kept = made.get(ASH, "REL_1").archive
    storage.put("damaged-east", kept.record.spec.key, kept.path.read_bytes()[:-10])
    with ArchiverServer(made.engine) as running:
        asked = f"{running.url}/archiver/hgmo/{ASH}/{hgweb.repositories.first[:12]}?suffix=zip"
        answer = httpx.get(asked, timeout=30)
        assert answer.status_code == 202
        for _ in range(3000):
            if httpx.get(answer.headers["location"]).json()["result"]["state"] == "SUCCESS":
                break
            threading.Event().wait(0.01)
        answer = httpx.get(asked, timeout=30)
        assert answer.status_code == 302
        assert httpx.get(answer.headers["location"]).content == kept.path.read_bytes()


def test_a_name_that_a_hanging_hgweb_cannot_resolve_is_a_task_and_the_status_answers(bench: EngineFactory) -> None:
    """More of them at once than there are threads; each is answered when its time is over."""
    notes = list[str]()
    with hanging() as url, ArchiverServer(bench(url).engine, write=notes.append, lookup_seconds=0.5) as running:
        answers = list[int]()

        def ask(number: int) -> None:
            answer = httpx.get(f"{running.url}/archiver/hgmo/{ASH}/branch-{number}", timeout=60)
            answers.append(answer.status_code)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        assert status(running.url) == "PENDING"
        for thread in threads:
            thread.join(60)
        assert answers == [202] * 20
        assert status(running.url) == "PENDING"
    assert len(notes) == 1 and "timed out" in notes[0]


def test_more_tasks_than_can_wait_are_refused_with_503(bench: EngineFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_WAITING_TASKS", 3)
    with hanging() as url, ArchiverServer(bench(url).engine, lookup_seconds=0.05) as running:
        asked = [httpx.get(f"{running.url}/archiver/hgmo/{ASH}/{'abcd' * 3}{number}") for number in range(5)]
        assert [answer.status_code for answer in asked] == [202, 202, 202, 503, 503]
        assert asked[3].headers["retry-after"] and asked[3].json()["error"]["code"] == 503


# Connections.


@contextmanager
def half_open(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Connections that sent half a header each."""
    port = int(url.rpartition(":")[2])
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            one.sendall(HALF)
            opened.append(one)
        yield opened


def closed_by_server(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def test_100_half_open_connections_do_not_stop_the_server(hgweb: Hgweb, bench: EngineFactory) -> None:
    notes = list[str]()
    with ArchiverServer(bench(hgweb.url).engine, write=notes.append) as running, half_open(running.url, 100):
        for _ in range(3):
            assert status(running.url) == "PENDING"
    assert notes == []


def test_the_command_with_few_file_descriptors_serves_on_and_stays_quiet(hgweb: Hgweb, tmp_path: Path) -> None:
    """300 half-open connections once filled the disk with tracebacks, 53 MB in a minute."""
    errors = tmp_path / "stderr"
    with errors.open("wb") as stderr:
        running = subprocess.Popen(
            command("archives", "serve", "--port", "0", "--hg-url", hgweb.url),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=environment(), start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        )  # fmt: skip
    try:
        assert running.stdout is not None
        url = running.stdout.readline().decode().strip().partition("=")[2]
        with half_open(url, 120):
            for _ in range(3):
                assert status(url) == "PENDING"
            rev = hgweb.repositories.first[:12]
            answer = httpx.get(f"{url}/archiver/hgmo/{ASH}/{rev}?suffix=zip", timeout=60)
            assert answer.status_code in (202, 302)
        assert status(url) == "PENDING"
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
        assert running.stdout is not None
        running.stdout.close()
    assert errors.stat().st_size < 2000, errors.read_text()[:2000]


def test_half_a_header_has_its_time_however_it_trickles(hgweb: Hgweb, bench: EngineFactory) -> None:
    with (
        ArchiverServer(bench(hgweb.url).engine, header_seconds=0.3) as running,
        half_open(running.url, 2) as (still, trickling),
    ):
        assert closed_by_server(still)
        with pytest.raises(OSError):
            for _ in range(10_000):
                trickling.sendall(b"x")
                threading.Event().wait(0.01)


def test_a_second_request_has_its_time_too(hgweb: Hgweb, bench: EngineFactory) -> None:
    with ArchiverServer(bench(hgweb.url).engine, header_seconds=0.3) as running:
        port = int(running.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
            one.sendall(b"GET /archiver/status/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"200" in one.recv(4096)
            one.sendall(HALF)
            while one.recv(4096):
                pass


def test_a_body_that_nobody_asked_for_has_its_time_too(hgweb: Hgweb, bench: EngineFactory) -> None:
    with ArchiverServer(bench(hgweb.url).engine, header_seconds=0.3) as running:
        port = int(running.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
            one.sendall(b"GET /archiver/status/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
            while one.recv(4096):
                pass


def test_where_all_connections_are_busy_a_new_one_is_told_so(bench: EngineFactory) -> None:
    notes = list[str]()
    with (
        hanging() as url,
        ArchiverServer(bench(url).engine, write=notes.append, most=2, lookup_seconds=60) as running,
        ExitStack() as stack,
    ):
        port = int(running.url.rpartition(":")[2])
        asked = f"GET /archiver/hgmo/{ASH}/tip HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        for _ in range(2):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            one.sendall(asked)
        server: Any = running._server
        for _ in range(3000):
            if sum(not one.is_waiting for one in list(server.server_state.connections)) == 2:
                break
            threading.Event().wait(0.01)
        answer = httpx.get(f"{running.url}/archiver/status/x", timeout=60)
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5" and "Too many" in answer.text
    assert any("answered with 503" in note for note in notes)


def test_the_demo_is_not_stopped_by_idle_connections_either(demo_server: DemoServer) -> None:
    with half_open(demo_server.root_url, 100):
        assert httpx.get(f"{demo_server.root_url}/api/queue/v1/ping", timeout=60).status_code < 500


def test_without_file_descriptors_a_waiting_connection_goes_and_one_line_is_written() -> None:
    notes = list[tuple[str, str]]()
    server = Server(configure(lambda scope: None), lambda kind, sentence: notes.append((kind, sentence)))

    class Transport:
        aborted = 0

        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            self.aborted += 1

    async def go() -> int:
        loop = asyncio.get_running_loop()
        server.config.load()
        one = GuardedProtocol(config=server.config, server_state=server.server_state, app_state={}, _loop=loop)
        transport: Any = Transport()
        one.transport = transport
        server.server_state.connections.add(one)  # type: ignore[arg-type]
        for _ in range(3):
            server._complained(loop, {"exception": OSError(errno.EMFILE, os.strerror(errno.EMFILE))})
        return int(transport.aborted)

    assert asyncio.run(go()) == 1
    assert {kind for kind, _ in notes} == {"descriptors"}


def test_of_one_kind_one_line_is_written_in_a_minute_with_the_count_of_the_others() -> None:
    written, now = list[str](), [0.0]
    log = QuietLog(written.append, lambda: now[0])
    for _ in range(1000):
        log("a", "First.")
    log("b", "Second.")
    now[0] = 60.0
    log("a", "First.")
    assert written == ["First.", "Second.", "First. (And 999 more like it since the last note.)"]


def test_connections_leave_file_descriptors_for_the_work() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 8 <= most_connections() <= 256
    assert soft < 0 or most_connections() <= max(8, soft // 4)


def test_a_client_outlasts_the_restart_of_the_server_that_makes_its_archive(hgweb: Hgweb, bench: EngineFactory) -> None:
    """The first one never ends its task, goes away, and the next one knows nothing of it."""
    with hanging() as url, ExitStack() as stack:
        first = stack.enter_context(ArchiverServer(bench(url, cache="first").engine, lookup_seconds=0.1))
        port = int(first.url.rpartition(":")[2])
        waits = list[float]()

        def pause(seconds: float, cancel: CancelToken) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                first.stop()
            elif len(waits) == 5:
                engine = bench(hgweb.url, cache="second").engine
                stack.enter_context(ArchiverServer(engine, port=port))
            elif len(waits) > 5:
                threading.Event().wait(0.05)

        reports = list[ProgressReport]()
        made = bench(hgweb.url)
        clock = lambda: sum(waits)  # noqa: E731
        client = ArchiverClient(first.url, made.engine, pause=pause, clock=clock)
        got = client.get(ArchiveRequest(ASH, "REL_1"), CancelToken(), reports.append)
        assert got.archive.record.node == hgweb.repositories.first
    assert {"PENDING", "RETRY", "SUCCESS"} <= {str(report.state) for report in reports}
