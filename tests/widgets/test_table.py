"""What a person at the keyboard, or without colours, would lose if the table were drawn wrongly."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.widgets.table_app import frame, line_of, lines, running
from tui.widgets.table import FrameTable

# ---- what is drawn


async def test_header_rows_glyphs_and_flush_right_numbers_are_drawn() -> None:
    async with running(frame(3)) as (_, table, _pilot):
        assert [line.rstrip() for line in lines(table)[:5]] == [
            "   State        Label    Runs",
            "▌  ✔ completed  task 0      0",
            "   ✖ failed     task 1  1,000",
            "   ▶ running    task 2  2,000",
            "",
        ]


async def test_an_empty_table_draws_its_header_only() -> None:
    async with running() as (_, table, pilot):
        assert "State" in lines(table)[0]
        assert "".join(lines(table)[1:]).strip() == ""
        await pilot.press("down", "space", "a", "i", "v", "v", "enter", "1", "pagedown", "G")
        assert table.cursor_row is None
        assert table.cursor_key is None


async def test_each_state_has_its_own_colour_from_the_theme() -> None:
    async with running(frame(3)) as (app, table, _pilot):

        def colour(y: int, word: str) -> Any:
            return next(
                segment.style.color for segment in table.render_line(y) if word in segment.text and segment.style
            )

        table.cursor = 2
        dark = [colour(1, "completed"), colour(2, "failed")]
        assert len(set(dark)) == 2
        app.theme = "textual-light"
        await _pilot.pause()
        assert [colour(1, "completed"), colour(2, "failed")] != dark


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "ansi-dark", "ansi-light"])
async def test_the_cursor_row_is_drawn_in_the_cursor_colours_of_the_theme(theme: str) -> None:
    async with running(frame(3)) as (app, table, pilot):
        app.theme = theme
        await pilot.pause()
        cursor, other = table.render_line(1), table.render_line(2)
        backgrounds = {segment.style.bgcolor for segment in cursor if segment.style is not None}
        assert len(backgrounds) == 1
        assert backgrounds.isdisjoint(segment.style.bgcolor for segment in other if segment.style is not None)


async def test_a_table_without_the_focus_does_not_look_as_if_it_had_it() -> None:
    async with running(frame(3)) as (_, table, pilot):
        focused = table.render_line(1)
        table.blur()
        await pilot.pause()
        assert table.render_line(1) != focused
        assert line_of(table, "▌")
        table.focus()
        await pilot.pause()
        assert table.render_line(1) == focused


async def test_a_range_begun_before_new_rows_came_still_ends_where_it_looks() -> None:
    async with running(frame(6, start=6)) as (_, table, pilot):
        table.sort("runs")
        await pilot.press("down", "v", "down")
        table.append(frame(6))
        await pilot.press("v")
        assert table.marked_keys == {"k7", "k8"}


async def test_without_colours_cursor_and_marks_are_still_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(frame(3)) as (_, table, pilot):
        await pilot.press("space")
        assert [line[:2] for line in lines(table)[1:4]] == [" ●", "▌ ", "  "]
        assert all(segment.style is not None and segment.style.reverse for segment in table.render_line(2))


async def test_a_cell_with_an_escape_sequence_reaches_the_terminal_as_signs() -> None:
    hostile = frame(1).with_columns(label=pl.lit("\x1b[2Jx\ny\u202ez"))
    async with running(hostile) as (_, table, _pilot):
        assert "␛[2Jx⏎y�z" in lines(table)[1]


async def test_a_number_that_does_not_fit_is_not_cut_into_a_smaller_one() -> None:
    async with running(frame(3)) as (_, table, _pilot):
        table.focus_column(2)
        table.action_widen(-3)
        assert lines(table)[3].rstrip().endswith("###")


async def test_wide_terminals_give_the_spare_cells_to_the_texts_that_need_them() -> None:
    long = frame(2, word="a very long label " * 4)
    async with running(long, size=(60, 5)) as (_, table, pilot):
        assert "…" in lines(table)[1]
        await pilot.resize_terminal(140, 5)
        await pilot.pause()
        assert "…" not in lines(table)[1]


async def test_columns_grow_with_later_pages_and_never_shrink() -> None:
    async with running(frame(2)) as (_, table, _pilot):
        table.append(frame(2, start=123_456))
        assert "123,457,000" in lines(table)[4]
        width = lines(table)[0].index("Runs")
        table.append(frame(2, start=5))
        assert lines(table)[0].index("Runs") == width


# ---- the cursor


async def test_keys_move_the_cursor_and_the_window_follows_it() -> None:
    async with running(frame(100)) as (_, table, pilot):
        for keys, position in ((["down", "j"], 2), (["up"], 1), (["k", "k"], 0), (["G"], 99), (["g"], 0)):
            await pilot.press(*keys)
            assert table.cursor == position
            assert line_of(table, "▌")
        await pilot.press("pagedown")
        assert table.cursor == 10
        assert line_of(table, "▌")


async def test_the_application_hears_which_row_is_under_the_cursor_once() -> None:
    async with running(frame(9)) as (app, _table, pilot):
        app.seen.clear()
        await pilot.press("down", "G", "G")
        assert [m.key for m in app.seen if isinstance(m, FrameTable.RowHighlighted)] == ["k1", "k8"]


async def test_the_cursor_stays_on_its_row_through_sort_filter_and_refresh() -> None:
    async with running(frame(50)) as (_, table, pilot):
        await pilot.press("down", "down")
        table.sort("runs", descending=True)
        assert (table.cursor_key, table.cursor) == ("k2", 47)
        assert line_of(table, "▌").count("task 2 ")
        table.set_filter("task -3")
        assert table.cursor_key == "k2"
        table.replace(frame(50).reverse())
        assert table.cursor_key == "k2"


async def test_a_row_that_the_filter_hides_gets_the_cursor_back_when_it_returns() -> None:
    async with running(frame(50)) as (_, table, pilot):
        await pilot.press("down", "down")
        table.set_filter("49")
        assert table.cursor_key == "k49"
        table.set_filter("")
        assert table.cursor_key == "k2"


async def test_a_table_that_nobody_touched_stays_at_the_top_while_pages_arrive() -> None:
    async with running(frame(20, start=20)) as (_, table, pilot):
        table.sort("runs")
        table.append(frame(20))
        await pilot.pause()
        assert (table.cursor_key, table.scroll_offset.y) == ("k0", 0)


async def test_the_cursor_line_does_not_jump_on_the_screen_when_rows_come_in_above() -> None:
    async with running(frame(40, start=40)) as (_, table, pilot):
        table.sort("runs")
        await pilot.press(*["down"] * 20)
        before = table.cursor - table.scroll_offset.y
        table.append(frame(40))
        await pilot.pause()
        assert table.cursor_key == "k60"
        assert table.cursor - table.scroll_offset.y == before
        assert line_of(table, "▌")


async def test_a_shorter_refresh_never_leaves_the_screen_empty() -> None:
    async with running(frame(200)) as (_, table, pilot):
        await pilot.press("G")
        table.replace(frame(3))
        await pilot.pause()
        assert table.cursor_key == "k2"
        assert line_of(table, "▌") == lines(table)[3]
