"""What Enter shows of an artifact: a tree, a text, a table, what is in an archive, or only its row.

By the name first: many workers say application/octet-stream of everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.extraction.limits import is_archive
from backends.frames.formats import format_bytes
from backends.http.backoff import backoff_delays, is_too_long, with_retry_after
from backends.http.content_encoding import EncodingError, decode
from backends.http.errors import (
    HttpError,
    ResponseTooLargeError,
    UnexpectedResponseError,
    incomplete,
    short_url,
    short_url_parts,
    too_large,
)
from backends.locators import Locator
from backends.locators.taskcluster import SLUGID
from backends.locators.taskcluster_views import Contents
from backends.resources import Document, LogAddress, Row
from backends.taskcluster.documents import artifact_document
from backends.taskcluster.measurements import NAMES
from backends.taskcluster.queue import Deployment
from backends.taskcluster.task_log import row_log

if TYPE_CHECKING:
    from backends.http import Download

ARCHIVE_CAP = 1 << 30  # bytes of an archive that are fetched to list it
_TRIES = 5
_ZIPS = (".xpi", ".apk", ".aab", ".jar", ".whl", ".ipa")  # zips that a download leaves as they are
_TABLES = (".csv", ".tsv")


def contents(deployment: Deployment, row: Row) -> Locator | LogAddress | Document | None:
    """What Enter shows of a row of a list of artifacts; None where only its row can be shown."""
    task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
    if row.get("storage") == "error" or not SLUGID.fullmatch(task_id) or not name:
        return None
    if is_archive(name) or name.lower().endswith(_ZIPS):
        return Contents("archive", task_id, row.get("run"), name, deployment.root)
    if is_table(name, str(row.get("content_type") or "")):
        return Contents("table", task_id, row.get("run"), name, deployment.root)
    return artifact_document(deployment, row) or row_log(deployment.root, row)


def is_measurements(name: str) -> bool:
    return fnmatchcase(name.rpartition("/")[2], NAMES)


def is_table(name: str, content_type: str = "") -> bool:
    kind = content_type.lower().partition(";")[0].strip()
    return is_measurements(name) or name.lower().endswith(_TABLES) or kind in ("text/csv", "text/tab-separated-values")


def kind_words(row: Row) -> str:
    """ "image/png, 12 kB; `o` opens it in the browser", of an artifact that nothing here shows."""
    kind, size = str(row.get("content_type") or "unknown type"), row.get("size")
    told = kind if size is None else f"{kind}, {format_bytes(size)}"
    return f"{told}; `o` opens it in the browser, `d` downloads it"


@contextmanager
def spooled(deployment: Deployment, url: str, name: str, cap: int, cancel: CancelToken) -> Iterator[Path]:
    """The content as a file that is gone afterwards, with the transfer's encoding undone and no other.

    Tries again from the start as a download would. Raises `ResponseTooLargeError` beyond `cap` bytes, and other
    `HttpError`s.
    """
    with TemporaryDirectory(prefix="ciexplore-") as directory:
        # The last part of the name only: its ending tells a tar from another compressed file.
        path = Path(directory) / f"content{Path(name.rpartition('/')[2]).name[-40:].replace('/', '_')}"
        waits = backoff_delays()
        for left in reversed(range(_TRIES)):
            try:
                with deployment.http.downloader() as connection, connection.open(url, cancel=cancel) as opened:
                    _write(opened, path, url, cap)
                break
            except HttpError as problem:
                if not problem.retryable or not left or is_too_long(problem.retry_after):
                    raise
                seconds = with_retry_after(next(waits), problem.retry_after)
                with deployment.http.waits.during(short_url_parts(url)[0], seconds, problem):
                    cancel.sleep(seconds)
        yield path


def _write(opened: Download, path: Path, url: str, cap: int) -> None:
    announced = opened.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > cap:
        raise _too_large(url, cap)
    written = 0
    try:
        with path.open("wb") as file:
            for piece in decode(opened.chunks(), opened.encoding):
                written += len(piece)
                if written > cap:
                    raise _too_large(url, cap)
                file.write(piece)
    except EncodingError as error:
        if type(error) is not EncodingError:
            raise incomplete(url) from error
        raise UnexpectedResponseError(
            f"{short_url(url)} sent a body that cannot be decoded.", "Download it as a file."
        ) from error


def _too_large(url: str, cap: int) -> ResponseTooLargeError:
    return too_large(url, cap)
