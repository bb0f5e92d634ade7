"""Which builds a job (or a pull request) has, the newest first, as listings tell it: no build is opened for that.

The storage lists in the order of names and cannot do otherwise. Names of snowflakes are in the order of time, so
windows of them are asked for, from now on backwards; those of counters are not ("999" comes after "1500"), so all of
them are listed and compared as numbers. latest-build.txt is not asked: it has held ids that never were (test-infra
issue 34312).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, HttpError, NotFoundError
from backends.http.response import Freshness, ResponseSource
from backends.locators.prow import Place, route
from backends.prow.archive import Archive, place_of
from backends.prow.build_ids import created_ms, is_build, is_long, newest_first, order, windows
from backends.prow.build_reading import BuildPlace
from backends.prow.build_state import decoded, seconds_ms
from backends.prow.source import Entry, Listing, pages, whole

if TYPE_CHECKING:
    from backends.http.cache import CachedBlob

MOST = 20_000  # builds of one list: 20 pages; the largest job seen has 40,879
_KEPT = 5000
_MOST_PAGES = 1000  # of one folder: a million names, 25 times the largest job seen
_TRIED = 5  # builds asked when they began, where the first ones do not say


@dataclass(frozen=True)
class Some:
    """Builds as they became known, the newest first."""

    places: list[BuildPlace]
    origin: Freshness
    note: str = ""


class BuildListing:
    """One job's folder, or one pull request's. `count`: how many of the newest; 0 means all, up to `MOST`."""

    def __init__(self, archive: Archive, folder: str, count: int = 0, since_ms: float | None = None) -> None:
        self.archive = archive
        self.folder = folder
        self.count = min(count or MOST, MOST)
        self.since_ms = since_ms
        self._all = not count or count > MOST
        self._key = f"prow-ids-v2|{archive.kept_under}|{archive.bucket}|{folder}"

    def found(self, cancel: CancelToken) -> Iterator[Some]:
        """The newest first, no more than `count`. (Of all builds of a pull request, each job's newest first.)

        Raises `HttpError`s; where the server cannot be asked, gives the last known list, marked as stale.
        """
        if route(self.folder).place is Place.PULL:
            yield from self._of_pull(cancel)
            return
        listed: list[str] = []
        try:
            for some in self._windows(cancel):
                listed += [place.build for place in some.places]
                yield some
        except HttpError as problem:
            kept = None if listed or isinstance(problem, AccessDeniedError) else self._kept()
            if kept is None:
                raise
            yield self._stale(kept, problem)
            return
        self._keep(listed)

    def _windows(self, cancel: CancelToken) -> Iterator[Some]:
        """Windows of snowflakes from now on backwards, each completely listed before it is given.

        Shorter ids (counters) are in every window, wherever their first digits put them, and all of them are older
        than any snowflake: they come last, when all are known.
        """
        seen: set[str] = set()
        shorter: set[str] = set()
        older: set[str] = set()
        left, low, origin = self.count, "", Freshness()
        for low, high in windows(self.since_ms):
            only_counters = bool(shorter) and len(shorter) == len(seen)
            if not self._lists_ranges() or (only_counters and self.since_ms is None):
                low = ""
            found, origin, note = self._listed(low, high, cancel)
            older = {one for one in found if self._is_dated_before(one)}
            fresh = found - seen - older
            seen |= fresh
            shorter |= {one for one in fresh if not is_long(one)}
            newest = newest_first(one for one in fresh if is_long(one))
            yield Some(self._places(newest[:left]), origin, note or self._note(len(newest) > left))
            left -= len(newest)
            if left <= 0 or any(one < low for one in found):  # less than asked for: the server knows no ranges
                low = ""
            if left <= 0 or not low:
                break
        if left > 0 and self.since_ms is not None:
            shorter = set() if older else self._made_since(shorter, low, cancel)
        if left > 0 and shorter:
            newest = newest_first(shorter)
            yield Some(self._places(newest[:left]), origin, self._note(len(newest) > left))

    def _lists_ranges(self) -> bool:
        return self.archive.source.lists_ranges(self.archive.bucket)

    def _note(self, cut: bool) -> str:
        return f"Only {MOST:,} builds are listed; the others are older." if cut and self._all else ""

    def _listed(self, low: str, high: str, cancel: CancelToken) -> tuple[set[str], Freshness, str]:
        """All ids of a window."""
        found: set[str] = set()
        origin, note = None, ""
        for listing in self._pages(low, high, cancel):
            found.update(self._ids(listing))
            origin = listing.origin if origin is None else origin.worse(listing.origin)
            note = note or listing.note
        return found, origin or Freshness(), note

    def _made_since(self, shorter: set[str], low: str, cancel: CancelToken) -> set[str]:
        """The counters that began since `since_ms`. They have no date, and they were given one after the other: the
        first one that is old enough tells for all before it.

        `low`: what has been listed ends there. A snowflake below it is older than asked for, and so are all counters.
        """
        assert self.since_ms is not None
        for listing in self._pages("", low, cancel) if low else ():
            found = self._ids(listing)
            if any(created_ms(one) is not None for one in found):
                return set()
            shorter |= {one for one in found if not is_long(one)}
        newest = newest_first(shorter)
        first, last = 0, len(newest)
        while first < last:
            middle = (first + last) // 2
            if self._is_older(newest[middle : middle + _TRIED], cancel):
                last = middle
            else:
                first = middle + 1
        return set(newest[:first])

    def _is_older(self, builds: list[str], cancel: CancelToken) -> bool:
        """Whether the first of them that says when it began did so before `since_ms`; one that does not say is kept."""
        archive = self.archive
        for place in self._places(builds):
            try:
                folder = place.folder or archive.reader.followed(place, cancel)
                content = archive.source.read(archive.bucket, Entry(f"{folder}started.json"), cancel=cancel)
            except NotFoundError:
                continue
            if (began := seconds_ms(decoded(content).get("timestamp"))) is not None:
                return self.since_ms is not None and began < self.since_ms
        return False

    def _pages(self, low: str, high: str, cancel: CancelToken) -> Iterator[Listing]:
        archive = self.archive
        start, end = (self.folder + bound if bound else "" for bound in (low, high))
        # Each window's address has the time in it and is never asked again: nothing to store.
        return pages(
            archive.source, archive.bucket, self.folder, cancel=cancel, start=start, end=end, hold=-1, most=_MOST_PAGES
        )

    def _ids(self, listing: Listing) -> list[str]:
        if route(self.folder).place is Place.LINKS:
            names = [one.name for one in listing.files if one.name.endswith(".txt")]
            found = [name.removeprefix(self.folder).removesuffix(".txt") for name in names]
        else:
            found = [name.removeprefix(self.folder).rstrip("/") for name in listing.folders]
        return [one for one in found if is_build(one)]

    def _is_dated_before(self, build: str) -> bool:
        at = created_ms(build) if self.since_ms is not None else None
        return at is not None and self.since_ms is not None and at < self.since_ms

    def _places(self, builds: list[str]) -> list[BuildPlace]:
        return [place_of(self.folder, build) for build in builds]

    def _of_pull(self, cancel: CancelToken) -> Iterator[Some]:
        """The jobs of a pull request are few, and so are the builds of each."""
        archive = self.archive
        jobs = whole(archive.source, archive.bucket, self.folder, cancel=cancel)
        every: list[BuildPlace] = []
        origin, note = jobs.origin, jobs.note
        for job in jobs.folders:
            listing = whole(archive.source, archive.bucket, job, cancel=cancel)
            builds = newest_first(one for name in listing.folders if is_build(one := name[len(job) :].rstrip("/")))
            places = [place_of(job, build) for build in builds if not self._is_dated_before(build)]
            origin, note = origin.worse(listing.origin), note or listing.note
            if self._all:
                yield Some(places, listing.origin, listing.note or jobs.note)
            every += places
        if not self._all:
            every.sort(key=lambda place: (order(place.build), place.job), reverse=True)
            yield Some(every[: self.count], origin, note)

    def newer(self, than: str, cancel: CancelToken) -> list[BuildPlace]:
        """Builds with a greater number than `than`, "" for all."""
        if route(self.folder).place is Place.PULL:
            every = [place for some in self._of_pull(cancel) for place in some.places]
            return [place for place in every if not than or order(place.build) > order(than)]
        # Greater numbers than a counter's can be anywhere among the names: all are listed.
        start = than if than and is_long(than) else ""
        found = [one for listing in self._pages(start, "", cancel) for one in self._ids(listing)]
        newest = newest_first(one for one in found if not than or order(one) > order(than))
        return self._places([one for one in newest if not self._is_dated_before(one)][:MOST])

    def _keep(self, seen: list[str]) -> None:
        if self.archive.stored is not None and seen:
            known = seen
            if self.count < MOST or self.since_ms is not None:  # a part of the list must not stand for all of it
                kept = self._kept()
                known = [*seen, *(self._ids_of(kept) if kept else ())]
            newest = newest_first(known)[:_KEPT]
            self.archive.stored.put(self._key, msgspec.json.encode({"ids": newest}))

    @property
    def is_kept(self) -> bool:
        """Whether `found` has something to give without a server."""
        return self._kept() is not None

    def _kept(self) -> CachedBlob | None:
        return self.archive.stored.get(self._key) if self.archive.stored is not None else None

    def _ids_of(self, kept: CachedBlob) -> list[str]:
        ids = decoded(kept.body).get("ids")
        return [one for one in ids if isinstance(one, str) and is_build(one)] if isinstance(ids, list) else []

    def _stale(self, kept: CachedBlob, problem: HttpError) -> Some:
        import time

        builds = newest_first(one for one in self._ids_of(kept) if not self._is_dated_before(one))
        age = max(time.time() - kept.stored_at, 0.0)
        origin = Freshness(ResponseSource.STALE, age, problem.sentence)
        return Some(self._places(builds[: self.count]), origin, problem.sentence)
