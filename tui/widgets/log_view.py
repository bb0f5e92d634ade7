"""LogView: a log of any size on the screen, while it still comes in.

    view = LogView(LogReader(sources.from_http(http.downloader, url, live=True)), follow=True)
    view.search("channel error")      # raises UsageError for an invalid regular expression
    view.go_to_line(1234)             # from 1; waits for the line if it has not come yet

Only the lines in sight are ever read. Ten times a second the view checks whether there is more.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer

from backends.errors import OperationCancelledError
from backends.frames.formats import format_bytes, safe_text
from backends.logs.folding import CONTEXT, FoldedRow, Folding, fold
from backends.logs.patterns import TextPattern
from backends.logs.reader import LogReader
from backends.logs.rules import Severity
from backends.logs.search import LogSearcher
from backends.logs.spool import LogSpool
from tui.keymap import bindings
from tui.widgets.line_list import LineList
from tui.widgets.log_drawing import COMPONENTS, DecodedLine, LineLook, LinePainter, LogLines
from tui.widgets.table_drawing import WIDE

if TYPE_CHECKING:
    from backends.failures.new_line_search import NewLineSearch

_FIRST_POLL = 1 / 30  # seconds, until there is something to show
_FOLD_SHARE = 20  # folding again while a log grows may take one part in so many of the time


@dataclass(frozen=True)
class PendingJump:
    """Where the user wants to go as soon as it is known: a "line" (`value`), or the next (1) or last (-1) "match",
    "error", "warning" or "new line" from the line `origin` on. If there is none: `or_end` the last line, or
    `otherwise`."""

    kind: str
    value: int
    origin: int = 0
    or_end: bool = False
    otherwise: PendingJump | None = None

    def describe(self) -> str:
        if self.kind == "line":
            return f"◌ waiting for line {self.value + 1:,}"
        which = "first" if self.origin < 0 else "next" if self.value > 0 else "previous"
        return f"◌ looking for the {which} {self.kind}"


class LogView(LineList):
    """Moves, jumps, folds and searches. `cursor` is a line number, from 0, whatever is folded around it.

    `numbered` and `timed`: whether line numbers and times since the first line stand before the lines. In a narrow
    terminal only the time of day stays of what a CI writes before the text; `w` shows the whole line.
    """

    BINDINGS = bindings("log")
    STYLE_PREFIX = "log-view--"
    COMPONENT_CLASSES = {f"log-view--{name}" for name in COMPONENTS}
    MAX_STRIPS = 512
    POLL: ClassVar[float] = 0.1  # seconds
    DEFAULT_CSS = """
    LogView {
        & > .log-view--cursor { background: $ci-select-off; color: $ci-text; }
        &:focus > .log-view--cursor { background: $ci-select; color: $ci-text; }
        &:nocolor > .log-view--cursor { background: $surface; color: $foreground; }
        & > .log-view--error { color: $ci-failed; }
        & > .log-view--warning { color: $ci-warning; }
        & > .log-view--section { color: $ci-accent; }
        & > .log-view--quiet { color: $ci-muted; }
        & > .log-view--match { text-style: bold underline; }
        & > .log-view--current-match { text-style: bold reverse; }
        & > .log-view--ansi-black { color: $text-muted; }
        & > .log-view--ansi-red { color: $text-error; }
        & > .log-view--ansi-green { color: $text-success; }
        & > .log-view--ansi-yellow { color: $text-warning; }
        & > .log-view--ansi-blue { color: $text-primary; }
        & > .log-view--ansi-magenta { color: $text-accent; }
        & > .log-view--ansi-cyan { color: $text-secondary; }
        & > .log-view--ansi-white { color: $foreground; }
    }
    """
    numbered: reactive[bool] = reactive(True)
    timed: reactive[bool] = reactive(False)

    class StatusChanged(Message):
        """`status_text` is different from before."""

    class Requested(Message):
        """A key whose action needs a prompt, a clipboard or another screen: `what` is search, line, save, copy,
        copy_locator, value, new or back."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(
        self,
        reading: LogReader,
        *,
        line: int | None = None,
        last: int | None = None,
        follow: bool = False,
        failed: bool = False,
        find: str = "",
    ) -> None:
        """`line`: the line to begin at, from 1, and `last` the end of a range of lines that is marked; `follow`: stay
        at the end; `failed`: without a `line`, begin at the first error as soon as there is one, or at the end;
        `find`: without a `line`, begin at the first line with this text, which is searched for."""
        super().__init__()
        self.reading = reading
        self._lines = LogLines(reading.spool)
        self._line_count = 0  # what the rest goes by; the spool may have more already
        self._painter = LinePainter(self.style_of)
        self._widest = 0
        self._folding: Folding | None = None
        self.following = follow
        self._pending: PendingJump | None = PendingJump("error", 1, -1, or_end=True) if failed else None
        self._linked = range(0)  # the lines that a link named
        if line is not None:
            self._pending = PendingJump("line", line - 1)
            self._linked = range(line - 1, last if last is not None else line - 1)
        self._find = find if line is None else ""
        self.current_search: LogSearcher | None = None
        self.new_lines: NewLineSearch | None = None  # while only new lines are shown
        self._note = ""
        self._progress: tuple[object, ...] = ()
        self._visible_before: tuple[object, ...] = ()
        self._fold_version: tuple[int, ...] = ()
        self._fold_next = 0.0
        self._fold_at_new = False  # when the first new lines are there
        self._folded_before = False  # new lines were shown
        self._timer: Timer | None = None

    # ---- what has come since -----------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._timer = self.set_interval(_FIRST_POLL, self._poll)
        if self._find:
            self._go_to_text(re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", self._find))

    def _go_to_text(self, pattern: str) -> None:
        """Where the log does not have it, what was meant before stays: the first error, or the beginning."""
        otherwise = self._pending
        self.search(pattern, 0)
        self._pending = PendingJump("match", 1, -1, otherwise=otherwise)

    def _poll(self) -> None:
        spool, findings, search = self.reading.spool, self.reading.findings, self.current_search
        progress = (
            spool.size,
            spool.complete,
            findings.scanned,
            findings.complete,
            search and (search.scanned, search.complete, search.count),
            self.new_lines and self.new_lines.describe(),
        )
        if progress == self._progress:
            return
        first, self._progress = not self._line_count, progress
        self._count_lines()
        if first and (self._line_count or spool.complete) and self._timer is not None:
            self._timer.stop()
            self._timer = self.set_interval(self.POLL, self._poll)
        self._refold()
        if self.following:
            self._place(self._line_count - 1)
        self._try_pending()
        visible = self._visible_state()
        if visible != self._visible_before:
            self._visible_before = visible
            self.refresh()
        self.post_message(self.StatusChanged())

    def _count_lines(self) -> None:
        """The spool may have more than before; its last line may have changed."""
        count = self.reading.spool.line_count
        if count != self._line_count or not self.reading.spool.complete:
            last = max(self._line_count - 1, 0)
            self._lines.forget_from(last)
            for key in [key for key in self._strips if key[0] >= last]:
                del self._strips[key]
        self._line_count = count
        self.fit_virtual_size()

    def _visible_state(self) -> tuple[object, ...]:
        """What of the lines in sight changes by itself: to draw all of them costs 20 ms."""
        top = self.scroll_offset.y
        rows = map(self._row_at, range(top, min(top + self.page_rows, self.row_count)))
        lines = [row.line for row in rows if row is not None]
        growing = self._line_count if lines and lines[-1] >= self._line_count - 1 else 0
        size = self.reading.spool.size if growing else 0
        marks = [(self.reading.findings.severity(line), self._times_new(line)) for line in lines]
        return lines, marks, growing, size, not lines and describe_empty_log(self.reading.spool)

    def _times_new(self, line: int) -> int:
        """How often a new line comes; 0 for one that is not new."""
        new = self.new_lines
        return new.times(line) if new is not None and line in new.matches else 0

    # ---- rows, folding and the cursor --------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return self._folding.row_count if self._folding is not None else self._line_count

    @property
    def content_width(self) -> int:
        return self._widest

    @property
    def cursor_row_number(self) -> int:
        return self._row_of(self.cursor)

    def _row_at(self, row: int) -> FoldedRow | None:
        if not 0 <= row < self.row_count:
            return None
        return self._folding.row_at(row) if self._folding is not None else FoldedRow(row)

    def _row_of(self, line: int) -> int:
        return self._folding.row_of(line) if self._folding is not None else line

    def validate_cursor(self, line: int) -> int:
        return max(0, min(line, self._line_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh()

    def _place(self, line: int, *, centre: bool = False) -> None:
        self.cursor = line
        self.show_cursor(centre=centre)

    def move_to_row(self, row: int) -> None:
        self._end_waiting()
        target = self._row_at(max(0, min(row, self.row_count - 1)))
        if target is not None:
            self._place(target.line)
        self._changed()

    def action_jump(self, where: int) -> None:
        """To the first line (0) or the last (-1)."""
        self._end_waiting()
        self._place(0 if where == 0 else self._line_count - 1)
        self._changed()

    def _end_waiting(self) -> None:
        """The user moves: where to go later is out of date."""
        self.following = False
        self._pending = None
        self._note = ""

    def _changed(self) -> None:
        self.refresh()
        self.post_message(self.StatusChanged())

    def _fold_lines(self) -> Folding:
        """Around new lines, if they are asked for; around errors; around warnings if there are no errors."""
        if self.new_lines is not None and self.new_lines.matches.count:
            from backends.failures.new_line_search import CONTEXT as AROUND_NEW

            return fold(self.new_lines.matches.lines, (), self._line_count, context=AROUND_NEW, ends=False)
        findings = self.reading.findings
        hits = findings.of(Severity.ERROR) if findings.count(Severity.ERROR) else findings.of(Severity.WARNING)
        return fold(hits.lines, findings.of(Severity.SECTION).lines, self._line_count)

    def _refold(self) -> None:
        new = self.new_lines.matches.count if self.new_lines is not None else 0
        if self._folding is None and not (self._fold_at_new and new):
            return
        findings = self.reading.findings
        version = (self._line_count, new, *(findings.count(severity) for severity in Severity))
        now = time.monotonic()
        if version != self._fold_version and (now >= self._fold_next or findings.complete):
            self._fold_at_new = False
            folding = self._fold_lines()
            self._fold_next = now + _FOLD_SHARE * (time.monotonic() - now)
            self._fold_version = version
            self._set_folding(folding)

    def _set_folding(self, folding: Folding | None) -> None:
        """Shows only what `folding` shows; the cursor stays on its row of the screen."""
        line = self.cursor_row_number - self.scroll_offset.y
        self._folding = folding
        self.fit_virtual_size()
        self.keep_cursor_at(line)
        self.refresh()

    def action_fold(self) -> None:
        """Folds, or shows all lines again; the cursor stays where it is."""
        self._fold_version = ()
        self._fold_at_new = False
        self._set_folding(self._fold_lines() if self._folding is None else None)
        self._place(self.cursor)
        self._changed()

    def action_unfold(self) -> None:
        row = self._row_at(self.cursor_row_number)
        if self._folding is not None and row is not None and row.hidden:
            self._set_folding(self._folding.unfold(row.line, row.hidden))
            self._place(row.line)
            self._changed()

    def show_new_lines(self, search: NewLineSearch | None) -> None:
        """Shows only what `search` finds, as it finds it, and goes to the first of it; None: what was shown before."""
        self._end_waiting()
        if self.new_lines is None:
            self._folded_before = self._folding is not None
        self.new_lines = search
        self._strips.clear()
        self._fold_version = ()
        self._fold_at_new = search is not None
        self._set_folding(self._fold_lines() if search is None and self._folded_before else None)
        if search is not None:
            self._pending = PendingJump("new line", 1, -1)
            self._refold()
            self._try_pending()
        else:
            self._place(self.cursor, centre=True)
        self._changed()

    # ---- jumping and searching ---------------------------------------------------------------------------------

    def go_to_line(self, number: int) -> None:
        """To a line by its number, from 1. One that has not come yet is waited for."""
        self._jump(PendingJump("line", max(number - 1, 0)))

    def action_match(self, step: int) -> None:
        self._jump(PendingJump("match", step, self.cursor))

    def action_finding(self, step: int, warnings: bool = False) -> None:
        kind = "error" if not warnings else "warning" if self.new_lines is None else "new line"
        self._jump(PendingJump(kind, step, self.cursor))

    def search(self, text: str, origin: int | None = None) -> None:
        """Marks what matches and goes to the first match at or below `origin` (the cursor). "" ends the search.

        Raises `UsageError` for an invalid pattern, and then nothing has changed.
        """
        start = self.cursor if origin is None else origin
        self.current_search = self.reading.search(text, start) if text else None
        self._progress = ()  # a quick search can end with the very numbers of the one before
        if self.current_search is None:
            self.reading.end_search()
        self._mark_matches(self.current_search.pattern if self.current_search is not None else None)
        self._end_waiting()
        if self.current_search is not None:
            self._pending = PendingJump("match", 1, start - 1)
        self._changed()

    def _mark_matches(self, pattern: TextPattern | None) -> None:
        self._lines.set_pattern(pattern)
        self._strips.clear()
        self.refresh()

    def _jump(self, pending: PendingJump) -> None:
        self._end_waiting()
        self._pending = pending
        self._try_pending()
        self._changed()

    def _try_pending(self) -> None:
        """Goes where the user wants to be, if that is known by now."""
        pending = self._pending
        if pending is None:
            return
        if pending.kind == "line":
            if pending.value < self._line_count or self.reading.spool.complete:
                self._pending = None
                self._reveal(min(pending.value, self._line_count - 1))
                if pending.value >= self._line_count:
                    self._note = f"the log has {self._line_count:,} lines"
            return
        line, complete, noun = self._find_target(pending)
        wrapped = line is not None and (line <= pending.origin if pending.value > 0 else line >= pending.origin)
        if line is not None and (complete or not wrapped):
            self._pending = None
            self._note = ("from the top again" if pending.value > 0 else "from the end again") if wrapped else ""
            self._reveal(line)
        elif complete:
            self._pending = pending.otherwise
            self._note = f"no {noun}"
            if pending.or_end:
                self._place(self._line_count - 1)

    def _find_target(self, pending: PendingJump) -> tuple[int | None, bool, str]:
        """(line, whether no better one can turn up, what it is called)"""
        forward = pending.value > 0
        if pending.kind == "match":
            search = self.current_search
            if search is None:
                return None, True, "search (/ starts one)"
            step = search.next if forward else search.previous
            return step(pending.origin), search.complete, "match"
        if pending.kind == "new line":
            new = self.new_lines
            if new is None:
                return None, True, "new line"
            lines = new.matches
            nearest = lines.after(pending.origin) if forward else lines.before(pending.origin)
            outer = lines.first if forward else lines.last
            return nearest if nearest is not None else outer, new.complete, "new line"
        findings = self.reading.findings
        warnings = pending.kind == "warning"
        look = findings.next if forward else findings.previous
        return look(pending.origin, warnings=warnings), findings.complete, "error or warning" if warnings else "error"

    def _reveal(self, line: int) -> None:
        """Puts the cursor on a line that was asked for, and shows it if it is folded."""
        if line < 0:
            return
        if self._folding is not None and self._folding.hides(line):
            self._set_folding(self._folding.unfold(max(line - CONTEXT, 0), 2 * CONTEXT + 1))
        self._place(line, centre=True)

    # ---- other keys and the mouse ------------------------------------------------------------------------------

    def action_request(self, what: str) -> None:
        self.post_message(self.Requested(what))

    def action_follow(self) -> None:
        following = not self.following
        self._end_waiting()
        self.following = following
        if following:
            self._place(self._line_count - 1)
        self._changed()

    def action_sideways(self, steps: int) -> None:
        x = self.scroll_offset.x + steps * max(self.line_width // 3, 8)
        self.scroll_to(x=max(0, min(x, self._widest - self.line_width // 2)), animate=False, force=True)

    def action_elapsed(self) -> None:
        self.timed = not self.timed

    def action_numbers(self) -> None:
        self.numbered = not self.numbered

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        row = self._row_at(self.scroll_offset.y + offset.y)
        if row is not None:
            self._end_waiting()
            self._place(row.line)
            if row.hidden:
                self.action_unfold()
            self._changed()

    def on_mouse_scroll_up(self) -> None:
        self.following = False

    # ---- drawing -----------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self._widest = 0  # lines may be shorter or longer than before, see `LineLook.short`

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter.forget_colours()

    def render_line(self, y: int) -> Strip:
        scrolled, top = self.scroll_offset
        width = self.line_width
        if not self._line_count:
            lines = [
                part
                for line in describe_empty_log(self.reading.spool)
                for part in wrap(safe_text(line), max(width - 4, 8)) or [""]
            ]
            return self._painter.message(lines[y] if y < len(lines) else "", width)
        row = self._row_at(top + y)
        if row is None:
            return self._painter.blank(width)
        if row.hidden:
            at_cursor = row.line == self.cursor or self.cursor_row_number == top + y
            return self._painter.fold(row.hidden, LineLook(at_cursor), width)
        line = self._lines.line(row.line)
        if line is None:
            return self._painter.blank(width)
        look = self._look(row.line, line)
        gutter = self._painter.gutter(row.line, look)
        return self._painter.row(gutter, self._text(row.line, line, look), scrolled, width, look)

    def _look(self, number: int, line: DecodedLine) -> LineLook:
        elapsed = self._lines.elapsed(line.stamp) if self.timed and line.stamp is not None else None
        times = self._times_new(number)
        return LineLook(
            number == self.cursor,
            self.reading.findings.severity(number),
            len(f"{max(self._line_count, 1000)}") if self.numbered else 0,
            self.timed,
            elapsed,
            number in self._linked,
            times > 0,
            max(times, 1),
            self.size.width < WIDE,
        )

    def _text(self, number: int, line: DecodedLine, look: LineLook) -> Strip:
        def draw() -> Strip:
            text = self._painter.text(line, look)
            width = text.cell_length + sum(segment.cell_length for segment in self._painter.gutter(number, look))
            if width > self._widest:
                self._widest = width
                self.call_later(self.fit_virtual_size)
            return text

        return self.cached_strip((number, look), draw)

    def draw_long_line(self, number: int, most: int) -> list[Segment]:
        """A line as it is drawn, with up to so many characters."""
        return list(self._painter.text(self._lines.line_up_to(number, most), LineLook(False)))

    # ---- the status --------------------------------------------------------------------------------------------

    @property
    def status_text(self) -> str:
        """Where one is, how much there is, what was found, what still runs; the most important first, since 80
        columns cut the rest."""
        spool, findings = self.reading.spool, self.reading.findings
        parts = []
        if spool.problem is not None and not isinstance(spool.problem, OperationCancelledError):
            reason = safe_text(str(spool.problem), 300)
            parts.append(f"✖ cut short: {reason}" if spool.line_count else f"✖ {reason}")
        if self._pending is not None:
            parts.append(self._pending.describe())
        if self._note:
            parts.append(self._note)
        if self.new_lines is not None:
            parts.append(self.new_lines.describe())
        if self.current_search is not None:
            parts.append(self._describe_search(self.current_search))
        if spool.line_count:
            parts.append(f"line {self.cursor + 1:,} of {spool.line_count:,}")
        if not spool.complete:
            parts.append(f"◌ coming in, {format_bytes(spool.size)}" if spool.size else "◌ waiting for the log")
        parts.append(f"✖ {findings.count(Severity.ERROR):,} ⚠ {findings.count(Severity.WARNING):,}")
        if self.following:
            parts.append("following")
        if self._folding is not None:
            parts.append("folded")
        if spool.complete:
            parts.append(format_bytes(spool.size))
        return " · ".join(parts)

    def _describe_search(self, search: LogSearcher) -> str:
        spool, count = self.reading.spool, search.count
        text = f"/{safe_text(search.pattern.text, 24)}/ "
        if self.cursor in search:
            text += f"{search.rank(self.cursor):,} of {count:,}"
        else:
            text += f"{count:,} line{'s' * (count != 1)}"
        if search.complete or (spool.complete and search.scanned >= spool.size):
            return text
        return f"{text} so far ({min(search.scanned / max(spool.size, 1), 1.0):.0%})"


def describe_empty_log(spool: LogSpool) -> list[str]:
    """Lines to show in place of a log that has none."""
    if not spool.complete:
        return ["", "◌ Waiting for the first bytes of the log."]
    if spool.problem is None:
        return ["", "This log is empty."]
    return ["", f"✖ {spool.problem.sentence}", spool.problem.hint]
