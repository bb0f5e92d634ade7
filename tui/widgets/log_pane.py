"""LogPane: a log with everything around it: its title, prompts to search, jump and save, a long line, a status line."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.formats import format_bytes, safe_text
from backends.locators import Locator
from backends.logs import ansi, sources
from backends.logs.reader import LogReader, start_daemon
from backends.logs.spool import Source
from backends.resources import LogAddress
from tui.widgets.log_view import LogView
from tui.widgets.reader_pane import ReaderPane

if TYPE_CHECKING:
    from backends.failures.new_line_search import NewLineSearch
    from backends.session import Session

_MAX_COPIED = 1 << 20  # bytes of a line that go to the clipboard
_MAX_VALUE = 16_384  # characters of a line that the panel shows; more takes longer than a key may wait


class LogPane(ReaderPane):
    """Owns the reading: it begins when the pane is mounted and ends when it goes."""

    DEFAULT_CSS = """
    LogPane #log-failed { height: 1fr; padding: 1 2; }
    LogPane #log-against { height: 1; padding: 0 1; color: $text-primary; display: none;
        text-wrap: nowrap; text-overflow: ellipsis; }
    LogPane.-new #log-against { display: block; }
    """

    def __init__(
        self,
        source: Source,
        title: str,
        *,
        line: int | None = None,
        last: int | None = None,
        follow: bool = False,
        failed: bool = False,
        find: str = "",
        locator: Locator | None = None,
        folder: Path | None = None,
        save_as: Path | None = None,
    ) -> None:
        """`line`: where to begin, from 1; `last`: the end of a range from there on, which is marked; `find`: else at
        the first line with this text; `failed`: else at the first error or the end. `locator`: what leads to the log
        again; links to its lines come from it.

        `folder`: where the log is spooled. `save_as`: what the prompt suggests, by default the title.
        """
        super().__init__()
        self.title = title
        self.locator = locator
        self._source, self._folder = source, folder
        self._options: dict[str, Any] = {"line": line, "last": last, "follow": follow, "failed": failed, "find": find}
        self._save_as = save_as if save_as is not None else Path(re.sub(r"[^\w.+-]+", "_", title)[-80:] or "log.txt")
        self._reading: LogReader | None = None
        self._origin = 0  # the line that a search began at
        self._saving = CancelToken()
        self._address: LogAddress | None = None
        self._session: Session | None = None
        self._new_lines: NewLineSearch | None = None

    @classmethod
    def at_address(cls, session: Session, address: LogAddress) -> LogPane:
        """The pane of a log that a list gave."""
        session.opened_logs[address.url] = address
        pane = cls(
            sources.from_log(session.http, address, session.open_downloader),
            address.title,
            line=address.line,
            last=address.last,
            follow=address.live and address.line is None,
            failed=address.failed,
            find=address.find,
            locator=address.locator,
        )
        pane._address, pane._session = address, session
        return pane

    @property
    def target(self) -> LogAddress:
        """What opens this log again, at the line of the cursor."""
        assert self._address is not None
        if self._reading is None or self._address.live:
            return self._address
        return replace(self._address, line=self.view.cursor + 1, last=None)

    def compose(self) -> ComposeResult:
        try:
            self._reading = LogReader(self._source, self._folder)
        except AppError as error:
            self.can_focus = True
            yield Static(Text(f"✖ {error}"), id="log-failed")
            return
        yield Static(Text(safe_text(self.title), no_wrap=True, overflow="ellipsis"), id="reader-title")
        yield Static("", id="log-against")
        yield LogView(self._reading, **self._options)
        yield from self.compose_footer()

    def on_unmount(self) -> None:
        self._saving.cancel()
        if self._new_lines is not None:
            self._new_lines.cancel.cancel()
        if self._reading is not None:
            self._reading.close()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def focus_view(self) -> None:
        self.screen.set_focus(self.view if self._reading is not None else self)

    @property
    def has_view(self) -> bool:
        return self._reading is not None

    @on(LogView.StatusChanged)
    def _status_changed(self, event: LogView.StatusChanged) -> None:
        event.stop()
        self.show_status(self.view.status_text)
        if self.view.new_lines is not None:
            self.query_one("#log-against", Static).update(
                Text(safe_text(self.view.new_lines.against_text(), 1000), no_wrap=True, overflow="ellipsis"),
                layout=False,
            )

    @on(LogView.Requested)
    def _run_request(self, event: LogView.Requested) -> None:
        event.stop()
        view = self.view
        if event.what == "value":
            self.toggle_value()
        elif event.what == "back":
            self.action_back()
        elif event.what == "new":
            self._toggle_new_lines()
        elif event.what == "copy":
            raw = view.reading.spool.whole_line(view.cursor, _MAX_COPIED)
            self.app.copy_to_clipboard(ansi.strip(ansi.decode_line(raw)))
            self.app.notify(f"Copied line {view.cursor + 1:,}.", markup=False)
        elif event.what == "copy_locator":
            self._copy_locator()
        else:
            self._origin = view.cursor
            search = view.current_search
            values = {"save": str(self._save_as), "search": search.pattern.text if search is not None else ""}
            self.prompt.open(event.what, values.get(event.what, ""))

    def _toggle_new_lines(self) -> None:
        """Only the lines that no run that passed has; all again. What has been compared is kept."""
        view, found = self.view, self._new_lines
        if view.new_lines is not None:
            if found is not None and (not found.complete or found.problem is not None):
                found.cancel.cancel()
                self._new_lines = None
            self.remove_class("-new")
            view.show_new_lines(None)
            return
        if self._session is None or self.locator is None:
            self.app.notify("This text is not the log of a task or a build.", severity="warning", markup=False)
            return
        if found is None:
            from backends.failures.new_line_search import NewLineSearch
            from backends.failures.passing_runs import IndexReader, find_passing_runs

            session = self._session
            http = session.http
            find = partial(find_passing_runs, self.locator, http, session.settings)
            reader = IndexReader(http, session.open_downloader)
            found = self._new_lines = NewLineSearch(view.reading.spool, find, reader)
            start_daemon(found.run, "new lines")
        self.add_class("-new")
        view.show_new_lines(found)

    def _copy_locator(self) -> None:
        if self.locator is None:
            self.app.notify("This log has no link.", severity="warning", markup=False)
            return
        link = self.locator.at_line(self.view.cursor + 1).text()
        self.app.copy_to_clipboard(link)
        self.app.notify(f"Copied {safe_text(link, 200)}", markup=False)

    def value_text(self) -> Text:
        text = Text(overflow="fold")
        for segment in self.view.draw_long_line(self.view.cursor, _MAX_VALUE):
            text.append(segment.text, segment.style)
        return text

    def end_search(self) -> bool:
        if self._reading is None:
            return False
        if self.view.current_search is not None:
            self.view.search("")
        elif self.view.new_lines is not None:
            self._toggle_new_lines()
        else:
            return False
        return True

    def cancel_search(self) -> None:
        self.view.search("")
        self.view.go_to_line(self._origin + 1)

    def run_prompt(self, purpose: str, text: str, done: bool) -> None:
        if purpose == "search":
            search = self.view.current_search
            if text != (search.pattern.text if search is not None else ""):
                self.view.search(text, self._origin)
        elif purpose == "line" and done:
            digits = text.strip().replace(",", "").replace("_", "")
            if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
                raise AppError("That is not a line number.", "Type digits.")
            self.view.go_to_line(int(digits))
        elif purpose == "save" and done:
            self._save_as = self.save(text, self._write)

    def _write(self, stream: BinaryIO) -> str:
        assert self._reading is not None
        spool = self._reading.spool
        complete = spool.complete
        size = spool.save(stream, self._saving)
        return f" has {format_bytes(size)}" + ("." if complete else ", all that had come so far.")
