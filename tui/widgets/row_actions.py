"""What can be done with the rows of a list: open, read, measure, download, export, browse, copy, pin."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.message import Message

from backends.locators import Locator
from backends.resources import Document, LogAddress, Resource, Row
from tui.exporting import export_table
from tui.widgets.frame_table import FrameTable

if TYPE_CHECKING:
    import polars as pl


class RowActions(Vertical):
    """The part of a list's view that acts on the marked rows, or on the one under the cursor."""

    resource: Resource | None
    locator: Locator
    title: str

    class Open(Message):
        """Something to show on top of this list: another list, a text, a tree."""

        def __init__(self, target: Locator | LogAddress | Document) -> None:
            self.target = target
            super().__init__()

    class Pin(Message):
        """Pin this list on the start screen, or unpin it."""

    @property
    def table(self) -> FrameTable | None:
        """The rows; None until the resource is known."""
        found = self.query(FrameTable)
        return found.first() if found else None

    @property
    def cursor_row(self) -> Row | None:
        return self.table.cursor_row if self.table is not None else None

    def chosen(self) -> pl.DataFrame | None:
        """The marked rows, or the one under the cursor; None if there is neither."""
        table = self.table
        if table is None or not table.total_count:
            return None
        if table.marked_count:
            return table.marked
        row = table.cursor
        return table.shown.slice(row, 1) if table.row_count else None

    def action_open_marked(self) -> None:
        rows = self.chosen()
        locator = self.resource.open_marked(rows) if self.resource is not None and rows is not None else None
        if locator is None:
            self.app.notify("Nothing marked that can be opened together.")
        else:
            self.post_message(self.Open(locator))

    def action_log(self) -> None:
        row = self.cursor_row
        address = self.resource.log(row) if self.resource is not None and row is not None else None
        if address is None:
            self.app.notify("This row has no text to read.")
        else:
            self.post_message(self.Open(address))

    def action_download(self) -> None:
        resource, rows = self.resource, self.chosen()
        if resource is None or rows is None or not resource.downloadable:
            self.app.notify("Nothing here can be downloaded.")
            return
        count = f"{len(rows):,} {resource.noun[len(rows) != 1]}"
        self.app.download(f"{self.title}: {count}", partial(resource.files, rows))  # type: ignore[attr-defined]

    def action_export(self) -> None:
        if self.table is None or self.resource is None or not self.table.total_count:
            self.app.notify("There are no rows to export yet.")
            return
        export_table(self.app, self.table, self.resource.schema, self.resource.noun[1])

    def action_pin(self) -> None:
        self.post_message(self.Pin())

    def action_measurements(self) -> None:
        rows = self.chosen()
        locator = self.resource.measurements(rows) if self.resource is not None and rows is not None else None
        if locator is None:
            self.app.notify("Rows of this list measure nothing.")
        else:
            self.post_message(self.Open(locator))

    def action_browse(self) -> None:
        url = self.resource.web_url(self.cursor_row) if self.resource is not None else None
        if url is None:
            self.app.notify("This has no page on the web.")
        else:
            self.app.open_url(url)
            self.app.notify(url, title="Opened in the browser", markup=False)

    def action_copy(self) -> None:
        row = self.cursor_row
        locator = self.resource.open(row) if self.resource is not None and row is not None else None
        text = (locator or self.locator).text()
        self.app.copy_to_clipboard(text)
        self.app.notify(text, title="Copied", markup=False)
