"""How a log is drawn: its lines decoded and cut, their gutter, colours and matches, the fold that stands for many.

Whatever a log asks for, nothing of it reaches the terminal raw, and no colour is unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from backends.frames.formats import safe_text
from backends.logs import ansi, timestamps
from backends.logs.ansi import PLAIN, SgrState
from backends.logs.ansi import Color as LogColour
from backends.logs.patterns import TextPattern
from backends.logs.rules import Severity
from backends.logs.spool import Line, LogSpool
from backends.logs.timestamps import LogClock, Timestamp
from tui.theme import contrast
from tui.widgets.log_prefix import LogPrefix, parse_prefix

# Signs, so that neither the cursor nor the severity of a line needs colour to be seen.
CURSOR, IN_RANGE = "▌", "│"
NEW = "+"
SIGNS = {Severity.ERROR: "✖", Severity.WARNING: "⚠", Severity.SECTION: "▸"}
# The eight names of a terminal as roles of the theme, which are legible on its background by design.
_ANSI_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
# The component classes that styles come from.
COMPONENTS = (
    *("cursor", "error", "warning", "section", "quiet", "match", "current-match"),
    *(f"ansi-{name}" for name in _ANSI_NAMES),
)
_BLOCK = 32  # lines that are decoded together
_MAX_BLOCKS = 16  # kept
_MAX_CHARACTERS = 4096  # of a line that are ever drawn; `w` shows more, saving and searching know all of it
_FIRST_LINES = 200  # where the clock looks for the first time
_TAB = 8
_ELAPSED = 13  # cells; "+99:59:59.999" and a space behind it
_MIN_CONTRAST = 3.0  # WCAG's for large text; terminal palettes do not reach its 4.5 for text themselves
_MIN_CONTRAST_UNKNOWN = 1.6
_BLACK, _WHITE = Color(0, 0, 0), Color(255, 255, 255)
_STEPS = (0, 95, 135, 175, 215, 255)  # of the 6x6x6 cube of the 256 colours
_PLAIN_16 = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip


@dataclass(frozen=True)
class DecodedLine:
    """`cut`: characters (or bytes, of a line that long) that are not shown; `matches` as (start, end)."""

    text: str
    spans: tuple[ansi.Span, ...]
    cut: int
    stamp: Timestamp | None
    matches: tuple[tuple[int, int], ...]
    prefix: LogPrefix | None = None


class LogLines:
    """What is shown of a spool's lines, made for a screen or two at a time."""

    def __init__(self, spool: LogSpool) -> None:
        self._spool = spool
        self._blocks: dict[int, list[DecodedLine]] = {}
        self._clock = LogClock()
        self._pattern: TextPattern | None = None

    def set_pattern(self, pattern: TextPattern | None) -> None:
        """Marks what matches from now on."""
        self._pattern = pattern
        self._blocks.clear()

    def forget_from(self, line: int) -> None:
        """Lines from this one on may have changed: the last one of a log that grows is often half a line."""
        for block in [block for block in self._blocks if block >= line // _BLOCK]:
            del self._blocks[block]

    def line(self, number: int) -> DecodedLine | None:
        """None for a line that there is not (yet)."""
        block, place = divmod(number, _BLOCK)
        lines = self._blocks.get(block)
        if lines is None:
            while len(self._blocks) >= _MAX_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            lines = self._blocks[block] = self._decode_block(block * _BLOCK)
        return lines[place] if place < len(lines) else None

    def elapsed(self, found: Timestamp) -> float | None:
        if not self._clock.is_set:
            heads = self._spool.lines(0, _FIRST_LINES)
            self._clock.start(ansi.strip(ansi.decode_line(line.content[:_MAX_CHARACTERS])) for line in heads)
        return self._clock.elapsed(found)

    def line_up_to(self, number: int, most: int) -> DecodedLine:
        """One line with up to `most` characters."""
        content = self._spool.lines(number, 1)
        return self._decode(content, most)[0] if content else DecodedLine("", (), 0, None, ())

    def _decode_block(self, start: int) -> list[DecodedLine]:
        return self._decode(self._spool.lines(start, _BLOCK), _MAX_CHARACTERS)

    def _decode(self, lines: list[Line], most: int) -> list[DecodedLine]:
        parsed = []
        for line in lines:
            decoded = ansi.decode_line(line.content)
            text, spans = ansi.parse(decoded[: 2 * most])
            cut = line.cut + max(len(decoded) - 2 * most, 0) + max(len(text) - most, 0)
            parsed.append((text[:most], spans, cut))
        texts = [text for text, _, _ in parsed]
        matches = self._pattern.spans(texts) if self._pattern is not None else [[] for _ in texts]
        return [
            DecodedLine(text, spans, cut, timestamps.parse_timestamp(text), tuple(found), parse_prefix(text))
            for (text, spans, cut), found in zip(parsed, matches, strict=True)
        ]


class LogColours:
    """SGR states as styles, each computed once."""

    def __init__(self, style_of: Callable[[str], Style]) -> None:
        self._style_of = style_of
        self._styles: dict[tuple[SgrState, Style], Style] = {}

    def forget(self) -> None:
        self._styles.clear()

    def style(self, state: SgrState, base: Style) -> Style:
        """`base`: the style of the line where the log asks for nothing."""
        style = self._styles.get((state, base))
        if style is None:
            if len(self._styles) > 4096:  # a log of true-colour pictures has as many states as characters
                self._styles.clear()
            style = self._styles[state, base] = self._make(state, base)
        return style

    def _make(self, state: SgrState, base: Style) -> Style:
        attributes = Style(
            bold=state.bold or None,
            dim=state.dim or None,
            italic=state.italic or None,
            underline=state.underline or None,
            strike=state.strike or None,
        )
        if state.reverse:
            if state.foreground is None and state.background is None:
                return base + attributes + Style(reverse=True)
            state = replace(state, foreground=state.background, background=state.foreground)
        if state.background is not None:
            ground = Color(*_rgb(state.background))
            ink = Color(*_rgb(state.foreground)) if state.foreground is not None else ground.get_contrast_text(1.0)
            ink = ink if contrast(ink, ground) >= _MIN_CONTRAST else ground.get_contrast_text(1.0)
            return base + attributes + Style(color=ink.rich_color, bgcolor=ground.rich_color)
        if state.foreground is None:
            return base + attributes
        return base + attributes + self._ink(state.foreground, base)

    def _ink(self, colour: LogColour, base: Style) -> Style:
        ink = Color(*_rgb(colour))
        if isinstance(colour, int) and colour < 16:
            named = self._style_of("ansi-" + _ANSI_NAMES[colour % 8]).color
            if named is None or named.triplet is None:
                return Style(color=named)
            ink = Color(*named.triplet)
        if base.bgcolor is None or base.bgcolor.triplet is None:
            # A theme of the terminal's own colours: dark or light, nobody knows. What is neither shows on both.
            if min(contrast(ink, _BLACK), contrast(ink, _WHITE)) < _MIN_CONTRAST_UNKNOWN:
                return Style()
            return Style(color=ink.rich_color)
        ground = Color(*base.bgcolor.triplet)
        readable = ground.get_contrast_text(1.0)
        for share in (0.0, 0.25, 0.5, 0.75):
            blended = ink.blend(readable, share)
            if contrast(blended, ground) >= _MIN_CONTRAST:
                return Style(color=blended.rich_color)
        return Style(color=readable.rich_color)


def _rgb(colour: LogColour) -> tuple[int, int, int]:
    if not isinstance(colour, int):
        return colour
    if colour < 16:
        return _PLAIN_16[colour]
    if colour >= 232:
        grey = 8 + (colour - 232) * 10
        return grey, grey, grey
    colour -= 16
    return _STEPS[colour // 36], _STEPS[colour // 6 % 6], _STEPS[colour % 6]


@dataclass(frozen=True)
class LineLook:
    """How a row stands out. `numbers`: cells for the line number, 0 for none; `elapsed`: seconds, if times are shown
    as such; `in_range`: one of the lines that a link names; `new`: marked as new, which comes so many `times`; `short`:
    whether the terminal is too narrow for what stands before the text."""

    at_cursor: bool
    severity: Severity | None = None
    numbers: int = 0
    timed: bool = False
    elapsed: float | None = None
    in_range: bool = False
    new: bool = False
    times: int = 1
    short: bool = False


class LinePainter:
    """Makes the strips of a log. `style_of`: the style of a component, "" for the widget's own."""

    def __init__(self, style_of: Callable[[str], Style]) -> None:
        self._style_of = style_of
        self._colours = LogColours(style_of)

    def forget_colours(self) -> None:
        self._colours.forget()

    def _base(self, look: LineLook) -> Style:
        return self._style_of("cursor" if look.at_cursor else "")

    def _quiet(self, look: LineLook) -> Style:
        return self._base(look) + Style(color=self._style_of("quiet").color)

    def blank(self, width: int) -> Strip:
        return Strip.blank(width, self._style_of(""))

    def message(self, text: str, width: int) -> Strip:
        """A line that is not of the log."""
        return Strip([Segment(f"  {text}", self._style_of(""))]).adjust_cell_length(width, self._style_of(""))

    def gutter(self, number: int, look: LineLook) -> list[Segment]:
        """What stays when the text scrolls sideways."""
        base, quiet = self._base(look), self._quiet(look)
        sign = SIGNS[look.severity] if look.severity else " "
        ink = base + Style(color=self._style_of(look.severity).color, bold=True) if look.severity else base
        edge = CURSOR if look.at_cursor else IN_RANGE if look.in_range else " "
        segments = [Segment(edge, base), Segment(f"{sign} ", ink)]
        mark = Segment(NEW, base + Style(color=self._style_of("section").color, bold=True)) if look.new else None
        if look.numbers:
            segments += [Segment(f"{number + 1:>{look.numbers}}", quiet), mark or Segment(" ", quiet)]
        if look.new and not look.numbers:
            segments[1:] = [Segment(sign, ink), Segment(NEW, base)]
        if look.timed:
            elapsed = timestamps.format_elapsed(look.elapsed) if look.elapsed is not None else ""
            segments.append(Segment(f"{elapsed:>{_ELAPSED}} ", quiet))
        return segments

    def text(self, line: DecodedLine, look: LineLook) -> Strip:
        """All of the line that is drawn; the view shows a part of it."""
        base, quiet, prefix = self._base(look), self._quiet(look), line.prefix
        behind = prefix.end if prefix is not None else 0
        body = quiet if prefix is not None and prefix.is_usual and look.severity is None else base
        if look.severity in (Severity.ERROR, Severity.WARNING):
            body = base + Style(color=self._style_of(look.severity).color)
        if look.severity in (Severity.ERROR, Severity.SECTION):
            body = body + Style(bold=True)
        match = self._style_of("current-match" if look.at_cursor else "match")
        begin, head = 0, ""
        if look.timed and look.elapsed is not None and line.stamp is not None:
            begin = line.stamp.end
        # What a search has found is never left out.
        if look.short and prefix is not None and not any(start < behind for start, _ in line.matches):
            head, begin = "" if begin else prefix.short, max(begin, behind)
        segments = [Segment(head, quiet)] if head else []
        segments += self._segments(line, begin, behind, (quiet, body), match)
        if look.times > 1:
            segments.insert(0, Segment(f"×{look.times:,} ", quiet))
        if line.cut:
            segments.append(Segment(f" … {line.cut:,} more; w shows more, s saves all", quiet))
        return Strip(segments)

    def _segments(
        self, line: DecodedLine, begin: int, behind: int, styles: tuple[Style, Style], match: Style
    ) -> Iterator[Segment]:
        """From character `begin` on; `styles`: before character `behind`, and from it on."""
        column = 0
        for start, end, state, matched in _pieces(line, begin, behind):
            base = styles[start >= behind]
            style = self._colours.style(state, base) if state is not PLAIN else base
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

    def fold(self, hidden: int, look: LineLook, width: int) -> Strip:
        """The row that stands for `hidden` folded lines."""
        base, quiet = self._base(look), self._quiet(look)
        gutter = [Segment(CURSOR if look.at_cursor else " ", base), Segment("┈ ", quiet)]
        hint = " ┈ Enter shows them" if look.at_cursor else ""
        return Strip([*gutter, Segment(f"{hidden:,} lines folded{hint}", quiet)]).adjust_cell_length(width, base)

    def row(self, gutter: list[Segment], text: Strip, scrolled: int, width: int, look: LineLook) -> Strip:
        """Exactly `width` cells; an arrow at the right edge says that there is more."""
        taken = sum(cell_len(segment.text) for segment in gutter)
        room = max(width - taken, 0)
        visible = text.crop(scrolled, scrolled + room) if scrolled or text.cell_length > room else text
        strip = Strip([*gutter, *visible]).adjust_cell_length(width, self._base(look))
        if text.cell_length > scrolled + room and room > 1 and text.crop(scrolled + room).text.strip():
            strip = Strip([*strip.crop(0, width - 1), Segment("›", self._quiet(look))], width)
        return strip


def _pieces(line: DecodedLine, begin: int, behind: int) -> Iterator[tuple[int, int, SgrState, bool]]:
    """(start, end, SGR state, whether it is a match) of each run of characters that are drawn the same."""
    size = len(line.text)
    edges = {begin, behind, size}
    for start, end in (*((span.start, span.end) for span in line.spans), *line.matches):
        edges.update((start, end))
    spans, matches = iter(line.spans), iter(line.matches)
    span, match = next(spans, None), next(matches, None)
    for start, end in pairwise(sorted(edge for edge in edges if begin <= edge <= size)):
        while span is not None and span.end <= start:
            span = next(spans, None)
        while match is not None and match[1] <= start:
            match = next(matches, None)
        state = span.look if span is not None and span.start <= start else PLAIN
        yield start, end, state, match is not None and match[0] <= start


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
