"""The command line within the test's own process, and a CI that can hold back what it sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commands.calling import Caller
from tests.commands.holding import HoldingServer


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
