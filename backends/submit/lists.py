"""The lists of the pane: jobs with their lint state, findings, previews, posting rules, and the outbox."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import polars as pl

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import AppError, OperationCancelledError
from backends.frames.schema import Column, Kind, Schema
from backends.http import Http
from backends.http.response import Freshness
from backends.listings import Listing
from backends.locators import Locator
from backends.resources import LIST, ROWS, Action, Detail, Document, Entry, Link, Page, Progress, Row, digit_key
from backends.submit.entries import JobEntry
from backends.submit.lint import FINDINGS, LintReport, findings_frame, lint
from backends.submit.locators import JobFile, OutboxLocator, TaskJobs
from backends.submit.outbox import Outbox, open_outbox
from backends.submit.posting_rules import POSTING_RULES, posting_rules_frame
from backends.submit.preview import PREVIEW, JobPreview, compare_with_server, preview_frame, preview_job
from backends.submit.publishers import hawk_server, publish_actions, send_actions
from backends.submit.read import read_locator
from backends.submit.validation import Level

_CHANGE_LETTERS = {"retry": "r", "cancel": "c", "forget": "f"}  # of the outbox
VIEWS = {
    "jobs": "Jobs",
    "lint": "Lint: errors and what to write instead",
    "preview": "Preview: as Treeherder would show them",
    "generation": "Posting rules: what Treeherder would generate",
}


@dataclass(frozen=True)
class SubmitContext:
    """What the lists are constructed with."""

    http: Http
    settings: Settings


def submit_context(locator: Locator, http: Http, settings: Settings) -> SubmitContext:
    return SubmitContext(http, settings)


class JobDataList(Listing):
    """Base of the lists of one file's (or some tasks') jobs: the entries, read once, and what else can be opened."""

    locator: JobFile | TaskJobs

    def __init__(self, locator: JobFile | TaskJobs, context: SubmitContext) -> None:
        super().__init__(locator)
        self.context = context
        self._entries: dict[str, JobEntry] = {}  # by their key

    @property
    def title(self) -> str:
        if isinstance(self.locator, JobFile):
            name = Path(self.locator.path).name
        else:
            count = len(self.locator.task_ids)
            name = "job data of 1 task" if count == 1 else f"job data of {count:,} tasks"
        return name if self.locator.view == "jobs" else f"{name}: {self.locator.view}"

    def _read(self, cancel: CancelToken, *, for_lint: bool = False) -> list[JobEntry]:
        """All entries. Those of the list are kept: what is published is what was shown."""
        entries = read_locator(self.locator, self.context.http, self.context.settings, cancel, for_lint=for_lint)
        self._entries = {entry.key: entry for entry in entries if self.locator.entry in (None, entry.number)}
        return entries

    def entry(self, row: Row) -> JobEntry | None:
        return self._entries.get(str(row.get("entry")))

    def document(self, row: Row) -> Document | None:
        entry = self.entry(row)
        if entry is None or entry.parse_error:
            return None
        job = preview_job(entry)
        name = f"{job.symbol} {job.name}".strip() if job is not None else ""
        return Document(name or f"{entry.form} {entry.place}".strip(), self.locator, lambda cancel: entry.body)

    def shows(self, row: Row) -> Locator | Document | None:
        return self.document(row)

    def row_title(self, row: Row) -> str:
        return str(row.get("symbol") or row.get("job") or "Job")

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        links = [
            Link(label, self.with_view(view), letter=digit_key(number), group=LIST)
            for number, (view, label) in enumerate(VIEWS.items())
            if view != self.locator.view
        ]
        actions: list[Action] = []
        keys = rows["entry"].to_list() if "entry" in rows.columns else []
        if chosen := [self._entries[key] for key in keys if key in self._entries]:
            actions = publish_actions(lambda cancel: chosen, len(chosen), self.context.settings, self.context.http)
        outbox = Link("Outbox: what was queued and sent", OutboxLocator(), letter="o", group=LIST)
        return [*actions, *links, outbox]

    def with_view(self, view: str, entry: int | None = None) -> JobFile | TaskJobs:
        """Another view of the same jobs."""
        return replace(self.locator, view=view, entry=entry)


def _all(frame: pl.DataFrame, note: str = "") -> Page:
    return Page(frame, Freshness(), len(frame), replace=True, note=note)


class _JobRow(NamedTuple):
    report: LintReport
    entry: JobEntry
    job: JobPreview


def _first_finding(row: _JobRow) -> str:
    return next((f"{one.path}: {one.message}" for one in row.report.findings if one.level is not Level.INFO), "")


JOBS = Schema(
    (
        Column("lint", Kind.STATE, "Lint", width=9, get="report.verdict"),
        Column("symbol", Kind.TEXT, "Symbol", get="job.symbol"),
        Column("name", Kind.TEXT, "Job", width=30, get="job.name", section="Job"),
        Column("shown", Kind.STATE, "Shown as", get="job.shown"),
        Column("errors", Kind.COUNT, "Errors", get=lambda row: row.report.count(Level.ERROR)),
        Column("warnings", Kind.COUNT, "Warnings", get=lambda row: row.report.count(Level.WARNING)),
        Column("platform", Kind.TEXT, "Platform row", get="job.platform"),
        Column("tier", Kind.COUNT, "Tier", get="job.tier"),
        Column("first", Kind.TEXT, "First finding", get=_first_finding),
        Column("project", Kind.TEXT, "Project", get="job.project"),
        Column("form", Kind.TEXT, "Form", get=lambda row: str(row.entry.form), section="Job"),
        Column("place", Kind.TEXT, "Place", get="entry.place", section="Job"),
        Column("revision", Kind.ID, "Revision", hidden=True, get="job.revision", section="Job"),
        Column("job", Kind.ID, "Job id", hidden=True, get="entry.job_id", section="Job"),
    ),
    key="entry",
    key_get="entry.key",
)


def jobs_frame(reports: Iterable[LintReport]) -> pl.DataFrame:
    """One row per entry (schema `JOBS`), in their order."""
    blank = JobPreview()
    return JOBS.build([_JobRow(report, report.entry, preview_job(report.entry) or blank) for report in reports])


class JobEntryList(JobDataList):
    """The jobs of a file; Enter shows the findings in one, or the job itself if there are none."""

    schema: ClassVar[Schema] = JOBS
    noun: ClassVar[tuple[str, str]] = ("job", "jobs")
    empty_text: ClassVar[str] = "No jobs."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._read(cancel)
        self._reports = {report.entry.key: report for report in lint(list(self._entries.values()), cancel)}
        yield _all(jobs_frame(self._reports.values()))

    def open(self, row: Row) -> JobFile | TaskJobs | None:
        entry = self.entry(row)
        return None if entry is None else self.with_view("lint", entry.number)

    def shows(self, row: Row) -> Locator | Document | None:
        found = row.get("errors", 0) or row.get("warnings", 0)
        return self.open(row) if found else self.document(row) or self.open(row)

    def row_title(self, row: Row) -> str:
        return f"{row['symbol']} {row['lint']}".strip()

    def detail(self, row: Row) -> Detail:
        detail = super().detail(row)
        report = self._reports[row["entry"]]
        findings = tuple(
            (f"{one.level} {one.path}", f"{one.message}{f' → {one.suggestion}' if one.suggestion else ''}")
            for one in report.findings[:50]
        )
        return replace(detail, sections=(*detail.sections, ("Lint", findings))) if findings else detail

    def summary(self, frame: pl.DataFrame) -> str:
        failed, warned = (int((frame["lint"] == verdict).sum()) for verdict in ("failed", "warning"))
        return f"{failed:,} with errors, {warned:,} with warnings" if len(frame) else ""


class FindingList(JobDataList):
    """What the lint found, one row per finding; Enter shows the job as a tree."""

    schema: ClassVar[Schema] = FINDINGS
    noun: ClassVar[tuple[str, str]] = ("finding", "findings")
    empty_text: ClassVar[str] = "No problems found."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        reports = lint(self._read(cancel, for_lint=True), cancel)  # all: duplicates show only beside the others
        yield _all(findings_frame(report for report in reports if report.entry.key in self._entries))

    def entry(self, row: Row) -> JobEntry | None:
        return self._entries.get(str(row.get("finding", "")).rpartition("/")[0])

    def row_title(self, row: Row) -> str:
        return str(row["level"])

    def summary(self, frame: pl.DataFrame) -> str:
        counts = {level: int((frame["level"] == str(level)).sum()) for level in Level}
        return ", ".join(f"{count:,} {level}{'s' if count != 1 else ''}" for level, count in counts.items() if count)


class PreviewList(JobDataList):
    """How Treeherder would show the jobs, and how they differ from what the configured server has."""

    schema: ClassVar[Schema] = PREVIEW
    noun: ClassVar[tuple[str, str]] = ("job", "jobs")
    empty_text: ClassVar[str] = "No jobs that could be previewed."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._read(cancel)
        entries = list(self._entries.values())
        frame = preview_frame(entries)
        yield _all(frame)
        try:
            server = hawk_server(self.context.settings)
            changes = compare_with_server(entries, self.context.http, server, cancel)
        except OperationCancelledError:
            raise
        except AppError as error:
            yield _all(frame, f"Cannot compare with the server: {error.sentence}")
        else:
            yield _all(preview_frame(entries, changes))


class PostingRuleList(JobDataList):
    """What Treeherder would generate from each job's logs and artifacts, by the five posting rules."""

    schema: ClassVar[Schema] = POSTING_RULES
    noun: ClassVar[tuple[str, str]] = ("job", "jobs")
    empty_text: ClassVar[str] = "No jobs that the posting rules apply to."

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._read(cancel)
        frame = posting_rules_frame(self._entries.values())
        yield _all(frame, "These rules describe servers up to September 2018.")


def _time(name: str, label: str, *, hidden: bool = False) -> Column:
    return Column(
        name,
        Kind.TIME,
        label,
        hidden=hidden,
        get=lambda row: round(getattr(row, name) * 1000),
        cell=pl.Int64(),
    )


OUTBOX = Schema(
    (
        Column("state", Kind.STATE, "State", width=14, get="state", section="Job"),
        Column("symbol", Kind.TEXT, "Symbol", get="symbol"),
        Column("words", Kind.TEXT, "Response", width=40, get="words", section="Job"),
        Column("job", Kind.ID, "Job", get="job", section="Job"),
        Column("project", Kind.TEXT, "Project", get="project", section="Job"),
        Column("route", Kind.TEXT, "Via", get="route", section="Job"),
        Column("destination", Kind.TEXT, "Destination", keeps_end=True, get="destination", section="Job"),
        Column("attempts", Kind.COUNT, "Tries", get="attempts"),
        _time("changed", "Changed"),
        _time("queued", "Queued", hidden=True),
        Column("routing_key", Kind.TEXT, "Routing key", hidden=True, get="routing_key", section="Job"),
        Column("size", Kind.BYTES, "Size", hidden=True, get="size"),
        Column("file", Kind.TEXT, "File", hidden=True, keeps_end=True, get="file", section="Job"),
    ),
    key="number",
    key_get="number",
)


def outbox_frame(outbox: Outbox, since: float = 0.0) -> pl.DataFrame:
    """One row per message (schema `OUTBOX`), oldest first; only those that changed at or after `since`."""
    return OUTBOX.build(outbox.rows(since))


class OutboxList(Listing):
    """What is in the outbox; refreshed every second while it is shown."""

    schema: ClassVar[Schema] = OUTBOX
    noun: ClassVar[tuple[str, str]] = ("job in the outbox", "jobs in the outbox")
    empty_text: ClassVar[str] = "The outbox is empty: open a file of jobs (submit:FILE) and press x to publish."
    poll_seconds: ClassVar[float] = 1.0

    def __init__(self, locator: OutboxLocator, context: SubmitContext) -> None:
        super().__init__(locator)
        self.context = context
        self._read_at = 0.0

    @property
    def title(self) -> str:
        return "outbox of job data"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._read_at = time.time()
        with open_outbox(self.context.settings) as outbox:
            frame = outbox_frame(outbox)
        yield _all(frame)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        since, self._read_at = self._read_at, time.time()
        with open_outbox(self.context.settings) as outbox:
            return Page(outbox_frame(outbox, since - 0.001), Freshness())

    def shows(self, row: Row) -> Document | None:
        return self.document(row)

    def document(self, row: Row) -> Document | None:
        def read(cancel: CancelToken) -> Any:
            with open_outbox(self.context.settings) as outbox:
                return outbox.body(int(row["number"]))

        return Document(f"{row['symbol']} {row['job']}".strip(), self.locator, read)

    def row_title(self, row: Row) -> str:
        return f"{row['symbol']} {row['state']}"

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        numbers = [int(number) for number in rows["number"].to_list()]
        states = set(rows["state"].to_list())
        entries: list[Entry] = []
        if states & {"returned", "failed", "cancelled"}:
            entries.append(self._change("Queue again (returned, failed, cancelled)", "retry", "queued again", numbers))
        if states & {"queued", "returned", "failed"}:
            entries.append(self._change("Cancel (not yet acknowledged)", "cancel", "cancelled", numbers, ask=True))
        if states & {"acknowledged", "cancelled"}:
            entries.append(self._change("Forget (acknowledged, cancelled)", "forget", "removed", numbers, ask=True))
        return [*entries, *send_actions(self.context.settings, self.context.http)]

    def _change(self, label: str, method: str, done: str, numbers: list[int], *, ask: bool = False) -> Action:
        def run(cancel: CancelToken, progress: Progress) -> str:
            with open_outbox(self.context.settings) as outbox:
                return f"{getattr(outbox, method)(numbers):,} {done}."

        confirm = f"{label.partition(' (')[0]}: {len(numbers):,} rows?" if ask else ""
        return Action(label, run, confirm, letter=_CHANGE_LETTERS[method], group=ROWS)

    def summary(self, frame: pl.DataFrame) -> str:
        counts = frame["state"].value_counts(sort=True).rows() if len(frame) else []
        return ", ".join(f"{count:,} {state}" for state, count in counts)
