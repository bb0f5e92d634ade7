"""How a store is filled and kept up to date: each step asks for what is not known, and keeps every answer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from backends.cancel import CancelToken
from backends.http.errors import HttpError
from backends.treeherder.datasets import answers
from backends.treeherder.datasets.asking import (
    JOBS_A_REQUEST,
    PUSHES_A_PAGE,
    PUSHES_A_REQUEST,
    SUMMARIES_A_PAGE,
    Treeherder,
)
from backends.treeherder.datasets.crew import ask_all, batches
from backends.treeherder.datasets.ledger import Fetch, Known, now
from backends.treeherder.datasets.shared_rows import shared_rows
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.tables import PAIRS
from backends.treeherder.datasets.wanted import (
    DAY,
    Wanted,
    jobs_to_ask,
    known_pushes,
    lists_are_cheaper,
    pushes_to_ask,
    signatures_to_ask,
    submit_spans,
)

LATE = 3600  # a push may be listed that much later than it was made
ROWS_AT_ONCE = 200_000  # pairs kept in memory before they are written: some 15 MB
SERIES_AT_ONCE = 400  # each is of all days: what is kept writes each day's file anew
ANSWERS_AT_ONCE = 50  # and at least so often, for what is not written is asked again after a kill


@dataclass
class Report:
    """What an update did. `problems`: (what was asked for, why it failed), each noted in the ledger as an error.
    `notes`: sentences on what was asked for and is not there."""

    requests: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.rows.items() if count)
        return f"{self.requests:,} request{'s' * (self.requests != 1)}: {rows or 'nothing new'}."


class Update:
    """One run. `progress` is called with short sentences."""

    def __init__(
        self,
        store: Store,
        server: Treeherder,
        wanted: Wanted,
        *,
        cancel: CancelToken,
        concurrency: int = 4,
        progress: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._store, self._server, self._wanted = store, server, wanted
        self._cancel, self._concurrency, self._progress = cancel, concurrency, progress
        self.report = Report()

    def run(self) -> Report:
        """All steps. Raises the `AppError` that would stop every further request; what came before it is kept."""
        try:
            steps = (self._repository, self._signatures, self._pushes, self._pairs, self._digits, self._submit_times)
            for step in (*steps, self._jobs, self._alerts, self._shared):
                self._cancel.check()
                with self._store.reading():
                    step()
            with self._store.reading():
                self.report.notes += self._absent()
        finally:
            self.report.requests = self._server.requests
        return self.report

    def _absent(self) -> list[str]:
        """What was asked for and the repository has not, which "nothing new" would not tell."""
        wanted, found = self._wanted, list[str]()
        if self.report.problems:
            return found  # it is not known
        pushes = self._store.scan("pushes", wanted.repository).filter(
            pl.col("push_ts").is_between(wanted.since, wanted.until)
        )
        if not pushes.select(pl.len()).collect().item():
            found.append(f"{wanted.repository} has no pushes since {_day(wanted.since)}.")
        known = self._store.scan("signatures", wanted.repository).select(pl.col("framework_id").unique()).collect()
        for number in sorted(set(wanted.frameworks) - set(known["framework_id"].to_list())):
            found.append(f"Since {_day(wanted.since)} {wanted.repository} has no signatures of framework {number}.")
        return found

    def _keep(self, frames: dict[str, pl.DataFrame], fetches: list[Fetch]) -> None:
        self._store.commit(self._wanted.repository, frames, fetches, cancel=self._cancel)
        for name, rows in frames.items():
            self.report.rows[name] = self.report.rows.get(name, 0) + len(rows)

    def _fetch(self, endpoint: str, key: str, rows: int, span: tuple[int | None, int | None] = (None, None)) -> Fetch:
        status = "ok" if rows else "empty"
        return Fetch(self._wanted.repository, endpoint, key, status, now(), rows, *span)  # type: ignore[arg-type]

    def _failed(self, endpoint: str, key: str, problem: HttpError) -> Fetch:
        self.report.problems.append((f"{endpoint} {key}".strip(), problem.sentence))
        return Fetch(self._wanted.repository, endpoint, key, "error", now(), reason=problem.reason)

    def _single(self, endpoint: str, key: str = "") -> Known | None:
        return self._store.ledger.known(self._wanted.repository, endpoint).get(key)

    def _signatures(self) -> None:
        wanted, endpoint = self._wanted, self._wanted.endpoint("signatures")
        if signatures_are_known(self._single(endpoint), wanted):
            return
        self._progress("asking for the signatures")
        found = self._server.signatures(wanted.frameworks, max(1, now() - wanted.since), self._cancel)
        rows = answers.signatures(found)
        self._keep({"signatures": rows}, [self._fetch(endpoint, "", len(rows), (wanted.since, wanted.until))])

    def _pushes(self) -> None:
        for since, until, whole in push_spans(self._single("pushes"), self._wanted):
            before = self._single("pushes")
            newest = until if before is None or before.covers_to is None else max(until, before.covers_to)
            for page in listed_pushes(self._server, since, until, self._cancel):
                rows = answers.pushes(page)
                oldest = min(push.push_timestamp for push in page)
                self._progress(f"{len(rows):,} pushes listed")
                # Downwards every page adds to the span that is known; upwards only the whole of them closes the gap.
                noted = [] if whole else [self._fetch("pushes", "", len(rows), (oldest, newest))]
                self._keep({"pushes": rows}, noted)
            known = self._single("pushes")
            low = since if known is None or known.covers_from is None else min(since, known.covers_from)
            high = until if known is None or known.covers_to is None else max(until, known.covers_to)
            self._keep({}, [self._fetch("pushes", "", len(known_pushes(self._store, self._wanted)), (low, high))])

    def _pairs(self) -> None:
        wanted = self._wanted
        asked = pushes_to_ask(self._store, wanted, known_pushes(self._store, wanted))
        pushed, endpoint = dict(asked), wanted.endpoint("pairs")
        done, kept, notes = 0, list[pl.DataFrame](), list[Fetch]()
        outcomes = ask_all(
            batches([number for number, _ in asked], PUSHES_A_REQUEST),
            lambda numbers: self._server.pairs(numbers, wanted.frameworks, self._cancel),
            concurrency=self._concurrency,
            cancel=self._cancel,
        )
        try:
            for count, outcome in enumerate(outcomes, 1):
                done += len(outcome.items)
                if outcome.result is None:
                    assert outcome.problem is not None
                    notes += [self._failed(endpoint, str(number), outcome.problem) for number in outcome.items]
                else:
                    rows = answers.pairs(outcome.result, now()).filter(pl.col("push_id").is_in(list(outcome.items)))
                    counts = dict(rows["push_id"].value_counts().rows())
                    kept.append(rows)
                    notes += [
                        self._fetch(endpoint, str(number), counts.get(number, 0), (pushed[number], pushed[number]))
                        for number in outcome.items
                    ]
                if sum(map(len, kept)) >= ROWS_AT_ONCE or count % ANSWERS_AT_ONCE == 0:
                    self._keep_pairs(kept, notes)
                    kept, notes = [], []
                self._progress(f"{done:,} of {len(asked):,} pushes asked for their values")
        finally:
            self._keep_pairs(kept, notes)

    def _keep_pairs(self, kept: list[pl.DataFrame], notes: list[Fetch]) -> None:
        if notes and not self._cancel.cancelled:
            self._keep({"pairs": pl.concat(kept)} if kept else {}, notes)

    def _digits(self) -> None:
        """The values that two decimals distort, with all their digits: a request a signature."""
        asked = signatures_to_ask(self._store, self._wanted)
        began, kept, notes = dict(asked), list[pl.DataFrame](), list[Fetch]()
        outcomes = ask_all(
            [[number] for number, _ in asked],
            lambda numbers: self._server.series(numbers[0], began[numbers[0]], self._cancel),
            concurrency=self._concurrency,
            cancel=self._cancel,
        )
        try:
            for count, outcome in enumerate(outcomes, 1):
                number = outcome.items[0]
                self._progress(f"{count:,} of {len(asked):,} signatures asked for values with all digits")
                if outcome.result is None:
                    assert outcome.problem is not None
                    notes.append(self._failed("digits", str(number), outcome.problem))
                    continue
                rows = answers.exact_pairs(outcome.result, now())
                kept.append(rows)
                notes.append(self._fetch("digits", str(number), len(rows), (began[number], self._wanted.until)))
                if sum(map(len, kept)) >= 2 * ROWS_AT_ONCE or count % SERIES_AT_ONCE == 0:
                    self._keep_digits(kept, notes)
                    kept, notes = [], []
        finally:
            self._keep_digits(kept, notes)

    def _keep_digits(self, kept: list[pl.DataFrame], notes: list[Fetch]) -> None:
        """Only of values that the store has: those of a push that could not be asked for would look like all of it."""
        if not notes or self._cancel.cancelled:
            return
        frames = dict[str, pl.DataFrame]()
        if kept:
            rows = pl.concat(kept)
            there = self._store.scan("pairs", self._wanted.repository).select("datum_id")
            frames["pairs"] = rows.lazy().join(there, on="datum_id", how="semi").collect()
        self._store.commit(self._wanted.repository, frames, notes, cancel=self._cancel)

    def _submit_times(self) -> None:
        self._fill_from_jobs()
        if self._wanted.jobs == "all":
            return  # the jobs themselves say it
        spans = submit_spans(self._store, self._wanted)
        if not spans or not lists_are_cheaper(self._store, self._wanted):
            return
        flat = [[(framework, day) for day in days] for framework, days in sorted(spans, key=lambda one: one[1])]
        known, days, notes = list[pl.DataFrame](), list[int](), list[Fetch]()
        outcomes = ask_all(flat, self._submitted, concurrency=self._concurrency, cancel=self._cancel)
        for count, outcome in enumerate(outcomes, 1):
            framework = outcome.items[0][0]
            self._progress(f"{count:,} of {len(flat):,} lists of times of submission")
            if outcome.result is None:
                assert outcome.problem is not None
                notes.append(self._failed("submit_times", f"{framework}:{outcome.items[0][1]}", outcome.problem))
                continue
            known.append(outcome.result)
            days += [day for _, day in outcome.items]
            notes += [
                self._fetch("submit_times", f"{framework}:{day}", len(outcome.result), (day, day + DAY))
                for _, day in outcome.items
            ]
            if len(known) >= ANSWERS_AT_ONCE:
                self._keep_submitted(known, days, notes)
                known, days, notes = [], [], []
        self._keep_submitted(known, days, notes)

    def _keep_submitted(self, known: list[pl.DataFrame], days: list[int], notes: list[Fetch]) -> None:
        """The frameworks of a span together, since each day's file is written anew as a whole."""
        if not known:
            self._keep({}, notes)
            return
        times = pl.concat(known).unique("job_id", keep="first")
        self._store.commit(
            self._wanted.repository,
            {"pairs": self._filled(min(days), max(days) + DAY, times)},
            notes,
            cancel=self._cancel,
        )

    def _submitted(self, days: object) -> pl.DataFrame:
        spans: list[tuple[int, int]] = list(days)  # type: ignore[call-overload]
        framework, first, last = spans[0][0], spans[0][1], spans[-1][1]
        # One second around, for the bounds themselves are left out.
        found = self._server.submit_times(framework, first - 1, last + DAY + 1, self._cancel)
        return answers.submit_times(found)

    def _filled(self, since: int, until: int, known: pl.DataFrame) -> pl.DataFrame:
        """The pairs of that span that have no time of submission and now get one."""
        pairs = self._store.scan("pairs", self._wanted.repository)
        lacking = pairs.filter(pl.col("push_ts").is_between(since, until, closed="left"), pl.col("submit_ts").is_null())
        return (
            lacking.drop("submit_ts")
            .join(known.lazy(), on="job_id")
            .select(list(PAIRS.columns))
            .collect()
        )  # fmt: skip

    def _jobs(self) -> None:
        """Twice at most: which push is the busiest may only be known when it is known when its jobs were submitted."""
        first = jobs_to_ask(self._store, self._wanted)
        self._ask_jobs(first)
        if self._wanted.jobs != "sample" or not first:
            return
        if more := sorted(set(jobs_to_ask(self._store, self._wanted)) - set(first)):
            self._ask_jobs(more)

    def _ask_jobs(self, asked: list[int]) -> None:
        wanted = self._wanted
        outcomes = ask_all(
            batches(asked, JOBS_A_REQUEST),
            lambda ids: self._server.jobs(ids, self._cancel),
            concurrency=self._concurrency,
            cancel=self._cancel,
        )
        done, kept, failed = 0, list[pl.DataFrame](), list[Fetch]()
        try:
            for outcome in outcomes:
                done += len(outcome.items)
                self._progress(f"{done:,} of {len(asked):,} jobs")
                if outcome.result is None:
                    assert outcome.problem is not None
                    failed = [self._failed("jobs", "", outcome.problem)]
                    continue
                kept.append(answers.jobs(outcome.result, outcome.items, now()))
                if len(kept) >= ANSWERS_AT_ONCE:
                    self._keep({"jobs": pl.concat(kept)}, [])
                    kept = []
        finally:
            if not self._cancel.cancelled:
                note = failed or ([self._fetch("jobs", "", done)] if asked else [])
                self._keep({"jobs": pl.concat(kept)} if kept else {}, note)
        if wanted.jobs == "all" or asked:
            self._fill_from_jobs()

    def _fill_from_jobs(self) -> None:
        """A day at a time: the pairs whose job is known get the time that it was submitted."""
        repository = self._wanted.repository
        jobs = (
            self._store.scan("jobs", repository)
            .filter(pl.col("submit_timestamp") > 0)
            .select("job_id", pl.col("submit_timestamp").alias("submit_ts"))
            .collect()
            .lazy()
        )
        lacking = self._store.scan("pairs", repository).filter(
            pl.col("submit_ts").is_null(), pl.col("job_id").is_not_null()
        )
        days = lacking.join(jobs, on="job_id", how="semi").select(pl.col("day").unique().sort()).collect()
        for day in days["day"]:
            rows = lacking.filter(pl.col("day") == day).drop("submit_ts").join(jobs, on="job_id")
            self._store.commit(repository, {"pairs": rows.select(list(PAIRS.columns)).collect()}, cancel=self._cancel)

    def _alerts(self) -> None:
        if self._wanted.alerts:
            self._alert_list(monitored=False)
            if self._wanted.monitored:
                self._alert_list(monitored=True)

    def _alert_list(self, *, monitored: bool) -> None:
        wanted, endpoint = self._wanted, "alerts:monitored" if monitored else "alerts"
        known = self._single(endpoint)
        if known is not None and alerts_are_known(known, wanted):
            return
        number = int(self._store.ledger.noted(self._id_key) or 0)
        timerange = alert_timerange(known, wanted)
        first = self._server.alert_summaries(number, 1, timerange, monitored, self._cancel)
        rows = self._keep_alerts(first, monitored)
        pages = -(-(first.count or 0) // SUMMARIES_A_PAGE)
        failures: list[Fetch] = []
        outcomes = ask_all(
            [[page] for page in range(2, pages + 1)],
            lambda one: self._server.alert_summaries(number, one[0], timerange, monitored, self._cancel),
            concurrency=self._concurrency,
            cancel=self._cancel,
        )
        for outcome in outcomes:
            if outcome.result is None:
                assert outcome.problem is not None
                failures.append(self._failed(endpoint, "", outcome.problem))
                continue
            rows += self._keep_alerts(outcome.result, monitored)
            self._progress(f"{rows:,} of {first.count or rows:,} alert summaries")
        low = wanted.since if known is None or known.covers_from is None else min(wanted.since, known.covers_from)
        self._keep({}, failures[:1] or [self._fetch(endpoint, "", rows, (low, wanted.until))])

    def _keep_alerts(self, page: answers.SummaryPage, monitored: bool) -> int:
        summaries, alerts = answers.alert_summaries(page.results, monitored=monitored)
        self._keep({"alert_summaries": summaries, "alerts": alerts}, [])
        return len(summaries)

    def _shared(self) -> None:
        """Last, so that no view has to wait for it."""
        if self._store.files("pairs", self._wanted.repository):
            self._progress("noting which signatures share their rows")
            shared_rows(self._store, self._wanted.repository)

    def _repository(self) -> None:
        """First of all, because an unknown one makes most endpoints fail as if the server were ill."""
        if self._store.ledger.noted(self._id_key) is None:
            found = self._server.repository_id(self._cancel)
            with self._store.ledger.exclusive(self._cancel):
                self._store.ledger.note(self._id_key, str(found))

    @property
    def _id_key(self) -> str:
        return f"repository-id:{self._wanted.repository}"


def push_spans(known: Known | None, wanted: Wanted) -> list[tuple[int, int, bool]]:
    """(since, until, whole): which spans of push time are to be listed; a `whole` one counts only when complete."""
    if known is None or known.covers_from is None or known.covers_to is None or known.fetched_at is None:
        return [(wanted.since, wanted.until, False)]
    spans = []
    if wanted.until - known.fetched_at >= wanted.fresh and wanted.until > known.covers_to:
        spans.append((known.covers_to - LATE, wanted.until, True))
    if wanted.since < known.covers_from:
        spans.append((wanted.since, known.covers_from, False))
    return spans


def listed_pushes(server: Treeherder, since: int, until: int, cancel: CancelToken) -> Iterator[list[answers.Push]]:
    """The pushes of a span page by page, the newest first; there is no offset, so each page begins where one ended."""
    seen: set[int] = set()
    while True:
        page = server.pushes(since, until, cancel)
        new = [push for push in page if push.id not in seen]
        if not new:
            return
        yield new
        seen |= {push.id for push in new}
        if len(page) < PUSHES_A_PAGE:
            return
        until = min(push.push_timestamp for push in page)


def signatures_are_known(known: Known | None, wanted: Wanted) -> bool:
    return known is not None and alerts_are_known(known, wanted)


def alerts_are_known(known: Known, wanted: Wanted) -> bool:
    return (
        known.status != "error"
        and known.fetched_at is not None
        and known.covers_from is not None
        and known.covers_from <= wanted.since
        and wanted.until - known.fetched_at < wanted.fresh
    )


def alert_timerange(known: Known | None, wanted: Wanted) -> int:
    """Seconds of push time to list: all that is wanted at first, then only what is not settled."""
    whole = max(1, now() - wanted.since)
    if known is None or known.fetched_at is None or known.covers_from is None or known.covers_from > wanted.since:
        return whole
    return min(whole, max(wanted.alert_settle, now() - known.fetched_at + DAY))


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
