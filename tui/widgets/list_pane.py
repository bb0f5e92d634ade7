"""The pane of one system: its home screen, then one list on top of another; the box that takes a pasted text.

Imported before the first paint: nothing heavy here. The views are imported when the first locator is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from backends.errors import AppError
from backends.locators import Locator
from backends.systems import System, accepted_forms
from tui.history import History, Visit

if TYPE_CHECKING:
    from backends.resources import Document, LogAddress
    from backends.session import Session
    from tui.widgets.list_view import ResourceView
    from tui.widgets.log_pane import LogPane
    from tui.widgets.reader_pane import ReaderPane
    from tui.widgets.tree import TreePane

    View = ResourceView | LogPane | TreePane
    Target = Locator | LogAddress | Document
Parse = Callable[[str], Locator]  # raises InvalidLocatorError
MAX_AHEAD = 10  # views kept to go forward to


class LocatorBox(Vertical):
    """An input for pasted text, its error, and those of the recent and pinned locators that contain its words."""

    DEFAULT_CSS = """
    LocatorBox { height: auto; }
    LocatorBox Input { border: tall $primary; height: 3; }
    LocatorBox #locator-error { color: $text-error; height: auto; max-height: 6; padding: 0 1; }
    LocatorBox OptionList { height: auto; max-height: 12; border: none; text-wrap: nowrap; text-overflow: ellipsis;
        background: transparent; padding: 0 1; }
    LocatorBox OptionList.-empty { display: none; }
    """
    BINDINGS = [Binding("down", "into_list", show=False)]  # reached from the input only: the list has a Down of its own

    class Selected(Message):
        """A locator was pasted or picked."""

        def __init__(self, locator: Locator) -> None:
            self.locator = locator
            super().__init__()

    def __init__(self, parse: Parse, visits: Sequence[Visit], text: str = "") -> None:
        super().__init__()
        self._parse = parse
        self._visits = list(visits)
        self._text = text
        self._matching: list[Visit] = []

    def compose(self) -> ComposeResult:
        yield Input(self._text, placeholder="Paste a URL, an id or a revision, then Enter", select_on_focus=False)
        yield Static("", id="locator-error")
        yield OptionList()

    def on_mount(self) -> None:
        self.set_visits(self._visits)

    def set_visits(self, visits: Sequence[Visit]) -> None:
        """What to offer."""
        self._visits = list(visits)
        self._filter_visits(self.query_one(Input).value)

    def _filter_visits(self, text: str) -> None:
        """Shows those that have all words of the text in title or locator."""
        words = text.lower().split()
        self._matching = [
            visit for visit in self._visits if all(word in f"{visit.title} {visit.text}".lower() for word in words)
        ]
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options([Option(_visit_label(visit)) for visit in self._matching])
        choices.set_class(not self._matching, "-empty")

    def focus_input(self) -> None:
        # At once: focus() asks for it later, and would take it from a list that has been opened in between.
        self.screen.set_focus(self.query_one(Input))

    def action_into_list(self) -> None:
        choices = self.query_one(OptionList)
        if choices.option_count:
            choices.focus()
            choices.highlighted = 0

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#locator-error", Static).update("")
        self._filter_visits(event.value)

    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._select(event.value)

    @on(OptionList.OptionSelected)
    def _visit_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._select(self._matching[event.option_index].text)

    def _select(self, text: str) -> None:
        try:
            locator = self._parse(text)
        except AppError as error:
            self.query_one("#locator-error", Static).update(Text(f"{error.sentence}\n{error.hint}".strip()))
            return
        self.query_one(Input).value = ""
        self.post_message(self.Selected(locator))


def _visit_label(visit: Visit) -> Text:
    # Titles are task names: a server's text, in which no markup and nothing unprintable is obeyed.
    title = "".join(character if character.isprintable() else "·" for character in visit.title[:200])
    label = Text.assemble(("★ " if visit.pinned else "  ", "bold"), (title, ""), ("  " + visit.text[:200], "dim"))
    label.no_wrap, label.overflow = True, "ellipsis"
    return label


class LocateDialog(ModalScreen[Locator | None]):
    """Ctrl+O: the box over whatever is shown."""

    DEFAULT_CSS = """
    LocateDialog { align: center top; }
    LocateDialog > Vertical { width: 90%; max-width: 120; height: auto; max-height: 90%; margin-top: 2;
        border: round $primary; background: $surface; padding: 0 1; }
    LocateDialog Label { text-style: bold; padding: 0 1; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, parse: Parse, visits: Sequence[Visit], text: str = "") -> None:
        super().__init__()
        self._box = LocatorBox(parse, visits, text)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label("Open")
            yield self._box

    def on_mount(self) -> None:
        self._box.focus_input()

    @on(LocatorBox.Selected)
    def _select(self, event: LocatorBox.Selected) -> None:
        event.stop()
        self.dismiss(event.locator)


def _accepted_forms(system: System) -> Text:
    """Plain padded text: a rich Table of the same rows costs 20 ms of every start."""
    forms = [("paste", "To open"), *(accepted_forms(system.name) or system.syntax())]
    width = max(len(meaning) for _, meaning in forms)
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, (form, meaning) in enumerate(forms):
        text.append(f"{meaning.ljust(width)}  {form}\n", "" if number else "bold")
    return text


class ListPane(Vertical):
    """The lists of one system. Each view keeps its marks, filter, sort and cursor while others are on top of it."""

    DEFAULT_CSS = """
    ListPane { height: 1fr; }
    ListPane #pane-path { height: 1; padding: 0 1; text-style: bold; color: $primary; display: none;
        text-wrap: nowrap; text-overflow: ellipsis; }
    ListPane.-open #pane-path { display: block; }
    ListPane #home { padding: 1 2; }
    ListPane.-open #home { display: none; }
    ListPane #home-title { text-style: bold; color: $primary; }
    ListPane #home-forms { color: $text-muted; margin-top: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, session: Session, history: History, system: System) -> None:
        super().__init__(id=system.name)
        self._session = session
        self._history = history
        self._system = system
        self._stack: list[View] = []
        self._ahead: list[ResourceView | Target] = []  # where one came back from, the nearest last
        self._chosen: set[View] = set()  # opened by what the user typed or picked: these are remembered

    def compose(self) -> ComposeResult:
        yield Static("", id="pane-path")
        with VerticalScroll(id="home", can_focus=False):
            yield Static(Text(self._system.summary), id="home-title")
            yield LocatorBox(self._session.parse, self._visits())
            yield Static(_accepted_forms(self._system), id="home-forms")

    def _visits(self) -> list[Visit]:
        """What was opened here before, then the lists to begin with."""
        visits = self._history.of(self._system.name)
        known = {visit.text for visit in visits}
        return [*visits, *(Visit(text, title, 0.0) for title, text in self._system.roots if text not in known)]

    @property
    def top(self) -> View | None:
        return self._stack[-1] if self._stack else None

    def enter(self) -> None:
        """Puts the focus where the user will want it."""
        if self.top is None:
            self.query_one(LocatorBox).focus_input()
        else:
            self.top.focus_view()

    @property
    def depth(self) -> int:
        """How many lists and readers lie on each other."""
        return len(self._stack)

    async def open(self, locator: Locator) -> None:
        """Shows a locator on top of what is shown, and remembers it among the visits."""
        self._chosen.add(await self._push(locator))

    async def go_back(self) -> None:
        """To the view before, which is as it was left; this one is kept to go forward to."""
        if not self._stack:
            return
        view = self._stack.pop()
        self._chosen.discard(view)
        self._ahead.append(await self._put_aside(view))
        if len(self._ahead) > MAX_AHEAD:
            await self._drop_ahead(1)
        if self.top is not None:
            self.top.display = True
        else:
            self.remove_class("-open")
            self.query_one(LocatorBox).set_visits(self._visits())
        self._draw_path()
        self.enter()

    async def go_forward(self) -> None:
        """To where `go_back` came from."""
        if self._ahead:
            await self._show(self._ahead.pop())

    async def _push(self, target: Target) -> View:
        await self._drop_ahead(len(self._ahead))
        return await self._show(target)

    async def _show(self, target: ResourceView | Target) -> View:
        """On top of the others: a view that was kept, or a new one."""
        from tui.widgets.list_view import ResourceView

        if self.top is not None:
            self.top.display = False
        view = target if isinstance(target, ResourceView) else self._view_of(target)
        self._stack.append(view)
        self.add_class("-open")
        if view.is_mounted and isinstance(view, ResourceView):
            view.show_again()
        else:
            await self.mount(view)
        self._draw_path()
        view.focus_view()
        return view

    async def _put_aside(self, view: View) -> ResourceView | Target:
        """What is needed to show it again. Lists stay; logs and trees, which hold files, are opened again."""
        from tui.widgets.list_view import ResourceView

        if isinstance(view, ResourceView):
            view.put_aside()
            return view
        target = view.target
        await view.remove()
        return target

    async def _drop_ahead(self, count: int) -> None:
        """Forgets the farthest views."""
        dropped, self._ahead = self._ahead[:count], self._ahead[count:]
        for view in dropped:
            if isinstance(view, Vertical):
                await view.remove()

    def _view_of(self, target: Target) -> View:
        from backends.resources import LogAddress

        if isinstance(target, Locator):
            from tui.widgets.list_view import ResourceView

            return ResourceView(self._session, target)
        if isinstance(target, LogAddress):
            from tui.widgets.log_pane import LogPane

            return LogPane.at_address(self._session, target)
        from tui.widgets.tree import TreePane

        return TreePane(target)

    @on(LocatorBox.Selected)
    def _open_selected(self, event: LocatorBox.Selected) -> None:
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
        self._draw_path()
        if self.top in self._chosen:
            self._history.add(*self._describe_top(), self._system.name)

    def on_resource_view_pin(self, event: ResourceView.Pin) -> None:
        event.stop()
        if self._stack:
            pinned = self._history.toggle_pin(*self._describe_top(), self._system.name)
            self.app.notify("Pinned: the home screen shows it first." if pinned else "Unpinned.")

    def _describe_top(self) -> tuple[str, str]:
        view = self._stack[-1]
        return view.locator.text() if view.locator is not None else "", view.title

    def _draw_path(self) -> None:
        from backends.frames.formats import safe_text

        titles = [safe_text(view.title, limit=60) for view in self._stack]
        path = Text(" › ".join(titles), no_wrap=True, overflow="ellipsis")
        while len(titles) > 1 and path.cell_len > self.app.size.width - 2:  # where one is matters more than the way
            titles = titles[1:]
            path = Text(" › ".join(("…", *titles)), no_wrap=True, overflow="ellipsis")
        self.query_one("#pane-path", Static).update(path)

    def on_resize(self) -> None:
        self._draw_path()
