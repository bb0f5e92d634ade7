"""Base of declared lists: what follows from the schema and the locator is derived; the rest is overridden where needed.

A listing is found by its locator's `opens`, constructed without I/O, and read by `pages`. See
`backends.resources.Resource` for everything that it may override: open, compare, menu, log, files, measurements,
updates, chart, ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.formats import describe_row, with_unit
from backends.http.response import Freshness
from backends.locators.declared import DeclaredLocator
from backends.resources import LIST, Detail, Page, Question, Resource, Row

L = TypeVar("L", bound=DeclaredLocator)


class Listing(Resource):
    """A list whose detail panel follows from the sections of its schema; without any, it is one section of all columns
    that have a value."""

    def row_title(self, row: Row) -> str:
        """The title of a row's detail panel."""
        return str(row.get(self.schema.columns[0].name) or row[self.schema.key])

    def detail(self, row: Row) -> Detail:
        sections = describe_row(self.schema, row) or ((self.noun[0].capitalize(), with_unit(row, self.schema)),)
        return Detail(self.row_title(row), tuple(section for section in sections if section[1]))


@dataclass
class RowCompleter:
    """Completes rows after they are listed, those on the screen first.

    `fetch(row, cancel)` returns the cells to fill in, or the `AppError` that prevented it (the row then stays as it
    is).
    `map_concurrently(fetch, keys, cancel)` yields (key, result) pairs as they arrive. `failed`: the note if any fail.
    """

    schema: Any
    fetch: Callable[[Row, CancelToken], Mapping[str, Any] | AppError]
    map_concurrently: Callable[..., Iterable[tuple[str, Mapping[str, Any] | AppError]]]
    failed: str
    batch: int = 24  # rows that are fetched before those on the screen are looked up again
    preferred: Sequence[str] = ()  # set by `Resource.prefer`, from another thread

    def pages(self, frame: pl.DataFrame, freshness: Freshness, cancel: CancelToken) -> Iterator[Page]:
        left = {str(row[self.schema.key]): row for row in frame.iter_rows(named=True)}
        note = ""
        while left:
            first = [key for key in self.preferred if key in left]
            keys = [*first, *(key for key in left if key not in set(first))][: self.batch]
            results = dict(self.map_concurrently(lambda key, own: self.fetch(left[key], own), keys, cancel))
            cells: dict[str, Mapping[str, Any]] = {}
            for key in keys:  # the first failure in the order of the rows is told, whichever comes first
                found = results[key]
                if isinstance(found, AppError):
                    note = note or f"{self.failed}: {found.sentence}"
                else:
                    cells[key] = found
            rows = [{**left.pop(key), **cells.get(key, {})} for key in keys]
            if cells or not left:
                yield Page(pl.DataFrame(rows, schema=self.schema.polars()), freshness, note=note)


def refine(locator: L, name: str, label: str, hint: str, *, letter: str) -> Question:
    """A menu entry that lists the same with another value of one field; an empty input clears it.

    The input is read as the command line option of the field is.
    """
    kind = locator.template.kind(name)
    default = next(one.default for one in fields(locator) if one.name == name)
    value = getattr(locator, name)

    def changed(text: str) -> L:
        return replace(locator, **{name: kind.read_input(text.strip()) if text.strip() else default})

    return Question(label, hint, changed, "" if value in (None, "") else str(value), letter=letter, group=LIST)
