"""What one stored value looks like: a small JSON account of it and its bytes, in one row."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.http.cache import Shelf
from backends.http.policies import Mode

# One row and not two: an account and a body of different fetches can never meet.
_FORMAT = b"cix1"
_HEAD = struct.Struct("<4sIQ")  # format, length of the account, length of the body


@dataclass(frozen=True)
class StoredBytes:
    """`stored_at`: seconds since 1970, UTC. `meta`: whatever JSON was put with it."""

    body: bytes
    stored_at: float
    meta: Mapping[str, Any]


def pack(body: bytes, stored_at: float, meta: Mapping[str, Any]) -> bytes:
    account = json.dumps({"at": stored_at, "meta": dict(meta)}, separators=(",", ":")).encode()
    return b"".join((_HEAD.pack(_FORMAT, len(account), len(body)), account, body))


def unpack(row: bytes | None) -> StoredBytes | None:
    """None for what is missing, cut short or not ours."""
    if row is None or len(row) < _HEAD.size:
        return None
    form, account_length, body_length = _HEAD.unpack_from(row)
    begin = _HEAD.size + account_length
    if form != _FORMAT or len(row) != begin + body_length:
        return None
    try:
        account = json.loads(row[_HEAD.size : begin])
        return StoredBytes(row[begin:], float(account["at"]), dict(account["meta"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def hashed(*parts: str) -> str:
    """A key that tells nothing: parts of it may be signed addresses."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class Store:
    """Bytes that we computed ourselves (parsed frames), by any string key, next to the answers they come from.

    Follows the mode: refresh and no-cache read nothing, offline and no-cache write nothing.
    """

    def __init__(self, shelf: Shelf, mode: Mode, clock: Callable[[], float] = time.time) -> None:
        self._shelf = shelf
        self._mode = mode
        self._clock = clock

    def get(self, key: str) -> StoredBytes | None:
        return unpack(self._shelf.get(_own(key))) if self._mode.reads else None

    def put(self, key: str, body: bytes, meta: Mapping[str, Any] | None = None) -> None:
        """Keeps `body` (unless it is above an eighth of the cache) with `meta`, which must be JSON."""
        if self._mode.writes:
            self._shelf.put(_own(key), pack(body, self._clock(), meta or {}))

    def delete(self, key: str) -> None:
        if self._mode is not Mode.NO_CACHE:
            self._shelf.delete(_own(key))


def _own(key: str) -> str:
    return f"f:{hashed(key)}"
