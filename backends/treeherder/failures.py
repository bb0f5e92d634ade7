"""The failure lines of a job as Treeherder read them from its log, and the bugs that they look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.locators.perfherder import JobFailures, SimilarJobs
from backends.locators.perfherder_pages import job_url
from backends.resources import Detail, Entry, Link, LogAddress, Page, Row
from backends.treeherder.listed import TreeherderList, Where, log_of, task_of, told

LINES = Schema(
    (
        Column("line_number", Kind.COUNT, "Line"),
        Column("line", Kind.TEXT, "Failure", width=70),
        Column("bugs", Kind.TEXT, "Bugs like it"),
        Column("bug_summary", Kind.TEXT, "First of them", width=40),
        Column("new", Kind.TEXT, "New"),
        Column("search", Kind.TEXT, "Searched for", hidden=True),
    ),
    key="key",
)
BUG_PAGE = "https://bugzilla.mozilla.org/show_bug.cgi?id="


class FailureLines(TreeherderList):
    """One row a failure line. Enter: the log."""

    schema = LINES
    noun = ("failure line", "failure lines")
    empty_text = "Treeherder found no failure line in this job's log, or has not read it."
    locator: JobFailures

    def __init__(self, locator: JobFailures, where: Where) -> None:
        super().__init__(locator, where)
        self._job: Row = {}
        self._root = ""

    @property
    def title(self) -> str:
        return f"failures of {self._job.get('name') or f'job {self.locator.job_id}'}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        at = self.locator
        job = self.treeherder.job(at.repository, at.job_id, cancel).frame
        self._job = job.row(0, named=True) if len(job) else {}
        self._root = self.root_of(at.repository, cancel)
        lines, origin = self.treeherder.log_errors(at.repository, at.job_id, cancel)
        note = ""
        suggestions: list[dict[str, Any]] = []
        try:
            suggestions = self.treeherder.bug_suggestions(at.repository, at.job_id, cancel)
        except HttpError as problem:
            note = f"Bugs could not be looked for: {problem.sentence}"
        by_line = {one["line_number"]: one for one in suggestions if isinstance(one.get("line_number"), int)}
        rows = [
            (str(line.id), line.line_number, line.line, *_bugs(by_line.get(line.line_number or -1, {})),
             "yes" if line.new_failure else None, _text(by_line.get(line.line_number or -1, {}).get("search")))
            for line in lines
        ]  # fmt: skip
        yield Page(LINES.frame(rows), origin, total=len(rows), note=note)

    def log(self, row: Row) -> LogAddress | None:
        return log_of(self._job, self._root)

    def shows(self, row: Row) -> LogAddress | None:
        return self.log(row)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        task = task_of(self._job, self._root)
        found: list[Entry] = [] if task is None else [Link("The task and its artifacts", task)]
        found.append(
            Link("Jobs like it, newest first", SimilarJobs(self.locator.repository, self.locator.job_id, self.server))
        )
        bugs = str((row or {}).get("bugs") or "").split()
        return found + [Link(f"Bug {bug} in the browser", f"{BUG_PAGE}{bug}") for bug in bugs[:10]]

    def detail(self, row: Row) -> Detail:
        return Detail(f"Line {row['line_number']}", (("Failure", told(row, LINES, LINES.names[1:])),))

    def web_url(self, row: Row | None = None) -> str:
        return job_url(self.treeherder.base, self.locator, None if row is None else row["line_number"])


def _bugs(suggestion: dict[str, Any]) -> tuple[str | None, str | None]:
    """(numbers of the bugs, open and recent ones first; the summary of the first)."""
    told_of = suggestion.get("bugs")
    listed = [*_items(told_of, "open_recent"), *_items(told_of, "all_others")]
    known = [(bug["id"], bug.get("summary")) for bug in listed if isinstance(bug.get("id"), int)]
    if not known:
        return None, None
    return " ".join(str(number) for number, _ in known), _text(known[0][1])


def _items(value: Any, name: str) -> list[dict[str, Any]]:
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(value: Any) -> str | None:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
