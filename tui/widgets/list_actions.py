"""What can be done with a list from its keys and its menu: downloads, exports, copies, queries, watching.

Whatever runs is an `Action` in a thread; how it went is said, and the list is loaded again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
from textual import on, work

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.locators import Locator
from backends.queries.locators import SqlQuery
from backends.resources import Action, DownloadWay, Entry, Link, Question, ViewTarget
from tui import crash_log
from tui.menus import MenuCommand, Section, menu_sections, with_marked
from tui.widgets.list_arrangement import ArrangedView
from tui.widgets.statistics import StatisticsPanel
from tui.widgets.status_line import StatusLine
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    from tui.widgets.copy_dialog import CopyChoice

_QUERIES = "queries"  # the preference that holds earlier queries, of any list
# What is said where a key finds nothing to act on.
NOTHING = {
    "log": "This row has no text to read.",
    "document": "This row has nothing to show as a tree.",
    "download": "Nothing here can be downloaded.",
    "compare": "Rows of this list cannot be compared.",
    "measurements": "These rows have no measurements.",
    "open_marked": "The marked rows cannot be opened together.",
    "chart": "This list has no chart; h shows statistics and a histogram.",
    "export": "There are no rows to export yet.",
    "browse": "This row has no web page.",
    "failures": "Failures of this list are not grouped.",
    "menu": "This list has no further actions.",
    "stop": "Nothing is being loaded.",
    "undo": "There is nothing to undo.",
    "watch": "Nothing runs in this list, so it cannot be watched.",
    "zoom": "There is no chart to zoom; c shows one where the list has one.",
    "statistics_column": "This is a key of the statistics; h shows them.",
    "statistics_log": "This is a key of the statistics; h shows them.",
    "statistics_group": "This is a key of the statistics; h shows them.",
}


class ActiveView(ArrangedView):
    """A list and what is done with its rows: the marked ones, or the one under the cursor."""

    @property
    def cursor_row(self) -> dict[str, Any] | None:
        return self.table.cursor_row if self.table is not None else None

    def selected_rows(self) -> pl.DataFrame | None:
        """The marked rows, or the one under the cursor; None if there is neither."""
        table = self.table
        if table is None or not table.total_count:
            return None
        if table.marked_count:
            return table.marked_rows
        return table.row_under_cursor if table.row_count else None

    # ---- the menu --------------------------------------------------------------------------------------------
    def _menu_sections(self) -> list[Section]:
        if self.resource is None or self.table is None:
            return []
        marked = self.table.marked_count
        rows = self.table.marked_rows if marked else self.table.shown_rows
        return menu_sections(self.resource, self.cursor_row, rows, marked)

    def menu_commands(self) -> list[MenuCommand]:
        """The entries of the menu, for the palette."""
        return [
            MenuCommand(heading, entry.letter, entry.label, partial(self._run_entry, entry))
            for heading, entries in self._menu_sections()
            for entry in entries
        ]

    @on(FrameTable.MenuRequested)
    def _open_menu(self, event: FrameTable.MenuRequested) -> None:
        event.stop()
        self.action_menu()

    def action_menu(self) -> None:
        sections = self._menu_sections()
        if self.resource is not None and self.table is not None and self.table.marked_count:
            sections = with_marked(sections, self.resource, self.table.marked_rows)
        if not sections:
            self.app.notify(NOTHING["menu"])
            return
        from tui.widgets.dialogs import MenuDialog

        self.app.push_screen(MenuDialog(self.title, sections), self._run_entry)

    def _run_entry(self, entry: Entry | None) -> None:
        if isinstance(entry, Link):
            if isinstance(entry.opens, str):
                self._browse(entry.opens)
            else:
                self.open_target(entry.opens)
        elif isinstance(entry, Question):
            from tui.widgets.dialogs import QuestionDialog

            self.app.push_screen(QuestionDialog(entry), self._open_answer)
        elif isinstance(entry, Action):
            self.perform(entry)
        elif isinstance(entry, DownloadWay):
            self.app.download_by(self.title, entry)  # type: ignore[attr-defined]

    def _open_answer(self, locator: Locator | None) -> None:
        if locator is not None:
            self.open_target(locator)

    @work(group="ask")
    async def perform(self, action: Action) -> None:
        """Asks if the action wants that, runs it in a thread, says how it went and loads the list again."""
        from tui.widgets.dialogs import ConfirmDialog

        if action.confirm and not await self.app.push_screen_wait(ConfirmDialog(action.confirm, action.label)):
            return
        cancel = self._action_cancel = CancelToken()
        self.show_progress(f"{action.label}…")
        self.run_worker(partial(self._perform, action, cancel), thread=True, group="do", exit_on_error=False)

    def _perform(self, action: Action, cancel: CancelToken) -> None:
        """In a worker thread."""
        progress = partial(self._call_from_thread, self.show_progress)
        sentence, error = crash_log.attempt(action.run, cancel, progress)
        self._call_from_thread(self._finish_action, action.label.rstrip("…"), sentence, error)

    def _finish_action(self, label: str, sentence: str, error: AppError | None) -> None:
        self._action_cancel = None
        self.show_progress("")
        if isinstance(error, OperationCancelledError):
            self.app.notify(f"Stopped: {label}.")
        elif error is not None:
            self.app.show_error(error)  # type: ignore[attr-defined]
        else:
            self.app.notify(sentence, markup=False)
        self.load(refresh=True)

    # ---- other actions ---------------------------------------------------------------------------------------
    def action_download(self) -> None:
        resource, rows = self.resource, self.selected_rows()
        action = resource.download(rows) if resource is not None and rows is not None else None
        if action is not None:
            self.perform(action)
            return
        if resource is None or rows is None or not resource.downloadable:
            self.app.notify(NOTHING["download"])
            return
        count = f"{len(rows):,} {resource.noun[len(rows) != 1]}"
        self.app.download(f"{count} of {self.title}", partial(resource.files, rows))  # type: ignore[attr-defined]

    def action_export(self) -> None:
        table, resource = self.table, self.resource
        if table is None or resource is None or not table.total_count:
            self.app.notify(NOTHING["export"])
            return
        from backends.resources import describe_list
        from tui.widgets.export_dialog import export_table

        measured = self.query_one(StatisticsPanel).column if self.has_class("-statistics") else None
        column = measured.name if measured is not None else None
        heading = describe_list(resource, filter=table.filter_text, column=column)
        lack = "The list was still loading: there may be more rows and cells." if self.is_loading else ""
        complete = self.export_when_complete if resource.quick_columns and not lack else None
        export_table(self.app, table, resource.schema, resource.noun[1], heading, lack, complete)

    def action_browse(self) -> None:
        url = self.resource.web_url(self.cursor_row) if self.resource is not None else None
        if url is None:
            self.app.notify(NOTHING["browse"])
        else:
            self._browse(url)

    def _browse(self, url: str) -> None:
        self.app.open_url(url)
        self.app.notify(url, title="Opened in the browser", markup=False)

    def action_copy(self) -> None:
        resource, row = self.resource, self.cursor_row
        locator = resource.open(row) if resource is not None and row is not None else None
        text = (locator or self.locator).text()
        self.app.copy_to_clipboard(text)
        self.app.notify(text, title="Copied", markup=False)

    def action_copy_as(self) -> None:
        """Asks what to copy of the cell, the row or the marked rows, and as what."""
        table, resource = self.table, self.resource
        if table is None or resource is None or table.cursor_key is None:
            return
        from tui.widgets.copy_dialog import CopyDialog, copy_choices

        column = table.focused_column
        counts = len(table.columns_in_sight), len(table.visible_columns)
        choices = copy_choices(column.label if column is not None else "", table.marked_count, resource.noun, counts)
        self.app.push_screen(CopyDialog(choices), self._copy_choice)

    def _copy_choice(self, choice: CopyChoice | None) -> None:
        table = self.table
        if choice is None or table is None:
            return
        from tui.widgets import copy_dialog

        rows = table.marked_rows_as_shown if choice.what == "marked" else table.row_under_cursor
        column = table.focused_column
        columns = table.visible_columns if choice.all_columns else table.columns_in_sight
        text = ""
        if len(rows) <= copy_dialog.MAX_ROWS and not rows.is_empty():
            if choice.what == "cell" and column is not None:
                text = copy_dialog.cell_texts(rows[column.name], column)[0]
            elif choice.form == "tsv":
                text = copy_dialog.rows_as_tsv(rows, columns)
            elif choice.form == "markdown":
                text = copy_dialog.rows_as_markdown(rows, columns)
            else:
                text = copy_dialog.rows_as_text(rows, table.schema, columns)
        if len(rows) > copy_dialog.MAX_ROWS or len(text) > copy_dialog.MAX_CHARACTERS:
            self.app.notify("That is too much for a clipboard. Press e to export it.", severity="warning")
        else:
            self.app.copy_to_clipboard(text)
            self.query_one(StatusLine).say(f"copied: {choice.label}")

    # ---- queries, watching -----------------------------------------------------------------------------------
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

    def open_target(self, target: ViewTarget) -> None:
        """Shows it on top of this list."""
        raise NotImplementedError
