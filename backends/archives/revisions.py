"""The revisions of a repository, as a list: who committed what when, who pushed it, and which archives are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.archives.columns import REVISIONS
from backends.archives.doings import Doings
from backends.archives.engine import store_of
from backends.archives.sources import Changeset, source_for
from backends.archives.wanted import SHORT, Request
from backends.cancel import CancelToken
from backends.frames.formats import format_value
from backends.locators import InvalidLocatorError
from backends.locators.archives import Repository, Revision
from backends.resources import Action, Detail, Entry, Link, Page, Question, Resource, Row

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

_LONG = frozenset({"summary", "description", "revision"})


class RevisionList(Resource):
    """The newest ones; any other by its name from the menu. Pushes are there where the server keeps them.

    Raises `UsageError` for a name that no repository can have: an index may be hostile, and names go into addresses.
    """

    schema = REVISIONS
    noun = ("revision", "revisions")
    empty_text = "The repository is empty."

    def __init__(self, locator: Repository, http: Http, settings: Settings) -> None:
        super().__init__(locator)
        self.repository = Request(locator.repository, "tip").repository  # raises for names that no server can have
        self.source = source_for(locator.root, http, settings)
        self._store = store_of(settings)
        self._doings = Doings(http, settings)

    @property
    def title(self) -> str:
        return self.repository

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        kept = Counter(
            one.account.node
            for one in self._store.all()
            if (one.account.root, one.account.repository) == (self.source.root, self.repository)
        )
        for changesets, freshness, note in self.source.log(self.repository, cancel):
            cancel.check()
            yield Page(revision_frame(changesets, kept), freshness, note=note)

    def open(self, row: Row) -> Revision | None:
        node = str(row.get("node") or "")
        return Revision(self.repository, node, root=self.source.root) if node else None

    def download(self, rows: pl.DataFrame) -> Action | None:
        """The zip of each."""
        nodes = [str(node) for node in rows["node"].drop_nulls() if node]
        return self._doings.all_of([Request(self.repository, node, root=self.source.root) for node in nodes])

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        node = str((row or {}).get("node") or "")
        entries: list[Entry] = []
        if node:
            entries += self._doings.fetching(Request(self.repository, node, root=self.source.root))
            if self.source.has_parts:
                entries.append(part_of(self.repository, node, self.source.root))
            entries.append(
                Link("The revision in the browser", Revision(self.repository, node, root=self.source.root).page())
            )
        entries.append(
            Question("Another revision of this repository", "Changeset, branch, tag or bookmark", self._named)
        )
        return entries

    def _named(self, answer: str) -> Revision:
        if not answer.strip():
            raise InvalidLocatorError("No revision is named.", "Write a changeset, a branch, a tag or a bookmark.")
        return Revision(self.repository, answer.strip(), root=self.source.root)

    def detail(self, row: Row) -> Detail:
        told = [(column.label, row.get(column.name), column) for column in REVISIONS if column.name not in _LONG]
        known = tuple((label, format_value(value, column)) for label, value, column in told if value is not None)
        text = str(row.get("description") or "")
        lines = tuple(("", line) for line in text.splitlines()[:60])
        return Detail(str(row.get("summary") or ""), (("Revision", known), ("Description", lines)))

    def web_url(self, row: Row | None = None) -> str | None:
        node = str((row or {}).get("node") or "")
        root = self.source.root
        return Revision(self.repository, node, root=root).page() if node else Repository(self.repository, root).page()


def part_of(repository: str, node: str, root: str) -> Question:
    """The menu's entry that asks for a directory, and opens what archives there are of it."""

    def opens(answer: str) -> Revision:
        part = answer.strip().strip("/")
        Request(repository, node, part, root=root)  # raises for what cannot be
        return Revision(repository, node, part, root=root)

    return Question("Archives of one directory of it", "Directory (or file), such as testing/mozharness", opens)


def revision_frame(changesets: list[Changeset], kept: Counter[str]) -> pl.DataFrame:
    return REVISIONS.frame(
        (
            one.node[:SHORT], one.time_ms, _name(one.author) or None, _first_line(one.description) or None,
            kept.get(one.node) or None, one.branch or None, " ".join(one.names) or None, one.push_id,
            one.pusher or None, one.pushed_ms, one.author or None, one.description or None, one.node,
        )
        for one in {changeset.node: changeset for changeset in changesets}.values()
    )  # fmt: skip


def _name(author: str) -> str:
    """Of "Ann Example <ann@example.com>" the name."""
    return author.partition("<")[0].strip() or author


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]
