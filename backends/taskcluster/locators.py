"""Taskcluster's locators.

`root_url` is "" when the text named no deployment: then the configured one is meant. A locator of what has a page on
the web prints that page's URL once its deployment is known; all others print a `taskcluster:` text. A group, or some
tasks of it, is spelled `GROUP` or `GROUP:TASK,TASK`. `urls` parses what is not declared by a template.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import ClassVar

from backends.locators.base import Locator
from backends.locators.declared import DeclaredLocator, param
from backends.locators.pasted import escape
from backends.locators.template import KINDS, FieldKind

PUBLIC_TREEHERDER = "treeherder.mozilla.org"
# The queue's own pattern (services/queue/schemas/constants.yml): a 128-bit v4 or "nice" UUID in URL-safe base64.
SLUGID = re.compile(r"[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]")
INDEX_PATH = re.compile(r"[A-Za-z0-9_!~*'()%-]+(\.[A-Za-z0-9_!~*'()%-]+)*")
PERFHERDER_DATA = "perfherder-data*.json"  # file names: perfherder-data.json, perfherder-data-building.json, ...
GROUP_VIEWS = ("breakdown", "timeline", "critical-path")
CONTENT_VIEWS = ("archive", "table")

_IDS = FieldKind(
    rf"{SLUGID.pattern}(?:,{SLUGID.pattern})*", "task ids separated by commas", "ID,ID",
    lambda text: tuple(text.split(",")), ",".join, raw=True,
)  # fmt: skip


def is_slugid(text: object) -> bool:
    """Whether this can be the id of a task or a task group."""
    return isinstance(text, str) and SLUGID.fullmatch(text) is not None


def is_perfherder_data(artifact: str) -> bool:
    return fnmatchcase(artifact.rpartition("/")[2], PERFHERDER_DATA)


@dataclass(frozen=True)
class TaskclusterLocator(Locator):
    system: ClassVar[str] = "taskcluster"


class DeclaredTaskclusterLocator(DeclaredLocator, TaskclusterLocator):
    common = "root={root_url:server}"
    kinds = {
        **KINDS,
        "slugid": FieldKind(SLUGID.pattern, "an id of 22 characters", "ID"),
        "ids": _IDS,
    }


@dataclass(frozen=True)
class TaskGroup(TaskclusterLocator):
    """All tasks of a group, or some of them.

    `search`: a part of the task names to show first, which the group's page keeps behind its #. `task`: the one to put
    the cursor on.
    """

    group_id: str
    root_url: str = ""
    task_ids: tuple[str, ...] = ()
    search: str = ""
    task: str = ""

    def text(self) -> str:
        search = f"#{escape(self.search)}" if self.search else ""
        if self.root_url and not self.task_ids and not self.task:
            return f"{self.root_url}/tasks/groups/{self.group_id}{search}"
        task = f"/{self.task}" if self.task else ""
        return f"taskcluster:group/{_group(self.group_id, self.task_ids)}{task}{_root(self.root_url)}{search}"

    def listing(self) -> str:
        return "backends.taskcluster.tasks:GroupTaskList"


@dataclass(frozen=True)
class Task(TaskclusterLocator):
    """A task (all its runs) or one run of it; it opens as its artifacts."""

    task_id: str
    run: int | None = None
    root_url: str = ""

    def text(self) -> str:
        if self.root_url:
            return f"{self.root_url}/tasks/{self.task_id}" + ("" if self.run is None else f"/runs/{self.run}")
        return f"taskcluster:task/{self.task_id}" + ("" if self.run is None else f"/{self.run}")

    def watched(self) -> Locator:
        return TaskRuns(self.task_id, self.root_url)

    def listing(self) -> str:
        return "backends.taskcluster.artifacts:ArtifactList"


@dataclass(frozen=True)
class TaskOrGroup(TaskclusterLocator):
    """A bare id: only the server can tell which of the two it is."""

    slug: str
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:{self.slug}{_root(self.root_url)}" if self.root_url else self.slug


@dataclass(frozen=True)
class Artifact(TaskclusterLocator):
    """One artifact. `run` None is the latest run. `line`, from 1, of a text; `last`: the end of a range of lines."""

    task_id: str
    run: int | None
    name: str
    root_url: str = ""
    line: int | None = None
    last: int | None = None

    def at_line(self, line: int) -> Artifact:
        return replace(self, line=line, last=None)

    def text(self) -> str:
        """With a deployment the URL that curl can fetch, since the web interface confuses some names with its pages.

        A line follows the # as the log viewer of the web interface writes it; neither curl nor a browser sends it.
        """
        name = escape(self.name, safe="/") + ("" if self.line is None else f"#L{self.line}")
        if self.line is not None and self.last is not None:
            name += f"-L{self.last}"
        if self.root_url:
            run = "" if self.run is None else f"/runs/{self.run}"
            return f"{self.root_url}/api/queue/v1/task/{self.task_id}{run}/artifacts/{name}"
        return f"taskcluster:artifact/{self.task_id}/{'latest' if self.run is None else self.run}/{name}"

    def listing(self) -> str:
        return "backends.taskcluster.artifacts:ArtifactList"


class TaskArtifacts(
    DeclaredTaskclusterLocator,
    template="taskcluster:artifacts/{task_ids:ids}",
    opens="backends.taskcluster.artifacts:ArtifactList",
):
    """The artifacts of several tasks, of all their runs."""

    task_ids: tuple[str, ...] = param()
    root_url: str = param(default="")


class TaskMeasurements(
    DeclaredTaskclusterLocator,
    template="taskcluster:measurements/{task_ids:ids}",
    opens="backends.taskcluster.measurements:MeasurementList",
):
    """The values in the perfherder data of several tasks, of all their runs."""

    task_ids: tuple[str, ...] = param()
    root_url: str = param(default="")


class TaskRuns(
    DeclaredTaskclusterLocator,
    template="taskcluster:runs/{task_id:slugid}",
    opens="backends.taskcluster.runs:RunList",
):
    """The runs of a task."""

    task_id: str = param()
    root_url: str = param(default="")


class TaskDependencies(
    DeclaredTaskclusterLocator,
    template="taskcluster:dependencies/{task_id:slugid}",
    opens="backends.taskcluster.tasks:DependencyList",
):
    """The tasks that a task depends on."""

    task_id: str = param()
    root_url: str = param(default="")


class TaskDependents(
    DeclaredTaskclusterLocator,
    template="taskcluster:dependents/{task_id:slugid}",
    opens="backends.taskcluster.tasks:DependentList",
):
    """The tasks that depend on a task."""

    task_id: str = param()
    root_url: str = param(default="")


class TaskRetriggers(
    DeclaredTaskclusterLocator,
    template="taskcluster:retriggers/{task_id:slugid}",
    opens="backends.taskcluster.tasks:RetriggerList",
):
    """The tasks of a group that have the label of a task: it and its retriggers."""

    task_id: str = param()
    root_url: str = param(default="")


@dataclass(frozen=True)
class IndexPath(TaskclusterLocator):
    """A task by its path in the index, e.g. gecko.v2.autoland.latest.taskgraph.decision, or an artifact of it."""

    path: str
    root_url: str = ""
    artifact: str = ""

    def text(self) -> str:
        if self.root_url and "." in self.path and not self.artifact and INDEX_PATH.fullmatch(self.path):
            namespace, _, name = self.path.rpartition(".")
            return f"{self.root_url}/tasks/index/{escape(namespace)}/{escape(name)}"
        artifact = f"/{escape(self.artifact, safe='/')}" if self.artifact else ""
        return f"taskcluster:index/{escape(self.path)}{artifact}{_root(self.root_url)}"


class IndexedGroup(DeclaredTaskclusterLocator, template="taskcluster:index-group/{path:path}"):
    """The group of the task at an index path."""

    kinds = {**DeclaredTaskclusterLocator.kinds, "path": FieldKind(r"(?s:.+)", "an index path", "PATH")}
    path: str = param()
    root_url: str = param(default="")


class IndexNamespace(
    DeclaredTaskclusterLocator,
    template="taskcluster:namespace[/{path}]",
    opens="backends.taskcluster.index:IndexList",
):
    """The index directly below a path; without a path, its root."""

    path: str = param(default="")
    root_url: str = param(default="")


class PushGroup(DeclaredTaskclusterLocator, template="taskcluster:push/{repository:name}/{revision:name}"):
    """The group of a push's decision task, by repository and revision as Treeherder names them."""

    kinds = {**DeclaredTaskclusterLocator.kinds, "name": FieldKind(r"(?s:.+)", "a name", "NAME")}
    repository: str = param()
    revision: str = param()
    root_url: str = param(default="")


@dataclass(frozen=True)
class GroupView(TaskclusterLocator):
    """Statistics of a group, or of some tasks of it: by a column (`breakdown`), over time, or the critical path."""

    view: str
    group_id: str
    by: str = ""
    task_ids: tuple[str, ...] = ()
    root_url: str = ""

    def text(self) -> str:
        by = f"/{escape(self.by)}" if self.view == "breakdown" else ""
        return f"taskcluster:{self.view}/{_group(self.group_id, self.task_ids)}{by}{_root(self.root_url)}"

    def listing(self) -> str:
        names = {"breakdown": "BreakdownList", "timeline": "TimelineList", "critical-path": "CriticalPathList"}
        return f"backends.taskcluster.group_stats:{names[self.view]}"


@dataclass(frozen=True)
class GroupComparison(TaskclusterLocator):
    """Two sides, each whatever leads to a group (or to some tasks of one): their tasks, or their measurements.

    `series`: one series of the measurements, by the columns of `compare.SERIES`, "" for missing values; then the list
    shows its values.
    """

    base: Locator
    new: Locator
    measured: bool = False
    series: tuple[str, ...] = ()
    root_url: str = ""

    def text(self) -> str:
        sides = f"{self._side(self.base)}..{self._side(self.new)}"
        kind = "values" if self.series else "compare-measurements" if self.measured else "compare"
        series = "".join(f"/{escape(part)}" for part in self.series)
        return f"taskcluster:{kind}/{sides}{series}{_root(self.root_url)}"

    @staticmethod
    def _side(side: Locator) -> str:
        if isinstance(side, TaskGroup) and not side.root_url:
            return _group(side.group_id, side.task_ids)
        # A bare id would be read as a group's, and two dots divide the sides.
        text = f"taskcluster:{side.text()}" if isinstance(side, TaskOrGroup) and not side.root_url else side.text()
        return escape(text).replace(".", "%2E")

    def listing(self) -> str:
        name = "SeriesValueList" if self.series else "SeriesChangeList" if self.measured else "TaskChangeList"
        return f"backends.taskcluster.compare:{name}"


def compare_groups(
    base: Locator, new: Locator, measured: bool = False, series: tuple[str, ...] = ()
) -> GroupComparison:
    """The comparison in its shortest spelling: two groups of one deployment share its root URL."""
    if isinstance(base, TaskGroup) and isinstance(new, TaskGroup) and base.root_url == new.root_url:
        return GroupComparison(replace(base, root_url=""), replace(new, root_url=""), measured, series, base.root_url)
    return GroupComparison(base, new, measured, series)


@dataclass(frozen=True)
class ArtifactContents(TaskclusterLocator):
    """The members of an archive, or the rows of a table (CSV, perfherder data).

    `columns`: (name, whether it holds numbers) of a CSV, once `resolve` has read them.
    """

    view: str
    task_id: str
    run: int | None
    name: str
    root_url: str = ""
    columns: tuple[tuple[str, bool], ...] = field(default=(), compare=False, repr=False)

    def text(self) -> str:
        run = "latest" if self.run is None else self.run
        return f"taskcluster:{self.view}/{self.task_id}/{run}/{escape(self.name, safe='/')}{_root(self.root_url)}"

    def listing(self) -> str:
        if self.view == "archive":
            return "backends.taskcluster.archive_members:ArchiveMemberList"
        if is_perfherder_data(self.name):
            return "backends.taskcluster.measurements:MeasurementList"
        return "backends.taskcluster.contents:TableRowList"


@dataclass(frozen=True)
class TreeherderJob(TaskclusterLocator):
    """A job by its number, whose task only Treeherder knows: the task's log (`log`), or the task within its group.

    `server` is "" for the public Treeherder, which means the configured one. `revision`: of the push, if the page has
    it; `task_id`, `run`: of its task, if the page of the log viewer has them, so that Treeherder need not be asked.
    Such a page may have no job at all (`repository` "", `number` 0).
    """

    repository: str
    number: int
    log: bool = False
    revision: str = ""
    server: str = ""
    line: int | None = None
    last: int | None = None
    task_id: str = ""
    run: int | None = None

    def text(self) -> str:
        base = self.server or f"https://{PUBLIC_TREEHERDER}"
        if not self.log:
            revision = f"&revision={self.revision}" if self.revision else ""
            return f"{base}/jobs?repo={escape(self.repository)}{revision}&selectedJob={self.number}"
        lines = "" if self.line is None else f"&lineNumber={self.line}" + (f"-{self.last}" if self.last else "")
        task = f"&task={self.task_id}" + ("" if self.run is None else f".{self.run}") if self.task_id else ""
        job = f"&job_id={self.number}&repo={escape(self.repository)}" if self.repository else ""
        return f"{base}/logviewer?{(job + task + lines)[1:]}"


def _root(root_url: str) -> str:
    return f"?root={escape(root_url, safe=':/')}" if root_url else ""


def _group(group_id: str, task_ids: tuple[str, ...]) -> str:
    return f"{group_id}:{','.join(task_ids)}" if task_ids else group_id


DECLARED = (
    TaskArtifacts, TaskMeasurements, TaskRuns, TaskDependencies, TaskDependents, TaskRetriggers, IndexedGroup,
    IndexNamespace, PushGroup,
)  # fmt: skip
