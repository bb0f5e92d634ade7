"""Expected digests and lengths of a body: which headers give them, of which bytes, and whether they match.

Most are exact: a body with another digest is wrong. Two are only hints, because servers fill them differently:
`Digest` (RFC 3230: of the encoded or of the decoded bytes), and an `ETag` of S3 that looks like an MD5 (it is one
unless the object was uploaded in parts or is encrypted with a customer key). A hint that matches verifies a body; one
that does not is reported, and is an error only for `Digest`, and only if no other digest and no length matches.
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
_CONSTRUCTORS = {"sha256": hashlib.sha256, "sha512": hashlib.sha512, "md5": hashlib.md5}
CRC32C = "crc32c"  # composite objects of Google's storage have no other; verified if google-crc32c is installed


class DigestScope(StrEnum):
    CONTENT = "content"  # the decoded bytes, as in the file
    TRANSFER = "transfer"  # the encoded bytes, as received


class HashFunction(Protocol):
    def update(self, chunk: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


STRONGEST_FIRST = ("sha512", "sha256", "md5", CRC32C)
# The headers that give a digest or a length; most responses of most servers have none of them.
_TELLING = frozenset(
    {
        "content-digest",
        "content-md5",
        "digest",
        "repr-digest",
        "x-amz-checksum-sha256",
        "x-amz-request-id",
        "x-goog-hash",
    }
    | {f"x-taskcluster-location-{of}-{what}" for of in DigestScope for what in ("length", "sha256", "sha512")}
)


@dataclass(frozen=True)
class ExpectedDigest:
    """One digest given by a server. `source`: the header. A `hint` may be of decoded or encoded bytes."""

    algorithm: str
    digest: bytes
    of: DigestScope
    source: str
    hint: bool = False


@dataclass(frozen=True)
class DigestVerdict:
    """`confirmed`: the strongest digest that matches. `mismatch`: an exact one that does not. `doubts`: wrong hints."""

    confirmed: ExpectedDigest | None
    mismatch: ExpectedDigest | None
    doubts: tuple[ExpectedDigest, ...] = ()


_NO_VERDICT = DigestVerdict(None, None)


@dataclass(frozen=True)
class ExpectedDigests:
    """All that the headers say about a body; lengths in bytes, None if not given."""

    digests: tuple[ExpectedDigest, ...] = ()
    content_length: int | None = None
    transfer_length: int | None = None

    def algorithms(self, of: DigestScope, *, encoded: bool = False) -> frozenset[str]:
        """The algorithms to compute of these bytes; hints of an encoded body are compared with both."""
        return frozenset(one.algorithm for one in self.digests if one.of is of or (one.hint and encoded))

    def mismatch(self, of: DigestScope, digests: Mapping[str, bytes]) -> ExpectedDigest | None:
        """The first exact digest that differs from the computed ones (algorithm -> digest)."""
        exact = (one for one in self.digests if one.of is of and not one.hint)
        return next((one for one in exact if digests[one.algorithm] != one.digest), None)

    def verdict(self, content: Mapping[str, bytes], transfer: Mapping[str, bytes]) -> DigestVerdict:
        """Compares with the computed digests (algorithm -> digest) of decoded and, if encoded, received bytes."""
        if not self.digests:
            return _NO_VERDICT
        confirmed: list[ExpectedDigest] = []
        doubts: list[ExpectedDigest] = []
        for one in self.digests:
            found = [content if one.of is DigestScope.CONTENT else transfer, *([content, transfer] if one.hint else [])]
            if any(digests.get(one.algorithm) == one.digest for digests in found):
                confirmed.append(one)
            elif one.hint:
                doubts.append(one)
        confirmed.sort(key=lambda one: STRONGEST_FIRST.index(one.algorithm))
        mismatch = self.mismatch(DigestScope.CONTENT, content) or self.mismatch(DigestScope.TRANSFER, transfer)
        return DigestVerdict(next(iter(confirmed), None), mismatch, tuple(doubts))


_NOTHING_EXPECTED = ExpectedDigests()


@functools.cache
def _checks_crc32c() -> bool:
    return importlib.util.find_spec("google_crc32c") is not None


def new_hash(algorithm: str) -> HashFunction:
    if algorithm == CRC32C:
        made: HashFunction = importlib.import_module("google_crc32c").Checksum()
        return made
    return _CONSTRUCTORS[algorithm](usedforsecurity=False)  # `hashlib.new` takes ten times as long


def expected_digests(
    headers: Mapping[str, str], hops: Iterable[Mapping[str, str]] = (), *, encoding: str = "", partial: bool = False
) -> ExpectedDigests:
    """Reads the headers of the final response and of the redirects before it. Ignores malformed values.

    `encoding`: the final response's content-encoding. `partial`: it is a 206, whose own length and body digests are
    of the range and not of the complete file.
    """
    responses = (*hops, headers)
    if all(_TELLING.isdisjoint(response) for response in responses):
        return _NOTHING_EXPECTED
    found: list[ExpectedDigest] = []
    lengths: dict[DigestScope, int | None] = {DigestScope.CONTENT: None, DigestScope.TRANSFER: None}
    for response in responses:
        found += _taskcluster(response)
        for of in DigestScope:
            length = _length(response.get(f"x-taskcluster-location-{of}-length"))
            lengths[of] = length if length is not None else lengths[of]
    found += _stored_object(headers, encoding)
    found += _hints(headers, partial=partial)
    if not partial:
        found += _body_digests(headers)
    if not encoding:  # both are the same bytes, one hash is enough
        found = [replace(one, of=DigestScope.CONTENT) for one in found]
        if lengths[DigestScope.CONTENT] is None:
            lengths[DigestScope.CONTENT] = lengths[DigestScope.TRANSFER]
        lengths[DigestScope.TRANSFER] = None
    return ExpectedDigests(tuple(found), lengths[DigestScope.CONTENT], lengths[DigestScope.TRANSFER])


def _taskcluster(headers: Mapping[str, str]) -> Iterator[ExpectedDigest]:
    """The queue's redirect to an object gives the digests of the upload (see the documentation of getArtifact)."""
    for of in DigestScope:
        for algorithm in ("sha256", "sha512"):
            name = f"x-taskcluster-location-{of}-{algorithm}"
            yield from _expected(algorithm, _from_hex(headers.get(name)), of, name)


def _stored_object(headers: Mapping[str, str], encoding: str) -> Iterator[ExpectedDigest]:
    """Digests of the complete stored object, also in a response to a range request."""
    stored = headers.get("x-goog-stored-content-encoding", encoding or "identity").lower()
    if stored == (encoding or "identity"):  # otherwise the store decoded the object: we do not get the bytes it hashed
        pairs = [item.strip().partition("=") for item in headers.get("x-goog-hash", "").split(",")]
        given = {algorithm.lower(): _from_base64(value) for algorithm, _, value in pairs}
        if given.get("md5") is None and _checks_crc32c() and len(given.get(CRC32C) or b"") == 4:
            yield ExpectedDigest(CRC32C, given[CRC32C] or b"", DigestScope.TRANSFER, "x-goog-hash")
        for algorithm, digest in given.items():
            yield from _expected(algorithm, digest, DigestScope.TRANSFER, "x-goog-hash")
    checksum = headers.get("x-amz-checksum-sha256")
    if headers.get("x-amz-checksum-type", "FULL_OBJECT").upper() == "FULL_OBJECT":  # a composite is a hash of hashes
        yield from _expected("sha256", _from_base64(checksum), DigestScope.TRANSFER, "x-amz-checksum-sha256")
    yield from _structured(headers.get("repr-digest", ""), "repr-digest")  # RFC 9530: of the complete representation


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
    """Whether an ETag of 32 digits is probably an MD5; checking that of every server would cost too much."""
    encrypted = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    own_key = "x-amz-server-side-encryption-customer-algorithm" in headers
    return "x-amz-request-id" in headers and not encrypted and not own_key


def _body_digests(headers: Mapping[str, str]) -> Iterator[ExpectedDigest]:
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
