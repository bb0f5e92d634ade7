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
from backends.resources import read_list
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


@pytest.fixture(scope="session")
def opened_lists() -> dict[str, tuple[Any, pl.DataFrame]]:
    """What `open_list` has listed: most tests only read a list of the demo."""
    return {}


@pytest.fixture
def open_list(demo: dict[str, str], uncached: Http, opened_lists: dict[str, tuple[Any, pl.DataFrame]]) -> Lists:
    """Lists a locator or a name of the demo: the resource and all its rows. `again`: also if it was listed before."""

    def open_and_check(what: Locator | str, *, again: bool = False) -> tuple[Any, pl.DataFrame]:
        locator = parse_locator(demo.get(what, what)) if isinstance(what, str) else what
        if again or repr(locator) not in opened_lists:
            resource = open_resource(locator, uncached, load(), CancelToken())
            frame = read_list(resource, CancelToken()).frame
            check_list(resource, frame)
            opened_lists[repr(locator)] = resource, frame
        return opened_lists[repr(locator)]

    return open_and_check
