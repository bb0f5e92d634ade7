"""What one build has at its first level and under artifacts/: one listing each, apart from what could not be asked.

What a build has that ended an hour ago is kept: asked again, 500 builds cost no request, and are there offline.
An empty answer means several things: the build is running and its files come at its end, nothing was ever uploaded,
or (through gcsweb) the folder does not exist. So a failed listing is never an empty set, and what may still get files,
by the rules of its state (`build_state`), is pending.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from backends.cancel import CancelToken
from backends.http.errors import HttpError
from backends.prow.archive import Archive
from backends.prow.build_reading import BuildPlace, settled_since
from backends.prow.source import whole
from backends.prow.view_builds import followed

FIRST, ARTIFACTS = "/", "artifacts/"
_MOST_PAGES = 20  # of one level: 20,000 entries


@dataclass(frozen=True)
class BuildEntries:
    """Names of both levels, folders with "/"; None: not asked or not listed (then `problem` says why)."""

    build: str
    pending: bool = False
    first: tuple[str, ...] | None = None
    artifacts: tuple[str, ...] | None = None
    problem: str = ""
    note: str = ""

    def of(self, level: str) -> tuple[str, ...] | None:
        return self.first if level == FIRST else self.artifacts


def read_entries(archive: Archive, place: BuildPlace, levels: tuple[str, ...], cancel: CancelToken) -> BuildEntries:
    """One request for each level that there is (and one for a link). Only `OperationCancelledError` is raised."""
    kept = _kept(archive, place, levels)
    if kept is not None:
        return kept
    first: tuple[str, ...] | None = None
    artifacts: tuple[str, ...] | None = None
    pending, note = False, ""
    try:
        folder = followed(archive, place, cancel)
        listing = whole(archive.source, archive.bucket, folder, cancel=cancel, most=_MOST_PAGES, hold=-1)
        first = _names(folder, [one.name for one in listing.files], listing.folders)
        pending = archive.reader.may_change(place, folder, listing, cancel)
        note = listing.note
        if ARTIFACTS in levels:
            artifacts = ()
            if ARTIFACTS in first:
                below = folder + ARTIFACTS
                inner = whole(archive.source, archive.bucket, below, cancel=cancel, most=_MOST_PAGES, hold=-1)
                artifacts = _names(below, [one.name for one in inner.files], inner.folders)
                note = note or inner.note
    except HttpError as problem:
        return BuildEntries(place.build, pending, first, None, problem.sentence)
    found = BuildEntries(place.build, pending, first, artifacts, "", note)
    ended = next((one.updated_ms for one in listing.files if one.name == f"{folder}finished.json"), None)
    if archive.stored is not None and not note and ended is not None and settled_since(ended):
        archive.stored.put(_key(archive, place), msgspec.json.encode([first, artifacts]))
    return found


def _key(archive: Archive, place: BuildPlace) -> str:
    return f"prow-entries-v1|{archive.kept_under}|{archive.bucket}|{place.folder or place.link}"


def _kept(archive: Archive, place: BuildPlace, levels: tuple[str, ...]) -> BuildEntries | None:
    found = archive.stored.get(_key(archive, place)) if archive.stored is not None else None
    if found is None:
        return None
    try:
        first, artifacts = msgspec.json.decode(found.body, type=tuple[tuple[str, ...], tuple[str, ...] | None])
    except msgspec.DecodeError:
        return None
    if ARTIFACTS in levels and artifacts is None:
        return None
    return BuildEntries(place.build, False, first, artifacts)


def _names(folder: str, files: list[str], folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix(folder) for name in (*files, *folders)))
