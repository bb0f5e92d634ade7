"""How files below OUTPUT are reached: through opened directories, never through a symbolic link planted in it.

OUTPUT itself may be a link: that is the user's choice. Below it every directory is opened relative to its parent with
O_NOFOLLOW, so that what was checked is what is used.

Parts live in OUTPUT/.ciexplore/parts, on the same file system as the targets: no part can clash with a name that a
server chose, nobody takes a part for the file, and a killed run leaves its remains in one place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections import OrderedDict
from pathlib import Path

from backends.problems import FileProblem
from backends.transfers.names import OWN_DIRECTORY

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_OPEN = 64
PATIENCE = 10.0  # seconds
LINKED = "symlink"
Present = tuple[int, int]  # size in bytes, mtime in nanoseconds


class InTheWay(FileProblem):
    """Something of the user's stands where a file or directory of ours should go; `reason` is the manifest's word."""

    def __init__(self, sentence: str, hint: str, reason: str) -> None:
        super().__init__(sentence, hint)
        self.reason = reason


def part_name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".part"


class Output:
    """An output directory opened for writing. Not thread-safe but for `parts`, which is only a descriptor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        own = os.open(OWN_DIRECTORY, _OPEN_DIRECTORY, dir_fd=self._root)
        self.parts = os.open("parts", _OPEN_DIRECTORY, dir_fd=own)
        os.close(own)
        self._open: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._created: list[tuple[str, ...]] = []

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for descriptor in (*self._open.values(), self.parts, self._root):
            os.close(descriptor)
        self._open.clear()

    def claim(self, patience: float = PATIENCE) -> None:
        """Waits until no process of a run that was killed writes parts any more; they end as soon as they notice.

        The lock belongs to this very opening of the directory, which worker processes inherit: it lasts until the
        last of them is gone. Raises `FileProblem`.
        """
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self.parts, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise FileProblem(
                        f"A process of an earlier download still writes into {self.path}.",
                        "Try again when it has ended.",
                    ) from None
                time.sleep(0.01)
            except OSError:
                return  # NFS does not lock directories

    def directory(self, above: tuple[str, ...]) -> int:
        """A descriptor of that directory, made if missing. It stays open until some 64 others were asked for."""
        if not above:
            return self._root
        if (known := self._open.get(above)) is not None:
            self._open.move_to_end(above)
            return known
        parent = self.directory(above[:-1])
        try:
            opened = os.open(above[-1], _OPEN_DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            os.mkdir(above[-1], dir_fd=parent)
            self._created.append(above[:-1])
            opened = os.open(above[-1], _OPEN_DIRECTORY, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _not_a_directory(self.path.joinpath(*above)) from error
            raise
        self._open[above] = opened
        if len(self._open) > _KEPT_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return opened

    def put(self, part: str, target: tuple[str, ...], expected: Present | None) -> None:
        """Gives a part its final name. Raises `InTheWay` if something else than `expected` is there."""
        above = self.directory(target[:-1])
        found = present(target[-1], above)
        if found is not None and found != expected:
            raise InTheWay(
                f"{self.path.joinpath(*target)} is there already and was not written by a download.",
                "Move it away, or allow overwriting.",
                "exists",
            )
        os.rename(part, target[-1], src_dir_fd=self.parts, dst_dir_fd=above)

    def drop(self, part: str) -> None:
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

    def created(self) -> list[tuple[str, ...]]:
        """Directories that got a new directory since the last call: their entries are not durable yet."""
        created, self._created = self._created, []
        return created


def present(name: str, directory: int | None = None) -> Present | None:
    """(size, mtime) of a plain file, (-1, -1) for anything else by that name, None if there is nothing."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else (-1, -1)


def _not_a_directory(path: Path) -> InTheWay:
    if path.is_symlink():
        return InTheWay(
            f"{path} is a symbolic link; downloads do not follow links inside their directory.",
            "Remove the link, or choose another output directory.",
            LINKED,
        )
    return InTheWay(f"{path} is a file, and a directory must go there.", "Move it away.", "exists")
