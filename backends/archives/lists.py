"""The lists of sources: a server's repositories, a repository's revisions, a revision's archives, cached archives."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from backends.archives.actions import ArchiveActions
from backends.archives.hosts import Changeset, RepositoryEntry, SourceNotFoundError
from backends.archives.locators import (
    SUFFIXES,
    ArchiveLocator,
    CachedArchives,
    SourceRepositories,
    SourceRepository,
    SourceRevision,
)
from backends.archives.spec import SHORT_DIGITS, ArchiveRequest, ArchiveSpec
from backends.archives.store import ArchiveRecord, StoredArchive, now_ms
from backends.atomic import atomic_file
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.limits import ExtractionLimits
from backends.extraction.members import list_members
from backends.frames.formats import format_bytes, safe_text
from backends.frames.getters import optional, with_context
from backends.frames.schema import Column, FromRows, Kind, Schema
from backends.http.errors import HttpError
from backends.http.response import Freshness, ResponseSource
from backends.listings import Listing
from backends.locators import InvalidLocatorError
from backends.resources import LIST, Action, Detail, Document, Entry, Link, Page, Progress, Question, Row

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

PIN = "★"
KEPT, MISSING = "kept", "not kept"
ONLY_COMPLETE = "This server provides archives of complete repositories only; these contain all of it."


def resolve(
    locator: ArchiveLocator, http: Http, settings: Settings, cancel: CancelToken | None = None
) -> ArchiveLocator:
    """The same locator with its server. Sends no request: the name of a revision is resolved whenever its list is
    loaded, since it may refer to another one by then."""
    if isinstance(locator, SourceRepositories | SourceRepository | SourceRevision):
        return replace(locator, root=locator.root or settings.hg_url.rstrip("/"))
    return locator


def actions_for(locator: ArchiveLocator, http: Http, settings: Settings) -> ArchiveActions:
    """The context of the lists."""
    return ArchiveActions(http, settings)


# --- repositories ---


_TITLE = 40  # characters of a message in a title


@dataclass(frozen=True)
class _RepositoryUse:
    """The repositories of a server that are pinned, and how many archives of each are cached."""

    pinned: list[str]
    archives: Counter[str]


REPOSITORIES = Schema(
    (
        Column("pinned", Kind.TEXT, "Pinned", width=6, searched=False, section="Repository",
               get=with_context(lambda entry, use: PIN if entry.name in use.pinned else None)),
        Column("name", Kind.TEXT, "Repository", width=36, section="Repository", get="name"),
        Column("archives", Kind.COUNT, "Kept", section="Repository",
               get=with_context(lambda entry, use: use.archives.get(entry.name) or None)),
        Column("changed", Kind.TIME, "Last change", section="Repository", cell=pl.Int64(), get="changed_ms"),
        Column("description", Kind.TEXT, "Description", width=50, section="Repository", get=optional("description")),
        Column("contact", Kind.TEXT, "Contact", hidden=True, section="Repository", get=optional("contact")),
    ),
    key="name",
)  # fmt: skip


class SourceRepositoryList(Listing):
    """The repositories in hgweb's index, pinned and used ones first."""

    schema = REPOSITORIES
    noun = ("repository", "repositories")
    empty_text = "The server lists no repositories."

    def __init__(self, locator: SourceRepositories, actions: ArchiveActions) -> None:
        super().__init__(locator)
        self.source = actions.host(locator.root)
        self._pins = Pins(actions.settings.state_path)
        self._store = actions.store

    @property
    def title(self) -> str:
        return f"source repositories of {self.source.root.partition('://')[2]}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """Pinned and used ones at once, then the index. If it cannot be read they stay, with the reason."""
        used = Counter(one.record.repository for one in self._store.all() if one.record.root == self.source.root)
        use = _RepositoryUse(self._pins.names(self.source.root), used)
        known = list(dict.fromkeys([*use.pinned, *used]))
        if known:
            frame = REPOSITORIES.build([RepositoryEntry(name) for name in known], use)
            yield Page(frame, Freshness(ResponseSource.CACHE, 0.0))
        try:
            entries, freshness = self.source.repositories(cancel)
        except (HttpError, SourceNotFoundError) as error:
            if not known:
                raise
            freshness = Freshness(ResponseSource.STALE, 0.0, error.sentence)
            yield Page(REPOSITORIES.empty(), freshness, note=error.sentence)
            return
        index = {entry.name: entry for entry in entries}
        rows = [*(index.pop(name, RepositoryEntry(name)) for name in known), *index.values()]
        frame = REPOSITORIES.build(rows, use)
        yield Page(frame, freshness, total=len(frame), replace=True)

    def open(self, row: Row) -> SourceRepository | None:
        name = str(row.get("name") or "")
        return SourceRepository(name, self.source.root) if name else None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        name = str((row or {}).get("name") or "")
        if not name:
            return []
        return [
            Link(f"Revisions of {safe_text(name, 60)}", SourceRepository(name, self.source.root), letter="r"),
            Action(
                f"{'Unpin' if row and row.get('pinned') else 'Pin'} {safe_text(name, 60)}",
                self._toggle(name),
                letter="p",
            ),
        ]

    def _toggle(self, name: str) -> Callable[[CancelToken, Progress], str]:
        def run(cancel: CancelToken, progress: Progress) -> str:
            return f"{name} is {'pinned' if self._pins.toggle(self.source.root, name) else 'no longer pinned'}."

        return run

    def row_title(self, row: Row) -> str:
        return str(row.get("name") or "")

    def web_url(self, row: Row | None = None) -> str | None:
        locator = self.open(row or {})
        return locator.web_url() if locator is not None else self.source.root


class Pins:
    """Which repositories the user wants on top, in a small JSON file: server -> names."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "pinned-repositories.json"

    def names(self, root: str) -> list[str]:
        return self._read().get(root, [])

    def toggle(self, root: str, name: str) -> bool:
        """Pins or unpins; returns whether it is pinned now. Raises `FileError`."""
        pins = self._read()
        names = pins.get(root, [])
        pins[root] = [other for other in names if other != name] if name in names else [*names, name]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise FileError(f"Cannot create {self._path.parent}.", "Set CIEXPLORE_STATE_DIR.") from error
        with atomic_file(self._path, overwrite=True, below=self._path.parent) as stream:
            stream.write(json.dumps(pins, indent=1).encode())
        return name in pins[root]

    def _read(self) -> dict[str, list[str]]:
        try:
            value = json.loads(self._path.read_bytes())
            return {str(root): [str(name) for name in names] for root, names in value.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


# --- revisions ---


def _author_name(changeset: Changeset) -> str | None:
    """The name in "Ann Example <ann@example.com>"."""
    return changeset.author.partition("<")[0].strip() or changeset.author or None


def _summary(changeset: Changeset) -> str | None:
    return (changeset.description.strip().splitlines() or [""])[0] or None


# Built with the number of cached archives of each node as context.
REVISIONS = Schema(
    (
        Column("revision", Kind.ID, "Revision", width=12, get=lambda changeset: changeset.node[:SHORT_DIGITS]),
        Column("date", Kind.TIME, "Date", section="Revision", cell=pl.Int64(), get="time_ms"),
        Column("author", Kind.TEXT, "Author", width=16, section="Revision", get=_author_name),
        Column("summary", Kind.TEXT, "Summary", width=56, get=_summary),
        Column("archives", Kind.COUNT, "Kept", section="Revision",
               get=with_context(lambda changeset, archives: archives.get(changeset.node) or None)),
        Column("branch", Kind.TEXT, "Branch", width=12, section="Revision", get=optional("branch")),
        Column("names", Kind.TEXT, "Tags", width=14, section="Revision", get=lambda c: " ".join(c.names) or None),
        Column("push", Kind.COUNT, "Push", section="Revision", get="push_id"),
        Column("pusher", Kind.TEXT, "Pushed by", width=22, section="Revision", get=optional("pusher")),
        Column("pushed", Kind.TIME, "Pushed", hidden=True, section="Revision", cell=pl.Int64(), get="pushed_ms"),
        Column("user", Kind.TEXT, "Author as written", hidden=True, section="Revision", get=optional("author")),
        Column("description", Kind.TEXT, "Description", hidden=True, searched=False, get=optional("description")),
        Column("node", Kind.ID, "Full revision", hidden=True, section="Revision", get="node"),
    ),
    key="node",
)  # fmt: skip


class RevisionList(Listing):
    """The newest revisions of a repository; any other by its name from the menu. Pushes if the server has them.

    Raises `UsageError` for a name that no repository can have: an index may be hostile, and names become part of URLs.
    """

    schema = REVISIONS
    noun = ("revision", "revisions")
    empty_text = "The repository is empty."

    def __init__(self, locator: SourceRepository, actions: ArchiveActions) -> None:
        super().__init__(locator)
        self.repository = ArchiveRequest(locator.repository, "tip").repository  # raises for impossible names
        self.source = actions.host(locator.root)
        self._actions = actions

    @property
    def title(self) -> str:
        return self.repository

    def _locator(self, revision: str) -> SourceRevision:
        return SourceRevision(self.repository, revision, root=self.source.root)

    def _request(self, revision: str) -> ArchiveRequest:
        return ArchiveRequest(self.repository, revision, root=self.source.root)

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        archives = Counter(
            one.record.node
            for one in self._actions.store.all()
            if (one.record.root, one.record.repository) == (self.source.root, self.repository)
        )
        for changesets, freshness, note in self.source.log(self.repository, cancel):
            cancel.check()
            yield Page(REVISIONS.build(changesets, archives), freshness, note=note)

    def open(self, row: Row) -> SourceRevision | None:
        node = str(row.get("node") or "")
        return self._locator(node) if node else None

    def download(self, rows: pl.DataFrame) -> Action | None:
        """The zip of each."""
        return self._actions.fetch_all([self._request(str(node)) for node in rows["node"].drop_nulls() if node])

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        node = str((row or {}).get("node") or "")
        entries: list[Entry] = []
        if node:
            entries += self._actions.fetch_entries(self._request(node))
            if self.source.has_subdirectories:
                entries.append(subdirectory_question(self.repository, node, self.source.root))
            entries.append(Link("The revision in the browser", self._locator(node).web_url(), letter="o"))
        label, hint = "Another revision of this repository", "Changeset, branch, tag or bookmark"
        entries.append(Question(label, hint, self._open_name, letter="r", group=LIST))
        return entries

    def _open_name(self, text: str) -> SourceRevision:
        if not text.strip():
            raise InvalidLocatorError("The revision is missing.", "Enter a changeset, a branch, a tag or a bookmark.")
        return self._locator(text.strip())

    def row_title(self, row: Row) -> str:
        return str(row.get("summary") or "")

    def detail(self, row: Row) -> Detail:
        detail = super().detail(row)
        lines = tuple(("", line) for line in str(row.get("description") or "").splitlines()[:60])
        return replace(detail, sections=(*detail.sections, ("Description", lines)))

    def web_url(self, row: Row | None = None) -> str | None:
        locator = self.open(row or {})
        return (locator or SourceRepository(self.repository, self.source.root)).web_url()


def subdirectory_question(repository: str, node: str, root: str) -> Question:
    """The menu entry that asks for a directory and opens the list of its archives."""

    def open_directory(text: str) -> SourceRevision:
        directory = text.strip().strip("/")
        ArchiveRequest(repository, node, directory, root=root)  # raises for impossible names
        return SourceRevision(repository, node, directory, root=root)

    hint = "Directory (or file), e.g. testing/mozharness"
    return Question("Archives of one directory of it", hint, open_directory, letter="d")


# --- archives ---


@dataclass(frozen=True)
class ArchiveRow:
    """An archive that is cached (`record`), or one that could be fetched. Time in epoch milliseconds."""

    spec: ArchiveSpec
    committed_ms: int | None
    record: ArchiveRecord | None = None

    @classmethod
    def cached(cls, archive: StoredArchive) -> ArchiveRow:
        return cls(archive.record.spec, archive.record.committed_ms, archive.record)


def _of_record(read: str | Callable[[ArchiveRecord], object]) -> FromRows:
    """A value of the record, null where the archive is not cached or the value is empty."""
    getter = attrgetter(read) if isinstance(read, str) else read
    return FromRows(lambda rows, _: [None if row.record is None else getter(row.record) for row in rows])


def _buckets(record: ArchiveRecord) -> str | None:
    return " ".join(f"{region}={bucket}" for region, bucket in record.regions.items()) or None


def _age(row: ArchiveRow, now: int) -> float | None:
    return None if row.record is None else max(now - row.record.kept_ms, 0) / 1000


# Built from `ArchiveRow`s, with the time (epoch milliseconds) as context.
ARCHIVES = Schema(
    (
        Column("state", Kind.STATE, "State", width=10, section="Archive",
               get=lambda row: MISSING if row.record is None else KEPT),
        Column("suffix", Kind.TEXT, "Kind", width=7, section="Archive", get="spec.suffix"),
        Column("size", Kind.BYTES, "Size", "B", width=8, section="Archive", get=_of_record("size")),
        Column("repository", Kind.TEXT, "Repository", width=20, keeps_end=True, section="Archive",
               get="spec.repository"),
        Column("revision", Kind.ID, "Revision", width=12, section="Archive",
               get=lambda row: row.spec.node[:SHORT_DIGITS]),
        Column("subdirectory", Kind.TEXT, "Directory", width=18, keeps_end=True, section="Archive",
               get=optional("spec.subdirectory")),
        Column("age", Kind.DURATION, "Age", "s", section="Archive", get=with_context(_age)),
        Column("kept", Kind.TIME, "Kept since", section="Archive", cell=pl.Int64(), get=_of_record("kept_ms")),
        Column("members", Kind.COUNT, "Members", section="Archive", get=_of_record("members")),
        Column("unpacked", Kind.BYTES, "Unpacked", "B", section="Archive", get=_of_record("unpacked")),
        Column("committed", Kind.TIME, "Commit", section="Archive", cell=pl.Int64(), get="committed_ms"),
        Column("copies", Kind.TEXT, "Buckets", width=18, section="Archive", get=_of_record(_buckets)),
        Column("note", Kind.TEXT, "Note", width=24, section="Archive",
               get=_of_record(lambda r: f"repacked from {r.repacked_from}" if r.repacked_from else None)),
        Column("sha256", Kind.ID, "SHA-256", hidden=True, section="Archive", get=_of_record("sha256")),
        Column("source", Kind.TEXT, "From", hidden=True, searched=False, section="Archive",
               get=_of_record("source_url")),
        Column("server", Kind.TEXT, "Server", hidden=True, section="Archive", get="spec.root"),
        Column("node", Kind.ID, "Full revision", hidden=True, section="Archive", get="spec.node"),
    ),
    key="key",
    key_get="spec.digest",
)  # fmt: skip
# In the list of one revision all rows are of it; at 80 cells the directory, age and date are in sight then.
OF_REVISION = replace(
    ARCHIVES,
    columns=tuple(replace(one, hidden=True) if one.name in ("repository", "revision") else one for one in ARCHIVES),
)


class ArchiveList(Listing):
    """What the two lists of archives share."""

    schema = ARCHIVES
    noun = ("archive", "archives")

    def __init__(self, locator: SourceRevision | CachedArchives, actions: ArchiveActions) -> None:
        super().__init__(locator)
        self._actions, self._store = actions, actions.store

    def _spec(self, row: Row) -> ArchiveSpec:
        return ArchiveSpec(
            *(str(row.get(name) or "") for name in ("server", "repository", "node", "subdirectory", "suffix"))
        )

    def open(self, row: Row) -> SourceRevision | None:
        spec = self._spec(row)
        if not spec.node:
            return None
        return SourceRevision(spec.repository, spec.node, spec.subdirectory, spec.suffix, spec.root)

    def shows(self, row: Row) -> Document | None:
        """Enter shows the contents of a cached archive."""
        archive = self._store.find(self._spec(row)) if row.get("state") == KEPT else None
        locator = self.open(row)
        if archive is None or locator is None:
            return None
        return Document(archive.record.spec.file_name, locator, lambda cancel: _read_contents(archive, cancel))

    def document(self, row: Row) -> Document | None:
        return self.shows(row)

    def row_title(self, row: Row) -> str:
        return safe_text(self._spec(row).description, 120)

    def download(self, rows: pl.DataFrame) -> Action | None:
        """Copies all to the downloads folder, after fetching those that are not cached."""
        return self._actions.fetch_all([self._spec(row).request for row in rows.iter_rows(named=True)])

    def web_url(self, row: Row | None = None) -> str | None:
        return self._spec(row).locator.web_url() if row is not None else None

    def summary(self, frame: pl.DataFrame) -> str:
        size = frame["size"].drop_nulls()
        return f"{len(size):,} kept, {format_bytes(int(size.sum()))}" if len(size) else "none kept: d fetches one"

    def _row_entries(self, row: Row) -> list[Entry]:
        spec = self._spec(row)
        archive = self._store.find(spec)
        if archive is not None:
            entries = self._actions.cached_entries(archive.record)
        else:
            entries = self._actions.fetch_entries(spec.request, suffixes=(spec.suffix,))
        return [*entries, *self._actions.browser_links(spec)]


class RevisionArchiveList(ArchiveList):
    """One row for each suffix of the directory that the locator names, and what else of the revision is cached."""

    schema = OF_REVISION
    empty_text = "There are no archives of this revision."

    locator: SourceRevision

    def __init__(self, locator: SourceRevision, actions: ArchiveActions) -> None:
        super().__init__(locator, actions)
        self.source = actions.host(locator.root)
        directory = locator.subdirectory if self.source.has_subdirectories else ""
        self.request = ArchiveRequest(locator.repository, locator.revision, directory, "zip", locator.root)
        self._changeset: Changeset | None = None

    @property
    def title(self) -> str:
        directory = f" {self.request.subdirectory}" if self.request.subdirectory else ""
        node = self._changeset.node if self._changeset is not None else self.request.revision
        description = self._changeset.description if self._changeset is not None else ""
        message = description.partition("\n")[0].strip()[:_TITLE]
        return f"{self.request.repository} {node[:SHORT_DIGITS]}{directory}{message and f': {message}'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        changeset = self._changeset = self.source.resolve(self.request.repository, self.request.revision, cancel)
        revision = self.source.root, self.request.repository, changeset.node
        cached = {
            one.record.spec.digest: ArchiveRow.cached(one)
            for one in self._store.all()
            if (one.record.root, one.record.repository, one.record.node) == revision
        }
        specs = [ArchiveSpec(*revision, self.request.subdirectory, suffix) for suffix in SUFFIXES]
        rows = [cached.pop(spec.digest, ArchiveRow(spec, changeset.time_ms)) for spec in specs]
        note = "" if self.source.has_subdirectories or not self.locator.subdirectory else ONLY_COMPLETE
        yield Page(ARCHIVES.build([*rows, *cached.values()], now_ms()), Freshness(), replace=True, note=note)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries = self._row_entries(row) if row is not None else []
        if self._changeset is not None and self.source.has_subdirectories:
            entries.append(subdirectory_question(self.request.repository, self._changeset.node, self.source.root))
        revisions = SourceRepository(self.request.repository, self.source.root)
        entries.append(Link("The repository's revisions", revisions, letter="r", group=LIST))
        entries.append(Link("Cached archives", CachedArchives(), letter="c", group=LIST))
        return entries

    def web_url(self, row: Row | None = None) -> str | None:
        """The page of a row's revision or directory; of the list what was opened, so that pasting it opens this list,
        also if the server has no archives of directories."""
        if row is not None:
            return super().web_url(row)
        revision = self.request.revision
        if "/" in revision and self._changeset is not None:
            revision = self._changeset.node  # hgweb finds no name with a slash in a URL
        locator = self.locator
        return SourceRevision(
            self.request.repository, revision, locator.subdirectory, locator.suffix, self.source.root
        ).web_url()


class CachedArchiveList(ArchiveList):
    """The archives of all servers that are cached on this machine, the newest first."""

    empty_text = "No cached archives."

    @property
    def title(self) -> str:
        return "cached source archives"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        frame = ARCHIVES.build([ArchiveRow.cached(one) for one in self._store.all()], now_ms())
        yield Page(frame, Freshness(), total=len(frame), replace=True)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries = self._row_entries(row) if row is not None else []
        if row is not None:
            spec = self._spec(row)
            revision = SourceRevision(spec.repository, spec.node, root=spec.root)
            entries.append(Link("All archives of this revision", revision, letter="a"))
            revisions = SourceRepository(spec.repository, spec.root)
            entries.append(Link("The repository's revisions", revisions, letter="r"))
        entries.append(Link("Repositories", SourceRepositories(), letter="p", group=LIST))
        return entries


def _read_contents(archive: StoredArchive, cancel: CancelToken) -> object:
    """The record, and the members as a tree of directories with sizes in bytes."""
    tree: dict[str, object] = {}
    frame = list_members(archive.path, limits=ExtractionLimits(entries=2_000_000, total_bytes=64 << 30), cancel=cancel)
    for name, size, kind in frame.select("name", "size", "kind").iter_rows():
        *above, last = [part for part in name.split("/") if part] or ["?"]
        here = tree
        for part in above:
            below = here.setdefault(part, {})
            if not isinstance(below, dict):
                break
            here = below
        if kind != "directory":
            here[last] = size if kind == "file" else kind
    record = archive.record
    summary = {
        "repository": record.repository, "revision": record.node, "from": record.source_url, "size": record.size,
        "sha256": record.sha256, "names its revision": record.confirmed, "buckets": dict(record.regions),
    }  # fmt: skip
    return {"archive": summary, "members": tree}
