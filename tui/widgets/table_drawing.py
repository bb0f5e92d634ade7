"""How a table is drawn: which columns, how wide, what stands in their cells, and the strips of header and rows.

Everything here is plain data and text, so that laws over it can be tested without an app.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backends.frames.formats import Tone, format_series, safe_text, state_style
from backends.frames.schema import Column, Kind, Schema
from tui.list_settings import ColumnArrangement
from tui.widgets.table_model import FrameModel, SortKey

GUTTER = 3  # cursor sign, mark, one free cell
GAP = 2
CURSOR, MARK, RANGE = "▌", "●", "┆"  # signs, so that neither cursor nor marks need colour to be seen
COMPONENTS = ("header", "header-focus", "cursor", "mark", "flash", *Tone)  # the component classes that styles come from
_MAX_WIDTH = 48  # cells a column gets before it is known that there is room left
_MIN_WIDTH = 3
_READABLE = 32  # a text column is not made narrower than this only to let the others in
_SAMPLE = 128  # rows measured at either end of what arrives; the rest seldom differs and can be widened
_TYPICAL = {Kind.BYTES: 7, Kind.TIME: 19}  # "99.9 MB" is wider than the largest size may be
_BLOCK = 128  # rows gathered and formatted at a time: two pages of a tall terminal, 1 ms of work for ten columns
_MAX_BLOCKS = 64  # kept


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
class LineLayout:
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
        """`fixed`: so many columns stay in sight when the rest scrolls sideways, unless the user chooses which."""
        self.schema = schema
        self.hidden = {column.name for column in schema if column.hidden}
        self.version = 0
        self.focused = 0
        self._fixed = fixed
        self._order: tuple[str, ...] = schema.names
        self._frozen: frozenset[str] | None = None
        self._natural: dict[str, int] = {}
        self._chosen: dict[str, int] = {}
        self._layout: tuple[tuple[int, int], LineLayout] | None = None

    @property
    def visible(self) -> tuple[Column, ...]:
        return tuple(self.schema[name] for name in self._order if name not in self.hidden)

    @property
    def arrangement(self) -> ColumnArrangement:
        """What the user may change of it."""
        return ColumnArrangement(
            self._order, frozenset(self.hidden), self._frozen, tuple(sorted(self._chosen.items()))
        )  # fmt: skip

    def arrange(self, wanted: ColumnArrangement | None) -> None:
        """As an earlier `arrangement` was, of this schema or an older one; None: as at the beginning.

        Frozen columns come first. Columns that do not exist any more are ignored, new ones are where the schema has
        them; at least one stays visible.
        """
        names, focused = self.schema.names, self.focused_column
        wanted = wanted or ColumnArrangement(names, frozenset(c.name for c in self.schema if c.hidden))
        known = [name for name in dict.fromkeys(wanted.order) if name in names]
        for number, name in enumerate(names):
            if name not in known:
                known.insert(known.index(names[number - 1]) + 1 if number else 0, name)
        frozen = wanted.frozen
        self._frozen = frozenset(names) & frozen if frozen is not None else None
        self._order = tuple(sorted(known, key=lambda name: name not in (self._frozen or ())))
        new = {column.name for column in self.schema if column.hidden and column.name not in wanted.order}
        self.hidden = {name for name in names if name in wanted.hidden} | new
        if not self.visible:
            self.hidden.discard(self._order[0])
        self._chosen = {name: width for name, width in wanted.widths if name in names}
        self._changed()
        visible = self.visible
        self.focus(visible.index(focused) if focused in visible else self.focused)

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

    def show_all(self) -> None:
        focused = self.focused_column
        self.hidden.clear()
        self._changed()
        if focused is not None:
            self.focus(self.visible.index(focused))

    def widen(self, name: str, by: int, viewport: int) -> None:
        drawn = {slot.column.name: slot.width for slot in self.place(viewport).slots}
        if name in drawn:
            self._chosen[name] = max(_MIN_WIDTH, min(drawn[name] + by, max(viewport, _MAX_WIDTH)))
            self._changed()

    def forget(self) -> None:
        self._natural.clear()
        self._changed()

    def observe(self, *frames: pl.DataFrame) -> None:
        """Let the columns grow to what these rows need. Never shrinks: rows arriving must not make columns dance."""
        frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
        if frame.is_empty():
            return
        ends = frame if len(frame) <= 2 * _SAMPLE else pl.concat([frame.head(_SAMPLE), frame.tail(_SAMPLE // 4)])
        grown = {
            column.name: max(self._natural.get(column.name, 0), _measure_column(frame, ends, column))
            for column in self.visible
        }
        if any(self._natural.get(name) != width for name, width in grown.items()):
            self._natural |= grown
            self._changed()

    def place(self, viewport: int) -> LineLayout:
        """The layout for so many cells; the same object until something changes."""
        key = (viewport, self.version)
        if self._layout is None or self._layout[0] != key:
            self._layout = key, self._place_columns(viewport)
        return self._layout[1]

    def _place_columns(self, viewport: int) -> LineLayout:
        visible = self.visible
        widths = self._widths(visible, viewport)
        slots, x = [], GUTTER
        for column in visible:
            slots.append(Slot(column, x, widths[column.name]))
            x += widths[column.name] + GAP
        total = max(x - GAP, 0)
        frozen = self._frozen
        count = self._fixed if frozen is None else sum(column.name in frozen for column in visible)
        fixed = slots[count - 1].end + GAP if 0 < count < len(slots) else GUTTER
        # A fixed part that takes most of the line would leave nothing to scroll in.
        return LineLayout(tuple(slots), fixed if fixed <= viewport // 2 else GUTTER, total)

    def _widths(self, visible: tuple[Column, ...], viewport: int) -> dict[str, int]:
        # In 80 cells one long text column must not push everything else out of sight.
        cap = min(_MAX_WIDTH, max(16, viewport * 3 // 8))
        natural = {column.name: self._natural_width(column) for column in visible}
        widths = {
            column.name: self._chosen.get(column.name)
            or (column.width if column.kind is not Kind.STATE else 0)
            or min(natural[column.name], cap if column.kind is Kind.TEXT else _MAX_WIDTH)
            for column in visible
        }
        spare = viewport - GUTTER - sum(widths.values()) - GAP * (len(visible) - 1)
        spare += _shrink(
            widths, -spare, [c.name for c in visible if c.kind is Kind.TEXT and c.name not in self._chosen]
        )
        growing = [c.name for c in visible if c.is_text and c.name not in self._chosen]
        for name in sorted(growing, key=lambda name: widths[name] - natural[name]):
            more = max(0, min(spare, natural[name] - widths[name]))
            widths[name] += more
            spare -= more
        return widths

    def _natural_width(self, column: Column) -> int:
        # One cell for the sort arrow, so that sorting neither moves columns nor cuts their names.
        # A state is never cut: its width is what it begins with, not what it ends at.
        least = column.width if column.kind is Kind.STATE else _MIN_WIDTH
        return max(least, cell_len(header_label(column)) + 1, self._natural.get(column.name, 0))

    def _changed(self) -> None:
        self.version += 1


def _shrink(widths: dict[str, int], missing: int, names: list[str]) -> int:
    """Take `missing` cells from the widest of these columns if that makes the whole line fit; how many were taken."""
    if not 0 < missing <= sum(max(0, widths[name] - _READABLE) for name in names):
        return 0
    for _ in range(missing):
        widths[max(names, key=widths.__getitem__)] -= 1
    return missing


def _measure_column(frame: pl.DataFrame, ends: pl.DataFrame, column: Column) -> int:
    sample = frame[column.name].unique().head(_SAMPLE) if column.kind is Kind.STATE else ends[column.name]
    texts = format_series(sample, column)
    if column.is_numeric:  # a cut number is a wrong number: look at the extremes of all rows too
        texts += format_series(_extremes(frame[column.name]), column)
    glyph = 2 if column.kind is Kind.STATE else 0
    return max(_TYPICAL.get(column.kind, 0), glyph + max(map(cell_len, texts)))


def _extremes(values: pl.Series) -> pl.Series:
    return pl.Series([values.min(), values.max()], dtype=values.dtype)


def fit(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells; what does not fit ends in "…"."""
    # Plain ASCII has one cell a character; everything else has to be measured.
    size = len(text) if text.isascii() else cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    space = " " * (width - size)
    return space + text if right else text + space


def fit_ends(text: str, width: int) -> str:
    """As `fit`, but what does not fit loses its middle: a third of the room shows its start, the rest its end."""
    size = len(text) if text.isascii() else cell_len(text)
    if size <= width or width < 8:
        return fit(text, width)
    start = set_cell_size(text, (width - 1) // 3)
    room = width - 1 - cell_len(start)
    end = text[-room:] if text.isascii() else _cut_start(text, room)
    return f"{start}…{end}"


def _cut_start(text: str, width: int) -> str:
    """The last `width` cells; a wide sign that is cut in two becomes a space, as at the other end."""
    kept = ""
    for sign in reversed(text):
        if cell_len(sign + kept) > width:
            return " " * (width - cell_len(kept)) + kept
        kept = sign + kept
    return kept


def fit_number(text: str, width: int) -> str:
    """Flush right, or `###` if it does not fit: "1,23…" could be read as a smaller number."""
    return fit(text, width, right=True) if len(text) <= width else "#" * width


class CellTexts:
    """The fitted cells of the shown rows, by block and column, kept until `version` of the model changes."""

    def __init__(self, model: FrameModel) -> None:
        self._model = model
        self._version = -1
        self._blocks: dict[int, pl.DataFrame] = {}
        self._cells: dict[tuple[int, str, int], list[str]] = {}
        self._tones: dict[tuple[int, str], list[Tone]] = {}

    def cell(self, position: int, slot: Slot) -> str:
        block, offset = divmod(position, _BLOCK)
        return self._block(block, slot)[offset]

    def tone(self, position: int, slot: Slot) -> Tone:
        """The tone of a cell of a STATE column, which `cell` has been asked for before."""
        block, offset = divmod(position, _BLOCK)
        self._block(block, slot)
        return self._tones[block, slot.column.name][offset]

    def clear(self) -> None:
        self._blocks.clear()
        self._cells.clear()
        self._tones.clear()

    def _block(self, block: int, slot: Slot) -> list[str]:
        if self._version != self._model.version:
            self._version = self._model.version
            self.clear()
        key = (block, slot.column.name, slot.width)
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = self._format_block(block, slot)
        return cells

    def _format_block(self, block: int, slot: Slot) -> list[str]:
        column, width = slot.column, slot.width
        values = self._rows_of_block(block)[column.name]
        texts = format_series(values, column)
        if column.kind is Kind.STATE:
            styles = [state_style(text) for text in texts]
            self._tones[block, column.name] = [style.tone for style in styles]
            pairs = zip(styles, texts, strict=True)
            texts = [f"{style.glyph} {text}" if style.glyph != text else text for style, text in pairs]
        if slot.right:
            return [fit_number(text, width) for text in texts]
        cut = fit_ends if column.keeps_end else fit
        return [cut(text, width) for text in texts]

    def _rows_of_block(self, block: int) -> pl.DataFrame:
        part = self._blocks.get(block)
        if part is None:
            if len(self._blocks) >= _MAX_BLOCKS:
                self.clear()
            columns = [column.name for column in self._model.schema]
            part = self._blocks[block] = self._model.window(block * _BLOCK, _BLOCK, columns)
        return part


@dataclass(frozen=True)
class Viewport:
    """What part of the table is in sight: the layout, cells scrolled to the right, cells wide."""

    layout: LineLayout
    scrolled: int
    width: int


@dataclass(frozen=True)
class RowState:
    """Where a line is and how it stands out."""

    position: int
    at_cursor: bool
    marked: bool
    in_range: bool
    flashed: bool = False


class RowPainter:
    """Makes the strips of header and rows. `style_of`: the style of a component, "" for the widget's own."""

    def __init__(self, cells: CellTexts, style_of: Callable[[str], Style]) -> None:
        self._cells = cells
        self._style_of = style_of

    def blank(self, width: int) -> Strip:
        return Strip.blank(width, self._style_of(""))

    def header(self, view: Viewport, keys: Sequence[SortKey], focused: str | None) -> Strip:
        plain, focus = self._style_of("header"), self._style_of("header-focus")

        def cells(slot: Slot) -> Segment:
            return Segment(_header_cell(slot, keys), focus if slot.column.name == focused else plain)

        strip = _line(view, Segment(" " * GUTTER, plain), cells, plain)
        return _with_arrows(strip, view, plain)

    def row(self, view: Viewport, row: RowState) -> Strip:
        body = self._style_of("cursor" if row.at_cursor else "flash" if row.flashed else "")
        if row.marked and not row.at_cursor:
            body = body + Style(bold=True)

        def cells(slot: Slot) -> Segment:
            text = self._cells.cell(row.position, slot)
            if slot.column.kind is not Kind.STATE or row.at_cursor or row.flashed:
                return Segment(text, body)
            return Segment(text, self._style_of(self._cells.tone(row.position, slot)))

        sign = MARK if row.marked else RANGE if row.in_range else " "
        edge = CURSOR if row.at_cursor else " "
        gutter = Segment(f"{edge}{sign} ", body if row.at_cursor else self._style_of("mark"))
        return _line(view, gutter, cells, body)


def _line(view: Viewport, gutter: Segment, cell: Callable[[Slot], Segment], space: Style) -> Strip:
    """One line of exactly `view.width` cells: gutter, fixed columns, then what is scrolled into sight of the rest."""
    fixed = [slot for slot in view.layout.slots if slot.end <= view.layout.fixed]
    low, high = view.layout.fixed + view.scrolled, view.width + view.scrolled
    moving = [slot for slot in view.layout.slots[len(fixed) :] if slot.end + GAP > low and slot.start < high]
    segments = [gutter, *_spaced(fixed, cell, space)]
    if moving:
        origin = moving[0].start
        rest = Strip(_spaced(moving, cell, space), moving[-1].end + GAP - origin)
        segments += rest.crop(max(low - origin, 0), max(high - origin, 0))
    return Strip(_merge(segments)).adjust_cell_length(view.width, space)


def _spaced(slots: Sequence[Slot], cell: Callable[[Slot], Segment], space: Style) -> Iterator[Segment]:
    gap = Segment(" " * GAP, space)
    for slot in slots:
        yield cell(slot)
        yield gap


def _merge(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Neighbours of one style as one segment: a third fewer bytes to the terminal."""
    texts: list[str] = []
    style: Style | None = None
    for segment in segments:
        if texts and segment.style is not style:
            yield Segment("".join(texts), style)
            texts = []
        style = segment.style
        texts.append(segment.text)
    yield Segment("".join(texts), style)


def _header_cell(slot: Slot, keys: Sequence[SortKey]) -> str:
    arrow = ""
    for number, key in enumerate(keys, 1):
        if key.column == slot.column.name:
            arrow = ("▼" if key.descending else "▲") + (str(number) if len(keys) > 1 else "")
    room = slot.width - cell_len(arrow)
    label = fit(header_label(slot.column), room).rstrip() if room > 0 else ""
    return fit(label + arrow, slot.width, slot.right)


def _with_arrows(strip: Strip, view: Viewport, style: Style) -> Strip:
    """Says at the ends of the header that there is more to the left or right; a scrollbar would cost a row."""
    more_right = view.layout.width - view.scrolled > view.width
    if view.width <= GUTTER:
        return strip
    if view.scrolled:
        left = strip.crop(0, GUTTER - 2)
        strip = Strip([*left, Segment("‹", style), *strip.crop(GUTTER - 1, view.width)], view.width)
    if more_right:
        strip = Strip([*strip.crop(0, view.width - 1), Segment("›", style)], view.width)
    return strip
