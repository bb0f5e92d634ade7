"""How lines of a table are painted: the strips of its header and of its rows, in the styles of their components."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backends.frames.column_formats import draw_ages
from backends.frames.formats import Tone, state_tone
from backends.frames.heat import HEAT_NAMES, heat_name
from backends.frames.schema import Kind
from tui.widgets.hyperlinks import terminal_has_links
from tui.widgets.table_drawing import GAP, GUTTER, SIDES, CellTexts, LineLayout, Slot, fit, header_label
from tui.widgets.table_model import SortKey

CURSOR, MARK, RANGE = "▌", "●", "┆"  # signs, so that neither cursor nor marks need colour to be seen
# The component classes that styles come from.
COMPONENTS = (
    "header", "header-focus", "cursor", "mark", "flash", "data", "rule", "ok-quiet", "fill-failed", "fill-warning",
    *HEAT_NAMES, *Tone,
)  # fmt: skip
_LEAST = 3  # cells of a column at the right edge; of fewer nothing can be read
_EFFECT_LABELS = ("better", "worse")
_MIN_RULER = 20  # cells of results that have a ruler of their ages
# A result letter of a matrix: what is drawn, in the style of which component.
_RESULTS = {"F": ("F", "fill-failed"), "~": ("~", "fill-warning"), "P": ("▪", "ok-quiet"), "S": ("–", Tone.QUIET)}
_LEGENDS = (
    (("newest  ", ""), ("F", "F"), (" failed  ", ""), ("~", "~"), (" flaky  ", ""), ("▪", "P"), (" passed  ", ""),
     ("–", "S"), (" skipped", "")),
    (("F", "F"), (" failed ", ""), ("~", "~"), (" flaky ", ""), ("▪", "P"), (" passed", "")),
)  # fmt: skip


@dataclass(frozen=True)
class Viewport:
    """What part of the table is in sight: the layout, cells scrolled to the right, cells wide."""

    layout: LineLayout
    scrolled: int
    width: int

    @property
    def fixed_slots(self) -> tuple[Slot, ...]:
        """Those that stay when the rest scrolls."""
        return tuple(slot for slot in self.layout.slots if slot.end <= self.layout.fixed)

    @property
    def moving_slots(self) -> tuple[Slot, ...]:
        """Those of the rest that are in sight."""
        low, high = self.layout.fixed + self.scrolled, self.width + self.scrolled
        rest = self.layout.slots[len(self.fixed_slots) :]
        return tuple(slot for slot in rest if slot.end + GAP > low and slot.start < high)


@dataclass(frozen=True)
class RowState:
    """Which row a line has and how it stands out; rows that arrive above only change its position."""

    position: int = field(compare=False)
    number: int
    at_cursor: bool
    marked: bool
    in_range: bool
    flashed: bool = False


_BOLD = Style(bold=True)
LOUD = frozenset({Tone.BAD, Tone.EXCEPTION, Tone.WARNING})


class RowPainter:
    """Makes the strips of header and rows. `style_of`: the style of a component, "" for the widget's own."""

    def __init__(self, cells: CellTexts, style_of: Callable[[str], Style]) -> None:
        self._cells = cells
        self._style_of = style_of
        self._links = terminal_has_links(os.environ)
        self.ages: Sequence[float] = ()  # of results, see `Resource.result_ages`

    def message(self, lines: Sequence[str], width: int) -> Strip:
        """A line without a row: blank, or with the first of `lines`."""
        text = fit(" " * GUTTER + lines[0], width) if lines else " " * width
        return Strip([Segment(text, self._style_of(""))], width)

    def header(self, view: Viewport, keys: Sequence[SortKey], focused: str | None) -> Strip:
        plain, focus = self._style_of("header"), self._style_of("header-focus")

        def cells(slot: Slot) -> Sequence[Segment]:
            style = focus if slot.column.name == focused else plain
            if slot.column.results:
                return self._legend(slot, style)
            return (Segment(_header_cell(slot, keys), style),)

        strip = _line(view, Segment(" " * GUTTER, plain), cells, plain, is_header=True)
        return _with_arrows(strip, view, plain)

    def row(self, view: Viewport, row: RowState) -> Strip:
        body = self._style_of("cursor" if row.at_cursor else "flash" if row.flashed else "")
        if row.marked and not row.at_cursor:
            body = body + _BOLD

        is_plain = row.at_cursor or row.flashed
        linked = self._cells.linked_column

        def cells(slot: Slot) -> Sequence[Segment]:
            text, column = self._cells.cell(row.position, slot), slot.column
            if column.results:
                return self._draw_results(text, body, is_plain)
            if column.heat is not None and not row.flashed and (step := self._cells.step(row.position, slot)):
                style = self._style_of(heat_name(column.heat.role, step))
                return (Segment(text, style + _BOLD if row.at_cursor else style),)
            if slot.bar and column.effect is not None and not is_plain:
                return self._draw_effect(text, slot, self._cells.tone(row.position, slot), body)
            if slot.bar and not is_plain:
                at = slot.text_width
                return Segment(text[:at], body), Segment(text[at:], self._style_of("data"))
            if column.counts_states and not is_plain:
                return self._draw_counts(text, body)
            if column.kind is Kind.STATE and not is_plain:
                return self._draw_state(text, self._cells.tone(row.position, slot))
            may_link = text.startswith("http") or column.name == linked
            if may_link and self._links and (link := self._cells.link(row.position, slot)):
                return (Segment(text, body + Style(link=link)),)
            return (Segment(text, body),)

        sign = MARK if row.marked else RANGE if row.in_range else " "
        edge = CURSOR if row.at_cursor else " "
        gutter = Segment(f"{edge}{sign} ", body if row.at_cursor else self._style_of("mark"))
        return _line(view, gutter, cells, body)

    def _draw_state(self, text: str, tone: Tone) -> Sequence[Segment]:
        """The usual is quiet, sign in colour and word muted; the unusual is coloured whole and bold."""
        style = self._style_of(tone)
        if tone is Tone.GOOD:
            return Segment(text[:1], style), Segment(text[1:], self._style_of(Tone.QUIET))
        return (Segment(text, style + _BOLD if tone in LOUD else style),)

    def _draw_counts(self, text: str, body: Style) -> Sequence[Segment]:
        """ "1 failed, 5 completed": what failed is loud, the rest as quiet as a state's word."""
        segments, quiet = [], self._style_of(Tone.QUIET)
        for number, part in enumerate(text.split(", ")):
            tone = state_tone(part.strip().rpartition(" ")[2])
            style = self._style_of(tone) + _BOLD if tone in LOUD else quiet if tone is Tone.GOOD else body
            separator = [Segment(", ", quiet)] if number else []
            segments += [*separator, Segment(part, style)]
        return segments

    def _draw_effect(self, text: str, slot: Slot, tone: Tone, body: Style) -> Sequence[Segment]:
        """The number, and the line beside it in the colour of the verdict, in `data` where it may be noise."""
        start, middle = slot.text_width, slot.width - slot.bar // 2 - 1
        style = self._style_of(tone if tone in SIDES else "data")
        return (
            Segment(text[:start], body), Segment(text[start:middle], style),
            Segment(text[middle], self._style_of("rule")), Segment(text[middle + 1 :], style),
        )  # fmt: skip

    def _draw_results(self, text: str, body: Style, is_plain: bool) -> Sequence[Segment]:
        """The cells of a matrix; failures are what stands out, also on the cursor row."""
        segments = []
        for letter, run in groupby(text):
            sign, component = _RESULTS.get(letter, (" " if letter == "·" else letter, ""))
            is_filled = component.startswith("fill")
            style = self._style_of(component) if component and (is_filled or not is_plain) else body
            segments.append(Segment(sign * len(list(run)), style))
        return segments

    def _legend(self, slot: Slot, style: Style) -> Sequence[Segment]:
        """How old the results of a matrix are, or what their signs mean, as far as there is room; else the label."""
        if self.ages and slot.width >= _MIN_RULER:
            return (Segment(draw_ages(self.ages, slot.width), style),)
        for parts in _LEGENDS:
            missing = slot.width - sum(len(text) for text, _ in parts)
            if missing >= 0:
                styles = [style + self._foreground(letter) if letter else style for _, letter in parts]
                texts = [text for text, _ in parts]
                return [*map(Segment, texts, styles), Segment(" " * missing, style)]
        return (Segment(fit(header_label(slot.column), slot.width), style),)

    def _foreground(self, letter: str) -> Style:
        style = self._style_of(_RESULTS[letter][1])
        return style if letter in "F~" else Style(color=style.color)


def _line(
    view: Viewport,
    gutter: Segment,
    cell: Callable[[Slot], Sequence[Segment]],
    space: Style,
    *,
    is_header: bool = False,
) -> Strip:
    """One line of exactly `view.width` cells: gutter, fixed columns, then what is scrolled into sight of the rest."""
    fixed, moving = view.fixed_slots, view.moving_slots
    low, high = view.layout.fixed + view.scrolled, view.width + view.scrolled
    segments = [gutter, *_spaced(fixed, cell, space)]
    if moving:
        origin = moving[0].start
        drawn = list(_spaced(moving[:-1], cell, space))
        drawn += _cut_cell(moving[-1], list(cell(moving[-1])), high - moving[-1].start, is_header)
        rest = Strip([*drawn, Segment(" " * GAP, space)], moving[-1].end + GAP - origin)
        segments += rest.crop(max(low - origin, 0), max(high - origin, 0))
    return Strip(_merge(segments)).adjust_cell_length(view.width, space)


def _spaced(slots: Sequence[Slot], cell: Callable[[Slot], Sequence[Segment]], space: Style) -> Iterator[Segment]:
    gap = Segment(" " * GAP, space)
    for slot in slots:
        yield from cell(slot)
        yield gap


def _cut_cell(slot: Slot, segments: list[Segment], room: int, is_header: bool) -> list[Segment]:
    """A cell of which the edge of the screen leaves `room` cells: the cut is seen, and no number reads as another."""
    if room >= slot.width:
        return segments
    whole = Strip(segments, slot.width)
    if room < _LEAST:
        return [Segment(" " * slot.width, segments[0].style)]
    if is_header or slot.column.results or not whole.crop(room).text.strip():
        return segments
    beyond = Segment(" " * (slot.width - room), segments[-1].style)
    if not slot.right:
        return [*whole.crop(0, room - 1), Segment("…", segments[0].style), beyond]
    if slot.bar and slot.text_width <= room:
        return [*whole.crop(0, slot.text_width), Segment(" " * (slot.width - slot.text_width), beyond.style)]
    return [Segment(f"{'…':>{room}}", segments[0].style), beyond]


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
    width = slot.text_width
    arrow = arrow[:width]
    room = width - cell_len(arrow)
    # Signs of a state need no label where one does not fit: they are their own legend.
    label = fit(header_label(slot.column), room).rstrip() if room > 0 and slot.width > 1 else ""
    text = fit(label + arrow, width, slot.right)
    if slot.bar and slot.column.effect is not None:
        half = slot.bar // 2
        better, worse = _EFFECT_LABELS
        text += f" {better.rjust(half)}│{worse}"
    return fit(text, slot.width)


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
