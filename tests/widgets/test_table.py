"""What a person would lose if the table were drawn wrongly, or filters, sorts, marks, columns or the mouse failed."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from textual.strip import Strip

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from backends.frames.schema import Column, Kind, Schema
from tests.frame_rows import frame_from_rows
from tests.widgets.table_app import TableApp, frame, line_of, lines, running, settled
from tui import theme
from tui.widgets.row_painting import RowPainter, RowState, Viewport
from tui.widgets.table import FrameTable
from tui.widgets.table_model import SortKey, ViewRequest, ViewState

# ---- what is drawn


async def test_header_rows_glyphs_and_flush_right_numbers_are_drawn() -> None:
    async with running(frame(3), size=(100, 12)) as (_, table, _pilot):
        assert [line.rstrip() for line in lines(table)[:5]] == [
            "   State        Label    Runs",
            "▌  ✔ completed  task 0      0",
            "   ✖ failed     task 1  1,000",
            "   ▶ running    task 2  2,000",
            "",
        ]


async def test_a_narrow_table_has_the_signs_of_states_without_their_words() -> None:
    async with running(frame(3)) as (_, table, _pilot):
        assert [line.rstrip() for line in lines(table)[:4]] == [
            "      Label    Runs",
            "▌  ✔  task 0      0",
            "   ✖  task 1  1,000",
            "   ▶  task 2  2,000",
        ]


async def test_a_narrow_table_keeps_the_words_of_states_that_are_all_a_row_is_called() -> None:
    grouped = Schema((Column("state", Kind.STATE, "State"), Column("rows", Kind.COUNT, "Rows")), "key")
    rows = frame_from_rows(grouped, [("a", "completed", 1142), ("b", "exception", 23)])
    async with running(rows, schema=grouped) as (_, table, _pilot):
        assert [line.rstrip() for line in lines(table)[:3]] == [
            "   State         Rows",
            "▌  ✔ completed  1,142",
            "   ⚠ exception     23",
        ]


async def test_a_state_beside_others_is_not_cut_to_its_label_in_a_narrow_table() -> None:
    alerts = Schema((Column("id", Kind.ID, "Alert"), Column("status", Kind.STATE, "Status")), "id")
    async with running(frame_from_rows(alerts, [("46331", "untriaged")]), schema=alerts) as (_, table, _pilot):
        assert "46331   ◌ untriaged" in lines(table)[1]


async def test_what_runs_has_the_colour_of_running_and_not_that_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    async with running(frame(3)) as (_, table, _pilot):
        inks = [segment.style.color for segment in table.render_line(3) if segment.style and "▶" in segment.text]
        assert [ink.name for ink in inks if ink] == [theme.INKS["running"][0]]


async def test_an_empty_table_draws_its_header_only() -> None:
    async with running() as (_, table, pilot):
        assert "Label" in lines(table)[0]
        assert "".join(lines(table)[1:]).strip() == ""
        await pilot.press("down", "space", "a", "i", "v", "v", "enter", "1", "pagedown", "G")
        assert table.cursor_row is None
        assert table.cursor_key is None


async def test_each_state_has_its_own_colour_from_the_theme() -> None:
    async with running(frame(3), size=(100, 12)) as (app, table, _pilot):

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


@pytest.mark.parametrize("name", ["textual-dark", "textual-light", "nord", "ansi-dark", "ansi-light"])
async def test_the_cursor_row_is_drawn_in_the_cursor_colours_of_the_theme(name: str) -> None:
    async with running(frame(3)) as (app, table, pilot):
        app.theme = name
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


async def test_rows_that_only_move_are_not_painted_again_and_those_that_changed_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    painted: list[int] = []
    paint = RowPainter.row

    def count(self: RowPainter, view: Viewport, row: RowState) -> Strip:
        painted.append(row.position)
        return paint(self, view, row)

    async with running(frame(5, start=10)) as (_, table, pilot):
        table.sort("label", descending=True)
        table.cursor = 2
        await pilot.pause()
        before = lines(table)
        monkeypatch.setattr(RowPainter, "row", count)
        table.append(frame(3, start=20))
        await pilot.pause()
        now = lines(table)
        assert [line for line in now if "task 1" in line] == [line for line in before if "task 1" in line]
        assert now[1:4] == [line.replace("▌", " ") for line in now[1:4]] and "task 22" in now[1]
        assert sorted(painted) == [0, 1, 2], "only the new rows"
        painted.clear()
        table.append(frame(1, start=11, word="changed task"))
        await pilot.pause()
        assert sum("changed task 11" in line for line in lines(table)) == 1
        assert not any(" task 11" in line and "changed" not in line for line in lines(table))


async def test_a_shorter_refresh_never_leaves_the_screen_empty() -> None:
    async with running(frame(200)) as (_, table, pilot):
        await pilot.press("G")
        table.replace(frame(3))
        await pilot.pause()
        assert table.cursor_key == "k2"
        assert line_of(table, "▌") == lines(table)[3]


# ---- filter and sort


async def test_a_wrong_filter_leaves_the_table_as_it_was() -> None:
    async with running(frame(9)) as (_, table, _pilot):
        table.set_filter("task -state:failed")
        before = lines(table)
        with pytest.raises(FilterSyntaxError):
            table.set_filter("runs>many")
        assert (table.filter_text, lines(table)) == ("task -state:failed", before)


async def test_number_keys_sort_by_what_is_visible_and_again_reverse() -> None:
    async with running(frame(9)) as (_, table, pilot):
        await pilot.press("3")
        assert table.sort_keys == (SortKey("runs", False),)
        assert "Runs▲" in lines(table)[0]
        await pilot.press("3")
        assert table.sort_keys == (SortKey("runs", True),)
        assert table.shown_rows["key"].to_list()[0] == "k8"
        assert "Runs▼" in lines(table)[0]
        await pilot.press("9")
        assert table.sort_keys == (SortKey("runs", True),)


async def test_several_sort_columns_are_numbered_in_the_header() -> None:
    async with running(frame(9), size=(100, 12)) as (_, table, _pilot):
        table.sort("state")
        table.sort("runs", descending=True, add=True)
        assert "State▲1" in lines(table)[0]
        assert "▼2" in lines(table)[0]
        assert table.shown_rows["key"].to_list()[:4] == ["k7", "k4", "k1", "k8"], "failed first"
        table.sort(None)
        assert table.shown_rows["key"].to_list() == table.frame["key"].to_list()


async def test_a_big_table_is_filtered_in_a_thread_and_only_the_newest_filter_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FrameTable, "INLINE_ROWS", 0)
    async with running(frame(30)) as (app, table, pilot):
        for text in ("t", "ta", "task 1", "task 12"):
            table.set_filter(text)
        assert table.busy
        await settled(app, pilot)
        await settled(app, pilot)
        assert table.shown_rows["label"].to_list() == ["task 12"]
        assert not table.busy
        table.set_filter("")
        assert (table.row_count, table.busy) == (30, False)


async def test_letters_of_a_filter_do_not_wait_for_its_rows_but_the_finished_filter_is_applied_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FrameTable, "TYPED_ROWS", 0)
    async with running(frame(30)) as (app, table, pilot):
        table.set_filter("task 1", typing=True)
        assert table.busy and table.row_count == 30
        table.set_filter("task 12")  # Enter: the next key acts on these rows
        assert table.shown_rows["label"].to_list() == ["task 12"]
        await settled(app, pilot)
        await settled(app, pilot)
        assert table.shown_rows["label"].to_list() == ["task 12"] and not table.busy


async def test_opening_the_filter_of_a_big_table_prepares_its_first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameTable, "TYPED_ROWS", 0)
    made: list[int] = []
    haystack = filters.search_text
    monkeypatch.setattr(
        filters, "search_text", lambda frame, schema: made.append(len(frame)) or haystack(frame, schema)
    )
    async with running(frame(30)) as (app, table, pilot):
        table.prepare_filter()
        await settled(app, pilot)
        assert made == [30]
        table.append(frame(5, start=30))
        table.set_filter("task 3")
        await settled(app, pilot)
        assert table.shown_rows["runs"].to_list() == [n * 1000 for n in (3, 13, 23, *range(30, 35))]
        assert made == [30, 5], "only the new rows were read again"


async def test_pages_that_arrive_while_a_thread_sorts_are_sorted_in_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameTable, "INLINE_ROWS", 0)
    async with running(frame(5, start=5)) as (app, table, pilot):
        table.sort("runs")
        table.append(frame(5))
        await settled(app, pilot)
        await settled(app, pilot)
        assert table.shown_rows["runs"].to_list() == sorted(table.frame["runs"].to_list())


async def test_a_fault_in_the_thread_does_not_stop_the_next_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameTable, "INLINE_ROWS", 0)
    compute = ViewRequest.compute

    def faulty(request: ViewRequest) -> ViewState:
        if str(request.filter) == "boom":
            raise RuntimeError("polars gave up")
        return compute(request)

    monkeypatch.setattr(ViewRequest, "compute", faulty)
    async with running(frame(5)) as (app, table, pilot):
        table.set_filter("boom")
        with pytest.raises(Exception, match="polars gave up"):
            await app.workers.wait_for_complete()
        await pilot.pause()
        assert (table.busy, table.row_count) == (False, 5)
        table.set_filter("task 3")
        await settled(app, pilot)
        assert table.row_count == 1


# ---- marks


async def test_marks_survive_filter_sort_refresh_and_say_what_they_lost() -> None:
    async with running(frame(9)) as (app, table, pilot):
        await pilot.press("space", "space")
        table.set_filter("task 5")
        await pilot.press("a")
        table.sort("runs", descending=True)
        assert table.marked_keys == {"k0", "k1", "k5"}
        assert table.marked_rows["key"].to_list() == ["k0", "k1", "k5"]
        table.replace(frame(8, start=1))
        await pilot.pause()
        assert table.marked_keys == {"k1", "k5"}
        assert app.last(FrameTable.MarksChanged) is not None


async def test_range_invert_and_unmark_work_on_what_is_shown() -> None:
    async with running(frame(9)) as (_, table, pilot):
        await pilot.press("v", "down", "down")
        assert [line[1] for line in lines(table)[1:6]] == ["┆", "┆", "┆", " ", " "]
        assert table.marked_count == 0
        await pilot.press("v")
        assert table.marked_keys == {"k0", "k1", "k2"}
        table.set_filter("-state:running")
        await pilot.press("i")
        assert table.marked_keys == {"k2", "k3", "k4", "k6", "k7"}
        await pilot.press("u")
        assert table.marked_count == 0


async def test_a_page_that_replaces_a_marked_row_keeps_the_mark_and_its_place() -> None:
    async with running(frame(4)) as (_, table, pilot):
        await pilot.press("down", "space")
        table.append(frame(1, start=1, word="renamed").vstack(frame(1, start=9)))
        assert table.frame["label"].to_list() == ["task 0", "renamed 1", "task 2", "task 3", "task 9"]
        assert table.marked_rows["label"].to_list() == ["renamed 1"]


# ---- columns


async def test_hidden_columns_come_and_go_and_the_last_one_stays() -> None:
    async with running(frame(2)) as (_, table, pilot):
        await pilot.press("minus")
        assert [column.name for column in table.visible_columns] == ["label", "runs"]
        await pilot.press("minus", "minus", "minus")
        assert [column.name for column in table.visible_columns] == ["runs"]
        await pilot.press("plus")
        assert "note 1" in lines(table)[2]


async def test_the_column_cursor_drives_sort_and_width_and_scrolls_into_sight() -> None:
    wide = frame(3, word="a label of some forty characters in all")
    async with running(wide, size=(28, 6)) as (_, table, pilot):
        assert "›" in lines(table)[0]
        assert "Runs" not in lines(table)[0]
        await pilot.press("right", "right")
        await pilot.pause()
        assert "Runs" in lines(table)[0]
        assert "✖" in lines(table)[2], "the first column is fixed"
        assert "2,000" in lines(table)[3]
        await pilot.press("s")
        assert table.sort_keys == (SortKey("runs", False),)
        await pilot.press("left", "left", "left")
        await pilot.pause()
        assert table.scroll_offset.x == 0 or "‹" in lines(table)[0]


# ---- opening, copying, the mouse


async def test_enter_opens_the_row() -> None:
    async with running(frame(9)) as (app, _table, pilot):
        await pilot.press("down", "enter")
        assert app.last(FrameTable.RowSelected).key == "k1"


async def test_the_mouse_moves_opens_marks_and_sorts() -> None:
    async with running(frame(9)) as (app, table, pilot):
        await pilot.click(table, offset=(20, 3))
        assert (table.cursor_key, app.last(FrameTable.RowSelected)) == ("k2", None)
        await pilot.click(table, offset=(20, 4), times=2)
        assert app.last(FrameTable.RowSelected).key == "k3"
        await pilot.click(table, offset=(1, 5))
        assert table.marked_keys == {"k4"}
        await pilot.click(table, offset=(26, 0))
        assert table.sort_keys == (SortKey("runs", False),)
        await pilot.click(table, offset=(5, 0), shift=True)
        assert table.sort_keys == (SortKey("runs", False), SortKey("state", False))
        await pilot.click(table, offset=(20, 11))
        assert table.cursor_key == "k4", "below the last row there is nothing to click"


async def test_content_may_be_given_before_the_table_is_on_the_screen() -> None:
    app = TableApp()
    app.table.replace(frame(5))
    app.table.sort("runs", descending=True)
    app.table.set_filter("-running")
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        assert "task 4" in lines(app.table)[1]
