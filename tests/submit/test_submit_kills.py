"""The outbox killed before any of its steps: it opens, nothing is half queued, and the next run sends what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.atomic import SymlinkError
from backends.cancel import CancelToken
from backends.http import Http
from backends.http.errors import RateLimitedError
from backends.submit import hawk
from backends.submit import outbox as outbox_module
from backends.submit.credentials import Credentials, Secret
from backends.submit.hawk import HawkPublisher
from backends.submit.outbox import ConnectionLostError, DeliverySession, Message, Outbox, Publisher, publish
from tests.crash_injection import KilledRuns

JOBS = 4
# Every statement of the database is a step, too, which no audit hook sees by itself.
SEND = """
import sys
from pathlib import Path
from backends.cancel import CancelToken
from backends.submit.outbox import Message, MessageState, Outbox, Publisher, publish

class IntoAFile(Publisher):
    # Its receiver keeps what arrives: one line a job, on the disk before it is acknowledged.
    name, destination = "pulse", "here"
    def __init__(self, path):
        self.path = path
    def deliver(self, session, cancel):
        while messages := session.take(2):
            for one in messages:
                with self.path.open("a") as stream:
                    stream.write(one.job + "\\n")
                session.report(one, MessageState.ACKNOWLEDGED)

def run(home):
    home = Path(home)
    with Outbox(home / "outbox.sqlite") as outbox:
        outbox.database.connection.set_trace_callback(lambda statement: sys.audit("os.rename", "", "", -1, -1))
        outbox.add([Message("pulse", "here", "key", str(number), "p", "S", "f", {}) for number in range(4)])
        publish(outbox, IntoAFile(home / "arrived"), CancelToken())
"""


def _arrived(home: Path) -> list[str]:
    return (home / "arrived").read_text().split() if (home / "arrived").exists() else []


def _check_killed(home: Path) -> None:
    with Outbox(home / "outbox.sqlite") as outbox:
        rows = outbox.rows()
        assert len(rows) in (0, JOBS), "all or nothing is queued"
        acknowledged = {row.job for row in rows if row.state == "acknowledged"}
        assert acknowledged <= set(_arrived(home)), "what is acknowledged has arrived"


@pytest.mark.timeout(300)
def test_an_outbox_killed_before_any_step_loses_nothing_and_says_nothing_that_is_not_true(tmp_path: Path) -> None:
    with KilledRuns(SEND) as run:
        for step in range(1, 200):
            home = tmp_path / str(step)
            home.mkdir()
            killed = run(str(home), step=step)
            _check_killed(home)
            killed_again = killed and run(str(home), step=1 + step * 7 % 30)  # the next run is killed, too
            _check_killed(home)
            run(str(home))
            with Outbox(home / "outbox.sqlite") as outbox:
                assert outbox.counts() == {"acknowledged": JOBS}
            arrived = _arrived(home)
            assert set(arrived) == {str(number) for number in range(JOBS)}
            assert len(arrived) <= JOBS * (1 + killed + killed_again), "what was not recorded is sent once more"
            if not killed:
                assert step > 30, "the statements are steps"
                break


@pytest.mark.parametrize("name", ["outbox.sqlite", "outbox.lock", "outbox.sqlite-wal", "outbox.sqlite-shm"])
def test_a_planted_link_is_not_written_through(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / name).symlink_to(outside)
    with pytest.raises(Exception) as found:
        with Outbox(tmp_path / "state" / "outbox.sqlite") as outbox:
            outbox.add([Message("pulse", "here", "key", "1", "p", "S", "f", {})])
            with outbox.sending():
                pass
        raise SymlinkError(outside)
    assert "cannot be used" in str(found.value) or isinstance(found.value, SymlinkError)
    assert not outside.exists()


class _Poster:
    def __init__(self) -> None:
        self.posts = 0

    def post(self, *_: object, **__: object) -> None:
        self.posts += 1


class _RecordingToken(CancelToken):
    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_a_server_that_asks_for_hours_is_asked_again_after_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After: 86400 would hold the outbox for a day, without a word that it may be stopped."""

    class Busy(_Poster):
        def post(self, *_: object, **__: object) -> None:
            self.posts += 1
            if self.posts == 1:
                raise RateLimitedError("It is busy.", status=429, retry_after=86_400.0)

    class Session:
        words = ""

        def tell(self, words: str) -> None:
            self.words = words

    route = HawkPublisher("https://th.example", Credentials("me", Secret("key")), Http(), interval=0)
    route._poster, token, session = Busy(), _RecordingToken(), Session()  # type: ignore[assignment]
    monkeypatch.setattr(hawk.time, "monotonic", lambda: 1000.0)
    route._post_with_retries("autoland", b"[]", session, token)  # type: ignore[arg-type]
    assert token.slept == [0.0, 120.0, 0.0] and "120 s" in session.words


def test_what_was_taken_back_may_be_queued_again(tmp_path: Path) -> None:
    """By queueing it once more, and by --retry: else the same file could never be published any more."""
    one = Message("pulse", "here", "key", "1", "p", "S", "f", {})
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.add([one])
        assert outbox.cancel([1]) == 1
        assert outbox.add([one]) == (1, 0)
        assert outbox.counts() == {"queued": 1}
        assert outbox.cancel([1]) == 1
        assert outbox.retry([1]) == 1
        assert outbox.counts() == {"queued": 1}


def test_a_way_that_stays_broken_is_given_up_after_a_minute_and_the_jobs_stay_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Publisher):
        name, destination = "pulse", "here"

        def deliver(self, session: DeliverySession, cancel: CancelToken) -> None:
            session.take(1)
            raise ConnectionLostError("It broke.")

    token = _RecordingToken()
    monkeypatch.setattr(outbox_module.time, "monotonic", lambda: 1000.0 + sum(token.slept))
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.add([Message("pulse", "here", "key", "1", "p", "S", "f", {})])
        with pytest.raises(ConnectionLostError):
            publish(outbox, Broken(), token)
        assert outbox.counts() == {"queued": 1}
    assert sum(token.slept[:-1]) <= 60 < sum(token.slept)


def test_a_server_gets_no_more_than_220_posts_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """More it answered with 429. Of an hour it was never the rule: 221 posts take a minute, not an hour."""
    route = HawkPublisher("https://th.example", Credentials("me", Secret("key")), Http())
    route._poster, token = _Poster(), _RecordingToken()  # type: ignore[assignment]
    monkeypatch.setattr(hawk.time, "monotonic", lambda: 1000.0 + sum(token.slept))
    for _ in range(221):
        route._post_with_retries("autoland", b"[]", None, token)  # type: ignore[arg-type]
    assert route._poster.posts == 221  # type: ignore[attr-defined]
    assert sum(token.slept) == pytest.approx(60)
