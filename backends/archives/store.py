"""Where archives are kept on this machine: each one file under the hash of what it is, beside an account of it.

An archive is there when its account is, and the account is written last; whatever a killed process left has no
account and is taken away by the next fetch. Names of repositories never become paths. Of more bytes than the limit the
archives that were not used for the longest time go.
"""

from __future__ import annotations

import contextlib
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

from backends.archives.locks import claim_part, is_abandoned, lock_if_free, locked
from backends.archives.wanted import SHORT, Wanted
from backends.atomic import atomic_file, disk_words, open_directory
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.transfers.output_directory import sync_directories

_ACCOUNT = re.compile(r"([0-9a-f]{64})\.json", re.ASCII)
_ARCHIVE = re.compile(r"([0-9a-f]{64})\.(zip|tar\.gz|tar\.bz2)", re.ASCII)
_PART = re.compile(r"\.([0-9a-f]{64})\.[a-z0-9.]+\.part", re.ASCII)
_PIECE = 1 << 20
_LOCK = re.compile(r"[0-9a-f]{64}|server-[0-9a-f]{40}", re.ASCII)
VERSION = 1
_ABANDONED = 86_400.0  # seconds without a byte; a fetch gives up after 30


@dataclass(frozen=True)
class Account:
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
    def wanted(self) -> Wanted:
        return Wanted(self.root, self.repository, self.node, self.subdirectory, self.suffix)


@dataclass(frozen=True)
class Kept:
    """An archive on this disk."""

    path: Path
    account: Account


class Store:
    """The archives below `directory`, of at most `limit` bytes. Safe from any thread and for several processes.

    Nothing is written through a link in the directory or in its place.
    """

    def __init__(self, directory: Path, limit: int | None = None) -> None:
        self.directory, self._limit = directory, limit
        self._root = directory.parent
        self._known: dict[str, tuple[tuple[int, int, int], Account | None]] = {}  # account file -> its state, content

    def path(self, wanted: Wanted) -> Path:
        return self.directory / f"{wanted.digest}.{wanted.suffix}"

    def find(self, wanted: Wanted) -> Kept | None:
        """The archive if it is whole by its size; see `copy` for its content."""
        return self.named(wanted.digest)

    def find_short(self, root: str, repository: str, revision: str, subdirectory: str, suffix: str) -> Kept | None:
        """The same by the first digits of its node, at least 12; None also where several begin so."""
        found = [
            kept
            for kept in self.all()
            if (kept.account.root, kept.account.repository) == (root, repository)
            and (kept.account.subdirectory, kept.account.suffix) == (subdirectory, suffix)
            and len(revision) >= SHORT
            and kept.account.node.startswith(revision)
        ]
        return found[0] if len(found) == 1 else None

    def named(self, digest: str) -> Kept | None:
        """The same by `Wanted.digest`."""
        account = self._account(f"{digest}.json")
        if account is None or account.wanted.digest != digest:
            return None
        path = self.path(account.wanted)
        try:
            state = path.lstat()
        except OSError:
            return None
        whole = stat.S_ISREG(state.st_mode) and state.st_size == account.size
        return Kept(path, account) if whole else None

    def _account(self, name: str) -> Account | None:
        """Read once while the file stays the same: the server looks through all of them for each request."""
        path = self.directory / name
        try:
            status = path.lstat()
        except OSError:
            self._known.pop(name, None)
            return None
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._known.get(name)
        if known is None or known[0] != state:
            account = _read(path) if stat.S_ISREG(status.st_mode) else None
            known = self._known[name] = (state, account)
        return known[1]

    @contextlib.contextmanager
    def lock(self, wanted: Wanted, cancel: CancelToken, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Nobody else fetches this archive meanwhile; what a killed fetch left of it is gone."""
        with locked(self._lock_path(wanted.digest), cancel, waiting, below=self._root):
            for left in self.directory.glob(f".{wanted.digest}*.part"):
                left.unlink(missing_ok=True)
            yield

    @contextlib.contextmanager
    def lock_server(self, root: str, cancel: CancelToken, waiting: Callable[[], None]) -> Iterator[None]:
        """One download at a time from one server."""
        name = f"server-{hashlib.sha256(root.encode()).hexdigest()[:40]}"
        with locked(self._lock_path(name), cancel, waiting, below=self._root):
            yield

    def _lock_path(self, name: str) -> Path:
        return self.directory / "locks" / name

    @contextlib.contextmanager
    def writing(self, wanted: Wanted) -> Iterator[tuple[BinaryIO, Path]]:
        """A file and where it is until it gets its place, which is when the block ends without an exception; its
        account is `keep`'s to write."""
        self._make_directory()
        self._sweep()
        with atomic_file(self.path(wanted), overwrite=True, below=self._root) as stream:
            claim_part(stream)
            yield stream, self._part(wanted, stream)

    def _part(self, wanted: Wanted, stream: BinaryIO) -> Path:
        number = os.fstat(stream.fileno()).st_ino
        for path in self.directory.glob(f".{wanted.digest}*.part"):
            with contextlib.suppress(OSError):
                if path.lstat().st_ino == number:
                    return path
        raise FileError("The archive cannot be checked: somebody took its file away.", "Ask again.")

    def keep(self, account: Account) -> Kept:
        """Writes the account: from now on the archive is there. Both names are durable when it returns."""
        wanted = account.wanted
        self._make_directory()
        with atomic_file(self.directory / f"{wanted.digest}.json", overwrite=True, below=self._root) as stream:
            claim_part(stream)
            stream.write(json.dumps({"version": VERSION, **asdict(account)}, indent=1).encode())
        descriptor = open_directory(self._root, (self.directory.name,))
        try:
            sync_directories([()], lambda _: descriptor)
        finally:
            os.close(descriptor)
        self._evict(wanted.digest)
        return Kept(self.path(wanted), account)

    def use(self, kept: Kept) -> None:
        """Notes that the archive was asked for just now: those that nobody asks for go first."""
        with contextlib.suppress(OSError):
            os.utime(kept.path, follow_symlinks=False)

    def forget(self, wanted: Wanted) -> None:
        """Deletes it, the account first. Raises `FileError`."""
        try:
            (self.directory / f"{wanted.digest}.json").unlink(missing_ok=True)
            self.path(wanted).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"The archive cannot be deleted: {disk_words(error)}.") from error

    def all(self) -> list[Kept]:
        """What is kept, the newest first."""
        found = []
        for name in self._names():
            match = _ACCOUNT.fullmatch(name)
            kept = self.named(match[1]) if match else None
            if kept is not None:
                found.append(kept)
        return sorted(found, key=lambda kept: (-kept.account.kept_ms, kept.account.wanted.digest))

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.directory.iterdir())
        except OSError:
            return []

    def summary(self) -> tuple[int, int]:
        """How many archives are kept, and the bytes of all files of the store."""
        size = 0
        for name in self._names():
            if any(kind.fullmatch(name) for kind in (_ACCOUNT, _ARCHIVE, _PART)):
                with contextlib.suppress(OSError):
                    size += (self.directory / name).lstat().st_size
        return len(self.all()), size

    def clear(self) -> int:
        """Deletes every archive that no process is about to write, and gives how many those were.

        Deletes nothing that is not named as the store names its files. Raises `FileError`.
        """
        count = 0
        try:
            for kept in self.all():
                with lock_if_free(self._lock_path(kept.account.wanted.digest), below=self._root) as free:
                    if free:
                        self.forget(kept.account.wanted)
                        count += 1
            for name in self._names():
                if (match := _ACCOUNT.fullmatch(name)) and self.named(match[1]) is None:
                    (self.directory / name).unlink(missing_ok=True)  # of another version, or of an archive that is gone
            self._sweep()
            self._sweep_locks()
        except OSError as error:
            raise FileError(f"The archives cannot be deleted: {disk_words(error)}.") from error
        return count

    def _evict(self, digest: str) -> None:
        """Deletes what was not used for the longest time until the rest fits; never `digest`, which just came, nor
        what somebody writes or copies just now."""
        if self._limit is None:
            return
        kept = self.all()
        total = sum(one.account.size for one in kept)
        for one in sorted(kept, key=_used):
            if total <= self._limit:
                return
            other = one.account.wanted.digest
            if other == digest:
                continue
            with lock_if_free(self._lock_path(other), below=self._root) as free:
                if free:
                    self.forget(one.account.wanted)
                    total -= one.account.size

    def copy(
        self, kept: Kept, target: Path, cancel: CancelToken, *, overwrite: bool = False, below: Path | None = None
    ) -> bool:
        """Copies the archive to `target`; False if the very same file was there already. Below the directory `below`,
        which is made if it is missing, no link is followed.

        Raises `FileError`, and `Rotten` where the kept bytes are no longer those that were verified: then it has
        been forgotten, and `target` is as it was.
        """
        directory = target.parent if below is None else below
        _sweep_parts(target)
        try:
            if _digest(target, cancel) == kept.account.sha256:
                return False
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{directory} cannot be made: {disk_words(error)}.", "Choose another place.") from error
        self.use(kept)
        with atomic_file(target, overwrite=overwrite, below=directory) as stream, self._opened(kept) as source:
            claim_part(stream)
            digest = hashlib.sha256()
            while piece := source.read(_PIECE):
                cancel.check()
                digest.update(piece)
                stream.write(piece)
            if digest.hexdigest() != kept.account.sha256:
                self.forget(kept.account.wanted)
                raise Rotten(f"The kept archive of {kept.account.wanted.words} has changed on the disk.", "Ask again.")
        return True

    def _opened(self, kept: Kept) -> BinaryIO:
        try:
            return os.fdopen(os.open(kept.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
        except OSError as error:
            raise FileError(
                f"The kept archive of {kept.account.wanted.words} cannot be read: {disk_words(error)}.", "Ask again."
            ) from error

    def _sweep(self) -> None:
        """Deletes what killed fetches left: parts that nobody writes, and archives that never got an account."""
        for name in self._names():
            path = self.directory / name
            with contextlib.suppress(OSError):
                if match := _PART.fullmatch(name):  # whoever writes it holds the archive's lock, too
                    with lock_if_free(self._lock_path(match[1]), below=self._root) as free:
                        if free and is_abandoned(path):
                            path.unlink()
                elif name.startswith(".") and name.endswith(".part"):
                    if time.time() - path.lstat().st_mtime > _ABANDONED:
                        path.unlink()
                elif (match := _ARCHIVE.fullmatch(name)) and not (self.directory / f"{match[1]}.json").exists():
                    with lock_if_free(self._lock_path(match[1]), below=self._root) as free:
                        if free and not (self.directory / f"{match[1]}.json").exists():
                            path.unlink()

    def _sweep_locks(self) -> None:
        """Deletes the lock files of killed processes, which hold nothing any more."""
        for name in [path.name for path in (self.directory / "locks").glob("*") if _LOCK.fullmatch(path.name)]:
            with lock_if_free(self._lock_path(name), below=self._root):
                pass  # letting go of a lock removes its file

    def _make_directory(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(open_directory(self._root, (self.directory.name,), create=True))
        except OSError as error:
            raise FileError(
                f"{self.directory} cannot be made: {disk_words(error)}.", "Set CIEXPLORE_CACHE_DIR to another place."
            ) from error


class Rotten(FileError):
    """The kept bytes have changed since they were verified."""


def now_ms() -> int:
    return int(time.time() * 1000)


def _used(kept: Kept) -> tuple[float, str]:
    try:
        return kept.path.lstat().st_mtime, kept.account.wanted.digest
    except OSError:
        return 0.0, kept.account.wanted.digest


def _sweep_parts(target: Path) -> None:
    """Deletes what killed copies to that very target left beside it."""
    name = re.compile(re.escape(f".{target.name[:200]}.") + r"[0-9a-f]{8}\.part")
    with contextlib.suppress(OSError):
        for path in target.parent.iterdir():
            if name.fullmatch(path.name) and is_abandoned(path):
                path.unlink(missing_ok=True)


def _digest(path: Path, cancel: CancelToken) -> str:
    """Of a plain file; "" for everything else, and where there is none."""
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


def _read(path: Path) -> Account | None:
    """None for what is no account of this version."""
    try:
        value = json.loads(path.read_bytes())
        if value.pop("version") != VERSION:
            return None
        for one in fields(Account):
            if not isinstance(value[one.name], _TYPES[str(one.type)]):  # type: ignore[arg-type]
                return None
        return Account(**value)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
