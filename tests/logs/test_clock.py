"""When things happened in a log, as CI systems write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.logs.timestamps import LogClock, format_elapsed, parse_timestamp


@pytest.mark.parametrize(
    ("first", "later", "seconds", "left"),
    [
        (
            "[task 2025-02-12T02:47:20.604Z] 02:47:20     INFO - a",
            "[task 2025-02-12T02:47:51.737Z] 02:47:51     INFO - b",
            31.133,
            "     INFO - b",
        ),
        ("[taskcluster 2025-02-12T23:59:59.5Z] a", "[task 2025-02-13T00:00:01.5Z] b", 2.0, " b"),
        ("2026-11-20T08:43:25.678Z a", "2026-11-20T10:43:26.678+02:00 b", 1.0, " b"),
        ("2021/03/18 14:29:22 a", "2021/03/18 16:30:50 error: b", 7288.0, " error: b"),
        ("08:43:25     INFO - a", "08:44:25     INFO - b", 60.0, "     INFO - b"),
        ("23:59:59     INFO - a", "00:00:01     INFO - b", 2.0, "     INFO - b"),
        ("I0101 00:00:00.000000 1 a.go:1] a", "E0102 00:00:00.500000 1 a.go:1] b", 86400.5, " 1 a.go:1] b"),
        ("INFO[2021-04-28T20:08:36Z] a", "ERRO[2021-04-28T20:08:37Z] b", 1.0, "ERRO[2021-04-28T20:08:37Z] b"),
        (
            'time="2021-04-03T20:16:31Z" level=info',
            'time="2021-04-03T20:16:33Z" x',
            2.0,
            'time="2021-04-03T20:16:33Z" x',
        ),
    ],
)
def test_time_since_the_first_line(first: str, later: str, seconds: float, left: str) -> None:
    clock = LogClock()
    clock.start(["no time here", first])
    found = parse_timestamp(later)
    assert found is not None and clock.elapsed(found) == pytest.approx(seconds)
    assert later[found.end :] == left


@pytest.mark.parametrize(
    "line", ["", "no time", "99:99:99 x", "2021-13-45T00:00:00Z", "version 1.2.3", "12:30 x", "x" * 500]
)
def test_what_is_no_time_is_none(line: str) -> None:
    assert parse_timestamp(line) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_clock(text: str) -> None:
    parse_timestamp(text)
    parse_timestamp(f"[task 2025-02-12T02:47:20.604Z] {text}")


def test_a_scale_that_the_first_lines_did_not_have_is_not_compared() -> None:
    clock = LogClock()
    clock.start(["2026-11-20T08:43:25.678Z a"])
    found = parse_timestamp("08:44:25     INFO - b")
    assert found is not None and clock.elapsed(found) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "+0.000"), (59.9996, "+1:00.000"), (62.345, "+1:02.345"), (3723.4, "+1:02:03.400"), (-1.5, "-1.500")],
)
def test_elapsed_time_reads_as_a_stopwatch(seconds: float, words: str) -> None:
    assert format_elapsed(seconds) == words


@pytest.mark.parametrize(
    "line", ["24:00:00 x", "23:60:00 x", "23:59:61 x", "2026-11-20T24:00:00Z x", "[task 2026-11-20T09:60:00Z] x"]
)
def test_an_hour_a_minute_or_a_second_that_no_clock_has_is_no_time(line: str) -> None:
    assert parse_timestamp(line) is None


@pytest.mark.parametrize(("line", "seconds"), [("23:59:59 x", 86399.0), ("23:59:60 x", 86400.0), ("00:00:00 x", 0.0)])
def test_the_first_and_the_last_moment_of_a_day_are_times(line: str, seconds: float) -> None:
    found = parse_timestamp(line)
    assert found is not None and found.seconds == seconds
