"""Which rows a table has, which of them it shows and which are marked; no drawing, no Textual.

Rows are numbered in the order of arrival (`row`); a `position` is a place in the shown list. Marks are one Boolean a
row, so that marking a million rows costs a few milliseconds and no Python strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from backends.frames import filters
from backends.frames.filters import Filter
from backends.frames.schema import Schema
from tui.widgets.frame_rows import Arrangement, Question, SortKey, last_of_each_key, splice


class FrameModel:
    """A frame that grows, a filter, a sort and a set of marks.

    Changing what is wanted (`replace`, `append`, `set_filter`, `set_sort`) does not change what is shown: whoever
    changed it asks `question()`, answers it (here or in a thread) and hands the answer to `adopt()`.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.frame: pl.DataFrame = schema.empty()
        self.marks: pl.Series = _falses(0)
        self.wanted = Filter()
        self.filter_text = ""
        self.keys: tuple[SortKey, ...] = ()
        self.view: pl.Series | None = None
        self.version = 0  # goes up whenever a position may show another row or another text
        self._number = 0  # goes up whenever answers to older questions no longer fit
        self._growth = 0  # goes up whenever such answers are still right, but for fewer rows
        self._hit: pl.Series | None = None
        self._order: pl.Series | None = None
        self._haystack: pl.Series | None = None

    # ---- what is wanted ----------------------------------------------------------------------------------------

    def replace(self, frame: pl.DataFrame) -> int:
        """Take `frame` for everything; marks stay with their keys. Returns how many marks had no row any more.

        Until the next `adopt` nothing is shown if a filter or a sort is wanted, so that nobody marks by mistake.
        """
        frame = last_of_each_key(frame, self.schema.key)
        before = self.marked_count
        keys = self._marked_series()
        self.frame = frame
        self.marks = self._keys().is_in(keys.implode()).fill_null(False) if before else _falses(len(frame))
        self._hit = self._order = self._haystack = None
        self.view = None if self.wanted.is_empty and not self.keys else pl.Series([], dtype=pl.UInt32)
        self._number += 1
        self.version += 1
        return before - self.marked_count

    def append(self, frame: pl.DataFrame) -> None:
        """More rows. A known key replaces its row in place and keeps its mark; the last of equal keys counts."""
        if frame.is_empty():
            return
        if self.frame.is_empty():
            self.replace(frame)
            return
        new = last_of_each_key(frame, self.schema.key)
        joint = splice(self._keys(), new[self.schema.key])
        if self._haystack is not None:
            fresh = filters.search_text(new, self.schema)
            self._haystack = joint.series(self._haystack, fresh)
            if self._hit is not None:
                self._hit = joint.series(self._hit, self.wanted.mask(new, fresh))
        self.frame = joint.frames(self.frame, new)
        # Only in places: a replaced row has its number still, so its mark needs no moving.
        self.marks = pl.concat([self.marks, _falses(len(self.frame) - len(self.marks))], rechunk=True)
        self._order = None
        self._growth += 1
        self.version += 1

    def set_filter(self, text: str) -> None:
        """Raises `FilterSyntaxError`, and then nothing has changed."""
        self.wanted = filters.parse(text, self.schema)
        self.filter_text = text
        self._hit = None
        self._number += 1

    def set_sort(self, keys: tuple[SortKey, ...]) -> None:
        """Raises KeyError if the frame lacks a column, and then nothing has changed."""
        for key in keys:
            if key.column not in self.frame.columns:
                raise KeyError(key.column)
        self.keys, self._order = keys, None
        self._number += 1

    # ---- working it out ----------------------------------------------------------------------------------------

    def question(self) -> Question:
        return Question(
            (self._number, self._growth),
            self.frame,
            self.schema,
            self.wanted,
            self.keys,
            self._hit,
            self._order,
            self._haystack,
        )

    def adopt(self, question: Question, answer: Arrangement) -> bool:
        """Show what `answer` says. False, and nothing done, if it answers a question that no longer stands.

        An answer for fewer rows than have come meanwhile is shown, else a long sorted listing would never show any;
        it is not kept, so the next question asks for all rows.
        """
        number, growth = question.number
        if number != self._number:
            return False
        self.view = answer.view
        if growth == self._growth:
            self._order, self._hit, self._haystack = answer.order, answer.hit, answer.haystack
        elif self.view is None:
            return False
        self.version += 1
        return True

    def keep_search_text(self, question: Question, haystack: pl.Series) -> None:
        """What `question.search_text()` was, if it is still that of the frame."""
        if question.frame is self.frame:
            self._haystack = haystack

    def settle(self) -> None:
        """Work it out now, here."""
        question = self.question()
        self.adopt(question, question.answer())

    # ---- what is shown -----------------------------------------------------------------------------------------

    @property
    def total_count(self) -> int:
        return len(self.frame)

    @property
    def row_count(self) -> int:
        return len(self.frame) if self.view is None else len(self.view)

    @property
    def shown(self) -> pl.DataFrame:
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
    def marked(self) -> pl.DataFrame:
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

    def mark_keys(self, keys: Sequence[str]) -> None:
        """Mark exactly the rows with these keys."""
        wanted = pl.Series(keys, dtype=pl.String)
        self.marks = self._keys().is_in(wanted.implode()).fill_null(False)

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
