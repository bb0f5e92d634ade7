"""Alert summaries, and the alerts of one: what got slower or faster, since which push, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.frames.getters import epoch_seconds, iso_time, optional, seconds_between, with_context, yes_if
from backends.frames.schema import Column, Effect, Kind, Schema
from backends.http.errors import HttpError
from backends.listings import refine
from backends.resources import LIST, PUSH, ROW, Entry, Link, LogAddress, Page, Question, Row, digit_key
from backends.taskcluster.locators import PushGroup
from backends.treeherder.api import Result
from backends.treeherder.base import (
    Context,
    TreeherderList,
    count_values,
    epoch_of,
    format_days,
    id_column,
    join_words,
    labeled_cells,
    log_of,
    parse_seconds,
    row_words,
    task_of,
)
from backends.treeherder.client import TreeherderClient
from backends.treeherder.locators import (
    SUMMARY_STATUSES,
    AlertSummaries,
    AlertSummary,
    Compare,
    PushOf,
    Series,
    SeriesRef,
)
from backends.treeherder.models import AlertSignature, JobTaskMetadata, PerformanceAlert, PerformanceAlertSummary
from backends.treeherder.web_urls import alerts_url, framework_name, graph_url

AROUND = 14 * 86400  # seconds before and after an alert's push that its series is shown for
MOST_SUMMARIES = 2000  # about two months of all frameworks; the filters reach further back
MOST_LOOKED_UP = 20
# An enumeration that agrees with `SUMMARY_STATUSES` up to 3 and not beyond (perf/models.py: PerformanceAlert).
ALERT_STATUSES = ("untriaged", "downstream", "reassigned", "invalid", "acknowledged", "infra")
BUG_STATUSES = (
    "NEW", "FIXED", "INVALID", "INACTIVE", "DUPLICATE", "WONTFIX", "WORKSFORME", "INCOMPLETE", "MOVED",
)  # fmt: skip
FLAG_LABELS = {
    "untriaged-regressions": ("Untriaged regressions only", 'Clear "untriaged regressions only"'),
    "untriaged-improvements": ("Untriaged improvements only", 'Clear "untriaged improvements only"'),
    "hide-improvements": ("Hide improvements", "Show improvements"),
    "hide-related": (
        "Hide downstream, reassigned and invalid ones", "Show downstream, reassigned and invalid ones",
    ),
    "sheriffed": ("Sheriffed frameworks only", 'Clear "sheriffed frameworks only"'),
    "monitored": ("Monitored instead of sheriffed", "Sheriffed instead of monitored"),
}  # fmt: skip


def status_word(number: int | None, known: Sequence[str]) -> str | None:
    """The word for a status; a number that nobody knows yet is shown as it is."""
    if number is None:
        return None
    return known[number] if 0 <= number < len(known) else f"status {number}"


def status_number(status: str) -> int | None:
    """The server's number of a status of `AlertSummaries`. Raises `UsageError`."""
    if not status:
        return None
    if status in SUMMARY_STATUSES:
        return SUMMARY_STATUSES.index(status)
    if status.isascii() and status.isdigit() and len(status) < 4:
        return int(status)
    raise UsageError(f"There is no alert status {status[:40]!r}.", f"Known: {', '.join(SUMMARY_STATUSES)}.")


def describe_change(alert: PerformanceAlert) -> str | None:
    if alert.is_regression is None:
        return None
    return "regression" if alert.is_regression else "improvement"


def signed_percent(alert: PerformanceAlert) -> float | None:
    """The change with the sign of the value's movement; `amount_pct` itself is never negative."""
    size = alert.amount_pct
    if size is None:
        return None
    if alert.amount_abs:
        fell = alert.amount_abs < 0
    elif alert.prev_value is not None and alert.new_value is not None and alert.new_value != alert.prev_value:
        fell = alert.new_value < alert.prev_value
    elif alert.is_regression is not None:  # all three are rounded to two decimals: small values seem not to move
        lower_is_better = alert.series_signature is None or alert.series_signature.lower_is_better is not False
        fell = alert.is_regression != lower_is_better
    else:
        return size
    return -size if fell else size


class _SummaryRow(msgspec.Struct, gc=False):
    """A summary with its own alerts and those that other summaries handed to it."""

    summary: PerformanceAlertSummary
    alerts: list[PerformanceAlert]

    def distinct(self, name: str) -> str | None:
        values = [getattr(one.series_signature, name) for one in self.alerts if one.series_signature is not None]
        return ", ".join(dict.fromkeys(filter(None, values))) or None

    def worst_percent(self) -> float | None:
        """The largest change, signed as the value moved."""
        return max(
            (change for one in self.alerts if (change := signed_percent(one)) is not None), key=abs, default=None
        )


def _framework(row: _SummaryRow, names: Mapping[int, str]) -> str | None:
    number = row.summary.framework
    return None if number is None else names.get(number, f"framework {number}")


def _bug(row: _SummaryRow) -> str | None:
    return None if row.summary.bug_number is None else str(row.summary.bug_number)


# Durations are negative where the summary's push was changed after the alert.
SUMMARIES = Schema(
    (
        # First, so that 80 columns have its sign and room for the repository; the header has the words.
        Column("status", Kind.STATE, "Status", width=14, section="Summary",
               get=lambda row: status_word(row.summary.status, SUMMARY_STATUSES)),
        id_column("summary_id", "Alert", get="summary.id"),
        Column("worst_percent", Kind.NUMBER, "Largest %", section="Alerts", get=_SummaryRow.worst_percent),
        Column("title", Kind.TEXT, "Suites", width=24, is_name=True, section="Summary",
               get=lambda row: row.distinct("suite")),
        Column("framework", Kind.TEXT, "Framework", section="Summary", get=with_context(_framework)),
        Column("repository", Kind.TEXT, "Repository", section="Summary", get="summary.repository"),
        Column("regressions", Kind.COUNT, "Regr.", section="Alerts",
               get=lambda row: [one.is_regression for one in row.alerts].count(True)),
        Column("improvements", Kind.COUNT, "Impr.", section="Alerts",
               get=lambda row: [one.is_regression for one in row.alerts].count(False)),
        Column("bug", Kind.TEXT, "Bug", section="Bug", get=_bug),
        Column("bug_status", Kind.TEXT, "Bug status", section="Bug",
               get=lambda row: status_word(row.summary.bug_status, BUG_STATUSES)),
        Column("assignee", Kind.TEXT, "Assignee", section="Bug", get=optional("summary.assignee_username")),
        Column("push_time", Kind.TIME, "Pushed", section="Push", get=epoch_seconds("summary.push_timestamp")),
        Column("created", Kind.TIME, "Alerted", section="Times", get=iso_time("summary.created")),
        Column("detect", Kind.DURATION, "Time to alert", "s", section="Times",
               get=seconds_between("push_time", "created", negative=True)),
        Column("triage", Kind.DURATION, "Time to triage", "s", section="Times",
               get=seconds_between("created", "triaged", negative=True)),
        Column("bug_after", Kind.DURATION, "Time to bug", "s", section="Times",
               get=seconds_between("created", "bug_updated", negative=True)),
        Column("revision", Kind.ID, "Revision", width=12, section="Push", get="summary.revision"),
        Column("tags", Kind.TEXT, "Tags", section="Summary", get=lambda row: join_words(row.summary.performance_tags)),
        Column("platforms", Kind.TEXT, "Platforms", width=24, section="Alerts",
               get=lambda row: row.distinct("machine_platform")),
        Column("related", Kind.COUNT, "Related", section="Alerts", get=lambda row: len(row.summary.related_alerts)),
        Column("triaged", Kind.TIME, "Triaged", hidden=True, section="Times", get=iso_time("summary.first_triaged")),
        Column("bug_updated", Kind.TIME, "Bug updated", hidden=True, section="Times",
               get=iso_time("summary.bug_updated")),
        Column("triage_due", Kind.TIME, "Triage due", hidden=True, section="Times",
               get=iso_time("summary.triage_due_date")),
        Column("bug_due", Kind.TIME, "Bug due", hidden=True, section="Times", get=iso_time("summary.bug_due_date")),
        Column("notes", Kind.TEXT, "Notes", hidden=True, section="Summary", get=optional("summary.notes")),
        Column("prev_revision", Kind.ID, "Previous push", hidden=True, section="Push",
               get="summary.prev_push_revision"),
        Column("original_revision", Kind.ID, "Original push", hidden=True, section="Push",
               get="summary.original_revision"),
        id_column("push_id", "Push", hidden=True, get="summary.push_id"),
        id_column("prev_push_id", "Previous push id", hidden=True, get="summary.prev_push_id"),
        id_column("issue_tracker", "Tracker", hidden=True, get="summary.issue_tracker"),
        id_column("framework_id", "Framework id", hidden=True, get="summary.framework"),
        Column("original_prev_revision", Kind.ID, "Push before the original", hidden=True, searched=False,
               get="summary.original_prev_push_revision"),
        Column("assignee_email", Kind.TEXT, "Assignee's e-mail", hidden=True, section="Bug",
               get=optional("summary.assignee_email")),
    ),
    key="key",
    key_get="summary.id",
)  # fmt: skip


def summary_frame(summaries: Sequence[PerformanceAlertSummary], frameworks: Mapping[int, str]) -> pl.DataFrame:
    """In the order of arrival."""
    known = [one for one in summaries if one.id is not None]
    return SUMMARIES.build([_SummaryRow(one, [*one.alerts, *one.related_alerts]) for one in known], frameworks)


class _AlertRow(msgspec.Struct, gc=False):
    """An alert in the summary that lists it; `related`: handed to it by another summary."""

    alert: PerformanceAlert
    series: AlertSignature
    summary: PerformanceAlertSummary
    related: bool
    task: JobTaskMetadata  # of a job that has expired the server gives an empty object
    prev_task: JobTaskMetadata

    def relation(self) -> str:
        """ "own", or how the alert came from or went to another summary."""
        if not self.related:
            other = self.alert.related_summary_id
            return "own" if other is None else f"handed to {other}"
        how = status_word(self.alert.status, ALERT_STATUSES)
        return f"{how if how in ('downstream', 'reassigned') else 'related'}, from {self.alert.summary_id}"


ALERTS = Schema(
    (
        Column("change", Kind.STATE, "Change", width=12, section="Alert", get=lambda row: describe_change(row.alert)),
        Column("percent", Kind.NUMBER, "Δ %", section="Alert", effect=Effect("change"),
               get=lambda row: signed_percent(row.alert)),
        Column("suite", Kind.TEXT, "Suite", width=16, get="series.suite"),
        Column("test", Kind.TEXT, "Test", width=14, get=optional("series.test")),
        Column("platform", Kind.TEXT, "Platform", width=19, keeps_end=True, section="Series",
               get="series.machine_platform"),
        Column("status", Kind.STATE, "Status", width=12, section="Alert",
               get=lambda row: status_word(row.alert.status, ALERT_STATUSES)),
        Column("options", Kind.TEXT, "Options", width=20, section="Series",
               get=lambda row: join_words(row.series.extra_options)),
        Column("prev_value", Kind.NUMBER, "Before", section="Alert", get="alert.prev_value"),
        Column("new_value", Kind.NUMBER, "After", section="Alert", get="alert.new_value"),
        Column("amount", Kind.NUMBER, "Δ", section="Alert", get="alert.amount_abs"),
        Column("unit", Kind.TEXT, "Unit", section="Alert", get=optional("series.measurement_unit")),
        Column("t", Kind.NUMBER, "t (alert)", section="Alert", get="alert.t_value"),
        Column("noise", Kind.TEXT, "Noise", section="Alert", get="alert.noise_profile"),
        Column("better", Kind.TEXT, "Better", section="Alert",
               get=lambda row: "higher" if row.series.lower_is_better is False else "lower"),
        Column("relation", Kind.TEXT, "Relation", section="Alert", get=_AlertRow.relation),
        Column("starred", Kind.TEXT, "Starred", section="Series", get=yes_if("alert.starred")),
        Column("manual", Kind.TEXT, "Manual", section="Series", get=yes_if("alert.manually_created")),
        Column("classifier", Kind.TEXT, "Classifier", section="Series", get=optional("alert.classifier")),
        id_column("alert_id", "Alert", section="Series", get="alert.id"),
        id_column("signature_id", "Signature", section="Series", get="series.id"),
        Column("task_id", Kind.ID, "Task", hidden=True, section="Series", get="task.task_id"),
        Column("task_run", Kind.COUNT, "Run", hidden=True, section="Series", get="task.retry_id"),
        Column("prev_task_id", Kind.ID, "Task before", hidden=True, section="Series", get="prev_task.task_id"),
        Column("prev_task_run", Kind.COUNT, "Run before", hidden=True, section="Series", get="prev_task.retry_id"),
        Column("profile_url", Kind.TEXT, "Profile", hidden=True, section="Series", get=optional("alert.profile_url")),
        Column("prev_profile_url", Kind.TEXT, "Profile before", hidden=True, section="Series",
               get=optional("alert.prev_profile_url")),
        id_column("summary_id", "Summary", hidden=True, section="Series", get="alert.summary_id"),
        id_column("related_summary_id", "Related summary", hidden=True, section="Series",
                  get="alert.related_summary_id"),
        id_column("listed_in", "Listed in", hidden=True, section="Series", get="summary.id"),
        id_column("framework_id", "Framework id", hidden=True, section="Series", get="series.framework_id"),
        Column("signature_hash", Kind.ID, "Hash", hidden=True, section="Series", get="series.signature_hash"),
        Column("repository", Kind.TEXT, "Repository", hidden=True, section="Series",  # an alert does not name its own
               get=lambda row: None if row.related else row.summary.repository),
        Column("tags", Kind.TEXT, "Tags", hidden=True, section="Series", get=lambda row: join_words(row.series.tags)),
    ),
    key="key",
    key_get=lambda row: f"{row.summary.id}/{row.alert.id}",
)  # fmt: skip


def alert_frame(summaries: Sequence[PerformanceAlertSummary]) -> pl.DataFrame:
    """One row per alert of each summary, related alerts included; an alert that two summaries list gives two rows."""
    return ALERTS.build(
        [
            _AlertRow(
                alert, alert.series_signature or AlertSignature(), summary, related,
                alert.taskcluster_metadata or JobTaskMetadata(), alert.prev_taskcluster_metadata or JobTaskMetadata(),
            )
            for summary in summaries
            for related, alerts in ((False, summary.alerts), (True, summary.related_alerts))
            for alert in alerts
            if alert.id is not None and summary.id is not None
        ]
    )  # fmt: skip


_TITLE = 40  # characters of the suites in a title


class AlertSummaryList(TreeherderList):
    """One row a summary, newest first, by the server's own filters. Enter: its alerts."""

    schema = SUMMARIES
    noun = ("alert summary", "alert summaries")
    empty_text = "No matching alert summaries; the filters of the URL may be too narrow."
    locator: AlertSummaries

    def __init__(self, locator: AlertSummaries, context: Context) -> None:
        super().__init__(locator, context)
        self._trackers: dict[int, str] = {}
        self._frameworks: dict[str, int] = {}  # number by name; known once read

    @property
    def title(self) -> str:
        at = self.locator
        status = status_word(int(at.status), SUMMARY_STATUSES) if at.status.isdecimal() else at.status
        words = [
            at.repository,
            framework_name(at.framework, self._frameworks),
            status or "",
            at.words and f"“{at.words[:20]}”",
            *at.flags,
        ]
        return ": ".join(filter(None, ["Alerts", ", ".join(filter(None, words))]))

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._trackers = _issue_trackers(self.client, cancel)
        names = self.client.fetch_framework_names(cancel)
        self._frameworks = {name: number for number, name in names.items()}
        framework = self.client.find_framework_id(self.locator.framework, cancel)
        status = status_number(self.locator.status)
        seen = 0
        for found in self.client.fetch_alert_summaries(self.locator, framework=framework, status=status, cancel=cancel):
            cancel.check()
            frame = summary_frame(found.items, names)
            seen += len(frame)
            more = found.total is not None and found.total > MOST_SUMMARIES and seen >= MOST_SUMMARIES
            note = found.note or ("" if seen else self.client.describe_unknown_framework(framework, cancel))
            if more:
                note = f"The newest {seen:,} of {found.total:,} summaries are shown; filters reach older ones."
            yield Page(frame, found.freshness, total=None if more else found.total, note=note)
            if more:
                return

    def open(self, row: Row) -> AlertSummary:
        return AlertSummary(int(row["summary_id"]), self.server)

    def compare(self, rows: pl.DataFrame) -> Compare:
        if len(rows) != 1:
            raise UsageError("Only the two pushes of one summary can be compared.", "Mark one row, or none.")
        return _require_comparison(rows.row(0, named=True), self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        return [
            *([] if row is None else _summary_menu(self, row, self._trackers)),
            *(
                Link(
                    labels[flag in at.flags], replace(at, flags=tuple(sorted(set(at.flags) ^ {flag}))),
                    letter=digit_key(number), group=LIST,
                )
                for number, (flag, labels) in enumerate(FLAG_LABELS.items())
            ),
            Question(
                "Status", f"One of {', '.join(SUMMARY_STATUSES)} (blank for all)", _with_status(at), at.status,
                letter="s", group=LIST,
            ),
            refine(
                at, "words", "Filter by text",
                "All words, in suite, test, platform, options, bug or revision (case-sensitive)", letter="w",
            ),
            refine(at, "framework", "Framework", "Framework, by name or id (blank for all)", letter="f"),
            Question(
                "Push date range", "How far back, e.g. 30d (blank for all)",
                lambda text: replace(at, timerange=parse_seconds(text) if text.strip() else None),
                format_days(at.timerange), letter="d", group=LIST,
            ),
            refine(at, "assignee", "Assignee", "Treeherder's name of the person (blank for any)", letter="n"),
        ]  # fmt: skip

    def row_title(self, row: Row) -> str:
        return f"Alert summary {row['summary_id']}"

    def web_url(self, row: Row | None = None) -> str:
        return alerts_url(self.client.base, self.locator if row is None else self.open(row), self._frameworks)

    def summary(self, frame: pl.DataFrame) -> str:
        return " · ".join(count_values(frame, "status"))


def _with_status(at: AlertSummaries) -> Callable[[str], AlertSummaries]:
    def change(text: str) -> AlertSummaries:
        changed = replace(at, status=text.strip())
        status_number(changed.status)
        return changed

    return change


class AlertList(TreeherderList):
    """The alerts of one summary, and those that other summaries handed to it. Enter: the series around the alert."""

    schema = ALERTS
    noun = ("alert", "alerts")
    empty_text = "This summary has no alerts (any more)."
    locator: AlertSummary

    def __init__(self, locator: AlertSummary, context: Context) -> None:
        super().__init__(locator, context)
        self._summary: Row = {}  # of the schema SUMMARIES; known once read
        self._root = ""
        self._trackers: dict[int, str] = {}

    @property
    def title(self) -> str:
        one = self._summary
        suites = str(one.get("title") or "")
        words = [suites if len(suites) <= _TITLE else f"{suites[:_TITLE]}…", one.get("repository"), one.get("status")]
        return ": ".join(filter(None, [f"Alert {self.locator.number}", ", ".join(str(word) for word in words if word)]))

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        found = self.client.fetch_alert_summary(self.locator.number, cancel)
        summaries = summary_frame(found.items, self.client.fetch_framework_names(cancel))
        self._summary = summaries.row(0, named=True) if len(summaries) else {}
        self._root = self.root_of(str(self._summary.get("repository") or ""), cancel)
        self._trackers = _issue_trackers(self.client, cancel)
        frame = alert_frame(found.items)
        yield Page(frame, found.freshness, total=len(frame), note=found.note)
        if frame["repository"].null_count():
            yield self._with_repositories(frame, found, cancel)

    def _with_repositories(
        self, frame: pl.DataFrame, found: Result[PerformanceAlertSummary], cancel: CancelToken
    ) -> Page:
        """An alert does not say of which repository it is; a downstream one is of another than this summary's."""
        summaries = frame.filter(pl.col("repository").is_null())["summary_id"].drop_nulls().unique().to_list()
        repositories: dict[str, str] = {}
        for number in summaries[:MOST_LOOKED_UP]:
            try:
                [other] = self.client.fetch_alert_summary(int(number), cancel).items
            except AppError:  # its alerts are then listed without a series to open
                cancel.check()
                continue
            if other.repository:
                repositories[number] = other.repository
        repository = pl.col("summary_id").replace_strict(repositories, default=None, return_dtype=pl.String)
        return Page(frame.with_columns(pl.col("repository").fill_null(repository)), found.freshness, note=found.note)

    def open(self, row: Row) -> Series | None:
        ref = self._ref(row)
        return None if ref is None else self._series((ref,))

    def _ref(self, row: Row) -> SeriesRef | None:
        if row.get("signature_id") is None or not row.get("repository"):
            return None
        return SeriesRef(str(row["repository"]), str(row["signature_id"]), str(row.get("framework_id") or ""))

    def _series(self, refs: tuple[SeriesRef, ...]) -> Series:
        when = epoch_of(self._summary.get("push_time"))
        if when is None:
            return Series(refs, server=self.server)
        return Series(refs, None, when - AROUND, when + AROUND, at=when, server=self.server)

    def open_marked(self, rows: pl.DataFrame) -> Series | None:
        refs = [ref for row in rows.iter_rows(named=True) if (ref := self._ref(row)) is not None]
        return self._series(tuple(dict.fromkeys(refs))) if refs else None

    def compare(self, rows: pl.DataFrame) -> Compare:
        """Whatever is marked: all that the framework measured on the push before and on the one alerted on."""
        return _require_comparison(self._summary, self.server)

    def log(self, row: Row) -> LogAddress | None:
        name = f"{row.get('suite')} {row.get('platform')}"
        return log_of({**row, "name": name, "run": row.get("task_run")}, self._root)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries = [] if row is None else self._menu_of_alert(row)
        return entries + (_summary_menu(self, self._summary, self._trackers, LIST) if self._summary else [])

    def _menu_of_alert(self, row: Row) -> list[Entry]:
        entries: list[Entry] = []
        for letter, label, prefix in (("t", "The task", ""), ("T", "Previous task", "prev_")):
            task = task_of(row, self._root, f"{prefix}task_id", f"{prefix}task_run")
            if task is not None:
                entries.append(Link(label, task, letter=letter))
        for letter, label, name in (("r", "Profile", "profile_url"), ("R", "Previous profile", "prev_profile_url")):
            if str(row.get(name) or "").startswith("https://"):
                entries.append(Link(f"{label} in the browser", str(row[name]), letter=letter))
        own = str(self.locator.number)
        other = next(
            (row[name] for name in ("related_summary_id", "summary_id") if row.get(name) not in (None, own)), ""
        )
        if other:
            entries.append(Link(f"Alert summary {other}", AlertSummary(int(other), self.server), letter="m"))
        if row.get("signature_id") is not None:
            repository, signature = str(row.get("repository") or ""), int(row["signature_id"])
            summaries = AlertSummaries(repository, signature=signature, server=self.server)
            entries.append(Link("All alerts on this series", summaries, letter="a"))
        return entries

    def row_title(self, row: Row) -> str:
        return row_words(row, "suite", "test", "platform")

    def web_url(self, row: Row | None = None) -> str:
        series = None if row is None else self.open(row)
        if row is None or series is None:
            return alerts_url(self.client.base, self.locator)
        values = [row[name] for name in ("prev_value", "new_value") if row.get(name) is not None]
        return graph_url(self.client.base, series, values=(min(values), max(values)) if values else None)

    def summary(self, frame: pl.DataFrame) -> str:
        """The summary's status, its bug, and how long each step took."""
        parts = count_values(frame, "change")
        row = self._summary
        if row:
            parts += [str(row.get("status") or ""), f"bug {row['bug']}" if row.get("bug") else "no bug"]
            cells = labeled_cells(row, SUMMARIES, ("detect", "triage", "bug_after"))
            parts += [f"{label.lower()} {text}" for label, text in cells]
        return " · ".join(filter(None, parts))


def _issue_trackers(client: TreeherderClient, cancel: CancelToken) -> dict[int, str]:
    try:
        return client.fetch_issue_trackers(cancel)
    except HttpError:  # then a bug is only a number
        return {}


def _comparison(row: Row, server: str) -> Compare | None:
    """Of the two pushes of a summary, None where it does not name both."""
    names = ("repository", "prev_revision", "revision")
    repository, base, new = (str(row.get(name) or "") for name in names)
    if not (repository and base and new):
        return None
    return Compare(repository, base, repository, new, str(row.get("framework_id") or ""), server=server)


def _require_comparison(row: Row, server: str) -> Compare:
    found = _comparison(row, server)
    if found is None:
        raise UsageError(
            "This summary does not name both pushes.", "Compare revisions by a treeherder:compare/... locator."
        )
    return found


def _summary_menu(shown: TreeherderList, row: Row, trackers: dict[int, str], group: str = ROW) -> list[Entry]:
    """What leads on from a summary, for the menus of both lists."""
    entries: list[Entry] = []
    repository, revision = str(row.get("repository") or ""), str(row.get("revision") or "")
    comparison = _comparison(row, shown.server)
    if comparison is not None:
        entries.append(Link("Compare with the push before", comparison, letter="c", group=group))
    if repository and revision:
        entries += [
            Link("The jobs of its push", PushOf(repository, revision, shown.server), letter="p", group=PUSH),
            Link("The task group of its push", PushGroup(repository, revision), letter="g", group=PUSH),
            Link("Its push in the browser", shown.jobs_url(repository, revision), letter="o", group=PUSH),
        ]
    tracker = trackers.get(int(row.get("issue_tracker") or 1))
    if row.get("bug") and tracker:
        bug = f"{tracker}{row['bug']}"
        entries.append(Link(f"Bug {row['bug']} in the browser", bug, letter="u", group=group))
    return entries
