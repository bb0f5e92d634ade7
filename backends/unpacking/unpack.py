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

from backends.cancel import Cancel
from backends.problems import FileProblem
from backends.transfers import durability
from backends.unpacking.limits import AlreadyThere, Budget, Limits
from backends.unpacking.members import DIRECTORY, FILE, Member, members
from backends.unpacking.places import Place, Places

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Unpacked:
    """`files`: (name relative to the target, bytes). `skipped`: (name as the archive spells it, why)."""

    files: list[tuple[str, int]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def unpack(archive: Path, target: Path, *, limits: Limits | None = None, cancel: Cancel | None = None) -> Unpacked:
    """Unpacks `archive` as the new directory `target`; a top folder of the archive stays one inside it.

    Raises `NotAnArchive`, `DamagedArchive`, `TooMuch`, `AlreadyThere` or another `FileProblem`, and `Cancelled`; then
    nothing is left. What a killed run left beside the target is taken away first.
    """
    hidden = target.with_name(f".{target.name[:100]}.unpacking-{secrets.token_hex(4)}")
    try:
        if os.path.lexists(target):
            raise AlreadyThere(f"{target} is there already.", "Move it away, then unpack again.")
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in leftovers(target):
            shutil.rmtree(left, ignore_errors=True)
        hidden.mkdir()
        try:
            unpacked = _fill(archive, hidden, limits or Limits(), cancel or Cancel())
            _name(hidden, target)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise AlreadyThere(f"{target} appeared meanwhile.", "Move it away, then unpack again.") from error
        why = (error.strerror or str(error)).lower()
        raise FileProblem(f"{archive.name} cannot be unpacked into {target.parent}: {why}.", "Make room?") from error
    return unpacked


def leftovers(target: Path) -> Iterator[Path]:
    """Hidden directories of runs that were killed while they unpacked as `target`."""
    prefix = f".{target.name[:100]}.unpacking-"
    for path in target.parent.iterdir():
        tail = path.name.removeprefix(prefix)
        if len(tail) == 8 and path.name == prefix + tail and path.is_dir() and not path.is_symlink():
            yield path


def _fill(archive: Path, root: Path, limits: Limits, cancel: Cancel) -> Unpacked:
    unpacked, places = Unpacked(), Places()
    made: set[Place] = {()}
    with members(archive, limits, cancel) as (found, budget):
        for member in found:
            if member.kind not in (FILE, DIRECTORY):
                unpacked.skipped.append((member.name, f"{member.kind}: not made"))
                continue
            place = places.of(member.name, directory=member.kind == DIRECTORY)
            if isinstance(place, str):
                unpacked.skipped.append((member.name, place))
                continue
            above = place if member.kind == DIRECTORY else place[:-1]
            if above not in made:
                root.joinpath(*above).mkdir(parents=True, exist_ok=True)
                made.update(above[:length] for length in range(len(above) + 1))
            if member.kind == FILE:
                unpacked.files.append(("/".join(place), _write(root.joinpath(*place), member, budget)))
    _sync(root, [name for name, _ in unpacked.files], [os.path.join(".", *above) for above in made])  # noqa: PTH118
    return unpacked


def _write(path: Path, member: Member, budget: Budget) -> int:
    descriptor = os.open(path, _NEW_FILE, 0o777 if member.executable else 0o666)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        written = 0
        for piece in member.contents():
            written += len(piece)
            budget.wrote(len(piece), written)
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
    return written


def _sync(root: Path, files: list[str], directories: list[str]) -> None:
    with _opened(root) as descriptor:
        durability.sync_files([*files, *directories], descriptor)


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
