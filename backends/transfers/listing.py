"""All files of a transfer as a frame, cheap enough to be asked for five times a second with 10,000 of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.transfers.items import Item

TRANSFER_SCHEMA = Schema(
    key="key",
    columns=(
        Column("state", Kind.STATE, "State"),
        Column("name", Kind.TEXT, "Name"),
        Column("bytes", Kind.BYTES, "Done"),
        Column("size", Kind.BYTES, "Size"),
        Column("tries", Kind.COUNT, "Tries"),
        Column("checked_by", Kind.TEXT, "Verified by"),
        Column("reason", Kind.TEXT, "Reason"),
        Column("target", Kind.TEXT, "File"),
        Column("detail", Kind.TEXT, "Why", hidden=True),
        Column("key", Kind.ID, "Key", hidden=True, searched=False),
    ),
)


class Listing:
    """`frame()` reads what workers write without a lock: each cell is one number or one word."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    @functools.cached_property
    def _fixed(self) -> dict[str, pl.Series]:
        """The columns that never change: two thirds of the cost."""
        return {
            "key": pl.Series("key", [item.key for item in self._items], pl.String),
            "name": pl.Series("name", [item.row.path[-1] for item in self._items], pl.String),
            "target": pl.Series("target", [item.row.target for item in self._items], pl.String),
        }

    def frame(self) -> pl.DataFrame:
        columns = {
            **self._fixed,
            "state": pl.Series("state", [item.state.value for item in self._items], pl.String),
            "bytes": pl.Series("bytes", [item.bytes for item in self._items], pl.Int64),
            "size": pl.Series("size", [item.size for item in self._items], pl.Int64),
            "tries": pl.Series("tries", [item.tries for item in self._items], pl.Int64),
            "checked_by": pl.Series("checked_by", [item.checked_by for item in self._items], pl.String),
            "reason": pl.Series("reason", [item.reason for item in self._items], pl.String),
            "detail": pl.Series("detail", [item.detail for item in self._items], pl.String),
        }
        return pl.DataFrame([columns[column.name] for column in TRANSFER_SCHEMA])
