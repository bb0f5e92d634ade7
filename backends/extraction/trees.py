"""Directories of extracted archives: safe paths, their record, and how they are renamed into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.atomic import (
    NAME_BYTES,
    BlockedPathError,
    DirectoryTree,
    SymlinkError,
    atomic_file,
    disk_words,
    open_directory,
    temporary_name,
)
from backends.errors import FileError
from backends.transfers import names
from backends.transfers.names import OWN_DIRECTORY, Target, is_safe, with_hash
from backends.transfers.output_directory import OutputDirectory

_DRIVE = re.compile(r"[A-Za-z]:")
_SPLIT = re.compile(r"[/\\]")
ExtractPath = tuple[str, ...]
DUPLICATE = "the archive has this name twice"
OUTSIDE = "its name leads outside the target directory"


class ExtractPaths:
    """Assigns safe paths to the members of one archive, in its order."""

    def __init__(self) -> None:
        self._taken: dict[ExtractPath, tuple[str, bool]] = {}  # folded path -> (raw path, whether it is a directory)
        self._spelled: dict[ExtractPath, ExtractPath] = {}  # folded path of a directory -> as it is on the disk

    def assign(self, raw: str, *, directory: bool) -> ExtractPath | str:
        """The path, or the reason why the member is skipped. A directory may occur again."""
        if not raw or raw[0] in "/\\" or _DRIVE.match(raw) or ".." in _SPLIT.split(raw):
            return OUTSIDE if raw else "it has no name"
        parts = tuple(part for part in raw.split("/") if part not in ("", "."))
        if not parts:
            return () if directory else "it has no name"
        bounded = names.assign([("", parts)])[""]
        above: ExtractPath = ()
        folded: ExtractPath = ()
        # A shortened path has other elements than the raw name: then the element is its own raw name.
        raws = parts if len(parts) == len(bounded) else bounded
        for at, name in enumerate(bounded):
            last = at == len(bounded) - 1
            as_directory = directory or not last
            found = self._assign_element(folded, name, "/".join(raws[: at + 1]), as_directory)
            if isinstance(found, str):
                return found
            folded, spelled = found
            above = (*above, spelled)
        return above

    def _assign_element(
        self, above: ExtractPath, name: str, raw: str, directory: bool
    ) -> tuple[ExtractPath, str] | str:
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
        for spelling in (name, with_hash(name, digest[:10]), with_hash(name, digest[:32])):
            folded = (*above, names.fold(spelling))
            known = self._taken.setdefault(folded, (raw, directory))
            if known == (raw, directory) and (directory or folded not in self._spelled):
                self._spelled[folded] = (spelling,)
                return folded, spelling
            if known[0] == raw and not directory and not known[1]:
                return DUPLICATE
        return "another member has its name"


RECORD_FILE = "unpacked.json"
BATCH = 16  # directories that are renamed together: the record is written twice per batch
_HIDDEN = re.compile(r"\.(.*)\.[0-9a-f]{8}\.(?:new|old)|\.(.*)\.unpacking-[0-9a-f]{8}", re.DOTALL)


@dataclass(frozen=True)
class _TreeEntry:
    """`made_from`: digest of the content that the target was made from. While another one is renamed into place:
    `following`, its digest, and for directories their names.
    """

    made_from: str = ""
    following: str = ""
    target: str = ""
    staged: str = ""
    old: str = ""


@dataclass(frozen=True)
class StagedTree:
    """A complete directory with a temporary name. `replaces`: whether an older one has the final name."""

    key: str
    target: Target
    name: str
    made_from: str
    replaces: bool
    tree: DirectoryTree

    @property
    def path(self) -> Target:
        return (*self.target[:-1], self.name)


class ExtractedTrees:
    """The record of extracted directories in an output directory, whose lock the caller holds, by `key`."""

    def __init__(self, output: OutputDirectory) -> None:
        self._output = output
        self._entries = _read_record(output.directory((OWN_DIRECTORY,)), output.path)
        self._staged: set[Target] = set()
        self._recover()

    def made_from(self, key: str) -> str:
        """The digest of what the target was made from; "" if it was not created by ciexplore."""
        return self._entries.get(key, _TreeEntry()).made_from

    def is_ours(self, key: str, digest: str) -> bool:
        """Whether a file with this content under the key's name was created by ciexplore."""
        entry = self._entries.get(key)
        return entry is not None and digest != "" and digest in (entry.made_from, entry.following)

    def check_free(self, target: Target, key: str) -> bool:
        """Whether there is a directory of ours to replace. Raises `BlockedPathError` if anything else is there."""
        try:
            mode = os.stat(target[-1], dir_fd=self._output.directory(target[:-1]), follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        path = self._output.path.joinpath(*target)
        if stat.S_ISDIR(mode) and self.made_from(key):
            return True
        what = "is a symbolic link and" if stat.S_ISLNK(mode) else "already exists and"
        raise BlockedPathError(f"{path} {what} was not created by ciexplore.", "Move it away, then try again.")

    def stage(self, key: str, target: Target, made_from: str, *, replaces: bool) -> StagedTree:
        """A new hidden directory to fill. Removes first what killed runs left for this target."""
        directory = self._output.directory(target[:-1])
        for name in os.listdir(directory):  # noqa: PTH208 - by descriptor, not by name
            if _is_hidden(name, target[-1]) and (*target[:-1], name) not in self._staged:
                self._remove(target[:-1], name)
        name = temporary_name(target[-1], "new")
        os.mkdir(name, dir_fd=directory)
        path = (*target[:-1], name)
        self._staged.add(path)
        tree = DirectoryTree(self._output.path.joinpath(*path), os.dup(self._output.directory(path)))
        return StagedTree(key, target, name, made_from, replaces, tree)

    def discard(self, staged: StagedTree) -> None:
        staged.tree.close()
        self._remove(staged.target[:-1], staged.name)

    def rename_into_place(self, batch: Sequence[StagedTree]) -> list[tuple[StagedTree, FileError]]:
        """Gives these directories their final names; returns those that failed, and why."""
        before = {one.key: self._entries.get(one.key, _TreeEntry()) for one in batch}
        for one in batch:
            one.tree.close()
            self._entries[one.key] = _TreeEntry(
                before[one.key].made_from,
                one.made_from,
                "/".join(one.target),
                one.name,
                temporary_name(one.target[-1], "old") if one.replaces else "",
            )
        failures = []
        try:
            self.write()
            for one in batch:
                try:
                    self._rename(one, self._entries[one.key].old)
                except OSError as error:
                    path = self._output.path.joinpath(*one.target)
                    words = f"{path} cannot be renamed into place: {disk_words(error, path)}."
                    failures.append((one, FileError(words, "Check what is there, then try again.")))
            for above in {one.target[:-1] for one in batch}:
                with contextlib.suppress(OSError):  # some network file systems do not sync directories
                    os.fsync(self._output.directory(above))
        except BaseException:
            with contextlib.suppress(Exception):  # if the disk is full again, the next run does it
                self._recover()
            raise
        failed = {one.key for one, _ in failures}
        for one in batch:
            if one.key in failed:
                self._entries[one.key] = before[one.key]
                continue
            if old := self._entries[one.key].old:
                self._remove(one.target[:-1], old)
            self._entries[one.key] = _TreeEntry(one.made_from)
        self.write()
        for one, _ in failures:
            self._remove(one.target[:-1], one.name)
        return failures

    def _rename(self, one: StagedTree, old: str) -> None:
        directory, name = self._output.directory(one.target[:-1]), one.target[-1]
        self._output.forget(one.target)
        self._output.forget(one.path)
        if old:
            os.rename(name, old, src_dir_fd=directory, dst_dir_fd=directory)
        try:
            os.rename(one.name, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            if old:
                os.rename(old, name, src_dir_fd=directory, dst_dir_fd=directory)
            raise

    def expect_files(self, digests: Mapping[str, str]) -> None:
        """Records files (key -> digest) that are about to be renamed into place, so that they count as ours if
        killed."""
        changed = False
        for key, digest in digests.items():
            known = self._entries.get(key, _TreeEntry())
            if known.made_from != digest or known.following:
                self._entries[key] = _TreeEntry(known.made_from, digest)
                changed = True
        if changed:
            self.write()

    def finish_files(self, named: Mapping[str, str]) -> None:
        """Records files that have their final names. Of the others both contents still count as ours."""
        changed = {
            key: _TreeEntry(digest) for key, digest in named.items() if self._entries.get(key) != _TreeEntry(digest)
        }
        self._entries.update(changed)
        if changed:
            self.write()

    def write(self) -> None:
        """Writes the record. Raises `FileError`."""
        value = {key: _pack_record(entry) for key, entry in self._entries.items()}
        path = self._output.path / OWN_DIRECTORY / RECORD_FILE
        with atomic_file(path, overwrite=True, below=self._output.path) as file:
            file.write(json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")

    def _recover(self) -> None:
        """Undoes or completes the renames of a killed run."""
        begun = [(key, entry) for key, entry in self._entries.items() if entry.staged]
        left: list[tuple[Target, str]] = []
        for key, entry in begun:
            target = tuple(entry.target.split("/"))
            with contextlib.suppress(FileNotFoundError):
                directory = self._output.directory(target[:-1])
                self._output.forget(target)
                if _is_directory(entry.staged, directory) or not _is_directory(target[-1], directory):  # not renamed
                    if entry.old and _is_directory(entry.old, directory):
                        with contextlib.suppress(OSError):  # the user has created something there
                            os.rename(entry.old, target[-1], src_dir_fd=directory, dst_dir_fd=directory)
                    left.append((target, entry.staged))
                    self._entries[key] = _TreeEntry(entry.made_from)
                else:
                    if entry.old:
                        self._remove(target[:-1], entry.old)
                    self._entries[key] = _TreeEntry(entry.following)
        if begun:
            # Before the hidden directories are removed: without them the record would mean that they were renamed.
            self._entries = {key: entry for key, entry in self._entries.items() if entry != _TreeEntry()}
            self.write()
        for target, name in left:
            self._remove(target[:-1], name)

    def _remove(self, above: Target, name: str) -> None:
        directory = self._output.directory(above)
        self._output.forget((*above, name))
        if _is_directory(name, directory):
            shutil.rmtree(name, ignore_errors=True, dir_fd=directory)


def read_result_paths(output: Path) -> set[str]:
    """Paths made from downloads below a directory (extracted trees, data directories, links). Raises `FileError`."""
    try:
        descriptor = open_directory(output, (OWN_DIRECTORY,))
    except OSError as error:
        raise FileError(f"{output} cannot be read: {disk_words(error, output)}.", "Check its permissions.") from error
    try:
        keys = _read_record(descriptor, output)
    finally:
        os.close(descriptor)
    return keys.keys() | {f"{key}.unpacked" for key in keys}


def _is_directory(name: str, directory: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _is_hidden(name: str, target: str) -> bool:
    """Whether it is a temporary name of this target (in this version and the one before)."""
    found = _HIDDEN.fullmatch(name)
    if found is None:
        return False
    begin, earlier = found[1], found[2]
    if begin is None:
        return bool(earlier == target[:100])
    is_cut = len(os.fsencode(begin)) > NAME_BYTES - 20
    return bool(begin) and (begin == target or (is_cut and target.startswith(begin)))


def _pack_record(entry: _TreeEntry) -> str | dict[str, str]:
    if not entry.following:
        return entry.made_from
    words = {
        "from": entry.made_from, "next": entry.following, "target": entry.target, "staged": entry.staged,
        "old": entry.old,
    }  # fmt: skip
    return {name: value for name, value in words.items() if value}


def _unpack_record(value: Any) -> _TreeEntry | None:
    if isinstance(value, str):
        return _TreeEntry(value)
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        return None
    entry = _TreeEntry(*(value.get(name, "") for name in ("from", "next", "target", "staged", "old")))
    if entry.staged and not (  # the record can be edited
        is_safe(tuple(entry.target.split("/")))
        and _is_hidden(entry.staged, entry.target.rpartition("/")[2])
        and (not entry.old or _is_hidden(entry.old, entry.target.rpartition("/")[2]))
    ):
        return None
    return entry


def _read_record(directory: int, output: Path) -> dict[str, _TreeEntry]:
    try:
        descriptor = os.open(RECORD_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return {}
    except OSError as error:
        path = output / OWN_DIRECTORY / RECORD_FILE
        if path.is_symlink():
            raise SymlinkError(path) from error
        raise FileError(f"{path} cannot be read: {disk_words(error, path)}.", "Check its permissions.") from error
    try:
        with os.fdopen(descriptor, "rb") as file:
            value = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    found = ((name, _unpack_record(one)) for name, one in value.items())
    return {name: entry for name, entry in found if entry is not None}
