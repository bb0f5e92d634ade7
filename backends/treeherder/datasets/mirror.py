"""Copies a dataset to a bucket (s3:// or gs://), file by file, only what has changed (extra `s3`).

Each object is replaced in one request and none is removed, as on disk; the fetch log goes last. Credentials come from
the environment, in the variables of the bucket's own tools (AWS_..., GOOGLE_...).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, UsageError
from backends.http.errors import sanitize
from backends.treeherder.datasets.store import FETCH_LOG, DamagedDatasetError, DatasetStore, is_intact
from backends.treeherder.datasets.tables import TABLES

SCHEMES = ("s3", "gs", "file")


class MirrorError(AppError):
    """The bucket cannot be reached or refused a request."""

    exit_code = 3


@dataclass(frozen=True)
class MirrorResult:
    """`copied`, `unchanged`: files; `size`: bytes that were sent."""

    copied: int
    unchanged: int
    size: int


def mirror(
    store: DatasetStore, url: str, *, cancel: CancelToken, progress: Callable[[str], None] = lambda message: None
) -> MirrorResult:
    """Copies what `url` lacks or has in another state.

    Raises `UsageError`, `MirrorError`, `OperationCancelledError`, and `DamagedDatasetError` after all intact files;
    what was copied before stays and is not copied again.
    """
    bucket = open_bucket(url)
    existing = list_objects(bucket, url)
    known = store.log.mirrored_files(url)
    copied = unchanged = size = 0
    damaged: list[Path] = []
    files = [(path, table) for name, table in TABLES.items() for path in store.files(name)]
    for number, (path, table) in enumerate(files, 1):
        cancel.check()
        progress(f"{number:,} of {len(files):,} files")
        name, status = path.relative_to(store.path).as_posix(), path.stat()
        state = (status.st_mtime_ns, status.st_size)
        if known.get(name) == state and existing.get(name) == status.st_size:
            unchanged += 1
            continue
        if not is_intact(path, table):  # the bucket may have the only intact copy
            damaged.append(path)
            continue
        size += _put(bucket, name, _read(path), url)
        copied += 1
        with store.log.exclusive(cancel):
            store.log.record_mirrored(url, name, *state)
    if damaged:  # without the log, which would tell a reader of the copy that everything is there
        raise DamagedDatasetError(damaged, store.path)
    if copied or FETCH_LOG not in existing:
        size += _put(bucket, FETCH_LOG, store.log.serialize(), url)
        return MirrorResult(copied + 1, unchanged, size)
    return MirrorResult(copied, unchanged + 1, size)


def open_bucket(url: str) -> Any:
    """The object store of a URL. Raises `UsageError`."""
    if urlsplit(url).scheme not in SCHEMES:
        raise UsageError(f"{sanitize(url, 80)} is not a bucket.", "Use s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise UsageError("Buckets need the extra s3.", "Install it with: pip install 'ciexplore[s3]'.") from None
    if urlsplit(url).scheme == "file":
        Path(urlsplit(url).path).mkdir(parents=True, exist_ok=True)
    try:
        return from_url(url)
    except (BaseError, ValueError) as error:
        raise UsageError(f"{sanitize(url, 80)} is not a bucket: {sanitize(str(error), 200)}.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {disk_words(error)}.", "Try again.") from error


def list_objects(bucket: Any, url: str) -> dict[str, int]:
    """Name -> bytes. Raises `MirrorError`."""
    from obstore.exceptions import BaseError

    try:
        return {entry["path"]: entry["size"] for page in bucket.list() for entry in page}
    except BaseError as error:
        raise _bucket_error(url, error) from error


def read_object(bucket: Any, name: str, url: str, *, max_bytes: int) -> bytes:
    """Raises `MirrorError`, also for an object that is too big."""
    from obstore.exceptions import BaseError

    try:
        found = bucket.get(name)
        if found.meta["size"] > max_bytes:
            raise MirrorError(f"{sanitize(url, 80)}/{name} is too big: {found.meta['size']:,} bytes.")
        return bytes(found.bytes())
    except (BaseError, OSError) as error:
        raise _bucket_error(url, error) from error


def _put(bucket: Any, name: str, content: bytes, url: str) -> int:
    from obstore.exceptions import BaseError

    try:
        bucket.put(name, content)
    except BaseError as error:
        raise _bucket_error(url, error) from error
    return len(content)


def _bucket_error(url: str, error: Exception) -> MirrorError:
    return MirrorError(
        f"{sanitize(url, 80)} cannot be used: {sanitize(str(error).partition(': <')[0].rpartition(' - ')[2], 200)}.",
        "Check its name and the credentials in the environment (AWS_..., GOOGLE_...).",
    )
