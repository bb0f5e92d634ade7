"""The files of a folder, level by level, and all files of several builds, as lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from backends.cancel import CancelToken
from backends.frames.formats import format_bytes
from backends.http.response import Freshness
from backends.locators import Locator
from backends.locators.prow import Place, ProwPath, ProwView, View, route
from backends.prow.archive import Archive, place_of
from backends.prow.build_files import MOST_FILES, files_of, remote_file, trees_of
from backends.prow.build_reading import BuildPlace
from backends.prow.file_columns import FILES, entries_in, file_cells, file_frame, folder_cells
from backends.prow.file_openings import is_text, opening
from backends.prow.profiles import deck_lines, deck_page
from backends.prow.row_detail import row_detail
from backends.prow.source import pages
from backends.resources import Detail, Document, Entry, Link, LogAddress, Page, Resource, Row
from backends.transfers.files import RemoteFile


class Files(Resource):
    """What lists of files have in common; columns are those of `file_columns.FILES`."""

    schema = FILES
    noun = ("file", "files")
    archive: Archive

    def open(self, row: Row) -> Locator:
        return self.archive.at(str(row["path"]))

    def shows(self, row: Row) -> Locator | LogAddress | Document | None:
        if row.get("kind") == "folder":
            return self.open(row)
        return opening(self.archive, str(row["path"]), row.get("content_type"), row.get("size"))

    def log(self, row: Row) -> LogAddress | None:
        path = str(row["path"])
        readable = row.get("kind") == "file" and is_text(path, row.get("content_type"))
        return self.archive.log(path, str(row["name"])) if readable else None

    def document(self, row: Row) -> Document | None:
        path = str(row["path"])
        return self.archive.document(path, str(row["name"])) if path.endswith(".json") else None

    def detail(self, row: Row) -> Detail:
        return Detail(str(row["name"]), row_detail(FILES, row, "File").sections)

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None and isinstance(self.locator, ProwView):
            return None  # no page shows all files of a build or of several
        path = str(row["path"]) if row is not None else str(getattr(self.locator, "path", ""))
        found, at = route(path), self.locator
        if row is None and isinstance(at, ProwPath) and at.line is not None:
            page = deck_lines(self.archive.bucket, path, at.line, at.last)
            if page is not None:
                return page
        if found.base == path:
            return deck_page(self.archive.bucket, path) or self.archive.source.page(self.archive.bucket, path)
        return self.archive.source.page(self.archive.bucket, path)

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """These files, and all that is in these folders."""
        yield [remote_file(self.archive, entry) for entry in entries_in(rows)]
        folders = rows.filter(pl.col("kind") == "folder")["path"].to_list()
        yield from files_of(self.archive, [BuildPlace(one, "", "", one) for one in folders], cancel)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB in 312 files · 40 compressed"; sizes are those that the bucket stores."""
        kept = frame.filter(pl.col("kind") == "file")
        if kept.is_empty():
            return ""
        packed = kept["compressed"].drop_nulls().len()
        words = [f"{format_bytes(float(kept['size'].sum() or 0))} in {len(kept):,} file{'' if len(kept) == 1 else 's'}"]
        return " · ".join([*words, *([f"{packed:,} compressed"] if packed else [])])


class FolderFiles(Files):
    """One level of a folder: a build, or anything below or beside it."""

    default_sort = None
    empty_text = "Nothing is in this folder. (A folder that does not exist looks the same.)"

    def __init__(self, locator: ProwPath, archive: Archive) -> None:
        super().__init__(locator)
        self.archive = archive
        path = locator.path
        self.folder = path if not path or path.endswith("/") else path[: path.rfind("/") + 1]

    @property
    def title(self) -> str:
        found = route(self.folder)
        below = self.folder.removeprefix(found.base).rstrip("/") if found.base else ""
        if found.base:
            # A way of levels is cut at its end: what this one adds comes first.
            return f"{below} of {found.build}" if below else f"{found.job} {found.build}"
        return self.folder.rstrip("/") or self.archive.bucket

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        archive, build = self.archive, route(self.folder).build
        for listing in pages(archive.source, archive.bucket, self.folder, cancel=cancel):
            rows = [folder_cells(one, self.folder, build) for one in listing.folders]
            rows += [file_cells(one, self.folder, build) for one in listing.files]
            yield Page(file_frame(rows), listing.origin, note=listing.note)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        folder = str(row["path"]) if row is not None and row.get("kind") == "folder" else self.folder
        found = route(folder)
        store, bucket = self.archive.store, self.archive.bucket
        name = folder.rstrip("/").rpartition("/")[2] or bucket
        sizes = ProwView(View.TREE, bucket, folder, (), (("by", "folders"),), store)
        entries: list[Entry] = [
            Link(f"Number and size of all files in each folder of {name}", sizes),
            Link(
                f"All files below {name}, with their number and size",
                ProwView(View.TREE, bucket, folder, (), (), store),
            ),
        ]
        if found.base:
            job = found.base[: -len(found.build) - 1]
            entries.append(
                Link(
                    f"Test cases of {found.build} (JUnit)", ProwView(View.JUNIT, bucket, job, (found.build,), (), store)
                )
            )
            entries.append(Link(f"All builds of {found.job}", self.archive.at(job)))
        return entries


class TreeFiles(Files):
    """All files of some builds, or of one folder, however deep; `names` are paths within the build."""

    noun = ("file", "files")
    empty_text = "There are no files."

    def __init__(self, locator: ProwView, archive: Archive, places: Sequence[BuildPlace]) -> None:
        super().__init__(locator)
        self.archive = archive
        self.places = places

    @property
    def title(self) -> str:
        if len(self.places) == 1:
            return f"all files of {self.places[0].build or self.places[0].folder.rstrip('/')}"
        return f"all files of {len(self.places):,} builds"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page a build (or several); what could not be listed is in the note. Ends at `MOST_FILES`."""
        count, failed = 0, ""
        if len(self.places) == 1 and not self.places[0].link:
            yield from self._one(self.places[0], cancel)
            return
        for trees in trees_of(self.archive, self.places, cancel):
            rows = [file_cells(entry, tree.folder, tree.place.build) for tree in trees for entry in tree.files]
            problem = next((tree.problem for tree in trees if tree.problem is not None), None)
            failed = failed or (f"Not all is listed: {problem.sentence}" if problem else "")
            count += len(rows)
            note = failed or next((tree.note for tree in trees if tree.note), "")
            yield Page(file_frame(rows), Freshness(), note=note, partial=bool(failed))
            if count >= MOST_FILES:
                yield Page(FILES.empty(), Freshness(), note=f"Only the first {count:,} files are listed.", partial=True)
                return

    def _one(self, place: BuildPlace, cancel: CancelToken) -> Iterator[Page]:
        count, archive = 0, self.archive
        for listing in pages(archive.source, archive.bucket, place.folder, cancel=cancel, deep=True):
            count += len(listing.files)
            full = f"Only the first {count:,} files are listed." if count >= MOST_FILES else ""
            rows = [file_cells(entry, place.folder, place.build) for entry in listing.files]
            yield Page(file_frame(rows), listing.origin, note=full or listing.note, partial=bool(full))
            if full:
                return


def places_of_view(archive: Archive, locator: ProwView) -> list[BuildPlace]:
    """The builds that a view names; of a folder that is no job's, the folder itself."""
    if locator.builds:
        return [place_of(locator.path, build) for build in dict.fromkeys(locator.builds)]
    found = route(locator.path)
    if found.place in (Place.BUILDS, Place.LINKS):
        return []
    return [BuildPlace(locator.path, found.job, found.build, locator.path)]
