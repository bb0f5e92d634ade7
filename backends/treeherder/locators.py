"""Treeherder's locators: the text of each list, what opens it, and its headless verb.

`server` is "" when the text names none: then the configured one is meant. Signatures are named by id (a number) or, in
old URLs, by hash; frameworks by id or name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from backends.locators.declared import DeclaredLocator, Verb, param
from backends.locators.pasted import escape, unescape
from backends.locators.template import KINDS, FieldKind

# Flag of a list of alert summaries -> the API's parameter.
FLAG_PARAMETERS = {
    "hide-improvements": "hide_improvements", "hide-related": "hide_related_and_invalid",
    "monitored": "monitored_alerts", "sheriffed": "show_sheriffed_frameworks",
    "untriaged-improvements": "untriaged_improvements", "untriaged-regressions": "untriaged_regressions",
}  # fmt: skip
ALERT_FLAGS = tuple(FLAG_PARAMETERS)
# Statuses of alert summaries, by number (perf/models.py: PerformanceAlertSummary).
SUMMARY_STATUSES = (
    "untriaged", "downstream", "reassigned", "invalid", "improvement", "investigating", "wontfix", "fixed",
    "backedout", "infra",
)  # fmt: skip
INTERVAL = 14 * 86400  # seconds; what Perfherder's pages and our lists look back if nothing else is said
REPOSITORY, REVISION, HASH = (re.compile(KINDS[name].pattern, re.ASCII) for name in ("repository", "revision", "hash"))
NUMBER, WORD = (re.compile(KINDS[name].pattern, re.ASCII) for name in ("int", "word"))
PUSH_HASH = re.compile(r"-?[0-9A-Za-z]{1,64}", re.ASCII)  # what `mach try perf` writes into commit messages
_REPOSITORY = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]|%2[eE])*"  # a raw field: `escape` encodes a last dot
_REF = rf"{_REPOSITORY}:(?:[0-9]{{1,15}}|[0-9a-f]{{40}})"
_WHEN = r"(?:[0-9a-f]{8,40}|[0-9]{0,15}\.\.[0-9]{0,15})"
_PUSH = rf"{_REPOSITORY}/{REVISION.pattern}"


@dataclass(frozen=True)
class SeriesRef:
    """One signature of one repository. `framework`: its number where it is known; the signature alone identifies the
    series, so it does not count in comparisons, but Perfherder's graphs page shows nothing without it."""

    repository: str
    signature: str  # an id, or a hash of 40 digits
    framework: str = field(default="", compare=False)

    def text(self) -> str:
        return f"{escape(self.repository)}:{self.signature}"

    @classmethod
    def parse(cls, text: str) -> SeriesRef:
        repository, _, signature = text.partition(":")
        return cls(unescape(repository), signature)


@dataclass(frozen=True)
class Side:
    """One side of a comparison of values: a signature's values of a revision, or between two times (epoch seconds)."""

    series: SeriesRef
    revision: str = ""
    start: int | None = None
    end: int | None = None

    def text(self) -> str:
        when = self.revision or f"{'' if self.start is None else self.start}..{'' if self.end is None else self.end}"
        return f"{self.series.text()}@{when}"

    @classmethod
    def parse(cls, text: str) -> Side:
        ref, _, when = text.partition("@")
        if ".." not in when:
            return cls(SeriesRef.parse(ref), when)
        start, end = (int(part) if part else None for part in when.split(".."))
        return cls(SeriesRef.parse(ref), "", start, end)


def _parse_pushes(text: str) -> tuple[tuple[str, str], ...]:
    parts = text.rstrip("/").split("/") if text else []
    return tuple((unescape(name), revision) for name, revision in zip(parts[::2], parts[1::2], strict=True))


def _format_pushes(pushes: tuple[tuple[str, str], ...]) -> str:
    return "/".join(f"{escape(name)}/{revision}" for name, revision in pushes)


class TreeherderLocator(DeclaredLocator):
    system: ClassVar[str] = "treeherder"
    common = "server={server:server}"
    kinds = {
        **KINDS,
        "seconds": FieldKind(
            NUMBER.pattern, "a number of seconds", "SECONDS", int, option="backends.treeherder.base:parse_seconds"
        ),
        "day": FieldKind(
            KINDS["day"].pattern, "a day (YYYY-MM-DD)", "DAY", KINDS["day"].parse,
            option="backends.treeherder.base:parse_day",
        ),
        "history": FieldKind(
            rf"history|{REVISION.pattern}", "a revision or history", "REVISION",
            lambda text: "" if text == "history" else text, lambda value: value or "history",
        ),
        "push_hash": FieldKind(PUSH_HASH.pattern, "a hash", "HASH"),
        "alert_flags": FieldKind("1", "1", "1", choices=ALERT_FLAGS),
        "series": FieldKind(
            rf"{_REF}(?:,{_REF})*", "REPOSITORY:ID,...", "REPOSITORY:ID,...",
            lambda text: tuple(map(SeriesRef.parse, text.split(","))),
            lambda refs: ",".join(ref.text() for ref in refs), raw=True,
        ),
        "side": FieldKind(
            rf"{_REF}@{_WHEN}", "REPOSITORY:ID@REVISION", "REPOSITORY:ID@REVISION", Side.parse, Side.text, raw=True
        ),
        "pushes": FieldKind(
            rf"(?:{_PUSH}(?:/{_PUSH})*/?)?", "REPOSITORY/REVISION/...", "REPOSITORY/REVISION/...", _parse_pushes,
            _format_pushes, raw=True, rest=True,
        ),
    }  # fmt: skip


class Repositories(
    TreeherderLocator,
    template="treeherder:repositories",
    opens="backends.treeherder.signatures:RepositoryList",
    verb=Verb("repositories", "List the active repositories."),
):
    """The active repositories."""

    server: str = param(default="")


class Frameworks(
    TreeherderLocator,
    template="treeherder:frameworks[/{repository:repository}]",
    opens="backends.treeherder.signatures:FrameworkList",
    verb=Verb("frameworks", "List the enabled frameworks: names and ids."),
):
    """The frameworks that measure a repository; without one, just the frameworks."""

    repository: str = param(default="", help="A repository whose signatures they lead to.")
    server: str = param(default="")


class Signatures(
    TreeherderLocator,
    template="treeherder:signatures/{repository:repository}[/{framework:all}]"
    "?parent={parent:hash}&platform={platform}&interval={interval:seconds}&subtests={subtests}",
    verb=Verb(
        "signatures", "List what a repository measured, one row per signature: suites; with --subtests all.",
    ),
):  # fmt: skip
    """Signatures with values in the last `interval` seconds: suites, with `subtests` all, of `parent` (a hash) its own.

    `framework` "" means all of them.
    """

    repository: str = param(help="E.g. autoland or try.", metavar="R")
    framework: str = param(default="", help="By name or id, e.g. browsertime or 13.", metavar="F")
    interval: int | None = param(default=None, help="How far back, e.g. 2d or 12w [default: 14d].", metavar="T")
    subtests: bool = param(default=False, help="Include the subtests of suites.")
    parent: str = param(default="", help="Only the subtests of the suite with this hash.", metavar="HASH")
    platform: str = param(default="", help="Only this platform, by its full name.", metavar="P")
    server: str = param(default="")

    def listing(self) -> str:
        return f"backends.treeherder.signatures:{'SubtestList' if self.parent else 'SignatureList'}"


class Series(
    TreeherderLocator,
    template="treeherder:series/{series:series}"
    "?interval={interval:seconds}&start={start}&end={end}&replicates={replicates}&at={at}",
):
    """Values over time: of the last `interval` seconds, or between two times (epoch seconds).

    `at`: when the push was pushed (epoch seconds) whose first value the cursor begins at.
    """

    series: tuple[SeriesRef, ...] = param()
    interval: int | None = param(default=None)
    start: int | None = param(default=None)
    end: int | None = param(default=None)
    replicates: bool = param(default=False)
    server: str = param(default="")
    at: int | None = param(default=None)

    def listing(self) -> str:
        return f"backends.treeherder.series:{'SeriesPoints' if len(self.series) > 1 else 'OneSeries'}"


class AlertSummaries(
    TreeherderLocator,
    template="treeherder:alerts[/{repository:all}[/{framework:all}]]?status={status}&text={words}&assignee={assignee}"
    "&timerange={timerange:seconds}&signature={signature}&{flags:alert_flags}",
    opens="backends.treeherder.alerts:AlertSummaryList",
    verb=Verb(
        "alerts", "List alert summaries, newest first; of a SUMMARY (its number or URL) the alerts in it.",
        argument="summary", optional_argument=True, read="backends.treeherder.urls:read_alerts",
    ),
):  # fmt: skip
    """Alert summaries by the server's own filters.

    `status`: one of `SUMMARY_STATUSES`, also given by its number or as people write it ("Won't fix"); `flags`: of
    `ALERT_FLAGS`.
    """

    repository: str = param(default="", help="Only this one, e.g. autoland.", metavar="R")
    framework: str = param(default="", help="By name or id, e.g. browsertime or 13.", metavar="F")
    status: str = param(default="", help="E.g. untriaged, investigating, fixed, backedout.", metavar="S")
    words: str = param(
        default="", flag="--text", help="All words, in suite, test, platform, bug, revision.", metavar="WORDS"
    )
    assignee: str = param(default="", help="Assigned to this person.", metavar="NAME")
    timerange: int | None = param(
        default=None, flag="--interval", help="Pushed within this time, e.g. 30d.", metavar="T"
    )
    signature: int | None = param(default=None, help="On this signature only.", metavar="ID")
    flags: tuple[str, ...] = param(default=())
    server: str = param(default="")

    def __post_init__(self) -> None:
        word = self.status.lower().replace("'", "").replace(" ", "").replace("-", "")
        words = {str(number): word for number, word in enumerate(SUMMARY_STATUSES)}
        if word in words or word in SUMMARY_STATUSES:
            object.__setattr__(self, "status", words.get(word, word))


class AlertSummary(
    TreeherderLocator, template="treeherder:alert/{number}", opens="backends.treeherder.alerts:AlertList"
):
    """The alerts of one summary."""

    number: int = param()
    server: str = param(default="")


class Pushes(
    TreeherderLocator,
    template="treeherder:pushes/{repository:repository}?author={author}&text={words}&from={start:day}&to={end:day}"
    "&count={count}&fromchange={from_revision:revision}&tochange={to_revision:revision}",
    opens="backends.treeherder.pushes:PushList",
):
    """Pushes of a repository, newest first: the newest, by author, words, days or between two revisions.

    Both days (YYYY-MM-DD) and both revisions are included. `from_revision` is the older one; then all of them are
    listed unless `count` says less.
    """

    repository: str = param()
    author: str = param(default="")
    words: str = param(default="")
    start: str = param(default="")
    end: str = param(default="")
    count: int | None = param(default=None)
    server: str = param(default="")
    from_revision: str = param(default="")
    to_revision: str = param(default="")


class PushOf(TreeherderLocator, template="treeherder:push/{repository:repository}/{revision:revision}"):
    """The jobs of a push given by its revision.

    The server is asked for its id, then it opens as `PushJobs`.
    """

    repository: str = param()
    revision: str = param()
    server: str = param(default="")


class LandoPush(
    TreeherderLocator, template="treeherder:lando/{repository:repository}/{number}?instance={instance:word}"
):
    """The jobs of the push that a landing job of Lando became.

    `instance`: Lando's name of its deployment, "" for the usual one.
    """

    repository: str = param()
    number: int = param()
    instance: str = param(default="")
    server: str = param(default="")


class PushJobs(
    TreeherderLocator,
    template="treeherder:jobs/{repository:repository}/{push_id}",
    opens="backends.treeherder.jobs:PushJobList",
    verb=Verb(
        "jobs", "List the jobs of a PUSH (its id, its revision or its Treeherder URL), failures first.",
        argument="push_id", read="backends.treeherder.urls:read_push", defaults={"repository": "autoland"},
    ),
):  # fmt: skip
    """The jobs of one push.

    `revision`: its tip where that is known; the id alone identifies the push.
    """

    repository: str = param(help="The repository of an id or revision.", metavar="R")
    push_id: int = param(metavar="PUSH")
    server: str = param(default="")
    revision: str = param(default="", compare=False)


class SimilarJobs(
    TreeherderLocator,
    template="treeherder:similar/{repository:repository}/{job_id}",
    opens="backends.treeherder.jobs:SimilarJobList",
    verb=Verb(
        "similar", "List the other jobs with the type and build of JOB (its id), newest first.", argument="job_id",
        defaults={"repository": "autoland"},
    ),
):  # fmt: skip
    """Other jobs of the same type and build, newest first."""

    repository: str = param(help="The job's repository.", metavar="R")
    job_id: int = param(metavar="JOB")
    server: str = param(default="")


class JobFailures(
    TreeherderLocator,
    template="treeherder:failures/{repository:repository}/{job_id}",
    opens="backends.treeherder.jobs:FailureLines",
    verb=Verb(
        "failures", "List the failure lines of JOB (its id), with the bugs that they look like.", argument="job_id",
        defaults={"repository": "autoland"},
    ),
):  # fmt: skip
    """The failure lines of a job, with the bugs that they look like."""

    repository: str = param(help="The job's repository.", metavar="R")
    job_id: int = param(metavar="JOB")
    server: str = param(default="")


class Compare(
    TreeherderLocator,
    template="treeherder:compare/{base_repository:repository}/{base_revision:history}/{new_repository:repository}"
    "/{new_revision:revision}[/{others:pushes}]?framework={framework}&base-parent={base_parent}"
    "&new-parent={new_parent}&interval={interval:seconds}&replicates={replicates}",
):
    """Two revisions, suite by suite; with parents (ids of suites) the subtests of those.

    Without a base revision the base is what the repository measured in the `interval` seconds before the new push.
    `others`: further (repository, revision) pairs that are compared with the same base. Where the new side is the base
    itself, only the base is shown, as perf.compare does where no new revision is named.
    """

    base_repository: str = param()
    base_revision: str = param()
    new_repository: str = param()
    new_revision: str = param()
    framework: str = param(default="")
    base_parent: int | None = param(default=None)
    new_parent: int | None = param(default=None)
    interval: int | None = param(default=None)
    replicates: bool = param(default=False)
    server: str = param(default="")
    others: tuple[tuple[str, str], ...] = param(default=())

    @property
    def news(self) -> tuple[tuple[str, str], ...]:
        """(repository, revision) of each new side, each once."""
        return tuple(dict.fromkeys(((self.new_repository, self.new_revision), *self.others)))

    @property
    def base_only(self) -> bool:
        return bool(self.base_revision) and self.news == ((self.base_repository, self.base_revision),)

    @property
    def of_subtests(self) -> bool:
        return self.base_parent is not None or self.new_parent is not None

    def listing(self) -> str:
        name = "SubtestCompareList" if self.of_subtests else "CompareList"
        return f"backends.treeherder.compare:{'SeveralCompareList' if len(self.news) > 1 else name}"


class CompareByHash(
    TreeherderLocator,
    template="treeherder:compare-hash/{base_repository:repository}/{base:push_hash}/{new_repository:repository}"
    "/{new:push_hash}?base-day={base_day:day}&new-day={new_day:day}&framework={framework}&replicates={replicates}",
):
    """A comparison of two pushes by the hashes that `mach try perf` wrote in their commit messages.

    `base_day`, `new_day`: when they were pushed. The server is asked for their revisions, then it opens as a `Compare`.
    """

    base_repository: str = param()
    base: str = param()
    new_repository: str = param()
    new: str = param()
    base_day: str = param(default="")
    new_day: str = param(default="")
    framework: str = param(default="")
    replicates: bool = param(default=False)
    server: str = param(default="")


class CompareByLandingJob(
    TreeherderLocator,
    template="treeherder:compare-lando/{base_repository:repository}/{base}/{new_repository:repository}/{new}"
    "?instance={instance:word}&framework={framework}&replicates={replicates}",
):
    """A comparison of the pushes that two landing jobs of Lando became.

    Lando is asked for their revisions, then it opens as a `Compare`.
    """

    base_repository: str = param()
    base: int = param()
    new_repository: str = param()
    new: int = param()
    instance: str = param(default="")
    framework: str = param(default="")
    replicates: bool = param(default=False)
    server: str = param(default="")


class ComparedValues(
    TreeherderLocator,
    template="treeherder:values/{base:side}/{new:side}?replicates={replicates}",
    opens="backends.treeherder.value_comparison:ValueList",
):
    """The values of both sides, for two histograms."""

    base: Side = param()
    new: Side = param()
    replicates: bool = param(default=False)
    server: str = param(default="")


LOCATORS: tuple[type[TreeherderLocator], ...] = (
    Repositories, Frameworks, Signatures, Series, AlertSummaries, AlertSummary, Pushes, PushOf, LandoPush, PushJobs,
    SimilarJobs, JobFailures, Compare, CompareByHash, CompareByLandingJob, ComparedValues,
)  # fmt: skip
