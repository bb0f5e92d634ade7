"""How files below OUTPUT are reached: through opened directories, never through a symbolic link planted in it.

OUTPUT itself may be a link: that is the user's choice. Below it every directory is opened relative to its parent
(`backends.atomic.DirectoryTree`), so that what was checked is what is used.

Parts live in OUTPUT/.ciexplore/parts, on the same file system as the targets: no part can clash with a name that a
server chose, nobody takes a part for the file, and a killed run leaves its remains in one place.
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
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from backends.atomic import BlockedPathError, DirectoryTree, SymlinkError, disk_words, is_symlink
from backends.errors import FileError
from backends.transfers.names import OWN_DIRECTORY

PARTS = (OWN_DIRECTORY, "parts")
_LOCK_SECONDS = 10.0  # seconds
FileStamp = tuple[int, int]  # size in bytes, mtime in nanoseconds


def part_name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".part"


class OutputDirectory(DirectoryTree):
    """An output directory opened for writing. Not thread-safe but for `parts`, which is only a descriptor."""

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

    def lock(self, patience: float = _LOCK_SECONDS) -> None:
        """Waits until no process of a run that was killed writes parts any more; they end as soon as they notice.

        The lock belongs to this very opening of the directory, which worker processes inherit: it lasts until the
        last of them is gone. Raises `FileError`.
        """
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self.parts, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise FileError(
                        f"A process of an earlier download still writes into {self.path}.",
                        "Try again when it has ended.",
                    ) from None
                time.sleep(0.01)
            except OSError:
                return  # NFS does not lock directories

    def rename_part(self, part: str, target: tuple[str, ...], expected: FileStamp | None) -> None:
        """Gives a part its final name. Raises `BlockedPathError` if something else than `expected` is there."""
        above = self.directory(target[:-1])
        found = read_stamp(target[-1], above)
        if found is not None and found != expected:
            if is_symlink(target[-1], above):
                raise SymlinkError(self.path.joinpath(*target))
            raise BlockedPathError(
                f"{self.path.joinpath(*target)} is there already and was not written by a download.",
                "Move it away, or allow overwriting.",
            )
        os.rename(part, target[-1], src_dir_fd=self.parts, dst_dir_fd=above)

    def remove_part(self, part: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=self.parts)

    def sha256(self, target: tuple[str, ...]) -> str:
        """The SHA-256 of a file below OUTPUT; "" if it is not there as a plain file."""
        try:
            descriptor = os.open(
                target[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory(target[:-1])
            )
        except OSError:
            return ""
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_stamp(name: str, directory: int | None = None) -> FileStamp | None:
    """(size, mtime) of a plain file, (-1, -1) for anything else by that name, None if there is nothing."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else (-1, -1)


SYNCED = "synced"


@functools.cache
def current_boot_id() -> str:
    """A word for the running boot; empty where the system does not tell, and then unsynced parts are not resumed."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def survives_reboot(part_boot: str) -> bool:
    return part_boot != "" and part_boot in (SYNCED, current_boot_id())


FEW_SYNCS = 4


def sync_files(names: list[str], directory: int) -> None:
    """Makes the content of these files durable. Raises OSError if the disk says no."""
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


def sync_directories(directories: Iterable[tuple[str, ...]], opened: Callable[[tuple[str, ...]], int]) -> None:
    """Makes the entries of these directories durable: renames into them and new directories in them."""
    distinct = set(directories)
    syncfs = _syncfs()
    if len(distinct) > FEW_SYNCS and syncfs is not None:
        syncfs(opened(()))
        return
    for directory in distinct:
        _sync(opened(directory))


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":  # fsync only hands the bytes to the drive there
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


DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


def describe_full_disk(error: OSError, output: Path) -> tuple[str, str]:
    """The reason (one word) and a sentence for an error of `DISK_FULL_ERRNOS`: bytes, inodes or a quota are used up."""
    if error.errno == errno.EDQUOT:
        return "disk-quota", f"The disk quota for {output} is used up."
    words = disk_words(error, output)
    if "inodes" in words:
        return "no-inodes", f"The disk of {output} takes no more files: {words}."
    return "disk-full", f"The disk of {output} is full."
