from __future__ import annotations

import base64
import hashlib

import pytest

from backends.transfers.digests import DigestScope, expected_digests

BODY = b"what the server holds"


def b64(algorithm: str) -> str:
    return base64.b64encode(hashlib.new(algorithm, BODY).digest()).decode()


GIVEN = [
    ({"x-goog-hash": f"crc32c=AAAAAA==, md5={b64('md5')}"}, "md5"),
    ({"content-md5": b64("md5")}, "md5"),
    ({"x-amz-checksum-sha256": b64("sha256")}, "sha256"),
    ({"x-amz-checksum-sha256": b64("sha256"), "x-amz-checksum-type": "FULL_OBJECT"}, "sha256"),
    ({"repr-digest": f"sha-256=:{b64('sha256')}:"}, "sha256"),
    ({"content-digest": f"sha-512=:{b64('sha512')}:"}, "sha512"),
    ({"x-taskcluster-location-content-sha256": hashlib.sha256(BODY).hexdigest()}, "sha256"),
    ({"x-taskcluster-location-transfer-sha512": hashlib.sha512(BODY).hexdigest()}, "sha512"),
]
IGNORED = [
    {"etag": f'"{hashlib.md5(BODY).hexdigest()}"'},
    {"content-md5": "not base64!"},
    {"content-md5": b64("sha256")},
    {"x-amz-checksum-sha256": b64("sha256") + "-3"},
    {"x-amz-checksum-sha256": b64("sha256"), "x-amz-checksum-type": "COMPOSITE"},
    {"x-goog-hash": "crc32c=AAAA"},
    {"x-goog-hash": f"md5={b64('md5')}", "x-goog-stored-content-encoding": "gzip"},
    {"x-taskcluster-location-content-sha256": "zz"},
    {"x-taskcluster-location-content-sha256": "ab"},
]


@pytest.mark.parametrize(("headers", "algorithm"), GIVEN)
def test_promise_is_found_and_a_wrong_body_breaks_it(headers: dict[str, str], algorithm: str) -> None:
    found = expected_digests(headers)
    assert found.algorithms(DigestScope.CONTENT) == {algorithm}
    assert found.mismatch(DigestScope.CONTENT, {algorithm: hashlib.new(algorithm, BODY).digest()}) is None
    assert found.mismatch(DigestScope.CONTENT, {algorithm: hashlib.new(algorithm, b"other").digest()}) is not None


@pytest.mark.parametrize("headers", IGNORED)
def test_what_is_no_digest_of_this_body_fails_nothing(headers: dict[str, str]) -> None:
    assert expected_digests(headers).digests == ()


def test_redirect_says_what_the_upload_was() -> None:
    hop = {"x-taskcluster-location-content-length": "21", "x-taskcluster-location-transfer-length": "9"}
    found = expected_digests({"content-length": "9"}, [hop], encoding="gzip")
    assert (found.content_length, found.transfer_length) == (21, 9)


def test_encoded_body_is_held_against_wire_digests() -> None:
    found = expected_digests(
        {"x-goog-hash": f"md5={b64('md5')}", "x-goog-stored-content-encoding": "gzip"}, encoding="gzip"
    )
    assert found.algorithms(DigestScope.TRANSFER) == {"md5"} and not found.algorithms(DigestScope.CONTENT)


def test_piece_s_own_digest_is_not_the_file_s() -> None:
    headers = {"content-md5": b64("md5"), "x-goog-hash": f"md5={b64('md5')}"}
    assert [promise.source for promise in expected_digests(headers, partial=True).digests] == ["x-goog-hash"]


def test_a_composite_object_s_only_hash_is_checked() -> None:
    checksums = pytest.importorskip("google_crc32c")
    told = base64.b64encode(checksums.Checksum(BODY).digest()).decode()
    found = expected_digests({"x-goog-hash": f"crc32c={told}"})
    assert found.mismatch(DigestScope.CONTENT, {"crc32c": checksums.Checksum(BODY).digest()}) is None
    assert found.mismatch(DigestScope.CONTENT, {"crc32c": checksums.Checksum(b"other").digest()}) is not None
