"""Numbers, generators and ids that follow from one seed, the same in every process (`hash()` is not: hence blake2b)."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from random import Random

Part = int | str


def digest(*parts: Part) -> bytes:
    """Sixteen bytes that depend on every part and on their order."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def number(*parts: Part) -> int:
    """A uniform 64-bit number."""
    return int.from_bytes(digest(*parts)[:8], "big")


def fraction(*parts: Part) -> float:
    """A uniform number in [0, 1)."""
    return number(*parts) / 2**64


def generator(*parts: Part) -> Random:
    """A separate generator for whatever needs many draws."""
    return Random(number(*parts))


def slugid(*parts: Part) -> str:
    """A task id as Taskcluster writes one: a version 4 UUID in 22 characters of base64url (it may begin with `-`)."""
    raw = bytearray(digest("slug", *parts))
    raw[6] = (raw[6] & 0x0F) | 0x40
    raw[8] = (raw[8] & 0x3F) | 0x80
    return urlsafe_b64encode(bytes(raw))[:22].decode()


def hexadecimal(length: int, *parts: Part) -> str:
    """`length` (up to 64) hexadecimal digits, e.g. the forty of a revision."""
    return hashlib.sha256(digest(*parts)).hexdigest()[:length]
