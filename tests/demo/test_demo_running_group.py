"""Does the running group change while one looks, always in the same way, and does its live log stay open?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import httpx
import pytest

from backends.demo import DemoOptions, DemoServer
from backends.demo.taskcluster.artifacts import artifacts_by_name
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.payloads import generate_payload
from tests.demo.asking import Demo

LIVE = "public/logs/live.log"


def states(demo: Demo, second: float) -> dict[str, str]:
    demo.clock.elapsed = second
    return {entry["status"]["taskId"]: entry["status"]["state"] for entry in demo.tasks(demo.id("running-group"))}


def test_tasks_are_added_and_end_within_ten_minutes(demo: Demo) -> None:
    first, middle, last = states(demo, 0), states(demo, 240), states(demo, 600)
    assert len(first) < len(middle) <= len(last)
    assert first.keys() <= middle.keys() <= last.keys()
    assert {"unscheduled", "pending", "running", "completed"} <= set(first.values())
    assert not {"pending", "running"} & set(last.values())
    assert Counter(last.values())["completed"] > 0.8 * len(last)


def test_the_same_second_looks_the_same(demo: Demo) -> None:
    assert states(demo, 100) == states(demo, 100)
    assert states(demo, 100) != states(demo, 160)


def test_no_run_ever_goes_back(demo: Demo) -> None:
    order = ["unscheduled", "pending", "running", "completed", "failed", "exception"]
    fixtures = Fixtures(demo.server.options, elapsed=lambda: 0.0)
    for task in fixtures.running.tasks:
        seen = [task.runs_at(second) for second in range(0, 730, 10)]
        for before, after in pairwise(seen):
            assert len(before) <= len(after)
            for old, new in zip(before, after, strict=False):
                assert min(order.index(old.state), 3) <= min(order.index(new.state), 3)


def test_a_run_that_has_not_begun_has_no_log_and_one_that_ended_links_to_its_backing(demo: Demo) -> None:
    fixtures = demo.server.fixtures
    task = next(task for task in fixtures.running.tasks if task.history and task.history[0].state == "completed")
    run = task.history[0]
    assert run.started is not None and run.ended is not None
    demo.clock.elapsed = run.started - 120 - 0.5
    assert demo.artifacts(task.id) == []
    demo.clock.elapsed = run.started - 120 + 0.5
    assert [(entry["storageType"], entry["name"]) for entry in demo.artifacts(task.id)] == [("reference", LIVE)]
    demo.clock.elapsed = run.ended - 120 + 0.5
    listed = {entry["name"]: entry["storageType"] for entry in demo.artifacts(task.id)}
    assert listed[LIVE] == "link"
    assert demo.locate(task.id, LIVE).split("?")[0].endswith("live_backing.log")


def test_a_live_log_grows_until_the_run_ends_and_is_then_the_backing_log(demo: Demo) -> None:
    fixtures = demo.server.fixtures
    task = next(task for task in fixtures.running.tasks if task.history and task.history[0].state == "completed")
    run = task.history[0]
    assert run.started is not None and run.ended is not None
    demo.clock.elapsed = (run.started + run.ended) / 2 - 120
    backing = artifacts_by_name(fixtures.seed, task, 0)["public/logs/live_backing.log"]
    expected = generate_payload(fixtures, fixtures.running, task, 0, backing)
    with httpx.stream("GET", demo.locate(task.id, LIVE)) as answer:
        pieces = answer.iter_bytes()
        first = next(pieces)
        assert 0 < len(first) < 0.6 * len(expected)
        demo.clock.elapsed = run.ended - 120 + 1
        rest = b"".join(pieces)
    assert first + rest == expected
    assert expected == httpx.get(demo.locate(task.id, "public/logs/live_backing.log")).content


def test_stopping_the_server_does_not_wait_for_a_live_log() -> None:
    server = DemoServer(DemoOptions(), elapsed=lambda: 0.0)
    server.start()
    fixtures = server.fixtures
    task = next(
        task for task in fixtures.running.tasks if task.runs_at(120) and task.runs_at(120)[-1].state == "running"
    )
    queue = f"{server.root_url}/api/queue/v1"
    where = httpx.get(f"{queue}/task/{task.id}/artifacts/{LIVE}").headers["location"]
    with httpx.stream("GET", where) as answer:
        server.stop()
        with pytest.raises(httpx.HTTPError):
            answer.read()
