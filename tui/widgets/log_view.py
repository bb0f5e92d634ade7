"""LogView: a log of any size on the screen, while it still comes in.

    view = LogView(Reading(sources.from_http(http.downloader, url, live=True)), follow=True)
    view.search("channel error")      # raises UsageProblem for what is no regular expression
    view.go_to_line(1234)             # from 1; waits for the line if it has not come yet

Only the lines in sight are ever read. Ten times a second it looks whether there is more; nothing is told line by line.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from backends.frames.formats import safe_text
from backends.logs.folding import CONTEXT, Folding, fold
from backends.logs.reader import LogReader
from backends.logs.rules import Severity
from backends.logs.search import LogSearcher
from tui.keymap import bindings
from tui.widgets.log_view_canvas import LogCanvas
from tui.widgets.log_view_status import Pending, State, words_instead

_POLL = 0.1  # seconds
_FIRST_POLL = 1 / 30  # until there is something to show
_FOLD_SHARE = 20  # folding again while a log grows may take one part in so many of the time


class LogView(LogCanvas):
    """Moves, jumps, folds and searches. The cursor is a line, whatever is folded around it."""

    BINDINGS = bindings("log")
    POLL: ClassVar[float] = _POLL

    class Changed(Message):
        """What `state` or `status_text` says is different from before."""

        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogView:
            return self.view

    class Asked(Message):
        """The user wants something that needs a box, a clipboard or another screen: `what` is search, line, save,
        copy, copy_locator, whole or back."""

        def __init__(self, view: LogView, what: str) -> None:
            super().__init__()
            self.view = view
            self.what = what

        @property
        def control(self) -> LogView:
            return self.view

    def __init__(
        self, reading: LogReader, *, line: int | None = None, last: int | None = None, follow: bool = False,
        failed: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        """`line`: the line to begin at, from 1, and `last` the end of a range of lines that is marked; `follow`: stay
        at the end; `failed`: without a `line`, begin at the first error as soon as there is one, or at the end."""
        super().__init__(reading, **kwargs)
        self._following = follow
        self._pending: Pending | None = Pending("error", 1, -1, or_end=True) if failed else None
        if line is not None:
            self._pending = Pending("line", line - 1)
            self.linked = range(line - 1, last if last is not None else line - 1)
        self._search: LogSearcher | None = None
        self._note = ""
        self._stamp: tuple[object, ...] = ()
        self._drawn_before: tuple[object, ...] = ()
        self._fold_of: tuple[int, ...] = ()
        self._fold_next = 0.0
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self._timer = self.set_interval(_FIRST_POLL, self._poll)

    # ---- what has come since ----------------------------------------------------------------------------------

    def _poll(self) -> None:
        spool, findings, search = self._reading.spool, self._reading.findings, self._search
        stamp = (
            spool.size,
            spool.complete,
            findings.scanned,
            findings.complete,
            search and (search.scanned, search.complete, search.count),
        )
        if stamp == self._stamp:
            return
        first, self._stamp = not self._lines_now, stamp
        self._lines_grew()
        if first and (self._lines_now or spool.complete) and self._timer is not None:
            self._timer.stop()
            self._timer = self.set_interval(self.POLL, self._poll)
        self._fold_again()
        if self._following:
            self._place(self._lines_now - 1)
        self._try_pending()
        drawn = self._drawn()
        if drawn != self._drawn_before:
            self._drawn_before = drawn
            self.refresh()
        self.post_message(self.Changed(self))

    def _drawn(self) -> tuple[object, ...]:
        """What the lines in sight look like, as far as that changes by itself: to draw all of them costs 20 ms."""
        lines = [row.line for row in map(self._row_at, self._rows_in_sight()) if row is not None]
        growing = self._lines_now if lines and lines[-1] >= self._lines_now - 1 else 0
        size = self._reading.spool.size if growing else 0
        return lines, [self._reading.findings.severity(line) for line in lines], growing, size

    def _fold_again(self) -> None:
        if self._folding is None:
            return
        findings = self._reading.findings
        of = (self._lines_now, *(findings.count(severity) for severity in Severity))
        now = time.monotonic()
        if of != self._fold_of and (now >= self._fold_next or findings.complete):
            folding = self._folded()
            self._fold_next = now + _FOLD_SHARE * (time.monotonic() - now)
            self._fold_of = of
            self.set_folding(folding)

    def _folded(self) -> Folding:
        """Around errors; around warnings if there are no errors."""
        findings = self._reading.findings
        hits = findings.of(Severity.ERROR) if findings.count(Severity.ERROR) else findings.of(Severity.WARNING)
        return fold(hits.kept, findings.of(Severity.SECTION).kept, self._lines_now)

    # ---- state -------------------------------------------------------------------------------------------------

    @property
    def reading(self) -> LogReader:
        return self._reading

    @property
    def state(self) -> State:
        return State.of(
            self._reading,
            self._search,
            cursor=self.cursor,
            folded=self._folding is not None,
            following=self._following,
            pending=self._pending,
            note=self._note,
        )

    @property
    def status_text(self) -> str:
        """One line in words: where, how much, what was found, what is still going on."""
        return self.state.words()

    @property
    def following(self) -> bool:
        return self._following

    @property
    def current_search(self) -> LogSearcher | None:
        return self._search

    def _words(self) -> list[str]:
        return words_instead(self._reading.spool)

    def _changed(self) -> None:
        self.refresh()
        self.post_message(self.Changed(self))

    # ---- moving ------------------------------------------------------------------------------------------------

    def _moved_by_user(self) -> None:
        self._following = False
        self._pending = None
        self._note = ""

    def go_to_line(self, number: int) -> None:
        """To a line by its number, from 1. One that has not come yet is waited for."""
        self._moved_by_user()
        self._pending = Pending("line", max(number - 1, 0))
        self._try_pending()
        self._changed()

    def _try_pending(self) -> None:
        """Goes where the user wants to be, if that is known by now."""
        pending = self._pending
        if pending is None:
            return
        spool = self._reading.spool
        if pending.kind == "line":
            if pending.value < self._lines_now or spool.complete:
                self._pending = None
                self._reveal(min(pending.value, self._lines_now - 1))
                if pending.value >= self._lines_now:
                    self._note = f"the log has {self._lines_now:,} lines"
            return
        found, complete, noun = self._candidate(pending)
        wrapped = found is not None and (found <= pending.origin if pending.value > 0 else found >= pending.origin)
        if found is not None and (complete or not wrapped):
            self._pending = None
            self._note = ("from the top again" if pending.value > 0 else "from the end again") if wrapped else ""
            self._reveal(found)
        elif complete:
            self._pending = None
            self._note = f"no {noun}"
            if pending.or_end:
                self._place(self._lines_now - 1)

    def _candidate(self, pending: Pending) -> tuple[int | None, bool, str]:
        """(line, whether a better one can still turn up, what it is called)"""
        forward = pending.value > 0
        if pending.kind == "match":
            search = self._search
            if search is None:
                return None, True, "search: / begins one"
            step = search.next if forward else search.previous
            return step(pending.origin), search.complete, "match"
        findings = self._reading.findings
        warnings = pending.kind == "warning"
        look = findings.next if forward else findings.previous
        return look(pending.origin, warnings=warnings), findings.complete, "error or warning" if warnings else "error"

    def _reveal(self, line: int) -> None:
        """Puts the cursor on a line that was asked for, and shows it if it is folded."""
        if line < 0:
            return
        if self._folding is not None and self._folding.hides(line):
            self.set_folding(self._folding.opened(max(line - CONTEXT, 0), 2 * CONTEXT + 1))
        self._place(line, centre=True)

    # ---- searching ---------------------------------------------------------------------------------------------

    def search(self, text: str, origin: int | None = None) -> None:
        """Marks what matches and goes to the first match at or below `origin` (the cursor). "" ends the search."""
        start = self.cursor if origin is None else origin
        self._search = self._reading.search(text, start) if text else None
        self._stamp = ()  # a quick search can end with the very numbers of the one before
        if not text:
            self._reading.end_search()
        self.set_pattern(self._search.pattern if self._search is not None else None)
        self._moved_by_user()
        if self._search is not None:
            self._pending = Pending("match", 1, start - 1)
        self._changed()

    # ---- actions, which the keymap binds -----------------------------------------------------------------------

    def action_ask(self, what: str) -> None:
        self.post_message(self.Asked(self, what))

    def action_copy(self) -> None:
        self.action_ask("copy")

    def action_copy_locator(self) -> None:
        self.action_ask("copy_locator")

    def action_whole(self) -> None:
        self.action_ask("whole")

    def action_back(self) -> None:
        self.action_ask("back")

    def action_match(self, step: int) -> None:
        self._go("match", step)

    def action_finding(self, step: int, warnings: bool = False) -> None:
        self._go("warning" if warnings else "error", step)

    def _go(self, kind: str, step: int) -> None:
        self._moved_by_user()
        self._pending = Pending(kind, step, self.cursor)
        self._try_pending()
        self._changed()

    def action_fold(self) -> None:
        """Folds, or shows all lines again; the cursor stays where it is."""
        self._fold_of = ()
        self.set_folding(self._folded() if self._folding is None else None)
        self._place(self.cursor)
        self._changed()

    def action_unfold(self) -> None:
        row = self._row_at_cursor()
        if self._folding is not None and row is not None and row.hidden:
            self.set_folding(self._folding.opened(row.line, row.hidden))
            self._place(row.line)
            self._changed()

    def action_follow(self) -> None:
        following = not self._following
        self._moved_by_user()
        self._following = following
        if following:
            self._place(self._lines_now - 1)
        self._changed()

    def action_cursor(self, rows: int) -> None:
        self._moved_by_user()
        self._move_rows(rows)
        self._changed()

    def action_page(self, pages: int) -> None:
        self.action_cursor(pages * max(self.in_sight.height - 1, 1))

    def action_jump(self, where: int) -> None:
        """To the first line (0) or the last (-1)."""
        self._moved_by_user()
        self._place(0 if where == 0 else self._lines_now - 1)
        self._changed()

    def action_sideways(self, steps: int) -> None:
        self.scroll_sideways(steps * max(self.in_sight.width // 3, 8))

    def action_elapsed(self) -> None:
        self.timed = not self.timed

    def action_numbers(self) -> None:
        self.numbered = not self.numbered

    # ---- the mouse ---------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        row = self._row_at(self.scroll_offset.y + offset.y)
        if row is not None:
            self._moved_by_user()
            self._place(row.line)
            if row.hidden:
                self.action_unfold()
            self._changed()

    def on_mouse_scroll_up(self) -> None:
        self._following = False

    def render_line(self, y: int) -> Strip:
        if not self._lines_now:
            words = self._words()
            return self._paint.words(safe_text(words[y]) if y < len(words) else "", self.in_sight.width)
        return super().render_line(y)
