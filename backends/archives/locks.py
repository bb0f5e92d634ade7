"""How one thing is done once at a time, by all threads and processes of this machine: a lock on a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from backends.atomic import SymlinkError, disk_words, open_directory
from backends.cancel import CancelToken
from backends.errors import FileError

POLL = 0.1  # seconds; flock itself cannot be waited for and cancelled


@contextlib.contextmanager
def locked(
    path: Path, cancel: CancelToken, waiting: Callable[[], None] = lambda: None, *, below: Path | None = None
) -> Iterator[None]:
    """Holds the lock that `path` stands for; the system takes it back from a process that dies.

    `waiting` is called once if somebody else holds it. Below `below` no link is followed. Raises
    `OperationCancelledError` while it
    waits, `FileError`.
    """
    descriptor, told = _taken(path, below), False
    while descriptor is None:
        if not told:
            waiting()
            told = True
        cancel.sleep(POLL)
        descriptor = _taken(path, below)
    try:
        yield
    finally:
        _release(path, descriptor)


@contextlib.contextmanager
def lock_if_free(path: Path, *, below: Path | None = None) -> Iterator[bool]:
    """Holds the lock if nobody does, without waiting; gives whether it is held. Raises `FileError`."""
    descriptor = _taken(path, below)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            _release(path, descriptor)


def claim_part(stream: BinaryIO) -> None:
    """Marks a part file as one that a living process writes; the mark ends with the process."""
    with contextlib.suppress(OSError):  # some network file systems have no locks
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_abandoned(part: Path) -> bool:
    """Whether no living process has claimed that part file."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _release(path: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
    os.close(descriptor)


def _taken(path: Path, below: Path | None) -> int | None:
    """A descriptor that holds the lock, None if another one does."""
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
        # The holder before us removed the file when it was done; then this lock is on a name that nobody sees.
        if os.fstat(descriptor).st_ino == os.stat(path.name, dir_fd=directory, follow_symlinks=False).st_ino:
            held, descriptor = descriptor, -1
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    except SymlinkError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be locked: {disk_words(error)}.", "Check the cache directory.") from error
    finally:
        for one in (descriptor, directory):
            if one >= 0:
                os.close(one)
    return None
