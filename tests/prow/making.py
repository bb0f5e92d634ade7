"""Builds as Prow writes them, for a `Bucket`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http
from backends.prow.bucket import BucketReader, open_bucket
from backends.prow.build_reader import EPOCH_MS
from backends.resources import Resource, read_list
from backends.systems import open_resource, parse_locator
from tests.prow.bucket_server import Bucket
from tui.commands.prow import filter_rows

NAME = "ci-logs"
JOB = "logs/periodic-a/"


def snowflake(ago: float, step: int = 0) -> str:
    """An id of that many seconds ago."""
    return str((int((time.time() - ago) * 1000) - EPOCH_MS) << 22 | 1 << 12 | step)


def at(build: str) -> int:
    return ((int(build) >> 22) + EPOCH_MS) // 1000


def build(
    bucket: Bucket, number: str, job: str = JOB, *, result: str | None = "SUCCESS", passed: bool | None = None,
    seconds: int = 600, log: str = "line\n", packed: bool = False, pull: dict[str, Any] | None = None,
    leave_out: tuple[str, ...] = (), artifacts: tuple[str, ...] = ("metadata.json",), description: str = "",
) -> str:  # fmt: skip
    """Puts a build there; gives its folder."""
    folder, began = f"{job}{number}/", at(number)
    files: dict[str, Any] = {
        "started.json": {"timestamp": began},
        "prowjob.json": {
            "spec": {"type": "periodic", "cluster": "build01", "refs": pull or {}},
            "status": {"state": (result or "pending").lower(), "description": description},
        },
        "podinfo.json": {"pod": {}},
    }
    if result is not None:
        ok = passed if passed is not None else result.upper() == "SUCCESS"
        files["finished.json"] = {"timestamp": began + seconds, "passed": ok, "result": result}
        files["build-log.txt"] = log
    for name, body in files.items():
        if name not in leave_out:
            bucket.put(folder + name, body, packed=packed and name == "build-log.txt")
    if result is not None:
        for name in artifacts:
            bucket.put(f"{folder}artifacts/{name}", "{}")
    return folder


def settings(bucket: Bucket, **more: Any) -> Settings:
    return Settings(gcs_url=bucket.url, **more)


def opened(bucket: Bucket, http: Http, text: str, **more: Any) -> Resource:
    """What a text lists in the bucket's storage."""
    return open_resource(parse_locator(text), http, settings(bucket, **more), CancelToken())


def archive(bucket: Bucket, http: Http, text: str = f"gs://{NAME}/{JOB}") -> BucketReader:
    return open_bucket(parse_locator(text), http, settings(bucket))  # type: ignore[arg-type]


def rows(resource: Resource) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for page in resource.pages(CancelToken()):
        if page.replace:
            found.clear()
        found.update((str(row[resource.schema.key]), row) for row in page.frame.iter_rows(named=True))
    return list(found.values())


def arriving(order: Random) -> type[Any]:
    """Stands in for `PriorityPool`: the same results, in an order and in batches that chance decides."""

    class Arriving:
        def __init__(self, ask: Any, cancel: CancelToken, workers: int = 16, name: str = "") -> None:
            self.ask, self.cancel, self.questions = ask, cancel, list[Any]()

        def __enter__(self) -> Arriving:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def submit(self, questions: Any) -> None:
            self.questions += [question for _, question in questions]

        def batches(self) -> Iterator[list[Any]]:
            order.shuffle(self.questions)
            while self.questions:
                size = order.randint(1, 3)
                batch, self.questions = self.questions[:size], self.questions[size:]
                yield [self.ask(question, self.cancel) for question in batch]

    return Arriving


def printed(resource: Resource) -> tuple[str, tuple[str, ...], bool]:
    """What a verb prints: the rows in the list's own order as CSV, and the notes; and whether something is missing."""
    found = read_list(resource, CancelToken())
    return filter_rows(found.frame, resource, "").write_csv(), found.notes, found.partial
