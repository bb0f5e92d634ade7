"""The index as lists: the namespaces and the tasks directly below a path."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.getters import iso_time
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import NotFoundError
from backends.locators.pasted import escape
from backends.resources import LIST, Entry, Link, Page, Question, Row
from backends.taskcluster.client import Client
from backends.taskcluster.contents import ClientListing, slugids
from backends.taskcluster.locators import (
    INDEX_PATH,
    IndexNamespace,
    IndexPath,
    PushGroup,
    Task,
    TaskArtifacts,
    is_slugid,
)
from backends.taskcluster.models import IndexEntry

REPOSITORY = re.compile(r"[a-z]+\.v2\.([A-Za-z0-9_-]+)(\..*)?")  # <trust domain>.v2.<repository>
FULL_REVISION = re.compile(r"[0-9a-f]{40}", re.ASCII)


class IndexRow(msgspec.Struct, gc=False):
    entry: IndexEntry
    kind: str  # namespace, task

    @property
    def key(self) -> str:
        return f"{self.kind}s {self.entry.namespace}"

    @property
    def name(self) -> str:
        return self.entry.namespace.rpartition(".")[2] or self.entry.namespace


INDEX = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=44, get="name"),
        Column("kind", Kind.STATE, "Kind", width=11, get="kind"),
        Column("task_id", Kind.ID, "Task", get="entry.taskId"),
        Column("rank", Kind.NUMBER, "Rank", get="entry.rank"),
        Column("expires", Kind.TIME, "Expires", get=iso_time("entry.expires")),
        Column("path", Kind.TEXT, "Path", hidden=True, get="entry.namespace"),
    ),
    key="key",
    key_get="key",
)


class IndexList(ClientListing):
    """What a namespace holds: namespaces first, then tasks. Enter descends, or opens a task (a decision task's group).

    A path may be both; then it has two rows.
    """

    schema = INDEX
    noun = ("entry", "entries")
    empty_text = "The index has nothing below this path. Entries expire with their tasks."

    def __init__(self, locator: IndexNamespace, client: Client) -> None:
        super().__init__(locator, client)
        self.path = locator.path

    @property
    def title(self) -> str:
        return f"index: {self.path or 'all namespaces'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        for kind in ("namespace", "task"):
            for entries, freshness, note in self.client.fetch_index(f"{kind}s", self.path, cancel):
                yield Page(INDEX.build([IndexRow(entry, kind) for entry in entries]), freshness, note=note)

    def open(self, row: Row) -> IndexNamespace | IndexPath | None:
        path = str(row.get("path") or "")
        if not path:
            return None
        is_namespace = row.get("kind") == "namespace"
        return IndexNamespace(path, self.client.root) if is_namespace else IndexPath(path, self.client.root)

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = slugids(rows)
        return TaskArtifacts(ids, self.client.root) if ids else None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        root = self.client.root
        entries: list[Entry] = []
        task_id = (row or {}).get("task_id")
        if is_slugid(task_id):
            entries.append(
                Link("The task itself, even if it is a decision task", Task(str(task_id), None, root), letter="t")
            )
        if match := REPOSITORY.fullmatch(self.path):
            name, start = match[1], self.path[: match.end(1)]
            latest = IndexPath(f"{start}.latest.taskgraph.decision", root)
            entries.append(Link(f"The latest push of {name}", latest, letter="l", group=LIST))
            entries.append(
                Question(
                    f"A push of {name} by its revision…",
                    "All 40 digits",
                    lambda text: push_of(name, text, root),
                    letter="r",
                    group=LIST,
                )
            )
        if self.path:
            above = IndexNamespace(self.path.rpartition(".")[0], root)
            entries.append(Link("One level up", above, letter="u", group=LIST))
        hint = "e.g. gecko.v2.autoland.latest"
        label = "Another path of the index…"
        entries.append(Question(label, hint, self._read_path, self.path, letter="p", group=LIST))
        return entries

    def _read_path(self, text: str) -> IndexPath | IndexNamespace:
        path = text.strip().strip(".")
        if path and INDEX_PATH.fullmatch(path) is None:
            raise UsageError("This is not a path of the index.", "Names with dots between, e.g. gecko.v2.autoland.")
        return IndexPath(path, self.client.root) if path else IndexNamespace("", self.client.root)

    def row_title(self, row: Row) -> str:
        return str(row.get("name") or "")

    def web_url(self, row: Row | None = None) -> str:
        path = self.path if row is None else str(row.get("path") or "")
        if row is not None and row.get("kind") == "task":
            path = "/".join(path.rpartition(".")[::2])
        return f"{self.client.root}/tasks/index/{escape(path, safe='/')}".rstrip("/")

    def summary(self, frame: pl.DataFrame) -> str:
        counts = dict(frame["kind"].value_counts().iter_rows())
        return " · ".join(
            f"{counts[kind]:,} {kind}{'s' * (counts[kind] != 1)}" for kind in ("namespace", "task") if kind in counts
        )


def has_entries(client: Client, path: str, cancel: CancelToken | None) -> bool:
    """Whether anything is below that path: to the index every other path is an empty namespace."""
    try:
        return any(
            entries for kind in ("namespaces", "tasks") for entries, _, _ in client.fetch_index(kind, path, cancel)
        )
    except NotFoundError:
        return False


def push_of(repository: str, revision: str, root: str) -> PushGroup:
    """A push by what a user types. Raises `UsageError` unless it is a full revision."""
    digits = revision.strip().lower()
    if FULL_REVISION.fullmatch(digits) is None:
        raise UsageError(
            "Taskcluster's index finds a push by all 40 digits of its revision only.", "Paste the full revision."
        )
    return PushGroup(repository, digits, root)
