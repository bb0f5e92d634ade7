"""The jobs that have builds in a bucket, as a list: those that one has looked at first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.locators import InvalidLocatorError
from backends.locators.prow import ProwPath, ProwView, View, route
from backends.prow.archive import Archive
from backends.prow.profiles import deck_page
from backends.prow.source import pages
from backends.resources import Entry, Link, Page, Question, Resource, Row
from backends.systems import parse_locator

JOBS = Schema(
    (
        Column("job", Kind.TEXT, "Job", width=70, keeps_end=True),
        Column("visited", Kind.TEXT, "Visited"),
        Column("kind", Kind.TEXT, "Kind"),
        Column("rank", Kind.ID, "Rank", hidden=True, searched=False),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
    ),
    key="path",
)


class JobList(Resource):
    """One folder of jobs. `visited`: job -> "pinned" or "recent", in order; those come first."""

    schema = JOBS
    noun = ("job", "jobs")
    default_sort = ("rank", False)
    empty_text = "No jobs are here."

    def __init__(
        self, locator: ProwPath | ProwView, archive: Archive, visited: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(locator)
        self.archive = archive
        self.folder = locator.path
        self.prefix = locator.option("prefix") if isinstance(locator, ProwView) else ""
        self._visited = dict(visited or {})
        self._ranks = {job: f"{place:04d}" for place, job in enumerate(self._visited)}

    @property
    def title(self) -> str:
        return f"jobs {self.prefix}… in {self.archive.bucket}" if self.prefix else f"jobs in {self.archive.bucket}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        archive = self.archive
        kind = {"directory": "pull request", "batch": "batch"}.get(self.folder.rstrip("/").rpartition("/")[2], "")
        for listing in pages(archive.source, archive.bucket, self.folder + self.prefix, cancel=cancel):
            names = [(one.removeprefix(self.folder).rstrip("/"), one) for one in listing.folders]
            rows = [
                (
                    name,
                    self._visited.get(name),
                    kind or "periodic or postsubmit",
                    self._ranks.get(name, "9") + name,
                    path,
                )
                for name, path in names
            ]
            yield Page(JOBS.frame(rows), listing.origin, note=listing.note)

    def open(self, row: Row) -> ProwPath:
        return self.archive.at(str(row["path"]))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        archive, folder = self.archive, self.folder

        def beginning(text: str) -> ProwView:
            return ProwView(View.JOBS, archive.bucket, folder, (), (("prefix", text.strip()),), archive.store)

        entries: list[Entry] = [Question("Jobs whose names begin with …", "Beginning of the name", beginning)]
        at = folder.rfind("pr-logs/") if "pr-logs/" in folder else folder.rfind("logs/")
        root = folder[:at] if at > 0 else ""
        if "pr-logs" not in folder:
            entries.append(Link("Jobs of pull requests", archive.at(f"{root}pr-logs/directory/")))
        else:
            entries.append(Link("Periodic and postsubmit jobs", archive.at(f"{root}logs/")))
        return entries

    def web_url(self, row: Row | None = None) -> str | None:
        if row is None and self.prefix:
            return None  # no page shows a part of the jobs
        path = self.folder if row is None else str(row["path"])
        deck = deck_page(self.archive.bucket, path, "job-history") if row is not None else None
        return deck or self.archive.source.page(self.archive.bucket, path)


def visited_jobs(directory: Path, bucket: str) -> dict[str, str]:
    """The jobs of a bucket in the history that the app keeps, pinned ones first, then the latest."""
    try:
        told = json.loads((directory / "history.json").read_text("utf-8"))
        visits = [(one["pinned"] is True, float(one["at"]), str(one["text"])) for one in told]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    found: dict[str, str] = {}
    for pinned, _, text in sorted(visits, key=lambda visit: (not visit[0], -visit[1])):
        try:
            locator = parse_locator(text)
        except InvalidLocatorError:
            continue
        if isinstance(locator, ProwPath | ProwView) and locator.bucket == bucket and (job := route(locator.path).job):
            found.setdefault(job, "pinned" if pinned else "recent")
    return found
