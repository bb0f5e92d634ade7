"""Which tests of a build passed, failed, flaked or were skipped, as a frame, failures first.

Several results of one test are retries when they are in the same folder: suite, class and name alike, as Spyglass'
junit lens has it for one file, and also across the files into which Kubernetes' parallel processes write. Results in
different folders are those of different steps (before and after an upgrade, say) and stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.prow.junit_reading import Case, Reading

_STATE = Column("state", Kind.STATE, "State", width=9)
_BUILD = Column("build", Kind.ID, "Build")
_STARTED = Column("started", Kind.TIME, "Started")
_RUN = (
    Column("duration", Kind.DURATION, "Duration", "s"),
    Column("runs", Kind.COUNT, "Runs"),
    Column("message", Kind.TEXT, "Message", width=60),
    Column("suite", Kind.TEXT, "Suite"),
    Column("classname", Kind.TEXT, "Class", hidden=True),
    Column("file", Kind.TEXT, "File", width=36, keeps_end=True),
)
_REST = (
    Column("text", Kind.TEXT, "Text", hidden=True),
    Column("output", Kind.TEXT, "Output", hidden=True, searched=False),
    Column("order", Kind.ID, "Order", hidden=True, searched=False),
)


def _test(width: int) -> Column:
    return Column("test", Kind.TEXT, "Test", width=width, keeps_end=True)


JUNIT_TESTS = Schema((_STATE, _test(60), *_RUN, _BUILD, _STARTED, *_REST), key="key")
# The same columns where rows are of several builds: which build and when stand beside the test, or (of one test)
# before all that does not change.
JUNIT_TESTS_OF_BUILDS = Schema((_STATE, _BUILD, _STARTED, _test(40), *_RUN, *_REST), key="key")
JUNIT_RESULTS = Schema((_STATE, _BUILD, _STARTED, *_RUN, _test(40), *_REST), key="key")
JUNIT_FILES = Schema(
    (
        Column("state", Kind.STATE, "State", width=11),
        Column("file", Kind.TEXT, "File", width=60, keeps_end=True),
        Column("tests", Kind.COUNT, "Tests"),
        Column("failures", Kind.COUNT, "Failures"),
        Column("flaky", Kind.COUNT, "Flaky"),
        Column("skipped", Kind.COUNT, "Skipped"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("missing", Kind.TEXT, "Missing", width=60),
        _BUILD,
        _STARTED,
        Column("order", Kind.ID, "Order", hidden=True, searched=False),
    ),
    key="key",
)
UNNAMED = "(no name)"
STATES = ("failed", "flaky", "passed", "skipped")  # in the order of the rows
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class JUnitFile:
    """One file of one build: its path below the build's folder, and what was read of it.

    `rank`: the build's place among those that are looked at, 0 is the newest. `started`: epoch ms, None if unknown.
    """

    build: str
    path: str
    reading: Reading
    rank: int = 0
    started: int | None = None

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


_Key = tuple[str, str, str, str, str]


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
    grouped: dict[_Key, list[tuple[Case, JUnitFile]]] = {}
    for file in files:
        for case in file.reading.cases:
            key = (file.build, file.folder, case.suite, case.classname, case.name or UNNAMED)
            grouped.setdefault(key, []).append((case, file))
    counts: dict[str, int] = {}
    rows = []
    for key, runs in grouped.items():
        counts[key[0]] = counts.get(key[0], 0) + 1
        rows.append(_row(key, runs, counts[key[0]]))
    return JUNIT_TESTS.frame(rows).sort("order", maintain_order=True)


def _row(key: _Key, runs: Sequence[tuple[Case, JUnitFile]], number: int) -> tuple[object, ...]:
    build, _, suite, classname, name = key
    last: dict[str, tuple[Case, JUnitFile]] = {}
    for case, file in runs:
        last[case.state] = (case, file)
        if case.state == "P" and case.reruns:
            last["F"] = (case, file)
    state = state_of(last)
    shown, file = last.get("F") or last.get("P") or last["S"]
    judged = last["P"][0] if state in ("flaky", "passed") else shown
    return (
        _SEPARATOR.join(key), state, name, None if state == "skipped" else judged.seconds,
        sum(1 + case.reruns * (case.state != "S") for case, _ in runs), shown.message, suite, classname, file.path,
        build, file.started, shown.text, shown.output, f"{file.rank:05d}{STATES.index(state)}{number:07d}",
    )  # fmt: skip


def state_of(letters: Iterable[str]) -> str:
    """The state of a test by the letters (P, F, S) of its results."""
    found = set(letters)
    if "F" in found:
        return "flaky" if "P" in found else "failed"
    return "passed" if "P" in found else "skipped"


def junit_files(files: Iterable[JUnitFile]) -> pl.DataFrame:
    """One row a file (schema JUNIT_FILES), the newest build's first: "incomplete" where tests may be missing, else
    failed or passed.

    `missing` says in sentences what is not as the file has it; `duration` is the sum of the cases' seconds; `flaky`
    counts cases that list failed runs before their pass.
    """
    rows = []
    for file in files:
        cases = file.reading.cases
        failures = sum(case.state == "F" for case in cases)
        state = "incomplete" if file.reading.partial else "failed" if failures else "passed"
        rows.append((
            f"{file.build}{_SEPARATOR}{file.path}", state, file.path, len(cases), failures,
            sum(case.state == "P" and case.reruns > 0 for case in cases), sum(case.state == "S" for case in cases),
            sum(case.seconds or 0.0 for case in cases), " ".join(file.reading.missing), file.build, file.started,
            f"{file.rank:05d}{file.path}",
        ))  # fmt: skip
    return JUNIT_FILES.frame(rows).sort("order", maintain_order=True)
