"""The panel that shows all of one row beside the table."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from backends.frames.formats import safe_text
from backends.resources import Detail

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
            self.query_one("#detail-text", Static).update(_render_detail(detail))


def _render_detail(detail: Detail | None) -> RenderableType:
    if detail is None:
        return Text("No details for this row.", style="dim")
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
            table.add_row(Text(label, style="dim"), Text(safe_text(value, limit=_MAX_VALUE), overflow="fold"))
        parts.append(table)
    return Group(*parts)
