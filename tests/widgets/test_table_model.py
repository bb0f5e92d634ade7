"""The table's rows against a model that a child could check: lists, sorted() and a set of keys."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from backends.frames.formats import state_rank
from backends.frames.schema import Column, Kind, Schema
from tui.widgets import row_merge, table_model
from tui.widgets.row_order import merge_rows, sort_rows
from tui.widgets.table_model import FrameModel, SortKey

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("label", Kind.TEXT, "Label"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("score", Kind.NUMBER, "Score"),
    ),
    "key",
)
NAMES = list(SCHEMA.polars())
Row = dict[str, Any]


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA.polars(), orient="row")


def update_view(model: FrameModel) -> None:
    request = model.view_request()
    model.apply(request, request.compute())


row_values = st.fixed_dictionaries(
    {
        "key": st.sampled_from([f"k{n}" for n in range(12)]),
        "state": st.sampled_from(["completed", "failed", "exception", "busted", "pending", "", None]),
        "label": st.sampled_from(["linux opt", "Linux DEBUG", "windows", "", None]),
        "runs": st.sampled_from([0, 1, 2, None]),
        "score": st.sampled_from([0.5, -1.0, 7.0, float("nan"), None]),
    }
)
batches = st.lists(row_values, max_size=8)
FILTERS = {
    "": lambda row: True,
    "linux": lambda row: "linux" in (row["label"] or "").lower(),
    "linux -state:failed": lambda row: "linux" in (row["label"] or "").lower() and row["state"] != "failed",
    "runs>0": lambda row: row["runs"] is not None and row["runs"] > 0,
    "nothing-has-this": lambda row: False,
}


def unique(rows: list[Row]) -> list[Row]:
    """The last row of each key, where that last one stood."""
    last = {row["key"]: number for number, row in enumerate(rows)}
    return [row for number, row in enumerate(rows) if last[row["key"]] == number]


def naive_sort(rows: list[Row], keys: tuple[SortKey, ...]) -> list[Row]:
    for column, descending in reversed(keys):
        missing = [row for row in rows if row[column] is None or row[column] != row[column]]
        present = [row for row in rows if not (row[column] is None or row[column] != row[column])]
        rows = sorted(present, key=lambda row: _urgency(row, column), reverse=descending) + missing
    return rows


def _urgency(row: Row, column: str) -> Any:
    """States are not sorted by their letters."""
    return (state_rank(row["state"]), row["state"]) if column == "state" else row[column]


def by_key(rows: list[Row]) -> list[tuple[str, str]]:
    """Comparable: NaN is not equal to itself."""
    return [(row["key"], repr([row[name] for name in NAMES])) for row in rows]


class TableRules(RuleBasedStateMachine):
    """Whatever is done in whatever order, the table shows and marks what the lists say."""

    def __init__(self) -> None:
        super().__init__()
        self.model = FrameModel(SCHEMA)
        self.rows: list[Row] = []
        self.marks: set[str] = set()
        self.text = ""
        self.keys: tuple[SortKey, ...] = ()

    @property
    def expected_rows(self) -> list[Row]:
        return naive_sort([row for row in self.rows if FILTERS[self.text](row)], self.keys)

    @rule(rows=batches)
    def replace(self, rows: list[Row]) -> None:
        self.model.replace(frame(rows))
        self.rows = unique(rows)
        self.marks &= {row["key"] for row in self.rows}
        update_view(self.model)

    @rule(rows=batches)
    def append(self, rows: list[Row]) -> None:
        self.model.append(frame(rows))
        new = {row["key"]: row for row in unique(rows)}
        self.rows = [new.pop(row["key"], row) for row in self.rows] + list(new.values())
        update_view(self.model)

    @rule(text=st.sampled_from(sorted(FILTERS)))
    def set_filter(self, text: str) -> None:
        self.text = text
        self.model.set_filter(text)
        update_view(self.model)

    @rule()
    def wrong_filter(self) -> None:
        with pytest.raises(FilterSyntaxError):
            self.model.set_filter("runs>many")

    @rule(
        keys=st.lists(
            st.tuples(st.sampled_from(["label", "runs", "score"]), st.booleans()),
            max_size=3,
            unique_by=lambda key: key[0],
        )
    )
    def sort(self, keys: list[tuple[str, bool]]) -> None:
        self.keys = tuple(SortKey(*key) for key in keys)
        self.model.set_sort(self.keys)
        update_view(self.model)

    @rule(position=st.integers(0, 20))
    def toggle(self, position: int) -> None:
        row = self.model.row_at(position)
        assert (row is None) == (position >= len(self.expected_rows))
        if row is not None:
            self.model.toggle(row)
            self.marks ^= {self.expected_rows[position]["key"]}

    @rule(first=st.integers(0, 20), last=st.integers(0, 20))
    def mark_range(self, first: int, last: int) -> None:
        if max(first, last) < len(self.expected_rows):
            self.model.mark_positions(first, last)
            self.marks |= {row["key"] for row in self.expected_rows[min(first, last) : max(first, last) + 1]}

    @rule()
    def mark_shown(self) -> None:
        self.model.mark_shown()
        self.marks |= {row["key"] for row in self.expected_rows}

    @rule()
    def invert(self) -> None:
        self.model.invert_shown()
        self.marks ^= {row["key"] for row in self.expected_rows}

    @rule()
    def unmark(self) -> None:
        self.model.unmark()
        self.marks = set()

    @invariant()
    def agrees(self) -> None:
        shown = self.expected_rows
        assert by_key(self.model.shown_rows.rows(named=True)) == by_key(shown)
        assert by_key(self.model.frame.rows(named=True)) == by_key(self.rows)
        assert (self.model.row_count, len(self.model.frame)) == (len(shown), len(self.rows))
        assert self.model.marked_keys == self.marks
        assert self.model.marked_count == len(self.marks)
        assert [key for key, _ in by_key(self.model.marked_rows.rows(named=True))] == [
            row["key"] for row in self.rows if row["key"] in self.marks
        ]
        assert self.model.values("key", 1, 3).to_list() == [row["key"] for row in shown[1:4]]
        for position, row in enumerate(shown):
            number = self.model.row_at(position)
            assert self.model.key_of(number) == row["key"]
            assert self.model.position_of(number) == position
            assert self.model.row_of_key(row["key"]) == number


TestTableRules = TableRules.TestCase


class GrowingTableRules(TableRules):
    """The same for tables so long that pages are merged into what is known, at each length."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(table_model, "_SHARE", 0)
        self.patch.setattr(row_merge, "_SHORT", 0)
        self.patch.setattr(row_merge, "_MAX_CHUNKS", 3)

    def teardown(self) -> None:
        self.patch.undo()


TestGrowingTableRules = GrowingTableRules.TestCase


class UnluckyTableRules(GrowingTableRules):
    """And if all keys had the same hash."""

    def __init__(self) -> None:
        super().__init__()
        self.patch.setattr(row_merge, "_HASH", 0)


TestUnluckyTableRules = UnluckyTableRules.TestCase


def rows(*labels: str, start: int = 0) -> list[Row]:
    return [
        {"key": f"k{n}", "state": "failed", "label": label, "runs": n, "score": None}
        for n, label in enumerate(labels, start)
    ]


def test_an_answer_to_an_older_filter_is_never_shown() -> None:
    model = FrameModel(SCHEMA)
    model.append(frame(rows("linux", "windows")))
    model.set_filter("linux")
    late = model.view_request()
    model.set_filter("windows")
    update_view(model)
    assert not model.apply(late, late.compute())
    assert model.shown_rows["label"].to_list() == ["windows"]


def test_a_sorted_listing_shows_rows_before_its_last_page_has_come() -> None:
    model = FrameModel(SCHEMA)
    model.set_sort((SortKey("runs", True),))
    model.append(frame(rows("a", "b")))
    late = model.view_request()
    model.append(frame(rows("c", start=2)))
    assert model.apply(late, late.compute())
    assert model.shown_rows["label"].to_list() == ["b", "a"]
    assert not model.view_request().is_quick
    update_view(model)
    assert model.shown_rows["label"].to_list() == ["c", "b", "a"]


def test_an_answer_for_fewer_rows_than_are_shown_takes_none_away() -> None:
    model = FrameModel(SCHEMA)
    model.set_sort((SortKey("runs", True),))
    model.append(frame(rows("a", "b")))
    late = model.view_request()
    model.append(frame(rows("c", start=2)))
    update_view(model)
    assert not model.apply(late, late.compute())
    assert model.shown_rows["label"].to_list() == ["c", "b", "a"]
    model.append(frame(rows("d", start=3)))
    update_view(model)
    assert model.shown_rows["label"].to_list() == ["d", "c", "b", "a"]


def test_mark_all_marks_only_what_the_user_sees_while_a_new_filter_is_worked_out() -> None:
    model = FrameModel(SCHEMA)
    model.append(frame(rows("linux", "windows")))
    model.set_filter("linux")
    update_view(model)
    model.set_filter("")
    model.mark_shown()
    assert model.marked_rows["label"].to_list() == ["linux"]


def test_marked_rows_to_be_written_come_as_they_are_sorted_and_the_hidden_ones_last() -> None:
    model = FrameModel(SCHEMA)
    model.append(frame(rows("linux 1", "windows 2", "linux 3", "linux 4")))
    model.mark_shown()
    assert model.marked_rows_as_shown["label"].to_list() == ["linux 1", "windows 2", "linux 3", "linux 4"]
    model.set_sort((SortKey("runs", True),))
    model.set_filter("linux")
    update_view(model)
    model.toggle(2)
    assert model.marked_rows_as_shown["label"].to_list() == ["linux 4", "linux 1", "windows 2"]


def test_nothing_can_be_marked_by_mistake_between_new_content_and_its_filter() -> None:
    model = FrameModel(SCHEMA)
    model.set_filter("linux")
    model.replace(frame(rows("linux", "windows")))
    model.mark_shown()
    assert model.marked_count == 0


def test_pages_after_the_first_are_filtered_without_looking_at_old_rows_again() -> None:
    model = FrameModel(SCHEMA)
    model.append(frame(rows("linux", "windows")))
    model.set_filter("linux")
    update_view(model)
    for page in range(2, 6):
        model.append(frame(rows("linux", start=page)))
        assert model.view_request().is_quick
        update_view(model)
    assert model.row_count == 5


def test_hundreds_of_pages_do_not_leave_hundreds_of_chunks() -> None:
    model = FrameModel(SCHEMA)
    for page in range(200):
        model.append(frame(rows("linux", start=page)))
    assert model.frame.n_chunks() <= 40
    assert len(model.frame) == 200


def test_sorting_by_a_column_that_is_not_there_changes_nothing() -> None:
    model = FrameModel(SCHEMA)
    model.set_sort((SortKey("runs"),))
    with pytest.raises(KeyError):
        model.set_sort((SortKey("nope"),))
    assert model.sort_keys == (SortKey("runs"),)


@given(old=batches, changes=st.data())
def test_rows_merged_into_sorted_ones_stand_where_sorting_all_anew_puts_them(old: list[Row], changes: Any) -> None:
    names = st.lists(st.sampled_from(["label", "state", "runs", "score"]), unique=True)
    keys = tuple(SortKey(name, changes.draw(st.booleans())) for name in changes.draw(names))
    replaced = sorted(changes.draw(st.sets(st.integers(0, len(old) - 1)))) if old else []
    new, rows = changes.draw(batches), list(old)
    for number in replaced:
        rows[number] = changes.draw(row_values)
    before, after = frame(old), frame([*rows, *new])
    removed = pl.Series(replaced, dtype=pl.UInt32)
    added = pl.Series([*replaced, *range(len(old), len(after))], dtype=pl.UInt32)
    states = frozenset(["state"] if changes.draw(st.booleans()) else [])
    order = sort_rows(before, keys, states) if keys else pl.int_range(len(old), dtype=pl.UInt32, eager=True)
    merged = merge_rows(order, before, after, keys, removed, added, states)
    assert merged.to_list() == (sort_rows(after, keys, states).to_list() if keys else list(range(len(after))))


def test_a_page_joins_a_long_sorted_and_filtered_list_without_sorting_or_searching_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = FrameModel(SCHEMA)
    model.set_sort((SortKey("label", True),))
    model.set_filter("linux")
    model.append(frame(rows(*(f"linux {n % 997}" for n in range(60_000)))))
    update_view(model)
    looked_at: list[int] = []
    searched, sort = filters.search_text, table_model.sort_rows
    monkeypatch.setattr(filters, "search_text", lambda one, of: looked_at.append(len(one)) or searched(one, of))
    monkeypatch.setattr(table_model, "sort_rows", lambda one, *more: looked_at.append(len(one)) or sort(one, *more))
    for page in range(3):
        model.append(frame(rows("linux 500", "windows", "linux zzz", start=59_999 + 2 * page)))
        assert model.view_request().is_quick
        update_view(model)
    assert looked_at == [3, 3, 3]
    kept = [row for row in model.frame.rows(named=True) if "linux" in row["label"]]
    assert model.shown_rows["key"].to_list() == [row["key"] for row in naive_sort(kept, (SortKey("label", True),))]


def test_rows_are_found_by_their_keys() -> None:
    model = FrameModel(SCHEMA)
    model.append(frame(rows("a", "b", "c")))
    assert sorted(model.rows_of_keys(["k2", "nobody", "k0"])) == [0, 2]
    assert FrameModel(SCHEMA).rows_of_keys(["k2"]) == []
