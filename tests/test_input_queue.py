"""Input events that reach the app at a bad moment."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.widgets import Input, Static

from tests.driving import until
from tui.input_queue import MAX_TEXT, OrderedInputApp


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
