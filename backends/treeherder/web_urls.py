"""The URL of the web page that shows what a Treeherder locator means: `backends.treeherder.urls` reads it back.

Perfherder's alerts and graphs pages, the pages of jobs, and perf.compare, by their sources of August 2026. A list that
no page shows has the URL of the API's own response. What a page has no parameter for stands in its URL under the API's
name: the page ignores it, and pasting the URL gives the same list again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from backends.locators.pasted import escape
from backends.treeherder.locators import (
    FLAG_PARAMETERS,
    INTERVAL,
    SUMMARY_STATUSES,
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    Frameworks,
    JobFailures,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    SeriesRef,
    Signatures,
    SimilarJobs,
)

PUBLIC = "https://treeherder.mozilla.org"
COMPARE = "https://perf.compare"
# The pages know no other time ranges (ui/perfherder/perf-helpers/constants.js, perfcompare's common/constants.ts).
TIME_RANGES = tuple(days * 86400 for days in (1, 2, 7, 14, 30, 60, 90, 365))
# Framework numbers of Mozilla's Treeherder, for names in a URL that is written before the server has been asked.
FRAMEWORKS = {
    "talos": 1, "build_metrics": 2, "awsy": 4, "awfy": 5, "platform_microbench": 6, "js-bench": 11, "devtools": 12,
    "browsertime": 13, "vcs": 14, "mozperftest": 15, "fxrecord": 16, "telemetry": 17, "mozharness": 18,
}  # fmt: skip
ALL_STATUSES, ALL_REGRESSIONS, UNTRIAGED_REGRESSIONS, UNTRIAGED_IMPROVEMENTS = "-2", "-1", "10", "11"
ALL_FRAMEWORKS, SHERIFFED_FRAMEWORKS = "-1", "-2"
Pairs = Iterable[tuple[str, object]]


def page_url(base: str, page: str, pairs: Pairs = ()) -> str:
    """`BASE/PAGE?name=value&...` of the pairs that have a value; it ends in nothing that pasting would cut off."""
    query = "&".join(f"{name}={escape(_text(value))}" for name, value in pairs if value not in (None, ""))
    return f"{base}/{page}" + (f"?{query}" if query else "")


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "replace").decode()  # lone surrogates: no URL can hold them


def framework_name(framework: str, known: Mapping[str, int] | None = None) -> str:
    """The name of a framework given by name or number; the text itself if it is not known."""
    names = {str(number): name for name, number in (known or FRAMEWORKS).items()}
    return names.get(framework, framework)


def framework_number(framework: str, known: Mapping[str, int] | None = None) -> str:
    """The number that pages want, of a framework given by name or number; "" for none."""
    if not framework or (framework.isascii() and framework.isdigit()):
        return framework
    number = {**FRAMEWORKS, **(known or {})}.get(framework.lower())
    return framework if number is None else str(number)


def covering(seconds: float) -> int:
    """The shortest time range of the pages that reaches that far back; their longest where none does."""
    return next((span for span in TIME_RANGES if span >= seconds), TIME_RANGES[-1])


def graph_url(
    base: str,
    at: Series,
    *,
    values: tuple[float, float] | None = None,
    highlighted: Iterable[str] = (),
    now: float | None = None,
) -> str:
    """The graph of these series. `values`: the lowest and the highest that are to be seen, for the zoom."""
    moment = time.time() if now is None else now
    pairs: list[tuple[str, object]] = [("series", _series(ref)) for ref in at.series]
    pairs += [("highlightedRevisions", revision[:12]) for revision in dict.fromkeys(highlighted) if revision]
    if at.replicates:
        pairs.append(("replicates", 1))
    if at.start is None:
        pairs.append(("timerange", None if at.interval is None else covering(at.interval)))
        return page_url(base, "perfherder/graphs", pairs)
    end = int(moment) if at.end is None else at.end
    limits = [str(at.start * 1000), str(end * 1000), *(f"{value:.12g}" for value in _widened(values))]
    pairs += [("timerange", covering(moment - at.start)), ("zoom", ",".join(limits))]
    return page_url(base, "perfherder/graphs", pairs)


def _series(ref: SeriesRef) -> str:
    return f"{ref.repository},{ref.signature},1,{framework_number(ref.framework) or 1}"


def _widened(values: tuple[float, float] | None) -> tuple[float, ...]:
    """A range of values with a margin, so that no point lies on the border and equal ones have a height."""
    if values is None:
        return ()
    low, high = values
    margin = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def alerts_url(base: str, at: AlertSummaries | AlertSummary, frameworks: Mapping[str, int] | None = None) -> str:
    """The page of alerts with these filters. It has none for repository, assignee, signature and time."""
    if isinstance(at, AlertSummary):
        return page_url(base, "perfherder/alerts", [("id", at.number)])
    flags = set(at.flags)
    status = _page_status(at.status, flags)
    framework = framework_number(at.framework, frameworks)
    if not framework:
        framework = SHERIFFED_FRAMEWORKS if "sheriffed" in flags else ALL_FRAMEWORKS
        flags.discard("sheriffed")
    pairs: list[tuple[str, object]] = [
        ("status", status),
        ("framework", framework),
        ("filterText", at.words),
        ("hideDwnToInv", 1 if "hide-related" in flags else None),
        ("monitoredAlerts", 1 if "monitored" in flags else None),
        ("repository", at.repository),
        ("with_assignee", at.assignee),
        ("timerange", at.timerange),
        ("alerts__series_signature", at.signature),
    ]
    left = sorted(flags - {"hide-related", "monitored"})
    return page_url(base, "perfherder/alerts", [*pairs, *((FLAG_PARAMETERS[flag], 1) for flag in left)])


def _page_status(status: str, flags: set[str]) -> str:
    """The page's number for the status; a flag that it expresses is taken out of `flags`."""
    if status:
        return str(SUMMARY_STATUSES.index(status)) if status in SUMMARY_STATUSES else status
    for flag, number in (
        ("untriaged-regressions", UNTRIAGED_REGRESSIONS),
        ("untriaged-improvements", UNTRIAGED_IMPROVEMENTS),
        ("hide-improvements", ALL_REGRESSIONS),
    ):
        if flag in flags:
            flags.discard(flag)
            return number
    return ALL_STATUSES


def compare_url(
    base: str, at: Compare, frameworks: Mapping[str, int] | None = None, *, student_t: bool = False, search: str = ""
) -> str:
    """The comparison on perf.compare, which knows Mozilla's Treeherder only; of another server, the API's response.

    `student_t`: its Student's t view even with replicates, for its rank view fails where values do not differ at all.
    perf.compare shows one framework: Talos where none is named.
    """
    framework = framework_number(at.framework, frameworks)
    if base != PUBLIC:
        return _api_comparison(base, at, framework)
    page = f"{'subtests-' if at.of_subtests else ''}compare-{'' if at.base_revision else 'over-time-'}results"
    pairs: list[tuple[str, object]] = [("baseRev", at.base_revision), ("baseRepo", at.base_repository)]
    if not at.base_only or at.of_subtests:
        for repository, revision in at.news:
            pairs += [("newRev", revision), ("newRepo", repository)]
    pairs += [
        ("framework", framework or 1),
        ("selectedTimeRange", None if at.base_revision else covering(at.interval or INTERVAL)),
        ("baseParentSignature", at.base_parent),
        ("newParentSignature", at.new_parent),
        ("replicates", 1 if at.replicates else None),
        ("test_version", "student-t" if student_t or not at.replicates else "mann-whitney-u"),
        ("search", search),
    ]
    return page_url(COMPARE, page, pairs)


def _api_comparison(base: str, at: Compare, framework: str) -> str:
    pairs: list[tuple[str, object]] = [
        ("base_repository", at.base_repository),
        ("base_revision", at.base_revision),
        ("new_repository", at.new_repository),
        ("new_revision", at.new_revision),
        ("framework", framework),
        ("interval", None if at.base_revision else at.interval or INTERVAL),
        ("no_subtests", None if at.of_subtests else True),
        ("base_parent_signature", at.base_parent),
        ("new_parent_signature", at.new_parent),
        ("replicates", True if at.replicates else None),
        ("test_version", "student-t"),
    ]
    return page_url(base, "api/perfcompare/results/", pairs)


def values_url(base: str, at: ComparedValues, values: tuple[float, float] | None = None) -> str:
    """No page shows the values of two sides: the graph of both series, with the revisions marked."""
    refs = tuple(dict.fromkeys((at.base.series, at.new.series)))
    starts = [side.start for side in (at.base, at.new)]
    ends = [side.end for side in (at.base, at.new)]
    start = None if None in starts else min(one for one in starts if one is not None)
    end = None if None in ends else max(one for one in ends if one is not None)
    shown = Series(refs, INTERVAL if start is None else None, start, end, at.replicates)
    return graph_url(base, shown, values=values, highlighted=(at.base.revision, at.new.revision))


def pushes_url(base: str, at: Pushes) -> str:
    pairs: list[tuple[str, object]] = [
        ("repo", at.repository),
        ("author", at.author),
        ("search", at.words),
        ("startdate", at.start),
        ("enddate", at.end),
        ("fromchange", at.from_revision),
        ("tochange", at.to_revision),
        ("count", at.count),
    ]
    return page_url(base, "jobs", pairs)


def push_url(base: str, at: PushOf | PushJobs) -> str:
    """The page of a push wants its revision; where only its number is known, the API's list of its jobs."""
    if not at.revision and isinstance(at, PushJobs):
        return page_url(base, f"api/project/{escape(at.repository)}/jobs/", [("push_id", at.push_id), ("count", 2000)])
    return page_url(base, "jobs", [("repo", at.repository), ("revision", at.revision)])


def job_url(base: str, at: JobFailures | SimilarJobs, line: int | None = None) -> str:
    """The log viewer marks a job's failure lines; jobs like one are a tab of a page without a URL of its own."""
    if isinstance(at, SimilarJobs):
        return page_url(base, f"api/project/{escape(at.repository)}/jobs/{at.job_id}/similar_jobs/", [("count", 100)])
    return page_url(base, "logviewer", [("job_id", at.job_id), ("repo", at.repository), ("lineNumber", line)])


def signatures_url(base: str, at: Signatures, frameworks: Mapping[str, int] | None = None) -> str:
    """No page lists signatures any more: the API's response."""
    whole = at.subtests or bool(at.parent)
    pairs: list[tuple[str, object]] = [
        ("framework", framework_number(at.framework, frameworks)),
        ("interval", (at.interval or INTERVAL) if not at.parent else at.interval),
        ("subtests", None if whole else 0),
        ("parent_signature", at.parent),
        ("platform", at.platform),
    ]
    return page_url(base, f"api/project/{escape(at.repository)}/performance/signatures/", pairs)


def reference_url(base: str, at: Repositories | Frameworks) -> str:
    """No page lists these: the API's response."""
    return page_url(base, "api/repository/" if isinstance(at, Repositories) else "api/performance/framework/")
