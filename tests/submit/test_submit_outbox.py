"""The outbox loses nothing, wherever the program is killed, and sends nothing that was not queued."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import FileError
from backends.sqlite import DamagedDatabaseError, Database, NewerDatabaseError
from backends.submit.outbox import (
    ConnectionLostError,
    DeliverySession,
    Message,
    MessageState,
    Outbox,
    OutboxBusyError,
    Publisher,
    publish,
)


def message(job: str, body: object = None) -> Message:
    return Message("pulse", "here", "key", job, "autoland", "S", "f", body if body is not None else {"taskId": job})


class Memory(Publisher):
    """Delivers into a list; breaks at the given deliveries, after or before it has arrived."""

    name, destination = "pulse", "here"

    def __init__(self, breaks: dict[int, bool] | None = None) -> None:
        self.arrived: list[str] = []
        self.breaks = breaks or {}
        self.sent = 0

    def deliver(self, session: DeliverySession, cancel: CancelToken) -> None:
        while messages := session.take(3):
            for one in messages:
                self.sent += 1
                arrives = self.breaks.get(self.sent)
                if arrives is None or arrives:
                    self.arrived.append(one.job)
                if arrives is not None:
                    raise ConnectionLostError("It broke.")
                session.report(one, MessageState.ACKNOWLEDGED)


def test_what_is_queued_is_sent_in_its_order(outbox: Outbox) -> None:
    outbox.add(message(str(number)) for number in range(10))
    publisher = Memory()
    assert publish(outbox, publisher, CancelToken()).acknowledged == 10
    assert publisher.arrived == [str(number) for number in range(10)]


@given(st.dictionaries(st.integers(1, 40), st.booleans(), max_size=6), st.integers(0, 20))
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_a_broken_way_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, breaks: dict[int, bool], count: int
) -> None:
    class Quick(CancelToken):
        def sleep(self, seconds: float) -> None: ...

    with Outbox(tmp_path_factory.mktemp("o") / "outbox.sqlite") as outbox:
        outbox.add(message(str(number)) for number in range(count))
        publisher = Memory(breaks)
        result = publish(outbox, publisher, Quick())
        assert outbox.counts() == ({"acknowledged": count} if count else {})
        assert set(publisher.arrived) == {str(number) for number in range(count)}
        assert len(publisher.arrived) - count <= result.doubtful


def test_the_same_content_is_queued_once_and_another_state_of_the_job_again(outbox: Outbox) -> None:
    assert outbox.add([message("a"), message("a"), message("a", {"state": "running"})]) == (2, 1)
    publish(outbox, Memory(), CancelToken())
    assert outbox.add([message("a")]) == (0, 1)


def test_what_was_returned_or_refused_is_queued_again_by_queueing_or_by_retry(outbox: Outbox) -> None:
    outbox.add([message("a"), message("b"), message("c")])
    with outbox.sending():
        claimed = outbox.claim("pulse", "here", 10)
        states = (MessageState.RETURNED, MessageState.FAILED, MessageState.ACKNOWLEDGED)
        outbox.record([(one.number, state, "words") for one, state in zip(claimed, states, strict=True)])
    assert outbox.add([message("a")]) == (1, 0)
    assert outbox.retry([one.number for one in claimed]) == 1
    assert outbox.counts() == {"queued": 2, "acknowledged": 1}


def test_taking_back_never_touches_what_has_arrived(outbox: Outbox) -> None:
    outbox.add([message("a"), message("b")])
    with outbox.sending():
        (claimed,) = outbox.claim("pulse", "here", 1)
        assert outbox.cancel([1, 2]) == 1, "one is under way"
        outbox.record([(claimed.number, MessageState.ACKNOWLEDGED, "")])
    assert outbox.cancel([1, 2]) == 0
    assert outbox.counts() == {"acknowledged": 1, "cancelled": 1}
    publisher = Memory()
    publish(outbox, publisher, CancelToken())
    assert publisher.arrived == []
    assert outbox.forget([1, 2]) == 2
    assert outbox.counts() == {}


def test_two_programs_do_not_send_the_same(outbox: Outbox) -> None:
    outbox.add([message("a")])
    with Outbox(outbox.path) as other, outbox.sending():
        with pytest.raises(OutboxBusyError), other.sending():
            pass
        assert other.add([message("b")]) == (1, 0), "queueing needs no turn"


def test_messages_for_elsewhere_stay(outbox: Outbox) -> None:
    outbox.add([message("a"), Message("hawk", "there", "", "b", "p", "S", "f", {})])
    publish(outbox, Memory(), CancelToken())
    assert outbox.waiting("there") == 1


def test_only_the_owner_can_read_it(outbox: Outbox) -> None:
    outbox.add([message("a")])
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


def test_a_database_from_a_newer_version_is_refused_and_a_damaged_one_is_told_apart(tmp_path: Path) -> None:
    tables = ["CREATE TABLE things (id INTEGER)"]

    def open_database(version: int) -> Database:
        return Database(tmp_path / "x.sqlite", tables, name="The list", hint="Move it away.", version=version)

    open_database(2).close()
    open_database(2).close()  # the tables are there
    with pytest.raises(NewerDatabaseError, match="newer version"):
        open_database(1)
    (tmp_path / "x.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(DamagedDatabaseError, match=r"The list .*x.sqlite cannot be used: .* Move it away"):
        open_database(2)


def test_an_outbox_without_a_version_is_taken_over(outbox: Outbox) -> None:
    """Earlier versions of ciexplore wrote none."""
    outbox.add([message("a")])
    outbox.database.connection.execute("PRAGMA user_version=0")
    with Outbox(outbox.path) as again:
        assert again.counts() == {"queued": 1}
        assert again.database.rows("PRAGMA user_version") == [(1,)]
