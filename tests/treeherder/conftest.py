"""What the tests of the Treeherder backend share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.config import load
from backends.http import Http
from backends.locators import Locator
from backends.resources import gather
from backends.systems import open_resource, parse_locator
from tests.treeherder.fake_treeherder import FakeTreeherder, RecordedTreeherder
from tests.treeherder.listing import Lists, check_list


@pytest.fixture
def fake() -> FakeTreeherder:
    return FakeTreeherder()


@pytest.fixture
def recorded(samples: Path) -> RecordedTreeherder:
    directory = samples / "treeherder"
    if not directory.is_dir():
        pytest.skip("the recorded answers of a Treeherder are not on this machine")
    return RecordedTreeherder(directory)


@pytest.fixture(scope="session")
def uncached() -> Iterator[Http]:
    with Http() as client:
        yield client


@pytest.fixture
def open_list(demo: dict[str, str], uncached: Http) -> Lists:
    """Lists a locator or a name of the demo: the resource and all its rows."""

    def lists(what: Locator | str) -> tuple[Any, pl.DataFrame]:
        locator = parse_locator(demo.get(what, what)) if isinstance(what, str) else what
        resource = open_resource(locator, uncached, load(), CancelToken())
        frame = gather(resource, CancelToken()).frame
        check_list(resource, frame)
        return resource, frame

    return lists
