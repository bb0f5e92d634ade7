"""What stands in a table's cells: text cut or padded to exactly the width of its column, a block of rows at a time."""

from __future__ import annotations

import polars as pl
from rich.cells import cell_len, set_cell_size

from backends.frames.formats import Tone, format_series, state_style
from backends.frames.schema import Kind
from tui.widgets.frame_columns import Slot
from tui.widgets.frame_model import FrameModel

BLOCK = 128  # rows gathered and formatted at a time: two pages of a tall terminal, 1 ms of work for ten columns
KEPT = 64  # blocks kept


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
    end = text[-room:] if text.isascii() else _ending(text, room)
    return f"{start}…{end}"


def _ending(text: str, width: int) -> str:
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


class Cells:
    """The fitted cells of the shown rows, by block and column, kept until `version` of the model changes."""

    def __init__(self, model: FrameModel) -> None:
        self._model = model
        self._version = -1
        self._parts: dict[int, pl.DataFrame] = {}
        self._cells: dict[tuple[int, str, int], list[str]] = {}
        self._tones: dict[tuple[int, str], list[Tone]] = {}

    def cell(self, position: int, slot: Slot) -> str:
        block, offset = divmod(position, BLOCK)
        return self._block(block, slot)[offset]

    def tone(self, position: int, slot: Slot) -> Tone:
        """The tone of a cell of a STATE column, which `cell` has been asked for before."""
        block, offset = divmod(position, BLOCK)
        self._block(block, slot)
        return self._tones[block, slot.column.name][offset]

    def clear(self) -> None:
        self._parts.clear()
        self._cells.clear()
        self._tones.clear()

    def _block(self, block: int, slot: Slot) -> list[str]:
        if self._version != self._model.version:
            self._version = self._model.version
            self.clear()
        key = (block, slot.column.name, slot.width)
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = self._made(block, slot)
        return cells

    def _made(self, block: int, slot: Slot) -> list[str]:
        column, width = slot.column, slot.width
        values = self._part(block)[column.name]
        texts = format_series(values, column)
        if column.kind is Kind.STATE:
            looks = [state_style(text) for text in texts]
            self._tones[block, column.name] = [look.tone for look in looks]
            texts = [
                f"{look.glyph} {text}" if look.glyph != text else text for look, text in zip(looks, texts, strict=True)
            ]
        if slot.right:
            return [fit_number(text, width) for text in texts]
        cut = fit_ends if column.keeps_end else fit
        return [cut(text, width) for text in texts]

    def _part(self, block: int) -> pl.DataFrame:
        part = self._parts.get(block)
        if part is None:
            if len(self._parts) >= KEPT:
                self.clear()
            columns = [column.name for column in self._model.schema]
            part = self._parts[block] = self._model.window(block * BLOCK, BLOCK, columns)
        return part
