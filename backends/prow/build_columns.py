"""Which columns a build has, in the order in which one reads them."""

from __future__ import annotations

from backends.frames.schema import Column, Kind, Schema

BUILDS = Schema(
    (
        Column("state", Kind.STATE, "State", width=10),
        Column("build", Kind.ID, "Build", width=19, sort_by="order"),
        Column("started", Kind.TIME, "Started"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("pull", Kind.TEXT, "PR"),
        Column("author", Kind.TEXT, "Author"),
        Column("reason", Kind.TEXT, "Reason", width=30),
        Column("commit", Kind.ID, "Commit", width=12),
        Column("log_size", Kind.BYTES, "Log", "B"),
        Column("entries", Kind.COUNT, "Entries"),
        Column("cluster", Kind.TEXT, "Cluster"),
        Column("base", Kind.TEXT, "Base"),
        Column("job", Kind.TEXT, "Job", keeps_end=True, width=40),
        Column("finished", Kind.TIME, "Finished", hidden=True),
        Column("type", Kind.TEXT, "Type", hidden=True),
        Column("title", Kind.TEXT, "Title", hidden=True),
        Column("node", Kind.TEXT, "Node", hidden=True, searched=False),
        Column("note", Kind.TEXT, "Note", hidden=True),
        Column("names", Kind.TEXT, "Files", hidden=True, searched=False),
        Column("log_compressed", Kind.TEXT, "Log compressed", hidden=True, searched=False),
        Column("folder", Kind.TEXT, "Folder", hidden=True, searched=False),
        Column("order", Kind.ID, "Order", hidden=True, searched=False),
    ),
    key="key",
)

STATES = ("success", "failure", "error", "aborted", "incomplete", "running", "pending", "triggered", "scheduling")
SEPARATOR = "\n"  # between the names in `names`: the one sign that no file of a build has
