"""The archives cached on this machine: each a file named by the hash of its spec, beside a record of it.

An archive exists when its record does, and the record is written last; what a killed process left has no record and is
removed by the next fetch. Names of repositories never become paths. Beyond the limit, the archives that were not used
for the longest time are removed. File locks make several processes fetch an archive once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import BinaryIO

from backends.archives.spec import SHORT_DIGITS, ArchiveSpec
from backends.atomic import SymlinkError, atomic_file, disk_words, open_directory, sweep_parts
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.transfers.output_directory import sync_directories

LOCK_POLL = 0.1  # seconds; flock itself cannot be waited for and cancelled


@contextlib.contextmanager
def lock_file(
    path: Path, cancel: CancelToken, waiting: Callable[[], None] = lambda: None, *, below: Path | None = None
) -> Iterator[None]:
    """Holds the lock file `path`; the system releases it when a process dies.

    `waiting` is called once if another holds it. Below `below` no link is followed. Raises `FileError`, and
    `OperationCancelledError` while waiting.
    """
    descriptor = _try_lock(path, below)
    if descriptor is None:
        waiting()
    while descriptor is None:
        cancel.sleep(LOCK_POLL)
        descriptor = _try_lock(path, below)
    try:
        yield
    finally:
        _release(path, descriptor)


@contextlib.contextmanager
def lock_if_free(path: Path, *, below: Path | None = None) -> Iterator[bool]:
    """Holds the lock if it is free, without waiting; yields whether it is held. Raises `FileError`."""
    descriptor = _try_lock(path, below)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            _release(path, descriptor)


def _release(path: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
    os.close(descriptor)


def _try_lock(path: Path, below: Path | None) -> int | None:
    """A descriptor that holds the lock, None if another process or thread holds it."""
    descriptor = directory = -1
    try:
        if below is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            directory = open_directory(path.parent, ())
        else:
            below.mkdir(parents=True, exist_ok=True, mode=0o700)
            directory = open_directory(below, path.relative_to(below).parts[:-1], create=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, 0o600, dir_fd=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before us removed the file when it was done; then this lock is on a removed file.
        if os.fstat(descriptor).st_ino == os.stat(path.name, dir_fd=directory, follow_symlinks=False).st_ino:
            held, descriptor = descriptor, -1
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    except SymlinkError:
        raise
    except OSError as error:
        raise FileError(f"Cannot lock {path}: {disk_words(error)}.", "Check the cache directory.") from error
    finally:
        for one in (descriptor, directory):
            if one >= 0:
                os.close(one)
    return None


_RECORD = re.compile(r"([0-9a-f]{64})\.json", re.ASCII)
_ARCHIVE = re.compile(r"([0-9a-f]{64})\.(zip|tar\.gz|tar\.bz2)", re.ASCII)
_PART = re.compile(r"\.([0-9a-f]{64})\.[a-z0-9.]+\.part", re.ASCII)
_PIECE = 1 << 20
_LOCK = re.compile(r"[0-9a-f]{64}|server-[0-9a-f]{40}", re.ASCII)
VERSION = 1


@dataclass(frozen=True)
class ArchiveRecord:
    """What is known of a verified archive. `size`, `unpacked` in bytes, `committed_ms`, `kept_ms` epoch milliseconds.

    `confirmed`: the archive itself names the node. `repacked_from`: the suffix of what the server gave. `regions`:
    where S3 has it, region -> bucket.
    """

    root: str
    repository: str
    node: str
    subdirectory: str
    suffix: str
    source_url: str
    size: int
    sha256: str
    members: int
    unpacked: int
    committed_ms: int | None = None
    kept_ms: int = 0
    confirmed: bool = False
    repacked_from: str = ""
    regions: dict[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> ArchiveSpec:
        return ArchiveSpec(self.root, self.repository, self.node, self.subdirectory, self.suffix)


@dataclass(frozen=True)
class StoredArchive:
    """An archive on this disk."""

    path: Path
    record: ArchiveRecord


class ArchiveStore:
    """The archives below `directory`, of at most `limit` bytes. Safe from any thread and for several processes.

    Nothing is written through a link in the directory or in its place.
    """

    def __init__(self, directory: Path, limit: int | None = None) -> None:
        self.directory, self._limit = directory, limit
        self._root = directory.parent
        self._known: dict[str, tuple[tuple[int, int, int], ArchiveRecord | None]] = {}  # file -> its state, record

    def path(self, spec: ArchiveSpec) -> Path:
        return self.directory / f"{spec.digest}.{spec.suffix}"

    def _record_path(self, digest: str) -> Path:
        return self.directory / f"{digest}.json"

    def find(self, spec: ArchiveSpec) -> StoredArchive | None:
        """The archive, if its size is right; see `copy` for its content."""
        return self.find_by_digest(spec.digest)

    def find_short(
        self, root: str, repository: str, revision: str, subdirectory: str, suffix: str
    ) -> StoredArchive | None:
        """The same by the first digits of its node, at least 12; None also if several nodes begin with them."""
        found = [
            archive
            for archive in self.all()
            if (archive.record.root, archive.record.repository) == (root, repository)
            and (archive.record.subdirectory, archive.record.suffix) == (subdirectory, suffix)
            and len(revision) >= SHORT_DIGITS
            and archive.record.node.startswith(revision)
        ]
        return found[0] if len(found) == 1 else None

    def find_by_digest(self, digest: str) -> StoredArchive | None:
        """The archive with this `ArchiveSpec.digest`."""
        record = self._load_record(f"{digest}.json")
        if record is None or record.spec.digest != digest:
            return None
        path = self.path(record.spec)
        try:
            state = path.lstat()
        except OSError:
            return None
        is_complete = stat.S_ISREG(state.st_mode) and state.st_size == record.size
        return StoredArchive(path, record) if is_complete else None

    def _load_record(self, name: str) -> ArchiveRecord | None:
        """Read once while the file stays the same: the server reads all of them for each request."""
        path = self.directory / name
        try:
            status = path.lstat()
        except OSError:
            self._known.pop(name, None)
            return None
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._known.get(name)
        if known is None or known[0] != state:
            record = _read_record(path) if stat.S_ISREG(status.st_mode) else None
            known = self._known[name] = (state, record)
        return known[1]

    @contextlib.contextmanager
    def lock(
        self, spec: ArchiveSpec, cancel: CancelToken, waiting: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """No other thread or process fetches this archive meanwhile."""
        with lock_file(self._lock_path(spec.digest), cancel, waiting, below=self._root):
            yield

    @contextlib.contextmanager
    def lock_server(self, root: str, cancel: CancelToken, waiting: Callable[[], None]) -> Iterator[None]:
        """One download at a time from one server."""
        name = f"server-{hashlib.sha256(root.encode()).hexdigest()[:40]}"
        with lock_file(self._lock_path(name), cancel, waiting, below=self._root):
            yield

    def _lock_path(self, name: str) -> Path:
        return self.directory / "locks" / name

    @contextlib.contextmanager
    def writing(self, spec: ArchiveSpec) -> Iterator[tuple[BinaryIO, Path]]:
        """A file and its temporary path. It gets its final path when the block ends without an exception; then call
        `keep` with its record."""
        self._make_directory()
        self._sweep()
        with atomic_file(self.path(spec), overwrite=True, below=self._root) as stream:
            yield stream, self._part(spec, stream)

    def _part(self, spec: ArchiveSpec, stream: BinaryIO) -> Path:
        number = os.fstat(stream.fileno()).st_ino
        for path in self.directory.glob(f".{spec.digest}*.part"):
            with contextlib.suppress(OSError):
                if path.lstat().st_ino == number:
                    return path
        raise FileError("Cannot check the archive: its file was removed.", "Try again.")

    def keep(self, record: ArchiveRecord) -> StoredArchive:
        """Writes the record: from now on the archive exists. Both files are durable when it returns."""
        spec = record.spec
        self._make_directory()
        with atomic_file(self._record_path(spec.digest), overwrite=True, below=self._root) as stream:
            stream.write(json.dumps({"version": VERSION, **asdict(record)}, indent=1).encode())
        descriptor = open_directory(self._root, (self.directory.name,))
        try:
            sync_directories([()], lambda _: descriptor)
        finally:
            os.close(descriptor)
        self._evict(spec.digest)
        return StoredArchive(self.path(spec), record)

    def use(self, archive: StoredArchive) -> None:
        """Marks the archive as used now: the least recently used are evicted first."""
        with contextlib.suppress(OSError):
            os.utime(archive.path, follow_symlinks=False)

    def delete(self, spec: ArchiveSpec) -> None:
        """Deletes it, the record first. Raises `FileError`."""
        try:
            self._record_path(spec.digest).unlink(missing_ok=True)
            self.path(spec).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"Cannot delete the archive: {disk_words(error)}.") from error

    def all(self) -> list[StoredArchive]:
        """All cached archives, the newest first."""
        found = []
        for name in self._names():
            match = _RECORD.fullmatch(name)
            archive = self.find_by_digest(match[1]) if match else None
            if archive is not None:
                found.append(archive)
        return sorted(found, key=lambda archive: (-archive.record.kept_ms, archive.record.spec.digest))

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.directory.iterdir())
        except OSError:
            return []

    def summary(self) -> tuple[int, int]:
        """(number of archives, bytes of all files of the store)"""
        size = 0
        for name in self._names():
            if any(kind.fullmatch(name) for kind in (_RECORD, _ARCHIVE, _PART)):
                with contextlib.suppress(OSError):
                    size += (self.directory / name).lstat().st_size
        return len(self.all()), size

    def clear(self) -> int:
        """Deletes every archive that no process is writing; returns how many. Raises `FileError`.

        Deletes no file whose name is not of the store's own form.
        """
        count = 0
        try:
            for archive in self.all():
                with lock_if_free(self._lock_path(archive.record.spec.digest), below=self._root) as free:
                    if free:
                        self.delete(archive.record.spec)
                        count += 1
            for name in self._names():
                if (match := _RECORD.fullmatch(name)) and self.find_by_digest(match[1]) is None:
                    (self.directory / name).unlink(missing_ok=True)  # of another version, or of an archive that is gone
            self._sweep()
            self._sweep_locks()
        except OSError as error:
            raise FileError(f"Cannot delete the archives: {disk_words(error)}.") from error
        return count

    def _evict(self, digest: str) -> None:
        """Deletes the least recently used archives until the rest fits; never `digest`, which is new, nor one that is
        being written or copied."""
        if self._limit is None:
            return
        archives = self.all()
        total = sum(one.record.size for one in archives)
        for one in sorted(archives, key=_last_use):
            if total <= self._limit:
                return
            other = one.record.spec.digest
            if other == digest:
                continue
            with lock_if_free(self._lock_path(other), below=self._root) as free:
                if free:
                    self.delete(one.record.spec)
                    total -= one.record.size

    def copy(
        self,
        archive: StoredArchive,
        target: Path,
        cancel: CancelToken,
        *,
        overwrite: bool = False,
        below: Path | None = None,
    ) -> bool:
        """Copies the archive to `target`; False if the same file was there already. Below the directory `below`, which
        is created if missing, no link is followed.

        Raises `FileError`, and `CorruptedArchiveError` if the cached bytes are no longer those that were verified: then
        the archive was deleted, and `target` is unchanged.
        """
        directory = target.parent if below is None else below
        try:
            if _file_digest(target, cancel) == archive.record.sha256:
                _sweep_directory(directory)
                return False
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"Cannot create {directory}: {disk_words(error)}.", "Choose another directory.") from error
        self.use(archive)
        with atomic_file(target, overwrite=overwrite, below=directory) as stream, self._open_archive(archive) as source:
            digest = hashlib.sha256()
            while piece := source.read(_PIECE):
                cancel.check()
                digest.update(piece)
                stream.write(piece)
            if digest.hexdigest() != archive.record.sha256:
                self.delete(archive.record.spec)
                raise CorruptedArchiveError(
                    f"The cached archive of {archive.record.spec.description} has changed on the disk.", "Try again."
                )
        return True

    def _open_archive(self, archive: StoredArchive) -> BinaryIO:
        try:
            return os.fdopen(os.open(archive.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
        except OSError as error:
            raise FileError(
                f"Cannot read the cached archive of {archive.record.spec.description}: {disk_words(error)}.",
                "Try again.",
            ) from error

    def _sweep(self) -> None:
        """Deletes what killed fetches left: abandoned part files, and archives that never got a record."""
        _sweep_directory(self._root, self.directory.name)
        for name in self._names():
            match = _ARCHIVE.fullmatch(name)
            if match is None or self._record_path(match[1]).exists():
                continue
            with contextlib.suppress(OSError), lock_if_free(self._lock_path(match[1]), below=self._root) as free:
                if free and not self._record_path(match[1]).exists():
                    (self.directory / name).unlink()

    def _sweep_locks(self) -> None:
        """Deletes the lock files of killed processes."""
        for name in [path.name for path in (self.directory / "locks").glob("*") if _LOCK.fullmatch(path.name)]:
            with lock_if_free(self._lock_path(name), below=self._root):
                pass  # releasing a lock removes its file

    def _make_directory(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(open_directory(self._root, (self.directory.name,), create=True))
        except OSError as error:
            raise FileError(
                f"Cannot create {self.directory}: {disk_words(error)}.", "Set CIEXPLORE_CACHE_DIR to another directory."
            ) from error


class CorruptedArchiveError(FileError):
    """The cached bytes have changed since they were verified."""


def _sweep_directory(root: Path, *parts: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = open_directory(root, parts)
        try:
            sweep_parts(descriptor)
        finally:
            os.close(descriptor)


def now_ms() -> int:
    return int(time.time() * 1000)


def _last_use(archive: StoredArchive) -> tuple[float, str]:
    try:
        return archive.path.lstat().st_mtime, archive.record.spec.digest
    except OSError:
        return 0.0, archive.record.spec.digest


def _file_digest(path: Path, cancel: CancelToken) -> str:
    """SHA-256 of a regular file; "" for everything else and for a missing file."""
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return ""
            while piece := stream.read(_PIECE):
                cancel.check()
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


_TYPES = {"str": str, "int": int, "bool": bool, "int | None": (int, type(None)), "dict[str, str]": dict}


def _read_record(path: Path) -> ArchiveRecord | None:
    """None for a file that is not a record of this version."""
    try:
        value = json.loads(path.read_bytes())
        if value.pop("version") != VERSION:
            return None
        for one in fields(ArchiveRecord):
            if not isinstance(value[one.name], _TYPES[str(one.type)]):  # type: ignore[arg-type]
                return None
        return ArchiveRecord(**value)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
