"""`?`: every key, from the same table as the bindings, and the filter language."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.keymap import help_rows

FILTERS = (
    ("linux mochitest", "rows that hold both words, in any text column"),
    ('"opt browsertime"', "these words with the space between them"),
    ("state:failed,exception", "the column is one of these (text columns: holds it)"),
    ("-kind:build", "not these"),
    ("duration>30m size<1MB", "numbers with their units; also >= <= = !="),
    ("started>2h", "within the last two hours; dates as 2026-11-20 or 2026-11-20T10:00"),
    ("reason:", "the column is empty"),
    ("/cycle \\d+/", "a regular expression; name:/…/ in one column"),
)


class HelpScreen(ModalScreen[None]):
    """Scrolls; Esc, q or ? closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll { width: 90%; max-width: 110; height: 90%; border: round $primary; background: $surface;
        padding: 0 2; }
    HelpScreen Static { height: auto; margin-bottom: 1; }
    """
    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss(None)", "Close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, remapped: Mapping[str, str]) -> None:
        super().__init__()
        self._remapped = remapped

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            for title, rows in help_rows(self._remapped):
                yield Static(_table(title, [(keys, f"{sentence}") for keys, sentence, _ in rows]))
            yield Static(_table("The filter language", list(FILTERS)))
            yield Static(_table("Names of the actions, for [keys] in config.toml", _names(self._remapped)))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)


def _names(remapped: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(title, ", ".join(name for _, _, name in rows)) for title, rows in help_rows(remapped)]


def _table(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    table.add_column(no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(Text(left, style="bold"), Text(right))
    return table
