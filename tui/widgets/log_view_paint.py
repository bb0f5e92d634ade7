"""How one row of a log looks: its gutter, its text with colours and matches, or the fold that stands for many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backends.frames.formats import safe_text
from backends.logs import ansi
from backends.logs.ansi import PLAIN
from backends.logs.rules import Severity
from backends.logs.timestamps import format_elapsed
from tui.widgets.log_view_colours import Colours
from tui.widgets.log_view_lines import ShownLine

# Signs, so that neither the cursor nor what a line is needs colour to be seen.
CURSOR = "▌"
IN_RANGE = "│"
SIGNS = {Severity.ERROR: "✖", Severity.WARNING: "⚠", Severity.SECTION: "▸"}
PREFIX = "log-view--"
COMPONENTS = frozenset(
    f"{PREFIX}{part}" for part in ("cursor", "error", "warning", "section", "quiet", "match", "current-match")
)
_TAB = 8
_ELAPSED = 13  # cells; "+99:59:59.999" and a space behind it


@dataclass(frozen=True)
class Look:
    """How a row stands out. `numbers`: cells for the line number, 0 for none; `elapsed`: seconds, if asked for;
    `in_range`: one of the lines that a link names."""

    at_cursor: bool
    severity: Severity | None
    numbers: int
    timed: bool
    elapsed: float | None
    in_range: bool = False


class Paint:
    """Makes strips; looks styles up once (each look-up walks the widget's ancestors: 0.2 ms)."""

    def __init__(self, style_of: Callable[[str], Style], body: Callable[[], Style]) -> None:
        self._style_of = style_of
        self._body = body
        self._styles: dict[str, Style] = {}
        self._colours = Colours(style_of)

    def forget_styles(self) -> None:
        self._styles.clear()
        self._colours.forget()

    def style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self._style_of(PREFIX + name) if name else self._body()
        return style

    def gutter(self, number: int, look: Look) -> list[Segment]:
        """What stays when the text scrolls sideways."""
        base = self.style("cursor" if look.at_cursor else "")
        sign = SIGNS[look.severity] if look.severity else " "
        ink = base + Style(color=self.style(look.severity).color, bold=True) if look.severity else base
        edge = CURSOR if look.at_cursor else IN_RANGE if look.in_range else " "
        segments = [Segment(edge, base), Segment(f"{sign} ", ink)]
        quiet = base + Style(color=self.style("quiet").color)
        if look.numbers:
            segments.append(Segment(f"{number + 1:>{look.numbers}} ", quiet))
        if look.timed:
            words = format_elapsed(look.elapsed) if look.elapsed is not None else ""
            segments.append(Segment(f"{words:>{_ELAPSED}} ", quiet))
        return segments

    def text(self, line: ShownLine, look: Look) -> Strip:
        """The whole text of the line; the view shows a part of it."""
        base = self.style("cursor" if look.at_cursor else "")
        if look.severity is Severity.ERROR or look.severity is Severity.SECTION:
            base = base + Style(bold=True)
        match = self.style("current-match" if look.at_cursor else "match")
        begin = line.stamp.end if look.timed and look.elapsed is not None and line.stamp is not None else 0
        segments = list(self._segments(line, begin, base, match))
        if line.cut:
            quiet = base + Style(color=self.style("quiet").color)
            segments.append(Segment(f" … {line.cut:,} more; w shows more, s saves all", quiet))
        return Strip(segments)

    def _segments(self, line: ShownLine, begin: int, base: Style, match: Style) -> Iterator[Segment]:
        column = 0
        for start, end, looks, matched in _pieces(line, begin):
            style = self._colours.style(looks, base) if looks is not PLAIN else base
            if matched:
                style = style + Style(
                    underline=match.underline, reverse=match.reverse, bold=match.bold, color=style.color
                )
            text = line.text[start:end]
            if begin and start == begin:
                text = text.lstrip(" ")
            text = _drawable(text, column)
            column += len(text) if text.isascii() else cell_len(text)
            yield Segment(text, style)

    def fold(self, hidden: int, look: Look, width: int) -> Strip:
        base = self.style("cursor" if look.at_cursor else "")
        quiet = base + Style(color=self.style("quiet").color)
        gutter = [Segment(CURSOR if look.at_cursor else " ", base), Segment("┈ ", quiet)]
        words = f"{hidden:,} lines folded"
        more = " ┈ Enter shows them" if look.at_cursor else ""
        return Strip([*gutter, Segment(words + more, quiet)]).adjust_cell_length(width, base)

    def row(self, gutter: list[Segment], text: Strip, scrolled: int, width: int, look: Look) -> Strip:
        """Exactly `width` cells; an arrow at the right edge says that there is more."""
        base = self.style("cursor" if look.at_cursor else "")
        taken = sum(cell_len(segment.text) for segment in gutter)
        room = max(width - taken, 0)
        shown = text.crop(scrolled, scrolled + room) if scrolled or text.cell_length > room else text
        strip = Strip([*gutter, *shown]).adjust_cell_length(width, base)
        if text.cell_length > scrolled + room and room > 1:
            quiet = base + Style(color=self.style("quiet").color)
            strip = Strip([*strip.crop(0, width - 1), Segment("›", quiet)], width)
        return strip

    def words(self, text: str, width: int) -> Strip:
        return Strip([Segment(f"  {text}", self.style(""))]).adjust_cell_length(width, self.style(""))


def _pieces(line: ShownLine, begin: int) -> Iterator[tuple[int, int, ansi.SgrState, bool]]:
    """(start, end, look, whether it is a match) for each run of characters that look the same."""
    size = len(line.text)
    edges = {begin, size}
    for start, end in ((span.start, span.end) for span in line.looks):
        edges.update((start, end))
    for start, end in line.matches:
        edges.update((start, end))
    ordered = sorted(edge for edge in edges if begin <= edge <= size)
    looks, matches = iter(line.looks), iter(line.matches)
    span, match = next(looks, None), next(matches, None)
    for start, end in pairwise(ordered):
        while span is not None and span.end <= start:
            span = next(looks, None)
        while match is not None and match[1] <= start:
            match = next(matches, None)
        look = span.look if span is not None and span.start <= start else PLAIN
        yield start, end, look, match is not None and match[0] <= start


def _drawable(text: str, column: int) -> str:
    """Tabs to the next stop, everything that a terminal would obey made visible."""
    if "\t" not in text:
        return safe_text(text, len(text) + 1)
    parts = []
    for number, part in enumerate(text.split("\t")):
        if number:
            gap = _TAB - column % _TAB
            parts.append(" " * gap)
            column += gap
        part = safe_text(part, len(part) + 1)
        column += len(part) if part.isascii() else cell_len(part)
        parts.append(part)
    return "".join(parts)
