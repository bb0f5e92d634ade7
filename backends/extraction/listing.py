"""What is in an archive, as a frame, without unpacking anything."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from backends.cancel import CancelToken
from backends.extraction.limits import Limits
from backends.extraction.members import members
from backends.frames.schema import Column, Kind, Schema

LISTING = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=60, keeps_end=True),
        Column("size", Kind.BYTES, "Size", "B"),
        Column("kind", Kind.STATE, "Kind"),
    ),
    key="number",
)
_LARGEST = (1 << 63) - 1


def listing(archive: Path, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> pl.DataFrame:
    """One row a member in the archive's order, in the schema `LISTING`: its name as the archive spells it, its size in
    bytes as the archive states it, and what it is ("file", "directory", "symbolic link", ...).

    A compressed tar is read to its end for that. Raises as `unpack` does.
    """
    with members(archive, limits or Limits(), cancel or CancelToken()) as (found, _):
        rows = [
            (str(number), one.name.encode("utf-8", "replace").decode(), min(one.size, _LARGEST), one.kind)
            for number, one in enumerate(found)
        ]
    return LISTING.frame(rows)
