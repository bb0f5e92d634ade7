"""Taskcluster's locators: groups, tasks, runs, artifacts, index paths, and pushes that lead to a group.

`root_url` is "" when the text named no deployment: then the configured one is meant. With a deployment `text()` is
an address that a browser opens too, where there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from backends.locators.base import Locator
from backends.locators.pasted import escape

# The queue's own pattern (services/queue/schemas/constants.yml): a 128-bit v4 or "nice" UUID in URL-safe base64.
PUBLIC_TREEHERDER = "treeherder.mozilla.org"
SLUGID = re.compile(r"[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]")
INDEX_PATH = re.compile(r"[A-Za-z0-9_!~*'()%-]+(\.[A-Za-z0-9_!~*'()%-]+)*")


@dataclass(frozen=True)
class TaskclusterLocator(Locator):
    system: ClassVar[str] = "taskcluster"


@dataclass(frozen=True)
class TaskGroup(TaskclusterLocator):
    """All tasks of a group, or some of them. `search`: part of the names that are shown first, which the group's page
    keeps behind its #; `task`: the one to put the cursor on."""

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
        return f"taskcluster:group/{group_text(self.group_id, self.task_ids)}{task}{at_root(self.root_url)}{search}"


@dataclass(frozen=True)
class Task(TaskclusterLocator):
    """A task (all its runs) or one run of it."""

    task_id: str
    run: int | None = None
    root_url: str = ""

    def text(self) -> str:
        if self.root_url:
            return f"{self.root_url}/tasks/{self.task_id}" + ("" if self.run is None else f"/runs/{self.run}")
        return f"taskcluster:task/{self.task_id}" + ("" if self.run is None else f"/{self.run}")


@dataclass(frozen=True)
class TaskOrGroup(TaskclusterLocator):
    """A bare slugid: only the server can tell which of the two it is."""

    slug: str
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:{self.slug}{at_root(self.root_url)}" if self.root_url else self.slug


@dataclass(frozen=True)
class Artifact(TaskclusterLocator):
    """One artifact; `run` None is the latest run; `line` from 1 of a text, `last` the end of a range that it begins."""

    task_id: str
    run: int | None
    name: str
    root_url: str = ""
    line: int | None = None
    last: int | None = None

    def at_line(self, line: int) -> Artifact:
        return replace(self, line=line, last=None)

    def text(self) -> str:
        """With a deployment: the address that curl can fetch, for the UI's own confuses some names with its pages.

        A line stands behind it as the UI's log viewer writes it, which neither curl nor a browser sends.
        """
        name = escape(self.name, safe="/") + ("" if self.line is None else f"#L{self.line}")
        if self.line is not None and self.last is not None:
            name += f"-L{self.last}"
        if self.root_url:
            run = "" if self.run is None else f"/runs/{self.run}"
            return f"{self.root_url}/api/queue/v1/task/{self.task_id}{run}/artifacts/{name}"
        return f"taskcluster:artifact/{self.task_id}/{'latest' if self.run is None else self.run}/{name}"


@dataclass(frozen=True)
class TaskArtifacts(TaskclusterLocator):
    """The artifacts of several tasks, of all their runs."""

    task_ids: tuple[str, ...]
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:artifacts/{','.join(self.task_ids)}{at_root(self.root_url)}"


@dataclass(frozen=True)
class TaskMeasurements(TaskclusterLocator):
    """What several tasks measured: the values in their perfherder data, of all runs."""

    task_ids: tuple[str, ...]
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:measurements/{','.join(self.task_ids)}{at_root(self.root_url)}"


@dataclass(frozen=True)
class IndexPath(TaskclusterLocator):
    """A task by its path in the index, such as gecko.v2.autoland.latest.taskgraph.decision, an artifact of it, or
    (`group`) the group that it belongs to."""

    path: str
    root_url: str = ""
    artifact: str = ""
    group: bool = False

    def text(self) -> str:
        if self.group:
            return f"taskcluster:index-group/{escape(self.path)}{at_root(self.root_url)}"
        if self.root_url and "." in self.path and not self.artifact and INDEX_PATH.fullmatch(self.path):
            namespace, _, name = self.path.rpartition(".")
            return f"{self.root_url}/tasks/index/{escape(namespace)}/{escape(name)}"
        artifact = f"/{escape(self.artifact, safe='/')}" if self.artifact else ""
        return f"taskcluster:index/{escape(self.path)}{artifact}{at_root(self.root_url)}"


@dataclass(frozen=True)
class Push(TaskclusterLocator):
    """A push by repository and revision, as Treeherder names it; its decision task's group is what opens."""

    repository: str
    revision: str
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:push/{escape(self.repository)}/{escape(self.revision)}{at_root(self.root_url)}"


@dataclass(frozen=True)
class TreeherderJob(TaskclusterLocator):
    """A job by its number, whose task only Treeherder knows: the task's log (`log`), or the task within its group.

    `server` is "" for the public one, which means the configured one. `revision`: of the push, if the page names it;
    `task_id`, `run`: of its task, if the log viewer's page names it, so that Treeherder need not be asked; such a page
    may name no job (`repository` "", `number` 0).
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


def at_root(root_url: str) -> str:
    return f"?root={escape(root_url, safe=':/')}" if root_url else ""


def group_text(group_id: str, task_ids: tuple[str, ...]) -> str:
    return f"{group_id}:{','.join(task_ids)}" if task_ids else group_id
