"""Taskcluster's locators: groups, tasks, runs, artifacts, index paths, and pushes that lead to a group.

`root_url` is "" when the text named no deployment: then the configured one is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from backends.locators.base import Locator


@dataclass(frozen=True)
class TaskclusterLocator(Locator):
    system: ClassVar[str] = "taskcluster"


@dataclass(frozen=True)
class TaskGroup(TaskclusterLocator):
    group_id: str
    root_url: str = ""


@dataclass(frozen=True)
class Task(TaskclusterLocator):
    """A task (all its runs) or one run of it."""

    task_id: str
    run: int | None = None
    root_url: str = ""


@dataclass(frozen=True)
class TaskOrGroup(TaskclusterLocator):
    """A bare slugid: only the server can tell which of the two it is."""

    slug: str
    root_url: str = ""


@dataclass(frozen=True)
class Artifact(TaskclusterLocator):
    """One artifact; `run` None is the latest run."""

    task_id: str
    run: int | None
    name: str
    root_url: str = ""


@dataclass(frozen=True)
class TaskArtifacts(TaskclusterLocator):
    """The artifacts of several tasks, of all their runs."""

    task_ids: tuple[str, ...]
    root_url: str = ""


@dataclass(frozen=True)
class IndexPath(TaskclusterLocator):
    """A task by its path in the index, such as gecko.v2.autoland.latest.taskgraph.decision."""

    path: str
    root_url: str = ""


@dataclass(frozen=True)
class Push(TaskclusterLocator):
    """A push by repository and revision, as Treeherder names it; its decision task's group is what opens."""

    repository: str
    revision: str
    root_url: str = ""
