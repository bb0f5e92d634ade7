"""Treeherder's locators: repositories, signatures, series, alerts, pushes, jobs and comparisons of any server.

`server` is "" when the text named none: then the configured one is meant. Signatures are named by their id (a number)
or, where an old address does so, by their hash; frameworks by id or name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from backends.locators.base import Locator
from backends.locators.pasted import escape

ALERT_FLAGS = (
    "hide-improvements", "hide-related", "monitored", "sheriffed", "untriaged-improvements", "untriaged-regressions",
)  # fmt: skip
# Statuses of alert summaries, by their numbers (perf/models.py: PerformanceAlertSummary).
STATUSES = (
    "untriaged", "downstream", "reassigned", "invalid", "improvement", "investigating", "wontfix", "fixed",
    "backedout", "infra",
)  # fmt: skip


@dataclass(frozen=True)
class PerfherderLocator(Locator):
    system: ClassVar[str] = "treeherder"

    def text(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Repositories(PerfherderLocator):
    server: str = ""

    def text(self) -> str:
        return _text(["repositories"], [], self.server)


@dataclass(frozen=True)
class Frameworks(PerfherderLocator):
    """The frameworks that measure a repository; without one, just the frameworks."""

    repository: str = ""
    server: str = ""

    def text(self) -> str:
        return _text(["frameworks", self.repository] if self.repository else ["frameworks"], [], self.server)


@dataclass(frozen=True)
class Signatures(PerfherderLocator):
    """Signatures with values in the last `interval` seconds: suites, with `subtests` all, of `parent` (a hash) its own.

    `framework` "" is every framework.
    """

    repository: str
    framework: str = ""
    interval: int | None = None
    subtests: bool = False
    parent: str = ""
    platform: str = ""
    server: str = ""

    def text(self) -> str:
        parts = ["signatures", self.repository, self.framework or "all"]
        options = [
            ("parent", self.parent),
            ("platform", self.platform),
            ("interval", self.interval),
            ("subtests", 1 if self.subtests else None),
        ]
        return _text(parts, options, self.server)


@dataclass(frozen=True)
class SeriesRef:
    """One signature of one repository. `framework`: its number where it is known; the signature alone says which
    series it is, so it does not count in comparisons, but Perfherder's graphs page shows nothing without it."""

    repository: str
    signature: str  # an id, or a hash of 40 digits
    framework: str = field(default="", compare=False)

    def text(self) -> str:
        return f"{escape(self.repository)}:{self.signature}"


@dataclass(frozen=True)
class Series(PerfherderLocator):
    """Values over time: of the last `interval` seconds, or between two moments (epoch seconds)."""

    series: tuple[SeriesRef, ...]
    interval: int | None = None
    start: int | None = None
    end: int | None = None
    replicates: bool = False
    server: str = ""

    def text(self) -> str:
        options = [
            ("interval", self.interval),
            ("start", self.start),
            ("end", self.end),
            ("replicates", 1 if self.replicates else None),
        ]
        joined = ",".join(one.text() for one in self.series)
        return f"perf:series/{joined}{_query(options, self.server)}"


@dataclass(frozen=True)
class AlertSummaries(PerfherderLocator):
    """Alert summaries by the server's own filters. `status`: one of `STATUSES`, also given by its number or as people
    write it ("Won't fix"); `flags`: of `ALERT_FLAGS`."""

    repository: str = ""
    framework: str = ""
    status: str = ""
    words: str = ""
    assignee: str = ""
    timerange: int | None = None
    signature: int | None = None
    flags: tuple[str, ...] = ()
    server: str = ""

    def __post_init__(self) -> None:
        word = self.status.lower().replace("'", "").replace(" ", "").replace("-", "")
        words = {str(number): word for number, word in enumerate(STATUSES)}
        if word in words or word in STATUSES:
            object.__setattr__(self, "status", words.get(word, word))

    def text(self) -> str:
        parts = ["alerts", self.repository or "all", self.framework or "all"]
        options = [
            ("status", self.status),
            ("text", self.words),
            ("assignee", self.assignee),
            ("timerange", self.timerange),
            ("signature", self.signature),
            *((flag, 1) for flag in self.flags),
        ]
        return _text(parts, options, self.server)


@dataclass(frozen=True)
class AlertSummary(PerfherderLocator):
    """The alerts of one summary."""

    number: int
    server: str = ""

    def text(self) -> str:
        return _text(["alert", str(self.number)], [], self.server)


@dataclass(frozen=True)
class Pushes(PerfherderLocator):
    """The newest `count` pushes, or those by an author, with words in a comment, or between two days (YYYY-MM-DD) or
    two revisions, both included (`from_revision` is the older one; then all of them unless `count` says less)."""

    repository: str
    author: str = ""
    words: str = ""
    start: str = ""
    end: str = ""
    count: int | None = None
    server: str = ""
    from_revision: str = ""
    to_revision: str = ""

    def text(self) -> str:
        options = [
            ("author", self.author),
            ("text", self.words),
            ("from", self.start),
            ("to", self.end),
            ("count", self.count),
            ("fromchange", self.from_revision),
            ("tochange", self.to_revision),
        ]
        return _text(["pushes", self.repository], options, self.server)


@dataclass(frozen=True)
class PushOf(PerfherderLocator):
    """A push by revision, whose id the server must be asked for; its jobs are what opens."""

    repository: str
    revision: str
    server: str = ""

    def text(self) -> str:
        return _text(["push", self.repository, self.revision], [], self.server)


@dataclass(frozen=True)
class LandoPush(PerfherderLocator):
    """The push that a landing job of Lando became. `instance`: Lando's name of its deployment, "" for the usual one."""

    repository: str
    number: int
    instance: str = ""
    server: str = ""

    def text(self) -> str:
        return _text(["lando", self.repository, str(self.number)], [("instance", self.instance)], self.server)


@dataclass(frozen=True)
class PushJobs(PerfherderLocator):
    """The jobs of a push. `revision`: its tip where that is known; the id alone says which push it is."""

    repository: str
    push_id: int
    server: str = ""
    revision: str = field(default="", compare=False)

    def text(self) -> str:
        return _text(["jobs", self.repository, str(self.push_id)], [], self.server)


@dataclass(frozen=True)
class SimilarJobs(PerfherderLocator):
    """Other jobs of the same type and build, newest first."""

    repository: str
    job_id: int
    server: str = ""

    def text(self) -> str:
        return _text(["similar", self.repository, str(self.job_id)], [], self.server)


@dataclass(frozen=True)
class JobFailures(PerfherderLocator):
    """The failure lines of a job, with the bugs that they look like."""

    repository: str
    job_id: int
    server: str = ""

    def text(self) -> str:
        return _text(["failures", self.repository, str(self.job_id)], [], self.server)


@dataclass(frozen=True)
class Compare(PerfherderLocator):
    """Two revisions, suite by suite; with parents (ids of suites) the subtests of those.

    Without a base revision the base is what the repository measured in the `interval` seconds before the new push.
    `others`: further (repository, revision) pairs that are compared with the same base. Where the new side is the base
    itself, only the base is shown, as perf.compare does where no new revision is named.
    """

    base_repository: str
    base_revision: str
    new_repository: str
    new_revision: str
    framework: str = ""
    base_parent: int | None = None
    new_parent: int | None = None
    interval: int | None = None
    replicates: bool = False
    server: str = ""
    others: tuple[tuple[str, str], ...] = ()

    @property
    def news(self) -> tuple[tuple[str, str], ...]:
        """(repository, revision) of each new side, each once."""
        return tuple(dict.fromkeys(((self.new_repository, self.new_revision), *self.others)))

    @property
    def base_only(self) -> bool:
        return bool(self.base_revision) and self.news == ((self.base_repository, self.base_revision),)

    def text(self) -> str:
        parts = [
            "compare",
            self.base_repository,
            self.base_revision or "history",
            self.new_repository,
            self.new_revision,
            *(part for pair in self.others for part in pair),
        ]
        options = [
            ("framework", self.framework),
            ("base-parent", self.base_parent),
            ("new-parent", self.new_parent),
            ("interval", self.interval),
            ("replicates", 1 if self.replicates else None),
        ]
        return _text(parts, options, self.server)


@dataclass(frozen=True)
class CompareByReference(PerfherderLocator):
    """A comparison whose revisions a server has to be asked for, as `mach try perf` prints them: by hashes that stand
    in the pushes' commit messages (`kind` "hash", with the days of the pushes), or by landing jobs ("lando")."""

    kind: str
    base_repository: str
    base: str
    new_repository: str
    new: str
    base_day: str = ""
    new_day: str = ""
    instance: str = ""
    framework: str = ""
    replicates: bool = False
    server: str = ""

    def text(self) -> str:
        options = [
            ("base-day", self.base_day),
            ("new-day", self.new_day),
            ("instance", self.instance),
            ("framework", self.framework),
            ("replicates", 1 if self.replicates else None),
        ]
        parts = [f"compare-{self.kind}", self.base_repository, self.base, self.new_repository, self.new]
        return _text(parts, options, self.server)


@dataclass(frozen=True)
class Side:
    """One side of a comparison of values: a signature's values of a revision, or between two moments."""

    series: SeriesRef
    revision: str = ""
    start: int | None = None
    end: int | None = None

    def text(self) -> str:
        when = self.revision or f"{'' if self.start is None else self.start}..{'' if self.end is None else self.end}"
        return f"{self.series.text()}@{when}"


@dataclass(frozen=True)
class ComparedValues(PerfherderLocator):
    """The values of both sides, for two histograms."""

    base: Side
    new: Side
    replicates: bool = False
    server: str = ""

    def text(self) -> str:
        options = [("replicates", 1 if self.replicates else None)]
        return f"perf:values/{self.base.text()}/{self.new.text()}{_query(options, self.server, closed=True)}"


def _text(parts: Iterable[str], options: Iterable[tuple[str, str | int | None]], server: str) -> str:
    return f"perf:{'/'.join(escape(part) for part in parts)}{_query(options, server)}"


def _query(options: Iterable[tuple[str, str | int | None]], server: str, *, closed: bool = False) -> str:
    """`?name=value&...`; `closed`: never nothing, where the text would end in dots that pasting strips."""
    pairs = [(name, str(value)) for name, value in options if value is not None and value != ""]
    if server:
        pairs.append(("server", server))
    elif closed and not pairs:
        pairs.append(("v", "1"))
    joined = "&".join(f"{name}={escape(value, safe=':' if name == 'server' else '')}" for name, value in pairs)
    return f"?{joined}" if joined else ""
