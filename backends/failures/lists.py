"""Failures and clusters of failures as lists.

A failure list streams: rows come as tasks or builds have been read, in the order of the list that names them; their
clusters follow when all are known, since they depend on all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.failure_links import SINCE_LABEL, since_entries
from backends.failures.clustering import cluster, mark_varying
from backends.failures.find_subjects import Subjects, find_subjects, noun_for, source_locator
from backends.failures.locators import ClusterChanges, ClustersOf, FailuresOf, SinceOf
from backends.failures.records import REASON, Failure
from backends.failures.subjects import TROUBLES, Outcome, Subject, read_subject
from backends.frames.getters import optional
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.pool import HOST_WORKERS, map_in_order
from backends.resources import LIST, Entry, Link, LogAddress, Page, Question, Row

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

MAX_SAMPLES = 50  # texts of a cluster that are compared to mark what varies
BARS = "▁▂▃▄▅▆▇█"
TREND = 12  # bars of a trend, from the first failure of the list to the last


@dataclass(frozen=True)
class FailureContext:
    """What the lists are constructed with: the tasks and builds may be of any system."""

    http: Http
    settings: Settings


def make_context(locator: Locator, http: Http, settings: Settings) -> FailureContext:
    return FailureContext(http, settings)


class FailureRow(msgspec.Struct, gc=False):
    """A failure, of which run or build. `number`: its place among those of its run."""

    failure: Failure
    id: str
    run: int | None
    job: str
    platform: str
    time: int | None
    number: int

    @property
    def subject_key(self) -> str:
        return self.id if self.run is None else f"{self.id}/{self.run}"

    @property
    def key(self) -> str:
        return f"{self.subject_key}#{self.number}"


_TIME = pl.Int64()
FAILURES = Schema(
    (
        Column("status", Kind.STATE, "Status", width=9, section="Failure", get="failure.status"),
        Column("test", Kind.TEXT, "Test", width=34, keeps_end=True, section="Failure", get=optional("failure.test")),
        Column("message", Kind.TEXT, "Message", width=44, section="Failure", get=optional("failure.message")),
        Column("subtest", Kind.TEXT, "Subtest", width=20, section="Failure", get=optional("failure.subtest")),
        Column("job", Kind.TEXT, "Job", width=30, keeps_end=True, section="Where", get=optional("job")),
        Column("platform", Kind.TEXT, "Platform", section="Where", get=optional("platform")),
        Column("run", Kind.COUNT, "Run", section="Where", get="run"),
        Column("expected", Kind.TEXT, "Expected", searched=False, section="Failure", get=optional("failure.expected")),
        Column("group", Kind.TEXT, "Group", width=24, keeps_end=True, section="Where", get=optional("failure.group")),
        Column("known", Kind.TEXT, "Known", searched=False, section="Failure",
               get=lambda row: "intermittent" if row.failure.known else None),
        Column("retried", Kind.TEXT, "Retried", searched=False, section="Failure", get=optional("failure.retried")),
        Column("time", Kind.TIME, "Time", cell=_TIME, section="Where", get="time"),
        Column("log_line", Kind.COUNT, "Log line", section="Where", get="failure.line"),
        Column("source", Kind.TEXT, "Source", width=24, keeps_end=True, section="Where",
               get=optional("failure.source")),
        Column("cluster", Kind.ID, "Cluster", section="Cluster"),
        Column("task", Kind.ID, "Task or build", section="Where", get="id"),
        Column("signature", Kind.TEXT, "Signature", hidden=True, searched=False, section="Cluster"),
        Column("find", Kind.TEXT, "Log text", hidden=True, searched=False, get=optional("failure.find")),
    ),
    key="key",
    key_get="key",
)  # fmt: skip


def cause_text() -> pl.Expr:
    """What is clustered: subtest and message; of a failure with neither, its test and status."""
    said = pl.concat_str("subtest", "message", separator="\n", ignore_nulls=True)
    name = pl.concat_str("test", "group", "status", separator=" ", ignore_nulls=True)
    return pl.when(said.str.len_bytes() > 0).then(said).otherwise(name)


def with_clusters(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with `signature` and `cluster` filled in. Rows that tell of trouble with a source have neither, nor has
    how a run ended where other rows of it say why."""
    is_failure = ~pl.col("status").is_in(list(TROUBLES))
    is_end = pl.col("status") == REASON
    is_failure &= ~(is_end & (is_failure & ~is_end).any().over("task", "run"))
    if frame.is_empty():
        return frame
    found = cluster(frame.select(cause_text()).to_series())
    return frame.with_columns(
        pl.when(is_failure).then(found[name]).otherwise(None).alias(name) for name in ("signature", "cluster")
    )


class FailureReader:
    """Reads the tasks or builds that a locator means."""

    def __init__(self, of: str, context: FailureContext) -> None:
        self.of, self.context = of, context
        self.subjects: dict[str, Subject] = {}
        self.found: Subjects | None = None
        self._read, self._lock = 0, threading.Lock()

    @property
    def work(self) -> LoadingWork | None:
        """How many of them have been read; None until it is known which there are, and once all have been."""
        found, read = self.found, self._read
        if found is None or read >= len(found.subjects):
            return None
        return LoadingWork(read, len(found.subjects), f"failed {found.noun[1]} read")

    def frames(self, cancel: CancelToken) -> Iterator[tuple[pl.DataFrame, Freshness]]:
        """Frames of `FAILURES` without clusters, as they become known. Raises `AppError`s: of the list, and of the
        server where nothing at all could be read."""
        http = self.context.http
        found = self.found = find_subjects(self.of, http, self.context.settings, cancel)
        self.subjects = {subject.key: subject for subject in found.subjects}
        cache, freshness = http.blob_cache(), found.freshness
        errors: list[HttpError] = []
        self.errors, self._read = errors, 0

        def read(subject: Subject, own: CancelToken) -> tuple[Subject, Outcome]:
            outcome = read_subject(subject, cache, own)
            with self._lock:
                self._read += 1
            return subject, outcome

        for batch in map_in_order(read, found.subjects, cancel, HOST_WORKERS):
            cancel.check()
            errors += [outcome.error for _, outcome in batch if outcome.error is not None]
            if errors and len(errors) == len(found.subjects) and errors[0].retryable:
                raise errors[0]
            for _, outcome in batch:
                freshness = freshness.worse(outcome.freshness)
            yield FAILURES.build([row for subject, outcome in batch for row in _rows(subject, outcome)]), freshness

    def notes(self) -> str:
        found = self.found
        assert found is not None
        failed = noun_for(len(found.subjects), found.noun)
        parts = [f"{failed} of {found.total:,} read.", *found.notes]
        if self.errors:
            parts.append(f"{len(self.errors):,} could not be read completely: {self.errors[0].sentence}")
        return " ".join(parts)

    @property
    def is_partial(self) -> bool:
        return bool(self.errors) or (self.found is not None and self.found.partial)


def _rows(subject: Subject, outcome: Outcome) -> list[FailureRow]:
    return [
        FailureRow(one, subject.id, subject.run, subject.job, subject.platform, one.time or subject.time, number)
        for number, one in enumerate(outcome.failures)
    ]


class FailureList(Listing):
    """Columns are those of `FAILURES`. Enter opens the log at the failure."""

    schema = FAILURES
    noun = ("failure", "failures")
    empty_text = "Nothing failed here."
    locator: FailuresOf

    def __init__(self, locator: FailuresOf, context: FailureContext) -> None:
        super().__init__(locator)
        self.context = context
        self._reader = FailureReader(locator.of, context)

    @property
    def work(self) -> LoadingWork | None:
        return self._reader.work

    @property
    def title(self) -> str:
        found = self._reader.found
        some = f"cluster {self.locator.cluster[:8]} of " if self.locator.cluster else ""
        return f"failures of {some}{found.title if found is not None else self.locator.of}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """As they are read; the last page has the clusters. Of one cluster only that page, since no row is known to be
        of it before."""
        frames, freshness = [FAILURES.empty()], Freshness()
        only = self.locator.cluster
        for frame, freshness in self._reader.frames(cancel):
            frames.append(frame)
            if not only and not frame.is_empty():
                yield Page(frame, freshness)
        rows = with_clusters(pl.concat(frames))
        if only:
            rows = rows.filter(pl.col("cluster") == only)
        partial = self._reader.is_partial
        yield Page(rows, freshness, len(rows), replace=True, note=self._reader.notes(), partial=partial)

    def _subject(self, row: Row) -> Subject | None:
        return self._reader.subjects.get(str(row["key"]).rpartition("#")[0])

    def open(self, row: Row) -> Locator | None:
        subject = self._subject(row)
        return None if subject is None else subject.opens

    def log(self, row: Row) -> LogAddress | None:
        subject = self._subject(row)
        if subject is None or subject.log is None:
            return None
        line = row.get("log_line")
        return replace(subject.log, line=line, find="" if line is not None else str(row.get("find") or ""))

    def shows(self, row: Row) -> LogAddress | Locator | None:
        return self.log(row) or self.open(row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries: list[Entry] = []
        if row is not None and (opens := self.open(row)) is not None:
            entries.append(Link("Its task or build", opens, letter="t"))
        subject = self._subject(row) if row is not None else None
        entries += subject.links if subject is not None else ()
        if row is not None and row.get("cluster"):
            if not self.locator.cluster:
                same = FailuresOf(self.locator.of, str(row["cluster"]))
                entries.append(Link("Failures of the same cluster", same, letter="m"))
            entries += self._since_entries(row)
        return [*entries, Link("All these failures in clusters", ClustersOf(self.locator.of), letter="K", group=LIST)]

    def _since_entries(self, row: Row) -> list[Entry]:
        """Of the row's test in its job; of a failure without one, of its cluster."""
        opens, test = self.open(row), str(row.get("test") or "")
        if opens is not None and test:
            return since_entries(opens, test)
        return [Link(SINCE_LABEL, SinceOf(self.locator.of, cluster=str(row["cluster"])), letter="S")]

    def row_title(self, row: Row) -> str:
        return str(row.get("test") or row.get("job") or row["task"])

    def summary(self, frame: pl.DataFrame) -> str:
        """ "35 failures in 6 clusters · 12 tests"."""
        failures = frame.filter(~pl.col("status").is_in(list(TROUBLES)))
        clusters, tests = failures["cluster"].drop_nulls().n_unique(), failures["test"].drop_nulls().n_unique()
        parts = [
            noun_for(len(failures), self.noun) + (f" in {noun_for(clusters, ClusterList.noun)}" if clusters else "")
        ]
        parts += [noun_for(tests, ("test", "tests"))] if tests else []
        troubles = len(frame) - len(failures)
        return " · ".join([*parts, *([noun_for(troubles, ("source", "sources")) + " unread"] if troubles else [])])


CLUSTERS = Schema(
    (
        Column("failures", Kind.COUNT, "Failures", section="Cluster"),
        Column("text", Kind.TEXT, "Text", width=46, section="Cluster"),
        Column("tests", Kind.COUNT, "Tests", section="Cluster"),
        Column("tasks", Kind.COUNT, "Tasks", section="Cluster"),
        Column("jobs", Kind.COUNT, "Jobs", section="Cluster"),
        Column("platforms", Kind.COUNT, "Platforms", section="Cluster"),
        Column("share", Kind.NUMBER, "Share", "%", section="Cluster"),
        Column("trend", Kind.TEXT, "Trend", width=TREND, searched=False, section="Times"),
        Column("first", Kind.TIME, "First", section="Times"),
        Column("last", Kind.TIME, "Last", section="Times"),
        Column("known", Kind.COUNT, "Known", section="Cluster"),
        Column("test_names", Kind.TEXT, "Names of tests", width=40, section="Cluster"),
        Column("platform_names", Kind.TEXT, "Names of platforms", hidden=True, section="Cluster"),
        Column("signature", Kind.TEXT, "Signature", hidden=True, searched=False, section="Cluster"),
        Column("cluster", Kind.ID, "Cluster", section="Cluster"),
    ),
    key="cluster",
)


def count_clusters(failures: pl.DataFrame) -> pl.DataFrame:
    """One row a cluster (`CLUSTERS`) of rows of `FAILURES` with clusters, the largest first, then by text.

    `share`: of all failures, in percent. `trend`: failures over the time from the first to the last of the list.
    `text`: the first failure's, with «» around the words that vary between those of the cluster.
    """
    rows = failures.filter(pl.col("cluster").is_not_null()).with_columns(text=cause_text())
    if rows.is_empty():
        return CLUSTERS.empty()
    begin, end = rows["time"].min(), rows["time"].max()
    span = (pl.col("time") - begin).dt.total_milliseconds() / max(_milliseconds(begin, end), 1)
    rows = rows.with_columns(bar=(span * TREND).floor().clip(0, TREND - 1).cast(pl.Int64))
    names = {column: pl.col(column).drop_nulls().unique(maintain_order=True) for column in ("test", "platform")}
    grouped = (
        rows.group_by("cluster", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("failures"),
            pl.col("test").drop_nulls().n_unique().cast(pl.Int64).alias("tests"),
            pl.col("task").n_unique().cast(pl.Int64).alias("tasks"),
            pl.col("job").drop_nulls().n_unique().cast(pl.Int64).alias("jobs"),
            pl.col("platform").drop_nulls().n_unique().cast(pl.Int64).alias("platforms"),
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.col("known").is_not_null().sum().cast(pl.Int64).alias("known"),
            names["test"].head(20).str.join(" ").alias("test_names"),
            names["platform"].head(20).str.join(" ").alias("platform_names"),
            pl.col("signature").mode().sort().first().alias("signature"),
            pl.col("text").unique(maintain_order=True).head(MAX_SAMPLES).alias("texts"),
            pl.col("bar").alias("bars"),
        )
        .with_columns(share=100 * pl.col("failures") / len(rows))
        .sort("failures", "signature", descending=[True, False])
    )
    texts = [mark_varying(texts) for texts in grouped["texts"].to_list()]
    trends = [sparkline(bars) for bars in grouped["bars"].to_list()]
    grouped = grouped.with_columns(text=pl.Series(texts, dtype=pl.String), trend=pl.Series(trends, dtype=pl.String))
    return grouped.select(pl.col(name).cast(dtype) for name, dtype in CLUSTERS.polars().items())


FAILURE_COUNTS = Schema(
    (
        Column("name", Kind.TEXT, "Name", width=60, keeps_end=True),
        Column("failures", Kind.COUNT, "Failures"),
        Column("clusters", Kind.COUNT, "Clusters"),
        Column("tests", Kind.COUNT, "Tests"),
        Column("tasks", Kind.COUNT, "Tasks"),
        Column("message", Kind.TEXT, "First message", width=60),
    ),
    key="name",
)


def count_failures(failures: pl.DataFrame, by: str) -> pl.DataFrame:
    """One row (`FAILURE_COUNTS`) for each test, or (`by` "task") each task or build, the most failures first."""
    rows = failures.filter(~pl.col("status").is_in(list(TROUBLES))).with_columns(said=cause_text())
    task = pl.concat_str("job", "task", separator=" ", ignore_nulls=True)
    name = pl.coalesce("test", pl.lit("(no test)")) if by == "test" else task
    counts = rows.group_by(name.alias("name"), maintain_order=True).agg(
        pl.len().alias("failures"),
        pl.col("cluster").drop_nulls().n_unique().alias("clusters"),
        pl.col("test").drop_nulls().n_unique().alias("tests"),
        pl.col("task").n_unique().alias("tasks"),
        pl.col("said").first().alias("message"),
    )
    counts = counts.sort("failures", "name", descending=[True, False])
    return counts.select(pl.col(name).cast(dtype) for name, dtype in FAILURE_COUNTS.polars().items())


def _milliseconds(begin: object, end: object) -> float:
    seconds = (end - begin).total_seconds() if begin is not None and end is not None else 0.0  # type: ignore[operator]
    return float(seconds * 1000)


def sparkline(bars: Sequence[int | None]) -> str:
    """`bars`: for each failure the number of its part of the time. "" without times."""
    counts = [0] * TREND
    for bar in bars:
        if bar is not None:
            counts[bar] += 1
    top = max(counts)
    return "".join(BARS[-(-count * (len(BARS) - 1) // top)] if count else " " for count in counts) if top else ""


class ClusterList(Listing):
    """Columns are those of `CLUSTERS`. Enter lists the failures of a cluster."""

    schema = CLUSTERS
    noun = ("cluster", "clusters")
    empty_text = "Nothing failed here."
    locator: ClustersOf

    def __init__(self, locator: ClustersOf, context: FailureContext) -> None:
        super().__init__(locator)
        self.context = context
        self._reader = FailureReader(locator.of, context)
        self._failures = 0

    @property
    def work(self) -> LoadingWork | None:
        return self._reader.work

    @property
    def title(self) -> str:
        found = self._reader.found
        return f"failure clusters of {found.title if found is not None else self.locator.of}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The clusters of what has been read so far, whenever that is half as much again, then of all."""
        frames, freshness, shown, count = [FAILURES.empty()], Freshness(), 0, 0
        for frame, freshness in self._reader.frames(cancel):
            frames.append(frame)
            count += len(frame)
            if count >= max(2 * shown, 50):
                shown = count
                yield Page(count_clusters(with_clusters(pl.concat(frames))), freshness, replace=True)
        rows = with_clusters(pl.concat(frames))
        clusters = count_clusters(rows)
        note = self._reader.notes()
        if troubles := len(rows) - int(clusters["failures"].sum()):
            note += f" {troubles:,} rows tell of sources or of how a run ended and are in no cluster."
        yield Page(clusters, freshness, len(clusters), replace=True, note=note, partial=self._reader.is_partial)

    def open(self, row: Row) -> FailuresOf:
        return FailuresOf(self.locator.of, str(row["cluster"]))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        source = source_locator(self.locator.of, self.context.settings)
        asks = "The base: a task group, a push, a job or any other list of tasks or builds"
        since = SinceOf(self.locator.of, cluster=str(row["cluster"])) if row is not None else None
        return [
            *([Link(SINCE_LABEL, since, letter="S")] if since is not None else []),
            Link("All failures", FailuresOf(self.locator.of), letter="Y", group=LIST),
            Link("What failed", source, letter="w", group=LIST),
            Question("Compare with the failures of…", asks, self._compare_with, letter="v", group=LIST),
        ]

    def _compare_with(self, text: str) -> ClusterChanges:
        base = source_locator(text, self.context.settings)
        return ClusterChanges(base.text(), source_locator(self.locator.of, self.context.settings).text())

    def row_title(self, row: Row) -> str:
        return str(row.get("text") or row["cluster"])

    def summary(self, frame: pl.DataFrame) -> str:
        """ "35 failures in 6 clusters"."""
        count = int(frame["failures"].sum())
        return f"{noun_for(count, FailureList.noun)} in {noun_for(len(frame), self.noun)}"
