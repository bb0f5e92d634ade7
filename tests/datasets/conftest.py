"""The command line within this process, a dataset filled from the embedded CI once, and copies of it to change."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.demo import DemoServer
from tests.commands.calling import Caller, Ended

Call = Callable[..., Ended]


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    return Caller(capfdbinary)


@pytest.fixture(scope="session")
def filled(demo_server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of autoland that the embedded CI has, as the command fills it, once for all workers; not to be changed."""
    from backends.cancel import CancelToken
    from backends.http import Http, Mode
    from backends.treeherder.datasets.asking import Pace, Treeherder
    from backends.treeherder.datasets.ledger import now
    from backends.treeherder.datasets.store import Store
    from backends.treeherder.datasets.update import Update
    from backends.treeherder.datasets.wanted import DAY, Wanted

    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent
    path, done, at = home / "dataset" / "store", home / "dataset" / "done", now()
    path.parent.mkdir(exist_ok=True)
    with (path.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            with Store(path, create=True) as store, Http(mode=Mode.NO_CACHE) as http:
                server = Treeherder(http, demo_server.settings["CIEXPLORE_TREEHERDER_URL"], "autoland", Pace(0))
                Update(store, server, Wanted("autoland", at - 400 * DAY, at), cancel=CancelToken()).run()
            done.touch()
    return path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(filled, tmp_path / "store"))
