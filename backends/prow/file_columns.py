"""Which columns a file of a build has."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.prow.source import Entry

FILES = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=52, keeps_end=True),
        Column("size", Kind.BYTES, "Size", "B"),
        Column("compressed", Kind.TEXT, "Compressed"),
        Column("modified", Kind.TIME, "Modified"),
        Column("content_type", Kind.TEXT, "Type"),
        Column("build", Kind.ID, "Build"),
        Column("kind", Kind.TEXT, "Kind", hidden=True),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
        Column("generation", Kind.ID, "Generation", hidden=True, searched=False),
        Column("md5", Kind.ID, "MD5", hidden=True, searched=False),
        Column("crc32c", Kind.ID, "CRC32C", hidden=True, searched=False),
    ),
    key="path",
)

FileCells = tuple[object, ...]


def file_cells(entry: Entry, below: str, build: str = "") -> FileCells:
    """A file's row; its name is what follows the folder `below`."""
    return (
        entry.name.removeprefix(below), entry.size, entry.encoding or None, entry.updated_ms,
        entry.content_type or None, build or None, "file", entry.name, entry.generation or None, entry.md5 or None,
        entry.crc32c or None,
    )  # fmt: skip


def folder_cells(folder: str, below: str, build: str = "") -> FileCells:
    return (folder.removeprefix(below), None, None, None, None, build or None, "folder", folder, None, None, None)


def file_frame(rows: Iterable[FileCells]) -> pl.DataFrame:
    return FILES.frame(rows)


def entries_in(frame: pl.DataFrame) -> list[Entry]:
    """The objects that rows of this kind stand for (folders are left out)."""
    wanted = frame.filter(pl.col("kind") == "file").with_columns(pl.col("modified").dt.timestamp("ms"))
    names = ("path", "size", "modified", "content_type", "compressed", "generation", "md5", "crc32c")
    return [
        Entry(row[0], row[1], row[2], *(cell or "" for cell in row[3:])) for row in wanted.select(names).iter_rows()
    ]
