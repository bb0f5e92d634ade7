"""What a user would lose: seconds, where a list asks for more than it shows; and right rows, where for less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.http import Http, Mode
from backends.prow.build_reader import BUILDS, QUICK_COLUMNS, BuildReader, Part, parts_of, place_of
from backends.prow.builds import BuildList
from backends.prow.locators import ProwPath, TrendsView
from backends.resources import Page, read_list
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, archive, build, opened, rows, snowflake

DAY = 86400
PULL = {"org": "o", "repo": "r", "base_ref": "main", "pulls": [{"number": 7, "author": "me", "sha": "abc"}]}
QUICK = frozenset(QUICK_COLUMNS)


def listing(bucket: Bucket, http: Http, asked: frozenset[str] | None = QUICK) -> BuildList:
    found = BuildList(ProwPath(NAME, JOB), archive(bucket, http))
    found.asked = asked
    return found


def media(bucket: Bucket) -> list[str]:
    """The files that were read, by their last names."""
    return sorted(one.split("?")[0].rpartition("%2F")[2] for one in bucket.asked if "alt=media" in one)


def odd_builds(bucket: Bucket) -> list[str]:
    """Builds of every sort: ended, running, late, waiting, without some of their files, with files of no use."""
    made = [snowflake(number * 1000 + 60) for number in range(16)]
    old = [snowflake(number * DAY) for number in range(3, 6)]
    build(bucket, made[0], pull=PULL)
    build(bucket, made[1], result="FAILURE", description="Timeout.")
    build(bucket, made[2], result="ABORTED")
    build(bucket, made[3], result=None)
    build(bucket, made[4], result="error", leave_out=("started.json",))
    build(bucket, made[5], leave_out=("finished.json",))
    build(bucket, made[6], leave_out=("prowjob.json",), pull=PULL)
    build(bucket, made[7], leave_out=("started.json", "finished.json", "prowjob.json"))
    bucket.put(f"{JOB}{made[8]}/artifacts/x", "")
    bucket.put(f"{JOB}{made[9]}/started.json", b"\xff\xfe{")
    bucket.put(f"{JOB}{made[9]}/finished.json", "[" * 5000)
    for number, finished in enumerate(({"timestamp": None, "passed": True}, {"passed": False}, {"result": "odd"})):
        build(bucket, made[10 + number])
        bucket.put(f"{JOB}{made[10 + number]}/finished.json", finished)
    build(bucket, made[13], result="aborted")
    bucket.put(f"{JOB}{made[13]}/finished.json", {"timestamp": 1_796_000_000, "passed": False})
    build(bucket, made[14])
    bucket.put(f"{JOB}{made[14]}/started.json", {"timestamp": "soon", "pull": "master:abc,93063:def"})
    bucket.put(f"{JOB}{made[15]}/prowjob.json", {"status": {"state": "triggered"}})
    build(bucket, old[0], result=None)
    build(bucket, old[1], result=None, leave_out=("prowjob.json",))
    bucket.put(f"{JOB}{old[2]}/prowjob.json", {"status": {"state": "scheduling"}})
    return [*made, *old]


def test_the_quick_columns_of_ended_builds_cost_two_requests_each(bucket: Bucket, http: Http) -> None:
    for number in range(20):
        build(bucket, snowflake((number + 1) * 3600), pull=PULL)
    found = read_list(listing(bucket, http), CancelToken()).frame
    assert len(media(bucket)) == 40 and len(bucket.asked) == 40 + len(bucket.lists())
    assert all(one.split("prefix=")[1].startswith("logs%2Fperiodic-a%2F&") for one in bucket.lists())
    assert set(found["state"]) == {"success"} and set(found["duration"]) == {600.0}
    assert found.select("pull", "author", "log_size", "names").null_count().row(0) == (20,) * 4


@pytest.mark.parametrize("asked", [{"state"}, {"author"}, {"log_size"}, {"state", "note"}, {"reason", "entries"}])
def test_whatever_is_asked_is_as_it_is_where_all_is_read(bucket: Bucket, http: Http, asked: set[str]) -> None:
    number = len(odd_builds(bucket))
    whole = rows(listing(bucket, http.with_mode(Mode.NO_CACHE), None))
    columns = [*QUICK_COLUMNS, *(name for name in BUILDS.names if name in asked)]
    some = rows(listing(bucket, http, QUICK | asked))

    def shown(found: list[dict[str, Any]]) -> dict[str, list[Any]]:
        """Of what runs, the duration grows from one look to the next."""
        return {
            row["key"]: [row[name] for name in columns if not (name == "duration" and row["state"] == "running")]
            for row in found
        }

    assert len(whole) == number and shown(some) == shown(whole)


def test_columns_are_read_when_they_are_asked_for_and_only_they(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(3600), pull=PULL)
    ends = ["finished.json", "started.json"]
    for asked, files, lists in (
        ({"build"}, [], 0), ({"duration"}, ends, 0), ({"author"}, [*ends[:1], "prowjob.json", ends[1]], 0),
        ({"entries", "state"}, ends, 1),
    ):  # fmt: skip
        bucket.asked.clear()
        read_list(listing(bucket, http.with_mode(Mode.NO_CACHE), frozenset(asked)), CancelToken())
        own = [one for one in bucket.lists() if one.split("prefix=")[1].split("&")[0].count("%2F") == 3]
        assert (media(bucket), len(own)) == (files, lists), asked


def test_what_was_read_of_a_build_is_not_read_again_for_more_columns(bucket: Bucket, http: Http) -> None:
    bucket.put(f"{JOB}{(one := snowflake(DAY))}/clone-log.txt", "")
    build(bucket, one, pull=PULL)
    place = place_of(JOB, one)
    whole = BuildReader(archive(bucket, http.with_mode(Mode.NO_CACHE))).read_row(place, CancelToken())
    bucket.asked.clear()
    assert BuildReader(archive(bucket, http)).read_row(place, CancelToken(), Part.ENDS).state == "success"
    assert media(bucket) == ["finished.json", "started.json"]
    bucket.asked.clear()
    again = BuildReader(archive(bucket, http)).read_row(place, CancelToken())
    assert again == whole and media(bucket) == ["prowjob.json"] and len(bucket.asked) == 2
    bucket.asked.clear()
    assert BuildReader(archive(bucket, http)).read_row(place, CancelToken(), Part.JOB) == whole and not bucket.asked


def test_rows_on_the_screen_get_all_of_their_cells(bucket: Bucket, http: Http) -> None:
    every = [snowflake((number + 1) * 3600) for number in range(60)]
    for one in every:
        build(bucket, one, pull=PULL)
    bucket.latency = 0.003
    builds = listing(bucket, http)
    seen = [f"periodic-a/{one}" for one in every[20:25]]
    found: dict[str, dict[str, Any]] = {}

    def take(page: Page) -> None:
        found.update((row["key"], row) for row in page.frame.iter_rows(named=True))

    for page in builds.pages(CancelToken()):
        builds.prefer(seen)
        take(page)
    assert {key for key, row in found.items() if row["author"]} == set(seen)
    assert all(row["state"] == "success" for row in found.values())
    bucket.asked.clear()
    later = [f"periodic-a/{one}" for one in every[-5:]]
    for page in builds.complete(later, CancelToken()):
        take(page)
    assert {key for key, row in found.items() if row["author"]} == {*seen, *later} and len(bucket.asked) == 10
    builds.asked = QUICK | {"author"}
    for page in builds.complete(later, CancelToken()):
        take(page)
    assert all(row["author"] == "me" for row in found.values())
    bucket.asked.clear()
    assert not list(builds.complete(later, CancelToken())) and not bucket.asked


def test_a_row_that_cannot_be_completed_keeps_its_cells_and_says_why(bucket: Bucket, http: Http) -> None:
    build(bucket, (one := snowflake(3600)), pull=PULL)
    builds = listing(bucket, http)
    read_list(builds, CancelToken())
    bucket.faults += [("prowjob.json", 500)] * 10
    (page,) = builds.complete([f"periodic-a/{one}"], CancelToken())
    (row,) = page.frame.iter_rows(named=True)
    assert row["state"] == "success" and row["note"].startswith("cannot be read: ") and "500" in row["note"]
    assert not list(builds.complete([f"periodic-a/{one}"], CancelToken()))


def test_a_refresh_keeps_the_cells_that_a_row_had(bucket: Bucket, http: Http) -> None:
    build(bucket, (one := snowflake(600)), result=None, pull=PULL)
    builds = listing(bucket, http)
    shown = read_list(builds, CancelToken()).frame
    shown = next(builds.complete([f"periodic-a/{one}"], CancelToken())).frame
    assert shown["entries"].to_list() == [3]
    build(bucket, one, pull=PULL)
    page = builds.updates(shown, CancelToken())
    assert page is not None
    assert page.frame.select("state", "author", "entries").rows() == [("success", "me", 6)]


def test_a_link_whose_text_is_listed_is_not_read(bucket: Bucket, http: Http) -> None:
    folder = "pr-logs/directory/pull-x/"
    told, silent, lying = snowflake(4000), snowflake(5000), snowflake(6000)
    for one in (told, silent, lying):
        home = build(bucket, one, "pr-logs/pull/o_r/12/pull-x/", pull=PULL)
        bucket.put(f"{folder}{one}.txt", f"gs://{NAME}/{home}", link="" if one == silent else f"gs://{NAME}/{home}")
    bucket.objects[f"{folder}{lying}.txt"].link = "gs://../.."
    found = rows(opened(bucket, http, f"gs://{NAME}/{folder}"))
    assert {row["state"] for row in found} == {"success"}
    assert [one for one in media(bucket) if one.endswith(".txt")] == sorted([f"{silent}.txt", f"{lying}.txt"])
    bucket.asked.clear()
    offline = opened(bucket, http.with_mode(Mode.OFFLINE), f"gs://{NAME}/{folder}")
    assert {row["state"] for row in rows(offline)} == {"success"} and not bucket.asked


def test_over_time_asks_how_builds_ended_and_no_more(bucket: Bucket, http: Http) -> None:
    for number in range(5):
        build(bucket, snowflake((number + 1) * DAY), pull=PULL)
    assert rows(opened(bucket, http, TrendsView(NAME, JOB).text()))
    assert len(media(bucket)) == 10 and len(bucket.asked) == 10 + len(bucket.lists())


# ---- the command


def asked_by(bucket: Bucket, ciexplore: Caller, *arguments: str) -> tuple[list[str], Any]:
    bucket.asked.clear()
    result = ciexplore("prow", "builds", f"gs://{NAME}/{JOB}", "--gcs-url", bucket.url, "--no-cache", *arguments)
    return media(bucket), result


def test_the_command_prints_what_two_requests_tell_and_more_where_more_is_named(
    bucket: Bucket, ciexplore: Caller
) -> None:
    build(bucket, snowflake(3600), pull=PULL)
    ends = ["finished.json", "started.json"]
    read, result = asked_by(bucket, ciexplore, "--format", "json")
    assert read == ends and list(result.json[0]) == list(QUICK_COLUMNS)
    read, result = asked_by(bucket, ciexplore, "--columns", "build,author,state", "--format", "json")
    assert read == ["finished.json", "prowjob.json", "started.json"]
    assert [(row["author"], row["state"]) for row in result.json] == [("me", "success")]
    read, result = asked_by(bucket, ciexplore, "--filter", "entries=6", "--columns", "entries", "--format", "json")
    assert read == ends and [row["entries"] for row in result.json] == [6]
    read, result = asked_by(bucket, ciexplore, "--filter", "state:success", "--format", "json")
    assert read == ends and list(result.json[0]) == list(QUICK_COLUMNS)
    read, result = asked_by(bucket, ciexplore, "--filter", "o/r#7", "--columns", "build")
    assert read == ["finished.json", "prowjob.json", "started.json"] and len(result.rows) == 1  # a word may be anywhere
    assert asked_by(bucket, ciexplore, "--columns", "build,job")[0] == []


def test_offline_builds_that_were_never_read_are_not_called_broken(bucket: Bucket, ciexplore: Caller) -> None:
    for number in range(3):
        build(bucket, snowflake((number + 1) * DAY))
    command = ("prow", "builds", f"gs://{NAME}/{JOB}", "--gcs-url", bucket.url)
    assert ciexplore(*command, "--fast").code == 0
    found = ciexplore(*command, "--offline", "--format", "json")
    assert found.code == 1 and "cannot be read" not in found.err
    assert "3 builds are not in the store: offline, only what was looked at before is there." in found.err
    assert {row["note"] for row in found.json} == {"not in the store, and offline"}
    assert ciexplore(*command).code == 0
    again = ciexplore(*command, "--offline", "--format", "json")
    assert again.code == 0 and {row["state"] for row in again.json} == {"success"}


# ---- rows while a job is listed


def test_builds_with_counters_are_shown_with_each_page_of_the_listing(bucket: Bucket, http: Http) -> None:
    bucket.page = 100
    for number in range(1, 1001):
        bucket.put(f"{JOB}{number}/x", "")
    builds = listing(bucket, http, frozenset())
    pages = builds.pages(CancelToken())
    first = next(page for page in pages if len(page.frame))
    assert len(bucket.asked) <= 2 and len(first.frame) <= 100
    shown = set(first.frame["build"]) | {one for page in pages for one in page.frame["build"]}
    assert shown == {str(number) for number in range(1, 1001)}
    assert len(bucket.lists()) <= 12


def test_a_list_that_is_too_long_ends_with_the_newest_alone(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.prow.build_listing.MAX_BUILDS", 50)
    bucket.page = 20
    for number in range(1, 131):
        bucket.put(f"{JOB}{number}/x", "")
    found = read_list(listing(bucket, http, frozenset()), CancelToken())
    assert set(found.frame["build"]) == {str(number) for number in range(81, 131)}
    assert found.notes == ("Only 50 builds are listed; the others are older.",)


# ---- real files


def test_real_builds_are_as_they_were_read_whole(prow_samples: Path, http: Http) -> None:
    """837 builds of a job have started.json and finished.json only; two have all of their files."""
    from backends.prow.bucket import BucketReader
    from backends.prow.store_local import LocalStore

    number = 0
    for root in ("gcs", "gcs-derived"):
        bucket = BucketReader(LocalStore(prow_samples / root), "origin-ci-test")
        for path in sorted((prow_samples / root).glob("origin-ci-test/**/finished.json")):
            folder = path.parent.relative_to(prow_samples / root / "origin-ci-test")
            if not folder.name.isdigit():
                continue
            place = place_of(f"{folder.parent}/", folder.name)
            whole = BuildReader(bucket).read_row(place, CancelToken())
            quick = BuildReader(bucket).read_row(place, CancelToken(), Part.ENDS)
            assert [getattr(quick, name) for name in QUICK_COLUMNS] == [getattr(whole, name) for name in QUICK_COLUMNS]
            content = json.loads(path.read_text())
            assert whole.finished == content["timestamp"] * 1000
            number += 1
    assert number > 10


def test_every_column_has_a_cost() -> None:
    assert parts_of(BUILDS.names) == Part.ALL and parts_of(QUICK_COLUMNS) == Part.ENDS
    assert parts_of(("build", "job", "order", "folder")) == Part.NONE
