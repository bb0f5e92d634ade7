"""Check boxes and radio buttons whose state is in their sign and not only in their colour."""

from __future__ import annotations

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Checkbox, RadioButton, SelectionList


# Textual draws the same sign, dimmed, for what is off; without colour nobody sees that.
class TickBox(Checkbox):
    """A check box that is empty when it is off."""

    @property
    def _button(self) -> Content:
        return super()._button if self.value else _without_sign(super()._button, self.BUTTON_INNER)


class RadioDot(RadioButton):
    """A radio button that is empty when it is off."""

    @property
    def _button(self) -> Content:
        return super()._button if self.value else _without_sign(super()._button, self.BUTTON_INNER)


class TickList(SelectionList[str]):
    """A list of check boxes, those not selected empty."""

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        number = self.scroll_offset.y + y
        if number >= self.option_count or self.get_option_at_index(number).value in self.selected:
            return line
        segments = list(line)
        if len(segments) > 1 and segments[1].text == Checkbox.BUTTON_INNER:
            segments[1] = Segment(" ", segments[1].style, segments[1].control)
        return Strip(segments, line.cell_length)


def _without_sign(button: Content, sign: str) -> Content:
    return Content(button.plain.replace(sign, " "), spans=list(button.spans))
