"""What one stored value looks like: a small JSON account of it and its bytes, in one row."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.http.cache import DiskCache
from backends.http.policies import Mode

# One row and not two: an account and a body of different fetches can never meet.
_FORMAT = b"cix2"
_UNCHECKED = b"cix1"  # as earlier versions stored them, without a digest
_HEAD = struct.Struct("<4sIQ")  # format, length of the account, length of the body; then the digest of all the rest
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class CachedBlob:
    """`stored_at`: seconds since 1970, UTC. `meta`: whatever JSON was put with it."""

    body: bytes
    stored_at: float
    meta: Mapping[str, Any]


def pack(body: bytes, stored_at: float, meta: Mapping[str, Any]) -> bytes:
    account = json.dumps({"at": stored_at, "meta": dict(meta)}, separators=(",", ":")).encode()
    head = _HEAD.pack(_FORMAT, len(account), len(body))
    return b"".join((head, _digest(head, account, body), account, body))


def unpack(row: bytes | None) -> CachedBlob | None:
    """None for what is missing, cut short, altered or not ours."""
    if row is None or len(row) < _HEAD.size:
        return None
    form, account_length, body_length = _HEAD.unpack_from(row)
    start = _HEAD.size + (_DIGEST_BYTES if form == _FORMAT else 0)
    begin = start + account_length
    if form not in (_FORMAT, _UNCHECKED) or len(row) != begin + body_length:
        return None
    if form == _FORMAT and row[_HEAD.size : start] != _digest(row[: _HEAD.size], memoryview(row)[start:]):
        return None
    try:
        account = json.loads(row[start:begin])
        return CachedBlob(row[begin:], float(account["at"]), dict(account["meta"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _digest(*parts: bytes | memoryview) -> bytes:
    """Against a disk that gives back other bytes than it was given, not against whoever may write to the cache."""
    found = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        found.update(part)
    return found.digest()


def hashed(*parts: str) -> str:
    """A key that tells nothing: parts of it may be signed addresses."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class BlobCache:
    """Bytes that we computed ourselves (parsed frames), by any string key, next to the answers they come from.

    Follows the mode: refresh and no-cache read nothing, offline and no-cache write nothing.
    """

    def __init__(self, shelf: DiskCache, mode: Mode, clock: Callable[[], float] = time.time) -> None:
        self._shelf = shelf
        self._mode = mode
        self._clock = clock

    def get(self, key: str) -> CachedBlob | None:
        row = self._shelf.get(_own(key)) if self._mode.reads else None
        found = unpack(row)
        if row is not None and found is None:
            self._shelf.discard_damaged(_own(key))
        return found

    def put(self, key: str, body: bytes, meta: Mapping[str, Any] | None = None) -> None:
        """Keeps `body` (unless it is above an eighth of the cache) with `meta`, which must be JSON."""
        if self._mode.writes:
            self._shelf.put(_own(key), pack(body, self._clock(), meta or {}))

    def delete(self, key: str) -> None:
        if self._mode is not Mode.NO_CACHE:
            self._shelf.delete(_own(key))


def _own(key: str) -> str:
    return f"f:{hashed(key)}"
