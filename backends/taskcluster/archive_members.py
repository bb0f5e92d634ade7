"""What is in an archive that a task left: its members as a list, read without unpacking anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.extraction.members import MEMBER_SCHEMA, list_members
from backends.frames.formats import format_bytes
from backends.http.errors import OfflineError
from backends.http.policies import Mode
from backends.http.response import Freshness
from backends.locators.taskcluster_views import Contents
from backends.resources import Detail, Page, Resource, Row
from backends.taskcluster import roots
from backends.taskcluster.artifact_contents import ARCHIVE_CAP, spooled
from backends.taskcluster.queue import Deployment
from backends.transfers.files import RemoteFile, default_parts

if TYPE_CHECKING:
    from backends.http import Http


class ArchiveMembers(Resource):
    """Name, size and kind of each member (`unpacking.LISTING`), in the archive's order.

    The archive is fetched into a file that is gone afterwards; `pages` raises `FileError`s for what is no archive,
    is damaged or is a bomb, and `ResponseTooLargeError` above `ARCHIVE_CAP`.
    """

    schema = MEMBER_SCHEMA
    noun = ("member", "members")
    empty_text = "This archive is empty."

    def __init__(self, locator: Contents, http: Http, root: str) -> None:
        super().__init__(locator)
        self.contents = locator
        self.deployment = Deployment(http, root)
        self.url = roots.artifact_url(root, locator.task_id, locator.run, locator.name)

    @property
    def title(self) -> str:
        return f"in {self.contents.name.rpartition('/')[2]}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        if self.deployment.http.mode is Mode.OFFLINE:
            raise OfflineError("Offline: an archive has to be fetched to be looked into.", "Leave offline mode.")
        with spooled(self.deployment, self.url, self.contents.name, ARCHIVE_CAP, cancel) as path:
            yield Page(list_members(path, cancel=cancel), Freshness())

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """The archive itself: its members cannot be had one by one."""
        one = self.contents
        status, _ = self.deployment.status(one.task_id, cancel)
        run = one.run if one.run is not None else max(len(status.runs) - 1, 0)
        definition, _ = self.deployment.task(one.task_id, cancel)
        parts = default_parts(status.taskGroupId or "", definition.metadata.name, one.task_id, run, one.name)
        key = f"{self.deployment.root}/{one.task_id}/{run}/{one.name}"
        yield [RemoteFile(key=key, name=one.name, url=self.url, parts=parts)]

    def detail(self, row: Row) -> Detail:
        size = row.get("size")
        told = (
            ("Kind", str(row.get("kind") or "")),
            *((("Size", f"{format_bytes(size)} ({size:,} B)"),) if size is not None else ()),
            ("Archive", self.contents.name),
        )
        return Detail(str(row.get("name") or ""), (("Member", told),))

    def web_url(self, row: Row | None = None) -> str:
        one = self.contents
        return roots.artifact_page(self.deployment.root, one.task_id, one.run or 0, one.name)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 MB unpacked · 1 symbolic link"; what unpacking would leave out is named."""
        odd = dict(frame.filter(~pl.col("kind").is_in(["file", "directory"]))["kind"].value_counts().iter_rows())
        told = [f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in sorted(odd.items())]
        return " · ".join([f"{format_bytes(int(frame['size'].sum()))} unpacked", *told])
