"""Which rows a table has, which of them it shows and which are marked; no drawing, no Textual.

Rows are numbered in the order of arrival (`row`); a `position` is a place in the shown list. Marks are one Boolean a
row, so that marking a million rows costs a few milliseconds and no Python strings. A `ViewRequest` is a snapshot whose
`compute` touches nothing else: it may run in a thread, come late or be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from backends.frames import filters
from backends.frames.filters import Filter
from backends.frames.schema import Schema

_MAX_CHUNKS = 32


class SortKey(NamedTuple):
    """One column of a sort, the first key first."""

    column: str
    descending: bool = False


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
class ViewRequest:
    """Filter and sort these rows; what is already known (`matches`, `order`, `search_text`) is not computed again."""

    version: tuple[int, int]
    frame: pl.DataFrame
    schema: Schema
    filter: Filter
    sort_keys: tuple[SortKey, ...]
    matches: pl.Series | None = None
    order: pl.Series | None = None
    search_text: pl.Series | None = None

    @property
    def is_quick(self) -> bool:
        """Whether nothing is left to compute that takes more than a millisecond for a million rows."""
        return (self.filter.is_empty or self.matches is not None) and (not self.sort_keys or self.order is not None)

    def build_search_text(self) -> pl.Series:
        """What plain words are looked up in: 200 ms for a million rows, so worth having before the first word."""
        return filters.search_text(self.frame, self.schema) if self.search_text is None else self.search_text

    def compute(self) -> ViewState:
        matches, search_text = self.matches, self.search_text
        if not self.filter.is_empty and matches is None:
            search_text = self.build_search_text()
            matches = self.filter.mask(self.frame, search_text)
        order = self.order
        if order is None and self.sort_keys:
            names = {column.name: column.sort_by for column in self.schema if column.sort_by in self.frame.columns}
            keys = tuple(key._replace(column=names.get(key.column, key.column)) for key in self.sort_keys)
            order = sort_rows(self.frame, keys)
        if matches is None or self.filter.is_empty:
            return ViewState(order, order, None, search_text)
        view = matches.arg_true() if order is None else order.filter(matches.gather(order))
        return ViewState(view, order, matches, search_text)


def sort_rows(frame: pl.DataFrame, keys: tuple[SortKey, ...]) -> pl.Series:
    """Row numbers (UInt32) in sorted order. Stable; what is missing (null, NaN) comes last in either direction."""
    by = [
        pl.col(key.column).fill_nan(None) if frame.schema[key.column].is_float() else pl.col(key.column) for key in keys
    ]
    return frame.select(
        pl.arg_sort_by(by, descending=[key.descending for key in keys], nulls_last=True, maintain_order=True).alias("")
    ).to_series()


class RowMerge(NamedTuple):
    """Where the rows of a grown frame come from.

    Old rows from `low` to `high` become `middle`, then come the other old rows, then `added`; both hold row numbers
    of old rows followed by new ones. Without `middle` all old rows stay and all new ones follow.
    """

    low: int = 0
    high: int = 0
    middle: pl.Series | None = None
    added: pl.Series | None = None

    def merge_frames(self, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        both = old.vstack(new) if old.schema == new.schema else pl.concat([old, new], how="diagonal_relaxed")
        if self.middle is not None and self.added is not None:
            rest = both.slice(self.high, len(old) - self.high)
            both = pl.concat([both.slice(0, self.low), both[self.middle], rest, both[self.added]], rechunk=False)
        # Every append adds chunks, and gathering from very many is slow; joining them seldom keeps appends cheap.
        return both.rechunk() if both.n_chunks() > _MAX_CHUNKS else both

    def merge_series(self, old: pl.Series, new: pl.Series) -> pl.Series:
        """One more column, merged as the frames are."""
        return self.merge_frames(old.alias("").to_frame(), new.alias("").to_frame()).to_series()


def plan_merge(old: pl.Series, new: pl.Series) -> RowMerge:
    """How rows with the keys `new` join rows with the keys `old`: a known key takes its old place, others follow."""
    known = old.is_in(new.implode()).fill_null(False)
    if not known.any():
        return RowMerge()
    rows = known.arg_true()
    # Rows that change together were listed together: only the stretch between them is copied, not the whole frame.
    low, high = int(rows[0]), int(rows[-1]) + 1
    replaced = old.gather(rows)
    sources = pl.DataFrame({"key": new, "source": pl.int_range(len(new), eager=True) + len(old)})
    moved = pl.DataFrame({"key": replaced}).join(sources, on="key", how="left", maintain_order="left")["source"]
    middle = pl.int_range(low, high, eager=True).scatter(rows - low, moved)
    added = (~new.is_in(replaced.implode()).fill_null(False)).arg_true().cast(pl.Int64) + len(old)
    return RowMerge(low, high, middle, added)


def keep_last_of_each_key(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """`frame` without rows whose key comes again further down."""
    if frame[key].n_unique() == len(frame):
        return frame
    return frame.unique(subset=[key], keep="last", maintain_order=True)


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
        self._number = 0  # goes up whenever results of older requests no longer fit
        self._growth = 0  # goes up whenever such results are still right, but for fewer rows
        self._matches: pl.Series | None = None
        self._order: pl.Series | None = None
        self._search_text: pl.Series | None = None

    # ---- content, filter, sort ---------------------------------------------------------------------------------

    def replace(self, frame: pl.DataFrame) -> None:
        """Take `frame` as the complete content; marks stay with their keys, those of missing rows are dropped.

        Until the next `apply` nothing is shown if there is a filter or a sort, so that nobody marks by mistake.
        """
        frame = keep_last_of_each_key(frame, self.schema.key)
        keys = self._marked_series() if self.marked_count else None
        self.frame = frame
        self.marks = self._keys().is_in(keys.implode()).fill_null(False) if keys is not None else _falses(len(frame))
        self._matches = self._order = self._search_text = None
        self.view = None if self.filter.is_empty and not self.sort_keys else pl.Series([], dtype=pl.UInt32)
        self._number += 1
        self.version += 1

    def append(self, frame: pl.DataFrame) -> None:
        """More rows. A known key replaces its row in place and keeps its mark; the last of equal keys counts."""
        if frame.is_empty():
            return
        if self.frame.is_empty():
            self.replace(frame)
            return
        new = keep_last_of_each_key(frame, self.schema.key)
        merge = plan_merge(self._keys(), new[self.schema.key])
        if self._search_text is not None:
            added = filters.search_text(new, self.schema)
            self._search_text = merge.merge_series(self._search_text, added)
            if self._matches is not None:
                self._matches = merge.merge_series(self._matches, self.filter.mask(new, added))
        self.frame = merge.merge_frames(self.frame, new)
        # A replaced row has its number still, so its mark needs no moving.
        self.marks = pl.concat([self.marks, _falses(len(self.frame) - len(self.marks))], rechunk=True)
        self._order = None
        self._growth += 1
        self.version += 1

    def set_filter(self, text: str) -> None:
        """Raises `FilterSyntaxError`, and then nothing has changed."""
        self.filter = filters.parse(text, self.schema)
        self.filter_text = text
        self._matches = None
        self._number += 1

    def set_sort(self, keys: tuple[SortKey, ...]) -> None:
        """Raises KeyError if the frame lacks a column, and then nothing has changed."""
        for key in keys:
            if key.column not in self.frame.columns:
                raise KeyError(key.column)
        self.sort_keys, self._order = keys, None
        self._number += 1

    # ---- what is shown -----------------------------------------------------------------------------------------

    def view_request(self) -> ViewRequest:
        return ViewRequest(
            (self._number, self._growth),
            self.frame,
            self.schema,
            self.filter,
            self.sort_keys,
            self._matches,
            self._order,
            self._search_text,
        )

    def apply(self, request: ViewRequest, state: ViewState) -> bool:
        """Show the rows of `state`. False, and nothing done, if the request is out of date.

        A result for fewer rows than have come meanwhile is shown, else a long sorted listing would never show any;
        it is not kept, so the next request computes all rows.
        """
        number, growth = request.version
        if number != self._number:
            return False
        self.view = state.view
        if growth == self._growth:
            self._order, self._matches, self._search_text = state.order, state.matches, state.search_text
        elif self.view is None:
            return False
        self.version += 1
        return True

    def keep_search_text(self, request: ViewRequest, search_text: pl.Series) -> None:
        """What `request.build_search_text()` gave, if it is still that of the frame."""
        if request.frame is self.frame:
            self._search_text = search_text

    @property
    def row_count(self) -> int:
        """How many rows are shown."""
        return len(self.frame) if self.view is None else len(self.view)

    @property
    def shown_rows(self) -> pl.DataFrame:
        """The rows that pass the filter, sorted."""
        return self.frame if self.view is None else self.frame[self.view]

    def window(self, start: int, count: int, columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of `count` shown rows from position `start`."""
        part = self.frame.select(columns)
        return part.slice(start, count) if self.view is None else part[self.view.slice(start, count)]

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

    def _shown_mask(self) -> pl.Series:
        """From the view, not from the filter: what is marked must be what the user sees, even while a filter runs."""
        if self.view is None:
            return ~_falses(len(self.frame))
        return _falses(len(self.frame)).scatter(self.view, True)


def _falses(count: int) -> pl.Series:
    return pl.repeat(False, count, dtype=pl.Boolean, eager=True)


def _first_true(mask: pl.Series) -> int | None:
    found = mask.arg_max() if len(mask) else None
    return int(found) if found is not None and mask[found] else None
