"""A server that wants to be left alone: only its own files wait, it is said, and it has an end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from backends.transfers.progress import HostWait, describe_transfer
from backends.transfers.states import TransferState
from backends.transfers.transfer import Transfer
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Site, status
from tui.widgets.transfers import format_state_counts

BUSY = 40  # files of the server that refuses: more than are asked for at the same time


@pytest.fixture
def busy() -> Iterator[Site]:
    served = Site()
    served.start()
    yield served
    served.stop()


def until(true: Callable[[], object]) -> None:
    for _ in range(20_000):
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError


def test_a_huge_retry_after_holds_back_only_the_files_of_that_server_and_at_most_two_minutes(
    site: Site, busy: Site, runner: Runner
) -> None:
    refused = [file(busy, f"/busy/{number}") for number in range(BUSY)]
    for one in refused:
        busy.add(one.key, b"late", *[status(429, retry_after="999999")] * 9)
    others = [file(site, f"/{number}") for number in range(BUSY)]
    for one in others:
        site.add(one.key, b"now")
    transfer: Transfer = runner.start(*refused, *others, jobs=8)
    until(lambda: transfer.snapshot().counts[TransferState.VERIFIED] == len(others))
    assert {end for key, end in ends(transfer).items() if "busy" not in key} == {("verified", "")}
    assert len(busy.requests) < BUSY, "it is left alone before all of its files were asked for"
    shot = transfer.snapshot()
    (wait,) = shot.waits
    assert busy.base == f"http://{wait.host}"
    assert 60 < wait.seconds <= 120
    assert wait.text.startswith("waiting 1") and wait.text.endswith(f" s for {wait.host} (429)")
    assert wait.text in describe_transfer(shot)
    assert "verified" in format_state_counts(shot)
    transfer.cancel()
    assert transfer.wait(20)
    assert transfer.snapshot().waits == ()


def test_a_wait_ends_and_the_files_come(site: Site, busy: Site, runner: Runner) -> None:
    files = [file(busy, f"/{number}") for number in range(BUSY)]
    for one in files:
        busy.add(one.key, b"content", status(429, retry_after="1"))
    site.add("/other", b"content")
    assert set(runner.run(*files, file(site, "/other"), jobs=16, max_wait=0.05).values()) == {("verified", "")}


def test_the_words_name_the_seconds_the_server_and_its_answer() -> None:
    assert HostWait("ci.example:8080", 119.6, "429").text == "waiting 120 s for ci.example:8080 (429)"
