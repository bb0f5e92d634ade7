"""Archives as lists: what there can be of one revision, and all that are kept on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.archives.columns import ARCHIVES, KEPT, MISSING, OF_REVISION, archive_frame, kept_row
from backends.archives.doings import Doings
from backends.archives.engine import store_of
from backends.archives.revisions import part_of
from backends.archives.sources import Changeset, source_for
from backends.archives.store import Kept, now_ms
from backends.archives.wanted import SHORT, Request, Wanted
from backends.cancel import CancelToken
from backends.frames.formats import format_bytes, format_value, safe_text
from backends.http.response import Freshness
from backends.locators.archives import SUFFIXES, HeldArchives, Repositories, Repository, Revision
from backends.resources import Action, Detail, Document, Entry, Link, Page, Resource, Row

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http


WHOLE_ONLY = "This server gives archives of whole repositories only; these are of all of it."


class _Archives(Resource):
    """What both lists share: a row is an archive."""

    schema = ARCHIVES
    noun = ("archive", "archives")

    def __init__(self, locator: Revision | HeldArchives, http: Http, settings: Settings) -> None:
        super().__init__(locator)
        self._http, self._settings = http, settings
        self._store = store_of(settings)
        self._doings = Doings(http, settings)

    def _wanted(self, row: Row) -> Wanted:
        return Wanted(
            *(str(row.get(name) or "") for name in ("server", "repository", "node", "subdirectory", "suffix"))
        )

    def open(self, row: Row) -> Revision | None:
        one = self._wanted(row)
        return Revision(one.repository, one.node, one.subdirectory, one.suffix, one.root) if one.node else None

    def shows(self, row: Row) -> Document | None:
        """Enter shows what is in a kept archive."""
        kept = self._store.find(self._wanted(row)) if row.get("state") == KEPT else None
        locator = self.open(row)
        if kept is None or locator is None:
            return None
        return Document(f"{kept.account.wanted.file_name}", locator, lambda cancel: _contents(kept, cancel))

    def document(self, row: Row) -> Document | None:
        return self.shows(row)

    def detail(self, row: Row) -> Detail:
        lines = [(column, row.get(column.name)) for column in ARCHIVES]
        told = tuple((column.label, format_value(value, column)) for column, value in lines if value is not None)
        return Detail(safe_text(self._wanted(row).words, 120), (("Archive", told),))

    def download(self, rows: pl.DataFrame) -> Action | None:
        """Those that are kept are saved where downloads go, the others fetched first."""
        wanted = [self._wanted(row) for row in rows.iter_rows(named=True)]
        return self._doings.all_of([_request(one) for one in wanted])

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None:
            return None
        one = self._wanted(row)
        return Revision(one.repository, one.node, one.subdirectory, root=one.root).page()

    def summary(self, frame: pl.DataFrame) -> str:
        size = frame["size"].drop_nulls()
        return f"{len(size):,} kept, {format_bytes(int(size.sum()))}" if len(size) else "none kept: d fetches one"

    def _of_row(self, row: Row) -> list[Entry]:
        one = self._wanted(row)
        kept = self._store.find(one)
        entries: list[Entry] = []
        if kept is not None:
            entries += self._doings.of_kept(kept.account)
        else:
            entries += self._doings.fetching(_request(one), suffixes=(one.suffix,))
        return [*entries, *self._doings.addresses(one)]


class RevisionArchives(_Archives):
    """Of one revision: one row a suffix for the part that the locator names, and what else of it is kept."""

    schema = OF_REVISION
    empty_text = "There are no archives of this revision."

    locator: Revision

    def __init__(self, locator: Revision, http: Http, settings: Settings) -> None:
        super().__init__(locator, http, settings)
        self.source = source_for(locator.root, http, settings)
        part = locator.subdirectory if self.source.has_parts else ""
        self.asked = Request(locator.repository, locator.revision, part, "zip", locator.root)
        self._changeset: Changeset | None = None

    @property
    def title(self) -> str:
        part = f" {self.asked.subdirectory}" if self.asked.subdirectory else ""
        node = self._changeset.node if self._changeset is not None else self.asked.revision
        return f"{self.asked.repository} {node[:SHORT]}{part}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        found = self._changeset = self.source.resolve(self.asked.repository, self.asked.revision, cancel)
        now = now_ms()
        kept = {
            one.account.wanted.digest: kept_row(one, now)
            for one in self._store.all()
            if (one.account.root, one.account.repository, one.account.node)
            == (self.source.root, self.asked.repository, found.node)
        }
        rows = []
        for suffix in SUFFIXES:
            one = Wanted(self.source.root, self.asked.repository, found.node, self.asked.subdirectory, suffix)
            rows.append(kept.pop(one.digest, ()) or _missing_row(one, found))
        note = "" if self.source.has_parts or not self.locator.subdirectory else WHOLE_ONLY
        yield Page(archive_frame([*rows, *kept.values()]), Freshness(), replace=True, note=note)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries = self._of_row(row) if row is not None else []
        if self._changeset is not None and self.source.has_parts:
            entries.append(part_of(self.asked.repository, self._changeset.node, self.source.root))
        entries.append(Link("The repository's revisions", Repository(self.asked.repository, self.source.root)))
        entries.append(Link("All archives that are kept here", HeldArchives()))
        return entries

    def web_url(self, row: Row | None = None) -> str | None:
        """Of a row the revision, or the directory of it; of the list what was opened, so that it is the same when it is
        pasted, also where the server archives no directories."""
        if row is not None:
            return super().web_url(row)
        revision = self.asked.revision
        if "/" in revision and self._changeset is not None:
            revision = self._changeset.node  # no hgweb finds such a name in an address
        return Revision(
            self.asked.repository, revision, self.locator.subdirectory, self.locator.suffix, self.source.root
        ).page()


class KeptArchives(_Archives):
    """All that are kept on this machine, of all servers, the newest first."""

    empty_text = "No archives are kept here yet."

    @property
    def title(self) -> str:
        return "kept archives"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        now = now_ms()
        frame = archive_frame(kept_row(one, now) for one in self._store.all())
        yield Page(frame, Freshness(), total=len(frame), replace=True)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries = self._of_row(row) if row is not None else []
        if row is not None:
            one = self._wanted(row)
            entries.append(Link("All archives of this revision", Revision(one.repository, one.node, root=one.root)))
            entries.append(Link("The repository's revisions", Repository(one.repository, one.root)))
        entries.append(Link("Repositories", Repositories()))
        return entries


def _request(one: Wanted) -> Request:
    return Request(one.repository, one.node, one.subdirectory, one.suffix, one.root)


def _missing_row(wanted: Wanted, found: Changeset) -> tuple[object, ...]:
    return (
        wanted.digest, MISSING, wanted.suffix, None, wanted.repository, wanted.node[:SHORT],
        wanted.subdirectory or None, None, None, None, None, found.time_ms, None, None, None, None, wanted.root,
        wanted.node,
    )  # fmt: skip


def _contents(kept: Kept, cancel: CancelToken) -> object:
    """The account, and the members as a tree of directories with sizes in bytes."""
    from backends.extraction.limits import ExtractionLimits
    from backends.extraction.members import list_members

    tree: dict[str, object] = {}
    frame = list_members(kept.path, limits=ExtractionLimits(entries=2_000_000, total_bytes=64 << 30), cancel=cancel)
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
    account = kept.account
    told = {
        "repository": account.repository, "revision": account.node, "from": account.source_url, "size": account.size,
        "sha256": account.sha256, "names its revision": account.confirmed, "buckets": dict(account.regions),
    }  # fmt: skip
    return {"archive": told, "members": tree}
