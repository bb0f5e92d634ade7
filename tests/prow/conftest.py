"""What the tests of the Prow backend share: a storage of their own, and a client that does not wait between tries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.demo import DemoOptions, DemoServer
from backends.http import Http
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket, serving


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving(Bucket()) as one:
        yield one


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Http]:
    with Http(cache_dir=tmp_path / "cache", pause=lambda seconds, cancel: None) as client:
        yield client


@pytest.fixture(scope="session")
def prow_demo() -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=20)) as server:
        yield server


@pytest.fixture(scope="session")
def prow_samples(samples: Path) -> Path:
    return samples / "prow"


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """The command line within the test's own process."""
    monkeypatch.chdir(tmp_path)
    return Caller(capsysbinary)
