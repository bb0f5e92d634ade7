"""Where archives are kept on this machine: each one file under the hash of what it is, beside an account of it.

An archive is there when its account is, and the account is written last; whatever a killed process left has no
account and is taken away by the next one that wants the same archive. Names of repositories never become paths.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import BinaryIO

from backends.archiver.locks import locked
from backends.archiver.wanted import Wanted
from backends.atomic import atomic_file, disk_words
from backends.cancel import Cancel
from backends.problems import FileProblem
from backends.transfers import durability

_ACCOUNT = re.compile(r"([0-9a-f]{64})\.json", re.ASCII)
_PIECE = 1 << 20
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
    """The archives below `directory`. Safe from any thread and for several processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, wanted: Wanted) -> Path:
        return self.directory / f"{wanted.digest}.{wanted.suffix}"

    def find(self, wanted: Wanted) -> Kept | None:
        """The archive if it is whole by its size; see `copy` for its content."""
        return self.named(wanted.digest)

    def named(self, digest: str) -> Kept | None:
        """The same by `Wanted.digest`."""
        account = _read(self.directory / f"{digest}.json")
        if account is None or account.wanted.digest != digest:
            return None
        path = self.path(account.wanted)
        try:
            whole = path.is_file() and path.stat().st_size == account.size
        except OSError:
            whole = False
        return Kept(path, account) if whole else None

    @contextlib.contextmanager
    def lock(self, wanted: Wanted, cancel: Cancel, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Nobody else fetches this archive meanwhile; what a killed fetch left of it is gone."""
        with locked(self.directory / "locks" / wanted.digest, cancel, waiting):
            for left in self.directory.glob(f".{wanted.digest}*.part"):
                left.unlink(missing_ok=True)
            yield

    @contextlib.contextmanager
    def writing(self, wanted: Wanted) -> Iterator[BinaryIO]:
        """A file that gets its place when the block ends without an exception; its account is `keep`'s to write."""
        self._made()
        self._sweep()
        with atomic_file(self.path(wanted), overwrite=True) as stream:
            yield stream

    def keep(self, account: Account) -> Kept:
        """Writes the account: from now on the archive is there. Both names are durable when it returns."""
        wanted = account.wanted
        with atomic_file(self.directory / f"{wanted.digest}.json", overwrite=True) as stream:
            stream.write(json.dumps({"version": VERSION, **asdict(account)}, indent=1).encode())
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            durability.sync_directories([()], lambda _: descriptor)
        finally:
            os.close(descriptor)
        return Kept(self.path(wanted), account)

    def forget(self, wanted: Wanted) -> None:
        """Deletes it, the account first. Raises `FileProblem`."""
        try:
            (self.directory / f"{wanted.digest}.json").unlink(missing_ok=True)
            self.path(wanted).unlink(missing_ok=True)
        except OSError as error:
            raise FileProblem(f"The archive cannot be deleted: {disk_words(error)}.") from error

    def all(self) -> list[Kept]:
        """What is kept, the newest first."""
        found = []
        with contextlib.suppress(OSError):
            for path in self.directory.iterdir():
                match = _ACCOUNT.fullmatch(path.name)
                kept = self.named(match[1]) if match else None
                if kept is not None:
                    found.append(kept)
        return sorted(found, key=lambda kept: -kept.account.kept_ms)

    def copy(self, kept: Kept, target: Path, cancel: Cancel, *, overwrite: bool = False) -> bool:
        """Copies the archive to `target`; False if the very same file was there already.

        Raises `FileProblem`, and `Rotten` where the kept bytes are no longer those that were verified: then it has
        been forgotten, and `target` is as it was.
        """
        if target.is_file() and not target.is_symlink() and _digest(target, cancel) == kept.account.sha256:
            return False
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileProblem(
                f"{target.parent} cannot be made: {disk_words(error)}.", "Choose another place."
            ) from error
        with atomic_file(target, overwrite=overwrite) as stream, kept.path.open("rb") as source:
            digest = hashlib.sha256()
            while piece := source.read(_PIECE):
                cancel.check()
                digest.update(piece)
                stream.write(piece)
            if digest.hexdigest() != kept.account.sha256:
                self.forget(kept.account.wanted)
                raise Rotten(f"The kept archive of {kept.account.wanted.words} has changed on the disk.", "Ask again.")
        return True

    def _sweep(self) -> None:
        """What a killed fetch left of an archive that nobody asked for again."""
        for left in self.directory.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _ABANDONED:
                    left.unlink()

    def _made(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise FileProblem(
                f"{self.directory} cannot be made: {disk_words(error)}.", "Set CIEXPLORE_CACHE_DIR to another place."
            ) from error


class Rotten(FileProblem):
    """The kept bytes have changed since they were verified."""


def now_ms() -> int:
    return int(time.time() * 1000)


def _digest(path: Path, cancel: Cancel) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
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
