"""How one thing is done once at a time, by all threads and processes of this machine: a lock on a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from backends.atomic import disk_words
from backends.cancel import Cancel
from backends.problems import FileProblem

POLL = 0.1  # seconds; flock itself cannot be waited for and cancelled


@contextlib.contextmanager
def locked(path: Path, cancel: Cancel, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds the lock that `path` stands for; the system takes it back from a process that dies.

    `waiting` is called once if somebody else holds it. Raises `Cancelled` while it waits, `FileProblem`.
    """
    descriptor, told = _taken(path), False
    while descriptor is None:
        if not told:
            waiting()
            told = True
        cancel.sleep(POLL)
        descriptor = _taken(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _taken(path: Path) -> int | None:
    """A descriptor that holds the lock, None if another one does."""
    descriptor = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before us removed the file when it was done; then this lock is on a name that nobody sees.
        if os.fstat(descriptor).st_ino == path.lstat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise FileProblem(f"{path} cannot be locked: {disk_words(error)}.", "Check the cache directory.") from error
    if descriptor >= 0:
        os.close(descriptor)
    return None
