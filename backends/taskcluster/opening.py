"""Which list each locator of `taskcluster_views` opens; a module is imported with the first of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.locators import InvalidLocatorError
from backends.locators.taskcluster import Task, TaskclusterLocator
from backends.locators.taskcluster_views import Comparison, Contents, GroupView, IndexNamespace, TaskRelation
from backends.taskcluster.roots import normalise_root

if TYPE_CHECKING:
    from backends.http import Http
    from backends.resources import Resource


def view_of(locator: TaskclusterLocator, http: Http, root: str) -> Resource:
    """The list; `root` is the configured deployment (a URL or a profile's name). No I/O."""
    match locator:
        case Contents():
            return _contents(locator, http, normalise_root(locator.root_url or root))
        case TaskRelation():
            return _around_a_task(locator, http, normalise_root(locator.root_url or root))
        case GroupView():
            from backends.taskcluster.group_views import KINDS

            return KINDS[locator.view](locator, http, normalise_root(locator.root_url or root))
        case Comparison():
            from backends.taskcluster.comparison_views import SeriesChanges, SeriesValues, TaskChanges

            kind = SeriesValues if locator.series else SeriesChanges if locator.measured else TaskChanges
            return kind(locator, http, normalise_root(locator.root_url or root))
        case IndexNamespace():
            from backends.taskcluster.index_namespaces import IndexEntries

            return IndexEntries(locator, http, normalise_root(locator.root_url or root))
    raise InvalidLocatorError(f"{locator.text()} cannot be listed.")


def _around_a_task(locator: TaskRelation, http: Http, root: str) -> Resource:
    from backends.taskcluster.runs import TaskRunList
    from backends.taskcluster.task_list import RelatedTasks

    return (TaskRunList if locator.relation == "runs" else RelatedTasks)(locator, http, root)


def _contents(locator: Contents, http: Http, root: str) -> Resource:
    from backends.taskcluster.archive_members import ArchiveMembers
    from backends.taskcluster.artifact_contents import is_measurements
    from backends.taskcluster.artifact_table import ArtifactTable
    from backends.taskcluster.measurements import MeasurementList

    if locator.view == "archive":
        return ArchiveMembers(locator, http, root)
    if not is_measurements(locator.name):
        return ArtifactTable(locator, http, root)
    measured = MeasurementList(Task(locator.task_id, locator.run, root), http, root)
    measured.artifact, measured.locator = locator.name, locator
    return measured
