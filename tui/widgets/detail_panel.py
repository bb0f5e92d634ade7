"""The panel that shows all of one row beside the table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from backends.frames.formats import StateText, Tone, safe_text, state_style
from backends.resources import Detail
from tui.widgets.row_painting import LOUD
from tui.widgets.state_bar import state_role

_MAX_VALUE = 4_000  # cells of one value in the detail panel; more than a screen is what files are for


class DetailPanel(VerticalScroll, can_focus=True):
    """One row beside the table: titled sections of label and text, all of it a server's text and drawn as such."""

    DEFAULT_CSS = """
    DetailPanel { width: 46; background: $ci-raised; border-left: solid $ci-rule; padding-left: 1; display: none;
        scrollbar-size-vertical: 1; }
    DetailPanel #detail-text { padding-right: 1; }
    DetailPanel.-shown { display: block; }
    DetailPanel.-alone { width: 100%; max-width: 100%; border-left: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Detail | None] | None = None  # None before anything is

    def compose(self) -> ComposeResult:
        yield Static("", id="detail-text")

    def show(self, detail: Detail | None) -> None:
        if self._shown != (detail,):
            self._shown = (detail,)
            self._draw(detail)

    def _draw(self, detail: Detail | None) -> None:
        self.query_one("#detail-text", Static).update(_render_detail(detail, self.app.theme_variables))

    def notify_style_update(self) -> None:
        """States have the colours of the theme."""
        super().notify_style_update()
        if self._shown is not None:
            self._draw(self._shown[0])


def _render_detail(detail: Detail | None, colours: Mapping[str, str]) -> RenderableType:
    if detail is None:
        return Text("No details for this row.", style=colours["ci-muted"])
    muted = colours["ci-muted"]
    parts: list[RenderableType] = [Text(safe_text(detail.title, limit=_MAX_VALUE), style="bold", overflow="fold")]
    width = max((len(label) for _, pairs in detail.sections for label, value in pairs if value), default=0)
    for title, pairs in detail.sections:
        filled = [(label, value) for label, value in pairs if value]
        if not filled:
            continue
        parts.append(Text(f"\n{safe_text(title, limit=_MAX_VALUE)}", style="bold underline"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=width)
        table.add_column(overflow="fold")
        for label, value in filled:
            table.add_row(Text(label, style=muted), _render_value(value, colours))
        parts.append(table)
    return Group(*parts)


def _render_value(value: str, colours: Mapping[str, str]) -> Text:
    """A state as in tables: its sign in colour; the word coloured and bold where it is unusual, else muted."""
    shown = safe_text(value, limit=_MAX_VALUE)
    look = state_style(value)
    if not isinstance(value, StateText) or look.glyph in "·?":
        return Text(shown, overflow="fold")
    colour = colours[f"ci-{state_role(value)}"]
    word = f"bold {colour}" if look.tone in LOUD else colours["ci-muted"] if look.tone is Tone.GOOD else colour
    return Text.assemble((f"{look.glyph} ", f"bold {colour}"), (shown, word), overflow="fold")
