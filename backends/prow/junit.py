"""The test cases in the JUnit files of builds as a list, failures first, and across builds as a matrix."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from backends.cancel import Cancel
from backends.frames.schema import Schema
from backends.http.answers import Origin
from backends.http.errors import HttpProblem
from backends.locators.prow import ProwPath, ProwView, View, route
from backends.problems import Cancelled, Problem
from backends.prow.archive import Archive
from backends.prow.build_files import tree_of
from backends.prow.build_reading import BuildPlace
from backends.prow.file_openings import is_junit
from backends.prow.junit_matrix import JUNIT_MATRIX, junit_matrix
from backends.prow.junit_reading import Reading, read_junit
from backends.prow.junit_rows import JUNIT_FILES, JUNIT_TESTS, JUnitFile, junit_files, junit_rows
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import counted, followed, places, read_each
from backends.resources import Detail, Link, LogAddress, Page, Resource, Row
from backends.resources import Entry as MenuEntry

MOST_FILES = 1000  # of one build
_KEPT = 1 << 20  # bytes of a file that is kept in the cache; most have less than a tenth of it


def build_reports(archive: Archive, place: BuildPlace, cancel: Cancel) -> tuple[str, list[JUnitFile]]:
    """The build's folder, and all JUnit files in it. One that cannot be read has no tests and says why.

    Raises the `HttpProblem` of a build that cannot be listed at all.
    """
    folder = followed(archive, place, cancel)
    tree = tree_of(archive, BuildPlace(place.key, place.job, place.build, folder), cancel)
    named = [one for one in tree.files if is_junit(one.name)][:MOST_FILES]
    found = [_report(archive, place.build, folder, one, cancel) for one in named]
    if tree.problem is not None and not tree.files:
        raise tree.problem
    if tree.problem is not None:
        found.append(_unread(place.build, "", tree.problem))
    return folder, found


def _report(archive: Archive, build: str, folder: str, entry: Entry, cancel: Cancel) -> JUnitFile:
    path = entry.name.removeprefix(folder)
    try:
        if entry.generation and (entry.content_size or _KEPT + 1) <= _KEPT:  # kept by that, for the next matrix
            return JUnitFile(build, path, read_junit([archive.source.read(archive.bucket, entry, cancel=cancel)]))
        with archive.source.open(archive.bucket, entry, cancel=cancel) as body:
            return JUnitFile(build, path, read_junit(body))
    except Cancelled:
        raise
    except Problem as problem:
        return _unread(build, path, problem)


def _unread(build: str, path: str, problem: Problem) -> JUnitFile:
    return JUnitFile(build, path, Reading((), (f"It cannot be read: {problem.sentence}",), True))


class _Reports(Resource):
    """What both lists share. The view's path is a job's folder, a build's or one file."""

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        self._folders: dict[str, str] = {}  # of builds, which links may have led to
        self.problems: list[HttpProblem] = []

    def read(self, cancel: Cancel) -> Iterator[list[list[JUnitFile]]]:
        self.problems = []
        path = self.view.path
        if path and not path.endswith("/"):
            found = route(path)
            self._folders[found.build] = found.base
            yield [[_report(self.archive, found.build, found.base, Entry(path), cancel)]]
            return

        def ask(place: BuildPlace, own: Cancel) -> list[JUnitFile]:
            try:
                self._folders[place.build], reports = build_reports(self.archive, place, own)
            except HttpProblem as problem:
                self.problems.append(problem)
                return []
            return reports

        wanted = places(self.archive, self.view, cancel)
        yield from read_each(wanted, ask, cancel)
        if wanted and len(self.problems) == len(wanted):
            raise self.problems[0]

    def failed(self) -> str:
        """A sentence about the builds that could not be listed, "" if all could."""
        if not self.problems:
            return ""
        return f"{len(self.problems):,} builds cannot be listed: {self.problems[0].sentence}"

    def path_of(self, row: Row) -> str:
        """The file's name in the bucket, or the build's folder."""
        return f"{self._folders.get(str(row['build']), self.view.path)}{row.get('file') or ''}"

    def open(self, row: Row) -> ProwPath | ProwView | None:
        return self.archive.at(self.path_of(row))

    def log(self, row: Row) -> LogAddress | None:
        return self.archive.log(self.path_of(row), f"{row.get('file')} of {row['build']}") if row.get("file") else None


class TestCases(_Reports):
    """Columns are those of `JUNIT_TESTS`; with the option test=NAME only that test, in every build."""

    schema = JUNIT_TESTS
    noun = ("test", "tests")
    empty_text = "No JUnit files are in these builds."

    @property
    def title(self) -> str:
        return f"tests of {self.view.path.rpartition('/')[2] or counted(self.view)}"

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        """A page whenever builds have been read; files that could not be read whole are in the note."""
        test, odd, files = self.view.option("test"), list[str](), 0
        for batch in self.read(cancel):
            every = [report for reports in batch for report in reports]
            files += len(every)
            odd += [f"{one.path}: {' '.join(one.reading.missing)}" for one in every if one.reading.partial]
            frame = junit_rows(every)
            if test:
                frame = frame.filter(pl.col("test") == test)
            note = f"{len(odd):,} of {files:,} files are not whole, such as {odd[0]}" if odd else ""
            note = f"{self.failed()} {note}".strip()
            yield Page(frame, Origin(), note=note, partial=bool(self.problems or odd))

    def shows(self, row: Row) -> None:
        return None  # the panel beside the table has the message and the text

    def detail(self, row: Row) -> Detail:
        found = row_detail(JUNIT_TESTS, row, "Test", texts=("message", "text", "output"))
        return Detail(str(row["test"]), found.sections)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[MenuEntry]:
        view = self.view
        files = ProwView(view.view, view.bucket, view.path, view.builds, (("by", "files"),), view.store)
        return [Link("The JUnit files, and what is missing of them", files)]

    def summary(self, frame: pl.DataFrame) -> str:
        return _counts(frame["state"])


class ReportFiles(_Reports):
    """Columns are those of `JUNIT_FILES`: which files there are and what could not be read of them."""

    schema = JUNIT_FILES
    noun = ("file", "files")
    empty_text = "No JUnit files are in these builds."

    @property
    def title(self) -> str:
        return f"JUnit files of {counted(self.view)}"

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        for batch in self.read(cancel):
            frame = junit_files(report for reports in batch for report in reports)
            yield Page(frame, Origin(), note=self.failed(), partial=bool(self.problems))

    def open(self, row: Row) -> ProwView:
        return ProwView(View.JUNIT, self.view.bucket, self.path_of(row), (), (), self.view.store)

    def detail(self, row: Row) -> Detail:
        return row_detail(JUNIT_FILES, row, "File")


class TestMatrix(_Reports):
    """Columns are those of `JUNIT_MATRIX`. Enter shows a test's results in all of the builds."""

    schema: Schema = JUNIT_MATRIX  # type: ignore[misc]
    noun = ("test", "tests")
    empty_text = "No JUnit files are in these builds."

    @property
    def title(self) -> str:
        return f"tests by build, {counted(self.view)}"

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        """The matrix of the builds read so far, again and again until all are."""
        wanted, frames, done, shown = places(self.archive, self.view, cancel), [JUNIT_TESTS.empty()], 0, 0
        builds = [place.build for place in wanted]
        for batch in self.read(cancel):
            frames.append(
                junit_rows(report for reports in batch for report in reports).with_columns(text=None, output=None)
            )
            done += len(batch)
            if done < max(shown * 1.3, 1) and done < len(wanted):
                continue
            shown = done
            rows = pl.concat(frame.cast(JUNIT_TESTS.polars()) for frame in frames)  # type: ignore[arg-type]
            matrix = junit_matrix(rows, builds)
            yield Page(matrix, Origin(), replace=True, note=self.failed(), partial=bool(self.problems))

    def open(self, row: Row) -> ProwView:
        view = self.view
        return ProwView(View.JUNIT, view.bucket, view.path, view.builds, (("test", str(row["test"])),), view.store)

    def log(self, row: Row) -> None:
        return None

    def detail(self, row: Row) -> Detail:
        return row_detail(JUNIT_MATRIX, row, "Test", texts=("message",))

    def summary(self, frame: pl.DataFrame) -> str:
        return _counts(frame["state"])


def _counts(states: pl.Series) -> str:
    counts = dict(states.drop_nulls().value_counts().iter_rows())
    return " · ".join(f"{counts[name]:,} {name}" for name in ("failed", "flaky", "passed", "skipped") if name in counts)
