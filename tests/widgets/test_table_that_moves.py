"""Rows come, go and move by themselves while somebody marks, clicks and drags: what is meant is what is met."""

from __future__ import annotations

from typing import Any

from textual import events

from tests.widgets.table_app import SCHEMA, TableApp, frame, lines, running
from tui.input_queue import OrderedInputApp
from tui.widgets.table import FrameTable


def mouse(kind: type[events.MouseEvent], y: int, **more: Any) -> events.MouseEvent:
    """As the screen hands it on to the table; `more`: the chain of a click."""
    event = kind(None, 20, y, 0, 0, 1, shift=False, meta=False, ctrl=False, screen_x=20, screen_y=y, **more)
    event._set_forwarded()
    return event


def marked_lines(table: FrameTable, sign: str) -> list[str]:
    return [line.split()[-2] for line in lines(table) if sign in line[:3]]


async def test_a_range_outlives_a_list_that_is_replaced() -> None:
    """As the files of a download, three times in two seconds."""
    async with running(frame(9)) as (_, table, pilot):
        await pilot.press("down", "v", "down")
        table.replace(frame(8, start=1))
        await pilot.pause()
        assert marked_lines(table, "┆") == ["1", "2"]
        await pilot.press("down", "v")
        assert table.marked_keys == {"k1", "k2", "k3"}


async def test_a_range_whose_first_row_is_gone_ends() -> None:
    async with running(frame(9)) as (_, table, pilot):
        await pilot.press("v", "down")
        table.replace(frame(8, start=1))
        await pilot.pause()
        assert marked_lines(table, "┆") == []
        await pilot.press("v", "down", "v")
        assert table.marked_count == 2


async def test_what_flashes_is_the_row_that_changed_also_in_a_list_that_is_replaced() -> None:
    async with running(frame(9)) as (_, table, _pilot):
        table.flash(["k4", "k6"])
        table.replace(frame(6, start=3))
        state = [table._row_state(position) for position in range(table.row_count)]
        assert [row.number for row in state if row is not None and row.flashed] == [1, 3]
        assert table._model.key_of(1) == "k4"


async def test_a_drag_marks_from_the_row_that_was_pressed_in_a_list_that_is_replaced() -> None:
    async with running(frame(9)) as (_, table, pilot):
        table.post_message(mouse(events.MouseDown, 4))
        await pilot.pause()
        table.replace(frame(7, start=2))  # k3 is one line below the header now
        await pilot.pause()
        table.post_message(mouse(events.MouseMove, 4))
        table.post_message(mouse(events.MouseUp, 4))
        await pilot.pause()
        assert table.marked_keys == {"k3", "k4", "k5"}


async def test_a_click_means_the_row_that_was_pressed() -> None:
    async with running(frame(9)) as (_, table, pilot):
        table.post_message(mouse(events.MouseDown, 4))
        await pilot.pause()
        table.replace(frame(7, start=2))
        table.post_message(mouse(events.MouseUp, 4))
        table.post_message(mouse(events.Click, 4))
        await pilot.pause()
        assert table.cursor_key == "k3"
        assert table.marked_count == 0


async def test_a_double_click_opens_nothing_if_another_row_came_under_the_mouse() -> None:
    async with running(frame(9)) as (app, table, pilot):
        for chain, rows in ((1, frame(9)), (2, frame(9, start=9))):
            table.replace(rows)
            await pilot.pause()
            table.post_message(mouse(events.MouseDown, 4))
            table.post_message(mouse(events.MouseUp, 4))
            table.post_message(mouse(events.Click, 4, chain=chain))
            await pilot.pause()
        assert app.last(FrameTable.RowSelected) is None
        table.post_message(mouse(events.MouseDown, 4))
        table.post_message(mouse(events.MouseUp, 4))
        table.post_message(mouse(events.Click, 4, chain=2))
        await pilot.pause()
        assert app.last(FrameTable.RowSelected).key == "k12"


class _BusyApp(OrderedInputApp, TableApp):
    """In which keys keep on coming: rows that arrive wait."""

    def __init__(self) -> None:
        OrderedInputApp.__init__(self)
        self.table = FrameTable(SCHEMA)
        self.seen = []
        self.waiting: list[Any] = []

    def call_after_input(self, callback: Any) -> None:
        self.waiting.append(callback)


async def test_columns_are_as_wide_in_every_line_while_rows_that_have_come_wait_for_keys() -> None:
    app = _BusyApp()
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.focus()
        table.replace(frame(3))
        await pilot.pause()
        before = lines(table)
        table.append(frame(1, start=3, word="a task with a much longer name"))
        await pilot.press("down")
        assert lines(table)[0] == before[0]
        assert lines(table)[1] == before[1].replace("▌", " ")
        for callback in app.waiting:
            callback()
        await pilot.pause()
        assert "a task with a much longer name 3" in lines(table)[4]
        assert lines(table)[0] != before[0]
