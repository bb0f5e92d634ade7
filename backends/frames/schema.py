"""What a column means and where its values come from; a schema builds frames and detail panels from its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

import polars as pl
from msgspec import Struct
from msgspec.structs import astuple, fields

from backends.frames.heat import Heat

T = TypeVar("T", bound=Struct)


class Kind(StrEnum):
    """What sort of value a column holds; filters, formats, alignment and statistics follow from it alone."""

    TEXT = "text"  # String
    ID = "id"  # String, never shortened, never summarised
    STATE = "state"  # String from an open set, drawn with a glyph and a colour
    TIME = "time"  # Datetime("ms", "UTC")
    DURATION = "duration"  # Float64 seconds
    BYTES = "bytes"  # Int64 bytes
    COUNT = "count"  # Int64
    NUMBER = "number"  # Float64, `Column.unit` says of what


DTYPES: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.ID: pl.String(),
    Kind.STATE: pl.String(),
    Kind.TIME: pl.Datetime("ms", "UTC"),
    Kind.DURATION: pl.Float64(),
    Kind.BYTES: pl.Int64(),
    Kind.COUNT: pl.Int64(),
    Kind.NUMBER: pl.Float64(),
}
TEXT_KINDS = frozenset({Kind.TEXT, Kind.ID, Kind.STATE})
NUMERIC_KINDS = frozenset({Kind.DURATION, Kind.BYTES, Kind.COUNT, Kind.NUMBER})


class StructRows(Sequence[T]):
    """msgspec structs of one type with their attributes as columns: where there are many, it costs half as much to take
    all attributes out of a row at once as to go through the rows for each of them."""

    def __init__(self, rows: Sequence[T]) -> None:
        self._rows = rows
        names = [one.name for one in fields(type(rows[0]))] if rows else []
        self._columns = dict(zip(names, map(list, zip(*map(astuple, rows), strict=True)), strict=True))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        return self._rows[place]

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows)

    def column(self, name: str) -> list[Any]:
        return self._columns[name]


def cells_of(rows: Sequence[Any], name: str) -> list[Any]:
    """The attribute of that name of each row; of an attribute of an attribute "one.other"."""
    if isinstance(rows, StructRows) and rows and "." not in name:
        return rows.column(name)
    return list(map(attrgetter(name), rows))


@dataclass(frozen=True)
class FromRows:
    """A getter that needs all rows at once: `read(rows, context)` returns one value per row (a list or a Series)."""

    read: Callable[[Sequence[Any], Any], Any]


@dataclass(frozen=True)
class FromTexts:
    """A getter of the attribute `name` (a text or None) of each row, which `parse` makes values of.

    `parse_usual` does that for the texts of several columns at once, since for a page of rows most of the cost is the
    call; None where a text has not the usual form, and then each column is parsed by itself.
    """

    name: str
    parse: Callable[[pl.Series], pl.Series]
    parse_usual: Callable[[pl.Series], pl.Series | None]

    def texts(self, rows: Sequence[Any]) -> pl.Series:
        return pl.Series(cells_of(rows, self.name), dtype=pl.String)


# Where a column's values come from:
#   "name"            the attribute of that name of each row
#   lambda row: ...   computed from each row
#   FromRows(f)       computed from all rows at once, and from the context that the caller passes to `Schema.build`
#   FromTexts(...)    parsed from the texts of one attribute
#   pl.Expr           computed from other columns of the frame
#   None              not in the response; null until the listing fills it in
Getter = str | Callable[[Any], Any] | FromRows | FromTexts | pl.Expr | None


@dataclass(frozen=True)
class Effect:
    """Which columns tell whether a change is for the better, since its sign does not: less of a score is worse.

    `verdict`: a STATE that is good, bad, or neither where the change may be noise; `direction`: "better" or "worse" for
    those, "" where more is always worse.
    """

    verdict: str
    direction: str = ""


@dataclass(frozen=True)
class Column:
    """One column. `name` is used in frames, filters and exports; `label` is the header.

    `get`: where its values come from (see `Getter`). `section`: the section of the detail panel that shows it, "" for
    none. `hidden`: not drawn until the user asks for it, but filtered, exported and shown in the detail panel.
    `width`: the cells of a text that is longer, where not all columns fit. `searched`: plain filter words look into it.
    `keeps_end`: a text that does not fit loses its middle. `is_name`: what a row is called, see `Schema.name_column`.
    `is_own`: of a state, whether it is the row's, and not that of what the row belongs to.
    `results`: each character is a result (F failed, ~ flaky, P passed, S skipped, · not run), drawn as a matrix.
    `seconds`: a time whose seconds matter; tables show other times to the minute. `sort_by`: the column whose order
    this one has, where its own texts do not sort as a user expects (999 before 1500). `cell`: what `get` returns if
    that is not the column's dtype (server ids are integers in JSON and texts here). `heat`: its cells are coloured by
    their value. `effect`: of a change in percent, what tells whether it is for the better. `counts_states`: a text of
    states, with numbers or without: "1 failed, 5 completed".
    """

    name: str
    kind: Kind
    label: str
    unit: str = ""
    hidden: bool = False
    width: int = 0
    searched: bool = True
    keeps_end: bool = False
    is_name: bool = False
    results: bool = False
    is_own: bool = True
    seconds: bool = False
    sort_by: str = ""
    section: str = ""
    cell: pl.DataType | None = None
    heat: Heat | None = None
    effect: Effect | None = None
    counts_states: bool = False
    get: Getter = field(default=None, compare=False, repr=False)

    @property
    def dtype(self) -> pl.DataType:
        return DTYPES[self.kind]

    @property
    def is_text(self) -> bool:
        return self.kind in TEXT_KINDS

    @property
    def is_numeric(self) -> bool:
        return self.kind in NUMERIC_KINDS

    def values(self, rows: Sequence[Any], context: Any = None) -> pl.Series:
        """The column of these rows. Raises `TypeError` with the column's name where a value has the wrong type."""
        get = self.get
        if get is None or isinstance(get, pl.Expr):
            return pl.Series(self.name, [None] * len(rows), dtype=self.dtype)
        cells: Any
        if isinstance(get, FromTexts):
            cells = get.parse(get.texts(rows))
        elif isinstance(get, FromRows):
            cells = get.read(rows, context)
        else:
            cells = cells_of(rows, get) if isinstance(get, str) else list(map(get, rows))
        if isinstance(cells, pl.Series):
            return cells.rename(self.name).cast(self.dtype)
        try:
            found = pl.Series(self.name, cells, dtype=self.cell or self.dtype)
        except TypeError as error:
            raise TypeError(f"column {self.name!r} ({self.kind}): {error}") from error
        return found if self.cell is None else found.cast(self.dtype)


def _parse_together(columns: Sequence[Column], rows: Sequence[Any]) -> dict[str, pl.Series]:
    """The columns by name whose texts have their usual form."""
    groups: dict[Callable[[pl.Series], pl.Series | None], list[tuple[Column, pl.Series]]] = {}
    for column in columns:
        if isinstance(get := column.get, FromTexts):
            groups.setdefault(get.parse_usual, []).append((column, get.texts(rows)))
    found = {}
    for parse, members in groups.items():
        values = parse(pl.concat([texts for _, texts in members]))
        if values is None:
            continue
        for number, (column, _) in enumerate(members):
            found[column.name] = values.slice(number * len(rows), len(rows)).rename(column.name).cast(column.dtype)
    return found


@dataclass(frozen=True)
class Schema:
    """The columns of a list in drawing order, and the name of the one that identifies a row (`key`).

    The key column is String and unique. If it is not among `columns`, it is neither drawn nor exported, and `key_get`
    (a `Getter` of one row) says how it is made.
    """

    columns: tuple[Column, ...]
    key: str
    key_get: str | Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __contains__(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def state_column(self) -> str | None:
        """The name of the column whose states the list is about: the first that is drawn."""
        own = (column for column in self.columns if column.kind is Kind.STATE and not column.hidden and column.is_own)
        return next((column.name for column in own), None)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """What plain filter words search."""
        return tuple(column.name for column in self.columns if column.is_text and column.searched)

    @cached_property
    def name_column(self) -> str:
        """The column that tells rows apart for a reader, "" if none does.

        The one declared so, or the first text among the first three columns, or the first id among them: further to the
        right are texts about a row.
        """
        for column in self.columns:
            if column.is_name:
                return column.name
        first = [column for column in self.columns if not column.hidden][:3]
        for kind in (Kind.TEXT, Kind.ID):
            for column in first:
                if column.kind is kind and column.name != "unit":
                    return column.name
        return ""

    def polars(self) -> dict[str, pl.DataType]:
        """Name -> dtype of a frame of this schema, the key column first if it is not a drawn one."""
        dtypes = {column.name: column.dtype for column in self.columns}
        return dtypes if self.key in dtypes else {self.key: pl.String(), **dtypes}

    def empty(self) -> pl.DataFrame:
        return self._empty.clone()

    @cached_property
    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.polars())  # 2 ms for 30 columns

    def build(self, rows: Sequence[Any], context: Any = None) -> pl.DataFrame:
        """A frame with one row for each of `rows` (usually msgspec structs), column by column.

        Later duplicates of a key replace earlier ones. `context` is handed to `FromRows` getters.
        """
        parsed = _parse_together(self.columns, rows)
        series = [parsed[one.name] if one.name in parsed else one.values(rows, context) for one in self.columns]
        if self.key not in self:
            assert self.key_get is not None, f"the schema has no getter for its key {self.key!r}"
            get = self.key_get
            keys = cells_of(rows, get) if isinstance(get, str) else map(get, rows)
            series.insert(0, pl.Series(self.key, list(map(str, keys)), dtype=pl.String))
        frame = pl.DataFrame(series)
        computed = [
            column.get.cast(column.dtype).alias(column.name)
            for column in self.columns
            if isinstance(column.get, pl.Expr)
        ]
        frame = frame.with_columns(computed) if computed else frame
        if frame[self.key].n_unique() == len(frame):  # nearly always, and ten times cheaper than `unique`
            return frame
        return frame.unique(self.key, keep="last", maintain_order=True)

    def sections(self) -> dict[str, tuple[Column, ...]]:
        """The detail panel: section -> its columns, both in the order of the columns."""
        found: dict[str, list[Column]] = {}
        for column in self.columns:
            if column.section:
                found.setdefault(column.section, []).append(column)
        return {name: tuple(columns) for name, columns in found.items()}
