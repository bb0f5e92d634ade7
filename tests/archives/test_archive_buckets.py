"""Copies in S3 (moto's server): in every region, whole or not at all, and what goes wrong is said without secrets."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import httpx
import pytest

from backends import config
from backends.archives.buckets import SMALL_BYTES, BucketError, BucketMirror, configured_mirror
from backends.archives.store import StoredArchive
from backends.cancel import CancelToken
from backends.errors import OperationCancelledError, UsageError
from tests.archives.conftest import EngineFactory, EngineUnderTest
from tests.archives.mercurial_server import Hgweb
from tests.archives.storage import KEYS, Storage

ASH = "projects/ash"
EAST, WEST = "us-east-1", "us-west-2"


def mirror(storage: Storage, hgweb: Hgweb, *, east: str = "east", west: str = "west") -> BucketMirror:
    return BucketMirror({EAST: east, WEST: west}, hgweb.url, storage.environment)


@pytest.fixture
def buckets(storage: Storage) -> Storage:
    for name in ("east", "west"):
        for key in storage.keys(name):
            storage._ask("DELETE", f"/{name}/{key}")
        storage.bucket(name)
    return storage


def test_an_archive_is_in_both_regions_with_its_headers(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    made = bench(hgweb.url, mirror=mirror(buckets, hgweb))
    got = made.get(ASH, "REL_1", "testing/mozharness", suffix="tar.gz")
    key = f"projects/ash-{hgweb.repositories.first[:12]}.tar.gz/testing/mozharness"
    assert got.archive.record.regions == {EAST: "east", WEST: "west"}
    for region, bucket in ((EAST, "east"), (WEST, "west")):
        assert buckets.keys(bucket) == [key]
        head = buckets.head(bucket, key).headers
        assert head["content-type"] == "application/x-gzip"
        assert head["content-disposition"] == f"attachment; filename=ash-{hgweb.repositories.first[:12]}.tar.gz"
        assert head["x-amz-meta-node"] == hgweb.repositories.first
        url = made.engine.mirror.url(region, got.archive.record.spec)
        assert "X-Amz-Expires=300" in url
        assert httpx.get(url).content == got.archive.path.read_bytes()


def test_another_machine_takes_it_from_the_preferred_bucket_and_not_from_hg(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory
) -> None:
    first = bench(hgweb.url, mirror=mirror(buckets, hgweb)).get(ASH, "tip")
    asked = hgweb.archives()
    other = bench(hgweb.url, mirror=mirror(buckets, hgweb), cache="another-machine")
    got = other.get(ASH, "tip", region=WEST)
    assert got.fetched and got.archive.path.read_bytes() == first.archive.path.read_bytes()
    assert any(f"bucket in {WEST}" in report.sentence for report in other.reports)
    assert got.archive.record.source_url == first.archive.record.source_url
    assert hgweb.archives() == asked


def test_a_region_that_lacks_it_is_passed_over_and_filled(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    one = BucketMirror({EAST: "east"}, hgweb.url, buckets.environment)
    bench(hgweb.url, mirror=one).get(ASH, "tip")
    got = bench(hgweb.url, mirror=mirror(buckets, hgweb), cache="another-machine").get(ASH, "tip", region=WEST)
    assert set(got.archive.record.regions) == {EAST, WEST} and len(buckets.keys("west")) == 1


def test_what_somebody_broke_in_a_bucket_is_fetched_anew(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    first = bench(hgweb.url, mirror=mirror(buckets, hgweb)).get(ASH, "tip")
    key = buckets.keys("east")[0]
    for name in ("east", "west"):
        buckets.put(name, key, first.archive.path.read_bytes()[:-30])
    got = bench(hgweb.url, mirror=mirror(buckets, hgweb), cache="another-machine").get(ASH, "tip")
    assert got.archive.path.read_bytes() == first.archive.path.read_bytes()
    assert sum("Cannot copy from" in note for note in got.notes) == 2


def test_a_missing_bucket_costs_the_copy_and_not_the_archive(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory
) -> None:
    got = bench(hgweb.url, mirror=mirror(buckets, hgweb, west="nosuchbucket")).get(ASH, "tip")
    assert got.archive.record.regions == {EAST: "east"}
    assert len(got.notes) == 1 and "nosuchbucket" in got.notes[0] and "NoSuchBucket" in got.notes[0]


def test_wrong_credentials_are_named_and_not_told(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    buckets.looks_at_credentials(True)
    try:
        got = bench(hgweb.url, mirror=mirror(buckets, hgweb)).get(ASH, "tip")
    finally:
        buckets.looks_at_credentials(False)
    assert got.archive.path.is_file() and got.archive.record.regions == {}
    words = " ".join(got.notes)
    assert words.count("was denied (InvalidAccessKeyId)") >= 2 and "\n" not in words
    assert not any(secret in words for secret in KEYS.values())


def test_without_credentials_no_cloud_s_metadata_is_asked(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    bare = BucketMirror({EAST: "east"}, hgweb.url, {"AWS_ENDPOINT_URL": buckets.url})
    got = bench(hgweb.url, mirror=bare).get(ASH, "tip")
    assert any("No credentials" in note for note in got.notes)


def test_a_storage_that_is_away_is_said_soon(hgweb: Hgweb, bench: EngineFactory) -> None:
    away = BucketMirror({EAST: "east"}, hgweb.url, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **KEYS})
    got = bench(hgweb.url, mirror=away).get(ASH, "tip")
    assert any("Cannot reach" in note for note in got.notes)


def big(made: EngineUnderTest) -> StoredArchive:
    """Something large enough to be uploaded in parts, in the place of a kept archive."""
    kept: StoredArchive = made.get(ASH, "tip").archive
    with kept.path.open("r+b") as stream:
        stream.truncate(SMALL_BYTES + 4 * (1 << 20))
    return StoredArchive(kept.path, replace(kept.record, size=SMALL_BYTES + 4 * (1 << 20)))


def test_an_upload_in_parts_arrives_whole_and_once(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    kept = big(bench(hgweb.url))
    place = mirror(buckets, hgweb)
    place.upload(EAST, kept, CancelToken())
    head = buckets.head("east", place.key(kept.record.spec))
    assert int(head.headers["content-length"]) == kept.record.size
    modified = head.headers["etag"]
    place.upload(EAST, kept, CancelToken())
    assert buckets.head("east", place.key(kept.record.spec)).headers["etag"] == modified


def test_an_interrupted_upload_is_not_there(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = big(bench(hgweb.url))
    cancel, checks = CancelToken(), []

    def check() -> None:
        checks.append(1)
        if len(checks) == 2:
            cancel.cancel()
        CancelToken.check(cancel)

    monkeypatch.setattr(cancel, "check", check)
    with pytest.raises(OperationCancelledError):
        mirror(buckets, hgweb).upload(EAST, kept, cancel)
    assert buckets.keys("east") == []


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "another"])
@pytest.mark.parametrize("large", [False, True])
def test_a_damaged_object_under_the_key_is_replaced_and_not_called_copied(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory, damage: str, large: bool
) -> None:
    """Also where its headers still say that it is the archive."""
    kept = big(bench(hgweb.url)) if large else bench(hgweb.url).get(ASH, "tip").archive
    content = kept.path.read_bytes()
    kept = StoredArchive(kept.path, replace(kept.record, sha256=hashlib.sha256(content).hexdigest()))
    place = mirror(buckets, hgweb)
    key = place.key(kept.record.spec)
    wrong = {
        "cut": content[:-30], "changed": content[:-1] + bytes([content[-1] ^ 1]), "empty": b"", "another": b"first",
    }[damage]  # fmt: skip
    meta = {"x-amz-meta-sha256": kept.record.sha256, "x-amz-meta-node": kept.record.node}
    buckets.put("east", key, wrong, meta)
    place.upload(EAST, kept, CancelToken())
    assert httpx.get(place.url(EAST, kept.record.spec)).content == content
    found = place.find(EAST, kept.record.spec)
    assert found is not None and found.is_of(kept.record)


def test_the_same_bytes_under_the_key_are_left_alone(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    """Also where the original put them, which writes nothing beside them."""
    kept = bench(hgweb.url).get(ASH, "tip").archive
    place = mirror(buckets, hgweb)
    key = place.key(kept.record.spec)
    buckets.put("east", key, kept.path.read_bytes(), {"x-amz-meta-mark": "the original's"})
    place.upload(EAST, kept, CancelToken())
    assert buckets.head("east", key).headers["x-amz-meta-mark"] == "the original's"


def test_another_revision_under_the_key_is_not_replaced(hgweb: Hgweb, buckets: Storage, bench: EngineFactory) -> None:
    kept = bench(hgweb.url).get(ASH, "tip").archive
    place = mirror(buckets, hgweb)
    key = place.key(kept.record.spec)
    other = kept.record.node[:12] + "f" * 28
    buckets.put("east", key, b"first", {"x-amz-meta-node": other})
    with pytest.raises(BucketError, match="Another revision"):
        place.upload(EAST, kept, CancelToken())
    assert buckets.head("east", key).headers["content-length"] == "5"


def test_an_object_that_is_shorter_than_what_was_put_is_not_found(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory
) -> None:
    kept = bench(hgweb.url).get(ASH, "tip").archive
    place = mirror(buckets, hgweb)
    key = place.key(kept.record.spec)
    buckets.put("east", key, b"cut", {"x-amz-meta-node": kept.record.node, "x-amz-meta-size": "1000"})
    assert place.find(EAST, kept.record.spec) is None
    buckets.put("east", key, b"")
    assert place.find(EAST, kept.record.spec) is None


@pytest.mark.parametrize("what", ["gone", "cut", "in another bucket now"])
def test_a_copy_that_was_noted_and_is_no_longer_there_is_made_again(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory, what: str
) -> None:
    made = bench(hgweb.url, mirror=BucketMirror({EAST: "east"}, hgweb.url, buckets.environment))
    kept = made.get(ASH, "tip").archive
    key = kept.record.spec.key
    if what == "in another bucket now":
        made = bench(hgweb.url, mirror=BucketMirror({EAST: "west"}, hgweb.url, buckets.environment))
    elif what == "gone":
        buckets._ask("DELETE", f"/east/{key}")
    else:
        buckets.put("east", key, kept.path.read_bytes()[:-1])
    got = made.get(ASH, "tip")
    assert not got.fetched and got.failed_copies == ()
    bucket = "west" if what == "in another bucket now" else "east"
    assert got.archive.record.regions == {EAST: bucket}
    assert int(buckets.head(bucket, key).headers["content-length"]) == kept.record.size


def test_copies_that_failed_are_told_apart_from_other_notes(
    hgweb: Hgweb, buckets: Storage, bench: EngineFactory
) -> None:
    got = bench(hgweb.url, mirror=mirror(buckets, hgweb, west="nosuchbucket")).get(ASH, "tip")
    assert got.failed_copies == (WEST,)
    assert bench(hgweb.url, mirror=mirror(buckets, hgweb), cache="b").get(ASH, "tip").failed_copies == ()


def test_a_bucket_that_cannot_be_used_is_found_before_anything_is_fetched(hgweb: Hgweb, buckets: Storage) -> None:
    assert mirror(buckets, hgweb).check() == {}
    (error,) = mirror(buckets, hgweb, west="nosuchbucket").check().values()
    assert "Cannot find the bucket nosuchbucket in us-west-2" in error.sentence
    away = BucketMirror({EAST: "east"}, hgweb.url, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **KEYS})
    assert "Cannot reach" in away.check()[EAST].sentence
    buckets.looks_at_credentials(True)
    try:
        assert "was denied (InvalidAccessKeyId)" in mirror(buckets, hgweb).check()[EAST].sentence
    finally:
        buckets.looks_at_credentials(False)


def test_two_servers_with_a_repository_of_one_name_do_not_share_a_key(storage: Storage, hgweb: Hgweb) -> None:
    from backends.archives.spec import ArchiveSpec

    place = mirror(storage, hgweb)
    ours = ArchiveSpec(hgweb.url, "x", "a" * 40, "", "zip")
    assert place.key(ours) == "x-aaaaaaaaaaaa.zip"
    assert place.key(replace(ours, root="https://hg.elsewhere")) == "hg.elsewhere/x-aaaaaaaaaaaa.zip"


def test_buckets_are_read_from_the_setting() -> None:
    chosen = config.load(overrides={"archive_buckets": "us-east-1=a-bucket, us-west-2=b.bucket"})
    found = configured_mirror(chosen)
    assert found is not None and found.regions == (EAST, WEST) and found.bucket(WEST) == "b.bucket"
    assert found.ordered_regions(WEST) == [WEST, EAST] and found.ordered_regions("nowhere") == [EAST, WEST]
    assert configured_mirror(config.load()) is None
    with pytest.raises(UsageError, match="is not REGION=BUCKET"):
        configured_mirror(config.load(overrides={"archive_buckets": "bucket"}))


def test_a_bucket_problem_is_one_line(storage: Storage, hgweb: Hgweb, bench: EngineFactory) -> None:
    place = mirror(storage, hgweb, east="nosuchbucket")
    kept = bench(hgweb.url).get(ASH, "tip").archive
    with pytest.raises(BucketError) as raised:
        place.upload(EAST, kept, CancelToken())
    assert "\n" not in str(raised.value) and raised.value.exit_code == 3
