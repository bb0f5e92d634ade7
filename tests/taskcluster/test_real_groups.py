"""Recorded answers of Firefox CI (2018, 2019) are shown whole, with values recomputed here by other means."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.taskcluster.locators import Task, TaskGroup
from backends.taskcluster.tasks import GroupTaskList
from tests.taskcluster.fake_queue import ROOT, FakeQueue, listed, open_list, shown


@pytest.fixture
def directory(samples: Path) -> Path:
    return samples / "taskcluster"


def serve(queue: FakeQueue, pages: list[Any]) -> GroupTaskList:
    group = pages[0]["taskGroupId"]

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("continuationToken")
        before = [None, *(page.get("continuationToken") for page in pages)]
        return httpx.Response(200, json=pages[before.index(wanted)])

    queue.answers[f"/api/queue/v1/task-group/{group}/list"] = answer
    return open_list(TaskGroup(group, ROOT), queue.http(), ROOT)


def seconds(run: dict[str, str], start: str, end: str) -> float | None:
    if start not in run or end not in run:
        return None
    return (datetime.fromisoformat(run[end]) - datetime.fromisoformat(run[start])).total_seconds()


@pytest.mark.parametrize(
    ("names", "count", "states"),
    [
        (
            ("code-coverage/listTaskGroup_2018_page1_200tasks", "code-coverage/listTaskGroup_2018_page2_10tasks"),
            210,
            {"completed": 209, "failed": 1},
        ),
        (
            ("wpt-sync/listTaskGroup_2019_retriggers_86tasks",),
            86,
            {"failed": 44, "unscheduled": 30, "completed": 12},
        ),
        (("wpt-sync/listTaskGroup_2018_wpt_complete_20tasks",), 20, None),
    ],
)
def test_every_task_of_a_real_group_is_shown_with_its_real_times(
    directory: Path, queue: FakeQueue, names: tuple[str, ...], count: int, states: dict[str, int] | None
) -> None:
    pages = [json.loads((directory / f"{name}.json").read_text()) for name in names]
    rows = shown(listed(serve(queue, pages)))
    entries = {one["status"]["taskId"]: one for page in pages for one in page["tasks"]}
    assert rows.keys() == entries.keys() and len(rows) == count
    if states is not None:
        assert Counter(row["state"] for row in rows.values()) == states
    for key, one in entries.items():
        row, runs, task = rows[key], one["status"].get("runs", []), one["task"]
        run = next((run for run in reversed(runs) if "started" in run), runs[-1] if runs else {})
        assert row["state"] == one["status"]["state"]
        assert row["name"] == task["metadata"]["name"]
        assert row["runs"] == len(runs)
        assert row["duration"] == pytest.approx(seconds(run, "started", "resolved"))
        assert row["queue_time"] == pytest.approx(seconds(run, "scheduled", "started"))
        assert row["created"] == datetime.fromisoformat(task["created"])
        assert row["dependencies"] == len(task["dependencies"])
        assert row["kind"] == task["tags"].get("kind")
        assert row["worker_pool"] == f"{task['provisionerId']}/{task['workerType']}"


def test_the_three_retried_tasks_of_the_real_group_tell_both_runs(directory: Path, queue: FakeQueue) -> None:
    page = json.loads((directory / "code-coverage/listTaskGroup_2018_page1_200tasks.json").read_text())
    del page["continuationToken"]
    frame = listed(serve(queue, [page]))[-1].frame
    retried = frame.filter(pl.col("runs") == 2)
    assert retried["retries"].to_list() == [1, 1, 1]
    assert set(retried["run_states"]) == {"run 0: exception (claim-expired) · run 1: completed"}


def test_the_real_retriggers_are_numbered_within_their_label(directory: Path, queue: FakeQueue) -> None:
    page = json.loads((directory / "wpt-sync/listTaskGroup_2019_retriggers_86tasks.json").read_text())
    frame = listed(serve(queue, [page]))[-1].frame
    counts = Counter(one["task"]["tags"].get("label", one["task"]["metadata"]["name"]) for one in page["tasks"])
    for label, count in counts.items():
        group = frame.filter(pl.col("label") == label).sort("copy")
        assert group["copy"].to_list() == list(range(1, count + 1))
        assert group["copies"].to_list() == [count] * count
        assert group["created"].is_sorted()


@pytest.mark.parametrize(("name", "count"), [("listArtifacts_build_task_33", 33), ("listArtifacts_test_task_16", 16)])
def test_real_artifact_listings_are_shown_whole(directory: Path, queue: FakeQueue, name: str, count: int) -> None:
    recorded = json.loads((directory / f"code-coverage/{name}.json").read_text())["artifacts"]
    one = queue.task(1, [recorded])
    resource = open_list(Task(one, None, ROOT), queue.http(), ROOT)
    rows = shown(listed(resource))
    assert len(rows) == count
    assert {row["name"] for row in rows.values()} == {artifact["name"] for artifact in recorded}
    files = [file for batch in resource.files(listed(resource)[-1].frame, CancelToken()) for file in batch]
    assert {"/".join(file.parts[4:]) for file in files} == {artifact["name"] for artifact in recorded}


def test_ninety_one_real_definitions_are_read_without_a_detour(directory: Path) -> None:
    import msgspec

    from backends.taskcluster.models import TaskDefinition

    definitions = json.loads((directory / "treeherder/taskcluster_tasks_91_definitions.json").read_text())
    read = [msgspec.json.decode(json.dumps(one).encode(), type=TaskDefinition) for one in definitions.values()]
    assert [one.metadata.name for one in read] == [one["metadata"]["name"] for one in definitions.values()]
