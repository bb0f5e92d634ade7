"""The original notebook's tables, and what it could not tell apart: absent, pending, not listed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http
from backends.prow.completeness import BuildEntries, count_entries, count_files, count_sets
from backends.prow.locators import CompletenessView, MissingFilesView, ProwPath, ProwView
from backends.resources import Resource
from backends.systems import open_resource
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, rows, snowflake

DAY = 86400
# In [11] of prow_archive_discovery: which entries 140 builds have.
NOTEBOOK = [
    (135, ()),
    (2, ("podinfo.json",)),
    (1, ("artifacts/", "podinfo.json")),
    (1, ("artifacts/",)),
    (1, ("build-log.txt", "finished.json", "podinfo.json")),
]
ALL = ("artifacts/", "build-log.txt", "finished.json", "podinfo.json", "prowjob.json", "started.json")


def notebook(bucket: Bucket) -> None:
    number = 0
    for count, left_out in NOTEBOOK:
        for _ in range(count):
            number += 1
            artifacts = () if "artifacts/" in left_out else ("build-resources/events.json", "metadata.json")
            build(bucket, snowflake(number * DAY / 4 + 3 * DAY), leave_out=left_out, artifacts=artifacts)


def view(bucket: Bucket, http: Http, kind: type[ProwView] = CompletenessView, **options: Any) -> Any:
    locator = kind(NAME, JOB, **{"count": 140} | options)
    return opened(bucket, http, locator.text())


def test_the_notebook_s_counts_and_shares(bucket: Bucket, http: Http) -> None:
    notebook(bucket)
    resource = view(bucket, http, level="1")
    found = rows(resource)
    assert [row["builds"] for row in found] == [135, 2, 1, 1, 1]
    assert round(found[0]["share"], 4) == 96.4286 and found[0]["set"] == " ".join(ALL) and found[0]["kind"] == "ok"
    assert {row["missing"] for row in found} == {" ".join(names) or None for _, names in NOTEBOOK}
    by_count = rows(view(bucket, http, level="1", by="counts"))
    assert [(row["entries"], row["builds"]) for row in by_count] == [(6, 135), (5, 3), (4, 1), (3, 1)]
    assert [round(row["share"], 4) for row in by_count] == [96.4286, 2.1429, 0.7143, 0.7143]


def test_opening_a_set_lists_its_builds(bucket: Bucket, http: Http) -> None:
    notebook(bucket)
    resource = view(bucket, http, level="1")
    pair = next(row for row in rows(resource) if row["builds"] == 2)
    target = resource.open(pair)
    assert len(rows(opened(bucket, http, target.text()))) == 2


def test_one_request_a_build_and_level(bucket: Bucket, http: Http) -> None:
    notebook(bucket)
    rows(view(bucket, http, level="1"))
    listings = sum(one.count("%2F1") > 0 or "prefix=logs%2Fperiodic-a%2F2" in one for one in bucket.lists())
    assert len(bucket.lists()) - listings <= 6 and len(bucket.asked) == len(bucket.lists()) <= 140 + 6
    bucket.asked.clear()
    rows(view(bucket, http))
    assert len(bucket.asked) <= 140 + 138 + 6


def test_which_file_is_missing_how_often(bucket: Bucket, http: Http) -> None:
    notebook(bucket)
    by = {row["level"] + row["name"]: row for row in rows(view(bucket, http, MissingFilesView))}
    assert (by["/podinfo.json"]["present"], by["/podinfo.json"]["missing"]) == (136, 4)
    assert (by["artifacts/metadata.json"]["present"], by["artifacts/metadata.json"]["missing"]) == (138, 2)


def test_pending_absent_and_unlisted_builds_are_no_incomplete_ones(bucket: Bucket, http: Http) -> None:
    for number in range(5):
        build(bucket, snowflake((number + 2) * DAY))
    running, failing, bare = snowflake(600), snowflake(20 * DAY), snowflake(21 * DAY)
    for name in ("started.json", "prowjob.json"):
        bucket.put(f"{JOB}{running}/{name}", "{}")
    build(bucket, failing)
    build(bucket, bare, artifacts=())
    bucket.faults += [(f"{failing}%2F&", 500)] * 10
    found = rows(view(bucket, http))
    kinds = {(row["level"], row["kind"]): row for row in found}
    assert kinds["/", "pending"]["build_ids"] == running
    assert kinds["/", "failed"]["build_ids"] == failing and kinds["/", "failed"]["entries"] is None
    assert kinds["artifacts/", "absent"]["build_ids"] == bare
    assert kinds["artifacts/", "failed"]["build_ids"] == failing
    assert kinds["/", "ok"]["builds"] == 5
    assert all(sum(row["builds"] for row in found if row["level"] == level) == 8 for level in ("/", "artifacts/"))


def test_a_set_is_measured_against_ended_builds_only() -> None:
    ended = [BuildEntries(str(number), False, ("a", "b")) for number in range(2)]
    pending = [BuildEntries(str(number), True, ("a",)) for number in range(10, 15)]
    table = count_sets([*ended, *pending], ("/",))
    assert table.filter(table["kind"] == "ok")["builds"].to_list() == [2]
    assert count_files([*ended, *pending], ("/",)).select("name", "present", "pending").rows() == [
        ("a", 2, 5),
        ("b", 2, 0),
    ]


def test_no_builds_and_no_names_are_tables_too() -> None:
    assert (
        count_sets([], ("/",)).is_empty()
        and count_entries([], ("/",)).is_empty()
        and count_files([], ("/",)).is_empty()
    )
    lost = [BuildEntries("1", error="no")]
    assert count_sets(lost, ("/",))["kind"].to_list() == ["failed"] and count_files(lost, ("/",)).is_empty()


def test_names_with_spaces_do_not_make_two_sets_one() -> None:
    found = [BuildEntries("1", first=("a b",)), BuildEntries("2", first=("a", "b"))]
    frame = count_sets(found, ["/"])
    assert frame["builds"].to_list() == [1, 1] and frame["key"].n_unique() == 2


# ---- how old a build is: its id or started.json tells, not the times of a copy's files


def copied(tmp_path: Path, http: Http, builds: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """(state in the list of builds, kind in completeness) of builds in a tree whose files were all written just now."""
    for number, files in builds.items():
        folder = tmp_path / NAME / JOB / number
        folder.mkdir(parents=True)
        for name, body in {"build-log.txt": "", **files}.items():
            (folder / name).write_text(body if isinstance(body, str) else json.dumps(body))
    at = f"file:{tmp_path}"
    states = {row["build"]: row["state"] for row in rows(made(http, ProwPath(NAME, JOB, at)))}
    table = rows(made(http, CompletenessView(NAME, JOB, store=at, level="1")))
    kinds = {build: row["kind"] for row in table for build in row["build_ids"].split(",")}
    assert states.keys() == kinds.keys() == builds.keys()
    return {build: (states[build], kinds[build]) for build in builds}


def made(http: Http, locator: ProwPath | ProwView) -> Resource:
    return open_resource(locator, http, Settings(), CancelToken())


def test_a_copied_tree_has_no_pending_builds_of_years_ago(tmp_path: Path, http: Http) -> None:
    now = int(time.time())
    usual = {"finished.json": {"timestamp": now - 40 * DAY, "passed": True}}
    old, new = snowflake(30 * DAY), snowflake(3600)
    waits = {"prowjob.json": {"status": {"state": "pending"}}}
    found = copied(
        tmp_path,
        http,
        {
            "1": usual, "2": usual, "3": usual,
            old: {"started.json": {"timestamp": now - 30 * DAY}},
            snowflake(31 * DAY): {},
            snowflake(32 * DAY): waits,
            "900": {"started.json": {"timestamp": now - 30 * DAY}},
            "901": {},
            new: {},
            snowflake(1800): waits,
            snowflake(900): {"started.json": {"timestamp": now - 900}},
            "1000": {"started.json": {"timestamp": now - 3600}},
            "1001": {"prowjob.json": {"status": {"state": "aborted"}}, "started.json": {"timestamp": now - 60}},
            "1002": {"finished.json": {"timestamp": None}, "started.json": {"timestamp": now - 60}},
            "1003": waits,
        },
    )  # fmt: skip
    assert list(found.values()) == [
        ("success", "ok"), ("success", "ok"), ("success", "ok"),
        ("incomplete", "incomplete"), ("unknown", "incomplete"), ("incomplete", "incomplete"),
        ("incomplete", "incomplete"), ("unknown", "incomplete"),
        ("unknown", "pending"), ("pending", "pending"), ("running", "pending"),
        ("running", "pending"), ("aborted", "incomplete"), ("running", "pending"), ("pending", "pending"),
    ]  # fmt: skip


def test_a_build_that_runs_is_pending_whatever_the_times_of_its_copied_files(tmp_path: Path, http: Http) -> None:
    now = int(time.time())
    files: dict[str, Any] = {"started.json": {"timestamp": now - 60}}
    assert copied(tmp_path, http, {"7": files}) == {"7": ("running", "pending")}
    for path in (tmp_path / NAME / JOB / "7").iterdir():
        os.utime(path, (now - 90 * DAY, now - 90 * DAY))
    table = rows(made(http, CompletenessView(NAME, JOB, store=f"file:{tmp_path}", level="1")))
    assert [row["kind"] for row in table] == ["pending"]


def test_builds_that_are_older_than_a_day_cost_no_request_for_their_state(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(2 * DAY), result=None)
    build(bucket, snowflake(3 * DAY))
    rows(view(bucket, http, level="1"))
    assert len(bucket.asked) == len(bucket.lists())
