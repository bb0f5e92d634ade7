"""The index: descended level by level, whole where it has pages, and from a branch to its pushes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.errors import UsageError
from backends.http import Http
from backends.locators import Locator
from backends.resources import Link, Question, Resource, read_list
from backends.systems import parse_locator
from backends.taskcluster.index import INDEX
from backends.taskcluster.locators import IndexNamespace, IndexPath, Task, TaskGroup
from backends.taskcluster.resolve import NotResolvedError, resolve
from tests.taskcluster.fake_queue import ROOT, FakeQueue, open_list, reply, task_id


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=30)) as found:
        yield found


@pytest.fixture
def http() -> Iterator[Http]:
    with Http() as found:
        yield found


def opened(server: DemoServer, http: Http, text: str | Locator) -> Resource:
    locator = parse_locator(text) if isinstance(text, str) else text
    return open_list(resolve(locator, http, server.root_url), http, server.root_url)


def test_enter_leads_from_the_root_down_to_a_push(server: DemoServer, http: Http) -> None:
    resource: Resource = opened(server, http, "taskcluster:namespace/")
    for name in ("gecko", "v2", "autoland", "latest", "taskgraph"):
        frame = read_list(resource, CancelToken()).frame
        assert frame.schema == pl.Schema(INDEX.polars())
        row = next(row for row in frame.iter_rows(named=True) if row["name"] == name)
        assert row["kind"] == "namespace"
        down = resource.open(row)
        assert down is not None and parse_locator(down.text()) == down
        resource = opened(server, http, down)
    row = next(row for row in read_list(resource, CancelToken()).frame.iter_rows(named=True) if row["kind"] == "task")
    found = resource.open(row)
    assert isinstance(found, IndexPath)
    assert isinstance(resolve(found, http, server.root_url), TaskGroup)  # it is a decision task
    itself = [one.opens for one in resource.menu(row, pl.DataFrame()) if isinstance(one, Link)]
    assert Task(row["task_id"], None, server.root_url) in itself
    assert resource.document(row) is not None


@pytest.mark.parametrize(
    "text", ["gecko.v2", "index:gecko.v2.autoland", "gecko.v2.autoland.latest", "{root}/tasks/index/gecko.v2.autoland"]
)
def test_a_path_without_a_task_is_taken_for_a_namespace(server: DemoServer, http: Http, text: str) -> None:
    found = resolve(parse_locator(text.format(root=server.root_url)), http, server.root_url)
    assert isinstance(found, IndexNamespace) and found.root_url == server.root_url


def test_a_path_of_nothing_is_said_to_be_nothing(server: DemoServer, http: Http) -> None:
    with pytest.raises(NotResolvedError, match="neither a task nor a namespace"):
        resolve(parse_locator("gecko.v2.no-such-branch.latest"), http, server.root_url)


def test_a_branch_offers_its_latest_push_and_a_push_by_revision(server: DemoServer, http: Http) -> None:
    group = parse_locator(demo_locators(server.options, server.root_url)["taskcluster.finished-group"])
    revision = parse_locator(demo_locators(server.options)["taskcluster.push"]).revision  # type: ignore[attr-defined]
    resource = opened(server, http, "gecko.v2.autoland")
    menu = resource.menu(None, read_list(resource, CancelToken()).frame)
    latest = next(one for one in menu if isinstance(one, Link) and one.label.startswith("The latest push"))
    assert isinstance(latest.opens, IndexPath)
    assert isinstance(resolve(latest.opens, http, server.root_url), TaskGroup)
    question = next(one for one in menu if isinstance(one, Question) and "revision" in one.label)
    assert resolve(question.opens(f" {revision.upper()} "), http, server.root_url) == group
    with pytest.raises(UsageError):
        question.opens(revision[:12])


def test_another_path_is_asked_for_and_a_wrong_one_refused(server: DemoServer, http: Http) -> None:
    resource = opened(server, http, "gecko.v2.autoland")
    question = next(
        one for one in resource.menu(None, pl.DataFrame()) if isinstance(one, Question) and "path" in one.label
    )
    assert question.value == "gecko.v2.autoland"
    assert question.opens("gecko.v2.try.") == IndexPath("gecko.v2.try", server.root_url)
    assert question.opens(" ") == IndexNamespace("", server.root_url)
    with pytest.raises(UsageError):
        question.opens("no path/at all")


def test_a_long_namespace_is_listed_to_its_last_page(queue: FakeQueue) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("continuationToken", "0"))
        more = {"continuationToken": str(number + 1)} if number < 3 else {}
        return reply({"namespaces": [{"namespace": f"a.n{number}", "name": f"n{number}"}], **more})

    queue.answers["/api/index/v1/namespaces/a"] = page
    queue.answers["/api/index/v1/tasks/a"] = {"tasks": [{"namespace": "a.n0", "taskId": task_id(1), "rank": 5}]}
    found = read_list(open_list(IndexNamespace("a"), queue.http(), ROOT), CancelToken()).frame
    assert found["path"].to_list() == ["a.n0", "a.n1", "a.n2", "a.n3", "a.n0"]  # a path may be both
    assert found["kind"].to_list() == ["namespace"] * 4 + ["task"] and found["rank"][-1] == 5.0


def test_odd_entries_are_left_out_and_lose_no_others(queue: FakeQueue) -> None:
    queue.answers["/api/index/v1/namespaces/a"] = {"namespaces": [None, 5, {}, {"namespace": "a.b", "expires": "soon"}]}
    queue.answers["/api/index/v1/tasks/a"] = {"tasks": [{"namespace": "a.t", "taskId": 7, "rank": "high"}]}
    resource = open_list(IndexNamespace("a"), queue.http(), ROOT)
    frame = read_list(resource, CancelToken()).frame
    assert frame["path"].to_list() == ["a.b", "a.t"]
    for row in frame.iter_rows(named=True):
        resource.detail(row), resource.menu(row, frame), resource.web_url(row)
    assert resource.open_marked(frame) is None
