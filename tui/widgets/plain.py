"""Containers of which only the background is ever seen: one line is made and shown as often as they are high.

Textual makes each line of each of them anew for every full picture, also of those that others cover; five of them
nested on a screen of 60 lines take longer than all that is seen.
"""

from __future__ import annotations

from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget


def _render_lines(widget: Widget, crop: Region) -> list[Strip]:
    return Widget.render_lines(widget, Region(crop.x, crop.y, crop.width, min(1, crop.height))) * crop.height


def is_present(widget: Widget) -> bool:
    """Whether it is on a screen and stays: while it is being removed its parts go first, and asking for one fails."""
    return widget.is_attached and not widget._pruning


class PlainScreen(Screen[None]):
    AUTO_FOCUS = ""  # where nothing has the focus it would go to the first widget, seen or not

    render_lines = _render_lines


class PlainVertical(Vertical):
    render_lines = _render_lines


class PlainHorizontal(Horizontal):
    render_lines = _render_lines


class PlainVerticalScroll(VerticalScroll):
    render_lines = _render_lines
