"""What the panel beside a list says about a row that is a sum of others, or a line: all of it, however long."""

from __future__ import annotations

from collections.abc import Sequence

from backends.frames.formats import format_value
from backends.frames.schema import Schema
from backends.resources import Detail, Row

_LINES = 60  # of one text


def row_detail(
    schema: Schema, row: Row, title: str, *, texts: Sequence[str] = (), without: Sequence[str] = ()
) -> Detail:
    """Every column that has a value but those in `without`; the ones in `texts` as sections of their own lines."""
    told = [
        (column.label, format_value(row[column.name], column) + (" %" if column.unit == "%" else ""))
        for column in schema
        if row.get(column.name) not in (None, "") and column.name not in (*texts, *without)
    ]
    sections: list[tuple[str, tuple[tuple[str, str], ...]]] = [(title, tuple(told))]
    for name in texts:
        if lines := str(row.get(name) or "").splitlines()[:_LINES]:
            sections.append((schema[name].label, tuple(("", line) for line in lines)))
    return Detail(title, tuple(sections))
