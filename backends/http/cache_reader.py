"""Reads values of the cache without diskcache, over one connection that stays open.

Importing and opening diskcache takes 25 ms, of which most is for writing, and it opens a connection in each thread.
What it has not written as expected is left to it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import threading
import time
from pathlib import Path
from typing import Any

RAW, BINARY, TEXT = 1, 2, 3  # diskcache's modes; 4 is pickle
# How diskcache names its value files: 32 hex digits, split over two levels of directories.
_STORED_FILE = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
_QUERY = (
    "SELECT mode, filename, value FROM Cache WHERE key = ? AND raw = 1 AND (expire_time IS NULL OR expire_time > ?)"
)


def is_stored_file(name: Any) -> bool:
    return isinstance(name, str) and _STORED_FILE.fullmatch(name) is not None


class CacheReader:
    """Thread-safe."""

    def __init__(self, directory: Path, wait_seconds: float) -> None:
        """Raises `OSError` for a directory that is not there or not only ours, `sqlite3.Error`."""
        found = directory.stat()
        if (hasattr(os, "geteuid") and found.st_uid != os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o077:
            raise PermissionError("others may write to it")
        self._directory = directory
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            f"{(directory / 'cache.db').absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=wait_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.execute("PRAGMA mmap_size = 0")  # see `cache._open`

    def read(self, key: str) -> bytes | None:
        """None where nothing is stored. Raises `ValueError` for what is no bytes, `OSError`, `sqlite3.Error`."""
        with self._lock:
            row: tuple[int, Any, Any] | None = self._connection.execute(_QUERY, (key, time.time())).fetchone()
        if row is None:
            return None
        mode, filename, value = row
        if mode == RAW and isinstance(value, bytes):
            return value
        if mode == BINARY and is_stored_file(filename):
            return Path(self._directory, filename).read_bytes()
        raise ValueError("not stored as bytes")

    def close(self) -> None:
        with self._lock:
            self._connection.close()
