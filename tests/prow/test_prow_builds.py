"""What a user would lose: the newest builds at once, their right results, and a list that follows what happens."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.http import Http, Mode
from backends.http.errors import AccessDeniedError
from backends.http.response import ResponseSource
from backends.prow.builds import BuildList
from backends.prow.locators import CompletenessView, LogSearchView, ProwPath, ProwView
from backends.prow.resolve import UnresolvedError
from backends.resources import Link, LogAddress, Question, Resource, read_list
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, archive, build, opened, rows, settings, snowflake

DAY = 86400
LINKS = "pr-logs/directory/pull-x/"


def listing(bucket: Bucket, http: Http, **more: object) -> BuildList:
    return BuildList(ProwPath(NAME, JOB), archive(bucket, http), **more)  # type: ignore[arg-type]


def whole(builds: Resource) -> pl.DataFrame:
    """All rows, as they are when nothing more comes."""
    return read_list(builds, CancelToken()).frame


def test_five_thousand_builds_show_the_newest_after_one_listing_request(bucket: Bucket, http: Http) -> None:
    every = [snowflake(hour * 3600) for hour in range(5000)]
    for one in every:
        bucket.put(f"{JOB}{one}/started.json", "{}")
    pages = listing(bucket, http, complete=False).pages(CancelToken())
    first = next(pages)
    assert len(bucket.asked) == 1
    newest = first.frame.sort("order", descending=True)["build"].to_list()
    assert newest[:50] == every[:50] and first.frame["started"].null_count() == 0
    assert len({one for page in pages for one in page.frame["build"].to_list()} | set(newest)) == 5000


def test_a_job_that_sleeps_for_years_is_found(bucket: Bucket, http: Http) -> None:
    for ago in (900, 901, 2000):
        build(bucket, snowflake(ago * DAY))
    assert len(rows(listing(bucket, http))) == 3


def test_counters_and_snowflakes_are_in_one_order(bucket: Bucket, http: Http) -> None:
    new = snowflake(3600)
    for one in ("2", "10", "9", new):
        bucket.put(f"{JOB}{one}/build-log.txt", "x")
    bucket.put(f"{JOB}latest-build.txt", "189489678293716582")
    found = sorted(rows(listing(bucket, http)), key=lambda row: row["order"], reverse=True)
    assert [row["build"] for row in found] == [new, "10", "9", "2"]
    assert found[1]["started"] is None


def test_only_as_many_as_asked_for_and_those_the_newest(bucket: Bucket, http: Http) -> None:
    every = [snowflake(number * DAY) for number in range(20)]
    for one in every:
        build(bucket, one)
    assert {row["build"] for row in rows(listing(bucket, http, count=7))} == set(every[:7])


def test_rows_say_what_the_three_files_say(bucket: Bucket, http: Http) -> None:
    pull = {
        "org": "o",
        "repo": "r",
        "base_ref": "main",
        "pulls": [{"number": 7, "author": "me", "sha": "abc", "title": "T"}],
    }
    good, bad = snowflake(3000), snowflake(2000)
    build(bucket, good, pull=pull, seconds=90, log="text", packed=True)
    build(bucket, bad, result="failure", passed=False, description="Pod scheduling timeout.")
    by = {row["build"]: row for row in rows(listing(bucket, http))}
    row = by[good]
    told = [
        row[name] for name in ("state", "duration", "pull", "author", "commit", "base", "cluster", "entries", "reason")
    ]
    assert told == ["success", 90.0, "o/r#7", "me", "abc", "o/r@main", "build01", 6, None]
    assert row["log_compressed"] == "yes"
    assert (by[bad]["state"], by[bad]["reason"]) == ("failure", "Pod scheduling timeout.")


def test_a_build_without_any_of_its_files_is_still_a_row(bucket: Bucket, http: Http) -> None:
    lost, hostile, late, odd = (snowflake(number * 1000 + 100) for number in range(4))
    bucket.put(f"{JOB}{lost}/artifacts/x", "")
    bucket.put(f"{JOB}{hostile}/started.json", b"\xff\xfe{")
    bucket.put(f"{JOB}{hostile}/finished.json", "[" * 5000)
    build(bucket, late, result=None, leave_out=("prowjob.json",))
    bucket.put(f"{JOB}{odd}/started.json", {"timestamp": 1e300, "pull": ["x"], "node": {}})
    bucket.put(f"{JOB}{odd}/prowjob.json", {"spec": {"refs": {"pulls": [1, {"number": "x"}]}}, "status": []})
    states = {row["build"]: row["state"] for row in rows(listing(bucket, http))}
    assert states == {lost: "unknown", hostile: "unknown", late: "running", odd: "unknown"}


def test_a_build_that_cannot_be_read_says_why_and_stops_nothing(bucket: Bucket, http: Http) -> None:
    good, bad = snowflake(1000), snowflake(2000)
    build(bucket, good)
    build(bucket, bad)
    bucket.faults += [(f"{bad}%2F", 500)] * 10
    by = {row["build"]: row for row in rows(listing(bucket, http))}
    assert by[good]["state"] == "success" and by[bad]["state"] is None and "500" in by[bad]["note"]


def test_what_is_on_the_screen_is_read_first(bucket: Bucket, http: Http) -> None:
    every = [snowflake(number * 100) for number in range(200)]
    for one in every:
        build(bucket, one)
    bucket.latency = 0.005
    builds = listing(bucket, http)
    wanted = [f"periodic-a/{one}" for one in every[-10:]]
    order: list[str] = []
    for page in builds.pages(CancelToken()):
        builds.prefer(wanted)
        order += page.frame.filter(page.frame["state"].is_not_null())["key"].to_list()
    assert len(order) == 200 and max(order.index(key) for key in wanted) < 100


def test_builds_that_have_ended_are_not_asked_for_again(bucket: Bucket, http: Http) -> None:
    done, running = snowflake(5 * DAY), snowflake(600)
    build(bucket, done)
    build(bucket, running, result=None)
    assert len(rows(listing(bucket, http))) == 2
    bucket.asked.clear()
    by = {row["build"]: row for row in rows(listing(bucket, http))}
    assert by[done]["state"] == "success" and by[running]["state"] == "running"
    assert not any(done in one for one in bucket.asked) and any(running in one for one in bucket.asked)


def test_updates_bring_new_builds_and_the_ends_of_old_ones(bucket: Bucket, http: Http) -> None:
    running = snowflake(900)
    build(bucket, running, result=None)
    build(bucket, snowflake(5 * DAY))
    builds = listing(bucket, http)
    shown = whole(builds)
    build(bucket, running, result="FAILURE", seconds=60)
    new = snowflake(10)
    build(bucket, new, result=None)
    page = builds.updates(shown, CancelToken())
    assert page is not None
    assert dict(page.frame.select("build", "state").iter_rows()) == {running: "failure", new: "running"}


def test_without_the_network_the_last_known_list_is_shown_as_old(bucket: Bucket, tmp_path: Path, http: Http) -> None:
    for number in range(3):
        build(bucket, snowflake((number + 2) * DAY))
    assert len(rows(listing(bucket, http))) == 3
    offline = listing(bucket, http.with_mode(Mode.OFFLINE))
    pages = list(offline.pages(CancelToken()))
    assert pages[0].freshness.source is ResponseSource.STALE and pages[0].frame.height == 3
    assert {row["state"] for row in rows(offline)} == {"success"}


def test_a_private_bucket_is_not_an_empty_one(bucket: Bucket, http: Http) -> None:
    bucket.private = True
    with pytest.raises(AccessDeniedError):
        rows(listing(bucket, http))


def test_builds_of_pull_requests_are_found_through_their_links(bucket: Bucket, http: Http) -> None:
    first, second, broken = snowflake(1000), snowflake(2000), snowflake(3000)
    folder = build(bucket, first, "pr-logs/pull/o_r/12/pull-x/")
    build(bucket, second, "pr-logs/pull/13/pull-x/", result="FAILURE")
    bucket.put(f"{LINKS}{first}.txt", f"gs://{NAME}/pr-logs/pull/o_r/12/pull-x/{first}")
    bucket.put(f"{LINKS}{second}.txt", f"gs://{NAME}/pr-logs/pull/13/pull-x/{second}\n")
    bucket.put(f"{LINKS}{broken}.txt", "gs://../..")
    bucket.put(f"{LINKS}latest-build.txt", first)
    builds = opened(bucket, http, f"gs://{NAME}/{LINKS}")
    by = {row["build"]: row for row in rows(builds)}
    assert {one: row["state"] for one, row in by.items()} == {first: "success", second: "failure", broken: None}
    assert builds.open(by[first]) == ProwPath(NAME, folder)
    alias = opened(bucket, http, f"gs://{NAME}/{LINKS}{second}")  # as Deck takes it
    assert alias.locator == ProwPath(NAME, f"pr-logs/pull/13/pull-x/{second}/")


@pytest.mark.parametrize("folder", ["o_r/12", "r/12", "12"])
def test_a_pull_request_is_found_however_its_repository_is_spelled(bucket: Bucket, http: Http, folder: str) -> None:
    for job in ("pull-a", "pull-b"):
        build(bucket, snowflake(1000), f"pr-logs/pull/{folder}/{job}/")
    found = opened(bucket, http, "o/r#12", prow_bucket=NAME)
    assert {row["job"] for row in rows(found)} == {"pull-a", "pull-b"}
    with pytest.raises(UnresolvedError):
        opened(bucket, http, "o/r#13", prow_bucket=NAME)


def test_a_bare_name_finds_its_job_and_an_unknown_one_is_said(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(400 * DAY), "logs/periodic-b/")
    bucket.put("pr-logs/directory/pull-y/1.txt", "x")
    assert opened(bucket, http, "periodic-b", prow_bucket=NAME).locator == ProwPath(NAME, "logs/periodic-b/")
    assert opened(bucket, http, "pull-y", prow_bucket=NAME).locator == ProwPath(NAME, "pr-logs/directory/pull-y/")
    with pytest.raises(UnresolvedError):
        opened(bucket, http, "periodic-c", prow_bucket=NAME)


def test_an_address_without_its_last_slash_opens_the_folder(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(100))
    found = opened(bucket, http, f"gs://{NAME}/{folder}artifacts")
    assert found.locator == ProwPath(NAME, f"{folder}artifacts/")
    log = opened(bucket, http, f"gs://{NAME}/{folder}build-log.txt")
    assert log.first_log is not None and log.first_log.url.startswith(bucket.url)


def test_buckets_that_have_moved_are_opened_where_they_are(http: Http) -> None:
    from backends.config import Settings
    from backends.prow.bucket import current_name

    assert current_name("origin-ci-test", Settings()) == "test-platform-results"
    assert current_name("kubernetes-jenkins", Settings()) == "kubernetes-ci-logs"
    assert current_name("origin-ci-test", Settings(gcs_url="http://127.0.0.1:1")) == "origin-ci-test"
    assert current_name("mine", Settings(prow_aliases={"mine": "yours"})) == "yours"


def test_logs_of_several_containers_and_of_none(bucket: Bucket, http: Http) -> None:
    several, running = snowflake(1000), snowflake(500)
    folder = build(bucket, several, leave_out=("build-log.txt",))
    bucket.put(f"{folder}test-build-log.txt", "x")
    bucket.put(f"{folder}sidecar-build-log.txt", "x")
    build(bucket, running, result=None)
    builds = listing(bucket, http)
    by = {row["build"]: row for row in rows(builds)}
    log = builds.log(by[several])
    assert isinstance(log, LogAddress) and "%2Ftest-build-log.txt" in log.url
    assert builds.log(by[running]) is None  # nothing is written before the end


def test_the_menu_offers_views_of_the_marked_builds(bucket: Bucket, http: Http) -> None:
    for number in range(3):
        build(bucket, snowflake(number * 1000 + 100))
    builds = listing(bucket, http)
    found = rows(builds)
    frame = whole(builds)
    menu = builds.menu(found[0], frame)
    views = [one.opens for one in menu if isinstance(one, Link) and isinstance(one.opens, ProwView)]
    assert {one.template.head for one in views} >= {
        "completeness",
        "presence",
        "over-time",
        "matrix",
        "junit",
        "logs",
        "tree",
    }
    question = next(one for one in menu if isinstance(one, Question))
    search = question.opens("panic")
    assert isinstance(search, LogSearchView) and search.pattern == "panic" and len(search.builds) == 3
    for one in views:
        assert rows(opened(bucket, http, one.text())) is not None
    assert "3 success" in builds.summary(frame) and "100.0 % passed" in builds.summary(frame)
    assert settings(bucket).gcs_url == bucket.url


def test_the_menu_of_a_pull_request_is_about_the_job_under_the_cursor(bucket: Bucket, http: Http) -> None:
    for job in ("pull-a", "pull-b"):
        build(bucket, snowflake(1000), f"pr-logs/pull/o_r/12/{job}/")
    builds = opened(bucket, http, f"gs://{NAME}/pr-logs/pull/o_r/12/")
    frame = whole(builds)
    row = next(one for one in frame.iter_rows(named=True) if one["job"] == "pull-b")
    views = [one.opens for one in builds.menu(row, frame) if isinstance(one, Link) and isinstance(one.opens, ProwView)]
    assert {one.path for one in views} == {"pr-logs/pull/o_r/12/pull-b/"}
    completeness = next(one for one in views if isinstance(one, CompletenessView))
    assert rows(opened(bucket, http, completeness.text()))


def test_the_menu_of_five_thousand_builds_is_made_at_once(bucket: Bucket, http: Http) -> None:
    from backends.prow.build_reader import BUILDS, place_of, row_from_id

    builds = listing(bucket, http)
    frame = BUILDS.build([row_from_id(place_of(JOB, snowflake(number))) for number in range(5000)])
    links = [one for one in builds.menu(None, frame) if isinstance(one, Link)]
    # one tuple of ids for all of them, not one each
    assert len({id(one.opens.builds) for one in links}) == 1  # type: ignore[union-attr]


def test_a_running_build_s_log_is_deck_s_where_there_is_one(http: Http) -> None:
    from backends.prow.bucket import live_log

    url = live_log("test-platform-results", "periodic a", "12", "https://storage.googleapis.com")
    assert url == "https://prow.ci.openshift.org/log?job=periodic%20a&id=12"
    assert live_log("test-platform-results", "a", "12", "http://127.0.0.1:1") == "" == live_log("mine", "a", "1", "x")


def test_the_menu_has_the_log_of_each_container_and_what_became_of_the_pod(bucket: Bucket, http: Http) -> None:
    number = snowflake(1000)
    folder = build(bucket, number, leave_out=("build-log.txt",))
    bucket.put(f"{folder}b-build-log.txt", "b")
    bucket.put(f"{folder}test-build-log.txt", "test")
    resource = opened(bucket, http, f"gs://{NAME}/{JOB}")
    (row,) = rows(resource)
    menu = resource.menu(row, read_list(resource, CancelToken()).frame)
    links = {one.label: one.opens for one in menu if isinstance(one, Link)}
    logs = {label: one for label, one in links.items() if label.startswith("Log of container")}
    assert list(logs) == ["Log of container test", "Log of container b"]
    assert [one.title for one in logs.values() if isinstance(one, LogAddress)] == [
        f"{name}-build-log.txt of periodic-a {number}" for name in ("test", "b")
    ]
    assert "podinfo.json" in links
