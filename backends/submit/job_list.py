"""The lists of the pane: jobs with their lint state, findings, previews, and what Treeherder would generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.config import Settings
from backends.frames.schema import Column, Kind, Schema
from backends.http import Http
from backends.http.response import Freshness
from backends.locators.submit import JobFile, OutboxLocator, TaskJobs
from backends.resources import Action, Detail, Document, Link, Page, Resource, Row
from backends.resources import Entry as MenuEntry
from backends.submit.findings import FINDINGS, Level, Report, findings_frame
from backends.submit.forms import Entry
from backends.submit.generation import GENERATION, generation_frame
from backends.submit.lint import lint
from backends.submit.preview import PREVIEW, drawn, preview_frame
from backends.submit.source import entries_of, named

JOBS = Schema(
    (
        Column("lint", Kind.STATE, "Lint", width=9),
        Column("symbol", Kind.TEXT, "Symbol"),
        Column("name", Kind.TEXT, "Job", width=30),
        Column("shown", Kind.STATE, "Shown as"),
        Column("errors", Kind.COUNT, "Errors"),
        Column("warnings", Kind.COUNT, "Warnings"),
        Column("platform", Kind.TEXT, "Platform row"),
        Column("tier", Kind.COUNT, "Tier"),
        Column("first", Kind.TEXT, "First finding"),
        Column("project", Kind.TEXT, "Project"),
        Column("form", Kind.TEXT, "Form"),
        Column("place", Kind.TEXT, "Place"),
        Column("revision", Kind.ID, "Revision", hidden=True),
        Column("job", Kind.ID, "Job id", hidden=True),
    ),
    key="entry",
)
VIEWS = {
    "jobs": "Jobs",
    "lint": "Lint: errors and what to write instead",
    "preview": "Preview: as Treeherder would draw them",
    "generation": "Treeherder will generate ... (posting rules)",
}


def jobs_frame(reports: Sequence[Report]) -> pl.DataFrame:
    """One row an entry (schema `JOBS`), in their order."""
    rows: list[tuple[object, ...]] = []
    for report in reports:
        entry, one = report.entry, drawn(report.entry)
        first = next(
            (f"{found.path}: {found.message}" for found in report.findings if found.level is not Level.INFO), ""
        )
        rows.append(
            (
                entry.key,
                report.verdict,
                one.symbol if one else "",
                one.name if one else "",
                one.shown if one else "",
                report.count(Level.ERROR),
                report.count(Level.WARNING),
                one.platform if one else "",
                one.tier if one else None,
                first,
                one.project if one else "",
                str(entry.form),
                entry.place,
                one.revision if one else "",
                entry.job_id,
            )
        )
    return JOBS.frame(rows)


class SubmissionList(Resource):
    """What the lists of one file have in common: the entries, read once, and where else one can go from here."""

    def __init__(self, locator: JobFile | TaskJobs, http: Http, settings: Settings) -> None:
        super().__init__(locator)
        self.source: JobFile | TaskJobs = locator
        self._http, self._settings = http, settings
        self._entries: dict[str, Entry] = {}  # by their key

    @property
    def title(self) -> str:
        if isinstance(self.source, JobFile):
            name = Path(self.source.path).name
        else:
            count = len(self.source.task_ids)
            name = "1 task" if count == 1 else f"{count:,} tasks"
        view = self.source.view
        return name if self.source.view == "jobs" else f"{name}: {view}"

    def read(self, cancel: CancelToken) -> list[Entry]:
        """The entries, those of one number if the locator says so; kept, so that what is published is what is shown."""
        found = entries_of(self.source, self._http, self._settings, cancel)
        wanted = self.source.entry
        self._entries = {entry.key: entry for entry in found if wanted in (None, entry.number)}
        return list(self._entries.values())

    def entry(self, row: Row) -> Entry | None:
        return self._entries.get(str(row.get("entry")))

    def document(self, row: Row) -> Document | None:
        entry = self.entry(row)
        if entry is None or entry.broken:
            return None
        return Document(named(entry), self.locator, lambda cancel: entry.body)

    def detail(self, row: Row) -> Detail | None:
        """All that the row says, whole; the table cuts it."""
        from backends.frames.formats import format_value

        texts = tuple(
            (column.label, format_value(row[column.name], column))
            for column in self.schema
            if row.get(column.name) not in (None, "")
        )
        return Detail(str(row.get("symbol") or row.get("job") or "Job"), (("Job", texts),))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[MenuEntry]:
        links: list[MenuEntry] = [
            Link(label, self.elsewhere(view)) for view, label in VIEWS.items() if view != self.source.view
        ]
        return [*links, Link("Outbox: what was queued and sent", OutboxLocator()), *self._publishings(rows)]

    def elsewhere(self, view: str, entry: int | None = None) -> JobFile | TaskJobs:
        """Another view of the same jobs."""
        if isinstance(self.source, JobFile):
            return JobFile(self.source.path, view, entry, self.source.form)
        return TaskJobs(self.source.task_ids, self.source.root_url, view, entry)

    def _publishings(self, rows: pl.DataFrame) -> list[Action]:
        from backends.submit.actions import publishings

        if "entry" not in rows.columns or rows.is_empty():
            return []
        chosen = [self._entries[key] for key in rows["entry"] if key in self._entries]
        return publishings(lambda cancel: chosen, len(chosen), self._settings, self._http) if chosen else []


class JobList(SubmissionList):
    """The jobs of a file; Enter shows what was found in one, or the job itself where nothing was."""

    schema: ClassVar[Schema] = JOBS
    noun: ClassVar[tuple[str, str]] = ("job", "jobs")
    empty_text: ClassVar[str] = "There is no job in it."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._reports = {report.entry.key: report for report in lint(self.read(cancel), cancel)}
        frame = jobs_frame(list(self._reports.values()))
        yield Page(frame, Freshness(), len(frame), replace=True)

    def open(self, row: Row) -> JobFile | TaskJobs | None:
        entry = self.entry(row)
        return None if entry is None else self.elsewhere("lint", entry.number)

    def shows(self, row: Row) -> Any:
        found = row.get("errors", 0) or row.get("warnings", 0)
        return self.open(row) if found else self.document(row) or self.open(row)

    def detail(self, row: Row) -> Detail | None:
        report = getattr(self, "_reports", {}).get(row["entry"])
        if report is None:
            return None
        findings = tuple(
            (f"{one.level} {one.path}", f"{one.message}{f' → {one.instead}' if one.instead else ''}")
            for one in report.findings[:50]
        )
        job = tuple(
            (label, str(row[name]))
            for name, label in (
                ("job", "Job id"),
                ("name", "Name"),
                ("revision", "Revision"),
                ("form", "Form"),
                ("place", "Place"),
            )
            if row.get(name)
        )
        sections = [("Job", job)] + ([("Lint", findings)] if findings else [])
        return Detail(f"{row['symbol']} {row['lint']}".strip(), tuple(sections))

    def summary(self, frame: pl.DataFrame) -> str:
        failed, warned = (int((frame["lint"] == word).sum()) for word in ("failed", "warning"))
        return f"{failed:,} with errors, {warned:,} with warnings" if len(frame) else ""


class FindingList(SubmissionList):
    """What the lint found, one row a finding; Enter shows the job as a tree."""

    schema: ClassVar[Schema] = FINDINGS
    noun: ClassVar[tuple[str, str]] = ("finding", "findings")
    empty_text: ClassVar[str] = "Nothing to complain about."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        entries = entries_of(self.source, self._http, self._settings, cancel, for_lint=True)
        self._entries = {entry.key: entry for entry in entries if self.source.entry in (None, entry.number)}
        reports = lint(entries, cancel)  # all of them: what is twice shows only beside the others
        frame = findings_frame(report for report in reports if self.source.entry in (None, report.entry.number))
        yield Page(frame, Freshness(), len(frame), replace=True)

    def entry(self, row: Row) -> Entry | None:
        return self._entries.get(str(row.get("finding", "")).rpartition("/")[0])

    def shows(self, row: Row) -> Document | None:
        return self.document(row)

    def detail(self, row: Row) -> Detail | None:
        texts = (
            ("Path", row["path"]),
            ("Rule", row["rule"]),
            ("Wrong", row["message"]),
            ("Write instead", row["instead"]),
            ("Job", row["job"]),
            ("File", f"{row['file']} {row['place']}".strip()),
        )
        return Detail(row["level"], (("Finding", tuple((label, text) for label, text in texts if text)),))

    def summary(self, frame: pl.DataFrame) -> str:
        counts = {level: int((frame["level"] == str(level)).sum()) for level in Level}
        return ", ".join(f"{count:,} {level}{'s' if count != 1 else ''}" for level, count in counts.items() if count)


class PreviewList(SubmissionList):
    """How Treeherder would draw the jobs, and how they differ from what the configured server has."""

    schema: ClassVar[Schema] = PREVIEW
    noun: ClassVar[tuple[str, str]] = ("job", "jobs")
    empty_text: ClassVar[str] = "There is no job in it that could be drawn."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        from backends.errors import AppError, OperationCancelledError
        from backends.submit.routes import hawk_server
        from backends.submit.server_jobs import changes

        entries = self.read(cancel)
        frame = preview_frame(entries)
        yield Page(frame, Freshness(), len(frame), replace=True)
        try:
            differing = changes(entries, self._http, hawk_server(self._settings), cancel)
        except OperationCancelledError:
            raise
        except AppError as problem:
            note = f"What the server has is not known: {problem.sentence}"
            yield Page(frame, Freshness(), len(frame), replace=True, note=note)
        else:
            yield Page(preview_frame(entries, differing), Freshness(), len(frame), replace=True)

    def shows(self, row: Row) -> Document | None:
        return self.document(row)


class GenerationList(SubmissionList):
    """What Treeherder would generate of each job's logs and artifacts, by the five posting rules."""

    schema: ClassVar[Schema] = GENERATION
    noun: ClassVar[tuple[str, str]] = ("job", "jobs")
    empty_text: ClassVar[str] = "There is no job in it that the posting rules speak of."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        frame = generation_frame(self.read(cancel))
        note = "These rules describe servers up to September 2018."
        yield Page(frame, Freshness(), len(frame), replace=True, note=note)

    def shows(self, row: Row) -> Document | None:
        return self.document(row)


LISTS: dict[str, type[SubmissionList]] = {
    "jobs": JobList,
    "lint": FindingList,
    "preview": PreviewList,
    "generation": GenerationList,
}
