"""A group of 2,000 tasks, whose pages are larger than a decoder gives out at once, in each coding that servers use."""

from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import Iterator

import pytest

from backends.demo import DemoOptions, DemoServer, locators
from tests.driving import running, shown_view, status

TASKS = 2000


@pytest.fixture(scope="module", params=["br", "gzip", "zstd"])
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=TASKS), codings=(request.param,)) as running_server:
        group = locators(running_server.options, running_server.root_url)["taskcluster.finished-group"]
        url = f"{running_server.root_url}/api/queue/v1/task-group/{group.rsplit('/', 1)[1]}/list"
        asked = urllib.request.Request(url, headers={"accept-encoding": "gzip, br, zstd"})
        with urllib.request.urlopen(asked) as answer:
            assert answer.headers["content-encoding"] == request.param
        yield running_server


@pytest.fixture
def group(server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.settings.items():
        monkeypatch.setenv(name, value)
    return locators(server.options, server.root_url)["taskcluster.finished-group"]


def test_all_2000_tasks_are_listed_headless(
    group: str, server: DemoServer, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    from tui.cli import run

    before = len(server.requests)
    assert run(["taskcluster", "tasks", group, "--format", "csv"]) == 0
    out, err = capsysbinary.readouterr()
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert len({row["task_id"] for row in rows}) == len(rows) == TASKS
    assert err == b""
    listings = [request for request in list(server.requests)[before:] if request.path.endswith("/list")]
    assert len(listings) == 3, "two full pages and an empty one, each asked for once"


@pytest.mark.parametrize("server", ["zstd"], indirect=True)  # codings are decoded below what the app does differently
async def test_all_2000_tasks_are_listed_in_the_app(group: str) -> None:
    async with running(group, mode="no-cache") as (app, _):
        assert shown_view(app).table.total_count == TASKS
        assert shown_view(app).table.frame["task_id"].n_unique() == TASKS
        assert "2,000 tasks" in status(app)
