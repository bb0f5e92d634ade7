"""What every test gets: settings, cache and state of its own, and no way to any machine but this one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from backends import config
from backends.demo import DemoOptions, DemoServer, locators
from backends.http import backoff

# What says who the user is: no test may speak for the one who runs it.
PRIVATE = (
    "TASKCLUSTER_CLIENT_ID",
    "TASKCLUSTER_ACCESS_TOKEN",
    "TASKCLUSTER_CERTIFICATE",
    "CIEXPLORE_GCS_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
)
# No test asserts how long something takes: on a busy machine an example may well need more than 200 ms.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def own_directories(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's settings, cache or history."""
    home = tmp_path_factory.mktemp("home")
    for name in (*(env for _, env, _ in config.setting_names() if env), *PRIVATE, "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CIEXPLORE_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("CIEXPLORE_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("CIEXPLORE_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(home / "gcloud"))
    return home


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A connection to anywhere else fails the test that tried it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(autouse=True)
def short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of tests need no time to recover: the pauses between two tries are hundredths of a second."""
    defaults = backoff.backoff_delays.__kwdefaults__
    assert defaults is not None and {"first", "cap"} <= defaults.keys()
    monkeypatch.setitem(defaults, "first", 0.01)
    monkeypatch.setitem(defaults, "cap", 0.1)


@pytest.fixture(scope="session")
def samples() -> Path:
    """Recorded answers of real systems, kept outside the project; tests that want them are skipped without."""
    directory = Path(__file__).parents[2] / "shared" / "samples"
    if not directory.is_dir():
        pytest.skip("the recorded answers of real systems are not on this machine")
    return directory


@pytest.fixture(scope="session")
def demo_server() -> Iterator[DemoServer]:
    """One embedded CI for all tests of a worker that change nothing in it."""
    with DemoServer(DemoOptions(tasks=150)) as server:
        yield server


@pytest.fixture
def demo(demo_server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The embedded CI as the configured deployment; gives its locators by name."""
    for name, value in demo_server.settings.items():
        monkeypatch.setenv(name, value)
    return locators(demo_server.options, demo_server.settings["TASKCLUSTER_ROOT_URL"])


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of this machine's loopback address, signed by itself; its key is beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [*command.split(), "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    return tmp_path / "cert.pem"
