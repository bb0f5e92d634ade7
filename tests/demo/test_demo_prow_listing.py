"""Does the synthetic storage list as Google's does, page by page, with every rule that readers stumble over?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.demo import DemoOptions, DemoServer
from backends.demo.prow import builds, storage_api
from backends.demo.prow.builds import (
    COMPLETENESS_JOB,
    KUBERNETES_BUCKET,
    KUBERNETES_JOB,
    LONG_JOB,
    OPENSHIFT_BUCKET,
    OPENSHIFT_JOB,
    PRIVATE_BUCKET,
    PULL_JOB,
)
from tests.demo.archive_asking import Archive

JOB = f"logs/{OPENSHIFT_JOB}/"


def test_jobs_and_builds_are_prefixes_and_the_latest_file_an_item(archive: Archive) -> None:
    jobs = archive.list(prefix="logs/", delimiter="/")
    assert jobs["prefixes"] == [f"logs/{COMPLETENESS_JOB}/", JOB]
    assert "items" not in jobs
    found = archive.list(prefix=JOB, delimiter="/")
    assert len(found["prefixes"]) == 150
    assert [item["name"] for item in found["items"]] == [f"{JOB}latest-build.txt"]
    assert found["kind"] == "storage#objects"


def test_five_thousand_builds_come_in_pages_that_count_prefixes(archive: Archive) -> None:
    pages = archive.pages(KUBERNETES_BUCKET, prefix=f"logs/{LONG_JOB}/", delimiter="/")
    sizes = [len(page.get("prefixes", ())) + len(page.get("items", ())) for page in pages]
    assert sizes == [1000] * 5 + [1]
    assert len({name for page in pages for name in page.get("prefixes", ())}) == 5000
    assert sizes == [
        len(page.get("prefixes", ())) + len(page.get("items", ()))
        for page in archive.pages(KUBERNETES_BUCKET, prefix=f"logs/{LONG_JOB}/", delimiter="/", maxResults=5000)
    ]


def test_a_moment_as_start_offset_lists_the_builds_from_then_on(archive: Archive) -> None:
    every = archive.prefixes(prefix=JOB, delimiter="/")
    at = every[100].split("/")[-2]
    later = archive.prefixes(prefix=JOB, delimiter="/", startOffset=f"{JOB}{at}")
    assert later == every[100:]
    assert archive.prefixes(prefix=JOB, delimiter="/", startOffset=f"{JOB}{at}", endOffset=f"{JOB}{at}0") == [
        every[100]
    ]


def test_fields_leave_only_what_was_asked_for(archive: Archive) -> None:
    asked = "nextPageToken,prefixes,items(name,size)"
    found = archive.list(prefix=archive.folder("build-failed"), delimiter="/", fields=asked)
    assert set(found) == {"prefixes", "items"}
    assert all(set(item) == {"name", "size"} for item in found["items"])
    assert set(archive.list(prefix=JOB, delimiter="/", fields="prefixes")) == {"prefixes"}


@pytest.mark.parametrize("params", [{"pageToken": "damaged"}, {"maxResults": "-1"}, {"fields": "items("}])
def test_what_cannot_be_asked_is_refused_in_the_apis_words(archive: Archive, params: dict[str, str]) -> None:
    answer = httpx.get(f"{archive.url}/storage/v1/b/{OPENSHIFT_BUCKET}/o", params=params)
    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400
    assert error["message"] == error["errors"][0]["message"]
    assert error["errors"][0]["domain"] == "global"


def test_missing_and_private_buckets_are_told_apart(archive: Archive) -> None:
    missing = httpx.get(f"{archive.url}/storage/v1/b/no-such-bucket/o")
    assert (missing.status_code, missing.json()["error"]["errors"][0]["reason"]) == (404, "notFound")
    private = httpx.get(f"{archive.url}/storage/v1/b/{PRIVATE_BUCKET}/o")
    assert (private.status_code, private.json()["error"]["errors"][0]["reason"]) == (401, "required")
    assert "storage.objects.list" in private.json()["error"]["message"]
    assert archive.list(prefix="nothing/begins/so") == {"kind": "storage#objects"}


def test_the_originals_table_of_completeness_comes_out(archive: Archive) -> None:
    sets: Counter[tuple[str, ...]] = Counter()
    below: Counter[tuple[str, ...]] = Counter()
    for folder in archive.prefixes(prefix=f"logs/{COMPLETENESS_JOB}/", delimiter="/"):
        sets[entries(archive, folder)] += 1
        below[entries(archive, f"{folder}artifacts/")] += 1
    assert sorted(sets.values(), reverse=True) == [135, 2, 1, 1, 1]
    assert round(sets[builds.COMPLETE] / sum(sets.values()), 6) == 0.964286
    assert sorted(below.values(), reverse=True) == [92, 27, 9, 4, 2, 2, 1, 1, 1, 1]
    assert below[()] == 2


def entries(archive: Archive, folder: str) -> tuple[str, ...]:
    page = archive.list(prefix=folder, delimiter="/", fields="prefixes,items(name)")
    names = [*page.get("prefixes", ()), *(item["name"] for item in page.get("items", ()))]
    return tuple(sorted(name.removeprefix(folder) for name in names))


def test_a_pull_job_is_reached_through_its_link_files(archive: Archive) -> None:
    links = archive.items(KUBERNETES_BUCKET, prefix=f"pr-logs/directory/{PULL_JOB}/", delimiter="/")
    named = [item for item in links if item["name"].split("/")[-1][0].isdigit()]
    assert len(named) == 31
    broken = 0
    for item in named:
        text = archive.get(item["name"], KUBERNETES_BUCKET).text
        assert text == item.get("metadata", {}).get("link", text) == text.strip()
        folder = text.removeprefix(f"gs://{KUBERNETES_BUCKET}/") + "/"
        broken += not archive.list(KUBERNETES_BUCKET, prefix=folder).get("items")
    assert broken == 1


def test_ids_of_the_old_counter_do_not_sort_as_text(archive: Archive) -> None:
    found = archive.prefixes(KUBERNETES_BUCKET, prefix=f"logs/{KUBERNETES_JOB}/", delimiter="/")
    ids = [name.split("/")[-2] for name in found]
    assert {"8", "9", "10", "11"} < set(ids)
    assert ids == sorted(ids) != sorted(ids, key=lambda text: (len(text), text))
    latest = archive.get(f"logs/{KUBERNETES_JOB}/latest-build.txt", KUBERNETES_BUCKET).text
    assert len(latest) == 18
    assert latest not in ids


NAMES = st.lists(st.text("ab/.é🧪", min_size=1, max_size=6), unique=True).map(sorted)


@given(NAMES, st.text("ab/", max_size=2), st.sampled_from(["", "/"]), st.integers(1, 4))
def test_pages_of_any_size_together_are_the_whole_list(
    names: list[str], prefix: str, delimiter: str, limit: int
) -> None:
    expected: list[str] = []
    for name in names:
        if name.startswith(prefix):
            head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            entry = prefix + head + cut if cut else name
            if entry not in expected or not cut:
                expected.append(entry)
    found: list[str] = []
    after = ""
    while True:
        page = storage_api.list_page(names, prefix, delimiter, after=after, limit=limit)
        assert len(page.names) + len(page.prefixes) <= limit
        found += page.names + page.prefixes
        if not page.next:
            break
        after = storage_api.name_in_token(storage_api.page_token(page.next))
    assert sorted(found) == sorted(expected)


def test_a_reader_that_tries_five_times_sees_every_page_of_a_faulty_storage() -> None:
    with DemoServer(DemoOptions(tasks=30, fault=0.1), stall_seconds=0.01) as server:
        url = f"{server.settings['CIEXPLORE_GCS_URL']}/storage/v1/b/{OPENSHIFT_BUCKET}/o"
        names: list[str] = []
        token = ""
        with httpx.Client(timeout=30) as client:
            while token or not names:
                found = stubborn(client, url, {"prefix": JOB, "delimiter": "/", "maxResults": "10", "pageToken": token})
                names += found.get("prefixes", [])
                token = found.get("nextPageToken", "")
    assert len(names) == 150


def stubborn(client: httpx.Client, url: str, params: dict[str, str]) -> Any:
    for _ in range(5):
        try:
            answer = client.get(url, params=params)
            if answer.status_code == 200:
                return answer.json()
        except httpx.TransportError:
            pass
    raise AssertionError("five failures of the same request")
