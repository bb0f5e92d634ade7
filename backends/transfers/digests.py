"""What servers promise about a body: which headers hold a digest or a length, of which bytes, and whether it came true.

Most are exact, and a body that has another digest is wrong. Two are hints, for servers fill them differently: `Digest`
(RFC 3230: of the encoded bytes or of the decoded ones), and an `ETag` of S3 that looks like an MD5 (it is one unless
the object came in parts or is encrypted with a key of its own). A hint that is right verifies a body; one that is wrong
is noted, and is an error only for `Digest`, and only if neither another digest nor a length is right.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

LENGTHS = {"sha256": 32, "sha512": 64, "md5": 16}
CRC32C = "crc32c"  # all that composite objects of Google's storage have; checked where google-crc32c is installed


class DigestScope(StrEnum):
    CONTENT = "content"  # what the file holds, content-encoding undone
    TRANSFER = "transfer"  # the bytes on the wire, still encoded


class HashFunction(Protocol):
    def update(self, chunk: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


STRONGEST_FIRST = ("sha512", "sha256", "md5", CRC32C)


@dataclass(frozen=True)
class ExpectedDigest:
    """One digest that a server gave: `source` is the header's name. A `hint` may be of either bytes."""

    algorithm: str
    digest: bytes
    of: DigestScope
    source: str
    hint: bool = False


@dataclass(frozen=True)
class DigestVerdict:
    """`kept`: the strongest promise that came true. `broken`: an exact one that did not. `doubts`: wrong hints."""

    kept: ExpectedDigest | None
    broken: ExpectedDigest | None
    doubts: tuple[ExpectedDigest, ...] = ()


@dataclass(frozen=True)
class ExpectedDigests:
    """All that is known about a body before it has arrived; lengths in bytes, None if not said."""

    digests: tuple[ExpectedDigest, ...] = ()
    content_length: int | None = None
    transfer_length: int | None = None

    def algorithms(self, of: DigestScope, *, encoded: bool = False) -> frozenset[str]:
        """What must be computed of these bytes; hints of an encoded body are compared with both."""
        return frozenset(one.algorithm for one in self.digests if one.of is of or (one.hint and encoded))

    def broken(self, of: DigestScope, digests: Mapping[str, bytes]) -> ExpectedDigest | None:
        """The first exact promise that the computed digests (algorithm -> digest) do not keep."""
        for promise in self.digests:
            if promise.of is of and not promise.hint and digests[promise.algorithm] != promise.digest:
                return promise
        return None

    def verdict(self, content: Mapping[str, bytes], transfer: Mapping[str, bytes]) -> DigestVerdict:
        """Compares with the digests of what has arrived, decoded and, if it was encoded, as it was sent."""
        kept: list[ExpectedDigest] = []
        doubts: list[ExpectedDigest] = []
        for one in self.digests:
            found = [content if one.of is DigestScope.CONTENT else transfer, *([content, transfer] if one.hint else [])]
            if any(digests.get(one.algorithm) == one.digest for digests in found):
                kept.append(one)
            elif one.hint:
                doubts.append(one)
        kept.sort(key=lambda one: STRONGEST_FIRST.index(one.algorithm))
        broken = self.broken(DigestScope.CONTENT, content) or self.broken(DigestScope.TRANSFER, transfer)
        return DigestVerdict(next(iter(kept), None), broken, tuple(doubts))


@functools.cache
def _checks_crc32c() -> bool:
    return importlib.util.find_spec("google_crc32c") is not None


def new_hash(algorithm: str) -> HashFunction:
    if algorithm == CRC32C:
        made: HashFunction = importlib.import_module("google_crc32c").Checksum()
        return made
    return hashlib.new(algorithm, usedforsecurity=False)


def expected_digests(
    headers: Mapping[str, str], hops: Iterable[Mapping[str, str]] = (), *, encoding: str = "", partial: bool = False
) -> ExpectedDigests:
    """Reads the final answer's headers and those of the redirects before it. Malformed values count as not given.

    `encoding`: the final answer's content-encoding. `partial`: it is a 206, whose own length and body digests are of
    the piece and not of the whole.
    """
    found: list[ExpectedDigest] = []
    lengths: dict[DigestScope, int | None] = {DigestScope.CONTENT: None, DigestScope.TRANSFER: None}
    for answer in (*hops, headers):
        found += _taskcluster(answer)
        for of in DigestScope:
            length = _length(answer.get(f"x-taskcluster-location-{of}-length"))
            lengths[of] = length if length is not None else lengths[of]
    found += _stored_object(headers, encoding)
    found += _hints(headers, partial=partial)
    if not partial:
        found += _whole_body(headers)
    if not encoding:  # then both are the same bytes, and one hash serves
        found = [replace(promise, of=DigestScope.CONTENT) for promise in found]
        if lengths[DigestScope.CONTENT] is None:
            lengths[DigestScope.CONTENT] = lengths[DigestScope.TRANSFER]
        lengths[DigestScope.TRANSFER] = None
    return ExpectedDigests(tuple(found), lengths[DigestScope.CONTENT], lengths[DigestScope.TRANSFER])


def _taskcluster(headers: Mapping[str, str]) -> Iterator[ExpectedDigest]:
    """The queue's redirect to an object says what the upload was (getArtifact's documentation asks to verify it)."""
    for of in DigestScope:
        for algorithm in ("sha256", "sha512"):
            name = f"x-taskcluster-location-{of}-{algorithm}"
            yield from _expected(algorithm, _from_hex(headers.get(name)), of, name)


def _stored_object(headers: Mapping[str, str], encoding: str) -> Iterator[ExpectedDigest]:
    """Digests of the whole object as the store holds it, whatever piece of it this answer brings."""
    stored = headers.get("x-goog-stored-content-encoding", encoding or "identity").lower()
    if stored == (encoding or "identity"):  # else the store decoded on the way: what we get is not what it hashed
        pairs = [item.strip().partition("=") for item in headers.get("x-goog-hash", "").split(",")]
        told = {algorithm.lower(): _from_base64(value) for algorithm, _, value in pairs}
        if told.get("md5") is None and _checks_crc32c() and len(told.get(CRC32C) or b"") == 4:
            yield ExpectedDigest(CRC32C, told[CRC32C] or b"", DigestScope.TRANSFER, "x-goog-hash")
        for algorithm, digest in told.items():
            yield from _expected(algorithm, digest, DigestScope.TRANSFER, "x-goog-hash")
    checksum = headers.get("x-amz-checksum-sha256")
    if headers.get("x-amz-checksum-type", "FULL_OBJECT").upper() == "FULL_OBJECT":  # a composite is a hash of hashes
        yield from _expected("sha256", _from_base64(checksum), DigestScope.TRANSFER, "x-amz-checksum-sha256")
    yield from _structured(headers.get("repr-digest", ""), "repr-digest")  # RFC 9530: of the whole representation


def _hints(headers: Mapping[str, str], *, partial: bool) -> Iterator[ExpectedDigest]:
    if not partial:
        for item in headers.get("digest", "").split(","):
            name, _, value = item.strip().partition("=")
            for one in _expected(name.lower().replace("-", ""), _from_base64(value), DigestScope.TRANSFER, "Digest"):
                yield replace(one, hint=True)
    etag = headers.get("etag", "")
    if _is_s3(headers) and re.fullmatch(r'"[0-9a-f]{32}"', etag):
        for one in _expected("md5", _from_hex(etag.strip('"')), DigestScope.TRANSFER, "ETag"):
            yield replace(one, hint=True)


def _is_s3(headers: Mapping[str, str]) -> bool:
    """Whether an ETag of 32 digits is meant as the object's MD5; hashing that of every server would cost too much."""
    encrypted = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    own_key = "x-amz-server-side-encryption-customer-algorithm" in headers
    return "x-amz-request-id" in headers and not encrypted and not own_key


def _whole_body(headers: Mapping[str, str]) -> Iterator[ExpectedDigest]:
    yield from _expected("md5", _from_base64(headers.get("content-md5")), DigestScope.TRANSFER, "content-md5")
    yield from _structured(headers.get("content-digest", ""), "content-digest")


def _structured(value: str, source: str) -> Iterator[ExpectedDigest]:
    """RFC 9530: `sha-256=:base64:, sha-512=:base64:`."""
    for match in re.finditer(r"(sha-256|sha-512|md5)=:([A-Za-z0-9+/=]+):", value):
        yield from _expected(match[1].replace("-", ""), _from_base64(match[2]), DigestScope.TRANSFER, source)


def _expected(algorithm: str, digest: bytes | None, of: DigestScope, source: str) -> Iterator[ExpectedDigest]:
    if digest is not None and LENGTHS.get(algorithm) == len(digest):
        yield ExpectedDigest(algorithm, digest, of, source)


def _from_hex(value: str | None) -> bytes | None:
    try:
        return bytes.fromhex(value or "")
    except ValueError:
        return None


def _from_base64(value: str | None) -> bytes | None:
    try:
        return base64.b64decode(value or "", validate=True)
    except (binascii.Error, ValueError):
        return None


def _length(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 19 else None
