"""What a list view does to have its rows: loads them page by page, completes those in sight, keeps them up to date.

Loading runs in a worker thread; each load has a number, and what an older one still sends is dropped.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import polars as pl
from rich.text import Text
from textual import on
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.http.errors import OfflineError, redact_url
from backends.http.response import Freshness
from backends.loading import LoadingPace
from backends.locators import Locator
from backends.resources import Page, Resource
from tui import crash_log
from tui.input_queue import call_after_input
from tui.widgets.detail_panel import DetailPanel
from tui.widgets.plain import PlainVertical, is_present
from tui.widgets.status_line import StatusLine
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    from backends.session import Session
    from tui.widgets.export_dialog import WriteRows

_PAGES_TICK = 0.3  # seconds between two times that pages are shown, while they come faster
_SIGHT_TICK = 0.3  # seconds between two checks which rows are on the screen, while rows still arrive
_MAX_PAUSE = 300.0  # seconds between two tries of a server that fails


class LoadingView(PlainVertical):
    """A list that has a StatusLine, a DetailPanel and a Static `#view-message` in `#view-body`; it makes the table.

    Subclasses define the methods that raise NotImplementedError here.
    """

    def __init__(self, session: Session, locator: Locator) -> None:
        super().__init__()
        self.session = session
        self.locator = locator
        self.resource: Resource | None = None
        self.table: FrameTable | None = None  # the rows; None until the resource is known
        self.title = "…"
        self._cancel = CancelToken()  # of the load
        self._action_cancel: CancelToken | None = None  # of the action that runs
        self._load_number = 0
        self._pages: deque[Page] = deque()  # of the load, that have come and are not shown yet; two threads use it
        self._pages_shown = 0.0  # time.monotonic()
        self._pace = LoadingPace()
        self._freshness: Freshness | None = None
        self._first_key = ""  # of the row that the cursor begins on, until it has come
        self._meant_key = ""  # of the row that the locator meant, which some lists only know with their rows
        self._write_rows: WriteRows | None = None  # an export that waits until all rows have all of their cells
        self._in_sight: tuple[list[str], frozenset[str] | None] = ([], None)  # keys, and columns that are asked for
        self._complete_cancel = CancelToken()
        self._refresh_cancel = CancelToken()
        self._refresh_pause = 0.0
        self._refreshed = False  # since the list was loaded
        self._left_loading = False  # whether it was left before all rows had come
        self.message = ""  # what whoever made it says of it
        self._message_asked = False
        self._message_cancel = CancelToken()

    def set_up_table(self, resource: Resource, table: FrameTable) -> None:
        """The table was made and is empty: what it is sorted and filtered by at first."""
        raise NotImplementedError

    def report_title(self) -> None:
        """The list has its title and its resolved locator now, or all of its rows."""
        raise NotImplementedError

    def open_first_log(self, resource: Resource) -> None:
        """Opens what the locator meant beside the list, if it did."""
        raise NotImplementedError

    def first_row_found(self) -> None:
        """The cursor is on the row that the list was opened for."""
        raise NotImplementedError

    def show_counts(self) -> None:
        """Other rows are there, shown or marked."""
        raise NotImplementedError

    def show_progress(self, text: str) -> None:
        """How far an action is; "" when none runs."""
        self.query_one(StatusLine).show(note=f"{text} (Ctrl+X stops)" if text else "")

    @property
    def is_loading(self) -> bool:
        return self.query_one(StatusLine).status.loading

    def on_mount(self) -> None:
        self.set_interval(_SIGHT_TICK, self._look_at_loading)
        if self.display:  # one that is below others when the app starts loads when it is seen
            self.load()
        else:
            self._left_loading = True

    def on_show(self) -> None:
        if self._left_loading:
            self._left_loading = False
            self.load()

    def on_unmount(self) -> None:
        self.stop_work()

    def put_aside(self) -> None:
        """Hides the list, which may be shown again; until then nothing is fetched for it."""
        self._left_loading = self.is_loading
        self.stop_work()
        self.display = False

    def show_again(self) -> None:
        """Also loads what had not come when it was put aside."""
        self.display = True
        if self._left_loading:
            self._left_loading = False
            self.load()
        elif self.resource is not None:
            self._ask_for_message()
            self._start_refreshing(self.resource)

    def stop_work(self) -> None:
        self.drop_export()
        self._refresh_cancel.cancel()
        self._complete_cancel.cancel()
        self._message_cancel.cancel()
        self._cancel.cancel()
        if self._action_cancel is not None:
            self._action_cancel.cancel()

    def _call_from_thread(self, method: Callable[..., None], *arguments: object) -> None:
        if is_present(self) and self.app.is_running:
            self.app.call_from_thread(method, *arguments)

    # ---- loading ---------------------------------------------------------------------------------------------
    def load(self, refresh: bool = False) -> None:
        """Starts to fetch the list, dropping an earlier fetch that still runs."""
        self.drop_export()
        self._refresh_cancel.cancel()
        self._complete_cancel.cancel()
        self._cancel.cancel()
        self._cancel = CancelToken()
        self._load_number += 1
        self._pages = deque()
        self._freshness = None
        self._pace = LoadingPace()
        self.query_one(StatusLine).show(
            loading=True, problem="", note="", freshness=None, expected=None, work=None, left=""
        )  # fmt: skip
        if self.table is None or self.table.total_count == 0:
            self._show_message("Loading…")
        fetch = partial(self._fetch, self._load_number, self._cancel, self._pages, refresh)
        self.run_worker(fetch, thread=True, group="load", exit_on_error=False)

    def _fetch(self, number: int, cancel: CancelToken, pages: deque[Page], refresh: bool) -> None:
        """In a worker thread: everything that waits, but not for the interface to show a page."""

        def fetch() -> None:
            resource = self.session.resource(self.locator, cancel, refresh=refresh)
            self._call_from_thread(self._receive, number, self._show_resource, resource)
            for page in resource.pages(cancel):
                cancel.check()
                pages.append(page)
                if len(pages) == 1 and number == self._load_number:  # else it is told already
                    self.call_later(self._expect_pages, number)

        _, error = crash_log.attempt(fetch)
        finish = partial(self._receive, number, self._finish_load, error)
        self._call_from_thread(call_after_input, self.app, finish)

    def _expect_pages(self, number: int) -> None:
        """Shows what has come, soon: each time costs as much as several pages."""
        if number == self._load_number and is_present(self):
            take = partial(self._receive, number, self._take_pages)
            pause = self._pages_shown + _PAGES_TICK - time.monotonic()
            self.set_timer(pause, partial(call_after_input, self.app, take))

    def _take_pages(self) -> None:
        _, error = crash_log.attempt(self._show_pages)
        if error is not None:
            self._cancel.cancel()
            self._finish_load(error)

    def _receive(self, number: int, method: Callable[..., None], *arguments: object) -> None:
        if number == self._load_number and is_present(self):
            method(*arguments)

    def _show_resource(self, resource: Resource) -> None:
        self.resource, self.title, self.locator = resource, resource.title, resource.locator
        resource.asked = self._asked_columns(resource)
        if self.table is None:
            table = self.table = FrameTable(resource.schema)
            self._first_key = self._meant_key = resource.first_key
            self.query_one("#view-body").mount(table, before=self.query_one(DetailPanel))
            self.set_up_table(resource, table)
        self.set_class(resource.chart is not None, "-chart")
        self.query_one(StatusLine).show(noun=resource.noun)
        self.refresh_bindings()
        self.report_title()
        note = self.session.credentials_note if self.locator.system == "taskcluster" else ""
        if note and not self.session.credentials_told:
            self.session.credentials_told = True
            self.app.notify(note, severity="warning", markup=False, timeout=15)
        self.open_first_log(resource)

    def _show_pages(self) -> None:
        """All that have come."""
        table = self.table
        if table is None or not self._pages:
            return
        before = table.total_count
        frames: list[pl.DataFrame] = []
        status: dict[str, object] = {"at": time.monotonic()}
        while self._pages:
            page = self._pages.popleft()
            if page.replace:
                frames.clear()
                table.replace(page.frame)
            else:
                frames.append(page.frame)
            fresh = self._freshness is None or page.replace
            self._freshness = page.freshness if fresh else page.freshness.worse(self._freshness)  # type: ignore[arg-type]
            status |= {"freshness": self._freshness, "expected": page.total}
            status |= {"note": page.note} if page.note else {}
        if frames:
            table.append(*frames)
        if self.resource is not None and any(column.results for column in table.schema):
            table.set_result_ages(self.resource.result_ages)
        self._pages_shown = time.monotonic()
        meant = self.resource.first_key if self.resource is not None else ""
        if meant != self._meant_key:
            self._meant_key = meant
            self._first_key = self._first_key or meant
        self._go_to_first_row()
        self.query_one(StatusLine).show(**status)
        if self.resource is not None and self.title != self.resource.title:
            self.title = self.resource.title
            self.report_title()
        self._ask_for_message()
        if table.busy:  # else it has said that other rows are shown
            self.show_counts()
        if table.total_count and not before:
            self._show_message("")
            if self.screen.focused is self:  # has_focus is true only once the event has been handled
                table.focus()

    @on(FrameTable.ViewChanged)
    def _go_to_first_row(self) -> None:
        """Once, when it is shown."""
        if self._first_key and self.table is not None and self.table.move_to_key(self._first_key):
            self._first_key = ""
            self.first_row_found()

    def _ask_for_message(self) -> None:
        """Once, when the list knows who made it: nothing waits for the answer."""
        resource = self.resource
        if resource is not None and resource.made_by and not self._message_asked:
            self._message_asked, self._message_cancel = True, CancelToken()
            work = partial(self._find_message, resource, self._message_cancel)
            self.run_worker(work, thread=True, group="message", exit_on_error=False)

    def _find_message(self, resource: Resource, cancel: CancelToken) -> None:
        """In a worker thread."""
        found, _ = crash_log.attempt(resource.find_message, cancel)
        self._call_from_thread(self._show_message_of_maker, found)

    def _show_message_of_maker(self, found: str | None) -> None:
        self._message_asked = found is not None  # else it was put aside meanwhile
        if found:
            self.message = found
            self.report_title()

    def _finish_load(self, error: AppError | None) -> None:
        _, failure = crash_log.attempt(self._show_pages)
        error = error or failure
        status, rows = self.query_one(StatusLine), self.table.total_count if self.table is not None else 0
        message = ""
        if isinstance(error, OperationCancelledError):
            message = "Stopped. Press r to load again."
            status.show(loading=False, problem="", note="stopped before the end, r loads again")
        elif error is not None:
            can_go_online = isinstance(error, OfflineError) and self.session.capsule is None
            again = "O goes online" if can_go_online else "r tries again"
            message = f"{error.sentence}\n\n{error.hint}\n\n{again} · Esc goes back · Ctrl+O opens something else"
            problem = f"{error.sentence} ({again})" if rows else f"failed, {again}"
            status.show(loading=False, problem=problem)
            if self.resource is None:
                self.title = redact_url(self.locator.text())
                self.report_title()
        else:
            notes = " ".join(self.session.notes)
            status.show(loading=False, problem="", **({"note": notes} if notes else {}))
            message = self.resource.empty_text if self.resource else ""
        if not rows:
            self._show_message(message)
        self.show_counts()
        if error is None and self.resource is not None:
            self._in_sight = ([], None)  # what was asked for while it was loading
            self.report_title()
            self._start_refreshing(self.resource)

    def _show_message(self, message: str) -> None:
        """Shows a message in place of the table; "" shows the table."""
        self.set_class(bool(message), "-message")
        self.query_one("#view-message", Static).update(Text(message))
        if message and self.table is not None and self.table.has_focus:
            self.focus()

    def _asked_columns(self, resource: Resource) -> frozenset[str] | None:
        """What every row needs where not all columns are cheap: those, and what is filtered, sorted or summed up by."""
        if not resource.quick_columns or self._write_rows is not None or self.has_class("-statistics"):
            return None
        asked = self.table.columns_in_use if self.table is not None else frozenset[str]()
        return asked.union(resource.quick_columns)

    def _look_at_loading(self) -> None:
        """Every now and then: what is on the screen is fetched first, and how far all of it is is shown."""
        self._report_rows_in_sight()
        if self.resource is None or not self.is_loading:
            return
        line, work = self.query_one(StatusLine), self.resource.work
        self._pace.update(line.status.total, line.status.expected, work)
        if (work, self._pace.text) != (line.status.work, line.status.left):
            line.show(work=work, left=self._pace.text)

    def _report_rows_in_sight(self) -> None:
        """A list that completes its rows later begins with those on the screen, also when all of them are there."""
        resource = self.resource
        if resource is None or self.table is None or not (self.is_loading or resource.quick_columns):
            return
        seen = self.table.keys_in_sight(), self._asked_columns(resource)
        if seen == self._in_sight:
            return
        self._in_sight = keys, resource.asked = seen
        if self.is_loading:
            resource.prefer(keys)
            return
        self._complete_cancel.cancel()
        cancel = self._complete_cancel = CancelToken()
        complete = partial(self._complete_rows, resource, keys, cancel)
        self.run_worker(complete, thread=True, group="complete", exit_on_error=False)

    def _complete_rows(self, resource: Resource, keys: list[str], cancel: CancelToken) -> None:
        """In a worker thread."""

        def complete() -> None:
            for page in resource.complete(keys, cancel):
                cancel.check()
                self._call_from_thread(self._show_completed, page, cancel)

        _, error = crash_log.attempt(complete)
        if not cancel.cancelled:
            self._call_from_thread(self._finish_completing, error)

    def _show_completed(self, page: Page, cancel: CancelToken) -> None:
        if not cancel.cancelled and is_present(self) and self.table is not None:
            self.table.append(page.frame)
            self.show_counts()

    def _finish_completing(self, error: AppError | None) -> None:
        if error is not None:
            self.app.show_error(error)  # type: ignore[attr-defined]
        write, self._write_rows = self._write_rows, None
        if write is not None and self.table is not None:
            self.show_progress("")
            write(self.table.frame, f"Some cells could not be read: {error.sentence}" if error is not None else "")

    def export_when_complete(self, write: WriteRows) -> None:
        """Calls `write` with all rows once they have all of their cells."""
        self._write_rows = write
        self.show_progress("reading what the rows lack")

    def drop_export(self) -> None:
        """Says so if an export waited for cells that are not read any more."""
        if self._write_rows is not None:
            self._write_rows = None
            if self.query(StatusLine):  # the list may be going
                self.show_progress("")
            self.app.notify("It was stopped before all cells were read; nothing was written.", title="Not exported")

    # ---- asking for changes by itself, while the list is looked at --------------------------------------------
    def _start_refreshing(self, resource: Resource) -> None:
        """After each complete load; the next load ends it."""
        self._refresh_cancel.cancel()
        self._refresh_cancel, self._refreshed = CancelToken(), False
        if resource.poll_seconds > 0 and self.session.mode == "normal":
            self._refresh_pause = resource.resting_seconds or resource.poll_seconds
            self._refresh_later(resource, self._refresh_cancel)

    def _refresh_later(self, resource: Resource, cancel: CancelToken) -> None:
        self.set_timer(self._refresh_pause, partial(self._refresh, resource, cancel))

    def _refresh(self, resource: Resource, cancel: CancelToken) -> None:
        if cancel.cancelled or not is_present(self) or self.table is None:
            return
        if not self.is_on_screen:  # another pane or list is shown: what nobody sees is not asked for
            self._refresh_later(resource, cancel)
            return
        fetch = partial(self._fetch_updates, resource, self.table.frame, cancel)
        self.run_worker(fetch, thread=True, group="poll", exit_on_error=False)

    def _fetch_updates(self, resource: Resource, frame: pl.DataFrame, cancel: CancelToken) -> None:
        """In a worker thread."""
        page, error = crash_log.attempt(resource.updates, frame, cancel)
        if not isinstance(error, OperationCancelledError) and not cancel.cancelled:
            self._call_from_thread(self._show_updates, resource, page, error, cancel)

    def _show_updates(self, resource: Resource, page: Page | None, error: AppError | None, cancel: CancelToken) -> None:
        if cancel.cancelled or not is_present(self):
            return
        status = self.query_one(StatusLine)
        if error is not None:
            self._refresh_pause = min(self._refresh_pause * 2, _MAX_PAUSE)
            status.show(note=f"could not be updated: {error.sentence}")
        elif page is None:
            if self._refreshed:
                status.show(note="no more changes expected")
            return
        else:
            self._refresh_pause, self._refreshed = resource.resting_seconds or resource.poll_seconds, True
            self._freshness = page.freshness
            status.show(freshness=page.freshness, at=time.monotonic(), note=page.note)
            if not page.frame.is_empty() and self.table is not None:
                self.table.append(page.frame)
                self.table.flash(page.frame[self.table.schema.key].to_list())
                self.show_counts()
        self._refresh_later(resource, cancel)
