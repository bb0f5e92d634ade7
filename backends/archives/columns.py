"""The columns of the lists of sources, and how an archive's account becomes a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from backends.archives.store import Kept
from backends.frames.schema import Column, Kind, Schema

REPOSITORIES = Schema(
    (
        Column("pinned", Kind.TEXT, "Pinned", width=6, searched=False),
        Column("name", Kind.TEXT, "Repository", width=36),
        Column("archives", Kind.COUNT, "Kept"),
        Column("changed", Kind.TIME, "Last change"),
        Column("description", Kind.TEXT, "Description", width=50),
        Column("contact", Kind.TEXT, "Contact", hidden=True),
    ),
    key="name",
)

REVISIONS = Schema(
    (
        Column("revision", Kind.ID, "Revision", width=12),
        Column("date", Kind.TIME, "Date"),
        Column("author", Kind.TEXT, "Author", width=16),
        Column("summary", Kind.TEXT, "Summary", width=56),
        Column("archives", Kind.COUNT, "Kept"),
        Column("branch", Kind.TEXT, "Branch", width=12),
        Column("names", Kind.TEXT, "Tags", width=14),
        Column("push", Kind.COUNT, "Push"),
        Column("pusher", Kind.TEXT, "Pushed by", width=22),
        Column("pushed", Kind.TIME, "Pushed", hidden=True),
        Column("user", Kind.TEXT, "Author as written", hidden=True),
        Column("description", Kind.TEXT, "Description", hidden=True, searched=False),
        Column("node", Kind.ID, "Full revision", hidden=True),
    ),
    key="node",
)

ARCHIVES = Schema(
    (
        Column("state", Kind.STATE, "State", width=10),
        Column("suffix", Kind.TEXT, "Kind", width=7),
        Column("size", Kind.BYTES, "Size", "B", width=8),
        Column("repository", Kind.TEXT, "Repository", width=20, keeps_end=True),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("subdirectory", Kind.TEXT, "Directory", width=18, keeps_end=True),
        Column("age", Kind.DURATION, "Age", "s"),
        Column("kept", Kind.TIME, "Kept since"),
        Column("members", Kind.COUNT, "Members"),
        Column("unpacked", Kind.BYTES, "Unpacked", "B"),
        Column("committed", Kind.TIME, "Commit"),
        Column("copies", Kind.TEXT, "Buckets", width=18),
        Column("note", Kind.TEXT, "Note", width=24),
        Column("sha256", Kind.ID, "SHA-256", hidden=True),
        Column("source", Kind.TEXT, "From", hidden=True, searched=False),
        Column("server", Kind.TEXT, "Server", hidden=True),
        Column("node", Kind.ID, "Full revision", hidden=True),
    ),
    key="key",
)
# In the list of one revision all rows are of it; at 80 cells the directory, age and date are in sight then.
OF_REVISION = Schema(
    tuple(replace(one, hidden=True) if one.name in ("repository", "revision") else one for one in ARCHIVES), key="key"
)
KEPT, MISSING = "kept", "not kept"


def kept_row(kept: Kept, now_ms: int) -> tuple[object, ...]:
    """Of `ARCHIVES`, in the order of its frame: the key first."""
    one = kept.account
    return (
        one.wanted.digest, KEPT, one.suffix, one.size, one.repository, one.node[:12], one.subdirectory or None,
        max(now_ms - one.kept_ms, 0) / 1000, one.kept_ms, one.members, one.unpacked, one.committed_ms,
        " ".join(f"{region}={bucket}" for region, bucket in one.regions.items()) or None,
        f"repacked from {one.repacked_from}" if one.repacked_from else None, one.sha256, one.source_url, one.root,
        one.node,
    )  # fmt: skip


def archive_frame(rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    return ARCHIVES.frame(rows)
