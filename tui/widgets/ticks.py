"""What the ruler of a plot says: values short enough to stand side by side, at places that read well."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backends.frames.formats import format_value
from backends.frames.schema import Column, Kind

_DAY = 86_400_000
_SIXTY_DAYS = 60 * _DAY


def tick_labels(edges: Sequence[float], column: Column) -> list[str]:
    """One label an edge: "5m" and not "5m 00s", "1 MB" and not "1.0 MB"; of a time only what distinguishes it."""
    if column.kind is Kind.TIME:
        return _time_labels(edges, column)
    return [_short(format_value(_as_kind(edge, column), column), column.kind) for edge in edges]


def tick_places(labels: Sequence[str], cells: int) -> list[int]:
    """Which of evenly spread labels to draw so that two spaces stay between them in `cells`."""
    if not labels:
        return []
    widest = max(map(len, labels)) + 2
    most = max(1, cells // widest)
    step = -(-len(labels) // most)
    step = next((nice for nice in (1, 2, 5, 10, 20, 25, 50, 100) if nice >= step), step)
    # Of the ways to take every n-th the one with the shortest labels: 0, 100, 200 and not 20, 120, 220.
    ways = [list(range(offset, len(labels), step)) for offset in range(min(step, len(labels)))]
    return min(ways, key=lambda way: sum(len(labels[place]) for place in way) / len(way) - 0.01 * len(way))


def _as_kind(edge: float, column: Column) -> float:
    return int(edge) if column.kind in {Kind.COUNT, Kind.BYTES} and edge.is_integer() else edge


def _short(text: str, kind: Kind) -> str:
    if kind is Kind.DURATION:
        shorter = re.sub(r"( 00[hms])+$", "", text)
        return re.sub(r"\b0(\d[ms])$", r"\1", re.sub(r"\.0s$", "s", shorter))
    if kind is Kind.BYTES:
        return text.replace(".0 ", " ")
    if kind is Kind.NUMBER and "e" not in text:
        return re.sub(r"(\.\d*?)0+$", r"\1", text).rstrip(".")
    return text


def _time_labels(edges: Sequence[float], column: Column) -> list[str]:
    full = [format_value(edge, column) for edge in edges]
    if not edges or len(full[0]) < 19:
        return full
    span = edges[-1] - edges[0]
    if span <= _DAY and span >= 60_000:
        return [text[11:16] for text in full]
    if span < 60_000:
        return [text[11:] for text in full]
    return [text[5:16] if span < 5 * _DAY else text[5:10] if span < _SIXTY_DAYS else text[:10] for text in full]
