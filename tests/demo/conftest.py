"""One embedded CI for all tests of it, with a clock that the tests turn."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from backends.demo import DemoServer
from tests.demo.archive_asking import Archive
from tests.demo.asking import OPTIONS, Clock, Demo
from tests.demo.perfherder import Perfherder


@pytest.fixture(scope="session")
def session_demo() -> Iterator[Demo]:
    clock = Clock()
    server = DemoServer(OPTIONS, elapsed=lambda: clock.elapsed, now=lambda: clock.now, stall_seconds=0.01)
    with server:
        demo = Demo(server, clock)
        yield demo
        demo.client.close()


@pytest.fixture
def demo(session_demo: Demo) -> Demo:
    session_demo.clock.elapsed, session_demo.clock.now = 0.0, time.time()
    return session_demo


@pytest.fixture(scope="session")
def archive(session_demo: Demo) -> Iterator[Archive]:
    archive = Archive(session_demo.server)
    yield archive
    archive.client.close()


@pytest.fixture(scope="session")
def session_perf(session_demo: Demo) -> Iterator[Perfherder]:
    perf = Perfherder(session_demo.server)
    yield perf
    perf.client.close()


@pytest.fixture
def perf(demo: Demo, session_perf: Perfherder) -> Perfherder:
    return session_perf
