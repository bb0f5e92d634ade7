"""How a list is shown and what is remembered of it: filter, sort, columns; saved views, the chooser, undo.

Sort and columns are remembered for each kind of list (a system's "tasks"). A filter comes back only where the user can
expect it: with a saved view, or with the list that was open when the app ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual import on

from backends.locators import Locator
from backends.resources import Resource
from tui.history import OpenList
from tui.list_settings import ListSettings
from tui.preferences import Preferences
from tui.widgets.filter_line import FilterLine
from tui.widgets.list_loading import LoadingView
from tui.widgets.row_order import SortKey
from tui.widgets.status_line import StatusLine
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    from backends.session import Session
    from tui.list_settings import ColumnArrangement
    from tui.widgets.views_dialog import ViewChoice


class ArrangedView(LoadingView):
    """A list with a FilterLine. `restored`: how it was when the app ended."""

    def __init__(self, session: Session, locator: Locator, restored: OpenList | None = None) -> None:
        super().__init__(session, locator)
        self.restored = restored
        self._original = ListSettings()  # what the list itself wants

    @property
    def _preferences(self) -> Preferences:
        return self.app.preferences  # type: ignore[attr-defined, no-any-return]

    @property
    def kind(self) -> str:
        """What preferences call lists of this kind."""
        return f"{self.locator.system}.{self.resource.noun[1]}" if self.resource is not None else ""

    def set_up_table(self, resource: Resource, table: FrameTable) -> None:
        line = self.query_one(FilterLine)
        line.set_earlier(self._preferences.texts(f"filters.{resource.noun[1]}"))
        default = tuple(SortKey(*key) for key in resource.default_sort)
        self._original = replace(table.settings, sort=default)
        restored, settings = self.restored, self._preferences.list_settings(self.kind)
        if restored is not None:
            settings, self._first_key = restored.settings, restored.row or resource.first_key
        table.apply_settings(settings, default)
        if text := resource.first_filter if restored is None else settings.filter:
            line.set_initial(text)
        line.apply()  # also what was typed before there was a table
        table.forget_undo()

    # ---- what is remembered ------------------------------------------------------------------------------------

    @on(FrameTable.ArrangementChanged)
    def _remember_settings(self, event: FrameTable.ArrangementChanged) -> None:
        event.stop()
        if self.table is not None:
            self._preferences.set_list_settings(self.kind, self._chosen_settings(self.table))
            self.show_counts()

    def _chosen_settings(self, table: FrameTable) -> ListSettings:
        """What is shown, without what is as the list itself wants it."""
        now, own = table.settings, self._original
        return ListSettings(
            None if now.columns == own.columns else now.columns, None if now.sort == own.sort else now.sort, now.filter
        )

    @on(FilterLine.HistoryChanged)
    def _keep_filters(self, event: FilterLine.HistoryChanged) -> None:
        event.stop()
        if self.resource is not None:
            self._preferences.set(f"filters.{self.resource.noun[1]}", event.texts)

    def open_list(self, reader: str = "") -> OpenList:
        """What is needed to open it again as it is now. `reader`: the locator of the text that lies on it."""
        if self.table is None or self.resource is None:
            return self.restored or OpenList(self.locator.text())
        row = self._first_key or self.table.cursor_key or ""
        return OpenList(self.locator.text(), self._chosen_settings(self.table), row, reader)

    # ---- views saved under names -------------------------------------------------------------------------------

    def saved_views(self) -> dict[str, ListSettings]:
        return self._preferences.views(self.kind) if self.resource is not None else {}

    def view_commands(self) -> list[tuple[str, Callable[[], None]]]:
        """(label, what runs it) of each saved view."""
        return [(f"View: {name}", partial(self.show_view, name)) for name in self.saved_views()]

    def action_views(self) -> None:
        if self.resource is None:
            return
        from tui.widgets.views_dialog import ViewsDialog

        def delete(name: str) -> None:
            self._preferences.save_view(self.kind, name, None)

        title = f"Views of {self.resource.noun[1]}"
        self.app.push_screen(ViewsDialog(title, self.saved_views(), delete), self._take_choice)

    def _take_choice(self, choice: ViewChoice | None) -> None:
        if choice is None or self.table is None:
            return
        if choice.act == "save":
            if self._preferences.save_view(self.kind, choice.name, self._chosen_settings(self.table)):
                until = ", until the demo ends" if self.session.demo else ""
                self.query_one(StatusLine).say(f"saved as “{choice.name}”{until}")
            else:
                where = self.app.session.settings.state_path  # type: ignore[attr-defined]
                self.app.notify(f"{where} cannot be written to.", title="The view is not saved", severity="error")
        else:
            self.show_view(choice.name)

    def show_view(self, name: str) -> None:
        """Shows a saved view; "" the list as it is by itself. `U` goes back."""
        table, settings = self.table, self.saved_views().get(name, ListSettings())
        if table is None:
            return
        table.take_settings(settings, self._original.sort or ())
        self.query_one(FilterLine).set_text(settings.filter)
        table.begin_undo_step()

    # ---- columns and undo --------------------------------------------------------------------------------------

    def action_choose_columns(self) -> None:
        table, original = self.table, self._original.columns
        if table is None or original is None:
            return
        from tui.widgets.column_chooser import ColumnChooser

        def arrange(wanted: ColumnArrangement) -> ColumnArrangement:
            table.arrange_columns(wanted)
            return table.arrangement

        self.app.push_screen(ColumnChooser(table.schema, table.arrangement, original, arrange))

    def action_undo(self) -> None:
        step = self.table.undo() if self.table is not None else None
        if step is None:
            return
        self.query_one(FilterLine).set_text(step.filter_text)
        self.query_one(StatusLine).say(f"undone: {step.change}")
