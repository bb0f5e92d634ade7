"""How the lines of a table look: header, rows, cursor, marks, and what of them is in sight when scrolled sideways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backends.frames.formats import Tone
from backends.frames.schema import Kind
from tui.widgets.frame_cells import Cells, fit
from tui.widgets.frame_columns import GAP, GUTTER, Layout, Slot, header_label
from tui.widgets.frame_rows import SortKey

CURSOR, MARK, RANGE = "▌", "●", "┆"  # signs, so that neither cursor nor marks need colour to be seen
PREFIX = "frame-table--"
COMPONENTS = frozenset(
    {f"{PREFIX}{part}" for part in ("header", "header-focus", "cursor", "mark", "flash")}
    | {f"{PREFIX}{tone}" for tone in Tone}
)
_GAP = " " * GAP


@dataclass(frozen=True)
class View:
    """What part of the table is in sight: the layout, cells scrolled to the right, cells wide."""

    layout: Layout
    scrolled: int
    width: int


@dataclass(frozen=True)
class Row:
    """Where a line is and how it stands out."""

    position: int
    at_cursor: bool
    marked: bool
    in_range: bool
    flashed: bool = False


class Paint:
    """Makes strips; looks styles up once (each look-up walks the widget's ancestors: 0.2 ms)."""

    def __init__(self, cells: Cells, style_of: Callable[[str], Style], body: Callable[[], Style]) -> None:
        self._cells = cells
        self._style_of = style_of
        self._body_style = body
        self._styles: dict[str, Style] = {}

    def forget_styles(self) -> None:
        self._styles.clear()

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self._body_style() if not name else self._style_of(PREFIX + name)
        return style

    def blank(self, width: int) -> Strip:
        return Strip.blank(width, self._style(""))

    def header(self, view: View, keys: Sequence[SortKey], focused: str | None) -> Strip:
        plain, focus = self._style("header"), self._style("header-focus")

        def cells(slot: Slot) -> Segment:
            return Segment(_header_cell(slot, keys), focus if slot.column.name == focused else plain)

        strip = _line(view, Segment(" " * GUTTER, plain), cells, plain)
        return _with_arrows(strip, view, plain)

    def row(self, view: View, row: Row) -> Strip:
        body = self._style("cursor" if row.at_cursor else "flash" if row.flashed else "")
        if row.marked and not row.at_cursor:
            body = body + Style(bold=True)

        def cells(slot: Slot) -> Segment:
            text = self._cells.cell(row.position, slot)
            if slot.column.kind is not Kind.STATE or row.at_cursor or row.flashed:
                return Segment(text, body)
            return Segment(text, self._style(self._cells.tone(row.position, slot)))

        sign = MARK if row.marked else RANGE if row.in_range else " "
        gutter = Segment(f"{CURSOR if row.at_cursor else ' '}{sign} ", body if row.at_cursor else self._style("mark"))
        return _line(view, gutter, cells, body)


def _line(view: View, gutter: Segment, cell: Callable[[Slot], Segment], space: Style) -> Strip:
    """One line of exactly `view.width` cells: gutter, fixed columns, then what is scrolled into sight of the rest."""
    fixed = [slot for slot in view.layout.slots if slot.end <= view.layout.fixed]
    low, high = view.layout.fixed + view.scrolled, view.width + view.scrolled
    moving = [slot for slot in view.layout.slots[len(fixed) :] if slot.end + GAP > low and slot.start < high]
    segments = [gutter, *_spaced(fixed, cell, space)]
    if moving:
        origin = moving[0].start
        rest = Strip(_spaced(moving, cell, space), moving[-1].end + GAP - origin)
        segments += rest.crop(max(low - origin, 0), max(high - origin, 0))
    return Strip(_merged(segments)).adjust_cell_length(view.width, space)


def _spaced(slots: Sequence[Slot], cell: Callable[[Slot], Segment], space: Style) -> Iterator[Segment]:
    gap = Segment(_GAP, space)
    for slot in slots:
        yield cell(slot)
        yield gap


def _merged(segments: Sequence[Segment]) -> Iterator[Segment]:
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


def _with_arrows(strip: Strip, view: View, style: Style) -> Strip:
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
