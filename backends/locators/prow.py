"""Prow's locators: a place in a bucket (jobs, builds, a build, a file), a pull request, a job's name, and a view.

`store` says whose bucket: "" is the configured storage, "s3" Amazon's, "file:/directory" a tree on this disk whose
top directories are buckets. What a place is follows from its path alone, since Prow's layout is fixed
(prow pkg/pod-utils/gcs/target.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from backends.locators.base import Locator
from backends.locators.pasted import escape

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
JOB = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)  # test-infra prow/jobs.md
BUILD = re.compile(r"[0-9]{1,20}", re.ASCII)
_PLAIN = re.compile(r"([A-Za-z0-9_+=@.%-]+/)*([A-Za-z0-9_+=@.%-]*[A-Za-z0-9_])?")
ROOTS = frozenset({"logs", "pr-logs"})


class Place(StrEnum):
    JOBS = "jobs"  # a folder of jobs
    BUILDS = "builds"  # one job's builds
    LINKS = "links"  # one job's builds as link files
    PULL = "pull"  # a pull request: the jobs that ran for it
    BUILD = "build"
    FOLDER = "folder"
    FILE = "file"


@dataclass(frozen=True)
class ProwLocator(Locator):
    system: ClassVar[str] = "prow"


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


@dataclass(frozen=True)
class ProwPath(ProwLocator):
    """A folder (its path ends in "/" or is empty) or a file; `line` from 1 of a text, `last` the end of a range that it
    begins."""

    bucket: str
    path: str = ""
    store: str = ""
    line: int | None = None
    last: int | None = None

    @property
    def route(self) -> Route:
        return route(self.path)

    def at_line(self, line: int) -> ProwPath:
        return replace(self, line=line, last=None)

    def text(self) -> str:
        """As gsutil writes it where that is unambiguous."""
        plain = self.store in ("", "s3") and self.line is None and BUCKET.fullmatch(self.bucket)
        if plain and _PLAIN.fullmatch(self.path) and normal(self.path) == self.path:
            return f"{self.store or 'gs'}://{self.bucket}/{self.path}"
        lines = f"{self.line}-{self.last}" if self.last is not None else str(self.line)
        return _spelled("at", self, {"line": lines} if self.line is not None else {})


@dataclass(frozen=True)
class ProwPull(ProwLocator):
    """A pull request; where its builds are, only the bucket can tell."""

    org: str
    repo: str
    number: int
    bucket: str = ""

    def text(self) -> str:
        bucket = f"?bucket={escape(self.bucket)}" if self.bucket else ""
        return f"prow:pull/{escape(self.org)}/{escape(self.repo)}/{self.number}{bucket}"


@dataclass(frozen=True)
class ProwJob(ProwLocator):
    """A job by its name alone, or one of its builds."""

    job: str
    build: str = ""
    bucket: str = ""

    def text(self) -> str:
        bucket = f"?bucket={escape(self.bucket)}" if self.bucket else ""
        return f"prow:job/{escape(self.job)}{f'/{escape(self.build)}' if self.build else ''}{bucket}"


@dataclass(frozen=True)
class ProwBuild(ProwLocator):
    """A build by its id alone; whose it is, only the bucket can tell."""

    build: str
    bucket: str = ""

    def text(self) -> str:
        bucket = f"?bucket={escape(self.bucket)}" if self.bucket else ""
        return f"prow:build/{escape(self.build)}{bucket}"


class View(StrEnum):
    """What can be made of several builds of one job."""

    BUILDS = "builds"
    JOBS = "jobs"
    COMPLETENESS = "completeness"
    PRESENCE = "presence"
    OVER_TIME = "over-time"
    REASONS = "reasons"
    LOGS = "logs"
    SEARCH = "search"
    JUNIT = "junit"
    MATRIX = "matrix"
    TREE = "tree"
    EVENTS = "events"


@dataclass(frozen=True)
class ProwView(ProwLocator):
    """A view of some builds: `path` is the job's folder, `builds` their ids, none meaning the newest `count`.

    `options`: (name, text) pairs that the view knows, such as ("text", what to search for).
    """

    view: View
    bucket: str
    path: str
    builds: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    store: str = ""

    def option(self, name: str, default: str = "") -> str:
        return dict(self.options).get(name, default)

    def text(self) -> str:
        return _spelled(self.view, self, dict(self.options), self.builds)


def page_path(path: str) -> str:
    """The path for a web page's URL, encoded so that the URL pastes as itself even at the end of a sentence."""
    inner = path.rstrip("/")
    return escape(inner, safe="/") + path[len(inner) :]


def _spelled(what: str, at: ProwPath | ProwView, options: dict[str, str], builds: tuple[str, ...] = ()) -> str:
    pairs = [f"{name}={escape(value)}" for name, value in options.items()]
    if builds:
        pairs.append("builds=" + ",".join(escape(one) for one in builds))
    query = f"?{'&'.join(pairs)}" if pairs else ""
    return f"prow:{what}/{escape(at.store or 'gs')}/{escape(at.bucket)}/{escape(at.path, safe='/')}{query}"
