"""What a user would lose: files of buckets that are not behind HTTP, checked, and the reason where none come."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import OperationCancelledError
from backends.http import Http
from backends.http.errors import HttpError
from backends.prow import store_s3
from backends.prow.bucket import ObjectDownloader
from backends.prow.store_s3 import S3Store, open_store
from backends.resources import read_list
from backends.session import Session
from backends.transfers.plan import make_plan
from backends.transfers.transfer import Transfer
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, snowflake

LOG = b"a line of the log\n" * 20_000
DAY = 86400


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    module = pytest.importorskip("moto.server")
    pytest.importorskip("obstore")
    server = module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and its owner's credentials in the environment."""
    httpx.post(f"{moto}/moto-api/reset").raise_for_status()
    httpx.put(f"{moto}/{NAME}").raise_for_status()
    told = {
        "AWS_ENDPOINT_URL": moto, "AWS_ACCESS_KEY_ID": "owner", "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-owner",
        "AWS_REGION": "us-east-1",
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return moto


def put(s3: str, name: str, body: bytes, **attributes: str) -> None:
    from obstore import put as put_object

    named = {attribute.replace("_", "-").title(): value for attribute, value in attributes.items()}
    put_object(open_store(NAME), name, body, attributes=named)  # type: ignore[arg-type]


def filled_s3(s3: str, job: str = JOB) -> str:
    folder = f"{job}{snowflake(3 * DAY)}/"
    put(s3, f"{folder}build-log.txt", LOG)
    put(s3, f"{folder}finished.json", b'{"timestamp": 1, "passed": true, "result": "SUCCESS"}')
    put(s3, f"{folder}artifacts/junit.xml", gzip.compress(b"<testsuite/>" * 900), content_encoding="gzip")
    return folder


def filled_tree(root: Path) -> str:
    folder = f"{JOB}{snowflake(3 * DAY)}/"
    files = {"build-log.txt": LOG, "finished.json": b'{"timestamp": 1, "passed": true}', "artifacts/junit.xml": b"<a/>"}
    for name, body in files.items():
        path = root / NAME / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


# ---- Amazon's buckets


def test_builds_of_an_s3_bucket_are_downloaded_and_checked_and_are_there_the_next_time(
    s3: str, ciexplore: Caller, tmp_path: Path
) -> None:
    folder = filled_s3(s3)
    call = ("prow", "download", f"s3://{NAME}/{JOB}", "--output", "out")
    first = ciexplore(*call)
    assert (first.code, "3 verified" in first.err) == (0, True), first.err
    out = tmp_path / "out" / NAME / folder
    assert (out / "build-log.txt").read_bytes() == LOG
    assert (out / "artifacts/junit.xml").read_bytes() == b"<testsuite/>" * 900  # the content, as of every store
    again = ciexplore(*call)
    assert again.code == 0 and "3 unchanged" in again.err
    put(s3, f"{folder}build-log.txt", LOG.swapcase())  # of the same length
    assert "1 verified" in ciexplore(*call).err
    assert (out / "build-log.txt").read_bytes() == LOG.swapcase()


def test_no_credentials_are_left_in_the_record_of_a_download(s3: str, ciexplore: Caller, tmp_path: Path) -> None:
    filled_s3(s3)
    assert ciexplore("prow", "download", f"s3://{NAME}/{JOB}", "--output", "out").code == 0
    for path in (tmp_path / "out" / ".ciexplore").rglob("*"):
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes()


def damaged(s3: str, http: Http, output: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a download of other bytes than those that the ETag is of ends."""
    folder = filled_s3(s3)
    source = S3Store()
    whole = store_s3._translated_pieces
    monkeypatch.setattr(
        store_s3, "_translated_pieces", lambda *given: (bytes(byte ^ 1 for byte in piece) for piece in whole(*given))
    )
    from backends.prow.bucket import BucketReader
    from backends.prow.files import remote_file

    entry = source.stat(NAME, f"{folder}finished.json", cancel=CancelToken())
    plan = make_plan([remote_file(BucketReader(source, NAME, "s3"), entry)], output)
    transfer = Transfer(
        plan,
        open_downloader=lambda: ObjectDownloader(http.downloader(), source),
        jobs=1,
        delays=lambda: iter([0.0] * 9),
    )
    transfer.start()
    assert transfer.wait(60)
    (row,) = transfer.frame().iter_rows(named=True)
    assert (output / NAME / folder / "finished.json").exists() is (row["state"] == "verified")
    return f"{row['state']} {row['reason']}".strip()


def test_other_bytes_than_the_etag_s_are_no_success(
    s3: str, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert damaged(s3, http, tmp_path, monkeypatch) == "failed wrong-digest"


def test_an_etag_of_an_object_with_a_key_of_its_own_is_no_md5(
    s3: str, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a bucket could never be downloaded from: its ETags have the form of an MD5 and are none."""

    def put_with_key(s3: str, name: str, body: bytes, **headers: str) -> None:
        sse = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "k"}
        httpx.put(f"{s3}/{NAME}/{name}", content=body, headers={**headers, **sse}).raise_for_status()

    monkeypatch.setattr(f"{__name__}.put", put_with_key)
    assert damaged(s3, http, tmp_path, monkeypatch) == "verified"


def test_a_download_of_s3_goes_on_where_it_stopped(s3: str, http: Http) -> None:
    folder = filled_s3(s3)
    with ObjectDownloader(http.downloader(), S3Store()) as downloader:
        url = f"s3://{NAME}/{folder}build-log.txt"
        with downloader.open(url) as whole:
            etag = whole.headers["etag"]
            assert b"".join(whole.chunks()) == LOG and etag.startswith('"')
        with downloader.open(url, offset=1000, if_range=etag) as rest:
            assert rest.status == 206 and rest.headers["content-range"] == f"bytes 1000-{len(LOG) - 1}/{len(LOG)}"
            assert b"".join(rest.chunks()) == LOG[1000:]
        put(s3, f"{folder}build-log.txt", LOG.swapcase())
        with pytest.raises(HttpError) as failed, downloader.open(url, offset=1000, if_range=etag):
            pass
        assert failed.value.reason == "wrong-server"  # what the transfer answers with a start from the first byte


def test_marks_of_folders_are_no_files_and_empty_files_are(s3: str, ciexplore: Caller, tmp_path: Path) -> None:
    folder = filled_s3(s3)
    for mark in ("logs/", JOB, folder, f"{folder}artifacts/", f"{folder}artifacts/nothing-below/"):
        httpx.put(f"{s3}/{NAME}/{mark}", content=b"").raise_for_status()
    put(s3, f"{folder}artifacts/EMPTY", b"")
    put(s3, f"{folder}artifacts/empty.log", b"")
    done = ciexplore("prow", "download", f"s3://{NAME}/{JOB}", "--output", "out")
    assert done.code == 0 and "5 verified" in done.err, done.err
    assert (tmp_path / "out" / NAME / folder / "artifacts" / "EMPTY").read_bytes() == b""


@pytest.mark.parametrize("path", [JOB, f"{JOB}1387000000000000000/", ""])
@pytest.mark.parametrize("verb", ["builds", "files", "download"])
def test_a_misspelt_s3_bucket_is_an_error(s3: str, ciexplore: Caller, verb: str, path: str) -> None:
    more = ("--output", "out") if verb == "download" else ()
    done = ciexplore("prow", verb, f"s3://mis-spelt/{path}", *more)
    if verb == "builds" and path != JOB:  # one build's row with a note, or a folder that is no job's
        assert done.code in (1, 2)
    else:
        assert (done.code, "404" in done.err) == (3, True), done.err


def test_a_log_of_an_s3_bucket_is_read(s3: str, ciexplore: Caller) -> None:
    folder = filled_s3(s3)
    for text in (f"s3://{NAME}/{JOB}", f"s3://{NAME}/{folder}", f"s3://{NAME}/{folder}build-log.txt"):
        done = ciexplore("prow", "log", text)
        assert (done.code, done.out) == (0, LOG), done.err
    end = ciexplore("prow", "log", f"s3://{NAME}/{folder}", "--tail", "2")
    assert end.out == b"a line of the log\n" * 2
    assert ciexplore("prow", "log", f"s3://{NAME}/{folder}artifacts/junit.xml").out == b"<testsuite/>" * 900


# ---- this disk


def test_builds_of_a_tree_on_this_disk_are_copied(ciexplore: Caller, tmp_path: Path) -> None:
    folder = filled_tree(tmp_path / "a tree")
    call = ("prow", "download", f"{tmp_path}/a tree/{NAME}/{JOB}", "--output", "out")
    first = ciexplore(*call)
    assert (first.code, "3 verified" in first.err) == (0, True), first.err
    assert (tmp_path / "out" / NAME / folder / "build-log.txt").read_bytes() == LOG
    assert "3 unchanged" in ciexplore(*call).err
    (tmp_path / "a tree" / NAME / folder / "finished.json").write_bytes(b'{"timestamp": 1, "passed": null}')
    assert "1 verified" in ciexplore(*call).err


def test_a_tree_is_not_copied_onto_itself(ciexplore: Caller, tmp_path: Path) -> None:
    folder = filled_tree(tmp_path)
    done = ciexplore("prow", "download", f"{tmp_path}/{NAME}/{JOB}", "--output", str(tmp_path), "--overwrite")
    assert done.code == 2 and "already" in done.err
    assert (tmp_path / NAME / folder / "build-log.txt").read_bytes() == LOG


def test_no_link_and_no_pipe_of_a_tree_is_copied(tmp_path: Path, http: Http) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    with ObjectDownloader(http.downloader(), S3Store()) as downloader:
        for name in ("link", "pipe", "missing", "."):
            with pytest.raises(HttpError), downloader.open((tmp_path / name).as_uri()):
                pass


def test_a_file_that_is_written_to_meanwhile_is_not_taken_for_whole(tmp_path: Path, http: Http) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 600_000)
    with ObjectDownloader(http.downloader(), S3Store()) as downloader, downloader.open(path.as_uri()) as stream:
        pieces = stream.chunks()
        next(pieces)
        with path.open("ab") as stream_too:
            stream_too.write(b"more")
        with pytest.raises(HttpError) as failed:
            list(pieces)
        assert failed.value.retryable


def test_copying_is_stopped_at_once(tmp_path: Path, http: Http) -> None:
    (tmp_path / "log").write_bytes(b"x" * 600_000)
    cancel = CancelToken()
    downloader = ObjectDownloader(http.downloader(), S3Store())
    with downloader, downloader.open((tmp_path / "log").as_uri(), cancel=cancel) as stream:
        cancel.cancel()
        with pytest.raises(OperationCancelledError):
            list(stream.chunks())


def test_the_app_s_transfers_fetch_from_every_store(s3: str, tmp_path: Path) -> None:
    """The pane asks its session for what fetches, and knows nothing of addresses."""
    folder = filled_s3(s3)
    (tmp_path / "log").write_bytes(LOG)
    session = Session(Settings(cache_dir=str(tmp_path / "cache")))
    with session.open_downloader() as downloader:
        for url in ((tmp_path / "log").as_uri(), f"s3://{NAME}/{folder}build-log.txt"):
            with downloader.open(url) as stream:
                assert b"".join(stream.chunks()) == LOG
    session.close()


# ---- what cannot be listed is said, with an exit code


def test_a_bucket_that_refuses_listing_is_said_with_its_builds_counted(bucket: Bucket, ciexplore: Caller) -> None:
    for number in range(12):
        folder = build(bucket, snowflake((number + 1) * DAY))
        bucket.faults += [(f"prefix={folder.replace('/', '%2F')}&", 403)] * 10
    call = ("prow", "download", f"gs://{NAME}/{JOB}", "--output", "out", "--gcs-url", bucket.url)
    done = ciexplore(*call)
    assert done.code == 3 and "12 builds: 403, the bucket ci-logs refuses listing" in done.err, done.err


def test_builds_that_are_refused_beside_others_end_with_1(bucket: Bucket, ciexplore: Caller) -> None:
    builds = [build(bucket, snowflake((number + 1) * DAY)) for number in range(4)]
    for refused in builds[:2]:
        bucket.faults += [(f"prefix={refused.replace('/', '%2F')}&", 401)] * 10
    done = ciexplore("prow", "download", f"gs://{NAME}/{JOB}", "--output", "out", "--gcs-url", bucket.url)
    assert done.code == 1 and "skipped (2): its files cannot be listed: 401, the bucket" in done.err, done.err
    assert "12 verified" in done.err


def test_one_build_that_the_server_fails_on_does_not_cost_the_others(bucket: Bucket, ciexplore: Caller) -> None:
    builds = [build(bucket, snowflake((number + 1) * DAY)) for number in range(4)]
    bucket.faults += [(f"prefix={builds[0].replace('/', '%2F')}&", 500)] * 10
    call = ("prow", "download", f"gs://{NAME}/{JOB}", "--output", "out", "--gcs-url", bucket.url)
    done = ciexplore(*call)
    assert done.code == 1 and "skipped (1): its files cannot be listed: 500, the server failed" in done.err
    assert "18 verified" in done.err


def test_a_build_that_was_deleted_meanwhile_is_said(bucket: Bucket, http: Http) -> None:
    gone, there = snowflake(DAY), snowflake(2 * DAY)
    for one in (gone, there):
        build(bucket, one)
    builds = opened(bucket, http, f"gs://{NAME}/{JOB}")
    frame = read_list(builds, CancelToken()).frame
    for name in [name for name in bucket.objects if gone in name]:
        del bucket.objects[name]
    files = [file for batch in builds.files(frame, CancelToken()) for file in batch]
    assert [file.skip for file in files if file.unlisted] == ["its files cannot be listed: the build no longer has any"]
    assert len(files) == 7


def test_a_server_that_fails_altogether_is_said_at_once(bucket: Bucket, ciexplore: Caller) -> None:
    for number in range(20):
        folder = build(bucket, snowflake((number + 1) * DAY))
        bucket.faults += [(f"prefix={folder.replace('/', '%2F')}&", 500)] * 10
    done = ciexplore("prow", "download", f"gs://{NAME}/{JOB}", "--output", "out", "--gcs-url", bucket.url)
    assert done.code == 3 and "500" in done.err


@pytest.mark.parametrize("folder", [JOB, f"{JOB}1387000000000000000/", f"{JOB}1387000000000000000/build-log.txt"])
def test_a_misspelt_bucket_is_an_error(bucket: Bucket, ciexplore: Caller, folder: str) -> None:
    bucket.faults += [("/b/mis-spelt/", 404)] * 30
    done = ciexplore("prow", "download", f"gs://mis-spelt/{folder}", "--output", "out", "--gcs-url", bucket.url)
    assert done.code == 3 and "404" in done.err, done.err


def test_a_build_that_is_not_there_is_said(bucket: Bucket, ciexplore: Caller) -> None:
    build(bucket, snowflake(DAY))
    call = ("prow", "download", f"gs://{NAME}/{JOB}1387000000000000000/", "--output", "out", "--gcs-url", bucket.url)
    done = ciexplore(*call)
    assert done.code == 2 and "No files are in" in done.err
