"""How a table is drawn: which columns, how wide, and what stands in their cells.

Everything here is plain data and text, so that laws over it can be tested without an app.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from rich.cells import cell_len, set_cell_size

from backends.frames.column_formats import (
    CellFormat,
    ValueRange,
    choose_format,
    draw_bar,
    draw_effect,
    format_cells,
    measure_values,
    measure_width,
)
from backends.frames.formats import MISSING, Tone, format_series, safe_text, state_style
from backends.frames.schema import Column, Effect, Kind, Schema
from tui.list_settings import ColumnArrangement
from tui.widgets.hyperlinks import find_link
from tui.widgets.table_model import FrameModel

GUTTER = 3  # cursor sign, mark, one free cell
GAP = 2
WIDE = 100  # cells from which states have their words, and bars are longer
_BARS = (6, 10)  # cells of a bar: below WIDE, from it on
_BARRED = frozenset({Kind.DURATION, Kind.BYTES})
SIDES = frozenset({Tone.GOOD, Tone.BAD})  # of a verdict on a change
_MIN_EFFECT = 76  # cells from which on changes have a bar to either side
_MAX_WIDTH = 48  # cells a column gets before it is known that there is room left
_MIN_WIDTH = 3
_MAX_STATE = 14  # cells of a state in a narrow table
_MIN_SCROLLED = 8  # cells beside a name that takes what is left
_MIN_NAME = 24  # the name is not made narrower than this so that something can be scrolled beside it
_MIN_RESULTS = 26  # cells of a matrix that 80 columns have room for
_READABLE = 32  # a text column is not made narrower than this only to let the others in
_SAMPLE = 128  # rows measured at either end of what arrives; the rest seldom differs and can be widened
_BLOCK = 128  # rows gathered and formatted at a time: two pages of a tall terminal, 1 ms of work for ten columns
_MAX_VALUES = 1_000  # blocks of columns that are kept


_PLAIN = CellFormat()


@dataclass(frozen=True)
class Slot:
    """A column on the line: `start` counts cells from the left end of the unscrolled line.

    `bar`: the cells at its right end, after a free one, that a bar takes.
    """

    column: Column
    start: int
    width: int
    format: CellFormat = _PLAIN
    bar: int = 0

    @property
    def end(self) -> int:
        return self.start + self.width

    @property
    def right(self) -> bool:
        """Whether its cells are flush right, so that digits of the same weight stand below each other."""
        return self.column.is_numeric

    @property
    def text_width(self) -> int:
        """The cells of its text, beside which a bar may stand."""
        return self.width - self.bar - 1 if self.bar else self.width

    @property
    def only_sign(self) -> bool:
        """Whether a state is too narrow for its word."""
        return self.column.kind is Kind.STATE and self.width < _MIN_WIDTH + 3


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
    """The label with the unit of its numbers or the zone of its times."""
    unit = f" ({column.unit})" if column.unit and column.kind is Kind.NUMBER else ""
    return safe_text(column.label + (" (UTC)" if column.kind is Kind.TIME else unit), 64)


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
        self._natural: dict[str, int] = {}  # cells of what has come, of texts
        self._values: dict[str, ValueRange] = {}  # of numbers and times
        self._filled: dict[str, bool] = {}  # of each measured column, whether a row has a value in it
        self._chosen: dict[str, int] = {}
        self._layout: tuple[tuple[int, int, int], LineLayout] | None = None

    @property
    def visible(self) -> tuple[Column, ...]:
        """What is drawn: neither hidden nor empty in all rows."""
        shown = tuple(self.schema[name] for name in self._order if name not in self.hidden)
        return tuple(column for column in shown if self._filled.get(column.name, True)) or shown[:1]

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
    def empty(self) -> tuple[Column, ...]:
        """Columns that are not drawn because no row has a value in them; they come back with the first value."""
        names = self.hidden
        return tuple(c for c in self.schema if c.name not in names and not self._filled.get(c.name, True))

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
        self._values.clear()
        self._filled.clear()
        self._changed()

    def observe(self, *frames: pl.DataFrame) -> None:
        """Let the columns grow to what these rows need. Never shrinks: rows arriving must not make columns dance."""
        frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
        if frame.is_empty():
            return
        ends = frame if len(frame) <= 2 * _SAMPLE else frame.head(_SAMPLE).vstack(frame.tail(_SAMPLE // 4))
        before = self._natural.copy(), self._values.copy(), self._filled.copy()
        for column in self.schema:
            if column.name not in self.hidden:
                self._measure(column, frame[column.name], ends[column.name])
        if before != (self._natural, self._values, self._filled):
            self._changed()

    def _measure(self, column: Column, values: pl.Series, ends: pl.Series) -> None:
        name = column.name
        if not self._filled.get(name):
            self._filled[name] = _has_value(values, ends)
        if not self._filled[name]:
            return
        measured = measure_values(values, column)
        if measured is not None:
            self._values[name] = measured.merge(self._values.get(name))
        elif not column.is_numeric and column.kind is not Kind.TIME:
            sample = values.unique().head(_SAMPLE) if column.kind is Kind.STATE else ends
            widest = max(map(cell_len, format_series(sample, column)))
            glyph = 2 if column.kind is Kind.STATE else 0
            self._natural[name] = max(self._natural.get(name, 0), glyph + widest)

    def place(self, viewport: int) -> LineLayout:
        """The layout for so many cells; the same object until something changes."""
        key = (viewport, self.version, self.focused)
        if self._layout is None or self._layout[0] != key:
            self._layout = key, self._place_columns(viewport)
        return self._layout[1]

    def _place_columns(self, viewport: int) -> LineLayout:
        visible = self.visible
        formats = {column.name: choose_format(column, self._values.get(column.name)) for column in visible}
        bars: dict[str, int] = {}
        widths = self._widths(visible, viewport, formats, bars)
        slots, x = [], GUTTER
        for column in visible:
            name, bar = column.name, bars.get(column.name, 0)
            chosen = formats[name] if bar else formats[name].without_bar()
            slots.append(Slot(column, x, widths[name], chosen, bar))
            x += widths[name] + GAP
        total = max(x - GAP, 0)
        return LineLayout(tuple(slots), self._fixed_cells(slots, viewport), total)

    def _fixed_cells(self, slots: Sequence[Slot], viewport: int) -> int:
        """The cells that stay when the rest is scrolled: those of the frozen columns, else up to the name where there
        is room. A fixed part that takes most of the line would leave nothing to scroll in."""
        names = [slot.column.name for slot in slots]
        if self._frozen is not None:
            count = sum(name in self._frozen for name in names)
            end = slots[count - 1].end + GAP if 0 < count < len(slots) else GUTTER
            return end if end <= viewport // 2 else GUTTER
        last = names.index(self.schema.name_column) + 1 if self.schema.name_column in names else 0
        at_home = last and self._is_at_home(tuple(slot.column for slot in slots))
        most = viewport - _MIN_SCROLLED if at_home else _most_fixed(viewport)
        for count in (self._fixed and max(self._fixed, last), self._fixed):
            if 0 < count < len(slots) and slots[count - 1].end + GAP <= most:
                return slots[count - 1].end + GAP
        return GUTTER

    def _widths(
        self, visible: tuple[Column, ...], viewport: int, formats: dict[str, CellFormat], bars: dict[str, int]
    ) -> dict[str, int]:
        """The cells of each column, those of its bar included; what bars take is put into `bars`."""
        # In 80 cells one long text column must not push everything else out of sight.
        cap = min(_MAX_WIDTH, max(16, viewport * 3 // 8))
        natural = {column.name: self._natural_width(column, formats[column.name], viewport) for column in visible}
        name = self.schema.name_column
        caps = {Kind.TEXT: cap, Kind.ID: _MAX_WIDTH}
        most = {
            column.name: column.width or caps[column.kind] if column.kind in caps else _MAX_WIDTH for column in visible
        }
        most[name] = self._longest_name(viewport) or most.get(name, 0)
        widths = {
            column.name: self._chosen.get(column.name) or min(natural[column.name], most[column.name])
            for column in visible
        }
        for column in visible:
            if column.results and column.name not in self._chosen:
                widths[column.name] = min(natural[column.name], max(_MIN_RESULTS, viewport * 3 // 8))
        self._add_bars(visible, viewport, widths, bars)
        spare = viewport - GUTTER - sum(widths.values()) - GAP * (len(visible) - 1)
        if spare < 0 and name in widths and name not in self._chosen:
            before = [column.name for column in visible[: [c.name for c in visible].index(name)]]
            start = GUTTER + sum(widths[one] + GAP for one in before)
            room = max(_MIN_NAME, _most_fixed(viewport) - start - GAP)
            longest = self._longest_name(viewport)
            room = min(room, longest or room)
            spare += widths[name] - min(natural[name], room)
            widths[name] = min(natural[name], room)
            if self._is_at_home(visible):
                more = _unused_cells(widths, start, [c.name for c in visible[len(before) :]], viewport)
                widest = min(natural[name], longest or natural[name])
                more = max(0, min(more, widest - widths[name]))
                widths[name] += more
                spare -= more
        spare += _shrink(
            widths, -spare, [c.name for c in visible if c.kind is Kind.TEXT and c.name not in self._chosen]
        )
        growing = [c.name for c in visible if (c.is_text or c.results) and c.name not in self._chosen]
        for one in sorted(growing, key=lambda one: (one != name, widths[one] - natural[one])):
            more = max(0, min(spare, natural[one] - widths[one]))
            widths[one] += more
            spare -= more
        return widths

    def _longest_name(self, viewport: int) -> int:
        """The cells of a long name, more of them in wide tables: names are what is looked for. 0: no limit is set."""
        name = self.schema.name_column
        width = self.schema[name].width if name else 0
        return max(width, width * viewport // WIDE)

    def _is_at_home(self, visible: tuple[Column, ...]) -> bool:
        """Whether the column under the cursor is the name or one before it: then nobody looks further to the right."""
        names = [column.name for column in visible]
        return self.focused <= names.index(self.schema.name_column)

    def _add_bars(
        self, visible: tuple[Column, ...], viewport: int, widths: dict[str, int], bars: dict[str, int]
    ) -> None:
        """A bar for each duration and size that is in sight; but only the first may push others out of it."""
        one_sided = _BARS[viewport >= WIDE]
        end = GUTTER - GAP
        texts = (widths[column.name] for column in visible if column.kind is Kind.TEXT)
        spare = viewport - GUTTER - sum(widths.values()) - GAP * (len(visible) - 1)
        spare += sum(max(0, width - _READABLE) for width in texts)
        for column in visible:
            end += GAP + widths[column.name]
            values = self._values.get(column.name)
            if column.name in self._chosen or values is None:
                continue
            if column.effect is not None:
                cells, differs = 2 * one_sided + 1, viewport >= _MIN_EFFECT
            else:
                is_barred = column.kind in _BARRED and column.heat is None
                cells, differs = one_sided, is_barred and 0 <= values.low < values.high
            fits = spare > cells or (spare < 0 and not bars)
            if differs and fits and end + 1 + cells <= viewport:
                bars[column.name] = cells
                widths[column.name] += 1 + cells
                end, spare = end + 1 + cells, spare - 1 - cells

    def _natural_width(self, column: Column, chosen: CellFormat, viewport: int) -> int:
        # One cell for the sort arrow, so that sorting neither moves columns nor cuts their names.
        label = cell_len(header_label(column)) + 1
        name = column.name
        if column.kind is Kind.STATE and viewport < WIDE:
            # The first column needs no label: its signs say what it is, and the header of the list has their words.
            # In a table that is grouped by states they are all that a row is called.
            if column is self.schema.columns[0] and self.schema.name_column:
                return 1
            return max(label, min(self._natural.get(name, _MIN_WIDTH), _MAX_STATE))
        if column.results:
            return self._natural.get(name, column.width)
        if column.is_numeric or column.kind is Kind.TIME:
            measured = measure_width(column, self._values.get(name), chosen)
        else:
            measured = self._natural.get(name, 0)
        return max(_MIN_WIDTH, label, measured or (0 if self._filled.get(name) else column.width))

    def _changed(self) -> None:
        self.version += 1


def _most_fixed(viewport: int) -> int:
    return viewport * 3 // 5


def _unused_cells(widths: dict[str, int], start: int, names: list[str], viewport: int) -> int:
    """The cells at the right end that no complete column fits into; `names`: the columns from cell `start` on."""
    end, room = start - GAP, viewport - 1
    for name in names:
        if end + GAP + widths[name] > viewport:
            break
        end += GAP + widths[name]
    return max(0, room - end)


def _has_value(values: pl.Series, ends: pl.Series) -> bool:
    """Whether any row has more than null or an empty text."""
    if values.null_count() == len(values):
        return False
    return values.dtype != pl.String or bool((ends != "").any()) or bool((values != "").any())


def _shrink(widths: dict[str, int], missing: int, names: list[str]) -> int:
    """Take `missing` cells from the widest of these columns if that makes the whole line fit; how many were taken."""
    if not 0 < missing <= sum(max(0, widths[name] - _READABLE) for name in names):
        return 0
    for _ in range(missing):
        widths[max(names, key=widths.__getitem__)] -= 1
    return missing


def fit(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells; what does not fit ends in "…"."""
    # Plain ASCII has one cell a character; everything else has to be measured.
    size = len(text) if text.isascii() else cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    space = " " * (width - size)
    return space + text if right else text + space


_TAGS = re.compile(r"(?: *\[[^\[\]]*\])+$")


def fit_ends(text: str, width: int) -> str:
    """As `fit`, but what does not fit loses its middle: a third of the room shows its start, the rest its end.

    Tags in brackets at the end go first: many names have the same ("... [Suite:conformance/parallel]").
    """
    size = len(text) if text.isascii() else cell_len(text)
    if size <= width or width < 8:
        return fit(text, width)
    if text.endswith("]") and (tags := _TAGS.search(text)) and tags.start():
        text = text[: tags.start()]
        if (len(text) if text.isascii() else cell_len(text)) < width:
            return fit(text + "…", width)
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
        self._name = model.schema.name_column
        self._url = next((name for name in ("web_url", "url") if name in model.schema), "")
        self.linked_column = self._name if self._url else ""
        self._version = -1
        self._values: dict[tuple[int, str], pl.Series] = {}
        self._cells: dict[tuple[int, str, int, CellFormat], list[str]] = {}
        self._tones: dict[tuple[int, str], list[Tone]] = {}
        self._steps: dict[tuple[int, str], list[int]] = {}

    def cell(self, position: int, slot: Slot) -> str:
        block, offset = divmod(position, _BLOCK)
        return self._block(block, slot)[offset]

    def tone(self, position: int, slot: Slot) -> Tone:
        """The tone of a STATE, or of the verdict on a change, of whose column `cell` has been asked before."""
        block, offset = divmod(position, _BLOCK)
        self._block(block, slot)
        return self._tones[block, slot.column.name][offset]

    def step(self, position: int, slot: Slot) -> int:
        """The step of a cell of a column with a heat, 0 for no colour."""
        block, offset = divmod(position, _BLOCK)
        self._block(block, slot)
        return self._steps[block, slot.column.name][offset]

    def clear(self) -> None:
        self._values.clear()
        self._cells.clear()
        self._tones.clear()
        self._steps.clear()

    def _block(self, block: int, slot: Slot) -> list[str]:
        if self._version != self._model.version:
            self._version = self._model.version
            self.clear()
        key = (block, slot.column.name, slot.width, slot.format)
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = self._format_block(block, slot)
        return cells

    def _format_block(self, block: int, slot: Slot) -> list[str]:
        column, width = slot.column, slot.text_width
        values = self._values_of_block(block, column.name)
        texts = format_cells(values, column, slot.format)
        if column.kind is Kind.STATE:
            styles = [state_style(text) for text in texts]
            self._tones[block, column.name] = [style.tone for style in styles]
            pairs = zip(styles, texts, strict=True)
            if slot.only_sign:
                texts = [style.glyph for style, _ in pairs]
            else:
                texts = [f"{style.glyph} {text}" if style.glyph != text else text for style, text in pairs]
        if column.heat is not None:
            self._steps[block, column.name] = list(map(column.heat.step, values.to_list()))
        if slot.right:
            texts = [fit_number(text, width) for text in texts]
            if slot.bar and column.effect is not None:
                bars = self._draw_effects(block, slot, column.effect)
                texts = [f"{text} {bar}" for text, bar in zip(texts, bars, strict=True)]
            elif slot.bar:
                lines = (draw_bar(value, slot.format, slot.bar) for value in values.to_list())
                texts = [f"{text} {bar}" for text, bar in zip(texts, lines, strict=True)]
            return texts
        cut = fit_ends if column.keeps_end else fit
        return [cut(text or MISSING, width) for text in texts]

    def _draw_effects(self, block: int, slot: Slot, effect: Effect) -> list[str]:
        verdicts = self._values_of_block(block, effect.verdict).to_list()
        values = self._values_of_block(block, slot.column.name).to_list()
        told = self._values_of_block(block, effect.direction).to_list() if effect.direction else [None] * len(values)
        tones = [state_style(verdict or "").tone for verdict in verdicts]
        self._tones[block, slot.column.name] = tones
        bars = []
        for value, tone, direction in zip(values, tones, told, strict=True):
            is_certain = tone in SIDES
            is_more = value is not None and value > 0
            is_worse = tone is Tone.BAD if is_certain else direction == "worse" if direction else is_more
            bars.append(draw_effect(value, is_worse, is_certain, slot.bar // 2))
        return bars

    def link(self, position: int, slot: Slot) -> str:
        """The web page that a text stands for, "" for none: a URL itself, or the row's if it is the row's name."""
        block, offset = divmod(position, _BLOCK)
        if slot.column.name == self._name and self._url:
            return find_link(self._values_of_block(block, self._url)[offset])
        if not self.cell(position, slot).startswith("http"):
            return ""
        return find_link(self._values_of_block(block, slot.column.name)[offset])

    def _values_of_block(self, block: int, column: str) -> pl.Series:
        values = self._values.get((block, column))
        if values is None:
            if len(self._values) >= _MAX_VALUES:
                self.clear()
            values = self._values[block, column] = self._model.values(column, block * _BLOCK, _BLOCK)
        return values
