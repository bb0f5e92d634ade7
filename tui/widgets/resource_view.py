"""The table shell: shows any resource while it arrives, with filter, marks, detail, statistics and status.

It knows no system. Loading runs in a worker thread; each load has a number, and what an older one still sends is
dropped.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.charts import nearest_row
from backends.http.response import Freshness
from backends.locators import Locator
from backends.resources import Page, Resource
from tui import crash_log
from tui.keymap import bindings
from tui.widgets import frame_messages
from tui.widgets.chart_panel import ChartPanel
from tui.widgets.detail_panel import DetailPanel
from tui.widgets.filter_line import FilterLine
from tui.widgets.frame_table import FrameTable
from tui.widgets.row_actions import RowActions
from tui.widgets.statistics_panel import StatisticsPanel
from tui.widgets.status_line import StatusLine
from tui.widgets.upkeep import Upkeep

if TYPE_CHECKING:
    from backends.session import Session

BESIDE = 126  # from this width on the detail panel stands beside the table by itself


class ResourceView(RowActions):
    """One list. Posts `Open` for a row to open, `Back` when the user wants out, `Titled` when it has a name."""

    DEFAULT_CSS = """
    ResourceView { height: 1fr; }
    ResourceView #view-body { height: 1fr; }
    ResourceView #view-words { height: 1fr; padding: 2 4; display: none; }
    ResourceView.-words #view-words { display: block; }
    ResourceView.-words FrameTable { display: none; }
    ResourceView StatisticsPanel { display: none; height: 45%; min-height: 6; max-height: 22;
        border-top: hkey $panel; }
    ResourceView.-statistics StatisticsPanel { display: block; }
    ResourceView ChartPanel { display: none; }
    ResourceView.-chart ChartPanel { display: block; }
    ResourceView.-statistics ChartPanel { height: 30%; }
    """
    BINDINGS = bindings("view")

    class Back(Message):
        """Leave this list."""

    class Titled(Message):
        """The list knows its name and its resolved locator now."""

    def __init__(self, session: Session, locator: Locator) -> None:
        super().__init__()
        self.session = session
        self.locator = locator
        self.resource: Resource | None = None
        self.title = "…"
        self.problem: AppError | None = None
        self._cancel = CancelToken()
        self._load = 0
        self._origin: Freshness | None = None
        self._panel_wanted: bool | None = None
        self._upkeep = Upkeep(self)
        self._first_key = ""  # of the row that the locator meant, until it has come

    # ---- what it is made of ----------------------------------------------------------------------------------
    def compose(self) -> ComposeResult:
        yield FilterLine(lambda: self.table, self.focus_table)
        yield ChartPanel()
        with Horizontal(id="view-body"):
            yield Static("", id="view-words")
            yield DetailPanel()
        yield StatisticsPanel()
        yield StatusLine(self.session.waits.text)

    @property
    def loading_now(self) -> bool:
        return self.query_one(StatusLine).status.loading

    def on_mount(self) -> None:
        self._upkeep.watch_screen()
        self.load()

    def on_unmount(self) -> None:
        self._upkeep.end()
        self._cancel.cancel()
        if self.doing is not None:
            self.doing.cancel()

    def on_resize(self) -> None:
        self._arrange()

    def focus_table(self) -> None:
        # At once: with focus() the next keys of a fast typist would still go to where the focus was.
        listed = self.table is not None and not self.has_class("-words")
        self.screen.set_focus(self.table if listed else self)

    can_focus = True

    # ---- loading ---------------------------------------------------------------------------------------------
    def load(self, refresh: bool = False) -> None:
        """Starts to fetch the list, dropping an earlier fetch that still runs."""
        self._upkeep.end()
        self._cancel.cancel()
        self._cancel = CancelToken()
        self._load += 1
        self._origin = None
        self.problem = None
        self.query_one(StatusLine).show(loading=True, problem="", note="", origin=None, expected=None)
        if self.table is None or self.table.total_count == 0:
            self._say("Loading…")
        self.run_worker(
            partial(self._fetch, self._load, self._cancel, refresh), thread=True, group="load", exit_on_error=False
        )

    def _fetch(self, number: int, cancel: CancelToken, refresh: bool) -> None:
        """In a worker thread: everything that waits."""
        try:
            resource = self.session.resource(self.locator, cancel, refresh=refresh)
            self._tell(number, self._known, resource)
            for page in resource.pages(cancel):
                cancel.check()
                self._tell(number, self._arrived, page)
            self._tell(number, self._ended, None)
        except AppError as problem:
            self._tell(number, self._ended, problem)
        except Exception as error:  # a fault of ours must be seen, and must not end the app
            self._tell(number, self._ended, crash_log.as_problem(error))

    def _tell(self, number: int, method: Any, argument: Any) -> None:
        if number == self._load and self.is_attached and self.app.is_running:
            self.app.call_from_thread(self._if_current, number, method, argument)

    def _if_current(self, number: int, method: Any, argument: Any) -> None:
        if number == self._load and self.is_attached:
            method(argument)

    def _known(self, resource: Resource) -> None:
        self.resource, self.title, self.locator = resource, resource.title, resource.locator
        if self.table is None:
            table = FrameTable(resource.schema)
            self.query_one("#view-body").mount(table, before=self.query_one(DetailPanel))
            if resource.default_sort is not None:
                table.sort(*resource.default_sort)
            if resource.first_filter:
                self.query_one(FilterLine).begin_with(resource.first_filter)
            self._first_key = resource.first_key
            self.query_one(FilterLine).apply()  # what was typed before there was a table
        self.set_class(resource.chart is not None, "-chart")
        self.query_one(StatusLine).show(noun=resource.noun)
        self.refresh_bindings()
        self.post_message(self.Titled())
        words = self.session.credentials_note if self.locator.system == "taskcluster" else ""
        if words and not self.session.credentials_told:
            self.session.credentials_told = True
            self.app.notify(words, severity="warning", markup=False, timeout=15)
        if resource.first_log is not None:
            self.post_message(self.Open(resource.first_log))

    def _arrived(self, page: Page) -> None:
        table = self.table
        assert table is not None
        before = table.total_count
        if page.replace:
            table.replace(page.frame)
        else:
            table.append(page.frame)
        if self._first_key and table.move_to_key(self._first_key):
            self._first_key = ""
        self._origin = page.origin if self._origin is None or page.replace else page.origin.worse(self._origin)
        status = {"origin": self._origin, "at": time.monotonic(), "expected": page.total}
        if page.note:
            status["note"] = page.note
        self.query_one(StatusLine).show(**status)
        if self.resource is not None and self.title != self.resource.title:
            self.title = self.resource.title
            self.post_message(self.Titled())
        self._counted()
        if table.total_count and not before:
            self._say("")
            if self.screen.focused is self:  # has_focus is true only once the event has been handled
                table.focus()

    def _ended(self, problem: AppError | None) -> None:
        self.problem = problem
        status, rows = self.query_one(StatusLine), self.table.total_count if self.table is not None else 0
        words = ""
        if isinstance(problem, OperationCancelledError):
            words = "Stopped. Press r to load again."
            status.show(loading=False, problem="", note="stopped before the end, r loads again")
        elif problem is not None:
            words = (
                f"{problem.sentence}\n\n{problem.hint}\n\nr tries again · Esc goes back · Ctrl+O opens something else"
            )
            status.show(
                loading=False, problem=f"{problem.sentence} (r tries again)" if rows else "failed, r tries again"
            )
        else:
            status.show(
                loading=False, problem="", **({"note": " ".join(notes)} if (notes := self.session.notes) else {})
            )
            words = "" if rows else self.resource.empty_text if self.resource else ""
        if not rows:
            self._say(words)
        self._counted()
        if problem is None and self.resource is not None:
            self._upkeep.begin(self.resource)

    def updated(self, page: Page | None, note: str) -> None:
        """Rows that have changed since they were shown, or why that is not known."""
        table, status = self.table, self.query_one(StatusLine)
        if page is None or table is None:
            status.show(note=note)
            return
        self._origin = page.origin
        status.show(origin=page.origin, at=time.monotonic(), note=note)
        if not page.frame.is_empty():
            table.append(page.frame)
            table.flash(page.frame[table.schema.key].to_list())
            self._counted()

    def _say(self, words: str) -> None:
        """Shows words in place of the table; no words show the table."""
        from rich.text import Text

        self.set_class(bool(words), "-words")
        self.query_one("#view-words", Static).update(Text(words))
        if words and self.table is not None and self.table.has_focus:
            self.focus()

    # ---- the status, the detail, the statistics --------------------------------------------------------------
    def _counted(self) -> None:
        table = self.table
        if table is None or self.resource is None:
            return
        self.query_one(StatusLine).show(
            total=table.total_count,
            shown=table.row_count,
            marked=table.marked_count,
            summary=self.resource.summary(table.frame) if table.total_count else "",
        )
        self._detailed()
        self._measured()
        self._charted()

    def _charted(self) -> None:
        if self.resource is None or self.resource.chart is None or self.table is None:
            return
        panel = self.query_one(ChartPanel)
        panel.show(self.table.shown, self.resource.schema, self.resource.chart)
        panel.point(self.table.cursor_row)

    def _arrange(self) -> None:
        """The panel stands beside the table where there is room, alone on the screen where the user asked for it."""
        wide = self.size.width >= BESIDE
        shown = self._panel_wanted if self._panel_wanted is not None else wide
        panel = self.query_one(DetailPanel)
        panel.set_class(shown, "-shown")
        panel.set_class(shown and not wide, "-alone")
        if self.table is not None:
            self.table.display = not (shown and not wide)
        if shown:
            self._detailed()

    def _detailed(self) -> None:
        panel = self.query_one(DetailPanel)
        if not panel.has_class("-shown") or self.table is None or self.resource is None:
            return
        row = self.table.cursor_row
        panel.show(self.resource.detail(row) if row is not None else None)

    def _measured(self) -> None:
        if not self.has_class("-statistics") or self.table is None or self.resource is None:
            return
        marked = self.table.marked_count
        frame = self.table.marked if marked else self.table.shown
        scope = f"{marked:,} marked" if marked else f"{len(frame):,} shown"
        self.query_one(StatisticsPanel).show(frame, self.resource.schema, f"{scope} {self.resource.noun[1]}")

    @on(FrameTable.Highlighted)
    def _highlighted(self, event: frame_messages.Highlighted) -> None:
        event.stop()
        self._detailed()
        if self.table is not None:
            self.query_one(ChartPanel).point(self.table.cursor_row)

    @on(ChartPanel.Clicked)
    def _chart_clicked(self, event: ChartPanel.Clicked) -> None:
        """The cursor goes to the row that is nearest to where the chart was clicked."""
        event.stop()
        table, chart = self.table, self.resource.chart if self.resource is not None else None
        key = nearest_row(table.shown, chart.x, event.x, table.schema.key) if table is not None and chart else None
        if table is not None and key is not None:
            table.move_to_key(key)

    @on(FrameTable.MarksChanged)
    @on(FrameTable.Shown)
    def _changed(self, event: Message) -> None:
        event.stop()
        self._counted()

    @on(FrameTable.Opened)
    def _opened(self, event: frame_messages.Opened) -> None:
        event.stop()
        row = self.cursor_row
        if row is None or self.resource is None:
            return
        shown = self.resource.shows(row)
        if shown is None:
            self._panel_wanted = True
            self._arrange()
        else:
            self.post_message(self.Open(shown))

    # ---- the filter ------------------------------------------------------------------------------------------
    def action_filter(self) -> None:
        self.query_one(FilterLine).enter()

    # ---- keys ------------------------------------------------------------------------------------------------
    def action_refresh_list(self) -> None:
        self.load(refresh=True)

    def action_stop(self) -> None:
        if self.doing is not None:
            self.doing.cancel()
        else:
            self._cancel.cancel()

    def told(self, words: str) -> None:
        self.query_one(StatusLine).show(note=f"{words} (Ctrl+X stops)" if words else "")

    def reload(self) -> None:
        self.load(refresh=True)

    def action_back(self) -> None:
        if self._panel_wanted and self.size.width < BESIDE:
            self._panel_wanted = None
            self._arrange()
            self.focus_table()
        else:
            self.post_message(self.Back())

    def action_panel(self) -> None:
        self._panel_wanted = not self.query_one(DetailPanel).has_class("-shown")
        self._arrange()
        if self._panel_wanted and self.size.width < BESIDE:
            self.query_one(DetailPanel).focus()
        else:
            self.focus_table()

    def action_statistics(self) -> None:
        self.toggle_class("-statistics")
        self._measured()

    def action_chart(self) -> None:
        if self.resource is None or self.resource.chart is None:
            self.app.notify("This list has no chart; h shows statistics and a histogram.")
            return
        self.toggle_class("-chart")

    def action_zoom(self, step: int) -> None:
        self.query_one(ChartPanel).zoom(step)

    def action_statistics_column(self, step: int) -> None:
        self.query_one(StatisticsPanel).step_column(step)

    def action_statistics_log(self) -> None:
        self.query_one(StatisticsPanel).toggle_log()

    def action_statistics_group(self) -> None:
        self.query_one(StatisticsPanel).step_group()
