"""Fills a store and brings it up to date: each step fetches what the store lacks, and stores responses as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

import polars as pl

from backends.cancel import CancelToken
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NetworkError,
    OfflineError,
    RateLimitedError,
    RequestTimeoutError,
)
from backends.pool import map_concurrently
from backends.treeherder.datasets import decode
from backends.treeherder.datasets.client import (
    JOBS_PER_REQUEST,
    PUSHES_PER_REQUEST,
    SUMMARIES_PER_PAGE,
    DatasetClient,
)
from backends.treeherder.datasets.fetch_log import FetchRecord, extend_coverage, now
from backends.treeherder.datasets.signature_groups import shared_rows
from backends.treeherder.datasets.store import DAY, DatasetStore
from backends.treeherder.datasets.tables import MEASUREMENTS
from backends.treeherder.datasets.update_plan import UpdateOptions, UpdatePlan, ceil_div

ROWS_PER_COMMIT = 200_000  # measurements kept in memory before they are written: some 15 MB
SERIES_PER_COMMIT = 400  # each covers all days: a commit rewrites every day's file
RESPONSES_PER_COMMIT = 50  # what is not written is fetched again after a kill

Item = TypeVar("Item")
Reply = TypeVar("Reply")
Frames = list[pl.DataFrame]
Records = list[FetchRecord]


@dataclass(frozen=True)
class BatchResult(Generic[Item, Reply]):
    """The reply for some items, or the error of an item that fails even when it is requested alone."""

    items: Sequence[Item]
    reply: Reply | None
    error: HttpError | None = None


def fetch_batch(
    fetch: Callable[[Sequence[Item], CancelToken], Reply], items: Sequence[Item], cancel: CancelToken
) -> list[BatchResult[Item, Reply]]:
    """The results of one batch. If it fails, it is requested again in halves, down to single items: Treeherder's
    requests end after 30 seconds, and nobody knows how much fits into them.

    Raises errors that every other batch would have, too: no network, no permission, too many requests, cancelled.
    """
    try:
        return [BatchResult(items, fetch(items, cancel))]
    except HttpError as error:
        if _affects_all(error):
            raise
        if len(items) == 1:
            return [BatchResult(items, None, error)]
    half = len(items) // 2
    return [*fetch_batch(fetch, items[:half], cancel), *fetch_batch(fetch, items[half:], cancel)]


def _affects_all(error: HttpError) -> bool:
    if isinstance(error, AccessDeniedError | OfflineError | RateLimitedError):
        return True
    return isinstance(error, NetworkError) and not isinstance(error, RequestTimeoutError)


def split_batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@dataclass
class UpdateReport:
    """What an update did. `failures`: (what was requested, why it failed), each in the fetch log as an error.
    `notes`: sentences on what was requested and does not exist."""

    requests: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.rows.items() if count)
        return f"{self.requests:,} request{'s' * (self.requests != 1)}: {rows or 'nothing new'}."


def update_dataset(
    path: Path,
    client: DatasetClient,
    options: UpdateOptions,
    *,
    cancel: CancelToken,
    concurrency: int = 4,
    progress: Callable[[str], None],
) -> UpdateReport:
    """Fills the dataset in a directory, which is created, or brings it up to date. Raises `AppError`s."""

    def show(message: str) -> None:
        progress(f"{client.requests:,} request{'s' * (client.requests != 1)}: {message}")

    with DatasetStore(path, create=True) as store:
        return DatasetUpdate(store, client, options, cancel=cancel, concurrency=concurrency, progress=show).run()


class DatasetUpdate:
    """One run. `progress` is called with short sentences."""

    def __init__(
        self,
        store: DatasetStore,
        client: DatasetClient,
        options: UpdateOptions,
        *,
        cancel: CancelToken,
        concurrency: int = 4,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._store, self._client, self._options = store, client, options
        self._cancel, self._concurrency, self._progress = cancel, concurrency, progress
        self._plan = UpdatePlan(store, options)
        self._repository = options.repository
        self.report = UpdateReport()

    def run(self) -> UpdateReport:
        """All steps. Raises `AppError`s that would stop every other request; what was fetched before is stored."""
        steps = (
            self._fetch_repository_id,
            self._fetch_signatures,
            self._fetch_pushes,
            self._fetch_measurements,
            self._fetch_exact_values,
            self._fetch_submit_times,
            self._fetch_jobs,
            self._fetch_alerts,
            self._cache_shared_rows,
            self._note_absent,
        )
        try:
            for step in steps:
                self._cancel.check()
                with self._store.reading():
                    step()
        finally:
            self.report.requests = self._client.requests
        return self.report

    def _commit(self, frames: dict[str, pl.DataFrame], records: Records, *, report: bool = True) -> None:
        self._store.commit(self._repository, frames, records, cancel=self._cancel)
        for name, rows in frames.items() if report else ():
            self.report.rows[name] = self.report.rows.get(name, 0) + len(rows)

    def _success(
        self, endpoint: str, key: str, rows: int, covers_from: int | None = None, covers_to: int | None = None
    ) -> FetchRecord:
        status = "ok" if rows else "empty"
        return FetchRecord(self._repository, endpoint, key, status, now(), rows, covers_from, covers_to)  # type: ignore[arg-type]

    def _failure(self, endpoint: str, key: str, error: HttpError) -> FetchRecord:
        self.report.failures.append((f"{endpoint} {key}".strip(), error.sentence))
        return FetchRecord(self._repository, endpoint, key, "error", now(), reason=error.reason)

    def _fetch_all(
        self,
        batches: Sequence[Sequence[Item]],
        fetch: Callable[[Sequence[Item], CancelToken], Reply],
        decode_reply: Callable[[Sequence[Item], Reply], tuple[pl.DataFrame, Records]],
        commit: Callable[[Frames, Records], None],
        *,
        failure: tuple[str, Callable[[Item], str]],
        noun: str,
        max_rows: int = ROWS_PER_COMMIT,
        max_responses: int = RESPONSES_PER_COMMIT,
    ) -> bool:
        """Fetches, decodes and commits all batches, a number of responses at a time; whether none failed.

        `failure`: the endpoint in the fetch log, and an item's key there. What has arrived is committed even if an
        error ends it, but not if it is cancelled.
        """
        frames, records, done, failed = Frames(), Records(), 0, False
        total = sum(map(len, batches))
        try:
            for count, result in enumerate(self._fetch_batches(batches, fetch), 1):
                done += len(result.items)
                if result.reply is None:
                    assert result.error is not None
                    failed = True
                    records += [self._failure(failure[0], failure[1](item), result.error) for item in result.items]
                else:
                    rows, successes = decode_reply(result.items, result.reply)
                    frames.append(rows)
                    records += successes
                if sum(map(len, frames)) >= max_rows or count % max_responses == 0:
                    commit(frames, records)
                    frames, records = [], []
                self._progress(f"{done:,} of {total:,} {noun}")
        finally:
            if (frames or records) and not self._cancel.cancelled:
                commit(frames, records)
        return not failed

    def _fetch_batches(
        self, batches: Sequence[Sequence[Item]], fetch: Callable[[Sequence[Item], CancelToken], Reply]
    ) -> Iterator[BatchResult[Item, Reply]]:
        """The results as they arrive."""
        for results in map_concurrently(
            lambda batch, cancel: fetch_batch(fetch, batch, cancel), batches, self._cancel, workers=self._concurrency
        ):
            yield from chain.from_iterable(results)

    def _fetch_repository_id(self) -> None:
        """First, because an unknown repository makes most endpoints fail with server errors."""
        if self._store.log.fact(self._id_key) is None:
            number = self._client.repository_id(self._cancel)
            with self._store.log.exclusive(self._cancel):
                self._store.log.set_fact(self._id_key, str(number))

    @property
    def _id_key(self) -> str:
        return f"repository-id:{self._repository}"

    def _fetch_signatures(self) -> None:
        options, endpoint = self._options, self._options.endpoint("signatures")
        if self._plan.has_list(endpoint):
            return
        self._progress("fetching the signatures")
        reply = self._client.signatures(options.frameworks, max(1, now() - options.since), self._cancel)
        rows = decode.signature_rows(reply)
        self._commit({"signatures": rows}, [self._success(endpoint, "", len(rows), options.since, options.until)])

    def _fetch_pushes(self) -> None:
        for since, until, newer in self._plan.push_spans():
            _, newest = extend_coverage(self._plan.outcome("pushes"), since, until)
            for page in self._client.push_pages(since, until, self._cancel):
                oldest = min(push.push_timestamp for push in page)
                self._progress(f"{len(page):,} pushes listed")
                # Going back in time every page extends the known span; a newer span closes its gap only when complete.
                records = [] if newer else [self._success("pushes", "", len(page), oldest, newest)]
                self._commit({"pushes": decode.push_rows(page)}, records)
            covered = extend_coverage(self._plan.outcome("pushes"), since, until)
            self._commit({}, [self._success("pushes", "", len(self._plan.pushes()), *covered)])

    def _fetch_measurements(self) -> None:
        options, endpoint = self._options, self._options.endpoint("pairs")
        pushed = dict(self._plan.pushes_to_fetch(self._plan.pushes()))

        def decode_reply(
            pushes: Sequence[int], reply: dict[str, list[decode.PushDatum]]
        ) -> tuple[pl.DataFrame, Records]:
            rows = decode.measurement_rows(reply, now()).filter(pl.col("push_id").is_in(list(pushes)))
            counts = dict(rows["push_id"].value_counts().rows())
            return rows, [
                self._success(endpoint, str(push), counts.get(push, 0), pushed[push], pushed[push]) for push in pushes
            ]

        self._fetch_all(
            split_batches(list(pushed), PUSHES_PER_REQUEST),
            lambda pushes, cancel: self._client.measurements(pushes, options.frameworks, cancel),
            decode_reply,
            lambda frames, records: self._commit({"pairs": pl.concat(frames)} if frames else {}, records),
            failure=(endpoint, str),
            noun="pushes",
        )

    def _fetch_exact_values(self) -> None:
        """The values that two decimals distort, with all their digits: one request per signature."""
        since = dict(self._plan.series_to_fetch())

        def decode_reply(ids: Sequence[int], reply: list[decode.SeriesReply]) -> tuple[pl.DataFrame, Records]:
            rows = decode.exact_rows(reply, now())
            return rows, [self._success("digits", str(ids[0]), len(rows), since[ids[0]], self._options.until)]

        def commit(frames: Frames, records: Records) -> None:
            """Only values that the store has: a push that failed would otherwise look measured by one signature."""
            tables = {}
            if frames:
                known = self._store.scan("pairs", self._repository).select("datum_id")
                tables["pairs"] = pl.concat(frames).lazy().join(known, on="datum_id", how="semi").collect()
            self._commit(tables, records, report=False)

        self._fetch_all(
            [[number] for number in since],
            lambda ids, cancel: self._client.series(ids[0], since[ids[0]], cancel),
            decode_reply,
            commit,
            failure=("digits", str),
            noun="series with all digits",
            max_rows=2 * ROWS_PER_COMMIT,
            max_responses=SERIES_PER_COMMIT,
        )

    def _fetch_submit_times(self) -> None:
        self._fill_submit_times_from_jobs()
        if self._options.jobs == "all":
            return  # the jobs have them
        spans = self._plan.submit_spans()
        if not spans or not self._plan.job_requests().use_lists:
            return
        days = [[(framework, day) for day in days] for framework, days in sorted(spans, key=lambda span: span[1])]

        def fetch(span: Sequence[tuple[int, int]], cancel: CancelToken) -> list[decode.SubmitTimesReply]:
            framework, first, last = span[0][0], span[0][1], span[-1][1]
            # One second more on both sides, because the server excludes the bounds.
            return self._client.submit_times(framework, first - 1, last + DAY + 1, cancel)

        def decode_reply(
            span: Sequence[tuple[int, int]], reply: list[decode.SubmitTimesReply]
        ) -> tuple[pl.DataFrame, Records]:
            rows = decode.submit_time_rows(reply)
            return rows, [
                self._success("submit_times", f"{framework}:{day}", len(rows), day, day + DAY)
                for framework, day in span
            ]

        self._fetch_all(
            days,
            fetch,
            decode_reply,
            self._commit_submit_times,
            failure=("submit_times", lambda item: f"{item[0]}:{item[1]}"),
            noun="days of submission times",
        )

    def _commit_submit_times(self, frames: Frames, records: Records) -> None:
        """Several frameworks at once, because a commit rewrites each day's file."""
        covered = [record.covers_from for record in records if record.covers_from is not None]
        if not frames or not covered:
            self._commit({}, records)
            return
        since, until = min(covered), max(covered) + DAY
        times = pl.concat(frames).unique("job_id", keep="first").lazy()
        lacking = self._without_submit_time().filter(pl.col("push_ts").is_between(since, until, closed="left"))
        rows = lacking.drop("submit_ts").join(times, on="job_id").select(list(MEASUREMENTS.columns)).collect()
        self._commit({"pairs": rows}, records, report=False)

    def _without_submit_time(self) -> pl.LazyFrame:
        rows = self._store.scan("pairs", self._repository)
        return rows.filter(pl.col("submit_ts").is_null(), pl.col("job_id").is_not_null())

    def _fill_submit_times_from_jobs(self) -> None:
        """A day at a time: the measurements whose job is known get its submission time."""
        times = (
            self._store.scan("jobs", self._repository)
            .filter(pl.col("submit_timestamp") > 0)
            .select("job_id", pl.col("submit_timestamp").alias("submit_ts"))
            .collect()
            .lazy()
        )
        lacking = self._without_submit_time()
        days = lacking.join(times, on="job_id", how="semi").select(pl.col("day").unique().sort()).collect()
        for day in days["day"]:
            rows = lacking.filter(pl.col("day") == day).drop("submit_ts").join(times, on="job_id")
            self._commit({"pairs": rows.select(list(MEASUREMENTS.columns)).collect()}, [], report=False)

    def _fetch_jobs(self) -> None:
        """In two rounds at most: the busiest push may only be known when it is known when its jobs were submitted."""
        first = self._plan.job_requests().jobs
        self._fetch_job_details(first)
        if self._options.jobs != "sample" or not first:
            return
        if more := sorted(set(self._plan.job_requests().jobs) - set(first)):
            self._fetch_job_details(more)

    def _fetch_job_details(self, jobs: list[int]) -> None:
        complete = self._fetch_all(
            split_batches(jobs, JOBS_PER_REQUEST),
            lambda ids, cancel: self._client.jobs(ids, cancel),
            lambda ids, reply: (decode.job_rows(reply, ids, now()), []),
            lambda frames, records: self._commit({"jobs": pl.concat(frames)} if frames else {}, records),
            failure=("jobs", lambda number: ""),
            noun="jobs",
        )
        if jobs and complete:
            self._commit({}, [self._success("jobs", "", len(jobs))])
        if jobs or self._options.jobs == "all":
            self._fill_submit_times_from_jobs()

    def _fetch_alerts(self) -> None:
        for monitored, endpoint in self._options.alert_lists():
            if not self._plan.has_list(endpoint):
                self._fetch_alert_list(endpoint, monitored=monitored)

    def _fetch_alert_list(self, endpoint: str, *, monitored: bool) -> None:
        covered = extend_coverage(self._plan.outcome(endpoint), self._options.since, self._options.until)
        repository_id, timerange = int(self._store.log.fact(self._id_key) or 0), self._plan.alert_timerange(endpoint)
        total = 0

        def fetch(pages: Sequence[int], cancel: CancelToken) -> decode.JsonPage:
            return self._client.alert_summaries(repository_id, pages[0], timerange, monitored, cancel)

        def store(page: decode.JsonPage) -> pl.DataFrame:
            nonlocal total
            summaries, alerts = decode.alert_rows(page.results, monitored=monitored)
            self._commit({"alert_summaries": summaries, "alerts": alerts}, [])
            total += len(summaries)
            return summaries

        first = fetch([1], self._cancel)
        store(first)
        complete = self._fetch_all(
            [[page] for page in range(2, ceil_div(first.count or 0, SUMMARIES_PER_PAGE) + 1)],
            fetch,
            lambda pages, page: (store(page), []),
            lambda frames, records: self._commit({}, records),
            failure=(endpoint, lambda page: ""),
            noun="pages of alert summaries",
        )
        if complete:
            self._commit({}, [self._success(endpoint, "", total, *covered)])

    def _cache_shared_rows(self) -> None:
        """Last, so that no view has to wait for it."""
        if self._store.files("pairs", self._repository):
            self._progress("finding signatures that share their rows")
            shared_rows(self._store, self._repository)

    def _note_absent(self) -> None:
        """What was requested and the repository does not have, which "nothing new" would not say."""
        if self.report.failures:
            return  # it is not known
        since = f"{datetime.fromtimestamp(self._options.since, UTC):%Y-%m-%d}"
        if self._plan.pushes().is_empty():
            self.report.notes.append(f"{self._repository} has no pushes since {since}.")
        signatures = self._store.scan("signatures", self._repository)
        known = signatures.select(pl.col("framework_id").unique()).collect()["framework_id"].to_list()
        for number in sorted(set(self._options.frameworks) - set(known)):
            self.report.notes.append(f"Since {since} {self._repository} has no signatures of framework {number}.")
