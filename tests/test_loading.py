"""How long a list will still load: right for an even pace, silent where nothing is known, never jumping to nonsense."""

from __future__ import annotations

import io
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.loading import LoadingPace, LoadingWork, format_seconds_left
from backends.progress_line import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paced(*changes: tuple[float, int], total: int | None = 1000) -> LoadingPace:
    """`changes`: (seconds since the beginning, how much was done)."""
    clock = Clock()
    pace = LoadingPace(clock)
    for seconds, done in changes:
        clock.now = 100.0 + seconds
        pace.update(done, total)
    return pace


def test_an_even_pace_is_told_exactly() -> None:
    pace = paced(*((float(n), 50 * n) for n in range(9)))  # 400 in 8 s
    assert pace.seconds_left == pytest.approx(12.0)
    assert pace.text == "10 s left"  # to 5 s


def test_nothing_is_said_where_nothing_is_known_or_little_is_left() -> None:
    assert paced((0, 0)).text == ""
    assert paced((0, 0), (0.2, 500)).text == ""  # too soon
    assert paced((0, 0), (4, 400), total=None).text == ""
    assert paced((0, 0), (4, 1000)).text == ""
    assert paced((0, 0), (4, 800)).text == ""  # 1 s
    assert paced((0, 7), (4, 7)).text == ""  # nothing has come


def test_only_the_last_seconds_count_and_other_work_begins_again() -> None:
    slow = [(float(n), n) for n in range(30)]
    fast = [(29.0 + n, 29 + 20 * n) for n in range(1, 21)]
    assert paced(*slow, *fast).seconds_left == pytest.approx((1000 - 429) / 20, rel=0.05)
    assert paced(*slow, (30.0, 3)).seconds_left is None


def test_a_server_that_has_stopped_makes_it_longer_not_shorter() -> None:
    clock = Clock()
    pace = LoadingPace(clock)
    lefts = []
    for second in range(60):
        clock.now = 100.0 + second
        pace.update(min(50 * second, 400), 1000)
        lefts.append(pace.seconds_left)
    stalled = [left for left in lefts[12:] if left is not None]
    assert len(stalled) == 48 and stalled == sorted(stalled)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 40)), max_size=40), st.integers(0, 500))
def test_it_is_never_negative_and_none_once_all_is_done(steps: list[tuple[float, int]], total: int) -> None:
    clock = Clock()
    pace, done = LoadingPace(clock), 0
    for seconds, more in steps:
        clock.now += seconds
        done += more
        pace.update(done, total)
        left = pace.seconds_left
        assert (left is None) if done >= total else (left is None or left >= 0)


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "7 s"), (47, "45 s"), (200, "3 min"), (5400, "1.5 h")])
def test_time_left_is_as_rough_as_an_estimate(seconds: float, text: str) -> None:
    assert format_seconds_left(seconds) == text


def test_work_is_said_in_words() -> None:
    assert LoadingWork(340, 1000, "failed tasks read").text == "340 of 1,000 failed tasks read"
    assert LoadingWork(5, None, "earlier runs looked at").text == "5 earlier runs looked at"


class Terminal(io.StringIO):
    """Tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


def test_a_line_follows_what_changes_by_itself_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    before = set(threading.enumerate())
    with Progress().following(lambda: "reading passing log 2 of 3") as progress:
        assert terminal.written.wait(10)
        assert "reading passing log 2 of 3" in terminal.getvalue()
        assert set(threading.enumerate()) - before
    assert progress is not None and terminal.getvalue().endswith("\r") and set(threading.enumerate()) == before


def test_where_no_one_looks_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    with Progress().following(lambda: "anything"):
        assert set(threading.enumerate()) == before
    assert capsys.readouterr().err == ""
