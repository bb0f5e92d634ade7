"""An archive becomes a directory: whole, or not at all.

Everything is written into a new hidden directory beside the target, made durable as downloads are, and renamed at
the end. In it are only directories and plain files that were made here, never a link, so that no path can lead out.
Owners, times and rights are not taken over, but for "executable".
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backends.atomic import DirectoryTree, disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.limits import Budget, Limits, TargetExistsError
from backends.extraction.members import DIRECTORY, FILE, Member, members
from backends.extraction.places import Place, Places
from backends.transfers import durability

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Unpacked:
    """`files`: (name relative to the target, bytes). `skipped`: (name as the archive spells it, why)."""

    files: list[tuple[str, int]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def unpack(archive: Path, target: Path, *, limits: Limits | None = None, cancel: CancelToken | None = None) -> Unpacked:
    """Unpacks `archive` as the new directory `target`; a top folder of the archive stays one inside it.

    Raises `NotAnArchiveError`, `DamagedArchiveError`, `ExtractionLimitError`, `TargetExistsError` or another
    `FileError`, and `OperationCancelledError`; then
    nothing is left. What a killed run left beside the target is taken away first.
    """
    hidden = target.with_name(f".{target.name[:100]}.unpacking-{secrets.token_hex(4)}")
    try:
        if os.path.lexists(target):
            raise TargetExistsError(f"{target} is there already.", "Move it away, then unpack again.")
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in leftovers(target):
            shutil.rmtree(left, ignore_errors=True)
        hidden.mkdir()
        tree = DirectoryTree(hidden)
        try:
            unpacked = unpack_into(archive, tree, limits=limits, cancel=cancel)
            _name(hidden, target)
        finally:
            tree.close()
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise TargetExistsError(f"{target} appeared meanwhile.", "Move it away, then unpack again.") from error
        raise not_unpacked(archive, target.parent, error) from error
    return unpacked


def not_unpacked(archive: Path, into: Path, error: OSError) -> FileError:
    words = f"{archive.name} cannot be unpacked into {into}: {disk_words(error, into)}."
    return FileError(words, "Free some space, or check the directory's permissions.")


def leftovers(target: Path) -> Iterator[Path]:
    """Hidden directories of runs that were killed while they unpacked as `target`."""
    prefix = f".{target.name[:100]}.unpacking-"
    for path in target.parent.iterdir():
        tail = path.name.removeprefix(prefix)
        if len(tail) == 8 and path.name == prefix + tail and path.is_dir() and not path.is_symlink():
            yield path


def unpack_into(
    archive: Path,
    tree: DirectoryTree,
    above: Place = (),
    *,
    limits: Limits | None = None,
    cancel: CancelToken | None = None,
) -> Unpacked:
    """Unpacks into the directory `above` of a tree that nobody knows yet, and makes it durable.

    What is there after a failure is for the caller to remove. Raises `FileError`s, `OperationCancelledError`, OSError.
    """
    unpacked, places = Unpacked(), Places()
    made: set[Place] = {()}
    tree.directory(above)
    with members(archive, limits or Limits(), cancel or CancelToken()) as (found, budget):
        for member in found:
            if member.kind not in (FILE, DIRECTORY):
                unpacked.skipped.append((member.name, f"{member.kind}: not made"))
                continue
            place = places.of(member.name, directory=member.kind == DIRECTORY)
            if isinstance(place, str):
                unpacked.skipped.append((member.name, place))
                continue
            into = place if member.kind == DIRECTORY else place[:-1]
            directory = tree.directory((*above, *into))
            made.update(into[:length] for length in range(len(into) + 1))
            if member.kind == FILE:
                unpacked.files.append(("/".join(place), _write(place[-1], directory, member, budget)))
    names = [*(name for name, _ in unpacked.files), *("/".join((".", *into)) for into in made)]
    durability.sync_files(names, tree.directory(above))
    return unpacked


def _write(name: str, directory: int, member: Member, budget: Budget) -> int:
    descriptor = os.open(name, _NEW_FILE, 0o777 if member.executable else 0o666, dir_fd=directory)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        written = 0
        for piece in member.contents():
            written += len(piece)
            budget.wrote(len(piece), written)
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
    return written


def _name(hidden: Path, target: Path) -> None:
    hidden.rename(target)
    with _opened(target.parent) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
