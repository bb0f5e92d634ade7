"""The same command gives the same bytes, whichever of its requests is answered first."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backends.cancel import CancelToken
from backends.http import Http
from backends.pool import map_in_order
from backends.resources import read_list
from backends.taskcluster.locators import TaskArtifacts, TaskGroup, TaskMeasurements
from backends.taskcluster.runs import runs_of_tasks
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, open_list, task_id

COUNT = 12


class Shuffled:
    """Answers what it is asked together in an order of its own: eight at a time wait until one of them may go on."""

    def __init__(self, queue: FakeQueue, seed: int) -> None:
        self._queue, self._random = queue, random.Random(seed)
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        gate = threading.Event()
        with self._lock:
            self._waiting.append(gate)
        while not gate.wait(0.002):  # whoever wakes lets somebody go on, in a random order
            with self._lock:
                self._waiting.pop(self._random.randrange(len(self._waiting))).set() if self._waiting else None
        return self._queue(request)


@pytest.fixture
def http(queue: FakeQueue) -> Callable[[int], Http]:
    names = ["public/z.log", "public/a.json", "public/perfherder-data.json"]
    for number in range(COUNT):
        one = queue.task(number, [[{"storageType": "s3", "name": name} for name in names]] * 2)
        for run in range(2):
            path = f"/api/queue/v1/task/{one}/runs/{run}/artifacts/public/perfherder-data.json"
            suite = {"name": f"s{number}-{run}", "subtests": [{"name": "a", "value": 1}]}
            queue.answers[path] = {"framework": {"name": "x"}, "suites": [suite]}
    queue.group([[entry(number) for number in range(COUNT)]])
    # The client of the fake itself never waits; the shuffling transport takes its place.
    return lambda seed: Http(
        transport=httpx.MockTransport(Shuffled(queue, seed)), tries=1, pause=lambda seconds, cancel: None
    )


IDS = tuple(task_id(number) for number in reversed(range(COUNT)))


def frames(http: Http, locator: Any) -> bytes:
    return read_list(open_list(locator, http, ROOT), CancelToken()).frame.write_csv().encode()


@pytest.mark.parametrize("locator", [TaskArtifacts(IDS, ROOT), TaskMeasurements(IDS, ROOT), TaskGroup(GROUP, ROOT)])
def test_a_list_is_the_same_bytes_each_time(http: Callable[[int], Http], locator: Any) -> None:
    assert len({frames(http(seed), locator) for seed in range(4)}) == 1


def test_artifacts_are_in_the_order_of_their_tasks_then_runs_then_names(http: Callable[[int], Http]) -> None:
    frame = read_list(open_list(TaskArtifacts(IDS, ROOT), http(7), ROOT), CancelToken()).frame
    names = ["public/a.json", "public/perfherder-data.json", "public/z.log"]
    assert frame.select("task_id", "run", "name").rows() == [
        (one, run, name) for one in IDS for run in range(2) for name in names
    ]


def test_the_runs_and_the_files_of_many_tasks_are_in_the_order_of_the_tasks(http: Callable[[int], Http]) -> None:
    from backends.taskcluster.client import Client

    for seed in range(3):
        found = runs_of_tasks(Client(http(seed), ROOT), IDS, CancelToken())  # asked one by one: the fake has no batch
        assert found["task_id"].unique(maintain_order=True).to_list() == list(IDS)
    group = open_list(TaskGroup(GROUP), http(1), ROOT)
    rows = read_list(group, CancelToken()).frame
    keys = [[file.key for batch in group.files(rows, CancelToken()) for file in batch] for _ in range(3)]
    assert keys[0] == keys[1] == keys[2] and len(keys[0]) == COUNT * 3


def test_answers_come_in_the_order_of_their_questions() -> None:
    gates = [threading.Event() for _ in range(20)]

    def ask(number: int, cancel: CancelToken) -> int:
        if number:
            gates[number - 1].set()
        if number % 4 == 0:  # waits for a later one
            gates[number].wait(30)
        return number

    found = list(map_in_order(ask, range(19), CancelToken()))
    assert [one for batch in found for one in batch] == list(range(19))
