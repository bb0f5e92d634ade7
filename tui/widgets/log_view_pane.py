"""LogPane: a log with everything around it: its title, the box to search in, the whole of a long line, a status line.

yield LogPane(sources.from_http(http.downloader, url, live=True), "live.log of build-linux64/opt", follow=True)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from backends.atomic import atomic_file
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.formats import format_bytes, safe_text
from backends.logs import ansi
from backends.logs.reader import LogReader
from backends.logs.spool import Source
from tui.widgets.log_view import LogView
from tui.widgets.log_view_prompt import LogPrompt

_COPIED = 1 << 20  # bytes of a line that go to the clipboard
_WHOLE = 16_384  # characters of a line that the panel shows; more takes longer than a key may wait


class LogPane(Vertical):
    """Owns the reading: it begins when the pane is mounted and ends when it goes. Focus it with `focus_log`."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    LogPane #log-title, LogPane #log-status { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    LogPane #log-whole { height: auto; max-height: 40%; display: none; background: $boost; border-top: solid $panel;
        scrollbar-size-vertical: 1; padding: 0 1; }
    LogPane.-whole #log-whole { display: block; }
    LogPane #log-failed { height: 1fr; padding: 1 2; }
    """

    class Left(Message):
        """The user is done with the log."""

        def __init__(self, pane: LogPane) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> LogPane:
            return self.pane

    def __init__(
        self,
        source: Source,
        title: str,
        *,
        line: int | None = None,
        last: int | None = None,
        follow: bool = False,
        failed: bool = False,
        locator: Callable[[int], str] | None = None,
        folder: Path | None = None,
        save_as: Path | None = None,
        **kwargs: Any,
    ) -> None:
        """`line`: where to begin, from 1; `last`: the end of a range from there on, which is marked; `failed`: else at
        the first error or the end. `locator`: the link to a line.

        `folder`: where the log is spooled. `save_as`: what the box suggests, by default the title, in this folder.
        """
        super().__init__(**kwargs)
        self._title = safe_text(title)
        self._source, self._line, self._follow, self._folder = source, line, follow, folder
        self._last = last
        self._seeks_error = failed
        self._locator = locator
        self._save_as = save_as if save_as is not None else Path(re.sub(r"[^\w.+-]+", "_", title)[-80:] or "log.txt")
        self._reading: LogReader | None = None
        self._failed: AppError | None = None
        self._origin = 0
        self._saving = CancelToken()

    def compose(self) -> ComposeResult:
        try:
            self._reading = LogReader(self._source, self._folder)
        except AppError as problem:
            yield Static(Text(f"✖ {problem}"), id="log-failed")
            return
        yield Static(Text(self._title, no_wrap=True, overflow="ellipsis"), id="log-title")
        yield LogView(self._reading, line=self._line, last=self._last, follow=self._follow, failed=self._seeks_error)
        with VerticalScroll(id="log-whole", can_focus=False):
            yield Static("", id="log-whole-text")
        yield LogPrompt()
        yield Static("", id="log-status")

    def on_unmount(self) -> None:
        self._saving.cancel()
        if self._reading is not None:
            self._reading.close()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def focus_log(self) -> None:
        self.view.focus()

    @property
    def status_text(self) -> str:
        return self.view.status_text

    # ---- what the view tells -----------------------------------------------------------------------------------

    @on(LogView.Changed)
    def _changed(self, event: LogView.Changed) -> None:
        event.stop()
        words = Text(event.view.status_text, no_wrap=True, overflow="ellipsis")
        self.query_one("#log-status", Static).update(words, layout=False)
        if self.has_class("-whole"):
            self._show_whole()

    @on(LogView.Asked)
    def _asked(self, event: LogView.Asked) -> None:
        event.stop()
        if event.what in ("search", "line", "save"):
            self._origin = event.view.cursor
            search = event.view.current_search
            values = {"save": str(self._save_as), "search": search.pattern.text if search is not None else ""}
            self.query_one(LogPrompt).ask(event.what, values.get(event.what, ""))
        elif event.what == "whole":
            self.toggle_class("-whole")
            self._show_whole()
        elif event.what == "back":
            self._back()
        elif event.what == "copy":
            self._copy_line()
        else:
            self._copy_locator()

    def _back(self) -> None:
        """Out of what was opened last: the whole line, the search, the log."""
        if self.has_class("-whole"):
            self.remove_class("-whole")
        elif self.view.current_search is not None:
            self.view.search("")
        else:
            self.post_message(self.Left(self))

    def _copy_line(self) -> None:
        raw = self.view.reading.spool.whole_line(self.view.cursor, _COPIED)
        self.app.copy_to_clipboard(ansi.strip(ansi.decode_line(raw)))
        self.app.notify(f"Copied line {self.view.cursor + 1:,}.", markup=False)

    def _copy_locator(self) -> None:
        if self._locator is None:
            self.app.notify("This log has no link.", severity="warning", markup=False)
            return
        link = self._locator(self.view.cursor + 1)
        self.app.copy_to_clipboard(link)
        self.app.notify(f"Copied {safe_text(link, 200)}", markup=False)

    def _show_whole(self) -> None:
        text = Text(overflow="fold")
        for segment in self.view.whole_text(self.view.cursor, _WHOLE):
            text.append(segment.text, segment.style)
        self.query_one("#log-whole-text", Static).update(text)

    # ---- what the box tells ------------------------------------------------------------------------------------

    @on(LogPrompt.Typed)
    @on(LogPrompt.Answered)
    def _answered(self, event: LogPrompt.Typed) -> None:
        event.stop()
        done = isinstance(event, LogPrompt.Answered)
        try:
            self._obey(event.what, event.text, done)
        except AppError as problem:
            self.query_one(LogPrompt).say(str(problem))
            return
        self.query_one(LogPrompt).say("")
        if done:
            self._close_prompt()

    def _obey(self, what: str, text: str, done: bool) -> None:
        """Raises `AppError` for an answer that is none."""
        if what == "search":
            search = self.view.current_search
            if text != (search.pattern.text if search is not None else ""):
                self.view.search(text, self._origin)
        elif what == "line" and done:
            digits = text.strip().replace(",", "").replace("_", "")
            if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
                raise AppError("That is no line number.", "Type digits.")
            self.view.go_to_line(int(digits))
        elif what == "save" and done:
            if not text.strip():
                raise AppError("There is no name.", "Type where to save the log.")
            self._save_as = Path(text.strip()).expanduser()
            work = partial(self._save, self.view.reading, self._save_as)
            self.run_worker(work, thread=True, group="save", exit_on_error=False)

    @on(LogPrompt.GivenUp)
    def _given_up(self, event: LogPrompt.GivenUp) -> None:
        event.stop()
        if self.query_one(LogPrompt).what == "search":
            self.view.search("")
            self.view.go_to_line(self._origin + 1)
        self._close_prompt()

    def _close_prompt(self) -> None:
        self.query_one(LogPrompt).close()
        self.focus_log()

    def _save(self, reading: LogReader, target: Path) -> None:
        """In a worker thread."""
        app = self.app
        try:
            complete = reading.spool.complete
            with atomic_file(target) as stream:
                size = reading.spool.save(stream, self._saving)
        except AppError as problem:
            app.call_from_thread(
                partial(app.notify, str(problem), title="Not saved", severity="error", timeout=10, markup=False)
            )
            return
        words = f"{target} has {format_bytes(size)}" + ("." if complete else ", all that had come so far.")
        app.call_from_thread(partial(app.notify, words, title="Saved", markup=False))
