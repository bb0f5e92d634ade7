"""Bars of block characters: what stands for a histogram where there are too few lines for a plot with rulers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

EIGHTHS = " ▁▂▃▄▅▆▇█"
# One sign a group, all different without colour; the last one is for the rest of the groups.
GLYPHS = "█▒▚░▞▓╳"
HORIZONTAL = " ▏▎▍▌▋▊▉█"


def block_bars(counts: Sequence[int], width: int, height: int) -> list[str]:
    """`height` lines of at most `width` cells, the tallest bar full; a count above zero is never invisible."""
    heights = spread(counts, width)
    top = max(heights, default=0)
    levels = [max(1, round(count * height * 8 / top)) if count else 0 for count in heights]
    return ["".join(EIGHTHS[max(0, min(8, level - row * 8))] for level in levels) for row in range(height - 1, -1, -1)]


def stacked_bars(groups: Sequence[Sequence[int]], width: int, height: int) -> list[str]:
    """Like `block_bars` for several groups on top of each other, in whole cells of their `GLYPHS`."""
    columns = list(zip(*(spread(counts, width) for counts in groups), strict=True))
    top = max(map(sum, columns), default=0)
    drawn = [_stack(column, top, height) for column in columns]
    return ["".join(stack[row] for stack in drawn) for row in range(height - 1, -1, -1)]


def _stack(counts: Sequence[int], top: int, height: int) -> str:
    """One column from the bottom up; each cell has the sign of the group that takes most of it."""
    total = sum(counts)
    if not total:
        return " " * height
    filled = max(1, round(total * height / top))
    bounds = [0, *accumulate(counts)]
    signs = []
    for row in range(filled):
        lower, upper = row * total / filled, (row + 1) * total / filled
        shares = [min(upper, bounds[group + 1]) - max(lower, bounds[group]) for group in range(len(counts))]
        signs.append(GLYPHS[shares.index(max(shares)) % len(GLYPHS)])
    return "".join(signs).ljust(height)


def spread(counts: Sequence[int], width: int) -> list[int]:
    """One count a cell: bins that are wider than a cell repeat, those that are narrower are summed."""
    bins = len(counts)
    if not bins or width <= 0:
        return []
    if bins <= width:
        return [counts[cell * bins // width] for cell in range(width)]
    return [sum(counts[cell * bins // width : (cell + 1) * bins // width]) for cell in range(width)]


def horizontal_bar(share: float, width: int) -> str:
    """A bar of `share` (0 to 1) of `width` cells, in eighths of a cell; more than nothing is never invisible."""
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    whole, rest = divmod(min(eighths, width * 8), 8)
    return "█" * whole + (HORIZONTAL[rest] if rest else "")
