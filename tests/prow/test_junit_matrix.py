"""Does the matrix of tests over builds count as one would by hand?"""

from __future__ import annotations

from statistics import median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.demo.prow import builds, junit
from backends.prow.junit import (
    JUNIT_MATRIX,
    JUNIT_TESTS,
    LETTERS,
    NOT_REPORTED,
    STATES,
    JUnitFile,
    count_changes,
    flakiest_first,
    junit_matrix,
    junit_rows,
)
from backends.prow.junit_reader import read_junit
from tests.frame_rows import frame_from_rows

Row = tuple[str, str, str, float | None]  # test, build, state, duration


def frame(rows: list[Row]) -> pl.DataFrame:
    return frame_from_rows(
        JUNIT_TESTS,
        (
            (f"{place}", state, test, duration, 1, f"{state} in {build}", "s", "", "junit.xml", build, None, "", "", "")
            for place, (test, build, state, duration) in enumerate(rows)
        ),
    )


def naive(rows: list[Row], order: list[str]) -> dict[str, dict[str, object]]:
    """The same numbers with dictionaries alone."""
    cells: dict[str, dict[str, tuple[str, float | None]]] = {}
    for test, build, state, duration in rows:
        if build in order:
            held = cells.setdefault(test, {}).get(build)
            if held is None or STATES_BY_WEIGHT.index(state) < STATES_BY_WEIGHT.index(held[0]):
                cells[test][build] = (state, duration)
    found = {}
    for test, of in cells.items():
        states = [of[build][0] for build in order if build in of]
        failed = [build for build in order if build in of and of[build][0] == "failed"]
        runs = sum(state != "skipped" for state in states)
        passes, flakes = states.count("passed"), states.count("flaky")
        since = None
        for build in order:
            if build in of and of[build][0] == "failed":
                since = build
            elif build in of and of[build][0] != "skipped":
                break
        times = [of[build][1] for build in order if build in of and of[build][0] == "passed"]
        known = [time for time in times if time is not None]
        half = len(known) // 2
        trend = None
        if half >= 3 and median(known[-half:]) > 0:
            trend = (median(known[:half]) / median(known[-half:]) - 1) * 100
        found[test] = {
            "state": states[0],
            "history": "".join(LETTERS[of[build][0]] if build in of else NOT_REPORTED for build in order),
            "runs": runs,
            "failures": len(failed),
            "flakes": flakes,
            "skips": states.count("skipped"),
            "pass_rate": 100 * passes / runs if runs else None,
            "working_rate": 100 * (passes + flakes) / runs if runs else None,
            "first_failure": failed[-1] if failed else None,
            "last_failure": failed[0] if failed else None,
            "failing_since": since,
            "median_duration": median(known) if known else None,
            "trend": trend,
        }
    return found


STATES_BY_WEIGHT = list(STATES)
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([f"b{number}" for number in range(10)]),
        st.sampled_from(STATES),
        st.none() | st.integers(0, 100).map(float),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(ROWS, st.permutations([f"b{number}" for number in range(9)]))
def test_every_number_is_that_of_a_count_by_hand(rows: list[Row], order: list[str]) -> None:
    found = junit_matrix(frame(rows), order)
    assert dict(found.schema) == JUNIT_MATRIX.polars()
    expected = naive(rows, order)
    assert set(found["test"]) == set(expected)
    for row in found.rows(named=True):
        for name, value in expected[row["test"]].items():
            told = row[name]
            if isinstance(value, float) and told is not None:
                assert abs(told - value) < 1e-9, (row["test"], name)
            else:
                assert told == value, (row["test"], name)


def test_what_fails_now_stands_first_then_what_flakes_by_pass_rate() -> None:
    rows: list[Row] = [
        ("good", "2", "passed", 1.0), ("good", "1", "passed", 1.0),
        ("flaky", "2", "flaky", 1.0), ("flaky", "1", "passed", 1.0),
        ("new failure", "2", "failed", 1.0), ("new failure", "1", "passed", 1.0),
        ("old failure", "2", "failed", 1.0), ("old failure", "1", "failed", 1.0),
        ("mended", "2", "passed", 1.0), ("mended", "1", "failed", 1.0),
        ("never", "2", "skipped", None),
    ]  # fmt: skip
    found = junit_matrix(frame(rows), ["2", "1"])
    assert found["test"].to_list() == ["old failure", "new failure", "flaky", "mended", "good", "never"]
    assert found["failing_since"].to_list() == ["1", "2", None, None, None, None]
    assert found["history"].to_list() == ["FF", "FP", "~P", "PF", "PP", "S·"]
    assert found["message"].to_list()[:4] == ["failed in 2", "failed in 2", "flaky in 2", "failed in 1"]


def test_a_step_that_failed_is_not_hidden_by_another_that_passed() -> None:
    found = junit_matrix(frame([("t", "1", "passed", 1.0), ("t", "1", "failed", 2.0)]), ["1"])
    assert found["history"].to_list() == ["F"]


def test_no_rows_and_no_builds_are_an_empty_matrix() -> None:
    assert junit_matrix(JUNIT_TESTS.empty(), ["1"]).schema == JUNIT_MATRIX.empty().schema
    assert len(junit_matrix(frame([("t", "1", "passed", 1.0)]), [])) == 0
    assert len(junit_matrix(frame([("t", "1", "passed", 1.0)]), ["2"])) == 0


def test_the_demos_habits_come_out_of_its_files() -> None:
    seed = 20261121
    chosen = [build for build in builds.openshift_builds(seed) if "TEST/" in build.artifacts and build.result]
    rows = junit_rows(
        JUnitFile(build.id, "junit.xml", read_junit(junit.suite_file(seed, build, 0, 1))) for build in chosen
    )
    found = junit_matrix(rows, [build.id for build in reversed(chosen)])
    assert {len(history) for history in found["history"]} == {len(chosen)}
    by_test = {row["test"]: row for row in found.rows(named=True)}
    tests = junit.OPENSHIFT_TESTS
    assert by_test[tests[3]]["flakes"] > 5
    assert by_test[tests[7]]["trend"] > 10
    assert by_test[tests[8]]["runs"] == 0
    assert by_test[tests[0]]["pass_rate"] == 100
    assert abs(by_test[tests[0]]["trend"]) < 10


@pytest.mark.parametrize(
    ("history", "changes"),
    [
        ("", 0),
        ("PPP", 0),
        ("FFF", 0),
        ("PF", 1),
        ("P·S·F", 1),
        ("PFPF", 3),
        ("~", 1),
        ("P~P", 2),
        ("F~F", 2),
        ("SS", 0),
    ],
)
def test_a_result_changes_where_the_next_report_differs(history: str, changes: int) -> None:
    assert count_changes(history) == changes


@given(st.lists(st.text("PF~S·", max_size=8), max_size=8))
def test_the_flakiest_test_is_the_one_whose_result_changed_most_often(histories: list[str]) -> None:
    matrix = pl.DataFrame({"history": histories}, schema={"history": pl.String}).with_row_index()
    found = [count_changes(history) for history in flakiest_first(matrix)["history"]]
    assert found == sorted(found, reverse=True)
    assert sorted(flakiest_first(matrix)["index"]) == list(range(len(histories)))
