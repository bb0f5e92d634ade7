"""Frames of made-up rows, for tests of what is done with a frame."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from backends.frames.schema import Schema


def frame_from_rows(schema: Schema, rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    """A frame of this schema from rows in the order of `schema.polars()`; TIME cells are epoch milliseconds or None."""
    dtypes = schema.polars()
    raw = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in dtypes.items()}
    return pl.DataFrame(list(rows), schema=raw, orient="row").cast(dtypes)  # type: ignore[arg-type]
