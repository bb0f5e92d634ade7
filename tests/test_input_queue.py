"""Input events that reach the app at a bad moment."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from tui.input_queue import OrderedInputApp


class _Boxes(OrderedInputApp):
    def compose(self) -> ComposeResult:
        yield Static("what is removed", id="removed")
        yield Static("what stays")


def _press(x: int, y: int) -> events.MouseDown:
    return events.MouseDown(
        None, x, y, 0, 0, 1, shift=False, meta=False, ctrl=False, screen_x=x, screen_y=y
    )  # fmt: skip


async def test_a_press_on_a_widget_that_was_just_removed_does_not_end_the_app() -> None:
    app = _Boxes()
    async with app.run_test() as pilot:
        removed = app.query_one("#removed")
        parent, removed._parent = removed._parent, None  # as between its removal and the next layout: still drawn
        assert app.get_widget_at(2, 0)[0] is removed
        await app.on_event(_press(2, 0))
        await pilot.pause()
        assert app.is_running and not app._rounds
        removed._parent = parent
        await app.on_event(_press(2, 1))
        await pilot.pause()
        assert app.is_running
