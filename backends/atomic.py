"""Writing a file so that it gets its name only when it is complete, and never through a link that somebody planted.

>>> with atomic_file(Path("out.csv")) as file:                       # a file that the user named
...     file.write(content)
>>> with atomic_file(output / "a" / "b.json", below=output) as file:  # a file below a directory that others can fill
...     file.write(content)

The bytes are written beside the target, flushed to the disk, and renamed. Below `below` every directory is opened
relative to its parent with O_NOFOLLOW, so that what was checked is what is used.

A writer that is killed leaves `.NAME.xxxxxxxx.part` beside its target. It held a lock on that file, which the kernel
has released: the next write into the same directory removes every such file whose lock is free, and no other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from backends.errors import FileError
from backends.paths import expand_home

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_HINTS = {
    errno.ENOSPC: "Free some space or choose another place.",
    errno.EDQUOT: "Free some space or choose another place.",
    errno.ENOENT: "Create the folder first or choose another place.",
    errno.ENOTDIR: "Choose a path whose parents are folders.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}
NAME_BYTES = 255  # of one file name, on nearly every file system
_KEPT_OPEN = 64  # directories of a `DirectoryTree`
_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part", re.DOTALL)
_DESCRIPTOR = re.compile(r"/dev/(stdout|stderr|fd/([0-9]+))|/proc/self/fd/([0-9]+)")


class BlockedPathError(FileError):
    """Something of the user's stands where a file or a directory of ours should go; `reason` is one word for it."""

    def __init__(self, sentence: str, hint: str, reason: str = "exists") -> None:
        super().__init__(sentence, hint)
        self.reason = reason


class SymlinkError(BlockedPathError):
    """A symbolic link stands where a file or a directory of ours should be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is a symbolic link; nothing is written through links.",
            "Remove the link, or choose another place.",
            "symlink",
        )


class OutputExistsError(FileError):
    """What should be written is there already, and nobody said that it may be replaced."""

    def __init__(self, path: Path) -> None:
        hint = "Add --overwrite to replace it (from Python: overwrite=True), or choose another name."
        super().__init__(f"{path} exists.", hint)


def disk_words(problem: OSError, place: Path | None = None) -> str:
    """What the system said, as part of a sentence: "no space left on device", "no inodes left on the device".

    `place`: a path on that device, for problems that name none, or one that is relative to an opened directory.
    """
    if problem.errno == errno.ENOSPC and _is_out_of_inodes(place or problem.filename):
        return "no inodes left on the device (there are too many files on it)"
    if problem.errno == errno.EEXIST:
        return "there is a file of this name"
    return (problem.strerror or type(problem).__name__).lower()


def _is_out_of_inodes(name: object) -> bool:
    """Whether ENOSPC for that path means its inodes and not its bytes: both have the same error number."""
    path = Path(os.fsdecode(name)) if isinstance(name, (str, bytes, Path)) else Path()
    for place in (path, *path.parents):
        try:
            system = os.statvfs(place)
        except OSError:
            continue
        return system.f_files > 0 and system.f_favail == 0 and system.f_bavail > 0
    return False


def open_directory(root: Path, parts: Sequence[str], *, create: bool = False) -> int:
    """A descriptor of root/parts..., opened step by step so that no link below `root` is followed; `root` may be one.

    Missing directories below `root` are made if `create`. Raises `SymlinkError`, `BlockedPathError` for a plain file in
    the way, OSError for what the disk refuses.
    """
    current = os.open(root, OPEN_DIRECTORY)
    try:
        for depth, name in enumerate(parts):
            if name in ("", ".", "..") or "/" in name:
                raise FileError(f"{root.joinpath(*parts)} is not below {root}.")
            opened, _ = _enter(current, name, root.joinpath(*parts[: depth + 1]), create=create)
            os.close(current)
            current = opened
    except BaseException:
        os.close(current)
        raise
    return current


def _enter(parent: int, name: str, path: Path, *, create: bool) -> tuple[int, bool]:
    """A descriptor of one directory in another, and whether it was made. `path` is for what is said of it."""
    created = False
    while True:
        try:
            return os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent), created
        except FileNotFoundError:
            if not create or created:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=parent)
            created = True
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            if is_symlink(name, parent):
                raise SymlinkError(path) from error
            raise BlockedPathError(f"{path} is a file, and a directory must be there.", "Move it away.") from error


def is_symlink(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False


def temporary_name(name: str, suffix: str) -> str:
    """A hidden name beside `name` that nobody has: `.NAME.xxxxxxxx.SUFFIX`, cut so that every disk takes it."""
    tail = f".{secrets.token_hex(4)}.{suffix}"
    raw = name.encode(errors="surrogateescape")[: NAME_BYTES - 1 - len(tail)]
    return f".{raw.decode(errors='ignore')}{tail}"


class DirectoryTree:
    """A directory in which others may write: what is below it is reached through descriptors, never through a link.

    The directory itself may be a link: that is the user's choice. Not thread-safe.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.path = path
        self._root = os.open(path, OPEN_DIRECTORY) if descriptor is None else descriptor
        self._open: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._created: list[tuple[str, ...]] = []

    def close(self) -> None:
        for descriptor in (*self._open.values(), self._root):
            os.close(descriptor)
        self._open.clear()

    def directory(self, parts: tuple[str, ...]) -> int:
        """A descriptor of that directory, made if missing. It stays open until some 64 others were asked for.

        Raises `SymlinkError`, `BlockedPathError`, OSError.
        """
        if not parts:
            return self._root
        if (known := self._open.get(parts)) is not None:
            self._open.move_to_end(parts)
            return known
        opened, created = _enter(self.directory(parts[:-1]), parts[-1], self.path.joinpath(*parts), create=True)
        if created:
            self._created.append(parts[:-1])
        self._open[parts] = opened
        if len(self._open) > _KEPT_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return opened

    def forget(self, parts: tuple[str, ...]) -> None:
        """Closes what is open of a directory that is renamed or removed, and of what is below it."""
        for known in [known for known in self._open if known[: len(parts)] == parts]:
            os.close(self._open.pop(known))

    def created(self) -> list[tuple[str, ...]]:
        """Directories that got a new directory since the last call: their entries are not durable yet."""
        created, self._created = self._created, []
        return created


def sweep_parts(directory: int) -> None:
    """Removes the files that killed writers left in a directory (a descriptor): those whose lock is free."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if _PART.fullmatch(name):
                with contextlib.suppress(OSError):
                    _remove_abandoned(name, directory)


def _remove_abandoned(name: str, directory: int) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while its writer lives
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(descriptor)


def _create_part(name: str, directory: int) -> tuple[str, int]:
    """A new hidden file beside `name`, locked: as long as it is open, nobody takes it for an abandoned one."""
    while True:
        part = temporary_name(name, "part")
        descriptor = os.open(part, NEW_FILE, 0o666, dir_fd=directory)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody can sweep there either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return part, descriptor
        os.close(descriptor)  # swept between the two calls


@contextlib.contextmanager
def atomic_file(target: Path, *, overwrite: bool = False, below: Path | None = None) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `target` when the block ends without an exception, else nothing.

    `below` is the directory that the user chose and in which others may write: missing directories between it and the
    target are made, no link below it is followed, none is replaced. Without it the target is what the user named: a
    link to a file is followed if `overwrite`, a link to nothing is refused, and a device, a named pipe or /dev/stdout
    is simply written to.

    Raises `FileError` if the target is there and not `overwrite` (also if it appeared meanwhile), or if the disk
    refuses; `SymlinkError`, which is one.
    """
    try:
        if below is None and (stream := _open_special(target)) is not None:
            with stream:
                yield stream
            return
        directory, name = _open_parent(target, below)
        try:
            _check(directory, name, target, overwrite)
            sweep_parts(directory)
            part, descriptor = _create_part(name, directory)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                    _rename(directory, part, name, target, overwrite)  # before it is closed, which ends the lock
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=directory)
            with contextlib.suppress(OSError):  # some network file systems do not sync directories
                os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as problem:
        raise _cannot_write(target, problem) from problem


def _open_special(target: Path) -> BinaryIO | None:
    """What is no file on a disk, opened as it is: a pipe, a device, a descriptor of this process. Else None."""
    if number := _DESCRIPTOR.fullmatch(str(target)):
        named = {"stdout": 1, "stderr": 2}.get(number[1])
        return os.fdopen(os.dup(named if named is not None else int(number[2] or number[3])), "wb")
    try:
        mode = expand_home(target).stat().st_mode
    except OSError:
        return None
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return expand_home(target).open("wb")
    return None


def _open_parent(target: Path, below: Path | None) -> tuple[int, str]:
    if below is not None:
        try:
            parts = target.relative_to(below).parts
        except ValueError:
            parts = ()
        if not parts:
            raise FileError(f"{target} is not below {below}.")
        return open_directory(below, parts[:-1], create=True), parts[-1]
    named = expand_home(target)
    if named.is_symlink() and not named.exists():
        raise SymlinkError(target)  # it may lead anywhere, and what it would make there was not asked for
    final = named.resolve()
    if not final.name:
        raise FileError(f"{target} is a folder.", "Add a file name.")
    return os.open(final.parent, OPEN_DIRECTORY), final.name


def _check(directory: int, name: str, target: Path, overwrite: bool) -> None:
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise SymlinkError(target)
    if stat.S_ISDIR(mode):
        raise FileError(f"{target} is a folder.", "Add a file name.")
    if not overwrite:
        raise OutputExistsError(target)


def _rename(directory: int, part: str, name: str, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
        return
    try:  # unlike a rename, a link never replaces what appeared meanwhile
        os.link(part, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        raise OutputExistsError(target) from None
    except OSError:  # no links on this file system (FAT, some network mounts)
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            raise OutputExistsError(target) from None
        os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)


def check_target(target: Path, *, overwrite: bool = False) -> None:
    """Raises the `FileError`s of `atomic_file` that can be known before there is anything to write."""
    if _DESCRIPTOR.fullmatch(str(target)):
        return
    named = expand_home(target)
    try:
        if not named.exists():
            os.close(os.open(named.parent, OPEN_DIRECTORY))
        elif named.is_dir():
            raise FileError(f"{target} is a folder.", "Add a file name.")
        elif named.is_file() and not overwrite:
            raise OutputExistsError(target)
    except OSError as problem:
        raise _cannot_write(target, problem) from problem


def _cannot_write(target: Path, problem: OSError) -> FileError:
    hint = _HINTS.get(problem.errno or 0, "Choose another place or change its permissions.")
    return FileError(f"{target} cannot be written: {disk_words(problem, target.absolute())}.", hint)
