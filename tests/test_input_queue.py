"""Input events that reach the app at a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Input, Static

from tests.driving import until
from tui import input_queue
from tui.input_queue import MAX_TEXT, OrderedInputApp, call_after_input


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


class _Slow(Widget, can_focus=True):
    """Takes a key, and is not done with it before `wait` is."""

    def __init__(self, wait: Callable[[], object], seen: list[str]) -> None:
        super().__init__()
        self.wait, self.seen = wait, seen
        self.has_key = asyncio.Event()

    async def on_key(self, event: events.Key) -> None:
        self.has_key.set()
        await self.wait()  # type: ignore[misc]
        self.seen.append(f"key {event.key}")


class _SlowApp(OrderedInputApp):
    def __init__(self, wait: Callable[[], object], seen: list[str]) -> None:
        super().__init__()
        self.slow = _Slow(wait, seen)

    def compose(self) -> ComposeResult:
        yield self.slow


async def test_rows_that_arrive_wait_for_the_keys_that_have_come_and_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_queue, "MAX_WAIT", 1000.0)
    seen: list[str] = []
    released, ended = asyncio.Event(), asyncio.Event()
    app = _SlowApp(released.wait, seen)
    async with app.run_test():
        app.slow.focus()
        app.post_message(events.Key("a", "a"))
        app.post_message(events.Key("b", "b"))
        await app.slow.has_key.wait()
        app.call_after_input(partial(seen.append, "first rows"))
        app.call_after_input(partial(seen.append, "more rows"))
        app.call_after_input(ended.set)
        # Longer than they would wait without a key: the timers of an app fire in order.
        app.set_timer(20 * input_queue._PAUSE, released.set)
        await ended.wait()
        assert seen == ["key a", "key b", "first rows", "more rows"]
        seen.clear()
        ended.clear()
        call_after_input(app, partial(seen.append, "rows without a key"))
        app.call_after_input(ended.set)
        await ended.wait()
        assert seen == ["rows without a key"]


async def test_rows_do_not_wait_for_ever_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_queue, "MAX_WAIT", 0.01)
    seen: list[str] = []
    came, handled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        await came.wait()
        handled.set()

    app = _SlowApp(wait, seen)
    async with app.run_test():
        app.slow.focus()
        app.post_message(events.Key("a", "a"))
        await app.slow.has_key.wait()
        app.call_after_input(partial(seen.append, "rows"))
        app.call_after_input(came.set)
        await handled.wait()
    assert seen == ["rows", "key a"]


async def test_an_app_that_does_not_order_its_input_makes_nothing_wait() -> None:
    seen: list[str] = []
    app: App[None] = App()
    call_after_input(app, partial(seen.append, "rows"))
    assert seen == ["rows"]


class _Form(OrderedInputApp):
    def compose(self) -> ComposeResult:
        yield Input("before", select_on_focus=False)

    def told(self) -> list[str]:
        return [one.message for one in self._notifications]


async def test_a_box_holds_no_more_than_its_limit_however_many_pastes_come_at_once() -> None:
    app = _Form()
    async with app.run_test() as pilot:
        box = app.query_one(Input)
        box.focus()
        await pilot.pause()
        for letter in "abcdef":
            await app.on_event(events.Paste(letter * 6_000))
        await app.on_event(events.Key("z", "z"))
        await until(pilot, lambda: not app._input and not app._rounds and len(app.told()) == 2)
        assert box.value[:MAX_TEXT] == "before" + "a" * 6_000 + "b" * (MAX_TEXT - 6_006)
        assert len(box.value) <= MAX_TEXT + 1
        assert app.told() == [
            "Only its first 3,994 characters were taken.",
            "Nothing of it was taken: the box is full.",
        ]


async def test_a_paste_over_what_is_selected_has_its_room() -> None:
    app = _Form()
    async with app.run_test() as pilot:
        box = app.query_one(Input)
        box.value = "x" * MAX_TEXT
        box.focus()
        await pilot.pause()
        box.select_all()
        await app.on_event(events.Paste("y" * MAX_TEXT))
        await until(pilot, lambda: box.value == "y" * MAX_TEXT)
        assert app.told() == []
