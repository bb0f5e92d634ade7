"""The builds of a job or of a pull request, as a list: rows from one listing request, completed while one looks."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import polars as pl
from msgspec.structs import replace

from backends.archives.locators import GITHUB, SourceRevision
from backends.cancel import CancelToken
from backends.failure_links import failure_entries, since_entries
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.pool import PriorityPool
from backends.prow import locators
from backends.prow.bucket import BucketReader, live_log
from backends.prow.build_listing import BuildBatch, BuildListing
from backends.prow.build_reader import (
    BUILD_LOG,
    BUILDS,
    ENDED,
    FAILED,
    INCOMPLETE,
    LIVE,
    NOT_SAVED,
    NOT_STORED,
    QUICK_COLUMNS,
    SEPARATOR,
    STATES,
    BuildPlace,
    BuildReader,
    BuildRow,
    Part,
    container_of,
    list_logs,
    log_flags,
    parts_of,
    place_of,
    row_from_id,
)
from backends.prow.files import PODINFO, list_files
from backends.prow.locators import BuildsView, FileTreeView, LogSearchView, Place, ProwPath, ProwView, route
from backends.resources import (
    ROWS,
    Detail,
    Document,
    Entry,
    Link,
    LogAddress,
    Page,
    Question,
    Row,
    digit_key,
    read_list,
)
from backends.time_left import Durations, TimeLeft, Work, estimate_time_left
from backends.transfers.files import RemoteFile

V = TypeVar("V", bound=ProwView)
_EARLIER = 20  # builds of a job whose durations tell when the running ones end
_MAX_FAILED = 200  # builds whose failures are listed at a time: their ids are in the locator
_MAX_NAMES = 30  # of the first level in the detail panel
# GitHub's names of an owner and a repository, before the branch.
_ORIGIN = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}@", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,40}", re.ASCII)
_VIEWS: tuple[tuple[str, str, type[ProwView]], ...] = (
    ("c", "Completeness: which sets of files {} have", locators.CompletenessView),
    ("m", "Missing files: which file is missing how often in {}", locators.MissingFilesView),
    ("t", "Over time: pass rate and durations of {} by day", locators.TrendsView),
    ("r", "Failure reasons of {}", locators.FailureReasonsView),
    ("V", "Tests of {} (JUnit): test by build", locators.JUnitMatrixView),
    ("T", "Test cases of {} (JUnit)", locators.JUnitView),
    ("e", "Kubernetes events of {}", locators.EventsView),
    ("g", "Log statistics of {}: sizes, lines, words", locators.LogStatisticsView),
    ("f", "All files of {}", FileTreeView),
)


class BuildList(Listing):
    """Columns are those of `build_reader.BUILDS`. `count`, `since_ms`: only the newest builds.

    `complete` False leaves the rows at what ids and names say; else what is `asked` decides which of a build's files
    are read (`build_reader.Part`), and a row on the screen gets all of its cells.
    """

    schema = BUILDS
    noun = ("build", "builds")
    default_sort = (("order", True),)
    empty_text = "No builds: the job may never have run, or its builds have been deleted."
    poll_seconds = 60
    quick_columns = QUICK_COLUMNS

    def __init__(
        self,
        locator: ProwPath | BuildsView,
        bucket: BucketReader,
        *,
        count: int = 0,
        since_ms: float | None = None,
        complete: bool = True,
    ) -> None:
        super().__init__(locator)
        self.bucket = bucket
        self.reader = BuildReader(bucket)
        self.folder = locator.path
        self.builds = locator.builds if isinstance(locator, BuildsView) else ()
        self.build_listing = BuildListing(bucket, self.folder, count, since_ms)
        self._complete = complete
        self._pool: PriorityPool[BuildPlace, BuildRow] | None = None
        self._places: dict[str, BuildPlace] = {}  # all that are listed, by key
        self._read_parts: dict[str, Part] = {}  # what of a build was read, or tried
        self._in_sight: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        path = route(self.folder)
        name = f"PR {path.pull}" if path.place is Place.PULL else path.job or self.folder
        return f"{len(self.builds):,} builds of {name}" if self.builds else name

    # ---- the list

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """First what listings say, each page as it comes; then the same rows with what the builds' files say."""
        freshness, unread = Freshness(), dict[str, BuildRow]()
        with PriorityPool(self._read_row, cancel, name="builds") as pool:
            self._pool = pool
            for page in self._list_pages(cancel, pool, unread):
                freshness = page.freshness
                yield page
            for rows in pool.batches():
                self._count_read()
                yield Page(self._frame(rows, unread), freshness, partial=bool(unread))
            if unread:  # once, with their number: which of them came when must not show
                yield Page(BUILDS.empty(), freshness, note=_unread_words(unread), partial=True)

    def _count_read(self) -> None:
        self._work = LoadingWork(len(self._read_parts), len(self._places), "builds read")

    def _frame(self, rows: list[BuildRow], unread: dict[str, BuildRow]) -> pl.DataFrame:
        """The rows; `unread` then holds those of all rows so far that could not be read."""
        for row in rows:
            unread.pop(row.key, None)
        unread.update((row.key, row) for row in rows if row.is_unread)
        return BUILDS.build(rows)

    def _list_pages(
        self, cancel: CancelToken, pool: PriorityPool[BuildPlace, BuildRow], unread: dict[str, BuildRow]
    ) -> Iterator[Page]:
        if self.builds:
            places = [place_of(self.folder, build) for build in dict.fromkeys(self.builds)]
            yield self._page_from_ids(BuildBatch(places, Freshness()), pool)
            return
        for batch in self.build_listing.batches(cancel, in_order=False):
            yield self._page_from_ids(batch, pool)
            if rows := pool.completed():
                self._count_read()
                yield Page(self._frame(rows, unread), batch.freshness)

    def _page_from_ids(self, batch: BuildBatch, pool: PriorityPool[BuildPlace, BuildRow]) -> Page:
        if batch.replace:
            self._places = {}
        self._places |= {place.key: place for place in batch.places}
        if self._wanted_parts:
            pool.submit((place.key, place) for place in batch.places)
        rows = [row_from_id(place) for place in batch.places]
        return Page(BUILDS.build(rows), batch.freshness, replace=batch.replace, note=batch.note)

    # ---- what of a build is read

    @property
    def _wanted_parts(self) -> Part:
        """Of every build."""
        if not self._complete:
            return Part.NONE
        return Part.ALL if self.asked is None else parts_of(self.asked)

    def _missing_parts(self, key: str) -> Part:
        wanted = Part.ALL if self._complete and key in self._in_sight else self._wanted_parts
        return wanted & ~self._read_parts.get(key, Part.NONE)

    def _read_row(self, place: BuildPlace, cancel: CancelToken) -> BuildRow:
        parts = self._read_parts.get(place.key, Part.NONE) | self._missing_parts(place.key)
        row = self.reader.read_row(place, cancel, parts)
        self._read_parts[place.key] = parts
        if row.is_unread and (known := self.reader.known_row(place)) is not None:
            return replace(known, note=row.note)
        return row

    def prefer(self, keys: Sequence[str]) -> None:
        self._in_sight = frozenset(keys)
        if self._pool is not None:
            again = [key for key in keys if key in self._read_parts and self._missing_parts(key)]
            self._pool.submit((key, self._places[key]) for key in again if key in self._places)
            self._pool.prefer(keys)

    def complete(self, keys: Sequence[str], cancel: CancelToken) -> Iterator[Page]:
        self._in_sight = frozenset(keys)
        with PriorityPool(self._read_row, cancel, name="builds") as pool:
            pool.submit([(key, place) for key, place in self._places.items() if self._missing_parts(key)])
            pool.prefer(keys)
            for rows in pool.batches():
                yield Page(BUILDS.build(rows), Freshness())

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """Builds that have begun since, and what has become of those that had not ended."""
        live = frame.filter(pl.col("state").is_in(list(LIVE)) | pl.col("state").is_null())
        places = [self._place(row) for row in live.iter_rows(named=True)]
        if self.builds and not places:
            return None
        if not self.builds:
            newest = max(frame["order"].to_list(), default="")[2:]
            places += self.build_listing.list_newer(newest, cancel)
        self._places |= {place.key: place for place in places}
        with PriorityPool(self._read_row, cancel, name="builds") as pool:
            pool.submit((place.key, place) for place in places)
            rows = [row for batch in pool.batches() for row in batch if row.state is not None]
        return Page(BUILDS.build(rows), Freshness())

    def find_durations(self, frame: pl.DataFrame, cancel: CancelToken) -> Durations | None:
        """Of the newest builds of the same jobs that passed or failed, of at most three jobs."""
        live = frame.filter(pl.col("state").is_in(list(LIVE)))
        folders = dict.fromkeys(map(self._job_folder, live.select("job", "build", "folder").iter_rows(named=True)))
        seconds: dict[str, list[float]] = {}
        for folder in list(folders)[:3]:
            with contextlib.suppress(HttpError):
                earlier = BuildList(self.bucket.locator(folder), self.bucket, count=_EARLIER)
                earlier.asked = frozenset({"state", "duration"})
                ended = read_list(earlier, cancel).frame.filter(pl.col("state").is_in(["success", "failure"]))
                for job, duration in ended.select("job", "duration").drop_nulls().iter_rows():
                    seconds.setdefault(job, []).append(duration)
        count = sum(map(len, seconds.values()))
        return Durations(seconds, seconds, count, ("earlier build", "earlier builds")) if count else None

    def estimate_end(self, frame: pl.DataFrame, known: Durations) -> TimeLeft | None:
        now = datetime.now(UTC)
        live = frame.filter(pl.col("state").is_in(list(LIVE)))
        works = [
            Work(job or "", job or "", ran=max((now - started).total_seconds(), 0.0) if started is not None else None)
            for job, started in live.select("job", "started").iter_rows()
        ]
        return estimate_time_left(works, known)

    def _place(self, row: Row) -> BuildPlace:
        folder, place = row.get("folder"), self._places.get(row["key"])
        if folder:
            return BuildPlace(row["key"], row["job"], row["build"], folder, place.link if place is not None else "")
        return place or place_of(self.folder, row["build"])

    def complete_row(self, row: Row, columns: Sequence[str], cancel: CancelToken) -> Row:
        """The row with its cells of these columns."""
        return BUILDS.build([self.reader.read_row(self._place(row), cancel, parts_of(columns))]).row(0, named=True)

    # ---- what opens from it

    def open(self, row: Row) -> ProwPath:
        place = self._place(row)
        return self.bucket.locator(place.folder or place.link.removesuffix(".txt"))

    def open_marked(self, rows: pl.DataFrame) -> ProwView | None:
        return self.view(FileTreeView, rows)

    def view(self, view: type[V], rows: pl.DataFrame, **options: Any) -> V | None:
        """That view of these builds; None where they are not all of one job."""
        folders = {self.folder}
        if route(self.folder).place is Place.PULL:
            folders = {self._job_folder(row) for row in rows.select("job", "build", "folder").iter_rows(named=True)}
        if len(folders) != 1 or rows.is_empty():
            return None
        return view(self.bucket.bucket, folders.pop(), tuple(rows["build"].to_list()), self.bucket.store, **options)

    def _job_folder(self, row: Row) -> str:
        """The folder whose builds these are: a pull request's rows are of several jobs."""
        if route(self.folder).place is not Place.PULL or not row.get("folder"):
            return self.folder
        return str(row["folder"]).removesuffix(f"{row['build']}/")

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        """Views of `rows`; where those are of several jobs (of a pull request), of those of the row's own job."""
        entries: list[Entry] = [] if row is None else self._row_entries(row)
        if row is not None and row.get("state") == "failure" and row.get("folder"):
            entries += since_entries(self.bucket.locator(str(row["folder"])))
        all_builds = self.view(BuildsView, rows)
        if all_builds is None and row is not None:
            rows = rows.filter(pl.col("job") == row["job"])
            all_builds = self.view(BuildsView, rows)
        if all_builds is not None:
            words = f"{len(rows):,} build{'' if len(rows) == 1 else 's'}"
            entries += [
                Link(label.format(words), all_builds.change_view(view), letter=letter, group=ROWS)
                for letter, label, view in _VIEWS
            ]
            flaky = all_builds.change_view(locators.JUnitMatrixView, first="flaky")
            entries.append(Link(f"Flakiest tests of {words} (JUnit)", flaky, letter="F", group=ROWS))
            entries.append(self._search_entry(words, all_builds))
        return [*entries, *failure_entries(self.failures(rows))]

    def failures(self, rows: pl.DataFrame) -> BuildsView | None:
        """Of those that failed the newest, as far as that is known of the rows."""
        failed = rows.filter(pl.col("state").is_in(list(FAILED))).sort("order", descending=True)
        return self.view(BuildsView, failed.head(_MAX_FAILED))

    def _search_entry(self, words: str, all_builds: BuildsView) -> Question:
        def search(text: str) -> LogSearchView:
            from backends.logs.patterns import parse_pattern

            parse_pattern(text)  # an invalid one is reported in the box, not in an empty list
            return all_builds.change_view(LogSearchView, pattern=text)

        return Question(f"Search the logs of {words}", "Text or regular expression", search, letter="s", group=ROWS)

    def _row_entries(self, row: Row) -> list[Entry]:
        entries: list[Entry] = []
        if (document := self.document(row)) is not None:
            own = BuildsView(self.bucket.bucket, self._job_folder(row), (str(row["build"]),), self.bucket.store)
            entries.append(Link(document.title, document, letter="b"))
            tests, events = own.change_view(locators.JUnitView), own.change_view(locators.EventsView)
            entries.append(Link(f"Test cases of {row['build']} (JUnit)", tests, letter="u"))
            entries.append(Link(f"Kubernetes events of {row['build']}", events, letter="v"))
        folder, names = row.get("folder"), list_logs(row.get("names"))
        for number, name in enumerate(names if folder and len(names) > 1 else ()):  # `l` opens the first
            if (log := self.named_log(row, name)) is not None:
                entries.append(Link(f"Log of container {container_of(name)}", log, letter=digit_key(number)))
        if folder and PODINFO in str(row.get("names") or "").split(SEPARATOR):
            pod = self.bucket.document(f"{folder}{PODINFO}", f"{PODINFO} of {row['build']}")
            entries.append(Link(PODINFO, pod, letter="i"))
        if (source := source_of(row)) is not None:
            words = f"Archives of its source: {source.repository} {source.revision[:12]}"
            entries.append(Link(words, source, letter="a"))
        return entries

    def log(self, row: Row) -> LogAddress | None:
        """The complete log; of several containers the first, the others are among the files. While it runs, Deck's."""
        folder, names = row.get("folder"), list_logs(row.get("names"))
        if row.get("state") in LIVE and not names:
            url = live_log(self.bucket.bucket, str(row["job"]), str(row["build"]), self.bucket.scope)
            return LogAddress(url, f"log of {row['job']} {row['build']}", self.open(row), live=True) if url else None
        if not folder or (not names and row.get("names")):
            return None
        return self.named_log(row, names[0] if names else BUILD_LOG)

    def named_log(self, row: Row, name: str) -> LogAddress | None:
        """The log of that name in the build's folder."""
        flags = log_flags(row.get("state"), row.get("finished"))
        return self.bucket.log(f"{row['folder']}{name}", f"{name} of {row['build']}", **flags)

    def document(self, row: Row) -> Document | None:
        folder, names = row.get("folder"), str(row.get("names") or "").split(SEPARATOR)
        name = next((name for name in ("prowjob.json", "finished.json", "started.json") if name in names), None)
        if not folder or name is None:
            return None
        return self.bucket.document(f"{folder}{name}", f"{name} of {row['build']}")

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """All files of these builds, each build's tree as it becomes known."""
        return list_files(self.bucket, [self._place(row) for row in rows.iter_rows(named=True)], cancel)

    def row_title(self, row: Row) -> str:
        return f"{row.get('job') or ''} {row.get('build') or ''}".strip()

    def detail(self, row: Row) -> Detail:
        found = super().detail(row)
        if not row.get("names"):
            return found
        names = tuple(("", name) for name in str(row["names"]).split(SEPARATOR)[:_MAX_NAMES])
        return Detail(found.title, (*found.sections, ("First level", names)))

    def web_url(self, row: Row | None = None) -> str | None:
        if row is not None and row.get("folder"):
            return self.bucket.web_page(row["folder"])
        if self.builds:
            return None  # no page shows some builds of a job
        return self.bucket.web_page(self.folder, "job-history")

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 success · 3 failure · 80.0 % passed": by state, and the share of those that ended."""
        counts = dict(frame["state"].drop_nulls().value_counts().iter_rows())
        states = [*(state for state in STATES if state in counts), *sorted(counts.keys() - set(STATES))]
        words = [f"{counts[state]:,} {state}" for state in states]
        ended = sum(counts.get(state, 0) for state in (*ENDED, INCOMPLETE))
        if ended:
            words.append(f"{100 * counts.get('success', 0) / ended:.1f} % passed")
        return " · ".join(words)


def _unread_words(unread: Mapping[str, BuildRow]) -> str:
    """A sentence for each of the two reasons why builds lack their cells."""
    words = []
    absent = sum(row.note == NOT_STORED for row in unread.values())
    missing = sum(row.note == NOT_SAVED for row in unread.values())
    failed = len(unread) - absent - missing
    if missing:
        words.append(f"{'1 build is' if missing == 1 else f'{missing:,} builds are'} not in this capsule.")
    if absent:
        count = "1 build is" if absent == 1 else f"{absent:,} builds are"
        words.append(f"{count} not in the store: offline, only what was looked at before is there.")
    if failed:
        count, notes = ("1 build", "its note says") if failed == 1 else (f"{failed:,} builds", "their notes say")
        words.append(f"{count} cannot be read; {notes} why.")
    return " ".join(words)


def source_of(row: Row) -> SourceRevision | None:
    """The commit that a build tested, on GitHub; None where the build's files do not say both repository and commit.

    Gerrit's repositories (an organisation that is a URL) have no archives.
    """
    repository = (_ORIGIN.match(str(row.get("base") or "")) or [""])[0].removesuffix("@")
    commit = str(row.get("commit") or "")
    return SourceRevision(repository, commit, root=GITHUB) if repository and _COMMIT.fullmatch(commit) else None
