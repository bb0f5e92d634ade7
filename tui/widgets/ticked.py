"""Boxes to tick whose state is in the sign and not only in its colour: Textual draws the same one, dimmed, when off."""

from __future__ import annotations

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Checkbox, RadioButton, SelectionList


class Tick(Checkbox):
    """A check box that is empty when it is off."""

    @property
    def _button(self) -> Content:
        return super()._button if self.value else _emptied(super()._button, self.BUTTON_INNER)


class Dot(RadioButton):
    """A radio button that is empty when it is off."""

    @property
    def _button(self) -> Content:
        return super()._button if self.value else _emptied(super()._button, self.BUTTON_INNER)


class TickList(SelectionList[str]):
    """A list of boxes, those not selected empty."""

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        number = self.scroll_offset.y + y
        if number >= self.option_count or self.get_option_at_index(number).value in self.selected:
            return line
        segments = list(line)
        if len(segments) > 1 and segments[1].text == Checkbox.BUTTON_INNER:
            segments[1] = Segment(" ", segments[1].style, segments[1].control)
        return Strip(segments, line.cell_length)


def _emptied(button: Content, sign: str) -> Content:
    return Content(button.plain.replace(sign, " "), spans=list(button.spans))
