"""What a column means: its name, kind, label and unit, and the dtype that its kind always has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Kind(StrEnum):
    """What sort of value a column holds; filters, formats, alignment and statistics follow from it alone."""

    TEXT = "text"  # String
    ID = "id"  # String, shown whole, never summarised
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


@dataclass(frozen=True)
class Column:
    """One column. `name` is the frame's and the filter language's; `label` is the header's.

    `hidden`: not drawn until the user asks for it, still filtered by `name:`, exported and shown in the detail.
    `width`: cells to start with; 0 measures the first rows. `searched`: plain filter words look into it. `keeps_end`:
    a text that does not fit loses its middle, since what tells it from its neighbours stands at its end. `sort_by`: the
    column whose order this one has, where its own texts do not sort as a user means them (999 before 1500).
    """

    name: str
    kind: Kind
    label: str
    unit: str = ""
    hidden: bool = False
    width: int = 0
    searched: bool = True
    keeps_end: bool = False
    sort_by: str = ""

    @property
    def dtype(self) -> pl.DataType:
        return DTYPES[self.kind]

    @property
    def is_text(self) -> bool:
        return self.kind in TEXT_KINDS

    @property
    def is_numeric(self) -> bool:
        return self.kind in NUMERIC_KINDS


@dataclass(frozen=True)
class Schema:
    """The columns of a resource in drawing order, and the name of the one that identifies a row (`key`).

    The key column is String and unique; it need not be among `columns` (then it is neither drawn nor exported).
    """

    columns: tuple[Column, ...]
    key: str

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
    def text_columns(self) -> tuple[str, ...]:
        """What plain filter words search."""
        return tuple(column.name for column in self.columns if column.is_text and column.searched)

    def polars(self) -> dict[str, pl.DataType]:
        """Name -> dtype of a frame of this schema, the key column first if it is not a drawn one."""
        dtypes = {column.name: column.dtype for column in self.columns}
        return dtypes if self.key in dtypes else {self.key: pl.String(), **dtypes}

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.polars())

    def frame(self, rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
        """A frame of this schema from rows in the order of `polars()`; TIME cells are epoch milliseconds or None."""
        wanted = self.polars()
        raw = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in wanted.items()}
        return pl.DataFrame(list(rows), schema=raw, orient="row").cast(wanted)  # type: ignore[arg-type]
