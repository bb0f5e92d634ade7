"""The index as lists: the namespaces and the tasks directly below a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import NotFoundError
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.locators.pasted import escape
from backends.locators.taskcluster import INDEX_PATH, SLUGID, IndexPath, Push, Task, TaskArtifacts
from backends.locators.taskcluster_views import IndexNamespace
from backends.resources import Detail, Document, Entry, Link, Page, Question, Resource, Row
from backends.taskcluster import tolerant
from backends.taskcluster.documents import task_document
from backends.taskcluster.paging import Paging
from backends.taskcluster.queue import Deployment
from backends.taskcluster.replies import NotTaskcluster, value_of
from backends.taskcluster.roots import api_url, segment
from backends.taskcluster.task_rows import milliseconds

if TYPE_CHECKING:
    from backends.http import Http

PAGE = 1000
REPOSITORY = re.compile(r"[a-z]+\.v2\.([A-Za-z0-9_-]+)(\..*)?")  # <trust domain>.v2.<repository>
FULL_REVISION = re.compile(r"[0-9a-f]{40}", re.ASCII)

INDEX = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=44),
        Column("kind", Kind.STATE, "Kind", width=11),  # namespace, task
        Column("task_id", Kind.ID, "Task"),
        Column("rank", Kind.NUMBER, "Rank"),
        Column("expires", Kind.TIME, "Expires"),
        Column("path", Kind.TEXT, "Path", hidden=True),
    ),
    key="key",
)


class IndexEntries(Resource):
    """What a namespace holds: namespaces first, then tasks. Enter descends, or opens a task (a decision task's group).

    A path may be both; then it has two rows.
    """

    schema = INDEX
    noun = ("entry", "entries")
    empty_text = "The index has nothing below this path. Entries expire with their tasks."

    def __init__(self, locator: IndexNamespace, http: Http, root: str) -> None:
        super().__init__(locator)
        self.path = locator.path
        self.deployment = Deployment(http, root)

    @property
    def title(self) -> str:
        return f"index {self.path or 'root'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page of the list for each of the server's. Raises `AppError`s."""
        for kind in ("namespaces", "tasks"):
            for entries, origin, note in index_pages(self.deployment, kind, self.path, cancel):
                yield Page(index_rows(entries, kind), origin, note=note)

    def open(self, row: Row) -> IndexNamespace | IndexPath | None:
        path = str(row.get("path") or "")
        if not path:
            return None
        if row.get("kind") == "namespace":
            return IndexNamespace(path, self.deployment.root)
        return IndexPath(path, self.deployment.root)

    def open_marked(self, rows: pl.DataFrame) -> TaskArtifacts | None:
        ids = tuple(one for one in rows["task_id"].to_list() if one and SLUGID.fullmatch(one))
        return TaskArtifacts(ids, self.deployment.root) if ids else None

    def document(self, row: Row) -> Document | None:
        return task_document(self.deployment, row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        root = self.deployment.root
        found: list[Entry] = []
        task_id = str((row or {}).get("task_id") or "")
        if SLUGID.fullmatch(task_id):
            found.append(Link("The task itself, even if it is a decision task", Task(task_id, None, root)))
        if branch := REPOSITORY.fullmatch(self.path):
            name, start = branch[1], self.path[: branch.end(1)]
            latest = IndexPath(f"{start}.latest.taskgraph.decision", root)
            found.append(Link(f"The latest push of {name}", latest))
            found.append(
                Question(f"A push of {name} by its revision…", "All 40 digits", lambda text: push_of(name, text, root))
            )
        if self.path:
            found.append(Link("One level up", IndexNamespace(self.path.rpartition(".")[0], root)))
        found.append(Question("Another path of the index…", "Such as gecko.v2.autoland.latest", self._named, self.path))
        return found

    def _named(self, text: str) -> IndexPath | IndexNamespace:
        path = text.strip().strip(".")
        if path and INDEX_PATH.fullmatch(path) is None:
            raise UsageError("This is no path of the index.", "Names with dots between, as gecko.v2.autoland.")
        return IndexPath(path, self.deployment.root) if path else IndexNamespace("", self.deployment.root)

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, INDEX)
        return Detail(str(row.get("name") or ""), (("Index", lines),))

    def web_url(self, row: Row | None = None) -> str:
        path = self.path if row is None else str(row.get("path") or "")
        if row is not None and row.get("kind") == "task":
            path = "/".join(path.rpartition(".")[::2])
        return f"{self.deployment.root}/tasks/index/{escape(path, safe='/')}".rstrip("/")

    def summary(self, frame: pl.DataFrame) -> str:
        counts = dict(frame["kind"].value_counts().iter_rows())
        return " · ".join(
            f"{counts[kind]:,} {kind}{'s' * (counts[kind] != 1)}" for kind in ("namespace", "task") if kind in counts
        )


def index_pages(
    deployment: Deployment, kind: str, path: str, cancel: CancelToken | None
) -> Iterator[tuple[list[dict[str, Any]], Freshness, str]]:
    """(entries, origin, what is odd) of each page of `namespaces` or `tasks` directly below a path."""
    url = api_url(deployment.root, "index", f"{kind}/{segment(path)}" if path else kind)
    paging, token, first = Paging(), "", True
    while first or token:
        params: dict[str, str | int] = {"limit": PAGE, **({"continuationToken": token} if token else {})}

        def policy(answer: Response) -> CachePolicy:
            return CachePolicy.short(60) if _has(answer, kind) else CachePolicy.never()

        answer = deployment.http.get(url, policy=policy, cancel=cancel, params=params)
        value = tolerant.members(value_of(answer))
        if not isinstance(value.get(kind), list):
            raise NotTaskcluster(answer.url, f"its JSON has no list of {kind}")
        entries = [one for one in map(tolerant.members, value[kind]) if tolerant.text(one.get("namespace"))]
        first, token = False, paging.after(value.get("continuationToken"), len(value[kind]))
        yield entries, answer.origin, paging.note


def has_entries(deployment: Deployment, path: str, cancel: CancelToken | None) -> bool:
    """Whether anything is below that path: to the index every other path is an empty namespace."""
    try:
        return any(
            entries for kind in ("namespaces", "tasks") for entries, _, _ in index_pages(deployment, kind, path, cancel)
        )
    except NotFoundError:
        return False


def index_rows(entries: list[dict[str, Any]], kind: str) -> pl.DataFrame:
    """Rows of the schema `INDEX` of one page's entries."""
    rows = []
    for one in entries:
        path = tolerant.text(one.get("namespace")) or ""
        expires, rank = tolerant.text(one.get("expires")), one.get("rank")
        number = float(rank) if isinstance(rank, int | float) and not isinstance(rank, bool) else None
        rows.append(
            (f"{kind} {path}", path.rpartition(".")[2] or path, kind.removesuffix("s"),
             tolerant.text(one.get("taskId")), number, milliseconds(expires), path)
        )  # fmt: skip
    return INDEX.frame(rows).unique("key", keep="last", maintain_order=True)


def push_of(repository: str, revision: str, root: str) -> Push:
    """A push by what a person types. Raises `UsageError` unless it is a whole revision."""
    wanted = revision.strip().lower()
    if FULL_REVISION.fullmatch(wanted) is None:
        raise UsageError("The index knows pushes by all 40 digits of their revision.", "Paste the whole revision.")
    return Push(repository, wanted, root)


def _has(answer: Response, member: str) -> bool:
    try:
        return isinstance(tolerant.members(value_of(answer)).get(member), list)
    except NotTaskcluster:
        return False
