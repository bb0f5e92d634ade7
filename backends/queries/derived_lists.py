"""Lists made of other lists: the rows of an SQL query, a pivot table, the rows behind one of its cells.

What they read is opened by `resolve`, without a row, since their columns follow from those of the lists that they read.
Where a row has the key of a row of such a list, Enter, `l` and `t` do what they do there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.queries.locators import ChosenRows, PivotTable, Source, SqlQuery, find_lists
from backends.queries.pivot import check_pivot, column_values, pivot, rows_behind, rows_that
from backends.queries.sources import OpenSource, Q, SourceRows, open_sources, read_sources
from backends.queries.sql import Table, result_schema, run_query
from backends.resources import Action, Detail, Document, LogAddress, Page, Resource, Row, ViewTarget
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken) -> Locator:
    """The locator with its sources opened, those that the query itself names as list('LOCATOR') included; of a pivot
    table they are also read, since the values of a column become its columns."""
    if isinstance(locator, SqlQuery):
        named = find_lists(locator.query)[1]
        known = {source.name for source in locator.sources}
        listed = tuple(Source(name, text) for name, text in named if name not in known)
        opened = open_sources(replace(locator, sources=locator.sources + listed), http, settings, cancel)
        return replace(locator, opened=opened.opened)
    if isinstance(locator, PivotTable):
        return _read_columns(open_sources(_with_one_source(locator), http, settings, cancel), cancel)
    if isinstance(locator, ChosenRows):
        return open_sources(_with_one_source(locator), http, settings, cancel)
    return locator


def _with_one_source(locator: Q) -> Q:
    if len(locator.sources) != 1:
        raise UsageError("This is made of one list.", "Write from=rows~LOCATOR.")
    return locator


def _read_columns(locator: PivotTable, cancel: CancelToken) -> PivotTable:
    source = locator.opened[0]
    check_pivot(source.resource.schema, locator.rows, locator.columns, locator.value, locator.aggregate)
    return replace(locator, contents=read_sources(locator.opened, cancel))


def no_context(locator: Locator, http: Http, settings: Settings) -> None:
    """The lists that a query reads have contexts of their own."""


class DerivedList(Listing):
    """A list made of others, whose rows may stand for rows of those."""

    noun = ("row", "rows")
    locator: SqlQuery | PivotTable | ChosenRows

    def __init__(self, locator: SqlQuery | PivotTable | ChosenRows, _: None = None) -> None:
        super().__init__(replace(locator, opened=()))  # who opens it again reads its sources again
        self.sources: Sequence[OpenSource] = locator.opened
        self._frames: dict[str, pl.DataFrame] = {}
        self._places: dict[str, dict[str, int]] = {}  # of each frame: where the row with a key is

    @property
    def work(self) -> LoadingWork | None:
        """Of the list that is read."""
        return next((found for source in self.sources if (found := source.resource.work) is not None), None)

    def source_row(self, row: Row) -> tuple[Resource, Row] | None:
        """The list whose key this row has, and its row with that key. Costs nothing but a look-up: a report asks it for
        each of its rows."""
        for source in self.sources:
            key, frame = source.resource.schema.key, self._frames.get(source.name)
            if frame is None or row.get(key) is None:
                continue
            if source.name not in self._places:
                keys = frame[key].to_list()
                self._places[source.name] = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))
            place = self._places[source.name].get(str(row[key]))
            if place is not None:
                return source.resource, frame.row(place, named=True)
        return None

    def _keep_frames(self, frames: dict[str, pl.DataFrame]) -> None:
        """The rows that were read, for `source_row`."""
        self._frames, self._places = frames, {}

    def open(self, row: Row) -> Locator | None:
        found = self.source_row(row)
        return None if found is None else found[0].open(found[1])

    def shows(self, row: Row) -> ViewTarget | None:
        found = self.source_row(row)
        return None if found is None else found[0].shows(found[1])

    def log(self, row: Row) -> LogAddress | None:
        found = self.source_row(row)
        return None if found is None else found[0].log(found[1])

    def document(self, row: Row) -> Document | None:
        found = self.source_row(row)
        return None if found is None else found[0].document(found[1])

    def web_url(self, row: Row | None = None) -> str | None:
        found = None if row is None else self.source_row(row)
        return None if found is None else found[0].web_url(found[1])

    def _page(self, rows: pl.DataFrame, read: SourceRows) -> Page:
        shown = rows.select(list(self.schema.polars()))
        note = " ".join(read.notes)
        return Page(shown, read.freshness, total=shown.height, note=note, partial=read.partial)


class SqlList(DerivedList):
    """The rows that a query gives."""

    empty_text = "The query gives no rows."
    locator: SqlQuery

    def __init__(self, locator: SqlQuery, context: None = None) -> None:
        super().__init__(locator, context)
        self._query = find_lists(locator.query)[0]
        schemas = {source.name: source.resource.schema for source in self.sources}
        self.schema = result_schema(self._query, schemas)  # type: ignore[misc]  # each query has its own

    @property
    def title(self) -> str:
        return " ".join(self.locator.query.split())

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        read = read_sources(self.sources, cancel)
        cancel.check()
        self._keep_frames(read.frames)
        tables = {one.name: Table(one.resource.schema, read.frames[one.name]) for one in self.sources}
        yield self._page(run_query(self._query, tables).frame, read)

    def row_title(self, row: Row) -> str:
        return f"row {row[self.schema.key]}"


class PivotList(DerivedList):
    """Rows grouped, and a column for each value of another column. Enter opens the rows behind a row or a cell."""

    noun = ("group", "groups")
    empty_text = "The list has no rows to group."
    locator: PivotTable

    def __init__(self, locator: PivotTable, context: None = None) -> None:
        super().__init__(locator, context)
        self._read: SourceRows = locator.contents
        source = self.sources[0]
        rows, schema = self._read.frames[source.name], source.resource.schema
        self._names = column_values(rows, locator.columns, schema)
        shown, self._table = pivot(
            rows, schema, locator.rows, locator.columns, locator.value, locator.aggregate
        )  # fmt: skip
        self.schema = shown  # type: ignore[misc]  # each table has its own

    @property
    def title(self) -> str:
        at = self.locator
        what = at.aggregate if not at.value else f"{at.aggregate} of {at.value}"
        return f"{what} by {', '.join(at.rows)}" + (f" and {at.columns}" if at.columns else "")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield self._page(self._table, self._read)

    def open(self, row: Row) -> Locator:
        return self.open_cell(row, "")

    def open_cell(self, row: Row, column: str) -> Locator:
        at = self.locator
        return ChosenRows(rows_behind(row, at.rows, at.columns, self._names, column), at.sources)

    def shows(self, row: Row) -> Locator:
        return self.open(row)

    def log(self, row: Row) -> None:
        return None

    def document(self, row: Row) -> None:
        return None

    def web_url(self, row: Row | None = None) -> None:
        return None

    def row_title(self, row: Row) -> str:
        return " · ".join(str(row[name]) for name in self.locator.rows)


class ChosenRowList(DerivedList):
    """The rows of a list that have certain values, with all columns of that list."""

    empty_text = "No row of the list has these values (any more)."
    locator: ChosenRows

    def __init__(self, locator: ChosenRows, context: None = None) -> None:
        super().__init__(locator, context)
        inner = self.sources[0].resource
        self.schema, self.noun, self.default_sort = inner.schema, inner.noun, inner.default_sort  # type: ignore[misc]
        for one in locator.conditions:
            if one.column not in self.schema:
                raise UsageError(f"There is no column {one.column[:60]!r} in {inner.title}.")

    @property
    def title(self) -> str:
        conditions = self.locator.conditions
        words = [f"{one.column} {'not ' * one.negated}{' or '.join(one.values[:3])}" for one in conditions]
        return f"{', '.join(words)} of {self.sources[0].resource.title}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        read = read_sources(self.sources, cancel)
        self._keep_frames(read.frames)
        yield self._page(rows_that(read.frames[self.sources[0].name], self.locator.conditions), read)

    # What can be done with the rows is what their own list can do with them.
    @property
    def _inner(self) -> Resource:
        return self.sources[0].resource

    @property
    def downloadable(self) -> bool:
        return self._inner.downloadable

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        return self._inner.files(rows, cancel)

    def download(self, rows: pl.DataFrame) -> Action | None:
        return self._inner.download(rows)

    def measurements(self, rows: pl.DataFrame) -> Locator | None:
        return self._inner.measurements(rows)

    def failures(self, rows: pl.DataFrame) -> Locator | None:
        return self._inner.failures(rows)

    def compare(self, rows: pl.DataFrame) -> Locator | None:
        return self._inner.compare(rows)

    def open_marked(self, rows: pl.DataFrame) -> Locator | None:
        return self._inner.open_marked(rows)

    def detail(self, row: Row) -> Detail:
        return self._inner.detail(row) or super().detail(row)
