"""What a capsule holds, as lists."""

from __future__ import annotations

from backends.capsules.layout import Entry, Manifest
from backends.frames.formats import format_bytes, safe_text
from backends.frames.getters import iso_time
from backends.frames.schema import Column, Kind, Schema


def _private(entry: Entry) -> str:
    return "yes" if entry.private else ""


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


LIST_SCHEMA = Schema(
    (
        Column("locator", Kind.TEXT, "Locator", width=60, get="locator"),
        Column("title", Kind.TEXT, "Title", width=40, get="title"),
        Column("rows", Kind.COUNT, "Rows", get="rows"),
        Column("logs", Kind.COUNT, "Logs", get="logs"),
        Column("artifacts", Kind.COUNT, "Artifacts", get="artifacts"),
    ),
    key="locator",
)
FILE_SCHEMA = Schema(
    (
        Column("kind", Kind.TEXT, "Kind", get="kind"),
        Column("method", Kind.TEXT, "Method", get="method"),
        Column("status", Kind.COUNT, "Status", get="status"),
        Column("url", Kind.TEXT, "URL", width=80, get="url"),
        Column("fetched", Kind.TIME, "Fetched", get=iso_time("fetched")),
        Column("size", Kind.BYTES, "Size", "B", get="size"),
        Column("sha256", Kind.TEXT, "SHA-256", get="sha256"),
        Column("file", Kind.TEXT, "File", width=60, get="file"),
        Column("private", Kind.TEXT, "Private", get=_private),
    ),
    key="key",
    key_get="key",
)


def describe(manifest: Manifest) -> list[str]:
    """A few lines about all of it."""
    files = [entry for entry in manifest.entries if entry.file]
    counts = [_count(sum(entry.kind == kind for entry in files), kind) for kind in ("response", "log", "artifact")]
    lines = [
        f"created {safe_text(manifest.created)} by {safe_text(manifest.program, limit=60)}, "
        f"version {manifest.version} of the layout",
        f"{', '.join(counts)}, {format_bytes(sum(entry.size for entry in files))}",
    ]
    listed = [sum(one.logs for one in manifest.lists), sum(one.artifacts for one in manifest.lists)]
    held = [sum(entry.kind == kind for entry in files) for kind in ("log", "artifact")]
    if any(count > here for count, here in zip(listed, held, strict=True)):
        lines.append(
            f"note: its lists count {_count(listed[0], 'log')} and {_count(listed[1], 'artifact')}: "
            "a file that is both, or is in several lists, is held once."
        )
    if manifest.note:
        lines.append(f"note: {safe_text(manifest.note, limit=1000)}")
    if manifest.private or any(entry.private for entry in manifest.entries):
        lines.append("note: it has content that was read with credentials (--include-private).")
    lines += [
        f"note: {safe_text(one.title, limit=200)}: {safe_text(note, limit=1000)}"
        for one in manifest.lists
        for note in one.notes
    ]
    return lines
