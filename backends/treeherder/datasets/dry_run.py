"""How many requests an update will make, worked out without making them: for --dry-run, and for the record."""

from __future__ import annotations

from dataclasses import dataclass

from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.asking import JOBS_A_REQUEST, PUSHES_A_PAGE, PUSHES_A_REQUEST, SUMMARIES_A_PAGE
from backends.treeherder.datasets.wanted import Jobs

DAYS_A_SPAN = 4

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
    spans = 0 if jobs == "all" else ceiling(description.days, DAYS_A_SPAN) * description.frameworks
    return [
        Step("signatures", 1, why="all of them with all fields in one answer"),
        # A full page does not say that it is the last one.
        Step("pushes", description.pushes // PUSHES_A_PAGE + 1, why=f"{PUSHES_A_PAGE:,} pushes a page"),
        Step("values", ceiling(description.pushes, PUSHES_A_REQUEST), why=f"{PUSHES_A_REQUEST} pushes a request"),
        Step("submit times", spans, why=f"{DAYS_A_SPAN} days of a framework a request"),
        Step("jobs", ceiling(asked_jobs, JOBS_A_REQUEST), why=f"{JOBS_A_REQUEST} ids a request"),
        Step("alerts", 1 + max(1, ceiling(description.summaries, SUMMARIES_A_PAGE)), why="the repository's id, then "
             f"{SUMMARIES_A_PAGE} summaries a page"),
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
