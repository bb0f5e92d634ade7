"""Alert summaries, and the alerts of one: what got slower or faster, since which push, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.http.errors import HttpError
from backends.locators.perfherder import (
    AlertSummaries,
    AlertSummary,
    Compare,
    PushOf,
    Series,
    SeriesRef,
)
from backends.locators.perfherder_pages import FRAMEWORKS, alerts_url, graph_url
from backends.resources import Detail, Entry, Link, LogAddress, Page, Row
from backends.treeherder.client import AlertFilters, AlertPage
from backends.treeherder.columns import ALERTS, SUMMARIES, SUMMARY_STATUSES
from backends.treeherder.listed import TreeherderList, Where, counts, epoch, group_of, log_of, task_of, told
from backends.treeherder.narrowing import other_summaries
from backends.treeherder.signatures import framework_id, unlisted

AROUND = 14 * 86400  # seconds before and after an alert's push that its series is shown for
MOST_SUMMARIES = 2000  # about two months of all frameworks; the filters reach further back
MOST_LOOKED_UP = 20
_SECTIONS = (
    ("Summary", ("status", "title", "framework", "repository", "notes", "tags")),
    ("Alerts", ("regressions", "improvements", "worst_percent", "related", "platforms")),
    ("Push", ("push_time", "revision", "prev_revision", "original_revision")),
    ("Times", ("created", "detect", "triaged", "triage", "triage_due", "bug_updated", "bug_after", "bug_due")),
    ("Bug", ("bug", "bug_status", "assignee", "assignee_email")),
)


def status_number(status: str) -> int | None:
    """The server's number of a status given by word or number. Raises `UsageError`."""
    if not status:
        return None
    word = status.lower().replace("'", "").replace(" ", "").replace("-", "")
    if word in SUMMARY_STATUSES:
        return SUMMARY_STATUSES.index(word)
    if word.isascii() and word.isdigit() and len(word) < 4:
        return int(word)
    raise UsageError(f"There is no alert status {status[:40]!r}.", f"Known: {', '.join(SUMMARY_STATUSES)}.")


class AlertSummaryList(TreeherderList):
    """One row a summary, newest first, by the server's own filters. Enter: its alerts."""

    schema = SUMMARIES
    noun = ("alert summary", "alert summaries")
    empty_text = "No alert summary is like this; the filters of the address may be too narrow."
    locator: AlertSummaries

    def __init__(self, locator: AlertSummaries, where: Where) -> None:
        super().__init__(locator, where)
        self._trackers: dict[int, str] = {}
        self._frameworks: dict[str, int] = {}  # number by name; known once read

    @property
    def title(self) -> str:
        at = self.locator
        frameworks = {str(number): name for name, number in (self._frameworks or FRAMEWORKS).items()}
        framework = frameworks.get(at.framework, at.framework)
        words = [at.repository, framework, at.status, at.words and f"“{at.words[:20]}”", *at.flags]
        return " ".join(["alerts", *(word for word in words if word)])

    def filters(self, cancel: CancelToken | None = None) -> AlertFilters:
        at = self.locator
        return AlertFilters(
            repository=at.repository,
            framework=framework_id(self.treeherder, at.framework, cancel),
            status=status_number(at.status),
            text=at.words,
            timerange=at.timerange,
            signature=at.signature,
            assignee=at.assignee,
            hide_improvements="hide-improvements" in at.flags,
            hide_related_and_invalid="hide-related" in at.flags,
            untriaged_regressions="untriaged-regressions" in at.flags,
            untriaged_improvements="untriaged-improvements" in at.flags,
            sheriffed_frameworks="sheriffed" in at.flags,
            monitored="monitored" in at.flags,
        )

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._trackers = _trackers(self, cancel)
        self._frameworks = {name: number for number, name in self.treeherder.framework_names(cancel).items()}
        seen = 0
        filters = self.filters(cancel)
        for page in self.treeherder.alert_summaries(filters, cancel):
            cancel.check()
            seen += len(page.summaries)
            more = page.total is not None and page.total > MOST_SUMMARIES and seen >= MOST_SUMMARIES
            note = page.note or ("" if seen else unlisted(self.treeherder, filters.framework, page.summaries, cancel))
            if more:
                note = f"The newest {seen:,} of {page.total:,} summaries are shown; filters reach older ones."
            yield Page(page.summaries, page.origin, total=None if more else page.total, note=note)
            if more:
                return

    def open(self, row: Row) -> AlertSummary:
        return AlertSummary(int(row["summary_id"]), self.server)

    def compare(self, rows: pl.DataFrame) -> Compare:
        if len(rows) != 1:
            raise UsageError("Only the two pushes of one summary can be compared.", "Mark one row, or none.")
        found = _compared(rows.row(0, named=True), self.server)
        if found is None:
            raise UsageError("This summary does not name both pushes.", "Compare revisions by perf:compare/...")
        return found

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found = [] if row is None else _of_summary(self, row, self._trackers)
        return [*found, *other_summaries(self.locator)]

    def detail(self, row: Row) -> Detail:
        return Detail(
            f"Alert summary {row['summary_id']}",
            tuple((words, told(row, SUMMARIES, names)) for words, names in _SECTIONS),
        )

    def web_url(self, row: Row | None = None) -> str:
        return alerts_url(self.treeherder.base, self.locator if row is None else self.open(row), self._frameworks)

    def summary(self, frame: pl.DataFrame) -> str:
        return " · ".join(counts(frame, "status"))


class AlertList(TreeherderList):
    """The alerts of one summary, and those that other summaries handed to it. Enter: the series around the alert."""

    schema = ALERTS
    noun = ("alert", "alerts")
    empty_text = "This summary has no alerts (any more)."
    locator: AlertSummary

    def __init__(self, locator: AlertSummary, where: Where) -> None:
        super().__init__(locator, where)
        self._summary: Row = {}  # of the schema SUMMARIES; known once read
        self._root = ""
        self._trackers: dict[int, str] = {}

    @property
    def title(self) -> str:
        status = f" {self._summary['status']}" if self._summary.get("status") else ""
        return f"alert summary {self.locator.number}{status}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        page = self.treeherder.alert_summary(self.locator.number, cancel)
        self._summary = page.summaries.row(0, named=True) if len(page.summaries) else {}
        self._root = self.root_of(str(self._summary.get("repository") or ""), cancel)
        self._trackers = _trackers(self, cancel)
        yield Page(page.alerts, page.origin, total=len(page.alerts), note=page.note)
        if page.alerts["repository"].null_count():
            yield self._with_repositories(page, cancel)

    def _with_repositories(self, page: AlertPage, cancel: CancelToken) -> Page:
        """An alert does not say of which repository it is; a downstream one is of another than this summary's."""
        foreign = page.alerts.filter(pl.col("repository").is_null())["summary_id"].drop_nulls().unique().to_list()
        known: dict[str, str] = {}
        for number in foreign[:MOST_LOOKED_UP]:
            try:
                told_by = self.treeherder.alert_summary(int(number), cancel).summaries
            except AppError:  # its alerts are then listed without a series to open
                cancel.check()
                continue
            if len(told_by) and told_by["repository"][0]:
                known[number] = str(told_by["repository"][0])
        looked_up = pl.col("summary_id").replace_strict(known, default=None, return_dtype=pl.String)
        return Page(page.alerts.with_columns(pl.col("repository").fill_null(looked_up)), page.origin, note=page.note)

    def open(self, row: Row) -> Series | None:
        ref = self._ref(row)
        return None if ref is None else self._series((ref,))

    def _ref(self, row: Row) -> SeriesRef | None:
        if row.get("signature_id") is None or not row.get("repository"):
            return None
        return SeriesRef(str(row["repository"]), str(row["signature_id"]), str(row.get("framework_id") or ""))

    def _series(self, refs: tuple[SeriesRef, ...]) -> Series:
        when = epoch(self._summary.get("push_time"))
        if when is None:
            return Series(refs, server=self.server)
        return Series(refs, None, when - AROUND, when + AROUND, server=self.server)

    def open_marked(self, rows: pl.DataFrame) -> Series | None:
        refs = [ref for row in rows.iter_rows(named=True) if (ref := self._ref(row)) is not None]
        return self._series(tuple(dict.fromkeys(refs))) if refs else None

    def compare(self, rows: pl.DataFrame) -> Compare:
        """Whatever is marked: all that the framework measured on the push before and on the one alerted on."""
        found = _compared(self._summary, self.server)
        if found is None:
            raise UsageError("This summary does not name both pushes.", "Compare revisions by perf:compare/...")
        return found

    def log(self, row: Row) -> LogAddress | None:
        return log_of(
            {**row, "name": f"{row.get('suite')} {row.get('platform')}", "run": row.get("task_run")}, self._root
        )

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found: list[Entry] = []
        if row is not None:
            for words, name, run in (
                ("The task", "task_id", "task_run"),
                ("The task before", "prev_task_id", "prev_task_run"),
            ):
                task = task_of(row, self._root, name, run)
                if task is not None:
                    found.append(Link(words, task))
            for words, name in (("Its profile", "profile_url"), ("The profile before", "prev_profile_url")):
                if str(row.get(name) or "").startswith("https://"):
                    found.append(Link(f"{words} in the browser", str(row[name])))
            other = row.get("related_summary_id")
            other = other if other not in (None, str(self.locator.number)) else row.get("summary_id")
            if other not in (None, str(self.locator.number)):
                found.append(Link(f"Alert summary {other}", AlertSummary(int(other), self.server)))
            if row.get("signature_id") is not None:
                every = AlertSummaries(
                    str(row.get("repository") or ""), signature=int(row["signature_id"]), server=self.server
                )
                found.append(Link("All alerts on this series", every))
        return found + (_of_summary(self, self._summary, self._trackers) if self._summary else [])

    def detail(self, row: Row) -> Detail:
        first = (
            "change",
            "prev_value",
            "new_value",
            "percent",
            "amount",
            "unit",
            "better",
            "t",
            "noise",
            "status",
            "relation",
        )
        rest = [name for name in ALERTS.names if name not in first and name not in ("suite", "test")]
        title = " ".join(str(row[name]) for name in ("suite", "test", "platform") if row.get(name))
        return Detail(title, (("Alert", told(row, ALERTS, first)), ("Series", told(row, ALERTS, rest))))

    def web_url(self, row: Row | None = None) -> str:
        series = None if row is None else self.open(row)
        if row is None or series is None:
            return alerts_url(self.treeherder.base, self.locator)
        values = [row[name] for name in ("prev_value", "new_value") if row.get(name) is not None]
        return graph_url(self.treeherder.base, series, values=(min(values), max(values)) if values else None)

    def summary(self, frame: pl.DataFrame) -> str:
        """The status of the whole, its bug, and how long each step took."""
        parts = counts(frame, "change")
        row = self._summary
        if row:
            bug = f"bug {row['bug']}" if row.get("bug") else "no bug"
            parts += [str(row.get("status") or ""), bug]
            parts += [
                f"{label.lower()} {text}" for label, text in told(row, SUMMARIES, ("detect", "triage", "bug_after"))
            ]
        return " · ".join(part for part in parts if part)


def _trackers(listed: TreeherderList, cancel: CancelToken) -> dict[int, str]:
    try:
        return listed.treeherder.issue_trackers(cancel)
    except HttpError:  # then a bug is only a number
        return {}


def _compared(row: Row, server: str) -> Compare | None:
    names = ("repository", "prev_revision", "revision")
    repository, base, new = (str(row.get(name) or "") for name in names)
    if not (repository and base and new):
        return None
    return Compare(repository, base, repository, new, str(row.get("framework_id") or ""), server=server)


def _of_summary(listed: TreeherderList, row: Row, trackers: dict[int, str]) -> list[Entry]:
    """What leads on from a summary, for the menus of both lists."""
    found: list[Entry] = []
    repository, revision = str(row.get("repository") or ""), str(row.get("revision") or "")
    compared = _compared(row, listed.server)
    if compared is not None:
        found.append(Link("Compare with the push before", compared))
    if repository and revision:
        found.append(Link("The jobs of its push", PushOf(repository, revision, listed.server)))
        found.append(Link("The task group of its push", group_of(repository, revision)))
        found.append(Link("Its push in the browser", listed.jobs_url(repository, revision)))
    tracker = trackers.get(int(row.get("issue_tracker") or 1))
    if row.get("bug") and tracker:
        found.append(Link(f"Bug {row['bug']} in the browser", f"{tracker}{row['bug']}"))
    return found
