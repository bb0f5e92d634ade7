"""Which rows a table has, which of them it shows and which are marked; no drawing, no Textual.

Rows are numbered in the order of arrival (`row`); a `position` is a place in the shown list. Marks are one Boolean a
row, so that marking a million rows costs a few milliseconds and no Python strings. A `ViewRequest` is a snapshot whose
`compute` touches nothing else: it may run in a thread, come late or be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import polars as pl

from backends.frames import filters
from backends.frames.filters import Filter
from backends.frames.schema import Kind, Schema
from tui.widgets.row_merge import KeyIndex, join_small_chunks, keep_last_of_each_key, plan_merge
from tui.widgets.row_order import SortKey as SortKey
from tui.widgets.row_order import merge_rows, sort_rows

Values = TypeVar("Values", pl.Series, pl.DataFrame)
_FEW = 20_000  # rows that may have changed for the rest not to be sorted and filtered again
_SHARE = 50  # and only if the table has so many times as many: a shorter one is sorted as fast


@dataclass(frozen=True)
class ViewState:
    """Which rows are shown, in order. All are Series of row numbers or as long as the frame; None means "all, as is".

    `view`: UInt32 row numbers of the shown rows. `order`: UInt32 row numbers of all rows, sorted. `matches`: Boolean,
    the rows that the filter keeps. `search_text`: String, what plain words are looked up in.
    """

    view: pl.Series | None = None
    order: pl.Series | None = None
    matches: pl.Series | None = None
    search_text: pl.Series | None = None


@dataclass(frozen=True)
class MarkedRows:
    """Which rows were marked: one Boolean a row, with the rows' keys; `content`: which content the rows were of."""

    marks: pl.Series
    keys: pl.Series
    content: int


@dataclass(frozen=True)
class KnownView:
    """What was computed for an earlier `frame` of the same list, and which of its rows have changed since."""

    frame: pl.DataFrame
    state: ViewState
    replaced: pl.Series

    def changed_rows(self, count: int) -> pl.Series:
        """Numbers of the rows, now `count`, that the state does not know as they are, ascending."""
        added = pl.int_range(len(self.frame), count, dtype=pl.UInt32, eager=True)
        return pl.concat([self.replaced, added], rechunk=True)

    def pick_changed(self, values: Values) -> Values:
        """Of a grown frame, or of a column of it."""
        added = values.slice(len(self.frame))
        return added if self.replaced.is_empty() else pl.concat([values[self.replaced], added])

    def update(self, values: pl.Series, changed: pl.Series) -> pl.Series:
        """`values`, one a row of the old frame, brought up to date with those of the `changed_rows`."""
        if len(self.replaced):
            values = values.clone().scatter(self.replaced, changed.head(len(self.replaced)))
        both = pl.concat([values, changed.slice(len(self.replaced))], rechunk=False)
        return join_small_chunks(both.to_frame()).to_series()


@dataclass(frozen=True)
class ViewRequest:
    """Filter and sort these rows; what is already `known` is not computed again."""

    version: tuple[int, int]
    frame: pl.DataFrame
    schema: Schema
    filter: Filter
    sort_keys: tuple[SortKey, ...]
    known: KnownView | None = None

    @property
    def is_quick(self) -> bool:
        """Whether nothing is left to compute that takes more than a few milliseconds for a million rows."""
        known = self.known
        state = known.state if known is not None else ViewState()
        if known is not None and len(self.frame) - len(known.frame) + len(known.replaced) > _FEW:
            return self.filter.is_empty and not self.sort_keys
        if self.sort_keys and (known is None or state.order is None or not self._can_merge_order(known)):
            return False
        return self.filter.is_empty or state.matches is not None

    @property
    def has_search_text(self) -> bool:
        """Whether `build_search_text` only has to look at new rows."""
        return self.known is not None and self.known.state.search_text is not None

    def build_search_text(self) -> pl.Series:
        """What plain words are looked up in: 200 ms for a million rows, so worth having before the first word."""
        known = self.known
        if known is None or known.state.search_text is None:
            return filters.search_text(self.frame, self.schema)
        if known.frame is self.frame:
            return known.state.search_text
        return known.update(known.state.search_text, filters.search_text(known.pick_changed(self.frame), self.schema))

    def compute(self) -> ViewState:
        matches, search_text = self._find_matches()
        order = self._sort() if self.sort_keys else None
        if matches is None:
            return ViewState(order, order, None, search_text)
        return ViewState(self._show_matches(matches, order), order, matches, search_text)

    def _find_matches(self) -> tuple[pl.Series | None, pl.Series | None]:
        """The rows that the filter keeps, None for all, and the search text as far as it is needed or known."""
        known = self.known
        if self.filter.is_empty:
            return None, self.build_search_text() if self.has_search_text else None
        search_text = self.build_search_text()
        if known is None or known.state.matches is None:
            return self.filter.mask(self.frame, search_text), search_text
        if known.frame is self.frame:
            return known.state.matches, search_text
        changed = self.filter.mask(known.pick_changed(self.frame), known.pick_changed(search_text))
        return known.update(known.state.matches, changed), search_text

    @property
    def _columns_sorted_by(self) -> tuple[SortKey, ...]:
        names = {column.name: column.sort_by for column in self.schema if column.sort_by in self.frame.columns}
        return tuple(key._replace(column=names.get(key.column, key.column)) for key in self.sort_keys)

    @property
    def _states(self) -> frozenset[str]:
        return frozenset(column.name for column in self.schema if column.kind is Kind.STATE)

    def _can_merge_order(self, known: KnownView) -> bool:
        names = [key.column for key in self._columns_sorted_by]
        before, now = known.frame.schema, self.frame.schema
        return (
            all(before.get(name) == now[name] and not now[name].is_nested() for name in names)
            and (len(self.frame) - len(known.frame) + len(known.replaced)) * _SHARE <= len(known.frame)
        )  # fmt: skip

    def _sort(self) -> pl.Series:
        known, keys = self.known, self._columns_sorted_by
        if known is None or known.state.order is None or not self._can_merge_order(known):
            return sort_rows(self.frame, keys, self._states)
        changed = known.changed_rows(len(self.frame))
        if changed.is_empty():
            return known.state.order
        return merge_rows(known.state.order, known.frame, self.frame, keys, known.replaced, changed, self._states)

    def _show_matches(self, matches: pl.Series, order: pl.Series | None) -> pl.Series:
        known = self.known
        if order is not None:
            return order.filter(matches[order])
        if known is None or known.state.view is None or known.state.matches is None or len(known.replaced):
            return matches.arg_true()
        count = len(known.frame)
        return pl.concat([known.state.view, matches.slice(count).arg_true() + count], rechunk=True)


class FrameModel:
    """A frame that grows, a filter, a sort and a set of marks.

    Changing the content, filter or sort (`replace`, `append`, `set_filter`, `set_sort`) does not change what is shown:
    the caller takes a `view_request()`, computes it (here or in a thread) and hands the result to `apply()`.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.frame: pl.DataFrame = schema.empty()
        self.marks: pl.Series = _falses(0)
        self.filter = Filter()
        self.filter_text = ""
        self.sort_keys: tuple[SortKey, ...] = ()
        self.view: pl.Series | None = None
        self.version = 0  # goes up whenever a position may show another row or another text
        self.rows_version = 0  # goes up whenever a row number may stand for other values
        self._number = 0  # goes up whenever results of older requests no longer fit
        self._growth = 0  # goes up whenever such results are still right, but for fewer rows
        self._shown_growth = 0  # of what is shown: results for fewer rows come too late
        self._known: tuple[pl.DataFrame, ViewState] | None = None
        self._replaced: list[tuple[int, pl.Series]] = []  # growth, numbers of the rows that it changed in place
        self._index = KeyIndex()
        self._content = 0  # goes up whenever rows may have other numbers

    # ---- content, filter, sort ---------------------------------------------------------------------------------

    def replace(self, frame: pl.DataFrame) -> None:
        """Take `frame` as the complete content; marks stay with their keys, those of missing rows are dropped.

        Until the next `apply` nothing is shown if there is a filter or a sort, so that nobody marks by mistake.
        """
        frame = keep_last_of_each_key(frame, self.schema.key)
        keys = self._marked_series() if self.marked_count else None
        self.frame = frame
        self.marks = self._keys().is_in(keys.implode()).fill_null(False) if keys is not None else _falses(len(frame))
        self._known, self._replaced, self._index = None, [], KeyIndex()
        self.view = None if self.filter.is_empty and not self.sort_keys else pl.Series([], dtype=pl.UInt32)
        self._number += 1
        self._content += 1
        self.version += 1
        self.rows_version += 1

    def append(self, frame: pl.DataFrame) -> None:
        """More rows. A known key replaces its row in place and keeps its mark; the last of equal keys counts."""
        if frame.is_empty():
            return
        if self.frame.is_empty():
            self.replace(frame)
            return
        new = keep_last_of_each_key(frame, self.schema.key)
        merge = plan_merge(len(self.frame), len(new), self._index.find(new[self.schema.key], self._keys()))
        self._growth += 1
        self.frame = merge.merge_frames(self.frame, new)
        if len(merge.replaced):
            self._replaced.append((self._growth, merge.replaced))
            self.rows_version += 1
        # A replaced row has its number still, so its mark needs no moving.
        self.marks = pl.concat([self.marks, _falses(len(self.frame) - len(self.marks))], rechunk=True)
        self.version += 1

    def set_filter(self, text: str, typing: bool = False) -> None:
        """Raises `FilterSyntaxError`, and then nothing has changed. `typing`: the text may go on (`filters.parse`)."""
        self.filter = filters.parse(text, self.schema, typing=typing)
        self.filter_text = text
        self._forget(matches=None, view=None)

    def set_sort(self, keys: tuple[SortKey, ...]) -> None:
        """Raises KeyError if the frame lacks a column, and then nothing has changed."""
        for key in keys:
            if key.column not in self.frame.columns:
                raise KeyError(key.column)
        self.sort_keys = keys
        self._forget(order=None, view=None)

    def _forget(self, **parts: None) -> None:
        """These parts of what is known were for another filter or sort."""
        if self._known is not None:
            self._known = self._known[0], replace(self._known[1], **parts)
        self._number += 1

    # ---- what is shown -----------------------------------------------------------------------------------------

    def view_request(self) -> ViewRequest:
        known = None
        if self._known is not None:
            rows = [rows for _, rows in self._replaced]
            replaced = pl.concat(rows).unique().sort() if rows else pl.Series([], dtype=pl.UInt32)
            frame, state = self._known
            known = KnownView(frame, state, replaced.filter(replaced < len(frame)))
        return ViewRequest(
            (self._number, self._growth), self.frame, self.schema, self.filter, self.sort_keys, known
        )  # fmt: skip

    def apply(self, request: ViewRequest, state: ViewState) -> bool:
        """Show the rows of `state`. False, and nothing done, if the request is out of date.

        A result for fewer rows than have come meanwhile is shown, else a long sorted listing would never show any;
        the next request computes what it lacks.
        """
        number, growth = request.version
        if number != self._number or growth < self._shown_growth:
            return False
        self._shown_growth = growth
        self._keep(request, state)
        if growth != self._growth and state.view is None:
            return False
        self.view = state.view
        self.version += 1
        return True

    def _keep(self, request: ViewRequest, state: ViewState) -> None:
        self._known = request.frame, state
        self._replaced = [one for one in self._replaced if one[0] > request.version[1]]

    def keep_search_text(self, request: ViewRequest, search_text: pl.Series) -> None:
        """What `request.build_search_text()` gave, if it is still that of the frame."""
        if request.frame is not self.frame:
            return
        known = self.view_request().known
        if known is None or known.frame is self.frame:
            state = known.state if known is not None else ViewState()
            self._keep(request, replace(state, search_text=search_text))

    @property
    def row_count(self) -> int:
        """How many rows are shown."""
        return len(self.frame) if self.view is None else len(self.view)

    @property
    def shown_rows(self) -> pl.DataFrame:
        """The rows that pass the filter, sorted."""
        return self.frame if self.view is None else self.frame[self.view]

    def values(self, column: str, start: int, count: int) -> pl.Series:
        """The cells of a column in `count` shown rows from position `start`.

        A selection of columns would wait for a thread of polars, and a filter that is computed meanwhile may have all.
        """
        series = self.frame.get_column(column)
        return series.slice(start, count) if self.view is None else series[self.view.slice(start, count)]

    def row_at(self, position: int) -> int | None:
        """The row number at a position, None where there is none."""
        if not 0 <= position < self.row_count:
            return None
        return position if self.view is None else int(self.view[position])

    def position_of(self, row: int | None) -> int | None:
        """Where a row is shown, None if it is not."""
        if row is None or not 0 <= row < len(self.frame):
            return None
        return row if self.view is None else _first_true(self.view == row)

    def row_of_key(self, key: str | None) -> int | None:
        return None if key is None else _first_true(self._keys() == key)

    def rows_of_keys(self, keys: Sequence[str]) -> list[int]:
        """The numbers of the rows that have one of these keys."""
        wanted = pl.Series(keys, dtype=self.schema.polars()[self.schema.key])
        found: list[int] = self._index.find(wanted, self._keys())["row"].to_list()
        return found

    def key_of(self, row: int | None) -> str | None:
        return None if row is None or not 0 <= row < len(self.frame) else self._keys()[row]

    def row(self, row: int | None) -> dict[str, Any] | None:
        return None if row is None else self.frame.row(row, named=True)

    def _keys(self) -> pl.Series:
        return self.frame[self.schema.key]

    # ---- marks -------------------------------------------------------------------------------------------------

    @property
    def marked_count(self) -> int:
        return int(self.marks.sum())

    @property
    def marked_rows(self) -> pl.DataFrame:
        """All marked rows in order of arrival, whether they pass the filter or not."""
        return self.frame.filter(self.marks)

    @property
    def marked_rows_as_shown(self) -> pl.DataFrame:
        """The marked rows in the order to write them in: those shown as sorted, then the hidden as they came."""
        if self.view is None:
            return self.marked_rows
        hidden = self.frame.filter(self.marks & ~self._shown_mask())
        return pl.concat([self.frame[self.view.filter(self.marks[self.view])], hidden])

    @property
    def marked_keys(self) -> set[str]:
        return set(self._marked_series().to_list())

    def _marked_series(self) -> pl.Series:
        return self._keys().filter(self.marks)

    def is_marked(self, row: int) -> bool:
        return bool(self.marks[row])

    def toggle(self, row: int) -> None:
        self.marks.scatter(row, not self.marks[row])

    def mark_positions(self, first: int, last: int) -> None:
        """Mark the shown rows between two positions, both included, in either order."""
        first, last = min(first, last), max(first, last)
        rows = pl.int_range(first, last + 1, dtype=pl.UInt32, eager=True)
        self.marks.scatter(rows if self.view is None else self.view.slice(first, last - first + 1), True)

    def mark_shown(self) -> None:
        self.marks = self.marks | self._shown_mask()

    def invert_shown(self) -> None:
        self.marks = self.marks ^ self._shown_mask()

    def unmark(self) -> None:
        self.marks = _falses(len(self.frame))

    def remember_marks(self) -> MarkedRows:
        """They cost one bit a row."""
        return MarkedRows(self.marks.clone(), self._keys(), self._content)

    def restore_marks(self, before: MarkedRows) -> None:
        """As they were; rows that have come since are not marked."""
        if before.content == self._content:
            self.marks = pl.concat([before.marks, _falses(len(self.frame) - len(before.marks))], rechunk=True)
        else:
            keys = before.keys.filter(before.marks)
            self.marks = self._keys().is_in(keys.implode()).fill_null(False) if len(keys) else _falses(len(self.frame))

    def _shown_mask(self) -> pl.Series:
        """From the view, not from the filter: what is marked must be what the user sees, even while a filter runs."""
        if self.view is None:
            return ~_falses(len(self.frame))
        return _falses(len(self.frame)).scatter(self.view, True)


def _falses(count: int) -> pl.Series:
    return pl.Series([False]).new_from_index(0, count)


def _first_true(mask: pl.Series) -> int | None:
    found = mask.arg_max() if len(mask) else None
    return int(found) if found is not None and mask[found] else None
