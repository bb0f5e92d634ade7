"""What the tests of the Taskcluster backend share."""

from __future__ import annotations

import pytest

from tests.taskcluster.fake_queue import FakeQueue


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()
