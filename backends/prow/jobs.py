"""The jobs that have builds in a bucket, as a list: those that one has looked at first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.listings import Listing
from backends.locators import InvalidLocatorError
from backends.prow.bucket import BucketReader
from backends.prow.locators import JobsView, ProwPath, ProwView, route
from backends.resources import LIST, Entry, Link, Page, Question, Row
from backends.systems import parse_locator


class JobRow(msgspec.Struct, gc=False):
    """A row of `JOBS`. `rank` sorts visited jobs first; `path`: the job's folder in the bucket."""

    job: str
    visited: str | None
    kind: str
    rank: str
    path: str


JOBS = Schema(
    (
        Column("job", Kind.TEXT, "Job", width=70, keeps_end=True, section="Job", get="job"),
        Column("visited", Kind.TEXT, "Visited", section="Job", get="visited"),
        Column("kind", Kind.TEXT, "Kind", section="Job", get="kind"),
        Column("rank", Kind.ID, "Rank", hidden=True, searched=False, get="rank"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False, get="path"),
    ),
    key="path",
)


class ProwJobList(Listing):
    """One folder of jobs. Those in the app's history ("pinned" or "recent") come first."""

    schema = JOBS
    noun = ("job", "jobs")
    default_sort = (("rank", False),)
    empty_text = "This folder has no jobs."

    def __init__(self, locator: ProwPath | JobsView, bucket: BucketReader) -> None:
        super().__init__(locator)
        self.bucket = bucket
        self.folder = locator.path
        self.prefix = locator.prefix if isinstance(locator, JobsView) else ""

    @property
    def title(self) -> str:
        return f"jobs {self.prefix}… in {self.bucket.bucket}" if self.prefix else f"jobs in {self.bucket.bucket}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        state_path = self.bucket.state_path
        visited = visited_jobs(state_path, self.bucket.bucket) if state_path is not None else {}
        ranks = {job: f"{rank:04d}" for rank, job in enumerate(visited)}
        last = self.folder.rstrip("/").rpartition("/")[2]
        kind = {"directory": "pull request", "batch": "batch"}.get(last, "periodic or postsubmit")
        for page in self.bucket.list_pages(self.folder + self.prefix, cancel):
            rows = []
            for path in page.folders:
                job = path.removeprefix(self.folder).rstrip("/")
                rows.append(JobRow(job, visited.get(job), kind, ranks.get(job, "9") + job, path))
            yield Page(JOBS.build(rows), page.freshness, note=page.note)

    def open(self, row: Row) -> ProwPath:
        return self.bucket.locator(str(row["path"]))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        bucket, folder = self.bucket, self.folder

        def with_prefix(text: str) -> JobsView:
            return JobsView(bucket.bucket, folder, store=bucket.store, prefix=text.strip())

        label, hint = "Jobs whose names begin with …", "Beginning of the name"
        entries: list[Entry] = [Question(label, hint, with_prefix, letter="b", group=LIST)]
        start = folder.rfind("pr-logs/") if "pr-logs/" in folder else folder.rfind("logs/")
        root = folder[:start] if start > 0 else ""
        if "pr-logs" not in folder:
            pulls = bucket.locator(f"{root}pr-logs/directory/")
            entries.append(Link("Jobs of pull requests", pulls, letter="p", group=LIST))
        else:
            others = bucket.locator(f"{root}logs/")
            entries.append(Link("Periodic and postsubmit jobs", others, letter="o", group=LIST))
        return entries

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None and self.prefix:
            return None  # no page shows a part of the jobs
        if row is None:
            return self.bucket.blobs.web_page(self.bucket.bucket, self.folder)
        return self.bucket.web_page(str(row["path"]), "job-history")


def visited_jobs(directory: Path, bucket: str) -> dict[str, str]:
    """The jobs of a bucket in the history that the app keeps: job -> "pinned" or "recent", pinned ones first, then the
    latest."""
    try:
        history = json.loads((directory / "history.json").read_text("utf-8"))
        visits = [(visit["pinned"] is True, float(visit["at"]), str(visit["text"])) for visit in history]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    jobs: dict[str, str] = {}
    for pinned, _, text in sorted(visits, key=lambda visit: (not visit[0], -visit[1])):
        try:
            locator = parse_locator(text)
        except InvalidLocatorError:
            continue
        if isinstance(locator, ProwPath | ProwView) and locator.bucket == bucket and (job := route(locator.path).job):
            jobs.setdefault(job, "pinned" if pinned else "recent")
    return jobs
