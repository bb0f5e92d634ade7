"""Statistics and comparisons of groups as lists: what each row leads to, and that its numbers are the group's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.errors import UsageError
from backends.http import Http
from backends.locators import InvalidLocatorError, Locator
from backends.resources import Link, Question, Resource, read_list
from backends.systems import parse_locator
from backends.taskcluster.compare import SERIES_CHANGES, TASK_CHANGES
from backends.taskcluster.group_stats import CRITICAL_PATH, GROUP_STATISTICS, TIMELINE_LINES, critical_path
from backends.taskcluster.locators import (
    GroupComparison,
    GroupView,
    PushGroup,
    Task,
    TaskArtifacts,
    TaskGroup,
    TaskMeasurements,
)
from backends.taskcluster.resolve import resolve
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, open_list, task_id

OTHER = "gN1SbArXTPSVFNUvaOlinQ"


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=80), elapsed=lambda: 500.0) as found:
        yield found


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Http]:
    with Http(cache_dir=tmp_path) as found:
        yield found


class Demo:
    def __init__(self, server: DemoServer, http: Http) -> None:
        self.root, self.http, self.server = server.root_url, http, server
        self.known = demo_locators(server.options, server.root_url)
        self.finished = parse_locator(self.known["taskcluster.finished-group"]).group_id  # type: ignore[attr-defined]
        self.running = parse_locator(self.known["taskcluster.running-group"]).group_id  # type: ignore[attr-defined]

    def open(self, text: str | Locator) -> Resource:
        locator = parse_locator(self.known.get(f"taskcluster.{text}", text)) if isinstance(text, str) else text
        return open_list(resolve(locator, self.http, self.root), self.http, self.root)

    def rows(self, text: str | Locator) -> pl.DataFrame:
        return read_list(self.open(text), CancelToken()).frame


@pytest.fixture
def demo(server: DemoServer, http: Http) -> Demo:
    return Demo(server, http)


# ---- statistics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["suite", "platform", "worker_pool", "kind", "state"])
def test_a_breakdown_counts_every_task_once_and_opens_them(demo: Demo, by: str) -> None:
    tasks = demo.rows("finished-group")
    view = demo.open(f"taskcluster:breakdown/{demo.finished}/{by}")
    frame = read_list(view, CancelToken()).frame
    assert frame.schema == pl.Schema(GROUP_STATISTICS.polars()) and frame["tasks"].sum() == tasks.height
    seen: list[str] = []
    for row in frame.iter_rows(named=True):
        opened = view.open(row)
        assert isinstance(opened, TaskGroup) and parse_locator(opened.text()) == opened
        there = demo.rows(opened)
        assert there.height == row["tasks"] and set(there[by]) == {row["group"]}
        seen += there["task_id"].to_list()
    assert sorted(seen) == sorted(tasks["task_id"])
    measured = view.measurements(frame.head(2))
    assert isinstance(measured, TaskMeasurements) and len(measured.task_ids) == frame.head(2)["tasks"].sum()


def test_a_breakdown_of_marked_tasks_is_of_these_alone(demo: Demo) -> None:
    tasks = demo.rows("finished-group")
    group = demo.open("finished-group")
    read_list(group, CancelToken())
    entries = [one for one in group.menu(None, tasks.head(7)) if isinstance(one, Link)]
    view = next(one.opens for one in entries if isinstance(one.opens, GroupView) and one.opens.by == "kind")
    assert view.task_ids == tuple(tasks.head(7)["task_id"])
    assert demo.rows(view)["tasks"].sum() == 7
    whole = [one.opens for one in group.menu(None, tasks) if isinstance(one, Link) and isinstance(one.opens, GroupView)]
    assert all(one.task_ids == () for one in whole)  # a locator of a whole group stays short


def test_a_breakdown_by_what_nearly_every_task_has_its_own_of_says_so(demo: Demo) -> None:
    for by in ("created", "nothing"):
        with pytest.raises(UsageError):
            demo.rows(f"taskcluster:breakdown/{demo.finished}/{by}")


def test_the_timeline_is_drawn_as_two_lines(demo: Demo) -> None:
    view = demo.open(f"taskcluster:timeline/{demo.finished}")
    frame = read_list(view, CancelToken()).frame
    assert frame.schema == pl.Schema(TIMELINE_LINES.polars()) and frame["key"].is_unique().all()
    chart = view.chart
    assert chart is not None and chart.joined and {chart.x, chart.y, chart.by} <= set(frame.columns)
    assert set(frame[chart.by]) == {"running", "pending"} and frame[chart.x].dtype == pl.Datetime("ms", "UTC")
    assert view.summary(frame).startswith("at most ")


def test_the_critical_path_needs_no_second_reading_of_the_group(demo: Demo, server: DemoServer) -> None:
    tasks = demo.rows("finished-group")
    server.requests.clear()
    view = demo.open(f"taskcluster:critical-path/{demo.finished}")
    frame = read_list(view, CancelToken()).frame
    assert list(server.requests) == []
    assert frame.schema == pl.Schema(CRITICAL_PATH.polars()) and frame.height > 1
    assert frame.equals(critical_path(tasks))
    row = frame.row(0, named=True)
    assert view.open(row) == Task(row["task_id"], None, demo.root) and view.document(row) is not None
    assert isinstance(view.open_marked(frame), TaskArtifacts)


def test_an_old_listing_is_not_taken_for_the_group(
    queue: FakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = queue.http(tmp_path)
    queue.group([[entry(1)]])
    read_list(open_list(TaskGroup(GROUP), http, ROOT), CancelToken())
    queue.group([[entry(1), entry(2)]])
    view = GroupView("breakdown", GROUP, "kind")
    assert read_list(open_list(view, http, ROOT), CancelToken()).frame["tasks"].sum() == 1
    monkeypatch.setattr("backends.taskcluster.group_cache.FRESH", 0.0)
    assert read_list(open_list(view, http, ROOT), CancelToken()).frame["tasks"].sum() == 2


def test_views_of_an_empty_group_are_empty_and_say_why(demo: Demo) -> None:
    empty = parse_locator(demo.known["taskcluster.empty-group"]).group_id  # type: ignore[attr-defined]
    for view in (f"breakdown/{empty}/suite", f"timeline/{empty}", f"critical-path/{empty}"):
        resource = demo.open(f"taskcluster:{view}")
        frame = read_list(resource, CancelToken()).frame
        assert frame.is_empty() and resource.empty_text and resource.summary(frame) is not None


# ---- comparisons --------------------------------------------------------------------------------------------------


def two_groups(queue: FakeQueue) -> None:
    queue.group([[entry(1), entry(2, state="failed"), entry(3)]])
    new = [
        entry(11, metadata={"name": "test-linux/opt-suite-1"}),
        entry(12, metadata={"name": "test-linux/opt-suite-2"}),
    ]
    queue.answers[f"/api/queue/v1/task-group/{OTHER}/list"] = {"taskGroupId": OTHER, "tasks": new}


def test_two_groups_are_compared_by_label_and_each_row_opens_its_task(queue: FakeQueue) -> None:
    two_groups(queue)
    http = queue.http()
    view = open_list(resolve(parse_locator(f"taskcluster:compare/{GROUP}..{OTHER}"), http, ROOT), http, ROOT)
    frame = read_list(view, CancelToken()).frame
    assert frame.schema == pl.Schema(TASK_CHANGES.polars())
    changes = dict(frame.select("label", "change").rows())
    assert changes == {
        "test-linux/opt-suite-1": "same", "test-linux/opt-suite-2": "fixed", "test-linux/opt-suite-3": "missing"
    }  # fmt: skip
    opened = {row["label"][-1]: view.open(row) for row in frame.iter_rows(named=True)}
    assert opened == {
        "1": Task(task_id(11), None, ROOT),
        "2": Task(task_id(12), None, ROOT),
        "3": Task(task_id(3), None, ROOT),
    }
    links = [one for one in view.menu(frame.row(0, named=True), frame.head(2)) if isinstance(one, Link)]
    narrow = next(one.opens for one in links if isinstance(one.opens, GroupComparison))
    assert narrow.measured and parse_locator(narrow.text()) == narrow
    assert view.summary(frame) == "1 fixed · 1 missing"


def test_one_side_that_is_gone_is_said_and_not_taken_for_missing_tasks(queue: FakeQueue) -> None:
    queue.group([[entry(1)]])
    http = queue.http()
    view = open_list(resolve(parse_locator(f"taskcluster:compare/{GROUP}..{OTHER}"), http, ROOT), http, ROOT)
    with pytest.raises(Exception, match="404"):
        read_list(view, CancelToken())


def test_a_push_is_a_side_as_good_as_a_group(demo: Demo) -> None:
    push = parse_locator(demo.known["taskcluster.push"])
    assert isinstance(push, PushGroup)
    found = resolve(GroupComparison(push, TaskGroup(demo.running), False), demo.http, demo.root)
    assert found == GroupComparison(TaskGroup(demo.finished), TaskGroup(demo.running), False, (), demo.root)


def test_what_holds_no_tasks_is_no_side(demo: Demo) -> None:
    group = demo.open("finished-group")
    frame = read_list(group, CancelToken()).frame
    question = next(one for one in group.menu(None, frame) if isinstance(one, Question))
    with pytest.raises(InvalidLocatorError):
        question.opens("taskcluster:artifact/fN1SbArXTPSVFNUvaOlinQ/0/public/x")
    with pytest.raises(InvalidLocatorError):
        question.opens("nonsense")
    answer = question.opens(demo.running)
    assert isinstance(answer, GroupComparison)
    assert read_list(demo.open(answer), CancelToken()).frame["tasks_base"].sum() > 0


def test_the_series_of_two_tasks_are_compared_down_to_their_values(demo: Demo) -> None:
    group = demo.open("finished-group")
    frame = read_list(group, CancelToken()).frame
    perf = frame.filter(pl.col("suite").str.contains("browsertime|talos") & (pl.col("state") == "completed")).head(2)
    locator = group.compare(perf)
    assert isinstance(locator, GroupComparison) and parse_locator(locator.text()) == locator
    view = demo.open(locator)
    series = read_list(view, CancelToken()).frame
    assert series.schema == pl.Schema(SERIES_CHANGES.polars()) and series.height > 1
    row = series.row(0, named=True)
    values = demo.open(view.open(row))  # type: ignore[arg-type]
    told = read_list(values, CancelToken()).frame
    sides = dict(told["side"].value_counts().iter_rows())
    assert sides.get("base", 0) == row["n_base"] and sides.get("new", 0) == row["n_new"]
    for side, median in (("base", row["median_base"]), ("new", row["median_new"])):
        assert told.filter(pl.col("side") == side)["value"].median() == median
    file = values.open(told.row(0, named=True))
    assert file is not None and "perfherder-data" in file.text()
    chart = values.chart
    assert chart is not None and {chart.x, chart.y, chart.by} <= set(told.columns)


def test_tasks_that_measured_nothing_in_common_are_told_why_no_series_has_a_verdict(demo: Demo) -> None:
    group = demo.open("finished-group")
    frame = read_list(group, CancelToken()).frame
    perf = frame.filter(pl.col("suite").str.contains("browsertime") & (pl.col("state") == "completed"))
    locator = group.compare(perf.unique("platform", maintain_order=True).head(2))
    assert locator is not None
    found = read_list(demo.open(locator), CancelToken())
    assert found.frame["verdict"].null_count() == found.frame.height > 0
    assert any("No series is on both sides" in note for note in found.notes)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_comparing_anything_but_two_says_how_many_are_marked(demo: Demo, count: int) -> None:
    group = demo.open("finished-group")
    with pytest.raises(UsageError, match=f"{count} are marked"):
        group.compare(read_list(group, CancelToken()).frame.head(count))


def test_groups_of_two_deployments_can_be_compared(queue: FakeQueue) -> None:
    two_groups(queue)
    there = f"https://other.example/tasks/groups/{OTHER}"
    http = queue.http()
    locator = GroupComparison(TaskGroup(GROUP), parse_locator(there))  # type: ignore[arg-type]
    found = resolve(locator, http, ROOT)
    assert parse_locator(found.text()) == found
    assert read_list(open_list(found, http, ROOT), CancelToken()).frame.height == 3
