"""`ciexplore failures`."""

from __future__ import annotations

import json

import pytest

from tests.commands.calling import Caller


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes]) -> Caller:
    return Caller(capsysbinary)


def test_failures_clusters_tests_and_tasks(ciexplore: Caller, demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"]
    failures = ciexplore("failures", group, "--format", "csv").rows
    assert {"status", "test", "message", "cluster", "task"} <= failures[0].keys()
    clusters = ciexplore("failures", group, "--by", "cluster", "--format", "jsonl").text.splitlines()
    counted = [json.loads(line) for line in clusters]
    assert sum(one["failures"] for one in counted) == sum(bool(row["cluster"]) for row in failures)
    tests = ciexplore("failures", group, "--by", "test", "--format", "csv").rows
    assert {row["name"] for row in tests} - {"(no test)"} == {row["test"] for row in failures} - {""}
    tasks = ciexplore("failures", group, "--by", "task", "--format", "csv").rows
    assert {row["name"].rpartition(" ")[2] for row in tasks} == {row["task"] for row in failures if row["cluster"]}


def test_a_filter_and_columns(ciexplore: Caller, demo: dict[str, str]) -> None:
    build = demo["prow.build-failed"]
    ended = ciexplore("failures", build, "--filter", "status:failed", "--columns", "status,test", "--format", "csv")
    assert ended.rows and all(set(row) == {"status", "test"} for row in ended.rows)
    assert ciexplore("failures", build, "--columns", "nothing").code == 2


def test_a_list_of_something_else_is_a_usage_error(ciexplore: Caller, demo: dict[str, str]) -> None:
    ended = ciexplore("failures", demo["perf.alerts"])
    assert ended.code == 2 and "have no failures" in ended.err


@pytest.mark.parametrize(
    "name",
    ["prow.job-openshift", "prow.completeness-job", "prow.pull-job", "prow.build-pending", "prow.build-failed",
     "taskcluster.finished-group", "taskcluster.failed-task"],
)  # fmt: skip
def test_offline_says_the_same_with_the_same_exit_code(ciexplore: Caller, demo: dict[str, str], name: str) -> None:
    """Also of builds that still ran when they were looked at, or of which nothing tells how they ended."""
    online = ciexplore("failures", demo[name])
    offline = ciexplore("failures", demo[name], "--offline")
    assert (offline.code, offline.out) == (online.code, online.out), offline.err
