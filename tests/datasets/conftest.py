"""The command line within this process, a dataset filled from the embedded CI once, and copies of it to change."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.demo import DemoServer
from backends.treeherder.datasets import legacy_export
from tests.commands.calling import Caller, Ended

Call = Callable[..., Ended]


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    return Caller(capfdbinary)


@pytest.fixture(scope="session")
def filled(demo_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frameworks of the embedded CI's autoland, fetched once for all workers; not to be changed."""
    from backends.cancel import CancelToken
    from backends.http import Http, Mode
    from backends.treeherder.datasets.client import DatasetClient, RateLimiter
    from backends.treeherder.datasets.fetch_log import now
    from backends.treeherder.datasets.store import DAY, DatasetStore
    from backends.treeherder.datasets.update import DatasetUpdate
    from backends.treeherder.datasets.update_plan import UpdateOptions

    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent
    path, done, at = home / "dataset" / "store", home / "dataset" / "done", now()
    path.parent.mkdir(exist_ok=True)
    with (path.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            options = UpdateOptions("autoland", at - 400 * DAY, at, frameworks=(1, 2))
            server = demo_server.settings["CIEXPLORE_TREEHERDER_URL"]
            with DatasetStore(path, create=True) as store, Http(mode=Mode.NO_CACHE) as http:
                client = DatasetClient(http, server, "autoland", RateLimiter(0))
                DatasetUpdate(store, client, options, cancel=CancelToken()).run()
            done.touch()
    return path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    # Another worker may be reading it, whose -wal and -shm come and go; nothing stands in them.
    passing = shutil.ignore_patterns("*-wal", "*-shm")
    return Path(shutil.copytree(filled, tmp_path / "store", ignore=passing))


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports without histograms, which take most of the time of an export of little data."""
    monkeypatch.setattr(legacy_export, "can_plot", lambda: False)
