"""A list of several pages is as old as its oldest page: nobody is told "just now" of rows from yesterday."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.http import CachePolicy, Http, Mode
from backends.http.response import Freshness, ResponseSource
from backends.prow.store import BlobPage, list_all
from backends.resources import Page, read_list
from backends.taskcluster.client import Client, TaskPage
from backends.taskcluster.group_cache import GroupListing
from backends.taskcluster.models import TasksEnvelope
from tests.driving import loaded, running, shown_view, status, until, view
from tests.panes import made_up
from tests.panes.made_up import Place, Things
from tests.taskcluster.fake_queue import ROOT, task_id

NEW, OLD = Freshness(), Freshness(ResponseSource.CACHE, 600.0)
ORIGINS = st.builds(Freshness, st.sampled_from(ResponseSource), st.floats(0, 1e7))


@given(st.lists(ORIGINS, min_size=1, max_size=6))
def test_the_oldest_page_gives_the_age_and_the_stalest_the_word(origins: list[Freshness]) -> None:
    found = origins[0]
    for freshness in origins[1:]:
        found = found.worse(freshness)
    assert found.age == max(freshness.age for freshness in origins)
    assert (found.source is ResponseSource.STALE) == any(
        freshness.source is ResponseSource.STALE for freshness in origins
    )


@pytest.mark.parametrize("origins", list(permutations([NEW, OLD, NEW])))
def test_a_gathered_list_is_as_old_as_its_oldest_page(origins: tuple[Freshness, ...]) -> None:
    pages = [Page(made_up.rows([number]), freshness) for number, freshness in enumerate(origins)]
    resource: Any = SimpleNamespace(schema=made_up.SCHEMA, pages=lambda cancel: iter(pages))
    found = read_list(resource, CancelToken())
    assert found.frame.height == 3 and found.freshness == OLD


@pytest.mark.parametrize("origins", list(permutations([NEW, OLD, NEW])))
def test_a_task_group_is_as_old_as_its_oldest_page(origins: tuple[Freshness, ...]) -> None:
    fetched = GroupListing("group")
    for freshness in origins:
        fetched.add(TaskPage(TasksEnvelope(taskGroupId="group"), freshness))
    assert fetched.freshness == OLD


@pytest.mark.parametrize("origins", list(permutations([NEW, OLD, NEW])))
def test_a_folder_of_a_bucket_is_as_old_as_its_oldest_page(origins: tuple[Freshness, ...]) -> None:
    listings = iter(
        BlobPage((), (f"folder{number}/",), "" if number == 2 else f"token{number}", freshness)
        for number, freshness in enumerate(origins)
    )
    source: Any = SimpleNamespace(list=lambda *_, **__: next(listings))
    found = list_all(source, "bucket", "", cancel=CancelToken())
    assert len(found.folders) == 3 and found.freshness == OLD


@pytest.mark.parametrize("refreshed", [0, 1])
def test_the_artifacts_of_a_run_are_as_old_as_the_older_of_two_pages(refreshed: int, tmp_path: Path) -> None:
    now = [1_000_000.0]

    def answer(request: httpx.Request) -> httpx.Response:
        page = 1 if "continuationToken" in request.url.params else 0
        token = {} if page else {"continuationToken": "next"}
        return httpx.Response(200, json={"artifacts": [{"name": f"public/{page}", "storageType": "s3"}], **token})

    with Http(cache_dir=tmp_path / "c", transport=httpx.MockTransport(answer), clock=lambda: now[0]) as http:
        deployment = Client(http, ROOT)
        assert len(deployment.fetch_artifacts(task_id(1), 0, True).entries) == 2
        now[0] += 600
        url = f"{ROOT}/api/queue/v1/task/{task_id(1)}/runs/0/artifacts"
        params: dict[str, str | int] = {"limit": 1000, **({"continuationToken": "next"} if refreshed else {})}
        http.with_mode(Mode.REFRESH).get(url, policy=CachePolicy.short(86_400), params=params)
        found = deployment.fetch_artifacts(task_id(1), 0, True)
    assert found.freshness == OLD and len(found.entries) == 2


@pytest.mark.parametrize("origins", [(OLD, NEW), (NEW, OLD)])
async def test_the_app_tells_the_age_of_the_oldest_page(
    origins: tuple[Freshness, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages(self: Things, cancel: CancelToken) -> Iterator[Page]:
        for number, freshness in enumerate(origins):
            yield Page(made_up.rows([number]), freshness)

    made_up.install(monkeypatch)
    monkeypatch.setattr(Things, "pages", pages)
    monkeypatch.setattr(Things, "updates", lambda *_: None)
    async with running(None) as (app, pilot):
        app.open_locator(Place())
        await until(pilot, lambda: view(app) is not None and loaded(app))
        assert "2 things" in status(app)
        freshness = shown_view(app)._freshness
    assert freshness == OLD
