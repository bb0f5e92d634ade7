"""What the words of `ciexplore perf` mean as locators: ids, revisions, days, and addresses in their place."""

from __future__ import annotations

import re

from backends.frames.quantities import parse_quantity
from backends.frames.schema import Kind
from backends.locators import Locator, LocatorProblem, parse
from backends.locators.perfherder import (
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    JobFailures,
    PushJobs,
    PushOf,
    Series,
    SeriesRef,
    SimilarJobs,
)
from backends.locators.perfherder_forms import HASH, NUMBER, REPOSITORY, REVISION
from backends.locators.taskcluster import Push
from backends.problems import UsageProblem

Period = tuple[int | None, int | None]


def period(start: str, end: str) -> Period:
    """Epoch seconds of two times as the filter language writes them; None for what is not given."""
    if end and not start:
        raise UsageProblem("--until belongs to --since.", "Give --since too, or --interval.")
    first, last = (int(parse_quantity(text, Kind.TIME)) if text else None for text in (start, end))
    if first is not None and last is not None and first >= last:
        raise UsageProblem("--since is not before --until.", "Swap them.")
    return first, last


def series_of(ids: tuple[str, ...], repository: str, interval: int | None, when: Period, replicates: bool) -> Series:
    if interval is not None and when[0] is not None:
        raise UsageProblem("--interval and --since both say since when.", "Give one of them.")
    refs: list[SeriesRef] = []
    for text in ids:
        found = _ref(text, repository)
        if found is not None:
            refs.append(found)
            continue
        opened = _parsed(text)
        if not isinstance(opened, Series):
            raise UsageProblem(f"{text[:60]!r} names no series.", "Write a signature's id, or REPOSITORY:ID.")
        if len(ids) == 1 and when[0] is None and interval is None:
            return Series(
                opened.series, opened.interval, opened.start, opened.end, replicates or opened.replicates, opened.server
            )
        refs += opened.series
    return Series(tuple(dict.fromkeys(refs)), interval, *when, replicates)


def _ref(text: str, repository: str) -> SeriesRef | None:
    name, colon, signature = text.rpartition(":")
    name = name if colon else repository
    if (NUMBER.fullmatch(signature) or HASH.fullmatch(signature)) and REPOSITORY.fullmatch(name):
        return SeriesRef(name, signature)
    return None


def alerts_of(text: str) -> AlertSummary | AlertSummaries:
    if NUMBER.fullmatch(text):
        return AlertSummary(int(text))
    opened = _parsed(text)
    if isinstance(opened, AlertSummary | AlertSummaries):
        return opened
    raise UsageProblem(f"{text[:60]!r} names no alert summary.", "Write its number, or its Perfherder address.")


def jobs_of(text: str, repository: str, what: str) -> Locator:
    """A push by id, revision or address; with `what` similar or failures, a job's id."""
    number = NUMBER.fullmatch(text) is not None
    if what != "jobs":
        if not number:
            raise UsageProblem(f"{text[:60]!r} is no job's id.", "It is the number that `perf jobs` lists as job_id.")
        return SimilarJobs(repository, int(text)) if what == "similar" else JobFailures(repository, int(text))
    if (
        number and len(text) < 12
    ):  # as few digits as that are an id; no revision of 12 or more is all digits in practice
        return PushJobs(repository, int(text))
    if REVISION.fullmatch(text.lower()):
        return PushOf(repository, text.lower())
    opened = _parsed(text)
    if isinstance(opened, Push):
        return PushOf(opened.repository, opened.revision)
    if isinstance(opened, PushJobs | PushOf | SimilarJobs | JobFailures):
        return opened
    raise UsageProblem(f"{text[:60]!r} names no push.", "Write its id, its revision, or its Treeherder address.")


def compared(
    base: str,
    new: str | None,
    repository: str,
    framework: str,
    interval: int | None,
    replicates: bool,
    parent: int | None,
) -> Compare | ComparedValues:
    if new is None:
        opened = _parsed(base)
        if isinstance(opened, Compare):
            return Compare(
                opened.base_repository, opened.base_revision, opened.new_repository, opened.new_revision,
                framework or opened.framework, opened.base_parent if parent is None else parent,
                opened.new_parent if parent is None else parent, interval or opened.interval,
                replicates or opened.replicates, opened.server,
            )  # fmt: skip
        if isinstance(opened, ComparedValues):
            return opened
        raise UsageProblem("There is nothing to compare BASE with.", "Give NEW too, or the address of a comparison.")
    before, after = _side(base, repository), _side(new, repository)
    if not after[1]:
        raise UsageProblem("NEW must be a revision.", "Only BASE can be history.")
    if before[1] and interval is not None:
        raise UsageProblem("--interval belongs to BASE history.", "Leave it out, or write history for BASE.")
    return Compare(*before, *after, framework, parent, parent, interval, replicates)


_HISTORY = re.compile(r"(?:([^:]+):)?history")


def _side(text: str, repository: str) -> tuple[str, str]:
    """(repository, revision); the revision is "" for history."""
    history = _HISTORY.fullmatch(text)
    if history is not None:
        return history[1] or repository, ""
    name, colon, revision = text.rpartition(":")
    name, revision = name if colon else repository, revision.lower()
    if REPOSITORY.fullmatch(name) and REVISION.fullmatch(revision):
        return name, revision
    opened = _parsed(text)
    if isinstance(opened, Push | PushOf):
        return opened.repository, opened.revision
    raise UsageProblem(
        f"{text[:60]!r} is no revision.", "Write 8 to 40 hex digits, REPOSITORY:REVISION, or a Treeherder push address."
    )


def _parsed(text: str) -> Locator | None:
    try:
        return parse(text)
    except LocatorProblem:
        return None
