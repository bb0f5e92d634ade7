"""Which builds a job (or a pull request) has, the newest first, as listings tell it: no build is opened for that.

The storage lists in the order of names and cannot do otherwise. Names of snowflakes are in the order of time, so
windows of them are listed, from now on backwards; those of counters are not ("999" comes after "1500"), so all of
them are listed and compared as numbers. latest-build.txt is not read: it has held ids that never were (test-infra
issue 34312).

`BuildView` is the base of the lists that are made of some builds of a job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import add_unit, format_single
from backends.http.errors import AccessDeniedError, HttpError, NotFoundError, ServerError
from backends.http.response import Freshness, ResponseSource
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.pool import PriorityPool
from backends.prow.bucket import BucketReader
from backends.prow.build_reader import (
    UNREAD,
    BuildPlace,
    BuildReader,
    BuildRow,
    created_ms,
    id_windows,
    is_build,
    is_long,
    newest_first,
    parse_object,
    place_of,
    seconds_ms,
    sort_key,
)
from backends.prow.locators import BuildsView, Place, ProwView, route
from backends.prow.store import BlobPage
from backends.resources import Detail, Row

if TYPE_CHECKING:
    from backends.http.cache import CachedBlob

MAX_BUILDS = 20_000  # of one list: 20 pages; the largest job seen has 40,879
_MAX_CACHED = 5000
_MAX_PAGES = 1000  # of one folder: a million names, 25 times the largest job seen
_MAX_TRIES = 5  # builds that are read for when they began, where the first ones do not say


@dataclass(frozen=True)
class BuildBatch:
    """Builds as they became known, the newest first. `replace`: these alone, whatever came before."""

    places: list[BuildPlace]
    freshness: Freshness
    note: str = ""
    replace: bool = False


class BuildListing:
    """One job's folder, or one pull request's. `count`: how many of the newest; 0 means all, up to `MAX_BUILDS`."""

    def __init__(self, bucket: BucketReader, folder: str, count: int = 0, since_ms: float | None = None) -> None:
        self.bucket = bucket
        self.folder = folder
        self.count = min(count or MAX_BUILDS, MAX_BUILDS)
        self.since_ms = since_ms
        self._all = not count or count > MAX_BUILDS
        self._links: dict[str, str] = {}  # what links say, of builds whose links were listed with it
        self._cache_key = f"prow-ids-v2|{bucket.cache_prefix}|{bucket.bucket}|{folder}"

    def batches(self, cancel: CancelToken, *, in_order: bool = True) -> Iterator[BuildBatch]:
        """The newest first, no more than `count`. (Of all builds of a pull request, each job's newest first.)

        Without `in_order`, all builds come as each page of the listing does: the newest counter may be on any of them.

        Raises `HttpError`s; where the server cannot be reached, gives the last known list, marked as stale.
        """
        if route(self.folder).place is Place.PULL:
            yield from self._list_pull(cancel)
            return
        listed: list[str] = []
        try:
            for batch in self._list_windows(cancel, in_order or not self._all or self.since_ms is not None):
                listed += [place.build for place in batch.places]
                yield batch
        except HttpError as error:
            cached = None if listed or isinstance(error, AccessDeniedError) else self._cached()
            if cached is None:
                raise
            yield self._stale_batch(cached, error)
            return
        self._store(listed)

    def _list_windows(self, cancel: CancelToken, in_order: bool) -> Iterator[BuildBatch]:
        """Windows of snowflakes from now on backwards, each completely listed before it is given `in_order`.

        Shorter ids (counters) are in every window, wherever their first digits put them, and all of them are older
        than any snowflake: they come last, when all are known.
        """
        seen: set[str] = set()
        shorter: set[str] = set()
        older: set[str] = set()
        early: set[str] = set()  # given before their window was listed
        newest: list[str] = []
        low, freshness, is_full = "", Freshness(), False

        def give(builds: list[str], note: str) -> BuildBatch:
            is_cut = len(newest) + len(builds) > self.count
            builds = builds[: self.count - len(newest)]
            newest.extend(builds)
            unseen = [build for build in builds if build not in early]
            return BuildBatch(self._places(unseen), freshness, note or self._cut_note(is_cut))

        lists_ranges = self.bucket.blobs.lists_ranges(self.bucket.bucket)
        for low, high in id_windows(self.since_ms, self.bucket.now() * 1000):
            only_counters = bool(shorter) and len(shorter) == len(seen)
            if not lists_ranges or (only_counters and self.since_ms is None):
                low = ""
            ids, note = set[str](), ""
            for found, freshness, page_note in self._list_ids(low, high, cancel):
                fresh = found - seen - ids
                if not in_order and len(early) + len(fresh) <= MAX_BUILDS:
                    early |= fresh
                    yield BuildBatch(self._places(newest_first(fresh)), freshness)
                ids, note = ids | found, note or page_note
            older = {build for build in ids if self._is_before_since(build)}
            fresh = ids - seen - older
            seen |= fresh
            shorter |= {build for build in fresh if not is_long(build)}
            yield give(newest_first(build for build in fresh if is_long(build)), note)
            is_full = len(newest) >= self.count
            if is_full or any(build < low for build in ids):  # less than asked for: the server knows no ranges
                low = ""
            if not low:
                break
        if not is_full and self.since_ms is not None:
            shorter = set() if older else self._counters_since(shorter, low, cancel)
        if not is_full and shorter:
            yield give(newest_first(shorter), "")
        if not early.issubset(newest):
            yield BuildBatch(self._places(newest), freshness, self._cut_note(is_cut=True), replace=True)

    def _cut_note(self, is_cut: bool) -> str:
        return f"Only {MAX_BUILDS:,} builds are listed; the others are older." if is_cut and self._all else ""

    def _list_ids(self, low: str, high: str, cancel: CancelToken) -> Iterator[tuple[set[str], Freshness, str]]:
        """The ids of a window, page by page, with the worst freshness so far and the page's note."""
        start, end = (self.folder + bound if bound else "" for bound in (low, high))
        freshness = None
        # Each window's URL has the time in it and is never requested again: nothing to cache.
        options = {"start": start, "end": end, "max_age": -1, "max_pages": _MAX_PAGES}
        for page in self.bucket.list_pages(self.folder, cancel, **options):
            freshness = page.freshness if freshness is None else freshness.worse(page.freshness)
            yield set(self._ids_in(page)), freshness, page.note

    def _counters_since(self, shorter: set[str], low: str, cancel: CancelToken) -> set[str]:
        """The counters that began since `since_ms`. They have no date, and they were given one after the other: the
        first one that is old enough tells for all before it.

        `low`: what has been listed ends there. A snowflake below it is older than asked for, and so are all counters.
        """
        assert self.since_ms is not None
        ids = set[str]().union(*(found for found, _, _ in self._list_ids("", low, cancel))) if low else set[str]()
        if any(created_ms(build) is not None for build in ids):
            return set()
        shorter |= {build for build in ids if not is_long(build)}
        newest = newest_first(shorter)
        first, last = 0, len(newest)
        while first < last:
            middle = (first + last) // 2
            if self._is_older(newest[middle : middle + _MAX_TRIES], cancel):
                last = middle
            else:
                first = middle + 1
        return set(newest[:first])

    def _is_older(self, builds: list[str], cancel: CancelToken) -> bool:
        """Whether the first of them that says when it began did so before `since_ms`; False where none says."""
        reader = BuildReader(self.bucket)
        for place in self._places(builds):
            try:
                content = self.bucket.read(f"{reader.folder_of(place, cancel)}started.json", cancel)
            except NotFoundError:
                continue
            if (began := seconds_ms(parse_object(content).get("timestamp"))) is not None:
                return self.since_ms is not None and began < self.since_ms
        return False

    def _ids_in(self, page: BlobPage) -> list[str]:
        if route(self.folder).place is Place.LINKS:
            links = {info.name: info.link for info in page.files if info.name.endswith(".txt")}
            texts = {name.removeprefix(self.folder).removesuffix(".txt"): text for name, text in links.items()}
            self._links |= texts
            names = list(texts)
        else:
            names = [name.removeprefix(self.folder).rstrip("/") for name in page.folders]
        return [name for name in names if is_build(name)]

    def _is_before_since(self, build: str) -> bool:
        created = created_ms(build) if self.since_ms is not None else None
        return created is not None and self.since_ms is not None and created < self.since_ms

    def _places(self, builds: list[str]) -> list[BuildPlace]:
        return [place_of(self.folder, build, self._links.get(build, "")) for build in builds]

    def _list_pull(self, cancel: CancelToken) -> Iterator[BuildBatch]:
        """The jobs of a pull request are few, and so are the builds of each."""
        jobs = self.bucket.list_all(self.folder, cancel)
        all_places: list[BuildPlace] = []
        freshness, note = jobs.freshness, jobs.note
        for job in jobs.folders:
            page = self.bucket.list_all(job, cancel)
            ids = (name[len(job) :].rstrip("/") for name in page.folders)
            builds = newest_first(build for build in ids if is_build(build))
            places = [place_of(job, build) for build in builds if not self._is_before_since(build)]
            freshness, note = freshness.worse(page.freshness), note or page.note
            if self._all:
                yield BuildBatch(places, page.freshness, page.note or jobs.note)
            all_places += places
        if not self._all:
            all_places.sort(key=lambda place: (sort_key(place.build), place.job), reverse=True)
            yield BuildBatch(all_places[: self.count], freshness, note)

    def list_newer(self, than: str, cancel: CancelToken) -> list[BuildPlace]:
        """Builds with a greater number than `than`, "" for all."""
        if route(self.folder).place is Place.PULL:
            all_places = [place for batch in self._list_pull(cancel) for place in batch.places]
            return [place for place in all_places if not than or sort_key(place.build) > sort_key(than)]
        # Greater numbers than a counter's can be anywhere among the names: all are listed.
        start = than if than and is_long(than) else ""
        ids = set[str]().union(*(found for found, _, _ in self._list_ids(start, "", cancel)))
        newest = newest_first(build for build in ids if not than or sort_key(build) > sort_key(than))
        return self._places([build for build in newest if not self._is_before_since(build)][:MAX_BUILDS])

    # ---- the cached list

    @property
    def is_cached(self) -> bool:
        """Whether `batches` has something to give without a server."""
        return self._cached() is not None

    def _store(self, listed: list[str]) -> None:
        if self.bucket.cache is None or not listed:
            return
        if self.count < MAX_BUILDS or self.since_ms is not None:  # a part of the list must not stand for all of it
            cached = self._cached()
            listed = [*listed, *(self._cached_ids(cached) if cached else ())]
        newest = newest_first(listed)[:_MAX_CACHED]
        self.bucket.cache.put(self._cache_key, msgspec.json.encode({"ids": newest}))

    def _cached(self) -> CachedBlob | None:
        return self.bucket.cache.get(self._cache_key) if self.bucket.cache is not None else None

    def _cached_ids(self, cached: CachedBlob) -> list[str]:
        ids = parse_object(cached.body).get("ids")
        return [build for build in ids if isinstance(build, str) and is_build(build)] if isinstance(ids, list) else []

    def _stale_batch(self, cached: CachedBlob, error: HttpError) -> BuildBatch:
        builds = newest_first(build for build in self._cached_ids(cached) if not self._is_before_since(build))
        age = max(time.time() - cached.stored_at, 0.0)
        freshness = Freshness(ResponseSource.STALE, age, error.sentence)
        return BuildBatch(self._places(builds[: self.count]), freshness, error.sentence)


# ---- views of some builds -------------------------------------------------------------------------------------------

Result = TypeVar("Result")
DEFAULT_COUNT = 100  # builds of a view that names none
_MAX_TEXT_LINES = 60  # of one text in the detail panel


def named_places(locator: ProwView) -> list[BuildPlace]:
    """The builds that a view names; of a folder that is not a job's, the folder itself."""
    if locator.builds:
        return [place_of(locator.path, build) for build in dict.fromkeys(locator.builds)]
    path = route(locator.path)
    if path.place.is_job:
        return []
    return [BuildPlace(locator.path, path.job, path.build, locator.path)]


class BuildView(Listing):
    """A list made of some builds of a job, which are read in parallel: `find_places`, then `read_each`.

    The detail panel shows every column that has a value, those in `long_texts` as sections of their own lines.
    """

    locator: ProwView
    title_pattern: ClassVar[str] = "{}"  # around the builds
    detail_title: ClassVar[str] = ""
    long_texts: ClassVar[tuple[str, ...]] = ()
    not_in_detail: ClassVar[tuple[str, ...]] = ("build_ids", "order")

    def __init__(self, locator: ProwView, bucket: BucketReader) -> None:
        super().__init__(locator)
        self.locator = locator
        self.bucket = bucket
        self.reader = BuildReader(bucket)

    @property
    def job(self) -> str:
        return route(self.locator.path).job or self.locator.path.rstrip("/").rpartition("/")[2]

    @property
    def title(self) -> str:
        return self.title_pattern.format(self.builds_title)

    @property
    def builds_title(self) -> str:
        """ "136 builds of JOB", or "JOB BUILD": for titles, which narrow screens cut at the end."""
        builds = self.locator.builds
        if len(builds) == 1:
            return f"{self.job} {builds[0]}"
        return f"{f'{len(builds):,}' if builds else 'the newest'} builds of {self.job}"

    def find_places(self, cancel: CancelToken) -> list[BuildPlace]:
        """The builds that the view names, the newest first; of a job without any, the newest `count`."""
        locator = self.locator
        named = sorted(named_places(locator), key=lambda place: sort_key(place.build), reverse=True)
        if named or not route(locator.path).place.is_job:
            return named
        count = DEFAULT_COUNT if locator.count is None else locator.count
        listing = BuildListing(self.bucket, locator.path, count)
        return [place for batch in listing.batches(cancel) for place in batch.places]

    def read_each(
        self, places: list[BuildPlace], read: Callable[[BuildPlace, CancelToken], Result], cancel: CancelToken
    ) -> Iterator[list[Result]]:
        """What `read` makes of each build, in batches as it becomes known."""
        with PriorityPool(read, cancel, name="builds") as pool:
            pool.submit((place.key, place) for place in places)
            done = 0
            for batch in pool.batches():
                done += len(batch)
                self._work = LoadingWork(done, len(places), "builds read") if len(places) > 1 else None
                yield batch

    def read_all(
        self, places: list[BuildPlace], read: Callable[[BuildPlace, CancelToken], Result], cancel: CancelToken
    ) -> Iterator[tuple[list[Result], bool]]:
        """(what `read` made of all builds so far, whether these are all), whenever there are half as many again: a
        table of 20,000 builds is not made again for each ten of them."""
        results: list[Result] = []
        last = 0
        for batch in self.read_each(places, read, cancel):
            results += batch
            if len(results) >= max(last * 1.5, 1) or len(results) == len(places):
                last = len(results)
                yield results, last == len(places)

    def open(self, row: Row) -> Locator | None:
        """The list of the builds in the row's `build_ids` (with commas between them)."""
        ids = tuple(build for build in (row.get("build_ids") or "").split(",") if build)
        locator = self.locator
        return BuildsView(locator.bucket, locator.path, ids, locator.store) if ids else None

    def detail(self, row: Row) -> Detail:
        cells = tuple(
            (
                column.label,
                add_unit(format_single(row[column.name], column), "%" if column.unit == "%" else ""),
            )
            for column in self.schema
            if row.get(column.name) not in (None, "") and column.name not in (*self.long_texts, *self.not_in_detail)
        )
        sections: list[tuple[str, tuple[tuple[str, str], ...]]] = [(self.detail_title, cells)]
        for name in self.long_texts:
            if lines := str(row.get(name) or "").splitlines()[:_MAX_TEXT_LINES]:
                sections.append((self.schema[name].label, tuple(("", line) for line in lines)))
        return Detail(self.row_title(row), tuple(sections))

    def row_title(self, row: Row) -> str:
        return self.detail_title


class ErrorHandler:
    """A context that hands the `AppError` of its body to `handle` and goes on behind it; cancellation passes."""

    def __init__(self, handle: Callable[[AppError], None]) -> None:
        self._handle = handle

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, AppError) or isinstance(error, OperationCancelledError):
            return False
        self._handle(error)
        return True


def unread_note(rows: list[BuildRow]) -> str:
    """A sentence about the builds that could not be read, "" if all could. Raises an `AppError` if none could."""
    failed = sorted((row for row in rows if row.is_unread), key=lambda row: str(row.order), reverse=True)
    if not failed:
        return ""
    reason = str(failed[0].note or "").removeprefix(UNREAD)
    if len(failed) == len(rows):
        raise ServerError(f"None of {len(rows):,} builds can be read: {reason}", "Try again.")
    verb, first = ("is", "") if len(failed) == 1 else ("are", ", the first")
    return f"{len(failed):,} of {len(rows):,} builds cannot be read and {verb} left out{first} because: {reason}"
