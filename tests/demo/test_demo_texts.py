"""A log of the demo has exactly the length that its listing promises, else a download of it rightly fails."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backends.demo import DemoOptions
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.payloads import log_text

FIXTURES = Fixtures(DemoOptions(tasks=30))


@given(st.integers(0, 3_000))
def test_a_log_has_exactly_the_size_that_is_promised(size: int) -> None:
    task = FIXTURES.task_with_role("failed")
    log = log_text(FIXTURES.seed, FIXTURES.finished, task, 0, "public/logs/log_raw.log", size)
    assert len(log) == size
    assert not log or log.endswith(b"\n")
