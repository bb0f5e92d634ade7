"""What the panel beside the list says about one build."""

from __future__ import annotations

from backends.frames.formats import format_value
from backends.prow.build_columns import BUILDS, SEPARATOR
from backends.resources import Detail, Row

_SECTIONS = (
    ("Build", ("state", "reason", "note", "job", "build", "type", "cluster", "node")),
    ("Times", ("started", "finished", "duration")),
    ("Change", ("pull", "title", "author", "commit", "base")),
    ("Files", ("entries", "log_size", "log_compressed", "folder")),
)
_LISTED = 30


def detail(row: Row) -> Detail:
    """The row in sections, without what it does not have."""
    sections = []
    for title, names in _SECTIONS:
        told = [
            (BUILDS[name].label, format_value(row[name], BUILDS[name])) for name in names if row.get(name) is not None
        ]
        if told:
            sections.append((title, tuple(told)))
    if row.get("names"):
        listed = str(row["names"]).split(SEPARATOR)
        sections.append(("First level", tuple(("", name) for name in listed[:_LISTED])))
    return Detail(f"{row.get('job') or ''} {row.get('build') or ''}".strip(), tuple(sections))
