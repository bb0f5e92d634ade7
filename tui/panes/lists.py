"""A pane of lists: the start screen at the bottom, then one list on top of another, with the way there above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from backends.locators import Locator
from backends.systems import System
from tui.history import History, Visit
from tui.widgets.locator_box import LocatorBox
from tui.widgets.start import Start

if TYPE_CHECKING:
    from backends.resources import Document, LogAddress
    from backends.session import Session
    from tui.widgets.log_level import LogLevel
    from tui.widgets.log_view_pane import LogPane
    from tui.widgets.resource_view import ResourceView
    from tui.widgets.row_actions import RowActions
    from tui.widgets.tree_level import TreeLevel

    Level = ResourceView | LogLevel | TreeLevel


class ListPane(Vertical):
    """The lists of one system. Each level keeps its marks, filter, sort and cursor while others are on top of it."""

    DEFAULT_CSS = """
    ListPane { height: 1fr; }
    ListPane #pane-path { height: 1; padding: 0 1; text-style: bold; color: $primary; display: none;
        text-wrap: nowrap; text-overflow: ellipsis; }
    ListPane.-open #pane-path { display: block; }
    ListPane.-open Start { display: none; }
    """

    def __init__(self, session: Session, history: History, system: System) -> None:
        super().__init__(id=system.name)
        self._session = session
        self._history = history
        self._system = system
        self._stack: list[Level] = []

    def compose(self) -> ComposeResult:
        yield Static("", id="pane-path")
        yield Start(self._offers(), self._system.summary, self._system.name)

    def _offers(self) -> list[Visit]:
        """What was opened here before, then the lists to begin with."""
        visits = self._history.of(self._system.name)
        seen = {visit.text for visit in visits}
        return [*visits, *(Visit(text, title, 0.0) for title, text in self._system.roots if text not in seen)]

    @property
    def top(self) -> Level | None:
        return self._stack[-1] if self._stack else None

    @property
    def depth(self) -> int:
        return len(self._stack)

    def enter(self) -> None:
        """Puts the focus where the user will want it."""
        if self.top is None:
            self.query_one(Start).focus_input()
        else:
            self.top.focus_table()

    async def open(self, locator: Locator) -> None:
        """Shows a locator instead of all that is shown."""
        while self._stack:
            await self._stack.pop().remove()
        await self._push(self._level(locator))

    async def _push(self, level: Level) -> None:
        if self.top is not None:
            self.top.display = False
        self._stack.append(level)
        self.add_class("-open")
        await self.mount(level)
        self._draw_path()
        level.focus_table()

    @on(LocatorBox.Chosen)
    async def _chosen(self, event: LocatorBox.Chosen) -> None:
        event.stop()
        self.app.open_locator(event.locator)  # type: ignore[attr-defined]

    async def on_row_actions_open(self, event: RowActions.Open) -> None:
        event.stop()
        await self._push(self._level(event.target))

    def _level(self, target: Locator | LogAddress | Document) -> Level:
        from backends.resources import LogAddress

        if isinstance(target, Locator):
            from tui.widgets.resource_view import ResourceView

            return ResourceView(self._session, target)
        if isinstance(target, LogAddress):
            from tui.widgets.log_level import LogLevel

            return LogLevel(self._session, target)
        from tui.widgets.tree_level import TreeLevel

        return TreeLevel(target)

    async def on_resource_view_back(self, event: ResourceView.Back) -> None:
        event.stop()
        await self._pop()

    async def on_log_pane_left(self, event: LogPane.Left) -> None:
        event.stop()
        await self._pop()

    async def on_tree_level_left(self, event: TreeLevel.Left) -> None:
        event.stop()
        await self._pop()

    async def _pop(self) -> None:
        if not self._stack:
            return
        await self._stack.pop().remove()
        if self.top is not None:
            self.top.display = True
        else:
            self.remove_class("-open")
            self.query_one(Start).offer(self._offers())
        self._draw_path()
        self.enter()

    def on_resource_view_titled(self, event: ResourceView.Titled) -> None:
        event.stop()
        self._draw_path()
        top = self.top
        if top is not None and len(self._stack) == 1:
            self._history.add(top.locator.text(), top.title, self._system.name)

    def on_row_actions_pin(self, event: RowActions.Pin) -> None:
        event.stop()
        if self.top is not None:
            pinned = self._history.toggle_pin(self.top.locator.text(), self.top.title, self._system.name)
            self.app.notify("Pinned: the start screen shows it first." if pinned else "No longer pinned.")

    def _draw_path(self) -> None:
        from backends.frames.formats import safe_text

        titles = [safe_text(view.title, limit=60) for view in self._stack]
        path = Text(" › ".join(titles), no_wrap=True, overflow="ellipsis")
        while len(titles) > 1 and path.cell_len > self.app.size.width - 2:  # where one is counts for more than the way
            titles = titles[1:]
            path = Text(" › ".join(("…", *titles)), no_wrap=True, overflow="ellipsis")
        self.query_one("#pane-path", Static).update(path)

    def on_resize(self) -> None:
        self._draw_path()
