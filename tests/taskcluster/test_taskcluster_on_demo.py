"""The whole way against a server that speaks the protocol over a socket: group, artifacts, files, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.http import Http
from backends.http.response import ResponseSource
from backends.resources import Resource
from backends.systems import parse_locator
from backends.taskcluster.resolve import resolve
from backends.taskcluster.task_rows import TASKS
from tests.taskcluster.fake_queue import listed, open_list, shown


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=60)) as server:
        yield server


def opened(demo: DemoServer, http: Http, name: str) -> Resource:
    locator = parse_locator(demo_locators(demo.options, demo.root_url)[name])
    return open_list(resolve(locator, http, demo.root_url), http, demo.root_url)


def test_the_finished_group_is_listed_reopened_and_plans_its_files(demo: DemoServer, tmp_path: Path) -> None:
    with Http(cache_dir=tmp_path) as http:
        group = opened(demo, http, "taskcluster.finished-group")
        pages = listed(group)
        rows = shown(pages)
        assert len(rows) >= 60
        assert dict(pages[-1].frame.schema) == TASKS.polars()
        assert {row["group_id"] for row in rows.values()} == {group.locator.group_id}  # type: ignore[attr-defined]
        again = listed(group)
        assert again[0].freshness.source is ResponseSource.CACHE
        assert shown(again) == rows
        some = pages[-1].frame.head(10)
        files = [file for batch in group.files(some, CancelToken()) for file in batch]
        marked = group.open_marked(some)
        assert marked is not None
        listed_one_by_one = shown(listed(open_list(marked, http, demo.root_url)))
        assert len(files) == len({file.key for file in files}) == len(listed_one_by_one)


def test_hostile_names_are_rows_like_all_others(demo: DemoServer) -> None:
    with Http() as http:
        name = next(
            name for name in demo_locators(demo.options, demo.root_url) if name.startswith("taskcluster.hostile")
        )
        group = opened(demo, http, name)
        frame = listed(group)[-1].frame
        assert frame.height > 5
        assert all(group.detail(row) is not None for row in frame.iter_rows(named=True))
        files = [file for batch in group.files(frame, CancelToken()) for file in batch]
        assert files and all(file.url.startswith(f"{demo.root_url}/api/queue/v1/task/") for file in files)


@pytest.mark.parametrize(
    "name", ["running-group", "empty-group", "push", "running-push", "index", "task", "run", "artifact", "log"]
)
def test_every_locator_that_the_demo_prints_opens_a_list(demo: DemoServer, name: str) -> None:
    with Http() as http:
        resource = opened(demo, http, f"taskcluster.{name}")
        assert (shown(listed(resource)) == {}) is (name == "empty-group")


def test_an_automatically_retried_task_shows_its_first_runs_artifacts(demo: DemoServer) -> None:
    with Http() as http:
        rows = shown(listed(opened(demo, http, "taskcluster.retried-empty-task")))
        assert rows and {row["run"] for row in rows.values()} == {0}


def test_a_task_with_more_than_a_page_of_artifacts_is_whole(demo: DemoServer) -> None:
    with Http() as http:
        pages = listed(opened(demo, http, "taskcluster.many-artifacts-task"))
        assert len(shown(pages)) > 1000
        assert pages[-1].note == ""
