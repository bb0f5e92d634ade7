"""Which Perfherder page a text names: addresses of Treeherder's performance pages, of perf.compare, our short forms.

What an address leaves out means what its page shows then (by the pages' sources of August 2026): untriaged alerts of
Talos, a comparison of Talos with all replicates. Pages of jobs of one push (`/jobs?repo=...&revision=...`) are not
these: they stay with the task group of the push, which `treeherder_forms` finds. Addresses of before 2021 have the page
and its query behind a #.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl

from backends.locators import perfherder_api
from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import SCHEME, PastedText, PastedUrl, split_url, unescape
from backends.locators.perfherder import (
    ALERT_FLAGS,
    STATUSES,
    AlertSummaries,
    AlertSummary,
    Compare,
    CompareByReference,
    ComparedValues,
    Frameworks,
    JobFailures,
    LandoPush,
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
from backends.locators.perfherder_api import HASH, NUMBER, REPOSITORY, REVISION, WORD, Query, is_day
from backends.locators.perfherder_api import first as _first
from backends.locators.perfherder_api import framework as _framework
from backends.locators.perfherder_api import incomplete as _incomplete
from backends.locators.perfherder_api import is_signature as _is_signature
from backends.locators.perfherder_api import number as _number
from backends.locators.perfherder_pages import (
    ALL_FRAMEWORKS,
    ALL_REGRESSIONS,
    ALL_STATUSES,
    FLAG_PARAMETERS,
    SHERIFFED_FRAMEWORKS,
    UNTRIAGED_IMPROVEMENTS,
    UNTRIAGED_REGRESSIONS,
)
from backends.locators.treeherder_forms import ONE_PUSH

REFERENCE = re.compile(r"-?[0-9A-Za-z]{1,64}", re.ASCII)
SIDE = re.compile(r"([^:@/]+):([0-9a-f]{1,40})@(?:([0-9a-f]{8,40})|([0-9]{0,15})\.\.([0-9]{0,15}))", re.ASCII)
PUBLIC_HOST = "treeherder.mozilla.org"
COMPARE_HOST = "perf.compare"
TALOS = "1"  # what Perfherder's pages and perf.compare show where no framework is named
UNTRIAGED = "0"
DEFAULT_REPOSITORY = "autoland"  # of pages of jobs
# The page of alerts has three statuses that the API has as filters (ui/perfherder/perf-helpers/constants.js).
PAGE_STATUSES = {
    ALL_REGRESSIONS: "hide-improvements",
    UNTRIAGED_REGRESSIONS: "untriaged-regressions",
    UNTRIAGED_IMPROVEMENTS: "untriaged-improvements",
}
FORMS_HINT = (
    "Forms: perf:repositories, perf:frameworks[/REPOSITORY], perf:signatures/REPOSITORY/FRAMEWORK, "
    "perf:series/REPOSITORY:ID,..., perf:alerts/REPOSITORY/FRAMEWORK, perf:alert/ID, perf:pushes/REPOSITORY, "
    "perf:push/REPOSITORY/REVISION, perf:jobs/REPOSITORY/PUSH, perf:compare/REPOSITORY/REVISION/REPOSITORY/REVISION."
)


def recognise(pasted: PastedText) -> PerfherderLocator | None:
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
    if page.startswith("api/"):
        found = perfherder_api.recognise(page, query, "")
        return found and replace_server(found, url)
    if page in ("jobs", "") and url.host == PUBLIC_HOST and "repo" not in query:
        query["repo"] = [DEFAULT_REPOSITORY]
    build = _PAGES.get(page)
    return None if build is None else build(query, _server(url))


def replace_server(found: PerfherderLocator, url: PastedUrl) -> PerfherderLocator:
    """The same on the server of an address, which is only looked at where the address is a Treeherder's."""
    server = _server(url)
    return replace(found, server=server) if server else found  # type: ignore[call-arg]


def _server(url: PastedUrl) -> str:
    """Which server an address means. The public one is whichever is configured, as it is for pages of jobs: so an
    address out of a bug opens in the demo or on a server of one's own too."""
    return "" if url.host == PUBLIC_HOST else url.server()


def _page(pasted: PastedText, url: PastedUrl) -> tuple[str, Query]:
    """The page and its query, every value of each name."""
    path = url.path.strip("/")
    written = pasted.text.partition("#")[0].partition("?")[2]
    if path in ("perf.html", "perfherder", "") and url.fragment:
        inner, _, query = url.fragment.strip("/").partition("?")
        name = inner.strip("/")
        path, written = name if name == "jobs" else f"perfherder/{name}", f"{written}&{query}" if written else query
    return path, _pairs(written)


def _pairs(query: str) -> Query:
    """Every value of each name; a bare name has the value ""."""
    found: Query = {}
    try:
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=400):
            found.setdefault(name, []).append(value)
    except ValueError:
        return {}
    return found


def _is_on(text: str) -> bool:
    """As the pages read a switch: a whole number at the beginning that is not 0; "true" has always been taken too."""
    digits = re.match(r"\s*[+-]?[0-9]+", text, re.ASCII)
    return text.lower() == "true" or (digits is not None and int(digits[0]) != 0)


def _graphs(query: Query, server: str) -> PerfherderLocator:
    """`series=repository,signature,visible,framework`, each; the zoom's first two numbers are milliseconds."""
    found = []
    for written in query.get("series", []):
        parts = written.strip("[]").split(",")
        if len(parts) > 1 and REPOSITORY.fullmatch(parts[0]) and _is_signature(parts[1]):
            found.append(SeriesRef(parts[0], parts[1], _framework(parts[3]) if len(parts) > 3 else ""))
    if not found:
        raise InvalidLocatorError(
            "This Perfherder graph has no series in its address.", "Add a test to the graph, then copy the address."
        )
    limits = re.sub(r'[\[\]{}"]', "", _first(query, "zoom")).split(",")[:2]
    zoom = [int(part.partition(".")[0]) for part in limits if re.fullmatch(r"[0-9]{1,18}(\.[0-9]*)?", part, re.ASCII)]
    start, end = (zoom[0] // 1000, zoom[1] // 1000) if len(zoom) > 1 and zoom[0] < zoom[1] else (None, None)
    interval = _number(_first(query, "timerange")) if start is None else None
    return Series(tuple(dict.fromkeys(found)), interval, start, end, _is_on(_first(query, "replicates")), server)


def _alerts(query: Query, server: str) -> PerfherderLocator:
    """Without a status the page shows untriaged summaries, without a framework those of Talos."""
    if named := _first(query, "id"):
        return AlertSummary(perfherder_api.one_summary(named), server)
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
        status=_status(status),
        words=_first(query, "filterText", "filter"),
        flags=tuple(sorted(flags)),
        server=server,
        **perfherder_api.alert_filters(query),
    )


def _status(status: str) -> str:
    """The API's number of a page's status; "" where the page leaves the status out of its question. What is no number
    the page takes for untriaged; of a number that it does not know it shows nothing at all."""
    if status == ALL_STATUSES or status in PAGE_STATUSES:
        return ""
    number = re.match(r"\s*([+-]?[0-9]{1,9})", status, re.ASCII)
    if number is None:
        return UNTRIAGED
    if not 0 <= int(number[1]) < len(STATUSES):
        raise perfherder_api.unknown_status(str(int(number[1])))
    return str(int(number[1]))


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
    """Replicates are used with the rank test, which is the default, and wherever `replicates` stands at all."""
    method = _first(query, "test_version")
    replicates = "replicates" in query or method in ("", "mann-whitney-u")
    for kind in ("hash", "lando"):
        if page.startswith(f"compare-{kind}"):
            return _by_reference(kind, query, replicates)
    if not page:
        raise InvalidLocatorError(
            "This is perf.compare's start page, which does not compare two repositories yet.",
            "Choose the revisions there, then copy the address of the results.",
        )
    framework = _first(query, "framework")
    if framework and not _framework(framework):
        raise InvalidLocatorError(
            "The framework= of this comparison is not one that perf.compare shows.",
            "Write one framework's number or name, such as 13 or browsertime.",
        )
    if "over-time" in page:
        query.pop("baseRev", None)
        if _number(_first(query, "selectedTimeRange")) is None:
            raise InvalidLocatorError(
                "This comparison over time does not say how far back it goes.",
                "Add selectedTimeRange= with seconds, such as 1209600 for 14 days.",
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


def _by_reference(kind: str, query: Query, replicates: bool) -> PerfherderLocator:
    base, new = (_first(query, f"{side}{kind.capitalize()}") for side in ("base", "new"))
    repositories = [_first(query, f"{side}Repo") for side in ("base", "new")]
    days = [day if is_day(day) else "" for day in (_first(query, f"{side}HashDate") for side in ("base", "new"))]
    instance = _first(query, "landoInstance") if WORD.fullmatch(_first(query, "landoInstance")) else ""
    valid = NUMBER if kind == "lando" else REFERENCE
    if not (valid.fullmatch(base) and valid.fullmatch(new) and all(map(REPOSITORY.fullmatch, repositories))):
        what = "landing jobs of Lando" if kind == "lando" else "hashes"
        raise InvalidLocatorError(
            f"This perf.compare address does not name two {what} and their repositories.",
            f"It needs base{kind.capitalize()}=, new{kind.capitalize()}=, baseRepo= and newRepo=, as `mach try perf` "
            "prints them.",
        )
    return CompareByReference(
        kind, repositories[0], base, repositories[1], new, days[0], days[1], instance,
        _framework(_first(query, "framework"), TALOS), replicates,
    )  # fmt: skip


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
            f"This comparison names {_counted(revisions, 'new revision')} and "
            f"{_counted(repositories, 'new repository', 'new repositories')}.",
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


def _counted(found: list[str], one: str, several: str = "") -> str:
    return f"{len(found) or 'no'} {one if len(found) == 1 else several or f'{one}s'}"


def _home(query: Query, server: str) -> PerfherderLocator:
    return Repositories(server)


def _tests(query: Query, server: str) -> PerfherderLocator:
    """The page of all tests, of a framework if it names one."""
    repository, framework = _first(query, "project", "repo") or "autoland", _first(query, "framework")
    if not REPOSITORY.fullmatch(repository):
        return Repositories(server)
    return Signatures(repository, _framework(framework), server=server)


def _pushes(query: Query, server: str) -> PerfherderLocator | None:
    """A page of jobs that names neither a push nor a task lists the pushes of a repository, or of a range of them."""
    repository, lando = _first(query, "repo"), _first(query, "landoCommitID")
    if not REPOSITORY.fullmatch(repository):
        return None
    if lando and not _first(query, "revision"):
        instance = _first(query, "landoInstance")
        if not NUMBER.fullmatch(lando):
            raise InvalidLocatorError("This Treeherder address has no valid landoCommitID.", "It is a number.")
        return LandoPush(repository, int(lando), instance if WORD.fullmatch(instance) else "", server)
    in_range = _first(query, "fromchange", "tochange")
    if any(_first(query, name) for name in ONE_PUSH) and not (in_range and not _first(query, "revision")):
        return None
    return perfherder_api.pushes(repository, query, server, author=_first(query, "author"))


def _push_health(query: Query, server: str) -> PerfherderLocator | None:
    repository, revision = _first(query, "repo"), _first(query, "revision").lower()
    if not (REPOSITORY.fullmatch(repository) and REVISION.fullmatch(revision)):
        return None
    return PushOf(repository, revision, server)


_PAGES: dict[str, Callable[[Query, str], PerfherderLocator | None]] = {
    "perfherder": _home,
    "": lambda query, server: None if server else _pushes(query, server),
    "jobs": _pushes,
    "push-health/push": _push_health,
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
            raise InvalidLocatorError("A perf: text names its server as server=https://HOST.", FORMS_HINT)
        server = split_url(server).server()
    kind, *parts = body.rstrip("/").split("/") if body else ["repositories"]
    plain = [unescape(part) for part in parts]
    found = _series_form(kind, parts, options, server) or _listing(kind, plain, options, server)
    found = found or _of_repository(kind, plain, options, server)
    if found is None:
        raise InvalidLocatorError(
            "This perf: text is incomplete, or something in it is not what belongs there.", FORMS_HINT
        )
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
            if not all(is_day(day) for day in (start, end) if day):
                return None
            count = _number(options.get("count", ""))
            older, newer = options.get("fromchange", ""), options.get("tochange", "")
            if not all(REVISION.fullmatch(revision) for revision in (older, newer) if revision):
                return None
            return Pushes(
                repository, options.get("author", ""), options.get("text", ""), start, end, count, server, older, newer
            )
        case "push", [revision] if REVISION.fullmatch(revision):
            return PushOf(repository, revision, server)
        case "jobs", [number] if NUMBER.fullmatch(number):
            return PushJobs(repository, int(number), server)
        case "lando", [number] if NUMBER.fullmatch(number):
            instance = options.get("instance", "")
            return LandoPush(repository, int(number), instance if WORD.fullmatch(instance) else "", server)
        case "similar", [number] if NUMBER.fullmatch(number):
            return SimilarJobs(repository, int(number), server)
        case "failures", [number] if NUMBER.fullmatch(number):
            return JobFailures(repository, int(number), server)
        case "compare", [base, other, new, *rest]:
            return _compare_form(repository, base, [other, new, *rest], interval, options, server)
        case "compare-hash" | "compare-lando", [base, other, new] if REPOSITORY.fullmatch(other):
            valid = NUMBER if kind == "compare-lando" else REFERENCE
            days = [options.get(f"{side}-day", "") for side in ("base", "new")]
            instance = options.get("instance", "")
            if not (valid.fullmatch(base) and valid.fullmatch(new) and all(is_day(day) for day in days if day)):
                return None
            return CompareByReference(
                kind.removeprefix("compare-"), repository, base, other, new, days[0], days[1],
                instance if WORD.fullmatch(instance) else "", options.get("framework", ""),
                options.get("replicates") == "1", server,
            )  # fmt: skip
    return None


def _compare_form(
    repository: str, base: str, news: list[str], interval: int | None, options: dict[str, str], server: str
) -> Compare | None:
    """`news`: repository, revision, repository, revision, ..."""
    if len(news) % 2 or (base != "history" and not REVISION.fullmatch(base)):
        return None
    if not all(map(REPOSITORY.fullmatch, news[::2])) or not all(map(REVISION.fullmatch, news[1::2])):
        return None
    (first, *others) = zip(news[::2], news[1::2], strict=True)
    parents = [_number(options.get(name, "")) for name in ("base-parent", "new-parent")]
    return Compare(
        repository, "" if base == "history" else base, *first, options.get("framework", ""), parents[0], parents[1],
        interval, options.get("replicates") == "1", server, tuple(others),
    )  # fmt: skip
