from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.http.backoff import CAP, RETRY_AFTER_CAP, backoff_delays, parse_retry_after, with_retry_after


@given(st.floats(0.001, 5), st.floats(0, 1))
def test_waits_double_up_to_the_cap_and_never_pass_it(first: float, jitter: float) -> None:
    waits = list(islice(backoff_delays(first=first, cap=CAP, jitter=lambda: jitter), 40))
    for number, wait in enumerate(waits):
        base = min(CAP, first * 2**number)
        assert base * 0.75 - 1e-9 <= wait <= min(CAP, base * 1.25) + 1e-9


def test_workers_that_fail_together_do_not_come_back_together() -> None:
    assert len({next(backoff_delays()) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 22:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 21:00:00 GMT", 0.0),
        ("-3", None),
        ("", None),
        ("soon", None),
        ("1e3", None),
        ("٣", None),
        ("Sat, 99 Nov 2026 22:00:10 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, now=1795298400.0) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_is_an_error_of_ours(text: str) -> None:
    found = parse_retry_after(text)
    assert found is None or found >= 0


@given(st.floats(0, 60), st.none() | st.floats(0, 1e9))
def test_a_server_may_ask_for_more_time_but_not_for_all_of_it(delay: float, asked: float | None) -> None:
    wait = with_retry_after(delay, asked)
    assert wait >= delay and wait <= max(delay, RETRY_AFTER_CAP)
    assert asked is None or wait >= min(asked, RETRY_AFTER_CAP)
