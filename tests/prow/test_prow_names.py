"""What a user would lose: a job or a build that is pasted by its name or id alone, as every tool prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.http import Http
from backends.prow.locators import ProwPath
from backends.prow.resolve import UnresolvedError, resolve
from backends.systems import parse_locator
from tests.prow.bucket_server import Bucket
from tests.prow.making import NAME, build, settings, snowflake

DAY = 86400


def found(bucket: Bucket, http: Http, text: str, **more: object) -> object:
    return resolve(parse_locator(text), http, settings(bucket, prow_bucket=NAME, **more))


def linked(bucket: Bucket, job: str, number: str) -> str:
    folder = build(bucket, number, f"pr-logs/pull/org_repo/12/{job}/")
    bucket.put(f"pr-logs/directory/{job}/{number}.txt", f"gs://{NAME}/{folder.rstrip('/')}")
    return folder


def test_a_build_is_found_by_its_job_and_id_wherever_the_job_keeps_its_builds(bucket: Bucket, http: Http) -> None:
    one, two, three = (snowflake((number + 1) * DAY) for number in range(3))
    build(bucket, one, "logs/kubevirt-e2e-k8s-1.31-sig-compute/")
    folder = linked(bucket, "unit-tests_istio", two)
    build(bucket, three, "pr-logs/pull/batch/unit-tests_istio/")
    job = "kubevirt-e2e-k8s-1.31-sig-compute"
    assert found(bucket, http, f"{job}/{one}") == ProwPath(NAME, f"logs/{job}/{one}/")
    assert found(bucket, http, f"unit-tests_istio/{two}") == ProwPath(NAME, folder)
    batch = ProwPath(NAME, f"pr-logs/pull/batch/unit-tests_istio/{three}/")
    assert found(bucket, http, f"unit-tests_istio/{three}") == batch
    assert found(bucket, http, f"unit-tests_istio/{two}") == ProwPath(NAME, folder)
    with pytest.raises(UnresolvedError, match="has no build 77 of a job unit-tests_istio"):
        found(bucket, http, "unit-tests_istio/77")


def test_a_build_is_found_by_its_id_alone(bucket: Bucket, http: Http) -> None:
    one, two = snowflake(DAY), snowflake(2 * DAY)
    for job in ("a-job", "b-job", "c-job"):
        build(bucket, snowflake(9 * DAY), f"logs/{job}/")
    build(bucket, one, "logs/b-job/")
    folder = linked(bucket, "pull-x", two)
    assert found(bucket, http, one) == ProwPath(NAME, f"logs/b-job/{one}/")
    assert found(bucket, http, two) == ProwPath(NAME, folder)
    sippy = f"https://sippy.dptools.openshift.org/sippy-ng/job_runs/{one}/intervals"
    assert found(bucket, http, sippy) == ProwPath(NAME, f"logs/b-job/{one}/")
    with pytest.raises(UnresolvedError, match="has a build") as problem:
        found(bucket, http, snowflake(3 * DAY))
    assert "JOB/" in problem.value.hint


def test_of_thousands_of_jobs_only_visited_ones_are_asked_for_a_build(
    bucket: Bucket, http: Http, tmp_path: Path
) -> None:
    one = snowflake(DAY)
    for number in range(20):
        bucket.put(f"logs/job-{number}/1/started.json", {})
    build(bucket, one, "logs/job-7/")
    bucket.page = 5
    with pytest.raises(UnresolvedError, match="too many jobs to try each") as problem:
        found(bucket, http, one)
    assert problem.value.hint == f"Add the job: JOB/{one}."
    visit = {"text": f"gs://{NAME}/logs/job-7/", "pinned": False, "at": 1.0}
    (tmp_path / "history.json").write_text(json.dumps([visit]))
    assert found(bucket, http, one, state_dir=str(tmp_path)) == ProwPath(NAME, f"logs/job-7/{one}/")


def test_a_line_of_a_build_that_deck_shows_by_its_link_keeps_its_number(bucket: Bucket, http: Http) -> None:
    two = snowflake(2 * DAY)
    folder = linked(bucket, "pull-x", two)
    page = f"https://prow.ci.openshift.org/view/gs/{NAME}/pr-logs/directory/pull-x/{two}#1:build-log.txt:5-7"
    assert found(bucket, http, page) == ProwPath(NAME, f"{folder}build-log.txt", "", (5, 7))
