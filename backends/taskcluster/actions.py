"""The menu (`x`) of a task and of a group: the lists around it, its provenance, its statistics and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

from backends.archives.urls import of_project
from backends.locators import Locator
from backends.resources import PUSH, ROWS, Document, Entry, Link, Question, Row, digit_key
from backends.systems import parse_locator
from backends.taskcluster.locators import (
    GroupComparison,
    GroupView,
    PushGroup,
    Task,
    TaskDependencies,
    TaskDependents,
    TaskGroup,
    TaskRetriggers,
    TaskRuns,
    compare_groups,
    is_slugid,
)
from backends.taskcluster.urls import require_side

TREEHERDER = "https://treeherder.mozilla.org"
BREAKDOWNS = ("suite", "platform", "worker_pool", "kind", "state")
THIS_GROUP = "This group"
MOST_JOBS = 200  # tasks converted to jobs at a time: each is two requests, and its id is in the locator


def task_entries(root: str, row: Row, document: Document | None) -> list[Entry]:
    """Of one task's row, which needs `task_id` and may have group, project, revision and runs."""
    task_id, group_id = str(row.get("task_id") or ""), str(row.get("group_id") or "")
    if not is_slugid(task_id):
        return []
    needed = TaskDependencies(task_id, root)
    found: list[Entry] = [Link("Definition and runs as a tree", document, letter="t")] if document is not None else []
    found += [
        Link("Artifacts of this task", Task(task_id, None, root), letter="a"),
        Link("Runs of this task", TaskRuns(task_id, root), letter="r"),
        *([] if row.get("dependencies") == 0 else [Link("Tasks it depends on", needed, letter="w")]),
        Link("Tasks that depend on it", TaskDependents(task_id, root), letter="W"),
        Link("Its retriggers: the same label in this group", TaskRetriggers(task_id, root), letter="c"),
    ]
    if is_slugid(group_id):
        found.append(Link("Its task group", TaskGroup(group_id, root), letter="g"))
    project, revision = str(row.get("project") or ""), str(row.get("revision") or "")
    if project and revision:
        jobs, group = _jobs_of((task_id,), root), PushGroup(project, revision, root)
        found += [
            Link("As a Treeherder job: lint, preview, publish", jobs, letter="u"),
            Link(f"The group of its push: {project} {revision[:12]}", group, letter="p", group=PUSH),
            Link("Archives of its source", of_project(project, revision), letter="s", group=PUSH),
            Link("This job in Treeherder", treeherder_url(row), letter="o", group=PUSH),
        ]
    return found


def treeherder_url(row: Row) -> str:
    """The page of the task's last run in Treeherder, as linked by ui/helpers/job.js; "" if its push is unknown."""
    project, revision, task_id = (str(row.get(name) or "") for name in ("project", "revision", "task_id"))
    if not project or not revision:
        return ""
    run = max(int(row.get("runs") or 1) - 1, 0)
    return (
        f"{TREEHERDER}/jobs?repo={quote(project, safe='')}&revision={quote(revision, safe='')}"
        f"&selectedTaskRun={quote(task_id, safe='')}.{run}"
    )


def group_entries(group: TaskGroup) -> list[Entry]:
    """Of a group, or of some tasks of it."""
    count = len(group.task_ids)
    what = "the group" if not count else "1 task" if count == 1 else f"{count:,} tasks"
    about = ROWS if group.task_ids else THIS_GROUP
    found: list[Entry] = []
    if group.task_ids:
        own = "its own" if count == 1 else "their own"
        found.append(Link(f"{what} as a list of {own}", group, letter="N", group=about))
    found += [
        Link(
            f"Breakdown of {what} by {by.replace('_', ' ')}",
            view_of(group, "breakdown", by),
            letter=digit_key(number),
            group=about,
        )
        for number, by in enumerate(BREAKDOWNS)
    ]
    timeline, path = view_of(group, "timeline"), view_of(group, "critical-path")
    found.append(Link(f"Timeline of {what}: running and pending", timeline, letter="T", group=about))
    found.append(Link(f"Critical path of {what}", path, letter="C", group=about))
    asks = "The base: a task group, a push or an index path"
    for letter, label, measured in (("d", what, False), ("D", f"what {what} measured", True)):
        opens = partial(compare_with, group=group, measured=measured)
        found.append(Question(f"Compare {label} with…", asks, opens, letter=letter, group=about))
    return found


def job_entries(root: str, task_ids: Sequence[str]) -> list[Entry]:
    """The tasks as the jobs that Treeherder would make of them, the first `MOST_JOBS`; nothing for a single one."""
    count = len(task_ids)
    if count < 2:
        return []
    what = f"{count:,} tasks" if count <= MOST_JOBS else f"First {MOST_JOBS:,} of {count:,} tasks"
    jobs = _jobs_of(task_ids[:MOST_JOBS], root)
    return [Link(f"{what} as Treeherder jobs: lint, preview, publish", jobs, letter="U", group=ROWS)]


def view_of(group: TaskGroup, name: str, by: str = "") -> GroupView:
    return GroupView(name, group.group_id, by, group.task_ids, group.root_url)


def compare_with(text: str, group: TaskGroup, measured: bool) -> GroupComparison:
    """The comparison of what the text names, as the base, with this group. Raises `InvalidLocatorError`s."""
    base: Locator = parse_locator(text)
    return compare_groups(require_side(base), group, measured)


def _jobs_of(task_ids: Sequence[str], root: str) -> Locator:
    """The tasks as the jobs that Treeherder would make of them; that system knows its own locators."""
    query = f"?root={quote(root, safe=':/')}" if root else ""
    return parse_locator(f"submit:tasks/{','.join(task_ids)}{query}")
