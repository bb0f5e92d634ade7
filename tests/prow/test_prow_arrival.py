"""What a user would lose: the same question asked twice has to give the same bytes, whichever build answers first."""

from __future__ import annotations

from random import Random

import pytest

from backends.cancel import CancelToken
from backends.http import Http
from backends.prow.junit import TestCases as JUnitList
from backends.prow.locators import (
    CompletenessView,
    EventsView,
    FailureReasonsView,
    JUnitMatrixView,
    JUnitView,
    LogSearchView,
    LogStatisticsView,
    MissingFilesView,
    ProwView,
    TrendsView,
)
from backends.resources import read_list
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, arriving, build, opened, printed, rows, snowflake

DAY = 86400
JUNIT = (
    '<testsuite name="s"><testcase classname="c" name="passes" time="1"/>'
    '<testcase classname="c" name="fails" time="{0}"><failure message="in {1}"/></testcase></testsuite>'
)
VIEWS = [
    (JUnitView, {}), (JUnitView, {"by": "files"}), (JUnitView, {"test": "fails"}), (JUnitMatrixView, {}),
    (LogSearchView, {"pattern": "line|state"}), (EventsView, {}), (TrendsView, {}), (FailureReasonsView, {}),
    (LogStatisticsView, {}), (CompletenessView, {}), (MissingFilesView, {}),
]  # fmt: skip


def eight_builds(bucket: Bucket) -> list[str]:
    """The newest first; of some neither log nor folder can be read."""
    made = [snowflake((number + 1) * DAY) for number in range(8)]
    for number, one in enumerate(made):
        log = f"line of {one}\nReporting job state 'failed' with reason 'step_{'abc'[number % 3]}'\n"
        folder = build(bucket, one, result="FAILURE" if number % 2 else "SUCCESS", log=log, description="Job failed.")
        bucket.put(f"{folder}artifacts/junit_1.xml", JUNIT.format(number, one)[: -9 if number in (2, 5) else None])
        event = {"reason": f"R{number % 3}", "lastTimestamp": "2026-11-20T10:05:00Z", "message": one}
        bucket.put(f"{folder}artifacts/build-resources/events.json", {"items": [event, event]})
    return made


@pytest.mark.parametrize(("kind", "options"), VIEWS)
def test_an_answer_does_not_depend_on_which_build_answers_first(
    bucket: Bucket, http: Http, kind: type[ProwView], options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = tuple(eight_builds(bucket))
    text = kind(NAME, JOB, builds, **options).text()
    first = printed(opened(bucket, http, text))
    assert first[0].count("\n") > 1
    for seed in range(3):
        for module in ("build_listing", "logs"):
            monkeypatch.setattr(f"backends.prow.{module}.PriorityPool", arriving(Random(seed)))
        assert printed(opened(bucket, http, text)) == first


def test_tests_of_several_builds_are_the_newest_build_s_first_and_its_failures_before_the_rest(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = eight_builds(bucket)
    monkeypatch.setattr("backends.prow.build_listing.PriorityPool", arriving(Random(7)))
    # Marked in any order in the app.
    marked = tuple(sorted(builds, key=lambda one: one[::-1]))
    resource = opened(bucket, http, JUnitView(NAME, JOB, marked).text())
    found = read_list(resource, CancelToken()).frame.sort("order")
    wanted = [(one, state) for one in builds for state in ("failed", "passed")]
    assert found.select("build", "state").rows() == wanted
    assert list(found.columns)[1:4] == ["state", "build", "started"]


def test_a_test_across_builds_says_which_build_and_when(bucket: Bucket, http: Http) -> None:
    builds = eight_builds(bucket)
    matrix = opened(bucket, http, JUnitMatrixView(NAME, JOB, tuple(builds)).text())
    (row,) = [one for one in rows(matrix) if one["test"] == "fails"]
    resource = opened(bucket, http, matrix.open(row).text())  # type: ignore[union-attr]
    assert isinstance(resource, JUnitList) and resource.title.startswith("fails in")
    found = sorted(rows(resource), key=lambda one: str(one["order"]))
    assert [one["build"] for one in found] == builds
    assert all(one["started"] is not None for one in found)
    assert [column.name for column in resource.schema][:3] == ["state", "build", "started"]
    failed = next(one for one in found if one["state"] == "failed")
    log = resource.log(failed)
    assert log is not None and log.title == f"log of periodic-a {failed['build']}"  # not the file at its first line


def test_builds_with_counters_for_ids_have_their_date_from_started_json(bucket: Bucket, http: Http) -> None:
    for number in (9, 10):
        bucket.put(f"{JOB}{number}/started.json", {"timestamp": 1_600_000_000 + number})
        bucket.put(f"{JOB}{number}/artifacts/junit.xml", JUNIT.format(1, number))
    found = opened(bucket, http, JUnitView(NAME, JOB, ("9", "10"), test="fails").text())
    shown = read_list(found, CancelToken()).frame.sort("order")
    assert shown["build"].to_list() == ["10", "9"]
    assert [at.timestamp() for at in shown["started"]] == [1_600_000_010, 1_600_000_009]


def test_incomplete_files_are_said_once_with_their_number(bucket: Bucket, http: Http) -> None:
    builds = eight_builds(bucket)
    for kind in (JUnitView, JUnitMatrixView):
        found = read_list(opened(bucket, http, kind(NAME, JOB, tuple(builds)).text()), CancelToken())
        assert len(found.notes) == 1 and found.partial
        assert found.notes[0].startswith("2 files are incomplete (of 8), e.g. artifacts/junit_1.xml: It ends in the")


def test_files_that_should_have_tests_and_have_none_are_said(bucket: Bucket, http: Http) -> None:
    builds = [build(bucket, snowflake(3600 * hours), artifacts=()).split("/")[-2] for hours in (1, 2)]
    for one in builds:
        bucket.put(f"{JOB}{one}/artifacts/junit_1.xml", JUNIT.format(1, 1))
    bucket.put(f"{JOB}{builds[0]}/artifacts/junit_2.xml", b"<Error><Code>AccessDenied</Code></Error>")
    bucket.put(f"{JOB}{builds[1]}/artifacts/junit_3.xml", b"")
    for kind in (JUnitView, JUnitMatrixView):
        found = read_list(opened(bucket, http, kind(NAME, JOB, tuple(builds)).text()), CancelToken())
        assert found.notes == (
            "2 files have no tests (of 4), e.g. artifacts/junit_2.xml: There is no test suite in it.",
        )


def test_where_a_listing_comes_from_is_said_once_and_is_no_gap(bucket: Bucket, ciexplore: Caller) -> None:
    builds = [build(bucket, snowflake(3600 * hours), artifacts=()).split("/")[-2] for hours in (1, 2)]
    for one in builds:
        bucket.put(f"{JOB}{one}/artifacts/junit_1.xml", JUNIT.format(1, 1))
    bucket.private = True
    found = ciexplore(
        "prow", "junit", f"gs://{NAME}/{JOB}", "--gcs-url", bucket.url, "--gcsweb-url", bucket.url, "--no-cache"
    )
    assert found.code == 0
    assert found.err.count("this listing comes from gcsweb") == 1


def test_a_search_that_stops_leaves_out_the_oldest_builds_whatever_answers_first(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = eight_builds(bucket)
    bucket.faults += [(f"{builds[1]}%2Fbuild-log.txt?", 404), (f"{builds[6]}%2Fbuild-log.txt?", 404)] * 20
    monkeypatch.setattr("backends.prow.logs.MAX_MATCHES", 5)
    text = LogSearchView(NAME, JOB, pattern="line|state").text()
    first = printed(opened(bucket, http, text))
    assert [line.split(",")[1] for line in first[0].splitlines()[1:]] == [
        one for one in (builds[0], builds[2], builds[3]) for _ in range(2)
    ]
    (note,) = first[1]
    assert note.startswith("1 file could not be searched") and note.endswith("the 4 older builds are left out.")
    for seed in range(3):
        monkeypatch.setattr("backends.prow.logs.PriorityPool", arriving(Random(seed)))
        assert printed(opened(bucket, http, text)) == first
