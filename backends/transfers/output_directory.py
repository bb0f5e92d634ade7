"""The output directory: access through opened directories only, parts, durability, boot ids.

OUTPUT itself may be a symbolic link: that is the user's choice. Below it every directory is opened relative to its
parent (`backends.atomic.DirectoryTree`), so that no link is followed and what was checked is what is used.

Parts are in OUTPUT/.ciexplore/parts, on the same file system as the targets: no part can collide with a name that a
server chose, nobody mistakes a part for the file, and a killed run leaves its remains in one place.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from backends.atomic import BlockedPathError, DirectoryTree, SymlinkError, disk_words, is_symlink
from backends.transfers.names import OWN_DIRECTORY

PARTS = (OWN_DIRECTORY, "parts")
FEW_SYNCS = 4  # more files than this are synced by one syncfs
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
SYNCED = "synced"  # instead of a boot id: the bytes are on the disk
FileStamp = tuple[int, int]  # size in bytes, mtime in nanoseconds


def part_name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".part"


class OutputDirectory(DirectoryTree):
    """An output directory opened for writing. Not thread-safe, except `parts` (a descriptor)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.parts = os.dup(self.directory(PARTS))
        except BaseException:
            super().close()
            raise

    def __enter__(self) -> OutputDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        super().close()
        os.close(self.parts)

    def rename_part(self, part: str, target: tuple[str, ...], expected: FileStamp | None) -> None:
        """Renames a part into place. Raises `BlockedPathError` if anything but `expected` is there."""
        above = self.directory(target[:-1])
        found = read_stamp(target[-1], above)
        if found is not None and found != expected:
            if is_symlink(target[-1], above):
                raise SymlinkError(self.path.joinpath(*target))
            raise BlockedPathError(
                f"{self.path.joinpath(*target)} already exists and was not created by ciexplore.",
                "Move it away, or replace it: --overwrite, or the tick box of the download dialog.",
            )
        os.rename(part, target[-1], src_dir_fd=self.parts, dst_dir_fd=above)

    def remove_part(self, part: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=self.parts)

    def sha256(self, target: tuple[str, ...]) -> str:
        """The SHA-256 of a file below OUTPUT; "" if it is not a readable regular file."""
        try:
            descriptor = os.open(
                target[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory(target[:-1])
            )
        except OSError:
            return ""
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_stamp(name: str, directory: int | None = None) -> FileStamp | None:
    """(size, mtime) of a regular file, (-1, -1) for anything else, None if nothing has this name."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else (-1, -1)


@functools.cache
def current_boot_id() -> str:
    """The id of the running boot; "" if unknown, then unsynced parts are not resumed."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def survives_reboot(part_boot: str) -> bool:
    """Whether the bytes of a part are still there: synced, or written since the last boot."""
    return part_boot != "" and part_boot in (SYNCED, current_boot_id())


def sync_files(names: list[str], directory: int) -> None:
    """Makes the contents of these files durable. Raises OSError."""
    syncfs = _syncfs()
    if len(names) > FEW_SYNCS and syncfs is not None:
        syncfs(directory)
        return
    for name in names:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:
            continue
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)


def sync_directories(directories: Iterable[tuple[str, ...]], open_directory: Callable[[tuple[str, ...]], int]) -> None:
    """Makes the entries of these directories durable: renames into them, new directories in them."""
    distinct = set(directories)
    syncfs = _syncfs()
    if len(distinct) > FEW_SYNCS and syncfs is not None:
        syncfs(open_directory(()))
        return
    for directory in distinct:
        _sync(open_directory(directory))


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":  # fsync does not flush the drive's cache there
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


@functools.cache
def _syncfs() -> Callable[[int], None] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None

    def syncfs(descriptor: int) -> None:
        if function(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return syncfs


def describe_full_disk(error: OSError, output: Path) -> tuple[str, str]:
    """The reason (one word) and a sentence for one of `DISK_FULL_ERRNOS`: no bytes, inodes or quota left."""
    if error.errno == errno.EDQUOT:
        return "disk-quota", f"The disk quota for {output} is used up."
    words = disk_words(error, output)
    if "inodes" in words:
        return "no-inodes", f"The disk of {output} has no room for more files: {words}."
    return "disk-full", f"The disk of {output} is full."
