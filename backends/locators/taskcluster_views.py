"""Taskcluster's locators of what is made of tasks: lists around one task, views of a group, comparisons, contents.

They have no page on the web, so `text()` is always one of our short forms. A group, or some tasks of it, is spelled
`GROUP` or `GROUP:TASK,TASK`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from backends.locators.pasted import escape
from backends.locators.taskcluster import TaskclusterLocator, TaskGroup, TaskOrGroup, at_root, group_text

RELATIONS = ("runs", "dependencies", "dependents", "copies")
VIEWS = ("breakdown", "timeline", "critical-path")
CONTENTS = ("archive", "table")


@dataclass(frozen=True)
class TaskRelation(TaskclusterLocator):
    """`relation`: a task's runs, the tasks it depends on, those that depend on it, or those with the same label."""

    relation: str
    task_id: str
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:{self.relation}/{self.task_id}{at_root(self.root_url)}"


@dataclass(frozen=True)
class GroupView(TaskclusterLocator):
    """What a group, or some tasks of it, come to: by a column (`breakdown`), over time, or along its critical path."""

    view: str
    group_id: str
    by: str = ""
    task_ids: tuple[str, ...] = ()
    root_url: str = ""

    def text(self) -> str:
        by = f"/{escape(self.by)}" if self.view == "breakdown" else ""
        return f"taskcluster:{self.view}/{group_text(self.group_id, self.task_ids)}{by}{at_root(self.root_url)}"


@dataclass(frozen=True)
class Comparison(TaskclusterLocator):
    """Two sides, each whatever leads to a group (or to some tasks of one): their tasks, or what they measured.

    `series`: one series of the measurements, by the columns of `group_comparison.SERIES`, "" for what it has not;
    then the list is of its values.
    """

    base: TaskclusterLocator
    new: TaskclusterLocator
    measured: bool = False
    series: tuple[str, ...] = ()
    root_url: str = ""

    def text(self) -> str:
        sides = f"{self._side(self.base)}..{self._side(self.new)}"
        kind = "values" if self.series else "compare-measurements" if self.measured else "compare"
        series = "".join(f"/{escape(part)}" for part in self.series)
        return f"taskcluster:{kind}/{sides}{series}{at_root(self.root_url)}"

    @staticmethod
    def _side(side: TaskclusterLocator) -> str:
        if isinstance(side, TaskGroup) and not side.root_url:
            return group_text(side.group_id, side.task_ids)
        # A bare id would be read as a group's, and two dots divide the sides.
        text = f"taskcluster:{side.text()}" if isinstance(side, TaskOrGroup) and not side.root_url else side.text()
        return escape(text).replace(".", "%2E")


def compared(
    base: TaskclusterLocator, new: TaskclusterLocator, measured: bool = False, series: tuple[str, ...] = ()
) -> Comparison:
    """The comparison in its shortest spelling: two groups of one deployment share its address."""
    if isinstance(base, TaskGroup) and isinstance(new, TaskGroup) and base.root_url == new.root_url:
        return Comparison(replace(base, root_url=""), replace(new, root_url=""), measured, series, base.root_url)
    return Comparison(base, new, measured, series)


@dataclass(frozen=True)
class IndexNamespace(TaskclusterLocator):
    """What the index has directly below a path; "" is its root."""

    path: str
    root_url: str = ""

    def text(self) -> str:
        return f"taskcluster:namespace/{escape(self.path)}{at_root(self.root_url)}"


@dataclass(frozen=True)
class Contents(TaskclusterLocator):
    """What is in an artifact: the members of an archive, or the rows of a table (CSV, perfherder data).

    `columns`: (name, whether it holds numbers) of a CSV, once it has been looked at.
    """

    view: str
    task_id: str
    run: int | None
    name: str
    root_url: str = ""
    columns: tuple[tuple[str, bool], ...] = field(default=(), compare=False, repr=False)

    def text(self) -> str:
        run = "latest" if self.run is None else self.run
        return f"taskcluster:{self.view}/{self.task_id}/{run}/{escape(self.name, safe='/')}{at_root(self.root_url)}"
