"""Check boxes and radio buttons whose state is in their sign and not only in their colour; text boxes that go whole;
lists of choices that no key can break."""

from __future__ import annotations

from rich.segment import Segment
from textual._widget_navigation import Direction as _Direction
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Checkbox, Input, OptionList, RadioButton, SelectionList


class LineInput(Input):
    """A text box of a list or a reader. Textual's is kept for ever by its screen, and with it the whole list."""

    def on_unmount(self) -> None:
        self.screen.text_selection_started_signal.unsubscribe(self)


# Textual draws the same sign, dimmed, for what is off; without colour nobody sees that.
class TickBox(Checkbox):
    """[x] or [ ]."""

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", self.get_visual_style("toggle--button")))


class RadioDot(RadioButton):
    """(●) or ( )."""

    @property
    def _button(self) -> Content:
        return Content.assemble(("(●)" if self.value else "( )", self.get_visual_style("toggle--button")))


class ChoiceList(OptionList):
    """Takes PgUp and PgDn also before it has a line on the screen, as when a list that was empty has just got options:
    Textual's ends the app then.
    """

    def _move_page(self, direction: _Direction) -> None:
        if self.scrollable_content_region:
            super()._move_page(direction)


_DRAWN = (Checkbox.BUTTON_LEFT, Checkbox.BUTTON_INNER, Checkbox.BUTTON_RIGHT)  # by Textual, for every box


class TickList(SelectionList[str], ChoiceList):
    """A list of check boxes, drawn as `TickBox`es are."""

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        number = self.scroll_offset.y + y
        if number >= self.option_count:
            return line
        segments = list(line)
        sign = "x" if self.get_option_at_index(number).value in self.selected else " "
        if [segment.text for segment in segments[:3]] == [*_DRAWN]:
            segments[:3] = [
                Segment(text, segments[1].style, segments[1].control) for text in ("[", sign, "]")
            ]  # fmt: skip
        return Strip(segments, line.cell_length)
