"""How many requests an update will make, worked out without making them: for --dry-run, and for the record."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.asking import (
    JOBS_A_REQUEST,
    PUSHES_A_PAGE,
    PUSHES_A_REQUEST,
    SUMMARIES_A_PAGE,
    Treeherder,
)
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.update import (
    alert_timerange,
    alerts_are_known,
    listed_pushes,
    push_spans,
    signatures_are_known,
)
from backends.treeherder.datasets.wanted import (
    Jobs,
    Wanted,
    is_known,
    jobs_to_ask,
    known_pushes,
    lists_are_cheaper,
    pushes_to_ask,
    signatures_to_ask,
    submit_requests,
)

DAYS_A_SPAN = 4
_SUBMIT_WHY = f"{DAYS_A_SPAN} days of a framework, or {JOBS_A_REQUEST} jobs, a request: what is less"

STEPS = Schema(
    (
        Column("step", Kind.TEXT, "Asks for"),
        Column("requests", Kind.COUNT, "Requests"),
        Column("sure", Kind.TEXT, "How sure"),
        Column("why", Kind.TEXT, "Because"),
    ),
    key="step",
)


@dataclass(frozen=True)
class Step:
    """`sure`: exact, or in words what it rests on."""

    name: str
    requests: int
    sure: str = "exact"
    why: str = ""


@dataclass(frozen=True)
class Description:
    """What a repository holds within a span: enough to count the requests that fetch it."""

    signatures: int
    pushes: int
    days: int
    frameworks: int
    summaries: int
    groups: int
    jobs: int
    busiest_jobs: int = 0


def steps_for(description: Description, jobs: Jobs) -> list[Step]:
    """The steps of a first fill of an empty store."""
    asked_jobs = {
        "sample": 3 * description.groups + description.busiest_jobs,
        "all": description.jobs,
        "none": 0,
    }[jobs]
    lists = ceiling(description.days, DAYS_A_SPAN) * description.frameworks
    each = ceiling(description.jobs, JOBS_A_REQUEST) - ceiling(asked_jobs, JOBS_A_REQUEST)
    spans = 0 if jobs == "all" else min(lists, max(0, each))
    return [
        Step("repository", 1, why="its number, once"),
        Step("signatures", 1, why="all of them with all fields in one answer"),
        # A full page does not say that it is the last one.
        Step("pushes", description.pushes // PUSHES_A_PAGE + 1, why=f"{PUSHES_A_PAGE:,} pushes a page"),
        Step("values", ceiling(description.pushes, PUSHES_A_REQUEST), why=f"{PUSHES_A_REQUEST} pushes a request"),
        Step("submit times", spans, why=_SUBMIT_WHY),
        Step("jobs", ceiling(asked_jobs, JOBS_A_REQUEST), why=f"{JOBS_A_REQUEST} ids a request"),
        Step("alerts", max(1, ceiling(description.summaries, SUMMARIES_A_PAGE)),
             why=f"{SUMMARIES_A_PAGE} summaries a page"),
    ]  # fmt: skip


def original_requests(description: Description) -> int:
    """What the scripts that this replaces ask for: the list and each signature's metadata, each one's values, three
    jobs each, every job of the busiest revision one by one, and ten alert summaries a page."""
    return (
        (1 + description.signatures)
        + (1 + description.signatures)
        + 3 * description.signatures
        + description.busiest_jobs
        + ceiling(description.summaries, 10)
    )


def ceiling(count: int, size: int) -> int:
    return -(-count // size)


def steps_of(store: Store, server: Treeherder, wanted: Wanted, cancel: CancelToken) -> list[Step]:
    """What an update of this store will ask now. Lists the missing pushes and counts the alert summaries, which takes
    few requests and is not kept; writes nothing."""
    ledger, repository = store.ledger, wanted.repository
    noted = ledger.noted(f"repository-id:{repository}")
    number = int(noted) if noted is not None else server.repository_id(cancel)
    signatures = not signatures_are_known(ledger.known(repository, wanted.endpoint("signatures")).get(""), wanted)
    pages, pushes = _pushes(store, server, wanted, cancel)
    asked = pushes_to_ask(store, wanted, pushes)
    new = _is_first(store, wanted, asked)
    frameworks = len(wanted.frameworks) or _frameworks(store)
    days = len({pushed // 86_400 for _, pushed in asked})
    spans = min(submit_requests(store, wanted)) if wanted.jobs != "all" else 0
    more = ceiling(days, DAYS_A_SPAN) * frameworks if wanted.jobs != "all" and new else 0
    # Where jobs tell when they were submitted, they are counted there and not once more here.
    by_jobs = 0 if wanted.jobs == "all" or lists_are_cheaper(store, wanted) else spans
    jobs = ceiling(len(jobs_to_ask(store, wanted)), JOBS_A_REQUEST) - by_jobs
    digits = len(signatures_to_ask(store, wanted))
    return [
        Step("repository", int(noted is None), why="its number, once"),
        Step("signatures", int(signatures), why="all of them with all fields in one answer"),
        Step("pushes", pages, "exact, asked to find out", f"{PUSHES_A_PAGE:,} pushes a page"),
        Step("values", ceiling(len(asked), PUSHES_A_REQUEST),
             why=f"{len(asked):,} pushes, {PUSHES_A_REQUEST} a request"),
        Step("digits", digits, "at least: the new values name more" if new and wanted.digits != "none" else "exact",
             "a signature a request: values of all digits (--digits)"),
        Step("submit times", spans + more, "at most" if more else "exact", _SUBMIT_WHY),
        Step("jobs", jobs, "at least: the new values name more" if new else "exact",
             f"{JOBS_A_REQUEST} ids a request"),
        Step("alerts", _alert_pages(store, server, wanted, number, cancel), "exact, asked to find out",
             f"{SUMMARIES_A_PAGE} summaries a page"),
    ]  # fmt: skip


def _pushes(store: Store, server: Treeherder, wanted: Wanted, cancel: CancelToken) -> tuple[int, pl.DataFrame]:
    """How many pages are to be listed, and all pushes: push_id, push_ts."""
    known = store.ledger.known(wanted.repository, "pushes").get("")
    before, parts = server.requests, [known_pushes(store, wanted)]
    for since, until, _ in push_spans(known, wanted):
        for page in listed_pushes(server, since, until, cancel):
            rows = [(push.id, push.push_timestamp) for push in page]
            parts.append(pl.DataFrame(rows, schema=parts[0].schema, orient="row"))
    return server.requests - before, pl.concat(parts).unique("push_id")


def _is_first(store: Store, wanted: Wanted, asked: list[tuple[int, int]]) -> bool:
    """Whether some of these pushes were never asked for: what they will name cannot be counted yet."""
    known = store.ledger.known(wanted.repository, wanted.endpoint("pairs"))
    return any(not is_known(known.get(str(number)), wanted, pushed) for number, pushed in asked)


def _frameworks(store: Store) -> int:
    found = store.scan("signatures").select(pl.col("framework_id").n_unique()).collect().item()
    return int(found) or 11  # as many as were enabled in 2026


def _alert_pages(store: Store, server: Treeherder, wanted: Wanted, number: int, cancel: CancelToken) -> int:
    pages = 0
    for monitored in (False, True)[: int(wanted.alerts) + int(wanted.alerts and wanted.monitored)]:
        known = store.ledger.known(wanted.repository, "alerts:monitored" if monitored else "alerts").get("")
        if known is None or not alerts_are_known(known, wanted):
            first = server.alert_summaries(number, 1, alert_timerange(known, wanted), monitored, cancel)
            pages += max(1, ceiling(first.count or 0, SUMMARIES_A_PAGE))
    return pages
