"""What a user would lose if a store's answer were taken at its word: entries, whole files, and the truth about both."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http import Http
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NotFoundError,
    ResponseTooLargeError,
    UnexpectedResponseError,
)
from backends.prow.store import BlobInfo, BlobStore, list_all, list_pages
from backends.prow.store_gcs import GcsStore, parse_blob_info
from backends.prow.store_gcsweb import FallbackStore, GcswebStore, parse_page
from backends.prow.store_local import LocalStore
from backends.prow.store_s3 import S3Store
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import NAME, build, snowflake

STRANGE = ["report%231.txt", "a b.txt", "x&y<z>.txt", "q?u#.txt", "é.txt", "100%.txt", "+plus+.txt"]


def read(source: BlobStore, name: str, **more: Any) -> bytes:
    with source.open("b", BlobInfo(name, **more), cancel=CancelToken()) as body:
        return b"".join(body)


# ---- the storage's JSON API


def test_pages_that_count_folders_are_followed_to_the_last_token(bucket: Bucket, http: Http) -> None:
    bucket.page = 3
    for number in range(10):
        bucket.put(f"logs/j/{number}/x", "")
    bucket.put("logs/j/latest-build.txt", "9")
    found = list_all(GcsStore(http, bucket.url), "b", "logs/j/", cancel=CancelToken())
    assert len(found.folders) == 10 and [one.name for one in found.files] == ["logs/j/latest-build.txt"]
    assert len(bucket.lists()) == 4


def test_a_page_without_entries_but_with_a_token_is_not_the_end(bucket: Bucket, http: Http) -> None:
    bucket.put("logs/j/1/x", "")
    bucket.faults.append(("/o?", "empty"))
    assert list_all(GcsStore(http, bucket.url), "b", "logs/j/", cancel=CancelToken()).folders == ("logs/j/1/",)


def test_a_server_that_repeats_its_token_does_not_list_for_ever(bucket: Bucket, http: Http) -> None:
    bucket.faults += [("/o?", {"nextPageToken": "same", "prefixes": ["p/"]})] * 5
    found = list_all(GcsStore(http, bucket.url), "b", "", cancel=CancelToken())
    assert found.folders == ("p/",) and "repeated" in found.note


def test_the_folder_s_own_mark_is_no_file(bucket: Bucket, http: Http) -> None:
    bucket.put("logs/j/", "")
    bucket.put("logs/j/1/x", "x")
    bucket.put("logs/j/1/artifacts/", "")
    source = GcsStore(http, bucket.url)
    assert list_all(source, "b", "logs/j/", cancel=CancelToken()).files == ()
    assert [one.name for one in list_all(source, "b", "logs/j/", cancel=CancelToken(), deep=True).files] == [
        "logs/j/1/x"
    ]


def test_bounds_keep_the_build_that_they_name(bucket: Bucket, http: Http) -> None:
    for number in ("10", "20", "30"):
        bucket.put(f"logs/j/{number}/x", "")
    source = GcsStore(http, bucket.url)
    found = source.list("b", "logs/j/", cancel=CancelToken(), start="logs/j/20", end="logs/j/30")
    assert found.folders == ("logs/j/20/",)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_for_a_moment_costs_nothing(bucket: Bucket, http: Http, status: int) -> None:
    bucket.put("logs/j/1/x", "")
    bucket.faults += [("/o?", status)] * 2
    assert list_all(GcsStore(http, bucket.url), "b", "logs/j/", cancel=CancelToken()).folders


@pytest.mark.parametrize("answer", [[], {"items": {"a": 1}}, {"prefixes": "x"}])
def test_what_is_no_listing_is_not_an_empty_one(bucket: Bucket, http: Http, answer: Any) -> None:
    bucket.faults.append(("/o?", answer if isinstance(answer, dict) else {"items": answer or "x"}))
    with pytest.raises(UnexpectedResponseError):
        GcsStore(http, bucket.url).list("b", "", cancel=CancelToken())


def test_a_private_bucket_says_so(bucket: Bucket, http: Http) -> None:
    bucket.private = True
    with pytest.raises(AccessDeniedError):
        GcsStore(http, bucket.url).list("b", "", cancel=CancelToken())


def test_a_misspelt_bucket_and_an_object_that_is_not_there_are_told_apart(bucket: Bucket, http: Http) -> None:
    source, host = GcsStore(http, bucket.url), bucket.url.removeprefix("http://")
    bucket.faults.append(("/b/ci-lgos/o", 404))
    with pytest.raises(NotFoundError) as listing:
        source.list("ci-lgos", "logs/", cancel=CancelToken())
    assert listing.value.sentence == f"{host} has no bucket ci-lgos (404)."
    with pytest.raises(NotFoundError) as one:
        source.stat("ci-logs", "logs/a/1/b.txt", cancel=CancelToken())
    with (
        pytest.raises(NotFoundError) as body,
        source.open("ci-logs", BlobInfo("logs/a/1/b.txt"), cancel=CancelToken()) as pieces,
    ):
        list(pieces)
    assert one.value.sentence == body.value.sentence == "There is no logs/a/1/b.txt in ci-logs (404)."


def test_a_refused_object_is_named_as_its_bucket_names_it(bucket: Bucket, ciexplore: Caller) -> None:
    folder = build(bucket, snowflake(3600))
    bucket.faults += [("build-log.txt", 403)] * 9
    host = bucket.url.removeprefix("http://")
    found = ciexplore("prow", "log", f"gs://{NAME}/{folder}build-log.txt", "--gcs-url", bucket.url, "--no-cache")
    assert found.code == 3
    assert f"{host} does not let you read {folder}build-log.txt in bucket {NAME} (403)." in found.err
    assert "run `gcloud auth application-default login`" in found.err


def test_sizes_are_texts_and_damaged_fields_cost_only_themselves() -> None:
    entry = parse_blob_info({"name": "a", "size": "12", "generation": "5", "updated": "2026-11-20T10:00:00.123Z"})
    assert entry == BlobInfo("a", 12, 1795168800123, generation="5")
    assert (
        parse_blob_info({"name": "a", "size": "-1", "updated": "soon", "generation": [], "contentEncoding": 3})
        is not None
    )
    assert (
        parse_blob_info({"size": "12"}) is None
        and parse_blob_info("x") is None
        and parse_blob_info({"name": ""}) is None
    )


def test_strange_names_are_asked_for_as_they_are(bucket: Bucket, http: Http) -> None:
    source = GcsStore(http, bucket.url)
    for name in STRANGE:
        bucket.put(f"logs/j/1/{name}", name)
    found = list_all(source, "b", "logs/j/1/", cancel=CancelToken())
    assert [source.read("b", one, cancel=CancelToken()).decode() for one in found.files] == sorted(STRANGE)
    assert all(read(source, one.name) for one in found.files)


def test_a_compressed_object_is_read_whole_and_never_in_ranges(bucket: Bucket, http: Http) -> None:
    text = b"a line of a log\n" * 5000
    bucket.put("log", text, packed=True)
    source = GcsStore(http, bucket.url)
    entry = source.stat("b", "log", cancel=CancelToken())
    assert entry.is_compressed and entry.content_size is None and entry.size is not None and entry.size < len(text)
    assert read(source, "log") == text == source.read("b", entry, cancel=CancelToken())
    assert not any("range" in headers for headers in bucket.headers)


def test_a_stream_that_breaks_is_taken_up_again(bucket: Bucket, http: Http) -> None:
    text = bytes(range(256)) * 2000
    bucket.put("log", text)
    bucket.faults += [("alt=media", "broken")] * 2
    assert read(GcsStore(http, bucket.url), "log") == text


def test_an_overwritten_object_is_never_answered_from_the_store(bucket: Bucket, http: Http) -> None:
    source = GcsStore(http, bucket.url)
    bucket.put("prowjob.json", "old")
    entry = source.stat("b", "prowjob.json", cancel=CancelToken())
    assert source.read("b", entry, cancel=CancelToken()) == b"old"
    bucket.put("prowjob.json", "new")
    asked = len(bucket.asked)
    assert (
        source.read("b", entry, cancel=CancelToken()) == b"old" and len(bucket.asked) == asked
    )  # that generation is kept
    assert source.read("b", BlobInfo("prowjob.json"), cancel=CancelToken()) == b"new"
    fresh = source.stat("b", "prowjob.json", cancel=CancelToken())
    assert fresh.generation != entry.generation and source.read("b", fresh, cancel=CancelToken()) == b"new"


def test_a_file_that_is_too_large_is_not_held(bucket: Bucket, http: Http) -> None:
    bucket.put("big.json", b"x" * 5000)
    with pytest.raises(ResponseTooLargeError):
        GcsStore(http, bucket.url).read("b", BlobInfo("big.json"), cancel=CancelToken(), max_bytes=1000)


def test_stopping_stops_a_listing(bucket: Bucket, http: Http) -> None:
    bucket.put("a", "")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        list(list_pages(GcsStore(http, bucket.url), "b", "", cancel=cancel))


# ---- gcsweb


@pytest.mark.parametrize("generation", ["2019", "current"])
def test_both_generations_of_gcsweb_list_the_same(bucket: Bucket, http: Http, generation: str) -> None:
    bucket.gcsweb, bucket.page = generation, 4
    for number in range(10):
        bucket.put(f"logs/j/{number}/x", "")
    bucket.put("logs/j/latest-build.txt", "9")
    source = GcswebStore(http, bucket.url)
    found = list_all(source, "b", "logs/j/", cancel=CancelToken())
    assert found.folders == tuple(f"logs/j/{number}/" for number in range(10))
    assert found.files[0].size == 1 and found.files[0].updated_ms == 1795168800000
    some = list_all(source, "b", "logs/j/9", cancel=CancelToken())
    assert some.folders == ("logs/j/9/",) and not some.files


@pytest.mark.parametrize("generation", ["2019", "current"])
def test_a_folder_and_a_file_that_do_not_exist_are_not_there(bucket: Bucket, http: Http, generation: str) -> None:
    """Today's gcsweb answers 200 with the page of an empty folder for both, the older one redirects."""
    bucket.gcsweb = generation
    bucket.put("logs/j/1/x", "")
    source = GcswebStore(http, bucket.url)
    assert list_all(source, "b", "logs/none/", cancel=CancelToken()).folders == ()
    with pytest.raises(NotFoundError):
        source.read("b", BlobInfo("logs/j/1/finished.json"), cancel=CancelToken())
    with pytest.raises(NotFoundError):
        read(source, "logs/j/1/build-log.txt")
    with pytest.raises(NotFoundError):
        source.stat("b", "logs/j/1/y", cancel=CancelToken())


def test_an_html_file_is_not_taken_for_a_page_of_gcsweb(bucket: Bucket, http: Http) -> None:
    bucket.put("a/report.html", "<html><title>Coverage</title></html>")
    assert b"Coverage" in read(GcswebStore(http, bucket.url), "a/report.html")


def test_gcsweb_s_wrong_charset_of_compressed_objects_is_no_obstacle(bucket: Bucket, http: Http) -> None:
    bucket.put("a/log.txt", "text", packed=True)
    source = GcswebStore(http, bucket.url)
    assert read(source, "a/log.txt") == b"text" == source.read("b", BlobInfo("a/log.txt"), cancel=CancelToken())


def test_names_that_gcsweb_does_not_escape_are_names(bucket: Bucket, http: Http) -> None:
    for name in STRANGE:
        bucket.put(f"a/{name}", "")
    found = list_all(GcswebStore(http, bucket.url), "b", "a/", cancel=CancelToken())
    assert [one.name for one in found.files] == sorted(f"a/{name}" for name in STRANGE)


def test_a_login_page_is_not_an_empty_folder(bucket: Bucket, http: Http) -> None:
    bucket.faults.append(("/gcs/", {"login": "please"}))
    with pytest.raises(UnexpectedResponseError):
        GcswebStore(http, bucket.url).list("b", "a/", cancel=CancelToken())


def test_all_recorded_pages_are_read(prow_samples: Path) -> None:
    prefix = "logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp/"
    for generation in ("rendered-2019", "rendered-current"):
        folder = prow_samples / "gcsweb-html" / generation
        jobs = parse_page((folder / "logs_.html").read_text(), "logs/")
        assert len(jobs.folders) == 2 and prefix in jobs.folders and not jobs.ambiguous
        builds = parse_page((folder / f"{prefix.rstrip('/').replace('/', '_')}_.html").read_text(), prefix)
        # the original notebook's own code takes two links of today's footer for builds
        assert len(builds.folders) == 53 and all(one.removeprefix(prefix)[:-1].isdigit() for one in builds.folders)
        assert [one.name.removeprefix(prefix) for one in builds.files] == ["latest-build.txt"]
        build = parse_page(next(folder.glob("*1378441280396201984_.html")).read_text(), f"{prefix}1378441280396201984/")
        assert [one.name.rpartition("/")[2] for one in build.files] == [
            "build-log.txt",
            "finished.json",
            "started.json",
        ]
        assert build.files[0].size == 4078 and build.files[0].updated_ms is not None
    missing = parse_page((prow_samples / "gcsweb-html/rendered-current/logs_does-not-exist_.html").read_text(), "x/")
    assert not missing.files and not missing.folders
    for page in (prow_samples / "gcsweb-html" / "upstream-expected").glob("*.html"):
        found = parse_page(page.read_text(), "pr-logs/12345/")
        assert found.files or found.folders


# ---- one where the other says no


def test_gcsweb_takes_over_where_the_storage_does_not_let_us(bucket: Bucket, http: Http) -> None:
    bucket.private = True
    bucket.put("logs/j/1/build-log.txt", "text")
    source = FallbackStore(GcsStore(http, bucket.url), GcswebStore(http, bucket.url))
    found = source.list("b", "logs/j/", cancel=CancelToken())
    assert found.folders == ("logs/j/1/",) and "gcsweb" in found.note
    assert read(source, "logs/j/1/build-log.txt") == b"text"


def test_where_neither_works_the_storage_s_own_words_are_shown(bucket: Bucket, http: Http) -> None:
    bucket.private = True
    bucket.faults += [("/gcs/", 500)] * 10
    source = FallbackStore(GcsStore(http, bucket.url), GcswebStore(http, bucket.url))
    with pytest.raises(AccessDeniedError):
        source.list("b", "logs/", cancel=CancelToken())


# ---- a directory


def test_a_downloaded_tree_lists_like_the_bucket(tmp_path: Path, bucket: Bucket, http: Http) -> None:
    names = [
        "logs/j/1/a",
        "logs/j/1/artifacts/x/y",
        "logs/j/10/a",
        "logs/j/2/a",
        "logs/j-k/1/a",
        "logs/j/latest-build.txt",
    ]
    for name in names:
        bucket.put(name, name)
        path = tmp_path / "b" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "b" / ".ciexplore").mkdir()
    (tmp_path / "b" / "logs" / "link").symlink_to("/etc")
    local, remote = LocalStore(tmp_path), GcsStore(http, bucket.url)
    for prefix in ("", "logs/", "logs/j", "logs/j/", "logs/j/1", "nothing/", "logs/j/1/a"):
        for deep in (False, True):
            ours, theirs = (list_all(one, "b", prefix, cancel=CancelToken(), deep=deep) for one in (local, remote))
            assert ours.folders == theirs.folders, prefix
            assert [(one.name, one.size) for one in ours.files] == [(one.name, one.size) for one in theirs.files]
    ours = local.list("b", "logs/j/", cancel=CancelToken(), start="logs/j/10", end="logs/j/2")
    assert ours.folders == ("logs/j/10/",)
    assert read(local, "logs/j/1/a") == b"logs/j/1/a"


@pytest.mark.parametrize(
    "name", ["../secret", "logs/../../secret", "/etc/passwd", "logs//x", "link", ".", "a\0b", "\ud800"]
)
def test_no_name_leads_out_of_the_tree(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "root" / "b").mkdir(parents=True)
    (tmp_path / "root" / "b" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFoundError):
        read(LocalStore(tmp_path / "root"), name)


def test_compressed_bytes_under_a_plain_name_are_unpacked(tmp_path: Path) -> None:
    """rclone stores compressed objects so; what is called .gz stays as it is."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "log.txt").write_bytes(gzip.compress(b"text"))
    (tmp_path / "b" / "log.gz").write_bytes(gzip.compress(b"text"))
    source = LocalStore(tmp_path)
    assert read(source, "log.txt") == b"text" and read(source, "log.gz") == gzip.compress(b"text")


def test_pages_of_a_large_directory_have_no_gap(tmp_path: Path) -> None:
    folder = tmp_path / "b" / "x"
    folder.mkdir(parents=True)
    for number in range(2500):
        (folder / f"{number:05d}").touch()
    listings = list(list_pages(LocalStore(tmp_path), "b", "x/", cancel=CancelToken()))
    names = [one.name for listing in listings for one in listing.files]
    assert len(listings) == 3 and names == [f"x/{number:05d}" for number in range(2500)]


# ---- Amazon's protocol


def test_a_bucket_of_obstore_lists_and_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = pytest.importorskip("obstore.store").MemoryStore()
    for name in ("logs/j/1/a.txt", "logs/j/1/b.txt", "logs/j/2/a.txt", "logs/j/latest-build.txt"):
        memory.put(name, name.encode())
    source = S3Store(lambda bucket: memory)
    found = list_all(source, "b", "logs/j/", cancel=CancelToken())
    assert found.folders == ("logs/j/1/", "logs/j/2/") and found.files[0].name == "logs/j/latest-build.txt"
    assert found.files[0].updated_ms is not None and found.files[0].updated_ms <= datetime.now(UTC).timestamp() * 1000
    deep = list_all(source, "b", "logs/j/", cancel=CancelToken(), deep=True)
    assert len(deep.files) == 4
    assert source.stat("b", "logs/j/1/a.txt", cancel=CancelToken()).size == 14
    assert read(source, "logs/j/1/a.txt") == b"logs/j/1/a.txt"
    with pytest.raises(HttpError):
        read(source, "logs/j/1/none.txt")
