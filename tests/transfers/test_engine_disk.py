"""A full disk is one sentence, and nothing of the run is lost by it."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from backends.errors import FileError
from backends.transfers import fetch
from backends.transfers.states import FileTransfer
from backends.transfers.transfer import Transfer
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Site

VERIFIED = ("verified", "")


def fill_disk(monkeypatch: pytest.MonkeyPatch, full: threading.Event) -> None:
    write = os.write

    def writing(descriptor: int, chunk: bytes) -> int:
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, chunk)

    monkeypatch.setattr(fetch.os, "write", writing)


def test_full_disk_stops_the_run_with_one_sentence(site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()
    full.set()
    fill_disk(monkeypatch, full)
    files = [file(site, f"/{number}") for number in range(200)]
    for one in files:
        site.add(one.key, b"content")
    transfer = runner.start(*files, jobs=4)
    assert transfer.wait(20)
    problem = transfer.snapshot().problem
    assert isinstance(problem, FileError) and "full" in str(problem)
    assert set(ends(transfer).values()) == {("cancelled", "disk-full")}
    assert len(site.requests) <= 8, "it went on asking"
    full.clear()
    assert set(runner.run(*files).values()) == {VERIFIED}


def test_full_disk_pauses_an_interactive_run_which_goes_on_after(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    full.set()
    fill_disk(monkeypatch, full)
    files = [file(site, f"/{number}") for number in range(50)]
    for one in files:
        site.add(one.key, b"content")
    transfer = runner.start(*files, jobs=4, pause_when_full=True)
    while not transfer.snapshot().paused:
        threading.Event().wait(0.001)
    assert "full" in str(transfer.snapshot().problem)
    full.clear()
    transfer.resume()
    assert transfer.wait(20) and set(ends(transfer).values()) == {VERIFIED}
    assert transfer.snapshot().problem is None


@pytest.mark.parametrize(
    ("number", "free_inodes", "reason", "words"),
    [
        (errno.ENOSPC, 100, "disk-full", "is full"),
        (errno.ENOSPC, 0, "no-inodes", "too many files"),
        (errno.EDQUOT, 0, "disk-quota", "quota"),
    ],
)
def test_inodes_and_quotas_that_are_used_up_are_not_called_a_full_disk(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch, number: int, free_inodes: int, reason: str, words: str
) -> None:
    def refuse(descriptor: int, chunk: bytes) -> int:
        raise OSError(number, os.strerror(number))

    blocks = os.statvfs_result((4096, 4096, 1000, 500, 500, 1000, free_inodes, free_inodes, 0, 255))
    monkeypatch.setattr(fetch.os, "write", refuse)
    monkeypatch.setattr(os, "statvfs", lambda _: blocks)
    site.add("/a", b"content")
    transfer = runner.start(file(site, "/a"))
    assert transfer.wait(20)
    assert ends(transfer) == {"/a": ("cancelled", reason)}
    assert words in str(transfer.snapshot().problem)


def test_a_run_that_was_resumed_is_not_paused_by_a_write_that_failed_before(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, resumed = threading.Event(), threading.Event()
    full.set()
    fill_disk(monkeypatch, full)
    files = [file(site, f"/{number}") for number in range(20)]
    for one in files:
        site.add(one.key, b"content")
    requeue = Transfer.requeue

    def requeue_and_resume(run: Transfer, item: FileTransfer) -> None:
        """The user makes room and resumes between the failure of a write and what is made of it."""
        requeue(run, item)
        if not resumed.is_set():
            resumed.set()
            full.clear()
            user = threading.Thread(target=run.resume)
            user.start()
            user.join(0.5)  # for ever where this happens under the run's lock, as it must
            again.wait(0.5)

    again = threading.Event()
    take_file = Transfer.take_file

    def take_and_tell(run: Transfer) -> FileTransfer | None:
        item = take_file(run)
        if item is not None and resumed.is_set():
            again.set()
        return item

    monkeypatch.setattr(Transfer, "requeue", requeue_and_resume)
    monkeypatch.setattr(Transfer, "take_file", take_and_tell)
    transfer = runner.start(*files, jobs=4, pause_when_full=True)
    assert transfer.wait(20) and set(ends(transfer).values()) == {VERIFIED}


@pytest.mark.parametrize(("is_interactive", "then"), [(True, "then resume"), (False, "start the same download again")])
@pytest.mark.parametrize(("free_inodes", "room"), [(100, "Free disk space"), (0, "Delete files")])
def test_what_to_do_about_a_full_disk_fits_what_is_full_and_who_is_told(
    site: Site,
    runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
    is_interactive: bool,
    then: str,
    free_inodes: int,
    room: str,
) -> None:
    full = threading.Event()
    full.set()
    fill_disk(monkeypatch, full)
    blocks = os.statvfs_result((4096, 4096, 1000, 500, 500, 1000, free_inodes, free_inodes, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: blocks)
    site.add("/a", b"content")
    transfer = runner.start(file(site, "/a"), pause_when_full=is_interactive)
    while transfer.snapshot().problem is None:
        transfer.wait(0.001)
    told = str(transfer.snapshot().problem)
    assert room in told and then in told
    full.clear()
    transfer.cancel()
    assert transfer.wait(20)
