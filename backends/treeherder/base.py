"""What all lists of a Treeherder share: server, client, links to tasks and logs, words and columns; and `resolve`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import format_single, parse_quantity
from backends.frames.schema import Column, Kind, Schema
from backends.listings import Listing
from backends.locators.base import Locator
from backends.net import is_loopback
from backends.pool import map_pairs
from backends.resources import LogAddress, Row
from backends.taskcluster.locators import SLUGID, Artifact, Task
from backends.treeherder.client import TreeherderClient, revision_of_landing_job
from backends.treeherder.locators import (
    Compare,
    CompareByHash,
    CompareByLandingJob,
    LandoPush,
    PushJobs,
    PushOf,
    TreeherderLocator,
)
from backends.treeherder.web_urls import page_url

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

Item = TypeVar("Item")
Found = TypeVar("Found")

# gunicorn's sync workers are few, and nothing but our own patience limits us
map_in_parallel = partial(map_pairs, workers=6)
LOG = "public/logs/live_backing.log"
FAILED_RESULTS = ("busted", "testfailed", "exception")


@dataclass(frozen=True)
class Context:
    """The server of a list. `server`: what the locator named, "" for the configured one; it goes into every locator
    made there. `root`: the Taskcluster of all its tasks, "" where each repository names its own. `state_path`: where
    the app keeps its history."""

    http: Http
    base: str
    server: str
    root: str
    state_path: Path


def make_context(locator: Locator, http: Http, settings: Settings) -> Context:
    """The server that a locator names, or else the configured one.

    A Treeherder on this machine (a demo, a development server) names the public Taskcluster for its repositories, which
    does not know its tasks; the one on this machine does.
    """
    server: str = getattr(locator, "server", "")
    base = server or settings.treeherder_url
    local = _is_local(base) and _is_local(settings.taskcluster_root_url)
    root = settings.taskcluster_root_url.rstrip("/") if local else ""
    return Context(http, base, server, root, settings.state_path)


def _is_local(url: str) -> bool:
    return is_loopback((urlsplit(url).hostname or "") if "://" in url else "")


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken | None = None) -> Locator:
    """Only pushes by revision or landing job, and comparisons by hashes or landing jobs, have to be looked up;
    every other locator says itself what to list."""
    if not isinstance(locator, PushOf | LandoPush | CompareByHash | CompareByLandingJob):
        return locator
    client = TreeherderClient(http, locator.server or settings.treeherder_url)
    if isinstance(locator, CompareByHash | CompareByLandingJob):
        if isinstance(locator, CompareByLandingJob):
            base = revision_of_landing_job(http, locator.base, locator.instance, cancel)
            new = revision_of_landing_job(http, locator.new, locator.instance, cancel)
        else:
            hashes, days = (locator.base, locator.new), (locator.base_day, locator.new_day)
            base, new = client.find_revisions(locator.base_repository, hashes, days, cancel)
        return Compare(
            locator.base_repository, base, locator.new_repository, new, locator.framework,
            replicates=locator.replicates, server=locator.server,
        )  # fmt: skip
    revision = (
        locator.revision
        if isinstance(locator, PushOf)
        else revision_of_landing_job(http, locator.number, locator.instance, cancel)
    )
    push = client.find_push(locator.repository, revision, cancel)
    return PushJobs(locator.repository, push.id or 0, locator.server, push.revision or "")


class TreeherderList(Listing):
    """Base of all lists of a Treeherder."""

    def __init__(self, locator: TreeherderLocator, context: Context) -> None:
        super().__init__(locator)
        self.context = context
        self.client = TreeherderClient(context.http, context.base)
        self.server = context.server

    def root_of(self, repository: str, cancel: CancelToken) -> str:
        """The Taskcluster that ran the repository's tasks, "" if it is not known."""
        return self.context.root or self.client.find_taskcluster_root(repository, cancel)

    def jobs_url(self, repository: str, revision: str, task: str = "", run: int | None = None) -> str:
        """The page of a push, with a task selected."""
        selected = f"{task}.{run or 0}" if task else ""
        pairs = [("repo", repository), ("revision", revision), ("selectedTaskRun", selected)]
        return page_url(self.client.base, "jobs", pairs)

    def job_url_of(self, row: Row) -> str:
        """The page of the push of a row with `repository` and `revision`, its task selected."""
        return self.jobs_url(str(row["repository"]), str(row["revision"]), str(row.get("task_id") or ""), row["run"])


# Tasks and logs


def task_of(row: Row, root: str, name: str = "task_id", run: str = "run") -> Task | None:
    """The row's task in Taskcluster; None where it has none, or a text that is not an id."""
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
    name = row.get("name") or row.get("series") or f"task {task.task_id}"
    push = f" · {str(row['revision'])[:12]}" if row.get("revision") else ""  # many pushes have a job of that name
    return LogAddress(artifact.text(), f"log of {name}{push}", artifact, live, failed=failed)


# Columns and cells


def id_column(name: str, label: str, **options: Any) -> Column:
    """A column of the server's numbers of things. They are texts here: nobody adds them up, and a table must not write
    533,072,164. Plain filter words do not look into it: 13 is a framework and part of everything."""
    return Column(name, Kind.ID, label, searched=False, cell=pl.Int64(), **options)


def with_layout(schema: Schema, *, hidden: Collection[str] = (), **widths: int) -> Schema:
    """The same columns in the same order, some not drawn at first, some with another width."""
    columns = (
        replace(column, hidden=column.hidden or column.name in hidden, width=widths.get(column.name, column.width))
        for column in schema
    )
    return replace(schema, columns=tuple(columns))


def with_sections(schema: Schema, sections: Mapping[str, Collection[str]]) -> Schema:
    """The same columns, each in the section of the detail panel that names it."""
    section_of = {name: section for section, names in sections.items() for name in names}
    columns = tuple(replace(column, section=section_of.get(column.name, "")) for column in schema)
    return replace(schema, columns=columns)


def as_number(name: str) -> pl.Expr:
    """A column of the server's numbers, to sort by."""
    return pl.col(name).cast(pl.Int64, strict=False)


def select_schema(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The columns of a schema, in its order, with its dtypes; those that the frame lacks are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.polars().items()
    )


def join_words(parts: Iterable[str]) -> str | None:
    """Tags or options on one line; an alert's lack of tags is `[""]`."""
    return " ".join(part for part in parts if part) or None


def labeled_cells(row: Row, schema: Schema, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(label, text) of the cells that have a value."""
    columns = [schema[name] for name in names]
    return tuple(
        (column.label, format_single(row[column.name], column))
        for column in columns
        if row.get(column.name) not in (None, "")
    )


def row_words(row: Row, *names: str) -> str:
    """The cells that have a value, on one line."""
    return " ".join(str(row[name]) for name in names if row.get(name))


def count_values(frame: pl.DataFrame, column: str, limit: int = 5) -> list[str]:
    """ "12 regression", the commonest first."""
    counts = frame[column].drop_nulls().value_counts(name="n").sort("n", column, descending=[True, False]).head(limit)
    return [f"{n:,} {name}" for name, n in counts.iter_rows()]


def require_marked(rows: pl.DataFrame, number: int, what: str) -> None:
    """Raises `UsageError` unless exactly that many rows are marked."""
    if len(rows) != number:
        raise UsageError(f"{len(rows):,} rows are marked.", f"Mark {number} {what} with Space, then press =.")


# Times


def epoch_of(time: object) -> int | None:
    """Seconds of a TIME cell of a row."""
    stamp = getattr(time, "timestamp", None)
    return None if stamp is None else int(stamp())


def time_of(seconds: int | None) -> datetime | None:
    """Epoch seconds as a time. Raises `UsageError`."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{seconds} is not a Unix timestamp.") from None


def parse_seconds(text: str) -> int:
    """How far back a person means. Raises `UsageError`."""
    seconds = int(parse_quantity(text, Kind.DURATION))
    if seconds <= 0:
        raise UsageError(f"{text[:40]} is not a duration to look back.", "Enter a duration, e.g. 14d.")
    return seconds


def parse_day(text: str) -> str:
    """A day as the server takes it. Raises `UsageError`."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise UsageError(f"{text[:40]!r} is not a day.", "Write it as 2026-11-20.") from None


def format_days(seconds: int | None) -> str:
    """ "14d" """
    return f"{seconds / 86400:g}d" if seconds else ""
