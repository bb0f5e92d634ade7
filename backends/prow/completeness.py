"""Which files builds have: distinct sets of files with their count and share, and how often each file is missing.

The question and the table are those of the notebook prow_archive_discovery (aicoe-aiops/ocp-ci-analysis): of 140
builds 135 had all of six entries, 96.4 %. A set is measured against the commonest one of builds that have ended.

Each build costs one listing of its first level and one of artifacts/. What a build has that ended an hour ago is
cached: listed again, 500 builds cost no request, and are there offline. An empty response means several things: the
build is running and its files come at its end, nothing was ever uploaded, or (through gcsweb) the folder does not
exist. So a failed listing is never an empty set, and what may still get files, by the rules of its state
(`build_reader`), is pending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildView
from backends.prow.build_reader import SEPARATOR, BuildPlace, BuildReader, is_settled
from backends.prow.locators import CompletenessView, MissingFilesView
from backends.prow.store import BlobPage
from backends.resources import LIST, Entry, Link, Page, Row

FIRST_LEVEL, ARTIFACTS = "/", "artifacts/"
_MAX_PAGES = 20  # of one level: 20,000 entries
COMPLETE, PARTIAL, PENDING, ABSENT, UNLISTED = "ok", "incomplete", "pending", "absent", "failed"
_ORDER = {COMPLETE: 0, PARTIAL: 1, ABSENT: 2, PENDING: 3, UNLISTED: 4}


class SetRow(msgspec.Struct, gc=False):
    """A row of `SETS`."""

    key: str
    level: str
    kind: str | None
    builds: int
    share: float | None
    entries: int | None
    build_ids: str
    missing: str | None = None
    more: str | None = None
    names: str | None = None


class FileCountRow(msgspec.Struct, gc=False):
    """A row of `FILE_COUNTS`."""

    level: str
    name: str
    present: int
    missing: int
    share: float | None
    pending: int
    build_ids: str


SETS = Schema(
    (
        Column("level", Kind.TEXT, "Level", get="level"),
        Column("kind", Kind.STATE, "Kind", width=10, get="kind"),
        Column("builds", Kind.COUNT, "Builds", get="builds"),
        Column("share", Kind.NUMBER, "Share", "%", get="share"),
        Column("entries", Kind.COUNT, "Entries", get="entries"),
        Column("missing", Kind.TEXT, "Missing", width=30, get="missing"),
        Column("more", Kind.TEXT, "More", width=20, get="more"),
        Column("set", Kind.TEXT, "Set", width=60, get="names"),
        Column("build_ids", Kind.TEXT, "Build ids", hidden=True, searched=False, get="build_ids"),
    ),
    key="key",
    key_get="key",
)
FILE_COUNTS = Schema(
    (
        Column("level", Kind.TEXT, "Level", get="level"),
        Column("name", Kind.TEXT, "Name", width=44, is_name=True, keeps_end=True, get="name"),
        Column("present", Kind.COUNT, "Present", get="present"),
        Column("missing", Kind.COUNT, "Missing", get="missing"),
        Column("share", Kind.NUMBER, "Present", "%", get="share"),
        Column("pending", Kind.COUNT, "Pending", get="pending"),
        Column("build_ids", Kind.TEXT, "Missing in", hidden=True, searched=False, get="build_ids"),
    ),
    key="key",
    key_get=lambda row: row.level + row.name,
)


# ---- what one build has --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BuildEntries:
    """Names of both levels, folders with "/"; None: not listed (then `error` says why)."""

    build: str
    pending: bool = False
    first: tuple[str, ...] | None = None
    artifacts: tuple[str, ...] | None = None
    error: str = ""
    note: str = ""

    def names_at(self, level: str) -> tuple[str, ...] | None:
        return self.first if level == FIRST_LEVEL else self.artifacts


def read_entries(reader: BuildReader, place: BuildPlace, levels: tuple[str, ...], cancel: CancelToken) -> BuildEntries:
    """One request for each level that there is (and one for a link). Only `OperationCancelledError` is raised."""
    bucket = reader.bucket
    cached = _cached_entries(bucket, place, levels)
    if cached is not None:
        return cached
    first: tuple[str, ...] | None = None
    artifacts: tuple[str, ...] | None = None
    pending, note = False, ""
    try:
        folder = reader.folder_of(place, cancel)
        page = bucket.list_all(folder, cancel, max_pages=_MAX_PAGES, max_age=-1)
        first = _names(folder, page)
        pending = reader.may_change(place, folder, page, cancel)
        note = page.note
        if ARTIFACTS in levels:
            artifacts = ()
            if ARTIFACTS in first:
                inner = bucket.list_all(folder + ARTIFACTS, cancel, max_pages=_MAX_PAGES, max_age=-1)
                artifacts = _names(folder + ARTIFACTS, inner)
                note = note or inner.note
    except HttpError as error:
        return BuildEntries(place.build, pending, first, None, error.sentence)
    ended = next((info.updated_ms for info in page.files if info.name == f"{folder}finished.json"), None)
    if bucket.cache is not None and not note and ended is not None and is_settled(ended):
        bucket.cache.put(_cache_key(bucket, place), msgspec.json.encode([first, artifacts]))
    return BuildEntries(place.build, pending, first, artifacts, "", note)


def _cache_key(bucket: BucketReader, place: BuildPlace) -> str:
    return f"prow-entries-v1|{bucket.cache_prefix}|{bucket.bucket}|{place.folder or place.link}"


def _cached_entries(bucket: BucketReader, place: BuildPlace, levels: tuple[str, ...]) -> BuildEntries | None:
    blob = bucket.cache.get(_cache_key(bucket, place)) if bucket.cache is not None else None
    if blob is None:
        return None
    try:
        first, artifacts = msgspec.json.decode(blob.body, type=tuple[tuple[str, ...], tuple[str, ...] | None])
    except msgspec.DecodeError:
        return None
    if ARTIFACTS in levels and artifacts is None:
        return None
    return BuildEntries(place.build, False, first, artifacts)


def _names(folder: str, page: BlobPage) -> tuple[str, ...]:
    names = (*(info.name for info in page.files), *page.folders)
    return tuple(sorted(name.removeprefix(folder) for name in names))


# ---- tables --------------------------------------------------------------------------------------------------------


def count_sets(builds: Sequence[BuildEntries], levels: Iterable[str]) -> pl.DataFrame:
    """One row a set and kind (schema `SETS`), each level's commonest first.

    `kind`: ok (all of the commonest set), incomplete, absent (nothing there), pending (has not ended), failed (could
    not be listed: no set at all). `share`: of all builds, in percent.
    """
    rows: list[SetRow] = []
    for level in levels:
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        usual = set(_commonest_set(builds, level))
        for build in builds:
            names = build.names_at(level)
            groups.setdefault((_kind(build, names, usual), names or ()), []).append(build.build)
        order = sorted(groups.items(), key=lambda item: (-len(item[1]), _ORDER[item[0][0]], item[0][1]))
        for (kind, names), ids in order:
            row = SetRow(
                f"{level}|{kind}|{SEPARATOR.join(names)}", level, kind, len(ids), _percent(len(ids), len(builds)), None,
                ",".join(ids),
            )  # fmt: skip
            if kind != UNLISTED:
                row.entries = len(names)
                row.missing = " ".join(sorted(usual - set(names))) or None
            row.more = " ".join(sorted(set(names) - usual)) or None
            row.names = " ".join(names) or None
            rows.append(row)
    return SETS.build(rows)


def count_entries(builds: Sequence[BuildEntries], levels: Iterable[str]) -> pl.DataFrame:
    """One row a number of entries (schema `SETS`, without sets): the notebook's `value_counts`."""
    rows: list[SetRow] = []
    for level in levels:
        groups: dict[int | None, list[str]] = {}
        for build in builds:
            names = build.names_at(level)
            groups.setdefault(None if names is None else len(names), []).append(build.build)
        for number, ids in sorted(groups.items(), key=lambda item: -len(item[1])):
            kind, share = UNLISTED if number is None else None, _percent(len(ids), len(builds))
            rows.append(SetRow(f"{level}|{number}", level, kind, len(ids), share, number, ",".join(ids)))
    return SETS.build(rows)


def count_files(builds: Sequence[BuildEntries], levels: Iterable[str]) -> pl.DataFrame:
    """One row a name (schema `FILE_COUNTS`), those that most builds have first.

    Counts only builds that have ended and could be listed; `pending`: those of the others that have it already.
    """
    rows: list[FileCountRow] = []
    for level in levels:
        ended = [(b.build, set(names)) for b in builds if (names := b.names_at(level)) is not None and not b.pending]
        begun = Counter(name for build in builds if build.pending for name in build.names_at(level) or ())
        present = Counter(name for _, names in ended for name in names)
        for name in sorted(present.keys() | begun.keys(), key=lambda name: (-present[name], name)):
            missing = [build for build, names in ended if name not in names]
            share = _percent(present[name], len(ended))
            rows.append(FileCountRow(level, name, present[name], len(missing), share, begun[name], ",".join(missing)))
    return FILE_COUNTS.build(rows)


def _commonest_set(builds: Sequence[BuildEntries], level: str) -> tuple[str, ...]:
    """Of equally common sets the larger one."""
    counts = Counter(names for build in builds if not build.pending and (names := build.names_at(level)))
    return max(counts, key=lambda names: (counts[names], len(names), names), default=())


def _kind(build: BuildEntries, names: tuple[str, ...] | None, usual: set[str]) -> str:
    if names is None:
        return UNLISTED
    if build.pending:
        return PENDING
    if not names:
        return ABSENT
    return COMPLETE if usual <= set(names) else PARTIAL


def _percent(part: int, total: int) -> float | None:
    return 100 * part / total if total else None


# ---- lists ---------------------------------------------------------------------------------------------------------


class _EntriesOfBuilds(BuildView):
    """Base of both lists: reads the builds; Enter lists the builds of a row."""

    locator: CompletenessView | MissingFilesView
    detail_title = "Set"
    empty_text = "There are no builds to look at."

    def __init__(self, locator: CompletenessView | MissingFilesView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self.levels = {"1": (FIRST_LEVEL,), "2": (ARTIFACTS,)}.get(locator.level, (FIRST_LEVEL, ARTIFACTS))

    def table(self, builds: list[BuildEntries]) -> pl.DataFrame:
        raise NotImplementedError

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The table of the builds listed so far, again and again until all are."""
        places = self.find_places(cancel)
        ranks = {place.build: rank for rank, place in enumerate(places)}

        def read(place: BuildPlace, own: CancelToken) -> BuildEntries:
            return read_entries(self.reader, place, self.levels, own)

        for builds, is_complete in self.read_all(places, read, cancel):
            builds.sort(key=lambda build: ranks.get(build.build, 0))
            note = _note(builds) if is_complete else ""
            partial = any(build.error for build in builds)
            yield Page(self.table(builds), Freshness(), replace=True, note=note, partial=partial)
        if not places:
            yield Page(self.schema.empty(), Freshness(), replace=True)

    def row_title(self, row: Row) -> str:
        return str(row.get("name") or self.detail_title)


class CompletenessSets(_EntriesOfBuilds):
    """Distinct sets of entries (schema `SETS`); with the option by=counts, how many entries they have."""

    locator: CompletenessView
    schema = SETS
    noun = ("set", "sets")
    title_pattern = "completeness of {}"

    def table(self, builds: list[BuildEntries]) -> pl.DataFrame:
        return (count_entries if self.locator.by else count_sets)(builds, self.levels)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        missing, counts = MissingFilesView, self.locator.change_view(CompletenessView, by="counts")
        return [
            Link(
                "Missing files: which file is missing how often",
                self.locator.change_view(missing),
                letter="m",
                group=LIST,
            ),
            Link("Builds by number of entries", counts, letter="n", group=LIST),
        ]

    def summary(self, frame: pl.DataFrame) -> str:
        """ "96.4 % of 140 builds have the commonest set"; of the first level that is shown."""
        if frame.is_empty():
            return ""
        level = frame.filter(pl.col("level") == frame["level"][0])
        complete, total = int(level.filter(pl.col("kind") == "ok")["builds"].sum()), int(level["builds"].sum())
        share = f"{100 * complete / total:.1f} % of {total:,} builds are complete" if total else ""
        return f"{share} at {level['level'][0]}" if total else ""


class MissingFiles(_EntriesOfBuilds):
    """Each name and how many builds have it (schema `FILE_COUNTS`); Enter lists the builds that do not."""

    schema = FILE_COUNTS
    noun = ("name", "names")
    title_pattern = "files of {}"

    def table(self, builds: list[BuildEntries]) -> pl.DataFrame:
        return count_files(builds, self.levels)


def _note(builds: list[BuildEntries]) -> str:
    failed = [build for build in builds if build.error]
    if failed:
        return f"{len(failed):,} of {len(builds):,} builds could not be listed: {failed[0].error}"
    return next((build.note for build in builds if build.note), "")
