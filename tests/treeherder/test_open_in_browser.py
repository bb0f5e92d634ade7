"""“Open in browser” leads to the list or the thing that is on the screen: its page's URL, pasted, opens it again."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http
from backends.resources import Resource, read_list
from backends.systems import open_resource, parse_locator
from backends.taskcluster.locators import PushGroup, Task
from backends.treeherder.locators import (
    ALERT_FLAGS,
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    Frameworks,
    Pushes,
    PushJobs,
    Repositories,
    Series,
    SeriesRef,
    Side,
    Signatures,
    SimilarJobs,
    TreeherderLocator,
)
from tests.treeherder.fake_treeherder import FakeTreeherder
from tests.treeherder.listing import Lists

TH = "https://treeherder.mozilla.org"
OWN = "https://th.example:8443"
A, C, D = "a" * 40, "c" * 40, "d" * 40
DAYS = (1, 2, 7, 14, 30, 60, 90, 365)  # the time ranges that the pages offer


def open_unread(locator: TreeherderLocator, base: str = TH) -> Resource:
    """The list of a locator, before any server has been asked."""
    http = Http(transport=httpx.MockTransport(lambda request: httpx.Response(500)))
    return open_resource(locator, http, Settings(treeherder_url=base), CancelToken())


repositories = st.sampled_from(["autoland", "mozilla-central", "try", "comm.x_1"])
numbers = st.integers(1, 10**12)
revisions = st.from_regex(r"\A[0-9a-f]{40}\Z")
frameworks = st.sampled_from(["1", "2", "4", "13", "15", "999"])
spans = st.sampled_from([days * 86400 for days in DAYS])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
refs = st.builds(SeriesRef, repositories, st.builds(str, numbers) | revisions, frameworks)
some_refs = st.lists(refs, min_size=1, max_size=6, unique=True).map(tuple)
flags = st.sets(st.sampled_from(ALERT_FLAGS)).map(lambda chosen: tuple(sorted(chosen)))
statuses = st.sampled_from(["", *map(str, range(10)), "untriaged", "Won't fix", "backedout"])
names = st.just("") | repositories
maybe_days = st.just("") | st.dates().map(str)
maybe_revisions = st.just("") | revisions
maybe = st.none() | numbers
pairs = st.lists(st.tuples(repositories, revisions), max_size=2).map(tuple)
moments = st.tuples(st.integers(1, 1_700_000_000), st.integers(1, 10**8)).map(lambda pair: (pair[0], sum(pair)))
servers = st.sampled_from(["", OWN])


def zoomed(series: tuple[SeriesRef, ...], limits: tuple[int, int], replicates: bool) -> Series:
    return Series(series, None, *limits, replicates)


def compared(base: tuple[str, str], new: tuple[str, str], framework: str, replicates: bool,
             others: tuple[tuple[str, str], ...]) -> Compare:  # fmt: skip
    left = tuple(pair for pair in dict.fromkeys(others) if pair != new)
    return Compare(*base, *new, framework, replicates=replicates, others=left)


sides = st.tuples(repositories, revisions)
locators: st.SearchStrategy[TreeherderLocator] = st.one_of(
    st.builds(Series, some_refs, st.none() | spans, replicates=st.booleans()),
    st.builds(zoomed, some_refs, moments, st.booleans()),
    st.builds(AlertSummaries, names, st.just("") | frameworks, statuses, words, words, maybe, maybe, flags),
    st.builds(AlertSummary, numbers),
    st.builds(compared, sides, sides, frameworks, st.booleans(), pairs),
    st.builds(Compare, repositories, st.just(""), repositories, revisions, frameworks, interval=spans,
              replicates=st.booleans()),
    st.builds(Compare, repositories, revisions, repositories, revisions, frameworks, numbers, numbers,
              replicates=st.booleans()),
    st.builds(Pushes, repositories, words, words, maybe_days, maybe_days, maybe, from_revision=maybe_revisions,
              to_revision=maybe_revisions),
    st.builds(PushJobs, repositories, numbers),
    st.builds(SimilarJobs, repositories, numbers),
    st.builds(Signatures, repositories, st.just("") | frameworks, st.none() | spans.filter(lambda s: s != 14 * 86400),
              st.booleans(), platform=words),
    st.builds(Signatures, repositories, frameworks, parent=revisions),
    st.just(Repositories()),
    st.just(Frameworks()),
)  # fmt: skip


@settings(deadline=None)
@given(locators, servers)
def test_the_page_that_the_browser_opens_is_the_list_on_the_screen(locator: TreeherderLocator, server: str) -> None:
    if server and isinstance(locator, Compare) and locator.others:
        locator = replace(locator, others=())  # no page and no API of a server of one's own shows several
    locator = replace(locator, server=server)  # type: ignore[call-arg]
    url = open_unread(locator).web_url()
    assert url is not None and parse_locator(url) == locator


@settings(deadline=None)
@given(some_refs, st.none() | moments)
def test_a_graph_is_asked_for_with_the_framework_of_each_series(
    series: tuple[SeriesRef, ...], limits: tuple[int, int] | None
) -> None:
    at = Series(series) if limits is None else zoomed(series, limits, False)
    opened = parse_locator(str(open_unread(at).web_url()))
    assert isinstance(opened, Series)
    assert [ref.framework for ref in opened.series] == [ref.framework for ref in series]


NAMES = {
    AlertSummaries(framework="browsertime", status="fixed"): AlertSummaries(framework="13", status="7"),
    AlertSummaries(framework="awsy", status="won't fix"): AlertSummaries(framework="4", status="6"),
    Signatures("autoland", "js-bench"): Signatures("autoland", "11"),
    Compare("try", A, "try", C, "build_metrics"): Compare("try", A, "try", C, "2"),
}


@pytest.mark.parametrize("locator", NAMES)
def test_pages_get_numbers_where_a_person_wrote_names(locator: TreeherderLocator) -> None:
    assert parse_locator(str(open_unread(locator).web_url())) == NAMES[locator]


def query_of(url: str | None) -> dict[str, list[str]]:
    return parse_qs(urlsplit(str(url)).query, keep_blank_values=True)


def series_of(fake: FakeTreeherder, values: list[float]) -> None:
    def summary(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["signature"])
        data = [
            {"id": place, "job_id": None, "push_id": place, "revision": A, "value": value,
             "push_timestamp": f"2026-11-0{place}T00:00:00"}
            for place, value in enumerate(values, 1)
        ]  # fmt: skip
        row = {"signature_id": number, "framework_id": 13, "suite": "amazon", "platform": "linux", "data": data}
        return httpx.Response(200, json=[row])

    fake.answers["/api/performance/summary/"] = summary


def test_a_zoomed_graph_shows_the_values_and_the_framework_that_the_series_has(fake: FakeTreeherder) -> None:
    """The page zooms to the range of values in its URL: 0 to 0 showed nothing, framework 1 fetched nothing."""
    series_of(fake, [812.0, 840.0])
    resource = fake.list(Series((SeriesRef("autoland", "5"),), None, 1_793_000_000, 1_794_000_000))
    read_list(resource, CancelToken())
    query = query_of(resource.web_url())
    assert query["series"] == ["autoland,5,1,13"]
    start, end, low, high = map(float, query["zoom"][0].split(","))
    assert (start, end) == (1_793_000_000_000, 1_794_000_000_000)
    assert low < 812 and high > 840
    for place, values in enumerate(([7.0], [0.0], [-3.0, -3.0], [1e8 + 1, 1e8 + 2], [0.001, 0.002]), 6):
        series_of(fake, values)
        resource = fake.list(Series((SeriesRef("autoland", str(place)),), None, 1_793_000_000, 1_794_000_000))
        read_list(resource, CancelToken())
        low, high = map(float, query_of(resource.web_url())["zoom"][0].split(",")[2:])
        assert low < min(values) <= max(values) < high


def test_a_graph_reaches_back_as_far_as_its_zoom_and_a_range_is_one_of_the_pages(fake: FakeTreeherder) -> None:
    long_ago = Series((SeriesRef("autoland", "5"),), None, 1_000, 2_000)
    assert query_of(fake.list(long_ago).web_url())["timerange"] == [str(365 * 86400)]
    odd = Series((SeriesRef("autoland", "5"),), 3 * 86400)
    assert query_of(fake.list(odd).web_url())["timerange"] == [str(7 * 86400)]


def test_the_graph_of_two_sides_has_the_framework_of_each_and_marks_the_revisions(fake: FakeTreeherder) -> None:
    series_of(fake, [812.0, 840.0])
    both = ComparedValues(Side(SeriesRef("autoland", "5"), A), Side(SeriesRef("try", "6"), C))
    resource = fake.list(both)
    read_list(resource, CancelToken())
    query = query_of(resource.web_url())
    assert query["series"] == ["autoland,5,1,13", "try,6,1,13"]
    assert query["highlightedRevisions"] == [A[:12], C[:12]]


def test_alerts_and_signatures_lead_to_the_graph_of_their_own_framework(open_list: Lists) -> None:
    signatures, frame = open_list("perf.signatures")
    row = frame.row(0, named=True)
    opened = parse_locator(str(signatures.web_url(row)))
    assert replace(opened, server="") == replace(signatures.open(row), server="")
    assert opened.series[0].framework == row["framework_id"] == "13"
    alerts, frame = open_list("perf.alert-summary")
    row = frame.row(0, named=True)
    opened = parse_locator(str(alerts.web_url(row)))
    assert replace(opened, server="") == replace(alerts.open(row), server="", at=None)  # which no URL says
    assert opened.series[0].framework == row["framework_id"] != "1"


def test_a_push_and_a_job_lead_to_the_push_that_shows_them(open_list: Lists) -> None:
    pushes, frame = open_list(Pushes("autoland", count=3))
    push = frame.row(1, named=True)
    assert parse_locator(str(pushes.web_url(push))) == PushGroup("autoland", push["revision"])
    for locator in (pushes.open(push), PushJobs("autoland", int(push["push_id"]))):
        jobs, frame = open_list(locator)
        assert parse_locator(str(jobs.web_url())) == PushGroup("autoland", push["revision"])
        row = frame.filter(pl.col("task_id").is_not_null()).row(0, named=True)
        assert query_of(jobs.web_url(row))["revision"] == [push["revision"]]
        assert parse_locator(str(jobs.web_url(row))) == Task(row["task_id"], row["run"])


def test_a_row_of_a_comparison_leads_to_its_subtests_or_its_framework() -> None:
    resource = open_unread(Compare("try", A, "autoland", C))
    row = {"suite": "amazon", "test": "fcp", "framework_id": "13", "base_signature": "4", "new_signature": "5"}
    assert parse_locator(str(resource.web_url(row))) == Compare("try", A, "autoland", C, "13")
    assert query_of(resource.web_url(row))["search"] == ["amazon fcp"]
    below = Compare("try", A, "autoland", C, "13", 4, 5)
    assert parse_locator(str(resource.web_url({**row, "subtests": "yes"}))) == below


def test_a_comparison_that_the_server_fails_on_opens_in_the_view_that_works(fake: FakeTreeherder) -> None:
    """Treeherder's Mann-Whitney U is an error 500 as soon as one test has the same value everywhere."""
    resource = open_unread(Compare("try", A, "try", C, "13", replicates=True))
    assert query_of(resource.web_url())["test_version"] == ["mann-whitney-u"]
    resource._constant = 1  # type: ignore[attr-defined]
    assert query_of(resource.web_url())["test_version"] == ["student-t"]
    assert parse_locator(str(resource.web_url())) == resource.locator
