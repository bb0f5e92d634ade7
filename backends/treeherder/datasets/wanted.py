"""What a store still lacks: which pushes, submit times and jobs are worth a request now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from backends.treeherder.datasets.asking import JOBS_A_REQUEST
from backends.treeherder.datasets.ledger import Known
from backends.treeherder.datasets.revisions import Window, pushes_by_signatures
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.tables import EXPIRED, SECONDS

Jobs = Literal["sample", "all", "none"]
Digits = Literal["small", "all", "none"]
SMALL = 1.0  # two decimals change a value below this by more than half a percent
DAY = 86_400
JOBS_LIVE = 120 * DAY  # Treeherder's DEFAULT_CYCLE_INTERVAL


@dataclass(frozen=True)
class Wanted:
    """What an update is to cover.

    `since`, `until`: push times, epoch seconds. `frameworks`: ids, none means all. `jobs`: the details of which jobs
    (sample: three a signature and those of the busiest push, which is what the original's statistics rest on).
    `digits`: of which signatures values are asked for with all digits, one request each: small: of those that have a
    value below `SMALL`.
    `fresh`: what was asked within so many seconds is not asked again. `settle`: a push this much older (seconds) than
    its last answer is final; before, backfills and retriggers may still add to it.
    """

    repository: str
    since: int
    until: int
    frameworks: tuple[int, ...] = ()
    jobs: Jobs = "sample"
    alerts: bool = True
    monitored: bool = False
    fresh: int = 600
    settle: int = 7 * DAY
    alert_settle: int = 60 * DAY
    digits: Digits = "small"

    def endpoint(self, name: str) -> str:
        """How the ledger calls what was asked with these frameworks alone."""
        return name + "".join(f":{number}" for number in sorted(self.frameworks))


def is_known(known: Known | None, wanted: Wanted, pushed: int) -> bool:
    """Whether what was answered about a push of that time still holds."""
    if known is None or known.fetched_at is None or known.status == "error":
        return False
    return wanted.until - known.fetched_at < wanted.fresh or known.fetched_at - pushed >= wanted.settle


def pushes_to_ask(store: Store, wanted: Wanted, pushes: pl.DataFrame) -> list[tuple[int, int]]:
    """(push id, push time) of the pushes whose values are not known for good, the newest first."""
    asked = store.ledger.known(wanted.repository, wanted.endpoint("pairs"))
    of_all = store.ledger.known(wanted.repository, "pairs") if wanted.frameworks else {}
    rows = pushes.select("push_id", "push_ts").sort("push_ts", "push_id", descending=True).rows()
    return [
        (number, pushed)
        for number, pushed in rows
        if not is_known(asked.get(str(number)), wanted, pushed)
        and not is_known(of_all.get(str(number)), wanted, pushed)
    ]


def known_pushes(store: Store, wanted: Wanted) -> pl.DataFrame:
    return (
        store.scan("pushes", wanted.repository)
        .filter(pl.col("push_ts").is_between(wanted.since, wanted.until))
        .select("push_id", "push_ts")
        .collect()
    )


def signatures_to_ask(store: Store, wanted: Wanted) -> list[tuple[int, int]]:
    """(signature, time of its first push in question) of those whose values are wanted with all their digits."""
    if wanted.digits == "none":
        return []
    rounded = (
        store.scan("pairs", wanted.repository)
        .filter(pl.col("push_ts").is_between(wanted.since, wanted.until))
        .filter(~pl.col("exact").fill_null(False), pl.col("value").is_not_null())
        .group_by("signature_id")
        .agg(
            pl.col("value").abs().min().alias("least"),
            pl.col("push_ts").min().alias("first"),
            pl.col("push_ts").max().alias("last"),
        )
    )
    if wanted.digits == "small":
        rounded = rounded.filter(pl.col("least") < SMALL)
    asked = store.ledger.known(wanted.repository, "digits")
    found = rounded.collect(engine="streaming").sort("signature_id")
    return [
        (number, first)
        for number, first, last in found.select("signature_id", "first", "last").rows()
        if not _is_answered(asked.get(str(number)), wanted, first, last)
    ]


def _is_answered(known: Known | None, wanted: Wanted, first: int, last: int) -> bool:
    """Whether the series was asked for from `first` on, and late enough to have had the values of `last`."""
    covered = known is not None and known.covers_from is not None and known.covers_from <= first
    return covered and is_known(known, wanted, last)


def submit_spans(store: Store, wanted: Wanted, days: int = 4) -> list[tuple[int, tuple[int, ...]]]:
    """(framework, days as epoch seconds of their beginning) in which pairs have a job but no time of submission."""
    found = (
        store.scan("pairs", wanted.repository)
        .filter(pl.col("job_id").is_not_null() & pl.col("submit_ts").is_null())
        .filter(pl.col("push_ts").is_between(wanted.since, wanted.until))
        .join(store.scan("signatures", wanted.repository).select("signature_id", "framework_id"), on="signature_id")
        .filter(pl.col("framework_id").is_not_null())
        .select("framework_id", (pl.col("push_ts") // DAY * DAY).alias("day"))
        .unique()
        .collect()
    )
    asked = store.ledger.known(wanted.repository, "submit_times")
    spans: list[tuple[int, tuple[int, ...]]] = []
    for framework, day in found.sort("framework_id", "day").rows():
        if is_known(asked.get(f"{framework}:{day}"), wanted, day):
            continue
        last = spans[-1] if spans else None
        if last is not None and last[0] == framework and day - last[1][0] < days * DAY:
            spans[-1] = (framework, (*last[1], day))
        else:
            spans.append((framework, (day,)))
    return spans


def submit_requests(store: Store, wanted: Wanted) -> tuple[int, int]:
    """How many requests tell the times of submission that are not known: as lists of a framework and some days, and as
    the details of the jobs themselves, without those that are wanted anyway."""
    lists, with_lists, without = _ways(store, wanted)
    return lists, -(-len(without) // JOBS_A_REQUEST) - -(-len(with_lists) // JOBS_A_REQUEST)


def lists_are_cheaper(store: Store, wanted: Wanted) -> bool:
    """Whether the times of submission that are not known come from lists: where those are not more requests."""
    lists, jobs = submit_requests(store, wanted)
    return lists <= jobs


def _ways(store: Store, wanted: Wanted) -> tuple[int, list[int], list[int]]:
    """How many lists there are to ask for, the jobs to ask for if they are, and those if they are not."""
    wishes = _wishes(store, wanted)
    meant = (
        pl.concat([wishes, without_submission(store, wanted, lists=lists)]).drop_nulls().unique()
        for lists in (True, False)
    )
    with_lists = _unknown(store, wanted, next(meant))
    lists = 0 if wanted.jobs == "all" else len(submit_spans(store, wanted))
    return lists, with_lists, _unknown(store, wanted, next(meant)) if lists else with_lists


def without_submission(store: Store, wanted: Wanted, *, lists: bool) -> pl.LazyFrame:
    """job_id: the jobs of which it is not known when they were submitted; with `lists` those of which no list will
    tell, all that were to be asked for being there."""
    spans = submit_spans(store, wanted) if lists else []
    still = [(framework, day) for framework, days in spans for day in days]
    asked_for = pl.LazyFrame(still, schema={"framework_id": pl.Int64, "day": SECONDS}, orient="row")
    return (
        store.scan("pairs", wanted.repository)
        .filter(pl.col("job_id").is_not_null() & pl.col("submit_ts").is_null())
        .filter(pl.col("push_ts").is_between(wanted.since, wanted.until))
        .join(store.scan("signatures", wanted.repository).select("signature_id", "framework_id"), on="signature_id",
              how="left")
        .with_columns((pl.col("push_ts") // DAY * DAY).alias("day"))
        .join(asked_for, on=["framework_id", "day"], how="anti")
        .select("job_id")
    )  # fmt: skip


def jobs_to_ask(store: Store, wanted: Wanted) -> list[int]:
    """The ids, sorted, of the jobs whose details are wanted and not known for good.

    Whatever is wanted, those are among them that lack a time of submission after the lists of such times were asked
    for: the lists are made from suites, and a job may have values of subtests alone. Without that time a value would
    count as one whose job has expired. Where the jobs take fewer requests than the lists, they are all asked for.
    """
    lists, with_lists, without = _ways(store, wanted)
    more = -(-len(without) // JOBS_A_REQUEST) - -(-len(with_lists) // JOBS_A_REQUEST)
    return with_lists if lists <= more else without


def _wishes(store: Store, wanted: Wanted) -> pl.LazyFrame:
    """job_id: the jobs whose details `wanted.jobs` means, known or not; in memory, for it takes a while."""
    pairs = (
        store.scan("pairs", wanted.repository)
        .filter(pl.col("push_ts").is_between(wanted.since, wanted.until))
        .select("signature_id", "job_id", "push_id", "push_ts")
    )
    if wanted.jobs == "all":
        return pairs.select("job_id").drop_nulls().unique()
    if wanted.jobs == "none":
        return pairs.select("job_id").clear()
    wishes = pl.concat([sampled(pairs).select("job_id"), _busiest(store, wanted)])
    return wishes.drop_nulls().unique().collect().lazy()


def _unknown(store: Store, wanted: Wanted, meant: pl.LazyFrame) -> list[int]:
    jobs = store.scan("jobs", wanted.repository)
    settled = (pl.col("state") == "completed") | (wanted.until - pl.col("seen_at") < wanted.fresh)
    # A job that the server did not list may be one that it could not list just then, as long as it is not too old.
    gone = jobs.filter(pl.col("state") == EXPIRED).select("job_id")
    old = store.scan("pairs", wanted.repository).filter(pl.col("push_ts") < wanted.until - JOBS_LIVE).select("job_id")
    known = pl.concat([jobs.filter(settled).select("job_id"), gone.join(old, on="job_id", how="semi")])
    return meant.join(known, on="job_id", how="anti").collect(engine="streaming")["job_id"].sort().to_list()


def sampled(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """signature_id, job_id (null where expired): the first, the middle and the last of each signature's values in the
    order of Perfherder's series (push time, push, job; an expired job last), thrice the same where there is but one.
    """
    ordered = pairs.sort("signature_id", "push_ts", "push_id", "job_id", nulls_last=True)
    job = pl.col("job_id")
    return (
        ordered.group_by("signature_id", maintain_order=True)
        .agg(pl.concat_list(job.first(), job.get(pl.len() // 2), job.last()).alias("job_id"))
        .explode("job_id")
    )


def _busiest(store: Store, wanted: Wanted) -> pl.LazyFrame:
    """The jobs of the busiest push (`pushes_by_signatures`): of all that the store has and of what is wanted now, with
    the ten minutes that an export counts by and, in case these are lifted, without."""
    pairs = store.scan("pairs", wanted.repository).select("signature_id", "job_id", "push_id", "push_ts", "submit_ts")
    at = store.scan("pushes", wanted.repository).select("push_id", pl.col("push_ts").alias("at"))
    every = pushes_by_signatures(pairs, at, Window())
    chosen = set[int]()
    for some in (every, every.filter(pl.col("at").is_between(wanted.since, wanted.until))):
        chosen |= set(some["push_id"].head(1))
        chosen |= set(some.sort(["every", "at", "push_id"], descending=[True, False, False])["push_id"].head(1))
    return (
        pairs.filter(pl.col("push_id").is_in(sorted(chosen)), pl.col("job_id").is_not_null()).select("job_id").unique()
    )
