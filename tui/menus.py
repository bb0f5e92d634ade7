"""The menu (`x`) of a list: the entries that its resource offers, under headings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from backends.errors import AppError
from backends.resources import LIST, PUSH, ROW, ROWS, Entry, Link, Resource, Row

Section = tuple[str, list[Entry]]  # heading, entries
_ORDER = (ROW, ROWS)  # what comes first; the others as the resource lists them


class MenuCommand(NamedTuple):
    """An entry of the menu as a command; `run` does what the entry does."""

    heading: str
    letter: str
    label: str
    run: Callable[[], None]


def menu_sections(resource: Resource, row: Row | None, rows: pl.DataFrame, marked: int) -> list[Section]:
    """What can be opened or done with the row under the cursor, with `rows` (the marked, or else the shown ones), with
    the list and around it; what leads from the list to itself is left out."""
    groups: dict[str, list[Entry]] = {name: [] for name in _ORDER}
    for entry in resource.menu(row, rows):
        if getattr(entry, "opens", None) != resource.locator:
            groups.setdefault(entry.group, []).append(entry)
    headings = {
        ROW: f"This {resource.noun[0]}",
        ROWS: f"{marked:,} marked" if marked else f"{len(rows):,} shown",
        LIST: "This list",
    }
    ordered = sorted(groups.items(), key=lambda group: group[0] == PUSH)  # what is farthest away comes last
    return [(headings.get(name, name), entries) for name, entries in ordered if entries]


def with_marked(sections: list[Section], resource: Resource, rows: pl.DataFrame) -> list[Section]:
    """The same with what the keys of a list open together from `rows`, the marked ones, under these keys."""
    try:
        compared = resource.compare(rows)
    except AppError:
        compared = None
    opened = {
        "=": ("Compare the marked", compared),
        "A": ("Open the marked together", resource.open_marked(rows)),
        "M": ("Measurements of the marked", resource.measurements(rows)),
    }
    links: list[Entry] = [
        Link(label, target, letter=letter, group=ROWS)
        for letter, (label, target) in opened.items()
        if target is not None
    ]
    heading = f"{len(rows):,} marked"
    found = dict(sections)
    if not links:
        return sections
    if heading in found:
        return [(name, [*links, *entries] if name == heading else entries) for name, entries in sections]
    at = 1 if sections and sections[0][0] == f"This {resource.noun[0]}" else 0
    return [*sections[:at], (heading, links), *sections[at:]]
