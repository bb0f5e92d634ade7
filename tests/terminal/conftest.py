"""One embedded CI, in a process of its own, for all tests of a worker that do not end it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.demo import DemoOptions, DemoProcess, locators

TASKS = 60


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stray key exports must not land in the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def ci_process() -> Iterator[DemoProcess]:
    with DemoProcess(DemoOptions(tasks=TASKS)) as process:
        yield process


@pytest.fixture
def ci(ci_process: DemoProcess, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """It as the configured deployment; gives its locators by name."""
    for name, value in ci_process.settings.items():
        monkeypatch.setenv(name, value)
    return locators(ci_process.options, ci_process.root_url)
