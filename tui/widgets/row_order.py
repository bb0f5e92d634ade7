"""Sorted row numbers, and how some rows more join them without sorting all anew.

Rows are numbers (UInt32) of a frame. Equal rows stand in the order of their numbers; what is missing (null, NaN) comes
last in either direction. States are sorted by urgency: what failed first, what has not begun last.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import polars as pl

from backends.frames.formats import state_rank
from backends.frames.schema import Column, Kind, Schema

_LETTERS = 7  # bytes of a state's name that tell it from others of its rank: with the rank they fill a UInt64


class SortKey(NamedTuple):
    """One column of a sort, the first key first."""

    column: str
    descending: bool = False


@lru_cache(maxsize=4096)
def _state_number(state: str) -> int:
    name = state.encode("utf-8", "surrogatepass")[:_LETTERS].ljust(_LETTERS, b"\0")
    return int.from_bytes(bytes([state_rank(state)]) + name, "big")


def number_states(states: pl.Series) -> pl.Series:
    """Numbers (UInt64) that sort as the states do by urgency, those of the same one by their names; null stays."""
    found = states.drop_nulls().unique().to_list()
    if not found:
        return pl.repeat(None, len(states), dtype=pl.UInt64, eager=True).rename(states.name)
    return states.replace_strict(found, [_state_number(state) for state in found], return_dtype=pl.UInt64)


def describe_order(keys: tuple[SortKey, ...], schema: Schema) -> str:
    """ "failed first, longest first": a sort in words; "" for one by columns that nobody sees."""
    return ", ".join(_describe_key(schema[key.column], key.descending) for key in keys if key.column in schema.names
                     and not schema[key.column].hidden)  # fmt: skip


def _describe_key(column: Column, descending: bool) -> str:
    words = {
        Kind.STATE: ("worst first", "worst last"),
        Kind.DURATION: ("shortest first", "longest first"),
        Kind.BYTES: ("smallest first", "largest first"),
        Kind.TIME: ("oldest first", "newest first"),
    }
    if column.kind is Kind.STATE and column.name in ("state", "result"):
        return "failed last" if descending else "failed first"
    if column.kind in words:
        return words[column.kind][descending]
    return f"by {column.label}{', descending' * descending}"


def sort_rows(frame: pl.DataFrame, keys: tuple[SortKey, ...], states: frozenset[str] = frozenset()) -> pl.Series:
    """The numbers of all rows, sorted; `states`: the columns that are sorted by urgency."""
    values = pl.DataFrame([_comparable(frame[key.column], key.column in states) for key in keys])
    descending = [key.descending for key in keys]
    order = pl.arg_sort_by(values.columns, descending=descending, nulls_last=True, maintain_order=True)
    return values.select(order.alias("")).to_series()


def merge_rows(
    rows: pl.Series,
    frame: pl.DataFrame,
    grown: pl.DataFrame,
    keys: tuple[SortKey, ...],
    removed: pl.Series,
    added: pl.Series,
    states: frozenset[str] = frozenset(),
) -> pl.Series:
    """`rows`, sorted numbers of `frame`, without `removed` and with `added`, ascending numbers of `grown`; sorted.

    Costs what the two are long, and one copy of the numbers. A row that has changed is in both.
    """
    if keys:
        added = added.gather(sort_rows(grown[added], keys, states))
    gaps = _count_before(rows, frame, grown[added], added, keys, states).to_list()
    holes = _count_before(rows, frame, frame[removed], removed, keys, states).sort().to_list()
    pieces: list[pl.Series] = []
    start = taken = 0  # of `rows` and of `added`: what is in the pieces already
    for end, is_hole in sorted([*((gap, False) for gap in set(gaps)), *((hole, True) for hole in holes)]):
        pieces.append(rows.slice(start, end - start))
        start = end + is_hole
        if not is_hole:
            upto = taken
            while upto < len(gaps) and gaps[upto] == end:
                upto += 1
            pieces.append(added.slice(taken, upto - taken))
            taken = upto
    return pl.concat([*pieces, rows.slice(start)], rechunk=True)


def _count_before(
    rows: pl.Series,
    frame: pl.DataFrame,
    wanted: pl.DataFrame,
    numbers: pl.Series,
    keys: tuple[SortKey, ...],
    states: frozenset[str],
) -> pl.Series:
    """How many of `rows` come before each row of `wanted`, whose numbers are `numbers`.

    A binary search for all at once, in steps of a power of two. Only methods of Series that call no expression: the
    others take a tenth of a millisecond each, thirty times as long.
    """
    comparisons = [
        _Comparison(frame[key.column], wanted[key.column], key.descending, key.column in states) for key in keys
    ]
    count = pl.repeat(0, len(numbers), dtype=pl.UInt32, eager=True)
    if numbers.is_empty():
        return count
    first = count + 1
    for power in reversed(range(len(rows).bit_length())):
        more = count + 2**power
        is_there = more <= len(rows)
        there = rows[more.zip_with(is_there, first) - 1]
        is_before = there < numbers
        for comparison in reversed(comparisons):
            is_before = comparison.combine(there, is_before)
        count = more.zip_with(is_there & is_before, count)
    return count


class _Comparison:
    """One key of a sort: which rows of a frame come before wanted ones that they are compared with, one by one."""

    def __init__(self, values: pl.Series, wanted: pl.Series, descending: bool, is_state: bool) -> None:
        self._values = values
        self._descending = descending
        self._is_state = is_state
        self._wanted = _comparable(wanted, is_state)
        self._present = self._wanted.is_not_null()

    def combine(self, rows: pl.Series, later: pl.Series) -> pl.Series:
        """Whether each of `rows` comes before its wanted one; `later`: the same by what counts after this key."""
        values, wanted = _comparable(self._values[rows], self._is_state), self._wanted
        before, equal = values > wanted if self._descending else values < wanted, values == wanted
        if values.null_count() or wanted.null_count():
            present = values.is_not_null()
            both = present & self._present
            before = (before & both) | (present & ~self._present)
            equal = (equal & both) | ~(present | self._present)
        return before | (equal & later)


def _comparable(values: pl.Series, is_state: bool) -> pl.Series:
    """States as numbers; NaN as null, looked for with the sum, which is NaN too."""
    if is_state and values.dtype == pl.String:
        return number_states(values)
    return values.fill_nan(None) if values.dtype.is_float() and values.sum() != values.sum() else values
