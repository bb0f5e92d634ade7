"""Which Perfherder page a text names: addresses of Treeherder's performance pages, of perf.compare, our short forms.

Pages of jobs (`/jobs?repo=...&revision=...`) are not these: they stay with the task group of the push, which
`treeherder_forms` finds. Addresses of before 2021 have the page and its query behind a #.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from backends.locators.base import LocatorProblem
from backends.locators.pasted import SCHEME, Pasted, PastedUrl, split_url, unescape
from backends.locators.perfherder import (
    ALERT_FLAGS,
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

NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
HASH = re.compile(r"[0-9a-f]{40}", re.ASCII)
REVISION = re.compile(r"[0-9a-f]{8,40}", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
WORD = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
ONE_PUSH = {"revision", "selectedTaskRun", "selectedJob", "job_id", "task", "fromchange", "tochange"}
SIDE = re.compile(r"([^:@/]+):([0-9a-f]{1,40})@(?:([0-9a-f]{8,40})|([0-9]{0,15})\.\.([0-9]{0,15}))", re.ASCII)
PUBLIC_HOST = "treeherder.mozilla.org"
COMPARE_HOST = "perf.compare"
# The page of alerts has two statuses that the API has as filters (ui/perfherder/perf-helpers/constants.js).
PAGE_STATUSES = {"10": "untriaged-regressions", "11": "untriaged-improvements"}
Query = dict[str, list[str]]
FORMS_HINT = (
    "Forms: perf:repositories, perf:frameworks[/REPOSITORY], perf:signatures/REPOSITORY/FRAMEWORK, "
    "perf:series/REPOSITORY:ID,..., perf:alerts/REPOSITORY/FRAMEWORK, perf:alert/ID, perf:pushes/REPOSITORY, "
    "perf:push/REPOSITORY/REVISION, perf:jobs/REPOSITORY/PUSH, perf:compare/REPOSITORY/REVISION/REPOSITORY/REVISION."
)


def recognise(pasted: Pasted) -> PerfherderLocator | None:
    """The Perfherder locator of a pasted text, None if it is not Perfherder's."""
    text = pasted.text
    if text[:5].lower() == "perf:" and not text[5:].startswith("//"):
        return _short_form(text[5:])
    url = pasted.url
    if url is None or not url.is_web:
        return None
    page, query = _page(pasted, url)
    if url.host == COMPARE_HOST:
        return _perf_compare(page, query)
    build = _PAGES.get(page)
    if build is not None:
        return build(query, _server(url))
    summary = re.fullmatch(r"api/performance/alertsummary/([0-9]{1,15})", page, re.ASCII)
    return AlertSummary(int(summary[1]), _server(url)) if summary is not None else None


def _server(url: PastedUrl) -> str:
    """Which server an address means. The public one is whichever is configured, as it is for pages of jobs: so an
    address out of a bug opens in the demo or on a server of one's own too."""
    return "" if url.host == PUBLIC_HOST else url.server()


def _page(pasted: Pasted, url: PastedUrl) -> tuple[str, Query]:
    """The page and its query, every value of each name."""
    path = url.path.strip("/")
    written = pasted.text.partition("#")[0].partition("?")[2]
    if path in ("perf.html", "perfherder", "") and url.fragment:
        inner, _, query = url.fragment.strip("/").partition("?")
        name = inner.strip("/")
        path, written = name if name == "jobs" else f"perfherder/{name}", f"{written}&{query}" if written else query
    return path, _pairs(written)


def _pairs(query: str) -> Query:
    found: Query = {}
    try:
        for name, value in parse_qsl(query, max_num_fields=400):
            found.setdefault(name, []).append(value)
    except ValueError:
        return {}
    return found


def _first(query: Query, *names: str) -> str:
    return next((query[name][0] for name in names if name in query), "")


def _number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None


def _graphs(query: Query, server: str) -> PerfherderLocator:
    """`series=repository,signature,visible,framework`, each; the zoom's first two numbers are milliseconds."""
    found = []
    for written in query.get("series", []):
        parts = written.strip("[]").split(",")
        if len(parts) > 1 and REPOSITORY.fullmatch(parts[0]) and _is_signature(parts[1]):
            found.append(SeriesRef(parts[0], parts[1]))
    if not found:
        raise LocatorProblem(
            "This Perfherder graph has no series in its address.", "Add a test to the graph, then copy the address."
        )
    zoom = [
        int(float(part)) for part in _first(query, "zoom").split(",") if re.fullmatch(r"[0-9]{1,15}(\.[0-9]*)?", part)
    ]
    start, end = (zoom[0] // 1000, zoom[1] // 1000) if len(zoom) > 1 and zoom[0] < zoom[1] else (None, None)
    interval = _number(_first(query, "timerange")) if start is None else None
    replicates = _first(query, "replicates").lower() in ("1", "true")
    return Series(tuple(dict.fromkeys(found)), interval, start, end, replicates, server)


def _is_signature(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None or HASH.fullmatch(text) is not None


def _alerts(query: Query, server: str) -> PerfherderLocator:
    number = _number(_first(query, "id"))
    if number is not None:
        return AlertSummary(number, server)
    status, flags = _first(query, "status"), set()
    if status in PAGE_STATUSES:
        flags.add(PAGE_STATUSES[status])
    if _first(query, "hideDwnToInv", "hideDownstream") in ("1", "true"):
        flags.add("hide-related")
    if _first(query, "hideImprovements") in ("1", "true"):
        flags.add("hide-improvements")
    if _first(query, "monitoredAlerts") in ("1", "true"):
        flags.add("monitored")
    framework = _first(query, "framework")
    return AlertSummaries(
        framework=framework if NUMBER.fullmatch(framework) else "",
        status=status if len(status) == 1 and status.isdigit() else "",
        words=_first(query, "filterText", "filter"),
        flags=tuple(sorted(flags)),
        server=server,
    )


def _compare(query: Query, server: str) -> PerfherderLocator:
    return _comparison(
        query, server, base=("originalProject", "originalRevision"), new=("newProject", "newRevision"),
        parents=("originalSignature", "newSignature"),
    )  # fmt: skip


def _distribution(query: Query, server: str) -> PerfherderLocator:
    names = ("originalProject", "originalSubtestSignature", "originalRevision")
    sides = []
    for repository, signature, revision in (names, [name.replace("original", "new") for name in names]):
        told = (_first(query, repository), _first(query, signature), _first(query, revision).lower())
        if not (REPOSITORY.fullmatch(told[0]) and NUMBER.fullmatch(told[1]) and REVISION.fullmatch(told[2])):
            raise _incomplete()
        sides.append(Side(SeriesRef(told[0], told[1]), told[2]))
    return ComparedValues(sides[0], sides[1], server=server)


def _perf_compare(page: str, query: Query) -> PerfherderLocator:
    if page.startswith(("compare-lando", "compare-hash")):
        raise LocatorProblem(
            "This perf.compare address names Lando jobs or hashes, not revisions.",
            "Wait until the pushes are there, and copy the address with baseRev= and newRev=.",
        )
    return _comparison(
        query, "", base=("baseRepo", "baseRev"), new=("newRepo", "newRev"),
        parents=("baseParentSignature", "newParentSignature"),
    )  # fmt: skip


def _comparison(
    query: Query, server: str, *, base: tuple[str, str], new: tuple[str, str], parents: tuple[str, str]
) -> PerfherderLocator:
    base_repository, base_revision = _first(query, base[0]), _first(query, base[1]).lower()
    new_repository, new_revision = _first(query, new[0]), _first(query, new[1]).lower()
    interval = _number(_first(query, "selectedTimeRange"))
    framework = _first(query, "framework")
    if not (REPOSITORY.fullmatch(base_repository) and REPOSITORY.fullmatch(new_repository)):
        raise _incomplete()
    if not REVISION.fullmatch(new_revision) or not (
        REVISION.fullmatch(base_revision) or (interval and not base_revision)
    ):
        raise _incomplete()
    return Compare(
        base_repository, base_revision, new_repository, new_revision,
        framework=framework if NUMBER.fullmatch(framework) else "",
        base_parent=_number(_first(query, parents[0])), new_parent=_number(_first(query, parents[1])),
        interval=None if base_revision else interval,
        replicates=_first(query, "replicates") in ("1", "true"),
        server=server,
    )  # fmt: skip


def _incomplete() -> LocatorProblem:
    return LocatorProblem(
        "This comparison does not name two repositories and revisions.",
        "Copy the address once both revisions (8 to 40 hex digits) are chosen.",
    )


def _home(query: Query, server: str) -> PerfherderLocator:
    return Repositories(server)


def _tests(query: Query, server: str) -> PerfherderLocator:
    """The page of all tests, of a framework if it names one."""
    repository, framework = _first(query, "project", "repo") or "autoland", _first(query, "framework")
    if not REPOSITORY.fullmatch(repository):
        return Repositories(server)
    return Signatures(repository, framework if NUMBER.fullmatch(framework) else "", server=server)


def _pushes(query: Query, server: str) -> PerfherderLocator | None:
    """A page of jobs that names neither a push nor a task lists the pushes of a repository."""
    repository = _first(query, "repo")
    if not REPOSITORY.fullmatch(repository) or query.keys() & ONE_PUSH:
        return None
    start, end = _first(query, "startdate"), _first(query, "enddate")
    start, end = (day if DAY.fullmatch(day) else "" for day in (start, end))
    return Pushes(repository, _first(query, "author"), _first(query, "search"), start, end, server=server)


_PAGES: dict[str, Callable[[Query, str], PerfherderLocator | None]] = {
    "perfherder": _home,
    "jobs": _pushes,
    "perfherder/tests": _tests,
    "perfherder/graphs": _graphs,
    "perfherder/alerts": _alerts,
    "perfherder/compare": _compare,
    "perfherder/comparesubtest": _compare,
    "perfherder/comparesubtestdistribution": _distribution,
}


def _short_form(text: str) -> PerfherderLocator:
    body, _, query = text.partition("?")
    options: dict[str, str] = {}
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        options[name] = unescape(value)
    server = options.pop("server", "")
    if server:
        if SCHEME.match(server) is None:
            raise LocatorProblem("A perf: text names its server as server=https://HOST.", FORMS_HINT)
        server = split_url(server).server()
    kind, *parts = body.rstrip("/").split("/") if body else ["repositories"]
    plain = [unescape(part) for part in parts]
    found = _series_form(kind, parts, options, server) or _listing(kind, plain, options, server)
    found = found or _of_repository(kind, plain, options, server)
    if found is None:
        raise LocatorProblem("This perf: text is incomplete, or something in it is not what belongs there.", FORMS_HINT)
    return found


def _series_form(kind: str, parts: list[str], options: dict[str, str], server: str) -> PerfherderLocator | None:
    replicates = options.get("replicates") == "1"
    if kind == "series" and len(parts) == 1:
        refs = [_ref(*one.partition(":")[::2]) for one in parts[0].split(",")]
        known = tuple(ref for ref in refs if ref is not None)
        if not known or len(known) != len(refs):
            return None
        interval, start, end = (_number(options.get(name, "")) for name in ("interval", "start", "end"))
        return Series(known, interval, start, end, replicates, server)
    if kind == "values" and len(parts) == 2:
        sides = [_side(part) for part in parts]
        if sides[0] is not None and sides[1] is not None:
            return ComparedValues(sides[0], sides[1], replicates, server)
    return None


def _ref(repository: str, signature: str) -> SeriesRef | None:
    name = unescape(repository)
    return SeriesRef(name, signature) if REPOSITORY.fullmatch(name) and _is_signature(signature) else None


def _side(text: str) -> Side | None:
    match = SIDE.fullmatch(text)
    ref = None if match is None else _ref(match[1], match[2])
    if match is None or ref is None:
        return None
    return Side(ref, match[3] or "", _number(match[4] or ""), _number(match[5] or ""))


def _listing(kind: str, parts: list[str], options: dict[str, str], server: str) -> PerfherderLocator | None:
    """What needs no repository, or takes "all" for one."""
    match kind, parts:
        case "repositories", []:
            return Repositories(server)
        case "frameworks", []:
            return Frameworks("", server)
        case "alert", [number] if NUMBER.fullmatch(number):
            return AlertSummary(int(number), server)
        case "alerts", [*names] if len(names) <= 2 and all(WORD.fullmatch(name) for name in names):
            repository, framework = [*names, "", ""][:2]
            return AlertSummaries(
                _unless_all(repository), _unless_all(framework), options.get("status", ""), options.get("text", ""),
                options.get("assignee", ""), _number(options.get("timerange", "")),
                _number(options.get("signature", "")),
                tuple(flag for flag in ALERT_FLAGS if options.get(flag) == "1"), server,
            )  # fmt: skip
    return None


def _unless_all(name: str) -> str:
    return "" if name == "all" else name


def _of_repository(kind: str, parts: list[str], options: dict[str, str], server: str) -> PerfherderLocator | None:
    if not parts or not REPOSITORY.fullmatch(parts[0]):
        return None
    repository = parts[0]
    interval = _number(options.get("interval", ""))
    match kind, parts[1:]:
        case "frameworks", []:
            return Frameworks(repository, server)
        case "signatures", [*rest] if len(rest) < 2 and all(WORD.fullmatch(name) for name in rest):
            parent = options.get("parent", "")
            if parent and not HASH.fullmatch(parent):
                return None
            framework = _unless_all(rest[0]) if rest else ""
            return Signatures(
                repository, framework, interval, options.get("subtests") == "1", parent, options.get("platform", ""),
                server,
            )  # fmt: skip
        case "pushes", []:
            start, end = options.get("from", ""), options.get("to", "")
            if not all(DAY.fullmatch(day) for day in (start, end) if day):
                return None
            count = _number(options.get("count", ""))
            return Pushes(repository, options.get("author", ""), options.get("text", ""), start, end, count, server)
        case "push", [revision] if REVISION.fullmatch(revision):
            return PushOf(repository, revision, server)
        case "jobs", [number] if NUMBER.fullmatch(number):
            return PushJobs(repository, int(number), server)
        case "similar", [number] if NUMBER.fullmatch(number):
            return SimilarJobs(repository, int(number), server)
        case "failures", [number] if NUMBER.fullmatch(number):
            return JobFailures(repository, int(number), server)
        case "compare", [base, other, new] if REPOSITORY.fullmatch(other) and REVISION.fullmatch(new):
            if base != "history" and not REVISION.fullmatch(base):
                return None
            parents = [_number(options.get(name, "")) for name in ("base-parent", "new-parent")]
            return Compare(
                repository, "" if base == "history" else base, other, new, options.get("framework", ""), parents[0],
                parents[1], interval, options.get("replicates") == "1", server,
            )  # fmt: skip
    return None
