"""Downloads by worker processes: the same promises as with threads, and what only processes can do: die."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.errors import FileError
from backends.http import Http, Identity
from backends.transfers import worker_pool
from backends.transfers.output_directory import OutputDirectory
from backends.transfers.recorder import WORTH_RESUMING
from backends.transfers.transfer import Transfer
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Site, cut, etag, raw, stall, status
from tests.transfers.test_engine import BIG, MD5, VERIFIED, recorded, wait_until_active
from tests.transfers.test_kill import kill, launch, verified


@pytest.fixture(autouse=True)
def only_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """No threads before the children are up: what these tests see was done by children."""
    monkeypatch.setattr(worker_pool, "BOOTSTRAP_THREADS", 0)


def start(runner: Runner, *files: object, processes: int = 2, **options: object) -> Transfer:
    settings = runner.http.downloader_settings()
    return runner.start(*files, settings=settings, processes=processes, **options)  # type: ignore[arg-type]


def run(runner: Runner, *files: object, **options: object) -> dict[str, tuple[str, str]]:
    transfer = start(runner, *files, **options)
    assert transfer.wait(30), transfer.snapshot()
    return ends(transfer)


def children() -> list[int]:
    """Processes of ours that run the child's module and live."""
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,stat=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    lines = [line.split(None, 2) for line in found.stdout.splitlines()]
    return [int(pid) for pid, stat, words in lines if "transfers.worker_process" in words and not stat.startswith("Z")]


def until(true: Callable[[], object]) -> None:
    for _ in range(20_000):
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError


def test_files_come_out_right_and_the_manifest_says_the_same(site: Site, runner: Runner) -> None:
    paths = [f"/{number}" for number in range(300)]
    for number, path in enumerate(paths):
        site.add(path, os.urandom(number * 13))
    site.add("/encoded", b"")
    site.add("/big", BIG)
    found = run(runner, *[file(site, path) for path in paths], file(site, "/big", size=len(BIG)), file(site, "/none"))
    assert found.pop("/none") == ("failed", "http-404")
    assert set(found.values()) == {VERIFIED} and recorded(runner)["/none"] == ("failed", "http-404")
    assert all(runner.read(f"group{path}") == site.bodies[path] for path in [*paths, "/big"])
    assert runner.parts() == [] and set(site.counts().values()) == {1}


def test_no_child_outlives_the_run(site: Site, runner: Runner) -> None:
    site.add("/a", b"a")
    assert run(runner, file(site, "/a")) == {"/a": VERIFIED}
    until(lambda: not children())


@pytest.mark.parametrize("answer", [status(503), status(429, retry_after="0"), cut(500)])
def test_passing_trouble_is_tried_again(site: Site, runner: Runner, answer: object) -> None:
    body = os.urandom(1000)
    site.add("/a", body, answer, answer)  # type: ignore[arg-type]
    assert run(runner, file(site, "/a")) == {"/a": VERIFIED} and site.count("/a") == 3


def test_interrupted_body_is_resumed_where_it_ended(site: Site, runner: Runner) -> None:
    site.add("/a", BIG, cut(2_000_000))
    assert run(runner, file(site, "/a", size=len(BIG))) == {"/a": VERIFIED}
    asked = site.last("/a")
    assert asked["range"].startswith("bytes=") and asked["if-range"] == etag(BIG) and runner.read("group/a") == BIG


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raw(b"12345", content_md5=MD5), "wrong-digest"),
        (raw(b"1234567"), "wrong-length"),
        (raw(b"12345", content_encoding="made-up"), "bad-encoding"),
        (status(403, b'{"message": "InsufficientScopes"}'), "http-403"),
    ],
)
def test_failure_says_as_much_as_from_a_thread(site: Site, runner: Runner, answer: object, reason: str) -> None:
    size = 6 if reason == "wrong-length" else None
    site.add("/a", b"12345", *[answer] * 99)  # type: ignore[list-item]
    threads = runner.start(file(site, "/a", size=size))
    assert threads.wait(30)
    told = threads.frame().drop("tries")
    forked = start(runner, file(site, "/a", size=size))
    assert forked.wait(30) and ends(forked) == {"/a": ("failed", reason)}
    assert forked.frame().drop("tries").equals(told) and runner.parts() == []


def test_cancel_wakes_a_blocked_read_and_the_next_run_resumes(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(2 * WORTH_RESUMING, release))
    site.add("/b", b"b")
    transfer = start(runner, file(site, "/a"), file(site, "/b"), jobs=1)
    wait_until_active(transfer, 2 * WORTH_RESUMING)
    transfer.cancel()
    assert transfer.wait(20), "the read was not woken"
    release.set()
    assert ends(transfer) == {"/a": ("cancelled", "cancelled"), "/b": ("cancelled", "cancelled")}
    assert run(runner, file(site, "/a"), file(site, "/b")) == {"/a": VERIFIED, "/b": VERIFIED}
    assert site.last("/a")["range"] == f"bytes={2 * WORTH_RESUMING}-" and runner.read("group/a") == BIG


def test_one_file_can_be_taken_out(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    site.add("/c", b"c")
    transfer = start(runner, file(site, "/a"), file(site, "/c"), processes=1, jobs=1)
    wait_until_active(transfer, 10)
    assert transfer.cancel_one("/a")
    assert transfer.wait(20)
    release.set()
    assert ends(transfer) == {"/a": ("cancelled", "cancelled"), "/c": VERIFIED}


def test_pause_begins_nothing_new_and_resume_goes_on(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    files = [file(site, f"/{number}") for number in range(20)]
    for one in files:
        site.add(one.key, one.key.encode())
    transfer = start(runner, file(site, "/a"), *files, processes=1, jobs=1)
    wait_until_active(transfer, 10)
    transfer.pause()
    transfer.cancel_one("/a")
    until(lambda: transfer.frame()["state"][0] == "cancelled")
    assert transfer.snapshot().paused and not transfer.wait(0) and set(site.counts()) == {"/a"}
    release.set()
    transfer.resume()
    assert transfer.wait(20) and {end for key, end in ends(transfer).items() if key != "/a"} == {VERIFIED}


def test_killed_child_costs_no_file(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(2 * WORTH_RESUMING, release))
    files = [file(site, f"/{number}") for number in range(20)]
    for one in files:
        site.add(one.key, one.key.encode())
    transfer = start(runner, file(site, "/a"), *files, jobs=2)
    wait_until_active(transfer, 2 * WORTH_RESUMING)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    assert transfer.wait(30) and set(ends(transfer).values()) == {VERIFIED}
    release.set()
    assert runner.read("group/a") == BIG and transfer.frame()["tries"].to_list() == [1] * 21
    assert site.last("/a")["range"] == f"bytes={2 * WORTH_RESUMING}-", "what the child had written was thrown away"


def test_children_that_keep_dying_are_replaced_by_threads(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool.sys, "executable", "/bin/false")
    site.add("/a", b"a")
    assert run(runner, file(site, "/a")) == {"/a": VERIFIED}
    monkeypatch.setattr(worker_pool.sys, "executable", "/nonexistent")
    site.add("/b", b"b")
    assert run(runner, file(site, "/b")) == {"/b": VERIFIED}


def test_children_die_with_the_run_and_the_next_one_waits_for_them(site: Site, runner: Runner) -> None:
    """kill -9 of the parent, with a child that is stopped and so cannot notice: nobody may write beside it."""
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    running = launch(site, runner, ["/a"], processes=1)
    site.wait_for(lambda: len(site.requests) == 1)
    found = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=True)
    child = int(found.stdout)
    os.kill(child, signal.SIGSTOP)
    try:
        kill(running)
        with OutputDirectory(runner.output) as output, pytest.raises(FileError, match="still writing"):
            output.lock(0.05)
    finally:
        os.kill(child, signal.SIGCONT)
    with OutputDirectory(runner.output) as output:
        output.lock()  # it has noticed and ended
    release.set()
    assert runner.run(file(site, "/a")) == {"/a": VERIFIED} and runner.read("group/a") == BIG


def test_killed_in_the_middle_of_many_then_finished_every_file_is_right(site: Site, runner: Runner) -> None:
    paths = [f"/{number:03}" for number in range(500)]
    for path in paths:
        site.add(path, path.encode() * 500)
    running = launch(site, runner, paths, processes=2)
    site.wait_for(lambda: len(site.requests) >= 300)
    kill(running)
    before = verified(runner)
    site.requests.clear()
    found = run(runner, *[file(site, path) for path in paths])
    assert {state for state, _ in found.values()} <= {"verified", "unchanged"}
    assert not set(site.counts()) & before, "fetched again although it was verified"
    assert all(runner.read(f"group{path}") == site.bodies[path] for path in paths)


def test_full_disk_stops_the_run_with_one_sentence(site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child cannot be patched: its reports are."""
    said = worker_pool.make_error
    monkeypatch.setattr(worker_pool, "make_error", lambda failure: OSError(errno.ENOSPC, "full"))
    files = [file(site, f"/{number}") for number in range(200)]
    transfer = start(runner, *files, jobs=4)
    assert transfer.wait(20) and set(ends(transfer).values()) == {("cancelled", "disk-full")}
    assert isinstance(transfer.snapshot().problem, FileError)
    monkeypatch.setattr(worker_pool, "make_error", said)
    for one in files:
        site.add(one.key, b"content")
    assert set(run(runner, *files).values()) == {VERIFIED}


def test_overload_brings_fewer_requests_and_no_file_is_lost(site: Site, runner: Runner) -> None:
    files = [file(site, f"/{number}") for number in range(200)]
    for one in files:
        site.add(one.key, b"content", *([status(429, retry_after="0")] if int(one.key[1:]) < 100 else []))
    transfer = start(runner, *files, processes=1, jobs=16)
    assert transfer.wait(60) and set(ends(transfer).values()) == {VERIFIED}
    assert transfer.limiter.allowed < 16


def test_who_we_are_never_goes_to_another_process() -> None:
    with Http(
        identities=[Identity("https://h.example", "me", lambda method, url: {"authorization": "secret"})]
    ) as http:
        assert http.downloader_settings() is None


def test_child_gets_nothing_on_its_command_line_and_does_not_import_from_the_working_directory(
    site: Site, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A downloaded msgspec.py in the directory one happens to be in must not be run."""
    marker = tmp_path / "owned"
    for name in ("msgspec.py", "httpx.py", "queue.py"):
        (tmp_path / name).write_text(f"open({str(marker)!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    site.add("/a", b"a")
    assert run(runner, file(site, "/a")) == {"/a": VERIFIED} and not marker.exists()
