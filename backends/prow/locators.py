"""Prow's locators: a path in a bucket (jobs, builds, a build, a file), a pull request, a job's name, and views.

`store` says whose bucket: "" is the configured storage, "s3" Amazon's, "file:/directory" a tree on this disk whose
top directories are buckets. What a path leads to follows from the path alone, since Prow's layout is fixed
(prow pkg/pod-utils/gcs/target.go).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from backends.locators.declared import DeclaredLocator
from backends.locators.pasted import escape, unescape
from backends.locators.template import KINDS, FieldKind

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
JOB = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)  # test-infra prow/jobs.md
BUILD = re.compile(r"[0-9]{1,20}", re.ASCII)
_PLAIN = re.compile(r"([A-Za-z0-9_+=@.%-]+/)*([A-Za-z0-9_+=@.%-]*[A-Za-z0-9_])?")
ROOTS = frozenset({"logs", "pr-logs"})


class Place(StrEnum):
    """What a path leads to."""

    JOBS = "jobs"  # a folder of jobs
    BUILDS = "builds"  # one job's builds
    LINKS = "links"  # one job's builds as link files
    PULL = "pull"  # a pull request: the jobs that ran for it
    BUILD = "build"
    FOLDER = "folder"
    FILE = "file"

    @property
    def is_job(self) -> bool:
        """Whether its builds are those of one job."""
        return self in (Place.BUILDS, Place.LINKS)

    @property
    def lists_builds(self) -> bool:
        return self.is_job or self is Place.PULL


@dataclass(frozen=True)
class Route:
    """What a path says: `job` and `build` ("" if it does not go that deep), `base`: the build's folder with its "/"."""

    place: Place
    job: str = ""
    build: str = ""
    pull: str = ""
    base: str = ""


def route(path: str) -> Route:
    """Where a path leads. The last segment without "/" is a file, unless the layout says that it is a folder."""
    parts = path.split("/")
    ends = parts[-1] == ""
    names = parts[:-1] if ends else parts
    at = next((place for place, name in enumerate(names) if name in ROOTS), None)
    if at is None:
        return Route(Place.FOLDER if ends or not path else Place.FILE)
    above, below = names[: at + 1], names[at + 1 :]
    if names[at] == "logs":
        return _builds(path, above, below, ends, Place.BUILDS, "")
    if not below:
        return Route(Place.FOLDER)
    above, below = [*above, below[0]], below[1:]
    if above[-1] == "directory":
        return _links(path, above, below, ends)
    if above[-1] != "pull" or not below:
        return Route(Place.FOLDER if ends or above[-1] == "pull" else Place.FILE)
    if below[0] == "batch":
        return _builds(path, [*above, "batch"], below[1:], ends, Place.BUILDS, "batch")
    pull = 1 if BUILD.fullmatch(below[0]) else 2  # the default repository has no folder of its own
    if len(below) < pull:
        return Route(Place.FOLDER)
    number = below[pull - 1]
    if len(below) == pull:
        return Route(Place.PULL, pull=number)
    return _builds(path, [*above, *below[:pull]], below[pull:], ends, Place.BUILDS, number)


def describe_file(path: str) -> str:
    """Name, job and build of a file; "" for what is not in a build. The build's own log needs no name."""
    place = route(path)
    below = path.removeprefix(place.base) if place.base else ""
    if not below:
        return ""
    name = "log" if below == "build-log.txt" else below.rpartition("/")[2]
    return f"{name} of {place.job} {place.build}"


def _builds(path: str, above: list[str], below: list[str], ends: bool, builds: Place, pull: str) -> Route:
    if not below:
        return Route(Place.JOBS, pull=pull)
    job = below[0]
    if len(below) == 1:
        return Route(builds, job, pull=pull)
    build = below[1]
    base = "/".join([*above, job, build]) + "/"
    if len(below) == 2 and BUILD.fullmatch(build):
        return Route(Place.BUILD, job, build, pull, base)
    if len(below) == 2 and not ends:
        return Route(Place.FILE, job, pull=pull)
    return Route(Place.FOLDER if ends else Place.FILE, job, build, pull, base)


def _links(path: str, above: list[str], below: list[str], ends: bool) -> Route:
    if not below:
        return Route(Place.JOBS)
    if len(below) == 1:
        return Route(Place.LINKS, below[0])
    build = below[1].removesuffix(".txt")
    if len(below) == 2 and BUILD.fullmatch(build):
        return Route(Place.BUILD, below[0], build)  # a link: `base` is what it says
    return Route(Place.FOLDER if ends else Place.FILE, below[0])


def normal(path: str) -> str:
    """The path with a "/" at the end where the layout says that it is a folder."""
    found = route(path)
    if not path or path.endswith("/") or found.place is Place.FILE:
        return path
    return path if found.place is Place.BUILD and not found.base else f"{path}/"


def _split_builds(text: str) -> tuple[str, ...]:
    return tuple(unescape(build) for build in text.split(",") if build)


def _join_builds(builds: tuple[str, ...]) -> str:
    return ",".join(escape(build) for build in builds)


class ProwLocator(DeclaredLocator):
    """Base of Prow's locators."""

    system: ClassVar[str] = "prow"
    kinds: ClassVar[Mapping[str, FieldKind]] = {
        **KINDS,
        "name": FieldKind(r"(?s:.+)", "a name", "NAME"),
        "number": FieldKind(r"[0-9]{1,18}", "a number", "N", int),
        "store": FieldKind(
            r"gs|s3|file:/(?s:.*)", "gs, s3 or file:/DIRECTORY", "gs", lambda t: "" if t == "gs" else t,
            lambda value: value or "gs",
        ),
        "path": FieldKind(
            r"(?s:.*)", "a path", "PATH", unescape, lambda path: escape(path, safe="/"), raw=True, rest=True
        ),
        "lines": FieldKind(
            r"[1-9][0-9]{0,17}(-[1-9][0-9]{0,17})?", "a line or a range of lines", "N[-M]",
            lambda text: tuple(map(int, text.split("-"))), lambda lines: "-".join(map(str, lines)),
        ),
        "builds": FieldKind(r"(?s:[^&]+)", "ids of builds", "ID,ID", _split_builds, _join_builds, raw=True),
        "level": FieldKind("1|2", "1 or 2", "1"),
        "period": FieldKind("day|week|month", "day, week or month", "day"),
        "counts": FieldKind("counts", "counts", "counts"),
        "files": FieldKind("files", "files", "files"),
        "folders": FieldKind("folders", "folders", "folders"),
        "flaky": FieldKind("flaky", "flaky", "flaky"),
    }  # fmt: skip


class ProwPath(ProwLocator, template="prow:at/{store:store}/{bucket:name}[/{path:path}]?line={lines:lines}"):
    """A folder (its path ends in "/" or is empty) or a file of a bucket.

    `lines`: of a text, the line to show first, from 1, or the first and the last line of a range.
    """

    bucket: str
    path: str = ""
    store: str = ""
    lines: tuple[int, ...] = ()

    @property
    def is_local(self) -> bool:
        return self.store.startswith("file:")

    @property
    def route(self) -> Route:
        return route(self.path)

    def at_line(self, line: int) -> ProwPath:
        return replace(self, lines=(line,))

    def text(self) -> str:
        """As gsutil writes it where that is unambiguous."""
        plain = self.store in ("", "s3") and not self.lines and BUCKET.fullmatch(self.bucket)
        if plain and _PLAIN.fullmatch(self.path) and normal(self.path) == self.path:
            return f"{self.store or 'gs'}://{self.bucket}/{self.path}"
        return super().text()

    def watched(self) -> ProwLocator:
        found = self.route
        if found.place is not Place.BUILD or not found.base:
            return self
        return BuildsView(self.bucket, found.base.removesuffix(f"{found.build}/"), (found.build,), self.store)

    def listing(self) -> str:
        place = self.route.place
        if place is Place.JOBS:
            return "backends.prow.jobs:ProwJobList"
        return "backends.prow.builds:BuildList" if place.lists_builds else "backends.prow.files:FolderFiles"


class ProwPull(ProwLocator, template="prow:pull/{org:name}/{repo:name}/{number:number}?bucket={bucket}"):
    """The builds of a pull request; where they are, only the bucket can tell."""

    org: str
    repo: str
    number: int
    bucket: str = ""


class ProwJob(ProwLocator, template="prow:job/{job:name}[/{build}]?bucket={bucket}"):
    """A job by its name alone, or one of its builds."""

    job: str
    build: str = ""
    bucket: str = ""


class ProwBuild(ProwLocator, template="prow:build/{build:name}?bucket={bucket}"):
    """A build by its id alone; its job, only the bucket can tell."""

    build: str
    bucket: str = ""


@dataclass(frozen=True)
class ProwView(ProwLocator):
    """Base of what can be made of some builds of one job, or of a folder or file.

    `path`: the job's folder; `builds`: their ids, none meaning the newest `count`.
    """

    common: ClassVar[str] = "count={count}&builds={builds:builds}"

    bucket: str
    path: str = ""
    builds: tuple[str, ...] = ()
    store: str = ""
    count: int | None = None

    @property
    def is_local(self) -> bool:
        return self.store.startswith("file:")

    @property
    def is_of_many_builds(self) -> bool:
        """Whether its rows may be of several builds of a job."""
        of_job = self.path.endswith("/") and route(self.path).place.is_job
        return of_job and len(self.builds) != 1

    def change_view(self, view: type[V], **options: Any) -> V:
        """Another view of the same builds."""
        return view(self.bucket, self.path, self.builds, self.store, **options)


V = TypeVar("V", bound=ProwView)
_AT = "{store:store}/{bucket:name}[/{path:path}]"


class BuildsView(ProwView, template=f"prow:builds/{_AT}", opens="backends.prow.builds:BuildList"):
    """Some builds of a job."""


class JobsView(ProwView, template=f"prow:jobs/{_AT}?prefix={{prefix}}", opens="backends.prow.jobs:ProwJobList"):
    """The jobs of a folder whose names begin with a prefix."""

    prefix: str = ""


class CompletenessView(
    ProwView,
    template=f"prow:completeness/{_AT}?level={{level:level}}&by={{by:counts}}",
    opens="backends.prow.completeness:CompletenessSets",
):
    """Which sets of files builds have; by=counts: how many entries they have."""

    level: str = ""
    by: str = ""


class MissingFilesView(
    ProwView,
    template=f"prow:presence/{_AT}?level={{level:level}}",
    opens="backends.prow.completeness:MissingFiles",
):
    """Which file is missing in how many builds."""

    level: str = ""


class TrendsView(
    ProwView,
    template=f"prow:over-time/{_AT}?by={{by:period}}",
    opens="backends.prow.trends:Trends",
):
    """Pass rate and durations of builds by day, week or month."""

    by: str = ""


class FailureReasonsView(
    ProwView,
    template=f"prow:reasons/{_AT}",
    opens="backends.prow.failure_reasons:FailureReasons",
):
    """Why builds failed, and how often."""


class LogStatisticsView(ProwView, template=f"prow:logs/{_AT}", opens="backends.prow.logs:LogStatistics"):
    """How large the logs of builds are."""


class LogSearchView(
    ProwView,
    template=f"prow:search/{_AT}?text={{pattern:text}}&match={{match}}&lines={{context}}",
    opens="backends.prow.logs:LogSearch",
):
    """A text or regular expression in the logs, or in any files, of builds.

    `match`: globs with newlines between them; `context`: lines around each match.
    """

    pattern: str = ""
    match: str = ""
    context: int | None = None


class JUnitView(
    ProwView, template=f"prow:junit/{_AT}?by={{by:files}}&test={{test}}&suite={{suite}}&classname={{classname}}"
):
    """The test cases in the JUnit files of builds, of a folder or of one file; by=files: the JUnit files themselves."""

    by: str = ""
    test: str = ""
    suite: str = ""
    classname: str = ""

    def listing(self) -> str:
        return f"backends.prow.junit:{'ReportFiles' if self.by else 'TestCases'}"


class JUnitMatrixView(
    ProwView, template=f"prow:matrix/{_AT}?first={{first:flaky}}", opens="backends.prow.junit:TestMatrix"
):
    """Each test across builds: history, pass rate, trend; first=flaky: the flakiest first."""

    first: str = ""


class FileTreeView(ProwView, template=f"prow:tree/{_AT}?by={{by:folders}}"):
    """All files of builds or below a folder; by=folders: number and size of the files in each folder."""

    by: str = ""

    def listing(self) -> str:
        return f"backends.prow.files:{'FolderSizes' if self.by else 'TreeFiles'}"


class EventsView(ProwView, template=f"prow:events/{_AT}", opens="backends.prow.events:EventList"):
    """The Kubernetes events of builds, of a folder or of one file."""


LOCATORS = (
    ProwPath, ProwPull, ProwJob, ProwBuild, BuildsView, JobsView, CompletenessView, MissingFilesView, TrendsView,
    FailureReasonsView, LogStatisticsView, LogSearchView, JUnitView, JUnitMatrixView, FileTreeView, EventsView,
)  # fmt: skip


def page_path(path: str) -> str:
    """The path for a web page's URL, encoded so that the URL pastes as itself even at the end of a sentence."""
    inner = path.rstrip("/")
    return escape(inner, safe="/") + path[len(inner) :]
