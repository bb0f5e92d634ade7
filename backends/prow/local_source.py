"""Buckets as directories on this disk: what was downloaded is browsed like the archive itself.

Symbolic links are not followed: a tree that came from a server must not lead out of itself.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.http.errors import NotFoundError, sanitize
from backends.prow.source import PAGE, Entry, Listing, Source

_PIECE = 256 << 10
_OWN = ".ciexplore"  # where downloads keep their record
_COMPRESSED_NAMES = (".gz", ".gzip", ".tgz")


class LocalSource(Source):
    """Objects are files below ROOT/BUCKET; the order of names is the storage's."""

    kind = "file"

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        cancel: CancelToken,
        deep: bool = False,
        start: str = "",
        end: str = "",
        token: str = "",
        hold: float | None = 0.0,
    ) -> Listing:
        files: list[Entry] = []
        folders: list[str] = []
        begin = max(start, token)
        for name, entry in self._walk(bucket, prefix, deep, cancel):
            # A folder is within the range if one of its objects can be: only its name bounds them.
            if (entry is not None and name < begin) or (entry is None and f"{name}\U0010ffff" < begin):
                continue
            if end and name >= end:
                continue
            if len(files) + len(folders) >= PAGE:
                return Listing(tuple(files), tuple(folders), name)
            if entry is None:
                folders.append(name)
            else:
                files.append(entry)
        return Listing(tuple(files), tuple(folders))

    def _walk(self, bucket: str, prefix: str, deep: bool, cancel: CancelToken) -> Iterator[tuple[str, Entry | None]]:
        above, _, first = prefix.rpartition("/")
        folder = self._path(bucket, above) if above else self._path(bucket, "")
        if folder is None:
            return
        yield from self._folder(folder, f"{above}/" if above else "", first, deep, cancel)

    def _folder(
        self, folder: Path, above: str, first: str, deep: bool, cancel: CancelToken
    ) -> Iterator[tuple[str, Entry | None]]:
        cancel.check()
        try:
            with os.scandir(folder) as found:
                entries = [one for one in found if one.name.startswith(first) and one.name != _OWN]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as problem:
            raise _unreadable(folder, problem) from problem
        names = {f"{above}{one.name}{'/' if one.is_dir(follow_symlinks=False) else ''}": one for one in entries}
        for name in sorted(names):
            one = names[name]
            if name.endswith("/"):
                if deep:
                    yield from self._folder(folder / one.name, name, "", deep, cancel)
                else:
                    yield name, None
            elif one.is_file(follow_symlinks=False):
                yield name, _entry(name, one.stat(follow_symlinks=False))

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> Entry:
        path = self._path(bucket, name)
        try:
            found = path.lstat() if path is not None else None
        except OSError:
            found = None
        if found is None or not modes.S_ISREG(found.st_mode):
            raise NotFoundError(
                f"There is no file {sanitize(name)} in {self.root / sanitize(bucket)}.", "Check its name."
            )
        return _entry(name, found)

    @contextmanager
    def open(self, bucket: str, entry: Entry, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        self.stat(bucket, entry.name, cancel=cancel)
        path = self._path(bucket, entry.name)
        assert path is not None
        try:
            with path.open("rb", buffering=0) as stream:
                yield _content(entry.name, stream.read, cancel)
        except OSError as problem:
            raise _unreadable(path, problem) from problem

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        path = self._path(bucket, name)
        return path.absolute().as_uri() if path is not None else ""

    def download(self, bucket: str, entry: Entry) -> tuple[str, str]:
        version = f"version={entry.generation}"
        url = self.address(bucket, entry.name)
        return (f"{url}?{version}", version) if url else ("", "")

    def _path(self, bucket: str, name: str) -> Path | None:
        """None where a part is one that would lead elsewhere."""
        parts = [bucket, *(name.split("/") if name else [])]
        if any(part in ("", ".", "..") or "\0" in part or "/" in part for part in parts):
            return None
        try:
            "".join(parts).encode()
        except UnicodeEncodeError:
            return None
        return self.root.joinpath(*parts)


def _content(name: str, read: object, cancel: CancelToken) -> Iterator[bytes]:
    """Some tools store compressed objects as they are under the plain name (rclone does): the first bytes tell."""
    from backends.logs.sources import decompress

    def pieces() -> Iterator[bytes]:
        while piece := read(_PIECE):  # type: ignore[operator]
            cancel.check()
            yield piece

    stream = pieces()
    head = next(stream, b"")
    rest = chain([head] if head else [], stream)
    if head.startswith(b"\x1f\x8b") and not name.endswith(_COMPRESSED_NAMES):
        return decompress(rest)
    return iter(rest)


def _entry(name: str, found: os.stat_result) -> Entry:
    version = f"{found.st_mtime_ns}-{found.st_size}"
    return Entry(name, found.st_size, found.st_mtime_ns // 1_000_000, generation=version)


def _unreadable(path: Path, problem: OSError) -> FileError:
    said = disk_words(problem)
    return FileError(f"{path} cannot be read: {said}.", "Check its name and permissions.")
