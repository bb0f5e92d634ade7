"""What the tests of archives share: hgwebs that allow all suffixes or zip only, and an engine of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from backends import config
from backends.archives.buckets import BucketMirror
from backends.archives.engine import ArchiveEngine
from backends.archives.fetch import ProgressReport
from backends.cancel import CancelToken
from backends.http import Http
from tests.archives import mercurial_server
from tests.archives.mercurial_server import Hgweb, Repositories
from tests.archives.storage import Storage


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    return mercurial_server.make_repositories(tmp_path_factory.mktemp("repositories"))


@pytest.fixture(scope="session")
def hgweb(repositories: Repositories, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hgweb]:
    with mercurial_server.served(repositories, "gz zip bz2", tmp_path_factory.mktemp("hgweb")) as server:
        yield server


@pytest.fixture(scope="session")
def zip_only(repositories: Repositories, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hgweb]:
    """As hg.mozilla.org since 2019."""
    with mercurial_server.served(repositories, "zip", tmp_path_factory.mktemp("zip-only")) as server:
        yield server


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    """moto's S3."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield Storage.of(server)
    finally:
        server.terminate()
        server.wait(20)
        assert server.stdout is not None
        server.stdout.close()


@dataclass
class EngineUnderTest:
    """An engine on one hgweb, what it reported, and how it waited."""

    engine: ArchiveEngine
    reports: list[ProgressReport]
    waits: list[float]

    def get(self, *arguments: Any, region: str = "", **options: Any) -> Any:
        from backends.archives.spec import ArchiveRequest

        return self.engine.get(ArchiveRequest(*arguments, **options), CancelToken(), self.reports.append, region)

    @property
    def states(self) -> list[str]:
        return [str(report.state) for report in self.reports]


EngineFactory = Callable[..., EngineUnderTest]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[EngineFactory]:
    """Makes engines on the same store; nothing waits between tries."""
    opened: list[Http] = []

    def make(url: str, *, mirror: BucketMirror | None = None, cache: str = "cache", **settings: Any) -> EngineUnderTest:
        http = Http(tries=1)
        opened.append(http)
        chosen = replace(config.load(), hg_url=url, cache_dir=str(tmp_path / cache), **settings)
        waits: list[float] = []
        engine = ArchiveEngine(http, chosen, mirror=mirror, pause=lambda seconds, cancel: waits.append(seconds))
        return EngineUnderTest(engine, [], waits)

    yield make
    for http in opened:
        http.close()
