"""What an update has to fetch: which pushes, series, submission times and jobs a store lacks, and how many requests
that takes (--dry-run)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.client import (
    JOBS_PER_REQUEST,
    PUSHES_PER_PAGE,
    PUSHES_PER_REQUEST,
    SUMMARIES_PER_PAGE,
    DatasetClient,
)
from backends.treeherder.datasets.dataset import PushWindow, pushes_by_signatures
from backends.treeherder.datasets.fetch_log import FetchOutcome, now
from backends.treeherder.datasets.store import DAY, DatasetStore
from backends.treeherder.datasets.tables import EXPIRED, SECONDS

JobSelection = Literal["sample", "all", "none"]
DigitSelection = Literal["small", "all", "none"]
SMALL = 1.0  # two decimals change a value below this by more than half a percent
JOBS_LIVE = 120 * DAY  # Treeherder's DEFAULT_CYCLE_INTERVAL
LATE = 3600  # a push may be listed that much later than it was made
DAYS_PER_SPAN = 4  # of one request for submission times
FRAMEWORKS = 11  # enabled in 2026


@dataclass(frozen=True)
class UpdateOptions:
    """What an update covers.

    `since`, `until`: push times, epoch seconds. `frameworks`: ids, none means all. `jobs`: the details of which jobs
    (sample: three per signature and those of the busiest push, which the original's statistics rest on). `digits`: the
    signatures whose values are fetched with all digits, one request each; small: those with a value below `SMALL`.
    `min_refetch_interval`: what was fetched within so many seconds is not fetched again. `final_after`: a push that was
    this much older (seconds) than its last response is final; before, backfills and retriggers may add to it.
    """

    repository: str
    since: int
    until: int
    frameworks: tuple[int, ...] = ()
    jobs: JobSelection = "sample"
    alerts: bool = True
    monitored: bool = False
    min_refetch_interval: int = 600
    final_after: int = 7 * DAY
    alerts_final_after: int = 60 * DAY
    digits: DigitSelection = "small"

    def endpoint(self, name: str) -> str:
        """The endpoint in the fetch log of requests for these frameworks alone."""
        return name + "".join(f":{number}" for number in sorted(self.frameworks))

    def alert_lists(self) -> list[tuple[bool, str]]:
        """(monitored, endpoint in the fetch log) of the lists of alert summaries to fetch."""
        lists = [(False, "alerts"), (True, "alerts:monitored")]
        return lists[: int(self.alerts) + int(self.alerts and self.monitored)]


@dataclass(frozen=True)
class JobRequests:
    """The jobs to fetch if lists provide the submission times that are not known, and those if there are no lists."""

    lists: int
    with_lists: list[int]
    without_lists: list[int]

    @property
    def more_jobs(self) -> int:
        """How many more requests for jobs there are without lists."""
        return ceil_div(len(self.without_lists), JOBS_PER_REQUEST) - ceil_div(len(self.with_lists), JOBS_PER_REQUEST)

    @property
    def use_lists(self) -> bool:
        return self.lists <= self.more_jobs

    @property
    def jobs(self) -> list[int]:
        return self.with_lists if self.use_lists else self.without_lists


class UpdatePlan:
    """What the store lacks now, by its tables and its fetch log. Nothing here makes a request."""

    def __init__(self, store: DatasetStore, options: UpdateOptions) -> None:
        self.store, self.options = store, options

    def outcome(self, endpoint: str) -> FetchOutcome | None:
        """How the last request for a complete list ended."""
        return self.store.log.outcomes(self.options.repository, endpoint).get("")

    def has_list(self, endpoint: str) -> bool:
        """Whether a complete list (signatures, alert summaries) was fetched lately and far enough back."""
        last, options = self.outcome(endpoint), self.options
        return (
            last is not None
            and last.status != "error"
            and last.fetched_at is not None
            and last.covers_from is not None
            and last.covers_from <= options.since
            and options.until - last.fetched_at < options.min_refetch_interval
        )

    def has_push(self, last: FetchOutcome | None, pushed: int) -> bool:
        """Whether what was fetched about a push of that time is still valid."""
        if last is None or last.fetched_at is None or last.status == "error":
            return False
        if self.options.until - last.fetched_at < self.options.min_refetch_interval:
            return True
        return last.fetched_at - pushed >= self.options.final_after

    def push_spans(self) -> list[tuple[int, int, bool]]:
        """(since, until, newer): the spans of push time to list. A `newer` one counts only when it is complete."""
        last, options = self.outcome("pushes"), self.options
        if last is None or last.covers_from is None or last.covers_to is None or last.fetched_at is None:
            return [(options.since, options.until, False)]
        spans = []
        if options.until - last.fetched_at >= options.min_refetch_interval and options.until > last.covers_to:
            spans.append((last.covers_to - LATE, options.until, True))
        if options.since < last.covers_from:
            spans.append((options.since, last.covers_from, False))
        return spans

    def pushes(self) -> pl.DataFrame:
        """push_id, push_ts of the stored pushes of the span."""
        return self._within("pushes").select("push_id", "push_ts").collect()

    def _within(self, table: str) -> pl.LazyFrame:
        options = self.options
        rows = self.store.scan(table, options.repository)
        return rows.filter(pl.col("push_ts").is_between(options.since, options.until))

    def pushes_to_fetch(self, pushes: pl.DataFrame) -> list[tuple[int, int]]:
        """(push id, push time), newest first, of the pushes whose values are not known or not final."""
        outcomes, options = self.store.log.outcomes, self.options
        same = outcomes(options.repository, options.endpoint("pairs"))
        every = outcomes(options.repository, "pairs") if options.frameworks else {}
        rows = pushes.select("push_id", "push_ts").sort("push_ts", "push_id", descending=True).rows()
        return [
            (number, pushed)
            for number, pushed in rows
            if not any(self.has_push(known.get(str(number)), pushed) for known in (same, every))
        ]

    def series_to_fetch(self) -> list[tuple[int, int]]:
        """(signature, time of its first push of the span) of those whose values need all their digits."""
        if self.options.digits == "none":
            return []
        rounded = (
            self._within("pairs")
            .filter(~pl.col("exact").fill_null(False), pl.col("value").is_not_null())
            .group_by("signature_id")
            .agg(
                pl.col("value").abs().min().alias("least"),
                pl.col("push_ts").min().alias("first"),
                pl.col("push_ts").max().alias("last"),
            )
        )
        if self.options.digits == "small":
            rounded = rounded.filter(pl.col("least") < SMALL)
        known = self.store.log.outcomes(self.options.repository, "digits")
        rows = rounded.select("signature_id", "first", "last").collect(engine="streaming").sort("signature_id").rows()
        return [
            (number, first) for number, first, last in rows if not self._has_series(known.get(str(number)), first, last)
        ]

    def _has_series(self, known: FetchOutcome | None, first: int, last: int) -> bool:
        """Whether the series was fetched from `first` on, and late enough to include the values of `last`."""
        covered = known is not None and known.covers_from is not None and known.covers_from <= first
        return covered and self.has_push(known, last)

    def _without_submit_time(self) -> pl.LazyFrame:
        """framework_id, day (epoch seconds of its beginning), job_id of values whose submission time is not known."""
        signatures = self.store.scan("signatures", self.options.repository).select("signature_id", "framework_id")
        return (
            self._within("pairs")
            .filter(pl.col("job_id").is_not_null() & pl.col("submit_ts").is_null())
            .join(signatures, on="signature_id", how="left")
            .select("framework_id", (pl.col("push_ts") // DAY * DAY).alias("day"), "job_id")
        )

    def submit_spans(self) -> list[tuple[int, tuple[int, ...]]]:
        """(framework, days as epoch seconds of their beginning): the lists of submission times to fetch."""
        days = self._without_submit_time().select("framework_id", "day").drop_nulls().unique().collect()
        known = self.store.log.outcomes(self.options.repository, "submit_times")
        spans: list[tuple[int, tuple[int, ...]]] = []
        for framework, day in days.sort("framework_id", "day").rows():
            if self.has_push(known.get(f"{framework}:{day}"), day):
                continue
            last = spans[-1] if spans else None
            if last is not None and last[0] == framework and day - last[1][0] < DAYS_PER_SPAN * DAY:
                spans[-1] = (framework, (*last[1], day))
            else:
                spans.append((framework, (day,)))
        return spans

    def job_requests(self) -> JobRequests:
        """The jobs whose details are needed and not final, sorted.

        Besides those that `options.jobs` selects, they are the jobs whose submission time no list provides: lists are
        made from suites, and a job may have values of subtests alone. Without that time a value would count as one
        whose job has expired. If fetching all these jobs takes fewer requests than the lists, no list is needed.
        """
        spans = self.submit_spans()
        selected = self._selected_jobs()
        listed = pl.LazyFrame(
            [(framework, day) for framework, days in spans for day in days],
            schema={"framework_id": pl.Int64, "day": SECONDS},
            orient="row",
        )
        unlisted = self._without_submit_time().join(listed, on=["framework_id", "day"], how="anti").select("job_id")
        with_lists = self._unknown_jobs(pl.concat([selected, unlisted]))
        lists = 0 if self.options.jobs == "all" else len(spans)
        if not lists:
            return JobRequests(0, with_lists, with_lists)
        every = self._without_submit_time().select("job_id")
        return JobRequests(lists, with_lists, self._unknown_jobs(pl.concat([selected, every])))

    def _selected_jobs(self) -> pl.LazyFrame:
        """job_id: the jobs that `options.jobs` selects, known or not."""
        rows = self._within("pairs").select("signature_id", "job_id", "push_id", "push_ts")
        if self.options.jobs == "all":
            return rows.select("job_id").drop_nulls().unique()
        if self.options.jobs == "none":
            return rows.select("job_id").clear()
        selected = pl.concat([sample_jobs(rows).select("job_id"), self._jobs_of_busiest_pushes()])
        return selected.drop_nulls().unique().collect().lazy()  # in memory: it takes a while, and is needed twice

    def _unknown_jobs(self, jobs: pl.LazyFrame) -> list[int]:
        options, known = self.options, self.store.scan("jobs", self.options.repository)
        final = (pl.col("state") == "completed") | (options.until - pl.col("seen_at") < options.min_refetch_interval)
        # A job that the server did not list may be listed later, unless it is too old.
        expired = known.filter(pl.col("state") == EXPIRED).select("job_id")
        measured = self.store.scan("pairs", options.repository)
        old = measured.filter(pl.col("push_ts") < options.until - JOBS_LIVE).select("job_id")
        done = pl.concat([known.filter(final).select("job_id"), expired.join(old, on="job_id", how="semi")])
        unknown = jobs.drop_nulls().unique().join(done, on="job_id", how="anti")
        return unknown.collect(engine="streaming")["job_id"].sort().to_list()

    def _jobs_of_busiest_pushes(self) -> pl.LazyFrame:
        """The jobs of the busiest push (`pushes_by_signatures`) of the store and of the span, with the ten minutes that
        an export counts by and without."""
        repository, options = self.options.repository, self.options
        rows = self.store.scan("pairs", repository).select("signature_id", "job_id", "push_id", "push_ts", "submit_ts")
        times = self.store.scan("pushes", repository).select("push_id", pl.col("push_ts").alias("at"))
        every = pushes_by_signatures(rows, times, PushWindow())
        busiest = set[int]()
        for pushes in (every, every.filter(pl.col("at").is_between(options.since, options.until))):
            busiest |= set(pushes["push_id"].head(1))
            anytime = pushes.sort(["every", "at", "push_id"], descending=[True, False, False])
            busiest |= set(anytime["push_id"].head(1))
        chosen = rows.filter(pl.col("push_id").is_in(sorted(busiest)), pl.col("job_id").is_not_null())
        return chosen.select("job_id").unique()

    def alert_timerange(self, endpoint: str) -> int:
        """Seconds of push time to list: the complete span at first, then only what is not final."""
        last, complete = self.outcome(endpoint), max(1, now() - self.options.since)
        if last is None or last.fetched_at is None or last.covers_from is None or last.covers_from > self.options.since:
            return complete
        return min(complete, max(self.options.alerts_final_after, now() - last.fetched_at + DAY))


def sample_jobs(rows: pl.LazyFrame) -> pl.LazyFrame:
    """signature_id, job_id (null if expired): the first, the middle and the last of each signature's values in the
    order of Perfherder's series (push time, push, job; an expired job last); three times the same if there is only one.
    """
    ordered = rows.sort("signature_id", "push_ts", "push_id", "job_id", nulls_last=True)
    job = pl.col("job_id")
    return (
        ordered.group_by("signature_id", maintain_order=True)
        .agg(pl.concat_list(job.first(), job.get(pl.len() // 2), job.last()).alias("job_id"))
        .explode("job_id")
    )


def ceil_div(count: int, size: int) -> int:
    return -(-count // size)


@dataclass(frozen=True)
class PlannedStep:
    """Requests of one step of an update. `accuracy`: exact, or what the number rests on."""

    name: str
    requests: int
    accuracy: str = "exact"
    reason: str = ""


STEPS = Schema(
    (
        Column("step", Kind.TEXT, "Fetches", get="name"),
        Column("requests", Kind.COUNT, "Requests", get="requests"),
        Column("sure", Kind.TEXT, "Accuracy", get="accuracy"),
        Column("why", Kind.TEXT, "Reason", get="reason"),
    ),
    key="step",
)


def planned_steps(
    store: DatasetStore, client: DatasetClient, options: UpdateOptions, cancel: CancelToken
) -> list[PlannedStep]:
    """What an update of this store would request now. Lists missing pushes and counts alert summaries, which takes few
    requests; writes nothing."""
    plan = UpdatePlan(store, options)
    stored = store.log.fact(f"repository-id:{options.repository}")
    repository_id = int(stored) if stored is not None else client.repository_id(cancel)
    listed, pushes = client.requests, [plan.pushes()]
    for since, until, _ in plan.push_spans():
        for page in client.push_pages(since, until, cancel):
            rows = [(push.id, push.push_timestamp) for push in page]
            pushes.append(pl.DataFrame(rows, schema=pushes[0].schema, orient="row"))
    listed = client.requests - listed
    missing = plan.pushes_to_fetch(pl.concat(pushes).unique("push_id"))
    jobs = plan.job_requests()
    lists = min(jobs.lists, jobs.more_jobs)
    instead = 0 if jobs.use_lists else lists  # requests for jobs that provide submission times are not counted twice
    days, frameworks = len({pushed // DAY for _, pushed in missing}), len(options.frameworks)
    new_lists = 0
    if options.jobs != "all":  # otherwise jobs provide the submission times
        new_lists = ceil_div(days, DAYS_PER_SPAN) * (frameworks or _count_frameworks(store))
    summaries = 0
    for monitored, endpoint in options.alert_lists():
        if not plan.has_list(endpoint):
            first = client.alert_summaries(repository_id, 1, plan.alert_timerange(endpoint), monitored, cancel)
            summaries += max(1, ceil_div(first.count or 0, SUMMARIES_PER_PAGE))
    at_least = "at least: the new values name more" if missing else "exact"
    return [
        PlannedStep("repository", int(stored is None), reason="its id, once"),
        PlannedStep("signatures", int(not plan.has_list(options.endpoint("signatures"))),
                    reason="all of them with all fields in one response"),
        PlannedStep("pushes", listed, "exact, requested to find out", f"{PUSHES_PER_PAGE:,} pushes a page"),
        PlannedStep("values", ceil_div(len(missing), PUSHES_PER_REQUEST),
                    reason=f"{len(missing):,} pushes, {PUSHES_PER_REQUEST} a request"),
        PlannedStep("digits", len(plan.series_to_fetch()), "exact" if options.digits == "none" else at_least,
                    "one signature a request: values with all digits (--digits)"),
        PlannedStep("submit times", lists + new_lists, "at most" if new_lists else "exact",
                    f"{DAYS_PER_SPAN} days of a framework, or {JOBS_PER_REQUEST} jobs, a request: whichever is less"),
        PlannedStep("jobs", ceil_div(len(jobs.jobs), JOBS_PER_REQUEST) - instead, at_least,
                    f"{JOBS_PER_REQUEST} ids a request"),
        PlannedStep("alerts", summaries, "exact, requested to find out", f"{SUMMARIES_PER_PAGE} summaries a page"),
    ]  # fmt: skip


def _count_frameworks(store: DatasetStore) -> int:
    return int(store.scan("signatures").select(pl.col("framework_id").n_unique()).collect().item()) or FRAMEWORKS
