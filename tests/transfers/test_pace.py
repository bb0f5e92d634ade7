from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backends.transfers.worker_pool import JOBS, JOBS_FOR_SMALL, QUIET_TIME, ConcurrencyLimiter

SMALL = [100_000] * 3


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def later(pace: ConcurrencyLimiter, clock: Clock, seconds: float, busy: float = 0.0) -> None:
    for _ in range(int(seconds * 20)):
        clock.now += 0.05
        if pace.is_due():
            pace.adjust(busy)


def test_small_files_get_more_connections_within_a_second_while_latency_is_the_limit() -> None:
    clock = Clock()
    pace = ConcurrencyLimiter(SMALL, None, clock)
    assert pace.allowed == JOBS
    later(pace, clock, 1.0, busy=0.9)
    assert pace.allowed == JOBS, "more would only fight for the processor"
    later(pace, clock, 1.0, busy=0.2)
    assert pace.allowed == JOBS_FOR_SMALL


def test_small_files_have_all_connections_before_the_first_answer_of_a_distant_server() -> None:
    """Connections that begin while others send share the link worse for the rest of the run."""
    clock = Clock()
    pace = ConcurrencyLimiter(SMALL, None, clock)
    while clock.now < 0.04 and pace.allowed < JOBS_FOR_SMALL:
        clock.now += 0.005
        if pace.is_due():
            pace.adjust(0.2)
    assert pace.allowed == JOBS_FOR_SMALL and clock.now < 0.04


def test_big_files_and_a_number_that_the_user_chose_do_not_grow() -> None:
    for pace, most in ((ConcurrencyLimiter([200_000_000], None), JOBS), (ConcurrencyLimiter(SMALL, 5), 5)):
        assert pace.allowed == pace.most == most and not pace.is_due()


def test_server_that_complains_is_asked_less_at_once_and_long() -> None:
    clock = Clock()
    pace = ConcurrencyLimiter(SMALL, 64, clock)
    for _ in range(64):
        pace.on_overload()
    assert pace.allowed == 32, "64 refusals of one moment are one complaint"
    later(pace, clock, QUIET_TIME - 1)
    assert pace.allowed == 32 and pace.is_reduced
    later(pace, clock, 60)
    assert pace.allowed == 64 and not pace.is_reduced, "one broken file must not slow down the rest of ten thousand"


def test_a_server_that_refuses_one_answer_in_ten_is_not_taken_for_an_overloaded_one() -> None:
    pace = ConcurrencyLimiter(SMALL, 64, Clock())
    for number in range(200):
        if number % 10:
            pace.on_success()
        else:
            assert not pace.on_overload()
    assert pace.allowed == 64


@given(st.integers(1, 200), st.lists(st.tuples(st.sampled_from(["complain", "wait"]), st.floats(0, 10)), max_size=30))
def test_there_is_always_at_least_one_and_never_more_than_the_most(most: int, events: list[tuple[str, float]]) -> None:
    clock = Clock()
    pace = ConcurrencyLimiter(SMALL, most, clock)
    for what, seconds in events:
        clock.now += seconds
        if what == "complain":
            pace.on_overload()
        elif pace.is_due():
            pace.adjust(0.0)
        assert 1 <= pace.allowed <= pace.most == most
