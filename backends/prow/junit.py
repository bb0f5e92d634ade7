"""The test cases in the JUnit files of builds as a list, failures first, and across builds as a matrix."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.schema import Schema
from backends.http.errors import HttpError, sanitize
from backends.http.response import Freshness
from backends.locators.prow import Place, ProwPath, ProwView, View, route
from backends.prow.archive import Archive
from backends.prow.build_files import tree_of
from backends.prow.build_ids import created_ms
from backends.prow.build_reading import BuildPlace
from backends.prow.build_state import decoded, seconds_ms
from backends.prow.file_openings import is_junit
from backends.prow.junit_matrix import JUNIT_MATRIX, junit_matrix
from backends.prow.junit_reading import EMPTY, NO_SUITE, Reading, read_junit
from backends.prow.junit_rows import (
    JUNIT_FILES,
    JUNIT_RESULTS,
    JUNIT_TESTS,
    JUNIT_TESTS_OF_BUILDS,
    JUnitFile,
    junit_files,
    junit_rows,
)
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import counted, followed, places, read_each
from backends.resources import Detail, Link, LogAddress, Page, Resource, Row
from backends.resources import Entry as MenuEntry

MOST_FILES = 1000  # of one build
_XML = (".xml", ".xml.gz")
_KEPT = 1 << 20  # bytes of a file that is kept in the cache; most have less than a tenth of it


@dataclass(frozen=True)
class Reports:
    """What was found of one build: its folder, its JUnit files, and in sentences what was left out. `others`: how many
    XML files are no JUnit files. `listed`: what the listing says about itself, such as where it comes from."""

    folder: str
    files: list[JUnitFile]
    notes: tuple[str, ...] = ()
    others: int = 0
    listed: str = ""


def build_reports(archive: Archive, place: BuildPlace, cancel: CancelToken, rank: int = 0) -> Reports:
    """All JUnit files of the build, or of the folder. One that cannot be read has no tests and says why.

    Raises the `HttpError` of a build that cannot be listed at all.
    """
    folder = followed(archive, place, cancel)
    tree = tree_of(archive, BuildPlace(place.key, place.job, place.build, folder), cancel)
    if tree.problem is not None and not tree.files:
        raise tree.problem
    # In a directory that is no build's, files may be called as they like: what they hold tells them apart.
    plain = not route(folder).base
    named = [one for one in tree.files if (one.name.lower().endswith(_XML) if plain else is_junit(one.name))]
    started = _started(archive, place.build, folder, tree.files, cancel)
    found = [_report(archive, place.build, folder, one, cancel, rank, started) for one in named[:MOST_FILES]]
    notes = []
    if len(named) > MOST_FILES:
        notes.append(f"Only {MOST_FILES:,} of {len(named):,} JUnit files were read.")
    read = len(found)
    if plain:
        found = [one for one in found if one.reading.missing[:1] != (NO_SUITE,)]
    others = read - len(found)
    if tree.problem is not None:
        found.append(_unread(place.build, "", tree.problem, rank, started))
    return Reports(folder, found, tuple(notes), others, tree.note)


def _started(archive: Archive, build: str, folder: str, files: Sequence[Entry], cancel: CancelToken) -> int | None:
    """When the build began: its id says so, or (where ids are counters) its started.json."""
    if (at := created_ms(build)) is not None:
        return at
    entry = next((one for one in files if build and one.name == f"{folder}started.json"), None)
    if entry is None:
        return None
    try:
        return seconds_ms(decoded(archive.source.read(archive.bucket, entry, cancel=cancel)).get("timestamp"))
    except OperationCancelledError:
        raise
    except AppError:
        return None


def _report(
    archive: Archive,
    build: str,
    folder: str,
    entry: Entry,
    cancel: CancelToken,
    rank: int = 0,
    started: int | None = None,
) -> JUnitFile:
    path = entry.name.removeprefix(folder)
    try:
        if entry.generation and (entry.content_size or _KEPT + 1) <= _KEPT:  # kept by that, for the next matrix
            reading = read_junit([archive.source.read(archive.bucket, entry, cancel=cancel)])
        else:
            with archive.source.open(archive.bucket, entry, cancel=cancel) as body:
                reading = read_junit(body)
    except OperationCancelledError:
        raise
    except AppError as problem:
        return _unread(build, path, problem, rank, started)
    return JUnitFile(build, path, reading, rank, started)


def _unread(build: str, path: str, problem: AppError, rank: int, started: int | None) -> JUnitFile:
    return JUnitFile(build, path, Reading((), (f"It cannot be read: {problem.sentence}",), True), rank, started)


class _Reports(Resource):
    """What the lists share. The view's path is a job's folder, a build's, another one, or one file."""

    default_sort: ClassVar[tuple[str, bool] | None] = ("order", False)

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        self._folders: dict[str, str] = {}  # of builds, which links may have led to
        self._problems: dict[int, HttpError] = {}  # by the build's rank
        self._notes: dict[int, tuple[str, ...]] = {}
        self._listed: set[str] = set()
        self._incomplete: dict[tuple[int, str], str] = {}  # what is missing of a file, by rank and path
        self._without: dict[tuple[int, str], str] = {}  # files that should have tests and have no suite
        self._files = self._others = 0
        self._lock = threading.Lock()

    def places(self, cancel: CancelToken) -> list[BuildPlace]:
        path = self.view.path
        if path and not path.endswith("/"):
            found = route(path)
            return [BuildPlace(path, found.job, found.build, found.base)]
        return places(self.archive, self.view, cancel)

    def read(self, wanted: list[BuildPlace], cancel: CancelToken) -> Iterator[list[list[JUnitFile]]]:
        self._problems, self._notes, self._incomplete, self._without, self._files, self._others = {}, {}, {}, {}, 0, 0
        self._listed = set()
        path = self.view.path
        ranks = {place.key: rank for rank, place in enumerate(wanted)}

        def ask(place: BuildPlace, own: CancelToken) -> list[JUnitFile]:
            if place.key == path and not path.endswith("/"):
                self._folders[place.build] = place.folder
                entry = self.archive.source.stat(self.archive.bucket, path, cancel=own)
                report = _report(self.archive, place.build, place.folder, entry, own, 0, created_ms(place.build))
                return self._counted([report])
            rank = ranks[place.key]
            try:
                found = build_reports(self.archive, place, own, rank)
            except HttpError as problem:
                self._problems[rank] = problem
                return []
            self._folders[place.build] = found.folder
            self._notes[rank] = found.notes
            self._listed |= {found.listed} - {""}
            self._others += found.others
            return self._counted(found.files)

        yield from read_each(wanted, ask, cancel)
        if wanted and len(self._problems) == len(wanted):
            raise self._problems[0]

    def _counted(self, files: list[JUnitFile]) -> list[JUnitFile]:
        self._incomplete |= {
            (one.rank, one.path): " ".join(one.reading.missing) for one in files if one.reading.partial
        }
        self._without |= {
            (one.rank, one.path): one.reading.missing[0]
            for one in files
            if one.reading.missing[:1] in ((NO_SUITE,), (EMPTY,))
        }
        self._files += len(files)
        return files

    def note(self) -> str:
        """What is missing from the list, each kind said once with its number; "" if nothing is."""
        notes = []
        if self._problems:
            first = self._problems[min(self._problems)]
            words = "1 build" if len(self._problems) == 1 else f"{len(self._problems):,} builds"
            notes.append(f"{words} cannot be listed: {first.sentence}")
        if self._incomplete:
            (_, path), missing = min(self._incomplete.items())
            words = "1 file is" if len(self._incomplete) == 1 else f"{len(self._incomplete):,} files are"
            notes.append(f"{words} incomplete (of {self._files:,}), e.g. {sanitize(path, 200)}: {missing}")
        if self._without:
            (_, path), missing = min(self._without.items())
            words = "1 file has" if len(self._without) == 1 else f"{len(self._without):,} files have"
            notes.append(f"{words} no tests (of {self._files:,}), e.g. {sanitize(path, 200)}: {missing}")
        left_out = [note for rank in sorted(self._notes) for note in self._notes[rank]]
        for note in dict.fromkeys(left_out):
            times = left_out.count(note)
            notes.append(note if times == 1 else f"{note} (so in {times:,} builds)")
        if self._others:
            words = "1 XML file" if self._others == 1 else f"{self._others:,} XML files"
            notes.append(f"Left out: {words} without a test suite.")
        return " ".join(notes)

    def last_pages(self, matrix: pl.DataFrame | None = None) -> Iterator[Page]:
        """What is known when all has been read, after the whole table if there is one."""
        partial = bool(self._problems or self._incomplete or any(self._notes.values()))
        frame = self.schema.empty() if matrix is None else matrix
        yield Page(frame, Freshness(), replace=matrix is not None, note=self.note(), partial=partial)
        for note in sorted(self._listed):
            yield Page(self.schema.empty(), Freshness(), note=note)

    def path_of(self, row: Row) -> str:
        """The file's name in the bucket, or the build's folder."""
        return f"{self._folders.get(str(row['build'] or ''), self.view.path)}{row.get('file') or ''}"

    def open(self, row: Row) -> ProwPath | ProwView | None:
        return self.archive.at(self.path_of(row))

    def log(self, row: Row) -> LogAddress | None:
        title = f"{row.get('file')} of {row['build']}" if row["build"] else str(row.get("file"))
        return self.archive.log(self.path_of(row), title) if row.get("file") else None


class TestCases(_Reports):
    """Columns are those of `JUNIT_TESTS`; with the option test=NAME only that test, in every build."""

    schema = JUNIT_TESTS
    noun = ("test", "tests")
    empty_text = "No JUnit files are in these builds."

    @property
    def title(self) -> str:
        return f"tests of {self.view.path.rpartition('/')[2] or counted(self.view)}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page whenever builds have been read; the last one says which files could not be read completely."""
        wanted = [(name, text) for name, text in self.view.options if name in ("test", "suite", "classname")]
        for batch in self.read(self.places(cancel), cancel):
            frame = junit_rows(report for reports in batch for report in reports)
            for name, text in wanted:
                frame = frame.filter(pl.col(name) == text)
            yield Page(frame.select(self.schema.polars().keys()), Freshness())
        yield from self.last_pages()

    def shows(self, row: Row) -> None:
        return None  # the panel beside the table has the message and the text

    def detail(self, row: Row) -> Detail:
        found = row_detail(self.schema, row, "Test", texts=("message", "text", "output"), without=("order",))
        return Detail(str(row["test"]), found.sections)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[MenuEntry]:
        view = self.view
        files = ProwView(View.JUNIT, view.bucket, view.path, view.builds, (("by", "files"),), view.store)
        return [Link("The JUnit files, and what is missing of them", files)]

    def summary(self, frame: pl.DataFrame) -> str:
        return _counts(frame["state"])


class TestCasesOfBuilds(TestCases):
    """The same of several builds: which one, and when, stands first."""

    schema: Schema = JUNIT_TESTS_OF_BUILDS  # type: ignore[misc]


class ResultsOfTest(TestCases):
    """One test's results in several builds, the newest first."""

    schema: Schema = JUNIT_RESULTS  # type: ignore[misc]

    @property
    def title(self) -> str:
        return f"{self.view.option('test')} in {counted(self.view)}"


class ReportFiles(_Reports):
    """Columns are those of `JUNIT_FILES`: which files there are and what could not be read of them."""

    schema = JUNIT_FILES
    noun = ("file", "files")
    empty_text = "No JUnit files are in these builds."

    @property
    def title(self) -> str:
        return f"JUnit files of {counted(self.view)}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        for batch in self.read(self.places(cancel), cancel):
            yield Page(junit_files(report for reports in batch for report in reports), Freshness())
        yield from self.last_pages()

    def open(self, row: Row) -> ProwView:
        return ProwView(View.JUNIT, self.view.bucket, self.path_of(row), (), (), self.view.store)

    def detail(self, row: Row) -> Detail:
        return row_detail(JUNIT_FILES, row, "File", without=("order",))


class TestMatrix(_Reports):
    """Columns are those of `JUNIT_MATRIX`. Enter shows a test's results in all of the builds."""

    schema: Schema = JUNIT_MATRIX  # type: ignore[misc]
    noun = ("test", "tests")
    default_sort = None
    empty_text = "No JUnit files are in these builds."

    @property
    def title(self) -> str:
        return f"tests by build, {counted(self.view)}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The matrix of the builds read so far, again and again until all are."""
        wanted = self.places(cancel)
        frames, done, shown, matrix = [JUNIT_TESTS.empty()], 0, 0, JUNIT_MATRIX.empty()
        builds = [place.build for place in wanted]
        for batch in self.read(wanted, cancel):
            frames.append(
                junit_rows(report for reports in batch for report in reports).with_columns(text=None, output=None)
            )
            done += len(batch)
            if done < max(shown * 1.3, 1) and done < len(wanted):
                continue
            shown = done
            rows = pl.concat(frame.cast(JUNIT_TESTS.polars()) for frame in frames)  # type: ignore[arg-type]
            matrix = junit_matrix(rows, builds)
            yield Page(matrix, Freshness(), replace=True)
        yield from self.last_pages(matrix)

    def open(self, row: Row) -> ProwView:
        view = self.view
        which = tuple((name, str(row[name])) for name in ("test", "suite", "classname") if row[name])
        return ProwView(View.JUNIT, view.bucket, view.path, view.builds, which, view.store)

    def log(self, row: Row) -> None:
        return None

    def detail(self, row: Row) -> Detail:
        return row_detail(JUNIT_MATRIX, row, "Test", texts=("message",))

    def summary(self, frame: pl.DataFrame) -> str:
        return _counts(frame["state"])


def junit_list(locator: ProwView, archive: Archive) -> Resource:
    """The list that a view of the kind JUNIT means."""
    if locator.option("by") == "files":
        return ReportFiles(locator, archive)
    if locator.option("test"):
        return ResultsOfTest(locator, archive)
    of_a_job = locator.path.endswith("/") and route(locator.path).place in (Place.BUILDS, Place.LINKS)
    return (TestCasesOfBuilds if of_a_job and len(locator.builds) != 1 else TestCases)(locator, archive)


def _counts(states: pl.Series) -> str:
    counts = dict(states.drop_nulls().value_counts().iter_rows())
    return " · ".join(f"{counts[name]:,} {name}" for name in ("failed", "flaky", "passed", "skipped") if name in counts)
