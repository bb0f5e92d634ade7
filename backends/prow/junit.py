"""The test cases in the JUnit files of builds as a list, failures first, and across builds as a matrix.

Several results of one test are retries when they are in the same folder: suite, class and name alike, as Spyglass'
junit lens has it for one file, and also across the files into which Kubernetes' parallel processes write. Results in
different folders are those of different steps (before and after an upgrade, say) and stay apart.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.failure_links import since_entries
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError, sanitize
from backends.http.response import Freshness
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildView, ErrorHandler
from backends.prow.build_reader import BUILD_LOG, BuildPlace, created_ms, parse_object, seconds_ms
from backends.prow.files import FileTree, is_junit, list_tree
from backends.prow.junit_reader import EMPTY, NO_SUITE, JUnitCase, JUnitContent, read_junit
from backends.prow.locators import JUnitMatrixView, JUnitView, ProwPath, ProwView, describe_file, route
from backends.prow.store import BlobInfo
from backends.resources import LIST, Entry, Link, LogAddress, Page, Row

UNNAMED = "(no name)"
STATES = ("failed", "flaky", "passed", "skipped")  # in the order of the rows
LETTERS = {"failed": "F", "flaky": "~", "passed": "P", "skipped": "S"}
NOT_REPORTED = "·"
MAX_BUILD_FILES = 1000  # JUnit files of one build
_XML = (".xml", ".xml.gz")
_MAX_CACHED_BYTES = 1 << 20  # of a file that is cached; most have less than a tenth of it
_MIN_DURATIONS = 3  # in each half, for a trend
_SEPARATOR = "\x1f"
_TEST_KEY = ("suite", "classname", "test")


# ---- rows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JUnitFile:
    """One file of one build: its path below the build's folder, and what was read of it.

    `rank`: the build's place among those that are looked at, 0 is the newest. `started`: epoch ms, None if unknown.
    """

    build: str
    path: str
    content: JUnitContent
    rank: int = 0
    started: int | None = None

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def has_no_tests(self) -> bool:
        return self.content.missing[:1] in ((NO_SUITE,), (EMPTY,))

    def count(self, state: str) -> int:
        return sum(case.state == state for case in self.content.cases)


class TestRow(msgspec.Struct, gc=False):
    """A row of `JUNIT_TESTS`: all results of one test in one build. `case`, `file`: the result that is shown."""

    key: str
    state: str
    test: str
    case: JUnitCase
    file: JUnitFile
    duration: float | None
    runs: int
    order: str


_STATE = Column("state", Kind.STATE, "State", width=9, get="state")
_BUILD = Column("build", Kind.ID, "Build", get="file.build")
_STARTED = Column("started", Kind.TIME, "Started", cell=pl.Int64(), get="file.started")
_RESULT = (
    Column("duration", Kind.DURATION, "Duration", "s", get="duration"),
    Column("runs", Kind.COUNT, "Runs", get="runs"),
    Column("message", Kind.TEXT, "Message", width=60, get="case.message"),
    Column("suite", Kind.TEXT, "Suite", get="case.suite"),
    Column("classname", Kind.TEXT, "Class", hidden=True, get="case.classname"),
    Column("file", Kind.TEXT, "File", width=36, keeps_end=True, get="file.path"),
)
_REST = (
    Column("text", Kind.TEXT, "Text", hidden=True, get="case.text"),
    Column("output", Kind.TEXT, "Output", hidden=True, searched=False, get="case.output"),
    Column("order", Kind.ID, "Order", hidden=True, searched=False, get="order"),
)


def _test_column(width: int) -> Column:
    return Column("test", Kind.TEXT, "Test", width=width, keeps_end=True, get="test")


JUNIT_TESTS = Schema((_STATE, _test_column(60), *_RESULT, _BUILD, _STARTED, *_REST), key="key", key_get="key")
_NAME = replace(_test_column(40), is_name=True)
# The same columns where rows are of several builds: which build and when stand beside the test, or (of one test)
# before all that does not change.
JUNIT_TESTS_OF_BUILDS = Schema((_STATE, _BUILD, _STARTED, _NAME, *_RESULT, *_REST), key="key")
JUNIT_RESULTS = Schema((_STATE, _BUILD, _STARTED, *_RESULT, _test_column(40), *_REST), key="key")
JUNIT_FILES = Schema(
    (
        Column(
            "state", Kind.STATE, "State", width=11,
            get=lambda file: "incomplete" if file.content.partial else "failed" if file.count("F") else "passed",
        ),
        Column("file", Kind.TEXT, "File", width=60, keeps_end=True, get="path"),
        Column("tests", Kind.COUNT, "Tests", get=lambda file: len(file.content.cases)),
        Column("failures", Kind.COUNT, "Failures", get=lambda file: file.count("F")),
        Column(
            "flaky", Kind.COUNT, "Flaky",
            get=lambda file: sum(case.state == "P" and case.reruns > 0 for case in file.content.cases),
        ),
        Column("skipped", Kind.COUNT, "Skipped", get=lambda file: file.count("S")),
        Column(
            "duration", Kind.DURATION, "Duration", "s",
            get=lambda file: float(sum(case.seconds or 0.0 for case in file.content.cases)),
        ),
        Column("missing", Kind.TEXT, "Missing", width=60, get=lambda file: " ".join(file.content.missing)),
        Column("build", Kind.ID, "Build", get="build"),
        Column("started", Kind.TIME, "Started", cell=pl.Int64(), get="started"),
        Column(
            "order", Kind.ID, "Order", hidden=True, searched=False, get=lambda file: f"{file.rank:05d}{file.path}"
        ),
    ),
    key="key",
    key_get=lambda file: f"{file.build}{_SEPARATOR}{file.path}",
)  # fmt: skip


def junit_rows(files: Iterable[JUnitFile]) -> pl.DataFrame:
    """One row a test of a build (schema JUNIT_TESTS), the newest build first, in it failed tests, then flaky, passed,
    skipped ones.

    Within a state the order is that of the files; `order` sorts rows of several calls the same way. Columns, units:
    `duration` in seconds of the run that the state is judged by (the last failure, else the last pass; null if
    unknown), `runs` how often it ran or was skipped, `message`, `text` and `output` of the last failure, or of the
    skip. A test is

    - flaky if it both failed and passed (TestGrid's FLAKY, Sippy's flakes), also within one case that lists the failed
      runs before its pass (`flakyFailure`),
    - failed if it failed and never passed,
    - passed if it passed and never failed, though it was also skipped: of parallel processes that write files of their
      own, one runs a test and the others skip it (the lens calls that skipped where it is within one file),
    - skipped if nothing else; a case that is marked as both skipped and failed is skipped, as the lens has it.
    """
    groups: dict[tuple[str, str, str, str, str], list[tuple[JUnitCase, JUnitFile]]] = {}
    for file in files:
        for case in file.content.cases:
            key = (file.build, file.folder, case.suite, case.classname, case.name or UNNAMED)
            groups.setdefault(key, []).append((case, file))
    counts: dict[str, int] = {}
    rows = []
    for key, results in groups.items():
        counts[key[0]] = counts.get(key[0], 0) + 1
        rows.append(_test_row(key, results, counts[key[0]]))
    return JUNIT_TESTS.build(rows).sort("order", maintain_order=True)


def _test_row(
    key: tuple[str, str, str, str, str], results: Sequence[tuple[JUnitCase, JUnitFile]], number: int
) -> TestRow:
    last: dict[str, tuple[JUnitCase, JUnitFile]] = {}
    for case, file in results:
        last[case.state] = (case, file)
        if case.state == "P" and case.reruns:
            last["F"] = (case, file)
    state = state_of_results(last)
    case, file = last.get("F") or last.get("P") or last["S"]
    judged = last["P"][0] if state in ("flaky", "passed") else case
    duration = None if state == "skipped" else judged.seconds
    runs = sum(1 + result.reruns * (result.state != "S") for result, _ in results)
    order = f"{file.rank:05d}{STATES.index(state)}{number:07d}"
    return TestRow(_SEPARATOR.join(key), state, key[4], case, file, duration, runs, order)


def state_of_results(letters: Iterable[str]) -> str:
    """The state of a test by the letters (P, F, S) of its results."""
    states = set(letters)
    if "F" in states:
        return "flaky" if "P" in states else "failed"
    return "passed" if "P" in states else "skipped"


def junit_file_rows(files: Iterable[JUnitFile]) -> pl.DataFrame:
    """One row a file (schema JUNIT_FILES), the newest build's first: "incomplete" where tests may be missing, else
    failed or passed.

    `missing` says in sentences what is not as the file has it; `duration` is the sum of the cases' seconds; `flaky`
    counts cases that list failed runs before their pass.
    """
    return JUNIT_FILES.build(list(files)).sort("order", maintain_order=True)


# ---- matrix --------------------------------------------------------------------------------------------------------

JUNIT_MATRIX = Schema(
    (
        Column("state", Kind.STATE, "Last", width=9),
        Column("test", Kind.TEXT, "Test", width=50, keeps_end=True),
        Column("history", Kind.TEXT, "Builds, newest first", width=40, searched=False, results=True),
        Column("pass_rate", Kind.NUMBER, "Passed", "%"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("failures", Kind.COUNT, "Failures"),
        Column("flakes", Kind.COUNT, "Flakes"),
        Column("skips", Kind.COUNT, "Skips"),
        Column("failing_since", Kind.ID, "Failing since"),
        Column("first_failure", Kind.ID, "First failure"),
        Column("last_failure", Kind.ID, "Last failure", hidden=True),
        Column("median_duration", Kind.DURATION, "Median", "s"),
        Column("trend", Kind.NUMBER, "Trend", "%"),
        Column("message", Kind.TEXT, "Last message", width=60),
        Column("suite", Kind.TEXT, "Suite"),
        Column("classname", Kind.TEXT, "Class", hidden=True),
        Column("working_rate", Kind.NUMBER, "Passed or flaked", "%", hidden=True),
    ),
    key="key",
)


def junit_matrix(rows: pl.DataFrame, builds: Sequence[str]) -> pl.DataFrame:
    """One row a test (schema JUNIT_MATRIX) of rows of the schema JUNIT_TESTS; `builds` newest first, without doubles.

    Rows of other builds are left out. A test is one suite, class and name; where a build has it in several folders the
    worst state counts: failed, flaky, passed, skipped. `history` has a letter for every one of `builds`: P, F, S, `~`
    for flaky, `·` where the test was not reported.

    `runs`: builds in which it ran (skips do not count). `pass_rate`: those in which it passed at once, `working_rate`
    also those in which it flaked (Sippy's current pass and working percentage), both in percent of `runs`, null without
    any. `state`: of the newest build that has the test. `first_failure`, `last_failure`: the oldest and newest build in
    which it failed. `failing_since`: the oldest build of the failures that lead up to now, skips and absences left
    aside; null if it did not fail when it ran last. `median_duration`: seconds, of the builds where it passed.
    `trend`: by how many percent the median duration of the newer half of those builds exceeds that of the older half
    (the middle one of an odd number belongs to neither); null with fewer than three in a half or a median of 0.

    Failing tests come first, then flaky ones, each by pass rate; equal ones in the order of their names.
    """
    if rows.is_empty() or not builds:
        return JUNIT_MATRIX.empty()
    cells = _cells(rows, builds)
    if cells.is_empty():
        return JUNIT_MATRIX.empty()
    tests = cells.group_by(_TEST_KEY, maintain_order=True).agg(
        pl.col("state").first(),
        pl.col("message").filter(pl.col("state").is_in(["failed", "flaky"])).first(),
        *(
            (pl.col("state") == state).sum().cast(pl.Int64).alias(name)
            for state, name in (("failed", "failures"), ("flaky", "flakes"), ("passed", "passes"), ("skipped", "skips"))
        ),
        _failing("build").last().alias("first_failure"),
        _failing("build").first().alias("last_failure"),
        pl.struct("state", "build").alias("_states"),
        pl.struct("_place", "_letter").alias("_letters"),
        _passing().median().alias("median_duration"),
        _trend(),
    )
    return _with_rates(tests, len(builds)).select(
        pl.col(name).cast(dtype) for name, dtype in JUNIT_MATRIX.polars().items()
    )


def _cells(rows: pl.DataFrame, builds: Sequence[str]) -> pl.DataFrame:
    """One row a test and build, newest build first, with the worst state and what belongs to it."""
    places = pl.DataFrame({"build": list(builds), "_place": range(len(builds))}, schema_overrides={"_place": pl.Int64})
    worst = {state: rank for rank, state in enumerate(STATES)}
    return (
        rows.select(*_TEST_KEY, "build", "state", "duration", "message")
        .join(places, on="build", how="inner", maintain_order="left")
        .with_columns(
            _worst=pl.col("state").replace_strict(worst, default=4, return_dtype=pl.Int8),
            _letter=pl.col("state").replace_strict(LETTERS, default="?", return_dtype=pl.String),
        )
        .sort("_place", "_worst", maintain_order=True)
        .unique([*_TEST_KEY, "build"], keep="first", maintain_order=True)
    )


def _failing(column: str) -> pl.Expr:
    return pl.col(column).filter(pl.col("state") == "failed")


def _passing() -> pl.Expr:
    """Finite durations of passes, newest first."""
    return pl.col("duration").filter((pl.col("state") == "passed") & pl.col("duration").is_finite())


def _trend() -> pl.Expr:
    values = _passing()
    half = values.len() // 2
    newer, older = values.head(half).median(), values.tail(half).median()
    known = (half >= _MIN_DURATIONS) & (older > 0)
    return pl.when(known).then((newer / older - 1) * 100).alias("trend")


def _with_rates(tests: pl.DataFrame, count: int) -> pl.DataFrame:
    """With the columns that follow from the states; failing tests first."""
    ran = pl.col("failures") + pl.col("flakes") + pl.col("passes")
    histories = [_history(letters, count) for letters in tests["_letters"].to_list()]
    since = [_since(states) for states in tests["_states"].to_list()]
    rank = pl.col("state").replace_strict({"failed": 0, "flaky": 1}, default=2, return_dtype=pl.Int8)
    return tests.with_columns(
        pl.Series("history", histories, pl.String),
        pl.Series("failing_since", since, pl.String),
        runs=ran,
        pass_rate=pl.when(ran > 0).then(100 * pl.col("passes") / ran),
        working_rate=pl.when(ran > 0).then(100 * (pl.col("passes") + pl.col("flakes")) / ran),
        key=pl.concat_str(_TEST_KEY, separator=_SEPARATOR),
    ).sort(rank, "pass_rate", *_TEST_KEY, nulls_last=True, maintain_order=True)


def _history(letters: Sequence[dict[str, object]], count: int) -> str:
    line = [NOT_REPORTED] * count
    for cell in letters:
        line[int(str(cell["_place"]))] = str(cell["_letter"])
    return "".join(line)


def count_changes(history: str) -> int:
    """How often the result changed from one build of a `history` to the next that reported it; a flake, which failed
    and then passed, changed by itself."""
    results = "".join(letter for letter in history if letter in "PF~").replace("~", "PF")  # the newest first
    return sum(one != other for one, other in pairwise(results))


def flakiest_first(matrix: pl.DataFrame) -> pl.DataFrame:
    """Rows of the schema JUNIT_MATRIX by `count_changes`, the most first; equal ones stay in their order."""
    changes = pl.Series("changes", [count_changes(history) for history in matrix["history"]], pl.Int64)
    return matrix.with_columns(changes).sort("changes", descending=True, maintain_order=True).drop("changes")


def _since(states: Sequence[dict[str, str]]) -> str | None:
    """The oldest build of the unbroken failures at the newest end."""
    since = None
    for cell in states:
        if cell["state"] == "failed":
            since = cell["build"]
        elif cell["state"] != "skipped":
            break
    return since


# ---- reading a build -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BuildReports:
    """The JUnit files of one build: its folder, the files, and in sentences what was left out. `others`: how many XML
    files are not JUnit files. `listing_note`: what the listing says about itself, e.g. where it comes from."""

    folder: str
    files: list[JUnitFile]
    notes: tuple[str, ...] = ()
    others: int = 0
    listing_note: str = ""


def read_reports(bucket: BucketReader, place: BuildPlace, cancel: CancelToken, rank: int = 0) -> BuildReports:
    """All JUnit files of the build, or of the folder. One that cannot be read has no tests and says why.

    Raises the `HttpError` of a build that cannot be listed at all.
    """
    tree = list_tree(bucket, place, cancel)
    folder = tree.folder
    if tree.error is not None and not tree.files:
        raise tree.error
    # In a folder that is not a build's, files may be called as they like: what they hold tells them apart.
    is_plain = not route(folder).base
    named = [info for info in tree.files if (info.name.lower().endswith(_XML) if is_plain else is_junit(info.name))]
    blank = JUnitFile(place.build, "", JUnitContent(), rank, _read_started(bucket, place.build, tree, cancel))
    files = [_read_file(bucket, folder, info, blank, cancel) for info in named[:MAX_BUILD_FILES]]
    notes = []
    if len(named) > MAX_BUILD_FILES:
        notes.append(f"Only {MAX_BUILD_FILES:,} of {len(named):,} JUnit files were read.")
    count = len(files)
    if is_plain:
        files = [file for file in files if file.content.missing[:1] != (NO_SUITE,)]
    others = count - len(files)
    if tree.error is not None:
        files.append(replace(blank, content=_unread_content(tree.error)))
    return BuildReports(folder, files, tuple(notes), others, tree.note)


def _read_started(bucket: BucketReader, build: str, tree: FileTree, cancel: CancelToken) -> int | None:
    """When the build began: its id says so, or (where ids are counters) its started.json."""
    if (created := created_ms(build)) is not None:
        return created
    info = next((info for info in tree.files if build and info.name == f"{tree.folder}started.json"), None)
    if info is None:
        return None
    with ErrorHandler(lambda error: None):
        return seconds_ms(parse_object(bucket.read(info, cancel)).get("timestamp"))
    return None


def _read_file(bucket: BucketReader, folder: str, info: BlobInfo, blank: JUnitFile, cancel: CancelToken) -> JUnitFile:
    """The file as `blank` has its build."""
    path, errors = info.name.removeprefix(folder), list[AppError]()
    with ErrorHandler(errors.append):
        if info.generation and (info.content_size or _MAX_CACHED_BYTES + 1) <= _MAX_CACHED_BYTES:
            content = read_junit([bucket.read(info, cancel)])  # cached by its generation, for the next matrix
        else:
            with bucket.open(info, cancel) as body:
                content = read_junit(body)
        return replace(blank, path=path, content=content)
    return replace(blank, path=path, content=_unread_content(errors[0]))


def _unread_content(error: AppError) -> JUnitContent:
    return JUnitContent((), (f"It cannot be read: {error.sentence}",), True)


# ---- lists ---------------------------------------------------------------------------------------------------------


class _JUnitView(BuildView):
    """Base of the lists. The view's path is a job's folder, a build's, another one, or one file."""

    default_sort: ClassVar[tuple[tuple[str, bool], ...]] = (("order", False),)
    empty_text = "No JUnit files are in these builds."
    not_in_detail = ("order",)

    def __init__(self, locator: ProwView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._folders: dict[str, str] = {}  # of builds, which links may have led to
        self._errors: dict[int, HttpError] = {}  # by the build's rank
        self._notes: dict[int, tuple[str, ...]] = {}
        self._listing_notes: set[str] = set()
        self._incomplete: dict[tuple[int, str], str] = {}  # what is missing of a file, by rank and path
        self._without: dict[tuple[int, str], str] = {}  # files that should have tests and have no suite
        self._files = self._others = 0

    @property
    def is_of_file(self) -> bool:
        return bool(self.locator.path) and not self.locator.path.endswith("/")

    def find_places(self, cancel: CancelToken) -> list[BuildPlace]:
        if not self.is_of_file:
            return super().find_places(cancel)
        path = route(self.locator.path)
        return [BuildPlace(self.locator.path, path.job, path.build, path.base)]

    def read_files(self, places: list[BuildPlace], cancel: CancelToken) -> Iterator[list[list[JUnitFile]]]:
        """The JUnit files of builds, in batches as they become known. Raises the error if no build can be listed."""
        self._reset()
        ranks = {place.key: rank for rank, place in enumerate(places)}

        def read(place: BuildPlace, own: CancelToken) -> list[JUnitFile]:
            return self._read_build(place, ranks[place.key], own)

        yield from self.read_each(places, read, cancel)
        if places and len(self._errors) == len(places):
            raise self._errors[0]

    def _read_build(self, place: BuildPlace, rank: int, cancel: CancelToken) -> list[JUnitFile]:
        bucket = self.bucket
        if self.is_of_file:
            blank = JUnitFile(place.build, "", JUnitContent(), 0, created_ms(place.build))
            info = bucket.stat(place.key, cancel)
            found = BuildReports(place.folder, [_read_file(bucket, place.folder, info, blank, cancel)])
        else:
            try:
                found = read_reports(bucket, place, cancel, rank)
            except HttpError as error:
                self._errors[rank] = error
                return []
        with self._lock:
            self._folders[place.build] = found.folder
            self._notes[rank] = found.notes
            self._listing_notes |= {found.listing_note} - {""}
            self._others += found.others
            self._files += len(found.files)
            for file in found.files:
                if file.content.partial:
                    self._incomplete[file.rank, file.path] = " ".join(file.content.missing)
                if file.has_no_tests:
                    self._without[file.rank, file.path] = file.content.missing[0]
        return found.files

    def note(self) -> str:
        """What is missing from the list, each kind once with its number; "" if nothing is."""
        notes = []
        if self._errors:
            first = self._errors[min(self._errors)]
            words = "1 build" if len(self._errors) == 1 else f"{len(self._errors):,} builds"
            notes.append(f"{words} cannot be listed: {first.sentence}")
        for files, one, many in (
            (self._incomplete, "1 file is incomplete", "files are incomplete"),
            (self._without, "1 file has no tests", "files have no tests"),
        ):
            if files:
                (_, path), missing = min(files.items())
                words = one if len(files) == 1 else f"{len(files):,} {many}"
                notes.append(f"{words} (of {self._files:,}), e.g. {sanitize(path, 200)}: {missing}")
        left_out = [note for rank in sorted(self._notes) for note in self._notes[rank]]
        for note in dict.fromkeys(left_out):
            times = left_out.count(note)
            notes.append(note if times == 1 else f"{note} (in {times:,} builds)")
        if self._others:
            words = "1 XML file" if self._others == 1 else f"{self._others:,} XML files"
            notes.append(f"Left out: {words} without a test suite.")
        return " ".join(notes)

    def last_pages(self, matrix: pl.DataFrame | None = None) -> Iterator[Page]:
        """What is known when all has been read, after the complete table if there is one."""
        partial = bool(self._errors or self._incomplete or any(self._notes.values()))
        frame = self.schema.empty() if matrix is None else matrix
        yield Page(frame, Freshness(), replace=matrix is not None, note=self.note(), partial=partial)
        for note in sorted(self._listing_notes):
            yield Page(self.schema.empty(), Freshness(), note=note)

    def path_of(self, row: Row) -> str:
        """The file's name in the bucket, or the build's folder."""
        return f"{self._folders.get(str(row['build'] or ''), self.locator.path)}{row.get('file') or ''}"

    def open(self, row: Row) -> ProwPath | ProwView | None:
        return self.bucket.locator(self.path_of(row))

    def log(self, row: Row) -> LogAddress | None:
        title = f"{row.get('file')} of {row['build']}" if row["build"] else str(row.get("file"))
        return self.bucket.log(self.path_of(row), title) if row.get("file") else None


class TestCases(_JUnitView):
    """Columns are those of `JUNIT_TESTS`; with the option test=NAME, the results of that test in every build."""

    locator: JUnitView
    schema: Schema = JUNIT_TESTS  # type: ignore[misc]
    noun = ("test", "tests")
    detail_title = "Test"
    long_texts = ("message", "text", "output")

    def __init__(self, locator: JUnitView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        if locator.test:
            self.schema, self.noun = JUNIT_RESULTS, ("result", "results")  # type: ignore[misc]
        elif locator.is_of_many_builds:
            self.schema = JUNIT_TESTS_OF_BUILDS

    @property
    def title(self) -> str:
        if self.locator.test:
            return f"{self.locator.test} in {self.builds_title}"
        return f"tests of {describe_file(self.locator.path) or self.builds_title}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page whenever builds have been read; the last one says which files could not be read completely."""
        chosen = {name: getattr(self.locator, name) for name in ("test", "suite", "classname")}
        for batch in self.read_files(self.find_places(cancel), cancel):
            frame = junit_rows(file for files in batch for file in files)
            for name, text in chosen.items():
                frame = frame.filter(pl.col(name) == text) if text else frame
            yield Page(frame.select(self.schema.polars().keys()), Freshness())
        yield from self.last_pages()

    def shows(self, row: Row) -> None:
        return None  # the panel beside the table has the message and the text

    def log(self, row: Row) -> LogAddress | None:
        """Of a failed test the log of its build, which opens at its first failure; else the file with the result."""
        folder = self._folders.get(str(row["build"] or "")) if row["state"] == "failed" else None
        if not folder:
            return super().log(row)
        return self.bucket.log(f"{folder}{BUILD_LOG}", f"log of {row['build']}", failed=True)

    def row_title(self, row: Row) -> str:
        return str(row["test"])

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        files = self.locator.change_view(JUnitView, by="files")
        folder = self._folders.get(str(row["build"]), "") if row is not None and row["state"] == "failed" else ""
        since = since_entries(self.bucket.locator(folder), str(row["test"])) if row is not None and folder else []
        return [*since, Link("The JUnit files, and what is missing of them", files, letter="f", group=LIST)]

    def summary(self, frame: pl.DataFrame) -> str:
        return _count_states(frame["state"])


class ReportFiles(_JUnitView):
    """Columns are those of `JUNIT_FILES`: which files there are and what could not be read of them."""

    schema = JUNIT_FILES
    noun = ("file", "files")
    title_pattern = "JUnit files of {}"
    detail_title = "File"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        for batch in self.read_files(self.find_places(cancel), cancel):
            yield Page(junit_file_rows(file for files in batch for file in files), Freshness())
        yield from self.last_pages()

    def open(self, row: Row) -> JUnitView:
        return JUnitView(self.locator.bucket, self.path_of(row), store=self.locator.store)


class TestMatrix(_JUnitView):
    """Columns are those of `JUNIT_MATRIX`. Enter shows a test's results in all of the builds, `l` the log of the newest
    one in which it failed."""

    locator: JUnitMatrixView
    schema: Schema = JUNIT_MATRIX  # type: ignore[misc]
    noun = ("test", "tests")
    default_sort = ()
    detail_title = "Test"
    title_pattern = "tests by build: {}"
    long_texts = ("message",)

    def __init__(self, locator: JUnitMatrixView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self._builds: list[str] = []  # the newest first, one for each letter of a history

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The matrix of the builds read so far, again and again until all are."""
        places = self.find_places(cancel)
        frames, done, drawn, matrix = [JUNIT_TESTS.empty()], 0, 0, JUNIT_MATRIX.empty()
        builds = self._builds = [place.build for place in places]
        no_texts = (pl.lit(None, pl.String).alias("text"), pl.lit(None, pl.String).alias("output"))
        for batch in self.read_files(places, cancel):
            frames.append(junit_rows(file for files in batch for file in files).with_columns(no_texts))
            done += len(batch)
            if done < max(drawn * 1.3, 1) and done < len(places):
                continue
            drawn = done
            matrix = junit_matrix(pl.concat(frames), builds)
            matrix = flakiest_first(matrix) if self.locator.first else matrix
            yield Page(matrix, Freshness(), replace=True)
        yield from self.last_pages(matrix)

    @property
    def result_ages(self) -> Sequence[float]:
        made = [created_ms(build) for build in self._builds]
        known = [one for one in made if one is not None]
        return [(known[0] - one) / 1000 for one in known] if len(known) == len(made) else ()

    def open(self, row: Row) -> JUnitView:
        test = {name: str(row[name]) for name in ("test", "suite", "classname") if row[name]}
        return self.locator.change_view(JUnitView, **test)

    def log(self, row: Row) -> LogAddress | None:
        """Of the newest build in which the test failed, if only at first."""
        place = next((at for at, letter in enumerate(str(row.get("history") or "")) if letter in "F~"), None)
        if place is None or place >= len(self._builds):
            return None
        build = self._builds[place]
        folder = self._folders.get(build)
        return self.bucket.log(f"{folder}{BUILD_LOG}", f"log of {build}", failed=True) if folder else None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        label, first = ("Failing tests first", "") if self.locator.first else ("Flakiest tests first", "flaky")
        folder = self._folders.get(str(row["last_failure"]), "") if row is not None else ""
        since = since_entries(self.bucket.locator(folder), str(row["test"])) if row is not None and folder else []
        return [*since, Link(label, replace(self.locator, first=first), letter="F", group=LIST)]

    def summary(self, frame: pl.DataFrame) -> str:
        counts = _count_states(frame["state"])
        return f"{counts} · F failed, ~ flaky, ▪ passed, – skipped" if self.result_ages else counts


def _count_states(states: pl.Series) -> str:
    counts = dict(states.drop_nulls().value_counts().iter_rows())
    return " · ".join(f"{counts[state]:,} {state}" for state in STATES if state in counts)
