"""What can be done with the rows of a list: open, read, measure, download, export, browse, copy, pin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import work
from textual.containers import Vertical
from textual.message import Message

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.locators import Locator
from backends.resources import Action, Document, DownloadWay, Entry, Link, LogAddress, Question, Resource, Row
from tui import crash_log
from tui.exporting import export_table
from tui.widgets.frame_table import FrameTable

if TYPE_CHECKING:
    import polars as pl


# What a resource has to have of its own for a key to be of use on it.
_OFFERED_BY = {
    "log": "log",
    "document": "document",
    "download": "files download",
    "compare": "compare",
    "menu": "menu",
    "measurements": "measurements",
    "open_marked": "open_marked",
    "chart": "chart",
    "zoom": "chart",
}


class RowActions(Vertical):
    """The part of a list's view that acts on the marked rows, or on the one under the cursor."""

    resource: Resource | None
    doing: CancelToken | None = None  # what stops the action under way
    locator: Locator
    title: str

    class Open(Message):
        """Something to show on top of this list: another list, a text, a tree."""

        def __init__(self, target: Locator | LogAddress | Document) -> None:
            self.target = target
            super().__init__()

    class Pin(Message):
        """Pin this list on the start screen, or unpin it."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that this kind of list has no use for are neither offered nor taken."""
        methods = _OFFERED_BY.get(action)
        if methods is None:
            return True
        own = type(self.resource)
        return self.resource is not None and any(
            getattr(own, method) is not getattr(Resource, method) for method in methods.split()
        )

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

    def action_document(self) -> None:
        row = self.cursor_row
        document = self.resource.document(row) if self.resource is not None and row is not None else None
        if document is None:
            self.app.notify("This row has nothing to show as a tree.")
        else:
            self.post_message(self.Open(document))

    def action_compare(self) -> None:
        if self.resource is None or self.table is None:
            return
        try:
            locator = self.resource.compare(self.table.marked)
        except AppError as problem:
            self.app.tell(problem)  # type: ignore[attr-defined]
            return
        if locator is None:
            self.app.notify("Rows of this list cannot be compared.")
        else:
            self.post_message(self.Open(locator))

    def action_menu(self) -> None:
        if self.resource is None or self.table is None:
            return
        rows = self.table.marked if self.table.marked_count else self.table.shown
        here = self.resource.locator
        entries = [one for one in self.resource.menu(self.cursor_row, rows) if getattr(one, "opens", None) != here]
        if not entries:
            self.app.notify("There is nothing more to do with this list.")
            return
        from tui.screens.menu import MenuScreen

        self.app.push_screen(MenuScreen(self.title, entries), self._chose)

    def _chose(self, entry: Entry | None) -> None:
        if isinstance(entry, Link):
            if isinstance(entry.opens, str):
                self._browse(entry.opens)
            else:
                self.post_message(self.Open(entry.opens))
        elif isinstance(entry, Question):
            from tui.screens.menu import AskScreen

            self.app.push_screen(AskScreen(entry), self._answered)
        elif isinstance(entry, Action):
            self.do(entry)
        elif isinstance(entry, DownloadWay):
            self.app.download_by(self.title, entry)  # type: ignore[attr-defined]

    def _answered(self, locator: Locator | None) -> None:
        if locator is not None:
            self.post_message(self.Open(locator))

    @work(group="ask")
    async def do(self, action: Action) -> None:
        """Asks if the action wants that, carries it out in a thread, says how it went and loads the list again."""
        from tui.screens.confirm import ConfirmScreen

        if action.confirm and not await self.app.push_screen_wait(ConfirmScreen(action.confirm, action.label)):
            return
        cancel = self.doing = CancelToken()
        self.told(f"{action.label}…")
        self.run_worker(partial(self._carry_out, action, cancel), thread=True, group="do", exit_on_error=False)

    def _carry_out(self, action: Action, cancel: CancelToken) -> None:
        """In a worker thread."""
        problem: AppError | None = None
        words = ""
        try:
            words = action.run(cancel, partial(self._from_thread, self.told))
        except AppError as told:
            problem = told
        except Exception as error:
            problem = crash_log.as_problem(error)
        self._from_thread(self._done, words, problem)

    def _from_thread(self, method: Callable[..., None], *arguments: object) -> None:
        if self.is_attached and self.app.is_running:
            self.app.call_from_thread(method, *arguments)

    def _done(self, words: str, problem: AppError | None) -> None:
        self.doing = None
        self.told("")
        if isinstance(problem, OperationCancelledError):
            self.app.notify("Stopped.")
        elif problem is not None:
            self.app.tell(problem)  # type: ignore[attr-defined]
        else:
            self.app.notify(words, markup=False)
        self.reload()

    def told(self, words: str) -> None:
        """How far an action is, in a sentence; "" when none is under way."""
        raise NotImplementedError

    def reload(self) -> None:
        """The rows may have changed."""
        raise NotImplementedError

    def action_download(self) -> None:
        resource, rows = self.resource, self.chosen()
        action = resource.download(rows) if resource is not None and rows is not None else None
        if action is not None:
            self.do(action)
            return
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
            self._browse(url)

    def _browse(self, url: str) -> None:
        self.app.open_url(url)
        self.app.notify(url, title="Opened in the browser", markup=False)

    def action_copy(self) -> None:
        row = self.cursor_row
        locator = self.resource.open(row) if self.resource is not None and row is not None else None
        text = (locator or self.locator).text()
        self.app.copy_to_clipboard(text)
        self.app.notify(text, title="Copied", markup=False)
