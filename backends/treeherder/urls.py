"""Which list a URL of Treeherder, of its REST API or of perf.compare names; and what a command line argument names.

What a URL leaves out means what its page shows then (by the pages' sources of August 2026): untriaged alerts of Talos,
a comparison of Talos with all replicates. Pages of jobs of one push (`/jobs?repo=...&revision=...`) open the push's
task group, see `backends.taskcluster.urls`. URLs from before 2021 have the page and its query behind a #.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

from backends.errors import UsageError
from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.pasted import PastedText, PastedUrl, unescape
from backends.systems import parse_locator
from backends.taskcluster.locators import PushGroup
from backends.treeherder.datasets.locators import parse_dataset
from backends.treeherder.locators import (
    FLAG_PARAMETERS,
    HASH,
    INTERVAL,
    NUMBER,
    PUSH_HASH,
    REPOSITORY,
    REVISION,
    SUMMARY_STATUSES,
    WORD,
    AlertSummaries,
    AlertSummary,
    Compare,
    CompareByHash,
    CompareByLandingJob,
    ComparedValues,
    Frameworks,
    JobFailures,
    LandoPush,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    SeriesRef,
    Side,
    Signatures,
    SimilarJobs,
    TreeherderLocator,
)
from backends.treeherder.web_urls import (
    ALL_FRAMEWORKS,
    ALL_REGRESSIONS,
    ALL_STATUSES,
    SHERIFFED_FRAMEWORKS,
    UNTRIAGED_IMPROVEMENTS,
    UNTRIAGED_REGRESSIONS,
)

Query = dict[str, list[str]]
PUBLIC_HOST = "treeherder.mozilla.org"
COMPARE_HOST = "perf.compare"
TALOS = "1"  # what Perfherder's pages and perf.compare show where no framework is named
UNTRIAGED = "0"
DEFAULT_REPOSITORY = "autoland"  # of pages of jobs
ONE_PUSH = ("revision", "selectedTaskRun", "selectedJob", "job_id", "task")
# The page of alerts has three statuses that the API has as filters (ui/perfherder/perf-helpers/constants.js).
PAGE_STATUSES = {
    ALL_REGRESSIONS: "hide-improvements",
    UNTRIAGED_REGRESSIONS: "untriaged-regressions",
    UNTRIAGED_IMPROVEMENTS: "untriaged-improvements",
}


def parse_url(pasted: PastedText) -> Locator | None:
    """The locator of a URL of Treeherder or perf.compare, or of a dataset; None for every other text.

    Raises `InvalidLocatorError`.
    """
    url = pasted.url
    if url is None or not url.is_web:
        return parse_dataset(pasted)
    page, query = _page(pasted, url)
    if url.host == COMPARE_HOST:
        return _perf_compare(page, query)
    if page.startswith("api/"):
        found = _parse_api(page, query)
        server = "" if found is None else _server(url)  # only looked at where the URL is a Treeherder's
        return replace(found, server=server) if found is not None and server else found  # type: ignore[call-arg]
    if page in ("jobs", "") and url.host == PUBLIC_HOST and "repo" not in query:
        query["repo"] = [DEFAULT_REPOSITORY]
    build = _PAGES.get(page)
    return None if build is None else build(query, _server(url))


def _server(url: PastedUrl) -> str:
    """The server that a URL means. The public one is whichever is configured, as it is for pages of jobs: so a URL out
    of a bug opens in the demo or on a server of one's own too."""
    return "" if url.host == PUBLIC_HOST else url.server()


def _page(pasted: PastedText, url: PastedUrl) -> tuple[str, Query]:
    """The page and its query, every value of each name."""
    path = url.path.strip("/")
    query = pasted.text.partition("#")[0].partition("?")[2]
    inner, mark, inner_query = url.fragment.strip("/").partition("?")
    name = inner.strip("/")
    if (name == "jobs" and mark) or (url.fragment and path in ("perf.html", "perfherder", "")):
        path, query = (
            name if name == "jobs" else f"perfherder/{name}",
            f"{query}&{inner_query}" if query else inner_query,
        )
    return path, _parse_query(query)


def _parse_query(query: str) -> Query:
    """Every value of each name; a bare name has the value ""."""
    values: Query = {}
    try:
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=400):
            values.setdefault(name, []).append(value)
    except ValueError:
        return {}
    return values


# Parameters


def _first(query: Query, *names: str) -> str:
    """The first value of these parameters that is not empty; "" if there is none."""
    return next((value for name in names for value in query.get(name, []) if value), "")


def _last(query: Query, name: str) -> str:
    """What the server takes of a parameter that is repeated."""
    return query[name][-1] if query.get(name) else ""


def _number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None


def _framework(text: str, default: str = "") -> str:
    """By number, or by name, as a person may have written it; `default` for anything else."""
    return text if WORD.fullmatch(text) and not text.startswith("-") else default


def _word(text: str) -> str:
    return text if WORD.fullmatch(text) else ""


def _is_true(text: str) -> bool:
    """A boolean as the API reads it."""
    return text.lower() in ("1", "true", "yes", "on", "t", "y")


def _is_on(text: str) -> bool:
    """As the pages read a switch: a whole number at the beginning that is not 0; "true" has always been taken too."""
    digits = re.match(r"\s*[+-]?[0-9]+", text, re.ASCII)
    return text.lower() == "true" or (digits is not None and int(digits[0]) != 0)


def _is_signature(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None or HASH.fullmatch(text) is not None


def _is_day(text: str) -> bool:
    """Whether it is a day of the calendar, YYYY-MM-DD."""
    try:
        return len(text) == 10 and date.fromisoformat(text).year > 0
    except ValueError:
        return False


def _incomplete() -> InvalidLocatorError:
    return InvalidLocatorError(
        "This comparison does not name two repositories and revisions.",
        "Copy the URL once both revisions (8 to 40 hex digits) are chosen.",
    )


# Pages of Perfherder


def _graphs(query: Query, server: str) -> TreeherderLocator:
    """`series=repository,signature,visible,framework`, each; the zoom's first two numbers are milliseconds."""
    refs = []
    for text in query.get("series", []):
        parts = text.strip("[]").split(",")
        if len(parts) > 1 and REPOSITORY.fullmatch(parts[0]) and _is_signature(parts[1]):
            refs.append(SeriesRef(parts[0], parts[1], _framework(parts[3]) if len(parts) > 3 else ""))
    if not refs:
        raise InvalidLocatorError(
            "This Perfherder graph has no series in its URL.", "Add a test to the graph, then copy the URL."
        )
    limits = re.sub(r'[\[\]{}"]', "", _first(query, "zoom")).split(",")[:2]
    zoom = [int(part.partition(".")[0]) for part in limits if re.fullmatch(r"[0-9]{1,18}(\.[0-9]*)?", part, re.ASCII)]
    start, end = (zoom[0] // 1000, zoom[1] // 1000) if len(zoom) > 1 and zoom[0] < zoom[1] else (None, None)
    interval = _number(_first(query, "timerange")) if start is None else None
    return Series(tuple(dict.fromkeys(refs)), interval, start, end, _is_on(_first(query, "replicates")), server)


def _alerts(query: Query, server: str) -> TreeherderLocator:
    """Without a status the page shows untriaged summaries, without a framework those of Talos."""
    if summary := _first(query, "id"):
        return AlertSummary(_summary_number(summary), server)
    status, framework = _first(query, "status") or UNTRIAGED, _first(query, "framework") or TALOS
    flags = {flag for flag, name in FLAG_PARAMETERS.items() if _is_on(_first(query, name))}
    if status in PAGE_STATUSES:
        flags.add(PAGE_STATUSES[status])
    for flag, names in (
        ("hide-related", ("hideDwnToInv", "hideDownstream")),
        ("hide-improvements", ("hideImprovements",)),
        ("monitored", ("monitoredAlerts",)),
    ):
        if _is_on(_first(query, *names)):
            flags.add(flag)
    if framework == SHERIFFED_FRAMEWORKS:
        flags.add("sheriffed")
    return AlertSummaries(
        framework="" if framework in (ALL_FRAMEWORKS, SHERIFFED_FRAMEWORKS) else _framework(framework, TALOS),
        status=_page_status(status),
        words=_first(query, "filterText", "filter"),
        flags=tuple(sorted(flags)),
        server=server,
        **_alert_filters(query),
    )


def _page_status(status: str) -> str:
    """The API's number of a page's status; "" where the page leaves the status out of its request. The page takes what
    is not a number for untriaged; of a number that it does not know it shows nothing at all."""
    if status == ALL_STATUSES or status in PAGE_STATUSES:
        return ""
    number = re.match(r"\s*([+-]?[0-9]{1,9})", status, re.ASCII)
    if number is None:
        return UNTRIAGED
    if not 0 <= int(number[1]) < len(SUMMARY_STATUSES):
        raise _unknown_status(str(int(number[1])))
    return str(int(number[1]))


def _unknown_status(status: str) -> InvalidLocatorError:
    known = ", ".join(f"{number} {name}" for number, name in enumerate(SUMMARY_STATUSES))
    return InvalidLocatorError(
        f"Alert summaries have no status {status[:20]}.", f"Known: {known}; on the page -2 is all, -1 all regressions."
    )


def _summary_number(text: str) -> int:
    """The number that an id= must be: without it all summaries would be listed."""
    number = _number(text)
    if number is None:
        raise InvalidLocatorError(
            "This URL of alerts does not name one alert summary: its id= is not a number.",
            "Paste one number, or the URL of the list.",
        )
    return number


def _alert_filters(query: Query) -> dict[str, Any]:
    """The filters that the pages of alerts do not have, under the API's names."""
    repository = _last(query, "repository")
    return {
        "repository": repository if REPOSITORY.fullmatch(repository) else "",
        "assignee": _last(query, "with_assignee"),
        "timerange": _number(_last(query, "timerange")),
        "signature": _number(_last(query, "alerts__series_signature")),
    }


def _tests(query: Query, server: str) -> TreeherderLocator:
    """The page of all tests, of a framework if it names one."""
    repository = _first(query, "project", "repo") or DEFAULT_REPOSITORY
    if not REPOSITORY.fullmatch(repository):
        return Repositories(server)
    return Signatures(repository, _framework(_first(query, "framework")), server=server)


def _compare(query: Query, server: str) -> TreeherderLocator:
    return _comparison(
        query, server, base=("originalProject", "originalRevision"), new=("newProject", "newRevision"),
        parents=("originalSignature", "newSignature"),
    )  # fmt: skip


def _distribution(query: Query, server: str) -> TreeherderLocator:
    sides = []
    for side in ("original", "new"):
        repository, signature = _first(query, f"{side}Project"), _first(query, f"{side}SubtestSignature")
        revision = _first(query, f"{side}Revision").lower()
        if not (REPOSITORY.fullmatch(repository) and NUMBER.fullmatch(signature) and REVISION.fullmatch(revision)):
            raise _incomplete()
        sides.append(Side(SeriesRef(repository, signature), revision))
    return ComparedValues(sides[0], sides[1], server=server)


# perf.compare


def _perf_compare(page: str, query: Query) -> TreeherderLocator:
    """Replicates are used with the rank test, which is the default, and wherever `replicates` stands at all."""
    method = _first(query, "test_version")
    replicates = "replicates" in query or method in ("", "mann-whitney-u")
    for kind in ("hash", "lando"):
        if page.startswith(f"compare-{kind}"):
            return _by_reference(kind, query, replicates)
    if not page:
        raise InvalidLocatorError(
            "This is perf.compare's start page, which does not compare two repositories yet.",
            "Choose the revisions there, then copy the URL of the results.",
        )
    framework = _first(query, "framework")
    if framework and not _framework(framework):
        raise InvalidLocatorError(
            "The framework= of this comparison is not one that perf.compare shows.",
            "Write one framework's number or name, e.g. 13 or browsertime.",
        )
    if "over-time" in page:
        query.pop("baseRev", None)
        if _number(_first(query, "selectedTimeRange")) is None:
            raise InvalidLocatorError(
                "This comparison over time does not say how far back it goes.",
                "Add selectedTimeRange= with seconds, e.g. 1209600 for 14 days.",
            )
    parents = [_first(query, f"{side}ParentSignature") for side in ("base", "new")]
    if page.startswith("subtests") and not all(map(NUMBER.fullmatch, parents)):
        raise InvalidLocatorError(
            "This comparison of subtests does not name the suite on both sides.",
            "Add baseParentSignature= and newParentSignature=, the suite's ids.",
        )
    found = _comparison(
        query, "", base=("baseRepo", "baseRev"), new=("newRepo", "newRev"),
        parents=("baseParentSignature", "newParentSignature"), framework=TALOS,
    )  # fmt: skip
    return replace(found, replicates=replicates)


def _by_reference(kind: str, query: Query, replicates: bool) -> TreeherderLocator:
    base, new = (_first(query, f"{side}{kind.capitalize()}") for side in ("base", "new"))
    repositories = [_first(query, f"{side}Repo") for side in ("base", "new")]
    valid = NUMBER if kind == "lando" else PUSH_HASH
    if not (valid.fullmatch(base) and valid.fullmatch(new) and all(map(REPOSITORY.fullmatch, repositories))):
        what = "landing jobs of Lando" if kind == "lando" else "hashes"
        raise InvalidLocatorError(
            f"This perf.compare URL does not name two {what} and their repositories.",
            f"It needs base{kind.capitalize()}=, new{kind.capitalize()}=, baseRepo= and newRepo=, as `mach try perf` "
            "prints them.",
        )
    framework = _framework(_first(query, "framework"), TALOS)
    if kind == "lando":
        instance = _word(_first(query, "landoInstance"))
        return CompareByLandingJob(
            repositories[0], int(base), repositories[1], int(new), instance, framework, replicates
        )
    days = [day if _is_day(day) else "" for day in (_first(query, f"{side}HashDate") for side in ("base", "new"))]
    return CompareByHash(repositories[0], base, repositories[1], new, days[0], days[1], framework, replicates)


def _comparison(
    query: Query, server: str, *, base: tuple[str, str], new: tuple[str, str], parents: tuple[str, str],
    framework: str = "",
) -> Compare:  # fmt: skip
    """Each new revision goes with the new repository at its place; without any, the base alone is shown.

    `framework`: the one to show where none is named.
    """
    base_repository, base_revision = _first(query, base[0]), _first(query, base[1]).lower()
    repositories = [name for name in query.get(new[0], []) if name]
    revisions = [revision.lower() for revision in query.get(new[1], []) if revision]
    interval = _number(_first(query, "selectedTimeRange"))
    if not revisions and base_revision:
        repositories, revisions = [base_repository], [base_revision]
    if len(revisions) != len(repositories):
        raise InvalidLocatorError(
            f"This comparison names {_count(revisions, 'new revision')} and "
            f"{_count(repositories, 'new repository', 'new repositories')}.",
            f"Give one {new[0]}= for each {new[1]}=.",
        )
    if not (REPOSITORY.fullmatch(base_repository) and repositories and all(map(REPOSITORY.fullmatch, repositories))):
        raise _incomplete()
    if not revisions or not all(map(REVISION.fullmatch, revisions)):
        raise _incomplete()
    if not (REVISION.fullmatch(base_revision) or (interval and not base_revision)):
        raise _incomplete()
    (first, *others) = dict.fromkeys(zip(repositories, revisions, strict=True))
    return Compare(
        base_repository, base_revision, *first,
        framework=_framework(_first(query, "framework"), framework),
        base_parent=_number(_first(query, parents[0])), new_parent=_number(_first(query, parents[1])),
        interval=None if base_revision else interval,
        replicates=_is_on(_first(query, "replicates")),
        server=server,
        others=tuple(others),
    )  # fmt: skip


def _count(items: list[str], singular: str, plural: str = "") -> str:
    return f"{len(items) or 'no'} {singular if len(items) == 1 else plural or f'{singular}s'}"


# Pages of jobs


def _jobs_page(query: Query, server: str) -> TreeherderLocator | None:
    """A page of jobs that names neither a push nor a task lists the pushes of a repository, or of a range of them."""
    repository, lando = _first(query, "repo"), _first(query, "landoCommitID")
    if not REPOSITORY.fullmatch(repository):
        return None
    if lando and not _first(query, "revision"):
        if not NUMBER.fullmatch(lando):
            raise InvalidLocatorError("This Treeherder URL has no valid landoCommitID.", "It is a number.")
        return LandoPush(repository, int(lando), _word(_first(query, "landoInstance")), server)
    in_range = _first(query, "fromchange", "tochange")
    if any(_first(query, name) for name in ONE_PUSH) and not (in_range and not _first(query, "revision")):
        return None
    return _pushes(repository, query, server, author=_first(query, "author"))


def _pushes(repository: str, query: Query, server: str = "", *, author: str) -> Pushes:
    """The list of pushes that a page of jobs or the API's list of pushes shows for these parameters."""
    start, end = (_limit(query, name, _is_day, "a day", "YYYY-MM-DD") for name in ("startdate", "enddate"))
    older, newer = (
        _limit(query, name, REVISION.fullmatch, "a revision", "8 to 40 hex digits")
        for name in ("fromchange", "tochange")
    )
    count = _number(_first(query, "count")) or None
    return Pushes(repository, author, _first(query, "search"), start, end, count, server, older, newer)


def _limit(query: Query, name: str, fits: Callable[[str], object], what: str, form: str) -> str:
    """Where a list begins or ends. One that cannot be read is an error: without it other pushes would be listed."""
    text = _first(query, name).strip().lower()
    if text and not fits(text):
        raise InvalidLocatorError(f"The {name}= of this URL is not {what}.", f"Write it as {form}, or leave it out.")
    return text


def _push_health(query: Query, server: str) -> TreeherderLocator | None:
    repository, revision = _first(query, "repo"), _first(query, "revision").lower()
    if not (REPOSITORY.fullmatch(repository) and REVISION.fullmatch(revision)):
        return None
    return PushOf(repository, revision, server)


_PAGES: dict[str, Callable[[Query, str], TreeherderLocator | None]] = {
    "perfherder": lambda query, server: Repositories(server),
    "": lambda query, server: None if server else _jobs_page(query, server),
    "jobs": _jobs_page,
    "push-health/push": _push_health,
    "perfherder/tests": _tests,
    "perfherder/graphs": _graphs,
    "perfherder/alerts": _alerts,
    "perfherder/compare": _compare,
    "perfherder/comparesubtest": _compare,
    "perfherder/comparesubtestdistribution": _distribution,
}


# The REST API


def _parse_api(path: str, query: Query) -> TreeherderLocator | None:
    """`path`: without slashes around it, beginning with api/. Raises `InvalidLocatorError`."""
    match [unescape(part) for part in path.split("/")[1:]]:
        case ["repository"]:
            return Repositories()
        case ["performance", "framework"]:
            return Frameworks()
        case ["performance", "alertsummary"]:
            return _api_alert_summaries(query)
        case ["performance", "alertsummary", number] if NUMBER.fullmatch(number):
            return AlertSummary(int(number))
        case ["performance", "summary"]:
            return _api_summary(query)
        case ["perfcompare", "results"]:
            return _api_comparison(query)
        case ["jobs"] if NUMBER.fullmatch(_last(query, "push_id")):
            push = _last(query, "push_id")
            raise InvalidLocatorError(
                "This URL of the API does not say of which repository the push is.",
                f"Use /api/project/REPOSITORY/jobs/?push_id={push}, or treeherder:jobs/REPOSITORY/PUSH.",
            )
        case ["project", repository, *rest] if REPOSITORY.fullmatch(repository):
            return _api_of_repository(repository, rest, query)
    return None


def _api_alert_summaries(query: Query) -> TreeherderLocator:
    if summary := _last(query, "id"):
        return AlertSummary(_summary_number(summary))
    status = _last(query, "status")
    if status and not (NUMBER.fullmatch(status) and int(status) < len(SUMMARY_STATUSES)):
        raise _unknown_status(status)
    return AlertSummaries(
        framework=_framework(_last(query, "framework")),
        status=status,
        words=_last(query, "filter_text"),
        flags=tuple(sorted(flag for flag, name in FLAG_PARAMETERS.items() if _is_true(_last(query, name)))),
        **_alert_filters(query),
    )


def _api_summary(query: Query) -> TreeherderLocator:
    """Of a signature, its series; of a revision, what it measured; else the signatures with values in the period."""
    repository, signature = _last(query, "repository"), _last(query, "signature")
    revision, framework = _last(query, "revision").lower(), _framework(_last(query, "framework"))
    replicates = _is_true(_last(query, "replicates"))
    if not REPOSITORY.fullmatch(repository):
        raise InvalidLocatorError("This URL of the API has no repository.", "Add repository=autoland, or another.")
    if _is_signature(signature):
        ref = SeriesRef(repository, signature, framework)
        if REVISION.fullmatch(revision):
            return ComparedValues(Side(ref, revision), Side(ref, revision), replicates)
        start, end = _span(query, "startday", "endday")
        interval = _number(_last(query, "interval")) if start is None else None
        return Series((ref,), interval, start, end, replicates)
    if REVISION.fullmatch(revision):
        parent = _number(_last(query, "parent_signature"))
        return Compare(repository, revision, repository, revision, framework, parent, parent, replicates=replicates)
    subtests = not _is_true(_last(query, "no_subtests"))
    return Signatures(repository, framework, _number(_last(query, "interval")), subtests)


def _span(query: Query, *names: str) -> tuple[int | None, int | None]:
    """The two times. Raises `InvalidLocatorError` for what is not one: without it other values would be shown."""
    times = [(name, _last(query, name), _epoch_seconds(_last(query, name))) for name in names]
    for name, text, seconds in times:
        if text and seconds is None:
            raise InvalidLocatorError(f"The {name}= of this URL is not a time.", "Write it as YYYY-MM-DDTHH:MM:SS.")
    return times[0][2], times[1][2]


def _epoch_seconds(text: str) -> int | None:
    try:
        time = datetime.fromisoformat(text.strip())
        seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def _api_comparison(query: Query) -> TreeherderLocator:
    base, new = _last(query, "base_repository"), _last(query, "new_repository")
    before, after = (_last(query, f"{side}_revision").lower() for side in ("base", "new"))
    interval = _number(_last(query, "interval"))
    if not (REPOSITORY.fullmatch(base) and REPOSITORY.fullmatch(new) and REVISION.fullmatch(after)):
        raise _incomplete()
    if not REVISION.fullmatch(before) and (before or not interval):
        raise _incomplete()
    return Compare(
        base, before, new, after, _framework(_last(query, "framework")),
        _number(_last(query, "base_parent_signature")), _number(_last(query, "new_parent_signature")),
        None if before else interval, _is_true(_last(query, "replicates")),
    )  # fmt: skip


def _api_of_repository(repository: str, rest: list[str], query: Query) -> TreeherderLocator | None:
    match rest:
        case ["push"]:
            return _api_pushes(repository, query)
        case ["push", number] | ["push", number, "status"] if NUMBER.fullmatch(number):
            return PushJobs(repository, int(number))
        case ["jobs"] if NUMBER.fullmatch(_last(query, "push_id")):
            return PushJobs(repository, int(_last(query, "push_id")))
        case ["jobs", number, "similar_jobs"] if NUMBER.fullmatch(number):
            return SimilarJobs(repository, int(number))
        case ["jobs", number] | ["jobs", number, "text_log_errors" | "bug_suggestions"] if NUMBER.fullmatch(number):
            return JobFailures(repository, int(number))
        case ["performance", "signatures"]:
            return _api_signatures(repository, query)
        case ["performance", "data"]:
            return _api_data(repository, query)
    return None


def _api_pushes(repository: str, query: Query) -> TreeherderLocator:
    number = _number(_last(query, "id"))
    revision = (_last(query, "revision") or _last(query, "commit_revision")).lower()
    if number is not None:
        return PushJobs(repository, number)
    if REVISION.fullmatch(revision):
        return PushOf(repository, revision)
    return _pushes(repository, query, author=_last(query, "author") or _last(query, "author_contains"))


def _api_signatures(repository: str, query: Query) -> TreeherderLocator:
    framework = _framework(_last(query, "framework"))
    refs = [*query.get("id", []), *query.get("signature", [])]
    if refs:
        return _api_series(repository, refs, framework, None)
    parent = _last(query, "parent_signature")
    interval = _number(_last(query, "interval"))
    return Signatures(
        repository,
        framework,
        None if interval == INTERVAL else interval,
        _last(query, "subtests") != "0" and not parent,
        parent if HASH.fullmatch(parent) else "",
        _last(query, "platform"),
    )


def _api_data(repository: str, query: Query) -> TreeherderLocator | None:
    refs = [*query.get("signature_id", []), *query.get("signatures", [])]
    if refs:
        framework, (start, end) = _framework(_last(query, "framework")), _span(query, "start_date", "end_date")
        interval = _number(_last(query, "interval")) if start is None else None
        return replace(_api_series(repository, refs, framework, interval), start=start, end=end)
    push = _number(_last(query, "push_id"))
    return None if push is None else PushJobs(repository, push)


def _api_series(repository: str, names: list[str], framework: str, interval: int | None) -> Series:
    refs = [SeriesRef(repository, name, framework) for name in names if _is_signature(name)]
    if not refs:
        raise InvalidLocatorError("This URL of the API has no signature.", "Add one by its id.")
    return Series(tuple(dict.fromkeys(refs)), interval)


# What a command line argument names


def find_push(text: str) -> PushOf | None:
    """The push that a URL or locator names, whatever is selected on its page, on the server of the URL."""
    pasted = PastedText(text)
    url = pasted.url
    if url is not None and url.is_web:
        page, query = _page(pasted, url)
        repository = _first(query, "repo") or (DEFAULT_REPOSITORY if url.host == PUBLIC_HOST else "")
        revision = _first(query, "revision").lower()
        if page == "jobs" and REPOSITORY.fullmatch(repository) and REVISION.fullmatch(revision):
            return PushOf(repository, revision, _server(url))
    found = find_locator(text)
    if isinstance(found, PushGroup):
        return PushOf(found.repository, found.revision)
    return found if isinstance(found, PushOf) else None


def find_locator(text: str) -> Locator | None:
    """What a text opens, None if nothing. Raises `InvalidLocatorError` for a URL that names nothing valid."""
    try:
        return parse_locator(text)
    except InvalidLocatorError:
        if "://" in text:  # a URL says itself what is wrong with it
            raise
        return None


def read_push(text: str, options: Mapping[str, Any]) -> Locator:
    """A push by id, revision, REPOSITORY:REVISION or URL; `options`: the repository of an id or revision.

    Raises `UsageError`.
    """
    repository = options["repository"]
    if NUMBER.fullmatch(text) and len(text) < 12:  # a revision of 12 or more digits is not all decimal in practice
        return PushJobs(repository, int(text))
    name, colon, revision = text.rpartition(":")
    if REVISION.fullmatch(revision.lower()) and (not colon or REPOSITORY.fullmatch(name)):
        return PushOf(name or repository, revision.lower())
    found = find_push(text) or find_locator(text)
    if isinstance(found, PushJobs | PushOf | LandoPush | SimilarJobs | JobFailures):
        return found
    raise UsageError(
        f"{PastedText(text).quote()} is not a push.",
        "Write its id, its revision, REPOSITORY:REVISION, or its Treeherder URL.",
    )


def read_alerts(text: str, options: Mapping[str, Any]) -> Locator:
    """The alerts of a summary by its number or URL; of a page of alerts, what it lists, with `options` instead of its
    own. Raises `UsageError`."""
    found = AlertSummary(int(text)) if NUMBER.fullmatch(text) else find_locator(text)
    given = {
        name: value if name == "flags" else AlertSummaries.template.kind(name).read_input(value, name)
        for name, value in options.items()
        if value
    }
    if isinstance(found, AlertSummaries):
        flags = tuple(sorted({*found.flags, *given.get("flags", ())}))
        return replace(found, **{**given, "flags": flags})
    if isinstance(found, AlertSummary) and given:
        raise UsageError(
            "These options choose alert summaries, not the alerts of one.", "Leave them out, or use --filter."
        )
    if isinstance(found, AlertSummary):
        return found
    raise UsageError(f"{text[:60]!r} is not an alert summary.", "Write its number, or its Perfherder URL.")
