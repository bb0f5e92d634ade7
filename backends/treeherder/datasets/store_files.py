"""The Parquet files of one repository of a store, on a disk or in a bucket, for engines that read them by name.

The names in a bucket are the bucket's: only those that a store's files have are used.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl

from backends.errors import UsageError
from backends.http.errors import sanitize
from backends.treeherder.datasets.dataset import Dataset, PushWindow
from backends.treeherder.datasets.mirror import list_objects, open_bucket, read_object
from backends.treeherder.datasets.store import FETCH_LOG, FILE, DamagedDatasetError, DatasetStore
from backends.treeherder.datasets.tables import TABLES

BUCKET_SCHEMES = ("s3", "gs")
MAX_LOG = 2_000_000_000  # bytes; a request has 100 to 200, so that this is years of a busy repository
_PATTERN_CHARACTERS = re.compile(r"[][*?{}\\]")  # both engines read names as patterns
_PART = re.compile(r"(?:(?:day|block)=([0-9-]{1,20})/)?" + re.escape(FILE), re.ASCII)


@dataclass(frozen=True)
class StoreFiles:
    """`root`: the directory, or s3://BUCKET/PREFIX, without a slash at its end. `files`: table -> full names, sorted.
    `fetch_status`: as `Dataset.fetch_status` returns it."""

    root: str
    repository: str
    files: dict[str, list[str]]
    fetch_status: pl.DataFrame
    local: DatasetStore | None = None

    @property
    def scheme(self) -> str:
        """s3, gs, or "" for a directory."""
        return self.root.partition("://")[0] if "://" in self.root else ""


@contextlib.contextmanager
def open_store_files(store: str | Path, repository: str | None, window: PushWindow) -> Iterator[StoreFiles]:
    """The files that hold rows of the window. Raises `UsageError`, `FileError` (files are missing), `MirrorError`."""
    if isinstance(store, Path) or "://" not in store:
        with DatasetStore(Path(store)) as opened:
            yield _local_files(opened, opened.only_repository(repository), window)
        return
    url = _check_url(store)
    bucket = open_bucket(url)
    names = sorted(list_objects(bucket, url))
    if FETCH_LOG not in names:
        raise UsageError(
            f"There is no dataset in {sanitize(url, 80)}.",
            "`ciexplore treeherder dataset export --mirror URL` copies one to a bucket.",
        )
    with tempfile.TemporaryDirectory(prefix="ciexplore-log-") as directory:
        (Path(directory) / FETCH_LOG).write_bytes(read_object(bucket, FETCH_LOG, url, max_bytes=MAX_LOG))
        with DatasetStore(Path(directory)) as log_only:
            chosen = log_only.only_repository(repository)
            status = Dataset(log_only, chosen).fetch_status()
        yield StoreFiles(url, chosen, _select(names, url, chosen, window), status)


def _check_url(url: str) -> str:
    split = urlsplit(url)
    if split.scheme not in BUCKET_SCHEMES or not split.netloc or split.query or split.fragment:
        raise UsageError(f"{sanitize(url, 80)} is not a dataset.", "Name a directory, s3://BUCKET/PREFIX or gs://...")
    if not split.netloc.isascii() or "@" in split.netloc:
        raise UsageError(f"{sanitize(url, 80)} is not a bucket.", "Credentials are read from the environment.")
    return _check_name(url.rstrip("/"))


def _check_name(root: str) -> str:
    if _PATTERN_CHARACTERS.search(root) or not root.isprintable():
        raise UsageError(
            f"{sanitize(root, 80)} has a character that DuckDB and Spark read as a pattern: [ ] {{ }} * ? or \\.",
            "Rename it, or use the engine polars.",
        )
    return root


def _local_files(store: DatasetStore, repository: str, window: PushWindow) -> StoreFiles:
    if missing := store.missing_files():
        raise DamagedDatasetError(missing, store.path, missing=True)
    root = _check_name(str(store.path))
    names = [path.relative_to(store.path).as_posix() for name in TABLES for path in store.files(name, repository)]
    status = Dataset(store, repository).fetch_status()
    return StoreFiles(root, repository, _select(names, root, repository, window), status, store)


def _select(names: list[str], root: str, repository: str, window: PushWindow) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for table in TABLES:
        prefix = f"{table}/repository={repository}/"
        parts = ((name, _PART.fullmatch(name.removeprefix(prefix))) for name in names if name.startswith(prefix))
        files[table] = sorted(
            f"{root}/{name}" for name, part in parts if part and (table != "pairs" or _overlaps(part[1], window))
        )
    return files


def _overlaps(day: str | None, window: PushWindow) -> bool:
    """Whether a day of pushes (UTC) has times inside the window. Dates sort as they are written."""

    def date(seconds: int) -> str:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"

    if day is None:
        return False
    after = window.since is None or day >= date(window.since)
    return after and (window.until is None or day <= date(window.until))
