"""What the user may change of how a table is shown: its columns and its sort; and how that, and marks, are undone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from textual.message import Message

from backends.frames.schema import Column, Schema
from tui.list_settings import ColumnArrangement, ListSettings
from tui.widgets.line_list import LineList
from tui.widgets.row_painting import Viewport
from tui.widgets.table_drawing import Columns
from tui.widgets.table_model import FrameModel, MarkedRows, SortKey

MAX_UNDO = 100  # steps


@dataclass(frozen=True)
class UndoStep:
    """How the table was before the user changed something. `change`: what that was, in a word."""

    change: str
    filter_text: str
    sort_keys: tuple[SortKey, ...]
    columns: ColumnArrangement
    marks: MarkedRows


class ArrangedTable(LineList):
    """The rows of a FrameModel. Subclasses draw them and compute which are shown."""

    class ArrangementChanged(Message):
        """The user sorted the table, or changed its columns."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self._model = FrameModel(schema)
        self._columns = Columns(schema, fixed=1)
        self._undo: deque[UndoStep] = deque(maxlen=MAX_UNDO)
        self._filter_step = False  # whether the last step is for the filter that is being written
        self._filter_is_typed = False  # whether it may go on: a state's beginning counts

    def _update_view(self) -> None:
        """Shows what the model is filtered and sorted by now."""
        raise NotImplementedError

    def _marks_changed(self) -> None:
        raise NotImplementedError

    def _end_range(self) -> None:
        """A range of marks that was begun is no more."""
        raise NotImplementedError

    # ---- undo, and what is remembered --------------------------------------------------------------------------

    @property
    def settings(self) -> ListSettings:
        """How the rows are shown."""
        return ListSettings(self._columns.arrangement, self._model.sort_keys, self._model.filter_text)

    def apply_settings(self, settings: ListSettings, default_sort: tuple[SortKey, ...] = ()) -> None:
        """Columns and sort, not the filter. `default_sort` where they name none."""
        self._columns.arrange(settings.columns)
        keys = settings.sort_by(self._model.frame.columns)
        self._model.set_sort(default_sort if keys is None else tuple(SortKey(*key) for key in keys))
        self._show_all_changes()

    def take_settings(self, settings: ListSettings, default_sort: tuple[tuple[str, bool], ...]) -> None:
        """As `apply_settings`, by the user. The filter, which is set next, is undone together with it."""
        self._remember("view")
        self.apply_settings(settings, tuple(SortKey(*key) for key in default_sort))
        self._filter_step = True
        self.post_message(self.ArrangementChanged())

    @property
    def arrangement(self) -> ColumnArrangement:
        return self._columns.arrangement

    def arrange_columns(self, wanted: ColumnArrangement) -> None:
        """By the user."""
        self._remember("columns")
        self._columns.arrange(wanted)
        self._columns.observe(self._model.frame)
        self._columns_changed()

    def begin_undo_step(self) -> None:
        """What is changed from now on is not undone together with what was changed before."""
        self._filter_step = False

    def forget_undo(self) -> None:
        self._undo.clear()
        self._filter_step = False

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    def undo(self) -> UndoStep | None:
        """Takes back the last change of marks, sort, columns or filter; None if there is none."""
        if not self._undo:
            return None
        step = self._undo.pop()
        self._filter_step = False
        self._end_range()
        if step.filter_text != self._model.filter_text:
            self._model.set_filter(step.filter_text)
            self._filter_is_typed = False
        self._model.set_sort(step.sort_keys)
        self._model.restore_marks(step.marks)
        self._columns.arrange(step.columns)
        self._show_all_changes()
        self._marks_changed()
        self.post_message(self.ArrangementChanged())
        return step

    def _show_all_changes(self) -> None:
        self._columns.observe(self._model.frame)
        self._update_view()
        self.fit_virtual_size()
        self.refresh()

    def _current_state(self, change: str) -> UndoStep:
        model = self._model
        return UndoStep(
            change, model.filter_text, model.sort_keys, self._columns.arrangement, model.remember_marks()
        )  # fmt: skip

    def _remember(self, change: str) -> None:
        """Before the user's change: how everything is now."""
        self._filter_step = False
        self._undo.append(self._current_state(change))

    # ---- sort ---------------------------------------------------------------------------------------------------

    def _set_sort(self, keys: tuple[SortKey, ...]) -> None:
        """By the user."""
        self._remember("sort")
        self._model.set_sort(keys)
        self._update_view()
        self.post_message(self.ArrangementChanged())

    # ---- columns -----------------------------------------------------------------------------------------------

    @property
    def visible_columns(self) -> tuple[Column, ...]:
        return self._columns.visible

    @property
    def columns_in_sight(self) -> tuple[Column, ...]:
        """Those of the visible columns that are on the screen now, as a whole or in part."""
        view = Viewport(self._columns.place(self.line_width), self.scroll_offset.x, self.line_width)
        return tuple(slot.column for slot in (*view.fixed_slots, *view.moving_slots))

    @property
    def focused_column(self) -> Column | None:
        return self._columns.focused_column

    def focus_column(self, index: int) -> None:
        """Put the column cursor on the visible column of that number, from 0."""
        self._columns.focus(index)
        self._show_columns()

    def action_column(self, step: int) -> None:
        self.focus_column(self._columns.focused + step)

    def action_hide_column(self) -> None:
        """The last visible column stays."""
        column = self._columns.focused_column
        before = self._current_state("columns")
        if column is not None and self._columns.hide(column.name):
            self._undo.append(before)
            self._filter_step = False
            self._columns_changed()

    def action_show_columns(self) -> None:
        self._remember("columns")
        self._columns.show_all()
        self._columns.observe(self._model.frame)
        self._columns_changed()

    def action_widen(self, cells: int) -> None:
        column = self._columns.focused_column
        if column is not None:
            self._remember("columns")
            self._columns.widen(column.name, cells, self.line_width)
            self._columns_changed()

    def _columns_changed(self) -> None:
        self._show_columns()
        self.post_message(self.ArrangementChanged())

    def _show_columns(self) -> None:
        self.fit_virtual_size()
        self._show_focused_column()
        self.refresh()

    def _show_focused_column(self) -> None:
        layout = self._columns.place(self.line_width)
        if not layout.slots:
            return
        slot = layout.slots[min(self._columns.focused, len(layout.slots) - 1)]
        x = self.scroll_offset.x
        if slot.end <= layout.fixed:
            return
        if slot.start - x < layout.fixed:
            self.scroll_to(x=slot.start - layout.fixed, animate=False, force=True)
        elif slot.end - x > self.line_width:
            self.scroll_to(x=min(slot.end - self.line_width, slot.start - layout.fixed), animate=False, force=True)

    def action_sort_column(self, number: int) -> None:
        """Sort by the visible column of that number, from 1, and by no other; again reverses."""
        visible = self._columns.visible
        if 1 <= number <= len(visible):
            name = visible[number - 1].name
            before = next((key for key in self._model.sort_keys if key.column == name), None)
            self._set_sort((SortKey(name, descending=before is not None and not before.descending),))

    def action_sort_focused(self) -> None:
        self.action_sort_column(self._columns.focused + 1)

    def action_add_sort_key(self) -> None:
        """Also sort by the column under the cursor, behind the other keys; again reverses it, a third time drops it."""
        column = self._columns.focused_column
        if column is None:
            return
        keys = {key.column: key for key in self._model.sort_keys}
        if (before := keys.get(column.name)) is not None and before.descending:
            del keys[column.name]
        else:
            keys[column.name] = SortKey(column.name, before is not None)
        self._set_sort(tuple(keys.values()))
