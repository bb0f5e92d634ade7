"""Addresses of perf.compare and Treeherder, opened: what their pages show is listed, headless and in the app."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.resources import read_list
from backends.systems import parse_locator
from backends.treeherder.locators import Compare, ComparedValues, Pushes, Series, SeriesRef, Side
from tests.treeherder.fake_treeherder import FakeTreeherder
from tests.treeherder.listing import Lists, entry

PC, TH = "https://perf.compare", "https://treeherder.mozilla.org"
A, C, D = "a" * 40, "c" * 40, "d" * 40
SUITE_HASH, OTHER_HASH = "1" * 40, "2" * 40
NOON = 1_795_000_000
REPOSITORIES = ("try", "autoland", "mozilla-central")


def rows_of(fake: FakeTreeherder, address: str) -> tuple[Any, pl.DataFrame]:
    resource = fake.list(parse_locator(address))
    return resource, read_list(resource, CancelToken()).frame


def with_pushes(fake: FakeTreeherder) -> None:
    """Every repository has a push of each revision."""

    def push(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("revision") or request.url.params.get("commit_revision", "")
        found = [one for one in (A, C, D) if wanted and one.startswith(wanted)]
        rows = [{"id": 1 + (A, C, D).index(one), "revision": one, "push_timestamp": NOON} for one in found]
        return httpx.Response(200, json={"results": rows})

    for name in REPOSITORIES:
        fake.answers[f"/api/project/{name}/push/"] = push


def with_values(fake: FakeTreeherder, values: Callable[[httpx.QueryParams], list[dict[str, Any]]]) -> None:
    with_pushes(fake)
    fake.answers["/api/performance/summary/"] = lambda request: httpx.Response(200, json=values(request.url.params))


def measure(number: int, values: list[float], **more: Any) -> dict[str, Any]:
    suite = {"suite": f"suite{number}", "name": f"suite{number} opt", "platform": "linux"}
    return {"signature_id": number, "framework_id": 13, "values": values, **suite, **more}


def test_each_of_three_new_revisions_is_compared_with_the_one_base(fake: FakeTreeherder) -> None:
    level = {A: 100.0, C: 200.0, D: 300.0}
    with_values(fake, lambda query: [measure(5, [level[query["revision"]] + one for one in range(8)])])
    address = (
        f"{PC}/compare-results?baseRev={A}&baseRepo=try&newRev={C}&newRepo=try&newRev={D}&newRepo=autoland"
        f"&newRev={A}&newRepo=mozilla-central&framework=13"
    )
    resource, frame = rows_of(fake, address)
    found = {row["new"]: row for row in frame.iter_rows(named=True)}
    assert set(found) == {f"try:{C[:12]}", f"autoland:{D[:12]}", f"mozilla-central:{A[:12]}"}
    assert [found[name]["median_new"] for name in sorted(found)] == [303.5, 103.5, 203.5]
    assert {row["median_base"] for row in found.values()} == {103.5}
    assert "→ try cccccccccccc, autoland dddddddddddd, mozilla-central aaaaaaaaaaaa" in resource.title
    values = resource.open(found[f"autoland:{D[:12]}"])
    assert isinstance(values, ComparedValues) and values.new == Side(values.new.series, D)
    assert values.new.series.repository == "autoland"
    alone = entry(resource, None, frame, f"Only autoland {D[:12]}")
    assert alone == Compare("try", A, "autoland", D, "13", replicates=True)


def test_a_comparison_without_a_new_revision_shows_the_base_alone(fake: FakeTreeherder) -> None:
    with_values(fake, lambda query: [measure(5, [100.0, 102.0])])
    resource, frame = rows_of(fake, f"{PC}/compare-results?baseRev={A}&baseRepo=try&framework=13")
    [row] = frame.iter_rows(named=True)
    assert (row["n_base"], row["n_new"], row["median_base"], row["verdict"]) == (2, 0, 101.0, None)
    assert resource.title == f"try {A[:12]} alone"
    assert len([asked for asked in fake.asked if "performance/summary" in asked]) == 1


def test_replicates_and_the_framework_are_asked_for_as_the_page_does(fake: FakeTreeherder) -> None:
    with_values(fake, lambda query: [measure(5, [100.0, 102.0])])
    sides = f"baseRev={A}&baseRepo=try&newRev={C}&newRepo=try"
    for options, replicates, framework in (
        ("", True, "1"),
        ("&framework=13&test_version=mann-whitney-u", True, "13"),
        ("&framework=13&replicates", True, "13"),
        ("&framework=13&test_version=student-t", False, "13"),
        ("&framework=13&test_version=student-t&replicates", True, "13"),
    ):
        fake.asked.clear()
        rows_of(fake, f"{PC}/compare-results?{sides}{options}")
        asked = [one for one in fake.asked if "performance/summary" in one]
        assert len(asked) == 2
        assert all(("replicates=true" in one) is replicates and f"framework={framework}&" in one for one in asked)


def test_alerts_are_asked_for_as_the_page_does(fake: FakeTreeherder) -> None:
    asked: list[httpx.QueryParams] = []

    def summaries(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params)
        return httpx.Response(200, json={"count": 0, "next": None, "results": []})

    fake.answers["/api/performance/alertsummary/"] = summaries
    wanted = {
        "": {"status": "0", "framework": "1"},
        "?status=-1&framework=1": {"hide_improvements": "true", "framework": "1"},
        "?status=-2&framework=-2": {"show_sheriffed_frameworks": "true"},
        "?status=7&framework=-1&hideDwnToInv=1": {"status": "7", "hide_related_and_invalid": "true"},
        "?status=10&monitoredAlerts=1": {"untriaged_regressions": "true", "monitored_alerts": "1", "framework": "1"},
    }
    for query, parameters in wanted.items():
        rows_of(fake, f"{TH}/perfherder/alerts{query}")
        assert {name: value for name, value in asked[-1].items() if name not in ("limit", "page")} == parameters


def in_range(fake: FakeTreeherder, times: dict[str, int]) -> None:
    """A list of pushes by time, as the server does it: its own end of a range replaces the one to page by."""

    def push(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        rows = [
            {"id": place, "revision": revision, "push_timestamp": when}
            for place, (revision, when) in enumerate(times.items(), 1)
        ]
        if "revision" in query:
            rows = [row for row in rows if str(row["revision"]).startswith(query["revision"])]
        elif "commit_revision" in query:
            rows = []
        if "fromchange" in query or "tochange" in query:
            return httpx.Response(500, html="a revision that is not the tip of a push crashes the server")
        low, high = query.get("push_timestamp__gte", "0"), query.get("push_timestamp__lte", "9" * 12)
        rows = [row for row in rows if int(low) <= int(row["push_timestamp"]) <= int(high)]
        rows.sort(key=lambda row: -int(row["push_timestamp"]))
        return httpx.Response(200, json={"results": rows[: int(query["count"])]})

    fake.answers["/api/project/autoland/push/"] = push


@pytest.mark.parametrize("page", [1000, 3])
def test_a_range_of_pushes_has_both_its_ends_and_all_between(
    fake: FakeTreeherder, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("backends.treeherder.pushes.PUSHES_A_PAGE", page)
    names = [f"{place:08x}{place:032x}" for place in range(200)]
    in_range(fake, {name: NOON + place for place, name in enumerate(names)})
    resource = fake.list(parse_locator(f"{TH}/jobs?repo=autoland&fromchange={names[30]}&tochange={names[180][:12]}"))
    resource.with_counts = False  # type: ignore[attr-defined]
    frame = read_list(resource, CancelToken()).frame
    assert frame["revision"].to_list() == names[30:181][::-1]
    resource = fake.list(Pushes("autoland", from_revision=names[197]))
    resource.with_counts = False  # type: ignore[attr-defined]
    assert len(read_list(resource, CancelToken()).frame) == 3


def test_a_range_and_a_day_both_hold(open_list: Lists) -> None:
    """The server lets the day stand for the beginning of the range."""
    _, every = open_list(Pushes("autoland", count=60))
    oldest = every.row(-1, named=True)
    for at, first in ((10, every["push_time"][10]), (50, None)):
        day = f"{every['push_time'][30]:%Y-%m-%d}"
        _, frame = open_list(Pushes("autoland", start=day, from_revision=every["revision"][at]))
        assert frame["revision"][0] == every["revision"][0]
        assert frame["push_time"].min() >= every["push_time"][30].replace(hour=0, minute=0, second=0)
        assert frame["push_time"].min() > oldest["push_time"]
        assert first is None or frame["push_time"].min() == first


def test_a_range_of_what_is_not_there_or_turned_round_says_so(fake: FakeTreeherder) -> None:
    in_range(fake, {A: NOON, C: NOON + 9})
    with pytest.raises(AppError, match=f"no push {D}"):
        rows_of(fake, f"{TH}/jobs?repo=autoland&fromchange={A}&tochange={D}")
    with pytest.raises(UsageError, match="Swap"):
        rows_of(fake, f"{TH}/jobs?repo=autoland&fromchange={C}&tochange={A}")


def landing(fake: FakeTreeherder, jobs: dict[str, Any]) -> None:
    for number, value in jobs.items():
        fake.answers[f"/landing_jobs/{number}"] = value


def test_a_landing_job_of_lando_leads_to_the_push_that_it_became_or_says_why_not(fake: FakeTreeherder) -> None:
    with_pushes(fake)
    fake.answers["/api/project/try/jobs/"] = {"results": [{"id": 9, "push_id": 2, "job_type_name": "build"}]}
    landing(
        fake,
        {
            "7": {"commit_id": C, "status": "LANDED"},
            "8": {"commit_id": "", "status": "IN_PROGRESS"},
            "9": {"commit_id": None, "status": "FAILED", "error": "merge conflict\nin x"},
            "10": httpx.Response(404, json={"detail": "nothing"}),
        },
    )
    _, frame = rows_of(fake, f"{TH}/jobs?repo=try&landoCommitID=7&landoInstance=lando-prod-2025")
    assert frame["job_id"].to_list() == ["9"]
    for number, words in (("8", "is in progress"), ("9", r"failed \(merge conflict\)"), ("10", "no landing job 10")):
        with pytest.raises(AppError, match=words):
            rows_of(fake, f"{TH}/jobs?repo=try&landoCommitID={number}")


def test_landing_jobs_are_asked_for_at_landos_own_hosts_only(fake: FakeTreeherder) -> None:
    from backends.treeherder.client import LANDO_HOSTS, revision_of_landing_job

    hosts: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, json={"commit_id": C})

    fake.handle = handle  # type: ignore[method-assign]
    for instance in ("", "lando-prod-2025", "evil.example"):
        assert revision_of_landing_job(fake.http(), 7, instance) == C
    assert hosts == [LANDO_HOSTS["lando-prod"], "lando.moz.tools", LANDO_HOSTS["lando-prod"]]


def test_a_comparison_by_hashes_or_landing_jobs_compares_the_pushes_that_they_became(fake: FakeTreeherder) -> None:
    with_values(fake, lambda query: [measure(5, [100.0 if query["revision"] == A else 200.0] * 4)])
    fake.answers["/api/project/try/hash/tocommit/"] = {"baseRevision": A, "newRevision": C}
    repos = "baseRepo=try&newRepo=try"
    days = "&baseHashDate=2026-11-20&newHashDate=2026-11-21"
    resource, frame = rows_of(fake, f"{PC}/compare-hash-results?baseHash=12&newHash=345&{repos}&framework=13{days}")
    assert frame["median_new"].to_list() == [200.0]
    assert resource.locator == Compare("try", A, "try", C, "13", replicates=True)
    [asked] = [one for one in fake.asked if "tocommit" in one]
    assert "basehash=12&newhash=345&basehashdate=2026-11-20&newhashdate=2026-11-21" in asked
    landing(fake, {"7": {"commit_id": A}, "8": {"commit_id": C}})
    resource, frame = rows_of(fake, f"{PC}/compare-lando-results?baseLando=7&newLando=8&{repos}&framework=13")
    assert frame["median_base"].to_list() == [100.0]


def test_hashes_without_their_days_are_searched_for_in_the_messages(fake: FakeTreeherder) -> None:
    """`/hash/tocommit/` refuses to look without the days that the page's address has."""
    with_values(fake, lambda query: [measure(5, [1.0])])
    fake.answers["/api/project/try/hash/tocommit/"] = httpx.Response(400, json={"basehashdate": ["required"]})
    exact = fake.answers["/api/project/try/push/"]

    def push(request: httpx.Request) -> httpx.Response:
        word = request.url.params.get("search")
        if word is None:
            return exact(request)  # type: ignore[no-any-return]
        found = {"12": A, "345": C}.get(word)
        return httpx.Response(200, json={"results": [{"id": 1, "revision": found}] if found else []})

    fake.answers["/api/project/try/push/"] = push
    address = f"{PC}/compare-hash-results?baseHash=12&newHash=345&baseRepo=try&newRepo=try&framework=13"
    assert fake.list(parse_locator(address)).locator == Compare("try", A, "try", C, "13", replicates=True)
    with pytest.raises(AppError, match="the hash 99 in its message"):
        fake.list(parse_locator(address.replace("345", "99")))


def with_suites(fake: FakeTreeherder, ids: dict[str, int], hashes: dict[str, str]) -> None:
    """The same suite in several repositories; subtests are given only for the id that it has in their own."""
    for name, number in ids.items():

        def signatures(request: httpx.Request, name: str = name, number: int = number) -> httpx.Response:
            query = request.url.params
            row = {"id": number, "signature_hash": hashes[name], "framework_id": 13, "suite": "amazon",
                   "machine_platform": "linux", "option_collection_hash": "h", "has_subtests": True,
                   "extra_options": ["fission"], "application": "firefox"}  # fmt: skip
            other = {**row, "id": number + 1, "signature_hash": "9" * 40, "extra_options": ["cold"]}
            if query.get("id", str(number)) != str(number) or query.get("signature", hashes[name]) != hashes[name]:
                return httpx.Response(200, json={})
            rows = [row] if "id" in query or "signature" in query else [row, other]
            return httpx.Response(200, json={str(one["id"]): one for one in rows})

        fake.answers[f"/api/project/{name}/performance/signatures/"] = signatures
    fake.answers["/api/repository/"] = [{"id": place, "name": name} for place, name in enumerate(ids, 1)]

    def values(query: httpx.QueryParams) -> list[dict[str, Any]]:
        if query.get("parent_signature") != str(ids[query["repository"]]):
            return []
        return [{**measure(50 + ids[query["repository"]], [100.0, 104.0]), "suite": "amazon", "test": "fcp",
                 "name": "amazon fcp opt fission"}]  # fmt: skip

    with_values(fake, values)


@pytest.mark.parametrize("hashes", [(SUITE_HASH, SUITE_HASH), (SUITE_HASH, OTHER_HASH)])
@pytest.mark.parametrize("given", [351, 7])
def test_subtests_of_two_repositories_are_paired_whichever_id_is_given(
    fake: FakeTreeherder, given: int, hashes: tuple[str, str]
) -> None:
    ids = {"autoland": 351, "try": 7}
    with_suites(fake, ids, dict(zip(ids, hashes, strict=True)))
    for parents in ((given, given), (given, None), (None, given)):
        at = Compare("autoland", A, "try", C, "13", *parents)
        resource = fake.list(at)
        [row] = read_list(resource, CancelToken()).frame.iter_rows(named=True)
        assert (row["test"], row["n_base"], row["n_new"]) == ("fcp", 2, 2)
        page = parse_locator(str(resource.web_url()))
        assert isinstance(page, Compare) and (page.base_parent, page.new_parent) == (351, 7)
        assert (row["base_signature"], row["new_signature"]) == ("401", "57")


def test_sixty_tests_of_small_values_are_compared_in_full_and_the_rest_is_said(fake: FakeTreeherder) -> None:
    """docs/perfherder-compare.md promises up to 60 tests a comparison: two requests each."""

    def values(query: httpx.QueryParams) -> list[dict[str, Any]]:
        if "signature" not in query:
            return [measure(number, [0.5, 0.75]) for number in range(1, 71)]
        data = [{"id": one, "value": 0.5 + one / 1000} for one in (1, 2)]
        return [{**measure(int(query["signature"]), []), "data": data}]

    with_values(fake, values)
    found = read_list(fake.list(Compare("try", A, "try", C, "13")), CancelToken())
    assert found.frame["precision"].to_list().count("in full") == 60 and len(found.frame) == 70
    assert len([one for one in fake.asked if "signature=" in one]) == 120
    assert "10 tests with small values are compared from values of two decimals." in found.notes[-1]
    fake.asked.clear()
    several = Compare("try", A, "try", C, "13", others=(("try", D), ("autoland", C)))
    found = read_list(fake.list(several), CancelToken())
    assert found.frame["precision"].to_list().count("in full") == 60 and len(found.frame) == 210
    assert len([one for one in fake.asked if "signature=" in one]) == 80  # the base's values serve all three


def test_two_ids_of_two_repositories_are_believed(fake: FakeTreeherder) -> None:
    with_suites(fake, {"autoland": 351, "try": 7}, {"autoland": SUITE_HASH, "try": OTHER_HASH})
    at = Compare("autoland", A, "try", C, "13", 351, 7)
    assert read_list(fake.list(at), CancelToken()).frame["n_new"].to_list() == [2]
    assert not [asked for asked in fake.asked if "signatures" in asked]


def test_a_suite_that_the_other_repository_does_not_measure_is_said(fake: FakeTreeherder) -> None:
    with_suites(fake, {"autoland": 351, "try": 7}, {"autoland": SUITE_HASH, "try": OTHER_HASH})
    fake.answers["/api/project/try/performance/signatures/"] = {}
    found = read_list(fake.list(Compare("autoland", A, "try", C, "13", 351)), CancelToken())
    assert found.frame["n_base"].to_list() == [2] and "try does not measure this suite." in " ".join(found.notes)
    with pytest.raises(AppError, match="Neither autoland nor try has a signature 99"):
        read_list(fake.list(Compare("autoland", A, "try", C, "13", 99)), CancelToken())


def test_a_comparison_that_the_servers_rank_test_fails_on_is_made_here_and_that_is_said(fake: FakeTreeherder) -> None:
    with_values(fake, lambda query: [measure(5, [100.0] * 9), measure(6, [1000.0 + len(query["revision"]), 7.0])])
    found = read_list(fake.list(Compare("try", A, "try", C, "13", replicates=True)), CancelToken())
    assert set(found.frame["verdict"]) <= {"no change", "too few"}
    assert "1 test has the same value everywhere" in found.notes[0] and "error 500" in found.notes[0]


def test_small_values_that_only_look_alike_are_not_said_to_be_the_same(fake: FakeTreeherder) -> None:
    """Two decimals make one value of 0.001 and 0.004; in full they differ, and the server's rank test works."""

    def values(query: httpx.QueryParams) -> list[dict[str, Any]]:
        if "signature" not in query:
            return [measure(5, [0.0] * 9)]
        data = [{"id": one, "value": one / 1000} for one in range(1, 5)]
        return [{**measure(5, []), "data": data}]

    with_values(fake, values)
    found = read_list(fake.list(Compare("try", A, "try", C, "13", replicates=True)), CancelToken())
    assert found.frame["precision"].to_list() == ["in full"] and not found.notes


def shuffled_answers(fake: FakeTreeherder, seed: int) -> None:
    """Answers come after a random while each."""
    chance, handle = random.Random(seed), fake.handle

    def later(request: httpx.Request) -> httpx.Response:
        time.sleep(chance.random() * 0.01)
        return handle(request)

    fake.handle = later  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", range(4))
def test_a_comparison_is_in_the_same_order_whichever_answer_comes_first(seed: int) -> None:
    """With equal changes, too; and tests that are compared in full stand where their change belongs."""
    orders = []
    for run in range(2):
        fake = FakeTreeherder()
        chance = random.Random(seed * 10 + run)

        def values(query: httpx.QueryParams, chance: random.Random = chance) -> list[dict[str, Any]]:
            new = query["revision"] == C
            if "signature" in query:
                number = int(query["signature"])
                data = [{"id": one, "value": 0.5 + one / 100 + (0.5 if new else 0)} for one in range(8)]
                return [{**measure(number, []), "data": data}]
            rows = [measure(number, [0.5 + one / 100 + (0.5 if new else 0) for one in range(8)]) for number in range(9)]
            rows += [measure(number, [5000.0 + one for one in range(8)]) for number in range(9, 20)]
            chance.shuffle(rows)
            return rows

        with_values(fake, values)
        shuffled_answers(fake, seed * 10 + run)
        frame = read_list(fake.list(Compare("try", A, "try", C, "13")), CancelToken()).frame
        orders.append(frame)
    assert orders[0].equals(orders[1])
    assert orders[0]["precision"].to_list() == ["in full"] * 9 + ["2 decimals"] * 11
    assert orders[0]["suite"].to_list()[:9] == sorted(orders[0]["suite"].to_list()[:9])


@pytest.mark.parametrize("seed", range(3))
def test_series_come_in_the_order_that_was_asked_for_whichever_answer_comes_first(
    fake: FakeTreeherder, seed: int
) -> None:
    def summary(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["signature"])
        data = [{"id": one, "push_id": one, "push_timestamp": "2026-11-01T00:00:00", "value": 1.0} for one in (1, 2)]
        return httpx.Response(200, json=[{**measure(number, []), "data": data}])

    fake.answers["/api/performance/summary/"] = summary
    shuffled_answers(fake, seed)
    numbers = [5, 3, 9, 1, 7, 8]
    found = read_list(fake.list(Series(tuple(SeriesRef("autoland", str(one)) for one in numbers))), CancelToken())
    assert found.frame["signature_id"].to_list() == [str(one) for one in numbers for _ in (1, 2)]


def test_pushes_stay_in_order_where_some_cannot_be_counted(fake: FakeTreeherder) -> None:
    rows = [{"id": one, "revision": f"{one:040x}", "push_timestamp": NOON + one} for one in range(1, 100)]
    fake.answers["/api/project/autoland/push/"] = {"results": rows}
    for one in range(1, 100):
        if not 30 < one < 60:  # a whole batch of those that are asked for together fails
            fake.answers[f"/api/project/autoland/push/{one}/status/"] = {"completed": 1, "success": 1}
    shuffled_answers(fake, 1)
    found = read_list(fake.list(Pushes("autoland")), CancelToken())
    assert found.frame["push_id"].to_list() == [str(one) for one in range(99, 0, -1)]
    assert found.frame["total"].null_count() == 29
    assert len(found.notes) == 1 and "no push 59." in found.notes[0]


def test_alerts_signatures_series_and_jobs_are_in_the_same_order_every_time(open_list: Lists) -> None:
    names = ("perf.alerts", "perf.alert-summary", "perf.signatures", "perf.three-series", "perf.push")
    for name in names:
        first, second = open_list(name)[1], open_list(name, again=True)[1]
        assert first["key"].to_list() == second["key"].to_list(), name


def test_the_base_alone_keeps_its_parts(fake: FakeTreeherder) -> None:
    """Its values and its subtests are its own, too."""
    with_values(fake, lambda query: [measure(5, [100.0, 102.0], has_subtests=True)])
    resource, frame = rows_of(fake, f"{PC}/compare-results?baseRev={A}&baseRepo=try&framework=13")
    row = frame.row(0, named=True)
    assert resource.shows(row) == replace(resource.locator, base_parent=5, new_parent=5)
    values = resource.open(row)
    assert values is not None and values.base == values.new
