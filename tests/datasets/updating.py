"""An update that is going to be killed: the same world each time, each request reported before it is asked."""

from __future__ import annotations

import random
from pathlib import Path

from backends.cancel import CancelToken
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.update import Update
from backends.treeherder.datasets.wanted import Wanted
from tests.datasets.fake_treeherder import DAY, FakeTreeherder


def world_of(seed: int, at: int) -> FakeTreeherder:
    """200 pushes of 100 days, some with values, the older ones without jobs."""
    chance = random.Random(seed)
    found = FakeTreeherder({number: at - number * DAY // 2 for number in range(1, 201)})
    for push in range(1, 201):
        for job in range(chance.choice((0, 0, 0, 1, 5))):
            after = chance.randrange(2000)
            for signature in range(chance.randrange(1, 8)):
                found.measure(signature, 100 * push + job, push, after=after, expired=push > 150)
    found.summaries = [{"id": number, "status": 0, "alerts": [{"id": number}]} for number in range(1, 351)]
    return found


def update(path: Path, seed: int, at: int, jobs: str) -> None:
    world = world_of(seed, at)

    def told(asked: str, query: object) -> int:
        print(asked, flush=True)
        return 0

    world.fails = told
    wanted = Wanted("autoland", at - 120 * DAY, at, jobs=jobs, fresh=3600)  # type: ignore[arg-type]
    with Store(path, create=True) as store:
        Update(store, world.server(), wanted, cancel=CancelToken(), concurrency=2).run()
