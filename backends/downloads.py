"""Downloads the files of a list, without an interface; what kind of content a downloaded file has."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends import lenient_json
from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.extraction.limits import is_archive
from backends.image_headers import SIGNATURES, is_image
from backends.images import MAX_BYTES
from backends.paths import expand_home
from backends.resources import Resource
from backends.transfers.files import select_files
from backends.transfers.plan import make_plan
from backends.transfers.states import PRESENT_STATES
from backends.transfers.transfer import Transfer

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session
    from backends.transfers.files import RemoteFile

JSON_CAP = 64 << 20  # bytes of a file that is shown as a tree
_HEAD = 4096  # bytes of a file that tell text and images from the rest
_GZIP = b"\x1f\x8b"
_BINARY = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def list_files(resource: Resource, rows: pl.DataFrame, globs: Sequence[str], cancel: CancelToken) -> list[RemoteFile]:
    """The files of these rows whose names match. Raises `UsageError` if there are none."""
    if not resource.downloadable:
        raise UsageError(f"{resource.noun[1].capitalize()} have no files to download.")
    files = [file for batch in resource.files(rows, cancel) for file in select_files(batch, globs)]
    if not files:
        raise UsageError("No files match.", "Check the filter and the globs.")
    return files


def download_files(
    session: Session,
    resource: Resource,
    rows: pl.DataFrame,
    output: Path,
    match: Sequence[str] = (),
    *,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
    watch: Callable[[Transfer], object] = lambda transfer: None,
) -> list[Path]:
    """Downloads the files of these rows; returns the paths of the complete files. Raises `AppError`.

    If a file cannot be downloaded, `FileError` is raised after all others have been downloaded. `watch` is called ten
    times a second.
    """
    cancel = cancel or CancelToken()
    files = list_files(resource, rows, match, cancel)
    plan = make_plan(files, expand_home(output).absolute(), cancel=cancel, overwrite=overwrite)
    transfer = Transfer(
        plan,
        open_downloader=session.open_downloader,
        jobs=session.settings.jobs or None,
        settings=session.http.downloader_settings(),
    )
    transfer.start()
    try:
        while not transfer.wait(0.1):
            cancel.check()
            watch(transfer)
    except BaseException:
        transfer.cancel()
        raise
    end, frame = transfer.snapshot(), transfer.frame()
    missing = frame.filter(~frame["state"].is_in(PRESENT_STATES))
    if end.problem is not None or not missing.is_empty():
        first = "" if missing.is_empty() else f"The first: {missing['target'][0]}: {missing['detail'][0]}"
        raise FileError(f"{len(missing):,} of {len(frame):,} files could not be downloaded.", str(end.problem or first))
    return [plan.output / target for target in frame["target"]]


class ContentKind(StrEnum):
    """How a downloaded file can be looked at."""

    TEXT = "text"
    JSON = "json"
    IMAGE = "image"
    OTHER = "other"
    MISSING = "missing"


@dataclass(frozen=True)
class DownloadedFile:
    """A file on the disk. `value`: what a JSON file holds."""

    path: Path
    kind: ContentKind
    value: Any = None


def inspect_file(path: Path) -> DownloadedFile:
    """What a downloaded file is, by its name and its first bytes; reads a `.json` of at most `JSON_CAP` bytes.

    Text is also what gzip has of it; what is named as JSON and is none is text. Links are not followed: there is no
    file then. Raises `FileError` for a file that cannot be read.
    """
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return DownloadedFile(path, ContentKind.MISSING)
        with os.fdopen(os.open(path, _OPEN_FILE), "rb", buffering=0) as stream:
            head = stream.read(_HEAD)
            if path.name.lower().endswith(".json") and status.st_size <= JSON_CAP:
                try:
                    return DownloadedFile(path, ContentKind.JSON, lenient_json.loads(head + stream.readall()))
                except ValueError:
                    pass
    except FileNotFoundError:
        return DownloadedFile(path, ContentKind.MISSING)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {disk_words(error, path)}.", "Check its permissions.") from error
    if is_image(path.name, "") and head.startswith(SIGNATURES):
        return DownloadedFile(path, ContentKind.IMAGE)
    return DownloadedFile(path, ContentKind.TEXT if _is_text(path.name, head) else ContentKind.OTHER)


def read_image_file(path: Path) -> bytes:
    """The content of a downloaded image of at most `MAX_BYTES`. Links are not followed. Raises `FileError`."""
    try:
        with os.fdopen(os.open(path, _OPEN_FILE), "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {disk_words(error, path)}.", "Check its permissions.") from error
    if len(content) > MAX_BYTES:
        raise FileError(f"{path} has more than {MAX_BYTES:,} bytes.", "Open it with another program.")
    return content


def _is_text(name: str, head: bytes) -> bool:
    if is_archive(name):
        return False
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, _HEAD)
        except zlib.error:
            return False
    return b"\0" not in head and not any(head.startswith(sign) for sign in _BINARY)
