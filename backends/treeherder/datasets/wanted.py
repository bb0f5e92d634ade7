"""What a store still lacks: which pushes, submit times and jobs are worth a request now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from backends.treeherder.datasets.ledger import Known
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.tables import EXPIRED, SECONDS

Jobs = Literal["sample", "all", "none"]
DAY = 86_400
JOBS_LIVE = 120 * DAY  # Treeherder's DEFAULT_CYCLE_INTERVAL


@dataclass(frozen=True)
class Wanted:
    """What an update is to cover.

    `since`, `until`: push times, epoch seconds. `frameworks`: ids, none means all. `jobs`: the details of which jobs
    (sample: three a signature and those of the busiest push, which is what the original's statistics rest on).
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


def without_submission(store: Store, wanted: Wanted) -> pl.LazyFrame:
    """job_id: the jobs of which no list of times of submission tells, all that were to be asked for being there."""
    still = [(framework, day) for framework, days in submit_spans(store, wanted) for day in days]
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
    count as one whose job has expired.
    """
    pairs = (
        store.scan("pairs", wanted.repository)
        .filter(pl.col("push_ts").is_between(wanted.since, wanted.until))
        .select("signature_id", "job_id", "push_id", "push_ts")
    )
    if wanted.jobs == "all":
        meant = pairs.filter(pl.col("job_id").is_not_null()).select("job_id").unique()
    else:
        wishes = [sampled(pairs).select("job_id"), _busiest(pairs)] if wanted.jobs == "sample" else []
        meant = pl.concat([*wishes, without_submission(store, wanted)]).drop_nulls().unique()
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


def _busiest(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """The jobs of the push with most signatures, the earliest of several."""
    known = pairs.filter(pl.col("job_id").is_not_null())
    top = (
        known.group_by("push_id")
        .agg(pl.col("signature_id").n_unique().alias("n"), pl.col("push_ts").min())
        .sort(["n", "push_ts", "push_id"], descending=[True, False, False])
        .head(1)
        .select("push_id")
    )
    return known.join(top, on="push_id", how="semi").select("job_id").unique()
