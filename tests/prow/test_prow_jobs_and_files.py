"""What a user would lose: the jobs one comes back to, the way into a folder, and what Enter shows of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http import Http
from backends.prow.files import is_events, is_junit, is_text
from backends.prow.jobs import ProwJobList, visited_jobs
from backends.prow.locators import EventsView, FileTreeView, JUnitView, ProwPath
from backends.resources import Document, ImageFile, LogAddress, Question
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, rows, snowflake


def test_pinned_and_recent_jobs_come_first(bucket: Bucket, http: Http, tmp_path: Path) -> None:
    for job in ("a", "b", "c", "d"):
        bucket.put(f"logs/{job}/1/x", "")
    visits = [
        {"text": f"gs://{NAME}/logs/b/", "title": "b", "at": 1.0, "pinned": False},
        {"text": f"gs://{NAME}/logs/d/123/", "title": "d", "at": 2.0, "pinned": False},
        {"text": f"gs://{NAME}/logs/c/", "title": "c", "at": 0.0, "pinned": True},
        {"text": "gs://other/logs/a/", "title": "a", "at": 9.0, "pinned": True},
        {"text": "no locator at all", "title": "", "at": 9.0, "pinned": True},
    ]
    (tmp_path / "history.json").write_text(json.dumps(visits))
    assert visited_jobs(tmp_path, NAME) == {"c": "pinned", "d": "recent", "b": "recent"}
    jobs = opened(bucket, http, f"gs://{NAME}/logs/", state_dir=str(tmp_path))
    found = sorted(rows(jobs), key=lambda row: row["rank"])
    assert [row["job"] for row in found] == ["c", "d", "b", "a"]
    (tmp_path / "history.json").write_text("[1")
    assert visited_jobs(tmp_path, NAME) == {} == visited_jobs(tmp_path / "none", NAME)


def test_jobs_are_found_by_the_beginning_of_their_name(bucket: Bucket, http: Http) -> None:
    for job in ("ci-a", "ci-b", "periodic-a"):
        bucket.put(f"logs/{job}/1/x", "")
    jobs = opened(bucket, http, f"gs://{NAME}/logs/")
    assert isinstance(jobs, ProwJobList)
    question = next(one for one in jobs.menu(None, jobs.schema.empty()) if isinstance(one, Question))
    some = opened(bucket, http, question.opens("ci-").text())
    assert [row["job"] for row in rows(some)] == ["ci-a", "ci-b"] and "ci-" in some.title


def test_ten_thousand_jobs_arrive_page_by_page(bucket: Bucket, http: Http) -> None:
    bucket.page = 100
    for number in range(350):
        bucket.put(f"logs/job-{number:04d}/1/x", "")
    pages = list(opened(bucket, http, f"gs://{NAME}/logs/").pages(CancelToken()))
    assert [page.frame.height for page in pages] == [100, 100, 100, 50]


def test_enter_shows_each_file_as_what_it_is(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(100))
    for name in ("events.json", "junit_01.xml", "picture.png", "e2e/build-log.txt", "report.html"):
        bucket.put(f"{folder}artifacts/{name}", "{}", content_type="image/png" if "png" in name else "text/plain")
    level = opened(bucket, http, f"gs://{NAME}/{folder}")
    by = {row["name"]: row for row in rows(level)}
    assert level.shows(by["artifacts/"]) == ProwPath(NAME, f"{folder}artifacts/")
    assert isinstance(level.shows(by["prowjob.json"]), Document)
    assert isinstance(level.shows(by["build-log.txt"]), LogAddress)
    inner = opened(bucket, http, f"gs://{NAME}/{folder}artifacts/")
    by = {row["name"]: row for row in rows(inner)}
    assert inner.shows(by["events.json"]) == EventsView(NAME, f"{folder}artifacts/events.json")
    assert inner.shows(by["junit_01.xml"]) == JUnitView(NAME, f"{folder}artifacts/junit_01.xml")
    image = inner.shows(by["picture.png"])
    assert isinstance(image, ImageFile) and (image.size, image.content_type) == (2, "image/png")
    assert image.read(CancelToken()) == b"{}" and image.locator == inner.open(by["picture.png"])
    podinfo = opened(bucket, http, EventsView(NAME, f"{folder}podinfo.json").text())
    with pytest.raises(AppError):
        rows(podinfo)


@pytest.mark.parametrize("name", ["build-log.txt", "kubelet.log", "a/b/kubelet", "x.log.gz", "metadata.json"])
def test_texts_are_known_by_their_names(name: str) -> None:
    assert is_text(name, "")


def test_reports_and_events_are_those_of_prow_s_own_lenses() -> None:
    assert is_junit("artifacts/junit_operator.xml") and is_junit("a/junit/monitor_x.xml") and is_junit("junit.xml.gz")
    assert not is_junit("artifacts/pom.xml") and not is_junit("junit.txt")
    assert is_events("artifacts/build-resources/events.json") and is_events("podinfo.json") and not is_events("x.json")


def test_a_document_that_is_no_json_says_so_and_lines_of_json_are_read(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(100))
    bucket.put(f"{folder}sidecar-logs.json", '{"a": 1}\n{"a": 2}\n')
    bucket.put(f"{folder}broken.json", '{"a": ')
    level = opened(bucket, http, f"gs://{NAME}/{folder}")
    by = {row["name"]: row for row in rows(level)}
    lines = level.document(by["sidecar-logs.json"])
    assert lines is not None and lines.read(CancelToken()) == [{"a": 1}, {"a": 2}]
    broken = level.document(by["broken.json"])
    assert broken is not None
    with pytest.raises(AppError):
        broken.read(CancelToken())


def test_all_files_of_marked_builds_are_one_list(bucket: Bucket, http: Http) -> None:
    several = (snowflake(1000), snowflake(2000))
    for one in several:
        build(bucket, one, artifacts=("a/b/c.txt", "metadata.json"))
    tree = opened(bucket, http, FileTreeView(NAME, JOB, several).text())
    found = rows(tree)
    assert len(found) == 14 and {row["build"] for row in found} == set(several)
    assert "artifacts/a/b/c.txt" in {row["name"] for row in found}


def test_folders_have_the_number_and_size_of_all_that_is_in_them(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(1000), artifacts=(), leave_out=("prowjob.json", "podinfo.json"))
    bucket.put(f"{folder}artifacts/a/b.txt", b"x" * 100)
    bucket.put(f"{folder}artifacts/c.txt", b"x" * 50)
    sizes = opened(bucket, http, FileTreeView(NAME, folder, by="folders").text())
    by = {row["folder"]: row for row in rows(sizes)}
    assert (by["artifacts/"]["files"], by["artifacts/"]["size"], by["artifacts/"]["largest"]) == (2, 150, 100)
    assert by["."]["files"] == 3 and sizes.open(by["."]) == ProwPath(NAME, folder)
    assert sizes.open(by["artifacts/"]) == ProwPath(NAME, f"{folder}artifacts/")
