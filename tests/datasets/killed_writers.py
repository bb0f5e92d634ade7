"""Writers of a dataset that are going to be killed: the same data each time."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from backends.cancel import CancelToken
from backends.treeherder.datasets import legacy_export, mirror
from backends.treeherder.datasets import store as store_module
from backends.treeherder.datasets.dataset import Dataset
from backends.treeherder.datasets.fetch_log import FetchRecord
from backends.treeherder.datasets.signature_groups import shared_rows
from backends.treeherder.datasets.store import DAY, DatasetStore
from backends.treeherder.datasets.update import DatasetUpdate
from backends.treeherder.datasets.update_plan import UpdateOptions
from tests.datasets.fake_treeherder import FakeTreeherder
from tests.datasets.random_data import measurement_frame


def small_world(at: int) -> FakeTreeherder:
    """Three days of pushes: two measured, one of them in values that two decimals would distort."""
    world = FakeTreeherder({number: at - number * DAY for number in range(1, 4)})
    for push in (1, 3):
        for job in range(2):
            world.measure(1, 10 * push + job, push)
            world.measure(2, 10 * push + job, push)
    for row in world.data:
        row["value"] = 0.00123 if row["signature_id"] == 1 else 7.0
    world.summaries = [{"id": number, "status": 0, "alerts": [{"id": number}]} for number in (1, 2)]
    return world


def large_world(at: int) -> FakeTreeherder:
    """60 pushes of 30 days, some with values, the older ones without jobs."""
    chance = random.Random(1)
    world = FakeTreeherder({number: at - number * DAY // 2 for number in range(1, 61)})
    for push in range(1, 61):
        for job in range(chance.choice((0, 0, 0, 1, 5))):
            after = chance.randrange(2000)
            for signature in range(chance.randrange(1, 8)):
                world.measure(signature, 100 * push + job, push, after=after, expired=push > 45)
    world.summaries = [{"id": number, "status": 0, "alerts": [{"id": number}]} for number in range(1, 251)]
    return world


def update(path: str, at: str, world: str = "small", jobs: Any = "sample") -> int:
    """Fills the store; returns the number of requests."""
    server = (large_world if world == "large" else small_world)(int(at)).server()
    options = UpdateOptions("autoland", int(at) - 60 * DAY, int(at), jobs=jobs, min_refetch_interval=3600)
    with DatasetStore(Path(path), create=True) as store:
        DatasetUpdate(store, server, options, cancel=CancelToken(), concurrency=1).run()
    return server.requests


def share(path: str) -> None:
    with DatasetStore(Path(path)) as store:
        shared_rows(store, "autoland")


def export(path: str, target: str) -> None:
    with DatasetStore(Path(path)) as store, mock.patch.object(legacy_export, "can_plot", lambda: False):
        legacy_export.export(Dataset(store, "autoland"), Path(target), overwrite=True, cancel=CancelToken())


def repair(path: str) -> None:
    store_module.repair(Path(path), CancelToken())


def copy(path: str, url: str) -> None:
    """To a bucket. The library of buckets writes without audit events: one before and one after each file."""
    put = mirror._put

    def put_step(*arguments: Any) -> int:
        sys.audit("os.rename", "", "", -1, -1)
        size = put(*arguments)
        sys.audit("os.rename", "", "", -1, -1)
        return size

    mirror._put = put_step
    with DatasetStore(Path(path)) as store:
        mirror.mirror(store, url, cancel=CancelToken())


def batches() -> list[list[Any]]:
    chance = random.Random(7)
    return [
        [
            (chance.randrange(1, 400), chance.random() < 0.7, chance.random() < 0.5, 1.0, chance.randrange(1, 5))
            for _ in range(chance.randrange(1, 30))
        ]
        for _ in range(8)
    ]


def write_batches(path: str) -> None:
    """Those that are not logged yet, each with its log record."""
    with DatasetStore(Path(path), create=True) as store:
        for number, batch in enumerate(batches()):
            if str(number) not in store.log.outcomes("autoland", "batch"):
                record = FetchRecord("autoland", "batch", str(number), "ok", 1, len(batch))
                store.commit("autoland", {"pairs": measurement_frame(batch)}, [record], cancel=CancelToken())
