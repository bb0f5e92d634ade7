"""The pane of one system: the start screen, then one list on top of another.

Imported before the first paint: nothing heavy here. The views are imported when the first locator is opened.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from backends.locators import Locator
from backends.systems import System, accepted_forms, systems
from tui.history import History
from tui.widgets.plain import PlainVertical
from tui.widgets.start_screen import StartBox, StartEntry, entries_of

if TYPE_CHECKING:
    import polars as pl

    from backends.resources import ViewTarget
    from backends.session import Session
    from tui.widgets.image_pane import ImagePane
    from tui.widgets.list_view import ResourceView
    from tui.widgets.log_pane import LogPane
    from tui.widgets.reader_pane import ReaderPane
    from tui.widgets.state_bar import StateBar
    from tui.widgets.tree import TreePane

    View = ResourceView | LogPane | TreePane | ImagePane
MAX_AHEAD = 10  # views kept to go forward to
MAX_LISTS = 40  # that lie on each other with their widgets; below these only what they showed is kept
_MIN_HEIGHT = 16  # lines of the screen; with fewer the states give their line to the rows
_MAX_TITLE = 200  # characters
_MIN_WIDTH = 50  # cells of a path line that says who made what is shown
_MIN_MESSAGE = 16  # cells; of less a message says nothing
_BETWEEN = " › "


class PathLine(Widget):
    """The way to what is shown: the pane, then each list and reader. A click on a part selects it, one on the dots the
    last part that they stand for."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"path-line--back", "path-line--here"}
    DEFAULT_CSS = """
    PathLine {
        height: 1; padding: 0 1; background: $ci-bg; color: $ci-text;
        & > .path-line--back { color: $ci-muted; }
        & > .path-line--here { color: $ci-text; text-style: bold; }
    }
    """

    class Selected(Message):
        """A part was clicked; `depth`: how many views lie under and at it, 0 for the pane itself."""

        def __init__(self, depth: int) -> None:
            super().__init__()
            self.depth = depth

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._parts: list[str] = []
        self._made: tuple[str, float | None] = ("", None)
        self._message = ""
        self._places: list[tuple[int, int, int]] = []  # (first cell, end, depth)

    def show(self, parts: list[str], made_by: str = "", made_at: float | None = None, message: str = "") -> None:
        """Draws these parts, the pane's name first, then what whoever made it says of it, and at the right end who that
        was and how long ago."""
        if (self._parts, self._made, self._message) != (parts, (made_by, made_at), message):
            self._parts, self._made, self._message = parts, (made_by, made_at), message
            self.refresh()

    def render(self) -> Text:
        """The pane's name and the last part stay: the message gives way, then the way between them, then the middle of
        the last part."""
        from backends.frames.formats import safe_text
        from tui.widgets.table_drawing import fit_ends

        made = self._describe_maker()
        room = self.content_size.width - (made.cell_len + 2 if made else 0)
        shown = list(enumerate(self._parts))
        while len(shown) > 2 and self._draw(shown).cell_len > room:
            del shown[1]
        text = self._draw(shown)
        if text.cell_len > room and shown:
            depth, last = shown[-1]
            shown[-1] = depth, fit_ends(last, max(8, cell_len(last) - (text.cell_len - room))).rstrip()
            text = self._draw(shown)
        if made and self._message and (left := room - text.cell_len - 2) >= _MIN_MESSAGE:
            message = Text(safe_text(self._message, limit=_MAX_TITLE), self._style("back"), no_wrap=True)
            message.truncate(left, overflow="ellipsis")
            text.append("  ").append_text(message)
        if made:
            text.append(" " * (self.content_size.width - text.cell_len - made.cell_len))
            text.append_text(made)
        return text

    def _describe_maker(self) -> Text:
        """Nothing where it would leave no room for the path."""
        from backends.frames.formats import safe_text
        from backends.http.response import format_age

        by, at = self._made
        text = Text(safe_text(by, limit=24) if self.content_size.width >= _MIN_WIDTH else "")
        if text and at is not None:
            text.append(f" · {format_age(max(0.0, time.time() - at))} ago", self._style("back"))
        return text

    def _draw(self, shown: list[tuple[int, str]]) -> Text:
        text, before = Text(no_wrap=True, overflow="ellipsis"), -1
        self._places = []
        for depth, part in shown:
            text.append("" if before < 0 else _BETWEEN, self._style("back"))
            if depth > before + 1:
                self._places.append((text.cell_len, text.cell_len + 1, depth - 1))
                text.append(f"…{_BETWEEN}", self._style("back"))
            start, before = text.cell_len, depth
            text.append(part, self._style("here" if depth == len(self._parts) - 1 else "back"))
            self._places.append((start, text.cell_len, depth))
        return text

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"path-line--{name}", partial=True)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        for start, end, depth in self._places:
            if start <= offset.x < end:
                self.post_message(self.Selected(depth))


class ListPane(PlainVertical):
    """The lists of one system. Each view keeps its marks, filter, sort and cursor while others are on top of it.

    The lines above them are shown and hidden one by one: a class of the pane would style all views anew.
    """

    DEFAULT_CSS = """
    ListPane { height: 1fr; }
    ListPane StartBox { padding: 1 2 0 2; max-width: 124; height: 1fr; }
    """

    def __init__(self, session: Session, history: History, system: System) -> None:
        super().__init__(id=system.name)
        self._session = session
        self._history = history
        self._system = system
        self._stack: list[View] = []
        self._ahead: list[ResourceView | ViewTarget] = []  # where one came back from, the nearest last
        self._counted: pl.DataFrame | None = None  # the rows whose states have been counted
        self._counts: dict[str, int] = {}
        self._chosen: set[View] = set()  # opened by what the user typed or picked: these are remembered
        self._came_from: dict[View, str] = {}  # views that were opened from another pane: its name

    def compose(self) -> ComposeResult:
        forms = accepted_forms(self._system.name) or self._system.syntax()
        yield StartBox(self._session.parse, self.entries(), forms=forms)

    def entries(self) -> list[StartEntry]:
        """What was opened before in any pane, then lists to begin with, this system's first."""
        examples = [StartEntry("To begin with", title, text, note) for title, text, note in self._session.examples]
        beginnings = systems().values() if self._session.capsule is None else ()  # a capsule has its own lists only
        for system in sorted(beginnings, key=lambda one: one is not self._system):
            examples += [
                StartEntry(system.summary, title, text) for title, text in system.roots
            ]  # fmt: skip
        return entries_of(self._history.visits, examples)

    @property
    def top(self) -> View | None:
        return self._stack[-1] if self._stack else None

    def enter(self) -> None:
        """Puts the focus where the user will want it."""
        if self.top is None:
            self.query_one(StartBox).focus_input()
        else:
            self.top.focus_view()

    @property
    def depth(self) -> int:
        """How many lists and readers lie on each other."""
        return len(self._stack)

    async def open(self, locator: Locator, came_from: str = "") -> None:
        """Shows a locator on top of what is shown, and remembers it among the visits. `came_from`: another pane, which
        going back from it leads to."""
        view = await self._push(locator)
        self._chosen.add(view)
        if came_from:
            self._came_from[view] = came_from

    @property
    def has_way_back(self) -> bool:
        """Whether going back shows anything but this pane's start screen."""
        return self.depth > 1 or self.top in self._came_from

    @property
    def views(self) -> tuple[View, ...]:
        """What lies on each other, the first opened first."""
        return tuple(self._stack)

    async def reopen(self, views: Sequence[ResourceView]) -> None:
        """Shows these lists on each other; those below load when they are seen."""
        for view in views:
            view.display = view is views[-1]
            await self._show(view)

    async def go_back(self, steps: int = 1) -> None:
        """To the view before, which is as it was left; this one is kept to go forward to."""
        steps = min(steps, self.depth)
        if not steps:
            return
        for view in reversed(self._stack[-steps:]):
            self._stack.remove(view)
            self._chosen.discard(view)
            self._ahead.append(await self._put_aside(view))
        await self._drop_ahead(len(self._ahead) - MAX_AHEAD)
        if self.top is not None:
            self.top.display = True
            if not self.top.is_mounted:
                await self.mount(self.top)
        else:
            self._show_lists(False)
            self.query_one(StartBox).set_entries(self.entries())
        self._draw_header()
        if view in self._came_from:
            await self.app.run_action(f"pane('{self._came_from.pop(view)}')")
        else:
            self.enter()

    async def go_forward(self) -> None:
        """To where `go_back` came from."""
        if self._ahead:
            target = self._ahead.pop()
            if isinstance(target, Vertical):
                target.display = True
            await self._show(target)

    async def _push(self, target: ViewTarget) -> View:
        await self._drop_ahead(len(self._ahead))
        return await self._show(target)

    async def _show(self, target: ResourceView | ViewTarget) -> View:
        """On top of the others: a view that was kept, or a new one."""
        from tui.widgets.list_view import ResourceView

        if self.top is not None:
            self.top.display = False
        view = target if isinstance(target, ResourceView) else self._view_of(target)
        self._stack.append(view)
        if not self.query(PathLine):
            from tui.widgets.state_bar import StateBar

            await self.mount(PathLine(id="pane-path"), StateBar(), before=0)
        self._show_lists(True)
        if view.is_mounted and isinstance(view, ResourceView):
            view.show_again()
        else:
            await self.mount(view)
        self._draw_header()
        view.focus_view()
        await self._release_deep_lists()
        return view

    async def _release_deep_lists(self) -> None:
        """Of lists far below only what they showed is kept: they are loaded again when one comes back to them. A list
        takes 2 MB and 60 widgets; one with marked rows stays as it is."""
        from tui.widgets.list_view import ResourceView

        for at, view in enumerate(self._stack[:-MAX_LISTS]):
            if not isinstance(view, ResourceView) or not view.is_mounted or (view.table and view.table.marked_count):
                continue
            kept = self._stack[at] = ResourceView(self._session, view.locator, view.open_list())
            kept.title, kept.display = view.heading, False
            if view in self._chosen:
                self._chosen.remove(view)
                self._chosen.add(kept)
            if view in self._came_from:
                self._came_from[kept] = self._came_from.pop(view)
            await view.remove()

    def _show_lists(self, shown: bool) -> None:
        """Them and the way to them, or the start screen."""
        self.query_one(PathLine).display = shown
        self.query_one(StartBox).display = not shown

    async def _put_aside(self, view: View) -> ResourceView | ViewTarget:
        """What is needed to show it again. Lists stay; readers, which hold files, are opened again."""
        from tui.widgets.list_view import ResourceView

        if isinstance(view, ResourceView):
            if view.is_mounted:
                view.put_aside()
            return view
        target = view.target
        await view.remove()
        return target

    async def _drop_ahead(self, count: int) -> None:
        """Forgets the farthest views."""
        count = max(0, count)
        dropped, self._ahead = self._ahead[:count], self._ahead[count:]
        for view in dropped:
            if isinstance(view, Vertical) and view.is_mounted:
                await view.remove()

    def _view_of(self, target: ViewTarget) -> View:
        from backends.resources import ImageFile, LogAddress

        if isinstance(target, Locator):
            from tui.widgets.list_view import ResourceView

            return ResourceView(self._session, target)
        if isinstance(target, LogAddress):
            from tui.widgets.log_pane import LogPane

            return LogPane.at_address(self._session, target)
        if isinstance(target, ImageFile):
            from tui.widgets.image_pane import ImagePane

            self._session.remember_image(target)
            return ImagePane(target, self._session.settings.images)
        from tui.widgets.tree import TreePane

        return TreePane(target)

    @on(StartBox.Selected)
    def _open_selected(self, event: StartBox.Selected) -> None:
        event.stop()
        self.app.open_locator(event.locator)  # type: ignore[attr-defined]

    # By name and not by `on`: the classes are not imported yet.
    async def on_resource_view_open(self, event: ResourceView.Open) -> None:
        event.stop()
        await self._push(event.target)

    async def on_resource_view_closed(self, event: ResourceView.Closed) -> None:
        event.stop()
        await self.go_back()

    async def on_reader_pane_closed(self, event: ReaderPane.Closed) -> None:
        event.stop()
        await self.go_back()

    def on_resource_view_titled(self, event: ResourceView.Titled) -> None:
        event.stop()
        self._draw_header()
        view = event.control
        if view in self._chosen and view.resource is not None:
            self._history.add(view.locator.text(), view.title, view.locator.system, view.summary)

    def on_resource_view_pin(self, event: ResourceView.Pin) -> None:
        event.stop()
        view = event.control
        pinned = self._history.toggle_pin(view.locator.text(), view.title, view.locator.system)
        until = " until the demo ends" if self._session.demo else ""
        self.app.notify(f"Pinned: the start screen shows it{until}." if pinned else "Unpinned.")

    # ---- the lines above the view ----------------------------------------------------------------------------
    def _draw_header(self) -> None:
        from backends.frames.formats import safe_text

        titles = [safe_text(getattr(view, "heading", view.title), limit=_MAX_TITLE) for view in self._stack]
        made_by, made_at = getattr(self.top, "author_and_time", ("", None))
        message = getattr(self.top, "message", "")
        self.query_one(PathLine).show([self._system.label, *titles], made_by, made_at, message)
        self._draw_states()

    def on_resource_view_rows_changed(self, event: ResourceView.RowsChanged) -> None:
        event.stop()
        if event.control is self.top:
            self._draw_states()

    def _draw_states(self) -> None:
        """How many rows of the list are in each state, and how many have not come yet, whatever the filter."""
        from tui.widgets.list_view import ResourceView
        from tui.widgets.state_bar import StateBar, count_states, has_known_states
        from tui.widgets.status_line import StatusLine

        view = self.top
        table = view.table if isinstance(view, ResourceView) else None
        column = table.schema.state_column if table is not None else None
        if view is None or table is None or column is None:
            self._counted, self._counts = None, {}
        elif table.frame is not self._counted:  # filtering and marking change nothing about it
            self._counted, self._counts = table.frame, count_states(table.frame[column])
        bar = self.query_one(StateBar)
        bar.display = has_known_states(self._counts) and self.app.size.height >= _MIN_HEIGHT
        if view is None or table is None:
            return
        line = view.query_one(StatusLine)
        shown = self._counts if bar.display else {}
        in_header = frozenset(f"{count:,} {state}" for state, count in shown.items())
        if line.status.in_header != in_header:
            line.show(in_header=in_header)
        if not self._counts:
            return
        status = line.status
        missing = max(0, (status.expected or 0) - table.total_count) if status.loading else 0
        bar.show(self._counts | ({"loading": missing} if missing else {}))

    @on(PathLine.Selected)
    async def _go_back_to(self, event: PathLine.Selected) -> None:
        event.stop()
        self._came_from.clear()  # the way that is shown is what was chosen
        await self.go_back(self.depth - event.depth)

    def on_state_bar_selected(self, event: StateBar.Selected) -> None:
        """Only the rows in that state, or all of them again."""
        event.stop()
        from backends.frames.filter_ast import quoted_if_needed
        from tui.widgets.filter_line import FilterLine
        from tui.widgets.list_view import ResourceView

        view = self.top
        table = view.table if isinstance(view, ResourceView) else None
        column = table.schema.state_column if table is not None else None
        if view is None or table is None or column is None or event.state == "loading":
            return
        text, line = f"{column}:{quoted_if_needed(event.state, value=True)}", view.query_one(FilterLine)
        again = table.filter_text == text
        line.clear()
        if not again:
            line.set_initial(text)

    def on_resize(self) -> None:
        if self._stack:  # without a view nothing is drawn, and drawing imports polars
            self._draw_header()
