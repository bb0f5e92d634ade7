"""What a FrameTable tells the view around it: `FrameTable.Opened`, handled as `on_frame_table_opened`, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from textual.message import Message

from tui.widgets.frame_rows import Arrangement, Question

if TYPE_CHECKING:
    from tui.widgets.frame_table import FrameTable


class TableMessage(Message, namespace="frame_table"):
    """Something happened in `table`."""

    def __init__(self, table: FrameTable) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> FrameTable:
        return self.table


class Highlighted(TableMessage, namespace="frame_table"):
    """The cursor is on another row; `key` is None when there is none."""

    def __init__(self, table: FrameTable, key: str | None) -> None:
        super().__init__(table)
        self.key = key


class Opened(TableMessage, namespace="frame_table"):
    """The user wants to see what is behind the row."""

    def __init__(self, table: FrameTable, key: str) -> None:
        super().__init__(table)
        self.key = key


class MarksChanged(TableMessage, namespace="frame_table"):
    """Other rows are marked. `pruned`: marks lost because their rows are not in the new content."""

    def __init__(self, table: FrameTable, pruned: int = 0) -> None:
        super().__init__(table)
        self.pruned = pruned


class Sorted(TableMessage, namespace="frame_table"):
    """The user or a caller asked for another order."""


class Shown(TableMessage, namespace="frame_table"):
    """Filter, sort or new rows have been applied: `shown` and `row_count` are true again."""


class CopyRequested(TableMessage, namespace="frame_table"):
    """`text` of the cell under the cursor is meant for the clipboard."""

    def __init__(self, table: FrameTable, text: str) -> None:
        super().__init__(table)
        self.text = text


class Answered(Message, bubble=False):
    """For the table itself, from its thread: rows filtered and sorted; None if that failed."""

    def __init__(self, question: Question, answer: Arrangement | None) -> None:
        super().__init__()
        self.question, self.answer = question, answer


class Prepared(Message, bubble=False):
    """For the table itself, from its thread: the text that words are looked up in."""

    def __init__(self, question: Question, haystack: pl.Series) -> None:
        super().__init__()
        self.question, self.haystack = question, haystack
