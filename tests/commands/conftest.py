"""The command line within the test's own process, and a CI that can hold back what it sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.calling import Caller
from tests.commands.holding import HoldingServer


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes beside itself must not land in the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes]) -> Caller:
    return Caller(capsysbinary)


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> Iterator[HoldingServer]:
    """An embedded CI of the test's own, as the configured deployment."""
    with HoldingServer() as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        yield server
