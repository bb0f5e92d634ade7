"""What a person would lose if filters, sorts, marks, columns or the mouse did not do what they say."""

from __future__ import annotations

import pytest

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from tests.widgets.table_app import TableApp, frame, lines, running, settled
from tui.widgets.table import FrameTable
from tui.widgets.table_model import SortKey, ViewRequest, ViewState

# ---- filter and sort


async def test_a_wrong_filter_leaves_the_table_as_it_was() -> None:
    async with running(frame(9)) as (_, table, _pilot):
        table.set_filter("task -state:failed")
        before = lines(table)
        with pytest.raises(FilterSyntaxError):
            table.set_filter("runs>many")
        assert (table.filter_text, lines(table)) == ("task -state:failed", before)


async def test_number_keys_sort_by_what_is_visible_and_again_reverse() -> None:
    async with running(frame(9)) as (app, table, pilot):
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
    async with running(frame(9)) as (_, table, _pilot):
        table.sort("state")
        table.sort("runs", descending=True, add=True)
        assert "State▲1" in lines(table)[0]
        assert "▼2" in lines(table)[0]
        assert table.shown_rows["key"].to_list()[:4] == ["k6", "k3", "k0", "k7"]
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


async def test_opening_the_filter_of_a_big_table_prepares_its_first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameTable, "INLINE_ROWS", 0)
    made: list[int] = []
    haystack = filters.haystack
    monkeypatch.setattr(filters, "haystack", lambda frame, schema: made.append(len(frame)) or haystack(frame, schema))
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
    async with running(wide, size=(36, 6)) as (_, table, pilot):
        assert "›" in lines(table)[0]
        assert "Runs" not in lines(table)[0]
        await pilot.press("right", "right")
        await pilot.pause()
        assert "Runs" in lines(table)[0]
        assert "State" in lines(table)[0], "the first column is fixed"
        assert "2,000" in lines(table)[3]
        await pilot.press("s")
        assert table.sort_keys == (SortKey("runs", False),)
        await pilot.press("left", "left", "left")
        await pilot.pause()
        assert table.scroll_offset.x == 0 or "‹" in lines(table)[0]


# ---- opening, copying, the mouse


async def test_enter_opens_the_row() -> None:
    async with running(frame(9)) as (app, table, pilot):
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
