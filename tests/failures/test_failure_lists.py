"""Failures of tasks, builds and pushes as lists: what each source gives, what its absence says, what it costs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from backends import config
from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.failure_links import failure_clusters, failures_of
from backends.failures.lists import CLUSTERS, FAILURES, ClusterList, FailureList, sparkline
from backends.failures.locators import ClustersOf, FailuresOf
from backends.failures.task_sources import MAX_WHOLE
from backends.http import Http, Mode
from backends.http.errors import NetworkError
from backends.prow.build_reader import FAILED as FAILED_BUILDS
from backends.resources import ListContents, LogAddress, read_list
from backends.session import Session
from backends.systems import open_resource, parse_locator
from backends.taskcluster.locators import Task, TaskArtifacts, TaskGroup
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, body, entry, task_id

SUMMARY, LOG = "public/test_info/x_errorsummary.log", "public/logs/live_backing.log"
FAILURE = {
    "action": "test_result",
    "test": "a.js",
    "group": "g",
    "status": "FAIL",
    "expected": "PASS",
    "message": "m 1",
}
FAILED_LOG = "starting\n08:00:00    ERROR - cannot open the database\n[taskcluster:error] exit status 1\n"


def artifact(name: str, storage: str = "s3") -> dict[str, Any]:
    return {"name": name, "storageType": storage, "contentType": "text/plain", "expires": "2030-01-01T00:00:00.000Z"}


class Group:
    """A group of failed tasks whose artifacts are given by their texts, or by responses."""

    def __init__(self) -> None:
        self.queue = FakeQueue()
        self.entries: list[dict[str, Any]] = []

    def task(self, files: dict[str, Any], state: str = "failed", reason: str = "", listed: Any = None) -> str:
        number = len(self.entries)
        one = entry(number, state=state)
        for run in one["status"]["runs"]:
            run["reasonResolved"] = reason or state
        self.entries.append(one)
        path = f"/api/queue/v1/task/{task_id(number)}/runs/0/artifacts"
        self.queue.answers[path] = listed or {"artifacts": [artifact(name) for name in files]}
        for name, content in files.items():
            answer = body(content) if isinstance(content, str | bytes) else content
            self.queue.answers[f"{path}/{name}"] = answer
        self.queue.group([self.entries])
        return task_id(number)

    def read(self, http: Http | None = None, **more: Any) -> ListContents:
        locator = FailuresOf(TaskGroup(GROUP, ROOT).text(), **more)
        resource = open_resource(locator, http or self.queue.http(), config.load(), CancelToken())
        return read_list(resource, CancelToken())

    def rows(self) -> list[tuple[str, str, str]]:
        frame = self.read().frame
        return [(row["status"], row["message"] or "", row["source"] or "") for row in frame.iter_rows(named=True)]


def jsonl(*events: object) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in events)


@pytest.fixture
def group() -> Group:
    return Group()


# ---- the best source -------------------------------------------------------------------------------------------------


def test_the_summary_comes_before_junit_and_the_log(group: Group) -> None:
    xml = '<testsuite name="s"><testcase name="t"><failure message="from JUnit"/></testcase></testsuite>'
    group.task({SUMMARY: jsonl(FAILURE), "public/junit.xml": xml, LOG: FAILED_LOG})
    assert group.rows() == [("FAIL", "m 1", SUMMARY)]
    assert not any(LOG in path for path in group.queue.asked)


def test_mozlogs_summary_comes_first(group: Group) -> None:
    events = (
        {"action": "test_start", "test": "b"},
        {"action": "test_end", "test": "b", "status": "FAIL", "expected": "OK", "message": "from mozlog"},
    )
    group.task({SUMMARY: jsonl(FAILURE), "public/test_info/summary.jsonl": jsonl(*events)})
    assert [row[1] for row in group.rows()] == ["from mozlog"]


def test_a_summary_without_a_failure_leaves_the_word_to_the_log(group: Group) -> None:
    group.task({SUMMARY: jsonl({"action": "group_result", "group": "g", "status": "OK"}), LOG: FAILED_LOG})
    assert group.rows() == [
        ("error", "cannot open the database", LOG),
        ("ended", "[taskcluster:error] exit status 1", LOG),
    ]


def test_junit_comes_before_the_log(group: Group) -> None:
    xml = '<testsuite name="s"><testcase name="t"><failure message="from JUnit">at x</failure></testcase></testsuite>'
    group.task({"public/junit.xml": xml, LOG: FAILED_LOG})
    assert [(row["test"], row["message"], row["group"]) for row in group.read().frame.iter_rows(named=True)] == [
        ("t", "from JUnit\nat x", "s")
    ]


def test_how_a_task_ended_without_its_worker_costs_no_request(group: Group) -> None:
    group.task({}, state="exception", reason="deadline-exceeded")
    assert group.rows() == [("ended", "exception: deadline-exceeded", "the task's status")]
    assert not any("artifacts" in path for path in group.queue.asked)


# ---- never silence ---------------------------------------------------------------------------------------------------


def test_a_task_that_left_nothing_says_what_was_looked_at(group: Group) -> None:
    group.task({LOG: ""})
    [(status, message, _)] = group.rows()
    assert status == "no reason found" and LOG in message


def test_missing_expired_refused_and_broken_sources_are_rows(group: Group) -> None:
    group.task({SUMMARY: httpx.Response(410, json={"message": "gone"}), LOG: FAILED_LOG})
    group.task({SUMMARY: httpx.Response(403, json={"message": "no"}), LOG: httpx.Response(404)})
    group.task({SUMMARY: "not JSON\nat all\n", LOG: FAILED_LOG})
    group.task({SUMMARY: "broken\n" + jsonl(FAILURE)})
    group.task({}, listed={"artifacts": [artifact(SUMMARY, "error")]})
    group.task({}, listed=httpx.Response(403, json={"message": "no"}))
    contents = group.read()
    found = {
        task: [(row["status"], row["source"]) for row in rows.iter_rows(named=True)]
        for (task,), rows in contents.frame.group_by("task")
    }
    assert found[task_id(0)][0] == ("expired", SUMMARY) and ("error", LOG) in found[task_id(0)]
    assert found[task_id(1)] == [("unreadable", SUMMARY), ("unreadable", "the log"), ("no reason found", None)]
    assert found[task_id(2)][0] == ("unreadable", SUMMARY) and ("error", LOG) in found[task_id(2)]
    assert found[task_id(3)] == [("FAIL", SUMMARY), ("unreadable", SUMMARY)]
    assert found[task_id(4)][0] == ("unreadable", SUMMARY) and found[task_id(4)][-1] == ("no reason found", None)
    assert found[task_id(5)] == [("unreadable", "the list of artifacts")]
    assert contents.partial and any("could not be read completely" in note for note in contents.notes)


def test_a_server_that_cannot_be_reached_ends_the_list(group: Group) -> None:
    group.task({SUMMARY: jsonl(FAILURE)})

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens", request=request)

    group.queue.answers[f"/api/queue/v1/task/{task_id(0)}/runs/0/artifacts"] = down
    with pytest.raises(NetworkError):
        group.read()


def test_tasks_that_did_not_fail_are_not_read(group: Group) -> None:
    group.task({SUMMARY: jsonl(FAILURE)}, state="completed")
    contents = group.read()
    assert contents.frame.is_empty() and "0 tasks of 1 read." in contents.notes
    assert not any("artifacts" in path for path in group.queue.asked)


def test_what_has_no_failures_is_said() -> None:
    locator = FailuresOf("treeherder:repositories")
    with pytest.raises(UsageError, match="no failures"):
        read_list(open_resource(locator, FakeQueue().http(), config.load(), CancelToken()), CancelToken())


# ---- size ------------------------------------------------------------------------------------------------------------


def test_a_summary_that_is_too_large_to_be_held_is_read_as_it_comes(group: Group, tmp_path: Path) -> None:
    passed = jsonl({"action": "group_result", "group": "g" * 200, "status": "OK"})
    content = passed * (MAX_WHOLE // len(passed) + 1) + jsonl(FAILURE)
    group.task({SUMMARY: content})
    with group.queue.http(tmp_path) as http:
        assert group.read(http).frame["message"].to_list() == ["m 1"]
        asked = len(group.queue.asked)
        assert group.read(http).frame["message"].to_list() == ["m 1"]  # what was found in it is kept
        assert not any(SUMMARY in path for path in group.queue.asked[asked:])


def test_two_hundred_thousand_failures_of_one_task_are_listed_and_grouped(group: Group) -> None:
    lines = [jsonl({**FAILURE, "test": f"{n % 500}.js", "message": f"object {n:08x} was lost"}) for n in range(2_000)]
    group.task({SUMMARY: "".join(lines) * 100})
    frame = group.read().frame
    assert len(frame) == 200_000 and frame["key"].n_unique() == 200_000
    assert frame["cluster"].n_unique() == 1


def test_hostile_texts_are_rows_and_can_be_exported(group: Group, tmp_path: Path) -> None:
    texts = [
        "\x1b]0;title\x07",
        "\u202e right to left",
        "\x00",
        "a\r\nb\u2028c",
        "=cmd|'/c calc'!A1",
        "[bold]markup[/]",
    ]
    group.task({SUMMARY: jsonl(*({**FAILURE, "test": text, "message": text, "subtest": text} for text in texts))})
    frame = group.read().frame
    assert frame["message"].to_list() == texts
    frame.write_parquet(tmp_path / "x.parquet")
    assert pl.read_parquet(tmp_path / "x.parquet")["test"].to_list() == texts


# ---- requests --------------------------------------------------------------------------------------------------------


def test_resolved_tasks_are_asked_once_and_then_kept(group: Group, tmp_path: Path) -> None:
    for _ in range(3):
        group.task({SUMMARY: jsonl(FAILURE)})
    with group.queue.http(tmp_path) as http:
        first = group.read(http)
        asked = len([path for path in group.queue.asked if "/artifacts" in path])
        assert asked == 6  # the list of artifacts, and the summary, of each
        assert group.read(http).frame.equals(first.frame)
        assert len([path for path in group.queue.asked if "/artifacts" in path]) == asked
    with group.queue.http(tmp_path, Mode.OFFLINE) as http:
        assert group.read(http).frame.equals(first.frame)


def test_what_could_not_be_read_is_asked_again(group: Group, tmp_path: Path) -> None:
    group.task({SUMMARY: httpx.Response(403, json={"message": "no"}), LOG: FAILED_LOG})
    with group.queue.http(tmp_path) as http:
        assert group.read(http).partial
        path = f"/api/queue/v1/task/{task_id(0)}/runs/0/artifacts/{SUMMARY}"
        group.queue.answers[path] = body(jsonl(FAILURE))
        assert group.read(http).frame["status"].to_list() == ["FAIL"]


def test_many_tasks_are_read_at_the_same_time_within_the_limit_of_a_host(group: Group) -> None:
    """1,000 tasks at 50 ms: requests x latency / connections holds as long as all connections are in use."""
    running, most, lock, full = 0, 0, threading.Lock(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running >= 16:
                full.set()
        full.wait(10)
        with lock:
            running -= 1
        return body(jsonl(FAILURE))

    for _ in range(60):
        group.task({SUMMARY: slow})
    assert len(group.read().frame) == 60
    assert most == 16


def test_how_many_tasks_of_how_many_were_read_is_known_while_they_are(group: Group) -> None:
    go_on = threading.Event()

    def held(request: httpx.Request) -> httpx.Response:
        assert go_on.wait(30)
        return body(jsonl(FAILURE))

    for number in range(20):
        group.task({SUMMARY: held if number == 10 else jsonl(FAILURE)})
    group.task({}, state="completed")
    locator = FailuresOf(TaskGroup(GROUP, ROOT).text())
    resource = open_resource(locator, group.queue.http(), config.load(), CancelToken())
    assert resource.work is None
    count = 0
    for page in resource.pages(CancelToken()):
        count = len(page.frame) if page.replace else count + len(page.frame)
        if not go_on.is_set():
            assert resource.work is not None and 1 <= count <= resource.work.done <= 19
            assert resource.work.text == f"{resource.work.done} of 20 failed tasks read"
            go_on.set()
    assert count == 20 and resource.work is None


def test_rows_come_in_the_order_of_the_tasks(group: Group) -> None:
    for number in range(30):
        group.task({SUMMARY: jsonl({**FAILURE, "message": f"m {number}"})})
    frame = group.read().frame
    assert frame["job"].to_list() == sorted(frame["job"].to_list())


# ---- rows, and what they open ----------------------------------------------------------------------------------------


def test_a_row_has_its_columns_and_opens_the_log_at_the_failure(group: Group) -> None:
    group.task({SUMMARY: jsonl({**FAILURE, "subtest": "s", "known_intermittent": ["FAIL"]})})
    group.task({LOG: FAILED_LOG})
    resource = open_resource(
        FailuresOf(TaskGroup(GROUP, ROOT).text()), group.queue.http(), config.load(), CancelToken()
    )
    rows = read_list(resource, CancelToken()).frame.to_dicts()
    assert {name: rows[0][name] for name in ("test", "subtest", "status", "expected", "group", "known", "run")} == {
        "test": "a.js", "subtest": "s", "status": "FAIL", "expected": "PASS", "group": "g", "known": "intermittent",
        "run": 0,
    }  # fmt: skip
    assert rows[0]["time"].isoformat() == "2026-11-20T10:31:00.500000+00:00" and len(rows[0]["cluster"]) == 16
    log = resource.log(rows[0])
    assert isinstance(log, LogAddress) and log.find == "TEST-UNEXPECTED-FAIL | a.js | s" and log.line is None
    log = resource.log(rows[1])
    assert log is not None and log.line == 2 and not log.find and log.failed
    assert resource.open(rows[1]) == Task(task_id(1), 0, ROOT)
    assert resource.shows(rows[1]) == log
    assert [entry.label for entry in resource.menu(rows[0], pl.DataFrame())][-1] == "All these failures in clusters"


def test_only_one_cluster(group: Group) -> None:
    for message in ("pod web-7d4b9c6f5d-x2x9k is gone", "pod web-59f8c4b6d7-qwx4z is gone", "another thing"):
        group.task({SUMMARY: jsonl({**FAILURE, "message": message})})
    everything = group.read().frame
    sizes = everything["cluster"].value_counts().sort("count")
    assert sizes["count"].to_list() == [1, 2]
    one = group.read(cluster=sizes["cluster"].last()).frame
    assert one["message"].to_list() == everything["message"].to_list()[:2]


def test_some_tasks_of_a_group_and_tasks_alone(group: Group) -> None:
    for number in range(3):
        group.task({SUMMARY: jsonl({**FAILURE, "message": f"m {number}"})})
    for number, one in enumerate(group.entries):
        path = f"/api/queue/v1/task/{task_id(number)}"
        group.queue.answers[path] = one["task"]
        group.queue.answers[f"{path}/status"] = {"status": one["status"]}
    ids = (task_id(0), task_id(2))
    for source in (TaskGroup(GROUP, ROOT, ids), TaskArtifacts(ids, ROOT)):
        found = open_resource(FailuresOf(source.text()), group.queue.http(), config.load(), CancelToken())
        assert read_list(found, CancelToken()).frame["task"].to_list() == list(ids)
    alone = open_resource(FailuresOf(Task(ids[1], None, ROOT).text()), group.queue.http(), config.load(), CancelToken())
    assert read_list(alone, CancelToken()).frame["message"].to_list() == ["m 2"]


def test_a_cluster_row(group: Group) -> None:
    for number in range(4):
        group.task({SUMMARY: jsonl({**FAILURE, "test": f"{number % 2}.js", "message": f"port {number} is used"})})
    group.task({LOG: ""})
    resource = open_resource(
        ClustersOf(TaskGroup(GROUP, ROOT).text()), group.queue.http(), config.load(), CancelToken()
    )
    contents = read_list(resource, CancelToken())
    [row] = contents.frame.to_dicts()
    assert (row["failures"], row["tests"], row["tasks"], row["jobs"], row["share"]) == (4, 2, 4, 4, 100.0)
    assert row["text"] == "port «0» is used" and row["test_names"] == "0.js 1.js"
    assert resource.open(row) == FailuresOf(TaskGroup(GROUP, ROOT).text(), row["cluster"])
    assert (
        "1 rows tell of sources" in contents.notes[0] and resource.summary(contents.frame) == "4 failures in 1 cluster"
    )


def test_a_trend_is_a_text_of_bars() -> None:
    assert sparkline([0] * 8 + [11]) == "█          ▂".replace("▂", sparkline([0] * 8 + [11])[-1])
    assert sparkline([0, 0, 11]) == "█          ▅" and sparkline([None]) == "" and len(sparkline([5])) == 12


def test_locators_of_failures_name_any_other() -> None:
    source = parse_locator(f"{ROOT}/tasks/groups/{GROUP}")
    for locator in (failures_of(source), failure_clusters(source)):
        assert parse_locator(locator.text()) == locator
        assert locator.of == source.text()  # type: ignore[attr-defined]


def test_failures_of_failures_are_the_same_failures(group: Group) -> None:
    group.task({SUMMARY: jsonl(FAILURE)})
    inner = FailuresOf(TaskGroup(GROUP, ROOT).text())
    found = open_resource(ClustersOf(inner.text()), group.queue.http(), config.load(), CancelToken())
    assert len(read_list(found, CancelToken()).frame) == 1


# ---- the demo: builds and pushes -------------------------------------------------------------------------------------


def read_demo(locator: FailuresOf | ClustersOf) -> tuple[Any, ListContents]:
    session = Session(config.load())
    try:
        resource = session.resource(locator)
        return resource, read_list(resource, CancelToken())
    finally:
        session.close()


def test_failures_of_a_prow_build_and_of_a_jobs_builds(demo: dict[str, str]) -> None:
    resource, contents = read_demo(FailuresOf(demo["prow.build-failed"]))
    assert isinstance(resource, FailureList)
    rows = contents.frame.to_dicts()
    assert {row["status"] for row in rows} == {"failed"} and all(row["message"] for row in rows)
    assert resource.log(rows[0]) is not None and "build-log.txt" in resource.log(rows[0]).url
    _, job = read_demo(FailuresOf(demo["prow.job-openshift"]))
    assert job.frame["task"].n_unique() > 40 and job.frame.columns == list(FAILURES.polars())
    _, clusters = read_demo(ClustersOf(demo["prow.job-openshift"]))
    assert clusters.frame["failures"].sum() == job.frame["cluster"].count()
    assert clusters.frame.columns == list(CLUSTERS.polars()) and 3 < len(clusters.frame) < 40


def test_builds_that_left_no_tests_say_how_they_ended(demo: dict[str, str]) -> None:
    for name, words in (("prow.build-error", "Pod scheduling timeout."), ("prow.build-never-started", "Aborted")):
        _, contents = read_demo(FailuresOf(demo[name]))
        assert any(words in (message or "") for message in contents.frame["message"]), name


def test_failures_of_a_push_are_those_of_its_tasks(demo: dict[str, str]) -> None:
    resource, push = read_demo(FailuresOf(demo["perf.push"]))
    _, group = read_demo(FailuresOf(demo["taskcluster.finished-group"]))

    def failed(contents: ListContents) -> set[tuple[str, str]]:
        rows = contents.frame.filter(pl.col("source") != "the task's status")
        return set(rows.select("task", "message").iter_rows())

    assert failed(push) and failed(push) <= failed(group) | failed(push)
    assert len(failed(push) & failed(group)) >= 5
    labels = [entry.label for entry in resource.menu(push.frame.row(0, named=True), push.frame)]
    assert "Its failure lines in Treeherder, and the bugs they look like" in labels


def test_a_group_of_the_demo_in_clusters(demo: dict[str, str]) -> None:
    resource, contents = read_demo(ClustersOf(demo["taskcluster.finished-group"]))
    assert isinstance(resource, ClusterList) and len(contents.frame) > 3
    assert contents.frame["failures"].is_sorted(descending=True)


def test_what_of_a_list_failed_names_its_failures(demo: dict[str, str]) -> None:
    """All rows: the list itself; some: the failed ones among them; none: nothing."""
    session = Session(config.load())
    try:
        push: Any = session.resource(session.parse(demo["perf.push"]))
        jobs = read_list(push, CancelToken()).frame
        assert push.failures(jobs) == push.locator
        failed = jobs.filter(pl.col("result") == "testfailed").head(2)
        assert push.failures(failed).task_ids == tuple(failed["task_id"])
        assert push.failures(jobs.filter(pl.col("result") == "success")) is None
        group: Any = session.resource(session.parse(demo["taskcluster.finished-group"]))
        tasks = read_list(group, CancelToken()).frame
        assert group.failures(tasks) == TaskGroup(group.group_id, group.client.root)
        some = tasks.filter(pl.col("state").is_in(["failed", "completed"])).sort("state", descending=True).head(30)
        ids = group.failures(some).task_ids
        assert set(ids) == set(some.filter(pl.col("state") == "failed")["task_id"])
        builds: Any = session.resource(session.parse(demo["prow.job-openshift"]))
        rows = read_list(builds, CancelToken()).frame
        view = builds.failures(rows)
        assert set(view.builds) == set(rows.filter(pl.col("state").is_in(list(FAILED_BUILDS)))["build"])
        build: Any = session.resource(session.parse(demo["prow.build-failed"]))
        assert build.failures(pl.DataFrame()).path.endswith("/")
    finally:
        session.close()
