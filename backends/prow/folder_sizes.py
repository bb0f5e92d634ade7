"""How many files are in each folder of a build, however deep, and how many bytes they take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import format_bytes
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators.prow import ProwPath, ProwView
from backends.prow.archive import Archive
from backends.prow.build_reading import BuildPlace
from backends.prow.file_columns import FILES
from backends.prow.files import TreeFiles
from backends.resources import Page, Resource, Row

SIZES = Schema(
    (
        Column("folder", Kind.TEXT, "Folder", width=52, keeps_end=True),
        Column("files", Kind.COUNT, "Files"),
        Column("size", Kind.BYTES, "Size", "B"),
        Column("share", Kind.NUMBER, "Share", "%"),
        Column("compressed", Kind.COUNT, "Compressed"),
        Column("largest", Kind.BYTES, "Largest", "B"),
        Column("build", Kind.ID, "Build"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
    ),
    key="key",
)


def folder_sizes(files: pl.DataFrame) -> pl.DataFrame:
    """One row a first folder of each build (schema `SIZES`) of a frame of `FILES`, the largest first.

    Files of the first level are in the folder ".". Sizes are those that the bucket stores; `share`: of all bytes, in
    percent.
    """
    first = pl.col("name").str.extract(r"^([^/]*/)", 1)
    total = int(files["size"].sum() or 0)
    found = (
        files.lazy()
        .with_columns(first.fill_null(".").alias("folder"), pl.col("build").fill_null(""))
        .with_columns(above=pl.col("path").str.head(pl.col("path").str.len_chars() - pl.col("name").str.len_chars()))
        .with_columns(path=pl.concat_str("above", pl.col("folder").replace(".", "")))
        .group_by("build", "folder", maintain_order=True)
        .agg(
            pl.len().alias("files"),
            pl.col("size").sum(),
            pl.col("compressed").is_not_null().sum(),
            pl.col("size").max().alias("largest"),
            pl.col("path").first(),
        )
        .with_columns(share=100 * pl.col("size") / max(total, 1), key=pl.concat_str("build", pl.lit("/"), "folder"))
        .sort("size", "files", descending=True, maintain_order=True)
        .collect()
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in SIZES.polars().items())


class FolderSizes(Resource):
    """Columns are those of `SIZES`; the count grows while the tree is listed and stops at a bound."""

    schema = SIZES
    noun = ("folder", "folders")
    empty_text = "There are no files."

    def __init__(self, locator: ProwView, archive: Archive, places: Sequence[BuildPlace]) -> None:
        super().__init__(locator)
        self.archive = archive
        self._tree = TreeFiles(locator, archive, places)

    @property
    def title(self) -> str:
        return self._tree.title.replace("all files of", "sizes in")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        frames, count, shown = [FILES.empty()], 0, 0
        page = Page(FILES.empty(), Freshness())
        for page in self._tree.pages(cancel):
            frames.append(page.frame)
            count += page.frame.height
            if count >= shown * 1.5:
                shown = count
                yield Page(folder_sizes(pl.concat(frames)), page.origin, replace=True)
        yield Page(folder_sizes(pl.concat(frames)), page.origin, replace=True, note=page.note)

    def open(self, row: Row) -> ProwPath:
        return self.archive.at(str(row["path"]))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB in 312 files"."""
        return f"{format_bytes(float(frame['size'].sum() or 0))} in {int(frame['files'].sum() or 0):,} files"
