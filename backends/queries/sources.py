"""The lists that a query reads: opened without reading a row, then read whole, or taken as they stand on the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames import filters
from backends.http.response import Freshness
from backends.queries.locators import ChosenRows, PivotTable, Source, SqlQuery
from backends.resources import ListContents, Resource, read_list
from backends.systems import open_resource, parse_locator

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

MOST_SOURCES = 16
Q = TypeVar("Q", SqlQuery, PivotTable, ChosenRows)


@dataclass(frozen=True)
class OpenSource:
    """A source whose columns are known. `loaded`: rows (schema of `resource`) that stand on a screen already."""

    source: Source
    resource: Resource
    loaded: pl.DataFrame | None = None

    @property
    def name(self) -> str:
        return self.source.name


def open_sources(
    locator: Q, http: Http, settings: Settings, cancel: CancelToken, loaded: Mapping[str, OpenSource] | None = None
) -> Q:
    """The locator with its sources opened; none of their rows is read. Raises `AppError`s."""
    if len(locator.sources) > MOST_SOURCES:
        raise UsageError(f"A query reads at most {MOST_SOURCES} lists; this one names {len(locator.sources)}.")
    names = [source.name.lower() for source in locator.sources]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two lists have the name {twice}.", "Give each list a name of its own.")
    found = {source.name: source for source in locator.opened}
    found |= loaded or {}
    opened = tuple(
        found.get(source.name)
        or OpenSource(source, open_resource(parse_locator(source.locator, settings), http, settings, cancel))
        for source in locator.sources
    )
    return replace(locator, opened=opened)


@dataclass(frozen=True)
class SourceRows:
    """All sources read: a frame by the name of each source, and what should be known about them."""

    frames: dict[str, pl.DataFrame]
    freshness: Freshness
    notes: tuple[str, ...]
    partial: bool


def read_sources(
    sources: Sequence[OpenSource], cancel: CancelToken, progress: Callable[[str], None] = lambda text: None
) -> SourceRows:
    """`progress` gets what is being read, in words. Raises `AppError`s."""
    frames: dict[str, pl.DataFrame] = {}
    freshness, notes, partial = Freshness(), list[str](), False
    read: dict[str, ListContents] = {}  # by locator: a list that is named twice is read once
    for number, source in enumerate(sources):
        contents = _contents(source, read, cancel, progress)
        freshness = contents.freshness if number == 0 else contents.freshness.worse(freshness)
        notes += [f"{source.name}: {note}" for note in contents.notes]
        partial = partial or contents.partial
        frames[source.name] = _chosen_rows(source, contents.frame)
    return SourceRows(frames, freshness, tuple(notes), partial)


def _contents(
    source: OpenSource, read: dict[str, ListContents], cancel: CancelToken, progress: Callable[[str], None]
) -> ListContents:
    if source.loaded is not None:
        return ListContents(source.loaded, Freshness(), ())
    key = source.source.locator
    if key not in read:

        def tell(rows: int, total: int | None) -> None:
            of = f" of {total:,}" if total else ""
            progress(f"reading {source.name}: {rows:,}{of} {source.resource.noun[1]}")

        read[key] = read_list(source.resource, cancel, tell)
    return read[key]


def _chosen_rows(source: OpenSource, frame: pl.DataFrame) -> pl.DataFrame:
    """Of a source with keys those rows, in the order of the list; else those that its filter leaves."""
    schema = source.resource.schema
    if source.source.keys:
        return frame.filter(pl.col(schema.key).is_in(list(source.source.keys)))
    wanted = filters.parse(source.source.filter, schema)
    return frame if wanted.is_empty else frame.filter(wanted.mask(frame))
