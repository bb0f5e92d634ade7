"""Which builds a job (or a pull request) has, the newest first, as listings tell it: no build is opened for that.

The storage lists the oldest first and cannot do otherwise, so windows of ids are asked for instead, from now on
backwards. latest-build.txt is not asked: it has held ids that never were (test-infra issue 34312).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from backends.cancel import Cancel
from backends.http.answers import Origin, Source
from backends.http.errors import HttpProblem, NotAllowed
from backends.locators.prow import Place, route
from backends.prow.archive import Archive, place_of
from backends.prow.build_ids import created_ms, is_build, order, windows
from backends.prow.build_reading import BuildPlace
from backends.prow.build_state import decoded
from backends.prow.source import Listing, pages, whole

if TYPE_CHECKING:
    from backends.http.stores import StoredBytes

MOST = 20_000  # builds of one list: 20 pages; the largest job seen has 40,879
_KEPT = 5000


@dataclass(frozen=True)
class Some:
    """Builds as they became known, the newest first."""

    places: list[BuildPlace]
    origin: Origin
    note: str = ""


class BuildListing:
    """One job's folder, or one pull request's. `count`: how many of the newest; 0 means all, up to `MOST`."""

    def __init__(self, archive: Archive, folder: str, count: int = 0, since_ms: float | None = None) -> None:
        self.archive = archive
        self.folder = folder
        self.count = min(count or MOST, MOST)
        self.since_ms = since_ms
        self._key = f"prow-ids-v1|{archive.store}|{archive.scope}|{archive.bucket}|{folder}"

    def found(self, cancel: Cancel) -> Iterator[Some]:
        """Raises `HttpProblem`s; where the server cannot be asked, gives the last known list, marked as stale."""
        if route(self.folder).place is Place.PULL:
            yield from self._of_pull(cancel)
            return
        seen: dict[str, None] = {}
        try:
            yield from self._windows(cancel, seen)
        except HttpProblem as problem:
            kept = None if seen or isinstance(problem, NotAllowed) else self._kept()
            if kept is None:
                raise
            yield self._stale(kept, problem)
            return
        self._keep(list(seen))

    def _windows(self, cancel: Cancel, seen: dict[str, None]) -> Iterator[Some]:
        for low, high in windows(self.since_ms):
            inside: list[str] = []
            deaf = False
            for listing in self._pages(low, high, cancel):
                found = [build for build in self._ids(listing) if build not in seen]
                deaf = deaf or (low != "" and any(len(one) == len(low) and one < low for one in found))
                seen.update(dict.fromkeys(found))
                inside += found
                newest = sorted(found, key=order, reverse=True)
                yield Some(self._places(newest), listing.origin, listing.note)
                if len(seen) >= MOST:
                    yield Some([], listing.origin, f"Only {MOST:,} builds are listed; the others are older.")
                    return
            if deaf or len(seen) >= self.count:
                return

    def _pages(self, low: str, high: str, cancel: Cancel) -> Iterator[Listing]:
        archive = self.archive
        start, end = (self.folder + bound if bound else "" for bound in (low, high))
        # Each window's address has the time in it and is never asked again: nothing to store.
        return pages(archive.source, archive.bucket, self.folder, cancel=cancel, start=start, end=end, hold=-1)

    def _ids(self, listing: Listing) -> list[str]:
        if route(self.folder).place is Place.LINKS:
            names = [one.name for one in listing.files if one.name.endswith(".txt")]
            found = [name.removeprefix(self.folder).removesuffix(".txt") for name in names]
        else:
            found = [name.removeprefix(self.folder).rstrip("/") for name in listing.folders]
        bound = self.since_ms
        return [
            one
            for one in dict.fromkeys(found)
            if is_build(one) and (bound is None or (at := created_ms(one)) is None or at >= bound)
        ]

    def _places(self, builds: list[str]) -> list[BuildPlace]:
        return [place_of(self.folder, build) for build in builds]

    def _of_pull(self, cancel: Cancel) -> Iterator[Some]:
        """The jobs of a pull request are few, and so are the builds of each."""
        archive = self.archive
        jobs = whole(archive.source, archive.bucket, self.folder, cancel=cancel)
        for job in jobs.folders:
            listing = whole(archive.source, archive.bucket, job, cancel=cancel)
            builds = [name.removeprefix(job).rstrip("/") for name in listing.folders]
            newest = sorted((one for one in builds if is_build(one)), key=order, reverse=True)
            yield Some([place_of(job, build) for build in newest], listing.origin, listing.note or jobs.note)

    def newer(self, than: str, cancel: Cancel) -> list[BuildPlace]:
        """Builds with a greater id than `than`."""
        if route(self.folder).place is Place.PULL:
            every = [place for some in self._of_pull(cancel) for place in some.places]
            return [place for place in every if order(place.build) > order(than)]
        found = [one for listing in self._pages(than, "", cancel) for one in self._ids(listing)]
        return self._places(sorted({one for one in found if order(one) > order(than)}, key=order, reverse=True))

    def _keep(self, seen: list[str]) -> None:
        if self.archive.stored is not None and seen:
            known = seen
            if self.count < MOST or self.since_ms is not None:  # a part of the list must not stand for all of it
                kept = self._kept()
                known = [*seen, *(self._ids_of(kept) if kept else ())]
            newest = sorted(set(known), key=order, reverse=True)[:_KEPT]
            self.archive.stored.put(self._key, msgspec.json.encode({"ids": newest}))

    @property
    def is_kept(self) -> bool:
        """Whether `found` has something to give without a server."""
        return self._kept() is not None

    def _kept(self) -> StoredBytes | None:
        return self.archive.stored.get(self._key) if self.archive.stored is not None else None

    def _ids_of(self, kept: StoredBytes) -> list[str]:
        ids = decoded(kept.body).get("ids")
        return [one for one in ids if isinstance(one, str) and is_build(one)] if isinstance(ids, list) else []

    def _stale(self, kept: StoredBytes, problem: HttpProblem) -> Some:
        import time

        builds = self._ids_of(kept)
        age = max(time.time() - kept.stored_at, 0.0)
        origin = Origin(Source.STALE, age, problem.sentence)
        return Some(self._places(builds[: self.count]), origin, problem.sentence)
