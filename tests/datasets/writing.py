"""What a writer that is going to be killed does: batches into a store, each noted, reported on stdout when it is in."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl

from backends.cancel import CancelToken
from backends.treeherder.datasets.ledger import Fetch
from backends.treeherder.datasets.store import Store


def batches_of(seed: int, count: int) -> list[list[Any]]:
    chance = random.Random(seed)
    return [
        [
            (chance.randrange(1, 400), chance.random() < 0.7, chance.random() < 0.5, 1.0, chance.randrange(1, 5))
            for _ in range(chance.randrange(1, 30))
        ]
        for _ in range(count)
    ]


def write_all(path: Path, seed: int, count: int) -> None:
    from tests.datasets.test_dataset_store_model import frame

    with Store(path, create=True) as store:
        for number, batch in enumerate(batches_of(seed, count)):
            if str(number) in store.ledger.known("autoland", "batch"):
                continue
            rows = frame(batch)
            assert isinstance(rows, pl.DataFrame)
            note = Fetch("autoland", "batch", str(number), "ok", 1, len(batch))
            store.commit("autoland", {"pairs": rows}, [note], cancel=CancelToken())
            print(number, flush=True)
