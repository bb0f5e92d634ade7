"""Which columns a task has, in the order in which a sheriff reads them, and how the names of each are spelled."""

from __future__ import annotations

from backends.frames.schema import Column, Kind, Schema

# At 80 cells: state, name, duration and the first of suite. Hidden columns serve filters, exports and the detail.
TASKS = Schema(
    (
        Column("state", Kind.STATE, "State", width=13),
        Column("name", Kind.TEXT, "Name", width=42, keeps_end=True),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("suite", Kind.TEXT, "Suite", width=28, keeps_end=True),
        Column("platform", Kind.TEXT, "Platform"),
        Column("build_type", Kind.TEXT, "Build"),
        Column("chunk", Kind.TEXT, "Chunk"),
        Column("symbol", Kind.TEXT, "Symbol"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("retries", Kind.COUNT, "Retries"),
        Column("reason", Kind.TEXT, "Reason"),
        Column("queue_time", Kind.DURATION, "Queued", "s"),
        Column("started", Kind.TIME, "Started"),
        Column("resolved", Kind.TIME, "Resolved"),
        Column("tier", Kind.COUNT, "Tier"),
        Column("copy", Kind.COUNT, "Copy"),
        Column("copies", Kind.COUNT, "Copies"),
        Column("worker_pool", Kind.TEXT, "Worker pool"),
        Column("kind", Kind.TEXT, "Kind"),
        Column("owner", Kind.TEXT, "Owner"),
        Column("priority", Kind.TEXT, "Priority"),
        Column("dependencies", Kind.COUNT, "Depends on"),
        Column("scheduled", Kind.TIME, "Scheduled"),
        Column("created", Kind.TIME, "Created"),
        Column("task_id", Kind.ID, "Task"),
        # Task ids with a space between two. 22 bytes each: 2 MB for 10,000 tasks of Firefox, and no second reading of
        # the group for its critical path.
        Column("depends_on", Kind.TEXT, "Depends on tasks", hidden=True, searched=False),
        Column("label", Kind.TEXT, "Label", hidden=True, searched=False),
        Column("tags", Kind.TEXT, "Tags", hidden=True),
        Column("project", Kind.TEXT, "Project", hidden=True, searched=False),
        Column("revision", Kind.TEXT, "Revision", hidden=True, searched=False),
        Column("worker", Kind.TEXT, "Worker", hidden=True),
        Column("run_states", Kind.TEXT, "All runs", hidden=True, searched=False),
        Column("deadline", Kind.TIME, "Deadline", hidden=True),
        Column("expires", Kind.TIME, "Expires", hidden=True),
        Column("group_id", Kind.ID, "Task group", hidden=True, searched=False),
    ),
    key="task_id",
)

STATES = ("completed", "failed", "exception", "running", "pending", "unscheduled")
