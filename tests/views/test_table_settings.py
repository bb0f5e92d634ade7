"""Columns, several sort keys, undo and the mouse in a table."""

from __future__ import annotations

from dataclasses import replace

from textual import events

from backends.frames.filters import complete_states, parse
from tests.widgets.table_app import SCHEMA, frame, lines, running
from tui.list_settings import ColumnArrangement, ListSettings
from tui.widgets.table import FrameTable
from tui.widgets.table_drawing import Columns


def names(table: FrameTable) -> list[str]:
    return [column.name for column in table.visible_columns]


def test_columns_that_are_gone_are_ignored_and_new_ones_stand_where_the_schema_has_them() -> None:
    columns = Columns(SCHEMA, 1)
    columns.arrange(ColumnArrangement(("runs", "gone", "state", "runs"), frozenset({"gone"}), None, (("gone", 9),)))
    assert [column.name for column in columns.visible] == ["runs", "state", "label"]  # `note` is hidden by itself
    columns.arrange(ColumnArrangement(("state",), frozenset(SCHEMA.names)))
    assert len(columns.visible) == 1
    columns.arrange(None)
    assert [column.name for column in columns.visible] == ["state", "label", "runs"]


def test_an_arrangement_comes_back_as_it_was() -> None:
    columns = Columns(SCHEMA, 1)
    wanted = ColumnArrangement(
        ("runs", "note", "state", "label"), frozenset({"label"}), frozenset({"runs", "note"}), (("runs", 20),)
    )  # fmt: skip
    columns.arrange(wanted)
    assert columns.arrangement == wanted
    assert columns.place(200).fixed == columns.place(200).slots[1].end + 2


async def test_s_adds_reverses_and_drops_a_sort_key() -> None:
    async with running(frame(9)) as (_, table, pilot):
        await pilot.press("S", "right", "right", "S", "S")
        assert table.sort_keys == (("state", False), ("runs", True))
        assert "▲" in lines(table)[0] and "▼2" in lines(table)[0]
        await pilot.press("S")
        assert table.sort_keys == (("state", False),)
        await pilot.press("s")
        assert table.sort_keys == (("runs", False),)


async def test_undo_takes_back_marks_sort_hidden_columns_and_filter_one_by_one() -> None:
    async with running(frame(9)) as (_, table, pilot):
        before = names(table)
        await pilot.press("space", "space", "s", "right", "minus")
        table.begin_undo_step()
        for text in ("t", "ta", "task 8"):  # typed in one go
            table.set_filter(text)
        await pilot.press("a")
        assert (table.marked_keys, table.row_count) == ({"k0", "k1", "k8"}, 1)
        changes = []
        while (step := table.undo()) is not None:
            changes.append((step.change, sorted(table.marked_keys), table.row_count, len(names(table))))
        assert changes == [
            ("marks", ["k0", "k1"], 1, 2),
            ("filter", ["k0", "k1"], 9, 2),
            ("columns", ["k0", "k1"], 9, 3),
            ("sort", ["k0", "k1"], 9, 3),
            ("mark", ["k0"], 9, 3),
            ("mark", [], 9, 3),
        ]
        assert (names(table), table.sort_keys, table.filter_text) == (before, (), "")


async def test_marks_that_escape_took_come_back_also_after_other_rows_have_come() -> None:
    async with running(frame(9)) as (_, table, pilot):
        await pilot.press("a", "u")
        table.append(frame(3, start=9))
        table.undo()
        assert table.marked_keys == {f"k{n}" for n in range(9)}
        await pilot.press("u")
        table.replace(frame(9, start=5))  # other rows, in other places
        table.undo()
        assert table.marked_keys == {f"k{n}" for n in range(5, 9)}


async def test_settings_are_applied_as_far_as_the_table_can() -> None:
    async with running(frame(9)) as (_, table, pilot):
        settings = table.settings
        table.apply_settings(ListSettings(None, (("gone", True), ("runs", True))))
        await pilot.pause()
        assert table.sort_keys == (("runs", True),) and table.cursor_row is not None
        table.apply_settings(replace(settings, sort=None), table.sort_keys)
        assert table.sort_keys == (("runs", True),)


async def test_dragging_over_rows_marks_them_and_is_no_click() -> None:
    async with running(frame(30)) as (_, table, pilot):
        await pilot._post_mouse_events([events.MouseDown], table, (1, 2), button=1)
        await pilot._post_mouse_events([events.MouseMove], table, (4, 4), button=1)
        await pilot.pause()
        assert table.cursor == 3 and "┆" in lines(table)[3]
        await pilot._post_mouse_events([events.MouseUp, events.Click], table, (1, 5), button=1)
        await pilot.pause()
        assert table.marked_keys == {"k1", "k2", "k3"}
        await pilot.click(table, (1, 2))  # a click in the gutter still marks one row
        assert table.marked_keys == {"k2", "k3"}
        table.undo()
        table.undo()
        assert not table.marked_keys


async def test_a_right_click_asks_for_the_menu_of_that_row() -> None:
    async with running(frame(30)) as (app, table, pilot):
        await pilot.click(table, (10, 4), button=3)
        await pilot.pause()
        assert app.last(FrameTable.MenuRequested) is not None
        assert (table.cursor, table.marked_count) == (3, 0)


def test_the_beginning_of_a_state_matches_only_while_it_is_typed() -> None:
    rows = frame(9)
    assert parse("state:f", SCHEMA).mask(rows).sum() == 0
    assert parse("state:f", SCHEMA, typing=True).mask(rows).sum() == 3
    assert parse("state:f ", SCHEMA, typing=True).mask(rows).sum() == 0  # it has ended
    assert parse("state=f", SCHEMA, typing=True).mask(rows).sum() == 0
    assert parse("-state:f", SCHEMA, typing=True).mask(rows).sum() == 6
    assert parse("state:completed,r", SCHEMA, typing=True).mask(rows).sum() == 6
    assert str(parse("state:f", SCHEMA, typing=True)) == "state:f"


def test_the_beginning_of_a_state_is_completed_when_the_filter_is_left() -> None:
    rows = frame(9)
    for text, wanted in {
        "state:f": "state:failed",
        "task -state:FAI": "task -state:failed",
        "state:completed,r": "state:completed,running",
        "state:failed": "state:failed",
        "state:x": "state:x",
        "state:f task": "state:f task",
        "label:t": "label:t",
        "": "",
    }.items():
        assert complete_states(text, rows, SCHEMA) == wanted
