"""A JSON document as a tree of any size: branches are filled when they are opened, and long ones in parts."""

from __future__ import annotations

from collections import deque
from typing import Any

from rich.style import Style
from rich.text import Text
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from backends import documents
from backends.documents import Path
from backends.frames.formats import safe_text
from tui.keymap import bindings

PART = 500  # children that a branch shows at once; Textual takes 0.1 ms a node
_LABEL = 300  # characters of a value on its line; the panel below shows all of it
_OPEN_AT_FIRST = 40  # nodes: a small document is shown whole


class TreeView(Tree[Path | None], inherit_bindings=False):
    """Nodes carry their path; one without stands for the rest of a long branch. Cursor and folding are Textual's."""

    BINDINGS = bindings("tree")
    DEFAULT_CSS = """
    TreeView { height: 1fr; background: $surface; padding: 0 1; scrollbar-size-vertical: 1; }
    """

    class Moved(Message):
        """The cursor is on another node, or what is below it is shown or hidden."""

    class Asked(Message):
        """A key whose work is not the tree's: "search", "save", "back", "copy", "copy-path", "whole", "match" n."""

        def __init__(self, what: str, step: int = 0) -> None:
            super().__init__()
            self.what = what
            self.step = step

    def __init__(self, document: Any, title: str) -> None:
        super().__init__(Text(safe_text(title, limit=_LABEL)), data=())
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
        end = max(begin + PART, least + 1)
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

    # ---- what others ask -----------------------------------------------------------------------------------------
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
        self.call_after_refresh(self._go, node)

    def _go(self, node: TreeNode[Path | None]) -> None:
        self.move_cursor(node)
        self.scroll_to_node(node, animate=False)

    def _enter(self, node: TreeNode[Path | None]) -> None:
        if node.data is None:
            parent, number = node.parent, len(node.parent.children) - 1 if node.parent is not None else 0
            if parent is not None:
                self._fill(parent)
                self.call_after_refresh(self._go, parent.children[number])
        elif node.allow_expand:
            node.toggle()
        else:
            self.post_message(self.Asked("whole"))

    # ---- actions, which the keymap binds -------------------------------------------------------------------------
    def action_enter(self) -> None:
        if self.cursor_node is not None:
            self._enter(self.cursor_node)

    def action_step(self, lines: int) -> None:
        self.cursor_line = max(0, min(self.cursor_line + lines, self.last_line))

    def action_page(self, pages: int) -> None:
        self.action_step(pages * max(1, self.size.height - 1))

    def action_jump(self, where: int) -> None:
        self.cursor_line = self.last_line if where < 0 else where

    def action_inward(self) -> None:
        node = self.cursor_node
        if node is None:
            return
        if node.allow_expand and not node.is_expanded:
            self._open(node)
        elif node.children:
            self.action_step(1)

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

    def action_ask(self, what: str, step: int = 0) -> None:
        self.post_message(self.Asked(what, step))

    def render_label(self, node: TreeNode[Path | None], base_style: Style, style: Style) -> Text:
        label = node.label.copy() if isinstance(node.label, Text) else Text(str(node.label))
        sign = ("▼ " if node.is_expanded else "▶ ") if node.allow_expand else "  "
        whole = Text.assemble((sign, base_style), label)
        whole.stylize_before(style)
        whole.no_wrap = True
        return whole


def _label(key: str | int, value: Any) -> Text:
    name = safe_text(str(key), limit=_LABEL)
    if documents.is_branch(value):
        return Text.assemble((name, "bold"), ("  " + documents.size_words(value), "dim"))
    text = documents.leaf_text(value)
    lines = text.count("\n")
    shown = safe_text(text.replace("\n", " ⏎ ") if lines else text, limit=_LABEL)
    style = "" if isinstance(value, str) else "italic"
    return Text.assemble((name, "bold"), ": ", (shown or '""', style if shown else "dim"))
