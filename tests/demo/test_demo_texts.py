"""A log of the demo has exactly the length that its listing promises, else a download of it rightly fails."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.demo import DemoOptions
from backends.demo.taskcluster import texts
from backends.demo.taskcluster.world import World

WORLD = World(DemoOptions(tasks=30))


@settings(deadline=None)
@given(st.integers(0, 3_000))
def test_a_log_has_exactly_the_size_that_is_promised(size: int) -> None:
    task = WORLD.role("failed")
    log = texts.log_text(WORLD.seed, WORLD.finished, task, 0, "public/logs/log_raw.log", size)
    assert len(log) == size
    assert not log or log.endswith(b"\n")
