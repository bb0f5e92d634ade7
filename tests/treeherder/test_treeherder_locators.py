"""Perfherder's addresses open what they show, and Treeherder's job pages go on opening the task group."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError, Locator
from backends.systems import parse_locator
from backends.taskcluster.locators import PushGroup, Task
from backends.treeherder.locators import (
    AlertSummaries,
    AlertSummary,
    Compare,
    CompareByHash,
    CompareByLandingJob,
    ComparedValues,
    Frameworks,
    JobFailures,
    LandoPush,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    SeriesRef,
    Side,
    Signatures,
    SimilarJobs,
)

TH = "https://treeherder.mozilla.org"
REV = "461f03d1372ca4aef42a5af93fa4e5e1f14fe5b3"
NEW = "8ac66e90f84727627eee11aa56bf8547ab56474d"
HASH = "9df37f2265f9bffc9c3bf40b07c4b22c3bd44a51"
ONE, TWO = SeriesRef("autoland", "3816"), SeriesRef("mozilla-central", "351")
THIRD = "0123456789abcdef0123456789abcdef01234567"
STAGE = "https://treeherder.allizom.org"
PC, BASE = "https://perf.compare", f"baseRev={REV}&baseRepo=try"

FORMS: dict[str, Locator] = {
    f"{TH}/perfherder": Repositories(),
    f"{TH}/perfherder/graphs?series=autoland,3816,1,13&timerange=1209600": Series((ONE,), 1209600),
    f"{TH}/perfherder/graphs?highlightedRevisions=ba4e2c4366b6&series=autoland%2C3816%2C1%2C13"
    "&series=mozilla-central%2C351%2C0%2C1&selected=3816,99": Series((ONE, TWO)),
    f"{TH}/perfherder/graphs?series=autoland,3816,1,13&timerange=99&zoom=1795000000000,1795100000000,1,2": Series(
        (ONE,),
        None,
        1795000000,
        1795100000,
    ),
    f"{TH}/perfherder/graphs?series=autoland,3816,1,13&replicates=true": Series((ONE,), replicates=True),
    f"{TH}/perf.html#/graphs?series=%5Bautoland,{HASH},1,1%5D": Series((SeriesRef("autoland", HASH),)),
    f"{TH}/perfherder/alerts?id=288&hideDwnToInv=0": AlertSummary(288),
    f"{TH}/perf.html#/alerts?id=288": AlertSummary(288),
    f"{TH}/api/performance/alertsummary/288/": AlertSummary(288),
    f"{TH}/perfherder/alerts?status=10&framework=13&hideDwnToInv=1&filterText=tp5o": AlertSummaries(
        framework="13",
        words="tp5o",
        flags=("hide-related", "untriaged-regressions"),
    ),
    f"{TH}/perfherder/alerts": AlertSummaries(framework="1", status="0"),
    f"{TH}/perfherder/alerts?status=-1&framework=1": AlertSummaries(framework="1", flags=("hide-improvements",)),
    f"{TH}/perfherder/alerts?status=-2&framework=-2": AlertSummaries(flags=("sheriffed",)),
    f"{TH}/perfherder/alerts?status=7&framework=-1&hideDwnToInv=0&page=3&filterText=": AlertSummaries(status="7"),
    f"{TH}/perfherder/alerts?framework=browsertime&monitoredAlerts=1&status=11": AlertSummaries(
        framework="browsertime", flags=("monitored", "untriaged-improvements")
    ),
    f"{STAGE}/perfherder/alerts?id=288": AlertSummary(288, STAGE),
    f"{STAGE}/perfherder": Repositories(STAGE),
    f"{TH}/perfherder/tests?framework=13&project=autoland": Signatures("autoland", "13"),
    f"{TH}/jobs?repo=try&author=a%40example.org": Pushes("try", "a@example.org"),
    f"{TH}/#/jobs?repo=autoland": Pushes("autoland"),
    f"{TH}/perfherder/compare?originalProject=try&originalRevision={REV}&newProject=try&newRevision={NEW}"
    "&framework=13&selectedTimeRange=172800": Compare("try", REV, "try", NEW, "13"),
    f"{TH}/perfherder/compare?originalProject=autoland&newProject=try&newRevision={NEW}&selectedTimeRange=172800": (
        Compare("autoland", "", "try", NEW, interval=172800)
    ),
    f"{TH}/perfherder/comparesubtest?originalProject=try&originalRevision={REV[:12]}&newProject=try"
    f"&newRevision={NEW}&originalSignature=5830&newSignature=5830&framework=13": Compare(
        "try",
        REV[:12],
        "try",
        NEW,
        "13",
        5830,
        5830,
    ),
    f"{TH}/perfherder/comparesubtestdistribution?originalProject=try&newProject=try&originalRevision={REV}"
    f"&newRevision={NEW}&originalSubtestSignature=1&newSubtestSignature=2": ComparedValues(
        Side(SeriesRef("try", "1"), REV),
        Side(SeriesRef("try", "2"), NEW),
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=1": Compare(
        "try", REV, "try", NEW, "1", replicates=True
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=13&replicates": Compare(
        "try", REV, "try", NEW, "13", replicates=True
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=13&test_version=mann-whitney-u": Compare(
        "try", REV, "try", NEW, "13", replicates=True
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=13&test_version=student-t": Compare(
        "try", REV, "try", NEW, "13"
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&test_version=student-t&replicates&sort=delta|desc": Compare(
        "try", REV, "try", NEW, "1", replicates=True
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&newRev={REV}&newRepo=autoland&framework=13": Compare(
        "try", REV, "try", NEW, "13", replicates=True, others=(("autoland", REV),)
    ),
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRev={THIRD}&newRev={REV}&newRepo=try&newRepo=try&newRepo=autoland": (
        Compare("try", REV, "try", NEW, "1", replicates=True, others=(("try", THIRD), ("autoland", REV)))
    ),
    f"{PC}/compare-results?{BASE}": Compare("try", REV, "try", REV, "1", replicates=True),
    f"{PC}/compare-over-time-results?baseRepo=mozilla-central&newRev={NEW}&newRepo=try&framework=1"
    "&selectedTimeRange=86400": Compare("mozilla-central", "", "try", NEW, "1", interval=86400, replicates=True),
    f"{PC}/subtests-compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=1"
    "&baseParentSignature=4&newParentSignature=5": Compare("try", REV, "try", NEW, "1", 4, 5, replicates=True),
    f"perf.compare/compare-results?{BASE}&newRev={NEW}&newRepo=try": Compare(
        "try", REV, "try", NEW, "1", replicates=True
    ),
    f"{PC}/compare-hash-results?baseHash=12&newHash=345&baseRepo=try&newRepo=try&framework=1"
    "&baseHashDate=2026-11-20&newHashDate=2026-11-21": CompareByHash(
        "try", "12", "try", "345", "2026-11-20", "2026-11-21", framework="1", replicates=True
    ),
    f"{PC}/compare-lando-results?baseLando=12&newLando=345&baseRepo=try&newRepo=try&landoInstance=lando-prod-2025"
    "&test_version=student-t": CompareByLandingJob("try", 12, "try", 345, "lando-prod-2025", "1"),
    f"{TH}/jobs?repo=autoland&fromchange={REV}&tochange={NEW}": Pushes("autoland", from_revision=REV, to_revision=NEW),
    f"{TH}/jobs?fromchange={REV[:12]}": Pushes("autoland", from_revision=REV[:12]),
    f"{TH}/jobs?repo=autoland&tochange={REV}&startdate=2026-11-01": Pushes(
        "autoland", start="2026-11-01", to_revision=REV
    ),
    f"{TH}/jobs?repo=try&landoCommitID=12345": LandoPush("try", 12345),
    f"{TH}/jobs?repo=try&landoCommitID=12345&landoInstance=lando-prod-2025": LandoPush("try", 12345, "lando-prod-2025"),
    f"{TH}/": Pushes("autoland"),
    f"{TH}/push-health/push?repo=try&revision={REV}&tab=tests": PushOf("try", REV),
    f"{TH}/api/performance/summary/?repository=autoland&signature=3816&framework=13&interval=604800&all_data=true": (
        Series((ONE,), 604800)
    ),
    f"{TH}/api/performance/summary/?repository=autoland&signature=3816&startday=2026-11-01T00:00:00"
    "&endday=2026-11-02T00:00:00&replicates=true": Series((ONE,), None, 1793491200, 1793577600, True),
    f"{TH}/api/performance/summary/?repository=try&revision={REV}&framework=13&no_subtests=true": Compare(
        "try", REV, "try", REV, "13"
    ),
    f"{TH}/api/performance/alertsummary/?framework=13&status=0&limit=100&page=2&repository=77"
    "&hide_improvements=true": AlertSummaries("77", "13", "0", flags=("hide-improvements",)),
    f"{TH}/api/performance/alertsummary/?id=288": AlertSummary(288),
    f"{TH}/api/perfcompare/results/?base_repository=try&base_revision={REV}&new_repository=try&new_revision={NEW}"
    "&framework=13&no_subtests=true&replicates=true&test_version=mann-whitney-u": Compare(
        "try", REV, "try", NEW, "13", replicates=True
    ),
    f"{TH}/api/perfcompare/results/?base_repository=autoland&new_repository=try&new_revision={NEW}&framework=1"
    "&interval=86400&base_parent_signature=4&new_parent_signature=null": Compare(
        "autoland", "", "try", NEW, "1", 4, interval=86400
    ),
    f"{TH}/api/project/autoland/push/?fromchange={REV}&tochange={NEW}&count=1000": Pushes(
        "autoland", count=1000, from_revision=REV, to_revision=NEW
    ),
    f"{TH}/api/project/autoland/push/?revision={REV}": PushOf("autoland", REV),
    f"{TH}/api/project/autoland/push/280/status/": PushJobs("autoland", 280),
    f"{TH}/api/project/autoland/jobs/?push_id=280&count=2000": PushJobs("autoland", 280),
    f"{TH}/api/project/autoland/jobs/7/similar_jobs/?count=50": SimilarJobs("autoland", 7),
    f"{TH}/api/project/autoland/jobs/7/text_log_errors/": JobFailures("autoland", 7),
    f"{TH}/api/project/autoland/performance/signatures/?framework=13&interval=86400&subtests=0": Signatures(
        "autoland", "13", 86400
    ),
    f"{TH}/api/project/autoland/performance/signatures/?parent_signature={HASH}": Signatures("autoland", parent=HASH),
    f"{TH}/api/project/autoland/performance/data/?signature_id=3816&interval=99": Series((ONE,), 99),
    f"{STAGE}/api/repository/": Repositories(STAGE),
    f"{TH}/api/performance/framework/": Frameworks(),
    "perf:repositories": Repositories(),
    "perf:frameworks": Frameworks(),
    "perf:signatures/autoland/1": Signatures("autoland", "1"),
    "perf:signatures/autoland": Signatures("autoland"),
    f"PERF:signatures/autoland/browsertime?parent={HASH}&interval=86400": Signatures(
        "autoland", "browsertime", 86400, parent=HASH
    ),
    "perf:series/autoland:3816,mozilla-central:351?start=1&end=2": Series((ONE, TWO), None, 1, 2),
    "perf:alerts/autoland/13?status=untriaged": AlertSummaries("autoland", "13", "untriaged"),
    "perf:alert/62": AlertSummary(62),
    "perf:pushes/try?author=a%40example.org&from=2026-11-01": Pushes("try", "a@example.org", start="2026-11-01"),
    f"perf:push/autoland/{REV[:12]}": PushOf("autoland", REV[:12]),
    "perf:jobs/autoland/280": PushJobs("autoland", 280),
    f"perf:values/try:1@{REV}/try:2@17..?v=1": ComparedValues(
        Side(SeriesRef("try", "1"), REV), Side(SeriesRef("try", "2"), start=17)
    ),
}


@pytest.mark.parametrize("text", FORMS)
def test_an_address_opens_what_its_page_shows(text: str) -> None:
    assert parse_locator(text) == FORMS[text]


def test_a_job_page_still_opens_the_task_group_or_the_task() -> None:
    assert parse_locator(f"{TH}/jobs?repo=autoland&revision={REV}") == PushGroup("autoland", REV)
    assert parse_locator(f"{TH}/#/jobs?repo=autoland&revision={REV}") == PushGroup("autoland", REV)
    task = "A-mgp6ruSLWYD2BPAAQ_vQ"
    assert parse_locator(f"{TH}/jobs?repo=try&revision={REV}&selectedTaskRun={task}.1") == Task(task, 1)


REFUSED = {
    f"{TH}/perfherder/graphs?timerange=1": "no series",
    f"{TH}/perfherder/compare?originalProject=try&newProject=try&newRevision={NEW}": "two repositories",
    "https://perf.compare/compare-lando-results?baseLando=1&newLando=2": "Lando",
    "https://perf.compare/": "two repositories",
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRev={THIRD}&newRepo=try": "one newRepo= for each newRev=",
    f"{PC}/compare-results?{BASE}&newRev={NEW}": "1 new revision and no new repositories",
    f"{PC}/compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=-1": "framework= of this comparison",
    f"{PC}/compare-over-time-results?baseRepo=try&newRev={NEW}&newRepo=try": "how far back",
    f"{PC}/compare-over-time-results?baseRepo=try&newRev={NEW}&newRepo=try&selectedTimeRange=abc": "how far back",
    f"{PC}/subtests-compare-results?{BASE}&newRev={NEW}&newRepo=try&framework=13": "the suite on both sides",
    f"{PC}/subtests-compare-results?{BASE}&newRev={NEW}&newRepo=try&baseParentSignature=7&newParentSignature=": (
        "the suite on both sides"
    ),
    f"{TH}/perfherder/alerts?id=46331,46332": "one alert summary",
    f"{TH}/perfherder/alerts?id=abc&status=0": "one alert summary",
    f"{TH}/perfherder/alerts?status=99": "no status 99",
    f"{TH}/api/performance/alertsummary/?id=abc": "one alert summary",
    f"{TH}/api/performance/alertsummary/?status=99": "no status 99",
    f"{TH}/api/performance/summary/?repository=a&signature=1&startday=garbage": "startday= of this URL",
    f"{TH}/api/project/a/performance/data/?signature_id=1&start_date=x": "start_date= of this URL",
    f"{TH}/jobs?repo=autoland&startdate=2026-13-01": "startdate= of this URL is not a day",
    f"{TH}/jobs?repo=autoland&enddate=yesterday": "enddate= of this URL is not a day",
    f"{TH}/jobs?repo=autoland&fromchange=tip": "fromchange= of this URL is not a revision",
    f"{TH}/api/project/autoland/push/?tochange=12345": "tochange= of this URL is not a revision",
    "perf:pushes/try?from=2026-02-30": "'2026-02-30' is not a day",
    f"{PC}/compare-hash-results?baseRepo=try&newRepo=try&baseHash=1": "two hashes",
    f"{TH}/api/jobs/?push_id=280": "of which repository",
    f"{TH}/jobs?repo=try&landoCommitID=abc": "no valid landoCommitID",
    "http://treeherder.allizom.org/perfherder/alerts?id=1": "plain http",
    "perf:series/autoland": "'autoland' is not REPOSITORY:ID",
    "perf:series/autoland:1,autoland:x": "is not REPOSITORY:ID",
    "perf:jobs/autoland/abc": "'abc' is not a number",
    "perf:nothing/there": "unknown list: 'nothing'",
    "perf:signatures/autoland/1?server=treeherder.example": "names its server",
    f"perf:compare/try/{REV}/try": "NEW_REVISION is missing",
    "treeherder:pushes/try?from=yesterday": "'yesterday' is not a day",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_opened_says_why(text: str) -> None:
    with pytest.raises(InvalidLocatorError) as raised:
        parse_locator(text)
    assert REFUSED[text] in str(raised.value)


anything = st.text(st.characters(), max_size=30)
shapes = st.sampled_from(
    [
        "perf:", "perf:series/", "perf:values/", "perf:compare/", "perf:signatures/a/b?", "perf:alerts/a/b?",
        f"{TH}/perfherder/graphs?series=", f"{TH}/perfherder/graphs?series=a,1,1,1&zoom=", f"{TH}/perf.html#/",
        "https://perf.compare/compare-results?", f"{TH}/api/project/a/push/?", f"{TH}/api/performance/alertsummary/?",
        f"{TH}/api/performance/summary/?repository=a&signature=1&startday=", f"{TH}/perfherder/alerts?status=",
        f"{TH}/jobs?repo=a&", f"{TH}/api/project/",
        f"{PC}/compare-hash-results?baseRepo=a&newRepo=b&baseHash=1&newHash=",
    ]
)  # fmt: skip


@settings(deadline=None)
@given(st.builds(str.__add__, shapes, anything))
def test_no_text_breaks_the_perfherder_parser(text: str) -> None:
    with contextlib.suppress(InvalidLocatorError):
        locator = parse_locator(text)
        assert parse_locator(locator.text()) == locator


def test_a_status_that_is_no_number_is_what_the_page_makes_of_it() -> None:
    assert parse_locator(f"{TH}/perfherder/alerts?status=abc") == parse_locator(f"{TH}/perfherder/alerts")
    assert parse_locator(f"{TH}/perfherder/alerts?status=07") == parse_locator(f"{TH}/perfherder/alerts?status=7")


def test_an_address_of_values_keeps_the_time_that_they_are_of() -> None:
    address = f"{TH}/api/project/autoland/performance/data/?signature_id=7&start_date=2026-11-01&end_date=2026-11-10"
    assert parse_locator(address) == Series((SeriesRef("autoland", "7"),), None, 1_793_491_200, 1_794_268_800)
