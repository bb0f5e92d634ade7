"""What the panel beside the list of tasks says about one task."""

from __future__ import annotations

from backends.frames.formats import format_value
from backends.resources import Detail, Row
from backends.taskcluster.menus import treeherder_url
from backends.taskcluster.task_columns import TASKS

_SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Task",
        (
            ("State", "state"), ("Reason", "reason"), ("Kind", "kind"), ("Suite", "suite"), ("Platform", "platform"),
            ("Build type", "build_type"), ("Chunk", "chunk"), ("Worker pool", "worker_pool"), ("Worker", "worker"),
            ("Owner", "owner"), ("Priority", "priority"), ("Depends on", "dependencies"), ("Tags", "tags"),
        ),
    ),
    (
        "Times",
        (
            ("Duration", "duration"), ("Queued", "queue_time"), ("Created", "created"), ("Scheduled", "scheduled"),
            ("Started", "started"), ("Resolved", "resolved"), ("Deadline", "deadline"), ("Expires", "expires"),
        ),
    ),
    ("Runs", (("Runs", "runs"), ("Retries", "retries"), ("Each", "run_states"), ("Copy", "copy"))),
    ("Treeherder", (("Symbol", "symbol"), ("Tier", "tier"))),
    ("Ids", (("Task", "task_id"), ("Task group", "group_id"), ("Label", "label"))),
)  # fmt: skip


def detail(row: Row) -> Detail:
    """The row in sections, without what it does not have."""
    sections = []
    for title, lines in _SECTIONS:
        told = tuple((label, _text(name, row)) for label, name in lines if row.get(name) is not None)
        if told:
            sections.append((title, told))
    if url := treeherder_url(row):
        sections.append(("Provenance", (("Push", f"{row['project']} {row['revision']}"), ("Treeherder", url))))
    return Detail(str(row.get("name") or row.get("task_id") or ""), tuple(sections))


def _text(name: str, row: Row) -> str:
    if name == "copy":
        return f"{row['copy']} of {row.get('copies')} tasks with this label"
    return format_value(row[name], TASKS[name])
