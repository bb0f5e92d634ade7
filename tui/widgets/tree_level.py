"""A document as one level of a pane's way: its tree, a box to search in, the whole of a long value, a status line."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from backends import documents
from backends.atomic import atomic_file
from backends.cancel import CancelToken
from backends.documents import Nodes
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import safe_text
from backends.logs.patterns import TextPattern, parse_pattern
from backends.resources import Document
from tui import crash_log
from tui.widgets.log_view_prompt import LogPrompt
from tui.widgets.tree_view import TreeView

_WHOLE = 16_384  # characters of a value that the panel shows
_COPIED = 1 << 20


class TreeLevel(Vertical):
    """Reads a `Document` in a thread and shows it. Posts `Left` when the user wants out."""

    can_focus = True
    DEFAULT_CSS = """
    TreeLevel { height: 1fr; }
    TreeLevel #tree-status { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    TreeLevel #tree-words { height: 1fr; padding: 2 4; }
    TreeLevel #tree-whole { height: auto; max-height: 40%; display: none; background: $boost; border-top: solid $panel;
        scrollbar-size-vertical: 1; padding: 0 1; }
    TreeLevel.-whole #tree-whole { display: block; }
    """

    class Left(Message):
        """The user is done with the document."""

    class _Read(Message):
        def __init__(self, value: Any, problem: AppError | None) -> None:
            super().__init__()
            self.value, self.problem = value, problem

    class _Found(Message):
        def __init__(self, number: int, wanted: TextPattern, nodes: Nodes, hits: list[int]) -> None:
            super().__init__()
            self.number, self.wanted, self.nodes, self.hits = number, wanted, nodes, hits

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.title = document.title
        self.locator = document.locator
        self._document = document
        self._cancel = CancelToken()
        self._index: Nodes | None = None
        self._wanted: TextPattern | None = None
        self._hits: list[int] = []
        self._at = -1  # which hit the cursor was put on
        self._number = 0  # of the newest search

    def compose(self) -> ComposeResult:
        yield Static("Loading…", id="tree-words")
        with VerticalScroll(id="tree-whole", can_focus=False):
            yield Static("", id="tree-whole-text")
        yield LogPrompt()
        yield Static("", id="tree-status")

    def on_mount(self) -> None:
        self.run_worker(self._read, thread=True, group="read", exit_on_error=False)

    def on_unmount(self) -> None:
        self._cancel.cancel()

    def focus_table(self) -> None:
        self.screen.set_focus(self.view or self)

    @property
    def view(self) -> TreeView | None:
        found = self.query(TreeView)
        return found.first() if found else None

    # ---- reading -------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        """In a worker thread."""
        try:
            value, problem = self._document.read(self._cancel), None
        except OperationCancelledError:
            return
        except AppError as told:
            value, problem = None, told
        except Exception as error:
            value, problem = None, crash_log.as_problem(error)
        self.post_message(self._Read(value, problem))

    @on(_Read)
    async def _shown(self, event: _Read) -> None:
        event.stop()
        words = self.query_one("#tree-words", Static)
        if event.problem is not None:
            words.update(Text(f"{event.problem.sentence}\n\n{event.problem.hint}\n\nEsc goes back"))
            return
        await self.mount(TreeView(event.value, self.title), before=words)
        await words.remove()
        if self.screen.focused is self:  # has_focus is true only once the event has been handled
            self.focus_table()

    # ---- the status line and the whole value ---------------------------------------------------------------------
    @on(TreeView.Moved)
    def _moved(self, event: TreeView.Moved) -> None:
        event.stop()
        self._draw()

    def _draw(self) -> None:
        view = self.view
        if view is None:
            return
        words = safe_text(documents.format_path(view.path), limit=400)
        if self._wanted is not None:
            of = f"{self._at + 1:,} of " if self._at >= 0 else ""
            words = f"/{safe_text(self._wanted.text, 40)}: {of}{len(self._hits):,} found (n N)  {words}"
        self.query_one("#tree-status", Static).update(Text(words, no_wrap=True, overflow="ellipsis"))
        if self.has_class("-whole"):
            text = documents.format_document(documents.value_at(view.document, view.path))
            more = f"\n… {len(text) - _WHOLE:,} more characters (y copies, s saves)" if len(text) > _WHOLE else ""
            lines = (safe_text(line, limit=_WHOLE) for line in text[:_WHOLE].split("\n"))
            self.query_one("#tree-whole-text", Static).update(Text("\n".join(lines) + more, overflow="fold"))

    # ---- keys ----------------------------------------------------------------------------------------------------
    @on(TreeView.Asked)
    def _asked(self, event: TreeView.Asked) -> None:
        event.stop()
        view = self.view
        assert view is not None
        if event.what == "search":
            self.query_one(LogPrompt).ask("search", self._wanted.text if self._wanted is not None else "")
        elif event.what == "save":
            name = re.sub(r"[^\w.+-]+", "_", self.title)[-80:].removesuffix(".json") or "document"
            self.query_one(LogPrompt).ask("save", f"{name}.json")
        elif event.what == "whole":
            self.toggle_class("-whole")
            self._draw()
        elif event.what == "match":
            self._step(event.step)
        elif event.what == "back":
            self.action_back()
        else:
            path = view.path
            text = documents.format_path(path)
            if event.what == "copy":
                text = documents.format_document(documents.value_at(view.document, path))
            self.app.copy_to_clipboard(text[:_COPIED])
            self.app.notify(safe_text(text, 200), title="Copied", markup=False)

    def action_back(self) -> None:
        """Out of what was opened last: the whole value, the search, the document."""
        if self.has_class("-whole"):
            self.remove_class("-whole")
        elif self._wanted is not None:
            self._forget_search()
        else:
            self.post_message(self.Left())

    def key_escape(self) -> None:
        """While there is no tree yet whose key this would be."""
        if self.view is None:
            self.post_message(self.Left())

    # ---- searching and saving ------------------------------------------------------------------------------------
    @on(LogPrompt.Typed)
    @on(LogPrompt.Answered)
    def _answered(self, event: LogPrompt.Typed) -> None:
        event.stop()
        done = isinstance(event, LogPrompt.Answered)
        try:
            if event.what == "search":
                self._search(event.text)
            elif done:
                self._save(event.text)
        except AppError as problem:
            self.query_one(LogPrompt).say(str(problem))
            return
        if done:
            self._close_prompt()

    @on(LogPrompt.GivenUp)
    def _given_up(self, event: LogPrompt.GivenUp) -> None:
        event.stop()
        if self.query_one(LogPrompt).what == "search":
            self._forget_search()
        self._close_prompt()

    def _close_prompt(self) -> None:
        self.query_one(LogPrompt).close()
        self.focus_table()

    def _forget_search(self) -> None:
        self._number += 1
        self._wanted, self._hits, self._at = None, [], -1
        self._draw()

    def _search(self, text: str) -> None:
        """Raises `AppError` for a pattern that is none."""
        self._number += 1
        if not text:
            self._forget_search()
            return
        wanted = parse_pattern(text)
        if self._wanted is not None and self._wanted.text == text and self._index is not None:
            return
        assert self.view is not None
        work = partial(self._find, self._number, wanted, self.view.document)
        self.run_worker(work, thread=True, group="search", exit_on_error=False)

    def _find(self, number: int, wanted: TextPattern, document: Any) -> None:
        """In a worker thread."""
        try:
            nodes = self._index or Nodes(document, self._cancel)
            self.post_message(self._Found(number, wanted, nodes, nodes.find(wanted)))
        except OperationCancelledError:
            pass

    @on(_Found)
    def _has_found(self, event: _Found) -> None:
        event.stop()
        self._index = event.nodes
        if event.number != self._number:
            return
        self._wanted, self._hits, self._at = event.wanted, event.hits, -1
        self._step(1)
        self._draw()

    def _step(self, step: int) -> None:
        if not self._hits or self._index is None or self.view is None:
            return
        self._at = (self._at + step) % len(self._hits) if self._at >= 0 or step > 0 else len(self._hits) - 1
        self.view.show_path(self._index.paths[self._hits[self._at]])
        self._draw()

    def _save(self, text: str) -> None:
        if not text.strip():
            raise AppError("There is no name.", "Type where to save the document.")
        assert self.view is not None
        work = partial(self._write, self.view.document, Path(text.strip()).expanduser())
        self.run_worker(work, thread=True, group="save", exit_on_error=False)

    def _write(self, value: Any, target: Path) -> None:
        """In a worker thread."""
        app = self.app
        try:
            with atomic_file(target) as stream:
                stream.write(documents.format_document(value).encode("utf-8", "surrogatepass"))
        except AppError as problem:
            app.call_from_thread(
                partial(app.notify, str(problem), title="Not saved", severity="error", timeout=10, markup=False)
            )
            return
        app.call_from_thread(partial(app.notify, str(target), title="Saved", markup=False))
