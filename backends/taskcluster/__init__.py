"""Taskcluster: task groups, tasks, runs and artifacts of any deployment, as resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.locators import InvalidLocatorError, Locator
from backends.locators.taskcluster import Artifact, Task, TaskArtifacts, TaskclusterLocator, TaskGroup, TaskMeasurements
from backends.locators.taskcluster_views import Comparison, Contents, GroupView, IndexNamespace, TaskRelation
from backends.taskcluster.resolve import resolve as resolve
from backends.taskcluster.roots import normalise_root as normalise_root

VIEWS = (Comparison, Contents, GroupView, IndexNamespace, TaskRelation)

if TYPE_CHECKING:
    from backends.http import Http
    from backends.resources import Resource


def resource_for(locator: Locator, http: Http, root: str) -> Resource:
    """The list that a locator opens, on the deployment it names or else on `root` (a URL or a profile's name).

    Only `resolve` can open what the server must be asked about first (ids, index paths, pushes); an artifact opens
    its run's artifacts.
    """
    from backends.taskcluster.artifacts import TaskArtifactList
    from backends.taskcluster.measurements import MeasurementList
    from backends.taskcluster.task_log import LIVE, artifact_log, is_text
    from backends.taskcluster.tasks import TaskGroupTasks

    if isinstance(locator, VIEWS):
        from backends.taskcluster.opening import view_of

        return view_of(locator, http, root)
    match locator:
        case TaskGroup():
            return TaskGroupTasks(locator, http, normalise_root(locator.root_url or root))
        case Task() | TaskArtifacts():
            return TaskArtifactList(locator, http, normalise_root(locator.root_url or root))
        case TaskMeasurements():
            return MeasurementList(locator, http, normalise_root(locator.root_url or root))
        case Artifact(task_id, run, name, root_url, line, last):
            base = normalise_root(root_url or root)
            listing = TaskArtifactList(Task(task_id, run, root_url), http, base, name)
            if line is not None or is_text(name, ""):
                listing.first_log = artifact_log(base, task_id, run, name, live=name == LIVE, line=line, last=last)
            return listing
        case TaskclusterLocator():
            raise InvalidLocatorError(f"{locator.text()} has to be looked up before it can be listed.")
    raise InvalidLocatorError(f"{locator.text()} does not belong to Taskcluster.")
