"""Which columns a table draws, how wide, and where on the line they stand."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import polars as pl
from rich.cells import cell_len

from backends.frames.formats import format_series, safe_text
from backends.frames.schema import Column, Kind, Schema

GUTTER = 3  # cursor sign, mark, one free cell
GAP = 2
WIDEST = 48  # cells a column gets before it is known that there is room left
NARROWEST = 3
READABLE = 32  # a text column is not made narrower than this only to let the others in
SAMPLE = 128  # rows measured at either end of what arrives; the rest seldom differs and can be widened
_TYPICAL = {Kind.BYTES: 7, Kind.TIME: 19}  # "99.9 MB" is wider than the largest size may be


@dataclass(frozen=True)
class Slot:
    """A column on the line: `start` counts cells from the left end of the unscrolled line."""

    column: Column
    start: int
    width: int

    @property
    def end(self) -> int:
        return self.start + self.width

    @property
    def right(self) -> bool:
        """Whether its cells are flush right, so that digits of the same weight stand below each other."""
        return self.column.is_numeric


@dataclass(frozen=True)
class Layout:
    """Where everything is. The first `fixed` cells stay when the rest scrolls sideways."""

    slots: tuple[Slot, ...]
    fixed: int
    width: int

    def slot_at(self, x: int) -> int | None:
        """The number of the slot at cell `x` of the unscrolled line; a gap belongs to the slot before it."""
        if x < GUTTER or not self.slots:
            return None
        return bisect_right([slot.start for slot in self.slots], x) - 1


def header_label(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit and column.kind is Kind.NUMBER else ""
    return safe_text(column.label + unit, 64)


class Columns:
    """The widths that the content wants, what the user changed, and the column under the cursor."""

    def __init__(self, schema: Schema, fixed: int) -> None:
        self.schema = schema
        self.hidden = {column.name for column in schema if column.hidden}
        self.version = 0
        self.focused = 0
        self._fixed = fixed
        self._wanted: dict[str, int] = {}
        self._chosen: dict[str, int] = {}
        self._layout: tuple[tuple[int, int], Layout] | None = None

    @property
    def visible(self) -> tuple[Column, ...]:
        return tuple(column for column in self.schema if column.name not in self.hidden)

    @property
    def focused_column(self) -> Column | None:
        visible = self.visible
        return visible[min(self.focused, len(visible) - 1)] if visible else None

    def focus(self, index: int) -> None:
        self.focused = max(0, min(index, len(self.visible) - 1))

    def hide(self, name: str) -> bool:
        """False if there is no such column, or no other: a table without columns shows nothing to undo it by."""
        if name in self.hidden or name not in self.schema or len(self.visible) == 1:
            return False
        self.hidden.add(name)
        self._changed()
        self.focus(self.focused)
        return True

    def show(self, *names: str) -> None:
        """Show these columns, or all of them."""
        focused = self.focused_column
        self.hidden -= set(names or self.schema.names)
        self._changed()
        if focused is not None:
            self.focus(self.visible.index(focused))

    def widen(self, name: str, by: int, viewport: int) -> None:
        drawn = {slot.column.name: slot.width for slot in self.place(viewport).slots}
        if name in drawn:
            self._chosen[name] = max(NARROWEST, min(drawn[name] + by, max(viewport, WIDEST)))
            self._changed()

    def forget(self) -> None:
        self._wanted.clear()
        self._changed()

    def observe(self, frame: pl.DataFrame) -> None:
        """Let the columns grow to what these rows need. Never shrinks: rows arriving must not make columns dance."""
        if frame.is_empty():
            return
        ends = frame if len(frame) <= 2 * SAMPLE else pl.concat([frame.head(SAMPLE), frame.tail(SAMPLE // 4)])
        grown = {
            column.name: max(self._wanted.get(column.name, 0), _needed(frame, ends, column)) for column in self.visible
        }
        if any(self._wanted.get(name) != width for name, width in grown.items()):
            self._wanted |= grown
            self._changed()

    def place(self, viewport: int) -> Layout:
        """The layout for so many cells; the same object until something changes."""
        key = (viewport, self.version)
        if self._layout is None or self._layout[0] != key:
            self._layout = key, self._placed(viewport)
        return self._layout[1]

    def _placed(self, viewport: int) -> Layout:
        visible = self.visible
        widths = self._widths(visible, viewport)
        slots, x = [], GUTTER
        for column in visible:
            slots.append(Slot(column, x, widths[column.name]))
            x += widths[column.name] + GAP
        total = max(x - GAP, 0)
        fixed = slots[self._fixed - 1].end + GAP if 0 < self._fixed < len(slots) else GUTTER
        # A fixed part that takes most of the line would leave nothing to scroll in.
        return Layout(tuple(slots), fixed if fixed <= viewport // 2 else GUTTER, total)

    def _widths(self, visible: tuple[Column, ...], viewport: int) -> dict[str, int]:
        # In 80 cells one long text column must not push everything else out of sight.
        cap = min(WIDEST, max(16, viewport * 3 // 8))
        wanted = {column.name: self._wanted_width(column) for column in visible}
        widths = {
            column.name: self._chosen.get(column.name)
            or (column.width if column.kind is not Kind.STATE else 0)
            or min(wanted[column.name], cap if column.kind is Kind.TEXT else WIDEST)
            for column in visible
        }
        spare = viewport - GUTTER - sum(widths.values()) - GAP * (len(visible) - 1)
        spare += _shrink(
            widths, -spare, [c.name for c in visible if c.kind is Kind.TEXT and c.name not in self._chosen]
        )
        growing = [c.name for c in visible if c.is_text and c.name not in self._chosen]
        for name in sorted(growing, key=lambda name: widths[name] - wanted[name]):
            more = max(0, min(spare, wanted[name] - widths[name]))
            widths[name] += more
            spare -= more
        return widths

    def _wanted_width(self, column: Column) -> int:
        # One cell for the sort arrow, so that sorting neither moves columns nor cuts their names.
        # A state is never cut: its width is what it begins with, not what it ends at.
        least = column.width if column.kind is Kind.STATE else NARROWEST
        return max(least, cell_len(header_label(column)) + 1, self._wanted.get(column.name, 0))

    def _changed(self) -> None:
        self.version += 1


def _shrink(widths: dict[str, int], missing: int, names: list[str]) -> int:
    """Take `missing` cells from the widest of these columns if that makes the whole line fit; how many were taken."""
    if not 0 < missing <= sum(max(0, widths[name] - READABLE) for name in names):
        return 0
    for _ in range(missing):
        widths[max(names, key=widths.__getitem__)] -= 1
    return missing


def _needed(frame: pl.DataFrame, ends: pl.DataFrame, column: Column) -> int:
    sample = frame[column.name].unique().head(SAMPLE) if column.kind is Kind.STATE else ends[column.name]
    texts = format_series(sample, column)
    if column.is_numeric:  # a cut number is a wrong number: look at the extremes of all rows too
        texts += format_series(_extremes(frame[column.name]), column)
    glyph = 2 if column.kind is Kind.STATE else 0
    return max(_TYPICAL.get(column.kind, 0), glyph + max(map(cell_len, texts)))


def _extremes(values: pl.Series) -> pl.Series:
    return pl.Series([values.min(), values.max()], dtype=values.dtype)
