"""Copying a cell, a row or the marked rows as text, TSV or a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from rich.text import Text
from textual.widgets import Input

from backends.frames.formats import format_series, safe_text
from backends.frames.schema import Column, Schema
from backends.frames.text_tables import render_table
from tui.widgets.dialogs import ChoiceDialog

MAX_ROWS = 20_000
MAX_CHARACTERS = 1_000_000  # terminals drop a clipboard sequence that is much longer
_MAX_CELL = 100_000


def cell_texts(values: pl.Series, column: Column) -> list[str]:
    """As the table shows them, but not cut; "" where there is none. No control characters, so no tabs or newlines."""
    if values.dtype == pl.String:
        return [safe_text(value, _MAX_CELL) if value is not None else "" for value in values.to_list()]
    missing = values.is_null().to_list()
    return ["" if gone else text for text, gone in zip(format_series(values, column), missing, strict=True)]


def rows_as_text(frame: pl.DataFrame, schema: Schema, columns: Sequence[Column]) -> str:
    """One row as lines of "label: value"; several as a table of text."""
    if len(frame) != 1:
        return render_table(frame, schema, 0, [column.name for column in columns])
    return "\n".join(f"{safe_text(column.label)}: {cell_texts(frame[column.name], column)[0]}" for column in columns)


def rows_as_tsv(frame: pl.DataFrame, columns: Sequence[Column]) -> str:
    """A line of labels, then one a row, cells separated by tabs."""
    return "\n".join("\t".join(line) for line in _lines(frame, columns))


def rows_as_markdown(frame: pl.DataFrame, columns: Sequence[Column]) -> str:
    """A table in GitHub's syntax (GFM 4.10); numbers are flush right."""
    head, *rows = ([_escape(cell) for cell in line] for line in _lines(frame, columns))
    rule = ["---:" if column.is_numeric else "---" for column in columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))


def _lines(frame: pl.DataFrame, columns: Sequence[Column]) -> list[list[str]]:
    cells = [cell_texts(frame[column.name], column) for column in columns]
    return [[safe_text(column.label) for column in columns], *map(list, zip(*cells, strict=True))]


def _escape(cell: str) -> str:
    """What Markdown would take for the end of a cell, for HTML or for code."""
    for sign in "\\|`<":
        cell = cell.replace(sign, f"\\{sign}")
    return cell


@dataclass(frozen=True)
class CopyChoice:
    """`what`: "cell", "row" or "marked"; `form`: "text", "tsv" or "markdown"; `all_columns`: also those that lie
    outside of the screen."""

    what: str
    form: str
    label: str
    note: str = ""
    all_columns: bool = False


_FORMS = (("text", "as text", ""), ("tsv", "as TSV", "spreadsheet"), ("markdown", "as Markdown", "for a bug"))


def copy_choices(cell: str, marked: int, noun: tuple[str, str], columns: tuple[int, int]) -> list[CopyChoice]:
    """What can be copied. `cell`: its column's label, "" for none; `marked`: so many rows are; `columns`: how many are
    on the screen, and how many the table shows when it is scrolled."""
    found = [CopyChoice("cell", "text", f"This cell: {cell}")] if cell else []
    rows = [("row", f"This {noun[0]}")]
    if marked:
        rows.insert(0, ("marked", f"{marked:,} marked {noun[marked != 1]}"))
    in_sight, every = columns
    scopes = [(False, in_sight, "on screen")] if in_sight != every else []
    scopes.append((True, every, "all" if scopes else "in all"))
    for what, which in rows:
        for all_columns, count, where in scopes:
            counted = f"{count:,} column{'s' * (count != 1)}"
            how_many = f"all {counted}" if where == "all" else f"{counted} {where}"
            found += [
                CopyChoice(what, form, f"{which} {how}", f"{how_many}{f' ({use})' if use else ''}", all_columns)
                for form, how, use in _FORMS
            ]
    return found


class CopyDialog(ChoiceDialog[CopyChoice]):
    """What to copy, and as what; fewer as one types."""

    BINDINGS = [("escape", "dismiss(None)", "Close")]
    keys = "⏎ copies · esc closes"
    placeholder = "e.g. markdown all"

    def __init__(self, choices: Sequence[CopyChoice]) -> None:
        super().__init__("Copy")
        self._choices = choices

    def on_mount(self) -> None:
        self.show_choices("")
        self.set_focus(self.query_one(Input))

    def show_choices(self, text: str) -> None:
        words = text.lower().split()
        kept = [one for one in self._choices if all(word in f"{one.label} {one.note}".lower() for word in words)]
        self.set_choices([(one, Text.assemble(safe_text(one.label), (f"  {one.note}", "dim"))) for one in kept])
