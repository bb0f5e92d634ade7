"""What all lists of a Treeherder have in common: the server, its locators and addresses, and how details read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from backends.errors import UsageError
from backends.frames.formats import format_value
from backends.frames.schema import Schema
from backends.locators.perfherder import PerfherderLocator
from backends.locators.perfherder_pages import INTERVAL as INTERVAL
from backends.locators.perfherder_pages import page_url
from backends.resources import LogAddress, Resource, Row
from backends.taskcluster.locators import SLUGID, Artifact, PushGroup, Task
from backends.treeherder.client import Treeherder
from backends.treeherder.columns import FAILED_RESULTS

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

LOG = "public/logs/live_backing.log"


@dataclass(frozen=True)
class Where:
    """The server of a list. `server`: what the locator named, "" for the configured one; it goes into every locator
    made there. `root`: the Taskcluster of all its tasks, "" where each repository names its own. `dataset`: the
    directory of the dataset that was looked at last, "" if none was."""

    http: Http
    base: str
    server: str = ""
    root: str = ""
    dataset: str = ""


class TreeherderList(Resource):
    """Base of all lists of a Treeherder."""

    def __init__(self, locator: PerfherderLocator, where: Where) -> None:
        super().__init__(locator)
        self.treeherder = Treeherder(where.http, where.base)
        self.server = where.server
        self._fixed_root = where.root
        self.last_dataset = where.dataset

    def root_of(self, repository: str, cancel: CancelToken) -> str:
        """The Taskcluster that ran the repository's tasks, "" if it is not known."""
        return self._fixed_root or self.treeherder.taskcluster_root(repository, cancel)

    def page_url(self, page: str, query: Mapping[str, object] | Iterable[tuple[str, object]] = ()) -> str:
        """The address of one of the server's own pages."""
        return page_url(self.treeherder.base, page, query.items() if isinstance(query, Mapping) else query)

    def jobs_url(self, repository: str, revision: str, task: str = "", run: int | None = None) -> str:
        selected = f"{task}.{run or 0}" if task else ""
        return self.page_url("jobs", {"repo": repository, "revision": revision, "selectedTaskRun": selected})


def task_of(row: Row, root: str, name: str = "task_id", run: str = "run") -> Task | None:
    """The row's task in Taskcluster; None where it has none, or a text that is no id."""
    task_id = str(row.get(name) or "")
    return Task(task_id, row.get(run), root) if SLUGID.fullmatch(task_id) else None


def task_ids(rows: pl.DataFrame) -> tuple[str, ...]:
    """The tasks of these rows, each once."""
    return tuple(one for one in rows["task_id"].drop_nulls().unique(maintain_order=True) if SLUGID.fullmatch(one))


def log_of(row: Row, root: str, *, live: bool = False) -> LogAddress | None:
    """The task's log, if the deployment that keeps it is known; of a job that failed from its first error on."""
    task = task_of(row, root)
    if task is None or task.run is None or not root:
        return None
    artifact = Artifact(task.task_id, task.run, "public/logs/live.log" if live else LOG, root)
    failed = row.get("result") in FAILED_RESULTS
    return LogAddress(artifact.text(), str(row.get("name") or task.task_id), artifact, live, failed=failed)


def group_of(repository: str, revision: str) -> PushGroup:
    return PushGroup(repository, revision)


def told(row: Row, schema: Schema, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(label, text) of the cells that have a value."""
    columns = [schema[name] for name in names]
    return tuple(
        (column.label, format_value(row[column.name], column))
        for column in columns
        if row.get(column.name) not in (None, "")
    )


def counts(frame: pl.DataFrame, column: str, limit: int = 5) -> list[str]:
    """ "12 regression", the commonest first."""
    found = frame[column].drop_nulls().value_counts(name="n").sort("n", column, descending=[True, False]).head(limit)
    return [f"{n:,} {name}" for name, n in found.iter_rows()]


def need(rows: pl.DataFrame, number: int, what: str) -> None:
    """Raises `UsageError` unless exactly that many rows are marked."""
    if len(rows) != number:
        raise UsageError(f"{len(rows):,} rows are marked.", f"Mark {number} {what} with Space, then press =.")


def epoch(moment: object) -> int | None:
    """Seconds of a TIME cell of a row."""
    stamp = getattr(moment, "timestamp", None)
    return None if stamp is None else int(stamp())
