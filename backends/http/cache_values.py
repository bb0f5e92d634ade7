"""How diskcache stores values for us: bytes and text only, never pickled, in files that have the cache's own names."""

from __future__ import annotations

from typing import Any

import diskcache

from backends.http.cache_reader import BINARY, RAW, TEXT, is_stored_file

_STORED_TYPES = (bytes, str, int, float)


class BytesDisk(diskcache.Disk):  # type: ignore[misc]
    def put(self, key: Any) -> Any:
        if type(key) is not str:
            raise TypeError("cache keys are str")
        return super().put(key)

    def get(self, key: Any, raw: Any) -> Any:
        if not raw or type(key) is not str:
            raise ValueError("a cache key that is not a string was refused")
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if read or type(value) not in _STORED_TYPES:
            raise TypeError(f"a {type(value).__name__} is not cached")
        return super().store(value, read, key)

    def _write(self, full_path: Any, iterator: Any, mode: Any, encoding: Any = None) -> Any:
        """In one piece: diskcache writes line by line, and a frame of 3 MB has 20,000 bytes that end a line."""
        return super()._write(full_path, [iterator.getbuffer()] if encoding is None else iterator, mode, encoding)

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> Any:
        if mode not in (RAW, BINARY, TEXT):
            raise ValueError("a cache value that is neither bytes nor text was refused")
        if filename is not None and not is_stored_file(filename):
            raise ValueError("a cache value in a file that is not the cache's was refused")
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path: Any) -> None:
        if is_stored_file(file_path):  # eviction and clear() delete what the rows name
            super().remove(file_path)
