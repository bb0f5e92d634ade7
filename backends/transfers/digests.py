"""What servers promise about a body: which headers hold a digest or a length, of which bytes, and whether it came true.

`ETag` is not in the table: it is an MD5 only for some uploads to some stores, and nothing says for which.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

LENGTHS = {"sha256": 32, "sha512": 64, "md5": 16}
CRC32C = "crc32c"  # all that composite objects of Google's storage have; checked where google-crc32c is installed


class Of(StrEnum):
    CONTENT = "content"  # what the file holds, content-encoding undone
    TRANSFER = "transfer"  # the bytes on the wire, still encoded


class Hash(Protocol):
    def update(self, chunk: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True)
class Promise:
    """One digest that a server gave: `source` is the header's name."""

    algorithm: str
    digest: bytes
    of: Of
    source: str


@dataclass(frozen=True)
class Promises:
    """All that is known about a body before it has arrived; lengths in bytes, None if not said."""

    digests: tuple[Promise, ...] = ()
    content_length: int | None = None
    transfer_length: int | None = None

    def algorithms(self, of: Of) -> frozenset[str]:
        return frozenset(promise.algorithm for promise in self.digests if promise.of is of)

    def broken(self, of: Of, digests: Mapping[str, bytes]) -> Promise | None:
        """The first promise that the computed digests (algorithm -> digest) do not keep."""
        for promise in self.digests:
            if promise.of is of and digests[promise.algorithm] != promise.digest:
                return promise
        return None


@functools.cache
def _checks_crc32c() -> bool:
    return importlib.util.find_spec("google_crc32c") is not None


def new_hash(algorithm: str) -> Hash:
    if algorithm == CRC32C:
        made: Hash = importlib.import_module("google_crc32c").Checksum()
        return made
    return hashlib.new(algorithm, usedforsecurity=False)


def promises(
    headers: Mapping[str, str], hops: Iterable[Mapping[str, str]] = (), *, encoding: str = "", partial: bool = False
) -> Promises:
    """Reads the final answer's headers and those of the redirects before it. Malformed values count as not given.

    `encoding`: the final answer's content-encoding. `partial`: it is a 206, whose own length and body digests are of
    the piece and not of the whole.
    """
    found: list[Promise] = []
    lengths: dict[Of, int | None] = {Of.CONTENT: None, Of.TRANSFER: None}
    for answer in (*hops, headers):
        found += _taskcluster(answer)
        for of in Of:
            length = _length(answer.get(f"x-taskcluster-location-{of}-length"))
            lengths[of] = length if length is not None else lengths[of]
    found += _stored_object(headers, encoding)
    if not partial:
        found += _whole_body(headers)
    if not encoding:  # then both are the same bytes, and one hash serves
        found = [Promise(promise.algorithm, promise.digest, Of.CONTENT, promise.source) for promise in found]
        if lengths[Of.CONTENT] is None:
            lengths[Of.CONTENT] = lengths[Of.TRANSFER]
        lengths[Of.TRANSFER] = None
    return Promises(tuple(found), lengths[Of.CONTENT], lengths[Of.TRANSFER])


def _taskcluster(headers: Mapping[str, str]) -> Iterator[Promise]:
    """The queue's redirect to an object says what the upload was (getArtifact's documentation asks to verify it)."""
    for of in Of:
        for algorithm in ("sha256", "sha512"):
            name = f"x-taskcluster-location-{of}-{algorithm}"
            yield from _promise(algorithm, _from_hex(headers.get(name)), of, name)


def _stored_object(headers: Mapping[str, str], encoding: str) -> Iterator[Promise]:
    """Digests of the whole object as the store holds it, whatever piece of it this answer brings."""
    stored = headers.get("x-goog-stored-content-encoding", encoding or "identity").lower()
    if stored == (encoding or "identity"):  # else the store decoded on the way: what we get is not what it hashed
        pairs = [item.strip().partition("=") for item in headers.get("x-goog-hash", "").split(",")]
        told = {algorithm.lower(): _from_base64(value) for algorithm, _, value in pairs}
        if told.get("md5") is None and _checks_crc32c() and len(told.get(CRC32C) or b"") == 4:
            yield Promise(CRC32C, told[CRC32C] or b"", Of.TRANSFER, "x-goog-hash")
        for algorithm, digest in told.items():
            yield from _promise(algorithm, digest, Of.TRANSFER, "x-goog-hash")
    checksum = headers.get("x-amz-checksum-sha256")
    if headers.get("x-amz-checksum-type", "FULL_OBJECT").upper() == "FULL_OBJECT":  # a composite is a hash of hashes
        yield from _promise("sha256", _from_base64(checksum), Of.TRANSFER, "x-amz-checksum-sha256")
    yield from _structured(headers.get("repr-digest", ""), "repr-digest")  # RFC 9530: of the whole representation


def _whole_body(headers: Mapping[str, str]) -> Iterator[Promise]:
    yield from _promise("md5", _from_base64(headers.get("content-md5")), Of.TRANSFER, "content-md5")
    yield from _structured(headers.get("content-digest", ""), "content-digest")


def _structured(value: str, source: str) -> Iterator[Promise]:
    """RFC 9530: `sha-256=:base64:, sha-512=:base64:`."""
    for match in re.finditer(r"(sha-256|sha-512|md5)=:([A-Za-z0-9+/=]+):", value):
        yield from _promise(match[1].replace("-", ""), _from_base64(match[2]), Of.TRANSFER, source)


def _promise(algorithm: str, digest: bytes | None, of: Of, source: str) -> Iterator[Promise]:
    if digest is not None and LENGTHS.get(algorithm) == len(digest):
        yield Promise(algorithm, digest, of, source)


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
