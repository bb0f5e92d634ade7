"""Do failures stand first, and are retries, flakes and steps told apart?"""

from __future__ import annotations

from backends.demo.prow import builds, junit
from backends.prow.junit import (
    JUNIT_FILES,
    JUNIT_TESTS,
    UNNAMED,
    JUnitFile,
    junit_file_rows,
    junit_rows,
    state_of_results,
)
from backends.prow.junit_reader import JUnitCase, JUnitContent, read_junit


def file(path: str, *cases: tuple[str, str], build: str = "1") -> JUnitFile:
    made = tuple(
        JUnitCase("s", "", name, state, float(place), f"{state}{place}", f"text {place}", "")
        for place, (name, state) in enumerate(cases)
    )
    return JUnitFile(build, path, JUnitContent(made))


def test_failures_come_first_then_flakes_passes_and_skips_in_the_files_order() -> None:
    found = junit_rows(
        [file("a/junit.xml", ("s1", "S"), ("p1", "P"), ("f1", "F"), ("k", "F"), ("k", "P"), ("f2", "F"), ("p2", "P"))]
    )
    assert found["test"].to_list() == ["f1", "f2", "k", "p1", "p2", "s1"]
    assert found["state"].to_list() == ["failed", "failed", "flaky", "passed", "passed", "skipped"]
    assert dict(found.schema) == JUNIT_TESTS.polars()


def test_a_flake_shows_the_failure_and_the_passes_duration() -> None:
    row = junit_rows([file("junit.xml", ("k", "F"), ("k", "P"), ("k", "P"))]).row(0, named=True)
    assert (row["state"], row["runs"], row["duration"], row["message"]) == ("flaky", 3, 2.0, "F0")


def test_a_failed_test_shows_its_last_failure_and_a_skipped_one_no_duration() -> None:
    rows = junit_rows([file("junit.xml", ("f", "F"), ("f", "F"), ("s", "S"))]).rows(named=True)
    assert (rows[0]["duration"], rows[0]["message"], rows[0]["text"]) == (1.0, "F1", "text 1")
    assert (rows[1]["duration"], rows[1]["message"]) == (None, "S2")


def test_retries_in_a_file_beside_it_count_and_those_of_another_step_do_not() -> None:
    beside = junit_rows([file("a/junit_1.xml", ("t", "F")), file("a/junit_2.xml", ("t", "P"))])
    assert beside["state"].to_list() == ["flaky"]
    assert beside["file"].to_list() == ["a/junit_1.xml"]
    apart = junit_rows([file("before/junit.xml", ("t", "F")), file("after/junit.xml", ("t", "P"))])
    assert apart["state"].to_list() == ["failed", "passed"]
    assert apart["key"].n_unique() == 2


def test_the_same_test_of_two_builds_is_two_rows() -> None:
    found = junit_rows([file("junit.xml", ("t", "F"), build="1"), file("junit.xml", ("t", "P"), build="2")])
    assert found["build"].to_list() == ["1", "2"]


def test_a_skip_beside_other_results_does_not_hide_them() -> None:
    assert [state_of_results(letters) for letters in ("S", "SP", "SF", "SPF", "FP")] == [
        "skipped", "passed", "failed", "flaky", "flaky",
    ]  # fmt: skip


def test_a_test_without_a_name_is_a_row() -> None:
    assert junit_rows([file("junit.xml", ("", "F"))])["test"].to_list() == [UNNAMED]


def test_files_say_what_is_missing_from_them() -> None:
    cut = JUnitFile("1", "b.xml", read_junit(b'<testsuite><testcase name="a" time="2"/>'))
    found = junit_file_rows([file("a.xml", ("t", "F"), ("u", "S")), cut, file("c.xml", ("t", "P"))])
    assert dict(found.schema) == JUNIT_FILES.polars()
    assert found["state"].to_list() == ["failed", "incomplete", "passed"]
    assert found.row(1, named=True)["missing"] == "It ends in the middle; 1 test was read before that."
    assert found["tests"].to_list() == [2, 1, 1]
    assert found["duration"].to_list() == [1.0, 2.0, 0.0]


def test_nothing_read_is_an_empty_frame() -> None:
    assert junit_rows([]).schema == JUNIT_TESTS.empty().schema
    assert junit_file_rows([]).schema == JUNIT_FILES.empty().schema


def test_the_demos_damaged_files_are_all_rows_or_words() -> None:
    for build in builds.openshift_builds(20261121)[58:68]:
        reading = read_junit(junit.suite_file(20261121, build, 0, 1))
        rows = junit_rows([JUnitFile(build.id, "junit.xml", reading)])
        assert len(rows) > 10
        assert bool(reading.missing) == (build.index in (junit.TRUNCATED, junit.CONTROL_CHARACTERS, junit.BAD_TIMES))
        assert reading.partial == (build.index == junit.TRUNCATED)


def test_a_case_that_lists_its_failed_runs_is_flaky_or_failed_with_reruns() -> None:
    flaked = JUnitCase("s", "c", "flaked", "P", 0.5, "second try", "trace", "", 2)
    failed = JUnitCase("s", "c", "failed", "F", 1.5, "the end", "", "", 1)
    found = junit_rows([JUnitFile("1", "TEST-a.xml", JUnitContent((flaked, failed)))])
    told = found.select("test", "state", "runs", "message", "duration").rows()
    assert told == [("failed", "failed", 2, "the end", 1.5), ("flaked", "flaky", 3, "second try", 0.5)]
    (row,) = junit_file_rows([JUnitFile("1", "TEST-a.xml", JUnitContent((flaked, failed)))]).rows(named=True)
    assert (row["state"], row["tests"], row["failures"], row["flaky"]) == ("failed", 2, 1, 1)
