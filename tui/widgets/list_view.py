"""ResourceView: shows any list while it arrives, with filter, marks, detail, chart, statistics, status and actions.

It knows no system. Loading runs in a worker thread; each load has a number, and what an older one still sends is
dropped.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.charts import nearest_row
from backends.frames.formats import safe_text
from backends.http.response import Freshness, describe_freshness
from backends.locators import Locator
from backends.resources import Action, Detail, Document, DownloadWay, Entry, Link, LogAddress, Page, Question, Resource
from tui import crash_log
from tui.keymap import bindings
from tui.preferences import Preferences
from tui.widgets.charts import ChartPanel
from tui.widgets.filter_line import FilterLine
from tui.widgets.plain import PlainHorizontal, PlainVertical
from tui.widgets.statistics import StatisticsPanel
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    from backends.session import Session

WIDE = 126  # cells; from this width on the detail panel stands beside the table by itself
_AGE_TICK = 5.0  # seconds between two redraws of the status line, since ages grow
_PAGES_TICK = 0.3  # seconds between two times that pages are shown, while they come faster
_SIGHT_TICK = 0.3  # seconds between two checks which rows are on the screen, while rows still arrive
_MAX_PAUSE = 300.0  # seconds between two tries of a server that fails
_MAX_VALUE = 4_000  # cells of one value in the detail panel; more than a screen is what files are for
# The methods that a resource has to override for a key to be of use.
_NEEDED_METHODS = {
    "log": "log",
    "document": "document",
    "download": "files download",
    "compare": "compare",
    "menu": "menu",
    "measurements": "measurements",
    "failures": "failures",
    "open_marked": "open_marked",
    "chart": "chart",
    "zoom": "chart",
}


@dataclass(frozen=True)
class ListStatus:
    """What the status line says. `at`: time.monotonic() when the age in `freshness` was true."""

    noun: tuple[str, str] = ("row", "rows")
    total: int = 0
    shown: int = 0
    marked: int = 0
    loading: bool = False
    expected: int | None = None
    freshness: Freshness | None = None
    at: float = field(default_factory=time.monotonic)
    summary: str = ""
    note: str = ""
    problem: str = ""


class StatusLine(Static):
    """One line: how many rows, how many marked, where the list came from and how old it is."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; color: $foreground; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis; }
    """

    def __init__(self, waits: Callable[[], str]) -> None:
        """`waits` says which server is waited for, "" for none; it is shown while the list is loading."""
        super().__init__("")
        self.status = ListStatus()
        self._waits = waits

    def on_mount(self) -> None:
        self.set_interval(_AGE_TICK, self.redraw)

    def show(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self.redraw()

    def redraw(self) -> None:
        waiting = self._waits() if self.status.loading else ""
        self.update(format_status(self.status, time.monotonic(), waiting), layout=False)


def format_status(status: ListStatus, now: float, waiting: str = "") -> Text:
    """The line; what matters most comes first, since 80 columns cut the rest."""
    text = Text(no_wrap=True, overflow="ellipsis")
    noun = status.noun[status.total != 1]
    if status.problem:
        text.append(f"✖ {safe_text(status.problem)}  ", "bold")
    if status.loading:
        expected = f" of {status.expected:,}" if status.expected else ""
        if waiting:
            text.append(f"◌ {safe_text(waiting)} (Ctrl+X stops)  ", "bold")
        text.append(f"◌ loading, {status.total:,}{expected} {noun} so far (Ctrl+X stops)  ", "bold")
    else:
        text.append(f"{status.total:,} {noun}")
    if status.shown != status.total:
        text.append(f" · {status.shown:,} shown")
    if status.marked:
        text.append(f" · ● {status.marked:,} marked", "bold")
    if status.freshness is not None:
        text.append(f" · {describe_freshness(status.freshness, now - status.at)}")
    if status.note:
        text.append(f" · {safe_text(status.note)}")
    if status.summary:
        text.append(f" · {safe_text(status.summary)}")
    return text


class DetailPanel(VerticalScroll, can_focus=True):
    """One row beside the table: titled sections of label and text, all of it a server's text and drawn as such."""

    DEFAULT_CSS = """
    DetailPanel { width: 36%; max-width: 80; border-left: vkey $panel; padding: 0 1; display: none; }
    DetailPanel.-shown { display: block; }
    DetailPanel.-alone { width: 100%; max-width: 100%; border-left: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Detail | None] | None = None  # None before anything is

    def compose(self) -> ComposeResult:
        yield Static("", id="detail-text")

    def show(self, detail: Detail | None) -> None:
        if self._shown != (detail,):
            self._shown = (detail,)
            self.query_one("#detail-text", Static).update(_render_detail(detail))


def _render_detail(detail: Detail | None) -> RenderableType:
    if detail is None:
        return Text("No details for this row.", style="dim")
    parts: list[RenderableType] = [Text(safe_text(detail.title, limit=_MAX_VALUE), style="bold", overflow="fold")]
    width = max((len(label) for _, pairs in detail.sections for label, value in pairs if value), default=0)
    for title, pairs in detail.sections:
        filled = [(label, value) for label, value in pairs if value]
        if not filled:
            continue
        parts.append(Text(f"\n{safe_text(title, limit=_MAX_VALUE)}", style="bold underline"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=width)
        table.add_column(overflow="fold")
        for label, value in filled:
            table.add_row(Text(label, style="dim"), Text(safe_text(value, limit=_MAX_VALUE), overflow="fold"))
        parts.append(table)
    return Group(*parts)


class ResourceView(PlainVertical):
    """One list. Its keys act on the marked rows, or on the one under the cursor."""

    can_focus = True
    DEFAULT_CSS = """
    ResourceView { height: 1fr; }
    ResourceView #view-body { height: 1fr; }
    ResourceView #view-message { height: 1fr; padding: 2 4; display: none; }
    ResourceView.-message #view-message { display: block; }
    ResourceView.-message FrameTable { display: none; }
    ResourceView StatisticsPanel { display: none; height: 45%; min-height: 6; max-height: 22;
        border-top: hkey $panel; }
    ResourceView.-statistics StatisticsPanel { display: block; }
    ResourceView ChartPanel { display: none; }
    ResourceView.-chart ChartPanel { display: block; }
    ResourceView.-statistics ChartPanel { height: 30%; }
    """
    BINDINGS = bindings("view")

    class Open(Message):
        """Show another list, a text or a tree on top of this list."""

        def __init__(self, target: Locator | LogAddress | Document) -> None:
            self.target = target
            super().__init__()

    class Pin(Message):
        """Pin this list on the start screen, or unpin it."""

        def __init__(self, view: ResourceView) -> None:
            self.view = view
            super().__init__()

        @property
        def control(self) -> ResourceView:
            return self.view

    class Closed(Message):
        """The user is done with the list."""

    class Titled(Pin):
        """The list has its title and its resolved locator now, or all of its rows."""

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
        self._freshness: Freshness | None = None
        self._panel_wanted: bool | None = None
        self._first_key = ""  # of the row that the locator meant, until it has come
        self._exports_later = False  # when all rows have all of their cells
        self._in_sight: tuple[list[str], frozenset[str] | None] = ([], None)  # keys, and columns that are asked for
        self._complete_cancel = CancelToken()
        self._refresh_cancel = CancelToken()
        self._refresh_pause = 0.0
        self._refreshed = False  # since the list was loaded
        self._left_loading = False  # whether it was left before all rows had come

    def compose(self) -> ComposeResult:
        yield FilterLine(lambda: self.table, self.focus_view)
        yield ChartPanel()
        with PlainHorizontal(id="view-body"):
            yield Static("", id="view-message")
            yield DetailPanel()
        yield StatisticsPanel()
        yield StatusLine(self.session.waits.text)

    @property
    def cursor_row(self) -> dict[str, Any] | None:
        return self.table.cursor_row if self.table is not None else None

    @property
    def filter_columns(self) -> list[tuple[str, str]]:
        """(name, what it holds) of each column that can be filtered by."""
        schema = self.resource.schema if self.resource is not None else ()
        return [(column.name, f"{column.label} ({column.unit or column.kind})") for column in schema]

    @property
    def summary(self) -> str:
        """What the rows amount to, in words."""
        table = self.table
        return self.resource.summary(table.frame) if self.resource is not None and table and table.total_count else ""

    @property
    def is_loading(self) -> bool:
        return self.query_one(StatusLine).status.loading

    def on_mount(self) -> None:
        self.set_interval(_SIGHT_TICK, self._report_rows_in_sight)
        self.load()

    def on_unmount(self) -> None:
        self._stop_work()

    def put_aside(self) -> None:
        """Hides the list, which may be shown again; until then nothing is fetched for it."""
        self._left_loading = self.is_loading
        self._stop_work()
        self.display = False

    def show_again(self) -> None:
        """Also loads what had not come when it was put aside."""
        self.display = True
        if self._left_loading:
            self._left_loading = False
            self.load()
        elif self.resource is not None:
            self._start_refreshing(self.resource)

    def _stop_work(self) -> None:
        self._refresh_cancel.cancel()
        self._complete_cancel.cancel()
        self._cancel.cancel()
        if self._action_cancel is not None:
            self._action_cancel.cancel()

    def on_resize(self) -> None:
        self._arrange()

    def focus_view(self) -> None:
        # At once: with focus() the next keys of a fast typist would still go to where the focus was.
        listed = self.table is not None and not self.has_class("-message")
        self.screen.set_focus(self.table if listed else self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that this kind of list has no use for are neither offered nor taken."""
        methods = _NEEDED_METHODS.get(action)
        if methods is None:
            return True
        own = type(self.resource)
        return self.resource is not None and any(
            getattr(own, method) is not getattr(Resource, method) for method in methods.split()
        )

    def _call_from_thread(self, method: Callable[..., None], *arguments: object) -> None:
        if self.is_attached and self.app.is_running:
            self.app.call_from_thread(method, *arguments)

    @property
    def _preferences(self) -> Preferences:
        return self.app.preferences  # type: ignore[attr-defined, no-any-return]

    @on(FilterLine.HistoryChanged)
    def _keep_filters(self, event: FilterLine.HistoryChanged) -> None:
        event.stop()
        if self.resource is not None:
            self._preferences.set(f"filters.{self.resource.noun[1]}", event.texts)

    # ---- loading ---------------------------------------------------------------------------------------------
    def load(self, refresh: bool = False) -> None:
        """Starts to fetch the list, dropping an earlier fetch that still runs."""
        self._refresh_cancel.cancel()
        self._complete_cancel.cancel()
        self._cancel.cancel()
        self._cancel = CancelToken()
        self._load_number += 1
        self._pages = deque()
        self._freshness = None
        self.query_one(StatusLine).show(loading=True, problem="", note="", freshness=None, expected=None)
        if self.table is None or self.table.total_count == 0:
            self._show_message("Loading…")
        fetch = partial(self._fetch, self._load_number, self._cancel, self._pages, refresh)
        self.run_worker(fetch, thread=True, group="load", exit_on_error=False)

    def _fetch(self, number: int, cancel: CancelToken, pages: deque[Page], refresh: bool) -> None:
        """In a worker thread: everything that waits, but not for the interface to show a page."""

        def deliver(method: Callable[[Any], None], argument: object) -> None:
            if number == self._load_number:
                self._call_from_thread(self._receive, number, method, argument)

        def fetch() -> None:
            resource = self.session.resource(self.locator, cancel, refresh=refresh)
            deliver(self._show_resource, resource)
            for page in resource.pages(cancel):
                cancel.check()
                pages.append(page)
                if len(pages) == 1 and number == self._load_number:  # else it is told already
                    self.call_later(self._expect_pages, number)

        _, error = crash_log.attempt(fetch)
        deliver(self._finish_load, error)

    def _expect_pages(self, number: int) -> None:
        """Shows what has come, soon: each time costs as much as several pages."""
        if number == self._load_number and self.is_attached:
            pause = self._pages_shown + _PAGES_TICK - time.monotonic()
            self.set_timer(max(pause, 0.001), partial(self._receive, number, self._take_pages, None))

    def _take_pages(self, _: None) -> None:
        _, error = crash_log.attempt(self._show_pages)
        if error is not None:
            self._cancel.cancel()
            self._finish_load(error)

    def _receive(self, number: int, method: Callable[[Any], None], argument: object) -> None:
        if number == self._load_number and self.is_attached:
            method(argument)

    def _show_resource(self, resource: Resource) -> None:
        self.resource, self.title, self.locator = resource, resource.title, resource.locator
        resource.asked = self._asked_columns(resource)
        if self.table is None:
            table = self.table = FrameTable(resource.schema)
            self.query_one("#view-body").mount(table, before=self.query_one(DetailPanel))
            if resource.default_sort is not None:
                table.sort(*resource.default_sort)
            self.query_one(FilterLine).set_earlier(self._preferences.texts(f"filters.{resource.noun[1]}"))
            if resource.first_filter:
                self.query_one(FilterLine).set_initial(resource.first_filter)
            self._first_key = resource.first_key
            self.query_one(FilterLine).apply()  # what was typed before there was a table
        self.set_class(resource.chart is not None, "-chart")
        self.query_one(StatusLine).show(noun=resource.noun)
        self.refresh_bindings()
        self.post_message(self.Titled(self))
        note = self.session.credentials_note if self.locator.system == "taskcluster" else ""
        if note and not self.session.credentials_told:
            self.session.credentials_told = True
            self.app.notify(note, severity="warning", markup=False, timeout=15)
        if resource.first_log is not None:
            self.post_message(self.Open(resource.first_log))

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
        self._pages_shown = time.monotonic()
        if self._first_key and table.move_to_key(self._first_key):
            self._first_key = ""
        self.query_one(StatusLine).show(**status)
        if self.resource is not None and self.title != self.resource.title:
            self.title = self.resource.title
            self.post_message(self.Titled(self))
        if table.busy:  # else it has told that other rows are shown
            self._update_counts()
        if table.total_count and not before:
            self._show_message("")
            if self.screen.focused is self:  # has_focus is true only once the event has been handled
                table.focus()

    def _finish_load(self, error: AppError | None) -> None:
        _, failure = crash_log.attempt(self._show_pages)
        error = error or failure
        status, rows = self.query_one(StatusLine), self.table.total_count if self.table is not None else 0
        message = ""
        if isinstance(error, OperationCancelledError):
            message = "Stopped. Press r to load again."
            status.show(loading=False, problem="", note="stopped before the end, r loads again")
        elif error is not None:
            message = f"{error.sentence}\n\n{error.hint}\n\nr tries again · Esc goes back · Ctrl+O opens something else"
            problem = f"{error.sentence} (r tries again)" if rows else "failed, r tries again"
            status.show(loading=False, problem=problem)
        else:
            notes = " ".join(self.session.notes)
            status.show(loading=False, problem="", **({"note": notes} if notes else {}))
            message = self.resource.empty_text if self.resource else ""
        if not rows:
            self._show_message(message)
        self._update_counts()
        if error is None and self.resource is not None:
            self._in_sight = ([], None)  # what was asked for while it was loading
            self.post_message(self.Titled(self))
            self._start_refreshing(self.resource)

    def _show_message(self, message: str) -> None:
        """Shows a message in place of the table; "" shows the table."""
        self.set_class(bool(message), "-message")
        self.query_one("#view-message", Static).update(Text(message))
        if message and self.table is not None and self.table.has_focus:
            self.focus()

    def _asked_columns(self, resource: Resource) -> frozenset[str] | None:
        """What every row needs where not all columns are cheap: those, and what is filtered, sorted or summed up by."""
        if not resource.quick_columns or self._exports_later or self.has_class("-statistics"):
            return None
        asked = self.table.columns_in_use if self.table is not None else frozenset[str]()
        return asked.union(resource.quick_columns)

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
        if not cancel.cancelled and self.is_attached and self.table is not None:
            self.table.append(page.frame)
            self._update_counts()

    def _finish_completing(self, error: AppError | None) -> None:
        if error is not None:
            self.app.show_error(error)  # type: ignore[attr-defined]
        if self._exports_later:
            self._exports_later = False
            self.show_progress("")
            self._export()

    # ---- asking for changes by itself, while the list is looked at --------------------------------------------
    def _start_refreshing(self, resource: Resource) -> None:
        """After each complete load; the next load ends it."""
        self._refresh_cancel.cancel()
        self._refresh_cancel, self._refreshed = CancelToken(), False
        if resource.poll_seconds > 0 and self.session.mode == "normal":
            self._refresh_pause = resource.poll_seconds
            self._refresh_later(resource, self._refresh_cancel)

    def _refresh_later(self, resource: Resource, cancel: CancelToken) -> None:
        self.set_timer(self._refresh_pause, partial(self._refresh, resource, cancel))

    def _refresh(self, resource: Resource, cancel: CancelToken) -> None:
        if cancel.cancelled or not self.is_attached or self.table is None:
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
        if cancel.cancelled or not self.is_attached:
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
                self._update_counts()
        self._refresh_later(resource, cancel)

    # ---- the status, the detail, the chart, the statistics ----------------------------------------------------
    @on(FrameTable.MarksChanged)
    @on(FrameTable.ViewChanged)
    def _rows_changed(self, event: Message) -> None:
        event.stop()
        self._update_counts()

    @on(FrameTable.RowHighlighted)
    def _cursor_moved(self, event: FrameTable.RowHighlighted) -> None:
        event.stop()
        self._update_detail()
        self.query_one(ChartPanel).point(self.cursor_row)

    def _update_counts(self) -> None:
        table = self.table
        if table is None or self.resource is None:
            return
        self.query_one(StatusLine).show(
            total=table.total_count,
            shown=table.row_count,
            marked=table.marked_count,
            summary=self.summary,
        )
        self.query_one(FilterLine).show_hits(table.row_count, table.total_count)
        self._update_detail()
        self._update_statistics()
        if self.resource.chart is not None:
            panel = self.query_one(ChartPanel)
            panel.show(table.shown_rows, self.resource.schema, self.resource.chart)
            panel.point(table.cursor_row)

    def _arrange(self) -> None:
        """The panel stands beside the table where there is room, alone on the screen where the user asked for it."""
        wide = self.size.width >= WIDE
        shown = self._panel_wanted if self._panel_wanted is not None else wide
        panel = self.query_one(DetailPanel)
        panel.set_class(shown, "-shown")
        panel.set_class(shown and not wide, "-alone")
        if self.table is not None:
            self.table.display = not (shown and not wide)
        if shown:
            self._update_detail()

    def _update_detail(self) -> None:
        panel, row = self.query_one(DetailPanel), self.cursor_row
        if panel.has_class("-shown") and self.table is not None and self.resource is not None:
            panel.show(self.resource.detail(row) if row is not None else None)

    def _update_statistics(self) -> None:
        if not self.has_class("-statistics") or self.table is None or self.resource is None:
            return
        marked = self.table.marked_count
        frame = self.table.marked_rows if marked else self.table.shown_rows
        scope = f"{marked:,} marked" if marked else f"{len(frame):,} shown"
        self.query_one(StatisticsPanel).show(frame, self.resource.schema, f"{scope} {self.resource.noun[1]}")

    @on(ChartPanel.Clicked)
    def _move_to_click(self, event: ChartPanel.Clicked) -> None:
        """The cursor goes to the row that is nearest to where the chart was clicked."""
        event.stop()
        table, chart = self.table, self.resource.chart if self.resource is not None else None
        key = nearest_row(table.shown_rows, chart.x, event.x, table.schema.key) if table is not None and chart else None
        if table is not None and key is not None:
            table.move_to_key(key)

    def action_filter(self) -> None:
        self.query_one(FilterLine).enter()

    def action_panel(self) -> None:
        self._panel_wanted = not self.query_one(DetailPanel).has_class("-shown")
        self._arrange()
        if self._panel_wanted and self.size.width < WIDE:
            self.query_one(DetailPanel).focus()
        else:
            self.focus_view()

    def action_statistics(self) -> None:
        self.toggle_class("-statistics")
        self._update_statistics()

    def action_statistics_column(self, step: int) -> None:
        self.query_one(StatisticsPanel).step_column(step)

    def action_statistics_log(self) -> None:
        self.query_one(StatisticsPanel).toggle_log()

    def action_statistics_group(self) -> None:
        self.query_one(StatisticsPanel).step_group()

    def action_chart(self) -> None:
        if self.resource is None or self.resource.chart is None:
            self.app.notify("This list has no chart; h shows statistics and a histogram.")
        else:
            self.toggle_class("-chart")

    def action_zoom(self, step: int) -> None:
        self.query_one(ChartPanel).zoom(step)

    def reload(self) -> None:
        """Loads again in the session's mode: from the store where that will do."""
        self.load()

    def action_refresh_list(self) -> None:
        self.load(refresh=True)

    def action_stop(self) -> None:
        self._complete_cancel.cancel()
        if self._exports_later:
            self._exports_later = False
            self.show_progress("")
        (self._action_cancel or self._cancel).cancel()

    def action_back(self) -> None:
        if self._panel_wanted and self.size.width < WIDE:
            self._panel_wanted = None
            self._arrange()
            self.focus_view()
        elif not (self.query_one(FilterLine).clear() or (self.table is not None and self.table.unmark())):
            self.post_message(self.Closed())

    # ---- opening ---------------------------------------------------------------------------------------------
    def _selected_rows(self) -> pl.DataFrame | None:
        """The marked rows, or the one under the cursor; None if there is neither."""
        table = self.table
        if table is None or not table.total_count:
            return None
        if table.marked_count:
            return table.marked_rows
        return table.shown_rows.slice(table.cursor, 1) if table.row_count else None

    def _open(self, target: Locator | LogAddress | Document | None, otherwise: str) -> None:
        """Opens the target; `otherwise`: the sentence to show if there is none."""
        if target is None:
            self.app.notify(otherwise)
        else:
            self.post_message(self.Open(target))

    @on(FrameTable.RowSelected)
    def _open_row(self, event: FrameTable.RowSelected) -> None:
        event.stop()
        row = self.cursor_row
        if row is None or self.resource is None:
            return
        target = self.resource.shows(row)
        if target is None:
            self._panel_wanted = True
            self._arrange()
        else:
            self.post_message(self.Open(target))

    def action_open_marked(self) -> None:
        resource, rows = self.resource, self._selected_rows()
        target = resource.open_marked(rows) if resource is not None and rows is not None else None
        self._open(target, "The marked rows cannot be opened together.")

    def action_log(self) -> None:
        resource, row = self.resource, self.cursor_row
        self._open(resource.log(row) if resource and row is not None else None, "This row has no text to read.")

    def action_document(self) -> None:
        resource, row = self.resource, self.cursor_row
        target = resource.document(row) if resource is not None and row is not None else None
        self._open(target, "This row has nothing to show as a tree.")

    def action_compare(self) -> None:
        if self.resource is None or self.table is None:
            return
        try:
            target = self.resource.compare(self.table.marked_rows)
        except AppError as error:
            self.app.show_error(error)  # type: ignore[attr-defined]
            return
        self._open(target, "Rows of this list cannot be compared.")

    def action_measurements(self) -> None:
        resource, rows = self.resource, self._selected_rows()
        target = resource.measurements(rows) if resource is not None and rows is not None else None
        self._open(target, "These rows have no measurements.")

    def action_failures(self) -> None:
        from backends.failure_links import failure_clusters

        if self.resource is None or self.table is None:
            return
        source = self.resource.failures(self.table.marked_rows if self.table.marked_count else self.table.shown_rows)
        target = failure_clusters(source) if source is not None else None
        self._open(target, "None of these rows failed.")

    # ---- the menu --------------------------------------------------------------------------------------------
    def _menu_entries(self) -> list[Entry]:
        if self.resource is None or self.table is None:
            return []
        rows = self.table.marked_rows if self.table.marked_count else self.table.shown_rows
        here = self.resource.locator
        menu = self.resource.menu(self.cursor_row, rows)
        return [entry for entry in menu if getattr(entry, "opens", None) != here]

    def menu_commands(self) -> list[tuple[str, Callable[[], None]]]:
        """(label, what runs it) of the menu's entries."""
        return [(entry.label, partial(self._run_entry, entry)) for entry in self._menu_entries()]

    def action_menu(self) -> None:
        entries = self._menu_entries()
        if not entries:
            self.app.notify("This list has no further actions.")
            return
        from tui.widgets.dialogs import MenuDialog

        self.app.push_screen(MenuDialog(self.title, entries), self._run_entry)

    def _run_entry(self, entry: Entry | None) -> None:
        if isinstance(entry, Link):
            if isinstance(entry.opens, str):
                self._browse(entry.opens)
            else:
                self.post_message(self.Open(entry.opens))
        elif isinstance(entry, Question):
            from tui.widgets.dialogs import QuestionDialog

            self.app.push_screen(QuestionDialog(entry), self._open_answer)
        elif isinstance(entry, Action):
            self.perform(entry)
        elif isinstance(entry, DownloadWay):
            self.app.download_by(self.title, entry)  # type: ignore[attr-defined]

    def _open_answer(self, locator: Locator | None) -> None:
        if locator is not None:
            self.post_message(self.Open(locator))

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
        self._call_from_thread(self._finish_action, sentence, error)

    def _finish_action(self, sentence: str, error: AppError | None) -> None:
        self._action_cancel = None
        self.show_progress("")
        if isinstance(error, OperationCancelledError):
            self.app.notify("Stopped.")
        elif error is not None:
            self.app.show_error(error)  # type: ignore[attr-defined]
        else:
            self.app.notify(sentence, markup=False)
        self.load(refresh=True)

    def show_progress(self, text: str) -> None:
        """How far an action is; "" when none runs."""
        self.query_one(StatusLine).show(note=f"{text} (Ctrl+X stops)" if text else "")

    # ---- other actions ---------------------------------------------------------------------------------------
    def action_download(self) -> None:
        resource, rows = self.resource, self._selected_rows()
        action = resource.download(rows) if resource is not None and rows is not None else None
        if action is not None:
            self.perform(action)
            return
        if resource is None or rows is None or not resource.downloadable:
            self.app.notify("Nothing here can be downloaded.")
            return
        count = f"{len(rows):,} {resource.noun[len(rows) != 1]}"
        self.app.download(f"{self.title}: {count}", partial(resource.files, rows))  # type: ignore[attr-defined]

    def action_export(self) -> None:
        if self.table is None or self.resource is None or not self.table.total_count:
            self.app.notify("There are no rows to export yet.")
        elif self.resource.quick_columns and not self.is_loading:
            self._exports_later = True
            self.show_progress("reading what the rows lack")
        else:
            self._export()

    def _export(self) -> None:
        if self.table is None or self.resource is None:
            return
        from tui.widgets.export_dialog import export_table

        export_table(self.app, self.table, self.resource.schema, self.resource.noun[1])

    def action_pin(self) -> None:
        self.post_message(self.Pin(self))

    def action_browse(self) -> None:
        url = self.resource.web_url(self.cursor_row) if self.resource is not None else None
        if url is None:
            self.app.notify("This row has no web page.")
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
