"""Files of a folder level by level, of several builds all the way down, sizes by folder; how each is downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.failure_links import failure_entries, since_entries
from backends.frames.formats import format_bytes
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import AccessDeniedError, HttpError, NotFoundError, sanitize
from backends.http.response import Freshness
from backends.image_headers import is_image
from backends.images import MAX_BYTES
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.pool import PriorityPool
from backends.prow.bucket import BucketReader, deck_lines
from backends.prow.build_listing import named_places
from backends.prow.build_reader import BuildPlace, BuildReader
from backends.prow.locators import EventsView, FileTreeView, JUnitView, ProwPath, ProwView, describe_file, route
from backends.prow.store import BlobInfo
from backends.resources import Document, Entry, ImageFile, Link, LogAddress, Page, Row, ViewTarget
from backends.transfers.files import RemoteFile

PODINFO = "podinfo.json"
MAX_FILES = 200_000  # of one listing: 100 MB of rows; builds with 45,000 files have been seen
_MAX_PAGES = MAX_FILES // 1000
_MAX_FAILURES = 3  # builds in a row that fail to be listed before any other has been: the server has failed
_MAX_DOCUMENT_BYTES = 32 << 20
_TEXT_ENDINGS = (
    ".log", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html", ".csv", ".md", ".sh", ".cfg", ".conf", ".out",
    ".err", ".toml", ".ini", ".tap", ".diff", ".patch", ".log.gz", ".txt.gz",
)  # fmt: skip
_BINARY_TYPES = ("image/", "video/", "audio/", "application/zip", "application/gzip", "application/x-tar")


# ---- what a file is ------------------------------------------------------------------------------------------------


def is_text(name: str, content_type: str | None) -> bool:
    """By its ending, else by its type; a file without an ending may be anything and is tried (it is often a log)."""
    last = name.rsplit("/", 1)[-1].lower()
    if last.endswith(_TEXT_ENDINGS):
        return True
    kind = (content_type or "").lower()
    if kind.startswith(_BINARY_TYPES):
        return False
    return kind.startswith("text/") or ("json" in kind) or ("." not in last)


def is_events(name: str) -> bool:
    """Whether a file's name is one under which Kubernetes' events are stored."""
    last = name.rsplit("/", 1)[-1].lower()
    return last in ("events.json", PODINFO) or last.endswith(("-events.json", "_events.json")) or (
        last.endswith(".json") and last.startswith(("events-", "events_", "e2e-events"))
    )  # fmt: skip


def is_junit(name: str) -> bool:
    """As Prow's own JUnit lens takes them: junit*.xml, and the monitors' reports of OpenShift's tests; also what
    Maven's Surefire and Gradle call TEST-CLASS.xml."""
    last = name.rsplit("/", 1)[-1].lower()
    return last.endswith((".xml", ".xml.gz")) and ("junit" in last or last.startswith(("monitor", "test-")))


# ---- rows ----------------------------------------------------------------------------------------------------------


class FileRow(msgspec.Struct, gc=False):
    """A row of `FILES`. `modified`: epoch ms; `kind`: file or folder; `path`: the full name in the bucket."""

    name: str
    kind: str
    path: str
    build: str | None = None
    size: int | None = None
    compressed: str | None = None
    modified: int | None = None
    content_type: str | None = None
    generation: str | None = None
    md5: str | None = None
    crc32c: str | None = None


FILES = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=52, keeps_end=True, section="File", get="name"),
        Column("size", Kind.BYTES, "Size", "B", section="File", get="size"),
        Column("compressed", Kind.TEXT, "Compressed", section="File", get="compressed"),
        Column("modified", Kind.TIME, "Modified", section="File", cell=pl.Int64(), get="modified"),
        Column("content_type", Kind.TEXT, "Type", section="File", get="content_type"),
        Column("build", Kind.ID, "Build", section="File", get="build"),
        Column("kind", Kind.TEXT, "Kind", hidden=True, section="File", get="kind"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False, section="File", get="path"),
        Column("generation", Kind.ID, "Generation", hidden=True, searched=False, section="File", get="generation"),
        Column("md5", Kind.ID, "MD5", hidden=True, searched=False, section="File", get="md5"),
        Column("crc32c", Kind.ID, "CRC32C", hidden=True, searched=False, section="File", get="crc32c"),
    ),
    key="path",
)
SIZES = Schema(
    (
        Column("folder", Kind.TEXT, "Folder", width=52, keeps_end=True, section="Folder"),
        Column("files", Kind.COUNT, "Files", section="Folder"),
        Column("size", Kind.BYTES, "Size", "B", section="Folder"),
        Column("share", Kind.NUMBER, "Share", "%", section="Folder"),
        Column("compressed", Kind.COUNT, "Compressed", section="Folder"),
        Column("largest", Kind.BYTES, "Largest", "B", section="Folder"),
        Column("build", Kind.ID, "Build", section="Folder"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
    ),
    key="key",
)


def file_row(info: BlobInfo, below: str, build: str = "") -> FileRow:
    """A file's row; its name is what follows the folder `below`."""
    return FileRow(
        info.name.removeprefix(below), "file", info.name, build or None, info.size, info.encoding or None,
        info.updated_ms, info.content_type or None, info.generation or None, info.md5 or None, info.crc32c or None,
    )  # fmt: skip


def blob_infos(frame: pl.DataFrame) -> list[BlobInfo]:
    """The objects that rows of `FILES` stand for (folders are left out)."""
    files = frame.filter(pl.col("kind") == "file").with_columns(pl.col("modified").dt.timestamp("ms"))
    names = ("path", "size", "modified", "content_type", "compressed", "generation", "md5", "crc32c")
    return [
        BlobInfo(row[0], row[1], row[2], *(cell or "" for cell in row[3:])) for row in files.select(names).iter_rows()
    ]


def sum_folders(files: pl.DataFrame) -> pl.DataFrame:
    """One row a first folder of each build (schema `SIZES`) of a frame of `FILES`, the largest first.

    Files of the first level are in the folder ".". Sizes are those that the bucket stores; `share`: of all bytes, in
    percent.
    """
    first = pl.col("name").str.extract(r"^([^/]*/)", 1)
    total = int(files["size"].sum() or 0)
    sums = (
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
    return sums.select(pl.col(name).cast(dtype) for name, dtype in SIZES.polars().items())


# ---- trees ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileTree:
    """The files below a build's folder. `error`: why there may be more."""

    place: BuildPlace
    folder: str
    files: tuple[BlobInfo, ...] = ()
    error: HttpError | None = None
    note: str = ""


def list_tree(bucket: BucketReader, place: BuildPlace, cancel: CancelToken) -> FileTree:
    """All files of one build. Only `OperationCancelledError` is raised."""
    folder, files, note = place.folder, list[BlobInfo](), ""
    try:
        folder = BuildReader(bucket).folder_of(place, cancel)
        for page in bucket.list_pages(folder, cancel, deep=True, max_pages=_MAX_PAGES):
            files += page.files
            note = note or page.note
    except HttpError as error:
        return FileTree(place, folder, tuple(files), error)
    return FileTree(place, folder, tuple(files), None, note)


def list_trees(bucket: BucketReader, places: Sequence[BuildPlace], cancel: CancelToken) -> Iterator[list[FileTree]]:
    """The trees of several builds, in the order of the builds, as they become known."""

    def read(place: BuildPlace, own: CancelToken) -> FileTree:
        return list_tree(bucket, place, own)

    with PriorityPool(read, cancel, name="trees") as pool:
        pool.submit((place.key, place) for place in places)
        yield from pool.batches_in_order((place.key for place in places), lambda tree: tree.place.key)


def list_files(bucket: BucketReader, places: Sequence[BuildPlace], cancel: CancelToken) -> Iterator[list[RemoteFile]]:
    """What to download. A build that cannot be listed stays in the plan, skipped with the reason.

    Raises the `HttpError` of a server that fails altogether.
    """
    responds, failures = False, 0
    for trees in list_trees(bucket, places, cancel):
        files: list[RemoteFile] = []
        for tree in trees:
            if tree.error is None or isinstance(tree.error, AccessDeniedError | NotFoundError):
                responds = True
            else:
                failures += 1
                if not responds and failures >= min(_MAX_FAILURES, len(places)):
                    raise tree.error
            files += [remote_file(bucket, info) for info in tree.files]
            if tree.error is not None or (tree.place.build and not tree.files):
                files.append(_unlisted_file(bucket, tree))
        yield files


def remote_file(bucket: BucketReader, info: BlobInfo) -> RemoteFile:
    """One object as a file: it goes where the bucket has it. Its URL names the version that was listed."""
    url, version = bucket.blobs.download_url(bucket.bucket, info)
    place = route(info.name)
    return RemoteFile(
        key=f"{bucket.scope or bucket.store}/{bucket.bucket}/{info.name}",
        name=info.name,
        url=url or "about:blank",
        parts=(bucket.bucket, *info.name.split("/")),
        size=info.content_size,
        content_type=info.content_type,
        skip="" if url else "its name is not a valid file name",
        version=version,
        origin=" ".join(filter(None, (place.job, place.build))),
        listed_in=bucket.locator(place.base or info.name.rpartition("/")[0] + "/"),
    )


def _unlisted_file(bucket: BucketReader, tree: FileTree) -> RemoteFile:
    folder = tree.folder or tree.place.link
    return RemoteFile(
        key=f"{bucket.scope or bucket.store}/{bucket.bucket}/{folder}",
        url=bucket.blobs.url(bucket.bucket, folder) or "about:blank",
        parts=(bucket.bucket, *[part for part in folder.split("/") if part]),
        skip=f"its files cannot be listed: {_why_unlisted(bucket, tree)}",
        unlisted=True,
        origin=" ".join(filter(None, (tree.place.job, tree.place.build))),
        listed_in=bucket.locator(folder),
    )


def _why_unlisted(bucket: BucketReader, tree: FileTree) -> str:
    """The same words for the same cause, so that they can be counted: the error's own have each build's URL."""
    error = tree.error
    if error is None:
        return "the build no longer has any"
    number = f"{error.status}, " if error.status is not None else ""
    if isinstance(error, AccessDeniedError):
        return f"{number}the bucket {sanitize(bucket.bucket)} refuses listing"
    if not isinstance(error, NotFoundError):
        return f"{number or f'{error.reason}, '}the server failed"
    if tree.place.link and not tree.folder:
        return f"{number}the link to the build leads nowhere"
    return f"{number}there is no bucket {sanitize(bucket.bucket)}"


def open_image(bucket: BucketReader, info: BlobInfo) -> ImageFile:
    """An object as an image to look at; of the object only its name need be known."""

    def read(cancel: CancelToken) -> bytes:
        return bucket.read(info, cancel, MAX_BYTES)

    def files(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        yield [remote_file(bucket, info)]

    return ImageFile(
        describe_file(info.name) or info.name,
        bucket.locator(info.name),
        read,
        info.content_type,
        info.content_size,
        files,
        bucket.blobs.web_page(bucket.bucket, info.name),
    )


def _blob_of_row(row: Row) -> BlobInfo:
    """The object of one row of `FILES`, without its time."""
    texts = (str(row.get(name) or "") for name in ("content_type", "compressed", "generation", "md5", "crc32c"))
    return BlobInfo(str(row["path"]), row.get("size"), None, *texts)


# ---- lists ---------------------------------------------------------------------------------------------------------


class FileListing(Listing):
    """What lists of files have in common; columns are those of `FILES`."""

    schema = FILES
    noun = ("file", "files")

    def __init__(self, locator: ProwPath | FileTreeView, bucket: BucketReader) -> None:
        super().__init__(locator)
        self.bucket = bucket

    def open(self, row: Row) -> Locator:
        return self.bucket.locator(str(row["path"]))

    def shows(self, row: Row) -> ViewTarget | None:
        """A folder's list, a list of what the file holds, a tree to look through, an image, or a text to read."""
        path, size = str(row["path"]), row.get("size")
        bucket, name = self.bucket, path.rsplit("/", 1)[-1]
        if row.get("kind") == "folder":
            return self.open(row)
        if is_events(path):
            return EventsView(bucket.bucket, path, store=bucket.store)
        if is_junit(path):
            return JUnitView(bucket.bucket, path, store=bucket.store)
        if name.endswith(".json") and (size is None or size <= _MAX_DOCUMENT_BYTES):
            return bucket.document(path, name)
        if is_image(path, str(row.get("content_type") or "")):
            return open_image(bucket, _blob_of_row(row))
        place = route(path)
        title = f"{path.removeprefix(place.base)} of {place.build}" if place.base else path
        return bucket.log(path, title) if is_text(path, row.get("content_type")) else None

    def log(self, row: Row) -> LogAddress | None:
        path = str(row["path"])
        readable = row.get("kind") == "file" and is_text(path, row.get("content_type"))
        return self.bucket.log(path, str(row["name"])) if readable else None

    def document(self, row: Row) -> Document | None:
        path = str(row["path"])
        return self.bucket.document(path, str(row["name"])) if path.endswith(".json") else None

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None and isinstance(self.locator, ProwView):
            return None  # no page shows all files of a build or of several
        path = str(row["path"]) if row is not None else str(getattr(self.locator, "path", ""))
        if row is None and isinstance(self.locator, ProwPath) and self.locator.lines:
            page = deck_lines(self.bucket.bucket, path, self.locator.lines)
            if page is not None:
                return page
        if route(path).base == path:
            return self.bucket.web_page(path)
        return self.bucket.blobs.web_page(self.bucket.bucket, path)

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """These files, and all that is in these folders."""
        yield [remote_file(self.bucket, info) for info in blob_infos(rows)]
        folders = rows.filter(pl.col("kind") == "folder")["path"].to_list()
        yield from list_files(self.bucket, [BuildPlace(path, "", "", path) for path in folders], cancel)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB in 312 files · 40 compressed"; sizes are those that the bucket stores."""
        files = frame.filter(pl.col("kind") == "file")
        if files.is_empty():
            return ""
        compressed = files["compressed"].drop_nulls().len()
        size = format_bytes(float(files["size"].sum() or 0))
        words = [f"{size} in {len(files):,} file{'' if len(files) == 1 else 's'}"]
        return " · ".join([*words, *([f"{compressed:,} compressed"] if compressed else [])])


_FOLDER, _BUILD = "This folder", "Its build and job"  # headings of the menu


class FolderFiles(FileListing):
    """One level of a folder: a build, or anything below or beside it. A file's locator lists its folder."""

    default_sort = ()
    empty_text = "This folder is empty. (A folder that does not exist looks the same.)"

    def __init__(self, locator: ProwPath, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        path = locator.path
        self.folder = path if not path or path.endswith("/") else path[: path.rfind("/") + 1]
        if self.folder != path and is_text(path, ""):
            self.first_log = bucket.log(path, path.removeprefix(self.folder), lines=locator.lines)
        elif self.folder != path and is_image(path, ""):
            self.first_image = open_image(bucket, BlobInfo(path))

    @property
    def title(self) -> str:
        path = route(self.folder)
        below = self.folder.removeprefix(path.base).rstrip("/") if path.base else ""
        if path.base:
            # A breadcrumb is cut at its end: what this level adds comes first.
            return f"{below} of {path.job} {path.build}" if below else f"{path.job} {path.build}"
        return self.folder.rstrip("/") or self.bucket.bucket

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        folder, build = self.folder, route(self.folder).build
        for page in self.bucket.list_pages(folder, cancel):
            rows = [FileRow(name.removeprefix(folder), "folder", name, build or None) for name in page.folders]
            rows += [file_row(info, folder, build) for info in page.files]
            yield Page(FILES.build(rows), page.freshness, note=page.note)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        folder = str(row["path"]) if row is not None and row.get("kind") == "folder" else self.folder
        path, store, bucket = route(folder), self.bucket.store, self.bucket.bucket
        name = folder.rstrip("/").rpartition("/")[2] or bucket
        tree = FileTreeView(bucket, folder, store=store)
        sizes = tree.change_view(FileTreeView, by="folders")
        entries: list[Entry] = [
            Link(f"Number and size of all files in each folder of {name}", sizes, letter="n", group=_FOLDER),
            Link(f"All files below {name}, with their number and size", tree, letter="a", group=_FOLDER),
        ]
        if path.base:
            job = path.base[: -len(path.build) - 1]
            tests = JUnitView(bucket, job, (path.build,), store)
            entries.append(Link(f"Test cases of {path.build} (JUnit)", tests, letter="t", group=_BUILD))
            entries.append(Link(f"All builds of {path.job}", self.bucket.locator(job), letter="b", group=_BUILD))
            entries += failure_entries(self.failures(rows), _BUILD)
            entries += since_entries(self.failures(rows), group=_BUILD)
        return entries

    def failures(self, rows: pl.DataFrame) -> ProwPath | None:
        """Of a build, wherever in it this is."""
        base = route(self.folder).base
        return self.bucket.locator(base) if base else None


class TreeFiles(FileListing):
    """All files of some builds, or of one folder, however deep; `names` are paths within the build."""

    empty_text = "There are no files."

    def __init__(self, locator: FileTreeView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self.places = named_places(locator)

    @property
    def title(self) -> str:
        if len(self.places) == 1:
            place = self.places[0]
            return f"all files of {f'{place.job} {place.build}' if place.build else place.folder.rstrip('/')}"
        job = next((place.job for place in self.places), "")
        return f"all files of {len(self.places):,} builds of {job}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page a build (or several); what could not be listed is in the note. Ends at `MAX_FILES`."""
        count, failed = 0, ""
        if len(self.places) == 1 and not self.places[0].link:
            yield from self._list_one(self.places[0], cancel)
            return
        done = 0
        for trees in list_trees(self.bucket, self.places, cancel):
            done += len(trees)
            self._work = LoadingWork(done, len(self.places), "builds listed")
            rows = [file_row(info, tree.folder, tree.place.build) for tree in trees for info in tree.files]
            error = next((tree.error for tree in trees if tree.error is not None), None)
            failed = failed or (f"The list is incomplete: {error.sentence}" if error else "")
            count += len(rows)
            note = failed or next((tree.note for tree in trees if tree.note), "")
            yield Page(FILES.build(rows), Freshness(), note=note, partial=bool(failed))
            if count >= MAX_FILES:
                yield Page(FILES.empty(), Freshness(), note=_cut_note(count), partial=True)
                return

    def _list_one(self, place: BuildPlace, cancel: CancelToken) -> Iterator[Page]:
        count = 0
        for page in self.bucket.list_pages(place.folder, cancel, deep=True):
            count += len(page.files)
            is_cut = count >= MAX_FILES
            rows = [file_row(info, place.folder, place.build) for info in page.files]
            note = _cut_note(count) if is_cut else page.note
            yield Page(FILES.build(rows), page.freshness, note=note, partial=is_cut)
            if is_cut:
                return


class FolderSizes(Listing):
    """Columns are those of `SIZES`; the count grows while the tree is listed and stops at a bound."""

    schema = SIZES
    noun = ("folder", "folders")
    empty_text = "There are no files."

    def __init__(self, locator: FileTreeView, bucket: BucketReader) -> None:
        super().__init__(locator)
        self.bucket = bucket
        self._tree = TreeFiles(locator, bucket)

    @property
    def title(self) -> str:
        return self._tree.title.replace("all files of", "sizes in")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        frames, count, drawn = [FILES.empty()], 0, 0
        page = Page(FILES.empty(), Freshness())
        for page in self._tree.pages(cancel):
            frames.append(page.frame)
            count += page.frame.height
            if count >= drawn * 1.5:
                drawn = count
                yield Page(sum_folders(pl.concat(frames)), page.freshness, replace=True)
        yield Page(sum_folders(pl.concat(frames)), page.freshness, replace=True, note=page.note)

    def open(self, row: Row) -> ProwPath:
        return self.bucket.locator(str(row["path"]))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB in 312 files"."""
        return f"{format_bytes(float(frame['size'].sum() or 0))} in {int(frame['files'].sum() or 0):,} files"


def _cut_note(count: int) -> str:
    return f"Only the first {count:,} files are listed."
