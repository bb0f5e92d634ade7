"""What has been read of builds that have ended is not asked for again, and is there without the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http, Mode
from backends.http.errors import HttpError
from backends.prow.locators import CompletenessView, JUnitMatrixView, ProwJob, ProwPath, ProwView
from backends.prow.resolve import resolve
from backends.resources import read_list
from backends.systems import open_resource
from tests.prow.bucket_server import Bucket

JOB = "periodic-nightly"
IDS = ("1387000000000000000", "1387000004194304000")
JUNIT = "<testsuite><testcase name='boots'/></testsuite>"


def filled(bucket: Bucket, *, finished: bool = True, updated: str = "2021-04-27T10:00:00.000Z") -> None:
    for build in IDS:
        folder = f"logs/{JOB}/{build}/"
        bucket.put(f"{folder}started.json", json.dumps({"timestamp": 1_619_000_000}))
        bucket.put(f"{folder}artifacts/junit.xml", JUNIT)
        if finished:
            ended = bucket.put(f"{folder}finished.json", json.dumps({"timestamp": 1_619_003_600, "passed": True}))
            ended.updated = updated


def seen(bucket: Bucket, http: Http, view: type[ProwView], **options: Any) -> list[dict[str, object]]:
    locator = view("ci", f"logs/{JOB}/", IDS, **options)
    return read_list(
        open_resource(locator, http, Settings(gcs_url=bucket.url), CancelToken()), CancelToken()
    ).frame.to_dicts()


def offline(tmp_path: Path) -> Http:
    return Http(cache_dir=tmp_path / "cache", mode=Mode.OFFLINE)


def test_completeness_of_ended_builds_is_asked_once(bucket: Bucket, http: Http, tmp_path: Path) -> None:
    filled(bucket)
    first = seen(bucket, http, CompletenessView)
    assert [(row["level"], row["kind"], row["builds"]) for row in first] == [("/", "ok", 2), ("artifacts/", "ok", 2)]
    bucket.asked.clear()
    assert seen(bucket, http, CompletenessView) == first and not bucket.asked
    with offline(tmp_path) as other:
        assert seen(bucket, other, CompletenessView) == first


def test_a_second_level_that_was_never_asked_for_is(bucket: Bucket, http: Http) -> None:
    filled(bucket)
    assert {row["level"] for row in seen(bucket, http, CompletenessView, level="1")} == {"/"}
    assert [row["builds"] for row in seen(bucket, http, CompletenessView)] == [2, 2]


@pytest.mark.parametrize(
    "builds", [{"finished": False}, {"updated": "2999-01-01T00:00:00.000Z"}], ids=["unfinished", "just finished"]
)
def test_what_can_still_change_is_asked_again(bucket: Bucket, http: Http, builds: dict[str, object]) -> None:
    filled(bucket, **builds)  # type: ignore[arg-type]
    seen(bucket, http, CompletenessView)
    bucket.put(f"logs/{JOB}/{IDS[0]}/podinfo.json", "{}")
    again = seen(bucket, http, CompletenessView, level="1")
    assert sorted(str(row["set"]).count("podinfo") for row in again) == [0, 1]


def test_tests_of_builds_are_there_offline(bucket: Bucket, http: Http, tmp_path: Path) -> None:
    filled(bucket)
    first = seen(bucket, http, JUnitMatrixView)
    assert [(row["test"], row["runs"]) for row in first] == [("boots", 2)]
    with offline(tmp_path) as other:
        assert seen(bucket, other, JUnitMatrixView) == first


def test_a_bare_job_name_is_known_offline_once_it_was_listed(bucket: Bucket, http: Http, tmp_path: Path) -> None:
    filled(bucket)
    settings, job = Settings(gcs_url=bucket.url, prow_bucket="ci-logs"), ProwJob(JOB, "", "")
    found = resolve(job, http, settings)
    read_list(open_resource(found, http, settings, CancelToken()), CancelToken())
    with offline(tmp_path) as other:
        assert resolve(job, other, settings) == found == ProwPath("ci-logs", f"logs/{JOB}/")
        assert len(read_list(open_resource(found, other, settings, CancelToken()), CancelToken()).frame) == 2
        with pytest.raises(HttpError):
            resolve(ProwJob("periodic-other", "", ""), other, settings)
