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

JUNIT_TESTS = Schema(
    (
        Column("state", Kind.STATE, "State", width=9),
        Column("test", Kind.TEXT, "Test", width=60, keeps_end=True),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("message", Kind.TEXT, "Message", width=60),
        Column("suite", Kind.TEXT, "Suite"),
        Column("classname", Kind.TEXT, "Class", hidden=True),
        Column("file", Kind.TEXT, "File", width=36, keeps_end=True),
        Column("build", Kind.ID, "Build"),
        Column("text", Kind.TEXT, "Text", hidden=True),
        Column("output", Kind.TEXT, "Output", hidden=True, searched=False),
    ),
    key="key",
)
JUNIT_FILES = Schema(
    (
        Column("state", Kind.STATE, "State", width=11),
        Column("file", Kind.TEXT, "File", width=60, keeps_end=True),
        Column("tests", Kind.COUNT, "Tests"),
        Column("failures", Kind.COUNT, "Failures"),
        Column("skipped", Kind.COUNT, "Skipped"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("missing", Kind.TEXT, "Missing", width=60),
        Column("build", Kind.ID, "Build"),
    ),
    key="key",
)
UNNAMED = "(no name)"
STATES = ("failed", "flaky", "passed", "skipped")  # in the order of the rows
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class JUnitFile:
    """One file of one build: its path below the build's folder, and what was read of it."""

    build: str
    path: str
    reading: Reading

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


def junit_rows(files: Iterable[JUnitFile]) -> pl.DataFrame:
    """One row a test of a build (schema JUNIT_TESTS), failed ones first, then flaky, passed, skipped ones.

    Within a state the order is that of the files. Columns, units: `duration` in seconds of the run that the state is
    judged by (the last failure, else the last pass; null if unknown), `runs` how often it ran or was skipped,
    `message`, `text` and `output` of the last failure, or of the skip. A test is

    - flaky if it both failed and passed (TestGrid's FLAKY, Sippy's flakes),
    - failed if it failed and never passed,
    - passed if it passed and never failed, though it was also skipped (the lens calls that skipped),
    - skipped if nothing else.
    """
    grouped: dict[tuple[str, str, str, str, str], list[tuple[Case, str]]] = {}
    for file in files:
        for case in file.reading.cases:
            key = (file.build, file.folder, case.suite, case.classname, case.name or UNNAMED)
            grouped.setdefault(key, []).append((case, file.path))
    rows = [_row(key, runs) for key, runs in grouped.items()]
    order = {state: place for place, state in enumerate(STATES)}
    rows.sort(key=lambda row: order[str(row[1])])
    return JUNIT_TESTS.frame(rows)


def _row(key: tuple[str, str, str, str, str], runs: Sequence[tuple[Case, str]]) -> tuple[object, ...]:
    build, _, suite, classname, name = key
    last = {case.state: (case, path) for case, path in runs}
    state = state_of(last)
    shown, path = last.get("F") or last.get("P") or last["S"]
    judged = last["P"][0] if state in ("flaky", "passed") else shown
    return (
        _SEPARATOR.join(key), state, name, None if state == "skipped" else judged.seconds, len(runs),
        shown.message, suite, classname, path, build, shown.text, shown.output,
    )  # fmt: skip


def state_of(letters: Iterable[str]) -> str:
    """The state of a test by the letters (P, F, S) of its results."""
    found = set(letters)
    if "F" in found:
        return "flaky" if "P" in found else "failed"
    return "passed" if "P" in found else "skipped"


def junit_files(files: Iterable[JUnitFile]) -> pl.DataFrame:
    """One row a file (schema JUNIT_FILES): "incomplete" where tests may be missing, else failed or passed.

    `missing` says in sentences what is not as the file has it; `duration` is the sum of the cases' seconds.
    """
    rows = []
    for file in files:
        cases = file.reading.cases
        failures = sum(case.state == "F" for case in cases)
        state = "incomplete" if file.reading.partial else "failed" if failures else "passed"
        rows.append((
            f"{file.build}{_SEPARATOR}{file.path}", state, file.path, len(cases), failures,
            sum(case.state == "S" for case in cases), sum(case.seconds or 0.0 for case in cases),
            " ".join(file.reading.missing), file.build,
        ))  # fmt: skip
    return JUNIT_FILES.frame(rows)
