"""How one data directory is filled: with hard links to the downloads (or copies), or with what archives hold."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backends.cancel import Cancel
from backends.problems import FileProblem
from backends.transfers.outputs import InTheWay, Output, present
from backends.unpacking import is_archive, unpack

PIECE = 1 << 20
# What file systems say that have no hard links, or no more of them; EXDEV comes from overlays.
_NO_LINKS = (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES)


@dataclass(frozen=True)
class Folder:
    """`<suite>/<pattern>_data/<n>` of a run, and whose it is."""

    run: tuple[str, str]
    suite: str
    data: str
    number: int
    task_id: str

    @property
    def text(self) -> str:
        """Relative to the run."""
        return f"{self.suite}/{self.data}/{self.number}"

    @property
    def above(self) -> tuple[str, ...]:
        return (*self.run, self.suite, self.data)


@dataclass(frozen=True)
class Source:
    """A downloaded file. `new`: this round fetched it. `here`: it is there and verified. `stale`: downloads of the same
    artifact from runs of the task that are no longer its newest.
    """

    target: tuple[str, ...]
    unpacked: bool
    new: bool
    here: bool
    stale: tuple[tuple[str, ...], ...] = ()

    @property
    def is_unpacked(self) -> bool:
        return self.unpacked and is_archive(self.target[-1]) is not None


@dataclass
class Filled:
    """`names`: files of the directory, relative to it; `removed`: those of older runs that went. `skipped`: (member,
    why) of what archives held.
    """

    names: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unpacked: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def fill(output: Output, folder: Folder, sources: Sequence[Source], cancel: Cancel) -> Filled:
    """Raises `FileProblem`s, of a damaged archive for instance; then an unpacked directory is as it was."""
    try:
        if any(source.is_unpacked for source in sources):
            return _unpack(output, folder, sources, cancel)
        filled = Filled()
        for source in sources:
            if source.here:
                _link(output, source, (*folder.above, str(folder.number)))
                filled.names.append(source.target[-1])
                filled.removed += _without_stale(output, source, (*folder.above, str(folder.number)))
        return filled
    except OSError as error:
        raise FileProblem(f"{folder.text} cannot be written: {error.strerror or error}.", "Make room?") from error


def _unpack(output: Output, folder: Folder, sources: Sequence[Source], cancel: Cancel) -> Filled:
    """One archive becomes the directory; of several each becomes a directory in it. Nothing is done twice: a directory
    that is there is whole, and is only replaced when this round fetched something of it.
    """
    if missing := [source.target[-1] for source in sources if not source.here]:
        raise FileProblem(f"{missing[0]}, which belongs to it, is missing, so nothing was unpacked.")
    output.directory(folder.above)  # refuses links in between
    above = output.path.joinpath(*folder.above)
    target, filled = above / str(folder.number), Filled()
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InTheWay(f"{target} is there already and is no directory.", "Move it away.", "exists")
    if target.is_dir() and not any(source.new for source in sources):
        filled.names = _below(target)
        return filled
    staging, old = (above / f".{folder.number}.{word}" for word in ("new", "old"))
    for left in (staging, old):
        _remove(left)
    archives = [source for source in sources if source.is_unpacked]
    try:
        for source in archives:
            inner = staging if len(archives) == 1 else staging / source.target[-1]
            done = unpack(output.path.joinpath(*source.target), inner, cancel=cancel)
            filled.skipped += done.skipped
            filled.unpacked += 1
        for source in sources:
            if not source.is_unpacked:
                _link(output, source, (*folder.above, staging.name))
        if target.is_dir():
            target.rename(old)
        staging.rename(target)
    finally:
        _remove(staging)
        _remove(old)
    filled.names = _below(target)
    return filled


def _link(output: Output, source: Source, above: tuple[str, ...]) -> None:
    """Gives the download a second name in `above`. What is there under that name stays if it has the same content,
    and else only gives way to what this round fetched.
    """
    directory, name = output.directory(above), source.target[-1]
    origin = output.directory(source.target[:-1])
    there = present(name, directory)
    if there is not None:
        if os.path.samestat(
            os.stat(name, dir_fd=directory, follow_symlinks=False), os.stat(name, dir_fd=origin, follow_symlinks=False)
        ):
            return
        if there[0] >= 0 and output.sha256((*above, name)) == output.sha256(source.target):
            return
        if not source.new or there[0] < 0:
            raise InTheWay(
                f"{output.path.joinpath(*above, name)} is not what was downloaded.", "Move it away.", "exists"
            )
    beside = f".{secrets.token_hex(8)}.new"
    try:
        try:
            os.link(name, beside, src_dir_fd=origin, dst_dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(name, origin, beside, directory)
        os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=directory)


def _without_stale(output: Output, source: Source, above: tuple[str, ...]) -> list[str]:
    """Takes away what an older run of the task gave, or its readers would count the task twice; the download stays."""
    removed = []
    for target in source.stale:
        name = target[-1]
        if name != source.target[-1] and (there := output.sha256((*above, name))) and there == output.sha256(target):
            os.unlink(name, dir_fd=output.directory(above))
            removed.append(name)
    return removed


def _copy(name: str, origin: int, beside: str, directory: int) -> None:
    read = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=origin)
    with os.fdopen(read, "rb") as source:
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=directory)
        with os.fdopen(made, "wb") as copy:
            shutil.copyfileobj(source, copy, PIECE)
            copy.flush()
            os.fsync(copy.fileno())


def write(output: Output, target: tuple[str, ...], content: bytes) -> None:
    """A small file of ours, replaced as a whole. Raises `FileProblem`."""
    part = f"{secrets.token_hex(8)}.json"
    try:
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=output.parts)
        try:
            with os.fdopen(made, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            directory = output.directory(target[:-1])
            os.rename(part, target[-1], src_dir_fd=output.parts, dst_dir_fd=directory)
            os.fsync(directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part, dir_fd=output.parts)
            raise
    except OSError as error:
        raise FileProblem(
            f"{output.path.joinpath(*target)} cannot be written: {error.strerror or error}.", "Make room?"
        ) from error


def _below(directory: Path) -> list[str]:
    """The plain files of a tree, relative to it, sorted."""
    return sorted(
        str(Path(above, name).relative_to(directory))
        for above, _, names in os.walk(directory)
        for name in names
        if not Path(above, name).is_symlink()
    )


def _remove(directory: Path) -> None:
    if directory.is_symlink():
        directory.unlink()
    elif directory.is_dir():
        shutil.rmtree(directory, ignore_errors=True)
