"""A dataset in a bucket: the same files under s3:// or gs://, copied file by file, only what has changed (extra `s3`).

Each object is replaced as a whole and none is ever removed, as on disk; the ledger goes last. Who we are to the bucket
the environment says, in the variables of the bucket's own tools (AWS_..., GOOGLE_...).
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
from backends.treeherder.datasets.parquet_files import DamagedDatasetError, is_whole
from backends.treeherder.datasets.store import LEDGER, Store
from backends.treeherder.datasets.tables import TABLES

SCHEMES = ("s3", "gs", "file")


class BucketProblem(AppError):
    """The bucket, or the way to it, said no."""

    exit_code = 3


@dataclass(frozen=True)
class Mirrored:
    """`copied`, `unchanged`: files; `size`: bytes that were sent."""

    copied: int
    unchanged: int
    size: int


def mirror(
    store: Store, url: str, *, cancel: CancelToken, progress: Callable[[str], None] = lambda words: None
) -> Mirrored:
    """Copies what `url` lacks or has in another state. Raises `UsageError`, `BucketProblem`, `OperationCancelledError`,
    `DamagedDatasetError` after all that is whole; what was copied before stays and is not copied again."""
    bucket = _bucket(url)
    there = _listed(bucket, url)
    known = store.ledger.mirrored(url)
    copied = unchanged = size = 0
    damaged: list[Path] = []
    files = [(path, table) for name, table in TABLES.items() for path in store.files(name)]
    for number, (path, table) in enumerate(files, 1):
        cancel.check()
        progress(f"{number:,} of {len(files):,} files")
        name, status = path.relative_to(store.path).as_posix(), path.stat()
        state = (status.st_mtime_ns, status.st_size)
        if known.get(name) == state and there.get(name) == status.st_size:
            unchanged += 1
            continue
        if not is_whole(path, table):  # what is in the bucket may be the only copy that is
            damaged.append(path)
            continue
        size += _put(bucket, name, _content(path), url)
        copied += 1
        with store.ledger.exclusive(cancel):
            store.ledger.note_mirrored(url, [(name, *state)])
    if damaged:  # without the ledger, which would tell a reader of the copy that all is there
        raise DamagedDatasetError(damaged, store.path)
    if copied or LEDGER not in there:
        size += _put(bucket, LEDGER, store.ledger.copied(), url)
        copied += 1
    else:
        unchanged += 1
    return Mirrored(copied, unchanged, size)


def _bucket(url: str) -> Any:
    if urlsplit(url).scheme not in SCHEMES:
        raise UsageError(f"{sanitize(url, 80)} is no bucket.", "Write s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
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
        raise UsageError(f"{sanitize(url, 80)} is no bucket: {sanitize(str(error), 200)}.") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {disk_words(problem)}.", "Try again.") from problem


def _listed(bucket: Any, url: str) -> dict[str, int]:
    """name -> bytes of what is there."""
    from obstore.exceptions import BaseError

    try:
        return {one["path"]: one["size"] for part in bucket.list() for one in part}
    except BaseError as error:
        raise _problem(url, error) from error


def _put(bucket: Any, name: str, content: bytes, url: str) -> int:
    from obstore.exceptions import BaseError

    try:
        bucket.put(name, content)
    except BaseError as error:
        raise _problem(url, error) from error
    return len(content)


def _problem(url: str, error: Exception) -> BucketProblem:
    return BucketProblem(
        f"{sanitize(url, 80)} cannot be used: {sanitize(str(error).partition(': <')[0].rpartition(' - ')[2], 200)}.",
        "Check its name and the credentials in the environment (AWS_..., GOOGLE_...).",
    )
