"""A JSON document as a tree of any size: branches are filled when they are opened, and long ones in parts.

`TreeView` is the tree, `TreePane` what is around it: it reads the document in a thread, searches and saves it.
"""

from __future__ import annotations

import re
from collections import deque
from functools import partial
from typing import Any, BinaryIO

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Static, Tree
from textual.widgets.tree import TreeNode

from backends import documents
from backends.cancel import CancelToken
from backends.documents import Nodes, Path
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import safe_text
from backends.logs.patterns import TextPattern, parse_pattern
from backends.resources import Document
from tui import crash_log
from tui.keymap import bindings
from tui.widgets.reader_pane import ReaderPane
from tui.widgets.row_painting import CURSOR

_PART = 500  # children that a branch shows at once; Textual takes 0.1 ms a node
_MAX_LABEL = 300  # characters of a value on its line; the panel below shows all of it
_OPEN_AT_FIRST = 40  # nodes: of a small document everything is shown
_MAX_VALUE = 16_384  # characters of a value that the panel shows
_MAX_COPIED = 1 << 20


class TreeView(Tree[Path | None], inherit_bindings=False):
    """Nodes carry their path; one without stands for the rest of a long branch. Cursor and folding are Textual's."""

    BINDINGS = bindings("tree")
    DEFAULT_CSS = """
    TreeView { height: 1fr; background: $ci-bg; padding: 0 1 0 0; scrollbar-size-vertical: 1; }
    TreeView:focus { background-tint: transparent; }
    TreeView > .tree--cursor { background: $ci-select-off; color: $ci-text; }
    TreeView:focus > .tree--cursor { background: $ci-select; color: $ci-text; }
    """

    class Moved(Message):
        """The cursor is on another node, or what is below it is shown or hidden."""

    class Requested(Message):
        """A key whose action is the pane's: search, save, back, copy, copy-path, value, match (with a step)."""

        def __init__(self, what: str, step: int = 0) -> None:
            super().__init__()
            self.what = what
            self.step = step

    def __init__(self, document: Any, title: str) -> None:
        super().__init__(Text(safe_text(title, limit=_MAX_LABEL)), data=())
        self.document = document
        self.guide_depth = 2
        self.auto_expand = False
        self.root.expand()

    def on_mount(self) -> None:
        self._fill(self.root)
        room = _OPEN_AT_FIRST - len(self.root.children)
        waiting = deque(self.root.children)
        while waiting:
            node = waiting.popleft()
            below = len(documents.children(self._value(node)))
            if 0 < below <= room:
                room -= below
                self._open(node)
                waiting.extend(node.children)
        if self.root.children:
            self.call_after_refresh(self.move_cursor, self.root.children[0])

    # ---- filling -------------------------------------------------------------------------------------------------
    def _value(self, node: TreeNode[Path | None]) -> Any:
        return documents.value_at(self.document, node.data) if node.data is not None else None

    def _fill(self, node: TreeNode[Path | None], least: int = 0) -> None:
        """Adds the next part of a branch's children, at least up to number `least`."""
        assert node.data is not None
        rest = node.children[-1] if node.children and node.children[-1].data is None else None
        begin = len(node.children) - (rest is not None)
        below = documents.children(self._value(node))
        end = max(begin + _PART, least + 1)
        if rest is not None:
            rest.remove()
        for key, value in below[begin:end]:
            path = (*node.data, key)
            node.add(_label(key, value), data=path, allow_expand=documents.is_branch(value))
        if len(below) > end:
            node.add_leaf(Text(f"… {len(below) - end:,} more (Enter)", style="italic"), data=None)

    def _open(self, node: TreeNode[Path | None]) -> None:
        if node.allow_expand and not node.children:
            self._fill(node)
        node.expand()

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Path | None]) -> None:
        event.stop()
        if not event.node.children:
            self._fill(event.node)
        self.post_message(self.Moved())

    def on_tree_node_collapsed(self, event: Tree.NodeCollapsed[Path | None]) -> None:
        event.stop()

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[Path | None]) -> None:
        event.stop()
        self.post_message(self.Moved())

    def on_tree_node_selected(self, event: Tree.NodeSelected[Path | None]) -> None:
        event.stop()
        self._enter(event.node)

    # ---- moving -----------------------------------------------------------------------------------------
    @property
    def path(self) -> Path:
        """Of the node under the cursor; of the rest of a branch, the branch's."""
        node = self.cursor_node
        while node is not None and node.data is None:
            node = node.parent
        return node.data if node is not None and node.data is not None else ()

    def show_path(self, path: Path) -> None:
        """Opens what is above a node and puts the cursor on it."""
        node = self.root
        for depth in range(len(path)):
            below = documents.children(documents.value_at(self.document, path[:depth]))
            number = next(place for place, (key, _) in enumerate(below) if key == path[depth])
            if len(node.children) <= number or node.children[number].data is None:
                self._fill(node, number)
            node.expand()
            node = node.children[number]
        # The lines of what was just opened exist after the next refresh.
        self.call_after_refresh(self._move_to, node)

    def _move_to(self, node: TreeNode[Path | None]) -> None:
        self.move_cursor(node)
        self.scroll_to_node(node, animate=False)

    def _enter(self, node: TreeNode[Path | None]) -> None:
        if node.data is None:
            parent, number = node.parent, len(node.parent.children) - 1 if node.parent is not None else 0
            if parent is not None:
                self._fill(parent)
                self.call_after_refresh(self._move_to, parent.children[number])
        elif node.allow_expand:
            node.toggle()
        else:
            self.post_message(self.Requested("value"))

    # ---- actions, which the keymap binds -------------------------------------------------------------------------
    def action_enter(self) -> None:
        if self.cursor_node is not None:
            self._enter(self.cursor_node)

    def action_cursor(self, lines: int) -> None:
        self.cursor_line = max(0, min(self.cursor_line + lines, self.last_line))

    def action_page(self, pages: int) -> None:
        self.action_cursor(pages * max(1, self.size.height - 1))

    def action_jump(self, where: int) -> None:
        self.cursor_line = self.last_line if where < 0 else where

    def action_inward(self) -> None:
        node = self.cursor_node
        if node is None:
            return
        if node.allow_expand and not node.is_expanded:
            self._open(node)
        elif node.children:
            self.action_cursor(1)

    def action_outward(self) -> None:
        node = self.cursor_node
        if node is None:
            return
        if node.is_expanded and node is not self.root:
            node.collapse()
        elif node.parent is not None:
            self.move_cursor(node.parent)

    def action_fold_all(self) -> None:
        """Only the first level stays open."""
        for node in self.root.children:
            node.collapse_all()
        self.cursor_line = 0

    def action_request(self, what: str, step: int = 0) -> None:
        self.post_message(self.Requested(what, step))

    # ---- drawing -------------------------------------------------------------------------------------------------
    def render_line(self, y: int) -> Strip:
        """The line of the cursor stands out from edge to edge and begins with a sign, as in tables."""
        strip = super().render_line(y)
        if self.cursor_line != y + self.scroll_offset.y:
            return Strip([Segment(" ", self.rich_style), *strip.crop(0, self.size.width - 1)], self.size.width)
        style = self.get_component_rich_style("tree--cursor")
        ground = Style(bgcolor=style.bgcolor)
        segments = [Segment(text, (own or style) + ground) for text, own, _ in strip.crop(0, self.size.width - 1)]
        return Strip([Segment(CURSOR, style), *segments], self.size.width)

    def get_label_width(self, node: TreeNode[Path | None]) -> int:
        """With the sign at the left edge, so that a long line can be scrolled to its end."""
        return super().get_label_width(node) + 1

    def render_label(self, node: TreeNode[Path | None], base_style: Style, style: Style) -> Text:
        label = node.label.copy() if isinstance(node.label, Text) else Text(str(node.label))
        sign = ("▼ " if node.is_expanded else "▶ ") if node.allow_expand else "  "
        text = Text.assemble((sign, base_style), label)
        text.stylize_before(style)
        text.no_wrap = True
        return text


def _label(key: str | int, value: Any) -> Text:
    name = safe_text(str(key), limit=_MAX_LABEL)
    if documents.is_branch(value):
        return Text.assemble((name, "bold"), ("  " + documents.size_words(value), "dim"))
    text = documents.leaf_text(value).replace("\n", " ⏎ ")
    shown = safe_text(text, limit=_MAX_LABEL)
    style = "" if isinstance(value, str) else "italic"
    return Text.assemble((name, "bold"), ": ", (shown or '""', style if shown else "dim"))


def _write(document: Any, stream: BinaryIO) -> str:
    stream.write(documents.format_document(document).encode("utf-8", "surrogatepass"))
    return ""


class TreePane(ReaderPane):
    """Reads a `Document` in a thread and shows it. Posts `Closed` when the user wants out."""

    can_focus = True
    DEFAULT_CSS = """
    TreePane #tree-message { height: 1fr; padding: 2 4; }
    """

    class _DocumentRead(Message):
        def __init__(self, value: Any, error: AppError | None) -> None:
            super().__init__()
            self.value, self.error = value, error

    class _SearchDone(Message):
        def __init__(self, number: int, searched: TextPattern, nodes: Nodes, hits: list[int]) -> None:
            super().__init__()
            self.number, self.searched, self.nodes, self.hits = number, searched, nodes, hits

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.title = document.title
        self.locator = document.locator
        self.target = document
        self._cancel = CancelToken()
        self._index: Nodes | None = None
        self._searched: TextPattern | None = None
        self._hits: list[int] = []
        self._current_hit = -1  # which one the cursor was put on
        self._number = 0  # of the newest search

    def compose(self) -> ComposeResult:
        yield Static("Loading…", id="tree-message")
        yield from self.compose_footer()

    def on_mount(self) -> None:
        self.run_worker(self._read, thread=True, group="read", exit_on_error=False)

    def on_unmount(self) -> None:
        self._cancel.cancel()

    def focus_view(self) -> None:
        self.screen.set_focus(self.view or self)

    @property
    def view(self) -> TreeView | None:
        found = self.query(TreeView)
        return found.first() if found else None

    @property
    def has_view(self) -> bool:
        return self.view is not None

    def _read(self) -> None:
        """In a worker thread."""
        value, error = crash_log.attempt(self.target.read, self._cancel)
        if not isinstance(error, OperationCancelledError):
            self.post_message(self._DocumentRead(value, error))

    @on(_DocumentRead)
    async def _show_document(self, event: _DocumentRead) -> None:
        event.stop()
        message = self.query_one("#tree-message", Static)
        if event.error is not None:
            message.update(Text(f"{event.error.sentence}\n\n{event.error.hint}\n\nEsc goes back"))
            return
        await self.mount(TreeView(event.value, self.title), before=message)
        await message.remove()
        if self.screen.focused is self:  # has_focus is true only once the event has been handled
            self.focus_view()

    # ---- the status line and the value ---------------------------------------------------------------------------
    @on(TreeView.Moved)
    def _cursor_moved(self, event: TreeView.Moved) -> None:
        event.stop()
        self._draw_status()

    def _draw_status(self) -> None:
        if self.view is None:
            return
        text = safe_text(documents.format_path(self.view.path), limit=400)
        if self._searched is not None:
            current = f"{self._current_hit + 1:,} of " if self._current_hit >= 0 else ""
            text = f"/{safe_text(self._searched.text, 40)}: {current}{len(self._hits):,} found (n N)  {text}"
        self.show_status(text)

    def _value(self) -> str:
        assert self.view is not None
        return documents.format_document(documents.value_at(self.view.document, self.view.path))

    def value_text(self) -> Text:
        text = self._value()
        more = f"\n… {len(text) - _MAX_VALUE:,} more characters (y copies, s saves)" if len(text) > _MAX_VALUE else ""
        lines = (safe_text(line, limit=_MAX_VALUE) for line in text[:_MAX_VALUE].split("\n"))
        return Text("\n".join(lines) + more, overflow="fold")

    # ---- keys ----------------------------------------------------------------------------------------------------
    @on(TreeView.Requested)
    def _run_request(self, event: TreeView.Requested) -> None:
        event.stop()
        assert self.view is not None
        if event.what == "search":
            self.prompt.open("search", self._searched.text if self._searched is not None else "")
        elif event.what == "save":
            name = re.sub(r"[^\w.+-]+", "_", self.title)[-80:].removesuffix(".json") or "document"
            self.prompt.open("save", f"{name}.json")
        elif event.what == "value":
            self.toggle_value()
        elif event.what == "match":
            self._step(event.step)
        elif event.what == "back":
            self.action_back()
        else:
            text = self._value() if event.what == "copy" else documents.format_path(self.view.path)
            self.app.copy_to_clipboard(text[:_MAX_COPIED])
            self.app.notify(safe_text(text, 200), title="Copied", markup=False)

    # ---- searching and saving ------------------------------------------------------------------------------------
    def run_prompt(self, purpose: str, text: str, done: bool) -> None:
        if purpose == "search":
            self._search(text)
        elif done:
            assert self.view is not None
            self.save(text, partial(_write, self.view.document))

    def end_search(self) -> bool:
        searched = self._searched is not None
        self._number += 1
        self._searched, self._hits, self._current_hit = None, [], -1
        self._draw_status()
        return searched

    def _search(self, text: str) -> None:
        """Raises `AppError` for an invalid pattern."""
        self._number += 1
        if not text:
            self.end_search()
            return
        wanted = parse_pattern(text)
        if self._searched is not None and self._searched.text == text and self._index is not None:
            return
        assert self.view is not None
        number, document = self._number, self.view.document

        def find() -> None:
            """In a worker thread."""
            try:
                nodes = self._index or Nodes(document, self._cancel)
                self.post_message(self._SearchDone(number, wanted, nodes, nodes.find(wanted)))
            except OperationCancelledError:
                pass

        self.run_worker(find, thread=True, group="search", exit_on_error=False)

    @on(_SearchDone)
    def _show_hits(self, event: _SearchDone) -> None:
        event.stop()
        self._index = event.nodes
        if event.number != self._number:
            return
        self._searched, self._hits, self._current_hit = event.searched, event.hits, -1
        self._step(1)
        self._draw_status()

    def _step(self, step: int) -> None:
        if not self._hits or self._index is None or self.view is None:
            return
        forward = self._current_hit >= 0 or step > 0
        self._current_hit = (self._current_hit + step) % len(self._hits) if forward else len(self._hits) - 1
        self.view.show_path(self._index.paths[self._hits[self._current_hit]])
        self._draw_status()
