"""Reading perfherder data of many tasks: nothing that was measured is lost, nothing broken passes for a measurement."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.errors import OperationCancelledError
from backends.frames import export, filters, statistics
from backends.http import Http, Mode
from backends.http.errors import NetworkError, NotFoundError
from backends.http.response import ResponseSource
from backends.resources import ListContents, read_list
from backends.systems import parse_locator
from backends.taskcluster.client import Client
from backends.taskcluster.locators import Artifact, Task, TaskMeasurements
from backends.taskcluster.measurements import (
    CAP,
    MEASUREMENTS,
    DataFile,
    MeasurementList,
    by_replicate,
    read_data,
    tasks_of_rows,
)
from tests.taskcluster.fake_queue import ROOT, FakeQueue, body, open_list, reply, task_id

NAME = "public/test_info/perfherder-data.json"
SOURCE = DataFile("T", "test-linux64/opt-perf", "linux64", "opt", 0, "completed", NAME)


def suite(name: str = "amazon", **members: Any) -> dict[str, Any]:
    return {"name": name, "subtests": [], **members}


def perf(*suites: Any, **members: Any) -> dict[str, Any]:
    return {"framework": {"name": "browsertime"}, "suites": list(suites), **members}


def rows_of(value: Any) -> list[dict[str, Any]]:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return MEASUREMENTS.build(read_data(content, SOURCE).rows).to_dicts()


def listing(name: str = NAME, storage: str = "s3") -> dict[str, Any]:
    return {"storageType": storage, "name": name, "contentType": "application/json"}


def with_file(queue: FakeQueue, number: int, content: Any, name: str = NAME) -> str:
    """A task whose only run has this one file."""
    one = queue.task(number, [[listing(name)]])
    queue.answers[f"/api/queue/v1/task/{one}/runs/0/artifacts/{name}"] = content
    return one


def measured(queue: FakeQueue, *ids: str, cache: Path | None = None, mode: Mode = Mode.NORMAL) -> ListContents:
    locator = Task(ids[0], None, ROOT) if len(ids) == 1 else TaskMeasurements(ids, ROOT)
    return read_list(MeasurementList(locator, Client(queue.http(cache, mode), ROOT)), CancelToken())


def test_a_suite_and_its_subtests_are_rows_with_all_that_tells_series_apart() -> None:
    value = perf(
        suite(
            value=5,
            unit="ms",
            extraOptions=["webrender", "cold"],
            tags=["t"],
            alertThreshold=2,
            subtests=[
                {"name": "fcp", "value": 3.5, "unit": "ms", "replicates": [3, 4.25], "shouldAlert": False},
                {"name": "score", "value": 7, "lowerIsBetter": False, "shouldAlert": True},
            ],
        ),
        application={"name": "firefox"},
    )
    whole, fcp, score = rows_of(value)
    assert (whole["suite"], whole["subtest"], whole["value"], whole["unit"]) == ("amazon", None, 5.0, "ms")
    assert (whole["options"], whole["tags"], whole["alert_threshold"]) == ("cold webrender", "t", 2.0)
    assert (whole["framework"], whole["application"], whole["platform"]) == ("browsertime", "firefox", "linux64")
    assert (fcp["subtest"], fcp["replicate_count"], fcp["replicates"]) == ("fcp", 2, "3.0 4.25")
    assert (whole["should_alert"], fcp["should_alert"], score["should_alert"]) == (None, "no", "yes")
    assert (fcp["lower_is_better"], score["lower_is_better"], score["unit"]) == ("yes", "no", None)


def test_a_suite_without_a_value_of_its_own_is_no_row() -> None:
    value = perf(
        suite(subtests=[{"name": "a", "value": 1}]), suite("b", value=None, subtests=[{"name": "c", "value": 2}])
    )
    assert [(row["suite"], row["subtest"]) for row in rows_of(value)] == [("amazon", "a"), ("b", "c")]


def test_a_list_of_files_in_one_is_read_whole() -> None:
    rows = rows_of([perf(suite(value=1)), perf(suite(value=2)), "noise"])
    assert [row["value"] for row in rows] == [1.0, 2.0]
    assert len({row["key"] for row in rows}) == 2


def test_values_that_are_no_numbers_are_counted_and_the_others_kept() -> None:
    odd = ["5", True, None, 1e13, -1e13, [], 10**400]
    subtests = [*({"name": "x", "value": value} for value in odd), {"value": 1}, "noise", {"name": "good", "value": 0}]
    reading = read_data(json.dumps(perf(suite(subtests=subtests))).encode(), SOURCE)
    assert [(row.subtest, row.value) for row in reading.rows] == [("good", 0.0)]
    assert reading.left_out == len(odd) + 2 and reading.violation.startswith("suites[0].subtests[0].value")


def test_nan_which_python_writes_into_json_loses_only_itself() -> None:
    subtest = {"name": "a", "value": 1, "replicates": [math.nan, 2]}
    content = json.dumps(perf(suite(value=math.nan, subtests=[subtest])))
    reading = read_data(content.encode(), SOURCE)
    assert reading.left_out == 1 and [row.replicates for row in reading.rows] == [[2.0]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b"<html>",
        b'{"suites":{}}',
        b'{"suites":[{"name":"s","value":"x"}]}',
        b"\xff" * 9,
    ],
)
def test_what_holds_no_measurement_says_why(content: bytes) -> None:
    reading = read_data(content, SOURCE)
    assert reading.unusable and not reading.rows


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda one: (
        st.lists(one, max_size=4)
        | st.dictionaries(st.sampled_from(["suites", "subtests", "name", "value", "replicates", "framework"]), one)
    ),
    max_leaves=30,
)


@settings(deadline=None, max_examples=25)
@given(JSON, st.integers(0, 400))
def test_no_file_is_too_odd_to_be_read(value: Any, length: int) -> None:
    content = json.dumps(value).encode()
    for part in (content, content[:length]):
        assert MEASUREMENTS.build(read_data(part, SOURCE).rows).schema == pl.Schema(MEASUREMENTS.polars())


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e12, 1e12), max_size=20), st.floats(-1e12, 1e12))
def test_replicates_come_back_as_the_numbers_that_they_were(replicates: list[float], value: float) -> None:
    rows = rows_of(perf(suite(value=value, replicates=replicates), suite("other", value=1)))
    found = by_replicate(pl.DataFrame(rows, schema=MEASUREMENTS.polars()))
    assert found["value"].to_list() == [*(replicates or [value]), 1.0]
    assert found.filter(suite="amazon")["replicate_count"].unique().to_list() == [len(replicates)]


def test_every_run_and_every_matching_file_is_read(queue: FakeQueue) -> None:
    names = [NAME, "public/perfherder-data-building.json", "perfherder-data-x.json"]
    others = ["public/perfherder-data.json.sig", "public/x-perfherder-data.json", "public/perfherder-data/log.txt"]
    one = queue.task(1, [[listing(name) for name in (*names, *others)], [listing()]])
    for run, name in [(1, NAME), *((0, name) for name in names)]:
        path = f"/api/queue/v1/task/{one}/runs/{run}/artifacts/{name}"
        queue.answers[path] = perf(suite(f"{run} {name}", value=1))
    found = measured(queue, one)
    assert set(found.frame["suite"]) == {f"1 {NAME}", *(f"0 {name}" for name in names)}
    assert set(found.frame["run_state"]) == {"completed"} and not any(found.notes)
    assert not [path for path in queue.asked if path.endswith((".sig", ".txt"))]


def test_the_same_file_under_two_names_counts_once(queue: FakeQueue) -> None:
    again = "public/perfherder-data.json"
    one = queue.task(1, [[listing(), listing(again)], [listing()]])
    for run, name in ((0, NAME), (0, again), (1, NAME)):
        queue.answers[f"/api/queue/v1/task/{one}/runs/{run}/artifacts/{name}"] = perf(suite(value=1))
    assert sorted(measured(queue, one).frame["run"]) == [0, 1]  # but the same numbers of another run are another run's


def test_broken_files_are_counted_and_lose_no_other(queue: FakeQueue) -> None:
    good = json.dumps(perf(suite(value=1))).encode()
    huge = httpx.Response(200, content=b" " * (CAP + 1))
    contents = [
        body(good[:-5]),
        body(b"<html>login</html>"),
        perf(),
        huge,
        httpx.Response(410),
        httpx.Response(424),
        reply({}, 500),
    ]
    ids = [with_file(queue, number, content) for number, content in enumerate(contents)]
    fine = [with_file(queue, 50 + number, body(good)) for number in range(3)]
    error = queue.task(60, [[listing(storage="error")]])
    empty = queue.task(61, [[], []])
    found = measured(queue, *ids, *fine, error, empty, task_id(99))
    assert sorted(found.frame["task_id"]) == sorted(fine)
    (note,) = found.notes
    assert f"{len(contents) + 1} files could not be read" in note
    assert "1 of 13 tasks could not be listed" in note and "1 of 13 tasks has no perfherder data." in note


def test_a_file_that_perfherder_would_refuse_is_shown_and_named(queue: FakeQueue) -> None:
    one = with_file(queue, 1, perf(suite(value=1, tags=["no good"])))
    found = measured(queue, one)
    assert len(found.frame) == 1 and "suites[0].tags[0] does not match" in found.notes[0]


def test_nothing_at_all_is_an_error_only_if_no_task_can_be_listed(queue: FakeQueue) -> None:
    with pytest.raises(NotFoundError):
        measured(queue, task_id(98), task_id(99))
    queue.down = True
    with pytest.raises(NetworkError):
        measured(queue, task_id(1))


def test_a_few_lost_files_are_counted_and_a_lost_network_is_an_error(queue: FakeQueue) -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens", request=request)

    lost = [with_file(queue, number, gone) for number in range(60)]
    good = with_file(queue, 90, perf(suite(value=1)))
    with pytest.raises(NetworkError):
        measured(queue, lost[0])
    few = measured(queue, *lost[:3], good)
    assert len(few.frame) == 1 and "3 files could not be read" in few.notes[0]
    with pytest.raises(NetworkError):
        measured(queue, good, *lost)


def test_a_finished_runs_file_is_asked_for_once_and_a_cut_off_one_again(queue: FakeQueue, tmp_path: Path) -> None:
    one = with_file(queue, 1, body(b'{"suites":['))
    assert measured(queue, one, cache=tmp_path).frame.is_empty()
    with_file(queue, 1, perf(suite(value=1)))
    assert len(measured(queue, one, cache=tmp_path).frame) == 1
    queue.asked.clear()
    assert len(measured(queue, one, cache=tmp_path).frame) == 1
    assert not [path for path in queue.asked if path.endswith("perfherder-data.json")]
    offline = measured(queue, one, cache=tmp_path, mode=Mode.OFFLINE)
    assert len(offline.frame) == 1 and offline.freshness.source is not ResponseSource.NETWORK


def test_a_cancelled_reading_ends_as_cancelled(queue: FakeQueue) -> None:
    cancel = CancelToken()

    def stop(request: httpx.Request) -> httpx.Response:
        cancel.cancel()
        return reply(perf(suite(value=1)))

    ids = [with_file(queue, number, stop) for number in range(40)]
    with pytest.raises(OperationCancelledError):
        read_list(MeasurementList(TaskMeasurements(tuple(ids), ROOT), Client(queue.http(), ROOT)), cancel)
    assert len([path for path in queue.asked if path.endswith("perfherder-data.json")]) < 40


def test_a_row_leads_to_its_file(queue: FakeQueue) -> None:
    one = with_file(queue, 1, perf(suite(value=1, subtests=[{"name": "a", "value": 2}])))
    resource = MeasurementList(Task(one, None, ROOT), Client(queue.http(), ROOT))
    frame = read_list(resource, CancelToken()).frame
    row = frame.row(0, named=True)
    assert resource.open(row) == Artifact(one, 0, NAME, ROOT)
    assert [file.name for file in next(resource.files(frame, CancelToken()))] == [NAME]
    assert resource.web_url(row) and resource.web_url() and "name-1" not in resource.title
    assert resource.detail(row).title == "amazon" and resource.summary(frame) == "1 suite · 1 task"
    assert row["task_name"] == "name-1"


@pytest.fixture(scope="module")
def demo() -> Any:
    with DemoServer(DemoOptions(tasks=60)) as server:
        yield server


def test_the_retriggers_of_a_page_load_test_are_read_filtered_described_and_exported(
    demo: DemoServer, tmp_path: Path
) -> None:
    with Http(cache_dir=tmp_path / "cache") as http:
        group = open_list(
            parse_locator(demo_locators(demo.options, demo.root_url)["taskcluster.finished-group"]), http, demo.root_url
        )
        tasks = read_list(group, CancelToken()).frame
        amazon = tasks.filter(pl.col("suite").str.contains("amazon"))
        found = read_list(MeasurementList.of_rows(amazon, Client(http, demo.root_url)), CancelToken())
        frame = found.frame
        assert frame["task_id"].n_unique() == len(amazon) >= 3
        assert not any(found.notes), found.notes  # the demo's files are as Perfherder wants them
        fcp = frame.filter(filters.parse("subtest:fcp options:cold", MEASUREMENTS).mask(frame))
        assert len(fcp) == len(amazon) and set(fcp["unit"]) == {"ms"} and set(fcp["replicate_count"]) == {25}
        report, _ = statistics.report(frame, MEASUREMENTS, columns=["value"], by="subtest")
        assert dict(report.select("group", "n").iter_rows())["fcp"] == 2 * len(amazon)
        export.write(frame, tmp_path / "m.csv", "csv", schema=MEASUREMENTS)
        again = pl.read_csv(tmp_path / "m.csv", schema_overrides={"replicates": pl.String, "value": pl.Float64})
        assert by_replicate(again.with_columns(key=pl.lit("")))["value"].sum() == by_replicate(frame)["value"].sum()
        builds = read_list(
            MeasurementList.of_rows(tasks.filter(kind="build"), Client(http, demo.root_url)), CancelToken()
        ).frame
        assert set(builds["framework"]) == {"build_metrics"}


def test_the_rows_of_a_group_save_asking_for_runs_that_are_known() -> None:
    columns = ["task_id", "name", "platform", "build_type", "state", "runs"]
    rows = [
        ("A", "n", "p", "b", "failed", 1),
        ("B", "n", None, None, "completed", 2),
        ("C", None, None, None, "running", 1),
    ]
    known = tasks_of_rows(pl.DataFrame(rows, schema=columns, orient="row"))
    assert [task.run_states for task in known] == [("failed",), None, None]
