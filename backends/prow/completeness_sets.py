"""How many builds have which set of files: distinct sets with their count and share, and each name's own count.

The question and the table are those of the notebook prow_archive_discovery (aicoe-aiops/ocp-ci-analysis): of 140
builds 135 had all of six entries, 96.4 %. A set is measured against the commonest one of builds that have ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.prow.build_columns import SEPARATOR
from backends.prow.completeness_reading import BuildEntries

SETS = Schema(
    (
        Column("level", Kind.TEXT, "Level"),
        Column("kind", Kind.STATE, "Kind", width=10),
        Column("builds", Kind.COUNT, "Builds"),
        Column("share", Kind.NUMBER, "Share", "%"),
        Column("entries", Kind.COUNT, "Entries"),
        Column("missing", Kind.TEXT, "Missing", width=30),
        Column("more", Kind.TEXT, "More", width=20),
        Column("set", Kind.TEXT, "Set", width=60),
        Column("build_ids", Kind.TEXT, "Build ids", hidden=True, searched=False),
    ),
    key="key",
)
PRESENCE = Schema(
    (
        Column("level", Kind.TEXT, "Level"),
        Column("name", Kind.TEXT, "Name", width=44),
        Column("present", Kind.COUNT, "Present"),
        Column("missing", Kind.COUNT, "Missing"),
        Column("share", Kind.NUMBER, "Present", "%"),
        Column("pending", Kind.COUNT, "Pending"),
        Column("build_ids", Kind.TEXT, "Missing in", hidden=True, searched=False),
    ),
    key="key",
)
WHOLE, PARTIAL, PENDING, ABSENT, UNLISTED = "ok", "incomplete", "pending", "absent", "failed"
_ORDER = {WHOLE: 0, PARTIAL: 1, ABSENT: 2, PENDING: 3, UNLISTED: 4}


def sets(found: Sequence[BuildEntries], levels: Iterable[str]) -> pl.DataFrame:
    """One row a set and kind (schema `SETS`), each level's commonest first.

    `kind`: ok (all of the commonest set), incomplete, absent (nothing there), pending (has not ended), failed (could
    not be listed: no set at all). `share`: of all builds, in percent.
    """
    rows: list[tuple[object, ...]] = []
    for level in levels:
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        usual = set(_commonest(found, level))
        for one in found:
            names = one.of(level)
            groups.setdefault((_kind(one, names, usual), names or ()), []).append(one.build)
        order = sorted(groups.items(), key=lambda item: (-len(item[1]), _ORDER[item[0][0]], item[0][1]))
        for (kind, names), builds in order:
            listed = kind != UNLISTED
            missing = sorted(usual - set(names)) if listed else []
            key = f"{level}|{kind}|{SEPARATOR.join(names)}"
            rows.append(
                (
                    key, level, kind, len(builds), _share(len(builds), len(found)),
                    len(names) if listed else None, " ".join(missing) or None,
                    " ".join(sorted(set(names) - usual)) or None, " ".join(names) or None, ",".join(builds),
                )
            )  # fmt: skip
    return SETS.frame(rows)


def counts(found: Sequence[BuildEntries], levels: Iterable[str]) -> pl.DataFrame:
    """One row a number of entries (schema `SETS`, without sets): the notebook's `value_counts`."""
    rows: list[tuple[object, ...]] = []
    for level in levels:
        groups: dict[int | None, list[str]] = {}
        for one in found:
            names = one.of(level)
            groups.setdefault(None if names is None else len(names), []).append(one.build)
        for number, builds in sorted(groups.items(), key=lambda item: -len(item[1])):
            kind = UNLISTED if number is None else None
            share = _share(len(builds), len(found))
            key = f"{level}|{number}"
            rows.append((key, level, kind, len(builds), share, number, None, None, None, ",".join(builds)))
    return SETS.frame(rows)


def presence(found: Sequence[BuildEntries], levels: Iterable[str]) -> pl.DataFrame:
    """One row a name (schema `PRESENCE`), the ones that are missing most often first among the usual ones.

    Counts only builds that have ended and could be listed; `pending`: those of the others that have it already.
    """
    rows: list[tuple[object, ...]] = []
    for level in levels:
        ended = [(one.build, set(names)) for one in found if (names := one.of(level)) is not None and not one.pending]
        begun = Counter(name for one in found if one.pending for name in one.of(level) or ())
        present = Counter(name for _, names in ended for name in names)
        for name in sorted(present.keys() | begun.keys(), key=lambda name: (-present[name], name)):
            missing = [build for build, names in ended if name not in names]
            share = _share(present[name], len(ended))
            rows.append(
                (f"{level}{name}", level, name, present[name], len(missing), share, begun[name], ",".join(missing))
            )
    return PRESENCE.frame(rows)


def _commonest(found: Sequence[BuildEntries], level: str) -> tuple[str, ...]:
    """Of equally common sets the larger one."""
    kept = Counter(names for one in found if not one.pending and (names := one.of(level)))
    return max(kept, key=lambda names: (kept[names], len(names), names), default=())


def _kind(one: BuildEntries, names: tuple[str, ...] | None, usual: set[str]) -> str:
    if names is None:
        return UNLISTED
    if one.pending:
        return PENDING
    if not names:
        return ABSENT
    return WHOLE if usual <= set(names) else PARTIAL


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
