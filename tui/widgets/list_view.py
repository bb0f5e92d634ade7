"""ResourceView: shows any list while it arrives, with filter, marks, detail, chart, statistics, status and actions.

It knows no system. `list_loading` has how its rows come, `list_arrangement` how they are shown and what is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Static

from backends.errors import AppError
from backends.frames.formats import has_failed, safe_text
from backends.locators import Locator
from backends.resources import Document, ImageFile, LogAddress, Resource, ViewTarget
from tui import crash_log
from tui.history import OpenList
from tui.keymap import bindings, explain_foreign_key, find_key
from tui.widgets.charts import ChartPanel
from tui.widgets.detail_panel import DetailPanel
from tui.widgets.filter_line import FilterLine, find_nearest_filter
from tui.widgets.list_actions import NOTHING, ActiveView
from tui.widgets.plain import PlainHorizontal
from tui.widgets.row_order import describe_order
from tui.widgets.statistics import StatisticsPanel
from tui.widgets.status_line import StatusLine
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session

WIDE = 126  # cells; from this width on the detail panel stands beside the table by itself
_MAX_ASKED = 1_000  # selected rows; of more than that it is not asked beforehand what can be done with them
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
}


class ResourceView(ActiveView):
    """One list. Its keys act on the marked rows, or on the one under the cursor."""

    can_focus = True
    DEFAULT_CSS = """
    ResourceView { height: 1fr; }
    ResourceView #view-body { height: 1fr; }
    ResourceView #view-message { height: 1fr; padding: 2 4; display: none; }
    ResourceView.-message #view-message { display: block; }
    ResourceView.-message FrameTable { display: none; }
    ResourceView StatisticsPanel { display: none; height: 45%; min-height: 6; max-height: 22;
        border-top: solid $ci-rule; border-title-color: $ci-text; border-title-style: bold; }
    ResourceView.-statistics StatisticsPanel { display: block; }
    ResourceView ChartPanel { display: none; }
    ResourceView.-chart ChartPanel { display: block; }
    ResourceView.-statistics ChartPanel { height: 30%; }
    """
    BINDINGS = bindings("view")

    class Open(Message):
        """Show another list, a text, a tree or an image on top of this list."""

        def __init__(self, target: ViewTarget) -> None:
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

    class RowsChanged(Pin):
        """There are more or other rows, or others are shown."""

    class Titled(Pin):
        """The list has its title and its resolved locator now, or all of its rows."""

    def __init__(self, session: Session, locator: Locator, restored: OpenList | None = None) -> None:
        super().__init__(session, locator, restored)
        self._panel_wanted: bool | None = None
        self._summarized: tuple[pl.DataFrame, bool, str] | None = None  # a frame, whether it loads, what it amounts to
        self._withheld: frozenset[str] = frozenset()  # actions that the row or the rows have no use for
        self._withheld_of_rows: frozenset[str] = frozenset()  # those of the rows

    def compose(self) -> ComposeResult:
        yield FilterLine(lambda: self.table, self.focus_view)
        yield ChartPanel()
        with PlainHorizontal(id="view-body"):
            yield Static("", id="view-message")
            yield DetailPanel()
        yield StatisticsPanel()
        yield StatusLine(self.session.waits.text)

    @property
    def filter_columns(self) -> list[tuple[str, str]]:
        """(name, what it holds) of each column that can be filtered by."""
        schema = self.resource.schema if self.resource is not None else ()
        return [(column.name, f"{column.label} ({column.unit or column.kind})") for column in schema]

    @property
    def heading(self) -> str:
        """The title beside `made`, which it does not repeat."""
        return self.resource.heading if self.resource is not None and self.resource.made_by else self.title

    @property
    def author_and_time(self) -> tuple[str, float | None]:
        """Who made what is listed, and when."""
        return (self.resource.made_by, self.resource.made_at) if self.resource is not None else ("", None)

    @property
    def summary(self) -> str:
        """What the rows amount to, in words. It is asked for at every letter of a filter, and counts all rows.

        Some also say what was looked at: the last of that may have given no rows.
        """
        table = self.table
        if self.resource is None or table is None or not table.total_count:
            return ""
        known, loads = self._summarized, self.is_loading
        if known is None or known[0] is not table.frame or known[1] != loads:
            known = self._summarized = table.frame, loads, self.resource.summary(table.frame)
        return known[2]

    def on_resize(self) -> None:
        self._arrange()

    def focus_view(self) -> None:
        # At once: with focus() the next keys of a fast typist would still go to where the focus was.
        listed = self.table is not None and not self.has_class("-message")
        self.screen.set_focus(self.table if listed else self)

    # ---- what is offered -------------------------------------------------------------------------------------
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that this list, or the row or the marked rows, have no use for are neither offered nor taken."""
        match action:
            case "stop":
                return self._is_working
            case "undo":
                return self.table is not None and self.table.can_undo
            case "watch":
                return self.resource is not None and bool(self.resource.poll_seconds)
            case "choose_columns" | "views" | "copy_as" | "query" | "pivot":
                return self.table is not None
            case "zoom":
                return self.has_class("-chart")
            case "statistics_column" | "statistics_log" | "statistics_group":
                return self.has_class("-statistics")
        methods = _NEEDED_METHODS.get(action)
        if methods is None:
            return action not in self._withheld
        resource, own = self.resource, type(self.resource)
        return (
            resource is not None
            and action not in self._withheld
            and any(getattr(own, method) is not getattr(Resource, method) for method in methods.split())
        )

    @property
    def _is_working(self) -> bool:
        completes = self.resource is not None and bool(self.resource.quick_columns)
        return self.is_loading or completes or self._action_cancel is not None

    def _update_offers(self, rows_changed: bool = True) -> None:
        """Asks the resource what can be done with the row and the selected rows, and offers no more than that.

        `rows_changed`: False if only the cursor has moved.
        """
        resource, table = self.resource, self.table
        if resource is None or table is None:
            return
        if rows_changed or not table.marked_count:
            self._withheld_of_rows = self._find_useless_for_rows(resource, table)
        withheld = self._withheld_of_rows | self._find_useless_for_row(resource)
        if withheld != self._withheld:
            self._withheld = withheld
            self.refresh_bindings()

    def _find_useless_for_row(self, resource: Resource) -> frozenset[str]:
        row, asked = self.cursor_row, (("log", resource.log), ("document", resource.document))
        found = {name for name, ask in asked if row is None or _gives_nothing(ask, row)}
        return frozenset(found | ({"browse"} if _gives_nothing(resource.web_url, row) else set()))

    def _find_useless_for_rows(self, resource: Resource, table: FrameTable) -> frozenset[str]:
        """For the marked rows, else the one under the cursor."""
        found = set() if table.total_count else {"export", "copy_as"}
        if resource.chart is None:
            found |= {"chart", "zoom"}
        count = table.marked_count or min(table.row_count, 1)
        if not count:
            found |= {"download", "measurements", "open_marked"}
        elif count <= _MAX_ASKED and (rows := self.selected_rows()) is not None:
            asked = (("measurements", resource.measurements), ("open_marked", resource.open_marked))
            found |= {name for name, ask in asked if _gives_nothing(ask, rows)}
            if not resource.downloadable and _gives_nothing(resource.download, rows):
                found.add("download")
        return frozenset(found)

    def on_key(self, event: events.Key) -> None:
        """A key that is not offered says why; so does one of the table while something else has the focus."""
        if isinstance(self.screen.focused, Input) or event.key in self.screen.active_bindings:
            return
        remapped = self.session.settings.keys
        if (key := find_key(event.key, ("view",), remapped)) is not None:
            action = key.action.partition("(")[0]
            event.stop()
            self.app.notify(NOTHING.get(action, "This key does nothing here."))
            return
        key, table = find_key(event.key, ("table",), remapped), self.table
        listed = table is not None and table.display and not self.has_class("-message")
        if key is not None and table is not None and listed and not table.has_focus:
            event.stop()
            self.app.notify(explain_foreign_key(event.key, key, "is a key of the table. Esc goes to it."))

    # ---- the status, the detail, the chart, the statistics ----------------------------------------------------
    @on(FrameTable.MarksChanged)
    @on(FrameTable.ViewChanged)
    def _rows_changed(self, event: Message) -> None:
        event.stop()
        self.show_counts()

    @on(FrameTable.RowHighlighted)
    def _cursor_moved(self, event: FrameTable.RowHighlighted) -> None:
        event.stop()
        self._update_detail()
        self._update_offers(rows_changed=False)
        self.query_one(ChartPanel).point(self.cursor_row)

    def show_counts(self) -> None:
        table = self.table
        if table is None or self.resource is None:
            return
        self.query_one(StatusLine).show(
            total=table.total_count,
            shown=table.row_count,
            marked=table.marked_count,
            summary=self.summary,
            order=describe_order(table.sort_keys, table.schema) if table.row_count > 1 else "",
        )
        table.set_empty_text(self._explain_no_match(table))
        self.post_message(self.RowsChanged(self))
        self.query_one(FilterLine).show_hits(table.row_count, table.total_count)
        self._update_detail()
        self._update_offers()
        self._update_statistics()
        if self.resource.chart is not None:
            panel = self.query_one(ChartPanel)
            panel.show(table.shown_rows, self.resource.schema, self.resource.chart)
            panel.point(table.cursor_row)

    def _explain_no_match(self, table: FrameTable) -> tuple[str, ...]:
        """Lines in place of the rows where the filter leaves none: the nearest one that does, and how to clear it."""
        if table.row_count or not table.total_count or not table.filter_text or table.busy or self.resource is None:
            return ()
        one, several = (safe_text(noun) for noun in self.resource.noun)
        lines = [f"No {one} matches {safe_text(table.filter_text)}", ""]
        if (nearest := find_nearest_filter(table.frame, table.schema, table.filter_text)) is not None:
            text, count = nearest
            lines.append(f"{safe_text(text)} alone has {count:,} {one if count == 1 else several}")
        lines.append(f"esc clears the filter: {table.total_count:,} {one if table.total_count == 1 else several}")
        return tuple(lines)

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
        event.stop()
        if self.table is not None:
            self.table.move_to_key(event.key)

    @on(StatisticsPanel.FilterRequest)
    def _filter_to_value(self, event: StatisticsPanel.FilterRequest) -> None:
        event.stop()
        self.query_one(FilterLine).narrow(event.text)
        self.focus_view()

    @on(StatisticsPanel.LeaveRequest)
    def _leave_statistics(self, event: StatisticsPanel.LeaveRequest) -> None:
        event.stop()
        self.focus_view()

    def action_filter(self) -> None:
        if self.table is not None:
            self.table.begin_undo_step()
        self.query_one(FilterLine).enter()

    def action_filter_failed(self) -> None:
        """Filters by the states that mean failure, or clears that filter."""
        table = self.table
        if table is None:
            return
        if (column := table.schema.state_column) is not None:
            states = table.frame[column].drop_nulls().unique().sort().to_list()
            if failed := [state for state in states if has_failed(state)]:
                self.query_one(FilterLine).toggle(f"{column}:{','.join(failed)}")
                return
        self.app.notify("No row of this list says that it failed.")

    def action_panel(self) -> None:
        self._panel_wanted = not self.query_one(DetailPanel).has_class("-shown")
        self._arrange()
        if self._panel_wanted and self.size.width < WIDE:
            self.query_one(DetailPanel).focus()
        else:
            self.focus_view()

    def action_statistics(self) -> None:
        """Shows the panel; again: gives it the focus; from there: hides it."""
        panel = self.query_one(StatisticsPanel)
        if self.has_class("-statistics") and not panel.has_focus:
            self.screen.set_focus(panel)
            return
        if self.has_class("-statistics"):
            self.focus_view()
        self.toggle_class("-statistics")
        self.refresh_bindings()
        self._update_statistics()

    def action_statistics_column(self, step: int) -> None:
        self.query_one(StatisticsPanel).step_column(step)

    def action_statistics_log(self) -> None:
        self.query_one(StatisticsPanel).toggle_log()

    def action_statistics_group(self) -> None:
        self.query_one(StatisticsPanel).step_group()

    def action_chart(self) -> None:
        self.toggle_class("-chart")
        self.refresh_bindings()

    def action_zoom(self, step: int) -> None:
        self.query_one(ChartPanel).zoom(step)

    def reload(self) -> None:
        """Loads again in the session's mode: from the store where that will do."""
        self.load()

    def action_refresh_list(self) -> None:
        self.load(refresh=True)

    def action_stop(self) -> None:
        self._complete_cancel.cancel()
        self.drop_export()
        (self._action_cancel or self._cancel).cancel()

    def action_back(self) -> None:
        if self._panel_wanted and self.size.width < WIDE:
            self._panel_wanted = None
            self._arrange()
            self.focus_view()
            return
        if self.table is not None:
            self.table.begin_undo_step()
        if not (self.query_one(FilterLine).clear() or (self.table is not None and self.table.unmark())):
            self.post_message(self.Closed())

    # ---- opening ---------------------------------------------------------------------------------------------
    def _open(self, target: ViewTarget | None, otherwise: str) -> None:
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
        focused = self.table.focused_column if self.table is not None else None
        cell = self.resource.open_cell(row, focused.name) if focused is not None else None
        target = cell or self.resource.shows(row)
        if target is None:
            self._panel_wanted = True
            self._arrange()
        else:
            self.post_message(self.Open(target))

    def open_target(self, target: ViewTarget) -> None:
        self.post_message(self.Open(target))

    def action_open_marked(self) -> None:
        resource, rows = self.resource, self.selected_rows()
        target = resource.open_marked(rows) if resource is not None and rows is not None else None
        self._open(target, NOTHING["open_marked"])

    def action_log(self) -> None:
        resource, row = self.resource, self.cursor_row
        self._open(resource.log(row) if resource and row is not None else None, NOTHING["log"])

    def action_document(self) -> None:
        resource, row = self.resource, self.cursor_row
        target = resource.document(row) if resource is not None and row is not None else None
        self._open(target, NOTHING["document"])

    def action_compare(self) -> None:
        if self.resource is None or self.table is None:
            return
        try:
            target = self.resource.compare(self.table.marked_rows)
        except AppError as error:
            self.app.show_error(error)  # type: ignore[attr-defined]
            return
        self._open(target, NOTHING["compare"])

    def action_measurements(self) -> None:
        resource, rows = self.resource, self.selected_rows()
        target = resource.measurements(rows) if resource is not None and rows is not None else None
        self._open(target, NOTHING["measurements"])

    def action_failures(self) -> None:
        from backends.failure_links import failure_clusters

        if self.resource is None or self.table is None:
            return
        source = self.resource.failures(self.table.marked_rows if self.table.marked_count else self.table.shown_rows)
        target = failure_clusters(source) if source is not None else None
        self._open(target, "None of these rows failed.")

    def action_pin(self) -> None:
        self.post_message(self.Pin(self))

    # ---- what the app asks of every list -----------------------------------------------------------------------
    def report_title(self) -> None:
        self.post_message(self.Titled(self))

    def open_first_log(self, resource: Resource) -> None:
        first = resource.first_log or resource.first_image
        if first is not None and self.restored is None and self.display:  # nothing else was opened on it meanwhile
            self.post_message(self.Open(first))

    def first_row_found(self) -> None:
        """Opens the log, document or image that lay on the list when the app ended."""
        reader, self.restored = self.restored.reader if self.restored is not None else "", None
        resource, row = self.resource, self.cursor_row
        if not reader or resource is None or row is None:
            return
        first = resource.first_log or resource.first_image
        for target in (first, resource.shows(row), resource.log(row), resource.document(row)):
            if not isinstance(target, LogAddress | Document | ImageFile):
                continue
            if target.locator and target.locator.text() == reader:
                self.post_message(self.Open(target))
                return


def _gives_nothing(ask: Callable[[Any], object], about: object) -> bool:
    """What cannot be told is offered: using it says what is wrong."""
    found, error = crash_log.attempt(ask, about)
    return found is None and error is None
