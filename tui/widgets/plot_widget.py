"""What all plots have in common: plotext, loaded in a thread, and a widget that keeps its last drawing.

Of plotext's output only the characters are used: its colours would have to be kept in step with the theme and NO_COLOR.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Self

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import on
from textual.color import Color, ColorParseError
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
FRAME = frozenset("─│┌┐└┘├┤┬┴┼")


class PlotWidget(Widget):
    """What both have in common: plotext, loaded in a thread; colours of the theme; the last drawing, kept."""

    COLOURS: ClassVar[tuple[str, ...]] = ()  # roles of the theme, one a group

    class _PlotextLoaded(Message):
        pass

    def __init__(self) -> None:
        super().__init__()
        # Plain attributes, not reactives: Textual would compare frames with !=, which polars does elementwise.
        self._drawn: tuple[tuple[object, ...], Text] | None = None
        self._lines: tuple[Text, list[Strip]] | None = None  # of the last drawing

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def load_plotext(self) -> None:
        """90 ms and a shared library; the widget is drawn again when it is there."""
        if not plotext_is_loaded():
            self.run_worker(self._load, thread=True, group="plotext", exit_on_error=False)

    def _load(self) -> None:
        import plotext  # noqa: F401

        self.post_message(self._PlotextLoaded())

    @on(_PlotextLoaded)
    def _redraw(self, event: _PlotextLoaded) -> None:
        event.stop()
        self.refresh()

    def keep_drawing(self, key: tuple[object, ...], draw: Callable[[], Text]) -> Text:
        """A plot takes up to 35 ms, and Textual asks again for every scroll and hover."""
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, draw()
        return self._drawn[1]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        self._lines = None  # also of the same drawing: its colours may be others now
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_line(self, y: int) -> Strip:
        """A line of the drawing. Textual's way from a text to lines, which can wrap it and mark parts of it, costs
        15 ms for 200x60 cells; a drawing is as wide as it has to be."""
        text, width = self.render(), self.size.width
        if self._drawn is None or text is not self._drawn[1] or self.text_selection is not None:
            return super().render_line(y)
        if self._lines is None or self._lines[0] is not text:
            style = self.rich_style
            lines = Segment.split_lines(Segment.apply_style(text.render(self.app.console), style))
            self._lines = text, [Strip(line).adjust_cell_length(width, style) for line in lines]
        strips = self._lines[1]
        return strips[y] if y < len(strips) else Strip.blank(width, self.rich_style)

    def role(self, name: str) -> Style:
        """The colour of a role of `tui.theme`: "data", "failed", "muted"."""
        colour = self.app.theme_variables.get(f"ci-{name}", "")
        try:
            return Style(color=Color.parse(colour).rich_color)
        except ColorParseError:  # outside our app there are no roles, and a theme may say "auto"
            return Style()

    def colour(self, group: int) -> Style:
        return self.role(self.COLOURS[group % len(self.COLOURS)])


class PlotText:
    """The characters of a drawing, line by line, some of them exchanged and coloured one by one."""

    def __init__(self, text: str) -> None:
        self.lines = [list(line) for line in text.split("\n")]
        self._styles: list[dict[int, Style]] = [{} for _ in self.lines]

    def put(self, line: int, column: int, sign: str = "", style: Style | None = None) -> None:
        """Exchanges a character (none if `sign` is empty) and its style; what lies outside is ignored."""
        if not (0 <= line < len(self.lines) and column >= 0):
            return
        cells = self.lines[line]
        if column >= len(cells):
            cells.extend(" " * (column + 1 - len(cells)))
        if sign:
            cells[column] = sign
        if style is not None:
            self._styles[line][column] = style

    def write(self, line: int, column: int, text: str, style: Style | None = None) -> None:
        for offset, sign in enumerate(text):
            self.put(line, column + offset, sign, style)

    def is_blank(self, line: int, column: int, cells: int) -> bool:
        return 0 <= line < len(self.lines) and not "".join(self.lines[line][column : column + cells]).strip()

    def text(self, frame: Style) -> Text:
        """All of it; lines of frames and axes in the style `frame`. Blanks take the style before them: fewer spans."""
        drawn = Text(no_wrap=True)
        for number, (cells, styles) in enumerate(zip(self.lines, self._styles, strict=True)):
            if number:
                drawn.append("\n")
            start, current = 0, None
            for column, sign in enumerate(cells):
                if sign == " " and column not in styles and (current is None or current.bgcolor is None):
                    continue
                style = styles.get(column) or (frame if sign in FRAME else None)
                if style is not current:
                    drawn.append("".join(cells[start:column]), current)
                    start, current = column, style
            drawn.append("".join(cells[start:]), current)
        return drawn


def plotext_is_loaded() -> bool:
    """Completely: while a thread still imports it, its name is already in sys.modules."""
    return hasattr(sys.modules.get("plotext"), "figure")


def new_figure(width: int, height: int) -> Any:
    import plotext

    figure: Any = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(width, height)
    return figure


def figure_text(figure: Any) -> str:
    return _ESCAPE.sub("", figure.build().string()).rstrip("\n")
