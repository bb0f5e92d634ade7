"""How tests drive the app: start it on a locator, wait for what it does, read what it shows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.app import App
from textual.pilot import Pilot

from backends import config
from backends.session import Session
from tui.app import Explorer
from tui.widgets.filter_line import FilterInput
from tui.widgets.list_view import ResourceView
from tui.widgets.status_line import StatusLine, format_status

PATIENCE = 60.0  # seconds; far more than anything takes, so that only a hang ends it


@asynccontextmanager
async def running(
    locator: str | None, *, size: tuple[int, int] = (120, 40), mode: str = "normal"
) -> AsyncIterator[tuple[Explorer, Pilot[None]]]:
    """The app with this locator open and loaded."""
    async with showing(Session(config.load(), mode=mode), locator, size) as shown:
        yield shown


@asynccontextmanager
async def showing(
    session: Session, locator: str | None, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Explorer, Pilot[None]]]:
    """The app over a session, which it closes in the end."""
    app = Explorer(session, locator)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            if locator is not None:
                await until(pilot, lambda: view(app) is not None and loaded(app))
            yield app, pilot
            app.leave()
    finally:
        session.close()


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Lets the app go on until something is so; if it never is, the failure shows the screen."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"that never happened; the screen shows\n{screen_text(pilot.app)}")
        await pilot.pause(0.01)
    await pilot.pause()


def view(app: Explorer) -> ResourceView | None:
    pane = app.current_list
    return pane.top if pane is not None else None


def shown_view(app: Explorer) -> ResourceView:
    found = view(app)
    assert found is not None
    return found


def loaded(app: Explorer) -> bool:
    found = view(app)
    return found is not None and found.is_mounted and bool(found.query(StatusLine)) and not found.is_loading


def status(app: Explorer) -> str:
    """The words of the status line."""
    return format_status(shown_view(app).query_one(StatusLine).status, 0).plain


def words(app: Explorer) -> str:
    """The words that stand in place of the table, "" if the table is shown."""
    found = shown_view(app)
    return str(found.query_one("#view-message").render()) if found.has_class("-message") else ""


async def filter_rows(app: Explorer, pilot: Pilot[None], text: str) -> None:
    """Opens the filter line, pastes a filter and goes back to the table."""
    await pilot.press("slash")
    shown_view(app).query_one(FilterInput).value = text
    await pilot.press("enter")


def screen_text(app: App[None]) -> str:
    """All that is on the screen, line by line."""
    width, _ = app.size
    return "\n".join(
        "".join(segment.text for segment in strip)[:width] for strip in app.screen._compositor.render_strips()
    )
