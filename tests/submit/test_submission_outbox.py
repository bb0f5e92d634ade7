"""The outbox loses nothing, wherever the program is killed, and sends nothing that was not queued."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import FileError
from backends.submit.outbox import Letter, Outbox, Outcome, Sender, State
from backends.submit.publishing import Desk, Route, RouteBroken, publish

ROOT = Path(__file__).parents[2]


def letter(job: str, body: object = None) -> Letter:
    return Letter("pulse", "here", "key", job, "autoland", "S", "f", body if body is not None else {"taskId": job})


class Memory(Route):
    """Delivers into a list; breaks at the given deliveries, after or before it has arrived."""

    name, destination = "pulse", "here"

    def __init__(self, breaks: dict[int, bool] | None = None) -> None:
        self.arrived: list[str] = []
        self.breaks = breaks or {}
        self.sent = 0

    def deliver(self, desk: Desk, cancel: CancelToken) -> None:
        while letters := desk.take(3):
            for one in letters:
                self.sent += 1
                arrives = self.breaks.get(self.sent)
                if arrives is None or arrives:
                    self.arrived.append(one.job)
                if arrives is not None:
                    raise RouteBroken("It broke.")
                desk.settle(Outcome(one.number, State.ACKNOWLEDGED))


def test_what_is_queued_is_sent_in_its_order(outbox: Outbox) -> None:
    outbox.add(letter(str(number)) for number in range(10))
    route = Memory()
    assert publish(outbox, route, CancelToken()).acknowledged == 10
    assert route.arrived == [str(number) for number in range(10)]


@given(st.dictionaries(st.integers(1, 40), st.booleans(), max_size=6), st.integers(0, 20))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_broken_way_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, breaks: dict[int, bool], count: int
) -> None:
    class Quick(CancelToken):
        def sleep(self, seconds: float) -> None: ...

    with Outbox(tmp_path_factory.mktemp("o") / "outbox.sqlite") as outbox:
        outbox.add(letter(str(number)) for number in range(count))
        route = Memory(breaks)
        tally = publish(outbox, route, Quick())
        assert outbox.counts() == ({"acknowledged": count} if count else {})
        assert set(route.arrived) == {str(number) for number in range(count)}
        assert len(route.arrived) - count <= tally.doubtful


def test_the_same_content_is_queued_once_and_another_state_of_the_job_again(outbox: Outbox) -> None:
    assert outbox.add([letter("a"), letter("a"), letter("a", {"state": "running"})]) == (2, 1)
    publish(outbox, Memory(), CancelToken())
    assert outbox.add([letter("a")]) == (0, 1)


def test_what_was_returned_or_refused_is_queued_again_by_queueing_or_by_retry(outbox: Outbox) -> None:
    outbox.add([letter("a"), letter("b"), letter("c")])
    with outbox.sending():
        claimed = outbox.claim("pulse", "here", 10)
        outbox.settle(
            [
                Outcome(one.number, state, "words")
                for one, state in zip(claimed, (State.RETURNED, State.FAILED, State.ACKNOWLEDGED), strict=True)
            ]
        )
    assert outbox.add([letter("a")]) == (1, 0)
    assert outbox.retry([one.number for one in claimed]) == 1
    assert outbox.counts() == {"queued": 2, "acknowledged": 1}


def test_taking_back_never_touches_what_has_arrived(outbox: Outbox) -> None:
    outbox.add([letter("a"), letter("b")])
    with outbox.sending():
        (claimed,) = outbox.claim("pulse", "here", 1)
        assert outbox.cancel([1, 2]) == 1, "one is under way"
        outbox.settle([Outcome(claimed.number, State.ACKNOWLEDGED)])
    assert outbox.cancel([1, 2]) == 0
    assert outbox.counts() == {"acknowledged": 1, "cancelled": 1}
    route = Memory()
    publish(outbox, route, CancelToken())
    assert route.arrived == []
    assert outbox.forget([1, 2]) == 2
    assert outbox.counts() == {}


def test_two_programs_do_not_send_the_same(outbox: Outbox) -> None:
    outbox.add([letter("a")])
    with Outbox(outbox.path) as other, outbox.sending():
        with pytest.raises(Sender), other.sending():
            pass
        assert other.add([letter("b")]) == (1, 0), "queueing needs no turn"


def test_letters_for_elsewhere_stay(outbox: Outbox) -> None:
    outbox.add([letter("a"), Letter("hawk", "there", "", "b", "p", "S", "f", {})])
    publish(outbox, Memory(), CancelToken())
    assert outbox.waiting() == [("hawk", "there", 1)]


def test_only_the_owner_can_read_it(outbox: Outbox) -> None:
    outbox.add([letter("a")])
    for path in outbox.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_file_that_is_no_outbox_is_said(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(FileError, match="cannot be used"):
        Outbox(path)
    (tmp_path / "file").touch()
    with pytest.raises(FileError):
        Outbox(tmp_path / "file" / "outbox.sqlite")


CHILD = """
import os, signal, sys
from pathlib import Path
from backends.cancel import CancelToken
from backends.submit.outbox import Letter, Outbox, Outcome, State
from backends.submit import publishing
from backends.submit.publishing import Route, publish

home, dies_at = Path(sys.argv[1]), int(sys.argv[2])
steps = 0
def step():
    global steps
    steps += 1
    if steps == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)

class Killed(Outbox):
    # Every change has a step before it, one within it (begun, not committed) and one after it.
    def add(self, letters):
        def stepping():
            for one in letters:
                step()
                yield one
        step(); found = super().add(stepping()); step(); return found
    def claim(self, *arguments):
        step(); found = super().claim(*arguments); step(); return found
    def settle(self, outcomes):
        step(); super().settle(outcomes); step()

class Disk(Route):
    name, destination = "pulse", "here"
    def deliver(self, desk, cancel):
        while letters := desk.take(4):
            for one in letters:
                step()
                with open(home / "arrived", "a") as stream:
                    stream.write(one.job + "\\n")
                step()
                desk.settle(Outcome(one.number, State.ACKNOWLEDGED))

publishing._FLUSH_COUNT = 3
with Killed(home / "outbox.sqlite") as outbox:
    jobs = [str(number) for number in range(10)]
    outbox.add(Letter("pulse", "here", "k", job, "p", "S", "f", {"taskId": job}) for job in jobs)
    (home / "queued").touch()
    publish(outbox, Disk(), CancelToken())
print(steps)
"""


def run_child(home: Path, dies_at: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(home), str(dies_at)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@given(st.lists(st.integers(1, 55), min_size=1, max_size=3))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_killed_anywhere_nothing_is_lost(tmp_path_factory: pytest.TempPathFactory, deaths: list[int]) -> None:
    home = tmp_path_factory.mktemp("killed")
    jobs = {str(number) for number in range(10)}
    killed = 0
    for dies_at in deaths:
        killed += run_child(home, dies_at) != 0
        with Outbox(home / "outbox.sqlite") as outbox:
            there = {row[2] for row in outbox.rows()}
            assert there in (set(), jobs), "queued by halves"
            assert there == jobs or not (home / "queued").exists()
    assert run_child(home, 10_000) == 0
    with Outbox(home / "outbox.sqlite") as outbox:
        assert outbox.counts() == {"acknowledged": 10}
    arrived = (home / "arrived").read_text().split()
    assert set(arrived) == jobs
    assert len(arrived) <= 10 + 4 * killed, "only what was under way is sent again"
