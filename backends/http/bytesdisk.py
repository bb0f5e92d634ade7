"""How cached values lie on the disk: as bytes and text only, so that reading a cache can never run code.

diskcache's own Disk pickles whatever is not text, bytes or a number, and unpickles what it finds: whoever can write to
the directory has code run by whoever reads it (CVE-2025-69872, no fixed release). Here pickle is neither written nor
read, and a row cannot name a file outside the directory.
"""

from __future__ import annotations

import re
from typing import Any

import diskcache

_KEPT = (bytes, str, int, float)
# How diskcache names its value files: 32 hex digits, split over two levels of directories.
_VALUE_FILE = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
_RAW, _BINARY, _TEXT = 1, 2, 3  # diskcache's modes; 4 is pickle


class BytesDisk(diskcache.Disk):  # type: ignore[misc]
    def put(self, key: Any) -> Any:
        if type(key) is not str:
            raise TypeError("cache keys are str")
        return super().put(key)

    def get(self, key: Any, raw: Any) -> Any:
        if not raw or type(key) is not str:
            raise ValueError("a cache key that is no text was refused")
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if read or type(value) not in _KEPT:
            raise TypeError(f"a {type(value).__name__} is not cached")
        return super().store(value, read, key)

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> Any:
        if mode not in (_RAW, _BINARY, _TEXT):
            raise ValueError("a cache value that is neither bytes nor text was refused")
        if filename is not None and not _is_value_file(filename):
            raise ValueError("a cache value in a file that is not the cache's was refused")
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path: Any) -> None:
        if _is_value_file(file_path):  # eviction and clear() delete what the rows name
            super().remove(file_path)


def _is_value_file(name: Any) -> bool:
    return isinstance(name, str) and _VALUE_FILE.fullmatch(name) is not None
