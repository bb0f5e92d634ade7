"""What makes another list of the one in view: an SQL query, a pivot table; and watching it until it ends."""

from __future__ import annotations

from backends.locators import Locator
from backends.queries.locators import SqlQuery
from tui.widgets.list_arrangement import ArrangedView

_QUERIES = "queries"  # the preference that holds earlier queries, of any list


class QueriedView(ArrangedView):
    """A list that can be asked with SQL, grouped, and watched."""

    def action_query(self) -> None:
        from tui.widgets.query_dialogs import QueryDialog, sources_in_view

        if self.resource is None or self.table is None:
            return
        tables = sources_in_view(self.resource, self.table)
        self.app.push_screen(QueryDialog(tables, self._preferences.texts(_QUERIES)), self._open_query)

    def _open_query(self, query: SqlQuery | None) -> None:
        from tui.widgets.query_dialogs import add_earlier

        if query is not None:
            self._preferences.set(_QUERIES, add_earlier(query.query, self._preferences.texts(_QUERIES)))
            self.open_target(query)

    def action_pivot(self) -> None:
        from tui.widgets.query_dialogs import PivotDialog, sources_in_view

        if self.resource is None or self.table is None:
            return
        focused = self.table.focused_column
        rows = focused.name if focused is not None and focused.is_text else ""
        self.app.push_screen(PivotDialog(sources_in_view(self.resource, self.table)["shown"], rows), self._open_made)

    def _open_made(self, locator: Locator | None) -> None:
        if locator is not None:
            self.open_target(locator)

    def action_watch(self) -> None:
        if self.resource is not None:
            self.app.toggle_watch(self.resource, self.title)  # type: ignore[attr-defined]

    def open_target(self, locator: Locator) -> None:
        """Shows it on top of this list."""
        raise NotImplementedError
