"""How a filter and a sort become a list of row numbers: a pure calculation that a worker thread may do.

A `Question` is a snapshot and its `answer` touches nothing else, so it may be late, thrown away or never asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from backends.frames import filters
from backends.frames.filters import Filter
from backends.frames.schema import Schema

_MOST_CHUNKS = 32


class SortKey(NamedTuple):
    """One column of a sort, the first key first."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class Arrangement:
    """Which rows are shown, in order. All are Series of row numbers or as long as the frame; None means "all, as is".

    `view`: UInt32 row numbers of the shown rows. `order`: UInt32 row numbers of all rows, sorted. `hit`: Boolean, the
    rows that the filter keeps. `haystack`: String, what plain words were looked up in.
    """

    view: pl.Series | None = None
    order: pl.Series | None = None
    hit: pl.Series | None = None
    haystack: pl.Series | None = None


@dataclass(frozen=True)
class Question:
    """Filter and sort these rows. What is already known about them (`hit`, `order`, `haystack`) is not done again."""

    number: tuple[int, int]
    frame: pl.DataFrame
    schema: Schema
    wanted: Filter
    keys: tuple[SortKey, ...]
    hit: pl.Series | None = None
    order: pl.Series | None = None
    haystack: pl.Series | None = None

    @property
    def is_quick(self) -> bool:
        """Whether nothing is left to work out that grows with the frame by more than a millisecond a million rows."""
        return (self.wanted.is_empty or self.hit is not None) and (not self.keys or self.order is not None)

    def search_text(self) -> pl.Series:
        """What plain words are looked up in; 200 ms a million rows, so worth having before the first word is typed."""
        return filters.search_text(self.frame, self.schema) if self.haystack is None else self.haystack

    def answer(self) -> Arrangement:
        hit, haystack = self.hit, self.haystack
        if not self.wanted.is_empty and hit is None:
            haystack = self.search_text()
            hit = self.wanted.mask(self.frame, haystack)
        order = self.order
        if order is None and self.keys:
            names = {column.name: column.sort_by for column in self.schema if column.sort_by in self.frame.columns}
            keys = tuple(key._replace(column=names.get(key.column, key.column)) for key in self.keys)
            order = sorted_rows(self.frame, keys)
        if hit is None or self.wanted.is_empty:
            return Arrangement(order, order, None, haystack)
        view = hit.arg_true() if order is None else order.filter(hit.gather(order))
        return Arrangement(view, order, hit, haystack)


def sorted_rows(frame: pl.DataFrame, keys: tuple[SortKey, ...]) -> pl.Series:
    """Row numbers (UInt32) in sorted order. Stable; what is missing (null, NaN) comes last in either direction."""
    by = [
        pl.col(key.column).fill_nan(None) if frame.schema[key.column].is_float() else pl.col(key.column) for key in keys
    ]
    return frame.select(
        pl.arg_sort_by(by, descending=[key.descending for key in keys], nulls_last=True, maintain_order=True).alias("")
    ).to_series()


class Splice(NamedTuple):
    """Where the rows of a grown frame come from.

    Old rows from `low` to `high` become `middle`, then come the other old rows, then `fresh`; both hold row numbers
    of old rows followed by new ones. Without `middle` all old rows stay and all new ones follow.
    """

    low: int = 0
    high: int = 0
    middle: pl.Series | None = None
    fresh: pl.Series | None = None

    def frames(self, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        both = old.vstack(new) if old.schema == new.schema else pl.concat([old, new], how="diagonal_relaxed")
        if self.middle is not None and self.fresh is not None:
            rest = both.slice(self.high, len(old) - self.high)
            both = pl.concat([both.slice(0, self.low), both[self.middle], rest, both[self.fresh]], rechunk=False)
        # Every append adds chunks, and gathering from very many is slow; joining them seldom keeps appends cheap.
        return both.rechunk() if both.n_chunks() > _MOST_CHUNKS else both

    def series(self, old: pl.Series, new: pl.Series) -> pl.Series:
        """One column more that goes with the frame."""
        return self.frames(old.alias("").to_frame(), new.alias("").to_frame()).to_series()


def splice(old: pl.Series, new: pl.Series) -> Splice:
    """How rows with the keys `new` join rows with the keys `old`: a known key takes its old place, others follow."""
    known = old.is_in(new.implode()).fill_null(False)
    if not known.any():
        return Splice()
    rows = known.arg_true()
    # Rows that change together were listed together: only the stretch between them is copied, not the whole frame.
    low, high = int(rows[0]), int(rows[-1]) + 1
    replaced = old.gather(rows)
    sources = pl.DataFrame({"key": new, "source": pl.int_range(len(new), eager=True) + len(old)})
    moved = pl.DataFrame({"key": replaced}).join(sources, on="key", how="left", maintain_order="left")["source"]
    middle = pl.int_range(low, high, eager=True).scatter(rows - low, moved)
    fresh = (~new.is_in(replaced.implode()).fill_null(False)).arg_true().cast(pl.Int64) + len(old)
    return Splice(low, high, middle, fresh)


def last_of_each_key(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """`frame` without rows whose key comes again further down."""
    if frame[key].n_unique() == len(frame):
        return frame
    return frame.unique(subset=[key], keep="last", maintain_order=True)
