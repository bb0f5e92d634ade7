"""The bar of states: one line of `━` by state, worst first, and its legend with the counts in the same order.

A state that occurs has at least one cell, so the bar of 1,200 files never looks complete while one of them failed; a
blank cell between two states tells their shares apart without colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from backends.frames.formats import Tone, safe_text, state_glyph, state_rank, state_tone

DONE, PENDING = "━", "╌"
MIN_BAR = 10  # cells that the legend leaves to the bar
_GAP = 2  # cells between two entries of the legend, and between it and the bar
_MAX_STATE = 40  # characters of a state's name
_ROLES = {
    Tone.BAD: "failed",
    Tone.EXCEPTION: "exception",
    Tone.WARNING: "warning",
    Tone.ACTIVE: "running",
    Tone.GOOD: "ok",
    Tone.QUIET: "muted",
    Tone.PLAIN: "muted",
}
ROLES = (*dict.fromkeys(_ROLES.values()), "text")


class BarSegment(NamedTuple):
    """The part of the bar that stands for one state."""

    state: str
    rows: int
    cells: int

    @property
    def text(self) -> str:
        return (PENDING if state_rank(self.state) == 9 else DONE) * self.cells


class LegendEntry(NamedTuple):
    """One state in the legend: `start` is its first cell, from the legend's beginning."""

    state: str
    start: int
    text: str


def state_role(state: str) -> str:
    """The role of a state's colour: one of `ROLES`, as in `$ci-failed`."""
    return _ROLES[state_tone(state)]


def count_states(states: pl.Series) -> dict[str, int]:
    """How many rows are in each state; no state counts as "unknown"."""
    found: Counter[str] = Counter()
    for state, count in states.value_counts().iter_rows():
        found[state or "unknown"] += count
    return dict(found)


def has_known_states(counts: Mapping[str, int]) -> bool:
    """Whether any of them has a sign of its own: kinds ("file", "directory") are drawn as states, and are none."""
    return any(state_glyph(state) not in "·?" for state in counts)


def order_states(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """(state, count) of the states that occur, worst first."""
    return sorted(((state, count) for state, count in counts.items() if count > 0), key=lambda one: _order(one[0]))


def _order(state: str) -> tuple[int, str]:
    return state_rank(state), state


def divide_cells(counts: Sequence[int], width: int) -> list[int]:
    """`width` cells in proportion to positive counts, at least one each; `width` is at least their number.

    By largest remainders, so that more rows never have fewer cells.
    """
    cells = [0] * len(counts)
    while places := [place for place in range(len(counts)) if not cells[place]]:
        total, room = sum(counts[place] for place in places), width - sum(cells)
        small = [place for place in places if counts[place] * room < total]
        for place in small:
            cells[place] = 1
        if small:
            continue
        for place in places:
            cells[place] = counts[place] * room // total
        by_remainder = sorted(places, key=lambda place: -(counts[place] * room % total))
        for place in by_remainder[: width - sum(cells)]:
            cells[place] += 1
    return cells


def layout_bar(counts: Mapping[str, int], width: int) -> list[BarSegment]:
    """The segments of a bar of `width` cells with one blank cell between two; where that is too narrow, the worst."""
    states = order_states(counts)[: max(0, width + 1) // 2]
    if not states:
        return []
    cells = divide_cells([count for _, count in states], width - len(states) + 1)
    return [BarSegment(state, count, size) for (state, count), size in zip(states, cells, strict=True)]


def layout_legend(counts: Mapping[str, int], width: int) -> list[LegendEntry]:
    """The entries that fit into `width` cells: "✖ 35 failed", else only those with their words whose sign another one
    has too, else none with words; where that is too much, the worst."""
    states = order_states(counts)
    signs = Counter(state_glyph(state) for state, _ in states)
    for named in (frozenset(signs), frozenset(sign for sign, count in signs.items() if count > 1), frozenset[str]()):
        entries, start = [], 0
        for state, count in states:
            word = f" {safe_text(state, limit=_MAX_STATE)}" if state_glyph(state) in named else ""
            text = f"{state_glyph(state)} {count:,}{word}"
            if start + cell_len(text) > width:
                break
            entries.append(LegendEntry(state, start, text))
            start += cell_len(text) + _GAP
        if len(entries) == len(states):
            break
    return entries


class StateBar(Widget):
    """The bar and its legend in one line. A click on an entry of the legend selects its state."""

    COMPONENT_CLASSES = {f"state-bar--{role}" for role in ROLES}
    DEFAULT_CSS = """
    StateBar {
        height: 1; padding: 0 1; background: $ci-bg; color: $ci-text;
        & > .state-bar--failed { color: $ci-failed; }
        & > .state-bar--exception { color: $ci-exception; }
        & > .state-bar--warning { color: $ci-warning; }
        & > .state-bar--running { color: $ci-running; }
        & > .state-bar--ok { color: $ci-ok; }
        & > .state-bar--muted { color: $ci-muted; }
        & > .state-bar--text { color: $ci-text; text-style: bold; }
    }
    """
    ALLOW_SELECT = False

    class Selected(Message):
        """A state was clicked in the legend."""

        def __init__(self, state: str) -> None:
            super().__init__()
            self.state = state

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.counts: dict[str, int] = {}

    def show(self, counts: Mapping[str, int]) -> None:
        """Draws these counts by state."""
        if self.counts != counts:
            self.counts = dict(counts)
            self.refresh()

    def _layout(self) -> tuple[list[BarSegment], list[LegendEntry], int]:
        """The segments, the legend, and the cell that the legend begins at."""
        width = self.content_size.width
        legend = layout_legend(self.counts, max(0, width - MIN_BAR - _GAP))
        size = legend[-1].start + cell_len(legend[-1].text) if legend else 0
        return layout_bar(self.counts, width - size - _GAP), legend, width - size

    def render(self) -> Text:
        segments, legend, start = self._layout()
        text = Text(no_wrap=True)
        for place, segment in enumerate(segments):
            text.append(" " if place else "")
            text.append(segment.text, self._style(state_role(segment.state)))
        for entry in legend:
            text.append(" " * (start + entry.start - text.cell_len))
            sign, count, *word = entry.text.split(" ", 2)
            text.append(sign, self._style(state_role(entry.state)))
            text.append(f" {count}", self._style("text"))
            text.append(f" {word[0]}" if word else "", self._style("muted"))
        return text

    def _style(self, role: str) -> Style:
        return self.get_component_rich_style(f"state-bar--{role}", partial=True)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        _, legend, start = self._layout()
        for entry in legend:
            if start + entry.start <= offset.x < start + entry.start + cell_len(entry.text):
                self.post_message(self.Selected(entry.state))
