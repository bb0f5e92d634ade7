"""Rules that users were promised, each with the number that they were told and not the module's own constant."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backends.transfers import output_directory
from backends.transfers.manifest import Manifest
from backends.transfers.names import assign, is_safe
from backends.transfers.states import PlanAction
from backends.transfers.worker_pool import ConcurrencyLimiter
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Handler, Site, stall, status
from tests.transfers.test_engine import BIG, wait_until_active

MEGABYTE = 1 << 20


# 16 at a time, up to 64 of small files while only waiting for the server limits it (README, download.jobs).


class Gate:
    """Holds all responses back until so many requests are there at the same time."""

    def __init__(self, wanted: int, held_for: float) -> None:
        self._wanted = wanted
        self._held_for = held_for  # seconds; then a response is sent, so that the next ones can be asked for
        self._changed = threading.Condition()
        self._open = False
        self.most = self._now = 0

    def __call__(self, handler: Handler) -> None:
        with self._changed:
            self._now += 1
            self.most = max(self.most, self._now)
            self._open = self._open or self._now >= self._wanted
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open, self._held_for)
            self._now -= 1
        handler.send(200, b"content")

    def release(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()


def test_small_files_are_fetched_64_at_a_time_where_only_waiting_limits(site: Site, runner: Runner) -> None:
    gate = Gate(64, 0.3)
    files = [file(site, f"/{number}", size=7) for number in range(200)]
    for one in files:
        site.add(one.key, b"content", gate)
    transfer = runner.start(*files)
    assert ConcurrencyLimiter([7] * 200, None).allowed == 16
    assert transfer.wait(60)
    assert set(ends(transfer).values()) == {("verified", "")}
    assert gate.most == 64


def test_big_files_stay_at_16_at_a_time(site: Site, runner: Runner) -> None:
    gate = Gate(17, 20)
    files = [file(site, f"/{number}", size=3 * MEGABYTE) for number in range(20)]
    for one in files:
        site.add(one.key, b"", gate)
    transfer = runner.start(*files)
    site.wait_for(lambda: len(site.requests) == 16)
    assert transfer.limiter.most == 16
    transfer.cancel()
    gate.release()
    assert transfer.wait(20)
    assert gate.most == 16


# A part whose bytes were not forced onto the disk is not trusted after the machine was restarted.


@pytest.mark.parametrize(
    ("boot", "resumed"), [("", False), ("another boot", False), ("this boot", True), ("synced", True)]
)
def test_a_part_of_an_earlier_boot_is_only_resumed_if_its_bytes_were_on_the_disk(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch, boot: str, resumed: bool
) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(2 * MEGABYTE, release))
    transfer = runner.start(file(site, "/a"))
    wait_until_active(transfer, 2 * MEGABYTE)
    transfer.cancel()
    release.set()
    assert transfer.wait(20)
    monkeypatch.setattr(output_directory, "current_boot_id", lambda: "this boot")
    with Manifest.open(runner.output) as manifest:
        (entry,) = manifest.entries().values()
        manifest.record_parts([(entry.key, entry.etag, boot)])
    ((action, have),) = [(row.action, row.have) for row in runner.plan(file(site, "/a")).rows]
    assert (action, have) == ((PlanAction.RESUME, 2 * MEGABYTE) if resumed else (PlanAction.FETCH, 0))
    assert runner.run(file(site, "/a")) == {"/a": ("verified", "")}
    assert ("range" in site.last("/a")) is resumed
    assert runner.read("group/a") == BIG


# 255 bytes is what a file system takes for one name; what would collide gets a hash, and that must fit, too.


@pytest.mark.parametrize("length", [*range(205, 256), 300])
@pytest.mark.parametrize("letter", ["a", "é", "漢"])
def test_long_names_that_differ_only_in_case_are_two_files_on_the_disk(
    tmp_path: Path, length: int, letter: str
) -> None:
    stem = letter * (length // len(letter.encode()))
    parts = {"one": ("d", f"{stem}X.tar.gz"), "two": ("d", f"{stem}x.tar.gz"), "three": (f"{stem}X", f"{stem}")}
    targets = assign(parts.items())
    assert len({tuple(name.casefold() for name in target) for target in targets.values()}) == 3
    for key, target in targets.items():
        assert is_safe(target)
        assert all(len(name.encode()) <= 255 - len(".part") for name in target)
        path = tmp_path.joinpath(*target)
        path.parent.mkdir(exist_ok=True)
        path.write_text(key)
        path.with_name(f"{path.name}.part").touch()
    assert {tmp_path.joinpath(*target).read_text() for target in targets.values()} == {"one", "two", "three"}


@pytest.mark.parametrize("length", range(217, 256))
def test_names_of_earlier_runs_leave_room_for_the_longest_hash(length: int) -> None:
    """Both spellings, and the short hash of one, are taken by earlier runs: the 32 digits must fit."""
    first = assign([("one", ("n" * length,)), ("two", ("N" * length,))])
    taken = {"early": ("n" * 217,), **{f"{key} before": target for key, target in first.items()}}
    found = assign([("one", ("n" * length,)), ("two", ("N" * length,))], taken)
    names = [target[0] for target in (*found.values(), *taken.values())]
    assert len({name.casefold() for name in names}) == 5
    assert max(len(name.encode()) for name in names) <= 255


# What the user has taken out is not fetched any more, however the try of it ended.


def test_cancelled_files_are_fetched_again_only_when_that_is_asked_for(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    site.add("/late", b"late", status(404))
    transfer = runner.start(file(site, "/a"), file(site, "/late"), jobs=2)
    wait_until_active(transfer, 10)
    assert transfer.cancel_one("/a")
    assert transfer.wait(20)
    release.set()
    assert transfer.retry_failed() == 1
    assert transfer.wait(20)
    assert ends(transfer) == {"/a": ("cancelled", "cancelled"), "/late": ("verified", "")}
    assert transfer.retry_failed(cancelled=True) == 1
    assert transfer.wait(20)
    assert ends(transfer)["/a"] == ("verified", "")
