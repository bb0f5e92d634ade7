"""Buckets as directories on this disk: what was downloaded is browsed like the archive itself.

Symbolic links are not followed: a tree that came from a server must not lead out of itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.http.errors import AccessDeniedError, IncompleteBodyError, NotFoundError, sanitize
from backends.logs.sources import from_path
from backends.prow.store import PAGE_SIZE, BlobInfo, BlobPage, BlobStore, BlobStream, ListQuery

_PIECE = 256 << 10
_OWN = ".ciexplore"  # where downloads keep their record
_COMPRESSED_NAMES = (".gz", ".gzip", ".tgz", ".zst", ".tzst")


class LocalStore(BlobStore):
    """Objects are files below ROOT/BUCKET; the order of names is the storage's."""

    kind = "file"

    def __init__(self, root: Path) -> None:
        self.root = root

    def list_page(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        files: list[BlobInfo] = []
        folders: list[str] = []
        query = replace(query, start=max(query.start, query.token))
        directory = self._path(bucket, query.folder.rstrip("/"))
        for name, info in self._walk(directory, query.folder, query, cancel) if directory is not None else ():
            if not query.matches(name):
                continue
            if len(files) + len(folders) >= PAGE_SIZE:
                return BlobPage(tuple(files), tuple(folders), name)
            if info is None:
                folders.append(name)
            else:
                files.append(info)
        return BlobPage(tuple(files), tuple(folders))

    def _walk(
        self, directory: Path, above: str, query: ListQuery, cancel: CancelToken
    ) -> Iterator[tuple[str, BlobInfo | None]]:
        """(full name, description) of what is in a directory, in order of name; None for folders."""
        cancel.check()
        try:
            with os.scandir(directory) as entries:
                names = {
                    f"{above}{entry.name}{'/' if entry.is_dir(follow_symlinks=False) else ''}": entry
                    for entry in entries
                    if entry.name != _OWN and f"{above}{entry.name}".startswith(query.prefix)
                }
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _unreadable(directory, error) from error
        for name, entry in sorted(names.items()):
            if name.endswith("/") and query.deep:
                yield from self._walk(directory / entry.name, name, query, cancel)
            elif name.endswith("/"):
                yield name, None
            elif entry.is_file(follow_symlinks=False):
                yield name, _blob_info(name, entry.stat(follow_symlinks=False))

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> BlobInfo:
        path = self._path(bucket, name)
        try:
            found = path.lstat() if path is not None else None
        except OSError:
            found = None
        if found is None or not stat.S_ISREG(found.st_mode):
            raise NotFoundError(
                f"There is no file {sanitize(name)} in {self.root / sanitize(bucket)}.", "Check its name."
            )
        return _blob_info(name, found)

    @contextmanager
    def open(self, bucket: str, info: BlobInfo, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        self.stat(bucket, info.name, cancel=cancel)
        path = self._path(bucket, info.name)
        assert path is not None
        if not info.name.endswith(_COMPRESSED_NAMES):
            # Some tools (rclone) store compressed objects as they are under the plain name: the first bytes tell.
            yield from_path(path)(cancel)
            return
        try:
            with path.open("rb", buffering=0) as stream:
                yield iter(lambda: stream.read(_PIECE), b"")
        except OSError as error:
            raise _unreadable(path, error) from error

    def url(self, bucket: str, name: str) -> str:
        path = self._path(bucket, name)
        return path.absolute().as_uri() if path is not None else ""

    def version_query(self, info: BlobInfo) -> str:
        return f"version={info.generation}"

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


def _blob_info(name: str, status: os.stat_result) -> BlobInfo:
    version = f"{status.st_mtime_ns}-{status.st_size}"
    return BlobInfo(name, status.st_size, status.st_mtime_ns // 1_000_000, generation=version)


def _unreadable(path: Path, error: OSError) -> FileError:
    return FileError(f"{path} cannot be read: {disk_words(error)}.", "Check its name and permissions.")


@contextmanager
def open_download(path: str, offset: int, if_range: str | None, cancel: CancelToken) -> Iterator[BlobStream]:
    """What a download reads of a file from byte `offset` on, if it is still the version that `if_range` names.

    No link is followed at the end of the path, and what is not a plain file (a pipe would be waited for) is refused.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"There is no file {sanitize(path)}.", "List the folder again.") from None
    except OSError as error:
        raise _not_permitted(path, error) from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise AccessDeniedError(f"{sanitize(path)} is not a plain file.", "Only plain files are copied.")
        etag, size = _etag(before), before.st_size
        begin = offset if offset <= size and if_range == etag else 0
        headers = {"etag": etag, "content-length": str(size - begin)}
        if begin:
            headers["content-range"] = f"bytes {begin}-{size - 1}/{size}"
            os.lseek(descriptor, begin, os.SEEK_SET)
        yield BlobStream(206 if begin else 200, headers, _read_unchanged(descriptor, path, etag, cancel))
    finally:
        os.close(descriptor)


def _read_unchanged(descriptor: int, path: str, etag: str, cancel: CancelToken) -> Iterator[bytes]:
    while True:
        cancel.check()
        try:
            piece = os.read(descriptor, _PIECE)
        except OSError as error:
            raise _not_permitted(path, error) from None
        if not piece:
            break
        yield piece
    if _etag(os.fstat(descriptor)) != etag:
        raise IncompleteBodyError(f"{sanitize(path)} was written to while it was copied.", "Copy it again.")


def _etag(status: os.stat_result) -> str:
    return f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'


def _not_permitted(path: str, error: OSError) -> AccessDeniedError:
    return AccessDeniedError(f"{sanitize(path)} cannot be read: {disk_words(error)}.", "Check its permissions.")
