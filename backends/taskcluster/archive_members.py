"""What is in an archive artifact, member by member; the archive is fetched into a temporary file for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.extraction.members import FILE, MEMBER_SCHEMA, list_members, read_member
from backends.frames.formats import format_bytes
from backends.http.backoff import backoff_delays, is_too_long, with_retry_after
from backends.http.content_encoding import EncodingError
from backends.http.content_encoding import decode as decode_body
from backends.http.errors import (
    HttpError,
    OfflineError,
    UnexpectedResponseError,
    incomplete,
    short_url,
    short_url_parts,
    too_large,
)
from backends.http.policies import Mode
from backends.http.response import Freshness
from backends.image_headers import is_image
from backends.images import MAX_BYTES
from backends.resources import Detail, ImageFile, Page, Row, ViewTarget
from backends.taskcluster.client import Client
from backends.taskcluster.contents import ContentList
from backends.taskcluster.locators import ArtifactContents, Task
from backends.taskcluster.urls import artifact_url
from backends.transfers.files import RemoteFile, default_parts

if TYPE_CHECKING:
    from backends.http import Download

ARCHIVE_CAP = 1 << 30  # bytes of an archive that are fetched to list it
_TRIES = 5


class ArchiveMemberList(ContentList):
    """Name, size and kind of each member (`MEMBER_SCHEMA`), in the archive's order, without extracting anything.

    The archive is fetched into a temporary file; `pages` raises `FileError`s for what is not an archive, is damaged or
    is a bomb, and `ResponseTooLargeError` above `ARCHIVE_CAP`.
    """

    schema = MEMBER_SCHEMA
    noun = ("member", "members")
    empty_text = "This archive is empty."

    def __init__(self, locator: ArtifactContents, client: Client) -> None:
        super().__init__(locator, client)
        self.url = artifact_url(client.root, locator.task_id, locator.run, locator.name)

    @property
    def title(self) -> str:
        return f"members of {self.contents.name.rpartition('/')[2]}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        if self.client.http.mode is Mode.OFFLINE:
            raise OfflineError("Offline: an archive has to be fetched to list its members.", "Leave offline mode.")
        with fetch_to_file(self.client, self.url, self.contents.name, ARCHIVE_CAP, cancel) as path:
            yield Page(list_members(path, cancel=cancel), Freshness())

    def shows(self, row: Row) -> ViewTarget | None:
        """An image, for which the archive is fetched again; nothing of other members."""
        number, name = int(row["number"]), str(row.get("name") or "")
        if row.get("kind") != FILE or not is_image(name, ""):
            return None

        def read(cancel: CancelToken) -> bytes:
            with fetch_to_file(self.client, self.url, self.contents.name, ARCHIVE_CAP, cancel) as path:
                return read_member(path, number, MAX_BYTES, cancel=cancel)

        title = f"{name.rpartition('/')[2]} in {self.contents.name.rpartition('/')[2]}"
        return ImageFile(title, self.contents, read, size=row.get("size"), web_url=self.web_url())

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """The archive itself: its members cannot be fetched one by one."""
        one = self.contents
        status, _ = self.client.fetch_status(one.task_id, cancel)
        run = one.run if one.run is not None else max(len(status.runs) - 1, 0)
        definition, _ = self.client.fetch_definition(one.task_id, cancel)
        parts = default_parts(status.taskGroupId or "", definition.metadata.name, one.task_id, run, one.name)
        key = f"{self.client.root}/{one.task_id}/{run}/{one.name}"
        origin, task = definition.metadata.name or one.task_id, Task(one.task_id, run, self.client.root)
        yield [RemoteFile(key=key, name=one.name, url=self.url, parts=parts, origin=origin, listed_in=task)]

    def detail(self, row: Row) -> Detail:
        size = row.get("size")
        lines = (
            ("Kind", str(row.get("kind") or "")),
            *((("Size", f"{format_bytes(size)} ({size:,} B)"),) if size is not None else ()),
            ("Archive", self.contents.name),
        )
        return Detail(str(row.get("name") or ""), (("Member", lines),))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 MB unpacked · 1 symbolic link"; what unpacking would leave out is named."""
        odd = dict(frame.filter(~pl.col("kind").is_in(["file", "directory"]))["kind"].value_counts().iter_rows())
        others = [f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in sorted(odd.items())]
        return " · ".join([f"{format_bytes(int(frame['size'].sum()))} unpacked", *others])


@contextmanager
def fetch_to_file(client: Client, url: str, name: str, cap: int, cancel: CancelToken) -> Iterator[Path]:
    """The content as a temporary file, with the transfer's encoding undone and no other.

    Tries again from the start as a download would. Raises `ResponseTooLargeError` beyond `cap` bytes, and other
    `HttpError`s.
    """
    with TemporaryDirectory(prefix="ciexplore-") as directory:
        # The last part of the name only: its ending tells a tar from another compressed file.
        path = Path(directory) / f"content{Path(name.rpartition('/')[2]).name[-40:].replace('/', '_')}"
        delays = backoff_delays()
        for left in reversed(range(_TRIES)):
            try:
                with client.http.downloader() as connection, connection.open(url, cancel=cancel) as download:
                    _write(download, path, url, cap)
                break
            except HttpError as error:
                if not error.retryable or not left or is_too_long(error.retry_after):
                    raise
                seconds = with_retry_after(next(delays), error.retry_after)
                with client.http.waits.during(short_url_parts(url)[0], seconds, error):
                    cancel.sleep(seconds)
        yield path


def _write(download: Download, path: Path, url: str, cap: int) -> None:
    announced = download.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > cap:
        raise too_large(url, cap)
    written = 0
    try:
        with path.open("wb") as file:
            for piece in decode_body(download.chunks(), download.encoding):
                written += len(piece)
                if written > cap:
                    raise too_large(url, cap)
                file.write(piece)
    except EncodingError as error:
        if type(error) is not EncodingError:
            raise incomplete(url) from error
        raise UnexpectedResponseError(
            f"{short_url(url)} sent a body that cannot be decoded.", "Download it as a file."
        ) from error
