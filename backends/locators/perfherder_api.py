"""Which list a URL of Treeherder's REST API names: of signatures, values, alerts, comparisons, pushes and jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import unescape
from backends.locators.perfherder import (
    STATUSES,
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    Frameworks,
    JobFailures,
    PerfherderLocator,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    SeriesRef,
    Side,
    Signatures,
    SimilarJobs,
)
from backends.locators.perfherder_pages import FLAG_PARAMETERS, INTERVAL

Query = dict[str, list[str]]
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
HASH = re.compile(r"[0-9a-f]{40}", re.ASCII)
REVISION = re.compile(r"[0-9a-f]{8,40}", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
WORD = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def first(query: Query, *names: str) -> str:
    """The first value of these parameters that is not empty; "" if there is none."""
    return next((value for name in names for value in query.get(name, []) if value), "")


def last(query: Query, name: str) -> str:
    """What the server takes of a parameter that is repeated."""
    return query[name][-1] if query.get(name) else ""


def number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None


def framework(text: str, default: str = "") -> str:
    """By number, or by name, as a person may have written it; `default` for anything else."""
    return text if WORD.fullmatch(text) and not text.startswith("-") else default


def truth(text: str) -> bool:
    return text.lower() in ("1", "true", "yes", "on", "t", "y")


def is_signature(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None or HASH.fullmatch(text) is not None


def incomplete() -> InvalidLocatorError:
    return InvalidLocatorError(
        "This comparison does not name two repositories and revisions.",
        "Copy the address once both revisions (8 to 40 hex digits) are chosen.",
    )


def recognise(path: str, query: Query, server: str) -> PerfherderLocator | None:
    """`path`: without slashes around it, beginning with api/. Raises `InvalidLocatorError`."""
    segments = [unescape(part) for part in path.split("/")[1:]]
    match segments:
        case ["repository"]:
            return Repositories(server)
        case ["performance", "framework"]:
            return Frameworks("", server)
        case ["performance", "alertsummary"]:
            return _alert_summaries(query, server)
        case ["performance", "alertsummary", one] if NUMBER.fullmatch(one):
            return AlertSummary(int(one), server)
        case ["performance", "summary"]:
            return _summary(query, server)
        case ["perfcompare", "results"]:
            return _comparison(query, server)
        case ["jobs"] if NUMBER.fullmatch(last(query, "push_id")):
            raise InvalidLocatorError(
                "This address of the API does not say of which repository the push is.",
                f"Use /api/project/REPOSITORY/jobs/?push_id={last(query, 'push_id')}, or perf:jobs/REPOSITORY/PUSH.",
            )
        case ["project", repository, *rest] if REPOSITORY.fullmatch(repository):
            return _of_repository(repository, rest, query, server)
    return None


def alert_flags(query: Query) -> set[str]:
    return {flag for flag, name in FLAG_PARAMETERS.items() if truth(last(query, name))}


def alert_filters(query: Query) -> dict[str, Any]:
    """The filters that the pages of alerts do not have, under the API's names."""
    repository = last(query, "repository")
    return {
        "repository": repository if REPOSITORY.fullmatch(repository) else "",
        "assignee": last(query, "with_assignee"),
        "timerange": number(last(query, "timerange")),
        "signature": number(last(query, "alerts__series_signature")),
    }


def one_summary(text: str) -> int:
    """The number that an id= must be: without it all summaries would be listed."""
    found = number(text)
    if found is None:
        raise InvalidLocatorError(
            "This address of alerts does not name one alert summary: its id= is no number.",
            "Paste one number, or the address of the list.",
        )
    return found


def unknown_status(status: str) -> InvalidLocatorError:
    known = ", ".join(f"{place} {name}" for place, name in enumerate(STATUSES))
    return InvalidLocatorError(
        f"Alert summaries have no status {status[:20]}.", f"Known: {known}; on the page -2 is all, -1 all regressions."
    )


def _alert_summaries(query: Query, server: str) -> PerfherderLocator:
    named = last(query, "id")
    if named:
        return AlertSummary(one_summary(named), server)
    status = last(query, "status")
    if status and not (NUMBER.fullmatch(status) and int(status) < len(STATUSES)):
        raise unknown_status(status)
    return AlertSummaries(
        framework=framework(last(query, "framework")),
        status=status,
        words=last(query, "filter_text"),
        flags=tuple(sorted(alert_flags(query))),
        server=server,
        **alert_filters(query),
    )


def _summary(query: Query, server: str) -> PerfherderLocator:
    """Of a signature, its series; of a revision, what it measured; else the signatures with values in the period."""
    repository, signature = last(query, "repository"), last(query, "signature")
    revision, named = last(query, "revision").lower(), framework(last(query, "framework"))
    replicates = truth(last(query, "replicates"))
    if not REPOSITORY.fullmatch(repository):
        raise InvalidLocatorError(
            "This address of the API names no repository.", "Add repository=autoland, or another."
        )
    if is_signature(signature):
        ref = SeriesRef(repository, signature, named)
        if REVISION.fullmatch(revision):
            return ComparedValues(Side(ref, revision), Side(ref, revision), replicates, server)
        start, end = _span(query, "startday", "endday")
        interval = number(last(query, "interval")) if start is None else None
        return Series((ref,), interval, start, end, replicates, server)
    if REVISION.fullmatch(revision):
        parent = number(last(query, "parent_signature"))
        return Compare(
            repository, revision, repository, revision, named, parent, parent, replicates=replicates, server=server
        )
    subtests = not truth(last(query, "no_subtests"))
    return Signatures(repository, named, number(last(query, "interval")), subtests, server=server)


def _span(query: Query, *names: str) -> tuple[int | None, int | None]:
    """The two times. Raises `InvalidLocatorError` for what is none: without it other values would be shown."""
    found = [(name, last(query, name), _moment(last(query, name))) for name in names]
    for name, text, moment in found:
        if text and moment is None:
            raise InvalidLocatorError(f"The {name}= of this address is not a time.", "Write it as YYYY-MM-DDTHH:MM:SS.")
    return found[0][2], found[1][2]


def _moment(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text.strip())
        seconds = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def _comparison(query: Query, server: str) -> PerfherderLocator:
    base, new = last(query, "base_repository"), last(query, "new_repository")
    before, after = (last(query, f"{side}_revision").lower() for side in ("base", "new"))
    interval = number(last(query, "interval"))
    if not (REPOSITORY.fullmatch(base) and REPOSITORY.fullmatch(new) and REVISION.fullmatch(after)):
        raise incomplete()
    if not REVISION.fullmatch(before) and (before or not interval):
        raise incomplete()
    return Compare(
        base, before, new, after, framework(last(query, "framework")),
        number(last(query, "base_parent_signature")), number(last(query, "new_parent_signature")),
        None if before else interval, truth(last(query, "replicates")), server,
    )  # fmt: skip


def _of_repository(repository: str, rest: list[str], query: Query, server: str) -> PerfherderLocator | None:
    match rest:
        case ["push"]:
            return _pushes(repository, query, server)
        case ["push", one] | ["push", one, "status"] if NUMBER.fullmatch(one):
            return PushJobs(repository, int(one), server)
        case ["jobs"] if NUMBER.fullmatch(last(query, "push_id")):
            return PushJobs(repository, int(last(query, "push_id")), server)
        case ["jobs", one, "similar_jobs"] if NUMBER.fullmatch(one):
            return SimilarJobs(repository, int(one), server)
        case ["jobs", one] | ["jobs", one, "text_log_errors" | "bug_suggestions"] if NUMBER.fullmatch(one):
            return JobFailures(repository, int(one), server)
        case ["performance", "signatures"]:
            return _signatures(repository, query, server)
        case ["performance", "data"]:
            return _data(repository, query, server)
    return None


def _pushes(repository: str, query: Query, server: str) -> PerfherderLocator:
    one, revision = number(last(query, "id")), (last(query, "revision") or last(query, "commit_revision")).lower()
    if one is not None:
        return PushJobs(repository, one, server)
    if REVISION.fullmatch(revision):
        return PushOf(repository, revision, server)
    return pushes(repository, query, server, author=last(query, "author") or last(query, "author_contains"))


def pushes(repository: str, query: Query, server: str, *, author: str) -> Pushes:
    """The list of pushes that a page of jobs or the API's list of pushes is asked for with these parameters."""
    start, end = (_limit(query, name, is_day, "a day", "YYYY-MM-DD") for name in ("startdate", "enddate"))
    older, newer = (
        _limit(query, name, REVISION.fullmatch, "a revision", "8 to 40 hex digits")
        for name in ("fromchange", "tochange")
    )
    count = number(first(query, "count")) or None
    return Pushes(repository, author, first(query, "search"), start, end, count, server, older, newer)


def _limit(query: Query, name: str, fits: Callable[[str], object], what: str, form: str) -> str:
    """Where a list begins or ends. One that cannot be read is an error: without it other pushes would be listed."""
    text = first(query, name).strip().lower()
    if text and not fits(text):
        raise InvalidLocatorError(
            f"The {name}= of this address is not {what}.", f"Write it as {form}, or leave it out."
        )
    return text


def is_day(text: str) -> bool:
    """Whether it is a day of the calendar, YYYY-MM-DD."""
    try:
        return DAY.fullmatch(text) is not None and date.fromisoformat(text).year > 0
    except ValueError:
        return False


def _signatures(repository: str, query: Query, server: str) -> PerfherderLocator:
    named = framework(last(query, "framework"))
    refs = [*query.get("id", []), *query.get("signature", [])]
    if refs:
        return _series(repository, refs, named, None, server)
    parent = last(query, "parent_signature")
    interval = number(last(query, "interval"))
    return Signatures(
        repository,
        named,
        None if interval == INTERVAL else interval,  # what the list looks back without being told
        last(query, "subtests") != "0" and not parent,
        parent if HASH.fullmatch(parent) else "",
        last(query, "platform"),
        server,
    )


def _data(repository: str, query: Query, server: str) -> PerfherderLocator | None:
    refs = [*query.get("signature_id", []), *query.get("signatures", [])]
    if refs:
        named, (start, end) = framework(last(query, "framework")), _span(query, "start_date", "end_date")
        interval = number(last(query, "interval")) if start is None else None
        return replace(_series(repository, refs, named, interval, server), start=start, end=end)
    push = number(last(query, "push_id"))
    return None if push is None else PushJobs(repository, push, server)


def _series(repository: str, names: list[str], named: str, interval: int | None, server: str) -> Series:
    refs = [SeriesRef(repository, name, named) for name in names if is_signature(name)]
    if not refs:
        raise InvalidLocatorError("This address of the API names no signature.", "Add one by its id.")
    return Series(tuple(dict.fromkeys(refs)), interval, server=server)
