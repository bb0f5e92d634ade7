"""Dialogs that make a list of the one in view: an SQL query over it, a pivot table of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Input, Label, Static

from backends.errors import AppError
from backends.frames.formats import safe_text
from backends.frames.schema import Schema
from backends.locators import Locator
from backends.queries.locators import AGGREGATES, PivotTable, Source, SqlQuery, find_lists
from backends.queries.pivot import check_pivot
from backends.queries.sources import OpenSource
from backends.queries.sql import result_schema
from backends.resources import Resource
from tui.widgets.dialogs import AnswerDialog, FormDialog
from tui.widgets.filter_line import MAX_EARLIER
from tui.widgets.table import FrameTable

_KEYWORDS = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "ORDER",
    "BY",
    "DESC",
    "LIMIT",
    "HAVING",
    "JOIN",
    "ON",
    "USING",
    "UNION",
    "DISTINCT",
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "MEDIAN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AND",
    "OR",
    "NOT",
    "NULL",
    "LIKE",
    "BETWEEN",
    "OVER",
    "PARTITION",
    "CAST",
]
# From its first letter on: tried from each of its letters, a pasted text of 10,000 took 1 s at every key.
_WORD = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*\Z")
TABLES = ("rows", "shown", "marked")


def sources_in_view(resource: Resource, table: FrameTable) -> dict[str, OpenSource]:
    """The list in view as tables: all rows, those that the filter leaves, the marked ones, as they are on the
    screen."""
    text = resource.locator.text()
    keys = tuple(sorted(table.marked_keys))
    found = [Source("rows", text), Source("shown", text, table.filter_text)]
    if keys:
        found.append(Source("marked", text, keys=keys))
    return {source.name: OpenSource(source, resource, table.frame) for source in found}


class WordSuggester(Suggester):
    """Completes the last word by one of some; Right or Tab accepts."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._words = list(dict.fromkeys(words))

    async def get_suggestion(self, value: str) -> str | None:
        word = _WORD.search(value)
        if word is None:
            return None
        begun = word[0].lower()
        found = next((one for one in self._words if one.lower().startswith(begun) and len(one) > len(begun)), None)
        return value + found[len(begun) :] if found is not None else None


class QueryInput(Input):
    """Up and Down recall earlier queries; Tab accepts what is suggested."""

    BINDINGS = [
        Binding("up", "recall(1)", show=False),
        Binding("down", "recall(-1)", show=False),
        Binding("tab", "complete", show=False),
    ]

    def __init__(self, words: Sequence[str], earlier: Sequence[str]) -> None:
        example = "SELECT suite, count(*) AS n FROM rows GROUP BY suite ORDER BY n DESC"
        super().__init__(placeholder=example, suggester=WordSuggester(words))
        self._earlier, self._recalled = list(earlier), -1

    def action_recall(self, step: int) -> None:
        self._recalled = max(-1, min(self._recalled + step, len(self._earlier) - 1))
        self.value = self._earlier[self._recalled] if self._recalled >= 0 else ""
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        self.action_cursor_right() if self.cursor_at_end else self.action_end()


class QueryDialog(AnswerDialog[SqlQuery]):
    """An SQL query over the list in view; a wrong one says what is wrong, and can be corrected."""

    DEFAULT_CSS = """
    QueryDialog > .box { max-width: 110; }
    QueryDialog .hint { color: $ci-muted; }
    """
    keys = "⏎ runs · ↑ earlier · tab completes · esc cancels"

    def __init__(self, tables: Mapping[str, OpenSource], earlier: Sequence[str]) -> None:
        super().__init__("SQL over this list")
        self._tables, self._earlier = tables, earlier

    def compose_body(self) -> ComposeResult:
        schema = self._tables["rows"].resource.schema
        words = [*self._tables, *schema.names, *_KEYWORDS]
        yield QueryInput(words, self._earlier)
        yield Static("", classes="error")
        names = Text(f"tables {', '.join(self._tables)}, list('LOCATOR')\ncolumns ", overflow="fold")
        names.append(safe_text(" ".join(schema.names), limit=2_000))
        yield Static(names, classes="hint")

    def locator_of(self, text: str) -> SqlQuery:
        """Checked without a row, unless it also reads lists that are not opened yet. Raises `AppError`s."""
        text = text.strip()
        query, named = find_lists(text)
        if not named:
            result_schema(query, {name: source.resource.schema for name, source in self._tables.items()})
        used = [source for name, source in self._tables.items() if re.search(rf"\b{name}\b", text, re.IGNORECASE)]
        return SqlQuery(text, tuple(source.source for source in used), opened=tuple(used))


def add_earlier(query: str, earlier: Sequence[str]) -> list[str]:
    """The queries to recall after this one has run, the newest first."""
    return [query, *(one for one in earlier if one != query)][:MAX_EARLIER]


class PivotDialog(FormDialog[Locator]):
    """Which columns become rows and columns of a pivot table, and what is summed up."""

    button = "Group"
    does = "groups"

    def __init__(self, shown: OpenSource, rows: str = "") -> None:
        super().__init__("Pivot table of what is shown")
        self._shown, self._rows = shown, rows

    def compose_body(self) -> ComposeResult:
        schema = self._shown.resource.schema
        texts = [column.name for column in schema if column.is_text]
        numbers = [column.name for column in schema if column.is_numeric]
        fields = (
            ("rows", "Rows", self._rows or default_rows(schema), texts, "columns, with commas between them"),
            ("columns", "Columns", "", texts, "its values become columns; optional"),
            ("value", "Value", "", numbers, "numbers; not for count and failed"),
            ("aggregate", "How", "count", AGGREGATES, ", ".join(AGGREGATES)),
        )
        for name, label, value, words, hint in fields:
            with Horizontal(classes="field"):
                yield Label(label)
                yield Input(value, placeholder=hint, suggester=WordSuggester(words), id=f"pivot-{name}")
        yield Static("", classes="error")

    def action_go(self) -> None:
        given = {name: self.query_one(f"#pivot-{name}", Input).value.strip() for name in _FIELDS}
        rows = tuple(part.strip() for part in given["rows"].split(",") if part.strip())
        try:
            schema = self._shown.resource.schema
            check_pivot(schema, rows, given["columns"], given["value"], given["aggregate"] or "count")
        except AppError as error:
            self.query_one(".error", Static).update(Text(str(error)))
            return
        source = Source("rows", self._shown.source.locator, self._shown.source.filter)
        opened = OpenSource(source, self._shown.resource, self._shown.loaded)
        self.dismiss(
            PivotTable(
                rows, given["columns"], given["value"], given["aggregate"] or "count", (source,), opened=(opened,)
            )
        )


_FIELDS = ("rows", "columns", "value", "aggregate")


def default_rows(schema: Schema) -> str:
    """A column to begin with: the first text that is neither the state nor the name."""
    shown = [column.name for column in schema if column.is_text and not column.hidden]
    rest = [name for name in shown if name not in (schema.state_column, schema.name_column)]
    return (rest or shown or list(schema.names))[0]
