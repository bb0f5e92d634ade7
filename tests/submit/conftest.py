"""Jobs to submit, a real broker, and where the examples of outside are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.submit.outbox import Outbox


@pytest.fixture(scope="session")
def examples() -> Path:
    """Job data with the verdicts of Treeherder's own schemas, kept outside the project."""
    directory = Path(__file__).parents[3] / "shared" / "schemas"
    if not directory.is_dir():
        pytest.skip("the examples and schemas of Treeherder are not on this machine")
    return directory


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "state" / "outbox.sqlite") as found:
        yield found


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One broker for all tests of a worker; skipped with the reason where there can be none."""
    from tests.submit.rabbit import Rabbit, missing

    if reason := missing():
        pytest.skip(reason)
    broker = Rabbit(tmp_path_factory.mktemp("rabbit"))
    try:
        broker.boot()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def write_file(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return str(path)

    return write_file
