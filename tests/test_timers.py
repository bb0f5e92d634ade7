"""Timers that fire once, of any delay, also where the delay has passed before they begin."""

from __future__ import annotations

import asyncio

import pytest
from textual.notifications import Notification
from textual.widgets._toast import Toast

from tui.input_queue import OrderedInputApp


@pytest.mark.parametrize("delay", [0.0, -5.0, 1e-9, 0.001])
async def test_it_fires_once_whatever_its_delay_and_whatever_else_took_the_time(
    delay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired: list[float] = []
    app = OrderedInputApp()
    async with app.run_test() as pilot:
        clock = iter(range(1_000_000))  # between any two looks at it more time passes than it was to wait
        monkeypatch.setattr("textual.timer._time.get_time", lambda: float(next(clock)))
        timer = app.set_timer(delay, lambda: fired.append(delay))
        assert timer._task is not None
        await asyncio.wait_for(timer._task, 30)
        await pilot.pause()
        assert fired == [delay]


async def test_a_notification_that_expires_while_a_screen_is_opened_goes_at_once() -> None:
    app = OrderedInputApp()
    async with app.run_test() as pilot:
        await app.mount(Toast(Notification("gone", timeout=-1)))
        while app.query(Toast):
            await pilot.pause(0.01)
