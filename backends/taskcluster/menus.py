"""What `x` offers on a task and on a group: the lists around it, its provenance, and what its tasks come to."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from backends.archives.urls import of_project
from backends.locators import Locator
from backends.locators.submit import TaskJobs
from backends.locators.taskcluster import SLUGID, Push, Task, TaskGroup
from backends.locators.taskcluster_short import as_side
from backends.locators.taskcluster_views import Comparison, GroupView, TaskRelation, compared
from backends.resources import Document, Entry, Link, Question, Row
from backends.systems import parse_locator

TREEHERDER = "https://treeherder.mozilla.org"
BREAKDOWNS = ("suite", "platform", "worker_pool", "kind", "state")
MOST_JOBS = 200  # tasks taken for jobs at a time: each is two requests, and its id stands in the locator
_RELATIONS = (
    ("Runs of this task", "runs"),
    ("Tasks it depends on", "dependencies"),
    ("Tasks that depend on it", "dependents"),
    ("Its copies: the same label in this group", "copies"),
)


def task_entries(root: str, row: Row, document: Document | None) -> list[Entry]:
    """Of one task's row: `task_id` must be there; group, project, revision and runs may be."""
    task_id, group_id = str(row.get("task_id") or ""), str(row.get("group_id") or "")
    if not SLUGID.fullmatch(task_id):
        return []
    found: list[Entry] = [Link("Definition and runs as a tree", document)] if document is not None else []
    found.append(Link("Artifacts of this task", Task(task_id, None, root)))
    found += [Link(label, TaskRelation(relation, task_id, root)) for label, relation in _RELATIONS]
    if SLUGID.fullmatch(group_id):
        found.append(Link("Its task group", TaskGroup(group_id, root)))
    project, revision = str(row.get("project") or ""), str(row.get("revision") or "")
    if project and revision:
        found.append(Link(f"The group of its push: {project} {revision[:12]}", Push(project, revision, root)))
        found.append(Link("Archives of its source", of_project(project, revision)))
        if url := treeherder_url(row):
            found.append(Link("This job in Treeherder", url))
        found.append(Link("As a Treeherder job: lint, preview, publish", TaskJobs((task_id,), root)))
    return found


def treeherder_url(row: Row) -> str:
    """Where Treeherder shows the task's last run: the address that its own interface makes (ui/helpers/job.js)."""
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
    what = f"{len(group.task_ids):,} tasks" if group.task_ids else "the group"
    found: list[Entry] = [Link(f"{what.capitalize()} as a list of their own", group)] if group.task_ids else []
    found += [Link(f"Breakdown of {what} by {by.replace('_', ' ')}", view(group, "breakdown", by)) for by in BREAKDOWNS]
    found.append(Link(f"Timeline of {what}: running and pending", view(group, "timeline")))
    found.append(Link(f"Critical path of {what}", view(group, "critical-path")))
    asks = "The base: a task group, a push or an index path"
    found.append(Question(f"Compare {what} with…", asks, lambda text: base_of(text, group, False)))
    found.append(Question(f"Compare what {what} measured with…", asks, lambda text: base_of(text, group, True)))
    return found


def as_jobs(root: str, task_ids: Sequence[str]) -> list[Entry]:
    """The tasks as the jobs that Treeherder would make of them, the first `MOST_JOBS`; nothing for a single one."""
    count = len(task_ids)
    if count < 2:
        return []
    what = f"{count:,} tasks" if count <= MOST_JOBS else f"First {MOST_JOBS:,} of {count:,} tasks"
    jobs = TaskJobs(tuple(task_ids[:MOST_JOBS]), root)
    return [Link(f"{what} as Treeherder jobs: lint, preview, publish", jobs)]


def view(group: TaskGroup, name: str, by: str = "") -> GroupView:
    return GroupView(name, group.group_id, by, group.task_ids, group.root_url)


def base_of(text: str, group: TaskGroup, measured: bool) -> Comparison:
    """The comparison of what the text names, as the base, with this group. Raises `InvalidLocatorError`s."""
    base: Locator = parse_locator(text)
    return compared(as_side(base), group, measured)
