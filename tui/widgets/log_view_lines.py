"""Lines of a log as they are shown: decoded, cut, without escapes, with their looks, times and matches."""

from __future__ import annotations

from dataclasses import dataclass

from backends.logs import ansi, timestamps
from backends.logs.patterns import TextPattern
from backends.logs.spool import Line, LogSpool
from backends.logs.timestamps import LogClock, Timestamp

BLOCK = 32  # lines that are made together
_KEPT_BLOCKS = 16
# Characters of a line that are ever drawn; `w` shows more, saving and searching know all of it.
SHOWN = 4096
_FIRST_LINES = 200  # where the clock looks for the first time


@dataclass(frozen=True)
class ShownLine:
    """`cut`: characters (or bytes, of a line that long) that are not shown; `matches` as (start, end)."""

    text: str
    looks: tuple[ansi.Span, ...]
    cut: int
    stamp: Timestamp | None
    matches: tuple[tuple[int, int], ...]


class Lines:
    """What is shown of a spool's lines, made for a screen or two at a time."""

    def __init__(self, spool: LogSpool) -> None:
        self._spool = spool
        self._blocks: dict[int, list[ShownLine]] = {}
        self._clock = LogClock()
        self._pattern: TextPattern | None = None

    @property
    def pattern(self) -> TextPattern | None:
        return self._pattern

    @pattern.setter
    def pattern(self, pattern: TextPattern | None) -> None:
        self._pattern = pattern
        self._blocks.clear()

    def forget_from(self, line: int) -> None:
        """Lines from this one on may have changed: the last one of a log that grows is often half a line."""
        for block in [block for block in self._blocks if block >= line // BLOCK]:
            del self._blocks[block]

    def line(self, number: int) -> ShownLine | None:
        """None for a line that there is not (yet)."""
        block, place = divmod(number, BLOCK)
        lines = self._blocks.get(block)
        if lines is None:
            while len(self._blocks) >= _KEPT_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            lines = self._blocks[block] = self._made(block * BLOCK)
        return lines[place] if place < len(lines) else None

    def elapsed(self, found: Timestamp) -> float | None:
        if not self._clock.is_set:
            heads = self._spool.lines(0, _FIRST_LINES)
            self._clock.start(ansi.strip(ansi.decode_line(line.content[:SHOWN])) for line in heads)
        return self._clock.elapsed(found)

    def whole(self, number: int, most: int) -> ShownLine:
        """One line with up to `most` characters."""
        content = self._spool.lines(number, 1)
        return self._shown(content, most)[0] if content else ShownLine("", (), 0, None, ())

    def _made(self, start: int) -> list[ShownLine]:
        return self._shown(self._spool.lines(start, BLOCK), SHOWN)

    def _shown(self, lines: list[Line], most: int) -> list[ShownLine]:
        parsed = []
        for line in lines:
            decoded = ansi.decode_line(line.content)
            text, looks = ansi.parse(decoded[: 2 * most])
            cut = line.cut + max(len(decoded) - 2 * most, 0) + max(len(text) - most, 0)
            parsed.append((text[:most], looks, cut))
        texts = [text for text, _, _ in parsed]
        matches = self._pattern.spans(texts) if self._pattern is not None else [[] for _ in texts]
        return [
            ShownLine(text, looks, cut, timestamps.parse_timestamp(text), tuple(found))
            for (text, looks, cut), found in zip(parsed, matches, strict=True)
        ]
