"""The cache on this disk: what is stored (raw bytes only, never pickled), its size limit, damage, and blobs by key."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.http.cache_reader import CacheReader
from backends.http.policies import Mode

CACHE_BYTES = 2 << 30
_LOCK_SECONDS = 5.0  # what another process may keep us waiting before an answer is simply not stored
_SET_ASIDE = "cache.db.damaged"
_OWN_FILES = ("cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal", _SET_ASIDE)
_VALUE_DIRECTORY = re.compile(r"[0-9a-f]{2}")
_VALUE_FILE = re.compile(r"[0-9a-f]{28}\.val")


def _open(directory: Path, size_limit: int) -> Any:
    """The only place where a diskcache is opened: the class that keeps pickle out is not stored in the cache itself."""
    import diskcache  # 9 ms, and not needed for reading

    from backends.http.cache_values import BytesDisk

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise PermissionError("it belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        directory.chmod(0o700)
    return diskcache.Cache(
        str(directory),
        timeout=_LOCK_SECONDS,
        disk=BytesDisk,
        size_limit=size_limit,
        # "used" would make each hit a write: 35 µs instead of 7.
        eviction_policy="least-recently-stored",
        statistics=0,
        sqlite_mmap_size=0,  # a mapped file that is cut short ends the process (SIGBUS)
        tag_index=0,
    )


class DiskCache:
    """Bytes by key. Opened for writing at first use; whatever goes wrong ends up in `note`, and in an answer not kept.

    Values above an eighth of the limit are not taken: diskcache drops what is larger than the limit without a word,
    and a few values of that size would push everything else out. A damaged database is set aside and an empty one
    begun, once (unless not `repair`); `note` says so.
    """

    def __init__(self, directory: Path, size_limit: int = CACHE_BYTES, *, repair: bool = True) -> None:
        self.directory = directory
        self.largest = size_limit // 8
        self.note = ""
        self._size_limit = size_limit
        self._lock = threading.Lock()
        self._cache: Any = None
        self._reader: CacheReader | None = None
        self._given_up = False
        self._may_repair = repair

    def get(self, key: str) -> bytes | None:
        if not self._given_up:
            try:
                reader = self._reader or self._open_reader()
                return reader.read(key)
            except (OSError, ValueError, sqlite3.Error):
                pass  # what diskcache can read, repair or say it should
        cache = self._open_cache()
        if cache is None:
            return None
        try:
            value = cache.get(key)
        except (ValueError, TypeError):  # a pickle, or a file elsewhere: not ours
            self.delete(key)
            return None
        except Exception as error:
            self._trouble(error, "read")
            return None
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes) -> bool:
        cache = self._open_cache() if len(value) <= self.largest else None
        if cache is None:
            return False
        try:
            return bool(cache.set(key, value))
        except Exception as error:
            self._trouble(error, "written to")
            return False

    def delete(self, key: str) -> None:
        cache = self._open_cache()
        if cache is None:
            return
        try:
            cache.delete(key)
        except Exception as error:
            self._trouble(error, "written to")

    def discard_damaged(self, key: str) -> None:
        """Deletes a value that is not what was stored; it will be fetched again."""
        self.delete(key)
        self.note = self.note or f"Stored answers in {self.directory} were damaged: they are fetched again."

    def close(self) -> None:
        with self._lock:
            cache, self._cache, self._given_up = self._cache, None, True
            self._close_reader()
        if cache is not None:
            with contextlib.suppress(Exception):
                cache.close()

    def _open_reader(self) -> CacheReader:
        with self._lock:
            if self._reader is None:
                self._reader = CacheReader(self.directory, _LOCK_SECONDS)
            return self._reader

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with contextlib.suppress(sqlite3.Error):
                reader.close()

    def _open_cache(self) -> Any:
        if self._cache is not None or self._given_up:
            return self._cache
        with self._lock:
            if self._cache is None and not self._given_up:
                try:
                    self._cache = _open(self.directory, self._size_limit)
                except Exception as error:  # sqlite, the file system, or rows of another program's making
                    self._given_up = True
                    why = _describe_error(error)
                    self.note = f"The cache in {self.directory} cannot be opened ({why}): no responses are cached."
                    if _is_damage(error) and self._may_repair:
                        self._rebuild(error)
            return self._cache

    def _trouble(self, error: Exception, what: str) -> None:
        self.note = f"The cache in {self.directory} could not be {what} ({_describe_error(error)})."
        if _is_damage(error):
            # Nothing after this would go better, and each try costs time.
            with self._lock:
                self.note = f"The cache in {self.directory} is damaged ({_describe_error(error)}): no answers are kept."
                self._given_up = True
                self._cache = None
                self._close_reader()
                if self._may_repair:
                    self._rebuild(error)

    def _rebuild(self, error: Exception) -> None:
        """Begins again with an empty cache, under the lock; another process that does the same is waited for."""
        self._may_repair = False
        self._close_reader()
        try:
            with _locked(self.directory):
                if not _is_sound(self.directory):
                    # It may be another program's file of that name: not deleted, unlike the values of our naming.
                    (self.directory / "cache.db").replace(self.directory / _SET_ASIDE)
                    _remove_files(self.directory, keep=_SET_ASIDE)
                self._cache = _open(self.directory, self._size_limit)
        except Exception as trouble:
            self.note = f"The cache in {self.directory} is damaged ({_describe_error(trouble)}): no answers are kept."
            return
        self._given_up = False
        self.note = f"The cache in {self.directory} was damaged ({_describe_error(error)}) and has been emptied."


def _is_damage(error: Exception) -> bool:
    """Whether the file is no database any more, or one with broken pages; a lock or a full disk is neither."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says more precisely where
    return isinstance(error, sqlite3.DatabaseError) and code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_sound(directory: Path) -> bool:
    """Whether the database is whole, e.g. because another process has begun it again in the meantime."""
    try:
        with contextlib.closing(sqlite3.connect(directory / "cache.db", timeout=_LOCK_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)])
    except sqlite3.Error:
        return False


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _describe_error(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def cache_summary(directory: Path) -> tuple[int, int]:
    """How many values are stored and how many bytes they take; (0, 0) where there is no cache. Creates nothing."""
    if not (directory / "cache.db").is_file():
        return 0, 0
    shelf = DiskCache(directory, repair=False)
    cache = shelf._open_cache()
    if cache is None:
        return 0, _bytes_below(directory)
    try:
        return len(cache), int(cache.volume())
    except Exception:
        return 0, _bytes_below(directory)
    finally:
        shelf.close()


def clear(directory: Path) -> int:
    """Forgets everything and returns how many values that were; a damaged cache is removed file by file.

    Deletes nothing that is not named as diskcache names its files. Raises `OSError` where the disk refuses.
    """
    if not directory.is_dir():
        return 0
    if (directory / "cache.db").is_file():
        shelf = DiskCache(directory, repair=False)
        cache = shelf._open_cache()
        try:
            if cache is not None:
                return int(cache.clear(retry=True))
        except Exception:
            return _remove_files(directory)
        finally:
            shelf.close()
    return _remove_files(directory)


def _remove_files(directory: Path, keep: str = "") -> int:
    values = list(_value_files(directory))
    for path in [*values, *(directory / name for name in _OWN_FILES if name != keep)]:
        path.unlink(missing_ok=True)
    for folder in sorted({parent for path in values for parent in path.parents[:2]}, reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    return len(values)


def _value_files(directory: Path) -> list[Path]:
    return [
        path
        for path in directory.glob("??/??/*.val")
        if _VALUE_FILE.fullmatch(path.name)
        and _VALUE_DIRECTORY.fullmatch(path.parent.name)
        and _VALUE_DIRECTORY.fullmatch(path.parent.parent.name)
        and not path.parent.is_symlink()
        and not path.parent.parent.is_symlink()
    ]


def _bytes_below(directory: Path) -> int:
    paths = [*_value_files(directory), *(directory / name for name in _OWN_FILES)]
    return sum(path.stat().st_size for path in paths if path.is_file())


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
