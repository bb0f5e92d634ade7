"""Long work in Python gives way to the interface while that has something to do."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from backends import foreground
from backends.foreground import Foreground, give_way
from tui.launch import make_loop


def test_the_loop_is_busy_while_it_runs_and_not_while_it_waits() -> None:
    async def look() -> tuple[bool, bool, bool]:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        seen: list[bool] = []

        def wait_until_idle() -> None:
            while Foreground.is_busy:
                time.sleep(0)
            seen.append(Foreground.is_busy)
            loop.call_soon_threadsafe(told.set)

        before = Foreground.is_busy
        thread = threading.Thread(target=wait_until_idle)
        thread.start()
        await told.wait()
        thread.join()
        return before, seen[0], Foreground.is_busy

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(look()) == (True, False, True)
    assert not Foreground.is_busy, "nobody waits for an app that has ended"


def test_work_pauses_only_while_the_interface_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(foreground.time, "sleep", pauses.append)
    give_way()
    assert pauses == []
    monkeypatch.setattr(Foreground, "is_busy", True)
    give_way()
    assert len(pauses) == 1 and 0 < pauses[0] <= 0.001
