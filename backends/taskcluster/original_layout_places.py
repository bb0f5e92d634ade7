"""How one data directory is filled: with hard links to the downloads (or copies), or with what archives hold.

From which content each was made is recorded before it gets its name (`backends.extraction.trees`), so that a run that
was killed in between is completed by the next, and what somebody changed is told from what a download replaces.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backends.atomic import NEW_FILE, BlockedPathError, DirectoryTree, SymlinkError, disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.extractor import extract_into
from backends.extraction.limits import ArchiveKind, is_archive
from backends.extraction.trees import ExtractedTrees, StagedTree
from backends.transfers.names import safe_name
from backends.transfers.output_directory import OutputDirectory, read_stamp

_BESIDE = re.compile(r"\.[0-9a-f]{16}\.new")
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
    """A downloaded file. `new`: this round fetched it. `here`: it is there, complete. `stale`:
    downloads of the same artifact from runs of the task that are no longer its newest. `top`: how the original's code
    renames the directory at the top of an unpacked tar, (from, to); empty names for none.
    """

    target: tuple[str, ...]
    unpacked: bool
    new: bool
    here: bool
    stale: tuple[tuple[str, ...], ...] = ()
    top: tuple[str, str] = ("", "")
    sha256: str = ""

    @property
    def is_unpacked(self) -> bool:
        return self.unpacked and is_archive(self.target[-1]) is not None


@dataclass
class Filled:
    """`names`: files of the directory, relative to it; `removed`: those of older runs that went. `skipped`: (member,
    why) of what archives held. `staged`: the directory, if it has yet to get its name. `notes` are for the user.
    """

    names: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unpacked: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    staged: StagedTree | None = None
    notes: list[str] = field(default_factory=list)


def linked_files(folders: Mapping[Folder, Sequence[Source]]) -> dict[str, str]:
    """The files that `prepare` will link: their keys in the record of results, and the SHA-256 that each is to have."""
    return {
        _key((*folder.above, str(folder.number), source.target[-1])): source.sha256
        for folder, sources in folders.items()
        if not any(source.is_unpacked for source in sources)
        for source in sources
        if source.here
    }


def fill(output: OutputDirectory, folder: Folder, sources: Sequence[Source], cancel: CancelToken) -> Filled:
    """Fills one directory and gives it its name. Raises as `prepare`."""
    results = ExtractedTrees(output)
    filled = prepare(output, results, folder, sources, cancel)
    if filled.staged is not None:
        for _, problem in results.rename_into_place([filled.staged]):
            raise problem
    return filled


def prepare(
    output: OutputDirectory, results: ExtractedTrees, folder: Folder, sources: Sequence[Source], cancel: CancelToken
) -> Filled:
    """Fills one directory; one that is unpacked has yet to get its name, by `Results.name`.

    Raises `FileError`s, of a damaged archive for instance; then an unpacked directory is as it was.
    """
    try:
        if any(source.is_unpacked for source in sources):
            return _unpack(output, results, folder, sources, cancel)
        filled, above = Filled(), (*folder.above, str(folder.number))
        _sweep(output.directory(above))
        for source in sources:
            if source.here:
                _link(output, results, source, above)
                filled.names.append(source.target[-1])
                filled.removed += _without_stale(output, source, above)
        return filled
    except OSError as error:
        words = f"{folder.text} cannot be written: {disk_words(error, output.path)}."
        raise FileError(words, "Free some space, or check the directory's permissions.") from error


def _unpack(
    output: OutputDirectory, results: ExtractedTrees, folder: Folder, sources: Sequence[Source], cancel: CancelToken
) -> Filled:
    """One archive becomes the directory; of several each becomes a directory in it. Nothing is done twice: a directory
    that was made from the same files stays. It still has to get its name.
    """
    if missing := [source.target[-1] for source in sources if not source.here]:
        raise FileError(f"{missing[0]}, which belongs to it, is missing, so nothing was unpacked.")
    target, filled = (*folder.above, str(folder.number)), Filled()
    key, made_from = _key(target), _digest(output, sources)
    path = output.path.joinpath(*target)
    there = read_stamp(target[-1], output.directory(folder.above))  # refuses links in between
    if path.is_symlink():
        raise SymlinkError(path)
    if there is not None and not path.is_dir():
        raise BlockedPathError(f"{path} is there already and is not a directory.", "Move it away.")
    if there is not None:
        known = results.made_from(key)
        if known != made_from and not known and not any(source.new for source in sources):
            filled.notes.append("it was there before and is left as it is; remove it to have it made again")
        if known == made_from or filled.notes:
            filled.names = _below(path)
            return filled
    archives = [source for source in sources if source.is_unpacked]
    staged = results.stage(key, target, made_from, replaces=there is not None)
    try:
        for source in archives:
            inner = () if len(archives) == 1 else (source.target[-1],)
            done = extract_into(output.path.joinpath(*source.target), staged.tree, inner, cancel=cancel)
            filled.skipped += done.skipped
            filled.unpacked += 1
            if not inner:
                _rename_top(staged.tree, source)
        for source in sources:
            if not source.is_unpacked:
                _put(source.target[-1], output.directory(source.target[:-1]), source.target[-1], staged.tree, ())
        os.fsync(staged.tree.directory(()))
        filled.names = _below(staged.tree.path)
    except BaseException:
        results.discard(staged)
        raise
    filled.staged = staged
    return filled


def _rename_top(tree: DirectoryTree, source: Source) -> None:
    """`browsertime-results` becomes `TASKID+-+browsertime-results`, as the original does with what tars hold."""
    old, new = (safe_name(name) if name else "" for name in source.top)
    root = tree.directory(())
    if not old or is_archive(source.target[-1]) is ArchiveKind.ZIP or read_stamp(old, root) is None:
        return
    tree.forget((old,))
    os.rename(old, new, src_dir_fd=root, dst_dir_fd=root)


def _key(target: tuple[str, ...]) -> str:
    return "/".join(target)


def _digest(output: OutputDirectory, sources: Sequence[Source]) -> str:
    """Of what a directory is made from: the files, and which of them are unpacked."""
    parts = sorted(
        f"{one.target[-1]}\0{one.sha256 or output.sha256(one.target)}\0{one.is_unpacked}\0{one.top[1]}"
        for one in sources
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sweep(directory: int) -> None:
    """Removes links and copies that a killed run had not yet given their names."""
    for name in os.listdir(directory):
        if _BESIDE.fullmatch(name) and (there := read_stamp(name, directory)) is not None and there[0] >= 0:
            os.unlink(name, dir_fd=directory)


def _link(output: OutputDirectory, results: ExtractedTrees, source: Source, above: tuple[str, ...]) -> None:
    """Gives the download a second name in `above`. What is there under that name stays if it has the same content,
    and else only gives way if it is an older download, or to what this round fetched.
    """
    directory, name = output.directory(above), source.target[-1]
    origin = output.directory(source.target[:-1])
    there = read_stamp(name, directory)
    if there is not None:
        path = output.path.joinpath(*above, name)
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise SymlinkError(path)
        if os.path.samestat(found, os.stat(name, dir_fd=origin, follow_symlinks=False)):
            return
        content = output.sha256((*above, name)) if there[0] >= 0 else ""
        if content and content == output.sha256(source.target):
            return
        if there[0] < 0 or not (source.new or results.is_ours(_key((*above, name)), content)):
            raise BlockedPathError(f"{path} is not what was downloaded.", "Move it away.")
    _put(name, origin, name, output, above)


def _put(name: str, origin: int, new: str, tree: DirectoryTree, above: tuple[str, ...]) -> None:
    """A link to `name` in the directory `origin`, or a copy where there can be none, complete under its name."""
    directory = tree.directory(above)
    beside = f".{secrets.token_hex(8)}.new"
    try:
        try:
            os.link(name, beside, src_dir_fd=origin, dst_dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(name, origin, beside, directory)
        os.rename(beside, new, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=directory)


def _without_stale(output: OutputDirectory, source: Source, above: tuple[str, ...]) -> list[str]:
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
        made = os.open(beside, NEW_FILE, 0o666, dir_fd=directory)
        with os.fdopen(made, "wb") as copy:
            shutil.copyfileobj(source, copy, PIECE)
            copy.flush()
            os.fsync(copy.fileno())


def _below(directory: Path) -> list[str]:
    """The plain files of a tree, relative to it, sorted."""
    return sorted(
        str(Path(above, name).relative_to(directory))
        for above, _, names in os.walk(directory)
        for name in names
        if not Path(above, name).is_symlink()
    )
