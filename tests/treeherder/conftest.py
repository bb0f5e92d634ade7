"""What the tests of the Treeherder backend share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.treeherder.fake_treeherder import FakeTreeherder, RecordedTreeherder


@pytest.fixture
def fake() -> FakeTreeherder:
    return FakeTreeherder()


@pytest.fixture
def recorded(samples: Path) -> RecordedTreeherder:
    directory = samples / "treeherder"
    if not directory.is_dir():
        pytest.skip("the recorded answers of a Treeherder are not on this machine")
    return RecordedTreeherder(directory)
