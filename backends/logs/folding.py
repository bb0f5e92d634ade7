"""Which lines a folded log shows: what went wrong with its surroundings, the headings, the first and the last lines.

The numbers are those of Prow's Spyglass, which CI engineers know: five lines around a hit, and no fold of fewer than
five lines. Unlike there a log without any hit is not one single fold: its first and last lines show.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

CONTEXT = 5
SHORTEST_FOLD = 5
HEAD, TAIL = 5, 10


@dataclass(frozen=True)
class Row:
    """What one row of a folded log stands for: a line, or `hidden` lines from `line` on."""

    line: int
    hidden: int = 0


class Folding:
    """Rows of a folded log. A fold is one row; making it from 250,000 hits costs milliseconds, asking hardly any."""

    def __init__(self, starts: Sequence[int], ends: Sequence[int], lines: int) -> None:
        """`starts`, `ends`: the shown lines as half-open ranges, rising and apart from each other."""
        self._starts, self._ends, self._lines = starts, ends, lines
        self._rows: list[int] = []  # the row at which each range begins
        row, shown_to = 0, 0
        for start, end in zip(starts, ends, strict=True):
            row += start > shown_to
            self._rows.append(row)
            row += end - start
            shown_to = end
        self.row_count = row + (shown_to < lines)

    def at(self, row: int) -> Row:
        """Raises IndexError for a row that there is not."""
        if not 0 <= row < self.row_count:
            raise IndexError(row)
        number = bisect_right(self._rows, row) - 1
        if number < 0:
            return Row(0, self._starts[0] if self._starts else self._lines)
        line = self._starts[number] + row - self._rows[number]
        if line < self._ends[number]:
            return Row(line)
        following = self._starts[number + 1] if number + 1 < len(self._starts) else self._lines
        return Row(self._ends[number], following - self._ends[number])

    def row_of(self, line: int) -> int:
        """The row that shows the line, or the fold that hides it."""
        number = bisect_right(self._starts, line) - 1
        if number < 0:
            return 0
        return self._rows[number] + min(line, self._ends[number]) - self._starts[number]

    def hides(self, line: int) -> bool:
        return self.at(self.row_of(line)).hidden > 0 if 0 <= line < self._lines else False

    def opened(self, start: int, count: int) -> Folding:
        """The same with these lines shown."""
        ranges = [*zip(self._starts, self._ends, strict=True), (start, min(start + count, self._lines))]
        return _merged(sorted(ranges), self._lines)


def fold(hits: Iterable[int], headings: Iterable[int], lines: int) -> Folding:
    """Folds a log of so many lines. `hits` keep their surroundings, `headings` only themselves."""
    if not lines:
        return Folding([], [], 0)
    around = pl.Series(hits, dtype=pl.Int64).to_frame("line").select(start=pl.col("line") - CONTEXT,
                                                                     end=pl.col("line") + CONTEXT + 1)  # fmt: skip
    alone = pl.Series(headings, dtype=pl.Int64).to_frame("line").select(start="line", end=pl.col("line") + 1)
    ends = pl.DataFrame({"start": [0, lines - TAIL], "end": [HEAD, lines]})
    ranges = pl.concat([around, alone, ends]).select(pl.all().clip(0, lines)).filter(pl.col("start") < pl.col("end"))
    ranges = ranges.sort("start").with_columns(reach=pl.col("end").cum_max())
    # A range begins a new one if what was shown before ends so far away that a fold between them is worth its row.
    apart = (pl.col("start") - pl.col("reach").shift(1, fill_value=-lines) >= SHORTEST_FOLD).cum_sum()
    ranges = ranges.group_by(apart.alias("group"), maintain_order=True).agg(
        pl.col("start").min(), pl.col("reach").max()
    )
    starts, reaches = ranges["start"].to_list(), ranges["reach"].to_list()
    if starts and starts[0] < SHORTEST_FOLD:
        starts[0] = 0
    return Folding(starts, reaches, lines)


def _merged(ranges: Sequence[tuple[int, int]], lines: int) -> Folding:
    starts: list[int] = []
    ends: list[int] = []
    for start, end in ranges:
        if ends and start - ends[-1] < SHORTEST_FOLD:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    if ends and lines - ends[-1] < SHORTEST_FOLD:
        ends[-1] = lines
    return Folding(starts, ends, lines)
